"""Taggers of a study: networks of any inputs and outputs, emulated on the objects of crossings.

columns      objects of crossings as flat columns of numbers
golden       golden vectors: the emulation compared with the project's own C++
inputs       the inputs of a network from objects, as a feature map says
maps         the schema of a feature map
score_cache  outputs of networks kept on disk by what went in
scores       scores from the outputs of a network
settings     the schema of a tagger of a study
tagger       `EmulatedTagger`: read, checked against its firmware, and applied
"""

from typing import TYPE_CHECKING

from l1emu.lazy import lazily

if TYPE_CHECKING:
    from l1emu.taggers.settings import TaggerConfig, jet_tagger
    from l1emu.taggers.tagger import EmulatedTagger, TaggerNeeds, read_tagger, read_taggers

__all__ = ["EmulatedTagger", "TaggerConfig", "TaggerNeeds", "jet_tagger", "read_tagger", "read_taggers"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "settings": ("TaggerConfig", "jet_tagger"),
        "tagger": ("EmulatedTagger", "TaggerNeeds", "read_tagger", "read_taggers"),
    },
)
