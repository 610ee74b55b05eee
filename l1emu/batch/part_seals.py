"""Seals of the parts of a recipe's sample: beside each file, which is the sample's own and knows no hash of itself."""

from __future__ import annotations

import os
from pathlib import Path

from l1emu.batch.plain import canonical
from l1emu.batch.shard_files import Seal, seal_of
from l1emu.errors import L1emuError
from l1emu.files import open_regular, read_text, sha256_stream, write_aside

_LIMIT = 4096
_TRIES = 5


def part_seal_path(path: Path) -> Path:
    """Where the seal of a part's file stands."""
    return path.with_name(f"{path.name}.json")


def seal_part(path: Path, shard: str, *, crossings: int, seconds: float, memory_mb: float) -> Seal:
    """Write the seal of a part's file: aside, and renamed.

    Another process that makes the same part may put its file, of the same crossings and another date, in the place of
    this one in between: whoever seals last looks again.

    Parameters
    ----------
    path
        The part's file.
    shard
        The shard's id.
    crossings, seconds, memory_mb
        As in `Seal`.

    Raises
    ------
    L1emuError
        if the file is not there, or the seal cannot be written.
    """
    made = {"id": shard, "crossings": crossings, "seconds": round(seconds, 3), "memory_mb": round(memory_mb, 1)}
    for last in range(_TRIES):
        with open_regular(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            seal = Seal.model_validate(made | {"bytes": size, "sha256": sha256_stream(stream)})
        with write_aside(part_seal_path(path)) as aside:
            aside.write_bytes(canonical(seal.model_dump()))
        try:
            return check_part(path, shard)
        except L1emuError:
            if last == _TRIES - 1:
                raise
    raise AssertionError("returned or raised above")


def read_part_seal(path: Path, shard: str) -> Seal:
    """What the seal of a part's file says; of the file itself only the size is looked at.

    Raises
    ------
    L1emuError
        if either is absent or truncated, or the seal is damaged or of another shard.
    """
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
    place = part_seal_path(path)
    if not place.exists():
        raise L1emuError("a part that was not finished: it has no seal", path=path)
    seal = seal_of(read_text(place, limit=_LIMIT), shard, path, L1emuError("a damaged seal", path=place))
    if seal.bytes != size:
        raise L1emuError("a truncated part", path=path, value=f"{size:,} bytes", expected=f"{seal.bytes:,}")
    return seal


def check_part(path: Path, shard: str) -> Seal:
    """What the seal of a part's file says, all bytes of the file held against it.

    Raises
    ------
    L1emuError
        as `read_part_seal` does, or if the content is damaged.
    """
    seal = read_part_seal(path, shard)
    with open_regular(path) as stream:
        if sha256_stream(stream) != seal.sha256:
            raise L1emuError("a damaged part: its content is not what was written", path=path)
    return seal
