"""A firmware with layers of the project's own C++: these, and programs of the layers between them, in turn."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.interval import Ranges
from l1emu.emulator.passes.analyse import analyse
from l1emu.emulator.results import store_rows
from l1emu.emulator.vector.context import narrow_inputs
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.layers import Foreign, Layer, Tensor

Run = Callable[[NDArray[Any], Sequence[NDArray[Any]]], bool]
"""(raw, outputs): writes C-contiguous arrays (jets, size) of `results`; whether it did: floats may need more care."""

ARITHMETIC = "c++"
"""What a layer of the project's own C++ is computed with."""
_PART = 1e-3  # seconds that a part of a batch should take at least: another process is called in some 40 us
_TIMED = 5  # times that a call is timed, of which the fastest counts


class Runnable(Protocol):
    """A program and the kernels that run it."""

    results: tuple[Tensor, ...]
    takes_floats: bool  # in place of raw integers, if they are simple
    spare: list[Run]  # what `prepare` gave, and nobody uses now
    pace: float  # seconds a jet in one thread, see `l1emu.emulator.crew`
    part: float  # seconds that a part of a batch should take at least, 0 for the least of all, see there

    def prepare(self) -> Run:
        """A function with a workspace of its own."""

    def compile(self, raw: NDArray[Any]) -> None:
        """Compile what runs on such an array, of which only the type matters."""

    def arithmetic(self, ranges: Ranges) -> dict[str, str]:
        """What each layer is computed with, by its name."""

    def profile(self, raw: NDArray[Any]) -> dict[str, float]:
        """Seconds a jet of each layer on one core at its fastest, by its name, and of loading and storing."""

    def source(self) -> str:
        """The generated module, readable."""


@dataclass(frozen=True)
class _Known:
    """Layers between two calls: a firmware of their own, whose inputs are what they read, and its program."""

    firmware: Firmware
    program: Runnable

    def raw(self, tensors: dict[str, NDArray[np.int64]]) -> NDArray[Any]:
        """What the program takes."""
        columns = [tensors[t.name] for t in self.firmware.inputs]
        return np.concatenate(columns, axis=1).astype(np.int32 if narrow_inputs(self.firmware) else np.int64)

    def run(self, execute: Run, tensors: dict[str, NDArray[np.int64]]) -> None:
        raw = self.raw(tensors)
        found = [np.empty((len(raw), t.size), np.int64) for t in self.program.results]
        execute(raw, found)
        tensors.update({t.name: array for t, array in zip(self.program.results, found, strict=True)})


@dataclass(frozen=True)
class _Call:
    """A call of the project's own C++: a layer for each of its results."""

    layers: tuple[Foreign, ...]

    def run(self, tensors: dict[str, NDArray[np.int64]]) -> None:
        one = self.layers[0]
        found = one.runner.run(one.number, [tensors[t.name] for t in one.inputs])
        tensors.update({t.name: array for t, array in zip(one.results, found, strict=True)})


class Staged:
    """The program of such a firmware.

    Parameters
    ----------
    firmware
        What was synthesized.
    results
        The tensors that come out.
    program
        Makes the program of a firmware without such layers, and for results.

    Raises
    ------
    L1emuError
        if numbers of more than 64 bits pass a call.
    """

    takes_floats = False

    def __init__(
        self,
        firmware: Firmware,
        results: tuple[Tensor, ...],
        program: Callable[[Firmware, Ranges, tuple[Tensor, ...]], Runnable],
    ) -> None:
        self.results = results
        self._firmware, self._program = firmware, program
        self.spare: list[Run] = []
        self.pace, self.part = 0.0, _PART
        self._stages = self._made()

    def _made(self) -> list[_Known | _Call]:
        groups = [list(part) for _, part in groupby(self._firmware.layers, key=_which)]
        stages: list[_Known | _Call] = []
        for number, layers in enumerate(groups):
            if isinstance(layers[0], Foreign):
                stages.append(_Call(tuple(layer for layer in layers if isinstance(layer, Foreign))))
                continue
            later = {t.name for group in groups[number + 1 :] for layer in group for t in layer.inputs}
            later |= {t.name for t in self.results}
            made = {layer.output.name for layer in layers}
            outputs = tuple(layer.output for layer in layers if layer.output.name in later)
            if outputs:
                read = [t for layer in layers for t in layer.inputs if t.name not in made]
                stages.append(self._known(tuple({t.name: t for t in read}.values()), outputs, tuple(layers)))
        return stages

    def _known(self, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], layers: tuple[Layer, ...]) -> _Known:
        for tensor in (*inputs, *outputs):
            if not tensor.type.fits_int64:
                message = "numbers of more than 64 bits beside the project's own C++ are not supported"
                raise L1emuError(message, where=f"tensor {tensor.name}", value=str(tensor.type))
        name = self._firmware.name
        part = Firmware(name, self._firmware.backend, inputs, outputs, layers)
        return _Known(part, self._program(part, analyse(part), outputs))

    def prepare(self) -> Run:
        """A function with workspaces of its own; calls take processes of their own."""
        prepared = [stage.program.prepare() if isinstance(stage, _Known) else None for stage in self._stages]

        def run(raw: NDArray[Any], outputs: Sequence[NDArray[Any]]) -> bool:
            tensors = self._inputs(raw)
            for stage, execute in zip(self._stages, prepared, strict=True):
                if isinstance(stage, _Known):
                    assert execute is not None
                    stage.run(execute, tensors)
                else:
                    stage.run(tensors)
            for tensor, into in zip(self.results, outputs, strict=True):
                store_rows(into, tensors[tensor.name].reshape(into.shape), tensor.type.fraction)
            return True

        return run

    def _inputs(self, raw: NDArray[Any]) -> dict[str, NDArray[np.int64]]:
        tensors, column = {}, 0
        for tensor in self._firmware.inputs:
            tensors[tensor.name] = np.ascontiguousarray(raw[:, column : column + tensor.size], np.int64)
            column += tensor.size
        return tensors

    def compile(self, raw: NDArray[Any]) -> None:
        """Compile the programs; the C++ was when the project was read."""
        for stage in self._stages:
            if isinstance(stage, _Known):
                size = sum(t.size for t in stage.firmware.inputs)
                stage.program.compile(
                    np.empty((len(raw), size), np.int32 if narrow_inputs(stage.firmware) else np.int64)
                )

    def arithmetic(self, ranges: Ranges) -> dict[str, str]:
        """What each layer is computed with; layers that nobody reads are not computed."""
        found = dict.fromkeys((layer.name for layer in self._firmware.layers), "no arithmetic")
        for stage in self._stages:
            if isinstance(stage, _Known):
                found |= stage.program.arithmetic(analyse(stage.firmware))
            else:
                found |= {layer.name: ARITHMETIC for layer in stage.layers}
        return found

    def profile(self, raw: NDArray[Any]) -> dict[str, float]:
        """Seconds a jet of each layer; those of a call count for its first result."""
        spent: dict[str, float] = {}
        tensors = self._inputs(raw)
        for stage in self._stages:
            if isinstance(stage, _Known):
                for name, seconds in stage.program.profile(stage.raw(tensors)).items():
                    spent[name] = spent.get(name, 0.0) + seconds
                stage.run(stage.program.prepare(), tensors)
                continue
            least = math.inf
            for _ in range(_TIMED):
                begin = time.perf_counter()
                stage.run(tensors)
                least = min(least, time.perf_counter() - begin)
            spent[stage.layers[0].name] = least / len(raw)
        return spent

    def source(self) -> str:
        """The modules of all programs, and between them the calls."""
        parts = [
            stage.program.source()
            if isinstance(stage, _Known)
            else f"# {stage.layers[0].name}: the project's own C++, {stage.layers[0].code}\n"
            for stage in self._stages
        ]
        return "\n".join(parts)


def is_staged(firmware: Firmware) -> bool:
    """Whether a firmware has layers of its project's own C++."""
    return any(isinstance(layer, Foreign) for layer in firmware.layers)


def _which(layer: Layer) -> tuple[int, int]:
    """What tells one stage from the next."""
    return (id(layer.runner), layer.number) if isinstance(layer, Foreign) else (0, 0)
