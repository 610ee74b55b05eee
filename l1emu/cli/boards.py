"""`l1emu estimate` of a network over several boards: of a partition that is given, or of one that is searched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from l1emu.cli.options import called, console, print_json
from l1emu.errors import L1emuError
from l1emu.files import write_aside
from l1emu.latency.estimate import CutGoal, Design, Proposal, estimate_boards, propose
from l1emu.latency.limits import MOST_COPIES
from l1emu.latency.partition import MOST_BOARDS, MOST_LANES, BoardLink, partition_text, read_partition
from l1emu.outputs import figure_stem
from l1emu.result_files import held_to_schema
from l1emu.results_of_estimate import ESTIMATE_VERSION, BoardsResults

_GBPS, _LATENCY_NS = 25.0, 150.0
_SOURCES = (
    "links at 25 Gb/s: CMS's Phase-2 boards (JINST 18 C01034; more than 100 a board: indico.global 6805/58400)",
    "given on the command line",
)
_LATENCY_SOURCES = (
    "150 ns for serialisation, fibre and alignment: 54 cycles at 360 MHz, as in the topology of CMS; a choice of l1emu",
    "its latency is given on the command line",
)

PartitionFileOption = Annotated[
    Path | None, typer.Option("--partition", metavar="FILE", help="The layers on several boards, in YAML.")
]
BoardsOption = Annotated[
    int | None,
    typer.Option("--boards", metavar="N", help="Search the fastest cut into so many boards in a row; see --link-gbps."),
]
LinkGbpsOption = Annotated[
    float | None,
    typer.Option(
        "--link-gbps",
        metavar="GBPS",
        help="Search the fastest cut into --boards, or into the fewest, with links of this rate a lane; 25 by default.",
    ),
]
LinkLatencyOption = Annotated[
    float | None,
    typer.Option("--link-latency", metavar="NS", help="With a search: latency of a link in ns; 150 by default."),
]
LanesOption = Annotated[
    int | None,
    typer.Option("--lanes", metavar="N", help="With a search: lanes of a link; by default the fewest that keep up."),
]
FillOption = Annotated[
    float | None,
    typer.Option("--fill", metavar="SHARE", help="With a search: the share of a part that may be taken; 1 by default."),
]
BoardsFigureOption = Annotated[
    Path | None,
    typer.Option("--figure", metavar="FILE", help="With several boards: draw them: FILE.png and FILE.pdf."),
]


@dataclass(frozen=True)
class BoardsAsked:
    """What the command line says of boards; None is what it does not."""

    partition: Path | None = None
    boards: int | None = None
    gbps: float | None = None
    latency_ns: float | None = None
    lanes: int | None = None
    fill: float | None = None
    figure: Path | None = None

    @property
    def searched(self) -> bool:
        """Whether a cut is to be searched."""
        return self.boards is not None or self.gbps is not None

    @property
    def several(self) -> bool:
        """Whether the network is to be estimated over several boards."""
        return self.partition is not None or self.searched

    def check(self, *, scanning: bool) -> None:
        """Refuse options that do not go together, and numbers that no board has; `scanning` is what --scan says.

        Raises
        ------
        L1emuError
            at the first of them.
        """
        if self.several and scanning:
            raise L1emuError("--scan of several boards", expected="one of the two")
        if self.partition is not None and self.searched:
            raise L1emuError("--partition and a search at once", expected="--partition, or --boards and --link-gbps")
        searching = (("--link-latency", self.latency_ns), ("--lanes", self.lanes), ("--fill", self.fill))
        for option, value in searching:
            if value is not None and not self.searched:
                raise L1emuError(f"{option} without a search", expected="--boards or --link-gbps")
        if self.figure is not None and not self.several:
            raise L1emuError("--figure of one board", expected="--partition, --boards or --link-gbps")
        limits = (
            ("--boards", self.boards, 1, MOST_BOARDS),
            ("--link-gbps", self.gbps, 0.001, 10_000),
            ("--link-latency", self.latency_ns, 0, 1e6),
            ("--lanes", self.lanes, 1, MOST_LANES),
            ("--fill", self.fill, 0.01, 1),
        )
        for option, value, low, high in limits:
            if value is not None and not low <= value <= high:
                raise L1emuError("wrong value", where=option, value=value, expected=f"{low:g} to {high:g}")

    def link(self) -> BoardLink:
        """The links of a search; both boards stand for any."""
        given = (
            f"{_SOURCES[self.gbps is not None and self.gbps != _GBPS]}; "
            f"{_LATENCY_SOURCES[self.latency_ns is not None and self.latency_ns != _LATENCY_NS]}"
        )
        return BoardLink.model_validate(
            {
                "from": "one board",
                "to": "the next",
                "gbps": float(_GBPS if self.gbps is None else self.gbps),
                "latency_ns": float(_LATENCY_NS if self.latency_ns is None else self.latency_ns),
                "source": given,
                "status": "unverified",
            }
        )


def estimate_network(
    path: Path, design: Design, asked: BoardsAsked, steering: dict[str, Any], copies: int | None, output: Path | None
) -> dict[str, Any]:
    """The document of a network over several boards; a searched partition is written to `output`, if there is one.

    Parameters
    ----------
    path
        Of the project or the firmware, which names a searched partition.
    steering
        The keywords of `l1emu.latency.estimate.estimate`.

    Raises
    ------
    L1emuError
        as `estimate_boards` and `propose` do.
    """
    number = 1 if copies is None else copies
    if not 1 <= number <= MOST_COPIES:
        raise L1emuError("wrong value", where="--copies", value=copies, expected=f"1 to {MOST_COPIES:,}")
    stem = None if asked.figure is None else figure_stem(asked.figure)
    proposal: Proposal | None = None
    if asked.partition is None:
        wanted = CutGoal(
            boards=asked.boards,
            link=asked.link(),
            lanes=asked.lanes,
            fill=1.0 if asked.fill is None else asked.fill,
            copies=number,
        )
        proposal = propose(design, wanted, name=f"{called(path)} over boards", **steering)
        partition = proposal.partition
        found = estimate_boards(design, partition, copies=number, **steering)
    else:
        partition = read_partition(asked.partition)
        try:
            found = estimate_boards(design, partition, copies=number, **steering)
        except L1emuError as error:
            raise error.within(asked.partition) from None
    document = {"version": ESTIMATE_VERSION} | found.as_dict()
    if proposal is not None:
        document |= {"exact": proposal.exact, "sets": proposal.sets, "fill": 1.0 if asked.fill is None else asked.fill}
    document = held_to_schema(BoardsResults, document)
    if output is not None:
        with write_aside(output) as aside:
            aside.write_text(partition_text(partition), encoding="utf-8")
    if stem is not None:
        from l1emu.report.boards import draw_boards  # matplotlib is slow to load
        from l1emu.report.figures import save

        save(draw_boards, document, stem)
    return document


def show_network(document: dict[str, Any], output: Path | None) -> None:
    """Print a network over several boards."""
    out = console()
    cycles, period = document["latency_cycles"], document["clock_target_ns"]
    low, high = document["bands"]["latency_cycles"]
    out.print(
        Text(
            f"{document['name']}: {document['top']} on {len(document['boards'])} boards, {document['copies']} "
            f"{'copy' if document['copies'] == 1 else 'copies'}\n"
            f"latency {cycles} cycles, {cycles * period:.1f} ns (band {low} to {high}), {document['links_cycles']} of "
            f"them for the links: {document['single_board_cycles']} on one board; interval "
            f"{document['interval_cycles']} cycles"
        )
    )
    out.print(_boards_table(document))
    if document["links"]:
        out.print(_links_table(document))
    if "exact" in document:
        kind = "no cut into boards in a row is faster" if document["exact"] else "the best along the order of the calls"
        out.print(Text(f"{kind}; {document['sets']} sets of layers were gone through"))
    for problem in document["problems"]:
        out.print(Text("note  ", style="yellow").append(problem))
    if output is not None:
        out.print(f"written to {output.resolve()}", soft_wrap=True, markup=False)


def _boards_table(document: dict[str, Any]) -> Table:
    """The boards with their layers and what they take of the part, behind C synthesis."""
    table = Table(title="boards", title_justify="left")
    for name in ("board", "part", "layers", "from", "until", "DSP", "LUT", "FF", "BRAM", "fits"):
        table.add_column(name, justify="left" if name in ("board", "part", "layers", "fits") else "right")
    for board in document["boards"]:
        layers = board["layers"]
        shown = layers[0] if len(layers) == 1 else f"{layers[0]} … {layers[-1]} ({len(layers)})"
        table.add_row(
            Text(board["name"]),
            Text(board["part"].split("-")[0]),
            Text(shown),
            str(board["begin"]),
            str(board["end"]),
            *(_taken(board, name, document["copies"]) for name in ("DSP", "LUT", "FF", "BRAM_18K")),
            board["fits"] or "not known",
        )
    return table


def _taken(board: dict[str, Any], name: str, copies: int) -> str:
    number = board["implemented"][name]["typical"] * copies
    offered = (board["available"] or {}).get(name)
    return f"{number:,} ({100 * number / offered:.0f} %)" if offered else f"{number:,}"


def _links_table(document: dict[str, Any]) -> Table:
    table = Table(title="links, for each copy", title_justify="left")
    for name in ("from", "to", "Gb/s", "tensors", "words", "cycles", "of the interval", "latency"):
        table.add_column(name, justify="left" if name in ("from", "to") else "right")
    for link in document["links"]:
        rate = "infinite" if link["gbps"] is None else f"{link['lanes']} x {link['gbps']:g}"
        table.add_row(
            Text(link["from"]),
            Text(link["to"]),
            rate,
            str(len(link["messages"])),
            f"{link['words']:,}",
            str(link["turn_cycles"]),
            f"{100 * link['share']:.0f} %",
            f"{link['latency_cycles']} cycles",
        )
    return table


def print_network(document: dict[str, Any], output: Path | None, *, json: bool) -> None:
    """Print a network over several boards, as JSON or to be read."""
    if json:
        print_json(document)
    else:
        show_network(document, output)
