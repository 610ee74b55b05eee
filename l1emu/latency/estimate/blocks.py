"""From a call in the top function to the blocks of hardware that it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from l1emu.firmware.cxx.lexer import Token, text_of
from l1emu.firmware.roles import Role
from l1emu.firmware.top import Invocation, Variable
from l1emu.latency.estimate.configs import matrices, pixels, positions, sizes, strategy, table_sizes
from l1emu.latency.estimate.design import Block
from l1emu.latency.estimate.extras import extra
from l1emu.latency.estimate.functions import KIND_OF_FUNCTION
from l1emu.latency.estimate.lenient import LenientProject, Members
from l1emu.latency.estimate.matrices import unknown_matrix
from l1emu.latency.estimate.sources import Adders, Casts, Generated

_WIDTHS = {"normalize_binary_tanh": 1, "normalize_ternary_tanh": 2}
"""Bits of results whose type is no template argument."""


class NotCovered(Exception):
    """A kind of layer that the model does not know."""


@dataclass
class Variables:
    """What is known of the top function's variables.

    Attributes
    ----------
    sizes
        Numbers and bits by name.
    packs
        How many numbers travel together, by the stream's name.
    aliases
        What other names stand for.
    """

    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    packs: dict[str, int] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)

    def declare(self, variable: Variable, project: LenientProject) -> None:
        """Remember size and type."""
        width, self.packs[variable.name] = project.width(variable.type)
        self.sizes[variable.name] = (project.size(variable), width)

    def alias(self, name: str, target: str) -> None:
        """Let a name stand for a variable."""
        self.aliases[name] = self.aliases.get(target, target)
        self.sizes[name] = self.sizes.get(target, (0, 16))

    def known(self, names: Sequence[str]) -> list[str]:
        """Those of the names that are variables, as the variables that they stand for."""
        return [self.aliases.get(name, name) for name in names if name in self.sizes]

    def numbers(self, name: str) -> int:
        """How many numbers a variable has; 0 where that is not known."""
        return self.sizes.get(name, (0, 0))[0]


@dataclass(frozen=True)
class _Layer:
    """A call with what all its blocks share."""

    name: str
    function: str
    kind: str
    members: Members
    weights: list[str]
    inputs: tuple[str, ...]
    output: str
    width_in: int
    width_out: int


class BlockBuilder:
    """Makes blocks of calls, as they come: a call may give its result the name of what it copies."""

    def __init__(self, project: LenientProject, variables: Variables, stream: bool) -> None:
        self._project = project
        self._variables = variables
        self._stream = stream
        self._generated = Generated(project.firmware)

    def blocks(self, call: Invocation) -> list[Block]:
        """The blocks of a call.

        Raises
        ------
        NotCovered
            if the model does not know the function.
        L1emuError
            if a config nests without end.
        """
        function, types = call.function, call.templates or ()
        kind = KIND_OF_FUNCTION.get(function) if types else None
        name = call.comment or _name(call.names)
        tensors = self._variables.known(call.names)
        generated = self._generated.function(function) if kind is None and len(types) == 2 else None
        if generated is not None and len(tensors) >= 2:
            return [self._generated_block(name, function, generated, types, tensors)]
        if kind is None and "quantize" in function and not self._generated.there:
            kind = "wires"  # a quantizer by its name, in a project without the generated code
        if kind is None:
            if len(tensors) > 1:
                self._variables.aliases[tensors[-1]] = tensors[0]  # what follows still waits for what comes before
            raise NotCovered(f"not covered: {function} ({name}), a kind of layer that the model does not know")
        if function == "clone_stream":
            for copy in tensors[1:]:
                self._variables.aliases[copy] = tensors[0]
            return []
        config = next((t for t in map(text_of, reversed(types)) if t in self._project.scope.structs), None)
        widths = [self._project.width(t) for t in types if text_of(t) != config] or [(16, 1)]
        results = self._variables.known(call.having(Role.RESULT)) or tensors
        layer = _Layer(
            name,
            function,
            kind,
            Members(self._project, config),
            call.having(Role.WEIGHTS, Role.NUMBER),
            tuple(self._variables.known(call.having(Role.DATA, Role.STATE))),
            results[-1] if results else name,
            widths[0][0],
            _WIDTHS.get(function, widths[-1][0]),
        )
        if layer.members.has("FORWARD_CONFIG"):
            return self._bidirectional(layer)
        if kind == "separable":
            return self._separable(layer)
        return [self._plain(layer, widths[0][1])]

    def _plain(self, layer: _Layer, pack: int) -> Block:
        members, kind, function = layer.members, layer.kind, layer.function
        weights = matrices(members, kind, layer.weights)
        numbers = sum(self._variables.numbers(name) for name in layer.inputs[:1])
        n_in, n_out = sizes(function, kind, members, (numbers, self._variables.numbers(layer.output)))
        return Block(
            name=layer.name,
            kind=kind,
            function=function,
            n_in=n_in,
            n_out=n_out,
            inputs=layer.inputs,
            output=layer.output,
            positions=positions(kind, members),
            width_in=layer.width_in,
            width_out=layer.width_out,
            width_accum=members.width("accum_t") or layer.width_out,
            reuse=members.integer("reuse_factor", 1),
            strategy="resource" if function.startswith("dense_large") else strategy(members, kind),
            weights=weights,
            tables=table_sizes(members, kind),
            extra=({"pack": pack} if pack > 1 else {}) | self._extra(function, kind, members),
        )

    def _extra(self, function: str, kind: str, members: Members) -> dict[str, int | str]:
        return extra(function, kind, members, self._stream, self._generated)

    def _generated_block(
        self,
        name: str,
        function: str,
        found: Adders | Casts,
        types: Sequence[Sequence[Token]],
        tensors: list[str],
    ) -> Block:
        """A function that hls4ml wrote for this project: a quantizer, or a dense layer as sums."""
        (width_in, _), (width_out, _) = (self._project.width(kind) for kind in types)
        block = Block(
            name=name,
            kind="wires",
            function=function,
            n_in=self._variables.numbers(tensors[0]) or 1,
            n_out=self._variables.numbers(tensors[-1]) or 1,
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

    def _separable(self, layer: _Layer) -> list[Block]:
        """A separable convolution is a depthwise one and a pointwise one, each with its config."""
        blocks: list[Block] = []
        between = f"{layer.output}/depthwise"
        for i, (kind, nested) in enumerate((("depthwise", "depthwise_config"), ("conv", "pointwise_config"))):
            inner = layer.members.nested(nested)
            last = kind == "conv"
            blocks.append(
                Block(
                    name=f"{layer.name}_{nested.split('_')[0]}",
                    kind=kind,
                    function=layer.function,
                    n_in=pixels(inner, "in") * inner.integer("n_chan", 1),
                    n_out=pixels(inner, "out") * inner.integer("n_filt", 1),
                    inputs=(between,) if last else layer.inputs,
                    output=layer.output if last else between,
                    positions=positions(kind, inner),
                    width_in=layer.width_in,
                    width_out=layer.width_out,
                    width_accum=inner.width("accum_t") or layer.width_out,
                    reuse=inner.integer("reuse_factor", 1),
                    strategy=strategy(inner, kind),
                    weights=matrices(inner, kind, layer.weights[i : i + 1]),
                    extra=self._extra(layer.function, kind, inner),
                )
            )
        return blocks

    def _bidirectional(self, layer: _Layer) -> list[Block]:
        """A bidirectional layer is two cells side by side, each with its config and four of the arguments."""
        blocks: list[Block] = []
        members = layer.members
        steps = members.integer("n_sequence", 1)
        for i, direction in enumerate(("forward", "backward")):
            inner = members.nested(f"{direction.upper()}_CONFIG")
            state = inner.integer("n_state", 1)
            own = self._extra(layer.function, "recurrent", inner)
            own |= {"gates": max(1, inner.nested("mult_config1").integer("n_out", 1) // state)}
            own |= {"n_sequence": steps, "use_static": members.integer("use_static", 1)}
            blocks.append(
                Block(
                    name=f"{layer.name}_{direction}",
                    kind="recurrent",
                    function=layer.function,
                    n_in=members.integer("n_in", 1) * steps,
                    n_out=state * members.integer("n_sequence_out", 1),
                    inputs=layer.inputs,
                    output=layer.output if direction == "backward" else f"{layer.output}/{direction}",
                    positions=steps,
                    width_in=layer.width_in,
                    width_out=layer.width_out,
                    width_accum=inner.width("accum_t") or layer.width_out,
                    reuse=inner.integer("reuse_factor", members.integer("reuse_factor", 1)),
                    strategy=strategy(inner, "recurrent"),
                    weights=matrices(inner, "recurrent", layer.weights[4 * i : 4 * i + 2]),
                    tables=table_sizes(inner, "recurrent"),
                    extra=own,
                )
            )
        return blocks


def _name(arguments: list[str]) -> str:
    """A name for a layer without a comment, from its result's."""
    outputs = [a for a in arguments if a.endswith("_out")]
    return (outputs[-1] if outputs else arguments[1] if len(arguments) > 1 else arguments[0]).removesuffix("_out")
