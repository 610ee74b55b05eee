"""Firmware against Keras: faults planted in the types must be found in their layer and called by their name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("tensorflow", reason="training needs the extra: train")
pytest.importorskip("qkeras", reason="training needs the extra: train")
pytest.importorskip("hls4ml", reason="training needs the extra: train")

import hls4ml
import tensorflow as tf
from qkeras import QActivation, QDense, quantized_bits
from tensorflow import keras
from typer.testing import CliRunner

from l1emu.cli import app
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.fixedpoint import FixedPoint
from l1emu.training.against import against_keras
from l1emu.training.steps import load_model

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*keras.constraints.serialize.*:UserWarning"),
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5:UserWarning"),
]

L = keras.layers
MODELS = Path(__file__).parents[2] / "models"
WIDE = "fixed<40,16>"
EXPONENTIAL, INVERSE = "ap_ufixed<24,1,AP_RND,AP_SAT>", "ap_ufixed<24,2,AP_RND,AP_SAT>"


def bits(b: int, i: int) -> quantized_bits:
    return quantized_bits(b, i, alpha=1)


def dense_model() -> keras.Model:
    """Inputs, weights and activations on grids that the wide types below hold exactly."""
    tf.random.set_seed(3)
    x = given = L.Input((6,), name="x")
    x = QDense(8, kernel_quantizer=bits(8, 1), bias_quantizer=bits(8, 1), name="fc1")(x)
    x = QActivation("quantized_relu(8,3)", name="relu1")(x)
    x = L.Dense(8, name="fc2")(x)
    x = QActivation("quantized_bits(5,2,alpha=1)", name="act2")(x)
    x = QDense(4, kernel_quantizer=bits(8, 1), bias_quantizer=bits(8, 1), name="fc3")(x)
    x = L.Activation("softmax", name="scores")(x)
    model = keras.Model(given, x)
    rng = np.random.default_rng(1)
    for name in ("fc1", "fc2", "fc3"):
        layer = model.get_layer(name)
        layer.set_weights([np.round(rng.uniform(-1.2, 1.2, w.shape) * 64) / 64 for w in layer.get_weights()])
    return model


def project(model: keras.Model, folder: Path, changes: dict[str, dict[str, str]]) -> Path:
    """The hls4ml project with types that lose next to nothing, and with some layers' precision replaced."""
    config = hls4ml.utils.config_from_keras_model(
        model, granularity="name", default_precision="fixed<40,16>", backend="Vitis"
    )
    layers = config["LayerName"]
    layers["x"]["Precision"] = {"result": "fixed<12,5>"}
    for name in ("fc1", "fc2", "fc3"):
        result = "fixed<18,6>" if name == "fc3" else WIDE  # a softmax looks at the top bits alone
        layers[name]["Precision"] = {"weight": "fixed<8,2>", "bias": "fixed<8,2>", "result": result, "accum": WIDE}
        layers[f"{name}_linear"]["Precision"] = {"result": result}
    for name, precision in changes.items():
        layers[name]["Precision"].update(precision)
    written = hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(folder), io_type="io_parallel", backend="Vitis"
    )
    written.write()
    # hls4ml keeps its default for these types whatever the configuration says
    tables = {"exp_table_t": EXPONENTIAL, "inv_table_t": INVERSE, "inv_inp_t": "ap_ufixed<14,3,AP_RND,AP_SAT>"}
    defines = (folder / "firmware" / "defines.h").read_text()
    for name, kind in (tables | {"accum_t": "ap_ufixed<24,4,AP_RND,AP_SAT>"}).items():
        defines = re.sub(rf"typedef .* scores_{name};", f"typedef {kind} scores_{name};", defines)
    (folder / "firmware" / "defines.h").write_text(defines)
    return folder


def resized(folder: Path, entries: int, norm: str) -> Path:
    """The project with another table of exponentials in the softmax, and another type of the differences."""
    parameters = folder / "firmware" / "parameters.h"
    text = re.sub(r"exp_table_size = \d+", f"exp_table_size = {entries}", parameters.read_text())
    text = re.sub(r"typedef \S+ \S+ inp_norm_t;", f"typedef {norm} inp_norm_t;", text)
    parameters.write_text(re.sub(r"inv_table_size = \d+", "inv_table_size = 16384", text))
    return folder


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return dense_model()


MERGED = {"fc2": {"result": "auto"}, "fc2_linear": {"result": "auto"}}
PLANTED = {
    "too few integer bits": ("fc1", "result overflow", "overflow", {"fc1": {"result": "fixed<20,2>"}}),
    "saturation": ("fc1", "result overflow", "overflow", {"fc1": {"result": "fixed<20,2,RND,SAT>"}}),
    "wrapping accumulator": ("fc3", "accumulator overflow", "overflow", {"fc3": {"accum": "fixed<20,3>"}}),
    "truncation": ("fc1", "result rounding", "rounding", {"fc1": {"result": "fixed<8,6>"}}),
    "rounded products": ("fc3", "accumulator rounding", "rounding", {"fc3": {"accum": "fixed<9,7>"}}),
    "coarse weights": ("fc2", "weights rounded", "rounding", {"fc2": {"weight": "fixed<4,2>"}}),
    "small weights": ("fc2", "weights out of range", "overflow", {"fc2": {"weight": "fixed<8,1>"}}),
    "small softmax table": ("scores", "table", "table", {}),
    "differences of a softmax that wrap": ("scores", "accumulator overflow", "overflow", {}),
    "activation merged away": ("fc2", "quantizer left out", "quantizer left out", MERGED),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_fault_is_named(planted: str, model: keras.Model, tmp_path: Path) -> None:
    layer, cause, cls, changes = PLANTED[planted]
    norm = "ap_ufixed<14,2>" if cause == "accumulator overflow" and layer == "scores" else "ap_ufixed<17, 5>"
    folder = resized(project(model, tmp_path / "p", changes), 64 if cause == "table" else 8192, norm)
    found = against_keras(Firmware.read(folder), model, jets=200)
    assert found.worst is not None
    assert (found.worst.layer, found.worst.cause) == (layer, cause)
    assert found.worst.shares()[cause] > 0.9
    assert next(iter(found.shares)) == cls
    assert found.shares[cls] > 0.9
    assert f"{layer} ({cause}" in found.conclusion
    clean = [row for row in found.layers if row.layer not in (layer, "scores")]  # a softmax' table is never exact
    assert all(row.own.share == 0 for row in clean), [row for row in clean if row.own.share]


def test_the_share_of_overflow_is_that_of_the_numbers_out_of_range(model: keras.Model, tmp_path: Path) -> None:
    firmware = Firmware.read(project(model, tmp_path / "p", {"fc1": {"result": "fixed<20,2>"}}))
    x = np.round(np.random.default_rng(2).normal(0, 1, (300, 6)) * 128) / 128
    found = against_keras(firmware, model, inputs=x)
    exact = keras.Model(model.input, model.get_layer("fc1").output)(x).numpy()
    kind = FixedPoint.parse("ap_fixed<20,2>")
    row = next(row for row in found.layers if row.layer == "fc1")
    assert row.own.share == np.mean((exact < -2) | (exact >= 2))
    wrapped = kind.to_float(kind.from_float(exact.astype(np.float64)))
    assert row.own.mean == pytest.approx(np.abs(wrapped - exact).mean(), rel=1e-6)
    assert row.causes["result overflow"] == pytest.approx(row.own.mean)
    assert row.total == row.own
    # the effect is what the model's outputs do when that layer's numbers alone are the firmware's
    behind = exact_from(model, wrapped)
    assert row.effect == pytest.approx(np.abs(behind - model(x).numpy()).mean(), rel=1e-3)


def exact_from(model: keras.Model, fc1: NDArray[Any]) -> NDArray[Any]:
    x: Any = tf.constant(fc1, dtype=tf.float32)
    for name in ("relu1", "fc2", "act2", "fc3", "scores"):
        x = model.get_layer(name)(x)
    return np.asarray(x.numpy())


@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
def test_convolutions_with_fused_normalization(io_type: str, tmp_path: Path) -> None:
    tf.random.set_seed(1)
    x = given = L.Input((8, 3), name="x")
    x = L.Conv1D(6, 3, padding="same", name="c1")(x)
    x = L.BatchNormalization(name="bn")(x)
    x = L.ReLU(name="r")(x)
    x = L.MaxPooling1D(2, name="mp")(x)
    x = L.Flatten(name="f")(x)
    x = L.Dense(8, activation="tanh", name="d1")(x)
    y = L.Dense(8, activation="relu", name="d2")(x)
    x = L.Add(name="add")([x, y])
    x = L.Dropout(0.1, name="dr")(x)
    model = keras.Model(given, L.Dense(4, name="out")(x))
    model.get_layer("bn").set_weights([np.random.default_rng(0).uniform(0.5, 1.5, 6) for _ in range(4)])
    config = hls4ml.utils.config_from_keras_model(
        model, granularity="name", default_precision="fixed<24,8>", backend="Vitis"
    )
    config["LayerName"]["d2_relu"]["Precision"] = {"result": "ufixed<8,0>"}
    written = hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(tmp_path / "p"), backend="Vitis", io_type=io_type
    )
    written.write()
    model.save(tmp_path / "m.keras")
    found = against_keras(Firmware.read(tmp_path / "p"), tmp_path / "m.keras", jets=100)
    rows = {row.layer: row for row in found.layers}
    assert rows["c1"].keras == ["c1", "bn"]
    assert rows["c1"].cause == "weights rounded"
    assert rows["d1_tanh"].cause == "table"
    assert rows["d2_relu"].cause == "result overflow"
    assert found.worst is rows["d2_relu"]
    assert rows["mp"].own.share == rows["add"].own.share == 0


def named(name: str) -> Any:
    return lambda: L.Activation(name, name="act")


# For each activation: the layer, what is left of it when its types lose nothing, and what its note says.
ACTIVATIONS: dict[str, tuple[Any, str, str]] = {
    "relu": (named("relu"), "", ""),
    "elu": (named("elu"), "table", "1024 entries"),
    "selu": (named("selu"), "table", "1024 entries"),
    "sigmoid": (named("sigmoid"), "table", "1024 entries"),
    "tanh": (named("tanh"), "table", "1024 entries"),
    "softplus": (named("softplus"), "table", "1024 entries"),
    "softsign": (named("softsign"), "table", "1024 entries"),
    "softmax": (named("softmax"), "table", "1024 entries"),
    "hard sigmoid": (named("hard_sigmoid"), "weights rounded", "1 of 1 slopes between the steps of ap_ufixed<16,0>"),
    "leaky": (lambda: L.LeakyReLU(0.3, name="act"), "weights rounded", "slopes between the steps of ap_ufixed<8,-1>"),
    "leaky on the grid": (lambda: L.LeakyReLU(0.25, name="act"), "", ""),
    "thresholded": (lambda: L.ThresholdedReLU(0.5, name="act"), "", ""),
    "elu with a factor": (lambda: L.ELU(1.7, name="act"), "table", "1024 entries"),
    "binary": (lambda: QActivation("binary(alpha=1)", name="act"), "", ""),
    "clipped": (lambda: QActivation("quantized_tanh(8)", name="act"), "", ""),
}


# those that a dense layer takes by their name
INSIDE = ("relu", "sigmoid", "tanh", "softplus", "softsign", "softmax", "elu", "selu", "hard sigmoid")


@pytest.mark.parametrize(("which", "own_layer"), [*((w, True) for w in ACTIVATIONS), *((w, False) for w in INSIDE)])
def test_each_activation_is_compared_with_its_own(which: str, own_layer: bool, tmp_path: Path) -> None:
    """Also where it belongs to a dense layer, of which it must not become part."""
    make, cause, note = ACTIVATIONS[which]
    x = given = L.Input((6,), name="x")
    dense = QDense(6, kernel_quantizer=bits(8, 1), bias_quantizer=bits(8, 1), name="fc")
    layer = make()
    if own_layer:
        x = layer(dense(x))
    else:
        dense.activation = layer.activation
        x = dense(x)
    model = keras.Model(given, L.Dense(2, name="out")(x))
    config = hls4ml.utils.config_from_keras_model(
        model, granularity="name", default_precision="fixed<28,10>", backend="Vitis"
    )
    config["LayerName"]["x"]["Precision"] = {"result": "fixed<12,5>"}
    config["LayerName"]["fc"]["Precision"] = {
        "weight": "fixed<8,2>", "bias": "fixed<8,2>", "result": "fixed<28,10>", "accum": "fixed<28,10>"
    }  # fmt: skip
    name = "act" if own_layer else f"fc_{layer.activation.__name__}"
    if which not in ("binary", "clipped"):  # whose quantizers say it
        config["LayerName"][name]["Precision"]["result"] = "fixed<36,10>"
    hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(tmp_path / "p"), io_type="io_parallel", backend="Vitis"
    ).write()
    found = against_keras(Firmware.read(tmp_path / "p"), model, jets=200)
    rows = {row.layer: row for row in found.layers}
    assert rows["fc"].own.share == 0
    assert rows[name].cause == cause
    assert (rows[name].own.share > 0) == bool(cause)
    assert note in rows[name].note
    if cause:
        assert rows[name].shares()[cause] > 0.98


def test_rounding_in_a_recurrent_layer_is_not_its_tables(tmp_path: Path) -> None:
    """Of a GRU: the C++ of an LSTM whose sums have a type of their own does not compile."""
    tf.random.set_seed(2)
    given = L.Input((5, 3), name="x")
    model = keras.Model(given, L.Dense(2, name="out")(L.GRU(4, name="cell")(given)))
    shares: dict[str, dict[str, float]] = {}
    for accum in ("fixed<36,10>", "fixed<14,10>"):
        config = hls4ml.utils.config_from_keras_model(
            model, granularity="name", default_precision="fixed<28,10>", backend="Vitis"
        )
        config["LayerName"]["cell"]["Precision"] = {"result": "fixed<28,10>", "accum": accum}
        folder = tmp_path / str(len(shares))
        hls4ml.converters.convert_from_keras_model(
            model, hls_config=config, output_dir=str(folder), io_type="io_parallel", backend="Vitis"
        ).write()
        row = next(r for r in against_keras(Firmware.read(folder), model, jets=100).layers if r.layer == "cell")
        shares[accum] = row.shares()
    assert shares["fixed<36,10>"]["table"] > 0.95
    assert shares["fixed<14,10>"]["accumulator rounding"] > 0.5


def test_an_activation_that_the_firmware_lacks_is_refused(tmp_path: Path) -> None:
    """It is not taken for a part of the layer before it."""
    given = L.Input((6,), name="x")

    def model(**more: str) -> keras.Model:
        return keras.Model(given, L.Dense(2, name="out")(L.Dense(4, name="fc", **more)(given)))

    config = hls4ml.utils.config_from_keras_model(model(), granularity="name", backend="Vitis")
    hls4ml.converters.convert_from_keras_model(
        model(), hls_config=config, output_dir=str(tmp_path / "p"), io_type="io_parallel", backend="Vitis"
    ).write()
    with pytest.raises(L1emuError, match=r"fc \+ sigmoid: this layer of the model has no counterpart"):
        against_keras(Firmware.read(tmp_path / "p"), model(activation="sigmoid"))


QUICK = {"engine-anomaly", "image-hybrid", "jet-tagger", "jets-1tev-deep-sets", "l1-autoencoder", "top-lstm"}
"""One model of each kind of network; the others are with the exhaustive tests."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(recipe.parent.name, marks=[] if recipe.parent.name in QUICK else [pytest.mark.exhaustive])
        for recipe in sorted(MODELS.glob("*/recipe.yaml"))
    ],
)
def test_a_shipped_model_agrees_with_its_firmware(name: str) -> None:
    folder = MODELS / name
    (kept,) = folder.glob("*.l1fw")
    firmware = Firmware.read(kept)
    raw = np.load(folder / "golden.npz")["inputs"][:150].reshape(150, -1)
    parts = np.split(raw, np.cumsum([tensor.size for tensor in firmware.inputs])[:-1], axis=1)
    x = {t.name: t.type.to_float(part).reshape(-1, *t.shape) for t, part in zip(firmware.inputs, parts, strict=True)}
    found = against_keras(firmware, folder, inputs=x)
    assert found.outputs.share == 0
    assert found.worst is None
    # dense layers before a ReLU are rounded before it cuts, which changes nothing behind it
    assert {row.cause for row in found.layers} <= {"", "result rounding", "result overflow"}


def test_inputs_off_the_grid_and_out_of_range(model: keras.Model, tmp_path: Path) -> None:
    firmware = Firmware.read(project(model, tmp_path / "p", {}))
    x = np.random.default_rng(2).normal(0, 1, (50, 6))
    row = against_keras(firmware, model, inputs=x).layers[0]
    assert (row.kind, row.cause, row.own.share) == ("input", "result rounding", 1.0)
    x[:25] += 40.0
    row = against_keras(firmware, model, inputs=x).layers[0]
    assert row.cause == "result overflow"


def test_the_command_tells_it(model: keras.Model, tmp_path: Path) -> None:
    folder = project(model, tmp_path / "p", {"fc1": {"result": "fixed<20,2>"}})
    model.save(tmp_path / "m.h5")
    runner = CliRunner()
    command = ["verify", str(folder), "--against", "keras", "--jets", "50", "--model", str(tmp_path / "m.h5")]
    table = runner.invoke(app, command)
    assert table.exit_code == 0, table.output
    assert "result overflow" in table.stdout
    document = json.loads(runner.invoke(app, [*command, "--json"]).stdout)
    assert document["conclusion"].startswith("Firmware and Keras part first in layer fc1 (result overflow")
    assert document["layers"][1]["quantizers"] == [str(bits(8, 1)), str(bits(8, 1))]
    assert document["shares"]["overflow"] > 0.5


def test_code_in_a_model_is_not_run(tmp_path: Path) -> None:
    given = L.Input((3,), name="x")
    ran = str(tmp_path / "ran")
    # A file keeps only the code of a lambda, and that can hold no statement.
    spy = L.Lambda(lambda x: (open(ran, "w").close(), x)[1], name="spy")  # type: ignore[func-returns-value]
    planted = keras.Model(given, spy(given))
    planted.save(tmp_path / "m.h5")
    planted.save(tmp_path / "m.keras")
    (tmp_path / "ran").unlink()  # the model is built here with it
    with pytest.raises(L1emuError, match=r"m\.h5: layer spy: a Lambda layer, code that would be run"):
        load_model(tmp_path / "m.h5")
    with pytest.raises(L1emuError, match=r"m\.keras: .*Lambda"):
        load_model(tmp_path / "m.keras")
    assert not (tmp_path / "ran").exists()


def test_what_cannot_be_compared_is_refused(model: keras.Model, tmp_path: Path) -> None:
    firmware = Firmware.read(project(model, tmp_path / "p", {}))
    given = L.Input((6,), name="x")
    other = keras.Model(given, L.Dense(4, name="another")(given))
    with pytest.raises(L1emuError, match=r"another.*no counterpart in the firmware"):
        against_keras(firmware, other)
    with pytest.raises(L1emuError, match="no such file"):
        against_keras(firmware, tmp_path / "absent.h5")
    (tmp_path / "bad.keras").write_bytes(b"no model")
    with pytest.raises(L1emuError, match="cannot load the model"):
        against_keras(firmware, tmp_path / "bad.keras")
    with pytest.raises(L1emuError, match="does not fit"):
        against_keras(firmware, model, inputs=np.full((3, 6), np.nan))
    with pytest.raises(L1emuError, match="belong together"):
        CliRunner().invoke(app, ["verify", str(tmp_path / "p"), "--against", "keras"], catch_exceptions=False)
