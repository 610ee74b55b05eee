"""A tagger's timing from an estimate."""

from __future__ import annotations

import os
from dataclasses import replace

from l1emu.errors import L1emuError
from l1emu.latency.clock import period_ns
from l1emu.latency.estimate.boards import BoardsEstimate, estimate_boards
from l1emu.latency.estimate.firmware import load_design
from l1emu.latency.estimate.model import Estimate, estimate
from l1emu.latency.partition import read_partition
from l1emu.latency.timing import TaggerTiming


def from_estimate(found: Estimate, clock_mhz: float) -> TaggerTiming:
    """The timing that an estimate gives at the clock that will run, with its band; never verified.

    Raises
    ------
    L1emuError
        if `clock_mhz` is not locked to the LHC.
    """
    low, high = found.band("latency_cycles")
    caveats = [f"an estimate before synthesis: 80 % of unseen families of designs lie within {low} to {high} cycles"]
    least, typical, most = found.implemented["LUT"]
    caveats.append(
        f"look-up tables behind C synthesis: {typical:,} a copy, {least:,} to {most:,} with what is left of them in "
        "public designs"
    )
    caveats += found.problems
    period = period_ns(clock_mhz)
    if found.target.period_ns > period:
        caveats.append(f"estimated for {found.target.period_ns:g} ns, a slower clock than the {period:.4f} ns that run")
    settings = sorted({(block.strategy, block.reuse) for block in found.design.blocks if block.weights})
    steering = ", ".join(f"{strategy} with reuse {reuse}" for strategy, reuse in settings)
    return TaggerTiming(
        latency_cycles=found.latency_cycles[1],
        interval_cycles=found.interval_cycles[1],
        clock_mhz=clock_mhz,
        origin=f"estimate for {found.target.part.name} at {found.target.period_ns:.4g} ns, {steering}: "
        f"{found.design.origin}",
        kind="estimate",
        target_ns=found.target.period_ns,
        caveats=tuple(caveats),
        band_cycles=(low, high),
        band_interval=found.band("interval_cycles"),
        part=found.target.part.name,
        resources={name: typical for name, (_, typical, _) in found.implemented.items()},
        band_resources={name: (least, most) for name, (least, _, most) in found.implemented.items()},
        available=found.target.part.resources or {},
    )


def from_boards(found: BoardsEstimate, clock_mhz: float) -> TaggerTiming:
    """The timing of a network over several boards at the clock that will run; each resource names its board.

    Raises
    ------
    L1emuError
        if `clock_mhz` is not locked to the LHC.
    """
    single = from_estimate(found.single, clock_mhz)
    low, high = found.band("latency_cycles")
    where = found.partition.name
    caveats = [
        f"{found.links_cycles} of {found.latency_cycles} cycles are there because of the links between "
        f"{len(found.boards)} boards; {low} to {high} cycles with the band of the layers"
    ]
    numbers = {
        f"{name} on board {board.name}": values
        for board in found.boards
        for name, values in board.estimate.implemented.items()
    }
    offered = {
        f"{name} on board {board.name}": number
        for board in found.boards
        for name, number in (board.estimate.target.part.resources or {}).items()
    }
    unverified = [link.name for link in found.partition.links if link.status != "verified"]
    if unverified:
        caveats.append(f"links whose numbers are not verified: {', '.join(unverified)}")
    return replace(
        single,
        latency_cycles=found.latency_cycles,
        interval_cycles=found.interval_cycles,
        origin=f"{single.origin}, over the boards of {where!r}",
        caveats=(*caveats, *(text for text in single.caveats if text in found.problems or "slower clock" in text)),
        band_cycles=(low, high),
        band_interval=found.band("interval_cycles"),
        part=", ".join(dict.fromkeys(board.estimate.target.part.name for board in found.boards)),
        resources={name: typical for name, (_, typical, _) in numbers.items()},
        band_resources={name: (least, most) for name, (least, _, most) in numbers.items()},
        available=offered,
        links=found.links,
    )


def estimated_timing(
    path: str | os.PathLike[str],
    clock_mhz: float,
    *,
    part: str | None = None,
    reuse: int | None = None,
    strategy: str | None = None,
    partition: str | os.PathLike[str] | None = None,
) -> TaggerTiming:
    """Estimate a project or a firmware at the clock that will run, on one board or over those of a partition file.

    Raises
    ------
    L1emuError
        as `load_design`, `estimate` and `estimate_boards` do.
    """
    design = load_design(path)
    if partition is not None:
        cut = read_partition(partition)
        try:
            found_boards = estimate_boards(
                design, cut, part=part, clock_ns=period_ns(clock_mhz), reuse=reuse, strategy=strategy
            )
        except L1emuError as error:
            raise error.within(partition) from None
        return from_boards(found_boards, clock_mhz)
    found = estimate(design, part=part, clock_ns=period_ns(clock_mhz), reuse=reuse, strategy=strategy)
    return from_estimate(found, clock_mhz)
