"""The estimate of a network over several boards: latency, interval, what each board takes and what each link carries.

A layer begins when what it reads is there, over a link as on one chip: with links of infinite speed and no latency all
cycles are those of a single board. A link takes the words of one input's tensors one after the other; whichever comes
first is sent first. While inputs are no closer than the `turn` of all that the link carries, no tensor is longer on its
way than this turn: in the time that a link is busy without a pause, of t cycles until a tensor comes, each other one
came t / interval + 1 times at most, which with turn <= interval is less work than t and one turn. Every tensor is given
the whole turn, so that the latency is fixed, as a trigger's must be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from l1emu.errors import L1emuError
from l1emu.latency.estimate.cost import cost
from l1emu.latency.estimate.design import Design
from l1emu.latency.estimate.flows import Flows, flows, layer_names, tensor_bits
from l1emu.latency.estimate.model import Estimate, Transfer, estimate, schedule, steered, whole_cycles, with_interval
from l1emu.latency.estimate.target import Target
from l1emu.latency.partition import MOST_LANES, BoardLink, Partition
from l1emu.latency.traffic import LinkTraffic, Message
from l1emu.notebook import Shown

Holding = Literal["yes", "no", "not decided"]

_ROUNDING = 1e-9

NOT_COUNTED = "transceivers, and what packs words into links and aligns them, are in no board's resources"


@dataclass(frozen=True)
class BoardUse:
    """One board: its share of the network.

    Attributes
    ----------
    layers
        Their names, in the order of the calls.
    begin, end
        Cycles from the network's first input to when this board has something to do, and to its last layer's end.
    estimate
        Of its layers alone.
    """

    name: str
    layers: tuple[str, ...]
    begin: int
    end: int
    estimate: Estimate

    def fits(self, copies: int) -> Holding | None:
        """Whether so many copies fit the part, over all of the estimate's band; None where it is not known."""
        offered = self.estimate.target.part.resources
        if offered is None:
            return None
        numbers = self.estimate.implemented
        low, high = (
            all(numbers[name][end] * copies <= offered[name] for name in numbers if name in offered) for end in (0, 2)
        )
        return "yes" if high else "not decided" if low else "no"


@dataclass(frozen=True)
class BoardsEstimate(Shown):
    """A network over several boards.

    Attributes
    ----------
    partition, copies
        As given; each copy has links of its own.
    single
        The same network on one board, with what the estimate knows of its own error.
    latency_cycles, interval_cycles
        From the first input to the last output, and between two inputs.
    links_cycles
        How many of the latency's cycles are there because of the links.
    boards, links
        What each takes and carries.
    problems
        Those of the boards' estimates, and what no number says.
    """

    partition: Partition
    copies: int
    single: Estimate
    latency_cycles: int
    interval_cycles: int
    links_cycles: int
    boards: tuple[BoardUse, ...]
    links: tuple[LinkTraffic, ...]
    problems: tuple[str, ...]

    @property
    def period_ns(self) -> float:
        """Of the boards' clock, in ns."""
        return self.single.target.period_ns

    def band(self, name: Literal["latency_cycles", "interval_cycles"]) -> tuple[int, int]:
        """The band of a number in cycles: that of the layers; links take what they take."""
        if name == "interval_cycles":
            low, high = self.single.band(name)
            least = self.partition.interval_cycles or 1
            return max(low, least), max(high, least)
        low_factor, high_factor = self.single.bands.get(name, (1.0, 1.0))
        layers = self.latency_cycles - self.links_cycles
        return math.floor(layers * low_factor) + self.links_cycles, math.ceil(layers * high_factor) + self.links_cycles

    @property
    def fits(self) -> Holding | None:
        """Whether every board holds its share; None where that is not known of one, and no other says no."""
        answers = [board.fits(self.copies) for board in self.boards]
        if "no" in answers:
            return "no"
        if None in answers:
            return None
        return "not decided" if "not decided" in answers else "yes"

    def as_dict(self) -> dict[str, Any]:
        """As `l1emu estimate --partition --json` prints it."""
        return {
            "name": self.partition.name,
            "top": self.single.design.name,
            "source": self.single.design.origin,
            "clock_target_ns": self.period_ns,
            "copies": self.copies,
            "latency_cycles": self.latency_cycles,
            "latency_ns": self.latency_cycles * self.period_ns,
            "links_cycles": self.links_cycles,
            "single_board_cycles": self.single.latency_cycles[1],
            "interval_cycles": self.interval_cycles,
            "bands": {name: list(self.band(name)) for name in ("latency_cycles", "interval_cycles")},
            "fits": self.fits,
            "boards": [self._board(board) for board in self.boards],
            "links": [self._link(place) for place in range(len(self.links))],
            "problems": list(self.problems),
        }

    def _board(self, board: BoardUse) -> dict[str, Any]:
        found = board.estimate
        return {
            "name": board.name,
            "part": found.target.part.name,
            "layers": list(board.layers),
            "begin": board.begin,
            "end": board.end,
            "interval_cycles": found.interval_cycles[1],
            "resources": found.resources,
            "implemented": {
                name: dict(zip(("low", "typical", "high"), values, strict=True))
                for name, values in found.implemented.items()
            },
            "available": found.target.part.resources,
            "fits": board.fits(self.copies),
        }

    def _link(self, place: int) -> dict[str, Any]:
        link, traffic = self.partition.links[place], self.links[place]
        return {
            "from": link.sender,
            "to": link.receiver,
            "gbps": None if link.gbps == "infinite" else link.gbps,
            "lanes": link.lanes,
            "words": sum(message.words for message in traffic.messages),
            "turn_cycles": traffic.turn_cycles,
            "latency_cycles": traffic.latency_cycles,
            "share": traffic.turn_cycles / self.interval_cycles,
            "messages": [
                {"tensor": m.tensor, "words": m.words, "ready": m.offset_cycles, "cycles": m.cycles}
                for m in traffic.messages
            ],
            "source": link.source,
            "status": link.status,
        }


def estimate_boards(
    design: Design,
    partition: Partition,
    *,
    part: str | None = None,
    clock_ns: float | None = None,
    reuse: int | None = None,
    strategy: str | None = None,
    tool: str | None = None,
    copies: int = 1,
) -> BoardsEstimate:
    """Estimate a network over the boards of a partition; the keywords are those of `estimate`.

    Parameters
    ----------
    part
        Of boards whose part the partition does not name, in place of the project's.
    copies
        Copies of the network on the boards.

    Raises
    ------
    L1emuError
        as `estimate` and `flows` do; if the copies are none; or if a link, or the partition's own interval, does not
        keep up with the boards.
    """
    if copies < 1:
        raise L1emuError("number of copies below 1", value=copies, expected="1 or more")
    changed = steered(design, reuse=reuse, strategy=strategy, tool=tool)
    # whichever part is named: the whole network is looked at on one
    stated = part or changed.part or next((board.part for board in partition.boards if board.part), None)
    single = estimate(changed, part=stated, clock_ns=clock_ns)
    flowing = flows(changed, partition)
    targets = [
        single.target
        if partition.boards[board].part is None
        else Target.of(changed, part=partition.boards[board].part, clock_ns=clock_ns)
        for board in flowing.board_of
    ]
    costs = [cost(block, changed, target) for block, target in zip(changed.blocks, targets, strict=True)]
    period, bits = single.target.period_ns, tensor_bits(changed)
    transfers = flowing.transfers(partition.links, bits, period)
    finished, latency = schedule(changed, targets, costs, transfers)
    latency, interval, _ = with_interval(changed, costs, latency)
    alone, _, _ = with_interval(changed, costs, schedule(changed, targets, costs)[1])
    waits = math.ceil(latency - alone - _ROUNDING)
    interval = _kept_up(partition, interval)
    shares = _boards(changed, partition, flowing, stated, clock_ns, _begun(changed, transfers, finished), finished)
    found = BoardsEstimate(
        partition=partition,
        copies=copies,
        single=single,
        latency_cycles=whole_cycles(alone) + waits,
        interval_cycles=interval,
        links_cycles=waits,
        boards=shares,
        links=_traffic(changed, partition, flowing, transfers, finished, period),
        problems=_problems(single, shares, partition, flowing),
    )
    _refuse_slow(found)
    return found


def _kept_up(partition: Partition, interval: int) -> int:
    """The interval: the partition's own, which the boards must keep to, or theirs."""
    wanted = partition.interval_cycles
    if wanted is not None and wanted < interval:
        raise L1emuError(
            "an interval that the boards do not keep to",
            where="interval_cycles",
            value=wanted,
            expected=f"{interval} cycles or more",
        )
    return interval if wanted is None else wanted


def _refuse_slow(found: BoardsEstimate) -> None:
    """Refuse a link that is busy for longer with one input than until the next one comes."""
    for place, (link, traffic) in enumerate(zip(found.partition.links, found.links, strict=True)):
        if traffic.turn_cycles <= found.interval_cycles:
            continue
        words = [message.words for message in traffic.messages]

        def keeps_up(lanes: int, link: BoardLink = link, words: list[int] = words) -> bool:
            wider = link.model_copy(update={"lanes": lanes})
            return sum(wider.cycles(number, found.period_ns) for number in words) <= found.interval_cycles

        lanes = next((number for number in range(link.lanes + 1, MOST_LANES + 1) if keeps_up(number)), None)
        better = "fewer bits there, or a longer interval" if lanes is None else f"{lanes} lanes, for example"
        raise L1emuError(
            f"a link slower than the interval: {sum(words)} words of {link.word_bits} bits take it "
            f"{traffic.turn_cycles} cycles for every input",
            where=f"links.{place} from {link.name}",
            value=f"{link.lanes} x {link.gbps} Gb/s",
            expected=f"{found.interval_cycles} cycles or less: {better}",
        )


def _begun(design: Design, transfers: dict[tuple[str, int], Transfer], finished: Sequence[float]) -> list[float]:
    """When each block has what it reads; of streams, when the first words can be there."""
    stream = design.pipeline == "dataflow" and design.io == "io_stream"
    ended: dict[str, float] = {}
    begun = []
    for place, block in enumerate(design.blocks):
        arrivals = [
            ended.get(name, 0.0) + (way.latency if stream else sum(way.turns) + way.latency)
            for name in block.inputs
            for way in (transfers.get((name, place), Transfer()),)
        ]
        begun.append(max(arrivals, default=0.0))
        ended[block.output] = begun[-1] if stream else finished[place]
    return begun


def _boards(
    design: Design,
    partition: Partition,
    flowing: Flows,
    part: str | None,
    clock_ns: float | None,
    begun: Sequence[float],
    finished: Sequence[float],
) -> tuple[BoardUse, ...]:
    names, found = layer_names(design), []
    for number, board in enumerate(partition.boards):
        places = [place for place, owner in enumerate(flowing.board_of) if owner == number]
        share = share_of(design, places, first=number == 0)
        found.append(
            BoardUse(
                name=board.name,
                layers=tuple(names[place] for place in places),
                begin=round(min(begun[place] for place in places)),
                end=whole_cycles(max(finished[place] for place in places)),
                estimate=estimate(share, part=board.part or part, clock_ns=clock_ns),
            )
        )
    return tuple(found)


def share_of(design: Design, places: Sequence[int], *, first: bool) -> Design:
    """The design of the blocks at these places alone, with their queues; queues of no known block are on the first."""
    blocks = tuple(design.blocks[place] for place in places)
    made, here = {block.output for block in design.blocks}, {block.output for block in blocks}
    names = design.fifo_streams or ("",) * len(design.fifos)
    kept = [
        pair for pair in zip(names, design.fifos, strict=True) if pair[0] in here or (first and pair[0] not in made)
    ]
    return replace(
        design,
        blocks=blocks,
        fifos=tuple(queue for _, queue in kept),
        fifo_streams=tuple(name for name, _ in kept) if design.fifo_streams else (),
        buffered=design.buffered if len(design.blocks) - 1 in places else 0,
        wrapper=None,
        problems=(),
    )


def _traffic(
    design: Design,
    partition: Partition,
    flowing: Flows,
    transfers: dict[tuple[str, int], Transfer],
    finished: Sequence[float],
    period_ns: float,
) -> tuple[LinkTraffic, ...]:
    """What each link carries, and when it is there: where it is passed on, when the link before has given it."""
    bits = tensor_bits(design)
    made = {block.output: done for block, done in zip(design.blocks, finished, strict=True)}
    cycles = flowing.cycles(partition.links, bits, period_ns)
    turns = [sum(one.values()) for one in cycles]
    delays = [link.latency_cycles(period_ns) for link in partition.links]
    stream = design.pipeline == "dataflow" and design.io == "io_stream"
    there: dict[tuple[int, str], float] = {}
    for (tensor, _), way in flowing.ways.items():
        now = made.get(tensor, 0.0)
        for link in way:
            there[link, tensor] = now
            now += delays[link] if stream else turns[link] + delays[link]
    return tuple(
        LinkTraffic(
            name=link.name,
            messages=tuple(
                Message(tensor, link.words(bits[tensor]), math.ceil(there[place, tensor]), taken)
                for tensor, taken in cycles[place].items()
            ),
            turn_cycles=turns[place],
            latency_cycles=delays[place],
            buffer_words=link.buffer_words,
        )
        for place, link in enumerate(partition.links)
    )


def _problems(single: Estimate, boards: Sequence[BoardUse], partition: Partition, flowing: Flows) -> tuple[str, ...]:
    found = list(single.problems)
    for board in boards:
        found += [f"board {board.name}: {text}" for text in board.estimate.problems if text not in found]
    if single.design.fifos and not single.design.fifo_streams:
        found.append("this firmware file does not say whose the streams' queues are: all are on the first board")
    found += [
        f"the link from {link.name} carries nothing"
        for link, names in zip(partition.links, flowing.carried, strict=True)
        if not names
    ]
    if partition.links:
        found.append(NOT_COUNTED)
    return tuple(dict.fromkeys(found))
