"""A QKeras model to an hls4ml project, with every type written down, and a refusal where hls4ml would go wrong.

hls4ml 1.3 infers some types, defaults others to `ap_fixed<16,6>`, drops quantizers of dense layers on more than one
dimension and activations behind layers of automatic type, and renders several quantizer options wrongly. So here the
weights are quantized beforehand, each layer's result, accumulator, weight and bias type is set, and what cannot be
rendered exactly is refused by name.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import shutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from tensorflow import keras

from l1emu.errors import L1emuError
from l1emu.files import folder_aside
from l1emu.fixedpoint import FixedPoint
from l1emu.training import handlers
from l1emu.training.custom_objects import CUSTOM_OBJECTS
from l1emu.training.quantizers import fixed_type
from l1emu.training.recipe import DISTRIBUTED, Steering
from l1emu.training.steering import check_steering, steer

Backend = Literal["Vitis", "Vivado"]

DEFAULT_INPUT = FixedPoint(10, 4, True)

_ADVICE = {
    "Dense": "QDense with kernel_quantizer and bias_quantizer",
    "Activation": "QActivation, or QSoftmax for a softmax",
    "ReLU": "QActivation(quantized_relu(...))",
    "Softmax": "QSoftmax: hls4ml's handler of keras.layers.Softmax writes C++ that does not compile",
    "BatchNormalization": "no batch normalization: hls4ml truncates its scale and bias; fold it into the dense layer",
    "QBatchNormalization": "no batch normalization: hls4ml ignores its quantizers; fold it into the dense layer",
    "LayerNormalization": "QLayerNormalization of l1emu.training.layernorm_layer",
    "LSTM": "QRecurrent, which computes as hls4ml's firmware does",
    "GRU": "QRecurrent, which computes as hls4ml's firmware does",
    "QLSTM": "QRecurrent: QKeras quantizes other numbers inside the cell than hls4ml does",
    "QGRU": "QRecurrent: QKeras quantizes other numbers inside the cell than hls4ml does",
    "QConv1D": "QDense on (positions, channels) where the kernel size is 1",
    "MultiHeadAttention": "attention composed from QDense, QEinsum and QSoftmax",
    "EinsumDense": "QDense",
    "Dot": "QEinsum",
    "Dropout": "the model without Dropout, which does nothing outside training",
}


@dataclass
class _Plan:
    """What hls4ml is told, and the type of every tensor by the name of the layer that makes it."""

    outputs: set[str] = field(default_factory=set)
    types: dict[str, FixedPoint] = field(default_factory=dict)
    config: dict[str, dict[str, Any]] = field(default_factory=dict)
    weights: dict[str, dict[str, npt.NDArray[Any]]] = field(default_factory=dict)

    def set(self, layer: str, **precision: FixedPoint) -> None:
        entry = self.config.setdefault(layer, {})
        entry.setdefault("Precision", {}).update({k: str(v) for k, v in precision.items()})
        if "result" in precision:
            self.types[layer] = precision["result"]


def convert(
    model: keras.Model,
    folder: str | os.PathLike[str],
    backend: Backend = "Vitis",
    *,
    input_types: Mapping[str, FixedPoint] | FixedPoint = DEFAULT_INPUT,
    part: str = "xcvu13p-flga2577-2-e",
    clock_period_ns: float = 2.7777777777777777,
    steering: Steering | None = None,
    project_name: str = "tagger",
) -> Path:
    """Write the hls4ml project of `model`; the same model gives the same files, byte for byte.

    Parameters
    ----------
    model
        Of QDense, QConv2D, QActivation, QEinsum, QRecurrent, QSoftmax, QLayerNormalization, Add, Subtract, AddConstant,
        Concatenate, Reshape, Permute, UpSampling1D, AveragePooling1D and GlobalAveragePooling1D. It is not changed. Its
        weights may be the latent ones of training: they are quantized here.
    folder
        The project's folder; an existing hls4ml project is replaced, another existing folder is refused.
    backend
        "Vitis" or "Vivado"; io_parallel in either.
    input_types
        Of every input, or by the input's name. Inputs off the grid are truncated, those out of its range wrap.
    steering
        What steers the synthesis: strategies, reuse and parallelization factors; by default hls4ml's own.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    L1emuError
        naming the layer, the value and what is right, if hls4ml would not render the model exactly.
    """
    target = Path(folder)
    if backend not in ("Vitis", "Vivado"):
        raise L1emuError("unknown backend", value=backend, expected="Vitis or Vivado")
    if target.exists() and not (target / "firmware" / "defines.h").exists() and any(target.iterdir()):
        raise L1emuError("this folder holds something else than an hls4ml project", path=target)
    chosen = Steering() if steering is None else steering
    plan = plan_types(model, input_types)
    steer(model, plan.config, chosen)
    quantized = _with_weights(model, plan)
    with folder_aside(target) as aside:
        _write(quantized, plan, aside, backend, part, clock_period_ns, project_name, chosen)
    return target


def plan_types(model: keras.Model, input_types: Mapping[str, FixedPoint] | FixedPoint) -> _Plan:
    """Choose every type of the project, or refuse the model; see `convert`."""
    plan = _Plan({tensor._keras_history.layer.name for tensor in model.outputs})
    planners: dict[str, Callable[[Any, _Plan], None]] = {
        "QDense": _plan_dense,
        "QConv2D": _plan_convolution,
        "QActivation": _plan_activation,
        "QEinsum": _plan_einsum,
        "QRecurrent": _plan_recurrent,
        "QSoftmax": _plan_softmax,
        "QLayerNormalization": _plan_normalization,
        "Add": _plan_add,
        "Subtract": _plan_add,
        "Concatenate": _plan_concatenation,
        "AddConstant": _plan_constant,
        "Reshape": _plan_moved,
        "Permute": _plan_moved,
        "UpSampling1D": _plan_moved,
        "AveragePooling1D": _plan_window_pooling,
        "GlobalAveragePooling1D": _plan_pooling,
    }
    for layer in model.layers:
        kind = type(layer).__name__
        if kind == "InputLayer":
            kind_of_input = input_types if isinstance(input_types, FixedPoint) else input_types[layer.name]
            plan.set(layer.name, result=kind_of_input)
            continue
        if kind not in planners:
            raise refused_layer(layer)
        if len(layer.inbound_nodes) != 1:
            raise L1emuError(
                "hls4ml would share one set of types between all calls of this layer",
                where=f"layer {layer.name}",
                value=f"{len(layer.inbound_nodes)} calls",
                expected="a layer of its own for each call",
            )
        if layer.name in plan.outputs and layer.outbound_nodes:
            raise L1emuError(
                "an output that other layers read: hls4ml would give it one type for both",
                where=f"layer {layer.name}",
                expected="a layer of its own for the output: Activation('linear'), or a QActivation",
            )
        planners[kind](layer, plan)
    return plan


def refused_layer(layer: Any) -> L1emuError:
    """That this layer is not exported, and what is in its place."""
    kind = type(layer).__name__
    others = (
        "QDense, QConv2D, QActivation, QEinsum, QRecurrent, QSoftmax, QLayerNormalization, Add, Subtract, Concatenate, "
        "Reshape, Permute, UpSampling1D, AveragePooling1D, GlobalAveragePooling1D"
    )
    return L1emuError(
        "a layer that is not exported",
        where=f"layer {layer.name}",
        value=kind,
        expected=_ADVICE.get(kind, f"one of {others}"),
    )


def _sources(layer: Any) -> list[str]:
    tensors = layer.input if isinstance(layer.input, list) else [layer.input]
    return [tensor._keras_history.layer.name for tensor in tensors]


def _source_type(layer: Any, plan: _Plan) -> FixedPoint:
    return plan.types[_sources(layer)[0]]


def _only_consumer(layer: Any) -> Any | None:
    """The layer behind this one if it is the only one, else None."""
    nodes = layer.outbound_nodes
    return nodes[0].outbound_layer if len(nodes) == 1 else None


def _result(layer: Any, exact: FixedPoint) -> FixedPoint:
    """The result type: of the quantizer behind the layer where that is all that reads it, else the exact one.

    Before a quantized_relu it is signed and one bit wider: rounding first and then cutting off what is negative gives
    the same values as the other way round.
    """
    behind = _only_consumer(layer)
    if behind is None or type(behind).__name__ != "QActivation":
        return exact
    kind = _activation_type(behind)
    if kind.signed:
        return kind
    return FixedPoint(kind.width + 1, kind.integer + 1, True, kind.rounding, kind.overflow)


def _activation_type(layer: Any) -> FixedPoint:
    return fixed_type(layer.quantizer, f"layer {layer.name}, activation")


def _sum_type(product_fraction: int, product_integer: int, terms: int, signed: bool) -> FixedPoint:
    """The type that holds a sum of `terms` products exactly."""
    integer = product_integer + math.ceil(math.log2(terms)) if terms > 1 else product_integer
    return FixedPoint(product_fraction + integer, integer, signed)


def _plan_dense(layer: Any, plan: _Plan) -> None:
    where = f"layer {layer.name}"
    if layer.activation is not None and getattr(layer.activation, "__name__", "") != "linear":
        raise L1emuError(
            "an activation inside the layer",
            where=where,
            value=str(layer.activation),
            expected="a QActivation layer behind it",
        )
    if not layer.use_bias:
        raise L1emuError("hls4ml would give it a bias of a default type", where=where, expected="use_bias=True")
    weight = fixed_type(layer.kernel_quantizer, f"{where}, kernel_quantizer")
    bias = fixed_type(layer.bias_quantizer, f"{where}, bias_quantizer")
    _check_weight_type(weight, f"{where}, kernel_quantizer")
    _check_weight_type(bias, f"{where}, bias_quantizer")
    kernel, offset = layer.get_weights()
    plan.weights[layer.name] = {
        "weight": _on_grid(kernel, weight, f"{where}, kernel"),
        "bias": _on_grid(offset, bias, f"{where}, bias"),
    }
    x = _source_type(layer, plan)
    terms = math.prod(kernel.shape[:-1])
    products = _sum_type(x.fraction + weight.fraction, x.integer + weight.integer, terms, True)
    integer = max(products.integer, bias.integer) + 1
    exact = FixedPoint(integer + max(products.fraction, bias.fraction), integer, True)
    plan.set(layer.name, weight=weight, bias=bias, accum=exact, result=_result(layer, exact))
    plan.set(f"{layer.name}_linear", result=plan.types[layer.name])


def _check_weight_type(kind: FixedPoint, where: str) -> None:
    if not kind.signed:
        raise L1emuError("weights have a sign", where=where, expected="quantized_bits(..., alpha=1)")
    if kind.width < 3:
        raise L1emuError(
            "hls4ml multiplies binary and ternary weights by rules of their own",
            where=where,
            value=f"{kind.width} bits",
            expected="3 bits or more",
        )


def _on_grid(array: npt.NDArray[Any], kind: FixedPoint, where: str) -> npt.NDArray[np.float32]:
    """Weights as their quantizer rounds and clips them."""
    if not np.isfinite(array).all():
        raise L1emuError("weights that are not finite", where=where)
    raw = np.clip(np.rint(array.astype(np.float64) * 2.0**kind.fraction), kind.low, kind.high)
    return np.asarray(raw * 2.0**-kind.fraction, dtype=np.float32)


def _plan_recurrent(layer: Any, plan: _Plan) -> None:
    where = f"layer {layer.name}"
    if not layer.quantized:
        raise L1emuError("a recurrent layer without quantizers", where=where, expected="all four of QRecurrent")
    weight = fixed_type(layer.weight_quantizer, f"{where}, weight_quantizer")
    bias = fixed_type(layer.bias_quantizer, f"{where}, bias_quantizer")
    for name, kind in (("weight_quantizer", weight), ("bias_quantizer", bias)):
        _check_weight_type(kind, f"{where}, {name}")
    state, source = layer.state_type, _source_type(layer, plan)
    if layer.cell == "lstm" and source != state:
        raise L1emuError(
            "hls4ml's LSTM compiles only where its input, its state and its sums have one type that wraps",
            where=where,
            value=f"input {source}, state {state}",
            expected="the LSTM as first layer, and the input of the state's bits and integer bits",
        )
    if source.width + weight.width > 26 or state.width + weight.width > 26:
        raise L1emuError(
            "its products are not exact in float32, in which it is trained",
            where=where,
            value=f"{max(source.width, state.width)} and {weight.width} bits",
            expected="26 bits together, or fewer",
        )
    arrays = dict(zip(("weight", "recurrent_weight", "bias", "recurrent_bias"), layer.get_weights(), strict=False))
    kinds = {"weight": weight, "recurrent_weight": weight, "bias": bias, "recurrent_bias": bias}
    plan.weights[layer.name] = {
        name: _on_grid(array, kinds[name], f"{where}, {name}") for name, array in arrays.items()
    }
    plan.set(layer.name, **kinds, table=layer.table_type, accum=state, result=state)


def _plan_convolution(layer: Any, plan: _Plan) -> None:
    for setting, right in (("dilation_rate", (1, 1)), ("groups", 1), ("data_format", "channels_last")):
        if getattr(layer, setting) != right:
            raise L1emuError(
                f"hls4ml ignores its {setting}",
                where=f"layer {layer.name}",
                value=getattr(layer, setting),
                expected=str(right),
            )
    if tuple(layer.kernel_size) == (1, 1) and tuple(layer.strides) == (1, 1):
        raise L1emuError(
            "a convolution that is a dense layer over positions", where=f"layer {layer.name}", expected="QDense"
        )
    _plan_dense(layer, plan)


def _plan_activation(layer: Any, plan: _Plan) -> None:
    kind = _activation_type(layer)
    source = _source_type(layer, plan)
    if not kind.signed and not source.signed:
        raise L1emuError(
            "a quantized_relu of values that have no sign",
            where=f"layer {layer.name}",
            expected="a signed input, or no layer here",
        )
    plan.set(layer.name, result=kind)


def _plan_einsum(layer: Any, plan: _Plan) -> None:
    left, right = (plan.types[name] for name in _sources(layer))
    terms = layer.equation.replace("->", ",").split(",")
    sizes = dict(zip(terms[0], layer.input_shape[0], strict=True))
    contracted = set(terms[0]) & set(terms[1]) - set(terms[2])
    alone = (set(terms[0]) ^ set(terms[1])) - set(terms[2])
    if alone:
        raise L1emuError(
            "hls4ml sums over no index that one of the tensors has alone",
            where=f"layer {layer.name}",
            value=layer.equation,
            expected=f"{', '.join(sorted(alone))} in the result or in both tensors",
        )
    if not contracted:
        raise L1emuError("nothing is summed over", where=f"layer {layer.name}", value=layer.equation)
    count = math.prod(sizes[index] for index in contracted)
    exact = _sum_type(left.fraction + right.fraction, left.integer + right.integer, count, left.signed | right.signed)
    if layer.output_quantizer is None:
        result = _result(layer, exact)
    else:
        result = fixed_type(layer.output_quantizer, f"layer {layer.name}, output_quantizer")
    plan.set(layer.name, accum=exact, result=result)


def _plan_softmax(layer: Any, plan: _Plan) -> None:
    where = f"layer {layer.name}"
    if not layer.quantized:
        raise L1emuError("a softmax without quantizers", where=where, expected="all six quantizers of QSoftmax")
    types = layer.types()
    source, norm = _source_type(layer, plan), types["norm_quantizer"]
    # the largest difference of two inputs, high - low, is all ones of this width for a signed input
    if norm.integer < source.integer or norm.fraction < source.fraction:
        raise L1emuError(
            "differences of the inputs do not fit",
            where=f"{where}, norm_quantizer",
            value=str(layer.norm_quantizer),
            expected=f"quantized_relu({source.width},{source.integer})",
        )
    plan.set(
        layer.name,
        exp_table=types["exp_quantizer"],
        accum=types["sum_quantizer"],
        inv_inp=types["inverse_input_quantizer"],
        inv_table=types["inverse_quantizer"],
        result=types["output_quantizer"],
    )


def _plan_normalization(layer: Any, plan: _Plan) -> None:
    types, x = layer.types(), _source_type(layer, plan)
    scale, bias = (types[f"{name}_quantizer"] for name in ("gamma", "beta"))
    accum = types["accum_quantizer"]
    if accum.fraction < x.fraction or accum.integer < x.integer:
        raise L1emuError(
            "the accumulator drops bits of the input",
            where=f"layer {layer.name}, accum_quantizer",
            value=str(accum),
            expected=f"as wide as {x} on either side of the point",
        )
    gamma, beta = layer.get_weights()
    plan.weights[layer.name] = {
        "scale": _on_grid(gamma, scale, f"layer {layer.name}, gamma"),
        "bias": _on_grid(beta, bias, f"layer {layer.name}, beta"),
    }
    plan.set(layer.name, scale=scale, bias=bias, accum=accum, result=types["output_quantizer"])
    plan.config[layer.name] |= {"TableSize": layer.table_size, "TableRangePower2": 0}


def _plan_add(layer: Any, plan: _Plan) -> None:
    names = _sources(layer)
    if len(names) != 2:
        raise L1emuError(
            "hls4ml adds two tensors at a time", where=f"layer {layer.name}", value=len(names), expected="two inputs"
        )
    left, right = (plan.types[name] for name in names)
    shapes = {tuple(shape[1:]) for shape in layer.input_shape}
    if len(shapes) != 1:
        raise L1emuError("shapes differ", where=f"layer {layer.name}", value=sorted(shapes), expected="equal shapes")
    either = _both(left, right, signed=type(layer).__name__ == "Subtract")
    exact = FixedPoint(either.width + 1, either.integer + 1, either.signed)
    plan.set(layer.name, result=_result(layer, exact))


def _plan_moved(layer: Any, plan: _Plan) -> None:
    plan.set(layer.name, result=_source_type(layer, plan))


def _plan_concatenation(layer: Any, plan: _Plan) -> None:
    names = _sources(layer)
    if len(names) != 2:
        raise L1emuError(
            "hls4ml joins two tensors at a time", where=f"layer {layer.name}", value=len(names), expected="two inputs"
        )
    if len(layer.output_shape) > 4:
        raise L1emuError(
            "hls4ml joins tensors of up to three dimensions",
            where=f"layer {layer.name}",
            value=f"{len(layer.output_shape) - 1} dimensions",
        )
    left, right = (plan.types[name] for name in names)
    plan.set(layer.name, result=_result(layer, _both(left, right)))


def _plan_constant(layer: Any, plan: _Plan) -> None:
    constant = layer.constant.astype(np.float64).ravel()
    if not np.array_equal(constant, np.rint(constant)) or np.abs(constant).max() >= 2.0**24:
        raise L1emuError("constants that are not whole numbers", where=f"layer {layer.name}", expected="whole numbers")
    source = _source_type(layer, plan)
    integer = int(np.abs(constant).max()).bit_length() + 1
    own = FixedPoint(integer + 1, integer, True)
    either = _both(source, own)
    exact = FixedPoint(either.width + 1, either.integer + 1, True)
    plan.set(layer.name, scale=FixedPoint(3, 2, True), bias=own, result=_result(layer, exact))


def _both(left: FixedPoint, right: FixedPoint, signed: bool = False) -> FixedPoint:
    """The type that holds the values of either, with a sign if one of them has it or it is asked for."""
    signed = signed or left.signed or right.signed
    integer = max(kind.integer + int(signed and not kind.signed) for kind in (left, right))
    return FixedPoint(integer + max(left.fraction, right.fraction), integer, signed)


def _plan_window_pooling(layer: Any, plan: _Plan) -> None:
    size, stride = int(layer.pool_size[0]), int(layer.strides[0])
    if size != stride or layer.input_shape[1] % size or layer.padding != "valid":
        raise L1emuError(
            "windows that overlap, leave gaps, or do not fill the positions",
            where=f"layer {layer.name}",
            value=f"{layer.input_shape[1]} positions, windows of {size} every {stride}",
            expected="as many as the stride, which divides the positions",
        )
    _plan_mean(layer, size, plan)


def _plan_pooling(layer: Any, plan: _Plan) -> None:
    if layer.keepdims:
        raise L1emuError("hls4ml ignores keepdims", where=f"layer {layer.name}", value=True, expected="False")
    _plan_mean(layer, int(layer.input_shape[1]), plan)


def _plan_mean(layer: Any, count: int, plan: _Plan) -> None:
    if count & (count - 1):
        raise L1emuError(
            "the mean is truncated in firmware and not in QKeras",
            where=f"layer {layer.name}",
            value=f"{count} positions",
            expected="a power of two, which divides exactly",
        )
    source, more = _source_type(layer, plan), count.bit_length() - 1
    # the fraction bits that division needs, below the sum's own: dividing is then exact
    accum = FixedPoint(source.width + 2 * more, source.integer + more, source.signed)
    exact = FixedPoint(source.width + more, source.integer, source.signed)
    plan.set(layer.name, accum=accum, result=_result(layer, exact))


def _with_weights(model: keras.Model, plan: _Plan) -> keras.Model:
    """A copy of `model` with weights on the grids of their types."""
    with keras.utils.custom_object_scope(CUSTOM_OBJECTS), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras takes QKeras' quantizers for constraints
        copy = keras.models.clone_model(model)
    for name, arrays in plan.weights.items():
        copy.get_layer(name).set_weights(list(arrays.values()))
    return copy


def _write(
    model: keras.Model,
    plan: _Plan,
    folder: Path,
    backend: str,
    part: str,
    clock_period_ns: float,
    project_name: str,
    steering: Steering,
) -> None:
    import hls4ml

    handlers.register()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = hls4ml.utils.config_from_keras_model(
            model, granularity="name", backend=backend, default_precision="ap_fixed<16,6>"
        )
        for name, entry in config["LayerName"].items():
            wanted = plan.config.get(name)
            if wanted is None:
                raise L1emuError("hls4ml made a layer whose type nobody chose", where=f"layer {name}")
            entry["Precision"] = dict(wanted["Precision"])
            entry.update({k: v for k, v in wanted.items() if k != "Precision"})
            entry["Trace"] = True
        config["Model"]["PipelineStyle"] = steering.pipeline_style
        if steering.pipeline_interval is not None:
            config["Model"]["PipelineInterval"] = steering.pipeline_interval
        graph = hls4ml.converters.convert_from_keras_model(
            model,
            output_dir=str(folder),
            project_name=project_name,
            backend=backend,
            io_type="io_parallel",
            part=part,
            clock_period=clock_period_ns,
            hls_config=config,
        )
        _check(graph, plan)
        check_steering(graph, plan.config, steering)
        graph.write()
    _make_reproducible(folder, str(graph.config.config["Stamp"]))


def _check(graph: Any, plan: _Plan) -> None:
    """Compare what hls4ml made with the plan: the type of every tensor and every weight."""
    for node in graph.get_layers():
        made = FixedPoint.parse(str(node.get_output_variable().type.precision.definition_cpp()))
        wanted = plan.types.get(node.name)
        if wanted is None or made != wanted:
            raise L1emuError(
                "hls4ml chose another type than it was told",
                where=f"layer {node.name}",
                value=str(made),
                expected=str(wanted),
            )
        if node.get_attr("strategy") == DISTRIBUTED and "da_codegen" in node.attributes:
            continue  # its weights are in the sums, which da4ml makes of the exact values
        for variable, array in plan.weights.get(node.name, {}).items():
            made = FixedPoint.parse(str(node.weights[variable].type.precision.definition_cpp()))
            wanted = FixedPoint.parse(plan.config[node.name]["Precision"][variable])
            # rounding and overflow do nothing to weights that are on the grid
            if (made.width, made.integer, made.signed) != (wanted.width, wanted.integer, wanted.signed):
                raise L1emuError(
                    "hls4ml chose another type than it was told",
                    where=f"layer {node.name}, {variable}",
                    value=str(made),
                    expected=str(wanted),
                )
            written = np.array([float(text) for text in node.weights[variable]])
            if not np.array_equal(np.sort(written), np.sort(array.ravel().astype(np.float64))):
                raise L1emuError("hls4ml changed the weights", where=f"layer {node.name}, {variable}")


def _make_reproducible(folder: Path, stamp: str) -> None:
    """Take the writing machine and moment out of the project: the Keras copy, the folder's path, the random stamp.

    The stamp, which only names the shared library, becomes a hash of the weights and of the C++.
    """
    for copy in folder.glob("keras_model*"):
        if copy.is_dir():
            shutil.rmtree(copy)
        else:
            copy.unlink()
    sources = [
        p for p in sorted((folder / "firmware").rglob("*")) if p.is_file() and p.suffix in {".cpp", ".h", ".txt"}
    ]
    content = hashlib.sha256()
    for path in sources:
        content.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    own = content.hexdigest()[: len(stamp)]
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix in {".yml", ".tcl", ".sh", ".cpp"}:
            text = path.read_text(encoding="utf-8").replace(str(folder), ".")
            # YAML quotes a stamp that is all digits, and no other
            text = re.sub(rf"(?m)^Stamp: '?{stamp}'?$", f"Stamp: '{own}'", text)
            path.write_text(text.replace(stamp, own), encoding="utf-8")
