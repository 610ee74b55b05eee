"""Plain data: where two documents differ."""

from __future__ import annotations

from typing import Any

import pytest

from l1emu.batch.plain import canonical, first_difference


@pytest.mark.parametrize(
    ("planned", "found", "expected"),
    [
        ({"a": 1, "b": {"c": [1, 2]}}, {"b": {"c": [1, 3]}, "a": 1}, ("b.c.1", 2, 3)),
        ({"a": [1]}, {"a": [1, 2]}, ("a.1", ..., 2)),
        ({"a": [1, 2]}, {"a": [1]}, ("a.1", 2, ...)),
        ({"a": 1}, {"b": 1}, ("a", 1, ...)),
        ({"a": {}}, {"a": None}, ("a", {}, None)),
        ({"a": 1}, {"a": 1.0}, ("a", 1, 1.0)),
        ({"a": True}, {"a": 1}, ("a", True, 1)),
        ("x", "y", ("", "x", "y")),
    ],
)
def test_the_first_difference_is_named(planned: Any, found: Any, expected: tuple[str, Any, Any]) -> None:
    assert first_difference(planned, found) == expected


def test_equal_documents_have_no_difference_and_equal_bytes() -> None:
    one, other = {"a": [1, {"b": 2.5, "ü": None}], "c": ""}, {"c": "", "a": [1, {"ü": None, "b": 2.5}]}
    assert first_difference(one, other) is None
    assert canonical(one) == canonical(other) == b'{"a":[1,{"b":2.5,"\\u00fc":null}],"c":""}'
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical({"a": float("nan")})
