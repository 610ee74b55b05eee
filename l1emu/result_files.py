"""What the results of the verbs have in common: strict fields, a version, and one way to read them back."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.jsontext import parse_json
from l1emu.notebook import Shown

LARGEST_RESULT = 256 << 20
"""Bytes of the largest document that is read."""

AnyNumber = Annotated[int | float, Field(union_mode="left_to_right")]
"""As it was written: JSON has one kind of number, and 360 stays 360."""


class Result(Shown, BaseModel):
    """A part of a result: no field more or less, nothing coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


_R = TypeVar("_R", bound=BaseModel)


def result_in(path: str | os.PathLike[str], name: str) -> Path:
    """The file at `path`, or, if that is a folder, the one of this name in it."""
    file = Path(path)
    return file / name if file.is_dir() else file


def read_result(file: Path, schema: type[_R], *, version: int, sign: str, what: str, made_by: str) -> _R:
    """Read a JSON document of a schema and a version.

    Parameters
    ----------
    sign
        The field without which a document is something else.
    what, made_by
        What is read and the command that writes it, for messages.

    Raises
    ------
    L1emuError
        if the file is absent or damaged, is of another version, or is something else.
    """
    try:
        document = parse_json(read_text(file, limit=LARGEST_RESULT))
    except L1emuError as error:
        raise error.within(file) from None
    if not isinstance(document, dict) or sign not in document:
        raise L1emuError(f"not {what}", path=file, expected=f"what `{made_by}` writes")
    found = document.get("version")
    if found != version or isinstance(found, bool):
        raise L1emuError(
            f"{what} of another version of its fields",
            path=file,
            where="version",
            value="none" if found is None else found,
            expected=f"{version}: call `{made_by}` again with this l1emu",
        )
    try:
        return schema.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise _damaged(error, file, what) from None


def held_to_schema(schema: type[BaseModel], document: dict[str, Any]) -> dict[str, Any]:
    """A document that is about to be written, as it is; an `AssertionError` if it does not follow its schema."""
    try:
        schema.model_validate(document)
    except ValidationError as error:
        raise AssertionError(str(error)) from None
    return document


def _damaged(error: ValidationError, file: Path, what: str) -> L1emuError:
    first = error.errors()[0]
    reason = first["msg"].removeprefix("Value error, ")
    return L1emuError(f"{what} is damaged: {reason}", path=file, where=".".join(str(part) for part in first["loc"]))
