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
    assert code == 0
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
