"""`results.json` read back: round trip, other versions, damage, and what else lies under its name."""

from __future__ import annotations

import html
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from l1emu import cli
from l1emu.errors import L1emuError
from l1emu.report.page import render
from l1emu.results import RESULTS, RESULTS_VERSION, StudyResults, read_results
from l1emu.study import Results, run_study
from tests.study.study_toys import write_toy_study


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("results")
    return run_study(write_toy_study(folder / "toy"), folder / "results")


@pytest.fixture
def document(made: Results) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((made.folder / RESULTS).read_text())
    return found


def test_what_was_written_is_read_back(made: Results, document: dict[str, Any]) -> None:
    assert read_results(made.folder) == read_results(made.folder / RESULTS) == made.content
    assert document == made.document == made.content.as_json()
    assert next(iter(document)) == "version"
    assert document["version"] == RESULTS_VERSION
    text = (made.folder / RESULTS).read_text()
    assert text == json.dumps(read_results(made.folder).as_json(), indent=2) + "\n"


def test_results_without_what_was_added_since_are_read(document: dict[str, Any], tmp_path: Path) -> None:
    assert document["samples"]["background"]["pileup"] == 200
    for name in ("energy_tev", "pileup"):
        del document["samples"]["background"][name]
    for tagger in document["emulation"]["taggers"]:
        del tagger["own_cpp"], tagger["of"]
    (tmp_path / RESULTS).write_text(json.dumps(document))
    found = read_results(tmp_path)
    assert found.samples.background.pileup is None
    assert found.emulation is not None and [tagger.own_cpp for tagger in found.emulation.taggers] == [{}]
    assert found.emulation.kinds == "jets"


def test_one_seed_is_one(document: dict[str, Any], tmp_path: Path) -> None:
    assert "3 seeds, " in repr(StudyResults.model_validate(document))
    document["menu"]["seeds"] = document["menu"]["seeds"][:1]
    (tmp_path / RESULTS).write_text(json.dumps(document))
    assert "1 seed, " in repr(read_results(tmp_path))


def test_what_taggers_saw_is_told_in_words(document: dict[str, Any], tmp_path: Path) -> None:
    one = document["emulation"]["taggers"][0]
    document["emulation"]["taggers"] = [one | {"of": of} for of in ("jets", "event", "muons", "jets")]
    (tmp_path / RESULTS).write_text(json.dumps(document))
    found = read_results(tmp_path).emulation
    assert found is not None and found.kinds == "jets and crossings and muons"


@pytest.mark.parametrize("version", [None, 0, 1, 2, 4, "3", True, 3.5, [3]])
def test_another_version_is_refused_in_one_line(document: dict[str, Any], tmp_path: Path, version: object) -> None:
    document.pop("version")
    if version is not None:
        document["version"] = version
    file = tmp_path / RESULTS
    file.write_text(json.dumps(document))
    with pytest.raises(L1emuError, match="another version") as error:
        read_results(tmp_path)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


def paths(node: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The place of every key of a document; of a list that of its first entry."""
    if isinstance(node, dict):
        return [(*here, key) for key in node] + [p for key in node for p in paths(node[key], (*here, key))]
    return paths(node[0], (*here, 0)) if isinstance(node, list) and node else []


OPEN = ("read_as", "pools", "dependencies", "files", "seeds", "kinds", "lost", "dead_fraction", "jets", "stations_ns",
        "occupancy_max", "latency_ns", "overlap", "efficiency", "signals", "firmware_content_hashes",
        "parameters", "threads", "kernels", "emulated_per_second", "from_cache", "slices")  # fmt: skip
"""Where the keys are names of the study's own, not fields."""

ADDED = ("energy_tev", "pileup", "own_cpp", "network", "of")
"""Fields that came without a new version: results from before have none of them, and are read."""


def test_every_field_that_is_missing_or_has_a_wrong_type_is_named(document: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / RESULTS
    tried = 0
    for place in paths(document):
        if place[0] == "version" or any(part in OPEN for part in place[:-1]):
            continue
        for damage in ("wrong",) if place[-1] in ADDED else ("missing", "wrong"):
            damaged = json.loads(json.dumps(document))
            inside = damaged
            for part in place[:-1]:
                inside = inside[part]
            if damage == "missing":
                del inside[place[-1]]
            else:
                inside[place[-1]] = [{"no": ["such", "value"]}]  # no field has this type
            file.write_text(json.dumps(damaged))
            try:
                read_results(file)
            except L1emuError as refused:
                error = str(refused)
            else:
                raise AssertionError((place, damage))
            assert str(place[-1]) in error or place == ("study",), (place, error)
            assert str(file) in error
            assert "\n" not in error
            tried += 1
    assert tried > 300


def test_a_field_too_many_is_named(document: dict[str, Any], tmp_path: Path) -> None:
    document["budget"]["chain"]["speed"] = 1
    (tmp_path / RESULTS).write_text(json.dumps(document))
    with pytest.raises(L1emuError, match=r"budget\.chain\.speed"):
        read_results(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00",
        b"[1, 2]",
        b'"results"',
        b'{"orbits": 20}',
        b'{"version": 1}',
        b'{"study": NaN}',
        b'{"study": 1',
    ],
)
def test_what_is_no_result_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / RESULTS
    file.write_bytes(content)
    with pytest.raises(L1emuError, match=str(file)) as error:
        read_results(tmp_path)
    assert "\n" not in str(error.value)


def test_a_folder_without_results_is_named(tmp_path: Path) -> None:
    with pytest.raises(L1emuError, match=RESULTS):
        read_results(tmp_path)


def test_half_a_file_is_refused(made: Results, tmp_path: Path) -> None:
    whole = (made.folder / RESULTS).read_bytes().rstrip()
    for cut in range(1, len(whole), len(whole) // 23):
        (tmp_path / RESULTS).write_bytes(whole[:cut])
        with pytest.raises(L1emuError, match=RESULTS):
            read_results(tmp_path)


def test_the_page_lists_every_field() -> None:
    page = (Path(__file__).parents[1] / "docs" / "results.md").read_text()

    def fields(schema: dict[str, Any]) -> set[str]:
        names: set[str] = set()
        for part in [schema, *schema.get("$defs", {}).values()]:
            names |= set(part.get("properties", {}))
        return names

    missing = {name for name in fields(StudyResults.model_json_schema()) if f"`{name}`" not in page}
    assert not missing


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "removed": lambda file: file.unlink(),
    "truncated": lambda file: os.truncate(file, file.stat().st_size // 2),
    "empty": lambda file: os.truncate(file, 0),
    "garbled": lambda file: file.write_bytes(bytes(255 - byte for byte in file.read_bytes())),
    "a folder": _folder,
}


def said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object
) -> tuple[object, str, str]:
    """Exit code, output and complaints of the command line."""
    monkeypatch.setattr(sys, "argv", ["l1emu", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code, *capsys.readouterr()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_folder_is_shown_or_refused_in_one_line(
    made: Results, tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each file of it in turn, by the verb that reads such folders, on either side."""
    files = [path.relative_to(made.folder) for path in made.folder.rglob("*") if path.is_file()]
    assert len(files) > 20
    one_of_each = {(file.parent, file.suffix): file for file in files}
    for number, file in enumerate(one_of_each.values()):
        folder = tmp_path / str(number)
        shutil.copytree(made.folder, folder)
        DAMAGES[damage](folder / file)
        pairs = [(made.folder, folder), (folder, made.folder)]
        for pair in pairs if file.name == RESULTS else pairs[number % 2 :][:1]:
            code, out, error = said(monkeypatch, capsys, "compare", *pair)
            if file.name != RESULTS:  # the page, figures and tables are made of this one file
                assert (code, error) == (0, ""), (file, error)
                assert "equal within their errors" in out
            else:
                assert (code, out) == (2, ""), error
                assert error.startswith(f"l1emu: {folder / RESULTS}: "), error
                assert error.count("\n") == 1
    without = tmp_path / "without"
    shutil.copytree(made.folder, without)
    (without / RESULTS).unlink()
    study = made.folder.parent / "toy" / "study.yaml"
    code, out, error = said(monkeypatch, capsys, "run", study, "--output", without)
    assert (code, out) == (2, "")
    assert f"{without}: this folder holds other files and no {RESULTS}" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("version", [RESULTS_VERSION - 1, RESULTS_VERSION + 1, None, "x" * 10_000])
def test_a_folder_of_another_version_is_refused_in_one_line(
    document: dict[str, Any], made: Results, tmp_path: Path, version: object,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / RESULTS).write_text(json.dumps(document | {"version": version}))
    code, out, error = said(monkeypatch, capsys, "compare", tmp_path, made.folder)
    assert (code, out) == (2, "")
    assert "another version of its fields" in error
    assert error.count("\n") == 1
    assert len(error) < 2500


NAMES = ["x" * 10_000, "</script><script>alert(1)</script>", "[red]b[/red] {{ 7*7 }} \x1b[31m\n# h", "_hidden $x^$"]


@pytest.mark.parametrize("name", NAMES, ids=["long", "markup", "rich", "math"])
def test_any_name_of_a_study_is_shown_as_it_is(
    document: dict[str, Any], tmp_path: Path, name: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """On the page, in the comparison and in what a notebook shows."""
    document["study"] = name
    for side in ("a", "b"):
        (tmp_path / side).mkdir()
        (tmp_path / side / RESULTS).write_text(json.dumps(document))
    code, _, error = said(monkeypatch, capsys, "compare", tmp_path / "a", tmp_path / "b")
    assert (code, error) == (0, "")
    found = read_results(tmp_path / "a")
    page = render(found, {})
    heading = page[page.index("<h1>") : page.index("</h1>")]
    assert len(heading) < 800
    assert "<script>alert" not in page
    assert html.unescape(heading.removeprefix("<h1>")) in (name, name[:399] + "…")
    assert "<script>alert" not in found._repr_html_()
    assert "49" not in heading
