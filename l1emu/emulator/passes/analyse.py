"""Interval analysis: what every value inside a firmware can be, proven from its types and weights alone.

Starting from the full range of the input types, each layer is executed once on intervals, operation by operation in
the order of the C++; `l1emu.emulator.interval` says what follows for its sums.
"""

from __future__ import annotations

import numpy as np

from l1emu.emulator.interval import Interval, Ranges, filled
from l1emu.emulator.kinds import KINDS
from l1emu.firmware import Firmware


def analyse(firmware: Firmware) -> Ranges:
    """Bounds of every value in `firmware` when its inputs take any value of their types.

    Raises
    ------
    L1emuError
        where a number can lie where the C++ does something that has no meaning, by the layer's name.
    """
    tensors = {tensor.name: Interval.of_type(tensor.type, tensor.shape) for tensor in firmware.inputs}
    for name, (low, high) in firmware.limits.items():  # which the emulator checks of every jet
        shape = np.shape(tensors[name].low)
        tensors[name] = Interval(filled(shape, low), filled(shape, high))
    layers = {}
    for layer in firmware.layers:
        found = KINDS[type(layer)].range(layer, tuple(tensors[tensor.name] for tensor in layer.inputs))
        layers[layer.name] = found
        tensors[layer.output.name] = found.output
    return Ranges(tensors, layers)
