"""Random Keras and QKeras models of trigger sizes, converted by hls4ml with random types, strategies and tables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ROUNDINGS = ("TRN", "TRN", "TRN", "RND", "RND_CONV", "TRN_ZERO", "RND_ZERO", "RND_INF", "RND_MIN_INF")
OVERFLOWS = ("WRAP", "WRAP", "SAT", "SAT_SYM", "SAT_ZERO")
MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")
FUNCTIONS = ("relu", "tanh", "sigmoid", "elu", "selu", "hard_sigmoid", "softsign", "softplus")


class RandomModel:
    """A model drawn from a seed, and its project.

    Parameters
    ----------
    seed
        Decides everything.
    """

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.io_type = self.pick("io_parallel", "io_parallel", "io_stream")
        self.backend = self.pick("Vivado", "Vitis")
        self.strategy = self.pick("Latency", "Resource")
        self.count = 0

    def pick(self, *choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def number(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def name(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"

    def type(self, low: int, high: int) -> str:
        width = self.number(low, high)
        signed = "fixed" if self.rng.random() < 0.85 else "ufixed"
        modes = f",{self.pick(*ROUNDINGS)},{self.pick(*OVERFLOWS)},0" if self.rng.random() < 0.6 else ""
        return f"{signed}<{width},{self.number(1, min(width - 1, 8))}{modes}>"

    def model(self) -> Any:
        from tensorflow import keras

        keras.utils.set_random_seed(1)
        shape = self.pick((self.number(2, 12),), (self.number(3, 7), self.number(1, 5)), (4, self.number(3, 5), 2))
        given = x = keras.Input(shape, name=self.name("in"))
        for _ in range(self.number(1, 4)):
            x = self.layer(x)
        if len(x.shape) > 2:
            x = self.ended(x)
        outputs = [keras.layers.Dense(self.number(2, 5), name=self.name("out"))(x)]
        if self.rng.random() < 0.5:
            outputs.append(keras.layers.Activation("softmax", name=self.name("scores"))(outputs[0]))
            outputs.pop(0)
        if self.rng.random() < 0.3:
            outputs.append(keras.layers.Dense(2, name=self.name("out"))(x))
        model = keras.Model(given, outputs)
        for weight in model.weights:
            drawn = self.rng.normal(0, 0.6, weight.shape) * (self.rng.random(weight.shape) < 0.8)
            weight.assign(abs(drawn) + 0.1 if "variance" in weight.name else drawn)
        return model

    def layer(self, x: Any) -> Any:
        """One more layer, of those that a tensor of this rank can have."""
        import qkeras
        from tensorflow.keras import layers

        rank, width = len(x.shape) - 1, self.number(1, 6)
        kinds = ["dense", "normal", "function", "quantized", "merge"]
        kinds += {1: [], 2: ["conv", "pool", "pad", "cell", "turn"], 3: ["conv", "pool", "pad"]}[rank]
        if self.io_type == "io_parallel" and rank == 2:
            kinds += ["layernorm"]
        kind = self.pick(*kinds)
        name = self.name(kind)
        bits = qkeras.quantized_bits(self.pick(4, 6, 8), self.number(0, 2), alpha=1)
        if kind == "dense":
            if rank == 1 and self.rng.random() < 0.5:
                return qkeras.QDense(width, kernel_quantizer=bits, bias_quantizer=bits, name=name)(x)
            return (layers.Dense(width, name=name) if rank < 3 else layers.Conv2D(width, 1, name=name))(x)
        if kind == "normal":
            return layers.BatchNormalization(name=name)(x)
        if kind == "layernorm":
            return layers.LayerNormalization(name=name)(x)
        if kind == "function":
            return layers.Activation(self.pick(*FUNCTIONS), name=name)(x)
        if kind == "quantized":
            return qkeras.QActivation(f"quantized_relu({self.pick(4, 6, 8)},{self.number(0, 2)})", name=name)(x)
        if kind == "merge":
            make = layers.Dense if rank == 1 else layers.Conv1D if rank == 2 else layers.Conv2D
            size = (x.shape[-1],) if rank == 1 else (x.shape[-1], 1)
            y = make(*size, name=name)(x)
            return getattr(layers, self.pick(*MERGES))(name=self.name("merged"))([x, y])
        if kind == "cell":
            return layers.GRU(width, return_sequences=True, reset_after=True, name=name)(x)
        if kind == "turn":
            return layers.Permute((2, 1), name=name)(x)
        if kind == "pad":
            return (layers.ZeroPadding1D if rank == 2 else layers.ZeroPadding2D)(1, name=name)(x)
        if min(x.shape[1:-1]) < 2:
            return x
        if kind == "pool":
            operation = self.pick("Max", "Average")
            return getattr(layers, f"{operation}Pooling{rank - 1}D")(2, name=name)(x)
        settings = {"strides": self.number(1, 2), "padding": self.pick("same", "valid"), "name": name}
        if self.rng.random() < 0.4:
            make = qkeras.QConv1D if rank == 2 else qkeras.QConv2D
            settings |= {"kernel_quantizer": bits, "bias_quantizer": bits}
        else:
            make = layers.Conv1D if rank == 2 else layers.Conv2D
        return make(width, 2, **settings)(x)

    def ended(self, x: Any) -> Any:
        """A flat tensor."""
        from tensorflow.keras import layers

        dims = len(x.shape) - 2
        pooling = f"Global{self.pick('Max', 'Average')}Pooling{dims}D"
        return getattr(layers, self.pick("Flatten", pooling))(name=self.name("flat"))(x)

    def write(self, folder: Path) -> None:
        """Convert the model; hls4ml raises what it likes for what it cannot do."""
        import hls4ml

        model = self.model()
        config = hls4ml.utils.config_from_keras_model(
            model, granularity="name", backend=self.backend, default_precision="fixed<16,7>"
        )
        for layer in config["LayerName"].values():
            layer["Strategy"] = self.strategy
            if self.rng.random() < 0.2:
                layer["TableSize"] = self.pick(256, 512, 2048)
            types = layer.get("Precision")
            for key in types if isinstance(types, dict) else ():
                if self.rng.random() < 0.4:
                    wide = key in ("accum", "inv_inp") or "table" in key
                    types[key] = self.type(10, 22) if wide else self.type(6, 16)
        settings: dict[str, Any] = {"namespace": "tagger"} if self.rng.random() < 0.2 else {}
        if self.rng.random() < 0.3:
            settings["write_weights_txt"] = False
        project = hls4ml.converters.convert_from_keras_model(
            model, hls_config=config, output_dir=str(folder), backend=self.backend, io_type=self.io_type, **settings
        )
        project.write()
