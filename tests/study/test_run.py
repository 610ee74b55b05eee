"""A whole study on toy samples: every number of the results is recomputed another way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import yaml

from l1emu.cli import main
from l1emu.errors import L1emuError
from l1emu.events.jets import build_jets
from l1emu.events.sample import read_sample
from l1emu.files import sha256_file
from l1emu.firmware import Firmware
from l1emu.firmware.reference import run as reference
from l1emu.latency.estimate import load_design
from l1emu.latency.estimate.flows import layer_names
from l1emu.latency.partition import Partition, partition_text
from l1emu.layers import Dense
from l1emu.resources import resource
from l1emu.results import read_results
from l1emu.stream import read_topology
from l1emu.stream.chain import compile_topology
from l1emu.study import Results, read_study, run_study
from l1emu.study.inputs import input_files
from l1emu.study.latency import check_budget, stream_chain
from l1emu.study.measure import load_study_taggers, measure
from l1emu.taggers.settings import JET_OUTPUTS
from l1emu.trigger.text import rate_text, total_error_text
from tests.study.study_toys import STRATA, toy_firmware, toy_study, write_golden

POINT = {"seed", "threshold", "rate_khz", "rate_khz_error", "efficiency", "efficiency_low", "efficiency_high"}


def reference_jets(path: Path) -> ak.Array:
    """Jets and scores of a sample with the plain integer reference in the place of the emulator."""
    batch = read_sample(path).read()
    jets = build_jets(batch.candidates, max_jets=16, min_pt_gev=15.0)
    scores = reference(toy_firmware(), jets.features.astype(np.int64))["y"] / 4096
    table = jets.table()
    for i, name in enumerate(JET_OUTPUTS):
        table[f"tag_{name}"] = ak.unflatten(scores[:, i], jets.counts)
    return table


def four_jets_two_b(jets: ak.Array, threshold: float) -> list[bool]:
    """The tagged seed, crossing by crossing."""
    found = []
    for crossing in ak.to_list(jets):
        chosen = [j for j in crossing if j["pt"] >= threshold and abs(j["eta"]) < 2.4]
        found.append(len(chosen) >= 4 and sum(j["tag_b"] >= 0.5 for j in chosen) >= 2)
    return found


def test_the_keys_that_others_rely_on(results: Results) -> None:
    document = json.loads((results.folder / "results.json").read_text())
    assert document == results.document
    for point in document["rate"]:
        assert {
            "seed",
            "threshold",
            "rate_khz",
            "rate_khz_error",
            "efficiency",
            "efficiency_low",
            "efficiency_high",
        } <= set(point)
        assert point["efficiency_low"] <= point["efficiency"] <= point["efficiency_high"]
    assert {p["seed"] for p in document["rate"]} == {"HT", "four jets", "two b"}
    assert {"budget_ns", "used_ns", "slack_ns", "late_fraction"} <= set(document["latency"])
    assert {"jets", "mismatches"} <= set(document["emulation"])
    assert document["manifest"]["times"]["emulated_per_second"]["tagger"] > 0
    assert document["latency"]["slack_ns"] == pytest.approx(
        document["latency"]["budget_ns"] - document["latency"]["used_ns"]
    )
    for key in ("manifest", "comparison", "stream", "budget"):
        assert document[key]


def test_rates_and_efficiencies_are_those_of_a_loop_over_reference_jets(results: Results, toy: Path) -> None:
    background, wanted = reference_jets(toy.parent / "minbias.root"), reference_jets(toy.parent / "signal.root")
    weight = np.repeat([p / n for _, p, n in STRATA], [n for _, _, n in STRATA])
    for threshold in (15.0, 18.0, 30.0):
        point = next(p for p in results.document["rate"] if p["seed"] == "two b" and p["threshold"] == threshold)
        accepted = four_jets_two_b(background, threshold)
        assert point["accepted_crossings"] == sum(accepted)
        assert point["rate_khz"] == pytest.approx(2748 * 11.2455 * np.dot(weight, accepted))
        assert point["efficiency"] == np.mean(four_jets_two_b(wanted, threshold))
    assert results.document["emulation"]["jets"] == ak.count(background.pt) + ak.count(wanted.pt)


def test_the_tagged_seed_keeps_more_at_equal_rate(results: Results) -> None:
    comparison = results.document["comparison"]
    assert comparison["target_khz"] == 100
    assert "2748 colliding bunches" in comparison["normalisation"]
    assert [s["rate_khz"] for s in comparison["seeds"]] == pytest.approx([100] * 3)
    assert [(g["seed"], g["reference"]) for g in comparison["gains"]] == [("two b", "HT"), ("two b", "four jets")]
    for g in comparison["gains"]:
        assert g["difference"] > 0
        assert g["significance"] == pytest.approx(g["difference"] / g["difference_error"])
    points = results.document["working_points"]["points"]
    assert [p["minimum"] for p in points] == [0.3, 0.7]
    assert len({p["signal_crossings"] for p in points}) == 1
    assert abs(points[0]["signal_crossings"] - 100) < 30  # half of 200 in the mean: each falls to a side by its hash


def test_golden_vectors_and_budget(results: Results) -> None:
    emulation = results.document["emulation"]
    assert (emulation["golden_jets"], emulation["mismatches"], emulation["identical"]) == (300, 0, True)
    assert emulation["golden_layers"] == 1
    budget = results.document["budget"]
    assert budget["passed"] is True
    assert budget["used_ns"] == results.document["latency"]["used_ns"]
    assert results.passed


def test_the_stream_sees_the_jets_and_accepts_of_the_crossings(results: Results, toy: Path) -> None:
    file = read_study(toy)
    source = measure(file, load_study_taggers(file)).source
    assert source is not None
    sample = read_sample(toy.parent / "minbias.root").read()
    jets = reference_jets(toy.parent / "minbias.root")
    threshold = next(s["threshold"] for s in results.document["comparison"]["seeds"] if s["seed"] == "two b")
    strata = results.document["comparison"]["strata"]
    weight = np.array([s["probability"] / s["crossings"] for s in strata])[sample.stratum]
    rows = zip(ak.num(jets.pt).to_list(), four_jets_two_b(jets, threshold), weight, strict=True)
    expected: dict[tuple[int, bool], float] = {}
    for number, accepted, share in rows:
        expected[number, accepted] = expected.get((number, accepted), 0.0) + share
    found = zip(source.n_jets.tolist(), source.accept.tolist(), source.probability[0].tolist(), strict=True)
    assert {(number, accepted): share for number, accepted, share in found} == pytest.approx(expected)
    stream = results.document["stream"]
    assert stream["colliding"] == 2748
    assert stream["tagger"]["copies"] == results.document["budget"]["throughput"]["copies"]
    chain, budget = stream["chain"], results.document["budget"]
    assert chain["unloaded_crossings"] == chain["budget_crossings"] == budget["chain"]["used_crossings"]
    assert (chain["jets"], chain["differences"]) == (budget["throughput"]["jets"], [])
    exact = stream["exact"]
    assert exact["accept_loss"] == pytest.approx(stream["lost"]["buffer full"] / max(stream["triggered"], 1), abs=0.05)
    assert exact["latency_ns"]["max"] >= stream["latency_ns"]["max"]
    needed = stream["copies_needed"]
    assert needed["bound_mean"] <= needed["copies"] <= needed["bound_worst"]
    assert needed["tried"][-1]["copies"] == needed["copies"]
    assert all(t["jets_lost"] or t["late"] for t in needed["tried"][:-1])
    assert stream["tagger"]["latency_cycles"] == results.document["budget"]["tagger"]["latency_cycles"]


def test_the_manifest_names_what_went_in_and_nothing_of_this_machine(results: Results, toy: Path) -> None:
    manifest = results.document["manifest"]
    for role, name in (("study", "study.yaml"), ("background", "minbias.root"), ("firmware", "tagger.l1fw")):
        found = manifest["files"][role]
        assert (found["name"], found["sha256"]) == (name, sha256_file(toy.parent / name))
        assert found["bytes"] == (toy.parent / name).stat().st_size
    assert {"study", "background", "signal", "firmware", "golden", "budget", "topology"} == set(manifest["files"])
    assert manifest["firmware_content_hashes"] == {"tagger": Firmware.read(toy.parent / "tagger.l1fw").content_hash}
    assert manifest["dependencies"]["numpy"] == np.__version__
    assert manifest["seeds"]["bootstrap"] == 4
    assert manifest["normalisation"]["colliding_rate_khz"] == pytest.approx(2748 * 11.2455)
    text = (results.folder / "results.json").read_text() + (results.folder / "report.html").read_text()
    assert str(toy.parent) not in text
    assert str(Path.home()) not in text


def test_equal_input_gives_equal_numbers(results: Results, toy: Path, tmp_path: Path) -> None:
    again = run_study(toy, tmp_path / "again").document
    for key in ("rate", "comparison", "working_points", "latency", "budget", "scores"):
        assert again[key] == results.document[key]
    assert again["stream"]["digest"] == results.document["stream"]["digest"]


def changed(toy: Path, folder: Path, change: dict[str, Any]) -> Path:
    """The toy study with other values; `a.b` names the key b of a."""
    shutil.copytree(toy.parent, folder)
    data = toy_study()
    for key, value in change.items():
        *path, last = key.split(".")
        inner: Any = data
        for part in path:
            inner = inner[int(part)] if isinstance(inner, list) else inner[part]
        inner[last] = value
    study = folder / "study.yaml"
    study.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
    return study


@dataclass(frozen=True)
class Done:
    """What a call of the command line gave."""

    returncode: int
    stdout: str
    stderr: str


Call = Callable[..., Done]


@pytest.fixture
def l1emu(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """The command line, called as the console script calls it, in a folder."""

    def call(*arguments: str | Path, cwd: Path) -> Done:
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", ["l1emu", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = capsys.readouterr()
        return Done(int(stopped.value.code or 0), out, err)

    return call


def test_wrong_golden_values_are_found_and_said_loudly(toy: Path, tmp_path: Path, l1emu: Call) -> None:
    study = changed(toy, tmp_path / "study", {})
    golden = tmp_path / "study" / "golden.npz"
    arrays = dict(np.load(golden))
    arrays["outputs"][[7, 9], 0] ^= 1
    np.savez(golden, **arrays)
    done = l1emu("run", study, "-o", "out", cwd=tmp_path)
    assert done.returncode == 1
    assert "THE EMULATION DIFFERS" in done.stdout
    assert done.stdout.splitlines()[-1] == str(tmp_path / "out")
    document = json.loads((tmp_path / "out" / "results.json").read_text())
    assert document["emulation"]["mismatches"] == 2
    assert document["emulation"]["first_difference"].startswith("output of input 7, value 0")
    arrays["digest"] = np.array(["0" * 64])
    np.savez(golden, **arrays)
    assert run_study(study, tmp_path / "out").document["emulation"]["first_difference"] == "layer scores"


def test_a_budget_that_does_not_hold_is_an_answer_with_exit_code_1(toy: Path, tmp_path: Path, l1emu: Call) -> None:
    stated = {"tagger": "slow", "latency_cycles": 2000, "interval_cycles": 20, "clock_mhz": 360.0, "origin": "a guess"}
    study = changed(
        toy, tmp_path / "study", {"latency": {"budget": "budgets/cms-phase2.yaml", "stated": stated, "copies": 8}}
    )
    done = l1emu("run", study, "--json", cwd=tmp_path)
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert document["output"] == "results"
    assert document["budget"]["passed"] is False
    assert document["stream"]["tagger"]["copies"] == 8
    assert document["stream"]["tagger"]["latency_cycles"] == 2000


@pytest.mark.parametrize(
    ("part", "values", "words"),
    [
        ("pipeline", {"depth_bx": 300}, "crossings are late"),
        ("readout", {"throttle": None}, "find the derandomizer full"),
    ],
)
def test_a_stream_that_is_late_or_loses_is_exit_code_1_though_the_budget_holds(
    toy: Path, tmp_path: Path, l1emu: Call, part: str, values: dict[str, Any], words: str
) -> None:
    own = read_topology(resource("budgets/cms-phase2.topology.yaml")).model_dump(exclude_none=True)
    own[part] |= values
    if part == "readout":
        own[part]["derandomizer"]["depth"] = 1
        own[part]["max_accept_khz"] = 50
    study = changed(toy, tmp_path / "study", {"stream.topology": "own.yaml"})
    (study.parent / "own.yaml").write_text(yaml.safe_dump(own, sort_keys=False, allow_unicode=True))
    done = l1emu("run", study, "-o", "out", cwd=tmp_path)
    assert done.returncode == 1
    document = json.loads((tmp_path / "out" / "results.json").read_text())
    assert document["budget"]["passed"] is True
    assert document["stream"]["passed"] is False
    (reason,) = document["stream"]["reasons"]
    assert words in reason
    assert words in " ".join(done.stdout.split())
    assert reason in (tmp_path / "out" / "report.html").read_text()


def test_the_last_line_is_the_folder_and_rates_prints_its_table(toy: Path, tmp_path: Path, l1emu: Call) -> None:
    done = l1emu("run", toy, "--output", tmp_path / "here", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == str(tmp_path / "here")
    assert done.stderr == ""
    rates = l1emu("rates", toy, cwd=tmp_path)
    assert rates.returncode == 0
    assert "seeds at 100 kHz" in rates.stdout
    assert "2748 colliding" in rates.stdout
    document = json.loads(l1emu("rates", toy, "--json", cwd=tmp_path).stdout)
    assert document["rate"] == json.loads((tmp_path / "here" / "results.json").read_text())["rate"]


def flip_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


@pytest.mark.parametrize(
    ("change", "damage", "message"),
    [
        ({"sampels": {}}, None, "key sampels: unknown key: got 'sampels'; expected 'samples'"),
        ({"rate.target_khz": -1}, None, "key rate.target_khz: wrong value: got -1"),
        ({"stream.accepts": "three jets"}, None, "stream.accepts names the seed 'three jets'; expected one of 'HT'"),
        ({"seeds.0.scan.step": 9000}, None, "a step of 9000 leaves one threshold"),
        (
            {"seeds.2.jets.tags.0.score": "tag_top"},
            None,
            "the jets have no such score: got 'tag_top'; expected one of tag_b",
        ),
        ({"working_points.seed": "HT"}, None, "working_points.seed 'HT' has no fixed minimum score"),
        ({"latency.report": "x"}, None, "2 sources of the tagger's timing; expected exactly one"),
        ({"samples.minbias": "minbais.root"}, None, "study.yaml: no such file: got 'minbais.root'"),
        ({"samples.minbias": "signal.root"}, None, "signal.root: samples.background: not a minbias sample"),
        ({"rate.target_khz": 4e4}, None, "seed HT: more than the rate of all colliding crossings: got '40000 kHz'"),
        (
            {"rate.target_khz": 3e4},
            None,
            "seed HT: no scanned threshold gives this rate: got '30000 kHz'; expected 0 to",
        ),
        ({"seeds.1.name": "HT "}, None, "two seeds are named 'HT'"),
        ({"seeds.1.name": " "}, None, "the name of a seed is blank"),
        ({}, ("tagger.l1fw", flip_byte), "tagger.l1fw"),
        ({}, ("minbias.root", cut), "minbias.root: the file is truncated"),
        ({}, ("golden.npz", cut), "golden.npz: not a readable npz"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_bad_input_is_one_line_and_exit_code_2(
    toy: Path, tmp_path: Path, l1emu: Call, change: dict[str, Any], damage: Any, message: str
) -> None:
    study = changed(toy, tmp_path / "study", change)
    if damage is not None:
        damage[1](study.parent / damage[0])
    done = l1emu("run", study, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["study"]


def test_a_study_can_estimate_its_own_tagger(toy: Path, tmp_path: Path) -> None:
    wanted = {"part": "xcvu13p-flga2577-2-e", "reuse": 2}
    latency = {"budget": "budgets/cms-phase2.yaml", "estimate": wanted}
    file = read_study(changed(toy, tmp_path / "study", {"latency": latency}))
    assert file.study.latency is not None
    timing = check_budget(file, file.study.latency).timing
    assert timing.kind == "estimate"
    assert timing.status == "unverified"
    assert timing.band_cycles is not None
    assert timing.band_cycles[0] <= timing.latency_cycles <= timing.band_cycles[1]
    assert "reuse 2" in timing.origin


def test_a_study_can_read_its_tagger_s_timing_from_a_file(toy: Path, tmp_path: Path) -> None:
    latency = {"budget": "budgets/cms-phase2.yaml", "file": "timing.yaml"}
    study = changed(toy, tmp_path / "study", {"latency": latency})
    (study.parent / "timing.yaml").write_text(
        "{tagger: one, latency_cycles: 91, interval_cycles: 15, clock_mhz: 360, origin: a test}"
    )
    file = read_study(study)
    assert file.study.latency is not None
    timing = check_budget(file, file.study.latency).timing
    assert (timing.latency_cycles, timing.interval_cycles, timing.kind) == (91, 15, "stated")
    assert input_files(file)["timing"] == study.parent / "timing.yaml"


def boards_of_the_tagger(study: Path, **link: Any) -> None:
    """Write the default tagger in two boards beside a study."""
    names = layer_names(load_design(resource("models/jet-tagger/tagger.l1fw")))
    document = {
        "name": "two boards",
        "boards": [{"name": "a", "layers": list(names[:2])}, {"name": "b", "layers": list(names[2:])}],
        "links": [{"from": "a", "to": "b", "lanes": 60, "source": "a test", "status": "unverified", **link}],
    }
    (study.parent / "boards.yaml").write_text(partition_text(Partition.model_validate(document)))


WHOLE = {"project": "models/jet-tagger/tagger.l1fw"}
OVER_BOARDS = {"budget": "budgets/cms-phase2.yaml", "estimate": {**WHOLE, "partition": "boards.yaml"}}


def test_a_study_takes_its_tagger_over_several_boards(toy: Path, tmp_path: Path) -> None:
    path = changed(toy, tmp_path / "study", {"latency": OVER_BOARDS})
    alone = changed(toy, tmp_path / "alone", {"latency": {**OVER_BOARDS, "estimate": WHOLE}})
    boards_of_the_tagger(path, gbps="infinite", latency_ns=0.0)
    assert input_files(read_study(path))["partition"] == path.parent / "boards.yaml"
    chains = []
    for one in (read_study(path), read_study(alone)):
        assert one.study.latency is not None and one.study.stream is not None
        topology, derived = stream_chain(one, one.study.stream, check_budget(one, one.study.latency))
        chains.append((compile_topology(topology), derived))
    assert chains[0] == chains[1]


@pytest.mark.exhaustive
def test_the_stream_of_a_study_has_the_links_between_boards(toy: Path, tmp_path: Path) -> None:
    path = changed(toy, tmp_path / "study", {"latency": OVER_BOARDS})
    boards_of_the_tagger(path, gbps=25.0, latency_ns=100.0)
    content = run_study(path, tmp_path / "results").content
    stream, budget = content.stream, content.budget
    assert stream is not None and stream.network is not None and budget is not None
    (link,) = stream.network.links
    assert link.name == "a to b" and link.messages >= stream.network.jets > 0 and stream.network.reasons == []
    assert {use.resource for use in budget.part.use} >= {"DSP on board a", "DSP on board b"}
    assert read_results(tmp_path / "results") == content


def test_an_estimate_is_drawn_into_slack_copies_and_stream(toy: Path, tmp_path: Path) -> None:
    estimate = {"part": "xcvu13p-flga2577-2-e", "reuse": 4}
    latency = {"budget": "budgets/cms-phase2.yaml", "estimate": estimate}
    path = changed(toy, tmp_path / "study", {"latency": latency})
    results = run_study(path, tmp_path / "results").content
    budget, stream = results.budget, results.stream
    assert budget is not None and stream is not None and results.latency is not None
    assert (budget.tagger.kind, results.latency.tagger_kind) == ("estimate", "estimate")
    band = budget.tagger.band
    assert band is not None and budget.band is not None and stream.band is not None
    assert band.latency_cycles.low < band.latency_cycles.typical == budget.tagger.latency_cycles
    assert band.latency_cycles.high > band.latency_cycles.typical
    assert results.latency.slack_band_ns == budget.band.slack_ns
    assert budget.band.copies_needed.typical == budget.throughput.copies_needed
    # the ends are simulated with the band's cycles, and the slower tagger is never in earlier
    assert (stream.band.low.latency_cycles, stream.band.high.latency_cycles) == (
        band.latency_cycles.low,
        band.latency_cycles.high,
    )
    assert stream.band.low.latency_ns.max <= stream.latency_ns.max <= stream.band.high.latency_ns.max
    assert stream.band.low.latency_ns.p50 < stream.band.high.latency_ns.p50
    assert budget.verdict == ("yes" if budget.band.passed.high else "not decided" if budget.band.passed.low else "no")
    page = (tmp_path / "results" / "report.html").read_text()
    assert f"[{band.latency_cycles.low}, {band.latency_cycles.high}] cycles" in page


def test_a_band_that_straddles_the_slice_is_not_decided(toy: Path, tmp_path: Path, l1emu: Call) -> None:
    latency = {"budget": "budget.yaml", "estimate": {"part": "xcvu13p-flga2577-2-e", "reuse": 4}}
    study = changed(toy, tmp_path / "study", {"latency": latency, "stream": None})
    shipped = yaml.safe_load(read_study(toy).file("budgets/cms-phase2.yaml").read_text())
    held = next(stage for stage in shipped["stages"] if "tagger" in stage)
    (study.parent / "budget.yaml").write_text(yaml.safe_dump(shipped, sort_keys=False))
    file = read_study(study)
    assert file.study.latency is not None
    low, high = check_budget(file, file.study.latency).slice_band_crossings or (0, 0)
    assert low < high
    held["tagger"]["crossings"] = high - 1
    (study.parent / "budget.yaml").write_text(yaml.safe_dump(shipped, sort_keys=False))
    done = l1emu("run", study, "--output", tmp_path / "results", cwd=tmp_path)
    assert done.returncode == 1
    assert "not decided" in done.stdout
    results = json.loads((tmp_path / "results" / "results.json").read_text())
    assert (results["budget"]["verdict"], results["budget"]["passed"]) == ("not decided", False)
    assert "Not decided" in (tmp_path / "results" / "report.html").read_text()


def test_a_report_without_latency_and_a_budget_that_is_too_long(toy: Path, tmp_path: Path, l1emu: Call) -> None:
    study = changed(toy, tmp_path / "study", {"latency": {"budget": "budget.yaml", "report": "csynth.xml"}})
    shipped = yaml.safe_load(read_study(toy).file("budgets/cms-phase2.yaml").read_text())
    (study.parent / "budget.yaml").write_text(yaml.safe_dump(shipped, sort_keys=False))
    (study.parent / "csynth.xml").write_text(
        "<profile><ReportVersion><Version>2023.2</Version></ReportVersion>"
        "<UserAssignments><TopModelName>tagger</TopModelName></UserAssignments></profile>"
    )
    done = l1emu("run", study, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "csynth.xml" in done.stderr
    shipped["stages"][0]["crossings"] += 400
    (study.parent / "budget.yaml").write_text(yaml.safe_dump(shipped, sort_keys=False))
    done = l1emu("run", study, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "budget.yaml" in done.stderr
    assert "900 crossings" in done.stderr


def test_seeds_that_accept_everything_have_errors_to_one_side(toy: Path, tmp_path: Path) -> None:
    """All of 600 and all of 200 pass at a threshold of 0: nothing is above, and what is below has the interval."""
    rate = 2748 * 11.2455
    everything = [
        {"name": "HT", "ht": {"min_gev": "threshold", "jet_pt_min_gev": 0, "abs_eta_max": 6}, "scan": SCAN},
        {"name": "a jet", "jets": {"count": 1, "pt_min_gev": "threshold", "abs_eta_max": 6}, "scan": SCAN},
    ]
    change = {"seeds": everything, "working_points": None, "stream.accepts": "HT", "rate.target_khz": rate}
    out = run_study(changed(toy, tmp_path / "study", change), tmp_path / "out")
    for seed in out.document["comparison"]["seeds"]:
        assert (seed["efficiency"], seed["efficiency_high"], seed["passed"]) == (1, 1, 200)
        assert seed["efficiency_error_total_high"] == 0
        assert seed["efficiency_error_total_low"] >= 1 - seed["efficiency_low"] > 0
        assert seed["rate_khz"] == seed["rate_khz_high"] == seed["rate_khz_upper95"] == pytest.approx(rate)
        assert 0 < seed["rate_khz_low"] < rate
    for found in out.content.comparison.seeds:
        assert rate_text(found).startswith("30903 +0 −")
        assert total_error_text(found).startswith("+0.0 −")
    assert out.document["stream"]["triggered"] == out.document["stream"]["colliding"]


SCAN = {"start": 0, "stop": 50, "step": 5}


def test_golden_vectors_of_another_firmware_are_refused(toy: Path, tmp_path: Path) -> None:
    study = changed(toy, tmp_path / "study", {})
    toy_tagger = toy_firmware()
    dense = toy_tagger.layers[0]
    assert isinstance(dense, Dense)
    layer = replace(dense, bias=np.ones(toy_tagger.outputs[0].size, np.int64))
    other = replace(toy_tagger, layers=(layer,))
    write_golden(study.parent / "golden.npz", other)
    with pytest.raises(L1emuError, match="golden vectors of another firmware"):
        run_study(study, tmp_path / "out")


def test_a_folder_with_other_files_is_not_replaced(toy: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(L1emuError, match="holds other files"):
        run_study(toy, tmp_path / "mine")
    with pytest.raises(L1emuError, match="this is a file"):
        run_study(toy, tmp_path / "mine" / "thesis.tex")
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"


INTERRUPTED = """
import os, signal, sys
folder, left = sys.argv.pop(1), int(sys.argv.pop(1))

def hook(event, arguments):
    global left
    if event == "open" and str(arguments[0]).startswith(folder):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGINT)

sys.addaudithook(hook)
from l1emu.cli import main
main()
"""
"""A run that is sent Ctrl-C when it opens the n-th file in its folder, to read or to write."""


def test_an_interrupted_run_leaves_the_old_result_whole_and_nothing_else(toy: Path, tmp_path: Path) -> None:
    """Interrupted again and again, later each time, until a run gets through: before, during and after the writing."""
    study = changed(toy, tmp_path / "study", {})
    out = tmp_path / "out"
    run_study(study, out)
    before = {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    seen = []
    for opened in (1, 10, 16, 22, 1000):
        process = subprocess.run(
            [sys.executable, "-c", INTERRUPTED, str(tmp_path), str(opened), "run", str(study), "-o", str(out)],
            cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
        )  # fmt: skip
        seen.append(process.returncode)
        assert sorted(os.listdir(tmp_path)) == ["out", "study"]
        if process.returncode == 0:
            break
        assert process.returncode == 130, process.stderr
        assert process.stderr.splitlines()[-1] == "l1emu: interrupted; nothing half-written is left behind"
        assert {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    assert seen[0] == 130
    assert seen[-1] == 0


def test_one_filling_scheme_normalises_the_rates_and_shapes_the_stream(toy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    shutil.copytree(toy.parent, folder)
    mask = [int(100 <= slot < 1100) for slot in range(3564)]
    (folder / "filling.json").write_text(json.dumps({"beam1": mask, "beam2": mask}))
    plain = toy_study() | {"beam": {"filling": "filling.json"}}
    (folder / "study.yaml").write_text(yaml.safe_dump(plain))
    document = run_study(folder / "study.yaml", tmp_path / "results").document
    assert "1000 colliding bunches × 11245.5 Hz" in document["comparison"]["normalisation"]
    assert document["manifest"]["normalisation"]["colliding_rate_khz"] == pytest.approx(11245.5)
    assert document["stream"]["colliding"] == 1000
    assert document["manifest"]["files"]["filling"]["sha256"] == sha256_file(folder / "filling.json")

    both = plain | {"beam": {"filling": "filling.json", "colliding_bunches": 2748}}
    (folder / "study.yaml").write_text(yaml.safe_dump(both))
    with pytest.raises(L1emuError, match=r"filling.*no `colliding_bunches`"):
        read_study(folder / "study.yaml")

    (folder / "filling.json").write_text(json.dumps({"beam1": mask, "beam2": [0] * 3564}))
    (folder / "study.yaml").write_text(yaml.safe_dump(plain))
    with pytest.raises(L1emuError, match=r"filling.json.*no bunches collide"):
        read_study(folder / "study.yaml").normalisation()
