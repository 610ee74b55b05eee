"""The report: figures and tables hold the numbers of the results, and the page needs nothing outside it."""

from __future__ import annotations

import html.parser
import json
import re
from typing import Any, cast

import matplotlib as mpl
import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.container import ErrorbarContainer
from matplotlib.markers import CARETDOWNBASE, CARETLEFTBASE
from matplotlib.patches import Rectangle

from l1emu.cli.options import console
from l1emu.cli.rates import seeds_table
from l1emu.report.figures import FIGURES, drawings
from l1emu.report.page import microseconds, number, percent, render
from l1emu.report.style import STYLE, wrapped
from l1emu.report.tables import tables
from l1emu.results import RatesOfStudy
from l1emu.study import Results
from l1emu.trigger.text import difference_text, efficiency_text, rate_text, total_error_text
from tests.report.changed import typed, with_seeds


class Links(html.parser.HTMLParser):
    """Everything that a browser would load or follow, and whether tags are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "data", "action", "srcset")]
        if tag not in ("meta", "img", "br", "link", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_is_whole_and_loads_nothing(made: Results) -> None:
    page = (made.folder / "report.html").read_text(encoding="utf-8")
    links = Links()
    links.feed(page)
    assert links.open == []
    beside = {a for a in links.addresses if not a.startswith(("#", "data:text/csv;"))}
    assert "results.json" in beside
    assert all((made.folder / address).is_file() for address in beside)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert {a[1:] for a in links.addresses if a.startswith("#")} <= set(ids)
    for word in ("http:", "https:", "@import"):
        assert word not in page.replace("http://www.w3.org/2000/svg", "")
    assert all(found.startswith("#") for found in re.findall(r"url\(([^)]*)\)", page))
    assert not re.search(r"<[^>]*\s(style|on\w+)=", page)  # the policy forbids them
    assert 'name="viewport"' in page
    text = " ".join(links.text)
    document = made.document
    for answer in (
        "Which jets would be tagged, bit for bit?",
        "Does the budget hold?",
        "What rate buys how much efficiency?",
        document["manifest"]["normalisation"]["text"],
        document["manifest"]["files"]["firmware"]["sha256"],
        f"{100 * document['comparison']['seeds'][2]['efficiency']:.1f} % at 100 kHz",
        "unverified",
    ):
        assert answer in text


def same(found: Any, wanted: Any) -> bool:
    """Whether a cell of a CSV is this value: numbers to the last bit."""
    if wanted is None or wanted == "":
        return bool(pd.isna(found))
    return bool(found == wanted or str(found) == str(wanted))


def test_document_csv_page_screen_and_figures_have_the_same_numbers(
    made: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of them are read back: every cell of every table, every row of the page, every point that is drawn."""
    document = json.loads((made.folder / "results.json").read_text())
    comparison = document["comparison"]
    for name, rows in (
        ("rate", document["rate"]),
        ("comparison", comparison["seeds"]),
        ("gains", comparison["gains"]),
        ("strata", comparison["strata"]),
        ("working_points", document["working_points"]["points"]),
    ):
        table = pd.read_csv(made.folder / "tables" / f"{name}.csv", float_precision="round_trip")
        assert len(table) == len(rows)
        for (_, found), wanted in zip(table.iterrows(), rows, strict=True):
            assert set(wanted) <= set(table.columns)
            assert all(same(found[key], value) for key, value in wanted.items())
    histogram = pd.read_csv(made.folder / "tables" / "stream_latency.csv", float_precision="round_trip")
    assert histogram.to_dict("list") == document["stream"]["histogram"]
    stages = pd.read_csv(made.folder / "tables" / "budget.csv", float_precision="round_trip")
    for (_, found), wanted in zip(stages.iterrows(), document["budget"]["stages"], strict=True):
        assert all(same(found[key], value) for key, value in wanted.items() if key != "tagger_slice")

    links = Links()
    links.feed((made.folder / "report.html").read_text(encoding="utf-8"))
    page = " ".join(" ".join(links.text).split())
    console().print(seeds_table(made.content.comparison))
    screen = " ".join(capsys.readouterr().out.split())
    for seed, at_target in zip(comparison["seeds"], made.content.comparison.seeds, strict=True):
        value, interval = efficiency_text(at_target)
        digits = 2 if seed["unit"] else 4
        threshold = f"{seed['threshold']:.{digits}f} ± {seed['threshold_error']:.{digits}f} {seed['unit']}"
        shown = [rate_text(at_target), value, interval, total_error_text(at_target)]
        assert " ".join([seed["seed"], threshold.strip(), *shown, seed["description"]]) in page
        assert " │ ".join(shown) in screen
    for gain in made.content.comparison.gains:
        assert f"{difference_text(gain)} points against {gain.reference}" in page

    for drawing, x, y in (
        ("efficiency_vs_rate", "rate_khz", "efficiency"),
        ("rate_vs_threshold", "threshold", "rate_khz"),
    ):
        lines = [line for ax in FIGURES[drawing].draw(typed(document)).axes for line in ax.get_lines()]
        for seed in comparison["seeds"]:
            (line,) = (line for line in lines if line.get_label() == seed["seed"])
            points = {(p[x], p[y]) for p in document["rate"] if p["seed"] == seed["seed"]}
            drawn = set(zip(*(np.asarray(v).tolist() for v in line.get_data()), strict=True))
            assert drawn
            assert drawn <= points
    scores = [f"{name} ({kind['jets']:,}" for name, kind in document["scores"]["kinds"].items() if kind["jets"]]
    legend = FIGURES["scores"].draw(typed(document)).axes[0].get_legend()
    assert legend is not None
    assert all(text.get_text().startswith(word) for text, word in zip(legend.get_texts(), scores, strict=True))


def test_a_wrong_emulation_and_a_broken_budget_cannot_be_overlooked(made: Results) -> None:
    document: dict[str, Any] = json.loads(json.dumps(made.document))
    document["emulation"] |= {"identical": False, "mismatches": 3, "first_difference": "layer <b>dense</b>"}
    document["budget"] |= {"passed": False, "reasons": ["the chain takes 600 crossings of 500"]}
    page = render(typed(document), {})
    assert "The emulation is wrong" in page
    assert "layer &lt;b&gt;dense&lt;/b&gt;" in page
    assert "the chain takes 600 crossings of 500" in page
    assert "No: " in page


def test_tables_hold_the_values_behind_the_figures(made: Results) -> None:
    tables = made.folder / "tables"
    for name in {figure.table for figure in drawings(made.content).values()}:
        assert (tables / f"{name}.csv").is_file()
    rate = pd.read_csv(tables / "rate.csv")
    assert len(rate) == len(made.document["rate"])
    assert rate["rate_khz"].to_list() == pytest.approx([p["rate_khz"] for p in made.document["rate"]])
    budget = pd.read_csv(tables / "budget.csv")
    assert budget["crossings"].sum() == 500
    assert budget["source"].str.len().min() > 0
    scores = pd.read_csv(tables / "scores.csv")
    counted = {name: kind["jets"] for name, kind in made.document["scores"]["kinds"].items()}
    assert max(counted.values()) > 0
    for jets, kind in scores.groupby("jets"):
        assert kind["fraction"].sum() == pytest.approx(1 if counted[jets] else 0)


@pytest.mark.parametrize(
    "name", [name for name in FIGURES if name != "rate_vs_pileup"]
)  # of tests/study/test_elsewhere
def test_figures_are_drawn_and_not_empty(made: Results, name: str) -> None:
    png = made.folder / "figures" / f"{name}.png"
    image = mpl.image.imread(png)
    assert min(image.shape[:2]) > 500
    assert np.std(image[..., :3]) > 0.05
    assert (made.folder / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    assert png.stat().st_size < 500_000


def test_the_curves_are_the_numbers(made: Results) -> None:
    document = made.document
    figure = FIGURES["efficiency_vs_rate"].draw(typed(document))
    ax = figure.axes[0]
    for seed, line in zip(document["comparison"]["seeds"], ax.get_lines(), strict=False):
        points = [p for p in document["rate"] if p["seed"] == seed["seed"]]
        drawn = set(zip(*(np.round(np.asarray(v, float), 9) for v in line.get_data()), strict=True))
        wanted = {(round(p["rate_khz"], 9), round(p["efficiency"], 9)) for p in points}
        if line.get_label() == seed["seed"]:
            assert drawn
            assert drawn <= wanted
    legend = ax.get_legend()
    assert legend is not None
    assert [t.get_text() for t in legend.get_texts()] == ["HT", "four jets", "two b"]
    bars = cast("list[Rectangle]", list(FIGURES["budget"].draw(typed(document)).axes[0].patches))
    stages = document["budget"]["stages"]
    hatched = [bar for bar in bars if bar.get_hatch()]
    held = next(s for s in stages if s["tagger_slice"] is not None)
    unverified = sum(s["status"] == "unverified" for s in stages) + (
        document["budget"]["tagger"]["status"] == "unverified"
    )
    assert held["status"] == "unverified"
    assert len(hatched) == unverified
    assert max(bar.get_x() + bar.get_width() for bar in bars) * 1e3 == pytest.approx(stages[-1]["end_ns"])


@pytest.fixture
def limited(made: Results) -> dict[str, Any]:
    """The results as they would be if no min-bias crossing passed the tagged seed at the target rate."""
    document: dict[str, Any] = json.loads(json.dumps(made.document))
    nothing = {"rate_khz": 0.0, "rate_khz_low": 0.0, "rate_khz_upper95": 46.31, "accepted_crossings": 0}
    document["comparison"]["seeds"][2] |= nothing
    document["working_points"]["points"][0] |= nothing
    for point in document["rate"]:
        if point["seed"] == "two b" and point["threshold"] > 40:
            point |= nothing
    return document


def test_a_stream_without_accepts_has_an_upper_limit(made: Results) -> None:
    document = json.loads(json.dumps(made.document))
    document["stream"] |= {"triggered": 0, "accepted": 0}
    for way in ("in", "out"):
        document["stream"]["rate_khz"] |= {way: 0.0, f"{way}_error": 0.5, f"{way}_upper95": 0.78}
    page = render(typed(document), {})
    assert page.count('<td>0</td><td class="number">&lt; 0.78 (95 % CL)</td>') == 2
    assert "0 ± 0<" not in page


def test_an_upper_limit_is_written_as_one(limited: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    page = render(typed(limited), {})
    assert page.count("&lt; 46 (95 % CL)") == 2
    assert "the sample too small for 100 kHz" in page
    assert "Without an upper end of the hard scale: soft, middle, hard." in page
    console().print(seeds_table(typed(limited).comparison))
    printed = " ".join(capsys.readouterr().out.split())
    assert "< 46 (95 % CL)" in printed
    assert "no min-bias crossing of the sample passes" in printed
    table = tables(typed(limited))["comparison"]
    assert table["rate_khz_upper95"][2] == 46.31
    assert table["accepted_crossings"][2] == 0


def test_a_threshold_on_a_score_has_the_digits_of_a_score(
    limited: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    limited["comparison"]["seeds"][1] |= {"threshold": 0.8726, "threshold_error": 0.0031, "unit": ""}
    console().print(seeds_table(typed(limited).comparison))
    assert "0.873" in capsys.readouterr().out
    assert "0.8726 ± 0.0031" in render(typed(limited), {})


def test_an_upper_limit_is_drawn_as_one(made: Results, limited: dict[str, Any]) -> None:
    def arrows(ax: Axes) -> list[Any]:
        return [line for line in ax.get_lines() if line.get_marker() in (CARETDOWNBASE, CARETLEFTBASE)]

    panels = FIGURES["rate_vs_threshold"].draw(typed(limited)).axes
    found = 0
    for seed in limited["comparison"]["seeds"]:
        points = [p for p in limited["rate"] if p["seed"] == seed["seed"]]
        seen = [p["threshold"] for p in points if p["accepted_crossings"]]
        (curve,) = (line for ax in panels for line in ax.get_lines() if line.get_label() == seed["seed"])
        assert np.asarray(curve.get_xdata()).tolist() == seen
        limits = {(p["threshold"], p["rate_khz_upper95"]) for p in points if not p["accepted_crossings"]}
        assert isinstance(curve.axes, Axes)
        of_seed = [a for a in arrows(curve.axes) if a.get_color() == curve.get_color()]
        assert bool(of_seed) == bool(limits)
        for arrow in of_seed:
            found += 1
            assert arrow.get_xdata()[-1] == points[-1]["threshold"]
            assert {x for x, _ in limits} >= set(arrow.get_xdata())
    assert found
    assert not arrows(FIGURES["efficiency_vs_rate"].draw(made.content).axes[0])
    (left,) = arrows(FIGURES["efficiency_vs_rate"].draw(typed(limited)).axes[0])
    assert left.get_ydata()[0] == limited["comparison"]["seeds"][2]["efficiency"]
    hollow = [
        [line.get_markerfacecolor() for line in FIGURES["working_points"].draw(typed(d)).axes[0].get_lines()].count(
            "white"
        )
        for d in (made.document, limited)
    ]
    assert hollow == [0, 1]


ODD_NAMES = ["_hidden", "$x^$", "100 % & <b>", "a name " * 12, "x" * 70, "ü"]


@pytest.mark.parametrize("drawing", ["efficiency_vs_rate", "rate_vs_threshold"])
@pytest.mark.parametrize(
    "names",
    [["one"], [f"s{i}" for i in range(6)], ODD_NAMES, [f"L1_Seed_Number_{i}_with_a_long_name" for i in range(40)]],
    ids=["1", "6", "odd", "40"],
)
def test_every_seed_of_any_number_can_be_told_apart(made: Results, names: list[str], drawing: str) -> None:
    """Each is in one legend, in a look of its own in this panel, on the canvas, and not over another panel."""
    with mpl.rc_context(STYLE):
        figure = FIGURES[drawing].draw(typed(with_seeds(made.document, names)))
        canvas: Any = FigureCanvasAgg(figure)  # Matplotlib has no types for its methods
        canvas.draw()
        renderer = canvas.get_renderer()
        told: list[str] = []
        frames = [ax.get_window_extent(renderer) for ax in figure.axes]
        for ax in figure.axes:
            legend = ax.get_legend()
            assert legend is not None
            entries = legend.get_texts()
            told += [text.get_text() for text in entries]
            drawn = [line for line in ax.get_lines() if line.get_label() in names]
            assert len(drawn) == len(entries) <= 6
            assert len({(line.get_color(), line.get_linestyle()) for line in legend.get_lines()}) == len(entries)
            box = legend.get_window_extent(renderer)
            assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
            assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1
            own = ax.get_window_extent(renderer)
            assert not any(box.overlaps(frame) for frame in frames if frame.bounds != own.bounds)
            assert own.width > 300
            if len(names) > 6:
                assert box.y0 >= own.y1 - 1  # not over the curves
    assert sorted(told) == sorted(wrapped(name) for name in names)


def test_a_name_is_written_in_lines_and_cut_after_three() -> None:
    assert wrapped("HT") == "HT"
    assert wrapped(" ") == " "
    lines = wrapped("three jets and two b tags " * 20).split("\n")
    assert len(lines) == 3
    assert max(map(len, lines)) <= 44
    assert lines[-1].endswith("…")


def test_of_many_gains_the_page_tells_the_foremost(made: Results) -> None:
    document = json.loads(json.dumps(made.document))
    gain = document["comparison"]["gains"][0]
    document["comparison"]["gains"] = [
        gain | {"seed": f"seed {i}", "reference": f"other {j}", "difference": i / 100}
        for i in range(9)
        for j in range(9)
    ]
    page = render(typed(document), {})
    assert page.count(" points against ") == 6
    assert "seed 8: +8.0" in page
    assert "The foremost of 81" in page


def test_the_point_at_the_target_has_the_total_errors(made: Results) -> None:
    ax = FIGURES["efficiency_vs_rate"].draw(made.content).axes[0]
    bars = [c for c in ax.containers if isinstance(c, ErrorbarContainer)]
    assert len(bars) == 3
    for bar, seed in zip(bars, made.document["comparison"]["seeds"], strict=True):
        along, up = bar.lines[2]
        (segment,) = along.get_segments()
        rate = [max(seed[f"rate_khz{key}"], 0) for key in ("", "_low", "_high")]
        assert segment[:, 0] == pytest.approx((100 - rate[0] + rate[1], 100 + rate[2] - rate[0]))
        (segment,) = up.get_segments()
        value, low, high = (seed[f"efficiency{key}"] for key in ("", "_error_total_low", "_error_total_high"))
        assert segment[:, 1] == pytest.approx((value - low, value + high))


def test_numbers_are_written_for_people() -> None:
    assert percent(0.12345) == "12.3"
    assert (number(0), number(12.345), number(123456.0, 2), number(1e-7, 2)) == ("0", "12.3", "123,456", "1e-07")
    assert microseconds(12475.3) == "12.48"


def test_tables_and_histograms_come_as_pandas_and_hist(made: Results) -> None:
    of_rates = RatesOfStudy.model_construct(**(dict(made.content.menu) | dict(made.content)))
    theirs, ours = tables(of_rates), made.tables
    assert {"menu", "rate", "comparison", "gains"} <= set(theirs) < set(ours)
    assert all(theirs[name].equals(ours[name]) for name in theirs)
    results, found = made.content, made.histograms
    assert results.stream is not None
    assert results.scores is not None
    latency = found["stream latency"]
    assert latency.sum() == results.stream.colliding
    (edges,) = latency.axes.edges
    assert (
        (edges[:-1] < results.stream.histogram.latency_ns) & (results.stream.histogram.latency_ns < edges[1:])
    ).all()
    for name, kind in results.scores.kinds.items():
        histogram = found[f"scores, {name}"]
        assert histogram.values().tolist() == kind.fraction
        assert np.sqrt(np.asarray(histogram.variances())) == pytest.approx(np.array(kind.error))
