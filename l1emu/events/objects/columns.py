"""Where a field lies in a file, and its numbers in our units.

A member `pt` of a collection `jets` is the branch `jets_pt` of NanoAOD, `jets.pt` of a record, or `jets/pt` of an
object that is split into branches. A whole name may be the last part of a branch's path, if there is one only:
`jetEt` is `L1Upgrade/jetEt`. The size in the name of a fixed array, `pt[10]`, may be left out.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from l1emu.errors import L1emuError
from l1emu.events.objects.schema import FieldSource, FileUnit
from l1emu.events.sources.containers import Container, RootContainer

USUAL_TREE = "Events"
FINITE = ("pt", "eta", "phi")

_DIVISORS: dict[FileUnit, float] = {"MeV": 1e3, "mrad": 1e3, "mm": 10.0, "um": 1e4}
_FACTORS: dict[FileUnit, float] = {"TeV": 1e3, "m": 100.0, "deg": np.pi / 180}


class ColumnNames:
    """The columns of a file, to look a field up in.

    Attributes
    ----------
    trees
        The trees of a ROOT file with their entries; empty of other files, whose columns lie in none.
    usual
        The tree where columns are whose tree is not named; None where the file has several, or none.
    """

    def __init__(self, container: Container, tree: str | None) -> None:
        self.trees = dict(container.trees) if isinstance(container, RootContainer) else {}
        self.usual = tree or (USUAL_TREE if USUAL_TREE in self.trees else None)
        if self.usual is None and len(self.trees) == 1:
            self.usual = next(iter(self.trees))
        self._tree_of: dict[str, str] = {}
        self._whole: dict[str, dict[str, str]] = {}
        self._last: dict[str, dict[str, list[str]]] = {}
        self._groups: dict[str, list[str]] = {}
        by_length = sorted(self.trees, key=len, reverse=True)  # one tree may be called as the folder of another
        for name in container.names:
            place = next((t for t in by_length if name.startswith(f"{t}/")), "")
            self._tree_of[name] = place
            branch = name[len(place) + 1 :] if place else name
            self._groups.setdefault(name.rpartition("/")[0], []).append(branch)
            plain = branch.partition("[")[0]
            whole = self._whole.setdefault(place, {})
            whole[branch] = name
            whole.setdefault(plain, name)
            last = self._last.setdefault(place, {}).setdefault(plain.rpartition("/")[2], [])
            if name not in last:
                last.append(name)

    def tree(self, source: FieldSource, of: str | None) -> str:
        """The tree that a field is in; empty where columns lie in none."""
        return (source.tree or of or self.usual or "") if self.trees else ""

    def tree_of(self, column: str) -> str:
        """The tree that a column lies in; empty where columns lie in none."""
        return self._tree_of[column]

    def ending(self, tree: str, name: str) -> str | None:
        """A column of a tree whose last part is this name."""
        return next(iter(self._last.get(tree, {}).get(name, [])), None)

    def find(self, source: FieldSource, collection: str | None, of: str | None) -> str | None:
        """The column of a field, None if there is none.

        Parameters
        ----------
        source
            Where the map says that it is.
        collection, of
            The collection and the tree of the objects that it is a field of.

        Raises
        ------
        L1emuError
            if several columns are meant.
        """
        tree = self.tree(source, of)
        whole, last = self._whole.get(tree, {}), self._last.get(tree, {})
        for name in spellings(source, collection):
            if name in whole and whole[name] not in self._groups:
                return whole[name]
        name = spellings(source, collection)[0]
        found = [column for column in last.get(name, []) if column not in self._groups]
        if len(found) > 1:
            raise L1emuError(f"several branches end in {name!r}", value=found[:4], expected="the whole name of one")
        return found[0] if found else None

    def members(self, collection: str | None, of: str | None) -> list[str]:
        """The members of a collection that the file has, by their own names."""
        if collection is None:
            return []
        tree = (of or self.usual or "") if self.trees else ""
        starts = (f"{collection}_", f"{collection}.", f"{collection}/")
        found = [name[len(collection) + 1 :] for name in self._whole.get(tree, {}) if name.startswith(starts)]
        return sorted({name for name in found if name and "/" not in name})

    def missing(self, source: FieldSource, collection: str | None, of: str | None) -> str:
        """Why there is no such column, in words, with what comes close."""
        tree = self.tree(source, of)
        if self.trees and not tree:
            return f"the file has several trees, {_some(list(self.trees))}; which one has its columns must be stated"
        if tree and tree not in self.trees:
            return f"there is no tree {tree!r}{_hint(tree, list(self.trees))}; the file has {_some(list(self.trees))}"
        known = list(self._whole.get(tree, {}))
        name = spellings(source, collection)[0]
        kind = "branch" if self.trees else "column"
        if source.field is not None and collection is not None:
            members = self.members(collection, tree)
            if not members:
                stems = {n.replace(".", "_").partition("_")[0] for n in known}
                return f"there is no collection {collection!r}{_hint(collection, sorted(stems))}"
            return f"there is no {kind} {name!r}{_hint(source.field, members)}; {collection} has {_some(members)}"
        groups = [self._whole.get(tree, {}).get(name, ""), *self._last.get(tree, {}).get(name, [])]
        for group in groups:
            if group and group in self._groups:
                return f"the branch {name!r} has no numbers of its own; it holds {_some(self._groups[group])}"
        ends = [*known, *self._last.get(tree, {})]
        return f"there is no {kind} {name!r}" + (f" in the tree {tree}" if tree else "") + _hint(name, ends)


def spellings(source: FieldSource, collection: str | None) -> tuple[str, ...]:
    """The names that a field may have in a file, the usual one first."""
    if source.branch is not None:
        return (source.branch,)
    assert source.field is not None  # the schema sees to it
    if collection is None:
        return (source.field,)
    member = source.field
    return (
        f"{collection}_{member}",
        f"{collection}.{member}",
        f"{collection}/{member}",
        f"{collection}/{collection}.{member}",
        f"{collection}./{collection}.{member}",
    )


def _hint(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    if not close:
        lower = {k.lower(): k for k in known}
        close = [lower[c] for c in difflib.get_close_matches(name.lower(), list(lower), 1)]
    return f"; did you mean {close[0]!r}?" if close else ""


def _some(names: Sequence[str], most: int = 12) -> str:
    shown = sorted(dict.fromkeys(names))
    return ", ".join(shown[:most]) + (f" and {len(shown) - most} more" if len(shown) > most else "")


class FlatLists(NamedTuple):
    """A column: flat numbers, and where each crossing's begin and end; `offsets` is None of one number a crossing."""

    offsets: NDArray[np.int64] | None
    flat: NDArray[Any]


class ColumnPlace(NamedTuple):
    """Of what file and column something is said, and which entry of the file the first crossing is."""

    path: Path
    column: str
    start: int

    def error(self, message: str, *, entry: int | None = None, **told: Any) -> L1emuError:
        """An error about it; `entry` counts in the batch."""
        where = self.column if entry is None else f"{self.column}, entry {self.start + entry}"
        return L1emuError(message, path=self.path, where=where, **told)


def flat_lists(values: Any, place: ColumnPlace) -> FlatLists:
    """A column as it was read: one number a crossing, a list of numbers, or an array of fixed length.

    Raises
    ------
    L1emuError
        if it is none of these, or a list or a whole number is missing; a missing number among others is NaN.
    """
    if isinstance(values, np.ndarray):
        if values.dtype.kind not in "biuf" or values.ndim not in (1, 2):
            raise place.error("not one number or list of numbers a crossing", value=f"{values.shape}, {values.dtype}")
        if values.ndim == 1:
            return FlatLists(None, _plain(values))
        return FlatLists(np.arange(len(values) + 1, dtype=np.int64) * values.shape[1], _plain(values.reshape(-1)))
    layout = values.layout
    if not _has_lists(layout):
        return FlatLists(None, _numbers(layout, place, None))
    layout = _without_missing_lists(layout, place)
    text = layout.parameter("__array__") is not None
    if text or not (layout.is_list or layout.is_numpy):
        raise place.error("not a list of numbers a crossing", value=str(values.type)[:80])
    packed = (
        layout.to_ListOffsetArray64(True) if layout.is_list else layout.to_RegularArray().to_ListOffsetArray64(True)
    )
    offsets = np.asarray(packed.offsets.data, np.int64)
    content = packed.content[offsets[0] : offsets[-1]]
    return FlatLists(offsets, _numbers(content, place, offsets))


def _has_lists(layout: Any) -> bool:
    while layout.is_option or layout.is_indexed:
        layout = layout.content
    return bool(layout.is_list or (layout.is_numpy and layout.purelist_depth > 1))


def _without_missing_lists(layout: Any, place: ColumnPlace) -> Any:
    while layout.is_option or layout.is_indexed:
        if layout.is_option:
            missing = np.asarray(layout.mask_as_bool(valid_when=False))
            if missing.any():
                raise place.error("a list is missing", entry=int(missing.argmax()))
        layout = layout.project()
    return layout


def _numbers(layout: Any, place: ColumnPlace, offsets: NDArray[np.int64] | None) -> NDArray[Any]:
    """The numbers of a flat layout; of those that are missing, NaN."""
    missing = None
    if layout.is_option:
        marks = np.asarray(layout.mask_as_bool(valid_when=False))
        missing = marks if marks.any() else None
    values = layout
    while values.is_option or values.is_indexed:
        values = values.project()
    if values.is_unknown:
        flat: NDArray[Any] = np.zeros(0, np.float64)
    elif values.is_numpy and values.purelist_depth == 1 and values.dtype.kind in "biuf":
        flat = _plain(np.asarray(values.data))
    else:
        raise place.error("not numbers, one or a list a crossing", value=str(ak.Array(layout).type)[:80])
    if missing is None:
        return flat
    if flat.dtype.kind != "f":
        at = int(missing.argmax())
        entry = at if offsets is None else _entry_of(offsets, at)
        raise place.error("a missing value where the others are whole numbers", entry=entry)
    filled = np.full(len(missing), np.nan, flat.dtype)
    filled[~missing] = flat
    return filled


def _plain(flat: NDArray[Any]) -> NDArray[Any]:
    """In the machine's byte order, truth values as 0 and 1."""
    if flat.dtype.kind == "b":
        return flat.view(np.uint8)
    return np.ascontiguousarray(flat, flat.dtype.newbyteorder("="))


def _entry_of(offsets: NDArray[np.int64], at: int) -> int:
    return int(np.searchsorted(offsets, at, side="right")) - 1


def in_our_units(flat: NDArray[Any], source: FieldSource) -> NDArray[Any]:
    """The numbers times scale plus offset, in GeV, rad and cm; as they are read where nothing is to be done."""
    if source.scale == 1 and source.offset == 0 and source.unit in (None, "GeV", "rad", "cm"):
        return flat
    with np.errstate(all="ignore"):  # what is beyond all numbers is refused, or passes nothing, as what is read so
        values = flat.astype(np.float64) * source.scale + source.offset
        if source.unit in _DIVISORS:  # what is divided is rounded once: 57000 MeV are 57 GeV
            values /= _DIVISORS[source.unit]
        elif source.unit in _FACTORS:
            values *= _FACTORS[source.unit]
    return values


def checked_numbers(name: str, lists: FlatLists, place: ColumnPlace) -> NDArray[Any]:
    """The numbers of a field; pt, eta and phi are finite, and phi is from -pi to pi.

    Raises
    ------
    L1emuError
        naming the entry and the value that is not finite.
    """
    flat = lists.flat
    if name not in FINITE or not len(flat):
        return flat
    if flat.dtype.kind == "f":
        # the sum of finite numbers may overflow: only where it is not finite each one is looked at
        with np.errstate(all="ignore"):
            suspect = not np.isfinite(flat.sum(dtype=np.float64))
        wrong = ~np.isfinite(flat) if suspect else None
        if wrong is not None and wrong.any():
            at = int(wrong.argmax())
            entry = at if lists.offsets is None else _entry_of(lists.offsets, at)
            raise place.error("not a number", entry=entry, value=float(flat[at]), expected="a finite number")
    if name == "phi" and (flat.max() > _PI or flat.min() < -_PI):
        turned = flat.astype(np.float64)
        turned -= 2 * np.pi * np.round(turned / (2 * np.pi))
        return turned
    return flat


_PI = float(np.float32(np.pi))  # the float32 next to pi is above it
