"""Folders that a verb writes whole: which of them it may replace."""

from __future__ import annotations

from pathlib import Path

from l1emu.errors import L1emuError


def figure_stem(path: Path) -> Path:
    """`path` without the suffix, which a figure's kinds of file take in its place.

    Raises
    ------
    L1emuError
        if it names no file.
    """
    if not path.name or path.name == ".." or path.is_dir():
        raise L1emuError("this names no file", where="--figure", value=str(path), expected="FILE or FILE.png")
    return path.with_suffix("")


def refuse_to_replace(folder: Path, marker: str) -> None:
    """Check that a folder of results may be written here, in the place of what is there.

    Parameters
    ----------
    marker
        The file that every such folder holds.

    Raises
    ------
    L1emuError
        if there is a file, or a folder that is not empty and holds no `marker`.
    """
    if folder.exists() and not folder.is_dir():
        raise L1emuError("this is a file", path=folder, expected="a folder for results")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / marker).is_file():
        raise L1emuError(
            f"this folder holds other files and no {marker}; it will not be replaced",
            path=folder,
            expected="a new, an empty or a results folder",
        )
