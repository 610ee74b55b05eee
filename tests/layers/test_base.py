"""Layers by hand: known values, and configurations that contradict themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from l1emu.errors import L1emuError
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Concatenate, Dense, Einsum, GlobalPooling1D, Layer, Merge, Relu, Softmax, Tensor, Transpose
from l1emu.layers.dense import resource_order
from l1emu.layers.softmax import index_bits

FX = FixedPoint.parse("ap_fixed<8,4>")
SAT = FixedPoint.parse("ap_fixed<8,4,AP_TRN,AP_SAT>")
WIDE = FixedPoint.parse("ap_fixed<20,12>")


def tensor(name: str, *shape: int, kind: FixedPoint = FX) -> Tensor:
    return Tensor(name, shape, kind)


def dense(accum: FixedPoint = WIDE, order: tuple[int, ...] = (0, 1, 2)) -> Dense:
    weight = np.array([[16], [16], [16]])  # ones
    x, y = tensor("x", 3), tensor("y", 1, kind=accum)
    return Dense("d", (x,), y, 1, 3, 1, weight, FX, np.array([0]), FX, accum, np.array(order))


def test_dense_adds_products() -> None:
    assert dense().reference(np.array([[16, 32, -8]])).tolist() == [[(16 + 32 - 8) * 16]]


def test_saturating_sum_depends_on_the_order() -> None:
    raw = np.array([[127, 127, -128]])
    assert dense(SAT, (0, 1, 2)).reference(raw).tolist() == [[-1]]
    assert dense(SAT, (0, 2, 1)).reference(raw).tolist() == [[126]]


def test_resource_order() -> None:
    assert resource_order(6, 2).tolist() == [0, 2, 4, 1, 3, 5]
    assert resource_order(6, 6).tolist() == [0, 1, 2, 3, 4, 5]
    assert resource_order(3, 12).tolist() == [0, 1, 2]


def test_einsum_rounds_the_sum_and_dense_the_products() -> None:
    """Two products of 3/8 in an accumulator of whole quarters that rounds to even: 0.5 + 0.5, or 0.5 then 0.75."""
    accum = FixedPoint.parse("ap_fixed<8,6,AP_RND_CONV,AP_WRAP>")
    half = FixedPoint.parse("ap_fixed<8,5>")
    a, b, y = tensor("a", 1, 2, kind=half), tensor("b", 1, 2, kind=half), tensor("y", 1, 1, kind=accum)
    einsum = Einsum("e", (a, b), y, (0, 1), (0, 1), 1, 1, 1, 2, (1, 1), (0, 1), accum)
    x, w = np.array([[[3, 3]]]), np.array([[[8, 8]]])
    assert einsum.reference(x, w).tolist() == [[[4]]]  # 0.375 -> 0.5; 0.5 + 0.375 = 0.875 -> 1.0
    weights = np.array([[8], [8]])
    layer = Dense(
        "d", (tensor("x", 2, kind=half),), tensor("z", 1, kind=accum), 1, 2, 1, weights, half, np.array([0]), half,
        accum, np.arange(2),
    )  # fmt: skip
    assert layer.reference(np.array([[3, 3]])).tolist() == [[4]]
    x = np.array([[[1, 1]]])  # two products of 1/8: each rounds to 0, and so does the sum at every step
    assert einsum.reference(x, w).tolist() == [[[0]]]
    x = np.array([[[3, 1]]])  # 3/8 -> 1/2 (even), then 5/8 -> 1/2 in both; with 3/8 after 1/8: 0, then 3/8 -> 1/2
    assert einsum.reference(x, w).tolist() == [[[2]]]


def test_mean_of_a_negative_sum_is_cut_toward_zero() -> None:
    pool = GlobalPooling1D("p", (tensor("x", 4, 1),), tensor("y", 1), "average", WIDE)
    wide_step = 1 << (WIDE.fraction - FX.fraction)
    # the mean is taken at the accumulator's last bit; -3/4 steps of the input become -1 when the output floors
    assert pool.reference(np.array([[[-1], [-1], [-1], [0]]])).tolist() == [[-1]]
    exact = dataclasses.replace(pool, output=tensor("y", 1, kind=WIDE))
    assert exact.reference(np.array([[[-1], [-1], [-1], [0]]])).tolist() == [[-3 * wide_step // 4]]
    odd = GlobalPooling1D("p", (tensor("x", 3, 1, kind=WIDE),), tensor("y", 1, kind=WIDE), "average", WIDE)
    assert odd.reference(np.array([[[-5], [0], [0]]])).tolist() == [[-1]]


def test_average_of_two_keeps_the_half() -> None:
    a, b, y = tensor("a", 1), tensor("b", 1), tensor("y", 1, kind=FixedPoint.parse("ap_fixed<10,5>"))
    assert Merge("m", (a, b), y, "average").reference(np.array([[3]]), np.array([[4]])).tolist() == [[7]]


def test_index_bits() -> None:
    assert [index_bits(n) for n in (1, 2, 4, 1024)] == [1, 1, 2, 10]


def softmax(variant: str, **changes: object) -> Softmax:
    fields = {
        "name": "s", "inputs": (tensor("x", 2),), "output": tensor("y", 2), "variant": variant, "n_outer": 1,
        "n_slice": 2, "n_inner": 1, "exp_table": np.arange(4), "exp_table_type": FX, "inv_table": np.arange(4),
        "inv_table_type": FX, "accum_type": WIDE, "inv_inp_type": FX,
        "inp_norm_type": FX if variant == "stable" else None,
    }  # fmt: skip
    return Softmax(**(fields | changes))  # type: ignore[arg-type]


def test_argmax_takes_the_first_maximum() -> None:
    layer = softmax("argmax", n_slice=3, inputs=(tensor("x", 3),), output=tensor("y", 3))
    assert layer.reference(np.array([[5, 7, 7], [-3, -3, -3]])).tolist() == [[0, 16, 0], [16, 0, 0]]


def test_contradictions_are_refused() -> None:
    x, y = tensor("x", 2, 3), tensor("y", 3, 2)
    wrong: list[Callable[[], Layer]] = [
        lambda: dataclasses.replace(dense(), order=np.array([0, 0, 1])),
        lambda: dataclasses.replace(dense(), weight=np.zeros((1, 3), np.int64)),
        lambda: dataclasses.replace(dense(), bias=np.array([500])),
        lambda: dataclasses.replace(dense(), positions=2),
        lambda: Relu("r", (x,), tensor("y", 5)),
        lambda: Transpose("t", (x,), y, (0, 2)),
        lambda: Concatenate("c", (x, y), tensor("z", 12), 0),
        lambda: Merge("m", (x, tensor("z", 2)), y, "add"),
        lambda: Merge("m", (x, x), tensor("z", 6), "modulo"),  # type: ignore[arg-type]
        lambda: softmax("sparse"),
        lambda: softmax("latency", inp_norm_type=FX),
        lambda: softmax("stable", exp_table=np.arange(3)),
        lambda: softmax("stable", n_slice=3),
    ]
    for make in wrong:
        with pytest.raises(L1emuError, match="layer"):
            make()


def test_weights_cannot_be_changed() -> None:
    layer = dense()
    with pytest.raises(ValueError, match="read-only"):
        layer.weight[0, 0] = 1
