"""Where things are kept that can be made again: compiled kernels, C simulations, Pythia's collisions, scores.

Kernels may also lie in a second place, `L1EMU_KERNELS`, that is only read: a folder that `l1emu compile` wrote and that
was sent to this machine.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.trust import private_folder

KERNELS = "L1EMU_KERNELS"

SCORE_CACHE = "L1EMU_SCORE_CACHE_MB"
"""The variable of the environment that says how many MB of a network's outputs are kept; 0: none."""

KERNELS_FILE = "kernels.json"
"""What every folder of `l1emu compile` holds: the processors that its kernels are for, and of what they are."""


def cache_root() -> Path | None:
    """`$L1EMU_CACHE_DIR`, else `$XDG_CACHE_HOME/l1emu`, else `~/.cache/l1emu`; it need not exist.

    Returns
    -------
    None where nobody knows of a home: without `HOME`, for a user whom the system does not know.
    """
    try:
        chosen = os.environ.get("L1EMU_CACHE_DIR")
        if chosen:
            return Path(chosen).expanduser().absolute()
        base = os.environ.get("XDG_CACHE_HOME")
        return (Path(base).absolute() if base else Path.home() / ".cache") / "l1emu"
    except (RuntimeError, OSError):  # no home; no working folder
        return None


def shipped_kernels() -> Path | None:
    """The folder that `L1EMU_KERNELS` names; None without one.

    Raises
    ------
    L1emuError
        if there is no such folder, if it holds no kernels, or if others could have written them: it is machine code.
    """
    named = os.environ.get(KERNELS)
    if not named:
        return None
    folder = Path(named).expanduser().absolute()
    if not (folder / KERNELS_FILE).is_file():
        raise L1emuError("no folder of kernels", where=KERNELS, value=named, expected="one that `l1emu compile` wrote")
    if not private_folder(folder):
        raise L1emuError(
            "others could have written these kernels",
            where=KERNELS,
            value=named,
            expected="a folder of this user or root, in such folders, to which nobody else may write: a copy, say",
        )
    return folder


def kernel_processors(key: str) -> tuple[str, ...]:
    """The processors for which there are kernels that somebody sent here, as `l1emu compile` names them.

    Parameters
    ----------
    key
        The folder of the kernels of this version, see `l1emu.compiled.key`.

    Returns
    -------
    Those of `L1EMU_KERNELS`, else of `cache_root` if it is such a folder; none if they are of another version.

    Raises
    ------
    L1emuError
        as `shipped_kernels` does.
    """
    folder = shipped_kernels() or cache_root()
    if folder is None or not (folder / KERNELS_FILE).is_file() or not (folder / key).is_dir():
        return ()
    try:
        found = json.loads(read_text(folder / KERNELS_FILE))
        return tuple(str(name) for name in found["processors"])
    except (L1emuError, ValueError, TypeError, KeyError, RecursionError):  # it only chooses what is compiled for
        return ()
