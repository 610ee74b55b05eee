"""Types that count what is assigned to them: how many numbers, how large, how many overflow, how many are rounded.

The references of `l1emu.layers` are written as the C++ computes, and assign every number with `FixedPoint.cast`. A
layer whose types are these counts each of its assignments where the C++ makes it, on the number as it is before it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.fixedpoint import FixedPoint, Overflow, Raw
from l1emu.layers import Layer

_EXACT_BITS = 53  # of a double
_TINY = 1200  # fraction bits beyond which no double has any
_SHIFT = _NUMPY_BITS = 62  # that numpy shifts, and counts with
Marks = npt.NDArray[Any]
"""Which numbers are meant: booleans."""


class TypeTally:
    """What was counted of one type of a layer.

    Attributes
    ----------
    values
        Assignments.
    overflow
        Those whose rounded number is outside the type's range, so that it wraps or saturates.
    rounded
        Those that lose bits below the last one of the type.
    to_zero
        Those of `rounded` that are not 0 and become 0 by it.
    zeros
        Numbers that are 0 before they are assigned.
    octaves
        How many are 2**k or more, and less than 2**(k + 1), in magnitude before they are assigned: by k, of all, of
        those that overflow and of those that become 0.
    lowest, highest
        The least and the largest number before it is assigned; None of none.
    """

    def __init__(self) -> None:
        self.values = self.overflow = self.rounded = self.to_zero = self.zeros = 0
        self.octaves: Counter[int] = Counter()
        self.octaves_overflow: Counter[int] = Counter()
        self.octaves_to_zero: Counter[int] = Counter()
        self.lowest: Fraction | None = None
        self.highest: Fraction | None = None

    def see(self, raw: Raw, fraction: int) -> None:
        """Count numbers ``raw * 2**-fraction`` that are not assigned here."""
        nothing = np.zeros(raw.shape, bool)
        self._count(raw, fraction, nothing, nothing, nothing)

    def assign(self, raw: Raw, fraction: int, kind: FixedPoint) -> None:
        """Count an assignment of numbers ``raw * 2**-fraction`` to a type."""
        values = raw if fraction - kind.fraction <= _SHIFT else raw.astype(object)
        rounded = kind.rounded(values, fraction)
        overflows, lost = kind.overflowed(rounded) != rounded, np.zeros(raw.shape, bool)
        if fraction > kind.fraction:
            lost = (values & ((1 << (fraction - kind.fraction)) - 1)) != 0
        self._count(raw, fraction, overflows, lost, lost & (rounded == 0))

    def _count(self, raw: Raw, fraction: int, overflows: Marks, lost: Marks, vanish: Marks) -> None:
        if raw.size:
            step = Fraction(2) ** -fraction
            self._add(_bit_lengths(raw), fraction, overflows, lost, vanish)
            self._reach(int(raw.min()) * step, int(raw.max()) * step)

    def assign_floats(self, numbers: npt.NDArray[np.float64], kind: FixedPoint) -> None:
        """Count an assignment of doubles to a type; an infinity counts as the largest double."""
        if not numbers.size:
            return
        width = max(_NUMPY_BITS, kind.width + 2)
        wide = FixedPoint(width, width - kind.fraction, True, kind.rounding, Overflow.SAT)
        rounded = wide.from_float(numbers)
        lost = numbers != wide.to_float(rounded)
        lost &= np.abs(numbers) < np.ldexp(1.0, _EXACT_BITS - kind.fraction)  # what is larger has no such bits
        largest = np.finfo(np.float64).max
        finite = np.clip(numbers, -largest, largest)
        lengths = np.where(finite != 0, np.frexp(finite)[1].astype(np.int64) + _TINY, 0).ravel()
        self._add(lengths, _TINY, kind.overflowed(rounded) != rounded, lost, lost & (rounded == 0))
        self._reach(Fraction(float(finite.min())), Fraction(float(finite.max())))

    def _add(self, lengths: npt.NDArray[np.int64], fraction: int, overflows: Marks, lost: Marks, vanish: Marks) -> None:
        """Count numbers whose magnitudes have so many bits."""
        self.values += lengths.size
        self.overflow += int(np.count_nonzero(overflows))
        self.rounded += int(np.count_nonzero(lost))
        self.to_zero += int(np.count_nonzero(vanish))
        self.zeros += int(np.count_nonzero(lengths == 0))
        for octaves, which in (
            (self.octaves, lengths > 0),
            (self.octaves_overflow, overflows.ravel() & (lengths > 0)),
            (self.octaves_to_zero, vanish.ravel()),
        ):
            for length, count in enumerate(np.bincount(lengths[which]).tolist()):
                if count:
                    octaves[length - 1 - fraction] += count

    def _reach(self, lowest: Fraction, highest: Fraction) -> None:
        self.lowest = lowest if self.lowest is None else min(lowest, self.lowest)
        self.highest = highest if self.highest is None else max(highest, self.highest)


class WatchedType(FixedPoint):
    """A type that counts what is assigned to it; equal to the type that it stands for."""

    _tally: TypeTally

    @classmethod
    def of(cls, kind: FixedPoint, tally: TypeTally) -> WatchedType:
        """The type, counting into `tally`."""
        found = cls(**{field.name: getattr(kind, field.name) for field in fields(FixedPoint)})
        object.__setattr__(found, "_tally", tally)
        return found

    def cast(self, raw: npt.ArrayLike, fraction: int) -> Raw:
        values = np.asarray(raw)
        if values.ndim:  # else a constant of the layer's own
            self._tally.assign(values, fraction, self)
        return super().cast(raw, fraction)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FixedPoint):
            return NotImplemented
        return all(getattr(self, field.name) == getattr(other, field.name) for field in fields(FixedPoint))

    __hash__ = FixedPoint.__hash__


def watched(layer: Layer) -> tuple[Layer, dict[str, TypeTally]]:
    """The layer with types that count, and what they count into: by field name, `output` for the result's type."""
    tallies: dict[str, TypeTally] = {}

    def watch(name: str, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(watch(name, part) for part in value)
        return WatchedType.of(value, tallies.setdefault(name, TypeTally()))

    own = {field.name: getattr(layer, field.name) for field in fields(layer)}
    changes: dict[str, Any] = {name: watch(name, value) for name, value in own.items() if _has_types(value)}
    changes["output"] = replace(layer.output, type=watch("output", layer.output.type))
    return replace(layer, **changes), tallies


def _has_types(value: Any) -> bool:
    parts = value if isinstance(value, tuple) else (value,)
    return bool(parts) and all(isinstance(part, FixedPoint) for part in parts)


def _bit_lengths(raw: Raw) -> npt.NDArray[np.int64]:
    """Bits of each magnitude, flat: 0 of 0."""
    if raw.dtype == object:
        return np.array([int(value).bit_length() for value in raw.flat], np.int64)
    magnitude = np.abs(raw.astype(np.int64, copy=False)).view(np.uint64).ravel()  # also of -2**63
    lengths = np.frexp(magnitude.astype(np.float64))[1].astype(np.int64)
    if magnitude.size and int(magnitude.max()) >> _EXACT_BITS:  # rounded up, maybe, to the next power of two
        shift = np.maximum(lengths - 1, 0).astype(np.uint64)
        lengths -= (lengths > 0) & ((magnitude >> np.minimum(shift, np.uint64(63))) == 0)
    return lengths
