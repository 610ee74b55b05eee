"""One self-contained firmware file, ``*.l1fw``: equal firmware gives equal bytes, and damage is found on reading.

Layout: 8 bytes of magic, a format version (uint32), the length of what follows the header (uint64), its SHA-256
(32 bytes); then the length of a JSON document (uint64), the document, and the arrays one after another, in the
smallest little-endian signed type that holds them. All numbers of the layout are little-endian.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import numpy as np

from l1emu.errors import L1emuError
from l1emu.files import sha256_bytes, write_aside
from l1emu.firmware.graph import Firmware
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import KINDS, Layer, Tensor

MAGIC = b"\x89L1FW\r\n\x1a"
VERSION = 1
_HEADER = struct.Struct("<8sIQ32s")
_LENGTH = struct.Struct("<Q")
_TYPES = ("<i1", "<i2", "<i4", "<i8")


def content_hash(firmware: Firmware) -> str:
    """SHA-256 of what decides the numbers: inputs, outputs and layers. Backend and origin are left out."""
    graph, arrays = _encode(firmware)
    return sha256_bytes(_json(graph) + arrays)


def save(firmware: Firmware, path: str | os.PathLike[str]) -> None:
    """Write `firmware` to `path`, whole or not at all."""
    graph, arrays = _encode(firmware)
    document = {
        "name": firmware.name,
        "backend": firmware.backend,
        "origin": firmware.origin,
        "content_hash": firmware.content_hash,
        "graph": graph,
    }
    text = _json(document)
    body = _LENGTH.pack(len(text)) + text + arrays
    header = _HEADER.pack(MAGIC, VERSION, len(body), bytes.fromhex(sha256_bytes(body)))
    with write_aside(path) as aside:
        aside.write_bytes(header + body)


def load(path: str | os.PathLike[str]) -> Firmware:
    """Read a firmware file.

    Raises
    ------
    L1emuError
        if the file is absent, of another kind or version, truncated, or differs by a single bit from what was
        written.
    """
    file = Path(path)
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise L1emuError("no such file or folder", path=file, expected="an hls4ml project or a .l1fw file") from None
    except OSError as error:
        raise L1emuError(f"cannot be read: {error.strerror}", path=file) from None
    if data[: len(MAGIC)] != MAGIC:
        raise L1emuError(
            "not a firmware file", path=file, value=data[:8], expected=f"a file that begins with {MAGIC!r}"
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
        document = json.loads(body[_LENGTH.size : _LENGTH.size + size])
        firmware = _decode(document, body[_LENGTH.size + size :])
    except (KeyError, TypeError, ValueError, IndexError, struct.error) as error:
        raise L1emuError(f"the firmware file is not well-formed: {error!r}", path=file) from None
    if firmware.content_hash != document["content_hash"]:
        raise L1emuError("the content hash does not fit the content", path=file, value=document["content_hash"])
    return firmware


def _json(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _encode(firmware: Firmware) -> tuple[dict[str, Any], bytes]:
    """The graph as JSON values, and its arrays."""
    chunks: list[bytes] = []
    tensors: dict[str, Tensor] = {}
    position = 0

    def value(x: object) -> Any:
        nonlocal position
        if isinstance(x, np.ndarray):
            low, high = (int(x.min()), int(x.max())) if x.size else (0, 0)
            kind = next(t for t in _TYPES if np.iinfo(t).min <= low and high <= np.iinfo(t).max)
            chunks.append(np.ascontiguousarray(x, dtype=kind).tobytes())
            position += len(chunks[-1])
            return {"array": [position - len(chunks[-1]), kind, list(x.shape)]}
        if isinstance(x, FixedPoint):
            return {"type": str(x)}
        if isinstance(x, Tensor):
            tensors[x.name] = x
            return {"tensor": x.name}
        if isinstance(x, tuple):
            return [value(item) for item in x]
        if x is None or isinstance(x, int | str):
            return x
        raise TypeError(f"no way to store {type(x).__name__}")

    layers = [{"kind": layer.kind} | {name: value(x) for name, x in _stated(layer)} for layer in firmware.layers]
    graph = {
        "inputs": value(firmware.inputs),
        "outputs": value(firmware.outputs),
        "layers": layers,
        "tensors": {t.name: {"shape": list(t.shape), "type": str(t.type)} for t in tensors.values()},
    }
    return graph, b"".join(chunks)


def _stated(layer: Layer) -> Iterator[tuple[str, Any]]:
    """The fields of a layer that differ from their default: a field that is added later changes no older file."""
    for field in fields(layer):
        value = getattr(layer, field.name)
        if field.default is MISSING or isinstance(value, np.ndarray) or value != field.default:
            yield field.name, value


def _decode(document: dict[str, Any], arrays: bytes) -> Firmware:
    graph = document["graph"]
    tensors = {
        name: Tensor(name, tuple(t["shape"]), FixedPoint.parse(t["type"])) for name, t in graph["tensors"].items()
    }

    def value(x: Any) -> Any:
        if isinstance(x, list):
            return tuple(value(item) for item in x)
        if not isinstance(x, dict):
            return x
        ((tag, content),) = x.items()
        if tag == "type":
            return FixedPoint.parse(content)
        if tag == "tensor":
            return tensors[content]
        if tag == "array" and content[1] in _TYPES:
            offset, kind, shape = content
            count = int(np.prod(shape, dtype=np.int64))
            return np.frombuffer(arrays, dtype=kind, count=count, offset=offset).reshape(shape)
        raise ValueError(f"unknown tag {tag}")

    layers: list[Layer] = []
    for entry in graph["layers"]:
        cls = KINDS[entry["kind"]]
        layers.append(cls(**{name: value(x) for name, x in entry.items() if name != "kind"}))
    return Firmware(
        document["name"],
        document["backend"],
        value(graph["inputs"]),
        value(graph["outputs"]),
        tuple(layers),
        document["origin"],
    )
