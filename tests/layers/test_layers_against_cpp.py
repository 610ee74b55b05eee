"""Every kind of layer, with types of every rounding and overflow mode: C++, reference and emulator agree."""

from __future__ import annotations

from pathlib import Path

import pytest

import l1emu
from l1emu.layers import KINDS
from tests.handmade_projects import every_kind, need_compiler


def check(folder: Path, seed: int, backend: str, jets: int) -> None:
    need_compiler()
    project = every_kind(folder, seed, backend)
    layers = l1emu.Firmware.read(project).layers
    kinds = [layer.kind for layer in layers]
    assert set(kinds) == set(KINDS) - {"quantize", "treeaverage"}  # generated: test_hgq; of streams: test_tree_average
    found = l1emu.verify(project, jets=jets, seed=seed, optimization="-O0")
    assert found.identical, str(found)
    assert found.layers == sum(layer.output.name.endswith("_out") for layer in layers)  # the C++ variables
    assert found.compared == ("reference", "emulator")


@pytest.mark.parametrize(("seed", "backend"), [(1, "vitis")])
def test_every_kind(tmp_path: Path, seed: int, backend: str) -> None:
    check(tmp_path / "p", seed, backend, 300)


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(100, 120))
def test_every_kind_with_many_types(tmp_path: Path, seed: int) -> None:
    check(tmp_path / "p", seed, ("vivado", "vitis")[seed % 2], 2000)
