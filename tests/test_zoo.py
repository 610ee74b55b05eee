"""The table of all models is what their cards and firmware say."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent


def zoo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("zoo_of_docs", ROOT / "docs" / "site" / "zoo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_script_makes_of_the_cards() -> None:
    module = zoo()
    assert module.PAGE.read_text(encoding="utf-8") == module.zoo_page(), "run `python docs/site/zoo.py`"
    page = module.zoo_page()
    for folder in module.models():
        assert page.count(f"| {folder.name} |") == 1
        assert f"`l1emu train {folder.name} " in page


def test_every_model_stands_beside_its_papers_figures() -> None:
    """Each figure has a source, and a model without any says so."""
    module = zoo()
    papers = module.papers()
    assert sorted(papers) == [folder.name for folder in module.models()]
    for name, paper in papers.items():
        given = paper["paper"] != "no figures of the kind"
        assert set(paper) == {"after", "paper", "differs"} | ({"source"} if given else set()), name
        assert not given or any(letter.isdigit() for letter in paper["paper"]), name
        assert ("†" in paper["paper"]) == ("†" in paper.get("source", "")), f"{name}: quoted figures name who quotes"
