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

Built = dict[str, "NDArray[Any] | ak.Array"]


@dataclass(frozen=True)
class Field:
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
    """

    name: str
    unit: str
    meaning: str
    columns: tuple[str, ...]
    optional: bool = False
    on_request: bool = False

    @property
    def group(self) -> str:
        """The record that it is a member of; empty for a field that stands alone."""
        return self.name.rpartition(".")[0]


@dataclass(frozen=True)
class Format:
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


def checked(container: Container, columns: Columns, name: str, axes: int) -> Any:
    """A column of numbers with so many axes: 1 for one a row, 2 for a list a row.

    Raises
    ------
    L1emuError
        if it has others.
    """
    values = columns[name]
    if values.ndim != axes:
        kind = {1: "one number a row", 2: "a list of numbers a row"}.get(axes, f"{axes} axes")
        raise L1emuError(
            "the column has another shape", path=container.path, where=name, value=_type(values), expected=kind
        )
    return values


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
