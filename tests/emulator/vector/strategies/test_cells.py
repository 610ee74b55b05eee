"""GRU and LSTM on vectors: every way to sum a product, every layout, first states, both directions."""

from __future__ import annotations

import numpy as np
import pytest

from l1emu.arraytypes import Ints
from l1emu.emulator import Emulator
from l1emu.emulator.passes.analyse import analyse
from l1emu.emulator.passes.lower import lower
from l1emu.emulator.passes.plan import plan
from l1emu.emulator.vector.features import Features
from l1emu.firmware import Firmware, reference
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from l1emu.layers import Recurrent, Relu, Tensor
from l1emu.layers.recurrent import GATES
from tests.emulator.outputs import several
from tests.emulator.planned import interpreted_outputs
from tests.emulator.random_firmware import random_inputs, random_raw

WORDS = FixedPoint(16, 6)
BYTES = FixedPoint(8, 3)
WEIGHTS = FixedPoint(8, 0)
ROUNDED = FixedPoint(16, 6, True, Rounding.RND)
SATURATING = FixedPoint(16, 6, True, Rounding.RND, Overflow.SAT)

KINDS: dict[str, tuple[FixedPoint, FixedPoint, FixedPoint]] = {
    "int16 pairs, upper words of products": (WORDS, WEIGHTS, WORDS),
    "int16 pairs, sums less what is rounded off": (WORDS, FixedPoint(14, 5), ROUNDED),
    "int32, step by step": (WORDS, FixedPoint(14, 5), SATURATING),
    "int16 pairs, sums in int32": (FixedPoint(9, 4), FixedPoint(6, 1), FixedPoint(18, 6)),
    "bytes and int16 pairs, sums in int32": (BYTES, FixedPoint(6, 1), FixedPoint(18, 6)),
    "bytes and int16 pairs, sums in int32 and upper words of products": (BYTES, WEIGHTS, FixedPoint(17, 4)),
    "int16 pairs, sums in int32 and upper words of products": (FixedPoint(9, 4), WEIGHTS, FixedPoint(16, 3)),
}
"""Types of the sequence, weights and sums by what is said of the arithmetic."""


def cell_firmware(seed: int, sequence: FixedPoint, weight: FixedPoint, accum: FixedPoint) -> Firmware:
    """Cells one after another, of odd and even sizes: a GRU of all states, backward, and what `seed` decides."""
    rng = np.random.default_rng(seed)
    n_in, n, steps = 4 * int(rng.integers(1, 3)) - (sequence.width > 8 and seed % 2), int(rng.integers(1, 6)), 3
    state = FixedPoint(sequence.width, 2, True, Rounding.RND, Overflow.SAT)
    gate_type = FixedPoint(12, 2)
    x = Tensor("x", (steps, n_in), sequence)
    first = tuple(Tensor(f"state{k}", (n,), state) for k in range((0, 2)[seed % 4 == 1]))
    kind = "lstm" if first or rng.random() < 0.5 else "gru"

    def cell(name: str, kind: str, data: tuple[Tensor, ...], y: Tensor, size: int, *, backward: bool) -> Recurrent:
        width, n_data = GATES[kind] * size, data[0].size // steps
        drawn: list[Ints] = [random_raw(rng, weight, shape) for shape in ((n_data, width), (size, width))]
        biases = [random_raw(rng, weight, (width,)) for _ in range(2)]
        tables = [np.sort(random_raw(rng, gate_type, (64,))) for _ in range(2)]
        return Recurrent(
            name, data, y, kind, steps, n_data, size, y.size > size, backward, bool(seed & 1),  # type: ignore[arg-type]
            drawn[0], weight, biases[0], weight, rng.permutation(n_data),
            drawn[1], weight, biases[1], weight, rng.permutation(size),
            accum, "sigmoid", tables[0], gate_type, "tanh", tables[1], gate_type,
        )  # fmt: skip

    a, b = Tensor("a", (steps, n), state), Tensor("b", (n + 1,), state)
    positive = Tensor("y", (n + 1,), FixedPoint(7, 2, False, Rounding.RND, Overflow.SAT))
    layers = (
        cell("first", kind, (x, *first), a, n, backward=True),
        cell("second", "gru", (a,), b, n + 1, backward=False),
        Relu("relu", (b,), positive),
    )
    return Firmware("cells", "Vitis", (x, *first), (a, positive), layers)


def emulated(firmware: Firmware, inputs: dict[str, Ints]) -> tuple[dict[str, str], dict[str, Ints]]:
    """What is said of each layer where bytes have dot products, and the outputs by the meaning of the operations."""
    features, ranges = Features(True, "vnni", True, True), analyse(firmware)
    program = plan(firmware, ranges, lower(firmware, ranges, firmware.outputs), features, firmware.outputs)
    jets = len(inputs[firmware.inputs[0].name])
    raw = np.concatenate([inputs[t.name].reshape(jets, -1) for t in firmware.inputs], axis=1).astype(np.int32)
    found = interpreted_outputs(firmware, features, raw, firmware.outputs)
    parts = np.split(found, np.cumsum([t.size for t in firmware.outputs])[:-1].tolist(), axis=1)
    return program.arithmetic, {t.name: p.reshape(-1, *t.shape) for t, p in zip(firmware.outputs, parts, strict=True)}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("arithmetic", KINDS)
def test_every_way_gives_the_bits_of_the_reference(arithmetic: str, seed: int) -> None:
    firmware = cell_firmware(seed, *KINDS[arithmetic])
    inputs = random_inputs(firmware, 35, seed)
    said, found = emulated(firmware, inputs)
    assert not any(text.startswith("int64") for text in said.values()), said
    assert said["first"] == f"{arithmetic}, states in int32"
    expected = reference.run(firmware, inputs)
    for tensor in firmware.outputs:
        np.testing.assert_array_equal(found[tensor.name], expected[tensor.name])
    assert len(np.unique(expected["a"])) > 3


def test_what_32_bits_do_not_hold_stays_exact() -> None:
    wide = FixedPoint(24, 8)
    firmware = cell_firmware(0, wide, FixedPoint(16, 4), FixedPoint(40, 16))
    inputs = random_inputs(firmware, 5)
    said, found = emulated(firmware, inputs)
    assert said["first"].startswith("int64")
    np.testing.assert_array_equal(found["a"], reference.run(firmware, inputs)["a"])


def test_compiled_cells_give_the_same() -> None:
    firmware = cell_firmware(3, WORDS, WEIGHTS, WORDS)
    inputs = random_inputs(firmware, 200)
    expected, found = reference.run(firmware, inputs), several(Emulator(firmware, threads=1).raw(inputs))
    for tensor in firmware.outputs:
        np.testing.assert_array_equal(found[tensor.name], expected[tensor.name])
