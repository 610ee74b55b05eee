"""Projects with functions that run as their own C++ (`unknown="cpp"`), beside their whole C simulation.

    python benchmarks/own_cpp.py PROJECT... [--jets N] [--rounds R]

Both are compiled with -O3. CPU time of all processes, in turn on the same jets, medians with quartiles; the outputs of
both are compared first. Also the time on the clock of two threads against one.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from cputime import Measured, Spread, in_turn
from emulator import inputs
from rich.console import Console
from rich.table import Table

from l1emu import Emulator, Firmware
from l1emu.firmware.graph import own_cpp
from l1emu.verification.csim import CSim

SIMULATION = "C simulation"
_LEAST = 0.5  # seconds that are measured at once
OWN = {threads: f"own C++, {threads} thread{'s' * (threads > 1)}" for threads in (1, 2)}


def processes() -> dict[int, int]:
    """The parents of all processes that run, by number."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            found[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (ValueError, OSError):
            continue
    return found


def seconds() -> dict[int, float]:
    """CPU time of this process and of all below it, by number."""
    parents, mine = processes(), {os.getpid()}
    while more := {number for number, parent in parents.items() if parent in mine} - mine:
        mine |= more
    spent = {}
    for number in mine:
        tasks = list(Path(f"/proc/{number}/task").glob("*/schedstat"))
        spent[number] = sum(int(task.read_text().split()[0]) for task in tasks) * 1e-9
    return spent


def with_children(jets: int, run: Callable[[], object]) -> Measured:
    """CPU seconds a jet, in all threads and processes; looking for these is a small part of it."""
    run()
    repeats = max(1, int(_LEAST / on_the_clock(run)))

    def measure() -> float:
        before = seconds()
        for _ in range(repeats):
            run()
        spent = sum(spent - before.get(number, 0.0) for number, spent in seconds().items())
        return spent / (repeats * jets)

    return measure


def on_the_clock(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def row(project: Path, jets: int, rounds: int) -> list[str]:
    firmware = Firmware.read(project, unknown="cpp")
    x = inputs(firmware, jets)
    emulators = {threads: Emulator(firmware, threads=threads) for threads in OWN}
    simulation = CSim(project, firmware=firmware, optimization="-O3")
    simulated = simulation.run(x)
    found = emulators[1](x)
    outputs = found if isinstance(found, dict) else {firmware.outputs[0].name: found}
    if not all(np.array_equal(outputs[t.name], simulated[t.name].reshape(jets, *t.shape)) for t in firmware.outputs):
        raise SystemExit(f"benchmark: {project}: the outputs differ from the C simulation's")

    def of_simulation() -> float:
        simulation.run(x)
        return 1 / simulation.jets_per_second

    programs = {SIMULATION: of_simulation}
    programs |= {OWN[n]: with_children(jets, lambda e=one: e(x)) for n, one in emulators.items()}  # type: ignore[misc]
    timed = in_turn(programs, SIMULATION, rounds)
    walls = [[on_the_clock(lambda e=one: e(x)) for one in emulators.values()] for _ in range(rounds)]  # type: ignore[misc]
    faster = Spread.of([one / two for one, two in walls])
    cells = [project.name, ", ".join(dict.fromkeys(own_cpp(firmware).values())), f"{jets:,}"]
    cells.append(f"{timed[SIMULATION].seconds.median * 1e9:,.0f}")
    for name in OWN.values():
        ratio = timed[name].ratio
        assert ratio is not None
        took = timed[name].seconds.median * 1e9
        cells.append(f"{took:,.0f}: {ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f}) x")
    return [*cells, f"{faster.median:.2f} ({faster.low:.2f} to {faster.high:.2f})"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("projects", nargs="+", type=Path, metavar="PROJECT")
    parser.add_argument("--jets", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    table = Table(title="ns of CPU a jet, and the C simulation's in the same round over it")
    for column in ("project", "C++", "jets", SIMULATION, *OWN.values(), "two threads on the clock"):
        table.add_column(column)
    for project in options.projects:
        table.add_row(*row(project, options.jets, options.rounds))
    Console().print(table)


if __name__ == "__main__":
    main()
