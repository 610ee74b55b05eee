"""Other versions of a tagger at equal rate: the same seeds with the scores of another firmware in their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from l1emu.study.asked import asked_scores
from l1emu.taggers.maps import EVENT
from l1emu.taggers.settings import TaggerConfig
from l1emu.trigger.legs import Leg, ObjectCuts
from l1emu.trigger.menu import Seed

_C = TypeVar("_C", bound=ObjectCuts)

Versions = Mapping[str, Mapping[str, str]]
"""EmulatedTagger -> name of a version -> its firmware."""


def versioned(name: str, version: str) -> str:
    """What a tagger, a score or a seed is called in another version."""
    return f"{name} [{version}]"


def versioned_taggers(taggers: Mapping[str, TaggerConfig], versions: Versions) -> dict[str, TaggerConfig]:
    """The settings of every version by its name: inputs and outputs are those of the tagger, golden vectors are not."""
    found = {}
    for name, firmwares in versions.items():
        settings = taggers[name]
        for version, firmware in firmwares.items():
            scores = {versioned(score, version): form for score, form in settings.scores.items()}
            update = {"firmware": firmware, "golden": None, "scores": scores}
            found[versioned(name, version)] = settings.model_copy(update=update)
    return found


def versioned_seeds(
    seeds: Sequence[Seed], taggers: Mapping[str, TaggerConfig], versions: Versions
) -> list[tuple[Seed, str, str]]:
    """Every scanned seed that asks for a score of a tagger, in each version, with its own name and the version's."""
    found = []
    for name, firmwares in versions.items():
        of, scores = taggers[name].of, set(taggers[name].scores)
        of = "" if of == EVENT else of
        for seed in (seed for seed in seeds if seed.scanned):
            if any(asked.of == of and asked.score in scores for asked in asked_scores(seed)):
                for version in firmwares:
                    renamed = {score: versioned(score, version) for score in scores}
                    found.append((_with_scores(seed, of, renamed, versioned(seed.name, version)), seed.name, version))
    return found


def _with_scores(seed: Seed, of: str, renamed: Mapping[str, str], name: str) -> Seed:
    changed: dict[str, Any] = {"name": name}
    if of == "":
        changed["sums"] = {renamed.get(total, total): cut for total, cut in seed.sums.items()}
        changed["veto"] = [
            veto.model_copy(update={"sums": {renamed.get(t, t): cut for t, cut in veto.sums.items()}})
            for veto in seed.veto
        ]
        return seed.model_copy(update=changed)
    changed["legs"] = [_leg(leg, of, renamed) for leg in seed.legs]
    changed["veto"] = [
        veto.model_copy(update={"legs": [_leg(leg, of, renamed) for leg in veto.legs]}) for veto in seed.veto
    ]
    if seed.jets is not None and of == "jets":
        tags = [tag.model_copy(update={"score": renamed.get(tag.score, tag.score)}) for tag in seed.jets.tags]
        changed["jets"] = seed.jets.model_copy(update={"tags": tags})
    return seed.model_copy(update=changed)


def _leg(leg: Leg, of: str, renamed: Mapping[str, str]) -> Leg:
    without = [_cuts(near, of, renamed) for near in leg.without]
    return _cuts(leg, of, renamed).model_copy(update={"without": without})


def _cuts(cuts: _C, of: str, renamed: Mapping[str, str]) -> _C:
    if cuts.object != of:
        return cuts
    return cuts.model_copy(update={"scores": {renamed.get(s, s): minimum for s, minimum in cuts.scores.items()}})
