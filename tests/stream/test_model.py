"""The SimPy model against hand-computed time stamps and against an independent recursion."""

import hashlib
import struct
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from l1emu.stream.ledger import Crossing, Jet, JetFate, Ledger, Verdict
from l1emu.stream.model import Model
from l1emu.stream.topology import Chain, Stage

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


class Recorder(Ledger):
    """A ledger that also keeps the crossings."""

    def __init__(self, chain):
        super().__init__(chain, tuple(f"{n} in {m} BX" for n, m in chain.rules))
        self.crossings = []

    def enter(self, crossing):
        super().enter(crossing)
        self.crossings.append(crossing)


def run(chain, rows):
    """Simulate rows of (number, jets, accept); the recorder and the model."""
    recorder = Recorder(chain)
    model = Model(chain, recorder)
    model.run(Crossing(n, n * chain.ticks_per_bx, accept, [Jet() for _ in range(jets)]) for n, jets, accept in rows)
    return recorder, model


def stamps(jet):
    return jet.found, jet.queued, jet.started, jet.tagged, jet.fate


def test_every_time_stamp_of_a_small_case():
    recorder, model = run(SMALL, [(0, 4, True), (1, 1, True), (2, 0, True)])
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
    assert [c.verdict for c in recorder.crossings] == [Verdict.BUFFER_FULL, Verdict.ACCEPTED, Verdict.RULE]
    assert model.queue_max == [1, 0]
    assert recorder.lost == {"buffer full": 1, "late": 0, "1 in 3 BX": 1}
    assert (recorder.accepted, recorder.triggered, recorder.late) == (1, 3, 0)
    assert recorder.jets == {"found": 5, "tagged": 3, "truncated": 1, "buffer full": 1}
    assert recorder.end_to_end == {32: 1, 24: 1, 20: 1}


def test_a_queue_that_blocks_holds_the_jet_finder_back():
    recorder, model = run(replace(SMALL, policy="block", max_jets=4), [(0, 4, True)])
    (crossing,) = recorder.crossings
    assert [stamps(jet) for jet in crossing.jets] == [
        (14, 14, 14, 19, JetFate.TAGGED),
        (16, 16, 19, 24, JetFate.TAGGED),
        (18, 19, 24, 29, JetFate.TAGGED),  # enters when the second leaves: held for one tick
        (22, 24, 29, 34, JetFate.TAGGED),  # 18 + 2 + 1, on an edge of the finder's clock
    ]
    assert crossing.complete == 34
    assert model.queue_max == [1, 0]


def test_a_decision_at_the_deadline_is_in_time_and_one_tick_later_is_late():
    rows = [(0, 4, True)]
    on_time, _ = run(replace(SMALL, deadline=32), rows)
    late, _ = run(replace(SMALL, deadline=31), rows)
    assert (on_time.late, on_time.crossings[0].verdict) == (0, Verdict.BUFFER_FULL)
    assert (late.late, late.crossings[0].verdict) == (1, Verdict.LATE)


def test_the_digest_is_the_documented_one():
    recorder, _ = run(SMALL, [(0, 4, True), (1, 1, True), (2, 0, True)])
    numbers = [4, 2]
    numbers += [0, 4, 2, 8, 14, 14, 24, 25, 32]
    numbers += [14, 14, 14, 19, 0, 16, 16, 19, 24, 0, 18, -1, -1, -1, 2, -1, -1, -1, -1, 1]
    numbers += [1, 1, 1, 12, 18, 18, 23, 24, 28, 18, 18, 18, 23, 0]
    numbers += [2, 0, 16, 16, 22, 22, 22, 23, 28]
    assert recorder.digest == hashlib.sha256(struct.pack(f"<{len(numbers)}q", *numbers)).hexdigest()


def recursion(chain, rows):
    """The same history by recursion over jets in their order, with no notion of a running clock."""

    def edge(tick, cycle):
        return tick + (-tick) % cycle

    free = [0] * chain.boards
    end = [0] * chain.boards
    starts = [[] for _ in range(chain.boards)]
    queue_max = [0] * chain.boards
    history, accepts = [], []
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
        verdict = Verdict.NOT_TRIGGERED
        if accept:
            broken = [
                place
                for place, (n, m) in enumerate(chain.rules)
                if sum(number - m < earlier for earlier in accepts) >= n
            ]
            if time - collision > chain.deadline:
                verdict = Verdict.LATE
            elif any(jet[4] == JetFate.BUFFER_FULL for jet in jets):
                verdict = Verdict.BUFFER_FULL
            elif broken:
                verdict = Verdict.RULE + broken[0]
            else:
                verdict = Verdict.ACCEPTED
                accepts.append(number)
        history.append((number, upstream, ready, begun, complete, downstream, jets, verdict))
    return history, queue_max


CYCLES = st.sampled_from([1, 2, 3, 4, 6, 12])


def stage(name, most=20):
    return st.builds(Stage, st.just(name), CYCLES, st.integers(0, most))


@st.composite
def chains(draw):
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
def beams(draw):
    numbers = draw(st.lists(st.integers(0, 60), min_size=1, max_size=40, unique=True))
    return [(n, draw(st.integers(0, 9)), draw(st.booleans())) for n in sorted(numbers)]


@settings(max_examples=300, deadline=None)
@given(chains(), beams())
def test_the_model_and_the_recursion_agree_on_every_time_stamp(chain, rows):
    recorder, model = run(chain, rows)
    found = [
        (c.number, c.upstream, c.ready, c.begun, c.complete, c.downstream, [stamps(j) for j in c.jets], c.verdict)
        for c in recorder.crossings
    ]
    history, queue_max = recursion(chain, rows)
    assert found == history
    assert model.queue_max == queue_max
    assert recorder.triggered == recorder.accepted + sum(recorder.lost.values())
    jets = recorder.jets
    assert jets["found"] == jets["tagged"] + jets["truncated"] + jets["buffer full"] == sum(r[1] for r in rows)
    begun = [(h[0] % chain.boards, h[2], h[3]) for h in history]
    waiting = [
        sum(b == board and begin > ready for b, _, begin in begun[: i + 1]) for i, (board, ready, _) in enumerate(begun)
    ]
    assert recorder.events_waiting_max == max(waiting)
