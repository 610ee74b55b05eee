"""What a measurement says, as the parts of `results.json` and of `l1emu rates --json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from l1emu.events.objects import ObjectSample
from l1emu.events.sample import Sample
from l1emu.events.sources import NtupleSample
from l1emu.firmware.graph import own_cpp
from l1emu.study.asked import asked_scores
from l1emu.study.config import BACKGROUND, Samples, StudyFile
from l1emu.study.decided import histogrammed
from l1emu.study.measure import MeasuredSample, Measurement
from l1emu.study.scores import score_histograms
from l1emu.taggers.golden import GoldenComparison
from l1emu.trigger.compare import AtRate
from l1emu.trigger.menu import Seed
from l1emu.trigger.pileup import PileupPoint
from l1emu.trigger.rates_of_menu import KhzRate, MenuRates
from l1emu.trigger.turn_on_fits import POINTS, Form, fit_turn_on, interpolate_point

FITTED: tuple[Form, ...] = ("erf", "tanh")
"""The forms that are fitted to every turn-on."""


def menu_document(measured: Measurement) -> dict[str, Any]:
    """The menu: normalisation, total, seeds, groups and overlaps."""
    rates, kept = measured.menu, measured.kept
    seen = measured.background.menu
    return {
        "normalisation": normalisation_document(measured),
        "total": _rate(rates.total, seen.any_of_all, {n: m.total for n, m in kept.items()}),
        "seeds": [_seed(measured, seed, i) for i, seed in enumerate(measured.seeds)],
        "groups": [
            {"name": g.name}
            | _rate(g.rate, seen.any_of_group[g.name], {name: m.groups[i].rate for name, m in kept.items()})
            | {"pure_khz": g.pure.rate_khz, "pure_khz_error": g.pure.error_khz}
            for i, g in enumerate(rates.groups)
        ],
        "overlap": {pair: found.rate_khz for pair, found in rates.overlap.items()},
        "pileups": [_pileup(point) for point in measured.pileups],
        "fillings": [_filling(measured, name) for name in measured.others],
    }


def _pileup(point: PileupPoint) -> dict[str, Any]:
    """Rates of the menu at another pile-up."""
    return {
        "pileup": point.pileup,
        "effective_crossings": point.effective_crossings,
        **_rates_alone(point.rates),
    }


def _filling(measured: Measurement, name: str) -> dict[str, Any]:
    """Rates of the menu in another filling scheme."""
    of = measured.others[name]
    khz = of.colliding_rate_hz / 1e3
    return {
        "name": name,
        "colliding_bunches": of.colliding,
        "colliding_rate_khz": khz,
        **_rates_alone(measured.menu.scaled(khz)),
    }


def _rates_alone(rates: MenuRates) -> dict[str, Any]:
    return {"total": _interval(rates.total), "seeds": {seed.entry.name: _interval(seed.rate) for seed in rates.seeds}}


def normalisation_document(measured: Measurement) -> dict[str, Any]:
    """What every rate is normalised to."""
    of = measured.normalisation
    return {
        "colliding_bunches": of.colliding,
        "revolution_hz": of.revolution_hz,
        "colliding_rate_khz": of.colliding_rate_hz / 1e3,
        "text": str(of),
    }


def _rate(found: KhzRate, accepted: int, signals: Mapping[str, KhzRate]) -> dict[str, Any]:
    return {
        "accepted": accepted,
        **_interval(found),
        "efficiency": {name: [kept.rate_khz, kept.low_khz, kept.high_khz] for name, kept in signals.items()},
    }


def _interval(found: KhzRate) -> dict[str, float]:
    return {
        "rate_khz": found.rate_khz,
        "rate_khz_error": found.error_khz,
        "rate_khz_low": found.low_khz,
        "rate_khz_high": found.high_khz,
        "rate_khz_upper": found.upper95_khz,
    }


def _seed(measured: Measurement, seed: Seed, i: int) -> dict[str, Any]:
    found = measured.menu.seeds[i]
    kept = {}
    for name, signal in measured.signals.items():
        of = signal.kept_by(i)
        kept[name] = [float(of.value), float(of.low), float(of.high)]
    return {
        "name": seed.name,
        "group": seed.group,
        "prescale": seed.prescale,
        "threshold": found.threshold,
        "unit": seed.unit,
        "description": seed.describe(),
        "accepted": found.accepted,
        "accepted_strata": list(found.accepted_by_stratum),
        "accepted_weight": measured.background.accepted_weight(i),
        **_interval(found.rate),
        "rate_khz_unprescaled": found.unprescaled.rate_khz,
        "pure_khz": found.pure.rate_khz,
        "pure_khz_error": found.pure.error_khz,
        "proportional_khz": found.proportional.rate_khz,
        "proportional_khz_error": found.proportional.error_khz,
        "efficiency": kept,
    }


def rate_points(measured: Measurement) -> list[dict[str, Any]]:
    """Rate and efficiencies of every scanned seed at every threshold: a row for each signal, or one without signals."""
    points = []
    for seed in measured.decided.scanned:
        scan = measured.scans[seed.name]
        curves = {
            "rate_khz": scan.rate_khz,
            "rate_khz_error": scan.error_khz,
            "rate_khz_low": scan.low_khz,
            "rate_khz_high": scan.high_khz,
            "rate_khz_upper95": scan.upper95_khz,
            "rate_khz_error_binomial": scan.binomial_khz,
            "rate_khz_error_bootstrap": scan.bootstrap_khz,
            "rate_khz_unseen": scan.unseen_khz,
        }
        for signal in measured.signals or [None]:
            kept = None if signal is None else measured.efficiency_scan(seed.name, signal)
            for i, threshold in enumerate(scan.thresholds):
                ends = {"": "value", "_low": "low", "_high": "high"}
                points.append(
                    {"seed": seed.name, "signal": signal, "scanned": seed.scanned}
                    | {"threshold": float(seed.sign * threshold), "unit": seed.unit}
                    | {name: float(curve[i]) for name, curve in curves.items()}
                    | {"accepted_crossings": int(scan.accepted[i].sum())}
                    | {
                        f"efficiency{e}": None if kept is None else float(getattr(kept, of)[i])
                        for e, of in ends.items()
                    }
                )
    return points


def comparison_document(file: StudyFile, measured: Measurement) -> dict[str, Any]:
    """The scanned seeds at equal rate, and how much more the tagged ones keep of each signal."""
    background = measured.background
    strata = background.strata
    rows, gains = [], []
    for signal, found in measured.at_target.items():
        rows += [_at_rate(measured, signal, at) for at in found.values()]
        gains += [{"signal": signal} | one.as_dict() for one in measured.gains[signal]]
    return {
        "target_khz": file.study.rate.target_khz,
        "normalisation": str(measured.normalisation),
        "seeds": rows,
        "gains": gains,
        "strata": [
            {"name": name, "probability": float(p), "crossings": int(n)}
            for name, p, n in zip(strata.names, strata.probability, background.crossings, strict=True)
        ],
        "unbounded_strata": [name for name, known in zip(strata.names, strata.bounded, strict=True) if not known],
        "pools": background.sample.pool_sizes,
    }


def _at_rate(measured: Measurement, signal: str, at: AtRate) -> dict[str, Any]:
    """A seed at the target rate, its threshold as it is written: that of an upper cut is scanned negated."""
    sign = next(seed.sign for seed in measured.decided.scanned if seed.name == at.seed.name)
    return {"signal": signal} | at.as_dict() | {"threshold": sign * at.threshold}


def working_points_document(file: StudyFile, measured: Measurement) -> dict[str, Any] | None:
    """The choice of a minimum score; None if the study asks for none."""
    settings, choice = file.study.working_points, measured.working_points
    if settings is None or choice is None:
        return None
    signal = next(iter(measured.signals))
    points = [
        {"minimum": minimum, "reaches_target": at is not None} | ({} if at is None else _at_rate(measured, signal, at))
        for minimum, at in choice.tried.items()
    ]
    seed = next(seed for seed in measured.seeds if seed.name == settings.seed)
    fixed = {asked.minimum for asked in asked_scores(seed) if asked.minimum is not None}
    return {
        "seed": settings.seed,
        "in_use": fixed.pop() if len(fixed) == 1 else None,
        "crossings": "one half of the crossings of each sample",
        "points": points,
        "chosen": choice.chosen,
        "on_the_other_half": None if choice.quoted is None else _at_rate(measured, signal, choice.quoted),
    }


def turn_ons_document(measured: Measurement) -> list[dict[str, Any]]:
    """Every turn-on curve with its fits, and where it reaches 50 and 95 % with and without one."""
    curves = [curve for sample in measured.signals.values() for counts in sample.turn_ons for curve in counts.curves()]
    return [
        curve.as_dict()
        | {"points": [interpolate_point(curve, fraction).as_dict() for fraction in POINTS]}
        | {"fits": [fit_turn_on(curve, form).as_dict() for form in FITTED]}
        for curve in curves
    ]


def samples_document(measured: Measurement, planned: Mapping[str, int], stated: Samples) -> dict[str, Any]:
    """The samples and, for those that l1emu did not make, how they were read.

    Parameters
    ----------
    measured
        The measurement.
    planned
        Crossings that were to be measured, by role; all that were where nothing else is said.
    stated
        What the study says of its samples.
    """
    found = {name: _sample(sample, planned.get(name), stated) for name, sample in measured.samples.items()}
    return {"background": found.pop(BACKGROUND), "signals": found}


def _sample(measured: MeasuredSample, planned: int | None, stated: Samples) -> dict[str, Any]:
    sample = measured.sample
    own = sample if isinstance(sample, Sample) else None
    return {
        "name": sample.name,
        "kind": sample.kind,
        "crossings": measured.first.total,
        "fraction": 1.0 if planned is None else measured.first.total / planned,
        "energy_tev": stated.energy_tev if own is None else own.energy_tev,
        "pileup": stated.pileup if own is None else own.pileup,
        "read_as": sample.recipe if isinstance(sample, NtupleSample | ObjectSample) else None,
    }


def emulation_document(measured: Measurement, golden: Mapping[str, GoldenComparison | None]) -> dict[str, Any] | None:
    """The taggers, and how their emulation stood against golden values; None without taggers."""
    if not measured.taggers:
        return None
    rows = [_tagger(measured, name, golden.get(name)) for name in measured.taggers]
    wrong = [row for row in rows if row["identical"] is False]
    every: Sequence[bool | None] = [row["identical"] for row in rows]
    return {
        "jets": sum(row["jets"] for row in rows),
        "golden_jets": sum(row["golden_jets"] for row in rows),
        "golden_values": sum(row["golden_values"] for row in rows),
        "golden_layers": sum(row["golden_layers"] for row in rows),
        "mismatches": sum(row["mismatches"] for row in rows),
        "identical": False if wrong else None if None in every else True,
        "first_difference": wrong[0]["first_difference"] if wrong else None,
        "taggers": rows,
    }


def _tagger(measured: Measurement, name: str, golden: GoldenComparison | None) -> dict[str, Any]:
    firmware = measured.taggers[name].emulator.firmware
    return {
        "jets": measured.emulated(name),
        "of": measured.taggers[name].of,
        "tagger": name,
        "firmware": firmware.name,
        "backend": firmware.backend,
        "own_cpp": own_cpp(firmware),
        "feature_map": measured.taggers[name].feature_map,
        "compared": golden is not None,
        "golden_jets": 0 if golden is None else golden.jets,
        "golden_values": 0 if golden is None else golden.values,
        "golden_layers": 0 if golden is None else golden.layers,
        "mismatches": 0 if golden is None else golden.mismatches,
        "identical": None if golden is None else golden.identical,
        "first_difference": None if golden is None else golden.first_difference,
    }


def emulated_per_second(measured: Measurement) -> dict[str, float]:
    """What was emulated a second of wall time, by tagger: jets, objects or crossings."""
    emulated = {name: measured.emulated(name) - spent.from_cache for name, spent in measured.spent.items()}
    return {name: emulated[name] / spent.seconds for name, spent in measured.spent.items() if spent.seconds > 0}


def scores_document(file: StudyFile, measured: Measurement) -> dict[str, Any] | None:
    """The distribution of the first score that a seed asks for; None without one of a tagger of objects."""
    shown = histogrammed(file, measured.taggers)
    if shown is None:
        return None
    samples = {
        name: (sample.first.scores, sample.weight)
        for name, sample in {**measured.signals, BACKGROUND: measured.background}.items()
        if sample.first.scores is not None
    }
    return score_histograms(shown[1], samples)
