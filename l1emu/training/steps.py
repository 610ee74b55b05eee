"""A Keras model as steps that can be run one by one: layers, and the activations inside them by themselves."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from qkeras.utils import _add_supported_quantized_objects
from tensorflow import keras

from l1emu.arraytypes import Floats
from l1emu.errors import L1emuError
from l1emu.files import open_regular
from l1emu.training.any_model import load_trained
from l1emu.training.custom_objects import CUSTOM_OBJECTS
from l1emu.training.keras3 import keras_version, load_keras3
from l1emu.training.recipe import RECIPE

# Layers whose own activation hls4ml writes as a layer behind them.
_WITH_ACTIVATION = (
    "Dense",
    "QDense",
    "Conv1D",
    "QConv1D",
    "Conv2D",
    "QConv2D",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "QDepthwiseConv2D",
    "SeparableConv1D",
    "SeparableConv2D",
    "QSeparableConv1D",
    "QSeparableConv2D",
    "EinsumDense",
    "BatchNormalization",
    "QBatchNormalization",
)
# Quantizers that leave alone what they have quantized.
_IDEMPOTENT = ("quantized_bits", "quantized_linear", "quantized_relu", "quantized_po2", "quantized_relu_po2")
_PASSING = ("Dropout", "Flatten", "Reshape", "ActivityRegularization", "SpatialDropout1D", "GaussianNoise")


def _given(values: Sequence[Floats]) -> Floats:
    """Of an input, which is given and not computed."""
    return values[0]


@dataclass
class KerasStep:
    """One layer, or the activation at its end.

    Attributes
    ----------
    name, kind
        The layer's name and class; of an activation ``layer + activation``.
    layer, part
        The Keras layer, and which part of it: ``whole``, ``body`` (without its activation) or ``activation``.
    sources
        The steps that it reads.
    run
        From the sources' values, arrays (jets, ...), to the step's.
    passes
        Whether it only moves numbers: its values are its source's.
    """

    name: str
    kind: str
    layer: Any
    part: str
    sources: tuple[int, ...]
    run: Callable[[Sequence[Floats]], Floats]
    passes: bool = False

    @property
    def quantizer(self) -> Any | None:
        """The quantizer of the step's values, if it has one whose values it leaves as they are."""
        layer = self.layer
        if self.part == "activation" or type(layer).__name__ == "QActivation":
            found = getattr(layer, "quantizer", None) if self.part == "whole" else layer.activation
        else:
            found = getattr(layer, "output_quantizer", None)
        return found if type(found).__name__ in _IDEMPOTENT else None

    @property
    def joins(self) -> bool:
        """Whether a converter may leave the step to the layer before: quantizers, and normalizations by numbers."""
        if self.part == "activation" or self.kind == "Activation":
            return type(self.layer.activation).__name__ != "function"
        return self.kind == "QActivation" or self.kind.endswith("BatchNormalization")

    @property
    def quantizers(self) -> list[str]:
        """Every quantizer of the layer's part, as text."""
        if self.part == "activation":
            found = [self.layer.activation]
            return [str(q) for q in found if type(q).__name__ != "function"]
        names = ("kernel_quantizer", "depthwise_quantizer", "pointwise_quantizer", "bias_quantizer", "output_quantizer")
        found = [getattr(self.layer, f"{name}_internal", None) or getattr(self.layer, name, None) for name in names]
        if type(self.layer).__name__ == "QActivation":
            found.append(self.layer.quantizer)
        return [str(q) for q in found if q is not None]


class _Lambda(keras.layers.Layer):
    """In the place of Keras' layer, which runs the Python code that a file holds."""

    @classmethod
    def from_config(cls, config: dict[str, Any], *_: Any, **__: Any) -> Any:
        expected = "layers that hls4ml converts"
        raise L1emuError(
            "a Lambda layer, code that would be run", where=f"layer {config.get('name')}", expected=expected
        )


def load_model(path: str | os.PathLike[str]) -> keras.Model:
    """A Keras model: an .h5, .keras or SavedModel, QKeras layers included, or a folder that `l1emu train` wrote.

    Raises
    ------
    L1emuError
        if there is nothing that this Keras can load, or a Lambda layer in it. A SavedModel's TensorFlow functions are
        not looked at: they may do all that TensorFlow can.
    """
    place = Path(path)
    if not place.exists():
        raise L1emuError("no such file or folder", path=place, expected="a Keras model (.h5, .keras)")
    if (place / RECIPE).is_file():
        return load_trained(place).model
    if not place.is_dir():
        with open_regular(place):  # neither zipfile nor HDF5 ends where a device does not
            pass
    objects: dict[str, Any] = {**CUSTOM_OBJECTS, "Lambda": _Lambda}
    _add_supported_quantized_objects(objects)
    try:
        if (keras_version(place) or "2").startswith("3"):
            return load_keras3(place)
        return keras.models.load_model(place, custom_objects=objects, compile=False)
    except L1emuError as error:
        raise error.within(place) from None
    except Exception as error:  # Keras raises what it likes, and so do its files where they are damaged
        first = (str(error).strip().splitlines() or [""])[0]
        raise L1emuError(
            f"TensorFlow {tf.__version__} cannot load the model: {type(error).__name__}: {first[:200]}", path=place
        ) from None


class KerasSteps:
    """The steps of a model in the order in which they run; the first are its inputs."""

    def __init__(self, model: keras.Model) -> None:
        if not hasattr(model, "_nodes_by_depth") or not model.inputs:
            raise L1emuError(
                "not a model of connected layers", where=f"model {model.name}", expected="a functional one"
            )
        self.steps: list[KerasStep] = []
        self._at: dict[tuple[str, int], int] = {}
        for tensor in model.inputs:
            self._add(
                KerasStep(tensor._keras_history.layer.name, "input", tensor._keras_history.layer, "whole", (), _given)
            )
            self._at[self._key(tensor)] = len(self.steps) - 1
        self.inputs = list(range(len(self.steps)))
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if not node.is_input:
                    self._layer(node)
        self.outputs = [self._at[self._key(tensor)] for tensor in model.outputs]

    @staticmethod
    def _key(tensor: Any) -> tuple[str, int]:
        history = tensor._keras_history
        return history.layer.name, history.tensor_index

    def _add(self, step: KerasStep) -> int:
        self.steps.append(step)
        return len(self.steps) - 1

    def _layer(self, node: Any) -> None:
        layer, kind = node.layer, type(node.layer).__name__
        if isinstance(layer, keras.Model):
            raise L1emuError("a model inside the model", where=f"layer {layer.name}", expected="its layers themselves")
        if len(layer.inbound_nodes) != 1:
            raise L1emuError("a layer that is called more than once", where=f"layer {layer.name}")
        if not hasattr(node.outputs, "_keras_history"):
            raise L1emuError("a layer with several results", where=f"layer {layer.name}", value=kind)
        sources: list[int] = []
        for tensor in node.keras_inputs:
            if (at := self._at[self._key(tensor)]) not in sources:
                sources.append(at)
        at_of = {id(tensor): sources.index(self._at[self._key(tensor)]) for tensor in node.keras_inputs}

        def whole(values: Sequence[Floats]) -> Floats:
            def given(t: Any) -> Any:
                return tf.constant(values[at_of[id(t)]], dtype=tf.float32) if id(t) in at_of else t

            args = tf.nest.map_structure(given, node.call_args)
            kwargs = {k: tf.nest.map_structure(given, v) for k, v in node.call_kwargs.items() if k != "training"}
            return np.asarray(layer(*args, **kwargs), dtype=np.float64)

        activation = getattr(layer, "activation", None)
        name = getattr(activation, "__name__", None) or type(activation).__name__
        if kind in _WITH_ACTIVATION and activation is not None and name != "linear":

            def body(values: Sequence[Floats]) -> Floats:
                layer.activation = None
                try:
                    return whole(values)
                finally:
                    layer.activation = activation

            def end(values: Sequence[Floats]) -> Floats:
                return np.asarray(activation(tf.constant(values[0], dtype=tf.float32)), dtype=np.float64)

            before = self._add(KerasStep(layer.name, kind, layer, "body", tuple(sources), body))
            at = self._add(KerasStep(f"{layer.name} + {name}", name, layer, "activation", (before,), end))
        else:
            passes = kind in _PASSING or (kind == "Activation" and name == "linear")
            at = self._add(KerasStep(layer.name, kind, layer, "whole", tuple(sources), whole, passes))
        self._at[self._key(node.outputs)] = at

    def run(
        self, inputs: Sequence[Floats], replaced: dict[int, Floats] | None = None, known: list[Floats] | None = None
    ) -> list[Floats]:
        """The values of all steps.

        Parameters
        ----------
        inputs
            Arrays (jets, ...), one an input.
        replaced
            Values to put in the place of some steps'.
        known
            Values of an earlier run: only what depends on `replaced` is computed again.
        """
        changed: set[int] = set()
        values: list[Floats] = []
        for i, step in enumerate(self.steps):
            if replaced is not None and i in replaced:
                values.append(replaced[i])
                changed.add(i)
            elif known is not None and not changed.intersection(step.sources):
                values.append(known[i])
            elif i in self.inputs:
                values.append(inputs[self.inputs.index(i)])
            else:
                values.append(step.run([values[s] for s in step.sources]))
                changed.add(i)
        return values
