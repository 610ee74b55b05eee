"""Inputs from files of numpy."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError


def read_arrays(path: Path, names: list[str]) -> dict[str, npt.NDArray[Any]]:
    """Read a .npy, or a .npz with one array per name (any name will do if there is one).

    Raises
    ------
    L1emuError
        if the file is absent, damaged or of another kind, or its arrays' names do not fit.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise L1emuError("no such file", path=path) from None
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise L1emuError(f"cannot be read as .npy or .npz: {error}", path=path) from None
    if isinstance(loaded, np.ndarray):
        if len(names) > 1:
            raise L1emuError("one array for several inputs", path=path, expected=f"an .npz with {', '.join(names)}")
        return {names[0]: loaded}
    with loaded:
        try:
            arrays = {name: loaded[name] for name in loaded.files}
        except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise L1emuError(f"cannot be read: {error}", path=path) from None
    if len(names) == len(arrays) == 1:
        return {names[0]: next(iter(arrays.values()))}
    if sorted(arrays) != sorted(names):
        raise L1emuError("the arrays' names do not fit", path=path, value=sorted(arrays), expected=", ".join(names))
    return arrays
