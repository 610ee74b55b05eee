"""Expressions, and the values in braces and brackets."""

from __future__ import annotations

from collections.abc import Callable

from l1emu.firmware.grammar.scopes import parameters_scope
from l1emu.firmware.grammar.syntax import Syntax
from l1emu.firmware.grammar.words import BINARY, BUILTIN, CASTS, PREFIX, QUALIFIERS

_AFTER_CAST = ("(", "~", "!", "-", "+", "*", "&", "++", "--")


class Expressions(Syntax):
    """Reads expressions; their types are not looked at."""

    def expression(self) -> None:
        self.assignment()
        while self.take(","):
            self.assignment()

    def assignment(self, closing: bool = False) -> None:
        if self.take("throw"):
            if not self.is_(";", ")", ":"):
                self.assignment()
            return
        self.unary(closing)
        while True:
            text = self.texts[self.at]
            if text not in BINARY or (closing and text in (">", ">=")):
                return
            self.at += 1
            if text == "?":
                self.assignment()
                self.need(":")
                self.assignment(closing)
                return
            if text == ">" and self.is_(">", ">=") and self._adjacent():
                self.at += 1
            if text == "=" and self.is_("{"):
                self.braces()
                return
            self.unary(closing)

    def _adjacent(self) -> bool:
        return self.tokens[self.at].start == self.tokens[self.at - 1].start + 1

    def unary(self, closing: bool = False) -> None:
        """A value with signs, casts and what is called or taken from it."""
        while self.texts[self.at] in PREFIX:
            self.at += 1
        if self.is_("(") and self.attempt(self._cast):
            self.unary(closing)
            return
        self.primary(closing)
        self.postfix()

    def _cast(self) -> None:
        self.need("(")
        self.type_id()
        self.need(")")
        if self.kinds[self.at] not in ("name", "number", "string") and not self.is_(*_AFTER_CAST):
            raise self.bad("a value is expected")

    def primary(self, closing: bool) -> None:
        """A value by itself."""
        kind, text = self.kinds[self.at], self.texts[self.at]
        if kind in ("number", "string"):
            self.at += 1
            while kind == "string" and self.kinds[self.at] == "string":
                self.at += 1
        elif text in _BY_WORD and kind in ("name", "op"):
            _BY_WORD[text](self)
        elif text in ("sizeof", "alignof", "typeid", "noexcept"):
            self._size(closing)
        elif text == "delete":
            self._delete(closing)
        elif kind == "name":
            self._named()
        elif self.templates and self.dots():  # of a fold, beside an operator
            pass
        else:
            raise self.bad("a value is expected")

    def _grouped(self) -> None:
        self.need("(")
        self.expression()
        self.need(")")

    def _global(self) -> None:
        """What begins with ``::``."""
        if self.texts[self.at + 1] in ("new", "delete", "operator"):
            self.at += 1
            self.primary(False)
        else:
            self.qualified(expression=True)

    def _decltype(self) -> None:
        self.decltype()

    def _operator(self) -> None:
        self.operator()

    def _constant(self) -> None:
        self.at += 1

    def _named_cast(self) -> None:
        """``static_cast<T>(x)``."""
        self.at += 1
        self.need("<")
        self.type_id()
        self.need(">")
        self._grouped()

    def _size(self, closing: bool) -> None:
        self.at += 1
        self.dots()
        if self.is_("("):
            self.parenthesized()
        else:
            self.unary(closing)

    def _new(self) -> None:
        self.need("new")
        if self.is_("("):  # where it is put
            self.call()
        self.specifiers(allowed=QUALIFIERS)
        self.pointers()
        while self.is_("["):
            self.brackets()
        if self.is_("{"):
            self.braces()

    def _delete(self, closing: bool) -> None:
        self.need("delete")
        if self.take("["):
            self.need("]")
        self.unary(closing)

    def _of_type(self) -> None:
        """``int(x)``."""
        self.specifiers(allowed=frozenset())
        if not self.is_("(", "{"):
            raise self.bad("a value is expected")
        if self.is_("{"):
            self.braces()

    def _named(self) -> None:
        start = self.at
        found = self.qualified(expression=True)
        if found in ("type", "template", "param", "namespace", "library") and not self.is_("(", "{"):
            self.at = start
            raise self.bad(f"{self.texts[start]} is no value")
        if self.is_("{") and found in ("type", "?", "param"):
            self.braces()

    def postfix(self) -> None:
        """What follows a value: calls, indices, members."""
        while True:
            text = self.texts[self.at]
            if text == "(":
                self.call()
            elif text == "[":
                self.brackets()
            elif text in (".", "->") and self.texts[self.at + 1] != ".":
                self._of_member()
            elif text in ("++", "--"):
                self.at += 1
            else:
                return

    def _of_member(self) -> None:
        self.at += 1
        told = self.take("template")
        self.take("~")
        if self.is_("operator"):
            self.operator()
        else:
            self.name()
            while self.take("::"):
                self.name()
        if told:
            self.template_arguments()
        elif self.is_("<"):
            self.attempt(self._called_template)

    def _called_template(self) -> None:
        self.template_arguments()
        if not self.is_("("):
            raise self.bad("a call is expected")

    def _lambda(self) -> None:
        self.need("[")
        captured: list[str] = []  # under a new name
        while not self.take("]"):
            if not self.take("&", "=", ",", "this", "*") and not self.dots():
                name = self.name()
                if self.take("="):
                    self.assignment()
                    captured.append(name)
        self.scopes.append(parameters_scope(captured))
        names = self.parameters() if self.is_("(") else []
        while self.take("mutable", "noexcept", "constexpr"):
            pass
        if self.arrow():
            self.type_id()
        self.scopes.append(parameters_scope(name for name, _ in names))
        breakable, self.breakable = self.breakable, 0
        self.block()
        self.breakable = breakable
        del self.scopes[-2:]

    def parenthesized(self) -> None:
        self.need("(")
        if not self.attempt(self._type_in_parentheses):
            self.expression()
            self.need(")")

    def _type_in_parentheses(self) -> None:
        self.type_id()
        self.need(")")

    def call(self) -> None:
        self.need("(")
        if self.take(")"):
            return
        while True:
            self.initializer()
            self.dots()
            if self.take(")"):
                return
            self.need(",")

    def initializer(self) -> None:
        if self.is_("{"):
            self.braces()
        elif self.kinds[self.at] == "numbers":
            self.at += 1
        else:
            self.assignment()

    def braces(self) -> None:
        if self.kinds[self.at] == "numbers":
            self.at += 1
            return
        self.need("{")
        while not self.take("}"):
            if self.take("."):  # a member by its name
                self.name()
                self.need("=")
            self.initializer()
            self.dots()
            if not self.is_("}"):
                self.need(",")

    def brackets(self) -> None:
        self.need("[")
        if not self.is_("]"):
            self.expression()
        self.need("]")


_BY_WORD: dict[str, Callable[[Expressions], None]] = {
    "(": Expressions._grouped,
    "[": Expressions._lambda,
    "::": Expressions._global,
    "decltype": Expressions._decltype,
    "new": Expressions._new,
    "operator": Expressions._operator,
    **dict.fromkeys(("true", "false", "nullptr", "this"), Expressions._constant),
    **dict.fromkeys(CASTS, Expressions._named_cast),
    **dict.fromkeys(BUILTIN | {"typename"}, Expressions._of_type),
}
