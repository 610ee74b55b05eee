"""A design from a `Firmware`, which knows layers, weights and types but nothing that steers synthesis."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.firmware.backend import BACKENDS, UNKNOWN, supported, tool_of
from l1emu.fixedpoint import Overflow
from l1emu.latency.estimate.design import Block, Design
from l1emu.latency.estimate.matrices import matrix
from l1emu.latency.estimate.read import read_design
from l1emu.layers import (
    BatchNormalization,
    ClippedLine,
    Concatenate,
    Dense,
    Einsum,
    Embedding,
    Gather,
    GlobalPooling1D,
    HalfTable,
    Layer,
    LayerNormalization,
    Linear,
    Lookup,
    Merge,
    Quantize,
    Recurrent,
    Relu,
    Reshape,
    SlopedRelu,
    Softmax,
    Steps,
    TableActivation,
    Transpose,
)
from l1emu.layers.recurrent import GATES

STEERING = (
    "a firmware file does not keep what steers synthesis: io_parallel, one pipeline, and where no option says "
    "otherwise the latency strategy with reuse factor 1 are assumed"
)


def load_design(path: str | os.PathLike[str]) -> Design:
    """The design in an hls4ml project folder or a firmware file.

    Raises
    ------
    L1emuError
        if it is neither, or holds nothing that can be estimated.
    """
    location = Path(path)
    return read_design(location) if location.is_dir() else from_firmware(Firmware.read(location))


def from_firmware(firmware: Firmware) -> Design:
    """A firmware's layers as blocks, in io_parallel."""
    blocks, problems = [], [STEERING]
    names = {tensor.name: tensor.name for tensor in firmware.inputs}
    for layer in firmware.layers:
        inputs = tuple(names[tensor.name] for tensor in layer.inputs)
        if isinstance(layer, Reshape):
            names[layer.output.name] = inputs[0]
            continue
        names[layer.output.name] = layer.output.name
        build = next((b for kind, b in _BUILDERS.items() if isinstance(layer, kind)), None)
        if build is None:
            problems.append(f"not covered: {layer.name}, a layer of the kind {layer.kind}")
            continue
        blocks.append(_block(layer, inputs, **build(layer)))
    backend = None if firmware.backend == UNKNOWN else supported(firmware.backend)
    if backend is None and firmware.backend != UNKNOWN:
        raise L1emuError(
            "a firmware of a backend that is not supported", value=firmware.backend, expected=", ".join(BACKENDS)
        )
    if backend is not None and backend.endswith("Accelerator"):
        problems.append("the accelerator's top is left out: a firmware file holds the network alone")
    return Design(
        name=firmware.name,
        io="io_parallel",
        pipeline="pipeline",
        blocks=tuple(blocks),
        origin=f"firmware {firmware.content_hash[:12]}",
        tool=tool_of(firmware.backend),
        problems=tuple(problems),
        backend=backend,
    )


def _block(layer: Layer, inputs: tuple[str, ...], **rest: Any) -> Block:
    return Block(
        name=layer.name,
        function=layer.kind,
        n_in=layer.inputs[0].size,
        n_out=layer.output.size,
        inputs=inputs,
        output=layer.output.name,
        width_in=layer.inputs[0].type.width,
        width_out=layer.output.type.width,
        **{"width_accum": layer.output.type.width, **rest},
    )


def _dense(layer: Any) -> dict[str, Any]:
    return {
        "kind": "conv" if layer.positions > 1 else "dense",
        "positions": layer.positions,
        "width_accum": layer.accum_type.width,
        "weights": (matrix(layer.weight, layer.weight_type.width),),
        "extra": {} if layer.accum_type.overflow is Overflow.WRAP else {"saturating": 1},
    }


def _einsum(layer: Any) -> dict[str, Any]:
    sizes = {"n_inplace": layer.inplace, "n_free0": layer.free0, "n_free1": layer.free1, "n_contract": layer.contract}
    return {"kind": "einsum", "width_accum": layer.accum_type.width, "extra": sizes}


def _softmax(layer: Any) -> dict[str, Any]:
    return {
        "kind": "softmax",
        "positions": layer.n_outer * layer.n_inner,
        "width_accum": layer.accum_type.width,
        "tables": (
            (len(layer.exp_table), layer.exp_table_type.width),
            (len(layer.inv_table), layer.inv_table_type.width),
        ),
        "extra": {"n_slice": layer.n_slice, "implementation": layer.variant},
    }


def _layernorm(layer: Any) -> dict[str, Any]:
    return {
        "kind": "layernorm",
        "positions": layer.positions,
        "width_accum": layer.accum_type.width,
        "weights": (matrix(layer.scale.reshape(-1, 1), layer.scale_type.width),),
        "tables": ((len(layer.table), layer.table_type.width),),
        "extra": {"rounded": 1},
    }


def _batchnorm(layer: Any) -> dict[str, Any]:
    return {"kind": "multiply", "weights": (matrix(layer.scale.reshape(-1, 1), layer.scale_type.width),)}


def _merge(layer: Any) -> dict[str, Any]:
    return {"kind": "product" if layer.op == "multiply" else "merge"}


def _table(layer: Any) -> dict[str, Any]:
    return {"kind": "table", "tables": ((len(layer.table), layer.table_type.width),)}


def _pooling(layer: Any) -> dict[str, Any]:
    return {
        "kind": "pooling",
        "width_accum": layer.accum_type.width,
        "extra": {"average": int(layer.op == "average")},
    }


def _recurrent(layer: Any) -> dict[str, Any]:
    matrices = ((layer.weight, layer.weight_type), (layer.recurrent_weight, layer.recurrent_weight_type))
    tables = ((layer.gate_table, layer.gate_table_type), (layer.table, layer.table_type))
    return {
        "kind": "recurrent",
        "positions": layer.steps,
        "width_accum": layer.accum_type.width,
        "weights": tuple(matrix(weight, kind.width) for weight, kind in matrices),
        "tables": tuple((len(table), kind.width) for table, kind in tables),
        "extra": {"n_state": layer.n_state, "n_sequence": layer.steps, "use_static": 1, "gates": GATES[layer.cell]},
    }


_BUILDERS: dict[type[Layer], Callable[[Any], dict[str, Any]]] = {
    Dense: _dense,
    Einsum: _einsum,
    Softmax: _softmax,
    LayerNormalization: _layernorm,
    BatchNormalization: _batchnorm,
    Merge: _merge,
    TableActivation: _table,
    GlobalPooling1D: _pooling,
    HalfTable: _table,
    Lookup: _table,
    Embedding: lambda layer: {"kind": "table", "tables": ((layer.table.size, layer.table_type.width),)},
    ClippedLine: lambda layer: {"kind": "multiply" if layer.shift else "relu"},
    Recurrent: _recurrent,
    Relu: lambda layer: {"kind": "relu"},
    Steps: lambda layer: {"kind": "relu"},
    SlopedRelu: lambda layer: {"kind": "multiply" if layer.slope.any() else "relu"},
    Linear: lambda layer: {"kind": "wires"},
    Concatenate: lambda layer: {"kind": "wires"},
    Gather: lambda layer: {"kind": "wires"},
    Transpose: lambda layer: {"kind": "wires"},
    Quantize: lambda layer: {"kind": "wires"},
}
