"""A menu of 20 seeds: crossings a second of the engine, beside the same menu as awkward expressions, in one run.

    python benchmarks/menu.py [--crossings 200000] [--rounds 5]

Crossings are made up with a fixed seed: 16 jets and 4 muons of falling spectra, HT and missing ET, as
an L1 NanoAOD file has them. The other way is that of Phase2-L1MenuTools: legs are cut, their cartesian product is
taken, pairs of the same object are dropped, and conditions are asked of all that are left. Rounds alternate, seconds
are those that the thread spent on a processor, and the counts of all seeds must be equal.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import combinations
from typing import Any

import awkward as ak
import numpy as np
from rich.console import Console
from rich.table import Table

from l1emu.eventdata import EventData
from l1emu.trigger import Evaluator, Seed

CENTRAL = {"abs_eta_max": 2.4}


def jets(pt: float, count: int = 1, **more: Any) -> dict[str, Any]:
    return {"object": "jets", "pt_min_gev": pt, "count": count, **CENTRAL, **more}


def muons(pt: float, count: int = 1, **more: Any) -> dict[str, Any]:
    return {"object": "muons", "pt_min_gev": pt, "count": count, **CENTRAL, **more}


PAIR = {"legs": [0, 0], "opposite_charge": True, "delta_z_max_cm": 1}
SEEDS: list[dict[str, Any]] = [
    {"name": "HT", "sums": {"ht": {"min_gev": 450}}},
    {"name": "MET", "sums": {"met": {"min_gev": 200}}},
    {"name": "single jet", "legs": [jets(230)]},
    {"name": "two central jets", "legs": [jets(112, 2)], "between": [{"legs": [0, 0], "delta_eta_max": 1.6}]},
    {
        "name": "jet pair of high mass",
        "legs": [jets(160), jets(35)],
        "between": [{"legs": [0, 1], "mass_gev": [620, 9e4]}],
    },
    {"name": "four jets, HT", "legs": [jets(70), jets(55), jets(40, 2)], "sums": {"ht": {"min_gev": 400}}},
    {"name": "four jets", "legs": [jets(60, 4)]},
    {"name": "single muon", "legs": [muons(22)]},
    {"name": "two muons", "legs": [muons(15), muons(7)], "between": [{"legs": [0, 1], "delta_z_max_cm": 1}]},
    {"name": "dimuon, near", "legs": [muons(4, 2)], "between": [{**PAIR, "delta_r_max": 1.2}]},
    {"name": "dimuon, mass", "legs": [muons(4.4, 2)], "between": [{**PAIR, "mass_gev": [7, 18]}]},
    {
        "name": "dimuon, any pt",
        "legs": [{"object": "muons", "pt_min_gev": 0, "count": 2, "abs_eta_max": 1.5}],
        "between": [{**PAIR, "delta_r_max": 1.4}],
    },
    {"name": "three muons", "legs": [muons(5), muons(3, 2)]},
    {
        "name": "three muons, mass",
        "legs": [muons(5), muons(3.5), muons(2.5)],
        "between": [{"legs": [0, 2], "mass_gev": [5, 17], "opposite_charge": True}],
    },
    {"name": "muon, HT", "legs": [muons(6)], "sums": {"ht": {"min_gev": 320}}},
    {"name": "muon, jet, MET", "legs": [muons(3), jets(110)], "sums": {"met": {"min_gev": 120}}},
    {"name": "two muons, HT", "legs": [muons(3, 2)], "sums": {"ht": {"min_gev": 300}}},
    {
        "name": "muon in jet",
        "legs": [muons(12), jets(40), jets(40, 2)],
        "between": [{"legs": [0, 1], "delta_r_max": 0.4}, {"legs": [2, 2], "delta_eta_max": 1.6}],
    },
    {"name": "two tagged jets", "legs": [jets(50, 2, scores={"tag_b": 0.8})]},
    {"name": "MET away from a jet", "legs": [jets(60)], "sums": {"met": {"min_gev": 130}}},
]


def made_up(crossings: int) -> EventData:
    """Crossings with 16 jets and 4 muons on average, pt descending, float32 and int8."""
    rng = np.random.Generator(np.random.PCG64(14))
    found = {}
    for name, mean, least, scale in (("jets", 16, 5.0, 16.0), ("muons", 4, 1.0, 1.0)):
        counts = rng.poisson(mean, crossings)
        n = int(counts.sum())
        pt = least + scale * (rng.pareto(3.0, n) + rng.exponential(0.6, n))
        fields = {"pt": ak.sort(ak.unflatten(pt.astype(np.float32), counts), axis=1, ascending=False)}
        numbers: dict[str, Any] = {
            "eta": rng.uniform(-3, 3, n).astype(np.float32),
            "phi": rng.uniform(-np.pi, np.pi, n).astype(np.float32),
        }
        if name == "jets":
            numbers["tag_b"] = rng.random(n).astype(np.float32) ** 2
        else:
            numbers |= {
                "charge": rng.choice(np.array([-1, 1], np.int8), n),
                "z0": rng.normal(0, 3, n).astype(np.float32),
            }
        found[name] = ak.zip(fields | {key: ak.unflatten(v, counts) for key, v in numbers.items()})
    pt = found["jets"].pt
    ht = ak.to_numpy(ak.sum(pt[(pt > 30) & (abs(found["jets"].eta) < 2.4)], axis=1)).astype(np.float64)
    return EventData(crossings, found, {"ht": ht, "met": rng.exponential(35, crossings)})


def opening(a: ak.Array, b: ak.Array) -> ak.Array:
    turned = abs(a - b)
    return ak.where(turned > np.pi, 2 * np.pi - turned, turned)


def mass(a: ak.Array, b: ak.Array) -> ak.Array:
    return np.sqrt(2 * a.pt * b.pt * (np.cosh(a.eta - b.eta) - np.cos(a.phi - b.phi)))


def by_awkward(seed: dict[str, Any], data: EventData) -> np.ndarray[Any, Any]:
    """Legs cut, combined, and asked: the way of Phase2-L1MenuTools, in its expressions."""
    accepted = np.ones(data.crossings, bool)
    for name, cut in seed.get("sums", {}).items():
        accepted &= data.sums[name] >= cut["min_gev"]
    slots = [(leg, i) for i, leg in enumerate(seed.get("legs", [])) for _ in range(leg.get("count", 1))]
    if not slots:
        return accepted
    arrays = {}
    for number, (leg, _) in enumerate(slots):
        objects = data.objects[leg["object"]]
        chosen = (objects.pt >= leg["pt_min_gev"]) & (abs(objects.eta) < leg["abs_eta_max"])
        for score, minimum in leg.get("scores", {}).items():
            chosen = chosen & (objects[score] >= minimum)
        arrays[str(number)] = ak.with_field(objects, ak.local_index(objects.pt), "idx")[chosen]
    together = ak.cartesian(arrays)
    for one, other in combinations(arrays, 2):
        if slots[int(one)][0]["object"] == slots[int(other)][0]["object"]:
            together = together[together[one].idx != together[other].idx]
    accepted &= ak.to_numpy(ak.num(together) > 0)
    holds = ak.ones_like(together["0"].idx, dtype=bool)
    for entry in seed.get("between", []):
        first = [str(n) for n, (_, leg) in enumerate(slots) if leg == entry["legs"][0]]
        second = [str(n) for n, (_, leg) in enumerate(slots) if leg == entry["legs"][1]]
        a, b = together[first[0]], together[second[-1]]
        if "delta_eta_max" in entry:
            holds = holds & (abs(a.eta - b.eta) <= entry["delta_eta_max"])
        if "delta_r_max" in entry:
            holds = holds & (np.sqrt((a.eta - b.eta) ** 2 + opening(a.phi, b.phi) ** 2) <= entry["delta_r_max"])
        if "mass_gev" in entry:
            holds = holds & (mass(a, b) >= entry["mass_gev"][0]) & (mass(a, b) <= entry["mass_gev"][1])
        if "opposite_charge" in entry:
            holds = holds & (a.charge * b.charge < 0)
        if "delta_z_max_cm" in entry:
            holds = holds & (abs(a.z0 - b.z0) <= entry["delta_z_max_cm"])
    return accepted & ak.to_numpy(ak.any(holds, axis=1))


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    started = time.thread_time()
    found = call()
    return time.thread_time() - started, found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--crossings", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    data = made_up(options.crossings)
    menu = Evaluator([Seed.model_validate(seed) for seed in SEEDS])
    menu(made_up(100))  # compiled, or read from the cache
    engine, other = [], []
    for _ in range(options.rounds):
        seconds, found = timed(lambda: menu(data))
        engine.append(seconds)
        seconds, wanted = timed(lambda: np.stack([by_awkward(seed, data) for seed in SEEDS], axis=1))
        other.append(seconds)
    counts, expected = found.accepted.sum(axis=0), wanted.sum(axis=0)
    out = Console(width=100)
    table = Table(title=f"{len(SEEDS)} seeds, {options.crossings:,} crossings, one core", title_justify="left")
    for column in ("way", "best, s", "median, s", "crossings/s"):
        table.add_column(column, justify="left" if column == "way" else "right")
    for name, seconds in (("l1emu", engine), ("awkward", other)):
        best, median = min(seconds), float(np.median(seconds))
        table.add_row(name, f"{best:.3f}", f"{median:.3f}", f"{options.crossings / median:,.0f}")
    out.print(table)
    for seed, count, number in zip(SEEDS, counts, expected, strict=True):
        out.print(f"{seed['name']:24} {count:10,}" + ("" if count == number else f"   but {number:,}"))
    if (counts != expected).any():
        raise SystemExit("the counts differ")
    out.print("equal counts of all seeds")


if __name__ == "__main__":
    main()
