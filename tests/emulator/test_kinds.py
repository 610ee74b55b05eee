"""Whoever adds a kind of layer adds all of it: record, reader, emulation, and numbers that are checked."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from l1emu import Emulator, Firmware
from l1emu.emulator.exact.instruction import Instruction
from l1emu.emulator.kind import Kind
from l1emu.emulator.kinds import INSTRUCTIONS, KINDS
from l1emu.emulator.passes.analyse import analyse
from l1emu.emulator.passes.interpret import MODULE
from l1emu.emulator.passes.lower import lower
from l1emu.firmware import builders, reference
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import KINDS as RECORDS
from l1emu.layers import Foreign, Layer, Linear
from tests.emulator.outputs import single
from tests.emulator.passes.test_relax import CASES
from tests.emulator.random_firmware import random_raw

ACCUM = FixedPoint.parse("ap_fixed<22,9>")
WIDE = FixedPoint.parse("ap_fixed<24,10>")
NARROW = FixedPoint.parse("ap_fixed<9,4,AP_RND_CONV,AP_SAT_SYM>")


def firmware_of(layer: Layer) -> Firmware:
    """A firmware of one layer."""
    return Firmware("one", "vitis", layer.inputs, (layer.output,), (layer,))


def test_every_record_is_whole_and_has_its_emulation() -> None:
    assert set(KINDS) == {*RECORDS.values(), Foreign}  # which no file holds
    for cls, kind in KINDS.items():
        assert not cls.__abstractmethods__
        assert type(kind).__name__ == f"{cls.__name__}Kind"
        home = type(kind).__module__.rpartition(".")[2]
        assert home == cls.__module__.rpartition(".")[2]  # emulator/kinds mirrors layers
        assert bool(kind.instructions) is not (cls.view or cls is Foreign)


def test_every_record_says_what_it_holds() -> None:
    for cls in RECORDS.values():
        names = {field.name: str(field.type) for field in fields(cls)}
        tables = [name for name in names if name.endswith("table")]
        assert "holds" in vars(cls)
        if cls.holds == "nothing":
            assert not tables
        elif cls.holds == "tables":
            assert tables and all(names[name] == "Ints" and names[f"{name}_type"] == "FixedPoint" for name in tables)


def test_a_forgotten_method_fails_at_once() -> None:
    class Half(Kind[Linear]):
        layer = Linear
        instructions: tuple[Instruction, ...] = ()

    with pytest.raises(TypeError, match=r"abstract methods? emit, macs, range, relaxed, strategies"):
        Half()  # type: ignore[abstract]


def test_a_builder_reads_every_record() -> None:
    modules = [
        importlib.import_module(f"{builders.__name__}.{m.name}") for m in pkgutil.iter_modules(builders.__path__)
    ]
    read = {value for module in modules for value in vars(module).values() if isinstance(value, type)}
    assert {cls.__name__ for cls in set(RECORDS.values()) - read} == set()


def test_every_record_is_compared_with_cpp() -> None:
    """In the project of every kind, but for quantizers, which are HGQ's, and kernels of streams: these have theirs."""
    compared = (Path(__file__).parents[1] / "layers" / "test_layers_against_cpp.py").read_text(encoding="utf-8")
    assert 'assert set(kinds) == set(KINDS) - {"quantize", "treeaverage"}' in compared


@pytest.mark.parametrize("result", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_exact_kernels_of_every_kind_give_its_reference(result: FixedPoint) -> None:
    rng, seen, used = np.random.default_rng(3), set(), set()
    for name, case in CASES.items():
        firmware = firmware_of(case.make(ACCUM, result))
        x = {tensor.name: random_raw(rng, tensor.type, (40, *tensor.shape)) for tensor in firmware.inputs}
        for tensor, (low, high) in firmware.limits.items():
            x[tensor] = np.clip(x[tensor], low, high)
        emulator = Emulator(firmware, threads=1, target="exact")
        expected = reference.run(firmware, x)
        np.testing.assert_array_equal(single(emulator.raw(x)), expected[firmware.outputs[0].name], err_msg=name)
        program = lower(firmware, analyse(firmware), firmware.outputs)
        used |= {int(program.code[start]) for start in program.starts}
        seen |= {type(layer) for layer in firmware.layers}
    assert seen == set(RECORDS.values())
    assert {INSTRUCTIONS[opcode].name for opcode in used} == {instruction.name for instruction in INSTRUCTIONS}


def test_the_interpreter_has_every_kernel() -> None:
    for instruction in INSTRUCTIONS:
        assert getattr(MODULE, instruction.name) is instruction.kernel
