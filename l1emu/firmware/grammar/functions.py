"""Functions from their parameters on, and the members of a class that have no type before their name."""

from __future__ import annotations

from functools import partial

from l1emu.firmware.grammar.cursor import Bad
from l1emu.firmware.grammar.scopes import Scope, parameters_scope
from l1emu.firmware.grammar.syntax import Syntax
from l1emu.firmware.grammar.words import OPERATORS, QUALIFIERS


class Functions(Syntax):
    """Reads functions and their bodies."""

    def constructor(self, member: str) -> bool:
        """Whether a constructor, destructor or conversion of the class `member` comes next, which is then passed."""
        start = self.at
        while self.take("explicit", "inline", "constexpr", "virtual", "friend"):
            pass
        if self.take("~"):
            if self.name() != member:
                raise self.bad("a destructor of another class")
        elif self.is_("operator") and self.texts[self.at + 1] not in OPERATORS:
            self.at += 1
            self.specifiers(allowed=QUALIFIERS)
            self.pointers()
        elif self.texts[self.at] == member and self.texts[self.at + 1] == "(":
            self.at += 1
        else:
            self.at = start
            return False
        self.function(member, start)
        return True

    def constructor_elsewhere(self) -> bool:
        """Whether a constructor or destructor comes next that its class only declares; it is then passed."""
        start = self.at
        while self.take("explicit", "inline", "constexpr"):
            pass
        at = self.at
        if self.is_name() and self.texts[at + 1] in ("::", "<") and self.attempt(self._qualified_name):
            names = self._path(at, self.at)
            if self.is_("(") and names[-2:-1] == names[-1:]:
                depth = len(self.scopes)
                self.scopes += self.around(at, self.at)
                self.function("", start)
                del self.scopes[depth:]
                return True
        self.at = start
        return False

    def _qualified_name(self) -> None:
        self.qualified(expression=True)

    def _path(self, start: int, end: int) -> list[str]:
        """The names between two tokens, those of template arguments aside."""
        names: list[str] = []
        depth = 0
        for text in self.texts[start:end]:
            depth += (text == "<") - (text == ">")
            if depth == 0 and text.isidentifier():
                names.append(text)
        return names

    def around(self, start: int, end: int) -> list[Scope]:
        """What the namespaces and classes have inside that a qualified name, the tokens between two, lies in."""
        found: list[Scope] = []
        names = self._path(start, end)[:-1]
        inside = self.inside(names[0]) if names else None
        for name in names[1:]:
            found += [inside] if inside else []
            inside = inside.inner.get(name) if inside else None
        # in what is not known, or differs between specializations, any name may be declared
        known = inside is not None and "<" not in self.texts[start:end]
        return [*found, inside if inside is not None and known else Scope(open=True, kind="class")] if names else []

    def function(self, name: str, start: int) -> None:
        names: set[str] = set()
        for one, at in self.parameters():
            if one in names:
                raise Bad(at, f"{one} is declared twice")
            names.add(one)
        self._after_parameters(names)
        if name:
            self._declare_function(name, start)
        if self.take(";"):
            return
        if self.take("="):
            if not self.take("0", "default", "delete"):
                raise self.bad("'default' is expected")
            self.need(";")
            return
        if name:
            head = start
            while head and self.in_template and self.texts[head] != "template":
                head -= 1
            self.owner.define("function " + " ".join(self.texts[head : self.at]), name, start)
        if not self.is_("{", ":", "try"):
            raise self.bad("a function's body is expected")
        parse = partial(self._body, self.at, [*self.scopes, parameters_scope(names)], self.templates)
        self._pass_body()
        if self.delayed:
            self.delayed[-1].append(parse)
        else:
            parse()

    def _after_parameters(self, names: set[str]) -> None:
        """``const noexcept -> T``."""
        while True:
            if self.take("noexcept"):
                if self.is_("("):
                    self.parenthesized()
            elif self.take("throw"):
                self.parameters()
            elif self.arrow():
                self.scopes.append(parameters_scope(names))
                self.type_id()
                self.scopes.pop()
            elif not self.take("const", "override", "final", "volatile", "&", "&&"):
                return

    def _declare_function(self, name: str, start: int) -> None:
        owner = self.owner
        known = owner.names.get(name, "function")
        if name == "operator" or known in ("function", "?"):
            owner.names.setdefault(name, "function")
        elif owner.kind != "class" or known != "type":
            raise Bad(start, f"{name} is declared as something else")

    def _pass_body(self) -> None:
        """Go behind a function's body, and the members that a constructor sets before it."""
        tried = self.take("try")
        while not self.is_("{"):
            self.at = self.closing.get(self.at, self.at) + 1
            if self.ended():
                raise self.bad("a function's body is expected")
            if self.is_("{") and self.kinds[self.at - 1] == "name":  # a member's braces
                self.at = self.closing[self.at] + 1
        self.at = self.closing[self.at] + 1
        while tried and self.follows("catch", "("):
            self.at = self.closing[self.at + 1] + 1
            self.at = self.closing.get(self.at, self.at) + 1

    def _body(self, at: int, scopes: list[Scope], templates: int) -> None:
        """Read a body; it may lie elsewhere than at the next token."""
        kept = self.scopes, self.at, self.templates, self.breakable
        self.scopes, self.at, self.templates, self.breakable = scopes, at, templates, 0
        tried = self.take("try")
        if self.take(":"):
            while True:
                self.qualified(expression=True, typename=True)
                self.braces() if self.is_("{") else self.call()
                if not self.take(","):
                    break
        self.block()
        if tried:
            self.handlers()
        self.scopes, self.at, self.templates, self.breakable = kept
