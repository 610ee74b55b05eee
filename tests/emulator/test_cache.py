"""Compiled kernels on disk: kept, found again, and never needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = """
import numpy as np
from l1emu.emulator.quantize import quantize_into, _compiled
from l1emu.fixedpoint import FixedPoint
out = np.empty((1, 2), np.int64)
quantize_into(np.array([[1.5, -0.26]]), out, 0, FixedPoint(8, 4))
assert out.tolist() == [[24, -5]]
print(sum(_compiled.stats.cache_hits.values()), sum(_compiled.stats.cache_misses.values()))
"""


def run(folder: str) -> tuple[int, int]:
    """Hits and misses of the cache in `folder`, in a process of its own."""
    environment = {**os.environ, "L1EMU_CACHE_DIR": folder}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    hits, misses = done.stdout.split()
    return int(hits), int(misses)


def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    assert run(str(tmp_path)) == (0, 1)
    assert run(str(tmp_path)) == (1, 0)


def test_torn_files_are_compiled_again(tmp_path: Path) -> None:
    run(str(tmp_path))
    torn = list(tmp_path.rglob("*.nb[ic]"))
    assert torn
    for path in torn:
        path.write_bytes(path.read_bytes()[:40])
    assert run(str(tmp_path))[0] == 0
    assert run(str(tmp_path)) == (1, 0)


@pytest.mark.parametrize("place", ["/dev/null/nowhere", "/proc/nowhere"])
def test_a_folder_that_cannot_be_written_is_no_error(place: str) -> None:
    assert run(place)[0] == 0


def test_an_inner_function_is_compiled_once_for_all_places_and_anew_for_a_size() -> None:
    from numba import njit

    from l1emu.emulator.cache import inner

    @inner
    def taken(values, place, size):  # type: ignore[no-untyped-def]
        return values[place] + size

    @njit
    def called(values):  # type: ignore[no-untyped-def]
        return taken(values, 0, 4) + taken(values, 1, 4) + taken(values, 2, 4)

    @njit
    def sized(values):  # type: ignore[no-untyped-def]
        return taken(values, 0, 5)

    assert called(np.array([1, 10, 100])) == 123
    assert len(taken.overloads) == 1
    assert sized(np.array([1, 10, 100])) == 6
    assert len(taken.overloads) == 2
