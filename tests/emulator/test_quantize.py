"""Floats to raw integers, by blocks and one by one."""

import numpy as np
import pytest

from l1emu.emulator.quantize import quantize_into
from l1emu.fixedpoint import FixedPoint


@pytest.mark.parametrize("columns", [5, 16, 37])
@pytest.mark.parametrize(
    "type_", ["ap_fixed<10,4>", "ap_fixed<16,6>", "ap_ufixed<8,3>", "ap_int<6>", "ap_fixed<8,4,AP_RND,AP_SAT>"]
)
def test_floats_of_single_precision_are_quantized_as_their_doubles(columns: int, type_: str) -> None:
    """By blocks where a cast cuts and wraps; NaN is met, and what is large, infinite or tiny takes the slow way."""
    kind = FixedPoint.parse(type_)
    rng = np.random.default_rng(7)
    x = rng.normal(0, 20, (300, columns)).astype(np.float32)
    edges = np.array(
        [0.0, -0.0, 1e-40, -1e-40, 1e9, -1e9, 3e9, 1e30, -1e30, np.inf, -np.inf, 0.015624999, 1.0 - 2**-24], np.float32
    )
    x[::3, 0], x[::5, -1] = rng.choice(edges, 100), rng.choice(edges, 60)
    found, expected = np.zeros((300, columns + 2), np.int32), np.zeros((300, columns + 2), np.int64)
    assert not quantize_into(x, found, 1, kind)
    assert not quantize_into(x.astype(np.float64), expected, 1, kind)
    assert (found == expected).all()
    x[17, columns // 2] = np.nan
    assert quantize_into(x, found, 1, kind)
