"""The kernels whose arithmetic is known: what each definition computes, and which hls4ml has it.

| file | what it holds |
|---|---|
| `nnet_*.json` | of each header of hls4ml the definitions that are known, by name and fingerprint |
| `tokens.txt` | their tokens, as hashes: read when a definition is refused, see `l1emu.firmware.known.tokens` |
| `__main__.py` | the developer's command that adds those of another release |

A JSON file is an object of names, each an object of fingerprints, each an object with the keys

* `variant`: left out for the arithmetic that `l1emu.layers` describes first, else a word that the builder of the layer
  understands;
* `meaning`: what it computes, in words; ``As 8e8b6ddf`` stands for the definition of the same name whose fingerprint
  begins so, and a draft without a meaning counts as unknown;
* `origins`: where it was found, each a source with its versions, such as ``hls4ml 0.8.0 0.8.1``: a release (those of
  ``hls4ml Vitis`` are in Vitis' templates alone), a month of its main branch (when it came there), a pull request, or
  a repository that has it in a project.

A name is that of the C++ function, class or struct, with what tells it from others of the same name: ``stream/``,
``da/``, ``recr/`` or ``enable_if/``, see `l1emu.firmware.kernels.definitions`; ``generated`` stands before code that
hls4ml writes for one project. A fingerprint is the first 16 digits of the SHA-256 of the definition's tokens.

No code of hls4ml is kept: a person who wants to read a definition finds it by its origin.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Known:
    """A definition whose arithmetic is known, or a draft of one: see the module for what the members mean."""

    name: str
    fingerprint: str
    meaning: str
    origins: tuple[str, ...]
    variant: str = ""

    @property
    def origin(self) -> str:
        """The source that is named first, with its first and last version."""
        source, versions = split_origin(self.origins[0])
        span = [*versions[:1], *versions[1:][-1:]]
        return " ".join([source, " to ".join(span)]) if span else source


def split_origin(origin: str) -> tuple[str, list[str]]:
    """The source and the versions of an origin: its last words that begin with a digit."""
    words = origin.split()
    first = len(words)
    while first and words[first - 1][0].isdigit():
        first -= 1
    return " ".join(words[:first]), words[first:]


@cache
def headers() -> tuple[str, ...]:
    """The headers of which definitions are known, without their suffix."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


@cache
def of_header(header: str) -> dict[str, dict[str, Known]]:
    """The definitions of a header, by name and fingerprint; drafts included."""
    path = FOLDER / f"{header}.json"
    if not path.is_file():
        return {}
    return {
        name: {
            fingerprint: Known(name, fingerprint, entry["meaning"], tuple(entry["origins"]), entry.get("variant", ""))
            for fingerprint, entry in entries.items()
        }
        for name, entries in json.loads(path.read_text("utf-8")).items()
    }


@cache
def of_name(name: str) -> dict[str, Known]:
    """The definitions that are known by a name, in any header, by fingerprint."""
    return {
        fingerprint: known
        for header in headers()
        for fingerprint, known in of_header(header).get(name, {}).items()
        if known.meaning
    }


def find(name: str, fingerprint: str, header: str) -> Known | None:
    """The known definition of this fingerprint, looked for first among those of the header it was found in."""
    known = of_header(header).get(name, {}).get(fingerprint)
    return known if known is not None and known.meaning else of_name(name).get(fingerprint)
