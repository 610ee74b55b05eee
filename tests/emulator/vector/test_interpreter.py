"""Strategies by the meaning of their operations: the bits of the reference, whatever processor they are written for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from l1emu.emulator.passes.analyse import analyse
from l1emu.emulator.passes.lower import lower
from l1emu.emulator.passes.plan import plan
from l1emu.emulator.vector.context import narrow_inputs
from l1emu.emulator.vector.features import LANES, Features
from l1emu.emulator.vector.interpreter import interpreted
from l1emu.firmware import Firmware, reference
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from l1emu.layers import Tensor
from tests.emulator.random_firmware import clean_firmware, random_firmware, random_inputs
from tests.emulator.tagger_firmware import tagger_firmware
from tests.emulator.vector.strategies.test_rounded import rounded_firmware
from tests.emulator.vector.strategies.test_table_softmax import word_softmax

LEVELS = {
    "vnni": Features(dot8=True, dot16="vnni", permute8=True, fused=True),
    "vnni without byte look-up": Features(dot8=True, dot16="vnni", permute8=False, fused=True),
    "avx512": Features(dot8=False, dot16="avx512", permute8=False, fused=True),
    "avx2": Features(dot8=False, dot16="avx2", permute8=False, fused=True),
    "plain": Features(dot8=False, dot16="plain", permute8=False, fused=False),
}
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


def outputs(
    firmware: Firmware, features: Features, raw: NDArray[Any], results: tuple[Tensor, ...]
) -> NDArray[np.int64]:
    """What the generated module gives in numpy, one output after another."""
    ranges = analyse(firmware)
    program = plan(firmware, ranges, lower(firmware, ranges, results), features, results)
    out = np.zeros((len(raw), sum(t.size for t in results)), np.int64)
    vectors, exact = np.zeros(program.vectors * LANES, np.int32), program.exact
    work = np.zeros(exact.rows * LANES, np.int64)
    odd = interpreted(program.module)(vectors, program.constants, work, exact.table, exact.code, raw, out)
    assert odd == 0
    return out


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", FIRMWARE)
def test_every_level_of_features_means_the_reference(name: str, level: str) -> None:
    firmware = FIRMWARE[name]()
    inputs = random_inputs(firmware, 19)  # a whole vector of jets, and one that is not full
    columns = [inputs[t.name].reshape(19, -1) for t in firmware.inputs]
    raw = np.concatenate(columns, axis=1).astype(np.int32 if narrow_inputs(firmware) else np.int64)
    expected = reference.run(firmware, inputs)
    for results in (firmware.outputs, tuple(layer.output for layer in firmware.layers)):
        found = outputs(firmware, LEVELS[level], raw, results)
        wanted = np.concatenate([expected[t.name].reshape(19, -1) for t in results], axis=1)
        np.testing.assert_array_equal(found, wanted)
