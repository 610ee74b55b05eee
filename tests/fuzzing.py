"""Damage for files: random bytes changed, and documents and arrays changed where their format still holds.

A reader is held to one contract: whatever the file, it returns, or it raises `L1emuError` with one line.
"""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1emu.errors import L1emuError

BITES = (
    b"\x00",
    b"\xff",
    b"\n",
    b"\t",
    b"-",
    b"[" * 40,
    b"{" * 40,
    b"&a *a",
    b"1e999",
    b"9" * 5000,
    b"\xef\xbb\xbf",
    b"\x80",
)
"""What readers stumble over: ends of strings, deep nesting, endless digits, marks of byte order, broken UTF-8."""

ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    -(2**31) - 1,
    2**63,
    -(2**63) - 1,
    2**200,
    0.5,
    -0.0,
    5e-324,
    1e308,
    float("inf"),
    float("-inf"),
    float("nan"),
    "",
    "a",
    "0",
    "../../etc/passwd",
    "\x00",
    "\udc80",
    "x" * 10_000,
    [],
    [[]],
    [0],
    {},
    {"": None},
)
"""Values that JSON, or a config, can give where another belongs."""


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """`data` with one to four random changes: bytes flipped, set, cut, doubled, moved, or odd ones put in."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        size = len(changed)
        at, other = (int(n) for n in rng.integers(0, size + 1, 2))
        low, high = min(at, other), max(at, other)
        match int(rng.integers(0, 8)):
            case 0 if size:
                changed[at % size] ^= 1 << int(rng.integers(0, 8))
            case 1 if size:
                changed[at % size] = int(rng.integers(0, 256))
            case 2:
                del changed[at:]
            case 3:
                del changed[low : min(high, low + 64)]
            case 4:
                changed[at:at] = changed[low : min(high, low + 256)]
            case 5:
                changed[at:at] = BITES[int(rng.integers(0, len(BITES)))]
            case 6:
                changed[at : at + 8] = rng.integers(0, 256, 8, dtype=np.uint8).tobytes()
            case _:
                changed[at : at + 4] = rng.choice(np.array([0, 1, 2**31 - 1, 2**32 - 1], "<u4")).tobytes()
    return bytes(changed)


def places(document: Any) -> list[tuple[Any, Any]]:
    """Every (container, key or index) of a document of dicts and lists."""
    found: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting:
        node = waiting.pop()
        inside: Iterable[tuple[Any, Any]] = ()
        if isinstance(node, dict):
            inside = node.items()
        elif isinstance(node, list):
            inside = enumerate(node)
        for key, value in inside:
            found.append((node, key))
            waiting.append(value)
    return found


def altered(document: Any, rng: np.random.Generator) -> Any:
    """A copy of a JSON document with one or two of its values replaced, removed, nudged, doubled or swapped."""
    changed = copy.deepcopy(document)
    for _ in range(int(rng.integers(1, 3))):
        spots = places(changed)
        if not spots:
            return ODD_VALUES[int(rng.integers(0, len(ODD_VALUES)))]
        node, key = spots[int(rng.integers(0, len(spots)))]
        value = node[key]
        match int(rng.integers(0, 7)):
            case 0:
                del node[key]
            case 1 if isinstance(value, int | float):
                node[key] = value + int(rng.choice([-1, 1, 1000]))
            case 2 if isinstance(value, int | float):
                node[key] = -value
            case 3 if isinstance(value, list) and value:
                node[key] = value + value[: int(rng.integers(1, len(value) + 1))]
            case 4:
                other, there = spots[int(rng.integers(0, len(spots)))]
                if there in other if isinstance(other, dict) else there < len(other):
                    node[key] = copy.deepcopy(other[there])
            case 5 if isinstance(node, dict):
                node[f"{key}x"] = node.pop(key)
            case _:
                node[key] = copy.deepcopy(ODD_VALUES[int(rng.integers(0, len(ODD_VALUES)))])
    return changed


def json_bytes(document: Any) -> bytes:
    """A document as Python writes JSON: NaN and Infinity among it, lone surrogates escaped."""
    return json.dumps(document).encode()


def altered_array(array: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """`array` with another shape, another dtype or other values, as somebody could save it."""
    match int(rng.integers(0, 10)):
        case 0:
            return array.reshape(-1)[: int(rng.integers(0, array.size + 1))]
        case 1:
            return array[..., None]
        case 2:
            return array[:0] if array.ndim else np.zeros((0,), array.dtype)
        case 3:
            return np.concatenate([np.atleast_1d(array)] * 2)
        case 4:
            return np.asfortranarray(array)
        case 5:
            kinds = ["f2", "f4", ">f8", "i1", ">i4", "i8", "u8", "?", "c16", "S3", "U3", "M8[s]", "V4", "f8"]
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                try:
                    return array.astype(np.dtype(str(rng.choice(kinds))))
                except (TypeError, ValueError):
                    return np.zeros(array.shape, "S3")
        case 6:
            return np.zeros(array.shape, [("a", "f4"), ("b", "i4", (2,))])
        case _:
            changed = np.array(array)
            if changed.size and changed.dtype.kind in "iuf":
                if changed.dtype.kind == "f":
                    odd = [np.nan, np.inf, -np.inf, 0, -1, 5e-324, float(np.finfo(changed.dtype).max)]
                else:
                    info = np.iinfo(changed.dtype)
                    odd = [info.min, info.max, 0, info.max // 2, 1 if info.min == 0 else -1]
                flat = changed.reshape(-1)
                flat[rng.integers(0, flat.size, int(rng.integers(1, 4)))] = odd[int(rng.integers(0, len(odd)))]
                return flat.reshape(array.shape)
            return changed


def refused(call: Callable[[], Any]) -> str | None:
    """None if `call` returned, or the one line with which it refused; any other exception passes through."""
    try:
        call()
    except L1emuError as error:
        text = str(error)
        assert "\n" not in text and "\r" not in text, f"more than one line: {text!r}"
        text.encode()  # a lone surrogate cannot be printed
        return text
    return None
