"""Registered builders of networks with HGQ2 layers, and their float twins of the same layers, in Keras 3."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import hgq.layers as hgq
import keras

from l1emu.errors import L1emuError


class _Layers:
    """Makes layers with the quantizers of HGQ2, or without any."""

    def __init__(self, quantized: bool) -> None:
        self.quantized = quantized

    def dense(self, x: Any, equation: str, shape: tuple[int, ...], bias: str, name: str, activation: Any = None) -> Any:
        """A dense layer by an einsum, `bnf,fc->bnc`; `shape` and `bias` as of keras.layers.EinsumDense."""
        kind = hgq.QEinsumDense if self.quantized else keras.layers.EinsumDense
        return kind(equation, shape, bias_axes=bias, activation=activation, name=name)(x)

    def flat(self, x: Any, units: int, name: str, activation: Any = None) -> Any:
        """A dense layer of a vector."""
        return (hgq.QDense if self.quantized else keras.layers.Dense)(units, activation=activation, name=name)(x)

    def add(self, x: Any, y: Any, name: str) -> Any:
        """The sum of two tensors."""
        return (hgq.QAdd if self.quantized else keras.layers.Add)(name=name)([x, y])

    def einsum(self, equation: str, x: Any, y: Any, name: str) -> Any:
        """The einsum of two tensors."""
        if self.quantized:
            return hgq.QEinsum(equation, name=name)([x, y])
        return _Einsum(equation, name=name)([x, y])

    def softmax(self, x: Any, name: str) -> Any:
        """Along the last axis."""
        return hgq.QSoftmax(axis=-1, name=name)(x) if self.quantized else keras.layers.Softmax(name=name)(x)


class _Einsum(keras.layers.Layer):
    def __init__(self, equation: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.equation = equation

    def call(self, inputs: Any) -> Any:
        return keras.ops.einsum(self.equation, *inputs)


def hgq_dense_network(
    *, input: str, shape: Sequence[int], outputs: int, hidden: Sequence[int] = (32, 32), quantized: bool
) -> keras.Model:
    """Dense layers with ReLU over the flattened input; gives logits, or numbers."""
    make, given = _Layers(quantized), keras.layers.Input(tuple(shape), name=input)
    x = given if len(shape) == 1 else keras.layers.Flatten(name="flat")(given)
    for number, units in enumerate(hidden):
        x = make.flat(x, units, f"head{number}", "relu")
    return keras.Model(given, make.flat(x, outputs, "logits"))


def hgq_particle_transformer(
    *,
    input: str,
    shape: Sequence[int],
    outputs: int,
    width: int,
    heads: int,
    feed_forward: int,
    blocks: int = 1,
    head: Sequence[int] = (),
    pairs: Mapping[str, Any] | None = None,
    quantized: bool,
) -> keras.Model:
    """A Particle Transformer with pair bias and class attention, as that of `l1emu.training.networks`; gives logits."""
    if width % heads:
        raise L1emuError("the width is not divisible into the heads", where="network.sizes", value=(width, heads))
    if len(shape) != 2:
        raise L1emuError("no particles", where="network.sizes.shape", value=tuple(shape), expected="(n, features)")
    make, count, part = _Layers(quantized), int(shape[0]), width // heads
    inputs = [keras.layers.Input(tuple(shape), name=input)]
    x = make.dense(inputs[0], "bnf,fc->bnc", (count, width), "c", "embed", "relu")
    bias = None
    if pairs is not None:
        inputs.append(keras.layers.Input((count, count, pairs["features"]), name=pairs["input"]))
        bias = inputs[-1]
        for number, units in enumerate(pairs.get("hidden", ())):
            bias = make.dense(bias, "bnmf,fc->bnmc", (count, count, units), "c", f"pair{number}", "relu")
        bias = make.dense(bias, "bnmc,ch->bhnm", (heads, count, count), "h", "pair_heads")
    for number in range(blocks):
        name, split = f"block{number}", "bnc,chk->bnhk"
        query, key, value = (
            make.dense(x, split, (count, heads, part), "hk", f"{name}_{what}") for what in ("query", "key", "value")
        )
        score = make.einsum("bnhk,bmhk->bhnm", query, key, f"{name}_score")
        if bias is not None:
            score = make.add(score, bias, f"{name}_biased")
        weight = make.softmax(score, f"{name}_softmax")
        mixed = make.einsum("bhnm,bmhk->bnhk", weight, value, f"{name}_mix")
        x = make.add(x, make.dense(mixed, "bnhk,hkc->bnc", (count, width), "c", f"{name}_project"), f"{name}_add1")
        y = make.dense(x, "bnc,cd->bnd", (count, feed_forward), "d", f"{name}_ff1", "relu")
        x = make.add(x, make.dense(y, "bnd,dc->bnc", (count, width), "c", f"{name}_ff2"), f"{name}_add2")
    score = make.dense(x, "bnc,ch->bhn", (heads, count), "h", "class_score")
    value = make.dense(x, "bnc,chk->bnhk", (count, heads, part), "hk", "class_value")
    mixed = make.einsum("bhn,bnhk->bhk", make.softmax(score, "class_softmax"), value, "class_mix")
    x = keras.layers.Flatten(name="class_merge")(mixed)
    for number, units in enumerate(head):
        x = make.flat(x, units, f"head{number}", "relu")
    return keras.Model(inputs, make.flat(x, outputs, "logits"))


HGQ_NETWORKS: dict[str, Callable[..., keras.Model]] = {
    "dense": hgq_dense_network,
    "particle-transformer": hgq_particle_transformer,
}
"""By the name that a recipe gives them."""
