"""What the environment's `L1EMU_DEBUG` has l1emu show: one name, or several with commas."""

from __future__ import annotations

import os
import sys

from l1emu.errors import L1emuError
from l1emu.waiting import make_room

_VARIABLE = "L1EMU_DEBUG"
_SHOWN = ("kernels", "source", "traceback")


def wanted(what: str) -> bool:
    """Whether `what` is to be shown.

    ``kernels``, what is compiled and not found on disk; ``source``, modules generated for a firmware; ``traceback``, of
    a fault.
    """
    return what in _names()


def check_setting() -> None:
    """Refuse names that show nothing.

    Raises
    ------
    L1emuError
        for these.
    """
    for name in _names():
        if name not in _SHOWN:
            raise L1emuError("nothing to show by this name", where=_VARIABLE, value=name, expected=", ".join(_SHOWN))


def show(text: str) -> None:
    """Print what was asked for on standard error, where it is in no other output's way."""
    make_room()
    print(text, file=sys.stderr, flush=True)


def _names() -> list[str]:
    return [name for name in os.environ.get(_VARIABLE, "").split(",") if name]
