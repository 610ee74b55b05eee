"""ROOT: the branches of every TTree, or the fields of every RNTuple, of a file, named `tree/branch`.

A tree in a folder has the folder in its name: `l1PhaseIITree/L1PhaseIITree/branch`. Of several cycles of a tree
(`Events;1`, `Events;2`) the last one counts, as everywhere in ROOT. A member of a record has a dot in its name, as
uproot writes records into RNTuples (`L1PuppiCands.pt`); it goes by the name with an underscore too (`L1PuppiCands_pt`),
so that both ways to write a table are one layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from l1emu.errors import L1emuError
from l1emu.events.rootfile import RNTUPLE, check_readable, entries_of, open_root
from l1emu.events.sources.containers.base import Columns

TREES = ("TTree", "TNtuple", "TNtupleD", RNTUPLE)


class RootContainer:
    """A ROOT file; see `l1emu.events.sources.containers.base.Container`.

    Parameters
    ----------
    path
        The file.
    tree
        The tree that holds a format's columns, `FOLDER/TREE`, where it is not where the format has it.

    Attributes
    ----------
    trees
        The trees of the file: name -> number of entries.
    tree
        As it was given.
    """

    def __init__(self, path: Path, tree: str | None = None) -> None:
        self.path = path
        self.tree = None if tree is None else tree.strip("/")
        self.trees: dict[str, int] = {}
        self._keys: dict[str, str] = {}
        self._branches: dict[str, tuple[str, ...]] = {}
        with open_root(path) as file:
            for name, key in _last_cycles(path, file, self.tree).items():
                found = file[key]
                self.trees[name] = int(found.num_entries)
                self._keys[name] = key
                self._branches[name] = tuple(found.keys(recursive=True))
        if self.tree is not None and self.tree not in self.trees:
            raise L1emuError(
                f"there is no tree {self.tree!r}", path=path, expected=f"among {', '.join(self.trees) or 'none'}"
            )
        self._places: dict[str, tuple[str, str]] = {}
        for name in self.trees:
            self._add(name, name)

    def _add(self, name: str, tree: str) -> None:
        """The branches of `tree` under the tree's name `name`: first as they are, then records with underscores."""
        for branch in self._branches[tree]:
            self._places[f"{name}/{branch}"] = (tree, branch)
        for branch in self._branches[tree]:
            if "." in branch:
                flat = branch.rpartition("/")[2].replace(".", "_")
                self._places.setdefault(f"{name}/{flat}", (tree, branch))

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, those of records under both of their names."""
        return tuple(self._places)

    def called(self, name: str) -> None:
        """Let the tree that was named stand where a format has its own, `Events`; without one nothing changes."""
        if self.tree is None:
            return
        self._places = {}
        for tree in self.trees:
            if tree != name:
                self._add(tree, tree)
        self._add(name, self.tree)

    def rows(self, columns: Sequence[str]) -> int:
        """The entries of the columns' tree; see `Container.rows`."""
        lengths = {self._places[name][0]: self.trees[self._places[name][0]] for name in columns}
        if len(set(lengths.values())) > 1:
            raise L1emuError(
                "columns of trees that differ in length", path=self.path, value=lengths, expected="one length"
            )
        return next(iter(lengths.values()))

    def batches(self, columns: Sequence[str], start: int, stop: int, step: int) -> Iterator[Columns]:
        """Entries of the tree; see `Container.batches`."""
        wanted: dict[str, dict[str, str]] = {}
        for name in columns:
            tree, branch = self._places[name]
            wanted.setdefault(tree, {})[name] = branch
        with open_root(self.path) as file:
            streams = []
            for tree, branches in wanted.items():
                needed = list(dict.fromkeys(branches.values()))
                streams.append(entries_of(self.path, file[self._keys[tree]], needed, start, stop, step))
            for parts in zip(*streams, strict=True):
                read: dict[str, Any] = {}
                for branches, arrays in zip(wanted.values(), parts, strict=True):
                    read |= {name: arrays[branch] for name, branch in branches.items()}
                yield Columns(read)

    def whole(self, column: str) -> NDArray[Any]:
        """Not of ROOT files: no format here keeps names in one."""
        raise L1emuError("a branch has one entry a row", path=self.path, where=column)


def _last_cycles(path: Path, file: Any, chosen: str | None) -> dict[str, str]:
    """Name of a tree -> its key with the last cycle; a cycle that was asked for goes by its own key."""
    last: dict[str, tuple[int, str]] = {}
    kinds = file.classnames(recursive=True)
    for key, kind in kinds.items():
        if kind not in TREES:
            continue
        check_readable(path, kind)
        name, _, cycle = key.rpartition(";")
        if key == chosen:
            last[key] = (int(cycle), key)
        if int(cycle) > last.get(name, (-1, ""))[0]:
            last[name] = (int(cycle), key)
    return {name: key for name, (_, key) in last.items()}
