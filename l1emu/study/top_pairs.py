"""Samples of top quark pairs, which turn-ons and the response of jets are held against CMS's with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from l1emu.errors import L1emuError
from l1emu.events.sample import Sample, read_sample
from l1emu.files import scratch_folder

TTBAR_RECIPE = "ttbar-pu200"


def read_top_pairs(sample: str | os.PathLike[str], pileup: float, what: str) -> Sample:
    """A sample with generator jets, at the pile-up of what it is compared with.

    Raises
    ------
    L1emuError
        if the sample is damaged, has no generator jets, or another pile-up than that of `what`.
    """
    source = read_sample(sample)
    if not source.has_truth:
        raise L1emuError(
            "a sample without generator jets", path=source.path, value=source.kind, expected="one of the kind signal"
        )
    if source.pileup != pileup:
        raise L1emuError(
            f"{what} are those of another pile-up",
            path=source.path,
            value=f"{source.pileup:g}",
            expected=f"a sample at pile-up {pileup:g}",
        )
    return source


@contextmanager
def made_top_pairs(cache: str | os.PathLike[str] | None = None, jobs: int = 1) -> Iterator[Path]:
    """The sample of the recipe for top quark pairs, made for the length of the block.

    Parameters
    ----------
    cache, jobs
        As for `l1emu.events.generate.generate`.

    Raises
    ------
    L1emuError
        if Pythia is needed and missing.
    """
    from l1emu.events.generate import generate, load_recipe
    from l1emu.events.generate.recipe import recipe_file

    recipe = load_recipe(recipe_file(TTBAR_RECIPE))
    with scratch_folder("l1emu-top-pairs") as folder:
        sample = Path(folder) / f"{TTBAR_RECIPE}.root"
        generate(recipe, sample, cache=cache, jobs=jobs)
        yield sample
