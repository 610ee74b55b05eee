"""What a core can multiply and add at most, in the lanes that each layer needs."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from cputime import Measured, of_call

from l1emu.emulator.explain import Explanation
from l1emu.emulator.vector.features import features
from l1emu.emulator.vector.ops import add, load, mul, store
from l1emu.emulator.vector.ops_x86 import DOT16, dot8

LANES = ("bytes", "int16", "int32")
"""By how wide the factors are; products of 64 bits count as int32, which no processor does faster."""


def lanes_of(arithmetic: str) -> str:
    """The lanes that a layer is computed in, of its line in `Emulator.explain`."""
    return next((lanes for lanes in LANES if arithmetic.startswith(lanes)), "int32")


def spinning() -> dict[str, Measured]:
    """By lanes what measures CPU seconds a multiply-add, by the best instructions of this processor in registers."""
    target = features("simd")
    dot16 = DOT16[target.dot16]
    forms: dict[str, tuple[dict[str, Any], str, int]] = {
        "int16": ({"dot": dot16}, "dot({s}, a, b)", 32),
        "int32": (
            {"add": add, "mul": mul},
            "add(mul(a, {s}), b)",
            16,
        ),  # no form that a compiler sums up for several turns
    }
    forms["bytes"] = ({"dot": dot8}, "dot({s}, a, b)", 64) if target.dot8 else forms["int16"]
    return {name: _spin(*form) for name, form in forms.items()}


def paces() -> dict[str, float]:
    """Multiply-adds a second of CPU time, by lanes, at best."""
    return {name: 1 / min(measure() for _ in range(10)) for name, measure in spinning().items()}


def _spin(operations: dict[str, Any], form: str, products: int) -> Measured:
    accumulators, rounds = 12, 200_000
    lines = ["def spin(V, n):", "    a, b = load(V, 0), load(V, 1)"]
    lines += [f"    s{k} = load(V, {k})" for k in range(accumulators)]
    lines += ["    for _ in range(n):"]
    lines += [f"        s{k} = {form.format(s=f's{k}')}" for k in range(accumulators)]
    lines += [f"    store(V, {k}, s{k})" for k in range(accumulators)]
    space: dict[str, Any] = {"load": load, "store": store, **operations}
    exec(compile("\n".join(lines), "<ceiling>", "exec"), space)
    spin = numba.njit(space["spin"])
    vectors = np.ones(16 * accumulators, np.int32)
    return of_call(rounds * accumulators * products, lambda: spin(vectors, rounds))


def limit(explanation: Explanation, pace: dict[str, float]) -> float:
    """Seconds a jet that the products of all layers take at the pace of their lanes, and nothing else."""
    return sum(row.macs / pace[lanes_of(row.arithmetic)] for row in explanation.rows)


def limit_in_turn(explanation: Explanation) -> Measured:
    """The same, measured whenever it is called: what slows a program slows it too."""
    spins = spinning()
    return lambda: limit(explanation, {lanes: 1 / spin() for lanes, spin in spins.items()})
