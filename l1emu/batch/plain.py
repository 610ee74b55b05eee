"""Plain data, as JSON has it: bytes that are equal for equal content, and where two differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any, NamedTuple


def canonical(document: Any) -> bytes:
    """A document as JSON that is the same for equal content."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


class Difference(NamedTuple):
    """Where two documents differ, and what they have there; `...` where one has nothing."""

    where: str
    planned: Any
    found: Any


def as_read(document: Any) -> Any:
    """A document as it is read back from JSON: lists for tuples."""
    return json.loads(canonical(document))


def first_difference(planned: Any, found: Any, where: str = "") -> Difference | None:
    """The first place, in the order of the keys, where two documents differ; None if they are equal."""
    pairs: list[tuple[str, Any, Any]] = []
    if isinstance(planned, Mapping) and isinstance(found, Mapping):
        keys = [*planned, *(key for key in found if key not in planned)]
        pairs = [(str(key), planned.get(key, ...), found.get(key, ...)) for key in keys]
    elif isinstance(planned, list) and isinstance(found, list):
        pairs = [(str(i), *pair) for i, pair in enumerate(zip_longest(planned, found, fillvalue=...))]
    for name, one, other in pairs:
        inner = first_difference(one, other, f"{where}.{name}" if where else name)
        if inner is not None:
            return inner
    return None if pairs or (type(planned) is type(found) and planned == found) else Difference(where, planned, found)
