"""Turn-on curves as data: what is on the axis, what has to pass, in which bins."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from l1emu.arraytypes import Floats
from l1emu.config import Config
from l1emu.errors import NO_SUCH_SUM, L1emuError

_MOST_BINS = 1000
_LARGEST = 1e9

_Name = Annotated[str, Field(min_length=1)]
_Number = Annotated[float, Field(ge=-_LARGEST, le=_LARGEST)]
_Pt = Annotated[float, Field(ge=0, le=10_000)]
_AbsEta = Annotated[float, Field(gt=0, le=10)]
_Pts = Annotated[list[_Pt], BeforeValidator(lambda given: given if isinstance(given, list) else [given])]
_Edges = Annotated[list[_Number], Field(min_length=2, max_length=_MOST_BINS + 1)]


class BinSteps(Config):
    """Bins of one width from `start` to `stop`, both of them edges."""

    start: _Number
    stop: _Number
    step: float = Field(gt=0, le=_LARGEST)

    @model_validator(mode="after")
    def _whole(self) -> BinSteps:
        if not self.stop > self.start:
            raise ValueError(f"the bins stop at {self.stop:g}; expected more than their start, {self.start:g}")
        number = (self.stop - self.start) / self.step
        if number > _MOST_BINS:
            raise ValueError(f"{number:.0f} bins; expected at most {_MOST_BINS}")
        if abs(number - round(number)) > 1e-6 or round(number) < 1:
            raise ValueError(f"from {self.start:g} to {self.stop:g} are {number:g} steps; expected a whole number")
        return self

    @property
    def edges(self) -> list[float]:
        """All edges, ascending."""
        number = round((self.stop - self.start) / self.step)
        return [self.start + (self.stop - self.start) * i / number for i in range(number + 1)]


def _form_of_bins(given: Any) -> str:
    return "steps" if isinstance(given, dict | BinSteps) else "edges"


_Bins = Annotated[Annotated[_Edges, Tag("edges")] | Annotated[BinSteps, Tag("steps")], Discriminator(_form_of_bins)]


class ValueCut(Config):
    """What a field may be: from `min` to `max`, both allowed, and one of the numbers `in` where they are given."""

    min: _Number | None = None
    max: _Number | None = None
    among: list[_Number] | None = Field(default=None, alias="in", min_length=1, max_length=1000)

    @model_validator(mode="after")
    def _something(self) -> ValueCut:
        if self.min is None and self.max is None and self.among is None:
            raise ValueError("a cut without `min`, `max` or `in`")
        return self


class CandidateCuts(Config):
    """Cuts that say which objects of a collection are looked at."""

    abs_eta_max: _AbsEta | None = None
    fields: dict[_Name, ValueCut] = Field(default_factory=dict)

    def cut_fields(self) -> set[str]:
        """The fields that the cuts look at."""
        return {*self.fields, *(("eta",) if self.abs_eta_max is not None else ())}


class Against(CandidateCuts):
    """The generated quantity: a field of generated objects that pass cuts, or a sum of the crossing.

    Attributes
    ----------
    object, field
        A collection of generated objects, and the field on the axis.
    nth
        Only the object with the n-th highest pt of those that pass; None looks at all of them.
    sum
        A number of the crossing, in the place of `object`.
    pt_min_gev, abs_eta_max, fields
        Cuts on the generated objects; an object at `pt_min_gev` passes, one at `abs_eta_max` does not.
    """

    object: _Name | None = None
    field: _Name = "pt"
    nth: int | None = Field(default=None, ge=1, le=64)
    sum: _Name | None = None
    pt_min_gev: _Pt | None = None

    @model_validator(mode="after")
    def _one(self) -> Against:
        if (self.object is None) == (self.sum is None):
            raise ValueError("against what? expected either `object` or `sum`")
        if self.sum is not None and (self.model_fields_set - {"sum"}):
            raise ValueError("a sum of the crossing has no field and no cuts; expected `sum` alone")
        return self


class Passes(CandidateCuts):
    """What has to pass: a seed of the menu, a sum above thresholds, or the object that matches a generated one.

    Attributes
    ----------
    seed
        Name of a seed with a fixed threshold.
    sum, min_gev
        A sum of the crossing and its thresholds.
    object, pt_min_gev
        A collection, and thresholds on the pt of the object that matches.
    scores
        Minimum of scores of the object that matches.
    abs_eta_max, fields
        Cuts on the objects that can match at all.
    delta_r_max
        How far from the generated object it may be.
    match
        `nearest`: the one with the smallest distance; `hardest`: the one with the highest pt within `delta_r_max`.
    of_matched
        Whether generated objects without a match are left out of the denominator.
    """

    seed: _Name | None = None
    sum: _Name | None = None
    min_gev: _Pts = Field(default_factory=list, max_length=100)
    object: _Name | None = None
    pt_min_gev: _Pts = Field(default_factory=list, max_length=100)
    scores: dict[_Name, _Number] = Field(default_factory=dict)
    delta_r_max: float = Field(default=0.4, gt=0, le=10)
    match: Literal["nearest", "hardest"] = "nearest"
    of_matched: bool = False

    @model_validator(mode="after")
    def _one(self) -> Passes:
        given = [key for key in ("seed", "sum", "object") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError("what has to pass? expected one of `seed`, `sum` and `object`")
        allowed = {"seed": {"seed"}, "sum": {"sum", "min_gev"}}.get(given[0])
        if allowed is not None and (wrong := self.model_fields_set - allowed):
            raise ValueError(f"`{min(wrong)}` says nothing of a {given[0]}; expected {' and '.join(sorted(allowed))}")
        if given[0] == "object" and self.min_gev:
            raise ValueError("`min_gev` is of a sum; expected `pt_min_gev` of an object")
        key = {"sum": "min_gev", "object": "pt_min_gev"}.get(given[0])
        if key is not None and not self.thresholds:
            raise ValueError(f"no threshold; expected `{key}`, one or several")
        if len(set(self.thresholds)) != len(self.thresholds):
            raise ValueError("a threshold twice")
        return self

    @property
    def thresholds(self) -> list[float]:
        """In GeV, as they are given; none of a seed."""
        return self.min_gev if self.sum is not None else self.pt_min_gev


class TurnOnSetup(Config):
    """One request: curves of one signal, a curve for each threshold and each bin of `split`.

    Attributes
    ----------
    name, signal
        What it is called, and the sample that it is made of.
    against, passes
        The axis and denominator, and the numerator.
    bins
        Edges, ascending, or `BinSteps`. A bin holds its lower edge.
    split
        One field and its edges. `eta` is that of the generated object, without its sign unless an edge is negative.
        Any other name is a field of the generated object, or else a sum of the crossing (such as `pileup`).
    """

    name: _Name
    signal: _Name
    against: Against
    passes: Passes
    bins: _Bins
    split: dict[_Name, _Edges] = Field(default_factory=dict, max_length=1)

    @model_validator(mode="after")
    def _fits(self) -> TurnOnSetup:
        for what, edges in (("bins", self.bins), *(("split", edges) for edges in self.split.values())):
            if isinstance(edges, list) and any(b <= a for a, b in pairwise(edges)):
                raise ValueError(f"the edges of `{what}` do not ascend")
        if self.passes.object is not None and self.against.object is None:
            raise ValueError("objects are matched to generated objects; expected `object` in `against`")
        if self.passes.object is None and self.against.object is not None and self.against.nth is None:
            raise ValueError(
                "a crossing passes as a whole; expected `nth` in `against`, such as 1 for the hardest generated object"
            )
        return self

    @property
    def edges(self) -> Floats:
        """Edges of the bins, float64 (bins + 1,)."""
        return np.array(self.bins.edges if isinstance(self.bins, BinSteps) else self.bins, np.float64)

    @property
    def split_edges(self) -> Floats | None:
        """Edges of the bins of the curves, or None for one bin of everything."""
        return np.array(next(iter(self.split.values())), np.float64) if self.split else None

    def needs(self) -> tuple[dict[str, set[str]], set[str]]:
        """Fields by collection, and sums, that it cannot do without; `split` may be either and is left out."""
        objects: dict[str, set[str]] = {}
        against, passes = self.against, self.passes
        if against.object is not None:
            wanted = {against.field, "pt", *against.cut_fields()}
            objects[against.object] = wanted | ({"eta", "phi"} if passes.object is not None else set())
        if passes.object is not None:
            wanted = {"pt", "eta", "phi", *passes.scores, *passes.cut_fields()}
            objects[passes.object] = objects.get(passes.object, set()) | wanted
        return objects, {name for name in (against.sum, passes.sum) if name is not None}

    def check(self, fields: Mapping[str, Collection[str]], sums: Collection[str], seeds: Collection[str] = ()) -> None:
        """Refuse what the data have not got, before anything long.

        Parameters
        ----------
        fields
            Fields of each collection.
        sums, seeds
            Names of the sums, and of the seeds with fixed thresholds.

        Raises
        ------
        L1emuError
            at the first thing that is missing.
        """
        place = f"turn-on {self.name}"
        objects, numbers = self.needs()
        for name, wanted in objects.items():
            _known(name, fields, f"{place}: object", "no such collection")
            for field in sorted(wanted):
                _known(field, fields[name], f"{place}: field of {name}", "no such field")
        for name in sorted(numbers):
            _known(name, sums, f"{place}: sum", NO_SUCH_SUM)
        if self.passes.seed is not None:
            _known(self.passes.seed, seeds, f"{place}: passes.seed", "no such seed with a fixed threshold")
        for name in self.split:
            own = fields[self.against.object] if self.against.object is not None else ()
            if name not in own:
                _known(name, {*own, *sums}, f"{place}: split", "no such field and no such sum")


def _known(name: str, known: Collection[str], where: str, message: str) -> None:
    if name not in known:
        names = ", ".join(sorted(known))
        raise L1emuError(message, where=where, value=name, expected=f"one of {names}" if names else "none is there")
