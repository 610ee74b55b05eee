"""A project's files are read as a compiler reads them, or refused: includes, macros, conditions, weights, links."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import l1emu
from l1emu.errors import L1emuError
from l1emu.fixedpoint import FixedPoint
from tests.handmade_projects import ProjectMaker, need_compiler


def network(folder: Path) -> Path:
    """A dense layer of 6 to 4 numbers, a ReLU, a dense layer of 4 to 3."""
    make = ProjectMaker(folder, 5, ordinary=True)
    x = make.input("x", (6,), make.type())
    make.output(make.dense("head", make.elementwise("act", "relu", make.dense("fc", x, 4)), 3))
    return make.write()


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return network(tmp_path_factory.mktemp("pristine") / "p")


@pytest.fixture
def project(pristine: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(pristine, tmp_path / "p"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def refusal(project: Path) -> str:
    with pytest.raises(L1emuError) as error:
        l1emu.Firmware.read(project)
    assert "\n" not in str(error.value)
    return str(error.value)


def compiles(project: Path) -> bool:
    need_compiler()
    folder = project / "firmware"
    command = ["g++", "-std=c++17", "-w", "-fsyntax-only", "-Iap_types", "-I.", "handmade.cpp"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


AFTER = '#include "parameters.h"\n'


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        # macros and includes
        ("handmade.cpp", AFTER, '#define nnet other\n', "line"),
        ("handmade.cpp", AFTER, '#define F(x) x\n', "#define F(x) x"),
        ("handmade.cpp", AFTER, '#undef MIN\n', "#undef MIN"),
        ("handmade.cpp", AFTER, '#include "own.h"\n', "own.h"),
        ("handmade.cpp", AFTER, '#include <own>\n', "own"),
        ("handmade.cpp", AFTER, '#include "/dev/zero"\n', "/dev/zero"),
        ("handmade.cpp", AFTER, '#pragma pack(1)\n', "#pragma pack(1)"),
        ("handmade.cpp", AFTER, '#ifdef FAST\n#endif\n', "#ifdef FAST"),
        ("handmade.cpp", AFTER, '#if 0\n#endif\n', "#if 0"),
        ("handmade.cpp", AFTER, 'using namespace nnet;\n', "using"),
        ("handmade.cpp", AFTER, 'int f() { return 1; }\n', "int f()"),
        ("handmade.cpp", AFTER, 'void f() {}\n', "beside the top function"),
        ("handmade.cpp", AFTER, 'int n = (w_fc[0] = 1, 2);\n', "initializer"),
        ("handmade.cpp", AFTER, 'int n = f();\n', "initializer"),
        ("handmade.cpp", AFTER, '%:define nnet other\n', "%:"),
        ("handmade.cpp", AFTER, '// a\\\nint f;\n', "backslash"),
        ("handmade.cpp", AFTER, '// ??/\n', "trigraph"),
        ("handmade.cpp", AFTER, 'int a??(2??);\n', "trigraph"),
        ("handmade.cpp", AFTER, 'const char *s = "??=";\n', "trigraph"),
        ("handmade.cpp", AFTER, '/* a *\\\n/ int f; /* b */\n', "a comment whose end a backslash breaks"),
        ("handmade.cpp", AFTER, 'const char *s = R"(a)";\n', "raw string"),
        ("handmade.cpp", AFTER, 'template <class T> struct A {};\n', "template"),
        ("defines.h", "typedef", "#define MAX(a, b) a\ntypedef", "#define MAX(a, b) a"),
        ("defines.h", "typedef", "#/**/define fc_accum_t w_fc_t\ntypedef", "define fc_accum_t w_fc_t"),
        ("defines.h", "typedef", '#define WEIGHTS_DIR "other"\ntypedef', "another folder"),
        ("defines.h", "typedef", "#define N 1\n#define N 2\ntypedef", "defined twice"),
        ("defines.h", "typedef", '#include "defines.h"\n#include "../../../x.h"\ntypedef', "x.h"),
        ("parameters.h", "struct config_fc ", "struct config_fc {};\nstruct config_fc ", "declared twice"),
        ("parameters.h", "n_in = 6;", "n_in = 6, other = 3;", "initializer"),
        ("parameters.h", "n_in = 6;", "n_in = 08;", "08"),
        ("parameters.h", "n_in = 6;", f"n_in = {'9' * 5000};", "too many digits"),
        ("parameters.h", "n_in = 6;", f"n_in = {'(' * 3000}6{')' * 3000};", "nested too deeply"),
        ("parameters.h", "n_in = 6;", "n_in = n_in;", "made of itself"),
        ("parameters.h", "n_in = 6;", "n_in = 2147483647;", "larger than any firmware"),
        ("parameters.h", "n_in = 6;", "n_in = (2 - 8) / 1;", "not understood"),
        ("parameters.h", "static const unsigned n_in = 6;", "static const unsigned char n_in = 262;", "not hold"),
        ("parameters.h", "#ifndef PARAMETERS_H_", "#ifdef __HLS_SYN__\nint a;\n#endif\n#ifndef PARAMETERS_H_", "synth"),
        ("defines.h", "#ifndef DEFINES_H_", "\0#ifndef DEFINES_H_", "NUL"),
        ("defines.h", "typedef", "/* é */ typedef é x;\ntypedef", "not C++"),
        ("handmade.cpp", "fc_out_t fc_out[4]", "fc_out_t fc_out[2000000000]", "larger than any firmware"),
        ("handmade.cpp", "fc_out_t fc_out[4];", "fc_out_t fc_out[4];\n    fc_out_t fc_out[4];", "declared twice"),
        ("handmade.cpp", "fc_out_t fc_out[4];", "fc_out_t fc_out[4];\n    w_fc_t w_fc[24];", "hides"),
        ("handmade.cpp", "if (!loaded_weights)", "if (!loaded_weights && false)", "synthesis"),
        ("handmade.cpp", "loaded_weights = false", "loaded_weights = true", "synthesis"),
        ("handmade.cpp", '"w_fc.txt"', '"../weights/w_fc.txt"', "outside the project"),
        ("handmade.cpp", '"w_fc.txt"', '"/dev/zero"', "outside the project"),
        ("handmade.cpp", "<w_fc_t, 24>", "<w_fc_t, 12>", "24"),
        ("nnet_utils/nnet_common.h", "#define MIN", "#define accum_t bias_t\n#define MIN", "bias_t"),
        ("nnet_utils/nnet_common.h", "namespace nnet {", "int operator+(A, B) {}\nnamespace nnet {", "operator"),
        ("nnet_utils/nnet_activation.h", "#else", "initialized = true;\n#else", "synthesis sees other code"),
        # what changes the compiler's arithmetic, or a library
        ("handmade.cpp", AFTER, '#pragma GCC optimize("Ofast")\n', "#pragma GCC optimize"),
        ("nnet_utils/nnet_dense.h", "namespace nnet {", '#pragma GCC optimize("Ofast")\nnamespace nnet {', "Ofast"),
        ("handmade.cpp", AFTER, '#pragma GCC push_options\n', "push_options"),
        ("handmade.cpp", AFTER, '#pragma STDC FP_CONTRACT ON\n', "FP_CONTRACT"),
        ("handmade.cpp", AFTER, '_Pragma("GCC optimize(3)")\n', "_Pragma"),
        ("handmade.cpp", "void handmade", '__attribute__((optimize("Ofast"))) void handmade', "__attribute__"),
        ("handmade.cpp", "void handmade", '[[gnu::optimize("Ofast")]] void handmade', "line"),
        ("nnet_utils/nnet_common.h", "namespace nnet {", 'namespace nnet {\n__attribute__((cold)) int f();', "attr"),
        ("defines.h", '#include "ap_fixed.h"', '#define ap_fixed ap_ufixed\n#include "ap_fixed.h"', "ap_ufixed"),
        ("defines.h", '#include "ap_fixed.h"', '#define AP_TRN AP_RND\n#include "ap_fixed.h"', "AP_TRN AP_RND"),
        ("defines.h", '#include "ap_fixed.h"', '#define float double\n#include "ap_fixed.h"', "float double"),
        ("defines.h", '#include "ap_fixed.h"', '#define overflow quantization\n#include "ap_fixed.h"', "overflow"),
        ("defines.h", '#include "ap_fixed.h"', '#define exp sin\n#include "ap_fixed.h"', "exp"),
        ("ap_types/ap_fixed.h", "#include", "#define fc_accum_t w_fc_t\n#include", "fc_accum_t w_fc_t"),
        ("ap_types/ap_int_base.h", "#include", "#define dense_latency(a) a\n#include", "dense_latency"),
        # what no compiler takes, wherever it stands
        ("nnet_utils/nnet_activation.h", "void relu6(", "void relu6 x(", "not C++ that compiles"),
        ("nnet_utils/nnet_common.h", "return a && b;", "return a && && b;", "not C++ that compiles"),
        ("nnet_utils/nnet_common.h", "return a && b;", "return a + c;", "c is not declared"),
        ("nnet_utils/nnet_common.h", "return a && b;", "return a b;", "';' is expected"),
        ("nnet_utils/nnet_common.h", "return a && b;", "break;", "break outside a loop"),
        ("parameters.h", "static const unsigned io_type", "static static const unsigned io_type", "static twice"),
        ("nnet_utils/nnet_common.h", "class Op_and", "class Op_add", "defined twice"),
        ("nnet_utils/nnet_common.h", "#define DIV_ROUNDUP", "// #define DIV_ROUNDUP", "DIV_ROUNDUP is not declared"),
        ("parameters.h", "multiplier_limit = DIV_ROUNDUP(n_in", "multiplier_limit = DIV_ROUNDUP(n_im", "n_im is not"),
        ("defines.h", "fc_accum_t;", "fc_accum_t;\nnamespace a { typedef ap_int<8> t; }\ntypedef t u;", "t is not"),
        ("defines.h", "typedef", "typedef fc_accum_t early_t;\ntypedef", "fc_accum_t is not declared"),
        ("nnet_utils/nnet_common.h", "class Op_and", "template <int n> struct own { T };\nclass Op_and", "line"),
    ],
)  # fmt: skip
def test_what_is_not_interpreted_is_refused(project: Path, file: str, old: str, new: str, told: str) -> None:
    path = project / "firmware" / file
    edit(path, old, AFTER + new if old == AFTER else new)
    message = refusal(project)
    assert str(project) in message and told in message


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("nnet_utils/nnet_common.h", "return a && b;", "if (a < b && b > a) return T(a); else return (T)b;"),
        ("nnet_utils/nnet_common.h", "return a && b;", "for (int i = 0, k = 2; i < k; i++) { a += b; } return a;"),
        ("nnet_utils/nnet_common.h", "namespace nnet {", "namespace nnet {\ntemplate <int n> struct own { int a; };"),
        ("defines.h", "fc_accum_t;", "fc_accum_t;\nnamespace a {\ntypedef ap_fixed<8,2> t;\n}\ntypedef a::t u;"),
        ("defines.h", "typedef", "#define N_OWN 4\ntypedef"),
        ("defines.h", "typedef", "// types (??) of what ??= is\n/* ??( */\ntypedef"),
        ("nnet_utils/nnet_activation.h", "namespace nnet {", "#pragma inline\n#pragma UNROLL\nnamespace nnet {"),
        ("defines.h", "typedef", "#include <mutex>\n#include <condition_variable>\ntypedef"),
    ],
)  # fmt: skip
def test_what_compiles_beside_the_kernels_is_read(project: Path, pristine: Path, file: str, old: str, new: str) -> None:
    """A function that nothing calls may be anything that compiles."""
    edit(project / "firmware" / file, old, new)
    assert compiles(project)
    assert l1emu.Firmware.read(project).content_hash == l1emu.Firmware.read(pristine).content_hash


def test_macros_stand_for_their_value(project: Path, pristine: Path) -> None:
    """A macro that swaps a config changes the firmware as it changes the C++."""
    plain = l1emu.Firmware.read(pristine).content_hash
    defines, parameters = project / "firmware" / "defines.h", project / "firmware" / "parameters.h"
    edit(defines, "typedef", "#define FOUR 4\n#define OUTPUTS FOUR\ntypedef")
    edit(parameters, "n_out = 4;", "n_out = OUTPUTS;")
    assert l1emu.Firmware.read(project).content_hash == plain
    assert compiles(project)
    edit(defines, "typedef", "#define fc_accum_t w_fc_t\ntypedef")
    assert "declared twice" in refusal(project)  # and the C++ says the same
    assert not compiles(project)


def test_a_macro_behind_the_types_swaps_them(project: Path, pristine: Path) -> None:
    need_compiler()
    plain = l1emu.Firmware.read(pristine).content_hash
    edit(project / "firmware" / "parameters.h", "struct config_fc ", "#define fc_accum_t w_fc_t\nstruct config_fc ")
    assert l1emu.Firmware.read(project).content_hash != plain
    assert l1emu.verify(project, jets=50, optimization="-O0").identical


def test_synthesis_and_simulation_see_the_same(project: Path) -> None:
    edit(
        project / "firmware" / "parameters.h",
        "struct config_fc ",
        "#ifdef __SYNTHESIS__\n#define fc_accum_t w_fc_t\n#endif\nstruct config_fc ",
    )
    assert "synthesis" in refusal(project)


def test_headers_are_those_that_are_included(project: Path, pristine: Path) -> None:
    """Whatever the folder is called, and whatever lies beside; a header that is left out is not missed."""
    plain = l1emu.Firmware.read(pristine).content_hash
    firmware = project / "firmware"
    (firmware / "nnet_utils" / "nnet_more.h").write_text(
        "namespace nnet { void relu() {} }\n#error nobody reads this\n"
    )
    for unused in ("garnet", "image", "sepconv2d_stream"):
        (firmware / "nnet_utils" / f"nnet_{unused}.h").unlink()
    assert l1emu.Firmware.read(project).content_hash == plain
    (firmware / "nnet_utils").rename(firmware / "nn_utils")
    parameters = firmware / "parameters.h"
    parameters.write_text(parameters.read_text().replace("nnet_utils/", "nn_utils/"))
    assert l1emu.Firmware.read(project).content_hash == plain
    assert compiles(project)
    edit(
        parameters,
        '#include "nn_utils/nnet_dense.h"',
        '#include "nn_utils/nnet_more.h"\n#include "nn_utils/nnet_dense.h"',
    )
    assert "#error" in refusal(project)


@pytest.mark.parametrize("function", ["tanh", "sigmoid"])
def test_definitions_are_judged_by_themselves(tmp_path: Path, function: str) -> None:
    """`nnet_recr_activations.h` has classes of the same names."""
    make = ProjectMaker(tmp_path / "p", 3)
    x = make.input("x", (4,), make.type())
    make.output(make.elementwise("act", function, x))
    project = make.write()
    plain = l1emu.Firmware.read(project).content_hash
    parameters = project / "firmware" / "parameters.h"
    text = parameters.read_text()
    parameters.write_text(re.sub(r'#include "nnet_utils/nnet_(?!activation|helpers).*\n', "", text))
    assert l1emu.Firmware.read(project).content_hash == plain
    assert compiles(project)


def test_own_kernels_are_told_by_line(project: Path) -> None:
    header = project / "firmware" / "nnet_utils" / "nnet_dense_latency.h"
    edit(header, "acc[jj] += mult[index];", "acc[jj] -= mult[index];")
    line = next(i for i, text in enumerate(header.read_text().split("\n"), 1) if "-= mult" in text)
    message = refusal(project)
    assert f"nnet_dense_latency.h: line {line}: dense_latency" in message
    assert "acc[jj] -= mult[index];" in message


def test_weights_of_header_and_text(project: Path, pristine: Path) -> None:
    """A synthesis reads the header alone. Digits may differ where the numbers do not."""
    plain = l1emu.Firmware.read(pristine).content_hash
    weights = project / "firmware" / "weights"
    text = (weights / "w_fc.txt").read_text().split(", ")
    (weights / "w_fc.txt").write_text(", ".join([f"{text[0]}0001", *text[1:]]))
    assert l1emu.Firmware.read(project).content_hash == plain
    (weights / "w_fc.txt").write_text(", ".join([*text[:2], "0.03125", *text[3:]]))
    message = refusal(project)
    assert "w_fc.txt: entry 3: the weights differ from those of w_fc.h" in message and "0.03125" in message
    (weights / "w_fc.txt").write_text(", ".join(text))
    edit(weights / "w_fc.h", "{", "{7, ")
    assert "w_fc.h" in refusal(project)


def test_long_lists_of_numbers_are_compared_too(tmp_path: Path) -> None:
    make = ProjectMaker(tmp_path / "p", 5, ordinary=True)
    make.output(make.dense("fc", make.input("x", (24,), make.type()), 24))
    project = make.write()
    plain = l1emu.Firmware.read(project).content_hash
    header = project / "firmware" / "weights" / "w_fc.h"
    text = header.read_text()
    body = text[text.rindex("{") + 1 : text.rindex("}")]
    words = [word.strip() for word in body.split(",")]
    for changed, told in (
        (["-  0.0", *words[1:]], None if float(words[0]) == 0 else "entry 1"),
        (["010", *words[1:]], "entry 1: not a decimal number"),
        ([*words[:4], "1 2", *words[5:]], "entry 5: not a number"),
        ([*words[:-1], "31"], f"entry {len(words)}: the weights differ"),
        (words[:-1], "wrong count"),
    ):
        header.write_text(text.replace(body, ", ".join(changed)))
        assert told is None or told in refusal(project)
    header.write_text(text.replace(body, ",\n".join(words)))
    assert l1emu.Firmware.read(project).content_hash == plain


def test_own_headers_among_the_fixed_point_library_are_read(project: Path, pristine: Path) -> None:
    folder = project / "firmware" / "ap_types"
    folder.mkdir(exist_ok=True)
    (folder / "ap_mine.h").write_text("#define fc_accum_t w_fc_t\n")
    edit(project / "firmware" / "parameters.h", "struct config_fc ", '#include "ap_mine.h"\nstruct config_fc ')
    assert l1emu.Firmware.read(project).content_hash != l1emu.Firmware.read(pristine).content_hash


def test_the_fixed_point_library_may_lie_beside_the_sources(project: Path, pristine: Path) -> None:
    """It is read there no more than in ap_types/, but for its macros."""
    folder = project / "firmware"
    for path in (folder / "ap_types").iterdir():
        (shutil.copytree if path.is_dir() else shutil.copy)(path, folder / path.name)
    shutil.rmtree(folder / "ap_types")
    assert l1emu.Firmware.read(project).content_hash == l1emu.Firmware.read(pristine).content_hash
    edit(folder / "ap_decl.h", "#define __AP_DECL_H__", "#define __AP_DECL_H__\n#define fc_accum_t w_fc_t")
    assert "a macro of the fixed-point library" in refusal(project)


def test_of_two_top_functions_the_configuration_names_one(project: Path, pristine: Path) -> None:
    folder = project / "firmware"
    text = (
        (folder / "handmade.cpp")
        .read_text()
        .replace("void handmade(", "void earlier(")
        .replace("handmade.h", "earlier.h")
    )
    (folder / "earlier.cpp").write_text(text)
    (folder / "earlier.h").write_text((folder / "handmade.h").read_text().replace("void handmade(", "void earlier("))
    assert "the top function's file was not found" in refusal(project)
    (project / "hls4ml_config.yml").write_text("Backend: Vivado\nProjectName: handmade\n")
    assert l1emu.Firmware.read(project).content_hash == l1emu.Firmware.read(pristine).content_hash


@pytest.mark.parametrize("name", ["weights/w_fc.txt", "defines.h", "nnet_utils/nnet_dense.h", "handmade.cpp"])
def test_files_are_regular_and_of_their_size(project: Path, name: str) -> None:
    path = project / "firmware" / name
    path.unlink()
    os.mkfifo(path)
    assert "not a regular file" in refusal(project)
    path.unlink()
    with path.open("wb") as stream:
        stream.truncate(1 << 30)
    assert "too large" in refusal(project)
    path.unlink()
    path.write_bytes(b"\xff\xfe")
    assert "UTF-8" in refusal(project) or "top function" in refusal(project)
    path.unlink()
    path.symlink_to("/dev/zero")
    message = refusal(project)
    assert "outside the project" in message or "not a regular file" in message


def test_links_inside_the_project_are_followed(project: Path, pristine: Path) -> None:
    weights = project / "firmware" / "weights"
    for path in list(weights.iterdir()):
        path.rename(project / path.name)
        path.symlink_to(project / path.name)
    assert l1emu.Firmware.read(project).content_hash == l1emu.Firmware.read(pristine).content_hash
    outside = project.parent / "elsewhere.txt"
    (project / "w_fc.txt").rename(outside)
    (weights / "w_fc.txt").unlink()
    (weights / "w_fc.txt").symlink_to(outside)
    assert "outside the project" in refusal(project)


@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize("changed", ["data", "result", "accum", ""])
def test_lstm_that_does_not_compile(tmp_path: Path, changed: str, static: bool) -> None:
    """`lstm` passes arrays of one type as another, and is compiled beside `lstm_static`."""
    kind = "ap_fixed<14,6>"
    make = ProjectMaker(tmp_path / "p", 2)
    x = make.input("x", (3, 2), FixedPoint.parse(kind))
    make.output(make.recurrent("cell", "lstm", x, sequences=False, static=static, kind=kind))
    project = make.write()
    name = {"data": "x_t", "result": "cell_out_t", "accum": "cell_accum_t", "": ""}[changed]
    if name:
        edit(project / "firmware" / "defines.h", f"typedef ap_fixed<14,6> {name};", f"typedef ap_fixed<16,6> {name};")
        assert "does not compile" in refusal(project)
    else:
        l1emu.Firmware.read(project)
    assert compiles(project) == (not changed)


def embedding(folder: Path, kind: str, rows: int = 7) -> Path:
    make = ProjectMaker(folder, 9, ordinary=True)
    make.output(make.embedding("emb", make.input("x", (5,), FixedPoint.parse(kind)), rows, 3))
    return make.write()


@pytest.mark.parametrize("kind", ["ap_fixed<12,6>", "ap_ufixed<9,4>", "ap_int<5>", "ap_fixed<6,6>"])
def test_index_of_an_embedding_is_converted_as_in_the_c_simulation(tmp_path: Path, kind: str) -> None:
    need_compiler()
    project = embedding(tmp_path / "p", kind)
    firmware = l1emu.Firmware.read(project)
    low, high = firmware.limits["x"]
    type_ = firmware.inputs[0].type
    raw = np.arange(low, high + 1)
    jets = type_.to_float(np.resize(raw, (len(raw), 5)))
    assert l1emu.verify(project, jets=50, inputs=jets, optimization="-O0").identical
    emulator = l1emu.Emulator(firmware)
    emulator(jets)
    step = 1 / (1 << type_.fraction)
    for beyond in ([(low - 1) * step] if low > type_.low else []) + [(high + 1) * step]:
        with pytest.raises(L1emuError, match=r"input x.*beyond the table of an embedding"):
            emulator(np.full((1, 5), beyond))
        with pytest.raises(L1emuError, match=r"x, jet 0.*an index beyond the table of an embedding"):
            l1emu.verify(project, jets=10, inputs=np.full((1, 5), beyond), optimization="-O0")


def test_index_of_an_embedding_behind_a_layer_is_proven(tmp_path: Path) -> None:
    def project(folder: Path, kind: str) -> Path:
        make = ProjectMaker(folder, 9, ordinary=True)
        x = make.input("x", (5,), FixedPoint.parse("ap_fixed<8,6>"))
        whole = make.elementwise("whole", "relu", x, kind=FixedPoint.parse(kind))
        make.output(make.embedding("emb", whole, 8, 3))
        return make.write()

    l1emu.Emulator(l1emu.Firmware.read(project(tmp_path / "inside", "ap_uint<3>")))
    with pytest.raises(L1emuError, match=r"layer emb.*beyond the table.*0 to 15.*0 to 7"):
        l1emu.Emulator(l1emu.Firmware.read(project(tmp_path / "beyond", "ap_uint<4>")))
