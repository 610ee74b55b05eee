"""Outputs of networks kept on disk by what went in, so that a study that is run again emulates only what is new.

A batch is known by the SHA-256 of the firmware's content hash, of the version of all kernels (`l1emu.compiled.key`) and
of the bytes of its inputs. What is kept are the raw integers of the outputs, compressed, behind the SHA-256 of all
that. They lie in `scores` in `l1emu.caches.cache_root`; whatever is missing, damaged, open to others or on a full disk
is emulated. What was not used for longest is removed where all of it takes more than `L1EMU_SCORE_CACHE_MB`.

Where hashing and keeping a batch costs more than a small part of the processor time of its emulation, nothing is kept
any more. What comes out never depends on any of this: emulation is exact.
"""

from __future__ import annotations

import hashlib
import os
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.arraytypes import Floats
from l1emu.caches import SCORE_CACHE, cache_limit, cache_root, drop_oldest, files_of_cache
from l1emu.compiled import key
from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.files import read_bytes, write_aside
from l1emu.layers import Tensor
from l1emu.trust import make_private_folder, private_file

_DEFAULT_MB = 500
_WORTH = 5
"""Emulation takes at least so many times as long as what is done to keep it, or it is not kept."""
_JUDGED = 2  # batches after the first, in whose time kernels may have been compiled
_SHARE = 16  # of the limit is written before all that lies there is counted again: others write there, too
_DIGEST = 32
_SUFFIX = ".scores"
_MOST_BYTES = 1 << 30  # of one batch


class ScoreCache:
    """The outputs of an emulator, of a batch that was emulated before from the disk.

    Parameters
    ----------
    emulator
        Of the network.

    Raises
    ------
    L1emuError
        if `L1EMU_SCORE_CACHE_MB` is no number of MB.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._tensors = emulator.firmware.outputs
        self._store = _Store(cache_limit(SCORE_CACHE, _DEFAULT_MB))
        self._batches = 0
        self._emulation, self._keeping = 0.0, 0.0
        self._worth = self._store.limit > 0

    def outputs(self, inputs: Mapping[str, npt.NDArray[Any]]) -> tuple[dict[str, Floats], float | None]:
        """The outputs by their names, as the emulator gives them, and the seconds of the emulation; None without one.

        Parameters
        ----------
        inputs
            By their names, (jets, *shape).

        Raises
        ------
        L1emuError
            as the emulator does.
        """
        if not self._worth:
            return self._emulated(inputs)
        begin = time.process_time()
        jets, name = len(next(iter(inputs.values()))), self._name(inputs)
        found = _unpacked(self._store.read(name), self._tensors, jets)
        if found is not None:
            return found, None
        looked = time.process_time()
        found, seconds = self._emulated(inputs)
        done = time.process_time()
        self._store.write(name, _packed(found, self._tensors))
        self._judge(done - looked, time.process_time() - done + looked - begin)
        return found, seconds

    def _judge(self, emulation: float, keeping: float) -> None:
        """Whether it goes on, by the processor time of a batch that was emulated and kept."""
        self._batches += 1
        if self._batches > 1:
            self._emulation += emulation
            self._keeping += keeping
        if self._batches > _JUDGED:
            self._worth = self._emulation > _WORTH * self._keeping

    def _emulated(self, inputs: Mapping[str, npt.NDArray[Any]]) -> tuple[dict[str, Floats], float]:
        begin = time.perf_counter()
        found = self._emulator(inputs)
        seconds = time.perf_counter() - begin
        return self._emulator.by_name(found), seconds

    def _name(self, inputs: Mapping[str, npt.NDArray[Any]]) -> str:
        digest = hashlib.sha256(f"{key()} {self._emulator.firmware.content_hash}".encode())
        for name, values in inputs.items():
            digest.update(f"\0{name}\0{values.dtype.str}\0{values.shape}\0".encode())
            digest.update(np.ascontiguousarray(values).data.cast("B") if values.size else b"")
        return digest.hexdigest()


class _Store:
    """Files by name in a folder that does not grow beyond a limit, those last that were used last."""

    def __init__(self, limit: int) -> None:
        root = cache_root()
        self.limit = 0 if root is None else limit
        self._folder = Path() if root is None else root / "scores"
        self._unseen = limit  # bytes that were written since all was counted; all is counted at the first one

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / f"{name}{_SUFFIX}"

    def read(self, name: str) -> bytes:
        """What was written by that name; nothing if it is not there, or not whole."""
        path = self._path(name)
        if not private_file(path):
            return b""
        try:
            content = read_bytes(path, limit=_MOST_BYTES)
        except L1emuError:
            return b""
        if hashlib.sha256(name.encode() + content[_DIGEST:]).digest() != content[:_DIGEST]:
            return b""
        with suppress(OSError):
            os.utime(path)
        return content[_DIGEST:]

    def write(self, name: str, content: bytes) -> None:
        """Keep it, if there is a place that is ours, and room."""
        path = self._path(name)
        size = _DIGEST + len(content)
        if size > self.limit // _SHARE or not make_private_folder(path.parent):
            return
        with suppress(L1emuError, OSError), write_aside(path) as aside:
            aside.write_bytes(hashlib.sha256(name.encode() + content).digest() + content)
        self._unseen += size
        if self._unseen > self.limit // _SHARE:
            self._shrink()
            self._unseen = 0

    def _shrink(self) -> None:
        """Remove what was not used for longest, until a share of the limit is free again."""
        drop_oldest(files_of_cache(self._folder, _SUFFIX), self.limit - self.limit // _SHARE)


def _kind(tensor: Tensor) -> np.dtype[Any]:
    """The least type of numpy, little-endian, for raw values of a tensor; float64 where the emulator's are rounded."""
    for size in (1, 2, 4, 8):
        for sign in "ui":
            limits = np.iinfo(f"{sign}{size}")
            if limits.min <= tensor.type.low and tensor.type.high <= limits.max and tensor.type.width <= 53:
                return np.dtype(f"<{sign}{size}")
    return np.dtype("<f8")


def _packed(found: Mapping[str, Floats], tensors: tuple[Tensor, ...]) -> bytes:
    parts = []
    for tensor in tensors:
        kind, values = _kind(tensor), found[tensor.name]
        scaled = np.ldexp(values, tensor.type.fraction) if kind.kind in "ui" else values
        parts.append(np.ascontiguousarray(scaled, dtype=kind).tobytes())
    return zlib.compress(b"".join(parts), 1)


def _unpacked(content: bytes, tensors: tuple[Tensor, ...], jets: int) -> dict[str, Floats] | None:
    """What `_packed` made bytes of; None if it is something else."""
    sizes = [jets * tensor.size * _kind(tensor).itemsize for tensor in tensors]
    unpacking = zlib.decompressobj()
    try:
        data = unpacking.decompress(content, sum(sizes) + 1) if content else b""
    except zlib.error:
        return None
    if not content or len(data) != sum(sizes) or not unpacking.eof:
        return None
    found, first = {}, 0
    for tensor, size in zip(tensors, sizes, strict=True):
        values = np.frombuffer(data[first : first + size], _kind(tensor)).reshape(jets, *tensor.shape)
        found[tensor.name] = values.copy() if values.dtype.kind == "f" else tensor.type.to_float(values)
        first += size
    return found
