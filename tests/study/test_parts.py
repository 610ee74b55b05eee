"""A study in parts: the same as in one, however its samples are cut; damage; and memory that does not grow."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from l1emu.emulator import Emulator
from l1emu.errors import L1emuError
from l1emu.study import read_study, run_study
from l1emu.study.config import StudyFile
from l1emu.study.measure import load_study_taggers
from l1emu.study.parts import PartOfSample, measure_part, read_part, read_part_label, study_readers
from l1emu.study.run import Results, finish_study
from l1emu.taggers import EmulatedTagger
from tests.study.nano_toys import STUDY, write_nano, write_study


def alike(results: Results) -> dict[str, Any]:
    """The document without what depends on how it was measured."""
    document = json.loads((results.folder / "results.json").read_text())
    for key in ("date", "engine", "times"):
        del document["manifest"][key]
    return dict(document)


def cut(crossings: int, pieces: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Ranges of any sizes, some of them empty."""
    edges = np.sort([0, *rng.integers(0, crossings + 1, pieces - 1), crossings])
    return [(int(a), int(b)) for a, b in itertools.pairwise(edges)]


def parts_in(file: StudyFile, taggers: Mapping[str, EmulatedTagger], folder: Path, pieces: int) -> list[Path]:
    rng = np.random.default_rng(pieces)
    paths: list[Path] = []
    for role, reader in study_readers(file, taggers).items():
        for first, stop in cut(reader.sample.crossings, pieces, rng):
            paths.append(folder / f"{len(paths)}.l1part")
            label = {"id": f"{role} {first}"}
            measure_part(file, taggers, PartOfSample(role, first, stop), paths[-1], label=label)
    return paths


@pytest.fixture(scope="module")
def file(toy: Path) -> StudyFile:
    return read_study(toy)


@pytest.fixture(scope="module")
def taggers(file: StudyFile) -> dict[str, EmulatedTagger]:
    return load_study_taggers(file)


@pytest.fixture(scope="module")
def paths(file: StudyFile, taggers: dict[str, EmulatedTagger], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return parts_in(file, taggers, tmp_path_factory.mktemp("parts"), 4)


@pytest.mark.parametrize(("pieces", "mixed"), [(2, False), (9, True)])
def test_any_cut_in_any_order_gives_the_same_document(
    results: Results, file: StudyFile, taggers: dict[str, EmulatedTagger], tmp_path: Path, pieces: int, mixed: bool
) -> None:
    """Strata that a part does not have, parts without a crossing, and collisions that parts share."""
    paths = parts_in(file, taggers, tmp_path, pieces)
    order = np.random.default_rng(3).permutation(len(paths)) if mixed else np.arange(len(paths))
    found = finish_study(file, [paths[i] for i in order], tmp_path / "out", engine="a test")
    assert alike(found) == alike(results)
    engine = found.document["manifest"]["engine"]
    assert (engine["name"], engine["parts"]) == ("a test", 2 * pieces)


def same(a: Any, b: Any) -> bool:
    if is_dataclass(a) and not isinstance(a, type):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    if isinstance(a, np.ndarray):
        return bool(a.shape == b.shape and a.tobytes() == b.astype(a.dtype).tobytes())
    if isinstance(a, tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def test_taggers_are_compiled_for_what_their_maps_make(file: StudyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(Emulator, "__call__", lambda self, x: seen.append(x.dtype.name))
    made = load_study_taggers(file).values()
    assert seen and seen == [tagger.inputs[0].map.precision for tagger in made]


def test_counts_add_associatively_and_in_any_order(file: StudyFile, paths: list[Path]) -> None:
    parts = [read_part(path, file.study.turn_ons) for path in paths]
    a, b, c, d = (part.counts for part in parts if part.part.role == "background")
    whole = reduce(add, [a, b, c, d])
    for other in ((a + b) + (c + d), a + (b + (c + d)), d + c + b + a, (c + a) + (d + b)):
        assert same(whole, other)
    assert whole.total == 600
    assert not same(whole, a + b + c)


def test_a_part_says_what_it_was_made_for(paths: list[Path]) -> None:
    assert read_part_label(paths[0]) == {"id": "background 0"}


def test_what_is_missing_is_said_as_a_fraction(file: StudyFile, paths: list[Path], tmp_path: Path) -> None:
    some = [p for p in paths if read_part_label(p)["id"] != read_part_label(paths[-2])["id"]]
    planned = {"background": 600, "signal": 200}
    found = finish_study(file, some, tmp_path / "out", engine="a test", planned=planned)
    signals = found.document["samples"]["signals"]
    assert found.document["samples"]["background"]["fraction"] == 1
    (signal,) = signals.values()
    assert signal["fraction"] == signal["crossings"] / 200 < 1


def test_a_damaged_part_is_refused_by_name(file: StudyFile, paths: list[Path], tmp_path: Path) -> None:
    whole = paths[1].read_bytes()
    path = tmp_path / "x.l1part"
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(40):
        damaged = bytearray(whole)
        if rng.random() < 0.3:
            damaged = damaged[: int(rng.integers(0, len(whole)))]
        else:
            for place in rng.integers(0, len(whole), 3):
                damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(damaged))
        try:
            part = read_part(path, file.study.turn_ons)
        except L1emuError as error:
            assert str(path) in str(error)
            assert "\n" not in str(error)
            refused += 1
        else:  # in what nobody reads: a date, a record
            assert part.part.role == "background"
    assert refused > 20


def test_a_part_of_another_version_or_kind_is_refused(file: StudyFile, tmp_path: Path) -> None:
    path = tmp_path / "x.l1part"
    for document, words in (({"kind": "l1emu part", "version": 99, "content": {}}, "another version"), ([], "not a")):
        with zipfile.ZipFile(path, "w") as container:
            container.writestr("part.json", json.dumps(document))
        with pytest.raises(L1emuError, match=words):
            read_part(path, file.study.turn_ons)


def test_a_study_of_parts_without_a_sample_is_refused(file: StudyFile, paths: list[Path], tmp_path: Path) -> None:
    with pytest.raises(L1emuError, match="a sample without crossings"):
        finish_study(file, paths[:4], tmp_path / "out", engine="a test")


def test_crossings_that_a_sample_does_not_have_are_refused(
    file: StudyFile, taggers: dict[str, EmulatedTagger], tmp_path: Path
) -> None:
    with pytest.raises(L1emuError, match=r"got \[0, 601\]; expected within 0 to 600"):
        measure_part(file, taggers, PartOfSample("background", 0, 601), tmp_path / "x.l1part")


def test_a_study_that_shares_nothing_asks_for_nothing(tmp_path: Path) -> None:
    """A menu of fixed seeds on trees: no scan, no tagger, no shared collision."""
    study = write_study(tmp_path / "s")
    file = read_study(study)
    whole = run_study(study, tmp_path / "whole")
    found = finish_study(file, parts_in(file, {}, tmp_path, 5), tmp_path / "out", engine="a test")
    assert alike(found) == alike(whole)


@pytest.mark.parametrize("numbered", [True, False])
def test_a_part_needs_the_file_alone_that_it_is_of(tmp_path: Path, numbered: bool) -> None:
    """Files of trees, with numbers of events and without: identities do not depend on the other files."""
    folder = tmp_path / "s"
    names = [f"{i}.root" for i in range(3)]
    menu = json.loads(json.dumps(STUDY["menu"]))
    menu[2] = {"name": "ht", "sums": {"ht": {"min_gev": "threshold"}}, "scan": {"start": 0, "stop": 900, "step": 50}}
    study = write_study(
        folder, samples={"background": {"files": names}, "signals": {"hh4b": {"files": "hh4b.root"}}}, menu=menu,
        rate={"target_khz": 1000, "replicas": 50},
    )  # fmt: skip
    for i, name in enumerate(names):
        write_nano(folder / name, 700 + i, i, numbered=numbered)
    file = read_study(study)
    paths: list[Path] = []
    for role, files in (("background", names), ("hh4b", ["hh4b.root"])):
        for name in files:
            one = file.of_one_file(role, str(folder / name))
            crossings = study_readers(one, {}, [role])[role].sample.crossings
            for first, stop in cut(crossings, 2, np.random.default_rng(len(paths))):
                paths.append(tmp_path / f"{len(paths)}.l1part")
                measure_part(one, {}, PartOfSample(role, first, stop), paths[-1])
    whole = run_study(study, tmp_path / "whole")
    assert alike(finish_study(file, paths, tmp_path / "out", engine="a test")) == alike(whole)


MEMORY = """
import sys
from l1emu.study import run_study
run_study(sys.argv[1], sys.argv[2])
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
print(int(status["VmHWM"].split()[0]) // 1024)
"""
"""Not what `resource` says: that holds what the parent took, too."""


def test_memory_does_not_grow_with_the_sample(tmp_path: Path) -> None:
    """A scanned menu on 20,000 crossings and on 12 times as many."""
    menu = json.loads(json.dumps(STUDY["menu"]))
    menu[2] = {"name": "ht", "sums": {"ht": {"min_gev": "threshold"}}, "scan": {"start": 0, "stop": 900, "step": 10}}
    taken = []
    for times in (1, 12, 1):  # at first kernels are compiled
        folder = tmp_path / str(times)
        study = write_study(folder, menu=menu, rate={"target_khz": 1000, "replicas": 50})
        data = yaml.safe_load(study.read_text())
        data["samples"]["background"]["files"] = [f"{i}.root" for i in range(times)]
        data["samples"]["step"] = 10_000
        study.write_text(yaml.safe_dump(data))
        for i in range(times):
            write_nano(folder / f"{i}.root", 20_000, i, scale_gev=40.0)
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, study, folder / "out"], capture_output=True, text=True, check=True
        )
        taken.append(int(done.stdout.split()[-1]))
    assert taken[1] < taken[2] + 40, taken
    assert taken[1] < 500, taken
