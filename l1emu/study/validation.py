"""The event chain held against what is known: CMS's public HT rate, and plain mixing without strata."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np
from pydantic import Field, ValidationError

from l1emu.arraytypes import Floats
from l1emu.config import Config, load_config
from l1emu.errors import L1emuError
from l1emu.events.calibration import Calibration
from l1emu.events.jets import build_jets
from l1emu.events.sample import Sample, read_sample
from l1emu.progress import progress
from l1emu.resources import resource
from l1emu.stream import Normalisation
from l1emu.stream.beam import ORBIT_SLOTS
from l1emu.study.samples import stratified, weights_of
from l1emu.trigger import HtCondition, RateScan, Seed, reach, scan_rates

if TYPE_CHECKING:
    from l1emu.events.generate import SampleRecipe


REFERENCE = "data/cms-ht-rates.yaml"
TOLERANCE = 0.2
DEFENSIBLE_GEV = (120.0, 400.0)
"""Where the rate is held to the tolerance: softer HT is that of pile-up jets, which this detector makes badly."""

SOFTEST_GEV = 2.0
_PASSING = (5000, 3000, 2000, 1000, 500, 300, 150, 75, 30)


class PublishedRate(Config):
    """One published rate."""

    threshold_gev: float = Field(gt=0, le=10_000)
    rate_khz: float = Field(gt=0, le=40_000)


class PublishedRates(Config):
    """A published curve of HT rates, with its normalisation and definition."""

    source: str
    pileup: float = Field(gt=0, le=1000)
    colliding_bunches: int = Field(gt=0, le=ORBIT_SLOTS)
    revolution_hz: float = Field(ge=1, le=1e6)
    jet_pt_min_gev: float = Field(ge=0, le=10_000)
    abs_eta_max: float = Field(gt=0, le=10)
    points: list[PublishedRate] = Field(min_length=1)


def published_rates() -> PublishedRates:
    """CMS's public curve, as shipped."""
    return load_config(resource(REFERENCE), PublishedRates)


@dataclass(frozen=True)
class HtRate:
    """The rate above one HT threshold beside CMS's; the error is statistical, re-use of collisions included.

    Without an accepted crossing the rate is known by its upper limit alone.
    """

    threshold_gev: float
    rate_khz: float
    rate_khz_error: float
    cms_khz: float
    ratio: float
    rate_khz_upper95: float
    accepted_crossings: int

    @property
    def held(self) -> bool:
        """Whether this point is one of those that must agree."""
        return DEFENSIBLE_GEV[0] <= self.threshold_gev <= DEFENSIBLE_GEV[1]

    @property
    def agrees(self) -> bool:
        """Whether the rate is within the tolerance of CMS's."""
        return abs(self.ratio - 1) <= TOLERANCE

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class HtValidation:
    """The rates at CMS's thresholds, and the whole curve."""

    points: tuple[HtRate, ...]
    scan: RateScan
    reference: PublishedRates
    sample: Sample
    weights_sum: float

    def document(self) -> dict[str, Any]:
        """For a figure."""
        scan = self.scan
        return {
            "pileup": self.sample.pileup,
            "energy_tev": self.sample.energy_tev,
            "sample": self.sample.words,
            "crossings": self.sample.crossings,
            "colliding_rate_khz": self.reference.colliding_bunches * self.reference.revolution_hz / 1e3,
            "tolerance": TOLERANCE,
            "points": [p.as_dict() for p in self.points],
            "curve": {
                "threshold_gev": scan.thresholds.tolist(),
                "rate_khz": scan.rate_khz.tolist(),
                "rate_khz_error": scan.error_khz.tolist(),
                "rate_khz_low": scan.low_khz.tolist(),
                "rate_khz_high": scan.high_khz.tolist(),
                "rate_khz_upper95": scan.upper95_khz.tolist(),
                "accepted_crossings": scan.accepted.sum(axis=1).tolist(),
            },
        }

    @property
    def passed(self) -> bool:
        """Whether every point that must agree does."""
        return all(p.agrees for p in self.points if p.held)


def ht_rates(sample: str | os.PathLike[str], calibration: Calibration | None, *, step: int = 1000) -> HtValidation:
    """The HT rate of a minimum-bias sample at the thresholds of CMS's curve, in CMS's normalisation.

    Parameters
    ----------
    sample
        Of the kind minbias.
    calibration
        Of the jets; None leaves them as the jet finder gives them.
    step
        Crossings in memory at a time.

    Raises
    ------
    L1emuError
        if the sample is damaged, has no strata, or another pile-up.
    """
    source, reference = read_sample(sample), published_rates()
    if source.strata is None:
        raise L1emuError("a sample without strata", path=source.path, value=source.kind, expected="the kind minbias")
    if source.pileup != reference.pileup:
        raise L1emuError(
            "CMS's curve is that of another pile-up",
            path=source.path,
            value=f"{source.pileup:g}",
            expected=f"a sample at pile-up {reference.pileup:g}",
        )
    if source.skim is not None:
        _refuse_skimmed_ht(source, source.skim.jet_pt_min_gev, reference, calibration)
    condition = HtCondition(
        min_gev="threshold", jet_pt_min_gev=reference.jet_pt_min_gev, abs_eta_max=reference.abs_eta_max
    )
    seed = Seed(name="HT", ht=condition)
    found, stratum, hard, weights = [], [], [], []
    with progress(f"jets of {source.name}", source.crossings) as advance:
        for batch in source.iterate(step):
            jets = build_jets(batch.candidates, min_pt_gev=SOFTEST_GEV).table(calibration)
            found.append(reach(seed, jets))
            stratum.append(batch.stratum)
            hard.append(batch.hard_event)
            weights.append(weights_of(source, batch))
            advance(len(batch.stratum))
    crossings = stratified(source, stratum, hard, weights=weights)
    normalisation = Normalisation(reference.colliding_bunches, reference.revolution_hz)
    wanted = {p.threshold_gev for p in reference.points}
    thresholds = np.array(sorted(wanted | set(np.arange(20.0, 601.0, 5.0).tolist())))
    scan = scan_rates(np.concatenate(found), crossings, thresholds, normalisation.colliding_rate_hz / 1e3)
    points = []
    for point in reference.points:
        i = int(np.searchsorted(thresholds, point.threshold_gev))
        rate, error = float(scan.rate_khz[i]), float(scan.error_khz[i])
        upper, accepted = float(scan.upper95_khz[i]), int(scan.accepted[i].sum())
        points.append(HtRate(point.threshold_gev, rate, error, point.rate_khz, rate / point.rate_khz, upper, accepted))
    return HtValidation(tuple(points), scan, reference, source, float(crossings.weight.sum()))


def _refuse_skimmed_ht(
    source: Sample, kept_from_gev: float, reference: PublishedRates, calibration: Calibration | None
) -> None:
    """Refuse a sample in which jets may be missing that HT adds up."""
    eta = np.linspace(0, reference.abs_eta_max, 25)
    hardest = np.full(eta.shape, kept_from_gev)
    if calibration is not None:
        hardest = calibration.apply(hardest, eta)
    if hardest.max() > reference.jet_pt_min_gev:
        raise L1emuError(
            "the sample is skimmed: jets are missing that HT adds up",
            path=source.path, value=f"jets from {kept_from_gev:g} GeV on, {hardest.max():.3g} GeV calibrated",
            expected=f"all of those from {reference.jet_pt_min_gev:g} GeV on",
        )  # fmt: skip


@dataclass(frozen=True)
class StratumCheck:
    """The fraction of crossings that pass a threshold, from strata and from plain mixing, with their errors."""

    quantity: str
    threshold_gev: float
    strata: float
    strata_error: float
    plain: float
    plain_error: float

    @property
    def pull(self) -> float:
        """Difference over its error."""
        return (self.strata - self.plain) / float(np.hypot(self.strata_error, self.plain_error))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"pull": self.pull}


def mean_square_pull(checks: Sequence[StratumCheck]) -> float:
    """The mean of the squared pulls: about 1 where nothing is biased and the errors are right."""
    return float(np.mean([check.pull**2 for check in checks]))


def strata_against_plain(
    sample: str | os.PathLike[str],
    *,
    crossings: int = 20_000,
    cache: str | os.PathLike[str] | None = None,
    jobs: int = 1,
    seed: int = 1,
) -> list[StratumCheck]:
    """Compare a stratified sample with plain crossings, mixed from the pools of its recipe without strata.

    There are nine thresholds for each of three quantities: those that 30 to 5,000 of the plain crossings pass. Both
    draw from the same pools, and errors of both are from the number of crossings, those of the strata by bootstrap or
    from slices of the pools too. Neighbouring thresholds share crossings.

    Parameters
    ----------
    crossings
        Plain crossings to make.
    cache, jobs
        Of the pools, as for `l1emu.events.generate.generate`.
    seed
        Of the plain crossings.

    Raises
    ------
    L1emuError
        if the sample has no strata or no recipe that could be made again, or Pythia is needed and missing.
    """
    from l1emu.events.generate.run import plain_crossings

    source = read_sample(sample)
    if source.strata is None:
        raise L1emuError("a sample without strata", path=source.path, value=source.kind, expected="the kind minbias")
    recipe = _recipe(source)
    by_strata = source.read()
    weights = [weights_of(source, by_strata)]
    weighted = stratified(source, [by_strata.stratum], [by_strata.hard_event], weights=weights)
    plain = plain_crossings(recipe, crossings, seed=seed, cache=None if cache is None else Path(cache), jobs=jobs)
    checks = []
    for name, ours, theirs in zip(
        ("leading jet", "fourth jet", "HT"), _quantities(by_strata.candidates), _quantities(plain), strict=True
    ):
        ordered = np.sort(theirs)[::-1]
        for passing in _PASSING:
            if passing >= len(ordered) or ordered[passing] <= 0:
                continue
            threshold = float(ordered[passing])
            if source.skim is not None and threshold < source.skim.jet_pt_min_gev:
                continue
            scan = scan_rates(ours, weighted, np.array([threshold]), 1.0)
            fraction = float(np.mean(theirs >= threshold))
            error = float(np.sqrt(fraction * (1 - fraction) / len(theirs)))
            checks.append(
                StratumCheck(name, threshold, float(scan.rate_khz[0]), float(scan.error_khz[0]), fraction, error)
            )
    return checks


def _recipe(source: Sample) -> SampleRecipe:
    """The recipe that made a sample, with its collisions."""
    from l1emu.events.generate import SampleRecipe

    expected = "a sample made by `l1emu generate`"
    try:
        recipe = SampleRecipe.model_validate(source.recipe)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["recipe", *map(str, first["loc"])])
        what = first["msg"].removeprefix("Value error, ")
        raise L1emuError(f"not a recipe: {what}", path=source.path, where=where, expected=expected) from None
    if not recipe.pileup.collisions:
        raise L1emuError("a recipe without collisions", path=source.path, where="recipe.pileup", expected=expected)
    return recipe


def _quantities(candidates: ak.Array) -> tuple[Floats, Floats, Floats]:
    """pt of the leading and of the fourth jet within |eta| < 2.4, and HT of those above 30 GeV, of every crossing."""
    jets = build_jets(candidates, min_pt_gev=SOFTEST_GEV).table()
    pt = jets.pt[abs(jets.eta) < 2.4]
    padded = ak.to_numpy(ak.fill_none(ak.pad_none(pt, 4, clip=True), 0.0))
    return padded[:, 0], padded[:, 3], ak.to_numpy(ak.sum(pt[pt > 30.0], axis=1)).astype(np.float64)
