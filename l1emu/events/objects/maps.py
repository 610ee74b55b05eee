"""Maps that come with l1emu, or of a file, and what a study adds to them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from l1emu.config import Config, load_config
from l1emu.errors import L1emuError
from l1emu.events.objects.schema import CollectionMap, ObjectsMap, SumMap
from l1emu.resources import resolve, resource

_FOLDER = "data/objects"


class ObjectsFile(Config):
    """A map as a YAML file: objects and sums by name, what they are of, and where that is known from."""

    about: str
    source: str
    objects: dict[str, CollectionMap]
    sums: dict[str, SumMap] = Field(default_factory=dict)


@dataclass(frozen=True)
class Mapped:
    """All objects and sums of a study.

    Attributes
    ----------
    objects, sums
        By name.
    demanded
        Names of those that the study itself states: its files must have all their fields. Of a map that it took over,
        they need have only what is used.
    """

    objects: Mapping[str, CollectionMap]
    sums: Mapping[str, SumMap]
    demanded: frozenset[str]


def map_names() -> tuple[str, ...]:
    """The names of the maps that come with l1emu."""
    return tuple(sorted(path.stem for path in resource(_FOLDER).glob("*.yaml")))


def find_map(name: str, base: Path | None = None) -> ObjectsFile:
    """A map that comes with l1emu, or of a YAML file.

    Parameters
    ----------
    name
        The name, or the file, relative to `base`.
    base
        By default the working directory.

    Raises
    ------
    L1emuError
        if there is none, or the file is no map.
    """
    if name in map_names():
        return load_config(resource(f"{_FOLDER}/{name}.yaml"), ObjectsFile)
    if name.endswith((".yaml", ".yml")):
        return load_config(resolve(name, base or Path()), ObjectsFile)
    close = difflib.get_close_matches(name, map_names(), 1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise L1emuError(
        f"there is no map {name!r} of objects{hint}",
        where="objects",
        expected=f"one of {', '.join(map_names())}, or a YAML file",
    )


def whole_map(objects: ObjectsMap, sums: Mapping[str, SumMap], base: Path | None = None) -> Mapped:
    """What a study states, and what it takes over; its own names stand before those of the map that it is like.

    Raises
    ------
    L1emuError
        if a name is of an object and of a sum, or a sum is of objects that are not there.
    """
    taken = None if objects.like is None else find_map(objects.like, base)
    for name in sums:
        if name in objects.own:
            raise L1emuError("this is the name of objects, too", where=f"sums.{name}", expected="another name")
    known = {} if taken is None else {n: m for n, m in taken.objects.items() if n not in sums}
    known |= objects.own
    every = {} if taken is None else {n: s for n, s in taken.sums.items() if n not in objects.own}
    every |= sums
    for name, total in every.items():
        check_objects(name, total, known)
    return Mapped(known, every, frozenset(objects.own) | frozenset(sums))


def check_objects(name: str, total: SumMap, objects: Mapping[str, object]) -> None:
    """Refuse a sum over objects that are not there.

    Raises
    ------
    L1emuError
        naming them.
    """
    if total.of is not None and total.of not in objects:
        close = difflib.get_close_matches(total.of, list(objects), 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise L1emuError(
            f"there are no objects {total.of!r}{hint}",
            where=f"sums.{name}.of",
            expected=f"among {', '.join(sorted(objects)) or 'none'}",
        )
