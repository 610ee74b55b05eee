"""A second of LHC through tagger, seed and stream: wall time, stage by stage.

    python benchmarks/line_rate.py [--target simd|cuda] [--orbits 11245] [--batch 100] [--json FILE] [STUDY]

Crossings are drawn of the study's background (the embedded study's by default). For every pair of bunches that collides
all jets go through the tagger, the study's seed decides with their scores, and the stream takes the crossings. Each
decision is compared with that by the target simd. With the target cuda the jets' inputs lie on the GPU.
"""

from __future__ import annotations

import argparse
import json
import resource as process
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from l1emu.errors import L1emuError
from l1emu.progress import progress
from l1emu.stream.beam import ORBIT_SLOTS
from l1emu.study.config import read_study
from l1emu.study.line_rate import BATCH_ORBITS, CrossingsAtLineRate


def at_line_rate(
    study: Path | None, target: str, orbits: int, batch: int = BATCH_ORBITS, crossings: int | None = None
) -> dict[str, Any]:
    """A run, and how long it took; what is compiled or read before is not counted."""
    begin = time.perf_counter()
    chain = CrossingsAtLineRate(read_study(study), target, crossings)
    chain.run(min(batch, orbits), batch=batch)  # compiled, or read from the cache
    ready = time.perf_counter() - begin
    with progress("orbits", orbits) as advance:
        found = chain.run(orbits, batch=batch, progress=advance)
    result = found.result
    return {
        "study": chain.name,
        "target": target,
        "seed": chain.seed.name,
        "orbits": orbits,
        "crossings": orbits * ORBIT_SLOTS,
        "colliding": result.colliding,
        "jets": found.jets,
        "differing": found.differing,
        "accepts_in_khz": result.rate_khz(result.triggered),
        "late": result.late,
        "digest": result.digest,
        "seconds": dict(found.seconds),
        "ready_s": ready,
        "memory_gb": process.getrusage(process.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def show(found: dict[str, Any]) -> None:
    """Print the table."""
    title = f"{found['study']}: {found['orbits']:,} orbits, target {found['target']}"
    table = Table(title=title, title_justify="left")
    for name in ("stage", "seconds", "crossings/s", "jets/s"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    for name, seconds in found["seconds"].items():
        rates = (found["colliding"] / seconds, found["jets"] / seconds)
        table.add_row(name, f"{seconds:.2f}", *(f"{rate:,.0f}" for rate in rates))
    out = Console(width=118)
    out.print(table)
    share = found["orbits"] / 11245.5 / found["seconds"]["all"]
    out.print(
        f"{found['crossings']:,} crossings, {found['colliding']:,} of them colliding, with {found['jets']:,} jets in "
        f"{found['seconds']['all']:.1f} s: {share:.3g} x the LHC's rate; {found['differing']:,} decisions of "
        f"{found['seed']!r} differ from those by simd; {found['accepts_in_khz']:.1f} kHz in, {found['late']} late, "
        f"digest {found['digest']}; {found['memory_gb']:.2f} GB at most, {found['ready_s']:.0f} s to read and compile"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="?", type=Path)
    parser.add_argument("--target", default="simd", choices=("simd", "portable", "exact", "cuda"))
    parser.add_argument("--orbits", type=int, default=11245, help="11245 are a second")
    parser.add_argument("--batch", type=int, default=BATCH_ORBITS, help="orbits in memory at a time")
    parser.add_argument("--crossings", type=int, help="of the background are read; all by default")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    try:
        found = at_line_rate(asked.study, asked.target, asked.orbits, asked.batch, asked.crossings)
    except L1emuError as error:
        sys.exit(f"benchmark: {error}")
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=1))
    show(found)


if __name__ == "__main__":
    main()
