"""The jet energy calibration: known lines are found again, and what is applied is their inverse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from l1emu.errors import L1emuError
from l1emu.events.calibrate import calibrate
from l1emu.events.calibration import Calibration, EtaBin, Pairs, closure, fit, joined, match, read_calibration
from l1emu.resources import resource

STEP = np.pi / 720


def made_up(offset: Any, slope: Any, n: int = 40_000, seed: int = 1) -> Pairs:
    """Pairs that follow raw = offset + slope * generator, smeared, with some generator jets unmatched below 45 GeV."""
    rng = np.random.default_rng(seed)
    generator = rng.uniform(20, 400, n)
    eta = rng.uniform(-2.4, 2.4, n)
    raw = offset + slope * generator + rng.normal(0, 4 + 0.05 * generator)
    lost = (generator < 45) & (rng.random(n) < 0.3)
    raw = np.where(lost | (raw < 2), 0.0, raw)
    return Pairs(generator, np.abs(eta), raw, eta)


def test_a_known_line_is_found_again_and_undone() -> None:
    pairs = made_up(-7.0, 0.95)
    found = closure(pairs, "test", "made up")
    assert [b.abs_eta_max for b in found.calibration.bins] == [0.7, 1.5, 2.0, 2.4]
    for line in found.calibration.bins:
        assert line.offset_gev == pytest.approx(-7.0, abs=0.5)
        assert line.slope == pytest.approx(0.95, abs=0.005)
    fitted = [(b, a) for b, a in zip(found.before, found.after, strict=True) if b.fitted]
    assert min(b.generator_gev[0] for b, _ in fitted) == 45  # softer ones have too few matches
    for before, after in fitted:
        error = 1.25 * before.spread / np.sqrt(before.jets) + 0.005  # half of the last bit, rounded down
        assert abs(after.median - 1) < 4 * error
    assert fitted[0][0].median < 0.85


def test_the_inverse_is_applied_in_the_bin_of_eta_in_whole_steps() -> None:
    bins = [EtaBin(abs_eta_max=1.0, offset_gev=-5.0, slope=1.0), EtaBin(abs_eta_max=2.0, offset_gev=0.0, slope=0.5)]
    calibration = Calibration(name="x", source="y", bins=bins)
    pt = calibration.apply([10.0, 10.0, 10.0, 10.0, 3.1, 4000.0], [0.99, -1.0, 1.99, 3.0, 0.0, -1.5])
    assert pt.tolist() == [15.0, 20.0, 20.0, 20.0, 8.0, 16383 * 0.25]
    down = Calibration(name="x", source="y", bins=[EtaBin(abs_eta_max=1.0, offset_gev=5.0, slope=1.0)])
    assert down.apply([3.0], [0.0]).tolist() == [0.0]


def test_a_generator_jet_is_paired_with_the_nearest_within_its_radius() -> None:
    jets = ak.Array(
        [
            [{"pt": 30.0, "eta": 0.1, "phi": 3.1}, {"pt": 50.0, "eta": 0.0, "phi": -3.14}],
            [],
            [{"pt": 20.0, "eta": 1.0, "phi": 0.0}],
        ]
    )
    truth = ak.Array(
        [
            [{"pt": 200, "eta": 0, "phi": 719}, {"pt": 100, "eta": 300, "phi": 0}],
            [{"pt": 80, "eta": 10, "phi": 10}],
            [{"pt": 60, "eta": round(1.25 / STEP), "phi": 0}],
        ]
    )
    pairs = match(jets, truth)
    assert pairs.generator.tolist() == [50.0, 25.0, 20.0, 15.0]
    assert pairs.raw.tolist() == [50.0, 0.0, 0.0, 0.0]
    both = joined([pairs, pairs])
    assert both.raw.tolist() == pairs.raw.tolist() * 2


def test_jets_without_any_spread_are_fitted_too() -> None:
    generator = np.tile(np.arange(22.5, 400, 5), 400)
    eta = np.repeat(np.linspace(-2.39, 2.39, 400), generator.size // 400)
    pairs = Pairs(generator, np.abs(eta), 0.9 * generator, eta)
    for line in fit(pairs, "x", "y").bins:
        assert (line.offset_gev, line.slope) == pytest.approx((0, 0.9), abs=1e-3)


def test_too_few_jets_are_refused() -> None:
    pairs = made_up(-7, 1.0, n=300)
    with pytest.raises(L1emuError, match=r"0.0 < \|eta\| < 0.7: too few generator jets"):
        fit(pairs, "x", "y")


def test_a_sample_without_generator_jets_is_refused() -> None:
    with pytest.raises(L1emuError, match="without generator jets"):
        calibrate(resource("datasets/minbias-pu200.root"))


def test_wrong_bins_are_refused(tmp_path: Path) -> None:
    text = "name: x\nsource: y\nbins:\n  - {abs_eta_max: 2, offset_gev: 0, slope: 1}\n"
    path = tmp_path / "c.yaml"
    path.write_text(text + "  - {abs_eta_max: 1, offset_gev: 0, slope: 1}\n")
    with pytest.raises(L1emuError, match="ascending"):
        read_calibration(path)
    path.write_text(text.replace("slope: 1", "slope: 0"))
    with pytest.raises(L1emuError, match=r"c.yaml: line 4, key bins.0.slope"):
        read_calibration(path)


@pytest.mark.parametrize("pileup", [140, 200])
def test_the_shipped_calibrations_change_the_pt_a_little(pileup: int) -> None:
    calibration = read_calibration(resource(f"datasets/calibration-pu{pileup}.yaml"))
    assert f"calibration-pu{pileup}" in calibration.source
    eta = np.array([0.3, 1.0, 1.8, 2.2])
    assert np.all((calibration.apply(np.full(4, 30.0), eta) > 22) & (calibration.apply(np.full(4, 30.0), eta) < 43))
    assert np.all(np.abs(calibration.apply(np.full(4, 300.0), eta) / 300 - 1) < 0.1)
