"""Projects of older versions of hls4ml, each installed in a folder of its own, against their own C++."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import l1emu
from tests.handmade_projects import need_compiler

pytestmark = pytest.mark.exhaustive

# what each version imports beyond what this environment holds
VERSIONS = {
    "0.6.0": (),
    "0.7.1": ("calmjs.parse", "ply", "tabulate"),
    "0.8.1": ("calmjs.parse", "ply", "tabulate"),
    "1.0.0": ("calmjs.parse", "ply", "tabulate", "onnx==1.16.2"),
    "1.1.0": (),
    "1.2.0": (),
}
MODELS = (
    "mlp",
    "conv1d",
    "conv2d",
    "quantized",
    "permuted",
    "turned",
    "activations",
    "recurrent",
    "moves",
    "binary",
    "depthwise",
    "separable",
)
FORMS = (
    ("io_parallel", "Vivado", "Latency"),
    ("io_parallel", "Vivado", "Resource"),
    ("io_stream", "Vivado", "Latency"),
    ("io_stream", "Vivado", "Resource"),
    ("io_parallel", "Vitis", "Latency"),
    ("io_stream", "Vitis", "Latency"),
    ("io_stream", "Vitis", "Resource"),
)


def written(version: str, model: str, form: tuple[str, str, str]) -> bool:
    """Whether a version writes a model in a form, and rightly: transposes of streams came late."""
    stream, vitis, latency = form[0] == "io_stream", form[1] == "Vitis", form[2] == "Latency"
    old = version == "0.6.0"
    if old and (vitis or model in ("recurrent", "moves", "binary")):
        return False
    if model == "separable":  # of streams in one call up to 0.8
        return latency and (version >= "1.0" or (stream and not old))
    if model == "depthwise":
        return latency and (version >= "1.0" or (stream and version >= "0.8"))
    return not (stream and (model == "turned" or (model == "permuted" and old)))


@pytest.fixture(scope="module", params=VERSIONS)
def projects(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A version, and the folder of the projects that it wrote."""
    pytest.importorskip("tensorflow", reason="hls4ml converts Keras models")
    pytest.importorskip("qkeras", reason="hls4ml converts QKeras models")
    version: str = request.param
    folder = tmp_path_factory.mktemp(f"hls4ml-{version}")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder / "site")]
    installed = subprocess.run(
        [*command, f"hls4ml=={version}", *VERSIONS[version]], capture_output=True, text=True, check=False
    )
    if installed.returncode:
        pytest.skip(f"hls4ml {version} cannot be installed: {installed.stderr.strip().splitlines()[-1]}")
    wanted = [":".join((model, *form)) for model in MODELS for form in FORMS if written(version, model, form)]
    script = Path(__file__).with_name("version_models.py")
    environment = os.environ | {"PYTHONPATH": str(folder / "site")}
    done = subprocess.run(
        [sys.executable, str(script), str(folder), *wanted],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return version, folder


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("form", FORMS, ids="-".join)
def test_identical(projects: tuple[str, Path], form: tuple[str, str, str], model: str) -> None:
    need_compiler()
    version, folder = projects
    project = folder / "_".join((model, *form))
    if not project.is_dir():
        assert not written(version, model, form)
        pytest.skip(f"hls4ml {version} does not write this")
    found = l1emu.verify(project, jets=100, optimization="-O0")
    assert found.identical, f"hls4ml {version}: {found}"
    assert found.layers >= (1 if model in ("permuted", "turned") else 2)
