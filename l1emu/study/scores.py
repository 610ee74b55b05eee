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
    """

    ends: tuple[float, float]
    least: float
    greatest: float
    counts: Ints
    below: Ints
    above: Ints
    without: Ints

    @classmethod
    def none(cls, ends: tuple[float, float], kinds: int, strata: int) -> ScoreCounts:
        """Of no crossings; `ends` are those of the scores that the tagger can give."""
        if 0 <= ends[0] <= ends[1] <= 1:  # a share, whose largest word lies a step below 1
            ends = 0.0, 1.0
        bins = BINS if np.isfinite(ends).all() else 0
        shape = kinds, strata
        nothing = np.zeros(shape, np.int64)
        return cls(
            ends, np.inf, -np.inf, np.zeros((*shape, bins), np.int64), nothing, nothing, np.zeros(kinds, np.int64)
        )

    def with_objects(
        self, data: EventData, collection: str, score: str, stratum: Ints, matched: tuple[int, ...]
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
        """
        objects = data.objects[collection]
        per_crossing = np.asarray(ak.num(objects, axis=1))
        of = {name: np.asarray(ak.flatten(objects[name], axis=1), np.float64) for name in ("pt", "eta", score)}
        usable = (of["pt"] >= MIN_PT_GEV) & (np.abs(of["eta"]) < ABS_ETA_MAX)
        kinds = [np.ones(usable.size, np.bool_)]
        if len(self.counts) == 2:
            flavour = np.asarray(ak.flatten(objects["flavour"], axis=1), np.int64)
            kinds = [np.isin(flavour, matched), flavour == UNMATCHED]
        return self._filled(of[score], np.repeat(stratum, per_crossing), [kind & usable for kind in kinds])

    def _filled(self, score: Floats, stratum: Ints, kinds: list[npt.NDArray[np.bool_]]) -> ScoreCounts:
        seen = score[np.any(kinds, axis=0) & np.isfinite(score)] + 0.0  # no negative zero: equal is equal bytes
        found = replace(
            self,
            least=min(self.least, float(seen.min(initial=np.inf))),
            greatest=max(self.greatest, float(seen.max(initial=-np.inf))),
        )
        shape = (self.counts.shape[1], found._bins)
        counts, below, above, without = found._rebinned(self), self.below.copy(), self.above.copy(), self.without.copy()
        for k, kind in enumerate(kinds):
            without[k] += np.count_nonzero(kind & np.isnan(score))
            below[k] += np.bincount(stratum[kind & (score == -np.inf)], minlength=shape[0])
            above[k] += np.bincount(stratum[kind & (score == np.inf)], minlength=shape[0])
            chosen = kind & np.isfinite(score)
            places = stratum[chosen] * shape[1] + found._places(score[chosen])
            counts[k] += np.bincount(places, minlength=shape[0] * shape[1]).reshape(shape)
        return replace(found, counts=counts, below=below, above=above, without=without)

    def __add__(self, other: ScoreCounts) -> ScoreCounts:
        """Of both parts together: the same whatever is added first.

        Raises
        ------
        L1emuError
            if the other ones have other ends, kinds or strata.
        """
        if self.ends != other.ends or self.below.shape != other.below.shape:
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
        By role, the counts, and the weight of a crossing of each stratum, float64 (strata,).
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
        rebinned = axis._rebinned(counts)
        if not rebinned.shape[2]:
            rebinned = np.zeros((*rebinned.shape[:2], 1), np.int64)
        rebinned[..., 0] += counts.below
        rebinned[..., -1] += counts.above
        for name, filled, without in zip(names, rebinned, counts.without, strict=True):
            kinds[name] = _fractions(filled, weight) | {"jets_without_score": int(without)}
    edges = axis.edges if axis.edges.size > 1 else np.array([0.0, 1.0])
    return {
        "score": score,
        "min_pt_gev": MIN_PT_GEV,
        "abs_eta_max": ABS_ETA_MAX,
        "edges": edges.tolist(),
        "kinds": kinds,
    }


def _fractions(filled: Ints, weight: Floats) -> dict[str, Any]:
    """Of one kind, from numbers (strata, bins) and the weight of each stratum."""
    values, variances = weight @ filled, weight**2 @ filled
    total = float(values.sum())
    scale = 1 / total if total > 0 else 0.0
    return {
        "jets": int(filled.sum()),
        "fraction": (values * scale).tolist(),
        "error": (np.sqrt(variances) * scale).tolist(),
    }
