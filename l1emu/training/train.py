"""Training: the float twin first, then the quantized network from its weights; and the card that tells the result."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from pydantic import BaseModel, ConfigDict, ValidationError
from tensorflow import keras

from l1emu.arrays import check_array
from l1emu.config import load_config
from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.files import read_text, scratch_folder, sha256_bytes, write_aside, write_json
from l1emu.firmware import Firmware
from l1emu.jsontext import parse_json
from l1emu.latency.estimate import keep_design
from l1emu.training.card import model_card
from l1emu.training.data import LabelledJets, flattening_weights, read_jets, split_jets
from l1emu.training.evaluate import auc_table
from l1emu.training.fitting import fit_network
from l1emu.training.model import build, multiplications, set_weights_by_name, weights_by_name
from l1emu.training.outcome import TrainingResult
from l1emu.training.recipe import RECIPE, Recipe, Training
from l1emu.training.tagger import FLOAT_WEIGHTS, WEIGHTS, TrainedTagger, read_tagger_arrays, save_arrays
from l1emu.version import __version__

_FIRMWARE = "tagger.l1fw"
_CARD = "card.json"
_CARD_TEXT = "card.md"
_SAMPLE_JETS = 1500
"""Held-out jets that golden vectors and the card's recomputable line share, evenly spaced over the file."""
_STORY = "story"


def sample_of(held_out: LabelledJets) -> npt.NDArray[np.int64]:
    """Places of `_SAMPLE_JETS` of the held-out jets, evenly spaced: a file may hold its classes one after another."""
    return np.linspace(0, len(held_out) - 1, min(_SAMPLE_JETS, len(held_out))).astype(np.int64)


class _Story(BaseModel):
    """What a checkpoint tells of the training so far."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    seconds: dict[str, float]
    history: dict[str, dict[str, list[float]]]


@dataclass
class _Course:
    """How the training went: seconds, and losses by epoch, of each network."""

    seconds: dict[str, float]
    history: dict[str, dict[str, list[float]]]


@dataclass(frozen=True)
class _Run:
    """What came of one seed: both networks, and the validation loss of the quantized one."""

    seed: int
    twin: keras.Model
    model: keras.Model
    validation_loss: float
    course: _Course
    checkpoint: Path


_Weighted = tuple[LabelledJets, npt.NDArray[np.float64]]
"""Jets, and the weight of each."""


def train(
    recipe_path: str | os.PathLike[str], jets_path: str | os.PathLike[str], out: str | os.PathLike[str]
) -> TrainingResult:
    """Train the tagger of a recipe; same recipe, jets, versions and machine give the same weights.

    Of several seeds (`training.seeds`) the network with the lowest validation loss is kept, so that the held-out jets
    have no part in the choice; the card lists all of them.

    Writes into `out` (beside what is there): `recipe.yaml`, `float_weights.npz`, `weights.npz`, `tagger.l1fw`,
    `card.json`, `card.md`; all of them or none, each whole, the card last. If training is stopped, a later call with
    the same recipe and jets takes up after the float twins that were finished.

    Parameters
    ----------
    recipe_path
        YAML of `l1emu.training.recipe.Recipe`.
    jets_path
        npz with `features`, `label`, `pt`, `eta`, `event`; see `l1emu.training.data.LabelledJets`.
    out
        The tagger's folder.

    Raises
    ------
    L1emuError
        on a wrong recipe or jets, or if a class has no jets to train on.
    """
    started = time.perf_counter()
    recipe = load_config(recipe_path, Recipe)
    recipe_text = read_text(Path(recipe_path))
    jets = read_jets(jets_path, recipe)
    parts = _parts(jets, recipe, jets_path)
    folder = Path(out)
    tf.config.experimental.enable_op_determinism()
    fit_on = {
        name: (
            jets[parts[name]],
            flattening_weights(jets[parts[name]], recipe.training, len(recipe.architecture.classes)),
        )
        for name in ("training", "validation")
    }
    runs = [_run(recipe, jets, fit_on, folder, number) for number in range(recipe.training.seeds)]
    best = min(runs, key=lambda run: run.validation_loss)

    tagger = TrainedTagger(recipe, best.model)
    held_out = jets[parts["held_out"]]
    firmware = _emulated_firmware(tagger)
    card = {
        "name": recipe.name,
        "description": recipe.description,
        "classes": list(recipe.architecture.classes),
        "parameters": int(best.model.count_params()),
        "multiplications": multiplications(best.model),
        "jets": _jets_in_card(jets, parts, recipe.architecture.classes),
        **_areas(best.twin, tagger, firmware, held_out),
        "seed": best.seed,
        "seeds": [_run_in_card(run, recipe, held_out) for run in runs],
        "history": best.course.history,
        "seconds": {name: round(value, 1) for name, value in best.course.seconds.items()},
        "tensorflow_jets_per_second": round(_prediction_speed(best.model, held_out)),
        "firmware": firmware.content_hash,
        "recipe_sha256": sha256_bytes(recipe_text.encode()),
        "weights_sha256": weights_hash(best.model),
        "versions": {"l1emu": __version__}
        | {name: importlib.metadata.version(name) for name in ("tensorflow", "qkeras", "hls4ml", "numpy")},
    }
    card["seconds"]["all"] = round(time.perf_counter() - started, 1)
    _write(folder, recipe_text, best.twin, best.model, firmware, card)
    for run in runs:
        run.checkpoint.unlink(missing_ok=True)
    return TrainingResult(folder, card)


def _run(recipe: Recipe, jets: LabelledJets, parts: dict[str, _Weighted], folder: Path, number: int) -> _Run:
    """Train both networks from the seed of this number, the float twin with a checkpoint in `folder`."""
    seed = recipe.training.seed + 2 * number  # the quantized network takes the odd ones between
    checkpoint = folder / f".float-{_float_key(recipe, jets, seed)[:16]}.npz"
    course = _Course({}, {})
    twin = _float_twin(recipe, parts, seed, checkpoint, course)
    model = build(recipe, quantized=True)
    set_weights_by_name(model, weights_by_name(twin))
    loss = _fit(model, parts, recipe.training, seed, "quantized", course)
    return _Run(seed, twin, model, loss, course, checkpoint)


def _run_in_card(run: _Run, recipe: Recipe, held_out: LabelledJets) -> dict[str, Any]:
    """A seed's validation loss, and the area under the ROC curve of the first class against the rest."""
    classes = recipe.architecture.classes
    x, weight = held_out.inputs(), flattening_weights(held_out, recipe.training, len(classes))
    areas = {
        name: auc_table(predict(model, x), held_out.label, weight, classes)["versus_rest"][classes[0]]
        for name, model in (("float", run.twin), ("quantized", run.model))
    }
    return {"seed": run.seed, "validation_loss": round(run.validation_loss, 6), "auc": areas}


def _parts(jets: LabelledJets, recipe: Recipe, path: str | os.PathLike[str]) -> dict[str, npt.NDArray[np.bool_]]:
    """The masks of `split_jets` by their names; each part has jets of every class."""
    parts = dict(zip(("training", "validation", "held_out"), split_jets(jets, recipe.training), strict=True))
    for name, mask in parts.items():
        absent = [c for i, c in enumerate(recipe.architecture.classes) if not np.any(jets.label[mask] == i)]
        if absent:
            raise L1emuError(f"no {name} jets of class {', '.join(absent)}", path=path, where="label")
    return parts


def _float_twin(
    recipe: Recipe, parts: dict[str, _Weighted], seed: int, checkpoint: Path, course: _Course
) -> keras.Model:
    """The fitted network without quantizers, from the checkpoint where that is there, which is written otherwise."""
    keras.utils.set_random_seed(seed)
    twin = build(recipe, quantized=False)
    _scale_inputs(twin, parts["training"][0])
    if checkpoint.exists():
        _resume(twin, checkpoint, course)
    else:
        _fit(twin, parts, recipe.training, seed, "float twin", course)
        story = json.dumps({"seconds": course.seconds, "history": course.history})
        save_arrays(checkpoint, weights_by_name(twin) | {_STORY: np.array(story)})
    return twin


def _jets_in_card(
    jets: LabelledJets, parts: dict[str, npt.NDArray[np.bool_]], classes: Sequence[str]
) -> dict[str, Any]:
    """The jets' hash, and for each part how many of each class it has."""
    counts = {
        name: {c: int(np.sum(jets.label[mask] == i)) for i, c in enumerate(classes)} for name, mask in parts.items()
    }
    return {"sha256": jets.content_hash(), **counts}


def _write(
    folder: Path, recipe_text: str, twin: keras.Model, model: keras.Model, firmware: Firmware, card: dict[str, Any]
) -> None:
    """Write a tagger's files, all of them or none."""
    with scratch_folder("l1emu-train") as scratch, ExitStack() as together:
        (scratch / RECIPE).write_text(recipe_text, encoding="utf-8")
        save_arrays(scratch / FLOAT_WEIGHTS, weights_by_name(twin))
        save_arrays(scratch / WEIGHTS, weights_by_name(model))
        firmware.save(scratch / _FIRMWARE)
        (scratch / _CARD_TEXT).write_text(model_card(card), encoding="utf-8")
        write_json(scratch / _CARD, card)
        # each is renamed when there is room for all of them, the last one of these first
        names = (_CARD, _CARD_TEXT, _FIRMWARE, WEIGHTS, FLOAT_WEIGHTS, RECIPE)
        asides = {name: together.enter_context(write_aside(folder / name)) for name in names}
        for name, aside in asides.items():
            shutil.copyfile(scratch / name, aside)


def _emulated_firmware(tagger: TrainedTagger) -> Firmware:
    """The firmware of `tagger`, through a project written with hls4ml for Vitis and read back."""
    with scratch_folder("l1emu-train") as scratch:
        project = tagger.write_project(scratch / "project", "Vitis")
        return keep_design(Firmware.read(project), project)


def _areas(twin: keras.Model, tagger: TrainedTagger, firmware: Firmware, held_out: LabelledJets) -> dict[str, Any]:
    """AUC of the three networks on all held-out jets, and on the sample that golden vectors hold."""
    recipe = tagger.recipe
    classes = recipe.architecture.classes
    x = held_out.inputs()
    weight = flattening_weights(held_out, recipe.training, len(classes))
    scores: dict[str, npt.NDArray[np.floating[Any]]] = {
        "float": predict(twin, x),
        "quantized": predict(tagger.model, x),
        "emulated": np.asarray(Emulator(firmware)(x)),
    }
    sample = sample_of(held_out)
    return {
        "auc": {name: auc_table(s, held_out.label, weight, classes) for name, s in scores.items()},
        "auc_unweighted": {
            name: auc_table(s, held_out.label, np.ones(len(held_out)), classes) for name, s in scores.items()
        },
        "auc_sample": {
            "jets": len(held_out[sample]),
            **{
                name: auc_table(s[sample], held_out.label[sample], np.ones(len(held_out[sample])), classes)
                for name, s in scores.items()
            },
        },
        "largest_difference_quantized_emulated": float(np.abs(scores["quantized"] - scores["emulated"]).max()),
    }


def predict(model: keras.Model, x: npt.NDArray[np.float32] | list[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """Scores of `model`, float32 (jets, classes), in batches."""
    return np.asarray(model.predict(x, batch_size=4096, verbose=0), dtype=np.float32)


def _float_key(recipe: Recipe, jets: LabelledJets, seed: int) -> str:
    """Hash of what the weights of a seed's float twin depend on: not the types of the quantized network."""
    parts = [
        recipe.input.model_dump_json(),
        recipe.architecture.model_dump_json(),
        recipe.training.model_dump_json(exclude={"quantized", "seeds"}),
        str(seed),
        jets.content_hash(),
    ]
    return sha256_bytes("\n".join(parts).encode())


def _resume(twin: keras.Model, checkpoint: Path, course: _Course) -> None:
    """Take weights, times and losses of the float twin from the checkpoint of a training that was stopped."""
    weights = read_tagger_arrays(checkpoint)
    try:
        text = weights.pop(_STORY, np.array(""))
        check_array(text, path=checkpoint, where=_STORY, kinds="U", shape=())
        story = _Story.model_validate(parse_json(text.item()))
        set_weights_by_name(twin, weights)
    except (L1emuError, ValidationError) as error:
        what = error.message if isinstance(error, L1emuError) else "no times and losses"
        where = error.where if isinstance(error, L1emuError) else _STORY
        raise L1emuError(
            f"not a float twin of this recipe: {what}", path=checkpoint, where=where, expected="delete it to begin anew"
        ) from None
    course.seconds.update(story.seconds)
    course.history.update(story.history)


def _scale_inputs(model: keras.Model, jets: LabelledJets) -> None:
    """Scale the rows of the first kernel by a power of two near 1/rms of their feature, 16 at most.

    Features share one fixed-point grid, so some (dxy) are small numbers; without this they would matter late.
    """
    x = jets.inputs()
    x = x[x.any(axis=2)]  # constituents, without the padding
    rms = np.sqrt(np.mean(np.square(x, dtype=np.float64), axis=0))
    scale = 2.0 ** np.clip(np.round(-np.log2(np.maximum(rms, 1e-6))), -2, 4)
    layer = model.get_layer("embed")
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel * scale[:, None].astype(np.float32), bias])


def weights_hash(model: keras.Model) -> str:
    """SHA-256 over names and values of all weights."""
    digest = hashlib.sha256()
    for name, array in sorted(weights_by_name(model).items()):
        digest.update(name.encode() + b"\0" + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _prediction_speed(model: keras.Model, jets: LabelledJets) -> float:
    """Jets a second of batched TensorFlow, compiled, on the threads TensorFlow has."""
    batch = tf.constant(np.resize(jets.inputs(), (4096, *jets.features.shape[1:])))
    forward = tf.function(lambda x: model(x, training=False), jit_compile=True)
    forward(batch).numpy()
    started, repeats = time.perf_counter(), 0
    while time.perf_counter() - started < 1.0:
        forward(batch).numpy()
        repeats += 1
    return repeats * len(batch) / (time.perf_counter() - started)


def _fit(
    model: keras.Model,
    parts: dict[str, _Weighted],
    training: Training,
    seed: int,
    title: Literal["float twin", "quantized"],
    course: _Course,
) -> float:
    """Fit in place; keeps the weights of the epoch with the lowest validation loss, and gives that."""
    quantized = title == "quantized"
    jets, weight = parts["training"]
    other, other_weight = parts["validation"]
    fit = fit_network(
        model,
        ([jets.inputs()], [jets.label.astype(np.int32)], weight.astype(np.float32)),
        ([other.inputs()], [other.label.astype(np.int32)], other_weight.astype(np.float32)),
        training.quantized if quantized else training.float_twin,
        batch=training.batch,
        seed=seed + int(quantized),
        losses=["sparse_categorical_crossentropy"],
        quantized=quantized,
    )
    course.seconds[title.replace(" ", "_")] = fit.seconds
    course.history[title.replace(" ", "_")] = fit.history
    return fit.loss
