"""The chain without load: one crossing with all its jets and nothing before it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from l1emu.latency.check import BudgetCheck
from l1emu.latency.clock import CROSSING_NS
from l1emu.stream.chain import compile_topology
from l1emu.stream.model import Model
from l1emu.stream.records import Crossing, Jet, Records
from l1emu.stream.topology import Topology


def unloaded_crossings(topology: Topology) -> Fraction:
    """Crossings from collision to accept of a crossing that brings the most jets into an empty chain.

    Found by sending it through the chain (`l1emu.stream.model`).
    """
    chain = compile_topology(topology)
    alone = Crossing(0, 0, False, [Jet() for _ in range(chain.max_jets)])
    Model(chain, Records(chain)).run([alone])
    return Fraction(alone.decision, chain.ticks_per_bx)


@dataclass(frozen=True)
class Chains:
    """The same chain as the stream and as the budget have it.

    Attributes
    ----------
    jets
        Of the crossing that was sent through the empty chain.
    unloaded
        What it took from collision to accept, in crossings.
    budget
        The budget's chain in crossings; None where no budget is known.
    differences
        Why the two differ; empty where they do not.
    """

    jets: int
    unloaded: Fraction
    budget: int | None
    differences: tuple[str, ...]

    def as_json(self, latency_max_ns: float) -> dict[str, Any]:
        """As a JSON document; `waiting_ns` is how much longer the slowest crossing of a run took."""
        unloaded_ns = float(self.unloaded) * CROSSING_NS
        return {
            "jets": self.jets,
            "unloaded_crossings": float(self.unloaded),
            "unloaded_ns": unloaded_ns,
            "budget_crossings": self.budget,
            "budget_ns": None if self.budget is None else self.budget * CROSSING_NS,
            "difference_ns": None if self.budget is None else float(self.unloaded - self.budget) * CROSSING_NS,
            "differences": list(self.differences),
            "waiting_ns": latency_max_ns - unloaded_ns,
        }


def compared(topology: Topology, checked: BudgetCheck | None, *, derived: bool = True) -> Chains:
    """The stream's chain beside the budget's.

    Parameters
    ----------
    topology
        With the tagger, copies and jets that were checked.
    checked
        The budget check; None where the topology belongs to no budget.
    derived
        Whether the topology was made from the budget; one that states its own times need not agree with it.
    """
    found = unloaded_crossings(topology)
    if checked is None:
        return Chains(topology.jet_finder.max_jets, found, None, ())
    own = f"{topology.name!r} states its own times, not those of the budget {checked.budget.name!r}"
    return Chains(topology.jet_finder.max_jets, found, checked.chain.used_crossings, () if derived else (own,))
