"""The page in a real browser: what is clicked, read, copied, enlarged and printed, and that nothing else is loaded."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from l1emu.report import write_report
from l1emu.report.page import MOST_BYTES
from l1emu.study import Results
from tests.report.browsers import Browser, a_browser, barriers
from tests.report.changed import typed, with_seeds, without_signals

HOSTILE = [
    "</script><script>document.title='taken'</script>",
    '"><img src=x onerror="document.title=\'taken\'">',
    "_hidden & <b>bold</b>",
    "${document.title='taken'} {{ 7*7 }}",
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with a_browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def page(made: Results) -> Path:
    return made.folder / "report.html"


def written(document: dict[str, Any], folder: Path) -> Path:
    folder.mkdir()
    write_report(typed(document), folder)
    return folder / "report.html"


def sideways(browser: Browser) -> int:
    return int(browser.js("return document.documentElement.scrollWidth - innerWidth"))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 820, 1400])
def test_the_page_fits_loads_nothing_and_complains_of_nothing(
    browser: Browser, page: Path, width: int, dark: bool
) -> None:
    browser.open(page, width=width, dark=dark)
    assert sideways(browser) <= 0
    assert browser.complaints() == []
    assert set(browser.requests()) == {page.as_uri()}
    ink, paper = (
        sum(map(int, browser.js(f"return getComputedStyle({of}).{what}").strip("rgb()").split(",")))
        for of, what in (("document.querySelector('.drawing svg')", "fill"), ("document.body", "backgroundColor"))
    )
    assert (ink > 600 and paper < 100) if dark else (ink < 150 and paper > 700)
    spine = browser.js("return getComputedStyle(document.querySelector('.drawing [stroke=\"#000000\"]')).stroke")
    assert (sum(map(int, spine.strip("rgb()").split(","))) > 600) is dark


@pytest.mark.parametrize(("width", "dark"), [(390, True), (820, False), (1400, False), (1400, True)])
def test_the_page_has_no_barriers(browser: Browser, page: Path, width: int, dark: bool) -> None:
    """By axe, which looks at contrast, names, roles, headings and what a keyboard reaches."""
    browser.open(page, width=width, dark=dark)
    found, rules = barriers(browser)
    assert found == []
    assert rules > 25  # of those that there is something for


def test_axe_sees_a_barrier(browser: Browser, page: Path, tmp_path: Path) -> None:
    """Words without contrast, and a picture without words."""
    bad = tmp_path / "bad.html"
    text = page.read_text(encoding="utf-8").replace("<main>", "<main><img src='data:,'>", 1)
    bad.write_text(text.replace("--soft: #555c6b", "--soft: #d0d0d0"), encoding="utf-8")
    browser.open(bad)
    found, _ = barriers(browser)
    assert any("alternate text" in line for line in found)


def test_nor_has_that_of_other_seeds(browser: Browser, made: Results, tmp_path: Path) -> None:
    browser.open(written(with_seeds(made.document, HOSTILE), tmp_path / "other"), width=390)
    found, _ = barriers(browser)
    assert found == []


def column(browser: Browser, table: str, number: int) -> list[str]:
    cells = browser.all(f"#{table} tbody tr > :nth-child({number})")
    return [str(cell.get_attribute("textContent")).strip() for cell in cells]


def test_tables_are_sorted_by_numbers_and_keep_their_total(browser: Browser, page: Path) -> None:
    browser.open(page)
    heads = browser.all("#seeds-table thead th")
    at = next(k for k, head in enumerate(heads) if head.text.startswith("signal efficiency"))
    for way, turn in (("ascending", 1), ("descending", -1)):
        browser.press(heads[at].find_element("css selector", "button"))
        assert heads[at].get_attribute("aria-sort") == way
        values = [float(text) for text in column(browser, "seeds-table", at + 1)]
        assert values == sorted(values)[::turn]
        assert len(set(values)) > 1
    browser.press(heads[0].find_element("css selector", "button"))
    assert [head.get_attribute("aria-sort") for head in heads] == ["ascending"] + [None] * (len(heads) - 1)
    names = column(browser, "seeds-table", 1)
    assert names == sorted(names, key=str.lower)
    browser.press(browser.all("#menu-table thead button")[0])
    assert browser.all("#menu-table tr")[-1].text.startswith("total")


def test_a_table_is_copied_as_csv(browser: Browser, page: Path) -> None:
    browser.open(page)
    allowed = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    browser.driver.execute_cdp_cmd("Browser.grantPermissions", allowed)
    browser.press(browser.find('[data-tools="seeds-table"] button'))
    wait = "const done = arguments[0]; navigator.clipboard.readText().then(done, (error) => done(String(error)))"
    rows = list(csv.reader(io.StringIO(browser.driver.execute_async_script(wait))))
    assert rows[0][:2] == ["seed", "threshold"]
    assert [row[0] for row in rows[1:]] == column(browser, "seeds-table", 1)
    assert [row[-1] for row in rows[1:]] == column(browser, "seeds-table", len(rows[0]))


def test_the_numbers_come_along_with_the_page(browser: Browser, page: Path, tmp_path: Path) -> None:
    browser.open(page)
    where = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.driver.execute_cdp_cmd("Browser.setDownloadBehavior", where)
    browser.press(browser.find('#efficiency_vs_rate a[download="rate.csv"]'))
    for _ in range(100):
        if (tmp_path / "rate.csv").is_file():
            break
        browser.driver.execute_async_script("setTimeout(arguments[0], 50)")
    assert (tmp_path / "rate.csv").read_bytes() == (page.parent / "tables" / "rate.csv").read_bytes()
    assert browser.complaints() == []


def shown(browser: Browser, series: int) -> set[str]:
    script = (
        'return [...document.querySelectorAll(`#efficiency_vs_rate [data-panel][data-series="${arguments[0]}"]`)]'
        ".map((part) => getComputedStyle(part).display)"
    )
    return set(browser.js(script, series))


def test_seeds_are_shown_and_hidden(browser: Browser, page: Path) -> None:
    browser.open(page)
    toggles = browser.all("#efficiency_vs_rate .controls [aria-pressed]")
    assert [toggle.text for toggle in toggles] == ["HT", "four jets", "two b"]
    assert shown(browser, 1) == shown(browser, 2) == {"inline"}
    browser.press(toggles[1])
    assert toggles[1].get_attribute("aria-pressed") == "false"
    assert shown(browser, 1) == {"none"}
    assert shown(browser, 2) == {"inline"}
    buttons = {button.text: button for button in browser.all("#efficiency_vs_rate .controls button")}
    browser.press(buttons["None"])
    assert shown(browser, 0) == shown(browser, 2) == {"none"}
    browser.press(buttons["All"])
    assert {toggle.get_attribute("aria-pressed") for toggle in toggles} == {"true"}
    assert shown(browser, 1) == {"inline"}


def point_at(browser: Browser, figure: str, x: float, y: float) -> None:
    """Move the mouse to a place in units of the figure's own."""
    script = (
        "const svg = document.querySelector(`#${arguments[0]} .drawing svg`);"
        "svg.scrollIntoView({block: 'center', behavior: 'instant'});"
        "const at = new DOMPoint(arguments[1], arguments[2]).matrixTransform(svg.getScreenCTM());"
        "return [at.x, at.y]"
    )
    at_x, at_y = browser.js(script, figure, x, y)
    event = {"type": "mouseMoved", "x": at_x, "y": at_y, "buttons": 0}
    browser.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)


def data_of(browser: Browser, figure: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(browser.find(f"#data-{figure}").get_attribute("textContent"))
    return found


def test_values_are_read_where_the_mouse_is(browser: Browser, page: Path, made: Results) -> None:
    browser.open(page)
    (panel,) = data_of(browser, "efficiency_vs_rate")["panels"]
    inside = [s for s in panel["spots"] if panel["box"][0] < s[0] < panel["box"][2] and s[1] > panel["box"][1]]
    spot = inside[len(inside) // 2]
    point_at(browser, "efficiency_vs_rate", spot[0], spot[1])
    tip = browser.find("#efficiency_vs_rate .tip")
    assert tip.is_displayed()
    name = ["HT", "four jets", "two b"][spot[2]]
    assert tip.text == f"{name}\n{spot[3]}"
    known = [p for p in made.document["rate"] if p["seed"] == name]
    assert any(f"{p['rate_khz']:.3g} kHz" in tip.text and f"{p['threshold']:.4g}" in tip.text for p in known)
    point_at(browser, "efficiency_vs_rate", 1, 1)
    assert not tip.is_displayed()
    bar = data_of(browser, "budget")["panels"][0]["spots"][1]
    point_at(browser, "budget", (bar[0] + bar[4]) / 2, (bar[1] + bar[5]) / 2)
    assert browser.find("#budget .tip").text == bar[3].strip()
    browser.js("document.querySelector('#scores .drawing').focus()")
    browser.driver.switch_to.active_element.send_keys("\ue014")  # right arrow
    spots = data_of(browser, "scores")["panels"][0]["spots"]
    assert browser.find("#scores .tip").text.endswith(spots[0][3])


def test_a_panel_is_enlarged_and_made_whole_again(browser: Browser, page: Path) -> None:
    browser.open(page)
    box = data_of(browser, "efficiency_vs_rate")["panels"][0]["box"]
    read = (
        "return [...document.querySelectorAll('#efficiency_vs_rate [data-panel] path')].map((p) => p.getAttribute('d'))"
    )
    whole = browser.js(read)
    at = [box[0] + 0.25 * (box[2] - box[0]), box[1] + 0.5 * (box[3] - box[1])]
    to = [box[0] + 0.75 * (box[2] - box[0]), box[1] + 0.75 * (box[3] - box[1])]
    place = (
        "const at = new DOMPoint(arguments[0], arguments[1]).matrixTransform("
        "document.querySelector('#efficiency_vs_rate .drawing svg').getScreenCTM()); return [at.x, at.y]"
    )
    point_at(browser, "efficiency_vs_rate", *at)
    for kind, where in (("mousePressed", at), ("mouseMoved", to), ("mouseReleased", to)):
        x, y = browser.js(place, *where)
        event = {"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1}
        browser.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)
    assert browser.js(read) != whole
    labels = [tick.get_attribute("textContent") for tick in browser.all("#efficiency_vs_rate .tick")]
    assert len(labels) >= 4
    shares = [float(text) for text in labels if float(text) < 1]
    assert shares
    assert 0 < min(shares) < max(shares) < 0.75
    (button,) = (b for b in browser.all("#efficiency_vs_rate .controls button") if b.text == "Whole figure")
    browser.press(button)
    assert browser.js(read) == whole
    assert browser.all("#efficiency_vs_rate .tick") == []
    assert browser.complaints() == []


def test_names_of_a_study_are_text_everywhere(browser: Browser, made: Results, tmp_path: Path) -> None:
    document = with_seeds(made.document, HOSTILE)
    document["study"] = HOSTILE[0] + "x" * 10_000
    page = written(document, tmp_path / "hostile")
    browser.open(page, width=390)
    assert browser.js("return document.title").startswith("</script>")
    assert browser.complaints() == []
    assert set(browser.requests()) == {page.as_uri()}
    assert sideways(browser) <= 0
    toggles = browser.all("#efficiency_vs_rate .controls [aria-pressed]")
    assert [toggle.get_attribute("textContent") for toggle in toggles] == HOSTILE
    assert column(browser, "menu-table", 1) == HOSTILE
    point = data_of(browser, "rate_vs_threshold")["panels"][0]["spots"][3]
    point_at(browser, "rate_vs_threshold", point[0], point[1])
    assert browser.js("return document.title").startswith("</script>")
    assert len(browser.find("h1").text) < 500


def test_many_seeds_with_long_names_still_make_a_page(browser: Browser, made: Results, tmp_path: Path) -> None:
    names = [f"{i} " + "n" * 10_000 for i in range(3)] + [f"L1_Seed_{i}_with_a_long_name" for i in range(37)]
    page = written(with_seeds(made.document, names), tmp_path / "many")
    assert page.stat().st_size < MOST_BYTES
    browser.open(page, width=390)
    assert sideways(browser) <= 0
    assert browser.complaints() == []
    assert len(browser.all("#menu-table tbody tr")) == 40


def test_a_study_without_signals_has_a_page(browser: Browser, made: Results, tmp_path: Path) -> None:
    page = written(without_signals(made.document), tmp_path / "rates")
    browser.open(page)
    assert browser.complaints() == []
    assert "What does the menu take?" in browser.find("main").text
    assert browser.all("#rate_vs_threshold .drawing svg")


def test_without_scripts_every_figure_is_there(browser: Browser, page: Path) -> None:
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.open(page)
        drawings = browser.all("figure .drawing > svg")
        assert len(drawings) == len(browser.all("figure")) >= 6
        assert all(drawing.size["width"] > 500 for drawing in drawings)
        assert all(len(drawing.get_attribute("aria-label")) > 40 for drawing in drawings)
        assert not any(controls.is_displayed() for controls in browser.all(".controls"))
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_nothing_is_cut_in_print(browser: Browser, page: Path) -> None:
    """Of A4 with margins 703 pixels are left."""
    browser.open(page, width=703, media="print", dark=True)
    assert sideways(browser) <= 0
    widest = (
        "return Math.max(...[...document.querySelectorAll('table, svg')].map((e) => e.getBoundingClientRect().right))"
    )
    assert browser.js(widest) <= 704
    assert not any(controls.is_displayed() for controls in browser.all(".controls, .tools"))
    overflow = "return getComputedStyle(document.querySelector('.scroll')).overflowX"
    assert browser.js(overflow) == "visible"
    assert browser.js("return getComputedStyle(document.querySelector('.drawing svg')).fill") == "rgb(27, 31, 39)"


def test_headings_contents_and_tables_are_in_order_for_who_hears_them(browser: Browser, page: Path) -> None:
    browser.open(page)
    levels = [int(heading.tag_name[1]) for heading in browser.all("h1, h2, h3, h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    links = browser.all("nav a")
    places = [
        browser.js("return document.querySelector(arguments[0]).offsetTop", a.get_attribute("hash")) for a in links
    ]
    assert places == sorted(places)
    assert len(links) >= 12
    for table in browser.all("table"):
        assert table.find_elements("css selector", "caption")[0].get_attribute("textContent").strip()
        assert all(head.get_attribute("scope") in ("col", "row") for head in table.find_elements("css selector", "th"))
    terms = browser.all(".term")
    assert {term.get_attribute("hash") for term in terms} >= {"#term-bx", "#term-ii", "#term-working-point"}
    assert browser.all("#term-working-point")
