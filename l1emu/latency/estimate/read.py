"""Read a design from an hls4ml project folder, also where it holds layers that nothing here can emulate.

Only sizes, types and the steering of synthesis are read, so this reader asks far less than `Firmware.read` does: it
goes through the calls of the top function and their config structs, and lists what it could not make out.
"""

from __future__ import annotations

import os

from l1emu.errors import L1emuError
from l1emu.firmware.backend import UNKNOWN
from l1emu.firmware.roles import NOT_SYNTHESIZED
from l1emu.firmware.top import Alias, Invocation, Pragma, Statement, Variable, read_top
from l1emu.firmware.top import ControlBlock as Braces
from l1emu.latency.estimate.blocks import BlockBuilder, NotCovered, Variables
from l1emu.latency.estimate.design import Block, Design
from l1emu.latency.estimate.lenient import LenientProject
from l1emu.latency.estimate.wrapper import Wrapper, kernel_wrapper, vivado_wrapper


def read_design(path: str | os.PathLike[str]) -> Design:
    """Read an hls4ml project folder (Vivado and Vitis backends).

    Raises
    ------
    L1emuError
        if the folder is no project, or nothing in its top function can be estimated.
    """
    try:
        return _Reader(LenientProject(path)).read()
    except RecursionError:
        raise L1emuError("expressions or configs nested without end", path=path) from None
    except (ValueError, OverflowError) as error:  # Python's int() of thousands of digits
        raise L1emuError("a number that nothing can hold", path=path, value=str(error)) from None


class _Reader:
    """Goes through the top function's statements."""

    def __init__(self, project: LenientProject) -> None:
        self.project = project
        self.top = read_top(project)
        self.variables = Variables()
        self.problems: list[str] = []
        self.stream = any(isinstance(p, Variable) and p.stream for p in self.top.parameters)
        self.builder = BlockBuilder(project, self.variables, self.stream)

    def read(self) -> Design:
        blocks: list[Block] = []
        for statement in (*self.top.parameters, *self.top.statements):
            blocks += self._statement(statement)
        if not blocks:
            why = self.problems[0] if self.problems else "no call of a layer"
            raise L1emuError("no layer that can be estimated", path=self.project.source, value=why)
        missing = sum(problem.startswith("not covered") for problem in self.problems)
        if missing:
            self.problems.append(
                f"incomplete: {missing} of {missing + len(blocks)} layers are not in cycles and resources"
            )
        project, flow = self.project, self._flow()
        dataflow = self.stream or (flow is not None and flow.directive == "DATAFLOW")
        interval = flow.options.get("ii", "") if flow is not None and not dataflow else ""
        wrapper = self._wrapper(blocks[0], blocks[-1])
        fifos = self._fifos()
        return Design(
            name=project.name if wrapper is None else wrapper.top,
            io="io_stream" if self.stream else "io_parallel",
            pipeline="dataflow" if dataflow else "pipeline",
            blocks=tuple(blocks),
            origin=project.root.resolve().name,
            tool=project.tool(),
            part=project.part(),
            clock_ns=project.clock_ns(),
            uncertainty=project.uncertainty(),
            fabric=project.fabric(),
            fifos=tuple(fifos.values()),
            fifo_streams=tuple(self.variables.aliases.get(name, name) for name in fifos),
            stated_interval=max(1, int(interval)) if _count(interval) else 1,
            buffered=blocks[-1].n_out if project.kernel() and not self.stream else 0,
            problems=(*self.problems, *project.unread),
            wrapper=wrapper,
            backend=None if project.backend == UNKNOWN else project.backend,
        )

    def _flow(self) -> Pragma | None:
        """The pragma that says how the layers follow each other."""
        return next((p for p in self.top.pragmas if p.directive in ("DATAFLOW", "PIPELINE")), None)

    def _fifos(self) -> dict[str, tuple[int, int]]:
        """Depth and bits of the streams whose depth is stated, by name."""
        depths = {
            pragma.options["variable"]: int(pragma.options["depth"])
            for pragma in self.top.pragmas
            if pragma.directive == "STREAM" and "variable" in pragma.options and _count(pragma.options.get("depth", ""))
        }
        return {name: (depth, self._stream_bits(name)) for name, depth in depths.items()}

    def _stream_bits(self, name: str) -> int:
        _, width = self.variables.sizes.get(name, (0, 16))
        return width * self.variables.packs.get(name, 1)

    def _statement(self, statement: Statement) -> list[Block]:
        """The blocks of a call; a statement that may do more than declare a variable, and is no call, is named."""
        match statement:
            case Variable():
                self.variables.declare(statement, self.project)
            case Alias():
                self.variables.alias(statement.name, statement.target)
            case Braces():
                texts = [token.text for token in statement.tokens]
                loading = statement.keyword == "if" and "loaded_weights" in texts
                if not loading and texts.count("(") > 1:
                    where = f"'{statement.keyword}' in line {statement.place.line}"
                    self.problems.append(f"not covered: calls within {where}")
            case Invocation() if statement.function not in NOT_SYNTHESIZED:
                try:
                    return self.builder.blocks(statement)
                except NotCovered as reason:
                    self.problems.append(str(reason))
                except L1emuError as error:
                    where = f"{statement.function} in line {statement.place.line}"
                    self.problems.append(f"not covered: {where} ({error})")
        return []

    def _wrapper(self, first: Block, last: Block) -> Wrapper | None:
        """What stands around the network in an accelerator's project; said where it is left out."""
        project, sizes = self.project, (first.n_in, last.n_out)
        packs = tuple(self.variables.packs.get(name, 1) for name in ((*first.inputs, "")[0], last.output))
        if project.kernel():
            return kernel_wrapper(sizes) if self.stream else None
        if project.backend not in ("VivadoAccelerator", UNKNOWN):
            return None
        found = vivado_wrapper(project.firmware, project.root, project.name, sizes, (packs[0], packs[1]))
        if found is None and project.backend == "VivadoAccelerator":
            self.problems.append(f"the accelerator's top is left out: {project.name} alone is estimated")
        return found


def _count(text: str) -> bool:
    """Whether a pragma's option is a number of a size that is possible."""
    return text.isascii() and text.isdigit() and len(text) < 10
