"""`l1emu events`: what is in files of events or jets."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any

import awkward as ak
import numpy as np
import typer
from rich.table import Table
from rich.text import Text

from l1emu.cli.options import Json, console, entry_range, listed, print_json
from l1emu.errors import L1emuError
from l1emu.events.sources import FORMATS, Field, Format, Source, find_format, open_source
from l1emu.progress import progress

_STEP = 1000
_SHOWN = 4
_NONE = {"nan": "NaN", "infinite": "infinite", "missing": "missing"}
"""What is no number: the key and the word of its count. The range and the mean are of the others."""


def events(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE", help="Files, URLs, globs or @lists of them, of one format.", show_default=False),
    ] = None,
    format: Annotated[str | None, typer.Option(help="The format; by default recognised from the content.")] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Fields (jets.pt), groups of them (jets) or the file's own columns, with commas between.",
        ),
    ] = None,
    entries: Annotated[
        str | None, typer.Option(metavar="A:B", help="A range of entries, counted through all files.")
    ] = None,
    first: Annotated[int, typer.Option(min=0, help="Entries to print in full.")] = 0,
    tree: Annotated[
        str | None,
        typer.Option(metavar="FOLDER/TREE", help="The tree of ROOT files, if it is not the format's own."),
    ] = None,
    list_formats: Annotated[
        bool, typer.Option("--list", help="List the formats; with --format the fields of one, their units and meaning.")
    ] = False,
    json: Json = False,
) -> None:
    """What is in files of events or jets: format, counts, fields with units, and the range of their values."""
    if list_formats:
        _list(format, json)
        return
    if not files:
        raise L1emuError("nothing to read", expected="files, or --list for the formats")
    wanted = None if columns is None else listed(columns, where="--columns")
    span = entry_range(entries)
    source = open_source(files, format=format, tree=tree)
    document = _describe(source, wanted, span, first)
    if json:
        print_json(document)
    else:
        _print(document)


def _describe(
    source: Source, wanted: list[str] | None, span: tuple[int, int | None] | None, first: int
) -> dict[str, Any]:
    """All entries of the range, read once, batch by batch. Fields that were not read have no type and no values."""
    units = {field.name: field for field in source.format.fields}
    summaries: dict[str, dict[str, Any]] = {}
    rows: list[Any] = []
    entries = 0
    with progress(f"reading {source.format.rows}", len(source)) as advance:
        for batch in source.iterate(wanted, entries=span, step=_STEP):
            entries += len(batch)
            rows += _finite(ak.to_list(batch[: max(first - len(rows), 0)]))
            for name, values in _leaves(batch):
                _add(summaries.setdefault(name, _empty(units.get(name))), values)
            advance(len(batch))
    for field in source.fields:
        summaries.setdefault(field.name, _empty(field))
    return {
        "format": source.format.name,
        "title": source.format.title,
        "entries_are": source.format.rows,
        "files": [{"path": str(path), "entries": n} for path, n in zip(source.paths, source.lengths, strict=True)],
        "entries": entries,
        "labels": list(source.labels),
        "fields": [_finished(name, summary, entries) for name, summary in summaries.items()],
        "first": rows,
    }


def _leaves(batch: ak.Array) -> Iterator[tuple[str, ak.Array]]:
    for name in batch.fields:
        members = batch[name].fields
        yield from ((f"{name}.{m}", batch[name][m]) for m in members) if members else ((name, batch[name]),)


def _finite(value: Any) -> Any:
    """The same nest of lists and records with None for numbers that JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _empty(field: Field | None) -> dict[str, Any]:
    known = {"unit": field.unit, "meaning": field.meaning} if field else {"unit": None, "meaning": "the file's own"}
    counts = {"values": 0, "missing": 0, "nan": 0, "infinite": 0}
    return known | {"type": None} | counts | {"sum": 0.0, "min": None, "max": None}


def _add(summary: dict[str, Any], values: ak.Array) -> None:
    summary["type"] = str(ak.type(values).content)
    summary["missing"] += sum(int(ak.sum(ak.is_none(values, axis=axis), axis=None)) for axis in range(values.ndim))
    flat = np.asarray(ak.drop_none(ak.flatten(values, axis=None)))
    summary["values"] += flat.size
    if not flat.size or flat.dtype.kind not in "biuf":
        return
    finite = flat[np.isfinite(flat)]
    nan = int(np.isnan(flat).sum())
    summary["nan"] += nan
    summary["infinite"] += flat.size - finite.size - nan
    with np.errstate(over="ignore"):
        summary["sum"] += float(finite.sum(dtype=np.float64))
    if finite.size:
        low, high = float(finite.min()), float(finite.max())
        summary["min"] = low if summary["min"] is None else min(summary["min"], low)
        summary["max"] = high if summary["max"] is None else max(summary["max"], high)


def _finished(name: str, summary: dict[str, Any], entries: int) -> dict[str, Any]:
    total = summary.pop("sum")
    finite = summary["values"] - summary["nan"] - summary["infinite"]
    mean = total / finite if finite and summary["min"] is not None and math.isfinite(total) else None
    per_entry = summary["values"] / entries if entries and summary["type"] is not None else None
    return {"name": name} | summary | {"mean": mean, "values_per_entry": per_entry}


def _print(document: dict[str, Any]) -> None:
    out = console()
    files = document["files"]
    out.print(Text(f"{document['title']} (format {document['format']}), one entry a {document['entries_are'][:-1]}"))
    for file in files[:_SHOWN]:
        out.print(Text(f"  {file['path']}: {file['entries']:,} {document['entries_are']}"))
    if len(files) > _SHOWN:
        more = sum(file["entries"] for file in files[_SHOWN:])
        out.print(Text(f"  and {len(files) - _SHOWN} more files: {more:,} {document['entries_are']}"))
    table = Table(title=f"{document['entries']:,} {document['entries_are']} read", title_justify="left")
    for name in ("field", "unit"):
        table.add_column(name, no_wrap=True)
    for name in ("an entry", "min", "mean", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    some = any(f[key] for f in document["fields"] for key in _NONE)
    if some:
        table.add_column("not among them", no_wrap=True)
    for f in document["fields"]:
        numbers = [f["values_per_entry"], f["min"], f["mean"], f["max"]]
        cells = ["" if n is None else f"{n:.4g}" for n in numbers]
        if some:
            cells.append(", ".join(f"{f[key]} {word}" for key, word in _NONE.items() if f[key]))
        table.add_row(Text(f["name"]), Text(f["unit"] or ""), *cells)
    out.print(table)
    for i, row in enumerate(document["first"]):
        out.print(Text(f"[{i}] {row}"))


def _list(name: str | None, json: bool) -> None:
    formats = [find_format(name)] if name is not None else list(FORMATS.values())
    if json:
        print_json([_as_json(f) for f in formats])
    elif name is not None:
        table = Table(title=formats[0].title, title_justify="left")
        for column in ("field", "unit"):
            table.add_column(column, no_wrap=True)
        table.add_column("meaning")
        for field in formats[0].fields:
            table.add_row(field.name, field.unit, field.meaning)
        console().print(table)
    else:
        table = Table()
        for column in ("format", "files", "an entry", "what it is"):
            table.add_column(column)
        for f in formats:
            table.add_row(f.name, ", ".join(f.containers), f.rows[:-1], f.title)
        console().print(table)


def _as_json(f: Format) -> dict[str, Any]:
    fields = [
        {"name": x.name, "unit": x.unit, "meaning": x.meaning, "columns": list(x.columns)}
        | {"optional": x.optional, "on_request": x.on_request}
        for x in f.fields
    ]
    return {"name": f.name, "title": f.title, "entries_are": f.rows, "files": list(f.containers)} | {
        "labels": list(f.labels),
        "fields": fields,
    }
