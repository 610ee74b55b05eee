"""Generated kernels run jet by jet, as the threads of a GPU run them, give the reference's bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from l1emu import Firmware
from l1emu.emulator.cuda.text import GPU_FEATURES, Making, as_it_is, compiled_here, jet_function
from l1emu.emulator.passes.analyse import analyse
from l1emu.emulator.passes.lower import lower
from l1emu.emulator.passes.plan import plan
from l1emu.firmware import reference
from l1emu.fixedpoint import FixedPoint
from l1emu.goldenfile import read_golden
from tests.emulator.passes.test_relax import CASES, fixed, given
from tests.emulator.random_firmware import clean_firmware, random_firmware, random_inputs
from tests.emulator.test_kinds import firmware_of
from tests.emulator.vector.test_interpreter import FIRMWARE

MODEL = Path(__file__).parents[3] / "models" / "jet-tagger"


def outputs_of(
    firmware: Firmware, inputs: dict[str, Any], *, exactly: bool, wrap: Making = as_it_is, traced: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What the kernels give, jet by jet, and what the reference gives; one output after another."""
    jets = len(next(iter(inputs.values())))
    results = tuple(layer.output for layer in firmware.layers) if traced else firmware.outputs
    ranges = analyse(firmware)
    exact = lower(firmware, ranges, results)
    program = plan(firmware, ranges, exact, GPU_FEATURES, results, exactly=exactly)
    jet = jet_function(program.module, wrap, {})
    raw = np.concatenate([np.reshape(inputs[t.name], (jets, -1)) for t in firmware.inputs], axis=1).astype(np.int64)
    # as on a GPU: the words of neighbouring jets lie side by side
    words, rows = np.zeros((program.vectors, 3), np.int32), np.zeros((exact.rows, 3), np.int64)
    found = [np.zeros((jets, t.size), np.int64) for t in results]
    arguments = [value for out in found for value in (out, 2)]
    columns = np.zeros((raw.shape[1], 3), np.int64)
    with np.errstate(all="ignore"):
        for number in range(jets):
            columns[:, 1] = raw[number]
            where = words[:, 1], program.constants, rows[:, 1], exact.table, exact.code, columns[:, 1]
            jet(*where, number, *arguments)
    expected = reference.run(firmware, inputs)
    wanted = np.concatenate([np.reshape(expected[t.name], (jets, -1)) for t in results], axis=1)
    return np.concatenate(found, axis=1), wanted.astype(np.int64)


@pytest.mark.parametrize("exactly", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_every_kind(name: str, exactly: bool) -> None:
    for accum, result in ((fixed("22,9"), fixed("18,9")), (fixed("9,4"), fixed("6,2"))):
        layer = CASES[name].make(accum, result)
        inputs = {key: raw[:12] for key, (_, raw) in given(layer).items()}
        found, wanted = outputs_of(firmware_of(layer), inputs, exactly=exactly)
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("exactly", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_random_firmware(seed: int, exactly: bool) -> None:
    make = clean_firmware if seed % 2 else random_firmware
    firmware = make(seed, 5)
    found, wanted = outputs_of(firmware, random_inputs(firmware, 6), exactly=exactly, traced=seed % 3 == 0)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(20, 400))
def test_more_random_firmware(seed: int) -> None:
    make = clean_firmware if seed % 2 else random_firmware
    firmware = make(seed, 6)
    for exactly in (False, True):
        found, wanted = outputs_of(firmware, random_inputs(firmware, 12), exactly=exactly, traced=seed % 3 == 0)
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("name", [name for name in FIRMWARE if not name.startswith(("random", "clean"))])
def test_strategies_that_random_firmware_seldom_meets(name: str) -> None:
    firmware = FIRMWARE[name]()
    found, wanted = outputs_of(firmware, random_inputs(firmware, 6), exactly=False)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("jets", "wrap"), [(8, as_it_is), pytest.param(2000, compiled_here, marks=pytest.mark.exhaustive)]
)
def test_the_default_tagger_on_golden_jets(jets: int, wrap: Making) -> None:
    """In plain Python, and compiled for this processor: the text that a GPU runs, on vectors of the project's C++."""
    firmware = Firmware.read(MODEL / "tagger.l1fw")
    golden = read_golden(MODEL / "golden.npz")
    assert len(golden.inputs) >= 2000
    inputs = {firmware.inputs[0].name: golden.inputs[:jets]}
    found, wanted = outputs_of(firmware, inputs, exactly=False, wrap=wrap)
    np.testing.assert_array_equal(found, golden.outputs[:jets].reshape(jets, -1))
    np.testing.assert_array_equal(found, wanted)


def test_an_exact_layer_and_a_wide_type_need_no_words() -> None:
    kind = FixedPoint.parse("ap_fixed<40,20>")
    layer = CASES["dense"].make(kind, kind)
    found, wanted = outputs_of(firmware_of(layer), {"x": given(layer)["x"][1][:5]}, exactly=False)
    np.testing.assert_array_equal(found, wanted)
