"""A study in shards: time, memory and bytes of the embedded study at 1, 10 and 100 times its crossings.

    python benchmarks/batch.py [--largest 10] [--scratch FOLDER]

Larger samples are written into a scratch folder: copies of the embedded samples' crossings as further blocks of the
same recipe, each crossing of a copy turned in phi by a seeded number of steps, so that no two are alike, while strata,
collisions and candidates of a crossing stay what they were. They are compressed with ZSTD, so that writing them takes
seconds; the embedded ones, with LZMA, are read once for comparison. More than one copy of the background is two files.

At each size the study is run by `l1emu run` and as a batch of 8 shards, on one core and on two, at 1 time its crossings
also of 64 shards, and what `results.json` says must be equal but for the manifest's date, engine and times. Above 10
times the crossings the batch is run on two cores only. CPU seconds are those of a command with all of its processes,
memory the VmHWM of the command's own process and of the largest one below it, read ten times a second. Nothing is kept
of what taggers gave (L1EMU_SCORE_CACHE_MB is 0). From the numbers follow the size of a shard whose overhead is below
5 %, and a plan for 10^9 crossings on paper.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import ceil, log10
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot
import yaml
from rich.console import Console
from rich.table import Table

from l1emu.events.branches import CANDIDATE_TYPES, CROSSING_TYPES, SLICED_TYPES, TREE, TRUTH_TYPES
from l1emu.events.hardware import HALF_TURN
from l1emu.events.packing import PACKED_TYPES
from l1emu.events.sample import METADATA
from l1emu.resources import resolve, resource

SEED = 1
COMMAND = (sys.executable, "-m", "l1emu.cli")
SHARDS, MANY = 8, 64
TINY = 20  # crossings of a shard that is all overhead
TRIES = 3
OVERHEAD = 0.05
PAPER = 10**9
STEP = 3000  # crossings of a basket, as in the embedded samples


@dataclass(frozen=True)
class Took:
    """What a command took: wall and CPU seconds, MB of its own process and of the largest one below it."""

    wall: float
    cpu: float
    own_mb: float
    below_mb: float


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    times: str
    crossings: int
    what: str
    took: Took
    bytes: int = 0


def copies(source: Path, target: Path, first: int, stop: int, of: int) -> int:
    """Write the copies `first` to `stop` of a sample's crossings as blocks of `of`; gives the number of crossings."""
    random = np.random.default_rng([SEED, first])
    with uproot.open(source) as file:
        tree, told = file[TREE], json.loads(str(file[METADATA]))
        crossings = tree.num_entries
        known = PACKED_TYPES | {"candidate": CANDIDATE_TYPES, "truth": TRUTH_TYPES}
        lists = {prefix: [f for f in types if f"{prefix}_{f}" in tree] for prefix, types in known.items()}
        lists = {prefix: fields for prefix, fields in lists.items() if fields}
        flat = {name: kind for name, kind in (CROSSING_TYPES | SLICED_TYPES).items() if name in tree}
        strata = [*(told["strata"] or []), *told["processes"]]
        drawn = sum(one.get("drawn", one["crossings"]) for one in strata) or crossings
        for one in strata:
            one |= {name: one[name] * (stop - first) for name in ("crossings", "drawn", "weight_sum") if name in one}
        if of > stop - first:
            held = {"place": first * drawn, "crossings": (stop - first) * crossings, "drawn": (stop - first) * drawn}
            told["blocks"] = {"of": of, "ranges": [{"first": first, "stop": stop} | held]}
        records = {
            prefix: "var * {" + ", ".join(f"{field}: {known[prefix][field]}" for field in fields) + "}"
            for prefix, fields in lists.items()
        }
        kinds: dict[str, Any] = flat | {
            name: ak.types.from_datashape(text, highlevel=False) for name, text in records.items()
        }
        with uproot.recreate(target, compression=uproot.ZSTD(1)) as written:
            made = written.mktree(TREE, kinds, counter_name=lambda branch: f"n_{branch}")
            steps = list(tree.iterate(step_size=STEP))
            for copy in range(first, stop):
                for step in steps:
                    turn = random.integers(0, 2 * HALF_TURN, len(step)) if copy else np.zeros(len(step), np.int64)
                    columns: dict[str, Any] = {name: step[name] for name in flat}
                    if "place" in columns:
                        columns["place"] = columns["place"] + copy * drawn
                    for name in lists:
                        fields = {field: step[f"{name}_{field}"] for field in lists[name]}
                        if "phi" in fields:
                            phi = (fields["phi"] + turn + HALF_TURN) % (2 * HALF_TURN) - HALF_TURN
                            fields["phi"] = ak.values_astype(phi, np.int16)
                        columns[name] = ak.zip(fields)
                    made.extend(columns)
            written[METADATA] = json.dumps(told)
    return int(crossings) * (stop - first)


def enlarged(folder: Path, times: int) -> tuple[Path, int, int]:
    """A study of `times` the crossings of the embedded one; its path, crossings, and bytes of samples."""
    text = resource("data/study.yaml")
    study = yaml.safe_load(text.read_text())
    names = {"background": study["samples"]["background"], **study["samples"]["signals"]}
    files: dict[str, list[str]] = {}
    crossings = 0
    for role, name in names.items():
        parts = min(2 if role == "background" else 1, times)
        ends = [times * i // parts for i in range(parts + 1)]
        files[role] = [f"{Path(name).stem}-{i}.root" for i in range(parts)]
        for file, first, stop in zip(files[role], ends, ends[1:], strict=False):
            crossings += copies(resolve(name, text.parent), folder / file, first, stop, times)
    study["samples"] = {"background": {"files": files.pop("background")}}
    study["samples"]["signals"] = {role: {"files": found} for role, found in files.items()}
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study, allow_unicode=True))
    return path, crossings, size_of(folder.glob("*.root"))


def size_of(paths: Any) -> int:
    """Bytes of files."""
    return sum(path.stat().st_size for path in paths if path.is_file())


def below(pid: int) -> Iterator[int]:
    """A process and those that it started."""
    yield pid
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from below(int(child))


def took(words: Sequence[str], cores: int) -> Took:
    """Run a command of l1emu on so many cores."""
    bound = set(sorted(os.sched_getaffinity(0))[:cores])
    peaks: dict[int, float] = {}
    with tempfile.TemporaryFile() as said:
        begin = time.monotonic()
        process = subprocess.Popen(
            [*COMMAND, *words],
            stdout=subprocess.DEVNULL,
            stderr=said,
            env=os.environ | {"L1EMU_SCORE_CACHE_MB": "0"},
            preexec_fn=lambda: os.sched_setaffinity(0, bound),
        )
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            for pid in below(process.pid):
                with suppress(OSError, StopIteration):  # the last value: before its exec a process has its parent's
                    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                    peaks[pid] = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
            time.sleep(0.1)
        wall = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(ended[1])
        if process.returncode not in (0, 1):  # 1: a result that did not pass
            said.seek(0)
            raise SystemExit(f"l1emu {' '.join(words)}: {said.read().decode(errors='replace')}")
    own = peaks.pop(process.pid)
    return Took(wall, ended[2].ru_utime + ended[2].ru_stime, own, max(peaks.values(), default=0.0))


def results(folder: Path) -> str:
    """What results.json says, without what tells of the run."""
    document = json.loads((folder / "results.json").read_text())
    for key in ("date", "engine", "times"):
        del document["manifest"][key]
    return json.dumps(document)


class Measured:
    """The rows of the table, and what is compared."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def of(self, times: str, crossings: int, what: str, words: Sequence[str], cores: int) -> Took:
        """Run and remember."""
        found = took(words, cores)
        self.rows.append(Row(times, crossings, what, found))
        print(f"{times} {what}: {found.wall:.1f} s", file=sys.stderr, flush=True)
        return found

    def bytes(self, number: int) -> None:
        """Of what the last command wrote."""
        self.rows[-1] = replace(self.rows[-1], bytes=number)

    def find(self, times: str, what: str) -> Row:
        """A row by its name."""
        return next(row for row in self.rows if (row.times, row.what) == (times, what))


def measure(seen: Measured, folder: Path, study: Path, times: int, crossings: int) -> None:
    """Run a study in all ways."""
    name = f"x{times}"
    seen.of(name, crossings, "run, 1 core", ["run", str(study), "--output", str(folder / "run")], 1)
    seen.bytes(size_of((folder / "run").rglob("*")))
    texts = {"run": results(folder / "run")}
    for shards, cores in [(SHARDS, 1), (SHARDS, 2), (MANY, 2)]:
        if (shards == MANY and times > 1) or (cores == 1 and times > 10):
            continue
        of = f"{shards} shards"
        plan, merged = folder / f"plan-{shards}-{cores}", folder / f"merged-{shards}-{cores}"
        planned = ["batch", "plan", str(study), "--shards", str(shards), "--output", str(plan)]
        if cores == 2:
            seen.of(name, crossings, f"plan of {of}", planned, 1)
        else:
            took(planned, 1)
        run = ["batch", "run", str(plan), "--on", "local", "--set", f"processes={cores}"]
        seen.of(name, crossings, f"{of}, {cores} process{'es' * (cores > 1)}", run, cores)
        seen.bytes(size_of((plan / "shards").iterdir()))
        merge = ["batch", "merge", str(plan), "--output", str(merged)]
        if cores == 2:
            seen.of(name, crossings, f"merge of {of}", merge, 1)
            seen.bytes(size_of(merged.rglob("*")))
        else:
            took(merge, 1)
        texts[f"{of}, {cores}"] = results(merged)
    different = [of for of, text in texts.items() if text != texts["run"]]
    if different:
        raise SystemExit(f"{name}: results differ from those of the run: {different}")


def tiny(folder: Path, study: Path) -> Took:
    """A shard of hardly any crossings, the fastest of some."""
    plan = folder / "tiny"
    took(["batch", "plan", str(study), "--crossings-per-shard", str(TINY), "--output", str(plan)], 1)
    return min((took(["batch", "shard", str(plan), str(i)], 1) for i in range(TRIES)), key=lambda one: one.cpu)


def rounded(number: float) -> int:
    """The next 1, 2 or 5 times a power of ten."""
    power: int = 10 ** int(log10(number))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= number)


def paper(seen: Measured, overhead: Took, largest: str, sample_bytes: float) -> Table:
    """The size of a shard, and the plan for many crossings."""
    small, big = (seen.find(name, f"{SHARDS} shards, 2 processes") for name in ("x1", largest))
    a_crossing = (big.took.cpu - SHARDS * overhead.cpu) / big.crossings
    size = rounded(overhead.cpu / (OVERHEAD * a_crossing))
    shards = ceil(PAPER / size)
    more = big.crossings - small.crossings
    part_crossing = (big.bytes - small.bytes) / more
    part = small.bytes / SHARDS - part_crossing * small.crossings / SHARDS
    merges = [seen.find("x1", f"merge of {number} shards").took.cpu for number in (SHARDS, MANY)]
    merge_shard = max(0.0, (merges[1] - merges[0]) / (MANY - SHARDS))
    merge_crossing = max(0.0, seen.find(largest, f"merge of {SHARDS} shards").took.cpu - merges[0]) / more
    plans = [seen.find(name, f"plan of {SHARDS} shards").took.cpu for name in ("x1", largest)]
    merge = merges[0] + shards * merge_shard + PAPER * merge_crossing
    table = Table(title=f"a plan for {PAPER:,} crossings on paper, from {largest}", title_justify="left")
    table.add_column("what")
    table.add_column("how much", justify="right")
    for what, text in {
        "overhead of a shard": f"{overhead.cpu:.2f} s CPU, {overhead.wall:.2f} s wall, {overhead.own_mb:,.0f} MB",
        "its crossings": f"{a_crossing * 1e6:.0f} µs CPU each",
        "crossings of a shard": f"{size:,}, {overhead.cpu + size * a_crossing:,.0f} s, overhead "
        f"{overhead.cpu / (size * a_crossing):.1%}",
        "shards, and files of parts": f"{shards:,}",
        "core hours": f"{(PAPER * a_crossing + shards * overhead.cpu) / 3600:,.0f}",
        "samples read, as `l1emu generate` compresses": f"{PAPER * sample_bytes / 1e9:,.0f} GB",
        "part files": f"{(PAPER * part_crossing + shards * part) / 1e9:,.1f} GB: {part / 1e3:,.0f} kB a shard and "
        f"{part_crossing:.1f} bytes a crossing",
        "plan, hashes of samples with it": f"{(plans[0] + (plans[1] - plans[0]) / more * PAPER) / 60:,.0f} min",
        "merge, hashes of samples with it": f"{merge / 60:,.0f} min: {merges[0]:.1f} s, {merge_shard * 1e3:.0f} ms "
        f"a shard, {merge_crossing * 1e6:.2f} µs a crossing",
    }.items():
        table.add_row(what, text)
    return table


def main() -> None:
    """Run and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, choices=(10, 100), default=10, help="times the embedded crossings")
    parser.add_argument("--scratch", type=Path, help="where samples and shards go; 0.3 or 3 GB")
    options = parser.parse_args()
    seen, out = Measured(), Console(width=120)
    embedded = size_of([resource("datasets/minbias-pu200.root"), resource("datasets/signal-hh4b-pu200.root")])
    with tempfile.TemporaryDirectory(dir=options.scratch) as name:
        sizes = [times for times in (1, 10, 100) if times <= options.largest]
        overhead, first, stored = None, 0, 0.0
        for times in sizes:
            folder = Path(name) / f"x{times}"
            folder.mkdir()
            study, crossings, stored = enlarged(folder, times)
            if overhead is None:
                first, overhead = crossings, tiny(folder, study)  # kernels are compiled, or read from their cache
                seen.of("LZMA", crossings, "run, 1 core", ["run", "--output", str(folder / "embedded")], 1)
            measure(seen, folder, study, times, crossings)
    table = Table(title=f"the embedded study; results of one size are equal; samples of {stored / 1e6:,.0f} MB at most")
    for column in ("samples", "crossings", "what", "wall s", "CPU s", "MB", "MB of a shard", "kB written"):
        table.add_column(column, justify="left" if column in ("samples", "what") else "right")
    for row in seen.rows:
        spent = row.took
        numbers = (f"{spent.wall:.1f}", f"{spent.cpu:.1f}", f"{spent.own_mb:,.0f}")
        shard = f"{spent.below_mb:,.0f}" if "process" in row.what else ""
        wrote = f"{row.bytes / 1e3:,.0f}" if row.bytes else ""
        table.add_row(row.times, f"{row.crossings:,}", row.what, *numbers, shard, wrote)
    out.print(table)
    assert overhead is not None
    out.print(paper(seen, overhead, f"x{sizes[-1]}", embedded / first))


if __name__ == "__main__":
    main()
