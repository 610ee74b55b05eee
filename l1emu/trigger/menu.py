"""Seeds as data: what a crossing must hold to be accepted, with one number of each seed left open to be scanned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from pydantic import Field, model_validator

from l1emu.config import Config

OPEN = "threshold"
"""What a study writes in the place of the number that is scanned."""

Gev = Annotated[float, Field(ge=0, le=10_000)]
Score = Annotated[float, Field(ge=0, le=1)]
AbsEta = Annotated[float, Field(gt=0, le=6)]
Threshold = Literal["threshold"]


class Tag(Config):
    """At least `count` of the selected jets have this score or a higher one.

    `score` is a field of the jets, such as `tag_b`: one output of the tagger.
    """

    score: str = Field(min_length=1)
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


class Seed(Config):
    """One algorithm of the menu: all of its conditions must hold. Exactly one number says `threshold`.

    Attributes
    ----------
    name
        What it is called in tables and figures.
    jets, ht
        Its conditions, at least one. A jet at the threshold passes.
    """

    name: str = Field(min_length=1)
    jets: JetCondition | None = None
    ht: HtCondition | None = None

    @model_validator(mode="after")
    def _one_open(self) -> Seed:
        if not self.name.strip():
            raise ValueError("the name of a seed is blank; expected one that a table can show")
        if self.jets is None and self.ht is None:
            raise ValueError(f"the seed {self.name!r} has no condition; expected `jets`, `ht` or both")
        found = len(self._open())
        if found != 1:
            raise ValueError(
                f"{found} numbers of the seed {self.name!r} say `{OPEN}`; expected exactly one, which is scanned"
            )
        return self

    def _open(self) -> list[str]:
        found = []
        if self.jets is not None:
            if self.jets.pt_min_gev == OPEN:
                found.append("jet pt")
            found += [f"{tag.score} score" for tag in self.jets.tags if tag.minimum == OPEN]
        if self.ht is not None and self.ht.min_gev == OPEN:
            found.append("HT")
        return found

    @property
    def scanned(self) -> str:
        """What the threshold is put on: `jet pt`, `HT`, or a score."""
        return self._open()[0]

    @property
    def unit(self) -> str:
        """Unit of the threshold: GeV, or nothing for a score."""
        return "" if self.scanned.endswith("score") else "GeV"

    @property
    def tagged(self) -> bool:
        """Whether it asks for a score of the tagger."""
        return self.jets is not None and bool(self.jets.tags)

    def at(self, threshold: float) -> ClosedSeed:
        """The conditions with this number in the place of the open one."""
        jets, ht = self.jets, self.ht
        if jets is not None:
            tags = [_closed(tag, "minimum", threshold) for tag in jets.tags]
            jets = _closed(jets, "pt_min_gev", threshold).model_copy(update={"tags": tags})
        if ht is not None:
            ht = _closed(ht, "min_gev", threshold)
        return ClosedSeed(self.name, jets, ht)

    def without_tags(self) -> Seed | None:
        """The same seed that asks for no scores, which accepts all this one does; None if a score is scanned."""
        if self.jets is None or self.scanned.endswith("score"):
            return None
        return self.model_copy(update={"jets": self.jets.model_copy(update={"tags": []})})

    def with_working_point(self, minimum: float) -> Seed:
        """The same seed with every tag at this minimum score; a score that is scanned stays open."""
        if self.jets is None:
            return self
        tags = [t if t.minimum == OPEN else t.model_copy(update={"minimum": minimum}) for t in self.jets.tags]
        return self.model_copy(update={"jets": self.jets.model_copy(update={"tags": tags})})

    def describe(self) -> str:
        """The seed in words, with T for the threshold."""
        parts = []
        if self.jets is not None:
            j = self.jets
            noun = "jet" if j.count == 1 else "jets"
            text = f"{j.count} {noun} with pt ≥ {_shown(j.pt_min_gev)} GeV, |η| < {j.abs_eta_max:g}"
            for tag in j.tags:
                text += f", {tag.count} of them with {tag.score} ≥ {_shown(tag.minimum)}"
            parts.append(text)
        if self.ht is not None:
            h = self.ht
            parts.append(
                f"HT ≥ {_shown(h.min_gev)} GeV of jets with pt ≥ {h.jet_pt_min_gev:g} GeV, |η| < {h.abs_eta_max:g}"
            )
        return " and ".join(parts)


@dataclass(frozen=True)
class ClosedSeed:
    """A seed whose threshold is set; made by `Seed.at`."""

    name: str
    jets: JetCondition | None
    ht: HtCondition | None


C = TypeVar("C", Tag, JetCondition, HtCondition)


def _closed(condition: C, key: str, threshold: float) -> C:
    return condition.model_copy(update={key: threshold}) if getattr(condition, key) == OPEN else condition


def _shown(value: float | str) -> str:
    return "T" if isinstance(value, str) else f"{value:g}"
