"""What objects show of themselves in a notebook: a small table, every text escaped."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence


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
    return f"<table><caption>{html.escape(title)}</caption>{rows}</table>"


def html_rows(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table with a head under a title, as HTML: a row each, as many cells as there are columns."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows)
    return f"<table><caption>{html.escape(title)}</caption><tr>{head}</tr>{body}</table>"


def _cell(value: object) -> str:
    return f"<td>{html.escape(str(value))}</td>"
