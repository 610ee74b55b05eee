"""How many threads a process takes."""

from __future__ import annotations

import os

import pytest

from l1emu.cores import THREADS, cores, told_threads
from l1emu.errors import L1emuError


def test_the_cores_that_a_process_is_bound_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(THREADS, raising=False)
    assert cores() == len(os.sched_getaffinity(0))


def test_what_the_environment_says_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in told_threads(3).items():
        monkeypatch.setenv(name, value)
    assert cores() == 3
    assert os.environ["OMP_NUM_THREADS"] == os.environ["NUMBA_NUM_THREADS"] == "3"


@pytest.mark.parametrize("stated", ["0", "-1", "two", "1.5", "1025", "9" * 5000, "٣", " 2"])
def test_no_number_of_threads_is_refused(stated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS, stated)
    with pytest.raises(L1emuError, match=r"^L1EMU_THREADS: wrong number of threads: got .* expected 1 to 1024"):
        cores()
