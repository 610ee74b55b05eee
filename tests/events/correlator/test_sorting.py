"""The orders in which CMS's emulators leave equal words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from l1emu.events.correlator.sorting import INDEX_BITS, apply_pairs, merging_pairs, sort_descending, sorting_pairs


def keys_of(words: NDArray[np.int64]) -> NDArray[np.int64]:
    return (words.astype(np.int64) << INDEX_BITS) + np.arange(len(words))


def indices(keys: NDArray[np.int64]) -> list[int]:
    return [int(key) & ((1 << INDEX_BITS) - 1) for key in keys]


@pytest.mark.parametrize("name", ["digits", "adversary"])
def test_equal_words_are_left_as_the_standard_library_leaves_them(name: str) -> None:
    """What `std::sort` of GCC 12 made of 64 digits of pi, and of words made to defeat its quicksort."""
    with np.load(Path(__file__).parent / "golden" / "std_sort.npz") as golden:
        keys = keys_of(golden[f"{name}_words"])
        sort_descending(keys)
        assert indices(keys) == golden[f"{name}_order"].tolist()


def test_few_equal_words_keep_their_order() -> None:
    keys = keys_of(np.array([1, 2, 1, 2, 1]))
    sort_descending(keys)
    assert indices(keys) == [1, 3, 0, 2, 4]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 12, 13, 20, 25])
def test_a_network_sorts_every_list_of_zeros_and_ones_near_a_step(n: int) -> None:
    """By the principle of zeros and ones, over random lists of them and all of few zeros."""
    rng = np.random.default_rng(n)
    lists = [rng.integers(0, 2, n) for _ in range(200)] + [np.arange(n) != k for k in range(n)]
    for words in lists:
        keys = keys_of(np.asarray(words))
        apply_pairs(sorting_pairs(n).reshape(-1, 2), keys)
        assert (np.diff(keys >> INDEX_BITS) <= 0).all()


def test_a_merge_takes_a_rise_and_a_fall() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        keys = keys_of(np.concatenate([np.sort(rng.integers(0, 9, 18)), -np.sort(-rng.integers(0, 9, 18))]))
        apply_pairs(merging_pairs(36), keys)
        assert (np.diff(keys >> INDEX_BITS) <= 0).all()
