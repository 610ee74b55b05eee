"""A transformer in the shape of the default tagger with random weights, built from the layer classes."""

from __future__ import annotations

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.firmware import Firmware
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from l1emu.layers import (
    BatchNormalization,
    Dense,
    Einsum,
    GlobalPooling1D,
    Layer,
    Linear,
    Merge,
    Relu,
    Reshape,
    Softmax,
    Tensor,
)


def _saturating(width: int, integer: int, signed: bool = True) -> FixedPoint:
    return FixedPoint(width, integer, signed, Rounding.RND_CONV, Overflow.SAT)


def exponential_table(type_: FixedPoint, argument: FixedPoint, size: int, scale: float) -> Ints:
    """exp(-x * scale) at the lower edge of each bin of `argument`."""
    step = 2.0 ** (argument.integer) / size
    return type_.from_float(np.exp(-np.arange(size) * step * scale))


def inverse_table(type_: FixedPoint, argument: FixedPoint, size: int) -> Ints:
    """1/x at the lower edge of each bin of `argument`; infinity saturates."""
    step = 2.0**argument.integer / size
    with np.errstate(divide="ignore"):
        return type_.from_float(1.0 / (np.arange(size) * step))


def tagger_firmware(
    *,
    blocks: int = 2,
    constituents: int = 16,
    features: int = 12,
    width: int = 16,
    heads: int = 2,
    hidden: int = 32,
    classes: int = 5,
    seed: int = 1,
    activation: FixedPoint | None = None,
    accumulator: FixedPoint | None = None,
) -> Firmware:
    """A tagger: embedding, attention blocks with residuals, average pooling, head, softmax.

    `activation` is the type of all activations; `accumulator` overrides the lossless accumulators.
    """
    rng = np.random.default_rng(seed)
    act = activation or _saturating(8, 3)
    positive = FixedPoint(act.width, act.integer, False, act.rounding, act.overflow)
    weight_type, bias_type = FixedPoint(6, 1), FixedPoint(8, 2)
    table_type = FixedPoint(18, 8, False, Rounding.RND, Overflow.SAT)
    layers: list[Layer] = []

    def add(
        layer: type[Layer],
        inputs: tuple[Tensor, ...],
        name: str,
        shape: tuple[int, ...],
        type_: FixedPoint,
        **config: object,
    ) -> Tensor:
        output = Tensor(f"{name}_out", shape, type_)
        layers.append(layer(name, inputs, output, **config))
        return output

    def dense(x: Tensor, name: str, n_out: int, type_: FixedPoint) -> Tensor:
        n_in = x.shape[-1]
        integer = x.type.integer + 1 + int(np.ceil(np.log2(n_in))) + 2
        fraction = max(x.type.fraction + 5, 6)
        deviation = 0.5 / np.sqrt(n_in) * 32
        return add(
            Dense,
            (x,),
            name,
            (*x.shape[:-1], n_out),
            type_,
            positions=x.size // n_in,
            n_in=n_in,
            n_out=n_out,
            weight=np.clip(np.rint(rng.normal(0, 2 * deviation, (n_in, n_out))), -32, 31).astype(np.int64),
            weight_type=weight_type,
            bias=np.clip(np.rint(rng.normal(0, 20, n_out)), -128, 127).astype(np.int64),
            bias_type=bias_type,
            accum_type=accumulator or FixedPoint(integer + fraction, integer),
            order=np.arange(n_in),
        )

    def softmax(x: Tensor, name: str, type_: FixedPoint, scale: float, accum: FixedPoint) -> Tensor:
        norm = FixedPoint(x.type.width, x.type.integer, False, Rounding.RND, Overflow.SAT)
        size, inverse_input = 1 << min(x.type.width, 10), FixedPoint(10, 5, False, Rounding.RND, Overflow.SAT)
        return add(
            Softmax,
            (x,),
            name,
            x.shape,
            type_,
            variant="stable",
            n_outer=x.size // x.shape[-1],
            n_slice=x.shape[-1],
            n_inner=1,
            exp_table=exponential_table(table_type, norm, size, scale),
            exp_table_type=table_type,
            inv_table=inverse_table(table_type, inverse_input, 1024),
            inv_table_type=table_type,
            accum_type=accum,
            inv_inp_type=inverse_input,
            inp_norm_type=norm,
        )

    def batchnorm(x: Tensor, name: str, type_: FixedPoint) -> Tensor:
        scale_type = FixedPoint(12, 4)
        scale = np.rint(rng.uniform(0.4, 1.2, x.shape[-1]) * 256).astype(np.int64)
        bias = np.rint(rng.normal(0, 0.3, x.shape[-1]) * 256).astype(np.int64)
        config = {"scale": scale, "scale_type": scale_type, "bias": bias, "bias_type": scale_type}
        return add(BatchNormalization, (x,), name, x.shape, type_, n_filt=x.shape[-1], **config)

    x = Tensor("x", (constituents, features), FixedPoint(10, 4))
    size = width // heads
    lossless = FixedPoint(24, 10)
    h = add(
        Relu, (dense(x, "embedding", width, _saturating(12, 5)),), "embedding_relu", (constituents, width), positive
    )
    for number in range(blocks):
        p = f"b{number}_"
        split = (constituents, heads, size)
        q, k, v = (
            add(Reshape, (dense(h, p + part, width, act),), f"{p}{part}_split", split, act) for part in ("q", "k", "v")
        )
        scores = add(
            Einsum,
            (q, k),
            p + "qk",
            (heads, constituents, constituents),
            _saturating(10, 5),
            transpose0=(1, 0, 2),
            transpose1=(1, 0, 2),
            inplace=heads,
            free0=constituents,
            free1=constituents,
            contract=size,
            out_shape_interpreted=(heads, constituents, constituents),
            out_transpose=(0, 1, 2),
            accum_type=accumulator or lossless,
        )
        attention = softmax(scores, p + "softmax", _saturating(8, 0, False), size**-0.5, table_type)
        mixed = add(
            Einsum,
            (attention, v),
            p + "av",
            split,
            act,
            transpose0=(0, 1, 2),
            transpose1=(1, 2, 0),
            inplace=heads,
            free0=constituents,
            free1=size,
            contract=constituents,
            out_shape_interpreted=(heads, constituents, size),
            out_transpose=(1, 0, 2),
            accum_type=accumulator or lossless,
        )
        mixed = add(Reshape, (mixed,), p + "av_join", (constituents, width), act)
        projected = dense(mixed, p + "projection", width, act)
        h = add(Merge, (h, projected), p + "add1", (constituents, width), FixedPoint(10, 5), op="add")
        h = batchnorm(h, p + "norm1", act)
        f = dense(h, p + "ff1", hidden, _saturating(12, 5))
        f = add(Relu, (f,), p + "ff1_relu", f.shape, positive)
        f = dense(f, p + "ff2", width, act)
        h = add(Merge, (h, f), p + "add2", (constituents, width), FixedPoint(9, 4), op="add")
        h = batchnorm(h, p + "norm2", act)
    pooled = add(GlobalPooling1D, (h,), "pool", (width,), act, op="average", accum_type=FixedPoint(14, 8))
    top = add(Relu, (dense(pooled, "head1", width, _saturating(12, 5)),), "head1_relu", (width,), positive)
    logits = dense(top, "head2", classes, FixedPoint(10, 5, True, Rounding.RND, Overflow.SAT))
    final = add(Linear, (logits,), "logits", (classes,), _saturating(10, 5))
    scores = softmax(final, "scores", FixedPoint(16, 1, False, Rounding.RND, Overflow.SAT), 1.0, table_type)
    return Firmware("tagger", "Vitis", (x,), (scores,), tuple(layers))
