"""Seeds compared at equal rate: who keeps more signal, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

import awkward as ak
import numpy as np

from l1emu.arraytypes import Bools, Floats, Ints
from l1emu.errors import L1emuError
from l1emu.notebook import Shown
from l1emu.trigger.crossing_weights import CROSSING_ONE, CrossingWeights, widened
from l1emu.trigger.crossings import Crossings
from l1emu.trigger.decisions import reach
from l1emu.trigger.design_effect import design_effect
from l1emu.trigger.efficiencies import Efficiency, WeightSums, efficiency, scan_efficiency, weighed_efficiency
from l1emu.trigger.equal_counts import EqualRateCounts, count_at_rate
from l1emu.trigger.intervals import clopper_pearson, without_nan
from l1emu.trigger.menu import Seed
from l1emu.trigger.rates import REPLICAS, RateScan, scan_menu, scan_rates

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
class NamedSeed(Shown):
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
class SeedScan(Shown):
    """Rate and signal efficiency of one seed at every threshold.

    Attributes
    ----------
    seed
        The seed.
    rates, efficiency
        At the thresholds of `rates`.
    minbias_reach, signal_reach
        The highest threshold at which each crossing is accepted, float64 (crossings,).
    minbias, envelope, random_seed
        What the rates were made of beside the reach, as in `l1emu.trigger.rates.scan_rates`.
    """

    seed: ScannedSeed
    rates: RateScan
    efficiency: Efficiency
    minbias_reach: Floats
    signal_reach: Floats
    minbias: Crossings
    envelope: Floats | None
    random_seed: int = 1

    def with_signal(self, reach: Floats, weights: CrossingWeights | None = None) -> SeedScan:
        """The same rates, and the efficiency for another signal, whose crossings reach so high, float64 (n,).

        `weights` are those that its crossings have of their own, if they have any.
        """
        found = scan_efficiency(reach, self.rates.thresholds, weights=weights)
        return replace(self, signal_reach=without_nan(reach), efficiency=found)


@dataclass(frozen=True, eq=False)
class SignalInMemory:
    """Signal crossings, which of them pass at a threshold, bool (crossings,), and the random seed of their replicas."""

    signal: Crossings
    passed: Bools
    random_seed: int


@dataclass(frozen=True, eq=False)
class AtRate(Shown):
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
    in_memory
        The signal crossings, for `gain`; None where they were only counted.
    slices
        That the errors of the rate are from; 0 where they are from collisions.
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
    in_memory: SignalInMemory | None = None
    slices: int = 0

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
class Gain(Shown):
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
    signal_weights: CrossingWeights | None = None,
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
    signal_weights
        Weights that the signal crossings have of their own; None where they have none.
    """
    minbias = reach(seed, minbias_jets)
    signal = reach(seed, signal_jets)
    loose = seed.without_tags()
    envelope = reach(loose, minbias_jets) if loose is not None and seed.tagged else None
    return scan_reach(
        seed, minbias, signal, thresholds, crossings, collision_rate_khz,
        envelope=envelope, replicas=replicas, random_seed=random_seed, signal_weights=signal_weights,
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
    signal_weights: CrossingWeights | None = None,
) -> SeedScan:
    """Rate and efficiency at every threshold of anything that says how high it reaches.

    Parameters
    ----------
    seed
        What it is, or its name.
    minbias_reach, signal_reach
        The highest threshold at which each crossing is accepted, float64 (crossings,). For another signal with the
        same rates see `SeedScan.with_signal`.
    thresholds, crossings, collision_rate_khz, replicas, random_seed, signal_weights
        As in `scan_seed`.
    envelope
        Reach of a looser seed, as in `l1emu.trigger.rates.scan_rates`.
    """
    rates = scan_rates(
        minbias_reach, crossings, thresholds, collision_rate_khz,
        envelope=envelope, replicas=replicas, seed=random_seed,
    )  # fmt: skip
    named = NamedSeed(seed) if isinstance(seed, str) else seed
    found = scan_efficiency(signal_reach, thresholds, weights=signal_weights)
    return SeedScan(
        named, rates, found, without_nan(minbias_reach), without_nan(signal_reach), crossings, envelope, random_seed
    )


@dataclass(frozen=True, eq=False)
class BackgroundAt(Shown):
    """What is known of the background where a seed has the rate.

    Attributes
    ----------
    rates
        At the thresholds that were scanned.
    accepted
        Crossings that pass at the threshold found.
    there
        The rate at exactly this threshold, a scan of it alone with the replicas of `rates`. Needed where
        `RateScan.falls_to_nothing`, not used elsewhere.
    """

    rates: RateScan
    accepted: int
    there: RateScan | None = None


def at_rates(
    counts: EqualRateCounts, seeds: Mapping[str, ScannedSeed], background: Mapping[str, BackgroundAt], rate_khz: float
) -> dict[str, AtRate]:
    """Seeds at the thresholds where their rate is `rate_khz`, from what was counted there.

    Parameters
    ----------
    counts
        Of all parts of one signal, at the thresholds of `background`.
    seeds, background
        Of each name in `counts`.

    Raises
    ------
    L1emuError
        if no scanned threshold gives this rate, the counts are of other thresholds than the background's, they hold no
        crossings, or there are fewer than two replicas to take an error from.
    """
    if counts.replicas < 2:
        raise L1emuError("no error without replicas", value=counts.replicas, expected="at least 2")
    return {name: _at_rate(counts, i, seeds[name], background[name], rate_khz) for i, name in enumerate(counts.names)}


def _at_rate(counts: EqualRateCounts, i: int, seed: ScannedSeed, background: BackgroundAt, rate_khz: float) -> AtRate:
    threshold, thresholds = float(counts.thresholds[i]), counts.moved_to[i]
    at = background.rates
    wanted = _threshold(at, rate_khz, seed.name)
    if threshold != wanted:
        raise L1emuError(
            "counted at another threshold than the one of the rate",
            where=f"seed {seed.name}", value=threshold, expected=str(wanted),
        )  # fmt: skip
    if at.falls_to_nothing(threshold):
        if background.there is None:
            raise L1emuError("no rate at the threshold found", where=f"seed {seed.name}", value=threshold)
        at = background.there
    curves = (at.rate_khz, at.low_khz, at.high_khz, at.error_khz, at.upper95_khz)
    rate, low, high, error_khz, upper = (at.interpolate(curve, threshold) for curve in curves)
    passed = counts.passed[i], counts.drawn_passed[i], counts.passed_squares[i]
    found = _efficiency_of(counts, *passed)
    replicas = counts.drawn_moved[i] / np.maximum(counts.replica_sums(counts.drawn), 1)
    moved = counts.moved_sizes[i] / counts.size
    distances = _distances(counts, *passed)
    wide = widened(counts.slices), widened(background.rates.slices)
    error_low, error_high = _total_errors(found, distances, replicas, moved, wide)
    return AtRate(
        seed=seed,
        target_khz=rate_khz,
        threshold=threshold,
        threshold_error=_spread(thresholds, threshold) * wide[1],
        rate_khz=rate,
        rate_low_khz=low,
        rate_high_khz=high,
        rate_error_khz=error_khz,
        rate_upper95_khz=upper,
        accepted=background.accepted,
        interval=found,
        error_low=error_low,
        error_high=error_high,
        replicas=replicas,
        moved=moved,
        slices=background.rates.slices,
    )


def _efficiency_of(counts: EqualRateCounts, passed: int, sums: Ints, squares: int) -> Efficiency:
    """Of crossings that pass, of which weights and squares are summed too where crossings have weights."""
    if not counts.slices:
        return efficiency(int(passed), counts.crossings)
    if not counts.crossings:
        return efficiency(0, 0)  # refuses
    given = (float(sums.sum()), float(squares), float(counts.drawn.sum()), float(counts.squares[0]))
    one = float(CROSSING_ONE)
    return weighed_efficiency(int(passed), counts.crossings, WeightSums(*(np.asarray(x / one) for x in given)))


def _threshold(rates: RateScan, rate_khz: float, name: str) -> float:
    """`RateScan.threshold_at`, whose error names the seed."""
    try:
        return rates.threshold_at(rate_khz)
    except L1emuError as error:
        raise L1emuError(error.message, where=f"seed {name}", value=error.value, expected=error.expected) from None


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
        if no scanned threshold gives this rate, there are no crossings, or fewer than two replicas to take an error
        from.
    """
    return _all_at_rate({scan.seed.name: scan}, rate_khz, signal, random_seed)[scan.seed.name]


def _all_at_rate(
    scans: Mapping[str, SeedScan], rate_khz: float, signal: Crossings, random_seed: int
) -> dict[str, AtRate]:
    """Seeds by name at the thresholds where their rate is `rate_khz`, from crossings in memory."""
    thresholds = {name: _threshold(scan.rates, rate_khz, scan.seed.name) for name, scan in scans.items()}
    counts = count_at_rate(
        {name: scan.signal_reach for name, scan in scans.items()},
        signal.drawn_by,
        thresholds,
        {name: scan.rates.replica_thresholds(rate_khz) for name, scan in scans.items()},
        shared=signal.shared,
        random_seed=random_seed,
        weights=signal.weights,
    )
    background = {name: _background(scan, thresholds[name]) for name, scan in scans.items()}
    found = at_rates(counts, {name: scan.seed for name, scan in scans.items()}, background, rate_khz)
    passed = {name: np.asarray(scan.signal_reach >= thresholds[name]) for name, scan in scans.items()}
    return {
        name: replace(at, in_memory=SignalInMemory(signal, passed[name], random_seed)) for name, at in found.items()
    }


def _background(scan: SeedScan, threshold: float) -> BackgroundAt:
    """Of the min-bias crossings in memory."""
    there = None
    if scan.rates.falls_to_nothing(threshold):
        there = scan_rates(
            scan.minbias_reach, scan.minbias, np.array([threshold]), scan.rates.collision_rate_khz,
            envelope=scan.envelope, replicas=len(scan.rates.replicas_khz), seed=scan.random_seed,
        )  # fmt: skip
    return BackgroundAt(scan.rates, int(np.count_nonzero(scan.minbias_reach >= threshold)), there)


def gains_of_pairs(counts: EqualRateCounts, found: Mapping[str, AtRate]) -> list[Gain]:
    """The difference of two efficiencies at equal rate, as by `gain`, of each pair that was counted.

    Parameters
    ----------
    counts
        With pairs.
    found
        What `at_rates` made of them.
    """
    names = [(counts.names[a], counts.names[b]) for a, b in counts.pairs]
    return [_gain(counts, i, found[a], found[b], a == b) for i, (a, b) in enumerate(names)]


def gain(seed: AtRate, reference: AtRate) -> Gain:
    """The difference of two efficiencies at equal rate.

    Both seeds see the same crossings; replicas are subtracted one by one, so that what they share cancels. Where few
    signal crossings or none pass one seed alone, replicas scatter less than the difference is unknown: the intervals
    of the fractions that pass the one alone and the other alone, in quadrature (Zou and Donner, Statistics in Medicine
    27 (2008) 1693), with the spread of the thresholds are the least that is taken.

    Parameters
    ----------
    seed, reference
        Of `at_rate`, for the same signal crossings and random seed. Those of `at_rates` hold no crossings: see
        `gains_of_pairs`.

    Raises
    ------
    L1emuError
        if they hold no crossings, or others.
    """
    mine, theirs = seed.in_memory, reference.in_memory
    if mine is None or theirs is None:
        raise L1emuError("seeds without their crossings are compared by what was counted of the pair")
    if len(mine.signal) != len(theirs.signal) or mine.random_seed != theirs.random_seed:
        raise L1emuError(
            "seeds compared on different crossings, or with different replicas",
            value=(len(theirs.signal), theirs.random_seed), expected=str((len(mine.signal), mine.random_seed)),
        )  # fmt: skip
    at = np.full(seed.replicas.size, 0.5)
    counts = count_at_rate(
        {"seed": mine.passed.astype(np.float64), "reference": theirs.passed.astype(np.float64)}, mine.signal.drawn_by,
        {"seed": 0.5, "reference": 0.5}, {"seed": at, "reference": at},
        pairs=[("seed", "reference")], shared=mine.signal.shared, random_seed=mine.random_seed,
        weights=mine.signal.weights,
    )  # fmt: skip
    return _gain(counts, 0, seed, reference, seed.seed == reference.seed)


def _gain(counts: EqualRateCounts, pair: int, seed: AtRate, reference: AtRate, same: bool) -> Gain:
    replicas = seed.replicas - reference.replicas
    difference = seed.efficiency - reference.efficiency
    wide = widened(counts.slices), widened(seed.slices)
    scatter = _spread(replicas, difference) * max(wide)
    low = high = 0.0
    if not same:  # a seed does not differ from itself
        alone = zip(counts.alone[pair], counts.drawn_alone[pair], counts.alone_squares[pair], strict=True)
        (more_low, more_high), (less_low, less_high) = (_distances(counts, *passed) for passed in alone)
        spread = _spread(seed.moved - reference.moved, difference) * wide[1]
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


def _distances(counts: EqualRateCounts, passed: int, drawn: Ints, squares: int) -> tuple[float, float]:
    """From the fraction that passes down and up to the ends of its interval, shared collisions considered.

    Passed crossings and all are divided by the design effect (Korn and Graubard, Survey Methodology 24 (1998) 193).
    What crossings of a slice share is in the spread of the slices alone.
    """
    if counts.slices:
        found = _efficiency_of(counts, passed, drawn, squares)
        return float(found.value - found.low), float(found.high - found.value)
    total = np.float64(counts.crossings)
    effect = 1.0
    if counts.shared:
        of, drawn_of = drawn.astype(np.float64), counts.drawn.astype(np.float64)
        effect = float(design_effect(np.asarray(passed, np.float64), np.asarray(total), of, drawn_of))
    low, high = clopper_pearson(passed / effect, total / effect)
    share = float(passed / total)
    return share - float(low), float(high) - share


def _total_errors(
    found: Efficiency, distances: tuple[float, float], replicas: Floats, moved: Floats, wide: tuple[float, float]
) -> tuple[float, float]:
    """Errors of an efficiency downwards and upwards, neither below the distance to its interval's end there.

    The spread of the replicas is taken where it is larger than the interval of independent collisions, `distances` from
    the efficiency, and the spread of the threshold, `moved`, in quadrature. `wide` is how much wider than the spreads
    of signal and of background intervals are.
    """
    value = float(found.value)
    below, above = max(distances[0], value - float(found.low)), max(distances[1], float(found.high) - value)
    spread, total = _spread(moved, value) * wide[1], _spread(replicas, value) * max(wide)
    down, up = (max(math.hypot(distance, spread), total) for distance in (below, above))
    return min(down, value), min(up, 1 - value)


@dataclass(frozen=True)
class Choice(Shown, Generic[Label]):
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

    def at(labels: Collection[Label], which: int) -> dict[Label, AtRate | None]:
        background, wanted = minbias.half(which), signal.half(which)
        reaches = {label: (candidates[label][0][background], candidates[label][1][wanted]) for label in labels}
        halves = minbias.of_half(which), signal.of_half(which)
        return _each_at_rate(named, reaches, rate_khz, thresholds, *halves, collision_rate_khz, replicas, random_seed)

    named = NamedSeed(seed) if isinstance(seed, str) else seed
    tried = at(candidates, half)
    chosen = best_at_rate(tried)
    return Choice(tried, chosen, None if chosen is None else at([chosen], 1 - half)[chosen])


def best_at_rate(tried: Mapping[Label, AtRate | None]) -> Label | None:
    """The candidate with the highest efficiency, the first of those that are equal; None where none has the rate."""
    found = {label: one.efficiency for label, one in tried.items() if one is not None}
    return max(found, key=lambda label: found[label], default=None)


def _each_at_rate(
    seed: ScannedSeed,
    reaches: Mapping[Label, tuple[Floats, Floats]],
    rate_khz: float,
    thresholds: Floats,
    minbias: Crossings,
    signal: Crossings,
    collision_rate_khz: float,
    replicas: int,
    random_seed: int,
) -> dict[Label, AtRate | None]:
    """Candidates at equal rate on the same crossings; None where no scanned threshold gives the rate."""
    rates = scan_menu(
        [of_minbias for of_minbias, _ in reaches.values()], minbias, [thresholds] * len(reaches), collision_rate_khz,
        replicas=replicas, seed=random_seed,
    )  # fmt: skip
    scans = {}
    for place, ((of_minbias, of_signal), scanned) in enumerate(zip(reaches.values(), rates, strict=True)):
        with suppress(L1emuError):
            scanned.threshold_at(rate_khz)
            wanted = scan_efficiency(of_signal, thresholds, weights=signal.weights)
            scans[str(place)] = SeedScan(
                seed, scanned, wanted, without_nan(of_minbias), of_signal, minbias, None, random_seed
            )
    found = _all_at_rate(scans, rate_khz, signal, random_seed) if scans else {}
    return {label: found.get(str(place)) for place, label in enumerate(reaches)}
