"""Our words against those that CMS's own C++ gave, every stage of which there is a file in `golden/`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from l1emu.cmssw import STAGES

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.npz"))


def test_every_stage_has_golden_words() -> None:
    assert {path.stem for path in GOLDEN} == set(STAGES)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_our_words_are_those_of_cms(path: Path) -> None:
    stage = STAGES[path.stem]
    with np.load(path, allow_pickle=False) as file:
        cases = file["cases"].tolist()
        assert len(file["commits"]) and cases
        for k, name in enumerate(cases):
            cms = file[f"cms_{k}"].astype(np.int64)
            ours = stage.ours(file[f"given_{k}"].astype(np.int64))
            assert len(ours) == len(cms), name
            assert np.flatnonzero(ours != cms).tolist() == [], name
