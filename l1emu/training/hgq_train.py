"""Training with HGQ2: widths of single weights and numbers are learned; in an environment of its own (extra: hgq).

The network gives logits: a classification's figures are of their softmax, the firmware's outputs are the logits.
"""

from __future__ import annotations

import importlib.metadata
import os
import time
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import hls4ml
import keras
import numpy as np
import numpy.typing as npt
from hgq.config import LayerConfigScope, QuantizerConfigScope
from hgq.layers.attn import linformer, mha
from hgq.utils import trace_minmax
from hls4ml.converters.keras_v3 import layer_handlers
from scipy.special import softmax

from l1emu.config import load_config
from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.files import read_text, scratch_folder, sha256_bytes, write_json
from l1emu.firmware import Firmware
from l1emu.goldenfile import write_golden_file
from l1emu.latency.estimate import keep_design
from l1emu.training.arrays_for import Rows, read_arrays_of, rows_for, split_rows
from l1emu.training.figures import card_text
from l1emu.training.functions import call_function, named_function
from l1emu.training.hgq_networks import HGQ_NETWORKS
from l1emu.training.model_recipe import ModelRecipe
from l1emu.training.outcome import (
    GOLDEN_FILE,
    MADE_UP,
    MODEL_FIRMWARE,
    Forms,
    TrainingResult,
    emulated_outputs,
    estimate_in_card,
    figures_in_card,
    golden_rows,
    largest_difference,
    write_together,
)
from l1emu.training.recipe import RECIPE, TrainingPass
from l1emu.verification.compare import verify
from l1emu.verification.golden import golden_vectors
from l1emu.version import __version__

KERAS_FILE = "model.keras"
_BETA = 1e-7
_PACKAGES = ("keras", "HGQ2", "hls4ml", "numpy")
_Outputs = dict[str, npt.NDArray[Any]]


def hgq_network_of(recipe: ModelRecipe, beside: Path, *, quantized: bool) -> keras.Model:
    """The network that the recipe names: with the quantizers that its rule begins with, or its float twin.

    Raises
    ------
    L1emuError
        if there is none of this name, its sizes are wrong, or it is no Keras model.
    """
    choice, rule = recipe.network, recipe.quantization.rule
    assert rule is not None  # the schema's promise for this method
    if choice.builder is not None:
        if choice.builder not in HGQ_NETWORKS:
            expected = f"one of {', '.join(sorted(HGQ_NETWORKS))}"
            raise L1emuError(
                "no such builder of HGQ2", where="network.builder", value=choice.builder, expected=expected
            )
        function, where = HGQ_NETWORKS[choice.builder], "network.sizes"
    else:
        function, where = named_function(str(choice.function), beside, "network.function"), "network.function"
    with ExitStack() as scopes:
        if quantized:
            weight, data = rule.weight, rule.result
            whole = 2 if weight.integer is None else weight.integer
            scopes.enter_context(
                QuantizerConfigScope(
                    default_q_type="kbi", place=("weight", "bias"), b0=weight.bits, i0=whole, overflow_mode="SAT_SYM"
                )
            )
            whole = 4 if data.integer is None else data.integer
            scopes.enter_context(
                QuantizerConfigScope(
                    default_q_type="kif", place=("datalane",), i0=whole, f0=data.bits - whole - 1, overflow_mode="SAT"
                )
            )
            scopes.enter_context(
                LayerConfigScope(
                    enable_ebops=True, beta0=_BETA if recipe.quantization.beta is None else recipe.quantization.beta
                )
            )
        model = call_function(function, {**choice.sizes, "quantized": quantized}, where)
    if not isinstance(model, keras.Model):
        raise L1emuError("not a Keras model", where=where, value=type(model).__name__)
    return model


def train_hgq(
    recipe_path: str | os.PathLike[str], out: str | os.PathLike[str], data: str | os.PathLike[str] | None = None
) -> TrainingResult:
    """Train the model of a recipe with the method hgq2; see `l1emu.training.any_train.train_model`.

    Writes into `out`: recipe, the Keras model, firmware, golden vectors and the card; all of them or none.

    Raises
    ------
    L1emuError
        on a wrong recipe, on data that do not fit it, on a layer that hls4ml does not convert, and if emulation and C++
        differ.
    """
    started = time.perf_counter()
    place, folder = Path(recipe_path), Path(out)
    recipe, text = load_config(place, ModelRecipe), read_text(place)
    keras.utils.set_random_seed(recipe.training.seed)
    try:
        twin, model = (hgq_network_of(recipe, place.parent, quantized=quantized) for quantized in (False, True))
        chosen, digest = _rows(recipe, model, place.parent, None if data is None else Path(data))
    except L1emuError as error:
        raise error.within(place) from None
    assert recipe.training.quantized is not None  # the schema's promise for this method
    stage = recipe.training.float_pass
    assert stage is not None  # the schema's promise for this method
    history = {"float": _fit(twin, chosen, recipe, stage)}
    _hand_over(twin, model)
    history["quantized"] = _fit(model, chosen, recipe, recipe.training.quantized)
    ebops = trace_minmax(model, _given(chosen["training"]), batch_size=1024, verbose=0)
    held_out = chosen["held_out"]
    with scratch_folder("l1emu-train") as scratch:
        forms: Forms = {"float": _predicted(twin, held_out), "quantized": _predicted(model, held_out)}
        model.save(scratch / KERAS_FILE)
        project = write_hgq_project(recipe, _loaded(scratch / KERAS_FILE), scratch / "project")
        firmware = keep_design(Firmware.read(project), project)
        firmware.save(scratch / MODEL_FIRMWARE)
        sample = golden_rows(held_out)
        outcome = verify(project, jets=MADE_UP, inputs=sample, firmware=firmware)
        if not outcome.identical:
            raise L1emuError(str(outcome), path=place)
        write_golden_file(scratch / GOLDEN_FILE, golden_vectors(project, inputs=sample, firmware=firmware))
        forms["emulated"] = emulated_outputs(Emulator(firmware), firmware, held_out)
        card: dict[str, Any] = {
            "name": recipe.name,
            "description": recipe.description,
            "quantization": "hgq2",
            **figures_in_card(recipe, {form: _scores(recipe, y) for form, y in forms.items()}, held_out),
            "parameters": int(twin.count_params()),
            "ebops": float(ebops),
            "largest_difference_quantized_emulated": largest_difference(forms),
            "firmware": firmware.content_hash,
            "verified_values": outcome.values,
            "verified_layers": outcome.layers,
            "differ": 0,
            "history": history,
            "seconds": {"all": round(time.perf_counter() - started, 1)},
            "estimate": estimate_in_card(scratch / MODEL_FIRMWARE),
            "rows": {"sha256": digest, "parts": {name: len(rows) for name, rows in chosen.items()}},
            "recipe_sha256": sha256_bytes(text.encode()),
            "versions": {name: importlib.metadata.version(name) for name in _PACKAGES} | {"l1emu": __version__},
        }
        _write_folder(folder, scratch, text, card)
    return TrainingResult(folder, card)


def _rows(recipe: ModelRecipe, model: keras.Model, beside: Path, instead: Path | None) -> tuple[dict[str, Rows], str]:
    """The rows of each part, and the digest of all."""
    inputs = {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
    outputs = dict(zip(model.output_names, (tuple(t.shape[1:]) for t in model.outputs), strict=True))
    rows = rows_for(recipe, read_arrays_of(recipe, beside, instead), inputs, outputs)
    return {name: rows[np.flatnonzero(mask)] for name, mask in split_rows(rows, recipe).items()}, rows.digest()


def _write_folder(folder: Path, scratch: Path, text: str, card: dict[str, Any]) -> None:
    (scratch / RECIPE).write_text(text, encoding="utf-8")
    (scratch / "card.md").write_text(card_text(card), encoding="utf-8")
    write_json(scratch / "card.json", card)
    write_together(folder, scratch, ("card.json", "card.md", MODEL_FIRMWARE, GOLDEN_FILE, KERAS_FILE, RECIPE))


def write_hgq_project(recipe: ModelRecipe, model: keras.Model, folder: Path, backend: str = "Vitis") -> Path:
    """Write the hls4ml project of a trained model, bit by bit what Keras computes.

    Raises
    ------
    L1emuError
        naming what hls4ml says of a layer that it does not convert, or of hardware that the recipe steers by layer.
    """
    hardware = recipe.hardware
    if hardware.layers or hardware.parallelization_factor != 1:
        raise L1emuError("HGQ2 networks are steered as a whole", where="hardware", expected="strategy and reuse_factor")
    # hls4ml 1.3 knows the attention layers by the modules that they have left
    for layer in (mha.QMultiHeadAttention, linformer.QLinformerAttention):
        for known in [name for name in layer_handlers if name.endswith(f".{layer.__name__}")]:
            layer_handlers[f"{layer.__module__}.{layer.__name__}"] = layer_handlers[known]
    config = {
        "Precision": "ap_fixed<1,0>",  # of what no quantizer says: nothing
        "ReuseFactor": hardware.reuse_factor,
        "Strategy": hardware.strategy,
        "PipelineStyle": hardware.pipeline_style,
    }
    if hardware.pipeline_interval is not None:
        config["PipelineInterval"] = hardware.pipeline_interval
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            graph = hls4ml.converters.convert_from_keras_model(
                model,
                hls_config={"Model": config},
                output_dir=str(folder),
                project_name="myproject",
                backend=backend,
                io_type="io_parallel",
                part=hardware.part,
                clock_period=hardware.clock_period_ns,
            )
            graph.write()
        except Exception as error:  # hls4ml raises what it likes of a layer that it does not know
            first = (str(error).strip().splitlines() or [""])[0]
            raise L1emuError(f"hls4ml cannot convert it: {type(error).__name__}: {first[:200]}") from None
    return folder


def load_hgq(folder: str | os.PathLike[str]) -> tuple[ModelRecipe, keras.Model]:
    """The recipe and the quantized model that `train_hgq` left in `folder`.

    Raises
    ------
    L1emuError
        if they are absent or damaged.
    """
    place = Path(folder)
    recipe = load_config(place / RECIPE, ModelRecipe)
    if not (place / KERAS_FILE).is_file():
        raise L1emuError("no such file", path=place / KERAS_FILE, expected="the model that `l1emu train` writes")
    return recipe, _loaded(place / KERAS_FILE)


def _loaded(path: Path) -> keras.Model:
    """A saved model, whose nameless quantizers are numbered from 0: their names stand in the firmware."""
    keras.utils.clear_session()
    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises what it likes where its files are damaged
        first = (str(error).strip().splitlines() or [""])[0]
        raise L1emuError(f"Keras cannot load the model: {first[:200]}", path=path) from None


def _given(rows: Rows) -> Any:
    values = list(rows.inputs.values())
    return values if len(values) > 1 else values[0]


def _fit(
    model: keras.Model, chosen: dict[str, Rows], recipe: ModelRecipe, stage: TrainingPass
) -> dict[str, list[float]]:
    """Fit in place with Adam, cosine-annealed; losses by epoch. The last epoch counts, since widths go on shrinking."""
    training, validation = chosen["training"], chosen["validation"]
    batch = min(recipe.training.batch, len(training))
    steps = max(1, len(training) // batch) * stage.epochs
    tasks = list(recipe.tasks_of(list(training.truth)).values())
    losses = [
        keras.losses.SparseCategoricalCrossentropy(from_logits=True) if task.kind == "classify" else task.keras_loss
        for task in tasks
    ]
    schedule = keras.optimizers.schedules.CosineDecay(stage.learning_rate, steps, alpha=0.01)
    model.compile(
        keras.optimizers.Adam(schedule, clipnorm=1.0),
        loss=losses if len(losses) > 1 else losses[0],
        loss_weights=[task.loss_weight for task in tasks] if len(tasks) > 1 else None,
    )

    def targets(rows: Rows) -> Any:
        values = [truth.target for truth in rows.truth.values()]
        return values if len(values) > 1 else values[0]

    found = model.fit(
        _given(training),
        targets(training),
        sample_weight=training.weights,
        validation_data=(_given(validation), targets(validation), validation.weights),
        batch_size=batch,
        epochs=stage.epochs,
        verbose=0,
    )
    return {name: [round(float(v), 6) for v in values] for name, values in found.history.items()}


def _hand_over(twin: keras.Model, model: keras.Model) -> None:
    """Give the quantized network the weights of its float twin, layer by layer."""
    for layer in twin.layers:
        for name in ("kernel", "bias"):
            if getattr(layer, name, None) is not None:
                # a copy: jax would give the array itself away with the next step
                getattr(model.get_layer(layer.name), name).assign(np.copy(getattr(layer, name).numpy()))


def _predicted(model: keras.Model, rows: Rows) -> _Outputs:
    found = model.predict(_given(rows), batch_size=1024, verbose=0)
    outputs = found if isinstance(found, list) else [found]
    return {name: np.asarray(y, dtype=np.float32) for name, y in zip(rows.truth, outputs, strict=True)}


def _scores(recipe: ModelRecipe, outputs: _Outputs) -> _Outputs:
    """Probabilities in the place of a classification's logits."""
    tasks = recipe.tasks_of(list(outputs))
    return {name: softmax(y, axis=-1) if tasks[name].kind == "classify" else y for name, y in outputs.items()}
