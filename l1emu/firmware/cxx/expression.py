"""Constant expressions, computed as C++ does."""

from __future__ import annotations

from collections.abc import Callable

from l1emu.errors import L1emuError
from l1emu.firmware.cxx.lexer import Place, Token, text_of

_DEPTH = 100  # brackets in brackets
_LARGEST = 2**31  # what the headers compute in 32 bits

ConstantValue = int | float | str
_Lookup = Callable[[str], ConstantValue]


class Expression:
    """A constant expression; names are looked up, enumerators stay names (strings)."""

    def __init__(self, tokens: tuple[Token, ...] | list[Token], place: Place, lookup: _Lookup) -> None:
        self._tokens = list(tokens)
        self._place = place
        self._lookup = lookup
        self._at = 0
        self._depth = 0

    def value(self) -> ConstantValue:
        """The value; integers divide as in C++."""
        result = self._ternary()
        if self._at != len(self._tokens):
            raise self._error()
        return result

    def _error(self) -> L1emuError:
        return self._place.error("expression not understood", text_of(self._tokens))

    def _peek(self) -> str:
        return self._tokens[self._at].text if self._at < len(self._tokens) else ""

    def _accept(self, *texts: str) -> str | None:
        if self._peek() in texts and self._at < len(self._tokens):
            self._at += 1
            return self._tokens[self._at - 1].text
        return None

    def _expect(self, text: str) -> None:
        if self._accept(text) is None:
            raise self._error()

    def _ternary(self) -> ConstantValue:
        self._depth += 1
        if self._depth > _DEPTH:
            raise self._place.error("an expression nested too deeply")
        found = self._choice()
        self._depth -= 1
        return found

    def _choice(self) -> ConstantValue:
        condition = self._compare()
        if self._accept("?"):
            yes = self._ternary()
            self._expect(":")
            no = self._ternary()
            return yes if condition else no
        return condition

    def _compare(self) -> ConstantValue:
        left = self._sum()
        if sign := self._accept("==", "!="):
            return int((left == self._sum()) == (sign == "=="))
        return left

    def _sum(self) -> ConstantValue:
        left = self._product()
        while sign := self._accept("+", "-"):
            a, b = self._numbers(left, self._product())
            left = self._bounded(a + b if sign == "+" else a - b)
        return left

    def _bounded(self, value: int | float) -> int | float:
        """What the C++ computes in 32 bits, and not wrapped."""
        if not abs(value) < _LARGEST:
            raise self._place.error("a number beyond 32 bits", text_of(self._tokens))
        return value

    def _product(self) -> ConstantValue:
        left = self._unary()
        while sign := self._accept("*", "/", "%"):
            a, b = self._numbers(left, self._unary())
            if sign == "*":
                left = self._bounded(a * b)
            elif b == 0 or (isinstance(a, int) and isinstance(b, int) and min(a, b) < 0):  # which wrap if unsigned
                raise self._error()
            elif isinstance(a, float) or isinstance(b, float):
                if sign == "%":
                    raise self._error()
                left = a / b
            else:
                left = a // b if sign == "/" else a % b
        return left

    def _numbers(self, a: ConstantValue, b: ConstantValue) -> tuple[int | float, int | float]:
        if isinstance(a, str) or isinstance(b, str):
            raise self._error()
        return a, b

    def _unary(self) -> ConstantValue:
        if sign := self._accept("-", "+"):
            number = self._primary()
            if isinstance(number, str):
                raise self._error()
            return -number if sign == "-" else number
        return self._primary()

    def _primary(self) -> ConstantValue:
        if self._accept("("):
            inner = self._ternary()
            self._expect(")")
            return inner
        if self._at >= len(self._tokens):
            raise self._error()
        token = self._tokens[self._at]
        self._at += 1
        if token.kind == "number":
            return self._number(token)
        if token.kind != "name":
            raise self._error()
        name = token.text
        while self._accept("::"):
            name += "::" + self._peek()
            self._at += 1
        if self._accept("("):
            arguments = [self._ternary()]
            while self._accept(","):
                arguments.append(self._ternary())
            self._expect(")")
            return self._call(name, arguments)
        if name in ("true", "false"):
            return int(name == "true")
        return self._lookup(name)

    def _number(self, token: Token) -> ConstantValue:
        digits = token.text.rstrip("uUlL").replace("'", "")
        base = {"0x": 16, "0b": 2}.get(digits[:2].lower(), 8 if digits[0] == "0" and digits.isdigit() else 10)
        if len(digits) > 40:
            raise self._place.error("a number of too many digits", digits)
        try:
            value = int(digits, base) if base != 10 or digits.isdigit() else float(digits.rstrip("fF"))
        except ValueError:
            raise self._place.error("not a number of C++", token.text) from None
        if not abs(value) < 2**64:
            raise self._place.error("a number beyond all types", token.text)
        return value

    def _call(self, name: str, arguments: list[ConstantValue]) -> ConstantValue:
        numbers = [a for a in arguments if isinstance(a, int)]
        if len(numbers) == len(arguments) == 2:
            a, b = numbers
            if name == "DIV_ROUNDUP" and b > 0:
                return -(-a // b)
            if name in ("MIN", "MAX"):
                return min(a, b) if name == "MIN" else max(a, b)
        raise self._error()
