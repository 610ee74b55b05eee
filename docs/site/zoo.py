"""The table of all models that come with l1emu, `docs/zoo.md`, from their cards and firmware.

`python docs/site/zoo.py` writes the page; with `--measure` it times every network on this machine before that.
"""

from __future__ import annotations

import json
import sys
import time
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
held-out rows. None compares with its paper's number for number: data are made here, and most networks are smaller.
"""


def models() -> list[Path]:
    """The folders of the models, by name."""
    return sorted(card.parent for card in (ROOT / "models").glob("*/card.json"))


def firmware_file(folder: Path) -> Path:
    """The model's firmware."""
    return next(iter(sorted(folder.glob("*.l1fw"))))


def zoo_page() -> str:
    """The page, in Markdown."""
    papers = yaml.safe_load((Path(__file__).parent / "zoo.yaml").read_text(encoding="utf-8"))
    speeds = json.loads(SPEEDS.read_text(encoding="utf-8"))["models"] if SPEEDS.exists() else {}
    cards = {folder: json.loads((folder / "card.json").read_text(encoding="utf-8")) for folder in models()}
    told = [
        _HEAD,
        "| model | after | parameters | how well, float / firmware | how it differs | made again by |",
        "|---|---|---|---|---|---|",
    ]
    for folder, card in cards.items():
        name, paper = folder.name, papers.get(folder.name, {})
        told.append(
            f"| [{name}](../models/{name}/README.md) | {paper.get('after', '–')} | {card['parameters']:,} | "
            f"{_how_well(card)} | {paper.get('differs', '–')} | `{_command(name)}` |"
        )
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


def _command(name: str) -> str:
    return f"l1emu train {name} --output DIR" + (" --jets jets.npz" if name == "jet-tagger" else "")


def _how_well(card: dict[str, Any]) -> str:
    if "auc" in card:
        tables = card["auc"]
        if "float" in tables:  # the tagger of Level-1 jets
            found = [list(tables[form]["versus_rest"].values()) for form in ("float", "emulated")]
        else:
            found = [[forms[form] for forms in tables.values()] for form in ("float", "emulated")]
        area = "AUC " + " / ".join(f"{np.mean(values):.4f}" for values in found)
        return ", ".join([area, *(f"{name} {forms['float']:.4f} / {forms['emulated']:.4f}"
                                  for name, forms in card.get("sequence", {}).items())])  # fmt: skip
    name, forms = next(iter(card["error"].items()))
    return f"{name} {forms['float']:.4f} / {forms['emulated']:.4f}"


def _compared(card: dict[str, Any]) -> str:
    return f"{card['verified_values']:,}, {card['differ']}" if "verified_values" in card else "see above"


def _cost(folder: Path) -> str:
    design = load_design(firmware_file(folder))
    found = estimate(design).as_dict()
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
