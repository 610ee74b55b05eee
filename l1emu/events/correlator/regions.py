"""The regions and their overlap: which objects each takes in, and in which order.

Layer 1 works in 90 regions, nine slices in phi by ten in eta, each a little larger than what it owns: tracks and
clusters up to 0.25 beyond its edges in eta and phi are handed to it too, so that what lies at an edge is linked and
weighted as elsewhere, and of the candidates it gives out those within its edges (cms-sw/cmssw,
L1Trigger/Phase2L1ParticleFlow/python/l1ctLayer1_cff.py, plugins/L1TCorrelatorLayer1Producer.cc). What a region takes
in is sorted by pt, and cut at what its algorithms can hold: `RegionizerEmulator`,
src/regionizer/regionizer_base_ref.cpp.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import in_place, kernel
from l1emu.events.correlator.sorting import INDEX_BITS, sort_descending
from l1emu.events.hardware import ETA_PHI_STEP, HALF_TURN

BARREL, ENDCAP, FORWARD = range(3)
"""Kinds of regions: with particle flow of the barrel, of the endcap, and without tracks."""

PHI_SLICES = 9
_ETA_EDGES = (-3.0, -2.5, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.5, 3.0)
_KINDS = (FORWARD, ENDCAP, *[BARREL] * 6, ENDCAP, FORWARD)
ETA_SLICES = len(_KINDS)
N_REGIONS = PHI_SLICES * ETA_SLICES
"""How many there are; region 9 i + j is slice i in eta, from -3 on, and j in phi, the first centred on phi = 0."""

_EXTRA = round(0.25 / ETA_PHI_STEP)
_PHI_WIDTH = 2 * HALF_TURN // PHI_SLICES


class Region(NamedTuple):
    """A region's kind, centre and half widths in steps, without the overlap."""

    kind: int
    eta: int
    phi: int
    eta_half: int
    phi_half: int


def _even(eta: float) -> int:
    return 2 * round(eta / ETA_PHI_STEP / 2)


_EDGE_STEPS = [_even(eta) for eta in _ETA_EDGES]
_ETA_CENTRE = np.array([(low + high) // 2 for low, high in pairwise(_EDGE_STEPS)])
_ETA_HALF = np.array([(high - low) // 2 for low, high in pairwise(_EDGE_STEPS)])
_KIND = np.array(_KINDS)


@in_place
def turn_word(phi: int) -> int:
    """A word of phi brought into (-720, 720] by one turn."""
    if phi > HALF_TURN:
        return phi - 2 * HALF_TURN
    return phi + 2 * HALF_TURN if phi <= -HALF_TURN else phi


@in_place
def region_at(number: int) -> Region:
    """The region of this number, below `N_REGIONS`."""
    eta, phi = number // PHI_SLICES, number % PHI_SLICES
    return Region(_KIND[eta], _ETA_CENTRE[eta], turn_word(_PHI_WIDTH * phi), _ETA_HALF[eta], _PHI_WIDTH // 2)


@in_place
def is_fiducial(region: Region, eta: int, phi: int) -> bool:
    """Whether the region owns the place at `eta` and `phi` from its centre."""
    return -region.eta_half < eta <= region.eta_half and -region.phi_half < phi <= region.phi_half


def _slices(offsets: NDArray[np.int64], halves: NDArray[np.int64]) -> NDArray[np.int64]:
    """A bit for each slice that takes a word in, of the word's `offsets` (words, slices) from their centres."""
    inside = np.abs(offsets) <= halves + _EXTRA
    return np.asarray(inside @ (1 << np.arange(len(halves))))


def _phi_offsets(words: NDArray[np.int64]) -> NDArray[np.int64]:
    offsets = words[:, None] - _PHI_WIDTH * np.arange(PHI_SLICES)
    return np.asarray((offsets + HALF_TURN) % (2 * HALF_TURN) - HALF_TURN)


_ETA_RANGE = 1 << 11  # words of eta have 12 bits
_IN_ETA = _slices(np.arange(-_ETA_RANGE, _ETA_RANGE)[:, None] - _ETA_CENTRE, _ETA_HALF)
_IN_PHI = _slices(_phi_offsets(np.arange(-HALF_TURN, HALF_TURN + 1)), np.full(PHI_SLICES, _PHI_WIDTH // 2))


class Intake(NamedTuple):
    """What the regions take in of one kind of objects: `counts` (90,) and `members` (90, n), the hardest first."""

    counts: NDArray[np.int64]
    members: NDArray[np.int64]


@in_place
def is_in_eta(slice_eta: int, eta: int) -> bool:
    """Whether the regions of a slice in eta, or their overlap, reach to `eta`."""
    return bool(_IN_ETA[eta + _ETA_RANGE] >> slice_eta & 1)


@in_place
def phi_slices_of(slice_eta: int, eta: int, phi: int) -> int:
    """The slices in phi, a bit each, whose region in a slice in eta takes in what is there."""
    return int(_IN_PHI[phi + HALF_TURN] * (_IN_ETA[eta + _ETA_RANGE] >> slice_eta & 1))


@in_place
def _distribute(
    pt: NDArray[np.int32],
    at: NDArray[np.int32],
    also_at: NDArray[np.int32],
    ends: NDArray[np.int64],
    keys: NDArray[np.int64],
) -> None:
    """Give a key of each object to the regions that take it in, region r's at `ends[r]`, which moves on.

    Without room for keys they are counted only.
    """
    for i in range(len(pt)):
        if pt[i] == 0:
            continue
        slices = _IN_ETA[at[i, 0] + _ETA_RANGE] | _IN_ETA[also_at[i, 0] + _ETA_RANGE]
        for slice_eta in range(ETA_SLICES):
            if not slices >> slice_eta & 1:
                continue
            inside = phi_slices_of(slice_eta, at[i, 0], at[i, 1]) | phi_slices_of(
                slice_eta, also_at[i, 0], also_at[i, 1]
            )
            for slice_phi in range(PHI_SLICES):
                if inside >> slice_phi & 1:
                    number = slice_eta * PHI_SLICES + slice_phi
                    if len(keys) > 0:
                        keys[ends[number]] = (np.int64(pt[i]) << INDEX_BITS) + i
                    ends[number] += 1


@kernel
def regionize(
    pt: NDArray[np.int32],
    at: NDArray[np.int32],
    also_at: NDArray[np.int32],
    limits: NDArray[np.int64],
) -> Intake:
    """Hand objects to the regions that take them in.

    Parameters
    ----------
    pt
        (n,) words; objects of 0 are none.
    at
        (n, 2) eta and phi, words over all of the detector.
    also_at
        (n, 2) a second place that counts as well: a track's at the vertex. The same as `at` where there is none.
    limits
        (3,) how many a region keeps, by its kind.
    """
    ends = np.zeros(N_REGIONS, np.int64)
    _distribute(pt, at, also_at, ends, np.empty(0, np.int64))
    total = 0
    for number in range(N_REGIONS):
        count = ends[number]
        ends[number] = total
        total += count
    keys = np.empty(total + 1, np.int64)
    _distribute(pt, at, also_at, ends, keys)
    counts = np.empty(N_REGIONS, np.int64)
    members = np.empty((N_REGIONS, limits.max()), np.int64)
    first = 0
    for number in range(N_REGIONS):
        limit = limits[_KIND[number // PHI_SLICES]]
        counts[number] = min(ends[number] - first, limit)
        if limit > 0:
            sort_descending(keys[first : ends[number]])
            for k in range(counts[number]):
                members[number, k] = keys[first + k] & ((1 << INDEX_BITS) - 1)
        first = ends[number]
    return Intake(counts, members)
