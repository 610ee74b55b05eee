"""Which backend a project is for: as its files name it, else as its sources show it; others are refused by name."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

import l1emu
from l1emu.cli import app
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.firmware.backend import BACKENDS, UNKNOWN, read_backend, tool_of
from l1emu.latency.estimate import load_design
from tests.handmade_projects import every_kind

FOREIGN = ("Quartus", "oneAPI", "Catapult", "Libero", "SymbolicExpression", "Bambu", "Pynq", "Intel", "Vivado2", "")


def stated(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "hls4ml_config.yml").write_text(text)
    return folder


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("written", [str, str.lower, str.upper])
def test_the_config_names_the_backend_in_any_case(name: str, written: type, tmp_path: Path) -> None:
    folder = stated(tmp_path, f"OutputDir: x\nBackend: {written(name)}\nHLSConfig:\n  Model: {{Backend: Quartus}}\n")
    assert read_backend(folder) == name


@pytest.mark.parametrize(
    "text", ['"Backend" : "Vitis" # as said', "{Backend: Vitis}", "Backend: Quartus\nBackend: Vitis"]
)
def test_the_config_is_read_as_yaml(text: str, tmp_path: Path) -> None:
    assert read_backend(stated(tmp_path, f"{text}\n")) == "Vitis"


def test_tags_of_python_objects_in_the_config_are_passed_over(tmp_path: Path) -> None:
    text = "KerasModel: !keras_model 'm.h5'\nInputData: !!python/object/apply:os.system ['false']\nBackend: Vitis\n"
    assert read_backend(stated(tmp_path, text)) == "Vitis"


@pytest.mark.parametrize("name", FOREIGN)
def test_a_backend_that_is_not_supported_is_refused_by_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(L1emuError, match=rf"hls4ml_config\.yml: line 2, key Backend: .*got {name!r}.*VitisAccelerator"):
        read_backend(stated(tmp_path, f"ProjectName: p\nBackend: {name}\n"))


def test_every_file_that_names_a_backend_must_name_a_supported_one(tmp_path: Path) -> None:
    (tmp_path / "project.tcl").write_text('variable backend\nset backend "vitis"\n')
    assert read_backend(tmp_path) == "Vitis"
    assert read_backend(stated(tmp_path, "Backend: VitisAccelerator\n")) == "VitisAccelerator"
    with pytest.raises(L1emuError, match="Bambu"):
        read_backend(stated(tmp_path, "Backend: Bambu\n"))
    stated(tmp_path, "ProjectName: p\n")
    (tmp_path / "project.tcl").write_text("set backend bambu\n")
    with pytest.raises(L1emuError, match=r"project\.tcl: line 1: .*'bambu'"):
        read_backend(tmp_path)


@pytest.mark.parametrize(
    "text", ["Backend: [\n", "a: b: c\n", "\t- x\n", "a\x00b", "[" * 100_000, "- Backend\n", "word\n"]
)
def test_a_config_that_is_no_yaml_mapping_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(L1emuError, match=r"hls4ml_config\.yml"):
        read_backend(stated(tmp_path, text))


@pytest.mark.parametrize("value", ["[Vivado]", "{a: Vivado}", "null", "1"])
def test_a_backend_that_is_no_name_is_refused(value: str, tmp_path: Path) -> None:
    with pytest.raises(L1emuError, match="this backend is not supported"):
        read_backend(stated(tmp_path, f"Backend: {value}\n"))


@pytest.mark.parametrize("tool", ["Quartus", "oneAPI", "Catapult", "Libero"])
def test_sources_of_other_tools_are_known_by_what_they_show(tool: str, tmp_path: Path) -> None:
    """hls4ml's own templates of its other backends, without any file that names them."""
    spec = find_spec("hls4ml")
    if spec is None or spec.origin is None:
        pytest.skip("hls4ml is not installed")
    templates = Path(spec.origin).parent / "templates" / tool.lower() / "firmware"
    if not templates.is_dir():
        pytest.skip(f"this hls4ml has no backend {tool}")
    place = "src/firmware" if tool == "oneAPI" else "firmware"
    shutil.copytree(templates, tmp_path / place, ignore=shutil.ignore_patterns("nnet_utils"))
    with pytest.raises(L1emuError, match=f"sources for the backend {tool}"):
        read_backend(tmp_path)


@pytest.mark.parametrize(
    ("line", "tool"),
    [
        ("typedef ac_fixed<16,6,true> input_t;", "Quartus, oneAPI or Catapult"),
        ("#pragma HLS_interface x m_axi", "Bambu"),
        ("// once an ac_fixed<16,6> for __INTELFPGA_COMPILER__", None),
        ("/* #include <sycl/sycl.hpp>\n */", None),
        ("typedef ap_fixed<16,6> input_t;", None),
    ],
)
def test_types_of_other_tools_tell_and_comments_do_not(line: str, tool: str | None, tmp_path: Path) -> None:
    (tmp_path / "firmware").mkdir()
    (tmp_path / "firmware" / "defines.h").write_text(f"{line}\n")
    if tool is None:
        assert read_backend(tmp_path) == UNKNOWN
        return
    with pytest.raises(L1emuError, match=tool):
        read_backend(tmp_path)
    with pytest.raises(L1emuError, match=tool):  # whatever the config says
        read_backend(stated(tmp_path, "Backend: Vivado\n"))


def test_all_verbs_refuse_alike_and_a_hand_made_project_needs_no_name(tmp_path: Path) -> None:
    folder = every_kind(tmp_path / "p", 5)
    (folder / "project.tcl").unlink()
    assert Firmware.read(folder).backend == UNKNOWN
    assert load_design(folder).backend is None
    stated(folder, "Backend: Bambu\n")
    with pytest.raises(L1emuError, match="Bambu"):
        l1emu.verify(folder, jets=1)
    for verb in (["estimate", "--part", "xcvu13p-flga2577-2-e"], ["emulate", "--explain"], ["budget", "--estimate"]):
        result = CliRunner().invoke(app, [*verb, str(folder), "--json"])
        assert isinstance(result.exception, L1emuError), verb
        assert "Bambu" in str(result.exception)
        assert not result.stdout


def test_the_estimate_says_the_backend_also_of_a_saved_firmware(tmp_path: Path) -> None:
    folder = every_kind(tmp_path / "p", 5, "vitis")
    firmware = Firmware.read(folder)
    firmware.save(tmp_path / "f.l1fw")
    for path in (folder, tmp_path / "f.l1fw"):
        options = ["--part", "xcvu13p-flga2577-2-e", "--clock", "5ns", "--json"]
        result = CliRunner().invoke(app, ["estimate", str(path), *options])
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["backend"] == "Vitis"


def test_a_backend_s_tool() -> None:
    assert [tool_of(name) for name in (*BACKENDS, UNKNOWN)] == ["Vivado", "Vitis", "Vivado", "Vitis", None]
