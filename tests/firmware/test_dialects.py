"""What hls4ml projects of other times and hands look like: around the kernels, not in them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import l1emu
from l1emu.errors import L1emuError
from tests.handmade_projects import ProjectMaker, need_compiler


def small(folder: Path) -> Path:
    make = ProjectMaker(folder, 5)
    x = make.input("x", (6,), make.type(8, 11))
    make.output(make.elementwise("act", "relu", make.dense("fc", x, 4)))
    return make.write()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_sizes_among_the_arguments(tmp_path: Path) -> None:
    """hls4ml up to 0.4 reports the sizes of input and output through two more arguments."""
    need_compiler()
    project = small(tmp_path / "p")
    plain = l1emu.Firmware.read(project).content_hash
    for name in ("handmade.cpp", "handmade.h"):
        edit(
            project / "firmware" / name,
            "\n)",
            ",\n    unsigned short &const_size_in_1, unsigned short &const_size_out_1\n)",
        )
    top = project / "firmware" / "handmade.cpp"
    edit(top, "#ifndef __SYNTHESIS__", "const_size_in_1 = 6;\n    const_size_out_1 = 4;\n#ifndef __SYNTHESIS__")
    assert l1emu.Firmware.read(project).content_hash == plain
    found = l1emu.verify(project, jets=50, optimization="-O0")
    assert found.identical and found.layers == 2
    edit(top, "const_size_out_1 = 4;", "const_other = 4;")
    with pytest.raises(L1emuError, match="not supported in the top function"):
        l1emu.Firmware.read(project)


def test_layers_that_are_traced(tmp_path: Path) -> None:
    """With hls4ml's `TraceOutput` a C simulation can keep what layers give, into variables of a file beside it."""
    need_compiler()
    project = small(tmp_path / "p")
    plain = l1emu.Firmware.read(project).content_hash
    top = project / "firmware" / "handmade.cpp"
    kept = '#ifndef __SYNTHESIS__\n    nnet::save_layer_output<fc_out_t>(fc_out, "fc", 4);\n#endif'
    edit(top, "// fc\n", f"// fc\n{kept}\n")
    assert l1emu.Firmware.read(project).content_hash == plain
    assert l1emu.verify(project, jets=50, optimization="-O0").identical
    edit(top, kept, kept.replace("nnet::save_layer_output<fc_out_t>(fc_out, ", "nnet::own<fc_out_t>(fc_out, "))
    with pytest.raises(L1emuError, match="a synthesis sees another top function"):
        l1emu.Firmware.read(project)


def test_without_fixed_point_headers_those_of_hls4ml_are_used(tmp_path: Path) -> None:
    need_compiler()
    project = small(tmp_path / "p")
    shutil.rmtree(project / "firmware" / "ap_types")
    assert l1emu.verify(project, jets=50, optimization="-O0").identical
    assert not (project / "firmware" / "ap_types").exists()


def test_the_top_function_among_others(tmp_path: Path) -> None:
    """A wrapper of VivadoAccelerator, or of the user, stands beside the top function."""
    project = small(tmp_path / "p")
    plain = l1emu.Firmware.read(project).content_hash
    folder = project / "firmware"
    (folder / "handmade_axi.cpp").write_text('#include "handmade.h"\nvoid handmade_axi(float in[6], float out[4]) {}\n')
    assert l1emu.Firmware.read(project).content_hash == plain
    (folder / "own.cpp").write_text("void own(float in[6]) {}\n")
    assert l1emu.Firmware.read(project).content_hash == plain
    (folder / "second.cpp").write_text('#include "parameters.h"\nvoid second(float in[6]) {}\n')
    with pytest.raises(L1emuError, match="the top function's file was not found"):
        l1emu.Firmware.read(project)


def test_directives_inside_comments(tmp_path: Path) -> None:
    """A former version of a file, left in a comment of its own, include guard and all."""
    project = small(tmp_path / "p")
    plain = l1emu.Firmware.read(project).content_hash
    defines = project / "firmware" / "defines.h"
    text = defines.read_text()
    defines.write_text(f'{text}\n/* "before"\n#if 0\n#endif\n{text}*/ // /*\n')
    assert l1emu.Firmware.read(project).content_hash == plain
    defines.write_text(f"{text}\n/*\n#endif\n")
    with pytest.raises(L1emuError, match=r"never closed|belongs to no #ifdef"):
        l1emu.Firmware.read(project)


def test_prints_in_kernels(tmp_path: Path) -> None:
    """Statements that only print change no number; whatever else they do is not looked through."""
    need_compiler()
    project = small(tmp_path / "p")
    plain = l1emu.Firmware.read(project).content_hash
    header = project / "firmware" / "nnet_utils" / "nnet_activation.h"
    begins = "res[CONFIG_T::n_in]) {\n"
    text = header.read_text()
    start = text.index(begins, text.index("void relu(")) + len(begins)
    shown = 'for (int i = 0; i < 3; i++) { std::cout << "in " << data[i] << std::endl; } std::cout << std::endl;\n'
    header.write_text(text[:start] + shown + text[start:])
    assert l1emu.Firmware.read(project).content_hash == plain
    for other in ("std::cout << (data[0] = 1);", "if (data[0] > 1) std::cout << 1;", "std::cout << 1; data[0] = 1;"):
        header.write_text(text[:start] + other + "\n" + text[start:])
        with pytest.raises(L1emuError, match=r"relu.*not one whose arithmetic is known here"):
            l1emu.Firmware.read(project)


def test_a_harmless_member_of_older_configs(tmp_path: Path) -> None:
    project = small(tmp_path / "p")
    plain = l1emu.Firmware.read(project).content_hash
    parameters = project / "firmware" / "parameters.h"
    edit(parameters, "static const unsigned n_zeros = 0;", "static const bool remove_pipeline_pragma = false;")
    assert l1emu.Firmware.read(project).content_hash == plain


def as_emulator(project: Path, folder: str) -> Path:
    """As CMS keeps the networks of its trigger: a namespace of its own, weights in one header, in another folder."""
    firmware = project / "firmware"
    headers = [firmware / "weights" / f"{name}.h" for name in ("w_fc", "b_fc")]
    weights = "".join(
        f"{name}_t {name}[{count}] = {{{(firmware / 'weights' / f'{name}.txt').read_text()}}};\n"
        for name, count in (("w_fc", 24), ("b_fc", 4))
    )
    shutil.rmtree(firmware / "weights")
    for name in ("defines.h", "parameters.h", "handmade.h", "handmade.cpp"):
        path = firmware / name
        text = (
            path.read_text().replace("__SYNTHESIS__", "LOAD_WEIGHTS_FROM_TEXT").replace("#ifndef LOAD", "#ifdef LOAD")
        )
        for header in headers:
            text = text.replace(f'#include "weights/{header.name}"\n', "")
        lines = text.split("\n")
        last = max(i for i, line in enumerate(lines) if line.startswith("#include"))
        lines.insert(last + 1, ('#include "weights.h"\n' if name == "parameters.h" else "") + "namespace net_v1 {")
        lines.insert(len(lines) if name.endswith(".cpp") else len(lines) - 2, "}")
        path.write_text("\n".join(lines))
    (firmware / "weights.h").write_text(f'#include "defines.h"\nnamespace net_v1 {{\n{weights}}}\n')
    (firmware / "net.cpp").write_text((firmware / "handmade.cpp").read_text())
    (firmware / "handmade.cpp").unlink()
    (firmware / "emulator.cpp").write_text('#include "handmade.h"\nint emulator(int x) { return x; }\n')
    if folder:
        firmware.rename(project / folder)
        return project
    return firmware


@pytest.mark.parametrize("folder", ["NN", ""])
def test_networks_of_cms_emulators(tmp_path: Path, folder: str) -> None:
    need_compiler()
    plain = l1emu.Firmware.read(small(tmp_path / "plain"))
    project = as_emulator(small(tmp_path / "p"), folder)
    firmware = l1emu.Firmware.read(project)
    assert firmware.name == "handmade" and firmware.content_hash == plain.content_hash
    assert l1emu.verify(project, jets=50, optimization="-O0").identical
