"""A study of 20 seeds on one file: crossings a second of `l1emu rates`, beside Phase2-L1MenuTools' way, in one run.

    python benchmarks/rates.py [--crossings 200000] [--rounds 3]

The file is that of `benchmarks/menu.py`'s crossings, with the branches of an L1 NanoAOD. Three ways read it and make
all rates: l1emu as a study does (crossings of a file are independent: all errors, overlaps, pure and proportional rates
without replicas), the same with 300 replicas of the bootstrap, and uproot with awkward expressions for the decisions
and the accepted fractions, without errors. Rounds alternate, seconds are those that the thread spent on a processor,
and the accepted crossings of all seeds must be equal.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import awkward as ak
import numpy as np
import uproot
import yaml
from menu import SEEDS, by_awkward, made_up
from rich.console import Console
from rich.table import Table

from l1emu.eventdata import EventData
from l1emu.study import read_study
from l1emu.study.crossings import SampleReader
from l1emu.study.measure import load_study_taggers, measure

BRANCHES = {"jets": "L1puppiJetSC4", "muons": "L1gmtTkMuon"}


def write(folder: Path, crossings: int) -> Path:
    """The file, and a study that reads it."""
    data = made_up(crossings)
    with uproot.recreate(folder / "minbias.root", compression=uproot.ZSTD(3)) as file:
        objects = {BRANCHES[name]: held for name, held in data.objects.items()}
        columns = objects | {"L1MET_pt": data.sums["met"].astype(np.float32)}
        tree = file.mktree(
            "Events", {n: v.type.content if isinstance(v, ak.Array) else v.dtype for n, v in columns.items()}
        )
        for first in range(0, crossings, 50_000):
            tree.extend({name: values[first : first + 50_000] for name, values in columns.items()})
    fields = {name: {f: f for f in held.fields} for name, held in data.objects.items()}
    study = {
        "name": "benchmark",
        "samples": {"background": "minbias.root"},
        "objects": {name: {"collection": BRANCHES[name], **of} for name, of in fields.items()},
        "sums": {"ht": {"of": "jets", "pt_min_gev": 30, "abs_eta_max": 2.4}, "met": {"branch": "L1MET_pt"}},
        "menu": SEEDS,
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study))
    return path


def by_uproot(path: Path) -> list[int]:
    """Accepted crossings of each seed, by awkward expressions."""
    counts = np.zeros(len(SEEDS), np.int64)
    for batch in uproot.iterate(f"{path}:Events", step_size=50_000):
        objects = {
            name: ak.zip({f.removeprefix(f"{of}_"): batch[f] for f in batch.fields if f.startswith(f"{of}_")})
            for name, of in BRANCHES.items()
        }
        jets = objects["jets"]
        chosen = jets.pt[(jets.pt >= 30) & (abs(jets.eta) < 2.4)]
        sums = {
            "ht": ak.to_numpy(ak.sum(ak.values_astype(chosen, np.float64), axis=1)),
            "met": ak.to_numpy(batch.L1MET_pt),
        }
        data = EventData(len(batch), objects, sums)
        counts += [int(np.count_nonzero(by_awkward(seed, data))) for seed in SEEDS]
    return counts.tolist()


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crossings", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        study = write(Path(name), options.crossings)
        file = read_study(study)

        def ours() -> list[int]:
            return [seed.accepted for seed in measure(file, load_study_taggers(file)).menu.seeds]

        def with_replicas() -> list[int]:
            """As if crossings might share collisions, which takes a bootstrap of 300 replicas."""
            parts = SampleReader.parts
            shared = property(lambda self: True)
            marked = lambda self, *span: (replace(part, shared=True) for part in parts(self, *span))  # noqa: E731
            with patch.object(SampleReader, "may_share", shared), patch.object(SampleReader, "parts", marked):
                return ours()

        ways = {
            "l1emu, all errors, closed form": ours,
            "l1emu, and 300 replicas": with_replicas,
            "uproot and awkward, no errors": lambda: by_uproot(study.parent / "minbias.root"),
        }
        counts = {way: run() for way, run in ways.items()}  # compiles
        if len({tuple(found) for found in counts.values()}) != 1:
            raise SystemExit(f"the ways differ: {counts}")
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(options.rounds):
            for way, run in ways.items():
                begin = time.thread_time()
                run()
                seconds[way].append(time.thread_time() - begin)
    table = Table(title=f"{options.crossings:,} crossings, {len(SEEDS)} seeds, file to rates; best of {options.rounds}")
    for column in ("way", "CPU s", "crossings/s", "times"):
        table.add_column(column, justify="left" if column == "way" else "right")
    slowest = min(seconds["uproot and awkward, no errors"])
    for way, spent in seconds.items():
        best = min(spent)
        table.add_row(way, f"{best:.2f}", f"{options.crossings / best:,.0f}", f"{slowest / best:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
