"""What hls4ml writes for HGQ models: a type for each number, and dense layers along any axes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import l1emu
from l1emu.errors import L1emuError
from l1emu.layers import Dense, Quantize
from tests.handmade_projects import need_compiler


def write(
    folder: Path, equation: str, shapes: tuple[tuple[int, ...], ...], bias: npt.NDArray[np.float64], **types: str
) -> Path:
    """A project with an einsum-dense layer between two linear activations; `shapes` of data, kernel and result."""
    hls4ml = pytest.importorskip("hls4ml", reason="hls4ml is not installed")
    rng = np.random.default_rng(3)
    data, kernel, result = shapes
    layers: list[dict[str, Any]] = [
        {"class_name": "Input", "name": "x", "input_shape": list(data)},
        {"class_name": "Activation", "name": "q", "activation": "linear", "n_in": int(np.prod(data))},
        {
            "class_name": "EinsumDense",
            "name": "e",
            "equation": equation,
            "weight_data": np.round(rng.uniform(-2, 2, kernel) * 8) / 8,
            "bias_data": np.round(bias * 8) / 8,
            "inp_shape": data,
            "out_shape": result,
        },
        {"class_name": "Activation", "name": "y", "activation": "linear", "n_in": int(np.prod(result))},
    ]
    names = {"x": "fixed<10,4>", "q": "fixed<14,6>", "y": "fixed<16,8>"}
    config: dict[str, Any] = {
        "Model": {"Precision": "fixed<16,6>", "ReuseFactor": 1, "Strategy": "Latency"},
        "LayerName": {name: {"Precision": {"result": kind}} for name, kind in names.items()},
    }
    precision = {"weight": "fixed<6,3>", "bias": "fixed<6,3>", "accum": "fixed<14,7>", "result": "fixed<12,6>"} | types
    config["LayerName"]["e"] = {"Precision": precision}
    settings = {"OutputDir": str(folder), "ProjectName": "myproject", "Backend": "Vitis", "IOType": "io_parallel"}
    graph = hls4ml.model.ModelGraph.from_layer_list(settings | {"HLSConfig": config}, layers, ["x"], ["y"])
    graph.apply_flow("vitis:ip")
    graph.write()
    return folder


ROW = np.linspace(-3, 3, 5)
CASES = {
    "rows": ("nc,cd->nd", ((3, 4), (4, 5), (3, 5)), np.broadcast_to(ROW, (3, 5)), {}),
    "moved axes": ("cn,cd->dn", ((4, 3), (4, 5), (5, 3)), np.broadcast_to(ROW[:, None], (5, 3)), {}),
    "moved axes, a bias for each row": ("cn,cd->dn", ((4, 3), (4, 5), (5, 3)), ROW[:, None] + np.arange(3), {}),
    "saturation": (
        "nc,cd->nd",
        ((3, 4), (4, 5), (3, 5)),
        ROW + np.arange(3)[:, None],
        {"accum": "fixed<9,4,RND_CONV,SAT>"},
    ),
    "a matrix for each row": ("nc,ncd->nd", ((3, 4), (3, 4, 5), (3, 5)), ROW + np.arange(3)[:, None], {}),
}


BY_DEFAULT = ("moved axes, a bias for each row", "a matrix for each row")


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=() if case in BY_DEFAULT else pytest.mark.exhaustive) for case in CASES]
)
def test_einsum_dense(case: str, tmp_path: Path) -> None:
    need_compiler()
    equation, shapes, bias, types = CASES[case]
    found = l1emu.verify(write(tmp_path / "p", equation, shapes, bias, **types), jets=200, optimization="-O0")
    assert found.identical, str(found)
    assert found.layers >= 3


QUANTIZER = "template<typename input_t, typename output_t>\nvoid q_iq(input_t *inp, output_t *out) {\n"
SUMS = "template <typename inp_t, typename out_t>\nvoid q_iq(inp_t model_inp[12], out_t model_out[12]) {\n"


def quantized(folder: Path, lines: list[str], head: str = QUANTIZER) -> Path:
    """The project with its first activation replaced by a generated function."""
    project = write(folder, *CASES["rows"][:3])
    source, code = project / "firmware" / "myproject.cpp", project / "firmware" / "nnet_utils" / "nnet_code_gen.h"
    text, count = re.subn(r"nnet::linear<(\w+), (\w+), \w+>\((x, \w+)\)", r"nnet::q_iq<\1, \2>(\3)", source.read_text())
    assert count == 1
    source.write_text(text)
    function = head + "    #pragma HLS INLINE\n" + "\n".join(f"    {line}" for line in lines) + "\n}\n"
    code.write_text(code.read_text().replace("// hls4ml insert code", function))
    return project


TYPES = ["ap_fixed<7,3,AP_RND,AP_WRAP>", "ap_ufixed<5,2,AP_RND_CONV,AP_SAT>", "ap_fixed<4,6,AP_TRN,AP_SAT_SYM>"]


def test_a_type_for_each_number(tmp_path: Path) -> None:
    need_compiler()
    lines = [f"out[{i}] = {TYPES[i % 3]}(inp[{i}]);" for i in range(12)]
    lines[7] = "out[7] = 0;"
    project = quantized(tmp_path / "p", lines)
    firmware = l1emu.Firmware.read(project)
    layer = next(layer for layer in firmware.layers if isinstance(layer, Quantize))
    assert layer.which.tolist() == [0, 1, 2, 0, 1, 2, 0, -1, 2, 0, 1, 2]
    found = l1emu.verify(project, jets=400, optimization="-O0")
    assert found.identical, str(found)
    firmware.save(tmp_path / "f.l1fw")
    assert l1emu.Firmware.read(tmp_path / "f.l1fw").content_hash == firmware.content_hash


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("out[3] = ap_fixed<7,3>(inp[4]);", "moves numbers"),
        ("out[12] = ap_fixed<7,3>(inp[12]);", "moves numbers"),
        ("out[3] = inp[3] * inp[3];", "not known here"),
        ("", "leaves out numbers"),
    ],
)
def test_other_generated_code_is_refused(line: str, message: str, tmp_path: Path) -> None:
    lines = [f"out[{i}] = {TYPES[0]}(inp[{i}]);" for i in range(12)]
    lines[3] = line
    with pytest.raises(L1emuError, match=message):
        l1emu.Firmware.read(quantized(tmp_path / "p", lines))


def sums() -> list[str]:
    """Sums of shifted inputs: the inputs ap_fixed<10,4>, some of them rounded before."""
    lines = ["ap_fixed<8,3,AP_RND,AP_SAT> model_inp_q_0 = model_inp[0];"]
    lines += ["ap_ufixed<6,4,AP_RND,AP_WRAP> model_inp_q_1 = model_inp[1];"]
    lines += ["ap_fixed<8,3> v0 = model_inp_q_0;", "ap_ufixed<6,4> v1 = model_inp_q_1; // 0.0"]
    lines += [f"ap_fixed<10,4> v{i} = model_inp[{i}];" for i in range(2, 12)]
    lines += ["ap_fixed<16,8> v12 = v0 - bit_shift<2>(v3);", "ap_fixed<14,6> v13 = v1 + bit_shift<-2>(v2);"]
    lines += [
        "ap_fixed<22,11> v14 = v12 - bit_shift<3>(v13); // 2.0",
        "ap_fixed<23,12> v15 = v14 + ap_fixed<5,4>(-5.5);",
    ]
    lines += [f"model_out[{i}] = ap_fixed<24,13>(bit_shift<{i % 3 - 1}>(v{15 - i}));" for i in range(11)]
    return [*lines, "model_out[11] = 0;"]


def test_sums_are_the_matrix_that_they_were_made_of(tmp_path: Path) -> None:
    need_compiler()
    project = quantized(tmp_path / "p", sums(), SUMS)
    firmware = l1emu.Firmware.read(project)
    matrix = next(layer for layer in firmware.layers if isinstance(layer, Dense))
    one = 2**matrix.weight_type.fraction
    # v15 = v0 - 4 v3 - 8 (v1 + v2 / 4) - 5.5, halved
    assert (matrix.weight[:4, 0] / one).tolist() == [0.5, -4.0, -1.0, -2.0]
    assert matrix.bias[0] / 2**matrix.bias_type.fraction == -2.75
    found = l1emu.verify(project, jets=400, optimization="-O0")
    assert found.identical, str(found)


def unrolled_stream(folder: Path) -> Path:
    """A convolution and a dense layer of a stream, their products replaced by generated sums."""
    hls4ml = pytest.importorskip("hls4ml", reason="hls4ml is not installed")
    rng = np.random.default_rng(3)
    conv = {"class_name": "Conv1D", "name": "c", "in_width": 4, "out_width": 3, "n_chan": 2, "n_filt": 3}
    conv |= {"filt_width": 2, "stride_width": 1, "pad_left": 0, "pad_right": 0, "padding": "valid"}
    conv |= {"data_format": "channels_last", "weight_data": rng.normal(0, 1, (2, 2, 3)), "bias_data": np.zeros(3)}
    dense = {"class_name": "Dense", "name": "d", "n_in": 9, "n_out": 2}
    dense |= {"weight_data": rng.normal(0, 1, (9, 2)), "bias_data": np.zeros(2)}
    flat = {"class_name": "Reshape", "name": "f", "target_shape": [9]}
    layers: list[dict[str, Any]] = [{"class_name": "Input", "name": "x", "input_shape": [4, 2]}, conv, flat, dense]
    config = {"Model": {"Precision": "fixed<12,5>", "ReuseFactor": 1, "Strategy": "Latency"}}
    settings = {"OutputDir": str(folder), "ProjectName": "myproject", "Backend": "Vitis", "IOType": "io_stream"}
    graph = hls4ml.model.ModelGraph.from_layer_list(settings | {"HLSConfig": config}, layers, ["x"], ["d"])
    graph.apply_flow("vitis:ip")
    graph.write()
    window = "template <typename inp_t, typename out_t> void sums_1(inp_t model_inp[4], out_t model_out[3]) {\n"
    window += "ap_ufixed<1,0> model_inp_q_0 = 0;\nap_fixed<12,5> v0 = model_inp_q_0;\n"
    window += "".join(f"ap_fixed<12,5> v{i} = model_inp[{i}];\n" for i in (1, 2, 3))
    window += "ap_fixed<14,7> v4 = v1 + bit_shift<1>(v3);\nap_fixed<15,8> v5 = v4 - v0;\n"
    window += "model_out[0] = ap_fixed<15,8>(v5);\nmodel_out[1] = 0;\nmodel_out[2] = ap_fixed<13,6>(-v2);\n}\n"
    window += "template <typename inp_t, typename out_t, typename DUMMY> struct dense_da_wrapper_1 {\n"
    window += "static void dense(inp_t inp[4], out_t out[3], void *weights=nullptr, void *biases=nullptr) {\n"
    window += "    sums_1(inp, out);\n}\n};\n"
    whole = "template <typename inp_t, typename out_t> void sums_2(inp_t model_inp[9], out_t model_out[2]) {\n"
    whole += "".join(f"ap_fixed<12,5> v{i} = model_inp[{i}];\n" for i in range(9))
    whole += "ap_fixed<14,6> v9 = v8 - bit_shift<-1>(v3);\n"
    whole += "model_out[0] = ap_fixed<14,6>(v9);\nmodel_out[1] = ap_fixed<12,5>(v2);\n}\n"
    code = folder / "firmware" / "nnet_utils" / "nnet_code_gen.h"
    code.write_text(code.read_text().replace("// hls4ml insert code", window + whole))
    source, parameters = folder / "firmware" / "myproject.cpp", folder / "firmware" / "parameters.h"
    text = source.read_text()
    call = re.search(r"nnet::dense<(\w+), (\w+), (\w+)>\(\w+, \w+(, \w+, \w+)\)", text)
    assert call is not None
    source.write_text(text.replace(call[4] + ")", ")"))
    text = parameters.read_text()
    text = re.sub(r"nnet::DenseLatency<", "nnet::dense_da_wrapper_1<", text, count=1)
    types = f"typename {call[1]}::value_type, typename {call[2]}::value_type"
    struct = f"struct {call[3]} {{\n    static const unsigned n_in = 9;\n    static const unsigned n_out = 2;\n"
    struct += "    static const unsigned io_type = nnet::io_stream;\n"
    struct += "    static const unsigned strategy = nnet::distributed_arithmetic;\n"
    struct += f"    constexpr static auto dense_da = nnet::sums_2<{types}>;\n}};\n"
    text = re.sub(rf"struct {call[3]} : .*?\n}};\n", struct, text, flags=re.DOTALL)
    includes = '#include "nnet_utils/nnet_da_wrappers.h"\n#include "nnet_utils/nnet_code_gen.h"\n'
    parameters.write_text(
        text.replace('#include "nnet_utils/nnet_code_gen.h"\n', "").replace("// hls-fpga", includes + "// hls-fpga", 1)
    )
    return folder


def test_sums_in_streams(tmp_path: Path) -> None:
    need_compiler()
    project = unrolled_stream(tmp_path / "p")
    found = l1emu.verify(project, jets=200, optimization="-O0")
    assert found.identical, str(found)
    code = project / "firmware" / "nnet_utils" / "nnet_code_gen.h"
    code.write_text(code.read_text().replace("sums_1(inp, out);", "sums_1(inp, out); out[0] = 0;"))
    with pytest.raises(L1emuError, match="generated function is not known here"):
        l1emu.Firmware.read(project)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ap_fixed<15,6> v12 = v0 - bit_shift<2>(v3);", "does not fit its type"),
        ("ap_fixed<12,8> v12 = v0 - bit_shift<2>(v3);", "does not fit its type"),
        ("ap_fixed<16,8> v12 = v0 * v3;", "not known here"),
        ("ap_fixed<16,8> v12 = v0 - v40;", "unknown variable"),
    ],
)
def test_sums_that_round_are_refused(line: str, message: str, tmp_path: Path) -> None:
    lines = sums()
    lines[lines.index("ap_fixed<16,8> v12 = v0 - bit_shift<2>(v3);")] = line
    with pytest.raises(L1emuError, match=message):
        l1emu.Firmware.read(quantized(tmp_path / "p", lines, SUMS))
