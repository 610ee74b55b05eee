"""The endcap's regions as the firmware fills them: clock by clock, through buffers that can overflow.

A crossing takes 162 clocks. Of each sector, nine of the track finder or three of HGCal in an endcap, one object a clock
arrives, 161 at most; a buffer keeps what the endcap's regions can take in, 81 at most at a time. The negative endcap's
buffers are read in the second half of these clocks, while they still fill, the positive one's in the first half of the
next crossing's: 81 objects of a sector at most. Each goes to the queues of up to three regions, a queue for each sector
that a region takes from; each clock a region takes one object, of its own sector's queue first, and sorts it in by pt,
after those of equal pt. What is still queued after 81 clocks is lost. This is what
`BufferedFoldedMultififoRegionizerEmulator` does with 162 clocks (cms-sw/cmssw,
L1Trigger/Phase2L1ParticleFlow/src/regionizer, python/l1ctLayer1_cff.py).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import in_place, kernel
from l1emu.events.correlator.regions import PHI_SLICES, Intake, is_in_eta, phi_slices_of

TRACK_SECTORS = 9
"""Of an endcap, of the track finder; sector k is centred on phi = 40 k degrees."""
CALO_SECTORS = 3
"""Of an endcap, of HGCal; sector k is centred on phi = 90 + 120 k degrees."""
ENDCAP_SLICES = (1, 8)
"""The slices in eta with the tracker's endcaps, the negative one first."""
FORWARD_SLICES = (0, 9)
"""Those beyond the tracker."""

_CLOCKS = 162
_HALF = _CLOCKS // 2
_QUEUES = 3


@in_place
def _source(sectors: int, slice_phi: int, queue: int) -> int:
    """The sector that fills a region's queue; -1 where it has none."""
    if sectors == TRACK_SECTORS:
        return (slice_phi + (0, TRACK_SECTORS - 1, 1)[queue]) % TRACK_SECTORS
    if queue == 0:
        return slice_phi // 3
    return (slice_phi // 3 + CALO_SECTORS - 1) % CALO_SECTORS if queue == 1 and slice_phi % 3 < 2 else -1


@kernel
def _through_buffer(members: NDArray[np.int64], fits: NDArray[np.bool_], late: bool, feed: NDArray[np.int64]) -> None:
    """What a sector's buffer gives out in the 81 clocks in which it is read, -1 where it is empty.

    Parameters
    ----------
    members
        The sector's objects in the order of their arrival.
    fits
        Of all objects, whether the buffer keeps them.
    late
        Whether the buffer is read after all of them have come.
    feed
        (81,) is filled.
    """
    kept = np.empty(_CLOCKS, np.int64)
    first = last = 0
    feed[:] = -1
    for clock in range(_CLOCKS):
        if clock < min(len(members), _CLOCKS - 1) and fits[members[clock]] and last - first < _HALF:
            kept[last] = members[clock]
            last += 1
        if not late and clock >= _HALF and first < last:
            feed[clock - _HALF] = kept[first]
            first += 1
    if late:
        feed[:last] = kept[:last]


@kernel
def _fill_region(
    pt: NDArray[np.int32],
    inside: NDArray[np.int64],
    slice_phi: int,
    sectors: int,
    feeds: NDArray[np.int64],
    members: NDArray[np.int64],
) -> int:
    """Sort a region's objects into `members`; how many these are. `inside` are their slices in phi, a bit each."""
    queued = np.empty((_QUEUES, _HALF), np.int64)
    first, last = np.zeros(_QUEUES, np.int64), np.zeros(_QUEUES, np.int64)
    count = 0
    for clock in range(_HALF):
        for queue in range(_QUEUES):
            source = _source(sectors, slice_phi, queue)
            member = feeds[source, clock] if source >= 0 else -1
            if member >= 0 and inside[member] >> slice_phi & 1:
                queued[queue, last[queue]] = member
                last[queue] += 1
        for queue in range(_QUEUES):
            if first[queue] < last[queue]:
                count = _sorted_in(pt, queued[queue, first[queue]], count, members)
                first[queue] += 1
                break
    return count


@in_place
def _sorted_in(pt: NDArray[np.int32], member: int, count: int, members: NDArray[np.int64]) -> int:
    """Put a member behind the `count` there that are as hard or harder; how many there are then, the softest lost."""
    place = count
    while place > 0 and pt[members[place - 1]] < pt[member]:
        place -= 1
    if place == len(members):
        return count
    count = min(count + 1, len(members))
    for k in range(count - 1, place, -1):
        members[k] = members[k - 1]
    members[place] = member
    return count


@kernel
def buffer_regions(
    slices: tuple[int, int],
    sector: NDArray[np.int64],
    sectors: int,
    pt: NDArray[np.int32],
    at: NDArray[np.int32],
    also_at: NDArray[np.int32],
    limit: int,
    intake: Intake,
) -> None:
    """Fill the regions of the endcaps in `intake` as the firmware does, in place of what they hold.

    Parameters
    ----------
    slices
        `ENDCAP_SLICES` or `FORWARD_SLICES`, which other boards work on.
    sector
        (n,) that each object comes from: below `sectors` those of the negative endcap, from there on the positive
        one's; -1 for an object of neither. Objects of a sector arrive in their order.
    sectors
        Of an endcap: `TRACK_SECTORS` or `CALO_SECTORS`.
    pt, at, also_at
        As `regionize` has them; an object of pt 0 is none, but takes a clock.
    limit
        How many a region keeps.
    intake
        Of all regions.
    """
    inside, fits = np.zeros(len(pt), np.int64), np.zeros(len(pt), np.bool_)
    feeds = np.empty((sectors, _HALF), np.int64)
    for endcap, slice_eta in enumerate(slices):
        for i in range(len(pt)):
            inside[i] = phi_slices_of(slice_eta, at[i, 0], at[i, 1]) | phi_slices_of(
                slice_eta, also_at[i, 0], also_at[i, 1]
            )
            fits[i] = pt[i] > 0 and (is_in_eta(slice_eta, at[i, 0]) or is_in_eta(slice_eta, also_at[i, 0]))
        for k in range(sectors):
            _through_buffer(np.flatnonzero(sector == endcap * sectors + k), fits, endcap == 1, feeds[k])
        for slice_phi in range(PHI_SLICES):
            number = slice_eta * PHI_SLICES + slice_phi
            members = intake.members[number, :limit]
            intake.counts[number] = _fill_region(pt, inside, slice_phi, sectors, feeds, members)
