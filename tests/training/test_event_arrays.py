"""Arrays for training from files that `l1emu events` reads: NanoAOD-like ROOT, HDF5, parquet and our own samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

pytest.importorskip("sklearn", reason="training needs the extra: train")
pytest.importorskip("h5py", reason="these files need the extra: sources")

from l1emu.errors import L1emuError
from l1emu.resources import resource
from l1emu.training.event_arrays import arrays_of_events
from l1emu.training.model_recipe import EventFiles
from tests.events import public_layouts

MASK = {"of": "particles", "count": 4, "mask": "filled"}


def found(folder: Path, columns: list[str], **keys: Any) -> dict[str, Any]:
    return arrays_of_events(EventFiles.model_validate(keys), folder, columns)


def test_jets_in_hdf5_become_several_inputs(tmp_path: Path) -> None:
    wanted = public_layouts.hls4ml_jets(tmp_path / "jets.h5", rows=11)
    particles = {"of": "particles", "count": 4, "fields": ["pt", {"field": "eta", "relative": "difference"}]}
    inputs = {"particles": particles, "mask": MASK, "pairs": {"of": "particles", "count": 4, "pairs": ["delta_eta"]}}
    inputs |= {"jet": {"of": "object", "fields": ["mass_mmdt"]}}
    made = found(tmp_path, ["label", "jet.pt"], files=["jets.h5"], of="jet", inputs=inputs)
    assert {name: array.shape for name, array in made.items()} == {
        "particles": (11, 4, 2), "mask": (11, 4, 1), "pairs": (11, 4, 4, 1), "jet": (11, 1, 1), "label": (11,),
        "jet.pt": (11,),
    }  # fmt: skip
    pt = ak.to_numpy(ak.fill_none(ak.pad_none(wanted["particles.pt"], 4, clip=True), 0))
    np.testing.assert_array_equal(made["particles"][..., 0], pt.astype(np.float32))
    counts = ak.to_numpy(ak.num(wanted["particles.pt"]))
    there = np.arange(4) < counts[:, None]
    np.testing.assert_array_equal(made["mask"][..., 0], there)
    eta = ak.to_numpy(ak.fill_none(ak.pad_none(wanted["particles.eta"], 4, clip=True), 0))
    relative = np.where(there, eta - wanted["jet.eta"][:, None], 0)
    np.testing.assert_allclose(made["particles"][..., 1], relative, rtol=1e-6, atol=1e-7)
    both = there[:, :, None] & there[:, None, :]
    difference = np.where(both, eta[:, :, None] - eta[:, None, :], 0)
    np.testing.assert_allclose(made["pairs"][..., 0], difference, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(made["label"], wanted["label"])
    np.testing.assert_array_equal(made["jet"][:, 0, 0], wanted["jet.mass_mmdt"].astype(np.float32))


def test_crossings_of_nanoaod_and_the_jets_in_them(tmp_path: Path) -> None:
    wanted = public_layouts.l1nano(tmp_path / "nano.root")
    jets = {"of": "jets", "count": 3, "order": "pt", "fields": ["pt"]}
    sums = {"of": "sums", "fields": ["mht"]}
    made = found(tmp_path, ["ht"], files=["*.root"], entries=[0, 20], inputs={"jets": jets, "sums": sums})
    pt = ak.sort(wanted["jets.pt"], ascending=False)[:20]
    np.testing.assert_array_equal(made["jets"][..., 0], ak.to_numpy(ak.fill_none(ak.pad_none(pt, 3, clip=True), 0)))
    np.testing.assert_array_equal(made["sums"][:, 0, 0], ak.to_numpy(wanted["mht"])[:20].astype(np.float32))
    np.testing.assert_array_equal(made["ht"], ak.to_numpy(wanted["ht"])[:20])
    rows = {"x": {"of": "object", "fields": ["pt", "eta"]}}
    made = found(tmp_path, ["tagged_jets.score_b", "ht"], files=["nano.root"], of="tagged_jets", inputs=rows)
    np.testing.assert_array_equal(made["x"][:, 0, 0], ak.to_numpy(ak.flatten(wanted["tagged_jets.pt"])))
    np.testing.assert_array_equal(made["tagged_jets.score_b"], ak.to_numpy(ak.flatten(wanted["tagged_jets.score_b"])))
    counts = ak.to_numpy(ak.num(wanted["tagged_jets.pt"]))
    np.testing.assert_array_equal(made["ht"], np.repeat(ak.to_numpy(wanted["ht"]), counts))


def test_a_table_in_parquet_and_a_sample_of_ours(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="parquet needs the extra: sources")
    wanted = public_layouts.openml_parquet(tmp_path / "t.parquet")
    fields = ["features.zlogz", "features.mass_mmdt"]
    made = found(tmp_path, ["label"], files=["t.parquet"], inputs={"x": {"of": "sums", "fields": fields}})
    np.testing.assert_allclose(made["x"][:, 0], np.stack([wanted[name] for name in fields], axis=1), rtol=1e-6)
    sample = str(resource("datasets/signal-hh4b-pu200.root"))
    puppi = {
        "of": "candidates",
        "count": 16,
        "order": "pt",
        "fields": ["pt", "eta", {"field": "id", "one_hot": [0, 3]}],
    }
    made = found(tmp_path, ["stratum"], files=[sample], entries=[0, 50], inputs={"puppi": puppi})
    assert made["puppi"].shape == (50, 16, 4) and made["stratum"].shape == (50,)
    pt = made["puppi"][..., 0]
    assert (np.diff(pt, axis=1) <= 0).all() and pt[:, 0].min() > 4


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"of": "tracks"}, r"data\.events\.of: no such group of fields: got 'tracks'; expected event or jet, par"),
        ({"inputs": {"x": {"of": "particles", "count": 2, "fields": ["ptt"]}}},
         r"inputs\.x: the files have no such field: got 'particles\.ptt'; expected one of jet\.ptfrac"),
        ({"inputs": {"x": {"of": "object", "fields": ["pt"]}}}, "a tagger of whole crossings has no object"),
        ({"files": ["no.h5"]}, "no.h5"),
        ({"columns": ["particles.pt"]}, r"field particles\.pt: not one number a row: .*; expected of event, or of"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_line(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    public_layouts.hls4ml_jets(tmp_path / "jets.h5", rows=8)
    keys = {"files": ["jets.h5"], "inputs": {"mask": MASK}} | keys
    with pytest.raises(L1emuError, match=message) as caught:
        found(tmp_path, keys.pop("columns", ["label"]), **keys)
    assert "\n" not in str(caught.value)
