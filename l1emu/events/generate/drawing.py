"""Lists of collisions: drawn within a slice of the pools, and scored by the generator's jets before anything is made.

Every pool is cut into disjoint slices, the collisions k of slice s being those with k mod slices = s. A crossing is
mixed within one, so that crossings of different slices share nothing, and their spread is that of the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import kernel
from l1emu.events.generate.pools import Pool

JETS_SCORED = 6
"""The hardest jets of a crossing that a rule can ask for."""

_JETS_OF_A_COLLISION = 6
_ABS_ETA_MAX = 2.5
_HT_PT_GEV = 30.0
_FLAVOUR_PT_GEV = 20.0
_B, _C = 0, 1


class GeneratorJets(NamedTuple):
    """The hardest central generator jets of every collision of some pools: pt [GeV] and flavour (collisions, 6).

    By descending pt; pt 0 where there are fewer.
    """

    pt: NDArray[np.float32]
    flavour: NDArray[np.int8]

    @staticmethod
    def of(pools: Sequence[Pool]) -> GeneratorJets:
        """Those of the pools, one after the other."""
        parts = [_central(p.jet_offset, *(p.jets[f"jet_{name}"] for name in ("pt", "eta", "flavour"))) for p in pools]
        return GeneratorJets(*(np.concatenate(column) for column in zip(*parts, strict=True)))


@kernel
def _central(
    offset: NDArray[np.int64], pt: NDArray[np.float32], eta: NDArray[np.float32], flavour: NDArray[np.int8]
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    n = len(offset) - 1
    hardest = np.zeros((n, _JETS_OF_A_COLLISION), np.float32)
    kind = np.zeros((n, _JETS_OF_A_COLLISION), np.int8)
    for event in range(n):
        low, high = offset[event], offset[event + 1]
        m = 0
        for k in np.argsort(-pt[low:high], kind="mergesort"):
            if m < _JETS_OF_A_COLLISION and abs(eta[low + k]) < _ABS_ETA_MAX:
                hardest[event, m], kind[event, m] = pt[low + k], flavour[low + k]
                m += 1
    return hardest, kind


@dataclass(frozen=True)
class CollisionLists:
    """The collisions of some crossings that were drawn, and what their generator jets say.

    Attributes
    ----------
    counts
        (crossings, bins) int64, collisions of each bin.
    drawn
        (crossings, most) int32, their numbers in their pools, in the order of the bins; -1 after the last.
    jets
        (crossings, 6) float64, pt [GeV] of the hardest generator jets.
    ht
        (crossings,) float64, the sum of pt of those above 30 GeV.
    b_jets, c_jets
        (crossings,) int64, the number of jets above 20 GeV with these flavours among the hardest twelve.
    """

    counts: NDArray[np.int64]
    drawn: NDArray[np.int32]
    jets: NDArray[np.float64]
    ht: NDArray[np.float64]
    b_jets: NDArray[np.int64]
    c_jets: NDArray[np.int64]

    def select(self, rows: NDArray[np.int64]) -> CollisionLists:
        """Some of them."""
        return CollisionLists(
            *(getattr(self, name)[rows] for name in ("counts", "drawn", "jets", "ht", "b_jets", "c_jets"))
        )


def draw_lists(
    rng: np.random.Generator,
    counts: NDArray[np.int64],
    first: NDArray[np.int64],
    events: NDArray[np.int64],
    jets: GeneratorJets,
    part: int,
    slices: int,
) -> CollisionLists:
    """Draw the collisions of crossings from slice `part` of the pools.

    Parameters
    ----------
    rng
        What they are drawn with.
    counts
        (crossings, bins) collisions of each bin.
    first, events
        (bins,) where the collisions of each pool begin in `jets`, and how many there are: at least `slices`.
    jets
        Of all pools.
    """
    n = len(counts)
    drawn = np.full((n, int(counts.sum(axis=1).max(initial=1))), -1, np.int32)
    hardest, ht, flavours = np.zeros((n, JETS_SCORED)), np.zeros(n), np.zeros((n, 2), np.int64)
    _draw(rng, counts, first, events, jets, (part, slices), drawn, hardest, ht, flavours)
    return CollisionLists(counts, drawn, hardest, ht, flavours[:, 0].copy(), flavours[:, 1].copy())


@kernel
def _draw(
    rng: np.random.Generator,
    counts: NDArray[np.int64],
    first: NDArray[np.int64],
    events: NDArray[np.int64],
    jets: GeneratorJets,
    sliced: tuple[int, int],
    drawn: NDArray[np.int32],
    hardest: NDArray[np.float64],
    ht: NDArray[np.float64],
    flavours: NDArray[np.int64],
) -> None:
    """Fill the last four arrays, see `CollisionLists`."""
    part, slices = sliced
    most = 2 * JETS_SCORED
    top, kind = np.zeros(most), np.zeros(most, np.int64)
    for c in range(len(counts)):
        top[:] = 0.0
        place = 0
        for b in range(counts.shape[1]):
            inside = (events[b] - part + slices - 1) // slices
            for _ in range(counts[c, b]):
                number = part + slices * min(int(rng.random() * inside), inside - 1)
                drawn[c, place] = number
                place += 1
                ht[c] += _insert(jets.pt[first[b] + number], jets.flavour[first[b] + number], top, kind)
        hardest[c] = top[:JETS_SCORED]
        for q in range(most):
            if top[q] > _FLAVOUR_PT_GEV:
                flavours[c, 0] += kind[q] == _B
                flavours[c, 1] += kind[q] == _C


@kernel
def _insert(
    pt: NDArray[np.float32], flavour: NDArray[np.int8], top: NDArray[np.float64], kind: NDArray[np.int64]
) -> float:
    """Put a collision's jets among the hardest; returns its part of HT."""
    ht = 0.0
    last = len(top) - 1
    for t in range(len(pt)):
        if pt[t] <= 0.0:
            break
        if pt[t] > _HT_PT_GEV:
            ht += pt[t]
        if pt[t] <= top[last]:
            break
        q = last
        while q > 0 and top[q - 1] < pt[t]:
            top[q], kind[q] = top[q - 1], kind[q - 1]
            q -= 1
        top[q], kind[q] = pt[t], flavour[t]
    return ht
