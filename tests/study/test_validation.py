"""The events held against CMS's curve and against plain mixing, and the verb that does it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1emu.cli import main
from l1emu.errors import L1emuError
from l1emu.events.calibration import Calibration, EtaBin, read_calibration
from l1emu.resources import resource
from l1emu.study.validation import ht_rates, mean_square_pull, published_rates, strata_against_plain
from tests.study.study_toys import write_toy_sample

MINBIAS = "datasets/minbias-pu200.root"


@pytest.fixture(scope="module")
def calibrated() -> Any:
    return ht_rates(resource(MINBIAS), read_calibration(resource("datasets/calibration-pu200.yaml")))


def command_line(monkeypatch: pytest.MonkeyPatch, *arguments: Any) -> Any:
    monkeypatch.setattr("sys.argv", ["l1emu", "validate", *map(str, arguments)])
    try:
        main()
    except SystemExit as stop:
        return stop.code or 0
    return 0


def test_the_rate_is_that_of_cms_within_twenty_per_cent(calibrated: Any) -> None:
    assert calibrated.passed
    assert calibrated.weights_sum == pytest.approx(1, abs=0.05)  # of what was drawn, by what was kept
    held = [p for p in calibrated.points if p.held]
    assert [p.threshold_gev for p in held] == [120, 200, 280, 320, 360, 400]
    for point in held:
        assert abs(point.ratio - 1) < 0.2
        assert 0 < point.rate_khz_error < 0.1 * point.rate_khz


def test_it_is_the_calibration_that_brings_it_there() -> None:
    """Raw jets have too much pt in the endcap; a wrong scale is noticed."""
    raw = ht_rates(resource(MINBIAS), None)
    assert not raw.passed
    assert max(p.ratio for p in raw.points if p.held) > 1.2
    hot = Calibration(name="hot", source="test", bins=[EtaBin(abs_eta_max=5, offset_gev=0, slope=0.7)])
    assert not ht_rates(resource(MINBIAS), hot).passed


def test_the_published_curve_falls() -> None:
    rates = [p.rate_khz for p in published_rates().points]
    assert rates == sorted(rates, reverse=True)


def test_the_verb_prints_the_list_of_the_points(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, calibrated: Any
) -> None:
    assert command_line(monkeypatch, "ht-rates", "--json", "--figure", tmp_path / "ht.png") == 0
    printed = json.loads(capsys.readouterr().out)
    keys = {"threshold_gev", "rate_khz", "rate_khz_error", "rate_khz_upper95", "accepted_crossings", "cms_khz", "ratio"}
    assert [set(p) for p in printed] == [keys] * 7
    assert printed == [p.as_dict() for p in calibrated.points]
    assert (tmp_path / "ht.png").stat().st_size > 20_000
    assert command_line(monkeypatch, "ht-rates", "--calibration", "none") == 1
    assert "off by more than 20%" in capsys.readouterr().out


def test_a_sample_of_another_kind_or_pile_up_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line(monkeypatch, "ht-rates", "datasets/signal-hh4b-pu200.root") == 2
    assert "without strata" in capsys.readouterr().err
    assert command_line(monkeypatch, "ht-rates", "datasets/minbias-pu140.root") == 2
    assert "got '140'; expected a sample at pile-up 200" in capsys.readouterr().err
    with pytest.raises(L1emuError, match="without strata"):
        strata_against_plain(resource("datasets/signal-hh4b-pu200.root"))


def test_a_sample_that_no_recipe_made_cannot_be_mixed_again(tmp_path: Path) -> None:
    write_toy_sample(tmp_path / "toy.root", signal=False)
    with pytest.raises(
        L1emuError, match=r"toy.root: recipe.name: not a recipe: Field required; expected a sample made"
    ):
        strata_against_plain(tmp_path / "toy.root")


@pytest.mark.exhaustive
def test_strata_and_plain_mixing_agree_at_full_pile_up(tmp_path: Path) -> None:
    pytest.importorskip("pythia8mc", reason="Pythia 8 is not installed (extra: generate)")
    checks = strata_against_plain(resource(MINBIAS), crossings=10_000, cache=tmp_path, jobs=2)
    assert len(checks) == 27
    pulls = np.array([c.pull for c in checks])
    assert mean_square_pull(checks) == pytest.approx(np.mean(pulls**2))
    assert np.abs(pulls).max() < 4
    assert np.mean(np.abs(pulls) < 2) > 0.6
