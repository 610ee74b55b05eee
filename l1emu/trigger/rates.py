"""Trigger rates in kHz of stratified crossings, at every threshold in one pass, with their statistical errors.

The rate is f sum_j P_j eps_j: f colliding crossings a second, P_j the probability of stratum j, eps_j = k_j / N_j
the accepted fraction of its crossings. Its variance from the number of crossings is
f^2 sum_j P_j^2 eps_j (1 - eps_j) / N_j.

That variance is 0 where no crossing of a stratum is accepted, and too small where few are. Each stratum has therefore
an interval of its number, of as many independent crossings as its shared collisions leave
(`l1emu.trigger.design_effect`: to the 8 to 10 % that the variance of 300 replicas scatters by), and the distances of
its ends from eps_j are added in quadrature (the method of variance estimates recovery: Zou and Donner, Statistics in
Medicine 27 (2008) 1693). It is that of Clopper and Pearson where one stratum makes the rate, which is exact then, and
comes down to the mid-P interval where others spread the steps of its number (`l1emu.trigger.intervals`). An interval of
the weighted sum as a whole, from its variance (Fay and Feuer, Statistics in Medicine 16 (1997) 791, also with mid-P),
knows nothing of a heavy stratum that happens to have no accept: it holds the truth in half of such toys.

A stratum without an accepted crossing has the upper end of Clopper and Pearson or, where its hard scale is bounded
above, that of its own tail or of a looser seed (`l1emu.trigger.tails`) if it is lower. The bootstrap draws crossings
that share a collision together; where its spread is the larger one it takes the place of that distance.

The rate itself stays f sum P eps: where it is 0, it is known by its upper limit alone.

Where crossings have weights and slices of their own (`l1emu.trigger.crossing_weights`), eps_j is the sum of the weights
of what is accepted over the number of crossings that were drawn. What is accepted counts as (sum w)^2 / sum w^2
crossings in its interval (Bohm and Zech, Nuclear Instruments and Methods A 748 (2014) 1), and what crossings share is
in the spread of the slices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from l1emu.arraytypes import Bools, Floats, Ints
from l1emu.errors import L1emuError
from l1emu.notebook import Shown
from l1emu.trigger.crossing_weights import CROSSING_ONE, spread_distances
from l1emu.trigger.crossings import Crossings, refuse_unknown_strata
from l1emu.trigger.design_effect import design_effect
from l1emu.trigger.intervals import COVERAGE, LIMIT, intervals_in_sum, one_sided, upper_ends_in_sum
from l1emu.trigger.scan_counts import ScanCounts, count_scan
from l1emu.trigger.tails import unseen_probability

REPLICAS = 300
"""Bootstrap replicas: their spread is known to 4 %."""


@dataclass(frozen=True, eq=False)
class RateScan(Shown):
    """The rate of one seed at each of its thresholds.

    Attributes
    ----------
    thresholds
        Ascending, float64 (t,).
    rate_khz
        float64 (t,).
    low_khz, high_khz
        Ends of an interval that holds the true rate in 68 % of samples or more, few and no accepts included.
    error_khz
        One standard error: the larger one of the distances to these ends, and not below the next two.
    upper95_khz
        Upper limit at 95 % confidence: what is known of the rate where nothing was accepted.
    binomial_khz, bootstrap_khz
        From the number of crossings alone; from the bootstrap over the collisions of the pool, or over its slices.
    unseen_khz
        What strata without an accepted crossing may add to the rate, in the mean.
    accepted
        Accepted crossings of each stratum, int64 (t, strata).
    replicas_khz
        The rate in each bootstrap replica, float64 (replicas, t).
    collision_rate_khz
        The normalisation f.
    slices
        That errors are from; 0 where they are from collisions.
    """

    thresholds: Floats
    rate_khz: Floats
    low_khz: Floats
    high_khz: Floats
    error_khz: Floats
    upper95_khz: Floats
    binomial_khz: Floats
    bootstrap_khz: Floats
    unseen_khz: Floats
    accepted: npt.NDArray[np.int64]
    replicas_khz: Floats
    collision_rate_khz: float
    slices: int = 0

    def scaled(self, collision_rate_khz: float) -> RateScan:
        """The same scan in another filling scheme at the same pile-up: so many crossings collide, in kHz.

        Raises
        ------
        L1emuError
            if that is not above 0.
        """
        if not collision_rate_khz > 0:
            raise L1emuError("no rate of colliding crossings", value=collision_rate_khz, expected="kHz, above 0")
        ratio = collision_rate_khz / self.collision_rate_khz
        curves = {f.name: getattr(self, f.name) * ratio for f in fields(self) if f.name.endswith("_khz")}
        return replace(self, **curves)

    def threshold_at(self, rate_khz: float) -> float:
        """The threshold at which the rate is `rate_khz`, see `interpolate_threshold`.

        Raises
        ------
        L1emuError
            if the rate is above or below that of every threshold scanned, or nothing is accepted at any.
        """
        if rate_khz > self.collision_rate_khz:
            raise L1emuError(
                "more than the rate of all colliding crossings",
                value=f"{rate_khz:g} kHz",
                expected=f"{self.collision_rate_khz:.6g} kHz at most",
            )
        if self.unseen[0]:
            raise L1emuError(
                "no min-bias crossing passes at any scanned threshold",
                value=f"{rate_khz:g} kHz",
                expected="a larger sample, or a scan that begins lower",
            )
        found, inside = interpolate_threshold(self.thresholds, self.rate_khz, rate_khz)
        if not inside:
            raise L1emuError(
                "no scanned threshold gives this rate",
                value=f"{rate_khz:g} kHz",
                expected=f"{self.rate_khz[-1]:.6g} to {self.rate_khz[0]:.6g} kHz, or a wider scan",
            )
        return found

    def replica_thresholds(self, rate_khz: float) -> Floats:
        """The threshold at which each replica has this rate, float64 (replicas,); the end of the scan beyond it."""
        return np.array([interpolate_threshold(self.thresholds, curve, rate_khz)[0] for curve in self.replicas_khz])

    @property
    def unseen(self) -> npt.NDArray[np.bool_]:
        """Where no crossing was accepted, bool (t,): the rate is known by its upper limit alone."""
        return np.asarray(self.accepted.sum(axis=1) == 0)

    def falls_to_nothing(self, threshold: float) -> bool:
        """Whether nothing is accepted at the next threshold scanned, so that no rate lies between to interpolate."""
        i = int(np.searchsorted(self.thresholds, threshold, side="left"))
        return bool(self.unseen[min(i, self.thresholds.size - 1)])

    def at(self, threshold: float) -> tuple[float, float]:
        """Rate and error in kHz at a threshold between two that were scanned, interpolated as by `threshold_at`."""
        return self.interpolate(self.rate_khz, threshold), self.interpolate(self.error_khz, threshold)

    def interpolate(self, curve: Floats, threshold: float) -> float:
        """A curve of this scan at a threshold between two of its own: its logarithm is linear, itself if it falls to 0.

        Parameters
        ----------
        curve
            kHz, float64 (t,).
        threshold
            Beyond the scan its nearest end is taken.
        """
        if self.thresholds.size == 1:
            return float(curve[0])
        i = int(np.clip(np.searchsorted(self.thresholds, threshold), 1, self.thresholds.size - 1))
        ends, values = self.thresholds[i - 1 : i + 1], curve[i - 1 : i + 1]
        if values.min() > 0:
            return float(np.exp(np.interp(threshold, ends, np.log(values))))
        return float(np.interp(threshold, ends, values))


def scan_rates(
    reach: Floats,
    crossings: Crossings,
    thresholds: Floats,
    collision_rate_khz: float,
    *,
    envelope: Floats | None = None,
    replicas: int = REPLICAS,
    seed: int = 1,
) -> RateScan:
    """The rate at every threshold.

    Parameters
    ----------
    reach
        The highest threshold at which each crossing is accepted, float64 (n,), from `l1emu.trigger.decisions.reach`: a
        crossing at the threshold passes, one with NaN nowhere.
    crossings
        Their strata, same order.
    thresholds
        Ascending, float64 (t,).
    collision_rate_khz
        Colliding bunch pairs times revolution frequency, in kHz.
    envelope
        Reach of a looser seed, float64 (n,): where nothing was seen, its tail bounds that of the seed too.
    replicas, seed
        Of the bootstrap. 0, which leaves its spread out of the errors, is for independent crossings alone: how far
        those that share collisions are alike is known from the replicas.

    Raises
    ------
    L1emuError
        if the lengths differ, the thresholds do not ascend, or there are too few replicas.
    """
    return scan_menu(
        [reach], crossings, [thresholds], collision_rate_khz, envelopes=[envelope], replicas=replicas, seed=seed
    )[0]


def scan_menu(
    reaches: Sequence[Floats],
    crossings: Crossings,
    thresholds: Sequence[Floats],
    collision_rate_khz: float,
    *,
    envelopes: Sequence[Floats | None] | None = None,
    replicas: int = REPLICAS,
    seed: int = 1,
) -> list[RateScan]:
    """The rates of several seeds, each at thresholds of its own, in one pass over the crossings' replicas.

    Parameters and errors are those of `scan_rates`, one of each for each seed.
    """
    names = [str(i + 1) for i in range(len(reaches))]
    loose = [None] * len(names) if envelopes is None else envelopes
    counts = count_scan(
        dict(zip(names, reaches, strict=True)),
        dict(zip(names, thresholds, strict=True)),
        crossings.stratum,
        crossings.drawn_by,
        len(crossings.names),
        envelopes={name: reach for name, reach in zip(names, loose, strict=True) if reach is not None},
        shared=crossings.shared,
        replicas=replicas,
        random_seed=seed,
        weights=crossings.weights,
    )
    found = rates_of_scan(
        counts, crossings.names, crossings.probability, collision_rate_khz,
        bounded=crossings.bounded, drawn=crossings.drawn,
    )  # fmt: skip
    return list(found.values())


def rates_of_scan(
    counts: ScanCounts,
    strata: Sequence[str],
    probability: Floats,
    collision_rate_khz: float,
    *,
    bounded: Bools | None = None,
    drawn: Floats | None = None,
) -> dict[str, RateScan]:
    """The rates of seeds that are scanned, by name, from the counts of all parts of a sample.

    Parameters
    ----------
    counts
        The sum of those of the parts.
    strata, probability, bounded
        Names of the strata, their probabilities for a colliding crossing, and whether their hard scales are bounded
        above, as in `l1emu.trigger.Crossings`.
    collision_rate_khz
        Colliding bunch pairs times revolution frequency, in kHz.
    drawn
        Of crossings with weights, how many were drawn of each stratum, float64 (strata,), as many in each slice; None:
        as many as their weights say.

    Raises
    ------
    L1emuError
        if a stratum that has a probability has no crossing and none of it is known to be drawn, a length differs, there
        is no rate of collisions, or there are no replicas of crossings that share collisions.
    """
    lengths = {len(strata), len(probability), counts.crossings.size if bounded is None else len(bounded)}
    if lengths != {counts.crossings.size}:
        raise L1emuError("strata and counts differ in number", value=len(strata), expected=str(counts.crossings.size))
    refuse_unknown_strata(strata, counts.crossings, probability, drawn)
    if not collision_rate_khz > 0:
        raise L1emuError("no rate of colliding crossings", value=collision_rate_khz, expected="kHz, above 0")
    counts.check_replicas()
    scale = collision_rate_khz * np.asarray(probability, np.float64)
    nothing_known = np.zeros(scale.size, np.bool_)
    size = drawn_by_slice(counts.drawn, counts.slices, drawn)
    return {
        name: _scan(counts, name, scale, nothing_known if bounded is None else bounded, collision_rate_khz, size)
        for name, grid in zip(counts.names, counts.thresholds, strict=True)
        if grid.size
    }


def drawn_by_slice(weights: Ints, slices: int, drawn: Floats | None) -> Floats:
    """How many crossings a sample stands for by stratum and slice, float64 (strata, slices).

    Parameters
    ----------
    weights
        Sums of the weights of all crossings in units of `1 / CROSSING_ONE`, int64 (strata, slices).
    slices
        0 without any: there is nothing to look at then.
    drawn
        Of each stratum, float64 (strata,), as many in each slice; None: as many as their weights say.

    Raises
    ------
    L1emuError
        if there are others, none was drawn of a stratum that has crossings, or crossings without weights were.
    """
    if drawn is None:
        return weights / CROSSING_ONE
    if drawn.shape != weights.shape[:1] or not slices:
        raise L1emuError(
            "numbers of drawn crossings for other strata, or without slices",
            value=drawn.shape, expected=f"({len(weights)},) of {slices or 'some'} slices",
        )  # fmt: skip
    if (wrong := (drawn <= 0) & (weights.sum(axis=1) > 0)).any():
        raise L1emuError(
            "crossings of a stratum of which none was drawn", value=int(wrong.argmax()), expected="above 0"
        )
    return np.repeat(drawn[:, np.newaxis] / slices, slices, axis=1)


class _Accepted(NamedTuple):
    """What a seed accepts at each threshold: fractions, and as of independent crossings, float64 (t, strata) each.

    `variance` is what independent crossings add to that of the rate, in kHz², `curves` are the fractions in each
    replica, float64 (replicas, t, strata).
    """

    fraction: Floats
    variance: Floats
    passed: Floats
    total: Floats
    curves: Floats


def _plain(counts: ScanCounts, seed: int, scale: Floats) -> _Accepted:
    """Of crossings that are all alike; `scale` is kHz of the whole stratum."""
    number = np.maximum(counts.crossings, 1)
    fraction = np.ascontiguousarray(counts.accepted[seed].T) / number
    curves = _fractions(counts.passed[seed], counts.drawn, fraction)
    variance = scale**2 * fraction * (1 - fraction) / number
    return _Accepted(fraction, variance, *_independent(counts, seed), curves)


def _weighed(counts: ScanCounts, seed: int, scale: Floats, drawn: Floats) -> _Accepted:
    """Of crossings with weights, of so many that were drawn, float64 (strata, slices)."""
    size = np.maximum(drawn.sum(axis=1), 1)
    passed = np.ascontiguousarray(counts.passed[seed].sum(axis=2).T) / CROSSING_ONE
    squares = np.ascontiguousarray(counts.passed_squares[seed].T) / CROSSING_ONE
    some = passed > 0
    effective = passed**2 / np.where(some, squares, 1)
    alone = counts.drawn.sum(axis=1) / CROSSING_ONE
    alone = np.clip(alone**2 / (np.maximum(counts.squares, 1) / CROSSING_ONE), 1, size)
    total = np.maximum(np.where(some, effective * size / np.where(some, passed, 1), alone), effective)
    curves = _fractions(
        counts.replica_sums(counts.passed[seed]) / CROSSING_ONE, counts.replica_sums(drawn), passed / size
    )
    variance = scale**2 * np.maximum(squares - passed**2 / size, 0) / size**2
    return _Accepted(passed / size, variance, effective, total, curves)


def _scan(
    counts: ScanCounts, name: str, scale: Floats, bounded: Bools, collision_rate_khz: float, drawn: Floats
) -> RateScan:
    """The rate of one seed at every threshold; `scale` is kHz of the whole stratum."""
    i = counts.names.index(name)
    thresholds, slices = counts.thresholds[i], counts.slices
    accepted = np.ascontiguousarray(counts.accepted[i].T)
    found = _weighed(counts, i, scale, drawn) if slices else _plain(counts, i, scale)
    fraction, total = found.fraction, found.total
    tail, highest_tail = _tails(counts, name, bounded, drawn.sum(axis=1))
    rate = fraction @ scale
    binomial = np.sqrt(found.variance.sum(axis=1))
    curves: Floats = found.curves @ scale
    bootstrap = curves.std(axis=0, ddof=1) if counts.replicas else np.zeros(thresholds.size)
    nothing = accepted == 0
    low, high = intervals_in_sum(found.passed, total, scale, one_sided(COVERAGE))
    highest = upper_ends_in_sum(found.passed, total, scale, LIMIT)
    high, highest = (np.where(nothing, np.minimum(*ends), ends[0]) for ends in ((high, tail), (highest, highest_tail)))
    unseen = np.where(nothing, np.minimum(unseen_probability(total), high), 0)
    share = fraction if not slices else found.passed / total
    distances = (high - share, share - low, highest - share)
    up, down, most = (np.sqrt(((scale * distance) ** 2).sum(axis=1)) for distance in distances)
    generator = np.random.Generator(np.random.PCG64([counts.random_seed, 1]))
    may_add: Floats = generator.gamma(0.5, 2.0, (counts.replicas, scale.size)) @ (scale * unseen).T
    spread = spread_distances(rate, bootstrap, slices)
    low_khz = np.maximum(rate - np.maximum(down, spread.down), 0)
    high_khz = np.minimum(rate + np.maximum(up, spread.up), np.maximum(rate, collision_rate_khz))
    upper95 = rate + np.maximum(most, spread.limit)
    above = np.minimum(up, high_khz - rate) if slices else high_khz - rate
    error = np.max([above, rate - low_khz, binomial, spread.error], axis=0)
    return RateScan(
        thresholds=thresholds,
        rate_khz=rate,
        low_khz=low_khz,
        high_khz=high_khz,
        error_khz=error,
        upper95_khz=np.minimum(upper95, np.maximum(rate, collision_rate_khz)),
        binomial_khz=binomial,
        bootstrap_khz=bootstrap,
        unseen_khz=unseen @ scale,
        accepted=accepted,
        replicas_khz=curves + may_add,
        collision_rate_khz=collision_rate_khz,
        slices=slices,
    )


def _independent(counts: ScanCounts, seed: int) -> tuple[Floats, Floats]:
    """Accepted ones of all at each threshold, of so many independent crossings, float64 (t, strata) each.

    Both numbers are divided by the design effect (Korn and Graubard, Survey Methodology 24 (1998) 193).
    """
    accepted = counts.accepted[seed].astype(np.float64)
    total = np.broadcast_to(np.maximum(counts.crossings, 1.0)[:, np.newaxis], accepted.shape)
    if counts.shared:
        drawn = counts.passed[seed].astype(np.float64), counts.drawn[:, np.newaxis].astype(np.float64)
        effect = design_effect(accepted, total, *drawn)
        accepted, total = accepted / effect, total / effect
    return accepted.T, total.T


def _tails(counts: ScanCounts, name: str, bounded: Bools, drawn: Floats) -> tuple[Floats, Floats]:
    """What the tail of the reach leaves to the probability of acceptance, float64 (t, strata) each.

    As it is and at 95 % confidence, 1 where it says nothing, see `ScanCounts.unseen`.
    """
    i = counts.names.index(name)
    thresholds = counts.thresholds[i]
    likely, highest = np.ones((2, thresholds.size, bounded.size))
    for j in np.flatnonzero(bounded & ~counts.accepted[i].all(axis=1)):
        likely[:, j] = counts.unseen(name, j, thresholds, drawn=drawn[j])
        highest[:, j] = counts.unseen(name, j, thresholds, LIMIT, drawn=drawn[j])
    return likely, highest


def interpolate_threshold(thresholds: Floats, rate_khz: Floats, target_khz: float) -> tuple[float, bool]:
    """The lowest threshold at which a falling rate comes down to the target, and whether the scan holds it.

    Between two thresholds the logarithm of the rate is taken as linear; the rate itself, where it falls to 0.
    """
    below = np.flatnonzero(rate_khz <= target_khz)
    if not below.size:
        return float(thresholds[-1]), False
    i = int(below[0])
    if i == 0:
        return float(thresholds[0]), bool(rate_khz[0] == target_khz)
    high, low = float(rate_khz[i - 1]), float(rate_khz[i])
    if low > 0 and target_khz > 0:
        share = np.log(high / target_khz) / np.log(high / low)
    else:
        share = (high - target_khz) / (high - low)
    found = thresholds[i - 1] + share * (thresholds[i] - thresholds[i - 1])
    return float(min(found, thresholds[i])), True


def _fractions(passed: Ints | Floats, total: Ints | Floats, fraction: Floats) -> Floats:
    """Accepted fractions (replicas, t, strata); a replica that drew nothing of a stratum has the sample's own."""
    drawn = total.T[:, np.newaxis, :]
    return np.where(drawn > 0, passed.transpose(2, 1, 0) / np.maximum(drawn, 1), fraction)
