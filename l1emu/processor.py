"""Which processor kernels are compiled for: the one that is here, or a level that many have in common.

A kernel that is compiled for exactly this model is of no use on another one. Where kernels are sent to machines whose
models differ, they are compiled for levels: what a level may use, every processor of it has, whatever its model. All
levels give the same bits.

===========  ============================================================================================
avx512vnni   x86-64-v4 with VNNI and VBMI: Intel's from Ice Lake on, AMD's from Zen 4 on
avx512       x86-64-v4: AVX-512 F, BW, CD, DQ and VL
avx2         x86-64-v3: AVX2 and FMA
generic      x86-64-v2: SSE4.2; of other architectures what each of them has
===========  ============================================================================================

`L1EMU_PROCESSOR` names the level. Without it, a folder of kernels that `l1emu compile` wrote, where it is
`L1EMU_KERNELS` or `L1EMU_CACHE_DIR`, tells the levels that it has, and the best of them that this processor reaches is
taken; else kernels are compiled for this processor itself. numba is told before it compiles anything.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from typing import NamedTuple

from l1emu.caches import kernel_processors
from l1emu.errors import L1emuError

VARIABLE = "L1EMU_PROCESSOR"

_V2 = ("cx16", "fxsr", "mmx", "popcnt", "sahf", "sse", "sse2", "sse3", "sse4.1", "sse4.2", "ssse3")
_V3 = (*_V2, "avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "xsave")
_V4 = (*_V3, "avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl")


class _Level(NamedTuple):
    """A processor as LLVM names it, and all the features that it is taken to have."""

    name: str
    features: tuple[str, ...]


_X86 = {
    "avx512vnni": _Level("x86-64-v4", (*_V4, "avx512vbmi", "avx512vnni")),
    "avx512": _Level("x86-64-v4", _V4),
    "avx2": _Level("x86-64-v3", _V3),
    "generic": _Level("x86-64-v2", _V2),
}
_OTHER = {"generic": _Level("generic", ())}


def processor_levels() -> tuple[str, ...]:
    """The levels of this machine's architecture, the best one first."""
    return tuple(_levels())


def check_levels(names: Sequence[str], where: str) -> None:
    """Check that these are levels of this architecture; `where` names them in messages.

    Raises
    ------
    L1emuError
        if one is not.
    """
    for name in names:
        if name in _levels():
            continue
        if name in _X86:
            raise L1emuError(
                "a level of x86-64 processors",
                where=where,
                value=name,
                expected=f"generic, the one level of {platform.machine()}",
            )
        raise L1emuError("no such processor", where=where, value=name, expected=f"one of {', '.join(_levels())}")


def reached_levels() -> tuple[str, ...]:
    """The levels whose kernels this processor can run, the best one first."""
    here = _features_here()
    return tuple(name for name, level in _levels().items() if here >= set(level.features))


def chosen_level(key: str) -> str | None:
    """The level that kernels are compiled for in this process; None for this processor itself.

    Parameters
    ----------
    key
        See `l1emu.caches.kernel_processors`.

    Raises
    ------
    L1emuError
        if `L1EMU_PROCESSOR` names no level, or one that this processor does not reach; if `L1EMU_KERNELS` is no folder
        of kernels.
    """
    asked = os.environ.get(VARIABLE)
    if asked:
        check_levels([asked], VARIABLE)
        reached = reached_levels()
        if asked not in reached:
            raise L1emuError(
                "this processor lacks something of that level",
                where=VARIABLE,
                value=asked,
                expected=f"one of {', '.join(reached)}" if reached else "no level",
            )
        return asked
    shipped = kernel_processors(key)
    if not shipped or any(name in os.environ for name in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")):
        return None
    return next((name for name in reached_levels() if name in shipped), None)


def pin_processor(level: str) -> None:
    """Let numba compile for a level, which this processor need not reach.

    Raises
    ------
    L1emuError
        if numba compiles for another processor already: somebody used it before l1emu was imported.
    """
    import numba
    from numba.core.registry import cpu_target

    name, features = _levels()[level]
    text = ",".join(f"+{feature}" for feature in features)
    # a name alone would leave numba with the features that are here, which override those of the name
    numba.config.CPU_NAME, numba.config.CPU_FEATURES = name, text  # type: ignore[attr-defined]
    used = cpu_target.target_context.codegen().magic_tuple()[1:]
    if used != (name, text):
        raise L1emuError(
            "numba compiles for another processor already",
            where=VARIABLE,
            value=level,
            expected="l1emu to be imported before numba compiles anything",
        )


def _levels() -> dict[str, _Level]:
    return _X86 if platform.machine() in ("x86_64", "AMD64") else _OTHER


def _features_here() -> set[str]:
    import llvmlite.binding

    return {name for name, has in llvmlite.binding.get_host_cpu_features().items() if has}
