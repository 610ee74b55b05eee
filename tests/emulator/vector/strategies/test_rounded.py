"""Packed kernels for products that are rounded one by one, on random shapes, types and magnitudes."""

from __future__ import annotations

import numpy as np
import pytest

from l1emu import Emulator, Firmware
from l1emu.firmware import reference, tables
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Dense, Einsum, Softmax, Tensor
from tests.emulator.outputs import several, single


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
