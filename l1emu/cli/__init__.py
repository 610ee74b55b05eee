"""The command line: `main`, the verbs (`l1emu.cli.verbs`) and how a run of them ends (`l1emu.cli.ending`)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from l1emu.cli.verbs import VERBS, app

__all__ = ["VERBS", "app", "main"]


def __getattr__(name: str) -> Any:
    """The verbs are imported when they are asked for: first of all signals have to find their handlers."""
    if name not in ("VERBS", "app"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from l1emu.cli import verbs

    return getattr(verbs, name)


def main() -> None:
    """Run the command line; the exit codes are those of `l1emu.cli.ending`."""
    from l1emu.cli.ending import ended

    sys.exit(ended(_verb))


def _verb() -> int:
    from l1emu.cli.verbs import app

    return app(prog_name="l1emu", standalone_mode=False) or 0
