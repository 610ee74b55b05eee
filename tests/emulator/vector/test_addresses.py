"""Places in the text of kernels: shorter, and the same."""

from __future__ import annotations

import re

import numpy as np
import pytest

from l1emu.emulator.vector.addresses import shortened

_KERNEL = """(V, C, x, y, w, scratch):
    for t in range(3):
        a = load(V, x + 0 + (t * 2 + 0) * 6 + 0)
        b = load(V, x + 0 + (t * 2 + 1) * 6 + 5)
        for o in range(0, 4, 2):
            store(V, y + t * 4 + (o + 1), w + 0 + (o * 4 + 1) * 6 + 3)
            store(V, y + t * 4 + (o + 0), w + 0 + (o * 4 + 2) * 6 + 3)
            at = C[x + 2 - 1 + o]
            store(V, scratch + at * 3 + 2 * 5, (x + 1) // 2 + o % 2 - (3 - t))
            store(V, 2 * (x - 4) - x - x, t - t)
    for t in range(2):
        store(V, y + t * 5, x + t * 7)
        store(V, y + t * 5 + 1, x + 7 * t)"""


def _trace(kernel: str) -> list[tuple[int, ...]]:
    """All that a kernel loads and stores."""
    found: list[tuple[int, ...]] = []
    space = {"load": lambda V, at: found.append((at,)), "store": lambda V, at, value: found.append((at, value))}
    exec("def kernel" + kernel, space)
    space["kernel"](None, np.arange(100).tolist(), 10, 1000, 70, 5000)  # type: ignore[operator]
    return found


def test_places_are_those_that_were_written() -> None:
    assert _trace(shortened(_KERNEL)) == _trace(_KERNEL)
    assert len(_trace(_KERNEL)) > 20


def test_what_places_have_in_common_is_named_where_its_loop_begins() -> None:
    short = shortened(_KERNEL)
    assert short.startswith("(V, C, x, y, w, scratch):\n    for t in range(3):\n        x_t = x + t * 12\n")
    assert "load(V, x_t + 11)" in short
    assert "store(V, y_o_t + 1, w_o + 9)" in short
    assert "store(V, -8, 0)" in short


def test_a_name_that_is_taken_is_not_given() -> None:
    kernel = """(V, x, x_t):
    for t in range(2):
        store(V, x + t * 2, x_t)
        store(V, x + t * 2 + 1, x_t)"""
    short = shortened(kernel)
    assert re.search(r"x_t_\d+ = x \+ t \* 2", short)


@pytest.mark.parametrize("assigned", ["x = x + 1", "x += 1", "for t, x in C:\n        pass"])
def test_names_that_change_are_left_alone(assigned: str) -> None:
    kernel = f"""(V, C, x):
    {assigned}
    store(V, x + 0 + 2 * 3, 1)"""
    assert "x + 0 + 6" in shortened(kernel) or "x + 0 + 2 * 3" in shortened(kernel)
