"""Arithmetic of words that several steps of the chain share: what few bits hold of a number, and turns of phi."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import kernel
from l1emu.events.hardware import HALF_TURN


@kernel
def signed_word(value: int, bits: int) -> int:
    """The lowest bits of a whole number, as a signed one: what a word of so many bits holds of it."""
    half = 1 << (bits - 1)
    signed: int = ((value + half) & ((1 << bits) - 1)) - half
    return signed


def phi_words(phi: NDArray[np.int64]) -> NDArray[np.int64]:
    """Angles in steps of pi/720, brought into (-720, 720], as the correlator's words of phi are."""
    return HALF_TURN - (HALF_TURN - phi) % (2 * HALF_TURN)
