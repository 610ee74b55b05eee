"""The schema of a recipe: everything that determines a generated sample, as data."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from l1emu.config import Config, load_config
from l1emu.files import sha256_bytes


class Process(Config):
    """A pool of Pythia collisions of one process.

    `settings` are Pythia's own strings. `pt_hat_gev` gives the two ends of the transverse momentum of the hard
    interaction (one end: no upper end). `veto_pt_hat_gev` throws away collisions at or above it, where other
    pools take over.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9+_.-]*$")
    settings: list[str] = Field(min_length=1)
    events: int = Field(gt=0)
    pt_hat_gev: list[float] | None = Field(default=None, min_length=1, max_length=2)
    veto_pt_hat_gev: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Process:
        ends = self.pt_hat_gev
        if ends is not None and (ends[0] <= 0 or (len(ends) == 2 and ends[1] <= ends[0])):
            raise ValueError(f"pt_hat_gev must be positive and ascending, not {ends}")
        return self


class Collisions(Process):
    """One bin of inelastic collisions; `crossings` is how many crossings have it as their hardest bin."""

    crossings: int = Field(default=0, ge=0)


class HardProcess(Process):
    """A process of which every crossing has exactly one collision; `crossings` of them are made.

    With more crossings than events the collisions are used again, rotated, mirrored, in other pile-up.
    """

    crossings: int = Field(gt=0)


class PileUp(Config):
    """The inelastic collisions of a crossing: Poisson with `mean`, spread along the beam with `sigma_z_cm`.

    `collisions` are bins of the hard scale, lowest first: the first one is everything below the second (Pythia's
    inelastic collisions with a veto), the others are hard QCD between the edges. Together they make up the
    inelastic cross section.
    """

    mean: float = Field(ge=0, le=1000)
    sigma_z_cm: float = Field(gt=0)
    collisions: list[Collisions] = Field(min_length=1)

    @model_validator(mode="after")
    def _seamless(self) -> PileUp:
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


class JetSelection(Config):
    """Which Level-1 jets a sample of training jets keeps."""

    min_pt_gev: float = Field(gt=0)
    max_abs_eta: float = Field(gt=0)
    max_per_class: int | None = Field(default=None, gt=0)


class Recipe(Config):
    """A sample: `minbias` (stratified crossings), `signal` (crossings with one hard collision), `jets` (training)."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")
    kind: Literal["minbias", "signal", "jets"]
    seed: int = Field(ge=0)
    pool_seed: int = Field(ge=0)
    energy_tev: float = Field(gt=0)
    pileup: PileUp
    hard: list[HardProcess] = Field(default_factory=list)
    jets: JetSelection | None = None

    @model_validator(mode="after")
    def _fits_kind(self) -> Recipe:
        if (self.kind == "minbias") == bool(self.hard):
            raise ValueError("`hard` belongs to recipes of the kinds signal and jets, and these need it")
        if (self.kind == "jets") != (self.jets is not None):
            raise ValueError("`jets` belongs to recipes of the kind jets, and these need it")
        if self.kind == "minbias" and any(c.crossings == 0 for c in self.pileup.collisions):
            raise ValueError("every bin of a minbias recipe needs crossings: its stratum would be missing")
        names = [p.name for p in (*self.pileup.collisions, *self.hard)]
        if len(set(names)) != len(names):
            raise ValueError(f"two pools have the same name in {names}")
        physics = [(p.settings, p.pt_hat_gev, p.veto_pt_hat_gev) for p in (*self.pileup.collisions, *self.hard)]
        twins = [n for n, p in zip(names, physics, strict=True) if physics.count(p) > 1]
        if twins:
            raise ValueError(f"the pools {' and '.join(twins)} would hold the same collisions")
        return self

    def document(self) -> dict[str, Any]:
        """The recipe as plain JSON data, without what has its default: a new option leaves old hashes as they are."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @property
    def hash(self) -> str:
        """The SHA-256 of the recipe's canonical JSON."""
        text = json.dumps(self.document(), sort_keys=True, separators=(",", ":"))
        return sha256_bytes(text.encode())


def load_recipe(path: str | os.PathLike[str]) -> Recipe:
    """Read a recipe from YAML.

    Raises
    ------
    L1emuError
        if the file is absent, no YAML, or does not fit the schema.
    """
    return load_config(Path(path), Recipe)
