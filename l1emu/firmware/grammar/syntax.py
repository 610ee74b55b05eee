"""The constructs that refer to each other, by name: each is read by the module of its part of the language."""

from __future__ import annotations

from abc import ABC, abstractmethod

from l1emu.firmware.grammar.scopes import Scopes
from l1emu.firmware.grammar.words import SPECIFIERS


class Syntax(Scopes, ABC):
    """What a part of the grammar may ask of the others; each method passes the tokens of its construct, or is `Bad`."""

    @abstractmethod
    def qualified(self, *, typename: bool = False, expression: bool = False) -> str:
        """A name with what stands before it and its template arguments; what it is."""

    @abstractmethod
    def template_arguments(self) -> tuple[str, ...] | None:
        """``<int, 3>``: of each "type", "value" or "?"; None if there may be more, from a pack."""

    @abstractmethod
    def operator(self) -> None:
        """``operator+`` and its like."""

    @abstractmethod
    def type_id(self, *, bare: bool = False) -> None:
        """A type without a name declared: ``const T *``."""

    @abstractmethod
    def pointers(self) -> None:
        """``*``, ``&`` and qualifiers, if there are any."""

    @abstractmethod
    def specifiers(self, *, allowed: frozenset[str] = SPECIFIERS, bare: bool = False) -> str:
        """What stands before the declared name: specifiers and a type; the kind of thing if it is a class."""

    @abstractmethod
    def alignment(self) -> None:
        """``alignas(8)``, if there is any."""

    @abstractmethod
    def decltype(self) -> None:
        """``decltype(x)::y``."""

    @abstractmethod
    def parameters(self) -> list[tuple[str, int]]:
        """``(T a, U b[3])``: the names, and the tokens where they stand."""

    @abstractmethod
    def enum(self) -> None:
        """An enumeration."""

    @abstractmethod
    def class_(self) -> None:
        """A class, struct or union, or its name."""

    @abstractmethod
    def expression(self) -> None:
        """An expression, commas included."""

    @abstractmethod
    def assignment(self, closing: bool = False) -> None:
        """An expression without commas; with `closing` a ``>`` ends it."""

    @abstractmethod
    def parenthesized(self) -> None:
        """A type or an expression in parentheses."""

    @abstractmethod
    def call(self) -> None:
        """``(a, b)`` with values."""

    @abstractmethod
    def initializer(self) -> None:
        """A value that something is set to."""

    @abstractmethod
    def braces(self) -> None:
        """``{...}`` with values."""

    @abstractmethod
    def brackets(self) -> None:
        """``[n]``."""

    @abstractmethod
    def block(self) -> None:
        """Statements in braces."""

    @abstractmethod
    def declaration(self, member: str = "") -> None:
        """A declaration, in the class `member` if that is given."""

    @abstractmethod
    def using(self) -> None:
        """A using-directive, a using-declaration or an alias."""

    @abstractmethod
    def template(self, member: str) -> None:
        """A template, or its instantiation."""

    @abstractmethod
    def simple(self, member: str = "") -> None:
        """Variables, a function, a class."""

    @abstractmethod
    def declarator(self, first: bool, start: int) -> bool:
        """One declared name, its size and value; whether it was a function with its body.

        Only the `first` may be a function; `start` is where the declaration begins.
        """

    @abstractmethod
    def bindings(self) -> None:
        """``[a, b]`` of a declaration that takes something apart."""

    @abstractmethod
    def handlers(self) -> None:
        """What catches exceptions, if anything does."""

    @abstractmethod
    def function(self, name: str, start: int) -> None:
        """A function from its parameters on; `start` is where the declaration begins."""
