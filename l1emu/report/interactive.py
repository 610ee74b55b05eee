"""Figures that a page can toggle, read and enlarge: what artists show, and the figure as SVG together with that.

The drawing on the page is the figure of the folder itself, as matplotlib writes it, so that the two cannot differ. What
the page's script needs is told by whoever draws: which artists belong to a series (`belongs`) and what is known at
which place (`tell`).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.container import Container
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

_POINTS_PER_INCH = 72
_XLINK = "{http://www.w3.org/1999/xlink}href"
_LONG_NUMBER = re.compile(r"-?\d+\.\d{2,}")


@dataclass(frozen=True)
class _Told:
    """What is known at places of a panel, in its own coordinates; `ends` are the far corners of boxes."""

    series: str | None
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    texts: tuple[str, ...]
    ends: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None


_SERIES: WeakKeyDictionary[Artist, str] = WeakKeyDictionary()
_TOLD: WeakKeyDictionary[Axes, list[_Told]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Interactive:
    """A figure for a page.

    Attributes
    ----------
    svg
        One `svg` element without styles, scripts and addresses, to stand in HTML; ids begin with the figure's name.
    png
        The same as an image, where the rest is too large for a page.
    series, colours
        Names of what can be shown and hidden, in the order of the numbers in `data-series`.
    panels
        Of each panel its box and scales, and the places with a text, in units of the SVG's view box.
    """

    svg: str
    png: bytes
    series: tuple[str, ...]
    colours: tuple[str, ...]
    panels: tuple[dict[str, Any], ...]


def belongs(series: str, artists: Artist | Container | Iterable[Any]) -> None:
    """Say that artists, or all parts of an error bar, are of this series: they are shown and hidden together."""
    for artist in _flat(artists):
        _SERIES[artist] = series


def _flat(found: Any) -> Iterator[Artist]:
    if isinstance(found, Artist):
        yield found
    elif found is not None:
        for part in found:
            yield from _flat(part)


def tell(
    ax: Axes,
    series: str | None,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    texts: Sequence[str],
    *,
    ends: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
) -> None:
    """Say what is known at places of a panel.

    Parameters
    ----------
    ax, series
        The panel, and the series that the places are hidden with, None if they always are there.
    x, y
        The places in the panel's coordinates, shape (n,).
    texts
        One for each place; lines are separated by newlines.
    ends
        Places are boxes that reach from there to here, each of shape (n,).
    """
    far = None if ends is None else (np.asarray(ends[0], float), np.asarray(ends[1], float))
    told = _Told(series, np.asarray(x, float), np.asarray(y, float), tuple(texts), far)
    _TOLD.setdefault(ax, []).append(told)


def as_interactive(figure: Figure, name: str, png: bytes) -> Interactive:
    """A figure that has its final layout, for a page; `name` begins every id of it, `png` is an image of it."""
    names: dict[str, int] = {}
    colours: dict[str, str] = {}
    panels = []
    for n, ax in enumerate(figure.axes):
        _mark(ax, n, names, colours)
    written = io.BytesIO()
    figure.savefig(written, format="svg", metadata={"Date": None})
    scale, height = _POINTS_PER_INCH / figure.dpi, figure.get_figheight() * _POINTS_PER_INCH

    def place(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.column_stack([points[:, 0] * scale, height - points[:, 1] * scale])

    for ax in figure.axes:
        panels.append(_panel(ax, names, place))
    told = [t.series for ax in figure.axes for t in _TOLD.get(ax, [])]
    for series in told:
        if series is not None:
            names.setdefault(series, len(names))
    root = ElementTree.fromstring(written.getvalue())
    anchors = {f"at.{n}.{k}": place(at) for n, ax in enumerate(figure.axes) for k, at in enumerate(_anchors(ax))}
    svg = _for_html(root, name, anchors)
    return Interactive(svg, png, tuple(names), tuple(colours.get(name, "") for name in names), tuple(panels))


def _mark(ax: Axes, n: int, names: dict[str, int], colours: dict[str, str]) -> None:
    """Give what moves with the data, and the axes, ids that are found again in the SVG."""
    ax.xaxis.set_gid(f"axis.{n}")
    ax.yaxis.set_gid(f"axis.{n}")
    for k, artist in enumerate([*ax.lines, *ax.collections, *ax.patches]):
        series = _SERIES.get(artist)
        number = "" if series is None else names.setdefault(series, len(names))
        if series is not None and series not in colours:
            colours[series] = _colour(artist)
        artist.set_gid(f"data.{n}.{number}.{k}")
    for k, text in enumerate(ax.texts):
        text.set_gid(f"at.{n}.{k}")
    legend = ax.get_legend()
    if legend is None:
        return
    for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=False):
        series = _SERIES.get(text)
        if series is not None and handle is not None:
            number = names.setdefault(series, len(names))
            text.set_gid(f"legend.{number}.{id(text)}")
            handle.set_gid(f"legend.{number}.{id(handle)}")


def _colour(artist: Any) -> str:
    """The colour of a line or an area as `#rrggbb`."""
    found = artist.get_color() if hasattr(artist, "get_color") else artist.get_edgecolor()
    flat = np.atleast_1d(np.asarray(found, object)).ravel()
    if isinstance(flat[0], str):
        return str(flat[0])
    return "#" + "".join(f"{round(255 * float(part)):02x}" for part in flat[:3]) if flat.size >= 3 else ""


def _anchors(ax: Axes) -> list[npt.NDArray[np.float64]]:
    """Where the texts of a panel are bound to in pixels, empty for what is not bound to the data."""
    found = []
    for text in ax.texts:
        data = text.xycoords == "data" if isinstance(text, Annotation) else _in_data(text, ax)
        at = text.xy if isinstance(text, Annotation) else text.get_position()
        found.append(ax.transData.transform([at]) if data else np.empty((0, 2)))
    return found


def _in_data(text: Text, ax: Axes) -> bool:
    return bool(text.get_transform() == ax.transData)


def _panel(ax: Axes, names: dict[str, int], place: Any) -> dict[str, Any]:
    box = ax.get_window_extent()
    corners = place(np.array([[box.x0, box.y1], [box.x1, box.y0]])).round(2)
    (left, top), (right, bottom) = corners[0] - 0.5, corners[1] + 0.5
    spots: list[list[Any]] = []
    for told in _TOLD.get(ax, []):
        series = -1 if told.series is None else names.setdefault(told.series, len(names))
        at = place(ax.transData.transform(np.column_stack([told.x, told.y]))).round(1)
        ends = at if told.ends is None else place(ax.transData.transform(np.column_stack(told.ends))).round(1)
        for (x, y), (to_x, to_y), text in zip(at.tolist(), ends.tolist(), told.texts, strict=True):
            if left <= x <= right and top <= y <= bottom and np.isfinite([to_x, to_y]).all():
                spots.append([x, y, series, text] + ([] if told.ends is None else [to_x, to_y]))
    return {
        "box": corners.ravel().tolist(),
        "x": [ax.get_xscale(), *map(float, ax.get_xlim())],
        "y": [ax.get_yscale(), *map(float, ax.get_ylim())],
        "ticks": [_has_labels(ax.xaxis), _has_labels(ax.yaxis)],
        "spots": spots,
    }


def _has_labels(axis: Any) -> bool:
    return any(label.get_visible() and label.get_text() for label in axis.get_ticklabels())


def _for_html(root: ElementTree.Element, name: str, anchors: dict[str, npt.NDArray[np.float64]]) -> str:
    """The `svg` element as HTML takes it, under a policy that allows no style in an element."""
    for child in list(root):
        if _plain(child.tag) == "metadata":
            root.remove(child)
    for element in root.iter():
        element.tag = _plain(element.tag)
        element.text = element.tail = None  # no text is written but as shapes: these are blanks
        _clean(element, name)
    for parent in list(root.iter()):
        for child in [c for c in parent if c.tag == "style"]:
            parent.remove(child)
    for element in list(root.iter("g")):
        if "id" not in element.attrib:
            continue
        kind, *parts = element.attrib["id"].removeprefix(f"{name}-").split(".")
        if kind == "data":
            element.set("data-panel", parts[0])
            if parts[1]:
                element.set("data-series", parts[1])
        elif kind == "legend":
            element.set("data-series", parts[0])
            element.set("class", "legend")
        elif kind == "axis":
            element.set("data-axis", parts[0])
            del element.attrib["id"]  # of two axes
        elif kind == "at" and anchors[".".join(["at", *parts])].size:
            x, y = anchors[".".join(["at", *parts])][0].round(2).tolist()
            element.set("data-text", parts[0])
            element.set("data-at", f"{x} {y}")
        elif "tick_" not in kind:
            del element.attrib["id"]
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    return ElementTree.tostring(root, encoding="unicode")


def _plain(tag: Any) -> Any:
    return tag.rpartition("}")[2] if isinstance(tag, str) else tag


def _clean(element: ElementTree.Element, name: str) -> None:
    """Styles as attributes, ids of the page's own, and no more digits than can be seen."""
    href = element.attrib.pop(_XLINK, None)
    if href is not None:
        element.set("href", f"#{name}-{href.removeprefix('#')}")
    for part in element.attrib.pop("style", "").split(";"):
        key, _, value = part.partition(":")
        if value:
            element.set(key.strip(), value.strip())
    for key, value in element.attrib.items():
        if key == "id":
            value = f"{name}-{value}"
        elif value.startswith("url(#"):
            value = f"url(#{name}-{value[5:]}"
        elif key in ("d", "x", "y", "points") or (key == "transform" and "scale" not in value):
            value = _LONG_NUMBER.sub(lambda found: f"{float(found[0]):.1f}", value)
            value = " ".join(value.split())
            if key == "d" and not set(value) & set("CQ"):
                value = value.replace(" L ", " ")  # which is what pairs behind an M are
        element.set(key, value)
