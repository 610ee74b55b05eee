from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from l1emu.stream.rules import TriggerRules

RUN_3 = ((1, 3), (2, 25), (3, 100), (4, 240))


def accepted_of(rules: Any, candidates: Any) -> Any:
    state = TriggerRules(rules)
    accepted = []
    for crossing in candidates:
        if state.blocking(crossing) is None:
            state.accept(crossing)
            accepted.append(crossing)
    return accepted


def in_a_window(accepted: Any, first: Any, m: Any) -> Any:
    return sum(first <= a < first + m for a in accepted)


@given(st.lists(st.integers(0, 700), unique=True, max_size=150).map(sorted))
def test_no_window_holds_more_and_no_accept_was_refused_without_need(candidates: Any) -> None:
    accepted = accepted_of(RUN_3, candidates)
    for n, m in RUN_3:
        assert all(in_a_window(accepted, first, m) <= n for first in range(-m, 701))
    for refused in set(candidates) - set(accepted):
        before = [a for a in accepted if a < refused]
        assert any(in_a_window(before, refused - m + 1, m) >= n for n, m in RUN_3)


def test_the_edge_of_each_window() -> None:
    assert accepted_of(((1, 3),), [0, 2, 3, 5, 6]) == [0, 3, 6]
    assert accepted_of(((2, 25),), [0, 1, 24, 25, 26]) == [0, 1, 25, 26]
    assert accepted_of((), range(5)) == [0, 1, 2, 3, 4]


def test_the_run_3_rules_allow_667_khz_at_most() -> None:
    accepted = accepted_of(RUN_3, range(240 * 100))
    assert len(accepted) == 400
    assert 660 < len(accepted) / (240 * 100) * 40_079 < 670


def test_the_first_broken_rule_is_named() -> None:
    state = TriggerRules(RUN_3)
    for crossing in (0, 10):
        assert state.blocking(crossing) is None
        state.accept(crossing)
    assert (state.blocking(12), state.blocking(13), state.blocking(25)) == (0, 1, None)
