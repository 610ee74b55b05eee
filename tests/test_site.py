"""The documentation's site: it builds without a warning, notebooks run, and every key of a study has an example."""

from __future__ import annotations

import html.parser
import importlib.util
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.report.browsers import a_browser, barriers

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="needs the extra docs")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    settings = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "MPLBACKEND": "Agg"}
    done = subprocess.run(words, cwd=ROOT, env=settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Tables(html.parser.HTMLParser):
    """The rows of all tables, each a list of the texts of its cells; and what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.loaded: list[str] = []
        self._in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True
        elif tag in ("script", "img", "link"):
            found = dict(attrs)
            self.loaded += [found.get("src") or found.get("href") or ""]

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] += data


def parsed(page: Path) -> Tables:
    tables = Tables()
    tables.feed(page.read_text(encoding="utf-8"))
    return tables


def test_notebooks_are_run_and_show_what_they_found(site: Path) -> None:
    for page in ("tutorial.html", "rates.html"):
        text = (site / page).read_text(encoding="utf-8")
        assert "Traceback" not in text
    tutorial = (site / "tutorial.html").read_text(encoding="utf-8")
    assert "identical:" in tutorial
    assert "three jets, two b tags" in tutorial
    assert "copies needed" in tutorial
    assert "Firmware tagger" in (site / "rates.html").read_text(encoding="utf-8")


def test_every_key_of_a_study_has_a_type_and_an_example(site: Path) -> None:
    rows = [row for row in parsed(site / "study-keys.html").rows if len(row) == 5]
    keys = [row for row in rows if row[0] not in ("key", "any other")]
    assert len(keys) > 280
    assert [row for row in keys if not row[1].strip() or not row[4].strip()] == []
    units = {row[0]: row[2] for row in keys}
    wanted = {"energy_tev": "TeV", "target_khz": "kHz", "delta_phi_max": "rad", "missing": "cm", "pt_min_gev": "GeV"}
    assert {key: units[key] for key in wanted} == wanted


def test_every_verb_and_the_python_names_are_there(site: Path) -> None:
    verbs = (site / "verbs.html").read_text(encoding="utf-8")
    python = (site / "python.html").read_text(encoding="utf-8")
    assert all(f"l1emu {verb}" in verbs for verb in ("run", "batch plan", "emulate", "estimate"))
    assert all(name in python for name in ("Emulator", "read_report", "measure_rates", "plan_batch"))


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for page in site.glob("*.html"):
        loaded = [name for name in parsed(page).loaded if name.startswith(("http", "//"))]
        assert loaded == [], page


def barriers_of(pages: Sequence[Path], profile: Path, widths: Sequence[int] = (1400,)) -> dict[str, list[str]]:
    """What axe finds on pages, light and dark, by page, ground and width; and whether they are scrolled sideways."""
    found: dict[str, list[str]] = {}
    for dark, scheme in ((False, "default"), (True, "slate")):
        with a_browser(profile / scheme) as browser:
            browser.open(pages[0], dark=dark)  # the theme remembers the ground that it finds first
            for _ in range(300):
                if browser.js("return JSON.stringify(localStorage).includes(arguments[0])", scheme):
                    break
                time.sleep(0.1)
            for page, width in itertools.product(pages, widths):
                browser.open(page, dark=dark, width=width)
                told, rules = barriers(browser)
                ground = browser.js("return document.body.dataset.mdColorScheme")
                assert (rules > 15, ground) == (True, scheme), page
                if browser.js("return document.documentElement.scrollWidth > innerWidth"):
                    told.append("wider than its window")
                found |= {f"{page.name}, {scheme}, {width}": told} if told else {}
    return found


def test_pages_have_no_barriers(site: Path, tmp_path: Path) -> None:
    """One with tables, pictures and code, and a notebook; all others below."""
    assert barriers_of([site / "gallery.html", site / "tutorial.html"], tmp_path) == {}


@pytest.mark.exhaustive
def test_no_page_has_barriers(site: Path, tmp_path: Path) -> None:
    pages = sorted(set(site.glob("*.html")) - {site / "404.html"})
    assert len(pages) > 30
    assert barriers_of(pages, tmp_path, (390, 1400)) == {}
