"""Seeds as tables: the plans of a menu laid out for the compiled code, and what they need of the crossings."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from l1emu.trigger.engine.layout import ETA, PHI, Tables
from l1emu.trigger.engine.plans import (
    JETS,
    MADE_OF,
    PHYSICAL,
    CutPlan,
    GroupPlan,
    JetSum,
    LegPlan,
    PartPlan,
)


@dataclass(frozen=True)
class Need:
    """A field of a collection, or the collection itself, or with no object a sum by name; `place` is where it says so."""

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
            yield Need(leg.object, cut.field, cut.place)
        for near in leg.near:
            yield Need(near.object, None, f"{near.place}.object")
            for cut in near.cuts:
                yield Need(near.object, cut.field, cut.place)
            for kind in (ETA, PHI):
                yield Need(leg.object, PHYSICAL[kind], f"{near.place}.delta_r_max")
                yield Need(near.object, PHYSICAL[kind], f"{near.place}.delta_r_max")
    for entry in group.entries:
        for condition in entry.conditions:
            for kind in MADE_OF[condition.kind]:
                for leg_number in entry.legs:
                    yield Need(group.legs[leg_number].object, PHYSICAL[kind], condition.place)


def _all_cuts(leg: LegPlan) -> list[CutPlan]:
    return [cut for cut in (leg.least, leg.scanned, *leg.cuts) if cut is not None]


Column = tuple[str, str, bool]
"""Object, field, and whether its absolute value is meant."""


@dataclass
class Layout:
    """What the tables refer to by number, in that order."""

    collections: list[str] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    sums: list[str | JetSum] = field(default_factory=list)
    order: dict[str, str] = field(default_factory=dict)

    def collection(self, name: str) -> int:
        """The number of a collection."""
        if name not in self.collections:
            self.collections.append(name)
        return self.collections.index(name)

    def column(self, object: str, name: str, absolute: bool = False) -> int:
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


class _Writer:
    """Tables while they grow: a list for each, and for each `x_y` where the next x begins."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.lists: dict[str, list[float]] = {name: [] for name in Tables._fields}
        self.physical: dict[tuple[int, int], int] = {}
        self.entries: list[list[int]] = []

    def put(self, **values: float) -> None:
        for name, value in values.items():
            self.lists[name].append(value)

    def seed(self, parts: Sequence[PartPlan], sign: int) -> None:
        self.put(seed_part=len(self.lists["part_sum"]), seed_sign=sign)
        for part in parts:
            self.put(part_sum=len(self.lists["sum_slot"]), part_group=len(self.lists["group_leg"]))
            for cut in part.sums:
                slot = self.layout.slot(cut.source)
                self.put(sum_slot=slot, sum_low=cut.low, sum_high=cut.high, sum_open=cut.scanned)
            for group in sorted(part.groups, key=lambda group: len(group.entries)):
                self.group(group)

    def group(self, group: GroupPlan) -> None:
        self.put(group_leg=len(self.lists["leg_count"]), group_entry=len(self.entries))
        of_entries = any(condition.scanned for entry in group.entries for condition in entry.conditions)
        of_legs = any(leg.scanned is not None for leg in group.legs)
        self.put(group_open=1 if of_legs else 2 if of_entries else 0)
        objects = [leg.object for leg in group.legs]
        for leg in group.legs:
            self.leg(leg, objects.count(leg.object) == 1)
        for entry in group.entries:
            self.entries.append([*entry.legs, *[-1] * (3 - len(entry.legs))])
            self.put(entry_condition=len(self.lists["condition_kind"]))
            for c in entry.conditions:
                self.put(condition_kind=c.kind, condition_low=c.low, condition_high=c.high, condition_open=c.scanned)
                for kind in MADE_OF[c.kind]:
                    for leg_number in entry.legs:
                        self.need(objects[leg_number], kind)

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
        self.put(leg_collection=layout.collection(leg.object), leg_count=leg.count, leg_least=least)
        self.put(leg_open=scanned, leg_alone=alone)
        self.put(leg_near=len(self.lists["near_radius"]), leg_cut=len(self.lists["cut_column"]))
        self.cuts(leg.object, cuts)
        self.put(leg_cut_end=len(self.lists["cut_column"]))
        for near in leg.near:
            self.put(near_collection=layout.collection(near.object), near_radius=near.radius)
            self.put(near_cut=len(self.lists["cut_column"]))
            self.cuts(near.object, near.cuts)
            self.put(near_cut_end=len(self.lists["cut_column"]))
            for kind in (ETA, PHI):
                self.need(leg.object, kind)
                self.need(near.object, kind)

    def cuts(self, object: str, cuts: Sequence[CutPlan]) -> None:
        for cut in cuts:
            self.put(cut_column=self.layout.column(object, cut.field, cut.absolute))
            self.put(cut_interval=len(self.lists["interval_low"]))
            for low, high in cut.intervals:
                self.put(interval_low=low, interval_high=high)

    def need(self, object: str, kind: int) -> None:
        self.physical[self.layout.collection(object), kind] = self.layout.column(object, PHYSICAL[kind])

    def tables(self) -> Tables:
        """The tables, with the ends of the last ones."""
        lists = self.lists
        for inner, outers in _ENDS.items():
            length = len(self.entries) if inner == "entry_legs" else len(lists[inner])
            for outer in outers:
                lists[outer].append(length)
        count = len(self.layout.collections)
        physical = np.full((count, len(PHYSICAL)), -1, np.int64)
        for place, column in self.physical.items():
            physical[place] = column
        order = [
            self.layout.column(name, self.layout.order[name]) if name in self.layout.order else -1
            for name in self.layout.collections
        ]
        arrays = {
            name: np.array(values, np.float64 if name in _FLOATS else np.int64) for name, values in lists.items()
        }
        arrays["entry_legs"] = np.array(self.entries, np.int64).reshape(-1, 3)
        return Tables(**arrays | {"physical": physical, "order": np.array(order, np.int64)})


_ENDS = {
    "part_sum": ("seed_part",),
    "sum_slot": ("part_sum",),
    "group_open": ("part_group",),
    "leg_count": ("group_leg",),
    "entry_legs": ("group_entry",),
    "near_radius": ("leg_near",),
    "interval_low": ("cut_interval",),
    "condition_kind": ("entry_condition",),
}
_FLOATS = {
    "seed_sign",
    "sum_low",
    "sum_high",
    "leg_least",
    "near_radius",
    "interval_low",
    "interval_high",
    "condition_low",
    "condition_high",
}


def tables_of(seeds: Sequence[tuple[Sequence[PartPlan], int]]) -> tuple[Tables, Layout]:
    """The tables of seeds, each its parts and its sign, and what they refer to.

    A collection is ordered by the kind of pt that most legs ask a minimum of: those legs then end at the first object
    that has less.
    """
    asked = Counter(
        (leg.object, leg.least.field)
        for parts, _ in seeds
        for part in parts
        for group in part.groups
        for leg in group.legs
        if leg.least is not None
    )
    layout = Layout()
    for (object, name), _ in asked.most_common():
        layout.order.setdefault(object, name)
    writer = _Writer(layout)
    for parts, sign in seeds:
        writer.seed(parts, sign)
    return writer.tables(), layout
