"""The schema of a study: samples, tagger, seeds, budget and stream, as data."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from l1emu.config import Config, SeedNumber, load_config
from l1emu.errors import L1emuError
from l1emu.events.classes import CLASSES
from l1emu.latency import StatedTiming
from l1emu.resources import resolve, resource
from l1emu.stream import FillingScheme, Normalisation, hl_lhc, read_filling_scheme
from l1emu.stream.beam import ORBIT_SLOTS, REVOLUTION_HZ
from l1emu.trigger import Seed
from l1emu.trigger.legs import Score
from l1emu.trigger.scan import Scan

SCORES = tuple(f"tag_{name}" for name in CLASSES)
"""Score fields of the jets, in the order of the tagger's outputs."""

SHIPPED = "data/study.yaml"
"""The embedded study."""

_MOST_SEEDS = 256


Cm = Annotated[float, Field(ge=-10_000, le=10_000)]
Entry = Annotated[int, Field(ge=0, lt=2**62)]


class SampleFiles(Config):
    """The files of a sample: one made by l1emu, or candidate ntuples of another group, also as a glob.

    A name alone stands for `files` with that name. The other keys are for ntuples: `format` states their format,
    `vertex` where the primary vertex is, `missing` gives z0 and dxy in cm where the files do not have them, `entries`
    is a range of crossings, [first, one after the last], `tree` the tree of the candidates, FOLDER/TREE, where it is
    not `Events`. See `l1emu.events.sources.open_ntuple`.
    """

    files: list[str] = Field(min_length=1)
    format: str | None = None
    vertex: Literal["file", "candidates", "beam"] | None = None
    missing: dict[Literal["z0", "dxy"], Cm] = Field(default_factory=dict)
    entries: list[Entry] | None = Field(default=None, min_length=2, max_length=2)
    tree: str | None = Field(default=None, min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"files": [data]}
        if isinstance(data, dict) and isinstance(data.get("files"), str):
            return data | {"files": [data["files"]]}
        return data

    @model_validator(mode="after")
    def _range(self) -> SampleFiles:
        if self.entries is not None and not 0 <= self.entries[0] < self.entries[1]:
            raise ValueError(f"no crossings in {self.entries}; expected [first, one after the last]")
        return self


class Samples(Config):
    """Event samples; `step` crossings are in memory at a time."""

    minbias: SampleFiles
    signal: SampleFiles
    step: int = Field(default=500, ge=1, le=1_000_000)


class Tagger(Config):
    """The firmware to emulate, the golden vectors of its own C++, and the threads to use (all cores by default)."""

    firmware: str
    golden: str
    threads: int | None = Field(default=None, ge=1, le=1024)


class JetSettings(Config):
    """Jets of a crossing: at most so many, of this pt or more before the calibration.

    `calibration` is a file of `l1emu calibrate`; without one the pt stays as the jet finder gives it.
    """

    calibration: str | None = None
    max_jets: int = Field(default=16, ge=1, le=64)
    min_pt_gev: float = Field(default=15.0, ge=0, le=10_000)


class BeamSettings(Config):
    """The filling scheme of the stream, and the normalisation of every rate: colliding pairs times revolutions.

    `filling` is a scheme in JSON or CSV, the standard HL-LHC one if absent. Its colliding pairs normalise the rates,
    unless `colliding_bunches` states another number for the standard scheme, as tools that count all bunches do.
    """

    filling: str | None = None
    colliding_bunches: int | None = Field(default=None, ge=1, le=ORBIT_SLOTS)
    revolution_hz: float = Field(default=REVOLUTION_HZ, ge=1, le=1e6)

    @model_validator(mode="after")
    def _one_count(self) -> BeamSettings:
        if self.filling is not None and self.colliding_bunches is not None:
            raise ValueError("`filling` tells the colliding bunches; expected no `colliding_bunches` beside it")
        return self


class StudySeed(Seed):
    """A seed and the thresholds at which its rate is wanted."""

    scan: Scan

    @model_validator(mode="after")
    def _known_scores(self) -> StudySeed:
        for tag in self.jets.tags if self.jets is not None else []:
            if tag.score not in SCORES:
                raise ValueError(f"the tagger has no score {tag.score!r}; expected one of {', '.join(SCORES)}")
        return self


class WorkingPoints(Config):
    """A scan of the minimum score of one seed, at equal rate."""

    seed: str
    minima: list[Score] = Field(min_length=1, max_length=200)


class RateSettings(Config):
    """The rate at which seeds are compared, and the bootstrap behind the errors."""

    target_khz: float = Field(default=10.0, ge=1e-6, le=40_000)
    replicas: int = Field(default=300, ge=20, le=100_000)
    random_seed: SeedNumber = 1


class EstimatedTiming(Config):
    """An estimate before synthesis: of the study's own firmware, or of the project that it was read from."""

    part: str = Field(min_length=1)
    project: str | None = None
    reuse: int | None = Field(default=None, ge=1, le=1_000_000)
    strategy: Literal["latency", "resource"] | None = None


class LatencySettings(Config):
    """The budget, and one source of the tagger's timing: `report`, `file`, `estimate` or the numbers, `stated`.

    `clock_mhz`, `jets` and `copies` take the place of the budget's.
    """

    budget: str
    report: str | None = None
    file: str | None = None
    stated: StatedTiming | None = None
    estimate: EstimatedTiming | None = None
    clock_mhz: float | None = Field(default=None, ge=1, le=10_000)
    jets: int | None = Field(default=None, ge=1, le=10_000)
    copies: int | None = Field(default=None, ge=1, le=10_000)

    @model_validator(mode="after")
    def _one_source(self) -> LatencySettings:
        given = [name for name in ("report", "file", "stated", "estimate") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"{len(given)} sources of the tagger's timing; expected exactly one of `report`, `file`, `stated`, "
                "`estimate`"
            )
        return self


class Stream(Config):
    """The Level-1 chain to simulate; `accepts` names the seed whose decisions at the target rate are its accepts."""

    topology: str
    accepts: str
    orbits: int = Field(default=1000, ge=1, le=1_000_000)
    random_seed: SeedNumber = 1
    engine: Literal["kernel", "simpy"] = "kernel"


class Study(Config):
    """One study."""

    name: str = Field(min_length=1)
    samples: Samples
    tagger: Tagger
    jets: JetSettings = JetSettings()
    beam: BeamSettings = BeamSettings()
    rate: RateSettings = RateSettings()
    seeds: list[StudySeed] = Field(min_length=1, max_length=_MOST_SEEDS)
    working_points: WorkingPoints | None = None
    latency: LatencySettings
    stream: Stream

    @model_validator(mode="after")
    def _named_seeds(self) -> Study:
        names = [seed.name for seed in self.seeds]
        read = [" ".join(name.split()) for name in names]  # as it is read in a table
        twice = next((name for name, text in zip(names, read, strict=True) if read.count(text) > 1), None)
        if twice is not None:
            raise ValueError(f"two seeds are named {twice!r}; expected names that differ")
        for key, wanted in (
            ("stream.accepts", self.stream.accepts),
            ("working_points.seed", self.working_points.seed if self.working_points else names[0]),
        ):
            if wanted not in names:
                raise ValueError(f"{key} names the seed {wanted!r}; expected one of {', '.join(map(repr, names))}")
        if self.working_points is not None:
            seed = next(s for s in self.seeds if s.name == self.working_points.seed)
            if not seed.tagged or seed.scanned.endswith("score"):
                raise ValueError(
                    f"working_points.seed {seed.name!r} has no fixed minimum score; expected a seed with tags"
                )
        return self

    def seed(self, name: str) -> StudySeed:
        """The seed of this name."""
        return next(seed for seed in self.seeds if seed.name == name)


@dataclass(frozen=True)
class StudyFile:
    """A study with the file it was read from, to which its relative paths refer."""

    path: Path
    study: Study

    def file(self, name: str) -> Path:
        """The file that the study means by `name`: beside the study, or one that comes with l1emu.

        Raises
        ------
        L1emuError
            if neither exists.
        """
        try:
            return resolve(name, self.path.parent)
        except L1emuError as error:
            raise L1emuError(error.message, path=self.path, value=error.value, expected=error.expected) from None

    def files(self, names: list[str]) -> list[Path]:
        """The files that the study means by names or globs, those of a glob in the order of their names.

        Raises
        ------
        L1emuError
            if a file does not exist, or a glob matches nothing.
        """
        found: list[Path] = []
        for name in names:
            matches = sorted(glob.glob(str((self.path.parent / name).expanduser()), recursive=True))
            found += [Path(match) for match in matches] or [self.file(name)]
        return found

    def filling(self) -> FillingScheme:
        """The filling scheme that the stream runs with.

        Raises
        ------
        L1emuError
            if the file is no filling scheme, or no bunches of it collide in IP1 and IP5.
        """
        name = self.study.beam.filling
        if name is None:
            return hl_lhc()
        file = self.file(name)
        scheme = read_filling_scheme(file)
        if not scheme.colliding_slots.size:
            raise L1emuError("no bunches collide in IP1 and IP5", path=file, where=scheme.name)
        return scheme

    def normalisation(self) -> Normalisation:
        """What makes rates of the accepted fractions of the seeds."""
        beam = self.study.beam
        if beam.colliding_bunches is not None:
            return Normalisation(beam.colliding_bunches, beam.revolution_hz)
        return Normalisation(self.filling().normalisation.colliding, beam.revolution_hz)


def read_study(path: str | os.PathLike[str] | None = None) -> StudyFile:
    """Read a study from YAML; without a path the embedded one.

    Raises
    ------
    L1emuError
        if the file is absent, or at the first key that is unknown, missing or has a wrong value.
    """
    file = resource(SHIPPED) if path is None else Path(path)
    return StudyFile(file, load_config(file, Study))
