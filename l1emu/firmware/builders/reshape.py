"""Layers that move numbers and compute none."""

from __future__ import annotations

import math

import numpy as np

from l1emu.firmware.builders.call import Builder, Call
from l1emu.firmware.project import Config
from l1emu.layers import Gather, Layer, Linear, Transpose


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
    if call.stream:
        call.require("transpose")
    source, target, permutation = transposition(call.config, call)
    if call.stream:
        call.check_packs(call.packs()[0], target[-1])
    return Transpose(call.name, (call.input(0, source),), call.shaped_output(target), permutation)


def plain_transpose(call: Call) -> Transpose:
    """`nnet::transpose_2d` and `nnet::transpose_3d` of hls4ml up to 1.0: height and width swapped, or all axes."""
    one_type = call.variant(call.function) == "one type"
    call.count(1 if one_type else 2, 2)
    config = call.config
    height, width = config.integer("height"), config.integer("width")
    source: tuple[int, ...] = (height, width)
    permutation: tuple[int, ...] = (1, 0)
    if call.function == "transpose_3d":
        source, permutation = (config.integer("depth"), height, width), config.array("perm")
        if sorted(permutation) != [0, 1, 2]:
            raise call.error("not a permutation of three axes", permutation)
    target = tuple(source[axis] for axis in permutation)
    if call.stream:
        call.check_packs(width, height)
    config.finish("depth", "perm")
    data = call.input(0, source)
    output = call.result(call.arguments[1], target, 0 if one_type else 1)
    return Transpose(call.name, (data,), output, permutation)


def broadcast_stream(call: Call) -> Gather:
    """`nnet::broadcast_stream`: one pixel for all, or one number for all channels of a pixel."""
    call.count(2, 2)
    call.require("broadcast_stream", "broadcast_stream_1x1xC", "broadcast_stream_HxWx1")
    config = call.config
    before, after = (
        (config.integer(f"{side}_height"), config.integer(f"{side}_width"), config.integer(f"{side}_chan"))
        for side in ("in", "out")
    )
    config.finish()
    if before != (1, 1, after[2]) and before != (*after[:2], 1):
        raise call.error("this broadcast is not supported by the kernel", before, str(after))
    call.check_packs(before[2], after[2])
    places = np.broadcast_to(np.arange(math.prod(before)).reshape(before), after)
    return Gather(call.name, (call.input(0, before),), call.shaped_output(after), places.ravel(), 0)


def clone_stream(call: Call) -> tuple[Layer, ...]:
    """`nnet::clone_stream`: copies of one stream for several readers, cast to their type."""
    shape = _streamed(call, range(1, len(call.arguments)))
    data = call.input(0, shape)
    outputs = [call.result(name, shape, 1) for name in call.arguments[1:]]
    return tuple(Linear(f"{call.name}_{i}", (data,), output) for i, output in enumerate(outputs, 1))


def repack_stream(call: Call) -> Linear:
    """`nnet::repack_stream`: the same numbers, cast, with another count of them travelling together."""
    shape = _streamed(call, range(1, 2))
    return Linear(call.name, (call.input(0, shape),), call.result(call.arguments[1], shape, 1))


def _streamed(call: Call, outputs: range) -> tuple[int, ...]:
    """The shape of the stream that is copied; the third template argument is its size."""
    call.require(call.function)
    if len(call.types) != 3 or not outputs:
        raise call.error("unusual count of arguments", (len(call.types), len(call.arguments)))
    size = call.project.evaluate(call.types[2], call.place)
    if not isinstance(size, int):
        raise call.error("the size of the stream is not a number", size)
    packs = call.packs()
    if size % packs[0] or max(packs) % min(packs) or (call.function == "clone_stream" and packs[0] != packs[1]):
        raise call.error("the streams' packs do not fit", packs)
    return call.in_packs(0, size)


# Calls without a config struct.
PLUMBING: dict[str, Builder] = {
    "clone_stream": clone_stream,
    "repack_stream": repack_stream,
}
BUILDERS: dict[str, Builder] = {
    **PLUMBING,
    "broadcast_stream": broadcast_stream,
    "transpose": transpose,
    "transpose_2d": plain_transpose,
    "transpose_3d": plain_transpose,
}
