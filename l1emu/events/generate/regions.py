"""The correlator's regions: how many objects each may take in and give out, and the order in which they arrive.

Layer 1 of CMS's correlator works in 90 regions, nine slices in phi by ten in eta (cms-sw/cmssw,
L1Trigger/Phase2L1ParticleFlow/python/l1ctLayer1_cff.py): each keeps its hardest tracks, clusters and candidates. The
deregionizer (src/deregionizer/deregionizer_ref.cpp and deregionizer_input.cpp there) reads six streams of regions, six
candidates of each at a time, into one list for the jet finder, and whatever comes after the 128th candidate is lost:
it is the place in this order, not pt, that decides.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import kernel
from l1emu.events.hardware import MAX_CANDIDATES

_PHI_SLICES = 9
_ETA_EDGES = np.array([-2.5, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.5])
"""Between the ten slices in eta."""

REGIONS = _PHI_SLICES * (len(_ETA_EDGES) + 1)

# The slices from -3 to 3: forward, endcap, six of the barrel, endcap, forward.
MAX_REGION_TRACKS = np.array([0, 30, 25, 25, 25, 25, 25, 25, 30, 0])
MAX_REGION_CLUSTERS = np.array([12, 20, 18, 18, 18, 18, 18, 18, 20, 12])
MAX_REGION_CANDIDATES = np.array([12, 18, 18, 18, 18, 18, 18, 18, 18, 12])

# Where the deregionizer finds a slice: one of its six streams, and the first or second of its two turns a phi slice.
_STREAM = np.array([5, 3, 1, 1, 0, 0, 2, 2, 4, 5])
_TURN = np.array([0, 0, 0, 1, 0, 1, 0, 1, 0, 1])
_STREAMS, _TURNS = 6, 2
_CHUNK, _CHUNKS = 6, 3  # candidates that it reads of a region at a time, and how often


@kernel
def region_of(eta: float, phi: float) -> int:
    """The region, 9 times the slice in eta plus that in phi, whose first one is centred on phi = 0."""
    slice_eta = 0
    while slice_eta < len(_ETA_EDGES) and eta >= _ETA_EDGES[slice_eta]:
        slice_eta += 1
    turns = phi / (2 * math.pi)
    slice_phi = math.floor((turns - math.floor(turns)) * _PHI_SLICES + 0.5) % _PHI_SLICES
    return slice_eta * _PHI_SLICES + slice_phi


@kernel
def keep_hardest(
    pt: NDArray[np.float64], region: NDArray[np.int64], limits: NDArray[np.int64], kept: NDArray[np.bool_]
) -> None:
    """Mark in `kept` (n,) the hardest objects of each region, as many as `limits` (10,) allow its slice in eta."""
    count = np.zeros(REGIONS, np.int64)
    full = False
    for i in range(len(pt)):
        kept[i] = True
        count[region[i]] += 1
        full = full or count[region[i]] > limits[region[i] // _PHI_SLICES]
    if not full:
        return
    count[:] = 0
    for i in np.argsort(-pt, kind="mergesort"):
        count[region[i]] += 1
        kept[i] = count[region[i]] <= limits[region[i] // _PHI_SLICES]


@kernel
def deregionize(pt: NDArray[np.int32], region: NDArray[np.int64], chosen: NDArray[np.int64]) -> int:
    """The candidates that reach the jet finder, in the order of their arrival.

    Parameters
    ----------
    pt, region
        (n,) of each candidate; equal pt keep their order.
    chosen
        (128,): filled with their indices.

    Returns
    -------
    How many there are.
    """
    n = len(pt)
    count = np.zeros(REGIONS, np.int64)
    arrival = np.empty(n, np.int64)
    last = _PHI_SLICES * _TURNS * _CHUNKS * _STREAMS * _CHUNK
    for i in np.argsort(-pt, kind="mergesort"):
        slice_eta, slice_phi = region[i] // _PHI_SLICES, region[i] % _PHI_SLICES
        place = count[region[i]]
        count[region[i]] += 1
        if place >= MAX_REGION_CANDIDATES[slice_eta]:
            arrival[i] = last
            continue
        turn = slice_phi * _TURNS + _TURN[slice_eta]
        arrival[i] = ((turn * _CHUNKS + place // _CHUNK) * _STREAMS + _STREAM[slice_eta]) * _CHUNK + place % _CHUNK
    m = 0
    for i in np.argsort(arrival, kind="mergesort"):
        if m == MAX_CANDIDATES or arrival[i] == last:
            break
        chosen[m] = i
        m += 1
    return m
