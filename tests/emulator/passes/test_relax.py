"""Every kind of layer without overflow and rounding is its real-number function; each loss shows in its own step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pytest

from l1emu.arraytypes import Floats, Ints
from l1emu.emulator.passes.relax import relaxed, run_relaxed
from l1emu.emulator.relax import Relaxed
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import (
    KINDS,
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
    TreeAverage,
)
from l1emu.layers import BatchNormalization as Batch
from l1emu.layers.merge import Operation
from l1emu.layers.softmax import Variant

RNG = np.random.default_rng(11)
JETS = 40


def fixed(text: str) -> FixedPoint:
    return FixedPoint.parse(f"ap_fixed<{text}>")


OWN = fixed("12,5")  # of the inputs
FINE = fixed("26,9")  # what a relaxed layer before it gives
AMPLE = fixed("44,14")
WEIGHT = fixed("8,2")
LADDER = [Relaxed(*(i < n for i in range(4))) for n in range(5)]
CAUSES = ["accumulator overflow", "result overflow", "accumulator rounding", "result rounding"]
ALL = LADDER[-1]
NARROW, COARSE = {"accum": fixed("31,1"), "result": fixed("29,-1")}, {"accum": fixed("17,14"), "result": fixed("15,14")}


@dataclass(frozen=True)
class Case:
    """A layer for types of its accumulator and its result, and the function that it stands for.

    `inner` is whether it has an accumulator that overflows and one that rounds; `types` are its inputs', and `fine`
    finer ones that it may be given; `result` whether its result's type rounds and overflows.
    """

    make: Callable[[FixedPoint, FixedPoint], Layer]
    function: Callable[..., Floats]
    inner: tuple[bool, bool] = (False, False)
    result: tuple[bool, bool] = (True, True)
    fine: FixedPoint | None = FINE
    exact: bool = True


def weights(*shape: int) -> Ints:
    return RNG.integers(-128, 128, shape)


W, B = weights(6, 3), weights(3)
W_FLOAT, B_FLOAT = WEIGHT.to_float(W), WEIGHT.to_float(B)
TABLE_TYPE = fixed("18,8")
CURVE = TABLE_TYPE.from_float(1 / (1 + np.exp(-(np.arange(1024) / 64 - 8))))
ELU = TABLE_TYPE.from_float(np.expm1(-np.arange(1024) / 128))
EVERY = TABLE_TYPE.from_float(np.sin(np.arange(4096)) * 3)
ROWS = weights(5, 3)
EXP, INV = fixed("20,3"), fixed("20,3")
ONE = FixedPoint.int_type(2)


def x_of(*shape: int) -> tuple[Tensor, ...]:
    return (Tensor("x", shape, OWN),)


def two(*shape: int) -> tuple[Tensor, ...]:
    return Tensor("x", shape, OWN), Tensor("y", shape, OWN)


def out(kind: FixedPoint, *shape: int) -> Tensor:
    return Tensor("out", shape, kind)


def looked_up(table: Ints, kind: FixedPoint, x: Floats, half: int) -> Floats:
    """The C++ table over [-half, half): positions toward zero, the ends beyond."""
    size = len(table)
    index = np.trunc(x * size / (2 * half)) + size // 2
    places: Ints = np.clip(index, 0, size - 1).astype(int)
    return kind.to_float(table)[places]


def top(x: Floats, kind: FixedPoint, size: int) -> Ints:
    """The table's entry for a number by the top bits of its type, which saturates."""
    raw = np.clip(np.floor(x * 2.0**kind.fraction), kind.low, kind.high).astype(np.int64)
    bits = (size - 1).bit_length()
    places: Ints = (raw >> (kind.width - bits)) & (size - 1)
    return places


DISTANCE, TOTAL = FixedPoint.parse("ap_ufixed<12,5>"), FixedPoint.parse("ap_ufixed<12,4>")
EXP_TABLE = EXP.from_float(np.exp(-np.arange(1024) / 32))
INV_TABLE = INV.from_float(1 / np.maximum(np.arange(1024) / 64, 0.3))
LATENCY_TABLE = EXP.from_float(np.exp(np.where(np.arange(1024) < 512, np.arange(1024), np.arange(1024) - 1024) / 512))
LEGACY_EXP = EXP.from_float(np.minimum(np.exp((np.arange(1024) - 512) / 64), 3.5))
LEGACY_INV = INV.from_float(1 / np.maximum(np.arange(1024) / 16, 0.3))
DIRECT_INV = INV.from_float(1 / np.maximum(np.arange(1024) / 16, 0.3))


def softmax(variant: Variant, exp: Ints, inv: Ints, accum: FixedPoint, result: FixedPoint, **ranges: int) -> Softmax:
    norm = DISTANCE if variant == "stable" else None
    exp_type = accum if variant == "legacy" else EXP
    return Softmax(
        "l", x_of(5), out(result, 5), variant, 1, 5, 1, exp, exp_type, inv, INV, accum, TOTAL, norm, **ranges
    )


def by_tables(index: Ints, exp: Ints) -> Floats:
    e = EXP.to_float(exp)[index]
    return e * INV.to_float(INV_TABLE)[top(e.sum(axis=1), TOTAL, 1024)][:, None]


def legacy(x: Floats) -> Floats:
    kind = fixed("20,3")
    y = np.empty_like(x)
    for i in range(x.shape[1]):
        total = np.ones(len(x))
        for j in range(x.shape[1]):
            if i != j:
                total += looked_up(LEGACY_EXP, kind, x[:, j] - x[:, i], 8)
        y[:, i] = INV.to_float(LEGACY_INV)[np.clip(np.trunc(total * 16), 0, 1023).astype(int)]
    return y


def direct(x: Floats) -> Floats:
    e: Floats = EXP.to_float(LEGACY_EXP)[np.clip(np.trunc(x * 64) + 512, 0, 1023).astype(int)]
    inverse: Floats = INV.to_float(DIRECT_INV)[np.clip(np.trunc(e.sum(axis=1) * 16), 0, 1023).astype(int)][:, None]
    return e * inverse


SCALE, SHIFT = weights(6), weights(6)


def layernorm(x: Floats) -> Floats:
    rows = x.reshape(len(x), 2, 6)
    d: Floats = rows - rows.mean(axis=2, keepdims=True)
    index = np.clip(np.trunc((d**2).mean(axis=2) * 1024 / 128), 0, 1023).astype(int)
    root: Floats = TABLE_TYPE.to_float(ROOTS)[index][:, :, None]
    return d * root * WEIGHT.to_float(SCALE) + WEIGHT.to_float(SHIFT)


ROOTS = TABLE_TYPE.from_float(1 / np.sqrt(np.arange(1024) / 8 + 0.01))
RECURRENT = {name: weights(3, 8) for name in ("kernel", "recurrent")} | {
    name: weights(8) for name in ("bias", "recurrent_bias")
}


def recurrent(
    cell: Literal["gru", "lstm"], sequences: bool, accum: FixedPoint, result: FixedPoint, *, states: bool = False
) -> Recurrent:
    width = {"gru": 6, "lstm": 8}[cell]
    given = tuple(Tensor(f"s{i}", (2,), result) for i in range({"gru": 1, "lstm": 2}[cell] if states else 0))
    return Recurrent(
        "l", (*x_of(4, 3), *given), out(result, *((4, 2) if sequences else (2,))), cell, 4, 3, 2, sequences,
        False, False, RECURRENT["kernel"][:, :width], WEIGHT, RECURRENT["bias"][:width], WEIGHT, np.arange(3),
        RECURRENT["recurrent"][:2, :width], WEIGHT, RECURRENT["recurrent_bias"][:width], WEIGHT, np.arange(2),
        accum, "sigmoid", CURVE, TABLE_TYPE, "tanh", TANH, TABLE_TYPE,
    )  # fmt: skip


TANH = TABLE_TYPE.from_float(np.tanh(np.arange(1024) / 128 - 4))


def run_cell(cell: str, sequences: bool, x: Floats, *states: Floats) -> Floats:
    width = {"gru": 6, "lstm": 8}[cell]
    w, u = WEIGHT.to_float(RECURRENT["kernel"][:, :width]), WEIGHT.to_float(RECURRENT["recurrent"][:2, :width])
    b, c = WEIGHT.to_float(RECURRENT["bias"][:width]), WEIGHT.to_float(RECURRENT["recurrent_bias"][:width])
    s, memory, *_ = [*states, np.zeros((len(x), 2)), np.zeros((len(x), 2))]
    found = []
    for t in range(4):
        a, h = x.reshape(len(x), 4, 3)[:, t] @ w + b, s @ u + c
        if cell == "gru":
            gates = looked_up(CURVE, TABLE_TYPE, (a + h)[:, :4], 8)
            z, r = gates[:, :2], gates[:, 2:]
            value = looked_up(TANH, TABLE_TYPE, a[:, 4:] + r * h[:, 4:], 4)
            rest: Floats = 1 - z
            s = value * rest + s * z
        else:
            i, f, o = (looked_up(CURVE, TABLE_TYPE, (a + h)[:, 2 * k : 2 * k + 2], 8) for k in (0, 1, 3))
            memory = looked_up(TANH, TABLE_TYPE, (a + h)[:, 4:6], 4) * i + memory * f
            s = o * looked_up(TANH, TABLE_TYPE, memory, 4)
        found.append(s)
    return np.stack(found, axis=1) if sequences else s


def hgq(accum: FixedPoint, result: FixedPoint) -> Layer:
    types = (replace(result, integer=result.integer, width=result.width), fixed("40,12"))
    return Quantize("l", x_of(6), out(AMPLE, 6), types, np.array([0, 0, 0, 1, 1, 1]))


def merge(op: Operation) -> Callable[[FixedPoint, FixedPoint], Layer]:
    return lambda accum, result: Merge("l", two(6), out(result, 6), op)


def flat(x: Floats) -> Floats:
    return x.reshape(len(x), -1)


OF_TWO: dict[Operation, Callable[[Floats, Floats], Floats]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "average": lambda x, y: (x + y) / 2,
    "maximum": np.maximum,
    "minimum": np.minimum,
}

CASES: dict[str, Case] = {
    "batchnorm": Case(
        lambda a, r: Batch("l", x_of(6), out(r, 6), SCALE, WEIGHT, SHIFT, WEIGHT, 6),
        lambda x: x * WEIGHT.to_float(SCALE) + WEIGHT.to_float(SHIFT),
    ),
    # slope 0.2 and shift 0.5 in types of their own; from 0 to 1, and from -1 to 1
    "clippedline": Case(
        lambda a, r: ClippedLine("l", x_of(6), out(r, 6), 13, fixed("8,2"), 32, fixed("8,2"), 1, False),
        lambda x: np.clip(x * 13 / 64 + 0.5, 0, 1),
    ),
    "clippedline symmetric": Case(
        lambda a, r: ClippedLine("l", x_of(6), out(r, 6), 13, fixed("8,2"), 32, fixed("8,2"), 1, True),
        lambda x: 2 * np.clip(x * 13 / 64 + 0.5, 0, 1) - 1,
    ),
    "clippedline six": Case(
        lambda a, r: ClippedLine("l", x_of(6), out(r, 6), 1, ONE, 0, ONE, 6, False), lambda x: np.clip(x, 0, 6)
    ),
    "concatenate": Case(
        lambda a, r: Concatenate("l", two(2, 3), out(r, 4, 3), 0), lambda x, y: np.concatenate([flat(x), flat(y)], 1)
    ),
    "dense": Case(
        lambda a, r: Dense("l", x_of(6), out(r, 3), 1, 6, 3, W, WEIGHT, B, WEIGHT, a, np.arange(6)),
        lambda x: x @ W_FLOAT + B_FLOAT,
        (True, True),
    ),
    "einsum": Case(
        lambda a, r: Einsum("l", two(2, 3), out(r, 2, 2), (0, 1), (0, 1), 1, 2, 2, 3, (2, 2), (0, 1), a),
        lambda x, y: np.einsum("jac,jbc->jab", x, y),
        (True, True),
    ),
    "einsum products": Case(
        lambda a, r: Einsum("l", two(2, 3), out(r, 2, 2), (0, 1), (0, 1), 1, 2, 2, 3, (2, 2), (0, 1), AMPLE, a),
        lambda x, y: np.einsum("jac,jbc->jab", x, y),
        (True, True),
    ),
    "embedding": Case(
        lambda a, r: Embedding(
            "l", (Tensor("x", (4,), FixedPoint.int_type(4, signed=False)),), out(r, 4, 3), ROWS, WEIGHT
        ),
        lambda x: WEIGHT.to_float(ROWS)[x.astype(int)],
        fine=None,
    ),
    "gather": Case(
        lambda a, r: Gather("l", x_of(6), out(r, 4), np.array([5, -1, 0, 0]), 320),
        lambda x: np.stack([x[:, 5], np.full(len(x), 2.5), x[:, 0], x[:, 0]], axis=1),
    ),
    "gather of one type": Case(
        lambda a, r: Gather("l", x_of(6), out(OWN, 4), np.array([5, -1, 0, 0]), 320),
        lambda x: np.stack([x[:, 5], np.full(len(x), 2.5), x[:, 0], x[:, 0]], axis=1),
        result=(False, False),
    ),
    "average": Case(
        lambda a, r: GlobalPooling1D("l", x_of(3, 2), out(r, 2), "average", a, (3, 2)),
        lambda x: x.sum(axis=1) / [3, 2],
        (True, True),
        exact=False,
    ),
    "maximum": Case(
        lambda a, r: GlobalPooling1D("l", x_of(3, 2), out(r, 2), "max", a), lambda x: x.max(axis=1), (True, True)
    ),
    # as far as the table: selu's factors
    "halftable": Case(
        lambda a, r: HalfTable("l", x_of(6), out(r, 6), "elu", ELU, TABLE_TYPE, 67, WEIGHT, 112, WEIGHT),
        lambda x: np.where(
            x >= 0,
            x * 67 / 64,
            112 / 64 * TABLE_TYPE.to_float(ELU)[np.clip(np.trunc(-x * 128), 0, 1023).astype(int)],
        ),
    ),
    "layernorm": Case(
        lambda a, r: LayerNormalization(
            "l", x_of(2, 6), out(r, 2, 6), 2, 6, SCALE, WEIGHT, SHIFT, WEIGHT, a, ROOTS, TABLE_TYPE, 0, 128
        ),
        layernorm,
        (True, True),
        exact=False,
    ),
    "linear": Case(lambda a, r: Linear("l", x_of(6), out(r, 6)), lambda x: x),
    "lookup": Case(
        lambda a, r: Lookup("l", x_of(6), out(r, 6), EVERY, TABLE_TYPE),
        lambda x: TABLE_TYPE.to_float(EVERY)[np.round(x * 128).astype(int) & 4095],
        fine=None,
    ),
    **{f"{op} of two": Case(merge(op), function) for op, function in OF_TWO.items()},
    "quantize": Case(hgq, lambda x: x),
    "gru": Case(
        lambda a, r: recurrent("gru", True, a, r), lambda x: run_cell("gru", True, x), (True, True), exact=False
    ),
    "lstm": Case(
        lambda a, r: recurrent("lstm", False, a, r), lambda x: run_cell("lstm", False, x), (True, True), exact=False
    ),
    "gru with a state": Case(
        lambda a, r: recurrent("gru", False, a, r, states=True),
        lambda x, s: run_cell("gru", False, x, s),
        (True, True),
        exact=False,
    ),
    "lstm with states": Case(
        lambda a, r: recurrent("lstm", True, a, r, states=True),
        lambda x, s, c: run_cell("lstm", True, x, s, c),
        (True, True),
        exact=False,
    ),
    "relu": Case(lambda a, r: Relu("l", x_of(6), out(r, 6)), lambda x: np.maximum(x, 0)),
    "reshape": Case(lambda a, r: Reshape("l", x_of(6), out(OWN, 2, 3)), lambda x: x, result=(False, False)),
    "leaky": Case(
        lambda a, r: SlopedRelu("l", x_of(6), out(r, 6), np.array([19]), WEIGHT, 0),
        lambda x: np.where(x > 0, x, 19 / 64 * x),
    ),
    "prelu": Case(
        lambda a, r: SlopedRelu("l", x_of(6), out(r, 6), SCALE, WEIGHT, 0),
        lambda x: np.where(x > 0, x, WEIGHT.to_float(SCALE) * x),
    ),
    "thresholded": Case(
        lambda a, r: SlopedRelu("l", x_of(6), out(r, 6), np.array([0]), WEIGHT, 192), lambda x: np.where(x > 1.5, x, 0)
    ),
    "thresholded below 0": Case(
        lambda a, r: SlopedRelu("l", x_of(6), out(r, 6), np.array([0]), WEIGHT, -192),
        lambda x: np.where(x > -1.5, x, 0),
    ),
    "stable": Case(
        lambda a, r: softmax("stable", EXP_TABLE, INV_TABLE, a, r),
        lambda x: by_tables(top(x.max(axis=1)[:, None] - x, DISTANCE, 1024), EXP_TABLE),
        (True, True),
        exact=False,
    ),
    "latency": Case(
        lambda a, r: softmax("latency", LATENCY_TABLE, INV_TABLE, a, r),
        lambda x: by_tables(top(x, OWN, 1024), LATENCY_TABLE),
        (True, True),
        fine=None,
        exact=False,
    ),
    "legacy": Case(
        lambda a, r: softmax("legacy", LEGACY_EXP, LEGACY_INV, fixed("31,14") if a is AMPLE else EXP, r),
        legacy,
        (True, False),
        exact=False,
    ),
    "direct": Case(
        lambda a, r: softmax("direct", LEGACY_EXP, DIRECT_INV, a, r, exp_range=8, inv_range=64),
        direct,
        (True, True),
        exact=False,
    ),
    "argmax": Case(
        lambda a, r: softmax("argmax", np.zeros(0, int), np.zeros(0, int), a, r),
        lambda x: np.eye(5)[np.argmax(x, axis=1)],
        result=(True, False),
    ),
    # above 0; from 0 on; beyond 1 in both directions, of twice the number
    "binary": Case(
        lambda a, r: Steps("l", x_of(6), out(r, 6), np.array([[1]]), r.cast([-1, 1], 0), False),
        lambda x: np.where(x > 0, 1.0, -1.0),
        result=(True, False),
    ),
    "binary from 0 on": Case(
        lambda a, r: Steps("l", x_of(6), out(r, 6), np.array([[0]]), r.cast([-1, 1], 0), False),
        lambda x: np.where(x >= 0, 1.0, -1.0),
        result=(True, False),
    ),
    "ternary": Case(
        lambda a, r: Steps("l", x_of(6), out(r, 6), np.array([[-127], [129]]), r.cast([-1, 0, 1], 0), True),
        lambda x: 1.0 * (2 * x > 1) + 1.0 * (2 * x > -1) - 1,
        result=(True, False),
    ),
    "table": Case(
        lambda a, r: TableActivation("l", x_of(6), out(r, 6), "sigmoid", CURVE, TABLE_TYPE, 8),
        lambda x: looked_up(CURVE, TABLE_TYPE, x, 8),
    ),
    "transpose": Case(
        lambda a, r: Transpose("l", x_of(2, 3), out(r, 3, 2), (1, 0)), lambda x: x.reshape(-1, 2, 3).transpose(0, 2, 1)
    ),
    "treeaverage": Case(
        lambda a, r: TreeAverage("l", x_of(3, 2), out(r, 2), a), lambda x: x.mean(axis=1), (True, True), exact=False
    ),
}


def given(layer: Layer, kind: FixedPoint | None = None, scale: float = 2.0) -> dict[str, tuple[Tensor, Any]]:
    """Inputs by name, of a type or the layer's own: first a few at and beside the places where functions bend."""
    rng = np.random.default_rng(3)
    found = {}
    for tensor in layer.inputs:
        tensor = tensor if kind is None else replace(tensor, type=kind)
        if tensor.type.is_integer:
            found[tensor.name] = (tensor, rng.integers(0, 5, (JETS, *tensor.shape)))
            continue
        x = rng.normal(0, scale, (JETS, *tensor.shape)).clip(-15.5, 15.5)
        small = 2.0**-tensor.type.fraction
        special = [0.0, small, -small, 1.5, 1.5 + small, 1.5 - small, -1.5, 0.5, 0.5 + small, -0.5, 0.5 - small]
        x[: len(special)] = np.array(special).reshape(-1, *(1 for _ in tensor.shape))
        found[tensor.name] = (tensor, tensor.type.from_float(x))
    return found


def expected(case: Case, inputs: dict[str, tuple[Tensor, Any]]) -> Floats:
    return flat(np.asarray(case.function(*(t.type.to_float(raw) for t, raw in inputs.values())), dtype=np.float64))


def test_every_kind_is_here() -> None:
    assert {type(case.make(AMPLE, AMPLE)) for case in CASES.values()} == set(KINDS.values())


def test_an_unknown_kind_is_none() -> None:
    class Another(Linear):
        kind = "another"

    with pytest.raises(KeyError):
        relaxed(Another("l", x_of(6), out(OWN, 6)), x_of(6), ALL)


@pytest.mark.parametrize("name", CASES)
def test_without_losses_it_is_the_function(name: str) -> None:
    """Also where all its types are far too small, and where a layer before it gives finer and larger numbers."""
    case = CASES[name]
    poor = {"accum": fixed("9,4"), "result": fixed("6,2")}
    for accum, result in ((AMPLE, AMPLE), (poor["accum"], poor["result"])):
        layer = case.make(accum, result)
        for kind in (None, case.fine) if case.fine else (None,):
            inputs = given(layer, kind)
            found = flat(run_relaxed([layer], inputs, ALL))
            right = expected(case, inputs)
            np.testing.assert_allclose(found, right, rtol=0, atol=1e-8 * max(1.0, np.abs(right).max()))


@pytest.mark.parametrize("name", CASES)
def test_nothing_left_out_is_the_layer_itself(name: str) -> None:
    for accum, result in ((AMPLE, AMPLE), (fixed("9,4"), fixed("6,2"))):
        layer = CASES[name].make(accum, result)
        inputs = given(layer)
        raw = layer.reference(*(raw for _, raw in inputs.values()))
        np.testing.assert_array_equal(run_relaxed([layer], inputs, Relaxed()), layer.output.type.to_float(raw))


def losses(case: Case) -> list[str]:
    """What the layer can lose, "nothing" included, in the order of the steps."""
    able = (case.inner[0], case.result[0], case.inner[1], case.result[1])
    return ["nothing", *(cause for cause, can in zip(CAUSES, able, strict=True) if can)]


@pytest.mark.parametrize(("name", "cause"), [(name, cause) for name, case in CASES.items() for cause in losses(case)])
def test_a_loss_shows_in_its_own_step_alone(name: str, cause: str) -> None:
    case = CASES[name]
    types = {"accum": AMPLE, "result": AMPLE}
    if cause != "nothing":
        part = "accum" if cause.startswith("accumulator") else "result"
        types[part] = (NARROW if cause.endswith("overflow") else COARSE)[part]
    layer = case.make(types["accum"], types["result"])
    inputs = given(layer)
    values = [flat(run_relaxed([layer], inputs, how)) for how in LADDER]
    for step, found in enumerate(CAUSES):
        change = np.abs(values[step + 1] - values[step]).max()
        if found == cause:
            assert change > 0.01, found
        else:  # exact, or up to the last bits of a quotient
            assert change <= (0 if case.exact else 1e-6), found
    np.testing.assert_allclose(values[-1], expected(case, inputs), rtol=0, atol=1e-6)


def test_padding_of_a_maximum_stays_below_all() -> None:
    """The lowest number of the type: a relaxed layer before it may give lower ones."""
    layer = Gather("l", x_of(2), out(OWN, 3), np.array([0, -1, 1]), OWN.low)
    x = np.full((1, 2), FINE.low)
    found = run_relaxed([layer], {"x": (Tensor("x", (2,), FINE), x)}, ALL)
    assert found[0, 1] <= found[0, 0] == -(2.0**8)


@pytest.mark.parametrize("size", [256, 1024, 4096, 1 << 16])
def test_numbers_beyond_the_index_of_a_table_take_its_ends(size: int) -> None:
    table = TABLE_TYPE.from_float(np.linspace(-1, 1, size))
    huge = fixed("60,50")
    x = np.array([[2.0**48, -(2.0**48), 2.0**31, -(2.0**31), 2.0**20, -(2.0**20)]])
    inputs = {"x": (Tensor("x", (6,), huge), huge.from_float(x))}
    layer: Layer = TableActivation("l", x_of(6), out(OWN, 6), "tanh", table, TABLE_TYPE, 4)
    ends = TABLE_TYPE.to_float(table[[-1, 0] * 3])
    np.testing.assert_array_equal(run_relaxed([layer], inputs, ALL)[0], ends)
    layer = HalfTable("l", x_of(6), out(OWN, 6), "elu", table, TABLE_TYPE, 1, ONE, 1, ONE)
    np.testing.assert_array_equal(run_relaxed([layer], inputs, ALL)[0, 1::2], ends[[0, 0, 0]])


def test_results_are_within_what_float64_gives() -> None:
    """A chain: what one layer gives exactly, the next reads exactly."""
    first = CASES["dense"].make(fixed("9,4"), fixed("6,2"))
    first = replace(first, output=Tensor("mid", (3,), fixed("6,2")))
    last = TableActivation("b", (first.output,), out(fixed("5,1"), 3), "sigmoid", CURVE, TABLE_TYPE, 8)
    inputs = given(first)
    x = inputs["x"][0].type.to_float(inputs["x"][1])
    right = looked_up(CURVE, TABLE_TYPE, x @ W_FLOAT + B_FLOAT, 8)
    np.testing.assert_array_equal(run_relaxed([first, last], inputs, ALL), right)
