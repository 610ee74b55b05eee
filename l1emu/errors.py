"""The exceptions that a user sees: what is wrong, where, the value found and what would be right."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

NO_SUCH_SUM = "no such sum"
"""What a menu is told that asks for a number of the crossing that it has not."""
_LONGEST_VALUE, _LONGEST_PLACE = 120, 300
"""Characters of a value and of a place that are shown."""


class L1emuError(Exception):
    """Bad input from the user, told in one line; the command line prints it and exits with 2.

    Parameters
    ----------
    message
        What is wrong, as a sentence without its full stop.
    path
        The file or folder at fault.
    where
        The place in it: a line, a dotted key, a branch, a layer.
    value
        The offending value, shown as Python shows it.
    expected
        What would be right, in words.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | PathLike[str] | None = None,
        where: str | None = None,
        value: object | None = None,
        expected: str | None = None,
    ) -> None:
        self.message = message
        self.path = None if path is None else str(path)
        self.where = where
        self.value = value
        self.expected = expected
        super().__init__(self._text())

    def within(self, path: str | PathLike[str]) -> L1emuError:
        """The same error, of something in the file `path` unless it names another."""
        return L1emuError(
            self.message, path=self.path or path, where=self.where, value=self.value, expected=self.expected
        )

    def _text(self) -> str:
        place = ": ".join(p for p in (self.path, _cut(self.where, _LONGEST_PLACE)) if p)
        text = f"{place}: {self.message}" if place else self.message
        if self.value is not None:
            text += f": got {_cut(_shown(self.value), _LONGEST_VALUE)}"
        if self.expected is not None:
            text += f"; expected {self.expected}"
        return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


class SeveralErrors(L1emuError):
    """More than one thing that is wrong: the first is told as any error, the command line prints all of `errors`.

    Parameters
    ----------
    errors
        Two or more.
    """

    def __init__(self, errors: Sequence[L1emuError]) -> None:
        self.errors = tuple(errors)
        first = errors[0]
        super().__init__(first.message, path=first.path, where=first.where, value=first.value, expected=first.expected)


def raise_all(errors: Sequence[L1emuError]) -> None:
    """Raise what is wrong: one error as it is, several as `SeveralErrors`; nothing is done without one."""
    if errors:
        raise SeveralErrors(errors) if len(errors) > 1 else errors[0]


def _shown(value: object) -> str:
    try:
        return repr(value)
    except ValueError:  # an integer of more digits than Python writes
        return "a number of thousands of digits"


def _cut(text: str | None, longest: int) -> str | None:
    return text if text is None or len(text) <= longest else text[: longest - 3] + "..."


def _escaped(character: str) -> str:
    """A character of a name or a message that would end the line, or cannot be written, as Python writes it."""
    return repr(character)[1:-1]
