"""Bits taken from the layer that misses them least, one after the other, while a constraint holds."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from l1emu.errors import L1emuError
from l1emu.quantization.choices import BitGrid, TypeChoice
from l1emu.quantization.measure import Bench, Configuration

_NAMES = ("ratio", "score", "latency_cycles", "interval_cycles", "dsp", "lut")
_TEXT = re.compile(r"\s*(\w+)\s*(>=|<=)\s*([0-9]+\.?[0-9]*)\s*", re.ASCII)


@dataclass(frozen=True)
class Constraint:
    """``ratio>=0.99``: bits are taken while it holds. ``dsp<=200``: bits are taken until it holds."""

    name: str
    least: bool
    value: float

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """Read a constraint.

        Raises
        ------
        L1emuError
            if it is not a quantity, >= (of ratio and score) or <= (of the others), and a number.
        """
        found = _TEXT.fullmatch(text)
        expected = "ratio>=0.99, score>=0.9, or one of latency_cycles, interval_cycles, dsp, lut as dsp<=200"
        if found is None or found[1] not in _NAMES or (found[2] == ">=") != (found[1] in ("ratio", "score")):
            raise L1emuError("not a constraint", where="--search", value=text, expected=expected)
        return cls(found[1], found[2] == ">=", float(found[3]))

    def holds(self, point: Configuration) -> bool:
        """Whether a point keeps to it."""
        if point.refused is not None:
            return False
        return bool((operator.ge if self.least else operator.le)(point.number(self.name), self.value))


def search(
    bench: Bench,
    constraint: Constraint,
    start: TypeChoice | None = None,
    *,
    layers: Sequence[str] = (),
    parts: Sequence[str] = ("weights", "data"),
    step: int = 1,
    report: Callable[[Configuration], None] = lambda point: None,
) -> list[Configuration]:
    """A greedy search over layers, as in C. Wojcicki's thesis (2022), chapter 4.2: start wide, narrow what costs least.

    Parameters
    ----------
    start
        The configuration to begin with; without one the project's own types.
    layers, parts
        Where bits may be taken.
    step
        Fraction bits that are taken at a time.

    Returns
    -------
    list of Configuration
        The start, and what each step left; the last keeps to the constraint if any does.

    Raises
    ------
    L1emuError
        if already the start breaks a constraint on the score.
    """
    point = bench.measured(start or TypeChoice(), "start")
    if point.refused is not None or (constraint.least and not constraint.holds(point)):
        raise L1emuError(
            "already the widest configuration breaks the constraint",
            where="--search",
            value=point.refused or round(point.number(constraint.name), 4),
            expected=f"{constraint.name} >= {constraint.value:g}",
        )
    path = [point]
    while constraint.least or not constraint.holds(path[-1]):
        found = [p for p in _narrower(bench, path[-1], layers, parts, step) if p.refused is None]
        if constraint.least:
            found = [p for p in found if constraint.holds(p)]
        if not found:
            break
        best = max(found, key=lambda p: (p.number("ratio"), -p.number("dsp"), -p.number("lut")))
        path.append(best)
        report(best)
    return path


def _narrower(
    bench: Bench, point: Configuration, layers: Sequence[str], parts: Sequence[str], step: int
) -> list[Configuration]:
    """The configurations with fewer fraction bits at one place."""
    found = []
    for part, grids in (("weights", point.weights), ("data", point.data)):
        for name, grid in grids.items():
            if part not in parts or (layers and name not in layers):
                continue
            taken = min(step, grid.bits - grid.integer, grid.bits - 2)
            if taken < 1:
                continue
            smaller = BitGrid(grid.bits - taken, grid.integer)
            found.append(bench.measured(point.choice.taken(name, part, smaller), f"{name} {part} {smaller}"))
    return found
