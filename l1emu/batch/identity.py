"""What a part of a study depends on, as plain data: its hash names the part, and two of them tell what differs.

Only what the first pass over crossings looks at is in it. A target rate, a budget or a beam is used at the end alone,
so that studies which differ in these share their shards.
"""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from l1emu.batch.plain import as_read, canonical
from l1emu.events.sample import Sample
from l1emu.files import sha256_bytes, sha256_file
from l1emu.study.config import BACKGROUND, StudyFile
from l1emu.study.samples import StudySample
from l1emu.taggers import EmulatedTagger
from l1emu.version import __version__

PACKAGES = ("awkward", "awkward_cpp", "llvmlite", "numba", "numpy", "scipy", "uproot")
"""Packages of which another version may give another number."""

_AT_THE_END = {"name", "beam", "latency"}
_BY_CONTENT = {"objects", "tagger", "taggers", "versions", "menu", "scalings"}
_BY_ROLE = {"samples", "turn_ons", "stream"}
_PACKAGE = Path(__file__).parent.parent


@cache
def made_with() -> dict[str, str]:
    """Versions of everything here that can change a number, and a hash of l1emu's own code."""
    found = {"l1emu": __version__, "code of l1emu": _own_code(), "machine": platform.machine()}
    found["python"] = f"{sys.version_info.major}.{sys.version_info.minor}"
    return found | {name: metadata.version(name) for name in PACKAGES}


def _own_code() -> str:
    """A hash of the package's modules: a checkout changes under one version."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py"), key=lambda path: path.relative_to(_PACKAGE).as_posix()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(_PACKAGE).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def study_identity(file: StudyFile, taggers: Mapping[str, EmulatedTagger]) -> dict[str, Any]:
    """What parts of all samples of a study depend on; a new key of a study counts until it is known not to.

    Parameters
    ----------
    taggers
        Of the study by name, those of other versions of a firmware with them.

    Raises
    ------
    L1emuError
        if a file that the study names is absent.
    """
    study = file.study
    settings = study.model_dump(mode="json", exclude=_AT_THE_END | _BY_CONTENT | _BY_ROLE)
    del settings["rate"]["target_khz"]
    if study.jets.calibration is not None:
        settings["jets"]["calibration"] = sha256_file(file.file(study.jets.calibration))
    scalings = file.scalings_file
    found = {
        "settings": settings,
        "menu": {seed.name: seed.model_dump(mode="json") for seed in file.seeds},
        "order of the menu": [seed.name for seed in file.seeds],
        "taggers": {name: tagger.content_hash for name, tagger in taggers.items()},
        "scalings": None if scalings is None else sha256_file(scalings),
    }
    return dict(as_read(found))


def sample_identity(file: StudyFile, role: str, sample: StudySample) -> dict[str, Any]:
    """What parts of one sample depend on, its files aside: how it is read, and what is counted in it alone."""
    study = file.study
    if isinstance(sample, Sample):
        strata = None if sample.strata is None else {s.name: s.probability for s in sample.strata}
        read_as: dict[str, Any] = {"recipe": sample.recipe_hash, "strata": strata, "truth": sample.has_truth}
    else:
        read_as = sample.recipe
    found = {
        "role": role,
        "kind": sample.kind,
        "read as": read_as,
        "turn-ons": [request.model_dump(mode="json") for request in study.turn_ons if request.signal == role],
        "stream": None if study.stream is None or role != BACKGROUND else study.stream.jets,
    }
    return dict(as_read(found))


def part_id(
    versions: Mapping[str, str],
    study: Mapping[str, Any],
    sample: Mapping[str, Any],
    content: Mapping[str, Any],
    entries: tuple[int, int],
) -> str:
    """The name of a part: 64 hexadecimal digits, SHA-256 of all that goes in.

    Parameters
    ----------
    versions, study, sample, content
        From `made_with`, `study_identity`, `sample_identity`, and what tells the file's content.
    entries
        [first, stop) of the file: what its crossings are drawn by does not depend on the sample's other files.
    """
    return sha256_bytes(
        canonical(
            {
                "versions": dict(versions),
                "study": dict(study),
                "sample": dict(sample),
                "content": dict(content),
                "entries": list(entries),
            }
        )
    )
