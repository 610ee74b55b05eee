"""A small process between us and somebody else's program: sets its limits, and ends it with all that it started.

Run as a file, with Python's standard library alone: `python -I -S keeper.py PARENT MEMORY FILE PROGRAM...`. It ends the
program when process PARENT dies, however that happens, or when it is told to with SIGTERM. A program that has ended,
on its own account or not, leaves nothing behind: processes that it started are ended, those that left its session too.
To its standard output it writes one line: the program's exit code, or less than 0 for a signal.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_SECONDS = 10.0  # for processes to be gone


class _Told(BaseException):
    """SIGTERM: from our parent, or because it died."""


def _told(number: int, frame: object) -> None:
    raise _Told


def _limits(memory: int, file: int) -> None:
    """For this process and all that it starts: bytes of address space and of a file, no core dumps."""
    # one byte is too few for a core file, and the one value at which the kernel starts no core handler either
    wanted = {resource.RLIMIT_AS: memory, resource.RLIMIT_FSIZE: file, resource.RLIMIT_CORE: 1}
    for kind, value in wanted.items():
        _, hard = resource.getrlimit(kind)
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (least, least))


def _start(command: list[str], memory: int, file: int, control: ctypes.CDLL) -> int:
    """The process number of the program, in a session of its own."""
    keeper = os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # which Python ignores
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        os.setsid()
        control.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:
            os._exit(1)
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        _limits(memory, file)
        os.execv(command[0], command)
    except BaseException as error:
        os.write(2, f"{command[0]}: {error}\n".encode())
    finally:
        os._exit(127)


def _children() -> list[int]:
    """Our children, those that were left to us by a parent that ended included."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # the name in brackets may hold anything; state and parent follow it
            parent = (folder / "stat").read_bytes().rpartition(b")")[2].split()[1]
        except (OSError, IndexError):
            continue  # gone
        if int(parent) == os.getpid():
            found.append(int(folder.name))
    return found


def _end_group(child: int) -> None:
    """End the program and what it started, at once, except what left its group."""
    for kill in (os.killpg, os.kill):  # the group does not exist before the program is in it
        try:
            kill(child, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


def _end() -> None:
    """End all that is left, which becomes our own as its parents end."""
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        for child in _children():
            try:
                os.kill(child, signal.SIGKILL)  # ours, so that its number is still its own
            except PermissionError:  # it took another user's rights
                continue
        time.sleep(0.001)


def main(parent: int, memory: int, file: int, command: list[str]) -> None:
    """Start `command`, wait for its end, end what it leaves, and write how it ended."""
    control = ctypes.CDLL(None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # our parent, which gets it too, will tell us
    signal.signal(signal.SIGTERM, _told)
    control.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    control.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    if os.getppid() != parent:
        return
    child, code = 0, -int(signal.SIGTERM)
    try:
        child = _start(command, memory, file, control)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # its number stays its own until its group is ended
    except _Told:
        pass
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if child:
        _end_group(child)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    _end()
    with contextlib.suppress(BrokenPipeError):
        os.write(1, b"%d\n" % code)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
