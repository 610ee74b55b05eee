"""Calls of a top function that become layers of the project's own C++, as the reader finds them."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from l1emu.child import Limits
from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.firmware.cxx.lexer import Place, text_of
from l1emu.firmware.cxx.parser import statements
from l1emu.firmware.foreign.program import ForeignProgram
from l1emu.firmware.foreign.sizes import stream_sizes
from l1emu.firmware.foreign.text import CallText, Port
from l1emu.firmware.kernels import defined_name
from l1emu.firmware.project import Project
from l1emu.firmware.top import Invocation, Loading, Top, Variable
from l1emu.layers import Foreign, Tensor
from l1emu.waiting import make_room

_INCLUDE = "l1emu_declared.h"


def say(line: str) -> None:
    """A line on the standard error: nobody runs a project's code without having read of it."""
    make_room()
    print(f"l1emu: {line}", file=sys.stderr, flush=True)


def announce(root: Path, functions: Sequence[tuple[str, Sequence[str]]], whole: bool = False) -> None:
    """Say what is compiled of a project, from which files, and what that means."""
    parts = "; ".join(f"{name} ({', '.join(files)})" for name, files in dict(functions).items())
    if whole:
        say(f"compiles the whole top function of {root} and runs it with your rights: {parts}")
    else:
        say(f"compiles functions of {root} that are not known and runs them as they are, with your rights: {parts}")


class ForeignCalls:
    """The calls of one project, gathered while its top function is read."""

    def __init__(self, project: Project, top: Top, limits: Limits | None = None) -> None:
        self._project, self._top = project, top
        self._limits = Limits() if limits is None else limits
        self._variables = {variable.name: variable for variable in top.variables()}
        self.layers: list[Foreign] = []
        loads = [
            part.text
            for statement in top.statements
            if isinstance(statement, Loading)
            for part in statement.inside
            if isinstance(part, Invocation)
        ]
        ports = [text_of(port.tokens[:-1]) for port in top.ports]
        self._program = ForeignProgram(
            project.root, project.firmware, _INCLUDE, self._declared(), loads, ports, project.namespaces, self._limits
        )

    def _declared(self) -> str:
        """The top function's file without the function's body."""
        text = read_text(self._project.source)
        function = self._top.function
        if not function.body:
            return text
        blank = re.sub(
            r"\"(?:[^\"\\\n]|\\.)*\"|//[^\n]*|/\*.*?\*/",
            lambda found: re.sub(r"[^\n]", " ", found[0]),
            text[: function.body[0].start],
            flags=re.DOTALL,
        )
        return text[: blank.rindex("{") + 1] + text[function.end :]

    @cached_property
    def sizes(self) -> dict[str, int]:
        """How many packs, or plain numbers, a jet has in each stream, as a run of the top function tells."""
        say(f"builds the C++ of {self._project.root} and runs it with your rights, to count what its streams hold")
        return stream_sizes(self._project, self._top, self._limits)

    def add(
        self,
        called: Invocation,
        name: str,
        data: dict[str, Tensor],
        results: dict[str, Tensor],
        aliases: dict[str, str],
    ) -> list[Foreign]:
        """A call as layers, one for each result.

        Parameters
        ----------
        name
            The layer's name.
        data, results
            The tensors that it reads and writes, by the name of the variable.
        aliases
            Other names of variables, with the variables.
        """
        written = {source: called_as for called_as in called.names if (source := aliases.get(called_as, called_as))}
        inputs = [self._port(source, tensor, written[source]) for source, tensor in data.items()]
        outputs = [self._port(source, tensor, written[source]) for source, tensor in results.items()]
        number = self._program.add(name, CallText(called.text, tuple(inputs), tuple(outputs)))
        several = len(results) > 1
        built = [
            Foreign(
                f"{name}_{source.removesuffix('_out')}" if several else name,
                tuple(data.values()),
                tensor,
                called.function,
                self._files(called.function),
                called.text,
                self._project.source_hash,
                tuple(results.values()),
                number,
                self._program,
            )
            for source, tensor in results.items()
        ]
        self.layers += built
        return built

    def finish(self) -> None:
        """Say what is compiled, compile it, and check it."""
        if self.layers:
            announce(self._project.root, [(layer.function, layer.files) for layer in self.layers])
            self._program.build()

    def _port(self, source: str, tensor: Tensor, name: str) -> Port:
        variable: Variable | None = self._variables.get(source)
        if variable is None:
            message = "a call in a loop over time steps that is not known"
            raise L1emuError(message, path=self._project.source, value=source)
        kind = text_of([t for t in variable.type if t.text not in ("const", "static")])
        if variable.stream:
            return Port(tensor, f"hls::stream<{kind}> {name}", name, 1)
        return Port(tensor, f"{kind} {name}[{text_of(variable.size)}]", name)

    def _files(self, function: str) -> tuple[str, ...]:
        """The files that define a function, by their place in the project."""
        found = []
        for lexed in self._project.headers.values():
            for statement in statements(lexed.tokens, lexed.path):
                name = defined_name(statement, Place(lexed.path, statement[0].line))
                if name is not None and name.rpartition("/")[2] == function:
                    found.append(lexed.path)
                    break
        root = self._project.root
        inside = [path.relative_to(root) if path.is_relative_to(root) else path for path in found]
        return tuple(str(path) for path in inside) or (self._project.source.name,)
