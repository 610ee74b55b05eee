"""The fused attention, its softmax and the layer norm of the attention forks, against C++ written here for it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import l1emu
from l1emu.arraytypes import Ints
from l1emu.emulator.vector.features import features
from l1emu.errors import L1emuError
from l1emu.firmware import reference, tables
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import LayerNormalization, Softmax, Tensor
from l1emu.layers.attention import Matrix, fused_attention
from tests.emulator.outputs import several
from tests.handmade_projects import hls4ml_templates, need_compiler

POSITIONS, FEATURES, HEADS, DIM = 5, 3, 2, 4
EXP_SIZE, EXP_RANGE, INV_RANGE = 64, 4, 16
NORM_SIZE = 32

CPP = """
#include "ap_fixed.h"
#include <cmath>
#include <cstdio>
#include <vector>
typedef @DATA@ data_t;
typedef @ACCUM@ accum_t;
typedef @WEIGHT@ weight_t;
typedef @TABLE@ table_t;
const int N = @POSITIONS@, F = @FEATURES@, H = @HEADS@, D = @DIM@;

template <class T> std::vector<T> read(int count) {
    std::vector<T> values(count);
    for (auto &value : values) {
        long long raw;
        if (std::scanf("%lld", &raw) != 1) std::abort();
        value(T::width - 1, 0) = raw;
    }
    return values;
}

struct Dense {
    int in, out;
    std::vector<weight_t> w, b;
    Dense(int in, int out) : in(in), out(out), w(read<weight_t>(in * out)), b(read<weight_t>(out)) {}
    void operator()(const data_t *x, data_t *y) const {
        for (int o = 0; o < out; o++) {
            accum_t sum = b[o];
            for (int i = 0; i < in; i++) {
                accum_t product = x[i] * w[i * out + o];
                sum += product;
            }
            y[o] = sum;
        }
    }
};

int clamp(int index, int size) { return index < 0 ? 0 : index >= size ? size - 1 : index; }

int main() {
    table_t exps[@EXP_SIZE@], inverses[@EXP_SIZE@], roots[@NORM_SIZE@];
    for (int i = 0; i < @EXP_SIZE@; i++) {
        float x = 2 * (float)@EXP_RANGE@ * (i - @EXP_SIZE@ / 2.0) / @EXP_SIZE@, s = (float)@INV_RANGE@ * i / @EXP_SIZE@;
        exps[i] = std::exp(x);
        inverses[i] = i ? 1.0 / s : 0.0;
    }
    for (int i = 0; i < @NORM_SIZE@; i++) {
        float v = (float)@NORM_RANGE@ * i / @NORM_SIZE@;
        roots[i] = i ? 1.0 / std::sqrt(v) : 0.0;
    }
    Dense query(F, H * D), key(F, H * D), value(F, H * D), join(H * D, F);
    std::vector<weight_t> scale = read<weight_t>(F), shift = read<weight_t>(F);
    const data_t factor = 1.0 / std::sqrt((double)D), one_over_f = 1.0 / F;
    int jets;
    if (std::scanf("%d", &jets) != 1) return 1;
    for (int jet = 0; jet < jets; jet++) {
        std::vector<data_t> x = read<data_t>(N * F);
        data_t q[N][H * D], k[N][H * D], v[N][H * D], mixed[N][H * D], y[N][F];
        for (int n = 0; n < N; n++) query(&x[n * F], q[n]), key(&x[n * F], k[n]), value(&x[n * F], v[n]);
        for (int h = 0; h < H; h++)
            for (int n = 0; n < N; n++) {
                table_t e[N];
                accum_t total = 0;
                for (int m = 0; m < N; m++) {
                    accum_t dot = 0;
                    for (int d = h * D; d < (h + 1) * D; d++) {
                        data_t product = q[n][d] * k[m][d];
                        dot += product;
                    }
                    data_t score = dot * factor;
                    const int steps = @EXP_SIZE@ / (2 * @EXP_RANGE@);
                    int index = score * steps;
                    e[m] = exps[clamp(index + @EXP_RANGE@ * steps, @EXP_SIZE@)];
                    total += e[m];
                }
                int index = total * (@EXP_SIZE@ / @INV_RANGE@);
                table_t inverse = inverses[clamp(index, @EXP_SIZE@)];
                for (int d = h * D; d < (h + 1) * D; d++) {
                    mixed[n][d] = 0;
                    for (int m = 0; m < N; m++) {
                        data_t share = e[m] * inverse;
                        data_t product = share * v[m][d];
                        mixed[n][d] += product;
                    }
                }
            }
        for (int n = 0; n < N; n++) {
            join(mixed[n], y[n]);
            data_t squares = 0;
            for (int f = 0; f < F; f++) {
                std::printf("%lld ", (long long)y[n][f].V);
                data_t square = y[n][f] * y[n][f];
                squares += square;
            }
            data_t variance = squares * one_over_f;
            int index = variance * @NORM_SIZE@ / @NORM_RANGE@;
            table_t root = roots[clamp(index, @NORM_SIZE@)];
            for (int f = 0; f < F; f++) {
                data_t normal = y[n][f] * root * scale[f] + shift[f];
                std::printf("%lld ", (long long)normal.V);
            }
        }
        std::printf("\\n");
    }
}
"""


def firmware(
    types: dict[str, FixedPoint], norm_range: int, rng: np.random.Generator
) -> tuple[l1emu.Firmware, list[Ints]]:
    """Attention and layer norm of random weights, and the weights in the order in which the C++ reads them."""
    data, accum, weight, table = (types[name] for name in ("data", "accum", "weight", "table"))

    def random(*shape: int) -> Ints:
        return rng.integers(weight.low, weight.high, shape, np.int64, endpoint=True)

    def matrix(n_in: int, n_out: int) -> Matrix:
        return Matrix(random(n_in, n_out), weight, random(n_out), weight, accum, np.arange(n_in))

    def softmax(name: str, x: Tensor, y: Tensor) -> Softmax:
        exps = tables.legacy_exponential(EXP_SIZE, table, EXP_RANGE)
        inverses = tables.legacy_inverse(EXP_SIZE, table, INV_RANGE)
        made = (exps, table, inverses, table, accum, accum, None, EXP_RANGE, INV_RANGE)
        return Softmax(name, (x,), y, "direct", HEADS * POSITIONS, POSITIONS, 1, *made)

    x, y, z = (Tensor(name, (POSITIONS, FEATURES), data) for name in ("x", "y", "z"))
    inner = HEADS * DIM
    parts = {name: matrix(FEATURES, inner) for name in ("query", "key", "value")} | {"join": matrix(inner, FEATURES)}
    layers = fused_attention("a", x, x, y, heads=HEADS, accum_type=accum, softmax=softmax, **parts)
    scale, shift = random(FEATURES), random(FEATURES)
    roots = tables.plain_inverse_root(NORM_SIZE, float(norm_range), table)
    affine = (scale, weight, shift, weight)
    norm = LayerNormalization(
        "n", (y,), z, POSITIONS, FEATURES, *affine, data, roots, table, 0, norm_range, centred=False
    )
    read = [a for part in parts.values() for a in (part.weight, part.bias)] + [scale, shift]
    return l1emu.Firmware("toy", "Vivado", (x,), (y, z), (*layers, norm)), read


CASES = {
    "as published": ("ap_fixed<12,5>", "ap_fixed<18,10>", "ap_fixed<9,4>", "ap_fixed<18,10>"),
    "narrow, wrapping": ("ap_fixed<7,4>", "ap_fixed<9,6>", "ap_fixed<6,3>", "ap_fixed<12,6>"),
    "rounding, saturating": (
        "ap_fixed<13,6,AP_RND_CONV,AP_SAT>",
        "ap_fixed<15,7,AP_RND,AP_SAT>",
        "ap_fixed<8,3>",
        "ap_ufixed<14,6,AP_RND,AP_SAT>",
    ),
    "wide": ("ap_fixed<22,10>", "ap_fixed<28,14>", "ap_fixed<22,10>", "ap_fixed<28,14>"),
}


@pytest.mark.parametrize("case", CASES)
def test_against_cpp(tmp_path: Path, case: str) -> None:
    need_compiler()
    rng = np.random.default_rng(len(case))
    types = dict(zip(("data", "accum", "weight", "table"), map(FixedPoint.parse, CASES[case]), strict=True))
    norm_range = 2
    toy, weights = firmware(types, norm_range, rng)
    text = CPP
    sizes = {"POSITIONS": POSITIONS, "FEATURES": FEATURES, "HEADS": HEADS, "DIM": DIM, "NORM_RANGE": norm_range}
    sizes |= {"EXP_SIZE": EXP_SIZE, "EXP_RANGE": EXP_RANGE, "INV_RANGE": INV_RANGE, "NORM_SIZE": NORM_SIZE}
    for key, value in ({name.upper(): str(kind) for name, kind in types.items()} | sizes).items():
        text = text.replace(f"@{key}@", str(value))
    (tmp_path / "own.cpp").write_text(text)
    include = hls4ml_templates() / "vivado" / "ap_types"
    subprocess.run(["g++", "-std=c++17", "-O1", "-w", f"-I{include}", "own.cpp", "-o", "own"], cwd=tmp_path, check=True)
    data = types["data"]
    wide = rng.integers(data.low, data.high, (200, POSITIONS, FEATURES), endpoint=True)
    near = np.clip(np.rint(rng.normal(0, 2.0**data.fraction, wide.shape)), data.low, data.high).astype(np.int64)
    limits = rng.choice([data.low, data.high, 0], wide.shape)
    raw = np.concatenate([wide, near, limits])
    numbers = [*(a.ravel() for a in weights), np.array([len(raw)]), raw.ravel()]
    said = subprocess.run(
        [tmp_path / "own"],
        input=" ".join(str(v) for part in numbers for v in part),
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split() for line in said.stdout.splitlines()]
    cpp = np.array(lines, dtype=np.int64).reshape(len(raw), POSITIONS, 2, FEATURES)
    expected = {"y": cpp[:, :, 0], "z": cpp[:, :, 1]}
    assert len(np.unique(expected["y"])) > 20
    found = reference.run(toy, raw)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
    traced = l1emu.Emulator(toy, threads=1, target="exact").trace(raw)
    for layer in toy.layers:
        np.testing.assert_array_equal(traced[layer.name], found[layer.name], err_msg=layer.name)
    for target in ("simd", "portable") if case == "as published" else ("simd",):
        outputs = several(l1emu.Emulator(toy, threads=1, target=target).raw(raw))
        for name, values in expected.items():
            np.testing.assert_array_equal(outputs[name], values, err_msg=target)


def test_small_rounded_products_take_the_fast_kernels() -> None:
    """Rounded int16 products in dense layers and in einsums; values wrap in none of them."""
    types = dict(zip(("data", "accum", "weight", "table"), map(FixedPoint.parse, CASES["as published"]), strict=True))
    toy, _ = firmware(types, 4, np.random.default_rng(2))
    emulator = l1emu.Emulator(toy, threads=1)
    arithmetic = {row.layer: row.arithmetic for row in emulator.explain().rows}
    if features("simd").dot8:
        assert "rounded products" in arithmetic["a_key"]
    assert "int16 products where they fit" in arithmetic["a_sums"]
    assert "tables" in arithmetic["a_shares"]


def test_saved_and_loaded(tmp_path: Path) -> None:
    types = dict(zip(("data", "accum", "weight", "table"), map(FixedPoint.parse, CASES["as published"]), strict=True))
    toy, _ = firmware(types, 4, np.random.default_rng(1))
    toy.save(tmp_path / "toy.l1fw")
    again = l1emu.Firmware.read(tmp_path / "toy.l1fw")
    assert again.content_hash == toy.content_hash
    norm = again.layers[-1]
    assert isinstance(norm, LayerNormalization) and not norm.centred and norm.divisor == 4


def test_ranges_belong_to_the_direct_softmax() -> None:
    x = Tensor("x", (4,), FixedPoint.parse("ap_fixed<8,4>"))
    table = np.ones(16, np.int64)
    with pytest.raises(L1emuError, match="ranges are misplaced"):
        Softmax("s", (x,), x, "direct", 1, 4, 1, table, x.type, table, x.type, x.type, x.type, None)


@pytest.mark.exhaustive
def test_published_projects() -> None:
    """Projects of public forks below the folder that L1EMU_PUBLIC_PROJECTS names, one of each folder above them."""
    folder = os.environ.get("L1EMU_PUBLIC_PROJECTS")
    if not folder or not Path(folder).is_dir():
        pytest.skip("L1EMU_PUBLIC_PROJECTS names no folder with public hls4ml projects")
    need_compiler()
    groups: dict[Path, Path] = {}
    for header in sorted(Path(folder).rglob("nnet_multiheadattention.h")):
        groups.setdefault(header.parents[3], header.parents[2])
    assert groups
    for project in groups.values():
        found = l1emu.verify(project, jets=100)
        assert found.identical, f"{project}: {found}"
