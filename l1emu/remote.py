"""Files behind `root://` and `http(s)://` URLs, read by ranges of bytes; a read that fails for the moment is repeated.

fsspec reads them: XRootD through fsspec-xrootd, HTTP through aiohttp, both of the extra `batch` and imported only here,
where they are needed. What an answer means is decided here: that a file is absent is final, that a server is not there
is not. A file that is another one after a repetition is refused, so that no result is of halves of two files.
"""

from __future__ import annotations

import importlib
import io
import os
import random
import re
import sys
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PosixPath
from typing import Any, BinaryIO, TypeVar, cast
from urllib.parse import urlsplit

from l1emu.errors import L1emuError
from l1emu.files import open_regular

REMOTE_SECONDS = "L1EMU_REMOTE_SECONDS"
"""The environment variable with the seconds for which a read is tried again; a quarter in silence is a failed try."""

_DEFAULT_SECONDS = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 10.0
_BLOCK, _BLOCKS = 1 << 16, 16
"""What is read at least, and how many of these are kept: the directories of a ROOT file are many small reads."""
_GAP, _REQUEST = 1 << 14, 1 << 23
"""Bytes between two ranges for which they are read as one, and of one request: it must end within its time."""

_KNOWN = re.compile(r"(root|https?)://", re.IGNORECASE)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_XROOTD_CODE = re.compile(r"\[(3\d\d\d)\]")
_XROOTD_TOLD = re.compile(r"\[(?:ERROR|FATAL)\] (.*)")
_XROOTD_FINAL = {
    "3000": "not a name that the server takes",
    "3002": "not a name that the server takes",
    "3006": "the server refuses such requests",
    "3010": "the server refuses access",
    "3011": "no such file",
    "3013": "the server refuses such requests",
    "3016": "this is a folder",
    "3030": "the server refuses access",
}
"""What a server says for good, by the number in its answer (XProtocol.hh of XRootD); all else may pass."""
_HTTP_FINAL = {401: "the server refuses access", 403: "the server refuses access", 404: "no such file"}
_HTTP_FINAL |= {410: "no such file", 416: "the server does not send parts of files"}
_HTTP_PASSING = {408, 425, 429}

_WEB_PAGE = (b"<!doctype html", b"<html")
"""What servers send for a folder, or to have somebody log in."""

_T = TypeVar("_T")


class RemotePath(PosixPath):
    """A URL where a path is taken: it has a path's name, suffix and stem, and as text it is the URL without secrets.

    Functions of the file system find nothing at it; `open_file`, `readable` and `file_size` read it.

    Attributes
    ----------
    url
        The URL as it was given, with user, password and query, which `str` leaves out.
    """

    url: str

    def __new__(cls, url: str) -> RemotePath:
        made = super().__new__(cls, _shown(url))
        made.url = url
        return made

    def __init__(self, url: str) -> None:
        if sys.version_info >= (3, 12):  # before, __new__ did all
            super().__init__(_shown(url))

    def __str__(self) -> str:
        return _shown(self.url)

    def __fspath__(self) -> str:
        return str(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemotePath) and other.url == self.url

    def __hash__(self) -> int:
        return hash(self.url)

    def __reduce__(self) -> tuple[type[RemotePath], tuple[str]]:
        return RemotePath, (self.url,)


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class RemoteError(L1emuError):
    """A remote file that was there, or may be, and cannot be read now: all repetitions failed."""

    def at(self, where: str) -> RemoteError:
        """The same error, with the place that was to be read."""
        return RemoteError(self.message, path=self.path, where=where, value=self.value, expected=self.expected)


def is_url(name: str) -> bool:
    """Whether this is a URL, one that can be read or another."""
    return _URL.match(name) is not None


def as_path(name: str | os.PathLike[str]) -> Path:
    """The path, or the URL as one.

    Raises
    ------
    L1emuError
        if it is a URL of another kind than `root://`, `http://` and `https://`.
    """
    if isinstance(name, Path):
        return name
    text = os.fspath(name)
    if not is_url(text):
        return Path(text)
    try:
        parts = urlsplit(text)
        if _KNOWN.match(text) and parts.hostname and parts.port != 0:
            return RemotePath(text)
    except ValueError:  # a bracket too few, a port that is none
        pass
    raise L1emuError("not a URL that is read", value=text, expected="root://HOST//PATH, http://HOST/PATH or https://")


@contextmanager
def open_file(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file here, or one behind a URL, for reading.

    Raises
    ------
    L1emuError
        as `open_regular` does; of a URL, as `RemoteFile` does, inside the block too.
    """
    if not isinstance(path, RemotePath):
        with open_regular(path) as stream:
            yield stream
        return
    with RemoteFile(path) as file, file.telling():
        yield cast(BinaryIO, io.BufferedReader(file, _BLOCK))


@contextmanager
def readable(path: Path) -> Iterator[Path | BinaryIO]:
    """What a library opens itself: a path here, a stream of what is behind a URL.

    Raises
    ------
    L1emuError
        as `open_file` does of URLs; a path is not looked at.
    """
    if not isinstance(path, RemotePath):
        yield path
        return
    with open_file(path) as stream:
        yield stream


def file_size(path: Path) -> int:
    """The bytes of a file, here or behind a URL.

    Raises
    ------
    L1emuError
        if a URL does not answer.
    OSError
        if a path is of no file.
    """
    if not isinstance(path, RemotePath):
        return path.stat().st_size
    with RemoteFile(path) as file:
        return file.size


def read_ranges(path: Path, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    """The bytes of a file, here or behind a URL, in ranges (first, one after the last); fewer at its end.

    Raises
    ------
    L1emuError
        as `open_file` does.
    """
    if isinstance(path, RemotePath):
        with RemoteFile(path) as file:
            return file.ranges(ranges)
    found = []
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        for start, stop in ranges:
            stream.seek(start)
            found.append(stream.read(max(min(stop, size) - start, 0)))
    return found


class RemoteFile(io.RawIOBase):
    """A file behind a URL, for reading.

    Attributes
    ----------
    path
        Its URL.
    size
        Its bytes.
    modified
        When it was changed, as the server says it: seconds since 1970, a date of HTTP, or None.
    failure
        Why the last read failed: libraries that read through callbacks tell less.

    Raises
    ------
    L1emuError
        if there is no such file, it is a folder, or the server refuses it.
    RemoteError
        from here and from every method that reads, if the server does not answer for `L1EMU_REMOTE_SECONDS`.
    """

    def __init__(self, path: RemotePath) -> None:
        super().__init__()
        self.path = path
        self.failure: L1emuError | None = None
        self._looked = False
        self._fs, self._place = _file_system(path)
        self.size, self.modified = self._repeated(self._look)
        self._looked = True
        self._position = 0
        from fsspec.caching import BlockCache  # loaded where it is needed: it takes a while

        self._blocks = BlockCache(_BLOCK, self._fetch_one, self.size, _BLOCKS)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._position = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence])
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self.range(self._position, self._position + len(view))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def range(self, start: int, stop: int) -> bytes:
        """The bytes from `start` to `stop`, fewer at the end of the file; those around a few bytes are kept."""
        if stop - start > _BLOCK:
            return self.ranges([(start, stop)])[0]
        return bytes(self._blocks._fetch(start, stop))

    def ranges(self, wanted: Sequence[tuple[int, int]]) -> list[bytes]:
        """The bytes of several ranges, in few requests; fewer at the end of the file."""
        clipped = [(min(start, self.size), min(stop, self.size)) for start, stop in wanted]
        spans = _joined(sorted(span for span in clipped if span[0] < span[1]))
        data: dict[int, bytes] = {}
        for request in _requests(spans):
            for (start, _), piece in zip(request, self._fetch(request), strict=True):
                data[start] = piece
        return [_cut_out(data, spans, start, stop) for start, stop in clipped]

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Raise why a read failed, where a library that reads by itself raised something else for it."""
        try:
            yield
        except L1emuError:
            raise
        except Exception:
            if self.failure is not None:
                raise self.failure from None
            raise

    def _fetch_one(self, start: int, stop: int) -> bytes:
        return self._fetch([(start, min(stop, self.size))])[0]

    def _fetch(self, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        places = [self._place] * len(spans)
        starts, stops = [start for start, _ in spans], [stop for _, stop in spans]

        def fetch() -> list[bytes]:
            found = self._fs.cat_ranges(places, starts, stops)
            for piece, (start, stop) in zip(found, spans, strict=True):
                if isinstance(piece, BaseException):
                    raise piece
                if len(piece) == stop - start:
                    continue
                if piece.lstrip()[:14].lower().startswith(_WEB_PAGE):
                    raise L1emuError("the server answers with a web page", path=self.path, expected="a file")
                if len(piece) >= self.size > stop - start:
                    raise L1emuError(
                        "the server does not send parts of files", path=self.path, expected="HTTP with ranges of bytes"
                    )
                self._check_same()
                raise EOFError(f"{len(piece)} bytes of {stop - start}")
            return cast(list[bytes], found)

        return self._repeated(fetch)

    def _look(self) -> tuple[int, float | str | None]:
        """Size and time of change."""
        if self._place.endswith("/"):
            raise L1emuError("this is a folder", path=self.path, expected="a file")
        info = self._fs.info(self._place)
        if info.get("type") == "directory":
            raise L1emuError("this is a folder", path=self.path, expected="a file")
        if info.get("mimetype") == "text/html":
            raise L1emuError("the server answers with a web page", path=self.path, expected="a file")
        if info.get("size") is None:
            raise L1emuError("the server does not tell the file's size", path=self.path, expected="HTTP Content-Length")
        return int(info["size"]), info.get("mtime", info.get("Last-Modified"))

    def _check_same(self) -> None:
        size, modified = self._look()
        if (size, modified) != (self.size, self.modified):
            raise L1emuError(
                "the file was changed while it was read",
                path=self.path,
                value=f"{size:,} bytes, {modified}",
                expected=f"{self.size:,} bytes, {self.modified}, as at first",
            )

    def _repeated(self, ask: Callable[[], _T]) -> _T:
        def again() -> None:
            with suppress(Exception):  # the handle of a server that was there before
                self._fs.invalidate_cache(self._place)
            if self._looked:
                self._check_same()

        try:
            return _repeated(self.path, ask, again)
        except L1emuError as error:
            self.failure = error
            raise


def list_folder(path: RemotePath) -> dict[str, str]:
    """What is in a folder behind a URL of `root://`: name -> `file`, `directory` or `other`.

    Raises
    ------
    L1emuError
        if there is no such folder, or the server does not let it be listed.
    RemoteError
        if the server does not answer.
    """
    found, place = _file_system(path)
    entries = _repeated(path, lambda: found.ls(place, detail=True), lambda: None)
    return {str(entry["name"]).rpartition("/")[2]: str(entry["type"]) for entry in entries}


def _repeated(path: RemotePath, ask: Callable[[], _T], again: Callable[[], None]) -> _T:
    """What a server answers, asked again where it fails for the moment, with pauses that grow; `again` before that."""
    begin = time.monotonic()
    patience = _seconds()
    pause, tries = _FIRST_PAUSE, 0
    while True:
        try:
            if tries:
                again()
            return ask()
        except L1emuError:
            raise
        except Exception as error:  # of fsspec, aiohttp, asyncio, XRootD
            tries += 1
            said = _final(error)
            if said is not None:
                raise L1emuError(said, path=path) from None
            spent = time.monotonic() - begin
            if spent + pause > patience:
                raise RemoteError(
                    f"cannot be read: {_said(error, path)}; tried {tries} times in {spent:.1f} s",
                    path=path,
                    expected=f"a server that answers ({REMOTE_SECONDS} says for how long it is tried)",
                ) from None
        _pause(pause * random.uniform(0.5, 1))  # a thousand jobs do not come back at one moment
        pause = min(2 * pause, _LONGEST_PAUSE)


def _pause(seconds: float) -> None:
    time.sleep(seconds)


def _said(error: BaseException, path: RemotePath) -> str:
    """What a library said in a line, without the URL's secrets."""
    cause = _cause(error)
    status = getattr(cause, "status", None)
    text = f"HTTP {status}" if status else " ".join(str(cause).split()) or type(cause).__name__
    told = _XROOTD_TOLD.search(text)
    text = text if told is None else told[1]
    parts = urlsplit(path.url)
    for secret in (parts.query, parts.netloc.rpartition("@")[0]):
        text = text.replace(secret, "...") if secret else text
    return text[:160]


def _file_system(path: RemotePath) -> tuple[Any, str]:
    """The fsspec file system that a URL lies in, and the file's name there.

    Raises
    ------
    L1emuError
        if the packages that read such URLs are not installed.
    """
    import fsspec

    timeout = max(1, round(_seconds() / 4))
    options: dict[str, Any] = {"use_listings_cache": False}
    try:
        if path.url.lower().startswith("root:"):
            _set_xrootd_up(timeout)
            options["timeout"] = timeout
        else:
            aiohttp = importlib.import_module("aiohttp")
            limits = aiohttp.ClientTimeout(total=None, sock_connect=timeout, sock_read=timeout)
            options["client_kwargs"] = {"timeout": limits}
        found, place = fsspec.core.url_to_fs(path.url, **options)
    except ImportError as error:
        package = "fsspec-xrootd and xrootd" if path.url.lower().startswith("root:") else "aiohttp"
        raise L1emuError(
            f"such a URL needs {package}, which cannot be imported ({error})",
            path=path,
            expected="an installation with the extra `batch`: pip install 'l1emu[batch]'",
        ) from None
    except ValueError:
        raise L1emuError("not a URL", path=path, expected="root://HOST//PATH") from None
    return found, str(place)


def _set_xrootd_up(timeout: int) -> None:
    """Let the client of XRootD give up soon, and come back: by itself it takes minutes, and then none for half an hour.

    Variables `XRD_*` of the environment stay as they are.
    """
    client = importlib.import_module("XRootD.client")
    for name, value in (
        ("ConnectionWindow", timeout),
        ("ConnectionRetry", 1),
        ("StreamErrorWindow", 0),
        ("TimeoutResolution", 1),
    ):
        client.EnvPutInt(name, value)


def _seconds() -> float:
    text = os.environ.get(REMOTE_SECONDS, "")
    try:
        seconds = float(text or _DEFAULT_SECONDS)
        if 0 <= seconds <= 86_400:
            return seconds
    except ValueError:
        pass
    raise L1emuError("not a number of seconds", where=REMOTE_SECONDS, value=text, expected="0 to 86400")


def _cause(error: BaseException) -> BaseException:
    """What is behind an error of fsspec, which calls all that an HTTP server does not answer a file not found."""
    while isinstance(error, FileNotFoundError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _final(error: BaseException) -> str | None:
    """What to say of an answer that will not be another one; None of one that may pass."""
    cause = _cause(error)
    status = getattr(cause, "status", None)
    if isinstance(status, int):
        if status in _HTTP_PASSING or status >= 500:
            return None
        return _HTTP_FINAL.get(status, f"the server answers HTTP {status}")
    if isinstance(cause, FileNotFoundError):
        return "no such file"
    names = {kind.__name__ for kind in type(cause).__mro__}
    if names & {"ClientConnectorCertificateError", "ClientConnectorSSLError"}:
        return "the server is not who it says, or speaks no HTTPS"
    if names & {"InvalidURL", "NonHttpUrlClientError"}:
        return "not a URL"
    code = _XROOTD_CODE.search(str(cause))
    return None if code is None else _XROOTD_FINAL.get(code[1])


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sorted ranges, those that overlap or nearly touch as one, none longer than a request."""
    found: list[tuple[int, int]] = []
    for start, stop in spans:
        if found and start <= found[-1][1] + _GAP:
            start, stop = found[-1][0], max(stop, found.pop()[1])
        found.append((start, stop))
    return [
        (low, min(low + _REQUEST, stop)) for start, stop in found for low in range(start, stop, _REQUEST)
    ]  # fmt: skip


def _requests(spans: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    request: list[tuple[int, int]] = []
    held = 0
    for start, stop in spans:
        if request and held + stop - start > _REQUEST:
            yield request
            request, held = [], 0
        request.append((start, stop))
        held += stop - start
    if request:
        yield request


def _cut_out(data: dict[int, bytes], spans: Sequence[tuple[int, int]], start: int, stop: int) -> bytes:
    """The bytes of a range out of the disjoint, sorted spans that were read, by their beginnings."""
    if start >= stop:
        return b""
    parts = []
    place = bisect_right(spans, start, key=lambda span: span[0]) - 1
    while place < len(spans) and spans[place][0] < stop:
        low = spans[place][0]
        parts.append(data[low][max(start - low, 0) : stop - low])
        place += 1
    return parts[0] if len(parts) == 1 else b"".join(parts)
