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
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_NUMBERS = re.compile(r"\{[-+.,\deE \t\n]{400,}\}", re.ASCII)
_RAW = ("R", "LR", "uR", "UR", "u8R")
_DIGRAPHS = ("<%", "%>", ":>", "%:")
_DEPTH = 100  # brackets in brackets of an expression, namespaces in namespaces
_LARGEST = 2**31  # what the headers compute in 32 bits


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


def statements(tokens: list[Token], path: Path, depth: int = 0) -> Iterator[list[Token]]:
    """Top-level statements: up to a `;`, or a definition with its braces. Namespaces are entered."""
    if depth > _DEPTH:
        raise Place(path, tokens[0].line if tokens else 1).error("namespaces nested too deeply")
    i = 0
    while i < len(tokens):
        start = i
        if tokens[i].kind == "comment" or (tokens[i].kind == "op" and tokens[i].text == ";"):
            if tokens[i].kind == "comment":
                yield [tokens[i]]
            i += 1
            continue
        i, brace = _end(tokens, start, path)
        if brace is None:
            yield tokens[start:i]
        else:
            yield from statements(tokens[brace + 1 : i - 1], path, depth + 1)


def _end(tokens: list[Token], start: int, path: Path) -> tuple[int, int | None]:
    """Where the statement ends that begins at `start`, and the brace that opens it if it is a namespace."""
    i, assigned = start, False
    while i < len(tokens):
        text = tokens[i].text if tokens[i].kind == "op" else ""
        if text in (")", "]", "}"):
            raise Place(path, tokens[i].line).error("brackets do not match", text)
        if text == "<" and i == start + 1 and tokens[start].text == "template":
            i = template_end(tokens, i, path) + 1  # its defaults assign nothing
        elif text in ("(", "["):
            i = matching(tokens, i, path) + 1
        elif text == "{":
            end = matching(tokens, i, path)
            head = [t.text for t in tokens[start:i]]
            if head[:1] == ["namespace"] or head == ["extern", '"C"']:
                return end + 1, i
            i = end + 1
            followed = i < len(tokens) and tokens[i].text == ";"
            if followed or not (assigned or head[:1] == ["typedef"]):
                return i + followed, None
        elif text == ";":
            return i + 1, None
        else:
            assigned = assigned or text == "="
            i += 1
    rest = [t for t in tokens[start:] if t.kind != "comment"]
    raise Place(path, rest[0].line).error(
        "a statement is never finished; the file may be truncated", text_of(rest)[:60]
    )


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
    prototypes: list[tuple[str, str, Place]] = field(default_factory=list)  # names, parameters, places

    def update(self, other: Scope) -> None:
        """Add another file's declarations; what both declare must be the same."""
        for name, declared in other.declarations.items():
            self.declare(name, declared)
        for struct in other.structs.values():
            self.add(struct)
        self.prototypes += other.prototypes
        for name, function in other.functions.items():
            if name in self.functions or name in self.declarations:
                raise function.place.error("a function of a name that is taken", name)
            self.functions[name] = function

    def declare(self, name: str, declared: Declaration) -> None:
        """Add a declaration; one of the same name must be the same, or the same without a value."""
        known = self.declarations.get(name)
        if name in self.structs or name in self.functions:
            raise declared.place.error("declared twice", name)
        if known is not None:
            same = (known.kind, text_of(known.type), text_of(known.size)) == (
                declared.kind,
                text_of(declared.type),
                text_of(declared.size),
            )
            values = {text_of(part.value) for part in (known, declared) if part.value is not None}
            if not same or len(values) > 1:
                raise declared.place.error("declared twice, in two ways", name)
            if declared.value is None:
                return
        self.declarations[name] = declared

    def add(self, struct: Struct) -> None:
        """Add a struct."""
        if struct.name in self.structs or struct.name in self.declarations:
            raise struct.place.error("declared twice", struct.name)
        self.structs[struct.name] = struct


QUALIFIERS = {"static", "const", "constexpr", "inline", "extern"}
_CHANGES = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", "++", "--"}


def parse(lexed: Lexed) -> Scope:
    """Read a file's declarations: types, constants, arrays, structs of these, functions.

    Whatever else stands at namespace level is refused: templates, enumerations, directives for names and objects with
    code of their own may change what the kernels compute.
    """
    scope = Scope()
    path = lexed.path
    for statement in statements(lexed.code, path):
        place = Place(path, statement[0].line)
        texts = [token.text for token in statement]
        head = texts[: texts.index("{")] if "{" in texts else texts
        if texts[0] in ("struct", "class") and "{" in texts:
            scope.add(_struct(statement, path))
        elif texts[0] in ("template", "enum", "union") or "operator" in head:
            raise place.error(f"{texts[0]} in these files is not supported", text_of(statement)[:100])
        elif texts[0] == "namespace" or (texts[0] == "using" and texts[2:3] != ["="]):
            raise place.error("this directive for names is not supported", text_of(statement)[:100])
        elif "{" in texts and "(" in head and "=" not in head:
            opening = texts.index("(")
            closing = matching(statement, opening, path)
            body_start = texts.index("{", closing)
            body_end = matching(statement, body_start, path)
            name = texts[opening - 1]
            function = Function(
                name,
                place,
                tuple(statement[opening + 1 : closing]),
                tuple(statement[body_start + 1 : body_end]),
                statement[body_end].start,
            )
            if texts[:opening] != ["void", name] or body_start != closing + 1 or name in scope.functions:
                raise place.error("this function is not supported here", text_of(statement[:body_start])[:100])
            scope.functions[name] = function
        elif texts[-2:] == [")", ";"] and "=" not in texts:
            if texts[:1] != ["void"] or texts[2:3] != ["("]:
                raise place.error("declaration not understood", text_of(statement)[:100])  # no prototype
            scope.prototypes.append((texts[1], text_of(statement[3:-2]), place))
        else:
            found = declaration(statement, path)
            if found is None:
                raise place.error("declaration not understood", text_of(statement)[:100])
            _check_initializer(found[1])
            scope.declare(*found)
    return scope


_NUMBER_TYPE = re.compile(
    r"(bool|float|double|(unsigned )?(char|short|int|long)|unsigned|(::|\w)+(<.*>)?)( \*)*( const)?", re.ASCII
)


def _check_initializer(declared: Declaration) -> None:
    """Refuse an initializer that changes or calls something, and numbers of types that are none."""
    kind = text_of(declared.type)
    if declared.kind in ("value", "array") and not _NUMBER_TYPE.fullmatch(kind):
        raise declared.place.error("not a type of numbers", kind)
    value = declared.value or ()
    texts = [token.text for token in value if token.kind != "numbers"]
    for before, token in zip(["", *texts], texts, strict=False):
        called = token == "(" and before.isidentifier() and before not in ("DIV_ROUNDUP", "MIN", "MAX", "pow2")
        if token in _CHANGES or called:
            raise declared.place.error("an initializer that computes by other means is not supported", text_of(value))


def _struct(statement: list[Token], path: Path) -> Struct:
    texts = [token.text for token in statement]
    opening = texts.index("{")
    name, place = texts[1], Place(path, statement[0].line)
    base = None
    if opening != 2 and texts[2] != ":":
        raise place.error("a struct declared in an unusual way", text_of(statement[:opening])[:60])
    if ":" in texts[:opening]:
        base = "".join(t for t in texts[texts.index(":") + 1 : opening] if t not in ("public", "nnet", "::"))
    closing = matching(statement, opening, path)
    if texts[closing + 1 :] != [";"] or not name.isidentifier():
        raise place.error("a struct that does more than to be declared is not supported", text_of(statement)[:60])
    members: dict[str, Declaration] = {}
    for member in statements(statement[opening + 1 : closing], path):
        found = declaration(member, path)
        if found is None:
            raise Place(path, member[0].line).error(f"member of {name} not understood", text_of(member)[:100])
        if found[0] in members:
            raise found[1].place.error(f"member of {name} declared twice", found[0])
        _check_initializer(found[1])
        words = {token.text for token in member}
        if found[1].kind == "value" and found[1].value and not ("static" in words and words & {"const", "constexpr"}):
            raise found[1].place.error(f"member of {name} is no constant", text_of(member)[:100])
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
    kept = tuple(token for token in head[:start] if token.text not in QUALIFIERS)
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
        self._depth = 0

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
        self._depth += 1
        if self._depth > _DEPTH:
            raise self._place.error("an expression nested too deeply")
        found = self._choice()
        self._depth -= 1
        return found

    def _choice(self) -> Number:
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
            left = self._bounded(a + b if sign == "+" else a - b)
        return left

    def _bounded(self, value: int | float) -> int | float:
        """What the C++ computes in 32 bits, and not wrapped."""
        if not abs(value) < _LARGEST:
            raise self._place.error("a number beyond 32 bits", text_of(self._tokens))
        return value

    def _product(self) -> Number:
        left = self._unary()
        while sign := self._accept("*", "/", "%"):
            a, b = self._numbers(left, self._unary())
            if sign == "*":
                left = self._bounded(a * b)
            elif b == 0 or (isinstance(a, int) and isinstance(b, int) and min(a, b) < 0):  # which wrap if unsigned
                raise self._error()
            elif isinstance(a, float) or isinstance(b, float):
                if sign == "%":
                    raise self._error()
                left = a / b
            else:
                left = a // b if sign == "/" else a % b
        return left

    def _numbers(self, a: Number, b: Number) -> tuple[int | float, int | float]:
        if isinstance(a, str) or isinstance(b, str):
            raise self._error()
        return a, b

    def _unary(self) -> Number:
        if sign := self._accept("-", "+"):
            number = self._primary()
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
            return self._number(token)
        if token.kind != "name":
            raise self._error()
        name = token.text
        while self._accept("::"):
            name += "::" + self._peek()
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

    def _number(self, token: Token) -> Number:
        digits = token.text.rstrip("uUlL")
        base = 16 if digits[:2].lower() == "0x" else 8 if digits[0] == "0" and digits.isdigit() else 10
        if len(digits) > 40:
            raise self._place.error("a number of too many digits", digits)
        try:
            value = int(digits, base) if base != 10 or digits.isdigit() else float(digits.rstrip("fF"))
        except ValueError:
            raise self._place.error("not a number of C++", token.text) from None
        if not abs(value) < 2**64:
            raise self._place.error("a number beyond all types", token.text)
        return value

    def _call(self, name: str, arguments: list[Number]) -> Number:
        numbers = [a for a in arguments if isinstance(a, int)]
        if len(numbers) == len(arguments) == 2:
            a, b = numbers
            if name == "DIV_ROUNDUP" and b > 0:
                return -(-a // b)
            if name in ("MIN", "MAX"):
                return min(a, b) if name == "MIN" else max(a, b)
        raise self._error()
