"""The kinds of layer, one file a kind: configuration, and the exact integer reference in plain numpy."""

from l1emu.layers.activation import Linear, Relu, SlopedRelu, TableActivation
from l1emu.layers.base import Layer, Tensor
from l1emu.layers.batchnorm import BatchNormalization
from l1emu.layers.dense import Dense
from l1emu.layers.einsum import Einsum
from l1emu.layers.layernorm import LayerNormalization
from l1emu.layers.merge import Concatenate, Merge
from l1emu.layers.pooling import GlobalPooling1D
from l1emu.layers.reshape import Gather, Reshape, Transpose
from l1emu.layers.softmax import Softmax

KINDS: dict[str, type[Layer]] = {
    cls.kind: cls
    for cls in (
        BatchNormalization,
        Concatenate,
        Dense,
        Einsum,
        Gather,
        GlobalPooling1D,
        LayerNormalization,
        Linear,
        Merge,
        Relu,
        Reshape,
        SlopedRelu,
        Softmax,
        TableActivation,
        Transpose,
    )
}

__all__ = [
    "KINDS",
    "BatchNormalization",
    "Concatenate",
    "Dense",
    "Einsum",
    "Gather",
    "GlobalPooling1D",
    "Layer",
    "LayerNormalization",
    "Linear",
    "Merge",
    "Relu",
    "Reshape",
    "SlopedRelu",
    "Softmax",
    "TableActivation",
    "Tensor",
    "Transpose",
]
