"""The samples of a study: our own in one file or several, and which strata have an upper end of their hard scale."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import yaml

from l1emu.errors import L1emuError
from l1emu.events.blocks import BlockRange, Blocks
from l1emu.events.sample import Batch, Sample, read_sample, write_sample
from l1emu.resources import resource
from l1emu.study.config import read_study
from l1emu.study.samples import open_sample, stratified, weights_of
from tests.study.study_toys import toy_study


def bounded(sample: Sample) -> list[bool]:
    """Of each stratum, with one crossing each."""
    each = np.arange(1 if sample.strata is None else len(sample.strata))
    batch = Batch(ak.Array([]), each, np.full(each.size, -1), slices=np.zeros(each.size, np.int8))
    crossings = stratified(sample, [each], [batch.hard_event], weights=[weights_of(sample, batch)])
    return [crossings.is_bounded(int(j)) for j in each]


@pytest.mark.parametrize("name", ["minbias-pu140", "minbias-pu200"])
def test_all_strata_but_the_hardest_have_an_upper_end(name: str) -> None:
    sample = read_sample(resource(f"datasets/{name}.root"))
    assert sample.strata is not None
    assert bounded(sample) == [True] * (len(sample.strata) - 1) + [False]


def test_crossings_without_strata_are_bounded_by_nothing() -> None:
    assert bounded(read_sample(resource("datasets/signal-hh4b-pu200.root"))) == [False]


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"pileup": 200.0},
        {"pileup": {"collisions": None}},
        {"pileup": {"collisions": ["soft"]}},
        {"pileup": {"collisions": [{"name": "another", "pt_hat_gev": [20, 30]}]}},
        {"pileup": {"collisions": [{"name": "soft", "pt_hat_gev": [20]}, {"name": "middle"}]}},
    ],
)
def test_a_recipe_that_does_not_say_so_bounds_nothing(toy: Path, recipe: dict[str, Any]) -> None:
    sample = replace(read_sample(toy.parent / "minbias.root"), recipe=recipe)
    assert bounded(sample) == [False, False, False]


def write_parts(path: Path, folder: Path, cuts: list[int]) -> list[Path]:
    """The sample at `path` in files part-0.root, part-1.root, ..., cut at these crossings, each a block."""
    whole = read_sample(path)
    ends, files = [0, *cuts, whole.crossings], []
    for number, (low, high) in enumerate(pairwise(ends)):
        batches = list(whole.iterate(whole.crossings, low, high))
        numbers = np.bincount(batches[0].stratum, minlength=len(whole.strata or ())).tolist()
        files.append(folder / f"part-{number}.root")
        write_sample(
            files[-1], batches, name=whole.name, kind=whole.kind, pileup=whole.pileup,
            strata=[replace(s, crossings=n) for s, n in zip(whole.strata or (), numbers, strict=True)] or None,
            recipe=whole.recipe, pool_sizes=whole.pool_sizes, versions=whole.versions,
            blocks=Blocks(len(ends) - 1, (BlockRange(number, number + 1, low, high - low),)),
        )  # fmt: skip
    return files


def test_a_sample_of_our_own_may_be_several_files(toy: Path, tmp_path: Path) -> None:
    whole = read_sample(toy.parent / "minbias.root")
    write_parts(whole.path, tmp_path, [100, 300, 450])
    document = toy_study()
    document["samples"]["minbias"] = "part-*.root"
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(document))
    for name in ("tagger.l1fw", "golden.npz"):
        (tmp_path / name).symlink_to(toy.parent / name)
    sample = open_sample(read_study(tmp_path / "study.yaml"), "background")
    assert isinstance(sample, Sample)
    assert sample.lengths == (100, 200, 150, 150)
    assert (sample.strata, sample.blocks) == (whole.strata, None)
    assert ak.array_equal(sample.read().candidates, whole.read().candidates)
    document["samples"]["minbias"] = {"files": ["part-0.root", "part-1.root", "part-0.root"]}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(L1emuError, match=r"part-0\.root: .* they would count twice"):
        open_sample(read_study(tmp_path / "study.yaml"), "background")


def test_a_range_of_a_signal_of_our_own(toy: Path, tmp_path: Path) -> None:
    document = toy_study()
    for role, name in (("minbias", "minbias.root"), ("signal", "signal.root")):
        (tmp_path / name).symlink_to(toy.parent / name)
        document["samples"][role] = {"files": name, "entries": [50, 120]}
    for name in ("tagger.l1fw", "golden.npz"):
        (tmp_path / name).symlink_to(toy.parent / name)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(document))
    file = read_study(tmp_path / "study.yaml")
    sample = open_sample(file, "signal")
    assert isinstance(sample, Sample)
    assert (sample.crossings, sample.lengths) == (70, (70,))
    expected = read_sample(toy.parent / "signal.root").read().candidates[50:120]
    assert ak.array_equal(sample.read().candidates, expected)
    with pytest.raises(L1emuError, match=r"minbias\.root: entries: a range of a sample with strata"):
        open_sample(file, "background")
