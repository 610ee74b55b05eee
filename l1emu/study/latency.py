"""The latency of a study: the budget check, and the stream that its crossings make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from l1emu.latency import BudgetCheck, TaggerTiming, check, read_budget, read_report, read_timing
from l1emu.latency.check import BudgetVerdict
from l1emu.latency.estimate import estimated_timing
from l1emu.progress import Advance, progress
from l1emu.stream import (
    CopiesNeeded,
    CrossingSource,
    ExactLoss,
    OverloadError,
    StreamResult,
    Topology,
    copies_needed,
    exact_loss,
    read_topology,
    simulate,
)
from l1emu.stream.links import NetworkRun, simulate_links
from l1emu.stream.read import has_budget
from l1emu.stream.unloaded import Chains, compared
from l1emu.study.config import LatencySettings, StreamSettings, StudyFile

COPIES_ORBITS = 200


def check_budget(file: StudyFile, settings: LatencySettings) -> BudgetCheck:
    """The budget check of a study.

    Raises
    ------
    L1emuError
        if the budget or the source of the tagger's timing is wrong.
    """
    budget = read_budget(file.file(settings.budget))
    clock = budget.clock.value if settings.clock_mhz is None else settings.clock_mhz
    if settings.report is not None:
        timing = TaggerTiming.from_report(read_report(file.file(settings.report)), clock)
    elif settings.file is not None:
        timing = TaggerTiming.from_stated(read_timing(file.file(settings.file)), clock)
    elif settings.stated is not None:
        timing = TaggerTiming.from_stated(settings.stated, clock)
    elif settings.estimate is not None:
        wanted = settings.estimate
        source = file.file(file.default_firmware if wanted.project is None else wanted.project)
        cut = None if wanted.partition is None else file.file(wanted.partition)
        timing = estimated_timing(
            source, clock, part=wanted.part, reuse=wanted.reuse, strategy=wanted.strategy, partition=cut
        )
    else:
        raise AssertionError("checked when read")
    return check(budget, timing, jets=settings.jets, copies=settings.copies)


@dataclass(frozen=True)
class StreamOfCrossings:
    """The simulated stream, its chain beside the budget's, the copies that it needs, and its exact loss.

    The loss is None where the boards do not keep up. `ends` are the streams at the lower and at the upper end of the
    band of a tagger that is estimated, else None. `network` is what the links between its boards did, if it has any.
    """

    result: StreamResult
    chains: Chains
    copies: CopiesNeeded
    exact: ExactLoss | None
    ends: tuple[StreamResult, StreamResult] | None = None
    network: NetworkRun | None = None

    @property
    def verdict(self) -> BudgetVerdict:
        """Whether the stream is in time and loses nothing, over all of the band."""
        if self.network is not None and self.network.reasons:
            return "no"
        low, high = (self.result, self.result) if self.ends is None else self.ends
        return "yes" if high.passed and self.result.passed else "not decided" if low.passed else "no"

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not."""
        links = () if self.network is None else self.network.reasons
        if self.ends is None or not self.result.passed:
            return (*links, *self.result.reasons)
        return (*links, *(f"at the upper end of the tagger's band: {text}" for text in self.ends[1].reasons))

    def as_json(self) -> dict[str, Any]:
        """For JSON, but for how fast it was."""
        exact = None if self.exact is None else self.exact.as_json()
        needed = self.copies.as_json() | {"orbits": COPIES_ORBITS}
        chain = self.chains.as_json(self.result.latency.max)
        band = None if self.ends is None else {"low": _end(self.ends[0]), "high": _end(self.ends[1])}
        judged = {"passed": self.verdict == "yes", "verdict": self.verdict, "reasons": list(self.reasons), "band": band}
        run = {name: value for name, value in self.result.as_json().items() if name != "crossings_per_second"}
        network = {} if self.network is None else {"network": self.network.as_json()}
        return run | judged | {"chain": chain, "copies_needed": needed, "exact": exact} | network


def _end(found: StreamResult) -> dict[str, Any]:
    """The stream at one end of the band, in a few numbers."""
    whole = found.as_json()
    kept = ("late", "late_fraction", "accepted", "tagger_load", "latency_ns", "slack_ns")
    return {
        "latency_cycles": whole["tagger"]["latency_cycles"],
        "interval_cycles": whole["tagger"]["interval_cycles"],
        "passed": found.passed,
        "reasons": list(found.reasons),
        "jets_lost": found.jets["buffer full"] + found.jets["link down"],
        **{name: whole[name] for name in kept},
    }


def stream_chain(file: StudyFile, settings: StreamSettings, check_: BudgetCheck) -> tuple[Topology, bool]:
    """The chain of a study with the tagger that was checked, and whether its times are those of the study's budget.

    Raises
    ------
    L1emuError
        if the topology is wrong, or does not go with the budget.
    """
    path = file.file(settings.topology)
    derived = has_budget(path)
    budget = check_.budget if check_.jets == check_.budget.jets.value else check_.budget.with_jets(check_.jets)
    topology = read_topology(path, budget=budget if derived else None)
    timing = check_.timing
    topology = topology.with_tagger(
        copies=check_.copies,
        latency_cycles=timing.latency_cycles,
        interval_cycles=timing.interval_cycles,
        clock_mhz=timing.clock_mhz,
        source=timing.origin,
        verified=timing.status == "verified",
    )
    return topology, derived


def simulate_stream(
    file: StudyFile,
    settings: StreamSettings,
    chain: tuple[Topology, bool],
    check_: BudgetCheck,
    source: CrossingSource,
) -> StreamOfCrossings:
    """The stream of crossings through a chain of `stream_chain`, the copies that it needs and its exact loss.

    Parameters
    ----------
    source
        What colliding crossings bring: jets, and the accepts of the menu.
    """
    topology, derived = chain
    filling = file.filling()

    def run(through: Topology, advance: Advance | None) -> StreamResult:
        return simulate(
            through,
            source,
            orbits=settings.orbits,
            seed=settings.random_seed,
            filling=filling,
            engine=settings.engine,
            progress=advance,
        )

    with progress("simulating orbits", settings.orbits) as advance:
        result = run(topology, advance)
    ends = None
    if check_.ends is not None:
        low, high = (run(stream_chain(file, settings, end)[0], None) for end in check_.ends)
        ends = low, high
    needed = copies_needed(topology, source, orbits=COPIES_ORBITS, seed=settings.random_seed, filling=filling)
    try:
        exact = exact_loss(topology, source, filling=filling)
    except OverloadError:
        exact = None
    network = None
    if check_.timing.links:
        network = simulate_links(
            topology,
            check_.timing.links,
            source,
            orbits=settings.orbits,
            seed=settings.random_seed,
            filling=filling,
            engine=settings.engine,
        )
    return StreamOfCrossings(result, compared(topology, check_, derived=derived), needed, exact, ends, network)


def latency_summary(check_: BudgetCheck, stream: StreamResult | None) -> dict[str, Any]:
    """The budget and the stream in a few numbers, for JSON."""
    return {
        "budget_ns": check_.chain.allowed_ns,
        "used_ns": check_.chain.used_ns,
        "slack_ns": check_.chain.slack_ns,
        "late_fraction": None if stream is None else stream.late_fraction,
        "late_fraction_upper95": None if stream is None else stream.late_fraction_upper,
        "tagger_slice_ns": check_.slice.allowed_ns,
        "tagger_used_ns": check_.slice.used_ns,
        "simulated_max_ns": None if stream is None else stream.latency.max,
        "simulated_crossings": None if stream is None else stream.colliding,
        "passed": check_.passed,
        "verdict": check_.verdict,
        "slack_band_ns": (check_.as_dict()["band"] or {}).get("slack_ns"),
        "status": check_.status,
        "tagger_kind": check_.timing.kind,
        "tagger_origin": check_.timing.origin,
    }
