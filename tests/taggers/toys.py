"""Crossings and networks for taggers: toy objects, a DeepSets that hls4ml converted, and projects made by hand."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import yaml

from l1emu.config import Config, load_config
from l1emu.eventdata import EventData
from l1emu.fixedpoint import FixedPoint
from l1emu.taggers import TaggerConfig
from tests.handmade_projects import ProjectMaker

PLAIN = FixedPoint.parse("ap_fixed<16,8,AP_RND,AP_SAT>")


class OneTagger(Config):
    """A study that is nothing but a tagger."""

    tagger: TaggerConfig


def settings(folder: Path, text: str) -> TaggerConfig:
    """The settings that this YAML says, read as a study is."""
    file = folder / "tagger.yaml"
    file.write_text("tagger:\n" + "".join(f"  {line}\n" for line in text.strip("\n").splitlines()))
    return load_config(file, OneTagger).tagger


def beside(folder: Path) -> Callable[[str], Path]:
    return lambda name: folder / name


def changed(text: str, **keys: Any) -> str:
    """The YAML with other values of its outermost keys."""
    return yaml.safe_dump(yaml.safe_load(text) | keys, sort_keys=False)


def crossings(count: int = 40, seed: int = 1) -> EventData:
    """Jets with constituents, not in the order of pt, and muons; some crossings have none. Sums ht and met; one NaN."""
    rng = np.random.default_rng(seed)
    jets = _objects(rng, rng.integers(0, 6, count), charge=False)
    inside = rng.integers(0, 14, int(ak.sum(ak.num(jets.pt))))
    nested = ak.unflatten(_objects(rng, inside), ak.num(jets.pt))
    sums = {"ht": rng.uniform(0, 500, count), "met": rng.uniform(0, 90, count)}
    sums["met"][3] = np.nan
    columns = {name: jets[name] for name in jets.fields} | {"constituents": nested}
    objects = {"jets": ak.zip(columns, depth_limit=2), "muons": _objects(rng, rng.integers(0, 5, count))}
    return EventData(count, objects, sums)


def _objects(rng: np.random.Generator, counts: Any, *, charge: bool = True) -> ak.Array:
    n = int(counts.sum())
    columns: dict[str, Any] = {
        "pt": rng.integers(1, 400, n) * 0.25,
        "eta": rng.normal(0, 1, n),
        "phi": rng.uniform(-np.pi, np.pi, n),
    }
    if charge:
        columns |= {"charge": rng.integers(-1, 2, n), "id": rng.integers(0, 5, n)}
    return ak.unflatten(ak.zip(columns), counts)


def deep_sets(folder: Path) -> Path:
    """A Keras DeepSets of 8 constituents by 5 numbers and 2 outputs, converted by hls4ml."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    hls4ml = pytest.importorskip("hls4ml")
    keras = pytest.importorskip("tensorflow.keras")
    keras.utils.set_random_seed(3)
    x = given = keras.Input((8, 5), name="constituents")
    x = keras.layers.Conv1D(10, 1, activation="relu", name="phi1")(x)
    x = keras.layers.Conv1D(6, 1, activation="relu", name="phi2")(x)
    x = keras.layers.GlobalAveragePooling1D(name="mean")(x)
    x = keras.layers.Dense(6, activation="relu", name="rho")(x)
    model = keras.Model(given, keras.layers.Dense(2, activation="sigmoid", name="scores")(x))
    rng = np.random.default_rng(3)
    for weight in model.weights:
        weight.assign(rng.normal(0.1, 0.6, weight.shape))
    config = hls4ml.utils.config_from_keras_model(
        model, granularity="name", default_precision="fixed<16,6>", backend="Vitis"
    )
    written = hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(folder), io_type="io_parallel", backend="Vitis"
    )
    written.write()
    return folder


def two_inputs(folder: Path) -> Path:
    """(4, 3) and (2, 3) side by side, a dense layer on each object, and the mean: three numbers."""
    make = ProjectMaker(folder, 5, ordinary=True)
    x, m = make.input("x", (4, 3), PLAIN), make.input("m", (4, 1), PLAIN)
    both = make.concatenate("both", x, m, 2)
    make.output(make.pool("mean", make.dense("d", both, 3), "Average"))
    return make.write()


def flat_network(folder: Path, size: int, outputs: int, seed: int = 6) -> Path:
    """Dense layers from a flat input `x`."""
    make = ProjectMaker(folder, seed, ordinary=True)
    x = make.input("x", (size,), PLAIN)
    make.output(make.dense("last", make.elementwise("rel", "relu", make.dense("first", x, 7)), outputs))
    return make.write()
