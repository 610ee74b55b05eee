"""Templates and their parameters."""

from __future__ import annotations

from l1emu.firmware.grammar.scopes import Scope
from l1emu.firmware.grammar.syntax import Syntax
from l1emu.firmware.grammar.words import QUALIFIERS


class Templates(Syntax):
    """Reads templates; what they declare is read by its own part."""

    def template(self, member: str) -> None:
        self.need("template")
        if not self.is_("<"):
            self._instantiation()
            return
        depth = len(self.scopes)
        self._template_parameters()
        self.templates += 1
        if self.is_("template"):
            self.template(member)
        elif self.is_("using"):
            self.using()
        else:
            self.simple(member)
        self.templates -= 1
        del self.scopes[depth:]

    def _instantiation(self) -> None:
        """``template class Row<3>;``: what a template makes; no class has it, and it defines nothing."""
        end = next((i for i in range(self.at, len(self.tokens)) if self.texts[i] in (";", "{", "=")), self.at)
        if self.owner.kind != "namespace" or self.texts[end] != ";":
            raise self.bad("'<' is expected")
        self.declaration()

    def _template_parameters(self) -> None:
        self.need("<")
        self.scopes.append(Scope(kind="template"))
        if self.take(">"):
            return
        while True:
            if self.is_("class", "typename") and (
                self.texts[self.at + 1] in (",", ">", "=", ".") or self.texts[self.at + 2] in (",", ">", "=")
            ):
                self._type_parameter()
            elif self.is_("template"):
                self._template_parameter()
            else:
                self._value_parameter()
            if self.take(">"):
                return
            self.need(",")

    def _keep(self, kind: str, pack: bool) -> None:
        """A parameter, which was just passed up to its default."""
        self.scopes[-1].parameters.append((kind, "pack" if pack else "default" if self.is_("=") else ""))

    def _type_parameter(self) -> None:
        """``typename T = int``."""
        self.at += 1
        pack = self.dots()
        name = self.name() if self.is_name() else ""
        if name in self.scopes[-1].names:
            raise self.bad("a template parameter twice")
        self._keep("type", pack)
        if self.take("="):
            self.type_id()
        if name:
            self.scopes[-1].names[name] = "param"

    def _template_parameter(self) -> None:
        """``template <class> class T``."""
        depth = len(self.scopes)
        self.at += 1
        self._template_parameters()
        del self.scopes[depth:]
        if not self.take("class", "typename"):
            raise self.bad("'class' is expected")
        pack = self.dots()
        if self.is_name():
            self.scopes[-1].names[self.name()] = "param"
        self._keep("template", pack)
        if self.take("="):
            self.qualified(typename=True)

    def _value_parameter(self) -> None:
        """``int n = 3``."""
        self.specifiers(allowed=QUALIFIERS)
        self.pointers()
        pack = self.dots()
        wrapped = self.is_("(") and self.texts[self.at + 1] in ("*", "&")
        if wrapped:
            self.at += 1
            self.pointers()
        if self.is_name():
            name = self.name()
            if name in self.scopes[-1].names:
                raise self.bad("a template parameter twice")
            self.scopes[-1].names[name] = "value"
        if wrapped:
            self.need(")")
            self.parameters()
        self._keep("value", pack)
        if self.take("="):
            self.assignment(closing=True)
