"""Rates of a study at other pile-ups and in other filling schemes, beside the functions that do the same in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from l1emu.cli import main
from l1emu.errors import L1emuError
from l1emu.files import sha256_file
from l1emu.study import measure_rates, run_study
from l1emu.trigger import Crossings, MenuEntry, reweighted_rates
from l1emu.trigger.masks import read_masks
from tests.study.nano_toys import STUDY, toy_crossings, write_study

PILEUP: dict[str, Any] = {"collisions": "npu", "made_at": 50, "at": [40, 50, 55]}


def numbers(crossings: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(9).poisson(50, crossings).astype(np.int32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files whose crossings say how many collisions they have; more of them make more jets."""
    path = tmp_path_factory.mktemp("pileup")
    for name, crossings, seed, scale in (("minbias", 4000, 1, 40.0), ("hh4b", 500, 2, 70.0)):
        found = toy_crossings(crossings, seed, scale)
        with uproot.recreate(path / f"{name}.root") as file:
            types = {name: value.type.content for name, value in found.items()}
            file.mktree("Events", types | {"npu": "int32"}).extend(found | {"npu": numbers(crossings)})
    return path


def study(folder: Path, **changes: Any) -> Path:
    sums = {**STUDY["sums"], "npu": {"branch": "npu"}}
    return write_study(folder, **({"sums": sums, "pileup": PILEUP} | changes))


def test_rates_at_other_pileups_are_those_in_memory(folder: Path) -> None:
    found = measure_rates(study(folder), masks=folder / "masks.parquet")
    masks = read_masks(folder / "masks.parquet")
    accepted = np.stack([ak.to_numpy(masks[seed.name]) for seed in found.seeds], axis=1)
    crossings = Crossings(np.zeros(4000, np.int64), np.full(4000, -1), ("all",), np.ones(1))
    entries = [MenuEntry(seed.name, seed.group, seed.prescale) for seed in found.seeds]
    khz = found.normalisation.colliding_rate_khz
    wanted = reweighted_rates(accepted, crossings, entries, khz, numbers(4000), PILEUP["at"], given=50)
    assert [point.pileup for point in found.pileups] == PILEUP["at"]
    for point, rates in zip(found.pileups, wanted, strict=True):
        assert point.effective_crossings == pytest.approx(rates.effective_crossings)
        assert point.total.rate_khz == pytest.approx(rates.rates.total.rate_khz)
        assert point.total.rate_khz_error == pytest.approx(rates.rates.total.error_khz)
        for seed in rates.rates.seeds:
            assert point.seeds[seed.entry.name].rate_khz == pytest.approx(seed.rate.rate_khz)
    same = found.pileups[1]
    assert same.effective_crossings == pytest.approx(4000)
    assert same.total.rate_khz == pytest.approx(found.total.rate_khz)


def test_without_the_pileup_of_the_sample_its_own_numbers_tell(folder: Path) -> None:
    found = measure_rates(study(folder, pileup={"collisions": "npu", "at": [45]}))
    crossings = Crossings(np.zeros(4000, np.int64), np.full(4000, -1), ("all",), np.ones(1))
    everything = np.ones((4000, 1), np.bool_)
    (wanted,) = reweighted_rates(everything, crossings, [MenuEntry("a")], 1.0, numbers(4000), [45])
    assert found.pileups[0].effective_crossings == pytest.approx(wanted.effective_crossings)


def test_rates_scale_to_other_fillings(folder: Path) -> None:
    found = measure_rates(study(folder, pileup=None, beam={"others": {"half": 1374, "all": 2748}}))
    half, same = found.fillings
    assert (half.name, half.colliding_bunches) == ("half", 1374)
    assert half.total.rate_khz == pytest.approx(found.total.rate_khz / 2)
    assert half.seeds["ht"].rate_khz_upper == pytest.approx(found.seeds[2].rate_khz_upper / 2)
    assert same.total.rate_khz == pytest.approx(found.total.rate_khz)


def test_the_report_shows_both(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {"samples": STUDY["samples"] | {"energy_tev": 13.6, "pileup": 50}}  # the files do not say it
    path = study(folder, beam={"others": {"half": 1374}}, **said)
    results = run_study(path, tmp_path / "out")
    known = results.content.samples
    assert {(s.energy_tev, s.pileup) for s in (known.background, *known.signals.values())} == {(13.6, 50)}
    assert {"pileups", "fillings"} <= set(results.tables)
    assert len(results.tables["pileups"]) == 3 * 4
    page = (results.folder / "report.html").read_text(encoding="utf-8")
    assert 'id="rate_vs_pileup"' in page
    assert "Other filling schemes" in page
    monkeypatch.setattr("sys.argv", ["l1emu", "rates", str(path)])
    with pytest.raises(SystemExit):
        main()
    out = capsys.readouterr().out
    assert "pile-up 40" in out
    assert "half, 1374 bunches" in out


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pileup": PILEUP | {"collisions": "nvtx"}}, "no such sum.*nvtx"),
        ({"pileup": PILEUP | {"at": [400]}}, "crossings with as many collisions as that pile-up has are missing"),
        ({"pileup": PILEUP | {"collisions": "ht"}}, "no number of collisions"),
        ({"pileup": PILEUP | {"at": []}}, "pileup.at"),
        ({"beam": {"others": {"x": "nothing.json"}}}, "nothing.json"),
        ({"beam": {"others": {"x": 0}}}, "others"),
    ],
)
def test_what_cannot_be_is_refused(folder: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(L1emuError, match=words):
        measure_rates(study(folder, **changes))


def test_a_filling_scheme_beside_is_named_among_what_was_read(folder: Path) -> None:
    mask = [1] * 100 + [0] * (3564 - 100)
    (folder / "other.json").write_text(json.dumps({"name": "a test", "beam1": mask, "beam2": mask}))
    found = measure_rates(study(folder, pileup=None, beam={"others": {"short": "other.json"}}))
    assert found.manifest.files["filling short"].sha256 == sha256_file(folder / "other.json")
    assert found.fillings[0].total.rate_khz == pytest.approx(found.total.rate_khz * 100 / 2748)
