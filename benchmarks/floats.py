"""What computes a tagger in floats on a GPU, beside its firmware: ONNX Runtime and TensorFlow in float16.

Neither gives the firmware's bits. A float twin as ONNX comes from `tf2onnx` or `torch.onnx`, wherever these are; it is
converted to float16 here. TensorFlow's is made of the tagger's recipe (extra `train`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Call = Callable[[], Any]


class NotHere(Exception):
    """What cannot be timed here, and why."""


def in_onnx(path: Path, jets: int, provider: str = "CUDAExecutionProvider") -> Call:
    """A call of ONNX Runtime in float16, inputs and outputs on the device.

    Raises
    ------
    NotHere
        without ONNX Runtime for GPUs.
    """
    try:
        import onnx
        import onnxruntime
        from onnxruntime.transformers.float16 import convert_float_to_float16
    except ImportError as error:
        raise NotHere(f"ONNX Runtime: {error}; expected onnx and onnxruntime-gpu") from error
    if provider not in onnxruntime.get_available_providers():
        raise NotHere(f"ONNX Runtime {onnxruntime.__version__} has no {provider}; expected onnxruntime-gpu")
    model = convert_float_to_float16(onnx.load(path)).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=[provider])
    device = "cuda" if provider.startswith("CUDA") else "cpu"
    binding = session.io_binding()
    for given in session.get_inputs():
        shape = [jets, *given.shape[1:]]
        x = np.random.default_rng(7).normal(0, 3, shape).astype(np.float16)
        binding.bind_ortvalue_input(given.name, onnxruntime.OrtValue.ortvalue_from_numpy(x, device, 0))
    for found in session.get_outputs():
        binding.bind_output(found.name, device)

    def call() -> None:
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()

    return call


def in_tensorflow(recipe: Path, jets: int, kind: str = "GPU") -> Call:
    """A call of TensorFlow's graph in float16, compiled by XLA, inputs on the device.

    Raises
    ------
    NotHere
        without TensorFlow, or a GPU that it can use.
    """
    try:
        import tensorflow as tf

        from l1emu.training.any_model import float_network, network_of
        from l1emu.training.model import build
        from l1emu.training.model_recipe import ModelRecipe, load_any_recipe
    except ImportError as error:
        raise NotHere(f"TensorFlow: {error}; expected the extra train") from error
    devices = tf.config.list_physical_devices(kind)
    if not devices:
        raise NotHere(f"TensorFlow {tf.__version__} sees no {kind}")
    for device in devices if kind == "GPU" else []:
        tf.config.experimental.set_memory_growth(device, True)  # else it takes all of the GPU's memory
    tf.keras.mixed_precision.set_global_policy("mixed_float16")
    with tf.device(kind):
        found = load_any_recipe(recipe)
        if isinstance(found, ModelRecipe):
            model = float_network(network_of(found, recipe.parent))
        else:
            model = build(found, quantized=False)
        shapes = [(jets, *one.shape[1:]) for one in model.inputs]
        x = [tf.cast(tf.random.normal(shape, stddev=3.0, seed=7), tf.float16) for shape in shapes]
        given = x if len(x) > 1 else x[0]
        graph = tf.function(lambda x: model(x, training=False), jit_compile=True)
        return lambda: [out.numpy() for out in tf.nest.flatten(graph(given))]
