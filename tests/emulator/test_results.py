"""Outputs of the dtype that is asked for, and in arrays that are given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from l1emu.emulator import Emulator
from l1emu.emulator.results import dtype_of_outputs
from l1emu.emulator.vector.conversions import KINDS_OUT, rows_to_out
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Dense, Tensor
from tests.emulator.outputs import single

JETS = 1100  # two parts


def dense(name: str, x: Tensor, n_out: int, result: FixedPoint, weight_bits: int = 6) -> tuple[Tensor, Dense]:
    rng, y = np.random.default_rng(n_out), Tensor(f"{name}_out", (n_out,), result)
    limit = 1 << weight_bits - 1
    layer = Dense(
        name, (x,), y, positions=1, n_in=x.size, n_out=n_out, weight=rng.integers(-limit, limit, (x.size, n_out)),
        weight_type=FixedPoint(weight_bits, 2), bias=rng.integers(-limit, limit, n_out),
        bias_type=FixedPoint(weight_bits, 2), order=np.arange(x.size), accum_type=FixedPoint(40, 20),
    )  # fmt: skip
    return y, layer


def two_headed() -> Firmware:
    """Outputs of int16 (70 of them, more than two blocks), of bytes and of unsigned bytes (7, less than a block)."""
    x = Tensor("x", (24,), FixedPoint.parse("ap_fixed<8,4>"))
    wide, first = dense("wide", x, 70, FixedPoint.parse("ap_fixed<16,6>"))
    narrow, second = dense("narrow", x, 7, FixedPoint.parse("ap_ufixed<8,4,AP_RND,AP_SAT>"))
    small, third = dense("small", x, 64, FixedPoint.parse("ap_fixed<7,3,AP_TRN,AP_SAT>"))
    return Firmware("two_headed", "Vitis", (x,), (wide, narrow, small), (first, second, third))


def one_headed(result: str = "ap_fixed<16,6>") -> Firmware:
    x = Tensor("x", (24,), FixedPoint.parse("ap_fixed<8,4>"))
    y, layer = dense("dense", x, 20, FixedPoint.parse(result))
    return Firmware("one_headed", "Vitis", (x,), (y,), (layer,))


@pytest.fixture(scope="module", params=["simd", "exact"])
def several(request: pytest.FixtureRequest) -> Emulator:
    return Emulator(two_headed(), target=request.param, threads=2)


@pytest.fixture(scope="module")
def one() -> Emulator:
    return Emulator(one_headed(), threads=1)


def floats(emulator: Emulator) -> NDArray[np.float64]:
    return np.random.default_rng(1).normal(0, 4, (JETS, *emulator.firmware.inputs[0].shape))


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int32", "int16", ">f4", "<i8"])
def test_every_dtype_holds_the_same_numbers(several: Emulator, dtype: str) -> None:
    x = floats(several)
    raw = several.raw({"x": several.firmware.inputs[0].type.from_float(x)})
    found = several(x, dtype=dtype)
    assert isinstance(raw, dict)
    assert isinstance(found, dict)
    assert list(found) == [t.name for t in several.firmware.outputs]
    for tensor in several.firmware.outputs:
        values = raw[tensor.name] if np.dtype(dtype).kind == "i" else tensor.type.to_float(raw[tensor.name])
        assert len(np.unique(values)) > 20
        assert found[tensor.name].dtype == np.dtype(dtype)
        np.testing.assert_array_equal(found[tensor.name], values)


def test_outputs_are_written_into_what_is_given(several: Emulator) -> None:
    x = floats(several)
    expected = several(x)
    assert isinstance(expected, dict)
    room = np.full((JETS, 100), 9.0, np.float32)
    out: dict[str, NDArray[Any]] = {
        "wide_out": np.empty((JETS, 70)),
        "narrow_out": np.empty((JETS, 7), np.uint8),
        "small_out": room[:, 20:84],  # columns of a larger array
    }
    found = several(x, out=out)
    assert isinstance(found, dict)
    assert all(found[name] is array for name, array in out.items())
    np.testing.assert_array_equal(out["wide_out"], expected["wide_out"])
    np.testing.assert_array_equal(out["narrow_out"], expected["narrow_out"] * 16)
    np.testing.assert_array_equal(out["small_out"], expected["small_out"])
    assert (room[:, :20] == 9).all()
    assert (room[:, 84:] == 9).all()


def test_one_output_is_written_into_an_array(one: Emulator) -> None:
    x = floats(one)
    expected = single(one(x))
    for out in (np.empty((JETS, 20)), np.empty((JETS, 20), order="F"), np.empty((2 * JETS, 20))[::2]):
        assert one(x, out=out) is out
        np.testing.assert_array_equal(out, expected)
        assert one(x, out={"dense_out": out}) is out
    integers = np.empty((JETS, 20), np.int16)
    raw = one.firmware.inputs[0].type.from_float(x)
    assert one.raw(raw, out=integers) is integers
    np.testing.assert_array_equal(integers, expected * 2.0**10)
    assert single(one.raw(raw)).dtype == np.int64
    np.testing.assert_array_equal(single(one.raw(raw, dtype=np.float32)), expected)


def test_the_memory_of_the_inputs_may_be_written_over(one: Emulator) -> None:
    x = floats(one)
    expected = single(one(x))
    memory = np.zeros(JETS * 24 + 7)
    given = memory[7:].reshape(JETS, 24)
    given[:] = x
    np.testing.assert_array_equal(single(one(given, out=memory[: JETS * 20].reshape(JETS, 20))), expected)


def test_a_float32_holds_25_bits_with_a_sign() -> None:
    for text, fits in [("ap_fixed<25,9>", True), ("ap_fixed<26,9>", False), ("ap_ufixed<25,9>", False)]:
        tensor = Tensor("y", (20,), FixedPoint.parse(text))
        assert dtype_of_outputs("float64", [tensor]) == np.float64
        if fits:
            assert dtype_of_outputs(np.float32, [tensor]) == np.float32
        else:
            with pytest.raises(L1emuError, match=r"output y.*'float32'; expected float64 for ap_u?fixed"):
                dtype_of_outputs(np.float32, [tensor])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dtype": "int8"}, r"output dense_out.*does not hold.*got 'int8'; expected int16 or wider for ap_fixed<16,6>"),
        ({"dtype": np.uint16}, r"does not hold.*got 'uint16'"),
        ({"dtype": "float16"}, r"dtype.*got 'float16'; expected float32 or float64"),
        ({"dtype": "number"}, r"dtype.*got 'number'"),
        ({"dtype": bool}, r"dtype.*got 'bool'"),
        ({"out": np.empty((JETS, 21))}, r"wrong shape.*got \(1100, 21\); expected \(1100, 20\)"),
        ({"out": np.empty((JETS - 1, 20))}, "wrong shape"),
        ({"out": np.empty((JETS, 20), np.complex128)}, "dtype.*got 'complex128'"),
        ({"out": np.empty((JETS, 20), np.int8)}, "does not hold.*got 'int8'"),
        ({"out": np.empty((JETS, 20)), "dtype": np.float32}, r"another dtype.*got 'float64'; expected float32"),
        ({"out": [[0.0] * 20] * JETS}, "no numpy array.*got 'list'"),
        ({"out": {"y": np.empty((JETS, 20))}}, r"wrong output names.*got \['y'\]; expected dense_out"),
        ({"out": np.broadcast_to(0.0, (JETS, 20))}, "read-only"),
    ],
)
def test_what_cannot_be_written_is_refused(one: Emulator, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(L1emuError, match=message):
        one(floats(one), **arguments)


def test_several_outputs_need_several_arrays(several: Emulator) -> None:
    with pytest.raises(L1emuError, match=r"several outputs.*expected a dict with narrow_out, small_out, wide_out"):
        several(floats(several), out=np.empty((JETS, 70)))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.int32])
def test_rows_of_the_exact_kernels_come_out_as_they_are(dtype: type[np.generic]) -> None:
    """Where 32 bits do not hold the numbers, too."""
    bits = {np.float64: 53, np.float32: 24, np.int64: 63, np.int32: 31}[dtype]
    numbers = np.random.default_rng(3).integers(-(1 << bits), 1 << bits, (5, 16))  # feature, jet
    work = np.concatenate([np.zeros(32, np.int64), numbers.ravel()])
    out = np.zeros((20, 5), dtype)
    rows_to_out(work, 2, out.view(np.uint8), KINDS_OUT[out.dtype], 4, 13, 5, 0.25)
    scale = 0.25 if out.dtype.kind == "f" else 1
    np.testing.assert_array_equal(out[4:17], (numbers.T * scale)[:13])
    assert not out[:4].any()
    assert not out[17:].any()
