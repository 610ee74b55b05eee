"""How many jets a second, on one core, in one run: emulator, numpy reference, C simulation, TensorFlow.

    python benchmarks/emulator.py [FIRMWARE] [--project PROJECT] [--recipe RECIPE] [--json]

FIRMWARE is a saved firmware file or an hls4ml project. With a PROJECT (or where FIRMWARE is one) its C++ is built with
-O3 and timed. With a RECIPE and the `train` extra, batched QKeras is timed. Without arguments it is the default tagger,
converted to a project in a scratch folder for this (extra `train`). Every figure is the best of several runs,
compilation excluded.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for _variable in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(_variable, "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numba  # noqa: E402
import numpy as np  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from l1emu.emulator import Emulator  # noqa: E402
from l1emu.emulator.vector.features import features  # noqa: E402
from l1emu.emulator.vector.ops import load, store  # noqa: E402
from l1emu.emulator.vector.ops_x86 import DOT16  # noqa: E402
from l1emu.errors import L1emuError  # noqa: E402
from l1emu.firmware import Firmware, reference  # noqa: E402
from l1emu.resources import resource  # noqa: E402
from l1emu.verification.csim import CSim  # noqa: E402

DEFAULT = "models/jet-tagger"

# The AVX2 machine that portable kernels are also compiled for, in a process of its own.
AVX2 = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2,+fma,+bmi,+bmi2",
}


def best_rate(jets: int, run: Callable[[], Any], seconds: float = 3.0) -> float:
    """The highest jets/s of `run` over `jets` in about `seconds`, after one call to warm up."""
    run()
    fastest, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end or fastest == float("inf"):
        begin = time.perf_counter()
        run()
        fastest = min(fastest, time.perf_counter() - begin)
    return jets / fastest


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


def emulator_rate(firmware: Firmware, x: dict[str, np.ndarray], target: str, threads: int = 1) -> float:
    emulator = Emulator(firmware, threads=threads, target=target)
    return best_rate(len(next(iter(x.values()))), lambda: emulator(x))


def avx2_rate(path: str) -> float:
    """The portable kernels, compiled for a processor without AVX-512."""
    command = [sys.executable, __file__, path, "--only", "portable", "--json"]
    done = subprocess.run(command, env={**os.environ, **AVX2}, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout)["jets_per_second"])


def tensorflow_rate(recipe_path: Path, jets: int = 16384) -> float:
    """Batched prediction of the quantized Keras model (weights do not change its speed)."""
    import tensorflow as tf

    from l1emu.config import load_config
    from l1emu.training.model import build
    from l1emu.training.recipe import Recipe

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    recipe = load_config(recipe_path, Recipe)
    model = build(recipe, quantized=True)
    x = np.random.default_rng(7).normal(0, 3, (jets, *model.input_shape[1:])).astype(np.float32)
    return best_rate(jets, lambda: model.predict(x, batch_size=4096, verbose=0), seconds=5.0)


def ceiling() -> float:
    """Multiply-adds of int16 a second that the best dot product of this processor reaches in registers."""
    dot16 = DOT16[features("simd").dot16]
    accumulators = 12
    lines = ["def spin(V, n):", "    a, b = load(V, 0), load(V, 1)"]
    lines += [f"    s{k} = load(V, {k})" for k in range(accumulators)]
    lines += ["    for _ in range(n):"]
    lines += [f"        s{k} = dot16(s{k}, a, b)" for k in range(accumulators)]
    lines += [f"    store(V, {k}, s{k})" for k in range(accumulators)]
    space: dict[str, Any] = {"dot16": dot16, "load": load, "store": store}
    exec(compile("\n".join(lines), "<ceiling>", "exec"), space)
    spin = numba.njit(space["spin"])
    vectors = np.ones(16 * accumulators, np.int32)
    rounds = 1_000_000
    return best_rate(rounds * accumulators * 32, lambda: spin(vectors, rounds), seconds=1.0)


def measure(path: str, project: str | None, recipe: Path | None, jets: int) -> dict[str, Any]:
    """All rows of the table, and what they are relative to."""
    firmware = Firmware.read(path)
    x = inputs(firmware, jets)
    few = {name: values[:512] for name, values in x.items()}
    raw = {t.name: t.type.from_float(few[t.name]) for t in firmware.inputs}
    macs = Emulator(firmware, threads=1).explain().macs
    rows: dict[str, float] = {
        f"emulator, simd ({features('simd')})": emulator_rate(firmware, x, "simd"),
        "emulator, portable": emulator_rate(firmware, x, "portable"),
        "emulator, portable, compiled for AVX2": avx2_rate(path),
        "emulator, exact kernels only": emulator_rate(firmware, few, "exact"),
        "numpy reference": best_rate(512, lambda: reference.run(firmware, raw)),
    }
    cores = len(os.sched_getaffinity(0))
    if cores > 1:
        rows[f"emulator, simd, {cores} cores"] = emulator_rate(firmware, x, "simd", cores)
    notes = []
    source = project or (path if Path(path).is_dir() else None)
    if source is not None:
        simulation = CSim(source, optimization="-O3")
        some = {name: values[:2048] for name, values in x.items()}
        simulation.run(some)
        simulation.run(some)
        rows["C simulation, g++ -O3"] = simulation.jets_per_second
    else:
        notes.append("no project folder: C simulation not timed")
    if recipe is not None:
        try:
            rows["QKeras predict, batch 4096"] = tensorflow_rate(recipe)
        except (ImportError, L1emuError) as error:
            notes.append(f"QKeras not timed: {error}")
    return {"firmware": firmware.name, "macs": macs, "ceiling": ceiling(), "jets_per_second": rows, "notes": notes}


def converted(scratch: Path) -> str | None:
    """The default tagger's hls4ml project, written below `scratch`; None where the `train` extra is missing."""
    project = str(scratch / "project")
    tagger = str(resource(DEFAULT))
    command = [sys.executable, "-c", "from l1emu.cli import main; main()", "convert", tagger, "--output", project]
    done = subprocess.run(command, capture_output=True, text=True)
    return project if done.returncode == 0 else None


def table(result: dict[str, Any]) -> Table:
    """The measurements for people."""
    rows, macs = result["jets_per_second"], result["macs"]
    first = next(iter(rows.values()))
    drawn = Table(
        title=f"{result['firmware']}: {macs} multiply-accumulates a jet; "
        f"ceiling of int16 multiply-adds {result['ceiling'] / 1e9:.0f} G/s a core"
    )
    drawn.add_column("one core unless said")
    for column in ("jets/s", "GMAC/s", "of ceiling", "first row is faster by"):
        drawn.add_column(column, justify="right")
    for name, rate in rows.items():
        share = rate * macs / result["ceiling"]
        drawn.add_row(name, f"{rate:,.0f}", f"{rate * macs / 1e9:.2f}", f"{share:.1%}", f"{first / rate:,.1f}")
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("firmware", nargs="?", help="a firmware file or an hls4ml project")
    parser.add_argument("--project", help="the hls4ml project of the firmware, for the C simulation")
    parser.add_argument("--recipe", type=Path, help="the tagger's recipe, for QKeras")
    parser.add_argument("--jets", type=int, default=16384, help="jets in a batch")
    parser.add_argument("--only", choices=["simd", "portable", "exact"], help="time this target and nothing else")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    try:
        path = options.firmware or str(resource(f"{DEFAULT}/tagger.l1fw"))
        if options.only:
            firmware = Firmware.read(path)
            rate = emulator_rate(firmware, inputs(firmware, options.jets), options.only)
            print(json.dumps({"target": options.only, "jets_per_second": rate}))
            return
        if options.firmware:
            result = measure(path, options.project, options.recipe, options.jets)
        else:
            with tempfile.TemporaryDirectory() as scratch:
                project = options.project or converted(Path(scratch))
                recipe = options.recipe or resource(f"{DEFAULT}/recipe.yaml")
                result = measure(path, project, recipe, options.jets)
    except L1emuError as error:
        sys.exit(f"benchmark: {error}")
    if options.json:
        print(json.dumps(result, indent=2))
        return
    Console().print(table(result))
    for note in result["notes"]:
        print(note)


if __name__ == "__main__":
    main()
