"""Files that several training tests use."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tests.training.training_toys import TINY, toy_jets

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture()
def tiny_recipe(tmp_path: Path) -> Path:
    """The file of a small recipe."""
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.fixture()
def tiny_jets(tmp_path: Path) -> Path:
    """The file of 3,000 toy jets."""
    path = tmp_path / "jets.npz"
    np.savez(path, **toy_jets())
    return path
