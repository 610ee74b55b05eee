"""Instructions, tables and rows of the workspace, collected while a firmware's layers are lowered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.exact.casts import NO_CAST, cast_code
from l1emu.emulator.exact.instruction import Words, encoded_operands
from l1emu.emulator.interval import Interval, Ranges, low_of, rounded
from l1emu.errors import L1emuError
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Layer, Tensor


@dataclass(frozen=True)
class Program:
    """What the exact kernels execute.

    Attributes
    ----------
    code, starts
        Instructions as int64, and where each starts.
    layers
        The name of the layer of each instruction.
    table
        Weights and lookup tables, int64.
    rows
        Rows of the workspace: one feature of all jets of a block each. The inputs come first, one after another.
    results, out_rows
        The tensors that come out, and the row of each of their elements, one tensor after another.
    row
        The first row of every tensor by name, while it is needed.
    """

    code: NDArray[np.int64]
    starts: NDArray[np.int64]
    layers: tuple[str, ...]
    table: NDArray[np.int64]
    rows: int
    inputs: tuple[Tensor, ...]
    results: tuple[Tensor, ...]
    out_rows: NDArray[np.int64]
    row: dict[str, int]


class _Rows:
    """Rows of the workspace: first fit, given back when the last reader is done."""

    def __init__(self) -> None:
        self.size = 0
        self._free: list[tuple[int, int]] = []

    def take(self, n: int) -> int:
        """The first of `n` rows."""
        for k, (first, length) in enumerate(self._free):
            if length >= n:
                self._free[k : k + 1] = [(first + n, length - n)] if length > n else []
                return first
        first = self.size
        self.size += n
        return first

    def give(self, first: int, n: int) -> None:
        """Nobody reads the `n` rows from `first` on any more."""
        merged: list[tuple[int, int]] = []
        for start, length in sorted([*self._free, (first, n)]):
            if merged and merged[-1][0] + merged[-1][1] == start:
                merged[-1] = (merged[-1][0], merged[-1][1] + length)
            else:
                merged.append((start, length))
        self._free = merged


class Assembler:
    """Collects instructions, tables and rows while the layers are lowered one after another."""

    def __init__(self, ranges: Ranges, opcodes: Mapping[type, int]) -> None:
        self.ranges = ranges
        self._opcodes = opcodes
        self.rows = _Rows()
        self.row: dict[str, int] = {}  # first row of each tensor that is alive
        self.code: list[int] = []
        self.starts: list[int] = []
        self.layers: list[str] = []
        self._tables: list[NDArray[np.int64]] = []
        self._table_size = 0
        self._known: dict[bytes, int] = {}

    def table(self, values: NDArray[Any] | Sequence[int]) -> int:
        """The place of `values` in the table; equal arrays share it."""
        array = np.asarray(values)
        if array.dtype == object and array.size and not -(2**63) <= array.min() <= array.max() < 2**63:
            raise L1emuError("a table or weight needs more than 64 bits")
        flat = np.ascontiguousarray(array, dtype=np.int64).ravel()
        content = flat.tobytes()
        if content not in self._known:
            self._known[content] = self._table_size
            self._tables.append(flat)
            self._table_size += flat.size
        return self._known[content]

    def emit(self, layer: Layer, instruction: tuple[int, ...], **operands: Words) -> None:
        """Add one instruction of `layer`.

        Parameters
        ----------
        instruction
            The offsets of its operands, of the class that declares them.
        operands
            All of them by name: integers, and tuples of integers for casts and other blocks.

        Raises
        ------
        TypeError
            if an operand is missing, unknown, or has the wrong length.
        """
        declaration = type(instruction)
        self.starts.append(len(self.code))
        self.layers.append(layer.name)
        self.code += [self._opcodes[declaration], *encoded_operands(declaration, operands)]

    def tables(self) -> NDArray[np.int64]:
        """All tables one after another."""
        return np.concatenate([*self._tables, np.zeros(1, np.int64)])

    def cast(self, interval: Interval, fraction: int, type_: FixedPoint) -> tuple[int, ...]:
        """The cast of values in `interval` at `fraction` to `type_`, with no more work than they need."""
        inner = interval.map(lambda v: rounded(v, fraction, type_))
        code = cast_code(type_, fraction=fraction, overflows=not _within(inner, type_))
        if interval.lowest == interval.highest == 0:
            return NO_CAST
        return code


def _within(interval: Interval, type_: FixedPoint) -> bool:
    return interval.lowest >= low_of(type_) and interval.highest <= type_.high
