"""An ntuple of simulated crossings with the number of collisions in each, for rates against pile-up.

python docs/examples/pileup_ntuple.py minbias_npu.root --crossings 40000    (extra `generate`)

Crossings are mixed as they come, without strata, from the collisions of the recipe `minbias-pu200`; the tree has jets
of the Level-1 chain and `Pileup_nPU`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import awkward as ak
import numpy as np
import uproot

from l1emu.events.calibration import read_calibration
from l1emu.events.generate.crossings import FIELDS, Mixture, block_generator, draw_counts, make_counted, mean_collisions
from l1emu.events.generate.recipe import load_recipe
from l1emu.events.generate.run import pools_of
from l1emu.events.jets import build_jets
from l1emu.resources import resource

BLOCK = 1000
SEED = 20261128


def main() -> None:
    """Read the words, mix the crossings, write the tree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--crossings", type=int, default=40_000)
    parser.add_argument("--cache", type=Path, help="folder of Pythia's collisions, used again")
    words = parser.parse_args()
    recipe = load_recipe(resource("datasets/recipes/minbias-pu200.yaml"))
    calibration = read_calibration(resource("datasets/calibration-pu200.yaml"))
    pools = pools_of(recipe.pileup.collisions, recipe, words.cache, jobs=1)
    means, mixture = mean_collisions(pools, recipe.pileup.mean), Mixture.of(pools)
    with uproot.recreate(words.file) as file:
        for number in range(words.crossings // BLOCK):
            rng = block_generator((SEED, number))
            counts = draw_counts(rng, means, BLOCK, stratum=None)
            block = make_counted(rng, mixture, counts, recipe.pileup.sigma_z_cm, buffered=recipe.buffered)
            columns = {name: block.candidates[:, k] for k, name in enumerate(FIELDS)}
            jets = build_jets(ak.unflatten(ak.zip(columns), block.counts), min_pt_gev=6).table(calibration)
            branches = {
                "Jet": ak.zip({name: ak.values_astype(jets[name], np.float32) for name in ("pt", "eta", "phi")}),
                "Pileup_nPU": ak.Array(counts.sum(axis=1).astype(np.int32)),
            }
            if number == 0:
                file.mktree("Events", {name: values.type.content for name, values in branches.items()})
            file["Events"].extend(branches)


if __name__ == "__main__":
    main()
