"""What hardware a layer becomes, in numbers: all that an estimate of its latency and resources needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Circuit:
    """One layer of hardware, for `l1emu.latency.estimate`.

    Attributes
    ----------
    kind
        What is built: ``dense`` or ``conv`` (a matrix, once or at many positions), ``einsum``, ``recurrent``,
        ``softmax``, ``layernorm``, ``pooling``, ``table``, ``multiply`` (by a constant), ``product`` (of two
        numbers), ``merge``, ``relu`` (comparisons), ``wires``.
    positions
        How often the same thing is done.
    accum_width
        Bits of a running sum; None where there is none.
    matrices
        Raw weights, (n_in, n_out), and the bits of one.
    tables
        Entries of each look-up table and their bits.
    extra
        What only this kind has: sizes by name.
    """

    kind: str
    positions: int = 1
    accum_width: int | None = None
    matrices: tuple[tuple[npt.NDArray[np.int64], int], ...] = ()
    tables: tuple[tuple[int, int], ...] = ()
    extra: Mapping[str, int | str] = field(default_factory=dict)
