"""`FixedPoint` against the C++ headers, and against a model in exact fractions."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from math import floor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l1emu.errors import L1emuError
from l1emu.fixedpoint import Exact, FixedPoint, Overflow, Rounding
from tests.handmade_projects import hls4ml_templates, need_compiler

NUMBERS = [0.0, -0.0, 1e-30, -1e-30, 5e-324, -5e-324, 1e30, -1e30, 1e300, -1e300, 0.5, -0.5, 2.0**62, -(2.0**63)]
NUMBERS += [-0.25, -0.4999, -0.75, 0.25, float("inf"), float("-inf"), float("nan"), float(np.copysign(np.nan, -1.0))]


def rounded(value: Fraction, mode: Rounding) -> int:
    """The whole number that a fraction becomes: the definitions of the modes, said in another way."""
    low = floor(value)
    rest = value - low
    if rest == 0:
        return low
    nearest = low if rest < Fraction(1, 2) else low + 1
    tie = rest == Fraction(1, 2)
    toward_zero = low if value > 0 else low + 1
    match mode:
        case Rounding.TRN:
            return low
        case Rounding.TRN_ZERO:
            return toward_zero
        case Rounding.RND:
            return floor(value + Fraction(1, 2))
        case Rounding.RND_ZERO:
            return toward_zero if tie else nearest
        case Rounding.RND_INF:
            return (low if value < 0 else low + 1) if tie else nearest
        case Rounding.RND_MIN_INF:
            return low if tie else nearest
        case Rounding.RND_CONV:
            return round(value)


def assigned(value: Fraction, kind: FixedPoint) -> int:
    """The raw number that a fraction becomes in a type."""
    raw = rounded(value * Fraction(2) ** kind.fraction, kind.rounding)
    if kind.overflow is Overflow.WRAP:
        return (raw - kind.low) % (1 << kind.width) + kind.low
    symmetric = kind.overflow is Overflow.SAT_SYM and kind.signed
    low = -kind.high if symmetric else kind.low
    if low <= raw <= kind.high:
        return raw
    if kind.overflow is Overflow.SAT_ZERO:
        return 0
    return kind.high if raw > kind.high else low


def constructed(number: float, kind: FixedPoint) -> int:
    """The raw number that a double becomes: exact, but for the fault of ap_int's constructor below zero."""
    return assigned(Fraction(1) if kind.is_integer and -0.5 < number < 0 else Fraction(number), kind)


@st.composite
def types(draw: st.DrawFn, largest: int = 70) -> FixedPoint:
    width = draw(st.integers(1, largest))
    signed = draw(st.booleans())
    if draw(st.integers(0, 9)) == 0:
        return FixedPoint.int_type(width, signed)
    integer = draw(st.integers(-6, width + 6))
    return FixedPoint(width, integer, signed, draw(st.sampled_from(Rounding)), draw(st.sampled_from(Overflow)))


@settings(max_examples=400, deadline=None)
@given(types(), st.lists(st.integers(-(2**66), 2**66), min_size=1), st.integers(-5, 30))
def test_cast_of_any_integers_is_the_exact_model(kind: FixedPoint, raw: list[int], fraction: int) -> None:
    given_raw = np.array(raw, dtype=object)
    expected = [assigned(Fraction(v) / Fraction(2) ** fraction, kind) for v in raw]
    found = kind.cast(given_raw, fraction)
    assert list(found) == expected
    assert found.dtype == (np.int64 if kind.fits_int64 else object)


@settings(max_examples=400, deadline=None)
@given(types(), st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1), st.integers(-5, 30))
def test_cast_of_int64_is_the_exact_model(kind: FixedPoint, raw: list[int], fraction: int) -> None:
    expected = [assigned(Fraction(v) / Fraction(2) ** fraction, kind) for v in raw]
    assert list(kind.cast(np.array(raw, dtype=np.int64), fraction)) == expected


@settings(max_examples=600, deadline=None)
@given(types(), st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_from_float_is_the_exact_model(kind: FixedPoint, numbers: list[float]) -> None:
    assert list(kind.from_float(numbers)) == [constructed(v, kind) for v in numbers]


@settings(max_examples=300, deadline=None)
@given(types(52), st.lists(st.integers(-(2**14), 2**14), min_size=1), st.sampled_from([0.25, 0.5, 1.0, 1.5]))
def test_from_float_at_ties_is_the_exact_model(kind: FixedPoint, steps: list[int], part: float) -> None:
    numbers = [step * part * 2.0**-kind.fraction for step in steps]
    assert list(kind.from_float(numbers)) == [constructed(v, kind) for v in numbers]


@settings(max_examples=200, deadline=None)
@given(types(53), st.data())
def test_floats_of_raw_values_return_to_them(kind: FixedPoint, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.integers(kind.low, kind.high), min_size=1))
    numbers = kind.to_float(np.array(values, dtype=np.int64))
    assert [Fraction(float(x)) for x in numbers] == [Fraction(v) / Fraction(2) ** kind.fraction for v in values]
    if kind.overflow is not Overflow.SAT_SYM:
        assert list(kind.from_float(numbers)) == values


@settings(max_examples=200, deadline=None)
@given(types())
def test_spelling_is_read_back(kind: FixedPoint) -> None:
    assert FixedPoint.parse(str(kind)) == kind


def test_hls4ml_spelling() -> None:
    assert FixedPoint.parse("ufixed< 8, 0, RND_CONV, SAT, 0 >") == FixedPoint.parse("ap_ufixed<8,0,AP_RND_CONV,AP_SAT>")
    assert str(FixedPoint.parse("ap_fixed<18,8>")) == "ap_fixed<18,8>"
    assert FixedPoint.parse("ap_uint<4>").cast([-1, 17, 31], 1).tolist() == [0, 8, 15]


@pytest.mark.parametrize(
    "text",
    [
        "float",
        "ap_fixed<8>",
        "ap_fixed<8,3,AP_ROUND>",
        "ap_fixed<8,3,AP_RND,AP_WRAP,2>",
        "ap_int<8,3>",
        "ap_fixed<0,0>",
    ],
)
def test_other_types_are_refused(text: str) -> None:
    with pytest.raises(L1emuError) as error:
        FixedPoint.parse(text)
    assert "type" in str(error.value)


def test_ap_types(tmp_path: Path) -> None:
    """Every source value of small types, doubles and floats, through the C++ headers."""
    need_compiler()
    include = hls4ml_templates() / "vivado" / "ap_types"
    rng = np.random.default_rng(7)
    modes = [(q, o) for q in Rounding for o in Overflow]
    pairs: list[tuple[FixedPoint, FixedPoint]] = []
    body = []
    for i in range(84):
        rounding, overflow = modes[i % len(modes)]
        width = int(rng.integers(3, 10))
        source = FixedPoint(width, int(rng.integers(1, width + 2)), bool(rng.random() < 0.6))
        signed = bool(rng.random() < 0.6)
        if i % 12 == 11:
            target = FixedPoint.int_type(int(rng.integers(2, 9)), signed)
        else:
            bits = int(rng.integers(2, 12))
            # the headers refuse to round away more bits than the source has
            target = FixedPoint(bits, int(rng.integers(bits - 8, bits + 1)), signed, rounding, overflow)
            if source.fraction - target.fraction > source.width:
                target = FixedPoint(bits, bits - 1, signed, rounding, overflow)
        pairs.append((source, target))
        body.append(
            f"{{ {source} a; {target} b; for (long v = 0; v < (1l << {width}); v++) {{ a.V = v; b = a; put(b); }}\n"
            f"for (int i = 0; i < count; i++) {{ {target} d = numbers[i], f = (float)numbers[i]; put(d); put(f); }} }}"
        )
    random = rng.normal(0, 1, 150) * 10.0 ** rng.uniform(-4, 5, 150)
    on_ties = rng.integers(-4000, 4000, 200) / 2.0 ** rng.integers(0, 12, 200)
    numbers = np.concatenate([NUMBERS, random, on_ties, on_ties * (1 + 2.0**-40)])
    numbers.tofile(tmp_path / "numbers.bin")
    (tmp_path / "main.cpp").write_text(
        '#include <cstdio>\n#include "ap_fixed.h"\n#include "ap_int.h"\nstatic FILE *out;\n'
        "template <class T> void put(T v) { long long raw = (long long)v.V; fwrite(&raw, 8, 1, out); }\n"
        f"static const int count = {len(numbers)}; static double numbers[count];\n"
        + "\n".join(f"static void f{i}() {text}" for i, text in enumerate(body))
        + '\nint main() { FILE *in = fopen("numbers.bin", "rb"); if (fread(numbers, 8, count, in) != count) return 1;\n'
        + 'out = fopen("out.bin", "wb");'
        + "".join(f"f{i}();" for i in range(len(body)))
        + "return fclose(out); }\n"
    )
    command = ["g++", "-O0", "-std=c++17", "-w", f"-I{include}", "main.cpp", "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True)
    subprocess.run(["./main"], cwd=tmp_path, check=True, capture_output=True)
    found = np.fromfile(tmp_path / "out.bin", dtype=np.int64)
    place = 0
    for source, target in pairs:
        patterns = np.arange(1 << source.width)
        values = np.where(patterns > source.high, patterns - (1 << source.width), patterns)
        expected = target.cast(values, source.fraction)
        cpp = found[place : place + len(values)]
        place += len(values)
        np.testing.assert_array_equal(expected, cpp, err_msg=f"{source} -> {target}")
        with np.errstate(over="ignore"):
            narrow = numbers.astype(np.float32).astype(np.float64)
        both = target.from_float(np.stack([numbers, narrow], axis=1)).ravel()
        cpp = found[place : place + len(both)]
        place += len(both)
        np.testing.assert_array_equal(both, cpp, err_msg=f"double -> {target}")
    assert place == len(found)


@settings(max_examples=200, deadline=None)
@given(types(40), types(40), st.data())
def test_exact_arithmetic(a: FixedPoint, b: FixedPoint, data: st.DataObject) -> None:
    x, y = data.draw(st.integers(a.low, a.high)), data.draw(st.integers(b.low, b.high))
    left, right = Exact.of(np.array([x]), a), Exact.of(np.array([y]), b)
    u, v = Fraction(x) / Fraction(2) ** a.fraction, Fraction(y) / Fraction(2) ** b.fraction
    for result, expected in ((left + right, u + v), (left - right, u - v), (left * right, u * v)):
        assert int(result.raw[0]) * Fraction(2) ** -result.fraction == expected
        assert abs(int(result.raw[0])) <= 2**result.bits


def test_saturation_bits_matter_to_wrapping_types_alone() -> None:
    plain = FixedPoint.parse("ap_fixed<15,12,AP_RND,AP_SAT>")
    assert FixedPoint.parse("ap_fixed<15, 12, AP_RND, AP_SAT, AP_SAT>") == plain
    assert FixedPoint.parse("ap_fixed<15,12,AP_RND,AP_SAT,2>") == plain
    with pytest.raises(L1emuError, match="saturation bits"):
        FixedPoint.parse("ap_fixed<15,12,AP_RND,AP_WRAP,2>")
