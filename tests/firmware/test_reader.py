"""Projects are read from their C++, and what is not known there is refused by name."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from l1emu import Firmware
from l1emu.errors import L1emuError
from l1emu.firmware import reference
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import KINDS, Dense, Softmax
from tests.handmade_projects import ProjectMaker, every_kind, small


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return every_kind(tmp_path_factory.mktemp("pristine") / "handmade", 5)


@pytest.fixture
def project(pristine: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(pristine, tmp_path / "handmade"))


def edit(path: Path, pattern: str, replacement: str) -> None:
    text = path.read_text()
    changed = re.sub(pattern, replacement, text, count=1)
    assert changed != text, "the test changed nothing"
    path.write_text(changed)


def refused(project: Path) -> L1emuError:
    with pytest.raises(L1emuError) as error:
        Firmware.read(project)
    return error.value


def test_graph(pristine: Path) -> None:
    fw = Firmware.read(pristine)
    assert fw.name == "handmade"
    assert fw.backend == "Vivado"
    assert [t.name for t in fw.inputs] == ["x"]
    assert fw.inputs[0].shape == (4, 6)
    assert [t.name for t in fw.outputs] == ["sm_stable_out", "head_out"]
    assert {layer.kind for layer in fw.layers} == set(KINDS) - {"quantize", "treeaverage"}  # generated, and of streams
    by_name = {layer.name: layer for layer in fw.layers}
    slow = by_name["slow"]
    assert isinstance(slow, Dense)
    assert slow.order.tolist() == [0, 3, 1, 4, 2, 5]
    assert slow.weight.shape == (6, 5)
    assert by_name["qk"].inputs[0].shape == (4, 2, 3)
    softmax = by_name["sm_stable"]
    assert isinstance(softmax, Softmax)
    assert (softmax.n_outer, softmax.n_slice, softmax.n_inner) == (8, 4, 1)
    assert not softmax.exp_table.flags.writeable
    assert fw.parameters == sum(
        v.size for la in fw.layers for n, v in vars(la).items() if n in ("weight", "bias", "scale")
    )


def test_weights_are_those_of_the_text_files(pristine: Path) -> None:
    fw = Firmware.read(pristine)
    emb = next(layer for layer in fw.layers if layer.name == "emb")
    assert isinstance(emb, Dense)
    text = (pristine / "firmware" / "weights" / "w_emb.txt").read_text()
    expected = [float(word) * 2.0**emb.weight_type.fraction for word in text.split(",")]
    assert emb.weight.ravel().tolist() == expected


def test_weights_from_headers_where_nothing_is_loaded(pristine: Path, project: Path) -> None:
    loaded = Firmware.read(pristine)
    source = project / "firmware" / "handmade.cpp"
    edit(source, r"(?s)#ifndef __SYNTHESIS__.*?#endif", "")
    for header in (project / "firmware" / "weights").glob("*.h"):
        text = header.read_text()
        header.write_text(re.sub(r"(?s)#ifndef __SYNTHESIS__.*?#else\n(.*?)#endif", r"\1", text))
    for text_file in (project / "firmware" / "weights").glob("*.txt"):
        text_file.unlink()
    edit(project / "firmware" / "defines.h", "typedef", '#define WEIGHTS_DIR "../elsewhere"\ntypedef')
    assert Firmware.read(project).content_hash == loaded.content_hash


def test_weights_that_a_simulation_does_not_load_are_refused(project: Path) -> None:
    """They are zeros in the C simulation, and the header's numbers in a synthesis."""
    edit(project / "firmware" / "handmade.cpp", r" *nnet::load_weights_from_txt<b_head_t.*;\n", "")
    with pytest.raises(L1emuError, match=r"b_head\.h: line \d+: b_head has its numbers in a synthesis alone"):
        Firmware.read(project)


def test_backends_and_folders_do_not_change_the_content(tmp_path: Path, pristine: Path) -> None:
    other = every_kind(tmp_path / "moved" / "elsewhere", 5, "vitis")
    fw = Firmware.read(other)
    assert fw.backend == "Vitis"
    assert fw.content_hash == Firmware.read(pristine).content_hash


def test_one_weight_changes_the_content(project: Path, pristine: Path) -> None:
    edit(project / "firmware" / "weights" / "b_head.txt", r"^-?[\d.]+", "0.0")
    edit(project / "firmware" / "weights" / "b_head.h", r"\{-?[\d.]+", "{0.0")
    assert Firmware.read(project).content_hash != Firmware.read(pristine).content_hash


def test_comments_and_spaces_do_not_matter(project: Path, pristine: Path) -> None:
    parameters = project / "firmware" / "parameters.h"
    parameters.write_text(parameters.read_text().replace(";", " ; // a comment\n /* and\n another */"))
    edit(project / "firmware" / "nnet_utils" / "nnet_einsum.h", "accum_buf = 0;", "accum_buf  =  0; // nothing")
    assert Firmware.read(project).content_hash == Firmware.read(pristine).content_hash


@pytest.mark.parametrize(
    ("file", "pattern", "replacement", "told"),
    [
        ("parameters.h", r"(struct config_slow .*?\{)", r"\1\n static const unsigned magic = 3;", ["magic", "line"]),
        ("parameters.h", r"product::mult<", "product::weight_binary<", ["weight_binary", "line"]),
        ("parameters.h", r"(struct config_head .*?)nnet::DenseLatency", r"\1nnet::DenseMystery", ["DenseMystery"]),
        ("parameters.h", "softmax_implementation::stable", "softmax_implementation::sparse", ["sparse", "sm_stable"]),
        ("parameters.h", "nnet::io_parallel", "nnet::io_stream", ["io_stream", "io_parallel"]),
        ("parameters.h", r"exp_table_size = \d+", "exp_table_size = 48", ["48", "power of two", "sm_stable"]),
        ("parameters.h", r"n_in = 24", "n_in = 23", ["n_in", "23"]),
        ("parameters.h", r"pad_left = 0", "pad_left = 1", ["pad_left", "1"]),
        ("parameters.h", r"n_in = 24", "n_in = 5 +", ["not understood", "line"]),
        ("parameters.h", r"n_in = 24", "n_in = N_UNKNOWN", ["N_UNKNOWN"]),
        ("parameters.h", r"n_in = 24", "n_in = 24 / 0", ["not understood", "line"]),
        ("parameters.h", r"perm\[3\] = \{1, 0, 2\}", "perm[3] = {0, 1, 2}", ["contradicts itself"]),
        ("parameters.h", r"struct config_head ", "struct config_other ", ["config_head"]),
        ("parameters.h", r"#ifndef PARAMETERS_H_", "#if defined(PARAMETERS_H_)", ["preprocessor", "line 1"]),
        ("defines.h", r"typedef (.*) head_out_t", "typedef float head_out_t", ["float", "line"]),
        ("defines.h", r"typedef (.*) head_out_t", r"typedef ap_fixed<2000, 20> head_out_t", ["2000", "1024 bits"]),
        ("defines.h", r"typedef (.*) head_out_t", r"typedef ap_fixed<8,2,AP_ODD> head_out_t", ["AP_ODD", "ODD"]),
        ("defines.h", r"typedef (.*) head_out_t", r"typedef nnet::array<x_t, 3> head_out_t", ["array", "ap_fixed"]),
        ("handmade.cpp", r"nnet::relu<", "nnet::gelu<", ["nnet::gelu", "line"]),
        ("handmade.cpp", r"(nnet::relu<)", r"x[0] = 1;\n    \1", ["x[0] = 1", "line"]),
        ("handmade.cpp", r"emb_out_t emb_out\[", "hls::stream<emb_out_t> emb_out[", ["streams", "nnet::array"]),
        ("handmade.cpp", r"(?s)\n\n\}\n$", "\n", ["never closed"]),
        ("handmade.cpp", r"nnet::relu<emb_out_t", "nnet::relu<x_t", ["rel", "type of emb_out"]),
        ("handmade.cpp", "load_weights_from_txt<w_emb_t", "load_compressed_weights_from_txt<w_emb_t", ["supported"]),
        ("handmade.cpp", r"\(emb_out, rel_out\)", "(nobody_out, rel_out)", ["nobody_out"]),
        ("handmade.cpp", r"void handmade\(", "void other() {}\nvoid renamed(", ["top function", "handmade.cpp"]),
        ("weights/w_emb.txt", r"^", "1.0, ", ["w_emb.txt", "wrong count", "37", "36"]),
        ("weights/w_emb.txt", r"^[^,]*", "abc", ["w_emb.txt", "not a number", "abc", "entry 1"]),
        ("weights/w_emb.txt", r"^[^,]*", "nan", ["w_emb.txt", "not a number"]),
        ("weights/w_emb.txt", r"(?s),[^,]*,[^,]*$", "", ["w_emb.txt", "wrong count", "34"]),
        ("weights/w_emb.txt", r"$", "\n1.0", ["w_emb.txt", "more than one line"]),
        ("nnet_utils/nnet_dense_latency.h", r"acc\[jj\] \+= mult", "acc[jj] -= mult", ["nnet::dense_latency"]),
        ("nnet_utils/nnet_activation.h", r"1 / x;", "2 / x;", ["init_invert_table", "nnet_activation.h"]),
        ("nnet_utils/nnet_transpose.h", r"(?s).*", "", ["transpose"]),
    ],
)  # fmt: skip
def test_refused(project: Path, file: str, pattern: str, replacement: str, told: list[str]) -> None:
    edit(project / "firmware" / file, "(?s)" + pattern if ".*?" in pattern else pattern, replacement)
    message = str(refused(project))
    for word in told:
        assert word in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("alias", "told"),
    [
        ("<class D, class R, class C> using kernel = nnet::DenseLatency<D, C>", "expected nnet::DenseLatency<D, R"),
        ("<class D, class R, class C> using kernel = nnet::DenseLatency<D, R, C, C>", "does not pass on"),
        ("<class D, class R, class C> using kernel = nnet::DenseLatency<R, D, C>", "kernel does not pass on"),
        ("<class D, class R, class C> using kernel = nnet::DenseLatency<D, R, D>", "expected nnet::DenseLatency<D, R"),
        ("<class D, class R, class C> using kernel = nnet::DenseLatency<D, R, 3>", "does not pass on"),
        ("<unsigned D, class R, class C> using kernel = nnet::DenseLatency<D, R, C>", "a value as template argument 1"),
        ("<class D, class R, class C> using kernel = nnet::DenseLatency", "does not pass on"),
        ("<class D, class R, class C> using kernel = D", "kernel does not pass on"),
        ("<class D, class C> using kernel = nnet::DenseLatency<D, C>", "2 template arguments where 3"),
        ("<class D, class R, class C = R> using kernel = nnet::DenseLatency<D, R, C>", "does not pass on"),
        ("<class D, class R, class C> using kernel = nnet::product::mult<D, R, C>", "3 template arguments where 2"),
        ("<class Y, class X> using product = nnet::product::mult<X, Y>", "expected nnet::product::mult<Y, X>"),
        ("<class X> using product = nnet::product::mult<X>", "1 template arguments where 2"),
        ("<class X, class Y> using nobody_asks = nnet::product::mult<Y, X>", "nobody_asks does not pass on"),
    ],
)  # fmt: skip
def test_aliases_pass_on_their_parameters(project: Path, alias: str, told: str) -> None:
    name = re.findall(r"using (\w+)", alias)[0]
    known = "product" if name == "nobody_asks" else name
    pattern = rf"(?s)(struct config_emb_mult (?:(?!struct).)*?)template\s*<[^<>]*> using {known} = [^;]*;"
    edit(project / "firmware" / "parameters.h", pattern, rf"\1template{alias};")
    message = str(refused(project))
    assert told in message
    assert re.search(r"parameters\.h: line 7\d:", message)


def test_aliases_by_other_names_of_their_parameters(project: Path, pristine: Path) -> None:
    pattern = r"template<class D, class R, class C> using kernel = nnet::DenseLatency<D, R, C>;"
    written = "template <typename data_T,class R , class C>\n using kernel=nnet::DenseLatency<data_T , R,C> ;"
    edit(project / "firmware" / "parameters.h", pattern, written)
    assert Firmware.read(project).content_hash == Firmware.read(pristine).content_hash


@pytest.mark.parametrize("name", ["defines.h", "parameters.h", "nnet_utils", "weights/w_emb.txt", "handmade.cpp"])
def test_missing_files(project: Path, name: str) -> None:
    path = project / "firmware" / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert Path(name).name in str(refused(project)) or "top function" in str(refused(project))


def test_truncated_headers(project: Path) -> None:
    """Wherever the parameters end too early, that is an error and not another firmware."""
    path = project / "firmware" / "parameters.h"
    text = path.read_text()
    for part in np.linspace(0.01, 0.99, 25):
        path.write_text(text[: int(len(text) * part)])
        assert str(project) in str(refused(project))


def test_not_a_project(tmp_path: Path) -> None:
    assert "firmware/" in str(refused(tmp_path))
    assert "no such file" in str(refused(tmp_path / "nowhere"))


def test_namespace_and_constants(tmp_path: Path) -> None:
    project = small(tmp_path / "p")
    expected = Firmware.read(project).content_hash
    firmware = project / "firmware"
    weights = [f"weights/{path.name}" for path in (firmware / "weights").glob("*.h")]
    for name in ("defines.h", "parameters.h", "handmade.h", "handmade.cpp", *weights):
        path = firmware / name
        body = path.read_text()
        first = re.search(r"(?m)^(typedef|struct|void|#ifndef __SYNTHESIS__)", body)
        assert first is not None
        end = body.rfind("#endif") if name.endswith(".h") else len(body)
        path.write_text(f"{body[: first.start()]}namespace tagger {{\n{body[first.start() : end]}}}\n{body[end:]}")
    edit(
        firmware / "defines.h",
        "namespace tagger {",
        "#define N_INPUT_1_1 6\nnamespace tagger {\nconst unsigned four = 2 + N_INPUT_1_1 / 3;",
    )
    edit(firmware / "handmade.cpp", r"x\[6\]", "x[N_INPUT_1_1]")
    edit(firmware / "handmade.cpp", r"first_out\[4\]", "first_out[four]")
    assert Firmware.read(project).content_hash == expected


def test_integer_type_after_a_type_without_integer_bits_is_refused(tmp_path: Path) -> None:
    make = ProjectMaker(tmp_path / "p", 1)
    x = make.input("x", (4,), FixedPoint.parse("ap_fixed<8,0>"))
    make.output(make.elementwise("whole", "linear", x, kind=FixedPoint.int_type(4)))
    assert "integer bits" in str(refused(make.write()))


def test_reference_inputs(pristine: Path) -> None:
    fw = Firmware.read(pristine)
    raw = np.zeros((3, 24), dtype=np.int64)
    result = reference.run(fw, raw)
    assert result["head"].shape == (3, 3)
    assert result["head"] is result["head_out"]
    np.testing.assert_array_equal(reference.run(fw, {"x": raw})["head"], result["head"])
    np.testing.assert_array_equal(reference.run_float(fw, raw.astype(float))["head"], result["head"])
    for wrong in (raw.astype(float), raw + fw.inputs[0].type.high + 1, {"y": raw}, raw[:, :5]):
        with pytest.raises(L1emuError):
            reference.run(fw, wrong)
