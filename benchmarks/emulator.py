"""The emulator beside everything else that runs the network, in CPU time, in one run.

    python benchmarks/emulator.py [FIRMWARE] [--project PROJECT] [--recipe RECIPE] [--rounds N] [--json]

FIRMWARE is a saved firmware file or an hls4ml project. With a PROJECT (or where FIRMWARE is one) its C++ is built with
-O3, and every ratio is to it; without, to the numpy reference. With a RECIPE the quantized network is timed in Keras'
predict and as a graph of TensorFlow (extra `train`), and its float twin in ONNX Runtime in float32 and int8 (where
onnx, tf2onnx and onnxruntime are installed). Without arguments it is the default tagger, converted to a project in a
scratch folder for this (extra `train`).

All programs run once a round, one after another in an order that is drawn, on one core each. Times are CPU times, so
that a machine with other work does not change them much; what it changes, it changes for the baseline of that round
too. Given are medians over the rounds, and of the ratios the quartiles. Compilation is excluded.

The limit is what the products of each layer take at the pace of the lanes that it needs (bytes, int16 or int32), as
measured in registers in the same rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

for _variable in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(_variable, "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402
from ceiling import limit_in_turn, paces  # noqa: E402
from cputime import Measured, Timed, in_turn, of_call  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from l1emu.emulator import Emulator  # noqa: E402
from l1emu.emulator.vector.features import features  # noqa: E402
from l1emu.errors import L1emuError  # noqa: E402
from l1emu.firmware import Firmware, reference  # noqa: E402
from l1emu.resources import resource  # noqa: E402
from l1emu.verification.csim import CSim  # noqa: E402

DEFAULT = "models/jet-tagger"
OURS = "emulator, simd"
C_SIMULATION = "C simulation, g++ -O3"
REFERENCE = "numpy reference"
LIMIT = "products alone"

# The AVX2 machine that portable kernels are also compiled for, in a process of its own.
AVX2 = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2,+fma,+bmi,+bmi2",
}


def inputs(firmware: Firmware, jets: int) -> dict[str, np.ndarray]:
    """Random inputs of a realistic spread, on the grid of their types; float32, as TensorFlow gets them."""
    rng = np.random.default_rng(7)
    found = {}
    for tensor in firmware.inputs:
        raw = np.clip(
            np.rint(rng.normal(0, tensor.type.high / 3, (jets, *tensor.shape))), tensor.type.low, tensor.type.high
        )
        found[tensor.name] = tensor.type.to_float(raw.astype(np.int64)).astype(np.float32)
    return found


def first(x: dict[str, np.ndarray], jets: int) -> dict[str, np.ndarray]:
    return {name: values[:jets] for name, values in x.items()}


def emulated(firmware: Firmware, x: dict[str, np.ndarray], target: str) -> Measured:
    emulator = Emulator(firmware, threads=1, target=target)
    return of_call(len(next(iter(x.values()))), lambda: emulator(x))


@contextmanager
def for_avx2(path: str, jets: int) -> Iterator[Measured]:
    """The portable kernels, compiled for a processor without AVX-512, in a process that answers line by line."""
    command = [sys.executable, __file__, path, "--answer", "portable", "--jets", str(jets)]
    with subprocess.Popen(
        command, env={**os.environ, **AVX2}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        answers, asks = child.stdout, child.stdin
        assert answers is not None and asks is not None

        def measure() -> float:
            print("next", file=asks, flush=True)
            return float(answers.readline())

        yield measure
        asks.close()


def simulated(project: str, x: dict[str, np.ndarray]) -> Measured:
    """The C++, whose program measures its own CPU time."""
    simulation = CSim(project, optimization="-O3")

    def measure() -> float:
        simulation.run(x)
        return 1 / simulation.jets_per_second

    return measure


def in_keras(recipe_path: Path, jets: int = 4096) -> dict[str, Measured]:
    """The quantized network, by Keras' predict and as a graph; weights do not change its speed."""
    import tensorflow as tf

    model = _network(recipe_path, quantized=True)
    x = np.random.default_rng(7).normal(0, 3, (jets, *model.input_shape[1:])).astype(np.float32)
    graph, tensor = tf.function(lambda x: model(x, training=False)), tf.constant(x)
    return {
        "QKeras, predict": of_call(jets, lambda: model.predict(x, batch_size=jets, verbose=0)),
        "QKeras, tf.function": of_call(jets, lambda: graph(tensor).numpy()),
    }


def in_onnx(recipe_path: Path, jets: int = 4096) -> dict[str, Measured]:
    """The float twin of the network, which is not what the firmware computes, in float32 and with int8 weights."""
    import onnxruntime
    import tensorflow as tf
    import tf2onnx
    from onnxruntime.quantization import quantize_dynamic

    model = _network(recipe_path, quantized=False)
    x = np.random.default_rng(7).normal(0, 3, (jets, *model.input_shape[1:])).astype(np.float32)
    signature = (tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="x"),)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "float.onnx"
        tf2onnx.convert.from_keras(model, signature, opset=15, output_path=str(path))
        quantize_dynamic(path, path.with_name("int8.onnx"))
        for name, label in (("float", "float32"), ("int8", "int8")):
            session = onnxruntime.InferenceSession(str(path.with_name(f"{name}.onnx")), options)
            found[f"ONNX Runtime, {label}, float twin"] = of_call(jets, lambda s=session: s.run(None, {"x": x}))
    return found


def _network(recipe_path: Path, *, quantized: bool) -> Any:
    import tensorflow as tf

    from l1emu.config import load_config
    from l1emu.training.model import build
    from l1emu.training.recipe import Recipe

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return build(load_config(recipe_path, Recipe), quantized=quantized)


def programs(
    firmware: Firmware, project: str | None, recipe: Path | None, x: dict[str, np.ndarray]
) -> tuple[dict[str, Measured], list[str]]:
    """All that can be timed here, but for the process of its own, and why others cannot."""
    few = first(x, 256)
    raw = {t.name: t.type.from_float(few[t.name]) for t in firmware.inputs}
    found = {
        OURS: emulated(firmware, x, "simd"),
        "emulator, simd, 256 jets a call": emulated(firmware, few, "simd"),
        "emulator, simd, 1 jet a call": emulated(firmware, first(x, 1), "simd"),
        "emulator, portable": emulated(firmware, x, "portable"),
        "emulator, exact kernels only": emulated(firmware, few, "exact"),
        REFERENCE: of_call(256, lambda: reference.run(firmware, raw)),
    }
    notes = []
    if project is not None:
        found[C_SIMULATION] = simulated(project, few)
    else:
        notes.append("no project folder: C simulation not timed")
    for what, make in (("Keras", in_keras), ("ONNX Runtime", in_onnx)):
        try:
            found |= {} if recipe is None else make(recipe)
        except (ImportError, L1emuError) as error:
            notes.append(f"{what} not timed: {error}")
    return found, notes


def measure(path: str, project: str | None, recipe: Path | None, jets: int, rounds: int) -> dict[str, Any]:
    """All rows of the table, and what they are relative to."""
    firmware = Firmware.read(path)
    x = inputs(firmware, jets)
    explanation = Emulator(firmware, threads=1).explain()
    timed, notes = programs(firmware, project or (path if Path(path).is_dir() else None), recipe, x)
    timed[LIMIT] = limit_in_turn(explanation)
    baseline = C_SIMULATION if C_SIMULATION in timed else REFERENCE
    with for_avx2(path, jets) as avx2:
        timed["emulator, portable, compiled for AVX2"] = avx2
        found = in_turn(timed, baseline, rounds)
    bound = found.pop(LIMIT)
    return {
        "firmware": firmware.name,
        "processor": str(features("simd")),
        "macs": explanation.macs,
        "pace": paces(),
        "limit_ns": 1e9 * bound.seconds.median,
        "baseline": baseline,
        "rounds": rounds,
        "programs": found,
        "notes": notes,
    }


def converted(scratch: Path) -> str | None:
    """The default tagger's hls4ml project, written below `scratch`; None where the `train` extra is missing."""
    project = str(scratch / "project")
    tagger = str(resource(DEFAULT))
    command = [sys.executable, "-c", "from l1emu.cli import main; main()", "convert", tagger, "--output", project]
    done = subprocess.run(command, capture_output=True, text=True)
    return project if done.returncode == 0 else None


def table(result: dict[str, Any]) -> Table:
    """The measurements for people."""
    found: dict[str, Timed] = result["programs"]
    pace = ", ".join(f"{name} {1e-9 * value:.0f}" for name, value in result["pace"].items())
    drawn = Table(
        title=f"{result['firmware']}: {result['macs']} multiply-adds a jet, {result['limit_ns']:.0f} ns at least on "
        f"this core (at best {pace} G/s); medians of {result['rounds']} rounds of CPU time"
    )
    drawn.add_column("one core")
    for column in ("ns a jet", "jets/s", "of the limit", f"faster than {result['baseline']}", "quartiles"):
        drawn.add_column(column, justify="right")
    for name, one in sorted(found.items(), key=lambda item: item[1].seconds.median):
        assert one.ratio is not None
        ns, ratio = 1e9 * one.seconds.median, one.ratio
        ours = "emulator" in name
        drawn.add_row(
            name,
            f"{ns:,.0f}",
            f"{1e9 / ns:,.0f}",
            f"{result['limit_ns'] / ns:.1%}" if ours else "",
            f"{ratio.median:,.4g}",
            f"{ratio.low:,.4g} to {ratio.high:,.4g}",
        )
    return drawn


def answer(path: str, target: str, jets: int) -> None:
    """One measurement of a target for each line that comes in."""
    firmware = Firmware.read(path)
    measure = emulated(firmware, inputs(firmware, jets), target)
    for _line in sys.stdin:
        print(measure(), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("firmware", nargs="?", help="a firmware file or an hls4ml project")
    parser.add_argument("--project", help="the hls4ml project of the firmware, for the C simulation")
    parser.add_argument("--recipe", type=Path, help="the tagger's recipe, for Keras and ONNX Runtime")
    parser.add_argument("--jets", type=int, default=16384, help="jets in a batch")
    parser.add_argument("--rounds", type=int, default=9, help="how often everything is run")
    parser.add_argument("--answer", choices=["simd", "portable", "exact"], help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    try:
        path = options.firmware or str(resource(f"{DEFAULT}/tagger.l1fw"))
        if options.answer:
            answer(path, options.answer, options.jets)
            return
        with tempfile.TemporaryDirectory() as scratch:
            project, recipe = options.project, options.recipe
            if not options.firmware:
                project = project or converted(Path(scratch))
                recipe = recipe or Path(resource(f"{DEFAULT}/recipe.yaml"))
            result = measure(path, project, recipe, options.jets, options.rounds)
    except L1emuError as error:
        sys.exit(f"benchmark: {error}")
    if options.json:
        print(json.dumps(result, indent=2, default=vars))
        return
    Console(width=160).print(table(result))
    for note in result["notes"]:
        print(note)


if __name__ == "__main__":
    main()
