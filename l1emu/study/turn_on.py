"""Turn-on curves of top quark pairs beside CMS's public ones: at which generated value they reach an efficiency.

Curves are counted as Phase2-L1MenuTools counted those of V29. HT and missing HT are those of all generator jets above
30 GeV within |eta| < 2.4. Of the generator jets within |eta| < 2.4 only the hardest of a crossing counts, in the region
that it lies in, if a Level-1 jet within |eta| < 2.4 is near it, however soft; it is matched to the hardest of them.
What CMS publishes of jets is a line through the places of many thresholds, and is compared with one through ours.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

import awkward as ak
import numpy as np
from pydantic import Field, model_validator

from l1emu.arraytypes import Floats
from l1emu.config import Config, load_config
from l1emu.events.calibration import Calibration
from l1emu.events.chain import chain_data
from l1emu.events.hardware import PT_STEP_GEV
from l1emu.events.sample import Batch
from l1emu.progress import progress
from l1emu.resources import resource
from l1emu.study.top_pairs import read_top_pairs
from l1emu.trigger.turn_on_fits import PlateauPoint, interpolate_point
from l1emu.trigger.turn_ons import TurnOn

PUBLISHED_TURN_ONS = "data/cms-turn-ons.yaml"
_SOFTEST_GEV = PT_STEP_GEV  # a generator jet with any Level-1 jet near it counts

_Gev = Annotated[float, Field(gt=0, le=10_000)]
_Share = Annotated[float, Field(gt=0, lt=1)]


class TurnOnPoint(Config):
    """A published curve of threshold `online_gev` reaches `efficiency` at `gen_gev`."""

    online_gev: _Gev
    efficiency: _Share
    gen_gev: _Gev


class PublishedScaling(Config):
    """A published line from online thresholds to the generated value at `efficiency`: slope * online + offset.

    `online_gev` are thresholds to compare at, `offline_gev` generated values whose thresholds are to be compared at.
    `fitted_gev` are the thresholds whose places the line was fitted to: with them it is compared with a line of ours
    through the places of the same; without them it stands for the place of each threshold.
    """

    efficiency: _Share
    slope: float = Field(ge=0.01, le=100)
    offset_gev: float = Field(ge=-10_000, le=10_000)
    online_gev: list[_Gev] = Field(default_factory=list)
    offline_gev: list[_Gev] = Field(default_factory=list)
    fitted_gev: list[_Gev] = Field(default_factory=list)

    def points(self) -> list[TurnOnPoint]:
        """What it says at its thresholds, those of `offline_gev` last."""
        online = [*self.online_gev, *((gev - self.offset_gev) / self.slope for gev in self.offline_gev)]
        return [
            TurnOnPoint(
                online_gev=round(gev, 2),
                efficiency=self.efficiency,
                gen_gev=round(self.slope * gev + self.offset_gev, 2),
            )
            for gev in online
        ]


class PublishedCurve(Config):
    """What is known of one object's turn-ons.

    They are held to `tolerance`, a fraction of CMS's value, but for those that `offline_gev` asks for.
    """

    object: str = Field(pattern=r"^(ht|mht|jet [a-z]+)$")
    abs_eta: list[Annotated[float, Field(ge=0, le=10)]] = Field(min_length=2, max_length=2)
    bin_gev: float = Field(ge=1, le=100)
    tolerance: float | None = Field(default=None, gt=0, lt=1)
    points: list[TurnOnPoint] = Field(default_factory=list)
    scaling: PublishedScaling

    @model_validator(mode="after")
    def _ordered(self) -> PublishedCurve:
        if self.abs_eta[0] >= self.abs_eta[1]:
            raise ValueError(f"abs_eta must be two ascending numbers, not {self.abs_eta}")
        return self

    def asked(self) -> list[tuple[TurnOnPoint, bool]]:
        """All points, and whether each is held to the tolerance."""
        scaled = self.scaling.points()
        held = [*self.points, *scaled[: len(self.scaling.online_gev)]]
        found = [(point, self.tolerance is not None) for point in held]
        return found + [(point, False) for point in scaled[len(self.scaling.online_gev) :]]


class PublishedTurnOns(Config):
    """CMS's public turn-ons, and how they were counted."""

    source: str
    pileup: float = Field(gt=0, le=1000)
    jet_pt_min_gev: _Gev
    abs_eta_max: float = Field(gt=0, le=10)
    match_radius: float = Field(gt=0, le=1)
    curves: list[PublishedCurve] = Field(min_length=1)


def published_turn_ons() -> PublishedTurnOns:
    """CMS's public turn-ons, as shipped."""
    return load_config(resource(PUBLISHED_TURN_ONS), PublishedTurnOns)


@dataclass(frozen=True)
class PlacedTurnOn:
    """Where the curve of one threshold reaches an efficiency, beside CMS's place.

    `gen_gev` is None where the sample does not say, and so is an error that nothing bounds. Where it is read off a line
    through the places of many thresholds, its errors are those of the place of its own.
    """

    object: str
    threshold_gev: float
    efficiency: float
    gen_gev: float | None
    gen_gev_error_low: float | None
    gen_gev_error_high: float | None
    cms_gev: float
    tolerance: float | None

    @property
    def ratio(self) -> float | None:
        """Ours over CMS's."""
        return None if self.gen_gev is None else self.gen_gev / self.cms_gev

    @property
    def agrees(self) -> bool:
        """Whether it is as near to CMS's as it must be; true where nothing is demanded."""
        return self.tolerance is None or (self.ratio is not None and abs(self.ratio - 1) <= self.tolerance)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class TurnOnValidation:
    """The places of all points, and the curves they were read off, by object and threshold."""

    points: tuple[PlacedTurnOn, ...]
    curves: dict[tuple[str, float], TurnOn]
    reference: PublishedTurnOns
    name: str
    crossings: int
    energy_tev: float | None

    @property
    def passed(self) -> bool:
        """Whether every point that must agree does."""
        return all(point.agrees for point in self.points)

    def document(self) -> dict[str, Any]:
        """For a figure."""
        return {
            "pileup": self.reference.pileup,
            "energy_tev": self.energy_tev,
            "sample": self.name,
            "crossings": self.crossings,
            "points": [point.as_dict() for point in self.points],
            "curves": [
                {
                    "object": name,
                    "threshold_gev": threshold,
                    "gen_gev": curve.centres.tolist(),
                    "efficiency": [None if np.isnan(e) else e for e in curve.efficiency.tolist()],
                    "low": curve.low.tolist(),
                    "high": curve.high.tolist(),
                }
                for (name, threshold), curve in self.curves.items()
            ],
        }


def turn_ons_beside_cms(
    sample: str | os.PathLike[str], calibration: Calibration | None, *, step: int = 1000
) -> TurnOnValidation:
    """The turn-ons of a sample of top quark pairs at the points that CMS has published.

    Parameters
    ----------
    sample
        Of the kind signal, with generator jets.
    calibration
        Of the jets; None leaves them as the jet finder gives them.
    step
        Crossings in memory at a time.

    Raises
    ------
    L1emuError
        if the sample is damaged, has no generator jets, or another pile-up.
    """
    reference = published_turn_ons()
    source = read_top_pairs(sample, reference.pileup, "CMS's turn-ons")
    pairs: dict[str, list[Floats]] = {curve.object: [] for curve in reference.curves}
    with progress(f"turn-ons of {source.name}", source.crossings) as advance:
        for batch in source.iterate(step):
            for name, found in _pairs(batch, reference, calibration):
                pairs[name].append(found)
            advance(len(batch.stratum))
    points: list[PlacedTurnOn] = []
    curves: dict[tuple[str, float], TurnOn] = {}
    for published in reference.curves:
        generated, online = np.concatenate(pairs[published.object], axis=1)
        line = _line(published, generated, online)
        for point, held in published.asked():
            curve = _counted(published, point.online_gev, generated, online)
            curves[published.object, point.online_gev] = curve
            place = interpolate_point(curve, point.efficiency)
            if line is not None:
                place = replace(place, value=float(np.polyval(line, point.online_gev)))
            points.append(_placed(published, point, held, place))
    return TurnOnValidation(tuple(points), curves, reference, source.words, source.crossings, source.energy_tev)


def _pairs(batch: Batch, reference: PublishedTurnOns, calibration: Calibration | None) -> Iterator[tuple[str, Floats]]:
    """Generated value and what Level-1 has of it, (2, n) for each object."""
    data = chain_data(batch, min_pt_gev=_SOFTEST_GEV, calibration=calibration)
    jets, generated = data.objects["jets"], data.objects["gen_jets"]
    hard = generated[(generated.pt > reference.jet_pt_min_gev) & (abs(generated.eta) < reference.abs_eta_max)]
    counted = jets[(jets.pt >= reference.jet_pt_min_gev) & (abs(jets.eta) < reference.abs_eta_max)]
    for curve in reference.curves:
        if curve.object == "ht":
            yield curve.object, _two(ak.sum(hard.pt, axis=1), ak.sum(counted.pt, axis=1))
        elif curve.object == "mht":
            missing = np.hypot(*(ak.sum(hard.pt * of(hard.phi), axis=1) for of in (np.cos, np.sin)))
            yield curve.object, _two(missing, data.sums["mht"])
        else:
            low, high = curve.abs_eta
            within = generated[abs(generated.eta) < reference.abs_eta_max]
            hardest = within[ak.argsort(within.pt, axis=1, ascending=False)][:, :1]
            inside = hardest[(abs(hardest.eta) >= low) & (abs(hardest.eta) < high)]
            online = _hardest_near(inside, jets[abs(jets.eta) < reference.abs_eta_max], reference.match_radius)
            found = _two(ak.flatten(inside.pt), ak.flatten(online))
            yield curve.object, found[:, found[1] > 0]


def _hardest_near(generated: ak.Array, jets: ak.Array, radius: float) -> ak.Array:
    """pt of the hardest Level-1 jet within `radius` of each generated one, 0 without."""
    pairs = ak.cartesian({"gen": generated, "jet": jets}, axis=1, nested=True)
    d_phi = (pairs.gen.phi - pairs.jet.phi + np.pi) % (2 * np.pi) - np.pi
    close = (pairs.gen.eta - pairs.jet.eta) ** 2 + d_phi**2 < radius**2
    return ak.fill_none(ak.max(ak.where(close, pairs.jet.pt, 0.0), axis=2), 0.0)


def _two(generated: ak.Array, online: ak.Array) -> Floats:
    return np.stack([ak.to_numpy(values).astype(np.float64) for values in (generated, online)])


def _counted(published: PublishedCurve, threshold: float, generated: Floats, online: Floats) -> TurnOn:
    """The curve of one threshold in bins as wide as CMS's, up to the last that has something in it."""
    # a sum passes above its threshold, a jet at it, as in Phase2-L1MenuTools
    passes = online >= threshold if published.object.startswith("jet") else online > threshold
    width = published.bin_gev
    last = float(generated.max()) if generated.size else 0.0
    edges = np.arange(int(last // width) + 2) * width
    total, passed = (np.histogram(values, edges)[0].astype(np.int64) for values in (generated, generated[passes]))
    return TurnOn(published.object, "", f"generated {published.object}", threshold, None, None, edges, passed, total)


def _line(published: PublishedCurve, generated: Floats, online: Floats) -> Floats | None:
    """Slope and offset [GeV] through the places of the thresholds that CMS's line was fitted to; None without two.

    All places have the same weight, as there.
    """
    scaling = published.scaling
    places = {
        threshold: interpolate_point(_counted(published, threshold, generated, online), scaling.efficiency).value
        for threshold in scaling.fitted_gev
    }
    known = {threshold: place for threshold, place in places.items() if place is not None}
    if len(known) < 2:
        return None
    return np.asarray(np.polyfit(list(known), list(known.values()), 1))


def _placed(published: PublishedCurve, point: TurnOnPoint, held: bool, place: PlateauPoint) -> PlacedTurnOn:
    value, low, high = (
        None if number is None else round(number, 2) for number in (place.value, place.error_low, place.error_high)
    )
    tolerance = published.tolerance if held else None
    return PlacedTurnOn(
        published.object, point.online_gev, point.efficiency, value, low, high, point.gen_gev, tolerance
    )
