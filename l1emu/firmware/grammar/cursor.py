"""The place in the tokens that is read next."""

from __future__ import annotations

from collections.abc import Callable

from l1emu.firmware.cxx.lexer import Token
from l1emu.firmware.grammar.words import KEYWORDS

_PAIRS = {"(": ")", "[": "]", "{": "}"}


class Bad(Exception):
    """Not C++, at the token of this index."""

    def __init__(self, at: int, message: str) -> None:
        self.at, self.message = at, message


class Cursor:
    """A walk over tokens; `at` is the index of the next one.

    Parameters
    ----------
    tokens
        A translation unit's, without comments.
    """

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.texts = [token.text if token.kind != "string" else '""' for token in tokens] + [""] * 4
        self.kinds = [token.kind for token in tokens] + ["end"] * 4
        self.at = 0
        self.furthest = Bad(0, "")
        self.closing: dict[int, int] = {}  # of each opening bracket: where it is closed

    def match_brackets(self) -> None:
        """Fill `closing`; `Bad` if brackets do not match."""
        stack: list[int] = []
        for i, token in enumerate(self.tokens):
            if token.kind != "op":
                continue
            if token.text in _PAIRS:
                stack.append(i)
            elif token.text in (")", "]", "}"):
                if not stack or _PAIRS[self.texts[stack[-1]]] != token.text:
                    raise Bad(i, "brackets do not match")
                self.closing[stack.pop()] = i
        if stack:
            raise Bad(stack[-1], "a bracket is never closed")

    def bad(self, message: str) -> Bad:
        """What to raise for the next token."""
        found = Bad(self.at, message)
        if found.at >= self.furthest.at:
            self.furthest = found
        return found

    def is_(self, *texts: str) -> bool:
        """Whether the next token is one of these."""
        return self.texts[self.at] in texts

    def follows(self, *texts: str) -> bool:
        """Whether the next tokens are these, in this order."""
        return self.texts[self.at : self.at + len(texts)] == list(texts)

    def is_name(self) -> bool:
        """Whether the next token is a word, of the language or not."""
        return self.kinds[self.at] == "name"

    def ended(self) -> bool:
        """Whether no token is left."""
        return self.kinds[self.at] == "end"

    def take(self, *texts: str) -> str:
        """The next token if it is one of these, which is then passed; else nothing."""
        if self.texts[self.at] in texts and self.kinds[self.at] != "end":
            self.at += 1
            return self.texts[self.at - 1]
        return ""

    def need(self, text: str) -> None:
        """Pass a token that must come next."""
        if not self.take(text):
            raise self.bad(f"'{text}' is expected")

    def name(self) -> str:
        """A name, which must come next."""
        text = self.texts[self.at]
        if self.kinds[self.at] != "name" or text in KEYWORDS:
            raise self.bad("a name is expected")
        self.at += 1
        return text

    def dots(self) -> bool:
        """Whether ``...`` comes next, which is then passed."""
        found = self.follows(".", ".", ".")
        self.at += 3 * found
        return found

    def arrow(self) -> bool:
        """Whether ``->`` comes next, which is then passed."""
        found = self.is_("->")
        self.at += found
        return found

    def attempt(self, what: Callable[[], object]) -> bool:
        """Whether the tokens are `what`; if not, they are left alone."""
        at = self.at
        try:
            what()
        except Bad:
            self.at = at
            return False
        return True
