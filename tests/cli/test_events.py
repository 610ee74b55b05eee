"""`l1emu events`: what it says of a file, as JSON and as a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
from typer.testing import CliRunner

from l1emu.cli import app
from l1emu.errors import L1emuError
from l1emu.events.sources import FORMATS
from tests.events.public_layouts import fastpuppi, hls4ml_jets, jetclass


def run(*arguments: object) -> Any:
    """The JSON of one call."""
    result = CliRunner().invoke(app, ["events", *map(str, arguments), "--json"])
    if result.exception is not None:
        raise result.exception
    return json.loads(result.stdout)


def test_counts_ranges_and_first_entries(tmp_path: Path) -> None:
    expected = fastpuppi(tmp_path / "a.root", rows=40)
    fastpuppi(tmp_path / "b.root", rows=3, seed=9)
    document = run(tmp_path / "[ab].root", "--entries", ":40", "--first", 2)
    assert (document["format"], document["entries_are"], document["entries"]) == ("fastpuppi", "crossings", 40)
    assert [file["entries"] for file in document["files"]] == [40, 3]
    fields = {field["name"]: field for field in document["fields"]}
    pt = ak.flatten(expected["candidates.pt"])
    assert fields["candidates.pt"]["values"] == len(pt)
    found = [fields["candidates.pt"][key] for key in ("min", "max", "mean", "values_per_entry")]
    assert found == pytest.approx([ak.min(pt), ak.max(pt), ak.mean(pt), len(pt) / 40])
    assert fields["candidates.pt"]["unit"] == "GeV"
    assert fields["vertex_z0"]["values"] == int(ak.sum(~ak.is_none(expected["vertex_z0"])))
    assert [[c["pt"] for c in row["candidates"]] for row in document["first"]] == expected["candidates.pt"][
        :2
    ].to_list()


def test_columns_and_what_was_not_read(tmp_path: Path) -> None:
    hls4ml_jets(tmp_path / "h.h5")
    document = run(tmp_path / "h.h5", "--columns", "label, jet.mass")
    assert [field["name"] for field in document["fields"] if field["values"]] == ["label", "jet.mass"]
    unread = {field["name"]: field for field in document["fields"]}["particles.px"]
    assert (unread["unit"], unread["type"], unread["mean"], unread["values_per_entry"]) == ("GeV", None, None, None)
    assert {f["name"] for f in run(tmp_path / "h.h5", "--entries", ":0")["fields"]} >= {"image", "jet.pt"}
    assert document["labels"] == ["g", "q", "w", "z", "t"]


def test_the_table_and_the_lists(tmp_path: Path) -> None:
    jetclass(tmp_path / "j.root")
    text = CliRunner().invoke(app, ["events", str(tmp_path / "j.root"), "--columns", "jet.tau1,label"]).stdout
    assert "JetClass" in text and "jet.tau1" in text and "23 jets read" in text
    listed = CliRunner().invoke(app, ["events", "--list"]).stdout
    assert all(name in listed for name in FORMATS)
    assert [f["name"] for f in run("--list")] == list(FORMATS)
    assert run("--list", "--format", "jetclass")[0]["fields"][0]["unit"] == "GeV"


def test_not_a_number_is_left_out_of_the_ranges(tmp_path: Path) -> None:
    np.savez(tmp_path / "e.npz", X=np.array([[[1.0, 2, 3, np.nan]]]), y=np.ones(1))
    document = run(tmp_path / "e.npz", "--first", 1)
    assert document["first"][0]["particles"] == [{"pt": 1, "rapidity": 2, "phi": 3, "pdg_id": None}]
    fields = {field["name"]: field for field in document["fields"]}
    assert (fields["particles.pdg_id"]["values"], fields["particles.pdg_id"]["max"]) == (1, None)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ([], "nothing to read"),
        (["absent.root"], "no such file"),
        (["j.root", "--entries", "3"], "not a range"),
        (["j.root", "--format", "jetclas"], "unknown format"),
        (["j.root", "--columns", "jet.ptt"], "did you mean 'jet.pt'"),
    ],
)
def test_bad_calls(tmp_path: Path, arguments: list[str], match: str) -> None:
    jetclass(tmp_path / "j.root")
    with pytest.raises(L1emuError, match=match):
        run(*(tmp_path / a if a.endswith(".root") else a for a in arguments))
