"""Golden vectors: inputs with the outputs that the project's own C++ gave for them, and a digest for every layer."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from l1emu.arrays import check_array, read_npz
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.goldenfile import values_digest
from l1emu.training.data import INPUT_FRACTION, read_jets, split_jets
from l1emu.training.recipe import Recipe
from l1emu.training.tagger import save_arrays
from l1emu.training.train import sample_of
from l1emu.verification.csim import CSim

EXTREME_JETS = 500


def _extreme_inputs(recipe: Recipe, seed: int = 1) -> npt.NDArray[np.int16]:
    """Raw inputs beyond physics, int16 (EXTREME_JETS, constituents, features).

    All zero, all lowest, all highest, lowest and highest by turns, then uniform over the whole range of the input
    type, then rows of lowest, zero and highest drawn at random.
    """
    shape = (recipe.architecture.constituents, recipe.architecture.features)
    high = (1 << (recipe.input.width - 1)) - 1
    low = -high - 1
    rng = np.random.default_rng(seed)
    fixed = [np.full(shape, value) for value in (0, low, high)]
    turns = np.indices(shape).sum(axis=0) % 2
    fixed += [np.where(turns, low, high), np.where(turns, high, low)]
    half = (EXTREME_JETS - len(fixed)) // 2
    uniform = rng.integers(low, high + 1, (half, *shape))
    corners = rng.choice([low, 0, high], (EXTREME_JETS - len(fixed) - half, *shape))
    jets: npt.NDArray[np.int16] = np.concatenate([np.stack(fixed), uniform, corners]).astype(np.int16)
    return jets


def golden_inputs(
    recipe: Recipe, tagger: Path, jets: Path | None
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int8]]:
    """Inputs and truth classes of the golden vectors: held-out jets, then extremes with class -1.

    Raises
    ------
    L1emuError
        if there are neither `jets` nor golden vectors in the tagger's folder to take the jets from.
    """
    if jets is not None:
        every = read_jets(jets, recipe)
        held_out = every[split_jets(every, recipe.training)[2]]
        held_out = held_out[sample_of(held_out)]
        features, label = held_out.features, held_out.label
    else:
        own = tagger / "golden.npz"
        if not own.exists():
            raise L1emuError(
                "no jets for the golden vectors", path=own, expected="--data, or golden vectors made before"
            )
        archive = read_npz(own, ("inputs", "label"))
        shape = (archive["label"].size, recipe.architecture.constituents, recipe.architecture.features)
        half = 1 << (recipe.input.width - 1)
        classes = len(recipe.architecture.classes)
        check_array(archive["inputs"], path=own, where="inputs", kinds="iu", shape=shape, low=-half, high=half - 1)
        check_array(archive["label"], path=own, where="label", kinds="iu", shape=shape[:1], low=-1, high=classes - 1)
        physical = archive["label"] >= 0
        features, label = archive["inputs"][physical], archive["label"][physical]
    extremes = _extreme_inputs(recipe)
    return (
        np.concatenate([features, extremes]),
        np.concatenate([label, np.full(len(extremes), -1, dtype=np.int8)]).astype(np.int8),
    )


def write_golden(
    recipe: Recipe,
    project: Path,
    firmware: Firmware,
    tagger: str | os.PathLike[str],
    path: str | os.PathLike[str],
    jets: str | os.PathLike[str] | None = None,
) -> int:
    """Run the C++ of `project` and write its answers to the npz at `path`; returns the number of inputs.

    The arrays: `inputs` int16 raw, `label` int8 (-1: no physical jet), `outputs` int64 raw, `layer` and `digest`
    (names of layers and `values_digest` of their values), `firmware` (content hash).

    Raises
    ------
    L1emuError
        if there are no jets to use, or the C++ can't be built.
    """
    inputs, label = golden_inputs(recipe, Path(tagger), None if jets is None else Path(jets))
    traced = CSim(project).trace(inputs * 2.0**-INPUT_FRACTION)
    # a reshape is another name for its input in the C++
    layers = [layer for layer in firmware.layers if layer.output.name in traced]
    save_arrays(
        Path(path),
        {
            "inputs": inputs,
            "label": label,
            "outputs": traced[firmware.outputs[0].name],
            "layer": np.array([layer.name for layer in layers]),
            "digest": np.array([values_digest(traced[layer.output.name]) for layer in layers]),
            "firmware": np.array(firmware.content_hash),
        },
    )
    return len(inputs)
