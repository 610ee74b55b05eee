"""`l1emu emulate`: a firmware on a file of inputs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table
from rich.text import Text

from l1emu.cli.arrays import read_arrays
from l1emu.cli.options import Json, Unknown, console, entry_range, listed, print_json
from l1emu.emulator import Emulator
from l1emu.emulator.explain import Explanation
from l1emu.emulator.results import dtype_of_outputs
from l1emu.emulator.value_ranges import ValueRanges, value_ranges
from l1emu.errors import L1emuError
from l1emu.files import folder_aside, write_aside, write_json
from l1emu.firmware import Firmware
from l1emu.firmware.graph import own_cpp
from l1emu.outputs import refuse_to_replace
from l1emu.progress import progress
from l1emu.remote import RemotePath, as_path
from l1emu.resources import firmware_file

_Arrays = dict[str, NDArray[Any]]
_Columns = Annotated[
    str | None,
    typer.Option(
        help="Inputs are these fields of a file of jets (see `l1emu events`), with commas between.", metavar="NAME,..."
    ),
]
_Missing = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE", help="For ntuples without z0 or dxy: z0=0, the value in cm of all charged candidates."
    ),
]
_Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write the outputs to this .npz, one array an output.")
]
_Tree = Annotated[
    str | None, typer.Option(metavar="FOLDER/TREE", help="The tree of ROOT files, if it is not the format's own.")
]

_RangesFolder = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Count what each layer assigns to its types, how much of it overflows and is rounded: figure, CSV, JSON.",
    ),
]
_RANGES = "ranges.json"

_Dtype = Annotated[
    str | None,
    typer.Option(
        metavar="TYPE",
        help="Of the outputs: float32 or float64 for values, int8 to int64 or uint8 to uint64 for raw ones.",
    ),
]

_Inputs = Annotated[
    str | None,
    typer.Argument(
        help="Inputs: .npy, or .npz with one array an input, by its name; or crossings in ROOT, also behind a URL."
    ),
]

_Explain = Annotated[
    bool, typer.Option("--explain", help="Print widths, proof, arithmetic and, with inputs, time of each layer.")
]

_Source = Annotated[
    bool, typer.Option("--module", help="With --explain: print the module that is generated for the firmware.")
]


def emulate(
    firmware: Annotated[
        Path, typer.Argument(help="An hls4ml project folder, a saved firmware file, or the name of a model of l1emu.")
    ],
    inputs: _Inputs = None,
    output: _Output = None,
    explain: _Explain = False,
    source: _Source = False,
    columns: _Columns = None,
    entries: Annotated[str | None, typer.Option(metavar="A:B", help="With --columns: a range of jets.")] = None,
    missing: _Missing = None,
    tree: _Tree = None,
    raw: Annotated[bool, typer.Option("--raw", help="Inputs and outputs are raw integers.")] = False,
    dtype: _Dtype = None,
    ranges: _RangesFolder = None,
    threads: Annotated[int | None, typer.Option(help="Threads to use; by default one a core.")] = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="simd|portable|exact|cuda",
            help="simd (the best here), portable, exact, or cuda (NVIDIA GPUs; none has run it yet): the same bits.",
        ),
    ] = None,
    unknown: Unknown = "refuse",
    as_json: Json = False,
) -> None:
    """Emulate a firmware on jets, bit for bit.

    With --unknown cpp functions that are not known run as the project's own C++, in a process with limits that is no
    sandbox: every project is emulated whose C++ compiles. --explain shows c++ as their arithmetic.
    """
    _check(inputs, output, ranges, explain=explain, source=source)
    emulator = Emulator(Firmware.read(firmware_file(firmware), unknown=unknown), threads=threads, target=target)
    if dtype is not None:
        dtype_of_outputs(dtype, emulator.firmware.outputs, "--dtype")
    document: dict[str, Any] = {
        "firmware": {"name": emulator.firmware.name, "content_hash": emulator.firmware.content_hash},
        "target": emulator.target,
        "own_cpp": own_cpp(emulator.firmware),
    }
    arrays: _Arrays | None = None
    made: _Arrays = {}
    path = None if inputs is None else as_path(inputs)
    if path is not None:
        if raw and (columns is not None or path.suffix == ".root"):
            raise L1emuError("events are no raw integers", path=path, where="--raw", expected=".npy or .npz")
        arrays, made = _read(path, emulator.firmware, columns, entries, missing, tree)
    if explain:
        explanation = _explained(emulator, path, arrays)
        document["explain"] = explanation.to_dict()
        if source:
            document["source"] = emulator.source()
        if not as_json:
            console().print(explanation.table())
            print(document.get("source", ""), end="")
    if path is not None and arrays is not None:
        document |= _emulated(emulator, path, arrays, made, output, raw=raw, dtype=dtype)
        if not as_json:
            _print(document)
        if ranges is not None:
            document["ranges"] = _count_ranges(emulator, path, arrays, ranges, raw=raw, show=not as_json)
    if as_json:
        print_json(document)


def _check(inputs: str | None, output: Path | None, ranges: Path | None, *, explain: bool, source: bool) -> None:
    """Refuse options that do not go together."""
    if ranges is not None:
        if inputs is None:
            raise L1emuError("there is nothing to count without inputs", where="--ranges", expected="a file of inputs")
        refuse_to_replace(ranges, _RANGES)
    if inputs is None and not explain:
        raise L1emuError("nothing to do", expected="a file of inputs, or --explain")
    if source and not explain:
        raise L1emuError("a module's source is shown with its explanation", where="--module", expected="--explain too")
    if output is not None and output.suffix != ".npz":
        raise L1emuError("outputs are written as .npz", path=output, value=output.suffix)


def _read(
    inputs: Path,
    firmware: Firmware,
    columns: str | None,
    entries: str | None,
    missing: list[str] | None,
    tree: str | None,
) -> tuple[_Arrays, _Arrays]:
    """The firmware's inputs in a file, and what is written beside its outputs."""
    if columns is not None:
        from l1emu.cli.source_inputs import fields_of_jets  # it loads the readers of events

        return fields_of_jets(inputs, firmware, listed(columns, where="--columns"), entry_range(entries), tree)
    if inputs.suffix == ".root":
        from l1emu.cli.source_inputs import jets_of_crossings, values_for_missing

        return jets_of_crossings(inputs, firmware, values_for_missing(missing or []), tree)
    if isinstance(inputs, RemotePath):
        raise L1emuError(
            "arrays are not read from a URL", path=inputs, expected="a .npy or .npz here, or events in ROOT"
        )
    return read_arrays(inputs, firmware.inputs), {}


def _explained(emulator: Emulator, inputs: Path | None, arrays: _Arrays | None) -> Explanation:
    try:
        return emulator.explain(arrays)
    except L1emuError as error:
        raise (error.within(inputs) if inputs else error) from None


def _emulated(
    emulator: Emulator,
    inputs: Path,
    arrays: _Arrays,
    made: _Arrays,
    output: Path | None,
    *,
    raw: bool,
    dtype: str | None,
) -> dict[str, Any]:
    """What is told of the emulation; its outputs are written."""
    begin = time.perf_counter()
    try:
        found = emulator.raw(arrays, dtype=dtype) if raw else emulator(arrays, dtype=dtype)
    except L1emuError as error:
        raise error.within(inputs) from None
    seconds = time.perf_counter() - begin
    outputs = emulator.by_name(found)
    if output is not None:
        with write_aside(output) as aside:
            np.savez(aside, **outputs, **made)
    return {
        "jets": len(next(iter(outputs.values()))),
        "seconds": seconds,
        "outputs": {name: _summary(values) for name, values in outputs.items()},
        "output": None if output is None else str(output),
    }


def _count_ranges(
    emulator: Emulator, inputs: Path, arrays: _Arrays, folder: Path, *, raw: bool, show: bool
) -> dict[str, Any]:
    """What is assigned to each type, written into a folder."""
    from l1emu.report.ranges import save_ranges  # it loads matplotlib

    with progress("counting ranges", len(next(iter(arrays.values())))) as advance:
        try:
            counted = value_ranges(emulator, arrays, raw=raw, advance=advance)
        except L1emuError as error:
            raise error.within(inputs) from None
    with folder_aside(folder) as aside:
        document = counted.to_dict()
        write_json(aside / _RANGES, document)
        counted.table().to_csv(aside / "ranges.csv", index=False)
        save_ranges(document, aside)
    if show:
        _print_ranges(counted, folder)
    return document


def _print_ranges(counted: ValueRanges, folder: Path) -> None:
    """The types to which something is assigned that does not fit."""
    table = Table(box=None, padding=(0, 1, 0, 0))
    for name in ("layer", "", "type"):
        table.add_column(name, overflow="fold")
    for name in ("values", "overflow", "rounded", "to 0", "lowest", "highest", "bits before the point"):
        table.add_column(name, justify="right")
    losing = [row for row in counted.rows if row.overflow or row.to_zero]
    for row in losing:
        shares = [f"{100 * (count or 0) / row.values:.3g} %" for count in (row.overflow, row.rounded, row.to_zero)]
        needed = f"{row.lowest:.4g}", f"{row.highest:.4g}", str(row.integer_bits)
        table.add_row(Text(row.layer), row.what, Text(row.type), f"{row.values:,}", *shares, *needed)
    if losing:
        console().print(table)
    else:
        console().print("nothing overflows, and nothing but 0 becomes 0", highlight=False)
    console().print(Text(f"of {len(counted.rows)} types; all are in {folder}"))


def _summary(values: NDArray[Any]) -> dict[str, Any]:
    shape = list(values.shape)
    if not values.size:
        return {"shape": shape}
    return {
        "shape": shape,
        "min": values.min(axis=0).tolist(),
        "max": values.max(axis=0).tolist(),
        "mean": values.mean(axis=0).tolist(),
    }


def _print(document: dict[str, Any]) -> None:
    rate = f" ({document['jets'] / document['seconds']:,.0f} a second)" if document["jets"] else ""
    console().print(f"{document['jets']} jets in {document['seconds']:.3f} s{rate}, compilation included")
    for name, summary in document["outputs"].items():
        console().print(f"{name}: shape {tuple(summary['shape'])}, mean {summary.get('mean')}")
    if document["output"]:
        console().print(f"written to {document['output']}")
