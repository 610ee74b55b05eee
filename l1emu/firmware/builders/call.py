"""A call in the top function, with all that a builder asks of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from l1emu.arraytypes import Ints
from l1emu.errors import L1emuError
from l1emu.files import sha256_bytes
from l1emu.firmware.cxx.lexer import Place, Token, tokens_of
from l1emu.firmware.kernels import Kernels
from l1emu.firmware.known import find
from l1emu.firmware.known.tokens import difference
from l1emu.firmware.project import ConfigStruct, Project
from l1emu.firmware.roles import SINGLE_NUMBERS, Role, roles
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Layer, Tensor

# Members that steer synthesis and no number. They are the same words in every config.
SYNTHESIS = (
    "reuse_factor",
    "multiplier_limit",
    "store_weights_in_bram",
    "n_zeros",
    "n_nonzeros",
    "index_t",
    "io_type",
    "strategy",
    "parallelization_factor",
    "remove_pipeline_pragma",
)


@dataclass
class Call:
    """A call ``nnet::function<types..., config>(arguments...)`` in the top function."""

    function: str
    place: Place
    name: str
    types: list[list[Token]]
    config: ConfigStruct
    arguments: list[str]
    stream: bool
    project: Project
    kernels: Kernels
    tensor: Callable[[str, tuple[int, ...] | None], Tensor]
    weights: Callable[[str, FixedPoint], Ints]
    powers: Callable[[str, FixedPoint], tuple[Ints, Ints]]
    overwritten: Callable[[str], None]

    @property
    def data(self) -> list[str]:
        """The arguments that the function reads."""
        return self._having(Role.DATA)

    @property
    def states(self) -> list[str]:
        """The arguments that it reads and overwrites."""
        return self._having(Role.STATE)

    @property
    def results(self) -> list[str]:
        """The arguments that it writes."""
        return self._having(Role.RESULT)

    @property
    def parameters(self) -> list[str]:
        """The arguments that are arrays of weights, biases, thresholds, or tables."""
        return self._having(Role.WEIGHTS)

    @property
    def numbers(self) -> list[str]:
        """The arguments that are numbers written in the call."""
        return self._having(Role.NUMBER)

    def _having(self, wanted: Role) -> list[str]:
        stated = roles(self.function, len(self.arguments))
        return [name for name, role in zip(self.arguments, stated, strict=True) if role is wanted]

    def error(self, message: str, value: object = None, expected: str | None = None) -> L1emuError:
        return L1emuError(
            f"nnet::{self.function}, layer {self.name}: {message}",
            path=self.place.path,
            where=f"line {self.place.line}",
            value=value,
            expected=expected,
        )

    def count(self, types: int, arguments: int) -> None:
        """The call must have this many template types before the config, and arguments."""
        if len(self.types) != types or len(self.arguments) != arguments:
            raise self.error("unusual count of arguments", (len(self.types) + 1, len(self.arguments)))

    def require(self, *names: str) -> None:
        """The kernels that must have the arithmetic described first: in io_stream their overloads for streams."""
        prefix = "stream/" if self.stream else ""
        self.kernels.require(self.place, *(prefix + name for name in names))

    def variant(self, name: str) -> str:
        """The word of `l1emu.firmware.known` for a kernel, in io_stream for its overload for streams."""
        return self.kernels.variant(self.place, f"stream/{name}" if self.stream else name)

    def require_generated(self, name: str, code: str) -> None:
        """Refuse code that hls4ml wrote for one layer, without white space and what differs from layer to layer."""
        name = f"generated {name}"
        if find(name, sha256_bytes(code.encode())[:16], "nnet_code_gen") is None:
            tokens = list(tokens_of(code, self.place.path, 0, 0))
            near = difference(name, tokens, {token.text for token in tokens})
            where = f'; it first differs from that of {near.known.origin} in "{near.around}"' if near else ""
            raise self.error(
                f"its generated code is not known here{where}",
                near.found if near else None,
                repr(near.expected) if near and near.expected else None,
            )

    def output(self, shape: tuple[int, ...]) -> Tensor:
        """The last tensor argument of a layer without weights; its type must be the call's.

        A stream gets its shape here; an array of another shape but of this size keeps its own.
        """
        return self.result(self.arguments[-1], shape, len(self.types) - 1)

    def result(self, name: str, shape: tuple[int, ...], index: int) -> Tensor:
        """A tensor that the call writes, see `output`; its type must be the call's at `index`."""
        tensor = self.checked(name, shape if self.stream else None, index)
        if tensor.size != math.prod(shape):
            raise self.error(f"{name} has another size", tensor.shape, str(shape))
        return tensor

    def flat(self, index: int, member: str) -> tuple[int, ...]:
        """The shape of an argument of which the config's `member` only gives the size: a stream comes in packs."""
        size = self.config.integer(member)
        if self.stream:
            return self.in_packs(index, size)
        tensor = self.tensor(self.arguments[index], None)
        if tensor.size != size:
            raise self.error(f"{member} is not the tensor's size", size, str(tensor.size))
        return tensor.shape

    def in_packs(self, index: int, size: int) -> tuple[int, ...]:
        """The shape of `size` numbers in a stream of the type at `index`: what travels together is the last axis."""
        pack = self.packs()[index]
        if pack == 0:
            return (size,)
        if size % pack:
            raise self.error("the numbers do not come in whole packs", size, f"a multiple of {pack}")
        return (pack,) if size == pack else (size // pack, pack)

    def packs(self) -> list[int]:
        """Of each stream that the template arguments give the type of: how many numbers travel together."""
        streams = self.types if self.config.struct.members else self.types[:2]
        return [self.project.stream_type(kind, self.place)[1] for kind in streams]

    def check_packs(self, *expected: int) -> None:
        """Refuse streams whose numbers come in other packs than the kernel reads."""
        if self.function in SINGLE_NUMBERS:
            expected = (0,) * len(expected)
        if self.packs() != list(expected):
            message = (
                "what travels together is not what this kernel takes; its C++ reads empty streams, or leaves rests"
            )
            raise self.error(message, self.packs(), str(list(expected)))

    def input(self, index: int, shape: tuple[int, ...] | None = None) -> Tensor:
        """The tensor of an argument, seen in a shape; its type must be the call's."""
        return self.checked(self.arguments[index], shape, index)

    def checked(self, name: str, shape: tuple[int, ...] | None, index: int) -> Tensor:
        tensor = self.tensor(name, shape)
        where = self.types[index]
        stated = self.project.stream_type(where, self.place)[0] if self.stream else self.project.type(where, self.place)
        if stated != tensor.type:
            raise self.error(f"the type of {name} is not the call's", str(stated), str(tensor.type))
        return tensor

    def shaped_output(self, shape: tuple[int, ...]) -> Tensor:
        """The output, which must have this shape."""
        tensor = self.output(shape)
        if tensor.shape != shape:
            raise self.error(f"{tensor.name} has another shape", tensor.shape, str(shape))
        return tensor

    def elementwise(self, *variants: str) -> tuple[Tensor, Tensor]:
        """Input and output of a layer that computes each element from one; its kernel may also be of `variants`."""
        self.count(2, 2)
        self.check_io()
        output = self.output(self.flat(1, "n_in"))
        if self.stream:
            self.check_packs(output.shape[-1], output.shape[-1])
        data = self.input(0, output.shape)
        if self.variant(self.function) not in variants:
            self.require(self.function)
        return data, output

    def check_io(self) -> None:
        """Refuse a config for arrays where streams flow, and the reverse."""
        expected = "io_stream" if self.stream else "io_parallel"
        if self.config.has("io_type") and self.config.symbol("io_type") != expected:
            raise self.error("a config for another io_type", self.config.symbol("io_type"), expected)

    def plain_product(self, config: ConfigStruct, cast: bool = False) -> None:
        """Refuse products other than the ordinary one; with `cast` it may be assigned to the accumulator's type."""
        product = config.template("product").removeprefix("nnet::").removeprefix("product::")
        if product != "mult":
            raise config.place.error(f"layer {self.name}: this product of data and weight is not supported", product)
        if not cast or self.kernels.variant(self.place, "mult") != "cast":
            self.kernels.require(self.place, "mult")


Builder = Callable[[Call], Layer | tuple[Layer, ...]]
