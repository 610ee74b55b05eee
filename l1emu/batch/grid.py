"""A grid of studies: one study with keys that take several values, in all combinations."""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field

from l1emu.config import Config, load_config
from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.yamltext import compose, plain

MOST_STUDIES = 10_000
"""Of one plan."""

_FILE_KEYS = (
    "samples.background",
    "samples.minbias",
    "samples.signal",
    "samples.signals.*",
    "samples.*.files",
    "samples.signals.*.files",
    "samples.*.files.*",
    "samples.signals.*.files.*",
    "objects",
    "objects.like",
    "tagger.firmware",
    "tagger.golden",
    "taggers.*.firmware",
    "taggers.*.golden",
    "taggers.*.inputs",
    "versions.*.*",
    "jets.calibration",
    "beam.filling",
    "menu",
    "seeds",
    "scalings",
    "latency.budget",
    "latency.report",
    "latency.file",
    "latency.estimate.project",
    "latency.estimate.partition",
    "stream.topology",
)
"""Where a study names files, `*` for any key or place in a list."""


class Grid(Config):
    """Keys of a study, dotted, and the values that each takes: `stream.random_seed: [1, 2, 3]`.

    A number in a key is a place in a list, counted from 0: `menu.2.jets.pt_min_gev`.
    """

    grid: dict[Annotated[str, Field(min_length=1, max_length=200)], Annotated[list[Any], Field(min_length=1)]] = Field(
        min_length=1
    )


def read_grid(path: str | os.PathLike[str]) -> Grid:
    """Read a grid from YAML.

    Raises
    ------
    L1emuError
        if the file is absent, is no grid, or has more combinations than `MOST_STUDIES`.
    """
    found = load_config(path, Grid)
    studies = 1
    for key, values in found.grid.items():
        studies *= len(values)
        if studies > MOST_STUDIES:
            raise L1emuError(
                "too many combinations", path=path, where=f"key grid.{key}", expected=f"at most {MOST_STUDIES:,}"
            )
        twice = next((value for i, value in enumerate(values) if value in values[:i]), None)
        if twice is not None:
            raise L1emuError("a value stands twice", path=path, where=f"key grid.{key}", value=twice)
    return found


def combinations(grid: Grid) -> Iterator[dict[str, Any]]:
    """Each combination of the values, by key; the last key changes first."""
    for values in itertools.product(*grid.grid.values()):
        yield dict(zip(grid.grid, values, strict=True))


def study_text(path: Path, settings: Mapping[str, Any]) -> str:
    """The text of a study with some keys changed, which means the same files wherever it lies.

    Parameters
    ----------
    path
        Of the study that is changed.
    settings
        Dotted keys and their values.

    Raises
    ------
    L1emuError
        if it is no YAML, or a key leads through something that has no keys.
    """
    try:
        document = plain(compose(read_text(path)))
    except L1emuError as error:
        raise error.within(path) from None
    if not isinstance(document, dict):
        raise L1emuError("not a mapping of keys to values", path=path)
    for key, value in settings.items():
        _put(document, key, value)
    changed = with_files(document, lambda name: _absolute(name, path.parent))
    return yaml.safe_dump(changed, sort_keys=False, allow_unicode=True, width=100)


def with_files(document: Any, named: Callable[[str], str], place: tuple[str, ...] = ()) -> Any:
    """A study as plain data, each file that it names replaced by what `named` gives for it."""
    if isinstance(document, dict):
        return {key: with_files(value, named, (*place, str(key))) for key, value in document.items()}
    if isinstance(document, list):
        return [with_files(value, named, (*place, str(i))) for i, value in enumerate(document)]
    if isinstance(document, str) and any(_matches(place, key.split(".")) for key in _FILE_KEYS):
        return named(document)
    return document


def _matches(place: Sequence[str], key: Sequence[str]) -> bool:
    return len(place) == len(key) and all(k in ("*", p) for p, k in zip(place, key, strict=True))


def _absolute(name: str, base: Path) -> str:
    """A file, or a glob, that lies beside the study, by its whole path; what comes with l1emu and URLs as they are."""
    here = str(base.resolve() / name)
    return here if os.path.exists(here) or glob.glob(here, recursive=True) else name


def _put(document: dict[str, Any], key: str, value: Any) -> None:
    """Put a value where a dotted key says; mappings that are absent are made."""
    *inside, last = key.split(".")
    node: Any = document
    for i, part in enumerate(inside):
        if isinstance(node, dict) and node.get(part) is None:
            node[part] = {}
        node = _step(node, part, key, ".".join(inside[:i]))
    if isinstance(node, list):
        _step(node, last, key, ".".join(inside))
        node[int(last)] = value
    elif isinstance(node, dict):
        node[last] = value
    else:
        raise _no_way(key, ".".join(inside), node)


def _step(node: Any, part: str, key: str, before: str) -> Any:
    if isinstance(node, dict):
        return node[part]
    if isinstance(node, list) and part.isascii() and part.isdecimal() and int(part) < len(node):
        return node[int(part)]
    raise _no_way(key, before, node)


def _no_way(key: str, before: str, node: Any) -> L1emuError:
    what = f"a list of {len(node)}" if isinstance(node, list) else f"the value {node!r}"
    expected = f"0 to {len(node) - 1} behind {before}" if isinstance(node, list) else "keys of a study"
    return L1emuError(f"the study has {what} at {before or 'its top'}", where=f"key grid.{key}", expected=expected)
