"""Seeds and menus as data: what a crossing must hold to be accepted; one number of a seed may be left to be scanned."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from l1emu.config import Config, load_config
from l1emu.trigger.conditions import Between, HtCondition, JetCondition, SumCut, Veto
from l1emu.trigger.legs import OPEN, Leg, ObjectCuts, Word
from l1emu.trigger.open_numbers import OpenNumber, open_numbers, with_threshold
from l1emu.trigger.scan import Scan
from l1emu.trigger.seed_checks import menu_fault, seed_fault
from l1emu.trigger.seed_text import described

MOST_SEEDS = 256
_Names = Annotated[list[Word], Field(min_length=1, max_length=MOST_SEEDS)]


class Seed(Config):
    """One algorithm of the menu: all of its conditions must hold.

    Attributes
    ----------
    name, group
        What it is called in tables and figures, and which group's it is.
    prescale
        One of so many of its accepts is kept, on average; decisions are those before the prescale.
    legs, sums, between, veto
        Its objects, numbers of the crossing, conditions between objects, and what refuses the crossing.
    any, all, not_
        Seeds of the same menu, of which one at least, each, or none must accept, whatever their prescales.
    jets, ht
        Jets or HT in short.
    scan
        The thresholds at which it is wanted; one number says `threshold` then, or the same one of several legs.
    """

    model_config = ConfigDict(populate_by_name=True)

    name: Word
    group: str = ""
    prescale: float = Field(default=1.0, ge=1, le=1e9)
    legs: list[Leg] = Field(default_factory=list, max_length=16)
    sums: dict[Word, SumCut] = Field(default_factory=dict, max_length=16)
    between: list[Between] = Field(default_factory=list, max_length=16)
    veto: list[Veto] = Field(default_factory=list, max_length=8)
    any: _Names | None = None
    all: _Names | None = None
    not_: _Names | None = Field(default=None, alias="not")
    jets: JetCondition | None = None
    ht: HtCondition | None = None
    scan: Scan | None = None

    @model_validator(mode="after")
    def _sound(self) -> Seed:
        if not self.name.strip():
            raise ValueError("the name of a seed is blank; expected one that a table can show")
        if not (self.legs or self.sums or self.veto or self.jets or self.ht or self.references):
            raise ValueError(
                f"seed {self.name!r} has no condition; expected `legs`, `sums`, `jets`, `ht`, `veto`, `any`, `all` or "
                "`not`"
            )
        fault = seed_fault(self)
        if fault is None and self.scan is not None and not open_numbers(self):
            fault = f"scan is given but no number says `{OPEN}`; expected one that is scanned"
        if fault is not None:
            raise ValueError(f"seed {self.name!r}: {fault}")
        return self

    @property
    def references(self) -> dict[str, list[str]]:
        """The names of other seeds under `any`, `all` and `not`, as far as they are there."""
        given = {"any": self.any, "all": self.all, "not": self.not_}
        return {key: names for key, names in given.items() if names is not None}

    @property
    def open_number(self) -> OpenNumber | None:
        """What is scanned; None if all numbers are fixed."""
        return next(iter(open_numbers(self)), None)

    @property
    def scanned(self) -> str:
        """What the threshold is put on, such as `jet pt`, `HT` or `tag_b score`; nothing if all is fixed."""
        return "" if self.open_number is None else self.open_number.label

    @property
    def unit(self) -> str:
        """Unit of the threshold: GeV, cm or rad; nothing for a score, an angle in eta, or where all is fixed."""
        return "" if self.open_number is None else self.open_number.unit

    @property
    def sign(self) -> int:
        """-1 if a higher threshold accepts more, as of `delta_r_max`, otherwise 1.

        `decide(seed.at(t), data)` equals `reach(seed, data) >= seed.sign * t`.
        """
        return -1 if self.open_number is not None and self.open_number.upper else 1

    @property
    def tagged(self) -> bool:
        """Whether it asks for a score of a tagger."""
        in_short = self.jets is not None and bool(self.jets.tags)
        of_veto = (leg for veto in self.veto for leg in veto.legs)
        return in_short or next((True for leg in (*self.legs, *of_veto) if _asks_scores(leg)), False)

    def at(self, threshold: float) -> Seed:
        """The seed with this number in the place of the open one, and no scan."""
        return with_threshold(self, float(threshold)).model_copy(update={"scan": None})

    def without_tags(self) -> Seed | None:
        """The same seed that asks for no scores, which accepts all this one does; None if a score is scanned."""
        if self.scanned.endswith(" score"):
            return None
        jets = None if self.jets is None else self.jets.model_copy(update={"tags": []})
        legs = [
            leg.model_copy(update={"scores": {}, "without": [n for n in leg.without if not n.scores]})
            for leg in self.legs
        ]
        veto = [v for v in self.veto if not [leg for leg in v.legs if _asks_scores(leg)]]
        return self.model_copy(update={"jets": jets, "legs": legs, "veto": veto})

    def with_working_point(self, minimum: float) -> Seed:
        """The same seed with every score of its legs and jets at this minimum; one that is scanned stays open."""
        jets = self.jets
        if jets is not None:
            tags = [t if t.minimum == OPEN else t.model_copy(update={"minimum": minimum}) for t in jets.tags]
            jets = jets.model_copy(update={"tags": tags})
        legs = [
            leg.model_copy(update={"scores": {s: m if m == OPEN else minimum for s, m in leg.scores.items()}})
            for leg in self.legs
        ]
        return self.model_copy(update={"jets": jets, "legs": legs})

    def describe(self) -> str:
        """The seed in words, with T for the threshold."""
        return described(self, self.references)


def _asks_scores(leg: Leg) -> bool:
    cuts: list[ObjectCuts] = [leg, *leg.without]
    return bool([True for c in cuts if c.scores])


class Menu(Config):
    """Seeds that are evaluated together."""

    name: Word
    seeds: list[Seed] = Field(min_length=1, max_length=MOST_SEEDS)

    @model_validator(mode="after")
    def _sound(self) -> Menu:
        fault = menu_fault(self.seeds)
        if fault is not None:
            raise ValueError(fault)
        return self


def read_menu(path: str | os.PathLike[str]) -> Menu:
    """Read a menu from YAML: a `name`, and `seeds`.

    Raises
    ------
    L1emuError
        if the file is absent or no YAML, or at the first key or seed that is wrong.
    """
    return load_config(path, Menu)
