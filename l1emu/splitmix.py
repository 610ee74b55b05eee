"""SplitMix64: numbers that look random, from a counter, alike in compiled and in numpy code.

Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014; the constants are those of Vigna's
reference, https://prng.di.unimi.it/splitmix64.c. The generator's n-th number, counted from 0, is a function of its seed
and n alone, `mix(seed + (n + 1) * GOLDEN)`, so that nothing has to be drawn in order.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

_Words = TypeVar("_Words", np.uint64, npt.NDArray[np.uint64])

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""What the generator's state grows by: 2⁶⁴ over the golden ratio, made odd."""


def mix(state: _Words) -> _Words:
    """The number of one state, or of each of an array's: uint64 arithmetic, modulo 2⁶⁴.

    numpy warns of a single number that wraps, not of an array's; compiled (`l1emu.compiled.inlined`) nothing does.
    """
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def numbers(seed: int, count: int) -> npt.NDArray[np.uint64]:
    """The first numbers of the generator that starts at a seed, which counts modulo 2⁶⁴: uint64, shape (count,)."""
    first = np.asarray([seed % (1 << 64)], np.uint64)
    return mix(first + np.arange(1, count + 1, dtype=np.uint64) * GOLDEN)
