"""Layer normalizations against C++ written here for them: evenly spaced tables, and tables with bounds."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import l1emu
from l1emu.emulator.passes.relax import relaxed
from l1emu.emulator.relax import Relaxed
from l1emu.errors import L1emuError
from l1emu.firmware import reference, tables
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import LayerNormalization, Tensor
from tests.emulator.outputs import single
from tests.handmade_projects import hls4ml_templates, need_compiler

CPP = """
#include "ap_fixed.h"
#include <cmath>
#include <cstdio>
#include <vector>

template <class T> std::vector<T> read(int count) {
    std::vector<T> values(count);
    for (auto &value : values) {
        long long raw;
        if (std::scanf("%lld", &raw) != 1) std::abort();
        value(T::width - 1, 0) = raw;
    }
    return values;
}

template <class X, class Y, class A, class W, class T, int D, int SIZE, bool BOUNDS>
void normalize(int rows, float low, float high, double epsilon) {
    std::vector<T> bounds, roots;
    float exponent = std::log((double)low), last = std::log((double)high);
    const float step = BOUNDS ? (last - exponent) / (float)(SIZE - 1) : high / (float)SIZE;
    for (int i = 0; i < SIZE; i++) {
        float v = BOUNDS ? std::exp(exponent) : low + step * i;
        bounds.push_back(v);
        roots.push_back(1.0 / std::sqrt(v));
        exponent += step;
    }
    std::vector<W> scale = read<W>(D), shift = read<W>(D);
    const A share = 1.0 / D, small = epsilon;
    for (int row = 0; row < rows; row++) {
        std::vector<X> x = read<X>(D);
        std::vector<A> off(D);
        A sum = 0, squares = 0;
        for (int i = 0; i < D; i++) sum += A(x[i]);
        const A mean = sum * share;
        for (int i = 0; i < D; i++) {
            off[i] = A(x[i]) - mean;
            const A square = off[i] * off[i];
            squares += square;
        }
        const A variance = squares * share;
        int index = 0;
        if (BOUNDS) {
            const A v = variance + small;
            while (index < SIZE - 2 && bounds[index + 1] < v) index++;
            if (v >= bounds[SIZE - 1]) index = SIZE - 1;
        } else {
            index = variance * SIZE / (int)high;
            index = index < 0 ? 0 : index >= SIZE ? SIZE - 1 : index;
        }
        for (int i = 0; i < D; i++) {
            const Y y = off[i] * roots[index] * scale[i] + shift[i];
            std::printf("%lld ", (long long)y.V);
        }
    }
    std::printf("\\n");
}

int main() {
@CALLS@
}
"""

# data, result, accumulator, weights, table; numbers in a row, entries, whether they have bounds, range
CASES = {
    "as published": (
        ("ap_fixed<16,6>", "ap_fixed<33,13>", "ap_fixed<22,6>", "ap_fixed<16,6>", "ap_fixed<21,7>"),
        (5, 64, True, 1),
    ),
    "coarse bounds": (
        ("ap_fixed<10,4>", "ap_fixed<16,8>", "ap_fixed<12,6>", "ap_fixed<8,3>", "ap_fixed<16,5>"),
        (4, 32, True, 4),
    ),
    "coarse table": (
        ("ap_fixed<12,5>", "ap_fixed<14,7,AP_RND,AP_SAT>", "ap_fixed<20,10>", "ap_fixed<8,3>", "ap_fixed<10,7>"),
        (3, 16, True, 2),
    ),
    "saturating": (
        (
            "ap_fixed<9,4>",
            "ap_fixed<12,6>",
            "ap_fixed<14,6,AP_RND_CONV,AP_SAT>",
            "ap_fixed<7,3>",
            "ap_ufixed<12,5,AP_RND,AP_SAT>",
        ),
        (7, 48, True, 3),
    ),
    "even": (
        ("ap_fixed<16,6>", "ap_fixed<33,13>", "ap_fixed<22,6>", "ap_fixed<16,6>", "ap_fixed<11,7>"),
        (6, 128, False, 1),
    ),
    "even, divided": (
        ("ap_fixed<12,5>", "ap_fixed<16,8>", "ap_fixed<18,9>", "ap_fixed<9,3>", "ap_fixed<16,7>"),
        (4, 40, False, 3),
    ),
}
EPSILON, ROWS = 0.001, 300


def layer(case: str, rng: np.random.Generator) -> LayerNormalization:
    kinds, (dim, size, bounded, high) = CASES[case]
    data, result, accum, weight, table_type = map(FixedPoint.parse, kinds)
    x, y = Tensor("x", (1, dim), data), Tensor("y", (1, dim), result)
    scale, shift = rng.integers(weight.low, weight.high, (2, dim), endpoint=True)
    bounds, epsilon = None, 0
    if bounded:
        bounds, table = tables.logarithmic_inverse_root(size, EPSILON, high, table_type)
        epsilon = int(accum.from_float([EPSILON])[0])
    else:
        table = tables.inverse_root_from(size, EPSILON, high, table_type)
    affine = (scale, weight, shift, weight, accum)
    divisor = 1 if bounded else high
    return LayerNormalization("n", (x,), y, 1, dim, *affine, table, table_type, 0, divisor, True, bounds, epsilon)


def test_against_cpp(tmp_path: Path) -> None:
    """Rows far apart, close together and all but equal: reference and compiled kernel against C++."""
    need_compiler()
    rng = np.random.default_rng(4)
    calls, numbers, made = [], [], []
    for case, (kinds, (dim, size, bounded, high)) in CASES.items():
        norm = layer(case, rng)
        kind = norm.inputs[0].type
        spread = kind.high * 2.0 ** -rng.uniform(0, kind.width - 1, (ROWS, 1, 1))
        rows = rng.normal(0, 1, (ROWS, 1, dim)) * spread + rng.integers(-9, 9, (ROWS, 1, 1))
        raw = np.clip(np.rint(rows), kind.low, kind.high).astype(np.int64)
        raw[::20] = rng.choice([kind.low, kind.high, 0], raw[::20].shape)
        arguments = f"{', '.join(kinds)}, {dim}, {size}, {str(bounded).lower()}"
        calls.append(f"    normalize<{arguments}>({ROWS}, {EPSILON}f, {high}, {EPSILON});")
        numbers += [norm.scale, norm.bias, raw.ravel()]
        made.append((case, norm, raw))
    (tmp_path / "own.cpp").write_text(CPP.replace("@CALLS@", "\n".join(calls)))
    include = hls4ml_templates() / "vivado" / "ap_types"
    subprocess.run(["g++", "-std=c++17", "-O1", "-w", f"-I{include}", "own.cpp", "-o", "own"], cwd=tmp_path, check=True)
    given = " ".join(str(v) for part in numbers for v in part)
    said = subprocess.run([tmp_path / "own"], input=given, capture_output=True, text=True, check=True)
    for (case, norm, raw), line in zip(made, said.stdout.splitlines(), strict=True):
        expected = np.array(line.split(), dtype=np.int64).reshape(raw.shape)
        np.testing.assert_array_equal(norm.reference(raw), expected, err_msg=case)
        toy = l1emu.Firmware("toy", "Vivado", norm.inputs, (norm.output,), (norm,))
        toy.save(tmp_path / "toy.l1fw")
        again = l1emu.Firmware.read(tmp_path / "toy.l1fw")
        assert again.content_hash == toy.content_hash
        np.testing.assert_array_equal(reference.run(again, raw)["y"], expected, err_msg=case)
        found = single(l1emu.Emulator(again, threads=1, target="exact").raw(raw))
        np.testing.assert_array_equal(found, expected, err_msg=case)
        assert len(np.unique(expected)) > 50


def test_a_finer_accumulator_keeps_epsilon() -> None:
    norm = layer("as published", np.random.default_rng(1))
    fine = relaxed(norm, norm.inputs, Relaxed(inner_step=True, inner_range=True))
    assert isinstance(fine, LayerNormalization) and fine.accum_type.fraction > norm.accum_type.fraction
    assert fine.accum_type.to_float(np.array([fine.epsilon])) == norm.accum_type.to_float(np.array([norm.epsilon]))


def test_bounds_that_do_not_ascend_are_refused() -> None:
    norm = layer("coarse bounds", np.random.default_rng(2))
    assert norm.bounds is not None
    with pytest.raises(L1emuError, match="do not ascend"):
        replace(norm, bounds=norm.bounds[::-1])
