"""The table of hls4ml projects: read or refused and why, identical with their own C++ or not.

    python benchmarks/projects.py FOLDER... [--jets N] [--no-build] [--unknown cpp] [--seconds S] [--json]

Every hls4ml project below the FOLDERs is read; what reads is compared with its C++ (g++), layer by layer, on made-up
inputs. With --no-build nothing is compiled and the table tells what reads. With --unknown cpp functions that are not
known run as the project's own C++, and the table counts projects of which all is known, those with such layers, those
whose C++ does not compile, and those whose files are not all there. With --seconds each project has a process of its
own, which is ended after so long. Exit code 1 if a project differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

import l1emu
from l1emu.errors import L1emuError
from l1emu.files import sha256_file
from l1emu.firmware.graph import own_cpp
from l1emu.progress import progress

_FAILURES = {
    "no C++ to compare with": (
        *("not found", "no such file", "no folder", "wrong count of weights", "does not exist", "never closed"),
        *("doesn't exist", "cannot load its weights"),
    ),
    "another backend": ("this backend is not supported", "these are sources for the backend"),
    "does not compile": ("does not compile",),
    "its C++ stops": ("the c simulation failed", "the project's c++ failed", "own c++ of this layer failed"),
}
"""What an error says where a project cannot be compared, by the outcome; the first that fits counts."""


@dataclass(frozen=True)
class Row:
    """One project.

    `outcome` is read, refused, identical, differing, the same as another, or one of `_FAILURES`, and `detail` says why,
    or how much; where functions that are not known are compiled, identical says whether there are any.
    """

    project: str
    outcome: str
    detail: str
    layers: int = 0
    values: int = 0


def projects(folders: list[Path]) -> list[Path]:
    """The project folders below `folders`, each with firmware/parameters.h and firmware/defines.h."""
    found = {header.parents[1] for folder in folders for header in folder.rglob("firmware/parameters.h")}
    return sorted(path for path in found if (path / "firmware" / "defines.h").is_file())


def check(project: Path, jets: int, *, build: bool, unknown: str = "refuse") -> Row:
    """Read one project and compare it with its C++."""
    try:
        firmware = l1emu.Firmware.read(project, unknown=unknown)
    except L1emuError as error:
        return Row(str(project), "refused" if unknown == "refuse" else _failed(error), _reason(error, project))
    layers = len(firmware.layers)
    if not build:
        return Row(str(project), "read", "", layers)
    try:
        found = l1emu.verify(project, jets=jets, firmware=firmware, optimization="-O0")
    except L1emuError as error:
        return Row(str(project), _failed(error), _reason(error, project), layers)
    own = own_cpp(firmware)
    detail = f"{found}; {len(own)} as C++: {', '.join(own.values())}" if own else str(found)
    if not found.identical:
        outcome = "differing"
    elif unknown == "refuse":
        outcome = "identical"
    else:
        outcome = "identical, with C++ layers" if own else "identical, known"
    return Row(str(project), outcome, detail, layers, found.values)


def digest(project: Path) -> str:
    """What is equal for projects of the same sources and weights."""
    folder = project / "firmware"
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".h", ".hpp", ".cpp", ".txt"))
    found = hashlib.sha256()
    for path in files:
        found.update(f"{path.relative_to(folder)} {sha256_file(path)}\n".encode())
    return found.hexdigest()


def check_within(project: Path, options: argparse.Namespace) -> Row:
    """As `check`, in a process of its own that is ended after `options.seconds`, with its compiler."""
    command = [sys.executable, __file__, str(project), "--one", "--json", "--jets", str(options.jets)]
    command += ["--unknown", options.unknown, *(["--no-build"] if options.no_build else [])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    try:
        said, _ = process.communicate(timeout=options.seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return Row(str(project), "not done in time", f"more than {options.seconds:g} s")
    return Row(**json.loads(said)[0]) if said else Row(str(project), "failed", f"exit code {process.returncode}")


def _failed(error: L1emuError) -> str:
    """Why a project cannot be compared with its C++."""
    said = str(error).lower()
    return next((outcome for outcome, words in _FAILURES.items() if any(word in said for word in words)), "refused")


def _reason(error: L1emuError, project: Path) -> str:
    """The error without the project's own folder, so that equal reasons read the same."""
    return str(error).replace(f"{project}/", "")


def table(rows: list[Row]) -> Table:
    """The projects for people; those of one folder with one outcome and detail on one line."""
    drawn = Table(title=", ".join(f"{n} {outcome}" for outcome, n in Counter(r.outcome for r in rows).most_common()))
    for column in ("projects", "outcome", "detail"):
        drawn.add_column(column, overflow="fold")
    groups: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        path = Path(row.project)
        groups.setdefault((str(path.parent), row.outcome, row.detail), []).append(path.name)
    for (parent, outcome, detail), names in groups.items():
        shown = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
        drawn.add_row(f"{parent}/{shown}", outcome, detail)
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="where to look for projects")
    parser.add_argument("--jets", type=int, default=100, help="made-up jets to compare")
    parser.add_argument("--no-build", action="store_true", help="only read")
    parser.add_argument("--unknown", choices=("refuse", "cpp"), default="refuse", help="as for l1emu emulate")
    parser.add_argument("--seconds", type=float, help="how long a project may take")
    parser.add_argument(
        "--one", action="store_true", help="the FOLDERs are projects, and none below them is looked for"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    paths = options.folders if options.one else projects(options.folders)
    if not paths:
        sys.exit(f"benchmark: no hls4ml project below {', '.join(map(str, options.folders))}")
    rows: list[Row] = []
    first: dict[str, Path] = {}
    with progress("projects", len(paths)) as advance:
        for path in paths:
            if (same := first.setdefault(digest(path), path)) != path:
                rows.append(Row(str(path), "the same as another", str(same)))
            elif options.seconds is None:
                rows.append(check(path, options.jets, build=not options.no_build, unknown=options.unknown))
            else:
                rows.append(check_within(path, options))
            advance(1)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        Console().print(table(rows))
    if any(row.outcome == "differing" for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
