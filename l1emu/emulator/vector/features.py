"""What the processor can do beyond plain vectors, and what is assumed of it."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import llvmlite.binding
import numba

LANES = 16  # jets in a vector: one int32, two int16 or four bytes of each


@dataclass(frozen=True)
class Features:
    """What the processor can do beyond plain vectors.

    Attributes
    ----------
    dot8
        Products of unsigned and signed bytes, four summed to 32 bits: AVX-512 VNNI.
    dot16
        ``vnni``, ``avx512``, ``avx2``, ``plain`` or ``dp2a``: how two products of int16 are summed. The last one, a
        GPU's, is one operation with a pair of signed bytes alone.
    permute8
        Look-up of bytes in tables of 64 and 128: AVX-512 VBMI.
    fused
        Products and sums of float32 rounded once: FMA.
    """

    dot8: bool
    dot16: str
    permute8: bool
    fused: bool

    @property
    def wide(self) -> bool:
        """Whether there is what AVX-512 does with bytes and words."""
        return self.dot16 in ("vnni", "avx512", "dp2a")

    def __str__(self) -> str:
        others = {"dot8": self.dot8, "permute8": self.permute8, "fused": self.fused}
        return "_".join([self.dot16, *(name if has else f"no{name}" for name, has in others.items())])


def cpu_flags() -> frozenset[str]:
    """The features that numba compiles for, as LLVM names them; `NUMBA_CPU_FEATURES` overrides the processor's."""
    chosen: str | None = numba.config.CPU_FEATURES  # type: ignore[attr-defined]
    if chosen is not None:
        return frozenset(flag[1:] for flag in chosen.split(",") if flag.startswith("+"))
    if numba.config.CPU_NAME == "generic":  # type: ignore[attr-defined]
        return frozenset()
    return frozenset(name for name, has in llvmlite.binding.get_host_cpu_features().items() if has)


@functools.cache
def features(target: str) -> Features:
    """The features that `target` uses here: `simd` all that are there, `portable` none beyond AVX2."""
    flags = cpu_flags()
    if target == "simd":
        return Features(
            dot8={"avx512vnni", "avx512bw"} <= flags,
            dot16="vnni"
            if {"avx512vnni", "avx512bw"} <= flags
            else "avx512"
            if "avx512bw" in flags
            else _up_to_avx2(flags),
            permute8={"avx512vbmi", "avx512bw"} <= flags,
            fused="fma" in flags,
        )
    return Features(dot8=False, dot16=_up_to_avx2(flags), permute8=False, fused="fma" in flags)


def _up_to_avx2(flags: frozenset[str]) -> str:
    return "avx2" if "avx2" in flags else "plain"
