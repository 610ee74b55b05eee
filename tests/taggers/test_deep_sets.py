"""A network of somebody else's on jets, by a map in YAML: against inputs that are built by hand, jet by jet."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from l1emu.emulator import Emulator
from l1emu.eventdata import EventData
from l1emu.events import build_jets, read_sample
from l1emu.events.chain import chain_data, chain_fields
from l1emu.events.hardware import ETA_PHI_STEP
from l1emu.firmware import Firmware
from l1emu.goldenfile import write_golden_file
from l1emu.resources import resource
from l1emu.taggers import EmulatedTagger, read_tagger
from l1emu.verification.golden import golden_vectors
from tests.handmade_projects import need_compiler
from tests.taggers.toys import beside, crossings, deep_sets, settings

STUDY = """
firmware: project
golden: golden.npz
of: jets
inputs:
  constituents:
    of: constituents
    count: 8
    order: pt
    where: [{field: pt, min: 1}]
    fields:
      - {field: pt, steps: [log1p], scale: 0.5}
      - {field: pt, relative: ratio}
      - {field: eta, relative: difference, clip: [-0.5, 0.5]}
      - {field: phi, relative: delta_phi}
      - {field: charge, when: [{field: id, in: [0, 1, 2]}], otherwise: -2}
    padding: -1
outputs: [s, b]
scores:
  signal: {output: s}
  both: {sum: [s, b]}
  share: {ratio: {of: s, to: [s, b]}}
  log_share: {log_ratio: {of: s, to: b}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need_compiler()
    folder = tmp_path_factory.mktemp("deep_sets")
    deep_sets(folder / "project")
    write_golden_file(folder / "golden.npz", golden_vectors(folder / "project", jets=80, optimization="-O0"))
    return folder


@pytest.fixture(scope="module")
def tagger(folder: Path) -> EmulatedTagger:
    return read_tagger("mine", settings(folder, STUDY), beside(folder))


def by_hand(data: EventData) -> NDArray[Any]:
    jets = [jet for crossing in data.objects["jets"].to_list() for jet in crossing]
    made = np.full((len(jets), 8, 5), -1.0)
    for j, jet in enumerate(jets):
        inside = [c for c in sorted(jet["constituents"], key=lambda c: -c["pt"]) if c["pt"] >= 1]
        for k, c in enumerate(inside[:8]):
            turn = (c["phi"] - jet["phi"] + math.pi) % (2 * math.pi) - math.pi
            charge = c["charge"] if c["id"] <= 2 else -2
            d_eta = min(max(c["eta"] - jet["eta"], -0.5), 0.5)
            made[j, k] = (0.5 * math.log1p(c["pt"]), c["pt"] / jet["pt"], d_eta, turn, charge)
    return made.astype(np.float32)


def test_inputs_are_those_built_by_hand(tagger: EmulatedTagger) -> None:
    data = crossings()
    (made,) = tagger.fill(data).values()
    want = by_hand(data)
    assert made.dtype == np.float32
    assert len(want) > 60
    # log1p of numpy and of the C library may differ in the last of 53 bits
    np.testing.assert_allclose(made, want, rtol=2e-7)


def test_scores_are_the_emulated_ones(tagger: EmulatedTagger, folder: Path) -> None:
    data = crossings()
    found = tagger.apply(data).objects["jets"]
    scores = np.asarray(Emulator(Firmware.read(folder / "project"))(tagger.fill(data)))
    s, b = scores.T
    assert len(np.unique(s)) > 20
    assert ak.num(found.pt).tolist() == ak.num(data.objects["jets"].pt).tolist()
    with np.errstate(all="ignore"):
        for name, want in (("signal", s), ("both", s + b), ("share", s / (s + b)), ("log_share", np.log(s / b))):
            np.testing.assert_array_equal(ak.to_numpy(ak.flatten(found[name])), want)
    for name in ("pt", "eta", "phi"):
        assert ak.array_equal(found[name], data.objects["jets"][name])
    low, high = tagger.ranges["signal"]
    assert low <= s.min() <= s.max() <= high
    assert tagger.ranges["share"] == (0, 1)


def test_what_it_needs_and_what_it_counts(folder: Path) -> None:
    tagger = read_tagger("mine", settings(folder, STUDY), beside(folder))
    assert set(tagger.needs.objects["jets"]) == {
        "pt", "eta", "phi", *(f"constituents.{name}" for name in ("pt", "eta", "phi", "charge", "id")),
    }  # fmt: skip
    assert tagger.needs.sums == ()
    data = crossings()
    kept = tagger.apply(data)
    assert "constituents" in kept.objects["jets"].fields
    again = tagger.apply(data, drop=["constituents"])
    assert again.objects["jets"].fields == ["pt", "eta", "phi", "signal", "both", "share", "log_share"]
    assert again.objects["muons"] is data.objects["muons"]
    assert tagger.emulated == 2 * int(ak.sum(ak.num(data.objects["jets"].pt)))
    assert tagger.seconds > 0


def test_golden_vectors_of_its_own_cpp(tagger: EmulatedTagger) -> None:
    found = tagger.check_golden()
    assert found is not None
    assert found.identical
    assert (found.jets, found.values) == (80, 160)
    assert found.layers > 5


def test_no_jets(tagger: EmulatedTagger) -> None:
    data = crossings()
    none = data.objects["jets"][data.objects["jets"].pt < 0]
    found = tagger.apply(EventData(data.crossings, {"jets": none}))
    assert ak.to_list(found.objects["jets"].signal) == [[]] * data.crossings
    assert tagger.apply(EventData(0, {"jets": none[:0]})).objects["jets"].fields[-1] == "log_share"


def test_the_example_of_the_documentation_runs(folder: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "taggers.md").read_text(encoding="utf-8")
    example = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])["taggers"]["mine"]
    mine = read_tagger("mine", settings(folder, yaml.safe_dump(example)), beside(folder))
    mine.check(chain_fields(truth=True))
    batch = next(iter(read_sample(resource("datasets/signal-hh4b-pu200.root")).iterate(50)))
    inside = mine.needs.inside("jets", "constituents")
    assert set(inside) == {"pt", "eta", "phi", "charge"}
    assert mine.needs.inside("muons", "constituents") == mine.needs.inside("jets", "tracks") == ()
    data = chain_data(batch, min_pt_gev=5, constituents=inside)
    jets = build_jets(batch.candidates, min_pt_gev=5)
    filled, at = jets.constituents[:, :8] >= 0, jets.constituents[:, :8]
    c = {name: ak.to_numpy(ak.flatten(batch.candidates[name]))[at] for name in ("pt", "eta", "phi", "charge")}
    numbers = [
        0.5 * np.log1p(c["pt"] * 0.25),
        c["pt"] / jets.pt[:, None],
        c["eta"] * ETA_PHI_STEP - jets.eta[:, None] * ETA_PHI_STEP,
        (c["phi"] * ETA_PHI_STEP - jets.phi[:, None] * ETA_PHI_STEP + np.pi) % (2 * np.pi) - np.pi,
        c["charge"],
    ]
    x = np.where(filled[:, :, None], np.stack(numbers, axis=2), 0).astype(np.float32)
    s, b = np.asarray(Emulator(Firmware.read(folder / "project"))(x)).T
    found = mine.apply(data).objects["jets"]
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(ak.to_numpy(ak.flatten(found.share)), s / (s + b))
        np.testing.assert_array_equal(ak.to_numpy(ak.flatten(found.log_share)), np.log(s / b))
    assert len(np.unique(s)) > 50
