"""The small part of C++ that hls4ml writes: tokens, declarations and constant expressions.

Nothing is executed and nothing is guessed: a construct outside this part is an `L1emuError` with file and line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from l1emu.errors import L1emuError

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\f\v]+)
    |(?P<newline>\n)
    |(?P<comment>//[^\n]*|/\*.*?\*/)
    |(?P<number>(?:0[xX][0-9a-fA-F]+|(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?)[uUlLfF]*)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<op>::|->|<<=|<<|==|!=|<=|>=|&&|\|\||\+\+|--|\+=|-=|\*=|/=|%=|&=|\|=|\^=|[-+*/%<>=!&|^~?:;,.(){}\[\]])
    """,
    re.VERBOSE | re.DOTALL,
)
# strings and comments of one line are matched so that what opens a comment inside them opens none
_LONG_COMMENT = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_DIRECTIVE = re.compile(r"[ \t]*#[ \t]*(\w*)[ \t]*(.*)")


def _blank(found: re.Match[str]) -> str:
    """A comment over several lines as blanks, since what looks like a directive there is none; all else as it is."""
    text = found[0]
    return re.sub(r"[^\n]", " ", text) if text.startswith("/*") and "\n" in text else text


@dataclass(frozen=True)
class Token:
    """A lexical element; `kind` is name, number, string, op or comment, `start` its place in the file's text."""

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
    """A file's tokens as the C simulation sees them, and its object-like numeric macros."""

    path: Path
    tokens: list[Token]
    macros: dict[str, list[Token]] = field(default_factory=dict)


def lex(text: str, path: Path, *, comments: bool = False) -> Lexed:
    """Split C++ into tokens, with `#ifdef` resolved as in a C simulation (`__SYNTHESIS__` is not defined).

    Includes and pragmas are dropped; macros of one number are kept apart.
    """
    lines = _LONG_COMMENT.sub(_blank, text).split("\n")
    defined: set[str] = set()
    macros: dict[str, list[Token]] = {}
    active: list[bool] = []
    number = 0
    while number < len(lines):
        first = number
        found = _DIRECTIVE.match(lines[number])
        if found is None:
            if not all(active):
                lines[number] = " " * len(lines[number])
            number += 1
            continue
        while lines[number].rstrip().endswith("\\") and number + 1 < len(lines):
            number += 1
        directive, rest = found[1], re.sub(r"//.*|/\*.*?\*/", "", found[2]).strip()
        name = rest.split()[0] if rest else ""
        if directive in ("ifdef", "ifndef"):
            active.append((name in defined) == (directive == "ifdef"))
        elif directive == "else" and active:
            active[-1] = not active[-1]
        elif directive == "endif" and active:
            active.pop()
        elif directive == "define" and all(active):
            macro = re.match(r"\w+", rest)
            name = macro[0] if macro else ""
            defined.add(name)
            if first == number and not rest[len(name) :].startswith("("):
                value = [t for t in _tokens(rest[len(name) :], path, first) if t.kind != "comment"]
                if value:
                    macros[name] = value
        elif directive not in ("include", "pragma", "define") and all(active):
            raise Place(path, first + 1).error("preprocessor directive not supported", f"#{directive} {rest}")
        for i in range(first, number + 1):
            lines[i] = " " * len(lines[i])
        number += 1
    if active:
        raise L1emuError("an #ifdef is never closed; the file may be truncated", path=path)
    tokens = list(_tokens("\n".join(lines), path, 0))
    if not comments:
        tokens = [token for token in tokens if token.kind != "comment"]
    return Lexed(path, tokens, macros)


def _tokens(text: str, path: Path, line: int) -> Iterator[Token]:
    position, line = 0, line + 1
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise Place(path, line).error("not C++ that is understood here", text[position : position + 20])
        kind = found.lastgroup or ""
        if kind not in ("space", "newline"):
            yield Token(kind, found[0], line, position)
        line += found[0].count("\n")
        position = found.end()


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


def statements(tokens: list[Token], path: Path) -> Iterator[list[Token]]:
    """Top-level statements: up to a `;`, or a definition with its braces. Namespaces are entered."""
    i = 0
    while i < len(tokens):
        start = i
        assigned = False
        while True:
            if i >= len(tokens):
                rest = [t for t in tokens[start:] if t.kind != "comment"]
                if rest:
                    place = Place(path, rest[0].line)
                    raise place.error("a statement is never finished; the file may be truncated", text_of(rest)[:60])
                return
            text = tokens[i].text
            if tokens[i].kind == "comment" and i == start:
                yield [tokens[i]]
                i += 1
                break
            if tokens[i].kind != "op":
                i += 1
                continue
            if text == "=":
                assigned = True
            if text == "<" and i == start + 1 and tokens[start].text == "template":
                i = template_end(tokens, i, path) + 1  # its defaults assign nothing
                continue
            if text in ("(", "["):
                i = matching(tokens, i, path) + 1
                continue
            if text == "{":
                end = matching(tokens, i, path)
                head = [t.text for t in tokens[start:i]]
                if head[:1] == ["namespace"] or head == ["extern", '"C"']:
                    yield from statements(tokens[i + 1 : end], path)
                    i = end + 1
                    break
                i = end + 1
                followed = i < len(tokens) and tokens[i].text == ";"
                if followed or not (assigned or head[:1] == ["typedef"]):
                    yield tokens[start : i + followed]
                    i += followed
                    break
                continue
            if text == ";":
                if i > start:
                    yield tokens[start : i + 1]
                i += 1
                break
            i += 1


@dataclass(frozen=True)
class Declaration:
    """A named type, constant or array, with what it is set to (None if only declared)."""

    place: Place
    kind: str  # "type", "value", "array", "other"
    type: tuple[Token, ...]
    value: tuple[Token, ...] | None = None
    size: tuple[Token, ...] = ()


@dataclass(frozen=True)
class Struct:
    """A config struct: its base and its members by name."""

    name: str
    place: Place
    base: str | None
    members: dict[str, Declaration]


@dataclass(frozen=True)
class Function:
    """A function's parameters and body, and where in the file's text its closing brace stands."""

    name: str
    place: Place
    parameters: tuple[Token, ...]
    body: tuple[Token, ...]
    end: int


@dataclass
class Scope:
    """What a file declares at namespace level."""

    declarations: dict[str, Declaration] = field(default_factory=dict)
    structs: dict[str, Struct] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)

    def update(self, other: Scope) -> None:
        """Add another file's declarations."""
        self.declarations.update(other.declarations)
        self.structs.update(other.structs)
        self.functions.update(other.functions)


_QUALIFIERS = {"static", "const", "constexpr", "inline", "extern"}


def parse(lexed: Lexed) -> Scope:
    """Read a file's declarations. Templates and statements of other kinds are kept as ``other`` or skipped."""
    scope = Scope()
    path = lexed.path
    for name, value in lexed.macros.items():
        place = Place(path, value[0].line)
        scope.declarations[name] = Declaration(place, "value", (), tuple(value))
    for statement in statements([t for t in lexed.tokens if t.kind != "comment"], path):
        place = Place(path, statement[0].line)
        texts = [token.text for token in statement]
        if texts[0] in ("struct", "class") and "{" in texts:
            struct = _struct(statement, path)
            scope.structs[struct.name] = struct
        elif texts[0] in ("template", "enum"):
            continue
        elif "{" in texts and "(" in texts[: texts.index("{")] and "=" not in texts[: texts.index("{")]:
            opening = texts.index("(")
            closing = matching(statement, opening, path)
            body_start = texts.index("{", closing)
            body_end = matching(statement, body_start, path)
            name = texts[opening - 1]
            scope.functions[name] = Function(
                name,
                place,
                tuple(statement[opening + 1 : closing]),
                tuple(statement[body_start + 1 : body_end]),
                statement[body_end].start,
            )
        elif texts[-2:] == [")", ";"] and "=" not in texts:
            continue  # a prototype
        else:
            found = declaration(statement, path)
            if found is None:
                raise place.error("declaration not understood", text_of(statement)[:100])
            scope.declarations[found[0]] = found[1]
    return scope


def _struct(statement: list[Token], path: Path) -> Struct:
    texts = [token.text for token in statement]
    opening = texts.index("{")
    name, place = texts[1], Place(path, statement[0].line)
    base = None
    if ":" in texts[:opening]:
        base = "".join(t for t in texts[texts.index(":") + 1 : opening] if t not in ("public", "nnet", "::"))
    members: dict[str, Declaration] = {}
    for member in statements(statement[opening + 1 : matching(statement, opening, path)], path):
        found = declaration(member, path)
        if found is None:
            raise Place(path, member[0].line).error(f"member of {name} not understood", text_of(member)[:100])
        members[found[0]] = found[1]
    return Struct(name, place, base, members)


def declaration(statement: list[Token], path: Path) -> tuple[str, Declaration] | None:
    """One typedef, alias, constant or array; None if the statement is something else."""
    place = Place(path, statement[0].line)
    tokens = statement[:-1] if statement[-1].text == ";" else list(statement)
    if not tokens:
        return None
    if tokens[0].text == "template":
        closing = template_end(tokens, 1, path)
        inner = declaration(tokens[closing + 1 :], path)
        return (inner[0], Declaration(place, "template", inner[1].type)) if inner else None
    if [token.text for token in tokens[:2]] == ["typedef", "struct"] and any(t.text == "{" for t in tokens):
        return tokens[-1].text, Declaration(place, "struct", tuple(tokens[2:-1]))
    if tokens[0].text == "typedef" and len(tokens) > 2 and tokens[-1].kind == "name":
        return tokens[-1].text, Declaration(place, "type", tuple(tokens[1:-1]))
    if tokens[0].text == "using" and len(tokens) > 3 and tokens[2].text == "=":
        return tokens[1].text, Declaration(place, "type", tuple(tokens[3:]))
    equal = next((i for i, token in enumerate(tokens) if token.text == "="), len(tokens))
    head, value = tokens[:equal], tuple(tokens[equal + 1 :]) if equal < len(tokens) else None
    size: tuple[Token, ...] = ()
    kind = "value"
    if head and head[-1].text == "]":
        opening = max(i for i, token in enumerate(head) if token.text == "[")
        size, head, kind = tuple(head[opening + 1 : -1]), head[:opening], "array"
    if len(head) < 2 or head[-1].kind != "name" or any(t.text in ("(", "{") for t in head):
        return None
    start = len(head) - 1
    while start >= 2 and head[start - 1].text == "::" and head[start - 2].kind == "name":
        start -= 2
    kept = tuple(token for token in head[:start] if token.text not in _QUALIFIERS)
    return "".join(t.text for t in head[start:]), Declaration(place, kind, kept, value, size)


Number = int | float | str
Lookup = Callable[[str], Number]


class Expression:
    """A constant expression; names are looked up, enumerators stay names (strings)."""

    def __init__(self, tokens: tuple[Token, ...] | list[Token], place: Place, lookup: Lookup) -> None:
        self._tokens = list(tokens)
        self._place = place
        self._lookup = lookup
        self._at = 0

    def value(self) -> Number:
        """The value; integers divide as in C++."""
        result = self._ternary()
        if self._at != len(self._tokens):
            raise self._error()
        return result

    def _error(self) -> L1emuError:
        return self._place.error("expression not understood", text_of(self._tokens))

    def _peek(self) -> str:
        return self._tokens[self._at].text if self._at < len(self._tokens) else ""

    def _accept(self, *texts: str) -> str | None:
        if self._peek() in texts and self._at < len(self._tokens):
            self._at += 1
            return self._tokens[self._at - 1].text
        return None

    def _expect(self, text: str) -> None:
        if self._accept(text) is None:
            raise self._error()

    def _ternary(self) -> Number:
        condition = self._compare()
        if self._accept("?"):
            yes = self._ternary()
            self._expect(":")
            no = self._ternary()
            return yes if condition else no
        return condition

    def _compare(self) -> Number:
        left = self._sum()
        if sign := self._accept("==", "!="):
            return int((left == self._sum()) == (sign == "=="))
        return left

    def _sum(self) -> Number:
        left = self._product()
        while sign := self._accept("+", "-"):
            a, b = self._numbers(left, self._product())
            left = a + b if sign == "+" else a - b
        return left

    def _product(self) -> Number:
        left = self._unary()
        while sign := self._accept("*", "/", "%"):
            a, b = self._numbers(left, self._unary())
            if sign == "*":
                left = a * b
            elif b == 0:
                raise self._error()
            elif isinstance(a, float) or isinstance(b, float):
                if sign == "%":
                    raise self._error()
                left = a / b
            else:
                quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
                left = quotient if sign == "/" else a - b * quotient
        return left

    def _numbers(self, a: Number, b: Number) -> tuple[int | float, int | float]:
        if isinstance(a, str) or isinstance(b, str):
            raise self._error()
        return a, b

    def _unary(self) -> Number:
        if sign := self._accept("-", "+"):
            number = self._unary()
            if isinstance(number, str):
                raise self._error()
            return -number if sign == "-" else number
        return self._primary()

    def _primary(self) -> Number:
        if self._accept("("):
            inner = self._ternary()
            self._expect(")")
            return inner
        if self._at >= len(self._tokens):
            raise self._error()
        token = self._tokens[self._at]
        self._at += 1
        if token.kind == "number":
            digits = token.text.rstrip("uUlL")
            if digits[:2].lower() == "0x":
                return int(digits, 16)
            if digits.isdigit():
                return int(digits, 8) if len(digits) > 1 and digits[0] == "0" else int(digits)
            return float(digits.rstrip("fF"))
        if token.kind != "name":
            raise self._error()
        name = token.text
        while self._accept("::"):
            name += "::" + self._tokens[self._at].text
            self._at += 1
        if self._accept("("):
            arguments = [self._ternary()]
            while self._accept(","):
                arguments.append(self._ternary())
            self._expect(")")
            return self._call(name, arguments)
        if name in ("true", "false"):
            return int(name == "true")
        return self._lookup(name)

    def _call(self, name: str, arguments: list[Number]) -> Number:
        numbers = [a for a in arguments if isinstance(a, int)]
        if len(numbers) == len(arguments) == 2:
            a, b = numbers
            if name == "DIV_ROUNDUP" and b > 0:
                return -(-a // b)
            if name in ("MIN", "MAX"):
                return min(a, b) if name == "MIN" else max(a, b)
        raise self._error()
