"""Softmax by look-up tables: the four implementations of `nnet::softmax`, and that of the attention forks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.fixedpoint import Exact, FixedPoint, Raw
from l1emu.layers.arithmetic import divide_toward_zero, integer_part
from l1emu.layers.base import Held, Layer
from l1emu.layers.circuit import Circuit

Variant = Literal["stable", "relative", "latency", "argmax", "legacy", "direct"]
_VARIANTS = ("stable", "relative", "latency", "argmax", "legacy", "direct")


def index_bits(table_size: int) -> int:
    """Bits that address a table: hls4ml's `ceillog2`, which is 1 for sizes up to 2."""
    return 1 if table_size <= 2 else (table_size - 1).bit_length()


def top_bits(raw: Raw, kind: FixedPoint, table_size: int) -> Raw:
    """The table index of a number: the top bits of its W-bit pattern, sign bit first."""
    bits = index_bits(table_size)
    return ((raw >> (kind.width - bits)) & ((1 << bits) - 1)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Softmax(Layer):
    """Softmax along the middle axis of (n_outer, n_slice, n_inner).

    The tables are part of the firmware: raw values as the C++ initialises them, so that nothing that reads a
    `Softmax` computes an exponential.

    Parameters
    ----------
    variant
        ``stable`` takes the distance to the maximum first, ``relative``, the stable softmax of older kernels, its
        negative; ``latency`` does neither; ``argmax`` gives 1 at the first maximum;
        ``legacy`` sums exponentials of pairwise differences, with one type for all that is inside; ``direct``, the
        legacy softmax of the attention forks, takes the exponential of each number between +-`exp_range`, adds them
        in order, and looks the inverse of the sum up between 0 and `inv_range`.
    exp_table, inv_table
        Raw values in `exp_table_type` and `inv_table_type`; empty for ``argmax``.
    accum_type
        The type of the exponentials and of their sum.
    inv_inp_type
        The type that the sum is assigned to before it addresses the inverse's table.
    inp_norm_type
        The type of the difference to the maximum (``stable`` and ``relative`` only, else None).
    exp_range, inv_range
        The ranges of the tables, whole numbers (``direct`` only, else 0).
    """

    variant: Variant
    n_outer: int
    n_slice: int
    n_inner: int
    exp_table: Ints
    exp_table_type: FixedPoint
    inv_table: Ints
    inv_table_type: FixedPoint
    accum_type: FixedPoint
    inv_inp_type: FixedPoint
    inp_norm_type: FixedPoint | None
    exp_range: int = 0
    inv_range: int = 0

    kind: ClassVar[str] = "softmax"
    holds: ClassVar[Held] = "tables"

    def check(self) -> None:
        size = self.n_outer * self.n_slice * self.n_inner
        self._require(self.inputs[0].size == size == self.output.size, "sizes do not fit", size)
        self._require(self.variant in _VARIANTS, "unknown softmax implementation", self.variant)
        ranges = (self.exp_range, self.inv_range)
        ok = min(ranges) > 0 if self.variant == "direct" else ranges == (0, 0)
        self._require(ok, "the tables' ranges are misplaced", ranges)
        self._require((self.inp_norm_type is not None) == self.subtracts, "inp_norm_t is misplaced")
        self._require_raw("exp_table", self.exp_table, self.exp_table_type, self.exp_table.shape)
        self._require_raw("inv_table", self.inv_table, self.inv_table_type, self.inv_table.shape)
        if self.subtracts or self.variant == "latency":
            address = self.inp_norm_type or self.inputs[0].type
            for table, kind in ((self.exp_table, address), (self.inv_table, self.inv_inp_type)):
                bits = index_bits(len(table))
                ok = len(table) == 1 << bits and bits <= kind.width
                self._require(ok, "a table does not fit the type that addresses it", len(table), f"<= 2**{kind.width}")

    @property
    def subtracts(self) -> bool:
        """Whether the maximum is taken off first."""
        return self.variant in ("stable", "relative")

    def circuit(self) -> Circuit:
        return Circuit(
            "softmax",
            positions=self.n_outer * self.n_inner,
            accum_width=self.accum_type.width,
            tables=((len(self.exp_table), self.exp_table_type.width), (len(self.inv_table), self.inv_table_type.width)),
            extra={"n_slice": self.n_slice, "implementation": self.variant},
        )

    def reference(self, *raw: Raw) -> Raw:
        jets = len(raw[0])
        x = raw[0].reshape(jets, self.n_outer, self.n_slice, self.n_inner).transpose(2, 0, 1, 3)
        forms: dict[str, Callable[[Raw], Raw]] = {
            "stable": self._stable,
            "relative": self._stable,
            "latency": self._latency,
            "argmax": self._argmax,
            "legacy": self._legacy,
            "direct": self._direct,
        }
        return forms[self.variant](x).transpose(1, 2, 0, 3).reshape(jets, *self.output.shape)

    def _stable(self, x: Raw) -> Raw:
        assert self.inp_norm_type is not None
        data = Exact.of(x, self.inputs[0].type)
        largest = Exact.of(x.max(axis=0), self.inputs[0].type)
        difference = largest - data if self.variant == "stable" else data - largest
        distance = difference.cast(self.inp_norm_type)
        return self._normalize(top_bits(distance.raw, self.inp_norm_type, len(self.exp_table)))

    def _latency(self, x: Raw) -> Raw:
        return self._normalize(top_bits(x, self.inputs[0].type, len(self.exp_table)))

    def _normalize(self, index: Raw) -> Raw:
        """Exponentials by index, their sum in a balanced tree, and the product with the inverse of the sum."""
        exponentials = Exact.of(self.exp_table[index], self.exp_table_type).cast(self.accum_type)
        total = self._tree(exponentials).cast(self.inv_inp_type)
        inverse = self.inv_table[top_bits(total.raw, self.inv_inp_type, len(self.inv_table))]
        return (exponentials * Exact.of(inverse, self.inv_table_type)).cast(self.output.type).raw

    def _tree(self, terms: Exact) -> Exact:
        """`nnet::reduce`: the left branch has the largest power of two below the number of terms."""
        n = len(terms.raw)
        if n == 1:
            return terms[0]
        left = 1 << ((n - 1).bit_length() - 1)
        return (self._tree(terms[:left]) + self._tree(terms[left:])).cast(self.accum_type)

    def _argmax(self, x: Raw) -> Raw:
        one = int(self.output.type.cast(1, 0))
        y = np.zeros(x.shape, dtype=np.int64)
        np.put_along_axis(y, np.argmax(x, axis=0)[None], one, axis=0)
        return y

    def _legacy(self, x: Raw) -> Raw:
        kind = self.exp_table_type
        data = Exact.of(x, self.inputs[0].type)
        size, inverse_size = len(self.exp_table), len(self.inv_table)
        one = kind.cast(1, 0)
        y = np.empty(x.shape, dtype=np.int64)
        for i in range(self.n_slice):
            total = Exact.of(np.zeros(x.shape[1:], dtype=np.int64), kind)
            for j in range(self.n_slice):
                if i == j:
                    term = np.broadcast_to(one, x.shape[1:])
                else:
                    difference = data[j] - data[i]
                    step = divide_toward_zero(difference.raw * size, 16)
                    index = integer_part(step, difference.fraction) + size // 2
                    term = self.exp_table[np.clip(index, 0, size - 1).astype(np.int64)]
                total = (total + Exact.of(term, kind)).cast(kind)
            step = divide_toward_zero(total.raw * inverse_size, 64)
            index = np.clip(integer_part(step, kind.fraction), 0, inverse_size - 1).astype(np.int64)
            y[i] = Exact.of(self.inv_table[index], self.inv_table_type).cast(self.output.type).raw
        return y

    @property
    def exp_steps(self) -> int:
        """Entries of the exponential's table between two whole numbers (``direct``)."""
        return len(self.exp_table) // (2 * self.exp_range)

    @property
    def inv_steps(self) -> int:
        """Entries of the inverse's table between two whole numbers (``direct``)."""
        return len(self.inv_table) // self.inv_range

    def _direct(self, x: Raw) -> Raw:
        data = Exact.of(x, self.inputs[0].type)
        index = self._step(data, self.exp_steps) + self.exp_range * self.exp_steps
        exponentials = Exact.of(self.exp_table[_within(index, self.exp_table)], self.exp_table_type)
        total = Exact.of(np.zeros(x.shape[1:], dtype=np.int64), self.accum_type)
        for j in range(self.n_slice):
            total = (total + exponentials[j]).cast(self.accum_type)
        inverse = self.inv_table[_within(self._step(total, self.inv_steps), self.inv_table)]
        return (exponentials * Exact.of(inverse, self.inv_table_type)).cast(self.output.type).raw

    @staticmethod
    def _step(x: Exact, steps: int) -> Raw:
        """The C++ conversion of ``x * steps`` to int."""
        return integer_part((x * Exact(np.asarray(steps), 0, steps.bit_length())).raw, x.fraction)


def _within(index: Raw, table: Ints) -> Raw:
    """An index into `table`, the nearest one where it is outside."""
    return np.clip(index, 0, len(table) - 1).astype(np.int64)
