"""Distributions of a score, by what the object is, as whole numbers that add over parts of a sample."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import awkward as ak
import numpy as np
import numpy.typing as npt

from l1emu.arraytypes import Floats, Ints
from l1emu.errors import L1emuError
from l1emu.eventdata import EventData
from l1emu.study.config import BACKGROUND
from l1emu.trigger.crossing_weights import CROSSING_ONE, CrossingWeights

BINS = 40
MIN_PT_GEV = 25.0
ABS_ETA_MAX = 2.4
UNMATCHED = -1
_NARROWEST, _PRECISION = -20, 40
"""Powers of 2: the narrowest bin of an axis with an open end, and how many bins its numbers may lie from 0."""


@dataclass(frozen=True, eq=False)
class ScoreCounts:
    """Objects of some crossings that a seed may use, by their score; those of two parts of a sample are added with `+`.

    Attributes
    ----------
    ends
        Of the axis, where both are finite: `BINS` bins of one width, objects beyond them in the outermost ones. Else
        the axis holds the scores that there are, its bins as wide as a power of 2, and doubled where they would be too
        many, so that it does not depend on the order in which scores came.
    least, greatest
        Finite scores; infinite and minus infinite without any.
    counts
        Objects of each kind, matched and unmatched or all, int64 (kinds, strata, bins).
    below, above
        Objects whose score is minus infinite and infinite, int64 (kinds, strata).
    without
        Objects without a score (NaN), int64 (kinds,).
    objects
        With a score, int64 (kinds,).
    squares
        Where crossings have weights of their own, which `counts`, `below` and `above` sum then in units of
        `1 / CROSSING_ONE`, the same of their squares; None where they have none.
    """

    ends: tuple[float, float]
    least: float
    greatest: float
    counts: Ints
    below: Ints
    above: Ints
    without: Ints
    objects: Ints
    squares: ScoreCounts | None = None

    @classmethod
    def none(cls, ends: tuple[float, float], kinds: int, strata: int, *, weighed: bool = False) -> ScoreCounts:
        """Of no crossings.

        Parameters
        ----------
        ends
            Of the scores that the tagger can give.
        kinds, strata
            How many there are.
        weighed
            Whether crossings have weights of their own.
        """
        if 0 <= ends[0] <= ends[1] <= 1:  # a share, whose largest word lies a step below 1
            ends = 0.0, 1.0
        bins = BINS if np.isfinite(ends).all() else 0
        shape = kinds, strata
        nothing = np.zeros(shape, np.int64)
        none = np.zeros(kinds, np.int64)
        squares = cls.none(ends, kinds, strata) if weighed else None
        return cls(ends, np.inf, -np.inf, np.zeros((*shape, bins), np.int64), nothing, nothing, none, none, squares)

    def with_objects(
        self,
        data: EventData,
        collection: str,
        score: str,
        stratum: Ints,
        matched: tuple[int, ...],
        weights: CrossingWeights | None = None,
    ) -> ScoreCounts:
        """These and the objects of some more crossings.

        Parameters
        ----------
        data
            The crossings, with pt, eta and the score of each object of the collection, and its flavour where there is
            truth.
        collection, score
            Their names.
        stratum
            Of each crossing.
        matched
            Flavours of the first kind of two; the second is without a generator jet.
        weights
            Of the crossings, where these were made for such.
        """
        objects = data.objects[collection]
        per_crossing = np.asarray(ak.num(objects, axis=1))
        of = {name: np.asarray(ak.flatten(objects[name], axis=1), np.float64) for name in ("pt", "eta", score)}
        usable = (of["pt"] >= MIN_PT_GEV) & (np.abs(of["eta"]) < ABS_ETA_MAX)
        kinds = [np.ones(usable.size, np.bool_)]
        if len(self.counts) == 2:
            flavour = np.asarray(ak.flatten(objects["flavour"], axis=1), np.int64)
            kinds = [np.isin(flavour, matched), flavour == UNMATCHED]
        given = of[score], np.repeat(stratum, per_crossing), [kind & usable for kind in kinds]
        if weights is None:
            return self._filled(*given, np.ones(usable.size, np.int64))
        assert self.squares is not None
        found = self._filled(*given, np.repeat(weights.weight, per_crossing))
        return replace(found, squares=self.squares._filled(*given, np.repeat(weights.squares, per_crossing)))

    def _filled(self, score: Floats, stratum: Ints, kinds: list[npt.NDArray[np.bool_]], amount: Ints) -> ScoreCounts:
        """These and some more objects, each of which adds an amount."""
        seen = score[np.any(kinds, axis=0) & np.isfinite(score)] + 0.0  # no negative zero: equal is equal bytes
        found = replace(
            self,
            least=min(self.least, float(seen.min(initial=np.inf))),
            greatest=max(self.greatest, float(seen.max(initial=-np.inf))),
        )
        counts, below, above = found._rebinned(self), self.below.copy(), self.above.copy()
        without, seen_of = self.without.copy(), self.objects.copy()
        for k, kind in enumerate(kinds):
            without[k] += np.count_nonzero(kind & np.isnan(score))
            seen_of[k] += np.count_nonzero(kind & ~np.isnan(score))
            for end, sums in ((-np.inf, below), (np.inf, above)):
                beyond = kind & (score == end)
                np.add.at(sums[k], stratum[beyond], amount[beyond])
            chosen = kind & np.isfinite(score)
            np.add.at(counts[k], (stratum[chosen], found._places(score[chosen])), amount[chosen])
        return replace(found, counts=counts, below=below, above=above, without=without, objects=seen_of)

    def __add__(self, other: ScoreCounts) -> ScoreCounts:
        """Of both parts together: the same whatever is added first.

        Raises
        ------
        L1emuError
            if the other ones have other ends, kinds or strata.
        """
        weighed = self.squares is None, other.squares is None
        if self.ends != other.ends or self.below.shape != other.below.shape or weighed[0] != weighed[1]:
            raise L1emuError(
                "counts of different scores do not add",
                value=(other.ends, *other.below.shape), expected=str((self.ends, *self.below.shape)),
            )  # fmt: skip
        found = replace(self, least=min(self.least, other.least), greatest=max(self.greatest, other.greatest))
        return replace(
            found,
            counts=found._rebinned(self) + found._rebinned(other),
            below=self.below + other.below,
            above=self.above + other.above,
            without=self.without + other.without,
            objects=self.objects + other.objects,
            squares=None if self.squares is None or other.squares is None else self.squares + other.squares,
        )

    @property
    def _finite(self) -> bool:
        return bool(np.isfinite(self.ends).all())

    @property
    def _power(self) -> int:
        """Of 2, the width of a bin of an axis with an open end."""
        if self.least > self.greatest:
            return 0
        largest = max(abs(self.least), abs(self.greatest))
        power = max(_NARROWEST, math.frexp(largest)[1] - _PRECISION)
        while _bin(self.greatest, power) - _bin(self.least, power) >= BINS:
            power += 1
        return power

    @property
    def _width(self) -> float:
        """Of a bin."""
        if self._finite:
            low, high = self.ends
            return (high - low) / BINS if high > low else 1 / BINS
        return 2.0**self._power

    @property
    def _start(self) -> int:
        """The number of the first bin, in widths from 0, of an axis with an open end."""
        return 0 if self._finite or self.least > self.greatest else _bin(self.least, self._power)

    @property
    def _bins(self) -> int:
        if self._finite:
            return BINS
        return 0 if self.least > self.greatest else _bin(self.greatest, self._power) - self._start + 1

    @property
    def edges(self) -> Floats:
        """Of the bins, float64 (bins + 1,)."""
        if self._finite:
            return np.linspace(self.ends[0], self.ends[0] + BINS * self._width, BINS + 1)
        return (self._start + np.arange(self._bins + 1)) * self._width

    def _places(self, score: Floats) -> Ints:
        if self._finite:
            within = np.clip(score, *self.ends) - self.ends[0]
            return np.asarray(np.minimum((within / self._width).astype(np.int64), BINS - 1))
        numbers = np.floor(score / self._width).astype(np.int64)
        numbers[(score < 0) & (numbers == 0)] = -1  # too near 0 for the quotient
        return np.asarray(numbers - self._start)

    def _with_ends(self, other: ScoreCounts) -> Ints:
        """Counts of `other` on this axis, those without end in the outermost bins; one bin at least."""
        rebinned = self._rebinned(other)
        if not rebinned.shape[2]:
            rebinned = np.zeros((*rebinned.shape[:2], 1), np.int64)
        rebinned[..., 0] += other.below
        rebinned[..., -1] += other.above
        return rebinned

    def _rebinned(self, other: ScoreCounts) -> Ints:
        """Counts of `other`, which lie within these ends, on this axis."""
        if self._finite:
            return other.counts.copy()
        found = np.zeros((*other.counts.shape[:2], self._bins), np.int64)
        for i in range(other._bins):
            place = ((other._start + i) >> (self._power - other._power)) - self._start
            found[..., place] += other.counts[..., i]
        return found


def _bin(score: float, power: int) -> int:
    """The number of the bin, a power of 2 wide, that a score lies in."""
    number = math.floor(math.ldexp(score, -power))
    return -1 if score < 0 and number == 0 else number


def matched_flavours(role: str) -> tuple[int, ...]:
    """Flavours of the jets that are shown: light ones (quarks u, d, s and gluons) of the background, b of a signal."""
    return (2, 3) if role == BACKGROUND else (0,)


def score_histograms(score: str, samples: Mapping[str, tuple[ScoreCounts, Floats]]) -> dict[str, Any]:
    """The score of objects that a seed may use, for JSON: fractions and their errors for each kind of object.

    Of a signal, where it has truth: jets that match a generator b jet of the hard collision, and jets that match none,
    mostly pile-up; else all. Of the background, where it has truth: light jets and jets without a match; else all.
    Objects weigh as their crossing does. Scores beyond the ends count in the outermost bins; objects without one (NaN)
    are left out and counted apart.

    Parameters
    ----------
    score
        Its name.
    samples
        By role, the counts, and the weight of a crossing of each stratum, or of the unit of its own weight, float64
        (strata,).
    """
    every = list(samples.values())
    axis = replace(
        every[0][0],
        least=min(counts.least for counts, _ in every),
        greatest=max(counts.greatest for counts, _ in every),
    )
    kinds = {}
    for role, (counts, weight) in samples.items():
        matched, of = ("light", "min-bias") if role == BACKGROUND else ("b", role)
        names = [f"{matched} jets, {of}", f"unmatched jets, {of}"]
        if len(counts.counts) == 1:
            names = [f"all jets, {of}"]
        rebinned = axis._with_ends(counts)
        squares = rebinned if counts.squares is None else axis._with_ends(counts.squares) * CROSSING_ONE
        rows = zip(names, rebinned, squares, counts.objects, counts.without, strict=True)
        for name, filled, squared, objects, without in rows:
            shares = _fractions(filled, squared, weight)
            kinds[name] = {"jets": int(objects)} | shares | {"jets_without_score": int(without)}
    edges = axis.edges if axis.edges.size > 1 else np.array([0.0, 1.0])
    return {
        "score": score,
        "min_pt_gev": MIN_PT_GEV,
        "abs_eta_max": ABS_ETA_MAX,
        "edges": edges.tolist(),
        "kinds": kinds,
    }


def _fractions(filled: Ints, squares: Ints, weight: Floats) -> dict[str, Any]:
    """Of one kind, from sums and sums of squares (strata, bins), and the weight of each stratum."""
    values, variances = weight @ filled, weight**2 @ squares
    total = float(values.sum())
    scale = 1 / total if total > 0 else 0.0
    return {
        "fraction": (values * scale).tolist(),
        "error": (np.sqrt(variances) * scale).tolist(),
    }
