"""From a firmware to a `Program`: instructions for the exact kernels, weights, and rows of a workspace.

One function a kind of layer. Each reads the proof of `l1emu.emulator.ranges` and emits the cheapest instruction that
is still exact: casts that cannot round or overflow vanish, sums that may be reordered are not done step by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator import kernels
from l1emu.emulator.affine import (
    index_code,
    layer_norm_affine,
    levels,
    line,
    reduction,
    scaled_to_common_fraction,
    slopes,
)
from l1emu.emulator.codes import cast_code
from l1emu.emulator.interval import Interval, LayerRange, Ranges, Sum, cast_interval, low_of, rounded
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import (
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
    Relu,
    Reshape,
    SlopedRelu,
    Softmax,
    Steps,
    TableActivation,
    Tensor,
    Transpose,
)
from l1emu.layers.softmax import index_bits

_MERGE = {
    "add": kernels.ADD,
    "subtract": kernels.SUBTRACT,
    "average": kernels.AVERAGE,
    "multiply": kernels.MULTIPLY,
    "maximum": kernels.MAXIMUM,
    "minimum": kernels.MINIMUM,
}


@dataclass(frozen=True)
class Program:
    """What the exact kernels execute.

    Attributes
    ----------
    code, starts
        Instructions as int64, and where each starts.
    layers
        The name of the layer of each instruction.
    table
        Weights and lookup tables, int64.
    rows
        Rows of the workspace: one feature of all jets of a block each. The inputs come first, one after another.
    results, out_rows
        The tensors that come out, and the row of each of their elements, one tensor after another.
    row
        The first row of every tensor by name, while it is needed.
    """

    code: NDArray[np.int64]
    starts: NDArray[np.int64]
    layers: tuple[str, ...]
    table: NDArray[np.int64]
    rows: int
    inputs: tuple[Tensor, ...]
    results: tuple[Tensor, ...]
    out_rows: NDArray[np.int64]
    row: dict[str, int]


class _Rows:
    """Rows of the workspace: first fit, given back when the last reader is done."""

    def __init__(self) -> None:
        self.size = 0
        self._free: list[tuple[int, int]] = []

    def take(self, n: int) -> int:
        for k, (first, length) in enumerate(self._free):
            if length >= n:
                self._free[k : k + 1] = [(first + n, length - n)] if length > n else []
                return first
        first = self.size
        self.size += n
        return first

    def give(self, first: int, n: int) -> None:
        merged: list[tuple[int, int]] = []
        for start, length in sorted([*self._free, (first, n)]):
            if merged and merged[-1][0] + merged[-1][1] == start:
                merged[-1] = (merged[-1][0], merged[-1][1] + length)
            else:
                merged.append((start, length))
        self._free = merged


class Assembler:
    """Collects instructions, tables and rows while the layers are lowered one after another."""

    def __init__(self, ranges: Ranges) -> None:
        self.ranges = ranges
        self.rows = _Rows()
        self.row: dict[str, int] = {}  # first row of each tensor that is alive
        self.code: list[int] = []
        self.starts: list[int] = []
        self.layers: list[str] = []
        self._tables: list[NDArray[np.int64]] = []
        self._table_size = 0
        self._known: dict[bytes, int] = {}

    def table(self, values: NDArray | Sequence[int]) -> int:
        """The place of `values` in the table; equal arrays share it."""
        array = np.asarray(values)
        if array.dtype == object and array.size and not -(2**63) <= array.min() <= array.max() < 2**63:
            raise L1emuError("a table or weight needs more than 64 bits")
        flat = np.ascontiguousarray(array, dtype=np.int64).ravel()
        content = flat.tobytes()
        if content not in self._known:
            self._known[content] = self._table_size
            self._tables.append(flat)
            self._table_size += flat.size
        return self._known[content]

    def emit(self, layer: Layer, opcode: int, *operands: int | tuple[int, ...]) -> None:
        """Add one instruction; tuples are casts."""
        self.starts.append(len(self.code))
        self.layers.append(layer.name)
        self.code.append(opcode)
        for operand in operands:
            self.code.extend(map(int, operand) if isinstance(operand, tuple) else (int(operand),))

    def tables(self) -> NDArray[np.int64]:
        return np.concatenate([*self._tables, np.zeros(1, np.int64)])

    def cast(self, interval: Interval, fraction: int, type_: FixedPoint) -> tuple[int, ...]:
        """The cast of values in `interval` at `fraction` to `type_`, with no more work than they need."""
        inner = interval.map(lambda v: rounded(v, fraction, type_))
        code = cast_code(type_, fraction=fraction, overflows=not _within(inner, type_))
        if interval.lowest == interval.highest == 0:
            return kernels.LEFT, 0, kernels.FITS, 0, 0
        return code


def _within(interval: Interval, type_: FixedPoint) -> bool:
    return interval.lowest >= low_of(type_) and interval.highest <= type_.high


@singledispatch
def lower_layer(layer: Layer, asm: Assembler, proof: LayerRange) -> None:
    """Emit the instructions of `layer`, whose output rows are already taken."""
    raise L1emuError("the emulator has no kernel for this kind of layer", where=layer.name, value=layer.kind)


def matrix_block(
    asm: Assembler,
    weight: NDArray[np.int64],
    bias: NDArray[np.int64],
    order: NDArray[np.int64],
    accum: FixedPoint,
    fraction: int,
    proof: tuple[Sum, bool],
    bits: int,
) -> tuple[int, ...]:
    """A matrix for `kernels.matrix`.

    `bias` is of the accumulator's type, the products have `fraction`, and `proof` says how their sums may be computed
    and whether these can wrap; `bits` hold the numbers that are multiplied.
    """
    mode, wraps = proof
    left = max(accum.fraction - fraction, 0) if mode == Sum.ANY_ORDER else 0
    weight = weight.astype(object) << left
    narrow = bits <= 32 and weight.min() >= -(2**31) and weight.max() < 2**31
    return (
        *weight.shape,
        asm.table(weight),
        asm.table(bias),
        asm.table(order),
        mode,
        narrow,
        *cast_code(accum, fraction=fraction, overflows=mode == Sum.STEP),
        *cast_code(accum, fraction=accum.fraction, overflows=wraps or mode == Sum.STEP),
    )


@lower_layer.register(Dense)
def _(layer: Dense, asm: Assembler, proof: LayerRange) -> None:
    accum = layer.accum_type
    assert proof.accumulator is not None
    fraction = layer.inputs[0].type.fraction + layer.weight_type.fraction
    bias = accum.cast(layer.bias, layer.bias_type.fraction)
    temporary = asm.rows.take(1)
    asm.emit(
        layer,
        kernels.OP_DENSE,
        asm.row[layer.inputs[0].name],
        asm.row[layer.output.name],
        layer.positions,
        temporary,
        matrix_block(
            asm,
            layer.weight,
            bias,
            layer.order,
            accum,
            fraction,
            (proof.sum, proof.wraps),
            asm.ranges.tensors[layer.inputs[0].name].bits,
        ),
        asm.cast(proof.accumulator, accum.fraction, layer.output.type),
    )
    asm.rows.give(temporary, 1)


@lower_layer.register(Einsum)
def _(layer: Einsum, asm: Assembler, proof: LayerRange) -> None:
    accum = layer.accum_type
    assert proof.accumulator is not None
    a, b = layer.inputs
    product = a.type.fraction + b.type.fraction
    each: tuple[int, ...] = (*_NO_CAST, 0)
    if layer.product_type is not None:
        assert proof.intermediates is not None
        each = (*asm.cast(proof.intermediates["product"], product, layer.product_type), 1)
        product = layer.product_type.fraction
    fraction = max(accum.fraction, product)
    if proof.sum == Sum.ROUNDED:
        total = cast_code(accum, fraction=product, overflows=proof.wraps)
    else:
        total = cast_code(accum, fraction=fraction, overflows=proof.wraps or proof.sum == Sum.STEP)
    temporary = asm.rows.take(1)
    index_y = np.arange(layer.output.size).reshape(layer.out_shape_interpreted).transpose(layer.out_transpose)
    position = np.empty(layer.output.size, np.int64)
    position[index_y.ravel()] = np.arange(layer.output.size)
    asm.emit(
        layer,
        kernels.OP_EINSUM,
        asm.row[a.name],
        asm.row[b.name],
        asm.row[layer.output.name],
        asm.table(np.arange(a.size).reshape(a.shape).transpose(layer.transpose0)),
        asm.table(np.arange(b.size).reshape(b.shape).transpose(layer.transpose1)),
        asm.table(position),
        layer.inplace,
        layer.free0,
        layer.free1,
        layer.contract,
        proof.sum,
        temporary,
        fraction - accum.fraction,
        fraction - product,
        total,
        asm.cast(proof.accumulator, accum.fraction, layer.output.type),
        each,
    )
    asm.rows.give(temporary, 1)


@lower_layer.register(Softmax)
def _(layer: Softmax, asm: Assembler, proof: LayerRange) -> None:
    x, y = layer.inputs[0], layer.output
    shape = (asm.row[x.name], asm.row[y.name], layer.n_outer, layer.n_slice, layer.n_inner)
    if layer.variant == "argmax":
        one = int(y.type.cast(np.array([1]), 0)[0])
        asm.emit(layer, kernels.OP_ARGMAX, *shape, one)
        return
    if layer.variant == "legacy":
        kind = layer.exp_table_type
        asm.emit(
            layer,
            kernels.OP_LEGACY_SOFTMAX,
            *shape,
            asm.table(layer.exp_table),
            layer.exp_table.size,
            asm.table(layer.inv_table),
            layer.inv_table.size,
            int(kind.cast(np.array([1]), 0)[0]),
            unit(x.type.fraction),
            unit(kind.fraction),
            cast_code(kind, fraction=kind.fraction, overflows=True),
            cast_code(y.type, fraction=layer.inv_table_type.fraction, overflows=True),
        )
        return
    known = proof.intermediates
    assert known is not None and proof.accumulator is not None
    accum, inv_inp = layer.accum_type, layer.inv_inp_type
    if layer.variant == "direct":
        fraction = max(accum.fraction, layer.exp_table_type.fraction)
        temporary = asm.rows.take(1)
        asm.emit(
            layer,
            kernels.OP_DIRECT_SOFTMAX,
            *shape,
            asm.table(layer.exp_table),
            layer.exp_table.size,
            layer.exp_steps,
            layer.exp_range * layer.exp_steps,
            unit(x.type.fraction),
            asm.table(layer.inv_table),
            layer.inv_table.size,
            layer.inv_steps,
            unit(accum.fraction),
            fraction - accum.fraction,
            fraction - layer.exp_table_type.fraction,
            cast_code(accum, fraction=fraction, overflows=proof.wraps or proof.sum == Sum.STEP),
            asm.cast(known["product"], layer.exp_table_type.fraction + layer.inv_table_type.fraction, y.type),
            temporary,
        )
        asm.rows.give(temporary, 1)
        return
    index_type = layer.inp_norm_type or x.type
    size = 2 * layer.n_slice + 1
    temporary = asm.rows.take(size)
    exp_bits, inv_bits = index_bits(layer.exp_table.size), index_bits(layer.inv_table.size)
    asm.emit(
        layer,
        kernels.OP_SOFTMAX,
        *shape,
        {"stable": 1, "relative": -1}.get(layer.variant, 0),
        asm.table(accum.cast(layer.exp_table, layer.exp_table_type.fraction)),
        (1 << exp_bits) - 1,
        min(index_type.width - exp_bits, 63),
        asm.table(layer.inv_table),
        (1 << inv_bits) - 1,
        min(inv_inp.width - inv_bits, 63),
        asm.table([row for pair in reduction(layer.n_slice) for row in pair]),
        temporary,
        asm.cast(known["difference"], x.type.fraction, index_type) if layer.subtracts else _NO_CAST,
        cast_code(accum, fraction=accum.fraction, overflows=proof.wraps),
        asm.cast(proof.accumulator, accum.fraction, inv_inp),
        asm.cast(known["product"], accum.fraction + layer.inv_table_type.fraction, y.type),
    )
    asm.rows.give(temporary, size)


def unit(fraction: int) -> int:
    """What `kernels._to_int` divides by (or, negative, multiplies with) to drop `fraction` bits."""
    return 1 << fraction if fraction >= 0 else -(1 << -fraction)


_NO_CAST = (kernels.LEFT, 0, kernels.FITS, 0, 0)


@lower_layer.register(Relu)
@lower_layer.register(Linear)
def _(layer: Relu | Linear, asm: Assembler, proof: LayerRange) -> None:
    x, y = layer.inputs[0], layer.output
    relu = isinstance(layer, Relu)
    value = asm.ranges.tensors[x.name]
    if relu:
        value = value.map(lambda v: np.maximum(v, 0))
    cast = asm.cast(value, x.type.fraction, y.type)
    asm.emit(layer, kernels.OP_UNARY, asm.row[x.name], asm.row[y.name], y.size, relu, cast)


@lower_layer.register(SlopedRelu)
def _(layer: SlopedRelu, asm: Assembler, proof: LayerRange) -> None:
    x, y = layer.inputs[0], layer.output
    slope, one, fraction = slopes(layer)
    assert proof.accumulator is not None
    threshold = max(min(layer.threshold, x.type.high), x.type.low - 1)
    cast = asm.cast(proof.accumulator, fraction, y.type)
    place = asm.row[x.name], asm.row[y.name], y.size
    asm.emit(layer, kernels.OP_SLOPED, *place, threshold, one, asm.table(slope), slope.size, cast)


@lower_layer.register(TableActivation)
def _(layer: TableActivation, asm: Assembler, proof: LayerRange) -> None:
    x, y = layer.inputs[0], layer.output
    asm.emit(
        layer,
        kernels.OP_TABLE,
        asm.row[x.name],
        asm.row[y.name],
        y.size,
        asm.table(y.type.cast(layer.table, layer.table_type.fraction)),
        layer.table.size,
        *index_code(layer.table.size, 2 * layer.range_half, x.type.fraction),
    )


@lower_layer.register(ClippedLine)
def _(layer: ClippedLine, asm: Assembler, proof: LayerRange) -> None:
    x, y = layer.inputs[0], layer.output
    slope, shift, fraction = line(layer)
    assert proof.accumulator is not None
    cast = asm.cast(proof.accumulator, fraction, y.type)
    place = asm.row[x.name], asm.row[y.name], y.size
    asm.emit(layer, kernels.OP_CLIPPED, *place, slope, shift, *levels(layer, fraction), cast)


@lower_layer.register(HalfTable)
def _(layer: HalfTable, asm: Assembler, proof: LayerRange) -> None:
    x, y = layer.inputs[0], layer.output
    fraction = x.type.fraction + layer.above_type.fraction
    place = asm.row[x.name], asm.row[y.name], y.size
    index = index_code(layer.table.size, 8, x.type.fraction)
    entries = asm.table(layer.entries()), layer.table.size, *index
    # numbers below 0 are cast too, before the table's entry replaces them
    cast = cast_code(y.type, fraction=fraction, overflows=True)
    asm.emit(layer, kernels.OP_HALF_TABLE, *place, layer.above, *entries, cast)


@lower_layer.register(Steps)
def _(layer: Steps, asm: Assembler, proof: LayerRange) -> None:
    x, y = layer.inputs[0], layer.output
    cast = cast_code(x.type, fraction=x.type.fraction, overflows=True) if layer.doubled else _NO_CAST
    place = asm.row[x.name], asm.row[y.name], y.size
    steps = asm.table(layer.thresholds), *layer.thresholds.shape, asm.table(layer.values)
    asm.emit(layer, kernels.OP_STEPS, *place, *steps, 1 + layer.doubled, cast)


@lower_layer.register(Lookup)
def _(layer: Lookup, asm: Assembler, proof: LayerRange) -> None:
    x, y = layer.inputs[0], layer.output
    entries = y.type.cast(layer.table, layer.table_type.fraction)
    place = asm.row[x.name], asm.row[y.name], y.size
    asm.emit(layer, kernels.OP_LOOKUP, *place, asm.table(entries), layer.table.size - 1)


@lower_layer.register(Embedding)
def _(layer: Embedding, asm: Assembler, proof: LayerRange) -> None:
    x, y = layer.inputs[0], layer.output
    entries = asm.table(y.type.cast(layer.table, layer.table_type.fraction))
    asm.emit(layer, kernels.OP_EMBEDDING, asm.row[x.name], asm.row[y.name], x.size, entries, *layer.table.shape)


@lower_layer.register(Merge)
def _(layer: Merge, asm: Assembler, proof: LayerRange) -> None:
    a, b = layer.inputs
    fa, fb = a.type.fraction, b.type.fraction
    known = proof.intermediates
    assert known is not None
    if layer.op == "multiply":
        shift_a = shift_b = 0
        fraction = fa + fb
    else:
        fraction = max(fa, fb)
        shift_a, shift_b = fraction - fa, fraction - fb
    fraction += layer.op == "average"
    asm.emit(
        layer,
        kernels.OP_MERGE,
        asm.row[a.name],
        asm.row[b.name],
        asm.row[layer.output.name],
        layer.output.size,
        _MERGE[layer.op],
        shift_a,
        shift_b,
        asm.cast(known["value"], fraction, layer.output.type),
    )


@lower_layer.register(Concatenate)
def _(layer: Concatenate, asm: Assembler, proof: LayerRange) -> None:
    places = np.arange(layer.output.size).reshape(layer.output.shape)
    first = 0
    for x in layer.inputs:
        length = x.shape[layer.axis]
        part = np.take(places, np.arange(first, first + length), axis=layer.axis)
        first += length
        _gather(layer, asm, x, np.arange(x.size), part.ravel())


@lower_layer.register(Transpose)
def _(layer: Transpose, asm: Assembler, proof: LayerRange) -> None:
    x = layer.inputs[0]
    source = np.arange(x.size).reshape(x.shape).transpose(layer.permutation).ravel()
    _gather(layer, asm, x, source, np.arange(x.size))


@lower_layer.register(Gather)
def _(layer: Gather, asm: Assembler, proof: LayerRange) -> None:
    _gather(layer, asm, layer.inputs[0], layer.source, np.arange(layer.output.size), layer.fill)


def _gather(layer: Layer, asm: Assembler, x: Tensor, source: NDArray, target: NDArray, fill: int = 0) -> None:
    found = asm.ranges.tensors[x.name].join()
    found = Interval(np.minimum(found.low, fill), np.maximum(found.high, fill)) if source.min() < 0 else found
    cast = asm.cast(found, x.type.fraction, layer.output.type)
    rows = asm.row[x.name], asm.row[layer.output.name], source.size
    asm.emit(layer, kernels.OP_GATHER, *rows, asm.table(source), asm.table(target), fill, cast)


@lower_layer.register(Quantize)
def _(layer: Quantize, asm: Assembler, proof: LayerRange) -> None:
    x, y = layer.inputs[0], layer.output
    interval = asm.ranges.tensors[x.name]
    between = asm.rows.take(y.size)
    zeros = np.flatnonzero(layer.which < 0)
    if zeros.size:
        nothing = asm.table(np.full(zeros.size, -1)), asm.table(zeros)
        asm.emit(layer, kernels.OP_GATHER, asm.row[x.name], asm.row[y.name], zeros.size, *nothing, 0, _NO_CAST)
    for kind, places in layer.places():
        at = asm.table(places)
        part = interval.map(lambda v, at=places: v.ravel()[at])  # type: ignore[misc]
        own = cast_interval(part, x.type.fraction, kind)
        first = asm.cast(part, x.type.fraction, kind)
        second = asm.cast(own, kind.fraction, y.type)
        asm.emit(layer, kernels.OP_GATHER, asm.row[x.name], between, places.size, at, at, 0, first)
        asm.emit(layer, kernels.OP_GATHER, between, asm.row[y.name], places.size, at, at, 0, second)
    asm.rows.give(between, y.size)


@lower_layer.register(BatchNormalization)
def _(layer: BatchNormalization, asm: Assembler, proof: LayerRange) -> None:
    scale, bias, fraction = scaled_to_common_fraction(layer)
    assert proof.accumulator is not None
    asm.emit(
        layer,
        kernels.OP_SCALE,
        asm.row[layer.inputs[0].name],
        asm.row[layer.output.name],
        layer.output.size,
        layer.n_filt,
        asm.table(scale),
        asm.table(bias),
        asm.cast(proof.accumulator, fraction, layer.output.type),
    )


@lower_layer.register(GlobalPooling1D)
def _(layer: GlobalPooling1D, asm: Assembler, proof: LayerRange) -> None:
    x, y = layer.inputs[0], layer.output
    place = (asm.row[x.name], asm.row[y.name], *x.shape)
    if layer.op == "max":
        cast = asm.cast(asm.ranges.tensors[x.name].join(), x.type.fraction, layer.accum_type)
        assert proof.accumulator is not None
        asm.emit(
            layer, kernels.OP_MAX_POOL, *place, cast, asm.cast(proof.accumulator, layer.accum_type.fraction, y.type)
        )
        return
    accum = layer.accum_type
    assert proof.accumulator is not None
    fraction = max(accum.fraction, x.type.fraction)
    overflows = proof.wraps or proof.sum == Sum.STEP
    temporary = asm.rows.take(1)
    asm.emit(
        layer,
        kernels.OP_AVERAGE_POOL,
        *place,
        proof.sum,
        fraction - accum.fraction,
        fraction - x.type.fraction,
        temporary,
        asm.table(layer.divisors),
        cast_code(accum, fraction=fraction, overflows=overflows),
        asm.cast(proof.accumulator, accum.fraction, y.type),
    )
    asm.rows.give(temporary, 1)


@lower_layer.register(LayerNormalization)
def _(layer: LayerNormalization, asm: Assembler, proof: LayerRange) -> None:
    x, y, accum = layer.inputs[0], layer.output, layer.accum_type
    known = proof.intermediates
    assert known is not None
    scale, bias, fraction = layer_norm_affine(layer)
    temporary = asm.rows.take(layer.dim + 3)
    asm.emit(
        layer,
        kernels.OP_LAYER_NORM,
        asm.row[x.name],
        asm.row[y.name],
        layer.positions,
        layer.dim,
        asm.table(scale),
        asm.table(bias),
        asm.table(layer.table),
        layer.table.size,
        layer.inverse_dim,
        layer.table.size << layer.range_power2,
        unit(accum.fraction),
        temporary,
        layer.divisor,
        layer.centred,
        -1 if layer.thresholds is None else asm.table(layer.thresholds),
        layer.epsilon,
        cast_code(accum, fraction=x.type.fraction, overflows=True),
        cast_code(accum, fraction=accum.fraction, overflows=True),
        cast_code(accum, fraction=2 * accum.fraction, overflows=True),
        asm.cast(known["value"], fraction, y.type),
    )
    asm.rows.give(temporary, layer.dim + 3)


def lower(firmware: Firmware, ranges: Ranges, results: tuple[Tensor, ...]) -> Program:
    """The program of `firmware`.

    Parameters
    ----------
    results
        The tensors that come out: the firmware's outputs, or those of all layers.

    Raises
    ------
    L1emuError
        for a layer without a kernel, or whose values need more than 64 bits, by name.
    """
    asm = Assembler(ranges)
    root: dict[str, str] = {}  # a reshaped tensor is another name for its source
    for layer in firmware.layers:
        if isinstance(layer, Reshape):
            root[layer.output.name] = root.get(layer.inputs[0].name, layer.inputs[0].name)
    last: dict[str, int] = {}
    for number, layer in enumerate(firmware.layers):
        for tensor in (*layer.inputs, layer.output):
            last[root.get(tensor.name, tensor.name)] = number
    for tensor in results:
        last[root.get(tensor.name, tensor.name)] = len(firmware.layers)
    for tensor in firmware.inputs:
        asm.row[tensor.name] = asm.rows.take(tensor.size)
        last[tensor.name] = len(firmware.layers)  # the next block is loaded to the same rows
    sizes = {tensor.name: tensor.size for layer in firmware.layers for tensor in (*layer.inputs, layer.output)}
    for number, layer in enumerate(firmware.layers):
        proof = ranges.layers[layer.name]
        if proof.widest > 64:
            raise L1emuError(
                "values wider than the emulator's integers", where=layer.name, value=f"{proof.widest} bits"
            )
        if isinstance(layer, Reshape):
            asm.row[layer.output.name] = asm.row[layer.inputs[0].name]
        else:
            asm.row[layer.output.name] = asm.rows.take(layer.output.size)
            lower_layer(layer, asm, proof)
        for name in [n for n, when in last.items() if when == number and n in asm.row]:
            asm.rows.give(asm.row[name], sizes[name])
    out_rows = [asm.row[t.name] + np.arange(t.size) for t in results]
    return Program(
        code=np.array(asm.code, np.int64),
        starts=np.array(asm.starts, np.int64),
        layers=tuple(asm.layers),
        table=asm.tables(),
        rows=asm.rows.size,
        inputs=firmware.inputs,
        results=results,
        out_rows=np.concatenate([np.zeros(0, np.int64), *out_rows]),
        row=asm.row,
    )
