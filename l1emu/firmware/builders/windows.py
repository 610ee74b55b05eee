"""Windows of images and sequences, padding and enlarging: numbers picked by their place."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.firmware.builders.call import Builder, Call
from l1emu.firmware.project import ConfigStruct
from l1emu.firmware.roles import SINGLE_NUMBERS
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Gather, Layer, Tensor


@dataclass(frozen=True)
class Shape:
    """Height and width of data, filter, stride and result, channels and filters; the height of a sequence is 1."""

    data: tuple[int, int]
    filter: tuple[int, int]
    stride: tuple[int, int]
    result: tuple[int, int]
    channels: int
    filters: int

    @property
    def positions(self) -> int:
        return self.result[0] * self.result[1]

    @property
    def n_in(self) -> int:
        return self.filter[0] * self.filter[1] * self.channels


def windows(
    call: Call,
    data: tuple[int, int],
    channels: int,
    size: tuple[int, int],
    stride: tuple[int, int],
    result: tuple[int, int],
    pad: tuple[int, int] = (0, 0),
) -> Ints:
    """The places of the numbers in the windows of an image, -1 outside it.

    Parameters
    ----------
    data, size, stride, result, pad
        Height and width of the image, a window, the steps, the result, and the rows and columns before the image.

    Returns
    -------
    int64 array
        Shape (positions, window, channels), into the image as (height, width, channels), flat.
    """
    axes = []
    for have, window, step, positions, before in zip(data, size, stride, result, pad, strict=True):
        at = np.arange(positions)[:, None] * step + np.arange(window)[None, :] - before
        axes.append(np.where((at >= 0) & (at < have), at, -1))
    rows, columns = axes[0][:, None, :, None], axes[1][None, :, None, :]
    inside = (rows >= 0) & (columns >= 0)
    pixels = np.where(inside, rows * data[1] + columns, -1).reshape(result[0] * result[1], size[0] * size[1], 1)
    if result[0] < 1 or result[1] < 1:
        raise call.error("no window fits", size, f"in {data}")
    return np.where(pixels >= 0, pixels * channels + np.arange(channels), -1).astype(np.int64)


def gathered(
    call: Call,
    shape: tuple[int, ...],
    places: Ints,
    result: tuple[int, ...],
    kind: FixedPoint | None = None,
    fill: int = 0,
) -> tuple[tuple[Layer, ...], Tensor]:
    """The windows of an argument as a layer and its output; no layer where they are the argument as it is."""
    data = call.input(0, shape)
    source = places.ravel()
    if kind in (None, data.type) and np.array_equal(source, np.arange(data.size)):
        return (), call.input(0, result)
    output = Tensor(f"{call.name}_windows", result, kind or data.type)
    return (Gather(output.name, (data,), output, source, fill),), output


def _zero_padding(call: Call) -> Gather:
    """`nnet::zeropad1d_cl` and `zeropad2d_cl`, also of single numbers."""
    call.count(2, 2)
    call.require(call.function)
    if call.stream:
        single = "_me" if call.function in SINGLE_NUMBERS else ""
        call.require(f"fill_zero{single}", f"fill_data{single}")
    config, two = call.config, "2d" in call.function
    data = (config.integer("in_height") if two else 1, config.integer("in_width"))
    result = (config.integer("out_height") if two else 1, config.integer("out_width"))
    top, bottom = (config.integer("pad_top"), config.integer("pad_bottom")) if two else (0, 0)
    left, right = config.integer("pad_left"), config.integer("pad_right")
    if (data[0] + top + bottom, data[1] + left + right) != result:
        raise call.error("the paddings do not make up the result", result)
    channels = config.integer("n_chan")
    config.finish("reuse_factor")
    if call.stream:
        call.check_packs(channels, channels)
    places = windows(call, data, channels, (1, 1), (1, 1), result, (top, left))
    shapes = [(*(size if two else size[1:]), channels) for size in (data, result)]
    return Gather(call.name, (call.input(0, shapes[0]),), call.output(shapes[1]), places.ravel(), 0)


def _cropping(call: Call) -> Gather:
    """`nnet::cropping1d_cl` and `cropping2d_cl`."""
    call.count(2, 2)
    call.require(call.function)
    if call.stream:
        call.require("fill_data")
    config, two = call.config, "2d" in call.function
    data = (config.integer("in_height") if two else 1, config.integer("in_width"))
    result = (config.integer("out_height") if two else 1, config.integer("out_width"))
    top, bottom = (config.integer("crop_top"), config.integer("crop_bottom")) if two else (0, 0)
    left, right = config.integer("crop_left"), config.integer("crop_right")
    if (result[0] + top + bottom, result[1] + left + right) != data:
        raise call.error("what is cut off does not make up the data", (top, bottom, left, right))
    channels = config.integer("n_chan")
    config.finish("reuse_factor")
    if call.stream:
        call.check_packs(channels, channels)
    places = windows(call, data, channels, (1, 1), (1, 1), result, (-top, -left))
    shapes = [(*(size if two else size[1:]), channels) for size in (data, result)]
    return Gather(call.name, (call.input(0, shapes[0]),), call.output(shapes[1]), places.ravel(), 0)


def _enlarge(call: Call) -> Gather:
    """`nnet::resize_nearest`: the nearest pixel, by the kernel's own arithmetic in 1/65536 of a pixel."""
    call.count(1, 2)
    variant = call.variant(call.function)
    config = call.config
    data = _size(config, "height"), _size(config, "width")
    result = config.integer("new_height"), config.integer("new_width")
    channels = config.integer("n_chan")
    config.finish("reuse_factor")
    if call.stream:
        call.check_packs(channels)
    rows, columns = (
        (np.arange(after) * (((before << 16) // after) + 1)) >> 16 for before, after in zip(data, result, strict=True)
    )
    pixels = (rows[:, None] * data[1] + columns[None, :])[..., None]
    if variant == "pixel by pixel":  # the stream of hls4ml 0.6: all copies of a pixel, then those of the next
        repeats = (result[0] // data[0]) * (result[1] // data[1])
        if repeats * data[0] * data[1] != result[0] * result[1]:
            raise call.error("the size is not a multiple", result, str(data))
        pixels = np.repeat(np.arange(data[0] * data[1]), repeats)[:, None]
    places = (pixels * channels + np.arange(channels)).astype(np.int64)
    output = call.result(call.results[0], (*result, channels), 0)
    return Gather(call.name, (call.input(0, (*data, channels)),), output, places.ravel(), 0)


def require_image_buffer(call: Call) -> None:
    """The kernels that keep the rows of an image of single numbers; they compile for data and result of one type."""
    call.require("cnnshift_arr", "shift_right_small")
    data, result = (call.project.stream_type(kind, call.place)[0] for kind in call.types)
    if data != result:
        raise call.error("data and result of two types do not compile", str(result), str(data))


def _size(config: ConfigStruct, name: str) -> int:
    """A size of the image, by its name in the newer or the older kernels."""
    return config.integer(name if config.has(name) else f"in_{name}")


def fill_buffer(call: Call, shape: Shape) -> Ints:
    """The place of each number of each window in the data, -1 for a zero, as the generated code copies them."""
    config = call.config
    partitions, pixels = config.integer("n_partitions"), config.integer("n_pixels")
    if partitions * pixels != shape.positions:
        raise call.error("n_partitions and n_pixels do not make up the positions", (partitions, pixels))
    name = config.template("fill_buffer").split("::")[-1]
    lexed = call.project.headers.get("nnet_code_gen.h")
    codes = lexed.classes.get(name, []) if lexed else []
    if len(codes) != 1:
        raise call.error("its generated code is not in nnet_code_gen.h", name)
    places = np.full((partitions, pixels, shape.n_in), -2, dtype=np.int64)
    partition = -1
    size = shape.data[0] * shape.data[1] * shape.channels
    for found in re.finditer(r"if\(partition==(\d+)\)\{|buffer\[(\d+)\]\[(\d+)\]=(?:data\[(\d+)\]|([^;]+));", codes[0]):
        if found[1] is not None:
            partition = int(found[1])
            continue
        pixel, number = int(found[2]), int(found[3])
        inside = 0 <= partition < partitions and pixel < pixels and number < shape.n_in
        if found[4] is None and found[5] != "0":
            raise call.error(f"{name} fills its buffer with something else than data", found[5])
        place = -1 if found[4] is None else int(found[4])
        if not inside or place >= size:
            raise call.error(f"{name} copies from or to a place outside", found[0])
        places[partition, pixel, number] = place
    if (places == -2).any():
        raise call.error(f"{name} leaves parts of its buffer as they were")
    return places


BUILDERS: dict[str, Builder] = {
    "cropping1d_cl": _cropping,
    "cropping2d_cl": _cropping,
    "zeropad1d_cl": _zero_padding,
    "zeropad2d_cl": _zero_padding,
    "zeropad2d_cl_me": _zero_padding,
    "resize_nearest": _enlarge,
    "resize_nearest_me": _enlarge,
}
