"""Keras models without quantizers: the hls4ml project of wide types, and that of given ones."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.fixedpoint import FixedPoint
from l1emu.training import require
from l1emu.training.recipe import RECIPE

_WIDE = (32, 12)
"""Bits and integer bits of the project that a Keras model is scanned from."""
_PRECISIONS = ("weight", "bias", "scale")


def _converted(model: Any, config: dict[str, Any], folder: Path, settings: Mapping[str, Any]) -> Path:
    import hls4ml

    from l1emu.training import handlers

    handlers.register()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = hls4ml.converters.convert_from_keras_model(
            model, hls_config=config, output_dir=str(folder), **dict(settings)
        )
        graph.write()
    return folder


def write_wide(
    path: str | os.PathLike[str], folder: Path, *, part: str = "xcvu13p-flga2577-2-e", clock_ns: float = 5.0
) -> Path:
    """The hls4ml project to begin a scan with: of a tagger of `l1emu train` its own, of a Keras model a wide one.

    Every type of a Keras model's has the bits of ap_fixed<32,12>: hls4ml's granularity ``model``. With ``name`` the
    sums of the last layer become so wide that 1024 entries of a softmax's
    table do not resolve them.

    Raises
    ------
    L1emuError
        if the packages are absent, or the model cannot be loaded or converted.
    """
    require()
    place = Path(path)
    if (place / RECIPE).is_file():
        from l1emu.training.any_model import load_trained

        return load_trained(place).write_project(folder)
    import hls4ml

    from l1emu.training.steps import load_model

    model = load_model(place)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            config = hls4ml.utils.config_from_keras_model(
                model, granularity="model", backend="Vitis", default_precision=f"ap_fixed<{_WIDE[0]},{_WIDE[1]}>"
            )
            settings = {"backend": "Vitis", "io_type": "io_parallel", "part": part, "clock_period": clock_ns}
            return _converted(model, config, folder, settings)
        except L1emuError:
            raise
        except Exception as error:  # hls4ml raises what it likes of a layer that it does not know
            first = (str(error).strip().splitlines() or [""])[0]
            raise L1emuError(f"hls4ml cannot convert it: {type(error).__name__}: {first[:200]}", path=place) from None


def float_outputs(
    path: str | os.PathLike[str], inputs: Mapping[str, npt.NDArray[np.float64]]
) -> npt.NDArray[np.float64]:
    """The outputs of a Keras model, (jets, classes).

    Parameters
    ----------
    inputs
        By name (jets, ...), in the order of the model's inputs.

    Raises
    ------
    L1emuError
        if the packages are absent, the model cannot be loaded, or has other inputs.
    """
    require()
    from l1emu.training.steps import load_model

    model = load_model(path)
    wanted = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    shapes = [array.shape[1:] for array in inputs.values()]
    if len(wanted) != len(shapes) or any(
        None not in a and np.prod(a) != np.prod(b) for a, b in zip(wanted, shapes, strict=True)
    ):
        raise L1emuError(
            "the Keras model has other inputs than the project", path=Path(path), value=wanted, expected=str(shapes)
        )
    values = [
        array.astype(np.float32).reshape(len(array), *(shape if None not in shape else array.shape[1:]))
        for array, shape in zip(inputs.values(), wanted, strict=True)
    ]
    found = model.predict(values if len(values) > 1 else values[0], verbose=0, batch_size=4096)
    return np.asarray(found, dtype=np.float64).reshape(len(values[0]), -1)


def written_by_hls4ml(
    model: str | os.PathLike[str],
    project: Path,
    folder: Path,
    precisions: Mapping[str, Mapping[str, FixedPoint]],
    weights: Collection[str],
    data: Collection[str],
    default: tuple[int, int] | None,
    accumulators: Mapping[str, str],
) -> Path:
    """The project that hls4ml writes of a Keras model with the configuration of `project`, but for some precisions.

    Parameters
    ----------
    model, project
        The Keras model, or the folder of `l1emu train`, and a project that hls4ml wrote of it and that holds its
        ``hls4ml_config.yml``.
    folder
        The project to write.
    precisions
        By layer the types of its ``result``, ``weight``, ``bias``, ``scale`` and ``accum``.
    weights, data
        The layers whose weights and results are told; of others what the configuration states. The rest is hls4ml's.
    default
        Bits and integer bits of the default precision, if it is another one.
    accumulators
        By layer ``default`` where its accumulator has the default precision, and not one of its own.

    Raises
    ------
    L1emuError
        if the packages are absent, or there is no configuration.
    """
    require()
    stated = _configuration(project)
    config, network = copy.deepcopy(stated["HLSConfig"]), _convertible(Path(model))
    if default is not None:
        config["Model"]["Precision"] = {**_as_mapping(config["Model"]["Precision"]), "default": _text(default)}
    for name, kinds in precisions.items():
        entry = config.setdefault("LayerName", {}).setdefault(name, {})
        before = entry.get("Precision", {})
        known = before if isinstance(before, dict) else {}
        stated_here = {what for what, text in known.items() if text != "auto"}
        told = stated_here | (set(_PRECISIONS) if name in weights else set()) | ({"result"} if name in data else set())
        entry["Precision"] = {**known, **{what: str(kind) for what, kind in kinds.items() if what in told}}
        if name in data and accumulators.get(name) == "default":
            entry["Precision"]["accum"] = str(kinds["result"])
    for name, entry in config.get("LayerName", {}).items():
        source = _merged_into(name, network, precisions)
        if source is not None:
            entry["Precision"] = {
                **_as_mapping(entry.get("Precision", {})),
                "result": str(precisions[source]["result"]),
            }
    settings = {
        "backend": stated["Backend"],
        "io_type": stated.get("IOType", "io_parallel"),
        "part": stated.get("Part", "xcvu13p-flga2577-2-e"),
        "clock_period": stated.get("ClockPeriod", 5),
        "project_name": stated.get("ProjectName", "myproject"),
    }
    return _converted(network, config, folder, settings)


def _merged_into(name: str, network: Any, known: Collection[str]) -> str | None:
    """The layer of the project that hls4ml merged another one into: activations that change no type are left out."""
    if name in known:
        return None
    base = name.removesuffix("_linear")
    if base in known:
        return base
    layer = next((layer for layer in network.layers if layer.name == base), None)
    while layer is not None and layer.name not in known:
        tensor = layer.input
        if isinstance(tensor, list) or not type(layer).__name__.endswith("Activation"):
            return None
        layer = tensor._keras_history.layer
    return None if layer is None else str(layer.name)


def _convertible(path: Path) -> Any:
    """A Keras model; a trained one with plain dense layers, whose weights are those that its quantizers give.

    hls4ml takes the types of a quantized layer's weights from its quantizers, whatever the configuration says.
    """
    from l1emu.training.steps import load_model

    model = load_model(path)
    if not (path / RECIPE).is_file():
        return model
    from l1emu.training.rebuilding import without_weight_quantizers

    return without_weight_quantizers(model)


def _configuration(project: Path) -> dict[str, Any]:
    file = project / "hls4ml_config.yml"

    class Loader(yaml.SafeLoader):
        """Tags of hls4ml's own, such as that of the Keras model, stand for nothing."""

    Loader.add_multi_constructor("!", lambda *_: None)
    try:
        found = yaml.load(read_text(file), Loader)
    except yaml.YAMLError as error:
        raise L1emuError("not YAML", path=file, value=str(error).splitlines()[0]) from None
    if not isinstance(found, dict) or not isinstance(found.get("HLSConfig"), dict):
        raise L1emuError("no configuration of hls4ml", path=file, where="HLSConfig")
    return found


def _as_mapping(precision: Any) -> dict[str, Any]:
    return precision if isinstance(precision, dict) else {"default": precision}


def _text(grid: tuple[int, int]) -> str:
    return f"ap_fixed<{grid[0]},{grid[1]}>"
