"""ROOT: the branches of every TTree, or the fields of every RNTuple, of a file, named `tree/branch`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from l1emu.errors import L1emuError
from l1emu.events.rootfile import open_root
from l1emu.events.sources.containers.base import Columns

TREES = ("TTree", "ROOT::RNTuple")


class RootContainer:
    """A ROOT file; see `l1emu.events.sources.containers.base.Container`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: dict[str, int] = {}
        names: list[str] = []
        with open_root(path) as file:
            for key, kind in file.classnames().items():
                tree = key.split(";")[0]
                if kind in TREES and tree not in self._rows:
                    self._rows[tree] = int(file[tree].num_entries)
                    names += [f"{tree}/{branch}" for branch in file[tree].keys(recursive=True) if "/" not in branch]
        self.names = tuple(names)

    def rows(self, columns: Sequence[str]) -> int:
        """The entries of the tree; see `Container.rows`."""
        return self._rows[self._tree(columns)]

    def batches(self, columns: Sequence[str], start: int, stop: int, step: int) -> Iterator[Columns]:
        """Entries of the tree; see `Container.batches`."""
        tree = self._tree(columns)
        branches = {name.partition("/")[2]: name for name in columns}
        with open_root(self.path) as file:
            for array in file[tree].iterate(list(branches), step_size=step, entry_start=start, entry_stop=stop):
                yield {name: array[branch] for branch, name in branches.items()}

    def whole(self, column: str) -> NDArray[Any]:
        """Not of ROOT files: no format here keeps names in one."""
        raise L1emuError("a branch has one entry a row", path=self.path, where=column)

    def _tree(self, columns: Sequence[str]) -> str:
        trees = {name.partition("/")[0] for name in columns}
        if len(trees) != 1:
            raise L1emuError("columns of several trees", path=self.path, value=sorted(trees), expected="one tree")
        return trees.pop()
