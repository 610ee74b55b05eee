"""Scale and shift per channel: `nnet::normalize`, for batch normalization and for scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.fixedpoint import Exact, FixedPoint, Raw, Rounding
from l1emu.layers.base import Held, Layer
from l1emu.layers.circuit import Circuit


@dataclass(frozen=True, eq=False)
class BatchNormalization(Layer):
    """``x * scale + bias``, exact, then the assignment; the channel is the flat index modulo `n_filt`."""

    scale: Ints
    scale_type: FixedPoint
    bias: Ints
    bias_type: FixedPoint
    n_filt: int

    kind: ClassVar[str] = "batchnorm"
    holds: ClassVar[Held] = "weights"

    def check(self) -> None:
        self._require_raw("scale", self.scale, self.scale_type, (self.n_filt,))
        self._require_raw("bias", self.bias, self.bias_type, (self.n_filt,))
        ok = self.inputs[0].size == self.output.size and self.output.size % self.n_filt == 0
        self._require(ok, "sizes do not fit", (self.inputs[0].shape, self.output.shape, self.n_filt))

    def taken_to(self, low: int, high: int) -> tuple[int, int] | None:
        """For lines that rise, truncated toward zero to whole numbers, on all channels; `low` is 0."""
        result, fraction = self.output.type, self.inputs[0].type.fraction
        if result.rounding != Rounding.TRN_ZERO or result.fraction or self.scale.min() < 1:
            return None
        one = 1 << (fraction + self.scale_type.fraction)
        scale = [int(v) for v in self.scale]
        bias = [int(v) << (fraction + self.scale_type.fraction - self.bias_type.fraction) for v in self.bias]
        # above low - 1 and below high + 1, since what lies between -1 and 0 is 0 too
        least = max(-((one * (1 - low) - 1 + b) // s) for s, b in zip(scale, bias, strict=True))
        most = min((one * (high + 1) - 1 - b) // s for s, b in zip(scale, bias, strict=True))
        return least, most

    def circuit(self) -> Circuit:
        return Circuit("multiply", matrices=((self.scale.reshape(-1, 1), self.scale_type.width),))

    def reference(self, *raw: Raw) -> Raw:
        jets = len(raw[0])
        channel = np.arange(self.output.size) % self.n_filt
        x = Exact.of(raw[0].reshape(jets, -1), self.inputs[0].type)
        scale = Exact.of(self.scale[channel], self.scale_type)
        bias = Exact.of(self.bias[channel], self.bias_type)
        return (x * scale + bias).cast(self.output.type).raw.reshape(jets, *self.output.shape)
