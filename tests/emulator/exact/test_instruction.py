"""Operands are declared once, by name: their places follow, and nothing may be left out."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import pytest

from l1emu.emulator.exact.instruction import (
    Cast,
    Index,
    IndexBlock,
    Number,
    Row,
    encoded_operands,
    offsets,
    operand_words,
)
from l1emu.emulator.kinds import INSTRUCTIONS


class Inner(NamedTuple):
    size: Number
    to_index: Index


class Operands(NamedTuple):
    x: Row
    block: Annotated[int, Inner]
    y: Row
    result: Cast


class NoOperand(NamedTuple):
    x: Row
    y: float


CAST_OF_SEVEN = (1, 7, 2, -64, 63)


def test_each_operand_starts_where_the_one_before_it_ends() -> None:
    assert operand_words(Operands) == {"x": 1, "block": 4, "y": 1, "result": 5}
    assert offsets(Operands) == (1, 2, 6, 7)  # behind the opcode
    assert offsets(Inner, first=0) == (0, 1)
    assert offsets(IndexBlock, first=0) == (0, 1, 2)


def test_values_lie_where_the_offsets_say() -> None:
    code = (99, *encoded_operands(Operands, {"result": CAST_OF_SEVEN, "y": 6, "x": 5, "block": (3, 4, 8, 9)}))
    at = offsets(Operands)
    assert [code[at.x], code[at.block], code[at.y]] == [5, 3, 6]
    assert code[at.result :] == CAST_OF_SEVEN


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"x": 1, "block": (1, 2, 3, 4), "y": 2}, "missing or unknown: result"),
        ({"x": 1, "block": (1, 2, 3, 4), "y": 2, "result": CAST_OF_SEVEN, "z": 3}, "missing or unknown: z"),
        ({"x": 1, "block": (1, 2, 3, 4), "y": 2, "result": 7}, "operand result of Operands has 1 integers, not 5"),
        ({"x": (1, 2), "block": (1, 2, 3, 4), "y": 2, "result": CAST_OF_SEVEN}, "operand x of Operands has 2"),
    ],
)
def test_a_wrong_operand_is_refused_by_name(given: dict[str, int | tuple[int, ...]], told: str) -> None:
    with pytest.raises(TypeError, match=told):
        encoded_operands(Operands, given)


def test_a_field_that_is_no_operand_is_refused() -> None:
    with pytest.raises(TypeError, match=r"NoOperand\.y is no kind of operand"):
        operand_words(NoOperand)


def test_every_instruction_has_a_declaration_and_a_kernel_of_its_own() -> None:
    assert len({type(instruction.at) for instruction in INSTRUCTIONS}) == len(INSTRUCTIONS)
    assert len({instruction.name for instruction in INSTRUCTIONS}) == len(INSTRUCTIONS)
    for instruction in INSTRUCTIONS:
        assert instruction.at == offsets(type(instruction.at))
