"""What `l1emu simulate` prints with `--json` and writes with `--output`: every field with its type, and their version.

Times are in ns and crossings of 24.95 ns, rates in kHz; probabilities and shares are numbers from 0 to 1.
`docs/results.md` lists the fields.
"""

from __future__ import annotations

import os
from typing import Literal

from l1emu.result_files import AnyNumber, Result, read_result, result_in
from l1emu.results import RESULTS, ChainCompared, CopiesSimulated, ExactOfStream, NetworkOfStream, StreamRun

SIMULATION_VERSION = 1
"""Raised whenever a field is renamed, removed or means something else; a new field alone leaves it."""


class CopiesOfSimulation(Result):
    """The fewest tagger copies a board without loss, null where no number is enough, and bounds (`--find-copies`)."""

    copies: int | None
    bound_mean: int
    bound_worst: int
    tried: list[CopiesSimulated]


class WorstOfSimulation(Result):
    """The stream when every crossing brings the most jets (`--bound`); `bound` says whether no run can be worse."""

    latency_ns: float
    slack_ns: float
    jets_lost: int
    queue_max: int
    bound: bool


class ExactLossTried(Result):
    """The exact loss with so many copies a board and so deep a queue; null where a board does not keep up."""

    copies: int
    depth: int | None
    loss: float | None
    late: float | None


class NeededForLoss(Result):
    """The fewest copies, and the smallest queue, for an exact loss below `loss` (`--loss`); null if none is enough."""

    loss: AnyNumber
    copies: int | None
    depth: int | None
    tried: list[ExactLossTried]


class RecoveryFromFaults(Result):
    """What faults changed, beside a run without them (`--faults`): more accepts and jets lost, and until when."""

    lost: dict[str, int]
    accepted: int
    jets_lost: int
    affected: int
    first: int | None
    last: int | None
    recovery_bx: int
    recovery_ns: float
    recovered: bool


class SimulationResults(StreamRun):
    """The whole of a simulation; what is only there if it was asked for is absent otherwise, and None here."""

    version: Literal[1]
    crossings_per_second: float
    mean_pileup: float | None
    chain: ChainCompared
    passed: bool
    reasons: list[str]
    copies_needed: CopiesOfSimulation | None = None
    worst_case: WorstOfSimulation | None = None
    exact: ExactOfStream | None = None
    needed: NeededForLoss | None = None
    recovery: RecoveryFromFaults | None = None
    network: NetworkOfStream | None = None


def read_simulation(path: str | os.PathLike[str]) -> SimulationResults:
    """Read the results of a simulation.

    Parameters
    ----------
    path
        A `results.json`, or the folder that `l1emu simulate --output` wrote.

    Raises
    ------
    L1emuError
        if the file is absent or damaged, is of another version, or is something else.
    """
    return read_result(
        result_in(path, RESULTS),
        SimulationResults,
        version=SIMULATION_VERSION,
        sign="orbits",
        what="the result of a simulation",
        made_by="l1emu simulate",
    )
