"""Figures of the verbs say what they hold for: clock and part, sample and normalisation."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from l1emu.events.sample import read_sample
from l1emu.latency.budget import read_budget
from l1emu.latency.check import check
from l1emu.latency.estimate import estimated_timing
from l1emu.report.bits import draw_bits, draw_pareto, draw_roofs
from l1emu.report.figures import FIGURES, draw_budget
from l1emu.report.stream import draw_worst_moment
from l1emu.report.style import STYLE
from l1emu.report.validation import draw_cms_turn_ons, draw_ht_rates
from l1emu.resources import resource
from l1emu.results import BudgetOfStudy
from l1emu.study import Results


def below(figure: Figure) -> str:
    return figure.get_supxlabel().replace("\n", " ")


def test_a_budget_names_clock_part_jets_and_where_its_cycles_are_from() -> None:
    plan = read_budget(resource("budgets/cms-phase2.yaml"))
    timing = estimated_timing(resource("models/jet-tagger/tagger.l1fw"), 360.0)
    found = BudgetOfStudy.model_validate(check(plan, timing).as_dict())
    with mpl.rc_context(STYLE):
        figure = draw_budget(found)
        canvas: Any = FigureCanvasAgg(figure)
        canvas.draw()
        told = below(figure)
        assert told.startswith(f"CMS Phase-2 Level-1. Tagger, estimate: {timing.latency_cycles} cycles at 360 MHz")
        assert f" on {found.part.name}; 12 jets on 2 copies; estimate for" in told
        ax, renderer = figure.axes[0], canvas.get_renderer()
        legend = ax.get_legend()
        assert legend is not None
        box, text = legend.get_window_extent(renderer), figure._supxlabel.get_window_extent(renderer)  # type: ignore[attr-defined]
        assert not box.overlaps(text)
        assert not box.overlaps(ax.get_window_extent(renderer))
        ticks = ax.xaxis.get_tightbbox(renderer)
        assert ticks is not None
        assert not box.overlaps(ticks)
        assert figure.bbox.y0 <= min(box.y0, text.y0)
    unnamed = found.model_copy(update={"part": found.part.model_copy(update={"name": None})})
    assert " on xcvu" not in below(draw_budget(unnamed)).split(";")[0]


RATES: dict[str, Any] = {
    "pileup": 200.0, "energy_tev": 14, "sample": "_minbias_$x", "crossings": 21965, "colliding_rate_khz": 31039.0,
    "tolerance": 0.2,
    "points": [
        {"threshold_gev": 120.0, "cms_khz": 500.0, "accepted_crossings": 9, "rate_khz_error": 5.0, "ratio": 1.1,
         "rate_khz_upper95": 600.0}
    ],
    "curve": {
        "threshold_gev": [100.0, 120.0], "rate_khz": [900.0, 550.0], "rate_khz_low": [890.0, 540.0],
        "rate_khz_high": [910.0, 560.0], "rate_khz_upper95": [920.0, 570.0], "accepted_crossings": [20, 9],
    },
}  # fmt: skip


@pytest.mark.parametrize(("energy", "title"), [(14, "31.039 MHz, PU 200, 14 TeV"), (None, "31.039 MHz, PU 200")])
def test_the_ht_rate_says_normalisation_pileup_energy_and_sample(energy: int | None, title: str) -> None:
    figure = draw_ht_rates(RATES | {"energy_tev": energy})
    assert figure.axes[0].get_title(loc="right") == title
    assert below(figure) == "_minbias_$x: 21,965 simulated crossings; bands: 68 %"


def test_turn_ons_say_theirs_and_end_at_one() -> None:
    names = ("ht", "jet barrel")
    curve = {"gen_gev": [50.0, 60.0], "efficiency": [0.5, None], "low": [0.4, 0.0], "high": [0.6, 1.0]}
    document = {
        "pileup": 200.0, "energy_tev": 14, "sample": "ttbar", "crossings": 5000,
        "points": [{"object": n, "threshold_gev": 40.0, "cms_gev": 55.0, "efficiency": 0.5} for n in names],
        "curves": [{"object": n, "threshold_gev": t, **curve} for n in names for t in (40.0, 30.0)],
    }  # fmt: skip
    figure = draw_cms_turn_ons(document)
    assert figure.axes[1].get_title(loc="right") == "PU 200, 14 TeV"
    assert below(figure) == "ttbar: 5,000 simulated crossings; bands: 68 %"
    assert [ax.get_xlabel() for ax in figure.axes] == [
        r"Generated $H_\mathrm{T}$ [GeV]", r"Generated $p_\mathrm{T}$, jets in the barrel [GeV]",
    ]  # fmt: skip
    assert max(figure.axes[0].get_yticks()) == 1
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["online 30 GeV", "online 40 GeV"]


def test_samples_are_told_in_words_and_not_by_the_names_of_their_files() -> None:
    words = [read_sample(resource(f"datasets/{name}.root")).words for name in ("minbias-pu200", "signal-hh4b-pu140")]
    assert words == ["minimum bias at pile-up 200", "HH → 4b at pile-up 140"]


def test_a_stream_says_how_much_of_which_was_simulated_and_of_what(made: Results) -> None:
    results = made.content
    assert results.stream is not None
    run = (
        f"{results.stream.orbits:,} orbits of {results.stream.topology}, filling {results.stream.filling_scheme}, seed"
    )
    figure = FIGURES["stream_latency"].draw(results)
    assert below(figure).startswith(run)
    assert figure.axes[0].get_title(loc="right") == "PU 200"
    assert below(draw_worst_moment(results.stream)).startswith(run)


@pytest.mark.parametrize("draw", [draw_bits, draw_pareto, draw_roofs])
@pytest.mark.parametrize(("reference", "name"), [("float", "the float network"), ("project", "the project as it is")])
def test_what_a_bit_costs_says_inputs_reference_and_part(draw: Any, reference: str, name: str) -> None:
    point = {
        "refused": None, "label": "all 8,4", "scanned": {"where": "all", "bits": 8, "integer": 4},
        "ratio": 0.98, "ratio_error": 0.01, "dsp": 100, "latency_cycles": 20, "products": 500, "input_bits": 80,
        "interval_ns": 5.0, "interval_cycles": 1, "bands": {"dsp": [90, 110], "latency_cycles": [18, 30]},
    }  # fmt: skip
    document = {
        "network": "_engine $x",
        "reference": reference, "reference_score": 0.86624, "measure": "area under ROC", "jets": 5000,
        "part": "xcvu13p", "available": {"DSP": 12288}, "points": [point],
    }  # fmt: skip
    assert below(draw(document)) == f"_engine $x, 5,000 inputs; reference: {name}, area under ROC 0.8662; xcvu13p"
    assert below(draw(document | {"part": None})).endswith("0.8662")


def test_layers_are_named_as_they_are_in_the_legend_of_bits() -> None:
    def point(where: str, bits: int) -> dict[str, Any]:
        scanned = {"where": where, "bits": bits, "integer": 4}
        return {"refused": None, "scanned": scanned, "ratio": 0.98, "ratio_error": 0.01}

    document = {
        "network": "n",
        "reference": "float", "reference_score": 0.9, "measure": "area under ROC", "jets": 50, "part": None,
        "points": [point(where, bits) for where in ("_first", "$x^$") for bits in (8, 12)],
    }  # fmt: skip
    with mpl.rc_context(STYLE):
        figure = draw_bits(document)
        canvas: Any = FigureCanvasAgg(figure)
        canvas.draw()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["$x^$: 4 integer bits", "_first: 4 integer bits"]
