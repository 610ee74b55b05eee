"""What `l1emu run` leaves in `results.json`: every field with its type, and the version of them all.

Times are in ns and crossings of 24.95 ns, rates in kHz, transverse momenta in GeV; a probability, an efficiency or a
share is a number from 0 to 1. Fields that end in `_low` and `_high` are the ends of a 68 % interval, those in
`_upper95` an upper limit at 95 % confidence. `docs/results.md` lists them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.jsontext import parse_json

RESULTS = "results.json"
RESULTS_VERSION = 1
"""Raised whenever a field is renamed, removed or means something else; a new field alone leaves it."""

_LARGEST = 256 << 20

_Number = Annotated[int | float, Field(union_mode="left_to_right")]
"""As it was written: JSON has one kind of number, and 360 stays 360."""
_Status = Literal["verified", "unverified"]


class _Result(BaseModel):
    """A part of a result: no field more or less, nothing coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class RatePoint(_Result):
    """One seed at one threshold; the errors' parts are those of crossings alone, of the bootstrap, of empty strata."""

    seed: str
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
    efficiency: float
    efficiency_low: float
    efficiency_high: float


class AtTarget(_Result):
    """What is known of one seed at the target rate; the total errors hold that of the threshold too."""

    seed: str
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


class GainAtTarget(_Result):
    """How much more of the signal one seed keeps than another at the target rate; `significance` in sigma."""

    seed: str
    reference: str
    difference: float
    difference_error: float
    difference_error_low: float
    difference_error_high: float
    significance: float
    replicas: int
    replicas_not_better: int


class StratumOfSample(_Result):
    """A stratum of the min-bias crossings: its probability a crossing, and how many were simulated."""

    name: str
    probability: float
    crossings: int


class SeedComparison(_Result):
    """The seeds at equal rate."""

    target_khz: float
    normalisation: str
    seeds: list[AtTarget]
    gains: list[GainAtTarget]
    strata: list[StratumOfSample]
    unbounded_strata: list[str]
    pools: dict[str, int]


class WorkingPointMissed(_Result):
    """One minimum score with which no threshold has the target rate."""

    minimum: float
    reaches_target: Literal[False]


class _Minimum(_Result):
    minimum: float
    reaches_target: Literal[True]


class WorkingPointReached(AtTarget, _Minimum):
    """One minimum score, with the seed at the target rate."""


class WorkingPointScan(_Result):
    """Efficiency at the target rate by minimum score; `in_use` is that of the seed itself, where it has one."""

    seed: str
    in_use: float | None
    crossings: str
    points: list[WorkingPointReached | WorkingPointMissed]

    @property
    def reached(self) -> list[WorkingPointReached]:
        """Those that have the target rate."""
        return [point for point in self.points if isinstance(point, WorkingPointReached)]


class LatencySummaryOfStudy(_Result):
    """The budget and the stream in a few numbers: the tagger's slice and all of the chain, and what is late."""

    budget_ns: float
    used_ns: float
    slack_ns: float
    late_fraction: float
    late_fraction_upper95: float
    tagger_slice_ns: float
    tagger_used_ns: float
    simulated_max_ns: float
    simulated_crossings: int
    passed: bool
    status: _Status
    tagger_kind: str
    tagger_origin: str


class LimitUsed(_Result):
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


class ThroughputUsed(_Result):
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


class ResourceUsed(_Result):
    """One resource of the part: what all copies take, what there is, and the share, null where there is none."""

    resource: str
    used: int
    available: int
    share: float | None


class PartUsed(_Result):
    """The FPGA that the tagger was made for, and what all its copies take of it."""

    name: str | None
    copies: int
    fits: bool | None
    use: list[ResourceUsed]


class TaggerOfBudget(_Result):
    """The tagger's timing: cycles of its clock, where it is from, and what speaks against it."""

    latency_cycles: int
    interval_cycles: int
    clock_mhz: _Number
    period_ns: float
    latency_ns: float
    band_cycles: list[_Number] | None
    kind: str
    status: _Status
    origin: str
    void: list[str]
    caveats: list[str]
    wait_cycles: int


class SourcedNumber(_Result):
    """A number that the check used, and where it is from."""

    value: _Number
    source: str
    status: _Status


class InputsOfBudget(_Result):
    """The budget's own numbers: crossings in all, clock, boards in turn, jets of an event, tagger copies a board."""

    total: SourcedNumber
    clock_mhz: SourcedNumber
    time_multiplexing: SourcedNumber
    jets: SourcedNumber
    copies: SourcedNumber


class SliceOfStage(_Result):
    """The part of a stage that is the tagger's."""

    crossings: int
    ns: float
    source: str
    status: _Status


class StageOfBudget(_Result):
    """A stage between collision and accept; times after the collision."""

    name: str
    kind: Literal["stage", "contingency"]
    crossings: int
    begin_ns: float
    end_ns: float
    source: str
    status: _Status
    tagger_slice: SliceOfStage | None


class BudgetOfStudy(_Result):
    """The budget check; `budget_ns`, `used_ns` and `slack_ns` are those of the chain from collision to accept."""

    budget: str
    passed: bool
    status: _Status
    reasons: list[str]
    budget_ns: float
    used_ns: float
    slack_ns: float
    slice: LimitUsed
    slice_band_crossings: list[_Number] | None
    chain: LimitUsed
    throughput: ThroughputUsed
    part: PartUsed
    tagger: TaggerOfBudget
    inputs: InputsOfBudget
    stages: list[StageOfBudget]


class EmulationSpeed(_Result):
    """Jets emulated, and how fast."""

    jets: int
    jets_per_second: float
    threads: int


class EmulationOfStudy(_Result):
    """The firmware, how its emulation stood against the golden values of its own C++, and how fast it was."""

    firmware: str
    backend: str
    jets: int
    golden_jets: int
    golden_values: int
    golden_layers: int
    mismatches: int
    identical: bool
    first_difference: str | None
    jets_per_second: float
    threads: int
    target: str


class TimeQuantiles(_Result):
    """Times that a half, 99 % and all but a millionth do not exceed, and the longest: ns."""

    p50: float
    p99: float
    p999999: float
    max: float


class TaggerOfStream(_Result):
    """The tagger on a board."""

    copies: int
    latency_cycles: int
    interval_cycles: int
    clock_mhz: _Number


class SeriesOfWorst(_Result):
    """What stood where, crossing by crossing from the collision `bx` = 0: jets, jets, events, events."""

    bx: list[int]
    queue: list[int]
    tagging: list[int]
    events: list[int]
    derandomizer: list[int]


class WorstOfStream(_Result):
    """The crossing that took longest, and its board around it."""

    crossing: int
    orbit: int
    slot: int
    board: int
    latency_ns: float
    series: SeriesOfWorst


class RatesOfStream(_Result):
    """Rates in kHz: accepts of the menu that come in and that reach the readout, and what that can take."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    colliding: float
    in_: float = Field(alias="in")
    in_error: float
    in_upper95: float
    out: float
    out_error: float
    out_upper95: float
    readout_limit: _Number


class LatencyHistogram(_Result):
    """How many crossings took so long."""

    latency_ns: list[float]
    crossings: list[int]


class ChainCompared(_Result):
    """The empty chain beside the budget's, and what the slowest crossing waited."""

    jets: int
    unloaded_crossings: float
    unloaded_ns: float
    budget_crossings: int | None
    budget_ns: float | None
    difference_ns: float | None
    differences: list[str]
    waiting_ns: float


class CopiesSimulated(_Result):
    """A simulation with so many tagger copies a board."""

    copies: int
    late: int
    jets_lost: int
    queue_max: int
    latency_max_ns: float


class CopiesForStream(_Result):
    """The fewest tagger copies a board without loss, null where no number is enough, and bounds."""

    copies: int | None
    bound_mean: int
    bound_worst: int
    tried: list[CopiesSimulated]
    orbits: int


class ExactOfStream(_Result):
    """Probabilities of loss and lateness, computed without drawing; null where a merge ties the boards together."""

    event_loss: float
    accept_loss: float
    late: float | None
    accept_late: float | None
    jet_loss: float
    latency_ns: dict[str, float] | None
    pruned: float
    states: int


class StreamRun(_Result):
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
    crossings_per_second: float


class StreamOfStudy(StreamRun):
    """The stream of a study: what was late or lost, beside the budget's chain, with exact probabilities."""

    passed: bool
    reasons: list[str]
    chain: ChainCompared
    copies_needed: CopiesForStream
    exact: ExactOfStream | None


class SampleRead(_Result):
    """A sample, and for ntuples how they were read."""

    name: str
    kind: str
    crossings: int
    read_as: dict[str, Any] | None


class SamplesOfStudy(_Result):
    """Both samples."""

    minbias: SampleRead
    signal: SampleRead


class ScoresOfJets(_Result):
    """The scores of one kind of jets: shares of each bin, with their errors."""

    jets: int
    jets_without_score: int
    fraction: list[float]
    error: list[float]


class ScoreHistograms(_Result):
    """The score by kind of jet, of the jets that a seed may use."""

    score: str
    min_pt_gev: _Number
    abs_eta_max: _Number
    edges: list[float]
    kinds: dict[str, ScoresOfJets]


class FileRead(_Result):
    """A file that was read, without its folder."""

    name: str
    sha256: str


class NormalisationOfRates(_Result):
    """What every rate is normalised to."""

    colliding_bunches: int
    revolution_hz: _Number
    colliding_rate_khz: float
    text: str


class Manifest(_Result):
    """What made a result: versions, files, seeds of random generators."""

    l1emu: str
    dependencies: dict[str, str]
    python: str
    platform: str
    date: str
    files: dict[str, FileRead]
    firmware_content_hash: str
    seeds: dict[str, int]
    normalisation: NormalisationOfRates


class RatesOfStudy(_Result):
    """What `l1emu rates --json` prints: the seeds alone."""

    study: str
    rate: list[RatePoint]
    comparison: SeedComparison
    working_points: WorkingPointScan | None
    emulation: EmulationSpeed


class StudyResults(_Result):
    """The whole of `results.json`."""

    version: Literal[1]
    study: str
    rate: list[RatePoint]
    comparison: SeedComparison
    working_points: WorkingPointScan | None
    latency: LatencySummaryOfStudy
    budget: BudgetOfStudy
    emulation: EmulationOfStudy
    stream: StreamOfStudy
    samples: SamplesOfStudy
    scores: ScoreHistograms
    manifest: Manifest

    def as_json(self) -> dict[str, Any]:
        """As a JSON document."""
        return self.model_dump(by_alias=True)


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
    file = Path(path)
    file = file / RESULTS if file.is_dir() else file
    try:
        document = parse_json(read_text(file, limit=_LARGEST))
    except L1emuError as error:
        raise error.within(file) from None
    if not isinstance(document, dict) or "study" not in document:
        raise L1emuError("not the results of a study", path=file, expected="a results.json that `l1emu run` wrote")
    version = document.get("version")
    if version != RESULTS_VERSION or isinstance(version, bool):
        raise L1emuError(
            "results of another version of their fields",
            path=file,
            where="version",
            value="none" if version is None else version,
            expected=f"{RESULTS_VERSION}: run the study again with this l1emu",
        )
    try:
        return StudyResults.model_validate_json(json.dumps(document))
    except ValidationError as error:
        first = error.errors()[0]
        raise L1emuError(
            "damaged results: " + first["msg"].removeprefix("Value error, "),
            path=file,
            where=".".join(str(part) for part in first["loc"]),
        ) from None
