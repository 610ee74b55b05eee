"""The one exception that a user sees: what is wrong, where, the value found and what would be right."""

from __future__ import annotations

from os import PathLike


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
        place = ": ".join(p for p in (self.path, self.where) if p)
        text = f"{place}: {self.message}" if place else self.message
        if self.value is not None:
            shown = repr(self.value)
            if len(shown) > 120:
                shown = shown[:117] + "..."
            text += f": got {shown}"
        if self.expected is not None:
            text += f"; expected {self.expected}"
        return text
