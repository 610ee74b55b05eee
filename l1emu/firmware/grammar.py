"""Whether a compiler takes a translation unit: its syntax, and that every name is declared where it is used.

The reader looks into what a firmware's numbers come from. All else in the files must still be C++: a compiler stops at
a broken function that nothing calls. The grammar here is that part of C++17 in which kernels are written, somewhat
wider than the language: types of expressions are not checked, and names that depend on a template's parameters, or lie
in the libraries, count as declared.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from l1emu.firmware.cxx.lexer import Place, Token, text_of


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BUILTIN = _words("void bool char short int long signed unsigned float double wchar_t char16_t char32_t auto")
_QUALIFIERS = _words("const volatile")
_SPECIFIERS = _words("static const constexpr inline extern virtual explicit friend mutable volatile register")
KEYWORDS = (
    _BUILTIN
    | _SPECIFIERS
    | _words(
        "alignas alignof asm break case catch class const_cast continue decltype default delete do "
        "dynamic_cast else enum export false for goto if namespace new noexcept nullptr operator private "
        "protected public reinterpret_cast return sizeof static_assert static_cast struct switch template "
        "this thread_local throw true try typedef typeid typename union using while and or not xor bitand "
        "bitor compl and_eq or_eq xor_eq not_eq"
    )
)
_CASTS = ("static_cast", "const_cast", "reinterpret_cast", "dynamic_cast")
_PREFIX = _words("+ - ! ~ * & ++ -- not compl")
_BINARY = _words("+ - * / % & | ^ && || == != < > <= >= = += -= *= /= %= &= |= ^= << <<= ? and or xor bitand bitor")

# of the C library and its headers, which are not read; what lies in std:: and hls:: is not looked up
_TYPES = re.compile(r"u?int(_fast|_least)?(8|16|32|64)_t|u?intptr_t|s?size_t|ptrdiff_t|FILE|time_t|half|ap_[qo]_mode")
FUNCTIONS = _words(
    "abs acos asin assert atan atan2 atof atoi ceil cos cosh exit exp exp2 fabs fclose feof fgets floor "
    "fmax fmin fmod fopen fprintf fputs fread free fscanf fwrite getenv isinf isnan log log10 log2 lrint "
    "malloc memcpy memset perror pow printf putchar puts rand remainder rint round scanf sin sinh "
    "snprintf sprintf sqrt srand sscanf strcat strcmp strcpy strlen strtod strtol system tan tanh time "
    "trunc abort calloc expf logf powf sqrtf fabsf tanhf sinf cosf floorf ceilf roundf fminf fmaxf lround "
    "ldexp frexp erf cbrt hypot usleep fflush"
)
_VALUES = re.compile(
    r"AP_\w+|[A-Z]+_(MAX|MIN|EPSILON|DIG)|M_\w+|NULL|INFINITY|NAN|HUGE_VAL|EOF|std(in|out|err)|EXIT_\w+|RAND_MAX|errno|"
    r"__(FILE|LINE|func|FUNCTION|PRETTY_FUNCTION|cplusplus)(__)?|SC_\w+"
)
_TEMPLATES = _words("ap_fixed ap_ufixed ap_int ap_uint ap_fixed_base ap_int_base ap_range_ref ap_shift_reg")
_LIBRARIES = _words("std hls")
_MACROS = _words("DIV_ROUNDUP MIN MAX STRINGIFY EXPAND_STRING")


@dataclass
class _Scope:
    """Names and what they are: type, template, param, function, value or namespace."""

    names: dict[str, str] = field(default_factory=dict)
    inner: dict[str, _Scope] = field(default_factory=dict)  # of namespaces and classes
    open: bool = False  # names may come from a base that is not looked into
    defined: set[str] = field(default_factory=set)
    kind: str = ""


class _Bad(Exception):
    """Not C++, at the token of this index."""

    def __init__(self, at: int, message: str) -> None:
        self.at, self.message = at, message


def check(chunks: Iterable[tuple[Path, list[Token]]], macros: Iterable[str]) -> None:
    """Raise `L1emuError` by file and line for what no compiler takes.

    Parameters
    ----------
    chunks
        The files' tokens in the order in which a compiler sees them.
    macros
        Macros with parameters that are defined, which are left in place.
    """
    starts: list[int] = []
    paths: list[Path] = []
    tokens: list[Token] = []
    for path, part in chunks:
        starts.append(len(tokens))
        paths.append(path)
        tokens += [token for token in part if token.kind != "comment"]
    parser = _Parser(tokens, set(macros))
    try:
        parser.unit()
    except _Bad as bad:
        at = min(bad.at, len(tokens) - 1)
        place = Place(paths[bisect_right(starts, at) - 1], tokens[at].line)
        text = text_of(tokens[at : at + 8]) if bad.at < len(tokens) else "the end of the file"
        raise place.error(f"not C++ that compiles: {bad.message}", text[:80]) from None


class _Parser:
    """A recursive descent over the tokens; `at` is the next one."""

    def __init__(self, tokens: list[Token], macros: set[str]) -> None:
        self.tokens = tokens
        self.texts = [token.text if token.kind != "string" else '""' for token in tokens] + [""] * 4
        self.kinds = [token.kind for token in tokens] + ["end"] * 4
        self.at = 0
        self.furthest = _Bad(0, "")
        self.macros = macros
        self.scopes = [_Scope(kind="namespace")]
        self.templates = 0  # how many templates are open: names may depend on their parameters
        self.breakable = 0
        self.delayed: list[list[Callable[[], None]]] = []
        self.closing = self._closing()

    def _closing(self) -> dict[int, int]:
        found: dict[int, int] = {}
        stack: list[int] = []
        pairs = {"(": ")", "[": "]", "{": "}"}
        for i, token in enumerate(self.tokens):
            if token.kind != "op":
                continue
            if token.text in pairs:
                stack.append(i)
            elif token.text in (")", "]", "}"):
                if not stack or pairs[self.texts[stack[-1]]] != token.text:
                    raise _Bad(i, "brackets do not match")
                found[stack.pop()] = i
        if stack:
            raise _Bad(stack[-1], "a bracket is never closed")
        return found

    # --- tokens

    def bad(self, message: str) -> _Bad:
        found = _Bad(self.at, message)
        if found.at >= self.furthest.at:
            self.furthest = found
        return found

    def is_(self, *texts: str) -> bool:
        return self.texts[self.at] in texts

    def take(self, *texts: str) -> str:
        if self.texts[self.at] in texts and self.kinds[self.at] != "end":
            self.at += 1
            return self.texts[self.at - 1]
        return ""

    def need(self, text: str) -> None:
        if not self.take(text):
            raise self.bad(f"'{text}' is expected")

    def name(self) -> str:
        text = self.texts[self.at]
        if self.kinds[self.at] != "name" or text in KEYWORDS:
            raise self.bad("a name is expected")
        self.at += 1
        return text

    def attempt(self, what: Callable[[], object]) -> bool:
        """Whether the tokens are `what`; if not, they are left alone."""
        at, depth, templates = self.at, len(self.scopes), self.templates
        try:
            what()
        except _Bad:
            self.at, self.templates = at, templates
            del self.scopes[depth:]
            return False
        return True

    # --- names

    def declare(self, name: str, kind: str, at: int | None = None) -> None:
        scope = self.scopes[-1]
        known = scope.names.get(name)
        if known is not None and kind == "value" and scope.kind == "block":
            raise _Bad(self.at if at is None else at, f"{name} is declared twice")
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
        if name in _LIBRARIES:
            return "library"
        if name in self.macros and name in _MACROS:
            return "function"
        if name in _TEMPLATES:
            return "template"
        if _TYPES.fullmatch(name):
            return "type"
        if name in FUNCTIONS:
            return "function"
        if _VALUES.fullmatch(name):
            return "value"
        return "?" if name.startswith("ap_") else None

    def inside(self, name: str) -> _Scope | None:
        for scope in reversed(self.scopes):
            if name in scope.inner:
                return scope.inner[name]
            if name in scope.names:
                return None
        return None

    def qualified(self, *, typename: bool = False, expression: bool = False) -> str:
        """A name with what stands before it and its template arguments; what it is."""
        start = self.at
        scope: _Scope | None = None
        if self.take("::"):
            scope = self.scopes[0]
        name = self.name()
        if scope is not None:
            kind = scope.names.get(name) or (
                "library" if name in _LIBRARIES else "?" if self.texts[self.at] != "::" else None
            )
            scope = scope.inner.get(name)
        else:
            kind = self.look(name)
            scope = self.inside(name)
            if self.texts[self.at] == "::" and kind in ("value", "function"):  # before :: a function's name is none
                scope = next((outer.inner[name] for outer in reversed(self.scopes) if name in outer.inner), None)
                kind = kind if scope is None else "namespace"
        dependent = kind == "param"
        if kind is None:
            called = self.texts[self.at] == "(" and self.templates and expression
            if not called:
                self.at = start
                raise self.bad(f"{name} is not declared")
            kind = "function"
        while True:
            if self.texts[self.at] == "<" and kind != "value" and not (dependent and kind == "?"):
                had = self.attempt(self.arguments_of_template)
                if not had and kind == "template":
                    raise self.furthest
                if had and kind == "template":
                    kind = "type"
                    scope = None if scope is None else replace_open(scope)
            if self.texts[self.at] != "::":
                break
            if kind in ("value", "function"):
                raise self.bad(f"{name} has nothing inside")
            self.at += 1
            told = bool(self.take("template"))
            if self.take("~"):
                self.name()
                return "function"
            if self.texts[self.at] == "operator":
                self.operator()
                return "function"
            name = self.name()
            if scope is None:
                kind = "?"
                if told:
                    self.arguments_of_template()
                    kind = "type" if typename else "?"
                    dependent = False
            else:
                kind = scope.names.get(name) or ("?" if scope.open else None)
                if kind is None:
                    self.at -= 1
                    raise self.bad(f"{name} is not declared there")
                scope = scope.inner.get(name)
        if dependent and kind == "?" and not typename and not expression:
            raise self.bad("a type that depends on a template's parameter needs typename")
        return kind

    def arguments_of_template(self) -> None:
        self.need("<")
        if self.take(">"):
            return
        while True:
            if not self.attempt(self._type_argument):
                self.assignment(closing=True)
                self._dots()
            if self.take(">"):
                return
            self.need(",")

    def _type_argument(self) -> None:
        self.type_id(bare=True)
        self._dots()
        if not self.is_(",", ">"):
            raise self.bad("a template argument is expected")

    def _dots(self) -> bool:
        if self.texts[self.at : self.at + 3] == [".", ".", "."]:
            self.at += 3
            return True
        return False

    # --- types

    def type_id(self, *, bare: bool = False) -> None:
        """A type without a name declared: ``const T *``."""
        self.specifiers(allowed=_QUALIFIERS, bare=bare)
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
        while self.take("*", "&", "&&", *_QUALIFIERS, "__restrict__"):
            pass

    def specifiers(self, *, allowed: frozenset[str] = _SPECIFIERS, bare: bool = False) -> str:
        """What stands before the declared name: specifiers and a type; the kind of thing if it is a class."""
        found = ""
        seen: set[str] = set()
        while True:
            text = self.texts[self.at]
            if text in allowed:
                if text in seen:
                    raise self.bad(f"{text} twice")
                seen.add(text)
                self.at += 1
            elif text in _BUILTIN:
                if found not in ("", "builtin"):
                    raise self.bad("two types")
                found = "builtin"
                self.at += 1
            elif found:
                break
            elif text in ("struct", "class", "union"):
                self.class_()
                found = "class"
            elif text == "enum":
                self.enum()
                found = "class"
            elif text == "decltype":
                self.at += 1
                self.parenthesized()
                found = "type"
                while self.take("::"):
                    self.name()
            elif text == "typename":
                self.at += 1
                self.qualified(typename=True)
                found = "type"
            elif self.kinds[self.at] == "name" or text == "::":
                start = self.at
                kind = self.qualified()
                if kind in ("value", "function", "namespace", "library") or (kind == "template" and not bare):
                    self.at = start
                    raise self.bad(f"{self.texts[start]} is no type")
                found = "type"
            else:
                raise self.bad("a type is expected")
        return found

    def enum(self) -> None:
        self.need("enum")
        scoped = self.take("class", "struct")
        name = self.name() if self.kinds[self.at] == "name" else ""
        if name:
            self._define(f"enum {name}", self.at - 1) if self.is_("{", ":") else None
            self.declare(name, "type")
        if self.take(":"):
            self.type_id()
        if not self.take("{"):
            return
        inside = _Scope()
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

    def _define(self, what: str, at: int) -> None:
        defined = self.scopes[-1].defined if not self._parameters_only() else self.scopes[-2].defined
        if what in defined:
            raise _Bad(at, f"{what.split('(')[0].strip()} is defined twice")
        defined.add(what)

    def _parameters_only(self) -> bool:
        return self.scopes[-1].kind == "template"

    def class_(self) -> None:
        self.take("struct", "class", "union")
        while self.is_("["):
            raise self.bad("attributes are not supported")
        start = self.at
        name = ""
        owner = self.scopes[-2] if self._parameters_only() else self.scopes[-1]
        template = self._parameters_only()
        special = False
        if self.kinds[self.at] == "name":
            name = self.name()
            while self.is_("::"):
                self.at += 1
                self.name()
            known = owner.names.get(name)
            kind = "template" if template else "type"
            if self.is_("<"):
                special = True
                self.arguments_of_template()
            elif self.is_("{", ":", ";", "final"):
                if self.is_(";") and known is None and self.look(name) not in (None, "?") and not template:
                    return
                if known not in (None, kind):
                    self.at = start
                    raise self.bad(f"{name} is declared as something else")
                owner.names[name] = kind
            elif known is None and self.look(name) is None:
                owner.names[name] = kind
        self.take("final")
        if not self.is_("{", ":"):
            return
        key = " ".join(["class", *self.texts[start : self.at]])
        if name:
            if key in owner.defined:
                raise _Bad(start, f"{name} is defined twice")
            owner.defined.add(key)
        scope = _Scope(kind="class")
        if name:
            scope.names[name] = "type"
        if self.take(":"):
            while True:
                while self.take("public", "private", "protected", "virtual"):
                    pass
                base = self.at
                kind_of_base = self.qualified(typename=True)
                if kind_of_base in ("value", "function", "namespace", "template", "library"):
                    self.at = base
                    raise self.bad("not a class to derive from")
                # what the base has is known if it is a class by a plain name
                names = [t for t in self.texts[base : self.at] if t != "::"]
                found = self._plain(names)
                if found is None:
                    scope.open = True
                else:
                    scope.names = found.names | scope.names
                    scope.inner = found.inner | scope.inner
                    scope.open |= found.open
                self._dots()
                if not self.take(","):
                    break
        if name and not special:
            owner.inner[name] = scope
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

    def _plain(self, names: list[str]) -> _Scope | None:
        found = self.inside(names[0]) if all(name.isidentifier() for name in names) else None
        for name in names[1:]:
            found = found.inner.get(name) if found else None
        return found

    # --- declarations

    def unit(self) -> None:
        while self.kinds[self.at] != "end":
            self.declaration()

    def declaration(self, member: str = "") -> None:
        text = self.texts[self.at]
        if self.take(";"):
            return
        if text == "namespace" or (text == "inline" and self.texts[self.at + 1] == "namespace"):
            self.namespace()
        elif text == "extern" and self.kinds[self.at + 1] == "string":
            self.at += 2
            if self.take("{"):
                while not self.take("}"):
                    self.declaration()
            else:
                self.declaration()
        elif text == "template":
            self.template(member)
        elif text == "using":
            self.using()
        elif text == "typedef":
            self.typedef()
        elif text == "static_assert":
            self.at += 1
            self.parenthesized()
            self.need(";")
        elif text == "_Pragma":
            self.at += 1
            self.parenthesized()
        else:
            self.simple(member)

    def namespace(self) -> None:
        self.take("inline")
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
                self.scopes.append(owner.inner.setdefault(name, _Scope(kind="namespace")))
                if not self.take("::"):
                    break
        self.need("{")
        while not self.take("}"):
            if self.kinds[self.at] == "end":
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
            self.need(";")
            return
        if self.texts[self.at + 1] == "=":
            name, at = self.name(), self.at - 1
            self.at += 1
            self.type_id()
            if not self.is_(";"):
                raise self.bad("';' is expected")
            owner = self.scopes[-2] if self._parameters_only() else self.scopes[-1]
            if owner.names.get(name) in ("value", "function", "namespace"):
                raise _Bad(at, f"{name} is declared as something else")
            owner.names[name] = "template" if self._parameters_only() else "type"
        else:
            self.take("typename")
            kind = self.qualified(typename=True)
            self.declare(self.texts[self.at - 1], kind)
        self.need(";")

    def typedef(self) -> None:
        self.need("typedef")
        self.specifiers(allowed=_QUALIFIERS)
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
            if self.scopes[-1].names.get(name, "type") not in ("type", "?"):
                raise _Bad(self.at - 1, f"{name} is declared as something else")
            self.scopes[-1].names[name] = "type"
            while self.is_("["):
                self.brackets()
            if not self.take(","):
                break
        self.need(";")

    def template(self, member: str) -> None:
        self.need("template")
        if not self.is_("<"):  # an instantiation
            self.declaration(member)
            return
        depth = len(self.scopes)
        self.template_parameters()
        self.templates += 1
        if self.is_("template"):
            self.template(member)
        elif self.is_("using"):
            self.using()
        else:
            self.simple(member)
        self.templates -= 1
        del self.scopes[depth:]

    def template_parameters(self) -> None:
        self.need("<")
        self.scopes.append(_Scope(kind="template"))
        if self.take(">"):
            return
        while True:
            if self.is_("class", "typename") and (
                self.texts[self.at + 1] in (",", ">", "=", ".") or self.texts[self.at + 2] in (",", ">", "=")
            ):
                self.at += 1
                self._dots()
                name = self.name() if self.kinds[self.at] == "name" else ""
                if name in self.scopes[-1].names:
                    raise self.bad("a template parameter twice")
                if self.take("="):
                    self.type_id()
                if name:
                    self.scopes[-1].names[name] = "param"
            elif self.is_("template"):
                depth = len(self.scopes)
                self.at += 1
                self.template_parameters()
                del self.scopes[depth:]
                if not self.take("class", "typename"):
                    raise self.bad("'class' is expected")
                self._dots()
                if self.kinds[self.at] == "name":
                    self.scopes[-1].names[self.name()] = "param"
                if self.take("="):
                    self.qualified(typename=True)
            else:
                self.specifiers(allowed=_QUALIFIERS)
                self.pointers()
                self._dots()
                wrapped = self.is_("(") and self.texts[self.at + 1] in ("*", "&")
                if wrapped:
                    self.at += 1
                    self.pointers()
                if self.kinds[self.at] == "name":
                    name = self.name()
                    if name in self.scopes[-1].names:
                        raise self.bad("a template parameter twice")
                    self.scopes[-1].names[name] = "value"
                if wrapped:
                    self.need(")")
                    self.parameters()
                if self.take("="):
                    self.assignment(closing=True)
            if self.take(">"):
                return
            self.need(",")

    def simple(self, member: str = "") -> None:
        """Variables, a function, a class."""
        while self.is_("__attribute__", "asm", "__asm__", "__declspec", "alignas") or self.texts[
            self.at : self.at + 2
        ] == ["[", "["]:
            raise self.bad("attributes are not supported")
        start = self.at
        if member and self._constructor(member):
            return
        kind = self.specifiers()
        if kind == "class" and self.take(";"):
            return
        first = True
        while True:
            if self.declarator(first, start, member):
                return
            first = False
            if not self.take(","):
                break
        self.need(";")

    def _constructor(self, member: str) -> bool:
        start = self.at
        while self.take("explicit", "inline", "constexpr", "virtual", "friend"):
            pass
        if self.take("~"):
            if self.name() != member:
                raise self.bad("a destructor of another class")
        elif self.is_("operator") and self.texts[self.at + 1] not in _OPERATORS:
            self.at += 1
            self.type_id_of_conversion()
        elif self.texts[self.at] == member and self.texts[self.at + 1] == "(":
            self.at += 1
        else:
            self.at = start
            return False
        self.function(f"{member}", start)
        return True

    def type_id_of_conversion(self) -> None:
        self.specifiers(allowed=_QUALIFIERS)
        self.pointers()

    def operator(self) -> None:
        self.need("operator")
        if self.take("("):
            self.need(")")
        elif self.take("["):
            self.need("]")
        elif self.texts[self.at] in _OPERATORS:
            self.at += 1
            self.take(">", ">=", "*")
        else:
            raise self.bad("an operator is expected")

    def declarator(self, first: bool, start: int, member: str) -> bool:
        """One declared name, its size and value; whether it was a function with its body."""
        self.pointers()
        at = self.at
        wrapped = self.is_("(") and self.texts[self.at + 1] in ("*", "&")
        if wrapped:
            self.at += 1
            self.pointers()
        inner: _Scope | None = None
        name = ""
        if self.is_("operator"):
            self.operator()
            name = "operator"
        else:
            name = self.name()
            if self.is_("::") or (self.is_("<") and self.texts[self.at - 1] != "operator"):
                self.at = at + wrapped
                if self.is_("(", "*", "&"):
                    self.pointers()
                self.qualified(expression=True)
                inner = _Scope()
        if wrapped:
            while self.is_("["):
                self.brackets()
            self.need(")")
        if self.is_("(") and (wrapped or first):
            here = self.at
            if self.attempt(self.parameters) and self.is_(
                "{", ";", "=", "const", "noexcept", "override", "-", "->", ",", "final"
            ):
                self.at = here
                return self.function(name if inner is None else "", start)
            self.at = here
        scope = self.scopes[-2] if self._parameters_only() else self.scopes[-1]
        if inner is None:
            if scope.names.get(name) in ("type", "template", "function", "namespace") and not (
                scope.kind == "class" and name in scope.names and scope.names[name] == "type" and False
            ):
                raise _Bad(at, f"{name} is declared as something else")
            if scope.kind == "block" and name in scope.names:
                raise _Bad(at, f"{name} is declared twice")
            scope.names[name] = "value"
        while self.is_("["):
            self.brackets()
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
        return False

    def initializer(self) -> None:
        if self.is_("{"):
            self.braces()
        elif self.kinds[self.at] == "numbers":
            self.at += 1
        else:
            self.assignment()

    def braces(self) -> None:
        """``{...}`` with values."""
        if self.kinds[self.at] == "numbers":
            self.at += 1
            return
        self.need("{")
        while not self.take("}"):
            self.initializer()
            self._dots()
            if not self.is_("}"):
                self.need(",")

    def brackets(self) -> None:
        self.need("[")
        if not self.is_("]"):
            self.expression()
        self.need("]")

    def parameters(self) -> list[tuple[str, int]]:
        """``(T a, U b[3])``: the names."""
        self.need("(")
        names: list[tuple[str, int]] = []
        if self.texts[self.at : self.at + 2] == ["void", ")"]:
            self.at += 1
        if self.take(")"):
            return names
        self.scopes.append(_Scope(kind="parameters"))  # later ones may use earlier ones
        while True:
            if self._dots():
                break
            self.specifiers(allowed=_QUALIFIERS | {"register"})
            self.pointers()
            self._dots()
            if self.is_("(") and self.texts[self.at + 1] in ("*", "&"):
                self.at += 1
                self.pointers()
                if self.kinds[self.at] == "name":
                    names.append((self.name(), self.at - 1))
                self.need(")")
                if self.is_("("):
                    self.parameters()
            elif self.kinds[self.at] == "name" and self.texts[self.at] not in KEYWORDS:
                names.append((self.name(), self.at - 1))
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

    def function(self, name: str, start: int) -> bool:
        names = self.parameters()
        seen: set[str] = set()
        for one, at in names:
            if one in seen:
                raise _Bad(at, f"{one} is declared twice")
            seen.add(one)
        while True:
            if self.take("const", "override", "final", "noexcept", "volatile"):
                if self.texts[self.at - 1] == "noexcept" and self.is_("("):
                    self.parenthesized()
            elif self.is_("->") or self.texts[self.at : self.at + 2] == ["-", ">"]:
                self.at += 1 if self.is_("->") else 2
                self.scopes.append(_Scope(dict.fromkeys(seen, "value"), kind="parameters"))
                self.type_id()
                self.scopes.pop()
            else:
                break
        owner = self.scopes[-2] if self._parameters_only() else self.scopes[-1]
        if name and name != "operator" and owner.names.get(name, "function") not in ("function", "?"):
            if owner.kind != "class" or owner.names.get(name) != "type":
                raise _Bad(start, f"{name} is declared as something else")
        elif name:
            owner.names.setdefault(name, "function")
        if self.take(";"):
            return True
        if self.take("="):
            if not self.take("0", "default", "delete"):
                raise self.bad("'default' is expected")
            self.need(";")
            return True
        if name:
            head = start
            while head and self._parameters_only() and self.texts[head] != "template":
                head -= 1
            key = "function " + " ".join(self.texts[head : self.at])
            if key in owner.defined:
                raise _Bad(start, f"{name} is defined twice")
            owner.defined.add(key)
        scopes = [*self.scopes, _Scope(dict.fromkeys(seen, "value"), kind="parameters")]
        body, templates = self.at, self.templates
        if not self.is_("{", ":"):
            raise self.bad("a function's body is expected")

        def parse() -> None:
            kept = self.scopes, self.at, self.templates, self.breakable
            self.scopes, self.at, self.templates, self.breakable = scopes, body, templates, 0
            if self.take(":"):
                while True:
                    self.qualified(expression=True, typename=True)
                    self.braces() if self.is_("{") else self.call()
                    if not self.take(","):
                        break
            self.block()
            self.scopes, self.at, self.templates, self.breakable = kept

        while not self.is_("{"):
            self.at = self.closing.get(self.at, self.at) + 1
            if self.kinds[self.at] == "end":
                raise self.bad("a function's body is expected")
            if self.is_("{") and self.kinds[self.at - 1] == "name":  # a member's braces
                self.at = self.closing[self.at] + 1
        self.at = self.closing[self.at] + 1
        if self.delayed:
            self.delayed[-1].append(parse)
        else:
            parse()
        return True

    # --- statements

    def block(self) -> None:
        self.need("{")
        self.scopes.append(_Scope(kind="block"))
        delayed, self.delayed = self.delayed, []
        while not self.take("}"):
            if self.kinds[self.at] == "end":
                raise self.bad("a block is never closed")
            self.statement()
        self.delayed = delayed
        self.scopes.pop()

    def statement(self) -> None:
        text = self.texts[self.at]
        if text == "{":
            self.block()
        elif self.take(";"):
            pass
        elif self.take("if"):
            self.take("constexpr")
            self._condition()
            self.nested()
            if self.take("else"):
                self.nested()
        elif self.take("for"):
            self.loop()
        elif self.take("while"):
            self._condition()
            self.nested(loop=True)
        elif self.take("do"):
            self.nested(loop=True)
            self.need("while")
            self.parenthesized()
            self.need(";")
        elif self.take("switch"):
            self._condition()
            self.nested(loop=True)
        elif self.take("case"):
            self.assignment()
            self.need(":")
        elif text == "default" and self.texts[self.at + 1] == ":":
            self.at += 2
        elif self.take("return"):
            if self.is_("{"):
                self.braces()
            elif not self.is_(";"):
                self.expression()
            self.need(";")
        elif text in ("break", "continue"):
            if not self.breakable:
                raise self.bad(f"{text} outside a loop")
            self.at += 1
            self.need(";")
        elif self.take("goto"):
            self.name()
            self.need(";")
        elif self.take("try"):
            self.block()
            while self.take("catch"):
                self.need("(")
                self.scopes.append(_Scope(kind="block"))
                if not self._dots():
                    self.specifiers()
                    self.pointers()
                    if self.kinds[self.at] == "name":
                        self.declare(self.name(), "value")
                self.need(")")
                self.block()
                self.scopes.pop()
        elif text in ("using", "typedef", "static_assert", "template", "namespace", "_Pragma"):
            self.declaration()
        elif text == "PRAGMA_DATA_PACK":
            self.at += 1
            self.parenthesized()
            self.take(";")
        elif self.kinds[self.at] == "name" and self.texts[self.at + 1] == ":" and text not in KEYWORDS:
            self.at += 2
        elif self.kinds[self.at] in ("name", "op") and self._declares():
            self.simple()
        else:
            self.expression()
            self.need(";")

    def nested(self, *, loop: bool = False) -> None:
        self.breakable += loop
        self.scopes.append(_Scope(kind="block"))
        self.statement()
        self.scopes.pop()
        self.breakable -= loop

    def _condition(self) -> None:
        self.need("(")
        if self._declares():
            self.specifiers()
            self.declarator(True, self.at, "")
            if self.take(";"):
                self.expression()
        else:
            self.expression()
        self.need(")")

    def loop(self) -> None:
        self.need("(")
        self.scopes.append(_Scope(kind="block"))
        if self.is_(";"):
            self.at += 1
        elif self._declares():
            self.specifiers()
            self.pointers()
            if self.kinds[self.at] == "name" and self.texts[self.at + 1] == ":":
                self.declare(self.name(), "value")
                self.at += 1
                self.initializer()
                self.need(")")
                self.nested(loop=True)
                self.scopes.pop()
                return
            while True:
                self.declarator(False, self.at, "")
                if not self.take(","):
                    break
            self.need(";")
        else:
            self.expression()
            self.need(";")
        if not self.is_(";"):
            self.expression()
        self.need(";")
        if not self.is_(")"):
            self.expression()
        self.need(")")
        self.nested(loop=True)
        self.scopes.pop()

    def _declares(self) -> bool:
        """Whether a declaration stands here, and no expression."""
        text = self.texts[self.at]
        if text in _SPECIFIERS or text in ("struct", "class", "union", "enum", "typename", "auto"):
            if text == "typename":
                pass
            else:
                return True
        at = self.at
        found = self.attempt(self._declared)
        self.at = at
        return found

    def _declared(self) -> None:
        self.specifiers(allowed=_SPECIFIERS)
        self.pointers()
        if self.is_("("):
            if self.texts[self.at + 1] not in ("*", "&"):
                raise self.bad("a declaration is expected")
            return
        self.name()
        if not self.is_("=", ";", ",", "[", "(", "{", ":", ")"):
            raise self.bad("a declaration is expected")

    # --- expressions

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
            self._dots()
            if self.take(")"):
                return
            self.need(",")

    def expression(self) -> None:
        while True:
            self.assignment()
            if not self.take(","):
                return

    def assignment(self, closing: bool = False) -> None:
        """An expression without commas; with `closing` a ``>`` ends it."""
        if self.take("throw"):
            if not self.is_(";", ")", ":"):
                self.assignment()
            return
        self.unary(closing)
        while True:
            text = self.texts[self.at]
            if text not in _BINARY or (closing and text in (">", ">=")):
                return
            self.at += 1
            if text == "?":
                self.assignment()
                self.need(":")
                self.assignment(closing)
                return
            if text == ">" and self.texts[self.at] in (">", ">=") and self._adjacent():
                self.at += 1
            if text == "=" and self.is_("{"):
                self.braces()
                return
            self.unary(closing)

    def _adjacent(self) -> bool:
        return self.tokens[self.at].start == self.tokens[self.at - 1].start + 1

    def unary(self, closing: bool = False) -> None:
        while self.texts[self.at] in _PREFIX:
            self.at += 1
        if self.is_("("):
            at = self.at
            if self.attempt(self._cast):
                self.unary(closing)
                return
            self.at = at
        self.primary(closing)
        self.postfix()

    def _cast(self) -> None:
        self.need("(")
        self.type_id()
        self.need(")")
        kind, text = self.kinds[self.at], self.texts[self.at]
        if kind not in ("name", "number", "string") and text not in ("(", "~", "!", "-", "+", "*", "&", "++", "--"):
            raise self.bad("a value is expected")

    def primary(self, closing: bool) -> None:
        kind, text = self.kinds[self.at], self.texts[self.at]
        if kind in ("number", "string"):
            self.at += 1
            while kind == "string" and self.kinds[self.at] == "string":
                self.at += 1
        elif kind == "op" and text == "(":
            self.at += 1
            self.expression()
            self.need(")")
        elif kind == "op" and text == "[":
            self.lambda_()
        elif kind == "op" and text == "::":
            self.qualified(expression=True)
        elif kind != "name":
            raise self.bad("a value is expected")
        elif text in ("true", "false", "nullptr", "this"):
            self.at += 1
        elif text in _CASTS:
            self.at += 1
            self.need("<")
            self.type_id()
            self.need(">")
            self.need("(")
            self.expression()
            self.need(")")
        elif text in ("sizeof", "alignof", "typeid", "noexcept"):
            self.at += 1
            self._dots()
            if self.is_("("):
                self.parenthesized()
            else:
                self.unary(closing)
        elif text == "decltype":
            self.at += 1
            self.parenthesized()
            while self.take("::"):
                self.name()
        elif text == "new":
            self.at += 1
            self.specifiers(allowed=_QUALIFIERS)
            self.pointers()
            while self.is_("["):
                self.brackets()
        elif text == "delete":
            self.at += 1
            if self.take("["):
                self.need("]")
            self.unary(closing)
        elif text in _BUILTIN or text == "typename":
            self.specifiers(allowed=frozenset())
            if not self.is_("(", "{"):
                raise self.bad("a value is expected")
            self.braces() if self.is_("{") else None
        elif text == "operator":
            self.operator()
        else:
            start = self.at
            found = self.qualified(expression=True)
            if found in ("type", "template", "param", "namespace", "library") and not self.is_("(", "{"):
                self.at = start
                raise self.bad(f"{self.texts[start]} is no value")
            if self.is_("{") and found in ("type", "?", "param"):
                self.braces()

    def postfix(self) -> None:
        while True:
            text = self.texts[self.at]
            if text == "(":
                self.call()
            elif text == "[":
                self.brackets()
            elif text in (".", "->") and self.texts[self.at + 1] != ".":
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
                    self.arguments_of_template()
                elif self.is_("<"):
                    self.attempt(self._called_template)
            elif text in ("++", "--"):
                self.at += 1
            else:
                return

    def _called_template(self) -> None:
        self.arguments_of_template()
        if not self.is_("("):
            raise self.bad("a call is expected")

    def lambda_(self) -> None:
        self.need("[")
        while not self.take("]"):
            if not self.take("&", "=", ",", "this", "*"):
                self.name()
                if self.take("="):
                    self.assignment()
        names = self.parameters() if self.is_("(") else []
        while self.take("mutable", "noexcept", "constexpr"):
            pass
        if self.take("->"):
            self.type_id()
        self.scopes.append(_Scope(dict.fromkeys([name for name, _ in names], "value"), kind="parameters"))
        breakable, self.breakable = self.breakable, 0
        self.block()
        self.breakable = breakable
        self.scopes.pop()


_OPERATORS = _words(
    "( [ + - * / % & | ^ ~ ! = < > += -= *= /= %= &= |= ^= << <<= == != <= >= && || ++ -- -> , new delete"
)


def replace_open(scope: _Scope) -> _Scope:
    """What a template's class has inside, once its arguments are given: specializations may have something else."""
    return _Scope(scope.names, scope.inner, True, scope.defined, scope.kind)
