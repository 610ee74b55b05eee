"""YAML configs checked against a schema when read; an error names the file, the line, the key and the value."""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.notebook import Shown
from l1emu.yamltext import compose, line_of, plain


class Config(Shown, BaseModel):
    """Base of every config schema: unknown keys are errors, values are not coerced, instances are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


_C = TypeVar("_C", bound=BaseModel)

SeedNumber = Annotated[int, Field(ge=0, lt=2**63)]
"""Where random draws begin."""


_LIMIT = 256 << 10
"""Bytes of the largest config: a study that lists a thousand files has half of it."""


def load_config(path: str | os.PathLike[str], schema: type[_C]) -> _C:
    """Read the YAML file at `path` as an instance of `schema`.

    Raises
    ------
    L1emuError
        if the file is absent or is not YAML, or at the first key that is unknown, missing or has a wrong value.
    """
    file = Path(path)
    text = read_text(file, limit=_LIMIT)
    try:
        node = compose(text)
        data = plain(node)
    except L1emuError as error:
        raise error.within(file) from None
    if not isinstance(data, dict):
        raise L1emuError("not a mapping of keys to values", path=file, value=data, expected="YAML keys and values")
    try:
        # as JSON, so that strictness means a list for a tuple and a string for an enumeration
        return schema.model_validate_json(json.dumps(data))
    except ValidationError as error:
        raise _explained(error, file, node, data, schema) from None


def _explained(
    error: ValidationError, file: Path, node: yaml.Node | None, data: Any, schema: type[BaseModel]
) -> L1emuError:
    errors = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")  # a typo explains a missing key
    first = errors[0]
    location = _in_the_file(data, tuple(first["loc"]), first["type"] in ("missing", "extra_forbidden"))
    key = ".".join(str(part) for part in location)
    line = line_of(node, location)
    where = f"line {line}, key {key}" if key else f"line {line}"
    if first["type"] == "extra_forbidden":
        known = _known_keys(schema, location[:-1])
        close = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f"{close[0]!r}, perhaps" if close else f"one of {', '.join(known)}" if known else None
        return L1emuError("unknown key", path=file, where=where, value=location[-1], expected=hint)
    if first["type"] == "missing":
        missing = [_dotted(data, e["loc"]) for e in errors if e["type"] == "missing"]
        message = "this key is missing" if len(missing) == 1 else f"these keys are missing: {', '.join(missing)}"
        return L1emuError(message, path=file, where=where if len(missing) == 1 else None)
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if first["type"] == "value_error":
        return L1emuError(message, path=file, where=where)
    value = first["input"]
    return L1emuError("wrong value", path=file, where=where, value=value, expected=message)


def _dotted(data: Any, location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in _in_the_file(data, tuple(location), True))


def _in_the_file(node: Any, location: tuple[int | str, ...], ends_in_a_key: bool) -> tuple[int | str, ...]:
    """`location` without the names that pydantic gives the parts of a union, which stand in no file."""
    kept: list[int | str] = []
    for place, part in enumerate(location):
        if place == len(location) - 1 and ends_in_a_key:
            return (*kept, part)
        if isinstance(node, dict):
            if part not in node:
                continue
            node = node[part]
        elif isinstance(part, str):
            continue
        else:
            node = node[part] if isinstance(node, list) and part < len(node) else None
        kept.append(part)
    return tuple(kept)


_PLAIN = (type(None), str, int, float, bool)
"""Parts of a union that have no keys."""


def _known_keys(schema: Any, location: tuple[int | str, ...]) -> list[str]:
    """The keys that the schema knows at `location`, or none where a union or a list hides them."""
    for part in location:
        if isinstance(part, int):
            continue
        fields = getattr(schema, "model_fields", {})
        field = next((fields[name] for name in fields if part in (name, *_other_words(fields[name]))), None)
        if field is None:
            return []
        schema = field.annotation
        while True:
            inner = [a for a in getattr(schema, "__args__", ()) if a not in _PLAIN]
            if hasattr(schema, "model_fields") or not inner:
                break
            schema = inner[-1]
    return [field.alias or name for name, field in getattr(schema, "model_fields", {}).items()]


def _other_words(field: FieldInfo) -> list[str]:
    """The keys by which a file may name a field beside its own name."""
    alias = field.validation_alias
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else []
