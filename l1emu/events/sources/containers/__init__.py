"""The containers that the formats lie in, each opened by the library that is made for it.

base     what every container offers: the names of its columns, and some of them in batches of consecutive rows
hdf5     HDF5: the datasets of a file by their path, the members of a table (a compound dataset) as `path:member`
npz      numpy's .npz: its arrays by their names, read in pieces so that only a batch is in memory
parquet  parquet: flat columns, and nested lists of one shape, as arrays of numpy
root     ROOT: the branches of every TTree, or the fields of every RNTuple, of a file, named `tree/branch`
text     tables as text: CSV by pandas, ARFF by scipy, in pieces of consecutive lines
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from l1emu.errors import L1emuError
from l1emu.events import rootfile
from l1emu.events.sources.containers import hdf5, npz, parquet, text
from l1emu.events.sources.containers.base import Columns, Container, shown
from l1emu.events.sources.containers.root import RootContainer
from l1emu.remote import open_file

__all__ = ["Columns", "Container", "RootContainer", "open_container", "shown"]

_OPENERS: dict[str, tuple[bytes, Callable[[Path], Container]]] = {
    "HDF5": (hdf5.MAGIC, hdf5.Hdf5Container),
    "npz": (npz.MAGIC, npz.NpzContainer),
    "parquet": (parquet.MAGIC, parquet.ParquetContainer),
}


def open_container(path: Path, tree: str | None = None) -> tuple[str, Container]:
    """The kind of a file, by its first bytes, and the file opened: ROOT, HDF5, npz, parquet, ARFF or CSV.

    `tree` names the tree of a ROOT file, `FOLDER/TREE`, that stands where its format has another.

    Raises
    ------
    L1emuError
        if the file is absent, empty, not a regular file, truncated or damaged, or none of these, or has no such tree.
    """
    with open_file(path) as stream:
        head = stream.read(1 << 16)
    if not head:
        raise L1emuError("the file is empty", path=path)
    if head.startswith(rootfile.MAGIC):
        return "ROOT", RootContainer(path, tree)
    if tree is not None:
        raise L1emuError("only ROOT files have trees", path=path, value=tree)
    for kind, (magic, opener) in _OPENERS.items():
        if head.startswith(magic):
            return kind, opener(path)
    if b"\0" in head:
        raise L1emuError(
            "this kind of file is unknown", path=path, value=head[:8], expected="ROOT, HDF5, npz, parquet, ARFF or CSV"
        )
    if b"@relation" in head.lower():
        return "ARFF", text.ArffContainer(path)
    return "CSV", text.CsvContainer(path)
