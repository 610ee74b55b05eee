"""Layers with their inner or their result type made wider: what they would give without overflow, without rounding.

The comparison with Keras substitutes these one after another to tell how much of a difference each of them makes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.fixedpoint import Exact, FixedPoint, Overflow, Raw, Rounding
from l1emu.layers import (
    BatchNormalization,
    Dense,
    Einsum,
    Gather,
    GlobalPooling1D,
    Layer,
    LayerNormalization,
    Merge,
    Reshape,
    SlopedRelu,
    Softmax,
    TableActivation,
    Tensor,
)

_WIDEST = 62


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

    def widen(self, kind: FixedPoint, grow: bool, refine: bool) -> FixedPoint:
        """`kind` with the needed integer bits if `grow`, with the needed fraction bits if `refine`."""
        if not grow and not refine:
            return kind
        integer, signed, rounding = kind.integer, kind.signed, kind.rounding
        if grow:
            integer, signed = max(kind.integer + (not kind.signed), self.integer), True
        fraction = max(kind.fraction, self.fraction) if refine else kind.fraction
        fraction = max(min(fraction, _WIDEST - integer), min(kind.fraction, _WIDEST - integer))
        overflow = Overflow.SAT if grow else kind.overflow
        if kind.is_integer:
            rounding = Rounding.TRN_ZERO
        return FixedPoint(integer + fraction, integer, signed, rounding, overflow)


def _log2(n: int) -> int:
    return max(n - 1, 0).bit_length()


def _signed_bits(kind: FixedPoint) -> int:
    return kind.integer + (not kind.signed)


def _needs(layer: Layer, inputs: Sequence[Tensor]) -> tuple[_Needs, _Needs]:
    """What the accumulators and what the result of a layer need."""
    integers = [_signed_bits(tensor.type) for tensor in inputs]
    fractions = [tensor.type.fraction for tensor in inputs]
    integer, fraction = max(integers), max(fractions)
    match layer:
        case Dense():
            w, b = layer.weight_type, layer.bias_type
            products = integer + _signed_bits(w) + _log2(layer.n_in) + 1
            needs = _Needs(max(products, _signed_bits(b) + 1), max(fraction + w.fraction, b.fraction))
            return needs, needs
        case Einsum():
            needs = _Needs(sum(integers) + _log2(layer.contract) + 1, sum(fractions))
            return needs, needs
        case GlobalPooling1D():
            needs = _Needs(integer + _log2(layer.inputs[0].shape[0]) + 1, fraction + 16)
            return needs, needs
        case BatchNormalization():
            s, b = layer.scale_type, layer.bias_type
            bits = max(integer + _signed_bits(s), _signed_bits(b)) + 1
            needs = _Needs(bits, max(fraction + s.fraction, b.fraction))
        case SlopedRelu():
            slope = layer.slope_type
            needs = _Needs(integer + max(_signed_bits(slope), 0) + 1, fraction + max(slope.fraction, 0))
        case LayerNormalization():
            inner = _Needs(2 * integer + _log2(layer.dim) + 1, layer.accum_type.fraction + 8)
            bits = integer + _signed_bits(layer.table_type) + _signed_bits(layer.scale_type) + 1
            return inner, _Needs(bits, layer.accum_type.fraction + layer.table_type.fraction)
        case Softmax():
            e, r = layer.exp_table_type, layer.inv_table_type
            inner = _Needs(_signed_bits(e) + _log2(layer.n_slice) + 1, e.fraction)
            return inner, _Needs(_signed_bits(e) + _signed_bits(r), e.fraction + r.fraction)
        case TableActivation():
            needs = _Needs(_signed_bits(layer.table_type), layer.table_type.fraction)
        case Merge():
            needs = _Needs(integer + 2, fraction + 1)
            if layer.op == "multiply":
                needs = _Needs(sum(integers), sum(fractions))
        case _:
            needs = _Needs(integer + 1, fraction)
    return needs, needs


def relaxed(layer: Layer, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
    """`layer` reading `inputs`, whose types may be wider than its own inputs', with wider types of its own."""
    inner, result = _needs(layer, inputs)
    changes: dict[str, Any] = {}
    old, new = layer.inputs[0].type, inputs[0].type
    moved = isinstance(layer, Reshape) or (isinstance(layer, Gather) and layer.output.type == old)
    kind = new if moved else result.widen(layer.output.type, how.result_range, how.result_step)
    if isinstance(layer, Dense | Einsum | GlobalPooling1D | LayerNormalization):
        changes["accum_type"] = inner.widen(layer.accum_type, how.inner_range, how.inner_step)
    if isinstance(layer, LayerNormalization):
        changes["epsilon"] = layer.epsilon << (changes["accum_type"].fraction - layer.accum_type.fraction)
    if isinstance(layer, Einsum) and layer.product_type is not None:
        changes["product_type"] = inner.widen(layer.product_type, how.inner_range, how.inner_step)
    if isinstance(layer, Softmax) and layer.variant not in ("argmax", "legacy"):
        changes["accum_type"] = inner.widen(layer.accum_type, how.inner_range, how.inner_step)
        if how.inner_range:  # these address tables by their bits: kept, but without wrapping
            changes["inv_inp_type"] = _saturating(layer.inv_inp_type)
            if layer.inp_norm_type is not None:
                changes["inp_norm_type"] = _saturating(layer.inp_norm_type)
    shift = max(new.fraction - old.fraction, 0)
    if isinstance(layer, SlopedRelu):
        changes["threshold"] = ((layer.threshold + 1) << shift) - 1 if layer.threshold else 0
    if isinstance(layer, Gather):
        changes["fill"] = layer.fill << shift
    return replace(layer, inputs=inputs, output=replace(layer.output, type=kind), **changes)


def _saturating(kind: FixedPoint) -> FixedPoint:
    return kind if kind.is_integer else replace(kind, overflow=Overflow.SAT)


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
            if isinstance(layer, Softmax) and layer.variant == "latency" and found.type != tensor.type:
                found, raw = tensor, Exact.of(raw, found.type).cast(tensor.type).raw  # its bits address the table
            sources.append((found, raw))
        wide = relaxed(layer, tuple(tensor for tensor, _ in sources), how)
        known[layer.output.name] = (wide.output, wide.reference(*(raw for _, raw in sources)))
    tensor, raw = known[layers[-1].output.name]
    return tensor.type.to_float(raw)


def nearest(kind: FixedPoint, x: npt.ArrayLike) -> Raw:
    """The raw values nearest to `x` in a type: rounded to nearest (half to even), clipped to its range."""
    ideal = FixedPoint(kind.width, kind.integer, kind.signed, Rounding.RND_CONV, Overflow.SAT)
    return ideal.from_float(x)
