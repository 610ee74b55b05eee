"""From an hls4ml project folder to a `Graph`, by its C++ alone."""

from __future__ import annotations

import math
import os
import re
from copy import copy
from dataclasses import fields, replace
from pathlib import Path

from l1emu.child import Limits
from l1emu.errors import L1emuError
from l1emu.firmware.builders import BUILDERS, Call, generated
from l1emu.firmware.cxx.lexer import Place, text_of
from l1emu.firmware.cxx.parser import Declaration, Struct
from l1emu.firmware.foreign.calls import ForeignCalls
from l1emu.firmware.foreign.whole import read_whole
from l1emu.firmware.grammar import check_syntax
from l1emu.firmware.graph import Graph
from l1emu.firmware.kernels import Kernels
from l1emu.firmware.loading import LoadedWeights
from l1emu.firmware.preprocess import check_library
from l1emu.firmware.project import ConfigStruct, Project
from l1emu.firmware.roles import (
    CONFIG_FIRST,
    NOT_SYNTHESIZED,
    READ_STEP,
    SINGLE_NUMBERS,
    WITHOUT_CONFIG,
    WRITE_STEP,
    Role,
)
from l1emu.firmware.top import (
    Alias,
    ControlBlock,
    Invocation,
    LoadedFlag,
    Loading,
    Other,
    Report,
    Statement,
    Variable,
    classified,
    read_top,
)
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Dense, Foreign, Layer, Reshape, Tensor


def read_project(folder: str | os.PathLike[str], *, unknown: str = "refuse", limits: Limits | None = None) -> Graph:
    """Read an hls4ml project (backends Vivado and Vitis).

    Parameters
    ----------
    unknown
        What becomes of calls whose kernels are not known here: ``refuse`` them, or ``cpp``, compile the project's own.
    limits
        With ``cpp``: what the compiler and the C++ may take.

    Raises
    ------
    L1emuError
        naming file, line and construct, for whatever is missing, malformed or not supported.
    """
    if unknown == "refuse":
        return _read(_Reader(Project(folder), None))
    limits = Limits() if limits is None else limits
    try:
        reader = _Reader(Project(folder), limits)
        firmware = _read(reader)
    except _StreamError:
        raise
    except L1emuError as error:
        return read_whole(Path(folder), error, limits)
    assert reader.foreign is not None
    reader.foreign.finish()
    return firmware


class _StreamError(L1emuError):
    """A stream that the project's own C++ leaves empty or drains whatever is in it: the whole of it is no better."""


def _read(reader: _Reader) -> Graph:
    project, firmware = reader.project, reader.read()
    if not any(isinstance(layer, Foreign) for layer in firmware.layers):  # what g++ has compiled is C++
        check_syntax(project.unit.sequence, project.unit.functions)  # what nobody looked into
    names = {t.text for _, part in project.unit.sequence for t in part if t.kind == "name"}
    check_library(project.firmware, names)
    return firmware


class _Reader:
    """The state while the top function is read, statement by statement."""

    def __init__(self, project: Project, limits: Limits | None) -> None:
        self.project = project
        self.top = read_top(project)
        self.foreign = None if limits is None else ForeignCalls(project, self.top, limits)
        self.kernels = Kernels(project)
        self.path = project.source
        self.tensors: dict[str, Tensor] = {}
        self.aliases: dict[str, str] = {}
        self.arguments: list[str] = []
        self.written: set[str] = set()
        self.drained: set[str] = set()  # streams that a layer has read
        self.overwritten: set[str] = set()  # arrays that hold a cell's last state where its first was
        self.may_load = False
        self.layers: list[Layer] = []
        self.views: dict[tuple[str, tuple[int, ...]], Tensor] = {}
        self.packs: dict[str, int] = {}  # of streams: how many numbers travel together, 0 for plain numbers
        self.element: dict[str, FixedPoint] = {}  # of streams: their type
        self.weights = LoadedWeights(project, {})

    def read(self) -> Graph:
        top = self.top
        function = top.function
        for port in top.ports:
            self._new(port.name, port.place)
        ports = {port.name: Declaration(port.place, "array", port.type, size=port.size) for port in top.ports}
        self.weights = LoadedWeights(self.project, ports)
        for parameter in top.parameters:
            self._argument(parameter)
        for statement in top.statements:
            self._statement(statement)
        unused = [name for name in self.arguments if name not in self.tensors]
        if unused:
            raise function.place.error("no layer reads or writes these streams", ", ".join(unused))
        inputs = tuple(self.tensors[name] for name in self.arguments if name not in self.written)
        outputs = tuple(self.tensors[name] for name in self.arguments if name in self.written)
        for tensor in inputs:
            if not tensor.type.fits_int64:
                raise function.place.error("inputs beyond 64 bits are not supported", str(tensor.type))
        if not outputs:
            raise L1emuError("the top function writes none of its arguments", path=self.path)
        self._check_integer_casts()
        origin = {
            "project": self.project.root.resolve().name,
            "backend": self.project.backend,
            "sources": self.project.source_hash,
        }
        backend = self.project.backend
        return Graph(self.project.name, backend, inputs, outputs, tuple(self.layers), origin)

    def _time_steps(self, loop: ControlBlock) -> None:
        """A loop over time steps: its layers once for each step, their variables numbered but for the last step."""
        place = loop.place
        head = " ".join(t.text for t in loop.head)
        found = re.fullmatch(r"for \( int (\w+) = 0 ; \1 < (\w+) :: n_time_steps ; \1 \+\+ \)", head)
        if found is None:
            raise place.error("a loop that is not over time steps is not supported", loop.text[:100])
        steps = self.project.config(found[2], place).integer("n_time_steps")
        inner = loop.inside
        last = inner[-1] if inner else None
        reads = isinstance(inner[0], Invocation) and inner[0].function.startswith(READ_STEP) if inner else False
        if not reads or not isinstance(last, Invocation) or not last.function.startswith(WRITE_STEP):
            raise place.error("a loop over time steps that does not read one, or write one, is not supported")
        names = {t.text for part in inner for t in part.tokens} & self.tensors.keys() - self.written
        names -= {*self.arguments, *last.having(Role.RESULT)}
        for step in range(steps):
            final = step == steps - 1
            fresh = {} if final else {name: f"{name}_{step}" for name in sorted(names)}
            for name, new in fresh.items():
                self.tensors[new] = replace(self.tensors[name], name=new)
            for part in inner if final else inner[:-1]:
                changed = fresh | {found[1]: str(step)}
                renamed = [replace(t, text=changed.get(t.text, t.text)) for t in part.tokens]
                comment = part.comment if isinstance(part, Invocation) else ""
                self._statement(
                    classified(renamed, self.path, comment if final or not comment else f"{comment}_{step}")
                )

    def _statement(self, statement: Statement) -> None:
        place = statement.place
        match statement:
            case LoadedFlag():
                self.may_load = not self.layers
            case Report():
                self.project.evaluate(statement.value, place)
            case Loading():
                if not self.may_load or self.layers:
                    raise place.error("weights are loaded after they are used, or not at all", statement.text[:40])
                self.weights.load(statement)
            case Alias():
                if not any(statement.target in known for known in (self.tensors, self.packs, self.aliases)):
                    raise place.error("alias of an unknown variable", statement.target)
                self._new(statement.name, place)
                self.aliases[statement.name] = statement.target
            case ControlBlock(keyword="for"):
                self._time_steps(statement)
            case Invocation() if statement.space in self.project.spaces or self._is_foreign(statement):
                self._call(statement)
            case Variable() if not statement.qualified:
                self._variable(statement)
            case Other():
                raise statement.error
            case _:
                raise place.error("statement not supported in the top function", statement.text[:100])

    def _new(self, name: str, place: Place) -> None:
        """Refuse a variable by the name of another, or of something outside the function, which it would hide."""
        outside = self.project.scope
        if name in outside.declarations or name in outside.structs or name in outside.functions:
            raise place.error("a variable that hides something of its name", name)
        if name in self.tensors or name in self.packs or name in self.aliases or name in self.project.spaces:
            raise place.error("declared twice", name)

    def _argument(self, parameter: Statement) -> None:
        """A parameter that carries data."""
        if isinstance(parameter, Other):
            raise parameter.error
        if not isinstance(parameter, Variable) or parameter.qualified:
            what = "this argument is neither an array nor a stream of fixed-point numbers"
            raise parameter.place.error(what, text_of(parameter.tokens[:-1]))
        self._variable(parameter)
        self.arguments.append(parameter.name)

    def _variable(self, variable: Variable) -> None:
        name, place = variable.name, variable.place
        if variable.stream:
            element, pack = self.project.stream_type(variable.type, place)
            if variable.size:
                expected = "one stream, of nnet::array or of single numbers: arrays of streams are not supported"
                raise place.error("a stream declared in an unusual way", variable.text, expected)
            self._new(name, place)
            self.element[name], self.packs[name] = element, pack
            return
        self._new(name, place)
        shape = self.project.shape(variable.size, place)
        self.tensors[name] = Tensor(name, shape, self.project.type(variable.type, place))

    def _call(self, called: Invocation) -> None:
        if called.templates is None and not self._is_foreign(called):
            raise called.place.error("call not supported in the top function", called.text[:100])
        if called.function == "save_layer_output":
            if any(len(part) != 1 for part in called.arguments):
                raise called.place.error("call not supported in the top function", called.text[:100])
            return
        before = len(self.layers)
        if self.foreign is None:
            self._build(called)
        else:
            self._build_or_compile(called)
        outputs = {layer.output.name for layer in self.layers[before:]}
        for name in {self._source(argument) for argument in called.names} & self.packs.keys() - outputs:
            if name in self.drained:
                raise called.place.error("a stream is read twice", name, "one reader, or nnet::clone_stream")
            self.drained.add(name)

    def _is_foreign(self, called: Invocation) -> bool:
        """Whether a call may be one of the project's own functions, compiled."""
        return self.foreign is not None and called.function not in NOT_SYNTHESIZED

    def _build_or_compile(self, called: Invocation) -> None:
        """Add the layers that a call is, or the project's own C++ where it is not known."""
        state = ("layers", "tensors", "views", "written", "overwritten")
        before = {name: copy(getattr(self, name)) for name in state}
        try:
            self._build(called)
        except L1emuError:
            for name, value in before.items():
                setattr(self, name, value)
            self._compile(called)

    def _compile(self, called: Invocation) -> None:
        """Add a call as the project's own C++."""
        assert self.foreign is not None
        sources = list(dict.fromkeys(self._source(name) for name in called.names))
        variables = [name for name in sources if name in self.tensors or name in self.packs]
        read = {tensor.name for layer in self.layers for tensor in layer.inputs} | self.drained
        fresh = [name for name in variables if name not in self.written and name not in read]
        inside = [name for name in fresh if name not in self.arguments]
        results = inside or [name for name in fresh if name == variables[-1]]
        data = [name for name in variables if name not in results]
        if not results or not data or any(name in self.drained for name in variables):
            raise called.place.error("what this call reads and writes is not clear", called.text[:100])
        name = self._name(called.comment, called.names)
        tensors = {variable: self._own_tensor(variable, called.place) for variable in (*data, *results)}
        built = self.foreign.add(
            called, name, {n: tensors[n] for n in data}, {n: tensors[n] for n in results}, self._named()
        )
        self.written |= set(results)
        self.layers += built

    def _named(self) -> dict[str, str]:
        """Every second name of a variable, with the variable."""
        return {name: self._source(name) for name in self.aliases}

    def _own_tensor(self, name: str, place: Place) -> Tensor:
        """A variable in the shape that it is declared in; a stream in packs, as many as its C++ writes."""
        if name in self.overwritten:
            raise place.error("reading the last state of a cell where its first was is not supported", name)
        if name not in self.tensors:
            assert self.foreign is not None
            count, pack = self.foreign.sizes.get(name, 0), self.packs[name]
            if not count:
                what = "it is read to its end" if name in self.arguments else "the C++ leaves it empty"
                message = f"how much this stream carries is not known: {what}"
                raise _StreamError(message, path=place.path, where=f"line {place.line}", value=name)
            shape = (count, pack) if pack and count > 1 else (pack or count,)
            self.tensors[name] = Tensor(name, shape, self.element[name])
        return self.tensors[name]

    def _build(self, called: Invocation) -> None:
        """Add the layers that a call is."""
        if called.templates is None or called.space not in self.project.spaces:
            raise called.place.error("call not supported in the top function", called.text[:100])
        types = [list(part) for part in called.templates]
        function, place, arguments = called.function, called.place, called.names
        builder = BUILDERS.get(function)
        without_config = function in WITHOUT_CONFIG
        if builder is None:
            builder = generated(self.project, function)
            without_config = True
        if builder is None:
            raise place.error("this kind of layer is not supported yet", f"nnet::{function}")
        sources = [self._source(argument) for argument in arguments]
        if any((self.packs[s] == 0) != (function in SINGLE_NUMBERS) for s in sources if s in self.packs):
            raise place.error(
                "one number at a time, or packs of them, is not what this kernel takes", f"nnet::{function}"
            )
        if without_config:
            config = ConfigStruct(self.project, Struct(function, place, None, {}))
        else:
            config = self.project.config(text_of(types.pop(0 if function in CONFIG_FIRST else -1)), place)
        call = Call(
            function,
            place,
            self._name(called.comment, arguments),
            types,
            config,
            arguments,
            sources[0] in self.packs,
            self.project,
            self.kernels,
            self._tensor,
            lambda weights, kind: self.weights.weights(weights, kind, place),
            lambda weights, kind: self.weights.powers(weights, kind, place),
            lambda name: self._overwrite(name, place),
        )
        try:
            built = builder(call)
        except L1emuError as error:
            if error.path is not None:
                raise
            raise call.error(error.message, error.value, error.expected) from None
        for layer in built if isinstance(built, tuple) else (built,):
            if layer.output.name in self.written:
                raise place.error("a variable is written twice", layer.output.name)
            self.written.add(layer.output.name)
            self.layers.append(layer)

    def _overwrite(self, name: str, place: Place) -> None:
        """A call leaves other numbers in a variable that it reads: nobody may read them."""
        if self._source(name) in self.overwritten:
            raise place.error("one array for two states, which the C++ overwrites in turn, is not supported", name)
        self.overwritten.add(self._source(name))

    def _name(self, comment: str, arguments: list[str]) -> str:
        """The layer's own name if the comment gives one, else that of the variable that it writes."""
        taken = {layer.name for layer in self.layers} | self.tensors.keys() | self.packs.keys()
        if comment and comment not in taken and not comment.startswith("hls-fpga"):
            return comment
        written = next(
            (a for a in arguments[1:] if (a in self.tensors or a in self.packs) and a not in self.written),
            arguments[-1],
        )
        return written.removesuffix("_out")

    def _source(self, name: str) -> str:
        """The variable that a name stands for."""
        while name in self.aliases:
            name = self.aliases[name]
        return name

    def _tensor(self, name: str, shape: tuple[int, ...] | None) -> Tensor:
        """A variable as a tensor, in the shape that its reader gives it: a `Reshape` where that differs."""
        source = self._source(name)
        if source in self.overwritten:
            raise L1emuError("reading the last state of a cell where its first was is not supported", value=name)
        tensor = self.tensors.get(source)
        if tensor is None and source in self.packs:  # a stream's first user knows its shape
            if shape is None:
                raise L1emuError("the shape of a stream is not known", path=self.path, value=name)
            tensor = self.tensors[source] = Tensor(source, shape, self.element[source])
        if tensor is None:
            raise L1emuError("unknown variable", path=self.path, value=name)
        if shape is None or shape == tensor.shape:
            return tensor
        if (source, shape) in self.views:
            return self.views[source, shape]
        if tensor.size != math.prod(shape):
            raise L1emuError(
                f"{name} is read in a shape of another size", path=self.path, value=shape, expected=str(tensor.shape)
            )
        taken = {layer.output.name for layer in self.layers}
        view_name = name if name != source and name not in taken else f"{source}_{'x'.join(map(str, shape))}"
        view = Tensor(view_name, shape, tensor.type)
        self.views[source, shape] = view
        self.layers.append(Reshape(view_name, (tensor,), view))
        return view

    def _check_integer_casts(self) -> None:
        """Refuse assignments to an `ap_int` from a type with no integer bits: `ap_types` has a fault there."""
        for layer in self.layers:
            if isinstance(layer, Foreign):  # the C++ with its faults
                continue
            inside = [v for f in fields(layer) if isinstance(v := getattr(layer, f.name), FixedPoint)]
            sources = [*inside, *(tensor.type for tensor in layer.inputs)]
            targets = [layer.accum_type] if isinstance(layer, Dense) else inside
            if not any(kind.is_integer for kind in [*targets, layer.output.type]):
                continue
            for kind in sources:
                if kind.integer < 0 or (kind.signed and kind.integer < 1):
                    raise L1emuError(
                        "an integer type meets a type without integer bits; ap_types converts these wrongly",
                        path=self.path,
                        where=f"layer {layer.name}",
                        value=str(kind),
                    )
