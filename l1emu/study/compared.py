"""Two results beside one another: rates, efficiencies, whether statistics explain what differs, and what went in."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from l1emu.notebook import Shown
from l1emu.results import Manifest, RatesOfStudy, SeedOfMenu, StudyResults, TotalOfMenu, read_rates

SIGMA = 3.0
"""Differences of so many standard errors are beyond statistics: by chance one of twenty seeds in twenty times."""

_TOTAL, _BACKGROUND = "(total)", "background"


@dataclass(frozen=True)
class RatesCompared:
    """The rate of one seed, or of all of the menu, in two results; kHz, None where one has no such seed.

    `ratio` is b over a with its error, None where a is 0 or unknown; `significance` the difference over its error.
    """

    seed: str
    a_khz: float | None
    a_khz_error: float | None
    b_khz: float | None
    b_khz_error: float | None
    a_accepted: int | None
    b_accepted: int | None
    ratio: float | None
    ratio_error: float | None
    significance: float
    beyond_statistics: bool


@dataclass(frozen=True)
class EfficienciesCompared:
    """The efficiency of one seed, or of all of the menu, for one signal in two results.

    `difference` is b minus a, what is gained, with its errors; None where one of them has no such seed or signal.
    """

    seed: str
    signal: str
    a: list[float] | None
    b: list[float] | None
    difference: float | None
    error_low: float | None
    error_high: float | None
    significance: float
    beyond_statistics: bool


@dataclass(frozen=True)
class InputCompared:
    """Something that went into the two results and differs: a file by its SHA-256, a version, a number."""

    what: str
    a: str | None
    b: str | None


@dataclass(frozen=True)
class Comparison(Shown):
    """What `compare_results` found."""

    rates: list[RatesCompared]
    efficiencies: list[EfficienciesCompared]
    inputs: list[InputCompared]
    same_crossings: bool

    @property
    def equal(self) -> bool:
        """Whether no difference is beyond statistics, and both have the same seeds and signals."""
        return not (any(r.beyond_statistics for r in self.rates) or any(e.beyond_statistics for e in self.efficiencies))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "equal": self.equal,
            "same_crossings": self.same_crossings,
            "rates": [vars(row) for row in self.rates],
            "efficiencies": [vars(row) for row in self.efficiencies],
            "inputs": [vars(row) for row in self.inputs],
        }


def compare_results(a: str | os.PathLike[str], b: str | os.PathLike[str], *, sigma: float = SIGMA) -> Comparison:
    """Compare two results of `l1emu run` or documents of `l1emu rates --json`, seed by seed.

    Errors of both are added in quadrature, as those of different crossings. Where both read the same background
    (`Comparison.same_crossings`), what they share cancels in the difference, and this error is too large: a seed that
    accepts another number of the same crossings has changed, whatever its error; the counts stand beside the rates.
    A rate that is known by its upper limit alone has the distance to the upper end of its 68 % interval as its error.

    Parameters
    ----------
    a, b
        Results folders, `results.json` files, or what `rates --json` printed.
    sigma
        Differences of so many standard errors or more are called beyond statistics.

    Raises
    ------
    L1emuError
        if one of them is absent, damaged or of another version.
    """
    first, second = read_rates(a), read_rates(b)
    return Comparison(
        rates=_rates(first, second, sigma),
        efficiencies=_efficiencies(first, second, sigma),
        inputs=[*_inputs(first.manifest, second.manifest), *_fractions(first, second), *_definitions(first, second)],
        same_crossings=_same_background(first.manifest, second.manifest)
        and _measured(first).get(_BACKGROUND) == _measured(second).get(_BACKGROUND),
    )


_Row = SeedOfMenu | TotalOfMenu


def _rows(found: RatesOfStudy | StudyResults) -> dict[str, _Row]:
    menu = found.menu if isinstance(found, StudyResults) else found
    return {_TOTAL: menu.total, **{seed.name: seed for seed in menu.seeds}}


def _names(a: Iterable[str], b: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*a, *b]))


def _rates(a: RatesOfStudy | StudyResults, b: RatesOfStudy | StudyResults, sigma: float) -> list[RatesCompared]:
    ours, theirs = _rows(a), _rows(b)
    return [_rate(name, ours.get(name), theirs.get(name), sigma) for name in _names(ours, theirs)]


def _rate(name: str, a: _Row | None, b: _Row | None, sigma: float) -> RatesCompared:
    ratio = ratio_error = None
    significance, beyond = 0.0, a is None or b is None
    if a is not None and b is not None:
        difference = b.rate_khz - a.rate_khz
        up = math.hypot(b.rate_khz_high - b.rate_khz, a.rate_khz - a.rate_khz_low)
        down = math.hypot(b.rate_khz - b.rate_khz_low, a.rate_khz_high - a.rate_khz)
        significance = _significance(difference, down if difference > 0 else up)
        beyond = abs(significance) >= sigma
        if a.rate_khz > 0:
            ratio = b.rate_khz / a.rate_khz
            ratio_error = math.hypot(b.rate_khz_error, ratio * a.rate_khz_error) / a.rate_khz
    return RatesCompared(
        name,
        None if a is None else a.rate_khz,
        None if a is None else a.rate_khz_error,
        None if b is None else b.rate_khz,
        None if b is None else b.rate_khz_error,
        None if a is None else a.accepted,
        None if b is None else b.accepted,
        ratio,
        ratio_error,
        significance,
        beyond,
    )


def _efficiencies(
    a: RatesOfStudy | StudyResults, b: RatesOfStudy | StudyResults, sigma: float
) -> list[EfficienciesCompared]:
    ours, theirs = _rows(a), _rows(b)
    found = []
    for name in _names(ours, theirs):
        of_a = ours[name].efficiency if name in ours else {}
        of_b = theirs[name].efficiency if name in theirs else {}
        found += [_efficiency(name, s, of_a.get(s), of_b.get(s), sigma) for s in _names(of_a, of_b)]
    return found


def _efficiency(
    name: str, signal: str, a: list[float] | None, b: list[float] | None, sigma: float
) -> EfficienciesCompared:
    if a is None or b is None:
        return EfficienciesCompared(name, signal, a, b, None, None, None, 0.0, True)
    difference = b[0] - a[0]
    low, high = math.hypot(b[0] - b[1], a[2] - a[0]), math.hypot(b[2] - b[0], a[0] - a[1])
    significance = _significance(difference, low if difference > 0 else high)
    return EfficienciesCompared(name, signal, a, b, difference, low, high, significance, abs(significance) >= sigma)


def _significance(difference: float, error: float) -> float:
    """A difference over its error towards 0; one without any error is certain, and JSON has no infinity."""
    if difference == 0:
        return 0.0
    return difference / error if error > 0 else math.copysign(1e6, difference)


def _definitions(a: RatesOfStudy | StudyResults, b: RatesOfStudy | StudyResults) -> Iterable[InputCompared]:
    """Seeds of one name that ask for something else, in words."""
    ours, theirs = ({s.name: s for s in (r.menu if isinstance(r, StudyResults) else r).seeds} for r in (a, b))
    for name in _names(ours, theirs):
        words = [_in_words(of.get(name)) for of in (ours, theirs)]
        if words[0] != words[1]:
            yield InputCompared(f"seed {name}", *words)


def _fractions(a: RatesOfStudy | StudyResults, b: RatesOfStudy | StudyResults) -> Iterable[InputCompared]:
    """Samples of which parts are missing in one of them."""
    ours, theirs = (_measured(of) for of in (a, b))
    for name in _names(ours, theirs):
        one, other = ours.get(name), theirs.get(name)
        if one is not None and other is not None and one != other:
            yield InputCompared(f"measured of {name}", *(f"{100 * fraction:.4g} %" for fraction in (one, other)))


def _measured(of: RatesOfStudy | StudyResults) -> dict[str, float]:
    """Which fraction of each sample was measured; rates alone are of all of them."""
    if not isinstance(of, StudyResults):
        return {_BACKGROUND: 1.0}
    samples = {_BACKGROUND: of.samples.background, **of.samples.signals}
    return {name: sample.fraction for name, sample in samples.items()}


def _in_words(seed: SeedOfMenu | None) -> str | None:
    return None if seed is None else f"{seed.description}, prescale {seed.prescale:g}"


def _same_background(a: Manifest, b: Manifest) -> bool:
    ours, theirs = (
        [file for role, file in sorted(m.files.items()) if role.split(" ")[0] == "background"] for m in (a, b)
    )
    return len(ours) == len(theirs) and all(one.is_same(other) for one, other in zip(ours, theirs, strict=True))


def _inputs(a: Manifest, b: Manifest) -> Iterable[InputCompared]:
    """What differs between two manifests but their dates."""
    for role in _names(a.files, b.files):
        one, other = a.files.get(role), b.files.get(role)
        if one is None or other is None or not one.is_same(other):
            yield InputCompared(role, *(None if f is None else f"{f.name} {f.identity}" for f in (one, other)))
    named: list[tuple[str, Mapping[str, object], Mapping[str, object]]] = [
        ("firmware", a.firmware_content_hashes, b.firmware_content_hashes),
        ("seed of", a.seeds, b.seeds),
        ("version of", a.dependencies | {"l1emu": a.l1emu}, b.dependencies | {"l1emu": b.l1emu}),
        ("rates of", {"collisions": a.normalisation.text}, {"collisions": b.normalisation.text}),
    ]
    for word, ours, theirs in named:
        for key in _names(ours, theirs):
            if ours.get(key) != theirs.get(key):
                yield InputCompared(
                    f"{word} {key}", *(None if k is None else str(k) for k in (ours.get(key), theirs.get(key)))
                )
