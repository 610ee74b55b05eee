"""Objects by a map: crossings a second, beside uproot's own reading of the same branches.

    python benchmarks/objects.py [--crossings 200000] [--repeat 5]

A file like L1 NanoAOD is written into a temporary folder. Times are those of the thread, the best of the repetitions.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot
from rich.console import Console
from rich.table import Table

from l1emu.events.objects import open_objects
from l1emu.events.objects.sample import MOST_AT_ONCE

TABLES: dict[str, tuple[int, tuple[str, ...], tuple[str, ...]]] = {
    "L1puppiJetSC4": (24, ("pt", "eta", "phi", "et"), ()),
    "L1puppiJetSC4NG": (24, ("pt", "eta", "phi", "bTagScore"), ()),
    "L1gmtTkMuon": (4, ("pt", "eta", "phi"), ("charge", "hwQual")),
    "L1tkElectron": (8, ("pt", "eta", "phi", "relIso"), ("hwQual",)),
    "L1nnPuppiTau": (10, ("pt", "eta", "phi"), ("passLooseNN",)),
}
"""Table -> the most objects of a crossing, numbers, whole numbers."""

OBJECTS = {
    "jets": {"collection": "L1puppiJetSC4", "pt": "pt", "eta": "eta", "phi": "phi"},
    "muons": {
        "collection": "L1gmtTkMuon", "pt": "pt", "eta": "eta", "phi": "phi", "charge": "charge", "quality": "hwQual",
    },
    "electrons": {"collection": "L1tkElectron", "pt": "pt", "eta": "eta", "phi": "phi", "quality": "hwQual"},
}  # fmt: skip
SUMS: dict[str, Any] = {
    "met": {"branch": "L1puppiMET_pt", "phi": "L1puppiMET_phi"},
    "ht": {"of": "jets", "pt_min_gev": 30, "abs_eta_max": 2.4},
    "mht": {"of": "jets", "vector": True, "pt_min_gev": 30, "abs_eta_max": 2.4},
}
BRANCHES = [
    *(f"L1puppiJetSC4_{name}" for name in ("pt", "eta", "phi")),
    *(f"L1gmtTkMuon_{name}" for name in ("pt", "eta", "phi", "charge", "hwQual")),
    *(f"L1tkElectron_{name}" for name in ("pt", "eta", "phi", "hwQual")),
    "L1puppiMET_pt",
    "L1puppiMET_phi",
]


def write(path: Path, crossings: int) -> None:
    """A TTree of 20,000 crossings a basket, compressed with ZSTD."""
    rng = np.random.default_rng(1)
    columns: dict[str, Any] = {}
    for table, (most, numbers, whole) in TABLES.items():
        counts = rng.integers(0, most + 1, crossings)
        total = int(counts.sum())
        kinds = {
            "pt": rng.exponential(25, total) + 3,
            "eta": rng.uniform(-5, 5, total),
            "phi": rng.uniform(-np.pi, np.pi, total),
        }
        for name in numbers:
            columns[f"{table}_{name}"] = ak.unflatten(kinds.get(name, rng.random(total)).astype("f4"), counts)
        for name in whole:
            columns[f"{table}_{name}"] = ak.unflatten(rng.integers(-1, 4, total).astype("i4"), counts)
    columns["L1puppiMET_pt"] = rng.exponential(40, crossings).astype("f4")
    columns["L1puppiMET_phi"] = rng.uniform(-3, 3, crossings).astype("f4")
    columns |= {"run": np.ones(crossings, "u4"), "luminosityBlock": np.ones(crossings, "u4")}
    columns["event"] = np.arange(crossings, dtype="u8")
    types = {n: ak.type(v).content if isinstance(v, ak.Array) else v.dtype for n, v in columns.items()}
    with uproot.recreate(path, compression=uproot.ZSTD(3)) as file:
        tree = file.mktree("Events", types, counter_name=lambda branch: f"n{branch}")
        for low in range(0, crossings, 20_000):
            tree.extend({name: values[low : low + 20_000] for name, values in columns.items()})


def seconds(call: Callable[[], None], repeat: int) -> float:
    """The least time that this thread spent in a call."""
    times = []
    for _ in range(repeat):
        start = time.thread_time()
        call()
        times.append(time.thread_time() - start)
    return min(times)


def main() -> None:
    """Write the file, read it in every way, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crossings", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nano.root"
        write(path, asked.crossings)
        sample = open_objects(path, OBJECTS, SUMS)

        def plain() -> None:
            with uproot.open(path) as file:
                for _ in file["Events"].iterate(BRANCHES, step_size=MOST_AT_ONCE):
                    pass

        def read(sums: list[str], *, keyed: bool = False) -> Callable[[], None]:
            def call() -> None:
                for _ in sample.iterate_keyed(sums=sums) if keyed else sample.iterate(sums=sums):
                    pass

            return call

        def opened() -> None:
            open_objects(path, OBJECTS, SUMS)

        ways: dict[str, Callable[[], None]] = {
            "uproot.iterate alone": plain,
            "objects and missing ET": read(["met"]),
            "and HT, missing HT": read(["met", "ht", "mht"]),
            "and keys of crossings": read(["met", "ht", "mht"], keyed=True),
            "open_objects": opened,
        }
        table = Table(
            title=f"{asked.crossings:,} crossings, {path.stat().st_size / 1e6:.0f} MB, {MOST_AT_ONCE:,} at a time"
        )
        for heading in ("", "s", "crossings/s", "uproot's time over this"):
            table.add_column(heading, justify="left" if not heading else "right")
        times = {name: seconds(call, asked.repeat) for name, call in ways.items()}
        for name, spent in times.items():
            share = times["uproot.iterate alone"] / spent
            table.add_row(name, f"{spent:.3f}", f"{asked.crossings / spent:,.0f}", f"{share:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
