"""Vectors for numba: one value is 512 bits, seen as 16 × int32, 32 × int16 or 64 × int8; and pieces of LLVM for them.

What is done with them is in `ops`, `ops_x86` and `blocks`. An operation is numba's intrinsic together with its
meaning: a function of numpy on int32 arrays of 16 lanes that gives the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model
from numpy.typing import NDArray

from l1emu.emulator.vector.features import LANES

llvmlite.binding.initialize_native_asmparser()  # for the few instructions that are written as such

I8, I16, I32, I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
V8, V16, V32 = ir.VectorType(I8, 64), ir.VectorType(I16, 32), ir.VectorType(I32, LANES)

Lanes = NDArray[np.int32]
_T = TypeVar("_T")


@dataclass(frozen=True)
class _Operation:
    """One operation on vectors.

    Attributes
    ----------
    name
        What generated kernels call it.
    compiled
        Numba's intrinsic.
    meaning
        A function of the same arguments, with numpy arrays of 16 int32 for vectors.
    needs
        The processor's features without which it cannot be compiled, as LLVM names them.
    """

    name: str
    compiled: Any
    meaning: Callable[..., Any]
    needs: frozenset[str] = frozenset()


OPERATIONS: dict[str, _Operation] = {}
"""All operations, by the names that generated kernels call them."""


def operation(meaning: Callable[..., Any], *, needs: str = "", name: str = "") -> Callable[[_T], _T]:
    """Register numba's intrinsic, which is decorated, with its `meaning`; `needs` are features with blanks between."""

    def register(compiled: _T) -> _T:
        called = name or str(compiled.__name__)  # type: ignore[attr-defined]
        OPERATIONS[called] = _Operation(called, compiled, meaning, frozenset(needs.split()))
        return compiled

    return register


class _VectorType(types.Type):
    def __init__(self) -> None:
        super().__init__(name="Vector512")


vector = _VectorType()


@register_model(_VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, type_: Any) -> None:
        super().__init__(manager, type_, V32)  # type: ignore[no-untyped-call]  # numba has no annotations


# -- meanings ----------------------------------------------------------------------------------------------------


def words(v: Lanes) -> NDArray[np.int16]:
    """The 32 int16 of a vector, two a lane."""
    return v.view(np.int16)


def octets(v: Lanes) -> NDArray[np.uint8]:
    """The 64 unsigned bytes of a vector, four a lane."""
    return v.view(np.uint8)


def lanes(parts: NDArray[Any]) -> Lanes:
    """Words or bytes as the int32 lanes that they are in."""
    return np.ascontiguousarray(parts).ravel().view(np.int32)


def wrapped_lanes(values: NDArray[np.int64]) -> Lanes:
    """The lower 32 bits of each."""
    return values.astype(np.int32)


def on_words(function: Callable[..., NDArray[Any]], kind: type[np.generic] = np.int16) -> Callable[..., Lanes]:
    """A meaning that is done on all int16 (or `kind`) of its arguments."""
    return lambda *vectors: lanes(function(*(v.view(kind) for v in vectors)))


# -- pieces of LLVM ----------------------------------------------------------------------------------------------


def constant(type_: ir.VectorType, value: int) -> ir.Constant:
    """A vector of one integer."""
    return ir.Constant(type_, [ir.Constant(type_.element, value)] * type_.count)


def floats(scalar: Any, value: float) -> ir.Constant:
    """16 lanes of one number of floating point."""
    return ir.Constant(ir.VectorType(scalar, LANES), [ir.Constant(scalar, value)] * LANES)


def indices(numbers: Iterable[int]) -> ir.Constant:
    """The order of a shuffle."""
    constants = [ir.Constant(I32, n) for n in numbers]
    return ir.Constant(ir.VectorType(I32, len(constants)), constants)


def seen(builder: Any, value: Any, type_: ir.VectorType) -> Any:
    """A vector's bits as `type_`."""
    return value if type_ is V32 else builder.bitcast(value, type_)


def _seen_back(builder: Any, value: Any, type_: ir.VectorType) -> Any:
    """The bits of a value of `type_` as a vector's."""
    return value if type_ is V32 else builder.bitcast(value, V32)


def declared(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    """One of LLVM's functions."""
    kind = ir.FunctionType(result, arguments)
    return cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]  # numba's


def spread(builder: Any, scalar: Any, type_: ir.VectorType) -> Any:
    """A number in every lane."""
    first = builder.insert_element(ir.Constant(type_, ir.Undefined), scalar, ir.Constant(I32, 0))
    return builder.shuffle_vector(first, ir.Constant(type_, ir.Undefined), constant(V32, 0))


def pointer(context: Any, builder: Any, array_type: Any, array: Any, offset: Any, to: Any) -> Any:
    """Where element `offset` of an array is, as a pointer to `to`."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), to.as_pointer())


def vector_pointer(context: Any, builder: Any, array_type: Any, array: Any, number: Any, to: Any = V32) -> Any:
    """Where vector `number` of an int32 array is."""
    offset = builder.mul(number, ir.Constant(number.type, LANES))
    return pointer(context, builder, array_type, array, offset, to)


def part(builder: Any, value: Any, first: int, count: int) -> Any:
    """`count` elements of a vector from `first` on."""
    if count == value.type.count:
        return value
    return builder.shuffle_vector(value, ir.Constant(value.type, ir.Undefined), indices(range(first, first + count)))


def joined_vectors(builder: Any, parts: list[Any]) -> Any:
    """Vectors, a power of two of them, one after another."""
    while len(parts) > 1:
        count = 2 * parts[0].type.count
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [builder.shuffle_vector(a, b, indices(range(count))) for a, b in pairs]
    return parts[0]


def binary(operation: str, type_: ir.VectorType = V32) -> Any:
    """An intrinsic that is one LLVM instruction on two vectors."""

    @intrinsic
    def function(typing: Any, a: Any, b: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            x, y = (seen(builder, arg, type_) for arg in args)
            return _seen_back(builder, getattr(builder, operation)(x, y), type_)

        return vector(vector, vector), code

    return function


def call(name: str, arguments: list[ir.VectorType], result: ir.VectorType) -> Any:
    """An intrinsic that is a call of one of LLVM's on two or three vectors."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = declared(builder, name, result, arguments)
        given = [seen(builder, arg, type_) for arg, type_ in zip(args, arguments, strict=True)]
        return _seen_back(builder, builder.call(function, given), result)

    if len(arguments) == 2:

        @intrinsic
        def two(typing: Any, a: Any, b: Any) -> Any:
            return vector(vector, vector), code

        return two

    @intrinsic
    def three(typing: Any, a: Any, b: Any, c: Any) -> Any:
        return vector(vector, vector, vector), code

    return three
