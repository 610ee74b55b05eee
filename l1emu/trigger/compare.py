"""Seeds compared at equal rate: who keeps more signal, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.trigger.crossings import Crossings
from l1emu.trigger.decide import reach
from l1emu.trigger.efficiency import Efficiency, efficiency, scan_efficiency
from l1emu.trigger.menu import Seed
from l1emu.trigger.rates import REPLICAS, RateScan, scan_rates

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SeedScan:
    """Rate and signal efficiency of one seed at every threshold.

    Attributes
    ----------
    seed
        The seed.
    rates, efficiency
        At the thresholds of `rates`.
    minbias_reach, signal_reach
        The highest threshold at which each crossing is accepted, float64 (crossings,).
    """

    seed: Seed
    rates: RateScan
    efficiency: Efficiency
    minbias_reach: Floats
    signal_reach: Floats


@dataclass(frozen=True, eq=False)
class AtRate:
    """One seed at the threshold that gives a rate.

    `threshold_error` and `total_error` are standard deviations of the bootstrap; the latter holds the numbers of
    signal and of min-bias crossings, through the threshold. `interval` is Clopper-Pearson at the fixed threshold.
    """

    seed: Seed
    target_khz: float
    threshold: float
    threshold_error: float
    rate_khz: float
    rate_error_khz: float
    interval: Efficiency
    replicas: Floats

    @property
    def efficiency(self) -> float:
        """Signal efficiency."""
        return float(self.interval.value)

    @property
    def total_error(self) -> float:
        """Standard error of the efficiency at this rate."""
        return float(self.replicas.std(ddof=1))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "seed": self.seed.name,
            "tagged": self.seed.tagged,
            "description": self.seed.describe(),
            "scanned": self.seed.scanned,
            "threshold": self.threshold,
            "threshold_error": self.threshold_error,
            "unit": self.seed.unit,
            "rate_khz": self.rate_khz,
            "rate_khz_error": self.rate_error_khz,
            "efficiency": self.efficiency,
            "efficiency_low": float(self.interval.low),
            "efficiency_high": float(self.interval.high),
            "efficiency_error_total": self.total_error,
            "passed": int(self.interval.passed),
            "signal_crossings": self.interval.total,
        }


@dataclass(frozen=True)
class Gain:
    """How much more signal one seed keeps than another at equal rate."""

    seed: str
    reference: str
    difference: float
    error: float
    replicas: int
    replicas_not_better: int

    @property
    def significance(self) -> float:
        """Difference over its standard error; 0 where that is 0."""
        return self.difference / self.error if self.error > 0 else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "seed": self.seed,
            "reference": self.reference,
            "difference": self.difference,
            "difference_error": self.error,
            "significance": self.significance,
            "replicas": self.replicas,
            "replicas_not_better": self.replicas_not_better,
        }


def scan_seed(
    seed: Seed,
    thresholds: Floats,
    minbias_jets: ak.Array,
    crossings: Crossings,
    signal_jets: ak.Array,
    collision_rate_khz: float,
    *,
    replicas: int = REPLICAS,
    random_seed: int = 1,
) -> SeedScan:
    """Rate and efficiency of a seed at every threshold.

    Parameters
    ----------
    seed, thresholds
        The seed and its thresholds, ascending, float64 (t,).
    minbias_jets, signal_jets
        As in `l1emu.trigger.decide.decide`.
    crossings
        Strata of the min-bias crossings.
    collision_rate_khz
        Colliding crossings in kHz.
    replicas, random_seed
        Of the bootstrap: the same for all seeds that are to be compared.
    """
    minbias = reach(seed, minbias_jets)
    signal = reach(seed, signal_jets)
    loose = seed.without_tags()
    rates = scan_rates(
        minbias,
        crossings,
        thresholds,
        collision_rate_khz,
        envelope=reach(loose, minbias_jets) if loose is not None and seed.tagged else None,
        replicas=replicas,
        seed=random_seed,
    )
    return SeedScan(seed, rates, scan_efficiency(signal, thresholds), minbias, signal)


def at_rate(scan: SeedScan, rate_khz: float, signal: Crossings, *, random_seed: int = 1) -> AtRate:
    """A seed at the threshold where its rate is `rate_khz`, with bootstrap replicas of the efficiency there.

    Parameters
    ----------
    scan
        Of `scan_seed`.
    signal
        The signal crossings: one stratum, with the collisions that they share.
    random_seed
        Of the signal's replicas.

    Raises
    ------
    L1emuError
        if no scanned threshold gives this rate.
    """
    try:
        threshold = scan.rates.threshold_at(rate_khz)
    except L1emuError as error:
        raise L1emuError(
            error.message, where=f"seed {scan.seed.name}", value=error.value, expected=error.expected
        ) from None
    thresholds = scan.rates.replica_thresholds(rate_khz)
    replicas = np.empty(thresholds.size)
    for b, weight in enumerate(signal.replicas(thresholds.size, random_seed)):
        replicas[b] = weight[scan.signal_reach >= thresholds[b]].sum() / max(weight.sum(), 1.0)
    rate, error_khz = scan.rates.at(threshold)
    return AtRate(
        seed=scan.seed,
        target_khz=rate_khz,
        threshold=threshold,
        threshold_error=float(thresholds.std(ddof=1)),
        rate_khz=rate,
        rate_error_khz=error_khz,
        interval=efficiency(int(np.count_nonzero(scan.signal_reach >= threshold)), scan.signal_reach.size),
        replicas=replicas,
    )


def gain(seed: AtRate, reference: AtRate) -> Gain:
    """The difference of two efficiencies at equal rate.

    Both seeds see the same crossings; replicas are subtracted one by one, so that what they share cancels.
    """
    difference = seed.replicas - reference.replicas
    return Gain(
        seed.seed.name,
        reference.seed.name,
        seed.efficiency - reference.efficiency,
        float(difference.std(ddof=1)),
        difference.size,
        int(np.count_nonzero(difference <= 0)),
    )


def scan_working_points(
    seed: Seed,
    minima: Sequence[float],
    rate_khz: float,
    thresholds: Floats,
    minbias_jets: ak.Array,
    crossings: Crossings,
    signal_jets: ak.Array,
    signal: Crossings,
    collision_rate_khz: float,
    *,
    replicas: int = REPLICAS,
    random_seed: int = 1,
) -> list[tuple[float, AtRate | None]]:
    """The seed at equal rate for each minimum score; None where no scanned threshold gives the rate."""
    found: list[tuple[float, AtRate | None]] = []
    for minimum in minima:
        scan = scan_seed(
            seed.with_working_point(minimum),
            thresholds,
            minbias_jets,
            crossings,
            signal_jets,
            collision_rate_khz,
            replicas=replicas,
            random_seed=random_seed,
        )
        try:
            found.append((minimum, at_rate(scan, rate_khz, signal, random_seed=random_seed)))
        except L1emuError:
            found.append((minimum, None))
    return found
