"""Merges of two tensors."""

from __future__ import annotations

import numpy as np

from l1emu.firmware.builders.call import SYNTHESIS, Builder, Call
from l1emu.layers import Concatenate, Einsum, Gather, Layer, Merge, Tensor


def merge(call: Call) -> tuple[Layer, ...]:
    """`nnet::add` and its kin; of arrays, the numbers of a smaller tensor are taken again and again."""
    call.count(3, 3)
    call.check_io()
    output = call.output(call.flat(2, "n_elem"))
    if call.stream:
        call.check_packs(*3 * [output.shape[-1]])
    one = call.variant(call.function) == "one size"
    sizes = [call.config.integer(name) for name in (("n_elem",) if one else ("n_elem", "n_elem1", "n_elem2"))]
    if sizes[0] != output.size or (call.stream and set(sizes) != {output.size}):
        raise call.error("streams of different sizes (broadcasting) are not supported", sizes, str(output.size))
    call.config.finish(*SYNTHESIS)
    repeated: list[Layer] = []
    inputs = []
    for index, size in enumerate(sizes[1:] or 2 * sizes):
        if size == output.size:
            inputs.append(call.input(index, output.shape))
            continue
        data = call.input(index)
        if data.size != size:
            raise call.error(f"{data.name} has another size", data.size, str(size))
        whole = Tensor(f"{call.name}_{'second' if index else 'first'}", output.shape, data.type)
        repeated.append(Gather(whole.name, (data,), whole, np.arange(output.size) % size, 0))
        inputs.append(whole)
    return *repeated, Merge(call.name, tuple(inputs), output, call.function)  # type: ignore[arg-type]


def dot(call: Call) -> Einsum:
    """`nnet::dot1d`: every product is assigned to the accumulator's type."""
    call.count(3, 3)
    call.check_io()
    call.require("dot1d")
    call.kernels.require(call.place, "cast")
    config = call.config
    n, accum_type = config.integer("n_in"), config.type("accum_t")
    if config.integer("n_out") != 1:
        raise call.error("more than one number comes out", config.integer("n_out"))
    call.plain_product(config)
    config.finish(*SYNTHESIS)
    inputs = (call.input(0, (n,)), call.input(1, (n,)))
    sizes = (1, 1, 1, n)
    return Einsum(call.name, inputs, call.output((1,)), (0,), (0,), *sizes, (1,), (0,), accum_type, accum_type)


def concatenate(call: Call) -> Concatenate:
    """`nnet::concatenate1d`, `2d` and `3d`."""
    call.count(3, 3)
    dims = int(call.function.removeprefix("concatenate").removesuffix("d"))
    config = call.config
    shapes = [tuple(config.integer(f"n_elem{i}_{axis}") for axis in range(dims)) for i in (1, 2)]
    call.require(call.function)
    if dims > 1:
        call.require(*(f"{call.function}_{axis}" for axis in range(dims)))
    axis = config.integer("axis")
    if dims == 1:
        position = 0
    elif axis in (dims, -1):
        position = dims - 1
    elif dims == 3 and axis in (2, -2):
        position = 1
    else:
        position = 0
    config.finish(*SYNTHESIS, *(f"n_elem{i}_{axis}" for i in (1, 2) for axis in range(3)))
    shape = list(shapes[0])
    shape[position] += shapes[1][position]
    output = call.output(tuple(shape))
    if call.stream:
        inputs = call.packs()[:2] if dims == 1 else [shapes[0][-1], shapes[1][-1]]
        call.check_packs(*inputs, shape[-1])
    return Concatenate(call.name, (call.input(0, shapes[0]), call.input(1, shapes[1])), output, position)


BUILDERS: dict[str, Builder] = {
    "add": merge,
    "subtract": merge,
    "multiply": merge,
    "average": merge,
    "maximum": merge,
    "minimum": merge,
    "concatenate1d": concatenate,
    "concatenate2d": concatenate,
    "concatenate3d": concatenate,
    "dot1d": dot,
}
