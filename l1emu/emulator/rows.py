"""A network on rows of inputs that are there already: drawn again and again, they are copied to a GPU once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.cuda.device import BLOCK_JETS, cuda, is_short_of_memory
from l1emu.emulator.cuda.kernels import rows_kernel, started
from l1emu.emulator.emulator import Emulator

_BLOCKS = 4096


class EmulatedRows:
    """Inputs, of which any rows are emulated.

    Parameters
    ----------
    emulator
        Of any target. With the target ``cuda`` the inputs are copied to the GPU in use, and only numbers of rows and
        outputs go to and fro; a network that the GPU does not do alone gets its rows from here.
    inputs
        Floats (objects, *shape) by the inputs' names.
    """

    def __init__(self, emulator: Emulator, inputs: Mapping[str, NDArray[Any]]) -> None:
        self._emulator = emulator
        self._inputs = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
        self._there: dict[str, Any] = {}
        if emulator.reads_gpu:
            self._gather = started(rows_kernel())
            flat = {name: array.reshape(len(array), -1) for name, array in self._inputs.items()}
            self._there = {name: cuda().to_device(array) for name, array in flat.items()}

    def __call__(self, rows: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """What the network gives for some rows, (rows, *shape) by the outputs' names.

        Where the GPU has too little memory they are done in halves.
        """
        if not self._there or not len(rows):
            return self._emulator.by_name(self._emulator({name: array[rows] for name, array in self._inputs.items()}))
        try:
            return self._on_gpu(rows)
        except Exception as error:
            if not is_short_of_memory(error) or len(rows) <= BLOCK_JETS:
                raise
        halves = [self(part) for part in np.array_split(rows, 2)]
        return {name: np.concatenate([half[name] for half in halves]) for name in halves[0]}

    def _on_gpu(self, rows: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        module, drawn = cuda(), {}
        wanted = module.to_device(np.ascontiguousarray(rows))
        for name, table in self._there.items():
            drawn[name] = module.device_array((len(rows), table.shape[1]), table.dtype)
            blocks = min(_BLOCKS, -(-drawn[name].size // BLOCK_JETS))
            self._gather[blocks, BLOCK_JETS](table, wanted, drawn[name])
        given: dict[str, Any] = self._emulator.by_name(self._emulator.emulate_there(drawn))
        return {name: array.copy_to_host() for name, array in given.items()}
