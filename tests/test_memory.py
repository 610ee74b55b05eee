"""Memory that is free, as the kernel tells it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from l1emu import arrays
from l1emu.arrays import read_npy
from l1emu.errors import L1emuError
from l1emu.memory import available_memory, peak_memory


def machine(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


MEMINFO = {"proc/meminfo": "MemTotal: 900 kB\nMemFree: 100 kB\nMemAvailable: 500 kB\n"}
NEW = {"memory.max": "300000\n", "memory.current": "150000\n", "memory.stat": "anon 100000\nfile 20000\n"}
OLD = {
    "memory.limit_in_bytes": "300000",
    "memory.usage_in_bytes": "150000",
    "memory.stat": "cache 7\ntotal_cache 20000\n",
}


def below(folder: str, files: dict[str, str]) -> dict[str, str]:
    return {f"{folder}/{name}": text for name, text in files.items()}


@pytest.mark.parametrize(
    ("files", "free"),
    [
        (MEMINFO, 500 << 10),
        (MEMINFO | {"proc/self/cgroup": "0::/a/b\n"}, 500 << 10),
        (MEMINFO | {"proc/self/cgroup": "0::/a/b\n"} | below("sys/fs/cgroup/a/b", NEW), 170_000),
        (MEMINFO | {"proc/self/cgroup": "0::/a/b\n"} | below("sys/fs/cgroup/a", NEW), 170_000),
        (MEMINFO | {"proc/self/cgroup": "0::/\n"} | below("sys/fs/cgroup", NEW | {"memory.max": "max\n"}), 500 << 10),
        (MEMINFO | {"proc/self/cgroup": "0::/\n"} | below("sys/fs/cgroup", NEW | {"memory.max": "1\n"}), 0),
        (MEMINFO | {"proc/self/cgroup": "4:memory:/a\n3:cpu:/b\n"} | below("sys/fs/cgroup/memory/a", OLD), 170_000),
    ],
)
def test_the_smallest_of_machine_and_groups_counts(tmp_path: Path, files: dict[str, str], free: int) -> None:
    assert available_memory(machine(tmp_path, files)) == free


def test_a_machine_that_tells_nothing_has_what_is_built_in(tmp_path: Path) -> None:
    assert available_memory(tmp_path) >= available_memory() > 1 << 20


@pytest.mark.parametrize(("kind", "factor"), [("<f4", 1), (">f4", 2)])
def test_an_array_larger_than_what_is_free_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, factor: int
) -> None:
    np.save(tmp_path / "x.npy", np.zeros(1000, kind))
    monkeypatch.setattr(arrays, "available_memory", lambda: 4000 * factor)
    assert read_npy(tmp_path / "x.npy").shape == (1000,)
    monkeypatch.setattr(arrays, "available_memory", lambda: 4000 * factor - 1)
    with pytest.raises(L1emuError, match=r"x\.npy: too large for the memory that is free: got \(1000,\)"):
        read_npy(tmp_path / "x.npy")


def test_what_a_process_took_is_not_what_its_parent_had() -> None:
    held = np.ones(40_000_000)
    told = "from l1emu.memory import peak_memory; print(peak_memory())"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert held.nbytes < peak_memory()
    assert 1 << 20 < int(done.stdout) < held.nbytes


def test_without_the_kernels_word_the_process_says_what_it_took(tmp_path: Path) -> None:
    assert peak_memory(machine(tmp_path, {"proc/self/status": "VmPeak: 10 kB\nVmHWM:\t    20 kB\n"})) == 20 << 10
    assert peak_memory(tmp_path / "nothing") > 1 << 20
