"""The compiled emulator against the layers' references, and its manners as a function."""

from __future__ import annotations

import threading

import awkward as ak
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Merge, Tensor
from tests.emulator.outputs import T, single
from tests.emulator.random_firmware import random_firmware, random_inputs
from tests.emulator.tagger_firmware import tagger_firmware


def every_tensor(firmware: Firmware, inputs: dict[str, NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
    values = dict(inputs)
    for layer in firmware.layers:
        values[layer.output.name] = layer.reference(*(values[t.name] for t in layer.inputs))
    return values


def as_dict(firmware: Firmware, outputs: NDArray[T] | dict[str, NDArray[T]]) -> dict[str, NDArray[T]]:
    return outputs if isinstance(outputs, dict) else {firmware.outputs[0].name: outputs}


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), layers=st.integers(1, 9), jets=st.integers(1, 70))
@example(seed=19, layers=2, jets=4)  # a table of 53 entries over numbers coarser than one
def test_every_layer_of_random_firmware_equals_its_reference(seed: int, layers: int, jets: int) -> None:
    firmware = random_firmware(seed, layers)
    inputs = random_inputs(firmware, jets, seed)
    expected = every_tensor(firmware, inputs)
    emulator = Emulator(firmware, threads=1, target="exact")
    trace = emulator.trace(inputs)
    for layer in firmware.layers:
        np.testing.assert_array_equal(trace[layer.name], expected[layer.output.name], err_msg=layer.name)
    outputs = as_dict(firmware, emulator.raw(inputs))
    for tensor in firmware.outputs:
        np.testing.assert_array_equal(outputs[tensor.name], expected[tensor.name])


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    values=st.lists(st.floats(allow_nan=False, width=64), min_size=1, max_size=12),
    scale=st.integers(-20, 20),
)
def test_floats_are_cast_as_the_input_type_says(seed: int, values: list[float], scale: int) -> None:
    firmware = random_firmware(seed, 1)
    rng = np.random.default_rng(seed)
    special = np.array([0.0, -0.0, np.inf, -np.inf, 5e-324, -5e-324, 1e300, -1e300, 0.5, -0.5, 1.5, -1.5])
    numbers = np.concatenate([np.array(values), special, rng.normal(0, 2.0**scale, 20), rng.integers(-99, 99, 20) / 8])
    inputs = {t.name: rng.choice(numbers, (30, *t.shape)) for t in firmware.inputs}
    raw = {t.name: t.type.from_float(inputs[t.name]) for t in firmware.inputs}
    emulator = Emulator(firmware, threads=1, target="exact")
    found, expected = as_dict(firmware, emulator(inputs)), as_dict(firmware, emulator.raw(raw))
    for tensor in firmware.outputs:
        np.testing.assert_array_equal(found[tensor.name], tensor.type.to_float(expected[tensor.name]))
    with np.errstate(over="ignore"):
        single = {name: x.astype(np.float32) for name, x in inputs.items()}
    raw = {t.name: t.type.from_float(single[t.name]) for t in firmware.inputs}
    found, expected = as_dict(firmware, emulator(single)), as_dict(firmware, emulator.raw(raw))
    for tensor in firmware.outputs:
        np.testing.assert_array_equal(found[tensor.name], tensor.type.to_float(expected[tensor.name]))


@pytest.fixture(scope="module")
def tagger() -> Firmware:
    return tagger_firmware()


@pytest.fixture(scope="module")
def emulator(tagger: Firmware) -> Emulator:
    return Emulator(tagger, threads=2, target="exact")


def test_the_transformer_equals_its_reference_at_every_layer(tagger: Firmware, emulator: Emulator) -> None:
    inputs = random_inputs(tagger, 100)
    expected = every_tensor(tagger, inputs)
    trace = emulator.trace(inputs)
    assert set(trace) == {layer.name for layer in tagger.layers}
    for layer in tagger.layers:
        np.testing.assert_array_equal(trace[layer.name], expected[layer.output.name], err_msg=layer.name)
    np.testing.assert_array_equal(single(emulator.raw(inputs)), expected[tagger.outputs[0].name])


def test_a_batch_is_the_same_however_it_is_cut(emulator: Emulator) -> None:
    x = np.random.default_rng(1).normal(0, 4, (3001, 16, 12))
    whole = single(emulator(x))
    assert whole.shape == (3001, 5)
    assert whole.dtype == np.float64
    np.testing.assert_array_equal(whole[:17], single(emulator(x[:17])))
    np.testing.assert_array_equal(whole[-1:], single(emulator(x[-1:])))
    np.testing.assert_array_equal(whole, single(emulator(x.reshape(3001, 192))))
    other = Emulator(emulator.firmware, threads=1, target="exact")
    np.testing.assert_array_equal(whole, single(other(np.asfortranarray(x))))
    assert single(emulator(x[:0])).shape == (0, 5)
    assert emulator.trace(x[:0])[emulator.firmware.layers[0].name].shape[0] == 0


def test_inputs_of_other_kinds_are_accepted(emulator: Emulator) -> None:
    x = np.random.default_rng(2).normal(0, 2, (40, 16, 12))
    expected = single(emulator(x))
    np.testing.assert_array_equal(single(emulator(ak.Array(x))), expected)
    np.testing.assert_array_equal(single(emulator(x.tolist())), expected)
    np.testing.assert_array_equal(single(emulator({"x": x})), expected)
    integers = np.arange(192)[None] % 7
    np.testing.assert_array_equal(single(emulator(integers)), single(emulator(integers.astype(float))))
    np.testing.assert_array_equal(single(emulator(integers.astype(np.int16))), single(emulator(integers.astype(float))))


def test_threads_at_once_do_not_disturb_each_other(emulator: Emulator) -> None:
    rng = np.random.default_rng(3)
    batches = [rng.normal(0, 4, (700, 16, 12)) for _ in range(6)]
    expected = [single(emulator(x)) for x in batches]
    found: dict[int, NDArray[np.float64]] = {}

    def run(number: int) -> None:
        found[number] = single(emulator(batches[number]))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(6):
        np.testing.assert_array_equal(found[number], expected[number])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((3, 16, 11)), "wrong shape"),
        (np.zeros(192), "wrong shape"),
        ({"y": np.zeros((3, 192))}, "wrong input names"),
        ([[1.0, 2.0], [3.0]], "not a regular array"),
        (ak.Array([[1.0, 2.0], [3.0]]), "not a regular array"),
        (np.array([["a"] * 192]), "not numbers"),
        (np.full((2, 192), 2**60), "too large"),
    ],
)
def test_wrong_inputs_are_refused(emulator: Emulator, x: object, message: str) -> None:
    with pytest.raises(L1emuError, match=message):
        emulator(x)  # type: ignore[arg-type]


def test_a_nan_is_refused_with_its_place(emulator: Emulator) -> None:
    x = np.zeros((1500, 16, 12))
    x[1402, 3, 7] = np.nan
    with pytest.raises(L1emuError, match=r"NaN.*") as error:
        emulator(x)
    assert "[1402, 3, 7]" in str(error.value)


def test_raw_values_must_be_integers_of_the_input_type(emulator: Emulator) -> None:
    high = emulator.firmware.inputs[0].type.high
    with pytest.raises(L1emuError, match="outside the input type"):
        emulator.raw(np.full((2, 192), high + 1))
    with pytest.raises(L1emuError, match="integers"):
        emulator.raw(np.zeros((2, 192)))


def test_options_are_checked(tagger: Firmware) -> None:
    with pytest.raises(L1emuError, match="target"):
        Emulator(tagger, target="abacus")
    with pytest.raises(L1emuError, match="threads"):
        Emulator(tagger, threads=0)


def test_values_beyond_64_bits_are_refused_by_the_layer() -> None:
    wide = FixedPoint(40, 20)
    x, y = Tensor("x", (2,), wide), Tensor("y", (2,), wide)
    layer = Merge("product", (x, x), y, "multiply")
    with pytest.raises(L1emuError, match="product: values wider"):
        Emulator(Firmware("wide", "Vitis", (x,), (y,), (layer,)))


def test_explain_counts_every_multiplication(emulator: Emulator) -> None:
    explanation = emulator.explain()
    assert [row.layer for row in explanation.rows] == [layer.name for layer in emulator.firmware.layers]
    embedding, block, head = 16 * 12 * 16, 16 * 16 * 16 * 4 + 2 * 16 * 16 * 16 + 2 * 16 * 16 * 32, 16 * 16 + 16 * 5
    assert explanation.macs == embedding + 2 * block + head
    assert explanation.rows[0].proof == "fits; in any order"
    assert explanation.rows[0].layer in str(explanation)
