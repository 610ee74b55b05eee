"""What objects show of themselves in a notebook: a small table, every text escaped."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence, Set
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Any

_LONGEST = 300
_LONGEST_VALUE = 60
_FEW = 6


def html_facts(title: str, facts: Mapping[str, object]) -> str:
    """A table of names and values under a title, as HTML.

    Parameters
    ----------
    title
        Above the table.
    facts
        Name -> value; values are written as `str` does.
    """
    rows = "".join(f"<tr><th>{html.escape(name)}</th>{_cell(value)}</tr>" for name, value in facts.items())
    return f"<table><caption>{html.escape(cut(title, _LONGEST))}</caption>{rows}</table>"


def html_rows(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table with a head under a title, as HTML: a row each, as many cells as there are columns."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows)
    return f"<table><caption>{html.escape(cut(title, _LONGEST))}</caption><tr>{head}</tr>{body}</table>"


def _cell(value: object) -> str:
    return f"<td>{html.escape(cut(str(value), _LONGEST))}</td>"


class Shown:
    """Base of dataclasses and models that show themselves in short.

    Of an array they show type and shape, of a long text its begin; in a notebook they are a table, a row a field. A
    class that writes its own `__repr__` keeps it.
    """

    __slots__ = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__repr__" not in cls.__dict__:
            cls.__repr__ = Shown.__repr__  # type: ignore[method-assign]  # before dataclass makes one that has no end

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={value}" for name, value in _shown_fields(self).items())
        return cut(f"<{type(self).__name__}: {told}", _LONGEST - 1) + ">"

    def _repr_html_(self) -> str:
        return html_facts(type(self).__name__, _shown_fields(self))


def cut(text: str, most: int) -> str:
    """A text of so many characters at most."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _shown_fields(owner: Any) -> dict[str, str]:
    models = getattr(type(owner), "model_fields", None)  # of pydantic
    names = list(models) if models is not None else [field.name for field in fields(owner) if field.repr]
    return {name: in_short(getattr(owner, name)) for name in names}


def in_short(value: object) -> str:
    """A value as it stands in a line with others."""
    shape, kind = getattr(value, "shape", None), getattr(value, "dtype", None)
    if isinstance(shape, tuple) and kind is not None and shape:
        return f"{kind} {shape}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str):
        return cut(value, _LONGEST_VALUE)
    if isinstance(value, Mapping | Sequence | Set):
        whole = repr(value) if len(value) <= _FEW and all(map(_is_plain, value)) else ""
        several = "one item" if len(value) == 1 else f"{len(value):,} items"
        return whole if whole and len(whole) <= _LONGEST_VALUE else several
    return str(value) if _is_plain(value) or isinstance(value, Path | Enum) else type(value).__name__


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | bool)
