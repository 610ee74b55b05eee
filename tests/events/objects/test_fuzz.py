"""Damaged files: read, or refused in one line; never a traceback, never a hang."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1emu.config import load_config
from l1emu.events.objects import open_objects
from tests.events.objects.files import JETS, LAYOUTS, RECORDS, l1nano, table
from tests.events.objects.test_schema import Both
from tests.events.test_source_fuzz import bounded
from tests.fuzzing import altered, damaged, refused

TRIES = [15, pytest.param(400, marks=pytest.mark.exhaustive)]
SUMS: dict[str, Any] = {"ht": {"of": "jets"}, "mht": {"of": "jets", "vector": True}}


def read_jets(path: Path) -> None:
    for _ in open_objects(path, {"jets": JETS}, SUMS).iterate_keyed(7):
        pass


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("tries", TRIES)
def test_damaged_files_of_every_layout(tmp_path: Path, layout: str, tries: int) -> None:
    if layout.startswith("parquet"):
        pytest.importorskip("pyarrow", reason="parquet needs the extra `sources`")
    if layout.startswith("RNTuple") and not RECORDS:
        pytest.skip("this uproot does not write RNTuples")
    path = LAYOUTS[layout](tmp_path / "n", table(np.random.default_rng(1), 20))
    data = path.read_bytes()
    rng = np.random.default_rng(7)
    read_jets(path)
    with bounded():
        for _ in range(tries):
            path.write_bytes(damaged(data, rng))
            refused(partial(read_jets, path))


@pytest.mark.parametrize("tries", TRIES)
def test_damaged_l1_nanoaod(tmp_path: Path, tries: int) -> None:
    path = tmp_path / "n.root"
    l1nano(path, 20)
    data = path.read_bytes()
    rng = np.random.default_rng(8)

    def read() -> None:
        for _ in open_objects(path, "cms-phase2-l1nano").iterate_keyed(7):
            pass

    read()
    with bounded():
        for _ in range(tries):
            path.write_bytes(damaged(data, rng))
            refused(read)


@pytest.mark.parametrize("tries", [60, pytest.param(3000, marks=pytest.mark.exhaustive)])
def test_altered_maps(tmp_path: Path, tries: int) -> None:
    path = tmp_path / "n.root"
    columns = l1nano(path, 12)
    muons = {"collection": "L1gmtTkMuon", "pt": {"field": "pt", "unit": "MeV", "scale": 2.0, "offset": 1.0}}
    document = {
        "objects": {
            "like": "cms-phase2-l1nano",
            "jets": JETS | {"collection": "L1puppiJetSC4"},
            "muons": muons | {"quality": "hwQual", "where": {"charge": {"in": [-1, 1]}, "quality": {"min": 0}}},
        },
        "sums": SUMS
        | {"met": {"branch": "L1puppiMET_pt", "phi": {"branch": "L1puppiMET_phi", "unit": "rad"}}}
        | {"second": {"branch": "L1puppiJetSC4sums_pt", "index": 1, "where": {"L1puppiJetSC4sums_pt": {"max": 9}}}},
    }
    rng = np.random.default_rng(len(columns))

    def read(changed: Any) -> None:
        (tmp_path / "study.yaml").write_text(json.dumps(changed))
        study = load_config(tmp_path / "study.yaml", Both)
        if study.objects is not None:
            for _ in open_objects(path, study.objects, study.sums).iterate_keyed(7):
                pass

    read(document)
    assert any(refused(partial(read, altered(document, rng))) for _ in range(9))
    for _ in range(tries):
        refused(partial(read, altered(document, rng)))
