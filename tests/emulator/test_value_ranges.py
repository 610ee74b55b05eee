"""What is counted of each type is what plain Python integers count, number by number."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import pytest

from l1emu.arraytypes import Ints
from l1emu.emulator import Emulator
from l1emu.emulator import value_ranges as module
from l1emu.emulator.value_ranges import ValueRange, ValueRanges, value_ranges
from l1emu.emulator.watched import TypeTally, WatchedType, watched
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Dense, Gather, Layer, Relu, SlopedRelu, Tensor
from tests.emulator.random_firmware import random_firmware, random_inputs
from tests.emulator.tagger_firmware import tagger_firmware


def row_of(found: ValueRanges, layer: str, what: str = "result") -> ValueRange:
    (row,) = [row for row in found.rows if (row.layer, row.what) == (layer, what)]
    return row


class Counted:
    """Assignments to a type in Python's integers, each a fraction: floor and wrap, or clip."""

    def __init__(self, kind: str) -> None:
        self.kind = FixedPoint.parse(kind)
        self.values = self.overflow = self.rounded = self.to_zero = self.zeros = 0
        self.octaves: Counter[int] = Counter()

    def assign(self, value: Fraction) -> Fraction:
        assert self.kind.rounding == "TRN"
        step = Fraction(2) ** -self.kind.fraction
        raw = floor(value / step)
        self.values += 1
        self.rounded += raw * step != value
        self.zeros += value == 0
        self.to_zero += raw == 0 and value != 0
        if value:
            k = next(k for k in range(200, -200, -1) if abs(value) >= Fraction(2) ** k)
            self.octaves[k] += 1
        if not self.kind.low <= raw <= self.kind.high:
            self.overflow += 1
            span = self.kind.high - self.kind.low + 1
            wraps = self.kind.overflow == "WRAP"
            raw = (
                (raw - self.kind.low) % span + self.kind.low if wraps else min(max(raw, self.kind.low), self.kind.high)
            )
        return raw * step

    def is_of(self, row: ValueRange) -> None:
        assert row.type == str(self.kind)
        assert row.octaves is not None
        told = (row.values, row.overflow, row.rounded, row.to_zero, row.zeros, {k: n for k, n, *_ in row.octaves})
        assert told == (self.values, self.overflow, self.rounded, self.to_zero, self.zeros, dict(self.octaves))


def dense_of(x: Tensor, out: Tensor, n_out: int, accum: str, seed: int = 3) -> Dense:
    rng, n_in = np.random.default_rng(seed), x.shape[-1]
    weight_type = FixedPoint.parse("ap_fixed<6,2>")
    weight = rng.integers(weight_type.low, weight_type.high, (n_in, n_out), endpoint=True, dtype=np.int64)
    return Dense(
        out.name.removesuffix("_out"), (x,), out, x.size // n_in, n_in, n_out, weight, weight_type,
        rng.integers(-20, 20, n_out), FixedPoint.parse("ap_fixed<8,3>"), FixedPoint.parse(accum), np.arange(n_in),
    )  # fmt: skip


def firmware_of(*layers: Layer) -> Firmware:
    return Firmware("counted", "Vitis", layers[0].inputs, (layers[-1].output,), layers)


def by_hand(layer: Dense, rows: Ints, accum: Counted, result: Counted) -> None:
    """The sums of a dense layer, one number after another."""
    x_step, w_step, b_step = (
        Fraction(2) ** -kind.fraction for kind in (layer.inputs[0].type, layer.weight_type, layer.bias_type)
    )
    for row in rows.reshape(-1, layer.n_in).tolist():
        for k in range(layer.n_out):
            total = accum.assign(int(layer.bias[k]) * b_step)
            for i, value in enumerate(row):
                total = accum.assign(total + accum.assign(value * x_step * int(layer.weight[i, k]) * w_step))
            result.assign(total)


@pytest.mark.parametrize("accum", ["ap_fixed<8,4>", "ap_fixed<9,4,AP_TRN,AP_SAT,0>"])
@pytest.mark.parametrize("out", ["ap_fixed<6,3>", "ap_ufixed<5,2,AP_TRN,AP_SAT,0>"])
def test_a_firmware_that_overflows_is_counted_as_by_hand(accum: str, out: str) -> None:
    x = Tensor("x", (5,), FixedPoint.parse("ap_fixed<7,3>"))
    layer = dense_of(x, Tensor("sum_out", (3,), FixedPoint.parse(out)), 3, accum)
    raw: Ints = np.random.default_rng(1).integers(x.type.low, x.type.high, (40, 5), endpoint=True, dtype=np.int64)
    found = value_ranges(Emulator(firmware_of(layer), target="exact"), raw, raw=True)
    sums, results = Counted(accum), Counted(out)
    by_hand(layer, raw, sums, results)
    sums.is_of(row_of(found, "sum", "accum"))
    results.is_of(row_of(found, "sum"))
    assert sums.overflow > 0
    assert results.overflow > 0
    given = row_of(found, "x", "input")
    assert (given.values, given.overflow, given.rounded) == (raw.size, 0, 0)


def test_a_convolution_is_counted_as_by_hand() -> None:
    """Windows of three positions of two channels, gathered, and a matrix at each."""
    x = Tensor("x", (6, 2), FixedPoint.parse("ap_fixed<7,3>"))
    places = (np.arange(4)[:, None] * 2 + np.arange(6)).ravel()
    windows = Gather("window", (x,), Tensor("window_out", (4, 6), FixedPoint.parse("ap_fixed<6,3>")), places, 0)
    out = Tensor("conv_out", (4, 2), FixedPoint.parse("ap_fixed<6,4>"))
    conv = dense_of(windows.output, out, 2, "ap_fixed<18,9>")
    raw = np.random.default_rng(2).integers(x.type.low, x.type.high, (20, 6, 2), endpoint=True)
    found = value_ranges(Emulator(firmware_of(windows, conv), target="exact"), raw, raw=True)
    gathered, sums, results = Counted("ap_fixed<6,3>"), Counted("ap_fixed<18,9>"), Counted("ap_fixed<6,4>")
    into = np.array(
        [int(gathered.assign(Fraction(v, 16)) * 8) for v in raw.reshape(20, 12)[:, places].ravel().tolist()]
    )
    gathered.is_of(row_of(found, "window"))
    by_hand(conv, into, sums, results)
    results.is_of(row_of(found, "conv"))
    proven = row_of(found, "conv", "accum")
    assert (proven.values, proven.overflow, proven.rounded, proven.octaves) == (sums.values, 0, 0, None)
    assert (sums.overflow, sums.rounded) == (0, 0)


def test_products_of_attention_are_counted_as_in_numpy() -> None:
    firmware = tagger_firmware(blocks=1, constituents=4)
    x = np.random.default_rng(4).normal(0, 4, (60, 4, 12))
    emulator = Emulator(firmware, target="exact")
    found, traced = value_ranges(emulator, x), emulator.trace(x)
    layers = {layer.name: layer for layer in firmware.layers}
    score = next(layer for layer in firmware.layers if layer.kind == "einsum")
    names = {layer.output.name: layer.name for layer in firmware.layers}
    q, k = (traced[names[t.name]].astype(object) for t in score.inputs)
    sums = np.einsum("jqhd,jkhd->jhqk", q, k, optimize=False)  # (jets, heads, positions, positions)
    fraction = sum(t.type.fraction for t in score.inputs)
    row = row_of(found, score.name)
    assert row.values == sums.size
    step = Fraction(2) ** -fraction
    assert row.lowest == float(int(sums.min()) * step)
    assert row.highest == float(int(sums.max()) * step)
    kind = layers[score.name].output.type
    shift = fraction - kind.fraction
    assert shift > 0
    assert row.rounded == sum(1 for v in sums.ravel().tolist() if v % (1 << shift))
    half = 1 << (shift - 1)  # to nearest, ties to even
    nearest = [(v + half - (1 if v % (2 << shift) == half else 0)) >> shift for v in sums.ravel().tolist()]
    assert str(kind.rounding) == "RND_CONV"
    assert row.overflow == sum(1 for v in nearest if not kind.low <= v <= kind.high)
    assert row.overflow > 0


@pytest.mark.parametrize("seed", range(4))
def test_any_kind_of_layer_is_counted_whole(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Octaves add up, parts of the jets do not matter, and what is proven is what is counted without proof."""
    firmware = random_firmware(seed, 6)
    emulator, raw = Emulator(firmware, target="exact"), random_inputs(firmware, 16, seed)
    found = value_ranges(emulator, raw, raw=True)
    for row in found.rows:
        if row.octaves is not None:
            assert sum(n for _, n, *_ in row.octaves) + (row.zeros or 0) == row.values
            assert sum(o for *_, o, _ in row.octaves) == (row.overflow or 0)
            assert sum(z for *_, z in row.octaves) == (row.to_zero or 0)
    monkeypatch.setattr(module, "_MOST_JETS", 7)
    assert value_ranges(emulator, raw, raw=True) == found
    monkeypatch.setattr(module, "_sums_are_exact", lambda *_: False)
    for row, one in zip(found.rows, value_ranges(emulator, raw, raw=True).rows, strict=True):
        assert (row.layer, row.what, row.values, row.overflow, row.rounded) == (
            one.layer, one.what, one.values, one.overflow, one.rounded,
        )  # fmt: skip
        assert row == one or row.octaves is None


def test_each_number_of_a_sloped_line_is_assigned_once() -> None:
    x = Tensor("x", (1,), FixedPoint.parse("ap_fixed<8,4>"))
    out = Tensor("leaky_out", (1,), FixedPoint.parse("ap_fixed<8,4>"))
    layer = SlopedRelu("leaky", (x,), out, np.array([13]), FixedPoint.parse("ap_fixed<8,2>"), 0)
    raw = np.arange(x.type.low, x.type.high + 1).reshape(-1, 1)
    row = row_of(value_ranges(Emulator(firmware_of(layer), target="exact"), raw, raw=True), "leaky")
    assert row.values == 256
    assert row.rounded == sum(1 for v in range(-128, 0) if v * 13 % 64)
    assert row.overflow == 0


def test_floats_are_counted_where_they_are_assigned() -> None:
    kind = "ap_fixed<8,3>"
    x = Tensor("x", (4,), FixedPoint.parse(kind))
    layer = Relu("relu", (x,), Tensor("relu_out", (4,), FixedPoint.parse("ap_ufixed<8,3>")))
    values = np.array([0, 0.5, 3.99, 4.0, -4.0, -4.01, 1e-9, -1e-300, 1e300, 2.0**60, 0.03125, 1 / 3]).reshape(3, 4)
    found = row_of(value_ranges(Emulator(firmware_of(layer), target="exact"), values), "x", "input")
    counted = Counted(kind)
    for value in values.ravel().tolist():
        counted.kind.from_float(value)
        step = Fraction(1, 32)
        raw, exact = floor(Fraction(value) / step), Fraction(value)
        counted.values += 1
        counted.overflow += not counted.kind.low <= raw <= counted.kind.high
        counted.rounded += raw * step != exact
        counted.to_zero += raw == 0 and exact != 0
    assert (found.values, found.overflow, found.rounded, found.to_zero) == (
        counted.values, counted.overflow, counted.rounded, counted.to_zero,
    )  # fmt: skip
    assert (found.lowest, found.highest, found.zeros, found.integer_bits) == (-4.01, 1e300, 1, 998)
    assert found.octaves is not None
    assert (-997, 1, 0, 0) in found.octaves  # 1e-300: below 0, and floored to the step below it


@pytest.mark.parametrize(
    ("lowest", "highest", "signed", "bits"),
    [
        (-4, 3.5, True, 3),
        (-4.1, 3, True, 4),
        (0, 4, True, 4),
        (0, 3.9, False, 2),
        (0, 0, True, 0),
        (-0.25, 0, True, -1),
    ],
)
def test_integer_bits_are_the_fewest_that_hold_all(lowest: float, highest: float, signed: bool, bits: int) -> None:
    assert module._integer_bits(Fraction(lowest), Fraction(highest), signed) == bits


def test_magnitudes_of_large_integers_are_exact() -> None:
    tally = TypeTally()
    raw = np.array([2**62 - 1, -(2**63), 2**53 + 1, 2**54 - 1, 0, 1])
    tally.see(raw, 0)
    assert tally.octaves == {61: 1, 63: 1, 53: 2, 0: 1}
    assert tally.zeros == 1
    assert (tally.lowest, tally.highest) == (Fraction(-(2**63)), Fraction(2**62 - 1))


def test_a_watched_type_is_the_type() -> None:
    kind = FixedPoint.parse("ap_fixed<8,3,AP_RND,AP_SAT,0>")
    other = WatchedType.of(kind, TypeTally())
    assert kind == other
    assert other == kind
    assert hash(kind) == hash(other)
    assert str(other) == str(kind)
    values = np.arange(-3000, 3000, 7)
    np.testing.assert_array_equal(other.cast(values, 8), kind.cast(values, 8))


def test_a_watched_layer_computes_the_same() -> None:
    layer = tagger_firmware(blocks=1, constituents=4).layers[0]
    x: Any = np.random.default_rng(0).integers(-500, 500, (9, *layer.inputs[0].shape))
    np.testing.assert_array_equal(watched(layer)[0].reference(x), layer.reference(x))


def test_no_jets_are_refused() -> None:
    firmware = tagger_firmware(blocks=1, constituents=4)
    with pytest.raises(L1emuError, match="no jets to count"):
        value_ranges(Emulator(firmware, target="exact"), np.zeros((0, 4, 12)))


def test_the_table_has_shares(capsys: pytest.CaptureFixture[str]) -> None:
    firmware = tagger_firmware(blocks=1, constituents=4)
    found = value_ranges(Emulator(firmware, target="exact"), np.random.default_rng(4).normal(0, 4, (50, 4, 12)))
    table = found.table()
    assert len(table) == len(found.rows)
    for (_, line), row in zip(table.iterrows(), found.rows, strict=True):
        assert row.overflow is None or line["overflow_share"] == row.overflow / row.values
    assert "<table>" in found._repr_html_()
    assert repr(found).startswith("<ValueRanges of ")
