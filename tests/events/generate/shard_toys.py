"""Recipes of a few thousand crossings, and pools for them without Pythia."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import uproot
import yaml

from l1emu.events.generate import generate, load_recipe
from l1emu.events.generate import pools as pools_module
from l1emu.events.generate.recipe import SampleRecipe

SOFT = {"name": "soft", "settings": ["SoftQCD:inelastic = on"], "veto_pt_hat_gev": 20, "events": 40}
HARD = {"name": "qcd-20", "settings": ["HardQCD:all = on"], "pt_hat_gev": [20], "events": 30}
RECIPE: dict[str, Any] = {"name": "toy", "kind": "minbias", "seed": 3, "pool_seed": 4, "energy_tev": 14}
SIGNAL = [
    {"name": "bb", "settings": ["HardQCD:hardbbbar = on"], "pt_hat_gev": [40, 80], "events": 30, "crossings": 2600},
    {"name": "cc", "settings": ["HardQCD:hardccbar = on"], "pt_hat_gev": [40, 80], "events": 30, "crossings": 700},
]


def recipe_of(folder: Path, kind: str, **changes: Any) -> SampleRecipe:
    """Seventeen blocks of crossings, two of them of fewer crossings than the others."""
    crossings = (3100, 820) if kind == "minbias" else (0, 0)
    bins = [bin_ | {"crossings": number} for bin_, number in zip((SOFT, HARD), crossings, strict=True)]
    document = RECIPE | {"kind": kind, "pileup": {"mean": 20, "sigma_z_cm": 5.0, "collisions": bins}} | changes
    if kind != "minbias":
        document.setdefault("hard", SIGNAL)
    if kind == "jets":
        document.setdefault("jets", {"min_pt_gev": 15, "max_abs_eta": 2.4, "max_per_class": 900})
    path = folder / f"{kind}.yaml"
    path.write_text(yaml.safe_dump(document))
    return load_recipe(path)


def write_toy_pools(recipe: SampleRecipe, cache: Path) -> None:
    """The chunks that Pythia would fill, each collision with some particles and the jet that the first of them make."""
    for number, process in enumerate(recipe.processes):
        rng = np.random.default_rng(number)
        count = rng.integers(5, 15, process.events)
        n, scale = int(count.sum()), 1.0 if number == 0 else 12.0
        particle = rng.integers(0, 5, n)
        charge = np.where(particle < 3, rng.choice([-1, 1], n), 0)
        jets = rng.integers(1, 3, process.events)
        m = int(jets.sum())
        arrays = {
            "pt": 0.5 + rng.exponential(scale, n), "eta": rng.uniform(-2.4, 2.4, n), "phi": rng.uniform(-3, 3, n),
            "bend": np.zeros(n), "d0_cm": rng.normal(0, 0.01, n), "z0_cm": np.zeros(n), "particle": particle,
            "charge": charge, "count": count, "jet_count": jets, "jet_pt": 20 + rng.exponential(30, m),
            "jet_eta": rng.uniform(-2, 2, m), "jet_phi": rng.uniform(-3, 3, m), "jet_flavour": rng.integers(0, 4, m),
        }  # fmt: skip
        folder = pools_module._pool_folder(process, recipe, cache)
        folder.mkdir(parents=True)
        np.savez(
            folder / f"0000-{process.events}.npz",
            sigma_mb=np.array(80.0 if number == 0 else 0.8),
            pythia8mc=np.array("8.317.2"),
            **{name: values.astype(pools_module._DTYPES[name]) for name, values in arrays.items()},
        )


def basket_bytes(path: Path) -> dict[str, list[bytes]]:
    """The compressed content of all baskets, without the keys before them, in which the date stands."""
    data, found = path.read_bytes(), {}
    with uproot.open(path) as file:
        for branch in file["crossings"].branches:
            seeks, sizes = branch.member("fBasketSeek"), branch.member("fBasketBytes")
            baskets = [data[s : s + n] for s, n in zip(seeks, sizes, strict=True)][: branch.num_baskets]
            found[branch.name] = [basket[struct.unpack(">h", basket[14:16])[0] :] for basket in baskets]
    return found


def toys_in_one_go(folder: Path) -> Path:
    """The folder, with toy pools in `cache`, recipes, and each kind of sample made in one go."""
    write_toy_pools(recipe_of(folder, "signal"), folder / "cache")
    for kind, suffix in (("minbias", "root"), ("signal", "root"), ("jets", "npz")):
        generate(recipe_of(folder, kind), folder / f"{kind}.{suffix}", cache=folder / "cache", jobs=2)
    return folder
