"""Pooling over the constituents: `nnet::global_pooling1d_cl`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.fixedpoint import Exact, FixedPoint, Raw
from l1emu.layers.arithmetic import divide_toward_zero
from l1emu.layers.base import Held, Layer
from l1emu.layers.circuit import Circuit


@dataclass(frozen=True, eq=False)
class GlobalPooling1D(Layer):
    """The average or the maximum over the first axis of (n, channels).

    The average adds in `accum_type`, upwards, and divides toward zero at its last bit. The maximum is taken in the
    input's type and then assigned to `accum_type`.

    Parameters
    ----------
    counts
        What each channel's sum is divided by, where that is not n: windows that reach beyond the data.
    """

    op: Literal["average", "max"]
    accum_type: FixedPoint
    counts: tuple[int, ...] = ()

    kind: ClassVar[str] = "globalpooling1d"
    holds: ClassVar[Held] = "nothing"

    def check(self) -> None:
        self._require(self.op in ("average", "max"), "unknown pooling", self.op)
        shape = self.inputs[0].shape
        ok = len(shape) == 2 and self.output.size == shape[1]
        self._require(ok, "shapes do not fit", (shape, self.output.shape))
        ok = not self.counts or (len(self.counts) == shape[1] and min(self.counts) > 0)
        self._require(ok, "not a count for each channel", self.counts)

    @property
    def divisors(self) -> Ints:
        """What each channel's sum is divided by."""
        n, channels = self.inputs[0].shape
        return np.array(self.counts or (n,) * channels, dtype=np.int64)

    def circuit(self) -> Circuit:
        average = {"average": int(self.op == "average")}
        return Circuit("pooling", accum_width=self.accum_type.width, extra=average)

    def reference(self, *raw: Raw) -> Raw:
        jets = len(raw[0])
        n, channels = self.inputs[0].shape
        x = Exact.of(raw[0].reshape(jets, n, channels), self.inputs[0].type)
        if self.op == "max":
            pooled = Exact.of(x.raw.max(axis=1), self.inputs[0].type).cast(self.accum_type)
        else:
            total = Exact.of(np.zeros((jets, channels), dtype=np.int64), self.accum_type)
            for i in range(n):
                total = (total + x[:, i]).cast(self.accum_type)
            mean = divide_toward_zero(total.raw, self.divisors)
            pooled = Exact.of(self.accum_type.cast(mean, self.accum_type.fraction), self.accum_type)
        return pooled.cast(self.output.type).raw.reshape(jets, *self.output.shape)
