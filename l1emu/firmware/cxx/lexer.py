"""C++ as tokens, each with its line and its place in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from l1emu.errors import L1emuError

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\f\v]+)
    |(?P<newline>\n)
    |(?P<comment>//[^\n]*|/\*.*?\*/)
    |(?P<number>(?:0[xX][0-9a-fA-F]+(?:(?<=\d)'[0-9a-fA-F]+)*(?:\.[0-9a-fA-F]*)?(?:[pP][+-]?\d+)?|0[bB][01](?:'?[01])*
        |(?:\d(?:'?\d)*(?:\.(?:\d(?:'?\d)*)?)?|\.\d(?:'?\d)*)(?:[eE][+-]?\d+)?)[uUlLfF]*)
    |(?P<string>(?:u8|[uUL])?(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))
    |(?P<name>[A-Za-z_]\w*)
    |(?P<op>::|->|<<=|<<|==|!=|<=|>=|&&|\|\||\+\+|--|\+=|-=|\*=|/=|%=|&=|\|=|\^=|[-+*/%<>=!&|^~?:;,.(){}\[\]])
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_NUMBERS = re.compile(r"\{[-+.,\deE \t\n]{400,}\}", re.ASCII)
_RAW = ("R", "LR", "uR", "UR", "u8R")
_DIGRAPHS = ("<%", "%>", ":>", "%:")


@dataclass(frozen=True)
class Token:
    """A lexical element; `kind` is name, number, numbers, string, op or comment, `start` its place in the file's text.

    A long list of numbers and its braces are one element, ``numbers``: weights are millions of them.
    """

    kind: str
    text: str
    line: int
    start: int = 0


@dataclass(frozen=True)
class Place:
    """A file and a line, for errors."""

    path: Path
    line: int

    def error(self, message: str, value: object = None, expected: str | None = None) -> L1emuError:
        return L1emuError(message, path=self.path, where=f"line {self.line}", value=value, expected=expected)


def text_of(tokens: list[Token] | tuple[Token, ...]) -> str:
    """Tokens as readable C++."""
    text = " ".join(token.text for token in tokens if token.kind != "comment")
    return re.sub(r" ?(::) ?| (?=[<>(),;\[\]])|(?<=[<(\[]) ", r"\1", text)


@dataclass
class Lexed:
    """A file's tokens as the C simulation sees them, comments included, macros in place."""

    path: Path
    tokens: list[Token]

    @property
    def code(self) -> list[Token]:
        """The tokens without comments."""
        return [token for token in self.tokens if token.kind != "comment"]

    @cached_property
    def classes(self) -> dict[str, list[str]]:
        """The code of each class, by its name: from there to the next one that is a template's."""
        texts = [token.text for token in self.tokens]
        starts = [i for i in range(len(texts) - 1) if texts[i] == "class"]
        found: dict[str, list[str]] = {}
        end = len(texts)
        for start in reversed(starts):
            found.setdefault(texts[start + 1], []).append("".join(texts[start:end]))
            if start and texts[start - 1] == ">":
                end = start
        return found


def tokens_of(text: str, path: Path, line: int, offset: int, *, lists: bool = False) -> Iterator[Token]:
    """Split C++ without directives into tokens; `line` lines and `offset` characters of the file stand before it.

    With `lists` a long list of numbers is one token.
    """
    position, line = 0, line + 1
    while position < len(text):
        if lists and text[position] == "{" and (whole := _NUMBERS.match(text, position)):
            yield Token("numbers", whole[0], line, offset + position)
            line += whole[0].count("\n")
            position = whole.end()
            continue
        found = _TOKEN.match(text, position)
        if found is None:
            raise Place(path, line).error("not C++ that is understood here", text[position : position + 20])
        kind, end = found.lastgroup or "", found.end()
        if kind == "op":
            pair = text[position : position + 2]
            if pair == "/*":
                raise Place(path, line).error("a comment is never closed; the file may be truncated")
            if pair in _DIGRAPHS or (pair == "<:" and text[position : position + 3] != "<::"):
                raise Place(path, line).error("digraphs are not supported", pair)
        elif kind == "name" and found[0] in _RAW and text[end : end + 1] == '"':
            raise Place(path, line).error("raw strings are not supported", text[position : position + 20])
        if kind not in ("space", "newline"):
            yield Token(kind, found[0], line, offset + position)
        line += found[0].count("\n")
        position = end


_CLOSING = {"(": ")", "[": "]", "{": "}"}


def matching(tokens: list[Token], start: int, path: Path) -> int:
    """The index of the bracket that closes the one at `start`."""
    stack: list[str] = []
    for i in range(start, len(tokens)):
        text = tokens[i].text
        if tokens[i].kind != "op":
            continue
        if text in _CLOSING:
            stack.append(_CLOSING[text])
        elif text in (")", "]", "}"):
            if not stack or stack.pop() != text:
                raise Place(path, tokens[i].line).error("brackets do not match", text)
            if not stack:
                return i
    raise Place(path, tokens[start].line).error(
        "a bracket is never closed; the file may be truncated", tokens[start].text
    )


def template_end(tokens: list[Token], start: int, path: Path) -> int:
    """The index of the `>` that closes the `<` at `start`."""
    depth = 0
    for i in range(start, len(tokens)):
        text = tokens[i].text
        depth += {"<": 1, ">": -1}.get(text, 0)
        if depth == 0:
            return i
        if text in (";", "{"):
            break
    raise Place(path, tokens[start].line).error("template arguments are never closed")


def split(tokens: list[Token], separator: str = ",") -> list[list[Token]]:
    """Split at separators outside all brackets, template arguments included."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        if token.kind == "op":
            depth += {"(": 1, "[": 1, "{": 1, "<": 1, ")": -1, "]": -1, "}": -1, ">": -1}.get(token.text, 0)
        if token.text == separator and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts if parts != [[]] else []
