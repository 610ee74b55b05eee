"""The schema of a plan, and how samples are cut."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l1emu.batch.plan import BatchPlan, cut_evenly, read_plan
from l1emu.errors import L1emuError

HASH = "0" * 64


def document() -> dict[str, Any]:
    """A plan of one study and two shards."""
    shards = [
        {"id": f"{i}" * 64, "sample": "background", "file": "/a.root", "entries": [5 * i, 5 * i + 5],
         "crossings": [5 * i, 5 * i + 5]}
        for i in range(2)
    ]  # fmt: skip
    file = {"path": "/a.root", "content": {"sha256": HASH}, "size": 9, "modified": "1", "entries": [0, 10]}
    sample = {"identity": {"role": "background"}, "files": [file | {"crossings": [0, 10]}]}
    study: dict[str, Any] = {
        "name": "s",
        "path": None,
        "text": "",
        "settings": {},
        "inputs": {"menu": {"path": "m", "sha256": HASH}},
    }
    study |= {"identity": {}, "samples": {"background": sample}, "shards": [0, 1]}
    return {"version": 1, "versions": {"numpy": "1"}, "studies": [study], "shards": shards}


def written(folder: Path, content: Any) -> Path:
    (folder / "plan.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def test_a_plan_comes_back(tmp_path: Path) -> None:
    plan = read_plan(written(tmp_path, document()))
    assert isinstance(plan, BatchPlan)
    assert json.loads(plan.model_dump_json()) == document()
    assert [plan.number(which) for which in ("0", "1", "0" * 64, "1" * 64)] == [0, 1, 0, 1]
    assert plan.study_of(1).name == "s"
    for which in ("2", "-1", "", "1" * 63, "x", "٣", "9" * 5000, "../plan"):
        with pytest.raises(L1emuError, match=r"no such shard: got .*expected 0 to 1, or the id of one"):
            plan.number(which)


Change = Callable[[dict[str, Any]], Any]
WRONG: list[tuple[Change, str]] = [
    (lambda d: d.update(version=2), "key version: a plan of another version of l1emu: got 2; expected 1"),
    (lambda d: d.update(version=True), "key version: a plan of another version of l1emu: got True"),
    (lambda d: d.pop("version"), "key version: a plan of another version of l1emu: got 'none'"),
    (lambda d: d.pop("studies"), "key studies: the plan is damaged: this key is missing"),
    (lambda d: d.update(more=1), "key more: the plan is damaged: unknown key"),
    (lambda d: d.pop("shards"), "not a plan; expected what `l1emu batch plan` writes"),
    (lambda d: d["shards"][0].update(id="../../x"), r"key shards.0.id: the plan is damaged: got '../../x'"),
    (lambda d: d["shards"][1].update(entries=[-1, 4]), r"key shards.1.entries.0: the plan is damaged: got -1"),
    (lambda d: d["shards"][1].update(entries=[5, 5]), r"key shards.1: the plan is damaged: no crossings in \[5, 5\]"),
    (lambda d: d["shards"][1].update(entries=[5, 6]), "key shards.1: the plan is damaged: no crossings in"),
    (lambda d: d["shards"][1].update(sample="signal"), "the plan is damaged: the shard 1 is of a sample or a file"),
    (lambda d: d["studies"][0].update(shards=[2]), "the plan is damaged: s has the shard 2 of 2"),
    (lambda d: d["studies"].append(d["studies"][0]), "the plan is damaged: two studies are named 's'"),
    (lambda d: d["studies"][0]["samples"].clear(), "key studies.0.samples: the plan is damaged"),
    (lambda d: d["studies"][0]["inputs"]["menu"].update(sha256="x"), "studies.0.inputs.menu.sha256: .*got 'x'"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "match"), WRONG)
def test_what_is_wrong_in_a_plan_is_named(tmp_path: Path, change: Change, match: str) -> None:
    content = document()
    change(content)
    with pytest.raises(L1emuError, match=match) as raised:
        read_plan(written(tmp_path, content))
    assert str(raised.value).startswith(f"{tmp_path}/plan.json: ")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("", "not valid JSON"),
        ("[]", "not a plan"),
        ("{", "not valid JSON"),
        ("\0", "not valid JSON"),
        ("NaN", "finite"),
    ],
)
def test_what_is_no_plan(tmp_path: Path, content: str, match: str) -> None:
    with pytest.raises(L1emuError, match=f"{tmp_path}/plan.json: .*{match}"):
        read_plan(written(tmp_path, content))


def test_no_folder_of_a_plan(tmp_path: Path) -> None:
    with pytest.raises(L1emuError, match=r"absent/plan.json: no plan"):
        read_plan(tmp_path / "absent")
    with pytest.raises(L1emuError, match=r"plan.json: no plan"):
        read_plan(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(L1emuError, match=r"file: this is no folder"):
        read_plan(tmp_path / "file")


@given(lengths=st.lists(st.integers(0, 60), min_size=1, max_size=6), shards=st.integers(1, 80))
def test_a_cut_into_shards_leaves_nothing_out(lengths: list[int], shards: int) -> None:
    cut = cut_evenly(lengths, shards=shards)
    for length, parts in zip(lengths, cut, strict=True):
        assert [0, *(stop for _, stop in parts)] == [*(first for first, _ in parts), length]
        assert all(first < stop for first, stop in parts)
    number = sum(map(len, cut))
    assert number == min(max(shards, sum(length > 0 for length in lengths)), sum(lengths))
    sizes = [-(-length // max(len(parts), 1)) for length, parts in zip(lengths, cut, strict=True)]
    for size in range(1, max(sizes)):  # no other cut with so few has a shorter longest shard
        assert sum(-(-length // size) for length in lengths) > number


@given(lengths=st.lists(st.integers(0, 60), min_size=1, max_size=6), each=st.integers(1, 70))
def test_a_cut_by_size_is_never_longer(lengths: list[int], each: int) -> None:
    cut = cut_evenly(lengths, each=each)
    for length, parts in zip(lengths, cut, strict=True):
        assert len(parts) == -(-length // each)
        assert sum(stop - first for first, stop in parts) == length
        assert all(0 < stop - first <= each for first, stop in parts)


def test_too_many_shards_are_refused() -> None:
    with pytest.raises(L1emuError, match="too many shards: got 2000000; expected at most 1,000,000"):
        cut_evenly([2_000_000], each=1)
    assert sum(map(len, cut_evenly([3_000_000], shards=5_000_000))) == 1_000_000
