"""Objects and sums of any tree, by a map in YAML: what a menu sees of files that l1emu did not make.

columns  where a field lies in a file, and its numbers in our units
maps     maps that come with l1emu, or of a file, and what a study adds to them
parquet  parquet with lists and records in it
sample   files by a map as crossings: only the branches that are asked for are read
schema   what can be said of an object, of a field and of a sum
sums     sums over objects: HT, missing HT
"""

from typing import TYPE_CHECKING

from l1emu.lazy import lazily

if TYPE_CHECKING:
    from l1emu.events.objects.maps import find_map
    from l1emu.events.objects.sample import ObjectSample, open_objects
    from l1emu.events.objects.schema import CollectionMap, FieldCut, FieldSource, ObjectsMap, SumMap
    from l1emu.events.objects.sums import derive_sums

__all__ = [
    "CollectionMap",
    "FieldCut",
    "FieldSource",
    "ObjectSample",
    "ObjectsMap",
    "SumMap",
    "derive_sums",
    "find_map",
    "open_objects",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "maps": ("find_map",),
        "sample": ("ObjectSample", "open_objects"),
        "schema": ("CollectionMap", "FieldCut", "FieldSource", "ObjectsMap", "SumMap"),
        "sums": ("derive_sums",),
    },
)
