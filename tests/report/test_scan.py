"""The figure of a scan: of few or many points nothing that is written lies over anything else."""

from __future__ import annotations

import itertools
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from l1emu.report.scan import draw_scan
from l1emu.report.style import STYLE


def document(bits: list[int | None], clocks: list[float], reuse: list[int]) -> dict[str, Any]:
    points = [
        {
            "reuse_factor": r, "bits": b, "clock_ns": c, "strategy": s, "latency_ns": 100.0 * r * c,
            "interval_ns": c * r,
            "resources": {"DSP": 10_000 // r if s == "latency" else 3, "LUT": 1000 * (b or 8) + 200_000 // r},
            "fits_budget": r < 4, "pareto": r == 1, "input_bits": 12 * (b or 8),
        }
        for b, c, r, s in itertools.product(bits, clocks, reuse, ("latency", "resource"))
    ]  # fmt: skip
    return {
        "points": points, "part": "xcvu13p-flga2577-2-e", "top": "_top_$x^", "budget": "CMS Phase-2 Level-1",
        "jets": 12, "copies": 2,
        "available": {"DSP": 12288, "LUT": 1_728_000}, "slice_ns": 998.0, "multiplications": 40_000,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("bits", "clocks", "reuse"),
    [
        ([None], [3.125], [1]),
        ([None, 6, 8, 12, 16], [2.08, 2.77, 3.12, 4.16], [1, 2, 4, 8, 16, 32, 64]),
        (list(range(2, 24)), [1.04, 1.25, 1.39, 1.56, 2.08, 2.5, 3.12, 4.16, 6.25], [1, 8]),
    ],
    ids=["one", "usual", "many"],
)
def test_nothing_that_is_written_lies_over_anything_else(
    bits: list[int | None], clocks: list[float], reuse: list[int]
) -> None:
    with mpl.rc_context(STYLE):
        figure = draw_scan(document(bits, clocks, reuse))
        canvas: Any = FigureCanvasAgg(figure)
        canvas.draw()
        renderer = canvas.get_renderer()
        legend = figure.legends[0]
        box = legend.get_window_extent(renderer)
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0
        told = [text.get_text() for text in legend.get_texts()]
        assert len(told) == len(set(told))
        handles = [line.get_color() for line, text in zip(legend.get_lines(), told, strict=True) if "bits" in text]
        assert len(set(handles)) == len(bits)  # each its own colour
        for ax in figure.axes:
            assert not box.overlaps(ax.get_window_extent(renderer))
            assert ax.get_legend() is None
            for axis in (ax.xaxis, ax.yaxis):
                low, high = sorted(axis.get_view_interval())
                labels = [t for t in axis.get_ticklabels(which="both") if t.get_text()]
                places = [*axis.get_majorticklocs(), *axis.get_minorticklocs()]
                shown = [t for t, at in zip(labels, places, strict=False) if low <= at <= high]
                boxes = [t.get_window_extent(renderer) for t in shown]
                assert len(boxes) > 1
                assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
        titles = [text for ax in figure.axes for text in (ax.title, ax._left_title, ax._right_title)]  # type: ignore[attr-defined]
        written = [t.get_window_extent(renderer) for t in [*titles, *figure.axes[0].texts] if t.get_text()]
        assert not any(a.overlaps(b) for a, b in itertools.combinations(written, 2))


def test_the_figure_says_what_it_is_of() -> None:
    title = draw_scan(document([8], [3.125], [1])).axes[1].get_title().replace("\n", " ")
    assert title.startswith("_top_$x^ on xcvu13p-flga2577-2-e: estimates, not synthesized; CMS Phase-2 Level-1")
    assert title.endswith("12 jets, copies: 2")
