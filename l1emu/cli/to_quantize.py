"""What `l1emu quantize` is given: the project to scan, its labelled jets, and the network that it is compared with."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from l1emu.errors import L1emuError
from l1emu.resources import firmware_file
from l1emu.training import require

if TYPE_CHECKING:
    from l1emu.firmware import Firmware
    from l1emu.quantization import Labelled
    from l1emu.training.bits import RecipeAtBits

_RECIPE = "recipe.yaml"
_GOLDEN = "golden.npz"
_EXPECTED = "an hls4ml project, a folder of l1emu train, the name of a model of l1emu, or a Keras model (.h5, .keras)"


@dataclass(frozen=True)
class Given:
    """The project, and what it was made of.

    Attributes
    ----------
    project
        An hls4ml project folder.
    original
        The Keras model or the folder of `l1emu train` that it was written from here.
    trained
        That folder's recipe, where it is one of any model.
    wide
        Whether the project was made with wide types to begin with.
    """

    project: Path
    original: Path | None = None
    trained: RecipeAtBits | None = None
    wide: bool = False

    def labelled(self, data: Path | None, firmware: Firmware, jets: int) -> Labelled:
        """The jets of `--data`; else of the model's golden vectors, if they have labels, or of its recipe's data.

        Raises
        ------
        L1emuError
            if there are none, or they do not fit the firmware.
        """
        from l1emu.quantization import read_labelled

        if data is not None and self.trained is not None and self.trained.gives_values:
            raise L1emuError(
                "labels do not score a network that gives values", where="--data", value=data, expected="no --data"
            )
        classes = firmware.outputs[0].shape[-1]
        golden = None if self.original is None else self.original / _GOLDEN
        if data is None and golden is not None and golden.is_file() and _has_labels(golden):
            data = golden
        if data is not None:
            return read_labelled(data, firmware.inputs, classes, jets)
        if self.trained is None:
            raise L1emuError("no labelled jets", where="--data", expected="an .npz of inputs and labels")
        return _held_out(self.trained, firmware, jets)

    def reference(self, keras: Path | None, inputs: dict[str, Any]) -> Any:
        """Outputs of the float network, (jets, classes); None where the project itself is the reference."""
        from l1emu.training.post_training import float_outputs

        if keras is not None:
            return float_outputs(keras, inputs)
        if self.trained is not None:
            return self.trained.float_outputs(list(inputs.values()))
        return float_outputs(self.original, inputs) if self.wide and self.original is not None else None


@contextlib.contextmanager
def given(model: Path, folder: Path) -> Iterator[Given]:
    """What the argument names; a project that has to be written lies in `folder`.

    Raises
    ------
    L1emuError
        if it is nothing that can be scanned.
    """
    if (model / "firmware" / "defines.h").is_file():
        yield Given(model)
        return
    place, firmware = _named(model), None
    if place.is_file() and place.suffix == ".l1fw":
        place, firmware = _beside(place), place
    if not place.exists():
        firmware_file(model)  # it knows what a misspelt name may mean
        raise L1emuError("no such file or folder", path=model, expected=_EXPECTED)
    trained = (place / _RECIPE).is_file()
    if not trained and (place.is_dir() or place.suffix not in (".h5", ".keras")):
        raise L1emuError("neither a project nor a model", path=model, expected=_EXPECTED)
    require()
    from l1emu.training.post_training import write_wide

    with contextlib.redirect_stdout(io.StringIO()):  # hls4ml tells what it does
        project = write_wide(place, folder / "wide")
    if firmware is not None:
        _refuse_another(firmware, project)
    yield Given(project, place, _recipe(place) if trained else None, wide=not trained)


def _named(model: Path) -> Path:
    """A model that comes with l1emu by its name."""
    from l1emu.resources import resource

    if not model.exists() and model.parent == Path():
        shipped = resource("models") / model.name
        if (shipped / _RECIPE).is_file():
            return Path(str(shipped))
    return model


def _beside(firmware: Path) -> Path:
    """The folder of `l1emu train` that a firmware file lies in: it has the text that a firmware file has not."""
    if (firmware.parent / _RECIPE).is_file():
        return firmware.parent
    raise L1emuError(
        "a firmware file alone has no text to give other types",
        path=firmware,
        expected=f"one in the folder that l1emu train wrote, or {_EXPECTED}",
    )


def _refuse_another(path: Path, project: Path) -> None:
    from l1emu.firmware import Firmware

    theirs, own = Firmware.read(path).content_hash, Firmware.read(project).content_hash
    if theirs != own:
        raise L1emuError(
            "not the firmware of the recipe and weights beside it", path=path, value=theirs[:12], expected=own[:12]
        )


def _recipe(folder: Path) -> RecipeAtBits | None:
    """The recipe of any model; None of a tagger, which names no data."""
    from l1emu.training.bits import RecipeAtBits
    from l1emu.training.model_recipe import ModelRecipe, load_any_recipe

    return RecipeAtBits(folder) if isinstance(load_any_recipe(folder / _RECIPE), ModelRecipe) else None


def _has_labels(path: Path) -> bool:
    from l1emu.arrays import read_npz

    return not {"label", "labels"}.isdisjoint(read_npz(path))


def _held_out(trained: RecipeAtBits, firmware: Firmware, jets: int) -> Labelled:
    """Held-out rows of the recipe's data, which are read or made anew."""
    from l1emu.progress import progress
    from l1emu.quantization.data import Labelled, evenly_chosen

    with progress("data of the recipe", None):
        rows = trained.held_out
    chosen = evenly_chosen(np.arange(len(rows)), jets)
    part = rows[chosen]
    labels, truth = trained.truth(part)
    if labels.ndim > 1:
        raise L1emuError("each position has a class", where="task", value=labels.shape[1:], expected="one class a row")
    # hls4ml may write other names, in the same order
    inputs = {
        tensor.name: array.astype(np.float64).reshape(len(chosen), *tensor.shape)
        for tensor, array in zip(firmware.inputs, part.inputs.values(), strict=True)
    }
    return Labelled(inputs, labels, truth)
