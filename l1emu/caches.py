"""Where things are kept that can be made again: compiled kernels, C simulations, Pythia's collisions."""

from __future__ import annotations

import os
from pathlib import Path


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
