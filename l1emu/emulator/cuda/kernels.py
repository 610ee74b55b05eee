"""The kernels of one firmware on a GPU: inputs to raw integers, and then everything, a thread a jet.

A block of threads takes `BLOCK_JETS` jets at a time. Arrays of several numbers a jet are (blocks, numbers, BLOCK_JETS):
what neighbouring threads read lies side by side. The constants, weights and tables, are copied to the memory that the
threads of a block share, where they fit.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from l1emu.emulator.cuda.device import (
    BLOCK_JETS,
    called_function,
    compiling_for,
    cuda,
    device_operations,
    inlined_function,
    simulated,
)
from l1emu.emulator.cuda.kept import KeptKernel
from l1emu.emulator.cuda.text import jet_function, jet_source, remade
from l1emu.emulator.passes.plan import VectorProgram
from l1emu.emulator.quantize import one_float
from l1emu.errors import L1emuError

SHARED_WORDS = 12 * 1024
"""Constants that fit into the shared memory that every block may have."""


def jets_kernel(program: VectorProgram, layer: str | None = None) -> Any:
    """The kernel that runs `program`, or one layer of it.

    Its arguments are raw inputs (blocks, columns, BLOCK_JETS) int32 or int64; the words (grid, words, BLOCK_JETS)
    int32 and the rows (grid, rows, BLOCK_JETS) int64 of the exact kernels; constants, table and code; the number of
    jets; and for each output an array (jets, size) and its kind.
    """
    module = program.module
    outputs = ", ".join(f"out{number}, kind{number}" for number in range(module.results))
    size = len(program.constants)
    near = size <= SHARED_WORDS
    lines = [
        f"def kernel(raw, words, rows, constants, table, code, jets, {outputs}):",
        "    t = cuda.threadIdx.x",
        *(_COPIED if near else ["    near = constants"]),
        "    for block in range(cuda.blockIdx.x, raw.shape[0], cuda.gridDim.x):",
        f"        first = block * {BLOCK_JETS} + t",
        "        if first < jets:",
        f"            V, work = {_own('words', 'cuda.blockIdx.x')}, {_own('rows', 'cuda.blockIdx.x')}",
        f"            jet(V, near, work, table, code, {_own('raw', 'block')}, first, {outputs})",
    ]
    space = {
        "cuda": cuda(),
        "jet": jet_function(module, inlined_function, device_operations(), layer, exact=called_function),
        "SIZE": size,
        "BLOCK_JETS": BLOCK_JETS,
        "int32": np.int32,
    }
    return _defined(lines, space, jet_source(module, layer))


_COPIED = [
    "    near = cuda.shared.array(SIZE, int32)",
    "    for i in range(t, SIZE, BLOCK_JETS):",
    "        near[i] = constants[i]",
    "    cuda.syncthreads()",
]

_INPUTS = """
def kernel(x, raw, column, scale, rounding, overflow, low, high, integer, odd):
    size = x.shape[1]
    for i in range(cuda.grid(1), x.shape[0] * size, cuda.gridsize(1)):
        jet, place = i // size, i % size
        value = float64(x[jet, place])
        if value != value:
            odd[0] = 1
        else:
            if integer and -0.5 < value and value < 0.0:
                value = 1.0
            raw[jet // BLOCK_JETS, column + place, jet % BLOCK_JETS] = one(value, scale, rounding, overflow, low, high)
"""

_INTEGERS = """
def kernel(x, raw, column, low, high, odd):
    size = x.shape[1]
    for i in range(cuda.grid(1), x.shape[0] * size, cuda.gridsize(1)):
        jet, place = i // size, i % size
        value = x[jet, place]
        if value < low or value > high:
            odd[0] = 1
        raw[jet // BLOCK_JETS, column + place, jet % BLOCK_JETS] = value
"""


_ROWS = """
def kernel(table, rows, out):
    size = table.shape[1]
    for i in range(cuda.grid(1), out.shape[0] * size, cuda.gridsize(1)):
        out[i // size, i % size] = table[rows[i // size], i % size]
"""


def rows_kernel() -> Any:
    """The kernel that copies rows of a table, by their numbers."""
    return _defined(_ROWS.splitlines(), {"cuda": cuda()})


def floats_kernel() -> Any:
    """The kernel that casts floats (jets, size) to columns of raw integers; `odd` gets 1 where one is NaN.

    Its other arguments are those of `l1emu.emulator.quantize`.
    """
    space = {
        "cuda": cuda(),
        "one": remade(one_float, inlined_function, {}),
        "BLOCK_JETS": BLOCK_JETS,
        "float64": np.float64,
    }
    return _defined(_INPUTS.splitlines(), space)


def integers_kernel() -> Any:
    """The kernel that takes integers as they are; `odd` gets 1 where one is not from `low` to `high`."""
    return _defined(_INTEGERS.splitlines(), {"cuda": cuda(), "BLOCK_JETS": BLOCK_JETS})


def _own(array: str, block: str) -> str:
    """A jet's own numbers; in the simulator without what it puts around arrays, which takes most of its time."""
    return f"{array}._item._ary[{block}, :, t]" if simulated() else f"{array}[{block}, :, t]"


def _defined(lines: list[str], space: dict[str, Any], called: str = "") -> Any:
    """The function that is defined by `lines`; its `content` is a hash of them and of the text `called`."""
    text = "\n".join(lines) + "\n"
    numbers = sorted((name, value) for name, value in space.items() if isinstance(value, int))
    space["__name__"] = "l1emu_kernel"
    exec(compile(text, "<l1emu kernel>", "exec"), space)
    kernel = space["kernel"]
    kernel.content = hashlib.sha256("\n".join((text, repr(numbers), called)).encode()).hexdigest()
    return kernel


def started(kernel: Any) -> Any:
    """A kernel of this module to be launched, compiled at its first launch or read from the disk."""
    made = cuda().jit(kernel)
    if not simulated():
        made._cache = KeptKernel(kernel.content)
    return made


# -- for a GPU that need not be here -----------------------------------------------------------------------------


def jets_assembly(program: VectorProgram, *, narrow: bool, capability: tuple[int, int] = (9, 0)) -> str:
    """The kernel of `program`, for outputs in float64, as the assembly (PTX) of such a GPU.

    Parameters
    ----------
    narrow
        Whether raw inputs are int32.

    Raises
    ------
    L1emuError
        if numba-cuda is not installed.
    """
    return assembly(lambda: jets_kernel(program), jets_kinds(program, narrow=narrow), capability)


def jets_kinds(program: VectorProgram, *, narrow: bool) -> tuple[Any, ...]:
    """The types of numba's that the kernel of `program` takes, for outputs in float64."""
    types = cuda("types")
    raw = types.int32 if narrow else types.int64
    arrays = [types.Array(kind, 3, "C") for kind in (raw, types.int32, types.int64)]
    vectors = [types.Array(kind, 1, "C") for kind in (types.int32, types.int64, types.int64)]
    outputs = [kind for _ in program.results for kind in (types.Array(types.float64, 2, "C"), types.int64)]
    return (*arrays, *vectors, types.int64, *outputs)


def floats_kinds(kind: Any, *, narrow: bool) -> tuple[Any, ...]:
    """The same of the kernel that casts floats, those of numba's type `kind`."""
    types = cuda("types")
    raw, number = types.int32 if narrow else types.int64, types.int64
    cast = (number, types.float64, number, number, number, number, types.boolean)
    return (types.Array(kind, 2, "C"), types.Array(raw, 3, "C"), *cast, types.Array(types.int32, 1, "C"))


def ahead(kernel: Any, kinds: tuple[Any, ...], capability: tuple[int, int]) -> Any:
    """A kernel compiled for such a GPU, which need not be here, and kept on disk: there nothing is compiled.

    Returns
    -------
    As numba-cuda has it, with its machine code.
    """
    with compiling_for(capability):
        made = started(kernel)
        found = made._cache.load_overload(kinds, None)
        if found is None:
            found = cuda("dispatcher")._Kernel(kernel, kinds, **made.targetoptions)
            found.library.get_cubin()
            made._cache.save_overload(kinds, found)
    return found


def assembly(kernel: Callable[[], Any], kinds: tuple[Any, ...], capability: tuple[int, int]) -> str:
    """The PTX of what `kernel` makes for arguments of these types of numba's."""
    module = cuda()
    with compiling_for(capability):
        text, _ = module.compile(kernel(), kinds, device=False, abi="numba", cc=capability)
    return str(text)


class KernelResources(NamedTuple):
    """What a kernel takes of a multiprocessor.

    Attributes
    ----------
    registers
        Of a thread.
    spilled
        Bytes that a thread stores because it has too few of them.
    stack
        Bytes of local memory of a thread.
    shared
        Bytes of shared memory of a block.
    """

    registers: int
    spilled: int
    stack: int
    shared: int


def resources(text: str, capability: tuple[int, int] = (9, 0)) -> KernelResources:
    """What CUDA's assembler makes of PTX.

    Raises
    ------
    L1emuError
        if the assembler is not here, or refuses the text.
    """
    home = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    program = shutil.which("ptxas") or shutil.which("ptxas", path=str(Path(home) / "bin"))
    if program is None:
        raise L1emuError("CUDA's assembler ptxas is not here", expected="the CUDA toolkit on PATH or at CUDA_HOME")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.ptx"
        path.write_text(text)
        command = [program, f"-arch=sm_{capability[0]}{capability[1]}", "-v", str(path), "-o", f"{folder}/kernel.cubin"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise L1emuError("ptxas refuses a kernel", value=(done.stderr + done.stdout).strip()[:200])
    return KernelResources(*(_largest(pattern, done.stderr) for pattern in _TOLD))


_TOLD = (r"Used (\d+) registers", r"(\d+) bytes spill stores", r"(\d+) bytes stack frame", r"(\d+) bytes smem")


def _largest(pattern: str, text: str) -> int:
    return max((int(found) for found in re.findall(pattern, text)), default=0)
