"""Which strata of a sample have an upper end of their hard scale."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1emu.events.sample import Sample, read_sample
from l1emu.resources import resource
from l1emu.study.samples import stratified


def bounded(sample: Sample) -> list[bool]:
    """Of each stratum, with one crossing each."""
    each = np.arange(1 if sample.strata is None else len(sample.strata))
    crossings = stratified(sample, [each], [np.full(each.size, -1)])
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
