"""Jets of ours in the layout of JetClass: written by uproot, read as JetClass, and what a Particle Transformer sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

pytest.importorskip("sklearn", reason="training needs the extra: train")
pytest.importorskip("pythia8mc", reason="jets need the extra: generate")

from l1emu.errors import L1emuError
from l1emu.events.sources import open_source
from l1emu.resources import resource
from l1emu.taggers.maps import SHIPPED_MAPS, read_map
from l1emu.training.event_arrays import arrays_of_events
from l1emu.training.jetclass_jets import jetclass_jets, main, write_jetclass
from l1emu.training.model_recipe import EventFiles
from tests.events.public_layouts import JETCLASS_FLAGS, JETCLASS_JET, JETCLASS_LABELS, JETCLASS_PARTICLE, jetclass
from tests.ntuple_files import write_tree


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("jetclass") / "jets.root"
    assert write_jetclass(path, jets_per_class=6, seed=3) == 30
    return path


def test_the_file_has_the_branches_of_jetclass_and_is_read_as_such(file: Path) -> None:
    with uproot.open(file) as opened:
        names = set(opened["tree"].keys())
    expected = {f"part_{name}" for name in (*JETCLASS_PARTICLE, *JETCLASS_FLAGS)}
    expected |= {f"jet_{name}" for name in JETCLASS_JET} | {f"label_{name}" for name in JETCLASS_LABELS}
    assert {name for name in names if not name.startswith("npart_")} == expected | {"event"}
    source = open_source(file)
    assert source.format.name == "jetclass"
    rows = source.read()
    assert ak.to_numpy(rows.label).tolist() == [0] * 12 + [7] * 6 + [6] * 6 + [8] * 6
    p = rows.particles
    assert ak.all(ak.num(p.px) <= 128) and ak.all(ak.num(p.px) >= 5)
    one = p.isChargedHadron + p.isNeutralHadron + p.isPhoton + p.isElectron + p.isMuon
    assert ak.all(one == 1) and ak.all((p.charge != 0) == ((p.isChargedHadron + p.isElectron + p.isMuon) == 1))
    assert ak.all((p.d0err > 0) == (p.charge != 0)) and ak.all(p.energy**2 * 1.0001 >= p.px**2 + p.py**2 + p.pz**2)
    # all constituents, or the leading 128, make the jet
    total = ak.to_numpy(np.hypot(ak.sum(p.px, axis=1), ak.sum(p.py, axis=1)))
    np.testing.assert_allclose(total, ak.to_numpy(rows.jet.pt), rtol=0.03)
    eta = ak.to_numpy(rows.jet.eta)
    signed = (source.read(["particles.eta"]).particles.eta - eta) * np.where(eta >= 0, 1, -1)
    assert ak.all(abs(p.deta - signed) < 1e-4)


def test_momenta_give_pt_eta_and_phi_on_request(tmp_path: Path) -> None:
    wanted = jetclass(tmp_path / "j.root")
    source = open_source(tmp_path / "j.root")
    assert not {"pt", "eta", "phi"} & set(source.read().particles.fields)
    found = source.read(["particles.pt", "particles.eta", "particles.phi"]).particles
    px, py, pz = (ak.flatten(wanted[f"particles.{name}"]).to_numpy().astype(float) for name in ("px", "py", "pz"))
    np.testing.assert_allclose(ak.flatten(found.pt), np.sqrt(px**2 + py**2), rtol=1e-5)
    np.testing.assert_allclose(np.tanh(ak.flatten(found.eta)), pz / np.sqrt(px**2 + py**2 + pz**2), atol=1e-5)
    np.testing.assert_allclose(np.sin(ak.flatten(found.phi)), py / np.sqrt(px**2 + py**2), atol=1e-5)


def test_a_momentum_that_is_none_is_refused_by_its_branch(tmp_path: Path) -> None:
    jetclass(tmp_path / "j.root")
    with uproot.open(tmp_path / "j.root") as opened:
        columns = {name: opened["tree"][name].array() for name in opened["tree"].keys() if name[0] != "n"}  # noqa: SIM118
    flat = ak.flatten(columns["part_py"]).to_numpy().copy()
    flat[0] = np.nan
    columns["part_py"] = ak.unflatten(flat, ak.num(columns["part_py"]))
    write_tree(tmp_path / "k.root", "tree", columns)
    with pytest.raises(L1emuError, match=r"tree/part_py, entry 0: not a number"):
        open_source(tmp_path / "k.root").read(["particles.pt"])


def reference(p: Any, jet: Any) -> tuple[Any, Any]:
    """The features of one jet's 16 leading particles as JetClass_full.yaml has them, and those of their pairs."""
    order = np.argsort(-np.hypot(p.px, p.py), kind="stable")[:16]
    c = {name: np.asarray(p[name], dtype=float)[order] for name in p.fields}
    pt = np.hypot(c["px"], c["py"])
    rows = [
        (np.log(pt) - 1.7) * 0.7, (np.log(c["energy"]) - 2) * 0.7, (np.log(pt / jet.pt) + 4.7) * 0.7,
        (np.log(c["energy"] / jet.energy) + 4.7) * 0.7, (np.hypot(c["deta"], c["dphi"]) - 0.2) * 4, c["charge"],
        *(c[name] for name in JETCLASS_FLAGS), np.tanh(c["d0val"]), np.clip(c["d0err"], 0, 1), np.tanh(c["dzval"]),
        np.clip(c["dzerr"], 0, 1), c["deta"], c["dphi"],
    ]  # fmt: skip
    eta, phi = np.arcsinh(c["pz"] / pt), np.arctan2(c["py"], c["px"])
    d_eta, d_phi = eta[:, None] - eta, (phi[:, None] - phi + np.pi) % (2 * np.pi) - np.pi
    delta, least = np.hypot(d_eta, d_phi), np.minimum(pt[:, None], pt)
    mass2 = 2 * pt[:, None] * pt * (np.cosh(d_eta) - np.cos(d_phi))
    pairs = [least * delta, least / (pt[:, None] + pt), delta, mass2]
    return np.clip(np.stack(rows, axis=1), -5, 5), np.log(np.maximum(np.stack(pairs, axis=2), 1e-8))


def test_the_map_gives_the_features_of_the_particle_transformer(file: Path) -> None:
    _, inputs = read_map(resource(SHIPPED_MAPS) / "jetclass-part.yaml")
    events = EventFiles.model_validate({"files": [str(file)], "of": "jet", "inputs": inputs})
    made = arrays_of_events(events, file.parent, ["label"])
    assert {name: a.shape for name, a in made.items()} == {
        "particles": (30, 16, 17), "pairs": (30, 16, 16, 4), "mask": (30, 16, 1), "label": (30,),
    }  # fmt: skip
    rows = open_source(file).read()
    for number in range(30):
        features, pairs = reference(rows.particles[number], rows.jet[number])
        count = len(features)
        assert made["mask"][number, :, 0].sum() == count
        np.testing.assert_allclose(made["particles"][number, :count], features, atol=2e-3)
        between = made["pairs"][number, :count, :count]
        off = ~np.eye(count, dtype=bool)  # of a particle with itself the distance is nothing but rounding
        np.testing.assert_allclose(between[off], pairs[off], atol=2e-2)
        assert not made["particles"][number, count:].any()


def test_the_generator_gives_what_a_file_gives() -> None:
    found = jetclass_jets(jets_per_class=2, seed=5)
    assert np.bincount(found["target"]).tolist() == [4, 2, 2, 2]  # QCD of gluons and of light quarks
    assert found["particles"].shape == (10, 16, 17) and len(np.unique(found["event"])) >= 5


def test_the_command_writes_a_file_or_says_in_one_line_why_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "a.root"), "--jets-per-class", "1", "--seed", "2"]) == 0
    assert len(open_source(tmp_path / "a.root")) == 5
    capsys.readouterr()
    assert main([str(tmp_path / "b.root"), "--jets-per-class", "0"]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not (tmp_path / "b.root").exists()
