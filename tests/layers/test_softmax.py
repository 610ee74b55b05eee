"""The stable softmax of older hls4ml kernels, one table size and exp(x - max), against C++ written here for it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

import l1emu
from l1emu.firmware import reference, tables
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from l1emu.layers import Softmax, Tensor
from tests.emulator.outputs import single
from tests.handmade_projects import hls4ml_templates, need_compiler

N, SIZE = 5, 128

CPP = """
#include "ap_fixed.h"
#include <cmath>
#include <cstdio>
typedef @DATA@ data_t;
typedef @EXP@ exp_t;
typedef @INV@ inv_t;
typedef @OUT@ out_t;
const int N = @N@, BITS = @BITS@;
template <class T> int address(T x) { return (int)x(T::width - 1, T::width - BITS); }
template <class T> float number(int i) {
    T x = 0;
    x(T::width - 1, T::width - BITS) = i;
    return (float)x;
}
int main() {
    exp_t exps[1 << BITS];
    inv_t inverses[1 << BITS];
    for (int i = 0; i < 1 << BITS; i++) {
        exps[i] = std::exp(number<data_t>(i));
        inverses[i] = 1 / number<exp_t>(i);
    }
    long long raw;
    while (true) {
        data_t x[N], top;
        for (int k = 0; k < N; k++) {
            if (std::scanf("%lld", &raw) != 1) return 0;
            x[k](data_t::width - 1, 0) = raw;
            top = k == 0 || x[k] > top ? x[k] : top;
        }
        exp_t e[N];
        for (int k = 0; k < N; k++) {
            ap_fixed<data_t::width, data_t::iwidth, AP_RND, AP_SAT> below = x[k] - top;
            data_t where = below;
            e[k] = exps[address(where)];
        }
        exp_t left = e[0] + e[1], right = e[2] + e[3], four = left + right, total = four + e[4];
        inv_t inverse = inverses[address(total)];
        for (int k = 0; k < N; k++) {
            out_t y = e[k] * inverse;
            std::printf("%lld ", (long long)y.V);
        }
    }
}
"""


@pytest.mark.parametrize(
    ("data", "exp", "inv", "out"),
    [
        ("ap_fixed<10,5>", "ap_fixed<18,8>", "ap_fixed<18,4>", "ap_fixed<16,6>"),
        (
            "ap_fixed<9,3,AP_RND,AP_SAT>",
            "ap_fixed<12,3,AP_RND,AP_SAT>",
            "ap_ufixed<11,2,AP_RND,AP_SAT>",
            "ap_fixed<9,2>",
        ),
        ("ap_ufixed<8,4>", "ap_fixed<16,9>", "ap_fixed<14,6,AP_TRN,AP_SAT>", "ap_ufixed<10,1>"),
    ],
)
def test_against_cpp(tmp_path: Path, data: str, exp: str, inv: str, out: str) -> None:
    need_compiler()
    text = CPP
    for key, value in {"DATA": data, "EXP": exp, "INV": inv, "OUT": out, "N": N, "BITS": SIZE.bit_length() - 1}.items():
        text = text.replace(f"@{key}@", str(value))
    (tmp_path / "own.cpp").write_text(text)
    include = hls4ml_templates() / "vivado" / "ap_types"
    subprocess.run(["g++", "-std=c++17", "-O1", "-w", f"-I{include}", "own.cpp", "-o", "own"], cwd=tmp_path, check=True)
    kind, exp_type, inv_type = (FixedPoint.parse(text) for text in (data, exp, inv))
    x, y = Tensor("x", (N,), kind), Tensor("y", (N,), FixedPoint.parse(out))
    softmax = Softmax(
        "s",
        (x,),
        y,
        "relative",
        1,
        N,
        1,
        tables.exponential(kind, SIZE, 1.0, exp_type, negative=False),
        exp_type,
        tables.inverse(exp_type, SIZE, inv_type),
        inv_type,
        exp_type,
        exp_type,
        FixedPoint(kind.width, kind.integer, True, Rounding.RND, Overflow.SAT),
    )
    toy = l1emu.Firmware("toy", "Vivado", (x,), (y,), (softmax,))
    rng = np.random.default_rng(3)
    raw = rng.integers(kind.low, kind.high, (3000, N), np.int64, endpoint=True)
    raw[1000:2000] //= 8
    raw[2000:] = rng.choice([kind.low, kind.high, 0], (1000, N))
    numbers = " ".join(map(str, raw.ravel()))
    said = subprocess.run([tmp_path / "own"], input=numbers, capture_output=True, text=True, check=True)
    cpp = np.array(said.stdout.split(), dtype=np.int64).reshape(len(raw), N)
    assert len(np.unique(cpp)) > 10
    np.testing.assert_array_equal(reference.run(toy, raw)["s"], cpp)
    for target in ("exact", "portable", "simd"):
        np.testing.assert_array_equal(single(l1emu.Emulator(toy, threads=1, target=target).raw(raw)), cpp)
