"""GRU and LSTM, converted by hls4ml, against their C++; and by hand."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest

import l1emu
from l1emu.errors import L1emuError
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Recurrent, Tensor
from tests.handmade_projects import need_compiler


def convert(folder: Path, backend: str, strategy: str, io_type: str) -> Path:
    """Cells one after another and side by side; in arrays also both directions."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    pytest.importorskip("tensorflow", reason="hls4ml converts Keras models")
    hls4ml = pytest.importorskip("hls4ml", reason="hls4ml is not installed")
    from tensorflow import keras
    from tensorflow.keras import layers

    keras.utils.set_random_seed(6)
    data = layers.Input((4, 3), name="x")
    first = layers.GRU(4, return_sequences=True, name="first")(data)
    second = layers.LSTM(3, return_sequences=True, name="second")(first)
    outputs = [layers.LSTM(2, recurrent_activation="sigmoid", activation="relu", name="third")(second)]
    if io_type == "io_parallel":
        both = layers.Bidirectional(layers.GRU(2, return_sequences=True), name="both")(second)
        outputs.append(layers.Bidirectional(layers.LSTM(2), name="ends")(both))
    else:
        outputs.append(layers.GRU(2, name="fourth")(second))
    model = keras.Model(data, outputs)
    config = hls4ml.utils.config_from_keras_model(
        model, granularity="name", backend=backend, default_precision="fixed<16,6>"
    )
    one = "fixed<16,6,RND,SAT>" if io_type == "io_stream" else "fixed<16,6>"
    weights = {"weight": "fixed<9,2>", "bias": "fixed<9,2>", "recurrent_weight": "fixed<10,2>"}
    for name, layer in config["LayerName"].items():
        layer["Strategy"] = strategy
        if name in ("second", "third"):  # one type for data, states and sums, or the C++ does not compile
            layer["Precision"] = weights | {"recurrent_bias": "fixed<10,3>", "result": one, "accum": one}
        elif name in ("first", "both"):
            accum = "fixed<18,7,RND_CONV>"
            layer["Precision"] = weights | {"recurrent_bias": "fixed<10,3>", "result": one, "accum": accum}
        else:
            layer["Static"] = False
    project = hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(folder), backend=backend, io_type=io_type
    )
    project.write()
    return folder


@pytest.mark.parametrize(
    ("backend", "strategy", "io_type"), [("Vivado", "Latency", "io_parallel"), ("Vitis", "Resource", "io_stream")]
)
def test_converted_cells(tmp_path: Path, backend: str, strategy: str, io_type: str) -> None:
    need_compiler()
    project = convert(tmp_path / "p", backend, strategy, io_type)
    fw = l1emu.Firmware.read(project)
    cells = [layer for layer in fw.layers if isinstance(layer, Recurrent)]
    assert len(cells) == (7 if io_type == "io_parallel" else 4)
    assert {cell.cell for cell in cells} == {"gru", "lstm"}
    assert sum(cell.backward for cell in cells) == (2 if io_type == "io_parallel" else 0)
    found = l1emu.verify(project, jets=200, optimization="-O0")
    assert found.identical, str(found)
    parameters = project / "firmware" / "parameters.h"
    text = parameters.read_text()
    parameters.write_text(re.sub(r"n_sequence_out = 4", "n_sequence_out = 3", text, count=1))
    with pytest.raises(L1emuError, match=r"n_sequence_out is neither 1 nor n_sequence.*got 3"):
        l1emu.Firmware.read(project)


def with_first_states(folder: Path, kind: str, backend: str) -> Path:
    """A cell whose first states are inputs, as hls4ml writes those of PyTorch models, and a dense layer."""
    graph = pytest.importorskip("hls4ml.model.graph", reason="hls4ml is not installed")
    rng = np.random.default_rng(1)
    n_in, n, steps, width = 3, 4, 5, 12 if kind == "GRU" else 16
    states = ["h", "c"][: 1 if kind == "GRU" else 2]
    cell = {
        "class_name": kind,
        "name": "cell",
        "inputs": ["x", *states],
        "activation": "tanh",
        "recurrent_activation": "sigmoid",
        "return_sequences": False,
        "return_state": False,
        "time_major": False,
        "n_timesteps": steps,
        "n_in": n_in,
        "n_out": n,
        "pytorch": True,
        "pass_initial_states": True,
        "apply_reset_gate": "after",
    }
    sizes = {"weight": (n_in, width), "recurrent_weight": (n, width), "bias": (width,), "recurrent_bias": (width,)}
    cell |= {f"{name}_data": rng.normal(0, 0.7, size) for name, size in sizes.items()}
    dense = {"class_name": "Dense", "name": "last", "n_in": n, "n_out": 2}
    dense |= {"weight_data": rng.normal(0, 0.7, (n, 2)), "bias_data": rng.normal(0, 1, 2)}
    inputs = [{"class_name": "InputLayer", "name": name, "input_shape": [n]} for name in states]
    inputs.insert(0, {"class_name": "InputLayer", "name": "x", "input_shape": [steps, n_in]})
    one = "ap_fixed<16,6>"
    types = dict.fromkeys(("weight", "recurrent_weight", "bias", "recurrent_bias"), "ap_fixed<10,2>")
    types |= {"accum": one if kind == "LSTM" else "ap_fixed<18,7,AP_RND>", "result": one}
    config = {
        "OutputDir": str(folder),
        "ProjectName": "myproject",
        "Backend": backend,
        "Part": "none",
        "ClockPeriod": 5,
        "IOType": "io_parallel",
        "HLSConfig": {
            "Model": {"Precision": one, "ReuseFactor": 1, "Strategy": "Latency"},
            "LayerName": {"cell": {"Precision": types}},
        },
    }
    names = [layer["name"] for layer in inputs]
    graph.ModelGraph.from_layer_list(config, [*inputs, cell, dense], inputs=names).write()
    return folder


@pytest.mark.parametrize(("kind", "backend"), [("GRU", "Vivado"), ("LSTM", "Vitis")])
def test_first_states(tmp_path: Path, kind: str, backend: str) -> None:
    need_compiler()
    project = with_first_states(tmp_path / "p", kind, backend)
    fw = l1emu.Firmware.read(project)
    assert [tensor.name for tensor in fw.inputs] == (["x", "h"] if kind == "GRU" else ["x", "h", "c"])
    found = l1emu.verify(project, jets=200, optimization="-O0")
    assert found.identical, str(found)
    source = project / "firmware" / "myproject.cpp"
    text = source.read_text()
    # the kernel leaves its last state where the first was
    source.write_text(
        re.sub(r"(nnet::dense<[^(]*\()layer\d_out", r"\1h", text).replace("layer4_t, layer5", "input2_t, layer5")
    )
    with pytest.raises(L1emuError, match="reading the last state of a cell where its first was"):
        l1emu.Firmware.read(project)
    if kind == "LSTM":
        source.write_text(text.replace("(x, h, c,", "(x, h, h,"))
        with pytest.raises(L1emuError, match="one array for two states"):
            l1emu.Firmware.read(project)


def cell(kind: str, **changes: object) -> Recurrent:
    """One number in, one number of state, two steps; weights and functions are the identity."""
    fx = FixedPoint.parse("ap_fixed<12,6>")
    one, gates = 1 << fx.fraction, 3 if kind == "gru" else 4
    table = np.full(4, one // 2)  # every gate is half open
    weights = np.full((1, gates), one), fx, np.zeros(gates, np.int64), fx, np.arange(1)
    functions = ("sigmoid", table, fx, "relu", np.empty(0, np.int64), fx)
    x, y = Tensor("x", (2, 1), fx), Tensor("y", (1,), fx)
    fields = ("c", (x,), y, kind, 2, 1, 1, False, False, False, *weights, *weights, fx, *functions)
    return Recurrent(*(changes.get(str(i), field) for i, field in enumerate(fields)))  # type: ignore[arg-type]


def test_by_hand() -> None:
    """With half-open gates a GRU gives (x + h / 2) / 2 + h / 2, an LSTM's cell (x + h) / 2 + s / 2, its output half."""
    one = 1 << 6
    x = np.array([[[2 * one], [4 * one]]])
    first = (2 * one) // 2
    assert cell("gru").reference(x).tolist() == [[(4 * one + first // 2) // 2 + first // 2]]
    state = (2 * one) // 2
    second = (4 * one + state // 2) // 2 + state // 2
    assert cell("lstm").reference(x).tolist() == [[second // 2]]
    backward = cell("gru", **{"8": True}).reference(x)
    assert backward.tolist() == cell("gru").reference(x[:, ::-1]).tolist()
    with pytest.raises(L1emuError, match="unknown kind of cell"):
        cell("gru", **{"3": "rnn"})
