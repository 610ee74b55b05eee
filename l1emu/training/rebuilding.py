"""A model built again, layer by layer: without batch normalizations, without quantizers, or with those of a rule."""

from __future__ import annotations

import fnmatch
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from qkeras import QActivation, QConv2D, QDense, quantized_bits, quantized_relu
from tensorflow import keras

from l1emu.errors import L1emuError
from l1emu.training.custom_objects import CUSTOM_OBJECTS
from l1emu.training.export import refused_layer
from l1emu.training.layernorm_layer import EPSILON_POWER, QLayerNormalization
from l1emu.training.layers import QEinsum, QSoftmax
from l1emu.training.masks import GridBits, masked, masked_grid, rearranged, seen_only
from l1emu.training.model import weights_by_name, weights_in_layer
from l1emu.training.model_recipe import GridChoice, LayerRule, QuantizationRule
from l1emu.training.recurrent import QRecurrent

_PASSED = ("Dropout", "SpatialDropout1D", "GaussianNoise", "ActivityRegularization")
"""Layers that do nothing outside training."""

_AGAIN = (
    "Add", "Subtract", "Concatenate", "Reshape", "Permute", "UpSampling1D", "AveragePooling1D",
    "GlobalAveragePooling1D",
)  # fmt: skip
"""Layers whose float twin is one of the same kind."""
_WEIGHTED = ("Dense", "Conv2D")
_SIZES = ("kernel_size", "strides", "padding")

_VARIANCE_BITS = 12
"""Fraction bits of a layer normalization's sums: an entry of its table is 2**-10 wide."""
_ROOT_BITS = 12
"""Of the inverse root of a variance, 1 to 32."""

Made = Callable[[Any, Any], Any]
"""From a layer and its inputs in the new model to its output there."""


def _rebuilt(model: keras.Model, make: Made) -> keras.Model:
    """`model` with what `make` puts in the place of each layer."""
    new = [keras.layers.Input(tuple(given.shape[1:]), name=given._keras_history.layer.name) for given in model.inputs]
    made = dict(zip((given.ref() for given in model.inputs), new, strict=True))
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if node.is_input:
                continue
            if isinstance(node.layer, keras.Model):
                raise L1emuError("a model inside the model", where=f"layer {node.layer.name}", expected="its layers")
            if len(node.layer.inbound_nodes) != 1:
                raise L1emuError(
                    "a layer that is called more than once",
                    where=f"layer {node.layer.name}",
                    expected="a layer of its own for each call",
                )
            sources = [made[tensor.ref()] for tensor in node.keras_inputs]
            made[node.outputs.ref()] = make(node.layer, sources if len(sources) > 1 else sources[0])
    return keras.Model(new, [made[tensor.ref()] for tensor in model.outputs], name=model.name)


def _again(layer: Any, x: Any) -> Any:
    """A fresh copy of the layer."""
    config = layer.get_config()
    if _kind(layer) in _WEIGHTED:
        config["use_bias"] = True  # hls4ml gives a layer without one a bias of a default type
    return type(layer).from_config(config)(x)


def _sources(layer: Any) -> list[Any]:
    tensors = layer.input if isinstance(layer.input, list) else [layer.input]
    return [tensor._keras_history.layer for tensor in tensors]


def _consumers(layer: Any) -> list[Any]:
    return [node.outbound_layer for node in layer.outbound_nodes]


def _kind(layer: Any) -> str:
    return type(layer).__name__


_POINTWISE = {"Conv1D": 1, "Conv2D": 2, "QConv1D": 1, "QConv2D": 2}
"""Convolutions that may be point-wise, and their dimensions."""


def pointwise_as_dense(model: keras.Model) -> keras.Model:
    """`model` with dense layers in the place of its point-wise convolutions: the same function under the same names.

    hls4ml makes point-wise convolutions of dense layers over positions, and takes a parallelization factor for these.
    """
    if not any(_is_pointwise(layer) for layer in model.layers):
        return model

    def make(layer: Any, x: Any) -> Any:
        if not _is_pointwise(layer):
            return _same(layer, x)
        if not _kind(layer).startswith("Q"):
            plain = {"use_bias": layer.use_bias, "trainable": layer.trainable, "name": layer.name}
            return keras.layers.Dense(layer.filters, layer.activation, **plain)(x)
        kernel, bias = layer.kernel_quantizer, layer.bias_quantizer
        return QDense(
            layer.filters,
            layer.activation,
            layer.use_bias,
            kernel_quantizer=kernel,
            bias_quantizer=bias,
            trainable=layer.trainable,
            name=layer.name,
        )(x)

    new = _rebuilt(model, make)
    for layer in model.layers:
        arrays = layer.get_weights()
        if _is_pointwise(layer):
            arrays[0] = arrays[0].reshape(arrays[0].shape[-2:])
        new.get_layer(layer.name).set_weights(arrays)
    return new


def _same(layer: Any, x: Any) -> Any:
    return type(layer).from_config(layer.get_config())(x)


def _is_pointwise(layer: Any) -> bool:
    dimensions = _POINTWISE.get(_kind(layer))
    ones = (1,) * (dimensions or 0)
    return (
        dimensions is not None
        and tuple(layer.kernel_size) == tuple(layer.strides) == ones
        and layer.groups == 1
        and layer.data_format == "channels_last"
    )


def without_normalizations(model: keras.Model) -> keras.Model:
    """`model` with its batch normalizations folded, and without what does nothing outside training.

    A normalization behind a dense layer or convolution that nothing else reads is folded into that one; another one,
    into all dense layers that read it. Both are exact up to float32.

    Raises
    ------
    L1emuError
        at a normalization that neither holds for.
    """
    norms = [layer for layer in model.layers if _kind(layer) == "BatchNormalization"]
    new = _rebuilt(model, lambda layer, x: x if _kind(layer) in (*_PASSED, "BatchNormalization") else _again(layer, x))
    weights = {layer.name: [w.astype(np.float64) for w in layer.get_weights()] for layer in model.layers}
    for layer in model.layers:
        if _kind(layer) in _WEIGHTED and not layer.use_bias:
            weights[layer.name].append(np.zeros(layer.output_shape[-1]))
    for norm in norms:
        scale, shift = _scale_and_shift(norm)
        (before,) = _sources(norm)
        if _kind(before) in _WEIGHTED and len(_consumers(before)) == 1 and before.activation.__name__ == "linear":
            kernel, bias = weights[before.name]
            weights[before.name] = [kernel * scale, bias * scale + shift]
            continue
        behind = _consumers(norm)
        if not behind or any(_kind(layer) != "Dense" for layer in behind):
            raise L1emuError(
                "a batch normalization that no layer can take up: hls4ml truncates its scale and bias",
                where=f"layer {norm.name}",
                value=", ".join(_kind(layer) for layer in behind) or "the output",
                expected="a dense layer or convolution before it, read by it alone, or dense layers alone behind it",
            )
        for layer in behind:
            kernel, bias = weights[layer.name]
            weights[layer.name] = [kernel * scale[:, None], bias + shift @ kernel]
    for layer in new.layers:
        if layer.weights:
            layer.set_weights(weights[layer.name])
    return new


def _scale_and_shift(norm: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """What a batch normalization multiplies by and adds, in the order of the last axis."""
    if list(np.atleast_1d(norm.axis)) != [len(norm.input_shape) - 1]:
        raise L1emuError("a batch normalization along another axis than the last", where=f"layer {norm.name}")
    mean, variance = (v.numpy().astype(np.float64) for v in (norm.moving_mean, norm.moving_variance))
    gamma = norm.gamma.numpy().astype(np.float64) if norm.scale else np.ones_like(mean)
    beta = norm.beta.numpy().astype(np.float64) if norm.center else np.zeros_like(mean)
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return scale, beta - mean * scale


def has_quantizers(model: keras.Model) -> bool:
    """Whether it is a QKeras model."""
    return any(
        _kind(layer) in ("QDense", "QConv2D", "QActivation") or (_kind(layer) == "QRecurrent" and layer.quantized)
        for layer in model.layers
    )


def without_quantizers(model: keras.Model) -> keras.Model:
    """The float twin of a QKeras model: the same layers under the same names, with its weights; what is constant stays.

    Raises
    ------
    L1emuError
        at a layer that is not exported.
    """

    def make(layer: Any, x: Any) -> Any:
        match _kind(layer):
            case "QDense":
                return keras.layers.Dense(layer.units, name=layer.name)(x)
            case "QConv2D":
                sizes = {field: getattr(layer, field) for field in _SIZES}
                return keras.layers.Conv2D(layer.filters, name=layer.name, **sizes)(x)
            case "QActivation":
                relu = type(layer.quantizer).__name__ == "quantized_relu"
                return keras.layers.Activation("relu" if relu else "linear", name=layer.name)(x)
            case "QEinsum":
                return QEinsum(layer.equation, name=layer.name)(x)
            case "QSoftmax":
                return QSoftmax(layer.scale, name=layer.name)(x)
            case "QLayerNormalization":
                return keras.layers.LayerNormalization(epsilon=10.0**-EPSILON_POWER, name=layer.name)(x)
            case "QRecurrent":
                return QRecurrent(layer.cell, layer.units, layer.return_sequences, name=layer.name)(x)
            case _ if _kind(layer) in _AGAIN:
                return _again(layer, x)
        raise refused_layer(layer)

    new = _rebuilt(model, make)
    _take_weights(new, model)
    for layer in new.layers:
        layer.trainable = model.get_layer(layer.name).trainable
    return new


def without_weight_quantizers(model: keras.Model) -> keras.Model:
    """A QKeras model with plain dense layers, whose weights are those that its quantizers make of the trained ones."""

    def make(layer: Any, x: Any) -> Any:
        if _kind(layer) == "QDense":
            return keras.layers.Dense(layer.units, name=layer.name)(x)
        return _again(layer, x)

    with keras.utils.custom_object_scope(CUSTOM_OBJECTS), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras takes QKeras' quantizers for constraints
        new = _rebuilt(model, make)
    for layer in model.layers:
        if layer.weights:
            pairs = zip(layer.get_weights(), layer.get_quantizers(), strict=True)
            new.get_layer(layer.name).set_weights([np.asarray(quantize(array)) for array, quantize in pairs])
    return new


@dataclass(frozen=True)
class LayerGrids:
    """The grids of one layer, (bits, integer bits without the sign); the bits of its tables, if it has any."""

    weight: GridBits
    bias: GridBits
    result: GridBits
    softmax_bits: int


def choose_grids(
    model: keras.Model, rule: QuantizationRule, layers: dict[str, LayerRule], x: list[npt.NDArray[np.float32]] | None
) -> dict[str, LayerGrids]:
    """The grids of every layer of a float model, by its name.

    Where a rule leaves the integer bits open, they are as many as the largest value takes: of the weights, and of the
    results for the inputs `x`, one array an input (without: two bits).

    Raises
    ------
    L1emuError
        if a line of `layers` is about no layer.
    """
    names = [layer.name for layer in model.layers if _kind(layer) != "InputLayer"]
    for pattern in layers:
        if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
            raise L1emuError(
                "no layer of this name", where="quantization.layers", value=pattern, expected=", ".join(names)
            )
    largest: dict[str, float] = {}
    if x is not None:
        inner = keras.Model(model.inputs, [model.get_layer(name).output for name in names])
        values = inner.predict(x if len(x) > 1 else x[0], batch_size=1024, verbose=0)
        largest = {
            n: float(np.abs(v).max()) for n, v in zip(names, values if len(names) > 1 else [values], strict=True)
        }
    grids = {}
    for name in names:
        chosen: dict[str, Any] = {field: getattr(rule, field) for field in LayerRule.model_fields}
        for pattern, line in layers.items():
            if fnmatch.fnmatchcase(name, pattern):
                chosen |= {f: v for f in LayerRule.model_fields if (v := getattr(line, f)) is not None}
        kernel, bias = _largest_weights(model.get_layer(name)) if x is not None else (1.0, 1.0)
        grids[name] = LayerGrids(
            _grid(chosen["weight"], kernel),
            _grid(chosen["bias"], bias),
            _grid(chosen["result"], largest.get(name, 3.0)),
            chosen["softmax_bits"],
        )
    return grids


def _largest_weights(layer: Any) -> tuple[float, float]:
    """Of the matrices and of the biases of a layer; 1 where it has none."""
    found = {"kernel": [0.0], "bias": [0.0]}
    for name, array in weights_in_layer(layer).items():
        found["bias" if "bias" in name else "kernel"].append(float(np.abs(array).max()))
    if not layer.weights:
        return 1.0, 1.0
    return max(found["kernel"]), max(found["bias"])


def _grid(grid: GridChoice, largest: float) -> GridBits:
    if grid.integer is not None:
        return grid.bits, grid.integer
    needed = math.floor(math.log2(largest)) + 1 if largest > 0 else 0  # 1 takes a bit: without it 1 - 2**-n is the most
    return grid.bits, min(max(needed, 0), grid.bits - 2)


def with_quantizers(model: keras.Model, grids: dict[str, LayerGrids]) -> keras.Model:
    """The QKeras model of a float one, with the grids of each layer and the float model's weights.

    Every result is put on its grid: behind a ReLU an unsigned one. Layers keep their names; the quantizer behind a
    layer `x` without activation is called `x_act`.

    Raises
    ------
    L1emuError
        naming the layer that hls4ml would convert wrongly or not at all.
    """
    new = _rebuilt(model, _Quantizing(grids).make)
    _take_weights(new, model)
    return new


def _take_weights(new: keras.Model, model: keras.Model) -> None:
    """Give `new` the weights of `model` by their names; others, as the constants of masks, stay as they are."""
    known = weights_by_name(model)
    for layer in new.layers:
        parts = weights_in_layer(layer)
        if parts:
            layer.set_weights([known.get(f"{layer.name}/{part}", array) for part, array in parts.items()])


class _Quantizing:
    """Makes the quantized form of one layer after the other, and knows the signed grids of their results."""

    def __init__(self, grids: dict[str, LayerGrids]) -> None:
        self.grids = grids
        self.signed: dict[Any, GridBits] = {}

    def make(self, layer: Any, x: Any) -> Any:
        """What stands in the place of `layer` behind the quantized `x`."""
        kind, activation = _kind(layer), _activation_of(layer)
        match kind:
            case "Dense" | "Conv2D":
                return self._weighted(layer, x, str(activation))
            case "QEinsum":
                grid = self.grids[layer.name].result
                y = QEinsum(layer.equation, quantized_bits(*grid, alpha=1), name=layer.name)(x)
                self.signed[y.ref()] = grid
                return y
            case "QSoftmax":
                return self._softmax(layer, x, layer.scale, layer.name)
            case "MaskedScores" | "CausalScores" | "GroupedScores":
                return self._masked(layer, x)
            case "Rearranged":
                if x.ref() not in self.signed:
                    raise L1emuError("rows without a sign", where=f"layer {layer.name}", expected="no ReLU before")
                return self._moved(x, rearranged(x, layer.order, self.signed[x.ref()], layer.name))
            case "QRecurrent":
                return self._recurrent(layer, x)
            case "Activation" | "ReLU" | "Softmax":
                return self._activated(layer, x, str(activation), layer.name)
            case "Add" | "Subtract" | "Concatenate" | "AveragePooling1D" | "GlobalAveragePooling1D":
                return self._ended(layer, _again(layer, x))
            case "LayerNormalization":
                return self._keep(layer, self._normalized(layer, x), f"{layer.name}_act")
            case "Reshape" | "Flatten":
                return self._moved(x, keras.layers.Reshape(tuple(layer.output_shape[1:]), name=layer.name)(x))
            case "Permute" | "UpSampling1D":
                return self._moved(x, _again(layer, x))
        raise refused_layer(layer)

    def _masked(self, layer: Any, x: Any) -> Any:
        """Scores without those of a mask, see `l1emu.training.masks`."""
        softmax = _softmax_behind(layer)
        scores = x[0] if isinstance(x, list) else x
        if scores.ref() not in self.signed:
            raise L1emuError("masked scores without a sign", where=f"layer {layer.name}", expected="no ReLU before")
        scale, bits = getattr(softmax, "scale", 1.0), self.grids[softmax.name].softmax_bits
        grid = masked_grid(self.signed[scores.ref()], scale, bits, f"layer {layer.name}")
        if isinstance(x, list):
            y = masked(x[0], x[1], grid, layer.name)
        else:
            y = seen_only(x, layer.seen(x.shape), grid, layer.name)
        self.signed[y.ref()] = grid
        return y

    def _moved(self, x: Any, y: Any) -> Any:
        """`y`, the numbers of `x` in another order or shape."""
        if x.ref() in self.signed:
            self.signed[y.ref()] = self.signed[x.ref()]
        return y

    def _weighted(self, layer: Any, x: Any, activation: str) -> Any:
        grid = self.grids[layer.name]
        common = {
            "name": layer.name,
            "trainable": layer.trainable,
            "kernel_quantizer": quantized_bits(*grid.weight, alpha=1),
            "bias_quantizer": quantized_bits(*grid.bias, alpha=1),
        }
        if _kind(layer) == "Dense":
            y = QDense(layer.units, **common)(x)
        else:
            y = QConv2D(layer.filters, **{field: getattr(layer, field) for field in _SIZES}, **common)(x)
        if activation == "linear":
            return self._ended(layer, y)
        if activation == "softmax":
            y = self._keep(layer, y, f"{layer.name}_act")
        return self._activated(layer, y, activation, f"{layer.name}_{activation}")

    def _recurrent(self, layer: Any, x: Any) -> Any:
        grid = self.grids[layer.name]
        y = QRecurrent(
            layer.cell,
            layer.units,
            layer.return_sequences,
            quantized_bits(*grid.weight, alpha=1),
            quantized_bits(*grid.bias, alpha=1),
            grid.result,
            grid.softmax_bits,
            name=layer.name,
        )(x)
        self.signed[y.ref()] = grid.result
        return y

    def _normalized(self, layer: Any, x: Any) -> Any:
        if list(np.atleast_1d(layer.axis)) != [len(layer.input_shape) - 1] or not (layer.scale and layer.center):
            raise L1emuError(
                "hls4ml normalizes the last axis, with scale and shift", where=f"layer {layer.name}", expected="axis=-1"
            )
        if not math.isclose(layer.epsilon, 10.0**-EPSILON_POWER):
            raise L1emuError(
                "another epsilon than that of the trained layer",
                where=f"layer {layer.name}",
                value=layer.epsilon,
                expected=str(10.0**-EPSILON_POWER),
            )
        if x.ref() not in self.signed:
            raise L1emuError("a layer normalization of values without sign or quantizer", where=f"layer {layer.name}")
        grid, (bits, integer) = self.grids[layer.name], self.signed[x.ref()]
        # sums of a row do not overflow, and squares keep the bits of a variance of one table entry
        more = math.ceil(math.log2(int(x.shape[-1])))
        whole = max(integer + more, 1)
        return QLayerNormalization(
            quantized_bits(*grid.weight, alpha=1),
            quantized_bits(*grid.bias, alpha=1),
            quantized_bits(1 + whole + max(bits - 1 - integer, _VARIANCE_BITS), whole, alpha=1),
            quantized_relu(_ROOT_BITS, 5),
            quantized_bits(*grid.result, alpha=1),
            name=layer.name,
        )(x)

    def _ended(self, layer: Any, x: Any) -> Any:
        """With a quantizer, unless the only layer behind brings one."""
        behind = _consumers(layer)
        brings = len(behind) == 1 and _kind(behind[0]) in ("Activation", "ReLU")
        if brings and _activation_of(behind[0]) in ("relu", "linear"):
            return x
        return self._keep(layer, x, f"{layer.name}_act")

    def _keep(self, layer: Any, x: Any, name: str) -> Any:
        kept = QActivation(quantized_bits(*self.grids[layer.name].result, alpha=1), name=name)(x)
        self.signed[kept.ref()] = self.grids[layer.name].result
        return kept

    def _activated(self, layer: Any, x: Any, activation: str, name: str) -> Any:
        match activation:
            case "relu":
                return QActivation(quantized_relu(*self.grids[layer.name].result), name=name)(x)
            case "linear":
                return self._keep(layer, x, name)
            case "softmax":
                return self._softmax(layer, x, 1.0, name)
        raise L1emuError(
            "an activation that hls4ml computes by a table of a default type",
            where=f"layer {layer.name}",
            value=activation,
            expected="relu, linear or softmax",
        )

    def _softmax(self, layer: Any, x: Any, scale: float, name: str) -> Any:
        if x.ref() not in self.signed:
            raise L1emuError("a softmax of values without sign or quantizer", where=f"layer {layer.name}")
        return _table_softmax(x, self.signed[x.ref()], self.grids[layer.name].softmax_bits, scale, name)


def _softmax_behind(layer: Any) -> Any:
    """The softmax that alone reads the masked scores of `layer`, behind another mask perhaps."""
    behind = _consumers(layer)
    if len(behind) == 1 and _kind(behind[0]) in ("MaskedScores", "CausalScores", "GroupedScores"):
        return _softmax_behind(behind[0])
    if len(behind) != 1 or _kind(behind[0]) not in ("QSoftmax", "Softmax"):
        raise L1emuError(
            "masked scores that something else than one softmax reads",
            where=f"layer {layer.name}",
            value=", ".join(_kind(reader) for reader in behind) or "the output",
        )
    return behind[0]


def _activation_of(layer: Any) -> str | None:
    kind = _kind(layer)
    if kind == "ReLU":
        plain = layer.max_value is None and not layer.negative_slope and not layer.threshold
        return "relu" if plain else "a ReLU with a limit, slope or threshold"
    if kind == "Softmax":
        return "softmax"
    if kind in (*_WEIGHTED, "Activation"):
        return getattr(layer.activation, "__name__", str(layer.activation))
    return None


def _table_softmax(x: Any, source: GridBits, bits: int, scale: float, name: str) -> Any:
    terms = int(x.shape[-1])
    more = math.ceil(math.log2(terms + 1))
    return QSoftmax(
        scale,
        # as wide as the signed input: no difference of two inputs is clipped
        norm_quantizer=quantized_relu(source[0], source[1] + 1),
        exp_quantizer=quantized_relu(bits, 1),
        sum_quantizer=quantized_relu(bits + more, 1 + more),
        inverse_input_quantizer=quantized_relu(bits, more),
        inverse_quantizer=quantized_relu(bits, 1),
        output_quantizer=quantized_relu(bits, 0),
        name=name,
    )(x)
