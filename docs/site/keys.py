"""The reference of a study's keys: type, bounds, unit, default and an example of each, from the schema itself.

Examples are values that stand in the studies, menus and maps that come with l1emu and in `docs/examples`, all of which
the tests read.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from l1emu.config import load_config
from l1emu.events.objects.maps import ObjectsFile
from l1emu.study.config import Study
from l1emu.taggers.maps import FeatureMapFile
from l1emu.trigger.menu import Menu

ROOT = Path(__file__).parents[2]

UNITS = {
    "_gev": "GeV", "_tev": "TeV", "_khz": "kHz", "_hz": "Hz", "_mhz": "MHz", "_ns": "ns", "_cm": "cm",
    "_cycles": "cycles",
}  # fmt: skip
"""The unit that the end of a key's name tells."""

INSIDE = {
    "dxy": "cm", "z0": "cm", "pt": "GeV", "mass": "GeV", "missing": "cm", "eta": "1", "phi": "rad", "delta_phi": "rad",
    "delta_r": "1", "delta_eta": "1",
}  # fmt: skip


def examples() -> dict[str, type[BaseModel]]:
    """The files whose values are shown as examples, from the repository's top, with their schemas."""
    found: dict[str, type[BaseModel]] = {"l1emu/data/study.yaml": Study}
    for folder, schema in (("objects", ObjectsFile), ("taggers", FeatureMapFile), ("menus", Menu)):
        for file in sorted((ROOT / "l1emu" / "data" / folder).glob("*.yaml")):
            found[str(file.relative_to(ROOT))] = schema
    for file in sorted((ROOT / "docs" / "examples").glob("*.yaml")):
        found[str(file.relative_to(ROOT))] = Study
    return found


def sections() -> list[type[BaseModel]]:
    """The schemas that a study is made of, itself first, each before those inside it."""
    found: list[type[BaseModel]] = []

    def visit(schema: type[BaseModel]) -> None:
        if schema not in found:
            found.append(schema)
            for kind in [*(field.annotation for field in schema.model_fields.values()), _free(schema)]:
                for inner in _schemas(kind):
                    visit(inner)

    visit(Study)
    return found


def values() -> dict[tuple[type[BaseModel], str], Any]:
    """The first value that an example has for each key of each schema."""
    found: dict[tuple[type[BaseModel], str], Any] = {}
    for file, schema in reversed(examples().items()):
        for part in _parts(load_config(ROOT / file, schema)):
            for name in part.model_fields_set:
                value = getattr(part, name)
                if value is not None and name in type(part).model_fields:
                    found[_writer(type(part), name), name] = value
    return found


def example_of(schema: type[BaseModel], name: str, shown: dict[tuple[type[BaseModel], str], Any]) -> Any:
    """What is shown for a key, None without an example; schemas share those of keys that they share."""
    return shown.get((_writer(schema, name), name))


def _writer(schema: type[BaseModel], name: str) -> type[BaseModel]:
    """The class that a key comes from: `schema` itself or one that it inherits from."""
    return next(base for base in reversed(schema.__mro__) if name in vars(base).get("__annotations__", {}))


def study_page() -> str:
    """The page, in Markdown."""
    told = [
        "# Every key of a study\n",
        "Made of the schema that reads the file. An unknown key, a wrong value and a number out of its bounds are "
        "refused by file, line and key. [A study](study.md) tells how keys work together.\n",
    ]
    shown = values()
    for schema in sections():
        told.append(f"## {_title(schema)}\n")
        told.append(_prose(schema) + "\n")
        told += ["| key | type | unit | default | example |", "|---|---|---|---|---|"]
        for name, field in schema.model_fields.items():
            told.append(_row(schema, name, field, example_of(schema, name, shown)))
        free = _free(schema)
        if free is not None:
            told.append(f"| any other | {_told(free)}, by the name that a menu uses | | – | |")
        told.append("")
    told += ["## Examples\n", "Whole studies, in which the keys that are rarer stand.\n"]
    for file in sorted((ROOT / "docs" / "examples").glob("*.yaml")):
        told += [f'```yaml title="{file.name}"\n{file.read_text(encoding="utf-8").strip()}\n```\n']
    return "\n".join(told)


def _row(schema: type[BaseModel], name: str, field: FieldInfo, example: Any) -> str:
    key = next((str(a) for a in [field.alias] if a), name)
    words = [str(w) for w in getattr(field.validation_alias, "choices", [])]
    keys = " or ".join(f"`{w}`" for w in words) if words else f"`{key}`"
    shown = "" if example is None else f"`{_flow(example)}`"
    return f"| {keys} | {_type(field)} | {_unit(name)} | {_default(field)} | {shown} |"


def _type(field: FieldInfo) -> str:
    bounds = _bounds(field.metadata)
    return f"{_told(field.annotation)}{bounds}".replace("|", "\\|")


def _told(kind: Any) -> str:
    """A type in words, linked to its section where it is a schema."""
    origin, inside = get_origin(kind), get_args(kind)
    if kind is type(None):
        return "nothing"
    if origin is Annotated:
        return f"{_told(inside[0])}{_bounds(inside[1:])}"
    if origin is Literal:
        return " or ".join(f"`{_flow(value)}`" for value in inside)
    if origin in (Union, types.UnionType):
        return " or ".join(_told(part) for part in inside if part is not type(None))
    if origin in (list, tuple, set, frozenset):
        return f"list of {_told(next(part for part in inside if part is not Ellipsis))}"
    if origin is dict:
        return f"{_told(inside[0])} → {_told(inside[1])}"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return f"[{_title(kind)}](#{_title(kind).lower()})"
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}.get(
        kind, getattr(kind, "__name__", str(kind))
    )


def _bounds(metadata: Any) -> str:
    words = {
        "ge": "≥ {}",
        "gt": "> {}",
        "le": "≤ {}",
        "lt": "< {}",
        "min_length": "at least {}",
        "max_length": "at most {}",
    }
    flat = [m for entry in metadata for m in (entry.metadata if isinstance(entry, FieldInfo) else [entry])]
    told = [
        text.format(_short(getattr(m, name)))
        for m in flat
        for name, text in words.items()
        if getattr(m, name, None) is not None
    ]
    return f" ({', '.join(told)})" if told else ""


def _short(number: Any) -> str:
    power = number.bit_length() - 1 if isinstance(number, int) else 0
    return f"2^{power}" if power > 30 and number == 2**power else f"{number:.6g}" if abs(number) >= 1e6 else str(number)


def _unit(name: str) -> str:
    ends = [unit for end, unit in UNITS.items() if re.search(f"{end}(_|$)", name)]
    begins = [
        unit
        for start, unit in INSIDE.items()
        if name in (start, f"{start}_min", f"{start}_max", f"abs_{start}_max", f"abs_{start}_min")
    ]
    return (ends or begins or [""])[0]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "its own"
    return "–" if value is None or value is PydanticUndefined else f"`{_flow(value)}`"


def _flow(value: Any) -> str:
    """A value as one line of YAML, shortened."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", by_alias=True, exclude_unset=True)
    elif isinstance(value, dict):
        value = {
            k: v.model_dump(mode="json", by_alias=True, exclude_unset=True) if isinstance(v, BaseModel) else v
            for k, v in value.items()
        }
    elif isinstance(value, list | tuple):
        value = [
            v.model_dump(mode="json", by_alias=True, exclude_unset=True) if isinstance(v, BaseModel) else v
            for v in value
        ]
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False, allow_unicode=True)
    line = text.strip().removesuffix("...").strip().replace("|", "\\|").replace("`", "'")
    return line if len(line) <= 80 else f"{line[:77]}…"


def _parts(value: Any) -> Iterator[BaseModel]:
    if isinstance(value, BaseModel):
        yield value
        for name in type(value).model_fields:
            yield from _parts(getattr(value, name))
        yield from _parts(value.model_extra)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _parts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _parts(inner)


def _schemas(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for inner in get_args(kind):
        yield from _schemas(inner)


def _free(schema: type[BaseModel]) -> Any:
    """What stands under the names that a user gives, where a schema has room for them: None in most."""
    hint = get_type_hints(schema).get("__pydantic_extra__") if schema.model_config.get("extra") == "allow" else None
    return next(iter(get_args(hint)[1:]), hint) if get_origin(hint) is dict else hint


def _title(schema: type[BaseModel]) -> str:
    return schema.__name__


def _prose(schema: type[BaseModel]) -> str:
    """The docstring as Markdown; the attributes of numpy's form become a list."""
    text, _, attributes = inspect.cleandoc(schema.__doc__ or "").partition("\nAttributes\n----------\n")
    told = [text.strip()]
    for entry in re.split(r"\n(?=\S)", attributes.strip()) if attributes else []:
        names, _, meaning = entry.partition("\n")
        told.append(f"* `{'`, `'.join(names.split(', '))}`: {' '.join(meaning.split())}")
    return "\n\n".join(told[:1]) + ("\n\n" + "\n".join(told[1:]) if told[1:] else "")
