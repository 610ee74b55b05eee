"""A study over a real XRootD server gives what it gives on the same files here, and says which files it read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from l1emu.batch.planning import content_of
from l1emu.errors import L1emuError
from l1emu.events.rootfile import root_uuid
from l1emu.events.sample import read_sample
from l1emu.files import sha256_file
from l1emu.remote import as_path
from l1emu.resources import resource
from l1emu.results import FileRead
from l1emu.study import compare_results, read_study, run_study
from l1emu.study.manifest import file_identity
from l1emu.study.samples import open_sample
from tests.events.xrootd_server import XrootdServer, xrootd_server

BACKGROUND, SIGNAL = resource("datasets/minbias-pu200.root"), resource("datasets/signal-hh4b-pu200.root")


@pytest.fixture(scope="module")
def server() -> Iterator[XrootdServer]:
    with xrootd_server() as found:
        found.add(BACKGROUND)
        found.add(SIGNAL)
        yield found


def write(path: Path, background: str, signal: str, **changes: Any) -> Path:
    """The embedded study on these files, shorter."""
    study = yaml.safe_load(resource("data/study.yaml").read_text())
    study["samples"] = {"background": background, "signals": {"HH → 4b": signal}}
    study["rate"]["replicas"] = 20
    study["stream"]["orbits"] = 20
    del study["tagger"]["golden"]
    path.write_text(yaml.safe_dump(study | changes))
    return path


def without_names_and_times(document: dict[str, Any]) -> dict[str, Any]:
    for name in ("date", "times", "files"):
        del document["manifest"][name]
    return document


def test_a_study_over_a_server_equals_that_on_the_files_here(server: XrootdServer, tmp_path: Path) -> None:
    here = run_study(write(tmp_path / "here.yaml", str(BACKGROUND), str(SIGNAL)), tmp_path / "here")
    urls = server.root(BACKGROUND.name), server.http(SIGNAL.name)
    there = run_study(write(tmp_path / "there.yaml", *urls), tmp_path / "there")
    read = there.document["manifest"]["files"]
    assert (read["background"]["name"], read["HH → 4b"]["name"]) == urls
    assert read["background"]["uuid"] == here.document["manifest"]["files"]["background"]["uuid"]
    assert without_names_and_times(there.document) == without_names_and_times(here.document)

    compared = compare_results(tmp_path / "here", tmp_path / "there")
    assert compared.same_crossings
    assert [one.what for one in compared.inputs] == ["study"]


def test_what_says_which_file_it_is(server: XrootdServer, tmp_path: Path) -> None:
    here = file_identity(SIGNAL)
    uuid, size = root_uuid(SIGNAL), SIGNAL.stat().st_size
    assert here == {"name": SIGNAL.name, "sha256": sha256_file(SIGNAL), "uuid": uuid, "bytes": size, "modified": None}
    url = server.root(SIGNAL.name)
    there = file_identity(as_path(f"{url}?authz=secret"))
    assert there | {"modified": None} == {"name": url, "sha256": None, "uuid": uuid, "bytes": size, "modified": None}
    assert there["modified"].endswith("+00:00")
    assert FileRead(**there).is_same(FileRead(**here))
    assert FileRead(**there).identity == f"UUID {uuid}"
    assert not FileRead(**there).is_same(FileRead(**file_identity(as_path(server.root(BACKGROUND.name)))))

    text = tmp_path / "jets.csv"
    text.write_text("mass\n1\n")
    server.add(text)
    found = file_identity(as_path(server.http(text.name)))
    assert (found["sha256"], found["uuid"], found["bytes"]) == (sha256_file(text), None, 7)


def test_files_here_and_there_are_told_to_be_the_same(server: XrootdServer, tmp_path: Path) -> None:
    study = write(tmp_path / "study.yaml", server.root(SIGNAL.name), str(SIGNAL))
    with pytest.raises(L1emuError, match="not a minbias sample"):
        open_sample(read_study(study), "background")
    with pytest.raises(L1emuError, match="the same crossings are background and signal"):
        open_sample(read_study(study), "HH → 4b")


def test_a_list_of_files_is_a_sample(server: XrootdServer, tmp_path: Path) -> None:
    (tmp_path / "minbias.txt").write_text(f"{server.root(BACKGROUND.name)}\n")
    study = read_study(write(tmp_path / "study.yaml", "@minbias.txt", server.root("signal*.root")))
    assert open_sample(study, "background").crossings == read_sample(BACKGROUND).crossings
    assert str(open_sample(study, "HH → 4b").path) == server.root(SIGNAL.name)


def test_a_wrong_name_is_told_with_its_url(server: XrootdServer, tmp_path: Path) -> None:
    url = server.root("absent.root")
    with pytest.raises(L1emuError) as raised:
        run_study(write(tmp_path / "study.yaml", url, str(SIGNAL)), tmp_path / "out")
    assert str(raised.value) == f"{url}: no such file"
    assert not (tmp_path / "out").exists()


def test_a_shard_is_named_by_the_content_whatever_server_has_it(server: XrootdServer, tmp_path: Path) -> None:
    size = str(SIGNAL.stat().st_size)
    urls = server.root(SIGNAL.name), server.http(SIGNAL.name)
    assert [content_of(as_path(url)) for url in urls] == [{"uuid": root_uuid(SIGNAL), "bytes": size}] * 2
    text = tmp_path / "other.csv"
    text.write_text("mass\n1\n")
    server.add(text)
    before = [content_of(as_path(url)) for url in (server.root(text.name), server.http(text.name))]
    text.write_text("mass\n2\n")
    server.add(text)
    after = content_of(as_path(server.http(text.name)))
    assert before[0] == before[1] != after
