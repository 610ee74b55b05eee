"""Statements, and what they declare."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from l1emu.firmware.cxx.lexer import Lexed, Place, Token, matching, template_end, text_of

_DEPTH = 100  # namespaces in namespaces


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
    """A named type, constant or array, with what it is set to (None if only declared); a template's parameters."""

    place: Place
    kind: str  # "type", "struct", "template", "value" or "array"
    type: tuple[Token, ...]
    value: tuple[Token, ...] | None = None
    size: tuple[Token, ...] = ()
    parameters: tuple[Token, ...] = ()


@dataclass(frozen=True)
class Struct:
    """A config struct: its base and its members by name."""

    name: str
    place: Place
    base: str | None
    members: dict[str, Declaration]


@dataclass(frozen=True)
class FunctionDefinition:
    """A function's parameters and body, and where in the file's text its closing brace stands."""

    name: str
    place: Place
    parameters: tuple[Token, ...]
    body: tuple[Token, ...]
    end: int


@dataclass
class FileScope:
    """What a file declares at namespace level."""

    declarations: dict[str, Declaration] = field(default_factory=dict)
    structs: dict[str, Struct] = field(default_factory=dict)
    functions: dict[str, FunctionDefinition] = field(default_factory=dict)
    prototypes: list[tuple[str, str, Place]] = field(default_factory=list)  # names, parameters, places

    def update(self, other: FileScope) -> None:
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


DECLARATION_QUALIFIERS = {"static", "const", "constexpr", "inline", "extern"}
_CHANGES = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", "++", "--"}


def parse(lexed: Lexed) -> FileScope:
    """Read a file's declarations: types, constants, arrays, structs of these, functions.

    Whatever else stands at namespace level is refused: templates, enumerations, directives for names and objects with
    code of their own may change what the kernels compute.
    """
    scope = FileScope()
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
            function = FunctionDefinition(
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
            found = _declaration(statement, path)
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
        found = _declaration(member, path)
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


def _declaration(statement: list[Token], path: Path) -> tuple[str, Declaration] | None:
    """One typedef, alias, constant or array; None if the statement is something else."""
    place = Place(path, statement[0].line)
    tokens = statement[:-1] if statement[-1].text == ";" else list(statement)
    if not tokens:
        return None
    if tokens[0].text == "template":
        closing = template_end(tokens, 1, path)
        inner = _declaration(tokens[closing + 1 :], path)
        if inner is None:
            return None
        return inner[0], Declaration(place, "template", inner[1].type, parameters=tuple(tokens[2:closing]))
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
    kept = tuple(token for token in head[:start] if token.text not in DECLARATION_QUALIFIERS)
    return "".join(t.text for t in head[start:]), Declaration(place, kind, kept, value, size)
