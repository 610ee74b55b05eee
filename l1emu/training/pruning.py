"""Pruning by magnitude: during a pass, a growing part of each kernel's smallest weights becomes zero and stays so."""

from __future__ import annotations

import fnmatch
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow import keras

from l1emu.errors import L1emuError
from l1emu.training.model_recipe import Pruning

_PRUNED = ("Dense", "QDense", "Conv2D", "QConv2D")
_STEPS = 20
"""Between two choices of the weights that are zero, while their number grows."""


def pruned_layers(model: keras.Model, pruning: Pruning) -> list[Any]:
    """The trained dense layers and convolutions that the recipe prunes.

    Raises
    ------
    L1emuError
        if a pattern is about none of them.
    """
    layers = [layer for layer in model.layers if type(layer).__name__ in _PRUNED and layer.trainable]
    for pattern in pruning.layers:
        if not any(fnmatch.fnmatchcase(layer.name, pattern) for layer in layers):
            raise L1emuError(
                "no dense layer or convolution of this name",
                where="training.pruning.layers",
                value=pattern,
                expected=", ".join(layer.name for layer in layers),
            )
    return [layer for layer in layers if any(fnmatch.fnmatchcase(layer.name, name) for name in pruning.layers)]


def zero_share(model: keras.Model, pruning: Pruning) -> float:
    """The share of zeros among the weights of the pruned layers of a quantized network, as the firmware has them."""
    kernels = [np.asarray(layer.kernel_quantizer(layer.kernel)) for layer in pruned_layers(model, pruning)]
    return 1 - sum(np.count_nonzero(kernel) for kernel in kernels) / sum(kernel.size for kernel in kernels)


class Pruner(keras.callbacks.Callback):
    r"""Sets the smallest weights of each kernel to zero, after each step.

    Of `epochs` the first quarter is trained as it is; then the share of zeros grows as
    :math:`s\,(1 - (1 - t)^3)`, `t` from 0 to 1 over the second and third quarter (Zhu and Gupta, arXiv:1710.01878, with
    final sparsity `s`), the then smallest weights being chosen every few steps; in the last quarter it is settled.

    Parameters
    ----------
    layers
        Those whose kernels are pruned.
    sparsity
        The share that is zero in the end, of each kernel. None: what is zero already stays so, and nothing else.
    epochs
        Of the pass.
    """

    def __init__(self, layers: list[Any], sparsity: float | None, epochs: int) -> None:
        super().__init__()
        self.kernels = [layer.kernel for layer in layers]
        self.sparsity = sparsity
        self.begin, self.settled = (0, 0) if sparsity is None else (epochs // 4, 3 * epochs // 4)
        self.masks = [tf.constant(kernel.numpy() != 0, kernel.dtype) for kernel in self.kernels]
        self.epoch = 0
        if sparsity is not None and self.settled == 0:  # too few epochs to grow in
            self._choose(sparsity)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch = epoch
        if self.sparsity is not None and epoch == self.settled > 0:
            self._choose(self.sparsity)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self.sparsity is not None and self.begin <= self.epoch < self.settled and batch % _STEPS == 0:
            through = (self.epoch + batch / self.params["steps"] - self.begin) / (self.settled - self.begin)
            self._choose(self.sparsity * (1 - (1 - through) ** 3))
        for kernel, mask in zip(self.kernels, self.masks, strict=True):
            kernel.assign(kernel * mask)

    def _choose(self, share: float) -> None:
        self.masks = [tf.constant(largest(kernel.numpy(), share), kernel.dtype) for kernel in self.kernels]


def pruner_of(pruning: Pruning | None, model: keras.Model, quantized: bool, epochs: int) -> Pruner | None:
    """What makes weights zero in the float pass of `epochs`, or keeps them so in the quantized one; None without it."""
    if pruning is None:
        return None
    return Pruner(pruned_layers(model, pruning), None if quantized else pruning.sparsity, epochs)


def largest(kernel: npt.NDArray[np.float32], share: float) -> npt.NDArray[np.bool_]:
    """Which weights of a kernel are not among the smallest `share` of them."""
    zeros = round(share * kernel.size)
    mask = np.ones(kernel.size, dtype=bool)
    mask[np.argsort(np.abs(kernel), axis=None, kind="stable")[:zeros]] = False
    return mask.reshape(kernel.shape)
