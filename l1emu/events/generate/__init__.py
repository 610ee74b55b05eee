"""Samples made from a recipe: Pythia collisions, pile-up, tracks, towers, PUPPI candidates (extra: generate)."""

from typing import TYPE_CHECKING

from l1emu.lazy import lazily

if TYPE_CHECKING:
    from l1emu.events.generate.recipe import Recipe, load_recipe
    from l1emu.events.generate.run import generate

__all__ = ["Recipe", "generate", "load_recipe"]

__getattr__, __dir__ = lazily(__name__, {"recipe": ("Recipe", "load_recipe"), "run": ("generate",)})
