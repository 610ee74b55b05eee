"""Layers whose kernel is not known here: the project's own C++, run as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from l1emu.arraytypes import Ints
from l1emu.errors import L1emuError
from l1emu.fixedpoint import Raw
from l1emu.layers.base import Held, Layer, Tensor
from l1emu.layers.circuit import Circuit


class Runner(Protocol):
    """What runs calls of a project's C++."""

    def run(self, number: int, raw: Sequence[Ints]) -> list[Ints]:
        """The results of call `number`, int64 arrays (jets, size), for one such array for each input."""


@dataclass(frozen=True, eq=False)
class Foreign(Layer):
    """A call of a function of the project's own C++, compiled; a call with several results is a layer for each.

    Attributes
    ----------
    function
        The function's name.
    files
        The project's files that define it.
    code
        The call in C++.
    sources
        The hash of the project's sources.
    results
        All that the call writes; `output` is one of them.
    number
        The call's number in `runner`.
    runner
        What runs it. It is not stored: a file of a firmware carries no foreign code.
    """

    function: str
    files: tuple[str, ...]
    code: str
    sources: str
    results: tuple[Tensor, ...]
    number: int
    runner: Runner = field(metadata={"stored": False})

    kind: ClassVar[str] = "foreign"
    holds: ClassVar[Held] = "nothing"

    def check(self) -> None:
        self._require(self.output in self.results, "the output is not one of the results")
        for tensor in (*self.inputs, *self.results):
            message = "numbers of more than 64 bits do not go in and out of the project's own C++"
            self._require(tensor.type.fits_int64, message, f"{tensor.name}: {tensor.type}")

    def circuit(self) -> Circuit:
        raise L1emuError("the circuit of a layer that runs as C++ is not known", where=f"layer {self.name}")

    def reference(self, *raw: Raw) -> Raw:
        jets = len(raw[0])
        found = self.runner.run(self.number, [x.reshape(jets, -1) for x in raw])
        return found[self.results.index(self.output)].reshape(jets, *self.output.shape)
