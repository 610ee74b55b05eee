"""Files of shards: a part of a study with a seal behind it, which says whose it is and that it is whole.

A part is a zip, and the seal is its comment: a line of JSON with the shard's id, the number of bytes before it, their
SHA-256, and what it took to make. Its end is all that has to be read to see whether a shard is there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import zipfile
from pathlib import Path
from typing import BinaryIO

from pydantic import Field, ValidationError

from l1emu.batch.plain import canonical
from l1emu.config import Config
from l1emu.errors import L1emuError
from l1emu.files import open_regular, write_aside

SUFFIX = ".l1part"
"""Of a shard's file."""

SEAL_VERSION = 1
_KIND = "l1emu shard"
_END = struct.Struct("<4s4H2LH")  # the end of a zip's directory; its last number is the length of the comment
_END_MAGIC = b"PK\x05\x06"


class Seal(Config):
    """What a shard's file says of itself.

    `seconds` is wall time, `memory_mb` the peak of the process that made it.
    """

    kind: str = Field(default=_KIND, pattern=f"^{_KIND}$")
    version: int = Field(default=SEAL_VERSION, ge=1, le=1_000_000)
    id: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0, lt=2**62)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    crossings: int = Field(ge=0, lt=2**62)
    seconds: float = Field(ge=0, le=1e9)
    memory_mb: float = Field(ge=0, le=1e9)


def write_shard(path: Path, part: Path, shard: str, *, crossings: int, seconds: float, memory_mb: float) -> None:
    """Write the file of a shard from that of its part: aside, and renamed when it is whole.

    Parameters
    ----------
    path, part
        The shard's file, and the part's: a zip without a comment.
    shard
        The shard's id.
    crossings, seconds, memory_mb
        As in `Seal`.

    Raises
    ------
    L1emuError
        if it cannot be written.
    """
    with write_aside(path) as aside, open(part, "rb") as source, open(aside, "w+b") as target:
        shutil.copyfileobj(source, target, 1 << 20)
        size = target.tell()
        target.seek(size - _END.size)
        magic, *_, commented = _END.unpack(target.read(_END.size))
        if magic != _END_MAGIC or commented:
            raise AssertionError("a part is a zip without a comment")
        seal = {"id": shard, "bytes": size, "crossings": crossings}
        seal |= {"seconds": round(seconds, 3), "memory_mb": round(memory_mb, 1)}
        blank = canonical(Seal.model_validate(seal | {"sha256": "0" * 64}).model_dump())
        target.seek(size - 2)
        target.write(struct.pack("<H", len(blank)))
        target.seek(0)
        sealed = Seal.model_validate(seal | {"sha256": _digest(target, size)})
        target.seek(size)
        target.write(canonical(sealed.model_dump()))


def read_seal(path: Path, shard: str) -> Seal:
    """What the file of a shard says of itself: only its end is read, which a truncated one does not have.

    Raises
    ------
    L1emuError
        if it is absent, truncated, no shard, of another version, or another shard.
    """
    with open_regular(path) as stream:
        comment = _comment(stream, path)
        size = os.fstat(stream.fileno()).st_size - len(comment)
    seal = seal_of(comment, shard, path, _no_shard(path))
    if seal.bytes != size:
        raise _no_shard(path)
    return seal


def seal_of(text: bytes | str, shard: str, path: Path, damaged: L1emuError) -> Seal:
    """A seal that was read, of a file of this shard.

    Raises
    ------
    L1emuError
        `damaged` if it is none, or if it is of another version or another shard.
    """
    try:
        seal = Seal.model_validate_json(text)
    except ValidationError:
        raise damaged from None
    if seal.version != SEAL_VERSION:
        raise L1emuError(
            "a shard of another version of l1emu",
            path=path,
            value=seal.version,
            expected=f"{SEAL_VERSION}: this one made again",
        )
    if seal.id != shard:
        raise L1emuError("another shard under this name", path=path, value=seal.id)
    return seal


def check_shard(path: Path, shard: str) -> Seal:
    """What the file of a shard says of itself, all of its bytes held against it.

    Raises
    ------
    L1emuError
        as `read_seal` does, or if the content is damaged.
    """
    seal = read_seal(path, shard)
    with open_regular(path) as stream:
        if _digest(stream, seal.bytes) != seal.sha256:
            raise L1emuError("a damaged shard: its content is not what was written", path=path)
    return seal


def _digest(stream: BinaryIO, size: int) -> str:
    """SHA-256 of the next bytes."""
    digest = hashlib.sha256()
    while size and (block := stream.read(min(size, 1 << 20))):
        digest.update(block)
        size -= len(block)
    return digest.hexdigest()


def _comment(stream: BinaryIO, path: Path) -> bytes:
    try:
        with zipfile.ZipFile(stream) as container:
            return container.comment
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        raise _no_shard(path) from None


def _no_shard(path: Path) -> L1emuError:
    return L1emuError("a truncated shard, or no shard at all", path=path)
