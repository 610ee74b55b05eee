"""The parts of a study that are optional: versions of a tagger, turn-ons, scalings and shipped menus, event taggers."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import yaml

from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Dense
from l1emu.results import read_results
from l1emu.study import measure_rates, read_study, run_study
from l1emu.study.firmwares import check_firmware_fits, rates_of_firmwares
from l1emu.study.measure import load_study_taggers, measure
from l1emu.trigger.masks import read_masks
from tests.study.study_toys import toy_firmware, toy_study

Written = Callable[..., Path]


@pytest.fixture
def written(toy: Path, tmp_path: Path) -> Written:
    """The toy study with keys changed, its files beside it; a key that becomes None is left out."""

    def write(**changes: Any) -> Path:
        folder = tmp_path / "study"
        if not folder.exists():
            shutil.copytree(toy.parent, folder)
        study = {key: value for key, value in (toy_study() | changes).items() if value is not None}
        (folder / "study.yaml").write_text(yaml.safe_dump(study, allow_unicode=True))
        return folder / "study.yaml"

    return write


def another(firmware: Firmware, shift: int) -> Firmware:
    """The toy tagger with another bias of the b score."""
    dense = firmware.layers[0]
    assert isinstance(dense, Dense)
    bias = dense.bias.copy()
    bias[0] += shift
    return replace(firmware, layers=(replace(dense, bias=bias), *firmware.layers[1:]))


def test_versions_of_a_tagger_are_compared_at_equal_rate(written: Written) -> None:
    """The same firmware under another name gains nothing; one that shifts a score stands at its own threshold."""
    versions = {"tagger": {"same": "tagger.l1fw", "shifted": "shifted.l1fw"}}
    study = written(versions=versions, stream=None, working_points=None)
    another(toy_firmware(), 600).save(study.parent / "shifted.l1fw")
    found = measure_rates(study)
    rows = {row.seed: row for row in found.equal_rate}
    assert set(rows) == {"HT", "four jets", "two b", "two b [same]", "two b [shifted]"}
    same = next(g for g in found.comparison.gains if g.seed == "two b [same]")
    assert (same.reference, same.difference) == ("two b", 0)
    assert 0 < same.difference_error < 0.02  # none of 200 signal crossings differs
    assert rows["two b [same]"].threshold == rows["two b"].threshold
    shifted = next(g for g in found.comparison.gains if g.seed == "two b [shifted]")
    assert shifted.reference == "two b"
    assert rows["two b [shifted]"].threshold != rows["two b"].threshold
    assert [s.name for s in found.seeds] == ["HT", "four jets", "two b"], "the menu has no versions"
    assert {"firmware of tagger [same]", "firmware of tagger [shifted]"} <= set(found.manifest.files)
    assert set(found.manifest.firmware_content_hashes) == {"tagger", "tagger [same]", "tagger [shifted]"}
    assert found.emulation is not None
    assert [(t.tagger, t.compared) for t in found.emulation.taggers] == [
        ("tagger", True),
        ("tagger [same]", False),
        ("tagger [shifted]", False),
    ]
    assert found.emulation.identical is None


def test_without_golden_vectors_the_result_says_so(written: Written, tmp_path: Path) -> None:
    study = written(tagger={"firmware": "tagger.l1fw"}, latency=None, stream=None, working_points=None)
    results = run_study(study, tmp_path / "out")
    assert results.passed
    emulation = results.content.emulation
    assert emulation is not None
    assert (emulation.identical, emulation.golden_jets, emulation.taggers[0].compared) == (None, 0, False)
    assert "not compared with C++ in this run" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_turn_ons_are_counted_fitted_and_drawn(written: Written, tmp_path: Path) -> None:
    turn_ons = [
        {
            "name": "jets",
            "signal": "signal",
            "against": {"object": "gen_jets", "field": "pt"},
            "passes": {"object": "jets", "pt_min_gev": [20, 40], "delta_r_max": 0.4},
            "bins": {"start": 0, "stop": 120, "step": 10},
            "split": {"eta": [0, 1.5, 3]},
        },
        {
            "name": "a seed",
            "signal": "signal",
            "against": {"sum": "gen_ht"},
            "passes": {"seed": "fixed"},
            "bins": [0, 100, 200, 400, 1000],
        },
    ]
    menu = [*toy_study()["seeds"], {"name": "fixed", "jets": {"count": 2, "pt_min_gev": 30, "abs_eta_max": 2.4}}]
    sums = {"gen_ht": {"of": "gen_jets"}}
    study = written(seeds=menu, turn_ons=turn_ons, sums=sums, latency=None, stream=None, working_points=None)
    results = run_study(study, tmp_path / "out").content
    assert [(t.name, t.threshold, t.within) for t in results.turn_ons] == [
        ("jets", 20, [0, 1.5]),
        ("jets", 20, [1.5, 3]),
        ("jets", 40, [0, 1.5]),
        ("jets", 40, [1.5, 3]),
        ("a seed", None, None),
    ]
    low, _, high = results.turn_ons[0], *results.turn_ons[1:3]
    assert low.total == high.total
    assert all(a >= b for a, b in zip(low.passed, high.passed, strict=True))
    assert sum(low.passed) > 0
    seed = next(s for s in results.menu.seeds if s.name == "fixed")
    whole = results.turn_ons[4]
    assert sum(whole.total) + whole.outside == 200
    assert sum(whole.passed) == round(200 * seed.efficiency["signal"][0])
    for t in results.turn_ons:
        assert [fit.form for fit in t.fits] == ["erf", "tanh"]
        assert [point.fraction for point in t.points] == [0.5, 0.95]
        for value, passed, total in zip(t.efficiency, t.passed, t.total, strict=True):
            assert value is None if total == 0 else value == passed / total
    figures = {path.name for path in (tmp_path / "out" / "figures").iterdir()}
    assert {"turn_on_1.png", "turn_on_2.png"} <= figures
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Turn-on: a seed" in page
    assert read_results(tmp_path / "out") == results


def test_offline_thresholds_are_those_of_the_scaling(written: Written) -> None:
    """offline = 2 online + 10: a jet at 30 GeV online stands at 70 GeV."""
    line = {"slope": 2.0, "offset_gev": 10.0}
    scalings = {
        "name": "toy",
        "origin": {"sample": "none", "source": "a test"},
        "objects": {"jets": [line]},
        "sums": {"ht": line},
    }
    menu = [
        {"name": "online", "legs": [{"object": "jets", "count": 2, "pt_min_gev": 30}]},
        {"name": "offline", "legs": [{"object": "jets", "count": 2, "pt_min_gev": 70, "offline": True}]},
        {"name": "ht", "sums": {"ht": {"min_gev": 120}}},
        {"name": "offline ht", "sums": {"offline_ht": {"min_gev": 250}}},
    ]
    sums = {"ht": {"of": "jets", "pt_min_gev": 20}}
    study = written(seeds=menu, sums=sums, scalings="toy.yaml", latency=None, stream=None, working_points=None)
    (study.parent / "toy.yaml").write_text(yaml.safe_dump(scalings))
    found = {s.name: s for s in measure_rates(study).seeds}
    assert found["online"].accepted == found["offline"].accepted > 0
    assert found["ht"].accepted == found["offline ht"].accepted > 0
    assert found["online"].efficiency == found["offline"].efficiency


def test_a_tagger_of_whole_crossings_gives_a_number_of_the_crossing(written: Written) -> None:
    """The toy network on the two hardest jets of each crossing, eight numbers of each; beside its plain emulation."""
    features = ["pt", "eta", "phi", "raw_pt", *({"value": 0.0} for _ in range(8))]
    block = {"of": "jets", "count": 16, "order": "pt", "fields": features}
    tagger = {
        "firmware": "tagger.l1fw",
        "of": "event",
        "inputs": block,
        "outputs": ["b", "c", "uds", "g", "pileup"],
        "scores": {"odd": {"ratio": {"of": ["b"], "to": ["b", "uds"]}}},
    }
    menu = [{"name": "odd", "sums": {"odd": {"min": 0.6}}}, {"name": "all", "sums": {"odd": {"min": 0}}}]
    study = written(seeds=menu, tagger=None, taggers={"events": tagger}, latency=None, stream=None, working_points=None)
    file = read_study(study)
    (study.parent / "map.yaml").write_text(yaml.safe_dump({"name": "m", "source": "a test", "inputs": block}))
    measured = measure(file, load_study_taggers(file), masks=study.parent / "masks.parquet")
    masks = read_masks(study.parent / "masks.parquet")
    accepted = np.stack([ak.to_numpy(masks[seed.name]) for seed in measured.seeds], axis=1)
    assert accepted.shape == (600, 2)
    assert np.all(accepted[:, 1] >= accepted[:, 0])
    assert measured.emulated("events") == 800
    assert measured.menu.seeds[0].accepted == accepted[:, 0].sum()
    mapped = written(
        seeds=menu, tagger=None, taggers={"events": tagger | {"inputs": "map.yaml"}}, latency=None, stream=None,
        working_points=None,
    )  # fmt: skip
    found = measure_rates(mapped)
    assert [s.accepted for s in found.seeds] == accepted.sum(axis=0).tolist()
    assert found.manifest.files["feature map"].name == "map.yaml"


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"versions": {"tager": {"x": "tagger.l1fw"}}}, "versions names the tagger 'tager'; expected one of 'tagger'"),
        (
            {"seeds": [{"name": "a", "legs": [{"object": "jets", "pt_min_gev": 5, "scores": {"tag_b": 1.5}}]}]},
            "a minimum of tag_b outside what its tagger can give: got 1.5; expected 0 to",
        ),
        ({"turn_ons": [{"name": "a", "signal": "nobody"}]}, "turn_ons"),
        (
            {"seeds": [{"name": "a", "legs": [{"object": "jets", "offline": True, "pt_min_gev": 5}]}]},
            "the menu has offline thresholds, and the study no scalings; expected `scalings`",
        ),
        (
            {"seeds": [{"name": "a", "legs": [{"object": "jets", "pt_min": 5}]}]},
            "unknown key: got 'pt_min'; expected 'pt_min_gev', perhaps",
        ),
        (
            {"seeds": [{"name": "a", "legs": [{"object": "jets", "pt_gev": [[9, 5]]}]}]},
            "legs.0.pt_gev.0 is [9, 5]; expected the lower end first",
        ),
        (
            {
                "seeds": [{"name": "a", "legs": [{"object": "jets"}]}],
                "tagger": None,
                "taggers": {
                    "mine": {
                        "firmware": "tagger.l1fw",
                        "inputs": {"of": "constituents", "count": 16, "fields": ["d0", *[{"value": 0.0}] * 11]},
                        "outputs": ["b", "c", "uds", "g", "pileup"],
                        "scores": {"s": {"output": "b"}},
                    }
                },
            },
            "study.yaml: tagger mine",
        ),
        (
            {"latency": toy_study()["latency"], "stream": toy_study()["stream"] | {"jets": "jetz"}},
            "key stream.jets: no such objects: got 'jetz'; expected one of",
        ),
        ({"scalings": "cms"}, "no such scalings: got 'cms'; expected cms-phase2-v44"),
        ({"samples": {"minbias": "minbias.root", "background": "minbias.root"}}, "unknown key"),
        ({"objects": "cms-phase2-l1nano"}, "minbias.root"),
    ],
)
def test_bad_parts_are_refused_before_anything_long(written: Written, changes: dict[str, Any], match: str) -> None:
    study = written(**({"latency": None, "stream": None, "working_points": None} | changes))
    with pytest.raises(L1emuError) as error:
        measure_rates(study)
    assert match in str(error.value)
    assert "\n" not in str(error.value)


def test_rates_of_other_firmwares_are_those_of_versions(written: Written) -> None:
    """Of the study's own firmware those of its seed; one that cannot give the score that is asked for says so."""
    study = written(working_points=None)
    own = next(seed for seed in measure_rates(study).seeds if seed.name == "two b")
    paths = {name: study.parent / f"{name}.l1fw" for name in ("same", "shifted", "silent")}
    toy_firmware().save(paths["same"])
    another(toy_firmware(), 600).save(paths["shifted"])
    (silent,) = toy_firmware().layers
    assert isinstance(silent, Dense)
    coarse = replace(silent.output, type=FixedPoint.parse("ap_ufixed<4,-8,AP_TRN,AP_SAT>"))  # up to 1/256
    layers = (replace(silent, output=coarse),)
    replace(toy_firmware(), layers=layers, outputs=(coarse,)).save(paths["silent"])
    found = rates_of_firmwares(study, paths)
    assert list(found) == ["same", "shifted", "silent"]
    row = found["same"][0]
    assert isinstance(row, dict)
    assert own.threshold is not None
    assert (row["seed"], row["signal"]) == ("two b", "signal")
    assert abs(row["threshold"] - own.threshold) <= 1
    assert row["rate_khz_low"] < row["rate_khz"] < row["rate_khz_high"]
    assert row["target"]["threshold"] == pytest.approx(own.threshold)
    shifted = found["shifted"][0]
    assert isinstance(shifted, dict)
    assert shifted["rate_khz"] != row["rate_khz"]
    assert shifted["target"]["threshold"] != row["target"]["threshold"]
    assert str(found["silent"]).startswith("no min-bias crossing passes at any scanned threshold")


def test_firmwares_in_a_study_without_a_tagged_seed_are_refused(written: Written) -> None:
    study = written(working_points=None, stream=None)
    document = yaml.safe_load(study.read_text())
    document["menu"] = [seed for seed in document.get("menu") or document["seeds"] if seed["name"] != "two b"]
    document.pop("seeds", None)
    study.write_text(yaml.safe_dump(document, allow_unicode=True))
    with pytest.raises(L1emuError, match="no seed to scan asks for a score"):
        rates_of_firmwares(study, {"any": study.parent / "tagger.l1fw"})


def test_a_firmware_of_other_inputs_is_refused_before_the_samples_are_read(written: Written) -> None:
    study = written(working_points=None)
    check_firmware_fits(study, study.parent / "tagger.l1fw")
    (dense,) = toy_firmware().layers
    assert isinstance(dense, Dense)
    other = replace(toy_firmware().outputs[0], shape=(3,))
    three = replace(
        dense, output=other, n_out=3, weight=np.zeros((dense.n_in, 3), np.int64), bias=np.zeros(3, np.int64)
    )
    replace(toy_firmware(), layers=(three,), outputs=(other,)).save(study.parent / "three.l1fw")
    with pytest.raises(L1emuError):
        check_firmware_fits(study, study.parent / "three.l1fw")
