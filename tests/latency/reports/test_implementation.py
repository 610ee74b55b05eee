"""Utilization and export reports, in the shapes that Vivado and HLS write, with numbers of no real design."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from l1emu import cli
from l1emu.errors import L1emuError
from l1emu.latency.reports import Implementation, read_any, read_report
from tests.latency.handmade_reports import Design, csynth_xml, export, export_xml, utilization


def read(tmp_path: Path, text: str, name: str = "vivado_synth.rpt") -> Any:
    (tmp_path / name).write_text(text)
    return read_any(tmp_path / name)


@pytest.mark.parametrize("newer", [False, True])
@pytest.mark.parametrize(("tiles", "memories"), [("8.5", 17), ("8", 16), ("0", 0), ("0.5", 1)])
def test_utilization_counts_memories_of_18_kb(tmp_path: Path, tiles: str, memories: int, newer: bool) -> None:
    found = read(tmp_path, utilization(tiles=tiles, newer=newer))
    assert isinstance(found, Implementation)
    assert found.resources.as_dict() == {"DSP": 305, "LUT": 150000, "FF": 70000, "BRAM_18K": memories, "URAM": 3}
    assert found.available.as_dict() == {"DSP": 12288, "LUT": 1728000, "FF": 3456000, "BRAM_18K": 5376, "URAM": 1280}
    assert (found.stage, found.design, found.part) == ("synthesized", "tagger", "xcvu13pflga2577-2")


def test_an_older_device_has_slices_and_no_uram(tmp_path: Path) -> None:
    found = read(tmp_path, utilization(device="xc7z020clg400-1", state="Fully Placed"))
    assert (found.stage, found.resources.uram) == ("placed", None)


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    found = read(tmp_path, utilization(luts="1728001"))
    assert [p.text for p in found.problems][:1] == ["takes 1,728,001 LUT, the part offers 1,728,000: it does not fit"]


@pytest.mark.parametrize(("text", "name"), [(export(), "x_export.rpt"), (export_xml(), "x_export.xml")])
def test_export_reports(tmp_path: Path, text: str, name: str) -> None:
    found = read(tmp_path, text, name)
    assert found.resources.as_dict() == {"DSP": 305, "LUT": 140000, "FF": 69000, "BRAM_18K": 17, "URAM": 3}
    assert (found.stage, found.clock_target_ns, found.clock_achieved_ns) == ("routed", 2.5, 2.31)
    assert not found.problems


@pytest.mark.parametrize(("text", "name"), [(export("2.51"), "x_export.rpt"), (export_xml("2.51"), "x_export.xml")])
def test_a_clock_that_was_not_reached_voids(tmp_path: Path, text: str, name: str) -> None:
    (problem,) = read(tmp_path, text, name).problems
    assert problem.voids
    assert "2.51 ns reached after routing, 2.5 ns asked for" in problem.text


def project(tmp_path: Path, *, achieved: str = "2.31", device: str = "xcvu13pflga2577-2") -> Any:
    folder = tmp_path / "p"
    (folder / "tagger_prj" / "solution1" / "syn" / "report").mkdir(parents=True)
    (folder / "tagger_prj" / "solution1" / "impl" / "report").mkdir(parents=True)
    xml = csynth_xml(Design())
    (folder / "tagger_prj" / "solution1" / "syn" / "report" / "tagger_csynth.xml").write_text(xml)
    (folder / "vivado_synth.rpt").write_text(utilization(device=device))
    (folder / "tagger_prj" / "solution1" / "impl" / "report" / "tagger_export.rpt").write_text(export(achieved))
    return folder


def test_a_project_shows_its_furthest_implementation_beside_the_cycles(tmp_path: Path) -> None:
    found = read_report(project(tmp_path))
    assert found.latency_cycles == (84, 84)
    assert found.resources.lut == 201345
    assert found.implementation is not None
    assert (found.implementation.stage, found.implementation.resources.lut) == ("routed", 140000)
    assert not found.void
    assert read_report(project(tmp_path / "slow", achieved="2.6")).void


def test_utilization_of_another_part_is_noted_and_proves_nothing(tmp_path: Path) -> None:
    folder = project(tmp_path, device="xczu7evffvc1156-2")
    (folder / "tagger_prj" / "solution1" / "impl" / "report" / "tagger_export.rpt").unlink()
    found = read_report(folder)
    assert any("xczu7evffvc1156-2" in p.text and "not the same design" in p.text for p in found.problems)
    assert not found.void


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("| Design State : Synthesized", "| Design State : Dreamt", "state is not known.*Dreamt"),
        ("| DSPs ", "| DSP99 ", "a resource is missing.*DSP"),
        ("8.5", "8.3", "no number of tiles.*8.3"),
        ("150000", "15O000", "LUT is no number.*15O000"),
        ("| Fixed | Available |", "|  Used  | Fixed | Available |", "a column stands twice"),
        ("| Available | Util% |", "| Fixed | Available | Fixed |", "a column stands twice"),
        ("| Fixed |", "| Used |", "a column stands twice"),
        ("| Available | Util% |", "| Available | Util% | SLR |", "a resource is missing"),
    ],
)
def test_damage_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = utilization()
    assert old in text
    with pytest.raises(L1emuError, match=message):
        read(tmp_path, text.replace(old, new))


def test_export_without_a_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(L1emuError, match=r"x_export\.rpt.*DSP"):
        read(tmp_path, export().replace("DSP:              305\n", ""), "x_export.rpt")
    with pytest.raises(L1emuError, match="not well-formed XML"):
        read(tmp_path, export_xml()[:-20], "x_export.xml")


def test_the_command_prints_the_contract_without_cycles(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "vivado_synth.rpt").write_text(utilization())
    monkeypatch.setattr(sys, "argv", ["l1emu", "report", str(tmp_path / "vivado_synth.rpt"), "--json"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert not stop.value.code
    document = json.loads(capsys.readouterr().out)
    assert document["latency_cycles"] == document["interval_cycles"] == [None, None]
    assert document["resources"]["BRAM_18K"] == 17
    assert document["origin"] == "utilization of the synthesized design, Vivado v.2023.2, vivado_synth.rpt"
