"""Where to cut a network into boards in a row: the least latency of all cuts that fit the parts and keep the interval.

A cut is a set of layers that is closed: with a layer it has all that come before it. The boards' shares are what lies
between one closed set and the next, so that all ways to deal the layers to a row of boards are chains of closed sets.
Of what led to a closed set on so many boards only the partial cuts are kept than which no other is better in all
of: when each tensor that is still needed is on the next board, the latest output, the fullest board, the words.
What comes after depends on nothing else and is never earlier for a later arrival, so that the best cut is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from l1emu.errors import L1emuError
from l1emu.latency.estimate.area import Area
from l1emu.latency.estimate.cost import cost
from l1emu.latency.estimate.design import Design
from l1emu.latency.estimate.flows import layer_names, makers, tensor_bits, units
from l1emu.latency.estimate.model import Walk, steered, with_interval
from l1emu.latency.estimate.target import Target
from l1emu.latency.partition import MOST_BOARDS, MOST_LANES, BoardLink, NetworkBoard, Partition
from l1emu.notebook import Shown

_MOST_SETS = 600
"""Closed sets that are gone through; a network with more of them is cut along the order of its calls alone."""


@dataclass(frozen=True)
class CutGoal(Shown):
    """What is asked of a cut.

    Attributes
    ----------
    boards
        How many; None for the fewest that do.
    link
        Every link between two boards that follow each other; its lanes are the fewest that keep up, if `lanes` is None.
    fill
        The share of a part that the network may take.
    copies
        Copies of the network on the boards.
    interval_cycles
        Cycles from one input to the next; None for as few as the layers take.
    """

    boards: int | None
    link: BoardLink
    lanes: int | None = None
    fill: float = 1.0
    copies: int = 1
    interval_cycles: int | None = None


@dataclass(frozen=True)
class Proposal(Shown):
    """A partition, whether no other of its kind is faster, and how many closed sets were gone through."""

    partition: Partition
    exact: bool
    sets: int


def propose(
    design: Design,
    wanted: CutGoal,
    *,
    name: str,
    part: str | None = None,
    clock_ns: float | None = None,
    reuse: int | None = None,
    strategy: str | None = None,
    tool: str | None = None,
) -> Proposal:
    """The cut of least latency into boards of one part in a row; of equal ones that with the emptiest fullest board.

    Raises
    ------
    L1emuError
        as `estimate` does, if the part's size is not known, or if there is no such cut: it says why.
    """
    changed = steered(design, reuse=reuse, strategy=strategy, tool=tool)
    search = _Search(changed, wanted, Target.of(changed, part=part, clock_ns=clock_ns))
    bounds = search.best().chain
    layers = layer_names(changed)
    shares = [search.places(before, after) for before, after in pairwise(bounds)]
    boards = [
        NetworkBoard(name=f"board{number}", part=search.target.part.name, layers=[layers[place] for place in share])
        for number, share in enumerate(shares, start=1)
    ]
    links = [
        wanted.link.model_copy(
            update={
                "sender": boards[number].name,
                "receiver": boards[number + 1].name,
                "lanes": search.lanes(bounds[number + 1]),
            }
        )
        for number in range(len(boards) - 1)
    ]
    made = Partition(name=name, interval_cycles=wanted.interval_cycles, boards=boards, links=links)
    return Proposal(made, search.exact, len(search.sets))


@dataclass(frozen=True)
class _Cut:
    """A partial cut: the closed sets so far, and what it came to.

    `there` is when each live tensor is on the next board. The rest is the latest output so far, the longest turn of a
    link, the fullest board and the words of all links.
    """

    chain: tuple[int, ...]
    there: tuple[float, ...]
    latest: float = 0.0
    turn: int = 0
    fullest: float = 0.0
    words: int = 0

    def as_good_as(self, other: _Cut) -> bool:
        """Whether it is in everything, of two with the same layers."""
        mine = (self.latest, self.turn, self.fullest, self.words)
        theirs = (other.latest, other.turn, other.fullest, other.words)
        return all(a <= b for a, b in zip(mine + self.there, theirs + other.there, strict=True))


class _Search:
    """The search over chains of closed sets; a set is the bits of its units, in the order of the calls."""

    def __init__(self, design: Design, wanted: CutGoal, target: Target) -> None:
        self.design, self.wanted, self.target = design, wanted, target
        self.costs = [cost(block, design, target) for block in design.blocks]
        self.units = units(design)
        self.bits = tensor_bits(design)
        self.interval = self._interval()
        self.made = makers(design)
        self.full = (1 << len(self.units)) - 1
        self.exact, self.sets = self._closed_sets()
        self.walk = Walk(design)
        self.area = Area(design, self.costs, target, copies=wanted.copies, fill=wanted.fill)
        self.places = cache(self._places)
        self.live = cache(self._live)
        self.lanes = cache(self._lanes)

    def _interval(self) -> int:
        _, interval, _ = with_interval(self.design, self.costs, 0.0)
        wanted = self.wanted.interval_cycles
        if wanted is not None and wanted < interval:
            raise L1emuError(
                "an interval that the layers do not keep to", value=wanted, expected=f"{interval} cycles or more"
            )
        return interval if wanted is None else wanted

    def _places(self, before: int, after: int) -> tuple[int, ...]:
        """The blocks that one closed set has more than another."""
        between = after & ~before
        return tuple(sorted(place for i, unit in enumerate(self.units) if between >> i & 1 for place in unit))

    def _closed_sets(self) -> tuple[bool, list[int]]:
        """All closed sets, the smaller ones first; those along the order of the calls if there are too many."""
        unit_of = {place: i for i, unit in enumerate(self.units) for place in unit}
        needs = []
        for i, unit in enumerate(self.units):
            read = {name for place in unit for name in self.design.blocks[place].inputs}
            before = {unit_of[self.made[name]] for name in read if name in self.made} - {i}
            needs.append(sum(1 << one for one in before))
        found, layer = {0}, {0}
        while layer and len(found) <= _MOST_SETS:
            layer = {
                one | 1 << i for one in layer for i, need in enumerate(needs) if not one >> i & 1 and need & ~one == 0
            }
            found |= layer
        if len(found) > _MOST_SETS:
            return False, [(1 << i) - 1 for i in range(len(self.units) + 1)]
        return True, sorted(found, key=lambda one: (one.bit_count(), one))

    def _live(self, closed: int) -> tuple[str, ...]:
        """The tensors that those in a closed set, or the outside, give to those behind it."""
        inside = set(self.places(0, closed))
        used = {
            name
            for place, block in enumerate(self.design.blocks)
            if place not in inside
            for name in block.inputs
            if name not in self.made or self.made[name] in inside
        }
        return tuple(sorted(used))

    def words(self, closed: int) -> list[int]:
        """Words of the tensors behind a closed set."""
        return [self.wanted.link.words(self.bits[name]) for name in self.live(closed)]

    def turn(self, closed: int, lanes: int) -> int:
        """Cycles for which the link behind a closed set is taken by one input."""
        link = self.wanted.link.model_copy(update={"lanes": max(1, lanes)})
        return sum(link.cycles(number, self.target.period_ns) for number in self.words(closed))

    def _lanes(self, closed: int) -> int:
        """The lanes of the link behind a closed set: as asked for, or the fewest that keep up; 0 if none do."""
        asked = self.wanted.lanes
        tried = range(1, MOST_LANES + 1) if asked is None else (asked,)
        return next((lanes for lanes in tried if self.turn(closed, lanes) <= self.interval), 0)

    def best(self) -> _Cut:
        """The chain of closed sets from nothing to everything."""
        found = self.search(self.wanted.boards)
        if found is None:
            raise self._why_not()
        return found

    def search(self, boards: int | None) -> _Cut | None:
        """The best chain into so many boards, or into the fewest that do; None if there is none."""
        most = min(MOST_BOARDS, len(self.units)) if boards is None else boards
        reached = {0: [_Cut((0,), (0.0,) * len(self.live(0)))]}
        for board in range(1, most + 1):
            last = board == boards
            reached = self._next(reached, (self.full,) if last else self.sets)
            ends = reached.pop(self.full, [])
            if ends and (last or boards is None):
                return min(ends, key=lambda one: (self._latency(one), one.fullest, one.words))
        return None

    def _latency(self, found: _Cut) -> float:
        """Of a stream, the longest process or link, and how late the last of them begins."""
        if not self.walk.streams:
            return found.latest
        return found.latest + max(found.turn, *(one.latency for one in self.costs))

    def _next(self, reached: dict[int, list[_Cut]], ends: Sequence[int]) -> dict[int, list[_Cut]]:
        """The partial cuts with one board more."""
        found: dict[int, list[_Cut]] = {}
        for before, cuts in reached.items():
            room = [
                (after, self.area.fullness(self.places(before, after), first=before == 0))
                for after in ends
                if not before & ~after and before != after and (after == self.full or self.lanes(after))
            ]
            for cut in cuts:
                done = self._done(cut, before)
                for after, fullness in room:
                    if fullness <= 1:
                        _keep(found.setdefault(after, []), self._with_board(cut, done, before, after, fullness))
        return found

    def _done(self, cut: _Cut, before: int) -> dict[str, float]:
        """When each tensor would be there if all that is left were on the next board.

        Of a stream, how much later it is there for the links' latencies, and a process for each one before it.
        """
        there = dict(zip(self.live(before), cut.there, strict=True))
        for place in self.places(before, self.full):
            block = self.design.blocks[place]
            now = max((there.get(name, 0.0) for name in block.inputs), default=0.0)
            there[block.output] = (
                now if self.walk.streams else now + self.walk.takes(block, self.target, self.costs[place])
            )
        return there

    def _with_board(self, cut: _Cut, done: dict[str, float], before: int, after: int, fullness: float) -> _Cut:
        """A partial cut with the layers between two closed sets on the next board."""
        latest = cut.latest
        for place in self.places(before, after):
            process = self.walk.begins(place, self.target) if self.walk.streams else 0.0
            latest = max(latest, done[self.design.blocks[place].output] + process)
        lanes = 0 if after == self.full else self.lanes(after)
        turn = self.turn(after, lanes)
        delay = self.wanted.link.latency_cycles(self.target.period_ns) + (0 if self.walk.streams else turn)
        return _Cut(
            chain=(*cut.chain, after),
            there=tuple(done.get(name, 0.0) + delay for name in self.live(after)),
            latest=latest,
            turn=max(cut.turn, turn) if self.walk.streams else 0,
            fullest=max(cut.fullest, fullness),
            words=cut.words + sum(self.words(after)),
        )

    def _why_not(self) -> L1emuError:
        """Why there is no cut."""
        wanted, part = self.wanted, self.target.part.name
        names = layer_names(self.design)
        if wanted.boards is not None and wanted.boards > len(self.units):
            return L1emuError(
                "more boards than layers", where="--boards", value=wanted.boards, expected=f"{len(self.units)} or fewer"
            )
        for i, unit in enumerate(self.units):
            text = self.area.beyond(unit, first=i == 0)
            if text:
                return L1emuError(
                    f"this layer alone does not fit {part}: {text}",
                    where=f"layer {names[unit[0]]}",
                    expected="a larger part, a larger reuse factor or fewer copies",
                )
        inner = [one for one in self.sets if one not in (0, self.full)]
        if inner and not any(self.lanes(one) for one in inner):
            lanes = wanted.lanes or MOST_LANES
            closed = min(inner, key=lambda one: self.turn(one, lanes))
            return L1emuError(
                f"a link slower than the interval wherever the network is cut: {sum(self.words(closed))} words of "
                f"{wanted.link.word_bits} bits, {self.turn(closed, lanes)} cycles an input, at the least",
                where="--link-gbps",
                value=f"{lanes} x {wanted.link.gbps} Gb/s",
                expected=f"{self.interval} cycles or less: more lanes, a faster link or a longer interval",
            )
        fewest = None if wanted.boards is None else self.search(None)
        if fewest is not None:
            number = len(fewest.chain) - 1
            return L1emuError(
                "the network does not fit so many boards" if number > (wanted.boards or 0) else "no such cut",
                where="--boards",
                value=wanted.boards,
                expected=f"{number} boards of {part}",
            )
        return L1emuError(
            f"no cut fits boards of {part} with links that keep up", expected="a larger part, more lanes or more reuse"
        )


def _keep(kept: list[_Cut], cut: _Cut) -> None:
    """Keep a partial cut unless another is as good in everything, and drop those that it is as good as."""
    if any(one.as_good_as(cut) for one in kept):
        return
    kept[:] = [one for one in kept if not cut.as_good_as(one)]
    kept.append(cut)
