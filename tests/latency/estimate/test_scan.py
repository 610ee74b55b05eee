"""A scan asks of each point what the budget asks of one tagger, and writes its folder whole."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from l1emu import cli
from l1emu.latency import check, read_budget
from l1emu.latency.clock import period_ns
from l1emu.latency.estimate import estimated_timing, load_design
from l1emu.latency.estimate.scan import scan
from l1emu.resources import resource

PART = "xcvu13p-flga2577-2-e"
FIRMWARE = resource("models/jet-tagger/tagger.l1fw")
BUDGET = read_budget(resource("budgets/cms-phase2.yaml"))
SCAN = ("estimate", FIRMWARE, "--part", PART, "--scan", "--strategy", "latency", "--bits", "8")


def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["l1emu", *map(str, words)])
    code: object = 0
    try:
        cli.main()
    except SystemExit as stop:
        code = stop.code or 0
    out, err = capsys.readouterr()
    return int(str(code)), out, err


@pytest.mark.parametrize("asked", [{}, {"copies": 1}, {"copies": 6, "jets": 4}])
def test_each_point_is_what_the_budget_says_of_it(asked: Any) -> None:
    clocks, factors = (240.0, 360.0, 480.0), (1, 8, 64)
    points = scan(
        load_design(FIRMWARE),
        part=PART,
        clocks_ns=[period_ns(mhz) for mhz in clocks],
        reuse=factors,
        strategies=("latency",),
        budget=BUDGET,
        **asked,
    )
    places = [(factor, mhz) for factor in factors for mhz in clocks]
    answers = set()
    for (factor, mhz), point in zip(places, points, strict=True):
        timing = estimated_timing(FIRMWARE, mhz, part=PART, reuse=factor, strategy="latency")
        expected = check(BUDGET, timing, **asked)
        found = point.as_dict()
        # over all of the band
        assert expected.ends is not None
        worst = expected.ends[1]
        assert found["fits_slice"] == worst.slice.passed
        assert found["fits_chain"] == worst.chain.passed
        assert found["keeps_up"] == worst.keeps_up
        assert found["fits_part"] == worst.fits_part
        assert (found["fits_budget"], found["verdict"]) == (expected.passed, expected.verdict)
        assert found["reasons"] == list(expected.reasons)
        assert (found["runs_at_mhz"], found["copies"], found["jets"]) == (mhz, expected.copies, expected.jets)
        assert (found["wait_cycles"], found["copies_needed"]) == (expected.wait_cycles, expected.copies_needed)
        assert bool(found["reasons"]) is not found["fits_budget"]
        answers |= {(found["fits_slice"], found["keeps_up"], found["fits_part"])}
    assert len(answers) > 1


def test_a_point_between_the_clocks_runs_at_the_next_slower_one() -> None:
    points = scan(load_design(FIRMWARE), part=PART, clocks_ns=[3.0, 60.0, period_ns(320)], reuse=(8,), budget=BUDGET)
    assert [point.as_dict()["runs_at_mhz"] for point in points] == [320.0, None, 320.0]
    slow = points[1].as_dict()
    assert (slow["fits_slice"], slow["keeps_up"], slow["fits_budget"]) == (False, False, False)
    assert slow["reasons"] == ["no clock locked to the LHC's is as slow as 60 ns"]
    plain = scan(load_design(FIRMWARE), part=PART, clocks_ns=[3.0], reuse=(8,))[0].as_dict()
    assert (plain["fits_slice"], plain["fits_budget"], plain["reasons"]) == (None, None, [])


def test_the_command_takes_clocks_with_units_and_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = (*SCAN, "--reuse", "4,64", "--clock", "0.24GHz,320MHz,2.5ns,2777.8ps")
    code, out, _ = call(monkeypatch, capsys, *words, "--output", tmp_path / "scan", "--json")
    assert code == 0
    document = json.loads(out)
    assert [p["runs_at_mhz"] for p in document["points"]] == [240.0, 320.0, 400.0, 360.0] * 2
    assert [p["clock_ns"] for p in document["points"][:4]] == [period_ns(mhz) for mhz in (240, 320, 400, 360)]
    assert (document["jets"], document["copies"]) == (12, 2)
    assert any("copies needed" in reason for p in document["points"] for reason in p["reasons"])
    assert json.loads((tmp_path / "scan" / "scan.json").read_text()) == document
    with open(tmp_path / "scan" / "scan.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["fits_budget"] for row in rows] == [str(p["fits_budget"]) for p in document["points"]]
    assert [row["reasons"] for row in rows] == ["; ".join(p["reasons"]) for p in document["points"]]
    code, out, _ = call(monkeypatch, capsys, *words)
    text = " ".join(out.split())
    assert code == 0 and "keep to the budget (CMS Phase-2 Level-1)" in text and "with 2 copies" in text


def test_the_clock_of_an_estimate_has_a_unit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = ("estimate", FIRMWARE, "--part", PART, "--reuse", 8, "--json")
    periods = []
    for clock in ("320", "320MHz", "0.32GHz", "2.5ns", "2500ps"):
        code, out, _ = call(monkeypatch, capsys, *plain, "--clock", clock)
        assert code == 0
        periods.append(json.loads(out)["clock_target_ns"])
    assert periods == [pytest.approx(period_ns(320))] * 3 + [2.5, 2.5]
    for words, message in (
        (("--clock", "2.5"), "expected a unit: 2.5ns or 400MHz, perhaps"),
        (("--clock", "320,240"), "a list"),
        (("--clock", "320", "--jets", 4), "--jets without --scan"),
        (("--clock", "320", "--copies", 4), "--copies without --scan"),
        (("--scan", "--clock", "240MHz,3"), "expected a unit: 3ns or 333.3MHz, perhaps"),
        (("--scan", "--copies", 2**31), "1 to 1,024"),
        (("--bits", "1_6"), "--bits: not understood"),
        (("--bits", "٨"), "--bits: not understood"),
        (("--bits", "6,,8", "--scan"), "--bits: not a list"),
    ):
        code, out, err = call(monkeypatch, capsys, *plain, *words)
        assert (code, out) == (2, "")
        assert err.startswith("l1emu: ") and err.count("\n") == 1 and message in err


@pytest.mark.parametrize("reuse", ["0", "-1", "1_0", "٣", "1e3", "nan", "1000001", "9" * 30, ""])
def test_a_reuse_factor_is_a_whole_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], reuse: Any
) -> None:
    code, out, err = call(monkeypatch, capsys, "estimate", FIRMWARE, "--part", PART, "--clock", "320", "--reuse", reuse)
    assert (code, out) == (2, "")
    assert any(
        message in err for message in ("not a reuse factor", "--reuse: not understood", "--reuse: this is empty")
    )


def test_a_folder_of_other_things_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    for words in ((*SCAN, "--reuse", 8, "--output", tmp_path), ("simulate", "--orbits", 1, "--output", tmp_path)):
        code, _, err = call(monkeypatch, capsys, *words)
        assert code == 2 and "it will not be replaced" in err
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


KILLED = """
import os, signal, sys
from pathlib import Path
import l1emu.report.figures as figures
import l1emu.cli.estimate as verb
place = sys.argv.pop(1)
def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
if place == "json":
    verb.write_json = kill
elif place == "csv":
    Path.write_text = kill
elif place == "figure":
    figures.save = kill
else:
    plain = os.replace
    def replace(source, target):
        if str(target).endswith(place):
            kill()
        plain(source, target)
    os.replace = replace
from l1emu.cli import main
main()
"""


PLACES = [
    (place, before) for place in ("json", "csv", "figure", "scan.png", "scan.pdf", "out") for before in (False, True)
]
QUICK = {("csv", True), ("scan.pdf", False)}


@pytest.mark.parametrize(
    ("place", "before"),
    [pytest.param(*case, marks=() if case in QUICK else pytest.mark.exhaustive) for case in PLACES],
)
def test_a_killed_scan_leaves_the_older_result_or_none(tmp_path: Path, place: str, before: bool) -> None:
    folder = tmp_path / "out"
    names = {"scan.json", "scan.csv", "scan.png", "scan.pdf"}
    if before:
        folder.mkdir()
        for name in names:
            (folder / name).write_text("older")
    words = [*map(str, SCAN), "--reuse", "8", "--clock", "320MHz", "--output", str(folder), "--json"]
    done = subprocess.run([sys.executable, "-c", KILLED, place, *words], capture_output=True, timeout=600)
    assert done.returncode == -9, done.stderr
    if before:
        assert {file.name: file.read_text() for file in folder.iterdir()} == dict.fromkeys(names, "older")
    else:
        assert not folder.exists()
