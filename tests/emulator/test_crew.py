"""Parts of a batch shared between threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from l1emu.emulator.crew import JetRange, do_parts


@pytest.mark.parametrize("pace", [0.0, 1e-8, 1e-4])
@pytest.mark.parametrize("jets", [0, 1, 64, 65, 3000])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_jet_is_in_one_part(jets: int, threads: int, pace: float) -> None:
    found: list[JetRange] = []

    def work(parts: Iterator[JetRange]) -> None:
        found.extend(parts)

    do_parts(jets, threads, pace, work)
    assert [jet for first, last in sorted(found) for jet in range(first, last)] == list(range(jets))
    assert all(last - first <= 1024 for first, last in found)


def test_others_take_part_where_that_pays_and_are_kept() -> None:
    names: set[str] = set()
    meeting = threading.Barrier(2, timeout=60)

    def work(parts: Iterator[JetRange]) -> None:
        for number, _part in enumerate(parts):
            names.add(threading.current_thread().name)
            if number == 0:
                meeting.wait()

    do_parts(4000, 2, 1e-4, work)  # 0.4 s of work
    started = threading.active_count()
    for _ in range(5):
        names.clear()
        do_parts(4000, 2, 1e-4, work)
        assert len(names) == 2
    assert threading.active_count() == started
    alone: set[int] = set()
    do_parts(1000, 2, 1e-8, lambda parts: alone.update(threading.get_ident() for _ in parts))  # 10 us
    assert alone == {threading.get_ident()}


def test_the_pace_of_a_batch_is_what_its_first_part_took() -> None:
    def work(parts: Iterator[JetRange]) -> None:
        for first, last in parts:
            threading.Event().wait((last - first) * 1e-5)

    assert 1e-5 <= do_parts(2000, 2, 0.0, work) < 1e-3
    assert do_parts(2000, 1, 0.0, work) == 0.0


def test_parts_are_as_large_as_their_call_is_worth() -> None:
    def sizes(jets: int, pace: float, part: float) -> set[int]:
        found: list[JetRange] = []
        do_parts(jets, 2, pace, found.extend, part)
        return {last - first for first, last in found}

    assert [sizes(4096, 1e-6, part) for part in (50e-6, 500e-6, 1.0)] == [{64}, {512}, {1024}]
    assert sizes(1024, 1.6e-7, 0.0) == {1024} and sizes(256, 1.6e-7, 0.0) == {256}  # one thread does it


def test_the_first_part_that_fails_is_told() -> None:
    def work(parts: Iterator[JetRange]) -> None:
        for first, _last in parts:
            if first >= 640:
                raise ValueError(first)

    for _ in range(20):
        with pytest.raises(ValueError, match=r"^640$"):
            do_parts(6400, 4, 1e-5, work)


def test_a_forked_child_has_threads_of_its_own() -> None:
    def both(parts: Iterator[JetRange]) -> None:
        meeting.wait()
        list(parts)

    meeting = threading.Barrier(2, timeout=60)
    do_parts(4000, 2, 1e-4, both)
    child = os.fork()
    if not child:
        try:
            meeting = threading.Barrier(2, timeout=60)
            do_parts(4000, 2, 1e-4, both)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
