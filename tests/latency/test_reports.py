"""Reports of every tool version and layout, the traps in them, and damage that must not yield a number."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from l1emu.errors import L1emuError
from l1emu.latency.reports import SynthesisReport, read_report
from tests.latency.handmade_reports import Design, cosim_rpt, csynth_rpt, csynth_xml, transactions

SOUND = Design()
VERSIONS = ["2018.2", "2019.1", "2019.2.1", "2020.1", "2020.2", "2022.2", "2023.2", "2024.2", "2025.1"]
REAL = Path(__file__).resolve().parents[2].parent / "shared" / "reference" / "latency" / "reports"


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def of_version(version: str) -> Design:
    return replace(SOUND, version=version, pipeline="yes" if version >= "2020.2" else "function")


def texts(report: SynthesisReport) -> str:
    return "\n".join(problem.text for problem in report.problems)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("name", "write"), [("tagger_csynth.xml", csynth_xml), ("tagger_csynth.rpt", csynth_rpt)])
def test_every_number_of_every_version(tmp_path: Path, version: Any, name: str, write: Any) -> None:
    report = read_report(written(tmp_path, name, write(of_version(version))))
    assert report.tool == ("Vitis HLS" if version >= "2020.2" else "Vivado HLS")
    assert (report.version, report.top, report.part) == (version, "tagger", "xcvu13p-flga2577-2-e")
    assert (report.clock_target_ns, report.clock_estimated_ns, report.clock_uncertainty_ns) == (2.5, 1.775, 0.68)
    assert (report.latency_cycles, report.interval_cycles) == ((84, 84), (6, 6))
    uram = None if version == "2018.2" else 0
    assert list(report.resources.as_dict().values()) == [310, 201345, 88123, 17, uram]
    assert report.available.lut == 1728000
    assert report.problems == () and not report.void
    assert name in report.origin and len(report.sha256) == 64


def test_json_has_the_promised_keys(tmp_path: Path) -> None:
    document = read_report(written(tmp_path, "tagger_csynth.xml", csynth_xml(SOUND))).as_dict()
    assert document["latency_cycles"] == [84, 84] and document["interval_cycles"] == [6, 6]
    assert list(document["resources"]) == ["DSP", "LUT", "FF", "BRAM_18K", "URAM"]
    assert {"part", "top", "clock_target_ns", "clock_estimated_ns", "origin", "problems"} <= document.keys()


@pytest.mark.parametrize("write", [csynth_xml, csynth_rpt])
def test_failed_timing_voids_the_latency(tmp_path: Path, write: Any) -> None:
    report = read_report(written(tmp_path, "tagger_csynth", write(replace(SOUND, estimated="2.501"))))
    assert report.void
    assert "TIMING FAILURE" in report.problems[0].text and "2.501" in report.problems[0].text


def test_clock_met_only_without_its_uncertainty_is_said_but_not_void(tmp_path: Path) -> None:
    report = read_report(written(tmp_path, "tagger_csynth.xml", csynth_xml(replace(SOUND, estimated="2.157"))))
    assert not report.void and "uncertainty" in texts(report)


@pytest.mark.parametrize("write", [csynth_xml, csynth_rpt])
def test_varying_latency_and_interval(tmp_path: Path, write: Any) -> None:
    design = replace(SOUND, best=80, worst=101, low=40, high=60, pipeline="dataflow")
    report = read_report(written(tmp_path, "tagger_csynth", write(design)))
    assert (report.latency_cycles, report.interval_cycles) == ((80, 101), (40, 60))
    assert "latency varies" in texts(report) and "interval varies" in texts(report)


def test_interval_zero_is_no_interval(tmp_path: Path) -> None:
    report = read_report(written(tmp_path, "x_csynth.rpt", csynth_rpt(replace(SOUND, low=0, high=0))))
    assert report.interval_cycles == (None, None) and report.void


def test_more_than_the_part_offers_is_said(tmp_path: Path) -> None:
    report = read_report(written(tmp_path, "tagger_csynth.xml", csynth_xml(replace(SOUND, lut=3_456_000))))
    assert "LUT 3456000 of 1728000 (2.0 times)" in texts(report)


@pytest.mark.parametrize("write", [csynth_xml, csynth_rpt])
def test_wrapper_that_hides_the_network(tmp_path: Path, write: Any) -> None:
    design = replace(SOUND, best=3, worst=3, low=1, high=1, modules=(("network", 84, 6),))
    report = read_report(written(tmp_path, "tagger_csynth", write(design)))
    assert report.void and "network takes 84" in report.problems[0].text


@pytest.mark.parametrize("write", [csynth_xml, csynth_rpt])
def test_wrapper_that_is_not_pipelined(tmp_path: Path, write: Any) -> None:
    design = replace(SOUND, low=85, high=85, pipeline="no", modules=(("network", 83, 6),))
    report = read_report(written(tmp_path, "tagger_csynth", write(design)))
    assert not report.void and "the module alone every 6" in texts(report)


def test_a_results_folder_is_told_apart_from_one_without_a_report(tmp_path: Path) -> None:
    with pytest.raises(L1emuError, match="no synthesis report found"):
        read_report(tmp_path)
    written(tmp_path, "results.json", "{}")
    with pytest.raises(L1emuError, match=r"a results folder of l1emu.*expected a browser for the report\.html in it"):
        read_report(tmp_path)


def test_module_posing_as_the_top(tmp_path: Path) -> None:
    place = tmp_path / "tagger_prj" / "solution1" / "syn" / "report"
    written(tmp_path, "tagger_prj/hls.app", '<project top="tagger" name="tagger_prj"/>')
    module = written(place, "dense_csynth.xml", csynth_xml(replace(SOUND, top="dense", best=2, worst=2)))
    report = read_report(module)
    assert report.void and "module dense inside tagger" in texts(report)
    with pytest.raises(L1emuError, match="no report of the top function tagger"):
        read_report(tmp_path)
    written(place, "tagger_csynth.xml", csynth_xml(SOUND))
    assert read_report(tmp_path).top == "tagger"


def test_module_is_known_by_the_report_that_calls_it(tmp_path: Path) -> None:
    written(tmp_path, "tagger_csynth.rpt", csynth_rpt(replace(SOUND, modules=(("attention", 30, 6),))))
    module = written(tmp_path, "attention_csynth.rpt", csynth_rpt(replace(SOUND, top="attention", best=30, worst=30)))
    assert "module attention inside tagger" in texts(read_report(module))
    assert read_report(tmp_path).top == "tagger"


def test_lone_module_is_known_by_its_name(tmp_path: Path) -> None:
    name = "dense_latency_ap_fixed_8_4_config3_s"
    report = read_report(written(tmp_path, f"{name}_csynth.xml", csynth_xml(replace(SOUND, top=name))))
    assert report.void and "named like a layer" in texts(report)


def test_a_top_may_be_named_after_a_layer(tmp_path: Path) -> None:
    report = read_report(written(tmp_path, "lstm_tagger_csynth.xml", csynth_xml(replace(SOUND, top="lstm_tagger"))))
    assert not report.void


@pytest.mark.parametrize(
    "place",
    [
        "tagger_prj/solution1/syn/report/tagger_csynth.xml",
        "hls_component/tagger/hls/syn/report/tagger_csynth.xml",
        "tagger_prj/solution1/syn/report/csynth.xml",
        "tagger_prj/solution1/syn/report/tagger_csynth.rpt",
        "tagger_csynth.xml",
        "kept/report_of_may.xml",
    ],
)
def test_layouts(tmp_path: Path, place: str) -> None:
    written(tmp_path, place, csynth_rpt(SOUND) if place.endswith("rpt") else csynth_xml(SOUND))
    written(tmp_path, "firmware/weights/w2_csynth.xml", "not a report")
    assert read_report(tmp_path).latency_cycles == (84, 84)


def test_nothing_found_says_where_it_looked(tmp_path: Path) -> None:
    written(tmp_path, "notes.txt", "nothing")
    with pytest.raises(L1emuError, match=r"looked at 1 files.*solution1/syn/report"):
        read_report(tmp_path)
    with pytest.raises(L1emuError, match="no such file"):
        read_report(tmp_path / "absent.xml")


def test_two_designs_are_not_chosen_between(tmp_path: Path) -> None:
    for solution in ("solution1", "solution2"):
        written(tmp_path, f"p/{solution}/syn/report/tagger_csynth.xml", csynth_xml(SOUND))
    with pytest.raises(L1emuError, match="2 designs below this folder"):
        read_report(tmp_path)


def test_gzip(tmp_path: Path) -> None:
    path = tmp_path / "tagger_csynth.xml.gz"
    path.write_bytes(gzip.compress(csynth_xml(SOUND).encode()))
    assert read_report(path).latency_cycles == (84, 84)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(L1emuError, match="damaged"):
        read_report(path)


def test_the_two_formats_are_compared(tmp_path: Path) -> None:
    path = written(tmp_path, "tagger_csynth.xml", csynth_xml(SOUND))
    written(tmp_path, "tagger_csynth.rpt", csynth_rpt(replace(SOUND, lut=201346)))
    report = read_report(path)
    assert report.void and "resources LUT 201345 against 201346" in texts(report)


def test_modules_are_taken_from_the_text_report_beside(tmp_path: Path) -> None:
    path = written(tmp_path, "tagger_csynth.xml", csynth_xml(SOUND))
    written(tmp_path, "tagger_csynth.rpt", csynth_rpt(replace(SOUND, modules=(("network", 90, 6),))))
    report = read_report(path)
    assert [module.name for module in report.modules] == ["network"]
    assert report.void and "hides the network" in texts(report)


class TestCosimulation:
    def test_numbers(self, tmp_path: Path) -> None:
        report = read_report(written(tmp_path, "tagger_cosim.rpt", cosim_rpt(latency=(80, 82, 84), interval=(5, 6, 6))))
        assert (report.kind, report.top) == ("cosimulated", "tagger")
        assert (report.latency_cycles, report.interval_cycles) == ((80, 84), (5, 6))
        assert report.as_dict()["resources"]["LUT"] is None

    def test_single_transaction_has_no_interval(self, tmp_path: Path) -> None:
        for interval in (("NA",) * 3, (0, 0, 0)):
            report = read_report(written(tmp_path, "tagger_cosim.rpt", cosim_rpt(interval=interval)))
            assert report.interval_cycles == (None, None)
            assert "interval not measured" in texts(report)

    @pytest.mark.parametrize(
        ("status", "match"), [("Fail", "did not pass"), ("NA", "no co-simulation was run"), ("Pass", "no latency")]
    )
    def test_without_latency(self, tmp_path: Path, status: str, match: str) -> None:
        with pytest.raises(L1emuError, match=match):
            read_report(written(tmp_path, "tagger_cosim.rpt", cosim_rpt(status, ("NA",) * 3, ("NA",) * 3)))

    def test_passed_with_na_but_transactions_beside(self, tmp_path: Path) -> None:
        path = written(tmp_path, "sim/report/tagger_cosim.rpt", cosim_rpt("Pass", ("NA",) * 3, ("NA",) * 3))
        name = "sim/verilog/tagger.performance.result.transaction.xml"
        beside = written(tmp_path, name, transactions([(84, 6), (86, 7), (84, 0)]))
        for read in (path, beside):
            report = read_report(read)
            assert (report.latency_cycles, report.interval_cycles) == ((84, 86), (6, 7))

    @pytest.mark.parametrize("edit", [("transaction       1", "transaction       2"), ("86", "8?"), ("interval", "")])
    def test_damaged_transactions(self, tmp_path: Path, edit: tuple[str, str]) -> None:
        text = transactions([(84, 6), (86, 7)])
        assert edit[0] in text
        with pytest.raises(L1emuError):
            read_report(written(tmp_path, "t.performance.result.transaction.xml", text.replace(*edit)))

    @pytest.mark.parametrize(("cycles", "void"), [(80, False), (84, False), (85, True)])
    def test_beside_synthesis(self, tmp_path: Path, cycles: int, void: bool) -> None:
        written(tmp_path, "p/solution1/syn/report/tagger_csynth.xml", csynth_xml(SOUND))
        written(tmp_path, "p/solution1/sim/report/tagger_cosim.rpt", cosim_rpt(latency=(cycles,) * 3))
        report = read_report(tmp_path)
        assert report.latency_cycles == (84, 84)
        assert report.cosimulated_cycles == (cycles, cycles)
        assert report.void is void
        assert bool(report.problems) is (cycles != 84)


@pytest.mark.parametrize(
    "tag", ["Worst-caseLatency", "Best-caseLatency", "Interval-max", "SummaryOfOverallLatency", "LUT"]
)
def test_missing_element_is_named(tmp_path: Path, tag: str) -> None:
    text = re.sub(rf"<{tag}>.*?</{tag}>", "", csynth_xml(SOUND), count=1, flags=re.DOTALL)
    with pytest.raises(L1emuError, match="the report has no") as caught:
        read_report(written(tmp_path, "tagger_csynth.xml", text))
    assert str(tmp_path / "tagger_csynth.xml") in str(caught.value)


@pytest.mark.parametrize("value", ["undef", "?", "-", "", "NA", "-84", "84.0", "8e1", "0x54", "٨٤", "nan", "9" * 13])
def test_latency_that_is_no_number(tmp_path: Path, value: Any) -> None:
    text = csynth_xml(SOUND).replace("<Worst-caseLatency>84", f"<Worst-caseLatency>{value}")
    with pytest.raises(L1emuError, match="latency"):
        read_report(written(tmp_path, "tagger_csynth.xml", text))
    table, edits = re.subn(
        r"\|( *)84\|( *)84\|", lambda m: f"|{m[1]}84|{value[:4]:>{len(m[2]) + 2}}|", csynth_rpt(SOUND), count=1
    )
    assert edits == 1
    if not value.startswith("9"):
        with pytest.raises(L1emuError, match="latency"):
            read_report(written(tmp_path, "tagger_csynth.rpt", table))


@pytest.mark.parametrize("period", ["nan", "inf", "-2.5", "0.00", "2,5", "2.5 parsec"])
def test_period_that_is_no_time(tmp_path: Path, period: str) -> None:
    with pytest.raises(L1emuError):
        read_report(
            written(
                tmp_path,
                "tagger_csynth.xml",
                csynth_xml(replace(SOUND, target="1.00")).replace(
                    "<TargetClockPeriod>1.00", f"<TargetClockPeriod>{period}"
                ),
            )
        )


@pytest.mark.parametrize(
    "edit", [("2.50</Target", "2.5058</Target"), ("1.775</Est", "1.75</Est"), ("xcvu13p-flga", "xcvu13p+flga")]
)
def test_texts_that_no_tool_writes_are_said(tmp_path: Path, edit: tuple[str, str]) -> None:
    text = csynth_xml(SOUND)
    assert edit[0] in text
    assert read_report(written(tmp_path, "tagger_csynth.xml", text.replace(*edit))).problems


def test_entities_are_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE profile [<!ENTITY a "84"><!ENTITY b "&a;&a;&a;">]>\n' + csynth_xml(SOUND)
    with pytest.raises(L1emuError, match="document type"):
        read_report(written(tmp_path, "tagger_csynth.xml", bomb))
    wide = tmp_path / "wide_csynth.xml"
    wide.write_bytes(('<?xml version="1.0" encoding="utf-16"?>' + bomb).encode("utf-16"))
    with pytest.raises(L1emuError):
        read_report(wide)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("vivado_synth.rpt", "| Command : report_utilization -file x\n", "report of utilization"),
        ("export.xml", "<profile><AreaReport/><TimingReport/></profile>", "implementation has no latency"),
        ("summary.ndjson", '{"name": 1}\n', "oneAPI"),
        ("a.rpt", "hello\n", "not a synthesis report"),
        ("a.xml", "<html></html>", "not a C synthesis report"),
        ("a.xml", "", "empty"),
    ],
)
def test_other_reports_are_refused_by_what_they_are(tmp_path: Path, name: str, content: str, match: str) -> None:
    with pytest.raises(L1emuError, match=match):
        read_report(written(tmp_path, name, content))


HLS4ML = {
    "TargetClockPeriod": "2.50",
    "EstimatedClockPeriod": "1.775",
    "BestLatency": "80",
    "WorstLatency": "84",
    "IntervalMin": "6",
    "IntervalMax": "6",
    "DSP": "310",
    "LUT": "201345",
    "FF": "88123",
    "BRAM_18K": "17",
    "URAM": "0",
    "AvailableLUT": "1728000",
}


def test_hls4ml_dictionary(tmp_path: Path) -> None:
    path = written(tmp_path, "report.json", json.dumps({"CSynthesisReport": HLS4ML}))
    report = read_report(path)
    assert (report.top, report.latency_cycles, report.interval_cycles) == (None, (80, 84), (6, 6))
    assert (report.resources.dsp, report.available.lut, report.void) == (310, 1728000, False)
    late = {"CSynthesisReport": {**HLS4ML, "EstimatedClockPeriod": "2.6"}}
    assert read_report(written(tmp_path, "late.json", json.dumps(late))).void


@pytest.mark.parametrize("key", ["WorstLatency", "IntervalMax", "TargetClockPeriod", "EstimatedClockPeriod"])
@pytest.mark.parametrize("value", [None, "undef", True, "1e2", float("nan"), [84]])
def test_damaged_hls4ml_dictionary(tmp_path: Path, key: str, value: Any) -> None:
    with pytest.raises(L1emuError):
        read_report(written(tmp_path, "r.json", json.dumps({"CSynthesisReport": {**HLS4ML, key: value}})))


def test_synthesis_summary_is_refused_with_what_to_take(tmp_path: Path) -> None:
    with pytest.raises(L1emuError, match=r"no clock periods.*<top>_csynth.xml"):
        read_report(written(tmp_path, "csynth.rpt", "\n== Synthesis Summary Report of 'tagger'\n"))
    written(tmp_path, "tagger_csynth.xml", csynth_xml(SOUND))
    assert read_report(tmp_path).latency_cycles == (84, 84)


def _same_or_said(path: Path, damaged: str, sound: SynthesisReport) -> None:
    """Damage is refused, or said as a problem, or has touched no cycle, clock or name."""
    path.write_text(damaged, newline="")
    try:
        report = read_report(path)
    except L1emuError:
        return
    numbers = ("latency_cycles", "interval_cycles")
    if any(getattr(report, name) != getattr(sound, name) for name in numbers):
        assert report.problems, (report.latency_cycles, report.interval_cycles)


WRITERS = {"xml": csynth_xml, "rpt": csynth_rpt}
QUICK = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("kind", WRITERS)
@QUICK
@given(data=st.data())
def test_truncation_never_yields_a_number(tmp_path: Path, kind: Any, data: st.DataObject) -> None:
    text = WRITERS[kind](SOUND)
    end = (
        text.index("</profile>") + len("</profile>")
        if kind == "xml"
        else text.index("+ Detail: \n    * Instance: \n    N/A")
    )
    cut = data.draw(st.integers(0, end - 3))
    path = tmp_path / f"tagger_csynth.{kind}"
    path.write_text(text[:cut])
    with pytest.raises(L1emuError):
        read_report(path)


@pytest.mark.parametrize("kind", WRITERS)
@QUICK
@given(data=st.data())
def test_cycles_are_not_changed_silently(tmp_path: Path, kind: Any, data: st.DataObject) -> None:
    text = WRITERS[kind](SOUND)
    path = tmp_path / f"tagger_csynth.{kind}"
    path.write_text(text)
    sound = read_report(path)
    start = data.draw(st.integers(0, len(text) - 1))
    length = data.draw(st.integers(0, 40))
    patch = data.draw(st.text(alphabet="0123456789 |+-<>/.nus\n&;aM", max_size=6))
    assume(text[start : start + length] != patch)
    _same_or_said(path, text[:start] + patch + text[start + length :], sound)


@QUICK
@given(data=st.data())
def test_lines_dropped_doubled_or_swapped(tmp_path: Path, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(WRITERS)))
    lines = WRITERS[kind](SOUND).splitlines(keepends=True)
    path = tmp_path / f"tagger_csynth.{kind}"
    path.write_text("".join(lines))
    sound = read_report(path)
    i, j = data.draw(st.tuples(st.integers(0, len(lines) - 1), st.integers(0, len(lines) - 1)))
    edit = data.draw(st.sampled_from(["drop", "double", "swap"]))
    if edit == "drop":
        del lines[i]
    elif edit == "double":
        lines.insert(j, lines[i])
    else:
        lines[i], lines[j] = lines[j], lines[i]
    _same_or_said(path, "".join(lines), sound)


@pytest.mark.skipif(not REAL.is_dir(), reason="the collection of vendor reports is not beside this checkout")
def test_real_reports_parse_or_are_refused_with_a_reason() -> None:
    files = [f for f in sorted(REAL.rglob("*")) if f.is_file() and f.suffix in (".xml", ".rpt", ".gz", ".ndjson")]
    read, refused = {}, {}
    for file in files:
        try:
            read[file.relative_to(REAL).as_posix()] = read_report(file)
        except L1emuError as error:
            refused[file.relative_to(REAL).as_posix()] = error.message
    assert (len(read), len(refused)) == (82, 14)
    tops = {
        "uwacme_gru_toptagging/myproject_prj/solution1/syn/report/myproject_csynth.xml": (
            (856, 878),
            (802, 822),
            False,
        ),
        "skkwan_bdt_2018.2/myproject_csynth.xml": ((21, 21), (1, 1), False),
        "hgdream_conv1d_2023.1_cosim/myproject_prj/solution1/syn/report/myproject_csynth.rpt": (
            (695, 695),
            (578, 578),
            False,
        ),
        "bnjettag_transformer_vu13p_2023.2/whole_model_rf8_stdnn.trimmed.xml.gz": ((218, 218), (8, 8), False),
        "dnnonsilicon_cnn_2020.1_timingfail/myproject_prj/solution1/syn/report/myproject_csynth.xml": (
            (14409, 14409),
            (14403, 14403),
            True,
        ),
    }
    for name, expected in tops.items():
        assert (read[name].latency_cycles, read[name].interval_cycles, read[name].void) == expected, name
    assert all(report.void for name, report in read.items() if "_config" in name)
