"""A recurrent Keras layer, GRU or LSTM, in float and as hls4ml's firmware computes it, and networks that begin with it.

hls4ml computes each gate from a table of 1024 entries, truncates every product to the type of the sums, and lets sums
wrap. The quantized forward pass does the same, number for number, so that what is trained is what is synthesized; the
gradient is that of the float cell (straight through).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from qkeras import get_quantizer
from tensorflow import keras

from l1emu.errors import L1emuError
from l1emu.firmware import tables
from l1emu.fixedpoint import Exact, FixedPoint
from l1emu.layers.recurrent import GATES, activated
from l1emu.training.heads import with_head
from l1emu.training.layers import serialized

TABLE_SIZE = 1024
"""Entries of hls4ml's tables of a sigmoid and of a tanh."""
_WIDEST = 18
"""Bits of a state: products with weights of 9 bits stay exact in float32, and the tables small."""


@keras.utils.register_keras_serializable(package="l1emu")
class QRecurrent(keras.layers.Layer):
    """A GRU or LSTM over (steps, features) with the state 0 at first; float without quantizers, firmware with all.

    Parameters
    ----------
    cell
        ``gru``, whose reset gate acts behind the product with the state, or ``lstm``.
    units
        Size of the state.
    return_sequences
        Whether the state of every step comes out, (steps, units), or the last alone, (units,).
    weight_quantizer, bias_quantizer
        QKeras quantizers (or their strings) of both matrices and of the biases.
    state_bits
        Bits and integer bits (without the sign) of states, sums and gates: they have one type, which truncates and
        wraps.
    table_bits
        Bits of the tables' values, which lie between -1 and 1.
    """

    def __init__(
        self,
        cell: Literal["gru", "lstm"],
        units: int,
        return_sequences: bool = False,
        weight_quantizer: Any = None,
        bias_quantizer: Any = None,
        state_bits: Sequence[int] | None = None,
        table_bits: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if cell not in GATES:
            raise L1emuError("unknown cell", where=f"layer {self.name}", value=cell, expected="gru or lstm")
        self.cell, self.units, self.return_sequences = cell, int(units), bool(return_sequences)
        self.weight_quantizer, self.bias_quantizer = get_quantizer(weight_quantizer), get_quantizer(bias_quantizer)
        self.state_bits = None if state_bits is None else (int(state_bits[0]), int(state_bits[1]))
        self.table_bits = None if table_bits is None else int(table_bits)
        given = [v is not None for v in (self.weight_quantizer, self.bias_quantizer, self.state_bits, self.table_bits)]
        if any(given) and not all(given):
            raise L1emuError(
                "some of weight_quantizer, bias_quantizer, state_bits and table_bits are missing",
                where=f"layer {self.name}",
            )
        self.quantized = all(given)
        if self.quantized and self.state_type.width > _WIDEST:
            raise L1emuError(
                "a state wider than is trained on exactly",
                where=f"layer {self.name}",
                value=f"{self.state_type.width} bits",
                expected=f"at most {_WIDEST}",
            )

    @property
    def state_type(self) -> FixedPoint:
        """Of states, sums and gates: it truncates and wraps, as hls4ml's own types do."""
        assert self.state_bits is not None
        return FixedPoint(self.state_bits[0], self.state_bits[1] + 1)

    @property
    def table_type(self) -> FixedPoint:
        """Of the tables' values."""
        assert self.table_bits is not None
        return FixedPoint(self.table_bits, 1)

    def build(self, input_shape: Any) -> None:
        """Weights under hls4ml's names: kernel, recurrent_kernel, bias, and a GRU's recurrent_bias."""
        width = GATES[self.cell] * self.units
        self.kernel = self.add_weight("kernel", (int(input_shape[-1]), width), initializer="glorot_uniform")
        self.recurrent_kernel = self.add_weight("recurrent_kernel", (self.units, width), initializer="orthogonal")
        forget = np.zeros(width, np.float32)
        if self.cell == "lstm":
            forget[self.units : 2 * self.units] = 1.0  # an LSTM that forgets nothing at first learns faster
        self.bias = self.add_weight("bias", (width,), initializer=keras.initializers.Constant(forget))
        if self.cell == "gru":
            self.recurrent_bias = self.add_weight("recurrent_bias", (width,), initializer="zeros")
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        """The states of (batch, steps, features): float32 (batch, units), or (batch, steps, units)."""
        math = _Exact(self) if self.quantized else _Float(self)
        kernel, recurrent, bias = self.kernel, self.recurrent_kernel, self.bias
        back = self.recurrent_bias if self.cell == "gru" else tf.zeros_like(bias)
        if self.quantized:
            kernel, recurrent = self.weight_quantizer(kernel), self.weight_quantizer(recurrent)
            bias, back = self.bias_quantizer(bias), self.bias_quantizer(back)
        entering = math.product(inputs, kernel, bias)
        n = self.units

        def gru(x: Any, states: list[Any]) -> tuple[Any, list[Any]]:
            (state,) = states
            h = math.product(state, recurrent, back)
            gates = math.gate(math.add(x[:, : 2 * n], h[:, : 2 * n]))
            update, reset = gates[:, :n], gates[:, n:]
            candidate = math.tanh(math.add(x[:, 2 * n :], math.times(reset, h[:, 2 * n :])))
            state = math.mixed(candidate, 1.0 - update, state, update)
            return state, [state]

        def lstm(x: Any, states: list[Any]) -> tuple[Any, list[Any]]:
            state, memory = states
            sums = math.add(x, math.product(state, recurrent, back))
            gates = math.gate(tf.concat([sums[:, : 2 * n], sums[:, 3 * n :]], axis=1))
            candidate = math.tanh(sums[:, 2 * n : 3 * n])
            memory = math.mixed(candidate, gates[:, :n], memory, gates[:, n : 2 * n])
            state = math.times(gates[:, 2 * n :], math.tanh(memory))
            return state, [state, memory]

        zero = tf.zeros((tf.shape(inputs)[0], n))
        step, first = (gru, [zero]) if self.cell == "gru" else (lstm, [zero, zero])
        last, every, _ = keras.backend.rnn(step, entering, first, input_length=int(inputs.shape[1]))
        return every if self.return_sequences else last

    def compute_output_shape(self, input_shape: Any) -> Any:
        """With or without the steps."""
        return (input_shape[0], *((input_shape[1],) if self.return_sequences else ()), self.units)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make the layer again."""
        config: dict[str, Any] = super().get_config() | {
            "cell": self.cell,
            "units": self.units,
            "return_sequences": self.return_sequences,
            "weight_quantizer": serialized(self.weight_quantizer),
            "bias_quantizer": serialized(self.bias_quantizer),
            "state_bits": self.state_bits,
            "table_bits": self.table_bits,
        }
        return config


class _Float:
    """The cell's arithmetic in float32."""

    def __init__(self, layer: QRecurrent) -> None:
        pass

    def product(self, x: Any, kernel: Any, bias: Any) -> Any:
        return tf.matmul(x, kernel) + bias

    def add(self, x: Any, y: Any) -> Any:
        return x + y

    def times(self, x: Any, y: Any) -> Any:
        return x * y

    def mixed(self, x: Any, a: Any, y: Any, b: Any) -> Any:
        return x * a + y * b

    def gate(self, x: Any) -> Any:
        return tf.sigmoid(x)

    def tanh(self, x: Any) -> Any:
        return tf.tanh(x)


class _Exact(_Float):
    """The same as in the firmware: forwards in the state's type, backwards as in float32."""

    def __init__(self, layer: QRecurrent) -> None:
        self.type = layer.state_type
        every = Exact.of(np.arange(self.type.low, self.type.high + 1), self.type)
        kind = layer.table_type
        # of every number that a sum can be: what the table of 1024 entries has for it, cast to the state's type
        found = {
            "sigmoid": activated("sigmoid", tables.sigmoid(TABLE_SIZE, kind), kind, every),
            "tanh": activated("tanh", tables.tanh(TABLE_SIZE, kind), kind, every),
        }
        self.values = {
            name: tf.constant(self.type.to_float(value.cast(self.type).raw), tf.float32)
            for name, value in found.items()
        }

    def _cast(self, x: Any) -> Any:
        """Truncated to the type's last bit and wrapped into its range; float64 in, float32 out."""
        half = 2.0 ** (self.type.width - 1)
        raw = tf.floor(x * 2.0**self.type.fraction)
        return tf.cast((tf.math.floormod(raw + half, 2 * half) - half) * 2.0**-self.type.fraction, tf.float32)

    @staticmethod
    def _through(soft: Any, exact: Any) -> Any:
        return soft + tf.stop_gradient(exact - soft)

    def product(self, x: Any, kernel: Any, bias: Any) -> Any:
        each, step = tf.stop_gradient(x[..., None] * kernel), 2.0**self.type.fraction
        total = tf.reduce_sum(tf.floor(each * step), axis=-2) + tf.floor(tf.stop_gradient(bias) * step)
        return self._through(tf.matmul(x, kernel) + bias, self._cast(tf.cast(total / step, tf.float64)))

    def add(self, x: Any, y: Any) -> Any:
        return self._through(x + y, self._cast(tf.cast(x, tf.float64) + tf.cast(y, tf.float64)))

    def times(self, x: Any, y: Any) -> Any:
        return self._through(x * y, self._cast(tf.cast(x, tf.float64) * tf.cast(y, tf.float64)))

    def mixed(self, x: Any, a: Any, y: Any, b: Any) -> Any:
        wide = [tf.cast(v, tf.float64) for v in (x, a, y, b)]
        return self._through(x * a + y * b, self._cast(wide[0] * wide[1] + wide[2] * wide[3]))

    def _looked_up(self, name: str, x: Any) -> Any:
        raw = tf.cast(tf.round(tf.stop_gradient(x) * 2.0**self.type.fraction), tf.int32)
        return tf.gather(self.values[name], raw - self.type.low)

    def gate(self, x: Any) -> Any:
        return self._through(tf.sigmoid(x), self._looked_up("sigmoid", x))

    def tanh(self, x: Any) -> Any:
        return self._through(tf.tanh(x), self._looked_up("tanh", x))


def recurrent_network(
    *,
    input: str,
    shape: Sequence[int],
    outputs: int,
    cell: Literal["gru", "lstm"],
    units: int,
    hidden: Sequence[int] = (64,),
    softmax: bool = True,
) -> keras.Model:
    """A GRU or LSTM over (steps, features), and dense layers with ReLU behind its last state.

    The architecture of Khoda et al., arXiv:2207.00559.

    Parameters
    ----------
    cell, units
        ``gru`` or ``lstm``, and the size of its state; the layer has the cell's name.
    hidden
        Units of the dense layers.
    """
    if len(shape) != 2:
        raise L1emuError("no steps", where="network.sizes.shape", value=tuple(shape), expected="(steps, features)")
    inputs = keras.layers.Input(tuple(shape), name=input)
    state = QRecurrent(cell, units, name=cell)(inputs)
    return with_head(inputs, state, hidden, outputs, softmax, cell)
