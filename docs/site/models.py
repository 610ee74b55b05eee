"""The models that come with l1emu, by their cards."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]

MODELS = sorted(card.parent.name for card in (ROOT / "models").glob("*/card.md"))


def models_page() -> str:
    """The page, in Markdown."""
    told = [
        "# The models that come with l1emu\n",
        "What each was made with and how well it does; [how](training.md).\n",
    ]
    for name in MODELS:
        card = (ROOT / "models" / name / "card.md").read_text(encoding="utf-8")
        below = card.split("\n", 1)[1] if card.startswith("# ") else card
        told += [f"## {name}\n", below.replace("\n## ", "\n### ").strip() + "\n"]
    return "\n".join(told)
