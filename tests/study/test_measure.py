"""Studies of a menu on trees of objects: every number beside a loop over all assignments, and every refusal."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
from scipy.stats import beta

from l1emu.cli import main
from l1emu.errors import L1emuError
from l1emu.results import RatesOfStudy, read_rates, read_results
from l1emu.study import measure_rates, run_study
from tests.study.nano_toys import STUDY, toy_crossings, write_nano, write_study

Crossing = dict[str, list[dict[str, float]]]
RATE_KHZ = 2748 * 11.2455


def quad(crossing: Crossing) -> bool:
    jets = [j for j in crossing["L1puppiJetSC4"] if abs(j["eta"]) < 2.4]
    found = any(
        all(jet["pt"] >= least for jet, least in zip(four, (70, 55, 40, 40), strict=True))
        for four in itertools.permutations(jets, 4)
    )
    return found and ht(crossing) >= 400


def ht(crossing: Crossing) -> float:
    return sum(j["pt"] for j in crossing["L1puppiJetSC4"] if j["pt"] >= 30 and abs(j["eta"]) < 2.4)


def dimuon(crossing: Crossing) -> bool:
    muons = [m for m in crossing["L1gmtTkMuon"] if m["pt"] >= 5 and abs(m["eta"]) < 2.4]
    for a, b in itertools.permutations(muons, 2):
        d_eta, d_phi = a["eta"] - b["eta"], (a["phi"] - b["phi"] + math.pi) % (2 * math.pi) - math.pi
        mass = math.sqrt(2 * a["pt"] * b["pt"] * (math.cosh(d_eta) - math.cos(d_phi)))
        if math.hypot(d_eta, d_phi) <= 1.2 and a["charge"] * b["charge"] < 0 and 7 <= mass <= 18:
            return True
    return False


SEEDS: dict[str, Callable[[Crossing], bool]] = {"quad": quad, "dimuon": dimuon, "ht": lambda c: ht(c) >= 450}


def decided(found: dict[str, ak.Array]) -> dict[str, np.ndarray[Any, Any]]:
    names = list(found)
    crossings = [
        dict(zip(names, both, strict=True)) for both in zip(*(ak.to_list(found[n]) for n in names), strict=True)
    ]
    return {name: np.array([seed(c) for c in crossings]) for name, seed in SEEDS.items()}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("nano"))


@pytest.fixture(scope="module")
def rates(study: Path) -> RatesOfStudy:
    return measure_rates(study)


@pytest.fixture(scope="module")
def background() -> dict[str, np.ndarray[Any, Any]]:
    return decided(toy_crossings(4000, 1, 40.0))


@pytest.fixture(scope="module")
def signal() -> dict[str, np.ndarray[Any, Any]]:
    return decided(toy_crossings(1000, 2, 70.0))


def test_counts_and_rates_are_those_of_a_loop_over_all_assignments(
    rates: RatesOfStudy, background: dict[str, np.ndarray[Any, Any]]
) -> None:
    kept = {"quad": 1.0, "dimuon": 0.5, "ht": 1.0}
    for seed in rates.seeds:
        accepted = background[seed.name]
        assert seed.accepted == accepted.sum() > 0
        assert seed.rate_khz == pytest.approx(RATE_KHZ * accepted.mean() * kept[seed.name])
        assert seed.rate_khz_unprescaled == pytest.approx(RATE_KHZ * accepted.mean())
        others = [1 - kept[name] * background[name] for name in SEEDS if name != seed.name]
        alone = kept[seed.name] * accepted * np.prod(others, axis=0)
        assert seed.pure_khz == pytest.approx(RATE_KHZ * alone.mean())
        assert seed.rate_khz_error > 0
        assert seed.threshold is None
    kept_by_any = 1 - np.prod([1 - kept[name] * background[name] for name in SEEDS], axis=0)
    assert rates.total.rate_khz == pytest.approx(RATE_KHZ * kept_by_any.mean())
    assert rates.total.accepted == np.any([background[name] for name in SEEDS], axis=0).sum()
    assert sum(seed.proportional_khz for seed in rates.seeds) == pytest.approx(rates.total.rate_khz)
    both = background["quad"] & background["ht"]
    assert rates.overlap["quad & ht"] == pytest.approx(RATE_KHZ * both.mean())
    both = background["quad"] & background["dimuon"]
    assert rates.overlap["quad & dimuon"] == pytest.approx(RATE_KHZ * 0.5 * both.mean())
    hadronic, muons = rates.groups
    assert (hadronic.name, muons.name) == ("hadronic", "muons")
    assert hadronic.rate_khz == pytest.approx(RATE_KHZ * (background["quad"] | background["ht"]).mean())
    assert muons.rate_khz == pytest.approx(RATE_KHZ * 0.5 * background["dimuon"].mean())


def test_efficiencies_have_clopper_and_pearsons_interval(
    rates: RatesOfStudy, signal: dict[str, np.ndarray[Any, Any]]
) -> None:
    for seed in rates.seeds:
        k, n = int(signal[seed.name].sum()), 1000
        value, low, high = seed.efficiency["hh4b"]
        assert value == k / n
        assert low == pytest.approx(beta.ppf(0.158655, k, n - k + 1), rel=1e-4)
        assert high == pytest.approx(beta.ppf(1 - 0.158655, k + 1, n - k), rel=1e-4)
    kept = {"quad": 1.0, "dimuon": 0.5, "ht": 1.0}
    any_of = 1 - np.prod([1 - kept[name] * signal[name] for name in SEEDS], axis=0)
    value, low, high = rates.total.efficiency["hh4b"]
    assert value == pytest.approx(any_of.mean())
    assert low < value < high


def test_files_may_be_split_and_ordered_as_they_like(rates: RatesOfStudy, tmp_path: Path) -> None:
    """The same crossings in three files, read in small steps: the same numbers to the last bit."""
    whole = toy_crossings(4000, 1, 40.0)
    path = write_study(tmp_path / "s", samples=STUDY["samples"] | {"step": 333})
    again = measure_rates(path)
    assert [s.model_dump() for s in again.seeds] == [s.model_dump() for s in rates.seeds]
    assert len(whole["L1puppiJetSC4"]) == 4000


@pytest.fixture
def l1emu(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """The command line, called as the console script calls it."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["l1emu", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = capsys.readouterr()
        return int(stopped.value.code or 0), out, err

    return call


Call = Callable[..., tuple[int, str, str]]


def test_the_command_line_prints_the_contract(study: Path, rates: RatesOfStudy, tmp_path: Path, l1emu: Call) -> None:
    code, out, err = l1emu("rates", study, "--json", "--masks", tmp_path / "masks.parquet")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert {"normalisation", "total", "seeds", "groups", "overlap", "equal_rate"} <= set(document)
    assert {"rate_khz", "rate_khz_error"} <= set(document["total"])
    for seed in document["seeds"]:
        keys = {"name", "group", "prescale", "threshold", "accepted", "rate_khz", "rate_khz_error", "rate_khz_upper"}
        assert keys | {"pure_khz", "proportional_khz", "efficiency"} <= set(seed)
        value, low, high = seed["efficiency"]["hh4b"]
        assert low <= value <= high
    assert set(document["overlap"]) == {"quad & dimuon", "quad & ht", "dimuon & ht"}
    assert document["emulation"] is None
    (tmp_path / "rates.json").write_text(out)
    assert read_rates(tmp_path / "rates.json") == rates.model_copy(
        update={"manifest": read_rates(tmp_path / "rates.json").manifest}
    )
    code, out, err = l1emu("rates", study)
    assert (code, err) == (0, "")
    for word in ("quad", "dimuon", "all of hadronic", "total", "hh4b, %", "2748 colliding"):
        assert word in out


def test_masks_come_back_as_awkward(study: Path, tmp_path: Path, background: dict[str, np.ndarray[Any, Any]]) -> None:
    from l1emu.trigger.masks import read_masks

    measure_rates(study, masks=tmp_path / "masks.parquet")
    masks = read_masks(tmp_path / "masks.parquet")
    for name, accepted in background.items():
        assert ak.to_numpy(masks[name]).tolist() == accepted.tolist()


def test_a_run_leaves_out_what_the_study_lacks(study: Path, tmp_path: Path, l1emu: Call) -> None:
    code, out, err = l1emu("run", study, "-o", tmp_path / "out")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == str(tmp_path / "out")
    results = read_results(tmp_path / "out")
    for part in (results.latency, results.budget, results.stream, results.emulation, results.scores):
        assert part is None
    for rows in (results.rate, results.comparison.seeds, results.turn_ons):
        assert len(rows) == 0
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for word in (
        "Does the budget hold?",
        "Which jets would be tagged",
        "Budget, stage by stage",
        "<h2>Stream",
        "<figure",
    ):
        assert word not in page
    for word in ("What does the menu take?", "dimuon", "all of muons", "hh4b"):
        assert word in page
    assert sorted(p.name for p in (tmp_path / "out" / "tables").iterdir()) == [
        "groups.csv", "menu.csv", "overlap.csv", "strata.csv",
    ]  # fmt: skip


def test_rates_alone_without_signals(tmp_path: Path, rates: RatesOfStudy) -> None:
    found = measure_rates(write_study(tmp_path / "s", samples={"background": "minbias.root"}))
    assert [s.rate_khz for s in found.seeds] == [s.rate_khz for s in rates.seeds]
    assert all(s.efficiency == {} for s in found.seeds)
    assert found.total.efficiency == {}


def test_one_number_of_a_seed_is_scanned_and_stands_at_the_target_rate(
    tmp_path: Path, background: dict[str, np.ndarray[Any, Any]]
) -> None:
    """The mass window's upper end: an upper cut, whose rate rises with it."""
    menu = json.loads(json.dumps(STUDY["menu"]))
    menu[1]["between"][0]["mass_gev"] = [7, "threshold"]
    menu[1] |= {"scan": {"start": 8, "stop": 40, "step": 1}, "prescale": 1}
    menu[2] = {"name": "ht", "sums": {"ht": {"min_gev": "threshold"}}, "scan": {"start": 0, "stop": 800, "step": 10}}
    study = write_study(tmp_path / "s", menu=menu, rate={"target_khz": 1000, "replicas": 50})
    found = measure_rates(study)
    at = {row.seed: row for row in found.equal_rate}
    assert set(at) == {"dimuon", "ht"}
    for row in at.values():
        assert row.signal == "hh4b"
        assert row.rate_khz == pytest.approx(1000, rel=1e-6)
    point = next(p for p in found.rate if p.seed == "dimuon" and p.threshold == 18)
    assert point.accepted_crossings == background["dimuon"].sum()
    rising = [p.rate_khz for p in sorted((p for p in found.rate if p.seed == "dimuon"), key=lambda p: p.threshold)]
    assert rising == sorted(rising)
    seed = next(s for s in found.seeds if s.name == "dimuon")
    assert seed.threshold == pytest.approx(at["dimuon"].threshold)
    assert 8 < at["dimuon"].threshold < 40


def test_several_signals_have_a_column_and_rows_each(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    samples = {"background": "minbias.root", "signals": {"hh4b": "hh4b.root", "soft": "soft.root"}}
    menu = [
        {"name": "ht", "sums": {"ht": {"min_gev": "threshold"}}, "scan": {"start": 0, "stop": 800, "step": 10}},
        STUDY["menu"][0],
    ]
    study = write_study(folder, samples=samples, menu=menu, rate={"target_khz": 1000, "replicas": 50})
    write_nano(folder / "soft.root", 500, 3, scale_gev=20)
    results = run_study(study, tmp_path / "out")
    assert {(row.seed, row.signal) for row in results.content.comparison.seeds} == {("ht", "hh4b"), ("ht", "soft")}
    assert set(results.content.menu.seeds[1].efficiency) == {"hh4b", "soft"}
    assert {"efficiency hh4b", "efficiency_low soft"} <= set(results.tables["menu"].columns)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert '<th scope="col">soft, %</th>' in page


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"menu": [{"name": "a", "legs": [{"object": "tau", "pt_min_gev": 5}]}]}, ["tau", "jets"]),
        ({"menu": [{"name": "a", "legs": [{"object": "jets", "quality_min": 3}]}]}, ["quality", "jets"]),
        ({"menu": [{"name": "a", "sums": {"mht": {"min_gev": 3}}}]}, ["mht"]),
        ({"menu": [{"name": "a", "all": ["b"]}]}, ["'b'"]),
        (
            {"menu": [{"name": "a", "legs": [{"object": "jets"}], "between": [{"legs": [0, 1], "delta_r_max": 1}]}]},
            ["a", "1"],
        ),
        ({"objects": {"jets": {"collection": "L1puppiJetSC4", "pt": "ptt"}}}, ["ptt", "minbias.root"]),
        ({"menu": "cms-phase2"}, ["cms-phase2", "no such menu"]),
        ({"stream": {"topology": "budgets/cms-phase2.topology.yaml", "accepts": "ht"}}, ["latency"]),
        ({"samples": {"background": "minbias.root", "signals": {"s": "minbias.root"}}}, ["background and signal"]),
        ({"objects": None, "sums": None}, ["`objects: cms-phase2-l1nano` in the study"]),
        ({"name": None, "menu": None}, ["these keys are missing: name, menu"]),
        ({"samples": {"background": {"files": "minbias.root", "vertex": "beam"}}}, ["vertex", "candidates"]),
        (
            {"menu": [{"name": "a", "sums": {"ht": {"min_gev": "threshold"}}}]},
            ["'a'", "scan"],
        ),
    ],
)
def test_bad_input_is_one_line(
    study: Path, tmp_path: Path, l1emu: Call, changes: dict[str, Any], words: list[str]
) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    for name in ("minbias.root", "hh4b.root"):
        (folder / name).write_bytes((study.parent / name).read_bytes())
    code, out, err = l1emu("rates", write_study(folder, **changes), "--json")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    for word in words:
        assert word in err


def test_files_whose_fields_differ_are_refused_by_file(study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    path = write_study(folder, samples={"background": {"files": "m*.root"}})
    import uproot

    with uproot.recreate(folder / "mother.root") as file:
        tree = file.mktree("Events", {"L1gmtTkMuon": toy_crossings(1, 1, 1.0)["L1gmtTkMuon"].type.content})
        tree.extend({"L1gmtTkMuon": toy_crossings(5, 1, 1.0)["L1gmtTkMuon"]})
    with pytest.raises(L1emuError, match=r"mother\.root") as error:
        measure_rates(path)
    assert "L1puppiJetSC4_" in str(error.value)
