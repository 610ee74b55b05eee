from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1emu.errors import L1emuError
from l1emu.stream.beam import hl_lhc
from l1emu.stream.luminosity import read_beam


def read(tmp_path: Path, text: str) -> Any:
    file = tmp_path / "beam.yaml"
    file.write_text(text)
    return read_beam(file)


def test_a_scheme_from_its_injections(tmp_path: Path) -> None:
    beam = read(
        tmp_path,
        "filling:\n  name: two injections\n  beam1:\n    - {first_slot: 100, batches: 2}\n"
        "    - {first_slot: 500, bunches: 12}\n  beam2:\n    - {first_slot: 100, batches: 1}\npileup: 60\n",
    )
    assert [(t.first_slot, t.bunches) for t in beam.filling.trains(1)] == [(100, 72), (179, 72), (500, 12)]
    assert beam.filling.collisions["IP1/5"] == 72
    assert (beam.pileup, beam.mean_pileup) == (60, 60)


def test_levelling_holds_the_pileup_until_the_beams_give_no_more(tmp_path: Path) -> None:
    pileup = []
    for hours in (0, 5, 9, 15):
        text = f"pileup: 200\nlevelling: {{virtual_pileup: 560, lifetime_hours: 8.0, hours: {hours}}}\n"
        pileup.append(read(tmp_path, text).mean_pileup)
    # ln(560 / 200) * 8 hours = 8.24 hours
    assert pileup[:2] == [200, 200]
    assert pileup[2] == pytest.approx(560 * np.exp(-9 / 8))
    assert pileup[3] == pytest.approx(560 * np.exp(-15 / 8))


def test_bunches_differ_as_the_spread_says_and_alike_in_every_orbit(tmp_path: Path) -> None:
    beam = read(tmp_path, "pileup: 140\nbunch_spread: 0.1\n")
    relative = beam.relative_pileup[hl_lhc().colliding_slots]
    assert relative.std() == pytest.approx(0.1, rel=0.05)
    assert beam.mean_pileup == pytest.approx(140, rel=0.01)
    assert np.array_equal(beam.relative_pileup, read(tmp_path, "pileup: 140\nbunch_spread: 0.1\n").relative_pileup)


def test_a_scheme_from_a_file_beside_the_settings(tmp_path: Path) -> None:
    mask = [1 if 10 <= i < 20 else 0 for i in range(3564)]
    (tmp_path / "scheme.json").write_text(json.dumps({"schemebeam1": mask, "schemebeam2": mask}))
    assert read(tmp_path, "filling: scheme.json\npileup: 50\n").filling.collisions["IP1/5"] == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pileup: 0\n", "pileup.*greater than or equal to 0.001"),
        ("pileup: 200\nbunchspread: 0.1\n", "unknown key.*bunch_spread"),
        ("pileup: 200\nfilling: none.json\n", "no such file"),
        ("pileup: 200\nfilling:\n  name: x\n  beam1: [{first_slot: 3500}]\n", "beam.yaml.*abort gap|leaves the orbit"),
    ],
)
def test_wrong_beams_name_the_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(L1emuError, match=message):
        read(tmp_path, text)
