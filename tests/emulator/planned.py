"""What is planned for a firmware on some processor, and the same run by its meaning in numpy: nothing is compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator.passes.analyse import analyse
from l1emu.emulator.passes.lower import lower
from l1emu.emulator.passes.plan import VectorProgram, plan
from l1emu.emulator.vector.conversions import KINDS_OUT
from l1emu.emulator.vector.features import LANES, Features
from l1emu.emulator.vector.interpreter import interpreted
from l1emu.firmware import Firmware
from l1emu.layers import Tensor

LEVELS = {
    "vnni": Features(dot8=True, dot16="vnni", permute8=True, fused=True),
    "vnni without byte look-up": Features(dot8=True, dot16="vnni", permute8=False, fused=True),
    "avx512": Features(dot8=False, dot16="avx512", permute8=False, fused=True),
    "avx2": Features(dot8=False, dot16="avx2", permute8=False, fused=True),
    "plain": Features(dot8=False, dot16="plain", permute8=False, fused=False),
}


def planned(firmware: Firmware, features: Features, results: tuple[Tensor, ...] = ()) -> VectorProgram:
    """The program of a firmware; its own outputs come out if no others are named."""
    ranges, wanted = analyse(firmware), results or firmware.outputs
    return plan(firmware, ranges, lower(firmware, ranges, wanted), features, wanted)


def arithmetic(firmware: Firmware, features: Features) -> dict[str, str]:
    """What each layer is computed with, by its name."""
    return planned(firmware, features).arithmetic


def interpreted_outputs(
    firmware: Firmware, features: Features, raw: NDArray[Any], results: tuple[Tensor, ...] = ()
) -> NDArray[np.int64]:
    """What the generated module gives in numpy for raw inputs (jets, columns), one output after another."""
    program = planned(firmware, features, results)
    out = [np.zeros((len(raw), t.size), np.int64) for t in program.results]
    vectors, exact = np.zeros(program.vectors * LANES, np.int32), program.exact
    work = np.zeros(exact.rows * LANES, np.int64)
    given = [argument for array in out for argument in (array.view(np.uint8), KINDS_OUT[array.dtype])]
    with np.errstate(over="ignore"):
        odd = interpreted(program.module)(vectors, program.constants, work, exact.table, exact.code, raw, *given)
    assert odd == 0
    return np.concatenate(out, axis=1)
