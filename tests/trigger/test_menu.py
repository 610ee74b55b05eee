"""Menus as data: what is wrong is told in one line that names the seed, the key, the value and what would be right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from l1emu.errors import L1emuError
from l1emu.trigger import Menu, Scan, Seed, read_menu

PAIR = {"object": "muons", "count": 2, "pt_min_gev": 5}
ONE = {"object": "muons"}


def seed(**keys: Any) -> dict[str, Any]:
    return {"name": "dimuon", **keys}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (seed(), "seed 'dimuon' has no condition"),
        ({"name": " ", "sums": {"ht": {"min": 1}}}, "the name of a seed is blank"),
        (
            seed(legs=[PAIR], between=[{"legs": [0, 1], "delta_r_max": 1}]),
            "'dimuon': between.0.legs names leg 1; expected 0 to 0",
        ),
        (seed(sums={"ht": {"min": 1}}, between=[{"legs": [0, 1], "delta_r_max": 1}]), "of which there are none"),
        (
            seed(legs=[ONE], between=[{"legs": [0, 0], "delta_r_max": 1}]),
            "between.0.legs names leg 0 2 times, whose count is 1; expected 2 or more",
        ),
        (seed(legs=[PAIR], between=[{"legs": [0, 0]}]), "between.0.legs has no condition beside it"),
        (
            seed(legs=[PAIR], between=[{"legs": [0, 0], "opposite_charge": True, "same_charge": True}]),
            "between.0.opposite_charge and between.0.same_charge are both true; expected one of them",
        ),
        (
            seed(legs=[{**PAIR, "charge": 1}], between=[{"legs": [0, 0], "opposite_charge": True}]),
            r"opposite_charge is true of legs whose charges are all \+1; expected two signs",
        ),
        (
            seed(legs=[{**ONE, "charge": 1}, {**ONE, "charge": -1}], between=[{"legs": [0, 1], "same_charge": True}]),
            "same_charge is true of legs whose charges are",
        ),
        (
            seed(legs=[{**PAIR, "count": 3}], between=[{"legs": [0, 0, 0], "delta_r_max": 1}]),
            "between.0.delta_r_max is of three legs; expected two legs, or one of mass_gev",
        ),
        (
            seed(legs=[PAIR], between=[{"legs": [0, 0], "mass_gev": [18, 7]}]),
            r"between.0.mass_gev is \[18, 7\]; expected the lower end first",
        ),
        (
            seed(legs=[PAIR], between=[{"legs": [0, 0], "delta_r_min": 2, "delta_r_max": 1}]),
            "between.0.delta_r_max is 1, below delta_r_min; expected 2 or more",
        ),
        (seed(legs=[{**PAIR, "pt_max_gev": 4}]), "legs.0.pt_max_gev is 4, below pt_min_gev; expected 5 or more"),
        (seed(legs=[{**PAIR, "eta": [[0, 1], [2, 1]]}]), r"legs.0.eta.1 is \[2, 1\]; expected the lower end first"),
        (seed(legs=[{**PAIR, "fields": {"dxy": {}}}]), "legs.0.fields.dxy asks for nothing"),
        (seed(sums={"ht": {}}), "sums.ht asks for nothing"),
        (seed(sums={"ht": {"min": 1, "min_gev": 1}}), "sums.ht has `min` and `min_gev`; expected one of them"),
        (seed(sums={"ht": {"min_gev": 2, "max_gev": 1}}), "sums.ht.max_gev is 1, below min_gev; expected 2 or more"),
        (seed(legs=[PAIR], veto=[{}]), "veto.0 has no condition"),
        (
            seed(legs=[PAIR], veto=[{"sums": {"ht": {"min": "threshold"}}}]),
            "veto.0.sums.ht.min says `threshold`; expected a number",
        ),
        (
            seed(legs=[{**PAIR, "without": [{"object": "jets", "delta_r_max": 1, "pt_min_gev": "threshold"}]}]),
            "legs.0.without.0.pt_min_gev says `threshold`; expected a number",
        ),
        (
            seed(legs=[{**PAIR, "pt_min_gev": "threshold"}], sums={"ht": {"min": "threshold"}}),
            "2 numbers say `threshold`, legs.0.pt_min_gev and sums.ht.min; expected exactly one",
        ),
        (seed(legs=[PAIR], scan={"start": 0, "stop": 1, "step": 0.5}), "scan is given but no number says `threshold`"),
        (seed(legs=[{**PAIR, "count": 0}]), "greater than or equal to 1"),
        (seed(legs=[PAIR], prescale=0.5), "greater than or equal to 1"),
        (seed(legs=[{**PAIR, "charge": 2}]), "1 or -1"),
    ],
)
def test_a_wrong_seed_is_told_in_one_line(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as error:
        Seed.model_validate(data)
    assert "\n" not in error.value.errors()[0]["msg"]


A, B = {"name": "a", "sums": {"ht": {"min": 1}}}, {"name": "b", "any": ["a"]}


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        ([A, A], "two seeds are named 'a'; expected names that differ"),
        ([B], "seed 'b': any names the seed 'a'; expected one of 'b'"),
        ([A, {**B, "not": ["c"]}], "seed 'b': not names the seed 'c'; expected one of 'a', 'b'"),
        ([{"name": "a", "all": ["b"]}, B], "any, all and not go in a circle, 'a' -> 'b' -> 'a'; expected none"),
        ([{"name": "b", "any": ["b"]}], "go in a circle, 'b' -> 'b'"),
        (
            [{"name": "a", "sums": {"ht": {"min": "threshold"}}}, B],
            "seed 'b': any names the seed 'a', which is scanned; expected a fixed one",
        ),
    ],
)
def test_a_wrong_menu_is_told_in_one_line(seeds: list[dict[str, Any]], message: str, tmp_path: Path) -> None:
    file = tmp_path / "menu.yaml"
    file.write_text(yaml.safe_dump({"name": "m", "seeds": seeds}))
    with pytest.raises(L1emuError) as error:
        read_menu(file)
    assert message in str(error.value) and str(error.value).startswith(f"{file}: line 1")


def test_a_typing_error_is_found_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "menu.yaml"
    file.write_text("name: m\nseeds:\n  - name: a\n    legs:\n      - {object: jets, pt_min: 4}\n")
    with pytest.raises(L1emuError, match=r"line 5, key seeds.0.legs.0.pt_min: unknown key: got 'pt_min'; expected"):
        read_menu(file)
    file.write_text("name: m\nseeds:\n  - name: a\n    nott: [b]\n")
    with pytest.raises(L1emuError, match="'not', perhaps"):
        read_menu(file)


def test_a_menu_is_read(tmp_path: Path) -> None:
    file = tmp_path / "menu.yaml"
    file.write_text(
        "name: m\nseeds:\n"
        "  - {name: a, group: g, prescale: 2.5, sums: {ht: {min_gev: threshold}}, scan: {start: 0, stop: 2, step: 1}}\n"
        "  - {name: b, legs: [{object: muons, pt_min_gev: 3}]}\n"
        "  - {name: c, not: [b]}\n"
    )
    menu = read_menu(file)
    assert [s.name for s in menu.seeds] == ["a", "b", "c"]
    assert (menu.seeds[0].group, menu.seeds[0].prescale, menu.seeds[2].not_) == ("g", 2.5, ["b"])
    assert menu.seeds[0].scan is not None and menu.seeds[0].scan.thresholds.tolist() == [0, 1, 2]
    assert Menu.model_validate_json(menu.model_dump_json(by_alias=True)) == menu


@pytest.mark.parametrize(
    ("keys", "scanned", "unit", "sign"),
    [
        ({"legs": [{**ONE, "pt_min_gev": "threshold"}] * 2}, "muon pt", "GeV", 1),
        ({"legs": [{**ONE, "abs_eta_max": "threshold"}]}, "muon |η|", "", -1),
        ({"legs": [{**ONE, "scores": {"tag_b": "threshold"}}]}, "tag_b score", "", 1),
        ({"sums": {"ht": {"max_gev": "threshold"}}}, "ht", "GeV", -1),
        ({"legs": [PAIR], "between": [{"legs": [0, 0], "delta_z_max_cm": "threshold"}]}, "Δz", "cm", -1),
        ({"legs": [PAIR], "between": [{"legs": [0, 0], "mass_gev": ["threshold", 9]}]}, "mass", "GeV", 1),
        ({"legs": [PAIR]}, "", "", 1),
    ],
)
def test_what_is_scanned(keys: dict[str, Any], scanned: str, unit: str, sign: int) -> None:
    made = Seed.model_validate(seed(**keys))
    assert (made.scanned, made.unit, made.sign) == (scanned, unit, sign)
    assert made.at(1).scanned == "" and (not scanned or "T" in made.describe())


def test_scores_of_legs() -> None:
    tagged = {"object": "jets", "pt_min_gev": "threshold", "scores": {"tag_b": 0.5}}
    made = Seed.model_validate(
        seed(legs=[tagged, {"object": "jets", "count": 2}], scan={"start": 0, "stop": 1, "step": 1})
    )
    assert made.tagged
    loose = made.without_tags()
    assert loose is not None and not loose.tagged and loose.scanned == "jet pt"
    assert made.with_working_point(0.75).legs[0].scores == {"tag_b": 0.75}
    assert made.at(30).legs[0].pt_min_gev == 30 and made.at(30).scan is None
    open_score = Seed.model_validate(seed(legs=[{"object": "jets", "scores": {"tag_b": "threshold"}}]))
    assert open_score.without_tags() is None
    assert open_score.with_working_point(0.1) == open_score
    vetoed = Seed.model_validate(seed(legs=[ONE], veto=[{"legs": [{**tagged, "pt_min_gev": 3}]}]))
    bare = vetoed.without_tags()
    assert vetoed.tagged and bare is not None and bare.veto == []  # a looser veto would refuse more


def test_a_seed_of_everything_in_words() -> None:
    near = {"object": "jets", "delta_r_max": 0.4, "pt_min_gev": 20}
    leg = {**PAIR, "abs_eta_max": 2.4, "quality": [1, 3], "charge": -1, "isolation_max": 0.1, "without": [near]}
    made = Seed.model_validate(
        seed(
            legs=[leg, {"object": "jets", "offline": True, "pt_gev": [[5, 7], [9, 12]], "phi": [[0, 1]]}],
            sums={"ht": {"min_gev": 100}, "score": {"max": 0.5}},
            between=[{"legs": [0, 1], "delta_r_min": 0.4, "mass_gev": [7, "threshold"], "same_charge": True}],
            veto=[{"sums": {"met": {"min_gev": 50}}}],
            any=["a", "b"],
        )
    )
    assert made.describe() == (
        "2 muons with pt ≥ 5 GeV, |η| < 2.4, quality in 1, 3, isolation ≤ 0.1, charge −, no jet within ΔR ≤ 0.4, "
        "pt ≥ 20 GeV and 1 jet with 5 ≤ offline pt ≤ 7 GeV or 9 ≤ offline pt ≤ 12 GeV, 0 ≤ φ ≤ 1 and ht ≥ 100 GeV and "
        "score ≤ 0.5 and legs 0, 1: ΔR ≥ 0.4, 7 ≤ mass ≤ T GeV, same charge and any of a, b and not (met ≥ 50 GeV)"
    )


def test_thresholds_may_be_negative() -> None:
    assert Scan(start=-2, stop=0, step=1).thresholds.tolist() == [-2, -1, 0]
