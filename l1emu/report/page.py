"""One page that holds a whole result: no address outside it, readable on a phone."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import jinja2

from l1emu.report.figures import drawings
from l1emu.report.style import missing_text
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


def render(results: StudyResults, pictures: Mapping[str, bytes]) -> str:
    """The page as text.

    Parameters
    ----------
    results
        What a `results.json` holds.
    pictures
        Name, as of `l1emu.report.figures.drawings` -> PNG.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("l1emu.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters.update(
        percent=percent, number=number, us=microseconds, rate=rate_text, total_error=total_error_text,
        efficiency=efficiency_text, difference=difference_text, foremost=foremost, menu_rate=menu_rate_text,
        interval=interval_text,
    )  # fmt: skip
    drawn = drawings(results)
    figures = [
        {
            "name": name,
            "title": drawn[name].title,
            "caption": drawn[name].caption,
            "table": drawn[name].table,
            "data": base64.b64encode(png).decode("ascii"),
        }
        for name, png in pictures.items()
    ]
    return environment.get_template("page.html.j2").render(
        r=results,
        missing=missing_text(results),
        accepts=None if results.stream is None else _accepts(results.stream),
        figures=figures,
    )


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
