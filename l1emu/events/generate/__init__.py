"""Samples made from a recipe: Pythia collisions, pile-up, tracks, towers, PUPPI candidates (extra: generate).

clusters       from towers to clusters, and the words of them that the correlator receives
crossings      bunch crossings: collisions drawn from pools, stacked, read out and reconstructed, block by seeded block
detector       from collisions to tracks and calorimeter towers
drawing        lists of collisions: drawn within a slice of the pools, and scored by the generator's jets
layer1         from tracks and towers to candidates: the correlator's words all the way
layout         the blocks of a recipe's crossings, and which of them a part of the sample has
pools          pools of Pythia 8 collisions
recipe         the schema of a recipe: everything that determines a generated sample, as data
response       CMS's energy corrections of clusters, and what is seen of a hadron
run            a recipe made into a file: stratified min-bias or signal crossings (ROOT), or training jets (npz)
scoring        scores of Level-1 jets by a recipe's tagger, for rules of thinning
shards         a recipe's sample in parts: made each by itself, merged or left as several files
sliced         a block of crossings from one slice of the pools: drawn, thinned by their generator jets, and made
tally          what a file of a sample has: counted while its crossings are made
thinning       which crossings are kept, with which weight
training_jets  Level-1 jets of hard processes, labelled by the generator's
truth          generator jets and their flavour: what a Level-1 jet is compared with
tunes          tunes of Pythia 8
"""

from typing import TYPE_CHECKING

from l1emu.lazy import lazily

if TYPE_CHECKING:
    from l1emu.events.generate.recipe import SampleRecipe, load_recipe
    from l1emu.events.generate.run import generate

__all__ = ["SampleRecipe", "generate", "load_recipe"]

__getattr__, __dir__ = lazily(__name__, {"recipe": ("SampleRecipe", "load_recipe"), "run": ("generate",)})
