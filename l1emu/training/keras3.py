"""Models that Keras 3 saved, rebuilt for the Keras 2 that QKeras needs: layers that both have, and their weights."""

from __future__ import annotations

import inspect
import re
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from tensorflow import keras

from l1emu.arrays import RATIO, UNPACKED
from l1emu.errors import L1emuError
from l1emu.files import TEXT_LIMIT, scratch_folder
from l1emu.jsontext import parse_json

# What says nothing about a layer's numbers once its weights are known.
_IGNORED = re.compile(
    r"trainable|dtype|seed|flash_attention|synchronized|renorm_.*|.*_(?:initializer|regularizer|constraint)"
)
_RENAMED = {("LeakyReLU", "negative_slope"): "alpha"}
# Layers inside a layer, in the order in which Keras 2 lists their weights.
_INNER = ("forward_layer", "backward_layer", "query_dense", "key_dense", "value_dense", "output_dense", "cell")


def keras_version(path: Path) -> str | None:
    """The version of Keras that saved a .keras or .h5 file; None if it does not say."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if "metadata.json" not in archive.namelist():
                return None
            return str(_document(path, archive, "metadata.json").get("keras_version"))
    if path.is_file() and h5py.is_hdf5(path):
        with h5py.File(path) as file:
            stated = file.attrs.get("keras_version")
            return stated.decode() if isinstance(stated, bytes) else None if stated is None else str(stated)
    return None


def load_keras3(path: Path) -> keras.Model:
    """A functional or sequential model from a .keras file of Keras 3.

    Raises
    ------
    L1emuError
        for layers, settings and functions that Keras 2 does not have, or has otherwise.
    """
    if not zipfile.is_zipfile(path):
        raise L1emuError("an .h5 file of Keras 3", path=path, expected="the model saved as .keras")
    with zipfile.ZipFile(path) as archive, scratch_folder("l1emu-keras") as scratch:
        config = _document(path, archive, "config.json")
        _refuse_bomb(path, archive, "model.weights.h5", max(UNPACKED, RATIO * path.stat().st_size))
        archive.extract("model.weights.h5", scratch)
        builder = _Builder(path, config)
        built = builder.model()
        with h5py.File(scratch / "model.weights.h5") as file:
            _set_weights(path, builder.layers, file["layers"])
    return built


def _document(path: Path, archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    """A JSON object of a .keras file."""
    _refuse_bomb(path, archive, name, TEXT_LIMIT)
    try:
        document = parse_json(archive.read(name))
    except L1emuError as error:
        raise L1emuError(error.message, path=path, where=name, value=error.value) from None
    if not isinstance(document, dict):
        raise L1emuError("not an object of JSON", path=path, where=name, value=document)
    return document


def _refuse_bomb(path: Path, archive: zipfile.ZipFile, name: str, limit: int) -> None:
    try:
        size = archive.getinfo(name).file_size
    except KeyError:
        raise L1emuError("something is missing in the .keras file", path=path, where=name) from None
    if size > limit:
        raise L1emuError(
            "too large when unpacked", path=path, where=name, value=f"{size:,} bytes", expected=f"at most {limit:,}"
        )


_Call = tuple[keras.layers.Layer, str, int, dict[str, Any]]


class _Builder:
    """The layers of a saved model, and the tensors between them."""

    def __init__(self, path: Path, config: dict[str, Any]) -> None:
        self.path = path
        self.kind, self.config = config["class_name"], config["config"]
        self.tensors: dict[tuple[str, int, int], Any] = {}
        self.layers: list[keras.layers.Layer] = []  # in the order of the file, which numbers their weights

    def model(self) -> keras.Model:
        if self.kind not in ("Functional", "Sequential"):
            raise L1emuError("a model of this class cannot be rebuilt", path=self.path, value=self.kind)
        if self.kind == "Sequential":
            return self._sequential()
        waiting: list[_Call] = []
        for layer in self.config["layers"]:
            waiting += self._calls(layer)
        while waiting:  # a layer that is used again may wait for layers behind it
            later = [call for call in waiting if not self._called(*call)]
            if len(later) == len(waiting):
                raise L1emuError("layers that wait for each other", path=self.path, value=later[0][1])
            waiting = later
        return keras.Model(
            self._ends(self.config["input_layers"]), self._ends(self.config["output_layers"]), name=self.config["name"]
        )

    def _sequential(self) -> keras.Model:
        given, *rest = self.config["layers"]
        if given["class_name"] != "InputLayer":
            raise L1emuError("a sequential model without an input layer", path=self.path, expected="keras.Input first")
        x = first = keras.Input(given["config"]["batch_shape"][1:], name=given["config"]["name"])
        for layer in rest:
            self.layers.append(self._made(layer))
            x = self.layers[-1](x)
        return keras.Model(first, x, name=self.config["name"])

    def _ends(self, listed: list[Any]) -> Any:
        if isinstance(listed[0], str):
            return self.tensors[listed[0], listed[1], listed[2]]
        return [self.tensors[name, node, index] for name, node, index in listed]

    def _calls(self, layer: dict[str, Any]) -> list[_Call]:
        """What a layer is called with; an input is there at once."""
        name, config = layer["name"], layer["config"]
        if layer["class_name"] == "InputLayer":
            self.tensors[name, 0, 0] = keras.Input(config["batch_shape"][1:], name=name)
            return []
        made = self._made(layer)
        self.layers.append(made)
        return [(made, name, node, call) for node, call in enumerate(layer["inbound_nodes"])]

    def _called(self, made: keras.layers.Layer, name: str, node: int, call: dict[str, Any]) -> bool:
        """Whether a call was done: its tensors were there."""
        try:
            given = [self._found(argument) for argument in call["args"]]
            kwargs = {key: self._found(value) for key, value in call["kwargs"].items() if value is not None}
        except KeyError:
            return False
        y = made(*given, **kwargs)
        for index, tensor in enumerate(y if isinstance(y, list | tuple) else [y]):
            self.tensors[name, node, index] = tensor
        return True

    def _found(self, value: Any) -> Any:
        """An argument of a call, its tensors in the place of their descriptions."""
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            name, node, index = value["config"]["keras_history"]
            return self.tensors[name, node, index]
        return [self._found(part) for part in value] if isinstance(value, list) else value

    def _made(self, layer: dict[str, Any]) -> keras.layers.Layer:
        kind, config = layer["class_name"], layer["config"]
        where = f"layer {config['name']}"
        if str(layer.get("module", "")).startswith("hgq") or str(layer.get("registered_name")).startswith("hgq"):
            raise L1emuError(
                "a layer of HGQ, which runs in Keras 3 alone",
                path=self.path,
                where=where,
                value=kind,
                expected="model.predict beside `l1emu emulate`: HGQ's models and their firmware agree on every bit",
            )
        cls = getattr(keras.layers, kind, None)
        if layer.get("module") != "keras.layers" or cls is None:
            raise L1emuError("a layer that Keras 2 does not have", path=self.path, where=where, value=kind)
        known = set(inspect.signature(cls.__init__).parameters) | {"name"}
        settings = {}
        for key, value in config.items():
            name = _RENAMED.get((kind, key), key)
            if isinstance(value, str) and value == "hard_sigmoid":
                raise L1emuError("hard_sigmoid is another function in Keras 3", path=self.path, where=where, value=key)
            if _IGNORED.fullmatch(key) or (name not in known and value in (None, False)):
                continue
            if key in ("layer", "backward_layer") and isinstance(value, dict):
                settings[name] = self._made(value)
                continue
            if name not in known or isinstance(value, dict):
                raise L1emuError("a setting that Keras 2 does not have", path=self.path, where=where, value=key)
            settings[name] = value
        return cls(**settings)


def _set_weights(path: Path, layers: list[keras.layers.Layer], file: h5py.Group) -> None:
    """The weights of each layer, found by its class and its number among the layers of that class."""
    counts: dict[str, int] = {}
    for layer in layers:
        kind = re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", type(layer).__name__)).lower()
        number = counts[kind] = counts.get(kind, -1) + 1
        name = f"{kind}_{number}" if number else kind
        if not layer.weights:
            continue
        values = _values(file[name]) if name in file else []
        if [v.shape for v in values] != [tuple(w.shape) for w in layer.weights]:
            raise L1emuError(
                "the weights are not those of the layer",
                path=path,
                where=f"layer {layer.name}",
                value=[v.shape for v in values],
                expected=str([tuple(w.shape) for w in layer.weights]),
            )
        layer.set_weights(values)


def _values(group: h5py.Group) -> list[npt.NDArray[Any]]:
    own = group.get("vars", {})
    found = [np.asarray(own[key]) for key in sorted(own, key=int)]
    for name in _INNER:
        if name in group:
            found += _values(group[name])
    return found
