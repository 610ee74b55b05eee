"""Damaged projects are refused by one line, or give what their own C++ gives."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import l1emu
from l1emu.errors import L1emuError
from tests.fuzzing import damaged, refused
from tests.handmade_projects import ProjectMaker, every_kind, need_compiler

WORDS = (
    *("0", "1", "3", "-1", "16777216", "1e999", "0x", "(", ")", "{", "}", "<", ">", ";", ",", "#define a b"),
    *("/*", "*/", "//", '"', "\\\n", "x", "x_t", "w_fc_t", "ap_fixed<8,2>", "nnet::", "typedef", "static"),
    *("config_fc", "#ifdef __SYNTHESIS__\n", "#else\n", "#endif\n", "const", "=", "*", "+ 1"),
)  # fmt: skip


def network(folder: Path) -> Path:
    make = ProjectMaker(folder, 5, ordinary=True)
    x = make.input("x", (6,), make.type())
    make.output(make.dense("head", make.elementwise("act", "relu", make.dense("fc", x, 4)), 3))
    return make.write()


def mutated(text: str, rng: np.random.Generator) -> str:
    """`text` with one to three of its words replaced, removed, doubled or swapped."""
    words = [*text.replace("\n", " \n ").split(" ")]
    for _ in range(int(rng.integers(1, 4))):
        at, other = (int(n) for n in rng.integers(0, len(words), 2))
        match int(rng.integers(0, 5)):
            case 0:
                words[at] = str(rng.choice(np.array(WORDS)))
            case 1:
                words.insert(at, str(rng.choice(np.array(WORDS))))
            case 2:
                words[at] = ""
            case 3:
                words[at], words[other] = words[other], words[at]
            case _:
                words.insert(at, words[other])
    return " ".join(words)


def spoil(project: Path, rng: np.random.Generator) -> tuple[Path, bytes]:
    """Change one file that the reader looks at; the file, and what was in it."""
    firmware = project / "firmware"
    files = [firmware / name for name in ("defines.h", "parameters.h", "handmade.cpp", "handmade.h")]
    weights = sorted((firmware / "weights").iterdir())
    kernels = [
        firmware / "nnet_utils" / f"nnet_{name}.h" for name in ("dense", "dense_latency", "activation", "common")
    ]
    group = (files, files, weights, kernels)[int(rng.integers(0, 4))]
    path = group[int(rng.integers(0, len(group)))]
    before = path.read_bytes()
    if rng.random() < 0.5:
        path.write_bytes(damaged(before, rng))
    else:
        path.write_text(mutated(before.decode(), rng))
    return path, before


def check(project: Path, jets: int) -> bool:
    """Whether the project reads; it then gives what its C++ gives, if that was asked for and compiles."""
    if refused(lambda: l1emu.Firmware.read(project)) is not None:
        return False
    if jets:
        try:
            found = l1emu.verify(project, jets=jets, optimization="-O0")
        except L1emuError as error:
            raise AssertionError(f"reads, and does not compile or run: {error}") from None
        assert found.identical, project
    return True


def test_damaged_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(17)
    project = network(tmp_path / "p")
    for _ in range(40):
        path, before = spoil(project, rng)
        check(project, 0)
        path.write_bytes(before)
    assert check(project, 0)


@pytest.mark.exhaustive
def test_many_damaged_files_against_their_cpp(tmp_path: Path) -> None:
    need_compiler()
    rng = np.random.default_rng(18)
    projects = [network(tmp_path / "small"), every_kind(tmp_path / "every", 5)]
    compared = 0
    for i in range(1500):
        project = projects[i % 10 == 0]
        path, before = spoil(project, rng)
        after = path.read_bytes()
        harmless = after.split() == before.split()
        reads = check(project, 0)
        if reads and not harmless and project == projects[0] and compared < 60:
            compared += 1
            kept = Path(shutil.copytree(project, tmp_path / f"accepted_{i}"))
            check(kept, 20)
            shutil.rmtree(kept)
        path.write_bytes(before)
    assert compared > 10
