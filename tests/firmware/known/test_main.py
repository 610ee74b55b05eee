"""The developer's command that adds another release of hls4ml, on a copy of the package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import l1emu
from tests.handmade_projects import hls4ml_templates

PACKAGE = Path(l1emu.__file__).parent
HEADERS = {"vivado": ("activation", "common", "helpers", "merge", "mult", "pooling"), "vitis": ("pooling",)}


class Copy:
    """A copy of the package, and templates in which relu keeps a 0, and one function is new."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "copy"
        shutil.copytree(PACKAGE, self.root / "l1emu", ignore=shutil.ignore_patterns("__pycache__"))
        self.known = self.root / "l1emu" / "firmware" / "known"
        self.templates = folder / "hls4ml" / "templates"
        for backend, headers in HEADERS.items():
            for name in headers:
                target = self.templates / backend / "nnet_utils" / f"nnet_{name}.h"
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(hls4ml_templates() / backend / "nnet_utils" / target.name, target)
        header = self.templates / "vivado" / "nnet_utils" / "nnet_activation.h"
        text = header.read_text()
        at = text.index("datareg > 0", text.index("void relu("))
        text = text[:at] + "datareg >= 0" + text[at + len("datareg > 0") :]
        header.write_text(text.replace("namespace nnet {", "namespace nnet {\nint twice(int x) { return 2 * x; }", 1))

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return self.python("-m", "l1emu.firmware.known", *arguments)

    def python(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": str(self.root)}
        return subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=self.root, env=environment
        )

    def entries(self, name: str) -> dict[str, dict[str, object]]:
        document = json.loads((self.known / "nnet_activation.json").read_text())
        return dict(document.get(name, {}))


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def test_a_release_is_compared_and_added(copy: Copy) -> None:
    before = copy.entries("relu")
    compared = copy.run("compare", copy.templates)
    assert compared.returncode == 0 and not compared.stderr
    assert "relu (vivado/nnet_utils/nnet_activation.h, line " in compared.stdout
    assert "like that of hls4ml 0.7.0 to " in compared.stdout and "if ( datareg [->-] [+>=+]" in compared.stdout
    assert "1 of them not known" in compared.stdout
    assert copy.entries("relu") == before

    added = copy.run("add", copy.templates, "--origin", "hls4ml 9.9.0")
    assert added.returncode == 0 and "nnet_activation.json" in added.stdout
    after = copy.entries("relu")
    (draft,) = set(after) - set(before)
    assert after[draft] == {"meaning": "", "origins": ["hls4ml 9.9.0"]}
    assert not copy.entries("twice")
    softplus = copy.entries("softplus")
    assert any("9.9.0" in str(entry["origins"]) for entry in softplus.values())
    look = f"from l1emu.firmware.known import find; print(find('relu', '{draft}', 'nnet_activation'))"
    assert copy.python("-c", look).stdout.strip() == "None"  # a draft is not accepted

    path = copy.known / "nnet_activation.json"
    path.write_text(path.read_text().replace('"meaning": ""', '"meaning": "From 0 on the number, else 0."'))
    assert "From 0 on the number" in copy.python("-c", look).stdout
    again = copy.run("compare", copy.templates)
    assert "0 of them not known" in again.stdout
    text, tokens = path.read_text(), (copy.known / "tokens.txt").read_text()
    assert draft in tokens
    assert copy.run("add", copy.templates, "--origin", "hls4ml 9.9.0").returncode == 0  # nothing twice
    assert path.read_text() == text and (copy.known / "tokens.txt").read_text() == tokens


def test_the_installed_release_changes_no_file(copy: Copy) -> None:
    hls4ml = pytest.importorskip("hls4ml", reason="hls4ml is not installed")
    done = copy.run("add", hls4ml_templates(), "--origin", f"hls4ml {hls4ml.__version__}")
    assert done.returncode == 0 and "0 of them not known" in done.stdout and "written" not in done.stdout


def test_only_what_is_named(copy: Copy) -> None:
    done = copy.run("add", copy.templates / "vivado" / "nnet_utils", "--origin", "me/fork", "--only", "twice")
    assert done.returncode == 0 and "new: no definition of this name is known" in done.stdout
    (entry,) = copy.entries("twice").values()
    assert entry == {"meaning": "", "origins": ["me/fork"]}
    assert all("me/fork" not in str(entry) for entry in copy.entries("relu").values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "nowhere"], "nowhere: no headers of kernels; expected nnet_utils/"),
        (["add", "TEMPLATES"], "add needs --origin"),
        (["compare", "TEMPLATES", "--only", "thrice"], "not in the templates: thrice"),
    ],
)
def test_refusals(copy: Copy, arguments: list[str], message: str) -> None:
    done = copy.run(*(str(copy.templates) if argument == "TEMPLATES" else argument for argument in arguments))
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr


def test_a_header_that_is_not_understood_is_named_and_left_out(copy: Copy) -> None:
    header = copy.templates / "vivado" / "nnet_utils" / "nnet_merge.h"
    header.write_text("#if 1\n#endif\n")
    done = copy.run("compare", copy.templates)
    assert done.returncode == 0 and "left out: " in done.stderr and "nnet_merge.h: line 1" in done.stderr
