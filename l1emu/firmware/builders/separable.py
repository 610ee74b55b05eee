"""Separable convolutions of streams in one call: a depthwise one, and a pointwise one of what it gives."""

from __future__ import annotations

from dataclasses import replace

from l1emu.firmware.builders.call import Builder, Call
from l1emu.firmware.builders.conv import convolution
from l1emu.layers import Layer, Tensor


def _separable(call: Call) -> tuple[Layer, ...]:
    """`nnet::separable_conv_1d_cl` and `separable_conv_2d_cl`, as layers ``NAME_depthwise`` and ``NAME``.

    Before hls4ml 0.8 what is between the two has the data's type; since then the call names it.
    """
    if not call.stream:
        raise call.error("separable convolutions of arrays in one call are not supported")
    in_data_type = call.variant(call.function) == "data type"
    call.count(2 if in_data_type else 3, 6)
    data, output, depthwise, pointwise, depthwise_bias, pointwise_bias = call.arguments
    between = call.types[0] if in_data_type else call.types[1]
    first, second = (call.config.nested(f"{part}_config") for part in ("depthwise", "pointwise"))
    call.config.finish()
    name = f"{call.name}_depthwise"
    made: list[Tensor] = []

    def tensor(wanted: str, shape: tuple[int, ...] | None) -> Tensor:
        if wanted != name:
            return call.tensor(wanted, shape)
        if shape is None or (made and made[0].shape != shape):
            raise call.error("the pointwise convolution reads another shape than the depthwise one gives", shape)
        made[:1] = [Tensor(name, shape, call.project.stream_type(between, call.place)[0])]
        return made[0]

    calls = (
        ("depthwise", name, first, [call.types[0], between], [data, name, depthwise, depthwise_bias]),
        ("pointwise", call.name, second, [between, call.types[-1]], [name, output, pointwise, pointwise_bias]),
    )
    layers: list[Layer] = []
    for kind, own, config, types, arguments in calls:
        function = call.function.replace("separable", kind)
        part = replace(
            call, function=function, name=own, config=config, types=types, arguments=arguments, tensor=tensor
        )
        layers += convolution(part)
    return tuple(layers)


BUILDERS: dict[str, Builder] = {
    "separable_conv_1d_cl": _separable,
    "separable_conv_2d_cl": _separable,
}
