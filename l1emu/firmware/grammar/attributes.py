"""Attributes that change nothing in what a compiler makes of a program."""

from __future__ import annotations

from l1emu.firmware.cxx.lexer import Token

_HARMLESS = frozenset(
    ("maybe_unused", "nodiscard", "deprecated", "fallthrough", "noreturn", "likely", "unlikely", "carries_dependency")
)


def without_attributes(tokens: list[Token]) -> list[Token]:
    """Tokens without ``[[maybe_unused]]`` and its like; others stay, and no part of the grammar takes them."""
    kept: list[Token] = []
    at = 0
    while at < len(tokens):
        end = _end(tokens, at) if tokens[at].text == "[" else 0
        if not end:
            kept.append(tokens[at])
        at = end or at + 1
    return kept


def _end(tokens: list[Token], at: int) -> int:
    """Where a harmless attribute ends that begins at a token; 0 if none does."""
    texts = [token.text for token in tokens[at : at + 12]]
    if texts[1:2] != ["["]:
        return 0
    i = 2
    while texts[i : i + 1] and texts[i] in _HARMLESS:
        i += 1
        if texts[i : i + 1] == ["("] and texts[i + 2 : i + 3] == [")"] and tokens[at + i + 1].kind == "string":
            i += 3
        if texts[i : i + 2] == ["]", "]"]:
            return at + i + 2
        if texts[i : i + 1] != [","]:
            return 0
        i += 1
    return 0
