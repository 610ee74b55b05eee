"""Fit the estimate's constants to measured designs, and say how far it can be believed.

    python benchmarks/estimate.py REFERENCE [--write] [--rule4ml PYTHON]

REFERENCE is a folder with `modules.csv` and `designs.csv`: figures of public synthesis reports. What was synthesized
is in `estimate_designs.json` beside this script: layers, sizes, types and counts of non-zero weights of those public
projects, and the figures of reports that REFERENCE does not have. The constants are fitted to the designs of all
families but one, and the one left out is estimated; so for each family in turn. A family is a repository, since its
designs share tool, part and style.

`--write` puts the constants of a fit to all families, their provenance and the bands of the cross-validation into
`l1emu/data/estimate.json`. `--rule4ml` names a Python with rule4ml 0.2.0 and TensorFlow 2.18, for a comparison on the
same designs.
"""

from __future__ import annotations

import argparse
import copy
import csv
import json
import math
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from l1emu.latency.estimate import Design, Estimate, estimate
from l1emu.latency.estimate.model import arithmetic
from l1emu.latency.estimate.target import series
from l1emu.resources import resource

HERE = Path(__file__).resolve().parent
QUANTITIES = ("latency_cycles", "interval_cycles", "DSP", "LUT", "FF", "BRAM_18K")
COLUMNS = ("lat_max", "ii_max", "DSP", "LUT", "FF", "BRAM18")

Constants = dict[str, Any]

# Before any fit: round numbers from data sheets and from counting the steps of the kernels' code.
START: Constants = {
    "delays_ns": {
        "7": {
            "add": 2.2, "add_row": 3.2, "multiply": 3.4, "multiply_fabric": 2.7, "softmax": 20.0, "multiply_add": 4.6,
            "table": 6.8, "layernorm": 20.0, "layernorm_division": 3.4, "layernorm_rounding": 10.0,
        },
        "us": {
            "add": 1.2, "add_row": 1.8, "multiply": 3.0, "multiply_fabric": 2.4, "softmax": 15.0, "multiply_add": 3.9,
            "table": 5.5, "layernorm": 15.0, "layernorm_division": 3.0, "layernorm_rounding": 8.0,
        },
        "us+": {
            "add": 0.8, "add_row": 1.2, "multiply": 2.2, "multiply_fabric": 1.9, "softmax": 12.0, "multiply_add": 3.2,
            "table": 4.4, "layernorm": 10.0, "layernorm_division": 2.2, "layernorm_rounding": 5.0,
        },
    },
    "cycles": {
        "tree_offset": 0.0, "softmax_levels": 2.0, "call": 1.0, "light_call_7": 0.5, "light_call_7_ii1": 1.0,
        "light_call": 0.2, "vitis_pixel": 2.0, "process": 0.5,
        "stream_process": 2.0, "recurrent_step": 2.0,
    },
    "resources": {
        "lut_adder_bit": 1.0, "lut_product_bit": 0.4, "lut_activation_bit": 2.0, "lut_table_bit": 8.0,
        "lut_softmax": 150.0, "ff_stage_bit": 1.0, "lut_data_product_bit": 1.0, "lut_resource_bit": 10.0,
        "ff_resource_bit": 2.0,
    },
}  # fmt: skip

LATENCY_STEPS = (0.6, 0.75, 0.88, 0.95, 1.05, 1.14, 1.33, 1.67)
OFFSET_STEPS = (-0.6, -0.2, 0.2, 0.6)
VOID = 3.0
"""A report whose estimated period exceeds the target by this factor is listed, and neither fitted nor scored."""

PULL = 0.004
"""What a constant pays for each factor e that it leaves its starting value: one that no design needs stays there."""


@dataclass(frozen=True)
class Case:
    """A design and what was measured.

    `layers` are the measured cycles of layers by the tensor that they write; `void` says that the tool's period is far
    beyond the target, so that the cycles mean nothing.
    """

    family: str
    name: str
    version: str
    design: Design
    measured: dict[str, float]
    layers: dict[str, float]
    void: bool

    @property
    def more(self) -> bool:
        """Whether the report has cycles beyond its layers that no call explains: it holds more than the network."""
        calls = len(self.design.blocks)
        whole = self.design.pipeline == "pipeline" and calls > 1 and len(self.layers) == calls
        return whole and self.measured["latency_cycles"] - sum(self.layers.values()) > 1.5 * calls


def read_cases(reference: Path) -> list[Case]:
    """Join the designs with the measured figures."""
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    modules: dict[tuple[str, str, str], dict[str, float]] = defaultdict(dict)
    with (reference / "modules.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            config = re.fullmatch(r"(?:\w+_)?config(\d+)", row["config"])
            if config and row["lat_max"]:
                # A layer's own function is the longest of those with its configuration; hls4ml numbers both alike.
                mine = modules[row["repo"], row["project"], row["ver"]]
                output = f"layer{config[1]}_out"
                mine[output] = max(mine.get(output, 0.0), float(row["lat_max"]))
            if row["is_top"] == "1" and row["module"] == "myproject":
                found[row["repo"], row["project"], row["ver"]] = row
    with (reference / "designs.csv").open(newline="") as file:
        whole = list(csv.DictReader(file))
    cases = []
    for entry in json.loads((HERE / "estimate_designs.json").read_text()):
        row = found.get((entry["repo"], entry["project"] or "", entry["version"]))
        stated = entry.get("measured")
        if stated is not None:
            figures = {name: float(stated[name]) for name in QUANTITIES}
        elif row is not None:
            figures = {ours: float(row[theirs]) for ours, theirs in zip(QUANTITIES, COLUMNS, strict=True)}
        else:
            listed = [r for r in whole if r["source"].startswith(entry["repo"]) and entry["project"] in r["source"]]
            if len(listed) != 1:
                raise SystemExit(f"{entry['repo']} {entry['project']}: no figures in {reference}")
            names = ("latency_cycles", "ii_cycles", "DSP", "LUT", "FF", "BRAM18")
            figures = {ours: float(listed[0][theirs]) for ours, theirs in zip(QUANTITIES, names, strict=True)}
        name = (entry["project"] or "").replace("hls4ml_projects/", "").replace("hls4ml_prj/", "").strip("/")
        # Sources of either backend go through the tool of the report: HLS is Vitis' from 2020.2 on.
        design = replace(Design.from_dict(entry["design"]), tool="Vitis" if entry["version"] >= "2020.2" else "Vivado")
        if stated is not None:
            period = stated["estimated_ns"] / entry["design"]["clock_ns"]
        else:
            period = float(row["eclk"]) / float(row["tclk"]) if row is not None else 0.0
        layers = entry.get("layers") or modules.get((entry["repo"], entry["project"] or "", entry["version"]), {})
        known = {block.output for block in design.blocks}
        measured = {output: cycles for output, cycles in layers.items() if output in known}
        cases.append(Case(entry["family"], name, entry["version"], design, figures, measured, period > VOID))
    return cases


def estimated(case: Case, constants: Constants) -> dict[str, float]:
    """The estimate's figures by the names of `QUANTITIES`."""
    return figures_of(estimate(case.design, constants=constants))


def layers_error(case: Case, found: Estimate) -> float:
    """Cycles by which the layers are off, by their cycles in all."""
    known = [(cost.latency, case.layers[b.output]) for b, cost, _ in found.layers if b.output in case.layers]
    return sum(abs(mine - theirs) for mine, theirs in known) / max(1.0, sum(theirs for _, theirs in known))


def figures_of(found: Estimate) -> dict[str, float]:
    """The figures by the names of `QUANTITIES`."""
    return {
        "latency_cycles": found.latency_cycles[1],
        "interval_cycles": found.interval_cycles[1],
        **{name: found.resources[name] for name in QUANTITIES[2:]},
        "settled": float(found.interval_settled),
    }


def log_ratio(measured: float, value: float, floor: float = 0.0) -> float:
    """How far off a figure is, as the logarithm of a ratio."""
    return abs(math.log((value + floor + 1e-9) / (measured + floor + 1e-9)))


def loss(cases: Iterable[Case], constants: Constants, group: str) -> float:
    """The mean over families of their designs' mean errors; no design counts for more than a factor of 1.35."""
    families: dict[str, list[float]] = defaultdict(list)
    for case in cases:
        found = estimate(case.design, constants=constants)
        values = figures_of(found)
        if group == "cycles":
            error = min(0.3, log_ratio(case.measured["latency_cycles"], values["latency_cycles"]))
            error += 0.2 * min(0.3, log_ratio(case.measured["interval_cycles"], values["interval_cycles"]))
            if case.layers:
                error = 0.5 * error + min(0.5, layers_error(case, found))
        else:
            error = sum(min(1.0, log_ratio(case.measured[name], values[name], 50)) for name in ("LUT", "FF"))
        families[case.family].append(error)
    return float(np.mean([np.mean(errors) for errors in families.values()]))


def fit(cases: list[Case], rounds: int = 3) -> Constants:
    """Search the constants one after the other, from their starting values."""
    cases = [case for case in cases if not case.more]
    constants = copy.deepcopy(START)
    constants["bands"] = {}
    cycles = [("delays_ns", series, name) for series in START["delays_ns"] for name in START["delays_ns"][series]]
    cycles += [("cycles", name) for name in START["cycles"]]
    areas = [("resources", name) for name in START["resources"]]
    for group, paths in (("cycles", cycles), ("area", areas)):
        pulls: dict[tuple[str, ...], float] = dict.fromkeys(paths, 0.0)
        best = loss(cases, constants, group)
        for _ in range(rounds):
            before = best
            for path in paths:
                best = search(cases, constants, group, path, pulls, best)
            if before - best < 1e-4:
                break
    return constants


def search(
    cases: list[Case],
    constants: Constants,
    group: str,
    path: tuple[str, ...],
    pulls: dict[tuple[str, ...], float],
    best: float,
) -> float:
    """The best value of one constant, in place; the loss with the pull towards the starting values."""
    table, start = constants, START
    for key in path[:-1]:
        table, start = table[key], start[key]
    name, origin, now = path[-1], start[path[-1]], table[path[-1]]
    steps = [now + step for step in OFFSET_STEPS] if name == "tree_offset" else [now * step for step in LATENCY_STEPS]
    others = sum(pulls.values()) - pulls[path]
    kept, pull = now, pulls[path]
    for value in steps:
        table[name] = value
        wanted = PULL * (abs(value - origin) if name == "tree_offset" else abs(math.log(value / origin)))
        found = loss(cases, constants, group) + others + wanted
        if found < best - 1e-9:
            best, kept, pull = found, value, wanted
    table[name], pulls[path] = kept, pull
    return best


def cross_validate(cases: list[Case]) -> list[tuple[Case, dict[str, float]]]:
    """Each family's designs, estimated with the constants of a fit to all the others."""
    rows = []
    for family in sorted({case.family for case in cases}):
        constants = fit([case for case in cases if case.family != family])
        rows += [(case, estimated(case, constants)) for case in cases if case.family == family]
        print(f"  fitted without {family}", file=sys.stderr)
    return rows


def relative(case: Case, values: dict[str, float], name: str) -> float | None:
    """The relative error, or None where nothing was measured."""
    measured = case.measured[name]
    return None if measured == 0 and values[name] != 0 else 0.0 if measured == 0 else values[name] / measured - 1


def table(title: str, rows: list[tuple[Case, dict[str, float]]]) -> None:
    """Errors by family: means of the absolute relative errors."""
    print(f"\n{title}")
    heads = " ".join(f"{head:>8s}" for head in ("DSP", "LUT", "FF", "BRAM"))
    print(f"{'family':36s} {'n':>3s} {'cycles':>8s} {'interval exact':>15s} {heads}")
    families = sorted({case.family for case, _ in rows})
    means: dict[str, list[float]] = defaultdict(list)
    for family in [*families, ""]:
        mine = [(case, values) for case, values in rows if family in ("", case.family)]
        errors = {}
        for name in QUANTITIES:
            found = [abs(e) for case, values in mine if (e := relative(case, values, name)) is not None]
            errors[name] = float(np.mean(found)) if found else math.nan
            if family and found:
                means[name].append(errors[name])
        exact = np.mean([values["interval_cycles"] == case.measured["interval_cycles"] for case, values in mine])
        if family:
            means["exact"].append(float(exact))
        print_row(family or "all designs", len(mine), errors, float(exact))
    averages = {name: float(np.mean(found)) for name, found in means.items()}
    print_row("mean of families", len(families), averages, averages["exact"])
    for settled, what in ((1.0, "decided by the project alone"), (0.0, "that follow from a latency")):
        mine = [(case, values) for case, values in rows if values["settled"] == settled]
        exact = sum(values["interval_cycles"] == case.measured["interval_cycles"] for case, values in mine)
        print(f"intervals {what}: {exact} of {len(mine)} exact")
    for case, values in rows:
        if values["interval_cycles"] != case.measured["interval_cycles"]:
            measured = case.measured["interval_cycles"]
            print(f"  interval {values['interval_cycles']:.0f} for {measured:.0f}: {case.family} {case.name}")


def print_row(name: str, n: int, errors: dict[str, float], exact: float) -> None:
    cells = [f"{errors[q]:8.1%}" if math.isfinite(errors[q]) else f"{'-':>8s}" for q in QUANTITIES[2:]]
    print(f"{name:36s} {n:3d} {errors['latency_cycles']:8.1%} {exact:15.0%} {' '.join(cells)}")


SHARE = 0.8
"""The share of designs that lie within a band."""


def bands(rows: list[tuple[Case, dict[str, float]]]) -> dict[str, list[float]]:
    """Between which factors of the estimate the measured value lies, for `SHARE` of designs; families count alike."""
    return {name: banded(ratios(rows, name)) for name in QUANTITIES}


def ratios(rows: list[tuple[Case, dict[str, float]]], name: str) -> list[tuple[float, float]]:
    """Measured by estimated, with the weight of each design."""
    kept = [
        (case.family, case.measured[name] / values[name])
        for case, values in rows
        if not (name == "interval_cycles" and values["settled"]) and case.measured[name] > 0 and values[name] > 0
    ]
    sizes = Counter(case.family for case, _ in rows)
    return [(ratio, 1 / sizes[family]) for family, ratio in kept]


def quantile(pairs: list[tuple[float, float]], share: float) -> float:
    """The ratio up to which this share of the weight lies."""
    ordered = sorted(pairs)
    weights = np.cumsum([weight for _, weight in ordered]) / sum(weight for _, weight in ordered)
    return ordered[min(len(ordered) - 1, int(np.searchsorted(weights, share)))][0]


def banded(pairs: list[tuple[float, float]]) -> list[float]:
    low, high = quantile(pairs, (1 - SHARE) / 2), quantile(pairs, 1 - (1 - SHARE) / 2)
    return [round(min(low, 1.0), 3), round(max(high, 1.0), 3)]


def implementations() -> list[dict[str, Any]]:
    """Public designs with what became of them after C synthesis, those that their part could hold."""
    every = json.loads((HERE / "estimate_implementations.json").read_text())
    return [entry for entry in every if "void" not in entry]


def kept_by_implementation(name: str) -> list[tuple[float, float]]:
    """What the implementation keeps of the look-up tables or registers of C synthesis; families count alike."""
    known = [entry for entry in implementations() if name in entry["csynth"]]
    sizes = Counter(entry["family"] for entry in known)
    return [(entry["implemented"][name] / entry["csynth"][name], 1 / sizes[entry["family"]]) for entry in known]


def implemented(rows: list[tuple[Case, dict[str, float]]], name: str) -> list[float]:
    """Low, typical and high factor from the estimate to what is implemented, its two ratios taken as independent."""
    pairs = [
        (ratio * kept, weight * share)
        for ratio, weight in ratios(rows, name)
        for kept, share in kept_by_implementation(name)
    ]
    return [round(quantile(pairs, share), 3) for share in ((1 - SHARE) / 2, 0.5, 1 - (1 - SHARE) / 2)]


def areas(rows: list[tuple[Case, dict[str, float]]]) -> dict[str, Any]:
    """Bands of look-up tables, registers and memory, for designs of plain arithmetic and for the others."""
    found: dict[str, Any] = {}
    for name, mine in (("arithmetic", True), ("others", False)):
        some = [(case, values) for case, values in rows if arithmetic(case.design) == mine]
        found[name] = {
            "designs": len(some),
            "families": len({case.family for case, _ in some}),
            "bands": {resource: banded(ratios(some, resource)) for resource in ("LUT", "FF", "BRAM_18K")},
            "implemented": {resource: implemented(some, resource) for resource in ("LUT", "FF")},
        }
    return found


def worst(rows: list[tuple[Case, dict[str, float]]], constants: Constants) -> None:
    """The designs with the largest error of the cycles in the three worst families.

    Their layers' cycles are those of a fit to all families, beside the report's.
    """
    print("\nworst three (cycles), left out of their fit:")
    ordered = sorted(rows, key=lambda r: -abs(relative(r[0], r[1], "latency_cycles") or 0))
    first: dict[str, tuple[Case, dict[str, float]]] = {}
    for case, values in ordered:
        first.setdefault(case.family, (case, values))
    for case, values in list(first.values())[:3]:
        measured = case.measured["latency_cycles"]
        print(f"  {case.family} {case.name}: {values['latency_cycles']:.0f} for {measured:.0f} cycles")
        for block, cost, _ in estimate(case.design, constants=constants).layers:
            known = case.layers.get(block.output)
            report = "" if known is None else f", report {known:.0f}"
            print(f"      {block.name:24s} {block.kind:10s} reuse {block.reuse:<4d} {cost.latency:6.0f} cycles{report}")


BOARDS = {"7": "pynq-z2", "us+": "alveo-u250"}
"""rule4ml's board of the same series as the part."""


def as_network(case: Case) -> dict[str, Any] | str:
    """A design as rule4ml can be asked for it, or why it cannot."""
    known = {"dense", "relu", "softmax", "multiply"}
    other = sorted({block.kind for block in case.design.blocks} - known)
    if other:
        return f"no layer {', '.join(other)}"
    if case.design.io != "io_parallel":
        return f"no {case.design.io}"
    board = BOARDS.get(series(str(case.design.part)))
    if board is None:
        return f"no board of the series of {case.design.part}"
    first = case.design.blocks[0]
    width = first.weights[0].width
    layers = [{"kind": b.kind, "n_in": b.n_in, "n_out": b.n_out} for b in case.design.blocks]
    precision = f"ap_fixed<{width}, {6 if width == 16 else max(1, width // 4)}>"
    version = ".".join(case.version.split(".")[:2])
    strategy = first.strategy.capitalize()
    return {
        "board": board,
        "precision": precision,
        "reuse": first.reuse,
        "strategy": strategy,
        "layers": layers,
        "version": version,
    }


def compare(rows: list[tuple[Case, dict[str, float]]], python: str) -> None:
    """rule4ml beside the estimate (each family left out of its fit) and the report."""
    asked = [(case, values, as_network(case)) for case, values in rows]
    networks = [network for _, _, network in asked if not isinstance(network, str)]
    command = [python, str(HERE / "estimate_rule4ml.py")]
    run = subprocess.run(command, input=json.dumps(networks), capture_output=True, text=True, check=True)
    answers = iter(json.loads(run.stdout))
    print("\nrule4ml 0.2.0 on the same designs; it knows no clock, so its figures are for the 10 ns of its training")
    print(f"{'design':58s} {'ns':>5s} {'cycles':>18s} {'interval':>15s} {'DSP':>20s} {'LUT':>24s}")
    print(f"{'(report / l1emu, family left out / rule4ml)':58s}")
    errors: dict[str, dict[str, list[float]]] = {"l1emu": defaultdict(list), "rule4ml": defaultdict(list)}
    silent: dict[str, int] = defaultdict(int)
    for case, values, network in asked:
        answer = {"error": network} if isinstance(network, str) else next(answers)
        if "error" in answer:
            silent[f"{case.family}: {answer['error']}"] += 1
            continue
        theirs = {
            name: answer[key]
            for name, key in zip(QUANTITIES, ("CYCLES", "INTERVAL", "DSP", "LUT", "FF", "BRAM"), strict=True)
        }
        cells = []
        for name in QUANTITIES:
            measured = case.measured[name]
            if measured > 0:
                errors["l1emu"][name].append(abs(values[name] / measured - 1))
                errors["rule4ml"][name].append(abs(theirs[name] / measured - 1))
            cells.append(f"{measured:.0f}/{values[name]:.0f}/{theirs[name]:.0f}")
        label = f"{case.family} {case.name}"[:58]
        wide = [f"{cell:>{width}s}" for cell, width in zip(cells, (18, 15, 20, 24), strict=False)]
        print(f"{label:58s} {case.design.clock_ns:5.2f} {' '.join(wide)}")
    for who, found in errors.items():
        for average, of in ((np.mean, "mean"), (np.median, "median")):
            figures = ", ".join(f"{name} {average(found[name]):.0%} (n={len(found[name])})" for name in QUANTITIES)
            print(f"{of} error of {who}: {figures}")
    for reason, count in silent.items():
        print(f"no answer from rule4ml for {count} of {reason}")


def provenance(cases: list[Case]) -> dict[str, Any]:
    """What the constants were fitted to."""
    return {
        "designs": len(cases),
        "families": {f: sum(c.family == f for c in cases) for f in sorted({c.family for c in cases})},
        "versions": sorted({c.version for c in cases}),
        "parts": sorted({str(c.design.part) for c in cases}),
        "band": "80 % of designs of families left out of the fit, families counting alike",
    }


def measured_range(cases: list[Case]) -> dict[str, Any]:
    clocks = [float(c.design.clock_ns or 0) for c in cases]
    return {
        "series": sorted({series(str(c.design.part)) for c in cases}),
        "period_ns": [min(clocks), max(clocks)],
        "kinds": sorted({b.kind for c in cases for b in c.design.blocks}),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", type=Path, help="folder with modules.csv and designs.csv")
    parser.add_argument("--write", action="store_true", help="write l1emu/data/estimate.json")
    parser.add_argument("--rule4ml", metavar="PYTHON", help="a Python with rule4ml 0.2.0")
    chosen = parser.parse_args()
    if not (chosen.reference / "modules.csv").is_file():
        print(f"skipped: {chosen.reference} has no modules.csv")
        return
    every = read_cases(chosen.reference)
    cases = [case for case in every if not case.void]
    constants = fit(cases)
    rows = cross_validate(cases)
    table("fitted to all families (not a test)", [(case, estimated(case, constants)) for case in cases])
    table("each family left out of the fit", rows)
    worst(rows, constants)
    for case in cases:
        if case.more:
            print(f"not in any fit, since the report holds more than the network: {case.family} {case.name}")
    for case in every:
        if case.void:
            values = estimated(case, constants)
            print(
                f"void by its timing: {case.family} {case.name}: {values['latency_cycles']:.0f} for "
                f"{case.measured['latency_cycles']:.0f} cycles"
            )
    if chosen.write:
        document = {
            "version": 1,
            "provenance": provenance(cases),
            "measured": measured_range(cases),
            "bands": bands(rows),
            "areas": areas(rows),
            **{name: constants[name] for name in ("delays_ns", "cycles", "resources")},
        }
        rounded = json.loads(json.dumps(document), parse_float=lambda text: float(f"{float(text):.4g}"))
        resource("data/estimate.json").write_text(json.dumps(rounded, indent=2) + "\n")
    if chosen.rule4ml:
        compare(rows, chosen.rule4ml)


if __name__ == "__main__":
    main()
