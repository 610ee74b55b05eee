"""A design from a `Firmware`, which knows layers, weights and types but nothing that steers synthesis."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.firmware.backend import BACKENDS, UNKNOWN, supported, tool_of
from l1emu.latency.estimate.design import Block, Design
from l1emu.latency.estimate.matrices import matrix
from l1emu.latency.estimate.read import read_design
from l1emu.layers import Layer

_STEERING = (
    "this firmware file does not keep what steers synthesis (l1emu convert writes one that does): io_parallel, one "
    "pipeline, and where no option says otherwise the latency strategy with reuse factor 1 are assumed"
)


def load_design(path: str | os.PathLike[str]) -> Design:
    """The design in an hls4ml project folder or a firmware file.

    Raises
    ------
    L1emuError
        if it is neither, or holds nothing that can be estimated.
    """
    location = Path(path)
    if location.is_dir():
        return read_design(location)
    firmware = Firmware.read(location)
    try:
        return from_firmware(firmware)
    except L1emuError as error:
        raise error.within(location) from None


def keep_design(firmware: Firmware, project: str | os.PathLike[str]) -> Firmware:
    """The firmware with the design of the project that it was read from: a file of it is estimated as the project is.

    Raises
    ------
    L1emuError
        if the project holds nothing that can be estimated.
    """
    return replace(firmware, design=read_design(project).as_dict())


def from_firmware(firmware: Firmware) -> Design:
    """The design that a firmware keeps, or else its layers as blocks, in io_parallel.

    Raises
    ------
    L1emuError
        if what it keeps is no design, or it is one of a backend that is not supported.
    """
    if firmware.design is not None:
        kept = Design.from_dict(firmware.design)
        folder = "" if kept.origin == "project" else f" (folder {kept.origin})"  # what shipped ones were written to
        told = f"firmware {firmware.content_hash[:12]}, estimated as its hls4ml project{folder}"
        return replace(kept, origin=told)
    return _of_layers(firmware)


def _of_layers(firmware: Firmware) -> Design:
    blocks, problems = [], [_STEERING]
    names = {tensor.name: tensor.name for tensor in firmware.inputs}
    for layer in firmware.layers:
        inputs = tuple(names[tensor.name] for tensor in layer.inputs)
        if layer.view:
            names[layer.output.name] = inputs[0]
            continue
        names[layer.output.name] = layer.output.name
        blocks.append(_block(layer, inputs))
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


def _block(layer: Layer, inputs: tuple[str, ...]) -> Block:
    circuit = layer.circuit()
    width_out = layer.output.type.width
    return Block(
        name=layer.name,
        kind=circuit.kind,
        function=layer.kind,
        n_in=layer.inputs[0].size,
        n_out=layer.output.size,
        inputs=inputs,
        output=layer.output.name,
        positions=circuit.positions,
        width_in=layer.inputs[0].type.width,
        width_out=width_out,
        width_accum=width_out if circuit.accum_width is None else circuit.accum_width,
        weights=tuple(matrix(weight, width) for weight, width in circuit.matrices),
        tables=circuit.tables,
        extra=dict(circuit.extra),
    )
