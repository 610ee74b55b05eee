"""Where things are kept that can be made again: compiled kernels, C simulations, Pythia's collisions, scores.

Kernels may also lie in a second place, `L1EMU_KERNELS`, that is only read: a folder that `l1emu compile` wrote and that
was sent to this machine.

Kernels and scores are kept up to a limit each, which the environment names; beyond it, what was used longest ago goes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.trust import private_folder

KERNELS = "L1EMU_KERNELS"

SCORE_CACHE = "L1EMU_SCORE_CACHE_MB"
"""The variable of the environment that says how many MB of a network's outputs are kept; 0: none."""

KERNEL_CACHE = "L1EMU_KERNEL_CACHE_MB"
"""The same of compiled kernels, those of other versions of l1emu included."""

_MOST_MB = 10**9

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


def cache_limit(variable: str, default_mb: int) -> int:
    """Bytes that may be kept, as a variable of the environment says, in MB.

    Raises
    ------
    L1emuError
        if that is no number.
    """
    stated = os.environ.get(variable)
    if not stated:
        return default_mb * 10**6
    if not (stated.isascii() and stated.isdecimal() and len(stated) < 12 and int(stated) <= _MOST_MB):
        raise L1emuError("no number of MB", where=variable, value=stated, expected=f"0 to {_MOST_MB}; 0 is none")
    return int(stated) * 10**6


def drop_oldest(files: Iterable[tuple[int, int, str]], limit: int) -> None:
    """Remove files, those that were used longest ago first, until the others take no more than `limit` bytes.

    Parameters
    ----------
    files
        When each was used last, its size in bytes, and its path. One that is gone already is no error.
    """
    kept = 0
    for _used, size, path in sorted(files, reverse=True):
        kept += size
        if kept > limit:
            with suppress(OSError):
                os.unlink(path)


def files_of_cache(root: Path, suffix: str) -> Iterator[tuple[int, int, str]]:
    """The files, as `drop_oldest` takes them, by that suffix in the folders in `root`; no links."""
    with suppress(OSError):
        for folder in os.scandir(root):
            with suppress(OSError):
                for entry in os.scandir(folder):
                    if entry.name.endswith(suffix) and entry.is_file(follow_symlinks=False):
                        found = entry.stat(follow_symlinks=False)
                        yield found.st_mtime_ns, found.st_size, entry.path


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
