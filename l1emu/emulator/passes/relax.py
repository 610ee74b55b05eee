"""Runs of layers with overflow or rounding left out.

The comparison with Keras substitutes these one after another to tell how much of a difference each of them makes. With
everything left out a layer is the real-number function of its weights and tables: what then still differs from Keras
lies in those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from l1emu.emulator.kinds import KINDS
from l1emu.emulator.relax import Relaxed
from l1emu.fixedpoint import Exact, FixedPoint, Overflow, Raw, Rounding
from l1emu.layers import Layer, Tensor


def relaxed(layer: Layer, inputs: tuple[Tensor, ...], how: Relaxed) -> Layer:
    """`layer` reading `inputs`, whose types may be wider than its own inputs', with wider types of its own.

    Its inputs' types are what it can read: `run_relaxed` assigns the numbers to them.
    """
    return KINDS[type(layer)].relaxed(layer, inputs, how)


def run_relaxed(
    layers: Sequence[Layer], given: Mapping[str, tuple[Tensor, Raw]], how: Relaxed
) -> npt.NDArray[np.float64]:
    """The output of the last of `layers` as numbers, with types relaxed; `given` are tensors and raw values by name."""
    known = dict(given)
    for layer in layers:
        sources = []
        for tensor in layer.inputs:
            found, raw = known[tensor.name]
            if tensor.shape != found.shape:
                found = replace(found, shape=tensor.shape)
                raw = raw.reshape(len(raw), *tensor.shape)
            sources.append((found, raw))
        wide = relaxed(layer, tuple(tensor for tensor, _ in sources), how)
        read = [
            raw if tensor.type == found.type else Exact.of(raw, found.type).cast(tensor.type).raw
            for tensor, (found, raw) in zip(wide.inputs, sources, strict=True)
        ]
        known[layer.output.name] = (wide.output, wide.reference(*read))
    tensor, raw = known[layers[-1].output.name]
    return tensor.type.to_float(raw)


def nearest(kind: FixedPoint, x: npt.ArrayLike) -> Raw:
    """The raw values nearest to `x` in a type: rounded to nearest (half to even), clipped to its range."""
    ideal = FixedPoint(kind.width, kind.integer, kind.signed, Rounding.RND_CONV, Overflow.SAT)
    return ideal.from_float(x)
