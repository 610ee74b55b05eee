"""The embedded samples: whole, made from the shipped recipes, and good enough for rates around 10 kHz."""

from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np
import pytest

from l1emu.events.generate.recipe import SampleRecipe, load_recipe
from l1emu.events.hardware import CROSSING_WEIGHT_ONE
from l1emu.events.jets import build_jets
from l1emu.events.sample import read_sample
from l1emu.resources import resource

COLLIDING_KHZ = 2748 * 11.2455


@pytest.fixture(scope="module")
def minbias() -> Any:
    return read_sample(resource("datasets/minbias-pu200.root"))


@pytest.fixture(scope="module")
def signal() -> Any:
    return read_sample(resource("datasets/signal-hh4b-pu200.root"))


def fourth_jet(sample: Any) -> Any:
    """pt of the fourth jet within |eta| < 2.4 of every crossing, 0 without one; and the crossings."""
    batch = sample.read()
    table = build_jets(batch.candidates).table()
    pt = table.pt[abs(table.eta) < 2.4]
    return ak.to_numpy(ak.fill_none(ak.pad_none(pt, 4, clip=True), 0.0))[:, 3], batch


@pytest.mark.parametrize("pileup", [140, 200])
@pytest.mark.parametrize("kind", ["minbias", "signal-hh4b"])
def test_they_are_of_their_recipes_and_small(kind: str, pileup: int) -> None:
    name = f"{kind}-pu{pileup}"
    path = resource(f"datasets/{name}.root")
    sample = read_sample(path)
    recipe = load_recipe(resource(f"datasets/recipes/{name}.yaml"))
    assert sample.name == name
    assert SampleRecipe.model_validate(sample.recipe).document() == recipe.document()
    assert sample.recipe_hash == recipe.hash
    assert sample.pileup == pileup
    assert path.stat().st_size < 5_000_000


def test_candidates_are_level_1_words(minbias: Any) -> None:
    for batch in minbias.iterate(5000):
        c = batch.candidates
        assert ak.max(ak.num(c.pt)) <= 128
        assert ak.min(c.pt) >= 4  # the 1 GeV of the PUPPI cut
        assert ak.min(c.phi) >= -720
        assert ak.max(c.phi) <= 720
        neutral = c.id >= 3
        assert ak.all(c.dxy[neutral] == 0)
        assert ak.all(c.weight[~neutral] == 256)
        assert ak.all((c.charge == 0) == neutral)


def test_every_crossing_knows_the_collision_that_set_its_stratum(minbias: Any) -> None:
    batch = minbias.read()
    counts = np.bincount(batch.stratum)
    assert counts.tolist() == [s.crossings for s in minbias.strata]
    assert (batch.hard_event[batch.stratum == 0] == -1).all()
    for number, stratum in enumerate(minbias.strata[1:], start=1):
        events = batch.hard_event[batch.stratum == number]
        assert events.min() >= 0
        assert events.max() < minbias.pool_sizes[stratum.name]


def test_ten_kilohertz_of_four_raw_jets_is_known_to_six_per_cent(minbias: Any, signal: Any) -> None:
    pt, batch = fourth_jet(minbias)
    p = np.array([s.probability for s in minbias.strata])
    drawn = np.array([s.drawn for s in minbias.strata])
    assert p.sum() == pytest.approx(1.0, abs=1e-12)
    khz = COLLIDING_KHZ * (p / drawn)[batch.stratum] * batch.weight / CROSSING_WEIGHT_ONE
    passed = pt > 45
    slices = np.bincount(batch.slices[passed], khz[passed], minlength=20) * 20
    assert 8 < slices.mean() < 12
    assert slices.std(ddof=1) / np.sqrt(20) < 0.06 * slices.mean()  # twenty slices know their own spread to a sixth
    efficiency = np.mean(fourth_jet(signal)[0] > 45)
    assert 0.3 < efficiency < 0.45


def test_the_signal_has_b_jets(signal: Any) -> None:
    truth = signal.read().truth
    assert 3.0 < ak.mean(ak.sum(truth.flavour == 0, axis=1)) < 4.2
