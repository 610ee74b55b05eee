"""Where a network is cut: against all ways to deal its layers to boards."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l1emu.errors import L1emuError
from l1emu.latency.estimate import CutGoal, Design, estimate, estimate_boards, propose
from l1emu.latency.estimate.boards import BoardsEstimate
from l1emu.latency.partition import BoardLink, Partition
from tests.latency.drawn_designs import CLOCK, PART, block, designs

LINK = BoardLink.model_validate(
    {"from": "a", "to": "b", "gbps": 25.0, "latency_ns": 20.0, "source": "made up", "status": "unverified"}
)


def every_cut(design: Design, wanted: CutGoal) -> list[BoardsEstimate]:
    """All dealings of the layers to so many boards in a row whose links keep up and whose boards hold their share."""
    assert wanted.boards is not None and wanted.lanes is not None
    made = {one.output: number for number, one in enumerate(design.blocks)}
    found = []
    for owner in product(range(wanted.boards), repeat=len(design.blocks)):
        forward = all(
            owner[made[name]] <= mine
            for one, mine in zip(design.blocks, owner, strict=True)
            for name in one.inputs
            if name in made
        )
        if not forward or len(set(owner)) != wanted.boards:
            continue
        names = [f"b{number}" for number in range(wanted.boards)]
        link = LINK.model_copy(update={"lanes": wanted.lanes})
        cut = Partition.model_validate(
            {
                "name": "all",
                "boards": [
                    {
                        "name": name,
                        "layers": [one.name for one, mine in zip(design.blocks, owner, strict=True) if mine == i],
                    }
                    for i, name in enumerate(names)
                ],
                "links": [link.model_dump(by_alias=True) | {"from": a, "to": b} for a, b in pairwise(names)],
            }
        )
        try:
            whole = estimate_boards(design, cut)
        except L1emuError:
            continue
        if all(fullness(one.estimate.implemented, wanted) <= 1 for one in whole.boards):
            found.append(whole)
    return found


def fullness(implemented: dict[str, tuple[int, int, int]], wanted: CutGoal) -> float:
    offered = {"DSP": 12288, "LUT": 1728000, "FF": 3456000, "BRAM_18K": 5376}
    return max(implemented[name][1] * wanted.copies / (offered[name] * wanted.fill) for name in offered)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_no_dealing_is_faster_than_the_cut_that_is_found(data: st.DataObject) -> None:
    design = data.draw(designs(most=6))
    boards = data.draw(st.integers(1, min(3, len(design.blocks))))
    whole = fullness(estimate(design).implemented, CutGoal(1, LINK))
    fill = min(1.0, max(1e-6, whole * data.draw(st.sampled_from([0.4, 0.7, 1.1]))))
    wanted = CutGoal(boards, LINK, lanes=data.draw(st.sampled_from([1, 3, 8])), fill=fill)
    possible = every_cut(design, wanted)
    if not possible:
        with pytest.raises(L1emuError):
            propose(design, wanted, name="none")
        return
    found = propose(design, wanted, name="found")
    assert found.exact
    best = estimate_boards(design, found.partition)
    assert best.latency_cycles == min(one.latency_cycles for one in possible)
    assert len(best.boards) == boards
    assert all(fullness(one.estimate.implemented, wanted) <= 1.001 for one in best.boards)


def many(layers: int, reuse: int = 4) -> Design:
    blocks = [block(f"l{i}", "dense", (f"l{i - 1}_out" if i else "x",), 30, 12, reuse) for i in range(layers)]
    return Design("top", "io_parallel", "pipeline", tuple(blocks), "made up", "Vitis", PART, CLOCK)


def test_the_fewest_boards_that_hold_it() -> None:
    design = many(40)
    whole = fullness(estimate(design).implemented, CutGoal(1, LINK))
    found = propose(design, CutGoal(None, LINK, fill=whole / 3.5), name="four")
    assert len(found.partition.boards) == 4 and found.exact and found.sets == 41
    with pytest.raises(L1emuError, match="does not fit so many boards: got 3; expected 4 boards of xcvu13p"):
        propose(design, CutGoal(3, LINK, fill=whole / 3.5), name="three")


def test_a_cut_avoids_many_words() -> None:
    design = many(6)
    narrow = replace(design, blocks=tuple(replace(one, n_out=2) if one.name == "l2" else one for one in design.blocks))
    found = propose(narrow, CutGoal(2, LINK, lanes=3), name="two")
    assert found.partition.boards[0].layers == ["l0", "l1", "l2"]


def test_lanes_are_the_fewest_that_keep_up() -> None:
    design = many(4)
    found = propose(design, CutGoal(2, LINK), name="two")
    (link,) = found.partition.links
    assert estimate_boards(design, found.partition).links[0].turn_cycles <= 4
    slower = found.partition.model_copy(update={"links": [link.model_copy(update={"lanes": link.lanes - 1})]})
    assert link.lanes > 1
    with pytest.raises(L1emuError, match="slower than the interval"):
        estimate_boards(design, slower)


def test_a_network_with_too_many_branches_is_cut_along_its_calls() -> None:
    wide = [block(f"l{i}", "dense", ("x",), 30, 12, 4) for i in range(12)]
    last = block("sum", "merge", tuple(one.output for one in wide), 30, 12, 1)
    design = Design("top", "io_parallel", "pipeline", (*wide, last), "made up", "Vitis", PART, CLOCK)
    found = propose(design, CutGoal(2, LINK), name="two")
    assert not found.exact and found.sets == 14
