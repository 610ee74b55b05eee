"""How Level-1 jets answer to generated ones, beside what CMS has published of its own: the line and the width."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from l1emu.arraytypes import Floats
from l1emu.config import Config, load_config
from l1emu.events.calibrate import matched_pairs
from l1emu.events.calibration import LEAST_JETS, Calibration, EtaBin, Pairs
from l1emu.resources import resource
from l1emu.study.top_pairs import read_top_pairs

PUBLISHED_RESPONSE = "data/cms-jet-response.yaml"
_ABS_ETA_MAX = 2.4  # of the jets of HT
_PT_EDGES_GEV = (20, 30, 40, 50, 70, 100, 150, 250)


class PublishedWidth(Config):
    """The width of the calibrated pt, constant_gev + per_gev * pt, for |eta| up to `abs_eta_max`."""

    abs_eta_max: float = Field(gt=0, le=10)
    constant_gev: float = Field(ge=0, le=1000)
    per_gev: float = Field(ge=0, le=10)


class PublishedResponse(Config):
    """CMS's lines from generated to raw pt, and its widths, in ascending bins of |eta|; the last has what is beyond."""

    source: str
    pileup: float = Field(gt=0, le=1000)
    lines: list[EtaBin] = Field(min_length=1, max_length=100)
    widths: list[PublishedWidth] = Field(min_length=1, max_length=100)

    @model_validator(mode="after")
    def _ascending(self) -> PublishedResponse:
        for bins in (self.lines, self.widths):
            edges = [b.abs_eta_max for b in bins]
            if edges != sorted(set(edges)):
                raise ValueError(f"the bins end at {edges}; expected ascending ends")
        return self

    def raw(self, generated: Floats, abs_eta: Floats) -> Floats:
        """CMS's mean raw pt [GeV] of jets of these generated pt [GeV] and |eta|."""
        edges = [line.abs_eta_max for line in self.lines]
        k = np.minimum(np.searchsorted(edges, abs_eta, side="right"), len(edges) - 1)
        offset, slope = (np.array([getattr(line, name) for line in self.lines])[k] for name in ("offset_gev", "slope"))
        return np.asarray(offset + slope * generated)


def published_response() -> PublishedResponse:
    """What CMS has published, as shipped."""
    return load_config(resource(PUBLISHED_RESPONSE), PublishedResponse)


@dataclass(frozen=True)
class JetResponse:
    """Jets of a bin of |eta| and generated pt, all in GeV: their median raw pt and the width of their calibrated pt.

    `generated_gev` is their mean. The width is half of what the middle 68 % of calibrated minus generated pt span;
    `rms_gev` has the tails in it. `cms_raw_gev` is the median of CMS's lines over the same jets.
    """

    abs_eta: tuple[float, float]
    generated_gev: float
    jets: int
    raw_gev: float
    cms_raw_gev: float
    width_gev: float
    rms_gev: float
    cms_width_gev: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def jet_response(sample: str | os.PathLike[str], calibration: Calibration | None) -> list[JetResponse]:
    """The response of the jets of a sample of top quark pairs, beside CMS's; bins with fewer than 50 are left out.

    A generated jet counts if the nearest Level-1 jet is within 0.2 of it.

    Parameters
    ----------
    sample
        Of the kind signal, with generator jets.
    calibration
        Of the jets' pt; None leaves it as the jet finder gives it.

    Raises
    ------
    L1emuError
        if the sample is damaged, has no generator jets, or another pile-up than CMS's.
    """
    reference = published_response()
    pairs = matched_pairs(read_top_pairs(sample, reference.pileup, "CMS's jets"))
    pt = pairs.raw if calibration is None else calibration.apply(pairs.raw, pairs.eta)
    found, low_eta = [], 0.0
    for published in reference.widths:
        high_eta = min(published.abs_eta_max, _ABS_ETA_MAX)
        for low, high in pairwise(_PT_EDGES_GEV):
            inside = (pairs.raw > 0) & (pairs.abs_eta >= low_eta) & (pairs.abs_eta < high_eta)
            inside &= (pairs.generator >= low) & (pairs.generator < high)
            if inside.sum() >= LEAST_JETS:
                found.append(_response(pairs, pt, inside, (low_eta, high_eta), published, reference))
        low_eta = high_eta
    return found


def _response(
    pairs: Pairs,
    pt: Floats,
    inside: Any,
    abs_eta: tuple[float, float],
    published: PublishedWidth,
    reference: PublishedResponse,
) -> JetResponse:
    generated = pairs.generator[inside]
    off = pt[inside] - generated
    low, high = np.quantile(off, [0.16, 0.84])
    mean = float(generated.mean())
    return JetResponse(
        abs_eta,
        round(mean, 1),
        int(inside.sum()),
        round(float(np.median(pairs.raw[inside])), 1),
        round(float(np.median(reference.raw(generated, pairs.abs_eta[inside]))), 1),
        round(float(high - low) / 2, 1),
        round(float(off.std()), 1),
        round(published.constant_gev + published.per_gev * mean, 1),
    )
