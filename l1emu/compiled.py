"""Functions that numba compiles at their first call and that are kept on disk: a second process compiles nothing.

numba compiles a function anew when its own file changes, but not when a compiled function that it calls has changed in
another file: after an update an old kernel would go on computing the old thing. Here the kernels are kept under one
key, a hash of all sources that hold them and of the versions of l1emu, numba, llvmlite, numpy and Python. The processor
is part of each file's name.

The folder is that of `l1emu.caches.cache_root`. Before it another one is looked into, which is only read: that of
`L1EMU_KERNELS`, which `l1emu compile` wrote, maybe on another machine. What lies there is machine code, so it is loaded
only if nobody but this user and root could have written it, and if its hash tells that it is whole. Whatever is
missing, damaged, open to others or on a full disk costs a compilation and nothing else.

The processor is this one itself, or the level that `l1emu.processor` chose, which numba is told here.

What lies in the folder, kernels of other versions included, takes no more than `L1EMU_KERNEL_CACHE_MB`: beyond it those
that were used longest ago are removed.

LLVM keeps some 2 to 10 MB for each function that it has compiled, until the process ends, and 1 MB for one that is
loaded. After `_HERE` of them functions are compiled in a child process and loaded, so that memory does not grow without
end in a program that emulates many firmwares; a child takes longer, since what numba compiles for itself ends with it.

Numba compiles in one thread at a time. A fork waits until no thread does: the child would wait for ever for a thread
that it does not have.
"""

from __future__ import annotations

import functools
import gc
import hashlib
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, TypeVar

import llvmlite
import numba
import numpy as np
from llvmlite.binding import ffi
from numba.core import serialize, types
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import CPUDispatcher, cpu_target
from numba.core.sigutils import normalize_signature

from l1emu import debug
from l1emu.caches import (
    KERNEL_CACHE,
    KERNELS_FILE,
    cache_limit,
    cache_root,
    drop_oldest,
    files_of_cache,
    shipped_kernels,
)
from l1emu.children import end_with_parent
from l1emu.errors import L1emuError
from l1emu.files import read_bytes, write_aside
from l1emu.processor import chosen_level, pin_processor
from l1emu.trust import make_private_folder, private_file
from l1emu.version import __version__
from l1emu.waiting import note

_F = TypeVar("_F", bound=Callable[..., Any])

_ROOMS = ("emulator", "events", "stream", "trigger")
_MODULES = ("compiled.py", "splitmix.py")
_LIMIT = 1 << 28  # bytes of a compiled function; the largest firmware takes some 10 MB
_CACHE_MB = 1000
KERNEL_SUFFIX = ".nbc"
"""Of the names of all files of compiled kernels: what the limit counts."""
_USED_AGAIN = 3600  # seconds after which a file's time is set anew when it is used
_DIGEST = 32
_KERNELS: dict[tuple[str, str], Any] = {}
_HERE = 128  # compilations in this process, 300 MB: more than the embedded study has


@functools.cache
def key() -> str:
    """The hash of everything but the function and the processor that a compiled kernel depends on."""
    digest = hashlib.sha256()
    for version in (__version__, numba.__version__, llvmlite.__version__, np.__version__, sys.version):
        digest.update(version.encode())
    root = Path(__file__).resolve().parent
    modules = [root / module for module in _MODULES]
    for source in [*modules, *(p for room in _ROOMS for p in sorted((root / room).rglob("*.py")))]:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def folder() -> Path | None:
    """The folder of compiled kernels, which need not exist; None where there is no place for one."""
    root = cache_root()
    return None if root is None else root / key()


@functools.cache
def _shipped() -> Path | None:
    """The same in `L1EMU_KERNELS`; None if that is not set."""
    root = shipped_kernels()
    return None if root is None else root / key()


def kernel(function: _F) -> _F:
    """`function`, compiled without the GIL and cached on disk."""
    return _compiled(function)


def in_place(function: _F) -> _F:
    """The same, of a function that makes no array and only changes those that it is given.

    numba counts the references to every array that is taken out of a tuple. Without, a kernel whose state is a
    NamedTuple is as fast as one with an argument for each array.
    """
    return _compiled(function, _nrt=False, error_model="numpy")


def in_place_inlined(function: _F) -> _F:
    """As `in_place`, put into the machine code of every kernel that calls it: quicker to compile than `inlined`."""
    return _compiled(function, _nrt=False, error_model="numpy", forceinline=True)


def inlined(function: _F) -> _F:
    """As `kernel`, put into the code of every kernel that calls it."""
    return kept(function, numba.njit(nogil=True, inline="always"))


def _compiled(function: _F, **options: Any) -> _F:
    options |= {"nogil": True, "nopython": True, "no_cfunc_wrapper": True}
    told_not_to: bool = numba.config.DISABLE_JIT  # type: ignore[attr-defined]
    return kept(function, lambda plain: plain if told_not_to else _Kernel(plain, targetoptions=options))


class Inner(CPUDispatcher):
    """What compiled code calls of a function: compiled once for all numbers of one type.

    Numba's would be compiled for each literal in a call of it.

    Attributes
    ----------
    literal
        Parameters whose numbers are compiled in nevertheless.
    """

    literal: frozenset[str] = frozenset()

    def get_call_template(self, args: Any, kws: Any) -> Any:
        plain: Any = types.unliteral

        def of(name: str, kind: Any) -> Any:
            return kind if name in self.literal else plain(kind)

        names = self.py_func.__code__.co_varnames[: len(args)]
        kinds = tuple(of(name, kind) for name, kind in zip(names, args, strict=True))
        return super().get_call_template(kinds, {name: of(name, kind) for name, kind in kws.items()})


class _Kernel(CPUDispatcher):
    """A kernel for Python to call; compiled code calls its `Inner`, without the wrapper for Python."""

    def __init__(self, py_func: Callable[..., Any], locals: Any = None, targetoptions: Any = None) -> None:
        super().__init__(py_func, locals, targetoptions)
        inner: Any = Inner(py_func, locals, {**(targetoptions or {}), "no_cpython_wrapper": True})
        inner._cache = _Kept(py_func, inner._compiler, "inner")
        self._inner = inner

    def get_call_template(self, args: Any, kws: Any) -> Any:
        return self._inner.get_call_template(args, kws)

    def get_overload(self, sig: Any) -> Any:
        return self._inner.get_overload(sig)


def kept(function: _F, decorator: Callable[[_F], Any]) -> _F:
    """What `decorator`, one of numba's, makes of `function`, kept in `folder()` where that can be.

    Raises
    ------
    L1emuError
        by what is returned, if numba is told not to compile: these functions rely on the integers of compiled code.
    """
    dispatcher = decorator(function)
    if not hasattr(dispatcher, "_cache"):

        @functools.wraps(function)
        def refuse(*_: Any, **__: Any) -> Any:
            raise L1emuError("kernels have to be compiled", where="NUMBA_DISABLE_JIT", expected="0, or not set")

        return refuse  # type: ignore[return-value]
    dispatcher._cache = _Kept(function, dispatcher._compiler)
    _KERNELS[function.__module__, function.__qualname__] = dispatcher
    return dispatcher  # type: ignore[no-any-return]


def kernel_signatures() -> dict[tuple[str, str], list[Any]]:
    """The types that each kernel of a module of l1emu was compiled or loaded for in this process, by module and name.

    Those of modules that were written for one firmware are not in it, see `Emulator.compile`.
    """
    found = {name: list(kernel_.signatures) for name, kernel_ in _KERNELS.items() if name[0].startswith("l1emu.")}
    return {name: signatures for name, signatures in found.items() if signatures}


def compile_signatures(wanted: Mapping[tuple[str, str], Sequence[Any]]) -> None:
    """Compile what `kernel_signatures` gave in another process, or load it, and run nothing."""
    for (module, name), signatures in wanted.items():
        import_module(module)
        for signature in signatures:
            _KERNELS[module, name].compile(signature)


def compile_for(function: Any, *arguments: Any) -> None:
    """Compile a kernel, or load it, for arguments of these types, and do not run it.

    Raises
    ------
    L1emuError
        as `kept` says.
    """
    if not hasattr(function, "compile"):
        function()  # refuses
    function.compile(tuple(numba.typeof(argument) for argument in arguments))  # type: ignore[no-untyped-call]


class _Kept(NullCache):
    """The compiled forms of one function on disk: a file each, that begins with the SHA-256 of the rest."""

    compilations = 0  # in this process

    def __init__(self, function: Callable[..., Any], compiler: Any, form: str = "") -> None:
        self._name = f"{function.__module__}.{function.__qualname__}"
        self._form = form
        self._code = hashlib.sha256(function.__code__.co_code).hexdigest()
        self._compiler = compiler

    @property
    def cache_path(self) -> str:
        """The folder, for numba's statistics."""
        return str(folder())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The function compiled for the types `sig`; None if it is not there, or not to be relied on."""
        target_context.refresh()
        name = self._file(sig, target_context.codegen())
        path = _in(folder(), name)
        found = kept_as(name, lambda stored: _rebuilt(stored, sig, target_context))
        if found is None:
            _tell(self._name, sig)
            note("compiling kernels")
        if found is None and _Kept.compilations >= _HERE:
            stored = self._compiled_apart(sig)
            found = _rebuilt(stored, sig, target_context)
            if found is not None and path is not None:
                _keep(path, stored)
        if found is not None:
            note("")
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep `data`, what numba compiled for the types `sig`."""
        _Kept.compilations += 1
        note("")
        keep_as(self._file(sig, data.codegen), _stored(sig, data))

    def _compiled_apart(self, sig: Any) -> bytes:
        """What `_stored` gives of a compilation in a child process; nothing if that fails."""
        with open(os.memfd_create("l1emu", os.MFD_CLOEXEC), "w+b") as shared:
            parent = os.getpid()
            collects = gc.isenabled()
            gc.disable()  # a collection in the child would end what other libraries' threads hold here
            try:
                child = os.fork()
                if not child:
                    self._compile_for(parent, sig, shared)
            finally:
                if collects:
                    gc.enable()
            try:
                os.waitpid(child, 0)
            except BaseException:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                raise
            shared.seek(0)
            return shared.read()

    def _compile_for(self, parent: int, sig: Any, shared: BinaryIO) -> NoReturn:
        """In the child: write the compiled function into `shared` and end, whatever happens."""
        try:
            end_with_parent(parent)
            _Kept.compilations = -sys.maxsize  # what the function calls is compiled in this process, too
            arguments, result = normalize_signature(sig)  # type: ignore[no-untyped-call]
            shared.write(_stored(sig, self._compiler.compile(arguments, result)))
            shared.flush()
        finally:
            os._exit(0)

    def _file(self, sig: Any, codegen: Any) -> str:
        text = "\n".join((self._name, self._form, self._code, repr(sig), repr(codegen.magic_tuple())))
        return f"{self._name.rpartition('.')[2]}-{hashlib.sha256(text.encode()).hexdigest()[:32]}{KERNEL_SUFFIX}"


def kept_as(name: str, rebuilt: Callable[[bytes], Any]) -> Any:
    """What `rebuilt` makes of the bytes of a file that was shipped or kept; None where it is not there, or will not do.

    The bytes are whole, and nobody else can have written them: they may be unpickled.
    """
    path = _in(folder(), name)
    for place in (_in(_shipped(), name), path):
        if place is not None and private_file(place):
            found = rebuilt(_whole(place))
            if found is not None:
                if place is path:
                    _used(place)
                return found
    return None


def keep_as(name: str, stored: bytes) -> None:
    """Keep bytes for `kept_as`, where there is a place for them."""
    path = _in(folder(), name)
    if path is not None:
        _keep(path, stored)


def _in(where: Path | None, name: str) -> Path | None:
    return None if where is None else where / name


def _tell(name: str, sig: Any) -> None:
    if debug.wanted("kernels"):
        debug.show(f"compiled: {name}{sig} for {numba.config.CPU_NAME or 'this processor'}")  # type: ignore[attr-defined]


def _stored(sig: Any, data: Any) -> bytes:
    """A compiled function as bytes; none if numba cannot tell all that it needs."""
    if data.library.has_dynamic_globals or any(not lifted.can_cache for lifted in data.lifted):
        return b""
    return bytes(serialize.dumps((sig, data._reduce())))  # type: ignore[no-untyped-call]


def _rebuilt(stored: bytes, sig: Any, target_context: Any) -> Any:
    """The function that `_stored` made bytes of; None if it is another one, or none."""
    try:
        found, payload = pickle.loads(stored)
        if found != sig:
            return None
        return CompileResult._rebuild(target_context, *payload)  # type: ignore[no-untyped-call]
    except Exception:  # unpickling raises anything; the answer is to compile
        return None


def _whole(path: Path) -> bytes:
    """The bytes in a file, nothing if they are not those that were written."""
    try:
        content = read_bytes(path, limit=_LIMIT)
    except L1emuError:
        return b""
    return content[_DIGEST:] if hashlib.sha256(content[_DIGEST:]).digest() == content[:_DIGEST] else b""


def _used(path: Path) -> None:
    """Note that a kept function was used, for what is removed first."""
    with suppress(OSError):
        if time.time() - path.stat().st_mtime > _USED_AGAIN:
            os.utime(path)


def _keep(path: Path, stored: bytes) -> None:
    """Write a file for `_whole`, if there is a place that is ours, and remove the oldest beyond the limit.

    A folder that `l1emu compile` wrote stays whole.

    Raises
    ------
    L1emuError
        if `L1EMU_KERNEL_CACHE_MB` is no number of MB.
    """
    limit = cache_limit(KERNEL_CACHE, _CACHE_MB)
    if not stored or not limit or not make_private_folder(path.parent):
        return
    with suppress(L1emuError, OSError), write_aside(path) as aside:
        aside.write_bytes(hashlib.sha256(stored).digest() + stored)
    root = path.parents[1]
    if not (root / KERNELS_FILE).exists():
        drop_oldest(files_of_cache(root, KERNEL_SUFFIX), limit)


def _choose_processor() -> None:
    level = chosen_level(key())
    if level is not None:
        pin_processor(level)


_choose_processor()


def _locks() -> list[AbstractContextManager[Any]]:
    """What numba holds while it compiles, in its order: compiler, contexts that it looks up, calls of llvmlite."""
    _ = cpu_target.typing_context, cpu_target.target_context  # made now: that takes locks in another order
    looked_up = [value._lock for value in vars(type(cpu_target)).values() if hasattr(value, "_lock")]
    return [global_compiler_lock, *looked_up, getattr(ffi.lib, "_lock", nullcontext())]


_LOCKS = _locks()


def _hold() -> None:
    for lock in _LOCKS:
        lock.__enter__()


def _let_go() -> None:
    for lock in reversed(_LOCKS):
        lock.__exit__(None, None, None)


os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_let_go)
