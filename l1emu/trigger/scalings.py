"""From the pt that the trigger sees to the one at which an offline selection would see the same object.

The online -> offline scaling of an object is the line offline = slope * online + offset through the places where its
turn-on curves reach 95 % of their plateau, against the thresholds of these curves: one line for each region of |eta|,
as in Phase2-L1MenuTools. The offline pt of an object is what a seed with `offline` cuts on.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

import awkward as ak
import numpy as np
import numpy.typing as npt
import yaml
from pydantic import Field, model_validator
from scipy import special

from l1emu.arraytypes import Floats
from l1emu.config import Config, load_config
from l1emu.errors import L1emuError
from l1emu.eventdata import EventData
from l1emu.files import write_aside
from l1emu.trigger.turn_on_fits import PlateauPoint

OFFLINE_PT = "offline_pt"
"""The field of an object that `with_offline` adds."""
OFFLINE = "offline_"
"""What the name of a scaled sum begins with."""

_Name = Annotated[str, Field(min_length=1)]
_Error = Annotated[float, Field(ge=0, le=1e6)]
_Edge = Annotated[float, Field(ge=0, le=20)]
_Energy = Annotated[float, Field(ge=-100_000, le=100_000)]


class ScalingLine(Config):
    """offline = slope * online + offset_gev, in one region of |eta|.

    Attributes
    ----------
    abs_eta
        The region: from the first number on, below the second one; none of a sum, or where it holds everywhere.
    slope, offset_gev
        The line.
    slope_error, offset_error_gev, correlation
        Of its numbers, where they are known.
    online_gev
        The lowest and the highest online threshold that it was derived from; none where that is not known.
    chi2, ndf
        How well a line describes the points that it was derived from.
    """

    abs_eta: Annotated[list[_Edge], Field(min_length=2, max_length=2)] | None = None
    slope: float = Field(gt=0, le=1000)
    offset_gev: _Energy
    slope_error: _Error | None = None
    offset_error_gev: _Error | None = None
    correlation: Annotated[float, Field(ge=-1, le=1)] | None = None
    online_gev: Annotated[list[Annotated[float, Field(ge=0, le=100_000)]], Field(min_length=2, max_length=2)] | None = (
        None
    )
    chi2: Annotated[float, Field(ge=0, le=1e9)] | None = None
    ndf: Annotated[int, Field(ge=0, le=1000)] | None = None

    @model_validator(mode="after")
    def _ascend(self) -> ScalingLine:
        for key in ("abs_eta", "online_gev"):
            ends = getattr(self, key)
            if ends is not None and not (ends[0] <= ends[1] if key == "online_gev" else ends[0] < ends[1]):
                raise ValueError(f"`{key}` is {ends}; expected the lower number first")
        return self

    def offline(self, online: npt.ArrayLike) -> Floats:
        """What an online pt [GeV] is offline, float64, same shape."""
        return np.asarray(self.slope * np.asarray(online, np.float64) + self.offset_gev)

    def online(self, offline: float) -> float:
        """The online threshold [GeV] of an offline one; below 0 where the offset alone is above it."""
        return (offline - self.offset_gev) / self.slope

    def beyond(self, online: float) -> bool | None:
        """Whether an online threshold lies outside of those that the line was derived from; None if not known."""
        if self.online_gev is None:
            return None
        return not self.online_gev[0] <= online <= self.online_gev[1]


class ScalingOrigin(Config):
    """Where scalings come from: in words, and the sample with its hash where they were derived here."""

    source: _Name
    sample: str | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None


class Scalings(Config):
    """Scalings of objects and sums by name, with their origin; the schema of a file under `l1emu/data/scalings/`.

    A name of objects is that of a collection, or `COLLECTION/KIND` for those of its objects that a menu asks more of,
    such as `electrons/isolated`; the field is `offline_pt` of the one, and `offline_pt_KIND` of the other.
    """

    name: _Name
    origin: ScalingOrigin
    objects: dict[_Name, Annotated[list[ScalingLine], Field(min_length=1, max_length=32)]] = Field(default_factory=dict)
    sums: dict[_Name, ScalingLine] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _apart(self) -> Scalings:
        if not (self.objects or self.sums):
            raise ValueError("no scaling; expected `objects`, `sums` or both")
        for name, lines in self.objects.items():
            if any(line.abs_eta is None for line in lines) and len(lines) > 1:
                raise ValueError(f"`{name}` has several lines, and one of them no `abs_eta`")
            ends = sorted(line.abs_eta for line in lines if line.abs_eta is not None)
            for (_, high), (low, _) in pairwise(ends):
                if low < high:
                    raise ValueError(f"regions of `{name}` overlap, at |eta| from {low:g} to {high:g}")
        for name, line in self.sums.items():
            if line.abs_eta is not None:
                raise ValueError(f"the sum `{name}` has no |eta|")
        return self

    def offline_pt(self, name: str, pt: npt.ArrayLike, eta: npt.ArrayLike) -> Floats:
        """The offline pt of objects [GeV], float64 (n,); NaN, which passes nothing, where no region holds their |eta|.

        Parameters
        ----------
        name
            Of the collection.
        pt, eta
            (n,), GeV; `eta` is not looked at where one line holds everywhere.

        Raises
        ------
        L1emuError
            if it has no scaling.
        """
        online = np.asarray(pt, np.float64)
        lines = self._of(name)
        if lines[0].abs_eta is None:
            return lines[0].offline(online)
        found, where = np.full(online.shape, np.nan), np.abs(np.asarray(eta, np.float64))
        for line in lines:
            low, high = line.abs_eta or (0.0, math.inf)
            inside = (where >= low) & (where < high)
            found[inside] = line.offline(online[inside])
        return found

    def _of(self, name: str) -> list[ScalingLine]:
        if name not in self.objects:
            raise L1emuError(
                "no scaling of these objects", where=f"scalings {self.name}", value=name,
                expected=f"one of {', '.join(sorted(self.objects)) or 'none'}",
            )  # fmt: skip
        return self.objects[name]


@dataclass(frozen=True)
class ConvertedThreshold:
    """An offline threshold in one region of |eta|, and the online one that it stands for, in GeV.

    `extrapolated` says whether that lies outside of the thresholds that the scaling was derived from; None if these
    are not known.
    """

    name: str
    abs_eta: tuple[float, float] | None
    offline_gev: float
    online_gev: float
    extrapolated: bool | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "abs_eta": None if self.abs_eta is None else list(self.abs_eta),
            "offline_gev": self.offline_gev,
            "online_gev": self.online_gev,
            "extrapolated": self.extrapolated,
        }


def read_scalings(path: str | os.PathLike[str]) -> Scalings:
    """Read scalings from YAML.

    Raises
    ------
    L1emuError
        if the file is absent or does not fit the schema.
    """
    return load_config(path, Scalings)


def write_scalings(path: str | os.PathLike[str], scalings: Scalings) -> None:
    """Write scalings as YAML, whole or not at all; `read_scalings` gives equal ones.

    Raises
    ------
    L1emuError
        if it cannot be written.
    """
    text = yaml.safe_dump(scalings.model_dump(exclude_none=True), sort_keys=False, allow_unicode=True, width=120)
    with write_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def fit_scaling(
    points: Iterable[tuple[float, PlateauPoint]], abs_eta: tuple[float, float] | None = None
) -> ScalingLine:
    """The line through the places that turn-on curves reach, by least squares weighted by their errors.

    Curves of several thresholds are of the same generated objects, so that their places fluctuate together somewhat;
    the errors take them as independent.

    Parameters
    ----------
    points
        Online threshold [GeV] and place [GeV] of each curve; a place without a value or an error says nothing.
    abs_eta
        The region of the curves.

    Raises
    ------
    L1emuError
        if fewer than two thresholds have a place, or the line does not rise.
    """
    known = [(threshold, point) for threshold, point in points if point.value is not None and _size(point) > 0]
    x = np.array([threshold for threshold, _ in known])
    if np.unique(x).size < 2:
        raise L1emuError(
            "too few turn-on curves for a scaling", where=_region(abs_eta), value=int(np.unique(x).size),
            expected="two thresholds at least whose curves reach their plateau",
        )  # fmt: skip
    y = np.array([point.value for _, point in known], np.float64)
    weight = np.array([1 / _size(point) for _, point in known]) ** 2
    mean = (weight * x).sum() / weight.sum()
    spread = (weight * (x - mean) ** 2).sum()
    slope = float((weight * (x - mean) * y).sum() / spread)
    offset = float((weight * y).sum() / weight.sum() - slope * mean)
    if slope <= 0:
        raise L1emuError("a scaling that does not rise", where=_region(abs_eta), value=slope, expected="above 0")
    slope_variance, offset_variance = 1 / spread, 1 / weight.sum() + mean**2 / spread
    return ScalingLine(
        abs_eta=None if abs_eta is None else list(abs_eta),
        slope=slope,
        offset_gev=offset,
        slope_error=math.sqrt(slope_variance),
        offset_error_gev=math.sqrt(offset_variance),
        correlation=float(-mean * slope_variance / math.sqrt(slope_variance * offset_variance)),
        online_gev=[float(x.min()), float(x.max())],
        chi2=float((weight * (y - slope * x - offset) ** 2).sum()),
        ndf=len(known) - 2,
    )


def scaling_p_value(line: ScalingLine) -> float | None:
    """The probability of a larger chi-square; None where there are no degrees of freedom."""
    return float(special.chdtrc(line.ndf, line.chi2)) if line.ndf and line.chi2 is not None else None


def with_offline(data: EventData, scalings: Scalings) -> EventData:
    """The same crossings whose objects and sums have their offline energies, too.

    Objects get the field `offline_pt` (of a kind, `offline_pt_KIND`), sums a second one, of `ht` it is `offline_ht`.
    What has no scaling is left as it is. The pt itself stays, and with it masses.
    """
    objects = dict(data.objects)
    for name in scalings.objects:
        collection, _, kind = name.partition("/")
        if collection not in objects or "pt" not in ak.fields(objects[collection]):
            continue
        held = objects[collection]
        pt = ak.fill_none(ak.fill_none(held.pt, [], axis=0), np.nan, axis=1)
        eta = ak.fill_none(ak.fill_none(held.eta, [], axis=0), np.nan, axis=1) if "eta" in ak.fields(held) else pt
        flat = scalings.offline_pt(name, ak.to_numpy(ak.flatten(pt)), ak.to_numpy(ak.flatten(eta)))
        offline = ak.unflatten(flat, ak.to_numpy(ak.num(pt)))
        objects[collection] = ak.with_field(held, offline, f"{OFFLINE_PT}_{kind}" if kind else OFFLINE_PT)
    sums = dict(data.sums)
    for name, line in scalings.sums.items():
        if name in data.sums:
            sums[f"{OFFLINE}{name}"] = line.offline(data.sums[name])
    return EventData(data.crossings, objects, sums)


def before_scaling(
    fields: Mapping[str, Collection[str]], sums: Collection[str], scalings: Scalings
) -> tuple[dict[str, set[str]], set[str]]:
    """What has to be read of a file so that `with_offline` gives these fields and sums.

    Parameters
    ----------
    fields, sums
        What a menu asks for: fields by collection, and names of sums.

    Raises
    ------
    L1emuError
        for an offline pt or sum that has no scaling.
    """
    objects = {name: set(wanted) for name, wanted in fields.items()}
    for name, wanted in objects.items():
        for field in [field for field in wanted if field.startswith(OFFLINE_PT)]:
            kind = field.removeprefix(OFFLINE_PT).removeprefix("_")
            lines = scalings._of(f"{name}/{kind}" if kind else name)
            wanted -= {field}
            wanted |= {"pt"} if lines[0].abs_eta is None else {"pt", "eta"}
    found = set()
    for name in sums:
        bare = name.removeprefix(OFFLINE)
        if bare != name and bare not in scalings.sums:
            raise L1emuError(
                "no scaling of this sum", where=f"scalings {scalings.name}", value=bare,
                expected=f"one of {', '.join(sorted(scalings.sums)) or 'none'}",
            )  # fmt: skip
        found.add(bare)
    return objects, found


def online_thresholds(name: str, offline_gev: float, scalings: Scalings) -> list[ConvertedThreshold]:
    """The online thresholds of an offline one, a region of |eta| each.

    Parameters
    ----------
    name
        A collection, `COLLECTION/KIND`, or a sum with or without `offline_`.
    offline_gev
        The threshold.

    Raises
    ------
    L1emuError
        if it has no scaling.
    """
    bare = name.removeprefix(OFFLINE)
    lines: Sequence[ScalingLine] = [scalings.sums[bare]] if bare in scalings.sums else scalings._of(name)
    return [
        ConvertedThreshold(
            bare if bare in scalings.sums else name,
            None if line.abs_eta is None else (line.abs_eta[0], line.abs_eta[1]),
            offline_gev, line.online(offline_gev), line.beyond(line.online(offline_gev)),
        )
        for line in lines
    ]  # fmt: skip


def _size(point: PlateauPoint) -> float:
    """The larger error of a place; 0 where one is not known."""
    if point.error_low is None or point.error_high is None:
        return 0.0
    return max(point.error_low, point.error_high)


def _region(abs_eta: tuple[float, float] | None) -> str | None:
    return None if abs_eta is None else f"|eta| from {abs_eta[0]:g} to {abs_eta[1]:g}"
