"""A study whose events are candidate ntuples of another group."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml

from l1emu.errors import L1emuError
from l1emu.events import read_sample
from l1emu.study import Results, measure_rates, run_study
from l1emu.study.config import read_study
from tests.ntuple_files import as_ntuple, write_tree


@pytest.fixture(scope="module")
def folder(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy study's files, its samples also as FastPUPPI files: the signal in two, with vertices of its own."""
    folder = tmp_path_factory.mktemp("ntuples")
    for path in toy.parent.iterdir():
        shutil.copy(path, folder)
    rng = np.random.default_rng(1)
    for role, parts in (("signal", 2), ("minbias", 1)):
        candidates = read_sample(folder / f"{role}.root").read().candidates
        edges = np.linspace(0, len(candidates), parts + 1).astype(int)
        for i, (low, high) in enumerate(itertools.pairwise(edges)):
            vertex = rng.normal(0, 4, high - low)
            columns: dict[str, Any] = as_ntuple(candidates[low:high], vertex)
            columns["L1PV_z0"] = ak.unflatten(vertex.astype("f4"), np.ones(high - low, int))
            write_tree(folder / f"perfNano_{role}_{i}.root", "Events", columns)
    return folder


def write(folder: Path, name: str, **samples: Any) -> Path:
    """The toy study with other samples."""
    study = yaml.safe_load((folder / "study.yaml").read_text())
    study["samples"] |= samples
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False))
    return path


def test_the_same_crossings_as_ntuples_give_the_same_efficiencies(folder: Path, toy: Path) -> None:
    ours = measure_rates(toy)
    theirs = measure_rates(write(folder, "signal-ntuples", signal="perfNano_signal_*.root"))
    assert theirs.rate == ours.rate
    assert theirs.emulation is not None
    assert ours.emulation is not None
    assert theirs.emulation.jets == ours.emulation.jets


def test_files_of_one_sample_may_differ_in_types_containers_and_length(folder: Path, toy: Path) -> None:
    """float32, float64 and integers, TTree and RNTuple, files without crossings among them: the same crossings."""
    candidates = read_sample(folder / "signal.root").read().candidates
    columns = as_ntuple(candidates, np.zeros(len(candidates)))

    def part(low: int, high: int, **types: str) -> dict[str, Any]:
        cut = {name: values[low:high] for name, values in columns.items()}
        return {n: ak.values_astype(v, types.get(n.split("_")[1], types.get("rest", "f4"))) for n, v in cut.items()}

    write_tree(folder / "kinds_1.root", "Events", part(0, 50, rest="f8"))
    write_tree(folder / "kinds_2.root", "Events", part(50, 100, charge="i4", pdgId="i8"))
    for name, low, high in (("kinds_0", 0, 0), ("kinds_3", 100, 150), ("kinds_4", 150, 150)):
        with uproot.recreate(folder / f"{name}.root") as file:
            file.mkrntuple("Events", part(low, high))
    write_tree(folder / "kinds_5.root", "Events", part(150, 200))
    study = write(folder, "kinds", signal={"files": "kinds_*.root", "vertex": "beam"})
    assert measure_rates(study).rate == measure_rates(toy).rate


def test_crossings_without_a_candidate_count_and_no_crossing_is_refused(folder: Path, toy: Path) -> None:
    columns = as_ntuple(read_sample(folder / "signal.root").read().candidates, np.zeros(200))
    write_tree(folder / "bare.root", "Events", {name: values[:100, :0] for name, values in columns.items()})
    write_tree(folder / "full.root", "Events", columns)
    both = write(folder, "bare", signal={"files": ["bare.root", "full.root"], "vertex": "beam"})
    ours = {(p.seed, p.threshold): p.efficiency for p in measure_rates(toy).rate}
    for point in measure_rates(both).rate:
        whole = ours[point.seed, point.threshold]
        assert whole is not None
        assert point.efficiency == pytest.approx(whole * 2 / 3)
    with uproot.recreate(folder / "nothing.root") as file:
        file.mkrntuple("Events", {name: values[:0] for name, values in columns.items()})
    with pytest.raises(L1emuError, match=r"nothing.*without crossings"):
        measure_rates(write(folder, "nothing", signal={"files": "nothing.root", "vertex": "beam"}))


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    """A study of ntuples alone."""
    minbias = {"files": ["perfNano_minbias_0.root"], "entries": [0, 500], "vertex": "file"}
    study = write(folder, "both", minbias=minbias, signal={"files": "perfNano_signal_*.root"})
    return run_study(study, folder / "results")


def test_min_bias_ntuples_are_one_stratum_of_equal_weights(results: Results) -> None:
    document = json.loads((results.folder / "results.json").read_text())
    assert document["comparison"]["strata"] == [{"name": "all", "probability": 1.0, "crossings": 500}]
    points = [p for p in document["rate"] if p["seed"] == "HT"]
    f_khz = document["manifest"]["normalisation"]["colliding_rate_khz"]
    for point in points:
        assert point["rate_khz"] == pytest.approx(f_khz * point["accepted_crossings"] / 500)


def test_the_result_says_what_was_read_and_how(results: Results) -> None:
    document = json.loads((results.folder / "results.json").read_text())
    assert set(document["manifest"]["files"]) >= {"background", "signal 0", "signal 1"}
    assert document["samples"]["background"] == {
        "name": "perfNano_minbias_0",
        "kind": "minbias",
        "crossings": 500,
        "fraction": 1.0,
        "energy_tev": None,
        "pileup": None,
        "read_as": {"format": "fastpuppi", "vertex": "file", "missing": {}},
    }


@pytest.mark.parametrize(
    ("samples", "match"),
    [
        ({"signal": "absent_*.root"}, "no such file"),
        (
            {"signal": {"files": "signal.root", "vertex": "beam"}},
            "a sample made by l1emu is read as it is",
        ),
        ({"signal": {"files": "perfNano_signal_0.root", "vertx": "beam"}}, "key samples.signal.vertx: unknown key"),
        ({"signal": {"files": "perfNano_signal_0.root", "entries": [9, 9]}}, "no crossings in"),
        ({"signal": {"files": "perfNano_signal_0.root", "missing": {"pt": 1}}}, "missing"),
        ({"signal": {"files": "perfNano_signal_0.root", "missing": {"z0": 0}}}, "the file has z0"),
        ({"signal": {"files": "perfNano_signal_0.root", "format": "l1nano"}}, "L1puppiJetSC4_pt' is missing"),
        ({"signal": {}}, r"samples\.signal.*missing"),
        ({"signal": 3}, r"samples\.signal"),
    ],
)
def test_wrong_samples_are_refused(folder: Path, samples: dict[str, Any], match: str) -> None:
    with pytest.raises(L1emuError, match=match):
        measure_rates(write(folder, "wrong", **samples))


def test_a_name_alone_is_one_file(toy: Path) -> None:
    samples = read_study(toy).study.samples
    assert {role: found.files for role, found in samples.roles.items()} == {
        "background": ["minbias.root"],
        "signal": ["signal.root"],
    }
