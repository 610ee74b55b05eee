"""The processor that kernels are compiled for: told to numba in time, never one that is not here."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from l1emu import processor
from l1emu.caches import KERNELS_FILE, kernel_processors, shipped_kernels
from l1emu.errors import L1emuError
from l1emu.processor import check_levels, chosen_level, processor_levels, reached_levels
from tests.processors import as_on, run_python

KEY = "0123456789abcdef"

TOLD = """
import json
from l1emu import compiled
from l1emu.emulator.vector.features import features
from numba.core.registry import cpu_target
name, flags = cpu_target.target_context.codegen().magic_tuple()[1:]
print(json.dumps([name, flags, str(features("simd"))]))
"""

EXPECTED = {
    "avx512vnni": ("x86-64-v4", "vnni_dot8_permute8_fused"),
    "avx512": ("x86-64-v4", "avx512_nodot8_nopermute8_fused"),
    "avx2": ("x86-64-v3", "avx2_nodot8_nopermute8_fused"),
    "generic": ("x86-64-v2", "plain_nodot8_nopermute8_nofused"),
}


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("L1EMU_PROCESSOR", "L1EMU_KERNELS", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("L1EMU_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.parametrize("level", reached_levels())
def test_numba_is_told_the_level_and_no_more(level: str, tmp_path: Path) -> None:
    name, flags, used = json.loads(run_python(TOLD, as_on(level, tmp_path)))
    if processor_levels() == tuple(EXPECTED):
        assert (name, used) == EXPECTED[level]
        assert all(flag.startswith("+") for flag in flags.split(","))
        assert ("+avx512bw" in flags, "+avx2" in flags) == ("avx512" in level, level != "generic")
    else:
        assert (level, name, flags) == ("generic", "generic", "")


def test_without_a_level_it_is_this_processor(tmp_path: Path) -> None:
    import llvmlite.binding

    assert json.loads(run_python(TOLD, as_on(None, tmp_path)))[0] == llvmlite.binding.get_host_cpu_name()


def test_levels_are_ordered_and_each_holds_the_next() -> None:
    ordered = [set(level.features) for level in processor._X86.values()]
    assert all(better > worse for better, worse in pairwise(ordered))


@pytest.mark.parametrize(
    ("here", "reached"),
    [
        (processor._V2, ["generic"]),
        (processor._V3, ["avx2", "generic"]),
        ((*processor._V3, "avx512f"), ["avx2", "generic"]),  # a Knights Landing
        ((*processor._V4, "avx512vnni"), ["avx512", "avx2", "generic"]),  # a Cascade Lake
        ((*processor._V4, "avx512vnni", "avx512vbmi", "gfni"), ["avx512vnni", "avx512", "avx2", "generic"]),
        ((), []),
    ],
)
def test_a_processor_reaches_what_it_has_all_features_of(
    monkeypatch: pytest.MonkeyPatch, here: tuple[str, ...], reached: list[str]
) -> None:
    monkeypatch.setattr(processor, "_features_here", lambda: set(here))
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert list(reached_levels()) == reached
    for level in processor._X86:
        monkeypatch.setenv("L1EMU_PROCESSOR", level)
        if level in reached:
            assert chosen_level(KEY) == level
        else:
            with pytest.raises(L1emuError, match=f"L1EMU_PROCESSOR: this processor lacks.*'{level}'"):
                chosen_level(KEY)


def test_another_architecture_has_one_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert processor_levels() == reached_levels() == ("generic",)
    check_levels(["generic"], "--for")
    with pytest.raises(L1emuError, match=r"--for: a level of x86-64 processors: got 'avx2'; expected generic.*aarch64"):
        check_levels(["generic", "avx2"], "--for")


def test_an_unknown_level_is_refused_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from l1emu.cli import main; main()", "emulate", "x.l1fw", "x.npy"]
    environment = as_on(None, tmp_path, L1EMU_PROCESSOR="avx1024")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("l1emu: L1EMU_PROCESSOR: no such processor: got 'avx1024'; expected one of ")
    assert done.stderr.count("\n") == 1


LATE = """
import numba
numba.njit(lambda: 1)()
from l1emu.errors import L1emuError
try:
    import l1emu.compiled
except L1emuError as error:
    print(error)
"""


def test_a_numba_that_compiled_already_is_refused(tmp_path: Path) -> None:
    assert "numba compiles for another processor already" in run_python(LATE, as_on("generic", tmp_path))


def kernels(folder: Path, processors: object, key: str = KEY) -> Path:
    (folder / key).mkdir(parents=True)
    (folder / KERNELS_FILE).write_text(json.dumps({"processors": processors}))
    return folder


def test_a_folder_of_kernels_tells_the_level(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(processor, "_features_here", lambda: set(processor._V3))
    assert chosen_level(KEY) is None
    cache = kernels(tmp_path / "cache", ["avx512", "avx2"])
    assert chosen_level(KEY) == "avx2"
    assert chosen_level("another version's") is None
    shipped = kernels(tmp_path / "shipped", ["generic"])
    monkeypatch.setenv("L1EMU_KERNELS", str(shipped))
    assert shipped_kernels() == shipped and chosen_level(KEY) == "generic"
    monkeypatch.setenv("NUMBA_CPU_NAME", "generic")  # somebody knows better
    assert chosen_level(KEY) is None
    monkeypatch.delenv("NUMBA_CPU_NAME")
    monkeypatch.setenv("L1EMU_PROCESSOR", "avx2")
    assert chosen_level(KEY) == "avx2"
    monkeypatch.delenv("L1EMU_PROCESSOR")
    monkeypatch.delenv("L1EMU_KERNELS")
    (cache / KERNELS_FILE).write_text(json.dumps({"processors": ["avx512"]}))
    assert chosen_level(KEY) is None  # none that it reaches: compiled for itself


@pytest.mark.parametrize("text", ["", "{", "[]", "5", '{"processors": 5}', "{}", "[" * 100_000, '{"processors": null}'])
def test_a_damaged_list_of_processors_is_none(tmp_path: Path, text: str) -> None:
    (kernels(tmp_path / "cache", []) / KERNELS_FILE).write_text(text)
    assert kernel_processors(KEY) == ()


def test_a_wrong_folder_of_kernels_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for wrong in (tmp_path, tmp_path / "nowhere", Path("/dev/null")):
        monkeypatch.setenv("L1EMU_KERNELS", str(wrong))
        with pytest.raises(L1emuError, match=f"L1EMU_KERNELS: no folder of kernels: got '{wrong}'; expected one that"):
            chosen_level(KEY)
    shipped = kernels(tmp_path / "shipped", ["generic"])
    monkeypatch.setenv("L1EMU_KERNELS", str(shipped))
    shipped.chmod(0o777)
    with pytest.raises(L1emuError, match="L1EMU_KERNELS: others could have written these kernels"):
        chosen_level(KEY)
    shipped.chmod(0o755)
    assert chosen_level(KEY) == "generic"
