"""`l1emu compile`: what it writes is all that a job needs, on any processor of a level, and the job's bytes are one."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from l1emu.caches import KERNELS_FILE
from l1emu.cli import app
from l1emu.errors import L1emuError
from l1emu.processor import processor_levels, reached_levels
from l1emu.study import shipping
from l1emu.study.shipping import ShippedKernels, compile_kernels
from tests.emulator.tagger_firmware import tagger_firmware
from tests.processors import as_on, run_python
from tests.study.study_toys import toy_study, write_toy_study

runner = CliRunner()

RUN = """
import sys
from l1emu import compiled
from l1emu.study import run_study
run_study(sys.argv[1], sys.argv[2])
print(compiled._Kept.compilations)
"""

DECIDE = """
import sys
from l1emu import compiled
from l1emu.study import measure_rates
measure_rates(sys.argv[1], masks=sys.argv[2])
print(compiled._Kept.compilations)
"""

EMULATE = """
import sys
import numpy as np
from l1emu import Emulator, Firmware, compiled
from l1emu.files import sha256_bytes
emulator = Emulator(Firmware.read(sys.argv[1]))
tensor = emulator.firmware.inputs[0]
rng = np.random.default_rng(1)
x = rng.normal(0, tensor.type.to_float(np.int64(tensor.type.high)), (1200, *tensor.shape))
x[0, 0, 0] = np.inf
raw = rng.integers(tensor.type.low, tensor.type.high, x.shape, endpoint=True)
found = [emulator(x), emulator(x.astype(np.float32)), emulator.raw(raw)]
print(compiled._Kept.compilations, sha256_bytes(b"".join(values.tobytes() for values in found)))
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy study without its stream and its working points, whose kernels take as long again to compile."""
    path = write_toy_study(tmp_path_factory.mktemp("compiled"))
    dropped = ("latency", "stream", "working_points")
    path.write_text(yaml.safe_dump({key: value for key, value in toy_study().items() if key not in dropped}))
    return path


@pytest.fixture(scope="module")
def levels() -> list[str]:
    """One, of which there is more on this machine where it can be; all are in the tests that take longer."""
    return ["avx2" if "avx2" in reached_levels() else "generic"]


@pytest.fixture(scope="module")
def shipped(study: Path, levels: list[str], tmp_path_factory: pytest.TempPathFactory) -> ShippedKernels:
    return compile_kernels(study, tmp_path_factory.mktemp("shipped") / "kernels", levels)


def without_manifest(folder: Path) -> dict[str, Any]:
    """`results.json`, without what tells one run from another."""
    document: dict[str, Any] = json.loads((folder / "results.json").read_text())
    del document["manifest"]
    return document


def check_jobs(study: Path, kernels: Path, levels: list[str], folder: Path) -> None:
    """A job with each level's kernels compiles nothing, and all give what this machine gives by itself.

    Where the libraries beneath have other instructions too, decisions are the same, and numbers but for their last
    digits: OpenBLAS sums in another order, and numpy's logarithm is rounded otherwise.
    """
    here = as_on(None, os.environ.get("L1EMU_CACHE_DIR", ""), L1EMU_SCORE_CACHE_MB="0")
    run_python(RUN, here, study, folder / "here")
    run_python(DECIDE, here, study, folder / "here.parquet")
    expected, decided = without_manifest(folder / "here"), (folder / "here.parquet").read_bytes()
    for level in levels:
        cache = folder / f"cache {level}"
        environment = as_on(level, cache, L1EMU_KERNELS=str(kernels))
        assert run_python(RUN, environment, study, folder / level).split()[-1] == "0"
        assert without_manifest(folder / level) == expected
        whole = as_on(level, folder / f"whole {level}", whole=True, L1EMU_KERNELS=str(kernels))
        assert run_python(DECIDE, whole, study, folder / f"{level}.parquet").split()[-1] == "0"
        assert (folder / f"{level}.parquet").read_bytes() == decided
        assert not list(folder.glob("cache */**/*.nbc")) + list(folder.glob("whole */**/*.nbc"))


def test_a_job_compiles_nothing_and_its_results_are_those_of_any_processor(
    study: Path, shipped: ShippedKernels, levels: list[str], tmp_path: Path
) -> None:
    moved = shutil.copytree(shipped.folder, tmp_path / "sent here")
    check_jobs(study, moved, levels, tmp_path)
    document = json.loads((moved / KERNELS_FILE).read_text())
    assert (document["of"], document["processors"]) == ("toy", levels)
    assert document["functions"] == shipped.functions
    assert sum(shipped.functions.values()) == len(list(moved.rglob("*.nbc")))
    assert shipped.size == sum(path.stat().st_size for path in moved.rglob("*.nbc"))
    assert sorted(path.name for path in moved.iterdir()) == [document["key"], KERNELS_FILE]
    # as the cache itself, and the level chosen by what is in it
    chosen = as_on(None, moved)
    assert run_python(RUN, chosen, study, tmp_path / "chosen").split()[-1] == "0"


@pytest.mark.exhaustive
def test_the_whole_toy_study_on_every_level(tmp_path: Path) -> None:
    study = write_toy_study(tmp_path / "toy")
    found = compile_kernels(study, tmp_path / "kernels")
    assert tuple(found.functions) == processor_levels()
    check_jobs(study, found.folder, list(reached_levels()), tmp_path)


@pytest.mark.exhaustive
def test_a_firmware_for_every_level_gives_the_same_bytes(tmp_path: Path) -> None:
    tagger_firmware(blocks=0, constituents=4, width=8, hidden=8).save(tmp_path / "f.l1fw")
    result = runner.invoke(app, ["compile", str(tmp_path / "f.l1fw"), "-o", str(tmp_path / "kernels"), "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert tuple(document["functions"]) == processor_levels()
    assert all(number >= 3 for number in document["functions"].values())
    exact = run_python(EMULATE, as_on(None, tmp_path / "cache", L1EMU_TARGET="exact"), tmp_path / "f.l1fw")
    for level in reached_levels():
        environment = as_on(level, tmp_path / "cache", whole=True, L1EMU_KERNELS=str(tmp_path / "kernels"))
        assert run_python(EMULATE, environment, tmp_path / "f.l1fw").split() == ["0", exact.split()[1]]


KINDS = """
import hashlib
import sys
from l1emu import Emulator
from tests.emulator.random_firmware import random_firmware, random_inputs
from tests.emulator.tagger_firmware import tagger_firmware
digest = hashlib.sha256()
for firmware in [tagger_firmware(blocks=1, constituents=4), *(random_firmware(seed, 4) for seed in range(6))]:
    inputs = random_inputs(firmware, 300)
    for target in sys.argv[1:]:
        own = hashlib.sha256(str(firmware.content_hash).encode())
        found = Emulator(firmware, target=target).trace(inputs)
        for name in sorted(found):
            own.update(found[name].tobytes())
        print(own.hexdigest())
"""


@pytest.mark.exhaustive
def test_layers_of_many_kinds_give_the_same_bytes_at_every_level(tmp_path: Path) -> None:
    expected = run_python(KINDS, as_on(None, tmp_path / "here"), "exact").split()
    for level in reached_levels():
        found = run_python(KINDS, as_on(level, tmp_path / level, whole=True), "simd", "portable").split()
        assert found == [digest for digest in expected for _ in ("simd", "portable")]


def test_an_older_folder_is_replaced_and_no_other(tmp_path: Path) -> None:
    tagger_firmware(blocks=0, constituents=4, width=4, hidden=4).save(tmp_path / "f.l1fw")
    kernels = tmp_path / "kernels"
    command = ["compile", str(tmp_path / "f.l1fw"), "-o", str(kernels), "--for", "generic"]
    kernels.mkdir()
    (kernels / "mine").touch()
    result = runner.invoke(app, command)
    assert isinstance(result.exception, L1emuError) and "will not be replaced" in str(result.exception)
    (kernels / "mine").unlink()
    for _ in range(2):
        result = runner.invoke(app, command)
        assert result.exit_code == 0, result.output
        assert f"generic: {len(list(kernels.rglob('*.nbc')))} functions" in result.stdout
    assert (kernels.stat().st_mode & 0o022, (kernels / KERNELS_FILE).stat().st_mode & 0o022) == (0, 0)


@pytest.mark.parametrize(
    ("processors", "message"),
    [
        ("avx3", "--for: no such processor: got 'avx3'; expected one of"),
        ("generic,,avx2", "--for: not a list"),
        ("generic,AVX2", "--for: no such processor: got 'AVX2'"),
    ],
)
def test_a_wrong_processor_is_refused(tmp_path: Path, processors: str, message: str) -> None:
    result = runner.invoke(app, ["compile", "-o", str(tmp_path / "kernels"), "--for", processors])
    assert isinstance(result.exception, L1emuError) and message in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_with_a_study_is_told_by_the_child(study: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(study.parent, tmp_path / "broken")
    (broken / "tagger.l1fw").write_bytes(b"no firmware")
    with pytest.raises(L1emuError, match=r"broken/tagger\.l1fw"):
        compile_kernels(broken / "study.yaml", tmp_path / "kernels", ["generic"])
    assert not (tmp_path / "kernels").exists()


def test_where_nothing_can_be_trusted_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tagger_firmware(blocks=0, constituents=4, width=4, hidden=4).save(tmp_path / "f.l1fw")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "open"))
    with pytest.raises(L1emuError, match="others can write into the folder for temporary files"):
        compile_kernels(tmp_path / "f.l1fw", tmp_path / "kernels", ["generic"])


def test_an_emulator_is_compiled_with_its_trace(tmp_path: Path) -> None:
    firmware = tagger_firmware(blocks=0, constituents=4, width=4, hidden=4)
    firmware.save(tmp_path / "f.l1fw")
    code = """
import sys
import numpy as np
from l1emu import Emulator, Firmware, compiled
emulator = Emulator(Firmware.read(sys.argv[1]))
emulator.compile(traced=True)
before = compiled._Kept.compilations
x = np.zeros((3, *emulator.firmware.inputs[0].shape))
for call in (emulator, emulator.trace):
    call(x), call(x.astype(np.float32))
emulator.raw(x.astype(np.int64)), emulator.trace(x.astype(np.int64))
print(before, compiled._Kept.compilations)
"""
    before, after = run_python(code, as_on(None, tmp_path / "cache"), tmp_path / "f.l1fw").split()
    assert int(before) > 0 and before == after
    assert np.isfinite(int(after))


def test_of_a_large_study_the_first_crossings_tell(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("L1EMU_SCORE_CACHE_MB", "0")
    monkeypatch.setattr(shipping, "_WHOLE", 0)
    monkeypatch.setattr(shipping, "_FIRST", 150)
    shipping._rehearse(study, tmp_path)
    assert not (tmp_path / "results").exists()
    found = pickle.loads((tmp_path / "signatures").read_bytes())
    rooms = {module.split(".")[1] for module, _name in found}
    assert {"events", "trigger"} <= rooms  # those of an emulator are compiled with its module
    assert all(signatures for signatures in found.values())
