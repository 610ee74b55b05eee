"""The kinds of layer, one file a kind: configuration, and the exact integer reference in plain numpy.

activation  activations that work on each number by itself
arithmetic  integer operations with the conventions of C++
attention   multi-head attention as the fused kernel of the hls4ml forks for transformers computes it
base        what all kinds of layer share
batchnorm   scale and shift per channel: `nnet::normalize`, for batch normalization and for scales
circuit     what hardware a layer becomes, in numbers
dense       fully connected layers: `nnet::dense`, and point-wise convolutions, which apply one at every position
einsum      products of two tensors of data, as in attention: `nnet::einsum`
embedding   embeddings: rows of a table picked by whole numbers, `nnet::embedding`
foreign     what is not known here, and runs as the project's own C++
layernorm   layer normalization by a table of inverse square roots: `nnet::layernormalize`
merge       layers with two inputs that they combine number by number, or put side by side
pooling     pooling over the constituents: `nnet::global_pooling1d_cl`
quantize    each number rounded to a type of its own
recurrent   recurrent layers: `nnet::gru_stack` and `nnet::lstm_stack`, one cell applied to a sequence step by step
reshape     layers that move numbers and change none
softmax     softmax by look-up tables: the four implementations of `nnet::softmax`, and that of the attention forks
treeaverage averages whose sums are trees: pooling of streams, `nnet::reduce_pool`
"""

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
from l1emu.layers.foreign import Foreign
from l1emu.layers.layernorm import LayerNormalization
from l1emu.layers.merge import Concatenate, Merge
from l1emu.layers.pooling import GlobalPooling1D
from l1emu.layers.quantize import Quantize
from l1emu.layers.recurrent import Recurrent
from l1emu.layers.reshape import Gather, Reshape, Transpose
from l1emu.layers.softmax import Softmax
from l1emu.layers.treeaverage import TreeAverage

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
        TreeAverage,
    )
}

for _name, _cls in KINDS.items():
    if _cls.__abstractmethods__:
        raise TypeError(f"the kind of layer {_name} has no {' and no '.join(sorted(_cls.__abstractmethods__))}")
    if "holds" not in vars(_cls):
        raise TypeError(f"the kind of layer {_name} does not say what it holds")

__all__ = [
    "KINDS",
    "BatchNormalization",
    "ClippedLine",
    "Concatenate",
    "Dense",
    "Einsum",
    "Embedding",
    "Foreign",
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
    "TreeAverage",
]
