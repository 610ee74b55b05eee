"""The SimPy model and the kernel against hand-computed time stamps, an independent recursion, and each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from l1emu.stream.beam import ORBIT_SLOTS
from l1emu.stream.chain import CAUSES, Chain, ReadoutBuffer, Stage
from l1emu.stream.faults import FaultWindows
from l1emu.stream.kernel import Kernel
from l1emu.stream.model import Model
from l1emu.stream.records import Crossing, Jet, Records
from l1emu.stream.source import CrossingSource, Sampler
from l1emu.stream.tallies import Count, Highest, JetFate, Tallies, Verdict

SMALL = Chain(
    ticks_per_bx=4,
    upstream=(Stage("sources", 4, 2),),
    boards=2,
    finder=Stage("jet finder", 2, 3),
    finder_interval=2,
    max_jets=3,
    depth=1,
    policy="drop",
    copies=1,
    tagger=Stage("tagger", 1, 5),
    tagger_interval=5,
    downstream=(Stage("sort", 1, 1), Stage("trigger", 4, 1)),
    rules=((1, 3),),
    deadline=40,
)


LATE, BUFFER_FULL, RULE = (Verdict.LOST + i for i in (CAUSES.index("late"), CAUSES.index("buffer full"), len(CAUSES)))


class Recorder(Records):
    """A records that also keeps the crossings."""

    def __init__(self, chain: Any) -> None:
        super().__init__(chain)
        self.crossings: list[Any] = []

    def enter(self, crossing: Any) -> None:
        super().enter(crossing)
        self.crossings.append(crossing)

    @property
    def lost(self) -> Any:
        causes = dict(zip(self._chain.causes, self.tallies.lost.tolist(), strict=True))
        return {cause: n for cause, n in causes.items() if n}

    @property
    def end_to_end(self) -> Any:
        return {int(t): int(n) for t, n in enumerate(self.tallies.times[-1]) if n}


def run(chain: Any, rows: Any, faults: Any = None) -> Any:
    """Simulate rows of (number, jets, accept); the recorder and the model."""
    recorder = Recorder(chain)
    model = Model(chain, recorder, faults)
    brought = [(n, jets if faults is None else faults.jets(n, jets), accept) for n, jets, accept in rows]
    model.run(Crossing(n, n * chain.ticks_per_bx, accept, [Jet() for _ in range(jets)]) for n, jets, accept in brought)
    return recorder, model


def kernel_of(chain: Any, rows: Any, faults: Any = None) -> Kernel:
    """The kernel for the same rows, all in the first orbit."""
    kinds = np.zeros(ORBIT_SLOTS, np.int64)
    slots = np.asarray([n for n, _, _ in rows], np.int64)
    kinds[slots] = np.arange(len(rows))
    jets, accept = np.asarray([j for _, j, _ in rows]), np.asarray([a for _, _, a in rows])
    return Kernel(chain, slots, Sampler(CrossingSource(jets, accept, np.eye(len(rows)), kinds), 0), faults)


def assert_same_tallies(ours: Tallies, theirs: Tallies) -> None:
    for field in Tallies._fields:
        a, b = getattr(ours, field), getattr(theirs, field)
        if field == "times":
            width = max(a.shape[1], b.shape[1])
            a, b = (np.pad(x, ((0, 0), (0, width - x.shape[1]))) for x in (a, b))
        assert np.array_equal(a, b), field


def stamps(jet: Any) -> Any:
    return jet.found, jet.queued, jet.started, jet.tagged, jet.fate


def test_every_time_stamp_of_a_small_case() -> None:
    recorder, _ = run(SMALL, [(0, 4, True), (1, 1, True), (2, 0, True)])
    first, second, third = recorder.crossings
    assert first.upstream == [8]
    assert (first.ready, first.begun, first.complete) == (14, 14, 24)
    assert [stamps(jet) for jet in first.jets] == [
        (14, 14, 14, 19, JetFate.TAGGED),
        (16, 16, 19, 24, JetFate.TAGGED),
        (18, -1, -1, -1, JetFate.BUFFER_FULL),  # one jet waits already, until 19
        (-1, -1, -1, -1, JetFate.TRUNCATED),
    ]
    assert first.downstream == [25, 32]  # the trigger's clock has edges at multiples of 4
    assert [stamps(jet) for jet in second.jets] == [(18, 18, 18, 23, JetFate.TAGGED)]
    assert (second.ready, second.begun, second.complete) == (18, 18, 23)
    assert (second.downstream, second.decision) == ([24, 28], 28)
    assert (third.upstream, third.ready, third.begun, third.complete) == ([16], 22, 22, 22)
    assert third.downstream == [23, 28]
    assert [c.verdict for c in recorder.crossings] == [BUFFER_FULL, Verdict.ACCEPTED, RULE]
    assert recorder.tallies.highest[Highest.QUEUE] == 1
    assert recorder.lost == {"buffer full": 1, "1 in 3 BX": 1}
    assert [recorder.tallies.counts[c] for c in (Count.ACCEPTED, Count.TRIGGERED, Count.LATE)] == [1, 3, 0]
    assert [recorder.tallies.counts[c] for c in (Count.JETS, Count.TAGGED, Count.TRUNCATED)] == [5, 3, 1]
    assert recorder.tallies.counts[Count.BUFFER_FULL] == 1
    assert recorder.end_to_end == {32: 1, 24: 1, 20: 1}


def test_a_queue_that_blocks_holds_the_jet_finder_back() -> None:
    recorder, _ = run(replace(SMALL, policy="block", max_jets=4), [(0, 4, True)])
    (crossing,) = recorder.crossings
    assert [stamps(jet) for jet in crossing.jets] == [
        (14, 14, 14, 19, JetFate.TAGGED),
        (16, 16, 19, 24, JetFate.TAGGED),
        (18, 19, 24, 29, JetFate.TAGGED),  # enters when the second leaves: held for one tick
        (22, 24, 29, 34, JetFate.TAGGED),  # 18 + 2 + 1, on an edge of the finder's clock
    ]
    assert crossing.complete == 34
    assert recorder.tallies.highest[Highest.QUEUE] == 1


def test_a_decision_at_the_deadline_is_in_time_and_one_tick_later_is_late() -> None:
    rows = [(0, 4, True)]
    on_time, _ = run(replace(SMALL, deadline=32), rows)
    late, _ = run(replace(SMALL, deadline=31), rows)
    assert (on_time.tallies.counts[Count.LATE], on_time.crossings[0].verdict) == (0, BUFFER_FULL)
    assert (late.tallies.counts[Count.LATE], late.crossings[0].verdict) == (1, LATE)


def test_a_truncating_queue_loses_the_jet_and_keeps_the_event() -> None:
    recorder, _ = run(replace(SMALL, policy="truncate"), [(0, 4, True)])
    (crossing,) = recorder.crossings
    fates = [JetFate.TAGGED, JetFate.TAGGED, JetFate.TRUNCATED, JetFate.TRUNCATED]
    assert ([jet.fate for jet in crossing.jets], crossing.verdict) == (fates, Verdict.ACCEPTED)


def test_a_merge_keeps_the_order_of_the_crossings() -> None:
    merged = replace(SMALL, downstream=(Stage("sort", 1, 1), Stage("merge", 2, 1)), merge_interval=8, rules=())
    recorder, _ = run(merged, [(0, 4, True), (1, 0, True), (2, 0, True)])
    # sorted at 25, 19 and 23: the second waits for the first, the merge takes one event every 8 ticks
    assert [c.downstream for c in recorder.crossings] == [[25, 28], [19, 36], [23, 44]]


def test_the_throttle_inhibits_a_delay_after_the_derandomizer_fills_until_it_has_emptied() -> None:
    buffered = replace(SMALL, rules=(), readout=ReadoutBuffer(depth=3, interval=20, busy_at=2, ready_at=0, delay=8))
    recorder, _ = run(buffered, [(n, 0, True) for n in range(20)])
    throttle, full = Verdict.LOST + CAUSES.index("throttle"), Verdict.LOST + len(buffered.causes) - 1
    # crossing n is judged at 4 n + 41; 0, 1 and 2 fill the buffer, the mark is passed at 45, known at 53 (n = 3);
    # read at 61, 81 and 101, where it is empty: known at 109, when n = 17 is judged
    assert [c.verdict for c in recorder.crossings] == [1, 1, 1, *[throttle] * 14, 1, 1, 1]
    assert recorder.tallies.highest[Highest.DERANDOMIZER] == 3
    unwatched = replace(buffered, readout=ReadoutBuffer(depth=3, interval=20))
    recorder, _ = run(unwatched, [(n, 0, True) for n in range(7)])
    assert [c.verdict for c in recorder.crossings] == [1, 1, 1, full, full, 1, full]  # one is read at 61


def test_faults_lose_events_hold_jets_back_and_make_crossings_busy() -> None:
    none = np.zeros((0, 3), np.int64)
    faults = FaultWindows(np.asarray([[0, 4, 8]]), np.asarray([[0, 12, 21]]), np.asarray([[3, 4, 2]]))
    recorder, _ = run(replace(SMALL, rules=()), [(0, 1, True), (1, 1, True)], faults)
    assert stamps(recorder.crossings[0].jets[0])[:2] == (22, 22)  # found at 14 without the stall
    assert recorder.crossings[1].verdict == Verdict.LOST + CAUSES.index("link down")
    assert stamps(recorder.crossings[1].jets[0]) == (-1, -1, -1, -1, JetFate.LINK_DOWN)
    assert [faults.jets(3, n) for n in (0, 5)] == [2, 5]
    assert faults.jets(4, 0) == 0
    kernel = kernel_of(SMALL, [(3, 0, True)], FaultWindows(none, none, faults.bursts))
    assert kernel.trace(0, 1).jets.tolist() == [[26, 26, 26, 31, 0], [28, 28, 31, 36, 0]]


def recursion(chain: Any, rows: Any) -> Any:
    """The same history by recursion over jets in their order, with no notion of a running clock."""

    def edge(tick: Any, cycle: Any) -> Any:
        return tick + (-tick) % cycle

    free = [0] * chain.boards
    end = [0] * chain.boards
    starts: list[list[Any]] = [[] for _ in range(chain.boards)]
    queue_max = [0] * chain.boards
    history: list[Any] = []
    accepts: list[int] = []
    for number, n_jets, accept in rows:
        b = number % chain.boards
        time = collision = number * chain.ticks_per_bx
        upstream = []
        for s in chain.upstream:
            time = edge(time, s.cycle) + s.cycle * s.cycles
            upstream.append(time)
        ready = edge(time, chain.finder.cycle) + chain.finder.cycle * chain.finder.cycles
        begun = max(ready, end[b])
        jets, last = [], 0
        end[b] = edge(begun, chain.tagger.cycle)
        for _ in range(min(n_jets, chain.max_jets)):
            found = edge(max(ready, free[b]), chain.finder.cycle)
            at_queue = edge(found, chain.tagger.cycle)
            waiting = sum(s > at_queue for s in starts[b])
            if chain.policy == "drop" and chain.depth is not None and waiting >= chain.depth:
                jets.append((found, -1, -1, -1, JetFate.BUFFER_FULL))
                free[b] = found + chain.finder_interval
                end[b] = at_queue
                continue
            queued = at_queue
            if chain.depth is not None and len(starts[b]) >= chain.depth:
                queued = max(queued, starts[b][-chain.depth])
            start = queued
            if len(starts[b]) >= chain.copies:
                start = max(start, starts[b][-chain.copies] + chain.tagger_interval)
            starts[b].append(start)
            queue_max[b] = max(queue_max[b], sum(s > queued for s in starts[b]))
            tagged = start + chain.tagger.cycle * chain.tagger.cycles
            jets.append((found, queued, start, tagged, JetFate.TAGGED))
            free[b] = found + chain.finder_interval + queued - at_queue
            end[b], last = queued, max(last, tagged)
        jets += [(-1, -1, -1, -1, JetFate.TRUNCATED)] * (n_jets - chain.max_jets)
        time = complete = max(end[b], last)
        downstream = []
        for s in chain.downstream:
            time = edge(time, s.cycle) + s.cycle * s.cycles
            downstream.append(time)
        verdict: int = Verdict.NOT_TRIGGERED
        if accept:
            broken = [
                place
                for place, (n, m) in enumerate(chain.rules)
                if sum(number - m < earlier for earlier in accepts) >= n
            ]
            if time - collision > chain.deadline:
                verdict = LATE
            elif any(jet[4] == JetFate.BUFFER_FULL for jet in jets):
                verdict = BUFFER_FULL
            elif broken:
                verdict = RULE + broken[0]
            else:
                verdict = Verdict.ACCEPTED
                accepts.append(number)
        history.append((number, upstream, ready, begun, complete, downstream, jets, verdict))
    return history, queue_max


CYCLES = st.sampled_from([1, 2, 3, 4, 6, 12])


def stage(name: str, most: int = 20) -> Any:
    return st.builds(Stage, st.just(name), CYCLES, st.integers(0, most))


@st.composite
def chains(draw: Any) -> Chain:
    finder, tagger = draw(stage("jet finder")), draw(stage("tagger"))
    return Chain(
        ticks_per_bx=12,
        upstream=tuple(draw(st.lists(stage("up"), min_size=1, max_size=2))),
        boards=draw(st.integers(1, 3)),
        finder=finder,
        finder_interval=finder.cycle * draw(st.integers(1, 4)),
        max_jets=draw(st.integers(1, 8)),
        depth=draw(st.one_of(st.none(), st.integers(1, 5))),
        policy=draw(st.sampled_from(["drop", "block"])),
        copies=draw(st.integers(1, 4)),
        tagger=tagger,
        tagger_interval=tagger.cycle * draw(st.integers(1, 12)),
        downstream=tuple(draw(st.lists(stage("down"), min_size=1, max_size=2))),
        rules=tuple(draw(st.lists(st.sampled_from([(1, 3), (2, 8), (3, 20)]), max_size=3, unique=True))),
        deadline=draw(st.integers(1, 900)),
    )


@st.composite
def beams(draw: Any) -> Any:
    numbers = draw(st.lists(st.integers(0, 60), min_size=1, max_size=40, unique=True))
    return [(n, draw(st.integers(0, 9)), draw(st.booleans())) for n in sorted(numbers)]


@settings(max_examples=300, deadline=None)
@given(chains(), beams())
def test_model_recursion_and_kernel_agree_on_every_time_stamp(chain: Any, rows: Any) -> None:
    recorder, _ = run(chain, rows)
    found = [
        (c.number, c.upstream, c.ready, c.begun, c.complete, c.downstream, [stamps(j) for j in c.jets], c.verdict)
        for c in recorder.crossings
    ]
    history, queue_max = recursion(chain, rows)
    assert found == history
    tallies = recorder.tallies
    assert tallies.highest[Highest.QUEUE] == max(queue_max)
    assert tallies.counts[Count.TRIGGERED] == tallies.counts[Count.ACCEPTED] + tallies.lost.sum()
    fates = [Count.TAGGED, Count.TRUNCATED, Count.BUFFER_FULL, Count.LINK_DOWN]
    assert tallies.counts[Count.JETS] == tallies.counts[fates].sum() == sum(r[1] for r in rows)
    begun = [(h[0] % chain.boards, h[2], h[3]) for h in history]
    waiting = [
        sum(b == board and begin > ready for b, _, begin in begun[: i + 1]) for i, (board, ready, _) in enumerate(begun)
    ]
    assert tallies.highest[Highest.EVENTS] == max(waiting)
    kernel = kernel_of(chain, rows)
    trace = kernel.trace(0, 1)
    flat = [[n, len(j), v, *u, r, b, c, *d] for n, u, r, b, c, d, j, v in history]
    assert trace.crossings.tolist() == flat
    assert [tuple(jet) for jet in trace.jets.tolist()] == [jet for h in history for jet in h[6]]
    assert_same_tallies(kernel.tallies, tallies)


@st.composite
def whole_chains(draw: Any) -> Any:
    chain = draw(chains())
    readout = None
    if draw(st.booleans()):
        depth, ready_at = draw(st.integers(1, 6)), draw(st.integers(0, 3))
        busy_at = draw(st.none() | st.integers(ready_at + 1, 6))
        readout = ReadoutBuffer(depth, draw(st.integers(1, 300)), busy_at, ready_at, draw(st.integers(1, 60)))
    merging = draw(st.booleans())
    return replace(
        chain,
        policy=draw(st.sampled_from(["drop", "block", "truncate"])),
        downstream=(draw(stage("sort")), draw(stage("merge")), *chain.downstream) if merging else chain.downstream,
        merge_interval=draw(st.integers(0, 30)) if merging else None,
        readout=readout,
    )


def windows(first: Any, most: Any, size: Any) -> Any:
    row = st.tuples(first, st.integers(0, most), st.integers(1, most // 2))
    rows = st.lists(row, max_size=size).map(lambda found: sorted((i, a, a + n) for i, a, n in found))
    return rows.map(lambda found: np.asarray(sorted(found, key=lambda r: r[1]), np.int64).reshape(-1, 3))


@st.composite
def faults_of(draw: Any, chain: Any) -> FaultWindows:
    stage_numbers, boards = st.integers(0, len(chain.upstream) - 1), st.integers(-1, chain.boards - 1)
    jets = draw(windows(st.integers(1, 9), 60, 2))
    return FaultWindows(
        draw(windows(stage_numbers, 800, 2)), draw(windows(boards, 1500, 3)), jets[:, [1, 2, 0]] if jets.size else jets
    )


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_model_and_kernel_agree_on_everything_with_faults(data: st.DataObject) -> None:
    chain, rows = data.draw(whole_chains()), data.draw(beams())
    faults = data.draw(faults_of(chain))
    recorder, _ = run(chain, rows, faults)
    kernel = kernel_of(chain, rows, faults)
    kernel.run(0, 1)
    assert_same_tallies(kernel.tallies, recorder.tallies)


@settings(max_examples=15, deadline=None)
@given(whole_chains(), st.integers(0, 9), st.integers(1, 3))
def test_whole_orbits_in_any_batches_agree(chain: Any, seed: int, batch: Any) -> None:
    slots = np.arange(0, 3000, 7 - seed % 3)
    sampler = Sampler(CrossingSource.poisson(3.0, 0.2), seed)
    records = Records(chain)
    numbers = np.concatenate([slots + orbit * ORBIT_SLOTS for orbit in range(3)])
    rows = sampler.rows(numbers)
    jets, accept = sampler.source.n_jets[rows].tolist(), sampler.source.accept[rows].tolist()
    Model(chain, records).run(
        Crossing(n, n * chain.ticks_per_bx, a, [Jet() for _ in range(j)])
        for n, j, a in zip(numbers.tolist(), jets, accept, strict=True)
    )
    kernel = Kernel(chain, slots, sampler)
    for first in range(0, 3, batch):
        kernel.run(first, min(batch, 3 - first))
    assert_same_tallies(kernel.tallies, records.tallies)
