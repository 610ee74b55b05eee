"""Weights as the C simulation loads them: text files, or initializers in headers."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.firmware.cpp import Declaration, split, text_of
from l1emu.fixedpoint import FixedPoint
from l1emu.layers.base import Ints

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def from_text(path: Path, count: int, kind: FixedPoint) -> Ints:
    """Read `count` comma-separated numbers, each assigned from double to `kind`, as `load_weights_from_txt` does.

    Raises
    ------
    L1emuError
        if the file is absent, holds another count of numbers, or something that is not a number.
    """
    text = read_text(path)
    lines = text.splitlines()
    if any(line.strip() for line in lines[1:]):
        raise L1emuError("more than one line; the C++ reads the first alone", path=path, where="line 2")
    return _raw(lines[0].split(",") if lines else [], count, kind, path, "line 1")


def powers_from_text(path: Path, count: int, kind: FixedPoint) -> tuple[Ints, Ints]:
    """Read `count` pairs ``{sign, exponent}``, as `load_exponent_weights_from_txt` does.

    Returns
    -------
    signs, exponents
        1 or -1, and raw values of `kind`.
    """
    lines = read_text(path).splitlines() or [""]
    pairs = re.findall(r"\{([^{}]*)\}", lines[0])
    words = [pair.split(",") for pair in pairs]
    if len(words) != count or any(len(word) != 2 or word[0].strip() not in ("0.0", "1.0", "0", "1") for word in words):
        raise L1emuError("not as many signs and exponents", path=path, where="line 1", expected=str(count))
    signs = np.array([1 if word[0].strip().startswith("1") else -1 for word in words], dtype=np.int64)
    return signs, _raw([word[1] for word in words], count, kind, path, "line 1")


def from_initializer(declared: Declaration, count: int, kind: FixedPoint) -> Ints:
    """Read the `{...}` of an array in a header."""
    tokens = list(declared.value or ())
    if len(tokens) < 2 or tokens[0].text != "{" or tokens[-1].text != "}":
        raise declared.place.error("weights without a list of numbers", text_of(tokens)[:40], "{...}")
    words = [text_of(part).replace(" ", "") for part in split(tokens[1:-1])]
    return _raw(words, count, kind, declared.place.path, f"line {declared.place.line}")


def _raw(words: list[str], count: int, kind: FixedPoint, path: Path, where: str) -> Ints:
    words = [word.strip() for word in words]
    for i, word in enumerate(words):
        if not _NUMBER.fullmatch(word) or not math.isfinite(float(word)):
            raise L1emuError("not a number", path=path, where=f"{where}, entry {i + 1}", value=word)
        if kind.is_integer and not re.fullmatch(r"[+-]?(?:0|[1-9]\d*)", word):
            raise L1emuError("not an integer", path=path, where=f"{where}, entry {i + 1}", value=word)
    if len(words) != count:
        raise L1emuError("wrong count of weights", path=path, where=where, value=len(words), expected=str(count))
    raw = kind.from_float(np.array([float(word) for word in words]))
    if raw.dtype != np.int64:
        raise L1emuError("weights of more than 64 bits are not supported", path=path, value=str(kind))
    return raw
