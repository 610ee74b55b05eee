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
        ["train", "wrong.yaml", "--data", "x.npz", "--output", "x"],
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


@pytest.mark.parametrize(
    ("typed", "rooms"),
    [
        ("l1emu ", {"cli.ending", "cli.options", "cli.verbs"}),
        ("l1emu qu", {"cli.ending", "cli.options", "cli.verbs"}),
        ("l1emu --", {"cli.ending", "cli.options", "cli.verbs"}),
        ("l1emu batch ", {"cli.batch"}),
        ("l1emu run --", {"cli.run", "cli.rates"}),  # the second names options of both
    ],
)
def test_completion_loads_what_the_verb_that_stands_there_needs(tmp_path: Path, typed: str, rooms: set[str]) -> None:
    """Each TAB is a process of its own, for which somebody waits."""
    code = f"""
import os, sys
os.environ.update(_L1EMU_COMPLETE="complete_bash", COMP_WORDS={typed!r}, COMP_CWORD={str(typed.count(" "))!r})
from l1emu.cli import main
sys.argv = ["l1emu"]
try:
    main()
finally:
    print("loaded", *(name.removeprefix("l1emu.") for name in sys.modules if name.startswith("l1emu.")))
    print("slow", *sorted(set(sys.modules) & {set(SLOW)!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    *completed, loaded, slow = done.stdout.splitlines()
    assert completed
    assert slow == "slow"
    verbs = {name for name in loaded.split()[1:] if name.startswith("cli.")}
    assert verbs - {"cli.ending", "cli.options", "cli.verbs"} == rooms - {"cli.ending", "cli.options", "cli.verbs"}
    if typed.count(" ") == 1:
        assert len(loaded.split()) <= 14  # with l1emu itself, errors, terminal and what these need
