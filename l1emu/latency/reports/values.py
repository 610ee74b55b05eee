"""Numbers in reports, read strictly: what is not a plain number is refused, what is undefined is said."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from l1emu.errors import L1emuError
from l1emu.files import read_bytes, sha256_bytes

UNDEFINED = frozenset({"", "-", "?", "na", "n/a", "undef", "undefined", "unknown"})
"""How the tools write that they do not know, for example after a loop without a bound; in lower case."""

_MAX_BYTES = 256 * 2**20
"""The largest report that is read; whole-model reports with every module have some 30 MB."""

_COUNT = re.compile(r"0|[1-9][0-9]{0,11}")
"""A whole number as tools write it."""

_LONGEST_PERIOD_NS = 1e5
_UNIT_NS = {"ps": 1e-3, "ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9, "sec": 1e9}


@dataclass(frozen=True)
class ReportText:
    """A report file and its content."""

    path: Path
    data: bytes

    @property
    def sha256(self) -> str:
        """The hash of the content, decompressed."""
        return sha256_bytes(self.data)

    @property
    def text(self) -> str:
        """The content as UTF-8 text."""
        try:
            return self.data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise L1emuError(
                "not a text report", path=self.path, where=f"byte {error.start}", expected="UTF-8 text"
            ) from None


def read_source(path: Path) -> ReportText:
    """Read a report, through gzip where the name ends in `.gz`.

    Raises
    ------
    L1emuError
        if it cannot be read or is no regular file, is damaged as gzip, is empty or is larger than `_MAX_BYTES`.
    """
    data = read_bytes(path, limit=_MAX_BYTES)
    if path.suffix == ".gz":
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
                data = packed.read(_MAX_BYTES + 1)
        except (EOFError, OSError, zlib.error) as error:
            raise L1emuError(f"the compressed file is damaged: {error}", path=path) from None
    if len(data) > _MAX_BYTES:
        raise L1emuError(f"larger than {_MAX_BYTES >> 20} MB", path=path, expected="a synthesis report")
    if not data.strip():
        raise L1emuError("the file is empty", path=path, expected="a synthesis report")
    return ReportText(path, data)


def count(text: str | None, source: ReportText, where: str, what: str) -> int:
    """A count of cycles or resources: decimal digits without leading zeros, and nothing else.

    Raises
    ------
    L1emuError
        if it is missing, undefined or anything but a whole number of at most twelve digits as tools write it: `08` has
        lost a digit.
    """
    word = (text or "").strip()
    if word.lower() in UNDEFINED:
        raise L1emuError(
            f"the report has no {what}", path=source.path, where=where, value=word or None, expected="a whole number"
        )
    if not _COUNT.fullmatch(word):
        raise L1emuError(f"{what} is no number", path=source.path, where=where, value=word, expected="a whole number")
    return int(word)


def stated_period_ns(text: str | None, source: ReportText, where: str, what: str) -> float:
    """A clock period in ns; a bare number is in ns, a unit is heeded.

    Raises
    ------
    L1emuError
        if it is missing or no plain decimal number.
    """
    word = (text or "").strip()
    if word.lower() in UNDEFINED:
        raise L1emuError(f"the report has no {what}", path=source.path, where=where, expected="a period in ns")
    value = time_ns(word)
    if value is None:
        raise L1emuError(f"{what} is no time", path=source.path, where=where, value=word, expected="a period in ns")
    if value > _LONGEST_PERIOD_NS:
        raise L1emuError(f"{what} of no clock", path=source.path, where=where, value=word, expected="up to 100 us")
    return value


def cycles_or_none(text: str | None, source: ReportText, where: str) -> int | None:
    """Cycles, or None where the tool says that it does not know them; raises what `count` does for anything else."""
    word = (text or "").strip()
    return None if word.lower() in UNDEFINED else count(word, source, where, "cycles")


def time_ns(word: str) -> float | None:
    """`5.00`, `4.358 ns` or `0.545 us` in ns, None if it is none of these."""
    match = re.fullmatch(r"((?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,9})?)(?:\s*(ps|ns|us|ms|sec|s))?", word.strip())
    if match is None:
        return None
    return round(float(match[1]) * _UNIT_NS[match[2] or "ns"], 9)


def time_step_ns(word: str) -> float:
    """Half of the last digit of a time as written, in ns: how far rounding may have moved it."""
    match = re.fullmatch(r"[0-9]+(?:\.([0-9]+))?(?:\s*([a-z]+))?", word.strip())
    if match is None:
        return 0.0
    return 0.5 * 10.0 ** -len(match[1] or "") * _UNIT_NS.get(match[2] or "ns", 1.0)
