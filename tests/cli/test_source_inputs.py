"""Fields of jets as inputs of a firmware, in Python and by `l1emu emulate --columns`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from l1emu.cli import app
from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.events.sources import open_source, stacked
from l1emu.firmware import Firmware
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Dense, Tensor
from tests.events.public_layouts import energyflow, fastpuppi, hls4ml_jets, l1nano, openml_csv


def dense(shape: tuple[int, ...], path: Path) -> Firmware:
    """A firmware of one dense layer over all inputs, saved."""
    fx, size = FixedPoint.parse, int(np.prod(shape))
    x, y = Tensor("x", shape, fx("ap_fixed<16,6>")), Tensor("y", (2,), fx("ap_fixed<24,12>"))
    layer = Dense(
        name="scores", inputs=(x,), output=y, positions=1, n_in=size, n_out=2, weight_type=fx("ap_fixed<8,3>"),
        weight=np.random.default_rng(1).integers(-128, 128, (size, 2)), bias=np.array([3, -5]),
        bias_type=fx("ap_fixed<8,3>"), accum_type=fx("ap_fixed<40,20>"), order=np.arange(size),
    )  # fmt: skip
    firmware = Firmware("toy", "Vitis", (x,), (y,), (layer,))
    firmware.save(path)
    return firmware


def run(*arguments: object) -> Any:
    """The JSON of one call."""
    result = CliRunner().invoke(app, ["emulate", *map(str, arguments), "--json"])
    if result.exception is not None:
        raise result.exception
    return json.loads(result.stdout)


def padded(lists: Any, particles: int) -> NDArray[np.float64]:
    """The first particles of each jet, zeros where there are none."""
    out = np.zeros((len(lists), particles))
    for row, values in zip(out, ak.to_list(lists), strict=True):
        row[: len(values)] = values[:particles]
    return out


@pytest.mark.parametrize("particles", [1, 8, 45])
def test_lists_are_cut_or_filled(tmp_path: Path, particles: int) -> None:
    expected = hls4ml_jets(tmp_path / "h.h5")
    batch = open_source(tmp_path / "h.h5").read(["particles", "image"])
    names = ["particles.pt", "particles.etarel", "particles.phirel"]
    wanted = np.stack([padded(expected[name], particles) for name in names], axis=-1)
    assert np.array_equal(stacked(batch, names, particles), wanted)
    assert np.array_equal(stacked(batch, ["image"]), expected["image"])


def test_a_taggers_scores_of_the_jets_of_a_file(tmp_path: Path) -> None:
    """High-level features, and particles of a range of jets: what the emulator gives on the file's own numbers."""
    expected = openml_csv(tmp_path / "o.csv")
    names = ["features.zlogz", "features.mass_mmdt", "features.multiplicity"]
    firmware = dense((3,), tmp_path / "f.l1fw")
    document = run(
        tmp_path / "f.l1fw", tmp_path / "o.csv", "--columns", ",".join(names), "--output", tmp_path / "o.npz"
    )
    assert document["jets"] == 23
    with np.load(tmp_path / "o.npz") as found:
        values = np.stack([expected[name] for name in names], axis=1)
        assert np.array_equal(found["y"], np.asarray(Emulator(firmware)(values)))
        assert np.array_equal(found["label"], expected["label"])

    expected = energyflow(tmp_path / "e.npz")
    firmware = dense((8, 2), tmp_path / "g.l1fw")
    columns = ["--columns", "particles.pt, particles.phi", "--entries", "3:20", "--output", tmp_path / "e_out.npz"]
    assert run(tmp_path / "g.l1fw", tmp_path / "e.npz", *columns)["jets"] == 17
    with np.load(tmp_path / "e_out.npz") as found:
        values = np.stack([padded(expected[f"particles.{n}"], 8) for n in ("pt", "phi")], axis=-1)[3:20]
        assert np.array_equal(found["y"], np.asarray(Emulator(firmware)(values)))
        assert np.array_equal(found["label"], expected["label"][3:20])


def test_fields_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    hls4ml_jets(tmp_path / "h.h5")
    dense((8, 2), tmp_path / "f.l1fw")
    for columns, match in (
        ("particles.pt,jet.mass", "cannot stand beside one another"),
        ("jet.mass,jet.pt", r"make 2 numbers a jet: .*expected 16, the firmware's input x \(8, 2\)"),
        ("particles", "is a group"),
        ("absent", "there is no field"),
        ("particles.pt,particles.eta,particles.phi", "make 15 numbers a jet"),
    ):
        with pytest.raises(L1emuError, match=match):
            run(tmp_path / "f.l1fw", tmp_path / "h.h5", "--columns", columns)
    with pytest.raises(L1emuError, match="no raw integers"):
        run(tmp_path / "f.l1fw", tmp_path / "h.h5", "--columns", "particles.pt", "--raw")
    with pytest.raises(L1emuError, match="not a range"):
        run(tmp_path / "f.l1fw", tmp_path / "h.h5", "--columns", "particles.pt", "--entries", "5")
    fastpuppi(tmp_path / "c.root")
    with pytest.raises(L1emuError, match="does not take the jets that are built of crossings"):
        run(tmp_path / "f.l1fw", tmp_path / "c.root")
    with pytest.raises(L1emuError, match="need a number of particles"):
        stacked(open_source(tmp_path / "h.h5").read(), ["particles.pt"])


def test_the_examples_of_the_documentation_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fastpuppi(tmp_path / "perfNano_1.root", dxy=False)
    fastpuppi(tmp_path / "perfNano_2.root", seed=2, dxy=False)
    l1nano(tmp_path / "l1nano_minbias_1.root", rows=300)
    hls4ml_jets(tmp_path / "jets_150p.h5")
    np.save("scaler.npy", np.ones((2, 3)))
    dense((8, 3), tmp_path / "my_tagger.l1fw")
    page = (Path(__file__).parents[2] / "docs" / "sources.md").read_text()
    blocks = [part.partition("```")[0] for part in page.split("```python\n")[1:]]
    blocks = [block for block in blocks if not block.startswith(">>>")]  # doctests run where all of them do
    assert len(blocks) == 4
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/sources.md", "exec"), names)
    assert names["scores"].shape == (23, 2) and len(names["jets"].features)
    batch = open_source("l1nano_minbias_1.root").read(["tagged_jets"])
    for threshold, accepted in zip(names["rates"].thresholds, names["rates"].accepted[:, 0], strict=True):
        jets = batch.tagged_jets[(abs(batch.tagged_jets.eta) < 2.4) & (batch.tagged_jets.pt >= threshold)]
        assert accepted == ak.sum((ak.num(jets) >= 3) & (ak.sum(jets.score_b >= 0.3, axis=1) >= 2))
    assert 0 < names["rates"].accepted[0, 0] < 300
