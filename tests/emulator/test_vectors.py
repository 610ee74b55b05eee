"""Vector operations against numpy, on every value that matters; and the times that `explain` gives."""

import dataclasses

import numba
import numpy as np
import pytest

from l1emu.emulator import Emulator, simd
from l1emu.emulator.quantize import quantize_into
from l1emu.emulator.simd import (
    FLOAT_LIMIT,
    FLOAT_ZERO,
    add16,
    and_,
    bytes_of_words,
    const,
    gather_wide,
    load,
    load_block,
    lookup16,
    lookup_bytes,
    mulhrs16,
    pack16,
    pack16_wide,
    round_even,
    round_float,
    saturated_bytes,
    smax16,
    smin16,
    store,
    sub16,
    umin16,
    words_of_bytes,
    words_of_planes,
    xor,
)  # fmt: skip
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware, reference
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from l1emu.layers import Dense, Softmax, Tensor
from tests.emulator.random_firmware import random_firmware, random_inputs
from tests.emulator.tagger_firmware import exponential_table, inverse_table

permuting = pytest.mark.skipif(not simd.features("simd").permute8, reason="this processor has no AVX-512 VBMI")
wide = pytest.mark.skipif(not simd.features("simd").wide, reason="this processor has no AVX-512")


def rounded(values, bits):
    """To the nearest, ties to even, on Python's own integers."""
    return [(v + (1 << bits - 1) - 1 + (v >> bits & 1)) >> bits for v in values.tolist()]


@wide
@pytest.mark.parametrize("bits", [1, 5, 8, 14])
def test_rounding_to_even_is_exact_below_two_to_the_24(bits):
    def run(x, y, biased):
        for k in range(x.size // 16):
            if biased:
                store(y, k, round_even(load(x, k), bits, 1))
            else:
                store(y, k, round_even(load(x, k), bits, 0))

    run = numba.njit(run)
    half = 1 << bits - 1
    edges = np.arange(-4 * half, 4 * half + 1, dtype=np.int64)
    top = (1 << 24) - 1 - half
    rng = np.random.default_rng(1)
    values = np.concatenate(
        [edges, top - np.arange(3 * half), -top + np.arange(3 * half), rng.integers(-top, top, 4096)]
    )
    values = values[: values.size // 16 * 16].astype(np.int32)
    out = np.zeros_like(values)
    run(values, out, False)
    assert out.tolist() == rounded(values, bits)
    run(values + np.int32(half), out, True)
    assert out.tolist() == rounded(values, bits)


@pytest.mark.parametrize("bits", [1, 5, 8, 15, 22])
def test_sums_that_are_floats_round_to_even(bits):
    @numba.njit
    def run(x, y):
        for k in range(x.size // 16):
            store(y, k, round_float(load(x, k), bits, 0))
            store(y, k + x.size // 16, round_float(load(x, k), bits, 128))

    half, top = 1 << bits - 1, FLOAT_LIMIT - 1
    edges = np.concatenate([k * half + np.arange(-2, 3) for k in range(-9, 10)])
    rng = np.random.default_rng(1)
    values = np.concatenate([edges, top - np.arange(100), -top + np.arange(100), rng.integers(-top, top, 4096)])
    values = values[np.abs(values) <= top]
    values = values[: values.size // 16 * 16].astype(np.int32)
    out = np.zeros(2 * values.size, np.int32)
    run(values + np.int32(FLOAT_ZERO), out)
    plain, moved = (out - np.int32(FLOAT_ZERO)).reshape(2, -1)
    assert plain.tolist() == rounded(values, bits)
    assert (moved - 128 == plain).all()


@wide
@pytest.mark.parametrize(("blocks", "entries"), [(1, 64), (2, 128), (4, 256)])
def test_words_are_looked_up(blocks, entries):
    @numba.njit
    def run(table, index, out):
        for k in range(index.size // 16):
            store(out, k, lookup16(table, 1, load(index, k), blocks))

    rng = np.random.default_rng(2)
    words = rng.integers(-(2**15), 2**15, entries).astype(np.int16)
    table = np.concatenate([np.zeros(16, np.int32), words.view(np.int32)])
    index = rng.permutation(np.arange(4 * entries) % entries).astype(np.int16)
    out = np.zeros(index.size // 2, np.int32)
    run(table, index.view(np.int32), out)
    assert (out.view(np.int16) == words[index]).all()


@wide
def test_lanes_are_gathered():
    @numba.njit
    def run(table, index, out):
        store(out, 0, gather_wide(table, 3, load(index, 0)))

    table = np.random.default_rng(3).integers(-(2**31), 2**31, 1000).astype(np.int32)
    index = np.array([0, 996, 5, 5, 7, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1, 2], np.int32)
    out = np.zeros(16, np.int32)
    run(table, index, out)
    assert (out == table[3 + index]).all()


def test_words_are_compared():
    @numba.njit
    def run(a, b, out):
        store(out, 0, smax16(load(a, 0), load(b, 0)))
        store(out, 1, smin16(load(a, 0), load(b, 0)))
        store(out, 2, umin16(load(a, 0), load(b, 0)))

    rng = np.random.default_rng(4)
    a, b = (rng.integers(-(2**15), 2**15, 32).astype(np.int16) for _ in range(2))
    out = np.zeros(48, np.int32)
    run(a.view(np.int32), b.view(np.int32), out)
    found = out.view(np.int16).reshape(3, 32)
    assert (found[0] == np.maximum(a, b)).all()
    assert (found[1] == np.minimum(a, b)).all()
    assert (found[2].view(np.uint16) == np.minimum(a.view(np.uint16), b.view(np.uint16))).all()


@wide
def test_products_of_words_round_to_even():
    """Every product of small words near a tie: where the opposite product differs, the last bit is cleared."""

    @numba.njit
    def run(a, b, out):
        for k in range(a.size // 16):
            x, y = load(a, k), load(b, k)
            product = mulhrs16(x, y)
            tie = add16(product, mulhrs16(x, sub16(const(0), y)))
            store(out, k, and_(product, xor(tie, const(-1))))

    values = np.concatenate([np.arange(1, 130), [2048, 4096, 8191, 8192, 16384, 32767]]).astype(np.int16)
    a, b = (grid.ravel()[: values.size**2 // 32 * 32].copy() for grid in np.meshgrid(values, values))
    out = np.zeros(a.size // 2, np.int32)
    run(a.view(np.int32), b.view(np.int32), out)
    assert out.view(np.int16).tolist() == rounded(a.astype(np.int64) * b, 15)


@permuting
@pytest.mark.parametrize("blocks", [1, 2, 3, 4])
def test_bytes_are_looked_up(blocks):
    @numba.njit
    def run(table, index, out):
        for k in range(index.size // 16):
            store(out, k, lookup_bytes(table, 1, load(index, k), blocks))

    rng = np.random.default_rng(3)
    entries = rng.integers(0, 256, 64 * blocks).astype(np.uint8)
    table = np.concatenate([np.zeros(16, np.int32), entries.view(np.int32)])
    index = rng.permutation(np.arange(16 * entries.size) % entries.size).astype(np.uint8)
    out = np.zeros(index.size // 4, np.int32)
    run(table, index.view(np.int32), out)
    assert (out.view(np.uint8) == entries[index]).all()


@wide
def test_words_go_through_bytes_and_come_back():
    @numba.njit
    def run(v, out):
        found = saturated_bytes(load(v, 0), load(v, 1))
        store(out, 0, words_of_planes(found, const(0), 0))
        store(out, 1, words_of_planes(found, const(-1), 1))

    v = np.concatenate([np.arange(-3, 30) * 20, np.arange(31)]).astype(np.int16)
    out = np.zeros(32, np.int32)
    run(v.view(np.int32), out)
    found = out.view(np.uint16)
    assert (found[:32] == np.clip(v[:32], 0, 255)).all()
    assert (found[32:] == np.clip(v[32:], 0, 255) + 0xFF00).all()


@wide
def test_lower_halves_are_paired():
    @numba.njit
    def run(v, out):
        store(out, 0, pack16_wide(load(v, 0), load(v, 1)))
        store(out, 1, pack16(load(v, 0), load(v, 1)))

    v = np.random.default_rng(4).integers(-(2**31), 2**31, 32).astype(np.int32)
    out = np.zeros(32, np.int32)
    run(v, out)
    assert (out.view(np.uint16).reshape(2, 16, 2) == v.view(np.uint16)[::2].reshape(2, 16).T).all()


@wide
@pytest.mark.parametrize("half", [0, 1])
def test_bytes_and_words_are_exchanged(half):
    @numba.njit
    def run(v, out):
        if half:
            store(out, 0, words_of_bytes(load(v, 0), 1))
        else:
            store(out, 0, words_of_bytes(load(v, 0), 0))
        store(out, 1, bytes_of_words(load(v, 0), load(v, 1)))

    v = np.random.default_rng(8).integers(-(2**15), 2**15, 64).astype(np.int16)
    v[:20] = np.arange(-2, 18) * 20
    out = np.zeros(32, np.int32)
    run(v.view(np.int32), out)
    bytes_ = v[:32].view(np.uint8).reshape(16, 4)
    assert (out[:16].view(np.int16).reshape(16, 2) == bytes_[:, 2 * half : 2 * half + 2]).all()
    expected = np.clip(np.concatenate([v[:32].reshape(16, 2), v[32:].reshape(16, 2)], axis=1), 0, 255)
    assert (out[16:].view(np.uint8).reshape(16, 4) == expected).all()


@pytest.mark.parametrize(("pack", "zero"), [(1, 0), (2, 0), (4, 0), (4, -128)])
@pytest.mark.parametrize("n", [16, 5])
def test_blocks_of_jets_are_transposed(pack, zero, n):
    @numba.njit
    def run(raw, out, n):
        return load_block(raw, 3, 2, n, out, 1, pack, zero, 0, 32, 1, 0, 0, 0, 0)

    bits = 32 // pack
    low = zero if pack == 4 else -(1 << bits - 1)
    raw = np.random.default_rng(5).integers(low, low + (1 << bits), (20, 16 * pack + 7)).astype(np.int32)
    out = np.zeros(17 * 16, np.int32)
    assert run(raw, out, n) == 0
    kind = {1: np.uint32, 2: np.uint16, 4: np.uint8}[pack]
    found = out[16:].view(kind).reshape(16, 16, pack)  # vector, jet, place
    jets = [2 + j if j < n else 2 for j in range(16)]
    expected = (raw[jets, 3 : 3 + 16 * pack] - zero).astype(kind).reshape(16, 16, pack)
    assert (found == expected.transpose(1, 0, 2)).all()
    assert not out[:16].any()


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (np.float32, "simd"),
        *(pytest.param(*how, marks=pytest.mark.exhaustive) for how in [(np.float64, "simd"), (np.float32, "portable")]),
    ],
)
@pytest.mark.parametrize(
    "type_",
    [
        "ap_fixed<16,6>",
        "ap_fixed<8,4>",
        "ap_fixed<25,9>",
        "ap_ufixed<9,5>",
        "ap_uint<10>",
        "ap_fixed<7,3,AP_TRN_ZERO>",
        "ap_fixed<12,6,AP_TRN,AP_SAT>",
        "ap_fixed<8,6,AP_RND_CONV,AP_SAT>",
        "ap_ufixed<11,4,AP_RND,AP_SAT_SYM>",
        "ap_fixed<24,12,AP_RND,AP_SAT>",
        "ap_fixed<24,4,AP_RND_CONV,AP_SAT_SYM>",
        "ap_fixed<13,9,AP_RND_CONV>",
    ],
)
def test_floats_go_straight_into_the_kernels_unless_they_need_care(type_, kind, target):
    """As the type's own cast has it, halves too; in later chunks, large, infinite and tiny; NaN is refused."""
    type_ = FixedPoint.parse(type_)
    x, y = Tensor("x", (64,), type_), Tensor("y", (4,), FixedPoint(30, 24 - type_.fraction))
    rng = np.random.default_rng(6)
    weight = rng.integers(-3, 4, (64, 4))
    layer = Dense(
        "dense", (x,), y, positions=1, n_in=64, n_out=4, weight=weight, weight_type=FixedPoint(8, 2),
        bias=np.arange(4), bias_type=FixedPoint(8, 2), order=np.arange(64),
        accum_type=FixedPoint(40, 34 - type_.fraction),
    )  # fmt: skip
    firmware = Firmware("dense", "Vitis", (x,), (y,), (layer,))
    emulator = Emulator(firmware, target=target, threads=1)
    assert emulator._program.takes_floats
    given = rng.normal(0, 20, (2500, 64)).astype(kind)
    given[5, :4], given[1300, 7], given[2400, 63] = [-1e-40, 1e-40, 40.0, -0.0], np.inf, 3e9
    given[::7] = rng.integers(-2000, 2000, given[::7].shape) / 2.0 ** (type_.fraction + 1)
    given[1500, 8], given[1501, 9] = 2.0**22 / 2.0**type_.fraction, -(2.0**22) / 2.0**type_.fraction
    expected = reference.run(firmware, {"x": type_.from_float(given)})["y"]
    assert len(np.unique(expected)) > 1000
    np.testing.assert_array_equal(emulator(given), y.type.to_float(expected))
    given.flags.writeable = False
    np.testing.assert_array_equal(emulator(given[::-1]), y.type.to_float(expected[::-1]))
    given = given.copy()
    given[2100, 9] = np.nan
    with pytest.raises(L1emuError, match=r"NaN.*x\[2100, 9\]|x\[2100, 9\].*NaN"):
        emulator(given)


@pytest.mark.parametrize("target", ["simd", "portable", "exact"])
def test_the_times_of_layers_add_up(target):
    firmware = random_firmware(6, 5)
    emulator = Emulator(firmware, target=target)
    assert all(row.ns is None for row in emulator.explain().rows)
    x = {t.name: np.zeros((64, *t.shape)) for t in firmware.inputs}
    found = emulator.explain(x)
    assert found.other_ns is not None
    times = [row.ns for row in found.rows if row.ns is not None]
    assert times and all(0 <= t < 1e7 for t in times)
    assert sum(times) > 0
    assert "ns/jet" in str(found) and "ns a jet on one core" in str(found)


@wide
@pytest.mark.parametrize("by_bytes", [pytest.param(True, marks=permuting), False])
@pytest.mark.parametrize(("width", "scale", "entries"), [(9, 8.0, 64), (9, 1.0, 128), (10, 0.5, 256), (12, 0.1, 0)])
@pytest.mark.parametrize("rounding", [Rounding.RND_CONV, Rounding.RND, Rounding.TRN])
def test_a_softmax_of_words_looks_up_what_differs_and_clips_the_rest(
    monkeypatch, width, scale, entries, rounding, by_bytes
):
    """Until the exponential is constant, up to 256 entries; beyond that it is gathered."""
    features = dataclasses.replace(simd.features("simd"), permute8=by_bytes)
    monkeypatch.setattr(simd, "features", lambda target: features)
    score = FixedPoint(width, width - 3, True, Rounding.RND, Overflow.SAT)
    table = FixedPoint(12, 1, False, Rounding.RND, Overflow.SAT)
    argument = FixedPoint(width, width - 3, False, Rounding.RND, Overflow.SAT)
    inverse_input = FixedPoint(10, 5, False, Rounding.RND_CONV, Overflow.SAT)
    x = Tensor("x", (3, 8), score)
    layer = Softmax(
        "softmax", (x,), Tensor("y", (3, 8), FixedPoint(8, 0, False, rounding, Overflow.SAT)),
        variant="stable", n_outer=3, n_slice=8, n_inner=1,
        exp_table=exponential_table(table, argument, 1 << width, scale), exp_table_type=table,
        inv_table=inverse_table(table, inverse_input, 1024), inv_table_type=table,
        accum_type=FixedPoint(18, 6, False), inv_inp_type=inverse_input, inp_norm_type=argument,
    )  # fmt: skip
    firmware = Firmware("softmax", "Vitis", (x,), (layer.output,), (layer,))
    emulator = Emulator(firmware, threads=1)
    source = emulator._program.program.source
    looked_up = [line for line in source.splitlines() if f" = lookup{'_bytes' if by_bytes else '16'}(" in line]
    assert bool(looked_up) == (entries > 0)
    assert all(int(line[-2]) <= entries // 64 for line in looked_up)
    assert (" = mulhrs16(" in source) == (entries > 0 and rounding != Rounding.TRN)
    inputs = random_inputs(firmware, 200)
    expected = reference.run(firmware, inputs)["y"]
    np.testing.assert_array_equal(emulator.raw(inputs), expected)
    assert len(np.unique(expected)) > 3


@pytest.mark.parametrize("columns", [5, 16, 37])
@pytest.mark.parametrize(
    "type_", ["ap_fixed<10,4>", "ap_fixed<16,6>", "ap_ufixed<8,3>", "ap_int<6>", "ap_fixed<8,4,AP_RND,AP_SAT>"]
)
def test_floats_of_single_precision_are_quantized_as_their_doubles(columns, type_):
    """By blocks where a cast cuts and wraps; NaN is met, and what is large, infinite or tiny takes the slow way."""
    kind = FixedPoint.parse(type_)
    rng = np.random.default_rng(7)
    x = rng.normal(0, 20, (300, columns)).astype(np.float32)
    edges = np.float32(
        [0.0, -0.0, 1e-40, -1e-40, 1e9, -1e9, 3e9, 1e30, -1e30, np.inf, -np.inf, 0.015624999, 1.0 - 2**-24]
    )
    x[::3, 0], x[::5, -1] = rng.choice(edges, 100), rng.choice(edges, 60)
    found, expected = np.zeros((300, columns + 2), np.int32), np.zeros((300, columns + 2), np.int64)
    assert not quantize_into(x, found, 1, kind)
    assert not quantize_into(x.astype(np.float64), expected, 1, kind)
    assert (found == expected).all()
    x[17, columns // 2] = np.nan
    assert quantize_into(x, found, 1, kind)
