"""A configuration's score, cycles, interval and resources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.firmware import Firmware
from l1emu.latency.estimate import Estimate, estimate, load_design
from l1emu.latency.estimate.scan import input_bits, multiplications_to_divide
from l1emu.quantization.choices import BitGrid, TypeChoice
from l1emu.quantization.data import Labelled
from l1emu.quantization.retype import Retyper
from l1emu.quantization.score import AREA, EXPLAINED, Areas, DrawnJets, DrawnValues


@dataclass(frozen=True)
class Configuration:
    """One configuration.

    Attributes
    ----------
    label
        In words: ``all 8,3``, or what was taken where.
    scanned
        The grid and where it was put, of a scan.
    weights, data
        The grid of every layer's weights, and of every type of data that is not inferred.
    score, score_error
        The mean area under the ROC curves, or the explained variance, and the spread of it over the bootstrap.
    ratio, ratio_error
        To the reference, likewise, of the same draws.
    estimate
        Cycles and resources.
    content_hash
        Of the firmware.
    refused
        Why there is no such firmware; then the rest is None.
    method
        ``ptq``: the weights as they were, rounded; ``qat``: trained on in these types.
    input_bits, products, interval_ns
        Bits of one input, products of one, and the time between two: where it lies below the roofline.
    project
        The folder with the project, where it is not the bench's copy.
    rates
        What the seeds of a study do with it, or why they cannot.
    """

    label: str
    choice: TypeChoice
    weights: dict[str, BitGrid]
    data: dict[str, BitGrid]
    score: float | None = None
    score_error: float | None = None
    ratio: float | None = None
    ratio_error: float | None = None
    estimate: Estimate | None = None
    content_hash: str | None = None
    refused: str | None = None
    scanned: tuple[BitGrid, str] | None = None
    method: str = "ptq"
    input_bits: int | None = None
    products: int | None = None
    interval_ns: float | None = None
    project: Path | None = None
    rates: list[dict[str, Any]] | str | None = None

    def number(self, name: str) -> float:
        """``ratio``, ``score``, ``latency_cycles``, ``interval_cycles``, ``dsp`` or ``lut``."""
        if name in ("ratio", "score"):
            return float(getattr(self, name))
        found = self._estimated
        return float(found[name]) if name in found else float("nan")

    @property
    def _estimated(self) -> dict[str, Any]:
        made = self.estimate
        if made is None:
            names = ("latency_cycles", "interval_cycles", "dsp", "lut")
            return dict.fromkeys((*names, "bands"))
        return {
            "latency_cycles": made.latency_cycles[1],
            "interval_cycles": made.interval_cycles[1],
            "dsp": made.resources["DSP"],
            "lut": made.resources["LUT"],
            "bands": {
                "latency_cycles": list(made.band("latency_cycles")),
                "interval_cycles": list(made.band("interval_cycles")),
                "dsp": list(made.band("DSP")),
                "lut": list(made.band("LUT")),
            },
        }

    def as_dict(self) -> dict[str, Any]:
        """The point as `l1emu quantize --json` prints it."""
        return {
            "label": self.label,
            "method": self.method,
            "weights": {name: grid._asdict() for name, grid in self.weights.items()},
            "data": {name: grid._asdict() for name, grid in self.data.items()},
            "score": self.score,
            "score_error": self.score_error,
            "ratio": self.ratio,
            "ratio_error": self.ratio_error,
            **self._estimated,
            "interval_ns": self.interval_ns,
            "input_bits": self.input_bits,
            "products": self.products,
            "content_hash": self.content_hash,
            "refused": self.refused,
            "scanned": None if self.scanned is None else {**self.scanned[0]._asdict(), "where": self.scanned[1]},
            "study": self.rates,
        }


@dataclass
class Bench:
    """A project, labelled jets, and a folder in which one configuration after the other is written and measured.

    Parameters
    ----------
    retyper
        The project.
    labelled
        The jets.
    folder
        An existing folder for the copy.
    reference
        (jets, classes) outputs that all are compared with; without them the project's own.
    part, clock_ns
        In place of the project's.
    replicas
        Of the bootstrap.
    keep
        A folder in which the firmware of each configuration is kept, by its content hash.
    """

    retyper: Retyper
    labelled: Labelled
    folder: Path
    reference: NDArray[np.float64] | None = None
    part: str | None = None
    clock_ns: float | None = None
    replicas: int = 100
    keep: Path | None = None
    _known: dict[Any, Configuration] = field(default_factory=dict)

    def __post_init__(self) -> None:
        outputs = self.retyper.firmware.outputs
        if len(outputs) != 1:
            raise L1emuError(
                "several outputs", where="project", value=[t.name for t in outputs], expected="one output, of scores"
            )
        self._copy = self.folder / "project"
        self.retyper.place(self._copy)
        drawn, truth = DrawnJets(self.labelled.labels, self.replicas), self.labelled.truth
        self._jets: DrawnJets | DrawnValues = drawn if truth is None else DrawnValues(truth, drawn)

    @property
    def measure(self) -> str:
        """What the score is."""
        return EXPLAINED if self.labelled.truth is not None and not self.labelled.labels.any() else AREA

    @cached_property
    def reference_scores(self) -> Areas:
        """The score of the reference, as it is and for each draw of the bootstrap."""
        own = self.retyper.firmware.outputs[0].size
        if self.reference is not None and self.reference.shape != (len(self.labelled), own):
            raise L1emuError(
                "the reference has other outputs than the project",
                where="--model",
                value=self.reference.shape[1:],
                expected=f"({own},)",
            )
        outputs = self._outputs(self.retyper.firmware) if self.reference is None else self.reference
        found = self._jets.scores(outputs)
        if found[0] <= 0.0:
            raise L1emuError(f"the reference has no {self.measure}", value=float(found[0]))
        return found

    @property
    def project(self) -> Path:
        """The copy with the types of the last configuration."""
        return self._copy

    def everywhere(
        self, grid: BitGrid, layers: Sequence[str] = (), parts: Sequence[str] = ("weights", "data")
    ) -> TypeChoice:
        """A grid for the weights and the data of all layers, or of some.

        Raises
        ------
        L1emuError
            if one of `layers` has neither.
        """
        known = {"weights": self.retyper.weights, "data": self.retyper.data}
        every = [*dict.fromkeys([*known["weights"], *known["data"]])]
        for name in layers:
            if not any(name in known[part] for part in parts):
                expected = ", ".join(n for n in every if any(n in known[part] for part in parts))
                raise L1emuError("no layer of this name", where="--layers", value=name, expected=expected)
        chosen = layers or every
        found = {part: {n: grid for n in chosen if n in known[part]} if part in parts else {} for part in known}
        return TypeChoice(found["weights"], found["data"], grid if not layers and "data" in parts else None)

    def scanned(self, grid: BitGrid, layers: Sequence[str], parts: Sequence[str]) -> Configuration:
        """A point of a scan: one grid for the weights and data of all layers, or of some together."""
        where = ", ".join(layers) or "all"
        found = self.measured(self.everywhere(grid, layers, parts), f"{where} {grid}")
        return replace(found, scanned=(grid, where), label=f"{where} {grid}")

    def measured(self, choice: TypeChoice, label: str) -> Configuration:
        """Write, read, emulate and estimate a configuration; one that the reader refuses says why."""
        weights = {n: choice.weights.get(n, BitGrid.of(kind)) for n, kind in self.retyper.weights.items()}
        data = {n: choice.data.get(n, BitGrid.of(kind)) for n, kind in self.retyper.data.items()}
        key = (tuple(weights.items()), tuple(data.items()), choice.default)
        if key not in self._known:
            self._known[key] = self._measure(Configuration(label, choice, weights, data))
        return replace(self._known[key], label=label)

    def of_project(self, project: Path, label: str, method: str, bits: int) -> Configuration:
        """A point of a project that was written elsewhere, all of it at `bits`."""
        retyper = Retyper(project)
        weights, data = (
            {n: BitGrid.of(kind) for n, kind in kinds.items()} for kinds in (retyper.weights, retyper.data)
        )
        point = Configuration(label, TypeChoice(), weights, data, method=method, project=project)
        return replace(self._measured(point, project), scanned=(BitGrid(bits, 0), method))

    def _measure(self, point: Configuration) -> Configuration:
        self.retyper.write(point.choice, self._copy)
        return self._measured(point, self._copy)

    def _measured(self, point: Configuration, project: Path) -> Configuration:
        try:
            firmware = Firmware.read(project)
            outputs = self._outputs(firmware)
        except L1emuError as error:
            return replace(point, refused=error.message)
        if self.keep is not None:
            firmware.save(self.keep / f"{firmware.content_hash}.l1fw")
        scores = self._jets.scores(outputs)
        ratios = scores / self.reference_scores
        design = load_design(project)
        made = estimate(design, part=self.part, clock_ns=self.clock_ns)
        return replace(
            point,
            score=float(scores[0]),
            score_error=float(scores[1:].std(ddof=1)),
            ratio=float(ratios[0]),
            ratio_error=float(ratios[1:].std(ddof=1)),
            estimate=made,
            content_hash=firmware.content_hash,
            input_bits=input_bits(design),
            products=multiplications_to_divide(design),
            interval_ns=made.interval_cycles[1] * made.target.period_ns,
        )

    def _outputs(self, firmware: Firmware) -> NDArray[np.float64]:
        emulator = Emulator(firmware, target="exact", threads=1)
        found = emulator(self.labelled.inputs)
        return np.asarray(found, dtype=np.float64).reshape(len(self.labelled), -1)
