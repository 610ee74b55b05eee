"""Any model on disk: its recipe, the grids of its layers and its weights in one folder; what `l1emu convert` takes."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError
from tensorflow import keras

from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.fixedpoint import FixedPoint
from l1emu.jsontext import parse_json
from l1emu.training.builders import NETWORKS
from l1emu.training.export import Backend, convert, plan_types
from l1emu.training.functions import call_function, named_function
from l1emu.training.model_recipe import ModelRecipe, load_any_recipe
from l1emu.training.rebuilding import (
    LayerGrids,
    choose_grids,
    has_quantizers,
    pointwise_as_dense,
    with_quantizers,
    without_normalizations,
    without_quantizers,
)
from l1emu.training.recipe import RECIPE
from l1emu.training.steering import steer
from l1emu.training.tagger import WEIGHTS, TrainedTagger, fill, load_tagger

GRIDS = "grids.json"
"""Of each layer: what the recipe left open is chosen by the float network's values."""


@dataclass(frozen=True)
class TrainedModel:
    """The quantized network of a folder, with its recipe."""

    recipe: ModelRecipe
    model: keras.Model

    def write_project(self, folder: str | os.PathLike[str], backend: Backend = "Vitis") -> Path:
        """Write its hls4ml project; see `l1emu.training.export.convert`."""
        hardware = self.recipe.hardware
        return convert(
            self.model,
            folder,
            backend,
            input_types=input_types(self.recipe, self.model),
            part=hardware.part,
            clock_period_ns=hardware.clock_period_ns,
            steering=hardware,
        )


def input_shapes(model: keras.Model) -> dict[str, tuple[int, ...]]:
    """The shape of each input, without the rows, in the order in which the model takes them."""
    return {tensor._keras_history.layer.name: tuple(tensor.shape[1:]) for tensor in model.inputs}


def output_shapes(model: keras.Model) -> dict[str, tuple[int, ...]]:
    """The shape of each output, without the rows, by the name of the layer that makes it."""
    return {tensor._keras_history.layer.name: tuple(tensor.shape[1:]) for tensor in model.outputs}


def input_types(recipe: ModelRecipe, model: keras.Model) -> dict[str, FixedPoint]:
    """The type of each input.

    Raises
    ------
    L1emuError
        if the recipe types an input that the network does not have.
    """
    names = list(input_shapes(model))
    unknown = sorted(set(recipe.quantization.inputs) - set(names))
    if unknown:
        raise L1emuError(
            "no input of this name", where="quantization.inputs", value=unknown[0], expected=", ".join(names)
        )
    kinds = {name: recipe.quantization.input_type(name) for name in names}
    return {name: FixedPoint(kind.width, kind.integer, True) for name, kind in kinds.items()}


def network_of(recipe: ModelRecipe, beside: Path) -> keras.Model:
    """The network that the recipe names, as its builder or function made it.

    Raises
    ------
    L1emuError
        if there is none of this name, its sizes are wrong, or it is no functional Keras model.
    """
    choice = recipe.network
    if choice.builder is not None:
        if choice.builder not in NETWORKS:
            expected = f"one of {', '.join(sorted(NETWORKS))}"
            raise L1emuError("no such builder", where="network.builder", value=choice.builder, expected=expected)
        function, where = NETWORKS[choice.builder], "network.sizes"
    else:
        function, where = named_function(str(choice.function), beside, "network.function"), "network.function"
    model = call_function(function, choice.sizes, where)
    if not isinstance(model, keras.Model) or not getattr(model, "_nodes_by_depth", None):
        raise L1emuError(
            "not a functional Keras model",
            where=where,
            value=type(model).__name__,
            expected="a keras.Model of connected layers, of the Keras that QKeras is for",
        )
    model = pointwise_as_dense(model)
    if has_quantizers(model) != (recipe.quantization.rule is None):
        message = "the model brings its own quantizers" if has_quantizers(model) else "a float model needs a rule"
        expected = "no rule" if has_quantizers(model) else "weight, bias and result: {bits: ...}"
        raise L1emuError(message, where="quantization.rule", expected=expected)
    return model


def check_exported(recipe: ModelRecipe, network: keras.Model) -> None:
    """Refuse, before anything is trained, what hls4ml would convert wrongly.

    Raises
    ------
    L1emuError
        naming the layer and why.
    """
    model = quantized_network(recipe, float_network(network), network, None)
    plan = plan_types(model, input_types(recipe, model))
    steer(model, plan.config, recipe.hardware)


def float_network(network: keras.Model) -> keras.Model:
    """What is quantized: the folded network, or the float twin of one that has quantizers."""
    return without_quantizers(network) if has_quantizers(network) else without_normalizations(network)


def quantized_network(
    recipe: ModelRecipe, twin: keras.Model, network: keras.Model, grids: dict[str, LayerGrids] | None
) -> keras.Model:
    """The QKeras network with the weights of its float twin."""
    if recipe.quantization.rule is not None:
        rule, layers = recipe.quantization.rule, recipe.quantization.layers
        return with_quantizers(twin, choose_grids(twin, rule, layers, None) if grids is None else grids)
    for layer in twin.layers:
        if layer.weights:
            network.get_layer(layer.name).set_weights(layer.get_weights())
    return network


def chosen_grids(
    recipe: ModelRecipe, twin: keras.Model, x: list[npt.NDArray[np.float32]]
) -> dict[str, LayerGrids] | None:
    """The grids of the layers for inputs `x`, one array an input; None for a model that brings its own."""
    if recipe.quantization.rule is None:
        return None
    return choose_grids(twin, recipe.quantization.rule, recipe.quantization.layers, x)


def grids_text(grids: dict[str, LayerGrids] | None) -> str:
    """As JSON."""
    document = None if grids is None else {name: asdict(grid) for name, grid in grids.items()}
    return json.dumps(document, indent=1) + "\n"


def _read_grids(path: Path) -> dict[str, LayerGrids] | None:
    if not path.exists():
        raise L1emuError("no such file", path=path, expected="the grids that `l1emu train` writes")
    kind: TypeAdapter[Any] = TypeAdapter(dict[str, LayerGrids] | None)
    try:
        found: dict[str, LayerGrids] | None = kind.validate_python(parse_json(read_text(path)))
    except L1emuError as error:
        raise error.within(path) from None
    except ValidationError as error:
        first = error.errors()[0]
        raise L1emuError(first["msg"], path=path, where=".".join(map(str, first["loc"]))) from None
    return found


def load_trained(folder: str | os.PathLike[str]) -> TrainedTagger | TrainedModel:
    """What `l1emu train` left in `folder`. A network of a `module:function` is made by running that code.

    Raises
    ------
    L1emuError
        if recipe, grids or weights are absent, damaged, or do not fit together.
    """
    place = Path(folder)
    recipe = load_any_recipe(place / RECIPE)
    if not isinstance(recipe, ModelRecipe):
        return load_tagger(place)
    network = network_of(recipe, place)
    grids = _read_grids(place / GRIDS)
    twin = float_network(network)
    if grids is not None and {layer.name for layer in twin.layers} - input_shapes(twin).keys() != grids.keys():
        raise L1emuError("grids of other layers than the network's", path=place / GRIDS)
    model = quantized_network(recipe, twin, network, grids)
    fill(model, place / WEIGHTS)
    return TrainedModel(recipe, model)
