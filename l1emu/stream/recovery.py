"""What a fault costs, and how long until nothing is left of it: the run with it beside the same run without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.latency.clock import CROSSING_NS
from l1emu.stream.beam import ORBIT_SLOTS, FillingScheme, hl_lhc
from l1emu.stream.chain import compile_topology
from l1emu.stream.faults import Faults, compile_faults
from l1emu.stream.kernel import Kernel, Trace
from l1emu.stream.source import CrossingSource, Sampler
from l1emu.stream.tallies import Count
from l1emu.stream.topology import Topology

_BATCH = 10


@dataclass(frozen=True)
class Recovery:
    """The difference that faults make.

    Attributes
    ----------
    lost
        Accepts lost by cause, more (or, if negative, fewer) than without the faults.
    accepted
        Accepts more, or fewer, than without.
    jets_lost
        Jets not tagged, more than without; jets that a burst brings are counted too.
    affected
        Colliding crossings of which any time stamp or the verdict differs.
    first, last
        Their first and last, counted from the start of the run; None if there are none.
    recovery_bx, recovery_ns
        From the end of the last fault until the last jet was tagged that was not tagged at its undisturbed time; 0 if
        that comes before the end. What trigger rules and throttle do afterwards is in `affected` and `last`.
    recovered
        Whether a whole orbit passed at the end of the run without a difference.
    """

    lost: dict[str, int]
    accepted: int
    jets_lost: int
    affected: int
    first: int | None
    last: int | None
    recovery_bx: int
    recovery_ns: float
    recovered: bool

    def as_json(self) -> dict[str, object]:
        """As a JSON document."""
        return asdict(self)


def recovery(
    topology: Topology,
    source: CrossingSource,
    faults: Faults,
    *,
    orbits: int = 20,
    seed: int = 1,
    filling: FillingScheme | None = None,
    progress: Callable[[int], None] | None = None,
) -> Recovery:
    """Simulate twice, with faults and without, and compare every crossing.

    Raises
    ------
    L1emuError
        as `simulate` does, or if a fault begins after the last orbit.
    """
    filling = hl_lhc() if filling is None else filling
    if not filling.colliding.any():
        raise L1emuError("no bunches collide", where=filling.name)
    begin = min(fault.from_bx for fault in faults.faults)
    if begin >= orbits * ORBIT_SLOTS:
        raise L1emuError(
            "the faults begin after the run", where="from_bx", value=begin, expected=f"below {orbits * ORBIT_SLOTS}"
        )
    chain = compile_topology(topology)
    slots, sampler = filling.colliding_slots, Sampler(source, seed)
    hit = Kernel(chain, slots, sampler, compile_faults(faults, chain))
    free = Kernel(chain, slots, sampler)
    affected, first, last, disturbed = 0, None, None, 0
    for orbit in range(0, orbits, _BATCH):
        count = min(_BATCH, orbits - orbit)
        numbers, until = _differing(hit.trace(orbit, count), free.trace(orbit, count), 5 + len(chain.upstream))
        disturbed = max(disturbed, until)
        affected += numbers.size
        if numbers.size:
            first = int(numbers[0]) if first is None else first
            last = int(numbers[-1])
        if progress is not None:
            progress(count)
    more = hit.tallies.lost - free.tallies.lost
    counts = hit.tallies.counts - free.tallies.counts
    ticks = max(0, disturbed - faults.end_bx * chain.ticks_per_bx)
    return Recovery(
        lost=dict(zip(chain.causes, more.tolist(), strict=True)),
        accepted=int(counts[Count.ACCEPTED]),
        jets_lost=int(counts[[Count.TRUNCATED, Count.BUFFER_FULL, Count.LINK_DOWN]].sum()),
        affected=affected,
        first=first,
        last=last,
        recovery_bx=-(-ticks // chain.ticks_per_bx),
        recovery_ns=ticks * CROSSING_NS / chain.ticks_per_bx,
        recovered=last is None or last < (orbits - 1) * ORBIT_SLOTS,
    )


def _differing(hit: Trace, free: Trace, complete: int) -> tuple[npt.NDArray[np.int64], int]:
    """The crossings in which two runs differ, and when the last of those whose time stamps differ was complete.

    `complete` is the column of the trace with that time; what was lost on the way has none.
    """
    owner_hit = np.repeat(np.arange(len(hit.crossings)), hit.crossings[:, 1])
    owner_free = np.repeat(np.arange(len(free.crossings)), free.crossings[:, 1])
    differs = hit.crossings != free.crossings
    same = ~differs[:, 1]
    a, b = hit.jets[same[owner_hit]], free.jets[same[owner_free]]
    moved = differs[:, [1, *range(3, differs.shape[1])]].any(axis=1)
    moved[owner_hit[same[owner_hit]][(a != b).any(axis=1)]] = True
    until = int(hit.crossings[moved, complete].max(initial=0))
    numbers: npt.NDArray[np.int64] = hit.crossings[moved | differs[:, 2], 0]
    return numbers, until
