"""Memory that is free, and that was taken: who takes more is killed by the kernel, without a line."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path

_GROUPS = (("memory.max", "memory.current", "file"), ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache"))
"""Of control groups, the new ones and the old: limit, what is taken, and, in `memory.stat`, what of it is a cache."""


def available_memory(root: Path = Path("/")) -> int:
    """Bytes that this process can take: those that the machine and the process's control group have left.

    Parameters
    ----------
    root
        The folder that holds `proc` and `sys`.
    """
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        found += [int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")]
    except (OSError, ValueError, IndexError):
        pass
    for group in _groups(root):
        for limit, taken, cache in _GROUPS:
            try:
                stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
                free = int((group / limit).read_text()) - int((group / taken).read_text()) + int(stat.get(cache, 0))
            except (OSError, ValueError):  # another kind of group, one without a limit ("max"), or none
                continue
            found.append(max(free, 0))
    return min(found)


def peak_memory(root: Path = Path("/")) -> int:
    """Bytes that this process took at most.

    What `resource.getrusage` says holds what the process that started this one had taken until then, too: only where
    there is nothing else it stands in.

    Parameters
    ----------
    root
        The folder that holds `proc`.
    """
    with suppress(OSError, ValueError, IndexError):
        for line in (root / "proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _groups(root: Path) -> list[Path]:
    """The control groups of this process, and those that they lie in."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if controllers in ("", "memory"):
            top = root / "sys/fs/cgroup" / controllers
            inner = top / place.lstrip("/")
            found += [folder for folder in (inner, *inner.parents) if folder.is_relative_to(top)]
    return found
