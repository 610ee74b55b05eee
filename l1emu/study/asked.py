"""What a menu asks of scores: by which collection, and at least how much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from l1emu.trigger.engine.plans import JETS
from l1emu.trigger.legs import OPEN, Leg
from l1emu.trigger.menu import Seed


class AskedScore(NamedTuple):
    """A minimum of a score that a seed asks for: `of` a collection, or of the crossing where that is empty.

    `minimum` is None where it is scanned.
    """

    of: str
    score: str
    minimum: float | None


def asked_scores(seed: Seed) -> Iterator[AskedScore]:
    """Every minimum that a seed asks of scores of objects, and of numbers of the crossing that have no unit."""
    for tag in seed.jets.tags if seed.jets is not None else ():
        yield AskedScore(JETS, tag.score, _number(tag.minimum))
    yield from _of_legs(seed.legs)
    parts = [seed.sums, *(veto.sums for veto in seed.veto)]
    for veto in seed.veto:
        yield from _of_legs(veto.legs)
    for name, cut in ((name, cut) for sums in parts for name, cut in sums.items()):
        if cut.min is not None:
            yield AskedScore("", name, _number(cut.min))


def _of_legs(legs: Sequence[Leg]) -> Iterator[AskedScore]:
    for cuts in (cuts for leg in legs for cuts in (leg, *leg.without)):
        for score, minimum in cuts.scores.items():
            yield AskedScore(cuts.object, score, _number(minimum))


def _number(minimum: float | str) -> float | None:
    return None if minimum == OPEN else float(minimum)
