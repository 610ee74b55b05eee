"""Layers that move numbers and compute none."""

from __future__ import annotations

import math

from l1emu.firmware.builders.call import Builder, Call
from l1emu.firmware.project import Config
from l1emu.layers import Transpose


def transposition(config: Config, call: Call) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """The input's shape, the output's shape and the permutation of a transpose config, checked as C++ uses it."""
    call.kernels.require(call.place, "transpose", "transfer_idx")
    source, target = config.static_array("from_shape"), config.static_array("to_shape")
    permutation, strides = config.static_array("perm"), config.static_array("perm_strides")
    dims = config.integer("dims")
    source_strides = tuple(math.prod(source[i + 1 :]) for i in range(len(source)))
    ok = (
        len(source) == len(target) == len(permutation) == len(strides) == dims
        and sorted(permutation) == list(range(dims))
        and target == tuple(source[p] for p in permutation)
        and strides == tuple(source_strides[p] for p in permutation)
        and config.integer("N") == math.prod(source)
    )
    if not ok:
        raise config.place.error(f"layer {call.name}: the transpose config contradicts itself", config.struct.name)
    config.finish()
    return source, target, permutation


def transpose(call: Call) -> Transpose:
    """`nnet::transpose`."""
    call.count(2, 2)
    source, target, permutation = transposition(call.config, call)
    return Transpose(call.name, (call.input(0, source),), call.shaped_output(target), permutation)


BUILDERS: dict[str, Builder] = {
    "transpose": transpose,
}
