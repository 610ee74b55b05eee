"""Samples made from a recipe: Pythia collisions, pile-up, tracks, towers, PUPPI candidates (extra: generate)."""

from l1emu.events.generate.recipe import Recipe, load_recipe
from l1emu.events.generate.run import generate

__all__ = ["Recipe", "generate", "load_recipe"]
