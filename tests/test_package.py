"""The package as a whole: what its core may import, and where it finds what it ships."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from l1emu.cli import VERBS
from l1emu.errors import L1emuError
from l1emu.resources import firmware_file, resolve, resource, shipped

EXTRAS = {
    "tensorflow",
    "keras",
    "tf_keras",
    "qkeras",
    "hls4ml",
    "pythia8mc",
    "pythia8",
    "fastjet",
    "sklearn",
    "h5py",
    "dask",
}


def modules_after(code: str) -> set[str]:
    report = "import sys; print(' '.join(sorted({m.split('.')[0] for m in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", f"{code}; {report}"], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_core_imports_no_extra() -> None:
    core = ["firmware", "emulator", "events", "latency", "stream", "trigger", "study", "report", "layers"]
    loaded = modules_after("; ".join(f"import l1emu.{room}" for room in core))
    assert not loaded & EXTRAS


@pytest.mark.parametrize("verb", [v for v in VERBS if v not in {"generate", "train", "convert"}])
def test_a_core_verb_imports_no_extra(verb: str) -> None:
    assert not modules_after(f"import l1emu.cli.{verb}") & EXTRAS


def test_help_loads_no_heavy_library() -> None:
    assert not modules_after("import l1emu, l1emu.cli") & (EXTRAS | {"numba", "numpy", "awkward", "matplotlib"})


def test_resources() -> None:
    assert resource("budgets/cms-phase2.yaml").is_file()
    assert resource("data/study.yaml").is_file()
    with pytest.raises(L1emuError, match="no such file comes with l1emu"):
        resource("budgets/absent.yaml")


def test_resolve_prefers_the_configs_own_folder(tmp_path: Path) -> None:
    assert resolve("budgets/cms-phase2.yaml", tmp_path) == resource("budgets/cms-phase2.yaml")
    (tmp_path / "budgets").mkdir()
    (tmp_path / "budgets" / "cms-phase2.yaml").touch()
    assert resolve("budgets/cms-phase2.yaml", tmp_path) == tmp_path / "budgets" / "cms-phase2.yaml"
    with pytest.raises(L1emuError, match="'absent'"):
        resolve("absent", tmp_path)


def test_what_is_shipped_is_known_by_its_name_and_by_nearly_its_name(tmp_path: Path) -> None:
    assert resolve("cms-phase2", tmp_path, "budget") == resource("budgets/cms-phase2.yaml")
    assert resolve("cms-phase2", tmp_path, "topology") == resource("budgets/cms-phase2.topology.yaml")
    assert resolve("ttbar-pu200", tmp_path, "recipe") == resource("datasets/recipes/ttbar-pu200.yaml")
    assert firmware_file(Path("jet-tagger")) == resource("models/jet-tagger/tagger.l1fw")
    assert set(shipped("firmware")) == {path.parent.name for path in resource("models").glob("*/*.l1fw")}
    assert firmware_file(Path("nothing like it")) == Path("nothing like it")
    for wrong, right in (("budgets/cms-phase-2.yaml", "budgets/cms-phase2.yaml"), ("minbias-pu20", "minbias-pu200")):
        with pytest.raises(L1emuError, match=f"'{right}', perhaps"):
            resolve(wrong, tmp_path, "recipe")
    with pytest.raises(L1emuError, match="'jet-tagger', perhaps"):
        firmware_file(Path("jet-tager"))
