"""rule4ml's estimates of fully connected networks, for `benchmarks/estimate.py --rule4ml PYTHON`.

Runs in an environment of its own, with rule4ml 0.2.0 and TensorFlow 2.18: reads a list of networks as JSON from
standard input and writes rule4ml's figures, or why there are none, as JSON to standard output.

rule4ml is given one explicit configuration for each network: left alone it evaluates all combinations of boards,
strategies, precisions, reuse factors and versions. It takes the network as a Keras model, a precision, a board, a
strategy and a reuse factor; no clock, no weights.
"""

from __future__ import annotations

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
from rule4ml.models.wrappers import MultiModelWrapper


def network(layers: list[dict[str, object]], name: str) -> keras.Model:
    """The Keras model of a chain of dense layers, batch normalizations and activations."""
    tensor = inputs = keras.Input(shape=(layers[0]["n_in"],))
    for layer in layers:
        if layer["kind"] == "dense":
            tensor = keras.layers.Dense(layer["n_out"])(tensor)
        elif layer["kind"] == "multiply":
            tensor = keras.layers.BatchNormalization()(tensor)
        else:
            tensor = keras.layers.Activation(layer["kind"])(tensor)
    model = keras.Model(inputs, tensor, name=name)
    model.build((None, layers[0]["n_in"]))
    return model


def main() -> None:
    estimator = MultiModelWrapper()
    estimator.load_default_models()
    answers = []
    for i, entry in enumerate(json.load(sys.stdin)):
        config = {
            "board": entry["board"],
            "model": {"strategy": entry["strategy"], "precision": entry["precision"], "reuse_factor": entry["reuse"]},
        }
        try:
            model = network(entry["layers"], f"network{i}")
            versions = {"hls4ml_versions": "0.8.1", "vivado_versions": entry["version"]}
            frame = estimator.predict(model, hls_configs=[config], **versions)
        except Exception as error:  # whatever rule4ml raises is its answer for this network
            answers.append({"error": f"{type(error).__name__}: {error}"[:200]})
            continue
        figures = ("BRAM", "DSP", "FF", "LUT", "CYCLES", "INTERVAL")
        answers.append({name: float(frame[name].mean()) for name in figures if name in frame})
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
