"""Types, as they stand before a declared name and alone, and functions' parameters."""

from __future__ import annotations

from l1emu.firmware.grammar.scopes import Scope
from l1emu.firmware.grammar.syntax import Syntax
from l1emu.firmware.grammar.words import BUILTIN, KEYWORDS, QUALIFIERS, SPECIFIERS


class Types(Syntax):
    """Reads types and parameters."""

    def type_id(self, *, bare: bool = False) -> None:
        self.specifiers(allowed=QUALIFIERS, bare=bare)
        self.pointers()
        if self.is_("(") and self.texts[self.at + 1] in ("*", "&"):
            self.at += 1
            self.pointers()
            self.need(")")
        if self.is_("("):
            self.parameters()
        while self.is_("["):
            self.brackets()

    def pointers(self) -> None:
        while self.take("*", "&", "&&", *QUALIFIERS, "__restrict", "__restrict__"):
            pass

    def specifiers(self, *, allowed: frozenset[str] = SPECIFIERS, bare: bool = False) -> str:
        found = ""
        seen: set[str] = set()
        while True:
            text = self.texts[self.at]
            if text in allowed:
                if text in seen:
                    raise self.bad(f"{text} twice")
                seen.add(text)
                self.at += 1
            elif text in BUILTIN:
                if found not in ("", "builtin"):
                    raise self.bad("two types")
                found = "builtin"
                self.at += 1
            elif text == "alignas":
                self.alignment()
            elif found:
                return found
            else:
                found = self._named_type(bare)

    def alignment(self) -> None:
        while self.take("alignas"):
            self.parenthesized()

    def _named_type(self, bare: bool) -> str:
        """A type that is not built in; the kind of thing that it is."""
        text = self.texts[self.at]
        if text in ("struct", "class", "union"):
            self.class_()
            return "class"
        if text == "enum":
            self.enum()
            return "class"
        if text == "decltype":
            self.decltype()
        elif self.take("typename"):
            self.qualified(typename=True)
        elif self.is_name() or text == "::":
            start = self.at
            kind = self.qualified()
            if kind in ("value", "function", "namespace", "library") or (kind == "template" and not bare):
                self.at = start
                raise self.bad(f"{self.texts[start]} is no type")
        else:
            raise self.bad("a type is expected")
        return "type"

    def decltype(self) -> None:
        self.need("decltype")
        self.parenthesized()
        while self.take("::"):
            self.name()

    def parameters(self) -> list[tuple[str, int]]:
        self.need("(")
        names: list[tuple[str, int]] = []
        if self.follows("void", ")"):
            self.at += 1
        if self.take(")"):
            return names
        self.scopes.append(Scope(kind="parameters"))  # later ones may use earlier ones
        while not self.dots():
            names += self._parameter()
            if names:
                self.scopes[-1].names[names[-1][0]] = "value"
            while self.is_("["):
                self.brackets()
            if self.take("="):
                self.initializer()
            if not self.take(","):
                break
        self.need(")")
        self.scopes.pop()
        return names

    def _parameter(self) -> list[tuple[str, int]]:
        """A parameter's type and its name, if it has one."""
        self.specifiers(allowed=QUALIFIERS | {"register"})
        self.pointers()
        self.dots()
        names: list[tuple[str, int]] = []
        if self.is_("(") and self.texts[self.at + 1] in ("*", "&"):
            self.at += 1
            self.pointers()
            if self.is_name():
                names.append((self.name(), self.at - 1))
            self.need(")")
            if self.is_("("):
                self.parameters()
        elif self.is_name() and self.texts[self.at] not in KEYWORDS:
            names.append((self.name(), self.at - 1))
        return names
