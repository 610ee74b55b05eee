"""Menus on crossings: seeds compiled to a program once, then any number of parts of a sample."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
import numpy.typing as npt

from l1emu.arraytypes import Bools, Floats, Ints
from l1emu.errors import NO_SUCH_SUM, L1emuError
from l1emu.eventdata import EventData
from l1emu.notebook import Shown, html_rows
from l1emu.trigger.engine.columns import FlatObjects, event_data, flat_objects, flat_sum, known_fields
from l1emu.trigger.engine.kernels import evaluate, sum_jets
from l1emu.trigger.engine.layout import LEG_STATE, TRIAL, SearchState
from l1emu.trigger.engine.plans import JETS, AnyOf, JetSum, planned
from l1emu.trigger.engine.program import Need, SeedProgram, needs, program_of
from l1emu.trigger.menu import Seed
from l1emu.trigger.seed_checks import evaluation_order, menu_fault

_CHUNK_VALUES = 120_000
"""AnyNumbers of a chunk: what a core's second cache holds."""


@dataclass(frozen=True, eq=False)
class Evaluated(Shown):
    """What a menu says of crossings.

    Attributes
    ----------
    reach
        The highest threshold at which each scanned seed accepts, times the sign of the seed, as `decisions.reach` gives
        it: float64 (crossings, scanned seeds), in the order of the menu.
    accepted
        Decisions before the prescale, bool (crossings, seeds). Those of scanned seeds are False.
    """

    reach: Floats
    accepted: Bools


class Evaluator:
    """A menu ready to be evaluated.

    Parameters
    ----------
    menu
        Its seeds, fixed ones and scanned ones.

    Attributes
    ----------
    menu
        The same.
    scanned
        Names of the seeds whose reach is given, in the order of the menu.
    fields
        Fields that it needs of each collection of objects, by name.
    sums
        Sums that it needs.

    Raises
    ------
    L1emuError
        if two seeds have one name, or one names another that is not there, is scanned, or builds on it itself.
    """

    def __init__(self, menu: Sequence[Seed]) -> None:
        fault = menu_fault(menu)
        if fault is not None:
            message, _, expected = fault.partition("; expected ")
            raise L1emuError(message, expected=expected)
        self.menu = tuple(menu)
        self.scanned = tuple(seed.name for seed in menu if seed.open_number is not None)
        plans = [planned(seed) for seed in menu]
        self._needs: list[tuple[str, Need]] = [
            (seed.name, need) for seed, parts in zip(menu, plans, strict=True) for need in needs(parts)
        ]
        self.fields: dict[str, tuple[str, ...]] = {}
        for _, need in self._needs:
            if need.object is not None:
                known = self.fields.setdefault(need.object, ())
                if need.field is not None and need.field not in known:
                    self.fields[need.object] = (*known, need.field)
        self.sums = tuple(dict.fromkeys(need.field for _, need in self._needs if need.object is None and need.field))
        self._program, self._layout = program_of([(p, s.sign) for p, s in zip(plans, menu, strict=True)])
        row = iter(range(len(self.scanned)))
        self._row = np.array([-1 if seed.open_number is None else next(row) for seed in menu], np.int64)
        self._strict = [i for i, seed in enumerate(s for s in menu if s.open_number) if _is_strict(seed)]
        order = evaluation_order(menu)
        self._combined = [next(seed for seed in menu if seed.name == name) for name in order]

    def __repr__(self) -> str:
        return f"<Evaluator: {len(self.menu)} seeds, {len(self.scanned)} of them scanned>"

    def _repr_html_(self) -> str:
        return html_rows("seeds", ["name", "decides"], [(seed.name, seed.describe()) for seed in self.menu])

    def check(self, fields: Mapping[str, Collection[str] | None], sums: Collection[str]) -> None:
        """See whether crossings have what the menu needs.

        Parameters
        ----------
        fields
            Fields of each collection of objects; None for one of which any may be asked.
        sums
            Names of the sums.

        Raises
        ------
        L1emuError
            at the first thing that is missing, with seed, key and what there is instead.
        """
        for seed, need in self._needs:
            where = f"seed {seed}, {need.place}"
            if need.object is None:
                if need.field not in sums:
                    raise L1emuError(NO_SUCH_SUM, where=where, value=need.field, expected=_one_of(sums, "sums"))
                continue
            if need.object not in fields:
                raise L1emuError("no such objects", where=where, value=need.object, expected=_one_of(fields, "objects"))
            known = fields[need.object]
            if need.field is None or known is None or need.field in known:
                continue
            if "score" in need.place:
                scores = [name for name in known if name.startswith(("tag_", "score_"))]
                raise L1emuError(
                    f"the {need.object} have no such score",
                    where=where,
                    value=need.field,
                    expected=_one_of(scores or known, f"{need.object} with the scores of a tagger"),
                )
            raise L1emuError(
                f"the {need.object} have no such field",
                where=where,
                value=need.field,
                expected=_one_of(known, "fields"),
            )

    def __call__(self, data: EventData | ak.Array) -> Evaluated:
        """Evaluate the menu on some crossings.

        Parameters
        ----------
        data
            The crossings; an array of records stands for jets and nothing else.

        Raises
        ------
        L1emuError
            as `check` does, and if a field does not hold one number an object, or collections differ in length.
        """
        data = event_data(data)
        self.check({name: known_fields(objects) for name, objects in data.objects.items()}, data.sums)
        flat = [
            flat_objects(name, data.objects[name], data.crossings, self.fields.get(name, ()))
            for name in self._layout.collections
        ]
        sums = np.empty((len(self._layout.sums), data.crossings))
        for slot, source in enumerate(self._layout.sums):
            if isinstance(source, str):
                sums[slot] = flat_sum(source, data.sums[source], data.crossings)
        accepted = np.zeros((len(self.menu), data.crossings), np.bool_)
        found = np.empty((len(self.scanned), data.crossings))
        self._run(flat, sums, accepted, found)
        for row in self._strict:  # |η| of an object is below a threshold that is above it
            found[row] = np.nextafter(found[row], -np.inf)
        self._combine(accepted, found)
        return Evaluated(found.T, accepted.T)

    def _run(self, flat: Sequence[FlatObjects], sums: Floats, accepted: Bools, found: Floats) -> None:
        """Write the decisions and the reach of each seed by itself, (seeds, crossings)."""
        columns, crossings = self._layout.columns, accepted.shape[1]
        numbers = {column: _numbers(column[1], flat[self._layout.collections.index(column[0])]) for column in columns}
        owners = np.array([self._layout.collections.index(column[0]) for column in columns], np.int64)
        ordered = np.full((len(flat), max(1, len(columns))), -1, np.int64)
        for collection in range(len(flat)):
            own = np.flatnonzero(owners == collection)
            ordered[collection, : own.size] = own
        most = max((int(np.diff(objects.start).max(initial=0)) for objects in flat), default=0)
        room = _room(self._program, len(flat), most)
        for first, last in _chunks(flat, owners, crossings):
            begins = [int(objects.start[first]) for objects in flat]
            start = np.empty((len(flat), last - first + 1), np.int64)
            for collection, objects in enumerate(flat):
                np.subtract(objects.start[first : last + 1], begins[collection], out=start[collection])
            lengths = start[owners, -1] if columns else np.zeros(0, np.int64)
            base = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
            values = np.empty(int(base[-1]))
            for number, column in enumerate(columns):
                begin = begins[owners[number]]
                here = values[base[number] : base[number + 1]]
                here[:] = numbers[column][begin : begin + here.size]
                if column[2]:
                    np.abs(here, out=here)
            state = room._replace(
                values=values,
                base=base,
                start=start,
                sums=np.ascontiguousarray(sums[:, first:last]),
                alive=np.empty(last - first, np.int64),
            )
            self._sum_jets(state)
            decided = np.zeros((len(self.menu), last - first), np.bool_)
            reached = np.empty((len(self.scanned), last - first))
            evaluate(state, self._row, ordered, decided, reached)
            accepted[:, first:last] = decided
            found[:, first:last] = reached

    def _sum_jets(self, state: SearchState) -> None:
        for slot, source in enumerate(self._layout.sums):
            if isinstance(source, JetSum):
                pt, eta = self._layout.column(JETS, "pt"), self._layout.column(JETS, "eta", absolute=True)
                jets = self._layout.collections.index(JETS)
                sum_jets(state, jets, pt, eta, source.pt_min, source.abs_eta_max, state.sums[slot])

    def _combine(self, accepted: Bools, found: Floats) -> None:
        """Apply `any`, `all` and `not`, (seeds, crossings)."""
        index = {seed.name: i for i, seed in enumerate(self.menu)}
        for seed in self._combined:
            if not seed.references:
                continue
            holds = np.ones(accepted.shape[1], np.bool_)
            if seed.any is not None:
                holds &= accepted[[index[name] for name in seed.any]].any(axis=0)
            if seed.all is not None:
                holds &= accepted[[index[name] for name in seed.all]].all(axis=0)
            if seed.not_ is not None:
                holds &= ~accepted[[index[name] for name in seed.not_]].any(axis=0)
            row = self._row[index[seed.name]]
            if row < 0:
                accepted[index[seed.name]] &= holds
            else:
                found[row, ~holds] = -np.inf


def _numbers(name: str | AnyOf, objects: FlatObjects) -> npt.NDArray[Any]:
    """Those of a field, or 1 where one of the sets of cuts holds and 0 elsewhere, (objects,)."""
    if isinstance(name, str):
        return objects.fields[name]
    found = np.zeros(int(objects.start[-1]), np.bool_)
    for alternative in name.alternatives:
        holds = np.ones(found.size, np.bool_)
        for cut in alternative:
            values = np.asarray(_numbers(cut.field, objects), np.float64)
            values = np.abs(values) if cut.absolute else values
            holds &= np.any([(low <= values) & (values <= high) for low, high in cut.intervals], axis=0)
        found |= holds
    return found.view(np.uint8)


def _is_strict(seed: Seed) -> bool:
    return seed.open_number is not None and seed.open_number.key == "abs_eta_max"


def _one_of(names: Collection[str], instead: str) -> str:
    shown = ", ".join(sorted(names)[:20])
    return f"one of {shown}" if names else f"crossings with {instead}"


def _chunks(flat: Sequence[FlatObjects], owners: Ints, crossings: int) -> Iterator[tuple[int, int]]:
    """First and last crossing of each chunk."""
    total = sum(int(flat[owner].start[-1]) for owner in owners)
    step = max(64, min(8192, int(_CHUNK_VALUES * crossings / max(total, 1))))
    for first in range(0, crossings, step):
        yield first, min(crossings, first + step)


def _room(program: SeedProgram, collections: int, objects: int) -> SearchState:
    """A program with room for its searches in crossings of at most so many objects of a collection."""
    legs, entries, objects = max(1, program.legs), program.entries + 1, max(1, objects)
    nothing = np.zeros(0)
    return SearchState(
        code=program.code,
        bounds=program.bounds,
        columns=program.columns,
        values=nothing,
        base=np.zeros(0, np.int64),
        start=np.zeros((0, 0), np.int64),
        sums=np.zeros((0, 0)),
        legs=np.zeros((legs, LEG_STATE), np.int64),
        candidate=np.zeros((legs, objects), np.int64),
        value=np.zeros((legs, objects)),
        held=np.zeros((2, max(1, collections), objects), np.int64),
        trial=np.zeros((entries, TRIAL), np.int64),
        reached=np.zeros(entries),
        levels=np.zeros(legs * objects + 1),
        alive=np.zeros(0, np.int64),
    )
