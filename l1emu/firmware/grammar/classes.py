"""Classes and enumerations."""

from __future__ import annotations

from l1emu.firmware.grammar.scopes import Scope
from l1emu.firmware.grammar.syntax import Syntax


class Classes(Syntax):
    """Reads classes, with their bases and members, and enumerations."""

    def enum(self) -> None:
        self.need("enum")
        scoped = self.take("class", "struct")
        name = self.name() if self.is_name() else ""
        if name:
            if self.is_("{", ":"):
                self.owner.define(f"enum {name}", f"enum {name}", self.at - 1)
            self.declare(name, "type")
        if self.take(":"):
            self.type_id()
        if not self.take("{"):
            return
        inside = Scope()
        while not self.is_("}"):
            one = self.name()
            if self.take("="):
                self.assignment()
            inside.names[one] = "value"
            if not scoped:
                self.declare(one, "value")
            if not self.take(","):
                break
        self.need("}")
        if name:
            self.scopes[-1].inner[name] = inside

    def class_(self) -> None:
        self.take("struct", "class", "union")
        if self.is_("["):
            raise self.bad("attributes are not supported")
        self.alignment()
        start = self.at
        name, special = self._class_name() if self.is_name() else ("", False)
        self.take("final")
        if not self.is_("{", ":"):
            return
        owner = self.owner
        scope = Scope(kind="class")
        if name:
            owner.define(" ".join(["class", *self.texts[start : self.at]]), name, start)
            scope.names[name] = "type"
        if self.take(":"):
            self._bases(scope)
        if name and not special:
            owner.inner[name] = scope
        self._members(name, scope)
        if not name and self.is_(";"):  # its members are those of what it stands in
            owner.names.update(scope.names)
            owner.inner.update(scope.inner)

    def _class_name(self) -> tuple[str, bool]:
        """The name of a class, which is declared; whether it is a specialization."""
        start = self.at
        owner, kind = self.owner, "template" if self.in_template else "type"
        name = self.name()
        while self.take("::"):
            self.name()
        known = owner.names.get(name)
        if self.is_("<"):
            given, taken = self.template_arguments(), owner.takes.get(name)
            if taken and given is not None and (misfit := taken.misfit(given)):
                self.at = start
                raise self.bad(misfit)
            return name, True
        if self.is_("{", ":", ";", "final"):
            outside = self.is_(";") and known is None and not self.in_template and self.look(name) not in (None, "?")
            if not outside and known not in (None, kind):
                self.at = start
                raise self.bad(f"{name} is declared as something else")
            if not outside:
                owner.names[name] = kind
                if self.in_template:
                    self.declare_template(name)
        elif known is None and self.look(name) is None:
            owner.names[name] = kind
        return name, False

    def _bases(self, scope: Scope) -> None:
        """What a class is derived from; its names are added to the class."""
        while True:
            while self.take("public", "private", "protected", "virtual"):
                pass
            start = self.at
            if self.qualified(typename=True) in ("value", "function", "namespace", "template", "library"):
                self.at = start
                raise self.bad("not a class to derive from")
            # what the base has is known if it is a class by a plain name
            found = self._plain([text for text in self.texts[start : self.at] if text != "::"])
            if found is None and self._depends(start):
                scope.dependent = True
            elif found is None:
                scope.open = True
            else:
                scope.names = found.names | scope.names
                scope.inner = found.inner | scope.inner
                scope.open |= found.open
                scope.dependent |= found.dependent
            self.dots()
            if not self.take(","):
                return

    def _depends(self, start: int) -> bool:
        """Whether what was read since `start` names a parameter of a template around."""
        around = {name for scope in self.scopes if scope.kind == "template" for name in scope.names}
        return not around.isdisjoint(self.texts[start : self.at])

    def _plain(self, names: list[str]) -> Scope | None:
        found = self.inside(names[0]) if all(name.isidentifier() for name in names) else None
        for name in names[1:]:
            found = found.inner.get(name) if found else None
        return found

    def _members(self, name: str, scope: Scope) -> None:
        self.need("{")
        self.scopes.append(scope)
        self.delayed.append([])
        while not self.is_("}"):
            if self.take("public", "private", "protected"):
                self.need(":")
            else:
                self.declaration(member=name)
        end = self.at + 1
        for later in self.delayed.pop():
            later()
        self.scopes.pop()
        self.at = end
