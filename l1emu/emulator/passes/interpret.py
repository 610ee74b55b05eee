"""The compiled loop that executes a program's instructions; it is written from the registry."""

from __future__ import annotations

import hashlib
from typing import Any

from numpy.typing import NDArray

from l1emu.arraytypes import Ints
from l1emu.emulator.cache import compiled, module_from_source
from l1emu.emulator.kinds import INSTRUCTIONS


def _interpreter_source() -> str:
    """A module with the function `instruction`, which executes the instruction at ``code[p]``.

    It holds all kernels by their names too.
    """
    lines = ['"""The exact kernels\' instructions, written by l1emu.emulator.passes.interpret."""', ""]
    lines += [f"from {instruction.module} import {instruction.name}" for instruction in INSTRUCTIONS]
    lines += ["from l1emu.emulator.cache import inner", "", "", "@inner"]
    lines += ["def instruction(work, table, lanes, code, p):", "    op = code[p]"]
    for opcode, instruction in enumerate(INSTRUCTIONS):
        lines += [f"    {'elif' if opcode else 'if'} op == {opcode}:"]
        lines += [f"        {instruction.name}(work, table, lanes, code, p)"]
    return "\n".join(lines) + "\n"


_SOURCE = _interpreter_source()
MODULE = module_from_source(f"l1emu_exact_{hashlib.sha256(_SOURCE.encode()).hexdigest()[:16]}", _SOURCE)
"""The module that `_interpreter_source` writes."""

_instruction = MODULE.instruction


def _execute(
    work: Ints, table: Ints, code: Ints, starts: Ints, lanes: int, raw: NDArray[Any], out: Ints, out_rows: Ints
) -> None:
    """Run all instructions on the jets of `raw`, `lanes` at a time.

    Parameters
    ----------
    work : int64 (rows * lanes,), zero at first
    table : int64, weights and lookup tables
    code, starts : int64, the instructions and where each starts
    raw : (jets, inputs) integers; column r goes to row r
    out : int64 (jets, outputs), filled
    out_rows : int64 (outputs,), the row of each column
    """
    jets, inputs = raw.shape
    for first in range(0, jets, lanes):
        n = min(lanes, jets - first)
        for r in range(inputs):
            for j in range(n):
                work[r * lanes + j] = raw[first + j, r]
            for j in range(n, lanes):
                work[r * lanes + j] = 0
        for k in range(starts.size):
            _instruction(work, table, lanes, code, starts[k])
        for r in range(out_rows.size):
            row = out_rows[r] * lanes
            for j in range(n):
                out[first + j, r] = work[row + j]


execute = compiled(_execute)
