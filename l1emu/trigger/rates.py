"""Trigger rates in kHz of stratified crossings, at every threshold in one pass, with their statistical errors.

The rate is f sum_j P_j eps_j: f colliding crossings a second, P_j the probability of stratum j, eps_j = k_j / N_j
the accepted fraction of its crossings. Its variance from the number of crossings is
f^2 sum_j P_j^2 eps_j (1 - eps_j) / N_j.

That variance is 0 where no crossing of a stratum is accepted, and too small where few are. Each stratum has therefore
an interval of its number, of as many independent crossings as its shared collisions leave, and the distances of its
ends from eps_j are added in quadrature (the method of variance estimates recovery: Zou and Donner, Statistics in
Medicine 27 (2008) 1693). It is that of Clopper and Pearson where one stratum makes the rate, which is exact then, and
comes down to the mid-P interval where others spread the steps of its number (`l1emu.trigger.intervals`). An interval
of the weighted sum as a whole, from its variance (Fay and Feuer, Statistics in Medicine 16 (1997) 791, also with
mid-P), knows nothing of a heavy stratum that happens to have no accept: it holds the truth in half of such toys.

A stratum without an accepted crossing has the upper end of Clopper and Pearson or, where its hard scale is bounded
above, that of its own tail (`l1emu.trigger.tails`) if it is lower. The bootstrap draws crossings that share a collision
together; where its spread is the larger one it takes the place of that distance.

The rate itself stays f sum P eps: where it is 0, it is known by its upper limit alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from l1emu.arraytypes import Floats, Ints
from l1emu.compiled import kernel
from l1emu.errors import L1emuError
from l1emu.trigger.crossings import Crossings
from l1emu.trigger.intervals import (
    COVERAGE,
    LIMIT,
    Clusters,
    highest_of_groups,
    intervals_in_sum,
    one_sided,
    upper_ends_in_sum,
    without_nan,
)
from l1emu.trigger.replicas import replica_histograms
from l1emu.trigger.tails import tail_probability, unseen_probability

REPLICAS = 300
"""Bootstrap replicas: their spread is known to 4 %."""

_DEVIATIONS = float(stats.norm.ppf(LIMIT))


@dataclass(frozen=True, eq=False)
class RateScan:
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
        From the number of crossings alone; from the bootstrap over the collisions of the pool.
    unseen_khz
        What strata without an accepted crossing may add to the rate, in the mean.
    accepted
        Accepted crossings of each stratum, int64 (t, strata).
    replicas_khz
        The rate in each bootstrap replica, float64 (replicas, t).
    collision_rate_khz
        The normalisation f.
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
        Of the bootstrap; with fewer than two its spread is left out of the errors.

    Raises
    ------
    L1emuError
        if the lengths differ or the thresholds do not ascend.
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
    ready = [_checked(reach, crossings, grid) for reach, grid in zip(reaches, thresholds, strict=True)]
    bins = np.empty((len(ready), len(crossings)), np.int32)
    for row, reach, grid in zip(bins, ready, thresholds, strict=True):
        _passed(reach, grid, row)
    stratum = np.ascontiguousarray(crossings.stratum, np.int64)
    shape = len(crossings.names), max((grid.size for grid in thresholds), default=0)
    passed, total = replica_histograms(bins, stratum, crossings.drawn_by, shape, replicas, seed)
    loose = [None] * len(ready) if envelopes is None else envelopes
    return [
        _scan(reach, row, crossings, grid, collision_rate_khz, envelope, (part[:, : grid.size], total), seed)
        for reach, row, grid, envelope, part in zip(ready, bins, thresholds, loose, passed, strict=True)
    ]


@kernel
def _passed(reach: Floats, thresholds: Floats, found: npt.NDArray[np.int32]) -> None:
    """How many of the ascending thresholds each crossing passes: guessed as on an even grid, then made right."""
    last = thresholds.size - 1
    slope = last / (thresholds[last] - thresholds[0]) if last else 0.0
    for i in range(reach.size):
        value = reach[i]
        if value >= thresholds[last]:
            found[i] = last + 1
            continue
        if value < thresholds[0]:
            found[i] = 0
            continue
        at = int((value - thresholds[0]) * slope)
        if not thresholds[max(0, at - 2)] <= value < thresholds[min(last, at + 3)]:
            at = np.searchsorted(thresholds, value, side="right") - 1
        while thresholds[at] > value:
            at -= 1
        while thresholds[at + 1] <= value:
            at += 1
        found[i] = at + 1


def _checked(reach: Floats, crossings: Crossings, thresholds: Floats) -> Floats:
    if reach.shape != crossings.stratum.shape:
        raise L1emuError("reach and crossings differ in number", value=reach.shape, expected=f"({len(crossings)},)")
    if thresholds.ndim != 1 or not thresholds.size or not np.all(np.diff(thresholds) > 0) or np.isnan(thresholds[0]):
        raise L1emuError("thresholds must ascend", where="thresholds", value=thresholds.tolist())
    return without_nan(reach)


def _scan(
    reach: Floats,
    bins: npt.NDArray[np.int32],
    crossings: Crossings,
    thresholds: Floats,
    collision_rate_khz: float,
    envelope: Floats | None,
    drawn: tuple[Ints, Ints],
    seed: int,
) -> RateScan:
    """The rate at every threshold, from weights that pass in the replicas, (strata, t, replicas), and of all."""
    replicas = drawn[1].shape[1]
    loose = None if envelope is None else without_nan(envelope)
    seen = _seen(reach, bins, loose, crossings, thresholds)
    accepted, passed, total = seen.accepted, seen.passed, seen.total
    counts = np.maximum(crossings.counts, 1)
    fraction = accepted / counts
    scale = collision_rate_khz * crossings.probability
    rate = fraction @ scale
    binomial = np.sqrt((scale**2 * fraction * (1 - fraction) / counts).sum(axis=1))
    curves: Floats = _fractions(*drawn, fraction) @ scale
    bootstrap = curves.std(axis=0, ddof=1) if replicas > 1 else np.zeros(thresholds.size)
    nothing = accepted == 0
    low, high = intervals_in_sum(passed, total, scale, one_sided(COVERAGE))
    highest = upper_ends_in_sum(passed, total, scale, LIMIT)
    high, highest = (
        np.where(nothing, np.minimum(*ends), ends[0]) for ends in ((high, seen.tail), (highest, seen.highest_tail))
    )
    unseen = np.where(nothing, np.minimum(unseen_probability(total), high), 0)
    distances = (high - fraction, fraction - low, highest - fraction)
    up, down, most = (np.sqrt(((scale * distance) ** 2).sum(axis=1)) for distance in distances)
    generator = np.random.Generator(np.random.PCG64([seed, 1]))
    may_add: Floats = generator.gamma(0.5, 2.0, (replicas, scale.size)) @ (scale * unseen).T
    low_khz = np.maximum(rate - np.maximum(down, bootstrap), 0)
    high_khz = np.minimum(rate + np.maximum(up, bootstrap), collision_rate_khz)
    return RateScan(
        thresholds=thresholds,
        rate_khz=rate,
        low_khz=low_khz,
        high_khz=high_khz,
        error_khz=np.max([high_khz - rate, rate - low_khz, binomial, bootstrap], axis=0),
        upper95_khz=np.minimum(rate + np.maximum(most, _DEVIATIONS * bootstrap), collision_rate_khz),
        binomial_khz=binomial,
        bootstrap_khz=bootstrap,
        unseen_khz=unseen @ scale,
        accepted=accepted,
        replicas_khz=curves + may_add,
        collision_rate_khz=collision_rate_khz,
    )


class _Seen(NamedTuple):
    """What each stratum shows at each threshold, all of shape (t, strata).

    `accepted` crossings, int64; `passed` of `total` independent ones; and what the tail of the reach leaves to the
    probability of acceptance, `tail` as it is and `highest_tail` at 95 % confidence, 1 where it says nothing.
    """

    accepted: Ints
    passed: Floats
    total: Floats
    tail: Floats
    highest_tail: Floats


def _seen(
    reach: Floats,
    bins: npt.NDArray[np.int32],
    loose: Floats | None,
    crossings: Crossings,
    thresholds: Floats,
) -> _Seen:
    shape = (thresholds.size, len(crossings.names))
    seen = _Seen(np.zeros(shape, np.int64), np.zeros(shape), np.ones(shape), np.ones(shape), np.ones(shape))
    for j, (members, group) in enumerate(crossings.members):
        if not members.size:
            continue
        groups = Clusters(bins[members], group, thresholds.size)
        seen.accepted[:, j] = groups.accepted
        seen.passed[:, j], seen.total[:, j] = groups.independent
        if crossings.is_bounded(j) and not groups.accepted.all():
            for height in (reach,) if loose is None else (reach, loose):
                values = highest_of_groups(height[members], group)
                seen.tail[:, j] = np.minimum(seen.tail[:, j], tail_probability(values, thresholds))
                highest = tail_probability(values, thresholds, LIMIT)
                seen.highest_tail[:, j] = np.minimum(seen.highest_tail[:, j], highest)
    return seen


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


def _fractions(passed: Ints, total: Ints, fraction: Floats) -> Floats:
    """Accepted fractions (replicas, t, strata); a replica that drew nothing of a stratum has the sample's own."""
    drawn = total.T[:, np.newaxis, :]
    return np.where(drawn > 0, passed.transpose(2, 1, 0) / np.maximum(drawn, 1), fraction)
