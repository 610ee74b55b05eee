"""Compiled kernels on disk: a second process starts without compiling.

The folder is `L1EMU_CACHE_DIR`, else `$XDG_CACHE_HOME/l1emu`, else `~/.cache/l1emu`. Below it, one folder a key:
the hash of the compiled sources and of the versions of l1emu, numba, llvmlite, numpy and Python. numba adds
the processor. A folder that is missing, read-only or full costs a compilation and nothing else.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import pickle
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core.caching import CompileResultCacheImpl, FunctionCache

from l1emu import __version__
from l1emu.files import write_aside

_HERE = Path(__file__).resolve().parent
_COMPILED = ("kernels.py", "layouts.py", "quantize.py", "simd.py")  # what a generated module is compiled with
_LOCK = threading.RLock()


_TORN = (EOFError, pickle.UnpicklingError, ValueError, KeyError, IndexError, AttributeError)


class _OwnFolder(CompileResultCacheImpl):
    """numba's cache files, in the folder that numba is told and nowhere else."""

    _locator_classes = CompileResultCacheImpl._locator_classes[:1]


class _ForgivingCache(FunctionCache):
    """numba's cache, but a full disk or a torn file means compiling again, not an exception."""

    _impl_class = _OwnFolder

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            try:
                super().save_overload(sig, data)
            except _TORN:
                self.flush()
                super().save_overload(sig, data)
        except OSError:
            return

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except (OSError, *_TORN):
            return None


@functools.cache
def key() -> str:
    """The hash of everything but the firmware and the processor that a compiled kernel depends on."""
    digest = hashlib.sha256()
    for version in (__version__, numba.__version__, llvmlite.__version__, np.__version__, sys.version):
        digest.update(version.encode())
    for source in _COMPILED:
        digest.update((_HERE / source).read_bytes())
    return digest.hexdigest()[:16]


def folder() -> Path:
    """The folder of compiled kernels, which need not exist."""
    chosen = os.environ.get("L1EMU_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser() / key()
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "l1emu" / key()


def compiled(function: Callable[..., Any]) -> Any:
    """`function` compiled by numba at its first call, without the GIL, kept in `folder()` where that can be."""
    config: Any = numba.config
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy", boundscheck=False)(function)
    with _LOCK:
        before = config.CACHE_DIR
        config.CACHE_DIR = str(folder())
        try:
            dispatcher._cache = _ForgivingCache(function)
        except (RuntimeError, OSError):
            pass  # no place to write to: compile in every process
        finally:
            config.CACHE_DIR = before
    return dispatcher


def module_from_source(name: str, source: str) -> ModuleType:
    """Import generated `source` from a file in the cache folder, or from memory where nothing can be written.

    `name` must be unique to the content: a file that is there is not written again.
    """
    path = folder() / f"{name}.py"
    try:
        if not path.exists() or path.read_text(encoding="utf-8") != source:
            with write_aside(path) as aside:
                aside.write_text(source, encoding="utf-8")
    except OSError:
        module = ModuleType(name)
        exec(compile(source, f"<{name}>", "exec"), module.__dict__)
        return module
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # numba looks a cached function's module up by its name
    spec.loader.exec_module(module)
    return module
