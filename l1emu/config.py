"""YAML configs checked against a schema when read; an error names the file, the line, the key and the value."""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from l1emu.errors import L1emuError
from l1emu.files import read_text


class Config(BaseModel):
    """Base of every config schema: unknown keys are errors, values are not coerced, instances are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


C = TypeVar("C", bound=BaseModel)


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key written twice in one mapping."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", key_node.start_mark)
        seen.add(key)
    loader.flatten_mapping(node)
    return dict(loader.construct_pairs(node, deep=True))


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load_config(path: str | os.PathLike[str], schema: type[C]) -> C:
    """Read the YAML file at `path` as an instance of `schema`.

    Raises
    ------
    L1emuError
        if the file is absent or is not YAML, or at the first key that is unknown, missing or has a wrong value.
    """
    file = Path(path)
    text = read_text(file)
    try:
        data = yaml.load(text, Loader=_Loader)  # a subclass of SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else None
        raise L1emuError(f"not valid YAML: {error.problem}", path=file, where=where) from None
    if not isinstance(data, dict):
        raise L1emuError("not a mapping of keys to values", path=file, value=data, expected="YAML keys and values")
    try:
        # as JSON, so that strictness means a list for a tuple and a string for an enumeration
        return schema.model_validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        raise _explained(error, file, text, schema) from None


def _explained(error: ValidationError, file: Path, text: str, schema: type[BaseModel]) -> L1emuError:
    errors = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")  # a typo explains a missing key
    first = errors[0]
    location = _in_the_file(text, tuple(first["loc"]))
    key = ".".join(str(part) for part in location)
    line = _line_of(text, location)
    where = f"line {line}, key {key}" if key else f"line {line}"
    if first["type"] == "extra_forbidden":
        known = _known_keys(schema, location[:-1])
        close = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f"{close[0]!r}, perhaps" if close else f"one of {', '.join(known)}" if known else None
        return L1emuError("unknown key", path=file, where=where, value=location[-1], expected=hint)
    if first["type"] == "missing":
        return L1emuError("this key is missing", path=file, where=where)
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if first["type"] == "value_error":
        return L1emuError(message, path=file, where=where)
    value = first["input"]
    return L1emuError("wrong value", path=file, where=where, value=value, expected=message)


def _in_the_file(text: str, location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """`location` without the names that pydantic gives the parts of a union, which stand in no file."""
    node: Any = yaml.safe_load(text)
    kept = []
    for place, part in enumerate(location):
        last = place == len(location) - 1
        if isinstance(node, dict) and part not in node and not last:
            continue
        kept.append(part)
        inside = (isinstance(node, dict) and part in node) or (isinstance(node, list) and isinstance(part, int))
        node = node[part] if inside else None
    return tuple(kept)


def _known_keys(schema: Any, location: tuple[int | str, ...]) -> list[str]:
    """The keys that the schema knows at `location`, or none where a union or a list hides them."""
    for part in location:
        if isinstance(part, int):
            continue
        field = getattr(schema, "model_fields", {}).get(part)
        if field is None:
            return []
        schema = field.annotation
        while True:
            inner = [a for a in getattr(schema, "__args__", ()) if a is not type(None)]
            if hasattr(schema, "model_fields") or not inner:
                break
            schema = inner[-1]
    return list(getattr(schema, "model_fields", {}))


def _line_of(text: str, location: tuple[int | str, ...]) -> int:
    """The 1-based line where the deepest part of `location` that exists begins."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            for key_node, value_node in node.value:
                if key_node.value == str(part):
                    line, node = key_node.start_mark.line + 1, value_node
                    break
            else:
                break
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
