from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1emu.errors import L1emuError
from l1emu.stream.beam import (
    DEFAULT_NORMALISATION,
    MENU_TOOLS_NORMALISATION,
    ORBIT_SLOTS,
    Train,
    colliding_rate_hz,
    from_trains,
    hl_lhc,
    read_filling_scheme,
)


def test_the_hl_scheme_has_the_bunches_gaps_and_collisions_of_its_name() -> None:
    scheme = hl_lhc()
    assert scheme.bunches(1) == scheme.bunches(2) == 2760
    assert scheme.spacings(1) == {1: 2720, 8: 27, 32: 9, 64: 3}
    assert scheme.collisions == {"IP1/5": 2748, "IP2": 2492, "IP8": 2574}
    filled = np.flatnonzero(scheme.beam1)
    assert (filled[0], filled[-1]) == (26, 3442)
    assert [t.bunches for t in scheme.trains(1)] == [12, 12] + [72] * 38
    assert scheme.colliding_slots.size == 2748
    assert not scheme.colliding[26:38].any()  # the 12 bunches that meet none


def test_the_two_normalisations_of_rates() -> None:
    assert DEFAULT_NORMALISATION.colliding_rate_hz == pytest.approx(30.902634e6)
    assert MENU_TOOLS_NORMALISATION.colliding_rate_hz == pytest.approx(31.03896e6)
    assert hl_lhc().normalisation == DEFAULT_NORMALISATION
    assert colliding_rate_hz() == DEFAULT_NORMALISATION.colliding_rate_hz
    assert colliding_rate_hz(2760, 11246) == MENU_TOOLS_NORMALISATION.colliding_rate_hz
    assert "2748 colliding bunches × 11245.5 Hz = 30.903 MHz" in str(DEFAULT_NORMALISATION)


def test_beams_given_by_trains_may_differ() -> None:
    scheme = from_trains("two trains", [Train(0, 3), Train(10, 2)], [Train(1, 3)])
    assert scheme.colliding_slots.tolist() == [1, 2]
    assert scheme.trains(1) == (Train(0, 3), Train(10, 2))
    assert scheme.spacings(1) == {1: 3, 8: 1}


@pytest.mark.parametrize(
    ("trains", "message"),
    [
        ([Train(3560, 10)], "leaves the orbit"),
        ([Train(5, 0)], "leaves the orbit"),
        ([Train(5, 10), Train(14, 2)], "overlap"),
        ([Train(3440, 4)], "abort gap"),
    ],
)
def test_impossible_trains_are_refused(trains: Any, message: str) -> None:
    with pytest.raises(L1emuError, match=message):
        from_trains("bad", trains)


def test_there_is_no_third_beam() -> None:
    with pytest.raises(L1emuError, match="no such beam"):
        hl_lhc().bunches(3)


def _document(newer: Any) -> Any:
    scheme = hl_lhc()
    masks = [scheme.beam1.astype(int).tolist(), scheme.beam2.astype(int).tolist()]
    if newer:
        document = {"schemeName": scheme.name, "beam1": [1, 261], "schemebeam1": masks[0], "schemebeam2": masks[1]}
    else:
        document = {"beam1": masks[0], "beam2": masks[1]}
    return document


@pytest.mark.parametrize("newer", [True, False])
def test_both_dialects_are_read(tmp_path: Path, newer: bool) -> None:
    file = tmp_path / f"{hl_lhc().name}.json"
    file.write_text(json.dumps(_document(newer)))
    scheme = read_filling_scheme(file)
    assert scheme.name == hl_lhc().name
    assert np.array_equal(scheme.beam1, hl_lhc().beam1)
    assert np.array_equal(scheme.beam2, hl_lhc().beam2)


def _break(document: Any, how: Any) -> None:
    mask = document["beam1"]
    first = mask.index(1)
    if how == "short":
        mask.pop()
    elif how == "value":
        mask[7] = 2
    elif how == "missing":
        del document["beam2"]
    elif how == "bunch":
        mask[first] = 0
        document["beam2"][document["beam2"].index(1)] = 0
    elif how == "collision":
        mask[mask.index(0, 112)], mask[150] = 1, 0
    elif how == "abort":
        mask[3500] = 1


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("short", f"beam1.*3563 entries.*{ORBIT_SLOTS}"),
        ("value", "beam1, slot 7.*got 2"),
        ("missing", "beam2.*missing"),
        ("bunch", "bunches in a beam: got 2759; expected 2760"),
        ("collision", "collisions in IP1 and IP5: got 2747; expected 2748"),
        ("abort", "abort gap: got 3500"),
    ],
)
def test_a_broken_file_is_refused_by_name_and_place(tmp_path: Path, how: str, message: str) -> None:
    document = _document(newer=False)
    _break(document, how)
    file = tmp_path / f"{hl_lhc().name}.json"
    file.write_text(json.dumps(document))
    with pytest.raises(L1emuError, match=message) as caught:
        read_filling_scheme(file)
    assert caught.value.path == str(file)


@pytest.mark.parametrize(("text", "message"), [("{", "not valid JSON"), ("[]", "not a filling scheme")])
def test_what_is_no_scheme_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "scheme.json"
    file.write_text(text)
    with pytest.raises(L1emuError, match=message):
        read_filling_scheme(file)
