"""Kernels as a GPU gets them: compiled and assembled for one that need not be here."""

from __future__ import annotations

import shutil
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1emu import Firmware
from l1emu.emulator.cuda import kernels
from l1emu.emulator.cuda.device import compiling_for, cuda, inlined_function, simulated
from l1emu.emulator.cuda.kept import KeptKernel
from l1emu.emulator.cuda.ops import LANE_OPS
from l1emu.emulator.cuda.text import GPU_FEATURES, remade
from l1emu.emulator.passes.analyse import analyse
from l1emu.emulator.passes.lower import lower
from l1emu.emulator.passes.plan import VectorProgram, plan
from l1emu.emulator.vector.context import narrow_inputs
from l1emu.errors import L1emuError
from tests.emulator.passes.test_relax import CASES, fixed
from tests.emulator.test_kinds import firmware_of

MODEL = Path(__file__).parents[3] / "models" / "jet-tagger" / "tagger.l1fw"
HOPPER = (9, 0)


def has_compilers() -> str:
    """What is missing to compile for a GPU; nothing if all is here."""
    if find_spec("numba_cuda") is None:
        return "numba-cuda (extra cuda) is not installed"
    if simulated():
        return "the simulator compiles nothing"
    try:
        cuda("cudadrv.nvvm").NVVM()
        import_module("cuda.pathfinder").load_nvidia_dynamic_lib("nvrtc")
    except Exception as error:
        return f"NVVM or NVRTC (extra cuda) cannot be used: {str(error).splitlines()[0]}"
    if shutil.which("ptxas") is None and not Path("/usr/local/cuda/bin/ptxas").exists():
        return "ptxas is not here"
    return ""


MISSING = has_compilers()
compiles = pytest.mark.skipif(bool(MISSING), reason=MISSING or "all is here")


def planned(firmware: Firmware, *, exactly: bool = False) -> VectorProgram:
    ranges = analyse(firmware)
    exact = lower(firmware, ranges, firmware.outputs)
    return plan(firmware, ranges, exact, GPU_FEATURES, firmware.outputs, exactly=exactly)


@compiles
def test_the_default_tagger_takes_dot_products_and_no_stack() -> None:
    firmware = Firmware.read(MODEL)
    text = kernels.jets_assembly(planned(firmware), narrow=narrow_inputs(firmware), capability=HOPPER)
    assert text.count("dp4a.u32.s32") > 100
    assert text.count("dp2a.lo.s32.s32") > 50
    found = kernels.resources(text, HOPPER)
    assert found.spilled == 0 and found.stack == 0
    assert found.registers <= 128 and found.shared >= 4 * len(planned(firmware).constants)


@compiles
@pytest.mark.parametrize("name", ["scale_double", "divide", "round_even", "clear_tie", "lookup16"])
def test_operations_compile(name: str) -> None:
    """Those that a compiler for GPUs may lack a piece of; the others are in the default tagger, or are like these."""
    types, function = cuda("types"), inlined_function(LANE_OPS[name])
    calls = {
        "scale_double": "f(C[0], C, 2, 4, 0) + f(C[0], C, 2, 4, 1) + f(C[0], C, 2, 4, 2)",
        "divide": "f(C[0], C, 2)",
        "round_even": "f(C[0], 3, 1)",
        "clear_tie": "f(C[0], C[1], 3)",
        "lookup16": "f(C, 1, C[0], 2)",
    }
    space: dict[str, Any] = {"f": remade(function, inlined_function, {})}
    exec(f"def kernel(C):\n    C[0] = {calls[name]}\n", space)
    text = kernels.assembly(lambda: space["kernel"], (types.Array(types.int32, 1, "C"),), HOPPER)
    assert kernels.resources(text, HOPPER).registers


@compiles
@pytest.mark.parametrize("name", ["dense", "embedding", "gru", "layernorm", "stable", "legacy", "average"])
def test_exact_kernels_compile(name: str) -> None:
    firmware = firmware_of(CASES[name].make(fixed("22,9"), fixed("18,9")))
    assemble(firmware, exactly=True)


@compiles
@pytest.mark.exhaustive
@pytest.mark.parametrize("exactly", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_every_kind_compiles(name: str, exactly: bool) -> None:
    for accum, result in ((fixed("22,9"), fixed("18,9")), (fixed("9,4"), fixed("6,2"))):
        assemble(firmware_of(CASES[name].make(accum, result)), exactly=exactly)


def assemble(firmware: Firmware, *, exactly: bool) -> None:
    text = kernels.jets_assembly(planned(firmware, exactly=exactly), narrow=narrow_inputs(firmware), capability=HOPPER)
    assert 0 < kernels.resources(text, HOPPER).registers <= 255


@compiles
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_kernels_of_inputs_compile(kind: Any) -> None:
    types = cuda("types")
    raw, odd, number = types.Array(types.int32, 3, "C"), types.Array(types.int32, 1, "C"), types.int64
    kinds = kernels.floats_kinds(types.float32 if kind == np.float32 else types.float64, narrow=True)
    text = kernels.assembly(kernels.floats_kernel, kinds, HOPPER)
    assert kernels.resources(text, HOPPER).registers
    integers = types.Array(types.int64, 2, "C")
    text = kernels.assembly(kernels.integers_kernel, (integers, raw, number, number, number, odd), HOPPER)
    assert kernels.resources(text, HOPPER).registers


@compiles
def test_a_kernel_is_compiled_ahead_and_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("L1EMU_CACHE_DIR", str(tmp_path))
    kinds = kernels.floats_kinds(cuda("types").float32, narrow=True)
    made = kernels.ahead(kernels.floats_kernel(), kinds, HOPPER)
    (file,) = tmp_path.glob("*/gpu-*")
    with monkeypatch.context() as patch:
        patch.setattr(cuda("dispatcher")._Kernel, "__init__", None)  # nothing can be compiled
        again = kernels.ahead(kernels.floats_kernel(), kinds, HOPPER)
    with compiling_for(HOPPER):
        assert again.library.get_cubin().code == made.library.get_cubin().code
    assert (again.entry_name, again.signature) == (made.entry_name, made.signature)
    file.write_bytes(file.read_bytes()[:-1])
    kernels.ahead(kernels.floats_kernel(), kinds, HOPPER)  # anew, and kept again
    kernels.ahead(kernels.floats_kernel(), kinds, (8, 0))
    assert len(list(tmp_path.glob("*/gpu-*"))) == 2


@pytest.mark.skipif(find_spec("numba_cuda") is None or simulated(), reason="needs numba-cuda, outside the simulator")
def test_kernels_are_kept_by_text_types_and_capability() -> None:
    first, second = (planned(firmware_of(CASES[name].make(fixed("22,9"), fixed("18,9")))) for name in ("dense", "gru"))
    made = [kernels.jets_kernel(first), kernels.jets_kernel(first, first.module.stages[1]), kernels.jets_kernel(second)]
    assert len({kernel.content for kernel in made}) == 3
    assert kernels.jets_kernel(first).content == made[0].content
    names = set()
    for capability in ((8, 0), (9, 0)):
        with compiling_for(capability):
            names |= {KeptKernel(made[0].content)._file(kinds) for kinds in (("int32",), ("int64",))}
    assert len(names) == 4


def test_without_an_assembler_one_line_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    with pytest.raises(L1emuError, match="ptxas is not here"):
        kernels.resources("")
