"""One toy study for all tests of this folder; who changes it takes a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.study.study_toys import write_toy_study


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a toy study whose files stand beside it."""
    return write_toy_study(tmp_path_factory.mktemp("toy"))
