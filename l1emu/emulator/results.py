"""Where a call's outputs go: arrays of the dtype that is asked for, or those that the caller gives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from l1emu.errors import L1emuError
from l1emu.layers import Tensor

OutputArrays = NDArray[Any] | Mapping[str, NDArray[Any]]

_WRITTEN = tuple(np.dtype(dtype) for dtype in (np.float64, np.float32, np.int64, np.int32))
"""What kernels write."""
_SINGLE = 24  # bits of a float32's mantissa


class Destination(NamedTuple):
    """Where one output goes.

    Attributes
    ----------
    array
        What the caller gets, (jets, *shape).
    rows
        The same memory (jets, size), or None where kernels cannot write into it.
    written
        The dtype that kernels write.
    """

    array: NDArray[Any]
    rows: NDArray[Any] | None
    written: np.dtype[Any]

    def room(self, first: int, last: int) -> NDArray[Any]:
        """Where kernels write jets first..last-1, C-contiguous (jets, size)."""
        if self.rows is None:
            return np.empty((last - first, math.prod(self.array.shape[1:])), self.written)
        return self.rows if last - first == len(self.rows) else self.rows[first:last]

    def take(self, room: NDArray[Any], first: int, last: int) -> None:
        """What was written into `room`."""
        if self.rows is None:
            part = self.array[first:last]
            part[...] = room.reshape(part.shape)


def destinations(
    tensors: Sequence[Tensor], jets: int, dtype: DTypeLike | None, out: OutputArrays | None, default: type[np.generic]
) -> list[Destination]:
    """One for each output.

    Parameters
    ----------
    dtype
        float32 or float64 for values, a dtype of integers for raw ones; None for that of `out`, else `default`.
    out
        Arrays (jets, *shape) or (jets, size) to be written: one, or a mapping of them by the outputs' names.

    Raises
    ------
    L1emuError
        if an array has the wrong shape or another dtype, cannot be written or is none; if a dtype does not hold every
        number of an output's type.
    """
    wanted = None if dtype is None else dtype_of_outputs(dtype, tensors)
    if out is None:
        made = wanted or np.dtype(default)
        return [_destination(t, np.empty((jets, *t.shape), made)) for t in tensors]
    given = _by_name(out, tensors)
    return [_given(given[t.name], t, jets, wanted) for t in tensors]


def dtype_of_outputs(dtype: DTypeLike, tensors: Sequence[Tensor], where: str = "dtype") -> np.dtype[Any]:
    """What is asked for `where`, as a dtype that holds every number of these outputs; float64 holds what it can.

    Raises
    ------
    L1emuError
        if it does not, or is none for numbers.
    """
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = np.dtype(object)
    if found.kind not in "iu" and found.newbyteorder("=") not in (np.float32, np.float64):
        raise L1emuError(
            "no dtype of outputs",
            where=where,
            value=dtype if isinstance(dtype, str) else str(found),
            expected="float32 or float64 for values, or one of integers for raw ones",
        )
    for tensor in tensors:
        _check_holds(found, tensor, where)
    return found


def _check_holds(dtype: np.dtype[Any], tensor: Tensor, where: str) -> None:
    type_ = tensor.type
    if dtype.kind == "f":
        fits = dtype.itemsize == 8 or type_.width - type_.signed <= _SINGLE
        least = "float64"
    else:
        held = np.iinfo(dtype)
        fits = held.min <= type_.low and type_.high <= held.max
        bits = max(8, 1 << (type_.width - 1).bit_length())
        least = f"{'int' if type_.signed else 'uint'}{bits} or wider"
    if not fits:
        raise L1emuError(
            "a dtype that does not hold every number of the output",
            where=f"{where}, output {tensor.name}",
            value=str(dtype),
            expected=f"{least} for {type_}",
        )


def _destination(tensor: Tensor, array: NDArray[Any]) -> Destination:
    dtype, type_ = array.dtype, tensor.type
    if dtype in _WRITTEN and array.flags.c_contiguous and array.flags.aligned:
        return Destination(array, array.reshape(len(array), tensor.size), dtype)
    if dtype.kind == "f":
        return Destination(array, None, dtype.newbyteorder("="))
    narrow = type_.low >= -(1 << 31) and type_.high < 1 << 31
    return Destination(array, None, np.dtype(np.int32 if narrow else np.int64))


def _by_name(out: OutputArrays, tensors: Sequence[Tensor]) -> dict[str, Any]:
    names = {t.name for t in tensors}
    if isinstance(out, Mapping):
        if set(out) != names:
            raise L1emuError("wrong output names", where="out", value=sorted(map(str, out)), expected=_joined(names))
        return dict(out)
    if len(names) > 1:
        raise L1emuError("this firmware has several outputs", where="out", expected=f"a dict with {_joined(names)}")
    return dict.fromkeys(names, out)


def _joined(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _given(array: Any, tensor: Tensor, jets: int, wanted: np.dtype[Any] | None) -> Destination:
    where = f"out, output {tensor.name}"
    if not isinstance(array, np.ndarray):
        raise L1emuError("no numpy array", where=where, value=type(array).__name__)
    dtype = dtype_of_outputs(array.dtype, [tensor], "out")
    if wanted is not None and wanted != dtype:
        raise L1emuError("another dtype than is asked for", where=where, value=str(dtype), expected=str(wanted))
    shapes = ((jets, *tensor.shape), (jets, tensor.size))
    if array.shape not in shapes:
        raise L1emuError("wrong shape", where=where, value=array.shape, expected=str(shapes[0]))
    if not array.flags.writeable:
        raise L1emuError("an array that is read-only", where=where)
    return _destination(tensor, array)


def apart(x: NDArray[Any], written: Sequence[Destination]) -> NDArray[Any]:
    """An input, copied if outputs are written into its memory while it is read."""
    return x.copy() if any(np.may_share_memory(x, one.array) for one in written) else x


def store_rows(into: NDArray[Any], raw: NDArray[np.int64], fraction: int) -> None:
    """Raw integers to an array of the same shape: as they are to integers, else the values that they stand for."""
    if into.dtype.kind == "f":
        np.ldexp(raw.astype(np.float64), -fraction, out=into, casting="same_kind")
    else:
        into[...] = raw
