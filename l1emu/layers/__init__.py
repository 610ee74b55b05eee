"""The kinds of layer, one file a kind: configuration, and the exact integer reference in plain numpy."""

from l1emu.layers.activation import (
    ClippedLine,
    HalfTable,
    Linear,
    Lookup,
    Relu,
    SlopedRelu,
    Steps,
    TableActivation,
)
from l1emu.layers.base import Layer, Tensor
from l1emu.layers.batchnorm import BatchNormalization
from l1emu.layers.dense import Dense
from l1emu.layers.einsum import Einsum
from l1emu.layers.embedding import Embedding
from l1emu.layers.layernorm import LayerNormalization
from l1emu.layers.merge import Concatenate, Merge
from l1emu.layers.pooling import GlobalPooling1D
from l1emu.layers.quantize import Quantize
from l1emu.layers.recurrent import Recurrent
from l1emu.layers.reshape import Gather, Reshape, Transpose
from l1emu.layers.softmax import Softmax

KINDS: dict[str, type[Layer]] = {
    cls.kind: cls
    for cls in (
        BatchNormalization,
        ClippedLine,
        Concatenate,
        Dense,
        Einsum,
        Embedding,
        Gather,
        GlobalPooling1D,
        HalfTable,
        LayerNormalization,
        Linear,
        Lookup,
        Merge,
        Quantize,
        Recurrent,
        Relu,
        Reshape,
        SlopedRelu,
        Softmax,
        Steps,
        TableActivation,
        Transpose,
    )
}

for _name, _cls in KINDS.items():
    if _cls.__abstractmethods__:
        raise TypeError(f"the kind of layer {_name} has no {' and no '.join(sorted(_cls.__abstractmethods__))}")

__all__ = [
    "KINDS",
    "BatchNormalization",
    "ClippedLine",
    "Concatenate",
    "Dense",
    "Einsum",
    "Embedding",
    "Gather",
    "GlobalPooling1D",
    "HalfTable",
    "Layer",
    "LayerNormalization",
    "Linear",
    "Lookup",
    "Merge",
    "Quantize",
    "Recurrent",
    "Relu",
    "Reshape",
    "SlopedRelu",
    "Softmax",
    "Steps",
    "TableActivation",
    "Tensor",
    "Transpose",
]
