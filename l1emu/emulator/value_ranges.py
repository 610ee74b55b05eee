"""What the numbers of a network are against their types: counted exactly, at every assignment of every layer.

hls4ml's profiling draws the layers of the floating-point model, or of a trace after its casts, against the types. Here
the casts themselves are counted, on integers: `l1emu.emulator.watched`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from l1emu.emulator.emulator import Emulator
from l1emu.emulator.interval import Interval
from l1emu.emulator.watched import TypeTally, watched
from l1emu.errors import L1emuError
from l1emu.fixedpoint import FixedPoint, Raw
from l1emu.layers import Dense, Layer, Tensor
from l1emu.notebook import html_rows

if TYPE_CHECKING:
    import pandas as pd

_NUMBERS = 1 << 20  # of the largest tensor, at a time
_MOST_JETS = 4096
_EXACT_BITS = 53  # of a double
_LEAST = -10_000  # bits before the point of nothing but 0


@dataclass(frozen=True)
class ValueRange:
    """What was assigned to one type.

    Attributes
    ----------
    layer, kind
        Name and kind of the layer; an input's name and ``input``.
    what
        ``input``, ``result``, the layer's inner type as its field is called (``accum``, ``inv_table``, ...), or its
        numbers (``weight``, ``bias``, ...).
    type
        In the spelling of C++; of several types their number.
    type_lowest, type_highest, type_step
        The range of the type and its smallest step; None of several types.
    values
        Assignments that were counted: all numbers of all jets, of a sum each of its steps.
    overflow
        How many of them are outside the type's range after rounding; None of weights, that are stored as they are.
    overflow_mode
        What becomes of these, such as ``WRAP`` or ``SAT``.
    rounded
        How many lose bits below the step; None of weights.
    to_zero
        How many of these are not 0 and become 0.
    zeros
        How many are 0 before they are assigned.
    lowest, highest
        The ends of the numbers before they are assigned; None where none was looked at.
    integer_bits
        Bits before the point, the sign included, that would hold them all; None where none was looked at.
    octaves
        Numbers by magnitude before they are assigned, from 2**k up to 2**(k + 1): rows of k, how many there are, how
        many of them overflow and how many become 0. None where it is proven that no assignment changes anything, and
        none was looked at.
    """

    layer: str
    kind: str
    what: str
    type: str
    type_lowest: float | None
    type_highest: float | None
    type_step: float | None
    values: int
    overflow: int | None
    overflow_mode: str
    rounded: int | None
    to_zero: int | None
    zeros: int | None
    lowest: float | None
    highest: float | None
    integer_bits: int | None
    octaves: tuple[tuple[int, int, int, int], ...] | None


@dataclass(frozen=True, repr=False)
class ValueRanges:
    """What `value_ranges` gives: a row for each type, in the order of the firmware."""

    firmware: str
    content_hash: str
    jets: int
    rows: tuple[ValueRange, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    def table(self) -> pd.DataFrame:
        """A row a type, without the octaves, and with shares of the values that overflow and are rounded."""
        import pandas as pd

        frame = pd.DataFrame(
            [{f.name: getattr(row, f.name) for f in fields(row) if f.name != "octaves"} for row in self.rows]
        )
        counts = ["overflow", "rounded", "to_zero", "zeros", "integer_bits"]
        frame[counts] = frame[counts].astype("Int64")
        for name in counts[:3]:
            share = frame[name].astype(float) / frame["values"].where(frame["values"] > 0)
            frame.insert(int(frame.columns.get_loc(name)) + 1, f"{name}_share", share)  # type: ignore[arg-type]
        return frame

    def __repr__(self) -> str:
        over = sum(1 for row in self.rows if row.overflow)
        return f"<ValueRanges of {self.firmware}: {self.jets} jets, {len(self.rows)} types, {over} of them overflow>"

    def _repr_html_(self) -> str:
        columns = ("layer", "what", "type", "overflow", "rounded", "lowest", "highest", "integer_bits")
        rows = [[getattr(row, name) for name in columns] for row in self.rows]
        return html_rows(f"{self.firmware}, {self.jets:,} jets", columns, rows)


def value_ranges(
    emulator: Emulator,
    x: ArrayLike | Mapping[str, ArrayLike],
    *,
    raw: bool = False,
    advance: Callable[[int], None] | None = None,
) -> ValueRanges:
    """Count what every layer assigns to its types, on a batch of jets.

    Every layer is computed as its specification in plain integers says, in the order of the C++, and the outputs are
    compared with the emulator's. The jets are taken some at a time, so that memory does not grow with them. Sums of
    dense layers of which is proven that no step overflows or rounds, whatever comes in, are not gone through one by
    one; they count as assignments that change nothing.

    Parameters
    ----------
    emulator
        Of the firmware.
    x
        As for a call.
    raw
        `x` are raw integers, which have their inputs' types already.
    advance
        Called with a number of jets after they were counted.

    Raises
    ------
    L1emuError
        if `x` does not fit, as of a call or of `Emulator.raw`, or holds no jets.
    """
    arrays, firmware = emulator.arrays(x), emulator.firmware
    counted = _Counted(emulator)
    jets = len(next(iter(arrays.values())))
    if not jets:
        raise L1emuError("no jets to count", expected="one at least")
    for part in _parts(jets, [*firmware.inputs, *(layer.output for layer in firmware.layers)]):
        counted.add({name: array[part] for name, array in arrays.items()}, raw=raw)
        if advance is not None:
            advance(part.stop - part.start)
    return ValueRanges(firmware.name, firmware.content_hash, jets, tuple(counted.rows()))


def _parts(jets: int, tensors: list[Tensor]) -> Iterator[slice]:
    size = min(_MOST_JETS, max(1, _NUMBERS // max(tensor.size for tensor in tensors)))
    for first in range(0, jets, size):
        yield slice(first, min(first + size, jets))


class _Counted:
    """A firmware whose layers count."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._inputs = {tensor.name: TypeTally() for tensor in emulator.firmware.inputs}
        self._layers = [watched(layer) for layer in emulator.firmware.layers]
        self._proven = {
            layer.name
            for layer in emulator.firmware.layers
            if isinstance(layer, Dense) and _sums_are_exact(layer, emulator.ranges.tensors[layer.inputs[0].name])
        }

    def add(self, given: dict[str, NDArray[Any]], *, raw: bool) -> None:
        """Count some jets; their outputs have to be the emulator's."""
        emulator = self._emulator
        numbers = given if raw else emulator.quantized(given)
        outputs = emulator.raw(numbers)  # which checks raw numbers
        tensors: dict[str, Raw] = {}
        for tensor in emulator.firmware.inputs:
            values = numbers[tensor.name].astype(np.int64, copy=False)
            tensors[tensor.name] = values.reshape(-1, *tensor.shape)
            if raw:
                self._inputs[tensor.name].see(values, tensor.type.fraction)
            else:
                self._inputs[tensor.name].assign_floats(np.asarray(given[tensor.name], np.float64), tensor.type)
        for layer, tallies in self._layers:
            tensors[layer.output.name] = self._run(layer, tallies, [tensors[t.name] for t in layer.inputs])
        for name, found in emulator.by_name(outputs).items():
            if not np.array_equal(found, tensors[name]):
                raise AssertionError(f"emulation and reference differ in {name}")

    def _run(self, layer: Layer, tallies: dict[str, TypeTally], numbers: list[Raw]) -> Raw:
        before = tallies["output"].values
        if isinstance(layer, Dense) and layer.name in self._proven:
            output = _product(layer, numbers[0])
            tallies["accum_type"].values += output.size * (2 * layer.n_in + 1)
        else:
            output = layer.reference(*numbers)
        if tallies["output"].values == before:  # numbers that the layer passes on, or picks
            tallies["output"].see(output, layer.output.type.fraction)
        return output

    def rows(self) -> Iterator[ValueRange]:
        """Inputs, and of each layer what it holds, its inner types and its result."""
        for tensor in self._emulator.firmware.inputs:
            yield _row(tensor.name, "input", "input", [tensor.type], self._inputs[tensor.name])
        for layer, (_, tallies) in zip(self._emulator.firmware.layers, self._layers, strict=True):
            yield from _rows_of_weights(layer)
            for name, tally in tallies.items():
                if name != "output" and tally.values:
                    kinds = getattr(layer, name)
                    types = list(kinds) if isinstance(kinds, tuple) else [kinds]
                    yield _row(layer.name, layer.kind, name.removesuffix("_type"), types, tally)
            yield _row(layer.name, layer.kind, "result", [layer.output.type], tallies["output"])


def _sums_are_exact(layer: Dense, x: Interval) -> bool:
    """Whether no step of a sum can overflow or round, and doubles hold them all."""
    up = _shifts(layer)
    if min(up) < 0 or not layer.accum_type.signed:
        return False
    largest = max(abs(int(x.lowest)), abs(int(x.highest)))
    reach = np.abs(layer.weight.astype(object)).sum(axis=0) * (largest << up[0])
    reach += np.abs(layer.bias.astype(object)) * (1 << up[1])
    return int(reach.max()) <= min(layer.accum_type.high, 1 << _EXACT_BITS)


def _shifts(layer: Dense) -> tuple[int, int]:
    """Bits that products and biases are shifted by in the accumulator."""
    fraction = layer.accum_type.fraction
    product = layer.inputs[0].type.fraction + layer.weight_type.fraction
    return fraction - product, fraction - layer.bias_type.fraction


def _product(layer: Dense, raw: Raw) -> Raw:
    """A dense layer whose sums are exact: one matrix product, and one assignment to the result's type."""
    up, jets = _shifts(layer), len(raw)
    x = raw.reshape(jets * layer.positions, layer.n_in).astype(np.float64)  # whole numbers
    total = (x @ layer.weight.astype(np.float64)).astype(np.int64) * (1 << up[0]) + layer.bias * (1 << up[1])
    return layer.output.type.cast(total, layer.accum_type.fraction).reshape(jets, *layer.output.shape)


def _rows_of_weights(layer: Layer) -> Iterator[ValueRange]:
    """The numbers of a model that a layer holds."""
    if layer.holds != "weights":
        return
    for field in fields(layer):
        raw, kind = getattr(layer, field.name), getattr(layer, f"{field.name}_type", None)
        if isinstance(raw, np.ndarray) and isinstance(kind, FixedPoint) and raw.size:
            tally = TypeTally()
            tally.see(raw, kind.fraction)
            yield _row(layer.name, layer.kind, field.name, [kind], tally, stored=True)


def _row(
    layer: str, kind: str, what: str, types: list[FixedPoint], tally: TypeTally, *, stored: bool = False
) -> ValueRange:
    distinct = list(dict.fromkeys(types))
    one = distinct[0] if len(distinct) == 1 else None
    lowest, highest = tally.lowest, tally.highest
    looked_at, octaves = lowest is not None and highest is not None, sorted(tally.octaves.items())
    return ValueRange(
        layer=layer,
        kind=kind,
        what=what,
        type=f"{len(distinct)} types" if one is None else str(one),
        type_lowest=None if one is None else float(Fraction(one.low) / Fraction(2) ** one.fraction),
        type_highest=None if one is None else float(Fraction(one.high) / Fraction(2) ** one.fraction),
        type_step=None if one is None else float(1 / Fraction(2) ** one.fraction),
        values=tally.values,
        overflow=None if stored else tally.overflow,
        overflow_mode=" or ".join(dict.fromkeys(str(t.overflow) for t in distinct)),
        rounded=None if stored else tally.rounded,
        to_zero=None if stored else tally.to_zero,
        zeros=tally.zeros if looked_at else None,
        lowest=None if lowest is None else float(lowest),
        highest=None if highest is None else float(highest),
        integer_bits=None if lowest is None or highest is None else _integer_bits(lowest, highest, types[0].signed),
        octaves=tuple((k, n, tally.octaves_overflow[k], tally.octaves_to_zero[k]) for k, n in octaves)
        if looked_at
        else None,
    )


def _integer_bits(lowest: Fraction, highest: Fraction, signed: bool) -> int:
    """Bits before the point, with the sign's, of the type that holds both: -2**(I - 1) to below 2**(I - 1)."""
    needed = _octave(highest) + 1 if highest > 0 else _LEAST
    if lowest < 0:
        below = _octave(-lowest)
        needed = max(needed, below if -lowest == Fraction(2) ** below else below + 1)
        signed = True
    return 0 if needed == _LEAST else needed + signed


def _octave(value: Fraction) -> int:
    """k of 2**k <= value < 2**(k + 1)."""
    k = value.numerator.bit_length() - value.denominator.bit_length()
    return k if Fraction(2) ** k <= value else k - 1
