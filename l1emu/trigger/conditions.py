"""What a seed asks for beside its legs: sums, conditions between legs, vetoes, and jets or HT in short."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from l1emu.config import Config
from l1emu.trigger.legs import AbsEta, Gev, Leg, OpenableNumber, Score, Threshold, Word

Distance = Annotated[float, Field(ge=0, le=20)]
Mass = Annotated[float, Field(ge=0, le=100_000)]
MassWindow = Annotated[list[Mass | Threshold], Field(min_length=2, max_length=2)]


class SumCut(Config):
    """Bounds of a number of the crossing, included: `min_gev` and `max_gev` of energies, `min` and `max` of others."""

    min_gev: OpenableNumber | Threshold | None = None
    max_gev: OpenableNumber | Threshold | None = None
    min: OpenableNumber | Threshold | None = None
    max: OpenableNumber | Threshold | None = None


class Between(Config):
    """What objects of two or three legs must fulfil together; bounds are included.

    `legs` are the numbers of legs, counted from 0; one that stands there twice means two different objects of it. Some
    objects of those assigned to the legs must meet all conditions of this entry; other entries may be met by others.
    Masses are those of massless objects. Of three legs, the mass is that of all three, `same_charge` means three equal
    signs, and `opposite_charge` three signs that are not all equal.
    """

    legs: list[Annotated[int, Field(ge=0, lt=16)]] = Field(min_length=2, max_length=3)
    delta_r_min: Distance | Threshold | None = None
    delta_r_max: Distance | Threshold | None = None
    delta_eta_min: Distance | Threshold | None = None
    delta_eta_max: Distance | Threshold | None = None
    delta_phi_min: Distance | Threshold | None = None
    delta_phi_max: Distance | Threshold | None = None
    mass_gev: MassWindow | None = None
    transverse_mass_gev: MassWindow | None = None
    opposite_charge: bool = False
    same_charge: bool = False
    delta_z_max_cm: Annotated[float, Field(ge=0, le=10_000)] | Threshold | None = None


class Veto(Config):
    """What must not be in the crossing: objects, sums and conditions between legs, all of them together."""

    legs: list[Leg] = Field(default_factory=list, max_length=8)
    sums: dict[Word, SumCut] = Field(default_factory=dict, max_length=8)
    between: list[Between] = Field(default_factory=list, max_length=8)


class Tag(Config):
    """At least `count` of the selected jets have this score or a higher one.

    `score` is a field of the jets, such as `tag_b`: one output of the tagger.
    """

    score: Word
    minimum: Score | Threshold
    count: int = Field(ge=1, le=16)


class JetCondition(Config):
    """At least `count` jets of this pt or more within |eta|, of which enough pass each tag."""

    count: int = Field(ge=1, le=16)
    pt_min_gev: Gev | Threshold
    abs_eta_max: AbsEta
    tags: list[Tag] = Field(default_factory=list)

    @model_validator(mode="after")
    def _enough_jets(self) -> JetCondition:
        for tag in self.tags:
            if tag.count > self.count:
                raise ValueError(f"{tag.count} of the jets shall pass {tag.score}, but only {self.count} are asked for")
        return self


class HtCondition(Config):
    """The scalar sum of the pt of all jets above `jet_pt_min_gev` within |eta| is `min_gev` or more."""

    min_gev: Gev | Threshold
    jet_pt_min_gev: Gev
    abs_eta_max: AbsEta
