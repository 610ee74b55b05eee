"""Damaged and extreme projects: the estimate answers within bounds or refuses in one line, and never falls over."""

from __future__ import annotations

import math
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from l1emu.errors import L1emuError
from l1emu.latency.estimate import Block, Design, estimate, load_design
from l1emu.latency.estimate.cost import FORMULAS
from l1emu.latency.estimate.design import COUNTS
from l1emu.latency.estimate.matrices import unknown_matrix
from tests.handmade_projects import every_kind

FILES = ("firmware/parameters.h", "firmware/defines.h", "project.tcl", "hls4ml_config.yml")
WORDS = (
    *("0", "-1", "1", "2", "4294967295", "99999999999999999999", "1e999", "0.5", "-0", "0x7", "08", "1" * 5000, "1u"),
    *("nan", "inf", "true", "nnet::", "::", ";", "{", "}", "(", ")", "<", ">", ">>", ",", "=", "#if 1", "#endif", "//"),
    *("/*", "*/", '"', "'", "\\", "\x00", "\t", "ü", "template", "struct", "typedef", "using", "static const unsigned"),
    *("for (;;)", "if (x)", "return;", "ap_fixed<0,0>", "ap_fixed<9999999,1>", "ap_fixed<16,6>", "nnet::array<x,0>"),
    *("nnet::relu<x, y, z>(a, b);", "hls::stream<input_t>", "#pragma HLS DATAFLOW", "#pragma HLS PIPELINE II=0"),
    *(
        "#pragma HLS STREAM variable=x depth=999999999",
        "reuse_factor",
        "n_in",
        "Backend: Vitis",
        "set part xcku5p",
        "%",
    ),
)


def damaged(text: str, rng: random.Random) -> str:
    """The text with one to three things changed."""
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(text) + 1)
        what = rng.randrange(6)
        if what == 0:
            text = text[:place] + rng.choice(WORDS) + text[place:]
        elif what == 1:
            text = text[:place] + text[place + rng.randint(1, 40) :]
        elif what == 2:
            text = text[:place]
        elif what == 3:  # a number somewhere
            numbers = [i for i, letter in enumerate(text) if letter.isdigit()]
            if numbers:
                at = rng.choice(numbers)
                text = text[:at] + rng.choice(WORDS[:13]) + text[at + 1 :]
        elif what == 4:
            lines = text.split("\n")
            lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
            text = "\n".join(lines)
        else:
            end = min(len(text), place + rng.randint(1, 300))
            at = rng.randrange(len(text) + 1)
            text = text[:at] + text[place:end] + text[at:]
    return text


def check(folder: Path) -> bool:
    """Whether there was an answer; it must be within what hardware could ever be."""
    try:
        found = estimate(load_design(folder), part="xcvu13p-flga2577-2-e", clock_ns=5.0)
    except L1emuError as error:
        assert len(str(error).splitlines()) == 1
        return False
    values = [*found.latency_cycles, *found.interval_cycles, *found.resources.values()]
    values += [value for name in found.bands for value in found.band(name)]
    assert all(isinstance(value, int) and 0 <= value < 10**24 for value in values)
    assert all(math.isfinite(cost.latency) and math.isfinite(cost.interval) for _, cost, _ in found.layers)
    return True


def fuzz(folder: Path, seed: int, tries: int) -> int:
    rng = random.Random(seed)
    whole = every_kind(folder / "whole", 5)
    shutil.rmtree(whole / "firmware" / "nnet_utils")
    (whole / "hls4ml_config.yml").write_text("Backend: Vivado\nClockPeriod: 5\nPart: xcku5p-x\nIOType: io_parallel\n")
    (top,) = (whole / "firmware").glob("*.cpp")
    names = (*FILES, f"firmware/{top.name}")
    texts = {name: (whole / name).read_text() for name in names}
    answered = 0
    for _ in range(tries):
        name = rng.choice(names)
        (whole / name).write_text(damaged(texts[name], rng), encoding="utf-8")
        answered += check(whole)
        (whole / name).write_text(texts[name])
    return answered


def test_damaged_projects(tmp_path: Path) -> None:
    assert 0 < fuzz(tmp_path, 1, 60) < 60


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(10))
def test_many_damaged_projects(seed: int, tmp_path: Path) -> None:
    assert fuzz(tmp_path, 100 + seed, 400) > 0


NAMES = (
    *("pack", "n_filt", "n_chan", "in_height", "in_width", "out_height", "n_partitions", "filt_height", "n_free_data"),
    *("parallelization_factor", "n_slice", "gates", "n_state", "reuse_0", "reuse_1", "num_heads"),
    *("head_dim_key", "head_dim_value", "seq_len", "n_inplace", "n_free0", "n_free1", "n_contract"),
)


WITH_WEIGHTS = ("dense", "conv", "depthwise", "recurrent", "attention")


def block(kind: str, rng: random.Random) -> Block:
    """A block with sizes from nothing to the largest that are taken, of which each alone makes sense."""

    def size(least: int = 1) -> int:
        return rng.choice((least, 1, 2, 3, 7, 64, 1000, 4097, 30_000))

    extra: dict[str, Any] = {name: size() for name in NAMES if rng.random() < 0.4}
    extra |= {name: size(0) for name in COUNTS if rng.random() < 0.4}
    matrices = 4 if kind == "attention" else 2 if kind == "recurrent" else 1
    weights = tuple(unknown_matrix(size(), size(), rng.choice((1, 6, 16, 33, 4096)), None) for _ in range(matrices))
    return Block(
        name="b",
        kind=kind,
        function=kind,
        n_in=size(),
        n_out=size(),
        inputs=("x",),
        output="y",
        positions=size(),
        width_in=rng.choice((1, 8, 16, 64, 4096)),
        width_accum=rng.choice((1, 16, 4096)),
        reuse=rng.choice((1, 2, 64, 10**9)),
        strategy=rng.choice(("latency", "resource", "distributed_arithmetic")),
        weights=weights if kind in WITH_WEIGHTS or rng.random() < 0.8 else (),
        tables=((size(0), rng.choice((0, 1, 18, 4096))),) * rng.randint(0, 2),
        extra=extra,
    )


@pytest.mark.parametrize("kind", sorted(FORMULAS))
def test_blocks_of_any_size(kind: str) -> None:
    rng = random.Random(kind)
    for _ in range(150):
        made = Design(
            name="t",
            io=rng.choice(("io_parallel", "io_stream")),
            pipeline=rng.choice(("pipeline", "dataflow")),
            blocks=(block(kind, rng),),
            origin="made up",
            tool=rng.choice(("Vivado", "Vitis")),
        )
        part = rng.choice(("xcvu13p", "xc7z020", "xcku115", "xcvp1802"))
        found = estimate(made, part=part, clock_ns=rng.choice((0.5, 5.0, 1e3)))
        values = [*found.latency_cycles, *found.interval_cycles, *found.resources.values()]
        assert all(isinstance(value, int) and value >= 0 for value in values), made
        assert found.interval_cycles[1] >= 1
