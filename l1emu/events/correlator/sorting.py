"""The orders in which CMS's emulators leave equal words.

Tracks of 2 GeV and clusters of 1 GeV have few words of pt to share, so that what a full region keeps is often decided
among equals. Two orders occur beside that of an insertion: that of `std::sort` as GCC's library has it, which the
Ideal regionizer calls, and that of a network in two halves.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import in_place, kernel

INDEX_BITS = 32
"""A key is the word that is sorted by, and below it this many bits to say whose it is."""

_SHORT = 16  # what `std::sort` leaves to an insertion


@in_place
def _before(a: int, b: int) -> bool:
    """Whether `a` comes first: the larger word; whose it is does not count."""
    return (a >> INDEX_BITS) > (b >> INDEX_BITS)


@kernel
def sort_descending(keys: NDArray[np.int64]) -> None:
    """Sort `keys` (n,) in place, the largest word first, equal ones as `std::sort` leaves them.

    The introsort of GCC's library (`bits/stl_algo.h`): a quicksort about the median of three, a heapsort where that
    gets nowhere, one insertion over what is left.
    """
    if len(keys) > _SHORT:
        _quicksort(keys)
    for i in range(1, len(keys)):
        key = keys[i]
        j = i
        while j > 0 and _before(key, keys[j - 1]):
            keys[j] = keys[j - 1]
            j -= 1
        keys[j] = key


@kernel
def _quicksort(keys: NDArray[np.int64]) -> None:
    """Sort all but stretches of at most `_SHORT` keys."""
    depth = 0
    while (len(keys) >> (depth + 1)) > 0:
        depth += 1
    waiting = np.empty((2 * depth + 2, 3), np.int64)
    waiting[0] = 0, len(keys), 2 * depth
    n = 1
    while n > 0:
        n -= 1
        first, last, depth = waiting[n]
        while last - first > _SHORT:
            if depth == 0:
                _heapsort(keys[first:last])
                break
            depth -= 1
            cut = _partition(keys, first, last)
            waiting[n] = cut, last, depth
            n += 1
            last = cut


@in_place
def _swap(keys: NDArray[np.int64], i: int, j: int) -> None:
    key = keys[i]
    keys[i] = keys[j]
    keys[j] = key


@in_place
def _partition(keys: NDArray[np.int64], first: int, last: int) -> int:
    """Bring what precedes the median of three before the place that is returned, the rest behind it."""
    a, b, c = first + 1, first + (last - first) // 2, last - 1
    if _before(keys[a], keys[b]):
        median = b if _before(keys[b], keys[c]) else (c if _before(keys[a], keys[c]) else a)
    else:
        median = a if _before(keys[a], keys[c]) else (c if _before(keys[b], keys[c]) else b)
    _swap(keys, first, median)
    low, high = first + 1, last
    while True:
        while _before(keys[low], keys[first]):
            low += 1
        high -= 1
        while _before(keys[first], keys[high]):
            high -= 1
        if low >= high:
            return low
        _swap(keys, low, high)
        low += 1


@in_place
def _heapsort(keys: NDArray[np.int64]) -> None:
    n = len(keys)
    for parent in range((n - 2) // 2, -1, -1):
        _sift(keys, parent, n, keys[parent])
    for last in range(n - 1, 0, -1):
        key = keys[last]
        keys[last] = keys[0]
        _sift(keys, 0, last, key)


@in_place
def _sift(keys: NDArray[np.int64], hole: int, n: int, key: int) -> None:
    """Put `key` into the heap of the first `n` keys, at `hole` or below it: down to a leaf, and up again."""
    top = hole
    child = hole
    while child < (n - 1) // 2:
        child = 2 * (child + 1)
        if _before(keys[child], keys[child - 1]):
            child -= 1
        keys[hole] = keys[child]
        hole = child
    if n % 2 == 0 and child == (n - 2) // 2:
        child = 2 * (child + 1)
        keys[hole] = keys[child - 1]
        hole = child - 1
    parent = (hole - 1) // 2
    while hole > top and _before(keys[parent], key):
        keys[hole] = keys[parent]
        hole = parent
        parent = (hole - 1) // 2
    keys[hole] = key


# Networks of CMS's sorter (interface/common/bitonic_hybrid_sort_ref.h) for a few sizes: pairs, the larger goes first.
_NETWORKS = {
    2: ((0, 1),),
    3: ((0, 1), (1, 2), (0, 1)),
    4: ((0, 1), (2, 3), (0, 2), (1, 3), (1, 2)),
    5: ((0, 1), (2, 3), (1, 3), (2, 4), (0, 2), (1, 4), (1, 2), (3, 4), (2, 3)),
    6: ((0, 3), (1, 2), (0, 1), (2, 3), (4, 5), (0, 3), (1, 4), (2, 5), (0, 1), (2, 4), (3, 5), (1, 2), (3, 4)),
    12: (
        *((i, i + 1) for i in range(0, 12, 2)),
        *((i + k, i + k + 2) for i in range(0, 12, 4) for k in (0, 1)),
        *((0, 4), (1, 5), (2, 6), (7, 11), (9, 10), (1, 2), (6, 10), (5, 9), (4, 8), (3, 7), (2, 6), (1, 5), (0, 4)),
        *((9, 10), (7, 11), (3, 8), (1, 4), (7, 10), (2, 3), (5, 6), (8, 9), (2, 4), (3, 5), (6, 8), (7, 9), (3, 4)),
        *((5, 6), (7, 8)),
    ),
    13: (
        *((i, i + 1) for i in range(0, 12, 2)),
        *((i + k, i + k + 2) for i in range(0, 12, 4) for k in (0, 1)),
        *((0, 4), (1, 5), (2, 6), (3, 7), (8, 12), (0, 8), (1, 9), (2, 10), (3, 11), (4, 12), (1, 2), (3, 12), (7, 11)),
        *((4, 8), (5, 10), (6, 9), (1, 4), (2, 8), (6, 12), (3, 10), (5, 9), (2, 4), (3, 5), (6, 8), (7, 9), (10, 12)),
        *((3, 6), (5, 8), (7, 10), (9, 12), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12)),
    ),
}


def _merge(n: int, low: int, ascending: bool) -> Iterator[tuple[int, int]]:
    """The pairs of a bitonic merge of `n` words from `low` on."""
    if n > 1:
        half = 1 << ((n - 1).bit_length() - 1)
        for i in range(low, low + n - half):
            yield (i + half, i) if ascending else (i, i + half)
        if n > 2:
            yield from _merge(half, low, ascending)
            yield from _merge(n - half, low + half, ascending)


def _sort(n: int, low: int, ascending: bool) -> Iterator[tuple[int, int]]:
    """The pairs of a sort of `n` words from `low` on: the networks where there is one, else two halves merged."""
    if n in _NETWORKS:
        yield from ((low + j, low + i) if ascending else (low + i, low + j) for i, j in _NETWORKS[n])
    elif n > 1:
        yield from _sort(n // 2, low, not ascending)
        yield from _sort(n - n // 2, low + n // 2, ascending)
        yield from _merge(n, low, ascending)


def sorting_pairs(n: int) -> NDArray[np.int64]:
    """(pairs, 2): compare these two of `n` words, one pair after the other; the larger goes to the first place."""
    return np.array(list(_sort(n, 0, False)), np.int64)


def merging_pairs(n: int) -> NDArray[np.int64]:
    """The same to merge `n` words that rise and then fall."""
    return np.array(list(_merge(n, 0, False)), np.int64)


@in_place
def apply_pairs(pairs: NDArray[np.int64], keys: NDArray[np.int64]) -> None:
    """Swap the keys of each pair in place where the second has the larger word."""
    for k in range(len(pairs)):
        i, j = pairs[k, 0], pairs[k, 1]
        if _before(keys[j], keys[i]):
            _swap(keys, i, j)
