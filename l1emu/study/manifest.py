"""What a result was made with: versions, seeds, and hashes of everything that went in."""

from __future__ import annotations

import datetime
import platform
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from l1emu.events.rootfile import root_uuid
from l1emu.files import sha256_file, sha256_stream
from l1emu.remote import RemoteFile, RemotePath, file_size, open_file
from l1emu.stream import Normalisation
from l1emu.version import __version__


def manifest(
    *,
    files: Mapping[str, Path],
    firmware_hashes: Mapping[str, str],
    seeds: Mapping[str, int],
    slices: Mapping[str, int],
    normalisation: Normalisation,
    engine: Mapping[str, Any],
    times: Mapping[str, Any],
) -> dict[str, Any]:
    """The manifest of a result, without host, user or folder names.

    Parameters
    ----------
    files
        Role in the study -> file that was read; what `file_identity` says of it is kept.
    firmware_hashes
        Content hash of the firmware of each tagger, which does not depend on how its file was compressed.
    seeds
        Purpose -> seed of a random generator.
    slices
        Role of a sample -> slices of its pools that its errors are from.
    normalisation
        Of every rate.
    engine, times
        As `l1emu.results.EngineOfStudy` and `TimesOfStudy`.
    """
    return {
        "l1emu": __version__,
        "dependencies": versions(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "engine": dict(engine),
        "times": dict(times),
        "files": {role: file_identity(path) for role, path in files.items()},
        "firmware_content_hashes": dict(firmware_hashes),
        "seeds": dict(seeds),
        "slices": dict(slices),
        "normalisation": {
            "colliding_bunches": normalisation.colliding,
            "revolution_hz": normalisation.revolution_hz,
            "colliding_rate_khz": normalisation.colliding_rate_hz / 1e3,
            "text": str(normalisation),
        },
    }


def file_identity(path: Path) -> dict[str, Any]:
    """Which file this is, as `l1emu.results.FileRead` tells it.

    A ROOT file behind a URL is known by its UUID, size and time of change; others are read and hashed.

    Raises
    ------
    L1emuError
        if it is behind a URL and cannot be read.
    """
    if not isinstance(path, RemotePath):
        uuid, size = root_uuid(path), file_size(path)
        return {"name": path.name, "sha256": sha256_file(path), "uuid": uuid, "bytes": size, "modified": None}
    with RemoteFile(path) as file:
        uuid, size, modified = root_uuid(path), file.size, file.modified
    digest = None
    if uuid is None:
        with open_file(path) as stream:
            digest = sha256_stream(stream)
    if isinstance(modified, float | int):
        modified = datetime.datetime.fromtimestamp(modified, datetime.UTC).isoformat(timespec="seconds")
    return {"name": str(path), "sha256": digest, "uuid": uuid, "bytes": size, "modified": modified}


def versions() -> dict[str, str]:
    """Installed versions of the dependencies without which l1emu does not run."""
    found = {}
    for requirement in metadata.requires("l1emu") or []:
        if "extra ==" in requirement:
            continue
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        found[name] = metadata.version(name)
    return found
