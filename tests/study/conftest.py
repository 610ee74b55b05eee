"""One toy study for all tests of this folder; it is read, never changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from l1emu.study import Results, run_study
from tests.study.study_toys import write_toy_study


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a toy study whose files stand beside it."""
    return write_toy_study(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="session")
def results(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """That study, run."""
    return run_study(toy, tmp_path_factory.mktemp("run") / "results")
