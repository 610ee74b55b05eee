"""Declarations: namespaces, names for types, variables."""

from __future__ import annotations

from collections.abc import Callable

from l1emu.firmware.grammar.cursor import Bad
from l1emu.firmware.grammar.functions import Functions
from l1emu.firmware.grammar.scopes import Scope
from l1emu.firmware.grammar.words import QUALIFIERS, SPECIFIERS

_AFTER_PARAMETERS = (
    *("{", ";", "=", "const", "volatile", "noexcept", "throw", "override", "->", ",", "final", "&", "&&", "try"),
)


class Declarations(Functions):
    """Reads declarations, and the translation unit, which is a row of them."""

    def unit(self) -> None:
        """The whole translation unit."""
        self.match_brackets()
        while not self.ended():
            self.declaration()

    def declaration(self, member: str = "") -> None:
        if self.take(";"):
            return
        text = self.texts[self.at]
        if text in _BY_WORD:
            _BY_WORD[text](self)
        elif self.follows("inline", "namespace"):
            self.namespace()
        elif text == "extern" and self.kinds[self.at + 1] == "string":
            self._linkage()
        elif text == "template" or self.follows("extern", "template"):
            self.take("extern")
            self.template(member)
        else:
            self.simple(member)

    def _linkage(self) -> None:
        """``extern "C"``."""
        self.at += 2
        if not self.take("{"):
            self.declaration()
            return
        while not self.take("}"):
            self.declaration()

    def _assertion(self) -> None:
        self.need("static_assert")
        self.parenthesized()
        self.need(";")

    def _directive(self) -> None:
        self.need("_Pragma")
        self.parenthesized()

    def namespace(self) -> None:
        """A namespace with what it declares, or another name for one."""
        inline = self.take("inline")
        self.need("namespace")
        depth = len(self.scopes)
        if not self.is_("{"):
            while True:
                name = self.name()
                if self.take("="):
                    self.qualified(expression=True)
                    self.need(";")
                    self.declare(name, "?")
                    return
                owner = self.scopes[-1]
                if owner.names.get(name, "namespace") != "namespace":
                    raise self.bad(f"{name} is declared as something else")
                owner.names[name] = "namespace"
                # what an inline namespace has, the one around it has too
                inside = owner if inline else Scope(kind="namespace")
                self.scopes.append(owner.inner.setdefault(name, inside))
                if not self.take("::"):
                    break
        self.need("{")
        while not self.take("}"):
            if self.ended():
                raise self.bad("a namespace is never closed")
            self.declaration()
        del self.scopes[depth:]

    def using(self) -> None:
        self.need("using")
        if self.take("namespace"):
            start = self.at
            if self.qualified(expression=True) not in ("namespace", "library", "?"):
                self.at = start
                raise self.bad("no namespace")
            self.scopes[-1].open = True
        elif self.texts[self.at + 1] == "=":
            self._alias()
        else:
            self.take("typename")
            kind = self.qualified(typename=True)
            self.declare(self.texts[self.at - 1], kind)
        self.need(";")

    def _alias(self) -> None:
        """``name = type`` after ``using``."""
        at, name = self.at, self.name()
        self.need("=")
        self.type_id()
        if not self.is_(";"):
            raise self.bad("';' is expected")
        if self.owner.names.get(name) in ("value", "function", "namespace"):
            raise Bad(at, f"{name} is declared as something else")
        self.owner.names[name] = "template" if self.in_template else "type"
        if self.in_template:
            self.declare_template(name)

    def typedef(self) -> None:
        """``typedef int a, *b, c[3];``."""
        self.need("typedef")
        self.specifiers(allowed=QUALIFIERS)
        while True:
            self.pointers()
            if self.is_("(") and self.texts[self.at + 1] in ("*", "&"):
                self.at += 1
                self.pointers()
                name = self.name()
                self.need(")")
                self.parameters()
            else:
                name = self.name()
                if self.is_("("):
                    self.parameters()
            if self.scopes[-1].names.get(name, "type") not in ("type", "?"):
                raise Bad(self.at - 1, f"{name} is declared as something else")
            self.scopes[-1].names[name] = "type"
            while self.is_("["):
                self.brackets()
            if not self.take(","):
                break
        self.need(";")

    def simple(self, member: str = "") -> None:
        if self.is_("__attribute__", "asm", "__asm__", "__declspec") or self.follows("[", "["):
            raise self.bad("attributes are not supported")
        start = self.at
        if (member and self.constructor(member)) or self.constructor_elsewhere():
            return
        kind = self.specifiers()
        if kind == "class" and self.take(";"):
            return
        named = self.at
        if self.declarator(True, start):
            return
        if self.owner.kind == "class":
            self._check_set_inside(start, named)
        while self.take(","):
            self.declarator(False, start)
        self.need(";")

    def _check_set_inside(self, start: int, named: int) -> None:
        """A static member that a class sets is a constant of a type of integers, unless a compiler may compute it."""
        head, rest = self.texts[start:named], self.texts[named : self.at]
        if "static" not in head or {"constexpr", "inline"} & set(head) or "=" not in rest or "*" in rest:
            return
        kind = next(text for text in head if text not in SPECIFIERS | QUALIFIERS)
        if "const" not in head or self.look(kind) == "template":
            end, self.at = self.at, start
            found = self.bad("a static member of such a type is set outside its class")
            self.at = end
            raise found

    def declarator(self, first: bool, start: int) -> bool:
        self.pointers()
        at = self.at
        wrapped = self.is_("(") and self.texts[self.at + 1] in ("*", "&")
        if self.is_("["):
            self.bindings()
            self._value()
            return False
        if self.is_(":") and self.owner.kind == "class":  # bits that nothing uses
            self._value()
            return False
        name, elsewhere = self._declared_name(wrapped)
        depth = len(self.scopes)
        self.scopes += self.around(at, self.at) if elsewhere else []
        if self.is_("(") and first and not wrapped and self._is_function():
            self.function("" if elsewhere else name, start)
            del self.scopes[depth:]
            return True
        if not elsewhere:
            self._declare_variable(name, at)
        if wrapped and self.is_("("):  # what a pointer to a function takes
            self.parameters()
        while self.is_("["):
            self.brackets()
        self._value()
        del self.scopes[depth:]
        return False

    def bindings(self) -> None:
        if not ({"auto"} & set(self.texts[max(0, self.at - 3) : self.at])):
            raise self.bad("a name is expected")
        self.need("[")
        while True:
            self.declare(self.name(), "value")
            if not self.take(","):
                break
        self.need("]")

    def _declared_name(self, wrapped: bool) -> tuple[str, bool]:
        """The declared name, wrapped in parentheses or not; whether it lies in another scope."""
        at = self.at
        if wrapped:
            self.at += 1
            self.pointers()
        elsewhere = False
        if self.is_("operator"):
            self.operator()
            name = "operator"
        else:
            name = self.name()
            elsewhere = self.is_("::", "<")
            if elsewhere:
                self.at = at + wrapped
                self.pointers()
                self.qualified(expression=True)
        if wrapped:
            while self.is_("["):
                self.brackets()
            self.need(")")
        return name, elsewhere

    def _is_function(self) -> bool:
        """Whether parameters come next, and no value in parentheses."""
        here = self.at
        found = self.attempt(self.parameters) and self.is_(*_AFTER_PARAMETERS)
        self.at = here
        return found

    def _declare_variable(self, name: str, at: int) -> None:
        scope = self.owner
        if scope.names.get(name) in ("type", "template", "function", "namespace"):
            raise Bad(at, f"{name} is declared as something else")
        if scope.kind == "block" and name in scope.names:
            raise Bad(at, f"{name} is declared twice")
        scope.names[name] = "?" if self.in_template else "value"  # a template of variables takes arguments

    def _value(self) -> None:
        """What a variable is set to, or the width of a bit field."""
        if self.is_("("):
            self.call()
        elif self.is_("{"):
            self.braces()
        elif self.take(":"):
            self.assignment()
        elif self.take("="):
            self.initializer()
        elif not self.is_(";", ",", ")"):
            raise self.bad("';' is expected")


_BY_WORD: dict[str, Callable[[Declarations], None]] = {
    "namespace": Declarations.namespace,
    "using": Declarations.using,
    "typedef": Declarations.typedef,
    "static_assert": Declarations._assertion,
    "_Pragma": Declarations._directive,
}
