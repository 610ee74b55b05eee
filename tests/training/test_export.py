"""Export: what hls4ml would convert wrongly is refused by name; what is exported agrees with QKeras in every bit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

pytest.importorskip("tensorflow", reason="training needs the extra: train")
pytest.importorskip("qkeras", reason="training needs the extra: train")
pytest.importorskip("hls4ml", reason="training needs the extra: train")

from qkeras import QActivation, QBatchNormalization, QDense, quantized_bits, quantized_po2, quantized_relu
from tensorflow import keras

from l1emu.config import load_config
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.firmware.reference import run
from l1emu.fixedpoint import FixedPoint
from l1emu.training.custom_objects import CUSTOM_OBJECTS
from l1emu.training.export import Backend, _make_reproducible, convert, plan_types
from l1emu.training.layers import QEinsum, QSoftmax
from l1emu.training.model import build
from l1emu.training.recipe import Recipe
from l1emu.verification.csim import CSim
from tests.training.training_toys import TINY

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*keras.constraints.serialize.*:UserWarning"),
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5:UserWarning"),
]

L = keras.layers
INPUT = FixedPoint.parse("ap_fixed<10,4>")


def bits(b: int = 6, i: int = 0, **options: Any) -> quantized_bits:
    return quantized_bits(b, i, **({"alpha": 1} | options))


def dense(units: int = 3, name: str = "layer", **options: Any) -> QDense:
    return QDense(units, name=name, **({"kernel_quantizer": bits(), "bias_quantizer": bits(7, 1)} | options))


def softmax(name: str = "layer", scale: float = 1.0, **options: Any) -> QSoftmax:
    relu = quantized_relu
    quantizers = {
        "norm_quantizer": relu(8, 3),
        "exp_quantizer": relu(12, 1),
        "sum_quantizer": relu(15, 4),
        "inverse_input_quantizer": relu(10, 3),
        "inverse_quantizer": relu(12, 1),
        "output_quantizer": relu(8, 0),
    }
    return QSoftmax(scale, **(quantizers | options), name=name)


def chain(shape: tuple[int, ...], *layers: Any) -> keras.Model:
    x = inputs = L.Input(shape, name="x")
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


def act(quantizer: Any) -> QActivation:
    return QActivation(quantizer, name="layer")


def shared() -> keras.Model:
    layer = dense(4)
    return chain((4,), layer, layer)


def add_three() -> keras.Model:
    inputs = L.Input((4,), name="x")
    return keras.Model(inputs, L.Add(name="layer")([dense(4, name=n)(inputs) for n in "abc"]))


def not_finite() -> keras.Model:
    model = chain((4,), dense())
    model.get_layer("layer").set_weights([np.full((4, 3), np.nan), np.zeros(3)])
    return model


REFUSED: dict[str, tuple[Callable[[], keras.Model], str]] = {
    "alpha_auto": (lambda: chain((4,), dense(kernel_quantizer=bits(alpha="auto", symmetric=1))), "alpha='auto'"),
    "alpha_po2": (lambda: chain((4,), dense(kernel_quantizer=bits(alpha="auto_po2", symmetric=1))), "alpha='auto_po2'"),
    "alpha_none": (lambda: chain((4,), dense(kernel_quantizer=quantized_bits(6, 0))), "alpha='auto_po2'"),
    "alpha_two": (lambda: chain((4,), dense(bias_quantizer=bits(alpha=2))), "alpha=2"),
    "symmetric": (lambda: chain((4,), dense(name="d"), act(bits(8, 2, symmetric=1))), "symmetric"),
    "keep_negative": (
        lambda: chain((4,), dense(name="d"), act(bits(8, 2, keep_negative=False))),
        "keep_negative=False",
    ),
    "no_fraction": (lambda: chain((4,), dense(name="d"), act(bits(6, 5))), "no fraction bits"),
    "no_fraction_relu": (lambda: chain((4,), dense(name="d"), act(quantized_relu(4, 4))), "no fraction bits"),
    "stochastic": (lambda: chain((4,), dense(name="d"), act(bits(8, 2, use_stochastic_rounding=True))), "stochastic"),
    "partial": (lambda: chain((4,), dense(name="d"), act(bits(8, 2, qnoise_factor=0.5))), "only a part"),
    "leaky": (lambda: chain((4,), dense(name="d"), act(quantized_relu(8, 2, negative_slope=0.25))), "leaky"),
    "sigmoid_relu": (lambda: chain((4,), dense(name="d"), act(quantized_relu(8, 2, use_sigmoid=1))), "use_sigmoid"),
    "upper_bound": (
        lambda: chain((4,), dense(name="d"), act(quantized_relu(8, 2, relu_upper_bound=1.5))),
        "upper bound",
    ),
    "po2": (lambda: chain((4,), dense(kernel_quantizer=quantized_po2(4))), "quantized_po2"),
    "ternary": (lambda: chain((4,), dense(kernel_quantizer=bits(2, 0))), "ternary"),
    "unquantized_kernel": (lambda: chain((5, 4), dense(kernel_quantizer=None)), "no quantizer"),
    "unquantized_bias": (lambda: chain((5, 4), dense(bias_quantizer=None)), "no quantizer"),
    "no_bias": (lambda: chain((4,), dense(use_bias=False)), "use_bias=True"),
    "activation_inside": (lambda: chain((4,), dense(activation=quantized_relu(8, 2))), "QActivation layer behind"),
    "activation_name": (lambda: chain((4,), dense(name="d"), act("quantized_tanh(8)")), "quantized_tanh"),
    "relu_of_relu": (
        lambda: chain((4,), dense(name="a"), QActivation(quantized_relu(8, 2), name="b"), act(quantized_relu(6, 2))),
        "no sign",
    ),
    "dense": (lambda: chain((4,), L.Dense(3, name="layer")), "QDense"),
    "native_softmax": (lambda: chain((4, 4), L.Activation("softmax", name="layer")), "QSoftmax"),
    "softmax_layer": (lambda: chain((4,), L.Softmax(name="layer")), "does not compile"),
    "batch_norm": (lambda: chain((4,), L.BatchNormalization(name="layer")), "fold it"),
    "q_batch_norm": (lambda: chain((4,), QBatchNormalization(name="layer")), "ignores its quantizers"),
    "layer_norm": (lambda: chain((4, 4), L.LayerNormalization(name="layer")), "QLayerNormalization"),
    "lambda": (lambda: chain((4,), L.Lambda(lambda x: x, name="layer")), "Lambda"),
    "dropout": (lambda: chain((4,), L.Dropout(0.1, name="layer")), "without Dropout"),
    "float_softmax": (lambda: chain((4,), QSoftmax(name="layer")), "without quantizers"),
    "norm_too_narrow": (lambda: chain((4,), softmax()), "differences of the inputs do not fit"),
    "pool_of_six": (lambda: chain((6, 4), L.GlobalAveragePooling1D(name="layer")), "power of two"),
    "pool_keeping": (lambda: chain((4, 4), L.GlobalAveragePooling1D(name="layer", keepdims=True)), "keepdims"),
    "shared": (shared, "a layer of its own for each call"),
    "add_three": (add_three, "two inputs"),
    "not_finite": (not_finite, "not finite"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_hls4ml_would_convert_wrongly_is_refused_by_name(case: str) -> None:
    make, message = REFUSED[case]
    with pytest.raises(L1emuError) as caught:
        plan_types(make(), INPUT)
    assert message in str(caught.value)
    assert caught.value.where is not None
    assert caught.value.where.startswith("layer layer")


def test_backend_and_foreign_folder_are_refused(tmp_path: Path) -> None:
    model = chain((4,), dense())
    with pytest.raises(L1emuError, match="unknown backend"):
        convert(model, tmp_path / "p", cast("Backend", "Quartus"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("precious")
    with pytest.raises(L1emuError, match="something else"):
        convert(model, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "precious"


def tiny(tmp_path: Path, seed: int = 1) -> keras.Model:
    path = tmp_path / "recipe.yaml"
    path.write_text(TINY, encoding="utf-8")
    keras.utils.set_random_seed(seed)
    model = build(load_config(path, Recipe), quantized=True)
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        arrays = layer.get_weights()
        if arrays:
            layer.set_weights([arrays[0] * 1.5, rng.normal(0, 0.4, arrays[1].shape)])
    return model


def raw_inputs(shape: tuple[int, ...], jets: int = 400) -> NDArray[np.int64]:
    rng = np.random.default_rng(3)
    physical = rng.normal(0, 60, (jets // 2, *shape)).round().clip(-512, 511)
    wild = rng.integers(-512, 512, (jets - jets // 2, *shape))
    raw: NDArray[np.int64] = np.concatenate([physical, wild]).astype(np.int64)
    return raw


def layer_outputs(model: keras.Model, raw: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    probe = keras.Model(model.inputs, {layer.name: layer.output for layer in model.layers[1:]})
    return {k: np.asarray(v, dtype=np.float64) for k, v in probe(raw.astype(np.float32) / 64).items()}


@pytest.mark.parametrize("backend", ["Vitis", "Vivado"])
def test_firmware_equals_qkeras_in_every_layer(tmp_path: Path, backend: Backend) -> None:
    """Every value of every layer, both softmaxes included: the tables and QKeras' arithmetic round alike."""
    model = tiny(tmp_path)
    firmware = Firmware.read(convert(model, tmp_path / "project", backend))
    raw = raw_inputs((4, 3))
    found, expected = run(firmware, raw), layer_outputs(model, raw)
    compared = 0
    for layer in firmware.layers:
        name = layer.name.removesuffix("_linear")
        value = layer.output.type.to_float(found[layer.output.name])
        behind = next((k for k in (f"{name}_act", name.replace("_add", "_residual")) if k in expected), name)
        if name in expected and f"{name}_relu" not in expected:
            np.testing.assert_array_equal(value.ravel(), expected[behind].ravel(), err_msg=name)
            compared += 1
    assert compared >= 10
    scores = firmware.outputs[0].type.to_float(found[firmware.outputs[0].name])
    np.testing.assert_array_equal(scores, expected["scores"])
    assert len(np.unique(scores)) > 50


def test_accumulators_hold_the_largest_sums(tmp_path: Path) -> None:
    model = chain((4,), dense(5, name="d", kernel_quantizer=bits(6, 0), bias_quantizer=bits(6, 0)))
    model.get_layer("d").set_weights([np.full((4, 5), -1.0), np.full(5, -1.0)])
    firmware = Firmware.read(convert(model, tmp_path / "project"))
    lowest = np.full((1, 4), -512)
    out = run(firmware, lowest)[firmware.outputs[0].name]
    assert firmware.outputs[0].type.to_float(out).tolist() == [[4 * 8.0 - 1.0] * 5]


def test_a_stamp_that_is_all_digits_leaves_no_trace(tmp_path: Path) -> None:
    """YAML quotes it, and no other: one project in forty would differ from its twin."""
    written = []
    for stamp in ("1234567a", "12345678"):
        folder = tmp_path / stamp
        (folder / "firmware").mkdir(parents=True)
        (folder / "firmware" / "defines.h").write_text("// types")
        (folder / "hls4ml_config.yml").write_text(yaml.safe_dump({"OutputDir": str(folder), "Stamp": stamp}))
        (folder / "build_lib.sh").write_text(f"g++ -o firmware/tagger-{stamp}.so")
        _make_reproducible(folder, stamp)
        written.append([(folder / name).read_text() for name in ("hls4ml_config.yml", "build_lib.sh")])
    assert written[0] == written[1]
    own = yaml.safe_load(written[0][0])["Stamp"]
    assert isinstance(own, str)
    assert own in written[0][1]


def test_same_model_same_files_and_the_model_is_left_as_it_was(tmp_path: Path) -> None:
    model = tiny(tmp_path)
    before = [w.copy() for w in model.get_weights()]
    hashes = []
    for name in ("one", "two"):
        folder = convert(model, tmp_path / name)
        assert str(tmp_path) not in "".join(
            p.read_text(errors="replace")
            for p in folder.rglob("*")
            if p.is_file() and p.suffix in (".yml", ".tcl", ".sh")
        )
        hashes.append(
            {
                p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
                for p in sorted(folder.rglob("*"))
                if p.is_file()
            }
        )
    assert hashes[0] == hashes[1]
    assert any(name.endswith("defines.h") for name in hashes[0])
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_weights_off_their_grid_are_quantized_as_qkeras_does(tmp_path: Path) -> None:
    """hls4ml alone would floor 0.03 to 0 and wrap 1.0 to -1.0 in a dense layer on two dimensions."""
    model = chain((2, 2), dense(2, name="d", kernel_quantizer=bits(6, 0), bias_quantizer=bits(6, 0)))
    model.get_layer("d").set_weights([np.array([[1.0, 0.03], [-1.7, 0.015]]), np.array([0.049, -0.5])])
    firmware = Firmware.read(convert(model, tmp_path / "project"))
    raw = raw_inputs((2, 2))
    np.testing.assert_array_equal(
        firmware.outputs[0].type.to_float(run(firmware, raw)[firmware.outputs[0].name]),
        model(raw.astype(np.float32) / 64).numpy(),
    )


def test_compiled_project_gives_what_qkeras_gives(tmp_path: Path) -> None:
    """hls4ml's own C++, built with g++, against the forward pass of quantization-aware training."""
    model = tiny(tmp_path, seed=5)
    project = convert(model, tmp_path / "project")
    raw = raw_inputs((4, 3))
    found = next(iter(CSim(project).run(raw / 64.0).values()))
    np.testing.assert_array_equal(found, model(raw.astype(np.float32) / 64).numpy())


def test_save_and_load_keep_layers_and_outputs(tmp_path: Path) -> None:
    model = tiny(tmp_path)
    model.save(tmp_path / "model.h5")
    with keras.utils.custom_object_scope(CUSTOM_OBJECTS):
        again = keras.models.load_model(
            tmp_path / "model.h5",
            custom_objects={
                "QDense": QDense,
                "QActivation": QActivation,
                "quantized_bits": quantized_bits,
                "quantized_relu": quantized_relu,
            },
            compile=False,
        )
    x = raw_inputs((4, 3), 50).astype(np.float32) / 64
    np.testing.assert_array_equal(model(x).numpy(), again(x).numpy())
    assert again.get_layer("scores").get_config() == model.get_layer("scores").get_config()
    assert again.get_layer("block0_mix").get_config() == model.get_layer("block0_mix").get_config()
    assert isinstance(again.get_layer("block0_score"), QEinsum)


def test_softmax_is_close_to_the_ordinary_one_and_passes_its_gradient() -> None:
    import tensorflow as tf

    layer = softmax(norm_quantizer=quantized_relu(8, 4))
    x = tf.constant(np.random.default_rng(0).integers(-128, 128, (200, 5)) / 16.0, dtype=tf.float32)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        exact, plain = layer(x), tf.nn.softmax(x)
        one, other = tf.reduce_sum(exact**2), tf.reduce_sum(plain**2)
    assert np.abs(exact.numpy() - plain.numpy()).max() < 0.01
    assert np.array_equal(exact.numpy() * 256, np.round(exact.numpy() * 256))
    np.testing.assert_allclose(tape.gradient(one, x), tape.gradient(other, x), atol=0.01)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"exp_quantizer": bits(8, 2)}, "no sign"),
        ({"exp_quantizer": None}, "missing: exp_quantizer"),
        ({"exp_table_size": 512}, "power of two from 2 to 256"),
        ({"exp_table_size": 100}, "power of two"),
        ({"inverse_table_size": 4096}, "power of two from 2 to 1024"),
        ({"sum_quantizer": quantized_relu(8, 3)}, "drops bits"),
    ],
)
def test_softmax_refuses_types_that_do_not_fit(options: dict[str, Any], message: str) -> None:
    with pytest.raises(L1emuError, match=message):
        softmax(**options)


@pytest.mark.parametrize("equation", ["bij->bij", "bij,cjk->bik", "bij,bjk", "ij,jk->ik"])
def test_einsum_refuses_other_equations(equation: str) -> None:
    with pytest.raises(L1emuError, match="not an einsum of two tensors"):
        QEinsum(equation)


@pytest.mark.parametrize(("exp_size", "inverse_size"), [(64, 128), (256, 1024)])
def test_small_tables_hold_the_lower_edge_of_the_bin(tmp_path: Path, exp_size: int, inverse_size: int) -> None:
    layer = softmax(
        norm_quantizer=quantized_relu(8, 4), exp_table_size=exp_size, inverse_table_size=inverse_size, scale=0.37
    )
    model = chain((6, 4), dense(8, name="d"), QActivation(bits(8, 3), name="d_act"), layer)
    model.get_layer("d").set_weights([np.random.default_rng(1).normal(0, 1, (4, 8)), np.zeros(8)])
    firmware = Firmware.read(convert(model, tmp_path / "project"))
    raw = raw_inputs((6, 4))
    found = run(firmware, raw)[firmware.outputs[0].name]
    expected = model(raw.astype(np.float32) / 64).numpy()
    np.testing.assert_array_equal(firmware.outputs[0].type.to_float(found), expected)
    assert len(np.unique(expected)) > 20
