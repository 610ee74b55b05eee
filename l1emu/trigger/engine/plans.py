"""Seeds as plain lists of cuts and bounds, long and short forms alike, before they become tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field

import numpy as np

from l1emu.trigger.conditions import Between, HtCondition, JetCondition, SumCut
from l1emu.trigger.engine.layout import (
    CHARGE,
    DELTA_ETA,
    DELTA_PHI,
    DELTA_R,
    DELTA_Z,
    ETA,
    MASS,
    OPPOSITE,
    PHI,
    PT,
    SAME,
    TRANSVERSE_MASS,
    Z0,
)
from l1emu.trigger.legs import OPEN, Cuts, FieldBounds, Leg, ObjectCuts
from l1emu.trigger.open_numbers import Conditions
from l1emu.trigger.seed_checks import lower_bound, upper_bound

JETS = "jets"
"""The collection that the short forms mean."""

Intervals = tuple[tuple[float, float], ...]
_ALL = (-math.inf, math.inf)
_TURN = 2 * math.pi


@dataclass(frozen=True)
class CutPlan:
    """A number of an object that must lie in one of some closed intervals; `place` is where the seed says so.

    The number is that of a field, or 1 where one of several sets of cuts holds, and otherwise 0.
    """

    field: str | AnyOf
    absolute: bool
    intervals: Intervals
    place: str = dataclass_field(compare=False)


@dataclass(frozen=True)
class AnyOf:
    """Sets of cuts of which one must hold."""

    alternatives: tuple[tuple[CutPlan, ...], ...]

    @property
    def cuts(self) -> list[CutPlan]:
        """Those of all sets."""
        return [cut for alternative in self.alternatives for cut in alternative]


@dataclass(frozen=True)
class NearPlan:
    """Objects that rule out one within a distance."""

    object: str
    radius: float
    cuts: tuple[CutPlan, ...]
    place: str


@dataclass(frozen=True)
class LegPlan:
    """So many objects; `least` is the cut of the kind pt at least, `scanned` the cut whose number is open."""

    object: str
    count: int
    cuts: tuple[CutPlan, ...]
    place: str
    least: CutPlan | None = None
    scanned: CutPlan | None = None
    near: tuple[NearPlan, ...] = ()


@dataclass(frozen=True)
class ConditionPlan:
    """A condition between objects: its kind, its bounds, and whether one of them is scanned."""

    kind: int
    low: float
    high: float
    scanned: bool
    place: str


@dataclass(frozen=True)
class EntryPlan:
    """Conditions on some objects of two or three legs, numbers within the group, ascending."""

    legs: tuple[int, ...]
    conditions: tuple[ConditionPlan, ...]


@dataclass(frozen=True)
class GroupPlan:
    """Legs that must be searched together: they share a collection, or an entry joins them."""

    legs: tuple[LegPlan, ...]
    entries: tuple[EntryPlan, ...] = ()


@dataclass(frozen=True)
class JetSum:
    """The scalar sum of the pt of jets of this pt or more within |eta|."""

    pt_min: float
    abs_eta_max: float


@dataclass(frozen=True)
class SumPlan:
    """Bounds of a number of the crossing, given by name or made of jets."""

    source: str | JetSum
    low: float
    high: float
    scanned: bool
    place: str


@dataclass(frozen=True)
class PartPlan:
    """What a seed asks for, or one of its vetoes."""

    sums: list[SumPlan] = dataclass_field(default_factory=list)
    groups: list[GroupPlan] = dataclass_field(default_factory=list)


PHYSICAL = {PT: "pt", ETA: "eta", PHI: "phi", CHARGE: "charge", Z0: "z0"}
"""The fields that conditions between objects are made of."""

MADE_OF = {
    DELTA_Z: (Z0,),
    OPPOSITE: (CHARGE,),
    SAME: (CHARGE,),
    DELTA_ETA: (ETA,),
    DELTA_PHI: (PHI,),
    DELTA_R: (ETA, PHI),
    TRANSVERSE_MASS: (PT, PHI),
    MASS: (PT, ETA, PHI),
}
"""Which of them a kind of condition needs."""


def planned(seed: Conditions) -> list[PartPlan]:
    """The parts of a seed: what it asks for, then its vetoes."""
    parts = [_part(seed.legs, seed.sums, seed.between, "")]
    if seed.jets is not None:
        parts[0].groups.extend(_jets(seed.jets))
    if seed.ht is not None:
        parts[0].sums.append(_ht(seed.ht))
    parts += [_part(veto.legs, veto.sums, veto.between, f"veto.{i}.") for i, veto in enumerate(seed.veto)]
    return parts


def _part(legs: Sequence[Leg], sums: Mapping[str, SumCut], between: Sequence[Between], before: str) -> PartPlan:
    plans = [_leg(leg, f"{before}legs.{i}") for i, leg in enumerate(legs)]
    entries = [_entry(entry, f"{before}between.{i}") for i, entry in enumerate(between)]
    return PartPlan([_sum(name, cut, f"{before}sums.{name}") for name, cut in sums.items()], grouped(plans, entries))


def grouped(legs: Sequence[LegPlan], entries: Sequence[EntryPlan]) -> list[GroupPlan]:
    """Legs apart as far as no collection and no entry joins them."""
    joined = list(range(len(legs)))

    def root(leg: int) -> int:
        while joined[leg] != leg:
            leg = joined[leg]
        return leg

    first: dict[str, int] = {}
    for i, leg in enumerate(legs):
        joined[root(i)] = root(first.setdefault(leg.object, i))
    for entry in entries:
        for i in entry.legs:
            joined[root(i)] = root(entry.legs[0])
    groups = []
    for top in sorted({root(i) for i in range(len(legs))}):
        inside = [i for i in range(len(legs)) if root(i) == top]
        here = [
            replace(entry, legs=tuple(inside.index(i) for i in entry.legs))
            for entry in entries
            if entry.legs[0] in inside
        ]
        groups.append(GroupPlan(tuple(legs[i] for i in inside), tuple(here)))
    return groups


def _jets(jets: JetCondition) -> Iterator[GroupPlan]:
    eta = _below("eta", jets.abs_eta_max, "jets.abs_eta_max")
    least = _at_least("pt", jets.pt_min_gev, "jets.pt_min_gev")
    yield GroupPlan((_scanning(JETS, jets.count, [least, eta], "jets"),))
    for i, tag in enumerate(jets.tags):
        score = _at_least(tag.score, tag.minimum, f"jets.tags.{i}.score")
        yield GroupPlan((_scanning(JETS, tag.count, [least, eta, score], f"jets.tags.{i}"),))


def _ht(ht: HtCondition) -> SumPlan:
    source = JetSum(ht.jet_pt_min_gev, ht.abs_eta_max)
    return SumPlan(source, _number(ht.min_gev, -math.inf), math.inf, ht.min_gev == OPEN, "ht")


def _sum(name: str, cut: SumCut, place: str) -> SumPlan:
    low, high = lower_bound(cut), upper_bound(cut)
    return SumPlan(name, _number(low, -math.inf), _number(high, math.inf), OPEN in (low, high), place)


def _number(value: float | str | None, absent: float) -> float:
    return absent if value is None or isinstance(value, str) else float(value)


@dataclass(frozen=True)
class _Bound(CutPlan):
    """A cut that may be scanned."""

    scanned: bool = False


def _bound(field: str, low: float | str | None, high: float | str | None, place: str, absolute: bool = False) -> _Bound:
    interval = (_number(low, -math.inf), _number(high, math.inf))
    return _Bound(field, absolute, (interval,), place, OPEN in (low, high))


def _at_least(field: str, low: float | str, place: str) -> _Bound:
    return _bound(field, low, None, place)


def _below(field: str, high: float | str, place: str) -> _Bound:
    """|field| < high."""
    closed = high if isinstance(high, str) else float(np.nextafter(high, -math.inf))
    return _bound(field, None, closed, place, absolute=True)


def _scanning(object: str, count: int, cuts: Sequence[CutPlan], place: str, near: tuple[NearPlan, ...] = ()) -> LegPlan:
    """A leg of these cuts, of which those that ask for nothing more than a number that is scanned are dropped."""
    scanned = next((cut for cut in cuts if isinstance(cut, _Bound) and cut.scanned), None)
    kept = [cut for cut in cuts if cut.intervals != (_ALL,)]
    least = next((c for c in kept if c.field in ("pt", "offline_pt") and c.intervals[0][1] == math.inf), None)
    return LegPlan(object, count, tuple(cut for cut in kept if cut is not least), place, least, scanned, near)


def _leg(leg: Leg, place: str) -> LegPlan:
    near = tuple(
        NearPlan(n.object, n.delta_r_max, tuple(_cuts(n, f"{place}.without.{i}")), f"{place}.without.{i}")
        for i, n in enumerate(leg.without)
    )
    return _scanning(leg.object, leg.count, list(_cuts(leg, place)), place, near)


def _cuts(cuts: ObjectCuts, place: str) -> Iterator[CutPlan]:
    yield from _common(cuts, place)
    for score, minimum in cuts.scores.items():
        yield _at_least(score, minimum, f"{place}.scores")
    if cuts.either:
        sets = tuple(tuple(_common(cut, f"{place}.either.{i}")) for i, cut in enumerate(cuts.either))
        yield CutPlan(AnyOf(sets), False, ((1.0, 1.0),), f"{place}.either")


def _common(cuts: Cuts, place: str) -> Iterator[CutPlan]:
    pt = "offline_pt" if cuts.offline else "pt"
    if cuts.pt_min_gev is not None:
        yield _bound(pt, cuts.pt_min_gev, None, f"{place}.pt_min_gev")
    if cuts.pt_max_gev is not None:
        yield _bound(pt, None, cuts.pt_max_gev, f"{place}.pt_max_gev")
    if cuts.abs_eta_max is not None:
        yield _below("eta", cuts.abs_eta_max, f"{place}.abs_eta_max")
    for key, name, absolute in (("pt_gev", pt, False), ("abs_eta", "eta", True), ("eta", "eta", False)):
        windows = getattr(cuts, key)
        if windows is not None:
            yield CutPlan(name, absolute, tuple((float(a), float(b)) for a, b in windows), f"{place}.{key}")
    if cuts.phi is not None:
        turned = ((a + turns * _TURN, b + turns * _TURN) for a, b in cuts.phi for turns in (0, -1, 1))
        yield CutPlan("phi", False, tuple(turned), f"{place}.phi")
    if cuts.quality_min is not None:
        yield _bound("quality", cuts.quality_min, None, f"{place}.quality_min")
    if cuts.quality is not None:
        yield CutPlan("quality", False, tuple((float(q), float(q)) for q in cuts.quality), f"{place}.quality")
    if cuts.isolation_min is not None:
        yield _bound("isolation", cuts.isolation_min, None, f"{place}.isolation_min")
    if cuts.isolation_max is not None:
        yield _bound("isolation", None, cuts.isolation_max, f"{place}.isolation_max")
    if cuts.charge is not None:
        tiny = float(np.nextafter(0.0, 1.0))
        interval = (tiny, math.inf) if cuts.charge > 0 else (-math.inf, -tiny)
        yield CutPlan("charge", False, (interval,), f"{place}.charge")
    for name, cut in cuts.fields.items():
        yield from _field_cuts(name, cut, f"{place}.fields")


def _field_cuts(name: str, cut: FieldBounds, place: str) -> Iterator[CutPlan]:
    if cut.min is not None or cut.max is not None:
        yield _bound(name, cut.min, cut.max, place)
    if cut.in_ is not None:
        yield CutPlan(name, False, tuple((float(v), float(v)) for v in cut.in_), place)


def _entry(entry: Between, place: str) -> EntryPlan:
    found = []
    for kind, name in ((DELTA_R, "delta_r"), (DELTA_ETA, "delta_eta"), (DELTA_PHI, "delta_phi")):
        low, high = getattr(entry, f"{name}_min"), getattr(entry, f"{name}_max")
        found += _condition(kind, low, high, f"{place}.{name}")
    for kind, name in ((MASS, "mass_gev"), (TRANSVERSE_MASS, "transverse_mass_gev")):
        window = getattr(entry, name)
        if window is not None:
            found += _condition(kind, window[0], window[1], f"{place}.{name}")
    found += _condition(DELTA_Z, None, entry.delta_z_max_cm, f"{place}.delta_z_max_cm")
    if entry.opposite_charge:
        found.append(ConditionPlan(OPPOSITE, 1.0, 1.0, False, f"{place}.opposite_charge"))
    if entry.same_charge:
        found.append(ConditionPlan(SAME, 1.0, 1.0, False, f"{place}.same_charge"))
    return EntryPlan(tuple(sorted(entry.legs)), tuple(sorted(found, key=lambda condition: condition.kind)))


def _condition(kind: int, low: float | str | None, high: float | str | None, place: str) -> list[ConditionPlan]:
    if low is None and high is None:
        return []
    return [ConditionPlan(kind, _number(low, -math.inf), _number(high, math.inf), OPEN in (low, high), place)]
