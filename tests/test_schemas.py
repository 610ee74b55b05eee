"""Every schema of a config: bounds on each of its numbers, and one line for whatever stands in its place."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import l1emu
from l1emu.config import Config, load_config
from l1emu.events.calibration import Calibration
from l1emu.events.generate.recipe import SampleRecipe
from l1emu.events.objects.maps import ObjectsFile
from l1emu.latency.budget import Budget
from l1emu.latency.partition import Partition
from l1emu.resources import resource
from l1emu.stream.topology import Topology
from l1emu.study.config import Study
from l1emu.taggers.maps import FeatureMapFile
from l1emu.training.model_recipe import ModelRecipe
from l1emu.training.recipe import Recipe as TaggerRecipe
from l1emu.trigger.menu import Menu
from l1emu.trigger.scalings import Scalings
from tests.fuzzing import altered, damaged, refused

SHIPPED: dict[str, type[Config]] = {
    "budgets/cms-phase2.yaml": Budget,
    "budgets/cms-phase2.topology.yaml": Topology,
    "budgets/jet-tagger.partition.yaml": Partition,
    "budgets/jets-1tev-million.partition.yaml": Partition,
    "budgets/jets-1tev-million-pruned.partition.yaml": Partition,
    "datasets/recipes/signal-hh4b-pu200.yaml": SampleRecipe,
    "datasets/calibration-pu200.yaml": Calibration,
    "models/jet-tagger/recipe.yaml": TaggerRecipe,
    "data/study.yaml": Study,
    "data/objects/cms-phase2-l1nano.yaml": ObjectsFile,
    "data/objects/cms-run3-l1nano.yaml": ObjectsFile,
    "data/objects/cms-run3-l1ntuple.yaml": ObjectsFile,
    "data/taggers/l1emu-jets.yaml": FeatureMapFile,
    "data/taggers/cms-jets.yaml": FeatureMapFile,
    "data/taggers/cms-jets-21.yaml": FeatureMapFile,
    "data/menus/cms-phase2-step1-tagged.yaml": Menu,
    "data/scalings/cms-phase2-v44.yaml": Scalings,
}
RECIPES: dict[str, type[Config]] = {
    f"models/{path.parent.name}/recipe.yaml": ModelRecipe
    for path in sorted(resource("models").glob("*/recipe.yaml"))
    if path.parent.name != "jet-tagger"
}
SHIPPED |= RECIPES


def schemas() -> list[type[Config]]:
    for module in pkgutil.walk_packages(l1emu.__path__, "l1emu."):
        if not module.name.startswith(("l1emu.training.", "l1emu.cli.")) or module.name == "l1emu.training.recipe":
            import_module(module.name)
    found, waiting = [], [Config]
    while waiting:
        waiting += (inside := waiting.pop().__subclasses__())
        found += inside
    found = [s for s in found if s.__module__.startswith("l1emu.")]
    return sorted(found, key=lambda s: (s.__module__, s.__name__))


def unbounded(node: Any, place: str = "") -> Iterator[str]:
    """The places of a JSON schema with a number that has no lowest or no highest value."""
    if isinstance(node, dict):
        if node.get("type") in ("integer", "number") and not {"const", "enum"} & node.keys():
            for ends in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
                if not any(end in node for end in ends):
                    yield f"{place} without {ends[0]}"
        for key, value in node.items():
            yield from unbounded(value, f"{place}/{key}")
    elif isinstance(node, list):
        for value in node:
            yield from unbounded(value, place)


@pytest.mark.parametrize("schema", schemas(), ids=lambda s: f"{s.__module__}.{s.__name__}")
def test_every_number_has_bounds(schema: type[Config]) -> None:
    assert list(unbounded(schema.model_json_schema().get("properties"))) == []


def fuzz(name: str, folder: Path, inputs: int, seed: int) -> int:
    """Put odd values into a shipped config, or damage its bytes, so often; how many were refused."""
    rng = np.random.default_rng(seed)
    whole = resource(name).read_bytes()
    document, file, wrong = yaml.safe_load(whole), folder / "x.yaml", 0
    for place in range(inputs):
        if place % 3 == 0:
            file.write_bytes(damaged(whole, rng))
        else:
            try:
                file.write_text(yaml.safe_dump(altered(document, rng), allow_unicode=True, width=100))
            except UnicodeEncodeError:
                continue
        text = refused(lambda: load_config(file, SHIPPED[name]))
        assert text is None or text.startswith(f"{file}: ")
        wrong += text is not None
    return wrong


@pytest.mark.parametrize("name", SHIPPED)
def test_an_odd_config_is_read_or_refused(name: str, tmp_path: Path) -> None:
    assert fuzz(name, tmp_path, 20 if name in RECIPES else 60, seed=2) > 0  # one schema, many recipes


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", SHIPPED)
def test_many_odd_configs_are_read_or_refused(name: str, tmp_path: Path) -> None:
    assert fuzz(name, tmp_path, 3000, seed=3) > 0
