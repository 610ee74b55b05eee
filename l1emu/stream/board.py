"""The recursion of one time-multiplexed board, shared by the kernel and by the exact probabilities.

The starts of a board's jets lie in a ring: that of jet i at i modulo its length, a power of two.
"""

from __future__ import annotations

from typing import Any

from l1emu.arraytypes import Ints
from l1emu.compiled import inlined
from l1emu.stream.numbers import BLOCK, Numbers


@inlined
def edge(tick: Any, cycle: Any) -> Any:
    """The first edge of a clock that is not before `tick`."""
    return (tick + cycle - 1) // cycle * cycle


@inlined
def gone(ring: Ints, known: Any, entries: Any, tick: Any) -> Any:
    """How many of the ring's entries are not after `tick`, if `known` of them are known not to be."""
    while known < entries and ring[known & (ring.size - 1)] <= tick:
        known += 1
    return known


@inlined
def is_full(chain: Numbers, waiting: Any) -> Any:
    """Whether a jet that comes to a queue with so many others is lost."""
    return chain.depth > 0 and chain.policy != BLOCK and waiting >= chain.depth


@inlined
def enters_queue(chain: Numbers, ring: Ints, jets: Any, arrives: Any) -> Any:
    """When a jet that was not lost is in the queue: where it blocks, as soon as there is room."""
    queued = arrives
    if chain.depth > 0 and jets >= chain.depth:
        queued = max(queued, ring[(jets - chain.depth) & (ring.size - 1)])
    return queued


@inlined
def enters_copy(chain: Numbers, ring: Ints, jets: Any, queued: Any) -> Any:
    """When a tagger copy takes the jet: copies take jets in turn, each one an interval."""
    start = queued
    if jets >= chain.copies:
        start = max(start, ring[(jets - chain.copies) & (ring.size - 1)] + chain.tagger_interval)
    return start
