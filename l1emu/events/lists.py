"""Records in lists, one list a crossing, as flat columns of numbers.

Lists come in several shapes: of any length; of one length, as numpy's two axes or a fixed-size branch, filled up with
padding; and with a mask. A masked or missing object is none: it is left out, as if the list were shorter. An object
that is missing in one field and there in another is an error, and so is a crossing without a list. Padding with a
number, pt 0, is an object of pt 0 here; what is made of the objects leaves those out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from l1emu.errors import L1emuError


def flat_columns(
    records: ak.Array, names: Sequence[str], *, what: str, first: int = 0
) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
    """The fields of records in lists.

    Parameters
    ----------
    records
        (crossings, var or n) records, also with None for objects that are not there.
    names
        Fields that they have.
    what
        What the objects are called in messages, in the plural.
    first
        The number of the first crossing, for messages.

    Returns
    -------
    counts, columns
        (crossings,) int64, the objects of each; name -> (objects,) numbers.

    Raises
    ------
    L1emuError
        if a field is not a list of numbers a crossing, if fields have lists of different lengths, or if something is
        missing in part.
    """
    counts: NDArray[np.int64] | None = None
    there: NDArray[np.bool_] | None = None
    columns: dict[str, NDArray[Any]] = {}
    for name in names:
        values = records[name]
        try:
            fits = values.ndim == 2
        except ValueError:  # of several types
            fits = False
        if not fits or values.fields:
            raise L1emuError(
                f"{what} are lists, one a crossing", where=name, value=str(ak.type(values)), expected="var * numbers"
            )
        values = ak.from_regular(values, axis=1)
        lost = np.asarray(ak.to_numpy(ak.is_none(values, axis=0)))
        if lost.any():
            raise L1emuError(f"a crossing without a list of {what}", where=f"{name}, {_at(lost, first)}")
        found = ak.to_numpy(ak.num(values, axis=1), allow_missing=False).astype(np.int64)
        flat = ak.flatten(values, axis=1)
        known = ~np.asarray(ak.to_numpy(ak.is_none(flat, axis=0)))
        if counts is None or there is None:
            counts, there = found, known
        elif not np.array_equal(counts, found):
            raise L1emuError(
                f"the fields of the {what} have lists of different lengths",
                where=f"{names[0]}, {name}, {_at(counts != found, first)}",
            )
        elif not np.array_equal(there, known):
            row = np.repeat(np.arange(len(counts)), counts)[there != known]
            raise L1emuError(
                f"a value of one of the {what} is missing in one field and there in another",
                where=f"{names[0]}, {name}, crossing {first + int(row[0])}",
            )
        columns[name] = np.asarray(ak.to_numpy(ak.drop_none(flat, axis=0), allow_missing=False))
        if columns[name].dtype.kind not in "biuf":
            raise L1emuError(f"{what} are numbers", where=name, value=str(columns[name].dtype), expected="numbers")
    if counts is None or there is None:
        return np.zeros(len(records), np.int64), {}
    if not there.all():
        row = np.repeat(np.arange(len(counts)), counts)
        counts = np.bincount(row[there], minlength=len(counts)).astype(np.int64)
    return counts, columns


def _at(marks: NDArray[np.bool_], first: int) -> str:
    return f"crossing {first + int(np.asarray(marks).argmax())}"


def whole(column: NDArray[Any], name: str, low: int, high: int, what: str) -> NDArray[np.int32]:
    """A column of hardware integers as int32.

    Raises
    ------
    L1emuError
        if a value is not whole or not in the range; both ends are in it.
    """
    # a comparison with NaN is false
    wrong = ~((column >= low) & (column <= high))
    if column.dtype.kind == "f":
        wrong |= column != np.floor(column)
    if wrong.any():
        raise L1emuError(
            f"{what} {name} out of range",
            value=column[wrong][0].item(),
            expected=f"{low} to {high}, in whole steps",
        )
    return column.astype(np.int32)
