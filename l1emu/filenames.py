"""The files that names mean: paths and URLs, globs of both, and lists of them in a text file, `@files.txt`."""

from __future__ import annotations

import fnmatch
import glob
import os
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.remote import RemotePath, as_path, is_url, list_folder

LIST = "@"
"""What stands before the name of a list of files, as for ROOT's hadd."""


def files_named(name: str, base: Path) -> list[Path]:
    """The files that a name means, those of a glob in the order of their names; none where nothing is found here.

    Parameters
    ----------
    name
        A path, a URL, a glob of either, or `@` and the path of a text with one of these a line, relative to the
        text's folder; there, empty lines and those that begin with `#` are none.
    base
        The folder that a path is relative to.

    Raises
    ------
    L1emuError
        if a list is absent or has a line that means nothing, a glob of a URL matches nothing or is not one of
        `root://`, or its server does not answer.
    """
    if name.startswith(LIST) and not os.path.lexists(base / name):
        return _listed(name, base)
    if is_url(name):
        return _matching(as_path(name))
    text = str(base / os.path.expanduser(name))
    if os.path.lexists(text):
        return [Path(text)]
    return [Path(match) for match in sorted(glob.glob(text, recursive=True))] if glob.has_magic(text) else []


def _listed(name: str, base: Path) -> list[Path]:
    path = base / os.path.expanduser(name.removeprefix(LIST))
    if is_url(name.removeprefix(LIST)):
        raise L1emuError("a list of files is a file here", value=name, expected="@ and a path")
    found: list[Path] = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        if entry.startswith(LIST):
            raise L1emuError("a list in a list", path=path, where=f"line {number}", value=entry, expected="a file")
        try:
            files = files_named(entry, path.parent)
        except L1emuError as error:
            raise error if error.path else error.within(f"{path}: line {number}") from None
        if not files:
            raise L1emuError("no such file", path=path, where=f"line {number}", value=entry)
        found += files
    if not found:
        raise L1emuError("there is no file in the list", path=path, expected="a path or URL a line")
    return found


def _matching(path: Path) -> list[Path]:
    """The files that a URL means, folder by folder; `?` begins its query, and so is no sign of a glob."""
    assert isinstance(path, RemotePath)
    parts = urlsplit(path.url)
    if not {"*", "["}.intersection(parts.path):
        return [path]
    if parts.scheme.lower() != "root" or "**" in parts.path:
        raise L1emuError(
            "this glob of a URL is not read", path=path, expected="one of root://, in which * stands for no /"
        )
    folders, listing = [""], False
    *names, last = parts.path.split("/")[1:]
    for place, name in enumerate([*names, last]):
        listing = listing or glob.has_magic(name)
        if not listing:
            folders = [f"{folder}/{name}" for folder in folders]
            continue
        found = []
        for folder in folders:
            entries = list_folder(RemotePath(urlunsplit(parts._replace(path=folder or "/"))))
            seen = [e for e in sorted(entries) if name.startswith(".") or not e.startswith(".")]
            wanted = fnmatch.filter(seen, name)
            found += [f"{folder}/{e}" for e in wanted if place == len(names) or entries[e] == "directory"]
        folders = found
    if not folders:
        raise L1emuError("no file matches", path=path)
    return [RemotePath(urlunsplit(parts._replace(path=folder))) for folder in folders]
