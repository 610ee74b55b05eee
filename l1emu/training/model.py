"""The default architecture: a transformer over jet constituents, in float and in QKeras, from one recipe."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from qkeras import QActivation, QDense, quantized_bits, quantized_relu
from tensorflow import keras

from l1emu.errors import L1emuError
from l1emu.training.layers import QEinsum, QSoftmax
from l1emu.training.recipe import Bits, Recipe, SoftmaxTypes
from l1emu.training.recurrent import QRecurrent


class _Network:
    """Makes layers, quantized or not, under the same names."""

    def __init__(self, recipe: Recipe, quantized: bool) -> None:
        self.recipe = recipe
        self.quantized = quantized

    def dense(self, x: Any, units: int, name: str, weight: Bits | None = None) -> Any:
        if not self.quantized:
            return keras.layers.Dense(units, name=name)(x)
        types = self.recipe.types
        return QDense(
            units,
            name=name,
            kernel_quantizer=_signed(weight or types.weight),
            bias_quantizer=_signed(types.bias),
        )(x)

    def relu(self, x: Any, bits: Bits, name: str) -> Any:
        if not self.quantized:
            return keras.layers.Activation("relu", name=name)(x)
        return QActivation(quantized_relu(bits.bits, bits.integer), name=name)(x)

    def keep(self, x: Any, bits: Bits, name: str) -> Any:
        """A signed activation: linear, quantized."""
        if not self.quantized:
            return keras.layers.Activation("linear", name=name)(x)
        return QActivation(_signed(bits), name=name)(x)

    def einsum(self, equation: str, pair: list[Any], bits: Bits, name: str) -> Any:
        return QEinsum(equation, _signed(bits) if self.quantized else None, name=name)(pair)

    def softmax(self, x: Any, bits: Bits, types: SoftmaxTypes, scale: float, name: str) -> Any:
        if not self.quantized:
            return QSoftmax(scale, name=name)(x)
        terms = int(x.shape[-1])
        more = math.ceil(math.log2(terms + 1))
        return QSoftmax(
            scale,
            # as wide as the signed input: no difference of two inputs is clipped
            norm_quantizer=quantized_relu(bits.bits, bits.integer + 1),
            exp_quantizer=_unsigned(types.exp),
            sum_quantizer=quantized_relu(types.exp.bits + more, types.exp.integer + more),
            inverse_input_quantizer=_unsigned(types.inverse_input),
            inverse_quantizer=_unsigned(types.inverse),
            output_quantizer=_unsigned(types.output),
            name=name,
        )(x)


def _signed(bits: Bits) -> Any:
    return quantized_bits(bits.bits, bits.integer, alpha=1)


def _unsigned(bits: Bits) -> Any:
    return quantized_relu(bits.bits, bits.integer)


def build(recipe: Recipe, *, quantized: bool) -> keras.Model:
    """The network of `recipe`, with random weights.

    The float twin (`quantized=False`) has the same layers under the same names without any quantizer, so weights pass
    from one to the other by name.

    Returns
    -------
    keras.Model
        input (batch, constituents, features) float32 on the grid of the input type; output (batch, classes), scores
        that sum to 1 up to their rounding.
    """
    shape, types, net = recipe.architecture, recipe.types, _Network(recipe, quantized)
    inputs = keras.layers.Input((shape.constituents, shape.features), name="constituents")
    x = net.relu(net.dense(inputs, shape.width, "embed", types.input_weight), types.embedding, "embed_relu")
    for block in range(shape.blocks):
        name = f"block{block}"
        x = net.keep(
            keras.layers.Add(name=f"{name}_add1")([x, _attention(net, x, name)]), types.residual, f"{name}_residual1"
        )
        wide = net.relu(net.dense(x, shape.feed_forward, f"{name}_ff1"), types.feed_forward, f"{name}_ff1_relu")
        narrow = net.keep(net.dense(wide, shape.width, f"{name}_ff2"), types.residual, f"{name}_ff2_act")
        x = net.keep(keras.layers.Add(name=f"{name}_add2")([x, narrow]), types.residual, f"{name}_residual2")
    x = net.keep(keras.layers.GlobalAveragePooling1D(name="pool")(x), types.pooled, "pool_act")
    for number, units in enumerate(shape.head):
        x = net.relu(net.dense(x, units, f"head{number}"), types.head, f"head{number}_relu")
    x = net.keep(net.dense(x, len(shape.classes), "logits"), types.logits, "logits_act")
    scores = net.softmax(x, types.logits, types.class_softmax, 1.0, "scores")
    return keras.Model(inputs, scores, name=recipe.name.replace("-", "_"))


def _attention(net: _Network, x: Any, name: str) -> Any:
    """Multi-head self-attention: softmax(QK^T / sqrt(width of a head)) V, then the output projection."""
    shape, types = net.recipe.architecture, net.recipe.types
    split = (shape.constituents, shape.heads, net.recipe.head_width)
    projected = {}
    for part, bits in (("query", types.query), ("key", types.key), ("value", types.value)):
        dense = net.keep(net.dense(x, shape.width, f"{name}_{part}"), bits, f"{name}_{part}_act")
        projected[part] = keras.layers.Reshape(split, name=f"{name}_{part}_heads")(dense)
    score = net.einsum(
        "bnhd,bmhd->bhnm", [projected["query"], projected["key"]], types.attention_score, f"{name}_score"
    )
    weight = net.softmax(
        score, types.attention_score, types.attention_softmax, net.recipe.attention_scale, f"{name}_softmax"
    )
    mixed = net.einsum("bhnm,bmhd->bnhd", [weight, projected["value"]], types.attention_output, f"{name}_mix")
    mixed = keras.layers.Reshape((shape.constituents, shape.width), name=f"{name}_merge")(mixed)
    return net.keep(net.dense(mixed, shape.width, f"{name}_project"), types.residual, f"{name}_project_act")


def set_weights_by_name(model: keras.Model, weights: dict[str, npt.NDArray[Any]]) -> None:
    """Give `model` the arrays `weights["layer/kernel"]`, `weights["layer/bias"]`.

    Raises
    ------
    L1emuError
        at the first array that is missing, superfluous, of another shape, or not finite.
    """
    left = set(weights)
    for layer in model.layers:
        if not layer.weights:
            continue
        arrays = []
        for variable in layer.weights:
            key = _weight_name(layer, variable)
            if key not in weights:
                raise L1emuError("these weights are missing", where=key)
            if weights[key].dtype.kind not in "iuf":
                raise L1emuError("weights that are no numbers", where=key, value=str(weights[key].dtype))
            with np.errstate(over="ignore"):  # what is beyond float32 is not finite
                array = np.asarray(weights[key], dtype=np.float32)
            if array.shape != tuple(variable.shape):
                raise L1emuError(
                    "wrong shape of weights", where=key, value=array.shape, expected=str(tuple(variable.shape))
                )
            if not np.isfinite(array).all():
                raise L1emuError("weights that are not finite", where=key)
            left.discard(key)
            arrays.append(array)
        layer.set_weights(arrays)
    if left:
        raise L1emuError("weights of no layer of this model", where=min(left))


def weights_by_name(model: keras.Model) -> dict[str, npt.NDArray[Any]]:
    """All weights of `model` as float32 arrays under `layer/kernel`, `layer/bias`."""
    return {_weight_name(layer, variable): variable.numpy() for layer in model.layers for variable in layer.weights}


def weights_in_layer(layer: Any) -> dict[str, npt.NDArray[Any]]:
    """The weights of one layer by their names, in the layer's own order."""
    return {_weight_name(layer, variable).split("/", 1)[1]: variable.numpy() for variable in layer.weights}


def _weight_name(layer: keras.layers.Layer, variable: Any) -> str:
    """`layer/kernel` for the variable that Keras calls `layer/kernel:0`."""
    return f"{layer.name}/{variable.name.rsplit('/', 1)[-1].split(':')[0]}"


def multiplications(model: keras.Model) -> int:
    """Multiply-accumulate operations of one jet, in dense, einsum and recurrent layers."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, QRecurrent):
            total += layer.input_shape[1] * (math.prod(layer.kernel.shape) + math.prod(layer.recurrent_kernel.shape))
        elif hasattr(layer, "kernel"):
            positions = math.prod(layer.output_shape[1:-1])
            total += positions * math.prod(layer.kernel.shape)
        elif isinstance(layer, QEinsum):
            terms = layer.equation.replace("->", ",").split(",")
            sizes = {
                index: size
                for term, shape in zip(terms[:2], layer.input_shape, strict=True)
                for index, size in zip(term[1:], shape[1:], strict=True)
            }
            total += math.prod(sizes.values())
    return total
