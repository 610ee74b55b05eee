"""Seeds compared at equal rate: who keeps more signal, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

import awkward as ak
import numpy as np

from l1emu.arraytypes import Bools, Floats
from l1emu.errors import L1emuError
from l1emu.trigger.crossings import Crossings
from l1emu.trigger.decisions import reach
from l1emu.trigger.efficiencies import Efficiency, efficiency, scan_efficiency
from l1emu.trigger.intervals import shared_interval, without_nan
from l1emu.trigger.menu import Seed
from l1emu.trigger.rates import REPLICAS, RateScan, scan_rates
from l1emu.trigger.replicas import replica_passing

Label = TypeVar("Label")


class ScannedSeed(Protocol):
    """What a comparison tells of a seed."""

    @property
    def name(self) -> str: ...
    @property
    def scanned(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def tagged(self) -> bool: ...
    def describe(self) -> str: ...


@dataclass(frozen=True)
class NamedSeed:
    """Anything with a number that is scanned.

    Attributes
    ----------
    name
        Of the seed, tagger, or both.
    scanned, unit
        What the threshold is put on, and its unit.
    tagged
        Whether it asks for a score.
    description
        In words.
    """

    name: str
    scanned: str = "threshold"
    unit: str = ""
    tagged: bool = False
    description: str = ""

    def describe(self) -> str:
        """`description`."""
        return self.description


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
    minbias, envelope
        What the rates were made of beside the reach, as in `l1emu.trigger.rates.scan_rates`.
    """

    seed: ScannedSeed
    rates: RateScan
    efficiency: Efficiency
    minbias_reach: Floats
    signal_reach: Floats
    minbias: Crossings
    envelope: Floats | None

    def with_signal(self, reach: Floats) -> SeedScan:
        """The same rates, and the efficiency for another signal, whose crossings reach so high, float64 (n,)."""
        return replace(self, signal_reach=without_nan(reach), efficiency=scan_efficiency(reach, self.rates.thresholds))


@dataclass(frozen=True, eq=False)
class AtRate:
    """One seed at the threshold that gives a rate.

    Attributes
    ----------
    seed, target_khz
        What was asked for.
    threshold, threshold_error
        Where the rate is found; the error is the root mean square distance of the bootstrap's.
    rate_khz, rate_low_khz, rate_high_khz, rate_error_khz, rate_upper95_khz
        The rate there, as in `l1emu.trigger.rates.RateScan`.
    accepted
        Min-bias crossings that pass there. With 0 the sample is too small for this rate: it is known by its upper
        limit alone.
    interval
        The efficiency with the interval of Clopper and Pearson at the fixed threshold.
    error_low, error_high
        Standard errors of the efficiency at this rate, downwards and upwards: that interval, wider where signal
        crossings share their collisions, and the spread of the threshold.
    replicas, moved
        The efficiency in each bootstrap replica, of signal and of min-bias crossings, and of min-bias alone, which
        moves the threshold: float64 (replicas,).
    signal, passed
        The signal crossings, and which of them pass at the threshold, bool (crossings,).
    """

    seed: ScannedSeed
    target_khz: float
    threshold: float
    threshold_error: float
    rate_khz: float
    rate_low_khz: float
    rate_high_khz: float
    rate_error_khz: float
    rate_upper95_khz: float
    accepted: int
    interval: Efficiency
    error_low: float
    error_high: float
    replicas: Floats
    moved: Floats
    signal: Crossings
    passed: Bools

    @property
    def efficiency(self) -> float:
        """Signal efficiency."""
        return float(self.interval.value)

    @property
    def total_error(self) -> float:
        """Standard error of the efficiency at this rate: the larger one of the two."""
        return max(self.error_low, self.error_high)

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
            "rate_khz_low": self.rate_low_khz,
            "rate_khz_high": self.rate_high_khz,
            "rate_khz_upper95": self.rate_upper95_khz,
            "accepted_crossings": self.accepted,
            "efficiency": self.efficiency,
            "efficiency_low": float(self.interval.low),
            "efficiency_high": float(self.interval.high),
            "efficiency_error_total": self.total_error,
            "efficiency_error_total_low": self.error_low,
            "efficiency_error_total_high": self.error_high,
            "passed": int(self.interval.passed),
            "signal_crossings": self.interval.total,
        }


@dataclass(frozen=True)
class Gain:
    """How much more signal one seed keeps than another at equal rate, with its errors downwards and upwards."""

    seed: str
    reference: str
    difference: float
    error_low: float
    error_high: float
    replicas: int
    replicas_not_better: int

    @property
    def error(self) -> float:
        """Standard error of the difference: the larger one of the two."""
        return max(self.error_low, self.error_high)

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
            "difference_error_low": self.error_low,
            "difference_error_high": self.error_high,
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
        As in `l1emu.trigger.decisions.decide`.
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
    envelope = reach(loose, minbias_jets) if loose is not None and seed.tagged else None
    return scan_reach(
        seed, minbias, signal, thresholds, crossings, collision_rate_khz,
        envelope=envelope, replicas=replicas, random_seed=random_seed,
    )  # fmt: skip


def scan_reach(
    seed: ScannedSeed | str,
    minbias_reach: Floats,
    signal_reach: Floats,
    thresholds: Floats,
    crossings: Crossings,
    collision_rate_khz: float,
    *,
    envelope: Floats | None = None,
    replicas: int = REPLICAS,
    random_seed: int = 1,
) -> SeedScan:
    """Rate and efficiency at every threshold of anything that says how high it reaches.

    Parameters
    ----------
    seed
        What it is, or its name.
    minbias_reach, signal_reach
        The highest threshold at which each crossing is accepted, float64 (crossings,). For another signal with the
        same rates see `SeedScan.with_signal`.
    thresholds, crossings, collision_rate_khz, replicas, random_seed
        As in `scan_seed`.
    envelope
        Reach of a looser seed, as in `l1emu.trigger.rates.scan_rates`.
    """
    rates = scan_rates(
        minbias_reach, crossings, thresholds, collision_rate_khz,
        envelope=envelope, replicas=replicas, seed=random_seed,
    )  # fmt: skip
    named = NamedSeed(seed) if isinstance(seed, str) else seed
    found = scan_efficiency(signal_reach, thresholds)
    return SeedScan(named, rates, found, without_nan(minbias_reach), without_nan(signal_reach), crossings, envelope)


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
        if no scanned threshold gives this rate, or there are fewer than two replicas to take an error from.
    """
    if len(scan.rates.replicas_khz) < 2:
        raise L1emuError("no error without replicas", value=len(scan.rates.replicas_khz), expected="at least 2")
    try:
        threshold = scan.rates.threshold_at(rate_khz)
    except L1emuError as error:
        raise L1emuError(
            error.message, where=f"seed {scan.seed.name}", value=error.value, expected=error.expected
        ) from None
    thresholds = scan.rates.replica_thresholds(rate_khz)
    wanted = without_nan(scan.signal_reach)
    if wanted.shape != signal.stratum.shape:
        raise L1emuError(
            "reach and signal crossings differ in number",
            where=f"seed {scan.seed.name}", value=wanted.shape, expected=f"({len(signal)},)",
        )  # fmt: skip
    drawn, of = replica_passing(wanted, thresholds, signal.drawn_by, random_seed)
    replicas = drawn / np.maximum(of, 1)
    moved = 1 - np.searchsorted(np.sort(wanted), thresholds, side="left") / wanted.size
    at = scan.rates
    if at.falls_to_nothing(threshold):
        at = scan_rates(
            scan.minbias_reach, scan.minbias, np.array([threshold]), at.collision_rate_khz,
            envelope=scan.envelope, replicas=0,
        )  # fmt: skip
    curves = (at.rate_khz, at.low_khz, at.high_khz, at.error_khz, at.upper95_khz)
    rate, low, high, error_khz, upper = (at.interpolate(curve, threshold) for curve in curves)
    passed = np.asarray(scan.signal_reach >= threshold)
    found = efficiency(int(np.count_nonzero(passed)), passed.size)
    error_low, error_high = _total_errors(found, passed, signal, replicas, moved)
    return AtRate(
        seed=scan.seed,
        target_khz=rate_khz,
        threshold=threshold,
        threshold_error=_spread(thresholds, threshold),
        rate_khz=rate,
        rate_low_khz=low,
        rate_high_khz=high,
        rate_error_khz=error_khz,
        rate_upper95_khz=upper,
        accepted=int(np.count_nonzero(scan.minbias_reach >= threshold)),
        interval=found,
        error_low=error_low,
        error_high=error_high,
        replicas=replicas,
        moved=moved,
        signal=signal,
        passed=passed,
    )


def gain(seed: AtRate, reference: AtRate) -> Gain:
    """The difference of two efficiencies at equal rate.

    Both seeds see the same crossings; replicas are subtracted one by one, so that what they share cancels. Where few
    signal crossings or none pass one seed alone, replicas scatter less than the difference is unknown: the intervals
    of the fractions that pass the one alone and the other alone, in quadrature (Zou and Donner, Statistics in Medicine
    27 (2008) 1693), with the spread of the thresholds are the least that is taken.
    """
    replicas = seed.replicas - reference.replicas
    difference = seed.efficiency - reference.efficiency
    scatter = _spread(replicas, difference)
    low = high = 0.0
    if seed.seed != reference.seed:  # a seed does not differ from itself
        more_low, more_high = _distances(seed.passed & ~reference.passed, seed.signal)
        less_low, less_high = _distances(reference.passed & ~seed.passed, seed.signal)
        spread = _spread(seed.moved - reference.moved, difference)
        low, high = math.hypot(more_low, less_high, spread), math.hypot(more_high, less_low, spread)
    return Gain(
        seed.seed.name,
        reference.seed.name,
        difference,
        max(low, scatter),
        max(high, scatter),
        replicas.size,
        int(np.count_nonzero(replicas <= 0)),
    )


def _spread(replicas: Floats, about: float) -> float:
    """Root mean square distance of replicas from what they replicate: where all of them lie off, that is known too."""
    return float(np.sqrt(np.sum((replicas - about) ** 2) / (replicas.size - 1)))


def _distances(passed: Bools, signal: Crossings) -> tuple[float, float]:
    """From the fraction that passes down and up to the ends of its interval, shared collisions considered."""
    low, high = shared_interval(passed, signal)
    share = float(passed.mean())
    return share - low, high - share


def _total_errors(
    found: Efficiency, passed: Bools, signal: Crossings, replicas: Floats, moved: Floats
) -> tuple[float, float]:
    """Errors of an efficiency downwards and upwards, neither below the distance to its interval's end there.

    The spread of the replicas is taken where it is larger than the interval of independent collisions and the spread of
    the threshold, `moved`, in quadrature.
    """
    value = float(found.value)
    below, above = _distances(passed, signal)
    below, above = max(below, value - float(found.low)), max(above, float(found.high) - value)
    spread, total = _spread(moved, value), _spread(replicas, value)
    down, up = (max(math.hypot(distance, spread), total) for distance in (below, above))
    return min(down, value), min(up, 1 - value)


@dataclass(frozen=True)
class Choice(Generic[Label]):
    """The best of several candidates at equal rate, chosen on one half of the crossings and quoted on the other.

    What was chosen for its efficiency on some crossings looks better on these than it is: the other half knows nothing
    of the choice.

    Attributes
    ----------
    tried
        Each candidate on the half that chooses; None where no scanned threshold gives the rate.
    chosen
        The one with the highest efficiency there, the first of those that are equal; None where none gives the rate.
    quoted
        It on the other half; None where no scanned threshold gives the rate there.
    """

    tried: Mapping[Label, AtRate | None]
    chosen: Label | None
    quoted: AtRate | None


def choose(
    seed: ScannedSeed | str,
    candidates: Mapping[Label, tuple[Floats, Floats]],
    rate_khz: float,
    thresholds: Floats,
    minbias: Crossings,
    signal: Crossings,
    collision_rate_khz: float,
    *,
    half: int = 0,
    replicas: int = REPLICAS,
    random_seed: int = 1,
) -> Choice[Label]:
    """Choose the candidate that keeps most signal at equal rate on one half, and find what it keeps on the other.

    Parameters
    ----------
    seed
        What is chosen for, or its name.
    candidates
        Reach of all min-bias and of all signal crossings, float64 (crossings,) each, of each candidate: one for each
        minimum score, or for each tagger.
    rate_khz
        At which they are compared.
    thresholds, collision_rate_khz, replicas, random_seed
        As in `scan_reach`.
    minbias, signal
        All crossings; both are halved by `Crossings.half`.
    half
        That chooses, 0 or 1.

    Raises
    ------
    L1emuError
        if reach and crossings differ in number, or a half has no crossing of a stratum.
    """
    for label, (of_minbias, of_signal) in candidates.items():
        if (of_minbias.shape, of_signal.shape) != (minbias.stratum.shape, signal.stratum.shape):
            raise L1emuError(
                "reach and crossings differ in number", where=str(label),
                value=(of_minbias.shape, of_signal.shape), expected=f"({len(minbias)},) and ({len(signal)},)",
            )  # fmt: skip
    masks = [(minbias.half(which), signal.half(which)) for which in (half, 1 - half)]
    halves = [(minbias.select(background), signal.select(wanted)) for background, wanted in masks]

    def scanned(label: Label, other: int) -> SeedScan:
        of_minbias, of_signal = (reach[mask] for reach, mask in zip(candidates[label], masks[other], strict=True))
        return scan_reach(
            seed, of_minbias, of_signal, thresholds, halves[other][0], collision_rate_khz,
            replicas=replicas, random_seed=random_seed,
        )  # fmt: skip

    def at(label: Label, other: int) -> AtRate | None:
        scan = scanned(label, other)
        try:
            return at_rate(scan, rate_khz, halves[other][1], random_seed=random_seed)
        except L1emuError:
            return None

    tried = {label: at(label, 0) for label in candidates}
    found = {label: one.efficiency for label, one in tried.items() if one is not None}
    chosen = max(found, key=lambda label: found[label], default=None)
    return Choice(tried, chosen, None if chosen is None else at(chosen, 1))
