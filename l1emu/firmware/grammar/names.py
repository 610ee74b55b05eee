"""Names as they are used: ``nnet::dense<a, b>``."""

from __future__ import annotations

from l1emu.firmware.grammar.scopes import Parameters, Scope
from l1emu.firmware.grammar.syntax import Syntax
from l1emu.firmware.grammar.words import BUILTIN, LIBRARIES, OPERATORS, standard_kind


class Names(Syntax):
    """Reads names with what stands before them, and template arguments."""

    def qualified(self, *, typename: bool = False, expression: bool = False) -> str:
        outside = self.is_("::")
        kind, scope = self._outermost(expression)
        name = self.texts[self.at - 1]
        takes = self.scopes[0].takes.get(name) if outside else self.taken_by(name)
        dependent = kind == "param"
        while True:
            kind, scope = self._given_arguments(kind, scope, dependent, takes)
            takes = None
            if not self.is_("::"):
                break
            if kind in ("value", "function"):
                raise self.bad(f"{name} has nothing inside")
            self.at += 1
            told = bool(self.take("template"))
            if self.take("~"):
                self.name()
                return "function"
            if self.is_("operator"):
                self.operator()
                return "function"
            name = self.name()
            if scope is not None:
                takes = scope.takes.get(name)
                kind, scope = self._member(scope, name)
                continue
            kind = standard_kind(name) if kind == "library" else "?"
            if told:
                self.template_arguments()
                kind = "type" if typename else "?"
                dependent = False
        if dependent and kind == "?" and not typename and not expression:
            raise self.bad("a type that depends on a template's parameter needs typename")
        return kind

    def _outermost(self, expression: bool) -> tuple[str, Scope | None]:
        """The first name of several: what it is, and what it has inside."""
        start = self.at
        kind: str | None
        if self.take("::"):
            name = self.name()
            outside = "library" if name in LIBRARIES else "?" if not self.is_("::") else None
            kind = self.scopes[0].names.get(name) or outside
            scope = self.scopes[0].inner.get(name)
        else:
            name = self.name()
            kind, scope = self.look(name), self.inside(name)
            if self.is_("::") and kind in ("value", "function"):  # before :: a function's name is none
                scope = self.hidden(name)
                kind = kind if scope is None else "namespace"
        if kind is None:
            called = self.is_("(") and self.templates and expression
            if not called:
                self.at = start
                raise self.bad(f"{name} is not declared")
            kind = "function"
        return kind, scope

    def _given_arguments(
        self, kind: str, scope: Scope | None, dependent: bool, takes: Parameters | None
    ) -> tuple[str, Scope | None]:
        """What a name is after its template arguments, if it has any."""
        if not self.is_("<") or kind == "value" or (dependent and kind == "?"):
            return kind, scope
        start = self.at
        given: list[tuple[str, ...] | None] = []
        had = self.attempt(lambda: given.append(self.template_arguments()))
        if kind != "template":
            return kind, scope
        if not had:
            raise self.furthest
        if takes and given[0] is not None and (misfit := takes.misfit(given[0])):
            self.at = start
            raise self.bad(misfit)
        return "type", None if scope is None else scope.opened()

    def _member(self, scope: Scope, name: str) -> tuple[str, Scope | None]:
        """A name after ``::``, which was just passed."""
        kind = scope.names.get(name) or ("?" if scope.open or scope.dependent else None)
        if kind is None:
            self.at -= 1
            raise self.bad(f"{name} is not declared there")
        return kind, scope.inner.get(name)

    def template_arguments(self) -> tuple[str, ...] | None:
        self.need("<")
        kinds: list[str] = []
        packs = False
        while not self.take(">"):
            if kinds:
                self.need(",")
            start = self.at
            if self.attempt(self._type_argument):
                text = self.texts[start]
                certain = self.at == start + 1 and (text in BUILTIN or self.look(text) in ("type", "param"))
                kinds.append("type" if certain else "?")
            else:
                self.assignment(closing=True)
                self.dots()
                kinds.append("value")
            packs |= self.texts[self.at - 1] == "."
        return None if packs else tuple(kinds)

    def _type_argument(self) -> None:
        self.type_id(bare=True)
        self.dots()
        if not self.is_(",", ">"):
            raise self.bad("a template argument is expected")

    def operator(self) -> None:
        self.need("operator")
        if self.take("("):
            self.need(")")
        elif self.take("["):
            self.need("]")
        elif self.texts[self.at] in OPERATORS:
            self.at += 1
            self.take(">", ">=", "*")
        else:
            raise self.bad("an operator is expected")
