"""Which strategies a kind of layer has, and what each must say."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from l1emu.emulator.kinds import KINDS
from l1emu.emulator.passes.analyse import analyse
from l1emu.emulator.vector.context import Context
from l1emu.emulator.vector.features import Features
from l1emu.emulator.vector.strategy import Strategy
from l1emu.emulator.vector.workspace import Workspace
from tests.emulator.random_firmware import clean_firmware, random_firmware

ALL = sorted(
    {strategy for kind in KINDS.values() for strategy in kind.strategies}, key=lambda strategy: strategy.__name__
)


def everything(base: type) -> set[type]:
    children: list[type] = base.__subclasses__()
    return {below for child in children for below in (child, *everything(child))}


def test_every_strategy_is_that_of_a_kind() -> None:
    assert set(ALL) == everything(Strategy)


@pytest.mark.parametrize("strategy", ALL)
def test_a_strategy_says_all_that_it_must(strategy: type[Strategy[Any]]) -> None:
    assert not inspect.isabstract(strategy)


@pytest.mark.parametrize("features", [Features(True, "vnni", True, True), Features(False, "plain", False, False)])
def test_asking_writes_nothing(features: Features) -> None:
    """Whatever a strategy answers, calls, kernels, constants, workspace and places stay as they are."""
    asked = set()
    for firmware in [
        *(random_firmware(seed, 4) for seed in range(30)),
        *(clean_firmware(seed, 8) for seed in range(6)),
    ]:
        workspace = Workspace()
        ranges, rows = analyse(firmware), dict.fromkeys((t.name for t in firmware.inputs), 0)
        context = Context(firmware, ranges, features, firmware.outputs, workspace, rows, lambda layer, context: None)
        for layer in firmware.layers:
            for strategy in KINDS[type(layer)].strategies:
                asked.add(strategy)
                strategy.wants(layer, context)
                strategy.fits(layer, context)
        assert not context.calls and not context.kernels and not context.constants.words and not context.arithmetic
        assert not context.raw_in_rows and not context.where(firmware.inputs[0]) and workspace.size == 0
    assert len(asked) > len(ALL) // 2
