"""Scalings: lines against numpy, toys from turn-on curves to a line, files, and what they do to objects."""

from __future__ import annotations

import json
import math
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import yaml
from scipy import stats

from l1emu.errors import L1emuError
from l1emu.eventdata import EventData
from l1emu.resources import resource
from l1emu.trigger.scalings import (
    ScalingLine,
    ScalingOrigin,
    Scalings,
    before_scaling,
    fit_scaling,
    online_thresholds,
    read_scalings,
    scaling_p_value,
    with_offline,
    write_scalings,
)
from l1emu.trigger.turn_on_fits import PlateauPoint, fit_turn_on
from l1emu.trigger.turn_on_setup import TurnOnSetup
from l1emu.trigger.turn_ons import count_turn_on

SHIPPED = "data/scalings/cms-phase2-v44.yaml"
TWO = Scalings(
    name="two",
    origin=ScalingOrigin(source="a test", sample="tt", sha256="0" * 64),
    objects={
        "jets": [
            ScalingLine(abs_eta=[0, 1.5], slope=1.25, offset_gev=20, online_gev=[30, 175]),
            ScalingLine(abs_eta=[1.5, 2.4], slope=2, offset_gev=8, online_gev=[30, 100]),
        ],
        "muons": [ScalingLine(slope=1.05, offset_gev=1)],
        "muons/tight": [ScalingLine(slope=1, offset_gev=2)],
    },
    sums={"ht": ScalingLine(slope=1.5, offset_gev=50, online_gev=[50, 300])},
)


def points(x: list[float], y: list[float], error: list[float]) -> list[tuple[float, PlateauPoint]]:
    return [(t, PlateauPoint(0.95, v, e, e)) for t, v, e in zip(x, y, error, strict=True)]


def test_the_line_is_the_weighted_one_with_its_covariance() -> None:
    x, y, error = [30.0, 50, 80, 120], [58.0, 86, 121, 178], [1.0, 2, 1.5, 4]
    line = fit_scaling(points(x, y, error), (0.0, 1.5))
    (slope, offset), covariance = np.polyfit(x, y, 1, w=1 / np.array(error), cov="unscaled")
    assert [line.slope, line.offset_gev] == pytest.approx([slope, offset])
    assert line.slope_error == pytest.approx(math.sqrt(covariance[0, 0]))
    assert line.offset_error_gev == pytest.approx(math.sqrt(covariance[1, 1]))
    assert line.correlation == pytest.approx(covariance[0, 1] / math.sqrt(covariance[0, 0] * covariance[1, 1]))
    assert line.chi2 == pytest.approx((((np.array(y) - slope * np.array(x) - offset) / error) ** 2).sum())
    assert (line.online_gev, line.abs_eta, line.ndf) == ([30, 120], [0, 1.5], 2)
    assert scaling_p_value(line) == pytest.approx(stats.chi2.sf(line.chi2, 2))


def test_places_that_are_not_known_say_nothing() -> None:
    known = points([30, 50, 80], [58, 86, 121], [1, 2, 1])
    more = [(100.0, PlateauPoint(0.95, None, reason="beyond")), (110.0, PlateauPoint(0.95, 170.0, 1.0, None))]
    assert fit_scaling([*known, *more]) == fit_scaling(known)
    with pytest.raises(L1emuError, match="too few turn-on curves for a scaling: got 1; expected two"):
        fit_scaling([*known[:1], *more])
    with pytest.raises(L1emuError, match=r"\|eta\| from 0 to 1.5: a scaling that does not rise"):
        fit_scaling(points([30, 50], [80, 70], [1, 1]), (0, 1.5))


def test_a_known_response_is_found_from_turn_on_curves() -> None:
    """online = (gen - 20) / 1.25 smeared: curves at six thresholds, and a line with slope near 1.25."""
    rng, crossings = np.random.default_rng(4), 20000
    pt = rng.uniform(20, 300, crossings)
    online = (pt - 20) / 1.25 + rng.normal(0, 6, crossings)

    def records(values: np.ndarray) -> ak.Array:  # type: ignore[type-arg]
        return ak.unflatten(ak.zip({"pt": values, "eta": np.zeros(crossings), "phi": np.zeros(crossings)}), 1)

    setup = TurnOnSetup.model_validate_json(
        json.dumps(
            {
                "name": "jets", "signal": "tt", "against": {"object": "gen_jets"},
                "bins": {"start": 20, "stop": 300, "step": 5},
                "passes": {"object": "jets", "pt_min_gev": [30, 50, 70, 90, 120, 150]},
            }
        )
    )  # fmt: skip
    curves = count_turn_on(setup, EventData(crossings, {"gen_jets": records(pt), "jets": records(online)})).curves()
    line = fit_scaling([(float(curve.threshold or 0), fit_turn_on(curve).points[1]) for curve in curves])
    # 95 % where the response is 1.645 widths above the threshold
    assert line.slope == pytest.approx(1.25, abs=4 * (line.slope_error or 0))
    assert line.offset_gev == pytest.approx(20 + 1.25 * 1.645 * 6, abs=4 * (line.offset_error_gev or 0))
    assert (line.slope_error or 9) < 0.02


def test_scalings_are_written_and_read_back(tmp_path: Path) -> None:
    file = tmp_path / "scalings.yaml"
    write_scalings(file, TWO)
    assert read_scalings(file) == TWO
    assert yaml.safe_load(file.read_text())["origin"] == {"source": "a test", "sample": "tt", "sha256": "0" * 64}


def test_objects_and_sums_have_their_offline_energies_beside_them() -> None:
    jets = ak.zip({"pt": [[40.0, 40, 40], [], [np.nan]], "eta": [[1.4, -1.5, 2.4], [], [0.0]]})
    muons = ak.zip({"pt": [[10.0], [], [None]], "charge": [[1], [], [-1]]})
    data = with_offline(
        EventData(3, {"jets": jets, "muons": muons, "taus": jets}, {"ht": np.array([100.0, 0, np.nan])}), TWO
    )
    found = data.objects["jets"].offline_pt.to_list()
    assert found[0][:2] == [70, 88] and math.isnan(found[0][2]) and found[1] == [] and math.isnan(found[2][0])
    assert data.objects["muons"].offline_pt.to_list()[0] == [11.5]
    assert data.objects["muons"].offline_pt_tight.to_list()[0] == [12]
    assert data.objects["muons"].charge.to_list() == [[1], [], [-1]]
    assert data.objects["jets"].pt.to_list()[0] == [40, 40, 40]
    assert "offline_pt" not in data.objects["taus"].fields
    assert data.sums["offline_ht"][:2].tolist() == [200, 50] and math.isnan(data.sums["offline_ht"][2])


def test_what_is_read_is_what_the_offline_energies_are_made_of() -> None:
    objects, sums = before_scaling({"jets": {"offline_pt", "tag_b"}, "taus": {"pt"}}, {"offline_ht", "met"}, TWO)
    assert objects == {"jets": {"pt", "eta", "tag_b"}, "taus": {"pt"}}
    assert before_scaling({"muons": {"offline_pt_tight", "offline_pt"}}, (), TWO)[0] == {"muons": {"pt"}}
    assert sums == {"ht", "met"}
    with pytest.raises(
        L1emuError, match="scalings two: no scaling of these objects: got 'taus'; expected one of jets, m"
    ):
        before_scaling({"taus": {"offline_pt"}}, (), TWO)
    with pytest.raises(L1emuError, match="no scaling of this sum: got 'met'; expected one of ht"):
        before_scaling({}, ("offline_met",), TWO)


def test_an_offline_threshold_is_an_online_one_in_each_region_and_says_what_is_extrapolated() -> None:
    found = online_thresholds("jets", 208.0, TWO)
    assert [(c.abs_eta, c.extrapolated) for c in found] == [((0, 1.5), False), ((1.5, 2.4), False)]
    assert [c.online_gev for c in found] == pytest.approx([150.4, 100])
    assert [c.extrapolated for c in online_thresholds("jets", 220.0, TWO)] == [False, True]
    assert online_thresholds("muons", 22.0, TWO)[0].as_dict() == {
        "name": "muons", "abs_eta": None, "offline_gev": 22.0, "online_gev": pytest.approx(20), "extrapolated": None,
    }  # fmt: skip
    assert online_thresholds("offline_ht", 35.0, TWO)[0].online_gev == -10
    with pytest.raises(L1emuError, match="no scaling of these objects: got 'taus'"):
        online_thresholds("taus", 10, TWO)


@pytest.mark.parametrize("offline", [0.0, 22.5, 70.0, 1234.5])
def test_the_way_there_and_back_is_the_same_number(offline: float) -> None:
    for line in (*TWO.objects["jets"], TWO.sums["ht"]):
        assert float(line.offline(line.online(offline))) == pytest.approx(offline, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "objects: {jets: [{abs_eta: [0, 2], slope: 1, offset_gev: 0}, {abs_eta: [1, 3], slope: 1, offset_gev: 0}]}",
            "overlap",
        ),
        ("objects: {jets: [{slope: 1, offset_gev: 0}, {abs_eta: [1, 3], slope: 1, offset_gev: 0}]}", "one of them no"),
        ("objects: {jets: [{abs_eta: [2, 1], slope: 1, offset_gev: 0}]}", "expected the lower number first"),
        ("objects: {jets: [{slope: 0, offset_gev: 0}]}", "greater than 0"),
        ("sums: {ht: {abs_eta: [0, 1], slope: 1, offset_gev: 0}}", "the sum `ht` has no |eta|"),
        ("sums: {}", "no scaling"),
        ("sums: {ht: {slope: 1}}", "this key is missing"),
    ],
)
def test_a_file_that_makes_no_sense_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(f"name: x\norigin: {{source: y}}\n{text}\n")
    with pytest.raises(L1emuError) as caught:
        read_scalings(file)
    assert message in str(caught.value) and "x.yaml: line" in str(caught.value)


def test_the_shipped_scalings_have_the_public_numbers() -> None:
    shipped = read_scalings(resource(SHIPPED))
    assert [line.slope for line in shipped.objects["jets"]] == [1.2759, 1.6721, 1.1422]
    # the public menu asks for HT of 450 GeV and jets of 70 GeV offline
    assert online_thresholds("ht", 450, shipped)[0].online_gev == pytest.approx((450 - 45.7038) / 1.1202)
    assert [c.online_gev for c in online_thresholds("jets", 70, shipped)] == pytest.approx(
        [(70 - 17.326) / 1.2759, (70 - 15.3332) / 1.6721, (70 - 71.4549) / 1.1422]
    )
