"""Which fixed-point type a QKeras quantizer stands for; quantizers that hls4ml would render wrongly are refused."""

from __future__ import annotations

import math
from typing import Any

from l1emu.errors import L1emuError
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding


def fixed_type(quantizer: Any, where: str) -> FixedPoint:
    """The type whose values are the very values that `quantizer` gives.

    QKeras rounds half to even and clips: `AP_RND_CONV` and `AP_SAT`.

    Parameters
    ----------
    quantizer
        `quantized_bits(b, i, alpha=1)`, signed with `i + 1` integer bits, or `quantized_relu(b, i)`, unsigned.
    where
        The layer and argument, for messages.

    Raises
    ------
    L1emuError
        if it is another quantizer, or has an option for which hls4ml's C++ and QKeras differ.
    """
    if quantizer is None:
        raise L1emuError("no quantizer", where=where, expected="quantized_bits(..., alpha=1) or quantized_relu(...)")
    kind = type(quantizer).__name__
    if kind not in ("quantized_bits", "quantized_relu"):
        raise L1emuError(
            "not a quantizer that is exported", where=where, value=kind, expected="quantized_bits or quantized_relu"
        )
    if getattr(quantizer, "use_stochastic_rounding", False):
        raise L1emuError("stochastic rounding has no counterpart in firmware", where=where, expected="False")
    if float(quantizer.qnoise_factor) != 1.0:
        raise L1emuError(
            "only a part of the quantization is applied",
            where=where,
            value=float(quantizer.qnoise_factor),
            expected="qnoise_factor=1",
        )
    bits, integer = int(quantizer.bits), int(quantizer.integer)
    if kind == "quantized_relu":
        _refuse_relu_options(quantizer, where)
        signed = False
    else:
        _refuse_bits_options(quantizer, where)
        signed, integer = True, integer + 1
    if bits - integer < 1:
        raise L1emuError(
            "no fraction bits: hls4ml makes it an integer type, which truncates and wraps",
            where=where,
            value=str(quantizer),
            expected=f"at least {integer + 1} bits",
        )
    return FixedPoint(bits, integer, signed, Rounding.RND_CONV, Overflow.SAT)


def _refuse_relu_options(quantizer: Any, where: str) -> None:
    if quantizer.negative_slope:
        raise L1emuError(
            "hls4ml types a leaky quantized_relu as unsigned",
            where=where,
            value=quantizer.negative_slope,
            expected="negative_slope=0",
        )
    if quantizer.use_sigmoid:
        raise L1emuError("hls4ml ignores use_sigmoid", where=where, value=quantizer.use_sigmoid, expected="0")
    if quantizer.relu_upper_bound is not None or not quantizer.is_quantized_clip:
        raise L1emuError(
            "hls4ml ignores the upper bound of quantized_relu",
            where=where,
            value=quantizer.relu_upper_bound,
            expected="relu_upper_bound=None: the type's own limit",
        )


def _refuse_bits_options(quantizer: Any, where: str) -> None:
    alpha = quantizer.alpha
    if isinstance(alpha, str) or alpha is None or not math.isclose(float(alpha), 1.0, rel_tol=0, abs_tol=0):
        # QDense turns None into "auto_po2" when it is built
        raise L1emuError(
            "hls4ml renders scaled quantizers as an extra layer with a type of its own",
            where=where,
            value=f"alpha={alpha!r}",
            expected="alpha=1",
        )
    if quantizer.symmetric:
        raise L1emuError(
            "hls4ml saturates at the lowest value that a symmetric quantizer leaves out",
            where=where,
            value="symmetric=1",
            expected="symmetric=0",
        )
    if not quantizer.keep_negative:
        raise L1emuError(
            "hls4ml types it as signed, with half the range",
            where=where,
            value="keep_negative=False",
            expected="quantized_relu for values without a sign",
        )
