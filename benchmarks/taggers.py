"""Which tagger fits: variants of a recipe, built and converted but not trained, and what the estimate says of each.

    python benchmarks/taggers.py [--recipe FOLDER] [--variants FILE] [--budget FILE] [--output FILE]

Each variant is the recipe of FOLDER with some of its values replaced, such as `architecture.blocks: 1` (extra
`train`). Its network has the weights of an untrained one, drawn as Keras does and quantized: trained weights take about
as many multipliers, as the first row shows, which is the network of FOLDER as it was trained. Each variant is converted
as `l1emu convert` does, and its row is the estimate of that hls4ml project.

`--variants` names a YAML file of variants, `one block: {architecture.blocks: 1}`, in place of those below; `--output`
a file of JSON. MACs are products a jet, of weights and of data with data; "copies" how many fit into 60 % of the part's
DSP blocks and look-up tables, as C synthesis counts them, "at" the shares that the copies of the budget take, and
"left" the share of look-up tables in percent that is left behind C synthesis, typically and at most; "budget" is the
answer to whether the network keeps to it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from l1emu.latency.budget import Budget, read_budget
from l1emu.latency.check import BudgetCheck, check
from l1emu.latency.clock import period_ns
from l1emu.latency.estimate import Estimate, estimate, from_estimate, load_design
from l1emu.latency.estimate.model import arithmetic
from l1emu.resources import resolve
from l1emu.training.model import build, multiplications
from l1emu.training.recipe import Recipe
from l1emu.training.tagger import TrainedTagger, load_tagger

SHARE = 0.6
"""Of a part's DSP blocks and look-up tables, what taggers may take: place and route rarely fills more."""


def _bits(bits: int, integer: int) -> dict[str, int]:
    return {"bits": bits, "integer": integer}


def _data(bits: int) -> dict[str, Any]:
    """All data between the layers in `bits` bits, their integer bits as they are."""
    integer = {
        "embedding": 2, "residual": 3, "query": 3, "key": 3, "value": 2, "attention_output": 2, "feed_forward": 2,
        "pooled": 3, "head": 2,
    }  # fmt: skip
    softmax = {
        "exp": _bits(bits + 2, 1), "inverse_input": _bits(bits + 2, 4), "inverse": _bits(bits + 2, 1),
        "output": _bits(bits, 0),
    }  # fmt: skip
    return {
        **{f"types.{name}": _bits(bits, whole) for name, whole in integer.items()},
        "types.attention_score": _bits(max(8, bits), 5),
        "types.attention_softmax": softmax,
    }


def _weights(bits: int) -> dict[str, Any]:
    return {"types.weight": _bits(bits, 1), "types.bias": _bits(bits, 1)}


def _rounds(rounds: int, constituents: int = 16) -> dict[str, Any]:
    """A dataflow that takes a jet every so many cycles: constituents in rounds, einsum and head with that reuse."""
    reuse = {"reuse_factor": rounds}
    return {
        "hardware.parallelization_factor": max(1, constituents // rounds),
        "hardware.layers": {"block*_score": reuse, "block*_mix": reuse, "head*": reuse, "logits": reuse},
    }


def _pipeline(interval: int, constituents: int = 16) -> dict[str, Any]:
    """One pipeline that takes a jet every so many cycles, all constituents side by side."""
    return {
        "hardware.parallelization_factor": constituents,
        "hardware.reuse_factor": interval,
        "hardware.layers": {"block*_score": {"reuse_factor": interval}, "block*_mix": {"reuse_factor": interval}},
        "hardware.pipeline_style": "pipeline",
        "hardware.pipeline_interval": interval,
    }


_TWO = {"architecture.blocks": 2, "types.input_weight": _bits(12, 4), **_weights(8)}
_ONE = {**_TWO, "architecture.blocks": 1}
_SMALL = {**_ONE, "types.input_weight": _bits(10, 4), "types.weight": _bits(6, 1), **_rounds(8)}

VARIANTS: dict[str, dict[str, Any]] = {
    "2 blocks, 16 rounds": _TWO | _rounds(16),
    "2 blocks, 8 rounds": _TWO | _rounds(8),
    "2 blocks, 4 rounds": _TWO | _rounds(4),
    "1 block, 16 rounds": _ONE | _rounds(16),
    "1 block, 8 rounds": _ONE | _rounds(8),
    "1 block, 4 rounds": _ONE | _rounds(4),
    "1 block, one pipeline every 8": _ONE | _pipeline(8),
    "1 block, weights 6": _SMALL,
    "1 block, weights 5": _SMALL | _weights(5),
    "1 block, weights 6, 4 rounds": _SMALL | _rounds(4),
    "1 block, weights 6, data 8": _SMALL | _data(8),
    "1 block, weights 6, data 7": _SMALL | _data(7),
    "1 block, weights 6, data 6": _SMALL | _data(6),
    "1 block, weights 5, data 8": _SMALL | _weights(5) | _data(8),
    "1 block, weights 4, data 8": _SMALL | _weights(4) | _data(8),
    "1 block, weights 6, feed-forward 16": _SMALL | {"architecture.feed_forward": 16},
    "1 block, weights 6, 4 heads": _SMALL | {"architecture.heads": 4},
    "1 block, weights 6, 1 head": _SMALL | {"architecture.heads": 1},
    "1 block, weights 6, width 24": _SMALL | {"architecture.width": 24},
    "1 block, weights 6, width 12": _SMALL | {"architecture.width": 12, "architecture.feed_forward": 24},
    "1 block, weights 6, 8 constituents": _SMALL | _rounds(8, 8) | {"architecture.constituents": 8},
}
"""Each stands for itself, whatever the recipe of FOLDER has there."""


@dataclass(frozen=True)
class Row:
    """One variant."""

    name: str
    macs: int
    found: Estimate
    checked: BudgetCheck

    @property
    def copies(self) -> int:
        """How many copies fit into `SHARE` of the part."""
        offered = self.found.target.part.resources or {}
        return min(int(SHARE * offered[name] / max(1, self.found.resources[name])) for name in ("DSP", "LUT"))

    def as_dict(self) -> dict[str, Any]:
        found, checked = self.found, self.checked
        offered = found.target.part.resources or {}
        return {
            "name": self.name,
            "macs": self.macs,
            "part": found.target.part.name,
            "clock_ns": found.target.period_ns,
            "latency_cycles": found.latency_cycles[1],
            "latency_band_cycles": list(found.band("latency_cycles")),
            "interval_cycles": found.interval_cycles[1],
            "resources": found.resources,
            "lut_band": list(found.band("LUT")),
            "lut_implemented": list(found.implemented["LUT"]),
            "lut_decided": arithmetic(found.design),
            "copies_within": self.copies,
            "share": SHARE,
            "copies": checked.copies,
            "shares": {name: checked.copies * found.resources[name] / offered[name] for name in ("DSP", "LUT", "FF")},
            "jets": checked.jets,
            "keeps_up": checked.keeps_up,
            "slice_crossings": checked.slice.used_crossings,
            "slice_band_crossings": checked.slice_band_crossings,
            "allowed_crossings": checked.slice.allowed_crossings,
            "verdict": checked.verdict,
        }


def replaced(recipe: Recipe, changes: dict[str, Any]) -> Recipe:
    """The recipe with values replaced, by their keys with dots."""
    document = recipe.model_dump()
    for dotted, value in changes.items():
        *groups, key = dotted.split(".")
        place = document
        for group in groups:
            place = place[group]
        place[key] = value
    return Recipe.model_validate_json(json.dumps(document))  # as a file is read


def row(name: str, tagger: TrainedTagger, budget: Budget, clock_mhz: float) -> Row:
    """Convert a network into a temporary folder and estimate what was written."""
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.redirect_stdout(io.StringIO()):  # hls4ml tells its steps
            project = tagger.write_project(Path(folder) / "project")
        found = estimate(load_design(project), clock_ns=period_ns(clock_mhz))
    return Row(name, multiplications(tagger.model), found, check(budget, from_estimate(found, clock_mhz)))


def _percent(one: Row, lut: int) -> str:
    """The share of the part's look-up tables that all copies take; a question mark where they are not decided."""
    offered = one.found.target.part.resources or {}
    decided = "" if arithmetic(one.found.design) else "?"
    return f"{100 * one.checked.copies * lut / offered['LUT']:.0f}{decided}"


def table(rows: list[Row]) -> Table:
    first = rows[0]
    found = Table(
        title=f"{first.found.target.part.name} at {first.checked.timing.clock_mhz:g} MHz; {first.checked.jets} jets, "
        f"{first.checked.copies} copies, slice of {first.checked.slice.allowed_crossings} BX",
        title_justify="left",
    )
    found.add_column("tagger")
    for name in (
        "MACs",
        "cycles",
        "interval",
        "DSP",
        "LUT",
        "copies",
        "at DSP",
        "at LUT",
        "left",
        "slice BX",
        "budget",
    ):
        found.add_column(name, justify="right")
    for one in rows:
        shown = one.as_dict()
        low, high = shown["latency_band_cycles"]
        early, late = shown["slice_band_crossings"]
        found.add_row(
            one.name,
            f"{one.macs:,}",
            f"{shown['latency_cycles']} [{low}, {high}]",
            str(shown["interval_cycles"]),
            f"{shown['resources']['DSP']:,}",
            f"{shown['resources']['LUT']:,}",
            str(one.copies),
            f"{100 * shown['shares']['DSP']:.0f} %",
            f"{100 * shown['shares']['LUT']:.0f} %",
            " ".join(_percent(one, number) for number in shown["lut_implemented"][1:]),
            f"{shown['slice_crossings']} [{early}, {late}]",
            shown["verdict"] if shown["keeps_up"] else "too slow",
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", type=Path, default=Path(resolve("models/jet-tagger", Path.cwd())))
    parser.add_argument("--variants", type=Path)
    parser.add_argument("--budget", default="budgets/cms-phase2.yaml")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    budget = read_budget(resolve(asked.budget, Path.cwd()))
    clock = budget.clock.value
    variants = VARIANTS if asked.variants is None else yaml.safe_load(asked.variants.read_text(encoding="utf-8"))
    trained = load_tagger(asked.recipe)
    rows = [row("as trained", trained, budget, clock)]
    for name, changes in {"the same, untrained": {}, **variants}.items():
        recipe = replaced(trained.recipe, changes)
        rows.append(row(name, TrainedTagger(recipe, build(recipe, quantized=True)), budget, clock))
    Console(width=180).print(table(rows))
    if asked.output is not None:
        asked.output.write_text(json.dumps([one.as_dict() for one in rows], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
