"""A real XRootD server for tests, which serves a folder as `root://` and, by libXrdHttp, as `http://`."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_START_SECONDS = 60
_NOBODY = "nobody"


class XrootdServer:
    """The server; `folder` is what it serves.

    `start` and `stop` may be called again and again: the ports stay the same.
    """

    def __init__(self, place: Path, more: str = "") -> None:
        self._more = more
        self.folder = place / "data"
        self._place = place
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("data", "admin", "run"):
            (place / name).mkdir()
            if os.geteuid() == 0:  # xrootd refuses to run as root
                os.chown(place / name, pwd.getpwnam(_NOBODY).pw_uid, -1)
        self.port, self.http_port = _free_ports()

    @property
    def running(self) -> bool:
        return self._process is not None

    def root(self, name: str = "") -> str:
        """The URL of a file by XRootD."""
        return f"root://localhost:{self.port}//{name}"

    def http(self, name: str = "") -> str:
        """The URL of a file by HTTP."""
        return f"http://localhost:{self.http_port}/{name}"

    def add(self, path: Path, name: str | None = None) -> str:
        """Copy a file into the folder; its name there."""
        name = name or path.name
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, self.folder / name)
        (self.folder / name).chmod(0o644)
        return name

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        assert self._process is None
        config = self._place / "xrootd.cfg"
        config.write_text(
            f"xrd.port {self.port}\n"
            f"xrd.protocol http:{self.http_port} libXrdHttp.so\n"
            "http.listingdeny false\n"
            "all.export /\n"
            f"oss.localroot {self.folder}\n"
            f"all.adminpath {self._place}/admin\n"
            f"all.pidpath {self._place}/run\n"
            f"{self._more}\n"
        )
        command = ["xrootd", "-c", str(config)]
        command += ["-R", _NOBODY] if os.geteuid() == 0 else []
        with open(self._place / "log", "ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + _START_SECONDS
        while not (_answers(self.port) and _answers(self.http_port)):
            log_text = (self._place / "log").read_text(errors="replace")
            assert self._process.poll() is None, log_text
            assert time.monotonic() < deadline, log_text
            time.sleep(0.05)

    def hang(self) -> None:
        """Let it neither answer nor go away, until `wake`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Kill it, as a machine that goes down; where it does not run, nothing."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as two:
        for end in (one, two):
            end.bind(("", 0))
        return one.getsockname()[1], two.getsockname()[1]


def _answers(port: int) -> bool:
    with socket.socket() as end:
        return end.connect_ex(("localhost", port)) == 0


@contextmanager
def xrootd_server(more: str = "") -> Iterator[XrootdServer]:
    """A server that runs, with more lines of configuration; the test is skipped where there is none, or no client."""
    if shutil.which("xrootd") is None:
        pytest.skip("no xrootd here (Debian's package xrootd-server)")
    for module in ("fsspec_xrootd", "aiohttp"):
        pytest.importorskip(module, reason="the extra `batch` is not installed")
    # pytest's own folders are closed to nobody else's eyes, and so to the user that the server runs as
    with tempfile.TemporaryDirectory(prefix="l1emu-xrootd-") as place:
        Path(place).chmod(0o755)
        server = XrootdServer(Path(place), more)
        server.start()
        try:
            yield server
        finally:
            server.stop()
