"""Files behind URLs, from a real XRootD server: the same bytes as here, and what happens when it fails."""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
from typer.testing import CliRunner

from l1emu import remote
from l1emu.cli import app
from l1emu.errors import L1emuError
from l1emu.events.rootfile import root_uuid
from l1emu.events.sample import read_sample, write_sample
from l1emu.events.sources import open_source
from l1emu.events.sources.repeated import fingerprint, refuse_same_files
from l1emu.filenames import files_named
from l1emu.remote import RemotePath, as_path, file_size, open_file, read_ranges
from l1emu.resources import resource
from tests.events import public_layouts
from tests.events.objects import files as object_files
from tests.events.xrootd_server import XrootdServer, xrootd_server

TAGGER = resource("models/jet-tagger/tagger.l1fw")
SIGNAL = resource("datasets/signal-hh4b-pu200.root")
LAYOUTS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "fastpuppi": ("ntuple.root", public_layouts.fastpuppi),
    "hls4ml_jets": ("jets.h5", public_layouts.hls4ml_jets),
    "openml-csv": ("jets.csv", public_layouts.openml_csv),
    "openml-arff": ("jets.arff", public_layouts.openml_arff),
    "openml-parquet": ("jets.parquet", public_layouts.openml_parquet),
    "energyflow": ("jets.npz", public_layouts.energyflow),
}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample of 300 crossings in baskets of 50."""
    path = tmp_path_factory.mktemp("many") / "many.root"
    sample = read_sample(SIGNAL)
    write_sample(
        path,
        [batch for batch, _ in zip(sample.iterate(50), range(6), strict=False)],
        **{name: getattr(sample, name) for name in ("name", "kind", "pileup", "strata", "recipe", "pool_sizes")},
        versions=sample.versions,
        processes=sample.processes,
    )
    return path


@pytest.fixture(scope="module")
def server() -> Iterator[XrootdServer]:
    with xrootd_server() as found:
        found.add(SIGNAL)
        yield found


@pytest.fixture
def fragile(many: Path) -> Iterator[XrootdServer]:
    """A server for one test, which may stop it."""
    with xrootd_server() as found:
        found.add(many)
        yield found


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(remote.REMOTE_SECONDS, "1")


def urls(server: XrootdServer, name: str) -> list[str]:
    return [server.root(name), server.http(name)]


def test_a_url_is_a_path_by_its_name_and_tells_no_secrets() -> None:
    path = as_path("root://me:word@host.ch:1094//store/x.v2.root?authz=Bearer%20abc")
    assert isinstance(path, RemotePath)
    assert (path.name, path.stem, path.suffix) == ("x.v2.root", "x.v2", ".root")
    assert str(path) == os.fspath(path) == "root://host.ch:1094//store/x.v2.root"
    assert path.url == "root://me:word@host.ch:1094//store/x.v2.root?authz=Bearer%20abc"
    assert "word" not in repr(path)
    assert pickle.loads(pickle.dumps(path)) == path
    assert path != as_path(str(path))
    assert path != Path(str(path))
    assert len({path, as_path(path.url)}) == 1
    assert as_path("x.root") == Path("x.root")
    assert as_path(path) is path


@pytest.mark.parametrize(
    "text", ["s3://bucket/x", "root://", "file:///x", "http://[::1/x", "root://h:99999//x", "a://"]
)
def test_a_url_of_another_kind_is_refused(text: str) -> None:
    with pytest.raises(L1emuError, match="not a URL that is read"):
        as_path(text)


def test_ranges_are_those_of_the_file(server: XrootdServer, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    path = tmp_path / "noise.bin"
    path.write_bytes(rng.bytes(20_000_000))
    server.add(path)
    whole = path.read_bytes()
    starts = rng.integers(0, len(whole), 60)
    lengths = rng.choice([1, 100, 40_000, 300_000, 9_000_000], 60)
    ranges = [(int(a), int(a + n)) for a, n in zip(starts, lengths, strict=True)] + [(5, 5), (len(whole), 1 << 40)]
    expected = [whole[a:b] for a, b in ranges]
    assert read_ranges(path, ranges) == expected
    for url in urls(server, path.name):
        assert read_ranges(as_path(url), ranges) == expected
        assert file_size(as_path(url)) == len(whole)
        with open_file(as_path(url)) as stream:
            assert stream.read(10) == whole[:10]
            assert stream.seek(-5, os.SEEK_END) == len(whole) - 5
            assert stream.read() == whole[-5:]
            stream.seek(1)
            assert stream.read() == whole[1:]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_container_is_read_behind_a_url_as_here(layout: str, server: XrootdServer, tmp_path: Path) -> None:
    name, write = LAYOUTS[layout]
    write(tmp_path / name)
    server.add(tmp_path / name)
    here = open_source(tmp_path / name)
    expected = ak.to_list(here.read())
    for url in urls(server, name):
        there = open_source(url)
        assert there.format is here.format
        assert there.lengths == here.lengths
        assert ak.to_list(there.read()) == expected
        assert ak.to_list(there.read(entries=(5, 9))) == expected[5:9]
        parts = [ak.to_list(batch) for batch in here.iterate(step=2, entries=(1, 4))]
        assert [ak.to_list(batch) for batch in there.iterate(step=2, entries=(1, 4))] == parts


@pytest.mark.parametrize("kind", ["ttree", "rntuple", "parquet_records"])
def test_objects_and_the_identity_of_their_crossings_are_those_here(
    kind: str, server: XrootdServer, tmp_path: Path
) -> None:
    from l1emu.events.objects import open_objects

    members = object_files.table(np.random.default_rng(3), 40)
    name = f"{kind}.{'parquet' if 'parquet' in kind else 'root'}"
    path = getattr(object_files, kind)(tmp_path / name, members)
    server.add(path)
    mapped = {"jets": object_files.JETS}
    here = list(open_objects(path, mapped).iterate_keyed(7))
    for url in urls(server, name):
        sample = open_objects(url, mapped)
        assert sample.name == path.stem
        for (data, keys), (data_here, keys_here) in zip(sample.iterate_keyed(7), here, strict=True):
            np.testing.assert_array_equal(keys, keys_here)
            assert ak.to_list(data.objects["jets"]["pt"]) == ak.to_list(data_here.objects["jets"]["pt"])


def test_the_verb_tells_of_a_url_what_it_tells_of_a_file(server: XrootdServer) -> None:
    def told(name: str) -> dict[str, Any]:
        result = CliRunner().invoke(app, ["events", name, "--entries", "0:200", "--json"])
        assert result.exit_code == 0, result.output
        document = json.loads(result.stdout)
        assert [file["path"] for file in document.pop("files")] == [name]
        return dict(document)

    expected = told(str(SIGNAL))
    assert [told(url) for url in urls(server, SIGNAL.name)] == [expected, expected]


def test_verbs_give_of_a_url_what_they_give_of_a_file(server: XrootdServer, tmp_path: Path) -> None:
    def calibrated(name: str) -> str:
        result = CliRunner().invoke(app, ["calibrate", name, "--json"])
        assert result.exit_code == 0, result.output
        return result.stdout

    def emulated(name: str) -> dict[str, Any]:
        output = tmp_path / "scores.npz"
        result = CliRunner().invoke(app, ["emulate", str(TAGGER), name, "--output", str(output)])
        assert result.exit_code == 0, result.output
        with np.load(output) as arrays:
            return {key: array.tolist() for key, array in arrays.items()}

    expected = calibrated(str(SIGNAL)), emulated(str(SIGNAL))
    for url in urls(server, SIGNAL.name):
        assert (calibrated(url), emulated(url)) == expected


def test_arrays_and_settings_are_not_read_from_urls(server: XrootdServer) -> None:
    for words, message in (
        (["emulate", str(TAGGER), server.root("x.npy")], "arrays are not read from a URL"),
        (["emulate", str(TAGGER), "s3://bucket/x.npz"], "not a URL that is read"),
        (["validate", "ht-rates", server.root("x.root")], f"{server.root('x.root')}: no such file"),
        (["events", f"@{server.root('x.txt')}"], "a list of files is a file here"),
    ):
        result = CliRunner().invoke(app, words)
        assert isinstance(result.exception, L1emuError)
        assert message in str(result.exception)


def test_globs_and_lists_name_the_files_of_a_server(server: XrootdServer, tmp_path: Path) -> None:
    for name in (
        "glob/b/x2.root",
        "glob/a/x1.root",
        "glob/a/x3.root",
        "glob/a/.x4.root",
        "glob/c/y.root",
        "glob/x.root",
    ):
        server.add(SIGNAL, name)
    found = files_named(server.root("glob/[ab]/x*.root"), tmp_path)
    assert [str(path) for path in found] == [
        server.root(f"glob/{name}") for name in ("a/x1.root", "a/x3.root", "b/x2.root")
    ]
    assert [str(path) for path in files_named(server.root("glob/*/y.root"), tmp_path)] == [server.root("glob/c/y.root")]
    (tmp_path / "here.root").touch()
    listed = tmp_path / "lists" / "files.txt"
    listed.parent.mkdir()
    listed.write_text(f"# all\n\n  {server.http('glob/x.root')}\r\n../here.root\n{server.root('glob/b/*')}\n")
    names = ["glob/x.root", "here.root", "x2.root"]
    assert [path.name for path in files_named("@lists/files.txt", tmp_path)] == [Path(name).name for name in names]
    for glob, message in (
        (server.root("glob/*.txt"), "no file matches"),
        (server.root("nowhere/*.root"), "nowhere: no such file"),
        (server.http("glob/*.root"), "this glob of a URL is not read"),
        (server.root("glob/**/x1.root"), "this glob of a URL is not read"),
    ):
        with pytest.raises(L1emuError, match=message):
            files_named(glob, tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no file in the list"),
        ("# none\n", "there is no file in the list"),
        ("x.root\ny.root\n", "line 2: no such file: got 'y.root'"),
        ("@other.txt\n", "line 1: a list in a list"),
        ("s3://bucket/x\n", "line 1: not a URL that is read"),
    ],
)
def test_a_list_that_names_nothing_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.root").touch()
    (tmp_path / "files.txt").write_text(text)
    with pytest.raises(L1emuError, match=message) as raised:
        files_named("@files.txt", tmp_path)
    assert str(tmp_path / "files.txt") in str(raised.value)
    with pytest.raises(L1emuError, match="no such file"):
        files_named("@nothing.txt", tmp_path)


def test_a_file_is_the_same_here_and_there(server: XrootdServer, tmp_path: Path) -> None:
    size = file_size(SIGNAL)
    with pytest.raises(L1emuError, match="the same file is given twice"):
        refuse_same_files([as_path(server.root(SIGNAL.name)), as_path(server.root(SIGNAL.name))])
    for url in urls(server, SIGNAL.name):
        assert fingerprint(as_path(url), size) == fingerprint(SIGNAL, size)
        assert root_uuid(as_path(url)) == root_uuid(SIGNAL) is not None
        with pytest.raises(L1emuError, match="a file of the same content is given twice"):
            refuse_same_files([as_path(url), SIGNAL])
    for name, last in (("one.csv", "1"), ("two.csv", "2")):  # alike but for what no piece of the fingerprint has
        (tmp_path / name).write_text("x" * 5000 + last + "x" * 995_000)
        server.add(tmp_path / name)
    refuse_same_files([as_path(server.root("one.csv")), tmp_path / "two.csv"])
    with pytest.raises(L1emuError, match="a file of the same content"):
        refuse_same_files([as_path(server.http("one.csv")), tmp_path / "one.csv"])


def test_what_is_no_file_is_refused_at_once(server: XrootdServer, tmp_path: Path) -> None:
    whole = SIGNAL.read_bytes()
    (tmp_path / "short.root").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.root").touch()
    (tmp_path / "noise.root").write_bytes(np.random.default_rng(1).bytes(5000))
    for name in ("short.root", "empty.root", "noise.root"):
        server.add(tmp_path / name)
    for name, message in (
        ("absent.root", "no such file"),
        ("short.root", f"the file is truncated: got {len(whole) // 2}; expected {len(whole)} bytes"),
        ("empty.root", "the file is empty|not a ROOT file"),
        ("noise.root", "this kind of file is unknown|not a ROOT file"),
        ("", "this is a folder"),
    ):
        for url in urls(server, name):
            for read in (open_source, read_sample):
                with pytest.raises(L1emuError, match=message) as raised:
                    read(url)
                assert str(raised.value).startswith(f"{url}: ")


@pytest.mark.parametrize("protocol", ["root", "http"])
def test_a_server_that_comes_back_is_read_on(
    protocol: str, fragile: XrootdServer, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = getattr(fragile, protocol)(many.name)
    here = [ak.to_list(batch.candidates) for batch in read_sample(many).iterate(100)]
    pauses = []

    def back_again(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            fragile.start()

    batches = read_sample(url).iterate(100)
    there = [ak.to_list(next(batches).candidates)]
    fragile.stop()
    monkeypatch.setattr(remote, "_pause", back_again)
    there += [ak.to_list(batch.candidates) for batch in batches]
    assert len(pauses) >= 2
    assert there == here


@pytest.mark.parametrize("protocol", ["root", "http"])
def test_a_server_that_stays_away_is_told_with_the_entry(
    protocol: str, fragile: XrootdServer, many: Path, impatient: None
) -> None:
    url = getattr(fragile, protocol)(many.name)
    batches = read_sample(url).iterate(100)
    next(batches)
    next(batches)
    fragile.stop()
    with pytest.raises(L1emuError, match=r"crossings, entry 200: cannot be read: .*; tried \d+ times") as raised:
        list(batches)
    assert str(raised.value).startswith(f"{url}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("protocol", ["root", "http"])
def test_a_server_that_hangs_is_left_and_taken_up_again(
    protocol: str, fragile: XrootdServer, many: Path, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = getattr(fragile, protocol)(many.name)
    here = [ak.to_list(batch.candidates) for batch in read_sample(many).iterate(100)]
    batches = read_sample(url).iterate(100)
    there = [ak.to_list(next(batches).candidates)]
    fragile.hang()
    with pytest.raises(L1emuError, match=r"crossings, entry 100: cannot be read: .*; tried \d+ times"):
        next(batches)

    monkeypatch.setenv(remote.REMOTE_SECONDS, "4")
    fragile.wake()
    batches = read_sample(url).iterate(100)
    next(batches)
    fragile.hang()
    monkeypatch.setattr(remote, "_pause", lambda _: fragile.wake())
    there += [ak.to_list(batch.candidates) for batch in batches]
    assert there == here


def test_a_redirector_leads_to_the_file(fragile: XrootdServer, many: Path) -> None:
    with xrootd_server(f"xrootd.redirect localhost:{fragile.port} ? /") as redirector:
        there = read_sample(redirector.root(many.name))
        assert there.crossings == 300
        assert ak.to_list(there.read().candidates) == ak.to_list(read_sample(many).read().candidates)


@pytest.mark.parametrize("layout", ["hls4ml_jets", "openml-csv", "openml-parquet", "energyflow"])
def test_other_containers_tell_the_entry_too(
    layout: str, fragile: XrootdServer, impatient: None, tmp_path: Path
) -> None:
    name, write = LAYOUTS[layout]
    write(tmp_path / name)
    fragile.add(tmp_path / name)
    source = open_source(fragile.root(name))
    fragile.stop()
    with pytest.raises(L1emuError, match=r"entry 3: cannot be read: .*; tried") as raised:
        list(source.iterate(entries=(3, 9)))
    assert str(raised.value).startswith(f"{fragile.root(name)}: ")


def test_a_file_that_becomes_another_is_refused(
    fragile: XrootdServer, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = read_sample(fragile.root(many.name)).iterate(100)
    next(batches)
    fragile.stop()
    fragile.add(SIGNAL, many.name)
    monkeypatch.setattr(remote, "_pause", lambda _: None if fragile.running else fragile.start())
    with pytest.raises(L1emuError, match="the file was changed while it was read"):
        list(batches)


@pytest.mark.parametrize("protocol", ["root", "http"])
@pytest.mark.parametrize("kind", ["closed", "silent", "nowhere"])
def test_a_url_that_answers_nothing_ends_in_one_line(kind: str, protocol: str) -> None:
    pytest.importorskip("fsspec_xrootd", reason="the extra `batch` is not installed")
    pytest.importorskip("aiohttp", reason="the extra `batch` is not installed")
    with socket.socket() as end:
        end.bind(("localhost", 0))
        if kind == "silent":
            end.listen()
        host = "nowhere.invalid" if kind == "nowhere" else "localhost"
        url = f"{protocol}://{host}:{end.getsockname()[1]}//x.root"
        code = "from l1emu.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code, "events", url, "--json"],
            capture_output=True, text=True, timeout=300, env=os.environ | {remote.REMOTE_SECONDS: "1"},
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"l1emu: {url}: cannot be read: ")
    assert done.stderr.count("\n") == 1


class _Answers(BaseHTTPRequestHandler):
    """An HTTP server with the faults that the path of a URL names."""

    content = b"mass,label\n" + b"1,0\n" * 50_000
    seen: list[str]

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        name = self.path.strip("/").partition("?")[0]
        self.server.seen.append(name)  # type: ignore[attr-defined]
        if name.isdigit():
            self.send_error(int(name))
        elif name == "redirect":
            self.send_response(302)
            self.send_header("Location", "/good")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif name == "page":
            self._whole(b"<!DOCTYPE html><html>log in</html>", "text/html")
        elif name == "unsized":
            self.send_response(200)
            self.end_headers()
        elif name == "unranged":
            self._whole(self.content, "text/plain")
        elif name == "flaky" and self.command == "GET" and self.server.seen.count("flaky") < 5:  # type: ignore[attr-defined]
            if self.server.seen.count("flaky") % 2:  # type: ignore[attr-defined]
                self.send_error(503)
            else:
                self._part(cut=1000)
        else:
            self._part()

    def _whole(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", kind)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def _part(self, cut: int = 0) -> None:
        wanted = self.headers.get("Range", "").removeprefix("bytes=").partition("-")
        start, stop = (int(wanted[0]), int(wanted[2]) + 1) if wanted[0] else (0, len(self.content))
        self.send_response(206 if wanted[0] else 200)
        self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(self.content[start : stop - cut])


@contextmanager
def answering() -> Iterator[tuple[str, list[str]]]:
    pytest.importorskip("aiohttp", reason="the extra `batch` is not installed")
    with ThreadingHTTPServer(("localhost", 0), _Answers) as end:
        end.seen = []  # type: ignore[attr-defined]
        threading.Thread(target=end.serve_forever, daemon=True).start()
        try:
            yield f"http://localhost:{end.server_port}/", end.seen  # type: ignore[attr-defined]
        finally:
            end.shutdown()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("404", "no such file"),
        ("410", "no such file"),
        ("401", "the server refuses access"),
        ("403", "the server refuses access"),
        ("418", "the server answers HTTP 418"),
        ("page", "the server answers with a web page"),
        ("unsized", "the server does not tell the file's size"),
        ("unranged", "the server does not send parts of files"),
    ],
)
def test_what_a_server_says_for_good_is_not_asked_again(name: str, message: str) -> None:
    with answering() as (place, seen):
        with pytest.raises(L1emuError, match=message) as raised:
            read_ranges(as_path(f"{place}{name}?token=secret"), [(0, 10)])
        assert len(seen) <= 3
    assert str(raised.value).startswith(f"{place}{name}: ")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("name", ["503", "500", "429"])
def test_what_may_pass_is_asked_again(name: str, impatient: None) -> None:
    with answering() as (place, seen):
        with pytest.raises(L1emuError, match=f"cannot be read: HTTP {name}; tried"):
            read_ranges(as_path(place + name), [(0, 10)])
        assert len(seen) > 3


@pytest.mark.parametrize("name", ["redirect", "flaky", "good"])
def test_redirects_and_broken_answers_end_in_the_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_pause", lambda _: None)
    with answering() as (place, seen):
        with open_file(as_path(place + name)) as stream:
            assert stream.read() == _Answers.content
        assert name != "flaky" or seen.count("flaky") > 5


@pytest.mark.parametrize(("url", "module"), [("root://h//x", "XRootD.client"), ("http://h/x", "aiohttp")])
def test_without_the_packages_one_line_says_which_extra_to_install(
    url: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(L1emuError, match=r"pip install 'l1emu\[batch\]'"):
        open_source(url)


def test_files_here_load_nothing_for_files_there() -> None:
    code = f"""
import sys
from l1emu.events.sample import read_sample, write_sample
read_sample({str(SIGNAL)!r})
print(*sorted({{"aiohttp", "XRootD", "fsspec_xrootd"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout == "\n"


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "1e9"])
def test_a_patience_that_is_none_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(remote.REMOTE_SECONDS, text)
    with pytest.raises(L1emuError, match=f"{remote.REMOTE_SECONDS}: not a number of seconds: got '{text}'"):
        open_source("root://localhost//x.root")
