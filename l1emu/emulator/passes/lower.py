"""From a firmware to a `Program`: instructions for the exact kernels, weights, and rows of a workspace."""

from __future__ import annotations

import numpy as np

from l1emu.emulator.exact.assembler import Assembler, Program
from l1emu.emulator.interval import Ranges
from l1emu.emulator.kinds import INSTRUCTIONS, KINDS
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.layers import Tensor

_OPCODES = {type(instruction.at): opcode for opcode, instruction in enumerate(INSTRUCTIONS)}


def lower(firmware: Firmware, ranges: Ranges, results: tuple[Tensor, ...]) -> Program:
    """The program of `firmware`.

    Parameters
    ----------
    ranges
        What is proven of it.
    results
        The tensors that come out: the firmware's outputs, or those of all layers.

    Raises
    ------
    L1emuError
        for a layer whose values need more than 64 bits, by name.
    """
    asm = Assembler(ranges, _OPCODES)
    last = _last_uses(firmware, results)
    for tensor in firmware.inputs:
        asm.row[tensor.name] = asm.rows.take(tensor.size)
    sizes = {tensor.name: tensor.size for layer in firmware.layers for tensor in (*layer.inputs, layer.output)}
    for number, layer in enumerate(firmware.layers):
        proof = ranges.layers[layer.name]
        if proof.widest > 64:
            raise L1emuError(
                "values wider than the emulator's integers", where=layer.name, value=f"{proof.widest} bits"
            )
        if layer.view:
            asm.row[layer.output.name] = asm.row[layer.inputs[0].name]
        else:
            asm.row[layer.output.name] = asm.rows.take(layer.output.size)
            KINDS[type(layer)].emit(layer, asm, proof)
        for name in [n for n, when in last.items() if when == number and n in asm.row]:
            asm.rows.give(asm.row[name], sizes[name])
    out_rows = [asm.row[t.name] + np.arange(t.size) for t in results]
    return Program(
        code=np.array(asm.code, np.int64),
        starts=np.array(asm.starts, np.int64),
        layers=tuple(asm.layers),
        table=asm.tables(),
        rows=asm.rows.size,
        inputs=firmware.inputs,
        results=results,
        out_rows=np.concatenate([np.zeros(0, np.int64), *out_rows]),
        row=asm.row,
    )


def _last_uses(firmware: Firmware, results: tuple[Tensor, ...]) -> dict[str, int]:
    """The number of the layer after which nobody reads a tensor; views count as what they show."""
    root: dict[str, str] = {}
    for layer in firmware.layers:
        if layer.view:
            root[layer.output.name] = root.get(layer.inputs[0].name, layer.inputs[0].name)
    last: dict[str, int] = {}
    for number, layer in enumerate(firmware.layers):
        for tensor in (*layer.inputs, layer.output):
            last[root.get(tensor.name, tensor.name)] = number
    for tensor in results:
        last[root.get(tensor.name, tensor.name)] = len(firmware.layers)
    # inputs: the next block is loaded to the same rows
    return last | {tensor.name: len(firmware.layers) for tensor in firmware.inputs}
