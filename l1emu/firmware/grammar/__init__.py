"""Whether a compiler takes a translation unit: its syntax, and that every name is declared where it is used.

The reader looks into what a firmware's numbers come from. All else in the files must still be C++: a compiler stops at
a broken function that nothing calls. The grammar here is that part of C++17 in which kernels are written, somewhat
wider than the language: types of expressions are not checked, and names that depend on a template's parameters, or lie
in the libraries, count as declared.

It is a recursive descent over the tokens. From the bottom up:

`words`
    the words of the language, and the names of the libraries
`cursor`
    the place in the tokens that is read next
`attributes`
    those that change nothing
`scopes`
    the names that are declared, and where
`syntax`
    the constructs that refer to each other, by name
`names`, `types`, `expressions`, `statements`, `classes`, `templates`, `functions`, `declarations`
    one part of the language each
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path

from l1emu.firmware.cxx.lexer import Place, Token, text_of
from l1emu.firmware.grammar.attributes import without_attributes
from l1emu.firmware.grammar.classes import Classes
from l1emu.firmware.grammar.cursor import Bad
from l1emu.firmware.grammar.declarations import Declarations
from l1emu.firmware.grammar.expressions import Expressions
from l1emu.firmware.grammar.names import Names
from l1emu.firmware.grammar.statements import Statements
from l1emu.firmware.grammar.templates import Templates
from l1emu.firmware.grammar.types import Types

__all__ = ["check_syntax"]


class _Parser(Declarations, Templates, Classes, Statements, Expressions, Types, Names):
    """All parts of the language together."""


def check_syntax(chunks: Iterable[tuple[Path, list[Token]]], macros: Iterable[str]) -> None:
    """Raise `L1emuError` by file and line for what no compiler takes.

    Parameters
    ----------
    chunks
        The files' tokens in the order in which a compiler sees them.
    macros
        Macros with parameters that are defined, which are left in place.
    """
    starts: list[int] = []
    paths: list[Path] = []
    tokens: list[Token] = []
    for path, part in chunks:
        starts.append(len(tokens))
        paths.append(path)
        tokens += without_attributes([token for token in part if token.kind != "comment"])
    macros = sorted(macros)
    told = _told(tokens, macros)
    if told in _TAKEN:
        return
    parser = _Parser(tokens, macros)
    try:
        parser.unit()
    except (Bad, RecursionError) as error:
        bad = error if isinstance(error, Bad) else Bad(parser.at, "nested too deeply")
        at = min(bad.at, len(tokens) - 1)
        place = Place(paths[bisect_right(starts, at) - 1], tokens[at].line)
        text = text_of(tokens[at : at + 8]) if bad.at < len(tokens) else "the end of the file"
        raise place.error(f"not C++ that compiles: {bad.message}", text[:80]) from None
    _TAKEN.add(told)


_TAKEN: set[bytes] = set()
"""Units that were taken, as `_told` tells them: a network with other types and weights is one unit many times over."""

_TYPEDEF = re.compile(r"(?<=\n)typedef\n[^;{}]*;")
_VALUE = re.compile(r"(?<=\n)=\n(?!0\n;)(?:(?:[-+,{}]|\.?\d[^\n]*)\n)+;")  # a method `= 0` is another one than a value
_NUMBER = re.compile(r"(?<=\n)\.?\d[^\n]*")


def _told(tokens: list[Token], macros: list[str]) -> bytes:
    """A unit as a hash, but for the numbers of typedefs and of values, which the grammar does not look at."""
    plain = {"numbers": "{numbers}", "string": '""'}
    text = "\n".join(plain.get(token.kind, token.text) for token in tokens)
    for statement in (_TYPEDEF, _VALUE):
        text = statement.sub(lambda found: _NUMBER.sub("number", found[0]), text)
    kinds = " ".join(token.kind for token in tokens)
    return hashlib.sha256("\n\n".join([*macros, text, kinds]).encode()).digest()
