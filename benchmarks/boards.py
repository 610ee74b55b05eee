"""A network of a million weights, as it is and pruned, over the boards that hold it: latency, links and resources.

    python benchmarks/boards.py FOLDER [--sparsity 0.75] [--reuse 48] [--gbps 25] [--fill 0.6] [--part PART]

writes into FOLDER three hls4ml projects (extra `train`), the partition that is found for each and its figure, and what
the estimate knows of them (`designs.json`), and prints one row each: `dense`, all weights, whose multipliers are shared
over the reuse factor's cycles; `pruned-shared`, the same hardware with the smallest weights set to zero; and `pruned`,
these weights as constants, of which those that are zero take nothing. The network is a perceptron of 1,055,621
parameters, eight layers of 384, weights of 8 bits and data of 12. It is not trained: the weights are those of its
initialization. Cycles and resources know of a weight whether it is zero and how many different constants an input is
multiplied by, and nothing of what was learned. `benchmarks/boards/` keeps designs and partitions of these defaults.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from l1emu.arraytypes import Floats
from l1emu.cli.boards import BoardsAsked, estimate_network
from l1emu.files import write_json
from l1emu.latency.clock import period_ns
from l1emu.latency.estimate import Design, estimate, load_design

SIZES = (48, *(384,) * 8, 5)
VARIANTS = {"dense": (False, "Resource"), "pruned-shared": (True, "Resource"), "pruned": (True, "Latency")}
PART = "xcvu13p-flga2577-2-e"


def project(
    folder: Path, *, sparsity: float, strategy: str, reuse: int, part: str, clock_ns: float, seed: int = 1
) -> Path:
    """Have hls4ml write the network into a folder, the smallest of each layer's weights set to zero."""
    import hls4ml
    import tensorflow as tf

    tf.keras.utils.set_random_seed(seed)
    layers: list[Any] = [tf.keras.layers.Input(SIZES[:1])]
    for number, size in enumerate(SIZES[1:], start=1):
        layers.append(tf.keras.layers.Dense(size, name=f"dense{number}"))
        if number < len(SIZES) - 1:
            layers.append(tf.keras.layers.ReLU(name=f"relu{number}"))
    model = tf.keras.Sequential(layers)
    for layer in model.layers:
        if layer.get_weights():
            weights, bias = layer.get_weights()
            layer.set_weights([pruned(weights, sparsity), bias])
    config = hls4ml.utils.config_from_keras_model(model, granularity="name")
    config["Model"] |= {"ReuseFactor": reuse, "Strategy": strategy, "Precision": "ap_fixed<12,5>"}
    for number in range(1, len(SIZES)):
        precision = {"weight": "ap_fixed<8,1>", "bias": "ap_fixed<8,1>", "result": "ap_fixed<12,5>"}
        config["LayerName"][f"dense{number}"] |= {
            "Precision": precision,
            "ReuseFactor": reuse,
            "Strategy": strategy,
        }
    made = hls4ml.converters.convert_from_keras_model(
        model,
        hls_config=config,
        output_dir=str(folder),
        backend="Vitis",
        io_type="io_parallel",
        part=part,
        clock_period=round(clock_ns, 5),
    )
    made.write()
    return folder


def pruned(weights: Floats, sparsity: float) -> Floats:
    """Weights whose smallest ones, so many of all, are zero."""
    if sparsity <= 0:
        return weights
    kept = np.abs(weights) > np.quantile(np.abs(weights), sparsity)
    remaining: Floats = weights * kept
    return remaining


def row(name: str, design: Design, document: dict[str, Any]) -> list[str]:
    """One line of the table."""
    whole = estimate(design)
    weights = sum(matrix.n_in * matrix.n_out for block in design.blocks for matrix in block.weights)
    zero = 1 - sum(matrix.nonzeros for block in design.blocks for matrix in block.weights) / weights
    shares = [
        max(board["implemented"][n]["typical"] / board["available"][n] for n in ("DSP", "LUT", "FF", "BRAM_18K"))
        for board in document["boards"]
    ]
    return [
        name,
        f"{weights:,}",
        f"{100 * zero:.0f} %",
        f"{whole.resources['DSP']:,}",
        f"{whole.implemented['LUT'][1]:,}",
        str(len(document["boards"])),
        " ".join(f"{100 * share:.0f} %" for share in shares),
        " ".join(f"{link['words']} / {link['lanes']}" for link in document["links"]) or "none",
        str(document["interval_cycles"]),
        str(document["single_board_cycles"]),
        f"{document['latency_cycles']} ({document['bands']['latency_cycles'][0]} to "
        f"{document['bands']['latency_cycles'][1]})",
        f"{document['latency_ns']:.0f}",
    ]


def main() -> None:
    """Write projects, partitions and figures, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sparsity", type=float, default=0.75)
    parser.add_argument("--reuse", type=int, default=48)
    parser.add_argument("--gbps", type=float, default=25.0)
    parser.add_argument("--fill", type=float, default=0.6)
    parser.add_argument("--part", default=PART)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    names = (
        "network",
        "weights",
        "zero",
        "DSP",
        "LUT",
        "boards",
        "fullest resource of each",
        "words / lanes",
        "interval",
        "cycles on one",
        "cycles",
        "ns",
    )
    table = Table(title=f"{given.part}, 360 MHz, {given.gbps:g} Gb/s, {given.fill:g} of a part")
    for name in names:
        table.add_column(name)
    designs: dict[str, Any] = {}
    for name, (pruning, strategy) in VARIANTS.items():
        folder, sparsity = given.folder / name, given.sparsity if pruning else 0.0
        with contextlib.redirect_stdout(io.StringIO()):
            project(
                folder,
                sparsity=sparsity,
                strategy=strategy,
                reuse=given.reuse,
                part=given.part,
                clock_ns=period_ns(360),
            )
        design = load_design(folder)
        asked = BoardsAsked(gbps=given.gbps, fill=given.fill, figure=given.folder / f"{name}.png")
        document = estimate_network(folder, design, asked, {}, None, given.folder / f"{name}.yaml")
        designs[name] = replace(design, origin=name).as_dict()
        table.add_row(*row(name, design, document))
    write_json(given.folder / "designs.json", designs)
    Console(width=200).print(table)


if __name__ == "__main__":
    main()
