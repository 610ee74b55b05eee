"""The deregionizer: in which order the candidates of all regions reach the jet finder, and which do not.

As in cms-sw/cmssw (L1Trigger/Phase2L1ParticleFlow: python/l1tDeregionizerProducer_cfi.py, src/deregionizer), word for
word (`l1emu validate cmssw`). Each board of Layer 1 sends its regions one after the other over some links, and each
region has a few clocks: candidate i of a region comes in clock i % frames of it, on link i // frames. The deregionizer
puts what arrives in a clock into one list, board by board and link by link, and whatever comes after the 128th
candidate is lost: it is the place in this order, not pt, that decides.

Regions have the numbers of that file: 9 k + j, with j the slice in phi, and k

======== =============================================== ===================
k        slice in eta                                    board
======== =============================================== ===================
0 to 5   barrel, from -1.5 to 1.5 in steps of 0.5        0, 1, 2: j // 3
6, 7     endcap with tracks, -2.5 to -1.5 and 1.5 to 2.5 3, 4
8, 9     endcap without, -3.0 to -2.5 and 2.5 to 3.0     5
10, 11   HF, negative and positive                       6, 7
======== =============================================== ===================
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import kernel

SENDING_REGIONS = 108
SLICES_FROM_MINUS_3 = np.array([8, 6, 0, 1, 2, 3, 4, 5, 7, 9])
"""k of the ten slices in eta that end at -3, -2.5, -1.5, -1, ... 3, in this order."""

_CLOCKS = 54  # that a crossing's regions have to arrive in: nine frames a crossing, six crossings
_MOST_LINKS = 6

_BOARDS: tuple[tuple[int, tuple[int, ...]], ...] = (
    *((6, tuple(9 * k + 3 * board + i for k, i in product(range(6), range(3)))) for board in range(3)),
    (3, tuple(range(54, 63))),
    (3, tuple(range(63, 72))),
    (4, tuple(range(72, 90))),
    (3, tuple(range(90, 99))),
    (3, tuple(range(99, 108))),
)
"""For each board how many links it has, and its regions in the order in which it sends them."""


def _slots() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each region: the candidates that it can send, and the place in the order of arrival of each of these."""
    sent = np.zeros(SENDING_REGIONS, np.int64)
    slot = np.full((SENDING_REGIONS, _CLOCKS), -1, np.int64)
    for board, (links, regions) in enumerate(_BOARDS):
        frames = _CLOCKS // len(regions)
        for turn, region in enumerate(regions):
            sent[region] = links * frames
            for i in range(links * frames):
                clock, link = turn * frames + i % frames, i // frames
                slot[region, i] = (clock * len(_BOARDS) + board) * _MOST_LINKS + link
    return sent, slot


MOST_SENT, _SLOT = _slots()
"""How many candidates each region can send, (108,): 18 of a region with tracks or of HF, 12 of one without."""
_SLOTS = _CLOCKS * len(_BOARDS) * _MOST_LINKS


@kernel
def arrivals(region: NDArray[np.int64], order: NDArray[np.int64]) -> int:
    """The order in which a crossing's candidates arrive; the first 128 reach the jet finder, the others are lost.

    Parameters
    ----------
    region
        (n,), of each candidate; those of a region in the order in which it gives them.
    order
        (n,): filled with the indices of the candidates in the order of their arrival.

    Returns
    -------
    How many arrive. Those that a region has beyond `MOST_SENT` do not.
    """
    count = np.zeros(SENDING_REGIONS, np.int64)
    at = np.full(_SLOTS, -1, np.int64)
    for i in range(len(region)):
        r = region[i]
        if count[r] < MOST_SENT[r]:
            at[_SLOT[r, count[r]]] = i
        count[r] += 1
    arrived = 0
    for i in at:
        if i >= 0:
            order[arrived] = i
            arrived += 1
    return arrived
