"""The estimate of a whole design: its blocks' costs, composed as the top function composes them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from l1emu.errors import L1emuError
from l1emu.latency.estimate.cost import PORTS, SETTLED, Cost, cost
from l1emu.latency.estimate.design import Block, Design
from l1emu.latency.estimate.target import Constants, Target
from l1emu.latency.estimate.wrapper import Wrapper
from l1emu.notebook import Shown

RESOURCES = ("DSP", "LUT", "FF", "BRAM_18K")

_ARITHMETIC = frozenset(
    ["dense", "conv", "einsum", "softmax", "merge", "multiply", "product", "relu", "wires", "pooling", "table"]
)
"""Kinds of block whose look-up tables are sums, products, comparisons and tables."""


@dataclass(frozen=True)
class Estimate(Shown):
    """A design's estimate.

    Attributes
    ----------
    latency_cycles, interval_cycles
        Best and worst case.
    interval_settled
        Whether the interval follows from the project alone; else it follows from latencies, and so from how the tool
        schedules.
    resources
        DSP, LUT, FF, BRAM_18K and URAM, as a C synthesis report counts them.
    bands
        For each number the factors between which the measured value lies for 80 % of the designs of families that the
        fit did not see; the interval's is that of the designs whose interval is not settled, those of look-up tables
        and registers are of designs that are `arithmetic`, or of the others.
    implemented
        Of each resource the least, the typical and the largest number that is left behind C synthesis, when the tools
        have made gates of it, in 80 % of designs likewise.
    layers
        Each block with its cost, and the cycle at which its last output is there.
    problems
        What is extrapolated, what is not covered.
    """

    design: Design
    target: Target
    latency_cycles: tuple[int, int]
    interval_cycles: tuple[int, int]
    interval_settled: bool
    resources: dict[str, int]
    bands: dict[str, tuple[float, float]]
    implemented: dict[str, tuple[int, int, int]]
    layers: tuple[tuple[Block, Cost, float], ...]
    problems: tuple[str, ...]

    def band(self, name: str) -> tuple[int, int]:
        """The band of a number in its own unit."""
        values = {"latency_cycles": self.latency_cycles[1], "interval_cycles": self.interval_cycles[1]}
        value = values.get(name, self.resources.get(name, 0))
        low, high = self.bands.get(name, (1.0, 1.0))
        if name == "interval_cycles" and self.interval_settled:
            low = high = 1.0
        return math.floor(value * low), math.ceil(value * high)

    def as_dict(self) -> dict[str, Any]:
        """The estimate as `l1emu estimate --json` prints it."""
        target = self.target
        return {
            "part": target.part.name,
            "top": self.design.name,
            "kind": "estimated",
            "backend": self.design.backend,
            "tool": target.tool,
            "clock_target_ns": target.period_ns,
            "clock_estimated_ns": None,
            "clock_uncertainty_ns": target.period_ns * target.uncertainty,
            "latency_cycles": list(self.latency_cycles),
            "interval_cycles": list(self.interval_cycles),
            "interval_settled": self.interval_settled,
            "pipeline": self.design.pipeline,
            "io_type": self.design.io,
            "wrapper": None if self.design.wrapper is None else asdict(self.design.wrapper),
            "resources": self.resources,
            "available": target.part.resources,
            "origin": "estimate",
            "source": self.design.origin,
            "bands": {name: list(self.band(name)) for name in ("latency_cycles", "interval_cycles", *self.resources)},
            "implemented": {
                name: dict(zip(("low", "typical", "high"), values, strict=True))
                for name, values in self.implemented.items()
            },
            "arithmetic": arithmetic(self.design),
            "layers": [
                {
                    "name": block.name,
                    "kind": block.kind,
                    "function": block.function,
                    "strategy": block.strategy,
                    "reuse_factor": block.reuse,
                    "latency_cycles": round(found.latency),
                    "interval_cycles": max(1, round(found.interval)),
                    "finished_at": math.ceil(done),
                    "resources": {
                        "DSP": round(found.dsp),
                        "LUT": round(found.lut),
                        "FF": round(found.ff),
                        "BRAM_18K": round(found.bram),
                    },
                }
                for block, found, done in self.layers
            ],
            "problems": list(self.problems),
        }


def arithmetic(design: Design) -> bool:
    """Whether the look-up tables of a design are those of its sums, products and comparisons, which are counted.

    They are in arrays and the latency strategy. What takes the rest elsewhere is only guessed at: the multiplexers
    around shared multipliers, the line buffers of convolutions and streams, the roots and divisions of a layer
    normalization, and the control of cells and of the fused kernels of attention.
    """
    return design.io == "io_parallel" and all(
        block.kind in _ARITHMETIC
        and (block.strategy == "latency" or not block.weights)
        and int(block.extra.get("filt_width", 1)) == int(block.extra.get("filt_height", 1)) == 1
        for block in design.blocks
    )


def estimate(
    design: Design,
    *,
    part: str | None = None,
    clock_ns: float | None = None,
    reuse: int | None = None,
    strategy: str | None = None,
    tool: str | None = None,
    constants: Constants | None = None,
) -> Estimate:
    """Estimate a design's cycles and resources before synthesis.

    Parameters
    ----------
    part, clock_ns
        In place of the project's.
    reuse, strategy
        The reuse factor and ``latency`` or ``resource`` for all layers with weights, in place of the project's.
    tool
        ``Vivado`` (HLS, up to 2020.1) or ``Vitis`` (HLS, from 2020.2), in place of the project's backend.
    constants
        In place of the fitted ones that come with l1emu.

    Raises
    ------
    L1emuError
        if the part or the clock is missing or unknown, or the reuse factor is below 1.
    """
    if reuse is not None and reuse < 1:
        raise L1emuError("not a reuse factor", value=reuse, expected="1 or more")
    changed = steered(design, reuse=reuse, strategy=strategy, tool=tool)
    target = Target.of(changed, part=part, clock_ns=clock_ns, constants=constants)
    costs = [cost(block, changed, target) for block in changed.blocks]
    finished, latency = schedule(changed, [target] * len(costs), costs)
    latency, interval, settled = with_interval(changed, costs, latency)
    problems = [*changed.problems]
    for block, found in zip(changed.blocks, costs, strict=True):
        problems += [f"extrapolated: {block.name}: {text}" for text in found.extrapolated]
    problems += _around(changed) + _extrapolated(changed, target)
    area = target.constants.get("areas", {}).get("arithmetic" if arithmetic(changed) else "others")
    bands = target.constants["bands"] | ({} if area is None else area["bands"])
    resources = resources_of(changed, costs)
    if area is not None and not arithmetic(changed):
        low, high = area["bands"]["LUT"]
        problems.append(
            f"look-up tables are not decided: in public designs with such layers C synthesis counts {low:.2g} to "
            f"{high:.2g} times this number"
        )
    worst = whole_cycles(latency)
    return Estimate(
        design=changed,
        target=target,
        latency_cycles=(worst, worst),
        interval_cycles=(interval, interval),
        interval_settled=settled,
        resources=resources,
        bands={name: (float(low), float(high)) for name, (low, high) in bands.items()},
        implemented=implemented(resources, bands, {} if area is None else area["implemented"]),
        layers=tuple(zip(changed.blocks, costs, finished, strict=True)),
        problems=tuple(dict.fromkeys(problems)),
    )


def steered(
    design: Design, *, reuse: int | None = None, strategy: str | None = None, tool: str | None = None
) -> Design:
    """The design with another reuse factor, strategy or tool where they are given, as `estimate` takes them."""
    changed = design if tool is None else replace(design, tool=tool)
    if reuse is None and strategy is None:
        return changed
    return replace(changed, blocks=tuple(_steered(block, reuse, strategy) for block in design.blocks))


def whole_cycles(latency: float) -> int:
    """A latency as it is told: in whole cycles, and one where it is half of one or more."""
    return max(1, round(latency)) if latency >= 0.5 else 0


def with_interval(design: Design, costs: list[Cost], latency: float) -> tuple[float, int, bool]:
    """The latency with what stands around the network, the interval, and whether the project alone decides it."""
    interval, settled = _interval(design, costs)
    if design.wrapper is None:
        return latency, interval, settled
    latency, interval = _wrapped(design.wrapper, latency, interval)
    return latency, interval, False


def resources_of(design: Design, costs: list[Cost]) -> dict[str, int]:
    """What all blocks and the queues between them take."""
    return {
        "DSP": round(sum(c.dsp for c in costs)),
        "LUT": round(sum(c.lut for c in costs)),
        "FF": round(sum(c.ff for c in costs)),
        "BRAM_18K": round(sum(c.bram for c in costs) + fifo_memory(design.fifos)),
        "URAM": 0,
    }


def implemented(
    resources: dict[str, int], bands: dict[str, Any], factors: dict[str, Any]
) -> dict[str, tuple[int, int, int]]:
    """Low, typical and high number of each resource behind C synthesis; what it counts is kept but for LUT and FF."""
    found = {}
    for name, value in resources.items():
        low, high = bands.get(name, (1.0, 1.0))
        low, typical, high = factors.get(name, (low, 1.0, high))
        found[name] = (math.floor(value * low), round(value * typical), math.ceil(value * high))
    return found


def _wrapped(wrapper: Wrapper, latency: float, interval: int) -> tuple[float, int]:
    """Latency and interval with what reads and writes around the network.

    Without a dataflow a word is read after the other, then the network runs, then the outputs are written, and only
    then does the next input begin.
    """
    if wrapper.dataflow:
        latency = max(latency, wrapper.cycles_in) + wrapper.cycles_out
        return latency, max(interval, wrapper.cycles_in, wrapper.cycles_out)
    latency = wrapper.cycles_in + max(1.0, latency) + wrapper.cycles_out
    return latency, round(latency) + 1


def _around(design: Design) -> list[str]:
    """What of an accelerator's top function is counted, in words."""
    if design.wrapper is not None:
        return [design.wrapper.text, "extrapolated: no measured design with such a top function around the network"]
    if design.buffered:
        outputs = f"{design.buffered:,} outputs through {PORTS} ports of its buffer"
        return [f"the kernel around the network is counted: its input in one cycle, its {outputs}"]
    return []


def _steered(block: Block, reuse: int | None, strategy: str | None) -> Block:
    """A block with another reuse factor and strategy; with resource, the closest factor that hls4ml accepts."""
    chosen = strategy if strategy is not None and block.weights else block.strategy
    extra, factor = dict(block.extra), block.reuse if reuse is None else reuse
    if chosen == "resource" and (reuse is not None or chosen != block.strategy):
        closest = [closest_reuse(matrix.n_in, matrix.n_out, factor) for matrix in block.weights]
        if block.kind == "recurrent":
            extra.update({f"reuse_{i}": value for i, value in enumerate(closest)})
        factor = closest[0]
    elif reuse is not None:
        extra = {name: value for name, value in extra.items() if not name.startswith("reuse_")}
    return replace(block, reuse=factor, strategy=chosen, extra=extra)


def closest_reuse(n_in: int, n_out: int, wanted: int) -> int:
    """The reuse factor closest to `wanted` that hls4ml accepts for a matrix in the resource strategy; ties go down.

    It must divide the number of weights; up to n_in the multipliers must be whole rows of outputs, and beyond that it
    must be a multiple of n_in.
    """
    size = n_in * n_out

    def valid(factor: int) -> bool:
        if size % factor:
            return False
        if factor >= n_in:
            return factor % n_in == 0
        return math.ceil(size / factor) % n_out == 0

    divisors = {d for i in range(1, math.isqrt(size) + 1) if size % i == 0 for d in (i, size // i)}
    return min((d for d in divisors if valid(d)), key=lambda d: (abs(d - wanted), d))


@dataclass(frozen=True)
class Transfer:
    """What a tensor takes from the board that has it to one that reads it, in cycles, over all links on the way.

    `turns` are the cycles for which the links are taken, one after the other; `latency` is that of the links.
    """

    turns: tuple[int, ...] = ()
    latency: int = 0


NO_TRANSFER = Transfer()


def schedule(
    design: Design,
    targets: list[Target],
    costs: list[Cost],
    transfers: Mapping[tuple[str, int], Transfer] | None = None,
) -> tuple[list[float], float]:
    """When each block is done, along the longest path through the graph, and when the last one is.

    In a pipelined top function each call's result is registered, one cycle a call, unless the call is so light that it
    shares a cycle. In a dataflow each block is a process: of arrays it waits for the whole, so that the latencies add.
    Over streams the processes run at the same time, and the tools' reports give the longest of them and a few cycles
    for each to get going; what a process waits for lines of pixels is not in these reports, only in a co-simulation.

    A block on another board than what it reads waits for the links too: for whole arrays; of a stream the words follow
    each other through links and processes alike, so that a link is one more process, and its latency comes on top.

    Parameters
    ----------
    targets, costs
        Of each block.
    transfers
        What comes over links, by tensor and place of the block that reads it.
    """
    moved = transfers or {}
    walk = Walk(design)
    ended: dict[str, float] = {}
    behind: dict[str, float] = {}
    finished = []
    for place, (block, target, found) in enumerate(zip(design.blocks, targets, costs, strict=True)):
        comes = {name: moved.get((name, place), NO_TRANSFER) for name in block.inputs}
        if walk.streams:
            late = max((behind.get(name, 0.0) + way.latency for name, way in comes.items()), default=0.0)
            walk.pass_links(turn for way in comes.values() for turn in way.turns)
            behind[block.output] = late
            done = walk.streamed(place, target, found) + late
        else:
            arrivals = (ended.get(name, 0.0) + sum(way.turns) + way.latency for name, way in comes.items())
            done = max(arrivals, default=0.0) + walk.takes(block, target, found)
        ended[block.output] = done
        finished.append(done)
    return finished, max(finished) + walk.buffers


class Walk:
    """What one block after the other adds to the time, see `schedule`."""

    def __init__(self, design: Design) -> None:
        self._design = design
        self._single = sum(block.kind != "wires" for block in design.blocks) == 1
        self._longest = 0.0
        self.streams = design.pipeline != "pipeline" and design.io != "io_parallel"
        # A kernel's input buffer is one word wide as the whole input, and read in a cycle.
        self.buffers = 1 + _writes(design) if design.buffered else 0

    def takes(self, block: Block, target: Target, found: Cost) -> float:
        """Cycles from when a block has what it reads to when it is done, where it does not stream."""
        cycles = target.constants["cycles"]
        if self._design.pipeline != "pipeline":
            return found.latency + float(cycles["process"])
        called = 0 if self._single or block.kind == "wires" else _call(target, found, self._design, cycles)
        return found.latency + called

    def pass_links(self, turns: Iterable[int]) -> None:
        """Let links be among the processes of a stream."""
        self._longest = max([self._longest, *turns])

    def streamed(self, place: int, target: Target, found: Cost) -> float:
        """When a process of a stream is done, the latencies of links not counted."""
        self._longest = max(self._longest, found.latency)
        return self._longest + self.begins(place, target)

    @staticmethod
    def begins(place: int, target: Target) -> float:
        """The few cycles that the processes of a stream up to this one need to get going."""
        return (place + 1) * float(target.constants["cycles"]["stream_process"])


def _writes(design: Design) -> int:
    """Cycles that the outputs take into a kernel's buffer: it has two ports, and each output is written on its own."""
    return math.ceil(design.buffered / PORTS)


def _call(target: Target, found: Cost, design: Design, cycles: dict[str, float]) -> float:
    if not found.light:
        return float(cycles["call"])
    if target.part.series != "7":
        return float(cycles["light_call"])
    slow = all(block.reuse == 1 for block in design.blocks)
    return float(cycles["light_call_7_ii1" if slow else "light_call_7"])


def _interval(design: Design, costs: list[Cost]) -> tuple[int, bool]:
    """A pipeline takes an input as often as its slowest block; a dataflow as its slowest process, plus its restart.

    The second answer is whether the project alone decides it: no block whose interval follows from a latency is
    among the slowest, or there is one that does not and those that do cannot be longer.
    """
    least = max(_writes(design), design.stated_interval)
    slowest = max([found.interval for found in costs] + [least])
    certain = max([found.interval for found in costs if found.settled] + [least]) == slowest
    close = [found for found in costs if found.interval >= SETTLED * slowest and not found.settled]
    settled = all(certain and found.longest <= slowest for found in close)
    if design.pipeline == "pipeline":
        return max(1, round(slowest)), settled
    restart = 1 if any(found.restarts and found.interval == slowest > 1 for found in costs) else 0
    return max(1, round(slowest) + restart), settled


def fifo_memory(fifos: Iterable[tuple[int, int]]) -> int:
    """Block RAMs of the streams between processes: 36 bits wide and 512 deep; shallow ones are shift registers."""
    stored = [(depth, bits) for depth, bits in fifos if depth > 32 and depth * bits > 1024]
    return sum(math.ceil(bits / 36) * math.ceil(depth / 512) for depth, bits in stored)


def _extrapolated(design: Design, target: Target) -> list[str]:
    """What of part, clock and layers lies beyond the measured designs."""
    seen = target.constants.get("measured", {})
    found = []
    if seen and target.part.series not in seen["series"]:
        found.append(f"extrapolated: no measured design for a part of the series {target.part.series}")
    if seen and not seen["period_ns"][0] <= target.period_ns <= seen["period_ns"][1]:
        low, high = seen["period_ns"]
        found.append(f"extrapolated: {target.period_ns:g} ns, measured designs have {low:g} to {high:g} ns")
    if target.part.resources is None:
        found.append(f"what {target.part.name} offers is not known here")
    kinds = {block.kind for block in design.blocks} - set(seen.get("kinds", ()))
    if seen and kinds:
        found.append(f"extrapolated: no measured layer of the kind {', '.join(sorted(kinds))}")
    counted = [b for b in design.blocks if b.strategy == "distributed_arithmetic" and "adder_bits" in b.extra]
    constants = [b for b in design.blocks if b.strategy != "resource" and b not in counted]
    unknown = [b.name for b in constants for w in b.weights if w.multipliers is None]
    if counted:
        found.append("extrapolated: no measured layer that was written out as sums (distributed arithmetic)")
    if unknown:
        names = ", ".join(dict.fromkeys(unknown))
        found.append(f"the weights' values are not known, multipliers are the expected number: {names}")
    return found
