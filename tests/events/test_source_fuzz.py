"""Damaged and crafted files of every kind of source: read, or refused in one line; never a traceback, never a hang.

Each file is read in the same process, so that a crash fails the whole run; claims of size are held to in memory by a
limit on the address space where the system has one.
"""

from __future__ import annotations

import io
import signal
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import awkward as ak
import h5py
import numpy as np
import pytest
import uproot

from l1emu.errors import L1emuError
from l1emu.events import build_jets
from l1emu.events.sample import Batch, Stratum, read_sample, write_sample
from l1emu.events.sources import open_crossings, open_ntuple, open_source
from l1emu.events.sources.containers import base
from tests.events.public_layouts import LAYOUTS, fastpuppi_columns
from tests.fuzzing import altered_array, damaged, refused
from tests.ntuple_files import write_tree

SECONDS = 120
TRIES = [12, pytest.param(400, marks=pytest.mark.exhaustive)]


@contextmanager
def bounded() -> Iterator[None]:
    """At most so much memory beyond what is taken already, and so many seconds, whatever a file claims."""
    resource = pytest.importorskip("resource", reason="limits of memory are POSIX's")

    def late(*_: Any) -> None:
        raise TimeoutError("a file that is read without end")

    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (taken + (2 << 30), hard))
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def read_all(path: Path, format: str | None = None) -> None:
    source = open_source(path, format=format)
    for batch in source.iterate(step=7):
        ak.to_list(batch[:1])
    if source.format.name == "fastpuppi":
        for part in open_ntuple(path).iterate(7):
            build_jets(part.candidates)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("tries", TRIES)
def test_damaged_files(tmp_path: Path, layout: str, tries: int) -> None:
    name, file, write = LAYOUTS[layout]
    path = tmp_path / file
    if file.endswith(".parquet"):
        pytest.importorskip("pyarrow", reason="parquet needs the extra `sources`")
    write(path)
    data = path.read_bytes()
    rng = np.random.default_rng(len(data))
    if len(data) > 1 << 20:
        tries //= 10
    read_all(path)
    with bounded():
        for i in range(tries):
            path.write_bytes(damaged(data, rng))
            signal.alarm(SECONDS)
            format_ = name if i % 2 else None
            refused(partial(read_all, path, format_))


@pytest.mark.parametrize("tries", TRIES)
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("kind", ["tree", "rntuple"])
def test_damaged_ntuples(tmp_path: Path, tries: int, kind: str, compressed: bool) -> None:
    """Without a compression whose checksums would notice, damage reaches the offsets of the lists."""
    if kind == "rntuple" and tuple(int(part) for part in uproot.__version__.split(".")[:2]) < (5, 7):
        pytest.skip("this uproot does not write RNTuples")
    path = tmp_path / "n.root"
    columns = fastpuppi_columns(np.random.default_rng(1), 12) | {"event": np.arange(12, dtype="u8")}
    with uproot.recreate(path, compression=uproot.ZLIB(1) if compressed else None) as file:
        if kind == "rntuple":
            file.mkrntuple("Events", columns)
        else:
            types = {n: ak.type(v).content if isinstance(v, ak.Array) else v.dtype for n, v in columns.items()}
            file.mktree("Events", types, counter_name=lambda branch: f"n{branch}").extend(columns)
    data = path.read_bytes()
    rng = np.random.default_rng(5)
    read_all(path)
    with bounded():
        for _ in range(tries):
            path.write_bytes(damaged(data, rng))
            signal.alarm(SECONDS)
            refused(lambda: read_all(path))


def sample_bytes(path: Path) -> bytes:
    rng = np.random.default_rng(3)
    counts = rng.integers(0, 9, 20)
    n = int(counts.sum())
    kinds = {"pt": (1, 900), "eta": (-700, 700), "phi": (-720, 720), "id": (0, 5), "charge": (-1, 2), "z0": (-9, 9)}
    kinds |= {"dxy": (-9, 9), "weight": (0, 257), "emid": (0, 8), "quality": (0, 8)}
    flat = {name: rng.integers(*limits, n) for name, limits in kinds.items()}
    batch = Batch(ak.unflatten(ak.zip(flat), counts), np.repeat([0, 1], 10), np.arange(20) - 1)
    write_sample(path, [batch], name="toy", kind="minbias", pileup=200.0, recipe={"a": 1}, versions={},
                 strata=[Stratum("soft", 0.75, 10), Stratum("hard", 0.25, 10)], pool_sizes={"hard": 30})  # fmt: skip
    return path.read_bytes()


@pytest.mark.parametrize("tries", TRIES)
def test_damaged_samples(tmp_path: Path, tries: int) -> None:
    path = tmp_path / "s.root"
    data = sample_bytes(path)
    rng = np.random.default_rng(6)

    def read() -> None:
        for batch in read_sample(path).iterate(7):
            build_jets(batch.candidates)
        open_crossings(path)

    read()
    with bounded():
        for _ in range(tries):
            path.write_bytes(damaged(data, rng))
            signal.alarm(SECONDS)
            refused(read)


@pytest.mark.parametrize("tries", TRIES)
@pytest.mark.parametrize("kind", ["npz", "hdf5", "tree"])
def test_files_with_other_arrays(tmp_path: Path, tries: int, kind: str) -> None:
    """Whole files of arrays of another shape, type or value."""
    layout = {"npz": "energyflow", "hdf5": "hls4ml-jets", "tree": "fastpuppi"}[kind]
    name, file, write = LAYOUTS[layout]
    path = tmp_path / file
    write(path)
    if kind == "npz":
        with np.load(path) as loaded:
            arrays = dict(loaded)
    elif kind == "hdf5":
        with h5py.File(path) as stored:
            arrays = {key: stored[key][:] for key in ("jetConstituentList", "jets", "jetFeatureNames",
                                                      "particleFeatureNames")}  # fmt: skip
    else:
        columns = fastpuppi_columns(np.random.default_rng(1), 6)
        arrays = {n: ak.to_numpy(ak.fill_none(ak.pad_none(v, 30, clip=True), 0)) for n, v in columns.items()}
    rng = np.random.default_rng(7)
    with bounded():
        for _ in range(tries):
            key = str(rng.choice(sorted(arrays)))
            changed = arrays | {key: altered_array(arrays[key], rng)}
            try:
                if kind == "npz":
                    np.savez(path, **changed)
                elif kind == "hdf5":
                    with h5py.File(path, "w") as stored:
                        for each, values in changed.items():
                            stored[each] = values
                else:
                    write_tree(path, "Events", changed, batches=1)
            except (TypeError, ValueError, AssertionError, NotImplementedError, AttributeError):
                continue  # what the library does not write
            signal.alarm(SECONDS)
            refused(lambda: read_all(path, name))


def npz(path: Path, header: dict[str, Any], data: bytes) -> Path:
    """An .npz whose X has this header and these bytes."""
    stream = io.BytesIO()
    layout: Any = np.lib.format  # NumPy has no types for its functions
    layout.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False} | header)
    labels = io.BytesIO()
    np.save(labels, np.zeros(3))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.npy", stream.getvalue() + data)
        archive.writestr("y.npy", labels.getvalue())
    return path


@pytest.mark.parametrize(
    ("header", "data", "match"),
    [
        ({"shape": (3, 2**40, 4)}, b"", "another size than its shape says"),
        ({"shape": (2**60, 2**60, 4)}, b"", "another size"),
        ({"shape": (-3, 5, 4)}, bytes(480), "not a shape"),
        ({"shape": (3, 5, 4)}, bytes(470), "another size"),
        ({"shape": (3, 2**24, 4), "fortran_order": True}, b"", r"too large|another size"),
    ],
)
def test_sizes_that_npz_files_claim(tmp_path: Path, header: dict[str, Any], data: bytes, match: str) -> None:
    path = npz(tmp_path / "c.npz", header, data)
    with bounded(), pytest.raises(L1emuError, match=match):
        read_all(path)


def test_entries_larger_than_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "BATCH_BYTES", 1000)
    for layout in ("energyflow", "hls4ml-jets"):
        _, name, write = LAYOUTS[layout]
        write(tmp_path / name)
        with pytest.raises(L1emuError, match="larger than any of the formats has"):
            open_source(tmp_path / name).read()


def test_sizes_that_hdf5_files_claim(tmp_path: Path) -> None:
    names = {"jetFeatureNames": np.array(["j_pt"], "S"), "particleFeatureNames": np.array(["j1_pt"], "S")}
    shapes = [(10**12, 30, 16), (3, 10**9, 10**9), (10**15, 1, 1)]
    for i, shape in enumerate(shapes):
        path = tmp_path / f"c{i}.h5"
        with h5py.File(path, "w") as file:
            for name, values in names.items():
                file[name] = values
            file.create_dataset("jetConstituentList", shape, "f4", chunks=(1, min(shape[1], 30), min(shape[2], 16)))
            file.create_dataset("jets", (shape[0], 59), "f4", chunks=(1, 59))
        with bounded(), pytest.raises(L1emuError, match=r"claims more|larger than any"):
            read_all(path)
    path = tmp_path / "chunk.h5"
    with h5py.File(path, "w") as file:
        for name, values in names.items():
            file[name] = values
        file.create_dataset("jetConstituentList", (3, 30, 16), "f4", chunks=(3, 30, 16))
        file.create_dataset("jets", (3, 1), "f4", chunks=(2**26 + 1, 1), maxshape=(None, 1))[:] = 1
    with bounded(), pytest.raises(L1emuError, match=r"pieces of the dataset are larger|claims more"):
        read_all(path)


def test_data_in_other_files_are_refused(tmp_path: Path) -> None:
    LAYOUTS["hls4ml-jets"][2](tmp_path / "h.h5")
    for kind in ("external", "virtual"):
        path = tmp_path / f"{kind}.h5"
        path.write_bytes((tmp_path / "h.h5").read_bytes())
        with h5py.File(path, "a") as file:
            shape = file["jets"].shape
            del file["jets"]
            if kind == "external":
                file.create_dataset("jets", shape, "f8", external=[("/dev/zero", 0, 23 * 59 * 8)])
            else:
                layout = h5py.VirtualLayout(shape, "f8")
                layout[:] = h5py.VirtualSource(str(tmp_path / "absent.h5"), "jets", shape)
                file.create_virtual_dataset("jets", layout)
        with pytest.raises(L1emuError, match="jets: the data lie in other files"):
            open_source(path).read(["jet.pt"])


@pytest.mark.parametrize("name", ["o.csv", "o.arff"])
def test_text_without_line_ends_is_not_read_into_memory(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    LAYOUTS["openml-csv" if name == "o.csv" else "openml-arff"][2](path)
    whole = path.read_bytes()
    with path.open("wb") as stream:
        stream.write(whole)
        for _ in range(64):
            stream.write(b"1," * (1 << 20))
    with bounded(), pytest.raises(L1emuError, match="not a line of a table"):
        read_all(path)
    path.write_bytes((b"@relation x\n" if name == "o.arff" else b"") + b"1," * (1 << 22))
    with bounded(), pytest.raises(L1emuError, match=r"not a line of a table"):
        read_all(path)
    path.write_bytes(whole[:-40] + b"\xff\xfe\n")
    with pytest.raises(L1emuError, match=name):
        read_all(path)
