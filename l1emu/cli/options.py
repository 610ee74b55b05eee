"""Options and output that the verbs share."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from l1emu.errors import L1emuError
from l1emu.terminal import console

__all__ = ["Json", "Unknown", "called", "console", "entry_range", "is_integer", "is_number", "listed", "print_json"]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output and nothing else.")]

Unknown = Annotated[
    str,
    typer.Option(
        metavar="refuse|cpp",
        help="Layers whose kernels are not known: refuse them, or cpp: compile the project's own C++ and run it with"
        " your rights.",
    ),
]


def called(network: Path) -> str:
    """What a person calls a network: its folder, or its file, unless that is called as every one is."""
    place = network.resolve()
    if place.is_dir():
        return place.name
    return place.parent.name if place.name in ("model.l1fw", "tagger.l1fw") else place.stem


def print_json(document: Any) -> None:
    """The one JSON document of a verb called with `--json`. NaN is refused: JSON has none."""
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


def is_integer(text: str) -> bool:
    """Whether `text` is a whole number as one writes it, see `is_number`, and has no more digits than are needed."""
    return re.fullmatch(r"[+-]?[0-9]{1,40}", text) is not None


def is_number(text: str) -> bool:
    """Whether `text` is a number as one writes it: Python takes underscores, blanks and the digits of any script."""
    return re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text) is not None


def listed(text: str, *, where: str) -> list[str]:
    """What stands between the commas of `text`; blanks may stand beside them, and at no end of the text.

    Raises
    ------
    L1emuError
        if the text begins or ends with a blank, as no number may, or nothing stands between two commas.
    """
    parts = [part.strip() for part in text.split(",")]
    if text != text.strip() or not all(parts):
        raise L1emuError("not a list", where=where, value=text, expected="values with commas between them")
    return parts


def entry_range(text: str | None) -> tuple[int, int | None] | None:
    """The range that `--entries` means: `a:b`, `a:` or `:b`; None without one.

    Raises
    ------
    L1emuError
        if it is something else.
    """
    if text is None:
        return None
    low, _, high = text.partition(":")
    try:
        if not re.fullmatch(r"[0-9]{0,18}:[0-9]{0,18}", text):
            raise ValueError
        return int(low or 0), int(high) if high else None
    except ValueError:
        raise L1emuError("not a range", where="--entries", value=text, expected="a:b, a: or :b") from None
