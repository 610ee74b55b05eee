"""One study from end to end: read, emulate, check, simulate, compare, write."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.emulator import Emulator
from l1emu.events.calibration import read_calibration
from l1emu.events.sources import NtupleSample
from l1emu.files import folder_aside, write_json
from l1emu.firmware import Firmware
from l1emu.latency import BudgetCheck, TaggerTiming, check, read_budget, read_report, read_timing
from l1emu.latency.estimate import estimated_timing
from l1emu.outputs import refuse_to_replace
from l1emu.progress import progress
from l1emu.results import RESULTS, RESULTS_VERSION, RatesOfStudy, StudyResults
from l1emu.stream import (
    CopiesNeeded,
    CrossingSource,
    ExactLoss,
    Normalisation,
    OverloadError,
    StreamResult,
    Topology,
    copies_needed,
    exact_loss,
    read_topology,
    simulate,
)
from l1emu.stream.read import has_budget
from l1emu.stream.unloaded import Chains, compared
from l1emu.study.config import StudyFile, StudySeed, read_study
from l1emu.study.golden import GoldenCheck, check_golden
from l1emu.study.manifest import manifest
from l1emu.study.samples import ROLES, open_sample, sample_files
from l1emu.study.scores import score_histograms
from l1emu.study.tagging import TaggedSample, check_fits, tag_sample
from l1emu.trigger import AtRate, Crossings, SeedScan, at_rate, gain, scan_seed, scan_working_points

COPIES_ORBITS = 200


@dataclass(frozen=True, eq=False)
class Results:
    """What a study found: the folder with everything, and what `results.json` holds."""

    folder: Path
    content: StudyResults

    @property
    def document(self) -> dict[str, Any]:
        """`results.json` as a document."""
        return self.content.as_json()

    @property
    def bit_exact(self) -> bool:
        """Whether the emulation gave every golden value."""
        return self.content.emulation.identical

    @property
    def within_budget(self) -> bool:
        """Whether the tagger keeps to the budget."""
        return self.content.budget.passed

    @property
    def in_time(self) -> bool:
        """Whether every crossing of the simulated stream was decided in time and nothing was lost on the way."""
        return self.content.stream.passed

    @property
    def passed(self) -> bool:
        """All of them."""
        return self.bit_exact and self.within_budget and self.in_time


@dataclass(frozen=True, eq=False)
class Measurement:
    """Rate against efficiency, with what it was made from."""

    minbias: TaggedSample
    signal: TaggedSample
    normalisation: Normalisation
    scans: tuple[SeedScan, ...]
    at_target: tuple[AtRate, ...]
    working_points: list[tuple[float, AtRate | None]]
    threads: int

    @property
    def jets_per_second(self) -> float:
        """Jets emulated a second of wall time, quantization of the inputs included."""
        seconds = self.minbias.seconds + self.signal.seconds
        return (self.minbias.emulated + self.signal.emulated) / seconds if seconds > 0 else 0.0

    def rate_points(self) -> list[dict[str, Any]]:
        """Rate and efficiency of every seed at every threshold, for JSON."""
        points = []
        for scan in self.scans:
            r, e = scan.rates, scan.efficiency
            for i, threshold in enumerate(r.thresholds):
                points.append(
                    {
                        "seed": scan.seed.name,
                        "threshold": float(threshold),
                        "unit": scan.seed.unit,
                        "rate_khz": float(r.rate_khz[i]),
                        "rate_khz_error": float(r.error_khz[i]),
                        "rate_khz_low": float(r.low_khz[i]),
                        "rate_khz_high": float(r.high_khz[i]),
                        "rate_khz_upper95": float(r.upper95_khz[i]),
                        "rate_khz_error_binomial": float(r.binomial_khz[i]),
                        "rate_khz_error_bootstrap": float(r.bootstrap_khz[i]),
                        "rate_khz_unseen": float(r.unseen_khz[i]),
                        "accepted_crossings": int(r.accepted[i].sum()),
                        "efficiency": float(e.value[i]),
                        "efficiency_low": float(e.low[i]),
                        "efficiency_high": float(e.high[i]),
                    }
                )
        return points

    def samples(self) -> dict[str, Any]:
        """The samples and, for those that came as ntuples, how they were read, for JSON."""
        found = {}
        for role, tagged in (("minbias", self.minbias), ("signal", self.signal)):
            sample = tagged.sample
            found[role] = {"name": sample.name, "kind": sample.kind, "crossings": len(tagged.crossings)}
            found[role]["read_as"] = sample.recipe if isinstance(sample, NtupleSample) else None
        return found

    def comparison(self) -> dict[str, Any]:
        """The seeds at equal rate, and how much more the tagged ones keep, for JSON."""
        tagged = [a for a in self.at_target if a.seed.tagged]
        untagged = [a for a in self.at_target if not a.seed.tagged]
        return {
            "target_khz": self.at_target[0].target_khz,
            "normalisation": str(self.normalisation),
            "seeds": [a.as_dict() for a in self.at_target],
            "gains": [gain(a, b).as_dict() for a in tagged for b in untagged],
            "strata": [
                {"name": name, "probability": float(p), "crossings": int(n)}
                for name, p, n in zip(
                    self.minbias.crossings.names,
                    self.minbias.crossings.probability,
                    self.minbias.crossings.counts,
                    strict=True,
                )
            ],
            "unbounded_strata": [
                name for j, name in enumerate(self.minbias.crossings.names) if not self.minbias.crossings.is_bounded(j)
            ],
            "pools": self.minbias.sample.pool_sizes,
        }


def run_study(study: str | os.PathLike[str] | None, output: str | os.PathLike[str]) -> Results:
    """Run a study and write its results folder: `results.json`, figures, tables, one HTML page.

    The folder is written aside and renamed when it is whole; a result that was there before is replaced only then.

    Parameters
    ----------
    study
        YAML of `l1emu.study.config.Study`; None for the embedded one.
    output
        The results folder.

    Raises
    ------
    L1emuError
        on bad input of any kind, naming the file and the place; if `output` is something else than a results folder.
    """
    from l1emu.report import write_report

    folder = Path(output)
    refuse_to_replace(folder, RESULTS)
    file = read_study(study)
    check_ = check_budget(file)
    inputs = _files(file)
    chain = _chain(file, check_)
    emulator = load_emulator(file)
    golden = check_golden(emulator, file.file(file.study.tagger.golden))
    measured = measure(file, emulator)
    stream = _stream(file, chain, check_, measured)
    document = {
        "version": RESULTS_VERSION,
        "study": file.study.name,
        "rate": measured.rate_points(),
        "comparison": measured.comparison(),
        "working_points": _working_points(file, measured),
        "latency": _latency(check_, stream.result),
        "budget": check_.as_dict(),
        "emulation": _emulation(emulator, golden, measured),
        "stream": stream.as_json(),
        "samples": measured.samples(),
        "scores": score_histograms(measured.signal, measured.minbias),
        "manifest": manifest(
            files=inputs,
            firmware_hash=emulator.firmware.content_hash,
            seeds=_seeds(file, measured),
            normalisation=measured.normalisation,
        ),
    }
    results = StudyResults.model_validate(document)
    with folder_aside(folder) as aside:
        write_json(aside / RESULTS, results.as_json())
        write_report(results, aside)
    return Results(folder, results)


def measure_rates(study: str | os.PathLike[str] | None) -> RatesOfStudy:
    """Rate against efficiency alone: the keys `rate`, `comparison`, `working_points` and `emulation` of a result.

    Raises
    ------
    L1emuError
        as `run_study` does.
    """
    file = read_study(study)
    emulator = load_emulator(file)
    measured = measure(file, emulator)
    document = {
        "study": file.study.name,
        "rate": measured.rate_points(),
        "comparison": measured.comparison(),
        "working_points": _working_points(file, measured),
        "emulation": {
            "jets": measured.minbias.emulated + measured.signal.emulated,
            "jets_per_second": measured.jets_per_second,
            "threads": measured.threads,
        },
    }
    return RatesOfStudy.model_validate(document)


def load_emulator(file: StudyFile) -> Emulator:
    """The emulator of a study's firmware, compiled.

    Raises
    ------
    L1emuError
        if the firmware cannot be read, or does not take the jets of a study.
    """
    path = file.file(file.study.tagger.firmware)
    firmware = Firmware.read(path)
    check_fits(firmware, str(path))
    emulator = Emulator(firmware, threads=file.study.tagger.threads)
    emulator(np.zeros((1, firmware.inputs[0].size)))  # compile before anything is timed
    return emulator


def measure(file: StudyFile, emulator: Emulator) -> Measurement:
    """Tag both samples and scan every seed.

    Raises
    ------
    L1emuError
        if a sample is damaged or of the wrong kind, or no scanned threshold gives the target rate.
    """
    study = file.study
    normalisation = file.normalisation()
    f_khz = normalisation.colliding_rate_hz / 1e3
    minbias = _tagged(file, emulator, "minbias")
    signal = _tagged(file, emulator, "signal")
    options: dict[str, int] = {"replicas": study.rate.replicas, "random_seed": study.rate.random_seed}
    scans, at_target = [], []
    points = len(study.working_points.minima) if study.working_points else 0
    with progress("scanning seeds", len(study.seeds) + points) as advance:
        for seed in study.seeds:
            scan = scan_seed(seed, seed.scan.thresholds, minbias.jets, minbias.crossings, signal.jets, f_khz, **options)
            scans.append(scan)
            at_target.append(
                at_rate(scan, study.rate.target_khz, signal.crossings, random_seed=study.rate.random_seed + 1)
            )
            advance(1)
        working = _scan_working_points(file, minbias, signal, f_khz, options, advance)
    return Measurement(minbias, signal, normalisation, tuple(scans), tuple(at_target), working, emulator.threads)


def check_budget(file: StudyFile) -> BudgetCheck:
    """The budget check of a study.

    Raises
    ------
    L1emuError
        if the budget or the source of the tagger's timing is wrong.
    """
    settings = file.study.latency
    budget = read_budget(file.file(settings.budget))
    clock = budget.clock.value if settings.clock_mhz is None else settings.clock_mhz
    if settings.report is not None:
        timing = TaggerTiming.from_report(read_report(file.file(settings.report)), clock)
    elif settings.file is not None:
        timing = TaggerTiming.from_stated(read_timing(file.file(settings.file)), clock)
    elif settings.stated is not None:
        timing = TaggerTiming.from_stated(settings.stated, clock)
    elif settings.estimate is not None:
        wanted = settings.estimate
        source = file.file(file.study.tagger.firmware if wanted.project is None else wanted.project)
        timing = estimated_timing(source, clock, part=wanted.part, reuse=wanted.reuse, strategy=wanted.strategy)
    else:
        raise AssertionError("checked when read")
    return check(budget, timing, jets=settings.jets, copies=settings.copies)


def _tagged(file: StudyFile, emulator: Emulator, role: str) -> TaggedSample:
    sample = open_sample(file, role)
    name = file.study.jets.calibration
    calibration = None if name is None else read_calibration(file.file(name))
    step = file.study.samples.step
    with progress(f"emulating {sample.name}", sample.crossings) as advance:
        return tag_sample(sample, emulator, file.study.jets, step=step, calibration=calibration, advance=advance)


def _scan_working_points(
    file: StudyFile,
    minbias: TaggedSample,
    signal: TaggedSample,
    f_khz: float,
    options: dict[str, int],
    advance: Callable[[int], None],
) -> list[tuple[float, AtRate | None]]:
    """Each minimum score at the target rate, on the first half of the crossings of both samples."""
    study = file.study
    if study.working_points is None:
        return []
    seed: StudySeed = study.seed(study.working_points.seed)
    background, wanted = minbias.crossings.half(0), signal.crossings.half(0)
    some_background, some_signal = minbias.crossings.select(background), signal.crossings.select(wanted)
    found = []
    for minimum in study.working_points.minima:
        found += scan_working_points(
            seed, [minimum], study.rate.target_khz, seed.scan.thresholds, minbias.jets[background], some_background,
            signal.jets[wanted], some_signal, f_khz, **options,
        )  # fmt: skip
        advance(1)
    return found


def _working_points(file: StudyFile, measured: Measurement) -> dict[str, Any] | None:
    settings = file.study.working_points
    if settings is None:
        return None
    points: list[dict[str, Any]] = []
    for minimum, at in measured.working_points:
        described = {} if at is None else at.as_dict()
        points.append({"minimum": minimum, "reaches_target": at is not None} | described)
    jets = file.study.seed(settings.seed).jets
    fixed = {tag.minimum for tag in jets.tags if not isinstance(tag.minimum, str)} if jets is not None else set()
    return {
        "seed": settings.seed,
        "in_use": fixed.pop() if len(fixed) == 1 else None,
        "crossings": "one half of the crossings of each sample",
        "points": points,
    }


@dataclass(frozen=True)
class _Stream:
    """The simulated stream, its chain beside the budget's, the copies that it needs, and its exact loss.

    The loss is None where the boards do not keep up.
    """

    result: StreamResult
    chains: Chains
    copies: CopiesNeeded
    exact: ExactLoss | None

    def as_json(self) -> dict[str, Any]:
        exact = None if self.exact is None else self.exact.as_json()
        needed = self.copies.as_json() | {"orbits": COPIES_ORBITS}
        chain = self.chains.as_json(self.result.latency.max)
        judged = {"passed": self.result.passed, "reasons": list(self.result.reasons)}
        return self.result.as_json() | judged | {"chain": chain, "copies_needed": needed, "exact": exact}


def _chain(file: StudyFile, check_: BudgetCheck) -> tuple[Topology, bool]:
    """The chain of a study with the tagger that was checked, and whether its times are those of the study's budget."""
    path = file.file(file.study.stream.topology)
    derived = has_budget(path)
    budget = check_.budget if check_.jets == check_.budget.jets.value else check_.budget.with_jets(check_.jets)
    topology = read_topology(path, budget=budget if derived else None)
    timing = check_.timing
    topology = topology.with_tagger(
        copies=check_.copies,
        latency_cycles=timing.latency_cycles,
        interval_cycles=timing.interval_cycles,
        clock_mhz=timing.clock_mhz,
        source=timing.origin,
        verified=timing.status == "verified",
    )
    return topology, derived


def _stream(file: StudyFile, chain: tuple[Topology, bool], check_: BudgetCheck, measured: Measurement) -> _Stream:
    settings = file.study.stream
    topology, derived = chain
    source = crossing_source(measured, settings.accepts)
    filling = file.filling()
    with progress("simulating orbits", settings.orbits) as advance:
        result = simulate(
            topology,
            source,
            orbits=settings.orbits,
            seed=settings.random_seed,
            filling=filling,
            engine=settings.engine,
            progress=advance,
        )
    needed = copies_needed(topology, source, orbits=COPIES_ORBITS, seed=settings.random_seed, filling=filling)
    try:
        exact = exact_loss(topology, source, filling=filling)
    except OverloadError:
        exact = None
    return _Stream(result, compared(topology, check_, derived=derived), needed, exact)


def crossing_source(measured: Measurement, seed: str) -> CrossingSource:
    """What colliding crossings bring into the stream: jets, and accepts of one seed at the target rate."""
    index = [scan.seed.name for scan in measured.scans].index(seed)
    crossings: Crossings = measured.minbias.crossings
    jets: npt.NDArray[np.int64] = np.asarray([len(c) for c in measured.minbias.jets.pt], np.int64)
    accept = measured.scans[index].minbias_reach >= measured.at_target[index].threshold
    return CrossingSource(jets, accept, crossings.weight)


def _latency(check_: BudgetCheck, stream: StreamResult) -> dict[str, Any]:
    return {
        "budget_ns": check_.chain.allowed_ns,
        "used_ns": check_.chain.used_ns,
        "slack_ns": check_.chain.slack_ns,
        "late_fraction": stream.late_fraction,
        "late_fraction_upper95": stream.late_fraction_upper,
        "tagger_slice_ns": check_.slice.allowed_ns,
        "tagger_used_ns": check_.slice.used_ns,
        "simulated_max_ns": stream.latency.max,
        "simulated_crossings": stream.colliding,
        "passed": check_.passed,
        "status": check_.status,
        "tagger_kind": check_.timing.kind,
        "tagger_origin": check_.timing.origin,
    }


def _emulation(emulator: Emulator, golden: GoldenCheck, measured: Measurement) -> dict[str, Any]:
    return {
        "firmware": emulator.firmware.name,
        "backend": emulator.firmware.backend,
        "jets": measured.minbias.emulated + measured.signal.emulated,
        "golden_jets": golden.jets,
        "golden_values": golden.values,
        "golden_layers": golden.layers,
        "mismatches": golden.mismatches,
        "identical": golden.identical,
        "first_difference": golden.first_difference,
        "jets_per_second": measured.jets_per_second,
        "threads": emulator.threads,
        "target": emulator.target,
    }


def _files(file: StudyFile) -> dict[str, Path]:
    study = file.study
    names = {
        "firmware": study.tagger.firmware,
        "golden": study.tagger.golden,
        "budget": study.latency.budget,
        "timing": study.latency.file,
        "topology": study.stream.topology,
        "filling": study.beam.filling,
        "calibration": study.jets.calibration,
    }
    files = {"study": file.path}
    for role in ROLES:
        found = sample_files(file, role)
        files |= {role if len(found) == 1 else f"{role} {i}": path for i, path in enumerate(found)}
    files |= {role: file.file(name) for role, name in names.items() if name is not None}
    if study.latency.report is not None:
        files["report"] = Path(read_report(file.file(study.latency.report)).path)
    return files


def _seeds(file: StudyFile, measured: Measurement) -> dict[str, int]:
    seeds = {"bootstrap": file.study.rate.random_seed, "stream": file.study.stream.random_seed}
    for tagged in (measured.minbias, measured.signal):
        seed = tagged.sample.recipe.get("seed")
        if isinstance(seed, int):
            seeds[f"sample {tagged.sample.name}"] = seed
    return seeds
