"""The target cuda whole, in numba's simulator: batches in pieces, inputs of all sorts, memory that is short, errors.

The simulator has to be chosen before numba is imported, so that one test runs this file again in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import awkward as ak
import numpy as np
import pytest

from l1emu import Emulator, Firmware
from l1emu.emulator.cuda import device
from l1emu.emulator.cuda import program as cuda_program
from l1emu.emulator.cuda.device import BLOCK_JETS, cuda, simulated
from l1emu.emulator.cuda.program import CudaProgram, occupancy
from l1emu.emulator.rows import EmulatedRows
from l1emu.errors import L1emuError
from l1emu.firmware import reference
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Linear, Tensor
from tests.emulator.passes.test_relax import CASES, fixed, given
from tests.emulator.random_firmware import clean_firmware, random_firmware, random_inputs
from tests.emulator.tagger_firmware import tagger_firmware
from tests.emulator.test_kinds import firmware_of

HAS_NUMBA_CUDA = find_spec("numba_cuda") is not None
in_simulator = pytest.mark.skipif(not (simulated() and HAS_NUMBA_CUDA), reason="runs in numba's CUDA simulator")


@pytest.mark.skipif(not HAS_NUMBA_CUDA, reason="numba-cuda (extra cuda) is not installed")
@pytest.mark.skipif(simulated(), reason="is what runs the others")
def test_everything_in_the_simulator() -> None:
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", __file__]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert " passed" in done.stdout


@pytest.mark.skipif(HAS_NUMBA_CUDA, reason="numba-cuda is installed")
def test_without_numba_cuda_one_line_says_what_is_missing() -> None:
    with pytest.raises(L1emuError) as caught:
        Emulator(firmware_of(CASES["dense"].make(fixed("22,9"), fixed("18,9"))), target="cuda")
    assert str(caught.value).startswith("the target cuda needs numba-cuda; expected pip install 'l1emu[cuda]'")


@pytest.mark.skipif(simulated() or not HAS_NUMBA_CUDA, reason="needs numba-cuda, outside the simulator")
def test_without_a_gpu_one_line_says_what_is_missing() -> None:
    if cuda().is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(L1emuError) as caught:
        Emulator(firmware_of(CASES["dense"].make(fixed("22,9"), fixed("18,9"))), target="cuda")
    assert str(caught.value).startswith("the target cuda finds no GPU")
    assert "simd, portable, exact" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("capabilities", "problem"),
    [
        ([], "the target cuda finds no GPU"),
        (
            [(9, 0), (6, 1)],
            "GPU 1: a GPU too old for the target cuda: got 'compute capability 6.1'; expected 7.0 or later",
        ),
    ],
)
@pytest.mark.skipif(simulated(), reason="the simulator is a GPU")
def test_gpus_that_are_not_enough(
    capabilities: list[tuple[int, int]], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [SimpleNamespace(compute_capability=one) for one in capabilities]
    monkeypatch.setattr(device, "cuda", lambda: SimpleNamespace(gpus=found))
    with pytest.raises(L1emuError) as caught:
        device.gpus()
    assert str(caught.value).startswith(problem) and "simd, portable, exact" in str(caught.value)


def test_occupancy_names_what_is_short() -> None:
    told = occupancy(80, 42040, 0, 65536, 233472, 16 * BLOCK_JETS)
    assert "80 registers" in told and "5 blocks" in told and "limited by shared memory" in told
    assert "limited by registers" in occupancy(255, 1000, 64, 255 * BLOCK_JETS, 233472, 16 * BLOCK_JETS)
    assert "16 blocks" in occupancy(16, 0, 0, 65536, 233472, 16 * BLOCK_JETS)


@pytest.fixture(autouse=True)
def _wraps_silently() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


def flat(outputs: Any) -> list[Any]:
    return list(outputs.values()) if isinstance(outputs, dict) else [outputs]


def on(target: str, firmware: Firmware) -> Any:
    """An emulator, of which the tests know how many outputs it has."""
    return Emulator(firmware, target=target)


def emulator_and_inputs(jets: int = 3 * BLOCK_JETS + 2) -> tuple[Any, Any, Any]:
    """A dense layer, floats for it, and what the reference gives."""
    layer = CASES["dense"].make(fixed("22,9"), fixed("18,9"))
    firmware = firmware_of(layer)
    x = np.random.default_rng(1).normal(0, 4, (jets, 6))
    raw = layer.inputs[0].type.from_float(x)
    right = layer.output.type.to_float(reference.run(firmware, {"x": raw})[layer.output.name])
    return on("cuda", firmware), x, right


@in_simulator
@pytest.mark.parametrize("seed", range(6))
def test_random_firmware_is_the_reference(seed: int) -> None:
    firmware = (clean_firmware if seed % 2 else random_firmware)(seed, 4)
    inputs = random_inputs(firmware, BLOCK_JETS + 3)
    right = reference.run(firmware, inputs)
    emulator = on("cuda", firmware)
    for tensor, found in zip(firmware.outputs, flat(emulator.raw(inputs)), strict=True):
        np.testing.assert_array_equal(found, right[tensor.name])
    for layer, found in zip(firmware.layers, emulator.trace(inputs).values(), strict=True):
        np.testing.assert_array_equal(found, right[layer.output.name])


@in_simulator
@pytest.mark.parametrize("name", CASES)
def test_every_kind_is_the_reference(name: str) -> None:
    layer = CASES[name].make(fixed("20,9"), fixed("14,7"))
    firmware = firmware_of(layer)
    inputs = {key: raw[:5] for key, (_, raw) in given(layer).items()}
    found = flat(on("cuda", firmware).raw(inputs))[0]
    np.testing.assert_array_equal(found, reference.run(firmware, inputs)[layer.output.name])


@in_simulator
def test_a_transformer_is_the_reference() -> None:
    firmware = tagger_firmware(blocks=1, constituents=4, width=8, hidden=8)
    inputs = random_inputs(firmware, 4)
    right = reference.run(firmware, inputs)
    for tensor, found in zip(firmware.outputs, flat(on("cuda", firmware).raw(inputs)), strict=True):
        np.testing.assert_array_equal(found, right[tensor.name])


@in_simulator
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64])
def test_floats_and_dtypes(kind: Any) -> None:
    emulator, x, right = emulator_and_inputs()
    x = x.astype(np.float32)  # both see the same
    x[0, :3] = np.inf, -np.inf, 1e30
    right = on("exact", emulator.firmware)(x, dtype=kind)
    for given_ in (x, x.astype(np.float64), np.asfortranarray(x)):
        found = emulator(given_, dtype=kind)
        assert found.dtype == kind
        np.testing.assert_array_equal(found, right)
    out = np.empty_like(right)
    assert emulator(x, out=out) is out
    np.testing.assert_array_equal(out, right)


@in_simulator
@pytest.mark.parametrize(
    "text",
    [
        "ap_int<6>",
        "ap_ufixed<7,3,AP_RND_CONV,AP_SAT>",
        "ap_fixed<9,4,AP_RND_ZERO,AP_SAT_ZERO>",
        "ap_fixed<40,20,AP_RND>",
    ],
)
def test_floats_are_cast_as_on_this_processor(text: str) -> None:
    kind = FixedPoint.parse(text)
    layer = Linear("l", (Tensor("x", (8,), kind),), Tensor("y", (8,), kind))
    step = 2.0**-kind.fraction
    far = [1e300, -1e300, np.inf, -np.inf, 2.0**61, 5e-324, -5e-324, 0.0]
    x = np.concatenate([np.arange(-40, 40) * step / 4, np.array(far)]).reshape(-1, 8)
    firmware = firmware_of(layer)
    np.testing.assert_array_equal(on("cuda", firmware)(x), on("exact", firmware)(x))


@in_simulator
def test_a_batch_in_pieces_on_two_cards() -> None:
    emulator, x, right = emulator_and_inputs(7 * BLOCK_JETS + 5)
    program = emulator._program
    assert isinstance(program, CudaProgram)
    program.piece = 6 * 8 * BLOCK_JETS  # bytes of a block of jets
    np.testing.assert_array_equal(emulator(x), right)
    (pieces,) = program._cards[0]._kept.values()
    assert [piece.jets for piece in pieces] == [BLOCK_JETS, BLOCK_JETS]
    np.testing.assert_array_equal(emulator(x[:1]), right[:1])  # what was kept serves again
    program._cards = [cuda_program._Card(program, 0) for _ in range(2)]
    np.testing.assert_array_equal(emulator(x), right)
    np.testing.assert_array_equal(emulator(x[:0]), right[:0])


def short_of_memory(room: int) -> Callable[..., Any]:
    """A piece of memory as a GPU with room for so many jets has it."""

    class Piece(cuda_program._Piece):
        def __init__(self, owner: Any, jets: int, *more: Any) -> None:
            if jets > room:
                raise RuntimeError("[CUresult.CUDA_ERROR_OUT_OF_MEMORY] Call to cuMemAlloc results in ...")
            super().__init__(owner, jets, *more)

    return Piece


@in_simulator
def test_too_little_memory_halves_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    emulator, x, right = emulator_and_inputs(9 * BLOCK_JETS)
    monkeypatch.setattr(cuda_program, "_Piece", short_of_memory(3 * BLOCK_JETS))
    np.testing.assert_array_equal(emulator(x), right)
    assert emulator._program._cards[0]._most == 2 * BLOCK_JETS
    monkeypatch.setattr(cuda_program, "_Piece", short_of_memory(0))
    with pytest.raises(L1emuError, match="too little memory on the GPU"):
        on("cuda", emulator.firmware)(x)


@in_simulator
def test_a_nan_is_refused_by_its_place() -> None:
    emulator, x, _ = emulator_and_inputs()
    x[5, 2] = np.nan
    with pytest.raises(L1emuError, match=r"x\[5, 2\]: NaN"):
        emulator(x)


class Device:
    """An array on a GPU, of no library that is known."""

    def __init__(self, array: Any) -> None:
        self.array = cuda().to_device(array)
        self.__cuda_array_interface__: Any = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.array, name)

    def __getitem__(self, rows: Any) -> Any:
        return self.array[rows]

    def reshape(self, *shape: int) -> Any:
        return self.array.reshape(*shape)


@in_simulator
def test_arrays_on_a_gpu_stay_there() -> None:
    emulator, x, right = emulator_and_inputs()
    emulator._program.piece = 6 * 8 * BLOCK_JETS
    found: Any = emulator(Device(x))
    np.testing.assert_array_equal(found.copy_to_host(), right)
    layer = emulator.firmware.layers[0]
    raw = layer.inputs[0].type.from_float(x)
    found = emulator.raw(Device(raw))
    np.testing.assert_array_equal(layer.output.type.to_float(found.copy_to_host()), right)
    raw[3, 1] = layer.inputs[0].type.high + 1
    x[3, 1] = np.nan
    for call, array in ((emulator, x), (emulator.raw, raw)):
        with pytest.raises(L1emuError, match="NaN, or a raw integer outside"):
            call(Device(array))
    with pytest.raises(L1emuError, match="wrong dtype"):
        emulator(Device(raw))
    with pytest.raises(L1emuError, match="wrong shape"):
        emulator(Device(x[:, :4].copy()))
    with pytest.raises(L1emuError, match="wrong dtype: got 'float16'"):
        emulator(Device(x.astype(np.float16)))
    with pytest.raises(L1emuError, match=r"input x: an array on a GPU that is not C-contiguous"):
        emulator(Device(np.asfortranarray(x)))
    with pytest.raises(L1emuError, match="arrays on a GPU that cannot be read there: got 'exact'"):
        on("exact", emulator.firmware)(Device(x))


@in_simulator
def test_rows_of_a_table_are_drawn_on_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    emulator, x, right = emulator_and_inputs()
    table = EmulatedRows(emulator, {"x": x.astype(np.float32)})
    right = on("exact", emulator.firmware)(x.astype(np.float32))
    rows = np.array([3, 0, 3, len(x) - 1, 7])
    (found,) = table(rows).values()
    np.testing.assert_array_equal(found, right[rows])
    assert [len(array) for array in table(rows[:0]).values()] == [0]
    real, sizes = table._on_gpu, []

    def short(wanted: Any) -> Any:
        sizes.append(len(wanted))
        if len(wanted) > 10:
            raise RuntimeError("[CUresult.CUDA_ERROR_OUT_OF_MEMORY] Call to cuMemAlloc results in ...")
        return real(wanted)

    monkeypatch.setattr(table, "_on_gpu", short)
    rows = np.arange(len(x))[::-1]
    (found,) = table(rows).values()
    np.testing.assert_array_equal(found, right[rows])
    assert max(sizes) == len(x) and sizes.count(len(x) // 2) > 0


@in_simulator
def test_awkward_arrays_and_lists() -> None:
    emulator, x, right = emulator_and_inputs(BLOCK_JETS)
    np.testing.assert_array_equal(emulator(ak.Array(x.tolist())), right)
    np.testing.assert_array_equal(emulator(x.tolist()), right)
    with pytest.raises(L1emuError, match="input x"):
        emulator(ak.Array([[1.0, 2.0], [3.0]]))


@in_simulator
def test_embeddings_check_their_limits() -> None:
    layer = CASES["embedding"].make(fixed("20,9"), fixed("14,7"))
    firmware = firmware_of(layer)
    x = np.array([[0.0, 1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(on("cuda", firmware)(x), on("exact", firmware)(x))


@in_simulator
def test_what_is_told_of_a_firmware() -> None:
    emulator, x, _ = emulator_and_inputs()
    explained = emulator.explain(x)
    assert explained.rows[0].arithmetic and explained.rows[0].ns is not None
    assert "simulator" in (explained.kernel or "")
    assert "def jet(V, C, work" in emulator.source()
    emulator.compile()
