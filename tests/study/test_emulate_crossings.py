"""`l1emu emulate` on crossings: jets built and tagged as a study does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from l1emu.cli import app
from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.events import build_jets, features, read_sample
from tests.ntuple_files import as_ntuple, write_tree
from tests.study.study_toys import toy_firmware


def run(*arguments: object) -> Any:
    """The JSON of one call."""
    result = CliRunner().invoke(app, ["emulate", *map(str, arguments), "--json"])
    if result.exception is not None:
        raise result.exception
    return json.loads(result.stdout)


@pytest.mark.parametrize("kind", ["l1emu", "fastpuppi"])
def test_scores_of_every_jet_of_the_crossings(toy: Path, tmp_path: Path, kind: str) -> None:
    candidates = read_sample(toy.parent / "signal.root").read().candidates
    jets = build_jets(candidates)
    path, extra = toy.parent / "signal.root", []
    if kind == "fastpuppi":
        columns = as_ntuple(candidates, np.zeros(len(candidates)))
        assert not np.any(jets.features[..., 4])  # the toy's z0 are 0, which `missing` states
        path, extra = tmp_path / "n.root", ["--missing", "z0=0"]
        write_tree(path, "Events", {name: v for name, v in columns.items() if not name.endswith("_z0")})
    document = run(toy.parent / "tagger.l1fw", path, "--output", tmp_path / "o.npz", *extra)
    assert document["jets"] == len(jets.pt)
    with np.load(tmp_path / "o.npz") as found:
        assert np.array_equal(found["y"], np.asarray(Emulator(toy_firmware())(features.as_float(jets.features))))
        assert np.array_equal(np.bincount(found["jet_crossing"], minlength=len(candidates)), jets.counts)
        assert np.array_equal(found["jet_pt"], jets.pt / 4)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--raw"], "no raw integers"),
        (["--missing", "z0"], "not a value"),
        (["--missing", "pt=0"], "cannot be"),
    ],
)
def test_bad_options(toy: Path, arguments: list[str], match: str) -> None:
    with pytest.raises(L1emuError, match=match):
        run(toy.parent / "tagger.l1fw", toy.parent / "signal.root", *arguments)
