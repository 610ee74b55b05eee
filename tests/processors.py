"""Child processes that see less of this processor than there is: a stand-in for another machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

_NO_AVX512 = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL"
_NO_AVX2 = f"{_NO_AVX512} AVX2 FMA3 F16C AVX"

MASKS: dict[str, dict[str, str]] = {
    "avx512vnni": {},
    "avx512": {},
    "avx2": {
        "NPY_DISABLE_CPU_FEATURES": _NO_AVX512,
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW",
        "OPENBLAS_CORETYPE": "Haswell",
    },
    "generic": {
        "NPY_DISABLE_CPU_FEATURES": _NO_AVX2,
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX2,-AVX2_Usable,-FMA,-FMA_Usable,-AVX",
        "OPENBLAS_CORETYPE": "Nehalem",
    },
}
"""What numpy, the C library's mathematics and OpenBLAS are told, so that they use no more than a level has."""


def as_on(level: str | None, cache: Path | str, *, whole: bool = False, **variables: str) -> dict[str, str]:
    """The environment of a process with kernels compiled for a level; None for this machine.

    With `whole` the libraries beneath use no more than the level has, either.
    """
    hidden = ("L1EMU_PROCESSOR", "L1EMU_KERNELS", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")
    plain = {name: value for name, value in os.environ.items() if name not in hidden}
    mask = {} if level is None else {"L1EMU_PROCESSOR": level} | (MASKS[level] if whole else {})
    return {**plain, **mask, "PYTHONPATH": str(ROOT), "L1EMU_CACHE_DIR": str(cache), **variables}


def run_python(code: str, environment: dict[str, str], *arguments: Any) -> str:
    """What a script prints; it must end well and complain of nothing."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout
