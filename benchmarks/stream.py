"""The stream: crossings a second of both engines in one run, a second of LHC, and what is lost with 1 to 8 copies.

    python benchmarks/stream.py [--topology cms-phase2] [--orbits 11245] [--simpy-orbits 4]

The tagger is the topology's own (for cms-phase2 the default tagger); crossings bring Poisson
jets and 500 kHz of accepts.
"""

from __future__ import annotations

import argparse
import time

from rich.console import Console
from rich.table import Table

from l1emu.resources import resource
from l1emu.stream import CrossingSource, hl_lhc, read_topology, simulate
from l1emu.stream.exact import OverloadError, exact_loss


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--topology", default="cms-phase2", help="name of a shipped topology")
    parser.add_argument("--orbits", type=int, default=11245, help="orbits for the kernel; 11245 are a second")
    parser.add_argument("--simpy-orbits", type=int, default=4, help="orbits for SimPy")
    parser.add_argument("--mean-jets", type=float, default=6.0, help="mean jets of a colliding crossing")
    options = parser.parse_args()
    out = Console(width=118)
    topology = read_topology(resource(f"budgets/{options.topology}.topology.yaml"))
    rate_khz = hl_lhc().normalisation.colliding_rate_hz / 1e3
    source = CrossingSource.poisson(options.mean_jets, 500 / rate_khz)
    simulate(topology, source, orbits=1)  # compiled, or read from numba's cache

    speeds = Table(title=f"{topology.name}: one core", title_justify="left")
    for column in ("engine", "orbits", "colliding crossings", "jets", "seconds", "crossings/s", "digest"):
        speeds.add_column(column, justify="left" if column == "engine" else "right")
    rates = {}
    for engine, orbits in (
        ("simpy", options.simpy_orbits),
        ("kernel", options.simpy_orbits),
        ("kernel", options.orbits),
    ):
        started = time.perf_counter()
        result = simulate(topology, source, orbits=orbits, engine=engine)
        seconds = time.perf_counter() - started
        rates[engine] = result.colliding / seconds
        numbers = (f"{orbits:,}", f"{result.colliding:,}", f"{result.jets['found']:,}", f"{seconds:.2f}")
        speeds.add_row(engine, *numbers, f"{rates[engine]:,.0f}", result.digest)
    out.print(speeds)
    out.print(f"kernel / SimPy: {rates['kernel'] / rates['simpy']:,.0f}")

    losses = Table(title="Loss by tagger copies a board", title_justify="left")
    for column in (
        "copies",
        "jet lost, exact",
        "jet lost, simulated",
        "accept lost, exact",
        "late, exact",
        "most waiting",
    ):
        losses.add_column(column, justify="right")
    losses.add_column("longest, ns", justify="right")
    for copies in range(1, 9):
        found = simulate(topology, source, orbits=500, copies=copies)
        lost = found.jets["buffer full"] / (found.jets["tagged"] + found.jets["buffer full"])
        try:
            e = exact_loss(topology, source, copies=copies)
            exact = (f"{e.jet_loss:.3g}", f"{e.accept_loss:.3g}", "-" if e.late is None else f"{e.late:.3g}")
        except OverloadError:
            exact = ("does not keep up",) * 3
        waiting, longest = found.occupancy_max["tagger queue"], found.latency.max
        losses.add_row(str(copies), exact[0], f"{lost:.3g}", exact[1], exact[2], str(waiting), f"{longest:.1f}")
    out.print(losses)


if __name__ == "__main__":
    main()
