"""What a release says of itself is one version everywhere, and a wheel of it works outside the checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from l1emu.version import __version__

ROOT = Path(__file__).parent.parent


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    assert citation["license"] == "BSD-3-Clause"


@pytest.mark.exhaustive
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_a_wheel_works_in_a_fresh_environment_outside_the_checkout(tmp_path: Path, version: str) -> None:
    interpreter = shutil.which(f"python{version}")
    if interpreter is None or subprocess.run([interpreter, "-c", ""], capture_output=True).returncode != 0:
        pytest.skip(f"no Python {version} on this machine")
    wheels = tmp_path / "wheels"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(wheels), str(ROOT)], check=True)
    (wheel,) = wheels.glob("l1emu-*.whl")
    subprocess.run([interpreter, "-m", "venv", str(tmp_path / "env")], check=True)
    python = str(tmp_path / "env" / "bin" / "python")
    pip[0] = python
    subprocess.run([*pip, "install", "-c", str(ROOT / "constraints.txt"), str(wheel)], check=True)
    settings = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"L1EMU_CACHE_DIR": str(tmp_path / "cache")}
    words = [str(tmp_path / "env" / "bin" / "l1emu"), "run", "--output", str(tmp_path / "results")]
    done = subprocess.run(words, cwd=tmp_path, env=settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "0 of 2,000 golden jets differ" in done.stdout
    assert (tmp_path / "results" / "report.html").is_file()


def test_what_is_said_of_installing_is_there() -> None:
    """Until there is a release, only what an installed l1emu adds to itself may be asked of an index by its name."""
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for line in page.read_text(encoding="utf-8").splitlines():
            found = re.search(r"pip install (.*)", line)
            assert found is None or "l1emu" not in re.sub(r"'l1emu\[\w+(,\w+)*\]'|l1emu-[\d.]+-py3", "", found[1]), page
