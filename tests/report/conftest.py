"""One toy study for every test of the report."""

from __future__ import annotations

import pytest

from l1emu.study import Results, run_study
from tests.study.study_toys import write_toy_study


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("report")
    return run_study(write_toy_study(folder / "toy"), folder / "results")
