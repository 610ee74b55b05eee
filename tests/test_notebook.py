"""What a notebook shows: reprs as HTML with every text escaped, and the notebook of the documentation, run."""

from __future__ import annotations

import html.parser
import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

import l1emu
from l1emu import Emulator, Firmware
from l1emu.events.sample import read_sample
from l1emu.events.sources import open_source
from l1emu.latency import TaggerTiming, check, read_budget
from l1emu.notebook import html_facts, html_rows
from l1emu.resources import resource
from l1emu.trigger import Crossings

NOTEBOOK = Path(__file__).parent.parent / "docs" / "rates.ipynb"


class Cells(html.parser.HTMLParser):
    """The texts of a table's cells, and whether tags are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not attrs
        self.open.append(tag)
        if tag in ("td", "th", "caption"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.cells[-1] += data


def cells(text: str) -> list[str]:
    parser = Cells()
    parser.feed(text)
    assert parser.open == []
    return parser.cells


def test_texts_are_escaped() -> None:
    evil = "<script>alert('&')</script>"
    assert cells(html_facts(evil, {evil: evil, "n": 3})) == [evil, evil, evil, "n", "3"]
    assert cells(html_rows(evil, [evil, "b"], [[1.5, evil]])) == [evil, evil, "b", "1.5", evil]


def test_firmware_and_emulator_show_what_they_are() -> None:
    firmware = Firmware.read(resource("models/jet-tagger/tagger.l1fw"))
    assert repr(firmware).startswith("<Firmware tagger (Vitis): constituents (16, 12) ap_fixed<10,4> -> ")
    assert repr(firmware).endswith(f", {len(firmware.layers)} layers>")
    shown = cells(firmware._repr_html_())
    assert firmware.content_hash in shown
    assert "constituents (16, 12) ap_fixed<10,4>" in shown
    named = replace(firmware, name="<b>")
    assert "<b>" not in named._repr_html_()
    emulator = Emulator(firmware, threads=1, target="exact")
    assert repr(emulator) == "<Emulator of tagger: exact, 1 thread>"
    assert "exact" in cells(emulator._repr_html_())


def test_the_notebook_of_the_documentation_runs() -> None:
    """Its code cells, one after the other, in one namespace; what the last line of each gives is shown."""
    mpl.use("Agg")
    document = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    code = ["".join(cell["source"]) for cell in document["cells"] if cell["cell_type"] == "code"]
    assert sum(line.strip() != "" for text in code for line in text.splitlines()) <= 12
    assert all(cell.get("outputs", []) == [] for cell in document["cells"])
    names: dict[str, Any] = {}
    for text in code:
        exec(compile(text, str(NOTEBOOK), "exec"), names)
    found = names["found"]
    shown = cells(found._repr_html_())
    for seed in found.seeds:
        assert seed.name in shown
    assert repr(found).startswith(f"<RatesOfStudy of {found.study}: {len(found.seeds)} seeds, ")
    assert np.isfinite(found.total.rate_khz)


def test_what_was_chosen_for_each_layer_is_a_table_and_a_short_repr() -> None:
    found = Emulator(Firmware.read(resource("models/jet-tagger/tagger.l1fw"))).explain()
    assert len(repr(found)) < 120
    assert f"{found.macs:,}" in repr(found)
    cells = Cells()
    cells.feed(found._repr_html_())
    assert cells.open == []
    assert {row.layer for row in found.rows} <= set(cells.cells)


def test_an_opened_file_says_what_is_in_it() -> None:
    source = open_source(resource("datasets/signal-hh4b-pu200.root"))
    assert repr(source) == "<Source of 10,000 crossings in 1 file of l1emu-packed>"
    cells = Cells()
    cells.feed(source._repr_html_())
    assert cells.open == []
    assert {field.name for field in source.fields} <= set(cells.cells)


def public_classes() -> list[type]:
    """What the rooms give to their users: every class of the reference's pages."""
    rooms = (
        "batch", "cmssw", "events", "events.generate", "events.objects", "events.sources", "firmware", "latency",
        "latency.estimate", "results", "stream", "study", "taggers", "trigger",
    )  # fmt: skip
    modules = [l1emu, *(import_module(f"l1emu.{room}") for room in rooms)]
    found = [getattr(m, name) for m in modules for name in getattr(m, "__all__", vars(m)) if name[:1].isupper()]
    return [
        c for c in found if isinstance(c, type) and c.__module__.startswith("l1emu") and not issubclass(c, Exception)
    ]


def test_every_public_class_shows_itself_in_a_notebook() -> None:
    classes = public_classes()
    assert len(classes) > 120
    assert [c.__name__ for c in classes if not hasattr(c, "_repr_html_")] == []
    assert [c.__name__ for c in classes if not any("__repr__" in vars(k) for k in c.__mro__[:-1])] == []


def test_a_long_value_is_shown_in_short() -> None:
    sample = read_sample(resource("datasets/minbias-pu200.root"))
    budget = read_budget(resource("budgets/cms-phase2.yaml"))
    checked = check(budget, TaggerTiming(100, 8, 360.0, "x" * 10_000, "stated"))
    crossings = Crossings(np.zeros(9, np.int64), np.full(9, -1), ("all",), np.ones(1))
    for shown in (sample, next(sample.iterate(5)), budget, checked, checked.timing, crossings):
        assert len(repr(shown)) <= 300
        assert repr(shown).startswith(f"<{type(shown).__name__}: ")
        assert len(cells(shown._repr_html_())) > 5
    assert "stratum=int64 (9,)" in repr(crossings)
