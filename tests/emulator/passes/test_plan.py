"""The kernels on packed bytes and int16 pairs against the references, with and without AVX-512."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from l1emu.emulator import Emulator
from l1emu.emulator.vector.features import features
from l1emu.firmware import Firmware, reference
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from tests.emulator.outputs import single
from tests.emulator.random_firmware import clean_firmware, random_firmware, random_inputs
from tests.emulator.tagger_firmware import tagger_firmware

needs_dot8 = pytest.mark.skipif(not features("simd").dot8, reason="this processor has no AVX-512 VNNI")


def check(firmware: Firmware, target: str, jets: int = 70) -> Emulator:
    """Every layer's trace and the outputs of a call must equal the reference; gives the emulator."""
    inputs = random_inputs(firmware, jets)
    expected = reference.run(firmware, inputs)
    emulator = Emulator(firmware, threads=1, target=target)
    outputs = emulator.raw(inputs)
    if not isinstance(outputs, dict):
        outputs = {firmware.outputs[0].name: outputs}
    for tensor in firmware.outputs:
        np.testing.assert_array_equal(outputs[tensor.name], expected[tensor.name])
    trace = emulator.trace(inputs)
    for layer in firmware.layers:
        np.testing.assert_array_equal(trace[layer.name], expected[layer.output.name], err_msg=layer.name)
    return emulator


def test_the_transformer_equals_its_reference() -> None:
    emulator = check(tagger_firmware(blocks=1, constituents=8), "simd")
    arithmetic = {row.layer: row.arithmetic for row in emulator.explain().rows}
    exact = [layer for layer, text in arithmetic.items() if text.startswith("int64")]
    assert exact == []  # no layer of it may fall back
    if features("simd").dot8:
        assert arithmetic["b0_qk"].startswith("bytes")
    else:
        assert arithmetic["b0_qk"].startswith("int16 pairs")


@pytest.mark.exhaustive
def test_sums_too_long_for_registers_are_loops() -> None:
    emulator = check(tagger_firmware(blocks=1, constituents=4, width=144, hidden=8), "simd")
    assert not [row.layer for row in emulator.explain().rows if row.arithmetic.startswith("int64")]


def test_a_lossy_saturating_transformer_mixes_exact_and_packed_kernels() -> None:
    act = FixedPoint(7, 3, True, Rounding.RND, Overflow.WRAP)
    accumulator = FixedPoint(9, 4, True, Rounding.RND_CONV, Overflow.SAT)
    emulator = check(
        tagger_firmware(blocks=1, constituents=4, width=8, hidden=8, activation=act, accumulator=accumulator), "simd"
    )
    kinds = {row.arithmetic.split()[0] for row in emulator.explain().rows}
    assert "int64" in kinds
    assert kinds & {"bytes", "int16"}


@pytest.mark.parametrize("blocks", [0, pytest.param(1, marks=pytest.mark.exhaustive)])
def test_a_wrapping_accumulator_is_clean(blocks: int) -> None:
    accumulator = FixedPoint(13, 2)  # many sums wrap, no product is rounded
    act = FixedPoint(8, 4, True, Rounding.RND_CONV, Overflow.SAT_SYM)
    firmware = tagger_firmware(
        blocks=blocks, constituents=4, width=8, hidden=8, activation=act, accumulator=accumulator
    )
    emulator = check(firmware, "simd", jets=40)
    rows = {row.layer: row for row in emulator.explain().rows}
    for name in ["embedding", "b0_qk"][: blocks + 1]:
        assert rows[name].proof == "may wrap; in any order"
        assert not rows[name].arithmetic.startswith("int64")


@pytest.mark.parametrize(("seed", "target"), [(1, "simd"), (2, "portable")])
def test_clean_random_firmware_equals_its_reference(seed: int, target: str) -> None:
    check(clean_firmware(seed, 12), target, jets=37)


@pytest.mark.parametrize(
    ("seed", "target", "kinds"),
    [
        (286, "simd", {"dense": "int32, step by step", "globalpooling1d": "int32", "merge": "int32"}),
        (68, "portable", {"gather": "moved", "table": "int32, table"}),
        (11, "simd", {"batchnorm": "doubles"}),
        (168, "simd", {"concatenate": "moved", "globalpooling1d": "int32"}),
        (197, "simd", {"dense": "int32, step by step", "transpose": "moved"}),
        (3002, "simd", {"quantize": "int32"}),
        *(pytest.param(seed, "simd", {}, marks=pytest.mark.exhaustive) for seed in range(1000, 1040)),
    ],
)
def test_random_firmware_equals_its_reference_one_number_a_lane(seed: int, target: str, kinds: dict[str, str]) -> None:
    emulator = check(random_firmware(seed, 4), target, jets=37)
    if features(target).fused:
        found = {(row.kind, row.arithmetic) for row in emulator.explain().rows}
        assert set(kinds.items()) <= found


@needs_dot8
def test_targets_agree_on_physical_floats() -> None:
    firmware = tagger_firmware(blocks=1, constituents=8)
    x = np.random.default_rng(5).normal(0, 3, (500, 8, 12))
    fast, portable, exact = (single(Emulator(firmware, target=target)(x)) for target in ("simd", "portable", "exact"))
    np.testing.assert_array_equal(fast, exact)
    np.testing.assert_array_equal(portable, exact)


def test_the_portable_kernels_run_on_a_processor_without_avx() -> None:
    """numba told to compile for the x86-64 of 2003: no instruction set may be assumed."""
    script = """
import numpy as np
from tests.emulator.tagger_firmware import tagger_firmware
from tests.emulator.random_firmware import random_inputs
from l1emu.emulator import Emulator
from l1emu.emulator.vector.features import features
from l1emu.firmware import reference
assert features("simd").dot16 == "plain"
firmware = tagger_firmware(blocks=1, constituents=4, width=8, hidden=8)
inputs = random_inputs(firmware, 40)
expected = reference.run(firmware, inputs)
found = Emulator(firmware, threads=1).raw(inputs)
np.testing.assert_array_equal(found, expected[firmware.outputs[0].name])
"""
    root = str(Path(__file__).parents[3])
    environment = {**os.environ, "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "PYTHONPATH": root}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
