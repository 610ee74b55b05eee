"""Bits and speed of the target cuda on a machine with a GPU, in less than ten minutes.

    python benchmarks/gpu.py [--jets N] [--minutes M] [--json FILE] [--onnx FOLDER] [--orbits N] [FIRMWARE ...]
    python benchmarks/gpu.py --compile-only [--capability 9.0] [FIRMWARE ...]

For each firmware (a saved file or a folder of models/; by default five taggers): golden vectors of its C++ at every
layer; N jets, drawn over the whole range of the inputs, against the target simd, and a part of them against the exact
kernels here and on the GPU; jets a second with inputs on the GPU and from memory, beside one core and all cores of this
machine, and beside float16 in ONNX Runtime (of FOLDER/NAME.onnx) and TensorFlow (of models/NAME/recipe.yaml), where
they can use the GPU; the time of each layer. At the end so many orbits of the LHC go through tagger, seed and stream,
as benchmarks/line_rate.py does it; 0: none. No firmware is begun after M minutes. Times are wall times: a GPU has no
other.

With --compile-only no GPU is needed: the kernels are compiled for one, and what CUDA's assembler says of them is shown.
They are kept, for float32 in and float64 out: a machine of the same packages that gets the cache (L1EMU_CACHE_DIR)
compiles nothing to emulate; to time layers it does.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from floats import NotHere, in_onnx, in_tensorflow
from line_rate import at_line_rate
from line_rate import show as show_line_rate
from rich.console import Console
from rich.table import Table

from l1emu.cores import cores
from l1emu.emulator import Emulator
from l1emu.emulator.cuda import kernels
from l1emu.emulator.cuda.device import cuda, simulated
from l1emu.emulator.cuda.program import CudaProgram, occupancy
from l1emu.emulator.cuda.text import GPU_FEATURES
from l1emu.emulator.passes.analyse import analyse
from l1emu.emulator.passes.lower import lower
from l1emu.emulator.passes.plan import VectorProgram, plan
from l1emu.emulator.vector.context import narrow_inputs
from l1emu.firmware import Firmware
from l1emu.taggers.golden import compare_golden

MODELS = Path(__file__).resolve().parents[1] / "models"
TAGGERS = ("jet-tagger", "jets-1tev-deep-sets", "jets-1tev-interaction", "flavour-gru", "l1-autoencoder")
BATCH = 1 << 20  # jets that are compared at a time, and with which speed is measured
EXACT = 100_000  # jets that the exact kernels of this processor do too
LANES = 64  # dot products of four bytes a clock and multiprocessor, of compute capability 7.0 to 9.0
HOPPER = (65536, 233472, 2048)  # registers, bytes of shared memory and threads of a multiprocessor


def firmware_of(name: str) -> tuple[Firmware, Path | None]:
    """A firmware, and its golden vectors if it has some."""
    folder = MODELS / name if (MODELS / name).is_dir() else Path(name)
    found = sorted(folder.glob("*.l1fw")) if folder.is_dir() else []
    golden = folder / "golden.npz"
    return Firmware.read(found[0] if found else folder), golden if golden.exists() else None


def program_of(firmware: Firmware, *, exactly: bool = False) -> VectorProgram:
    ranges = analyse(firmware)
    exact = lower(firmware, ranges, firmware.outputs)
    return plan(firmware, ranges, exact, GPU_FEATURES, firmware.outputs, exactly=exactly)


def drawn(firmware: Firmware, jets: int, seed: int) -> dict[str, Any]:
    """Inputs over the range of their types, and a little beyond, as float32."""
    rng = np.random.default_rng(seed)
    found = {}
    for tensor in firmware.inputs:
        low, high = firmware.limits.get(tensor.name, (tensor.type.low * 1.1, tensor.type.high * 1.1))
        raw = rng.integers(int(low), int(high), (jets, *tensor.shape), endpoint=True)
        found[tensor.name] = np.ldexp(raw, -tensor.type.fraction).astype(np.float32)
    return found


def joined(outputs: Any) -> Any:
    """All outputs (jets, columns)."""
    parts = outputs.values() if isinstance(outputs, dict) else [outputs]
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)


def fastest(call: Callable[[], Any], seconds: float = 2.0) -> float:
    """The least wall time of a call."""
    call()
    least, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end or least == float("inf"):
        begin = time.perf_counter()
        call()
        least = min(least, time.perf_counter() - begin)
    return least


def differing(firmware: Firmware, emulator: Emulator, jets: int) -> dict[str, int]:
    """Values of `jets` drawn jets that differ from the target simd, and of some from both exact kernels."""
    others = {"simd": Emulator(firmware, target="simd"), "exact kernels here": Emulator(firmware, target="exact")}
    program = emulator._program
    assert isinstance(program, CudaProgram)
    there = CudaProgram(
        program_of(firmware, exactly=True), firmware.inputs, narrow=narrow_inputs(firmware), threads=cores()
    )
    found = {"compared": 0, "simd": 0, "exact kernels here": 0, "exact kernels on the GPU": 0}
    for number, first in enumerate(range(0, jets, BATCH)):
        x = drawn(firmware, min(BATCH, jets - first), number)
        ours = joined(emulator(x))
        found["compared"] += ours.size
        found["simd"] += int((ours != joined(others["simd"](x))).sum())
        if not number:
            few = {name: array[:EXACT] for name, array in x.items()}
            found["exact kernels here"] += int((ours[:EXACT] != joined(others["exact kernels here"](few))).sum())
            raw = emulator.quantized(few)
            outputs = [np.empty((len(ours[:EXACT]), t.size)) for t in firmware.outputs]
            there.run([raw[t.name].reshape(len(outputs[0]), -1) for t in firmware.inputs], outputs)
            found["exact kernels on the GPU"] += int((ours[:EXACT] != joined(dict(enumerate(outputs)))).sum())
    return found


def in_floats(name: str, jets: int, onnx: Path | None) -> dict[str, float | str]:
    """Jets a second of the float twin in float16 on the GPU, or why not."""
    recipe, twin = MODELS / name / "recipe.yaml", onnx and onnx / f"{Path(name).name}.onnx"
    found: dict[str, float | str] = {}
    for what, path, make in (("ONNX Runtime", twin, in_onnx), ("TensorFlow", recipe, in_tensorflow)):
        try:
            if path is None or not path.exists():
                raise NotHere(f"{what}: no {'--onnx FOLDER' if path is None else path}")
            found[what] = jets / fastest(make(path, jets))
        except NotHere as reason:
            found[what] = str(reason)
        except Exception as error:  # of other libraries: the benchmark goes on
            found[what] = f"{what}: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    return found


def measured(name: str, jets: int, onnx: Path | None = None) -> dict[str, Any]:
    firmware, golden = firmware_of(name)
    begin = time.perf_counter()
    emulator = Emulator(firmware, target="cuda")
    emulator(drawn(firmware, 2, 0))
    result: dict[str, Any] = {"firmware": Path(name).name, "compile_s": time.perf_counter() - begin}
    explanation = emulator.explain(drawn(firmware, min(1024, jets), 1))
    result["macs"], result["kernel"] = explanation.macs, explanation.kernel
    result["layers"] = {row.layer: {"arithmetic": row.arithmetic, "ns": row.ns} for row in explanation.rows}
    result["other_ns"] = explanation.other_ns
    if golden is not None:
        result["golden"] = str(compare_golden(emulator, golden))
    result["differing"] = differing(firmware, emulator, jets)
    x = drawn(firmware, min(BATCH, jets), 2)
    count = min(BATCH, jets)
    if not firmware.limits:
        there = {key: cuda().to_device(array) for key, array in x.items()}

        def on_device() -> None:
            emulator(there)
            cuda().synchronize()

        result["from_device"] = count / fastest(on_device)
    result["from_host"] = count / fastest(lambda: emulator(x))
    for key, threads in (("one_core", 1), ("all_cores", cores())):
        beside = Emulator(firmware, target="simd", threads=threads)
        few = {name: array[: BATCH // 8] for name, array in x.items()}
        result[key] = len(next(iter(few.values()))) / fastest(lambda beside=beside, few=few: beside(few))
    result["float16"] = in_floats(name, count, onnx)
    if not simulated() and "from_device" in result:
        card = cuda().get_current_device()
        peak = card.MULTIPROCESSOR_COUNT * LANES * 4 * card.CLOCK_RATE * 1e3
        result["share_of_peak"] = result["from_device"] * explanation.macs / peak
    return result


def compiled(name: str, capability: tuple[int, int]) -> dict[str, Any]:
    """What the assembler says of a firmware's kernel, by its strategies and by the exact kernels alone."""
    firmware, _ = firmware_of(name)
    result: dict[str, Any] = {"firmware": Path(name).name}
    for key, exactly in (("strategies", False), ("exact kernels", True)):
        program = program_of(firmware, exactly=exactly)
        begin = time.process_time()
        narrow = narrow_inputs(firmware)
        text = kernels.jets_assembly(program, narrow=narrow, capability=capability)
        kernels.ahead(kernels.jets_kernel(program), kernels.jets_kinds(program, narrow=narrow), capability)
        kernels.ahead(kernels.floats_kernel(), kernels.floats_kinds(cuda("types").float32, narrow=narrow), capability)
        found = kernels.resources(text, capability)
        limits = occupancy(found.registers, found.shared, found.stack, *HOPPER)
        bytes_a_jet = 4 * program.vectors + (8 * program.exact.rows if exactly else 0)
        result[key] = found._asdict() | {
            "limits": limits,
            "compile_cpu_s": time.process_time() - begin,
            "dot_products_of_bytes": text.count("dp4a."),
            "dot_products_of_words": text.count("dp2a."),
            "bytes_a_jet": bytes_a_jet,
        }
    return result


def show_compiled(results: list[dict[str, Any]]) -> None:
    table = Table(title="kernels, compiled and assembled, never run")
    for column in (
        "firmware",
        "by",
        "registers",
        "spilled",
        "stack",
        "shared",
        "dp4a",
        "dp2a",
        "bytes a jet",
        "CPU s",
        "limit",
    ):
        table.add_column(column, overflow="fold")
    for result in results:
        for key in ("strategies", "exact kernels"):
            row = result[key]
            keys = ("registers", "spilled", "stack", "shared", "dot_products_of_bytes", "dot_products_of_words")
            numbers = [row[key] for key in keys]
            cells = [*numbers, row["bytes_a_jet"], f"{row['compile_cpu_s']:.1f}", row["limits"].rpartition("; ")[2]]
            table.add_row(result["firmware"], key, *map(str, cells))
    Console().print(table)


def show_measured(results: list[dict[str, Any]]) -> None:
    table = Table(title="millions of jets a second" if not simulated() else "numba's simulator: no speeds of a GPU")
    for column in (
        "firmware",
        "GPU",
        "from memory",
        "one core",
        "all cores",
        "dp4a peak",
        "differing",
        "of",
        "compiled",
    ):
        table.add_column(column, justify="right", overflow="fold")
    for result in results:
        rates = [result.get(key) for key in ("from_device", "from_host", "one_core", "all_cores")]
        wrong = {key: value for key, value in result["differing"].items() if key != "compared"}
        table.add_row(
            result["firmware"],
            *("" if rate is None else f"{rate / 1e6:.3g}" for rate in rates),
            f"{100 * result['share_of_peak']:.1f} %" if "share_of_peak" in result else "",
            str(sum(wrong.values())),
            f"{result['differing']['compared']:,}",
            f"{result['compile_s']:.1f} s",
        )
    console = Console()
    console.print(table)
    for result in results:
        console.print(f"{result['firmware']}: {result['kernel']}; golden vectors: {result.get('golden', 'none')}")
        spent = sorted(result["layers"].items(), key=lambda item: -(item[1]["ns"] or 0))[:5]
        told = [f"{name} {row['ns']:.3f} ns ({row['arithmetic']})" for name, row in spent if row["ns"] is not None]
        console.print("  " + ", ".join(told))
        for what, rate in result["float16"].items():
            console.print(f"  {rate}" if isinstance(rate, str) else f"  {what}, float16: {rate / 1e6:.3g} M jets/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("firmware", nargs="*", default=TAGGERS)
    parser.add_argument("--jets", type=int, default=10_000_000)
    parser.add_argument("--minutes", type=float, default=7.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--onnx", type=Path, help="a folder of float twins, NAME.onnx")
    parser.add_argument("--orbits", type=int, default=11245, help="of the stream at line rate; 11245 are a second")
    parser.add_argument("--compile-only", action="store_true")
    parser.add_argument("--capability", default="9.0")
    asked = parser.parse_args()
    major, minor = map(int, asked.capability.split("."))
    begin, results = time.perf_counter(), []
    if not asked.compile_only and not simulated():
        card = cuda().get_current_device()
        print(f"{card.name}, compute capability {card.compute_capability}, {card.MULTIPROCESSOR_COUNT} multiprocessors")
    for name in asked.firmware:
        if time.perf_counter() - begin > 60 * asked.minutes:
            print(f"no time left for {name}")
            continue
        results.append(compiled(name, (major, minor)) if asked.compile_only else measured(name, asked.jets, asked.onnx))
        if asked.json is not None:  # also if what follows is cut off
            asked.json.write_text(json.dumps(results, indent=1, default=str))
    (show_compiled if asked.compile_only else show_measured)(results)
    if asked.orbits and not asked.compile_only:
        rate = at_line_rate(None, "cuda", asked.orbits)
        if asked.json is not None:
            asked.json.write_text(json.dumps([*results, rate], indent=1, default=str))
        show_line_rate(rate)


if __name__ == "__main__":
    main()
