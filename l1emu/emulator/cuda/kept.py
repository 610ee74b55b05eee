"""Kernels for GPUs on disk, beside those for processors and under the same limit, by compute capability.

See `l1emu.compiled`.
"""

from __future__ import annotations

import hashlib
import pickle
from importlib.metadata import version
from typing import Any

from l1emu.compiled import KERNEL_SUFFIX, keep_as, kept_as
from l1emu.emulator.cuda.device import cuda
from l1emu.waiting import note


class KeptKernel:
    """The compiled forms of one kernel, in the place of a cache of numba-cuda's, which wants a function's own file.

    Parameters
    ----------
    content
        A hash of the kernel's text, and of what it takes from around it.
    """

    cache_path = None

    def __init__(self, content: str) -> None:
        self._content = content

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The kernel for arguments of these types and the GPU in use; None if it has to be compiled."""
        found = kept_as(self._file(sig), lambda stored: _rebuilt(stored, sig))
        if found is None:
            note("compiling kernels for the GPU")
        return found

    def save_overload(self, sig: Any, kernel: Any) -> None:
        """Keep a kernel that was compiled for these types, with its machine code."""
        note("")
        keep_as(self._file(sig), bytes(cuda("serialize").dumps((sig, kernel._reduce_states()))))

    def _file(self, sig: Any) -> str:
        capability = cuda("dispatcher").get_current_device().compute_capability
        text = "\n".join((self._content, version("numba-cuda"), repr(sig), repr(tuple(capability))))
        return f"gpu-{hashlib.sha256(text.encode()).hexdigest()[:32]}{KERNEL_SUFFIX}"


def _rebuilt(stored: bytes, sig: Any) -> Any:
    """The kernel that was kept; None if it is another one, or none."""
    try:
        found, states = pickle.loads(stored)
        return cuda("dispatcher")._Kernel._rebuild(**states) if found == sig else None
    except Exception:  # unpickling raises anything; the answer is to compile
        return None
