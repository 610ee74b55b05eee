"""Rates of a whole menu in kHz: seeds, groups and total, pure, proportional and in overlap, with their errors.

Prescales are taken in expectation over independent counters: a crossing that a set A of seeds accepts is kept with the
probability 1 - prod (1 - 1/p) over A, by seed i alone with 1/p_i prod (1 - 1/p) over the others of A. The share of seed
i is 1/p_i E[1 / (1 + N)] for the number N of the others that keep it, a Poisson binomial number. Shares add up to the
total.

Errors are those of `l1emu.trigger.rates`: intervals of each stratum, and the spread of bootstrap replicas where they
are wider. The integers of `l1emu.trigger.menu_counts` are all that goes in, so that parts of a sample give the same as
the whole. How far crossings of one collision are alike (the design effect: Kish, Survey Sampling (1965), chapter 6) is
therefore taken from the replicas: the variance of a sum of weights over collisions, and so of x - eps n for x accepted
of n, is that of its replicas. A quantity with coefficients between 0 and 1 counts as (sum c)^2 / sum c^2 crossings of
one coefficient (Bohm and Zech, Nuclear Instruments and Methods A 748 (2014) 1), and so do weights.

Where crossings are independent there are no replicas, and covariances are those of a multinomial distribution:
sum c d / n - (sum c / n) (sum d / n) a crossing.

Crossings that stand for several and are from slices of the pools (`l1emu.trigger.crossing_weights`) have replicas of
these, and no other design effect than their spread. Sums are over the number of crossings that were drawn where that is
known, and the variance of a sum over n drawn ones is sum (w c)^2 - (sum w c)^2 / n.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from l1emu.arraytypes import Bools, Floats
from l1emu.errors import L1emuError
from l1emu.trigger.crossing_weights import CROSSING_ONE, spread_distances, widened
from l1emu.trigger.crossings import Crossings, refuse_unknown_strata
from l1emu.trigger.intervals import COVERAGE, LIMIT, intervals_in_sum, one_sided, upper_ends_in_sum
from l1emu.trigger.menu_counts import ONE, MenuCounts, MenuEntry, MenuSeed, Quantities, count_menu
from l1emu.trigger.rates import REPLICAS
from l1emu.trigger.scan_counts import ScanCounts, count_scan

RateKind = Literal["rate", "pure", "proportional"]

TOTAL = "total"
"""What `MenuRates.difference` calls the whole menu."""


class KhzRate(NamedTuple):
    """A rate in kHz, the ends of an interval of 68 %, one standard error, and the upper limit at 95 % confidence."""

    rate_khz: float
    low_khz: float
    high_khz: float
    error_khz: float
    upper95_khz: float

    def as_dict(self, name: str = "rate_khz") -> dict[str, float]:
        """For JSON, the keys beginning with `name`."""
        return dict(zip((f"{name}{end}" for end in ("", "_low", "_high", "_error", "_upper")), self, strict=True))


@dataclass(frozen=True)
class SeedRate:
    """Rates of one seed.

    Attributes
    ----------
    entry, threshold
        The seed; what its open number was set to, None if it has none.
    accepted
        Crossings that it accepts before its prescale.
    accepted_by_stratum
        The same of each stratum.
    rate, unprescaled
        After and before its prescale.
    pure
        Kept by it and by no other seed.
    proportional
        Its share of what it keeps, each crossing divided equally among the seeds that keep it.
    """

    entry: MenuEntry
    threshold: float | None
    accepted: int
    accepted_by_stratum: tuple[int, ...]
    rate: KhzRate
    unprescaled: KhzRate
    pure: KhzRate
    proportional: KhzRate

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.entry.name,
            "group": self.entry.group,
            "prescale": self.entry.prescale,
            "threshold": self.threshold,
            "accepted": self.accepted,
            "accepted_by_stratum": list(self.accepted_by_stratum),
            **self.rate.as_dict(),
            **self.unprescaled.as_dict("rate_khz_unprescaled"),
            **self.pure.as_dict("pure_khz"),
            **self.proportional.as_dict("proportional_khz"),
        }


@dataclass(frozen=True)
class GroupRate:
    """Rates of the seeds of one group: of any of them, of none but them, and the sum of their shares."""

    name: str
    seeds: tuple[str, ...]
    rate: KhzRate
    pure: KhzRate
    proportional_khz: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "seeds": list(self.seeds),
            **self.rate.as_dict(),
            **self.pure.as_dict("pure_khz"),
            "proportional_khz": self.proportional_khz,
        }


class SeedTails(NamedTuple):
    """What the tails of seeds leave to their probability of acceptance in each stratum, float64 (strata, seeds) each.

    Attributes
    ----------
    likely, highest
        Upper limits as of `l1emu.trigger.tails.tail_probability`: as the upper end of an interval of 68 %, and at 95 %
        confidence; 1 where a tail says nothing.
    """

    likely: Floats
    highest: Floats

    def of(self, layout: Quantities) -> tuple[SeedTails, SeedTails]:
        """The same for each quantity of a layout, and for each pair, in units of their largest coefficients.

        What no seed accepts is limited by the sum of their limits, what two accept by the lower one of theirs.
        """
        return (
            SeedTails(*(_limits_of_quantities(limits, layout) for limits in self)),
            SeedTails(*(_limits_of_pairs(limits, layout) for limits in self)),
        )


def _limits_of_quantities(limits: Floats, layout: Quantities) -> Floats:
    kept, group, most = layout.kept, layout.group_of, layout.most
    in_groups = [(limits * kept)[:, group == g].sum(axis=1) for g in range(len(layout.groups))]
    sums = np.array([*in_groups, *in_groups, (limits * kept).sum(axis=1)]).T
    every = np.ones((limits.shape[0], 1))
    return np.minimum(np.hstack([every, limits, limits, limits, sums / most[layout.in_groups.start :]]), 1)


def _limits_of_pairs(limits: Floats, layout: Quantities) -> Floats:
    pairs = np.array(layout.pairs, np.int64).reshape(-1, 2)
    return np.asarray(np.minimum(limits[:, pairs[:, 0]], limits[:, pairs[:, 1]]))


class _Figures(NamedTuple):
    """Figures of q quantities in kHz, float64 (q,) each, and in the replicas, (replicas, q)."""

    rate: Floats
    low: Floats
    high: Floats
    error: Floats
    upper95: Floats
    replicas: Floats

    def at(self, i: int, factor: float = 1.0) -> KhzRate:
        return KhzRate(*(float(curve[i]) * factor for curve in self[:5]))


@dataclass(frozen=True, eq=False)
class _Strata:
    """Sums of weights of each stratum, of their squares, and in the replicas, (strata,) and (strata, replicas).

    Where it is known how many crossings were drawn, `weight` and `drawn` are that, and `known` is True.
    """

    weight: Floats
    squares: Floats
    drawn: Floats
    scale: Floats  # kHz of the whole stratum
    slices: int = 0
    known: bool = False
    alone: Floats | None = None  # crossings of equal weight that know as much; from weight and squares by default

    def variance(self, sums: Floats, squares: Floats, crossed: Floats) -> Floats:
        """Of sums over independent crossings, float64 (strata, q), as in `figures`."""
        mean = sums / self.weight[:, np.newaxis]
        if self.known:
            return np.maximum(squares - mean * sums, 0)
        return np.maximum(squares - 2 * mean * crossed + mean**2 * self.squares[:, np.newaxis], 0)

    def figures(
        self,
        sums: Floats,
        squares: Floats,
        crossed: Floats,
        drawn: Floats,
        most: Floats,
        tails: SeedTails | None = None,
    ) -> _Figures:
        """Figures of quantities of which weighted coefficients are summed.

        Parameters
        ----------
        sums, squares, crossed
            Of w c, (w c)^2 and w^2 c over crossings, float64 (strata, q).
        drawn
            `sums` in the replicas, (strata, q, replicas); without replicas they are taken to be independent.
        most
            What a coefficient of 1 stands for, float64 (q,).
        tails
            Limits where nothing was seen, (strata, q).
        """
        mean = sums / self.weight[:, np.newaxis]
        scale = self.scale[:, np.newaxis] * most
        spread = self.variance(sums, squares, crossed)
        spread[spread < 1e-9 * squares] = 0  # rounding
        binomial = np.sqrt((scale**2 * spread / self.weight[:, np.newaxis] ** 2).sum(axis=0))
        effect, bootstrap = np.ones(mean.shape), np.zeros(most.shape)
        curves = np.zeros((drawn.shape[2], most.size))
        if drawn.shape[2]:
            all_drawn = self.drawn[:, np.newaxis]
            share = np.where(all_drawn > 0, drawn / np.maximum(all_drawn, 1e-9), mean[..., np.newaxis])
            curves = np.einsum("jq,jqb->bq", scale, share)
            bootstrap = curves.std(axis=0, ddof=1)
        if drawn.shape[2] and not self.slices:
            all_drawn = self.drawn[:, np.newaxis]
            between = (drawn - mean[..., np.newaxis] * all_drawn).var(axis=2, ddof=1)
            alike = self.drawn.var(axis=1, ddof=1)[:, np.newaxis] / self.squares[:, np.newaxis]
            known = spread > 0
            effect = np.maximum(np.where(known, between / np.where(known, spread, 1), alike), 1)
        entries = self._entries(sums, squares, effect)
        return _with_intervals(mean, entries, scale, binomial, bootstrap, curves, tails, self.slices)

    def _entries(self, sums: Floats, squares: Floats, effect: Floats) -> tuple[Floats, Floats]:
        """So many independent crossings of so many, (q, strata) each, stand for what is summed."""
        passed = sums**2 / np.where(sums > 0, squares, 1)
        alone = self.weight**2 / self.squares if self.alone is None else self.alone
        total = np.maximum(alone[:, np.newaxis], passed)
        if self.known:
            total = np.maximum(
                np.where(sums > 0, passed * self.weight[:, np.newaxis] / np.where(sums > 0, sums, 1), total), passed
            )
        return (passed / effect).T, (total / effect).T


def _with_intervals(
    mean: Floats,
    entries: tuple[Floats, Floats],
    scale: Floats,
    binomial: Floats,
    bootstrap: Floats,
    curves: Floats,
    tails: SeedTails | None,
    slices: int,
) -> _Figures:
    passed, total = entries
    rate = (scale * mean).sum(axis=0)
    share = passed / total
    # what stands for one entry: the mean where there is any
    size = scale.T * np.where(passed > 0, mean.T / np.where(passed > 0, share, 1), 1)
    low, high = intervals_in_sum(passed, total, size, one_sided(COVERAGE))
    highest = upper_ends_in_sum(passed, total, size, LIMIT)
    if tails is not None:
        high, highest = (
            np.where(passed > 0, end, np.minimum(end, limit.T))
            for end, limit in zip((high, highest), tails, strict=True)
        )
    up, down, most = (
        np.sqrt(((size * distance) ** 2).sum(axis=1)) for distance in (high - share, share - low, highest - share)
    )
    all_of_it = np.maximum(scale.sum(axis=0), rate) if slices else scale.sum(axis=0)
    spread = spread_distances(rate, bootstrap, slices)
    low_khz = np.maximum(rate - np.maximum(down, spread.down), 0)
    high_khz = np.minimum(rate + np.maximum(up, spread.up), all_of_it)
    above = np.minimum(up, high_khz - rate) if slices else high_khz - rate
    error = np.max([above, rate - low_khz, binomial, spread.error], axis=0)
    upper95 = np.minimum(rate + np.maximum(most, spread.limit), all_of_it)
    return _Figures(rate, low_khz, high_khz, error, upper95, curves)


@dataclass(frozen=True, eq=False)
class MenuRates:
    """Rates of a menu; made by `menu_rates` or `rates_of_counts`.

    Attributes
    ----------
    counts
        The integers that they are from.
    thresholds
        What the open numbers of the seeds were set to, None for seeds without.
    strata, probability
        Names of the strata, and their probabilities for a colliding crossing, with the weights of their crossings.
    collision_rate_khz
        The normalisation: colliding crossings in kHz.
    tails
        Of the seeds, for strata in which they accept nothing.
    drawn
        With slices, how many crossings were drawn of each stratum, float64 (strata,); None: as many as their weights
        say.
    """

    counts: MenuCounts
    thresholds: tuple[float | None, ...]
    strata: tuple[str, ...]
    probability: Floats
    collision_rate_khz: float
    tails: SeedTails | None = None
    drawn: Floats | None = None

    @cached_property
    def _strata(self) -> _Strata:
        c, scale = self.counts, self.collision_rate_khz * self.probability
        weight = np.where(c.crossings > 0, c.sums[:, 0] / ONE, 1)
        squares = np.where(c.crossings > 0, c.moments[:, 0, 0] / c.product_one, 1)
        if self.drawn is None:
            return _Strata(weight, squares, c.in_replicas(c.replica_sums[:, 0]), scale, c.slices)
        size = np.maximum(self.drawn, 1)
        in_each = np.repeat(size[:, np.newaxis] * (1 - 1 / c.slices), c.replicas, axis=1)
        alone = np.clip(weight**2 / squares, 1, size)
        return _Strata(size, squares, in_each, scale, c.slices, known=True, alone=alone)

    @cached_property
    def _figures(self) -> _Figures:
        c, one = self.counts, self.counts.product_one
        squares = np.diagonal(c.moments, axis1=1, axis2=2) / one
        tails = None if self.tails is None else self.tails.of(self.layout)[0]
        return self._strata.figures(
            c.sums / ONE, squares, c.moments[:, 0] / one, c.in_replicas(c.replica_sums), self.layout.most, tails
        )

    @cached_property
    def _pairs(self) -> _Figures:
        c, kept = self.counts, self.layout.kept
        most = np.array([kept[a] * kept[b] for a, b in self.layout.pairs])
        squares = c.pair_squares / c.product_one
        tails = None if self.tails is None else self.tails.of(self.layout)[1]
        return self._strata.figures(c.pairs / ONE, squares, squares, c.in_replicas(c.replica_pairs), most, tails)

    @property
    def effective_crossings(self) -> float:
        """How many crossings of equal weight in the rate would know as much, for a seed that accepts all of them.

        (sum w)^2 / sum w^2 over the weights that crossings have in the rate (Kish, Survey Sampling (1965)).
        """
        per_weight = self.probability / self._strata.weight
        return float(1 / (per_weight**2 * self._strata.squares).sum())

    def scaled(self, collision_rate_khz: float) -> MenuRates:
        """The same menu in another filling scheme at the same pile-up: so many crossings collide, in kHz.

        Raises
        ------
        L1emuError
            if that is not above 0.
        """
        return rates_of_counts(
            self.counts, self.strata, self.probability, collision_rate_khz,
            thresholds=self.thresholds, weighted=False, tails=self.tails, drawn=self.drawn,
        )  # fmt: skip

    @property
    def layout(self) -> Quantities:
        """Where the quantities stand in `counts`."""
        return self.counts.layout

    @cached_property
    def seeds(self) -> tuple[SeedRate, ...]:
        """Of each seed, in order of the menu."""
        at, found = self.layout, []
        for i, (entry, threshold) in enumerate(zip(self.counts.entries, self.thresholds, strict=True)):
            by_stratum = self.counts.accepted[:, i]
            unprescaled = self._figures.at(at.seeds.start + i)
            found.append(
                SeedRate(
                    entry=entry,
                    threshold=threshold,
                    accepted=int(by_stratum.sum()),
                    accepted_by_stratum=tuple(by_stratum.tolist()),
                    rate=self._figures.at(at.seeds.start + i, 1 / entry.prescale),
                    unprescaled=unprescaled,
                    pure=self._figures.at(at.pure.start + i),
                    proportional=self._figures.at(at.shares.start + i),
                )
            )
        return tuple(found)

    @cached_property
    def groups(self) -> tuple[GroupRate, ...]:
        """Of each group, in order of their first seeds."""
        at, found = self.layout, []
        for g, name in enumerate(at.groups):
            members = [s for s in self.seeds if s.entry.group == name]
            found.append(
                GroupRate(
                    name=name,
                    seeds=tuple(s.entry.name for s in members),
                    rate=self._figures.at(at.in_groups.start + g),
                    pure=self._figures.at(at.pure_groups.start + g),
                    proportional_khz=sum(s.proportional.rate_khz for s in members),
                )
            )
        return tuple(found)

    @property
    def total(self) -> KhzRate:
        """Of crossings that any seed keeps."""
        return self._figures.at(self.layout.total)

    @property
    def total_replicas_khz(self) -> Floats:
        """The total in each bootstrap replica, float64 (replicas,)."""
        return self._figures.replicas[:, self.layout.total]

    @cached_property
    def overlap(self) -> dict[str, KhzRate]:
        """Of crossings that both seeds keep, by `A & B` in order of the menu."""
        names = [e.name for e in self.counts.entries]
        return {f"{names[a]} & {names[b]}": self._pairs.at(i) for i, (a, b) in enumerate(self.layout.pairs)}

    def difference(
        self, a: str, b: str, *, kind: RateKind = "rate", other: MenuRates | None = None
    ) -> tuple[float, float]:
        """The rate of `a` less that of `b` in kHz, and its standard error: what both share cancels.

        Parameters
        ----------
        a, b
            Names of seeds or groups, or `total`.
        kind
            Which of their rates.
        other
            Where `b` is from: another menu, seen by the same crossings in the same bootstrap. None: this one.

        Raises
        ------
        L1emuError
            if there is no such name, or the other menu was seen by other crossings or without replicas.
        """
        (first, x), second = self._place(a, kind), self if other is None else other
        y_at, y = second._place(b, kind)
        value = x * float(self._figures.rate[first]) - y * float(second._figures.rate[y_at])
        if second is self and (first, x) == (y_at, y):
            return 0.0, 0.0
        if second is not self:
            self._same_bootstrap(second)
        error = 0.0
        if self.counts.replicas:
            curves = x * self._figures.replicas[:, first] - y * second._figures.replicas[:, y_at]
            error = float(curves.std(ddof=1)) * widened(self.counts.slices)
        if second is self:
            error = max(error, self._multinomial(first, x, y_at, y))
            if kind == "rate" and {first, y_at} <= set(range(self.layout.total + 1)[self.layout.seeds]):
                error = max(error, self._alone(first - 1, y_at - 1))
        return value, error

    def _place(self, name: str, kind: RateKind) -> tuple[int, float]:
        """Where a name stands among the quantities, and the prescale's part that the quantity leaves out."""
        at = self.layout
        names = [e.name for e in self.counts.entries]
        if name in names:
            i = names.index(name)
            if kind == "rate":
                return at.seeds.start + i, 1 / self.counts.entries[i].prescale
            return {"pure": at.pure, "proportional": at.shares}[kind].start + i, 1.0
        if name in at.groups and kind != "proportional":
            return {"rate": at.in_groups, "pure": at.pure_groups}[kind].start + at.groups.index(name), 1.0
        if name == TOTAL and kind == "rate":
            return at.total, 1.0
        there = [*names, *(at.groups if kind != "proportional" else ()), *([TOTAL] if kind == "rate" else ())]
        raise L1emuError(f"nothing of this name has a {kind}", value=name, expected=", ".join(there))

    def _same_bootstrap(self, other: MenuRates) -> None:
        mine, theirs = self.counts, other.counts
        if not mine.replicas:
            raise L1emuError(
                "no error of a difference between menus without replicas", value=0, expected="at least 2 replicas"
            )
        same = (mine.replicas, mine.random_seed) == (theirs.replicas, theirs.random_seed)
        if not same or not np.array_equal(mine.replica_sums[:, 0], theirs.replica_sums[:, 0]):
            raise L1emuError(
                "menus seen by different crossings, or in different bootstraps: their difference has no error",
                value=_seen_by(theirs),
                expected=f"the same {_seen_by(mine)}",
            )

    def _multinomial(self, first: int, x: float, second: int, y: float) -> float:
        """The standard error of a difference of two quantities, for independent crossings."""
        c, most, strata = self.counts, self.layout.most, self._strata
        factors = x * most[first], -y * most[second]
        sums, moments = c.sums / ONE, c.moments / c.product_one
        both = sum(f * sums[:, i] for f, i in zip(factors, (first, second), strict=True))
        crossed = sum(f * moments[:, 0, i] for f, i in zip(factors, (first, second), strict=True))
        squares = sum(
            f * g * moments[:, min(i, k), max(i, k)]
            for f, i in zip(factors, (first, second), strict=True)
            for g, k in zip(factors, (first, second), strict=True)
        )
        spread = strata.variance(*(np.asarray(x)[:, np.newaxis] for x in (both, squares, crossed)))[:, 0]
        return float(np.sqrt((strata.scale**2 * spread / strata.weight**2).sum()))

    def _alone(self, a: int, b: int) -> float:
        """The least error of a difference of two seeds: of the crossings, few or none, that pass the one alone."""
        c, kept = self.counts, self.layout.kept
        pair = self.layout.pairs.index((min(a, b), max(a, b)))
        alone = []
        for i in (a, b):
            sums = (c.sums[:, [1 + i]] - c.pairs[:, [pair]]) / ONE
            squares = (c.moments[:, 1 + i, [1 + i]] - c.pair_squares[:, [pair]]) / c.product_one
            paired = c.replica_pairs.shape[2] > 0
            drawn = (
                c.in_replicas(c.replica_sums[:, [1 + i]] - c.replica_pairs[:, [pair]])
                if paired
                else np.empty((*sums.shape, 0))
            )
            tails = None if self.tails is None else SeedTails(*(limits[:, [i]] for limits in self.tails))
            alone.append(self._strata.figures(sums, squares, squares, drawn, kept[[i]], tails))
        up = np.hypot(alone[0].high - alone[0].rate, alone[1].rate - alone[1].low)
        down = np.hypot(alone[0].rate - alone[0].low, alone[1].high - alone[1].rate)
        return float(max(up[0], down[0]))

    def as_dict(self) -> dict[str, Any]:
        """For JSON: `seeds`, `groups`, `overlap`, `overlap_error` and `total`."""
        return {
            "seeds": [s.as_dict() for s in self.seeds],
            "groups": [g.as_dict() for g in self.groups],
            "overlap": {pair: rate.rate_khz for pair, rate in self.overlap.items()},
            "overlap_error": {pair: rate.error_khz for pair, rate in self.overlap.items()},
            "total": self.total.as_dict(),
        }

    def frame(self) -> pd.DataFrame:
        """A row for each seed, by its name, with the columns of `SeedRate.as_dict`."""
        return pd.DataFrame([s.as_dict() for s in self.seeds]).set_index("name")

    def overlap_frame(self) -> pd.DataFrame:
        """Overlaps in kHz, a row and a column for each seed; its own rate in the diagonal."""
        names = [e.name for e in self.counts.entries]
        table = np.diag([s.rate.rate_khz for s in self.seeds])
        for i, (a, b) in enumerate(self.layout.pairs):
            table[a, b] = table[b, a] = self._pairs.rate[i]
        return pd.DataFrame(table, index=names, columns=names)

    def __repr__(self) -> str:
        total = self.total
        return (
            f"<MenuRates: {len(self.seeds)} seeds, {total.rate_khz:.6g} ± {total.error_khz:.2g} kHz "
            f"of {self.collision_rate_khz:.6g} kHz>"
        )

    def _repr_html_(self) -> str:
        shown = [
            "group",
            "prescale",
            "threshold",
            "accepted",
            "rate_khz",
            "rate_khz_error",
            "pure_khz",
            "proportional_khz",
        ]
        return f"<p>{html.escape(repr(self))}</p>{self.frame()[shown].to_html()}"


def _seen_by(counts: MenuCounts) -> str:
    return f"{counts.crossings.sum()} crossings, {counts.replicas} replicas, seed {counts.random_seed}"


def menu_rates(
    accepted: Bools,
    crossings: Crossings,
    seeds: Sequence[MenuSeed],
    collision_rate_khz: float,
    *,
    thresholds: Sequence[float | None] | None = None,
    replicas: int | None = None,
    random_seed: int = 1,
    weights: Floats | None = None,
    margins: Mapping[str, Floats] | None = None,
) -> MenuRates:
    """Rates of a menu.

    Parameters
    ----------
    accepted
        Whether each seed accepts each crossing before its prescale, bool (n, seeds).
    crossings
        Their strata, same order.
    seeds
        Names, groups and prescales: seeds of a menu, or `l1emu.trigger.MenuEntry`.
    collision_rate_khz
        Colliding bunch pairs times revolution frequency, in kHz.
    thresholds
        What the open numbers of the seeds were set to, to be told with them.
    replicas, random_seed
        Of the bootstrap. None: 300 where crossings may share collisions; none where they are independent.
    weights
        Of the crossings, about 1 in the mean over all strata, float64 (n,), as of `l1emu.trigger.pileup_weights`. The
        probability of a stratum is multiplied by the mean weight of its crossings.
    margins
        Of seeds by name, how far each crossing reaches above the threshold, below 0 where it is not accepted, float64
        (n,): in a stratum of bounded hard scale with no accept their tails limit the rate, as in `scan_rates`.

    Raises
    ------
    L1emuError
        if the lengths differ, names repeat, a prescale is below 1, there are no replicas of crossings that share
        collisions, or all weights of a stratum are 0.
    """
    if replicas is None:
        replicas = REPLICAS if crossings.shared else 0
    if not replicas and crossings.shared:
        raise L1emuError(
            "crossings that share collisions have no errors without replicas", value=replicas, expected="at least 2"
        )
    counts = count_menu(
        accepted, crossings.stratum, crossings.drawn_by, len(crossings.names), seeds,
        replicas=replicas, random_seed=random_seed, weights=weights, crossing_weights=crossings.weights,
    )  # fmt: skip
    drawn = crossings.drawn
    if weights is not None and crossings.weights is not None:
        drawn = crossings.stands_for
    return rates_of_counts(
        counts, crossings.names, crossings.probability, collision_rate_khz,
        thresholds=thresholds, drawn=drawn,
        tails=_tails_of_margins(margins or {}, crossings, counts.entries, replicas, random_seed),
    )  # fmt: skip


def tails_of_scan(
    counts: ScanCounts,
    thresholds: Mapping[str, float],
    entries: Sequence[MenuEntry],
    bounded: Bools,
    *,
    drawn: Floats | None = None,
) -> SeedTails:
    """Limits of the probability that a seed accepts a crossing, in strata that it accepts nothing of.

    Parameters
    ----------
    counts
        With the highest reaches of the seeds, of all parts of a sample.
    thresholds
        Of seeds by name: a crossing that reaches it is accepted.
    entries
        The seeds of the menu; one without a threshold has no limit but 1.
    bounded
        Whether the hard scale of each stratum is bounded above, bool (strata,).
    drawn
        As in `l1emu.trigger.rates.rates_of_scan`.

    Raises
    ------
    L1emuError
        if a threshold is of no seed of the menu or of none that was counted, the strata differ in number, or there are
        no replicas of crossings that share collisions.
    """
    names = [e.name for e in entries]
    if len(bounded) != counts.crossings.size:
        raise L1emuError("strata and counts differ in number", value=len(bounded), expected=str(counts.crossings.size))
    limits = SeedTails(*np.ones((2, counts.crossings.size, len(names))))
    size = counts.drawn.sum(axis=1) / CROSSING_ONE if drawn is None else drawn
    for name, threshold in thresholds.items():
        for known in (names, counts.names):
            if name not in known:
                raise L1emuError("a threshold of no seed", value=name, expected=", ".join(known))
        row, there = counts.names.index(name), np.array([threshold])
        for j in np.flatnonzero(bounded & (counts.highest[row, :, 0] < threshold)):
            limits.likely[j, names.index(name)] = counts.unseen(name, j, there, drawn=size[j])[0]
            limits.highest[j, names.index(name)] = counts.unseen(name, j, there, LIMIT, drawn=size[j])[0]
    return limits


def _tails_of_margins(
    margins: Mapping[str, Floats], crossings: Crossings, entries: Sequence[MenuEntry], replicas: int, random_seed: int
) -> SeedTails | None:
    names = [e.name for e in entries]
    for name in margins:
        if name not in names:
            raise L1emuError("a margin of no seed", value=name, expected=", ".join(names))
    if crossings.bounded is None:
        return None
    counts = count_scan(
        margins, {}, crossings.stratum, crossings.drawn_by, len(crossings.names),
        shared=crossings.shared, replicas=replicas if crossings.shared else 0, random_seed=random_seed,
        weights=crossings.weights,
    )  # fmt: skip
    at = dict.fromkeys(margins, 0.0)
    return tails_of_scan(counts, at, entries, crossings.bounded, drawn=crossings.drawn)


def rates_of_counts(
    counts: MenuCounts,
    strata: Sequence[str],
    probability: Floats,
    collision_rate_khz: float,
    *,
    thresholds: Sequence[float | None] | None = None,
    weighted: bool = True,
    tails: SeedTails | None = None,
    drawn: Floats | None = None,
) -> MenuRates:
    """Rates of a menu from the counts of all parts of a sample.

    Parameters
    ----------
    counts
        The sum of those of the parts.
    strata, probability
        Names of the strata and their probabilities for a colliding crossing, as in `l1emu.trigger.Crossings`.
    collision_rate_khz, thresholds
        As in `menu_rates`.
    weighted
        Whether the mean weight of a stratum's crossings changes its probability, as where they are weighted for
        another pile-up, at which other strata are more frequent. With slices it never does: where crossings have other
        weights than their own, `drawn` says how many they stand for.
    tails
        Of the seeds, as of `tails_of_scan`.
    drawn
        With slices, how many crossings were drawn of each stratum, float64 (strata,), as many in each slice; None: as
        many as their weights say, of which only the fraction is known.

    Raises
    ------
    L1emuError
        if a stratum that has a probability has no crossing of any weight and none of it is known to be drawn, or a
        length differs.
    """
    if not len(strata) == len(probability) == counts.crossings.size:
        raise L1emuError("strata and counts differ in number", value=len(strata), expected=str(counts.crossings.size))
    refuse_unknown_strata(strata, counts.sums[:, 0], probability, drawn)
    chosen = (None,) * len(counts.entries) if thresholds is None else tuple(thresholds)
    if len(chosen) != len(counts.entries):
        raise L1emuError("thresholds and seeds differ in number", value=len(chosen), expected=str(len(counts.entries)))
    if not collision_rate_khz > 0:
        raise L1emuError("no rate of colliding crossings", value=collision_rate_khz, expected="kHz, above 0")
    share = np.asarray(probability, np.float64)
    if drawn is not None and not (counts.slices and drawn.shape == share.shape):
        raise L1emuError(
            "numbers of drawn crossings for other strata, or without slices",
            value=drawn.shape, expected=f"{share.shape} of {counts.slices or 'some'} slices",
        )  # fmt: skip
    if weighted and not counts.slices:
        weighed = share * (counts.sums[:, 0] / (np.maximum(counts.crossings, 1) * float(ONE)))
        share = weighed * (share.sum() / weighed.sum())
    return MenuRates(counts, chosen, tuple(strata), share, float(collision_rate_khz), tails, drawn)
