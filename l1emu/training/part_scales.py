"""Scales of a translated Particle Transformer: each layer normalization reads variances that hls4ml's table has.

The table of inverse roots is of variances up to 1. A layer normalization gives the same for its input times any number,
but for epsilon; so what makes that input is multiplied by a power of two, which is exact as ReLU and sums pass it on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from tensorflow import keras

_QUANTILE = 0.999
"""Of the variances of rows that are to lie below 1."""
_STREAM = re.compile(r"norm|(block|class)\d+_norm[13]")
"""The normalizations that read the residual stream, which has one scale."""


def scale_to_table(network: keras.Model, inputs: Sequence[npt.NDArray[np.float32]]) -> None:
    """Scale in place what each layer normalization reads, for inputs like these, one array (rows, ...) an input.

    `network` is one of `reference_particle_transformer` with ReLU.
    """
    layers = {layer.name: layer for layer in network.layers}
    norms = [name for name, layer in layers.items() if isinstance(layer, keras.layers.LayerNormalization)]
    inner = keras.Model(network.inputs, [layers[name].input for name in norms])
    read = inner.predict(list(inputs), batch_size=1024, verbose=0)
    spread = {name: float(np.quantile(np.var(x, axis=-1), _QUANTILE)) for name, x in zip(norms, read, strict=True)}
    for name in norms:
        if not _STREAM.fullmatch(name):
            _times(layers[_maker(name)], _power(spread[name]))
    scale = _power(max(value for name, value in spread.items() if _STREAM.fullmatch(name)))
    last = max(int(m[1]) for name in layers if (m := re.fullmatch(r"embed(\d+)", name)))
    makers = [f"embed{last}", "class_token"]
    makers += [name for name in layers if re.fullmatch(r"(block|class)\d+_(norm2|ff2)", name)]
    for name in makers:
        _times(layers[name], scale)
    for name, layer in layers.items():
        if re.fullmatch(r"class\d+_query", name):  # it alone reads the stream as it is
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel / scale, bias])


def _maker(norm: str) -> str:
    """The dense layer whose numbers a normalization outside of the stream reads."""
    if found := re.fullmatch(r"embed(\d+)_norm", norm):
        return f"embed{int(found[1]) - 1}" if int(found[1]) else "input_norm"
    block, number = norm.rsplit("_norm", 1)
    return f"{block}_{'project' if number == '2' else 'ff1'}"


def _power(variance: float) -> float:
    """The power of two that brings a variance between 1/4 and 1."""
    return 1.0 if variance <= 0 else 2.0 ** math.floor(-0.5 * math.log2(variance))


def _times(layer: Any, scale: float) -> None:
    """Multiply what a dense layer or a normalization gives."""
    layer.set_weights([array * scale for array in layer.get_weights()])
