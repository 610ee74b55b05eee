"""Merges of two tensors."""

from __future__ import annotations

import numpy as np

from l1emu.firmware.builders.call import SYNTHESIS, Builder, Call
from l1emu.fixedpoint import FixedPoint, Rounding
from l1emu.layers import Concatenate, Einsum, Gather, Layer, Linear, Merge, Tensor


def _merge(call: Call) -> tuple[Layer, ...]:
    """`nnet::add` and its kin; of arrays, the numbers of a smaller tensor are taken again and again."""
    call.count(3, 3)
    call.check_io()
    output = call.output(call.flat(2, "n_elem"))
    if call.stream:
        call.check_packs(*3 * [output.shape[-1]])
    variant = call.variant(call.function)
    names = ["n_elem"]
    if variant == "" and not (call.stream and not call.config.has("n_elem1")):
        names += ["n_elem1", "n_elem2"]
    sizes = [call.config.integer(name) for name in names]
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
    if variant == "same types" and inputs[0].type != inputs[1].type:
        raise call.error("inputs of two types are not supported", f"{inputs[0].type} and {inputs[1].type}")
    if variant == "divided":
        return _divided(call, (inputs[0], inputs[1]), output)
    return *repeated, Merge(call.name, tuple(inputs), output, call.function)  # type: ignore[arg-type]


def _divided(call: Call, inputs: tuple[Tensor, Tensor], output: Tensor) -> tuple[Layer, ...]:
    """The average as a quotient: truncated toward zero at the sum's last bit before it is assigned to the result."""
    a, b = (tensor.type for tensor in inputs)
    if output.type.fraction < 0 or float(output.type.to_float(output.type.from_float(2.0))) != 2.0:
        raise call.error("the result's type does not hold the divisor 2", str(output.type))
    signed = a.signed or b.signed
    integer = max(kind.integer + (signed and not kind.signed) for kind in (a, b)) + 1
    kind = FixedPoint(integer + max(a.fraction, b.fraction), integer, signed, Rounding.TRN_ZERO)
    half = Tensor(f"{call.name}_half", output.shape, kind)
    return (Merge(half.name, inputs, half, "average"), Linear(call.name, (half,), output))


def _dot(call: Call) -> Einsum:
    """`nnet::dot1d`: every product is assigned to the accumulator's type."""
    call.count(3, 3)
    call.check_io()
    call.require("dot1d")
    call.kernels.require(call.place, "cast")
    config = call.config
    n, accum_type = config.integer("n_in"), config.type("accum_t")
    if config.integer("n_out") != 1:
        raise call.error("more than one number comes out", config.integer("n_out"))
    call.plain_product(config, cast=True)
    config.finish(*SYNTHESIS)
    inputs = (call.input(0, (n,)), call.input(1, (n,)))
    sizes = (1, 1, 1, n)
    return Einsum(call.name, inputs, call.output((1,)), (0,), (0,), *sizes, (1,), (0,), accum_type, accum_type)


def _concatenate(call: Call) -> Concatenate:
    """`nnet::concatenate1d`, `2d` and `3d`."""
    call.count(3, 3)
    dims = int(call.function.removeprefix("concatenate").removesuffix("d"))
    config = call.config
    shapes = [tuple(config.integer(f"n_elem{i}_{axis}") for axis in range(dims)) for i in (1, 2)]
    call.require(call.function)
    if dims > 1:
        for axis in range(dims):
            name = f"{call.function}_{axis}"
            if call.variant(name) == "one width" and shapes[0][-1] == shapes[1][-1]:
                continue  # hls4ml up to 1.1 goes through the second tensor by the width of the first
            if call.variant(name) != "one width" or config.integer("axis") in (3, -1):
                call.require(name)
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
    "add": _merge,
    "subtract": _merge,
    "multiply": _merge,
    "average": _merge,
    "maximum": _merge,
    "minimum": _merge,
    "concatenate1d": _concatenate,
    "concatenate2d": _concatenate,
    "concatenate3d": _concatenate,
    "dot1d": _dot,
}
