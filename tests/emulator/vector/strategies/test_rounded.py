"""Packed kernels for products that are rounded one by one, on random shapes, types and magnitudes."""

from __future__ import annotations

import numpy as np
import pytest

from l1emu import Emulator, Firmware
from l1emu.arraytypes import Ints
from l1emu.firmware import reference, tables
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from l1emu.layers import Dense, Einsum, Relu, Softmax, Tensor
from tests.emulator.outputs import several, single
from tests.emulator.planned import LEVELS, arithmetic, interpreted_outputs


def rounded_firmware(seed: int) -> Firmware:
    """A dense layer and an einsum with its result, both with products rounded down; the einsum's wrap."""
    rng = np.random.default_rng(seed)
    width = int(rng.integers(8, 20))
    data = FixedPoint(width, width - int(rng.integers(4, min(width, 13))))
    bits = int(rng.integers(4, 14))
    weight = FixedPoint(bits, bits - int(rng.integers(1, bits)))
    lost = int(rng.integers(1, min(16, data.fraction + weight.fraction)))
    fraction = data.fraction + weight.fraction - lost
    accum = FixedPoint(width + bits - lost + 4, width + bits - lost + 4 - fraction)
    positions, n_in, n_out = (int(n) for n in rng.integers(2, 8, 3))
    x = Tensor("x", (positions, n_in), data)
    y = Tensor("y", (positions, n_out), data)
    weights = rng.integers(weight.low, weight.high, (n_in, n_out), np.int64, endpoint=True)
    bias = rng.integers(weight.low, weight.high, n_out, np.int64, endpoint=True)
    dense = Dense("d", (x,), y, positions, n_in, n_out, weights, weight, bias, weight, accum, np.arange(n_in))
    wide = FixedPoint(width + 6, width + 6 - data.fraction - int(rng.integers(0, 3)))
    z = Tensor("z", (positions, positions), wide)
    sizes = (1, positions, positions, n_out, (positions, positions))
    einsum = Einsum("e", (y, y), z, (0, 1), (0, 1), *sizes, (0, 1), wide, data)
    return Firmware("rounded", "Vivado", (x,), (y, z), (dense, einsum))


@pytest.mark.parametrize("seed", [*range(6), *(pytest.param(s, marks=pytest.mark.exhaustive) for s in range(6, 60))])
def test_equals_its_reference(seed: int) -> None:
    firmware = rounded_firmware(seed)
    (x,) = firmware.inputs
    rng = np.random.default_rng(seed)
    # blocks of jets of every magnitude, so that each way to a product is taken
    scale = np.exp2(rng.uniform(0, x.type.width, (40, 1, 1, 1)))
    raw = np.rint(rng.normal(0, 0.3, (40, 16, *x.shape)) * scale).clip(x.type.low, x.type.high).astype(np.int64)
    raw[0] = rng.choice([x.type.low, x.type.high, 0], raw[0].shape)
    flat = raw.reshape(-1, *x.shape)
    expected = reference.run(firmware, flat)
    found = several(Emulator(firmware, threads=1).raw(flat))
    for name in ("y", "z"):
        np.testing.assert_array_equal(found[name], expected[name])


def dense_firmware(seed: int) -> Firmware:
    """A dense layer whose products lose bits one by one, of numbers and weights of any width, and a ReLU."""
    rng = np.random.default_rng(seed)
    width, bits = int(rng.choice([6, 8, 12, 16, 16, 16, 18, 20, 24])), int(rng.choice([4, 8, 12, 16, 16, 18]))
    fraction, fine, lost = int(rng.integers(0, width + 1)), int(rng.integers(0, bits + 3)), int(rng.integers(1, 17))
    data = FixedPoint(width, width - fraction, bool(rng.random() < 0.8))
    weight = FixedPoint(bits, bits - fine)
    total = int(rng.choice([12, 16, 16, 20, 24, *[max(width + bits - lost + 5, 4)] * 2]))
    rounding = [Rounding.TRN, Rounding.TRN, Rounding.TRN, Rounding.RND][int(rng.integers(4))]
    overflow = [Overflow.WRAP, Overflow.WRAP, Overflow.SAT][int(rng.integers(3))]
    signed = bool(rng.random() < 0.9)
    accum = FixedPoint(total, total - (fraction + fine - lost), signed, rounding, overflow)
    out = FixedPoint(int(rng.choice([8, 16, 18])), 6, True, [*Rounding][int(rng.integers(7))], overflow)
    positions, n_in, n_out = (int(rng.choice(n)) for n in ([1, 2, 4], [1, 2, 3, 8, 16, 17, 40], [1, 2, 4, 5]))
    scale = float(rng.choice([0.1, 1.0]))  # of weights, which are within 16 bits after their shift, or not
    weights = np.rint(rng.uniform(weight.low, weight.high, (n_in, n_out)) * scale).astype(np.int64)
    weights[rng.random(weights.shape) < 0.05], weights[rng.random(weights.shape) < 0.05] = weight.low, weight.high
    bias = rng.integers(weight.low, weight.high, n_out, np.int64, endpoint=True)
    x, y = Tensor("x", (positions, n_in), data), Tensor("y", (positions, n_out), out)
    dense = Dense("d", (x,), y, positions, n_in, n_out, weights, weight, bias, weight, accum, np.arange(n_in))
    relu = Relu("r", (y,), Tensor("z", y.shape, FixedPoint(16, 6)))
    return Firmware("rounded", "Vitis", (x,), (relu.output,), (dense, relu))


def dense_inputs(firmware: Firmware, jets: int) -> Ints:
    """Extremes, random numbers and small ones."""
    rng, type_ = np.random.default_rng(3), firmware.inputs[0].type
    raw = rng.integers(type_.low, type_.high, (jets, *firmware.inputs[0].shape), np.int64, endpoint=True)
    third = jets // 3
    raw[:third] = rng.choice([type_.low, type_.low + 1, 0, type_.high], raw[:third].shape)
    raw[third : 2 * third] = np.rint(rng.normal(0, 3, raw[:third].shape)).clip(type_.low, type_.high)
    raw[0], raw[1] = type_.low, type_.high
    return raw


@pytest.mark.parametrize("level", LEVELS)
def test_rounded_products_of_a_dense_layer_mean_the_reference(level: str) -> None:
    """Ten firmware a level; all ways to such products are among them."""
    found: set[str] = set()
    first = 100 * list(LEVELS).index(level)
    for seed in range(first, first + 14):
        firmware = dense_firmware(seed)
        way = arithmetic(firmware, LEVELS[level])["d"]
        if way.startswith("int64"):
            continue
        found.add(way)
        raw = dense_inputs(firmware, 30)
        expected = reference.run(firmware, {"x": raw})["z"].reshape(len(raw), -1)
        shown = interpreted_outputs(firmware, LEVELS[level], raw.reshape(len(raw), -1).astype(np.int32))
        np.testing.assert_array_equal(shown, expected, err_msg=f"{seed}: {way}")
    assert {"int16 pairs, rounded products", "int16 pairs, rounded products, sums in int32"} <= found


def sum_rounded_einsum(seed: int) -> Firmware:
    """An einsum whose sum is rounded down after each product, and wraps or is proven to fit."""
    rng = np.random.default_rng(seed)
    width, lost = int(rng.integers(6, 17)), int(rng.integers(1, 13))
    data = FixedPoint(width, width - int(rng.integers(lost, 15)))
    total = int(rng.choice([12, 16, 16, 20, 2 * width - lost + 4]))
    accum = FixedPoint(total, total - (2 * data.fraction - lost), True, Rounding.TRN, Overflow.WRAP)
    a, b, y = Tensor("a", (3, 5), data), Tensor("b", (4, 5), data), Tensor("y", (3, 4), FixedPoint(12, 5))
    sizes = (1, 3, 4, 5, (3, 4))
    layer = Einsum("d", (a, b), y, (0, 1), (0, 1), *sizes, (0, 1), accum, None)
    return Firmware("rounded", "Vitis", (a, b), (y,), (layer,))


@pytest.mark.parametrize("level", LEVELS)
def test_sums_rounded_after_each_product_mean_the_reference(level: str) -> None:
    found, first = 0, 100 * list(LEVELS).index(level)
    for seed in range(first, first + 12):
        firmware = sum_rounded_einsum(seed)
        if arithmetic(firmware, LEVELS[level])["d"].startswith("int64"):
            continue
        found += 1
        rng, kind = np.random.default_rng(seed), firmware.inputs[0].type
        scale = np.exp2(rng.uniform(0, kind.width, (3, 1, 1, 1)))  # so that each way to a product is taken
        raw = [np.rint(rng.normal(0, 0.3, (3, 16, *t.shape)) * scale).astype(np.int64) for t in firmware.inputs]
        raw = [values.clip(kind.low, kind.high).reshape(48, -1) for values in raw]
        raw[0][:16], raw[1][:16] = (rng.choice([kind.low, kind.high, 0], values[:16].shape) for values in raw)
        inputs = {t.name: values.reshape(48, *t.shape) for t, values in zip(firmware.inputs, raw, strict=True)}
        expected = reference.run(firmware, inputs)["y"].reshape(48, -1)
        shown = interpreted_outputs(firmware, LEVELS[level], np.concatenate(raw, axis=1).astype(np.int32))
        np.testing.assert_array_equal(shown, expected, err_msg=str(seed))
    assert found >= 4


def one_type(weight: float, n_in: int = 16, n_out: int = 8) -> Firmware:
    """A dense layer of numbers, weights and sums of hls4ml's default type."""
    kind, rng = FixedPoint(16, 6), np.random.default_rng(1)
    x, y = Tensor("x", (n_in,), kind), Tensor("y", (n_out,), kind)
    weights = np.rint(rng.uniform(-weight, weight, (n_in, n_out)) * 1024).astype(np.int64)
    bias = rng.integers(-512, 512, n_out)
    dense = Dense("d", (x,), y, 1, n_in, n_out, weights, kind, bias, kind, kind, np.arange(n_in))
    return Firmware("rounded", "Vitis", (x,), (y,), (dense,))


@pytest.mark.parametrize("weight", [0.4, 0.55, 3.0, 31.9])
@pytest.mark.parametrize("n_in", [16, 15])
def test_sums_of_one_type_keep_int16(weight: float, n_in: int) -> None:
    """Weights below a half, some above, most, and all that the type holds."""
    firmware = one_type(weight, n_in)
    raw = dense_inputs(firmware, 60)
    expected = reference.run(firmware, {"x": raw})["y"]
    for level in ("vnni", "plain"):
        assert arithmetic(firmware, LEVELS[level])["d"] == "int16 pairs, rounded products"
        found = interpreted_outputs(firmware, LEVELS[level], raw.astype(np.int32))
        np.testing.assert_array_equal(found, expected)


def test_sums_of_one_type_compiled() -> None:
    firmware = one_type(0.6)
    raw = dense_inputs(firmware, 90)
    found = single(Emulator(firmware, threads=1).raw(raw))
    np.testing.assert_array_equal(found, reference.run(firmware, {"x": raw})["y"])


def test_an_accumulator_narrower_than_what_is_kept_of_it() -> None:
    """Products of more than 32 bits, of which the accumulator keeps 12, and the output bits that it has not."""
    x, y = Tensor("x", (3,), FixedPoint(18, 6)), Tensor("y", (2,), FixedPoint(8, 6))
    weight, accum = FixedPoint(18, 9), FixedPoint(12, -6, signed=False)
    weights = np.array([[131071, -131072], [77777, 3], [-1, 99999]])
    dense = Dense("d", (x,), y, 1, 3, 2, weights, weight, np.zeros(2, np.int64), weight, accum, np.arange(3))
    firmware = Firmware("narrow", "Vitis", (x,), (y,), (dense,))
    raw = dense_inputs(firmware, 64)
    found = interpreted_outputs(firmware, LEVELS["plain"], raw.astype(np.int32))
    np.testing.assert_array_equal(found, reference.run(firmware, {"x": raw})["y"])


@pytest.mark.parametrize("fraction", [4, 9, 12])
def test_a_direct_softmax_of_numbers_coarser_or_finer_than_its_tables(fraction: int) -> None:
    """As in the published car-engine transformer: 256 steps a unit address a table with numbers of 4 to 12 bits."""
    data, table, accum = FixedPoint(7 + fraction, 7), FixedPoint(15, 11), FixedPoint(22, 10)
    x, y = Tensor("x", (6, 10), data), Tensor("y", (6, 10), data)
    exps, inverses = tables.legacy_exponential(2048, table, 4), tables.legacy_inverse(2048, table, 256)
    layer = Softmax("s", (x,), y, "direct", 6, 10, 1, exps, table, inverses, table, accum, accum, None, 4, 256)
    firmware = Firmware("softmax", "Vivado", (x,), (y,), (layer,))
    rng = np.random.default_rng(fraction)
    raw = rng.normal(0, 2.0**fraction, (400, 6, 10)) * np.exp2(rng.integers(-2, 6, (400, 1, 1)))
    raw = np.rint(raw).clip(data.low, data.high).astype(np.int64)
    emulator = Emulator(firmware, threads=1)
    expected = reference.run(firmware, raw)["y"]
    assert len(np.unique(expected)) > 5
    np.testing.assert_array_equal(single(emulator.raw(raw)), expected)
    assert emulator.explain().rows[0].arithmetic == "int32, tables"
