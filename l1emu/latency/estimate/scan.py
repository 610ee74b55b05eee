"""Many estimates of one design: reuse factor, bit width, clock and strategy, and which of them are worth building."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from l1emu.errors import L1emuError
from l1emu.latency.budget import Budget
from l1emu.latency.check import BudgetCheck, BudgetVerdict, check
from l1emu.latency.clock import CROSSING_NS
from l1emu.latency.estimate.design import Block, Design, Weights
from l1emu.latency.estimate.matrices import products, unknown_matrix
from l1emu.latency.estimate.model import RESOURCES, Estimate, estimate
from l1emu.latency.estimate.target import Part
from l1emu.latency.estimate.timing import from_estimate

_MAX_POINTS = 20_000


@dataclass(frozen=True)
class Point:
    """One choice and its estimate.

    Attributes
    ----------
    bits
        Of weights and data; None for the project's own.
    fits_part
        Whether each resource is within what the part offers, all copies of a budget counted and at the upper end of
        its band; None if that is not known.
    checked
        The check against a budget, at the clock that will run; None without a budget, or where none is this slow.
    refused
        Why no check was made though there is a budget.
    pareto
        Whether no other point of the same bits is at least as good in latency (ns), DSP and LUT and better in one of
        them. Other bits are another network, with another accuracy.
    """

    reuse: int | None
    bits: int | None
    clock_ns: float
    strategy: str | None
    estimate: Estimate
    fits_part: bool | None
    checked: BudgetCheck | None = None
    refused: tuple[str, ...] = ()
    pareto: bool = False

    @property
    def latency_ns(self) -> float:
        """Cycles times the period."""
        return self.estimate.latency_cycles[1] * self.clock_ns

    @property
    def interval_ns(self) -> float:
        """Between two inputs."""
        return self.estimate.interval_cycles[1] * self.clock_ns

    @property
    def costs(self) -> tuple[float, int, int]:
        """What the Pareto front is drawn over: latency in ns, DSP, LUT."""
        return self.latency_ns, self.estimate.resources["DSP"], self.estimate.resources["LUT"]

    def as_dict(self) -> dict[str, Any]:
        """The point for JSON and tables."""
        found = self.estimate
        return {
            "reuse_factor": self.reuse,
            "bits": self.bits,
            "clock_ns": self.clock_ns,
            "strategy": self.strategy,
            "latency_cycles": found.latency_cycles[1],
            "latency_ns": self.latency_ns,
            "interval_cycles": found.interval_cycles[1],
            "interval_ns": self.interval_ns,
            "resources": found.resources,
            "fits_part": self.fits_part,
            "fits_slice": self._held(lambda one: one.slice.passed),
            "fits_chain": self._held(lambda one: one.chain.passed),
            "keeps_up": self._held(lambda one: one.keeps_up),
            "fits_budget": None if self.verdict is None else self.verdict == "yes",
            "verdict": self.verdict,
            "reasons": list(self.checked.reasons if self.checked is not None else self.refused),
            "runs_at_mhz": None if self.checked is None else self.checked.timing.clock_mhz,
            "jets": None if self.checked is None else self.checked.jets,
            "copies": None if self.checked is None else self.checked.copies,
            "copies_needed": None if self.checked is None else self.checked.copies_needed,
            "wait_cycles": None if self.checked is None else self.checked.wait_cycles,
            "slice_crossings": None if self.checked is None else self.checked.slice.used_crossings,
            "pareto": self.pareto,
            "extrapolated": any(text.startswith("extrapolated") for text in found.problems),
        }

    @property
    def verdict(self) -> BudgetVerdict | None:
        """Whether the budget is kept to; no where no clock runs the design, None without a budget."""
        return self.checked.verdict if self.checked is not None else "no" if self.refused else None

    def _held(self, question: Callable[[BudgetCheck], bool]) -> bool | None:
        """Whether a question of the check has the answer yes over all of the estimate's band."""
        return self.checked.decided(question) == "yes" if self.checked is not None else False if self.refused else None


def scan(
    design: Design,
    *,
    part: str | None = None,
    clocks_ns: Sequence[float | None] = (None,),
    reuse: Sequence[int | None] = (None,),
    bits: Sequence[int | None] = (None,),
    strategies: Sequence[str | None] = (None,),
    budget: Budget | None = None,
    jets: int | None = None,
    copies: int | None = None,
    tool: str | None = None,
) -> list[Point]:
    """Estimate a design for all combinations.

    Parameters
    ----------
    clocks_ns, reuse, bits, strategies
        The choices; None stands for the project's own.
    budget, jets, copies
        What the tagger is checked against (`l1emu.latency.check.check`): at the clock locked to the LHC's whose period
        was estimated for, or the next slower one.

    Raises
    ------
    L1emuError
        as `estimate` does; if a width is not from 2 to 64 bits; or for more than 20,000 combinations.
    """
    choices = list(itertools.product(reuse, bits, clocks_ns, strategies))
    if not 1 <= len(choices) <= _MAX_POINTS:
        raise L1emuError("number of combinations to scan", value=len(choices), expected=f"1 to {_MAX_POINTS}")
    points = []
    narrowed = {width: with_bits(design, width) for width in set(bits)}
    for factor, width, clock, strategy in choices:
        found = estimate(narrowed[width], part=part, clock_ns=clock, reuse=factor, strategy=strategy, tool=tool)
        period = found.target.period_ns
        fits_part = _fits(found.target.part, {name: high for name, (_, _, high) in found.implemented.items()})
        point = Point(factor, width, period, strategy, found, fits_part)
        points.append(point if budget is None else _checked(point, budget, jets, copies))
    best: set[int] = set()
    for width in dict.fromkeys(bits):
        same = [i for i, point in enumerate(points) if point.bits == width]
        best.update(i for i, good in zip(same, _pareto([points[i].costs for i in same]), strict=True) if good)
    return [replace(point, pareto=i in best) for i, point in enumerate(points)]


def _checked(point: Point, budget: Budget, jets: int | None, copies: int | None) -> Point:
    # the periods of 800 MHz and of 40 MHz itself are the shortest and the longest that are locked
    cycles = min(20, math.floor(CROSSING_NS / point.clock_ns * (1 + 1e-9)))
    if not cycles:
        slowest = f"no clock locked to the LHC's is as slow as {point.clock_ns:g} ns"
        return replace(point, refused=(slowest,))
    checked = check(budget, from_estimate(point.estimate, 40.0 * cycles), jets=jets, copies=copies)
    fits = None if checked.fits_part is None else checked.decided(lambda one: one.fits_part is True) == "yes"
    return replace(point, checked=checked, fits_part=fits)


def _fits(part: Part, resources: dict[str, int]) -> bool | None:
    """Whether resources are within what the part offers."""
    if part.resources is None:
        return None
    return all(resources[name] <= part.resources[name] for name in RESOURCES)


def _pareto(costs: Sequence[tuple[float, ...]]) -> list[bool]:
    """Of each point whether none other is at least as low in all costs and lower in one."""
    found = []
    for mine in costs:
        better = (all(a <= b for a, b in zip(other, mine, strict=True)) and other != mine for other in costs)
        found.append(not any(better))
    return found


def with_bits(design: Design, bits: int | None) -> Design:
    """The design with weights and data of another width; sums keep as many bits beyond the data's as they had.

    The weights' values at another width are not known: the expected number of multipliers for it is scaled by how the
    real weights compare with the expectation at their own width.
    """
    if bits is None:
        return design
    if not 2 <= bits <= 64:
        raise L1emuError("not a width", value=bits, expected="2 to 64 bits")
    return replace(design, blocks=tuple(_narrowed(block, bits) for block in design.blocks))


def _narrowed(block: Block, bits: int) -> Block:
    change = bits - block.width_in
    return replace(
        block,
        width_in=bits,
        width_out=max(1, block.width_out + change),
        width_accum=max(1, block.width_accum + change),
        weights=tuple(_requantized(matrix, bits) for matrix in block.weights),
    )


def _requantized(matrix: Weights, bits: int) -> Weights:
    if matrix.multipliers is None or matrix.shift_adds is None:
        return replace(matrix, width=bits)
    scaled = []
    for known, before, after in zip(
        (matrix.multipliers, matrix.shift_adds),
        products(unknown_matrix(matrix.n_in, matrix.n_out, matrix.width, matrix.nonzeros)),
        products(unknown_matrix(matrix.n_in, matrix.n_out, bits, matrix.nonzeros)),
        strict=True,
    ):
        scaled.append(min(matrix.nonzeros, math.ceil(after * known / before)) if before > 0 else math.ceil(after))
    return replace(matrix, width=bits, multipliers=scaled[0], shift_adds=scaled[1])


def multiplications_to_divide(design: Design) -> int:
    """Products of one input: by non-zero weights in all positions, and of data with data."""
    total = 0
    for block in design.blocks:
        total += sum(matrix.nonzeros for matrix in block.weights) * block.positions
        if block.kind == "einsum":
            sizes = (int(block.extra.get(name, 1)) for name in ("n_inplace", "n_free0", "n_free1", "n_contract"))
            total += math.prod(sizes)
    return total


def input_bits(design: Design) -> int:
    """Bits of one input."""
    written = {block.output for block in design.blocks}
    first: dict[str, int] = {}
    for block in design.blocks:
        for name in block.inputs:
            if name not in written:
                first.setdefault(name, block.n_in * block.width_in)
    return sum(first.values())
