"""What a synthesis report says, in one type whatever tool and layout it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from l1emu.notebook import Shown

_RESOURCES = ("DSP", "LUT", "FF", "BRAM_18K", "URAM")
"""FPGA resources in the order of every table; block memory is counted in halves of 18 Kb."""


@dataclass(frozen=True)
class Resources:
    """How many of each resource; None where the report does not say (no URAM before Vivado HLS 2019)."""

    dsp: int | None = None
    lut: int | None = None
    ff: int | None = None
    bram_18k: int | None = None
    uram: int | None = None

    def as_dict(self) -> dict[str, int | None]:
        """The counts under the vendor's names, `RESOURCES`."""
        return {
            "DSP": self.dsp,
            "LUT": self.lut,
            "FF": self.ff,
            "BRAM_18K": self.bram_18k,
            "URAM": self.uram,
        }


@dataclass(frozen=True)
class Module:
    """One function that the tool kept as a module of its own; cycles are None where the report has none."""

    name: str
    latency_cycles: tuple[int, int] | None
    interval_cycles: tuple[int, int] | None
    pipeline: str | None


@dataclass(frozen=True)
class Problem:
    """Something about a report that its reader must know; `voids` if the latency cannot be relied on."""

    text: str
    voids: bool = False


IntervalRange = tuple[int | None, int | None]
ImplementationStage = Literal["synthesized", "placed", "routed"]


@dataclass(frozen=True)
class Implementation:
    """A design after logic synthesis, placement or routing.

    Attributes
    ----------
    stage
        How far it had come: LUTs after `synthesized` are more than remain after `routed`.
    design
        The top of the netlist, a wrapper around the top function where HLS exported it; None where it is not named.
    part
        The device, as this report spells it (`xcvu9pflga2104-2L`).
    resources, available
        What it takes and what the part offers; block memory in halves of 18 Kb.
    clock_target_ns, clock_achieved_ns
        The period asked for and the one reached, in ns; None where the report does not say.
    origin, path, sha256
        Where the numbers were read.
    problems
        What is wrong or doubtful.
    """

    stage: ImplementationStage
    design: str | None
    part: str | None
    resources: Resources
    available: Resources
    clock_target_ns: float | None
    clock_achieved_ns: float | None
    origin: str
    path: str
    sha256: str
    problems: tuple[Problem, ...]

    def as_dict(self) -> dict[str, Any]:
        """The report as `l1emu report --json` prints it: without cycles, which such reports do not have."""
        return {
            "part": self.part,
            "top": self.design,
            "kind": self.stage,
            "clock_target_ns": self.clock_target_ns,
            "clock_estimated_ns": self.clock_achieved_ns,
            "latency_cycles": [None, None],
            "interval_cycles": [None, None],
            "resources": self.resources.as_dict(),
            "available": self.available.as_dict(),
            "origin": self.origin,
            "path": self.path,
            "sha256": self.sha256,
            "latency_void": any(problem.voids for problem in self.problems),
            "problems": [problem.text for problem in self.problems],
        }


@dataclass(frozen=True)
class SynthesisReport(Shown):
    """One design as a tool reported it.

    Attributes
    ----------
    kind
        `synthesized` for C synthesis, `cosimulated` for RTL co-simulation.
    tool, version
        `Vivado HLS` or `Vitis HLS`, and its release; None where the report does not say (co-simulation).
    top, part
        The top function and the device; the part is None in a co-simulation report, both in hls4ml's dictionary.
    clock_target_ns, clock_estimated_ns, clock_uncertainty_ns
        The period asked for, the tool's estimate of the reachable one, and the margin, in ns.
    latency_cycles, interval_cycles
        Best and worst, in clock cycles. An interval is None where it was not measured.
    pipeline
        The tool's word: `function`, `dataflow`, `yes`, `no`, `none`.
    resources, available
        What the design takes and what the part offers.
    modules
        The modules inside, as far as the report lists them.
    cosimulated_cycles
        Best and worst latency of a co-simulation found in the same project.
    implementation
        Utilization and clock after logic synthesis or routing, found in the same project; of several the furthest.
    origin
        Where the numbers were read, in words.
    path, sha256
        The file and the hash of its content.
    problems
        What is wrong or doubtful, worst first.
    """

    kind: Literal["synthesized", "cosimulated"]
    tool: str | None
    version: str | None
    top: str | None
    part: str | None
    clock_target_ns: float | None
    clock_estimated_ns: float | None
    clock_uncertainty_ns: float | None
    latency_cycles: tuple[int, int]
    interval_cycles: IntervalRange
    pipeline: str | None
    resources: Resources
    available: Resources
    origin: str
    path: str
    sha256: str
    modules: tuple[Module, ...] = ()
    cosimulated_cycles: tuple[int, int] | None = None
    implementation: Implementation | None = None
    problems: tuple[Problem, ...] = field(default=())

    @property
    def void(self) -> bool:
        """Whether a problem makes the latency claim worthless."""
        return any(problem.voids for problem in self.problems)

    def as_dict(self) -> dict[str, Any]:
        """The report as `l1emu report --json` prints it."""
        return {
            "part": self.part,
            "top": self.top,
            "kind": self.kind,
            "tool": self.tool,
            "version": self.version,
            "clock_target_ns": self.clock_target_ns,
            "clock_estimated_ns": self.clock_estimated_ns,
            "clock_uncertainty_ns": self.clock_uncertainty_ns,
            "latency_cycles": list(self.latency_cycles),
            "latency_void": self.void,
            "interval_cycles": list(self.interval_cycles),
            "pipeline": self.pipeline,
            "cosimulated_cycles": None if self.cosimulated_cycles is None else list(self.cosimulated_cycles),
            "resources": self.resources.as_dict(),
            "available": self.available.as_dict(),
            "implementation": None if self.implementation is None else self.implementation.as_dict(),
            "modules": [
                {
                    "name": module.name,
                    "latency_cycles": None if module.latency_cycles is None else list(module.latency_cycles),
                    "interval_cycles": None if module.interval_cycles is None else list(module.interval_cycles),
                    "pipeline": module.pipeline,
                }
                for module in self.modules
            ],
            "origin": self.origin,
            "path": self.path,
            "sha256": self.sha256,
            "problems": [problem.text for problem in self.problems],
        }
