"""The times that `explain` gives."""

import numpy as np
import pytest

from l1emu.emulator import Emulator
from tests.emulator.random_firmware import random_firmware


@pytest.mark.parametrize("target", ["simd", "portable", "exact"])
def test_the_times_of_layers_add_up(target: str) -> None:
    firmware = random_firmware(6, 5)
    emulator = Emulator(firmware, target=target)
    assert all(row.ns is None for row in emulator.explain().rows)
    x = {t.name: np.zeros((64, *t.shape)) for t in firmware.inputs}
    found = emulator.explain(x)
    assert found.other_ns is not None
    times = [row.ns for row in found.rows if row.ns is not None]
    assert times and all(0 <= t < 1e7 for t in times)
    assert sum(times) > 0
    assert "ns/jet" in str(found) and "ns a jet on one core" in str(found)
