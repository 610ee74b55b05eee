"""Plans of the stand-in, for the tests of engines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from l1emu.batch.job import BatchJob
from tests.batch.engines.standin import content

STANDIN = Path(__file__).with_name("standin.py")


def job_of(folder: Path, shards: Sequence[int] | int, retries: int = 2, **ends: Sequence[str]) -> BatchJob:
    """A job of the stand-in, whose attempts at shard i end as `s<i>` says."""
    folder.mkdir(exist_ok=True)
    (folder / "ends.json").write_text(json.dumps({key[1:]: value for key, value in ends.items()}))
    numbers = tuple(range(shards)) if isinstance(shards, int) else tuple(shards)
    command = (sys.executable, str(STANDIN), "shard", str(folder))
    return BatchJob(folder, numbers, command, memory_mb=100, seconds=60, retries=retries)


def made(folder: Path) -> list[int]:
    """The numbers of the shards that are there; each must be whole."""
    found = sorted(int(path.name) for path in (folder / "shards").glob("[0-9]*"))
    for number in found:
        assert (folder / "shards" / str(number)).read_bytes() == content(number)
    return found


def attempts(folder: Path, number: int) -> list[dict[str, Any]]:
    """What each attempt at a shard left."""
    path = folder / "attempts" / str(number)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
    """Return when `condition` holds; the time is only there so that a test which fails ends."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"no {what} in {seconds} s"
        time.sleep(0.05)
