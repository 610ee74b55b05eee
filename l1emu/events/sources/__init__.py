"""Public data sets and our own samples behind one interface: batches of crossings or jets as awkward arrays.

Every format's fields and units are in `FORMATS`, and as tables in `docs/sources.md`.
"""

from l1emu.events.sources.format import Field, Format
from l1emu.events.sources.source import FORMATS, Source, find_files, find_format, open_source

__all__ = ["FORMATS", "Field", "Format", "Source", "find_files", "find_format", "open_source"]
