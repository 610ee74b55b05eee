"""Every seed that a study decides: its menu, what stands beside it at equal rate, and what bounds its tails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from l1emu.arraytypes import Floats
from l1emu.errors import L1emuError
from l1emu.study.asked import asked_scores
from l1emu.study.config import StudyFile
from l1emu.study.versions import versioned_seeds
from l1emu.taggers import EmulatedTagger
from l1emu.taggers.maps import EVENT
from l1emu.trigger.engine.evaluator import Evaluator
from l1emu.trigger.legs import OPEN
from l1emu.trigger.menu import Seed

_LOOSE, _POINT, _OPENED = "without tags: ", "working point: ", "opened: "


@dataclass(frozen=True, eq=False)
class DecidedSeeds:
    """The seeds of a study, and those that are made of them; from `decided_seeds`.

    Attributes
    ----------
    menu
        Of the study.
    versions
        Scanned seeds of it with the scores of another version of a tagger, the original's name, and the version's.
    points
        By minimum score, the seed of the working points with it.
    """

    menu: tuple[Seed, ...]
    versions: tuple[tuple[Seed, str, str], ...]
    points: Mapping[float, Seed]

    @property
    def scanned(self) -> tuple[Seed, ...]:
        """Seeds of which a number is scanned, those of other versions last."""
        return (*(seed for seed in self.menu if seed.scanned), *(seed for seed, _, _ in self.versions))

    @property
    def fixed(self) -> tuple[Seed, ...]:
        """Seeds of the menu without a scan."""
        return tuple(seed for seed in self.menu if not seed.scanned)

    @property
    def with_reach(self) -> tuple[Seed, ...]:
        """All of which the reach is recorded: the scanned ones and the working points."""
        return (*self.scanned, *self.points.values())

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Which seed is compared with which at equal rate: tagged ones with others, versions with their originals."""
        own = [seed for seed in self.menu if seed.scanned]
        found = [(a.name, b.name) for a in own for b in own if a.tagged and not b.tagged]
        return found + [(seed.name, original) for seed, original, _ in self.versions]

    @cached_property
    def loose(self) -> dict[str, Seed]:
        """By name, scanned seeds without their tags: their tail bounds that of the seeds where nothing was seen."""
        found = {seed.name: seed.without_tags() for seed in self.scanned if seed.tagged}
        return {
            name: seed.model_copy(update={"name": _LOOSE + name}) for name, seed in found.items() if seed is not None
        }

    @cached_property
    def loose_points(self) -> dict[str, Seed]:
        """By name, seeds of working points without their tags, as they are among `loose`."""
        bare = {point.name: point.without_tags() for point in self.points.values()}
        return {
            name: seed
            for name, one in bare.items()
            for seed in self.loose.values()
            if one is not None and one.model_copy(update={"name": seed.name}) == seed
        }

    @cached_property
    def opened(self) -> dict[str, tuple[Seed, float]]:
        """By name, fixed seeds with one threshold open, and what that was, for their tails."""
        found = {seed.name: _opened(seed) for seed in self.fixed}
        return {name: one for name, one in found.items() if one is not None}

    def evaluator(self, *, tails: bool) -> Evaluator:
        """What decides all of them; without those for the tails alone, where no tail is sought."""
        seeds = [*self.menu, *(seed for seed, _, _ in self.versions), *self.points.values()]
        if tails:
            seeds += [*self.loose.values(), *(seed for seed, _ in self.opened.values())]
        return Evaluator(seeds)


def decided_seeds(file: StudyFile) -> DecidedSeeds:
    """The seeds of a study."""
    study = file.study
    points = {}
    if study.working_points is not None:
        seed = next(seed for seed in file.seeds if seed.name == study.working_points.seed)
        for i, minimum in enumerate(study.working_points.minima):
            points[minimum] = seed.with_working_point(minimum).model_copy(update={"name": f"{_POINT}{i}"})
    versions = versioned_seeds(file.seeds, study.every_tagger, study.versions)
    return DecidedSeeds(tuple(file.seeds), tuple(versions), points)


def scan_thresholds(seed: Seed) -> Floats:
    """The thresholds of a scan, times the seed's sign, ascending, float64 (t,)."""
    if seed.scan is None:
        raise AssertionError("checked when read")
    return np.sort(seed.sign * seed.scan.thresholds)


def check_minimum_scores(file: StudyFile, taggers: Mapping[str, EmulatedTagger]) -> None:
    """Refuse a minimum score that its tagger cannot give: the seed would accept everything, or nothing.

    Raises
    ------
    L1emuError
        naming the seed, and what the tagger can give.
    """
    ranges = {("" if t.of == EVENT else t.of, name): ends for t in taggers.values() for name, ends in t.ranges.items()}
    wanted = [(seed.name, asked) for seed in file.seeds for asked in asked_scores(seed)]
    settings = file.study.working_points
    if settings is not None:
        seed = next(seed for seed in file.seeds if seed.name == settings.seed)
        points = [asked._replace(minimum=minimum) for asked in asked_scores(seed) for minimum in settings.minima]
        wanted += [(f"{seed.name}, working point", asked) for asked in points]
    for name, asked in wanted:
        low, high = ranges.get((asked.of, asked.score), (-np.inf, np.inf))
        if asked.minimum is not None and not low <= asked.minimum <= high:
            raise L1emuError(
                f"a minimum of {asked.score} outside what its tagger can give",
                path=file.path,
                where=f"seed {name}",
                value=asked.minimum,
                expected=f"{low:g} to {high:g}",
            )


def histogrammed(file: StudyFile, taggers: Mapping[str, EmulatedTagger]) -> tuple[EmulatedTagger, str] | None:
    """The tagger and the score whose distribution is shown: the first that a seed asks for, of objects."""
    for asked in (asked for seed in file.seeds for asked in asked_scores(seed)):
        for tagger in taggers.values():
            if tagger.of == asked.of and asked.score in tagger.scores:
                return tagger, asked.score
    return None


def _opened(seed: Seed) -> tuple[Seed, float] | None:
    """A fixed seed with one threshold open, and what that was: of a sum, of HT, or the hardest pt; None without."""
    sums = {name: cut for name, cut in seed.sums.items() if cut.min_gev is not None}
    legs = [i for i, leg in enumerate(seed.legs) if leg.pt_min_gev is not None]
    update: dict[str, Any]
    if sums:
        name, cut = next(iter(sums.items()))
        closed, update = cut.min_gev, {"sums": {**seed.sums, name: cut.model_copy(update={"min_gev": OPEN})}}
    elif seed.ht is not None:
        closed, update = seed.ht.min_gev, {"ht": seed.ht.model_copy(update={"min_gev": OPEN})}
    elif seed.jets is not None:
        closed, update = seed.jets.pt_min_gev, {"jets": seed.jets.model_copy(update={"pt_min_gev": OPEN})}
    elif legs:
        hardest = max(legs, key=lambda i: float(seed.legs[i].pt_min_gev or 0))
        closed = seed.legs[hardest].pt_min_gev
        opened = seed.legs[hardest].model_copy(update={"pt_min_gev": OPEN})
        update = {"legs": [*seed.legs[:hardest], opened, *seed.legs[hardest + 1 :]]}
    else:
        return None
    return seed.model_copy(update={"name": _OPENED + seed.name, **update}), float(closed or 0)
