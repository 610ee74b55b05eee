"""One self-contained firmware file, ``*.l1fw``: equal firmware gives equal bytes, and damage is found on reading.

Layout: 8 bytes of magic, a format version (uint32), the length of what follows the header (uint64), its SHA-256
(32 bytes); then the length of a JSON document (uint64), the document, and the arrays one after another, in the
smallest little-endian signed type that holds them. All numbers of the layout are little-endian.
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import MISSING, fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from l1emu.errors import L1emuError
from l1emu.files import read_bytes, sha256_bytes, write_aside
from l1emu.firmware.encoding import ARRAY_TYPES, encoded, json_bytes
from l1emu.firmware.graph import Graph
from l1emu.fixedpoint import FixedPoint
from l1emu.jsontext import parse_json
from l1emu.layers import KINDS, Foreign, Layer, Tensor

STORE_MAGIC = b"\x89L1FW\r\n\x1a"
VERSION = 1
_HEADER = struct.Struct("<8sIQ32s")
_LENGTH = struct.Struct("<Q")
_LIMIT = 128 << 20
"""Bytes of the largest file: its arrays take up to eight times as many in memory."""
_LARGEST = 1 << 24
"""Numbers of one tensor, and the highest of a layer's counts."""
_WIDEST, _FARTHEST = 1024, 2048
"""Bits of a type, and places of its point to either side."""
_COUNTS = frozenset(
    [
        "positions",
        "n_in",
        "n_out",
        "n_filt",
        "n_state",
        "steps",
        "inplace",
        "free0",
        "free1",
        "contract",
        "dim",
        "n_outer",
        "n_slice",
        "n_inner",
    ]
)
"""Fields of layers that count something."""
_MALFORMED = (
    KeyError,
    TypeError,
    ValueError,
    IndexError,
    AttributeError,
    OverflowError,
    ZeroDivisionError,
    RecursionError,
    struct.error,
)


def save_firmware(firmware: Graph, path: str | os.PathLike[str]) -> None:
    """Write `firmware` to `path`, whole or not at all.

    Raises
    ------
    L1emuError
        if layers of it run as the project's own C++, or the file cannot be written.
    """
    foreign = [layer.name for layer in firmware.layers if isinstance(layer, Foreign)]
    if foreign:
        raise L1emuError(
            "a firmware file carries no C++, and these layers run as the project's own: the project is needed",
            path=path,
            value=", ".join(foreign),
            expected="the project's folder in place of a file",
        )
    graph, arrays = encoded(firmware.inputs, firmware.outputs, firmware.layers)
    document = {
        "name": firmware.name,
        "backend": firmware.backend,
        "origin": firmware.origin,
        "content_hash": firmware.content_hash,
        "graph": graph,
    }
    if firmware.design is not None:
        document["design"] = firmware.design
    text = json_bytes(document)
    body = _LENGTH.pack(len(text)) + text + arrays
    header = _HEADER.pack(STORE_MAGIC, VERSION, len(body), bytes.fromhex(sha256_bytes(body)))
    with write_aside(path) as aside:
        aside.write_bytes(header + body)


def load_firmware(path: str | os.PathLike[str]) -> Graph:
    """Read a firmware file.

    Raises
    ------
    L1emuError
        if the file is absent, of another kind or version, truncated, or differs by a single bit from what was
        written; or was made by somebody else, and has a field, a size or an array that does not fit.
    """
    file = Path(path)
    if not os.path.lexists(file):
        raise L1emuError("no such file or folder", path=file, expected="an hls4ml project or a .l1fw file")
    data = read_bytes(file, limit=_LIMIT)
    if data[: len(STORE_MAGIC)] != STORE_MAGIC:
        raise L1emuError(
            "not a firmware file", path=file, value=data[:8], expected=f"a file that begins with {STORE_MAGIC!r}"
        )
    if len(data) < _HEADER.size:
        raise L1emuError("the firmware file is truncated", path=file, value=len(data), expected="its whole header")
    _, version, length, digest = _HEADER.unpack_from(data)
    if version != VERSION:
        raise L1emuError("unknown version of the firmware file", path=file, value=version, expected=str(VERSION))
    body = data[_HEADER.size :]
    if len(body) != length:
        what = "is truncated" if len(body) < length else "has bytes after its end, or its length is damaged"
        raise L1emuError(f"the firmware file {what}", path=file, value=len(body), expected=f"{length} bytes")
    if bytes.fromhex(sha256_bytes(body)) != digest:
        raise L1emuError(
            "the firmware file is damaged: its content hash does not fit", path=file, expected=digest.hex()
        )
    try:
        size = _LENGTH.unpack_from(body)[0]
        document = parse_json(body[_LENGTH.size : _LENGTH.size + size])
        firmware, stated = _Decoder(body[_LENGTH.size + size :]).firmware(document)
    except L1emuError as error:
        raise L1emuError(
            f"the firmware file is not well-formed: {error.message}",
            path=file,
            where=error.where,
            value=error.value,
            expected=error.expected,
        ) from None
    except _MALFORMED as error:
        raise L1emuError(f"the firmware file is not well-formed: {error!r}", path=file) from None
    if firmware.content_hash != stated:
        raise L1emuError("the content hash does not fit the content", path=file, value=stated)
    return firmware


class _Decoder:
    """The firmware of a document and its arrays. A fitting hash says who damaged it, not that it is well-formed."""

    def __init__(self, arrays: bytes) -> None:
        self._arrays = arrays
        self._left = len(arrays)  # each byte belongs to one array: few bytes cannot stand for many numbers
        self._tensors: dict[str, Tensor] = {}

    def firmware(self, document: Any) -> tuple[Graph, str]:
        """The firmware, and the content hash that the document states."""
        graph = _mapping(document, "graph")["graph"]
        for name, tensor in _mapping(graph, "tensors", dict)["tensors"].items():
            shape = tuple(tensor["shape"])
            whole = all(type(n) is int and n > 0 for n in shape)
            if not whole or len(shape) > 16 or math.prod(shape) > _LARGEST:
                raise L1emuError("not a shape", where=f"tensor {name}", value=shape)
            self._tensors[name] = Tensor(name, shape, _type(tensor["type"]))
        layers = [self._layer(entry) for entry in _mapping(graph, "layers", list)["layers"]]
        inputs, outputs = (self._value(graph[name]) for name in ("inputs", "outputs"))
        for name, tensors in (("inputs", inputs), ("outputs", outputs)):
            if not _fits(tensors, tuple[Tensor, ...]):
                raise L1emuError("not tensors", where=name, value=graph[name])
        for name, kind in (("name", str), ("backend", str), ("content_hash", str), ("origin", dict)):
            _mapping(document, name, kind)
        if self._left:
            raise L1emuError("bytes of no array", value=self._left)
        design = _mapping(document, "design", dict)["design"] if "design" in document else None
        made = Graph(document["name"], document["backend"], inputs, outputs, tuple(layers), document["origin"], design)
        return made, document["content_hash"]

    def _layer(self, entry: Any) -> Layer:
        cls = KINDS.get(_mapping(entry, "kind", str)["kind"])
        if cls is None:
            raise L1emuError("an unknown kind of layer", value=entry["kind"], expected=", ".join(KINDS))
        place = f"layer {_mapping(entry, 'name', str)['name']}"
        hints = get_type_hints(cls)
        stated = {}
        for name, content in entry.items():
            if name == "kind":
                continue
            value = self._value(content)
            if name not in hints or not _fits(value, hints[name]):
                raise L1emuError("a field that this kind of layer does not have", where=place, value={name: content})
            if type(value) is int and not (1 <= value <= _LARGEST if name in _COUNTS else abs(value) < 1 << 62):
                raise L1emuError("a number out of range", where=place, value={name: content})
            stated[name] = value
        missing = [field.name for field in fields(cls) if field.default is MISSING and field.name not in stated]
        if missing:
            raise L1emuError("fields are missing", where=place, value=missing)
        if not stated["inputs"]:
            raise L1emuError("a layer without an input", where=place)
        return cls(**stated)

    def _value(self, x: Any) -> Any:
        if isinstance(x, list):
            return tuple(self._value(item) for item in x)
        if not isinstance(x, dict):
            return x
        ((tag, content),) = x.items()
        if tag == "type":
            return _type(content)
        if tag == "tensor":
            return self._tensors[content]
        if tag == "array":
            return self._array(*content)
        raise L1emuError("an unknown tag", value=tag)

    def _array(self, offset: int, kind: str, shape: list[int]) -> NDArray[Any]:
        if kind not in ARRAY_TYPES or not all(type(n) is int and n >= 0 for n in (offset, *shape)) or len(shape) > 16:
            raise L1emuError("not an array", value=[offset, kind, shape])
        count = math.prod(shape)
        self._left -= count * np.dtype(kind).itemsize
        if self._left < 0 or offset > len(self._arrays) or any(n > len(self._arrays) for n in shape):
            raise L1emuError("more numbers than there are", value=[offset, kind, shape])
        return np.frombuffer(self._arrays, dtype=kind, count=count, offset=offset).reshape(shape)


def _mapping(x: Any, key: str, kind: type = object) -> dict[str, Any]:
    """`x`, a mapping in which there is something of this kind at `key`."""
    if not isinstance(x, dict) or key not in x or not isinstance(x[key], kind):
        raise L1emuError("something is missing or of another kind", where=key, value=x)
    return x


def _type(text: Any) -> FixedPoint:
    if not isinstance(text, str):
        raise L1emuError("not a fixed-point type", value=text)
    kind = FixedPoint.parse(text)
    if kind.width > _WIDEST or abs(kind.integer) > _FARTHEST:
        raise L1emuError("too wide a type", value=text, expected=f"at most {_WIDEST} bits")
    return kind


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of an annotated type, as the fields of layers have them."""
    origin, inside = get_origin(hint), get_args(hint)
    origin = get_origin(getattr(origin, "__value__", None)) or origin  # numpy 2.5's NDArray is an alias by name
    if origin in (Union, UnionType):
        return any(_fits(value, option) for option in inside)
    if origin is Literal:
        return isinstance(value, str) and value in inside
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(item, inside[0]) for item in value)
    if origin is np.ndarray:
        return isinstance(value, np.ndarray)
    return type(value) is hint
