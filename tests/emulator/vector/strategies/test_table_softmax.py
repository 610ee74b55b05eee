"""The softmax of tabulated exponentials."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from l1emu.emulator import Emulator
from l1emu.emulator.emulator import _Packed
from l1emu.emulator.vector.features import features
from l1emu.firmware import Firmware, reference
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from l1emu.layers import Einsum, Softmax, Tensor
from tests.emulator.outputs import single
from tests.emulator.random_firmware import random_inputs
from tests.emulator.tagger_firmware import exponential_table, inverse_table

permuting = pytest.mark.skipif(not features("simd").permute8, reason="this processor has no AVX-512 VBMI")
wide = pytest.mark.skipif(not features("simd").wide, reason="this processor has no AVX-512")


def word_softmax(width: int, scale: float, rounding: Rounding, bits: int = 12, result: int = 8) -> Firmware:
    """A softmax of numbers of `width` bits, whose exponentials fall the faster the larger `scale` is.

    Exponentials and inverses have `bits`, the result has `result`.
    """
    score = FixedPoint(width, width - 3, True, Rounding.RND, Overflow.SAT)
    table = FixedPoint(bits, 1, False, Rounding.RND, Overflow.SAT)
    argument = FixedPoint(width, width - 3, False, Rounding.RND, Overflow.SAT)
    inverse_input = FixedPoint(bits - 2, 5, False, Rounding.RND_CONV, Overflow.SAT)
    x = Tensor("x", (3, 8), score)
    layer = Softmax(
        "softmax", (x,), Tensor("y", (3, 8), FixedPoint(result, 0, False, rounding, Overflow.SAT)),
        variant="stable", n_outer=3, n_slice=8, n_inner=1,
        exp_table=exponential_table(table, argument, 1 << width, scale), exp_table_type=table,
        inv_table=inverse_table(table, inverse_input, 1 << bits - 2), inv_table_type=table,
        accum_type=FixedPoint(bits + 5, 6, False), inv_inp_type=inverse_input, inp_norm_type=argument,
    )  # fmt: skip
    return Firmware("softmax", "Vitis", (x,), (layer.output,), (layer,))


@wide
@pytest.mark.parametrize("by_bytes", [pytest.param(True, marks=permuting), False])
@pytest.mark.parametrize(("width", "scale", "entries"), [(9, 8.0, 64), (9, 1.0, 128), (10, 0.5, 256), (12, 0.1, 0)])
@pytest.mark.parametrize("rounding", [Rounding.RND_CONV, Rounding.RND, Rounding.TRN])
def test_a_softmax_of_words_looks_up_what_differs_and_clips_the_rest(
    monkeypatch: pytest.MonkeyPatch, width: int, scale: float, entries: int, rounding: Rounding, by_bytes: bool
) -> None:
    """Until the exponential is constant, up to 256 entries; beyond that it is gathered."""
    chosen = dataclasses.replace(features("simd"), permute8=by_bytes)
    monkeypatch.setattr("l1emu.emulator.vector.features.features", lambda target: chosen)
    firmware = word_softmax(width, scale, rounding)
    emulator = Emulator(firmware, threads=1)
    program = emulator._program
    assert isinstance(program, _Packed)
    source = program.program.source
    looked_up = [line for line in source.splitlines() if f" = lookup{'_bytes' if by_bytes else '16'}(" in line]
    assert bool(looked_up) == (entries > 0)
    assert all(int(line[-2]) <= entries // 64 for line in looked_up)
    assert (" = mulhrs16(" in source) == (entries > 0 and rounding != Rounding.TRN)
    inputs = random_inputs(firmware, 200)
    expected = reference.run(firmware, inputs)["y"]
    np.testing.assert_array_equal(single(emulator.raw(inputs)), expected)
    assert len(np.unique(expected)) > 3


@permuting
@pytest.mark.parametrize(("bits", "result", "blocks"), [(8, 6, 1), (9, 5, 2), (10, 6, 4), (11, 5, 0)])
def test_short_tables_and_results_below_a_byte_stay_in_registers(bits: int, result: int, blocks: int) -> None:
    """Inverses of up to 256 entries are looked up; exponentials of 8 bits stay bytes, in the order of their lanes."""
    firmware = word_softmax(9, 1.0, Rounding.RND_CONV, bits, result)
    emulator = Emulator(firmware, threads=1)
    program = emulator._program
    assert isinstance(program, _Packed)
    source = program.program.source
    words = f"total, const({(1 << bits - 2) - 1})), {blocks}), const(65535))"
    assert ("inverse = and_(lookup16(C, inv_table, " in source) == (words in source) == (blocks > 1)
    assert ("inverse = and_(lookup8(C, inv_table, " in source) == (bits == 8)
    assert ("dot8(total, b0, " in source) == (bits == 8)
    assert "mulhrs16(" in source
    inputs = random_inputs(firmware, 200)
    expected = reference.run(firmware, inputs)["y"]
    np.testing.assert_array_equal(single(emulator.raw(inputs)), expected)
    assert expected.max() == (1 << result) - 1
    assert len(np.unique(expected)) > 3


@permuting
@pytest.mark.parametrize("rounding", [Rounding.RND_CONV, Rounding.RND, Rounding.TRN])
@pytest.mark.parametrize("scale", [8.0, 1.0, 0.3])
def test_exponentials_that_are_bytes_are_multiplied_as_such(scale: float, rounding: Rounding) -> None:
    """By tables of 64, 128 and 256 entries, and ties among the products; what rounds down has words."""
    firmware = word_softmax(10 if scale < 1 else 9, scale, rounding, 8, 6)
    emulator = Emulator(firmware, threads=1)
    program = emulator._program
    assert isinstance(program, _Packed)
    assert (" = srl16(both, 8)" in program.program.source) == (rounding != Rounding.TRN)
    inputs = random_inputs(firmware, 2000)
    expected = reference.run(firmware, inputs)["y"]
    np.testing.assert_array_equal(single(emulator.raw(inputs)), expected)
    assert len(np.unique(expected)) > 3


def attention_scores(free0: int, free1: int, contract: int, fraction: int) -> Firmware:
    """Scores of 9 bits, so many of which a softmax of bytes reads along the last axis; two heads."""
    data, score = FixedPoint(6, 3), FixedPoint(9, 9 - fraction, True, Rounding.RND_CONV, Overflow.SAT)
    q, k, s = Tensor("q", (2, free0, contract), data), Tensor("k", (2, free1, contract), data), (2, free0, free1)
    scores, order = Tensor("s", s, score), (0, 1, 2)
    einsum = Einsum(
        "scores", (q, k), scores, order, order, 2, free0, free1, contract, s, order, FixedPoint(16, 10), None
    )
    softmax = word_softmax(9, 1.0, Rounding.RND_CONV, 8, 6).layers[0]
    assert isinstance(softmax, Softmax)
    softmax = dataclasses.replace(
        softmax, inputs=(scores,), output=Tensor("y", s, softmax.output.type), n_outer=2 * free0, n_slice=free1
    )
    return Firmware("scores", "Vitis", (q, k), (softmax.output,), (einsum, softmax))


@permuting
@pytest.mark.parametrize(("free0", "free1", "contract"), [(12, 8, 4), (16, 16, 8), (15, 48, 8), (5, 4, 72)])
@pytest.mark.parametrize("fraction", [5, 1])
def test_scores_that_only_a_softmax_reads_are_clipped_where_it_matters(
    free0: int, free1: int, contract: int, fraction: int
) -> None:
    """Scores far out of range at both ends, a little, or not at all; rows that are gone through some at a time."""
    firmware = attention_scores(free0, free1, contract, fraction)
    emulator = Emulator(firmware, threads=1)
    program = emulator._program
    assert isinstance(program, _Packed)
    assert program.program.arithmetic["softmax"] == "in scores"
    inputs = random_inputs(firmware, 60)
    layers = reference.run(firmware, inputs)
    assert (layers["s"].min(), layers["s"].max()) == (-256, 255) or fraction == 1
    assert len(np.unique(layers["y"])) > 3
    np.testing.assert_array_equal(single(emulator.raw(inputs)), layers["y"])
