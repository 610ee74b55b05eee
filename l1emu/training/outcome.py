"""What training leaves, whatever it was done with: a folder and a card; and the figures that any firmware has."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.emulator import Emulator
from l1emu.files import write_aside
from l1emu.firmware import Firmware
from l1emu.latency.estimate import estimate, load_design
from l1emu.training.arrays_for import Rows
from l1emu.training.figures import figures_of
from l1emu.training.model_recipe import ModelRecipe

MODEL_FIRMWARE, GOLDEN_FILE = "model.l1fw", "golden.npz"
GOLDEN_ROWS, MADE_UP = 500, 300
"""Held-out rows that golden vectors hold, and made-up inputs that the comparison with C++ adds to them."""

Forms = dict[str, dict[str, npt.NDArray[Any]]]
"""Outputs by form (float, quantized, emulated) and by the name of the output."""


@dataclass(frozen=True)
class TrainingResult:
    """What `train` did: the folder and the card, a JSON document."""

    folder: Path
    card: dict[str, Any]


def golden_rows(held_out: Rows) -> dict[str, npt.NDArray[np.float32]]:
    """Inputs of `GOLDEN_ROWS` of the held-out rows, evenly spaced."""
    return held_out[slice(0, None, max(1, len(held_out) // GOLDEN_ROWS))][slice(GOLDEN_ROWS)].inputs


def emulated_outputs(emulator: Emulator, firmware: Firmware, rows: Rows) -> dict[str, npt.NDArray[Any]]:
    """What the firmware gives for the rows, by the name of the network's output."""
    found = emulator(rows.inputs)
    outputs = [found[tensor.name] for tensor in firmware.outputs] if isinstance(found, dict) else [np.asarray(found)]
    return dict(zip(rows.truth, outputs, strict=True))


def figures_in_card(recipe: ModelRecipe, forms: Forms, held_out: Rows) -> dict[str, Any]:
    """Task, classes and figures: of one output as they are, of several by output under `outputs`."""
    tasks = recipe.tasks_of(list(held_out.truth))
    about = {
        name: {"task": task.kind, "classes": list(task.classes or ())}
        | figures_of({form: y[name] for form, y in forms.items()}, held_out.truth[name], held_out.weights, task)
        for name, task in tasks.items()
    }
    return {"outputs": about} if recipe.tasks is not None else next(iter(about.values()))


def largest_difference(forms: Forms) -> float:
    """Of a number between the quantized and the emulated outputs."""
    emulated = forms["emulated"]
    return float(max(np.abs(y - emulated[name].reshape(y.shape)).max() for name, y in forms["quantized"].items()))


def estimate_in_card(path: Path) -> dict[str, Any]:
    """Cycles, interval and resources of the firmware file at `path`, with their bands."""
    found = estimate(load_design(path)).as_dict()
    return {
        "part": found["part"],
        "latency_cycles": found["latency_cycles"][1],
        "interval_cycles": found["interval_cycles"][1],
        "DSP": found["resources"]["DSP"],
        "LUT": found["resources"]["LUT"],
        "bands": {name: found["bands"][name] for name in ("latency_cycles", "interval_cycles", "DSP", "LUT")},
    }


def write_together(folder: Path, scratch: Path, names: Sequence[str]) -> None:
    """Put files of `scratch` into `folder`, all of them or none; the first of `names` last."""
    with ExitStack() as together:
        # each is renamed when there is room for all of them
        asides = {name: together.enter_context(write_aside(folder / name)) for name in names}
        for name, aside in asides.items():
            shutil.copyfile(scratch / name, aside)
