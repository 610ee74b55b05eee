"""JSON of others: read as the standard has it, or refused in one line."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from l1emu.errors import L1emuError
from l1emu.jsontext import parse_json
from l1emu.resources import resource
from tests.fuzzing import altered, damaged, json_bytes, refused


@pytest.mark.parametrize(
    "document", [{}, [], None, {"a": [1, 2.5, "x", None, True]}, "\u00e9\U0001f600\\ud800", 2**100, -0.0]
)
def test_json_is_read(document: Any) -> None:
    for text in (json.dumps(document), json.dumps(document, ensure_ascii=False)):
        assert parse_json(text) == document
        assert parse_json(text.encode()) == document
        assert parse_json(b"\xef\xbb\xbf" + text.encode()) == document


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1, column 1"),
        ("{", "not valid JSON"),
        ('{"a": 1}\n{"a": 1}', "line 2, column 1: not valid JSON: Extra data"),
        ('{"a": NaN}', "not a finite number: got 'NaN'"),
        ('{"a": -Infinity}', "not a finite number: got '-Infinity'"),
        ("1e999", "not a finite number: got '1e999'"),
        ("9" * 5000, "too large a number"),
        ('{"a": {"b": 1, "b": 2}}', "a key stands twice: got 'b'"),
        ('"\\ud800"', "half of a surrogate pair"),
        ('{"\\udc00": 1}', "half of a surrogate pair"),
        ("[" * 100_000, "nested too deep"),
        ('{"a":' * 100_000, "nested too deep"),
        (b"\xff\xfe1\x00", "not UTF-8 text: "),
        ('"\x00"', "Invalid control character"),
        ("１", "not valid JSON"),
    ],
)
def test_what_is_no_json_is_refused(text: str | bytes, words: str) -> None:
    assert words.removesuffix(": ") in str(refused(lambda: parse_json(text)))


def fuzz(inputs: int, seed: int) -> int:
    """Damage a shipped JSON so often; how many of them were refused."""
    rng = np.random.default_rng(seed)
    whole = resource("models/jet-tagger/card.json").read_bytes()
    document = json.loads(whole)
    wrong = 0
    for _ in range(inputs):
        wrong += refused(lambda: parse_json(damaged(whole, rng))) is not None
        wrong += refused(lambda: parse_json(json_bytes(altered(document, rng)))) is not None
    return wrong


def test_damaged_json_is_read_or_refused() -> None:
    assert fuzz(500, seed=1) > 0


def test_the_error_takes_a_path() -> None:
    with pytest.raises(L1emuError, match=r"^study\.json: line 1, column 1: not valid JSON"):
        try:
            parse_json("x")
        except L1emuError as error:
            raise error.within("study.json") from None


@pytest.mark.exhaustive
def test_much_damaged_json_is_read_or_refused() -> None:
    assert fuzz(20_000, seed=2) > 0
