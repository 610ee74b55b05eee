"""A grid: keys of a study with several values, in all combinations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from l1emu.batch.grid import combinations, read_grid, study_text
from l1emu.config import load_config
from l1emu.errors import L1emuError
from l1emu.study.config import Study, StudyFile, read_study
from tests.batch.batch_toys import changed, copied


def grid_file(folder: Path, grid: Any) -> Path:
    path = folder / "grid.yaml"
    path.write_text(grid if isinstance(grid, str) else yaml.safe_dump({"grid": grid}))
    return path


def test_all_combinations_the_last_key_first(tmp_path: Path) -> None:
    grid = read_grid(grid_file(tmp_path, {"a.b": [1, "x"], "c": [None, {"d": 2}]}))
    assert list(combinations(grid)) == [
        {"a.b": 1, "c": None},
        {"a.b": 1, "c": {"d": 2}},
        {"a.b": "x", "c": None},
        {"a.b": "x", "c": {"d": 2}},
    ]


@pytest.mark.parametrize(
    ("grid", "match"),
    [
        ("", "not a mapping"),
        ("a: 1", "unknown key"),
        ({}, "key grid: wrong value"),
        ({"a": []}, "key grid.a: wrong value"),
        ({"a": 1}, "key grid.a: wrong value: got 1"),
        ({"a": [1, 2, 1]}, "key grid.a: a value stands twice: got 1"),
        ({"a": list(range(101)), "b": list(range(100))}, "key grid.b: too many combinations; expected at most 10,000"),
    ],
)
def test_what_is_no_grid(tmp_path: Path, grid: Any, match: str) -> None:
    path = grid_file(tmp_path, grid)
    with pytest.raises(L1emuError, match=match) as raised:
        read_grid(path)
    assert str(raised.value).startswith(f"{path}: ")


def moved(study: Path, folder: Path, settings: dict[str, Any]) -> StudyFile:
    """A study with some keys changed, somewhere else."""
    folder.mkdir()
    text = study_text(study, settings)
    (folder / "other.yaml").write_text(text)
    return StudyFile(folder / "other.yaml", load_config(folder / "other.yaml", Study))


def test_a_changed_study_means_the_same_files_elsewhere(toy: Path, tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        document["samples"] = {
            "background": {"files": ["min*.root"]},
            "signals": {"one": "signal.root", "two": {"files": "./sub/../signal.root"}},
        }
        document["taggers"] = {"other": {"firmware": "tagger.l1fw", "inputs": "l1emu-jets", "outputs": ["b"],
                                         "scores": {"s": {"output": "b"}}}}  # fmt: skip
        document["versions"] = {"other": {"new": "tagger.l1fw"}}
        document["menu"] = "menu.yaml"
        del document["seeds"], document["working_points"], document["stream"]

    study = copied(toy, tmp_path / "toy")
    (study.parent / "sub").mkdir()
    seeds = yaml.safe_load(study.read_text())["seeds"]
    (study.parent / "menu.yaml").write_text(yaml.safe_dump({"name": "m", "seeds": seeds}))
    changed(study, change)
    one, other = read_study(study), moved(study, tmp_path / "elsewhere", {"rate.target_khz": 70})
    assert other.study.rate.target_khz == 70
    assert other.study.rate.replicas == one.study.rate.replicas
    assert other.menu_file is not None and one.menu_file is not None and other.menu_file.samefile(one.menu_file)
    names = [["min*.root"], ["signal.root"], ["./sub/../signal.root"]]
    for role, own in zip(one.study.samples.roles, names, strict=True):
        found = other.files(other.study.samples.roles[role].files)
        assert [a.resolve() for a in found] == [b.resolve() for b in one.files(own)]
    for a, b in zip(one.study.every_tagger.values(), other.study.every_tagger.values(), strict=True):
        assert other.file(b.firmware).samefile(one.file(a.firmware))
        assert a.inputs == b.inputs == "l1emu-jets"
    assert other.file(other.study.versions["other"]["new"]).samefile(study.parent / "tagger.l1fw")
    assert other.study.latency is not None and other.study.latency.budget == "budgets/cms-phase2.yaml"


def test_keys_lead_into_lists_and_make_what_is_absent(toy: Path, tmp_path: Path) -> None:
    settings = {
        "seeds.1.scan.stop": 80,
        "jets.max_jets": 12,
        "seeds.0": {"name": "x", "ht": {"min_gev": 3, "jet_pt_min_gev": 20, "abs_eta_max": 2}},
    }
    found = moved(toy, tmp_path / "elsewhere", settings)
    assert found.seeds[1].scan is not None and found.seeds[1].scan.stop == 80
    assert found.study.jets.max_jets == 12
    assert found.seeds[0].name == "x"


@pytest.mark.parametrize(
    ("key", "match"),
    [
        ("seeds.7.scan.stop", "key grid.seeds.7.scan.stop: the study has a list of 3 at seeds; expected 0 to 2"),
        ("seeds.x", "the study has a list of 3 at seeds"),
        ("seeds.-1", "the study has a list of 3 at seeds"),
        ("name.x", "key grid.name.x: the study has the value 'toy' at name"),
        ("name.x.y", "the study has the value 'toy' at name"),
    ],
)
def test_a_key_that_leads_nowhere(toy: Path, key: str, match: str) -> None:
    with pytest.raises(L1emuError, match=match):
        study_text(toy, {key: 1})
