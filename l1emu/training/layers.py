"""Thin Keras layers that QKeras lacks, of which attention is composed with stock QKeras layers.

hls4ml has nodes for both (`Einsum`, `Softmax`); `l1emu.training.handlers` leads to them. A monolithic attention layer
cannot be converted: a handler returns one node. So attention here is a function that composes layers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from qkeras import get_quantizer
from tensorflow import keras

from l1emu.errors import L1emuError
from l1emu.training.quantizers import fixed_type


def serialized(quantizer: Any) -> dict[str, Any] | None:
    """What a layer's configuration keeps of a quantizer."""
    if quantizer is None:
        return None
    config = {k: v.item() if isinstance(v, np.generic) else v for k, v in quantizer.get_config().items()}
    return {"class_name": type(quantizer).__name__, "config": config}


@keras.utils.register_keras_serializable(package="l1emu")
class QEinsum(keras.layers.Layer):
    """Einstein sum of two tensors that are quantized already, with an optional quantizer on the result.

    Parameters
    ----------
    equation
        As of `numpy.einsum`, with the batch dimension first in all three terms: `"bnhd,bmhd->bhnm"`.
    output_quantizer
        QKeras quantizer (or its string) of the sums; None leaves them as they are.
    """

    def __init__(self, equation: str, output_quantizer: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.equation = equation.replace(" ", "")
        terms = self.equation.replace("->", ",").split(",")
        if len(terms) != 3 or "->" not in self.equation or len({term[:1] for term in terms}) != 1 or "" in terms:
            raise L1emuError(
                "not an einsum of two tensors with the batch dimension first",
                where=f"layer {self.name}",
                value=equation,
                expected="for example 'bnhd,bmhd->bhnm'",
            )
        self.output_quantizer = get_quantizer(output_quantizer)

    def call(self, inputs: Any) -> Any:
        """The sums, quantized: tensors (batch, ...) of float32."""
        left, right = inputs
        sums = tf.einsum(self.equation, left, right)
        return sums if self.output_quantizer is None else self.output_quantizer(sums)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make the layer again."""
        config: dict[str, Any] = super().get_config() | {
            "equation": self.equation,
            "output_quantizer": serialized(self.output_quantizer),
        }
        return config


@keras.utils.register_keras_serializable(package="l1emu")
class QSoftmax(keras.layers.Layer):
    r"""Softmax over the last axis as firmware computes it: from a table of exponentials and a table of inverses.

    With all quantizers None it is the ordinary softmax of `scale * x`. With all quantizers set, the forward pass is
    hls4ml's "stable" softmax step by step: :math:`d_j = \max x - x_j`, :math:`e_j = \exp(-scale\,d_j)` from a table,
    :math:`s = \sum e_j`, :math:`r = 1/s` from a table, :math:`y_j = e_j r`, each in its type. Tables are addressed by
    the upper bits of their argument and hold the value at the lower edge of the bin. The gradient is the ordinary
    softmax's (straight through).

    Parameters
    ----------
    scale
        Factor on the input inside the exponential, as 1/sqrt(width of a head).
    norm_quantizer
        Type of the differences `d`, an unsigned `quantized_relu(b, i)`; give it the width and the integer bits of the
        signed input, and no difference is clipped.
    exp_quantizer, sum_quantizer, inverse_input_quantizer, inverse_quantizer, output_quantizer
        Types of `e`, of `s`, of `s` as the address of the inverse, of `r` and of `y`.
    exp_table_size, inverse_table_size
        Entries, powers of two; None for one entry a value of the address' type.
    """

    QUANTIZERS = (
        "norm_quantizer",
        "exp_quantizer",
        "sum_quantizer",
        "inverse_input_quantizer",
        "inverse_quantizer",
        "output_quantizer",
    )

    def __init__(
        self,
        scale: float = 1.0,
        norm_quantizer: Any = None,
        exp_quantizer: Any = None,
        sum_quantizer: Any = None,
        inverse_input_quantizer: Any = None,
        inverse_quantizer: Any = None,
        output_quantizer: Any = None,
        exp_table_size: int | None = None,
        inverse_table_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.scale = float(scale)
        self.norm_quantizer = get_quantizer(norm_quantizer)
        self.exp_quantizer = get_quantizer(exp_quantizer)
        self.sum_quantizer = get_quantizer(sum_quantizer)
        self.inverse_input_quantizer = get_quantizer(inverse_input_quantizer)
        self.inverse_quantizer = get_quantizer(inverse_quantizer)
        self.output_quantizer = get_quantizer(output_quantizer)
        given = [name for name in self.QUANTIZERS if getattr(self, name) is not None]
        if given and len(given) != len(self.QUANTIZERS):
            missing = ", ".join(sorted(set(self.QUANTIZERS) - set(given)))
            raise L1emuError(f"these quantizers are missing: {missing}", where=f"layer {self.name}")
        self.quantized = bool(given)
        self.exp_table_size = exp_table_size
        self.inverse_table_size = inverse_table_size
        if self.quantized:
            self._check_types()

    def types(self) -> dict[str, Any]:
        """The `FixedPoint` type of each quantizer, by the quantizer's name."""
        return {name: fixed_type(getattr(self, name), f"layer {self.name}, {name}") for name in self.QUANTIZERS}

    def _check_types(self) -> None:
        types = self.types()
        for name, kind in types.items():
            if kind.signed:
                raise L1emuError(
                    "this quantity has no sign",
                    where=f"layer {self.name}, {name}",
                    value=str(getattr(self, name)),
                    expected="quantized_relu(bits, integer)",
                )
        self.exp_table_size = self._table_size("exp_table_size", types["norm_quantizer"].width)
        self.inverse_table_size = self._table_size("inverse_table_size", types["inverse_input_quantizer"].width)
        if types["sum_quantizer"].fraction < types["exp_quantizer"].fraction:
            raise L1emuError(
                "the sum drops bits of the exponentials",
                where=f"layer {self.name}, sum_quantizer",
                value=str(self.sum_quantizer),
                expected=f"{types['exp_quantizer'].fraction} fraction bits or more",
            )

    def _table_size(self, name: str, width: int) -> int:
        size: int | None = getattr(self, name)
        if size is None:
            return 1 << width
        if size < 2 or size & (size - 1) or size > 1 << width:
            raise L1emuError(
                "not a possible table size",
                where=f"layer {self.name}, {name}",
                value=size,
                expected=f"a power of two from 2 to {1 << width}, which {width} bits can address",
            )
        return size

    @staticmethod
    def _bin_edge(x: Any, integer: int, size: int | None) -> Any:
        """Lower edge of the table bin in which x lies."""
        if size is None:
            return x
        step = 2.0**integer / size
        return tf.floor(x / step) * step

    def call(self, inputs: Any) -> Any:
        """Softmax of a tensor (batch, ..., n) along n; float32, same shape."""
        soft = tf.nn.softmax(inputs * self.scale, axis=-1)
        if not self.quantized:
            return soft
        x = tf.stop_gradient(inputs)
        below = self.norm_quantizer(tf.reduce_max(x, axis=-1, keepdims=True) - x)
        below = self._bin_edge(below, self.norm_quantizer.integer, self.exp_table_size)
        exponentials = self.exp_quantizer(tf.exp(-below * self.scale))
        total = self.inverse_input_quantizer(self.sum_quantizer(tf.reduce_sum(exponentials, axis=-1, keepdims=True)))
        total = self._bin_edge(total, self.inverse_input_quantizer.integer, self.inverse_table_size)
        largest = 2.0 ** int(self.inverse_quantizer.integer + 1)
        inverse = self.inverse_quantizer(tf.minimum(1.0 / tf.maximum(total, 1e-30), largest))
        exact = self.output_quantizer(exponentials * inverse)
        return soft + tf.stop_gradient(exact - soft)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make the layer again."""
        config: dict[str, Any] = (
            super().get_config()
            | {name: serialized(getattr(self, name)) for name in self.QUANTIZERS}
            | {
                "scale": self.scale,
                "exp_table_size": self.exp_table_size,
                "inverse_table_size": self.inverse_table_size,
            }
        )
        return config


_HIDDEN = -1e9
"""In the place of a score that counts for nothing."""


@keras.utils.register_keras_serializable(package="l1emu")
class MaskedScores(keras.layers.Layer):
    """Attention scores (batch, ..., queries, keys) without those of padded keys; stands before a softmax.

    The second input is the mask (batch, keys): 1 for a key that there is, 0 for padding. If it is about fewer keys
    than the scores are of, it is about the last ones: there always are those before. A float layer: its quantized form
    is made of layers that hls4ml has, see `l1emu.training.masks`.
    """

    def call(self, inputs: Any) -> Any:
        """The scores, those of padding far below all others."""
        scores, mask = inputs
        always = int(scores.shape[-1]) - int(mask.shape[-1])
        mask = tf.pad(mask, [[0, 0], [always, 0]], constant_values=1.0)
        between = [1] * (len(scores.shape) - 2)
        there = tf.reshape(mask, (-1, *between, scores.shape[-1])) > 0.5
        return tf.where(there, scores, _HIDDEN)


@keras.utils.register_keras_serializable(package="l1emu")
class CausalScores(keras.layers.Layer):
    """Attention scores (batch, ..., n, n) without those of keys that come after their query; before a softmax."""

    def call(self, inputs: Any) -> Any:
        """The scores, those of later keys far below all others."""
        return tf.where(self.seen(inputs.shape), inputs, _HIDDEN)

    def seen(self, shape: Any) -> npt.NDArray[np.bool_]:
        """Which keys a query attends to, of scores of this shape: (n, n)."""
        return np.tri(int(shape[-1]), dtype=bool)


@keras.utils.register_keras_serializable(package="l1emu")
class GroupedScores(keras.layers.Layer):
    """Attention scores (batch, windows, heads, n, n) without those of keys of another group; before a softmax.

    Parameters
    ----------
    groups
        The group of each place, whole numbers (windows, n).
    """

    def __init__(self, groups: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.groups = np.asarray(groups, dtype=np.int64)

    def call(self, inputs: Any) -> Any:
        """The scores, those of other groups far below all others."""
        return tf.where(self.seen(inputs.shape), inputs, _HIDDEN)

    def seen(self, shape: Any) -> npt.NDArray[np.bool_]:
        """Which keys a query attends to: (windows, 1, n, n)."""
        found: npt.NDArray[np.bool_] = self.groups[:, None, :, None] == self.groups[:, None, None, :]
        return found

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make the layer again."""
        config: dict[str, Any] = super().get_config() | {"groups": self.groups.tolist()}
        return config


@keras.utils.register_keras_serializable(package="l1emu")
class Rearranged(keras.layers.Layer):
    """Rows of a tensor (batch, rows, numbers) in another order.

    A float layer: its quantized form is a dense layer over rows, of ones and zeros, see `l1emu.training.masks`.

    Parameters
    ----------
    order
        Which row stands at each place.
    """

    def __init__(self, order: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.order = [int(row) for row in order]

    def call(self, inputs: Any) -> Any:
        """The rows in their order."""
        return tf.gather(inputs, self.order, axis=1)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make the layer again."""
        config: dict[str, Any] = super().get_config() | {"order": self.order}
        return config


@keras.utils.register_keras_serializable(package="l1emu")
class AddConstant(keras.layers.Layer):
    """Adds constants: nested lists of numbers of the shape of the input, the batch left out."""

    def __init__(self, constant: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.constant = np.asarray(constant, dtype=np.float32)

    def call(self, inputs: Any) -> Any:
        """The sum."""
        return inputs + self.constant

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make the layer again."""
        config: dict[str, Any] = super().get_config() | {"constant": self.constant.tolist()}
        return config
