"""Training of any model: the float network, its quantized form, firmware, comparison with its C++, and the card."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow import keras

from l1emu.config import load_config
from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.files import read_text, scratch_folder, sha256_bytes, write_json
from l1emu.firmware import Firmware
from l1emu.goldenfile import GoldenVectors, write_golden_file
from l1emu.latency.estimate import keep_design
from l1emu.training.any_model import (
    GRIDS,
    TrainedModel,
    check_exported,
    chosen_grids,
    float_network,
    grids_text,
    input_shapes,
    network_of,
    output_shapes,
    quantized_network,
)
from l1emu.training.arrays_for import Rows, read_arrays_of, rows_for, split_rows
from l1emu.training.autoencoders import FormInTraining
from l1emu.training.figures import card_text
from l1emu.training.fitting import Fit, fit_network, fitted_rows
from l1emu.training.model import multiplications, weights_by_name
from l1emu.training.model_recipe import ModelRecipe
from l1emu.training.outcome import (
    GOLDEN_FILE,
    MADE_UP,
    MODEL_FIRMWARE,
    TrainingResult,
    emulated_outputs,
    estimate_in_card,
    figures_in_card,
    golden_rows,
    largest_difference,
    write_together,
)
from l1emu.training.part_scales import scale_to_table
from l1emu.training.pruning import pruned_layers, pruner_of, zero_share
from l1emu.training.rebuilding import has_quantizers, without_quantizers
from l1emu.training.recipe import RECIPE
from l1emu.training.starting_weights import start_from
from l1emu.training.tagger import FLOAT_WEIGHTS, WEIGHTS, fill, save_arrays
from l1emu.training.train import weights_hash
from l1emu.verification.compare import Verification, verify
from l1emu.verification.golden import golden_vectors
from l1emu.version import __version__

_CALIBRATION = 4096
"""Rows of training by whose values grids are chosen."""


@dataclass(frozen=True)
class _Trained:
    twin: keras.Model
    model: keras.Model
    grids: str
    fits: dict[str, Fit]


def train_model(
    recipe_path: str | os.PathLike[str], out: str | os.PathLike[str], data: str | os.PathLike[str] | None = None
) -> TrainingResult:
    """Train the model of a recipe of any model; same recipe, data, versions and machine give the same weights.

    Writes into `out`: recipe, weights of both networks, the grids of its layers, firmware, golden vectors, and the
    card; all of them or none. If training is stopped, a later call with the same recipe and data takes up after the
    passes that were finished.

    Parameters
    ----------
    data
        An npz that stands for what the recipe's `data` names.

    Raises
    ------
    L1emuError
        on a wrong recipe, on data that do not fit it, on a layer that hls4ml would convert wrongly, and if emulation
        and C++ differ.
    """
    started = time.perf_counter()
    place, folder = Path(recipe_path), Path(out)
    recipe, text = load_config(place, ModelRecipe), read_text(place)
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(recipe.training.seed)
    try:
        network = network_of(recipe, place.parent)
        translated = recipe.network.weights is not None and start_from(network, recipe.network, place.parent)
        check_exported(recipe, network)
        if recipe.training.pruning is not None:
            pruned_layers(network, recipe.training.pruning)
        arrays = read_arrays_of(recipe, place.parent, None if data is None else Path(data))
        rows = rows_for(recipe, arrays, input_shapes(network), output_shapes(network))
        parts = split_rows(rows, recipe)
    except L1emuError as error:
        raise error.within(place) from None
    del arrays
    if translated:
        some = np.flatnonzero(parts["training"])[:_CALIBRATION]
        scale_to_table(network, list(rows[some].inputs.values()))
    digest = rows.digest()
    made_of = [recipe.model_dump_json(exclude={"hardware", "description"}), digest]
    if recipe.network.weights is not None:
        made_of.append(weights_hash(network))
    key = sha256_bytes("\n".join(made_of).encode())
    checkpoint = folder / f".passes-{key[:16]}"
    trained = _passes(recipe, place, network, rows, parts, checkpoint)
    held_out = rows[np.flatnonzero(parts["held_out"])]
    with scratch_folder("l1emu-train") as scratch:
        project = TrainedModel(recipe, trained.model).write_project(scratch / "project", "Vitis")
        firmware = keep_design(Firmware.read(project), project)
        firmware.save(scratch / MODEL_FIRMWARE)
        sample = golden_rows(held_out)
        outcome = verify(project, jets=MADE_UP, inputs=sample, firmware=firmware)
        if not outcome.identical:
            raise L1emuError(str(outcome), path=place)
        golden = golden_vectors(project, inputs=sample, firmware=firmware)
        card = _card(recipe, trained, firmware, held_out, outcome)
        card["estimate"] = estimate_in_card(scratch / MODEL_FIRMWARE)
        card["rows"] = {
            "sha256": digest,
            "parts": {name: int(mask.sum()) for name, mask in parts.items()},
        }
        card["recipe_sha256"] = sha256_bytes(text.encode())
        card["seconds"]["all"] = round(time.perf_counter() - started, 1)
        _write_folder(folder, scratch, text, trained, golden, card)
    shutil.rmtree(checkpoint, ignore_errors=True)
    return TrainingResult(folder, card)


def _passes(
    recipe: ModelRecipe,
    place: Path,
    network: keras.Model,
    rows: Rows,
    parts: dict[str, npt.NDArray[np.bool_]],
    checkpoint: Path,
) -> _Trained:
    """Both passes of training, each from its checkpoint where that is there."""
    fits: dict[str, Fit] = {}
    training, tasks = recipe.training, recipe.tasks_of(list(rows.truth)).values()
    start = without_quantizers(network) if has_quantizers(network) else network
    around = FormInTraining(recipe.task, [task.keras_loss for task in tasks], [task.loss_weight for task in tasks])
    fitted = {name: around.rows(fitted_rows(rows, parts[name])) for name in ("training", "validation")}

    def fit(model: keras.Model, name: str) -> None:
        stage = training.quantized if name == "quantized" else training.float_pass
        assert stage is not None  # the schema's promise for this method
        weights, story = checkpoint / f"{name}.npz", checkpoint / f"{name}.json"
        form = around.form(model)
        if weights.exists() and story.exists():
            fill(form, weights)
            fits[name] = Fit(**json.loads(read_text(story)))
            return
        quantized = name == "quantized"
        fits[name] = fit_network(
            form,
            fitted["training"],
            fitted["validation"],
            stage,
            batch=training.batch,
            seed=training.seed + quantized,
            losses=around.losses,
            loss_weights=around.loss_weights,
            quantized=quantized,
            pruner=pruner_of(training.pruning, model, quantized, stage.epochs),
        )
        save_arrays(weights, weights_by_name(form))
        write_json(story, fits[name].__dict__)

    if training.float_pass is not None:
        fit(start, "float")
    twin = start if start is not network else float_network(network)
    grids = chosen_grids(recipe, twin, [array[:_CALIBRATION] for array in fitted["training"][0]])
    model = quantized_network(recipe, twin, network, grids)
    if training.quantized is not None:
        fit(model, "quantized")
    return _Trained(twin, model, grids_text(grids), fits)


def _predicted(model: keras.Model, rows: Rows) -> dict[str, npt.NDArray[np.float32]]:
    """What `model` gives for the rows, by the name of the output."""
    inputs = list(rows.inputs.values())
    found = model.predict(inputs if len(inputs) > 1 else inputs[0], batch_size=4096, verbose=0)
    outputs = found if isinstance(found, list) else [found]
    return {name: np.asarray(y, dtype=np.float32) for name, y in zip(rows.truth, outputs, strict=True)}


def _card(
    recipe: ModelRecipe, trained: _Trained, firmware: Firmware, held_out: Rows, outcome: Verification
) -> dict[str, Any]:
    emulator = Emulator(firmware)
    emulator(held_out[:1].inputs)  # compiled before it is timed
    begin = time.perf_counter()
    emulated = emulated_outputs(emulator, firmware, held_out)
    speed = len(held_out) / (time.perf_counter() - begin)
    pruning = recipe.training.pruning
    forms = {
        "float": _predicted(trained.twin, held_out),
        "quantized": _predicted(trained.model, held_out),
        "emulated": emulated,
    }
    return {
        "name": recipe.name,
        "description": recipe.description,
        "quantization": recipe.quantization.method,
        **figures_in_card(recipe, forms, held_out),
        "parameters": int(trained.model.count_params()),
        "multiplications": multiplications(trained.model),
        **({} if pruning is None else {"zero_weights": round(zero_share(trained.model, pruning), 4)}),
        "largest_difference_quantized_emulated": largest_difference(forms),
        "firmware": firmware.content_hash,
        "verified_values": outcome.values,
        "verified_layers": outcome.layers,
        "differ": 0 if outcome.first_difference is None else outcome.first_difference.count,
        "emulated_rows_per_second": round(speed),
        "history": {name: fit.history for name, fit in trained.fits.items()},
        "seconds": {name: round(fit.seconds, 1) for name, fit in trained.fits.items()},
        "weights_sha256": weights_hash(trained.model),
        "versions": {"l1emu": __version__}
        | {name: importlib.metadata.version(name) for name in ("tensorflow", "qkeras", "hls4ml", "numpy")},
    }


def _write_folder(
    folder: Path, scratch: Path, text: str, trained: _Trained, golden: GoldenVectors, card: dict[str, Any]
) -> None:
    """Write a model's files, all of them or none."""
    (scratch / RECIPE).write_text(text, encoding="utf-8")
    (scratch / GRIDS).write_text(trained.grids, encoding="utf-8")
    save_arrays(scratch / FLOAT_WEIGHTS, weights_by_name(trained.twin))
    save_arrays(scratch / WEIGHTS, weights_by_name(trained.model))
    write_golden_file(scratch / GOLDEN_FILE, golden)
    (scratch / "card.md").write_text(card_text(card), encoding="utf-8")
    write_json(scratch / "card.json", card)
    names = ("card.json", "card.md", MODEL_FIRMWARE, GOLDEN_FILE, WEIGHTS, FLOAT_WEIGHTS, GRIDS, RECIPE)
    write_together(folder, scratch, names)
