"""The estimate beside the published latency of the first transformers on FPGAs.

    python benchmarks/transformers.py [CLONE] [--json]

arXiv:2402.01047 and arXiv:2409.05207 give cycles and intervals of C synthesis (Vivado HLS, VU13P, 5 ns) of three
networks at reuse factors 1, 2 and 4; their hls4ml projects are public (uw-acme/transformer-hls4ml). Without a CLONE of
that repository the designs are those in `transformer_designs.json` beside this script: layers, sizes, types and counts
of non-zero weights. Cycles are compared for b tagging alone: what is published of the two others is less than their
blocks take one after the other by the published intervals. No resources are published as numbers. Nothing of this was
used in the fit of `benchmarks/estimate.py`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from l1emu.latency.estimate import Design, estimate, load_design

HERE = Path(__file__).resolve().parent


def rows(clone: Path | None = None) -> list[dict[str, Any]]:
    """Each network and reuse factor with the published numbers and the estimate's, of designs or of a clone."""
    found = []
    for entry in json.loads((HERE / "transformer_designs.json").read_text())["designs"]:
        design = Design.from_dict(entry["design"]) if clone is None else load_design(clone / entry["project"])
        made = estimate(design)
        found.append(
            {
                "network": entry["network"],
                "reuse": entry["reuse"],
                "published_cycles": entry["latency_cycles"],
                "cycles": made.latency_cycles[1],
                "published_interval": entry["interval_cycles"],
                "interval": made.interval_cycles[1],
                "dsp": made.resources["DSP"],
                "lut": made.resources["LUT"],
            }
        )
    return found


def _off(found: int, published: int | None) -> str:
    return "" if published is None else f"{100 * (found / published - 1):+.1f} %"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clone", nargs="?", type=Path, help="a clone of uw-acme/transformer-hls4ml")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    found = rows(arguments.clone)
    if arguments.json:
        print(json.dumps(found))
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("network", "reuse", "cycles", "published", "", "interval", "published", "", "DSP", "LUT"):
        table.add_column(column, justify="left" if column == "network" else "right")
    for row in found:
        cycles, interval = row["published_cycles"], row["published_interval"]
        table.add_row(
            row["network"],
            str(row["reuse"]),
            str(row["cycles"]),
            "" if cycles is None else str(cycles),
            _off(row["cycles"], cycles),
            str(row["interval"]),
            str(interval),
            _off(row["interval"], interval),
            f"{row['dsp']:,}",
            f"{row['lut']:,}",
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
