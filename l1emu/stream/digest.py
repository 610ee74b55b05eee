"""The digest of a run: one hash of every time stamp, fate and verdict, the same for both engines and any batch size.

For each colliding crossing in order, the numbers of each of its jets, then its own, are weighted and summed modulo 2⁶⁴,
and each sum is folded into the hash. The weights are odd numbers from SplitMix64. It tells runs apart; it is no
cryptographic hash.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from l1emu.compiled import inlined, kernel
from l1emu.splitmix import numbers

JET_STAMPS = 5
"""Of a jet: found, queued, started, tagged, fate."""
_MOST_STAMPS = 256


DIGEST_WEIGHTS = numbers(0, _MOST_STAMPS) | np.uint64(1)
with np.errstate(over="ignore"):
    NO_STAMPS = -(DIGEST_WEIGHTS[0] + DIGEST_WEIGHTS[1] + DIGEST_WEIGHTS[2] + DIGEST_WEIGHTS[3])
"""The sum of the weighted time stamps of a jet that has none."""


@inlined
def folded(state: np.uint64, word: np.uint64) -> np.uint64:
    """The hash after one more word."""
    state = (state ^ word) * np.uint64(0x9FB21C651E98DF25)
    return state ^ (state >> np.uint64(32))


@kernel
def fold_rows(digest: npt.NDArray[np.uint64], rows: npt.NDArray[np.int64]) -> None:
    """Fold rows of numbers, shape (n, up to 256), into a hash, shape (1,): each row is one word."""
    for i in range(rows.shape[0]):
        word = np.uint64(0)
        for j in range(rows.shape[1]):
            word += np.uint64(rows[i, j]) * DIGEST_WEIGHTS[j]
        digest[0] = folded(digest[0], word)
