"""Arrays from numpy's files, .npy and .npz, as somebody else may have written them.

`numpy.load` takes a header by its word: a few bytes claim terabytes, name objects to be unpickled, or break its
parser. Here the header is held against the bytes that are there before any memory is taken, and only plain numbers
and texts are read.
"""

from __future__ import annotations

import io
import math
import os
import re
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.files import open_regular
from l1emu.memory import available_memory

Array = npt.NDArray[Any]
Fits = Callable[[tuple[int, ...]], None]

UNPACKED = 1 << 30
"""Bytes to which an archive may unpack whatever its own size, ..."""
RATIO = 20
"""... and how many times its own size beyond that: sparse jets pack ten times, a bomb a thousand times."""

_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 10_000
_MOST_MEMBERS = 10_000
_PLAIN = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|[SU][1-9][0-9]{0,5})")
_PARSER = (
    ValueError,
    TypeError,
    KeyError,
    SyntaxError,
    tokenize.TokenError,
    MemoryError,
    RecursionError,
    OverflowError,
    struct.error,
)
_DAMAGE = (
    OSError,
    ValueError,
    OverflowError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    KeyError,
    IndexError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


def read_npy(path: str | os.PathLike[str], fits: Fits | None = None) -> Array:
    """The array of a .npy file, in this machine's order of bytes.

    Parameters
    ----------
    fits
        Called with the shape that the header states, before memory is taken for it; raises an `L1emuError` if it is
        not the one that is wanted.

    Raises
    ------
    L1emuError
        if the file is absent, no regular file, no .npy, has another size than its header says, or holds anything but
        numbers, truth values and texts.
    """
    with open_regular(path) as file:
        return _member(file, os.fstat(file.fileno()).st_size, Path(path), None, fits)


def read_npz(path: str | os.PathLike[str], names: Iterable[str] | None = None) -> dict[str, Array]:
    """Arrays of a .npz file, those of `names` or all; what else is in it is not read.

    Raises
    ------
    L1emuError
        as `read_npy` does; or if an array is missing or there twice, or the arrays unpack to more than a gigabyte and
        twenty times the file's size.
    """
    file = Path(path)
    with open_regular(file) as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                return _members(archive, file, None if names is None else list(names))
        except _DAMAGE as error:
            raise L1emuError(f"not a readable npz: {_first_line(error)}", path=file) from None


def is_npy(path: str | os.PathLike[str]) -> bool:
    """Whether the regular file at `path` begins as a .npy does."""
    with open_regular(path) as file:
        return file.read(len(_MAGIC)) == _MAGIC


def check_array(
    array: Array,
    *,
    path: str | os.PathLike[str],
    where: str,
    kinds: str,
    shape: tuple[int | None, ...],
    low: float | None = None,
    high: float | None = None,
) -> Array:
    """`array`, if it is what a file must have at `where`.

    Parameters
    ----------
    kinds
        The kinds of dtype that will do, as numpy's letters: `iu` integers, `f` floats, `U` text, `b` truth values.
    shape
        The shape; None where any length will do.
    low, high
        The lowest and the highest value; with either, no value may be NaN.

    Raises
    ------
    L1emuError
        that names path, array, what was found and what would be right.
    """
    if array.dtype.kind not in kinds:
        words = {"i": "integers", "f": "floats", "U": "text", "b": "truth values"}
        expected = " or ".join(words[kind] for kind in kinds if kind in words)
        raise L1emuError("wrong type", path=path, where=where, value=str(array.dtype), expected=expected)
    fits = len(array.shape) == len(shape) and all(
        want is None or have == want for have, want in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        expected = f"({wanted},)" if len(shape) == 1 else f"({wanted})"
        raise L1emuError("wrong shape", path=path, where=where, value=array.shape, expected=expected)
    if array.size and (low is not None or high is not None):
        least, most = array.min().item(), array.max().item()  # NaN if one is
        if not ((low is None or least >= low) and (high is None or most <= high)):
            wrong = least if low is not None and not least >= low else most
            span = (
                f"at least {low:,}" if high is None else f"at most {high:,}" if low is None else f"{low:,} to {high:,}"
            )
            raise L1emuError("a value out of range", path=path, where=where, value=wrong, expected=span)
    return array


def _members(archive: zipfile.ZipFile, file: Path, names: list[str] | None) -> dict[str, Array]:
    found: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name in found:
            raise L1emuError("an array that is there twice", path=file, value=name)
        found[name] = info
        if len(found) > _MOST_MEMBERS:
            raise L1emuError("too many arrays", path=file, expected=f"at most {_MOST_MEMBERS:,}")
    for name in names or ():
        if name not in found:
            raise L1emuError("an array is missing", path=file, where=name, value=sorted(found))
    wanted = list(found) if names is None else names
    unpacked = sum(found[name].file_size for name in wanted)
    packed = os.fstat(archive.fp.fileno()).st_size if archive.fp is not None else 0
    if unpacked > max(UNPACKED, RATIO * packed):
        raise L1emuError(
            "too large when unpacked", path=file, value=f"{unpacked:,} bytes", expected=f"at most {UNPACKED:,}"
        )
    arrays = {}
    for name in wanted:
        with archive.open(found[name]) as member:
            arrays[name] = _member(member, found[name].file_size, file, name)
            if member.read(1):  # also makes zipfile compare the checksum
                raise L1emuError("bytes after the end of the array", path=file, where=name)
    return arrays


def _member(stream: IO[bytes], size: int, file: Path, where: str | None, fits: Fits | None = None) -> Array:
    """The array of a stream of `size` bytes."""
    shape, fortran, dtype, used = _header(stream, file, where)
    needed = math.prod(shape) * dtype.itemsize
    if needed != size - used:
        raise L1emuError(
            f"not an array of shape {shape} of {dtype}",
            path=file,
            where=where,
            value=f"{size - used:,} bytes",
            expected=f"{needed:,}",
        )
    if fits is not None:
        fits(shape)
    try:
        if needed * (1 if dtype.isnative else 2) > available_memory():  # other orders of bytes are copied
            raise MemoryError
        array = np.empty(shape, dtype, order="F" if fortran else "C")
    except (ValueError, MemoryError):
        raise L1emuError("too large for the memory that is free", path=file, where=where, value=shape) from None
    flat = array.reshape(-1, order="A") if array.ndim else array.reshape(1)
    data: Any = flat.view(np.uint8) if needed else b""
    view, read = memoryview(data), 0
    while read < needed:
        part = stream.readinto(view[read : read + (1 << 24)])  # type: ignore[attr-defined]
        if not part:
            raise L1emuError("ends too early", path=file, where=where, value=f"{read:,} bytes", expected=f"{needed:,}")
        read += part
    if dtype.kind == "b" and needed and int(flat.view(np.uint8).max()) > 1:
        raise L1emuError("truth values that are neither 0 nor 1", path=file, where=where)
    if dtype.kind == "U" and needed:
        codes = flat.view(f"{dtype.byteorder}u4")
        if int(codes.max()) > 0x10FFFF or bool(((codes >= 0xD800) & (codes < 0xE000)).any()):
            raise L1emuError("text that is no Unicode", path=file, where=where)
    return array if dtype.isnative else array.astype(dtype.newbyteorder("="))


def _header(stream: IO[bytes], file: Path, where: str | None) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, order, dtype, and the bytes up to the array's first."""
    begin = stream.read(8)
    if begin[: len(_MAGIC)] != _MAGIC or len(begin) < 8:
        raise L1emuError("not a .npy", path=file, where=where, value=begin[:6], expected=f"{_MAGIC!r} at its begin")
    version = begin[6], begin[7]
    if version not in ((1, 0), (2, 0)):
        raise L1emuError(
            "unknown version of .npy", path=file, where=where, value=f"{begin[6]}.{begin[7]}", expected="1.0 or 2.0"
        )
    digits = 2 if version == (1, 0) else 4
    stated = stream.read(digits)
    length = int.from_bytes(stated, "little")
    if length > _LONGEST_HEADER:
        raise L1emuError("the header is too long", path=file, where=where, value=f"{length:,} bytes")
    text = stream.read(length)
    parse = np.lib.format.read_array_header_1_0 if digits == 2 else np.lib.format.read_array_header_2_0
    descr = re.search(rb"""['"]descr['"]\s*:\s*(['"][^'"]*['"]|.)""", text)
    kind = "" if descr is None else descr.group(1).decode("latin1").strip("'\"")
    if descr is not None and _PLAIN.fullmatch(kind) is None:
        what = "an array of Python objects, which is never unpickled" if kind in ("|O", "O") else "no plain numbers"
        raise L1emuError(what, path=file, where=where, value=kind, expected="integers, floats, truth values or text")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shape, fortran, dtype = parse(io.BytesIO(stated + text))  # type: ignore[no-untyped-call]
    except _PARSER as error:
        raise L1emuError(f"the header is damaged: {_first_line(error)}", path=file, where=where) from None
    if _PLAIN.fullmatch(dtype.str) is None or dtype.itemsize == 0:
        raise L1emuError("no plain numbers", path=file, where=where, value=dtype.str)
    if len(shape) > 32 or any(not 0 <= n < 2**62 for n in shape):
        raise L1emuError("the header is damaged: not a shape", path=file, where=where, value=shape)
    return shape, fortran, dtype, 8 + digits + length


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
