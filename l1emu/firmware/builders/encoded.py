"""The `encoded` convolutions of streams, which keep each place of the filter in a queue of its own.

A table in the config tells for each pixel which places of the filter it can take. The pixel goes into the queues of
these places; with the last place's comes a result, of the foremost number in each queue. The queues are followed here.
"""

from __future__ import annotations

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.firmware.builders.call import Call


def encoded_windows(
    call: Call, data: tuple[int, int], size: tuple[int, int], stride: tuple[int, int], positions: int, channels: int
) -> Ints:
    """The places of the numbers in each window, (positions, window, channels), as `windows.windows` counts them."""
    two = "_2d_" in call.function
    dimension = 2 if two else 1
    prefix = "depthwise_" if call.function.startswith("depthwise") else ""
    own = f"{prefix}conv_{dimension}d_encoded_cl", f"compute_{prefix}output_encoded"
    call.require(*own, "scale_index_K_gte_S", "scale_index_K_lt_S")
    if two and size[0] != size[1]:
        raise call.error("an encoded convolution has a square filter", size)
    if call.variant(f"compute_scaled_indices_{dimension}d") == "always scaled":
        call.require("scale_index")
        names = [""] * dimension
    else:
        call.require("scale_index_regular", "scale_index_unscaled")
        names = ["scale_index_height", "scale_index_width"] if two else ["scale_index"]
    lengths = list(zip(size, stride, data, strict=True))[-dimension:]
    axes = [_scaled(call, name, *each) for name, each in zip(names, lengths, strict=True)]
    table = np.array(call.config.static_array("pixels"), dtype=object)
    index = axes[-1]
    if two:
        index = axes[0][:, None] * call.config.integer("min_width") + index
    window = size[0] * size[1]
    if index.max() >= len(table) or max(table) >> window:
        raise call.error("the table of pixels does not fit the convolution", len(table))
    masks = table[index].ravel()
    queues = [np.flatnonzero([int(mask) >> place & 1 for mask in masks]) for place in range(window)]
    when = queues[-1]
    if len(when) != positions:
        raise call.error("the table of pixels gives another count of results", len(when), str(positions))
    late = any(len(queue) < positions or (queue[:positions] > when).any() for queue in queues)
    if late:
        raise call.error("the table of pixels lets the kernel read from an empty queue")
    pixels = np.stack([queue[:positions] for queue in queues], axis=1)[..., None]
    return np.asarray(pixels * channels + np.arange(channels), dtype=np.int64)


def _scaled(call: Call, name: str, size: int, stride: int, length: int) -> Ints:
    """The index in the table of pixels of each row or column: the repeating ones in the middle share theirs."""
    at = np.arange(length, dtype=np.int64)
    scaling = call.config.template(name).removeprefix("nnet::") if name else "scale_index_regular"
    if scaling == "scale_index_unscaled":
        return at
    if scaling != "scale_index_regular":
        raise call.error("this scaling of the indices is not known", scaling)
    larger, smaller = max(size, stride), min(size, stride)
    edge = larger - smaller
    used = (length - size) // stride * stride + size
    shrunk = (-(-larger // smaller) - 1) * stride + size
    left = used - at
    middle = edge + (at - edge) % stride
    found = np.where(at >= used, shrunk, np.where(left <= edge, shrunk - left, middle))
    return np.where(at < edge, at, found)
