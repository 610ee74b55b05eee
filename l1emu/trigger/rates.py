"""Trigger rates in kHz of stratified crossings, at every threshold in one pass, with their statistical errors.

The rate is f sum_j P_j eps_j: f colliding crossings a second, P_j the probability of stratum j, eps_j = k_j / N_j
the accepted fraction of its crossings. Its variance from the number of crossings is
f^2 sum_j P_j^2 eps_j (1 - eps_j) / N_j.

Two things are added to that formula. Crossings of one stratum may share a hard collision of the generator's pool:
the bootstrap draws such crossings together, and where its spread is the larger one it is the error. And where no
crossing of a stratum is accepted, eps (1 - eps) is 0 though eps is merely unknown: the accept probability is then
taken to be about p, the smaller one of Jeffreys' 1 / (2 (N_j + 1)) and of the stratum's own tail
(`l1emu.trigger.tails`), with the standard deviation sqrt(2) p of the matching Gamma(1/2) posterior. The rate itself
stays f sum P eps; `unseen_khz` is what those strata may add to it. Where all of a stratum is accepted, the same holds
of the rejected.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.trigger.crossings import Crossings
from l1emu.trigger.tails import tail_probability, unseen_probability

Floats = npt.NDArray[np.float64]

REPLICAS = 300
"""Bootstrap replicas: their spread is known to 4 %."""


@dataclass(frozen=True, eq=False)
class RateScan:
    """The rate of one seed at each of its thresholds.

    Attributes
    ----------
    thresholds
        Ascending, float64 (t,).
    rate_khz
        float64 (t,).
    error_khz
        Standard error: the larger one of the next two, and of unseen accepts, in quadrature.
    binomial_khz, bootstrap_khz
        From the number of crossings alone; from the bootstrap over the collisions of the pool.
    unseen_khz
        What strata without an accepted crossing may add to the rate.
    accepted
        Accepted crossings of each stratum, int64 (t, strata).
    replicas_khz
        The rate in each bootstrap replica, float64 (replicas, t).
    collision_rate_khz
        The normalisation f.
    """

    thresholds: Floats
    rate_khz: Floats
    error_khz: Floats
    binomial_khz: Floats
    bootstrap_khz: Floats
    unseen_khz: Floats
    accepted: npt.NDArray[np.int64]
    replicas_khz: Floats
    collision_rate_khz: float

    def threshold_at(self, rate_khz: float) -> float:
        """The threshold at which the rate is `rate_khz`, see `interpolate_threshold`.

        Raises
        ------
        L1emuError
            if the rate is above or below that of every threshold scanned.
        """
        found, inside = interpolate_threshold(self.thresholds, self.rate_khz, rate_khz)
        if not inside:
            raise L1emuError(
                "no scanned threshold gives this rate",
                value=f"{rate_khz:g} kHz",
                expected=f"{self.rate_khz[-1]:.4g} to {self.rate_khz[0]:.4g} kHz, or a wider scan",
            )
        return found

    def replica_thresholds(self, rate_khz: float) -> Floats:
        """The threshold at which each replica has this rate, float64 (replicas,); the end of the scan beyond it."""
        return np.array([interpolate_threshold(self.thresholds, curve, rate_khz)[0] for curve in self.replicas_khz])

    def at(self, threshold: float) -> tuple[float, float]:
        """Rate and error in kHz at a threshold between two that were scanned, interpolated as by `threshold_at`."""
        i = int(np.clip(np.searchsorted(self.thresholds, threshold), 1, self.thresholds.size - 1))
        ends = self.thresholds[i - 1 : i + 1]
        rates, errors = self.rate_khz[i - 1 : i + 1], self.error_khz[i - 1 : i + 1]
        if rates.min() > 0:
            rate = np.exp(np.interp(threshold, ends, np.log(rates)))
        else:
            rate = np.interp(threshold, ends, rates)
        return float(rate), float(np.interp(threshold, ends, errors))


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
        The highest threshold at which each crossing is accepted, float64 (n,), from `l1emu.trigger.decide.reach`.
    crossings
        Their strata, same order.
    thresholds
        Ascending, float64 (t,).
    collision_rate_khz
        Colliding bunch pairs times revolution frequency, in kHz.
    envelope
        Reach of a looser seed, float64 (n,): where nothing was seen, its tail bounds that of the seed too.
    replicas, seed
        Of the bootstrap.

    Raises
    ------
    L1emuError
        if the lengths differ or the thresholds do not ascend.
    """
    if reach.shape != crossings.stratum.shape:
        raise L1emuError("reach and crossings differ in number", value=reach.shape, expected=f"({len(crossings)},)")
    if thresholds.ndim != 1 or not thresholds.size or np.any(np.diff(thresholds) <= 0):
        raise L1emuError("thresholds must ascend", where="thresholds", value=thresholds.tolist())
    strata = len(crossings.names)
    order = [_by_reach(reach, crossings, j) for j in range(strata)]
    accepted = np.zeros((thresholds.size, strata), np.int64)
    unseen = np.zeros((thresholds.size, strata))
    unrejected = np.zeros((thresholds.size, strata))
    for j, members in enumerate(order):
        total = members.size
        if not total:
            continue
        accepted[:, j] = total - np.searchsorted(reach[members], thresholds, side="left")
        limit = np.full(thresholds.size, unseen_probability(total))
        possible = np.minimum(limit, tail_probability(reach[members], thresholds))
        if envelope is not None:
            possible = np.minimum(possible, tail_probability(envelope[members], thresholds))
        unseen[:, j] = np.where(accepted[:, j] == 0, possible, 0)
        unrejected[:, j] = np.where(accepted[:, j] == total, limit, 0)
    counts = np.maximum(crossings.counts, 1)
    fraction = accepted / counts
    scale = collision_rate_khz * crossings.probability
    binomial = np.sqrt((scale**2 * fraction * (1 - fraction) / counts).sum(axis=1))
    curves: Floats = _replicas(reach, crossings, thresholds, order, fraction, replicas, seed) @ scale
    bootstrap = curves.std(axis=0, ddof=1) if replicas > 1 else np.zeros(thresholds.size)
    unknown = (2 * (scale * np.maximum(unseen, unrejected)) ** 2).sum(axis=1)
    generator = np.random.Generator(np.random.PCG64([seed, 1]))
    may_add: Floats = generator.gamma(0.5, 2.0, (replicas, strata)) @ (scale * unseen).T
    return RateScan(
        thresholds=thresholds,
        rate_khz=fraction @ scale,
        error_khz=np.sqrt(np.maximum(binomial, bootstrap) ** 2 + unknown),
        binomial_khz=binomial,
        bootstrap_khz=bootstrap,
        unseen_khz=unseen @ scale,
        accepted=accepted,
        replicas_khz=curves + may_add,
        collision_rate_khz=collision_rate_khz,
    )


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
    return float(thresholds[i - 1] + share * (thresholds[i] - thresholds[i - 1])), True


def _by_reach(reach: Floats, crossings: Crossings, stratum: int) -> npt.NDArray[np.int64]:
    members = np.flatnonzero(crossings.stratum == stratum)
    return members[np.argsort(reach[members], kind="stable")]


def _replicas(
    reach: Floats,
    crossings: Crossings,
    thresholds: Floats,
    order: list[npt.NDArray[np.int64]],
    fraction: Floats,
    replicas: int,
    seed: int,
) -> Floats:
    """Accepted fractions (replicas, t, strata); a replica that drew nothing of a stratum has the sample's own."""
    first = [np.searchsorted(reach[members], thresholds, side="left") for members in order]
    found = np.empty((replicas, thresholds.size, len(order)))
    for b, weight in enumerate(crossings.replicas(replicas, seed)):
        for j, members in enumerate(order):
            below = np.concatenate([[0.0], np.cumsum(weight[members])])
            total = below[-1]
            found[b, :, j] = (total - below[first[j]]) / total if total > 0 else fraction[:, j]
    return found
