"""What of a network crosses from board to board: its tensors, the links that they take, and their words."""

from __future__ import annotations

import difflib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from l1emu.errors import L1emuError
from l1emu.latency.estimate.design import Design
from l1emu.latency.estimate.model import Transfer
from l1emu.latency.partition import BoardLink, Partition


def layer_names(design: Design) -> tuple[str, ...]:
    """The names of a design's blocks, in the order of the calls; a second one of a name is called `name#2`."""
    seen: dict[str, int] = {}
    names = []
    for block in design.blocks:
        seen[block.name] = seen.get(block.name, 0) + 1
        names.append(block.name if seen[block.name] == 1 else f"{block.name}#{seen[block.name]}")
    return tuple(names)


def tensor_bits(design: Design) -> dict[str, int]:
    """Bits of every tensor that a block writes or reads: its numbers times the width of their type."""
    bits: dict[str, int] = {}
    for block in design.blocks:
        for name in block.inputs:
            bits.setdefault(name, block.n_in * block.width_in)
        bits[block.output] = block.n_out * block.width_out
    return bits


def units(design: Design) -> tuple[tuple[int, ...], ...]:
    """The places of blocks that stay on one board: single ones, and the two cells of a bidirectional layer.

    These write the halves of one tensor, the first as `tensor/forward`.
    """
    found: list[tuple[int, ...]] = []
    halves: dict[str, int] = {}
    for place, block in enumerate(design.blocks):
        whole, _, half = block.output.rpartition("/")
        if half == "forward" and whole:
            halves[whole] = place
        elif block.output in halves:
            first = (halves.pop(block.output),)
            found[found.index(first)] = (*first, place)
            continue
        found.append((place,))
    return tuple(found)


def makers(design: Design) -> dict[str, int]:
    """The place of the block that writes each tensor; what is in none comes from outside."""
    return {block.output: place for place, block in enumerate(design.blocks)}


@dataclass(frozen=True)
class Flows:
    """A partition held against a design.

    Attributes
    ----------
    board_of
        The board of each block, by its place in `Partition.boards`.
    ways
        The links that a tensor takes to a block that reads it, by tensor and place of the block; none if it is there.
    carried
        The tensors that each link carries for one input, in the order in which they are made.
    """

    board_of: tuple[int, ...]
    ways: Mapping[tuple[str, int], tuple[int, ...]]
    carried: tuple[tuple[str, ...], ...]

    def cycles(self, links: Sequence[BoardLink], bits: Mapping[str, int], period_ns: float) -> list[dict[str, int]]:
        """The cycles for which each tensor takes each link."""
        return [
            {name: link.cycles(link.words(bits[name]), period_ns) for name in names}
            for link, names in zip(links, self.carried, strict=True)
        ]

    def transfers(
        self, links: Sequence[BoardLink], bits: Mapping[str, int], period_ns: float
    ) -> dict[tuple[str, int], Transfer]:
        """What each tensor takes to each block that reads it: on each link the turn of all that the link carries."""
        turns = [sum(one.values()) for one in self.cycles(links, bits, period_ns)]
        delays = [link.latency_cycles(period_ns) for link in links]
        return {
            key: Transfer(tuple(turns[link] for link in way), sum(delays[link] for link in way))
            for key, way in self.ways.items()
            if way
        }


def flows(design: Design, partition: Partition) -> Flows:
    """Hold a partition against a design.

    Raises
    ------
    L1emuError
        if a layer is unknown, on two boards or on none, if a tensor is used where no link leads, or if boards wait
        for each other.
    """
    board_of = _assigned(design, partition)
    boards, links = [board.name for board in partition.boards], partition.links
    onward: dict[int, list[tuple[int, int]]] = {}
    for number, link in enumerate(links):
        onward.setdefault(boards.index(link.sender), []).append((boards.index(link.receiver), number))
    made = makers(design)
    names = layer_names(design)
    ways: dict[tuple[str, int], tuple[int, ...]] = {}
    carried: list[dict[str, None]] = [{} for _ in links]
    for place, block in enumerate(design.blocks):
        for tensor in block.inputs:
            maker = made.get(tensor)
            begin, end = 0 if maker is None else board_of[maker], board_of[place]
            way = _way(onward, begin, end)
            if way is None:
                origin = "an input of the network" if maker is None else f"layer {names[maker]!r}"
                raise L1emuError(
                    f"the tensor {tensor!r} of {origin} on board {boards[begin]!r} is used by layer {names[place]!r} "
                    f"on board {boards[end]!r}, and no link leads there",
                    where="links",
                    expected=f"a link from {boards[begin]} to {boards[end]}, or over other boards",
                )
            ways[tensor, place] = way
            for number in way:
                carried[number][tensor] = None
    order = {name: place for place, name in enumerate(made)}
    kept = tuple(tuple(sorted(names, key=lambda name: order.get(name, -1))) for names in carried)
    _refuse_circle(boards, [(link.sender, link.receiver) for link, names in zip(links, kept, strict=True) if names])
    return Flows(board_of, ways, kept)


def _assigned(design: Design, partition: Partition) -> tuple[int, ...]:
    """The board of each block."""
    names = layer_names(design)
    found: dict[str, int] = {}
    for number, board in enumerate(partition.boards):
        for name in board.layers:
            where = f"boards.{number}.layers"
            if name not in names:
                close = difflib.get_close_matches(name, names, n=1)
                hint = f"{close[0]!r}, perhaps" if close else f"one of {', '.join(names)}"
                raise L1emuError("unknown layer", where=where, value=name, expected=hint)
            if name in found:
                other = partition.boards[found[name]].name
                raise L1emuError(
                    "a layer assigned twice", where=where, value=name, expected=f"it once; it is on {other!r} already"
                )
            found[name] = number
    left = [name for name in names if name not in found]
    if left:
        raise L1emuError("a layer on no board", where="boards", value=left[0], expected="every layer on one board")
    for unit in units(design):
        if len({found[names[place]] for place in unit}) > 1:
            raise L1emuError(
                "the two cells of a bidirectional layer on two boards",
                where="boards",
                value=names[unit[0]],
                expected=f"it and {names[unit[1]]} on one board",
            )
    return tuple(found[name] for name in names)


def _way(onward: Mapping[int, Sequence[tuple[int, int]]], begin: int, end: int) -> tuple[int, ...] | None:
    """The fewest links from one board to another, the first of them in the file's order; None if there are none."""
    ways: dict[int, tuple[int, ...]] = {begin: ()}
    waiting = deque([begin])
    while waiting and end not in ways:
        board = waiting.popleft()
        for receiver, link in onward.get(board, ()):
            if receiver not in ways:
                ways[receiver] = (*ways[board], link)
                waiting.append(receiver)
    return ways.get(end)


def _refuse_circle(boards: Sequence[str], used: Iterable[tuple[str, str]]) -> None:
    """Refuse boards that wait for each other."""
    onward: dict[str, list[str]] = {}
    for sender, receiver in used:
        onward.setdefault(sender, []).append(receiver)
    done: set[str] = set()

    def visit(board: str, above: tuple[str, ...]) -> None:
        if board in above:
            circle = [*above[above.index(board) :], board]
            raise L1emuError(
                "a cycle between boards",
                where="boards",
                value=" to ".join(circle),
                expected="layers such that data never comes back to a board",
            )
        if board not in done:
            for receiver in onward.get(board, ()):
                visit(receiver, (*above, board))
            done.add(board)

    for board in boards:
        visit(board, ())
