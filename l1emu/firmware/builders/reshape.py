"""Layers that move numbers and compute none."""

from __future__ import annotations

import math

import numpy as np

from l1emu.firmware.builders.call import Builder, Call
from l1emu.firmware.project import ConfigStruct
from l1emu.layers import Concatenate, Gather, Layer, Linear, Tensor, Transpose


def transposition(config: ConfigStruct, call: Call) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
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


def _transpose(call: Call) -> Transpose:
    """`nnet::transpose`."""
    call.count(2, 2)
    if call.stream:
        call.require("transpose")
    source, target, permutation = transposition(call.config, call)
    if call.stream:
        call.check_packs(call.packs()[0], target[-1])
    return Transpose(call.name, (call.input(0, source),), call.shaped_output(target), permutation)


def _plain_transpose(call: Call) -> Transpose:
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
    output = call.result(call.results[0], target, 0 if one_type else 1)
    return Transpose(call.name, (data,), output, permutation)


def _broadcast_stream(call: Call) -> Gather:
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


def _time_step(call: Call) -> tuple[int, int, tuple[int, ...]]:
    """The number of a step, how many there are, and the shape of one."""
    call.require(call.function)
    call.count(1, 3)
    config = call.config
    shape = tuple(config.integer(name) for name in ("in_height", "in_width", "n_chan"))
    dims, steps = config.integer("dim"), config.integer("n_time_steps")
    config.finish()
    if f"_{dims}d" not in call.function or call.stream:
        raise call.error("this way to go through time steps is not supported", dims)
    return int(call.numbers[0]), steps, shape[4 - dims :]


def _read_time_step(call: Call) -> Gather:
    """`nnet::read_time_step_2d` and its kin: one step of a sequence."""
    step, steps, shape = _time_step(call)
    data = call.checked(call.data[0], (steps, *shape), 0)
    output = call.checked(call.results[0], None, 0)
    size = math.prod(shape)
    if output.size != size:
        raise call.error(f"{output.name} has another size", output.shape, str(shape))
    return Gather(call.name, (data,), output, np.arange(step * size, (step + 1) * size), 0)


def _write_time_step(call: Call) -> tuple[Layer, ...]:
    """`nnet::write_time_step_2d` and its kin, of the last step: the results of all, one after another."""
    step, steps, shape = _time_step(call)
    (name,) = call.data
    parts = [call.tensor(f"{name}_{earlier}", (1, *shape)) for earlier in range(step)]
    parts.append(call.checked(name, (1, *shape), 0))
    output = call.checked(call.results[0], (steps, *shape), 0)
    if steps == 1:
        return (Linear(call.name, (parts[0],), output),)
    layers: list[Layer] = []
    while len(parts) > 1:  # two at a time
        joined = []
        for first, second in zip(parts[::2], parts[1::2], strict=False):
            size = (first.shape[0] + second.shape[0], *shape)
            whole = Tensor(f"{call.name}_{len(layers)}", size, output.type)
            layers.append(Concatenate(whole.name, (first, second), whole, 0))
            joined.append(whole)
        parts = joined + parts[len(parts) - len(parts) % 2 :]
    layers[-1] = Concatenate(call.name, layers[-1].inputs, output, 0)
    return tuple(layers)


def _clone_stream(call: Call) -> tuple[Layer, ...]:
    """`nnet::clone_stream`: copies of one stream for several readers, cast to their type."""
    shape = _streamed(call)
    data = call.input(0, shape)
    outputs = [call.result(name, shape, 1) for name in call.results]
    return tuple(Linear(f"{call.name}_{i}", (data,), output) for i, output in enumerate(outputs, 1))


def _repack_stream(call: Call) -> Linear:
    """`nnet::repack_stream`: the same numbers, cast, with another count of them travelling together."""
    shape = _streamed(call)
    return Linear(call.name, (call.input(0, shape),), call.result(call.results[0], shape, 1))


def _streamed(call: Call) -> tuple[int, ...]:
    """The shape of the stream that is copied; the third template argument is its size."""
    call.require(call.function)
    if len(call.types) != 3 or not call.results:
        raise call.error("unusual count of arguments", (len(call.types), len(call.arguments)))
    size = call.project.evaluate(call.types[2], call.place)
    if not isinstance(size, int):
        raise call.error("the size of the stream is not a number", size)
    packs = call.packs()
    if size % packs[0] or max(packs) % min(packs) or (call.function == "clone_stream" and packs[0] != packs[1]):
        raise call.error("the streams' packs do not fit", packs)
    return call.in_packs(0, size)


BUILDERS: dict[str, Builder] = {
    "broadcast_stream": _broadcast_stream,
    "clone_stream": _clone_stream,
    "repack_stream": _repack_stream,
    **{f"read_time_step_{dims}d": _read_time_step for dims in (2, 3, 4)},
    **{f"write_time_step_{dims}d": _write_time_step for dims in (2, 3, 4)},
    "transpose": _transpose,
    "transpose_2d": _plain_transpose,
    "transpose_3d": _plain_transpose,
}
