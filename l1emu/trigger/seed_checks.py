"""What is wrong with a seed or a menu though each value by itself is right: one line, or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Protocol

from l1emu.trigger.conditions import Between, SumCut
from l1emu.trigger.legs import OPEN, Cuts, Leg, ObjectCuts
from l1emu.trigger.open_numbers import Conditions, open_numbers

_THREE = ("mass_gev", "opposite_charge", "same_charge")
_BOUNDS = (("delta_r_min", "delta_r_max"), ("delta_eta_min", "delta_eta_max"), ("delta_phi_min", "delta_phi_max"))


def seed_fault(seed: Conditions) -> str | None:
    """What is wrong inside of a seed, with the key, the value and what would be right."""
    return next(_seed_faults(seed), None)


def _seed_faults(seed: Conditions) -> Iterator[str]:
    yield from _open_faults(seed)
    yield from _part_faults(seed.legs, seed.sums, seed.between, "")
    for i, veto in enumerate(seed.veto):
        if not (veto.legs or veto.sums):
            yield f"veto.{i} has no condition; expected `legs` or `sums`"
        yield from _part_faults(veto.legs, veto.sums, veto.between, f"veto.{i}.")


def _open_faults(seed: Conditions) -> Iterator[str]:
    found = open_numbers(seed)
    if len({number.key for number in found}) > 1:
        places = " and ".join(number.place for number in found)
        yield (
            f"{len(found)} numbers say `{OPEN}`, {places}; expected exactly one, or the same key of several legs, "
            "which is scanned"
        )
    for number in found:
        if number.place.startswith("veto.") or ".without." in number.place:
            yield f"{number.place} says `{OPEN}`; expected a number, as only what a seed asks for is scanned"


def _part_faults(
    legs: Sequence[Leg], sums: Mapping[str, SumCut], between: Sequence[Between], before: str
) -> Iterator[str]:
    for i, leg in enumerate(legs):
        yield from _object_faults(leg, f"{before}legs.{i}.")
        for j, neighbour in enumerate(leg.without):
            yield from _object_faults(neighbour, f"{before}legs.{i}.without.{j}.")
    for name, cut in sums.items():
        yield from _sum_faults(cut, f"{before}sums.{name}")
    for i, entry in enumerate(between):
        yield from _entry_faults(entry, legs, f"{before}between.{i}.")


def _object_faults(cuts: ObjectCuts, before: str) -> Iterator[str]:
    yield from _cut_faults(cuts, before)
    for i, alternative in enumerate(cuts.either):
        place = f"{before}either.{i}"
        if not any(value not in (None, {}, False) for _, value in alternative):
            yield f"{place} asks for nothing; expected cuts, as every object passes it"
        if OPEN in [value for _, value in alternative] or OPEN in [
            end for cut in alternative.fields.values() for end in (cut.min, cut.max)
        ]:
            yield f"{place} says `{OPEN}`; expected numbers, as nothing under `either` is scanned"
        yield from _cut_faults(alternative, f"{place}.")


def _cut_faults(cuts: Cuts, before: str) -> Iterator[str]:
    yield from _order(cuts.pt_min_gev, cuts.pt_max_gev, before, "pt_min_gev", "pt_max_gev")
    yield from _order(cuts.isolation_min, cuts.isolation_max, before, "isolation_min", "isolation_max")
    for key in ("pt_gev", "abs_eta", "eta", "phi"):
        for i, (low, high) in enumerate(getattr(cuts, key) or []):
            yield from _order(low, high, f"{before}{key}.{i}.", "0", "1")
    for name, cut in cuts.fields.items():
        if cut.min is None and cut.max is None and cut.in_ is None:
            yield f"{before}fields.{name} asks for nothing; expected `min`, `max` or `in`"
        yield from _order(cut.min, cut.max, f"{before}fields.{name}.", "min", "max")


def _order(low: float | str | None, high: float | str | None, before: str, *keys: str) -> Iterator[str]:
    if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low > high:
        if keys == ("0", "1"):
            yield f"{before.removesuffix('.')} is [{low:g}, {high:g}]; expected the lower end first"
        else:
            yield f"{before}{keys[1]} is {high:g}, below {keys[0]}; expected {low:g} or more"


def _sum_faults(cut: SumCut, place: str) -> Iterator[str]:
    for key in ("min", "max"):
        if getattr(cut, key) is not None and getattr(cut, f"{key}_gev") is not None:
            yield f"{place} has `{key}` and `{key}_gev`; expected one of them"
    low, high = lower_bound(cut), upper_bound(cut)
    if low is None and high is None:
        yield f"{place} asks for nothing; expected `min_gev`, `max_gev`, `min` or `max`"
    names = ["min_gev" if cut.min is None else "min", "max_gev" if cut.max is None else "max"]
    yield from _order(low, high, f"{place}.", *names)


def lower_bound(cut: SumCut) -> float | str | None:
    """The lower bound of a sum under either of its names."""
    return cut.min_gev if cut.min is None else cut.min


def upper_bound(cut: SumCut) -> float | str | None:
    """The upper bound of a sum under either of its names."""
    return cut.max_gev if cut.max is None else cut.max


def _entry_faults(entry: Between, legs: Sequence[Leg], before: str) -> Iterator[str]:
    for i in entry.legs:
        if i >= len(legs):
            known = f"0 to {len(legs) - 1}" if legs else "`legs`, of which there are none"
            yield f"{before}legs names leg {i}; expected {known}"
            return
        times = entry.legs.count(i)
        if times > legs[i].count:
            yield f"{before}legs names leg {i} {times} times, whose count is {legs[i].count}; expected {times} or more"
    asked = [k for k, value in entry if k != "legs" and value is not None and value is not False]
    if not asked:
        yield f"{before}legs has no condition beside it; expected one, such as `delta_r_min`"
    wrong = [key for key in asked if key not in _THREE]
    if len(entry.legs) == 3 and wrong:
        yield f"{before}{wrong[0]} is of three legs; expected two legs, or one of {', '.join(_THREE)}"
    for low, high in _BOUNDS:
        yield from _order(getattr(entry, low), getattr(entry, high), before, low, high)
    for key in ("mass_gev", "transverse_mass_gev"):
        if getattr(entry, key) is not None:
            low, high = getattr(entry, key)
            yield from _order(low, high, f"{before}{key}.", "0", "1")
    yield from _charge_faults(entry, [legs[i].charge for i in entry.legs], before)


def _charge_faults(entry: Between, charges: Sequence[int | None], before: str) -> Iterator[str]:
    alike, different = None not in charges and len(set(charges)) == 1, {1, -1} <= set(charges)
    if entry.opposite_charge and entry.same_charge:
        yield f"{before}opposite_charge and {before}same_charge are both true; expected one of them"
    elif entry.opposite_charge and alike:
        yield f"{before}opposite_charge is true of legs whose charges are all {charges[0]:+d}; expected two signs"
    elif entry.same_charge and different:
        yield f"{before}same_charge is true of legs whose charges are +1 and -1; expected one sign"


class Member(Conditions, Protocol):
    """A seed as a menu sees it: its name, and those of the seeds that it builds on."""

    @property
    def name(self) -> str: ...
    @property
    def references(self) -> dict[str, list[str]]: ...


def menu_fault(seeds: Sequence[Member]) -> str | None:
    """What is wrong between the seeds of a menu: names twice, seeds that are not there or scanned, and circles."""
    names = [seed.name for seed in seeds]
    read = [" ".join(name.split()) for name in names]  # as it is read in a table
    for name, text in zip(names, read, strict=True):
        if read.count(text) > 1:
            return f"two seeds are named {name!r}; expected names that differ"
    by_name = dict(zip(names, seeds, strict=True))
    for seed in seeds:
        for key, others in seed.references.items():
            for other in others:
                if other not in by_name:
                    return f"seed {seed.name!r}: {key} names the seed {other!r}; expected one of {_listed(names)}"
                if open_numbers(by_name[other]):
                    return f"seed {seed.name!r}: {key} names the seed {other!r}, which is scanned; expected a fixed one"
    try:
        evaluation_order(seeds)
    except CycleError as error:
        circle = " -> ".join(map(repr, reversed(error.args[1])))
        return f"seed {error.args[1][-1]!r}: any, all and not go in a circle, {circle}; expected none"
    return None


def evaluation_order(seeds: Sequence[Member]) -> list[str]:
    """The names of the seeds, each behind those that it builds on.

    Raises
    ------
    graphlib.CycleError
        if there is none.
    """
    graph = {seed.name: {name for names in seed.references.values() for name in names} for seed in seeds}
    return list(TopologicalSorter(graph).static_order())


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:20]))
    return shown if len(names) <= 20 else f"{shown}, ..."
