"""Steps that follow a sum, and the bounds that they keep."""

from __future__ import annotations

import numpy as np
import pytest

from l1emu.emulator.vector.features import LANES, Features
from l1emu.emulator.vector.layout import INT32, PAIRS, Layout
from l1emu.emulator.vector.llvm import OPERATIONS
from l1emu.emulator.vector.render import forms
from l1emu.emulator.vector.value import LANE_LIMIT, Clip, Ending, Halve, Left, Round, Value, Wrap, joined_steps
from l1emu.emulator.vector.writer import Writer
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding

FEATURES = [
    Features(True, "vnni", True, True),
    Features(False, "avx512", False, True),
    Features(False, "avx2", False, True),
    Features(False, "plain", False, False),
]


def test_a_wrap_by_two_shifts_stays_one() -> None:
    """A shift to the left drops the upper bits, and may only be taken off a rounding where nothing is dropped."""
    wrap = (Left(1), Round(24, Rounding.TRN))
    assert joined_steps(wrap) == wrap
    assert joined_steps((Left(1), Round(4, Rounding.RND, 1000, 70))) == (Round(3, Rounding.RND, 1000, 70),)


def test_two_roundings_down_are_one() -> None:
    assert joined_steps((Round(3, Rounding.TRN), Round(4, Rounding.TRN))) == (Round(7, Rounding.TRN),)
    assert joined_steps((Round(3, Rounding.TRN), Wrap(9, True))) == (Left(20), Round(23, Rounding.TRN))


def test_what_32_bits_do_not_hold_is_no_value() -> None:
    assert Value.of(-LANE_LIMIT, LANE_LIMIT - 1, 0) == Value(-LANE_LIMIT, LANE_LIMIT - 1, 0)
    assert Value.of(-LANE_LIMIT - 1, 0, 0) is None
    assert Value(0, 1 << 20, 0).cast(FixedPoint(60, 40)) is None
    assert Value(0, LANE_LIMIT - 1, 10).cast(FixedPoint(40, 38)) is None  # no room for the rounding constant
    assert Value(0, LANE_LIMIT - 1, 0).halved(1) is None
    assert Value(0, 100, 0).cast(FixedPoint(6, 6, True, Rounding.TRN, Overflow.SAT_ZERO)) is None


def test_steps_are_kept_in_order() -> None:
    value = Value(-1000, 1000, 4).cast(FixedPoint(6, 4, True, Rounding.RND, Overflow.SAT))
    assert value is not None and (value.low, value.high, value.fraction) == (-32, 31, 2)
    first, second = value.steps
    assert isinstance(first, Round) and (first.bits, first.mode) == (2, Rounding.RND)
    assert second == Clip(-32, 31, True)
    assert value.rectified().steps == (first, Clip(0, 31, True))
    assert Value(-9, 9, 0).halved(2) == Value(-2, 2, 0, (Halve(2),))


@pytest.mark.parametrize("features", FEATURES, ids=str)
@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("overflow", [Overflow.SAT, Overflow.SAT_SYM, Overflow.WRAP])
@pytest.mark.parametrize("layout", [INT32, PAIRS, Layout(4), Layout(4, zero=-128), Layout(4, signed=True)], ids=str)
def test_endings_do_what_the_type_does(
    features: Features, rounding: Rounding, overflow: Overflow, layout: Layout
) -> None:
    """What is written of a cast, done in numpy's meaning, gives the type's numbers in every layout."""
    if layout.pack == 4 and not features.dot8:
        return  # bytes are never chosen there
    low, high = -3000, 3000
    type_ = FixedPoint(8, 6, layout.zero < 0 or layout.signed or layout.pack < 4, rounding, overflow)
    values = np.concatenate([np.arange(low, low + 100), np.arange(-150, 150), np.arange(high - 99, high + 1)])
    values = np.resize(values, (-(-values.size // 64) * 64,))
    value = Value(low, high, 5).cast(type_)
    assert value is not None
    ending, write = Ending.of(value, layout, fused=features.fused), Writer(features)
    names = [f"v{k}" for k in range(layout.pack)]
    write.lines.append(f"def run({', '.join(names)}):")
    write(1, *(f"{name} = add({name}, const({ending.fold}))" for name in names))
    write(1, f"return {write.finish(1, names, ending)}")
    space = {name: OPERATIONS[form].meaning for name, form in forms(features).items()}
    exec("\n".join(write.lines), space)
    for block in values.astype(np.int32).reshape(-1, layout.pack, LANES):
        out = space["run"](*(row.copy() for row in block))
        shown = out.view({1: np.int32, 2: np.int16, 4: np.int8 if layout.signed else np.uint8}[layout.pack])
        found = shown.reshape(LANES, layout.pack).T.astype(np.int64) + (0 if layout.signed else layout.zero)
        np.testing.assert_array_equal(found, type_.cast(block.astype(np.int64), 5))
