"""Weights as the C simulation loads them: text files, or initializers in headers."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.firmware.cxx.lexer import text_of
from l1emu.firmware.cxx.parser import Declaration
from l1emu.fixedpoint import FixedPoint

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_PAIR = re.compile(r"\s*\{([^{},]*),([^{},]*)\}\s*")
_SIGN = re.compile(r"^([+-])\s+")
_OCTAL = re.compile(r"(?<![\w.])0\d", re.ASCII)  # to C++; to what reads a text it is decimal
_DIGITS = 400  # characters that a number may take, its separator and blanks included


def from_text(path: Path, count: int, kind: FixedPoint) -> Ints:
    """Read `count` comma-separated numbers, each assigned from double to `kind`, as `load_weights_from_txt` does.

    Raises
    ------
    L1emuError
        if the file is absent, holds another count of numbers, or something that is not a number.
    """
    return _raw(_line(path, count).split(","), count, kind, path, "line 1")


def _line(path: Path, count: int) -> str:
    """The one line of a file of `count` numbers; what `count` numbers cannot fill is not read."""
    lines = read_text(path, limit=count * _DIGITS + 1024).split("\n")
    if any(line.strip() for line in lines[1:]):
        raise L1emuError("more than one line; the C++ reads the first alone", path=path, where="line 2")
    return lines[0]


def powers_from_text(path: Path, count: int, kind: FixedPoint) -> tuple[Ints, Ints]:
    """Read `count` pairs ``{sign, exponent}``, as `load_exponent_weights_from_txt` does.

    Returns
    -------
    signs, exponents
        1 or -1, and raw values of `kind`.
    """
    return _pairs(_line(path, count), count, kind, path, "line 1")


def powers_from_initializer(declared: Declaration, count: int, kind: FixedPoint) -> tuple[Ints, Ints]:
    """As `powers_from_text`, of the ``{{sign, exponent}, ...}`` of an array in a header."""
    text = text_of(list(declared.value or ())[1:-1])
    return _pairs(text, count, kind, declared.place.path, f"line {declared.place.line}")


def _pairs(text: str, count: int, kind: FixedPoint, path: Path, where: str) -> tuple[Ints, Ints]:
    words = []
    for i, part in enumerate(re.split(r"(?<=\}),|(?<=\})\s+,", text.strip())):
        found = _PAIR.fullmatch(part)
        if found is None or found[1].strip() not in ("0.0", "1.0", "0", "1"):
            raise L1emuError(
                "not a sign and an exponent", path=path, where=f"{where}, entry {i + 1}", value=part.strip()
            )
        words.append((found[1].strip(), re.sub(r"\s", "", found[2])))
    if len(words) != count:
        raise L1emuError(
            "not as many signs and exponents", path=path, where=where, value=len(words), expected=str(count)
        )
    signs = np.array([1 if sign.startswith("1") else -1 for sign, _ in words], dtype=np.int64)
    return signs, _raw([exponent for _, exponent in words], count, kind, path, where)


def is_initializer_of(path: Path, count: int, declared: Declaration) -> bool:
    """Whether a file of `count` numbers holds, to the letter, what the header initializes an array with."""
    text = " ".join(token.text for token in declared.value or ())
    return text[1:-1].strip() == _line(path, count).strip() and not _OCTAL.search(text)


def from_initializer(declared: Declaration, count: int, kind: FixedPoint) -> Ints:
    """Read the `{...}` of an array in a header."""
    text = " ".join(token.text for token in declared.value or ())
    if len(text) < 2 or text[0] != "{" or text[-1] != "}":
        raise declared.place.error("weights without a list of numbers", text[:40], "{...}")
    where = f"line {declared.place.line}"
    words = [_SIGN.sub(r"\1", word.strip()) for word in text[1:-1].split(",")]
    if _OCTAL.search(text):
        octal = next(i for i, word in enumerate(words) if _OCTAL.search(word))
        raise L1emuError(
            "not a decimal number", path=declared.place.path, where=f"{where}, entry {octal + 1}", value=words[octal]
        )
    return _raw(words, count, kind, declared.place.path, where)


def _raw(words: list[str], count: int, kind: FixedPoint, path: Path, where: str) -> Ints:
    words = [word.strip(" \t\r\v\f") for word in words]
    numbers = []
    for i, word in enumerate(words):
        if len(word) > _DIGITS or not _NUMBER.fullmatch(word) or not math.isfinite(number := float(word)):
            raise L1emuError("not a number", path=path, where=f"{where}, entry {i + 1}", value=word)
        numbers.append(number)
        if kind.is_integer and not re.fullmatch(r"[+-]?(?:0|[1-9][0-9]*)", word):
            raise L1emuError("not an integer", path=path, where=f"{where}, entry {i + 1}", value=word)
    if len(words) != count:
        raise L1emuError("wrong count of weights", path=path, where=where, value=len(words), expected=str(count))
    raw = kind.from_float(np.array(numbers))
    if raw.dtype != np.int64:
        raise L1emuError("weights of more than 64 bits are not supported", path=path, value=str(kind))
    return raw
