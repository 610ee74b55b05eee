"""Anomaly scores in firmware: autoencoders by their error, variational ones by their latent vector.

The network of the firmware ends with its score. What is trained is another one around the same layers: up to the
reconstruction, or from the latent vector on through a decoder that no firmware needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from l1emu.errors import L1emuError
from l1emu.training.fitting import FittedRows
from l1emu.training.layers import QEinsum
from l1emu.training.model_recipe import Task


def autoencoder(*, input: str, shape: Sequence[int], hidden: Sequence[int], latent: int) -> keras.Model:
    """Dense layers to the latent vector and back, and the sum of the squared differences from the input: its score.

    Parameters
    ----------
    hidden
        Units of the layers before the latent vector; behind it they come in the opposite order.
    """
    inputs, x = _flat(input, shape)
    size = int(x.shape[-1])
    encoded = _latent(x, hidden, latent)
    y = keras.layers.Activation("relu", name="latent_relu")(encoded)
    for number, units in enumerate(reversed(hidden)):
        y = _dense_relu(y, units, f"decoder{number}")
    y = keras.layers.Dense(size, name="reconstructed")(y)
    return keras.Model(inputs, _squares(keras.layers.Subtract(name="difference")([x, y])), name="autoencoder")


def variational_encoder(*, input: str, shape: Sequence[int], hidden: Sequence[int], latent: int) -> keras.Model:
    """Dense layers to the means of the latent vector, and the sum of their squares: its score.

    That a variational autoencoder's means alone tell what is unusual, so that neither decoder nor draws are needed in
    firmware, is after Govorkova et al., arXiv:2108.03986, and CMS's AXOL1TL, arXiv:2411.19506.
    """
    inputs, x = _flat(input, shape)
    return keras.Model(inputs, _squares(_latent(x, hidden, latent)), name="variational_encoder")


def _flat(input: str, shape: Sequence[int]) -> tuple[Any, Any]:
    inputs = keras.layers.Input(tuple(shape), name=input)
    return inputs, inputs if len(shape) == 1 else keras.layers.Flatten(name="flat")(inputs)


def _latent(x: Any, hidden: Sequence[int], latent: int) -> Any:
    for number, units in enumerate(hidden):
        x = _dense_relu(x, units, f"encoder{number}")
    return keras.layers.Dense(latent, name="latent")(x)


def _dense_relu(x: Any, units: int, name: str) -> Any:
    return keras.layers.Activation("relu", name=f"{name}_relu")(keras.layers.Dense(units, name=name)(x))


def _squares(x: Any) -> Any:
    row = keras.layers.Reshape((1, int(x.shape[-1])), name="row")(x)
    return QEinsum("bnd,bnd->bn", name="score")([row, row])


class FormInTraining:
    """What is fitted in the place of the firmware's network; the decoder's weights pass from one pass to the next.

    A variational autoencoder's divergence is one more output, whose target is 0, so that a row's weight counts for it
    as it does for the reconstruction.

    Attributes
    ----------
    losses, loss_weights
        Of each output, by Keras' names.
    """

    def __init__(self, task: Task | None, losses: Sequence[str], loss_weights: Sequence[float]) -> None:
        self.task = task
        self.variational = task is not None and task.divergence > 0
        self.losses, self.loss_weights = list(losses), list(loss_weights)
        if task is not None and self.variational:
            self.losses.append("mean_absolute_error")  # of what is never negative, and of 0: itself
            self.loss_weights.append(task.divergence)
        self._made: dict[str, Any] = {}

    def rows(self, rows: FittedRows) -> FittedRows:
        """Rows with the targets of this form's outputs."""
        inputs, targets, weights = rows
        return inputs, [*targets, np.zeros((len(weights), 1), np.float32)] if self.variational else targets, weights

    def form(self, model: keras.Model) -> keras.Model:
        """The network that is fitted, around the layers of `model`.

        Raises
        ------
        L1emuError
            if the task names a layer that the network does not have.
        """
        if self.task is None or self.task.kind != "anomaly":
            return model
        if self.task.reconstructed is not None:
            return keras.Model(model.inputs, _output_of(model, self.task.reconstructed, "task.reconstructed"))
        assert self.task.latent is not None  # the schema's promise
        mean = _output_of(model, self.task.latent, "task.latent")
        before = model.get_layer(self.task.latent).input
        size = int(mean.shape[-1])
        x, divergence = mean, []
        if self.variational:
            spread = self._layer("log_variance", keras.layers.Dense, size, kernel_initializer="zeros")(before)
            x, *divergence = _Drawn(name="divergence")([mean, spread])
        for number, units in enumerate(self.task.decoder):
            x = self._layer(f"decoder{number}", keras.layers.Dense, units, activation="relu")(x)
        outputs = 1
        for length in model.inputs[0].shape[1:]:
            outputs *= int(length)
        decoded = self._layer("decoded", keras.layers.Dense, outputs)(x)
        return keras.Model(model.inputs, [decoded, *divergence])

    def _layer(self, name: str, kind: Any, *sizes: int, **options: Any) -> Any:
        if name not in self._made:
            self._made[name] = kind(*sizes, name=name, **options)
        return self._made[name]


def _output_of(model: keras.Model, name: str, where: str) -> Any:
    """The values of a layer, behind its quantizer where it has one."""
    names = [layer.name for layer in model.layers]
    if name not in names:
        raise L1emuError("no layer of this name", where=where, value=name, expected=", ".join(names))
    return model.get_layer(f"{name}_act" if f"{name}_act" in names else name).output


class _Drawn(keras.layers.Layer):
    """A draw from a normal distribution in training, its mean otherwise; and the divergence from the unit one.

    Of a row the sum over its latent numbers of (1 + log variance - mean² - variance) / -2: Kingma and Welling,
    arXiv:1312.6114.
    """

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The draw (rows, latent) and the divergence (rows, 1): float32, as the mean."""
        mean, spread = inputs
        spread = tf.clip_by_value(spread, -10.0, 10.0)
        each = -0.5 * (1.0 + spread - tf.square(mean) - tf.exp(spread))
        divergence = tf.reduce_sum(each, axis=-1, keepdims=True)
        if training:
            mean = mean + tf.exp(0.5 * spread) * tf.random.normal(tf.shape(mean))
        return mean, divergence
