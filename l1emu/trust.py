"""Whether somebody else could have put a file where we are about to run or to unpickle it."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

_LINKS = 40  # as many as Linux follows


def private_folder(path: str | os.PathLike[str]) -> bool:
    """Whether nobody but this user and root can write to a folder, or put another one in its place.

    The folder, every folder above it and every link on the way must belong to this user or to root. None may be
    writable by others; those above may be with the sticky bit, as in ``/tmp``. A group counts as others, unless it
    is the user's own one (the same name, no other member), with which some systems create every folder.

    Returns
    -------
    bool
        False also for what is absent, no folder, or cannot be looked at.
    """
    try:
        return _private(Path.cwd() / path)
    except (OSError, ValueError):  # ValueError: a NUL inside
        return False


def private_file(path: str | os.PathLike[str]) -> bool:
    """Whether a regular file, no link, lies in a `private_folder` and is itself writable by this user and root alone.

    Returns
    -------
    bool
        False also for what is absent, not regular, or cannot be looked at.
    """
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(found.st_mode) and _own(found) and _closed(path, found) and private_folder(Path(path).parent)


def make_private_folder(path: str | os.PathLike[str]) -> bool:
    """Create a folder, with those above it that are missing, for this user alone; whether it is a `private_folder`.

    Returns
    -------
    bool
        False also if it cannot be created. One that is there already keeps its permissions.
    """
    folder = Path.cwd() / path
    try:
        folders = [folder, *folder.parents]
        missing = folders[: next(i for i, p in enumerate(folders) if p.is_dir())]
        for absent in reversed(missing):
            absent.mkdir(mode=0o700, exist_ok=True)
    except (OSError, ValueError):
        return False
    return private_folder(folder)


def _private(path: Path) -> bool:
    """`private_folder` of an absolute path, gone through as the kernel does."""
    place = Path(path.anchor)
    found = os.lstat(place)
    left, links = list(reversed(path.parts[1:])), 0
    while _kept(place, found) and left:
        part = left.pop()
        below = place.parent if part == ".." else place / part
        found = os.lstat(below)
        if stat.S_ISLNK(found.st_mode):
            links += 1
            if links > _LINKS or not _own(found):
                return False
            to = Path(os.readlink(below))
            left += reversed(to.parts[1:] if to.is_absolute() else to.parts)
            below = Path(to.anchor) if to.is_absolute() else place
            found = os.lstat(below)
        elif not stat.S_ISDIR(found.st_mode):
            return False
        place = below
    return _kept(place, found) and _closed(place, found)


def _kept(path: Path, found: os.stat_result) -> bool:
    """Whether what lies in this folder can be replaced by its owner, this user and root alone."""
    return _own(found) and (bool(found.st_mode & stat.S_ISVTX) or _closed(path, found))


def _own(found: os.stat_result) -> bool:
    return found.st_uid in (os.geteuid(), 0)


def _closed(path: str | os.PathLike[str], found: os.stat_result) -> bool:
    """Whether its owner alone may write to it."""
    if found.st_mode & stat.S_IWOTH:
        return False
    return not found.st_mode & stat.S_IWGRP or _alone(path, found)


def _alone(path: str | os.PathLike[str], found: os.stat_result) -> bool:
    """Whether the group that may write is this user's own, and no access list names somebody else."""
    try:
        user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(found.st_gid)
    except KeyError:
        return False
    if group.gr_name != user or not set(group.gr_mem) <= {user}:
        return False
    return not any("acl" in name for name in os.listxattr(path))
