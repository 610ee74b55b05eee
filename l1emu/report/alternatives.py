"""What each figure shows, in words: for those who hear the page."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from l1emu.report.style import wrapped
from l1emu.results import StudyResults

_MOST = 8


def shown_by(name: str, results: StudyResults) -> str:
    """What the figure of this name, as of `l1emu.report.figures.drawings`, shows of a result."""
    if name in _WORDS:
        return _WORDS[name](results)
    names = list(dict.fromkeys(row.name for row in results.turn_ons))
    return _turn_on(results, names[int(name.removeprefix("turn_on_")) - 1])


def _efficiency(results: StudyResults) -> str:
    of = results.comparison
    told = [
        f"{wrapped(s.seed, 60, 1)} keeps {100 * s.efficiency:.1f} ± {100 * s.efficiency_error_total:.1f} % "
        f"of {wrapped(s.signal, 40, 1)}"
        for s in of.seeds
    ]
    return f"Curves of signal efficiency against Level-1 rate. At {of.target_khz:g} kHz {_listed(told)}."


def _rate(results: StudyResults) -> str:
    of = results.comparison
    told = [f"{wrapped(s.seed, 60, 1)} at {s.threshold:.4g} {s.unit}".rstrip() for s in of.seeds]
    told = list(dict.fromkeys(told))
    reach = f" They come down to {of.target_khz:g} kHz: {_listed(told)}." if told else ""
    return f"Falling curves of the Level-1 rate against the threshold, on a logarithmic axis.{reach}"


def _pileups(results: StudyResults) -> str:
    points = sorted(results.menu.pileups, key=lambda point: point.pileup)
    told = [f"{p.total.rate_khz:.3g} kHz at pile-up {p.pileup:g}" for p in points]
    return f"Rates against pile-up, of the total and of the largest seeds. The total: {_listed(told)}."


def _budget(results: StudyResults) -> str:
    budget = results.budget
    assert budget is not None
    told = [f"{wrapped(s.name, 60, 1)} until {s.end_ns / 1e3:.2f} µs ({s.status})" for s in budget.stages]
    return (
        f"Bars one after the other from the collision to {budget.budget_ns / 1e3:.2f} µs: {_listed(told, 20)}. "
        f"Slack {budget.slack_ns / 1e3:.2f} µs."
    )


def _stream(results: StudyResults) -> str:
    stream = results.stream
    assert stream is not None
    times = stream.latency_ns
    return (
        f"Histogram of the latency of {stream.colliding:,} crossings: half within {times.p50 / 1e3:.2f} µs, all "
        f"within {times.max / 1e3:.2f} µs, of a pipeline of {stream.budget_ns / 1e3:.2f} µs; {stream.late} are late."
    )


def _scores(results: StudyResults) -> str:
    scores = results.scores
    assert scores is not None
    edges = np.asarray(scores.edges)
    centres, told = (edges[1:] + edges[:-1]) / 2, []
    for name, kind in scores.kinds.items():
        if kind.jets:
            above = float(np.sum(np.asarray(kind.fraction)[centres > edges.mean()]))
            told.append(f"{wrapped(name, 60, 1)} has {100 * above:.1f} % of its {kind.jets:,} jets in the upper half")
    return f"Histograms of the tagger's score from {edges[0]:g} to {edges[-1]:g}: {_listed(told)}."


def _working_points(results: StudyResults) -> str:
    scan = results.working_points
    assert scan is not None
    told = [f"{100 * p.efficiency:.1f} % at {p.minimum:.3g}" for p in scan.reached]
    return f"Points of the signal efficiency at the target rate against the minimum score: {_listed(told, 20)}."


def _turn_on(results: StudyResults, name: str) -> str:
    told = []
    for row in (row for row in results.turn_ons if row.name == name):
        half = next((p.value for p in row.points if p.fraction == 0.5 and p.value is not None), None)
        of = wrapped(row.signal, 40, 1)
        if row.threshold is not None:
            of += f" from a threshold of {row.threshold:g}"
        told.append(
            f"{of} " + ("does not reach half" if half is None else f"reaches half of its plateau at {half:.4g}")
        )
    return f"Rising curves of the efficiency against the generated quantity: {_listed(told)}."


def _listed(told: list[str], most: int = _MOST) -> str:
    """So many at most, and how many more there are."""
    more = len(told) - most
    return ", ".join(told[:most]) + (f", and {more} more" if more > 0 else "")


_WORDS: dict[str, Callable[[StudyResults], str]] = {
    "efficiency_vs_rate": _efficiency,
    "rate_vs_threshold": _rate,
    "rate_vs_pileup": _pileups,
    "budget": _budget,
    "stream_latency": _stream,
    "scores": _scores,
    "working_points": _working_points,
}
