"""From an hls4ml project folder to a `Graph`, by its C++ alone."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from l1emu.errors import L1emuError
from l1emu.firmware.builders import BUILDERS, CONFIG_FIRST, PLUMBING, Call, generated
from l1emu.firmware.cpp import (
    Declaration,
    Place,
    Struct,
    Token,
    declaration,
    split,
    statements,
    template_end,
    text_of,
)
from l1emu.firmware.grammar import check
from l1emu.firmware.graph import Graph
from l1emu.firmware.kernels import Kernels
from l1emu.firmware.preprocess import check_library
from l1emu.firmware.project import Config, Project
from l1emu.firmware.weights import (
    from_initializer,
    from_text,
    is_initializer_of,
    powers_from_initializer,
    powers_from_text,
)
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Dense, Layer, Reshape, Tensor
from l1emu.layers.base import Ints


def read_project(folder: str | os.PathLike[str]) -> Graph:
    """Read an hls4ml project (backends Vivado and Vitis).

    Raises
    ------
    L1emuError
        naming file, line and construct, for whatever is missing, malformed or not supported.
    """
    project = Project(folder)
    firmware = _Reader(project).read()
    check(project.unit.sequence, project.unit.functions)  # what nobody looked into
    names = {t.text for _, part in project.unit.sequence for t in part if t.kind == "name"}
    check_library(project.firmware / "ap_types", names)
    return firmware


class _Reader:
    """The state while the top function is read, statement by statement."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.kernels = Kernels(project)
        self.path = project.source
        self.tensors: dict[str, Tensor] = {}
        self.aliases: dict[str, str] = {}
        self.arguments: list[str] = []
        self.sizes: list[str] = []  # arguments that only report sizes
        self.written: set[str] = set()
        self.drained: set[str] = set()  # streams that a layer has read
        self.overwritten: set[str] = set()  # arrays that hold a cell's last state where its first was
        self.may_load = False
        self.layers: list[Layer] = []
        self.views: dict[tuple[str, tuple[int, ...]], Tensor] = {}
        self.packs: dict[str, int] = {}  # of streams: how many numbers travel together
        self.element: dict[str, FixedPoint] = {}  # of streams: their type
        self.loads: dict[str, tuple[FixedPoint, int, str, Place]] = {}

    def read(self) -> Graph:
        function, body = self.project.top()
        data, self.sizes = self.project.parameters(function)
        for parameter in data:
            self._variable([*parameter, Token("op", ";", function.place.line)], argument=True)
        for statement, tokens, comment in self._commented(body):
            if tokens[0].text == "for":
                self._time_steps(statement)
            else:
                self._statement(tokens, comment)
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

    def _commented(self, body: list[Token]) -> Iterator[tuple[list[Token], list[Token], str]]:
        """The statements of a body: with comments, without, and the comment that names the layer."""
        listed = list(statements(body, self.path))
        for statement, following in zip(listed, [*listed[1:], []], strict=True):
            tokens = [t for t in statement if t.kind != "comment"]
            if tokens:
                yield statement, tokens, self._comment(tokens[-1].line, statement, following)

    def _time_steps(self, statement: list[Token]) -> None:
        """A loop over time steps: its layers once for each step, their variables numbered but for the last step."""
        tokens = [t for t in statement if t.kind != "comment"]
        place = Place(self.path, tokens[0].line)
        found = re.fullmatch(
            r"for \( int (\w+) = 0 ; \1 < (\w+) :: n_time_steps ; \1 \+\+ \) \{",
            " ".join(t.text for t in tokens[: [t.text for t in tokens].index("{") + 1]),
        )
        if found is None:
            raise place.error("a loop that is not over time steps is not supported", text_of(tokens)[:100])
        steps = self.project.config(found[2], place).integer("n_time_steps")
        start = next(i for i, t in enumerate(statement) if t.text == "{")
        inner = list(self._commented(statement[start + 1 : -1]))
        functions = [part[2].text if len(part) > 2 else "" for _, part, _ in inner]
        if not functions[0].startswith("read_time_step_") or not functions[-1].startswith("write_time_step_"):
            raise place.error("a loop over time steps that does not read one, or write one, is not supported")
        last = [text_of(part) for part in split(inner[-1][1][template_end(inner[-1][1], 3, self.path) + 2 : -2])]
        names = {t.text for _, part, _ in inner for t in part} & self.tensors.keys() - self.written
        names -= {*self.arguments, *last[2:]}
        for step in range(steps):
            final = step == steps - 1
            fresh = {} if final else {name: f"{name}_{step}" for name in sorted(names)}
            for name, new in fresh.items():
                self.tensors[new] = replace(self.tensors[name], name=new)
            for _, part, comment in inner if final else inner[:-1]:
                changed = fresh | {found[1]: str(step)}
                renamed = [replace(t, text=changed.get(t.text, t.text)) for t in part]
                self._statement(renamed, comment if final or not comment else f"{comment}_{step}")

    @staticmethod
    def _comment(line: int, statement: list[Token], following: list[Token]) -> str:
        """The comment at the end of the statement's last line: hls4ml writes the layer's name there."""
        for token in [*statement, *following]:
            if token.kind == "comment" and token.line == line and token.text.startswith("//"):
                return token.text[2:].strip()
        return ""

    def _statement(self, tokens: list[Token], comment: str) -> None:
        place = Place(self.path, tokens[0].line)
        texts = [token.text for token in tokens]
        if texts == ["static", "bool", "loaded_weights", "=", "false", ";"]:
            self.may_load = not self.layers
            return
        if texts[0] in self.sizes and texts[1] == "=":
            self.project.evaluate(tokens[2:-1], place)
            return
        if texts[:6] == ["if", "(", "!", "loaded_weights", ")", "{"]:
            if not self.may_load or self.layers:
                raise place.error("weights are loaded after they are used, or not at all", text_of(tokens)[:40])
            self._load_weights(tokens[6:-1])
        elif texts[:2] == ["auto", "&"] and len(texts) == 6 and texts[3] == "=":
            if not any(texts[4] in known for known in (self.tensors, self.packs, self.aliases)):
                raise place.error("alias of an unknown variable", texts[4])
            self._new(texts[2], place)
            self.aliases[texts[2]] = texts[4]
        elif texts[1:2] == ["::"] and texts[0] in self.project.spaces:
            self._call(tokens, comment)
        elif (texts[-2:] == ["]", ";"] and "(" not in texts) or texts[:4] == ["hls", "::", "stream", "<"]:
            self._variable(tokens, argument=False)
        else:
            raise place.error("statement not supported in the top function", text_of(tokens)[:100])

    def _new(self, name: str, place: Place) -> None:
        """Refuse a variable by the name of another, or of something outside the function, which it would hide."""
        outside = self.project.scope
        if name in outside.declarations or name in outside.structs or name in outside.functions:
            raise place.error("a variable that hides something of its name", name)
        if name in self.tensors or name in self.packs or name in self.aliases or name in self.project.spaces:
            raise place.error("declared twice", name)

    def _variable(self, tokens: list[Token], argument: bool) -> None:
        place = Place(self.path, tokens[0].line)
        if [t.text for t in tokens[:4]] == ["hls", "::", "stream", "<"]:
            name, element, pack = self._stream(tokens, place)
            self._new(name, place)
            self.element[name], self.packs[name] = element, pack
            if argument:
                self.arguments.append(name)
            return
        found = declaration(tokens, self.path)
        if found is None or found[1].kind != "array" or found[1].value is not None:
            what = "argument" if argument else "variable"
            raise place.error(
                f"this {what} is neither an array nor a stream of fixed-point numbers", text_of(tokens[:-1])
            )
        name, declared = found
        self._new(name, place)
        shape = self.project.shape(declared.size, place)
        self.tensors[name] = Tensor(name, shape, self.project.type(declared.type, place))
        if argument:
            self.arguments.append(name)

    def _stream(self, tokens: list[Token], place: Place) -> tuple[str, FixedPoint, int]:
        """Name, type and pack of ``hls::stream<T> name("name");`` or ``hls::stream<T> &name``."""
        end = template_end(tokens, 3, self.path)
        kind, pack = self.project.stream_type(tokens[4:end], place)
        rest = [t for t in tokens[end + 1 :] if t.text not in ("&", ";")]
        if not rest or rest[0].kind != "name" or (len(rest) > 1 and rest[1].text != "("):
            raise place.error("a stream declared in an unusual way", text_of(tokens))
        return rest[0].text, kind, pack

    def _load_weights(self, body: list[Token]) -> None:
        for statement in statements(body, self.path):
            place = Place(self.path, statement[0].line)
            texts = [token.text for token in statement]
            if texts == ["loaded_weights", "=", "true", ";"]:
                continue
            loaders = ("load_weights_from_txt", "load_exponent_weights_from_txt")
            if texts[:2] != ["nnet", "::"] or texts[2] not in loaders or texts[3] != "<":
                raise place.error("this way to load weights is not supported", text_of(statement)[:100])
            end = template_end(statement, 3, self.path)
            types = split(statement[4:end])
            arguments = split(statement[end + 2 : -2])
            plain = [len(part) == 1 and part[0].kind for part in arguments]
            if len(types) != 2 or plain != ["name", "string"] or text_of(arguments[0]) in self.loads:
                raise place.error("load_weights_from_txt with unusual arguments", text_of(statement)[:100])
            count = self.project.evaluate(types[1], place)
            if not isinstance(count, int):
                raise place.error("the count of weights is not a number", text_of(types[1]))
            powers = texts[2] == "load_exponent_weights_from_txt"
            kind = self.project.exponent_type(types[0], place) if powers else self.project.type(types[0], place)
            name = text_of(arguments[0])
            declared = self.project.scope.declarations.get(name)
            if declared is None or declared.kind != "array":
                raise place.error("numbers are loaded into something that is no array of weights", name)
            (size,) = self.project.shape(declared.size, declared.place)[:1]
            if text_of(types[0]) != text_of(declared.type) and (
                powers or self.project.type(declared.type, declared.place) != kind
            ):
                raise place.error(
                    f"{name} is loaded as another type than it has; this does not compile", text_of(types[0])
                )
            if size != count:
                raise place.error(f"as many numbers are not loaded into {name} as it has", count, str(size))
            self.loads[name] = (kind, count, arguments[1][0].text.strip('"'), place)

    def _file(self, name: str, place: Place) -> Path:
        """A file of weights, which must lie in the project."""
        folder = self.project.firmware / "weights"
        root = self.project.root.resolve()
        parts = Path(name).parts
        if (
            len(name) > 250
            or Path(name).is_absolute()
            or ".." in parts
            or not parts
            or root not in (folder / name).resolve().parents
        ):
            raise place.error("a file of weights outside the project", name, "a file in weights/")
        return folder / name

    def _weights(self, name: str, kind: FixedPoint, place: Place) -> Ints:
        """An array of weights: what a C simulation loads and what a synthesis finds in the header must be the same."""
        declared = self.project.arrays.get(name)
        if declared is None:
            raise place.error("no weights of this name are loaded, and there is no header with them", name)
        stored = self.project.type(declared.type, declared.place)
        if stored != kind:
            raise declared.place.error(f"{name} has another type than its layer's", str(stored), str(kind))
        count = math.prod(self.project.shape(declared.size, declared.place))
        if name not in self.loads:
            if declared.value is None:
                raise declared.place.error(f"{name} is given no numbers here, and none are loaded")
            return from_initializer(declared, count, kind)
        stored, count, file, where = self.loads[name]
        if stored != kind:
            raise where.error(f"{name} is loaded as another type than its layer's", str(stored), str(kind))
        path = self._file(file, where)
        loaded = from_text(path, count, kind)
        if declared.value is not None and not is_initializer_of(path, count, declared):
            self._compare(path, declared, loaded, from_initializer(declared, count, kind), kind)
        return loaded

    def _compare(self, path: Path, declared: Declaration, loaded: Ints, synthesized: Ints, kind: FixedPoint) -> None:
        """Refuse weights of which a synthesis, that reads the header alone, makes other numbers than a C simulation."""
        if loaded.size != synthesized.size:
            raise L1emuError(
                f"not as many weights as in {declared.place.path.name}",
                path=path,
                value=loaded.size,
                expected=str(synthesized.size),
            )
        different = np.flatnonzero(loaded != synthesized)
        if different.size:
            first = int(different[0])
            raise L1emuError(
                f"the weights differ from those of {declared.place.path.name}, which a synthesis reads",
                path=path,
                where=f"entry {first + 1}",
                value=float(kind.to_float(loaded[first])),
                expected=str(float(kind.to_float(synthesized[first]))),
            )

    def _powers(self, name: str, kind: FixedPoint, place: Place) -> tuple[Ints, Ints]:
        """Signs and exponents of weights that are powers of two, as `_weights`."""
        if name not in self.loads:
            raise place.error("no powers of two of this name are loaded", name)
        stored, count, file, where = self.loads[name]
        if stored != kind:
            raise where.error(f"{name} is loaded as another type than its layer's", str(stored), str(kind))
        path = self._file(file, where)
        signs, exponents = powers_from_text(path, count, kind)
        declared = self.project.arrays[name]
        if declared.value is not None:
            others = powers_from_initializer(declared, count, kind)
            for loaded, synthesized in zip((signs, exponents), others, strict=True):
                self._compare(path, declared, loaded, synthesized, FixedPoint.int_type(kind.width + 1))
        return signs, exponents

    def _call(self, tokens: list[Token], comment: str) -> None:
        place = Place(self.path, tokens[0].line)
        texts = [token.text for token in tokens]
        function = texts[2]
        if texts[3] != "<":
            raise place.error("call not supported in the top function", text_of(tokens)[:100])
        end = template_end(tokens, 3, self.path)
        types = split(tokens[4:end])
        if function == "save_layer_output":
            if any(len(part) != 1 for part in split(tokens[end + 2 : -2])):
                raise place.error("call not supported in the top function", text_of(tokens)[:100])
            return
        arguments = [text_of(part) for part in split(tokens[end + 2 : -2])]
        builder = BUILDERS.get(function)
        without_config = function in PLUMBING
        if builder is None:
            builder = generated(self.project, function)
            without_config = True
        if builder is None:
            raise place.error("this kind of layer is not supported yet", f"nnet::{function}")
        if without_config:
            config = Config(self.project, Struct(function, place, None, {}))
        else:
            config = self.project.config(text_of(types.pop(0 if function in CONFIG_FIRST else -1)), place)
        name = self._name(comment, arguments)
        call = Call(
            function,
            place,
            name,
            types,
            config,
            arguments,
            self._source(arguments[0]) in self.packs,
            self.project,
            self.kernels,
            self._tensor,
            lambda weights, kind: self._weights(weights, kind, place),
            lambda weights, kind: self._powers(weights, kind, place),
            lambda name: self._overwrite(name, place),
        )
        before = len(self.layers)
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
        outputs = {layer.output.name for layer in self.layers[before:]}
        for name in {self._source(argument) for argument in arguments} & self.packs.keys() - outputs:
            if name in self.drained:
                raise place.error("a stream is read twice", name, "one reader, or nnet::clone_stream")
            self.drained.add(name)

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
        if tensor.size != _size(shape):
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


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size
