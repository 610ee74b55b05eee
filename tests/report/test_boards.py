"""The figure of a network over several boards: nothing over anything else, and what has no room is marked."""

from __future__ import annotations

import itertools
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from l1emu.report.boards import draw_boards
from l1emu.report.style import STYLE


def document(number: int, parts: list[str], most: float) -> dict[str, Any]:
    """Boards of two layers in a row; LUT may take up to `most` of each part."""
    names = ["_b $x^$" if i == 2 else f"board{i + 1}" for i in range(number)]
    taken = {"low": 10, "typical": 50, "high": 90}
    boards = [
        {
            "name": names[i], "part": parts[i % len(parts)], "layers": ["a", "b"],
            "begin": 138 * i, "end": 138 * i + 54,
            "implemented": {**dict.fromkeys(("DSP", "FF", "BRAM_18K"), taken), "LUT": taken | {"high": 100 * most}},
            "available": dict.fromkeys(("DSP", "LUT", "FF", "BRAM_18K"), 100),
        }
        for i in range(number)
    ]  # fmt: skip
    links = [
        {
            "from": names[i], "to": names[i + 1], "messages": [{"ready": 138 * i + 54}],
            "turn_cycles": 30, "latency_cycles": 54, "words": 60,
        }
        for i in range(number - 1)
    ]  # fmt: skip
    return {
        "name": "model of $x^ over boards", "top": "_tagger", "copies": 2, "boards": boards, "links": links,
        "single_board_cycles": 54 * number, "latency_cycles": 138 * number - 84, "clock_target_ns": 2.778,
    }  # fmt: skip


def drawn(content: dict[str, Any]) -> tuple[Figure, Any]:
    with mpl.rc_context(STYLE):
        figure = draw_boards(content)
        canvas: Any = FigureCanvasAgg(figure)
        canvas.draw()
        return figure, canvas.get_renderer()


@pytest.mark.parametrize(
    ("number", "parts"),
    [(1, ["xcvu13p"]), (3, ["xcvu13p-flga2577-2-e", "xcvu9p"]), (8, ["xcvu13p"]), (12, ["xcvu13p", "xcvu9p"])],
    ids=["one", "two parts", "eight", "many"],
)
def test_nothing_that_is_written_lies_over_anything_else(number: int, parts: list[str]) -> None:
    figure, renderer = drawn(document(number, parts, 0.9))
    time, taken = figure.axes
    (label, _), told = time.texts, time.get_title("right")
    assert "_tagger, model of $x^ over boards; 2 copies" in told
    title: Any = time._right_title  # type: ignore[attr-defined]
    legend = figure.legends[0].get_window_extent(renderer)
    boxes: list[Any] = [ax.get_tightbbox(renderer) for ax in (time, taken)]
    for ax, box in zip((time, taken), boxes, strict=True):
        assert not legend.overlaps(box)
        slanted = ax is taken and ax.get_xticklabels()[0].get_rotation() > 0
        shown = [] if slanted else [text.get_window_extent(renderer) for text in ax.get_xticklabels()]
        assert not any(a.overlaps(b) for a, b in itertools.pairwise(shown))
    assert not title.get_window_extent(renderer).overlaps(label.get_window_extent(renderer))
    for box in (legend, *boxes):
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1
    assert ("each with one" in taken.get_xlabel()) == (len(parts) == 1 or number == 1)


@pytest.mark.parametrize(("most", "arrows"), [(0.98, 0), (20.0, 3)])
def test_a_band_that_goes_on_above_the_panel_has_an_arrow(most: float, arrows: int) -> None:
    figure, _ = drawn(document(3, ["xcvu13p"], most))
    taken = figure.axes[1]
    (marks,) = [line for line in taken.lines if line.get_marker() == mpl.markers.CARETUP]
    assert len(marks.get_xdata()) == arrows  # type: ignore[arg-type]
    assert taken.get_ylim()[1] == 200.0
