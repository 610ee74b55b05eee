"""JSON as RFC 8259 has it: finite numbers, no key twice, text that can be written down."""

from __future__ import annotations

import json
import math
from typing import Any

from l1emu.errors import L1emuError

_LONGEST_INTEGER = 40


def parse_json(text: str | bytes) -> Any:
    """The document in `text`, of UTF-8 where it is bytes.

    Raises
    ------
    L1emuError
        without a path (see `L1emuError.within`), for what is no JSON, numbers that are not finite or have more than
        40 digits, keys that stand twice in one object, halves of surrogate pairs, and nesting that has no end.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        document = json.loads(
            text.removeprefix("\ufeff"),
            object_pairs_hook=_object,
            parse_float=_float,
            parse_int=_integer,
            parse_constant=_constant,
        )
        if "\\u" in text:  # Python reads half of a surrogate pair, and cannot write it
            json.dumps(document, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise L1emuError(f"not valid JSON: {error.msg}", where=f"line {error.lineno}, column {error.colno}") from None
    except UnicodeDecodeError as error:
        raise L1emuError("not UTF-8 text", where=f"byte {error.start}") from None
    except UnicodeEncodeError:
        raise L1emuError("not valid JSON: half of a surrogate pair in a text") from None
    except RecursionError:
        raise L1emuError("not valid JSON: nested too deep") from None
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise L1emuError("not valid JSON: a key stands twice", value=name)
            seen.add(name)
    return found


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise L1emuError("not valid JSON: not a finite number", value=text)
    return number


def _integer(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise L1emuError("not valid JSON: too large a number", value=text)
    return int(text)


def _constant(text: str) -> float:
    raise L1emuError("not valid JSON: not a finite number", value=text)
