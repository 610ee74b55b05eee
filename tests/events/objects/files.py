"""Small files of several layouts with the same objects in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from tests.ntuple_files import write_tree

Columns = dict[str, Any]

JETS: Columns = {"collection": "jets", "pt": "pt", "eta": "eta", "phi": "phi"}
RECORDS = tuple(int(part) for part in uproot.__version__.split(".")[:2]) >= (5, 7)


def table(rng: np.random.Generator, rows: int, most: int = 5, **whole: tuple[int, int]) -> Columns:
    """pt, eta, phi in float32, and whole numbers of the ranges that are given."""
    counts = rng.integers(0, most + 1, rows)
    total = int(counts.sum())
    flat = {
        "pt": (rng.integers(4, 800, total) * 0.25).astype("f4"),
        "eta": rng.uniform(-4, 4, total).astype("f4"),
        "phi": rng.uniform(-np.pi, np.pi, total).astype("f4"),
    } | {name: rng.integers(*limits, total).astype("i4") for name, limits in whole.items()}
    return {name: ak.unflatten(values, counts) for name, values in flat.items()}


def named(collection: str, members: Columns, between: str = "_") -> Columns:
    return {f"{collection}{between}{name}": values for name, values in members.items()}


def l1nano(path: Path, rows: int = 40, seed: int = 1, tree: str = "Events", **more: Any) -> Columns:
    """Jets, muons, missing ET and the numbers of the crossing, as in L1 NanoAOD; what is in the file, by branch."""
    rng = np.random.default_rng(seed)
    columns = named("L1puppiJetSC4", table(rng, rows, 8))
    columns |= named("L1gmtTkMuon", table(rng, rows, 3, charge=(-1, 2), hwQual=(0, 16)))
    columns |= {"L1puppiMET_pt": rng.uniform(0, 90, rows).astype("f4")}
    columns |= {"L1puppiMET_phi": rng.uniform(-3, 3, rows).astype("f4")}
    columns["L1puppiJetSC4sums_pt"] = ak.from_regular(ak.Array(rng.uniform(0, 500, (rows, 2)).astype("f4")))
    columns |= {"run": np.ones(rows, "u4"), "luminosityBlock": np.full(rows, seed, "u4")}
    columns |= {"event": np.arange(rows, dtype="u8")} | more
    write_tree(path, tree, {name: values for name, values in columns.items() if values is not None})
    return columns


def write_trees(path: Path, trees: dict[str, Columns]) -> None:
    """Several trees of a file, each in one piece."""
    with uproot.recreate(path) as file:
        for name, columns in trees.items():
            types = {n: ak.type(v).content if isinstance(v, ak.Array) else v.dtype for n, v in columns.items()}
            file.mktree(name, types, counter_name=lambda branch: f"n{branch}").extend(columns)


def ttree(path: Path, members: Columns) -> Path:
    write_tree(path.with_suffix(".root"), "Events", named("jets", members))
    return path.with_suffix(".root")


def rntuple(path: Path, members: Columns) -> Path:
    with uproot.recreate(path.with_suffix(".root")) as file:
        file.mkrntuple("Events", named("jets", members))
    return path.with_suffix(".root")


def rntuple_records(path: Path, members: Columns) -> Path:
    with uproot.recreate(path.with_suffix(".root")) as file:
        file.mkrntuple("Events", {"jets": ak.zip(members)})
    return path.with_suffix(".root")


def parquet(path: Path, members: Columns) -> Path:
    ak.to_parquet(ak.Array(named("jets", members)), path.with_suffix(".parquet"), row_group_size=7)
    return path.with_suffix(".parquet")


def parquet_records(path: Path, members: Columns) -> Path:
    ak.to_parquet(ak.zip({"jets": ak.zip(members)}, depth_limit=1), path.with_suffix(".parquet"), row_group_size=7)
    return path.with_suffix(".parquet")


LAYOUTS = {
    "TTree": ttree,
    "RNTuple": rntuple,
    "RNTuple of records": rntuple_records,
    "parquet": parquet,
    "parquet of records": parquet_records,
}
