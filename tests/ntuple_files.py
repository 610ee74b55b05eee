"""ROOT files as other groups write them, for tests of several folders."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

from l1emu.events.hardware import DXY_STEP_CM, ETA_PHI_STEP, PT_STEP_GEV, WEIGHT_ONE, Z0_STEP_CM
from l1emu.events.jets import relative_z0
from l1emu.events.sample import Batch


def write_tree(path: Path, tree: str, columns: dict[str, Any], batches: int = 3) -> None:
    """A TTree in several baskets, each branch with its own counter, as NanoAOD has it but for the counters' names."""
    types = {}
    for name, values in columns.items():
        kind = ak.type(values).content if isinstance(values, ak.Array) else values.dtype
        types[name] = kind
    rows = len(next(iter(columns.values())))
    edges = np.linspace(0, rows, batches + 1).astype(int)
    with uproot.recreate(path) as file:
        writer = file.mktree(tree, types, counter_name=lambda name: f"n{name}")
        for low, high in itertools.pairwise(edges):
            if high > low:
                writer.extend({name: values[low:high] for name, values in columns.items()})


PDG = np.array([211, 11, 13, 22, 130])


def about_vertex(batch: Batch) -> ak.Array:
    """The candidates of a sample, their z0 relative to the vertex, as those of ntuples are."""
    counts = ak.num(batch.candidates.pt)
    flat = {name: ak.to_numpy(ak.flatten(batch.candidates[name])) for name in ("z0", "id")}
    z0 = relative_z0(flat["z0"], flat["id"], np.repeat(batch.vertex_z0, counts))
    return ak.with_field(batch.candidates, ak.unflatten(z0, counts), "z0")


def as_ntuple(candidates: ak.Array, vertex: NDArray[np.float64]) -> dict[str, ak.Array]:
    """The branches that FastPUPPI would have for these hardware candidates, float32."""
    counts = ak.num(candidates.pt)
    flat = {f: ak.to_numpy(ak.flatten(candidates[f])).astype(float) for f in candidates.fields}
    charged = flat["id"] <= 2
    columns = {
        "pt": flat["pt"] * PT_STEP_GEV,
        "eta": flat["eta"] * ETA_PHI_STEP,
        "phi": flat["phi"] * ETA_PHI_STEP,
        "mass": np.zeros(len(charged)),
        "charge": flat["charge"],
        "pdgId": PDG[flat["id"].astype(int)] * np.where(charged, flat["charge"] * np.where(flat["id"] == 0, 1, -1), 1),
        "puppiWeight": flat["weight"] / WEIGHT_ONE,
        "z0": np.where(charged, flat["z0"] * Z0_STEP_CM + np.repeat(vertex, counts), 0),
        "dxy": flat["dxy"] * DXY_STEP_CM,
    }
    return {f"L1PuppiCands_{n}": ak.unflatten(v.astype("f4"), counts) for n, v in columns.items()}
