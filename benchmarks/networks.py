"""Networks from small to large: CPU time to read and to compile, jets a second, share of the limit, memory.

    python benchmarks/networks.py [NAME...] [--folder FOLDER] [--check JETS] [--json]

The networks have random weights and are written by hls4ml (extra `train`) below FOLDER, where they are kept, or into a
scratch folder. Each is measured in a process of its own with an empty cache. NAME is how a network's name begins; all
are done without one. With --check the C++ of each is built and compared with the emulation on that many jets.

Times are CPU times. *compile* is what the first call takes beyond a later one, with the analysis of ranges; *again* the
same where another process left its kernels in the cache. The limit is what the products of each layer take at the pace
of the lanes that it needs, see `benchmarks/ceiling.py`. *workspace* is what 16 jets take on their way, which should fit
the second cache, and *constants* are the weights, which are read once for 16 jets.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

for _variable in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(_variable, "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

TAGGER = "models/jet-tagger/recipe.yaml"


@dataclass(frozen=True)
class Transformer:
    """The default tagger at another size: `sequence` x `width` x `blocks`."""

    sequence: int
    width: int
    blocks: int

    def write(self, folder: Path) -> None:
        from l1emu.config import load_config
        from l1emu.resources import resource as shipped
        from l1emu.training.model import build
        from l1emu.training.recipe import Recipe
        from l1emu.training.tagger import TrainedTagger

        document = load_config(Path(shipped(TAGGER)), Recipe).model_dump()
        document["architecture"] |= {
            "constituents": self.sequence,
            "width": self.width,
            "blocks": self.blocks,
            "heads": max(2, self.width // 16),
            "feed_forward": 2 * self.width,
        }
        document["hardware"] |= {"parallelization_factor": 1, "layers": {}}
        recipe = Recipe.model_validate_json(json.dumps(document))
        TrainedTagger(recipe, build(recipe, quantized=True)).write_project(folder)


@dataclass(frozen=True)
class Mlp:
    """Dense layers of 8-bit weights with quantized ReLUs between them."""

    sizes: tuple[int, ...]

    def write(self, folder: Path) -> None:
        import keras
        import qkeras

        x = inputs = keras.layers.Input((self.sizes[0],))
        for number, size in enumerate(self.sizes[1:]):
            x = qkeras.QDense(size, kernel_quantizer=_bits(), bias_quantizer=_bits(), name=f"fc{number}")(x)
            x = qkeras.QActivation("quantized_relu(8,3)", name=f"relu{number}")(x)
        _write(keras.Model(inputs, x), folder)


@dataclass(frozen=True)
class Conv:
    """Three convolutions of 3 or 3 x 3 with 8 filters, pooling after each, and a dense layer."""

    shape: tuple[int, ...]

    def write(self, folder: Path) -> None:
        import keras
        import qkeras

        flat = len(self.shape) == 1
        convolution = qkeras.QConv1D if flat else qkeras.QConv2D
        pooling = keras.layers.MaxPooling1D if flat else keras.layers.MaxPooling2D
        x = inputs = keras.layers.Input((*self.shape, 1))
        for number in range(3):
            x = convolution(8, 3, kernel_quantizer=_bits(), bias_quantizer=_bits(), name=f"conv{number}")(x)
            x = qkeras.QActivation("quantized_relu(8,3)", name=f"relu{number}")(x)
            x = pooling(2, name=f"pool{number}")(x)
        x = keras.layers.Flatten(name="flat")(x)
        x = qkeras.QDense(5, kernel_quantizer=_bits(), bias_quantizer=_bits(), name="fc")(x)
        _write(keras.Model(inputs, x), folder)


def _bits() -> Any:
    import qkeras

    return qkeras.quantized_bits(8, 0, alpha=1)


def _write(model: Any, folder: Path) -> None:
    """The project of a model, with each layer's types from its quantizers."""
    import hls4ml

    config = hls4ml.utils.config_from_keras_model(model, granularity="name", default_precision="ap_fixed<16,6>")
    config["Model"]["Strategy"] = "Resource"
    for layer in config["LayerName"].values():
        layer["Strategy"] = "Resource"
    hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(folder), backend="Vitis", io_type="io_parallel"
    ).write()


_SIZES = ((8, 16, 1), (16, 16, 1), (16, 16, 4), (16, 16, 8), (32, 32, 2), (64, 32, 2), (64, 64, 1), (64, 64, 4))
_LARGE = ((128, 16, 1), (128, 64, 2), (16, 256, 1), (128, 256, 1), (128, 256, 8))

NETWORKS: dict[str, Transformer | Mlp | Conv] = {
    **{
        f"transformer {n} x {width}, {blocks}": Transformer(n, width, blocks) for n, width, blocks in (*_SIZES, *_LARGE)
    },
    "mlp 4 k": Mlp((16, 64, 32, 32, 5)),
    "mlp 50 k": Mlp((64, 256, 128, 5)),
    "mlp 200 k": Mlp((256, 512, 128, 5)),
    "mlp 1 M": Mlp((512, 1024, 512, 5)),
    **{f"conv1d {n}": Conv((n,)) for n in (32, 64, 256)},
    **{f"conv2d {n} x {n}": Conv((n, n)) for n in (22, 32, 64)},
}


def spent() -> float:
    """CPU seconds of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(found.ru_utime + found.ru_stime for found in used)


def one(project: str, *, timed: bool) -> dict[str, Any]:
    """What is measured in a process of its own."""
    from l1emu.emulator import Emulator
    from l1emu.firmware import Firmware

    begin = spent()
    firmware = Firmware.read(project)
    read = spent() - begin
    rng = np.random.default_rng(3)
    x = {t.name: rng.normal(0, 2.0**t.type.integer / 6, (16, *t.shape)).astype(np.float32) for t in firmware.inputs}
    begin = spent()
    emulator = Emulator(firmware, threads=1, target="simd")
    emulator(x)
    found: dict[str, Any] = {"read": read, "compile": spent() - begin}
    if timed:
        found |= _speed(emulator, x)
    return found | {"memory": _most_memory()}


def _most_memory() -> int:
    """The most bytes that this process has had; getrusage would count what its parent had when it was forked."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def _speed(emulator: Any, x: dict[str, np.ndarray]) -> dict[str, Any]:
    from ceiling import lanes_of, limit_in_turn
    from cputime import of_call

    once = of_call(16, lambda: emulator(x), least=0.0)()
    jets = int(np.clip(0.1 / once, 16, 4096)) // 16 * 16
    many = {name: np.resize(values, (jets, *values.shape[1:])) for name, values in x.items()}
    measure = of_call(jets, lambda: emulator(many))
    explanation = emulator.explain()
    bound = limit_in_turn(explanation)
    seconds, limits = np.median([(measure(), bound()) for _ in range(7)], axis=0).tolist()
    macs: dict[str, int] = {}
    for row in explanation.rows:
        macs[lanes_of(row.arithmetic)] = macs.get(lanes_of(row.arithmetic), 0) + row.macs
    left = [row.layer for row in explanation.rows if row.arithmetic.startswith("int64")]
    program = getattr(emulator._program, "program", None)
    return {
        "seconds": seconds,
        "limit": limits,
        "macs": macs,
        "int64": left,
        "workspace": 64 * getattr(program, "vectors", 0),
        "constants": 4 * getattr(program, "constants", np.zeros(0)).size,
    }


def measured(project: Path) -> dict[str, Any]:
    """Cold and timed, and then again with the kernels of the first process."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "L1EMU_CACHE_DIR": cache, "NUMBA_CACHE_DIR": cache}
        answers = []
        for how in ("cold", "again"):
            command = [sys.executable, __file__, "--one", str(project), "--how", how]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if done.returncode:
                return {"error": (done.stderr.strip().splitlines() or ["nothing was said"])[-1]}
            answers.append(json.loads(done.stdout.splitlines()[-1]))
    return answers[0] | {"again": answers[1]["compile"]}


def checked(project: Path, jets: int) -> str:
    """What `l1emu verify` says."""
    import l1emu

    found = l1emu.verify(project, jets=jets, optimization="-O0")
    return f"{found.values:,} values identical" if found.identical else "DIFFERS"


def table(rows: dict[str, dict[str, Any]]) -> Table:
    """The measurements for people."""
    drawn = Table(title="CPU time on one core, each network in a process of its own with an empty cache")
    drawn.add_column("network")
    for column in (
        "MMAC", "read s", "compile s", "again s", "us a jet", "jets/s", "of the limit", "memory MB", "workspace kB",
        "constants kB", "in int64", "C++",
    ):  # fmt: skip
        drawn.add_column(column, justify="right", overflow="fold")
    for name, row in rows.items():
        if "error" in row:
            drawn.add_row(name, row["error"])
            continue
        drawn.add_row(
            name,
            f"{sum(row['macs'].values()) / 1e6:.3g}",
            f"{row['read']:.1f}",
            f"{row['compile']:.1f}",
            f"{row['again']:.1f}",
            f"{1e6 * row['seconds']:,.3g}",
            f"{1 / row['seconds']:,.0f}",
            f"{row['limit'] / row['seconds']:.0%}",
            f"{row['memory'] / 1e6:,.0f}",
            f"{row['workspace'] / 1e3:,.0f}",
            f"{row['constants'] / 1e3:,.0f}",
            str(len(row["int64"]) or ""),
            row.get("checked", ""),
        )
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="do those whose names begin so")
    parser.add_argument("--folder", type=Path, help="where projects are kept")
    parser.add_argument("--check", type=int, metavar="JETS", default=0, help="compare with the C++ on so many jets")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--how", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one, timed=options.how == "cold")))
        return
    wanted = [name for name in NETWORKS if not options.names or name.startswith(tuple(options.names))]
    if not wanted:
        sys.exit(f"benchmark: no such network; there are {'; '.join(NETWORKS)}")
    rows = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in wanted:
            project = (options.folder or Path(scratch)) / name.replace(" ", "_").replace(",", "")
            if not (project / "firmware" / "parameters.h").is_file():
                with contextlib.redirect_stdout(io.StringIO()):  # hls4ml tells its steps
                    NETWORKS[name].write(project)
            begin = time.perf_counter()
            rows[name] = measured(project)
            if options.check and "error" not in rows[name]:
                rows[name]["checked"] = checked(project, options.check)
            print(f"{name}: done in {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        Console(width=180).print(table(rows))


if __name__ == "__main__":
    main()
