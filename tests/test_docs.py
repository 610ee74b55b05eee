"""The documentation: examples run, files that it names exist, and links lead somewhere."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from l1emu.report.figures import FIGURES

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
DOCTESTED = [page for page in PAGES if ">>> " in page.read_text(encoding="utf-8")]
# the door for users, and rooms that are a file a kind of layer, named as in `l1emu.layers`
BY_KIND = {"l1emu", "data", "kinds", "builders"}
# pages of the site that no file holds (`docs/site/hooks.py`)
MADE = {"changelog.md", "contributing.md", "datasets.md", "models.md", "python.md", "study-keys.md", "verbs.md"}
INDEXED = sorted(path for path in (ROOT / "l1emu").rglob("__init__.py") if path.parent.name not in BY_KIND)


@pytest.mark.parametrize("page", DOCTESTED, ids=lambda page: page.name)
def test_examples_give_what_they_show(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    done = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert done.attempted > 0
    assert done.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = {target for target in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in target}
    made = MADE if page == ROOT / "docs" / "index.md" else set()
    missing = [target for target in named - made if not (page.parent / target).exists()]
    if page.parent == ROOT / "docs" or page.name == "CONTRIBUTING.md":
        for name in re.findall(r"`((?:l1emu|tests|benchmarks)/[\w/.-]+\.(?:py|toml|txt|json))`", text):
            missing += [] if "X/" in name or (ROOT / name).exists() else [name]
    assert missing == []


def test_the_gallery_has_every_kind_of_figure() -> None:
    """Those of a study by their names, of each other module that draws as many as it has functions."""
    text = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"\(figures/(\w+)\.png\)", text))
    other = {
        "boards", "cms_turn_ons", "ht_rates", "quantize_bits", "quantize_pareto", "quantize_roofline", "ranges", "scan",
        "turn_on", "worst_moment",
    }  # fmt: skip
    assert shown == set(FIGURES) | other
    modules = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "l1emu" / "report").glob("*.py"))
    assert len(re.findall(r"^def draw_(?!limits)\w+\(", modules, re.MULTILINE)) == len(shown)


def test_the_way_of_a_jet_and_of_a_crossing_names_modules_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    names = re.findall(r"`((?:[a-z_]+/)+[a-z_]*(?:\.py)?)`", text)
    assert len(names) > 30
    homes = (ROOT, ROOT / "l1emu", ROOT / "l1emu" / "emulator")
    assert [name for name in names if not any((home / name).exists() for home in homes)] == []


@pytest.mark.parametrize("room", INDEXED, ids=lambda path: path.parent.name)
def test_a_room_begins_with_an_index_of_its_modules(room: Path) -> None:
    text = room.read_text(encoding="utf-8")
    index = text[: text.index('"""', 3)]
    inside = [path.stem for path in room.parent.glob("*.py") if path.stem not in ("__init__", "__main__")]
    inside += [path.parent.name for path in room.parent.glob("*/__init__.py")]
    assert [name for name in inside if not re.search(rf"\b{name}\b", index)] == []
