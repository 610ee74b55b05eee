"""What the emulator knows and does, layer by layer, as a table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from io import StringIO
from typing import Any

from rich.console import Console
from rich.table import Table

from l1emu.emulator.interval import LayerRange, Ranges
from l1emu.emulator.kinds import KINDS
from l1emu.firmware import Firmware
from l1emu.notebook import html_rows


@dataclass(frozen=True)
class LayerExplanation:
    """One layer of `Explanation`.

    Attributes
    ----------
    layer, kind
        Name and kind of the layer.
    inputs, output
        Types of the tensors that go in and come out, in the spelling of C++.
    accumulator
        Type of the sums, or None.
    accumulator_range
        Lowest and highest raw value that a sum can reach, or None.
    output_range
        Lowest and highest raw value of the output.
    proof
        What is proven of the layer's sums.
    arithmetic
        The integers that the kernel computes with.
    macs
        Multiply-accumulate operations a jet.
    ns
        Nanoseconds a jet on one core; None if not measured, or if the layer is done together with another one.
    """

    layer: str
    kind: str
    inputs: tuple[str, ...]
    output: str
    accumulator: str | None
    accumulator_range: tuple[int, int] | None
    output_range: tuple[int, int]
    proof: str
    arithmetic: str
    macs: int
    ns: float | None


@dataclass(frozen=True, repr=False)
class Explanation:
    """The table that `Emulator.explain` gives; printing it draws the table."""

    rows: tuple[LayerExplanation, ...]
    other_ns: float | None = None
    """Loading the inputs and storing the outputs, ns a jet; None if not measured."""
    kernel: str | None = None
    """With the target cuda: what the kernel takes of a multiprocessor, and what limits how many jets are at work."""

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations a jet, of dense and recurrent layers and einsums."""
        return sum(row.macs for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "macs": self.macs,
            "other_ns": self.other_ns,
            "kernel": self.kernel,
            "layers": [asdict(row) for row in self.rows],
        }

    def table(self) -> Table:
        """The table for a rich console."""
        table = Table(title=f"{self.macs} multiply-accumulates a jet")
        for column in ("layer", "kind", "output", "accumulator", "sums", "proof", "arithmetic"):
            table.add_column(column, overflow="fold")
        table.add_column("MACs", justify="right")
        if self.other_ns is not None:
            table.add_column("ns/jet", justify="right")
        for row in self.rows:
            table.add_row(*self._cells(row))
        if self.other_ns is not None:
            total = self.other_ns + sum(row.ns or 0.0 for row in self.rows)
            where = "one core" if self.kernel is None else "a full GPU"
            digits = 0 if self.kernel is None else 3
            table.caption = (
                f"{total:.{digits}f} ns a jet on {where}, {self.other_ns:.{digits}f} of them loading and storing"
            )
        if self.kernel is not None:
            table.caption = f"{table.caption}\n{self.kernel}" if table.caption else self.kernel
        return table

    def __repr__(self) -> str:
        return f"<Explanation of {len(self.rows)} layers, {self.macs:,} multiply-accumulates a jet>"

    def _repr_html_(self) -> str:
        columns = ["layer", "kind", "output", "accumulator", "sums", "proof", "arithmetic", "MACs"]
        columns += ["ns/jet"] if self.other_ns is not None else []
        return html_rows(repr(self)[1:-1], columns, [self._cells(row) for row in self.rows])

    def _cells(self, row: LayerExplanation) -> list[str]:
        """A row of the table."""
        sums = "" if row.accumulator_range is None else "{} … {}".format(*row.accumulator_range)
        types = (_short(row.output), _short(row.accumulator or ""))
        found = [row.layer, row.kind, *types, sums, row.proof, row.arithmetic, str(row.macs or "")]
        return found + (
            [] if self.other_ns is None else ["" if row.ns is None else f"{row.ns:.{1 if self.kernel is None else 3}f}"]
        )

    def __str__(self) -> str:
        stream = StringIO()
        Console(file=stream, width=160).print(self.table())
        return stream.getvalue()


def _short(type_: str) -> str:
    """A type as people write it."""
    return type_.removeprefix("ap_").replace(",AP_", ",").replace(",0>", ">")


def explain(
    firmware: Firmware,
    ranges: Ranges,
    arithmetic: dict[str, str],
    seconds: dict[str, float] | None = None,
    kernel: str | None = None,
) -> Explanation:
    """The table for `firmware`; `arithmetic` says by layer name what was chosen, `seconds` how long it takes a jet.

    `kernel` is what is told of the one kernel on a GPU.
    """
    spent = {} if seconds is None else {name: 1e9 * value for name, value in seconds.items()}
    rows = []
    for layer in firmware.layers:
        proof = ranges.layers[layer.name]
        accum = getattr(layer, "accum_type", None)
        acc = proof.accumulator
        rows.append(
            LayerExplanation(
                layer=layer.name,
                kind=layer.kind,
                inputs=tuple(str(t.type) for t in layer.inputs),
                output=str(layer.output.type),
                accumulator=None if accum is None or acc is None else str(accum),
                accumulator_range=None if acc is None else (acc.lowest, acc.highest),
                output_range=(proof.output.lowest, proof.output.highest),
                proof="" if accum is None or acc is None else _proof(proof),
                arithmetic=arithmetic[layer.name],
                macs=KINDS[type(layer)].macs(layer),
                ns=spent.get(layer.name),
            )
        )
    names = {layer.name for layer in firmware.layers}
    other = None if seconds is None else sum(value for name, value in spent.items() if name not in names)
    return Explanation(tuple(rows), other, kernel)


def _proof(proof: LayerRange) -> str:
    overflow = "may wrap" if proof.wraps and proof.sum != 0 else "may saturate or rounds" if proof.wraps else "fits"
    return f"{overflow}; {proof.sum}"
