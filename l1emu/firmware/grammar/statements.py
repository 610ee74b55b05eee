"""Statements of functions' bodies."""

from __future__ import annotations

from collections.abc import Callable

from l1emu.firmware.grammar.scopes import Scope
from l1emu.firmware.grammar.syntax import Syntax
from l1emu.firmware.grammar.words import KEYWORDS, SPECIFIERS

_BEGIN_DECLARATIONS = SPECIFIERS | {"struct", "class", "union", "enum", "auto"}


class Statements(Syntax):
    """Reads statements."""

    def block(self) -> None:
        self.need("{")
        self.scopes.append(Scope(kind="block"))
        delayed, self.delayed = self.delayed, []
        while not self.take("}"):
            if self.ended():
                raise self.bad("a block is never closed")
            self.statement()
        self.delayed = delayed
        self.scopes.pop()

    def statement(self) -> None:
        """One statement."""
        text = self.texts[self.at]
        if text in _BY_WORD:
            _BY_WORD[text](self)
        elif self.take(";"):
            pass
        elif self.follows("default", ":") or (
            self.is_name() and self.texts[self.at + 1] == ":" and text not in KEYWORDS
        ):
            self.at += 2
        elif self.kinds[self.at] in ("name", "op") and self._declares():
            self.simple()
        else:
            self._expression()

    def _expression(self) -> None:
        self.expression()
        self.need(";")

    def nested(self, *, loop: bool = False) -> None:
        """The statement of a condition or a loop."""
        self.breakable += loop
        self.scopes.append(Scope(kind="block"))
        self.statement()
        self.scopes.pop()
        self.breakable -= loop

    def _if(self) -> None:
        self.need("if")
        self.take("constexpr")
        self._condition()
        self.nested()
        if self.take("else"):
            self.nested()

    def _while(self) -> None:
        """A loop, or a switch: what both have in common suffices here."""
        self.at += 1
        self._condition()
        self.nested(loop=True)

    def _do(self) -> None:
        self.need("do")
        self.nested(loop=True)
        self.need("while")
        self.parenthesized()
        self.need(";")

    def _case(self) -> None:
        self.need("case")
        self.assignment()
        self.need(":")

    def _return(self) -> None:
        self.need("return")
        if self.is_("{"):
            self.braces()
        elif not self.is_(";"):
            self.expression()
        self.need(";")

    def _break(self) -> None:
        if not self.breakable:
            raise self.bad(f"{self.texts[self.at]} outside a loop")
        self.at += 1
        self.need(";")

    def _goto(self) -> None:
        self.need("goto")
        self.name()
        self.need(";")

    def _try(self) -> None:
        self.need("try")
        self.block()
        self.handlers()

    def handlers(self) -> None:
        while self.take("catch"):
            self.need("(")
            self.scopes.append(Scope(kind="block"))
            if not self.dots():
                self.specifiers()
                self.pointers()
                if self.is_name():
                    self.declare(self.name(), "value")
            self.need(")")
            self.block()
            self.scopes.pop()

    def _declaration(self) -> None:
        self.declaration()

    def _data_pack(self) -> None:
        """hls4ml's macro for a directive."""
        self.need("PRAGMA_DATA_PACK")
        self.parenthesized()
        self.take(";")

    def _condition(self) -> None:
        self.need("(")
        if self._declares():
            self.specifiers()
            self.declarator(True, self.at)
            if self.take(";"):
                self.expression()
        else:
            self.expression()
        self.need(")")

    def _for(self) -> None:
        self.need("for")
        self.need("(")
        self.scopes.append(Scope(kind="block"))
        if not self._range():
            self.need(";")
            if not self.is_(";"):
                self.expression()
            self.need(";")
            if not self.is_(")"):
                self.expression()
        self.need(")")
        self.nested(loop=True)
        self.scopes.pop()

    def _range(self) -> bool:
        """What a loop begins with; whether that is a range, which is all that the loop needs."""
        if self.is_(";"):
            return False
        if not self._declares():
            self.expression()
            return False
        self.specifiers()
        self.pointers()
        bound = self.is_("[") and self.texts[self.closing[self.at] + 1] == ":"
        if bound or (self.is_name() and self.texts[self.at + 1] == ":"):
            self.bindings() if bound else self.declare(self.name(), "value")
            self.need(":")
            self.initializer()
            return True
        self.declarator(False, self.at)
        while self.take(","):
            self.declarator(False, self.at)
        return False

    def _declares(self) -> bool:
        """Whether a declaration stands here, and no expression."""
        if self.texts[self.at] in _BEGIN_DECLARATIONS:
            return True
        at = self.at
        found = self.attempt(self._declared)
        self.at = at
        return found

    def _declared(self) -> None:
        self.specifiers()
        self.pointers()
        if self.is_("("):
            if self.texts[self.at + 1] not in ("*", "&"):
                raise self.bad("a declaration is expected")
            return
        self.name()
        if not self.is_("=", ";", ",", "[", "(", "{", ":", ")"):
            raise self.bad("a declaration is expected")


_BY_WORD: dict[str, Callable[[Statements], None]] = {
    "{": Statements.block,
    "if": Statements._if,
    "for": Statements._for,
    "while": Statements._while,
    "switch": Statements._while,
    "do": Statements._do,
    "case": Statements._case,
    "return": Statements._return,
    "break": Statements._break,
    "continue": Statements._break,
    "goto": Statements._goto,
    "try": Statements._try,
    "PRAGMA_DATA_PACK": Statements._data_pack,
    **dict.fromkeys(("using", "typedef", "static_assert", "template", "namespace", "_Pragma"), Statements._declaration),
}
