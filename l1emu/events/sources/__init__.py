"""Public data sets and our own samples behind one interface: batches of crossings or jets as awkward arrays.

Every format's fields and units are in `FORMATS`, and as tables in `docs/sources.md`.
"""

from l1emu.events.sources.candidates import hardware_candidates
from l1emu.events.sources.format import Field, Format
from l1emu.events.sources.inputs import stacked
from l1emu.events.sources.ntuple import NtupleSample, open_crossings, open_ntuple
from l1emu.events.sources.source import FORMATS, Source, find_files, find_format, open_source

__all__ = [
    "FORMATS",
    "Field",
    "Format",
    "NtupleSample",
    "Source",
    "find_files",
    "find_format",
    "hardware_candidates",
    "open_crossings",
    "open_ntuple",
    "open_source",
    "stacked",
]
