"""Every operation for one jet gives the bits that the vector operation means in that jet's lane."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from l1emu.emulator.cuda.ops import LANE_OPS
from l1emu.emulator.vector.llvm import OPERATIONS, Lanes
from tests.emulator.vector.test_ops import APART, CASES, DRAWN, INT16, beside, grid, source

MIXED = {"saturated_bytes", "words_of_planes"}  # they mix the lanes, and are looked at together
FORM = re.compile(r"_(wide|plain|avx2|avx512|vnni)$")


def plain(name: str) -> str:
    """What kernels call a form of an operation."""
    return FORM.sub("", name)


def test_every_operation_has_its_form_for_one_jet() -> None:
    assert {plain(name) for name in OPERATIONS} - {plain(name) for name in APART} <= set(LANE_OPS)


@pytest.mark.parametrize(
    "name", [name for name in CASES if name.partition(" ")[0] not in MIXED and plain(name) == name]
)
def test_one_jet_gives_its_lane(name: str) -> None:
    check(name)


def test_products_of_words_for_one_jet() -> None:
    check("dot16_plain")


def test_products_of_words_and_bytes_are_those_of_dp2a() -> None:
    """dp2a.lo.s32.s32: a word's two int16 times the two lower bytes of another, with their signs, in 32 bits."""
    acc, a, b = beside(*grid(INT16, np.int16, 2))
    a, b = np.concatenate([a, DRAWN]), np.concatenate([b & 0xFFFF, DRAWN[::-1]])
    acc = np.resize(acc, a.size)
    with np.errstate(over="ignore"):
        found = [LANE_OPS["dot16_bytes"](*numbers) for numbers in zip(acc, a, b, strict=True)]
    words, octets = a.view(np.int16).reshape(-1, 2).astype(np.int64), b.view(np.int8).reshape(-1, 4)
    right = acc + (words * octets[:, :2]).sum(axis=1)
    np.testing.assert_array_equal(found, right.astype(np.int32))


def check(name: str) -> None:
    case = CASES[name]
    arrays = case.arrays()
    text = source(case, len(arrays))
    calls = len(case.calls)
    wanted = np.zeros(calls * arrays[0].size, np.int32)
    run(text, {n: o.meaning for n, o in OPERATIONS.items()}, arrays, case.table, wanted)
    lane = {**LANE_OPS, "dot16_plain": LANE_OPS["dot16"]}
    text = text.replace("A.size // 16", "A.size").replace("out[16 * at]", "out[at]")
    for j in range(16):
        if "broadcast(A" in text and j:
            break  # its elements are those of the whole array
        own = [np.ascontiguousarray(array.reshape(-1, 16)[:, j]) for array in arrays]
        if "broadcast(A" in text:
            own = [array[: array.size // 16] for array in arrays]
        found = np.zeros(calls * own[0].size, np.int32)
        run(text, lane, own, case.table, found)
        right = wanted.reshape(-1, 16)[:, 0 if name == "highest" else j]
        if name == "highest":
            right = found if j else np.array([own[0].max()])[:0]
            assert found.tolist() == own[0].tolist()
            continue
        np.testing.assert_array_equal(found, right)


def run(text: str, space: dict[str, Any], arrays: list[Lanes], table: Lanes, out: Lanes) -> None:
    space = dict(space)
    exec(text, space)
    with np.errstate(over="ignore"):
        space["run"](*arrays, table, out)


def test_words_of_one_jet_go_through_bytes_and_come_back() -> None:
    both = LANE_OPS["saturated_bytes"](np.int32(-70000), np.int32(300 << 16 | 17))
    low, high = (LANE_OPS["words_of_planes"](both, np.int32(fill), half) for fill, half in ((0, 0), (-1, 1)))
    assert np.array([low, high]).view(np.uint16).tolist() == [0, 0, 0xFF00 + 17, 0xFFFF]
