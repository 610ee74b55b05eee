"""Scores of Level-1 jets by a recipe's tagger, for rules of thinning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.events.features import CONSTITUENTS, FEATURES
from l1emu.events.generate.recipe import SampleRecipe
from l1emu.events.generate.thinning import Scorer
from l1emu.files import sha256_file
from l1emu.firmware import Firmware
from l1emu.resources import resolve

TAGGER = "tagger"
"""Among the versions of a sample: the SHA-256 of the firmware that thinned it."""


def tagger_version(recipe: SampleRecipe) -> dict[str, str]:
    """What tells the firmware of a recipe's tagger from others, among the versions of a sample; nothing without one.

    Raises
    ------
    L1emuError
        if the firmware is absent.
    """
    rules = None if recipe.thin is None else recipe.thin.level1
    if rules is None or rules.tagger is None:
        return {}
    return {TAGGER: sha256_file(resolve(rules.tagger, Path()))}


def scorer_of(recipe: SampleRecipe) -> Scorer | None:
    """What scores the jets of a recipe whose rules ask for scores, None of others.

    Raises
    ------
    L1emuError
        if the firmware is absent, takes other inputs than the default tagger's, or has no such output.
    """
    rules = None if recipe.thin is None else recipe.thin.level1
    if rules is None or rules.tagger is None:
        return None
    path = resolve(rules.tagger, Path())
    emulator = Emulator(Firmware.read(path), threads=1)
    output = rules.output

    def score(features: NDArray[np.float32]) -> NDArray[Any]:
        found = np.asarray(emulator(features))
        if found.ndim != 2 or output >= found.shape[1]:
            raise L1emuError("the tagger has no such output", path=path, value=output, expected=str(found.shape[1:]))
        return found[:, output]

    score(np.zeros((1, CONSTITUENTS, len(FEATURES)), np.float32))
    return score
