"""SplitMix64 against the numbers of its reference, https://prng.di.unimi.it/splitmix64.c."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from l1emu.compiled import inlined, kernel
from l1emu.splitmix import GOLDEN, mix, numbers

# What the reference prints for the seeds 0 and 1234567, and in C++ for the largest seed, whose state wraps at once.
PUBLISHED = {
    0: [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC, 0x1B39896A51A8749B],
    1234567: [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ],
    (1 << 64) - 1: [0xE4D971771B652C20, 0xE99FF867DBF682C9, 0x382FF84CB27281E9],
}

compiled_mix = inlined(mix)


@kernel
def drawn(seed: np.uint64, count: Any) -> Any:
    found = np.empty(count, np.uint64)
    state = seed
    for i in range(count):
        state += GOLDEN
        found[i] = compiled_mix(state)
    return found


@pytest.mark.parametrize("seed", PUBLISHED)
def test_the_numbers_are_those_of_the_reference(seed: int) -> None:
    published = np.asarray(PUBLISHED[seed], np.uint64)
    np.testing.assert_array_equal(numbers(seed, len(published)), published)
    np.testing.assert_array_equal(drawn(np.uint64(seed), len(published)), published)


def test_compiled_and_numpy_code_draw_alike() -> None:
    for seed in (1, 2**63, 0x9E3779B97F4A7C15):
        np.testing.assert_array_equal(drawn(np.uint64(seed), 10_000), numbers(seed, 10_000))


def test_seeds_count_modulo_two_to_the_sixtyfour() -> None:
    np.testing.assert_array_equal(numbers(3 + (1 << 64), 4), numbers(3, 4))
    np.testing.assert_array_equal(numbers(-1, 3), numbers((1 << 64) - 1, 3))
    assert numbers(5, 0).size == 0
