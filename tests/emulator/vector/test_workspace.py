"""Vectors are taken again only for what is never needed in one stage."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from l1emu.emulator.vector.workspace import Workspace

Script = list[tuple[list[int], list[int]]]
# of every stage: sizes that are taken, and which of the former ones are used, the last forever
stages = st.lists(
    st.tuples(st.lists(st.integers(0, 9), max_size=3), st.lists(st.integers(0, 30), max_size=3)),
    min_size=1,
    max_size=12,
)


def play(script: Script, workspace: Workspace) -> tuple[list[tuple[int, int]], list[set[int]]]:
    taken: list[tuple[int, int]] = []  # place and size
    used: list[set[int]] = []  # of each the stages in which it is used
    for stage, (sizes, uses) in enumerate(script):
        workspace.stage = stage
        for size in sizes:
            taken.append((workspace.take(size), size))
            used.append({stage})
        for use in uses:
            if use < len(taken):
                workspace.use(taken[use][0])
                used[use].add(stage)
    if taken:
        workspace.use(taken[-1][0], forever=True)
        used[-1].add(10**9)
    return taken, used


@given(script=stages)
def test_what_is_needed_together_does_not_overlap(script: Script) -> None:
    learned = Workspace()
    apart, used = play(script, learned)
    packed = Workspace(learned.packed())
    taken, _used = play(script, packed)
    assert [size for _at, size in taken] == [size for _at, size in apart]
    for i, (a, size_a) in enumerate(taken):
        for j, (b, size_b) in enumerate(taken[:i]):
            together = min(used[i]) <= max(used[j]) and min(used[j]) <= max(used[i])
            if together and size_a and size_b:
                assert a + size_a <= b or b + size_b <= a
    assert packed.size == max((at + size for at, size in taken), default=0) <= learned.size


def test_a_chain_needs_room_for_two() -> None:
    learned = Workspace()
    for number in range(9):
        learned.stage = number
        if number:
            learned.use((number - 1) * 4)
        assert learned.take(4) == number * 4
    assert max(learned.packed()) == 4
