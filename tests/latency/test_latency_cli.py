"""`l1emu report` and `l1emu budget`: tables, JSON and exit codes, as a shell sees them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from handmade_reports import Design, csynth_xml

from l1emu import cli


@pytest.fixture
def l1emu(monkeypatch, capsys):
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
def report(tmp_path) -> Path:
    path = tmp_path / "tagger_csynth.xml"
    path.write_text(csynth_xml(Design()))
    return path


def test_report_json(l1emu, report):
    code, out, err = l1emu("report", report, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["latency_cycles"] == [84, 84]


def test_report_table_says_timing_failure(l1emu, tmp_path):
    path = tmp_path / "tagger_csynth.xml"
    path.write_text(csynth_xml(Design(estimated="3.100")))
    code, out, _ = l1emu("report", path)
    assert code == 1
    assert "VOID" in out and "TIMING FAILURE" in out and "201,345 of 1,728,000" in out


def test_report_without_latency_is_one_line(l1emu, tmp_path):
    path = tmp_path / "tagger_csynth.xml"
    path.write_text(csynth_xml(Design()).replace("<Worst-caseLatency>84", "<Worst-caseLatency>undef"))
    code, out, err = l1emu("report", path, "--json")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and "no latency" in err and str(path) in err


def test_budget_of_the_default_tagger(l1emu):
    code, out, _ = l1emu("budget")
    assert code == 0
    assert "PASS (on unverified numbers)" in out
    assert "Correlator Layer-2" in out and "12,475" in out and "slack" in out


def test_budget_json_is_one_document(l1emu, report):
    code, out, err = l1emu("budget", "--report", report, "--jets", 12, "--copies", 2, "--clock", 480, "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["tagger"]["clock_mhz"] == 480 and document["throughput"]["window_cycles"] == 72
    assert any("not proven" in text for text in document["tagger"]["caveats"])


def test_budget_failure_is_exit_code_1(l1emu):
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
        (["--jets", 0], "below 1"),
        (["absent.yaml"], "no such file"),
    ],
)
def test_bad_input_is_exit_code_2(l1emu, words, match):
    code, out, err = l1emu("budget", *words)
    assert (code, out) == (2, "")
    assert match in err and err.count("\n") == 1


def test_budget_over_its_total_is_exit_code_2(l1emu, tmp_path):
    path = tmp_path / "over.yaml"
    from l1emu.resources import resource

    path.write_text(resource("budgets/cms-phase2.yaml").read_text().replace("crossings: 160", "crossings: 260"))
    code, _, err = l1emu("budget", path)
    assert code == 2
    assert "over.yaml" in err and "600 crossings" in err and "total of 500" in err


def test_budget_says_whether_the_copies_fit_the_part_and_draws_the_stages(l1emu, tmp_path):
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


def test_budget_counts_the_routed_design_where_the_project_has_one(l1emu, tmp_path):
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


def test_budget_without_resources_does_not_say_whether_it_fits(l1emu):
    _, out, _ = l1emu("budget", "--json")
    assert json.loads(out)["part"] == {"name": None, "copies": 2, "fits": None, "use": []}
