"""Turn-on curves: which share of generated objects, or of crossings, passes, in bins of a generated quantity.

Counts are whole numbers that add up over batches and files; intervals are made of them at the end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import awkward as ak
import numpy as np
import numpy.typing as npt

from l1emu.arraytypes import Bools, Floats, Ints
from l1emu.errors import L1emuError
from l1emu.eventdata import EventData
from l1emu.notebook import Shown
from l1emu.trigger.crossing_weights import CROSSING_ONE, CrossingWeights
from l1emu.trigger.efficiencies import WeightSums
from l1emu.trigger.intervals import COVERAGE, clopper_pearson
from l1emu.trigger.turn_on_setup import CandidateCuts, Passes, TurnOnSetup, ValueCut

if TYPE_CHECKING:
    import hist
    import pandas as pd


class PassedOfAll(NamedTuple):
    """Sums of whole numbers, in the shapes of `TurnOnCounts`, in units of `1 / CROSSING_ONE`."""

    passed: Ints
    total: Ints

    def plus(self, other: PassedOfAll | None) -> PassedOfAll:
        """Of both parts together; None is a part without crossings."""
        return self if other is None else PassedOfAll(self.passed + other.passed, self.total + other.total)


@dataclass(frozen=True, eq=False)
class TurnOnCounts(Shown):
    """Whole numbers of some crossings; those of two parts of a sample are added with `+`.

    Attributes
    ----------
    setup
        What was counted.
    passed
        int64 (thresholds, splits, bins + 2): the first and the last bin are what lies below and above the axis.
    total
        int64 (splits, bins + 2).
    unplaced
        Generated objects or crossings in the denominator whose quantity is NaN.
    weights
        Where crossings have weights of their own, the same of sums of weights; None where they have none.
    squares
        The same of squares of weights.
    """

    setup: TurnOnSetup
    passed: Ints
    total: Ints
    unplaced: int = 0
    weights: PassedOfAll | None = None
    squares: PassedOfAll | None = None

    @classmethod
    def none(cls, setup: TurnOnSetup) -> TurnOnCounts:
        """Of no crossings."""
        edges = setup.split_edges
        shape = (1 if edges is None else edges.size - 1, setup.edges.size + 1)
        return cls(setup, np.zeros((max(len(setup.passes.thresholds), 1), *shape), np.int64), np.zeros(shape, np.int64))

    def __add__(self, other: TurnOnCounts) -> TurnOnCounts:
        if self.setup != other.setup:
            raise L1emuError(
                "counts of different turn-ons cannot be added", value=other.setup.name, expected=self.setup.name
            )
        weights, squares = (
            theirs if mine is None else mine.plus(theirs)
            for mine, theirs in ((self.weights, other.weights), (self.squares, other.squares))
        )
        return TurnOnCounts(
            self.setup, self.passed + other.passed, self.total + other.total, self.unplaced + other.unplaced,
            weights, squares,
        )  # fmt: skip

    def curves(self) -> list[TurnOn]:
        """A curve for each threshold and each bin of the split, splits of one threshold together."""
        setup, edges = self.setup, self.setup.split_edges
        ranges = [None] if edges is None else list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
        label = next(iter(setup.split), None)
        return [
            TurnOn(
                setup.name, setup.signal, setup.against.sum or f"{setup.against.object} {setup.against.field}",
                threshold, label, within, setup.edges, self.passed[t, s, 1:-1], self.total[s, 1:-1],
                outside=int(self.total[s, 0] + self.total[s, -1]), sums=self._sums(t, s),
            )
            for t, threshold in enumerate(setup.passes.thresholds or [None])
            for s, within in enumerate(ranges)
        ]  # fmt: skip

    def _sums(self, threshold: int, split: int) -> WeightSums | None:
        """Of a curve; nothing is passed of 1 in an empty bin."""
        if self.weights is None or self.squares is None:
            return None
        found = []
        for sums in (self.weights, self.squares):
            found += [sums.passed[threshold, split, 1:-1], np.maximum(sums.total[split, 1:-1], 1)]
        return WeightSums(*(found[i] / CROSSING_ONE for i in (0, 2, 1, 3)))


@dataclass(frozen=True, eq=False)
class TurnOn(Shown):
    """One curve.

    Attributes
    ----------
    name, signal
        Of its request.
    quantity
        What is on the axis: collection and field, or the name of a sum.
    threshold
        In GeV; None of a seed.
    split, within
        The field that the curves are split by, and the range of this one; None without.
    edges
        float64 (bins + 1,).
    passed, total
        int64 (bins,).
    outside
        Of the denominator, those below the first and above the last edge.
    sums
        Where crossings have weights of their own, sums of these, float64 (bins,); None where they have none.
    stated
        Efficiency and ends of its interval where a result holds them, float64 (bins,) each; None: those of the numbers.
    """

    name: str
    signal: str
    quantity: str
    threshold: float | None
    split: str | None
    within: tuple[float, float] | None
    edges: Floats
    passed: Ints
    total: Ints
    outside: int = 0
    sums: WeightSums | None = None
    stated: tuple[Floats, Floats, Floats] | None = None

    def __post_init__(self) -> None:
        if self.passed.shape != self.total.shape or self.edges.shape != (self.passed.size + 1,):
            raise L1emuError(
                "edges and counts of a turn-on do not fit", where=self.name,
                value=(self.edges.shape, self.passed.shape, self.total.shape), expected="an edge more than bins",
            )  # fmt: skip
        if np.any(self.passed < 0) or np.any(self.passed > self.total):
            raise L1emuError("more passed than there are", where=self.name, value=int(self.passed.max()))

    @property
    def label(self) -> str:
        """The curve in words, without its request's name."""
        parts = [] if self.threshold is None else [f"≥ {self.threshold:g} GeV"]
        if self.within is not None:
            split = "|η|" if self.split == "eta" and self.within[0] >= 0 else self.split
            parts.append(f"{self.within[0]:g} ≤ {split} < {self.within[1]:g}")
        return ", ".join(parts) or self.name

    @property
    def centres(self) -> Floats:
        """Middles of the bins, float64 (bins,)."""
        return (self.edges[1:] + self.edges[:-1]) / 2

    @property
    def efficiency(self) -> Floats:
        """Passed of all, float64 (bins,); NaN in an empty bin."""
        if self.stated is not None:
            return self.stated[0]
        share = self.passed / np.maximum(self.total, 1) if self.sums is None else self.sums.fraction
        return np.where(self.total > 0, share, np.nan)

    @property
    def effective(self) -> tuple[Floats, Floats]:
        """Passed ones of all, of so many of one weight as would know as much, float64 (bins,) each."""
        if self.sums is None:
            return self.passed.astype(np.float64), self.total.astype(np.float64)
        passed, total = self.sums.effective
        return np.where(self.total > 0, passed, 0.0), np.where(self.total > 0, total, 0.0)

    @cached_property
    def _interval(self) -> tuple[Floats, Floats]:
        if self.stated is not None:
            return self.stated[1:]
        filled = self.total > 0
        low, high = np.full(self.total.size, np.nan), np.full(self.total.size, np.nan)
        if filled.any():
            passed, total = self.effective
            low[filled], high[filled] = clopper_pearson(passed[filled], total[filled], COVERAGE)
        return low, high

    @property
    def low(self) -> Floats:
        """Lower ends of the intervals of Clopper and Pearson, float64 (bins,); NaN in an empty bin."""
        return self._interval[0]

    @property
    def high(self) -> Floats:
        """Upper ends, as `low`."""
        return self._interval[1]

    def histogram(self) -> hist.Hist[Any]:
        """Whole numbers with two axes: `x`, and `outcome`, which is `passed` or `failed`."""
        import hist

        found: hist.Hist[Any] = hist.Hist(
            hist.axis.Variable(self.edges, name="x", label=self.quantity, flow=False),
            hist.axis.StrCategory(["passed", "failed"], name="outcome"),
            storage=hist.storage.Int64(),
        )
        found.view()[...] = np.stack([self.passed, self.total - self.passed], axis=1)
        return found

    def frame(self) -> pd.DataFrame:
        """A row a bin: `low_edge`, `high_edge`, `passed`, `total`, `efficiency`, `low`, `high`."""
        import pandas as pd

        return pd.DataFrame(
            {
                "low_edge": self.edges[:-1], "high_edge": self.edges[1:], "passed": self.passed, "total": self.total,
                "efficiency": self.efficiency, "low": self.low, "high": self.high,
            }
        )  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """For JSON: null where a bin is empty."""
        return {
            "name": self.name,
            "signal": self.signal,
            "quantity": self.quantity,
            "threshold": self.threshold,
            "split": self.split,
            "within": None if self.within is None else list(self.within),
            "edges": self.edges.tolist(),
            "passed": self.passed.tolist(),
            "total": self.total.tolist(),
            "outside": self.outside,
            "efficiency": _nullable(self.efficiency),
            "low": _nullable(self.low),
            "high": _nullable(self.high),
        }


def count_turn_on(
    setup: TurnOnSetup,
    data: EventData,
    accepted: Mapping[str, npt.ArrayLike] | None = None,
    weights: CrossingWeights | None = None,
) -> TurnOnCounts:
    """Count one request in some crossings.

    A generated object is matched as in Phase2-L1MenuTools on its own: an online object may serve several generated
    ones. Cuts on `fields` and |eta| say which objects can match; threshold and scores are asked of the one that does,
    so that another object nearby never stands in for it.

    Parameters
    ----------
    setup
        The request.
    data
        Crossings of its signal, with generated and online collections and sums.
    accepted
        Decisions of seeds by name, bool (crossings,).
    weights
        Weights that the crossings have of their own; None where they have none.

    Raises
    ------
    L1emuError
        as `TurnOnSetup.check` does.
    """
    accepted = accepted or {}
    setup.check({name: set(ak.fields(held)) for name, held in data.objects.items()}, data.sums, accepted)
    against = setup.against
    if against.object is None:
        x = _sum(data, str(against.sum))
        inside = np.ones(data.crossings, np.bool_)
        reach = _reach_of_crossings(setup, data, accepted)
        crossing = np.arange(data.crossings)
        entries = _Entries(setup, data, inside, crossing, None)
    else:
        generated = _field(data, against.object, "pt")
        chosen = _chosen(against, data, against.object, generated)
        if against.pt_min_gev is not None:
            chosen = chosen & (generated >= against.pt_min_gev)
        if against.nth is not None:
            chosen = chosen & (_rank(ak.where(chosen, generated, -np.inf)) == against.nth - 1)
        x = _flat(_field(data, against.object, against.field))
        crossing = np.repeat(np.arange(data.crossings), ak.to_numpy(ak.num(generated)))
        inside = _flat(chosen).astype(np.bool_)
        entries = _Entries(setup, data, inside, crossing, against.object)
        if setup.passes.object is not None:
            reach, matched = _reach_of_matches(setup.passes, data, against.object)
            if setup.passes.of_matched:
                entries.inside = entries.inside & matched
        else:
            reach = _reach_of_crossings(setup, data, accepted)[crossing]
    return _counted(setup, x, reach, entries, None if weights is None else (crossing, weights))


class _Entries:
    """The denominator: which entries count, and in which bin of the split; an entry a generated object or crossing."""

    def __init__(self, setup: TurnOnSetup, data: EventData, inside: Bools, crossing: Ints, name: str | None) -> None:
        self.inside = inside
        self.split = np.zeros(crossing.size, np.int64)
        edges = setup.split_edges
        if edges is None:
            return
        field = next(iter(setup.split))
        if name is not None and field in ak.fields(data.objects[name]):
            values = _flat(_field(data, name, field))
        else:
            values = _sum(data, field)[crossing]
        if field == "eta" and edges[0] >= 0:
            values = np.abs(values)
        known = np.nan_to_num(values, nan=-np.inf)
        self.split = np.searchsorted(edges, known, side="right") - 1
        self.inside = inside & (self.split >= 0) & (self.split < edges.size - 1)


def _counted(
    setup: TurnOnSetup, x: Floats, reach: Floats, entries: _Entries, weighed: tuple[Ints, CrossingWeights] | None
) -> TurnOnCounts:
    empty = TurnOnCounts.none(setup)
    placed = entries.inside & ~np.isnan(x)
    splits, bins = empty.total.shape
    cell = entries.split[placed] * bins + np.searchsorted(setup.edges, x[placed], side="right")
    reached = reach[placed]

    def binned(amounts: Ints | None) -> PassedOfAll:
        """Entries, or sums of these amounts of them."""

        def of(mask: Bools | slice) -> Ints:
            if amounts is None:
                counts = np.bincount(cell[mask], minlength=splits * bins).astype(np.int64)
            else:
                counts = np.zeros(splits * bins, np.int64)
                np.add.at(counts, cell[mask], amounts[mask])
            return counts.reshape(splits, bins)

        thresholds = setup.passes.thresholds or [0.0]
        return PassedOfAll(np.stack([of(reached >= threshold) for threshold in thresholds]), of(slice(None)))

    counts, unplaced = binned(None), int(np.count_nonzero(entries.inside & np.isnan(x)))
    if weighed is None:
        return TurnOnCounts(setup, *counts, unplaced)
    crossing, weights = weighed
    sums = (binned(of[crossing[placed]]) for of in (weights.weight, weights.squares))
    return TurnOnCounts(setup, *counts, unplaced, *sums)


def _reach_of_crossings(setup: TurnOnSetup, data: EventData, accepted: Mapping[str, npt.ArrayLike]) -> Floats:
    """What thresholds each crossing passes: a sum, or 0 and minus infinity of a seed; float64 (crossings,)."""
    if setup.passes.sum is not None:
        return np.nan_to_num(_sum(data, setup.passes.sum), nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    decided = np.asarray(accepted[str(setup.passes.seed)], np.bool_)
    if decided.shape != (data.crossings,):
        raise L1emuError(
            "decisions and crossings differ in number", where=f"turn-on {setup.name}: seed {setup.passes.seed}",
            value=decided.shape, expected=f"{data.crossings} decisions",
        )  # fmt: skip
    return np.where(decided, 0.0, -np.inf)


def _reach_of_matches(passes: Passes, data: EventData, generated: str) -> tuple[Floats, Bools]:
    """The pt of the object that matches each generated one, minus infinity where none does or a score is too low."""
    name = str(passes.object)
    pt = _field(data, name, "pt")
    chosen = _chosen(passes, data, name, pt)
    scored = pt == pt
    for key, minimum in passes.scores.items():
        scored = scored & (_field(data, name, key) >= minimum)
    online = ak.zip({"pt": pt, "eta": _angle(data, name, "eta"), "phi": _angle(data, name, "phi"), "scored": scored})
    online = online[chosen]
    truth = ak.zip({key: _angle(data, generated, key) for key in ("eta", "phi")})
    pairs = ak.cartesian({"truth": truth, "online": online}, axis=1, nested=True)
    d_phi = (pairs.truth.phi - pairs.online.phi + np.pi) % (2 * np.pi) - np.pi
    distance = (pairs.truth.eta - pairs.online.eta) ** 2 + d_phi**2
    near = distance <= passes.delta_r_max**2  # NaN is not near
    if passes.match == "nearest":
        best = ak.argmin(ak.where(near, distance, np.inf), axis=2, keepdims=True)
    else:
        best = ak.argmax(ak.where(near & (pairs.online.pt == pairs.online.pt), pairs.online.pt, -1.0), 2, keepdims=True)
    matched = _flat(ak.fill_none(ak.firsts(near[best], axis=2), False)).astype(np.bool_)
    reach = ak.where(pairs.online.scored & (pairs.online.pt == pairs.online.pt), pairs.online.pt, -np.inf)
    found = _flat(ak.fill_none(ak.firsts(reach[best], axis=2), -np.inf))
    return np.where(matched, found, -np.inf), matched


def _chosen(cuts: CandidateCuts, data: EventData, name: str, values: ak.Array) -> ak.Array:
    """Whether each object passes the cuts; `values` has the shape of the collection, and NaN there passes nothing."""
    chosen = values == values
    if cuts.abs_eta_max is not None:
        chosen = chosen & (abs(_field(data, name, "eta")) < cuts.abs_eta_max)
    for key, cut in cuts.fields.items():
        chosen = chosen & _allowed(cut, _field(data, name, key))
    return chosen


def _allowed(cut: ValueCut, values: ak.Array) -> ak.Array:
    found = values == values
    if cut.min is not None:
        found = found & (values >= cut.min)
    if cut.max is not None:
        found = found & (values <= cut.max)
    if cut.among is not None:
        one = values == cut.among[0]
        for number in cut.among[1:]:
            one = one | (values == number)
        found = found & one
    return found


def _rank(values: ak.Array) -> ak.Array:
    """How many of a crossing's values are higher, or as high and earlier."""
    order = ak.argsort(values, axis=1, ascending=False, stable=True)
    return ak.argsort(order, axis=1, ascending=True, stable=True)


def _field(data: EventData, name: str, field: str) -> ak.Array:
    """A field of a collection, float64 (crossings, var), NaN where it is missing."""
    values = data.objects[name][field]
    if values.ndim != 2:
        raise L1emuError("not one number an object", where=f"{name}.{field}", value=str(values.type))
    values = ak.fill_none(ak.fill_none(values, [], axis=0), np.nan, axis=1)
    if "unknown" in str(values.type):  # no object in any crossing
        return ak.unflatten(np.zeros(0), np.zeros(len(values), np.int64))
    return ak.values_astype(ak.from_regular(values, axis=1), np.float64)


def _angle(data: EventData, name: str, field: str) -> ak.Array:
    """A field of a collection, NaN where it is not finite: what lies nowhere is near nothing."""
    values = _field(data, name, field)
    return ak.where(np.isfinite(values), values, np.nan)


def _flat(values: ak.Array) -> Floats:
    return np.asarray(ak.to_numpy(ak.flatten(values, axis=1)), np.float64)


def _sum(data: EventData, name: str) -> Floats:
    values = np.asarray(data.sums[name], np.float64)
    if values.shape != (data.crossings,):
        raise L1emuError("not one number a crossing", where=f"sum {name}", value=values.shape)
    return values


def _nullable(values: Floats) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values.tolist()]
