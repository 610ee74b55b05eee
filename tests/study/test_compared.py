"""Two results compared: ratios with their errors, what is beyond statistics, and which inputs differ."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from l1emu.errors import L1emuError
from l1emu.study import compare_results, run_study
from tests.study.nano_toys import STUDY, write_nano, write_study
from tests.study.test_measure import l1emu  # noqa: F401, a fixture

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results a and b of other crossings of one kind, c of harder ones, d of another menu on those of a."""
    folder = tmp_path_factory.mktemp("compared")
    run_study(write_study(folder / "first"), folder / "a")
    other = write_study(folder / "second")
    write_nano(folder / "second" / "minbias.root", 4000, 11)
    run_study(other, folder / "b")
    harder = write_study(folder / "third")
    write_nano(folder / "third" / "minbias.root", 4000, 12, scale_gev=60)
    run_study(harder, folder / "c")
    menu = json.loads(json.dumps(STUDY["menu"]))
    menu[2] = {"name": "ht", "sums": {"ht": {"min_gev": 600}}}
    menu.append({"name": "more", "sums": {"ht": {"min_gev": 900}}})
    run_study(write_study(folder / "first", menu=menu), folder / "d")
    return folder


def test_a_result_equals_itself(folder: Path) -> None:
    found = compare_results(folder / "a", folder / "a")
    assert found.equal
    assert found.inputs == []
    assert found.same_crossings
    for row in found.rates:
        assert (row.ratio, row.significance, row.beyond_statistics) == (1, 0, False)
        assert row.a_khz == row.b_khz
    assert {(e.seed, e.signal) for e in found.efficiencies} == {
        (seed, "hh4b") for seed in ("(total)", "quad", "dimuon", "ht")
    }


def test_other_crossings_of_one_kind_are_equal_within_errors(folder: Path) -> None:
    found = compare_results(folder / "a", folder / "b")
    assert found.equal
    assert not found.same_crossings
    assert "background" in [i.what for i in found.inputs]
    results = {name: json.loads((folder / name / "results.json").read_text()) for name in "ab"}
    for row in found.rates[1:]:
        a, b = (next(s for s in results[n]["menu"]["seeds"] if s["name"] == row.seed) for n in "ab")
        assert row.ratio is not None
        assert row.ratio == pytest.approx(b["rate_khz"] / a["rate_khz"])
        error = math.hypot(a["rate_khz_error"] / a["rate_khz"], b["rate_khz_error"] / b["rate_khz"]) * row.ratio
        assert row.ratio_error == pytest.approx(error)
        assert abs(row.significance) < 3
        assert (row.a_accepted, row.b_accepted) == (a["accepted"], b["accepted"])


def test_what_is_beyond_statistics_is_told(folder: Path) -> None:
    found = compare_results(folder / "a", folder / "c")
    assert not found.equal
    beyond = {row.seed for row in found.rates if row.beyond_statistics}
    assert {"quad", "ht", "(total)"} <= beyond
    assert "dimuon" not in beyond
    assert all(row.significance > 3 for row in found.rates if row.beyond_statistics)
    loose = compare_results(folder / "a", folder / "c", sigma=1e3)
    assert loose.equal


def test_another_menu_on_the_same_crossings(folder: Path) -> None:
    found = compare_results(folder / "a", folder / "d")
    assert found.same_crossings
    assert [i.what for i in found.inputs] == ["study", "seed ht", "seed more"]
    ht = found.inputs[1]
    assert ht.a is not None
    assert ht.b is not None
    assert "450" in ht.a
    assert "600" in ht.b
    assert found.inputs[2].a is None
    rows = {row.seed: row for row in found.rates}
    assert rows["more"].a_khz is None
    assert rows["more"].beyond_statistics
    assert rows["ht"].ratio is not None
    assert rows["ht"].ratio < 1
    lost = next(e for e in found.efficiencies if e.seed == "ht")
    assert lost.difference is not None
    assert lost.difference < 0
    assert next(e for e in found.efficiencies if e.seed == "quad").difference == 0


def test_the_command_line_ends_with_0_1_or_2(folder: Path, l1emu: Call, tmp_path: Path) -> None:  # noqa: F811
    code, out, err = l1emu("compare", folder / "a", folder / "b" / "results.json", "--json")
    assert (code, err) == (0, "")
    document: dict[str, Any] = json.loads(out)
    assert {"rates", "efficiencies", "inputs"} <= set(document)
    code, out, err = l1emu("compare", folder / "a", folder / "c")
    assert (code, err) == (1, "")
    assert "differs: background" in out
    assert "they differ by 3 standard errors or more" in " ".join(out.split())
    code, out, err = l1emu("compare", folder / "a", tmp_path / "nothing", "--json")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    (tmp_path / "old.json").write_text(json.dumps({"version": 1, "study": "x"}))
    with pytest.raises(L1emuError, match="another version"):
        compare_results(folder / "a", tmp_path / "old.json")


def test_a_result_of_which_parts_are_missing_is_not_of_the_same_crossings(folder: Path, tmp_path: Path) -> None:
    whole = json.loads((folder / "a" / "results.json").read_text())
    whole["samples"]["background"]["fraction"] = 0.75
    (tmp_path / "results.json").write_text(json.dumps(whole))
    found = compare_results(folder / "a", tmp_path)
    assert not found.same_crossings
    assert [(row.what, row.a, row.b) for row in found.inputs] == [("measured of background", "100 %", "75 %")]
