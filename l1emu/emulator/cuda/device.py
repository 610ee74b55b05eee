"""The GPUs that are here, and functions made for them by numba-cuda, which functions of this module alone import.

In numba's simulator (`NUMBA_ENABLE_CUDASIM=1`) the same functions run as plain Python.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

from llvmlite import ir

from l1emu.emulator.cache import LITERAL
from l1emu.errors import L1emuError

OLDEST = (7, 0)
"""The least compute capability: dot products of bytes came with 6.1, and what CUDA 13 compiles for is 7.5 on."""
_OTHER = "or a target that needs no GPU: simd, portable, exact"


def cuda(part: str = "") -> Any:
    """The module `numba.cuda` of the package numba-cuda, or a part of it.

    Raises
    ------
    L1emuError
        if it is not installed.
    """
    if find_spec("numba_cuda") is None:
        raise L1emuError("the target cuda needs numba-cuda", expected=f"pip install 'l1emu[cuda]', {_OTHER}")
    return import_module(f"numba.cuda.{part}" if part else "numba.cuda")  # an extra, and slow


def simulated() -> bool:
    """Whether numba's simulator takes the place of a GPU."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")


BLOCK_JETS = 8 if simulated() else 128
"""Threads of a block, a jet each; the words of their jets lie side by side in memory."""


def gpus() -> int:
    """How many GPUs are here, all new enough.

    Raises
    ------
    L1emuError
        if numba-cuda, the driver or a GPU is missing, or one is too old.
    """
    module = cuda()
    if simulated():
        return 1
    try:
        cards = list(module.gpus)
        capabilities = [tuple(card.compute_capability) for card in cards]
    except Exception as error:  # of several libraries: whatever keeps the driver from starting
        text = " ".join(str(error).replace("Error at driver init:", "").split()).rstrip(".:")
        raise L1emuError("the target cuda finds no GPU that it can use", value=text, expected=_needed()) from error
    if not cards:
        raise L1emuError("the target cuda finds no GPU", expected=_needed())
    if old := [number for number, found in enumerate(capabilities) if found < OLDEST]:
        value = ".".join(map(str, capabilities[old[0]]))
        least = ".".join(map(str, OLDEST))
        raise L1emuError(
            "a GPU too old for the target cuda",
            where=f"GPU {old[0]}",
            value=f"compute capability {value}",
            expected=f"{least} or later (CUDA_VISIBLE_DEVICES chooses), {_OTHER}",
        )
    return len(cards)


def _needed() -> str:
    return f"NVIDIA's driver and a GPU, {_OTHER}"


def is_short_of_memory(error: Exception) -> bool:
    """Whether a GPU, or this machine, had no room: numba's class of it is the driver's, which the simulator lacks."""
    return isinstance(error, MemoryError) or "OUT_OF_MEMORY" in str(error)


# -- functions for a GPU -----------------------------------------------------------------------------------------


def inlined_function(function: Callable[..., Any]) -> Any:
    """`function` for kernels on a GPU to call, put into the code of each; as it is in the simulator."""
    return _device_function(function, forceinline=True)


def called_function(function: Callable[..., Any]) -> Any:
    """The same, called where the compiler finds that better: exact kernels are called once a layer."""
    return _device_function(function, forceinline=False)


def _device_function(function: Callable[..., Any], *, forceinline: bool) -> Any:
    if simulated():
        return function
    options = {"device": True, "opt": True, "debug": False, "lineinfo": False, "fastmath": False}
    return _device_class()(function, {**options, "forceinline": forceinline, "inline": "never"})


@cache
def _device_class() -> Any:
    types, dispatcher = cuda("types"), cuda("dispatcher")

    base: Any = dispatcher.CUDADispatcher

    class DeviceFunction(base):
        """As of `l1emu.emulator.cache.inner`: compiled once for numbers of one type, whatever literals are given."""

        def get_call_template(self, args: Any, kws: Any) -> Any:
            names = self.py_func.__code__.co_varnames[: len(args)]
            given = zip(names, args, strict=True)
            kinds = tuple(kind if name in LITERAL else types.unliteral(kind) for name, kind in given)
            return super().get_call_template(kinds, kws)

    return DeviceFunction


@contextmanager
def compiling_for(capability: tuple[int, int]) -> Iterator[None]:
    """Compile functions for such a GPU, which need not be here."""
    dispatcher, library = cuda("dispatcher"), cuda("codegen").CUDACodeLibrary
    found, asked = dispatcher.get_current_device, library._ensure_cc
    own = (*capability, "a" if capability >= (9, 0) else "")  # numba-cuda's own choice
    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=capability)
    library._ensure_cc = lambda self, cc: own if cc is None else cc
    try:
        yield
    finally:
        dispatcher.get_current_device, library._ensure_cc = found, asked


@cache
def device_operations() -> dict[str, Any]:
    """Operations of `l1emu.emulator.cuda.ops` that a GPU does better otherwise: memory, dot products, floats."""
    if simulated():
        return {}
    libdevice, types, intrinsic = cuda("libdevice"), cuda("types"), cuda("extending").intrinsic
    word = ir.IntType(32)

    def place(context: Any, builder: Any, array_type: Any, array: Any, number: Any, step: int) -> Any:
        data = context.make_array(array_type)(context, builder, array).data
        return builder.gep(data, [builder.mul(number, ir.Constant(number.type, step))])

    def reading(step: int) -> Any:
        def function(typing: Any, array: Any, number: Any) -> Any:
            def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                return builder.load(place(context, builder, signature.args[0], args[0], args[1], step))

            return types.int32(array, types.int64), code

        return intrinsic(function)

    def writing(typing: Any, array: Any, number: Any, value: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            builder.store(args[2], place(context, builder, signature.args[0], args[0], args[1], BLOCK_JETS))
            return context.get_dummy_value()

        return types.void(array, types.int64, types.int32), code

    def dot_product(instruction: str) -> Any:
        def function(typing: Any, acc: Any, a: Any, b: Any) -> Any:
            def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                kind = ir.FunctionType(word, [word] * 3)
                dot = ir.InlineAsm(kind, f"{instruction} $0, $1, $2, $3;", "=r,r,r,r")
                return builder.call(dot, [args[1], args[2], args[0]])

            return types.int32(types.int32, types.int32, types.int32), code

        return intrinsic(function)

    read_constant = reading(1)

    def round_float(value: Any, bits: Any, plus: Any) -> Any:
        added = libdevice.int2float_rn(((12582912 + plus) << bits) - 12582912)
        return libdevice.float_as_int(libdevice.fadd_rn(libdevice.int_as_float(value), added))

    def gather(array: Any, base: Any, index: Any) -> Any:
        return read_constant(array, base + index)

    return {
        "load": reading(BLOCK_JETS),
        "store": intrinsic(writing),
        "broadcast": read_constant,
        "gather": inlined_function(gather),
        "dot8": dot_product("dp4a.u32.s32"),
        "dot16_bytes": dot_product("dp2a.lo.s32.s32"),
        "round_float": inlined_function(round_float),
    }
