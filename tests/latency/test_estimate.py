"""The estimate before synthesis: its arithmetic, its readers, and what the command prints."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from l1emu.cli import app
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.latency.estimate import Block, Design, Weights, estimate, estimated_timing, load_design
from l1emu.latency.estimate.cost import Cost, dsp_per_product
from l1emu.latency.estimate.firmware import from_firmware
from l1emu.latency.estimate.matrices import digits, matrix, products, row_steps, unknown_matrix
from l1emu.latency.estimate.model import _interval, closest_reuse
from l1emu.latency.estimate.scan import with_bits
from l1emu.latency.estimate.target import Part, series
from l1emu.latency.estimate.wrapper import Wrapper
from l1emu.resources import resource
from tests.handmade_projects import every_kind

PART, CLOCK = "xcvu13p-flga2577-2-e", 5.0

PARAMETERS = """
#ifndef PARAMETERS_H_
#define PARAMETERS_H_
struct config2 : nnet::dense_config {
    static const unsigned n_in = N_INPUT_1_1;
    static const unsigned n_out = N_LAYER_2;
    static const unsigned io_type = nnet::io_parallel;
    static const unsigned strategy = nnet::STRATEGY;
    static const unsigned reuse_factor = 4;
    static const unsigned n_zeros = 3;
    static const unsigned n_nonzeros = 9;
    typedef ap_fixed<24,12> accum_t;
    typedef model_default_t bias_t;
    typedef model_default_t weight_t;
};
struct relu_config3 : nnet::activ_config {
    static const unsigned n_in = 3;
    static const unsigned reuse_factor = 4;
};
#endif
"""
DEFINES = """
#define N_INPUT_1_1 4
#define N_LAYER_2 3
typedef ap_fixed<16,6> model_default_t;
typedef model_default_t input_t;
typedef ap_fixed<16,6> layer2_t;
typedef ap_ufixed<8,2> result_t;
"""
TOP = """
#include "myproject.h"
#include "parameters.h"
void myproject(input_t x[N_INPUT_1_1], result_t layer3_out[N_LAYER_2]) {
    #pragma HLS PIPELINE
    layer2_t layer2_out[N_LAYER_2];
    #pragma HLS ARRAY_PARTITION variable=layer2_out complete dim=0
    nnet::dense<input_t, layer2_t, config2>(x, layer2_out, w2, b2); // fc1
    EXTRA
    nnet::relu<layer2_t, result_t, relu_config3>(layer2_out, layer3_out); // relu1
}
"""


DESIGNS = Path(__file__).parents[2] / "benchmarks" / "estimate_designs.json"


def project(folder: Path, *, weights: str | None = None, strategy: str = "latency", extra: str = "") -> Path:
    """A project with nothing but what an estimate reads."""
    firmware = folder / "firmware"
    (firmware / "weights").mkdir(parents=True)
    (firmware / "parameters.h").write_text(PARAMETERS.replace("STRATEGY", strategy))
    (firmware / "defines.h").write_text(DEFINES)
    (firmware / "myproject.h").write_text(
        '#include "defines.h"\nvoid myproject(input_t x[N_INPUT_1_1], result_t layer3_out[N_LAYER_2]);\n'
    )
    (firmware / "myproject.cpp").write_text(TOP.replace("EXTRA", extra))
    if weights is not None:
        (firmware / "weights" / "w2.txt").write_text(weights)
        (firmware / "weights" / "w2.h").write_text("model_default_t w2[12];\n")
    (folder / "project.tcl").write_text(
        'set project_name "myproject"\nset backend "vitis"\nset part "xcu250-figd2104-2L-e"\nset clock_period 5\n'
        "set clock_uncertainty 27%\n"
    )
    return folder


def layer(n_in: int = 16, n_out: int = 8, **change: Any) -> Block:
    rng = np.random.default_rng(1)
    weights = matrix(rng.integers(-512, 512, size=(n_in, n_out)), 16)
    values: dict[str, Any] = {"weights": (weights,), "inputs": ("x",), "output": "y", **change}
    return Block("fc", "dense", "dense", n_in, n_out, **values)


def design(*blocks: Block, **change: Any) -> Design:
    values: dict[str, Any] = {"io": "io_parallel", "pipeline": "pipeline", **change}
    return Design(name="top", blocks=blocks, origin="test", **values)


@given(st.integers(-(2**30), 2**30))
def test_digits_are_those_of_the_shortest_signed_binary_form(value: int) -> None:
    rest, count = abs(value), 0
    while rest:
        if rest & 1:
            rest -= 2 - (rest & 3)
            count += 1
        rest >>= 1
    assert digits(np.array([value]))[0] == count


def test_equal_weights_of_an_input_share_a_product() -> None:
    # 11 = 8 + 2 + 1 and -11 are two products, 6 one addition, 4 a wire; the second input has its own 11.
    found = matrix(np.array([[11, 11, -11, 6, 4, 0], [11, 0, 0, 0, 0, 0]]), 8)
    assert (found.multipliers, found.shift_adds, found.nonzeros, found.terms) == (3, 1, 6, 2)


def test_unknown_weights_cost_what_is_expected_of_random_ones() -> None:
    rng = np.random.default_rng(3)
    real = matrix(rng.integers(-31, 32, size=(64, 32)), 8)
    many, few = products(unknown_matrix(64, 32, 8, real.nonzeros)), products(real)
    assert many[0] == pytest.approx(few[0], rel=0.15)
    assert many[1] == pytest.approx(few[1], rel=0.15)


@pytest.mark.parametrize(
    ("widths", "blocks"),
    # 27 by 18 bits with sign; each further piece of a factor is unsigned and so a bit shorter: 26 and 17 more
    [
        *[((16, 16), 1), ((27, 18), 1), ((28, 18), 2), ((33, 33), 4), ((53, 9), 2), ((18, 27), 1)],
        *[((27, 19), 2), ((53, 18), 2), ((54, 18), 3), ((35, 35), 4), ((36, 36), 6)],
    ],
)
def test_wide_products_take_several_dsp_blocks(widths: tuple[int, int], blocks: int) -> None:
    assert dsp_per_product(*widths) == blocks


def test_reuse_limits_multipliers_and_makes_them_serial() -> None:
    once, often = (estimate(design(layer()), part=PART, clock_ns=CLOCK, reuse=reuse) for reuse in (1, 32))
    wanted = layer().weights[0].multipliers
    assert wanted is not None
    assert once.resources["DSP"] == wanted
    assert often.resources["DSP"] == 4  # 16 x 8 / 32
    assert once.interval_cycles == (1, 1)
    assert often.latency_cycles[1] >= wanted / 4 - 1  # the first turn is within the first cycle
    assert often.interval_cycles[1] == min(32, often.layers[0][1].latency + 1)


def test_the_resource_strategy_has_multipliers_for_all_weights_and_keeps_them_in_memory() -> None:
    block = layer(128, 64, strategy="resource", reuse=32)
    found = estimate(design(block, pipeline="dataflow"), part=PART, clock_ns=CLOCK)
    assert found.resources["DSP"] == 128 * 64 // 32
    assert found.resources["BRAM_18K"] == 114  # 256 weights of 16 bits, 36 bits a block RAM
    assert 32 < found.latency_cycles[1] < 40


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 300))
def test_resource_takes_the_closest_factor_that_hls4ml_accepts(n_in: int, n_out: int, wanted: int) -> None:
    def valid(factor: int) -> bool:  # hls4ml's FPGABackend._validate_reuse_factor
        limit = -(-(n_in * n_out) // min(n_in, factor))
        whole = limit % n_out == 0 or factor >= n_in
        return whole and (factor % n_in == 0 or factor < n_in) and n_in * n_out % factor == 0

    accepted = [factor for factor in range(1, n_in * n_out + 1) if valid(factor)]
    assert closest_reuse(n_in, n_out, wanted) == min(accepted, key=lambda f: (abs(f - wanted), f))


@pytest.mark.parametrize(
    ("part", "clock", "n_in", "n_out", "reuse", "cycles"),
    # What csynth reports of Vivado HLS 2019.2 say of dense_resource functions, all with 16-bit weights: uw-acme's
    # HLS4ML_VS_MANUAL (xcu250) and HLS4ML_-NeutDetector (xc7vx690t), and RishThakkar's PokerML (xczu5ev).
    [
        ("xcu250-figd2104-2L-e", 5.0, 20, 64, 20, 21),
        ("xcu250-figd2104-2L-e", 5.0, 64, 1, 32, 33),
        ("xcu250-figd2104-2L-e", 5.0, 128, 256, 32, 34),
        ("xcu250-figd2104-2L-e", 5.0, 256, 128, 32, 34),
        ("xcu250-figd2104-2L-e", 5.0, 6, 60, 30, 32),
        ("xc7vx690t-ffg1761-2", 3.33, 64, 1, 8, 15),
        ("xc7vx690t-ffg1761-2", 3.33, 64, 1, 16, 22),
        ("xc7vx690t-ffg1761-2", 3.33, 64, 1, 32, 37),
        ("xczu5ev-sfvc784-2LV-e", 5.0, 27, 4, 108, 110),
        ("xczu5ev-sfvc784-2LV-e", 5.0, 36, 4, 144, 146),
        ("xczu5ev-sfvc784-2LV-e", 5.0, 784, 4, 196, 198),
    ],
)
def test_the_resource_strategy_takes_the_measured_cycles(
    part: str, clock: float, n_in: int, n_out: int, reuse: int, cycles: int
) -> None:
    block = layer(n_in, n_out, strategy="resource", reuse=reuse)
    found = estimate(design(block, pipeline="dataflow"), part=part, clock_ns=clock, tool="Vivado")
    assert found.layers[0][1].latency == cycles


@given(st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3), min_size=1, max_size=12))
def test_a_row_of_additions_counts_subtractions_and_runs(rows: list[list[int]]) -> None:
    def steps(column: list[int]) -> int:  # signs as text: a run of additions is one word
        signs = "".join("-" if v < 0 else "+" for v in column if v)
        return signs.count("-") + len(signs.replace("-", " ").split())

    assert row_steps(np.array(rows)) == max(steps(list(column)) for column in zip(*rows, strict=True))


def test_a_shared_multiplier_takes_one_turn_for_each_product() -> None:
    """One DSP block of five stages for 25 products, then two levels of ternary adders: 24 + 4 + 2 cycles."""
    weights = Weights(10, 5, 8, nonzeros=50, terms=10, multipliers=25, shift_adds=19)
    block = replace(layer(), n_in=10, n_out=5, width_in=8, weights=(weights,))
    found = estimate(design(block), part="xc7z007s-clg225-2", clock_ns=5.0, reuse=100)
    assert (found.latency_cycles[1], found.interval_cycles[1], found.resources["DSP"]) == (30, 31, 1)


def test_a_kernel_s_buffer_limits_the_interval() -> None:
    """Five outputs through the two ports of the kernel's buffer, as in the VitisAccelerator backend: three cycles."""
    alone, within = (estimate(design(layer(), buffered=n), part=PART, clock_ns=CLOCK) for n in (0, 5))
    assert (alone.interval_cycles[1], within.interval_cycles[1]) == (1, 3)
    assert within.latency_cycles[1] > alone.latency_cycles[1]


def test_no_dsp_where_the_project_forbids_them() -> None:
    assert estimate(design(layer(), fabric=True), part=PART, clock_ns=CLOCK).resources["DSP"] == 0


def test_branches_of_a_pipeline_run_side_by_side() -> None:
    trunk = layer(inputs=("x",), output="a")
    left, right = (replace(layer(), name=n, inputs=("a",), output=n) for n in "lr")
    join = Block("join", "merge", "add", 8, 8, inputs=("l", "r"), output="y")
    both = estimate(design(trunk, left, right, join), part=PART, clock_ns=CLOCK)
    one = estimate(design(trunk, left, replace(join, inputs=("l",))), part=PART, clock_ns=CLOCK)
    assert both.latency_cycles == one.latency_cycles
    assert both.resources["DSP"] > one.resources["DSP"]


@given(st.integers(1, 300), st.integers(1, 64), st.integers(1, 64), st.floats(1.5, 25.0))
def test_estimates_are_ordered_and_positive(n_in: int, n_out: int, reuse: int, clock: float) -> None:
    block = replace(layer(2, 2), n_in=n_in, n_out=n_out, weights=(unknown_matrix(n_in, n_out, 16, None),))
    found = estimate(design(block), part=PART, clock_ns=clock, reuse=reuse)
    assert found.latency_cycles[0] <= found.latency_cycles[1]
    assert 1 <= found.interval_cycles[1] <= max(reuse, found.latency_cycles[1] + 1)
    assert all(value >= 0 for value in found.resources.values())


def test_a_design_survives_its_json() -> None:
    whole = design(layer(extra={"n_filt": 3}, tables=((1024, 18),)), fifos=((64, 16),), problems=("odd",), clock_ns=4.0)
    assert Design.from_dict(json.loads(json.dumps(whole.as_dict()))) == whole


def test_a_project_is_read_with_its_weights(tmp_path: Path) -> None:
    weights = ", ".join(["0.6875"] * 4 + ["0.5", "0.375", "0.25", "0.125", "0", "0", "0", "1"])  # 11/16, 3/8, powers
    found = load_design(project(tmp_path, weights=weights))
    dense, relu = found.blocks
    assert (found.part, found.clock_ns, found.uncertainty, found.tool) == ("xcu250-figd2104-2L-e", 5.0, 0.27, "Vitis")
    assert (dense.name, dense.n_in, dense.n_out, dense.reuse, dense.width_accum) == ("fc1", 4, 3, 4, 24)
    assert dense.weights == (Weights(4, 3, 16, 9, 3, multipliers=2, shift_adds=1),)
    assert (relu.kind, relu.width_out, relu.inputs) == ("relu", 8, ("layer2_out",))
    assert not found.problems


def test_two_readers_agree(tmp_path: Path) -> None:
    """The reader of an estimate, which asks little, and the one of the emulator, which understands every number."""
    folder = every_kind(tmp_path / "p", 5)
    loose, strict = load_design(folder), from_firmware(Firmware.read(folder))
    assert not loose.problems
    by_name = {block.output: block for block in loose.blocks}
    compared = 0
    for block in strict.blocks:
        other = by_name.get(block.output)
        # an einsum, say, that the firmware has in several layers, the last of which may only move numbers
        if other is None or (other.function == "einsum_dense" and block.kind == "wires"):
            continue
        compared += 1
        assert (other.kind, other.n_in, other.n_out) == (block.kind, block.n_in, block.n_out), block.name
        assert (other.width_in, other.width_out) == (block.width_in, block.width_out), block.name
        if block.extra.get("implementation") != "argmax":  # its config names tables that it does not have
            assert other.tables == block.tables, block.name
        if block.kind in ("dense", "conv"):
            assert [(w.nonzeros, w.multipliers, w.shift_adds) for w in other.weights] == [
                (w.nonzeros, w.multipliers, w.shift_adds) for w in block.weights
            ], block.name
    assert compared > 20


def test_layers_that_are_not_known_are_named_and_the_rest_estimated(tmp_path: Path) -> None:
    extra = "nnet::garnet<layer2_t, layer2_t, config2>(layer2_out, layer2_out); // odd one"
    found = estimate(load_design(project(tmp_path, extra=extra)))
    assert any("garnet" in text and "not covered" in text for text in found.problems)
    assert any("weights' values are not known" in text for text in found.problems)
    assert found.latency_cycles[1] > 0


def test_what_cannot_be_made_out_is_said(tmp_path: Path) -> None:
    path = project(tmp_path)
    header = path / "firmware" / "parameters.h"
    text = header.read_text()
    header.write_text(text.replace("n_out = N_LAYER_2", "n_out = SOMETHING"))
    assert any("config2::n_out" in problem for problem in load_design(path).problems)
    header.write_text(text.replace("reuse_factor = 4", "reuse_factor = 0", 1))
    assert any("not covered: dense" in problem and "reuse" in problem for problem in load_design(path).problems)
    for damaged in (text[:400], text.replace("};", "", 1), "(" + text):
        header.write_text(damaged)
        with pytest.raises(L1emuError, match=r"parameters\.h"):
            load_design(path)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"part": "ep4ce"}, "part"),
        ({"clock_ns": -1.0}, "clock"),
        ({"clock_ns": 0.0}, "clock"),
        ({"reuse": 0}, "reuse factor"),
    ],
)
def test_wrong_targets_are_refused(change: dict[str, Any], text: str) -> None:
    values: dict[str, Any] = {"part": PART, "clock_ns": CLOCK, **change}
    with pytest.raises(L1emuError, match=text):
        estimate(design(layer()), **values)


@pytest.mark.parametrize(
    ("part", "family", "dsp"),
    # AMD's product tables; None where a device is of a known family and not in the table.
    [
        ("xc7z020clg400-1", "7", 220),
        ("XC7Z020-CLG400-1", "7", 220),
        ("7vx690tffg1761-2", "7", 3600),
        ("xa7a35t-cpg236-1i", "7", 90),
        ("xcku115-flvb2104-2-i", "us", 5520),
        ("xqku060-rfa1156-1-m", "us", 2760),
        ("xcku15p-ffve1517-2-e", "us+", 1968),
        ("xcau25p-ffvb676-2-e", "us+", 1200),
        ("XCAU7P-ubva292-1-e", "us+", 216),
        ("xcvu13p-flga2577-2-e", "us+", 12288),
        ("xcvu57p-fsvk2892-3-e", "us+", 9024),
        (" {xcvu9p-flga2104-2L-e} ", "us+", 6840),
        ("xcu55c-fsvh2892-2L-e", "us+", 9024),
        ("xcu200-fsgd2104-2-e", "us+", 6840),
        ("xcu250-figd2104-2L-e", "us+", 12288),
        ("xczu3eg-sbva484-1-e", "us+", 360),
        ("xczu39dr-ffvf1760-2-i", "us+", 4272),
        ("xazu5ev-sfvc784-1-i", "us+", 1248),
        ("xck26-sfvc784-2LV-c", "us+", 1248),
        ("xcvc1902-vsva2197-2MP-e-S", "versal", 1968),
        ("vu13p", "us+", 12288),
        ("pynq-z2", "7", 220),
        ("ZCU102", "us+", 2520),
        ("alveo_u250", "us+", 12288),
        ("xcku999p-x", "us+", None),
        ("xcvp1502-vsva2785-2MP-e-S", "versal", None),
    ],
)
def test_parts(part: str, family: str, dsp: int | None) -> None:
    found = Part.find(part)
    assert found.series == series(part) == family
    assert (None if found.resources is None else found.resources["DSP"]) == dsp
    says = any("is not known" in text for text in estimate(design(layer()), part=part, clock_ns=CLOCK).problems)
    assert says == (dsp is None)


@pytest.mark.parametrize("part", ["", "10AX115", "ep4ce", "xc6vlx240t", "xc", "xcku", "lfe5u-85f", "x" * 9999])
def test_parts_of_nobody_are_refused(part: str) -> None:
    with pytest.raises(L1emuError, match="part that is not known"):
        Part.find(part)


def test_the_table_of_parts_is_consistent() -> None:
    table = json.loads(resource("data/parts.json").read_text())
    for name, offered in table["parts"].items():
        assert Part.find(name).resources == offered, name
        assert set(offered) == {"DSP", "LUT", "FF", "BRAM_18K", "URAM"}
        assert offered["FF"] == 2 * offered["LUT"], name  # two registers beside each look-up table in all families
    for part in table["boards"].values():
        assert Part.find(part).resources is not None, part


def test_extrapolation_is_said() -> None:
    found = estimate(design(layer()), part="xcvp1802-x", clock_ns=20.0)
    assert sum("extrapolated" in text for text in found.problems) >= 2


def test_a_scan_marks_what_nothing_beats(tmp_path: Path) -> None:
    path = project(tmp_path / "p", weights=",".join(str(0.1 * i) for i in range(12)))
    arguments = ["estimate", str(path), "--scan", "--reuse", "1,2,4", "--bits", "8,16", "--clock", "3ns,5ns"]
    result = CliRunner().invoke(app, [*arguments, "--output", str(tmp_path / "out"), "--json"])
    assert result.exit_code == 0, result.output
    points = json.loads(result.stdout)["points"]
    assert len(points) == 3 * 2 * 2 * 2

    def costs(point: dict[str, Any]) -> tuple[float, int, int]:
        return point["latency_ns"], point["resources"]["DSP"], point["resources"]["LUT"]

    for point in points:
        rivals = [costs(other) for other in points if other["bits"] == point["bits"]]
        beaten = any(all(a <= b for a, b in zip(r, costs(point), strict=True)) and r != costs(point) for r in rivals)
        assert point["pareto"] == (not beaten)
    assert {f.name for f in (tmp_path / "out").iterdir()} == {"scan.json", "scan.csv", "scan.png", "scan.pdf"}
    lists = CliRunner().invoke(app, ["estimate", str(path), "--reuse", "1,2"])
    assert isinstance(lists.exception, L1emuError)


def test_fewer_bits_never_take_more_multipliers() -> None:
    resources = [
        estimate(with_bits(design(layer(64, 32)), bits), part=PART, clock_ns=CLOCK).resources for bits in (18, 12, 8, 5)
    ]
    assert [r["DSP"] for r in resources] == sorted((r["DSP"] for r in resources), reverse=True)
    assert resources[-1]["DSP"] == 0


@pytest.mark.parametrize(
    ("change", "counted"),
    [
        ({}, True),
        ({"strategy": "resource"}, False),
        ({"kind": "conv", "extra": {"filt_width": 3}}, False),
        ({"kind": "conv", "positions": 8, "extra": {"filt_width": 1}}, True),
    ],
)
def test_look_up_tables_are_decided_where_they_are_arithmetic(change: dict[str, Any], counted: bool) -> None:
    """The band of public designs is narrow there, and wide, and said to decide nothing, elsewhere."""
    one = replace(layer(64, 32), **change)
    found = estimate(design(one), part=PART, clock_ns=CLOCK)
    assert found.as_dict()["arithmetic"] == counted
    assert any("look-up tables are not decided" in text for text in found.problems) != counted
    low, high = found.bands["LUT"]
    assert (high < 1.2) == counted
    least, typical, most = found.implemented["LUT"]
    assert least <= typical <= most
    assert (most < found.resources["LUT"]) == counted
    assert low <= 1 <= high


def test_what_is_left_behind_c_synthesis_covers_public_designs() -> None:
    """Of designs of plain arithmetic whose implementation is public too: is it within the band of their estimate?"""
    known = {
        ("astitwlathe/example-hls4ml", "my-hls-test"): 60_597,
        ("kai124138/bnjettag_results", "rf8_stdnn"): 1_787_637,
    }
    found = 0
    for entry in json.loads(DESIGNS.read_text()):
        left = known.get((entry["repo"], entry["project"]))
        if left is not None:
            least, _, most = estimate(Design.from_dict(entry["design"])).implemented["LUT"]
            assert least <= left <= most
            found += 1
    assert found == 2


def test_a_budget_takes_an_estimate_with_its_band(tmp_path: Path) -> None:
    path = project(tmp_path)
    timing = estimated_timing(path, 360.0, reuse=2)
    assert timing.kind == "estimate"
    assert timing.status == "unverified"
    assert timing.band_cycles is not None
    assert timing.band_cycles[0] <= timing.latency_cycles <= timing.band_cycles[1]
    result = CliRunner().invoke(app, ["budget", "--estimate", str(path), "--json"])
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["tagger"]["kind"] == "estimate"
    low, high = answer["slice_band_crossings"]
    assert low <= answer["slice"]["used_crossings"] <= high
    both = CliRunner().invoke(app, ["budget", "--estimate", str(path), "--latency", "3", "--interval", "1"])
    assert isinstance(both.exception, L1emuError)


@pytest.mark.parametrize(
    ("project", "cycles", "interval", "dsp"),
    # github.com/ArgyKokk/hls4ml_MLP_estimator (Vitis HLS 2021.1), Hector-Plata/hls4ml-tutorial (Vivado HLS 2019.2),
    # uw-acme/HLS4ML_VS_MANUAL (2019.2) and HLS4ML_-NeutDetector (2019.2): what their csynth reports say.
    [
        ("HLS_MLPs/ARRYTHMIA/hls4ml_prj/DSP_reuse1", 40, 1, 177),
        ("HLS_MLPs/ARRYTHMIA/hls4ml_prj/DSP_reuse100", 62, 24, 31),
        ("HLS_MLPs/CARDIO/hls4ml_prj/DSP_reuse100", 58, 38, 5),
        ("HLS_MLPs/CARDIO/hls4ml_prj/LUT_reuse100", 49, 34, 0),
        ("HLS_MLPs/mnist/hls4ml_prj/DSP_reuse100", 126, 49, 116),
        ("model_1/hls4ml_prj", 13, 1, 1450),
        ("documents/Benchmarks/RNN/toptagging/hls/toptagging_gru_hls4ml_prj", 878, 822, 198),
        ("documents/Benchmarks/RNN/quickdraw/hls/quickdraw_gru_hls4ml_prj", 4411, 4302, 4041),
        ("src/hdl/IGNORE/uplane-test", 11429, 11401, 451),
    ],
)
def test_the_shipped_constants_reproduce_known_reports(project: str, cycles: int, interval: int, dsp: int) -> None:
    entry = next(e for e in json.loads(DESIGNS.read_text()) if e["project"] == project and e["family"] != "6nrp-hls4ml")
    tool = "Vitis" if entry["version"] >= "2020.2" else "Vivado"
    found = estimate(Design.from_dict(entry["design"]), tool=tool)
    assert found.latency_cycles[1] == pytest.approx(cycles, rel=0.1)
    assert found.interval_cycles[1] == interval
    assert found.resources["DSP"] == pytest.approx(dsp, rel=0.02)


@pytest.mark.parametrize(
    ("repo", "project", "interval"),
    # Over streams, what their csynth reports say: RishThakkar/PokerML (Vivado HLS 2019.2), nycu-pcs-lab's extension of
    # the tutorial (2020.1), ChiRuiChen/AutoEncoder_hls4ml (2019.2), seanlipps/ECE226_CoDesign (Vitis HLS 2024.1); of
    # arrays mgrailoo/HLS4ML_CPP_HDL_MNIST_ (2020.1), and Hector-Plata's 6-bit network with reuse factor 64 (2019.2).
    [
        ("RishThakkar/PokerML", "projects/qat_hls4ml_prj_Rank", 466_946),
        ("RishThakkar/PokerML", "quantized_pruned_cnn", 15_363),
        ("nycu-pcs-lab/hls4ml_tuto_extension_vivadoflow", "pruned_cnn", 1_028),
        ("ChiRuiChen/AutoEncoder_hls4ml", None, 95_949),
        ("seanlipps/ECE226_CoDesign", "model_1/hls4ml_prj", 390),
        ("mgrailoo/HLS4ML_CPP_HDL_MNIST_", None, 7_840),
        ("Hector-Plata/hls4ml-tutorial", "model_3/hls4ml_prj_pynq", 15),
    ],
)
def test_intervals_of_known_reports(repo: str, project: str | None, interval: int) -> None:
    entry = next(e for e in json.loads(DESIGNS.read_text()) if (e["repo"], e["project"]) == (repo, project))
    tool = "Vitis" if entry["version"] >= "2020.2" else "Vivado"
    assert estimate(Design.from_dict(entry["design"]), tool=tool).interval_cycles == (interval, interval)


def test_a_settled_interval_has_no_band_and_one_from_a_latency_says_so() -> None:
    plain = estimate(design(layer()), part=PART, clock_ns=CLOCK)
    shared = estimate(design(layer()), part=PART, clock_ns=CLOCK, reuse=128)
    assert plain.interval_settled
    assert plain.band("interval_cycles") == (1, 1)
    assert not shared.interval_settled
    assert shared.interval_cycles[1] == shared.latency_cycles[1] + 1
    assert shared.as_dict()["interval_settled"] is False
    asked = estimate(design(layer(), stated_interval=6), part=PART, clock_ns=CLOCK)
    assert (asked.interval_cycles, asked.interval_settled) == ((6, 6), True)


def test_a_reuse_factor_decides_the_interval_up_to_three_quarters_of_the_latency() -> None:
    """Then it is the interval even if the latency is off by a fourth; beyond, the latency may be."""
    shares = {}
    for reuse in range(2, 129):
        found = estimate(design(layer()), part=PART, clock_ns=CLOCK, reuse=reuse)
        share = reuse / (found.layers[0][1].latency + 1)
        shares[share] = found.interval_settled
        assert found.interval_cycles[1] == min(reuse, found.layers[0][1].latency + 1)
    assert all(settled == (share <= 0.75) for share, settled in shares.items())
    assert {True, False} == {settled for share, settled in shares.items() if 0.5 < share < 1}


@pytest.mark.parametrize(
    ("other", "settled"), [(60.0, True), (74.0, True), (76.0, False), (100.0, False), (120.0, False)]
)
def test_a_layer_that_might_be_the_slowest_unsettles_the_interval(other: float, settled: bool) -> None:
    """One whose interval follows from a latency, and could be longer by a third than it is estimated."""
    costs = [Cost(latency=0, interval=100), Cost(latency=0, interval=other, settled=False)]
    assert _interval(design(layer(), layer()), costs) == (max(100, round(other)), settled)
    bounded = [costs[0], replace(costs[1], longest=100)]
    if other <= 100:
        assert _interval(design(layer(), layer()), bounded) == (100, True)


@pytest.mark.parametrize(("reuse", "looped"), [(10_000, False), (20_000, True)])
def test_above_ten_thousand_turns_a_loop_finds_the_outputs_places(reuse: int, looped: bool) -> None:
    """mgrailoo/HLS4ML_CPP_HDL_MNIST_ (Vivado HLS 2020.1): 10,000 turns are unrolled, 39,200 are not."""
    block = replace(layer(2, 2), n_in=200, n_out=200, weights=(unknown_matrix(200, 200, 16, None),))
    found = estimate(
        design(replace(block, strategy="resource", reuse=reuse), pipeline="dataflow"), part=PART, clock_ns=5
    )
    assert (found.latency_cycles[1] > 2 * reuse) == looped
    assert found.interval_settled == (not looped)
    assert any("loop for the outputs' places" in text for text in found.problems) == looped


@pytest.mark.parametrize(
    "change",
    [
        {"n_in": 10**10},
        {"n_out": 0},
        {"reuse": 10**12},
        {"reuse": -1},
        {"width_in": 10**6},
        {"positions": 10**10},
        {"tables": ((10**12, 18),)},
        {"tables": ((1024, 10**9),)},
        {"extra": {"n_filt": 10**15}},
        {"weights": (unknown_matrix(10**6, 10**6, 16, None),)},
        {"weights": (unknown_matrix(4, 4, 10**6, None),)},
    ],
)
def test_sizes_beyond_any_hardware_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(L1emuError, match=r"layer fc: .*(below 1|beyond any hardware)"):
        replace(layer(), **change)


def test_a_reuse_factor_has_no_more_turns_than_weights() -> None:
    many, most = (estimate(design(layer(strategy="resource", reuse=r)), part=PART, clock_ns=5.0) for r in (10**6, 128))
    assert many.latency_cycles == most.latency_cycles
    assert many.resources["DSP"] == 1


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("set clock_period 1.2.3", "clock period is no number"),
        ("set clock_period 5ns", "clock period is no number"),
        ("set clock_period nan", "clock period is no number"),
        ("set clock_period 1e300", "clock period is no number"),
        ("set clock_period 0", "not a clock's period"),
        ("set clock_period 99999", "not a clock's period"),
        ("set clock_uncertainty 100%", "leaves nothing of the period"),
        ("set clock_uncertainty 1e9%", "clock uncertainty is no number"),
        ("set clock_uncertainty -5%", "clock uncertainty is no number"),
        ('set part "10AX115"', "part that is not known"),
    ],
)
def test_settings_that_no_tool_takes_are_refused(line: str, text: str, tmp_path: Path) -> None:
    path = project(tmp_path)
    tcl = path / "project.tcl"
    key = line.split()[1]
    kept = [old for old in tcl.read_text().splitlines() if f"set {key}" not in old]
    tcl.write_text("\n".join([*kept, line]) + "\n")
    with pytest.raises(L1emuError, match=text):
        estimate(load_design(path))


@pytest.mark.parametrize(
    "change",
    [
        ("struct config2 : nnet::dense_config", "struct config2 : config2"),
        ("reuse_factor = 4", "reuse_factor = config2::reuse_factor"),
        ("n_out = N_LAYER_2", "n_out = " + "(" * 5000 + "1" + ")" * 5000),
        ("n_out = N_LAYER_2", "n_out = " + "9" * 5000),
        ("n_out = N_LAYER_2", "n_out = 1e999"),
        ("n_out = N_LAYER_2", "n_out = 1 << 4000"),
    ],
)
def test_configs_without_end_or_measure_are_named_or_refused(change: tuple[str, str], tmp_path: Path) -> None:
    path = project(tmp_path)
    header = path / "firmware" / "parameters.h"
    header.write_text(header.read_text().replace(*change, 1))
    try:
        problems = estimate(load_design(path)).problems
    except L1emuError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert any("not understood" in text or "not covered" in text for text in problems)


def test_a_saturating_sum_is_no_tree() -> None:
    tree, row = (
        estimate(design(layer(64, 8, extra=extra)), part=PART, clock_ns=10.0) for extra in ({}, {"saturating": 1})
    )
    assert tree.latency_cycles[1] <= 2
    assert row.latency_cycles[1] > 8  # 64 additions, comparisons and choices


def test_what_the_sources_say_of_sums_and_of_the_interval_is_read(tmp_path: Path) -> None:
    path = project(tmp_path)
    source = path / "firmware" / "myproject.cpp"
    source.write_text(source.read_text().replace("HLS PIPELINE", "HLS PIPELINE II=6"))
    header = path / "firmware" / "parameters.h"
    header.write_text(header.read_text().replace("ap_fixed<24,12> accum_t", "ap_fixed<24,12,AP_RND,AP_SAT> accum_t"))
    found = load_design(path)
    assert found.stated_interval == 6
    assert found.blocks[0].extra == {"saturating": 1}


BIDIRECTIONAL = """
struct MULT_W : nnet::dense_config {
    static const unsigned n_in = 3;
    static const unsigned n_out = 8;
    static const unsigned reuse_factor = 1;
    static const unsigned strategy = nnet::latency;
};
struct MULT_R : nnet::dense_config {
    static const unsigned n_in = 2;
    static const unsigned n_out = 8;
    static const unsigned reuse_factor = 1;
    static const unsigned strategy = nnet::latency;
};
struct CELL : nnet::single_layer_config {
    static const unsigned n_state = 2;
    typedef ap_fixed<24,12> accum_t;
    typedef model_default_t weight_t;
    typedef MULT_W mult_config1;
    typedef MULT_R mult_config2;
};
struct config9 : nnet::bidirectional_config {
    typedef CELL FORWARD_CONFIG;
    typedef CELL BACKWARD_CONFIG;
    static const unsigned n_in = 3;
    static const unsigned n_out = 4;
    static const unsigned n_sequence = 5;
    static const unsigned n_sequence_out = 1;
    static const bool use_static = true;
};
"""


def test_a_bidirectional_layer_is_two_cells_side_by_side(tmp_path: Path) -> None:
    weights = "wf, rf, bf, sf, wb, rb, bb, sb"
    call = f"nnet::bidirectional_stack<layer2_t, layer2_t, config9>(layer2_out, layer9_out, {weights});"
    path = project(tmp_path, extra=f"layer2_t layer9_out[4];\n    {call} // both")
    header = path / "firmware" / "parameters.h"
    header.write_text(header.read_text().replace("#endif", BIDIRECTIONAL + "#endif"))
    found = load_design(path)
    forward, backward = (block for block in found.blocks if block.kind == "recurrent")
    assert (forward.name, backward.name, backward.output) == ("both_forward", "both_backward", "layer9_out")
    assert forward.inputs == backward.inputs == ("layer2_out",)
    assert [(w.n_in, w.n_out) for w in forward.weights] == [(3, 8), (2, 8)]
    assert (forward.positions, forward.extra["gates"], forward.n_out) == (5, 4, 2)
    cells = [cost.latency for block, cost, _ in estimate(found).layers if block.kind == "recurrent"]
    assert cells[0] == cells[1] > 5 * 5


def test_quantizers_are_wires_and_unknown_functions_hand_on_what_they_wait_for(tmp_path: Path) -> None:
    layers = """
    layer2_t layer4_out[N_LAYER_2];
    nnet::ODD<layer2_t, layer2_t>(layer2_out, layer4_out); // between
    layer2_t layer5_out[N_LAYER_2];
    nnet::relu<layer2_t, layer2_t, relu_config3>(layer4_out, layer5_out); // relu2
    """
    known = load_design(project(tmp_path / "a", extra=layers.replace("ODD", "fc1_relu_quantizer")))
    odd = load_design(project(tmp_path / "b", extra=layers.replace("ODD", "garnet")))
    assert not any("not covered" in text for text in known.problems)
    assert any("incomplete: 1 of 4 layers" in text for text in odd.problems)
    assert next(block for block in odd.blocks if block.name == "relu2").inputs == ("layer2_out",)


def test_the_command_prints_what_a_report_prints() -> None:
    arguments = [str(resource("models/jet-tagger/tagger.l1fw")), "--part", PART, "--clock", "2.7778ns", "--reuse", "8"]
    result = CliRunner().invoke(app, ["estimate", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert set(printed) >= {"part", "top", "clock_target_ns", "clock_estimated_ns", "origin", "problems"}
    assert printed["origin"] == "estimate"
    assert set(printed["resources"]) == {"DSP", "LUT", "FF", "BRAM_18K", "URAM"}
    for name in ("latency_cycles", "interval_cycles"):
        low, high = printed["bands"][name]
        assert low <= printed[name][1] <= high
    assert set(printed["bands"]) == {"latency_cycles", "interval_cycles", *printed["resources"]}
    assert len(printed["layers"]) > 15
    assert CliRunner().invoke(app, ["estimate", *arguments]).exit_code == 0


WEIGHTS = "11,-3,0,4,0.5,7,1e-1,-0.25,6,2,1,0"
HEADERS = {
    "one row": f"model_default_t w2[12] = {{{WEIGHTS}}};",
    "as synthesis sees it": "#ifndef __SYNTHESIS__\nmodel_default_t w2[12];\n#else\n"
    f"model_default_t w2[12] = {{{WEIGHTS}}};\n#endif",
    "two dimensions": "static const model_default_t w2[4][3] = {{11,-3,0},{4,0.5,7},{1e-1,-0.25,6},{2,1,0}};",
    "comments": "model_default_t w2[12] = { // four rows\n 11,-3,0, /* second */ 4,0.5,7,\n 1e-1,-0.25,6, 2,1,0, };",
    "constructors": "model_default_t w2[12] = {ap_fixed<16,6>(11), model_default_t(-3), 0,4,.5f,7,(0.1),-.25,6,2,1,0};",
    "in a namespace": f"namespace net {{ const ap_fixed<16,6> w2[N_INPUT_1_1*N_LAYER_2] = {{{WEIGHTS}}}; }}",
}


@pytest.mark.parametrize("form", HEADERS)
def test_weights_come_from_headers_of_any_form(form: str, tmp_path: Path) -> None:
    """The numbers of a text file and of a header alone give the same estimate, as they give the same circuit."""
    with_text = project(tmp_path / "text", weights=WEIGHTS)
    alone = project(tmp_path / "header")
    (alone / "firmware" / "weights" / "w2.h").write_text(f"#ifndef W2_H_\n#define W2_H_\n{HEADERS[form]}\n#endif\n")
    expected, found = (load_design(path).blocks[0].weights[0] for path in (with_text, alone))
    assert expected.multipliers is not None
    assert found == expected
    assert not any("weights' values" in text for text in estimate(load_design(alone)).problems)


@pytest.mark.parametrize("rows", [1, 4])
def test_long_lists_of_weights_are_read_from_headers(rows: int, tmp_path: Path) -> None:
    path = project(tmp_path, weights=WEIGHTS)
    numbers = [f"{n}.{'0' * 180}" for n in range(1, 13)]
    lists = [", ".join(numbers[i::rows]) for i in range(rows)]
    braces = f"{{{lists[0]}}}" if rows == 1 else "{{" + "}, {".join(lists) + "}}"
    (path / "firmware" / "weights" / "w2.h").write_text(f"model_default_t w2[12] = {braces};\n")
    assert load_design(path).blocks[0].weights[0].nonzeros == 12


def test_synthesis_reads_the_header_and_not_the_text(tmp_path: Path) -> None:
    path = project(tmp_path, weights=WEIGHTS)
    (path / "firmware" / "weights" / "w2.h").write_text("model_default_t w2[12] = {0,0,0,0,0,0,0,0,0,0,0,11};\n")
    assert load_design(path).blocks[0].weights[0].nonzeros == 1
    (path / "firmware" / "weights" / "w2.h").write_text("model_default_t w2[12] = {0,0,0};\n")
    assert load_design(path).blocks[0].weights[0].multipliers is None


def test_products_with_powers_of_two_take_no_multiplier(tmp_path: Path) -> None:
    path = project(tmp_path)
    kind = "typedef struct exponent2_t {ap_uint<1> sign;ap_int<4> weight;} exponent2_t;\n"
    defines = path / "firmware" / "defines.h"
    defines.write_text(defines.read_text() + kind)
    header = "exponent2_t w2[12] = {" + ",".join(["{1,-2}", "{0,3}"] * 6) + "};\n"
    (path / "firmware" / "weights" / "w2.h").write_text(header)
    assert load_design(path).blocks[0].weights[0].multipliers == 0


GENERATED = """
namespace nnet {
template<typename input_t, typename output_t>
void fc_iq(input_t *inp, output_t *out) {
    #pragma HLS INLINE
    out[0] = ap_fixed<7,3,AP_RND,AP_WRAP>(inp[0]);
    out[1] = ap_fixed<7,3,AP_TRN,AP_WRAP>(inp[1]); // a wire
    out[2] = 0;
}
template <typename inp_t, typename out_t>
void dense_da_4(inp_t model_inp[3], out_t model_out[2]) { // ap_fixed<9,3> -> ap_fixed<18,6>
    #pragma HLS INLINE
    ap_fixed<9,3> v0 = model_inp[0]; // 0.0
    ap_fixed<9,3> v1 = model_inp[1];
    ap_fixed<9,3> v2 = model_inp[2];
    ap_fixed<12,4> v3 = v0 - bit_shift<-1>(v1); // 1.0
    ap_fixed<14,5> v4 = v3 + bit_shift<3>(v2);
    ap_fixed<15,6> v5 = v4 + ap_fixed<5,4>(-5.5);
    model_out[0] = ap_fixed<15,6>(v5);
    model_out[1] = ap_fixed<13,4>(-v3);
}
template<typename input_t, typename output_t>
void odd(input_t *inp, output_t *out) {
    out[0] = inp[0] * inp[0];
}
}
"""
CALLS = """
    layer2_t layer4_out[N_LAYER_2];
    nnet::fc_iq<layer2_t, layer2_t>(layer2_out, layer4_out); // q
    layer2_t layer5_out[2];
    nnet::dense_da_4<layer2_t, layer2_t>(layer4_out, layer5_out); // sums
"""


def generated(folder: Path, calls: str) -> Path:
    path = project(folder, weights=WEIGHTS, extra=calls)
    (path / "firmware" / "nnet_utils").mkdir()
    (path / "firmware" / "nnet_utils" / "nnet_code_gen.h").write_text(GENERATED)
    return path


def test_generated_quantizers_and_sums_are_read_from_their_code(tmp_path: Path) -> None:
    """What hls4ml writes for HGQ models: a type for each number, and layers as sums of shifted inputs."""
    found = load_design(generated(tmp_path, CALLS))
    assert not found.problems
    casts, sums = found.blocks[1:3]
    assert (casts.kind, casts.n_in, casts.n_out, casts.inputs) == ("merge", 1, 3, ("layer2_out",))
    assert (sums.kind, sums.n_in, sums.n_out, sums.strategy) == ("dense", 3, 2, "distributed_arithmetic")
    # 12 + 14 + 15 bits, and 13 for the negation; three additions behind one another
    assert sums.extra == {"adder_depth": 3, "adder_bits": 54}
    cost = next(cost for block, cost, _ in estimate(found).layers if block.name == "sums")
    assert cost.dsp == 0
    assert cost.lut > 0
    assert any("distributed arithmetic" in text for text in estimate(found).problems)
    faster = next(cost for block, cost, _ in estimate(found, clock_ns=1.5).layers if block.name == "sums")
    assert faster.latency > cost.latency


def test_generated_code_that_does_something_else_is_named(tmp_path: Path) -> None:
    calls = "layer2_t layer4_out[3];\n nnet::odd<layer2_t, layer2_t>(layer2_out, layer4_out); // odd"
    assert any("not covered: odd" in text for text in load_design(generated(tmp_path, calls)).problems)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("own::odd<layer2_t, layer2_t>(layer2_out, layer2_out);", "not covered: odd"),
        ("odd(layer2_out, layer2_out);", "not covered: odd"),
        (
            "for (int i = 0; i < 3; i++) { nnet::relu<layer2_t, layer2_t, relu_config3>(layer2_out, x); }",
            "within 'for'",
        ),
        ("if (true) { odd(layer2_out); }", "within 'if'"),
    ],
)
def test_no_call_is_passed_over_in_silence(statement: str, said: str, tmp_path: Path) -> None:
    problems = load_design(project(tmp_path, extra=statement)).problems
    assert any(said in text for text in problems), problems
    assert any(text.startswith("incomplete") for text in problems)


def test_layers_in_another_namespace_are_read(tmp_path: Path) -> None:
    extra = "layer2_t layer4_out[3];\n net::relu<layer2_t, layer2_t, relu_config3>(layer2_out, layer4_out); // mine"
    found = load_design(project(tmp_path, extra=extra))
    assert [block.name for block in found.blocks] == ["fc1", "mine", "relu1"]


def pixels(pipeline: str, **extra: object) -> Design:
    weights = matrix(np.random.default_rng(2).integers(-31, 32, size=(32, 32)), 6)
    block = layer(32, 32, reuse=2, width_in=16, weights=(weights,))
    sizes = {"n_partitions": 8, "in_width": 8, "n_chan": 32, "n_filt": 32, **extra}
    conv = replace(block, kind="conv", function="pointwise_conv_1d_cl", n_in=256, n_out=256, positions=8, extra=sizes)
    return design(conv, pipeline=pipeline, tool="Vivado")


def test_point_wise_convolutions_do_their_pixels_side_by_side_where_the_code_does() -> None:
    """fastmachinelearning/l1-jet-id (Vivado HLS 2020.1, xcvu13p at 5 ns): eight pixels, reuse factor 2.

    Its point-wise convolutions take a cycle and an interval of 2, that of the whole; eight rounds of 2 would be 16.
    """
    found = estimate(pixels("dataflow", side_by_side="shared"), part=PART, clock_ns=CLOCK)
    assert found.layers[0][1].latency == 1
    assert (found.interval_cycles, found.interval_settled) == ((2, 2), True)
    wanted = pixels("dataflow").blocks[0].weights[0].multipliers
    assert wanted is not None
    assert found.resources["DSP"] == wanted * 8 / 2
    rounds = estimate(pixels("dataflow"), part=PART, clock_ns=CLOCK)
    assert rounds.interval_cycles == (16, 16)
    every = estimate(pixels("dataflow", side_by_side="every cycle"), part=PART, clock_ns=CLOCK)
    assert (every.interval_cycles, every.resources["DSP"]) == ((1, 1), wanted * 8)


def test_a_pipelined_top_unrolls_the_rounds() -> None:
    assert estimate(pixels("pipeline"), part=PART, clock_ns=CLOCK).interval_cycles == (2, 2)


@pytest.mark.parametrize(
    ("kernel", "header", "backend", "side_by_side"),
    [
        ("nnet::pointwise_conv_9<data_T, res_T, CONFIG_T>", None, "vitis", "shared"),
        ("nnet::BatchedDenseForConv1D<data_T, res_T, CONFIG_T>", None, "vitis", "shared"),
        ("nnet::BatchedDenseForConv1D<data_T, res_T, CONFIG_T>", None, "vivado", "every cycle"),
        ("nnet::Conv1DLatency<data_T, res_T, CONFIG_T>", None, "vitis", None),
        (None, "pointwise_conv_1d_latency_cl<data_T, res_T, CONFIG_T>(data_tmp[0], res_tmp[0]);", "vivado", "shared"),
        (None, "conv_1d_latency_cl<data_T, res_T, CONFIG_T>(data, res, weights, biases);", "vivado", None),
    ],
)
def test_which_point_wise_convolution_a_project_has(
    kernel: str | None, header: str | None, backend: str, side_by_side: str | None, tmp_path: Path
) -> None:
    call = "nnet::pointwise_conv_1d_cl<layer2_t, layer2_t, config9>(layer2_out, layer9_out, w9, b9); // pw"
    path = project(tmp_path, extra=f"layer2_t layer9_out[24];\n    {call}")
    parameters = path / "firmware" / "parameters.h"
    config = "struct config9 : nnet::conv1d_config {\n"
    sizes = {"in_width": 8, "out_width": 8, "n_chan": 3, "n_filt": 3, "filt_width": 1, "n_partitions": 8}
    config += "".join(f"static const unsigned {name} = {value};\n" for name, value in sizes.items())
    config += "static const unsigned reuse_factor = 2;\nstatic const unsigned strategy = nnet::latency;\n"
    if kernel is not None:
        config += f"template<class data_T, class res_T, class CONFIG_T>\nusing conv_kernel = {kernel};\n"
    parameters.write_text(parameters.read_text().replace("#endif", config + "};\n#endif"))
    if header is not None:
        (path / "firmware" / "nnet_utils").mkdir()
        body = f"void pointwise_conv_1d_cl(data_T data[4],\n res_T res[4]) {{\n    {header}\n}}\n"
        (path / "firmware" / "nnet_utils" / "nnet_conv1d.h").write_text(body)
    (path / "project.tcl").write_text((path / "project.tcl").read_text().replace("vitis", backend))
    block = next(block for block in load_design(path).blocks if block.name == "pw")
    assert block.extra.get("side_by_side") == side_by_side


def attending(pipeline: str, reuse: int, seq: int = 15) -> Design:
    sizes = {"num_heads": 2, "head_dim_key": 4, "head_dim_value": 4, "seq_len": seq, "feature_dim": 6}
    weights = tuple(unknown_matrix(rows, columns, 16, None) for rows, columns in [(6, 8)] * 3 + [(8, 6)])
    block = Block("mha", "attention", "multiheadattention", 6 * seq, 6 * seq, ("x",), "y", seq, reuse=reuse)
    return design(replace(block, weights=weights, extra=sizes), pipeline=pipeline)


def test_attention_in_a_dataflow_shares_its_multipliers_over_the_rows_and_the_reuse_factor() -> None:
    """Each row of scores takes ``seq_len * head_dim_key`` products, in a loop with a row every `reuse_factor` cycles.

    As `nnet_multiheadattention.h` has it; only a pipelined top function unrolls the loop over the rows.
    """
    unrolled, looped, often = (
        estimate(attending(*how), part=PART, clock_ns=CLOCK).resources["DSP"]
        for how in (("pipeline", 1), ("dataflow", 1), ("dataflow", 4))
    )
    row = 2 * (15 * 4 + 15 * 4 + 2 * 15)  # for two heads: scores, sums, and the softmax
    assert row <= looped <= row + 4 * 48  # and at most all products of the projections
    assert looped - often == pytest.approx(row * 3 / 4, abs=4 * 48)
    assert unrolled - 14 * row == looped


def test_published_transformers_are_estimated_as_they_were_synthesized() -> None:
    """arXiv:2402.01047 and arXiv:2409.05207: cycles within 10 %, intervals within 4 %, those of b tagging within 1."""
    document = json.loads(DESIGNS.with_name("transformer_designs.json").read_text())
    assert [(e["network"], e["reuse"]) for e in document["designs"]][:3] == [("b-tagging", r) for r in (1, 2, 4)]
    for entry in document["designs"]:
        found = estimate(Design.from_dict(entry["design"]))
        off = found.interval_cycles[1] - entry["interval_cycles"]
        assert abs(off) <= (1 if entry["network"] == "b-tagging" else 0.04 * entry["interval_cycles"]), entry["project"]
        if entry["latency_cycles"] is not None:
            assert found.latency_cycles[1] == pytest.approx(entry["latency_cycles"], rel=0.1), entry["project"]


def test_a_vitis_kernel_over_streams_reads_and_writes_beside_the_network(tmp_path: Path) -> None:
    path = project(tmp_path, weights=WEIGHTS)
    (path / "hls4ml_config.yml").write_text("Backend: VitisAccelerator\n")
    arrays = load_design(path)
    assert (arrays.backend, arrays.wrapper, arrays.buffered) == ("VitisAccelerator", None, 3)
    assert any("the kernel around the network is counted" in text for text in estimate(arrays).problems)
    for source in (path / "firmware" / "myproject.cpp", path / "firmware" / "myproject.h"):
        text = source.read_text().replace("input_t x[N_INPUT_1_1]", "hls::stream<input_t> &x")
        source.write_text(text.replace("result_t layer3_out[N_LAYER_2]", "hls::stream<result_t> &layer3_out"))
    found = estimate(load_design(path))
    assert found.design.wrapper == Wrapper("kernel_wrapper", 4, 3, 4, 3, dataflow=True, memory=True)
    assert found.as_dict()["top"] == "kernel_wrapper"
    alone = estimate(replace(found.design, wrapper=None))
    assert found.latency_cycles[1] == max(alone.latency_cycles[1], 4) + 3


def test_a_saved_firmware_of_an_accelerator_is_the_network_alone(tmp_path: Path) -> None:
    folder = every_kind(tmp_path / "p", 5, "vivadoaccelerator")
    found = from_firmware(Firmware.read(folder))
    assert (found.backend, found.tool, found.wrapper) == ("VivadoAccelerator", "Vivado", None)
    assert any("holds the network alone" in text for text in found.problems)


def test_attention_s_weights_are_read(tmp_path: Path) -> None:
    names = [f"{part}_{what}9" for part in ("out", "key", "query", "value") for what in ("weight", "bias")]
    call = f"nnet::multiheadattention<layer2_t, layer2_t, config9>(layer2_out, layer2_out, y, {', '.join(names)});"
    path = project(tmp_path, extra=f"layer2_t y[6];\n    {call} // mha")
    sizes = {"num_heads": 2, "head_dim_key": 2, "head_dim_value": 1, "seq_len": 2, "feature_dim": 3, "reuse_factor": 1}
    members = "".join(f"static const unsigned {name} = {value};\n" for name, value in sizes.items())
    struct = f"struct config9 : nnet::multiheadattention_config {{\n{members}typedef model_default_t weight_t;\n}};\n"
    parameters = path / "firmware" / "parameters.h"
    parameters.write_text(parameters.read_text().replace("#endif", struct + "#endif"))
    key = "11,0,0,0,0,0,0,0,0,11,11,1"  # of two heads, three features by two numbers each
    for name, numbers in (("key_weight9", key), ("out_weight9", "0,0,0,11,1,0")):
        header = f"model_default_t {name}[] = {{{numbers}}};\n"
        (path / "firmware" / "weights" / f"{name}.h").write_text(header)
    block = next(block for block in load_design(path).blocks if block.kind == "attention")
    found = [(w.n_in, w.n_out, w.nonzeros, w.multipliers) for w in block.weights]
    assert found == [(3, 4, 4, 3), (3, 4, 12, None), (3, 2, 6, None), (2, 3, 2, 1)]


@pytest.mark.parametrize(
    ("call", "inputs"),
    [  # the slopes stand before the result, the state before it too
        ("prelu<layer2_t, model_default_t, layer2_t, config9>(layer2_out, w9, y)", ("layer2_out",)),
        ("gru_stack<layer2_t, layer2_t, layer2_t, config9>(layer2_out, h, y, w9, w10, b9, b10)", ("layer2_out", "h")),
    ],
)
def test_weights_are_read_where_the_function_takes_them(tmp_path: Path, call: str, inputs: tuple[str, ...]) -> None:
    path = project(tmp_path, extra=f"layer2_t h[2];\n    layer2_t y[12];\n    nnet::{call}; // it")
    sizes = {"n_in": 12, "n_state": 2, "n_sequence": 1, "n_out": 2, "reuse_factor": 1}
    members = "".join(f"static const unsigned {name} = {value};\n" for name, value in sizes.items())
    parts = "".join(
        f"struct config9_{i} {{ static const unsigned n_in = 2; static const unsigned n_out = 6; }};\n" for i in (1, 2)
    )
    types = "typedef model_default_t weight_t;\ntypedef config9_1 mult_config1;\ntypedef config9_2 mult_config2;\n"
    parameters = path / "firmware" / "parameters.h"
    struct = f"{parts}struct config9 {{\n{members}{types}}};\n"
    parameters.write_text(parameters.read_text().replace("#endif", struct + "#endif"))
    numbers = ",".join(["11", "0", "3"] * 4)
    for name in ("w9", "w10"):
        (path / "firmware" / "weights" / f"{name}.h").write_text(f"model_default_t {name}[12] = {{{numbers}}};\n")
    block = next(block for block in load_design(path).blocks if block.name == "it")
    assert [w.nonzeros for w in block.weights] == [8] * len(block.weights) and block.weights
    assert all(w.multipliers is not None for w in block.weights)
    assert (block.inputs, block.output) == (inputs, "y")


WRAPPER = """
#include "myproject_axi.h"
void myproject_axi(input_axi_t in[N_IN], output_axi_t out[N_OUT]) {
    #pragma HLS INTERFACE INTERFACE_OF port=in
    TOP
    for(unsigned i = 0; i < N_IN; i++){
        LOOP
        in_local[i] = in[i].data; // Read input with cast
    }
    myproject(in_local, out_local);
    for(unsigned i = 0; i < N_OUT; i++){
        LOOP
        out[i].data = out_local[i];
    }
}
"""


@pytest.mark.parametrize(
    ("loop", "top", "interface", "cycles"),
    # 4 words in, 3 out: a word a cycle and one to leave; a word a cycle through the port; two cycles a word
    [
        ("#pragma HLS PIPELINE", "", "axis", (5, 4)),
        ("#pragma HLS PIPELINE II=2", "", "axis", (9, 7)),
        ("#pragma HLS UNROLL", "", "s_axilite", (4, 3)),
        ("#pragma HLS UNROLL", "", "m_axi", (4, 3)),
        ("", "#pragma HLS DATAFLOW", "axis", (9, 7)),
    ],
)
def test_an_accelerator_s_top_function_is_counted(
    loop: str, top: str, interface: str, cycles: tuple[int, int], tmp_path: Path
) -> None:
    path = project(tmp_path, weights=WEIGHTS)
    alone = estimate(load_design(path))
    tcl = path / "project.tcl"
    tcl.write_text(tcl.read_text().replace('"vitis"', '"vivadoaccelerator"'))
    source = WRAPPER.replace("LOOP", loop).replace("TOP", top).replace("INTERFACE_OF", interface)
    (path / "firmware" / "myproject_axi.cpp").write_text(source)
    (path / "firmware" / "myproject_axi.h").write_text("static const unsigned N_IN = 4;\nvoid myproject_axi();\n")
    found = estimate(load_design(path), tool="Vitis")
    assert found.design.name == found.as_dict()["top"] == "myproject_axi"
    wrapper = found.design.wrapper
    assert wrapper is not None
    assert (wrapper.words_in, wrapper.words_out) == (4, 3)
    assert (wrapper.cycles_in, wrapper.cycles_out) == cycles
    network = alone.latency_cycles[1]
    if top:
        assert found.latency_cycles[1] == max(cycles[0], network) + cycles[1]
        assert found.interval_cycles[1] == max(cycles)
    else:
        assert found.latency_cycles[1] == sum(cycles) + network
        assert found.interval_cycles[1] == found.latency_cycles[1] + 1
    assert not found.interval_settled
    assert any("the accelerator's top myproject_axi is counted" in text for text in found.problems)
    assert any("memory outside" in text for text in found.problems) == (interface == "m_axi")
    assert Design.from_dict(json.loads(json.dumps(found.design.as_dict()))) == found.design
    (path / "build_prj.tcl").write_text("set_top myproject\n")
    without = estimate(load_design(path), tool="Vitis")
    assert (without.design.name, without.latency_cycles) == ("myproject", alone.latency_cycles)
    assert any("left out" in text for text in without.problems)
