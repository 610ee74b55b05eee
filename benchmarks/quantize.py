"""A scan of bits: CPU seconds of so many configurations of one project, all of it counted.

    python benchmarks/quantize.py PROJECT DATA.npz [--configurations 200] [--jets 5000] [--replicas 100]

PROJECT is an hls4ml project, DATA holds arrays named after its inputs, and `labels`. Each configuration is written,
read, emulated, estimated and scored with its bootstrap as `l1emu quantize` does it. The digest is of every number of
all configurations: equal digests, equal scans.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import time
from pathlib import Path

from l1emu.files import scratch_folder
from l1emu.quantization import Bench, BitGrid, Retyper, read_labelled


def main() -> None:
    """Print seconds and digest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--configurations", type=int, default=200)
    parser.add_argument("--jets", type=int, default=5000)
    parser.add_argument("--replicas", type=int, default=100, help="draws of the bootstrap")
    options = parser.parse_args()
    grids = [BitGrid(bits, whole) for bits, whole in itertools.product(range(5, 33), range(1, 13)) if whole < bits]
    begin = time.process_time()
    with scratch_folder("quantize") as folder:
        retyper = Retyper(options.project)
        outputs = retyper.firmware.outputs[0]
        labelled = read_labelled(options.data, retyper.firmware.inputs, outputs.shape[-1], options.jets)
        bench = Bench(retyper, labelled, folder, replicas=options.replicas)
        points = [bench.scanned(grids[0], (), ("weights", "data"))]
        started = time.process_time() - begin
        points += [bench.scanned(grid, (), ("weights", "data")) for grid in grids[1 : options.configurations]]
    taken = time.process_time() - begin
    digest = hashlib.sha256(json.dumps([point.as_dict() for point in points]).encode()).hexdigest()
    refused = sum(point.refused is not None for point in points)
    print(f"{len(points)} configurations of {options.project.name} on {len(labelled):,} jets, {refused} refused")
    print(f"{taken:.1f} s of CPU, {started:.1f} s of it until the first, {taken - started:.1f} s for the others")
    print(f"digest {digest[:16]}")


if __name__ == "__main__":
    main()
