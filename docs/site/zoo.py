"""The table of all models that come with l1emu, `docs/zoo.md`, from their cards and firmware.

`python docs/site/zoo.py` writes the page; with `--measure` it times every network on this machine before that.
"""

from __future__ import annotations

import json
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from l1emu.emulator import Emulator
from l1emu.firmware import Firmware
from l1emu.goldenfile import read_golden
from l1emu.latency import check, read_budget
from l1emu.latency.estimate import estimate, estimated_timing, load_design
from l1emu.resources import resource

ROOT = Path(__file__).parents[2]
PAGE, SPEEDS = ROOT / "docs" / "zoo.md", Path(__file__).parent / "zoo_speeds.json"
_ROWS = 20_000
"""Rows that a network is timed with."""

_HEAD = """\
# The zoo

Every model in `models/`, with the paper that it is after. Each is trained, quantized, converted and compared with its
own C++ again by the command in its line; [training.md](training.md) says how, and the model's page what it sees.

Where a column has two numbers they are of the float network and of the firmware, bit for bit. An area is under the ROC
curve, of one class against the rest (of an anomaly score, of the signal against minimum bias), mean over classes, on
held-out rows.
"""
_PAPERS = """
## Beside the papers

What is published of the network that a model is after, and why our figures are others. None compares number for number:
data are made here, and most networks are smaller. Ours are the areas and estimates of the tables above and below, for
the VU13P; cycles are of 5 ns where no other clock stands. The notes say where a figure was read; a dagger (†) marks
what somebody quotes of the paper, which was not read itself. What was not found is not given.

| model | after | ours, as firmware | the paper has | why they differ |
|---|---|---|---|---|"""


def models() -> list[Path]:
    """The folders of the models, by name."""
    return sorted(card.parent for card in (ROOT / "models").glob("*/card.json"))


def firmware_file(folder: Path) -> Path:
    """The model's firmware."""
    return next(iter(sorted(folder.glob("*.l1fw"))))


def zoo_page() -> str:
    """The page, in Markdown."""
    speeds = json.loads(SPEEDS.read_text(encoding="utf-8"))["models"] if SPEEDS.exists() else {}
    cards = {folder: json.loads((folder / "card.json").read_text(encoding="utf-8")) for folder in models()}
    told = [
        _HEAD,
        "| model | parameters | how well, float / firmware | made again by |",
        "|---|---|---|---|",
    ]
    told += [
        f"| {_link(folder)} | {card['parameters']:,} | {_how_well(card)} | `{_command(folder.name)}` |"
        for folder, card in cards.items()
    ]
    told += _beside(cards)
    told += [
        "",
        "## What each costs",
        "",
        "Cycles, interval and DSP blocks are estimates of the firmware with their bands, at the clock of its recipe.",
        "The slice is what CMS's Phase-2 budget leaves a tagger, 40 crossings: which part of it the last of 12 jets on",
        "two copies needs at 360 MHz, as `l1emu budget --estimate models/NAME/model.l1fw` says; above 100 % it is not",
        "kept.",
        "Rows a second are of the emulation, with the layer that takes most of the time. Training is wall time on two",
        "cores, of which other work had a share; generation of the data is included unless it was there.",
        "",
        "| model | compared with C++: values, differ | clock, ns | cycles | interval | DSP | of the slice | rows/s | "
        "slowest layer | training, s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for folder, card in cards.items():
        told.append(f"| {folder.name} | {_compared(card)} | {_cost(folder)} | {_speed(speeds, folder.name, card)} | "
                    f"{card['seconds']['all']:,.0f} |")  # fmt: skip
    told += [
        "",
        "Rows a second: CPU time on one core, by `python docs/site/zoo.py --measure`, which writes this page; with a",
        "star, as found after training, on all cores.",
        "",
    ]
    return "\n".join(told)


def papers() -> dict[str, dict[str, str]]:
    """What `zoo.yaml` says of each model's paper, by the model's name."""
    told: dict[str, dict[str, str]] = yaml.safe_load((Path(__file__).parent / "zoo.yaml").read_text(encoding="utf-8"))
    return told


def _beside(cards: dict[Path, dict[str, Any]]) -> list[str]:
    """The lines of the table with the papers' figures beside ours, and its notes."""
    known = papers()
    sources = [known[folder.name].get("source") for folder in cards]
    notes = {source: f"[^{number}]" for number, source in enumerate(dict.fromkeys(filter(None, sources)), 1)}
    told = [_PAPERS]
    for folder, card in cards.items():
        paper = known[folder.name]
        published = paper["paper"] + notes.get(paper.get("source", ""), "")
        cells = [_link(folder), paper["after"], _ours(folder, card), published, paper["differs"]]
        told.append(f"| {' | '.join(cells)} |")
    return [*told, "", *(f"{note}: {source}." for source, note in notes.items())]


def _ours(folder: Path, card: dict[str, Any]) -> str:
    found = _estimated(folder)
    clock = found["clock_target_ns"]
    return (
        f"{_how_well(card, ('emulated',))}; {found['latency_cycles'][1]:,} cycles"
        f"{'' if clock == 5 else f' of {clock:.3g} ns'}, interval {found['interval_cycles'][1]:,}, "
        f"{found['resources']['DSP']:,} DSP"
    )


@cache
def _estimated(folder: Path) -> dict[str, Any]:
    return estimate(load_design(firmware_file(folder))).as_dict()


def _link(folder: Path) -> str:
    return f"[{folder.name}](../models/{folder.name}/README.md)"


def _command(name: str) -> str:
    return f"l1emu train {name} --output DIR" + (" --data jets.npz" if name == "jet-tagger" else "")


def _how_well(card: dict[str, Any], forms: tuple[str, ...] = ("float", "emulated")) -> str:
    def told(values: dict[str, float]) -> str:
        return " / ".join(f"{values[form]:.4f}" for form in forms)

    if "auc" not in card:
        name, values = next(iter(card["error"].items()))
        return f"{name} {told(values)}"
    tables = card["auc"]
    if "float" in tables:  # the tagger of Level-1 jets
        areas = {form: list(tables[form]["versus_rest"].values()) for form in forms}
    else:
        areas = {form: [table[form] for table in tables.values()] for form in forms}
    area = f"AUC {told({form: float(np.mean(values)) for form, values in areas.items()})}"
    return ", ".join([area, *(f"{name} {told(values)}" for name, values in card.get("sequence", {}).items())])


def _compared(card: dict[str, Any]) -> str:
    return f"{card['verified_values']:,}, {card['differ']}" if "verified_values" in card else "see above"


def _cost(folder: Path) -> str:
    found = _estimated(folder)
    cells = [f"{found['clock_target_ns']:.3g}"]
    for name in ("latency_cycles", "interval_cycles"):
        low, high = found["bands"][name]
        cells.append(f"{found[name][1]:,} [{low:,}, {high:,}]")
    low, high = found["bands"]["DSP"]
    return " | ".join([*cells, f"{found['resources']['DSP']:,} [{low:,}, {high:,}]", _slice(firmware_file(folder))])


def _slice(firmware: Path) -> str:
    """What the tagger takes of the default budget's slice, with its band, in percent."""
    budget = read_budget(resource("budgets/cms-phase2.yaml"))
    held = check(budget, estimated_timing(firmware, budget.clock.value))
    crossings = (held.slice.used_crossings, *(held.slice_band_crossings or ()))
    typical, low, high = (f"{100 * used / held.slice.allowed_crossings:,.0f}" for used in crossings)
    return f"{typical} % [{low}, {high}]"


def _speed(speeds: dict[str, Any], name: str, card: dict[str, Any]) -> str:
    if name in speeds:
        one = speeds[name]
        return f"{one['rows_per_second']:,} | {one['slowest']}, {one['share']:.0%}"
    return f"{card['emulated_rows_per_second']:,} * | –" if "emulated_rows_per_second" in card else "– | –"


def measured() -> dict[str, Any]:
    """Rows a second of every network on one core (CPU time), and its slowest layer."""
    found = {}
    for folder in models():
        firmware = Firmware.read(firmware_file(folder))
        inputs = read_golden(folder / "golden.npz").inputs.astype(np.int64)
        parts = np.split(
            inputs.reshape(len(inputs), -1), np.cumsum([tensor.size for tensor in firmware.inputs])[:-1], axis=1
        )
        chosen = np.arange(_ROWS) % len(inputs)
        rows = {tensor.name: part[chosen] for tensor, part in zip(firmware.inputs, parts, strict=True)}
        emulator = Emulator(firmware, threads=1)
        emulator.raw({name: part[:64] for name, part in rows.items()})
        begin = time.process_time()
        emulator.raw(rows)
        seconds = time.process_time() - begin
        layers = {row.layer: row.ns or 0.0 for row in emulator.explain(rows).rows}
        slowest = max(layers, key=lambda layer: layers[layer])
        share = layers[slowest] / sum(layers.values())
        found[folder.name] = {
            "rows_per_second": 1000 * round(_ROWS / seconds / 1000),
            "slowest": slowest,
            "share": round(share, 2),
        }
    return found


if __name__ == "__main__":
    if "--measure" in sys.argv:
        SPEEDS.write_text(json.dumps({"models": measured()}, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(zoo_page(), encoding="utf-8")
