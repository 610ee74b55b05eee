"""Seeds decided crossing by crossing from their YAML, over all assignments of objects to legs: slow, and plain."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Any

Object = dict[str, float]
Crossing = dict[str, list[Object]]


def decided(seed: Mapping[str, Any], objects: Crossing, sums: Mapping[str, float], threshold: float = math.nan) -> bool:
    """Whether a seed without `any`, `all` and `not` accepts a crossing."""
    seed = _closed(seed, threshold)
    jets, ht = seed.get("jets"), seed.get("ht")
    if ht is not None:
        total = 0.0
        for jet in objects["jets"]:
            if jet["pt"] >= ht["jet_pt_min_gev"] and abs(jet["eta"]) < ht["abs_eta_max"]:
                total += jet["pt"]
        if not total >= ht["min_gev"]:
            return False
    if jets is not None:
        chosen = [j for j in objects["jets"] if j["pt"] >= jets["pt_min_gev"] and abs(j["eta"]) < jets["abs_eta_max"]]
        if len(chosen) < jets["count"]:
            return False
        for tag in jets.get("tags", []):
            if sum(j[tag["score"]] >= tag["minimum"] for j in chosen) < tag["count"]:
                return False
    if not _part(seed, objects, sums):
        return False
    return not any(_part(veto, objects, sums) for veto in seed.get("veto", []))


def _closed(node: Any, threshold: float) -> Any:
    if isinstance(node, dict):
        return {key: _closed(value, threshold) for key, value in node.items()}
    if isinstance(node, list):
        return [_closed(value, threshold) for value in node]
    return threshold if node == "threshold" else node


def _part(part: Mapping[str, Any], objects: Crossing, sums: Mapping[str, float]) -> bool:
    for name, cut in part.get("sums", {}).items():
        low = cut.get("min_gev", cut.get("min", -math.inf))
        high = cut.get("max_gev", cut.get("max", math.inf))
        if not low <= sums[name] <= high:
            return False
    legs = part.get("legs", [])
    return any(
        all(_entry(entry, legs, chosen, objects) for entry in part.get("between", []))
        for chosen in _assignments(legs, objects)
    )


def _assignments(legs: Sequence[Mapping[str, Any]], objects: Crossing) -> Iterator[tuple[tuple[int, ...], ...]]:
    """All ways to give each leg its objects, by their place in the collection."""
    ways = []
    for leg in legs:
        able = [i for i, _ in enumerate(objects[leg["object"]]) if _candidate(leg, i, objects)]
        ways.append(list(combinations(able, leg.get("count", 1))))
    for chosen in product(*ways):
        held = [(leg["object"], i) for leg, group in zip(legs, chosen, strict=True) for i in group]
        if len(set(held)) == len(held):
            yield chosen


def _candidate(leg: Mapping[str, Any], i: int, objects: Crossing) -> bool:
    one = objects[leg["object"]][i]
    if not _passes(leg, one):
        return False
    for near in leg.get("without", []):
        for j, other in enumerate(objects[near["object"]]):
            if (near["object"], j) != (leg["object"], i) and _passes(near, other):
                if _delta_r(one, other) <= near["delta_r_max"]:
                    return False
    return True


def _passes(cuts: Mapping[str, Any], one: Object) -> bool:
    pt = one.get("offline_pt", math.nan) if cuts.get("offline") else one.get("pt", math.nan)
    asked = []
    for key, number in (("pt", pt), ("isolation", one.get("isolation")), ("quality", one.get("quality"))):
        unit = "_gev" if key == "pt" else ""
        if f"{key}_min{unit}" in cuts:
            asked.append(number >= cuts[f"{key}_min{unit}"])
        if f"{key}_max{unit}" in cuts:
            asked.append(number <= cuts[f"{key}_max{unit}"])
    if "abs_eta_max" in cuts:
        asked.append(abs(one["eta"]) < cuts["abs_eta_max"])
    windows = (("pt_gev", pt), ("abs_eta", abs(one["eta"])), ("eta", one["eta"]))
    for key, number in windows:
        if key in cuts:
            asked.append(any(low <= number <= high for low, high in cuts[key]))
    if "phi" in cuts:
        turns = (0.0, 2 * math.pi, -2 * math.pi)
        asked.append(any(a + turn <= one["phi"] <= b + turn for a, b in cuts["phi"] for turn in turns))
    if "quality" in cuts:
        asked.append(one["quality"] in cuts["quality"])
    if "charge" in cuts:
        asked.append(one["charge"] * cuts["charge"] > 0)
    for score, minimum in cuts.get("scores", {}).items():
        asked.append(one[score] >= minimum)
    for name, cut in cuts.get("fields", {}).items():
        asked.append(not math.isnan(one[name]))
        asked.append(one[name] >= cut.get("min", -math.inf) and one[name] <= cut.get("max", math.inf))
        asked.append("in" not in cut or one[name] in cut["in"])
    return all(asked)


def _entry(
    entry: Mapping[str, Any],
    legs: Sequence[Mapping[str, Any]],
    chosen: Sequence[Sequence[int]],
    objects: Crossing,
) -> bool:
    """Whether some different objects of those assigned meet all conditions of an entry."""
    numbers = entry["legs"]
    for places in product(*(chosen[i] for i in numbers)):
        held = [(legs[i]["object"], place) for i, place in zip(numbers, places, strict=True)]
        if len(set(held)) == len(held) and _together(entry, [objects[name][place] for name, place in held]):
            return True
    return False


def _together(entry: Mapping[str, Any], some: Sequence[Object]) -> bool:
    a, b = some[0], some[1]
    measured = {}
    if len(some) == 2:
        measured = {"delta_r": _delta_r(a, b), "delta_phi": _delta_phi(a, b), "delta_eta": abs(a["eta"] - b["eta"])}
        measured["delta_z"] = abs(a.get("z0", math.nan) - b.get("z0", math.nan))
    for key, number in measured.items():
        for bound in (f"{key}_min", f"{key}_max", f"{key}_max_cm"):
            if bound in entry and not (number >= entry[bound] if "min" in bound else number <= entry[bound]):
                return False
    if "mass_gev" in entry:
        mass = _root(sum(_mass_squared(x, y) for x, y in combinations(some, 2)))
        if not entry["mass_gev"][0] <= mass <= entry["mass_gev"][1]:
            return False
    if "transverse_mass_gev" in entry:
        mass = _root(2 * (a["pt"] * b["pt"]) * (1 - math.cos(_delta_phi(a, b))))
        if not entry["transverse_mass_gev"][0] <= mass <= entry["transverse_mass_gev"][1]:
            return False
    signs = {(one["charge"] > 0) - (one["charge"] < 0) for one in some} if _asks_charge(entry) else set()
    if entry.get("opposite_charge") and signs != {1, -1}:
        return False
    return not (entry.get("same_charge") and signs not in ({1}, {-1}))


def _asks_charge(entry: Mapping[str, Any]) -> bool:
    return bool(entry.get("opposite_charge") or entry.get("same_charge"))


def _delta_phi(a: Object, b: Object) -> float:
    turned = abs(a["phi"] - b["phi"])
    return 2 * math.pi - turned if turned > math.pi else turned


def _delta_r(a: Object, b: Object) -> float:
    eta, phi = a["eta"] - b["eta"], _delta_phi(a, b)
    return math.sqrt(eta * eta + phi * phi)


def _mass_squared(a: Object, b: Object) -> float:
    return 2 * (a["pt"] * b["pt"]) * (math.cosh(a["eta"] - b["eta"]) - math.cos(a["phi"] - b["phi"]))


def _root(square: float) -> float:
    return 0.0 if square < 0 else math.sqrt(square)
