"""Layer normalization as firmware computes it, for training in its types."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from qkeras import get_quantizer
from tensorflow import keras

from l1emu.errors import L1emuError
from l1emu.firmware.tables import inverse_root
from l1emu.fixedpoint import FixedPoint
from l1emu.training.layers import serialized
from l1emu.training.quantizers import fixed_type

EPSILON_POWER = 3
"""Epsilon is ten to minus this, as hls4ml's kernel takes it."""


def _cast(value: Any, kind: FixedPoint) -> Any:
    """`value` rounded half to even and cut at the ends, as quantizers and hls4ml's types of them do."""
    return tf.clip_by_value(tf.round(value * 2.0**kind.fraction), kind.low, kind.high) * 2.0**-kind.fraction


@keras.utils.register_keras_serializable(package="l1emu")
class QLayerNormalization(keras.layers.Layer):
    r"""Layer normalization over the last axis of (batch, rows, width), by a table of inverse square roots.

    The forward pass is hls4ml's `nnet::layernormalize` step by step: with everything up to the variance rounded to the
    accumulator's type, :math:`m = \sum x / n`, :math:`d = x - m`, :math:`v = \sum d^2 / n`, and
    :math:`y = d\,t_v\,\gamma + \beta`, where :math:`t_v` is the entry of a table of :math:`1/\sqrt{v + \epsilon}` over
    variances from 0 to 1 (its last one beyond). The gradient is the ordinary layer normalization's, of a variance
    that is cut at 1 (straight through).

    Parameters
    ----------
    gamma_quantizer, beta_quantizer
        Types of scale and shift.
    accum_quantizer
        Type of sums, mean, differences and variance, a signed `quantized_bits(b, i, alpha=1)`.
    table_quantizer
        Type of the table's entries, an unsigned `quantized_relu(b, i)`.
    output_quantizer
        Type of the result; float32 does not hold what is rounded to it.
    table_size
        Entries, a power of two.
    """

    QUANTIZERS = ("gamma_quantizer", "beta_quantizer", "accum_quantizer", "table_quantizer", "output_quantizer")

    def __init__(
        self,
        gamma_quantizer: Any,
        beta_quantizer: Any,
        accum_quantizer: Any,
        table_quantizer: Any,
        output_quantizer: Any,
        table_size: int = 1024,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.gamma_quantizer = get_quantizer(gamma_quantizer)
        self.beta_quantizer = get_quantizer(beta_quantizer)
        self.accum_quantizer = get_quantizer(accum_quantizer)
        self.table_quantizer = get_quantizer(table_quantizer)
        self.output_quantizer = get_quantizer(output_quantizer)
        self.table_size = int(table_size)
        if self.table_size < 2 or self.table_size & (self.table_size - 1):
            raise L1emuError(
                "not a possible table size", where=f"layer {self.name}", value=table_size, expected="a power of two"
            )
        for name, signed in zip(self.QUANTIZERS, (True, True, True, False, True), strict=True):
            if self._type(name).signed != signed:
                raise L1emuError(
                    f"this quantity has {'a' if signed else 'no'} sign",
                    where=f"layer {self.name}, {name}",
                    value=str(getattr(self, name)),
                    expected="quantized_bits(..., alpha=1)" if signed else "quantized_relu(bits, integer)",
                )

    def build(self, input_shape: Any) -> None:
        """Make scale and shift, (width,)."""
        if len(input_shape) != 3:
            raise L1emuError(
                "hls4ml normalizes rows of two dimensions",
                where=f"layer {self.name}",
                value=tuple(input_shape[1:]),
                expected="(rows, width)",
            )
        width = int(input_shape[-1])
        self.gamma = self.add_weight(name="gamma", shape=(width,), initializer="ones")
        self.beta = self.add_weight(name="beta", shape=(width,), initializer="zeros")
        self._table = self.table()
        super().build(input_shape)

    def _type(self, name: str) -> FixedPoint:
        return fixed_type(getattr(self, name), f"layer {self.name}, {name}")

    def types(self) -> dict[str, FixedPoint]:
        """The `FixedPoint` type of each quantizer, by the quantizer's name."""
        return {name: self._type(name) for name in self.QUANTIZERS}

    def table(self) -> npt.NDArray[np.float64]:
        """The entries: of variances from 0 in steps of 1 / table_size, as the kernel fills it."""
        kind = self._type("table_quantizer")
        return np.asarray(inverse_root(self.table_size, EPSILON_POWER, 0, kind), dtype=np.float64) * 2.0**-kind.fraction

    def call(self, inputs: Any) -> Any:
        """The normalized rows, float32, same shape: on the grid of the result up to float32's rounding."""
        gamma, beta = self.gamma_quantizer(self.gamma), self.beta_quantizer(self.beta)
        mean = tf.reduce_mean(inputs, axis=-1, keepdims=True)
        variance = tf.reduce_mean((inputs - mean) ** 2, axis=-1, keepdims=True)
        soft = (inputs - mean) * tf.math.rsqrt(tf.minimum(variance, 1.0) + 10.0**-EPSILON_POWER) * gamma + beta
        difference, root = self._steps(tf.cast(tf.stop_gradient(inputs), tf.float64))
        wide = [tf.cast(tf.stop_gradient(value), tf.float64) for value in (gamma, beta)]
        exact = tf.cast(_cast(difference * root * wide[0] + wide[1], self._type("output_quantizer")), tf.float32)
        return soft + tf.stop_gradient(exact - soft)

    def _steps(self, x: Any) -> tuple[Any, Any]:
        """Differences from the mean, and the inverse root of each row, in float64, which holds all of them exactly."""
        kind = self._type("accum_quantizer")
        width = int(x.shape[-1])
        cast = partial(_cast, kind=kind)
        inverse = round(2.0**kind.fraction / width) * 2.0**-kind.fraction
        columns = [cast(x[..., i : i + 1]) for i in range(width)]
        total = tf.zeros_like(columns[0])
        for column in columns:
            total = cast(total + column)
        mean = cast(total * inverse)
        differences = [cast(column - mean) for column in columns]
        squares = tf.zeros_like(total)
        for difference in differences:
            squares = cast(squares + cast(difference * difference))
        variance = cast(squares * inverse)
        index = tf.clip_by_value(tf.cast(variance * self.table_size, tf.int32), 0, self.table_size - 1)
        return tf.concat(differences, axis=-1), tf.gather(tf.constant(self._table), index)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make the layer again."""
        config: dict[str, Any] = (
            super().get_config()
            | {name: serialized(getattr(self, name)) for name in self.QUANTIZERS}
            | {"table_size": self.table_size}
        )
        return config
