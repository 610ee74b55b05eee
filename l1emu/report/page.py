"""One page that holds a whole result: no address outside it, readable on a phone."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib.resources import files
from typing import Any

import jinja2
import pandas as pd

from l1emu.report.alternatives import shown_by
from l1emu.report.figures import drawings
from l1emu.report.interactive import Interactive
from l1emu.report.style import missing_text
from l1emu.report.tables import tables
from l1emu.results import StreamRun, StudyResults
from l1emu.trigger.text import (
    KnownRate,
    difference_text,
    efficiency_text,
    foremost,
    interval_text,
    menu_rate_text,
    rate_text,
    total_error_text,
)

PAGE = "report.html"


MOST_BYTES = 3_000_000
"""Of a page. What does not fit is left in the folder: large tables first, then figures are embedded as PNG."""
_LARGEST_DRAWING = 1_200_000
_REST = 300_000  # what stands on the page besides

GLOSSARY = {
    "BX": "Bunch crossing: the 24.95 ns from one crossing of bunches to the next, and the clock of the trigger.",
    "II": "Initiation interval: clock cycles between two inputs that a piece of firmware takes.",
    "limit": "What a rate lies below with 95 % confidence, where no simulated crossing passes.",
    "min-bias": "Crossings as they come, with no selection: the background whose rate a trigger has.",
    "pile-up": "Mean number of proton collisions in one crossing, PU for short.",
    "prescale": "Of so many accepts of a seed one is kept.",
    "pure rate": "Rate of the crossings that a seed accepts and no other seed of the menu.",
    "seed": "One condition of the trigger's menu on the objects of a crossing.",
    "stratum": "Part of the simulated crossings, with a known probability: rare hard ones are simulated more often.",
    "working point": "Minimum score from which a jet counts as tagged.",
}


def render(results: StudyResults, pictures: Mapping[str, Interactive | bytes]) -> str:
    """The page as text.

    Parameters
    ----------
    results
        What a `results.json` holds.
    pictures
        Name, as of `l1emu.report.figures.drawings` -> the figure, or a PNG where it is too large to be interactive.
    """
    figures = _figures(results, pictures)
    every = tables(results)
    room = MOST_BYTES - _REST - sum(len(str(figure)) for figure in figures)
    script, style = _text("page.js"), _text("page.css")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            r=results,
            missing=missing_text(results),
            accepts=None if results.stream is None else _accepts(results.stream),
            figures=figures,
            contents=_contents(results, figures),
            glossary=GLOSSARY,
            tables={name: len(table) for name, table in every.items()},
            downloads=_downloads(every, room),
            script=script,
            style=style,
            policy=_policy(script, style),
        )
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("l1emu.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters.update(
        percent=percent, number=number, us=microseconds, rate=rate_text, total_error=total_error_text,
        efficiency=efficiency_text, difference=difference_text, foremost=foremost, menu_rate=menu_rate_text,
        interval=interval_text, short=short, in_words=in_words, slug=lambda name: name.lower().replace(" ", "-"),
    )  # fmt: skip
    return environment


def _text(name: str) -> str:
    """A file of the templates that goes into the page as it is."""
    return files("l1emu.report").joinpath("templates", name).read_text(encoding="utf-8")


def _policy(script: str, style: str) -> str:
    """Nothing but this script and this style, and nothing from anywhere."""
    own = {name: base64.b64encode(sha256(text.encode()).digest()).decode() for name, text in
           (("script", script), ("style", style))}  # fmt: skip
    return (
        f"default-src 'none'; script-src 'sha256-{own['script']}'; style-src 'sha256-{own['style']}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _figures(results: StudyResults, pictures: Mapping[str, Interactive | bytes]) -> list[dict[str, Any]]:
    """The figures as the page has them: interactive while there is room, then as images, then as links alone."""
    drawn, found, room = drawings(results), [], MOST_BYTES - _REST
    for name, picture in pictures.items():
        told = drawn[name]
        for element, data in _ways(picture, html.escape(shown_by(name, results))):
            size = len(element) + len(str(data))
            if size <= min(room, _LARGEST_DRAWING):
                break
        else:
            element, data, size = "<p>Too large for this page: see the files.</p>", None, 0
        room -= size
        part = {"title": told.title, "caption": told.caption, "table": told.table}
        found.append({"name": name, "drawing": element, "data": data, **part})
    return found


def _ways(picture: Interactive | bytes, shown: str) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """The element that is drawn, and what the script needs for it: the best way first."""
    if isinstance(picture, Interactive):
        svg = picture.svg.replace("<svg ", f'<svg role="img" aria-label="{shown}" ', 1)
        yield svg, {"series": picture.series, "colours": picture.colours, "panels": picture.panels}
    png = base64.b64encode(picture.png if isinstance(picture, Interactive) else picture).decode("ascii")
    yield f'<img alt="{shown}" src="data:image/png;base64,{png}">', None


def _downloads(every: Mapping[str, pd.DataFrame], room: int) -> dict[str, str]:
    """The tables as addresses that hold them, the smallest first, as many as there is room for."""
    texts = {name: table.to_csv(index=False) for name, table in every.items()}
    found: dict[str, str] = {}
    for name, text in sorted(texts.items(), key=lambda item: len(item[1])):
        address = "data:text/csv;charset=utf-8;base64," + base64.b64encode(text.encode()).decode("ascii")
        room -= len(address)
        if room < 0:
            break
        found[name] = address
    return found


def _contents(results: StudyResults, figures: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The parts of the page in their order: id and title."""
    target = f"Seeds at {number(results.comparison.target_khz)} kHz"
    found = [("answers", "Answers"), ("menu", "The menu")]
    found += [("fillings", "Other filling schemes")] if results.menu.fillings else []
    found += [("seeds", target)] if results.comparison.seeds else []
    found += [(figure["name"], figure["title"]) for figure in figures]
    found += [("stages", "Budget, stage by stage")] if results.budget is not None else []
    found += [("stream", "Stream")] if results.stream is not None else []
    found += [("strata", "Strata of the min-bias crossings"), ("data", "Numbers and figures")]
    return [*found, ("glossary", "Glossary"), ("manifest", "Manifest")]


def short(text: str, most: int = 160) -> str:
    """A text that is cut where it is longer than a person reads; the tables have all of it."""
    return text if len(text) <= most else text[: most - 1] + "…"


def in_words(key: str) -> str:
    """A place in a topology file, `trigger_rules.1 in 3 BX`, as words."""
    return key.replace(".", " ", 1).replace("_", " ")


def _accepts(stream: StreamRun) -> dict[str, KnownRate]:
    """The menu's accepts before the front end and behind it."""
    rate = stream.rate_khz
    return {
        "in": KnownRate(rate.in_, rate.in_error, rate.in_upper95, stream.triggered),
        "out": KnownRate(rate.out, rate.out_error, rate.out_upper95, stream.accepted),
    }


def percent(value: float, digits: int = 1) -> str:
    """0.123 as `12.3`."""
    return f"{100 * value:.{digits}f}"


def number(value: float, digits: int = 3) -> str:
    """To so many significant digits, without exponent where that is readable."""
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e6:
        text = f"{value:.{digits}g}"
        return f"{value:,.0f}" if "e" in text else text
    return f"{value:.{digits}g}"


def microseconds(ns: float, digits: int = 2) -> str:
    """Nanoseconds as microseconds."""
    return f"{ns / 1e3:.{digits}f}"
