"""One study from end to end: read, emulate, check, simulate, measure, write."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from l1emu.files import folder_aside, write_json
from l1emu.latency import BudgetCheck
from l1emu.outputs import refuse_to_replace
from l1emu.results import RESULTS, RESULTS_VERSION, RatesOfStudy, StudyResults
from l1emu.stream import Topology
from l1emu.study.config import StudyFile, read_study
from l1emu.study.documents import (
    comparison_document,
    emulated_per_second,
    emulation_document,
    menu_document,
    rate_points,
    samples_document,
    scores_document,
    turn_ons_document,
    working_points_document,
)
from l1emu.study.inputs import input_files
from l1emu.study.latency import check_budget, latency_summary, simulate_stream, stream_chain
from l1emu.study.manifest import manifest
from l1emu.study.measure import Measurement, load_study_taggers, measure, measured_of_parts
from l1emu.study.samples import sample_files
from l1emu.taggers.golden import GoldenComparison

if TYPE_CHECKING:
    import hist
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Results:
    """What a study found: the folder with everything, and what `results.json` holds."""

    folder: Path
    content: StudyResults

    @property
    def document(self) -> dict[str, Any]:
        """`results.json` as a document."""
        return self.content.as_json()

    @property
    def bit_exact(self) -> bool:
        """Whether the emulation gave every golden value that there was to compare with."""
        return self.content.emulation is None or self.content.emulation.identical is not False

    @property
    def within_budget(self) -> bool:
        """Whether the tagger keeps to the budget, if the study has one."""
        return self.content.budget is None or self.content.budget.passed

    @property
    def in_time(self) -> bool:
        """Whether every crossing of the stream, if one was simulated, was decided in time and nothing was lost."""
        return self.content.stream is None or self.content.stream.passed

    @property
    def passed(self) -> bool:
        """All of them."""
        return self.bit_exact and self.within_budget and self.in_time

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The values behind the figures by name, as the CSV files of the folder have them."""
        from l1emu.report.tables import tables

        return tables(self.content)

    @cached_property
    def histograms(self) -> dict[str, hist.Hist[Any]]:
        """Scores by kind of jet, and the stream's latency, as of `l1emu.report.tables.histograms`."""
        from l1emu.report.tables import histograms

        return histograms(self.content)

    def __repr__(self) -> str:
        return f"<Results of {self.content.study} in {self.folder}: {'passed' if self.passed else 'NOT passed'}>"

    def _repr_html_(self) -> str:
        return self.content._repr_html_()


def run_study(study: str | os.PathLike[str] | None, output: str | os.PathLike[str]) -> Results:
    """Run a study and write its results folder: `results.json`, figures, tables, one HTML page.

    The folder is written aside and renamed when it is whole; a result that was there before is replaced only then.

    Parameters
    ----------
    study
        YAML of `l1emu.study.config.Study`; None for the embedded one.
    output
        The results folder.

    Raises
    ------
    L1emuError
        on bad input of any kind, naming the file and the place; if `output` is something else than a results folder.
    """
    folder = Path(output)
    refuse_to_replace(folder, RESULTS)
    file = read_study(study)
    checked = _checked(file)
    taggers = load_study_taggers(file)
    golden = {name: tagger.check_golden() for name, tagger in taggers.items()}
    return _written(folder, file, checked, golden, measure(file, taggers), _RUN)


def finish_study(
    file: StudyFile,
    parts: Sequence[Path],
    output: str | os.PathLike[str],
    *,
    engine: str,
    planned: Mapping[str, int] | None = None,
) -> Results:
    """The results of a study whose samples were measured in parts, as `run_study` writes them.

    Parameters
    ----------
    file
        The study.
    parts
        Files of `l1emu.study.parts.measure_part`: those of one sample in the order of its crossings.
    output
        The results folder.
    engine
        What made the parts, for the manifest.
    planned
        Crossings of each sample by role, where parts of it are missing: the results say which fraction is there.

    Raises
    ------
    L1emuError
        as `run_study` does, or if a part is damaged, of another study, or there is none of a sample.
    """
    folder = Path(output)
    refuse_to_replace(folder, RESULTS)
    checked = _checked(file)
    taggers = load_study_taggers(file, compiled=False)
    golden = {name: tagger.check_golden() for name, tagger in taggers.items()}
    measured = measured_of_parts(file, taggers, parts)
    return _written(folder, file, checked, golden, measured, (engine, len(parts)), planned)


_RUN = ("run", 1)
"""What measures a study by itself, and in how many parts a sample."""


class _Checked(NamedTuple):
    """What is known of a study before its samples are read."""

    inputs: dict[str, Path]
    budget: BudgetCheck | None
    chain: tuple[Topology, bool] | None


def _checked(file: StudyFile) -> _Checked:
    settings, wanted = file.study.latency, file.study.stream
    check_ = None if settings is None else check_budget(file, settings)
    inputs = _files(file)
    return _Checked(inputs, check_, None if wanted is None or check_ is None else stream_chain(file, wanted, check_))


def _written(
    folder: Path,
    file: StudyFile,
    checked: _Checked,
    golden: dict[str, GoldenComparison | None],
    measured: Measurement,
    engine: tuple[str, int],
    planned: Mapping[str, int] | None = None,
) -> Results:
    """Simulate the stream, and write the results folder."""
    from l1emu.report import write_report

    check_, wanted, stream = checked.budget, file.study.stream, None
    if checked.chain is not None and wanted is not None and check_ is not None and measured.source is not None:
        stream = simulate_stream(file, wanted, checked.chain, check_, measured.source)
    speed = None if stream is None else stream.result.crossings_per_second
    document = _document(file, measured, golden, checked.inputs, engine, speed) | {
        "version": RESULTS_VERSION,
        "menu": menu_document(measured),
        "latency": None if check_ is None else latency_summary(check_, None if stream is None else stream.result),
        "budget": None if check_ is None else check_.as_dict(),
        "stream": None if stream is None else stream.as_json(),
        "samples": samples_document(measured, planned or {}, file.study.samples),
        "scores": scores_document(file, measured),
    }
    results = StudyResults.model_validate(document)
    with folder_aside(folder) as aside:
        write_json(aside / RESULTS, results.as_json())
        write_report(results, aside)
    return Results(folder, results)


def measure_rates(study: str | os.PathLike[str] | None, *, masks: str | os.PathLike[str] | None = None) -> RatesOfStudy:
    """Rates of the menu and signal efficiencies alone.

    Parameters
    ----------
    study
        As in `run_study`.
    masks
        Where to write the decisions of every seed on every background crossing, as parquet; see
        `l1emu.trigger.masks.read_masks`. None: nowhere.

    Raises
    ------
    L1emuError
        as `run_study` does.
    """
    file = read_study(study)
    inputs = _files(file)
    taggers = load_study_taggers(file)
    golden = {name: tagger.check_golden() for name, tagger in taggers.items()}
    measured = measure(file, taggers, masks=masks)
    document = _document(file, measured, golden, inputs, _RUN, None) | menu_document(measured)
    document |= {"version": RESULTS_VERSION, "equal_rate": document["comparison"]["seeds"]}
    return RatesOfStudy.model_validate(document)


def _document(
    file: StudyFile,
    measured: Measurement,
    golden: dict[str, GoldenComparison | None],
    inputs: dict[str, Path],
    engine: tuple[str, int],
    stream_crossings_per_second: float | None,
) -> dict[str, Any]:
    """What results and rates alone have in common."""
    emulators = {name: tagger.emulator for name, tagger in measured.taggers.items()}
    hashes = {name: tagger.emulator.firmware.content_hash for name, tagger in measured.taggers.items()}
    return {
        "study": file.study.name,
        "rate": rate_points(measured),
        "comparison": comparison_document(file, measured),
        "working_points": working_points_document(file, measured),
        "turn_ons": turn_ons_document(measured),
        "emulation": emulation_document(measured, golden),
        "manifest": manifest(
            files=inputs,
            firmware_hashes=hashes,
            seeds=_random_seeds(file, measured),
            slices={role: sample.first.slices for role, sample in measured.samples.items()},
            normalisation=measured.normalisation,
            engine={
                "name": engine[0],
                "parts": engine[1],
                "threads": {name: emulator.threads for name, emulator in emulators.items()},
                "kernels": {name: emulator.target for name, emulator in emulators.items()},
            },
            times={
                "emulated_per_second": emulated_per_second(measured),
                "from_cache": {name: spent.from_cache for name, spent in measured.spent.items()},
                "stream_crossings_per_second": stream_crossings_per_second,
            },
        ),
    }


def _files(file: StudyFile) -> dict[str, Path]:
    """Everything that goes in, by what it is."""
    files = {"study": file.path}
    for role in file.study.samples.roles:
        found = sample_files(file, role)
        files |= {role if len(found) == 1 else f"{role} {i}": path for i, path in enumerate(found)}
    # of a project its content hash is told
    return files | {role: path for role, path in input_files(file).items() if path.is_file()}


def _random_seeds(file: StudyFile, measured: Measurement) -> dict[str, int]:
    seeds = {"bootstrap": file.study.rate.random_seed}
    if file.study.stream is not None:
        seeds["stream"] = file.study.stream.random_seed
    for found in measured.samples.values():
        seed = found.sample.recipe.get("seed")
        if isinstance(seed, int):
            seeds[f"sample {found.sample.name}"] = seed
    return seeds
