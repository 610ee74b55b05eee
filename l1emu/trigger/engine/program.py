"""Seeds as a program: the plans of a menu laid out for the compiled code, and what they need of the crossings."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from l1emu.arraytypes import Floats, Ints
from l1emu.trigger.engine import layout as at
from l1emu.trigger.engine.layout import ETA, ORDER, PHI
from l1emu.trigger.engine.plans import (
    JETS,
    MADE_OF,
    PHYSICAL,
    AnyOf,
    CutPlan,
    EntryPlan,
    GroupPlan,
    JetSum,
    LegPlan,
    PartPlan,
)


@dataclass(frozen=True)
class Need:
    """A field of a collection, a collection itself, or with no object a sum by name; `place` is where it says so."""

    object: str | None
    field: str | None
    place: str


def needs(parts: Sequence[PartPlan]) -> Iterator[Need]:
    """All that a seed needs, in the order in which it is written."""
    for part in parts:
        for group in part.groups:
            yield from _of_group(group)
        for cut in part.sums:
            if isinstance(cut.source, JetSum):
                yield Need(JETS, "pt", f"{cut.place}.jet_pt_min_gev")
                yield Need(JETS, "eta", f"{cut.place}.abs_eta_max")
            else:
                yield Need(None, cut.source, cut.place)


def _of_group(group: GroupPlan) -> Iterator[Need]:
    for leg in group.legs:
        yield Need(leg.object, None, f"{leg.place}.object")
        for cut in _all_cuts(leg):
            yield from _of_cut(leg.object, cut)
        for near in leg.near:
            yield Need(near.object, None, f"{near.place}.object")
            for cut in near.cuts:
                yield from _of_cut(near.object, cut)
            for kind in (ETA, PHI):
                yield Need(leg.object, PHYSICAL[kind], f"{near.place}.delta_r_max")
                yield Need(near.object, PHYSICAL[kind], f"{near.place}.delta_r_max")
    for entry in group.entries:
        for condition in entry.conditions:
            for kind in MADE_OF[condition.kind]:
                for leg_number in entry.legs:
                    yield Need(group.legs[leg_number].object, PHYSICAL[kind], condition.place)


def _of_cut(object: str, cut: CutPlan) -> Iterator[Need]:
    if isinstance(cut.field, AnyOf):
        for inside in cut.field.cuts:
            yield from _of_cut(object, inside)
    else:
        yield Need(object, cut.field, cut.place)


def _all_cuts(leg: LegPlan) -> list[CutPlan]:
    return [cut for cut in (leg.least, leg.scanned, *leg.cuts) if cut is not None]


Column = tuple[str, str | AnyOf, bool]
"""Object, field or sets of cuts on it, and whether its absolute value is meant."""


@dataclass
class ProgramPlaces:
    """What a program refers to by number, in that order."""

    collections: list[str] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    sums: list[str | JetSum] = field(default_factory=list)
    order: dict[str, str] = field(default_factory=dict)

    def collection(self, name: str) -> int:
        """The number of a collection."""
        if name not in self.collections:
            self.collections.append(name)
        return self.collections.index(name)

    def column(self, object: str, name: str | AnyOf, absolute: bool = False) -> int:
        """The number of a column."""
        self.collection(object)
        column = (object, name, absolute)
        if column not in self.columns:
            self.columns.append(column)
        return self.columns.index(column)

    def slot(self, source: str | JetSum) -> int:
        """The number of a sum."""
        if source not in self.sums:
            self.sums.append(source)
            if isinstance(source, JetSum):
                self.column(JETS, "pt")
                self.column(JETS, "eta", absolute=True)
        return self.sums.index(source)


_SIZES = {
    "seed": at.SEED_SIZE,
    "part": at.PART_SIZE,
    "sum": at.SUM_SIZE,
    "group": at.GROUP_SIZE,
    "leg": at.LEG_SIZE,
    "near": at.NEAR_SIZE,
    "cut": at.CUT_SIZE,
    "entry": at.ENTRY_SIZE,
    "condition": at.CONDITION_SIZE,
}
_POINTERS = {  # places in a record that are numbers of others until the program is whole
    "seed": {at.SEED_PART: "part", at.SEED_PART_END: "part"},
    "part": {
        at.PART_SUM: "sum",
        at.PART_SUM_END: "sum",
        at.PART_GROUP: "group",
        at.PART_GROUP_END: "group",
        at.PART_LEG: "leg",
        at.PART_LEG_END: "leg",
    },
    "group": {at.GROUP_LEG: "leg", at.GROUP_LEG_END: "leg", at.GROUP_ENTRY: "entry", at.GROUP_ENTRY_END: "entry"},
    "leg": {at.LEG_CUT: "cut", at.LEG_CUT_END: "cut", at.LEG_NEAR: "near", at.LEG_NEAR_END: "near"},
    "near": {at.NEAR_CUT: "cut", at.NEAR_CUT_END: "cut"},
    "entry": {at.ENTRY_CONDITION: "condition", at.ENTRY_CONDITION_END: "condition"},
}


class _Writer:
    """Records while they grow, by their kind; each names others by their number among those of the same kind."""

    def __init__(self, layout: ProgramPlaces) -> None:
        self.layout = layout
        self.records: dict[str, list[list[int]]] = {kind: [] for kind in _SIZES}
        self.bounds: list[tuple[float, float]] = []
        self.physical: dict[tuple[int, int], int] = {}

    def count(self, kind: str) -> int:
        return len(self.records[kind])

    def bound(self, low: float, high: float) -> int:
        self.bounds.append((low, high))
        return len(self.bounds) - 1

    def seed(self, parts: Sequence[PartPlan], sign: int) -> None:
        first = self.count("part")
        for part in parts:
            self.part(part)
        self.records["seed"].append([first, self.count("part"), sign])

    def part(self, part: PartPlan) -> None:
        sums, groups, legs = self.count("sum"), self.count("group"), self.count("leg")
        for cut in part.sums:
            bound = self.bound(cut.low, cut.high)
            self.records["sum"].append([self.layout.slot(cut.source), bound, int(cut.scanned)])
        for group in sorted(part.groups, key=lambda group: len(group.entries)):
            self.group(group)
        self.records["part"].append([sums, self.count("sum"), groups, self.count("group"), legs, self.count("leg")])

    def group(self, group: GroupPlan) -> None:
        legs, entries = self.count("leg"), self.count("entry")
        objects = [leg.object for leg in group.legs]
        for leg in group.legs:
            self.leg(leg, objects.count(leg.object) == 1)
        for entry in group.entries:
            self.entry(entry, objects)
        scanned = at.FIXED
        if any(leg.scanned is not None for leg in group.legs):
            scanned = at.OF_LEGS
        elif any(condition.scanned for entry in group.entries for condition in entry.conditions):
            scanned = at.OF_ENTRIES
        pair = len(group.entries) == 1 and len(group.entries[0].legs) == 2 and len(set(objects)) == len(objects)
        ends = (self.count("leg"), entries, self.count("entry"))
        self.records["group"].append([legs, *ends, scanned, int(pair)])

    def entry(self, entry: EntryPlan, objects: Sequence[str]) -> None:
        first = self.count("condition")
        for c in entry.conditions:
            self.records["condition"].append([c.kind, self.bound(c.low, c.high), int(c.scanned)])
            for kind in MADE_OF[c.kind]:
                for leg_number in entry.legs:
                    self.need(objects[leg_number], kind)
        legs = [*entry.legs, *[-1] * (3 - len(entry.legs))]
        self.records["entry"].append([*legs, first, self.count("condition")])

    def leg(self, leg: LegPlan, alone: bool) -> None:
        layout, cuts, least = self.layout, list(leg.cuts), -math.inf
        if leg.least is not None:
            if layout.order.get(leg.object) == leg.least.field:
                least = leg.least.intervals[0][0]
            else:
                cuts.insert(0, leg.least)
        scanned = -1
        if leg.scanned is not None:
            scanned = layout.column(leg.object, leg.scanned.field, leg.scanned.absolute)
        collection, bound = layout.collection(leg.object), self.bound(least, math.inf)
        cut, cut_end = self.cuts(leg.object, cuts)
        near = self.count("near")
        for neighbour in leg.near:
            ends = self.cuts(neighbour.object, neighbour.cuts)
            radius = self.bound(-math.inf, neighbour.radius)
            self.records["near"].append([layout.collection(neighbour.object), radius, *ends])
            for kind in (ETA, PHI):
                self.need(leg.object, kind)
                self.need(neighbour.object, kind)
        ends = (near, self.count("near"))
        self.records["leg"].append([collection, leg.count, bound, cut, cut_end, *ends, scanned, int(alone)])

    def cuts(self, object: str, cuts: Sequence[CutPlan]) -> tuple[int, int]:
        """The numbers of the first of these cuts and of the one behind the last."""
        first = self.count("cut")
        for cut in cuts:
            rows = [self.bound(low, high) for low, high in cut.intervals]
            self.records["cut"].append([self.layout.column(object, cut.field, cut.absolute), rows[0], rows[-1] + 1])
        return first, self.count("cut")

    def need(self, object: str, kind: int) -> None:
        self.physical[self.layout.collection(object), kind] = self.layout.column(object, PHYSICAL[kind])

    def program(self) -> SeedProgram:
        first, kinds = 0, {}
        for kind, size in _SIZES.items():
            kinds[kind] = first
            first += size * self.count(kind)
        code: list[int] = []
        for kind in _SIZES:
            for record in self.records[kind]:
                for pointer, other in _POINTERS.get(kind, {}).items():
                    record[pointer] = kinds[other] + _SIZES[other] * record[pointer]
                code += record
        columns = np.full((len(self.layout.collections), ORDER + 1), -1, np.int64)
        for place, column in self.physical.items():
            columns[place] = column
        for number, object in enumerate(self.layout.collections):
            if object in self.layout.order:
                columns[number, ORDER] = self.layout.column(object, self.layout.order[object])
        groups = self.records["group"]
        legs = [(g[at.GROUP_LEG_END] - g[at.GROUP_LEG]) // at.LEG_SIZE for g in groups]
        most = [(g[at.GROUP_ENTRY_END] - g[at.GROUP_ENTRY]) // at.ENTRY_SIZE for g in groups]
        bounds = np.array(self.bounds, np.float64).reshape(-1, 2)
        return SeedProgram(np.array(code, np.int64), bounds, columns, max(legs, default=0), max(most, default=0))


@dataclass(frozen=True, eq=False)
class SeedProgram:
    """What of `l1emu.trigger.engine.layout.SearchState` is the menu's, and the most legs and entries of one group."""

    code: Ints
    bounds: Floats
    columns: Ints
    legs: int
    entries: int


def program_of(seeds: Sequence[tuple[Sequence[PartPlan], int]]) -> tuple[SeedProgram, ProgramPlaces]:
    """The program of seeds, each its parts and its sign, and what it refers to.

    A collection is ordered by the kind of pt that most legs ask a minimum of: those legs then end at the first object
    that has less.
    """
    asked = Counter(
        (leg.object, leg.least.field)
        for parts, _ in seeds
        for part in parts
        for group in part.groups
        for leg in group.legs
        if leg.least is not None and isinstance(leg.least.field, str)
    )
    layout = ProgramPlaces()
    for (object, name), _ in asked.most_common():
        layout.order.setdefault(object, name)
    writer = _Writer(layout)
    for parts, sign in seeds:
        writer.seed(parts, sign)
    return writer.program(), layout
