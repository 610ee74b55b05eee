"""Functions that numba compiles at their first call and keeps on disk.

numba compiles a function anew when its own file changes, but not when a compiled function that it calls has changed in
another file: after an update an old kernel would go on computing the old thing. Here the kernels are kept for the whole
set of sources that hold them: if one of these changes, all are compiled again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])

_ROOMS = ("events", "stream")


@cache
def _sources() -> str:
    """A hash of the sources of all rooms with kernels."""
    root = Path(__file__).resolve().parent
    digest = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def kernel(function: F) -> F:
    """`function`, compiled without the GIL and cached on disk."""
    return _compiled(function, inline="never")


def in_place(function: F) -> F:
    """The same, of a function that makes no array and only changes those that it is given.

    numba counts the references to every array that is taken out of a tuple. Without, a kernel whose state is a
    NamedTuple is as fast as one with an argument for each array.
    """
    return _compiled(function, inline="never", _nrt=False, error_model="numpy")


def inlined(function: F) -> F:
    """As `kernel`, put into the code of every kernel that calls it."""
    return _compiled(function, inline="always")


def _compiled(function: F, inline: Literal["never", "always"], **options: Any) -> F:
    dispatcher: Any = numba.njit(cache=True, nogil=True, inline=inline, **options)(function)
    files = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if files is not None:  # not where caching is switched off
        files._source_stamp = (files._source_stamp, _sources())
    return dispatcher  # type: ignore[no-any-return]
