"""Layer normalizations and softmaxes on one int32 a lane, in the types of hls4ml's defaults and beside them."""

from __future__ import annotations

import numpy as np
import pytest

from l1emu.emulator.passes.analyse import analyse
from l1emu.emulator.passes.lower import lower
from l1emu.emulator.passes.plan import plan
from l1emu.emulator.vector.features import Features
from l1emu.firmware import Firmware, reference, tables
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from l1emu.layers import Layer, LayerNormalization, Softmax, Tensor
from tests.emulator.planned import interpreted_outputs
from tests.emulator.random_firmware import random_inputs, random_raw

DEFAULT = FixedPoint(16, 6)
TABLE = FixedPoint(18, 8, True, Rounding.RND, Overflow.SAT)
NARROW = FixedPoint(14, 4, True, Rounding.RND_CONV, Overflow.SAT)


def said_of(layer: Layer, *, jets: int = 40) -> str:
    """What is said of the arithmetic of a layer, which must give the bits of its reference."""
    firmware = Firmware("one", "Vitis", layer.inputs, (layer.output,), (layer,))
    inputs, ranges = random_inputs(firmware, jets), analyse(firmware)
    features, results = Features(True, "vnni", True, True), firmware.outputs
    program = plan(firmware, ranges, lower(firmware, ranges, results), features, results)
    raw = inputs["x"].reshape(jets, -1).astype(np.int32)
    expected = reference.run(firmware, inputs)["y"]
    np.testing.assert_array_equal(interpreted_outputs(firmware, features, raw, results), expected.reshape(jets, -1))
    assert len(np.unique(expected)) > 1
    return program.arithmetic[layer.name]


@pytest.mark.parametrize(
    ("data", "accum", "result", "biases", "said"),
    [
        (DEFAULT, DEFAULT, DEFAULT, FixedPoint(12, 2), "int32, tables"),
        (DEFAULT, NARROW, DEFAULT, FixedPoint(16, 2), "int32, tables, doubles"),  # a bias finer than the result
        (FixedPoint(8, 3), FixedPoint(12, 5), FixedPoint(20, 6), FixedPoint(8, 2), "int32, tables"),
        (FixedPoint(8, 3), NARROW, FixedPoint(8, 4, True, Rounding.RND, Overflow.SAT), FixedPoint(8, 2), "int32"),
        (FixedPoint(24, 8), FixedPoint(24, 8), DEFAULT, DEFAULT, "int64"),
    ],
)
def test_a_layer_normalization(
    data: FixedPoint, accum: FixedPoint, result: FixedPoint, biases: FixedPoint, said: str
) -> None:
    rng, scales, dim = np.random.default_rng(1), FixedPoint(12, 3), 6
    x, y = Tensor("x", (3, dim), data), Tensor("y", (3, dim), result)
    table_type = FixedPoint(16, 6)
    roots = table_type.from_float(1 / np.sqrt(np.arange(1, 257) / 32))
    layer = LayerNormalization(
        "norm", (x,), y, 3, dim, random_raw(rng, scales, (dim,)), scales, random_raw(rng, biases, (dim,)), biases,
        accum, roots, table_type, 3,
    )  # fmt: skip
    assert said in said_of(layer)


@pytest.mark.parametrize("variant", ["stable", "latency", "legacy", "argmax"])
@pytest.mark.parametrize("inner", [1, 3])
@pytest.mark.parametrize("result", [DEFAULT, FixedPoint(9, 1, False, Rounding.TRN, Overflow.SAT)])
def test_a_softmax_of_defaults(variant: str, inner: int, result: FixedPoint) -> None:
    """Numbers of 20 bits, too many to tabulate, along any axis, by the tables of hls4ml."""
    data, plain = FixedPoint(20, 8), FixedPoint(18, 8)
    x, y = Tensor("x", (2, 5, inner), data), Tensor("y", (2, 5, inner), result)
    rng = np.random.default_rng(2)
    if variant == "legacy":
        exps, inverses = tables.legacy_exponential(1024, plain), tables.legacy_inverse(1024, plain)
    else:
        exps, inverses = (np.sort(rng.integers(0, TABLE.high, 1024, endpoint=True)) for _ in range(2))
    if variant == "argmax":
        exps = inverses = np.zeros(0, np.int64)
    kind = plain if variant == "legacy" else TABLE
    layer = Softmax(
        "softmax", (x,), y, variant, 2, 5, inner,  # type: ignore[arg-type]
        exps, kind, inverses, kind, TABLE, TABLE, FixedPoint(18, 8, False) if variant == "stable" else None,
    )  # fmt: skip
    said = said_of(layer)
    assert said == ("int32" if variant == "argmax" else "int32, tables")
