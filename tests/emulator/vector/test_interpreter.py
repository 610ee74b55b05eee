"""Strategies by the meaning of their operations: the bits of the reference, whatever processor they are written for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from l1emu.emulator.vector.context import narrow_inputs
from l1emu.firmware import Firmware, reference
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from tests.emulator.planned import LEVELS, interpreted_outputs
from tests.emulator.random_firmware import clean_firmware, random_firmware, random_inputs
from tests.emulator.tagger_firmware import tagger_firmware
from tests.emulator.vector.strategies.test_rounded import rounded_firmware
from tests.emulator.vector.strategies.test_table_softmax import word_softmax

WORDS = FixedPoint(12, 5, True, Rounding.RND, Overflow.SAT)
FIRMWARE: dict[str, Callable[[], Firmware]] = {
    "transformer": lambda: tagger_firmware(blocks=1, constituents=4, width=8, hidden=8),
    "transformer of words": lambda: tagger_firmware(blocks=1, constituents=4, width=8, hidden=8, activation=WORDS),
    "lossy transformer": lambda: tagger_firmware(
        blocks=1,
        constituents=4,
        width=8,
        hidden=8,
        activation=FixedPoint(7, 3, True, Rounding.RND, Overflow.WRAP),
        accumulator=FixedPoint(9, 4, True, Rounding.RND_CONV, Overflow.SAT),
    ),
    **{f"rounded products {seed}": partial(rounded_firmware, seed) for seed in (0, 2, 5)},
    **{f"clean {seed}": partial(clean_firmware, seed, 8) for seed in (1, 2)},
    **{f"random {seed}": partial(random_firmware, seed, 4) for seed in (11, 68, 168, 197, 286, 3002)},
    "softmax of words": lambda: word_softmax(9, 8.0, Rounding.RND_CONV),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", FIRMWARE)
def test_every_level_of_features_means_the_reference(name: str, level: str) -> None:
    firmware = FIRMWARE[name]()
    inputs = random_inputs(firmware, 19)  # a whole vector of jets, and one that is not full
    columns = [inputs[t.name].reshape(19, -1) for t in firmware.inputs]
    raw = np.concatenate(columns, axis=1).astype(np.int32 if narrow_inputs(firmware) else np.int64)
    expected = reference.run(firmware, inputs)
    for results in (firmware.outputs, tuple(layer.output for layer in firmware.layers)):
        found = interpreted_outputs(firmware, LEVELS[level], raw, results)
        wanted = np.concatenate([expected[t.name].reshape(19, -1) for t in results], axis=1)
        np.testing.assert_array_equal(found, wanted)
