"""The schema of a study: samples, objects, taggers, menu, budget and stream, as data."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AliasChoices, Field, model_validator

from l1emu.config import Config, SeedNumber, load_config
from l1emu.errors import L1emuError
from l1emu.events.objects.schema import ObjectsMap, SumMap
from l1emu.filenames import files_named
from l1emu.latency import StatedTiming
from l1emu.notebook import Shown
from l1emu.resources import resolve, resource
from l1emu.stream import FillingScheme, Normalisation, hl_lhc, read_filling_scheme
from l1emu.stream.beam import ORBIT_SLOTS, REVOLUTION_HZ
from l1emu.taggers.settings import TaggerConfig, jet_tagger
from l1emu.trigger.menu import MOST_SEEDS, Seed, read_menu
from l1emu.trigger.seed_checks import menu_fault
from l1emu.trigger.turn_on_setup import TurnOnSetup

if TYPE_CHECKING:
    from l1emu.trigger.scalings import Scalings

SHIPPED = "data/study.yaml"
"""The embedded study."""

MENUS = "data/menus"
"""The folder of the menus that come with l1emu."""

SCALINGS = "data/scalings"
"""The folder of the offline scalings that come with l1emu."""

BACKGROUND = "background"
"""The name of the sample whose rate is sought."""

_MOST_SIGNALS = 64

Cm = Annotated[float, Field(ge=-10_000, le=10_000)]
Entry = Annotated[int, Field(ge=0, lt=2**62)]
SampleName = Annotated[str, Field(min_length=1, max_length=60)]


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
    """Event samples: the background, whose rate is sought, and any number of signals by name.

    `minbias` is another word for `background`; `signal` is one signal of that name. `step` crossings are in memory at a
    time. `energy_tev` (of both beams together) and `pileup` (the mean number of collisions in a crossing) stand on the
    figures of samples whose files do not say it.
    """

    background: SampleFiles = Field(validation_alias=AliasChoices("background", "minbias"))
    signals: dict[SampleName, SampleFiles] = Field(default_factory=dict, max_length=_MOST_SIGNALS)
    signal: SampleFiles | None = None
    step: int | None = Field(default=None, ge=1, le=10_000_000)
    energy_tev: float | None = Field(default=None, gt=0, le=1000)
    pileup: float | None = Field(default=None, ge=0, le=1000)

    @model_validator(mode="after")
    def _names(self) -> Samples:
        if self.signal is not None and "signal" in self.signals:
            raise ValueError("`signal` is one of `signals` too; expected one of them")
        if BACKGROUND in self.signals:
            raise ValueError(f"a signal is named {BACKGROUND!r}; expected another name")
        return self

    @property
    def roles(self) -> dict[str, SampleFiles]:
        """All samples by name: the background first, then the signals."""
        one = {} if self.signal is None else {"signal": self.signal}
        return {BACKGROUND: self.background, **one, **self.signals}


class JetTagger(Config):
    """A tagger with the inputs and outputs of the one that comes with l1emu, see `l1emu.taggers.jet_tagger`.

    The firmware to emulate, golden vectors of its own C++, and the threads to use (all cores by default).
    """

    firmware: str = Field(min_length=1)
    golden: str | None = Field(default=None, min_length=1)
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
    `others` are schemes by name, as files or as numbers of colliding bunches, to which the rates are scaled beside.
    """

    filling: str | None = None
    colliding_bunches: int | None = Field(default=None, ge=1, le=ORBIT_SLOTS)
    revolution_hz: float = Field(default=REVOLUTION_HZ, ge=1, le=1e6)
    others: dict[SampleName, Annotated[int, Field(ge=1, le=ORBIT_SLOTS)] | str] = Field(
        default_factory=dict, max_length=_MOST_SIGNALS
    )

    @model_validator(mode="after")
    def _one_count(self) -> BeamSettings:
        if self.filling is not None and self.colliding_bunches is not None:
            raise ValueError("`filling` tells the colliding bunches; expected no `colliding_bunches` beside it")
        return self


class PileupSettings(Config):
    """Other pile-ups, at which the rates of the menu are wanted: by weights of the background's crossings.

    `collisions` is the sum that tells how many collisions a crossing has; `made_at` the mean number with which the
    crossings were made, where that is known (without it their own numbers tell); `at` are the mean numbers wanted.
    """

    collisions: str = Field(min_length=1)
    made_at: float | None = Field(default=None, gt=0, le=1000)
    at: list[Annotated[float, Field(gt=0, le=1000)]] = Field(min_length=1, max_length=50)


class WorkingPoints(Config):
    """A scan of the minimum score of one seed, at equal rate."""

    seed: str
    minima: list[Annotated[float, Field(ge=-1e9, le=1e9)]] = Field(min_length=1, max_length=200)


class RateSettings(Config):
    """The rate at which seeds are compared, and the bootstrap behind the errors."""

    target_khz: float = Field(default=10.0, ge=1e-6, le=40_000)
    replicas: int = Field(default=300, ge=20, le=100_000)
    random_seed: SeedNumber = 1


class EstimatedTiming(Config):
    """An estimate before synthesis: of the study's own firmware, or of the project that it was read from.

    Part, reuse factor and strategy take the place of those that the firmware file or the project keeps. `partition` is
    a file with its layers on several boards.
    """

    part: str | None = Field(default=None, min_length=1)
    project: str | None = None
    reuse: int | None = Field(default=None, ge=1, le=1_000_000)
    strategy: Literal["latency", "resource"] | None = None
    partition: str | None = None


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


class StreamSettings(Config):
    """The Level-1 chain to simulate.

    `accepts` names the seed whose decisions are its accepts, at the target rate where a number of it is scanned;
    `jets` the collection whose objects go to the tagger.
    """

    topology: str
    accepts: str
    jets: str = "jets"
    orbits: int = Field(default=1000, ge=1, le=1_000_000)
    random_seed: SeedNumber = 1
    engine: Literal["kernel", "simpy"] = "kernel"


class Study(Config):
    """One study: samples and a menu; what else is there decides what is measured.

    `tagger` is one tagger of that name, of the jets that l1emu builds, with the shipped features; `seeds` is another
    word for `menu`; `versions` are other firmwares of a tagger, by its name and theirs.
    """

    name: str = Field(min_length=1)
    samples: Samples
    objects: ObjectsMap | None = None
    sums: dict[str, SumMap] = Field(default_factory=dict)
    tagger: JetTagger | None = None
    taggers: dict[str, TaggerConfig] = Field(default_factory=dict)
    versions: dict[str, dict[SampleName, str]] = Field(default_factory=dict)
    jets: JetSettings = JetSettings()
    beam: BeamSettings = BeamSettings()
    rate: RateSettings = RateSettings()
    menu: Annotated[list[Seed], Field(min_length=1, max_length=MOST_SEEDS)] | str = Field(
        validation_alias=AliasChoices("menu", "seeds")
    )
    scalings: str | None = None
    turn_ons: list[TurnOnSetup] = Field(default_factory=list)
    working_points: WorkingPoints | None = None
    pileup: PileupSettings | None = None
    latency: LatencySettings | None = None
    stream: StreamSettings | None = None

    @model_validator(mode="after")
    def _fits(self) -> Study:
        if self.tagger is not None and "tagger" in self.taggers:
            raise ValueError("`tagger` is one of `taggers` too; expected one of them")
        if self.working_points is not None and len(self.samples.roles) == 1:
            raise ValueError("working_points without a signal; expected one whose efficiency chooses")
        fault = menu_fault(self.menu) if isinstance(self.menu, list) else None
        if fault is not None:
            raise ValueError(fault)
        if self.stream is not None and self.latency is None:
            raise ValueError(
                "a stream without `latency`; expected the budget and the tagger's timing that it runs with"
            )
        for name in self.versions:
            if name not in self.every_tagger:
                there = ", ".join(map(repr, self.every_tagger)) or "none"
                raise ValueError(f"versions names the tagger {name!r}; expected one of {there}")
        for request in self.turn_ons:
            known = list(self.samples.roles)[1:]
            if request.signal not in known:
                raise ValueError(f"turn_ons names the signal {request.signal!r}; expected one of {known or 'none'}")
        return self

    @property
    def every_tagger(self) -> dict[str, TaggerConfig]:
        """All taggers by name."""
        own = self.tagger
        one = {} if own is None else {"tagger": jet_tagger(own.firmware, own.golden, own.threads)}
        return {**one, **self.taggers}


@dataclass(frozen=True)
class StudyFile(Shown):
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
        """The files that the study means by names, URLs, globs and lists; see `l1emu.filenames.files_named`.

        Raises
        ------
        L1emuError
            if a file does not exist, a glob matches nothing, or a list is absent or empty.
        """
        found: list[Path] = []
        for name in names:
            found += files_named(name, self.path.parent) or [self.file(name)]
        return found

    def of_one_file(self, role: str, path: str) -> StudyFile:
        """The same study with one file as the whole of a sample, as a part of it is measured: others are not opened.

        What crossings are drawn by does not depend on the other files.
        """
        samples = self.study.samples
        one = samples.roles[role].model_copy(update={"files": [path], "entries": None})
        named = "background" if role == BACKGROUND else "signal" if role not in samples.signals else "signals"
        update = {named: one if named != "signals" else {**samples.signals, role: one}}
        return replace(self, study=self.study.model_copy(update={"samples": samples.model_copy(update=update)}))

    def scalings(self) -> Scalings | None:
        """The offline scalings of the study, those that come with l1emu by their name; None without any.

        Raises
        ------
        L1emuError
            if there are none of this name, or the file is damaged.
        """
        from l1emu.trigger.scalings import read_scalings

        return None if self.scalings_file is None else read_scalings(self.scalings_file)

    @property
    def scalings_file(self) -> Path | None:
        """The file that the scalings are from, or None.

        Raises
        ------
        L1emuError
            if there is none of this name.
        """
        name = self.study.scalings
        return None if name is None else self._shipped(name, SCALINGS, "scalings")

    @property
    def default_firmware(self) -> str:
        """The firmware that an estimate is of, where it names no project: that of the first tagger.

        Raises
        ------
        L1emuError
            if the study has no tagger.
        """
        for settings in self.study.every_tagger.values():
            return settings.firmware
        raise self._wrong("latency.estimate names no project, and the study has no tagger; expected one of them")

    @cached_property
    def seeds(self) -> tuple[Seed, ...]:
        """The menu's seeds: of the study itself, or of the menu that it names, one that comes with l1emu or a file.

        Raises
        ------
        L1emuError
            if there is no such menu, or a seed of `stream`, `working_points` is not in it.
        """
        study = self.study
        seeds = study.menu if isinstance(study.menu, list) else self._menu_of_file()
        by_name = {seed.name: seed for seed in seeds}
        wanted = {} if study.stream is None else {"stream.accepts": study.stream.accepts}
        if study.working_points is not None:
            wanted["working_points.seed"] = study.working_points.seed
        for key, name in wanted.items():
            if name not in by_name:
                raise self._wrong(f"{key} names the seed {name!r}; expected one of {', '.join(map(repr, by_name))}")
        if study.working_points is not None:
            seed = by_name[study.working_points.seed]
            if not seed.tagged or not seed.scanned or seed.scanned.endswith(" score"):
                raise self._wrong(
                    f"working_points.seed {seed.name!r} has no fixed minimum score; expected a seed with tags"
                )
        for seed in seeds:
            if seed.scanned and seed.scan is None:
                raise self._wrong(
                    f"the seed {seed.name!r} says `threshold` and has no scan; expected start, stop, step"
                )
        return tuple(seeds)

    def _menu_of_file(self) -> list[Seed]:
        file = self.menu_file
        if file is None:
            raise AssertionError("the menu stands in the study")
        return list(read_menu(file).seeds)

    def _wrong(self, message: str) -> L1emuError:
        return L1emuError(message, path=self.path)

    @property
    def menu_file(self) -> Path | None:
        """The file that the menu is from; None of a menu that stands in the study.

        Raises
        ------
        L1emuError
            if there is no such menu.
        """
        name = self.study.menu
        return self._shipped(name, MENUS, "menu") if isinstance(name, str) else None

    def _shipped(self, name: str, folder: str, key: str) -> Path:
        """The file of this name in a folder of l1emu's data, or a YAML file of the study's."""
        shipped = {path.stem: path for path in resource(folder).glob("*.yaml")}
        if name in shipped:
            return shipped[name]
        if name.endswith((".yaml", ".yml")):
            return self.file(name)
        raise L1emuError(
            f"no such {key}", path=self.path, where=f"key {key}", value=name,
            expected=f"{', '.join(sorted(shipped))}, or a file in YAML",
        )  # fmt: skip

    def filling(self) -> FillingScheme:
        """The filling scheme that the stream runs with.

        Raises
        ------
        L1emuError
            if the file is no filling scheme, or no bunches of it collide in IP1 and IP5.
        """
        name = self.study.beam.filling
        return hl_lhc() if name is None else self._scheme(name)

    def _scheme(self, name: str) -> FillingScheme:
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

    def other_normalisations(self) -> dict[str, Normalisation]:
        """The same of the filling schemes beside it, by their names in the study.

        Raises
        ------
        L1emuError
            as `filling` does.
        """
        of = self.study.beam.others
        colliding = {n: s if isinstance(s, int) else self._scheme(s).normalisation.colliding for n, s in of.items()}
        return {name: Normalisation(number, self.study.beam.revolution_hz) for name, number in colliding.items()}


def read_study(path: str | os.PathLike[str] | None = None) -> StudyFile:
    """Read a study from YAML: a file, or one that comes with l1emu by its name, such as `data/study-pu140.yaml`.

    Without a path it is the embedded one.

    Raises
    ------
    L1emuError
        if the file is absent, or at the first key that is unknown, missing or has a wrong value.
    """
    file = resource(SHIPPED) if path is None else Path(path)
    with suppress(L1emuError, OSError):  # what is no such file is told below
        file = resolve(str(file), Path())
    found = StudyFile(file, load_config(file, Study))
    _ = found.seeds  # a menu of another file is read, too
    return found
