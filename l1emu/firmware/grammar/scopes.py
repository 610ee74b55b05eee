"""The names that are declared, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from l1emu.firmware.cxx.lexer import Token
from l1emu.firmware.grammar.cursor import Bad, Cursor
from l1emu.firmware.grammar.words import MACROS, library_kind


@dataclass(frozen=True)
class Parameters:
    """What a template takes: of each parameter "type", "value" or "template"; how many must be given at least."""

    kinds: tuple[str, ...]
    least: int
    more: bool  # the last one stands for any number

    def misfit(self, given: tuple[str, ...]) -> str:
        """What is wrong with arguments of these kinds, "?" being any; nothing if they fit."""
        most = len(given) if self.more else len(self.kinds)
        if not self.least <= len(given) <= most:
            takes = f"{self.least} to {most}" if self.least < most else str(self.least)
            return f"{len(given)} template arguments where {'at least ' if self.more else ''}{takes} are taken"
        for i, (mine, other) in enumerate(zip(self.kinds, given, strict=False), 1):
            if {mine, other} == {"type", "value"}:
                return f"a {other} as template argument {i}, which is a {mine}"
        return ""


@dataclass
class Scope:
    """Names and what they are: type, template, param, function, value or namespace; "?" is one of these."""

    names: dict[str, str] = field(default_factory=dict)
    inner: dict[str, Scope] = field(default_factory=dict)  # of namespaces and classes
    open: bool = False  # names may come from a base that is not looked into
    dependent: bool = False  # the same, of a base that a template's parameters decide: only `X::name` looks there
    defined: set[str] = field(default_factory=set)
    kind: str = ""
    takes: dict[str, Parameters] = field(default_factory=dict)  # of templates of classes and of types
    parameters: list[tuple[str, str]] = field(default_factory=list)  # a template's own: kinds; "", "default" or "pack"

    def opened(self) -> Scope:
        """What a template's class has inside once its arguments are given: specializations may have something else."""
        return Scope(self.names, self.inner, True, True, self.defined, self.kind, self.takes)

    def define(self, what: str, name: str, at: int) -> None:
        """Note a definition; `Bad` if it is there already."""
        if what in self.defined:
            raise Bad(at, f"{name} is defined twice")
        self.defined.add(what)


def parameters_scope(names: Iterable[str]) -> Scope:
    """A function's parameters."""
    return Scope(dict.fromkeys(names, "value"), kind="parameters")


class Scopes(Cursor):
    """Tokens, and the scopes around the next one, innermost last.

    Parameters
    ----------
    tokens
        A translation unit's, without comments.
    macros
        Macros with parameters, which are left in place.
    """

    def __init__(self, tokens: list[Token], macros: Iterable[str]) -> None:
        super().__init__(tokens)
        self.macros = frozenset(macros)
        self.scopes = [Scope(kind="namespace")]
        self.templates = 0  # how many templates are open: names may depend on their parameters
        self.breakable = 0  # loops and switches around
        self.delayed: list[list[Callable[[], None]]] = []  # bodies in classes, which see all of the class

    def attempt(self, what: Callable[[], object]) -> bool:
        scopes, depth = self.scopes, len(self.scopes)
        kept = self.templates, self.breakable, self.delayed, len(self.delayed)
        found = super().attempt(what)
        if not found:
            self.scopes = scopes
            del self.scopes[depth:]
            self.templates, self.breakable, self.delayed, classes = kept
            del self.delayed[classes:]
        return found

    @property
    def in_template(self) -> bool:
        """Whether a template's parameters come right before."""
        return self.scopes[-1].kind == "template"

    @property
    def owner(self) -> Scope:
        """Where a declaration goes: a template's parameters stand between."""
        return self.scopes[-2] if self.in_template else self.scopes[-1]

    def declare(self, name: str, kind: str) -> None:
        """Add a name to the innermost scope."""
        scope = self.scopes[-1]
        known = scope.names.get(name)
        if known is not None and kind == "value" and scope.kind == "block":
            raise Bad(self.at, f"{name} is declared twice")
        if known is None or known != "namespace":
            scope.names[name] = kind

    def look(self, name: str) -> str | None:
        """What a name is: "?" if that cannot be told here, None if it is not declared."""
        anything = False
        for scope in reversed(self.scopes):
            if name in scope.names:
                return scope.names[name]
            anything |= scope.open
        if anything:
            return "?"
        if name in self.macros and name in MACROS:
            return "function"
        return library_kind(name)

    def declare_template(self, name: str) -> None:
        """Keep what a template of classes or types takes, whose parameters come right before."""
        own = self.scopes[-1].parameters
        kinds = tuple(kind for kind, _ in own)
        more = any(what == "pack" for _, what in own)
        found = Parameters(kinds, sum(not what for _, what in own), more)
        known = self.owner.takes.get(name)  # a declaration before the definition may have the defaults
        if known is None or known.kinds == found.kinds:
            self.owner.takes[name] = replace(found, least=min(found.least, known.least)) if known else found

    def taken_by(self, name: str) -> Parameters | None:
        """What the innermost template of a name takes; None if that is not known."""
        return next((scope.takes.get(name) for scope in reversed(self.scopes) if name in scope.names), None)

    def inside(self, name: str) -> Scope | None:
        """What a namespace or a class has inside; None if that is not known."""
        for scope in reversed(self.scopes):
            if name in scope.inner:
                return scope.inner[name]
            if name in scope.names:
                return None
        return None

    def hidden(self, name: str) -> Scope | None:
        """What the innermost namespace or class of a name has inside, whatever else the name is."""
        return next((scope.inner[name] for scope in reversed(self.scopes) if name in scope.inner), None)
