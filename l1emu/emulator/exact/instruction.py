"""Instructions of the exact kernels: operands declared once, by name, and their places in the code.

An instruction declares its operands as a NamedTuple class whose fields have one of the kinds of operand below:

>>> class Double(NamedTuple):
...     x: Row
...     y: Row
...     result: Cast

`offsets` gives the place of each behind the opcode. A kernel that reads ``code[p + DOUBLE.y]`` counts nothing, and
numba compiles it to a constant:

>>> DOUBLE = offsets(Double)
>>> DOUBLE
Double(x=1, y=2, result=3)

`encoded_operands` lays values out in this order and refuses one that is missing, unknown or of another length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_type_hints

from l1emu.arraytypes import Ints
from l1emu.emulator.interval import Sum

STEP, SUM, ROUNDED = int(Sum.STEP), int(Sum.ANY_ORDER), int(Sum.ROUNDED)
"""How a sum is computed, for compiled code."""

Words = int | tuple[int, ...]
"""What is given for an operand: an integer, or those of a block."""

_O = TypeVar("_O", bound=tuple[Any, ...])


class CastBlock(NamedTuple):
    """A cast; see `l1emu.emulator.exact.casts.cast_code`."""

    rounding: int
    shift: int
    overflow: int
    low: int
    high: int


class IndexBlock(NamedTuple):
    """The way from a number to a table's index; see `l1emu.emulator.affine.index_code`."""

    factor: int
    divide: int
    shift: int


Row = int
"""The first row of a tensor, or of a temporary one."""
Table = int
"""A place in the table."""
Number = int
"""Any other integer."""
Cast = Annotated[int, CastBlock]
Index = Annotated[int, IndexBlock]


@cache
def operand_words(declaration: type[tuple[Any, ...]]) -> dict[str, int]:
    """The length of each operand that a NamedTuple class declares, in its order.

    Raises
    ------
    TypeError
        if a field has a type that is no kind of operand.
    """
    hints = get_type_hints(declaration, include_extras=True)
    return {name: _length(declaration, name, hints[name]) for name in declaration._fields}  # type: ignore[attr-defined]


def _length(declaration: type, name: str, kind: object) -> int:
    if kind is int:
        return 1
    base, *more = get_args(kind) or (None,)
    if base is not int or len(more) != 1:
        raise TypeError(f"{declaration.__name__}.{name} is no kind of operand: {kind}")
    return sum(operand_words(more[0]).values())


def offsets(declaration: type[_O], *, first: int = 1) -> _O:
    """The place of each operand: behind the opcode, or from 0 on for the parts of a block.

    Parameters
    ----------
    declaration
        A NamedTuple class of kinds of operand.
    first
        The place of the first one.

    Returns
    -------
    An instance of `declaration` with the offsets as its values.
    """
    places = {}
    for name, length in operand_words(declaration).items():
        places[name] = first
        first += length
    return declaration(**places)


def encoded_operands(declaration: type[tuple[Any, ...]], given: Mapping[str, Words]) -> tuple[int, ...]:
    """The values of a declaration's operands one after another.

    Raises
    ------
    TypeError
        if one is missing, unknown, or has another length than its kind.
    """
    lengths = operand_words(declaration)
    if wrong := set(lengths) ^ set(given):
        raise TypeError(f"operands of {declaration.__name__} that are missing or unknown: {', '.join(sorted(wrong))}")
    code: list[int] = []
    for name, length in lengths.items():
        value = given[name]
        values = value if isinstance(value, tuple) else (value,)
        if len(values) != length:
            raise TypeError(f"operand {name} of {declaration.__name__} has {len(values)} integers, not {length}")
        code.extend(map(int, values))
    return tuple(code)


@dataclass(frozen=True)
class Instruction:
    """An instruction: where its operands are, and the kernel ``(work, table, lanes, code, p)`` that executes it.

    Attributes
    ----------
    at
        What `offsets` gives of its declaration, which is the type of this.
    kernel
        A function compiled with `l1emu.emulator.cache.inner`, at the top of its module.
    """

    at: tuple[Any, ...]
    kernel: Callable[[Ints, Ints, int, Ints, int], None]

    @property
    def name(self) -> str:
        """The kernel's name."""
        return self.kernel.__name__

    @property
    def module(self) -> str:
        """The module that has the kernel."""
        return self.kernel.__module__


CAST = offsets(CastBlock, first=0)
INDEX = offsets(IndexBlock, first=0)
