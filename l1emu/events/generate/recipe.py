"""The schema of a recipe: everything that determines a generated sample, as data."""

from __future__ import annotations

import json
import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from l1emu.config import Config, SeedNumber, load_config
from l1emu.errors import L1emuError
from l1emu.events.generate.tunes import Tune
from l1emu.files import sha256_bytes
from l1emu.resources import resolve, resource

_MOST_EVENTS = 100_000_000
"""Of a pool and of a sample: years of Pythia."""

PtHat = Annotated[float, Field(ge=0, le=100_000)]


class Process(Config):
    """A pool of Pythia collisions of one process.

    `settings` are Pythia's own strings. `pt_hat_gev` gives the two ends of the transverse momentum of the hard
    interaction (one end: no upper end). `veto_pt_hat_gev` throws away collisions at or above it, where other
    pools take over. `pool_seed` takes the place of the recipe's for this pool.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9+_.-]*$")
    settings: list[str] = Field(min_length=1)
    events: int = Field(gt=0, le=_MOST_EVENTS)
    pt_hat_gev: list[PtHat] | None = Field(default=None, min_length=1, max_length=2)
    veto_pt_hat_gev: float | None = Field(default=None, gt=0, le=100_000)
    pool_seed: SeedNumber | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Process:
        ends = self.pt_hat_gev
        if ends is not None and (ends[0] <= 0 or (len(ends) == 2 and ends[1] <= ends[0])):
            raise ValueError(f"pt_hat_gev must be positive and ascending, not {ends}")
        return self

    @field_validator("settings")
    @classmethod
    def _settings(cls, lines: list[str]) -> list[str]:
        for line in lines:
            if not re.match(r"\s*[A-Za-z0-9]", line, re.ASCII) or len(line.splitlines()) > 1:
                raise ValueError(f"Pythia passes over this setting, or a part of it: {line!r}; expected NAME = VALUE")
        return lines


class Collisions(Process):
    """One bin of inelastic collisions; `crossings` is how many crossings have it as their hardest bin."""

    crossings: int = Field(default=0, ge=0, le=_MOST_EVENTS)


class HardProcess(Process):
    """A process of which every crossing has exactly one collision; `crossings` of them are made.

    With more crossings than events the collisions are used again, rotated, mirrored, in other pile-up. `label` is the
    class of its jets where a recipe labels jets by process.
    """

    crossings: int = Field(gt=0, le=_MOST_EVENTS)
    label: str | None = Field(default=None, min_length=1)


class PileUp(Config):
    """The inelastic collisions of a crossing: Poisson with `mean`, spread along the beam with `sigma_z_cm`.

    `collisions` are bins of the hard scale, lowest first: the first one is everything below the second (Pythia's
    inelastic collisions with a veto), the others are hard QCD between the edges. Together they make up the
    inelastic cross section. `like` names a recipe whose bins are taken in their place; without pile-up there are none.
    """

    mean: float = Field(ge=0, le=1000)
    sigma_z_cm: float = Field(ge=0.001, le=100)
    collisions: list[Collisions] = Field(default_factory=list)
    like: str | None = None

    @model_validator(mode="after")
    def _seamless(self) -> PileUp:
        if self.like is not None or not self.collisions:
            if self.collisions:
                raise ValueError("either `collisions` or `like`, the recipe that has them, not both")
            if self.like is None and self.mean > 0:
                raise ValueError(f"a mean of {self.mean:g} needs `collisions`, or `like` and a recipe that has them")
            return self
        first, *rest = self.collisions
        edge = first.veto_pt_hat_gev
        if first.pt_hat_gev is not None:
            raise ValueError("the first bin of collisions is the inelastic rest: it takes no pt_hat_gev")
        if bool(rest) != (edge is not None):
            raise ValueError("the first bin needs veto_pt_hat_gev where harder bins follow, and only there")
        for bin_ in rest:
            if bin_.pt_hat_gev is None or bin_.pt_hat_gev[0] != edge:
                raise ValueError(f"bin {bin_.name} must begin at pt_hat_gev {edge}, where the one before ends")
            edge = bin_.pt_hat_gev[1] if len(bin_.pt_hat_gev) == 2 else None
        if edge is not None:
            raise ValueError("the last bin of collisions must have no upper end of pt_hat_gev")
        return self


_Point = Annotated[float, Field(ge=0, le=1e6)]
"""A threshold in GeV or a rate in kHz."""
Quantity = Literal["jet1", "jet2", "jet3", "jet4", "jet5", "jet6", "ht"]


class ThinningRule(Config):
    """How many crossings are wanted by the value of a quantity: `keep` for each factor e of its rate.

    `of` is pt of the hardest, second hardest, ... jet, or HT. `above` are thresholds [GeV] and the rate [kHz] above
    each, roughly: between two the logarithm is interpolated, beyond the ends the rate is that of the end. The rule is
    for crossings with at least so many `b_jets`, or `b_or_c_jets`, among the generator's above 20 GeV. With `tagged`, a
    rule for Level-1 jets asks in addition for as many jets, as hard, with a score of at least `score_min`.
    """

    of: Quantity
    above: list[Annotated[list[_Point], Field(min_length=2, max_length=2)]] = Field(min_length=1, max_length=100)
    keep: float = Field(gt=0, le=1e9)
    b_jets: int = Field(default=0, ge=0, le=12)
    b_or_c_jets: int = Field(default=0, ge=0, le=12)
    tagged: int = Field(default=0, ge=0, le=6)
    score_min: float = Field(default=0.0, ge=-1e6, le=1e6)

    @field_validator("above")
    @classmethod
    def _falling(cls, points: list[list[float]]) -> list[list[float]]:
        ordered = all(low[0] < high[0] and low[1] >= high[1] for low, high in pairwise(points))
        if not ordered or points[-1][1] <= 0:
            raise ValueError(f"expected ascending thresholds with falling rates, not {points}")
        return points


class Level1Jets(Config):
    """How crossings that were made are thinned by their Level-1 jets.

    The jets' pt is (raw - `offset_gev`) / `slope`, about what a calibration will make of it; `ht_pt_min_gev` is that of
    the jets of HT. `tagger` is the firmware that scores jets for the rules with `tagged`, from the features of the
    default tagger; `output` is the number of its output that counts.
    """

    raw_pt_min_gev: float = Field(default=5, ge=0, le=1000)
    offset_gev: float = Field(default=0, ge=-1000, le=1000)
    slope: float = Field(default=1, ge=0.01, le=100)
    abs_eta_max: float = Field(default=2.4, gt=0, le=10)
    ht_pt_min_gev: float = Field(default=30, ge=0, le=10_000)
    tagger: str | None = None
    output: int = Field(default=0, ge=0, le=1000)
    rules: list[ThinningRule] = Field(min_length=1, max_length=100)

    @model_validator(mode="after")
    def _scored(self) -> Level1Jets:
        if any(rule.tagged for rule in self.rules) != (self.tagger is not None):
            raise ValueError("a `tagger` belongs to rules with `tagged`, and these need it")
        return self


class Thinning(Config):
    """Which crossings are simulated and stored, see `l1emu.events.generate.thinning`.

    `crossings_khz` is the rate of colliding crossings that the rules' rates refer to. By `generator` the drawn lists of
    collisions are thinned before they are simulated, by `level1` what was simulated.
    """

    crossings_khz: float = Field(gt=0, le=1e6)
    generator: list[ThinningRule] = Field(min_length=1, max_length=100)
    level1: Level1Jets | None = None

    @model_validator(mode="after")
    def _untagged(self) -> Thinning:
        if any(rule.tagged for rule in self.generator):
            raise ValueError("`tagged` is for rules of Level-1 jets: what is not simulated has no score")
        return self


class Storage(Config):
    """How candidates are stored: packed, and with `jets_from_gev` those of jets with such a raw pt alone."""

    jets_from_gev: float | None = Field(default=None, ge=0, le=1000)


class JetSelection(Config):
    """Which Level-1 jets a sample of training jets keeps, and what labels them.

    By `flavour`: that of the nearest generator jet, or pile-up. By `process`: the process's own `label`, for jets
    within 0.4 of one of the two hardest generator jets of the collision; other jets are left out.
    """

    label_by: Literal["flavour", "process"] = "flavour"
    min_pt_gev: float = Field(gt=0, le=10_000)
    max_abs_eta: float = Field(gt=0, le=10)
    max_per_class: int | None = Field(default=None, gt=0, le=1_000_000_000)


class SampleRecipe(Config):
    """A sample: `minbias` (stratified crossings), `signal` (crossings with one hard collision), `jets` (training).

    `about` says in a line what it is for; it decides nothing. With `slices` every pool is cut into so many, and each
    crossing is mixed within one. Where a minbias recipe says how to `thin`, `crossings` of its bins are those that are
    drawn. `tune` is that of all its collisions (`l1emu.events.generate.tunes`), without it Pythia's default. `store` is
    how candidates are stored. `endcap_regions` are filled with the hardest objects (`ideal`), or as the firmware and
    CMSSW do, through buffers that can overflow (`l1emu.events.correlator.buffered_regions`).
    """

    about: str = ""
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")
    kind: Literal["minbias", "signal", "jets"]
    seed: SeedNumber
    pool_seed: SeedNumber
    energy_tev: float = Field(ge=0.01, le=1000)
    tune: Tune | None = None
    pileup: PileUp
    hard: list[HardProcess] = Field(default_factory=list)
    jets: JetSelection | None = None
    slices: int = Field(default=0, ge=0, le=100)
    thin: Thinning | None = None
    store: Storage | None = None
    endcap_regions: Literal["ideal", "buffered"] = "ideal"

    @model_validator(mode="after")
    def _thinned(self) -> SampleRecipe:
        if self.slices and self.kind != "minbias":
            raise ValueError("`slices` belong to recipes of the kind minbias")
        if self.thin is not None and self.slices < 2:
            raise ValueError("a recipe that says how to `thin` needs `slices`: errors are from their spread")
        if self.store is not None and self.kind == "jets":
            raise ValueError("`store` is for recipes of crossings")
        for bin_ in self.pileup.collisions if self.slices else ():
            if bin_.crossings % self.slices or bin_.events < self.slices:
                raise ValueError(f"the crossings of {bin_.name} must be as many in each of the {self.slices} slices")
        return self

    @model_validator(mode="after")
    def _fits_kind(self) -> SampleRecipe:
        if (self.kind == "minbias") == bool(self.hard):
            raise ValueError("`hard` belongs to recipes of the kinds signal and jets, and these need it")
        if (self.kind == "jets") != (self.jets is not None):
            raise ValueError("`jets` belongs to recipes of the kind jets, and these need it")
        if self.kind == "minbias" and (
            not self.pileup.collisions or any(c.crossings == 0 for c in self.pileup.collisions)
        ):
            raise ValueError("every bin of a minbias recipe needs crossings: its stratum would be missing")
        labelled = self.jets is not None and self.jets.label_by == "process"
        wrong = [h.name for h in self.hard if (h.label is not None) != labelled]
        if wrong:
            raise ValueError(f"the process {wrong[0]}: a `label` belongs to every process if jets are labelled by it")
        names = [p.name for p in self.processes]
        if len(set(names)) != len(names):
            raise ValueError(f"two pools have the same name in {names}")
        physics = [(p.settings, p.pt_hat_gev, p.veto_pt_hat_gev, p.pool_seed) for p in self.processes]
        twins = [n for n, p in zip(names, physics, strict=True) if physics.count(p) > 1]
        if twins:
            raise ValueError(f"the pools {' and '.join(twins)} would hold the same collisions")
        return self

    @property
    def processes(self) -> list[Process]:
        """The pools of collisions that it needs: those of the pile-up, then the hard processes."""
        return [*self.pileup.collisions, *self.hard]

    @property
    def buffered(self) -> bool:
        """Whether the endcaps' regions are filled through buffers."""
        return self.endcap_regions == "buffered"

    @property
    def classes(self) -> list[str]:
        """The labels of a recipe that labels jets by process, in the order of their first process."""
        return list(dict.fromkeys(h.label for h in self.hard if h.label is not None))

    @property
    def crossings(self) -> int:
        """Crossings that it makes."""
        return sum(p.crossings for p in (self.hard or self.pileup.collisions))

    def document(self) -> dict[str, Any]:
        """The recipe as plain JSON data, without what has its default: a new option leaves old hashes as they are."""
        return self.model_dump(mode="json", exclude_defaults=True, exclude={"about"})

    @property
    def hash(self) -> str:
        """The SHA-256 of the recipe's canonical JSON."""
        text = json.dumps(self.document(), sort_keys=True, separators=(",", ":"))
        return sha256_bytes(text.encode())


def load_recipe(path: str | os.PathLike[str]) -> SampleRecipe:
    """Read a recipe from YAML. Where `pileup.like` names another one, the bins are those of that file.

    Raises
    ------
    L1emuError
        if a file is absent, no YAML, or does not fit the schema.
    """
    file = Path(path)
    recipe = load_config(file, SampleRecipe)
    if recipe.pileup.like is None:
        return recipe
    try:
        other = resolve(recipe.pileup.like, file.parent)
    except L1emuError as error:
        raise L1emuError(
            error.message, path=file, where="pileup.like", value=error.value, expected=error.expected
        ) from None
    bins = load_config(other, SampleRecipe).pileup.collisions
    if not bins:
        raise L1emuError("that recipe has no `collisions`", path=file, where="pileup.like", value=str(other))
    bins = [b.model_copy(update={"crossings": 0}) for b in bins]
    pileup = recipe.pileup.model_copy(update={"collisions": bins, "like": None})
    try:
        return SampleRecipe.model_validate({**dict(recipe), "pileup": pileup})
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise L1emuError(f"{message}, with the collisions of {other.name}", path=file) from None


def shipped_recipes() -> list[Path]:
    """The recipes that come with l1emu, by name."""
    return sorted(resource("datasets/recipes").glob("*.yaml"))


def recipe_file(recipe: str) -> Path:
    """A recipe's file: a path, or the name of a shipped one.

    Raises
    ------
    L1emuError
        if there is neither.
    """
    return resolve(recipe, Path(), "recipe")
