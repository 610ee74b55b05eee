"""Options and output that the verbs share."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output and nothing else.")]


def print_json(document: Any) -> None:
    """The one JSON document of a verb called with `--json`. NaN is refused: JSON has none."""
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


def console() -> Console:
    """The console for tables and text on standard output."""
    return Console()
