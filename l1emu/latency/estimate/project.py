"""Read a design from an hls4ml project folder, also where it holds layers that nothing here can emulate.

Only sizes, types and the steering of synthesis are read, so this reader asks far less than `Firmware.read` does: it
goes through the calls of the top function and their config structs, and lists what it could not make out.
"""

from __future__ import annotations

import itertools
import math
import os
import re
from dataclasses import replace
from pathlib import Path

from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.firmware.backend import UNKNOWN, tool_of
from l1emu.firmware.cpp import Declaration, Place, Struct, Token, split, statements, template_end, text_of
from l1emu.firmware.preprocess import Unit
from l1emu.firmware.project import Config, Project
from l1emu.latency.estimate.design import Block, Design, Weights
from l1emu.latency.estimate.matrices import matrix, unknown_matrix
from l1emu.latency.estimate.sources import Adders, Casts, Generated, raw_weights
from l1emu.latency.estimate.wrapper import Wrapper, kernel_wrapper, vivado_wrapper

_TYPE = re.compile(r"ap_u?(?:fixed|int)<(\d{1,9})(?:,(-?\d+))?")
_MOST = 1 << 40

KINDS: dict[str, str] = {
    "dense": "dense",
    "dense_latency": "dense",
    "dense_resource": "dense",
    "dense_large": "dense",
    "dense_large_stream": "dense",
    "conv_1d_cl": "conv",
    "conv_2d_cl": "conv",
    "conv1d_cl": "conv",
    "conv2d_cl": "conv",
    "pointwise_conv_1d_cl": "conv",
    "pointwise_conv_2d_cl": "conv",
    "depthwise_conv_1d_cl": "depthwise",
    "depthwise_conv_2d_cl": "depthwise",
    "separable_conv_1d_cl": "separable",
    "separable_conv_2d_cl": "separable",
    "relu": "relu",
    "relu_max": "relu",
    "relu6": "relu",
    "clipped_relu": "relu",
    "leaky_relu": "multiply",
    "prelu": "multiply",
    "thresholded_relu": "relu",
    "linear": "wires",
    "hard_sigmoid": "multiply",
    "hard_tanh": "multiply",
    "binary_tanh": "relu",
    "ternary_tanh": "relu",
    "normalize": "multiply",
    "normalize_binary_tanh": "relu",
    "normalize_ternary_tanh": "relu",
    "sigmoid": "table",
    "tanh": "table",
    "elu": "table",
    "selu": "table",
    "softplus": "table",
    "softsign": "table",
    "unary_lut": "table",
    "embedding": "table",
    "softmax": "softmax",
    "softmax_multidim": "softmax",
    "layernormalize": "layernorm",
    "layernorm": "layernorm",
    "pooling1d_cl": "pooling",
    "pooling2d_cl": "pooling",
    "global_pooling1d_cl": "pooling",
    "global_pooling2d_cl": "pooling",
    "gru": "recurrent",
    "gru_stack": "recurrent",
    "gru_static": "recurrent",
    "gru_pytorch_stack": "recurrent",
    "lstm": "recurrent",
    "lstm_stack": "recurrent",
    "simple_rnn": "recurrent",
    "simple_rnn_stack": "recurrent",
    "simple_rnn_pytorch_stack": "recurrent",
    "gru_stack_bidirectional": "recurrent",
    "bidirectional_stack": "recurrent",
    "multiheadattention": "attention",
    "einsum": "einsum",
    "einsum_dense": "conv",
    "add": "merge",
    "subtract": "merge",
    "average": "merge",
    "maximum": "merge",
    "minimum": "merge",
    "multiply": "product",
    "dot1d": "product",
    "concatenate1d": "wires",
    "concatenate2d": "wires",
    "concatenate3d": "wires",
    "transpose": "wires",
    "transpose_2d": "wires",
    "transpose_3d": "wires",
    "repack_stream": "wires",
    "clone_stream": "wires",
    "cropping1d_cl": "wires",
    "cropping2d_cl": "wires",
    "zeropad1d_cl": "wires",
    "zeropad2d_cl": "wires",
    "resize_nearest": "wires",
    "resize_nearest_me": "wires",
    "permute": "wires",
}
"""C++ functions and the kinds of block that they are."""


NOT_SYNTHESIZED = {
    "load_weights_from_txt",
    "load_compressed_weights_from_txt",
    "load_exponent_weights_from_txt",
    "save_layer_output",
    "copy_data",
    "print_result",
}
"""Functions of the C simulation alone."""


def read_design(path: str | os.PathLike[str]) -> Design:
    """Read an hls4ml project folder (Vivado and Vitis backends).

    Raises
    ------
    L1emuError
        if the folder is no project, or nothing in its top function can be estimated.
    """
    try:
        return _Reader(_Project(path)).read()
    except RecursionError:
        raise L1emuError("expressions or configs nested without end", path=path) from None
    except (ValueError, OverflowError) as error:  # Python's int() of thousands of digits
        raise L1emuError("a number that nothing can hold", path=path, value=str(error)) from None


class _Project(Project):
    """A project of which only `firmware/` must be there, and no kernels; the top is the file that calls the layers.

    `unread` lists members of config structs that are there and could not be made out.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.unread: list[str] = []
        super().__init__(folder)

    def _unit(self, *, synthesis: bool) -> Unit:
        return super()._unit(synthesis=True)

    def _top(self) -> tuple[Path, str]:
        found = [p for p in sorted(self.firmware.glob("*.cpp")) if re.search(r"nnet\s*::\s*\w+\s*<", read_text(p))]
        tops = [p.stem for p in found if (self.firmware / f"{p.stem}.h").is_file()]
        stated = self._setting(r'set\s+project_name\s+"?(\w+)"?', r"(?m)^ProjectName:\s*(\w+)")
        if stated in tops:
            tops = [str(stated)]
        return (self.firmware / f"{tops[0]}.cpp", tops[0]) if len(tops) == 1 else super()._top()

    def _setting(self, tcl: str, yaml: str) -> str | None:
        for name, pattern in (("project.tcl", tcl), ("hls4ml_config.yml", yaml), ("build_prj.tcl", tcl)):
            path = self.root / name
            found = re.search(pattern, read_text(path)) if path.is_file() else None
            if found:
                return found[1].strip().strip("\"'")
        return None

    def tool(self) -> str | None:
        """Vivado or Vitis (HLS): the tool that has been at work in the folder, else the backend's own."""
        for left_behind, tool in (("vivado_hls.app", "Vivado"), ("hls.app", "Vitis")):
            if any(self.root.glob(f"*_prj/{left_behind}")):
                return tool
        return tool_of(self.backend)

    def part(self) -> str | None:
        return self._setting(r'set(?:\s+part|_part)\s+[{"]?([\w-]+)[}"]?', r"(?m)^(?:Part|XilinxPart):\s*(\S+)")

    def clock_ns(self) -> float | None:
        text = self._setting(r"set\s+clock_period\s+(\S+)", r"(?m)^ClockPeriod:\s*(\S+)")
        return None if text is None else self._decimal("clock period", text, "a period in ns")

    def uncertainty(self) -> float | None:
        text = self._setting(r"set\s+clock_uncertainty\s+(\S+)%", r"(?m)^ClockUncertainty:\s*['\"]?(\S+)%")
        return None if text is None else self._decimal("clock uncertainty", text, "a percentage") / 100

    def _decimal(self, what: str, text: str, expected: str) -> float:
        if not re.fullmatch(r"\d{1,9}(?:\.\d*)?|\.\d+", text) or len(text) > 40:
            raise L1emuError(f"the project's {what} is no number", path=self.root, value=text, expected=expected)
        return float(text)

    def kernel(self) -> bool:
        """Whether the network is a function of an accelerator's kernel, which reads and writes its buffers."""
        return self.backend == "VitisAccelerator"

    def fabric(self) -> bool:
        path = self.root / "build_prj.tcl"
        return path.is_file() and bool(
            re.search(r"(?m)^\s*config_(?:op|bind)\s.*\bmul\b.*-impl\s+fabric", read_text(path))
        )


class _Reader:
    """Goes through the top function's statements."""

    def __init__(self, project: _Project) -> None:
        self.project = project
        self.sizes: dict[str, tuple[int, int]] = {}  # of variables: numbers and bits
        self.packs: dict[str, int] = {}
        self.aliases: dict[str, str] = {}
        self.comments: dict[int, str] = {}
        self.problems: list[str] = []
        self.stream = False
        self.generated = Generated(project.firmware)

    def read(self) -> Design:
        source = read_text(self.project.source)
        function, body = self.project.top()
        stream = self.stream = "hls::stream" in re.sub(r"\s", "", text_of(function.parameters))
        for parameter in split(list(function.parameters)):
            self._variable([*parameter, Token("op", ";", function.place.line)])
        self.comments = {t.line: t.text[2:].strip() for t in body if t.kind == "comment" and t.text.startswith("//")}
        blocks: list[Block] = []
        for statement in statements([t for t in body if t.kind != "comment"], self.project.source):
            blocks += self._statement(statement)
        if not blocks:
            why = self.problems[0] if self.problems else "no call of a layer"
            raise L1emuError("no layer that can be estimated", path=self.project.source, value=why)
        missing = sum(problem.startswith("not covered") for problem in self.problems)
        if missing:
            self.problems.append(
                f"incomplete: {missing} of {missing + len(blocks)} layers are not in cycles and resources"
            )
        depths = {m[1]: int(m[2]) for m in re.finditer(r"HLS STREAM variable=(\w+) depth=(\d{1,9})\b", source)}
        fifos = tuple((depth, self._stream_bits(name)) for name, depth in depths.items())
        pragma = re.search(r"#pragma\s+HLS\s+(DATAFLOW|PIPELINE)(?:\s+II\s*=\s*(\d{1,9})\b)?", source, re.IGNORECASE)
        flow = "dataflow" if stream or (pragma and pragma[1].upper() == "DATAFLOW") else "pipeline"
        tool = self.project.tool()
        wrapper = self._wrapper(blocks[0], blocks[-1])
        return Design(
            name=self.project.name if wrapper is None else wrapper.top,
            io="io_stream" if stream else "io_parallel",
            pipeline=flow,
            blocks=tuple(blocks),
            origin=self.project.root.resolve().name,
            tool=tool,
            part=self.project.part(),
            clock_ns=self.project.clock_ns(),
            uncertainty=self.project.uncertainty(),
            fabric=self.project.fabric(),
            fifos=fifos,
            stated_interval=max(1, int(pragma[2])) if pragma and pragma[2] and flow == "pipeline" else 1,
            buffered=blocks[-1].n_out if self.project.kernel() and not stream else 0,
            problems=(*self.problems, *self.project.unread),
            wrapper=wrapper,
            backend=None if self.project.backend == UNKNOWN else self.project.backend,
        )

    def _statement(self, tokens: list[Token]) -> list[Block]:
        """The blocks of a call; a statement that may do more than declare a variable, and is no call, is named."""
        texts = [token.text for token in tokens]
        place = Place(self.project.source, tokens[0].line)
        if texts[0] in ("for", "while", "do", "switch") or (texts[0] == "if" and "loaded_weights" not in texts):
            if "(" in texts[texts.index("(") + 1 :] if "(" in texts else False:
                self.problems.append(f"not covered: calls within '{texts[0]}' in line {place.line}")
            return []
        start = 2 if texts[1:2] == ["::"] and texts[0] != "hls" else 0
        if texts[0] != "if" and tokens[start].kind == "name" and texts[start + 1 : start + 2] in (["<"], ["("]):
            try:
                after = start + 1
                if texts[after] == "<":
                    after = template_end(tokens, after, self.project.source) + 1
            except L1emuError:
                after = len(texts)
            if texts[after : after + 1] == ["("] and texts[-2:] == [")", ";"]:
                return self._call(tokens[start:])
        self._variable(tokens)
        return []

    def _wrapper(self, first: Block, last: Block) -> Wrapper | None:
        """What stands around the network in an accelerator's project; said where it is left out."""
        project, sizes = self.project, (first.n_in, last.n_out)
        packs = tuple(self.packs.get(name, 1) for name in ((*first.inputs, "")[0], last.output))
        if project.kernel():
            return kernel_wrapper(sizes) if self.stream else None
        if project.backend not in ("VivadoAccelerator", UNKNOWN):
            return None
        found = vivado_wrapper(project.firmware, project.root, project.name, sizes, (packs[0], packs[1]))
        if found is None and project.backend == "VivadoAccelerator":
            self.problems.append(f"the accelerator's top is left out: {project.name} alone is estimated")
        return found

    def _stream_bits(self, name: str) -> int:
        _, width = self.sizes.get(name, (0, 16))
        return width * self.packs.get(name, 1)

    def _variable(self, tokens: list[Token]) -> None:
        """Remember size and type of an array or a stream; anything else is passed over."""
        text = text_of([t for t in tokens if t.text not in ("const", "static")])
        alias = re.match(r"auto ?& ?(\w+) ?= ?(\w+);?$", text)
        if alias:
            self.aliases[alias[1]] = self.aliases.get(alias[2], alias[2])
            self.sizes[alias[1]] = self.sizes.get(alias[2], (0, 16))
            return
        array = re.match(r"(\w+(?:<[^;]*>)?) (\w+) ?\[(.+)\];?$", text)
        stream = re.match(r"hls::stream<(.+?)> ?&? ?(\w+)(?: ?\[.*\])?(?:\(.*\))?;?$", text)
        found = array or stream
        if found is None:
            return
        width, pack = self._width(found[1])
        size = 0
        if array:
            try:
                inside = tokens[
                    next(i for i, t in enumerate(tokens) if t.text == "[") + 1 : max(
                        i for i, t in enumerate(tokens) if t.text == "]"
                    )
                ]
                size = math.prod(self.project.shape(inside, Place(self.project.source, tokens[0].line)))
            except L1emuError:
                size = 0
        self.sizes[found[2]], self.packs[found[2]] = (size, width), pack

    def _width(self, name: str) -> tuple[int, int]:
        """Bits of a type, and how many numbers of it travel together; 16 and 1 where it cannot be made out."""
        pack, text = 1, name.replace(" ", "")
        for _ in range(8):
            array = re.match(r"nnet::array<(.+),([^,]+)>$", text)
            if array:
                text, pack = array[1], self._product(array[2])
                continue
            found = _TYPE.match(text)
            if found:
                return int(found[1]), pack
            if text in ("bool", "ap_uint<1>"):
                return 1, pack
            declared = self.project.scope.declarations.get(text)
            if declared is None or declared.kind != "type":
                break
            text = text_of(declared.type).replace(" ", "")
        return 16, pack

    def _product(self, text: str) -> int:
        factors = [int(f) if re.fullmatch(r"\d{1,9}", f) else self._constant(f) for f in text.strip("()").split("*")]
        return math.prod(factors)

    def _constant(self, name: str) -> int:
        try:
            value = self.project.constant(name, Place(self.project.source, 0))
        except L1emuError:
            return 1
        return value if isinstance(value, int) else 1

    def _call(self, tokens: list[Token]) -> list[Block]:
        place = Place(self.project.source, tokens[0].line)
        function = tokens[0].text
        if function in NOT_SYNTHESIZED:
            return []
        templated = tokens[1].text == "<"
        end = template_end(tokens, 1, self.project.source) if templated else 0
        arguments = [text_of(part) for part in split(tokens[end + 2 : -2])]
        parts = split(tokens[2:end]) if templated else []
        types = [text_of(part) for part in parts]
        try:
            return self._block(function, types, arguments, place)
        except L1emuError as error:
            self.problems.append(f"not covered: {function} in line {place.line} ({error})")
            return []

    def _block(self, function: str, types: list[str], arguments: list[str], place: Place) -> list[Block]:
        kind = KINDS.get(function) if types else None
        name = self.comments.get(place.line) or self._name(arguments)
        tensors = [self.aliases.get(a, a) for a in arguments if a in self.sizes]
        generated = self.generated.function(function) if kind is None and len(types) == 2 else None
        if generated is not None and len(tensors) >= 2:
            return [self._generated(name, function, generated, types, tensors)]
        if kind is None and "quantize" in function and not self.generated.there:
            kind = "wires"  # a quantizer by its name, in a project without the generated code
        if kind is None:
            self.problems.append(f"not covered: {function} ({name}), a kind of layer that the model does not know")
            if len(tensors) > 1:
                self.aliases[tensors[-1]] = tensors[0]  # what follows still waits for what comes before
            return []
        config = next((t for t in reversed(types) if t in self.project.scope.structs), None)
        data = [t for t in types if t != config]
        reads = max(1, len(data) - 1) if function != "clone_stream" else 1
        if function == "clone_stream":
            for copy in tensors[1:]:
                self.aliases[copy] = tensors[0]
            return []
        inputs, output = tuple(tensors[:reads]), tensors[-1] if tensors else name
        members = _Members(self.project, config)
        (width_in, pack), width_out = self._width(data[0]), self._width(data[-1])[0]
        width_out = {"normalize_binary_tanh": 1, "normalize_ternary_tanh": 2}.get(function, width_out)  # no argument
        if members.has("FORWARD_CONFIG"):
            return self._bidirectional(name, function, members, arguments, (width_in, width_out), (inputs, output))
        weights = self._matrices(members, kind, arguments)
        n_in, n_out = self._sizes(function, kind, members, inputs[:1], output)
        if kind == "separable":
            return self._separable(name, function, members, arguments, (width_in, width_out), (inputs, output))
        return [
            Block(
                name=name,
                kind=kind,
                function=function,
                n_in=n_in,
                n_out=n_out,
                inputs=inputs,
                output=output,
                positions=self._positions(kind, members),
                width_in=width_in,
                width_out=width_out,
                width_accum=self._member_width(members, "accum_t") or width_out,
                reuse=members.integer("reuse_factor", 1),
                strategy="resource" if function.startswith("dense_large") else self._strategy(members, kind),
                weights=weights,
                tables=self._tables(members, kind),
                extra=({"pack": pack} if pack > 1 else {}) | self._extra(function, kind, members),
            )
        ]

    def _generated(
        self, name: str, function: str, found: Adders | Casts, types: list[str], tensors: list[str]
    ) -> Block:
        """A function that hls4ml wrote for this project: a quantizer, or a dense layer as sums."""
        (width_in, _), (width_out, _) = self._width(types[0]), self._width(types[1])
        sizes = [self.sizes.get(tensor, (0, 0))[0] for tensor in (tensors[0], tensors[-1])]
        block = Block(
            name=name,
            kind="wires",
            function=function,
            n_in=sizes[0] or 1,
            n_out=sizes[1] or 1,
            inputs=(tensors[0],),
            output=tensors[-1],
            width_in=width_in,
            width_out=width_out,
            width_accum=width_out,
        )
        if isinstance(found, Casts):
            if found.rounded == 0:
                return block
            return replace(block, kind="merge", n_in=found.rounded, n_out=found.size)
        return replace(
            block,
            kind="dense",
            n_in=found.n_in,
            n_out=found.n_out,
            strategy="distributed_arithmetic",
            weights=(unknown_matrix(found.n_in, found.n_out, width_in, None),),
            extra={"adder_depth": found.depth, "adder_bits": found.bits},
        )

    def _sums(self, members: _Members) -> dict[str, int | str]:
        """Of a layer whose config names a function of sums: how deep and how wide they are."""
        for member in ("dense_da", "da_kernel"):
            for token in members.value(member):
                found = self.generated.function(token.text) if token.kind == "name" else None
                if isinstance(found, Adders):
                    return {"adder_depth": found.depth, "adder_bits": found.bits}
        return {}

    def _separable(
        self,
        name: str,
        function: str,
        members: _Members,
        arguments: list[str],
        widths: tuple[int, int],
        tensors: tuple[tuple[str, ...], str],
    ) -> list[Block]:
        """A separable convolution is a depthwise one and a pointwise one, each with its config."""
        blocks: list[Block] = []
        inputs, output = tensors
        for kind, nested, weight in (
            ("depthwise", "depthwise_config", arguments[2]),
            ("conv", "pointwise_config", arguments[3]),
        ):
            inner = members.nested(nested)
            places = ["", "", weight, ""]
            last = kind == "conv"
            blocks.append(
                Block(
                    name=f"{name}_{nested.split('_')[0]}",
                    kind=kind,
                    function=function,
                    n_in=self._pixels(inner, "in") * inner.integer("n_chan", 1),
                    n_out=self._pixels(inner, "out") * inner.integer("n_filt", 1),
                    inputs=(f"{output}/depthwise",) if last else inputs,
                    output=output if last else f"{output}/depthwise",
                    positions=self._positions(kind, inner),
                    width_in=widths[0],
                    width_out=widths[1],
                    width_accum=self._member_width(inner, "accum_t") or widths[1],
                    reuse=inner.integer("reuse_factor", 1),
                    strategy=self._strategy(inner, kind),
                    weights=self._matrices(inner, kind, places),
                    extra=self._extra(function, kind, inner),
                )
            )
        return blocks

    def _bidirectional(
        self,
        name: str,
        function: str,
        members: _Members,
        arguments: list[str],
        widths: tuple[int, int],
        tensors: tuple[tuple[str, ...], str],
    ) -> list[Block]:
        """A bidirectional layer is two cells side by side, each with its config and four of the arguments."""
        blocks: list[Block] = []
        inputs, output = tensors
        steps = members.integer("n_sequence", 1)
        for direction, first in (("forward", 2), ("backward", 6)):
            inner = members.nested(f"{direction.upper()}_CONFIG")
            state = inner.integer("n_state", 1)
            extra = self._extra(function, "recurrent", inner)
            extra |= {"gates": max(1, inner.nested("mult_config1").integer("n_out", 1) // state)}
            extra |= {"n_sequence": steps, "use_static": members.integer("use_static", 1)}
            blocks.append(
                Block(
                    name=f"{name}_{direction}",
                    kind="recurrent",
                    function=function,
                    n_in=members.integer("n_in", 1) * steps,
                    n_out=state * members.integer("n_sequence_out", 1),
                    inputs=inputs,
                    output=output if direction == "backward" else f"{output}/{direction}",
                    positions=steps,
                    width_in=widths[0],
                    width_out=widths[1],
                    width_accum=self._member_width(inner, "accum_t") or widths[1],
                    reuse=inner.integer("reuse_factor", members.integer("reuse_factor", 1)),
                    strategy=self._strategy(inner, "recurrent"),
                    weights=self._matrices(inner, "recurrent", ["", "", *arguments[first : first + 2], ""]),
                    tables=self._tables(inner, "recurrent"),
                    extra=extra,
                )
            )
        return blocks

    @staticmethod
    def _name(arguments: list[str]) -> str:
        outputs = [a for a in arguments if a.endswith("_out")]
        return (outputs[-1] if outputs else arguments[1] if len(arguments) > 1 else arguments[0]).removesuffix("_out")

    def _sizes(
        self, function: str, kind: str, members: _Members, inputs: tuple[str, ...], output: str
    ) -> tuple[int, int]:
        """Numbers in and out: from the arrays, else from the config."""
        stated_in = sum(self.sizes.get(name, (0, 0))[0] for name in inputs)
        stated_out = self.sizes.get(output, (0, 0))[0]
        if members.has("n_free_data"):
            n_in = n_out = 0
        elif kind in ("conv", "depthwise") or (kind == "pooling" and members.has("n_filt")):
            n_in = self._pixels(members, "in") * members.integer("n_chan", members.integer("n_filt", 1))
            n_out = self._pixels(members, "out") * members.integer("n_filt", 1)
        elif kind == "merge" or kind == "product":
            n_in = n_out = members.integer("n_elem", members.integer("n_inp", stated_in))
        elif function.startswith(("zeropad", "resize", "cropping")):
            n_in = self._pixels(members, "in") * members.integer("n_chan", 1)
            height = members.integer("out_height", members.integer("new_height", 1))
            n_out = (
                height * members.integer("out_width", members.integer("new_width", 1)) * members.integer("n_chan", 1)
            )
        elif kind == "recurrent":
            n_in = members.integer("n_in", 1) * members.integer("n_sequence", 1)
            n_out = members.integer("n_out", 1) * members.integer("n_sequence_out", 1)
        elif function == "embedding":
            n_in = members.integer("n_in", stated_in)
            n_out = n_in * members.integer("n_out", 1)
        elif kind == "attention":
            n_in = members.integer("seq_len", 1) * members.integer("feature_dim", 1)
            n_out = n_in
        else:
            n_in = members.integer("n_in", stated_in)
            n_out = members.integer("n_out", stated_out or n_in)
            if kind == "einsum":
                n_in, n_out = stated_in, stated_out
        return n_in or stated_in or 1, n_out or stated_out or 1

    @staticmethod
    def _pixels(members: _Members, side: str) -> int:
        return members.integer(f"{side}_height", 1) * members.integer(f"{side}_width", members.integer(f"n_{side}", 1))

    def _positions(self, kind: str, members: _Members) -> int:
        if members.has("n_free_data"):
            return members.integer("n_free_data", 1) * members.integer("n_inplace", 1)
        if kind in ("conv", "depthwise") or (kind == "pooling" and members.has("n_filt")):
            return self._pixels(members, "out")
        if kind == "layernorm":
            return members.integer("seq_len", 1)
        if kind == "softmax":
            return members.integer("n_outer", 1) * members.integer("n_inner", 1)
        if kind == "recurrent":
            return members.integer("n_sequence", 1)
        if kind == "attention":
            return members.integer("seq_len", 1)
        return 1

    @staticmethod
    def _strategy(members: _Members, kind: str) -> str:
        stated = members.symbol("strategy")
        if stated == "distributed_arithmetic":
            return "distributed_arithmetic"
        if stated in ("resource", "compressed", "resource_unrolled"):
            return "resource"
        if kind == "recurrent" and stated is None:
            inner = members.nested("mult_config1")
            return "resource" if inner.symbol("strategy") == "resource" else "latency"
        return "latency"

    def _matrices(self, members: _Members, kind: str, arguments: list[str]) -> tuple[Weights, ...]:
        width = self._member_width(members, "weight_t") or 16
        if kind == "dense":
            return (self._matrix(members, members.integer("n_in", 1), members.integer("n_out", 1), width, arguments),)
        if kind == "conv" and members.has("n_free_data"):
            inner = members.nested("dense_conf")
            width = self._member_width(inner, "weight_t") or width
            rows, columns = members.integer("n_contract", 1), members.integer("n_free_kernel", 1)
            return (self._matrix(inner, rows, columns, width, arguments),)
        if kind in ("conv", "depthwise"):
            taps = members.integer("filt_height", 1) * members.integer("filt_width", 1)
            channels, filters = members.integer("n_chan", 1), members.integer("n_filt", 1)
            if kind == "depthwise":
                return (self._matrix(members, taps, max(channels, filters), width, arguments),)
            inner = members.nested("mult_config")
            width = self._member_width(members, "weight_t") or self._member_width(inner, "weight_t") or width
            return (self._matrix(inner, taps * channels, filters, width, arguments),)
        if kind == "recurrent":
            first, second = members.nested("mult_config1"), members.nested("mult_config2")
            return tuple(
                self._matrix(m, m.integer("n_in", 1), m.integer("n_out", 1), width, ["", "", arguments[i], ""])
                for m, i in ((first, 2), (second, 3))
            )
        if kind == "attention":
            dim, heads = members.integer("feature_dim", 1), members.integer("num_heads", 1)
            key = members.integer("head_dim_key", 1)
            value = members.integer("head_dim_value", key)
            places = ((dim, key, 5), (dim, key, 7), (dim, value, 9))
            projections = [self._heads(heads, rows, columns, width, arguments, at) for rows, columns, at in places]
            return (*projections, self._matrix(members, heads * value, dim, width, ["", "", *arguments[3:4]]))
        if kind in ("multiply", "layernorm") and len(arguments) > 2:
            if kind == "layernorm":
                size = max(1, members.integer("n_in", 1) // max(1, members.integer("seq_len", 1)))
                return (self._matrix(members, size, 1, self._member_width(members, "scale_t") or 16, arguments),)
            size = members.integer("n_filt", -1)
            size = size if size > 0 else members.integer("n_in", 1)
            return (self._matrix(members, size, 1, width, arguments),)
        return ()

    def _heads(self, heads: int, n_in: int, n_out: int, width: int, arguments: list[str], at: int) -> Weights:
        """The matrices of an attention's heads, side by side; one head's weights stand behind the other's."""
        name = arguments[at] if len(arguments) > at else ""
        raw = raw_weights(self.project, name, heads * n_in * n_out)
        if raw is None:
            return unknown_matrix(n_in, heads * n_out, width, None)
        return matrix(raw.reshape(heads, n_in, n_out).transpose(1, 0, 2).reshape(n_in, heads * n_out), width)

    def _matrix(self, members: _Members, n_in: int, n_out: int, width: int, arguments: list[str]) -> Weights:
        stated = members.integer("n_nonzeros", -1)
        raw = raw_weights(self.project, arguments[2] if len(arguments) > 2 else "", n_in * n_out)
        if raw is not None:
            # hls4ml writes the transpose for the resource strategy.
            turned = self._strategy(members, "dense") == "resource"
            shaped = raw.reshape(n_out, n_in).T if turned else raw.reshape(n_in, n_out)
            return matrix(shaped, width)
        return unknown_matrix(n_in, n_out, width, stated if stated >= 0 else None)

    def _member_width(self, members: _Members, name: str) -> int | None:
        text = members.type_text(name)
        return None if text is None else self._width(text)[0]

    def _tables(self, members: _Members, kind: str) -> tuple[tuple[int, int], ...]:
        if kind == "softmax":
            sizes = [members.integer(f"{n}_table_size", members.integer("table_size", 1024)) for n in ("exp", "inv")]
            shared = self._member_width(members, "table_t") or 18
            legacy = members.symbol("implementation") == "legacy"  # it has one type for both
            names = ("table_t", "table_t") if legacy else ("exp_table_t", "inv_table_t")
            widths = [self._member_width(members, name) or shared for name in names]
            return ((sizes[0], widths[0]), (sizes[1], widths[1]))
        if kind == "table" and members.has("vocab_size"):  # an embedding
            size = members.integer("vocab_size", 1) * members.integer("n_out", 1)
            return ((size, self._member_width(members, "embeddings_t") or 18),)
        if kind in ("table", "layernorm"):
            return ((members.integer("table_size", 1024), self._member_width(members, "table_t") or 18),)
        if kind == "attention":
            inner = members.nested("softmax_config1")
            return self._tables(inner, "softmax")
        if kind == "recurrent":
            found = []
            for nested in ("ACT_CONFIG_GRU", "ACT_CONFIG_LSTM", "ACT_CONFIG_T"):
                inner = members.nested(nested)
                if inner.known:
                    found += list(self._tables(inner, "table"))
            return tuple(found)
        return ()

    def _extra(self, function: str, kind: str, members: _Members) -> dict[str, int | str]:
        wanted: tuple[str, ...] = ()
        extra: dict[str, int | str] = {}
        if members.has("n_free_data"):
            wanted = ("n_free_data", "n_inplace", "parallelization_factor")
        elif kind in ("conv", "depthwise", "pooling"):
            wanted = ("in_height", "in_width", "out_height", "out_width", "n_chan", "n_filt", "filt_height")
            wanted += ("filt_width", "stride_height", "stride_width", "n_partitions", "pool_height", "pool_width")
            extra["implementation"] = members.symbol("implementation") or "linebuffer"
            if kind == "pooling":
                extra["average"] = int((members.symbol("pool_op") or "").lower() == "average")
        elif kind == "softmax":
            extra["n_slice"] = members.integer("n_slice", members.integer("n_in", 1))
            extra["implementation"] = members.symbol("implementation") or "stable"
        elif kind == "layernorm":
            wanted = ("seq_len",)
            extra["rounded"] = int(members.type_text("accum_t") is not None)
        elif kind == "recurrent":
            wanted = ("n_state", "n_sequence", "use_static")
            extra["gates"] = 4 if "lstm" in function else 3 if "gru" in function else 1
            for i, nested in enumerate(("mult_config1", "mult_config2")):
                extra[f"reuse_{i}"] = members.nested(nested).integer("reuse_factor", members.integer("reuse_factor", 1))
        elif kind == "attention":
            wanted = ("num_heads", "head_dim_key", "head_dim_value", "seq_len", "feature_dim")
        elif kind == "einsum":
            wanted = ("n_inplace", "n_free0", "n_free1", "n_contract", "parallelization_factor")
        elif function.startswith(("zeropad", "resize")):
            wanted = ("n_chan",)
        for name in wanted:
            if members.has(name) and (members.integer(name, 1) != -1 or name != "parallelization_factor"):
                extra[name] = members.integer(name, 1)
        if function == "pointwise_conv_1d_cl" and self._strategy(members, kind) == "latency" and not self.stream:
            extra |= self._pointwise(members)
        if kind in ("dense", "conv"):
            extra |= self._sums(members)
        if kind in ("dense", "conv", "depthwise") and self._saturates(members.type_text("accum_t")):
            extra["saturating"] = 1
        return extra

    def _pointwise(self, members: _Members) -> dict[str, int | str]:
        """How a point-wise convolution of arrays goes through its pixels, which differs between hls4ml's versions.

        Those that call ``pointwise_conv_1d_latency_cl`` do all pixels side by side: in hls4ml 1.0 and 1.1, and in the
        fork that it comes from, in `reuse_factor` parts of which each is a function of its own; from 1.2 on, if there
        is but one partition, in one function, whose pragma for the backend Vivado asks for every cycle. Only the others
        do `n_partitions` rounds.
        """
        kernel = members.template("conv_kernel") or self._header_kernel()
        if kernel == "BatchedDenseForConv1D":
            return {"side_by_side": "every cycle" if self.project.backend.startswith("Vivado") else "shared"}
        return {"side_by_side": "shared"} if kernel.startswith("pointwise_conv") else {}

    def _header_kernel(self) -> str:
        """What the project's own point-wise convolution calls, where its configs name no kernel."""
        path = self.project.firmware / "nnet_utils" / "nnet_conv1d.h"
        if not path.is_file():
            return ""
        found = re.search(r"\bpointwise_conv_1d_cl\s*\((.*?)\n\}", read_text(path), re.DOTALL)
        return "pointwise_conv" if found is not None and re.search(r"\bpointwise_conv", found[1]) else ""

    def _saturates(self, name: str | None) -> bool:
        """Whether a type's overflow is saturation."""
        for _ in range(8):
            if name is None or "AP_SAT" in name:
                break
            declared = self.project.scope.declarations.get(name.replace(" ", ""))
            name = text_of(declared.type) if declared is not None and declared.kind == "type" else None
        return name is not None


class _Members:
    """A config struct's members, asked leniently: what is missing has a default."""

    def __init__(self, project: _Project, name: str | None) -> None:
        struct = None if name is None else project.scope.structs.get(name)
        above, seen = struct, set()
        while above is not None:
            if above.name in seen:
                raise above.place.error(f"{above.name} derives from itself")
            seen.add(above.name)
            above = project.scope.structs.get(above.base) if above.base else None
        self.project = project
        self.config = None if struct is None else Config(project, struct)

    @property
    def known(self) -> bool:
        return self.config is not None

    def _struct(self) -> Struct | None:
        return None if self.config is None else self.config.struct

    def _declared(self, name: str) -> Declaration | None:
        if self.config is None:
            return None
        struct: Struct | None = self.config.struct
        while struct is not None:
            if name in struct.members:
                return struct.members[name]
            struct = self.project.scope.structs.get(struct.base) if struct.base else None
        return None

    def has(self, name: str) -> bool:
        return self._declared(name) is not None

    def number(self, name: str) -> int | float | str | None:
        if not self.has(name) or self.config is None:
            return None
        try:
            return self.config.number(name)
        except L1emuError:
            return None

    def integer(self, name: str, default: int) -> int:
        value = self.number(name)
        if isinstance(value, int | float) and abs(value) < _MOST:
            # layers of one dimension have -1 for the sizes of the other
            return default if value == -1 and name.endswith(("_height", "_width")) else int(value)
        if self.has(name) and self.config is not None:
            place = self.config.place
            text = f"not understood: {self.config.struct.name}::{name} in {place.path.name}, {default} assumed"
            if text not in self.project.unread:
                self.project.unread.append(text)
        return default

    def value(self, name: str) -> tuple[Token, ...]:
        """The tokens of a member's value; none if it has none."""
        declared = self._declared(name)
        return () if declared is None or declared.value is None else tuple(declared.value)

    def symbol(self, name: str) -> str | None:
        value = self.number(name)
        return value.split("::")[-1] if isinstance(value, str) else None

    def type_text(self, name: str) -> str | None:
        declared = self._declared(name)
        return text_of(declared.type) if declared is not None and declared.kind == "type" else None

    def template(self, name: str) -> str | None:
        """The name, without namespace and arguments, that a member template stands for."""
        declared = self._declared(name)
        if declared is None or declared.kind != "template":
            return None
        texts = [token.text for token in declared.type]
        return next((b for b, after in itertools.pairwise([*texts, "<"]) if after == "<"), None)

    def nested(self, name: str) -> _Members:
        return _Members(self.project, self.type_text(name))
