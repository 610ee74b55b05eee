"""What an estimate needs to know of a design: one block for each call in the top function, numbers only."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from l1emu.errors import L1emuError
from l1emu.latency.estimate.wrapper import Wrapper
from l1emu.notebook import Shown

_LARGEST = 10**9
"""Of a layer's sizes and reuse factor: the largest FPGA has some ten million look-up tables."""

COUNTS = ("adder_bits", "adder_depth", "average", "rounded", "saturating", "use_static")
"""What a block's `extra` has that may be nothing: flags, and numbers of additions."""

_WIDEST = 4096
"""Bits of a number that the tools take."""

_WORDS = ("implementation", "side_by_side")
"""What a block's `extra` has that is no number."""

_LEAST_WEIGHTS = {"dense": 1, "conv": 1, "depthwise": 1, "recurrent": 2, "attention": 2}
"""How many matrices blocks of these kinds have at least."""

KINDS = (
    *("dense", "conv", "depthwise", "recurrent", "attention", "einsum", "softmax", "layernorm", "pooling"),
    *("table", "multiply", "product", "merge", "relu", "wires"),
)
"""What a block may be: each has its formula in `cost`."""

_CHOICES = {
    "io": ("io_parallel", "io_stream"),
    "pipeline": ("pipeline", "dataflow"),
    "tool": ("Vivado", "Vitis", None),
}
_STRATEGIES = ("latency", "resource", "distributed_arithmetic")


@dataclass(frozen=True)
class Weights(Shown):
    """The multiplications by constants of one weight matrix, as far as hardware sees them.

    Attributes
    ----------
    n_in, n_out
        Its shape; a convolution's `n_in` is kernel times channels.
    width
        Bits of a weight.
    nonzeros
        Weights that are not zero.
    terms
        The largest number of non-zero weights that one output adds up.
    multipliers, shift_adds
        Products of an input and a constant, equal constants of one input counted once: those whose constant has three
        or more digits in signed binary, which take a multiplier, and those with two, which are one addition of shifted
        copies. Constants of one digit are wires. None if the weights' values are not known.
    row_steps
        Of a matrix whose sums stay rows: the additions one behind the other for the longest of them. None if the sums
        are trees or the values are not known.
    """

    n_in: int
    n_out: int
    width: int
    nonzeros: int
    terms: int
    multipliers: int | None = None
    shift_adds: int | None = None
    row_steps: int | None = None


@dataclass(frozen=True)
class Block(Shown):
    """One layer of hardware.

    Attributes
    ----------
    name, kind, function
        The layer's name, its kind as the model knows it, and the C++ function that it comes from.
    n_in, n_out
        Numbers that come in and go out for one input of the whole design.
    inputs, output
        The tensors that it reads and the one that it writes, by name.
    positions
        How often the same thing is done: pixels or time steps of a convolution, rows of a layer normalization or a
        softmax, steps of a recurrent layer. Side by side in io_parallel, one after the other in io_stream.
    width_in, width_out, width_accum
        Bits of one number in, out, and of the running sum.
    reuse, strategy
        The reuse factor and ``latency`` or ``resource``.
    weights
        Of the layer's matrices; two for recurrent layers, three or more for attention.
    tables
        Numbers in each look-up table and their bits.
    extra
        What only this kind has: sizes by name.
    """

    name: str
    kind: str
    function: str
    n_in: int
    n_out: int
    inputs: tuple[str, ...] = ()
    output: str = ""
    positions: int = 1
    width_in: int = 16
    width_out: int = 16
    width_accum: int = 16
    reuse: int = 1
    strategy: str = "latency"
    weights: tuple[Weights, ...] = ()
    tables: tuple[tuple[int, int], ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sizes = {"n_in": self.n_in, "n_out": self.n_out, "positions": self.positions, "reuse factor": self.reuse}
        # an arg-max has no tables, though its config may name them
        sizes |= {f"size of table {i}": max(1, size) for i, (size, _) in enumerate(self.tables)}
        widths = {"width": min(self.width_in, self.width_out, self.width_accum)}
        widths |= {"largest width": max(self.width_in, self.width_out, self.width_accum)}
        widths |= {f"width of table {i}": max(1, width) for i, (_, width) in enumerate(self.tables)}
        for matrix in self.weights:
            sizes |= {"n_in of the weights": matrix.n_in, "n_out of the weights": matrix.n_out}
            sizes |= {"number of weights": matrix.n_in * matrix.n_out}
            widths |= {"width of the weights": matrix.width}
        sizes |= {
            name: max(1, value) if name in COUNTS else value
            for name, value in self.extra.items()
            if isinstance(value, int)
        }
        for values, most in ((sizes, _LARGEST), (widths, _WIDEST)):
            for name, value in values.items():
                if not 1 <= value <= most:
                    raise L1emuError(
                        f"{name} below 1" if value < 1 else f"{name} beyond any hardware",
                        where=f"layer {self.name}",
                        value=value if value < 1 else None,
                        expected=f"1 to {most:,}" if value >= 1 else "1 or more",
                    )


@dataclass(frozen=True)
class Design(Shown):
    """A design before synthesis.

    Attributes
    ----------
    name
        The top function.
    io
        ``io_parallel`` or ``io_stream``.
    pipeline
        ``pipeline`` (the top function is one pipeline) or ``dataflow`` (the layers are processes in a chain).
    blocks
        In the order of the calls.
    tool, part, clock_ns, uncertainty
        What the project asks for: ``Vivado`` or ``Vitis`` (None if unknown), the part, the target period in ns and
        the share of it that is kept free; None where the project does not say.
    fabric
        Whether multipliers are forbidden to use DSP blocks.
    fifos, fifo_streams
        Depth and bits of each stream, and the tensor that it carries; without names where a file does not keep them.
    stated_interval
        The interval that the top function's pragma asks for; 1 where it names none.
    buffered
        Numbers of the output that go into a memory of the kernel around the network; 0 where they are wires.
    problems
        What could not be read, in words.
    backend
        hls4ml's backend that the sources are written for; None if nothing names it.
    wrapper
        What an accelerator's backend writes around the network; None if the network is the top, or its kernel is
        counted by its buffers.
    """

    name: str
    io: str
    pipeline: str
    blocks: tuple[Block, ...]
    origin: str
    tool: str | None = None
    part: str | None = None
    clock_ns: float | None = None
    uncertainty: float | None = None
    fabric: bool = False
    fifos: tuple[tuple[int, int], ...] = ()
    stated_interval: int = 1
    buffered: int = 0
    problems: tuple[str, ...] = ()
    backend: str | None = None
    wrapper: Wrapper | None = None
    fifo_streams: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The design as JSON can hold it; what has its default value is left out."""
        return _plain(asdict(self), Design, {"blocks": [_block_dict(block) for block in self.blocks]})

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Design:
        """The design that `as_dict` wrote.

        Raises
        ------
        L1emuError
            if the document is no such design.
        """
        try:
            made = _DESIGNS.validate_json(json.dumps(document, allow_nan=False), strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise L1emuError(f"not a design: {first['msg']}", where=where, value=first["input"]) from None
        except (TypeError, ValueError) as error:
            raise L1emuError("not a design", value=str(error), expected="what Design.as_dict writes") from None
        _check(made)
        return made


_DESIGNS = TypeAdapter(Design)


def _check(design: Design) -> None:
    """Refuse what fields of the right type cannot say of a design."""
    if not design.blocks:
        raise L1emuError("not a design", where="blocks", expected="at least one")
    for name, choices in _CHOICES.items():
        _one_of(getattr(design, name), choices, name)
    if design.fifo_streams and len(design.fifo_streams) != len(design.fifos):
        raise L1emuError("not a design", where="fifo_streams", value=len(design.fifo_streams), expected="one a queue")
    counts = [number for pair in design.fifos for number in pair] + [design.stated_interval, design.buffered]
    if design.wrapper is not None:
        wrapper = design.wrapper
        counts += [wrapper.words_in, wrapper.words_out, wrapper.cycles_in, wrapper.cycles_out]
    for block in design.blocks:
        where = f"layer {block.name}"
        _one_of(block.kind, KINDS, f"{where}, kind")
        _one_of(block.strategy, _STRATEGIES, f"{where}, strategy")
        if len(block.weights) < _LEAST_WEIGHTS.get(block.kind, 0):
            raise L1emuError(f"a layer of the kind {block.kind} without its weights", where=where)
        texts = [name for name, value in block.extra.items() if not isinstance(value, int) and name not in _WORDS]
        if texts:
            raise L1emuError("not a number", where=f"{where}, {texts[0]}", value=block.extra[texts[0]])
        for matrix in block.weights:
            counts += [matrix.nonzeros, matrix.terms]
            counts += [n for n in (matrix.multipliers, matrix.shift_adds, matrix.row_steps) if n is not None]
    for number in counts:
        if not 0 <= number <= _LARGEST:
            raise L1emuError("not a number of anything in hardware", value=number, expected=f"0 to {_LARGEST:,}")


def _one_of(value: Any, choices: tuple[Any, ...], where: str) -> None:
    if value not in choices:
        raise L1emuError("not a design", where=where, value=value, expected=", ".join(map(str, choices)))


def _plain(values: dict[str, Any], kind: Any, replaced: dict[str, Any]) -> dict[str, Any]:
    defaults = {f.name: f.default_factory() if callable(f.default_factory) else f.default for f in fields(kind)}
    kept = {name: value for name, value in values.items() if value != defaults[name]}
    return {**kept, **{name: value for name, value in replaced.items() if name in kept}}


def _block_dict(block: Block) -> dict[str, Any]:
    return _plain(asdict(block), Block, {"weights": [_plain(asdict(w), Weights, {}) for w in block.weights]})
