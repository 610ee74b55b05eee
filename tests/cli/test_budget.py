"""`l1emu report` and `l1emu budget`: tables, JSON and exit codes, as a shell sees them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from l1emu import cli
from l1emu.resources import resource
from tests.latency.handmade_reports import Design, csynth_xml, export


@pytest.fixture
def l1emu(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command line; gives exit code, standard output and standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setattr("sys.argv", ["l1emu", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        out, err = capsys.readouterr()
        return int(caught.value.code or 0), out, err

    return run


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "tagger_csynth.xml"
    path.write_text(csynth_xml(Design()))
    return path


def test_report_json(l1emu: Any, report: Path) -> None:
    code, out, err = l1emu("report", report, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["latency_cycles"] == [84, 84]


def test_report_table_says_timing_failure(l1emu: Any, tmp_path: Path) -> None:
    path = tmp_path / "tagger_csynth.xml"
    path.write_text(csynth_xml(Design(estimated="3.100")))
    code, out, _ = l1emu("report", path)
    assert code == 1
    assert "VOID" in out and "TIMING FAILURE" in out and "201,345 of 1,728,000" in out


def test_report_without_latency_is_one_line(l1emu: Any, tmp_path: Path) -> None:
    path = tmp_path / "tagger_csynth.xml"
    path.write_text(csynth_xml(Design()).replace("<Worst-caseLatency>84", "<Worst-caseLatency>undef"))
    code, out, err = l1emu("report", path, "--json")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and "no latency" in err and str(path) in err


def test_budget_of_the_default_tagger_is_that_of_its_estimate(l1emu: Any) -> None:
    code, out, _ = l1emu("budget")
    verdict = out.splitlines()[-1]
    assert verdict in ("PASS (on unverified numbers)", "NOT DECIDED (on unverified numbers)")
    assert code == (0 if verdict.startswith("PASS") else 1)
    assert "Correlator Layer-2" in out and "12,475" in out and "slack" in out and "band: " in out
    _, mine, _ = l1emu("budget", "--json")
    _, asked, _ = l1emu("budget", "--estimate", resource("models/jet-tagger/tagger.l1fw"), "--json")
    assert mine == asked
    document = json.loads(mine)
    assert document["tagger"]["kind"] == "estimate"
    band = document["tagger"]["band"]["latency_cycles"]
    assert band["low"] <= band["typical"] == document["tagger"]["latency_cycles"] <= band["high"]


@pytest.mark.parametrize(("crossings", "verdict"), [(0, "yes"), (1, "yes"), (-1, "not decided"), (None, "no")])
def test_an_estimate_passes_where_its_upper_end_does(
    l1emu: Any, tmp_path: Path, crossings: int | None, verdict: str
) -> None:
    """The slice in crossings more than the upper end of the band takes; None: one less than its lower end takes."""
    firmware = resource("models/jet-tagger/tagger.l1fw")
    shipped = yaml.safe_load(resource("budgets/cms-phase2.yaml").read_text())
    _, out, _ = l1emu("budget", "--estimate", firmware, "--json")
    low, high = json.loads(out)["slice_band_crossings"]
    assert low < high - 1
    held = next(stage for stage in shipped["stages"] if "tagger" in stage)
    held["tagger"]["crossings"] = low - 1 if crossings is None else high + crossings
    longer = max(0, held["tagger"]["crossings"] - held["crossings"])
    held["crossings"] += longer
    shipped["stages"][-1]["crossings"] -= longer  # the contingency
    path = tmp_path / "budget.yaml"
    path.write_text(yaml.safe_dump(shipped))
    code, out, _ = l1emu("budget", path, "--estimate", firmware, "--json")
    document = json.loads(out)
    assert (document["verdict"], document["passed"], code) == (verdict, verdict == "yes", 0 if verdict == "yes" else 1)
    assert all(("not decided" in reason) == (verdict == "not decided") for reason in document["reasons"])
    assert bool(document["reasons"]) == (verdict != "yes")
    slack = document["band"]["slice_slack_ns"]
    assert slack["high"] <= slack["typical"] <= slack["low"]
    assert (slack["high"] >= 0, slack["low"] >= 0) == (verdict == "yes", verdict != "no")


def test_budget_json_is_one_document(l1emu: Any, report: Path) -> None:
    code, out, err = l1emu("budget", "--report", report, "--jets", 12, "--copies", 2, "--clock", 480, "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["tagger"]["clock_mhz"] == 480 and document["throughput"]["window_cycles"] == 72
    assert any("not proven" in text for text in document["tagger"]["caveats"])


def test_budget_failure_is_exit_code_1(l1emu: Any) -> None:
    code, out, _ = l1emu("budget", "--latency", 361, "--interval", 1, "--jets", 1)
    assert code == 1 and "FAIL" in out and "TOO LONG" in out
    code, out, _ = l1emu("budget", "--latency", 361, "--interval", 1, "--jets", 1, "--json")
    assert code == 1 and json.loads(out)["slice"]["slack_crossings"] == -1


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--latency", 10], "--latency CYCLES and --interval CYCLES together"),
        (["--report", "x.xml", "--latency", 10], "at once"),
        (["--report", "absent.xml"], "no such file"),
        (["--clock", 357], "not locked to the LHC"),
        (
            ["--clock", "2.5"],
            "--clock: 2.5 MHz is no clock of a trigger board: got '2.5'; expected a unit: 2.5ns or 400MHz",
        ),
        (["--clock", "nan"], "not a clock"),
        (["--clock", "2.8ns"], "not locked to the LHC"),
        (["--jets", 0], "below 1"),
        (["--jets", 2**40], "1 to 1,024"),
        (["--copies", 2**40], "1 to 1,024"),
        (["--latency", 2**31, "--interval", 1], "at most 1,000,000 cycles"),
        (["--latency", 1, "--interval", 2**63], "at most 1,000,000 cycles"),
        (["--latency", -1, "--interval", 1], "a latency below 0"),
        (["absent.yaml"], "no such file"),
    ],
)
def test_bad_input_is_exit_code_2(l1emu: Any, words: Any, match: str) -> None:
    code, out, err = l1emu("budget", *words)
    assert (code, out) == (2, "")
    assert match in err and err.count("\n") == 1


@pytest.mark.parametrize("clock", ["480", "480MHz", "0.48GHz", "2.0833ns", "2083.3ps", "2.0792ns"])
def test_a_clock_is_written_one_way_everywhere(l1emu: Any, clock: str) -> None:
    code, out, _ = l1emu("budget", "--clock", clock, "--json")
    assert code == 0 and json.loads(out)["tagger"]["clock_mhz"] == 480
    code, out, _ = l1emu("simulate", "--orbits", 1, "--clock", clock, "--accept-rate", "0.1MHz", "--json")
    assert code == 0 and json.loads(out)["tagger"]["clock_mhz"] == 480


def test_budget_and_simulate_take_the_same_tagger_from_a_report(l1emu: Any, report: Path) -> None:
    words = ("--report", report, "--copies", 3, "--clock", "320MHz", "--json")
    code, out, _ = l1emu("budget", *words)
    chain = json.loads(out)["chain"]
    assert code == 0
    code, out, _ = l1emu("simulate", "--orbits", 1, *words)
    document = json.loads(out)
    assert code == 0
    assert (document["tagger"]["latency_cycles"], document["tagger"]["interval_cycles"]) == (84, 6)
    assert document["chain"]["unloaded_crossings"] == chain["used_crossings"]
    assert document["chain"]["difference_ns"] == 0
    code, _, err = l1emu("simulate", "--report", report, "--latency", 3)
    assert code == 2 and "at once" in err
    report.write_text(csynth_xml(Design(estimated="3.100")))
    code, out, _ = l1emu("simulate", "--orbits", 1, *words)
    assert code == 1 and "the tagger's latency is void: TIMING FAILURE" in json.loads(out)["reasons"][0]


def test_a_stream_that_is_late_or_loses_is_exit_code_1(l1emu: Any) -> None:
    code, out, _ = l1emu("simulate", "--orbits", 1, "--latency", 2000, "--json")
    document = json.loads(out)
    assert (code, document["passed"]) == (1, False)
    assert document["late"] > 0 and "crossings are late" in document["reasons"][0]
    code, out, _ = l1emu("simulate", "--orbits", 1, "--copies", 1, "--interval", 30)
    assert code == 1 and "jets find the tagger's queue full" in out


def test_a_void_implementation_is_exit_code_1(l1emu: Any, tmp_path: Path) -> None:
    path = tmp_path / "tagger_export.rpt"
    path.write_text(export("2.51"))
    code, out, _ = l1emu("report", path, "--json")
    assert code == 1 and json.loads(out)["latency_void"] is True
    path.write_text(export())
    code, out, _ = l1emu("report", path, "--json")
    assert code == 0 and json.loads(out)["latency_void"] is False


def test_a_void_report_is_exit_code_1_with_its_document(l1emu: Any, tmp_path: Path) -> None:
    path = tmp_path / "tagger_csynth.xml"
    path.write_text(csynth_xml(Design(estimated="3.100")))
    code, out, err = l1emu("report", path, "--json")
    assert (code, err) == (1, "")
    assert json.loads(out)["latency_void"] is True


def test_the_row_of_keeping_up_shows_the_numbers_that_decide(l1emu: Any) -> None:
    words = ("--latency", 200, "--interval", 113, "--jets", 1)
    code, out, _ = l1emu("budget", *words, "--copies", 3)
    row = " ".join(next(line for line in out.splitlines() if "keeps up" in line).split())
    assert code == 0
    assert "3 copies, in 3 sets by turns" in row and "113 cycles │ 162 cycles │ 49 cycles │ yes" in row
    code, out, _ = l1emu("budget", *words, "--copies", 2)
    row = " ".join(next(line for line in out.splitlines() if "keeps up" in line).split())
    assert code == 1 and "113 cycles │ 108 cycles │ -5 cycles │ NO, 3 copies needed" in row


def test_budget_over_its_total_is_exit_code_2(l1emu: Any, tmp_path: Path) -> None:
    path = tmp_path / "over.yaml"
    from l1emu.resources import resource

    path.write_text(resource("budgets/cms-phase2.yaml").read_text().replace("crossings: 160", "crossings: 260"))
    code, _, err = l1emu("budget", path)
    assert code == 2
    assert "over.yaml" in err and "600 crossings" in err and "total of 500" in err


def test_budget_says_whether_the_copies_fit_the_part_and_draws_the_stages(l1emu: Any, tmp_path: Path) -> None:
    path = tmp_path / "tagger_csynth.xml"
    path.write_text(csynth_xml(Design(lut=700_000)))
    code, out, _ = l1emu("budget", "--report", path, "--copies", 2, "--figure", tmp_path / "stages.png")
    assert code == 0
    assert "fits the part: 2 copies on xcvu13p-flga2577-2-e, most of its LUT" in out
    assert {p.name for p in tmp_path.glob("stages.*")} == {"stages.png", "stages.pdf"}
    code, out, _ = l1emu("budget", "--report", path, "--copies", 3, "--json")
    document = json.loads(out)
    assert code == 1
    assert document["part"]["fits"] is False
    (lut,) = (use for use in document["part"]["use"] if use["resource"] == "LUT")
    assert (lut["used"], lut["available"]) == (2_100_000, 1_728_000)
    assert "3 copies take 2,100,000 LUT, xcvu13p-flga2577-2-e offers 1,728,000" in document["reasons"]


def test_budget_counts_the_routed_design_where_the_project_has_one(l1emu: Any, tmp_path: Path) -> None:
    reports = tmp_path / "p" / "solution1" / "syn" / "report"
    reports.mkdir(parents=True)
    (reports / "tagger_csynth.xml").write_text(csynth_xml(Design(lut=700_000)))
    (tmp_path / "p" / "tagger_export.rpt").write_text(
        "Implementation tool: Xilinx Vivado v.2023.2\nDevice target: xcvu13p-flga2577-2-e\n"
        "#=== Post-Implementation Resource usage ===\nLUT: 300000\nFF: 1\nDSP: 2\nBRAM: 3\n"
        "CP required: 2.500\nCP achieved post-implementation: 2.4\n"
    )
    _, out, _ = l1emu("budget", "--report", tmp_path / "p", "--copies", 3, "--json")
    use = {use["resource"]: use["used"] for use in json.loads(out)["part"]["use"]}
    assert use["LUT"] == 900_000


def test_budget_without_resources_does_not_say_whether_it_fits(l1emu: Any) -> None:
    _, out, _ = l1emu("budget", "--latency", 260, "--interval", 8, "--json")
    assert json.loads(out)["part"] == {"name": None, "copies": 2, "fits": None, "use": []}
