"""Samples behind URLs: planned, made and held against the plan as files here are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from l1emu.batch.planning import plan_batch
from l1emu.batch.shards import make_shard
from l1emu.batch.status import read_status
from l1emu.errors import L1emuError
from tests.batch.batch_toys import changed, copied
from tests.events.xrootd_server import XrootdServer, xrootd_server
from tests.study.study_toys import write_toy_sample


@pytest.fixture
def server(toy: Path) -> Iterator[XrootdServer]:
    with xrootd_server() as found:
        for name in ("minbias.root", "signal.root"):
            found.add(toy.parent / name)
        yield found


@pytest.mark.parametrize("protocol", ["root", "http"])
def test_shards_of_a_url_are_made_and_a_file_that_changed_is_named(
    toy: Path, tmp_path: Path, server: XrootdServer, protocol: str
) -> None:
    url = getattr(server, protocol)

    def change(document: dict[str, Any]) -> None:
        document["samples"] |= {"minbias": url("minbias.root"), "signal": url("signal.root")}

    study = changed(copied(toy, tmp_path / "toy"), change)
    plan = plan_batch([study], tmp_path / "plan", shards=4)
    assert [shard.file for shard in plan.shards[::3]] == [url("minbias.root"), url("signal.root")]
    assert [shard.entries for shard in plan.shards] == [(0, 200), (200, 400), (400, 600), (0, 200)]
    assert make_shard(tmp_path / "plan", "1").made
    other = tmp_path / "other" / "minbias.root"
    other.parent.mkdir()
    write_toy_sample(other, signal=False, scale=2)
    server.add(other)
    with pytest.raises(L1emuError, match=r"minbias.root: the sample changed since the plan: got '[\d,]+ bytes'"):
        make_shard(tmp_path / "plan", "0")
    assert read_status(tmp_path / "plan").missing == [0, 2, 3]
