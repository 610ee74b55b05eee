"""What steers the synthesis, layer by layer, as hls4ml's configuration has it: strategies, reuse, rounds."""

from __future__ import annotations

import fnmatch
import math
from importlib.util import find_spec
from typing import Any

from tensorflow import keras

from l1emu.errors import L1emuError
from l1emu.training.recipe import DISTRIBUTED, LayerHardware, Steering

_KEYS = {
    "strategy": "Strategy",
    "reuse_factor": "ReuseFactor",
    "parallelization_factor": "ParallelizationFactor",
}
"""hls4ml's words for our fields."""


def steer(model: keras.Model, config: dict[str, dict[str, Any]], steering: Steering) -> None:
    """Put strategy, reuse and parallelization factor of every layer into `config`, hls4ml's entries by layer.

    Raises
    ------
    L1emuError
        if a line of `steering.layers` is about no layer, or about something that its layers do not have, or a layer
        cannot be built by distributed arithmetic.
    """
    takes = {layer.name: _takes(layer) for layer in model.layers if type(layer).__name__ != "InputLayer"}
    for name, fields in takes.items():
        own = {"strategy": "Latency", "reuse_factor": 1}
        if "strategy" in fields:
            own = {field: getattr(steering, field) for field in fields}
        config[name].update({_KEYS[field]: value for field, value in own.items()})
    for pattern, line in steering.layers.items():
        found = [name for name in takes if fnmatch.fnmatchcase(name, pattern)]
        if not found:
            raise L1emuError(
                "no layer of this name", where="hardware.layers", value=pattern, expected=", ".join(_with_any(takes))
            )
        for field, value in _given(line).items():
            having = [name for name in found if field in takes[name]]
            if not having:
                some = [name for name in takes if field in takes[name]]
                raise L1emuError(
                    f"no layer of this name has a {field}",
                    where=f"hardware.layers, {pattern}",
                    value=value,
                    expected=f"one of {', '.join(some)}" if some else f"no {field} in this model",
                )
            for name in having:
                config[name][_KEYS[field]] = value
    for layer in model.layers:
        if takes.get(layer.name) and config[layer.name].get("Strategy") == DISTRIBUTED:
            _check_distributed(layer, config[layer.name])


def _check_distributed(layer: Any, entry: dict[str, Any]) -> None:
    """Refuse what hls4ml does not build by distributed arithmetic."""
    where = f"hardware, layer {layer.name}"
    if type(layer).__name__ == "QRecurrent":
        raise L1emuError("no recurrent layer by distributed arithmetic", where=where, expected="Latency or Resource")
    if entry["ReuseFactor"] != 1:
        raise L1emuError(
            "distributed arithmetic shares nothing",
            where=f"{where}, reuse_factor",
            value=entry["ReuseFactor"],
            expected="1",
        )
    if find_spec("da4ml") is None:
        raise L1emuError(
            "da4ml writes the sums of distributed arithmetic, and is not installed",
            where=where,
            expected="pip install 'da4ml>=0.5.2,<0.6' beside the extra `train`",
        )


def _given(line: LayerHardware) -> dict[str, Any]:
    return {field: value for field in _KEYS if (value := getattr(line, field)) is not None}


def _with_any(takes: dict[str, tuple[str, ...]]) -> list[str]:
    return [name for name, fields in takes.items() if fields]


def _takes(layer: Any) -> tuple[str, ...]:
    """What steers this layer, of the fields of `LayerHardware`."""
    kind = type(layer).__name__
    if kind in ("QDense", "QConv2D"):
        over_positions = len(layer.input_shape) > 2
        return ("strategy", "reuse_factor", *(("parallelization_factor",) if over_positions else ()))
    if kind == "QRecurrent":
        return ("strategy", "reuse_factor")
    return ("reuse_factor",) if kind == "QEinsum" else ()


def check_steering(graph: Any, config: dict[str, dict[str, Any]], steering: Steering) -> None:
    """Compare what hls4ml made with what it was told.

    hls4ml takes another factor than it was told where a layer cannot have that one: the parallelization factor divides
    the number of constituents, or of pairs, and in the resource strategy not every reuse factor goes with every matrix.
    A reuse factor that holds for all layers there becomes the closest one; what was said of a single layer is held to.

    Raises
    ------
    L1emuError
        naming the layer, what it was told, and what hls4ml would make of it.
    """
    for node in graph.get_layers():
        wanted = config.get(node.name, {})
        for field, key in _KEYS.items():
            made, told = _made(node, field), wanted.get(key)
            if made is None or told is None:
                continue
            if str(made).lower() == str(told).lower() or (field == "reuse_factor" and _for_all(node, steering)):
                continue
            raise L1emuError(
                f"hls4ml takes another {field} than it was told",
                where=f"layer {node.name}",
                value=told,
                expected=f"{made}, or another that it accepts",
            )


def _made(node: Any, field: str) -> Any:
    """What hls4ml made of a field; None where the layer has nothing of the kind."""
    rounds = node.get_attr("n_partitions")
    if field == "parallelization_factor":
        return None if rounds is None else math.prod(node.get_output_variable().shape[:-1]) // rounds
    return node.get_attr(field)


def _for_all(node: Any, steering: Steering) -> bool:
    """Whether the reuse factor of a layer in the resource strategy is the one of all layers."""
    lines = (line for pattern, line in steering.layers.items() if fnmatch.fnmatchcase(node.name, pattern))
    return node.get_attr("strategy") == "resource" and all(line.reuse_factor is None for line in lines)
