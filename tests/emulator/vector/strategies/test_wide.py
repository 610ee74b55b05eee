"""Sums of more than 32 bits in two of int32, and inputs that are made pairs of int16, on random shapes and types."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import pytest

from l1emu import Emulator, Firmware
from l1emu.arraytypes import Ints
from l1emu.emulator.vector.value import Value
from l1emu.firmware import reference
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from l1emu.layers import Dense, Einsum, Layer, Linear, Relu, Tensor
from tests.emulator.outputs import single
from tests.emulator.planned import LEVELS, arithmetic, interpreted_outputs

_T = TypeVar("_T")


def wide_firmware(seed: int, kind: str) -> Firmware:
    """A dense layer or an einsum with an exact accumulator of 30 to 44 bits, and a ReLU or a cast behind it."""
    rng = np.random.default_rng(seed)

    def pick(*choices: _T) -> _T:
        return choices[int(rng.integers(len(choices)))]

    width, bits = (pick(16, 16, 18, 20, 24), pick(12, 16, 16, 20)) if kind == "dense" else (pick(14, 16), 16)
    data = FixedPoint(width, int(rng.integers(0, width - 3)), pick(True, True, True, False))
    weight = FixedPoint(bits, int(rng.integers(0, bits - 3)))
    positions, n_in, n_out = pick(1, 2, 4), pick(1, 2, 3, 8, 16, 17, 40), pick(1, 2, 4, 5, 8)
    fraction, total = data.fraction + weight.fraction, width + bits + 6
    accum, last = FixedPoint(total, total - fraction), pick(8, 12, 16, 24)
    overflow = pick(Overflow.WRAP, Overflow.SAT, Overflow.SAT)
    out = FixedPoint(last, last - fraction + int(rng.integers(4, 24)), True, pick(*Rounding), overflow)
    x, y = Tensor("x", (positions, n_in), data), Tensor("y", (positions, n_out), pick(accum, out))
    layer: Layer
    if kind == "dense":
        weights = rng.integers(weight.low, weight.high, (n_in, n_out), np.int64, endpoint=True) >> pick(0, 0, 5)
        weights[rng.random(weights.shape) < 0.1], weights[rng.random(weights.shape) < 0.1] = weight.low, weight.high
        bias = rng.integers(weight.low, weight.high, n_out, np.int64, endpoint=True)
        layer = Dense("d", (x,), y, positions, n_in, n_out, weights, weight, bias, weight, accum, np.arange(n_in))
    else:
        turned = bool(rng.random() < 0.5)
        other = Tensor("o", (n_in, n_out) if turned else (n_out, n_in), weight)
        sizes, order = (1, positions, n_out, n_in, (positions, n_out)), (1, 0) if turned else (0, 1)
        layer = Einsum("d", (x, other), y, (0, 1), order, *sizes, (0, 1), accum, None)
    behind = pick(Relu, Linear)("r", (y,), Tensor("z", y.shape, out))
    return Firmware("wide", "Vitis", layer.inputs, (behind.output,), (layer, behind))


def wide_inputs(firmware: Firmware, jets: int) -> dict[str, Ints]:
    """Extremes, small numbers, multiples of 32 that make ties, and random ones."""
    rng, found = np.random.default_rng(5), {}
    for tensor in firmware.inputs:
        low, high = tensor.type.low, tensor.type.high
        raw = rng.integers(low, high, (jets, *tensor.shape), np.int64, endpoint=True)
        third = jets // 3
        raw[:third] = rng.choice([low, low + 1, 0, high], raw[:third].shape)
        raw[third : 2 * third] = np.rint(rng.normal(0, 30, raw[:third].shape)).clip(low, high)
        raw[third : third + third // 2] = (raw[third : third + third // 2] << 5).clip(low, high)
        raw[0], raw[1] = low, high
        found[tensor.name] = raw
    return found


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", ["dense", "einsum"])
def test_wide_sums_mean_the_reference(kind: str, level: str) -> None:
    """Fourteen firmware a level, in two sums of int32 or in one of which the lower bits are all that is kept."""
    found: set[str] = set()
    first = 100 * list(LEVELS).index(level)
    for seed in range(first, first + 14):
        firmware = wide_firmware(seed, kind)
        way = arithmetic(firmware, LEVELS[level])["d"]
        if way.startswith("int64"):
            continue
        found.add(way)
        inputs = wide_inputs(firmware, 30)
        raw = np.concatenate([inputs[t.name].reshape(30, -1) for t in firmware.inputs], axis=1).astype(np.int32)
        expected = reference.run(firmware, inputs)["z"].reshape(30, -1)
        shown = interpreted_outputs(firmware, LEVELS[level], raw)
        np.testing.assert_array_equal(shown, expected, err_msg=f"{seed}: {way}")
    assert "int16 pairs, sums in two int32" in found


def test_the_score_of_16_bits_compiled() -> None:
    """Two sums, rounded to even and saturated, as in a transformer of ap_fixed<16,6>."""
    kind, accum = FixedPoint(16, 6), FixedPoint(35, 15)
    out = FixedPoint(16, 6, True, Rounding.RND_CONV, Overflow.SAT)
    a, b, y = Tensor("a", (4, 8), kind), Tensor("b", (4, 8), kind), Tensor("y", (4, 4), out)
    layer = Einsum("e", (a, b), y, (0, 1), (0, 1), 1, 4, 4, 8, (4, 4), (0, 1), accum, None)
    firmware = Firmware("score", "Vitis", (a, b), (y,), (layer,))
    emulator, inputs = Emulator(firmware, threads=1), wide_inputs(firmware, 300)
    assert emulator.explain().rows[0].arithmetic == "int16 pairs, sums in two int32"
    np.testing.assert_array_equal(single(emulator.raw(inputs)), reference.run(firmware, inputs)["y"])


@pytest.mark.parametrize("data", [FixedPoint(16, 6, signed=False), FixedPoint(14, 6)])
def test_pairs_are_made_of_what_is_stored_as_int32(data: FixedPoint) -> None:
    """Numbers of 16 bits without a sign, and an odd count of them."""
    rng, weight = np.random.default_rng(1), FixedPoint(12, 2)
    x, y = Tensor("x", (2, 15), data), Tensor("y", (2, 6), FixedPoint(16, 6, True, Rounding.RND, Overflow.SAT))
    weights, bias = rng.integers(-700, 700, (15, 6)), rng.integers(-99, 99, 6)
    layer = Dense("d", (x,), y, 2, 15, 6, weights, weight, bias, weight, FixedPoint(40, 20), np.arange(15))
    firmware = Firmware("words", "Vitis", (x,), (y,), (layer,))
    raw = wide_inputs(firmware, 60)["x"]
    expected = reference.run(firmware, {"x": raw})["y"].reshape(60, -1)
    for level in ("vnni", "avx2"):
        assert arithmetic(firmware, LEVELS[level])["d"] == "int16 pairs, sums in int32"
        found = interpreted_outputs(firmware, LEVELS[level], raw.reshape(60, -1).astype(np.int32))
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("rounding", Rounding)
def test_a_last_bit_that_stands_for_all_below_rounds_as_they_do(rounding: Rounding) -> None:
    """Numbers with 7 bits, of which 4 are kept as one that says whether any of them is set."""
    exact = np.arange(-4000, 4000)
    kept = exact >> 4 << 1 | (exact & 15 != 0)
    value = Value(int(kept.min()), int(kept.max()), 4, below=3)
    type_ = FixedPoint(12, 10, True, rounding, Overflow.SAT)
    cast = value.cast(type_)
    assert cast is not None and cast.below == 0 and cast.fraction == type_.fraction
    wide = FixedPoint(12, 10, True, rounding)
    np.testing.assert_array_equal(type_.cast(exact, 7), wide.cast(kept, 4))
    assert value.cast(FixedPoint(12, 5)) is None and value.cast(FixedPoint(12, 9, True, rounding)) is None
    assert value.cast(FixedPoint(20, 13)) == value and value.cast(FixedPoint(8, 1)) is None
