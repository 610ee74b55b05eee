"""Small files of the public layouts, from a seed, each with the values that a reader must find in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import h5py
import numpy as np
import pandas as pd

from tests.ntuple_files import write_tree

Expected = dict[str, Any]

SUBSTRUCTURE = ["c1_b0", "c1_b1", "c1_b2", "c2_b1", "c2_b2", "d2_b1", "d2_b2", "d2_a1_b1", "d2_a1_b2"]
SUBSTRUCTURE += ["m2_b1", "m2_b2", "n2_b1", "n2_b2"]
SUBJETTINESS = ["tau1_b1", "tau2_b1", "tau3_b1", "tau1_b2", "tau2_b2", "tau3_b2", "tau32_b1", "tau32_b2"]
JET_FEATURES = ["ptfrac", "pt", "eta", "mass", *SUBJETTINESS, "zlogz", *SUBSTRUCTURE]
JET_FEATURES += [f"{name}_mmdt" for name in SUBJETTINESS + SUBSTRUCTURE]
JET_FEATURES += ["mass_trim", "mass_mmdt", "mass_prun", "mass_sdb2", "mass_sdm1", "multiplicity"]
JET_FEATURES += ["g", "q", "w", "z", "t", "undef"]
PARTICLE_FEATURES = ["px", "py", "pz", "e", "erel", "pt", "ptrel", "eta", "etarel", "etarot", "phi", "phirel", "phirot"]
PARTICLE_FEATURES += ["deltaR", "costheta", "costhetarel", "pdgid"]
HLF = "zlogz c1_b0 c1_b1 c1_b2 c2_b1 c2_b2 d2_b1 d2_b2 d2_a1_b1 d2_a1_b2 m2_b1 m2_b2 n2_b1 n2_b2 mass multiplicity"
HLF_COLUMNS = [n if n in ("zlogz", "multiplicity") else f"{n}_mmdt" for n in HLF.split()]
SCORES = ("uds", "g", "b", "c", "tau_p", "tau_n", "e", "mu")
JETCLASS_PARTICLE = ["px", "py", "pz", "energy", "deta", "dphi", "d0val", "d0err", "dzval", "dzerr", "charge"]
JETCLASS_FLAGS = ["isChargedHadron", "isNeutralHadron", "isPhoton", "isElectron", "isMuon"]
JETCLASS_JET = ["pt", "eta", "phi", "energy", "nparticles", "sdmass", "tau1", "tau2", "tau3", "tau4"]
JETCLASS_LABELS = ["QCD", "Hbb", "Hcc", "Hgg", "H4q", "Hqql", "Zqq", "Wqq", "Tbqq", "Tbl"]


def jagged(rng: np.random.Generator, counts: Any, low: float = 0, high: float = 1, kind: str = "f4") -> ak.Array:
    """Numbers in lists of the given lengths."""
    values = rng.uniform(low, high, int(np.sum(counts))).astype(kind)
    return ak.unflatten(values, counts)


def fastpuppi_columns(rng: np.random.Generator, rows: int, *, z0: bool = True, dxy: bool = True) -> Expected:
    """The branches of `L1PuppiCands`, on the correlator's grid as its words are."""
    counts = rng.integers(0, 30, rows)
    total = int(counts.sum())
    pdg = rng.choice([211, -211, 130, 22, 11, -11, 13, -13], total).astype("f4")
    charged = ~np.isin(pdg, [130, 22])
    charge = np.where(charged, np.sign(pdg) * np.where(np.isin(abs(pdg), [11, 13]), -1, 1), 0)
    flat = {
        "pt": rng.integers(4, 800, total) * 0.25,
        "eta": rng.integers(-700, 700, total) * np.pi / 720,
        "phi": rng.integers(-720, 720, total) * np.pi / 720,
        "mass": np.where(abs(pdg) == 211, 0.13, 0),
        "charge": charge,
        "pdgId": pdg,
        "puppiWeight": np.where(charged, 1, rng.integers(0, 257, total) / 256),
        "z0": np.where(charged, rng.integers(-200, 200, total) * 0.05, 0),
        "dxy": np.where(charged, rng.integers(-50, 50, total) / 256, 0),
    }
    kept = [name for name in flat if (z0 or name != "z0") and (dxy or name != "dxy")]
    return {f"L1PuppiCands_{name}": ak.unflatten(flat[name].astype("f4"), counts) for name in kept}


def fastpuppi(path: Path, rows: int = 23, seed: int = 1, *, dxy: bool = True) -> Expected:
    rng = np.random.default_rng(seed)
    columns = fastpuppi_columns(rng, rows, dxy=dxy)
    vertex = jagged(rng, rng.integers(0, 2, rows), -10, 10)
    jets = rng.integers(0, 6, rows)
    gen_jets = {name: jagged(rng, jets, 0, 3) for name in ("pt", "eta", "phi", "mass")}
    others = {f"GenJets_{name}": values for name, values in gen_jets.items()} | {"L1PV_z0": vertex}
    write_tree(path, "Events", columns | others | {"run": np.arange(rows, dtype="u4")})
    names = {"pdgId": "pdg_id", "puppiWeight": "puppi_weight"}
    expected = {f"gen_jets.{name}": values for name, values in gen_jets.items()}
    for name, values in columns.items():
        member = name.partition("_")[2]
        expected[f"candidates.{names.get(member, member)}"] = values
    return expected | {"vertex_z0": ak.firsts(vertex)}


def l1nano(path: Path, rows: int = 23, seed: int = 2) -> Expected:
    rng = np.random.default_rng(seed)
    columns: Expected = {"L1PV_z0": jagged(rng, np.ones(rows, int), -10, 10)}
    expected: Expected = {"vertex_z0": ak.firsts(columns["L1PV_z0"])}
    for group, table in (("jets", "L1puppiJetSC4"), ("tagged_jets", "L1puppiJetSC4NG")):
        counts = rng.integers(0, 17, rows)
        for name, high in (("pt", 300), ("eta", 3), ("phi", 3.1), ("et", 300)):
            columns[f"{table}_{name}"] = expected[f"{group}.{name}"] = jagged(rng, counts, 0, high)
    for score in SCORES:
        values = jagged(rng, counts)
        columns[f"L1puppiJetSC4NG_{score}TagScore"] = expected[f"tagged_jets.score_{score}"] = values
    pt, phi = jagged(rng, np.full(rows, 2), 0, 900), jagged(rng, np.full(rows, 2), -3, 3)
    columns |= {"L1puppiJetSC4sums_pt": pt, "L1puppiJetSC4sums_phi": phi}
    write_tree(path, "Events", columns)
    return expected | {"ht": pt[:, 0], "mht": pt[:, 1], "mht_phi": phi[:, 1]}


def pfnano(
    path: Path, rows: int = 23, seed: int = 3, *, spelling: str = "PFCands", index: str = "pFCandsIdx"
) -> Expected:
    """Constituents of a jet in any order among those of others, candidates in several jets, some links to nothing."""
    rng = np.random.default_rng(seed)
    jets, candidates = rng.integers(0, 5, rows), rng.integers(6, 40, rows)
    columns: Expected = {}
    expected: Expected = {}
    flavours = {"hadron_flavour": "hadronFlavour", "parton_flavour": "partonFlavour"}
    for name in ("pt", "eta", "phi", "mass", *flavours):
        kind = "i4" if name in flavours else "f4"
        columns[f"Jet_{flavours.get(name, name)}"] = expected[f"jets.{name}"] = jagged(rng, jets, 0, 6, kind)
    branches = {"pdg_id": "pdgId", "puppi_weight": "puppiWeight"}
    members = ("pt", "eta", "phi", "mass", "charge", "pdg_id", "d0", "dz", "puppi_weight")
    for name in members:
        columns[f"{spelling}_{branches.get(name, name)}"] = jagged(rng, candidates, -5, 50)
    jet_index, candidate_index, of_jets = [], [], []
    for row in range(rows):
        links = int(rng.integers(0, 30)) if jets[row] else 0
        jet = rng.integers(-1, jets[row], links) if links else np.zeros(0, int)
        candidate = rng.integers(-1, candidates[row], links)
        jet_index.append(jet.astype("i4"))
        candidate_index.append(candidate.astype("i4"))
        of_jets.append(
            [[int(c) for j, c in zip(jet, candidate, strict=True) if j == n and c >= 0] for n in range(jets[row])]
        )
    columns[f"Jet{spelling}_jetIdx"] = ak.values_astype(ak.Array([list(x) for x in jet_index]), "int32")
    columns[f"Jet{spelling}_{index}"] = ak.values_astype(ak.Array([list(x) for x in candidate_index]), "int32")
    for name in members:
        table = columns[f"{spelling}_{branches.get(name, name)}"].to_list()
        expected[f"jet_constituents.{name}"] = ak.Array(
            [[[table[row][c] for c in jet] for jet in of_jets[row]] for row in range(rows)]
        )
    write_tree(path, "Events", columns)
    return expected


def pfnano_v15(path: Path, rows: int = 23, seed: int = 4) -> Expected:
    return pfnano(path, rows, seed, spelling="PFCand", index="pfCandIdx")


def jetclass(path: Path, rows: int = 23, seed: int = 5) -> Expected:
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 40, rows)
    columns: Expected = {}
    expected: Expected = {}
    for name in JETCLASS_PARTICLE:
        columns[f"part_{name}"] = expected[f"particles.{name}"] = jagged(rng, counts, -5, 5)
    px, py, pz = (columns[f"part_{name}"] for name in ("px", "py", "pz"))
    expected["particles.pt"] = np.hypot(px, py)
    expected["particles.eta"] = np.arcsinh(pz / np.hypot(px, py))
    expected["particles.phi"] = np.arctan2(py, px)
    for name in JETCLASS_FLAGS:
        columns[f"part_{name}"] = expected[f"particles.{name}"] = jagged(rng, counts, 0, 2, "i4")
    for name in JETCLASS_JET:
        columns[f"jet_{name}"] = expected[f"jet.{name}"] = rng.normal(size=rows).astype("f4")
    label = rng.integers(0, 10, rows)
    kinds = ["f4", *["?"] * 5, *["i4"] * 4]  # as in the data set
    for i, (name, kind) in enumerate(zip(JETCLASS_LABELS, kinds, strict=True)):
        columns[f"label_{name}"] = (label == i).astype(kind)
    write_tree(path, "tree", columns)
    return expected | {"label": label}


def padded(rng: np.random.Generator, rows: int, particles: int, width: int) -> tuple[Any, Any]:
    """(rows, particles, width) with a padding of zeros at the end of each row, and the lengths without it."""
    counts = rng.integers(0, particles + 1, rows)
    block = rng.normal(size=(rows, particles, width))
    block[np.arange(particles) >= counts[:, None]] = 0
    return block, counts


def lists(block: Any, counts: Any) -> ak.Array:
    """(rows, particles) with those after the row's length left out."""
    return ak.Array([row[:n].tolist() for row, n in zip(block, counts, strict=True)])


def hls4ml_jets(path: Path, rows: int = 23, seed: int = 6, particles: int = 30) -> Expected:
    rng = np.random.default_rng(seed)
    block, counts = padded(rng, rows, particles, 16)
    jets = rng.normal(size=(rows, 59))
    label = rng.integers(0, 5, rows)
    jets[:, -6:] = np.eye(6)[label]
    images = {}
    with h5py.File(path, "w") as file:
        file["jetConstituentList"], file["jets"] = block, jets
        file["jetFeatureNames"] = np.array([f"j_{name}" for name in JET_FEATURES], "S")
        file["particleFeatureNames"] = np.array([f"j1_{name}" for name in PARTICLE_FEATURES], "S")
        for name, dataset in (("image", "jetImage"), ("image_ecal", "jetImageECAL"), ("image_hcal", "jetImageHCAL")):
            images[name] = rng.random((rows, 100, 100)).round(1)
            file.create_dataset(dataset, data=images[name], compression="gzip", chunks=(4, 100, 100))
    expected = {f"jet.{name}": jets[:, i] for i, name in enumerate(JET_FEATURES[:53])}
    expected |= {f"particles.{name}": lists(block[:, :, i], counts) for i, name in enumerate(PARTICLE_FEATURES[:16])}
    return expected | images | {"label": label}


def _hlf(rows: int, seed: int) -> tuple[pd.DataFrame, Expected]:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(rows, 16)).round(6), columns=HLF_COLUMNS)
    label = rng.integers(0, 5, rows)
    expected = {f"features.{name}": frame[name].to_numpy() for name in HLF_COLUMNS}
    frame["class"] = np.array(list("gqwzt"))[label]
    return frame, expected | {"label": label}


def openml_csv(path: Path, rows: int = 23, seed: int = 7) -> Expected:
    frame, expected = _hlf(rows, seed)
    frame.to_csv(path, index=False)
    return expected


def openml_arff(path: Path, rows: int = 23, seed: int = 8) -> Expected:
    frame, expected = _hlf(rows, seed)
    lines = ["% a comment", "@RELATION hls4ml_lhc_jets_hlf", ""]
    lines += [f"@ATTRIBUTE {name} REAL" for name in HLF_COLUMNS] + ["@ATTRIBUTE class {g, q, t, w, z}", "", "@DATA"]
    body = frame.to_csv(index=False, header=False).splitlines()
    path.write_text("\n".join([*lines, *body[:5], "", "% a comment among the data", *body[5:]]) + "\n")
    return expected


def openml_parquet(path: Path, rows: int = 23, seed: int = 9) -> Expected:
    import pyarrow
    import pyarrow.parquet

    frame, expected = _hlf(rows, seed)
    frame["class"] = frame["class"].astype("category")
    pyarrow.parquet.write_table(pyarrow.Table.from_pandas(frame), path, row_group_size=10)
    return expected


def top_tagging(path: Path, rows: int = 23, seed: int = 10) -> Expected:
    """The compound dataset that pandas writes, with h5py."""
    rng = np.random.default_rng(seed)
    block, counts = padded(rng, rows, 200, 4)
    truth = rng.normal(size=(rows, 4))
    label, split = rng.integers(0, 2, rows), rng.integers(0, 3, rows)
    types = [("index", "<i8"), ("values_block_0", "<f4", (804,)), ("values_block_1", "<i8", (2,))]
    table = np.zeros(rows, np.dtype(types))
    table["values_block_0"] = np.concatenate([block.reshape(rows, -1), truth], axis=1)
    table["values_block_1"] = np.stack([split, label], axis=1)
    with h5py.File(path, "w") as file:
        file.create_dataset("table/table", data=table, chunks=(3,), compression="gzip")
    block = block.astype("f4")
    expected: Expected = {
        f"particles.{n}": lists(block[:, :, i], counts) for i, n in enumerate(("e", "px", "py", "pz"))
    }
    expected |= {f"truth.{n}": truth[:, i].astype("f4") for i, n in enumerate(("e", "px", "py", "pz"))}
    return expected | {"label": label, "split": split}


def energyflow(path: Path, rows: int = 23, seed: int = 11) -> Expected:
    rng = np.random.default_rng(seed)
    block, counts = padded(rng, rows, 50, 4)
    label = rng.integers(0, 2, rows)
    np.savez_compressed(path, X=block, y=label.astype(float))
    names = ("pt", "rapidity", "phi", "pdg_id")
    return {f"particles.{n}": lists(block[:, :, i], counts) for i, n in enumerate(names)} | {"label": label}


def e2e_images(path: Path, rows: int = 5, seed: int = 12) -> Expected:
    import pyarrow
    import pyarrow.parquet

    rng = np.random.default_rng(seed)
    images, pt, mass = rng.random((rows, 3, 125, 125)).round(2), rng.uniform(80, 300, rows), rng.uniform(5, 50, rows)
    label = rng.integers(0, 2, rows)
    writer = None
    for i in range(rows):
        arrays = [pyarrow.array([images[i].tolist()]), *(pyarrow.array([v]) for v in (pt[i], mass[i], float(label[i])))]
        table = pyarrow.Table.from_arrays(arrays, ["X_jets", "pt", "m0", "y"])
        writer = writer or pyarrow.parquet.ParquetWriter(path, table.schema, compression="snappy")
        writer.write_table(table)
    assert writer is not None
    writer.close()
    return {"image": images, "jet.pt": pt, "jet.mass": mass, "label": label}


LAYOUTS: dict[str, tuple[str, str, Callable[..., Expected]]] = {
    "fastpuppi": ("fastpuppi", "c.root", fastpuppi),
    "l1nano": ("l1nano", "n.root", l1nano),
    "pfnano": ("pfnano", "p.root", pfnano),
    "pfnano-v15": ("pfnano-v15", "v.root", pfnano_v15),
    "jetclass": ("jetclass", "j.root", jetclass),
    "hls4ml-jets": ("hls4ml-jets", "h.h5", hls4ml_jets),
    "openml-csv": ("openml-hlf", "o.csv", openml_csv),
    "openml-arff": ("openml-hlf", "o.arff", openml_arff),
    "openml-parquet": ("openml-hlf", "o.parquet", openml_parquet),
    "top-tagging": ("top-tagging", "t.h5", top_tagging),
    "energyflow": ("energyflow", "e.npz", energyflow),
    "e2e-images": ("e2e-images", "i.parquet", e2e_images),
}
"""Name of the layout -> format, file name, and the function that writes it and returns field -> values."""
