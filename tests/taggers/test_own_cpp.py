"""A tagger with a kernel that is not known: it runs as its own C++ when a study asks for it, and results say so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from l1emu.errors import L1emuError
from l1emu.firmware.graph import own_cpp
from l1emu.taggers import read_tagger
from l1emu.verification.csim import CSim
from tests.firmware.foreign.own_kernels import dense_project
from tests.handmade_projects import need_compiler
from tests.taggers.toys import beside, crossings, settings

OWN = """
firmware: own
unknown: cpp
inputs: {of: object, fields: [pt, eta, phi, {field: pt, steps: [sqrt]}, {value: 2.5}, {value: -1}]}
outputs: [a, b, c, d]
scores: {one: {output: a}}
threads: 1
"""


def test_a_tagger_of_the_projects_own_cpp(tmp_path: Path) -> None:
    need_compiler()
    project = dense_project(tmp_path / "own")
    with pytest.raises(L1emuError, match="not supported yet"):
        read_tagger("own", settings(tmp_path, OWN.replace("unknown: cpp", "")), beside(tmp_path))
    tagger = read_tagger("own", settings(tmp_path, OWN), beside(tmp_path))
    firmware = tagger.emulator.firmware
    assert own_cpp(firmware) == {"own": "own_kernel (firmware/nnet_utils/nnet_own.h)"}
    data = crossings()
    x = np.asarray(tagger.fill(data)["x"], np.float64)
    expected = CSim(project, firmware=firmware).run(x)["fc2_out"][:, 0]
    found = tagger.apply(data).objects["jets"].one
    assert np.array_equal(np.concatenate([np.asarray(one, np.float64) for one in found.to_list()]), expected)
