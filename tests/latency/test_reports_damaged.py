"""Damaged reports of every format: refused in one line, or read with no number that the damage made."""

from __future__ import annotations

import gzip
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1emu.errors import L1emuError
from l1emu.latency.reports import SynthesisReport, read_any
from tests.fuzzing import altered, damaged, json_bytes, refused
from tests.latency.handmade_reports import (
    Design,
    cosim_rpt,
    csynth_rpt,
    csynth_xml,
    export,
    export_xml,
    transactions,
    utilization,
)

DESIGN = replace(Design(), modules=(("network", 40, 6),))
HLS4ML = {
    "CSynthesisReport": {
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
        "AvailableLUT": "1728000",
    }
}
FORMATS = {
    "csynth.xml": ("tagger_csynth.xml", csynth_xml(DESIGN)),
    "csynth.rpt": ("tagger_csynth.rpt", csynth_rpt(DESIGN)),
    "cosim.rpt": ("tagger_cosim.rpt", cosim_rpt(latency=(80, 82, 84), interval=(5, 6, 6))),
    "transactions": ("tagger.performance.result.transaction.xml", transactions([(84, 6), (86, 7), (84, 0)])),
    "hls4ml": ("report.json", json.dumps(HLS4ML, indent=1)),
    "utilization": ("vivado_synth.rpt", utilization()),
    "export.rpt": ("tagger_export.rpt", export()),
    "export.xml": ("tagger_export.xml", export_xml()),
}
NO_NUMBERS = ("08", "٣", "٨٤", "1_0", "1e3", "+5", "-5", "1,000", "inf", "nan", "0x10", "5.", ".5", "½", "1 0", "²")
"""What `int` or `float` takes and no tool writes, and what neither takes."""

CASES = [
    *((name, seed) for name in FORMATS for seed in range(3)),
    *(pytest.param(name, seed, marks=pytest.mark.exhaustive) for name in FORMATS for seed in range(100, 220)),
]


def numbers(path: Path) -> dict[str, Any]:
    """What a budget takes from a report."""
    report = read_any(path)
    found: dict[str, Any] = {
        "resources": report.resources,
        "available": report.available,
        "target": report.clock_target_ns,
    }
    if isinstance(report, SynthesisReport):
        found |= {"latency": report.latency_cycles, "interval": report.interval_cycles, "modules": report.modules}
        found["estimated"] = report.clock_estimated_ns
    else:
        found["reached"] = report.clock_achieved_ns
    return found


@pytest.mark.parametrize(("name", "seed"), CASES)
def test_damage_is_refused_in_one_line_or_read(tmp_path: Path, name: str, seed: int) -> None:
    file, text = FORMATS[name]
    rng = np.random.default_rng([seed, *name.encode()])
    path = tmp_path / file
    for _ in range(100):
        path.write_bytes(damaged(text.encode(), rng))
        refused(lambda: read_any(path))


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(s, marks=pytest.mark.exhaustive) for s in range(3, 100))])
def test_altered_dictionaries_are_refused_in_one_line_or_read(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    path = tmp_path / "report.json"
    for _ in range(100):
        path.write_bytes(json_bytes(altered(HLS4ML, rng)))
        refused(lambda: read_any(path))


@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.exhaustive) for s in range(1, 50))])
def test_damaged_archives_are_refused_in_one_line_or_read(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    path = tmp_path / "tagger_csynth.xml.gz"
    for _ in range(100):
        path.write_bytes(damaged(gzip.compress(csynth_xml(DESIGN).encode()), rng))
        refused(lambda: read_any(path))


@pytest.mark.parametrize("name", FORMATS)
def test_a_number_that_no_tool_writes_makes_no_number(tmp_path: Path, name: str) -> None:
    """In the place of each number of a report: refused, or in a place that is not read."""
    file, text = FORMATS[name]
    path = tmp_path / file
    path.write_text(text, encoding="utf-8")
    sound = numbers(path)
    wide = name in ("csynth.rpt", "cosim.rpt")
    taken = 0
    for match in re.finditer(r"(?<![\w.])[0-9]+(?:\.[0-9]+)?(?![\w.])", text):
        for odd in NO_NUMBERS:
            start = match.start()
            if wide:  # tables are framed: the word takes the room of blanks before it
                start -= max(0, len(odd) - len(match[0]))
                if text[start : match.start()].strip():
                    continue
                odd = odd.rjust(len(match[0]))
            path.write_text(text[:start] + odd + text[match.end() :], encoding="utf-8")
            try:
                found = numbers(path)
            except L1emuError:
                taken += 1
            else:
                assert found == sound, f"{odd!r} for {match[0]!r} at {match.start()}"
    assert taken > 50


@pytest.mark.parametrize(
    ("latency", "interval", "message"),
    [
        (("08", 82, 84), (6, 6, 6), "latency is no number: got '08'"),
        ((80, 82, "08"), (6, 6, 6), "latency is no number: got '08'"),
        ((80, 82, 84), ("06", 6, 6), "interval is no number: got '06'"),
        ((85, 82, 84), (6, 6, 6), r"latency out of order: got \[85, 82, 84\]; expected min <= avg <= max"),
        ((80, 85, 84), (6, 6, 6), "latency out of order"),
        ((80, 82, 84), (7, 6, 6), "interval out of order"),
        ((-80, 82, 84), (6, 6, 6), "latency is no number: got '-80'"),
        ((80, "n/a", 84), (6, 6, 6), "no latency"),
        ((80, 82, "undef"), (6, 6, 6), "no latency"),
        ((80, 82, 84), (6, "NA", 6), "no interval"),
        ((80, 82, "٨٤"), (6, 6, 6), "latency is no number"),
        ((80, 82, "8_4"), (6, 6, 6), "latency is no number"),
    ],
)
def test_cosimulation_that_no_tool_writes_is_refused(
    tmp_path: Path, latency: tuple[Any, ...], interval: tuple[Any, ...], message: str
) -> None:
    path = tmp_path / "tagger_cosim.rpt"
    path.write_text(cosim_rpt(latency=latency, interval=interval), encoding="utf-8")
    with pytest.raises(L1emuError, match=message):
        read_any(path)


@pytest.mark.parametrize(
    "rows",
    [[(84, 0), (86, 7)], [("084", 6), (86, 0)], [(84, "0x1"), (86, 0)], [(84, 6), (86, "0x")], [(84, "x"), (86, 0)]],
)
def test_transactions_that_no_tool_writes_are_refused(tmp_path: Path, rows: Any) -> None:
    path = tmp_path / "tagger.performance.result.transaction.xml"
    path.write_text(transactions(rows))
    with pytest.raises(L1emuError, match=r"interval|latency"):
        read_any(path)


def test_a_simulation_shorter_than_its_transaction_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tagger_cosim.rpt"
    lines = cosim_rpt().splitlines()
    wider = [
        f"{line}{'-' * 12}+" if line.endswith("+") else f"{line}{'':>12}|" if "|" in line else line for line in lines
    ]
    row = next(line for line in wider if "Pass" in line)
    for total, fits in ((168, True), (83, False), ("NA", True), ("0168", False)):
        path.write_text("\n".join(wider).replace(row, f"{row[:-13]}{total:>12}|") + "\n")
        assert (refused(lambda: read_any(path)) is None) is fits


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": NaN}', "not a finite number: got 'NaN'"),
        ('{"a": 1e999}', "not a finite number"),
        ('{"a": ' + "9" * 5000 + "}", "too large a number"),
        ('{"a": 1, "a": 2}', "a key stands twice: got 'a'"),
        ('{"a": "\\ud800"}', "half of a surrogate pair"),
        ('{"a": ' * 50_000, "nested too deep"),
        ('{"a": 1', "line 1, column 8"),
        ('{"a": "\x01"}', "Invalid control character"),
        ("{" + " " * (16 << 20) + "}", "too large"),
        ('{"CSynthesisReport": []}', "no CSynthesisReport"),
    ],
    ids=lambda text: text[:20],
)
def test_a_dictionary_that_is_no_plain_json_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(L1emuError, match=r"report\.json: ") as refusal:
        read_any(tmp_path / "report.json")
    assert said in str(refusal.value)


def test_special_files_are_no_reports(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "tagger_csynth.xml")
    with pytest.raises(L1emuError, match="not a regular file"):
        read_any(tmp_path / "tagger_csynth.xml")
    with pytest.raises(L1emuError, match="not a regular file"):
        read_any("/dev/zero")


def test_an_export_does_not_expand_entities(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE profile [<!ENTITY a "84"><!ENTITY b "&a;&a;&a;">]>\n' + export_xml()
    path = tmp_path / "tagger_export.xml"
    path.write_text(bomb)
    with pytest.raises(L1emuError, match="document type"):
        read_any(path)


def test_a_cosimulation_report_that_stands_twice_in_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "tagger_cosim.rpt"
    file.write_text(cosim_rpt() + cosim_rpt(latency=(20, 20, 20)))
    with pytest.raises(L1emuError, match=r"a language twice: got 'VHDL'"):
        read_any(file)
