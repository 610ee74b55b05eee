"""Layers with their inner or their result type made wider: what they would give without overflow, without rounding.

The comparison with Keras substitutes these one after another to tell how much of a difference each of them makes. With
everything left out a layer is the real-number function of its weights and tables: what then still differs from Keras
lies in those. Every kind of layer has its entry in `_KINDS`; one without is refused when this module is imported.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.fixedpoint import Exact, FixedPoint, Overflow, Raw, Rounding
from l1emu.layers import (
    KINDS,
    BatchNormalization,
    ClippedLine,
    Concatenate,
    Dense,
    Einsum,
    Embedding,
    Gather,
    GlobalPooling1D,
    HalfTable,
    Layer,
    LayerNormalization,
    Linear,
    Lookup,
    Merge,
    Quantize,
    Recurrent,
    Relu,
    Reshape,
    SlopedRelu,
    Softmax,
    Steps,
    TableActivation,
    Tensor,
    Transpose,
)

_WIDEST = 62  # bits, beyond which numpy does not count
_SUMMED = 60  # bits, sums of which numpy counts
_FINE = 32  # fraction bits more than those of a number, where a quotient has no end


@dataclass(frozen=True)
class Relaxed:
    """What is left out: overflow and rounding of accumulators (inner), and of the results."""

    inner_range: bool = False
    result_range: bool = False
    inner_step: bool = False
    result_step: bool = False


@dataclass(frozen=True)
class _Needs:
    """Integer bits (with sign) and fraction bits that hold a quantity exactly, or so finely that it does not matter."""

    integer: int
    fraction: int

    @classmethod
    def of(cls, *kinds: FixedPoint) -> _Needs:
        """What holds a number of any of these types."""
        return cls(max(map(_signed_bits, kinds)), max(kind.fraction for kind in kinds))

    def __or__(self, other: _Needs) -> _Needs:
        """What holds both."""
        return _Needs(max(self.integer, other.integer), max(self.fraction, other.fraction))

    def __mul__(self, other: _Needs) -> _Needs:
        """What holds the product."""
        return _Needs(self.integer + other.integer, self.fraction + other.fraction)

    def of_sum(self, terms: int) -> _Needs:
        """What holds the sum of so many."""
        return _Needs(self.integer + max(terms - 1, 0).bit_length(), self.fraction)

    def finer(self, bits: int) -> _Needs:
        """So many fraction bits more."""
        return _Needs(self.integer, self.fraction + bits)

    def widen(self, kind: FixedPoint, grow: bool, refine: bool, widest: int = _WIDEST) -> FixedPoint:
        """`kind` with the needed integer bits if `grow`, with the needed fraction bits if `refine`."""
        if not grow and not refine:
            return kind
        integer, signed, rounding = kind.integer, kind.signed, kind.rounding
        if grow:
            integer, signed = max(_signed_bits(kind), self.integer), True
        fraction = max(kind.fraction, min(self.fraction, widest - integer)) if refine else kind.fraction
        overflow = Overflow.SAT if grow else kind.overflow
        if kind.is_integer:
            rounding = Rounding.TRN_ZERO
        return FixedPoint(integer + fraction, integer, signed, rounding, overflow)

    def inner(self, kind: FixedPoint, how: Relaxed, widest: int = _WIDEST) -> FixedPoint:
        """The type of an accumulator that needs this."""
        return self.widen(kind, how.inner_range, how.inner_step, widest)

    def result(self, layer: Layer, how: Relaxed, widest: int = _WIDEST) -> Tensor:
        """The layer's output, which needs this."""
        kind = self.widen(layer.output.type, how.result_range, how.result_step, widest)
        return replace(layer.output, type=kind)


def _signed_bits(kind: FixedPoint) -> int:
    return kind.integer + (not kind.signed)


def _shifted(raw: int, shift: int) -> int:
    """``raw * 2**shift``, rounded down."""
    return raw << shift if shift >= 0 else raw >> -shift


def _changed(layer: Layer, inputs: tuple[Tensor, ...], output: Tensor, **changes: Any) -> Layer:
    return replace(layer, inputs=inputs, output=output, **changes)


def _assigned(layer: Layer, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
    """Numbers that are assigned to the output's type and not computed with."""
    return _changed(layer, inputs, _Needs.of(*(x.type for x in inputs)).result(layer, how))


def _passed(layer: Layer, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
    """Numbers that keep their type."""
    return _changed(layer, inputs, replace(layer.output, type=inputs[0].type))


def _gather(layer: Gather, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
    old, new = layer.inputs[0].type, inputs[0].type
    lowest = old.signed and layer.fill == old.low  # of a maximum: below anything
    fill = max(new.low, -(1 << _WIDEST)) if lowest else _shifted(layer.fill, new.fraction - old.fraction)
    relax = _passed if layer.output.type == old else _assigned
    return replace(relax(layer, inputs, how), fill=fill)  # type: ignore[call-arg]


def _dense(layer: Dense, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
    products = (_Needs.of(inputs[0].type) * _Needs.of(layer.weight_type)).of_sum(layer.n_in)
    needs = (products | _Needs.of(layer.bias_type)).of_sum(2)
    return _changed(layer, inputs, needs.result(layer, how), accum_type=needs.inner(layer.accum_type, how))


def _einsum(layer: Einsum, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
    needs = (_Needs.of(inputs[0].type) * _Needs.of(inputs[1].type)).of_sum(layer.contract + 1)
    product = None if layer.product_type is None else needs.inner(layer.product_type, how)
    accum = needs.inner(layer.accum_type, how)
    return _changed(layer, inputs, needs.result(layer, how), accum_type=accum, product_type=product)


def _pooling(layer: GlobalPooling1D, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
    needs = _Needs.of(inputs[0].type)
    if layer.op == "average":
        needs = needs.of_sum(inputs[0].shape[0] + 1).finer(_FINE)
    accum = needs.inner(layer.accum_type, how, _SUMMED)
    return _changed(layer, inputs, needs.result(layer, how, _SUMMED), accum_type=accum)


def _batchnorm(layer: BatchNormalization, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
    product = _Needs.of(inputs[0].type) * _Needs.of(layer.scale_type)
    return _changed(layer, inputs, (product | _Needs.of(layer.bias_type)).of_sum(2).result(layer, how))


def _layernorm(layer: LayerNormalization, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
    x = _Needs.of(inputs[0].type, layer.accum_type).of_sum(2)  # less the mean
    inner = (_Needs.of(inputs[0].type).of_sum(2) * _Needs.of(inputs[0].type).of_sum(2)).of_sum(layer.dim + 1)
    accum = _Needs(inner.integer, x.fraction + _FINE).inner(layer.accum_type, how)
    product = x.finer(_FINE) * _Needs.of(layer.table_type) * _Needs.of(layer.scale_type)
    needs = (product | _Needs.of(layer.bias_type)).of_sum(2)
    epsilon = _shifted(layer.epsilon, accum.fraction - layer.accum_type.fraction)
    return _changed(layer, inputs, needs.result(layer, how), accum_type=accum, epsilon=epsilon)


def _softmax(layer: Softmax, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
    if layer.variant == "argmax":
        return _changed(layer, inputs, _Needs(2, 0).result(layer, how))
    exponential = _Needs.of(layer.exp_table_type)
    needs = (exponential | _Needs(2, 0)) * _Needs.of(layer.inv_table_type)
    total = (exponential | _Needs(2, 0)).of_sum(layer.n_slice + 1)
    changes: dict[str, Any] = {"accum_type": total.inner(layer.accum_type, how)}
    if layer.variant == "legacy":  # one type for the table and for the sum of its entries
        changes = {"exp_table_type": total.widen(layer.exp_table_type, how.inner_range, False)}
    elif how.inner_range:  # these address tables by their bits: kept, but without wrapping
        changes["inv_inp_type"] = _saturating(layer.inv_inp_type)
        if layer.inp_norm_type is not None:
            changes["inp_norm_type"] = _saturating(layer.inp_norm_type)
    return _changed(layer, inputs, needs.result(layer, how), **changes)


def _saturating(kind: FixedPoint) -> FixedPoint:
    return kind if kind.is_integer else replace(kind, overflow=Overflow.SAT)


def _merge(layer: Merge, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
    a, b = (_Needs.of(x.type) for x in inputs)
    needs = a | b
    if layer.op == "multiply":
        needs = a * b
    elif layer.op in ("add", "subtract", "average"):
        needs = needs.of_sum(2).finer(layer.op == "average")
    return _changed(layer, inputs, needs.result(layer, how))


def _sloped(layer: SlopedRelu, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
    needs = _Needs.of(inputs[0].type) * (_Needs.of(layer.slope_type) | _Needs(1, 0))
    shift = inputs[0].type.fraction - layer.inputs[0].type.fraction
    return _changed(layer, inputs, needs.result(layer, how), threshold=_shifted(layer.threshold, shift))


def _table(layer: TableActivation | Lookup | Embedding, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
    """Entries that are assigned to the output's type."""
    return _changed(layer, inputs, _Needs.of(layer.table_type).result(layer, how))


def _half_table(layer: HalfTable, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
    above = _Needs.of(inputs[0].type) * _Needs.of(layer.above_type)
    below = _Needs.of(layer.table_type) * _Needs.of(layer.below_type)
    return _changed(layer, inputs, (above | below).result(layer, how))


def _clipped_line(layer: ClippedLine, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
    line = _Needs.of(inputs[0].type) * _Needs.of(layer.slope_type) | _Needs.of(layer.shift_type)
    return _changed(layer, inputs, _Needs(layer.top.bit_length() + 1, line.fraction).result(layer, how))


def _steps(layer: Steps, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
    old, new = layer.inputs[0], inputs[0]
    if layer.doubled and how.inner_range:  # twice the number does not wrap
        wide = FixedPoint(new.type.width + 1, new.type.integer + 1, new.type.signed, overflow=Overflow.SAT)
        new = replace(new, type=wide)
    # A number that is at least a step beyond another is above it: so the kernels compare, except with 0.
    shift = new.type.fraction - old.type.fraction
    flat = [t << shift if t == 0 else _shifted(t - 1, shift) + 1 for t in map(int, layer.thresholds.flat)]
    thresholds = np.array(flat, dtype=np.int64).reshape(layer.thresholds.shape)
    output = _Needs(2, 0).result(layer, how)
    values = output.type.cast(layer.values, layer.output.type.fraction)
    for levels in ([-1, 1], [0, 1], [-1, 0, 1]):  # before they were assigned to the output's type
        if np.array_equal(layer.output.type.cast(levels, 0), layer.values):
            values = output.type.cast(levels, 0)
            break
    return _changed(layer, (new,), output, thresholds=thresholds, values=values)


def _quantize(layer: Quantize, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
    needs = _Needs.of(inputs[0].type)
    types = [needs.widen(kind, how.result_range, how.result_step) for kind in layer.types]
    which = layer.which
    if how.result_step:  # also where nothing was left
        which = np.where(which < 0, len(types), which)
        types.append(inputs[0].type)
    return _changed(layer, inputs, needs.result(layer, how), types=tuple(types), which=which)


def _recurrent(layer: Recurrent, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
    states = [x.type for x in inputs[1:]]
    weights = (layer.weight_type, layer.recurrent_weight_type)
    tables = (layer.gate_table_type, layer.table_type)
    inner, state = _recurrent_bounds(layer, inputs)
    # products of weights and these are to stay within what numpy counts; the rest, number by number, need not
    widest = _WIDEST - 1 - max(kind.width for kind in weights) - max(layer.n_in, layer.n_state).bit_length()
    fine = _Needs.of(inputs[0].type, *weights, *tables, layer.bias_type, layer.recurrent_bias_type, layer.accum_type)
    output = (_Needs(state, fine.fraction + _FINE) | _Needs.of(layer.output.type, *states)).result(layer, how, widest)
    accum = _Needs(inner, fine.fraction + _FINE).inner(layer.accum_type, how, widest)
    given = tuple(replace(x, type=output.type) for x in inputs[1:])
    return _changed(layer, (inputs[0], *given), output, accum_type=accum)


def _recurrent_bounds(layer: Recurrent, inputs: tuple[Tensor, ...]) -> tuple[int, int]:
    """Integer bits of all that is between the products and the state, and of the states."""

    def columns(raw: npt.NDArray[np.int64], kind: FixedPoint) -> npt.NDArray[np.float64]:
        return np.abs(kind.to_float(raw)).sum(axis=0)

    def most(function: str, table: npt.NDArray[np.int64], kind: FixedPoint, x: float) -> float:
        return x if function == "relu" else float(np.abs(kind.to_float(table)).max())

    def largest(kind: FixedPoint) -> float:
        return float(np.abs(kind.to_float([kind.low, kind.high])).max())

    bias = np.abs(layer.bias_type.to_float(layer.bias))
    x = float((columns(layer.weight, layer.weight_type) * largest(inputs[0].type) + bias).max())
    rows = columns(layer.recurrent_weight, layer.recurrent_weight_type)
    offset = np.abs(layer.recurrent_bias_type.to_float(layer.recurrent_bias))
    state = cell = max([0.0, *(largest(tensor.type) for tensor in inputs[1:])])
    inner = top = 1.0
    for _ in range(layer.steps):
        h = float((rows * state + offset).max())
        gate = most(layer.gate, layer.gate_table, layer.gate_table_type, x + h)
        value = most(layer.function, layer.table, layer.table_type, x + h * max(gate, 1.0))
        if layer.cell == "gru":
            state = value * (1.0 + gate) + state * gate
        else:
            cell = value * gate + cell * gate
            state = gate * most(layer.function, layer.table, layer.table_type, cell)
        inner, top = max(inner, x + h * max(gate, 1.0), gate, value), max(top, state, cell)
        if top > 2.0**_WIDEST:
            break
    return (min(math.ceil(math.log2(bound)) + 2, _WIDEST // 2) for bound in (inner, top))  # type: ignore[return-value]


def _as_it_comes(layer: Layer, found: FixedPoint, own: FixedPoint, how: Relaxed) -> FixedPoint:
    return found


def _by_its_bits(layer: Layer, found: FixedPoint, own: FixedPoint, how: Relaxed) -> FixedPoint:
    """The number's bits address a table."""
    return _saturating(own) if how.inner_range else own


def _by_an_index(layer: Layer, found: FixedPoint, own: FixedPoint, how: Relaxed) -> FixedPoint:
    """A multiple of the number, a C++ int, addresses a table of which the ends hold for all numbers beyond."""
    assert isinstance(layer, TableActivation | HalfTable | Softmax)
    size = len(layer.exp_table if isinstance(layer, Softmax) else layer.table)
    integer = 34 - max(size - 1, 1).bit_length()  # 31 bits, and an eighth of the size for each whole number
    if found.integer <= integer or not how.inner_range:
        return found
    return FixedPoint(integer + found.fraction, integer, True, found.rounding, Overflow.SAT)


def _of_softmax(layer: Layer, found: FixedPoint, own: FixedPoint, how: Relaxed) -> FixedPoint:
    assert isinstance(layer, Softmax)
    reads = {"latency": _by_its_bits, "legacy": _by_an_index, "direct": _by_an_index}
    return reads.get(layer.variant, _as_it_comes)(layer, found, own, how)


_Relax = Callable[[Any, tuple[Tensor, ...], Relaxed], Layer]
_Reads = Callable[[Layer, FixedPoint, FixedPoint, Relaxed], FixedPoint]

_KINDS: dict[type[Layer], tuple[_Reads, _Relax]] = {
    BatchNormalization: (_as_it_comes, _batchnorm),
    ClippedLine: (_as_it_comes, _clipped_line),
    Concatenate: (_as_it_comes, _assigned),
    Dense: (_as_it_comes, _dense),
    Einsum: (_as_it_comes, _einsum),
    Embedding: (_by_its_bits, _table),
    Gather: (_as_it_comes, _gather),
    GlobalPooling1D: (_as_it_comes, _pooling),
    HalfTable: (_by_an_index, _half_table),
    LayerNormalization: (_as_it_comes, _layernorm),
    Linear: (_as_it_comes, _assigned),
    Lookup: (_by_its_bits, _table),
    Merge: (_as_it_comes, _merge),
    Quantize: (_as_it_comes, _quantize),
    Recurrent: (_as_it_comes, _recurrent),
    Relu: (_as_it_comes, _assigned),
    Reshape: (_as_it_comes, _passed),
    SlopedRelu: (_as_it_comes, _sloped),
    Softmax: (_of_softmax, _softmax),
    Steps: (_as_it_comes, _steps),
    TableActivation: (_by_an_index, _table),
    Transpose: (_as_it_comes, _assigned),
}
if missing := set(KINDS.values()) ^ set(_KINDS):
    raise TypeError(f"kinds of layer without a relaxed form: {', '.join(sorted(kind.__name__ for kind in missing))}")


def relaxed(layer: Layer, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
    """`layer` reading `inputs`, whose types may be wider than its own inputs', with wider types of its own.

    Its inputs' types are what it can read: `run_relaxed` assigns the numbers to them.

    Raises
    ------
    KeyError
        for a kind of layer that is unknown here.
    """
    reads, relax = _KINDS[type(layer)]
    pairs = zip(inputs, layer.inputs, strict=True)
    return relax(layer, tuple(replace(x, type=reads(layer, x.type, own.type, how)) for x, own in pairs), how)


def run_relaxed(
    layers: Sequence[Layer], given: Mapping[str, tuple[Tensor, Raw]], how: Relaxed
) -> npt.NDArray[np.float64]:
    """The output of the last of `layers` as numbers, with types relaxed; `given` are tensors and raw values by name."""
    known = dict(given)
    for layer in layers:
        sources = []
        for tensor in layer.inputs:
            found, raw = known[tensor.name]
            if tensor.shape != found.shape:
                found = replace(found, shape=tensor.shape)
                raw = raw.reshape(len(raw), *tensor.shape)
            sources.append((found, raw))
        wide = relaxed(layer, tuple(tensor for tensor, _ in sources), how)
        read = [
            raw if tensor.type == found.type else Exact.of(raw, found.type).cast(tensor.type).raw
            for tensor, (found, raw) in zip(wide.inputs, sources, strict=True)
        ]
        known[layer.output.name] = (wide.output, wide.reference(*read))
    tensor, raw = known[layers[-1].output.name]
    return tensor.type.to_float(raw)


def nearest(kind: FixedPoint, x: npt.ArrayLike) -> Raw:
    """The raw values nearest to `x` in a type: rounded to nearest (half to even), clipped to its range."""
    ideal = FixedPoint(kind.width, kind.integer, kind.signed, Rounding.RND_CONV, Overflow.SAT)
    return ideal.from_float(x)
