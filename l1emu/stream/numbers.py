"""A chain as plain numbers, which is what a compiled kernel can hold."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.stream.chain import Chain, Stage

_POLICIES = ("drop", "block", "truncate")
DROP, BLOCK = 0, 1
"""What a full queue does with a jet, as a number; anything else truncates."""


class Numbers(NamedTuple):
    """The fields of a `Chain`. Times are in ticks; -1 is what has no limit or is not there.

    Attributes
    ----------
    up, down
        A row a stage: the cycle of its clock, and its latency; int64, shape (n, 2).
    rules
        A row a trigger rule: at most so many accepts in so many crossings, int64, shape (n, 2).
    """

    ticks: int
    up: Ints
    boards: int
    finder_cycle: int
    finder_latency: int
    finder_interval: int
    max_jets: int
    depth: int
    policy: int
    copies: int
    tagger_cycle: int
    tagger_latency: int
    tagger_interval: int
    down: Ints
    merge_interval: int
    deadline: int
    rules: Ints
    read_depth: int
    read_interval: int
    busy_at: int
    ready_at: int
    delay: int


def numbers_of(chain: Chain) -> Numbers:
    """A chain for the kernels."""
    finder, tagger, readout = chain.finder, chain.tagger, chain.readout
    never_busy = np.iinfo(np.int64).max
    return Numbers(
        ticks=chain.ticks_per_bx,
        up=_rows(chain.upstream),
        boards=chain.boards,
        finder_cycle=finder.cycle,
        finder_latency=finder.cycle * finder.cycles,
        finder_interval=chain.finder_interval,
        max_jets=chain.max_jets,
        depth=-1 if chain.depth is None else chain.depth,
        policy=_POLICIES.index(chain.policy),
        copies=chain.copies,
        tagger_cycle=tagger.cycle,
        tagger_latency=tagger.cycle * tagger.cycles,
        tagger_interval=chain.tagger_interval,
        down=_rows(chain.downstream),
        merge_interval=-1 if chain.merge_interval is None else chain.merge_interval,
        deadline=chain.deadline,
        rules=np.asarray(chain.rules, np.int64).reshape(-1, 2),
        read_depth=-1 if readout is None else readout.depth,
        read_interval=0 if readout is None else readout.interval,
        busy_at=never_busy if readout is None or readout.busy_at is None else readout.busy_at,
        ready_at=0 if readout is None else readout.ready_at,
        delay=0 if readout is None else readout.delay,
    )


def _rows(stages: tuple[Stage, ...]) -> Ints:
    return np.asarray([(stage.cycle, stage.cycle * stage.cycles) for stage in stages], np.int64).reshape(-1, 2)
