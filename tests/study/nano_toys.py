"""Small files in the layout of CMS's Phase-2 L1 NanoAOD: jets and muons, and a study of a menu on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot
import yaml

STUDY: dict[str, Any] = {
    "name": "rates of a menu",
    "samples": {"background": {"files": "minbias.root"}, "signals": {"hh4b": {"files": "hh4b.root"}}},
    "objects": {
        "jets": {"collection": "L1puppiJetSC4", "pt": "pt", "eta": "eta", "phi": "phi"},
        "muons": {
            "collection": "L1gmtTkMuon",
            "pt": "pt",
            "eta": "eta",
            "phi": "phi",
            "charge": "charge",
            "quality": "hwQual",
        },
    },
    "sums": {"ht": {"of": "jets", "pt_min_gev": 30, "abs_eta_max": 2.4}},
    "menu": [
        {
            "name": "quad",
            "group": "hadronic",
            "legs": [
                {"object": "jets", "pt_min_gev": 70, "abs_eta_max": 2.4},
                {"object": "jets", "pt_min_gev": 55, "abs_eta_max": 2.4},
                {"object": "jets", "pt_min_gev": 40, "abs_eta_max": 2.4, "count": 2},
            ],
            "sums": {"ht": {"min_gev": 400}},
        },
        {
            "name": "dimuon",
            "group": "muons",
            "prescale": 2,
            "legs": [{"object": "muons", "count": 2, "pt_min_gev": 5, "abs_eta_max": 2.4}],
            "between": [{"legs": [0, 0], "delta_r_max": 1.2, "opposite_charge": True, "mass_gev": [7, 18]}],
        },
        {"name": "ht", "group": "hadronic", "sums": {"ht": {"min_gev": 450}}},
    ],
}
"""The study of the documentation."""


def toy_crossings(crossings: int, seed: int, scale_gev: float) -> dict[str, ak.Array]:
    """Jets and muons with falling spectra, many a crossing, as float32 of the file."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, mean, scale in (("L1puppiJetSC4", 6.0, scale_gev), ("L1gmtTkMuon", 1.5, 8.0)):
        counts = rng.poisson(mean, crossings)
        total = int(counts.sum())
        columns: dict[str, Any] = {
            "pt": (5 + rng.exponential(scale, total)).astype(np.float32),
            "eta": rng.uniform(-2.8, 2.8, total).astype(np.float32),
            "phi": rng.uniform(-3.1, 3.1, total).astype(np.float32),
        }
        if name == "L1gmtTkMuon":
            columns["phi"] = (columns["phi"] / 3).astype(np.float32)  # near one another
            columns["charge"] = rng.choice(np.array([-1, 1], np.int32), total)
            columns["hwQual"] = rng.integers(0, 16, total).astype(np.int32)
        found[name] = ak.unflatten(ak.zip(columns), counts)
    return found


def write_nano(
    path: Path, crossings: int, seed: int, scale_gev: float = 40.0, first: int = 0, *, numbered: bool = True
) -> dict[str, ak.Array]:
    """Write such crossings as a TTree `Events`; the collections that were written."""
    found = toy_crossings(crossings, seed, scale_gev)
    with uproot.recreate(path) as file:
        types = {"run": "uint32", "luminosityBlock": "uint32", "event": "uint64"}
        columns: dict[str, Any] = {
            "run": np.ones(crossings, np.uint32),
            "luminosityBlock": np.full(crossings, seed, np.uint32),
            "event": np.arange(first, first + crossings, dtype=np.uint64),
        }
        if not numbered:
            types, columns = {}, {}
        tree = file.mktree("Events", types | {name: value.type.content for name, value in found.items()})
        tree.extend(columns | found)
    return found


def write_study(folder: Path, **changes: Any) -> Path:
    """That study with its files in a folder, top-level keys changed; a key that becomes None is left out."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "minbias.root").exists():
        write_nano(folder / "minbias.root", 4000, 1)
        write_nano(folder / "hh4b.root", 1000, 2, scale_gev=70)
    study = {key: value for key, value in (STUDY | changes).items() if value is not None}
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False))
    return path
