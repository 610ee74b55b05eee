"""What `l1emu estimate` prints with `--json` and a scan writes: every field with its type, and their versions.

Times are in ns, cycles are those of the clock beside them, block memory is counted in halves of 18 Kb.
`docs/results.md` lists the fields.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field

from l1emu.result_files import AnyNumber, Result, read_result, result_in

ESTIMATE_VERSION = 1
"""Raised whenever a field is renamed, removed or means something else; a new field alone leaves it."""
SCAN = "scan.json"


class EstimatedWrapper(Result):
    """What stands around the network: the function that is synthesized, and the words and cycles in and out."""

    top: str
    words_in: int
    words_out: int
    cycles_in: int
    cycles_out: int
    dataflow: bool
    memory: bool


class EstimatedLayer(Result):
    """One layer of hardware; `finished_at` is the cycle at which its last output is there."""

    name: str
    kind: str
    function: str
    strategy: str
    reuse_factor: int
    latency_cycles: int
    interval_cycles: int
    finished_at: int
    resources: dict[str, int]


class ImplementedResource(Result):
    """How many of a resource are left behind C synthesis, for 80 % of public designs, and typically."""

    low: int
    typical: int
    high: int


class EstimateResults(Result):
    """An estimate of one design; cycles from the best to the worst case, bands from the lowest to the highest.

    `resources` and their bands are those of a C synthesis report. `arithmetic` says whether the look-up tables are of
    sums and products alone, which the model counts: else they are not decided.
    """

    version: Literal[1]
    part: str
    top: str
    kind: Literal["estimated"]
    backend: str | None
    tool: str
    clock_target_ns: AnyNumber
    clock_estimated_ns: None
    clock_uncertainty_ns: AnyNumber
    latency_cycles: list[int]
    interval_cycles: list[int]
    interval_settled: bool
    pipeline: str
    io_type: str
    wrapper: EstimatedWrapper | None
    resources: dict[str, int]
    available: dict[str, int] | None
    origin: Literal["estimate"]
    source: str
    bands: dict[str, list[int]]
    implemented: dict[str, ImplementedResource]
    arithmetic: bool
    layers: list[EstimatedLayer]
    problems: list[str]


class ScannedPoint(Result):
    """One choice of a scan: what was varied (null for the project's own), its estimate, and the budget's answer."""

    reuse_factor: int | None
    bits: int | None
    clock_ns: AnyNumber
    strategy: str | None
    latency_cycles: int
    latency_ns: AnyNumber
    interval_cycles: int
    interval_ns: AnyNumber
    resources: dict[str, int]
    fits_part: bool | None
    fits_slice: bool | None
    fits_chain: bool | None
    keeps_up: bool | None
    fits_budget: bool | None
    verdict: Literal["yes", "no", "not decided"] | None
    reasons: list[str]
    runs_at_mhz: AnyNumber | None
    jets: int | None
    copies: int | None
    copies_needed: int | None
    wait_cycles: AnyNumber | None
    slice_crossings: AnyNumber | None
    pareto: bool
    extrapolated: bool
    input_bits: int


class ScanResults(Result):
    """A scan; `multiplications` is those of one input, `bands` the factors around each number."""

    version: Literal[1]
    part: str
    top: str
    origin: Literal["estimate"]
    source: str
    backend: str | None
    available: dict[str, int] | None
    budget: str
    slice_ns: AnyNumber
    jets: int | None
    copies: int | None
    multiplications: int
    bands: dict[str, list[AnyNumber]]
    points: list[ScannedPoint]
    problems: list[str]


class NetworkBoardResults(Result):
    """A board of a partition: its layers, the cycles from its first to its last work, and what it takes.

    `resources` are those of a C synthesis report of these layers, of one copy; `fits` is the answer for all copies
    behind C synthesis, null where the part's size is not known.
    """

    name: str
    part: str
    layers: list[str]
    begin: int
    end: int
    interval_cycles: int
    resources: dict[str, int]
    implemented: dict[str, ImplementedResource]
    available: dict[str, int] | None
    fits: Literal["yes", "no", "not decided"] | None


class NetworkMessage(Result):
    """A tensor in a link: its words, the cycle at which it is ready, and the cycles for which it takes the link."""

    tensor: str
    words: int
    ready: int
    cycles: int


class NetworkLinkResults(Result):
    """A link of a partition: `turn_cycles` for all that it carries, `share` of the interval; no rate if infinite."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    from_: str = Field(alias="from")
    to: str
    gbps: AnyNumber | None
    lanes: int
    words: int
    turn_cycles: int
    latency_cycles: int
    share: float
    messages: list[NetworkMessage]
    source: str
    status: Literal["verified", "unverified"]


class BoardsResults(Result):
    """An estimate of a network over several boards.

    `links_cycles` of `latency_cycles` are there because of the links; on one board it would take
    `single_board_cycles`. Where the cut was searched, `exact` says whether there is none of less latency among all
    cuts into boards in a row, `sets` how many sets of layers the search went through, and `fill` which share of a part
    it might take.
    """

    version: Literal[1]
    name: str
    top: str
    source: str
    clock_target_ns: AnyNumber
    copies: int
    latency_cycles: int
    latency_ns: AnyNumber
    links_cycles: int
    single_board_cycles: int
    interval_cycles: int
    bands: dict[str, list[int]]
    fits: Literal["yes", "no", "not decided"] | None
    boards: list[NetworkBoardResults]
    links: list[NetworkLinkResults]
    problems: list[str]
    exact: bool | None = None
    sets: int | None = None
    fill: AnyNumber | None = None


def read_boards(path: str | os.PathLike[str]) -> BoardsResults:
    """Read what `l1emu estimate --partition --json` printed into a file.

    Raises
    ------
    L1emuError
        if the file is absent or damaged, is of another version, or is something else.
    """
    return read_result(
        Path(path),
        BoardsResults,
        version=ESTIMATE_VERSION,
        sign="links_cycles",
        what="an estimate over several boards",
        made_by="l1emu estimate --partition --json",
    )


def read_estimate(path: str | os.PathLike[str]) -> EstimateResults:
    """Read what `l1emu estimate --json` printed into a file.

    Raises
    ------
    L1emuError
        if the file is absent or damaged, is of another version, or is something else.
    """
    return read_result(
        Path(path),
        EstimateResults,
        version=ESTIMATE_VERSION,
        sign="interval_settled",
        what="an estimate",
        made_by="l1emu estimate --json",
    )


def read_scan(path: str | os.PathLike[str]) -> ScanResults:
    """Read a scan: a `scan.json`, or the folder that `l1emu estimate --scan --output` wrote.

    Raises
    ------
    L1emuError
        if the file is absent or damaged, is of another version, or is something else.
    """
    return read_result(
        result_in(path, SCAN),
        ScanResults,
        version=ESTIMATE_VERSION,
        sign="points",
        what="a scan",
        made_by="l1emu estimate --scan",
    )
