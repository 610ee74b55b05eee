"""The jet energy calibration: from the pt of a Level-1 jet to that of the generator's.

As in CMS's corrections of seeded-cone jets, the mean Level-1 pt is taken to be linear in the generator's within a bin
of eta, raw = offset + slope * generator, and the calibrated pt is the inverse of that line. Pile-up subtraction and the
cuts on soft candidates take some GeV from every jet, which is why an offset, not a factor, does most of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from l1emu.arraytypes import Floats
from l1emu.config import Config, load_config
from l1emu.errors import L1emuError
from l1emu.events.hardware import ETA_PHI_STEP, PT_MAX, PT_STEP_GEV

if TYPE_CHECKING:
    import awkward as ak


ETA_BINS = (0.0, 0.7, 1.5, 2.0, 2.4)
PT_BINS_GEV = (20, 25, 30, 35, 40, 45, 50, 60, 70, 80, 100, 120, 150, 200, 250, 300, 400)
_MATCH_RADIUS = 0.2
LEAST_MATCHED = 0.9
"""The line is fitted where so many generator jets have a Level-1 jet: below, only those that fluctuate up do."""
LEAST_JETS = 50


class EtaBin(Config):
    """raw = offset_gev + slope * generator pt, for |eta| up to `abs_eta_max`."""

    abs_eta_max: float = Field(gt=0, le=10)
    offset_gev: float = Field(ge=-10_000, le=10_000)
    slope: float = Field(ge=0.01, le=100)


class Calibration(Config):
    """Bins of |eta|, ascending; beyond the last one its line is used."""

    name: str = Field(min_length=1)
    source: str = Field(min_length=1)
    bins: list[EtaBin] = Field(min_length=1)

    @model_validator(mode="after")
    def _ascending(self) -> Calibration:
        edges = [b.abs_eta_max for b in self.bins]
        if edges != sorted(set(edges)):
            raise ValueError(f"the bins end at {edges}; expected ascending ends")
        return self

    def apply(self, pt: npt.ArrayLike, eta: npt.ArrayLike) -> Floats:
        """The calibrated pt [GeV], in whole steps of 0.25 GeV as in the firmware's words, rounded down.

        Parameters
        ----------
        pt, eta
            (n,) of Level-1 jets, GeV.
        """
        raw, where = np.asarray(pt, np.float64), np.abs(np.asarray(eta, np.float64))
        k = np.minimum(np.searchsorted([b.abs_eta_max for b in self.bins], where, side="right"), len(self.bins) - 1)
        offset, slope = (np.array([getattr(b, name) for b in self.bins])[k] for name in ("offset_gev", "slope"))
        steps = np.floor((raw - offset) / slope / PT_STEP_GEV + 1e-9)
        return np.asarray(np.clip(steps, 0, PT_MAX) * PT_STEP_GEV)


def read_calibration(path: str | os.PathLike[str]) -> Calibration:
    """Read a calibration from YAML.

    Raises
    ------
    L1emuError
        if the file is absent or does not fit the schema.
    """
    return load_config(Path(path), Calibration)


@dataclass(frozen=True)
class Response:
    """Level-1 pt over generator pt in one bin: `jets` of the generator, the share with a Level-1 jet, the median."""

    abs_eta: tuple[float, float]
    generator_gev: tuple[float, float]
    jets: int
    matched: float
    mean_generator_gev: float
    median: float
    spread: float

    @property
    def fitted(self) -> bool:
        """Whether the line is fitted to this bin."""
        return self.jets >= LEAST_JETS and self.matched >= LEAST_MATCHED


@dataclass(frozen=True, eq=False)
class Fitted:
    """A calibration and the response before and after it, bin by bin."""

    calibration: Calibration
    before: list[Response]
    after: list[Response]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Generator jets and the Level-1 jet nearest to each: float64 (n,); `raw` is 0 where none is within 0.2."""

    generator: Floats
    abs_eta: Floats
    raw: Floats
    eta: Floats


def match(jets: ak.Array, truth: ak.Array) -> Pairs:
    """Pair every generator jet with the nearest Level-1 jet.

    Parameters
    ----------
    jets
        (crossings, var) records of pt [GeV], eta, phi [rad], from `Jets.table`.
    truth
        (crossings, var) records of the generator's, pt, eta, phi in hardware steps.
    """
    import awkward as ak  # it is slow to load, and who reads a calibration does without

    wanted = ak.zip({"pt": truth.pt * PT_STEP_GEV, "eta": truth.eta * ETA_PHI_STEP, "phi": truth.phi * ETA_PHI_STEP})
    pairs = ak.cartesian({"truth": wanted, "jet": jets}, axis=1, nested=True)
    d_phi = (pairs.truth.phi - pairs.jet.phi + np.pi) % (2 * np.pi) - np.pi
    distance = (pairs.truth.eta - pairs.jet.eta) ** 2 + d_phi**2
    nearest = ak.argmin(distance, axis=2, keepdims=True)
    close = ak.fill_none(ak.firsts(distance[nearest], axis=2) < _MATCH_RADIUS**2, False)

    def flat(values: ak.Array) -> Floats:
        numbers: Floats = ak.to_numpy(ak.flatten(values)).astype(np.float64)
        return numbers

    def of_nearest(field: str) -> Floats:
        values = ak.fill_none(ak.firsts(pairs.jet[field][nearest], axis=2), 0.0)
        return flat(ak.where(close, values, 0.0))

    return Pairs(flat(wanted.pt), np.abs(flat(wanted.eta)), of_nearest("pt"), of_nearest("eta"))


def response(pairs: Pairs, calibration: Calibration | None = None) -> list[Response]:
    """The response in bins of |eta| and generator pt; bins without a matched jet are left out."""
    pt = pairs.raw if calibration is None else calibration.apply(pairs.raw, pairs.eta)
    found = []
    for low_eta, high_eta in pairwise(ETA_BINS):
        for low, high in pairwise(PT_BINS_GEV):
            inside = (pairs.abs_eta >= low_eta) & (pairs.abs_eta < high_eta)
            inside &= (pairs.generator >= low) & (pairs.generator < high)
            has = inside & (pairs.raw > 0)
            if not has.any():
                continue
            ratio = pt[has] / pairs.generator[has]
            found.append(
                Response(
                    (low_eta, high_eta), (low, high), int(inside.sum()), float(has.sum() / inside.sum()),
                    float(pairs.generator[has].mean()), float(np.median(ratio)), float(ratio.std()),
                )
            )  # fmt: skip
    return found


def fit(pairs: Pairs, name: str, source: str) -> Calibration:
    """The line of each bin of |eta|, by least squares on the median Level-1 pt, weighted by its error.

    Raises
    ------
    L1emuError
        if a bin of |eta| has fewer than three bins of pt with enough jets.
    """
    bins = []
    responses = response(pairs)
    for low, high in pairwise(ETA_BINS):
        points = [r for r in responses if r.abs_eta == (low, high) and r.fitted]
        if len(points) < 3:
            raise L1emuError(
                "too few generator jets to fit a calibration",
                where=f"{low} < |eta| < {high}",
                value=f"{len(points)} bins of pt with {LEAST_JETS} jets, {LEAST_MATCHED:.0%} of them matched",
                expected="three at least: a larger sample, with jets from 20 to 400 GeV",
            )
        generator = np.array([p.mean_generator_gev for p in points])
        raw = np.array([p.median for p in points]) * generator
        # the error of a median of n values is 1.25 sigma / sqrt(n)
        error = np.array([1.25 * p.spread / np.sqrt(p.jets * p.matched) for p in points]) * generator
        # nothing is known better than to the rounding of a word's step, whatever the jets of a bin have in common
        error = np.maximum(error, PT_STEP_GEV / np.sqrt(12))
        slope, offset = np.polyfit(generator, raw, 1, w=1 / error)
        bins.append(EtaBin(abs_eta_max=high, offset_gev=round(float(offset), 3), slope=round(float(slope), 4)))
    return Calibration(name=name, source=source, bins=bins)


def joined(parts: Iterable[Pairs]) -> Pairs:
    """The pairs of all parts."""
    columns = zip(*((p.generator, p.abs_eta, p.raw, p.eta) for p in parts), strict=True)
    return Pairs(*(np.concatenate(column) for column in columns))


def closure(pairs: Pairs, name: str, source: str) -> Fitted:
    """Fit a calibration and look at what it does to the jets that it was fitted to.

    Raises
    ------
    L1emuError
        as `fit` does.
    """
    calibration = fit(pairs, name, source)
    return Fitted(calibration, response(pairs), response(pairs, calibration))
