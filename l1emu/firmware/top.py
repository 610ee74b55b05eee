"""One walk of a top function: its pragmas, what it declares, and the calls that it makes, in their order.

Whoever reads a top function reads it from here: the reader, which refuses what it does not understand, the estimate,
which goes on without it, and the oracle, which writes out every variable. So nothing is evaluated and nothing refused
here: types and sizes stay tokens, and a statement that is not understood is an `Other` with the error for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.firmware.cxx.lexer import Place, Token, matching, split, template_end, text_of
from l1emu.firmware.cxx.parser import DECLARATION_QUALIFIERS, FunctionDefinition, statements
from l1emu.firmware.project import Project
from l1emu.firmware.roles import Role, roles

_BLOCKS = ("for", "while", "do", "switch", "if")
_NO_DECLARATION = ("typedef", "using", "template", "return", "delete")
_PRAGMA = re.compile(r"^[ \t]*#[ \t]*pragma[ \t]+HLS[ \t]+(\w+)([^\n]*)", re.MULTILINE | re.IGNORECASE)
_OPTION = re.compile(r"(\w+)\s*=\s*(\S+)")


@dataclass(frozen=True)
class Statement:
    """A statement: where it stands, its tokens without comments, and the qualifiers that it begins with."""

    place: Place
    tokens: tuple[Token, ...] = field(repr=False)

    @property
    def start(self) -> int:
        """Where it begins in the file's text."""
        return self.tokens[0].start

    @property
    def end(self) -> int:
        """Where it ends in the file's text, behind its last character."""
        return self.tokens[-1].start + len(self.tokens[-1].text)

    @property
    def text(self) -> str:
        """It as readable C++."""
        return text_of(self.tokens)


@dataclass(frozen=True)
class Variable(Statement):
    """An array, or a stream, that is an argument or declared inside; type and size are not evaluated.

    Attributes
    ----------
    name
        Its name.
    type
        An array's type, or what a stream carries.
    size
        What stands in the brackets behind the name; nothing for one stream.
    stream
        Whether it is a stream, or an array of them.
    qualified
        Whether a stream's declaration begins with ``static`` or ``const``.
    """

    name: str
    type: tuple[Token, ...]
    size: tuple[Token, ...]
    stream: bool
    qualified: bool = False


@dataclass(frozen=True)
class Alias(Statement):
    """``auto &name = target;``: a second name for a variable."""

    name: str
    target: str


@dataclass(frozen=True)
class Invocation(Statement):
    """``space::function<templates>(arguments);``.

    Attributes
    ----------
    space
        The namespace, None where none is written.
    function
        The function's name.
    templates
        The template arguments, None where the call has no angle brackets.
    arguments
        The arguments.
    comment
        What the comment at the end of its last line says: hls4ml writes the layer's name there.
    """

    space: str | None
    function: str
    templates: tuple[tuple[Token, ...], ...] | None
    arguments: tuple[tuple[Token, ...], ...]
    comment: str = ""

    @property
    def names(self) -> list[str]:
        """The arguments as text."""
        return [text_of(argument) for argument in self.arguments]

    @property
    def roles(self) -> tuple[Role, ...]:
        """What the function does with each argument."""
        return roles(self.function, len(self.arguments))

    def having(self, *wanted: Role) -> list[str]:
        """The arguments in one of these roles."""
        return [name for name, role in zip(self.names, self.roles, strict=True) if role in wanted]


@dataclass(frozen=True)
class Report(Statement):
    """``name = value;`` for a parameter that only reports a size (hls4ml up to 0.4)."""

    value: tuple[Token, ...]


@dataclass(frozen=True)
class LoadedFlag(Statement):
    """``static bool loaded_weights = false;``."""


@dataclass(frozen=True)
class Loading(Statement):
    """``if (!loaded_weights) {...}``: what a C simulation reads from files."""

    inside: tuple[Statement, ...]

    @property
    def names(self) -> list[str]:
        """The arrays that are loaded."""
        return [call.names[0] for call in self.inside if isinstance(call, Invocation) and call.names]


@dataclass(frozen=True)
class ControlBlock(Statement):
    """A loop or a condition: its first word, what stands before its brace, and its statements."""

    keyword: str
    head: tuple[Token, ...]
    inside: tuple[Statement, ...]


@dataclass(frozen=True)
class Other(Statement):
    """A statement that is none of these, and the error that says so."""

    error: L1emuError


@dataclass(frozen=True)
class Pragma:
    """``#pragma HLS DIRECTIVE name=value ...``: the directive in upper case, the options' names in lower case."""

    line: int
    directive: str
    options: dict[str, str]


@dataclass(frozen=True)
class Top:
    """A top function.

    Attributes
    ----------
    function
        Its name, place and end.
    parameters
        The parameters that carry data.
    ports
        The arrays of weights that are parameters, as hls4ml writes them for block memories outside (``BramFactor``):
        those that the function loads.
    reports
        The names of the parameters that only report sizes.
    passed
        The names of all parameters in their order.
    statements
        Its statements.
    pragmas
        The pragmas in its file.
    """

    function: FunctionDefinition
    parameters: tuple[Statement, ...]
    ports: tuple[Variable, ...]
    reports: tuple[str, ...]
    passed: tuple[str, ...]
    statements: tuple[Statement, ...]
    pragmas: tuple[Pragma, ...]

    def variables(self) -> Iterator[Variable]:
        """The arrays and streams, parameters first."""
        return (statement for statement in (*self.parameters, *self.statements) if isinstance(statement, Variable))

    def calls(self) -> Iterator[Invocation]:
        """The calls of its layers in their order, those in loops once."""
        return _calls(self.statements)


def read_top(project: Project) -> Top:
    """Walk the top function of a project.

    Raises
    ------
    L1emuError
        if its brackets do not match.
    """
    function, body = project.top()
    stated = project.parameters(function)
    semicolon = Token("op", ";", function.place.line)
    data = [_declared((*tokens, semicolon), project.source, "argument") for tokens, reports in stated if not reports]
    reports = tuple(tokens[-1].text for tokens, reports in stated if reports)
    walked = tuple(_walked(body, project.source, frozenset(reports)))
    loaded = {name for one in walked if isinstance(one, Loading) for name in one.names}
    ports = tuple(p for p in data if isinstance(p, Variable) and not p.stream and p.name in loaded)
    parameters = tuple(p for p in data if p not in ports)
    names = iter([p.name if isinstance(p, Variable) else "" for p in data])
    passed = tuple(tokens[-1].text if reports else next(names) for tokens, reports in stated)
    pragmas = _pragmas(read_text(project.source))
    return Top(function, parameters, ports, reports, passed, walked, tuple(pragmas))


def classified(
    tokens: Sequence[Token], path: Path, comment: str = "", reports: frozenset[str] = frozenset()
) -> Statement:
    """One statement, which is a call, a declaration or another that hls4ml writes.

    Parameters
    ----------
    tokens
        Of the statement, without comments.
    path
        The file that it stands in.
    comment
        What is said at its end.
    reports
        The names of parameters that only report sizes.
    """
    tokens = tuple(tokens)
    place = Place(path, tokens[0].line)
    texts = [token.text for token in tokens]
    if texts == ["static", "bool", "loaded_weights", "=", "false", ";"]:
        return LoadedFlag(place, tokens)
    if texts[0] in reports and texts[1] == "=":
        return Report(place, tokens, tokens[2:-1])
    if texts[:2] == ["auto", "&"] and len(texts) == 6 and texts[3] == "=":
        return Alias(place, tokens, texts[2], texts[4])
    try:
        called = _call(tokens, path, comment)
    except L1emuError as error:
        return Other(place, tokens, error)
    return _declared(tokens, path, "variable") if called is None else called


def _calls(inside: Sequence[Statement]) -> Iterator[Invocation]:
    for statement in inside:
        if isinstance(statement, Invocation):
            yield statement
        elif isinstance(statement, ControlBlock):
            yield from _calls(statement.inside)


def _walked(body: Sequence[Token], path: Path, reports: frozenset[str]) -> Iterator[Statement]:
    """The statements of a body, whose tokens have comments among them."""
    listed = list(statements(list(body), path))
    for i, statement in enumerate(listed):
        following = listed[i + 1] if i + 1 < len(listed) else []
        tokens = tuple(t for t in statement if t.kind != "comment")
        if not tokens or _only_prints(tokens):
            continue
        if tokens[0].text in _BLOCKS:
            yield _block(statement, tokens, path, reports)
        else:
            yield classified(tokens, path, _comment(tokens[-1].line, statement, following), reports)


def _only_prints(tokens: tuple[Token, ...]) -> bool:
    """Whether a statement writes texts to the standard output, which people add to follow a simulation, and no more."""
    texts = [token.text for token in tokens]
    words = {"std", "::", "endl", "<<", ";"}
    return texts[:4] == ["std", "::", "cout", "<<"] and all(
        token.kind == "string" or token.text in words for token in tokens[4:]
    )


def _block(statement: list[Token], tokens: tuple[Token, ...], path: Path, reports: frozenset[str]) -> Statement:
    place = Place(path, tokens[0].line)
    start = next((i for i, token in enumerate(statement) if token.text == "{"), len(statement))
    inside = tuple(_walked(statement[start + 1 : -1], path, reports)) if start < len(statement) else ()
    head = tuple(t for t in statement[:start] if t.kind != "comment")
    if [t.text for t in head] == ["if", "(", "!", "loaded_weights", ")"]:
        return Loading(place, tokens, inside)
    return ControlBlock(place, tokens, tokens[0].text, head, inside)


def _comment(line: int, statement: list[Token], following: list[Token]) -> str:
    """The comment on the statement's last line."""
    for token in [*statement, *following]:
        if token.kind == "comment" and token.line == line and token.text.startswith("//"):
            return token.text[2:].strip()
    return ""


def _call(tokens: tuple[Token, ...], path: Path, comment: str) -> Invocation | None:
    """The call that a statement is, if it is one."""
    texts = [token.text for token in tokens]
    space = texts[0] if texts[1:2] == ["::"] and texts[0] != "hls" else None
    name = 0 if space is None else 2
    if texts[-2:] != [")", ";"] or tokens[name].kind != "name" or texts[name + 1] not in ("<", "("):
        return None
    templates: tuple[tuple[Token, ...], ...] | None = None
    opening = name + 1
    if texts[opening] == "<":
        end = template_end(list(tokens), opening, path)
        templates = tuple(tuple(part) for part in split(list(tokens[opening + 1 : end])))
        opening = end + 1
    if texts[opening] != "(" or matching(list(tokens), opening, path) != len(tokens) - 2:
        return None
    arguments = tuple(tuple(part) for part in split(list(tokens[opening + 1 : -2])))
    return Invocation(Place(path, tokens[0].line), tokens, space, texts[name], templates, arguments, comment)


def _declared(tokens: tuple[Token, ...], path: Path, what: str) -> Statement:
    """The array or stream that a statement declares."""
    try:
        return _variable(tokens, path, what)
    except L1emuError as error:
        return Other(Place(path, tokens[0].line), tokens, error)


def _variable(tokens: tuple[Token, ...], path: Path, what: str) -> Statement:
    place = Place(path, tokens[0].line)
    plain = tuple(t for t in tokens[:-1] if t.text not in DECLARATION_QUALIFIERS)
    texts = [token.text for token in plain]
    if texts[:4] == ["hls", "::", "stream", "<"]:
        end = template_end(list(tokens), [t.text for t in tokens].index("<"), path)
        behind = [t for t in tokens[end + 1 : -1] if t.text != "&"]
        size = _in_brackets(behind[1:])
        if not behind or behind[0].kind != "name" or size is None:
            return Other(place, tokens, place.error("a stream declared in an unusual way", text_of(tokens)))
        carried = tokens[[t.text for t in tokens].index("<") + 1 : end]
        return Variable(place, tokens, behind[0].text, carried, size, True, plain != tokens[:-1])
    opening = next((i for i, text in enumerate(texts) if text in ("[", "(", "=", "{")), len(texts))
    array = texts[opening : opening + 1] == ["["] and texts[-1] == "]" and not {"=", "("} & set(texts)
    if array and opening > 1 and plain[opening - 1].kind == "name" and texts[0] not in _NO_DECLARATION:
        return Variable(place, tokens, texts[opening - 1], plain[: opening - 1], plain[opening + 1 : -1], False)
    if what == "argument" or array:
        message = f"this {what} is neither an array nor a stream of fixed-point numbers"
        return Other(place, tokens, place.error(message, text_of(tokens[:-1])))
    return Other(place, tokens, place.error("statement not supported in the top function", text_of(tokens)[:100]))


def _in_brackets(tokens: list[Token]) -> tuple[Token, ...] | None:
    """The size of what a stream's declaration ends with, ``[size]``, ``("name")`` or nothing; None if it is another."""
    texts = [token.text for token in tokens]
    if not texts or (texts[0] == "(" and texts[-1] == ")"):
        return ()
    if texts[0] != "[":
        return None
    end = texts.index("]")
    return tuple(tokens[1:end])


def _pragmas(text: str) -> Iterator[Pragma]:
    for found in _PRAGMA.finditer(text):
        options = {name.lower(): value for name, value in _OPTION.findall(found[2])}
        yield Pragma(text.count("\n", 0, found.start()) + 1, found[1].upper(), options)
