"""Dense layers that were unrolled into sums (distributed arithmetic): generated functions, read as the matrix they are.

Each statement is followed exactly: which multiples of the inputs, and which constant, a variable holds, and between
which bounds. A variable whose type does not hold its values exactly is refused, so that the matrix gives the same bits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1emu.arraytypes import Ints
from l1emu.errors import L1emuError
from l1emu.firmware.builders.call import SYNTHESIS, Builder, Call
from l1emu.firmware.builders.reshape import transposition
from l1emu.firmware.builders.windows import Shape, fill_buffer, gathered
from l1emu.firmware.cxx.lexer import Place, Token, text_of
from l1emu.firmware.cxx.parser import statements
from l1emu.firmware.kernels import defined_name
from l1emu.firmware.project import Project
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import BatchNormalization, Dense, Layer, Quantize, Tensor, Transpose

_HEAD = re.compile(
    r"template<typenameinp_t,typenameout_t>void\w+"
    r"\(inp_t(?:model_)?inp\[(\d+)\],out_t(?:model_)?out\[(\d+)\]\)\{(.*)\}"
)
_TYPE = r"ap_u?(?:fixed|int)<[\w,-]+>"
_NUMBER = r"(?:v\d+|inp\[\d+\])"  # before da4ml 0.5 the inputs are read where they are added
_TERM = rf"(?:{_NUMBER}|bit_shift<-?\d+>\({_NUMBER}\)|{_TYPE}\(-?[\d.]+(?:e[+-]?\d+)?\))"
_READ = re.compile(rf"({_TYPE})(\w+)=model_inp\[(\d+)\]")
_UNUSED = re.compile(rf"{_TYPE}(model_inp_q_\d+)=0")
_COPIED = re.compile(rf"({_TYPE})(v\d+)=(model_inp_q_\d+)")
_SUM = re.compile(rf"({_TYPE})(v\d+)=(-?)({_TERM})(?:([+-])({_TERM}))?")
_OUT = re.compile(rf"model_out\[(\d+)\]=(?:({_TYPE})\((-?)({_TERM})\)|0)")
_PLAIN_OUT = re.compile(rf"out\[(\d+)\]=(?:(-?)({_TERM})|0)")


@dataclass(frozen=True)
class _Affine:
    """A variable: its multiples of the inputs, its constant, its last bit and its bounds."""

    factors: dict[int, Fraction]
    constant: Fraction
    fraction: int
    low: Fraction
    high: Fraction

    def scaled(self, power: int, negative: bool = False) -> _Affine:
        factor = Fraction(2) ** power * (-1 if negative else 1)
        low, high = sorted((self.low * factor, self.high * factor))
        factors = {i: f * factor for i, f in self.factors.items()}
        return _Affine(factors, self.constant * factor, self.fraction - power, low, high)

    def plus(self, other: _Affine) -> _Affine:
        factors = dict(self.factors)
        for i, f in other.factors.items():
            factors[i] = factors.get(i, Fraction(0)) + f
        return _Affine(
            factors,
            self.constant + other.constant,
            max(self.fraction, other.fraction),
            self.low + other.low,
            self.high + other.high,
        )

    def fits(self, kind: FixedPoint) -> bool:
        """Whether a type holds every value exactly."""
        unit = Fraction(2) ** -kind.fraction
        return self.fraction <= kind.fraction and kind.low * unit <= self.low and self.high <= kind.high * unit


_NOTHING = _Affine({}, Fraction(0), 0, Fraction(0), Fraction(0))


def is_adders(project: Project, function: str) -> bool:
    """Whether the project's generated code defines a function of this name as sums."""
    return _function(project, function) is not None


def _function(project: Project, function: str) -> tuple[int, int, list[str]] | None:
    """Counts of inputs and outputs, and the statements without white space."""
    lexed = project.headers.get("nnet_code_gen.h")
    if lexed is None:
        return None
    for statement in statements(lexed.tokens, lexed.path):
        if defined_name(statement, Place(lexed.path, statement[0].line)) == function:
            found = _HEAD.fullmatch("".join(token.text for token in statement))
            return (int(found[1]), int(found[2]), found[3].split(";")[:-1]) if found else None
    return None


class _Reader:
    """Follows the statements of one function."""

    def __init__(self, call: Call, data: FixedPoint, n_in: int) -> None:
        self.call = call
        self.data = data
        self.inputs: list[list[FixedPoint]] = [[] for _ in range(n_in)]  # the types that each input goes through
        self.copies: dict[str, int] = {}
        self.known: dict[str, _Affine] = {}
        self.results: dict[int, _Affine] = {}

    def kind(self, text: str) -> FixedPoint:
        try:
            return FixedPoint.parse(text)
        except L1emuError as error:
            raise self.call.error(error.message, text, error.expected) from None

    def statement(self, text: str) -> None:
        if found := _READ.fullmatch(text):
            kind, name, place = self.kind(found[1]), found[2], int(found[3])
            if place >= len(self.inputs) or self.inputs[place]:
                raise self.call.error("an input is read twice, or is outside", text)
            self._pass(place, kind)
            self.copies[name] = place
            self.known[name] = self._input(place)
        elif found := _UNUSED.fullmatch(text):
            self.known[found[1]] = _NOTHING
        elif (found := _COPIED.fullmatch(text)) and found[3] not in self.copies:
            self.known[found[2]] = self._held(self._term(found[3]), self.kind(found[1]), text)
        elif found:
            place = self.copies[found[3]]
            self._pass(place, self.kind(found[1]))
            self.known[found[2]] = self._input(place)
        elif found := _SUM.fullmatch(text):
            value = self._term(found[4]).scaled(0, found[3] == "-")
            if found[5]:
                value = value.plus(self._term(found[6]).scaled(0, found[5] == "-"))
            self.known[found[2]] = self._held(value, self.kind(found[1]), text)
        elif found := _OUT.fullmatch(text):
            value = _NOTHING
            if found[2] is not None:
                value = self._held(self._term(found[4]).scaled(0, found[3] == "-"), self.kind(found[2]), text)
            self.results[int(found[1])] = value
        elif found := _PLAIN_OUT.fullmatch(text):
            nothing = _Affine({}, Fraction(0), 0, Fraction(0), Fraction(0))
            value = nothing if found[3] is None else self._term(found[3]).scaled(0, found[2] == "-")
            self.results[int(found[1])] = value
        else:
            raise self.call.error("a generated statement that is not known here", text[:100])

    def _pass(self, place: int, kind: FixedPoint) -> None:
        """An input goes through one more type, unless that changes nothing."""
        before = self.inputs[place][-1] if self.inputs[place] else self.data
        if not _whole(before).fits(kind):
            self.inputs[place].append(kind)
        if len(self.inputs[place]) > 1:
            raise self.call.error("an input is rounded twice", str(kind))

    def _input(self, place: int) -> _Affine:
        kind = self.inputs[place][-1] if self.inputs[place] else self.data
        whole = _whole(kind)
        return _Affine({place: Fraction(1)}, Fraction(0), kind.fraction, whole.low, whole.high)

    def _held(self, value: _Affine, kind: FixedPoint, text: str) -> _Affine:
        if not value.fits(kind):
            raise self.call.error("a generated sum does not fit its type", text)
        return value

    def _term(self, text: str) -> _Affine:
        power = 0
        if found := re.fullmatch(rf"bit_shift<(-?\d+)>\(({_NUMBER})\)", text):
            power, text = int(found[1]), found[2]
        if found := re.fullmatch(rf"({_TYPE})\((.*)\)", text):
            kind = self.kind(found[1])
            number = Fraction(float(kind.to_float(kind.from_float(float(found[2])))))
            return _Affine({}, number, kind.fraction, number, number)
        if found := re.fullmatch(r"inp\[(\d+)\]", text):
            if int(found[1]) >= len(self.inputs):
                raise self.call.error("a generated sum reads from outside its inputs", text)
            return self._input(int(found[1])).scaled(power)
        if text not in self.known:
            raise self.call.error("an unknown variable in a generated sum", text)
        return self.known[text].scaled(power)


def _whole(kind: FixedPoint) -> _Affine:
    unit = Fraction(2) ** -kind.fraction
    return _Affine({}, Fraction(0), kind.fraction, kind.low * unit, kind.high * unit)


def adders(call: Call) -> tuple[Layer, ...]:
    """A generated ``dense_da_...``: quantizers of the inputs where they change something, then a matrix."""
    call.count(2, 2)
    call.kernels.require(call.place, "bit_shift")
    found = _function(call.project, call.function)
    assert found is not None
    n_in, n_out, body = found
    data, output = call.input(0), call.output(call.tensor(call.results[0], None).shape)
    if (data.size, output.size) != (n_in, n_out):
        raise call.error("the tensors have other sizes", (data.size, output.size), f"{n_in} and {n_out}")
    return _sums(call, call.name, data, output, 1, body)


def streamed_dense(call: Call) -> tuple[Layer, ...]:
    """`nnet::dense` of streams with distributed arithmetic: the generated sums of all that comes."""
    call.count(2, 2)
    call.check_io()
    call.kernels.require(call.place, "da/dense", "bit_shift")
    config = call.config
    sizes = config.integer("n_in"), config.integer("n_out")
    n_in, n_out, body = _member(call, "dense_da", call.types)
    if (n_in, n_out) != sizes:
        raise call.error("the generated function has other sizes", (n_in, n_out), str(sizes))
    packs = call.packs()
    if n_in % packs[0] or n_out % packs[1]:
        raise call.error("what travels together does not fit the sizes", packs, f"{n_in} and {n_out}")
    data, output = call.input(0, (n_in,)), call.result(call.results[0], (n_out,), 1)
    config.finish(*SYNTHESIS)
    return _sums(call, call.name, data, output, 1, body)


def wrapped_sums(call: Call, kernel: str, data: Tensor, output: Tensor, positions: int) -> tuple[Layer, ...]:
    """The generated sums that a ``dense_da_wrapper_...`` calls at each position."""
    call.kernels.require(call.place, "bit_shift")
    name = kernel.split("::")[-1]
    code = call.project.generated_class(name) or ""
    form = re.fullmatch(
        rf"template<typenameinp_t,typenameout_t,typenameDUMMY>struct{name}{{staticvoiddense\(inp_tinp\[\d+\],out_tout"
        r"\[\d+\],void\*weights=nullptr,void\*biases=nullptr\){(\w+)\(inp,out\);}};",
        code,
    )
    function = _function(call.project, form[1]) if form else None
    sizes = data.size // positions, output.size // positions
    if function is None or function[:2] != sizes:
        raise call.error("the generated function is not known here", kernel, f"{sizes[0]} to {sizes[1]} numbers")
    return _sums(call, call.name, data, output, positions, function[2])


def _convolution(call: Call) -> tuple[Layer, ...]:
    """`nnet::conv1d_cl` and `conv2d_cl` with distributed arithmetic: the generated sums for each window."""
    call.count(2, 2)
    call.kernels.require(call.place, f"da/{call.function}", "bit_shift")
    config, two = call.config, "2d" in call.function

    def pair(name: str) -> tuple[int, int]:
        return (config.integer(f"{name}_height") if two else 1, config.integer(f"{name}_width"))

    shape = Shape(
        pair("in"), pair("filt"), pair("stride"), pair("out"), config.integer("n_chan"), config.integer("n_filt")
    )
    n_in, n_out, body = _member(call, "dense_da", [call.types[0], call.types[1]])
    if (n_in, n_out) != (shape.n_in, shape.filters):
        raise call.error("the generated function has other sizes", (n_in, n_out), f"{shape.n_in} and {shape.filters}")
    data_shape = (*(shape.data if two else shape.data[1:]), shape.channels)
    windows, data = gathered(call, data_shape, fill_buffer(call, shape), (shape.positions, n_in))
    output = call.result(call.results[0], (shape.positions, n_out), 1)
    config.finish(*SYNTHESIS, "in_height", "filt_height", "stride_height", "out_height")
    return (*windows, *_sums(call, call.name, data, output, shape.positions, body))


def einsum_dense(call: Call) -> tuple[Layer, ...]:
    """`nnet::einsum_dense` with distributed arithmetic: the generated sums for each row, then the biases."""
    call.count(2, 3)
    call.check_io()
    config = call.config
    call.kernels.require(call.place, "einsum_dense", "bit_shift")
    rows, n_in, n_out = (config.integer(name) for name in ("n_free_data", "n_contract", "n_free_kernel"))
    if config.integer("n_inplace") != 1:
        raise call.error(
            "axes in place are not supported with distributed arithmetic", config.integer("n_inplace"), "1"
        )
    shape_in, moved_in, permutation_in = transposition(config.nested("tpose_inp_conf"), call)
    interpreted, shape_out, permutation_out = transposition(config.nested("tpose_out_conf"), call)
    accum, bias_type = config.type("accum_t"), config.type("bias_t")
    declared = config.member("da_kernel")
    body = _row_function(call, text_of(declared.value or ()), rows, n_in, n_out)
    data, output = call.input(0, shape_in), call.result(call.results[0], shape_out, 1)
    bias = call.weights(call.parameters[0], bias_type)
    size = rows * n_out
    if (data.size, output.size, bias.size) != (rows * n_in, size, size):
        raise call.error("sizes that do not fit", (data.shape, output.shape, bias.size))
    config.finish(*SYNTHESIS, "dense_conf")
    layers: list[Layer] = []
    if permutation_in != tuple(range(len(shape_in))):
        moved = Tensor(f"{call.name}_rows", moved_in, data.type)
        layers.append(Transpose(moved.name, (data,), moved, permutation_in))
        data = moved
    total = Tensor(f"{call.name}_sums", (rows, n_out), accum)
    shifted = Tensor(f"{call.name}_shifted", interpreted, accum)
    one, unit = np.ones(size, dtype=np.int64), FixedPoint(2, 2)
    return (
        *layers,
        *_sums(call, total.name, data, total, rows, body),
        BatchNormalization(shifted.name, (total,), shifted, one, unit, bias, bias_type, size),
        Transpose(call.name, (shifted,), output, permutation_out),
    )


def _row_function(call: Call, text: str, rows: int, n_in: int, n_out: int) -> list[str]:
    """The sums that an einsum's generated kernel does for one row."""
    found = re.fullmatch(r"nnet::(\w+)<.*>", text.replace(" ", ""))
    lexed = call.project.headers.get("nnet_code_gen.h")
    for statement in statements(lexed.tokens, lexed.path) if found and lexed else ():
        if found and defined_name(statement, Place(lexed.path, statement[0].line)) == found[1]:  # type: ignore[union-attr]
            code = "".join(token.text for token in statement)
            form = re.fullmatch(
                r"template<typenameinp_t,typenameout_t>void\w+\(inp_tinp_tpose\[\d+\],out_tout_tpose\[\d+\],intl0\)"
                rf"\{{(\w+)\(&inp_tpose\[\(0\*{rows}\+l0\)\*{n_in}\],&out_tpose\[\(0\*{rows}\+l0\)\*{n_out}\]\);\}}",
                code,
            )
            inner = _function(call.project, form[1]) if form else None
            if inner is not None and inner[:2] == (n_in, n_out):
                return inner[2]
    raise call.error("the generated kernel is not known here", text)


def _member(call: Call, name: str, types: list[list[Token]]) -> tuple[int, int, list[str]]:
    """The generated function that a config's member stands for, made for these types."""
    text = text_of(call.config.member(name).value or ()).replace(" ", "")
    wanted = ",".join(text_of(kind).replace(" ", "") for kind in types)
    if call.stream:
        wanted = ",".join(f"typename{kind}::value_type" for kind in wanted.split(","))
    found = re.fullmatch(r"nnet::(\w+)<(.*)>", text)
    function = _function(call.project, found[1]) if found else None
    if found is None or function is None or found[2] != wanted:
        raise call.error("the generated function is not known here", text, f"...<{wanted}>")
    return function


def _sums(call: Call, name: str, data: Tensor, output: Tensor, positions: int, body: list[str]) -> tuple[Layer, ...]:
    """What the statements do at each position: the quantizers, where they change something, and the matrix."""
    layers, read = _read_sums(call, name, data, positions, body)
    return (*layers, _matrix(call, read, name, layers[-1].output if layers else data, output, positions))


def _read_sums(
    call: Call, name: str, data: Tensor, positions: int, body: list[str]
) -> tuple[tuple[Layer, ...], _Reader]:
    """What the statements do, and the quantizers before it."""
    reader = _Reader(call, data.type, data.size // positions)
    for statement in body:
        reader.statement(statement)
    if not any(reader.inputs):
        return (), reader
    kinds: dict[FixedPoint, int] = {}
    which = np.zeros(len(reader.inputs), dtype=np.int64)
    for place, types in enumerate(reader.inputs):
        which[place] = kinds.setdefault(types[0] if types else data.type, len(kinds))
    integer = max(kind.integer + (not kind.signed) for kind in kinds)
    fraction = max(kind.fraction for kind in kinds)
    tensor = Tensor(f"{name}_inputs", data.shape, FixedPoint(integer + fraction, integer))
    return (Quantize(tensor.name, (data,), tensor, tuple(kinds), np.tile(which, positions)),), reader


def _matrix(call: Call, reader: _Reader, name: str, data: Tensor, output: Tensor, positions: int) -> Dense:
    """The matrix of the results; its accumulator holds every sum exactly."""
    n_in, n_out = data.size // positions, output.size // positions
    if sorted(reader.results) != list(range(n_out)):
        raise call.error("the generated code leaves out results", sorted(reader.results), str(n_out))
    factors = np.zeros((n_in, n_out), dtype=object)
    offsets = np.zeros(n_out, dtype=object)
    for o, value in reader.results.items():
        offsets[o] = value.constant
        for i, factor in value.factors.items():
            factors[i, o] = factor
    weight, weight_type = _raw(factors)
    bias, bias_type = _raw(offsets)
    largest = max((max(abs(v.low), abs(v.high)) for v in reader.results.values()), default=Fraction(0))
    # the partial sums, too, whatever their order
    reach = max(-data.type.low, data.type.high) * Fraction(2) ** -data.type.fraction
    total = max(
        (sum(abs(f) for f in v.factors.values()) * reach + abs(v.constant) for v in reader.results.values()),
        default=Fraction(0),
    )
    integer = int(max(largest, total)).bit_length() + 1
    fraction = max(data.type.fraction + weight_type.fraction, bias_type.fraction, 0)
    accum = FixedPoint(integer + fraction, integer)
    if not accum.fits_int64:
        raise call.error("sums of more than 64 bits are not supported", str(accum))
    order = np.arange(n_in, dtype=np.int64)
    return Dense(name, (data,), output, positions, n_in, n_out, weight, weight_type, bias, bias_type, accum, order)


def _raw(numbers: NDArray[Any]) -> tuple[Ints, FixedPoint]:
    """Exact numbers as raw integers and the type that holds them; the denominators are powers of two."""
    values = [Fraction(v) for v in numbers.flat]
    fraction = max((v.denominator.bit_length() - 1 for v in values), default=0)
    raw = [int(v * (1 << fraction)) for v in values]
    width = max((r.bit_length() for r in raw), default=0) + 1
    return np.array(raw, dtype=np.int64).reshape(numbers.shape), FixedPoint(width, width - fraction)


BUILDERS: dict[str, Builder] = {
    "conv1d_cl": _convolution,
    "conv2d_cl": _convolution,
}
