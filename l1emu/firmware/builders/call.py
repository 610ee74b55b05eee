"""A call in the top function, with all that a builder asks of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from l1emu.errors import L1emuError
from l1emu.firmware.cpp import Place, Token
from l1emu.firmware.kernels import Kernels
from l1emu.firmware.project import Config, Project
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Layer, Tensor
from l1emu.layers.base import Ints

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
)


@dataclass
class Call:
    """A call ``nnet::function<types..., config>(arguments...)`` in the top function."""

    function: str
    place: Place
    name: str
    types: list[list[Token]]
    config: Config
    arguments: list[str]
    project: Project
    kernels: Kernels
    tensor: Callable[[str, tuple[int, ...] | None], Tensor]
    weights: Callable[[str, FixedPoint], Ints]

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

    def output(self) -> Tensor:
        """The last tensor argument of a layer without weights; its type must be the call's."""
        return self.checked(self.arguments[-1], None, len(self.types) - 1)

    def input(self, index: int, shape: tuple[int, ...] | None = None) -> Tensor:
        """The tensor of an argument, seen in a shape; its type must be the call's."""
        return self.checked(self.arguments[index], shape, index)

    def checked(self, name: str, shape: tuple[int, ...] | None, index: int) -> Tensor:
        tensor = self.tensor(name, shape)
        stated = self.project.type(self.types[index], self.place)
        if stated != tensor.type:
            raise self.error(f"the type of {name} is not the call's", str(stated), str(tensor.type))
        return tensor

    def shaped_output(self, shape: tuple[int, ...]) -> Tensor:
        """The output, which must have this shape."""
        tensor = self.output()
        if tensor.shape != shape:
            raise self.error(f"{tensor.name} has another shape", tensor.shape, str(shape))
        return tensor

    def elementwise(self) -> tuple[Tensor, Tensor]:
        """Input and output of a layer that computes each element from one."""
        self.count(2, 2)
        self.io_parallel()
        output = self.output()
        data = self.input(0, output.shape)
        if self.config.integer("n_in") != output.size:
            raise self.error("n_in is not the tensor's size", self.config.integer("n_in"), str(output.size))
        self.kernels.require(self.place, self.function)
        return data, output

    def io_parallel(self) -> None:
        """Refuse configs for streams."""
        if self.config.has("io_type") and self.config.symbol("io_type") != "io_parallel":
            raise self.error("only io_parallel is supported", self.config.symbol("io_type"))

    def plain_product(self, config: Config) -> None:
        """Refuse products other than the ordinary one."""
        product = config.template("product").removeprefix("nnet::").removeprefix("product::")
        if product != "mult":
            raise config.place.error(f"layer {self.name}: this product of data and weight is not supported", product)
        self.kernels.require(self.place, "mult")


Builder = Callable[[Call], Layer]
