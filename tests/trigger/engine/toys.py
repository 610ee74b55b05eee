"""Small crossings and seeds that hypothesis draws: ties, edges, NaN and what is missing."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import awkward as ak
import numpy as np
from hypothesis import strategies as st

from l1emu.eventdata import EventData
from tests.trigger.engine.brute_force import Crossing

NUMBERS: dict[str, list[float]] = {
    "pt": [0.0, 3.0, 5.0, 5.5, 10.0, 20.0, 40.0],
    "offline_pt": [0.0, 4.0, 6.0, 22.0],
    "eta": [-2.4, -1.5, -0.5, 0.0, 0.25, 1.5, 2.375, 2.4],
    "phi": [-3.0, -1.5, 0.0, 0.25, 1.5, 3.0],
    "charge": [-1.0, 1.0],
    "z0": [-1.0, 0.0, 0.5, 1.0],
    "quality": [0.0, 1.0, 3.0],
    "isolation": [0.0, 0.5, 1.0],
    "tag_b": [0.0, 0.25, 0.5, 1.0],
}
OBJECTS = ("jets", "muons")
SUMS = {"ht": [0.0, 30.0, 45.5, 100.0], "met": [0.0, 20.0, 50.0]}


@st.composite
def crossings(draw: st.DrawFn) -> tuple[EventData, list[Crossing], list[dict[str, float]]]:
    """The same crossings for the engine and for the brute force, in which what is missing is NaN."""
    n = draw(st.integers(1, 5))
    odd = draw(st.booleans())
    plain: list[Crossing] = [{} for _ in range(n)]
    arrays = {}
    for name in OBJECTS:
        counts = draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))
        total = sum(counts)
        columns = {}
        for field, values in NUMBERS.items():
            pool: list[float | None] = [*values, *values, *((math.nan, None) if odd and field != "charge" else ())]
            columns[field] = draw(st.lists(st.sampled_from(pool), min_size=total, max_size=total))
        first = 0
        for crossing, count in zip(plain, counts, strict=True):
            crossing[name] = [
                {f: math.nan if (v := column[i]) is None else v for f, column in columns.items()}
                for i in range(first, first + count)
            ]
            first += count
        dtype = draw(st.sampled_from([np.float32, np.float64]))
        arrays[name] = ak.unflatten(
            ak.zip(
                {
                    field: ak.mask(
                        np.array([0.0 if v is None else v for v in column], dtype),
                        np.array([v is not None for v in column], bool),
                    )
                    if None in column
                    else np.array(column, dtype)
                    for field, column in columns.items()
                }
            ),
            counts,
        )
    sums = {
        name: draw(st.lists(st.sampled_from([*values, *((math.nan,) if odd else ())]), min_size=n, max_size=n))
        for name, values in SUMS.items()
    }
    data = EventData(n, arrays, {name: np.array(values) for name, values in sums.items()})
    return data, plain, [{name: values[i] for name, values in sums.items()} for i in range(n)]


def _window(values: list[float]) -> st.SearchStrategy[list[float]]:
    return st.lists(st.sampled_from(values), min_size=2, max_size=2).map(sorted)


def _cuts() -> dict[str, st.SearchStrategy[Any]]:
    several = {
        "pt_gev": NUMBERS["pt"],
        "abs_eta": [0.0, 0.25, 1.5, 2.4],
        "eta": NUMBERS["eta"],
        "phi": [-3.0, -1.5, 0.25, 1.5, 3.0, 3.5],
    }
    found: dict[str, st.SearchStrategy[Any]] = {
        "pt_min_gev": st.sampled_from(NUMBERS["pt"]),
        "abs_eta_max": st.sampled_from([0.5, 1.5, 2.4, 2.5]),
        "quality_min": st.sampled_from(NUMBERS["quality"]),
        "quality": st.lists(st.sampled_from([0, 1, 3]), min_size=1, max_size=2),
        "isolation_max": st.sampled_from(NUMBERS["isolation"]),
        "charge": st.sampled_from([1, -1]),
        "scores": st.fixed_dictionaries({"tag_b": st.sampled_from(NUMBERS["tag_b"])}),
        "fields": st.fixed_dictionaries(
            {"z0": st.one_of(_window(NUMBERS["z0"]).map(lambda w: {"min": w[0], "max": w[1]}), st.just({"in": [0.5]}))}
        ),
        "offline": st.booleans(),
    }
    return found | {key: st.lists(_window(values), min_size=1, max_size=2) for key, values in several.items()}


def _some(draw: st.DrawFn, choices: dict[str, st.SearchStrategy[Any]], most: int) -> dict[str, Any]:
    keys = draw(st.lists(st.sampled_from(sorted(choices)), max_size=most, unique=True))
    return {key: draw(choices[key]) for key in keys}


DISTANCES = [0.0, 0.25, 0.5, 1.5, 3.0]
MASSES = [0.0, 1.25, 5.0, 10.0, 40.0, 1000.0]


@st.composite
def parts(draw: st.DrawFn, most_legs: int = 3) -> dict[str, Any]:
    """Legs, sums and conditions between legs."""
    legs = []
    for _ in range(draw(st.integers(0, most_legs))):
        leg = {"object": draw(st.sampled_from(["muons", "muons", "jets"])), "count": draw(st.integers(1, 2))}
        leg |= _some(draw, _cuts(), 2)
        if draw(st.integers(0, 5)) == 0:
            near = {"object": draw(st.sampled_from(OBJECTS)), "delta_r_max": draw(st.sampled_from(DISTANCES))}
            leg["without"] = [near | _some(draw, _cuts(), 1)]
        legs.append(leg)
    part: dict[str, Any] = {"legs": legs, "between": []}
    if draw(st.integers(0, 2)) == 0 or not legs:
        low, high = draw(_window(SUMS["ht"]))
        part["sums"] = {"ht": {"min_gev": low, "max_gev": high}, "met": {"min": draw(st.sampled_from(SUMS["met"]))}}
    for _ in range(draw(st.integers(0, 2)) if legs else 0):
        entry = draw(entries(legs))
        if entry is not None:
            part["between"].append(entry)
    return part


@st.composite
def entries(draw: st.DrawFn, legs: list[dict[str, Any]]) -> dict[str, Any] | None:
    """A condition between legs; None if there are too few of them."""
    slots = [i for i, leg in enumerate(legs) for _ in range(leg["count"])]
    size = draw(st.sampled_from([2, 2, 3]))
    if len(slots) < size:
        return None
    numbers = draw(st.permutations(slots))[:size]
    signs = {legs[i].get("charge") for i in numbers}
    choices: dict[str, st.SearchStrategy[Any]] = {"mass_gev": _window(MASSES)}
    if signs == {None}:
        choices |= {"opposite_charge": st.just(True), "same_charge": st.just(True)}
    if size == 2:
        choices |= {
            "delta_r_min": st.sampled_from(DISTANCES[:3]),
            "delta_r_max": st.sampled_from(DISTANCES[2:]),
            "delta_eta_max": st.sampled_from(DISTANCES),
            "delta_phi_min": st.sampled_from(DISTANCES),
            "delta_z_max_cm": st.sampled_from([0.0, 0.5, 1.0]),
            "transverse_mass_gev": _window(MASSES),
        }
    entry = _some(draw, choices, 2)
    if {"opposite_charge", "same_charge"} <= set(entry):
        del entry["same_charge"]
    return {"legs": numbers, **(entry or {"mass_gev": draw(_window(MASSES))})}


@st.composite
def seeds(draw: st.DrawFn) -> dict[str, Any]:
    """A seed whose numbers are fixed."""
    seed: dict[str, Any] = {"name": "drawn", **draw(parts())}
    if draw(st.integers(0, 3)) == 0:
        seed["veto"] = [draw(parts(most_legs=2))]
    if draw(st.integers(0, 4)) == 0:
        tags = [{"score": "tag_b", "minimum": draw(st.sampled_from(NUMBERS["tag_b"])), "count": 1}]
        seed["jets"] = {
            "count": 2,
            "pt_min_gev": draw(st.sampled_from(NUMBERS["pt"])),
            "abs_eta_max": 2.4,
            "tags": tags,
        }
    if draw(st.integers(0, 4)) == 0:
        seed["ht"] = {"min_gev": draw(st.sampled_from([5.0, 20.0, 25.5])), "jet_pt_min_gev": 5.0, "abs_eta_max": 2.4}
    return seed


def places(seed: dict[str, Any]) -> list[Callable[[dict[str, Any]], None]]:
    """What opens one number of a copy of a seed, of each kind that may be scanned."""
    found: list[Callable[[dict[str, Any]], None]] = []

    def of(*path: Any) -> None:
        def open_it(copy: dict[str, Any]) -> None:
            node: Any = copy
            for key in path[:-1]:
                node = node[key]
            node[path[-1]] = "threshold"

        found.append(open_it)

    for i, leg in enumerate(seed["legs"]):
        for key in ("pt_min_gev", "abs_eta_max", "quality_min", "isolation_max"):
            if key in leg:
                of("legs", i, key)
        for score in leg.get("scores", {}):
            of("legs", i, "scores", score)
        if "min" in leg.get("fields", {}).get("z0", {}):
            of("legs", i, "fields", "z0", "min")
            of("legs", i, "fields", "z0", "max")
    for i, entry in enumerate(seed["between"]):
        for key in entry:
            if key.startswith("delta"):
                of("between", i, key)
            if key in ("mass_gev", "transverse_mass_gev"):
                of("between", i, key, 0)
                of("between", i, key, 1)
    for name, cut in seed.get("sums", {}).items():
        for key in cut:
            of("sums", name, key)
    if "ht" in seed:
        of("ht", "min_gev")
    if "jets" in seed:
        of("jets", "pt_min_gev")
        of("jets", "tags", 0, "minimum")
    return found
