"""Bad options and files are refused before what takes seconds to load is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SLOW = ("numba", "scipy", "awkward", "simpy", "matplotlib", "pandas", "uproot", "tensorflow")


@pytest.mark.parametrize(
    "arguments",
    [
        ["simulate", "--latency", "x"],
        ["simulate", "--orbits", "0"],
        ["simulate", "--engine", "none"],
        ["simulate", "--clock", "x"],
        ["simulate", "--accept-rate", "nan"],
        ["simulate", "--copies", "0"],
        ["simulate", "--mean-jets", "-1"],
        ["simulate", "--loss", "1"],
        ["simulate", "wrong.yaml"],
        ["simulate", "--budget", "wrong.yaml"],
        ["simulate", "--faults", "wrong.yaml"],
        ["simulate", "--beam", "wrong.yaml"],
        ["simulate", "--filling", "wrong.yaml"],
        ["run", "wrong.yaml"],
        ["rates", "wrong.yaml"],
        ["compile", "wrong.yaml"],
        ["compile", "--for", "avx3"],
        ["generate", "wrong.yaml", "-o", "x.root"],
        ["generate", "--jobs", "0", "wrong.yaml"],
        ["train", "wrong.yaml", "--jets", "x.npz", "--output", "x"],
        ["convert", "nowhere", "--output", "x"],
        ["validate", "ht-rates", "--calibration", "wrong.yaml"],
        ["validate", "strata", "--crossings", "1"],
        ["budget", "wrong.yaml"],
        ["budget", "--clock", "x"],
        ["report", "wrong.yaml"],
        ["estimate", "wrong.yaml"],
        ["batch", "plan", "wrong.yaml", "--shards", "2"],
        ["batch", "plan", "--grid", "wrong.yaml", "--shards", "2"],
        ["batch", "plan", "--shards", "0"],
        ["batch", "status", "nowhere"],
        ["batch", "shard", "nowhere", "0"],
        ["batch", "run", "nowhere"],
        ["batch", "resume", "nowhere"],
        ["batch", "merge", "nowhere"],
    ],
    ids=" ".join,
)
def test_a_refusal_loads_nothing_slow(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "wrong.yaml").write_text("a: [\n")
    code = f"""
import sys
from l1emu.cli import main
sys.argv = ["l1emu", *{arguments!r}]
try:
    main()
finally:
    print(*sorted(set(sys.modules) & {set(SLOW)!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.startswith("l1emu: ")
    assert done.stdout == "\n"
