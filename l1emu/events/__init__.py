"""Crossings, Level-1 candidates, jets and their features.

blocks       blocks of a recipe's crossings: which of them a file has, and which several files have together
branches     the branches of a sample's tree: their types, what is read of them with checks, and what is written
calibrate    a calibration from a signal sample with generator jets
calibration  the jet energy calibration: from the pt of a Level-1 jet to that of the generator's
chain        what our own chain gives a menu and its taggers: jets with their constituents, and sums
classes      what a jet can truly be
cms_tagger   what CMS's own Level-1 jet tagger takes of a constituent: twenty or twenty-one words
correlator/  CMS's correlator, Layer 1, in words: regions, PUPPI
correlator/  CMS's correlator, Layer 1, in words
cms_tagger   the twenty numbers a constituent that CMS's own Level-1 jet tagger takes
correlator/  CMS's correlator, Layer 1, in words
energy_sums  HT, missing HT and missing ET in CMS's words
features     what the tagger sees of a jet
generate/    samples made from a recipe
hardware     steps and widths of the Level-1 words that candidates and jets are made of
jets         seeded-cone jets (SC4) in hardware integers, and the tagger's features of each
lists        records in lists, one list a crossing, as flat columns of numbers
objects/     objects and sums of any tree, by a map in YAML
packing      candidates packed for small files: jet by jet, relative to the seed, in single bytes
ranges       ranges of crossings over several files
rootfile     ROOT files opened with the checks that uproot leaves to its user
sample       event samples on disk: ROOT files with one tree of crossings and, as strings, the recipe that made it
wordmath     what few bits hold of a number, and turns of phi
sources/     public data sets and our own samples behind one interface
"""

from typing import TYPE_CHECKING

from l1emu.lazy import lazily

if TYPE_CHECKING:
    from l1emu.events.jets import Jets, build_jets
    from l1emu.events.sample import Batch, Sample, Stratum, read_sample, write_sample

__all__ = ["Batch", "Jets", "Sample", "Stratum", "build_jets", "read_sample", "write_sample"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "jets": ("Jets", "build_jets"),
        "sample": ("Batch", "Sample", "Stratum", "read_sample", "write_sample"),
    },
)
