"""What the design is built for: the part, the clock, the tool, and how fast arithmetic is there."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.latency.estimate.design import Design
from l1emu.resources import resource

Constants = dict[str, Any]
"""The fitted constants: `l1emu/data/estimate.json`."""

_SERIES = (
    (r"xc7[askvz]", "7"),
    (r"xc[akvs]u\d+p|xczu\d|xcu\d|xck2\d", "us+"),
    (r"xc[kv]u\d", "us"),
    (r"xcv[cepmhrn]\d|xcv80|xc2v[eplm]\d", "versal"),
)
DSP_BLOCK_REGISTERS = 4
"""Registers in a row in a DSP block: two for the input, one each for the product and the sum."""

_UNCERTAINTY = {"Vivado": 0.125, "Vitis": 0.27}
"""The share of the period that Vivado HLS and Vitis HLS keep free unless told otherwise."""


@cache
def _shipped_constants() -> Constants:
    """The constants that come with l1emu."""
    document: Constants = json.loads(read_text(resource("data/estimate.json")))
    return document


@cache
def _catalogue() -> dict[str, dict[str, Any]]:
    document: dict[str, dict[str, Any]] = json.loads(read_text(resource("data/parts.json")))
    return document


def _plain(part: str) -> str:
    """A part's name as AMD's commercial ones are written: in small letters and with ``xc`` before the family.

    Boards stand for their part; automotive and defence grades (``xa``, ``xq``) have the same fabric.
    """
    name = part.strip().strip("\"'{}").lower()
    board = name.replace("_", "-")
    name = str(_catalogue()["boards"].get(board, name)).lower()
    return re.sub(r"^(?:x[aq]r?)?(?=7[askvz]|[akvsz]u\d|k2\d)", "xc", name)


def series(part: str) -> str:
    """The part's series: ``7``, ``us`` (UltraScale), ``us+`` or ``versal``.

    Raises
    ------
    L1emuError
        if the name is not one of AMD's.
    """
    name = _plain(part)
    for pattern, found in _SERIES:
        if re.match(pattern, name):
            return found
    raise L1emuError(
        "a part that is not known here", value=part, expected="a part of AMD's, such as xcvu13p-flga2577-2-e"
    )


@dataclass(frozen=True)
class Part:
    """What a part offers; None where it is not in the table."""

    name: str
    series: str
    resources: dict[str, int] | None

    @classmethod
    def find(cls, name: str) -> Part:
        """The part by its full name or its beginning, or by the name of a board.

        Raises
        ------
        L1emuError
            if it is none of AMD's.
        """
        offered: dict[str, dict[str, int]] = _catalogue()["parts"]
        known = _plain(name)
        # the device's name ends where package and speed begin: xczu3 is no part of xczu39dr
        keys = [k for k in offered if known.startswith(k) and not (k[-1].isdigit() and known[len(k) :][:1].isdigit())]
        key = max(keys, key=len, default=None)
        found = dict(offered[key]) if key else None
        return cls(name.strip(), series(name), found)


@dataclass(frozen=True)
class Target:
    """The part, the clock and the tool of an estimate.

    Attributes
    ----------
    period_ns
        The target period.
    uncertainty
        The share of the period that the tool keeps free.
    tool
        ``Vivado`` or ``Vitis``.
    """

    part: Part
    period_ns: float
    uncertainty: float
    tool: str
    constants: Constants

    @classmethod
    def of(
        cls,
        design: Design,
        *,
        part: str | None = None,
        clock_ns: float | None = None,
        constants: Constants | None = None,
    ) -> Target:
        """The target that a design's project states, with the caller's part and clock in its place.

        Raises
        ------
        L1emuError
            if neither states one, or the clock is no period.
        """
        name = design.part if part is None else part
        period = design.clock_ns if clock_ns is None else clock_ns
        if name is None:
            raise L1emuError("the project names no part", path=design.origin, expected="--part")
        if period is None:
            raise L1emuError("the project names no clock", path=design.origin, expected="--clock, in ns")
        if not (math.isfinite(period) and 0.5 <= period <= 1000):
            raise L1emuError("not a clock's period", value=period, expected="ns, from 0.5 to 1000")
        tool = design.tool or "Vitis"
        share = _UNCERTAINTY[tool] if design.uncertainty is None else design.uncertainty
        if not 0 <= share < 1:
            raise L1emuError(
                "the clock's uncertainty leaves nothing of the period",
                path=design.origin,
                value=f"{100 * share:g} %",
                expected="below 100 %",
            )
        # One that is almost the period cannot be met; a tenth is left so that numbers exist.
        share = min(0.9, share)
        return cls(Part.find(name), period, share, tool, constants or _shipped_constants())

    @property
    def usable_ns(self) -> float:
        """The time within a cycle that logic may take."""
        return self.period_ns * (1 - self.uncertainty)

    def delay(self, name: str) -> float:
        """A delay in ns from the table of the part's series."""
        table = self.constants["delays_ns"]
        known: dict[str, float] = table.get(self.part.series) or table["us+"]
        return known[name]

    @property
    def levels_per_cycle(self) -> int:
        """Levels of an adder tree that fit into one cycle.

        Additions are not cut: as many whole levels go into a cycle as their delays allow, and one that is longer than
        the cycle has it alone, and fails its timing.
        """
        return max(1, math.floor(self.usable_ns / self.delay("add")))

    def cycles(self, delay_ns: float) -> float:
        """Cycles, not rounded, that an operation of this delay takes."""
        return delay_ns / self.usable_ns

    def multiplier_cycles(self, fabric: bool) -> int:
        """Extra cycles of a multiplier: none if it fits into one cycle, else its whole length in cycles.

        It has no more registers than a DSP block.
        """
        delay = self.delay("multiply_fabric" if fabric else "multiply")
        return 0 if delay <= self.usable_ns else min(DSP_BLOCK_REGISTERS, math.ceil(delay / self.usable_ns))

    def with_clock(self, period_ns: float) -> Target:
        """The same target at another period."""
        return replace(self, period_ns=period_ns)
