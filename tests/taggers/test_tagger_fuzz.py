"""Odd settings of taggers: read and applied, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from l1emu.resources import resolve
from l1emu.taggers import read_tagger
from tests.fuzzing import altered, refused
from tests.taggers.test_tagger import AUTOENCODER, EVENT, TWO
from tests.taggers.toys import crossings, flat_network, settings, two_inputs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz")
    two_inputs(folder / "two")
    flat_network(folder / "event", 10, 4)
    flat_network(folder / "autoencoder", 4, 4)
    return folder


def fuzz(text: str, folder: Path, inputs: int, seed: int) -> int:
    """Put odd values into the settings so often; how many were refused."""
    rng, document, data = np.random.default_rng(seed), yaml.safe_load(text), crossings(12)

    def run(written: str) -> str | None:
        return refused(
            lambda: read_tagger("t", settings(folder, written), lambda name: resolve(name, folder)).apply(data)
        )

    assert run(text) is None
    return sum(run(yaml.safe_dump(altered(document, rng), sort_keys=False)) is not None for _ in range(inputs))


@pytest.mark.parametrize("text", [TWO, EVENT, AUTOENCODER])
def test_odd_settings_are_applied_or_refused(folder: Path, text: str) -> None:
    assert fuzz(text, folder, 40, seed=1) > 10


@pytest.mark.exhaustive
@pytest.mark.parametrize("text", [TWO, EVENT, AUTOENCODER])
def test_many_odd_settings_are_applied_or_refused(folder: Path, text: str) -> None:
    assert 100 < fuzz(text, folder, 500, seed=2) < 500
