"""The stream at line rate: crossings of a study's background, its tagger and its seed, and the stream, batch by batch.

The background is read once. Then crossings are drawn of it for every colliding pair of bunches, all jets of theirs go
through the tagger, the seed decides with these scores, and the stream takes the crossings with their accepts. Memory
does not grow with the number of crossings.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
import numpy.typing as npt

from l1emu.arraytypes import Floats, Ints
from l1emu.emulator import Emulator
from l1emu.emulator.rows import EmulatedRows
from l1emu.errors import L1emuError
from l1emu.eventdata import EventData
from l1emu.progress import Advance
from l1emu.stream import CrossingSource, StreamResult, simulate
from l1emu.study.config import BACKGROUND, StudyFile
from l1emu.study.decided import scan_thresholds
from l1emu.study.latency import check_budget, stream_chain
from l1emu.study.measure import load_study_taggers
from l1emu.study.parts import study_readers
from l1emu.study.samples import strata_of
from l1emu.taggers import EmulatedTagger
from l1emu.trigger.engine.evaluator import Evaluator
from l1emu.trigger.menu import Seed

BATCH_ORBITS = 100
"""Orbits whose crossings are in memory at a time: 0.3 million crossings of the HL-LHC."""


@dataclass(frozen=True, eq=False)
class LineRate:
    """What a run gave, and how long it took.

    Attributes
    ----------
    result
        Of the stream.
    jets
        That went through the tagger.
    differing
        Crossings that the seed decided otherwise than with the scores of when the background was read.
    seconds
        Wall time of each stage by its name.
    """

    result: StreamResult
    jets: int
    differing: int
    seconds: Mapping[str, float]


class CrossingsAtLineRate:
    """The background of a study with the inputs of its tagger, and the seed that the stream accepts.

    Attributes
    ----------
    name
        Of the sample.
    seed
        At the threshold at which it has the study's target rate.
    source
        A row for each crossing of the background.

    Parameters
    ----------
    file
        The study: it has a stream, and one tagger of its jets.
    target
        Of the emulator, as `l1emu.Emulator` has it. When the background is read, ``simd`` scores it.
    crossings
        How many of the background are read; all by default.

    Raises
    ------
    L1emuError
        if the study is of another kind, or its seed asks for more than jets and sums.
    """

    def __init__(self, file: StudyFile, target: str, crossings: int | None = None) -> None:
        study = file.study
        taggers = load_study_taggers(file, compiled=False)
        if study.stream is None or len(taggers) != 1 or study.latency is None:
            raise L1emuError(
                "no study of a stream at line rate", path=file.path, expected="`stream`, `latency` and one tagger"
            )
        (self._tagger,) = taggers.values()
        self._file, self._of = file, study.stream.jets
        seed = next(seed for seed in file.seeds if seed.name == study.stream.accepts)
        evaluator = Evaluator([seed])
        if set(evaluator.fields) - {self._of} or self._tagger.of != self._of:
            raise L1emuError(
                "a seed of more than the stream's objects",
                path=file.path,
                value=seed.name,
                expected=f"{self._of}, sums",
            )
        self._fields = [name for name in evaluator.fields.get(self._of, ()) if name not in self._tagger.scores]
        emulator = Emulator(self._tagger.emulator.firmware, target=target)  # refused before anything is read
        self._read(taggers, evaluator, crossings)
        given = _by_tensor(self._tagger.emulator, self._inputs)
        scores = self._tagger.scores_of(given, self._inputs)
        data = self._data(np.arange(len(self._counts)), np.arange(self._counts.sum()), scores)
        self.seed = self._at_target(seed, evaluator, data)
        self._evaluator = Evaluator([self.seed])
        self._accepts = self._evaluator(data).accepted[:, 0]
        self._emulated = EmulatedRows(emulator, self._inputs)

    def run(
        self, orbits: int, *, seed: int = 1, batch: int = BATCH_ORBITS, progress: Advance | None = None
    ) -> LineRate:
        """Send so many orbits through tagger, seed and the study's stream.

        Raises
        ------
        L1emuError
            as the stream does.
        """
        settings = self._file.study.stream
        latency = self._file.study.latency
        assert settings is not None and latency is not None
        topology, _ = stream_chain(self._file, settings, check_budget(self._file, latency))
        spent: dict[str, float] = {}
        jets = differing = 0

        def before(rows: Ints) -> None:
            nonlocal jets, differing
            with _timed(spent, "drawing crossings"):
                drawn = self._drawn(rows)
            with _timed(spent, "tagger"):
                given = self._emulated(drawn)
            with _timed(spent, "seed"):
                used = {name: self._inputs[name][drawn] for name in self._tagger.inputs_of_scores}
                data = self._data(rows, drawn, self._tagger.scores_of(given, used))
                accepts = self._evaluator(data).accepted[:, 0]
                self.source.accept[rows] = accepts
            jets += len(drawn)
            differing += int((accepts != self._accepts[rows]).sum())

        begin = time.perf_counter()
        result = simulate(
            topology,
            self.source,
            orbits=orbits,
            seed=seed,
            filling=self._file.filling(),
            batch=batch,
            progress=progress,
            before=before,
        )
        whole = time.perf_counter() - begin
        return LineRate(result, jets, differing, spent | {"stream": whole - sum(spent.values()), "all": whole})

    # -- the background ------------------------------------------------------------------------------------------

    def _read(self, taggers: Mapping[str, EmulatedTagger], evaluator: Evaluator, crossings: int | None) -> None:
        reader = study_readers(self._file, taggers, [BACKGROUND])[BACKGROUND]
        self.name = reader.sample.name
        counts: list[Ints] = []
        strata: list[Ints] = []
        weights: list[npt.NDArray[Any]] = []
        inputs: dict[str, list[npt.NDArray[Any]]] = {t.name: [] for t in self._tagger.emulator.firmware.inputs}
        columns: dict[str, list[Floats]] = {name: [] for name in self._fields}
        sums: dict[str, list[Floats]] = {name: [] for name in evaluator.sums}
        for part in reader.reader.unscored(0, crossings):
            objects = part.data.objects[self._of]
            counts.append(ak.to_numpy(ak.num(objects)).astype(np.int64))
            strata.append(part.stratum)
            weights.append(np.ones(part.data.crossings) if part.weights is None else part.weights.weight)
            for name, array in self._tagger.fill(part.data).items():
                inputs[name].append(array.astype(np.float32))
            for name in columns:
                columns[name].append(ak.to_numpy(ak.flatten(objects[name])))
            for name in sums:
                sums[name].append(part.data.sums[name])
        self._counts, stratum = np.concatenate(counts), np.concatenate(strata)
        self._first = np.cumsum(self._counts) - self._counts
        self._inputs = {name: np.concatenate(parts) for name, parts in inputs.items()}
        self._columns = {name: np.concatenate(parts) for name, parts in columns.items()}
        self._sums = {name: np.concatenate(parts) for name, parts in sums.items()}
        of = strata_of(reader.sample).probability
        weight = np.concatenate(weights).astype(np.float64)
        probability = weight * (of / np.maximum(np.bincount(stratum, weight, len(of)), 1.0))[stratum]
        accept = np.zeros(len(stratum), np.bool_)
        self.source = CrossingSource(self._counts, accept, probability / probability.sum())

    def _at_target(self, seed: Seed, evaluator: Evaluator, data: EventData) -> Seed:
        """A scanned seed at the loosest threshold at which it has the target rate or less; a fixed one as it is."""
        if seed.open_number is None:
            return seed
        reach = evaluator(data).reach[:, 0]
        most = self._file.study.rate.target_khz * 1e3 / self._file.normalisation().colliding_rate_hz
        thresholds = np.sort(seed.sign * scan_thresholds(seed))
        rates = [self.source.probability[0][reach >= one].sum() for one in thresholds]
        fine = [one for one, rate in zip(thresholds.tolist(), rates, strict=True) if rate <= most]
        return seed.at(seed.sign * (fine[0] if fine else thresholds[-1]))

    # -- a batch -------------------------------------------------------------------------------------------------

    def _drawn(self, rows: Ints) -> Ints:
        """The jets of crossings, by their places."""
        counts = self._counts[rows]
        ends = np.cumsum(counts)
        places = np.arange(int(counts.sum()), dtype=np.int64)
        places += np.repeat(self._first[rows] - ends + counts, counts)
        return places

    def _data(self, rows: Ints, jets: Ints, scores: Mapping[str, Floats]) -> EventData:
        """Crossings as the seed sees them."""
        columns = {**{name: array[jets] for name, array in self._columns.items()}, **scores}
        records = {name: ak.unflatten(array, self._counts[rows]) for name, array in columns.items()}
        sums = {name: array[rows] for name, array in self._sums.items()}
        return EventData(len(rows), {self._of: ak.zip(records, depth_limit=2)}, sums)


def _by_tensor(emulator: Emulator, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
    return EmulatedRows(emulator, inputs)(np.arange(len(next(iter(inputs.values())))))


@contextmanager
def _timed(spent: dict[str, float], stage: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    spent[stage] = spent.get(stage, 0.0) + time.perf_counter() - begin
