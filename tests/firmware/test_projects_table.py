"""The table of projects that `benchmarks/projects.py` prints."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.firmware.foreign.own_kernels import dense_project
from tests.handmade_projects import every_kind, need_compiler

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "projects.py"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False)


def test_reads_and_refuses_with_reasons(tmp_path: Path) -> None:
    every_kind(tmp_path / "good", 1)
    bad = every_kind(tmp_path / "bad", 1)
    top = bad / "firmware" / "parameters.h"
    top.write_text(top.read_text().replace("n_in", "n_inn", 1))
    shutil.copytree(tmp_path / "good", tmp_path / "like good")
    done = run(tmp_path, "--no-build", "--json")
    rows = {Path(row["project"]).name: row for row in json.loads(done.stdout)}
    assert done.returncode == 0 and set(rows) == {"good", "bad", "like good"}
    assert rows["like good"]["outcome"] == "the same as another" and rows["like good"]["detail"].endswith("/good")
    assert rows["good"]["outcome"] == "read" and rows["good"]["layers"] > 5
    assert rows["bad"]["outcome"] == "refused" and rows["bad"]["detail"].startswith("firmware/")
    text = run(tmp_path, "--no-build").stdout
    assert "1 read" in text and "1 refused" in text


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 1 and "no hls4ml project below" in done.stderr


def test_counts_projects_with_cpp_layers(tmp_path: Path) -> None:
    need_compiler()
    dense_project(tmp_path / "own")
    broken = dense_project(tmp_path / "broken", "res[0] = no_such_name;")
    missing = dense_project(tmp_path / "missing") / "firmware" / "weights" / "w_fc1.h"
    missing.unlink()
    (dense_project(tmp_path / "other") / "firmware" / "defines.h").write_text("#include <sycl/sycl.hpp>\n")
    done = run(tmp_path, "--unknown", "cpp", "--jets", "12", "--json", "--seconds", "600")
    rows = {Path(row["project"]).name: row for row in json.loads(done.stdout)}
    assert done.returncode == 0 and "own_kernel" in done.stderr
    assert rows["own"]["outcome"] == "identical, with C++ layers" and rows["own"]["layers"] == 3
    assert rows[broken.name]["outcome"] == "does not compile"
    assert rows["missing"]["outcome"] == "no C++ to compare with"
    assert rows["other"]["outcome"] == "another backend"


def test_a_project_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    every_kind(tmp_path / "p", 1)
    done = run(tmp_path, "--no-build", "--json", "--seconds", "0.01")
    (row,) = json.loads(done.stdout)
    assert done.returncode == 0 and row["outcome"] == "not done in time" and row["detail"] == "more than 0.01 s"
