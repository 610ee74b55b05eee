"""Studies of samples with weights and slices: cut anywhere they are the same, and what cannot be told is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from l1emu.errors import L1emuError
from l1emu.events.packing import Skim
from l1emu.events.sample import read_sample
from l1emu.resources import resource
from l1emu.study import Results, read_study, run_study
from l1emu.study.decided import decided_seeds
from l1emu.study.measure import load_study_taggers
from l1emu.study.parts import study_readers
from l1emu.study.run import finish_study, measure_rates
from l1emu.study.samples import stratified, weights_of
from l1emu.trigger import read_masks
from tests.study.study_toys import write_toy_sample, write_toy_study
from tests.study.test_parts import alike, parts_in

SLICES = 20


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_study(tmp_path_factory.mktemp("sliced"), slices=SLICES)


@pytest.fixture(scope="module")
def found(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    return run_study(study, tmp_path_factory.mktemp("run") / "results")


def test_rates_are_sums_of_weights_over_what_was_drawn(study: Path, found: Results) -> None:
    content = found.content
    assert content.manifest.slices == {"background": SLICES, "signal": SLICES}
    sample = read_sample(study.parent / "minbias.root")
    assert sample.strata is not None
    batch = sample.read()
    crossings = stratified(sample, [batch.stratum], [batch.hard_event], weights=[weights_of(sample, batch)])
    assert crossings.stands_for.tolist() == [s.drawn for s in sample.strata] == [150, 250, 200]
    assert sample.crossings < 500
    for seed in content.menu.seeds:
        assert seed.accepted_weight is not None
        assert seed.accepted < seed.accepted_weight <= 4 * seed.accepted
        assert seed.rate_khz_low <= seed.rate_khz <= seed.rate_khz_high
        assert seed.rate_khz_error > 0


def test_working_points_are_bounded_by_their_seed_without_tags() -> None:
    file = read_study(resource("data/study.yaml"))
    taggers = load_study_taggers(file, compiled=False)
    seeds, reader = decided_seeds(file), study_readers(file, taggers)["background"]
    (loose,) = seeds.loose.values()
    assert seeds.loose_points == {point.name: loose for point in seeds.points.values()}
    halves = reader.counter().finish().halves
    assert [half.envelopes for half in halves] == [tuple(seeds.loose_points)] * 2


def test_masks_tell_weight_and_slice(study: Path, tmp_path: Path) -> None:
    path = tmp_path / "masks.parquet"
    rates = measure_rates(study, masks=path)
    masks = read_masks(path)
    for seed in rates.seeds:
        accepted = np.asarray(masks[seed.name])
        assert seed.accepted_weight == pytest.approx(float(np.asarray(masks.weight)[accepted].sum()), rel=1e-6)
    assert set(np.asarray(masks.slice).tolist()) == set(range(SLICES))


def test_rates_of_a_plain_sample_do_not_say_slices(results: Results) -> None:
    assert results.content.manifest.slices == {"background": 0, "signal": 0}
    for seed in results.content.menu.seeds:
        assert seed.accepted_weight == seed.accepted


def test_any_cut_in_any_order_gives_the_same_document(study: Path, found: Results, tmp_path: Path) -> None:
    file = read_study(study)
    paths = parts_in(file, load_study_taggers(file), tmp_path, 5)
    order = np.random.default_rng(3).permutation(len(paths))
    assert alike(finish_study(file, [paths[i] for i in order], tmp_path / "out", engine="a test")) == alike(found)


def test_a_part_of_a_sample_stands_for_a_part_of_what_was_drawn(study: Path, found: Results, tmp_path: Path) -> None:
    file = read_study(study)
    paths = parts_in(file, load_study_taggers(file), tmp_path, 4)
    counts = {role: reader.sample.crossings for role, reader in study_readers(file, load_study_taggers(file)).items()}
    there = [path for path in paths if path.name != "2.l1part"]
    some = finish_study(file, there, tmp_path / "out", engine="a test", planned=counts)
    assert some.content.samples.background.fraction < 1
    for part, whole in zip(some.content.menu.seeds, found.content.menu.seeds, strict=True):
        assert part.accepted <= whole.accepted
    assert some.content.menu.total.rate_khz < 10 * found.content.menu.total.rate_khz


def test_weights_that_do_not_add_up_are_refused(study: Path, tmp_path: Path) -> None:
    write_toy_study(tmp_path)
    write_toy_sample(tmp_path / "minbias.root", signal=False, slices=SLICES, excess=400)
    with pytest.raises(L1emuError, match="do not add up to as many as were drawn") as caught:
        run_study(tmp_path / "study.yaml", tmp_path / "out")
    assert caught.value.where == "stratum soft"
    assert caught.value.expected is not None
    assert caught.value.expected.startswith("550 ±")


def test_a_skimmed_sample_is_refused_below_its_threshold(tmp_path: Path) -> None:
    path = write_toy_study(tmp_path, slices=SLICES)
    write_toy_sample(tmp_path / "minbias.root", signal=False, slices=SLICES, skim=Skim(20.0))
    with pytest.raises(L1emuError, match=r"minbias\.root is skimmed: of jets as soft as that it has no cand") as caught:
        run_study(path, tmp_path / "out")
    assert (caught.value.where, caught.value.value) == ("key jets.min_pt_gev", 15.0)
    assert caught.value.expected == "20 GeV or more"
    document = yaml.safe_load(path.read_text())
    document |= {"jets": {"min_pt_gev": 20.0}}
    path.write_text(yaml.safe_dump(document))
    file = read_study(path)
    study_readers(file, load_study_taggers(file))
    document["seeds"].append({"name": "MET", "sums": {"met": {"min_gev": 50}}})
    path.write_text(yaml.safe_dump(document))
    file = read_study(path)
    with pytest.raises(L1emuError, match="not all candidates, and met is made of these"):
        study_readers(file, load_study_taggers(file))


def test_too_few_slices_are_refused(tmp_path: Path) -> None:
    path = write_toy_study(tmp_path, slices=3)
    file = read_study(path)
    with pytest.raises(L1emuError, match="no spread, and rates no error") as caught:
        study_readers(file, load_study_taggers(file))
    assert (caught.value.path, caught.value.value) == (str(tmp_path / "minbias.root"), 3)
