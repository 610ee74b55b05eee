"""Streaming: peak memory and rate while reading a large file of each container, beside those of a tenth of it.

    python benchmarks/sources.py [--bytes 1e9] [--formats fastpuppi hls4ml-jets energyflow openml-hlf] [--folder /tmp]

Each file is written into a temporary folder, read in a process of its own, and removed. Memory is flat if the peak does
not grow with the file. The peak is the process's largest resident set, the interpreter and the libraries included; what
they need before anything is read is in a column of its own. HDF5 and parquet need the extra `sources`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import awkward as ak
import numpy as np
import uproot
from numpy.lib import format as npy
from rich.console import Console
from rich.table import Table

from l1emu.events.sources import FORMATS, open_source
from l1emu.progress import Advance, progress

STEP = 1000


def fastpuppi(path: Path, size: int, advance: Advance) -> None:
    """Crossings with about 60 candidates of nine float32, without compression, 2,000 crossings a basket."""
    rng = np.random.default_rng(1)
    names = ("pt", "eta", "phi", "mass", "charge", "pdgId", "puppiWeight", "z0", "dxy")
    kind = ak.types.from_datashape("var * float32", highlevel=False)
    crossings = 2000
    batch = crossings * 60 * len(names) * 4
    with uproot.recreate(path, compression=None) as file:
        tree = file.mktree("Events", {f"L1PuppiCands_{n}": kind for n in names})
        for _ in range(0, size, batch):
            counts = rng.poisson(60, crossings)
            columns = {n: rng.integers(-512, 512, counts.sum()).astype("f4") / 64 for n in names}
            tree.extend({f"L1PuppiCands_{n}": ak.unflatten(v, counts) for n, v in columns.items()})
            advance(batch)


def hls4ml_jets(path: Path, size: int, advance: Advance) -> None:
    """Jets of 150 particles of 16 float64, without compression, in chunks of 100 jets."""
    import h5py

    rng = np.random.default_rng(1)
    names = {group: [] for group in ("jet", "particles")}
    for field in FORMATS["hls4ml-jets"].fields:
        group, _, name = field.name.partition(".")
        if name:
            names[group].append(name)
    jets = 1000
    batch = jets * 150 * 16 * 8
    with h5py.File(path, "w") as file:
        file["jetFeatureNames"] = np.array([f"j_{n}" for n in [*names["jet"], *"gqwzt", "undef"]], "S")
        file["particleFeatureNames"] = np.array([f"j1_{n}" for n in [*names["particles"], "pdgid"]], "S")
        block = file.create_dataset(
            "jetConstituentList", (0, 150, 16), "f8", maxshape=(None, 150, 16), chunks=(100, 150, 16)
        )
        table = file.create_dataset("jets", (0, 59), "f8", maxshape=(None, 59), chunks=(jets, 59))
        for rows in range(jets, jets + jets * (size // batch), jets):
            block.resize(rows, axis=0)
            table.resize(rows, axis=0)
            block[-jets:] = rng.normal(size=(jets, 150, 16)) * (np.arange(150)[:, None] < 60)
            table[-jets:] = np.eye(59)[53 + rng.integers(0, 5, jets)]
            advance(batch)


def energyflow(path: Path, size: int, advance: Advance) -> None:
    """Jets of 139 particles of four float64, deflated as by `np.savez_compressed`; the size is the numbers'."""
    rng = np.random.default_rng(1)
    jets = 1000
    batch = jets * 139 * 4 * 8
    rows = jets * max(size // batch, 1)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, shape in (("X", (rows, 139, 4)), ("y", (rows,))):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                npy.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
                for _ in range(0, rows, jets):
                    some = rng.normal(size=(jets, *shape[1:])) if name == "X" else np.zeros(jets)
                    stream.write(some.tobytes())
                    if name == "X":
                        advance(batch)


def openml_hlf(path: Path, size: int, advance: Advance) -> None:
    """Jets of 16 float64 and a class, one row group of 100,000."""
    import pyarrow
    import pyarrow.parquet

    rng = np.random.default_rng(1)
    jets = 100_000
    batch = jets * 16 * 8
    names = [field.columns[0] for field in FORMATS["openml-hlf"].fields if field.group]
    schema = pyarrow.schema([*((name, pyarrow.float64()) for name in names), ("class", pyarrow.string())])
    with pyarrow.parquet.ParquetWriter(path, schema, compression="none") as writer:
        for _ in range(0, size, batch):
            columns = [rng.normal(size=jets) for _ in names] + [np.array(list("gqwzt"))[rng.integers(0, 5, jets)]]
            writer.write_table(pyarrow.table(columns, schema=schema))
            advance(batch)


WRITERS: dict[str, tuple[str, Callable[[Path, int, Advance], None]]] = {
    "fastpuppi": ("ROOT", fastpuppi),
    "hls4ml-jets": ("HDF5", hls4ml_jets),
    "energyflow": ("npz", energyflow),
    "openml-hlf": ("parquet", openml_hlf),
}


def read(path: str, format: str) -> None:
    """Stream a file and print what that took, as JSON."""
    idle = _peak_mb()
    begin = time.perf_counter()
    source = open_source(path, format=format)
    entries = 0
    for batch in source.iterate(step=STEP):
        entries += len(batch)
    seconds = time.perf_counter() - begin
    print(json.dumps({"entries": entries, "seconds": seconds, "idle_mb": idle, "peak_mb": _peak_mb()}))


def _peak_mb() -> float:
    """The largest resident set of this program; what `getrusage` gives also holds that of the one that started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1e3


def measure(format: str, size: int, folder: Path) -> dict[str, float]:
    """Write a file, read it in another process, remove it."""
    free = shutil.disk_usage(folder).free
    if free < 2 * size:
        sys.exit(f"{folder}: {free / 1e9:.1f} GB free; expected {2 * size / 1e9:.1f} GB, or another --folder")
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        path = Path(temporary) / format
        with progress(f"writing {size / 1e9:.1f} GB, {format}", size) as advance:
            WRITERS[format][1](path, size, advance)
        command = [sys.executable, __file__, "--read", str(path), "--formats", format]
        found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        return json.loads(found) | {"bytes": path.stat().st_size}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bytes", type=float, default=1e9, help="size of the large file")
    parser.add_argument("--formats", nargs="+", choices=WRITERS, default=list(WRITERS))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the files are written")
    parser.add_argument("--read", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        read(options.read, options.formats[0])
        return
    table = Table(title=f"streaming in batches of {STEP:,} entries", title_justify="left")
    table.add_column("format")
    table.add_column("file")
    for name in ("GB", "entries", "entries/s", "MB/s", "idle, MB", "peak, MB", "a tenth's peak, MB", "growth, MB"):
        table.add_column(name, justify="right")
    for format in options.formats:
        small = measure(format, int(options.bytes / 10), options.folder)
        large = measure(format, int(options.bytes), options.folder)
        rates = (large["entries"] / large["seconds"], large["bytes"] / large["seconds"] / 1e6)
        memory = (large["idle_mb"], large["peak_mb"], small["peak_mb"], large["peak_mb"] - small["peak_mb"])
        numbers = [f"{large['bytes'] / 1e9:.2f}", f"{large['entries']:,}", *(f"{x:,.0f}" for x in (*rates, *memory))]
        table.add_row(format, WRITERS[format][0], *numbers)
    Console(width=118).print(table)


if __name__ == "__main__":
    main()
