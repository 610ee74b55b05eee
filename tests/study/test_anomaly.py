"""Anomaly scores of whole crossings as seeds: the shipped networks', and those of a project of one's own."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from l1emu.cli import app
from l1emu.cli.run import show_study
from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.events import read_sample
from l1emu.events.calibration import read_calibration
from l1emu.events.chain import chain_data, chain_fields
from l1emu.firmware import Firmware
from l1emu.report.seeds import draw_rate
from l1emu.resources import resource
from l1emu.study import read_study, run_study
from l1emu.study.measure import load_study_taggers
from l1emu.taggers import read_tagger
from l1emu.training.level1_jets import level1_jets
from tests.study.study_toys import toy_study
from tests.taggers.toys import flat_network

STUDY = "models/l1-vae/study.yaml"


@pytest.mark.parametrize("name", ["vae", "autoencoder"])
def test_a_crossing_scores_as_its_inputs_emulated_alone(name: str, tmp_path: Path) -> None:
    settings = read_study(resource(STUDY)).study
    tagger = read_tagger(name, settings.taggers[name], resource)
    golden = tagger.check_golden()
    assert golden is not None
    assert golden.identical
    tagger.check(chain_fields(truth=True))
    batch = next(read_sample(resource("datasets/signal-hh4b-pu200.root")).iterate(200))
    calibration = read_calibration(resource("datasets/calibration-pu200.yaml"))
    data = chain_data(batch, max_jets=16, min_pt_gev=7, calibration=calibration)
    (x,) = tagger.fill(data).values()
    assert x.shape == (200, 11, 3)
    mht = np.array([crossing[0]["pt"] for crossing in data.objects["mht"].to_list()])
    np.testing.assert_array_equal(x[:, 0, 0], np.minimum(mht / 32, 31).astype(np.float32))
    leading = [max((jet["pt"] for jet in jets), default=0) for jets in data.objects["jets"].to_list()]
    np.testing.assert_array_equal(x[:, 1, 0], np.minimum(np.array(leading) / 32, 31).astype(np.float32))
    x_file, y_file = tmp_path / "x.npy", tmp_path / "y.npz"
    np.save(x_file, x)
    kept = resource(f"models/l1-{name}/model.l1fw")
    result = CliRunner().invoke(app, ["emulate", str(kept), str(x_file), "--output", str(y_file)])
    assert result.exit_code == 0, result.output
    (score,) = settings.taggers[name].scores
    found = tagger.apply(data).sums[score]
    with np.load(y_file) as emulated:
        np.testing.assert_array_equal(found, emulated[Firmware.read(kept).outputs[0].name][:, 0])
    assert len(np.unique(found)) > 100


def test_a_sample_without_jets_as_soft_as_that_is_refused() -> None:
    with pytest.raises(
        L1emuError, match=r"minbias-pu200.root: min_pt_gev: .*skimmed.*: got 6.5; expected 7 GeV or more"
    ):
        level1_jets(min_pt_gev=6.5)


def own_study(toy: Path, folder: Path, **tagger: Any) -> Path:
    """The toy study with a seed on the latent vector of an hls4ml project."""
    shutil.copytree(toy.parent, folder)
    flat_network(folder / "project", 33, 4)
    study = toy_study()
    study["taggers"] = {
        "mine": {
            "firmware": "project",
            "of": "event",
            "inputs": "level1-jets",
            "outputs": "latent",
            "scores": {"anomaly": {"norm": {"of": ["latent"], "reduce": "sum"}}},
        }
        | tagger
    }
    study["seeds"] = [
        {"name": "odd", "sums": {"anomaly": {"min": "threshold"}}, "scan": {"start": 0, "stop": 4000, "step": 10}},
        study["seeds"][0],
    ]
    for key in ("tagger", "working_points", "latency", "stream"):
        del study[key]
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    return folder / "study.yaml"


def test_a_project_of_ones_own_scores_crossings_and_its_seed_is_scanned_to_a_rate(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = own_study(toy, tmp_path / "study")
    results = run_study(study, tmp_path / "results")
    (mine,) = load_study_taggers(read_study(study)).values()
    firmware = Firmware.read(study.parent / "project")
    scores = {}
    for name in ("minbias", "signal"):
        data = chain_data(read_sample(study.parent / f"{name}.root").read())
        (x,) = mine.fill(data).values()
        y = np.asarray(Emulator(firmware)(x), np.float64)
        scores[name] = (y**2).sum(axis=1)
        np.testing.assert_array_equal(mine.apply(data).sums["anomaly"], scores[name])
    document = json.loads((tmp_path / "results" / "results.json").read_text())
    points = [row for row in document["rate"] if row["seed"] == "odd"]
    accepted = {row["threshold"]: row["accepted_crossings"] for row in points}
    assert len(accepted) > 100
    for threshold in (0.0, 50.0, 400.0):
        assert accepted[threshold] == (scores["minbias"] >= threshold).sum()
    at = next(row for row in document["comparison"]["seeds"] if row["seed"] == "odd")
    assert at["efficiency"] == pytest.approx((scores["signal"] >= at["threshold"]).mean(), abs=0.02)
    assert at["rate_khz_low"] < at["rate_khz"] < at["rate_khz_high"]
    assert [ax.get_xlabel() for ax in draw_rate(results.content).axes] == [
        "anomaly threshold",
        r"$H_\mathrm{T}$ threshold [GeV]",
    ]
    page = (results.folder / "report.html").read_text(encoding="utf-8")
    assert "anomaly" in page and "jets would be tagged" not in page
    told = f"{sum(len(s) for s in scores.values()):,} crossings emulated"
    assert "Which crossings would be tagged" in page and told in page and "jets/s" not in page
    show_study(results.content)
    out = " ".join(capsys.readouterr().out.split())
    assert "which crossings would be tagged?" in out and told in out


@pytest.mark.parametrize(
    ("tagger", "message"),
    [
        (
            {"of": "jets"},
            r"seed odd, sums\.anomaly: no such sum: got 'anomaly'; expected one of met, mht; "
            "or `of: event` for the tagger mine, which scores jets$",
        ),
        ({"inputs": {"of": "jets", "count": 9, "fields": ["pt", "eta", "phi"]}}, r"got \(9, 3\); expected \(33,\)"),
        ({"scores": {"ht": {"norm": {"of": ["latent"]}}}}, "expected one of ht, met, mht$"),
    ],
)
def test_what_does_not_fit_is_one_line(toy: Path, tmp_path: Path, tagger: dict[str, Any], message: str) -> None:
    result = CliRunner().invoke(app, ["rates", str(own_study(toy, tmp_path / "study", **tagger))])
    assert result.exception is not None
    assert "\n" not in str(result.exception)
    assert re.search(message, str(result.exception)), result.exception
