"""What `l1emu run` leaves in `results.json`: every field with its type, and the version of them all.

Times are in ns and crossings of 24.95 ns, rates in kHz, transverse momenta in GeV; a probability, an efficiency or a
share is a number from 0 to 1. Fields that end in `_low` and `_high` are the ends of a 68 % interval, those in
`_upper95` an upper limit at 95 % confidence. `docs/results.md` lists them.
"""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.jsontext import parse_json
from l1emu.notebook import html_rows
from l1emu.result_files import LARGEST_RESULT, AnyNumber, Result, read_result, result_in

RESULTS = "results.json"
RESULTS_VERSION = 3
"""Raised whenever a field is renamed, removed or means something else; a new field alone leaves it."""

_Status = Literal["verified", "unverified"]
_Verdict = Literal["yes", "no", "not decided"]


class RatePoint(Result):
    """One seed at one threshold and one signal's efficiency there, null without a signal.

    The errors' parts are those of crossings alone, of the bootstrap over collisions or slices, of empty strata.
    """

    seed: str
    signal: str | None
    scanned: str
    threshold: float
    unit: str
    rate_khz: float
    rate_khz_error: float
    rate_khz_low: float
    rate_khz_high: float
    rate_khz_upper95: float
    rate_khz_error_binomial: float
    rate_khz_error_bootstrap: float
    rate_khz_unseen: float
    accepted_crossings: int
    efficiency: float | None
    efficiency_low: float | None
    efficiency_high: float | None


class AtTarget(Result):
    """What is known of one seed at the target rate for one signal; the total errors hold that of the threshold too."""

    seed: str
    signal: str
    tagged: bool
    description: str
    scanned: str
    threshold: float
    threshold_error: float
    unit: str
    rate_khz: float
    rate_khz_error: float
    rate_khz_low: float
    rate_khz_high: float
    rate_khz_upper95: float
    accepted_crossings: int
    efficiency: float
    efficiency_low: float
    efficiency_high: float
    efficiency_error_total: float
    efficiency_error_total_low: float
    efficiency_error_total_high: float
    passed: int
    signal_crossings: int


class GainAtTarget(Result):
    """How much more of a signal one seed keeps than another at the target rate; `significance` in sigma."""

    seed: str
    signal: str
    reference: str
    difference: float
    difference_error: float
    difference_error_low: float
    difference_error_high: float
    significance: float
    replicas: int
    replicas_not_better: int


class StratumOfSample(Result):
    """A stratum of the min-bias crossings: its probability a crossing, and how many were simulated."""

    name: str
    probability: float
    crossings: int


class SeedComparison(Result):
    """The seeds at equal rate."""

    target_khz: float
    normalisation: str
    seeds: list[AtTarget]
    gains: list[GainAtTarget]
    strata: list[StratumOfSample]
    unbounded_strata: list[str]
    pools: dict[str, int]


class WorkingPointMissed(Result):
    """One minimum score with which no threshold has the target rate."""

    minimum: float
    reaches_target: Literal[False]


class _Minimum(Result):
    minimum: float
    reaches_target: Literal[True]


class WorkingPointReached(AtTarget, _Minimum):
    """One minimum score, with the seed at the target rate."""


class WorkingPointScan(Result):
    """Efficiency at the target rate by minimum score; `in_use` is that of the seed itself, where it has one.

    `chosen` is the minimum with the highest efficiency; on the crossings that chose it, it looks better than it is, so
    that it is quoted `on_the_other_half`.
    """

    seed: str
    in_use: float | None
    crossings: str
    points: list[WorkingPointReached | WorkingPointMissed]
    chosen: float | None
    on_the_other_half: AtTarget | None

    @property
    def reached(self) -> list[WorkingPointReached]:
        """Those that have the target rate."""
        return [point for point in self.points if isinstance(point, WorkingPointReached)]


class NumberOfBand(Result):
    """A number at the lower end of an estimate's band, as it is typically, and at the upper end."""

    low: AnyNumber
    typical: AnyNumber
    high: AnyNumber


class AnswerOfBand(Result):
    """An answer at the lower end of an estimate's band, at what is typical, and at the upper end."""

    low: bool
    typical: bool
    high: bool


class CyclesOfBand(Result):
    """The band of an estimate: the cycles from the first input to the last output, and between two inputs."""

    latency_cycles: NumberOfBand
    interval_cycles: NumberOfBand


class BandOfBudget(Result):
    """What the check's numbers are over the band of an estimate; `resources` are what all copies take of the part."""

    used_ns: NumberOfBand
    slack_ns: NumberOfBand
    slice_used_ns: NumberOfBand
    slice_slack_ns: NumberOfBand
    copies_needed: NumberOfBand
    busy_cycles: NumberOfBand
    passed: AnswerOfBand
    resources: dict[str, NumberOfBand]


class LatencySummaryOfStudy(Result):
    """The budget and the stream in a few numbers: the tagger's slice and all of the chain, and what is late.

    What the stream tells is null where none was simulated.
    """

    budget_ns: float
    used_ns: float
    slack_ns: float
    late_fraction: float | None
    late_fraction_upper95: float | None
    tagger_slice_ns: float
    tagger_used_ns: float
    simulated_max_ns: float | None
    simulated_crossings: int | None
    passed: bool
    verdict: _Verdict
    slack_band_ns: NumberOfBand | None
    status: _Status
    tagger_kind: str
    tagger_origin: str


class LimitUsed(Result):
    """What is used of a limit, in ns and in whole crossings; `exact_ns` is not rounded up to a crossing."""

    exact_ns: float
    used_ns: float
    used_crossings: int
    allowed_ns: float
    allowed_crossings: int
    slack_ns: float
    slack_crossings: int
    passed: bool
    status: _Status


class ThroughputUsed(Result):
    """Whether the tagger copies keep up with the jets; cycles are those of the tagger's clock."""

    jets: int
    copies: int
    copies_needed: int | None
    time_multiplexing: int
    event_cycles: int
    copy_sets: int
    window_cycles: int
    busy_cycles: int
    keeps_up: bool
    status: _Status


class ResourceUsed(Result):
    """One resource of the part: what all copies take, what there is, and the share, null where there is none."""

    resource: str
    used: int
    available: int
    share: float | None


class PartUsed(Result):
    """The FPGA that the tagger was made for, and what all its copies take of it."""

    name: str | None
    copies: int
    fits: bool | None
    use: list[ResourceUsed]


class TaggerOfBudget(Result):
    """The tagger's timing: cycles of its clock, where it is from, and what speaks against it."""

    latency_cycles: int
    interval_cycles: int
    clock_mhz: AnyNumber
    period_ns: float
    latency_ns: float
    band_cycles: list[AnyNumber] | None
    band: CyclesOfBand | None
    kind: str
    status: _Status
    origin: str
    void: list[str]
    caveats: list[str]
    wait_cycles: int


class SourcedNumber(Result):
    """A number that the check used, and where it is from."""

    value: AnyNumber
    source: str
    status: _Status


class InputsOfBudget(Result):
    """The budget's own numbers: crossings in all, clock, boards in turn, jets of an event, tagger copies a board."""

    total: SourcedNumber
    clock_mhz: SourcedNumber
    time_multiplexing: SourcedNumber
    jets: SourcedNumber
    copies: SourcedNumber


class SliceOfStage(Result):
    """The part of a stage that is the tagger's."""

    crossings: int
    ns: float
    source: str
    status: _Status


class StageOfBudget(Result):
    """A stage between collision and accept; times after the collision."""

    name: str
    kind: Literal["stage", "contingency"]
    crossings: int
    begin_ns: float
    end_ns: float
    source: str
    status: _Status
    tagger_slice: SliceOfStage | None


class BudgetOfStudy(Result):
    """The budget check; `budget_ns`, `used_ns` and `slack_ns` are those of the chain from collision to accept.

    Of an estimate these are typical, `band` has their ends, and `verdict` is "not decided" where these differ in it;
    `passed` is whether it is "yes".
    """

    budget: str
    passed: bool
    verdict: _Verdict
    status: _Status
    reasons: list[str]
    budget_ns: float
    used_ns: float
    slack_ns: float
    slice: LimitUsed
    slice_band_crossings: list[AnyNumber] | None
    band: BandOfBudget | None
    chain: LimitUsed
    throughput: ThroughputUsed
    part: PartUsed
    tagger: TaggerOfBudget
    inputs: InputsOfBudget
    stages: list[StageOfBudget]


class EmulationOfTagger(Result):
    """One tagger: its firmware, and how the emulation stood against the golden values of its own C++.

    `jets` are the objects of the collection `of` that it saw, or the crossings if that is `event`; `feature_map` is
    what the map of its inputs calls itself, empty where the study gives them one by one; `own_cpp` are the layers that
    ran as the project's own C++, with the function and its files. `compared` says whether there were golden vectors;
    where there were none, `identical` is null.
    """

    jets: int
    of: str = "jets"  # results of before did not say it
    tagger: str
    firmware: str
    backend: str
    own_cpp: dict[str, str] = Field(default_factory=dict)  # results of before had no such layers
    feature_map: str
    compared: bool
    golden_jets: int
    golden_values: int
    golden_layers: int
    mismatches: int
    identical: bool | None
    first_difference: str | None

    @property
    def kind(self) -> str:
        """What it saw, in words: the name of the collection, or `crossings`."""
        return "crossings" if self.of == "event" else self.of


class EmulationOfStudy(Result):
    """All taggers together; `identical` is null where one was not compared with C++ in this run."""

    jets: int
    golden_jets: int
    golden_values: int
    golden_layers: int
    mismatches: int
    identical: bool | None
    first_difference: str | None
    taggers: list[EmulationOfTagger]

    @property
    def kinds(self) -> str:
        """What the taggers saw, in words: `jets`, `crossings`, or `jets and crossings`."""
        return " and ".join(dict.fromkeys(tagger.kind for tagger in self.taggers))


class TimeQuantiles(Result):
    """Times that a half, 99 % and all but a millionth do not exceed, and the longest: ns."""

    p50: float
    p99: float
    p999999: float
    max: float


class TaggerOfStream(Result):
    """The tagger on a board."""

    copies: int
    latency_cycles: int
    interval_cycles: int
    clock_mhz: AnyNumber


class SeriesOfWorst(Result):
    """What stood where, crossing by crossing from the collision `bx` = 0: jets, jets, events, events."""

    bx: list[int]
    queue: list[int]
    tagging: list[int]
    events: list[int]
    derandomizer: list[int]


class WorstOfStream(Result):
    """The crossing that took longest, and its board around it."""

    crossing: int
    orbit: int
    slot: int
    board: int
    latency_ns: float
    series: SeriesOfWorst


class RatesOfStream(Result):
    """Rates in kHz: accepts of the menu that come in and that reach the readout, and what that can take."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    colliding: float
    in_: float = Field(alias="in")
    in_error: float
    in_upper95: float
    out: float
    out_error: float
    out_upper95: float
    readout_limit: AnyNumber


class LatencyHistogram(Result):
    """How many crossings took so long."""

    latency_ns: list[float]
    crossings: list[int]


class ChainCompared(Result):
    """The empty chain beside the budget's, and what the slowest crossing waited."""

    jets: int
    unloaded_crossings: float
    unloaded_ns: float
    budget_crossings: int | None
    budget_ns: float | None
    difference_ns: float | None
    differences: list[str]
    waiting_ns: float


class CopiesSimulated(Result):
    """A simulation with so many tagger copies a board."""

    copies: int
    late: int
    jets_lost: int
    queue_max: int
    latency_max_ns: float


class CopiesForStream(Result):
    """The fewest tagger copies a board without loss, null where no number is enough, and bounds."""

    copies: int | None
    bound_mean: int
    bound_worst: int
    tried: list[CopiesSimulated]
    orbits: int


class ExactOfStream(Result):
    """Probabilities of loss and lateness, computed without drawing; null where a merge ties the boards together."""

    event_loss: float
    accept_loss: float
    late: float | None
    accept_late: float | None
    jet_loss: float
    latency_ns: dict[str, float] | None
    pruned: float
    states: int


class StreamRun(Result):
    """One simulated stream: crossings and jets counted, times in each station, rates, and what was lost."""

    topology: str
    filling_scheme: str
    engine: str
    orbits: int
    seed: int
    tagger: TaggerOfStream
    tagger_load: float
    crossings: int
    colliding: int
    triggered: int
    accepted: int
    lost: dict[str, int]
    late: int
    late_fraction: float
    late_fraction_upper95: float
    dead_fraction: dict[str, float]
    jets: dict[str, int]
    latency_ns: TimeQuantiles
    stations_ns: dict[str, TimeQuantiles]
    budget_ns: float
    budget_bx: int
    slack_ns: float
    occupancy_max: dict[str, int]
    worst: WorstOfStream | None
    rate_khz: RatesOfStream
    histogram: LatencyHistogram
    unverified: list[str]
    digest: str


class EndOfStream(Result):
    """The stream with the tagger of one end of an estimate's band, the same crossings in it."""

    latency_cycles: int
    interval_cycles: int
    passed: bool
    reasons: list[str]
    late: int
    late_fraction: float
    accepted: int
    jets_lost: int
    tagger_load: float
    latency_ns: TimeQuantiles
    slack_ns: float


class BandOfStream(Result):
    """The stream at the lower and at the upper end of the band of an estimate."""

    low: EndOfStream
    high: EndOfStream


class LinkOfStream(Result):
    """A link between two boards of a network, all copies together: what tensors took in it and what waited before it.

    `longest_ns` is what a tensor took until its last word was sent, `given_ns` what it is given, and `late` are those
    that took longer; `words_max` is the most that was there at once, and `overflows` found more than `buffer_words`.
    """

    name: str
    messages: int
    load: float
    longest_ns: float
    given_ns: float
    late: int
    words_max: int
    buffer_words: int | None
    overflows: int


class NetworkOfStream(Result):
    """The links of a network over several boards, for the jets of the first orbits, and what was late or lost there."""

    orbits: int
    jets: int
    links: list[LinkOfStream]
    reasons: list[str]


class StreamOfStudy(StreamRun):
    """The stream of a study: what was late or lost, beside the budget's chain, with exact probabilities.

    Of a tagger that is estimated this is the typical one, `band` has the ends, and it passes if it does over all of it.
    `network` is there for a tagger over several boards.
    """

    passed: bool
    verdict: _Verdict
    band: BandOfStream | None
    reasons: list[str]
    chain: ChainCompared
    copies_needed: CopiesForStream
    exact: ExactOfStream | None
    network: NetworkOfStream | None = None


class SampleRead(Result):
    """A sample, and for ntuples how they were read; `fraction` of the crossings that were to be measured were.

    `energy_tev` is that of both beams together and `pileup` the mean number of collisions in a crossing, null where
    the files and the study do not say it.
    """

    name: str
    kind: str
    crossings: int
    fraction: float
    energy_tev: AnyNumber | None = None
    pileup: AnyNumber | None = None
    read_as: dict[str, Any] | None


class SamplesOfStudy(Result):
    """The samples; signals by name."""

    background: SampleRead
    signals: dict[str, SampleRead]


class ScoresOfJets(Result):
    """The scores of one kind of jets: shares of each bin, with their errors."""

    jets: int
    jets_without_score: int
    fraction: list[float]
    error: list[float]


class ScoreHistograms(Result):
    """The score by kind of jet, of the jets that a seed may use."""

    score: str
    min_pt_gev: AnyNumber
    abs_eta_max: AnyNumber
    edges: list[float]
    kinds: dict[str, ScoresOfJets]


class FileRead(Result):
    """A file that was read: its name without the folder, or its URL without user, password and query.

    `uuid` is that of a ROOT file. `sha256` is null of a ROOT file behind a URL, which is not read whole for it: there
    `uuid`, `bytes` and the time of its last change, `modified`, as the server tells it, say which file it was.
    """

    name: str
    sha256: str | None
    uuid: str | None = None
    bytes: int | None = None
    modified: str | None = None

    def is_same(self, other: FileRead) -> bool:
        """Whether the content is the same: by its hash, or where one has none, by UUID and size."""
        if self.sha256 is not None and other.sha256 is not None:
            return self.sha256 == other.sha256
        return self.uuid is not None and (self.uuid, self.bytes) == (other.uuid, other.bytes)

    @property
    def identity(self) -> str:
        """The hash, or the UUID where there is none."""
        return self.sha256 or f"UUID {self.uuid}"


class NormalisationOfRates(Result):
    """What every rate is normalised to."""

    colliding_bunches: int
    revolution_hz: AnyNumber
    colliding_rate_khz: float
    text: str


class EngineOfStudy(Result):
    """What measured it: `name` is `run`, or the engine of a batch; threads and kernels are those of each tagger."""

    name: str
    parts: int
    threads: dict[str, int]
    kernels: dict[str, str]


class TimesOfStudy(Result):
    """How fast it was: objects or crossings emulated a second by each tagger, and crossings simulated in the stream.

    `from_cache` are those whose outputs had been kept before; they are not in the speed.
    """

    emulated_per_second: dict[str, float]
    from_cache: dict[str, int]
    stream_crossings_per_second: float | None


class Manifest(Result):
    """What made a result: versions, files, seeds of random generators.

    `date`, `engine` and `times` are all of a result that depends on how and where it was measured. `slices` says of
    each sample from how many slices of its pools its errors are; 0 where they are from collisions, or from crossings.
    """

    l1emu: str
    dependencies: dict[str, str]
    python: str
    platform: str
    date: str
    engine: EngineOfStudy
    times: TimesOfStudy
    files: dict[str, FileRead]
    firmware_content_hashes: dict[str, str]
    seeds: dict[str, int]
    normalisation: NormalisationOfRates
    slices: dict[str, int]


_Interval = Annotated[list[float], Field(min_length=3, max_length=3)]
"""An efficiency and the ends of its 68 % interval."""


class TotalOfMenu(Result):
    """What all seeds together accept; `rate_khz_upper` is a limit at 95 % confidence.

    `accepted` counts the background crossings that a seed accepts before its prescale. The efficiency of each signal is
    that behind the prescales.
    """

    accepted: int
    rate_khz: float
    rate_khz_error: float
    rate_khz_low: float
    rate_khz_high: float
    rate_khz_upper: float
    efficiency: dict[str, _Interval]


class GroupOfMenu(TotalOfMenu):
    """What the seeds of one group accept together, and what no seed of another group accepts, `pure_khz`."""

    name: str
    pure_khz: float
    pure_khz_error: float


class SeedOfMenu(Result):
    """One seed of the menu: rates behind its prescale, but for `rate_khz_unprescaled`.

    `accepted` counts background crossings before the prescale, of which `accepted_strata` belong to each stratum;
    `accepted_weight` is for how many drawn ones these stand, null in results that do not say it. `efficiency` of each
    signal is that before the prescale too. `pure_khz` is accepted by no other seed, `proportional_khz` shares every
    crossing equally among the seeds that accept it. `threshold` is that at the target rate where a number is scanned,
    else null.
    """

    name: str
    group: str
    prescale: AnyNumber
    threshold: float | None
    unit: str
    description: str
    accepted: int
    accepted_strata: list[int]
    accepted_weight: float | None = None
    rate_khz: float
    rate_khz_error: float
    rate_khz_low: float
    rate_khz_high: float
    rate_khz_upper: float
    rate_khz_unprescaled: float
    pure_khz: float
    pure_khz_error: float
    proportional_khz: float
    proportional_khz_error: float
    efficiency: dict[str, _Interval]


class RateKnown(Result):
    """A rate with the ends of its interval, one standard error, and its limit at 95 % confidence, `rate_khz_upper`."""

    rate_khz: float
    rate_khz_error: float
    rate_khz_low: float
    rate_khz_high: float
    rate_khz_upper: float


class MenuAtPileup(Result):
    """Rates at another mean number of collisions, and how many crossings of equal weight would know as much."""

    pileup: float
    effective_crossings: float
    total: RateKnown
    seeds: dict[str, RateKnown]


class MenuInFilling(Result):
    """Rates in another filling scheme at the same pile-up."""

    name: str
    colliding_bunches: int
    colliding_rate_khz: float
    total: RateKnown
    seeds: dict[str, RateKnown]


class MenuOfStudy(Result):
    """The menu: every seed, group and the total, and the rate that two seeds share, by `"A & B"`.

    `pileups` and `fillings` are empty where the study asks for no other ones.
    """

    normalisation: NormalisationOfRates
    total: TotalOfMenu
    seeds: list[SeedOfMenu]
    groups: list[GroupOfMenu]
    overlap: dict[str, float]
    pileups: list[MenuAtPileup]
    fillings: list[MenuInFilling]


class PointOfTurnOn(Result):
    """Where a turn-on reaches a fraction of its plateau; `reason` says why it has no value."""

    fraction: float
    value: float | None
    error_low: float | None
    error_high: float | None
    reason: str | None


class FittedNumber(Result):
    """A number of a fit, with its standard error."""

    value: float
    error: float


class FitOfTurnOn(Result):
    """A curve through a turn-on, its numbers by name; `reason` says why there are none."""

    form: Literal["erf", "erf-widening", "tanh", "emg"]
    parameters: dict[str, FittedNumber]
    deviance: float | None
    ndf: int | None
    p_value: float | None
    points: list[PointOfTurnOn]
    reason: str | None


class TurnOnOfStudy(Result):
    """Efficiency against a generated quantity, bin by bin; null where a bin has nothing in it.

    `threshold` is that of an object or a sum, `split` the field that curves are split by with the range `within`;
    `outside` were generated beyond the edges. `points` are read off the bins without a fit.
    """

    name: str
    signal: str
    quantity: str
    threshold: float | None
    split: str | None
    within: list[float] | None
    edges: list[float]
    passed: list[int]
    total: list[int]
    outside: int
    efficiency: list[float | None]
    low: list[float | None]
    high: list[float | None]
    points: list[PointOfTurnOn]
    fits: list[FitOfTurnOn]


class RatesOfStudy(Result):
    """What `l1emu rates --json` prints: the menu and its seeds alone; `equal_rate` is `comparison.seeds`."""

    version: Literal[3]
    study: str
    normalisation: NormalisationOfRates
    total: TotalOfMenu
    seeds: list[SeedOfMenu]
    groups: list[GroupOfMenu]
    overlap: dict[str, float]
    pileups: list[MenuAtPileup]
    fillings: list[MenuInFilling]
    equal_rate: list[AtTarget]
    rate: list[RatePoint]
    comparison: SeedComparison
    working_points: WorkingPointScan | None
    turn_ons: list[TurnOnOfStudy]
    emulation: EmulationOfStudy | None
    manifest: Manifest

    def __repr__(self) -> str:
        return f"<RatesOfStudy of {self.study}: {_in_short(self)}>"

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        return _menu_html(self.study, self)


class StudyResults(Result):
    """The whole of `results.json`; null is what the study does not ask for."""

    version: Literal[3]
    study: str
    menu: MenuOfStudy
    rate: list[RatePoint]
    comparison: SeedComparison
    working_points: WorkingPointScan | None
    turn_ons: list[TurnOnOfStudy]
    latency: LatencySummaryOfStudy | None
    budget: BudgetOfStudy | None
    emulation: EmulationOfStudy | None
    stream: StreamOfStudy | None
    samples: SamplesOfStudy
    scores: ScoreHistograms | None
    manifest: Manifest

    def as_json(self) -> dict[str, Any]:
        """As a JSON document."""
        return self.model_dump(by_alias=True)

    def __repr__(self) -> str:
        return f"<StudyResults of {self.study}: {_in_short(self.menu)}>"

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        return _menu_html(self.study, self.menu)


def _in_short(menu: MenuOfStudy | RatesOfStudy) -> str:
    total = menu.total
    several = "seed" if len(menu.seeds) == 1 else "seeds"
    return f"{len(menu.seeds)} {several}, {total.rate_khz:.4g} ± {total.rate_khz_error:.2g} kHz"


def _menu_html(title: str, menu: MenuOfStudy | RatesOfStudy) -> str:
    """The menu as a table: a row a seed, and the total."""
    signals = list(menu.total.efficiency)
    columns = ["seed", "prescale", "threshold", "kHz", "±", "pure", *(f"{signal}, %" for signal in signals)]
    rows: list[list[object]] = []
    for s in menu.seeds:
        threshold = "" if s.threshold is None else f"{s.threshold:.4g} {s.unit}"
        own = [f"{s.rate_khz:.4g}", f"{s.rate_khz_error:.2g}", f"{s.pure_khz:.3g}"]
        rows.append([s.name, f"{s.prescale:g}", threshold, *own, *(f"{100 * s.efficiency[n][0]:.1f}" for n in signals)])
    of = menu.total
    kept = [f"{100 * of.efficiency[name][0]:.1f}" for name in signals]
    rows.append(["total", "", "", f"{of.rate_khz:.4g}", f"{of.rate_khz_error:.2g}", "", *kept])
    return html_rows(f"{title}, rates for {menu.normalisation.text}", columns, rows)


def read_results(path: str | os.PathLike[str]) -> StudyResults:
    """Read the results of a study.

    Parameters
    ----------
    path
        A `results.json`, or the folder that `l1emu run` wrote.

    Raises
    ------
    L1emuError
        if the file is absent or damaged, is of another version, or is something else.
    """
    return _read(path, StudyResults, "l1emu run")


def read_rates(path: str | os.PathLike[str]) -> RatesOfStudy | StudyResults:
    """Read the results of a study, or the rates alone that `l1emu rates --json` printed.

    Raises
    ------
    L1emuError
        as `read_results` does.
    """
    file = result_in(path, RESULTS)
    try:
        document = parse_json(read_text(file, limit=LARGEST_RESULT))
    except L1emuError as error:
        raise error.within(file) from None
    if isinstance(document, dict) and "equal_rate" in document:
        return _read(path, RatesOfStudy, "l1emu rates --json")
    return _read(path, StudyResults, "l1emu run")


_R = TypeVar("_R", bound=BaseModel)


def _read(path: str | os.PathLike[str], schema: type[_R], made_by: str) -> _R:
    file, what = result_in(path, RESULTS), "the results of a study"
    return read_result(file, schema, version=RESULTS_VERSION, sign="study", what=what, made_by=made_by)
