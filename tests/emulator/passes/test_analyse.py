"""No value of the reference leaves its proven interval, and the proofs say what they should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l1emu.emulator.affine import reduction
from l1emu.emulator.interval import Interval, Sum, cast_interval, signed_bits
from l1emu.emulator.passes.analyse import analyse
from l1emu.firmware import Firmware, reference
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from l1emu.layers import Dense, Einsum, Tensor
from tests.emulator.random_firmware import random_firmware, random_inputs


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), layers=st.integers(1, 8))
def test_no_value_leaves_its_interval(seed: int, layers: int) -> None:
    firmware = random_firmware(seed, layers)
    ranges = analyse(firmware)
    values = reference.run(firmware, random_inputs(firmware, 60, seed))
    for layer in firmware.layers:
        interval = ranges.tensors[layer.output.name]
        assert interval.low.shape == layer.output.shape
        raw = values[layer.output.name]
        assert (raw >= interval.low).all(), layer.name
        assert (raw <= interval.high).all(), layer.name
        assert interval.lowest >= layer.output.type.low
        assert interval.highest <= layer.output.type.high


@given(
    width=st.integers(1, 10),
    integer=st.integers(-2, 12),
    signed=st.booleans(),
    rounding=st.sampled_from(list(Rounding)),
    overflow=st.sampled_from(list(Overflow)),
    fraction=st.integers(-3, 12),
    ends=st.tuples(st.integers(-600, 600), st.integers(-600, 600)),
)
def test_the_interval_of_a_cast_holds_every_cast(
    width: int,
    integer: int,
    signed: bool,
    rounding: Rounding,
    overflow: Overflow,
    fraction: int,
    ends: tuple[int, int],
) -> None:
    type_ = FixedPoint(width, integer, signed, rounding, overflow)
    low, high = sorted(ends)
    interval = cast_interval(Interval(np.array([low]), np.array([high])), fraction, type_)
    raw = type_.cast(np.arange(low, high + 1), fraction)
    assert interval.lowest <= raw.min()
    assert raw.max() <= interval.highest
    if overflow in (Overflow.SAT, Overflow.SAT_SYM):
        assert (interval.lowest, interval.highest) == (raw.min(), raw.max())


def dense(accum: FixedPoint, weight: list[int], *, signed: bool = True) -> Firmware:
    x, y = Tensor("x", (len(weight),), FixedPoint(4, 4, signed)), Tensor("y", (1,), accum)
    weights, bias = np.array(weight)[:, None], np.zeros(1, np.int64)
    order = np.arange(len(weight))
    layer = Dense("d", (x,), y, 1, len(weight), 1, weights, FixedPoint(6, 6), bias, FixedPoint(6, 6), accum, order)
    return Firmware("f", "Vitis", (x,), (y,), (layer,))


@pytest.mark.parametrize(
    ("accum", "sum_", "wraps"),
    [
        (FixedPoint(9, 9), Sum.ANY_ORDER, False),  # |3 x_0 - 5 x_1| <= 64 fits
        (FixedPoint(6, 6), Sum.ANY_ORDER, True),
        (FixedPoint(6, 6, True, Rounding.TRN, Overflow.SAT), Sum.STEP, True),
        (FixedPoint(9, 9, True, Rounding.TRN, Overflow.SAT), Sum.ANY_ORDER, False),
        (FixedPoint(8, 9), Sum.ROUNDED, False),
        (FixedPoint(8, 9, True, Rounding.RND_CONV), Sum.ROUNDED, False),
        (FixedPoint(5, 6, True, Rounding.TRN, Overflow.SAT), Sum.STEP, True),
    ],
)
def test_the_proof_for_a_dense_layer(accum: FixedPoint, sum_: Sum, wraps: bool) -> None:
    found = analyse(dense(accum, [3, -5])).layers["d"]
    assert (found.sum, found.wraps) == (sum_, wraps)
    if sum_ == Sum.ANY_ORDER and not wraps:
        assert found.accumulator is not None
        assert (found.accumulator.lowest, found.accumulator.highest) == (-8 * 3 - 7 * 5, 7 * 3 + 8 * 5)


def test_a_prefix_that_saturates_forbids_reordering_even_if_the_total_fits() -> None:
    saturating = FixedPoint(8, 8, True, Rounding.TRN, Overflow.SAT)
    # 15 * 6 + 15 * 6 = 180 > 127 in between; with the third product the total is at most 105
    assert analyse(dense(saturating, [6, 6, -5], signed=False)).layers["d"].sum == Sum.STEP
    assert analyse(dense(saturating, [6, -5, 2], signed=False)).layers["d"].sum == Sum.ANY_ORDER


@pytest.mark.parametrize(
    ("rounding", "sum_"), [(Rounding.TRN, Sum.ROUNDED), (Rounding.RND, Sum.ROUNDED), (Rounding.RND_CONV, Sum.STEP)]
)
def test_a_rounded_running_sum_is_a_sum_of_rounded_products_only_for_shift_invariant_modes(
    rounding: Rounding, sum_: Sum
) -> None:
    a, b = Tensor("a", (1, 3), FixedPoint(4, 2)), Tensor("b", (1, 3), FixedPoint(4, 2))
    accum = FixedPoint(10, 8, True, rounding)
    y = Tensor("y", (1, 1), accum)
    layer = Einsum("e", (a, b), y, (0, 1), (0, 1), 1, 1, 1, 3, (1, 1), (0, 1), accum)
    firmware = Firmware("f", "Vitis", (a, b), (y,), (layer,))
    assert analyse(firmware).layers["e"].sum == sum_


def test_the_reduction_tree_splits_at_the_largest_power_of_two() -> None:
    assert reduction(1) == []
    assert reduction(2) == [(0, 1)]
    assert reduction(5) == [(0, 1), (2, 3), (0, 2), (0, 4)]
    assert reduction(7) == [(0, 1), (2, 3), (0, 2), (4, 5), (4, 6), (0, 4)]


def test_bits_of_a_signed_integer() -> None:
    assert [signed_bits(0, 0), signed_bits(-1, 0), signed_bits(0, 1), signed_bits(-128, 127)] == [1, 1, 2, 8]
    assert signed_bits(-129, 0) == 9
    assert signed_bits(0, 2**63) == 65
