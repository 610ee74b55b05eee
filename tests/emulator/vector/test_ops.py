"""Every vector operation gives the bits of its meaning in numpy, on the values at which such things go wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numba
import numpy as np
import pytest

from l1emu.emulator.vector import blocks, ops, ops_x86  # noqa: F401 (their operations are registered)
from l1emu.emulator.vector.features import LANES, cpu_flags
from l1emu.emulator.vector.llvm import OPERATIONS, Lanes
from l1emu.emulator.vector.ops import FLOAT_LIMIT, FLOAT_ZERO, float_zero

INT32 = [-(2**31), -(2**31) + 1, -65537, -65536, -32769, -32768, -257, -256, -129, -128, -2, -1, 0, 1, 2, 127, 128,
         255, 256, 32767, 32768, 65535, 65536, 2**31 - 2, 2**31 - 1]  # fmt: skip
INT16 = [-(2**15), -(2**15) + 1, -16384, -257, -256, -255, -129, -128, -127, -2, -1, 0, 1, 2, 127, 128, 255, 256,
         16383, 16384, 2**15 - 2, 2**15 - 1]  # fmt: skip
INT8 = [-128, -127, -64, -2, -1, 0, 1, 2, 63, 64, 126, 127]
SHIFTS = range(32)

rng = np.random.default_rng(1)


def grid(edges: Sequence[int], kind: type[np.signedinteger[Any]], count: int) -> list[Lanes]:
    """Vectors of every combination of `edges` of `count` arguments, and some of random bits."""
    drawn = rng.integers(np.iinfo(kind).min, np.iinfo(kind).max, (count, 64), endpoint=True)
    values = np.concatenate([np.array(list(product(edges, repeat=count))).T, drawn], axis=1).astype(kind)
    lane = 64 // values.itemsize
    whole = np.concatenate([values, values[:, : -values.shape[1] % lane]], axis=1)
    return [np.ascontiguousarray(row).view(np.int32) for row in whole]


def beside(*vectors: Lanes) -> list[Lanes]:
    """The same vectors behind an accumulator that is at all edges of int32."""
    accumulator = np.resize(rng.permutation(np.array(INT32 * 3)), vectors[0].size).astype(np.int32)
    return [accumulator, *vectors]


def lanes(count: int) -> Callable[[], list[Lanes]]:
    return lambda: grid(INT32, np.int32, count)


def words(count: int) -> Callable[[], list[Lanes]]:
    return lambda: grid(INT16, np.int16, count)


def octets(count: int) -> Callable[[], list[Lanes]]:
    return lambda: grid(INT8, np.int8, count)


def near(limit: int) -> Callable[[], list[Lanes]]:
    """Numbers around halves of small powers of two, and up to a limit."""

    def made() -> list[Lanes]:
        halves = np.concatenate([k * 2**n + np.arange(-2, 3) for n in range(20) for k in range(-3, 4)])
        values = np.concatenate([halves, limit - np.arange(50), np.arange(50) - limit, rng.integers(-limit, limit, 99)])
        values = np.clip(values, 1 - limit, limit - 1)
        return [np.resize(values, -(-values.size // LANES) * LANES).astype(np.int32)]

    return made


def indices(entries: int, kind: type[np.generic]) -> Callable[[], list[Lanes]]:
    """Every index of a table."""
    return lambda: [np.resize(np.arange(entries), 512).astype(kind).view(np.int32)]


def doubles(*values: float) -> Lanes:
    return np.array(values, np.float64).view(np.int32)


DRAWN = rng.integers(-(2**31), 2**31, 1000).astype(np.int32)


@dataclass(frozen=True)
class Case:
    """Calls of an operation on vectors a, b, c, d of arrays A, ... and a table T, at vector k.

    A call gives a vector, or is a statement that writes vector `at` of `out`.
    """

    calls: list[str]
    arrays: Callable[[], list[Lanes]]
    table: Lanes = field(default_factory=lambda: DRAWN)


def binary(name: str, arrays: Callable[[int], Callable[[], list[Lanes]]]) -> Case:
    return Case([f"{name}(a, b)"], arrays(2))


def accumulating(name: str, arrays: Callable[[int], Callable[[], list[Lanes]]]) -> Case:
    return Case([f"{name}(a, b, c)"], lambda: beside(*arrays(2)()))


CASES = {
    **{name: binary(name, lanes) for name in ("add", "sub", "mul", "and_", "or_", "xor", "smin", "smax")},
    **{
        name: binary(name, words)
        for name in ("add16", "sub16", "sub16_saturating", "mullo16", "smin16", "smax16", "umin16")
    },
    **{name: binary(name, octets) for name in ("sub8", "umin8", "umax8", "smin8", "smax8")},
    **{
        name: binary(name, words)
        for name in (
            "mulhi16",
            "mulhi16_wide",
            "mulhrs16",
            "saturated_bytes",
            "bytes_of_words",
            "signed_bytes_of_words",
            "lower_bytes",
        )
    },
    **{name: accumulating(name, words) for name in ("dot16_plain", "dot16_avx2", "dot16_avx512", "dot16_vnni")},
    "dot8": accumulating("dot8", octets),
    "even_of": accumulating("even_of", octets),
    **{name: Case([f"{name}(a, {bits})" for bits in range(16)], words(1)) for name in ("sra16", "srl16")},
    **{name: Case([f"{name}(a, {bits})" for bits in SHIFTS], lanes(1)) for name in ("shl", "sra", "srl", "shift_left")},
    **{name: binary(name, lanes) for name in ("pack16", "pack16_wide")},
    "pack8_saturating": Case(
        ["pack8_saturating(a, b, c, d)"], lambda: [v for seed in range(2) for v in grid(INT32, np.int32, 2)]
    ),
    "clear_tie": Case([f"clear_tie(a, b, {bits})" for bits in range(1, 31)], lanes(2)),
    "round_float": Case(
        [
            f"round_float(add(a, const({FLOAT_ZERO})), {bits}, {plus})"
            for bits in range(1, 23)
            for plus in (0, 128, -128)
        ],
        near(FLOAT_LIMIT),
    ),
    "round_even": Case([f"round_even(a, {bits}, {b})" for bits in range(1, 23) for b in (0, 1)], near(1 << 24)),
    "words_of_byte": Case([f"words_of_byte(a, {place})" for place in range(4)], octets(1)),
    "words_of_bytes": Case(["words_of_bytes(a, 0)", "words_of_bytes(a, 1)"], octets(1)),
    "words_of_planes": Case(["words_of_planes(a, b, 0)", "words_of_planes(a, b, 1)"], octets(2)),
    "load": Case(["load(A, A.size // 16 - 1 - k)"], lanes(1)),
    "store": Case(["a"], lanes(1)),
    "broadcast": Case(["broadcast(T, 3 * k)", "broadcast(A, k)"], lanes(1)),
    "const": Case([f"const({value})" for value in INT32], lanes(1)),
    "highest": Case(["out[16 * at] = highest(a)"], lanes(1)),
    **{
        name: Case(
            [f"{name}(T, 0, and_(a, const(511)))", f"{name}(T, 400, smax(smin(b, const(599)), const(-400)))"], lanes(2)
        )
        for name in ("gather", "gather_wide")
    },
    "lookup8": Case(["lookup8(T, 3, a)"], octets(1)),
    **{f"lookup_bytes {n}": Case([f"lookup_bytes(T, 2, a, {n})"], indices(64 * n, np.uint8)) for n in (1, 2, 3, 4)},
    **{f"lookup16 {n}": Case([f"lookup16(T, 1, a, {n})"], indices(64 * n, np.uint16)) for n in (1, 2, 4)},
    "scale_double": Case(
        [
            f"scale_double(smin(smax(a, const({-(2**30)})), const({2**30})), T, {2 * factor}, {2 * bias}, {how})"
            for factor, bias, how in product((0, 1, 2), (3, 4), range(3))
        ],
        lanes(1),
        doubles(0.5, -0.25, 1.0, 0.0, -13.5),
    ),
    "divide": Case([f"divide(a, T, {2 * k})" for k in range(5)], lanes(1), doubles(1, 2, 3, 49, 2**31 - 1)),
}
APART = {"ticks", "load_block", "load_block_wide", "quantize_block", "unpack_block", "fetch_ahead"}


def source(case: Case, arrays: int) -> str:
    names = "ABCD"[:arrays]
    lines = [f"def run({', '.join(names)}, T, out):", "    for k in range(A.size // 16):"]
    lines += [f"        {name.lower()} = load({name}, k)" for name in names]
    for number, call in enumerate(case.calls):
        lines.append(f"        at = k * {len(case.calls)} + {number}")
        lines.append(f"        {call}" if " = " in call else f"        store(out, at, {call})")
    return "\n".join(lines) + "\n"


def test_every_operation_has_a_case() -> None:
    assert {name.partition(" ")[0] for name in CASES} | APART == set(OPERATIONS)


@pytest.mark.parametrize("name", CASES)
def test_an_operation_gives_the_bits_of_its_meaning(name: str) -> None:
    case, operation = CASES[name], OPERATIONS[name.partition(" ")[0]]
    arrays = case.arrays()
    text = source(case, len(arrays))
    spaces: list[dict[str, Any]] = [{n: o.meaning for n, o in OPERATIONS.items()}]
    if operation.needs <= cpu_flags():
        spaces.append({n: o.compiled for n, o in OPERATIONS.items()})
    found = []
    for space in spaces:
        exec(text, space)
        out = np.zeros(len(case.calls) * arrays[0].size, np.int32)
        run = space["run"] if space is spaces[0] else numba.njit(space["run"])
        run(*arrays, case.table, out)
        found.append(out)
    assert len(np.unique(found[0])) > 1
    if len(found) == 1:
        pytest.skip(f"this processor has not all of {', '.join(sorted(operation.needs))}")
    np.testing.assert_array_equal(found[1], found[0])


def rounded(values: Lanes, bits: int) -> list[int]:
    """To the nearest, ties to even, on Python's own integers."""
    return [(v + (1 << bits - 1) - 1 + (v >> bits & 1)) >> bits for v in values.tolist()]


@pytest.mark.parametrize("bits", [1, 5, 8, 14, 22])
def test_what_rounding_means_is_to_even(bits: int) -> None:
    mean = {name: OPERATIONS[name].meaning for name in ("round_even", "round_float", "clear_tie", "sra")}
    (values,) = near(FLOAT_LIMIT)()
    assert mean["round_even"](values, bits, 0).tolist() == rounded(values, bits)
    half = np.int32(1 << bits - 1)
    assert mean["round_even"](values + half, bits, 1).tolist() == rounded(values, bits)
    assert mean["clear_tie"](values + half >> bits, values + half, bits).tolist() == rounded(values, bits)
    for plus in (0, 128):
        found = mean["round_float"](values + np.int32(FLOAT_ZERO), bits, plus) - np.int32(float_zero(bits) + plus)
        assert found.tolist() == rounded(values, bits)


def test_products_of_words_round_to_even() -> None:
    """Every product of small words near a tie: where the opposite product differs, the last bit is cleared."""
    mean = {name: OPERATIONS[name].meaning for name in ("mulhrs16", "add16", "sub16", "and_", "xor")}
    values = np.concatenate([np.arange(1, 130), [2048, 4096, 8191, 8192, 16384, 32767]]).astype(np.int16)
    a, b = (part.ravel()[: values.size**2 // 32 * 32].copy() for part in np.meshgrid(values, values))
    x, y = a.view(np.int32), b.view(np.int32)
    product = mean["mulhrs16"](x, y)
    tie = mean["add16"](product, mean["mulhrs16"](x, mean["sub16"](np.zeros_like(y), y)))
    found = mean["and_"](product, mean["xor"](tie, np.full_like(tie, -1)))
    assert found.view(np.int16).tolist() == rounded(a.astype(np.int64) * b, 15)


def test_words_go_through_bytes_and_come_back() -> None:
    values = np.concatenate([np.arange(-3, 30) * 20, np.arange(31)]).astype(np.int16)
    a, b = values.view(np.int32).reshape(2, 16)
    both = OPERATIONS["saturated_bytes"].meaning(a, b)
    low, high = (
        OPERATIONS["words_of_planes"].meaning(both, np.full(16, fill, np.int32), half)
        for fill, half in ((0, 0), (-1, 1))
    )
    assert (low.view(np.uint16) == np.clip(values[:32], 0, 255)).all()
    assert (high.view(np.uint16) == np.clip(values[32:], 0, 255) + 0xFF00).all()
