"""Blocks of jets and floats on their way into vectors."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

from l1emu.emulator import Emulator
from l1emu.emulator.vector.blocks import cast_of_floats, quantize_block
from l1emu.emulator.vector.features import cpu_flags
from l1emu.emulator.vector.llvm import OPERATIONS
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware, reference
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Dense, Tensor
from tests.emulator.outputs import single

TYPES = [
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
]
EDGES = [0.0, -0.0, 1e-40, -1e-40, 0.5, -0.5, 0.49999997, -0.25, 1.5, -1.5, 40.0, -40.0, 1e9, -1e9, 3e9, 1e30, -1e30]


def forms(name: str) -> Any:
    """An operation's meaning and, where this processor has what it needs, what is compiled."""
    found = OPERATIONS[name]
    return [found.meaning, *([found.compiled] if found.needs <= cpu_flags() else [])]


@pytest.mark.parametrize("name", ["load_block", "load_block_wide"])
@pytest.mark.parametrize(("pack", "zero"), [(1, 0), (2, 0), (4, 0), (4, -128)])
@pytest.mark.parametrize("n", [16, 5])
def test_blocks_of_jets_are_transposed(name: str, pack: int, zero: int, n: int) -> None:
    bits = 32 // pack
    low = zero if pack == 4 else -(1 << bits - 1)
    raw = np.random.default_rng(5).integers(low, low + (1 << bits), (20, 16 * pack + 7)).astype(np.int32)
    kind = {1: np.uint32, 2: np.uint16, 4: np.uint8}[pack]
    jets = [2 + j if j < n else 2 for j in range(16)]
    expected = (raw[jets, 3 : 3 + 16 * pack] - zero).astype(kind).reshape(16, 16, pack)
    for load_block in forms(name):

        def run(raw: Any, out: Any, n: Any, load_block: Any = load_block) -> Any:
            return load_block(raw, 3, 2, n, out, 1, pack, zero, 0, 32, 1, 0, 0, 0, 0)

        out = np.zeros(17 * 16, np.int32)
        run = run if load_block is OPERATIONS[name].meaning else numba.njit(run)
        assert run(raw, out, n) == 0
        found = out[16:].view(kind).reshape(16, 16, pack)  # vector, jet, place
        assert (found == expected.transpose(1, 0, 2)).all()
        assert not out[:16].any()


@pytest.mark.parametrize(("pack", "signed", "zero"), [(1, 0, 0), (2, 0, 0), (4, 0, 0), (4, 0, -128), (4, 1, 0)])
@pytest.mark.parametrize("vectors", [16, 3])
def test_blocks_are_unpacked_jet_by_jet(vectors: int, pack: int, signed: int, zero: int) -> None:
    kind = {1: np.int32, 2: np.int16, 4: np.int8 if signed else np.uint8}[pack]
    held = np.iinfo(kind)
    numbers = np.random.default_rng(8).integers(held.min, held.max, (16, vectors, pack), endpoint=True)  # jet, vector
    for unpack_block in forms("unpack_block"):

        def run(V: Any, at: Any, unpack_block: Any = unpack_block) -> Any:
            unpack_block(V, at, 20, vectors, pack, signed, zero)

        V = np.full((20 + 16 * pack + 1) * 16, 77, np.int32)
        V[16 : 16 * (1 + vectors)] = (
            np.ascontiguousarray(numbers.transpose(1, 0, 2)).astype(kind).ravel().view(np.int32)
        )
        run = run if unpack_block is OPERATIONS["unpack_block"].meaning else numba.njit(run)
        run(V, 1)
        found = V[20 * 16 : -16].reshape(16, 16 * pack)
        assert (found[:, : vectors * pack] == numbers.reshape(16, -1) + zero).all()
        assert (V[-16:] == 77).all()


@pytest.mark.parametrize("kind", [np.float32, pytest.param(np.float64, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("name", ["load_block", "load_block_wide"])
@pytest.mark.parametrize("text", TYPES)
def test_floats_are_cast_in_blocks_unless_they_need_care(name: str, text: str, kind: type[np.floating[Any]]) -> None:
    """What is returned as right is the type's own cast; what is NaN or out of reach is told, by the meaning too."""
    type_ = FixedPoint.parse(text)
    cast = cast_of_floats(type_)
    assert cast is not None
    pack = 1 if type_.width > 16 else 2
    rng = np.random.default_rng(6)
    blocks = [rng.normal(0, 3, (16, 32)), rng.integers(-200, 200, (16, 32)) / 2.0 ** (type_.fraction + 1)]
    blocks += [np.resize(rng.permutation(EDGES[:12]), (16, 32)), *(np.full((16, 32), edge) for edge in EDGES)]
    blocks += [np.where(rng.integers(0, 500, (16, 32)) == 0, odd, 0.25) for odd in (np.nan, np.inf, -np.inf, 1e30)]
    fine, form = [], forms(name)
    for load_block in form:

        def run(raw: Any, out: Any, load_block: Any = load_block) -> Any:
            return load_block(raw, 0, 0, 16, out, 0, pack, 0, *cast)

        if load_block is not OPERATIONS[name].meaning:
            text = f"def run(raw, out): return f(raw, 0, 0, 16, out, 0, {pack}, 0, {', '.join(map(str, cast))})"
            space = {"f": load_block}
            exec(text, space)
            run = numba.njit(space["run"])
        answers = []
        for block in blocks:
            given, out = block.astype(kind), np.zeros(256, np.int32)
            odd = bool(run(given, out))
            answers.append(odd)
            if np.isnan(given[:, : 16 * pack]).any():
                assert odd
            elif not odd:
                raw = type_.from_float(given.astype(np.float64)[:, : 16 * pack])
                shown = out.view({1: np.int32, 2: np.int16}[pack]).reshape(16, 16, pack).transpose(1, 0, 2)
                assert (shown.reshape(16, -1) == raw.astype(shown.dtype)).all()
        fine.append(answers)
    # the meaning tells the same, but for numbers whose exponent a form cannot hold
    assert all(any_of or not least for any_of, least in zip(fine[-1], fine[0], strict=True))
    assert not all(fine[0])


def test_floats_are_quantized_in_blocks() -> None:
    edges = np.array([*EDGES, np.nan, np.inf, -np.inf, *np.arange(-6, 6) / 8], np.float32)
    x = np.concatenate([np.random.default_rng(3).normal(0, 30, 96).astype(np.float32), edges])
    quantize: Any = quantize_block  # numba takes its intrinsics for functions with a typing context
    run: Any = numba.njit(lambda x, at, out, bits: quantize(x, at, out, 16, np.float32(4.0), np.int32(bits)))
    told = set()
    for at, bits in [(0, 0), (16, 22), (77, 25), (81, 3), (96, 0), (112, 0), (110, 24)]:
        outs = np.zeros((2, 40), np.int32)
        odd = [bool(run(x, at, outs[0], bits))]
        odd.append(bool(OPERATIONS["quantize_block"].meaning(x, at, outs[1], 16, 4.0, bits)))
        assert odd[0] == odd[1]
        assert odd[0] or (outs[0] == outs[1]).all()
        told.add(odd[0])
    assert told == {True, False}


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (np.float32, "simd"),
        *(pytest.param(*how, marks=pytest.mark.exhaustive) for how in [(np.float64, "simd"), (np.float32, "portable")]),
    ],
)
@pytest.mark.parametrize("text", TYPES)
def test_floats_go_straight_into_the_kernels_unless_they_need_care(
    text: str, kind: type[np.floating[Any]], target: str
) -> None:
    """As the type's own cast has it, halves too; in later chunks, large, infinite and tiny; NaN is refused."""
    type_ = FixedPoint.parse(text)
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
    np.testing.assert_array_equal(single(emulator(given)), y.type.to_float(expected))
    given.flags.writeable = False
    np.testing.assert_array_equal(single(emulator(given[::-1])), y.type.to_float(expected[::-1]))
    given = given.copy()
    given[2100, 9] = np.nan
    with pytest.raises(L1emuError, match=r"NaN.*x\[2100, 9\]|x\[2100, 9\].*NaN"):
        emulator(given)
