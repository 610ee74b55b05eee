"""Scores from the outputs of a network: a closed list of forms, each with the range of its values where it is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator, Field, model_validator

from l1emu.arraytypes import Floats
from l1emu.config import Config
from l1emu.errors import L1emuError
from l1emu.taggers.maps import NameText

Values = Mapping[str, npt.NDArray[np.float64]]
"""Numbers by name, (objects, numbers)."""

_UNKNOWN = (-math.inf, math.inf)


def _as_list(data: Any) -> Any:
    return [data] if isinstance(data, str) else data


NameList = Annotated[list[NameText], Field(min_length=1, max_length=4096), BeforeValidator(_as_list)]


class Share(Config):
    """A sum over a sum."""

    of: NameList
    to: NameList


class VectorDistance(Config):
    """How far two vectors of one size are apart: sum |a - b|, the root of sum (a - b)^2, or the mean of (a - b)^2."""

    origin: NameList = Field(alias="from")
    to: NameList
    norm: Literal["l1", "l2", "mse"] = "l2"


class VectorNorm(Config):
    """The mean or the sum of |x|^power."""

    of: NameList
    power: float = Field(default=2.0, ge=0.01, le=64)
    reduce: Literal["mean", "sum"] = "mean"


class ScoreForm(Config):
    """What a score is; exactly one of the forms."""

    output: NameText | None = None
    sum: NameList | None = None
    ratio: Share | None = None
    log_ratio: Share | None = None
    distance: VectorDistance | None = None
    norm: VectorNorm | None = None

    @model_validator(mode="after")
    def _one(self) -> ScoreForm:
        if sum(value is not None for _, value in self) != 1:
            raise ValueError(f"not one form of a score; expected exactly one of {', '.join(type(self).model_fields)}")
        return self

    def names(self) -> tuple[str, ...]:
        """The outputs, and inputs, that it is made of."""
        if self.output is not None:
            return (self.output,)
        if self.sum is not None:
            return tuple(self.sum)
        share = self.ratio or self.log_ratio
        if share is not None:
            return (*share.of, *share.to)
        if self.distance is not None:
            return (*self.distance.origin, *self.distance.to)
        assert self.norm is not None
        return tuple(self.norm.of)


@dataclass(frozen=True, eq=False)
class TaggerScore:
    """A score of one tagger.

    Attributes
    ----------
    name
        As in the study.
    form
        How it is made.
    range
        The least and the greatest value that it can have; infinite where that is not known.
    """

    name: str
    form: ScoreForm
    range: tuple[float, float]

    def values(self, values: Values) -> Floats:
        """The score of each object, float64 (objects,); NaN where it is 0/0."""
        with np.errstate(all="ignore"):
            return _value(self.form, values)


def make_score(name: str, form: ScoreForm, bounds: Mapping[str, tuple[Floats, Floats]], where: str) -> TaggerScore:
    """Check that a form fits the outputs, and find its range.

    Parameters
    ----------
    bounds
        By the names of outputs and inputs, the least and the greatest value of each of their numbers, (numbers,).
    where
        What the tagger is called in messages.

    Raises
    ------
    L1emuError
        if a name is unknown, a vector stands where one number is wanted, or two vectors are of different sizes.
    """
    place = f"{where}, score {name}"
    vectors = form.distance is not None or form.norm is not None
    for one in form.names():
        if one not in bounds:
            raise L1emuError("no such output", where=place, value=one, expected=f"one of {', '.join(map(str, bounds))}")
        if not vectors and len(bounds[one][0]) != 1:
            raise L1emuError(
                f"{one} is a vector of {len(bounds[one][0])} numbers", where=place, expected="one number: name each"
            )
    if form.distance is not None:
        sizes = [sum(len(bounds[n][0]) for n in names) for names in (form.distance.origin, form.distance.to)]
        if sizes[0] != sizes[1]:
            raise L1emuError("a distance between vectors of different sizes", where=place, value=tuple(sizes))
    with np.errstate(all="ignore"):
        low, high = _range(form, bounds)
    return TaggerScore(name, form, _UNKNOWN if math.isnan(low) or math.isnan(high) else (float(low), float(high)))


def _joined(names: list[str], values: Values) -> Floats:
    return np.concatenate([values[name] for name in names], axis=-1)


def _total(names: list[str], values: Values) -> Floats:
    total: Floats = values[names[0]][..., 0]
    for name in names[1:]:
        total = total + values[name][..., 0]
    return total


def _value(form: ScoreForm, values: Values) -> Floats:
    if form.output is not None:
        return values[form.output][..., 0]
    if form.sum is not None:
        return _total(form.sum, values)
    if form.ratio is not None:
        return _total(form.ratio.of, values) / _total(form.ratio.to, values)
    if form.log_ratio is not None:
        share: Floats = _total(form.log_ratio.of, values) / _total(form.log_ratio.to, values)
        return np.log(share)
    if form.distance is not None:
        difference = _joined(form.distance.origin, values) - _joined(form.distance.to, values)
        return _DISTANCES[form.distance.norm](difference)
    assert form.norm is not None
    powers = np.abs(_joined(form.norm.of, values)) ** form.norm.power
    reduced: Floats = powers.mean(axis=-1) if form.norm.reduce == "mean" else powers.sum(axis=-1)
    return reduced


_DISTANCES: dict[str, Callable[[Floats], Floats]] = {
    "l1": lambda d: np.abs(d).sum(axis=-1),
    "l2": lambda d: np.sqrt((d**2).sum(axis=-1)),
    "mse": lambda d: (d**2).mean(axis=-1),
}


def _range(form: ScoreForm, bounds: Mapping[str, tuple[Floats, Floats]]) -> tuple[float, float]:
    """From the ends of what the score is made of; NaN where they do not tell."""
    low = {name: ends[0] for name, ends in bounds.items()}
    high = {name: ends[1] for name, ends in bounds.items()}
    if form.output is not None or form.sum is not None:
        return float(_value(form, low)), float(_value(form, high))
    share = form.ratio or form.log_ratio
    if share is not None:
        least, most = _share_range(share, low, high)
        return (least, most) if form.ratio is not None else (_log(least), _log(most))
    if form.distance is not None:
        ends = (
            _joined(form.distance.origin, low) - _joined(form.distance.to, high),
            _joined(form.distance.origin, high) - _joined(form.distance.to, low),
        )
        nearest, furthest = _magnitudes(*ends)
        measure = _DISTANCES[form.distance.norm]
        return float(measure(nearest)), float(measure(furthest))
    assert form.norm is not None
    nearest, furthest = _magnitudes(_joined(form.norm.of, low), _joined(form.norm.of, high))
    ends = (nearest**form.norm.power, furthest**form.norm.power)
    reduce = np.mean if form.norm.reduce == "mean" else np.sum
    return float(reduce(ends[0])), float(reduce(ends[1]))


def _share_range(share: Share, low: Values, high: Values) -> tuple[float, float]:
    """Of numbers of which none is negative; else it is not known."""
    if any(float(low[name][0]) < 0 for name in (*share.of, *share.to)):
        return _UNKNOWN
    within = all(share.of.count(name) <= share.to.count(name) for name in share.of)
    least = float(_total(share.of, low) / _total(share.to, high))
    most = 1.0 if within else float(_total(share.of, high) / _total(share.to, low))
    return 0.0 if math.isnan(least) else least, math.inf if math.isnan(most) else most


def _log(value: float) -> float:
    return -math.inf if value <= 0 else math.log(value)


def _magnitudes(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """The least and the greatest |x| of x between the ends."""
    nearest = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
    return nearest, np.maximum(np.abs(low), np.abs(high))
