"""The kinds of layer as the emulator knows them, one file a kind or family, as in `l1emu.layers`.

A new one is a line of `_KINDS`. Opcodes are places in `INSTRUCTIONS`.
"""

from __future__ import annotations

from typing import Any

from l1emu import layers
from l1emu.emulator.exact.instruction import Instruction
from l1emu.emulator.kind import Kind
from l1emu.emulator.kinds import (
    activation,
    batchnorm,
    dense,
    einsum,
    embedding,
    foreign,
    layernorm,
    merge,
    pooling,
    quantize,
    recurrent,
    reshape,
    softmax,
    treeaverage,
)

_KINDS: tuple[Kind[Any], ...] = (
    dense.DenseKind(),
    einsum.EinsumKind(),
    softmax.SoftmaxKind(),
    activation.LinearKind(),
    activation.ReluKind(),
    activation.SlopedReluKind(),
    activation.TableActivationKind(),
    activation.ClippedLineKind(),
    activation.HalfTableKind(),
    activation.StepsKind(),
    activation.LookupKind(),
    merge.MergeKind(),
    merge.ConcatenateKind(),
    reshape.ReshapeKind(),
    reshape.GatherKind(),
    reshape.TransposeKind(),
    quantize.QuantizeKind(),
    batchnorm.BatchNormalizationKind(),
    pooling.GlobalPooling1DKind(),
    layernorm.LayerNormalizationKind(),
    recurrent.RecurrentKind(),
    embedding.EmbeddingKind(),
    treeaverage.TreeAverageKind(),
)

KINDS: dict[type[layers.Layer], Kind[Any]] = {kind.layer: kind for kind in (*_KINDS, foreign.ForeignKind())}
"""What the emulator knows of each class of `l1emu.layers.KINDS`, and of the project's own C++."""

INSTRUCTIONS: tuple[Instruction, ...] = tuple(dict.fromkeys(i for kind in _KINDS for i in kind.instructions))
"""All instructions; the place of one is its opcode."""

_records: set[type[layers.Layer]] = {*layers.KINDS.values(), layers.Foreign}
if missing := {str(record) for record in _records ^ set(KINDS)} or len(KINDS) != len(_KINDS) + 1:
    raise TypeError(f"kinds of layer with no entry here, with two, or of none that exists: {missing}")
