"""A firmware's graph as JSON values and bytes, the same for equal graphs, and the hash of both."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, fields
from typing import Any

import numpy as np

from l1emu.files import sha256_bytes
from l1emu.fixedpoint import FixedPoint
from l1emu.layers.base import Layer, Tensor

ARRAY_TYPES = ("<i1", "<i2", "<i4", "<i8")
"""The types that arrays are stored in, of which each takes the smallest."""


def content_hash(inputs: Sequence[Tensor], outputs: Sequence[Tensor], layers: Sequence[Layer]) -> str:
    """SHA-256 of what decides a firmware's numbers, as 64 hexadecimal digits."""
    graph, arrays = encoded(inputs, outputs, layers)
    return sha256_bytes(json_bytes(graph) + arrays)


def json_bytes(document: Any) -> bytes:
    """A document as JSON without blanks, its keys in order."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def encoded(
    inputs: Sequence[Tensor], outputs: Sequence[Tensor], layers: Sequence[Layer]
) -> tuple[dict[str, Any], bytes]:
    """A graph as JSON values, and its arrays one after another, each in the smallest little-endian signed type."""
    chunks: list[bytes] = []
    tensors: dict[str, Tensor] = {}
    position = 0

    def value(x: object) -> Any:
        nonlocal position
        if isinstance(x, np.ndarray):
            low, high = (int(x.min()), int(x.max())) if x.size else (0, 0)
            kind = next(t for t in ARRAY_TYPES if np.iinfo(t).min <= low and high <= np.iinfo(t).max)
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

    stated = [{"kind": layer.kind} | {name: value(x) for name, x in _stated(layer)} for layer in layers]
    graph = {
        "inputs": value(tuple(inputs)),
        "outputs": value(tuple(outputs)),
        "layers": stated,
        "tensors": {t.name: {"shape": list(t.shape), "type": str(t.type)} for t in tensors.values()},
    }
    return graph, b"".join(chunks)


def _stated(layer: Layer) -> Iterator[tuple[str, Any]]:
    """A layer's stored fields that differ from their default: a field that is added later changes no older file."""
    for field in fields(layer):
        if not field.metadata.get("stored", True):
            continue
        value = getattr(layer, field.name)
        if field.default is MISSING or isinstance(value, np.ndarray) or value != field.default:
            yield field.name, value
