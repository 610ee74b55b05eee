"""The recipe of a tagger: architecture, types and training, as YAML checked when read."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from l1emu.config import Config

RECIPE = "recipe.yaml"
"""Its name in a tagger's folder."""

Size = Annotated[int, Field(gt=0, le=4096)]
"""Of a layer: hls4ml unrolls what is a small part of it."""
PositiveCount = Annotated[int, Field(gt=0, le=1_000_000)]


_Gev = Annotated[float, Field(ge=0, le=1_000_000)]


class Bits(Config):
    """A fixed-point grid: `bits` in all, `integer` of them before the point, the sign not counted (as in QKeras)."""

    bits: Annotated[int, Field(ge=2, le=24)]
    integer: Annotated[int, Field(ge=0, le=16)]

    @model_validator(mode="after")
    def _has_fraction(self) -> Bits:
        if self.bits - self.integer < 2:
            raise ValueError("at least one fraction bit beside the sign is needed")
        return self


class SoftmaxTypes(Config):
    """Unsigned types inside a softmax: exponentials, their sum as an address, its inverse, the result."""

    exp: Bits
    inverse_input: Bits
    inverse: Bits
    output: Bits


class LayerTypes(Config):
    """The types of the quantized network."""

    input_weight: Bits
    weight: Bits
    bias: Bits
    embedding: Bits
    residual: Bits
    query: Bits
    key: Bits
    value: Bits
    attention_score: Bits
    attention_softmax: SoftmaxTypes
    attention_output: Bits
    feed_forward: Bits
    pooled: Bits
    head: Bits
    logits: Bits
    class_softmax: SoftmaxTypes


class Architecture(Config):
    """A transformer over the constituents of a jet."""

    constituents: Size
    features: Size
    classes: Annotated[tuple[str, ...], Field(min_length=2, strict=False)]
    width: Size
    blocks: Annotated[int, Field(gt=0, le=100)]
    heads: Size
    feed_forward: Size
    head: Annotated[tuple[Size, ...], Field(strict=False, max_length=100)]

    @model_validator(mode="after")
    def _fits(self) -> Architecture:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not divisible into {self.heads} heads")
        if self.constituents & (self.constituents - 1):
            raise ValueError("the number of constituents must be a power of two: pooling divides by it exactly")
        return self


class InputType(Config):
    """`ap_fixed<width, integer>` of every feature; `integer` counts the sign."""

    width: Annotated[int, Field(ge=2, le=24)]
    integer: Annotated[int, Field(ge=1, le=16)]


class TrainingPass(Config):
    """One pass of training."""

    epochs: PositiveCount
    learning_rate: Annotated[float, Field(ge=1e-12, le=1000)]
    patience: PositiveCount | None = None


class Training(Config):
    """How the weights are found.

    Attributes
    ----------
    seed
        Of the first network, and of the split of events into training, validation and held-out ones.
    seeds
        How many networks are trained from different seeds; the one with the lowest validation loss is kept.
    """

    seed: Annotated[int, Field(ge=0, lt=2**31)]
    seeds: Annotated[int, Field(gt=0, le=100)] = 1
    batch: PositiveCount
    test_fraction: Annotated[float, Field(gt=0, lt=1)]
    validation_fraction: Annotated[float, Field(gt=0, lt=1)]
    pt_bins_gev: Annotated[tuple[_Gev, ...], Field(min_length=2, max_length=10_000, strict=False)]
    largest_weight: Annotated[float, Field(ge=1e-6, le=1e6)]
    float_twin: TrainingPass
    quantized: TrainingPass

    @model_validator(mode="after")
    def _consistent(self) -> Training:
        if self.test_fraction + self.validation_fraction >= 1:
            raise ValueError("nothing is left to train on: test_fraction + validation_fraction must stay below 1")
        if any(low >= high for low, high in zip(self.pt_bins_gev, self.pt_bins_gev[1:], strict=False)):
            raise ValueError("pt_bins_gev must ascend")
        return self


DISTRIBUTED = "distributed_arithmetic"
DenseStrategy = Literal["Latency", "Resource", "distributed_arithmetic"]
"""How hls4ml builds the products of a dense layer; the last, sums of shifted inputs without products, needs da4ml."""


class LayerHardware(Config):
    """What differs for some layers from what holds for all; see `Steering`."""

    strategy: DenseStrategy | None = None
    reuse_factor: PositiveCount | None = None
    parallelization_factor: Size | None = None


class Steering(Config):
    """What steers the synthesis and changes no bit, in hls4ml's words.

    Attributes
    ----------
    strategy, reuse_factor
        Of all dense layers.
    parallelization_factor
        How many constituents a dense layer over constituents works on at a time: it takes
        constituents / parallelization_factor rounds, each of reuse_factor cycles, and as many circuits side by side.
    pipeline_style, pipeline_interval
        Whether the layers are processes of a dataflow or parts of one pipeline, which takes an input every so many
        cycles; "auto" is hls4ml's choice, a dataflow where a layer takes rounds or the resource strategy.
    layers
        By the name of a layer, in which * stands for any text: what differs there. Of two lines for a layer the later
        one counts. An einsum takes a reuse factor, a dense layer a strategy too, and one over constituents all three.
    """

    strategy: DenseStrategy = "Latency"
    reuse_factor: PositiveCount = 1
    parallelization_factor: Size = 1
    pipeline_style: Literal["auto", "pipeline", "dataflow"] = "auto"
    pipeline_interval: PositiveCount | None = None
    layers: dict[str, LayerHardware] = Field(default_factory=dict, max_length=1000)

    @model_validator(mode="after")
    def _has_a_pipeline(self) -> Steering:
        if self.pipeline_interval is not None and self.pipeline_style != "pipeline":
            raise ValueError("pipeline_interval is the interval of one pipeline: pipeline_style must be pipeline")
        return self


class Hardware(Steering):
    """What hls4ml is told about the device."""

    part: str
    clock_period_ns: Annotated[float, Field(ge=0.1, le=1000)]


class Recipe(Config):
    """Everything that makes a tagger, jets and seed excepted."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
    description: str
    input: InputType
    architecture: Architecture
    types: LayerTypes
    training: Training
    hardware: Hardware

    @property
    def head_width(self) -> int:
        """Width of one attention head."""
        return self.architecture.width // self.architecture.heads

    @property
    def attention_scale(self) -> float:
        """The factor 1/sqrt(width of a head) on the attention scores."""
        return 1.0 / math.sqrt(self.head_width)
