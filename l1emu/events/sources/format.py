"""What a format is: the columns of the files, the fields made of them with their units, and how."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from l1emu.errors import L1emuError
from l1emu.events.sources.containers import Columns, Container
from l1emu.notebook import Shown

Built = dict[str, "NDArray[Any] | ak.Array"]


@dataclass(frozen=True)
class Field(Shown):
    """A field of the batches.

    Attributes
    ----------
    name
        `group.member` for a member of a record, `candidates.pt`; a name without a dot stands alone.
    unit
        `GeV`, `rad`, `cm`; empty for a number without one.
    meaning
        In words, with the shape where it is not one number a row or a particle.
    columns
        What the file must have for it.
    optional
        Files of this format may lack it; it is there where the file has its columns.
    on_request
        Left out unless asked for by name: images.
    finite
        Refused where a number is NaN, infinite or missing: what selects or orders an object, or builds one. Other
        numbers, scores among them, are given as NaN then, which passes no cut.
    """

    name: str
    unit: str
    meaning: str
    columns: tuple[str, ...]
    optional: bool = False
    on_request: bool = False
    finite: bool = False

    @property
    def group(self) -> str:
        """The record that it is a member of; empty for a field that stands alone."""
        return self.name.rpartition(".")[0]


@dataclass(frozen=True)
class Format(Shown):
    """A public layout of files.

    Attributes
    ----------
    name, title
        The word by which it is asked for, and what it is.
    rows
        What one entry is.
    containers
        Kinds of files that it comes in.
    markers
        Columns by which it is recognised.
    fields
        All that it may have.
    build
        Makes the wanted fields of a batch from its columns.
    labels
        The classes that the field `label` counts from 0.
    whole
        Columns that are no row of anything, such as lists of names; `build` reads them from the container.
    """

    name: str
    title: str
    rows: Literal["crossings", "jets"]
    containers: tuple[str, ...]
    markers: tuple[str, ...]
    fields: tuple[Field, ...]
    build: Callable[[Container, Columns, Sequence[Field]], Built]
    labels: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()

    @property
    def tree(self) -> str:
        """The tree in which its columns are, in ROOT."""
        return self.markers[0].rpartition("/")[0]


def checked(container: Container, columns: Columns, name: str, axes: int, *, text: bool = False) -> Any:
    """A column of numbers with so many axes: 1 for one a row, 2 for a list a row.

    A missing number becomes NaN. Lists of one length are lists all the same.

    Parameters
    ----------
    container
        Where the columns are from.
    columns
        A batch.
    name
        The column.
    axes
        How many.
    text
        Whether text will do, as the name of a class.

    Raises
    ------
    L1emuError
        if it has other axes or is not of numbers, if a list is missing, or a number where the others are whole.
    """
    values = columns[name]
    kind = {1: "one number a row", 2: "a list of numbers a row"}.get(axes, f"{axes} axes")
    if isinstance(values, np.ndarray):
        shape_fits, leaf = values.ndim == axes, values.dtype
    else:
        depth, found = _numbers(values.layout)
        shape_fits, leaf = depth == axes and found is not None, found or np.dtype(object)
    if text and shape_fits and leaf.kind in "OSU":
        return values
    if not shape_fits or leaf.kind not in "biuf":
        raise L1emuError(
            "the column has another shape" if not shape_fits else "not a column of numbers",
            path=container.path,
            where=name,
            value=_type(values),
            expected=kind if not shape_fits else "numbers",
        )
    if isinstance(values, np.ndarray):
        return values
    return _without_options(container, columns, name, ak.from_regular(values, axis=None), leaf)


def _numbers(layout: Any) -> tuple[int, np.dtype[Any] | None]:
    """How many axes an array has, and the type of its numbers; None for one of records or of several types."""
    axes = 1
    while True:
        if layout.is_numpy:
            return axes + layout.data.ndim - 1, layout.dtype
        if layout.is_unknown:
            return axes, np.dtype(np.float64)
        if layout.is_list:
            axes += 1
        elif not (layout.is_option or layout.is_indexed):
            return axes, None
        layout = layout.content


def _without_options(container: Container, columns: Columns, name: str, values: ak.Array, leaf: np.dtype[Any]) -> Any:
    where = first_row(ak.is_none(values, axis=-1))
    lists = next((r for axis in range(values.ndim - 1) if (r := first_row(ak.is_none(values, axis=axis))) >= 0), -1)
    if lists >= 0 or (where >= 0 and leaf.kind != "f"):
        raise L1emuError(
            "a list is missing" if lists >= 0 else "a missing value where the others are whole numbers",
            path=container.path,
            where=f"{name}, entry {columns.start + (lists if lists >= 0 else where)}",
        )
    if where >= 0:
        values = ak.fill_none(values, leaf.type(np.nan), axis=-1)
    return values if values.ndim > 1 else ak.to_numpy(values, allow_missing=False)


def first_row(marks: Any) -> int:
    """The first row with a mark, of booleans of any depth; -1 without one."""
    rows = ak.Array(marks)
    while rows.ndim > 1:
        rows = ak.any(rows, axis=-1)
    found = np.flatnonzero(ak.to_numpy(ak.fill_none(rows, False)))
    return int(found[0]) if found.size else -1


def check_finite(container: Container, columns: Columns, name: str, values: Any) -> None:
    """Refuse a column with a number that is none.

    Raises
    ------
    L1emuError
        naming the column, the entry and the value.
    """
    flat = values if isinstance(values, np.ndarray) else np.asarray(ak.drop_none(ak.flatten(values, axis=None)))
    if flat.dtype.kind != "f" or np.isfinite(flat).all():
        return
    wrong = ~np.isfinite(values) if isinstance(values, np.ndarray) else ~np.isfinite(ak.Array(values))
    row = first_row(wrong)
    raise L1emuError(
        "not a number",
        path=container.path,
        where=f"{name}, entry {columns.start + row}",
        value=float(flat[~np.isfinite(flat)][0]),
        expected="a finite number",
    )


def whole_numbers(container: Container, columns: Columns, name: str, values: Any) -> NDArray[np.int64]:
    """Flat values that count or point, as int64.

    Raises
    ------
    L1emuError
        if one is not whole.
    """
    found = np.asarray(values)
    if found.dtype.kind not in "biuf":
        raise L1emuError("not whole numbers", path=container.path, where=name, value=str(found.dtype))
    with np.errstate(invalid="ignore"):
        wrong = (np.abs(found) >= 2.0**62) | (found != np.floor(found)) if found.dtype.kind == "f" else found >= 2**62
    if wrong.any():
        raise L1emuError(
            "not a whole number",
            path=container.path,
            where=f"{name}, from entry {columns.start} on",
            value=found[wrong][0].item(),
        )
    return found.astype(np.int64)


def classes(container: Container, columns: Columns, name: str, values: Any, labels: Sequence[str]) -> NDArray[Any]:
    """The numbers of classes, (rows,) int64.

    Raises
    ------
    L1emuError
        if one is not among those of `labels`.
    """
    found = np.asarray(values)
    wrong = ~np.isin(found, np.arange(len(labels)))
    if wrong.any():
        row = int(wrong.argmax())
        raise L1emuError(
            "not the number of a class",
            path=container.path,
            where=f"{name}, entry {columns.start + row}",
            value=found[row].item(),
            expected=f"0 to {len(labels) - 1}: {', '.join(labels)}",
        )
    return found.astype(np.int64)


def unpadded(
    container: Container, values: NDArray[Any], used: NDArray[np.bool_], names: Sequence[str], wanted: Sequence[str]
) -> dict[str, ak.Array]:
    """Lists without their padding of some columns of a block of particles.

    Parameters
    ----------
    container
        Where the block is from.
    values
        (rows, particles, columns).
    used
        (rows, particles), False where a place is padding. Padding is at the end: what stands before the last used
        place of a row is kept, zeros or not.
    names
        The block's columns.
    wanted
        Those to give, all among `names`.

    Returns
    -------
    name -> (rows, var) numbers.
    """
    places = np.arange(used.shape[1]) + 1
    counts = (used * places).max(axis=1, initial=0)
    kept = places <= counts[:, None]
    return {name: ak.unflatten(values[:, :, names.index(name)][kept], counts) for name in wanted}


def _type(values: Any) -> str:
    return str(values.type) if isinstance(values, ak.Array) else f"shape {values.shape}, {values.dtype}"
