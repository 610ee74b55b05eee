"""HGQ models, converted in an environment of their own (Keras 3), against their own C++."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import l1emu
from l1emu.latency.estimate import estimate, load_design
from tests.handmade_projects import need_compiler

pytestmark = pytest.mark.exhaustive

PACKAGES = ("HGQ2==0.2.0", "hls4ml==1.3.0", "da4ml==0.6.0", "keras==3.15.1", "tensorflow-cpu==2.21.0")
MODELS = ("dense", "conv", "einsum", "attention", "linformer", "streams")
FORMS = (("Vivado", "latency"), ("Vitis", "latency"), ("Vitis", "distributed_arithmetic"))


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the projects that hls4ml wrote there."""
    folder = tmp_path_factory.mktemp("hgq")
    python = folder / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    command = [str(python), "-m", "pip", "install", "--quiet", *PACKAGES]
    installed = subprocess.run(command, capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"HGQ cannot be installed: {installed.stderr.strip().splitlines()[-1]}")
    wanted = [":".join((model, *form)) for model in MODELS for form in FORMS]
    script = Path(__file__).with_name("hgq_models.py")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(python), str(script), str(folder), *wanted], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("form", FORMS, ids="-".join)
def test_identical(projects: Path, form: tuple[str, str], model: str) -> None:
    need_compiler()
    found = l1emu.verify(projects / "_".join((model, *form)), jets=100, optimization="-O0")
    assert found.identical, str(found)
    assert found.layers >= 4


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("form", FORMS, ids="-".join)
def test_estimated_whole(projects: Path, form: tuple[str, str], model: str) -> None:
    """Every quantizer and every layer that was written out as sums is in the estimate."""
    found = estimate(load_design(projects / "_".join((model, *form))), part="xcvu13p-flga2577-2-e", clock_ns=5.0)
    assert not any(text.startswith(("not covered", "incomplete", "not understood")) for text in found.problems)
    assert found.latency_cycles[1] > 0
    if form[1] == "distributed_arithmetic" and model != "attention" and model != "linformer":
        assert not any(cost.dsp for block, cost, _ in found.layers if block.weights)
