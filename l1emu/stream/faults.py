"""Faults on request: a link that drops out, a board that stalls, a burst of busy crossings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from l1emu.arraytypes import Ints
from l1emu.config import Config, load_config
from l1emu.errors import L1emuError
from l1emu.latency.limits import MOST_JETS, MOST_MULTIPLEXING, MOST_ORBITS
from l1emu.stream.chain import Chain


class _Window(Config):
    """Crossings from `from_bx` on, counted from the start of the run."""

    from_bx: int = Field(ge=0, le=MOST_ORBITS)
    crossings: int = Field(ge=1, le=MOST_ORBITS)


class LinkDown(_Window):
    """What enters a station upstream in this time is lost: the whole event."""

    kind: Literal["link down"]
    station: str


class BoardStall(_Window):
    """A board hands out no jets in this time; without a number, all boards."""

    kind: Literal["board stall"]
    board: int | None = Field(default=None, ge=0, le=MOST_MULTIPLEXING)


class Burst(_Window):
    """Every colliding crossing brings at least so many jets."""

    kind: Literal["burst"]
    jets: int = Field(ge=1, le=MOST_JETS)


class Faults(Config):
    """A list of faults."""

    faults: list[Annotated[LinkDown | BoardStall | Burst, Field(discriminator="kind")]] = Field(min_length=1)

    @property
    def end_bx(self) -> int:
        """The first crossing after all faults."""
        return max(fault.from_bx + fault.crossings for fault in self.faults)


def read_faults(path: str | Path) -> Faults:
    """Read faults from YAML.

    Raises
    ------
    L1emuError
        at the first unknown, missing or wrong key.
    """
    return load_config(path, Faults)


@dataclass(frozen=True, eq=False)
class FaultWindows:
    """Faults as rows of numbers, each int64, shape (n, 3), in the order of their start.

    Links are (stage, start, stop) and stalls (board or -1, start, stop) in ticks, bursts (start, stop, jets) in BX.
    """

    links: Ints
    stalls: Ints
    bursts: Ints

    def link_is_down(self, stage: int, tick: int) -> bool:
        """Whether what enters stage number `stage` upstream at this tick is lost."""
        return any(at == stage and start <= tick < stop for at, start, stop in self.links.tolist())

    def unstalled(self, board: int, tick: int, cycle: int) -> int:
        """The first edge of the jet finder's clock, from `tick` on, at which a board is not stalled."""
        for at, start, stop in self.stalls.tolist():
            if at in (-1, board) and start <= tick < stop:
                tick = -(-stop // cycle) * cycle
        return tick

    def jets(self, number: int, jets: int) -> int:
        """The jets of a crossing that brings `jets` by itself."""
        bursts: list[list[int]] = self.bursts.tolist()
        return max([jets, *(least for start, stop, least in bursts if start <= number < stop)])


def compile_faults(faults: Faults | None, chain: Chain) -> FaultWindows:
    """Faults in a chain's ticks.

    Raises
    ------
    L1emuError
        for a station or a board that the chain does not have.
    """
    links, stalls, bursts = [], [], []
    names = [stage.name for stage in chain.upstream]
    for fault in faults.faults if faults is not None else ():
        start, stop = (bx * chain.ticks_per_bx for bx in (fault.from_bx, fault.from_bx + fault.crossings))
        if isinstance(fault, LinkDown):
            if fault.station not in names:
                raise L1emuError("no such station upstream", value=fault.station, expected=" or ".join(names))
            links.append((names.index(fault.station), start, stop))
        elif isinstance(fault, BoardStall):
            board = -1 if fault.board is None else fault.board
            if board >= chain.boards:
                raise L1emuError("no such board", value=board, expected=f"0 to {chain.boards - 1}")
            stalls.append((board, start, stop))
        else:
            bursts.append((fault.from_bx, fault.from_bx + fault.crossings, fault.jets))
    return FaultWindows(_rows(links, 1), _rows(stalls, 1), _rows(bursts, 0))


def _rows(rows: list[tuple[int, int, int]], by: int) -> Ints:
    return np.asarray(sorted(rows, key=lambda row: row[by]), np.int64).reshape(-1, 3)
