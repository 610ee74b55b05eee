"""Whatever stands where a verb wants a file: one line, soon, in little memory. Every path of every verb is here."""

from __future__ import annotations

import inspect
import json
import os
import resource as limits
import signal
import socket
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from l1emu import Firmware
from l1emu.cli import app
from l1emu.cli.verbs import every_verb, verb_function
from l1emu.errors import L1emuError
from l1emu.resources import resource
from tests.batch.test_plan import document
from tests.handmade_projects import every_kind

IT = "@"
"""What stands for the path in question."""

COMMANDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("run", "study"): ("run", IT, "-o", "out"),
    ("generate", "recipe"): ("generate", IT, "-o", "out.root"),
    ("generate", "files"): ("generate", "minbias-pu200", "--merge", IT, "-o", "out.root"),
    ("events", "files"): ("events", IT),
    ("calibrate", "sample"): ("calibrate", IT),
    ("validate", "sample"): ("validate", "ht-rates", IT),
    ("validate", "calibration"): ("validate", "ht-rates", "x.npy", "--calibration", IT),
    ("validate", "source"): ("validate", "cmssw", "--source", IT),
    ("validate", "ap_types"): ("validate", "cmssw", "--source", ".", "--ap-types", IT),
    ("train", "recipe"): ("train", IT, "--data", "jets.npz", "--output", "out"),
    ("train", "data"): ("train", "MODEL", "--data", IT, "--output", "out"),
    ("convert", "tagger"): ("convert", IT, "--output", "out"),
    ("compile", "what"): ("compile", IT, "-o", "out"),
    ("emulate", "firmware"): ("emulate", IT, "x.npy"),
    ("emulate", "inputs"): ("emulate", "small.l1fw", IT, "--target", "exact"),
    ("verify", "project"): ("verify", IT),
    ("verify", "inputs"): ("verify", "project", "--inputs", IT),
    ("verify", "model"): ("verify", "project", "--against", "keras", "--model", IT),
    ("report", "path"): ("report", IT),
    ("estimate", "path"): ("estimate", IT, "--part", "xcvu13p-flga2577-2-e"),
    ("estimate", "budget"): ("estimate", "project", "--part", "xcvu13p-flga2577-2-e", "--scan", "--budget", IT),
    ("estimate", "partition"): ("estimate", "project", "--part", "xcvu13p-flga2577-2-e", "--partition", IT),
    ("quantize", "model"): ("quantize", IT, "--data", "x.npz"),
    ("quantize", "data"): ("quantize", "project", "--data", IT),
    ("quantize", "keras"): ("quantize", "project", "--data", "labelled.npz", "--model", IT),
    ("quantize", "study"): ("quantize", "project", "--data", "labelled.npz", "--study", IT),
    ("budget", "budget"): ("budget", IT),
    ("budget", "report"): ("budget", "budgets/cms-phase2.yaml", "--report", IT),
    ("budget", "estimate"): (
        *("budget", "budgets/cms-phase2.yaml", "--estimate", IT),
        *("--part", "xcvu13p-flga2577-2-e"),
    ),
    ("budget", "partition"): ("budget", "--estimate", "project", "--part", "xcvu13p-flga2577-2-e", "--partition", IT),
    ("simulate", "topology"): ("simulate", IT, "--orbits", "1"),
    ("simulate", "budget"): ("simulate", "--orbits", "1", "--budget", IT),
    ("simulate", "report"): ("simulate", "--orbits", "1", "--report", IT),
    ("simulate", "estimate"): (
        *("simulate", "--orbits", "1", "--estimate", IT),
        *("--part", "xcvu13p-flga2577-2-e"),
    ),
    ("simulate", "partition"): (
        *("simulate", "--orbits", "1", "--estimate", "project"),
        *("--part", "xcvu13p-flga2577-2-e", "--partition", IT),
    ),
    ("simulate", "filling"): ("simulate", "--orbits", "1", "--filling", IT),
    ("simulate", "beam"): ("simulate", "--orbits", "1", "--beam", IT),
    ("simulate", "faults"): ("simulate", "--orbits", "1", "--faults", IT),
    ("simulate", "checkpoint"): ("simulate", "--orbits", "1", "--checkpoint", IT),
    ("rates", "study"): ("rates", IT),
    ("compare", "a"): ("compare", IT, "x.npy"),
    ("batch plan", "studies"): ("batch", "plan", IT, "--shards", "2", "-o", "out"),
    ("batch plan", "grid"): ("batch", "plan", "--grid", IT, "--shards", "2", "-o", "out"),
    ("batch status", "folder"): ("batch", "status", IT),
    ("batch shard", "folder"): ("batch", "shard", IT, "0"),
    ("batch run", "folder"): ("batch", "run", IT),
    ("batch run", "settings"): ("batch", "run", "planned", "--engine-config", IT),
    ("batch resume", "folder"): ("batch", "resume", IT),
    ("batch merge", "folder"): ("batch", "merge", IT, "-o", "out"),
}
"""A command for each path that a verb reads, by verb and parameter."""

READ_LIKE_ANOTHER = {
    ("convert", "data"): ("train", "data"),
    ("verify", "firmware"): ("emulate", "firmware"),
    ("compare", "b"): ("compare", "a"),
}
"""Paths that are read with the same function as another's, after minutes of work."""

WRITTEN = {"output", "figure", "out", "cache"} | {
    ("convert", "firmware"),
    ("convert", "golden"),
    ("verify", "golden"),
    ("rates", "masks"),
    ("emulate", "ranges"),
}
"""Parameters, of all verbs or of one, with paths that are written."""

FOLDERS = {("convert", "tagger"), ("verify", "project"), ("estimate", "path"), ("report", "path")}
FOLDERS |= {(verb, source) for verb in ("budget", "simulate") for source in ("report", "estimate")}
FOLDERS |= {("emulate", "firmware"), ("events", "files"), ("compare", "a")}
FOLDERS |= {(f"batch {verb}", "folder") for verb in ("status", "shard", "run", "resume", "merge")}
FOLDERS |= {("compile", "what")}
"""Where a folder can be right: an empty one is not."""


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(path))


def _sparse(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(1 << 30)


def _unreadable(path: Path) -> None:
    path.write_text("name: x\n")
    path.chmod(0)


THINGS: dict[str, Callable[[Path], Any]] = {
    "zero": lambda path: path.symlink_to("/dev/zero"),
    "random": lambda path: path.symlink_to("/dev/urandom"),
    "null": lambda path: path.symlink_to("/dev/null"),
    "fifo": os.mkfifo,
    "folder": lambda path: path.mkdir(),
    "socket": _socket,
    "absent": lambda path: None,
    "circle": lambda path: path.symlink_to(path.name),
    "empty": lambda path: path.touch(),
    "sparse": _sparse,
    "unreadable": _unreadable,
    "noise": lambda path: path.write_bytes(np.random.default_rng(1).bytes(5000)),
    "zip": lambda path: path.write_bytes(b"PK\x03\x04" + bytes(60)),
    "hdf5": lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(600)),
    "root": lambda path: path.write_bytes(b"root" + bytes(600)),
    "numpy": lambda path: path.write_bytes(b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f8'"),
}


@contextmanager
def bounded() -> Iterator[None]:
    """No more than 3 GiB beyond what is taken, and no more than ten minutes: a FIFO waits for ever."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    soft, hard = limits.getrlimit(limits.RLIMIT_AS)

    def late(*_: object) -> None:
        raise TimeoutError("it waits")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(600)
    limits.setrlimit(limits.RLIMIT_AS, (taken + (3 << 30), hard))
    try:
        yield
    finally:
        limits.setrlimit(limits.RLIMIT_AS, (soft, hard))
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def path_parameters() -> list[tuple[str, str]]:
    """Every parameter of every verb that is a path, or a text which can be one."""
    found = []
    for words in every_verb():
        verb = " ".join(words)
        for name, hint in typing.get_type_hints(verb_function(*words)).items():
            inside = [inner for part in typing.get_args(hint) for inner in (part, *typing.get_args(part))]
            if Path in (hint, *inside) or (verb, name) in COMMANDS:
                found.append((verb, name))
    return found


def test_every_path_of_every_verb_is_here() -> None:
    missing = [
        (verb, name)
        for verb, name in path_parameters()
        if (verb, name) not in COMMANDS.keys() | READ_LIKE_ANOTHER.keys() | WRITTEN and name not in WRITTEN
    ]
    assert missing == []
    for verb, name in COMMANDS:
        assert name in inspect.signature(verb_function(*verb.split())).parameters


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("any")
    small = Firmware.read(every_kind(folder / "project", 2))
    small.save(folder / "small.l1fw")
    classes = small.outputs[0].shape[-1]
    np.savez(folder / "labelled.npz", inputs=np.zeros((64, 24)), labels=np.arange(64) % classes)
    np.save(folder / "x.npy", np.zeros((1, 24)))
    (folder / "jets.npz").write_bytes(b"")
    (folder / "planned").mkdir()
    (folder / "planned" / "plan.json").write_text(json.dumps(document()))
    return folder


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize("verb_and_name", COMMANDS, ids=lambda pair: "-".join(pair))
def test_what_is_no_such_file_is_refused_in_one_line(
    verb_and_name: tuple[str, str], thing: str, workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if thing == "absent" and verb_and_name == ("simulate", "checkpoint"):
        pytest.skip("it is written")
    if thing == "unreadable" and os.geteuid() == 0:
        pytest.skip("the superuser reads everything")
    monkeypatch.chdir(workplace)
    path = tmp_path / "it"
    THINGS[thing](path)
    words = {
        IT: str(path),
        "RECIPE": str(resource("models/jet-tagger/recipe.yaml")),
        "MODEL": str(resource("models/engine-anomaly/recipe.yaml")),
    }
    command = [words.get(word, word) for word in COMMANDS[verb_and_name]]
    with bounded():
        result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, L1emuError), (command, result.exception, result.output)
    text = str(result.exception)
    assert "\n" not in text
    assert str(path) in text, text
    assert "Traceback" not in text
