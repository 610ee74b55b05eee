"""The whole firmware in plain integer numpy, layer after layer: slow, and readable as the specification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.firmware.graph import Graph
from l1emu.fixedpoint import Raw


def run(
    firmware: Graph, raw_inputs: npt.ArrayLike | Sequence[npt.ArrayLike] | Mapping[str, npt.ArrayLike]
) -> dict[str, Raw]:
    """Run every layer's reference.

    Parameters
    ----------
    firmware
        What to run.
    raw_inputs
        Raw integers of the input's type, shape (jets, *shape) or (jets, size); for several inputs a list in the
        top function's order, or a dict by name.

    Returns
    -------
    dict
        Raw values by tensor name (inputs included) and, for each layer, by layer name: int64 arrays of shape
        (jets, *shape).
    """
    tensors: dict[str, Raw] = {}
    for tensor, raw in zip(firmware.inputs, _listed(firmware, raw_inputs), strict=True):
        values = np.asarray(raw)
        if values.dtype.kind not in "iu" or values.size % tensor.size or values.ndim < 2:
            raise L1emuError("raw input must be integers of shape (jets, ...)", where=tensor.name, value=values.dtype)
        values = values.astype(np.int64).reshape(len(values), *tensor.shape)
        if values.size and (values.min() < tensor.type.low or values.max() > tensor.type.high):
            raise L1emuError(f"raw input outside {tensor.type}", where=tensor.name)
        tensors[tensor.name] = values
    results = dict(tensors)
    for layer in firmware.layers:
        output = layer.reference(*(tensors[tensor.name] for tensor in layer.inputs))
        tensors[layer.output.name] = results[layer.output.name] = results[layer.name] = output
    return results


def run_float(firmware: Graph, x: npt.ArrayLike) -> dict[str, Raw]:
    """`run` on floating-point numbers, assigned to the input's type as the C++ does (one input)."""
    tensor = firmware.inputs[0]
    return run(firmware, [tensor.type.from_float(np.asarray(x).reshape(len(np.asarray(x)), *tensor.shape))])


def _listed(
    firmware: Graph, raw: npt.ArrayLike | Sequence[npt.ArrayLike] | Mapping[str, npt.ArrayLike]
) -> list[npt.ArrayLike]:
    if isinstance(raw, Mapping):
        names = [tensor.name for tensor in firmware.inputs]
        if sorted(raw) != sorted(names):
            raise L1emuError("the inputs' names do not fit", value=sorted(raw), expected=", ".join(names))
        return [raw[name] for name in names]
    if isinstance(raw, list | tuple) and len(firmware.inputs) == len(raw):
        return list(raw)
    if len(firmware.inputs) == 1:
        return [np.asarray(raw)]
    raise L1emuError("one array per input is needed", expected=str(len(firmware.inputs)))
