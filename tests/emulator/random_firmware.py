"""Random small firmware of every kind of layer, built from the layer classes, and inputs that reach the extremes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.firmware import Firmware
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from l1emu.layers import (
    BatchNormalization,
    ClippedLine,
    Concatenate,
    Dense,
    Einsum,
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
    Softmax,
    Steps,
    TableActivation,
    Tensor,
    Transpose,
)
from l1emu.layers.recurrent import GateFunction
from l1emu.layers.softmax import index_bits

Rng = np.random.Generator


def random_type(rng: Rng, low: int = 2, high: int = 14, *, signed: bool | None = None) -> FixedPoint:
    """A type of `low` to `high` bits in any mode, WRAP and SAT most often; seldom an integer type."""
    width = int(rng.integers(low, high + 1))
    is_signed = bool(rng.random() < 0.8) if signed is None else signed
    if rng.random() < 0.05:
        return FixedPoint.int_type(width, is_signed)
    rounding = rng.choice([*Rounding, Rounding.TRN, Rounding.TRN, Rounding.RND, Rounding.RND_CONV])
    overflow = rng.choice([*Overflow, Overflow.WRAP, Overflow.SAT])
    integer = int(rng.integers(-1, width + 2))
    return FixedPoint(width, integer, is_signed, Rounding(str(rounding)), Overflow(str(overflow)))


def random_raw(rng: Rng, type_: FixedPoint, shape: tuple[int, ...]) -> Ints:
    """Raw values: uniform, small, and the type's limits and their neighbours."""
    uniform = rng.integers(type_.low, type_.high, shape, endpoint=True)
    edges = np.array([type_.low, type_.low + 1, type_.high, type_.high - 1, 0, min(1, type_.high)])
    edges = np.clip(edges, type_.low, type_.high)
    return np.where(rng.random(shape) < 0.25, rng.choice(edges, shape), uniform).astype(np.int64)


def accumulator(rng: Rng, fraction: int, bits: int) -> FixedPoint:
    """An accumulator for terms at `fraction`: as often wide and exact as narrow, lossy, wrapping or saturating."""
    if rng.random() < 0.4:
        return FixedPoint(bits + 2, bits + 2 - fraction)
    lost = int(rng.integers(-2, 5))
    width = int(rng.integers(3, bits + 2))
    modes = random_type(rng, 4, 4, signed=True)
    if modes.is_integer:
        return FixedPoint.int_type(width)
    return FixedPoint(width, width - (fraction - lost), True, modes.rounding, modes.overflow)


class Builder:
    """Grows a firmware layer by layer from the tensors that it has."""

    def __init__(self, rng: Rng, shape: tuple[int, ...], inputs: int = 1) -> None:
        self.rng = rng
        self.inputs = tuple(Tensor(f"x{i}", shape, random_type(rng, 3, 12)) for i in range(inputs))
        self.tensors = list(self.inputs)
        self.layers: list[Layer] = []

    def add(
        self, make: Callable[[str, Tensor], Layer], shape: tuple[int, ...], type_: FixedPoint | None = None
    ) -> Tensor:
        name = f"layer{len(self.layers) + 1}"
        output = Tensor(f"{name}_out", shape, type_ or random_type(self.rng))
        self.layers.append(make(name, output))
        self.tensors.append(output)
        return output

    def pick(self, dims: int | None = None) -> Tensor | None:
        fitting = [t for t in self.tensors if dims is None or len(t.shape) == dims]
        return fitting[int(self.rng.integers(max(0, len(fitting) - 4), len(fitting)))] if fitting else None

    def dense(self) -> None:
        rng, x = self.rng, self.pick()
        assert x is not None
        n_in = x.shape[-1]
        positions, n_out = x.size // n_in, int(rng.integers(1, 6))
        weight_type, bias_type = random_type(rng, 2, 8, signed=True), random_type(rng, 2, 8)
        bits = x.type.width + weight_type.width + n_in.bit_length()
        accum = accumulator(rng, x.type.fraction + weight_type.fraction, bits)
        weight = random_raw(rng, weight_type, (n_in, n_out)) * (rng.random((n_in, n_out)) < 0.8)
        order = rng.permutation(n_in) if rng.random() < 0.5 else np.arange(n_in)
        bias = random_raw(rng, bias_type, (n_out,))
        self.add(
            lambda name, y: Dense(
                name, (x,), y, positions, n_in, n_out, weight, weight_type, bias, bias_type, accum, order
            ),
            (*x.shape[:-1], n_out),
        )

    def einsum(self) -> None:
        rng, a = self.rng, self.pick(2)
        if a is None:
            return self.dense()
        free0, contract = a.shape
        fitting = [t for t in self.tensors if len(t.shape) == 2 and contract in t.shape]
        b = fitting[int(rng.integers(len(fitting)))]
        transpose1 = (0, 1) if b.shape[1] == contract else (1, 0)
        free1 = b.size // contract
        out_transpose = (0, 1) if rng.random() < 0.5 else (1, 0)
        bits = a.type.width + b.type.width + contract.bit_length()
        fraction, each = a.type.fraction + b.type.fraction, None
        if rng.random() < 0.4:  # each product is cast
            each = random_type(rng, 6, 16, signed=True)
            fraction, bits = each.fraction, each.width + contract.bit_length()
        accum = accumulator(rng, fraction, bits)
        shape = (free0, free1) if out_transpose == (0, 1) else (free1, free0)
        self.add(
            lambda name, y: Einsum(
                name,
                (a, b),
                y,
                (0, 1),
                transpose1,
                1,
                free0,
                free1,
                contract,
                (free0, free1),
                out_transpose,
                accum,
                each,
            ),
            shape,
        )
        return None

    def softmax(self) -> None:
        rng, x = self.rng, self.pick()
        assert x is not None
        n_slice = x.shape[-1]
        outer, inner = x.size // n_slice, 1
        if len(x.shape) == 2 and rng.random() < 0.3:
            n_slice, outer, inner = x.shape[0], 1, x.shape[1]
        variant = str(rng.choice(["stable", "stable", "relative", "latency", "argmax", "legacy", "direct"]))
        signed = bool(rng.random() < 0.3) or variant == "relative"
        norm = random_type(rng, 4, 10, signed=signed) if variant in ("stable", "relative") else None
        inv_inp = random_type(rng, 4, 10)
        address = norm or x.type
        exp_type, inv_type = random_type(rng, 6, 14), random_type(rng, 6, 14)
        accum = random_type(rng, 6, 16)
        exp_size = 1 << int(rng.integers(1, min(address.width, 8) + 1))
        inv_size = 1 << int(rng.integers(1, min(inv_inp.width, 8) + 1))
        assert index_bits(exp_size) <= address.width
        ranges = (0, 0)
        if variant == "direct":
            ranges, inv_inp = (int(rng.integers(1, 5)), int(rng.integers(1, 9))), accum
            exp_size, inv_size = int(rng.integers(2 * ranges[0], 65)), int(rng.integers(ranges[1], 65))
        if variant == "legacy":
            exp_size, inv_size = int(rng.integers(3, 65)), int(rng.integers(3, 65))
        empty = variant == "argmax"
        exp_table = random_raw(rng, exp_type, (0 if empty else exp_size,))
        inv_table = random_raw(rng, inv_type, (0 if empty else inv_size,))
        self.add(
            lambda name, y: Softmax(
                name,
                (x,),
                y,
                variant,  # type: ignore[arg-type]
                outer,
                n_slice,
                inner,
                exp_table,
                exp_type,
                inv_table,
                inv_type,
                accum,
                inv_inp,
                norm,
                *ranges,
            ),
            x.shape,
        )

    def unary(self) -> None:
        x = self.pick()
        assert x is not None
        kind = Relu if self.rng.random() < 0.5 else Linear
        self.add(lambda name, y: kind(name, (x,), y), x.shape)

    def quantize(self) -> None:
        rng, x = self.rng, self.pick()
        assert x is not None
        kinds = tuple(random_type(rng, 2, 10) for _ in range(int(rng.integers(1, 4))))
        kinds = tuple(dict.fromkeys(kind for kind in kinds if not kind.is_integer)) or (FixedPoint(6, 3),)
        which = rng.integers(-1, len(kinds), x.size)
        self.add(lambda name, y: Quantize(name, (x,), y, kinds, which), x.shape)

    def table(self) -> None:
        rng, x = self.rng, self.pick()
        assert x is not None
        table_type, size = random_type(rng, 4, 14), int(rng.integers(2, 100))
        table = random_raw(rng, table_type, (size,))
        half = int(rng.choice([4, 8]))
        self.add(lambda name, y: TableActivation(name, (x,), y, "tanh", table, table_type, half), x.shape)

    def piecewise(self) -> None:
        rng, x = self.rng, self.pick()
        assert x is not None
        kinds = [random_type(rng, 2, 10) for _ in range(2)]
        raw = [int(random_raw(rng, kind, ())) for kind in kinds]
        which = int(rng.integers(4))
        if which == 0 and max(x.type.fraction + kinds[0].fraction, kinds[1].fraction) >= 0:
            top, symmetric = int(rng.integers(1, 7)), bool(rng.random() < 0.5)
            self.add(
                lambda name, y: ClippedLine(name, (x,), y, raw[0], kinds[0], raw[1], kinds[1], top, symmetric), x.shape
            )
        elif which == 1:
            table_type, size = random_type(rng, 4, 14), int(rng.integers(2, 100))
            table = random_raw(rng, table_type, (size,))
            self.add(
                lambda name, y: HalfTable(name, (x,), y, "elu", table, table_type, raw[0], kinds[0], raw[1], kinds[1]),
                x.shape,
            )
        elif which == 2:
            channels = x.shape[-1] if rng.random() < 0.5 else 1
            thresholds = np.sort(random_raw(rng, x.type, (int(rng.integers(1, 4)), channels)), axis=0)
            doubled = bool(rng.random() < 0.5)
            self.add(
                lambda name, y: Steps(
                    name, (x,), y, thresholds, random_raw(rng, y.type, (len(thresholds) + 1,)), doubled
                ),
                x.shape,
            )
        else:
            table_type = random_type(rng, 4, 14)
            table = random_raw(rng, table_type, (1 << x.type.width,))
            self.add(lambda name, y: Lookup(name, (x,), y, table, table_type), x.shape)

    def gathered(self, x: Tensor, places: Ints, type_: FixedPoint) -> Tensor:
        """Some numbers of `x`, cast to a type."""
        picked = self.add(lambda name, y: Gather(name, (x,), y, places, 0), places.shape, x.type)
        return self.add(lambda name, y: Linear(name, (picked,), y), places.shape, type_)

    def recurrent(self) -> None:
        rng, x = self.rng, self.pick()
        assert x is not None
        n_in, n = x.shape[-1], int(rng.integers(1, 4))
        steps = x.size // n_in
        cells: tuple[Literal["gru", "lstm"], ...] = ("gru", "lstm")
        cell = cells[int(rng.integers(len(cells)))]
        width = n * (3 if cell == "gru" else 4)
        kinds = [random_type(rng, 2, 7, signed=True) for _ in range(4)]
        shapes = [(n_in, width), (width,), (n, width), (width,)]
        weights = [random_raw(rng, kind, shape) for kind, shape in zip(kinds, shapes, strict=True)]
        bits = max(x.type.width + kinds[0].width, 10 + kinds[2].width) + 3
        while (accum := accumulator(rng, x.type.fraction + kinds[0].fraction, min(bits, 16))).fraction < 0:
            pass
        result = random_type(rng, 4, 10)
        names: tuple[GateFunction, ...] = ("sigmoid", "tanh", "relu")
        functions: list[tuple[GateFunction, Ints, FixedPoint]] = []
        for _ in range(2):
            kind, size = random_type(rng, 4, 12), int(rng.integers(2, 60))
            functions.append((names[int(rng.integers(len(names)))], random_raw(rng, kind, (size,)), kind))
        given = []
        for _ in range(int(rng.random() < 0.4) * (1 if cell == "gru" else 2)):
            given.append(self.gathered(x, rng.integers(0, x.size, n), result))
        sequences, backward, swapped = (bool(rng.random() < 0.5) for _ in range(3))
        orders = [rng.permutation(n_in), rng.permutation(n)]
        self.add(
            lambda name, y: Recurrent(
                name,
                (x, *given),
                y,
                cell,
                steps,
                n_in,
                n,
                sequences,
                backward,
                swapped,
                weights[0],
                kinds[0],
                weights[1],
                kinds[1],
                orders[0],
                weights[2],
                kinds[2],
                weights[3],
                kinds[3],
                orders[1],
                accum,
                *functions[0],
                *functions[1],
            ),
            (steps, n) if sequences else (n,),
            result,
        )

    def merge(self) -> None:
        rng, a = self.rng, self.pick()
        assert a is not None
        fitting = [t for t in self.tensors if t.shape == a.shape]
        b = fitting[int(rng.integers(len(fitting)))]
        op = str(rng.choice(["add", "subtract", "multiply", "average", "maximum", "minimum"]))
        self.add(lambda name, y: Merge(name, (a, b), y, op), a.shape)  # type: ignore[arg-type]

    def concatenate(self) -> None:
        rng, a = self.rng, self.pick()
        assert a is not None
        axis = int(rng.integers(len(a.shape)))
        rest = a.shape[:axis] + a.shape[axis + 1 :]
        fitting = [
            t for t in self.tensors if len(t.shape) == len(a.shape) and t.shape[:axis] + t.shape[axis + 1 :] == rest
        ]
        b = fitting[int(rng.integers(len(fitting)))]
        if a.size + b.size > 60:
            return self.unary()
        shape = (*a.shape[:axis], a.shape[axis] + b.shape[axis], *a.shape[axis + 1 :])
        self.add(lambda name, y: Concatenate(name, (a, b), y, axis), shape)
        return None

    def batchnorm(self) -> None:
        rng, x = self.rng, self.pick()
        assert x is not None
        n = x.shape[-1] if rng.random() < 0.7 else x.size
        scale_type, bias_type = random_type(rng, 3, 8), random_type(rng, 3, 8)
        scale, bias = random_raw(rng, scale_type, (n,)), random_raw(rng, bias_type, (n,))
        self.add(lambda name, y: BatchNormalization(name, (x,), y, scale, scale_type, bias, bias_type, n), x.shape)

    def pool(self) -> None:
        rng, x = self.rng, self.pick(2)
        if x is None:
            return self.unary()
        op = str(rng.choice(["average", "average", "max"]))
        accum = accumulator(rng, x.type.fraction, x.type.width + x.shape[0].bit_length())
        counts = tuple(int(n) for n in rng.integers(1, 9, x.shape[1])) if rng.random() < 0.3 else ()
        self.add(
            lambda name, y: GlobalPooling1D(name, (x,), y, op, accum, counts),  # type: ignore[arg-type]
            (x.shape[1],),
        )
        return None

    def layernorm(self) -> None:
        rng, x = self.rng, self.pick()
        assert x is not None
        dim = x.shape[-1]
        accum = random_type(rng, 6, 16, signed=True)
        table_type = random_type(rng, 4, 10, signed=False)
        scale_type, bias_type = random_type(rng, 3, 8), random_type(rng, 3, 8)
        table = random_raw(rng, table_type, (int(rng.choice([16, 64])),))
        scale, bias = random_raw(rng, scale_type, (dim,)), random_raw(rng, bias_type, (dim,))
        power, divisor = int(rng.integers(0, 3)), int(rng.choice([1, 1, 3, 8]))
        bounds = np.sort(random_raw(rng, table_type, table.shape)) if rng.random() < 0.4 else None
        epsilon = 0 if bounds is None else int(rng.integers(0, accum.high, endpoint=True))
        self.add(
            lambda name, y: LayerNormalization(
                name,
                (x,),
                y,
                x.size // dim,
                dim,
                scale,
                scale_type,
                bias,
                bias_type,
                accum,
                table,
                table_type,
                power,
                divisor,
                bool(rng.random() < 0.7),
                bounds,
                epsilon,
            ),
            x.shape,
        )

    def move(self) -> None:
        rng, x = self.rng, self.pick()
        assert x is not None
        if rng.random() < 0.5:
            shape: tuple[int, ...] = (x.size,) if len(x.shape) > 1 or x.size % 2 else (2, x.size // 2)
            self.add(lambda name, y: Reshape(name, (x,), y), shape, x.type)
        else:
            permutation = tuple(int(a) for a in rng.permutation(len(x.shape)))
            shape = tuple(x.shape[a] for a in permutation)
            self.add(lambda name, y: Transpose(name, (x,), y, permutation), shape)

    def firmware(self, layers: int) -> Firmware:
        kinds = [
            self.dense,
            self.einsum,
            self.softmax,
            self.unary,
            self.quantize,
            self.quantize,
            self.table,
            self.piecewise,
            self.recurrent,
            self.merge,
            self.concatenate,
            self.batchnorm,
            self.pool,
            self.layernorm,
            self.move,
        ]
        while len(self.layers) < layers:
            kinds[int(self.rng.integers(len(kinds)))]()
        read = {t.name for layer in self.layers for t in layer.inputs}
        outputs = tuple(t for t in self.tensors if t.name not in read and t not in self.inputs)
        return Firmware("random", "Vitis", self.inputs, outputs, tuple(self.layers))


def random_firmware(seed: int, layers: int) -> Firmware:
    """The firmware of `seed`, with `layers` layers of any kind."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 5)), int(rng.integers(1, 6))) if rng.random() < 0.8 else (int(rng.integers(1, 9)),)
    return Builder(rng, shape, inputs=int(rng.integers(1, 3))).firmware(layers)


class _CleanBuilder(Builder):
    """Lossless or wrapping sums and narrow tensors, so that packed kernels can take every layer."""

    def __init__(self, rng: Rng, shape: tuple[int, ...]) -> None:
        super().__init__(rng, shape)
        self.inputs = (Tensor("x0", shape, FixedPoint(9, 4)),)
        self.tensors = list(self.inputs)

    def add(
        self, make: Callable[[str, Tensor], Layer], shape: tuple[int, ...], type_: FixedPoint | None = None
    ) -> Tensor:
        return super().add(make, shape, type_ or clean_type(self.rng))


def clean_type(rng: Rng) -> FixedPoint:
    """A type of 6 to 10 bits in any mode but SAT_ZERO."""
    while True:
        type_ = random_type(rng, 6, 10)
        if type_.overflow != Overflow.SAT_ZERO:
            return type_


def clean_firmware(seed: int, layers: int) -> Firmware:
    """Random firmware with shapes and types that suit packed kernels, though not every layer is clean."""
    rng = np.random.default_rng(seed)
    return _CleanBuilder(rng, (4, 8)).firmware(layers)


def random_inputs(firmware: Firmware, jets: int, seed: int = 0) -> dict[str, Ints]:
    """Raw inputs by name; the first rows are all lowest, all highest, all zero."""
    rng = np.random.default_rng(seed)
    inputs = {}
    for tensor in firmware.inputs:
        raw = random_raw(rng, tensor.type, (jets, *tensor.shape))
        for row, value in enumerate((tensor.type.low, tensor.type.high, 0)[:jets]):
            raw[row] = value
        # a cast to such a type never gives its lowest value
        lowest = tensor.type.low + (tensor.type.signed and tensor.type.overflow is Overflow.SAT_SYM)
        inputs[tensor.name] = np.maximum(raw, lowest)
    return inputs
