"""The comparison with somebody else's C++, on C++ of our own in the place of cmssw's."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from l1emu.cli import app
from l1emu.cli.ending import ended
from l1emu.cmssw import STAGES, StageComparison, build, compare, compare_folders
from l1emu.cmssw.build import types_folder
from l1emu.cmssw.compare import golden
from l1emu.cmssw.stage import CmsCase, CmsStage, pack_rows, unpack_rows
from l1emu.cmssw.versions import function_hash
from l1emu.errors import L1emuError, SeveralErrors

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")

HEADER, SOURCE = "Toy/interface/halves.h", "Toy/src/halves.cc"
TEXTS = {
    HEADER: '#include "ap_int.h"\nint half(int x);\n',
    SOURCE: '#include "Toy/interface/halves.h"\nint half(int x) { return x / 2; }\n',
}
DRIVER = """
#include "Toy/interface/halves.h"
#include "words.h"
int main(int argc, char **argv) {
  Words words(argc, argv);
  while (words.more())
    for (long n = words.next(); n > 0; --n)
      words.put(half(words.next()));
  return words.end();
}
"""


def cases() -> Iterator[CmsCase]:
    yield CmsCase("none", pack_rows(np.zeros((0, 1), np.int64), np.zeros(3, np.int64)))
    yield CmsCase("odd and even", pack_rows(np.arange(-5, 7)[:, None], np.array([5, 0, 7])))


def halves(given: NDArray[np.int64]) -> NDArray[np.int64]:
    rows, _ = unpack_rows(given, 1)
    toward_zero: NDArray[np.int64] = np.trunc(rows[:, 0] / 2).astype(np.int64)  # as C++ divides
    return toward_zero


def floors(given: NDArray[np.int64]) -> NDArray[np.int64]:
    rows, _ = unpack_rows(given, 1)
    below: NDArray[np.int64] = np.floor(rows[:, 0] / 2).astype(np.int64)
    return below


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the stage `halves`, and headers, as little as will do, in `types`."""
    for file, text in TEXTS.items():
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_text(text)
    (tmp_path / "types").mkdir()
    for name in ("ap_int.h", "ap_fixed.h"):
        (tmp_path / "types" / name).write_text("")
    (tmp_path / "halves.cpp").write_text(DRIVER)
    monkeypatch.setenv("L1EMU_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(build, "DRIVERS", tmp_path)
    monkeypatch.setitem(STAGES, "halves", stage())
    return tmp_path


def stage(ours: object = halves) -> CmsStage:
    known = {SOURCE: {"half": function_hash(TEXTS[SOURCE], "half") or ""}}
    return CmsStage("halves", (SOURCE,), (HEADER,), cases, ours, known)  # type: ignore[arg-type]


def compared(folder: Path) -> StageComparison:
    """What came of the stage `halves` of one folder, or the error."""
    done = compare_folders([folder], types=folder / "types", stages=["halves"])
    for problem in done.problems:
        raise problem
    return done.found[0]


def test_words_that_agree(toy: Path) -> None:
    found = compared(toy)
    assert (found.words, found.differ, found.first, found.changed) == (12, 0, None, ())
    arguments = ["validate", "cmssw", "--source", str(toy), "--ap-types", str(toy / "types"), "--stage", "halves"]
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0
    (said,) = json.loads(done.stdout)
    assert said.pop("files_sha256") == found.files and len(found.files) == 12
    assert said == {"stage": "halves", "words": 12, "differ": 0, "source": str(toy), "version": None, "commit": None}


def test_words_that_differ_are_counted_and_the_first_is_told(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STAGES, "halves", stage(floors))
    arguments = ["validate", "cmssw", "--source", str(toy), "--ap-types", str(toy / "types"), "--stage", "halves"]
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 1
    assert [(c["stage"], c["words"], c["differ"]) for c in json.loads(done.stdout)] == [("halves", 12, 3)]
    assert done.stderr == "halves: first word 0 of odd and even: -2 of CMS, -3 of ours\n"


def test_another_body_is_named_where_words_differ(toy: Path) -> None:
    (toy / SOURCE).write_text(TEXTS[SOURCE].replace("x / 2", "x >> 1"))
    found = compared(toy)
    assert found.differ == 3
    assert found.changed == ((SOURCE, "half"),)
    assert found.differences()[1] == f"{SOURCE}: function half: another version than the one compared"


def test_another_signature_is_named_where_it_does_not_compile(toy: Path) -> None:
    for file, text in TEXTS.items():
        (toy / file).write_text(text.replace("int half(int x", "int half(int x, int rounding"))
    with pytest.raises(L1emuError, match=f"{SOURCE}: function half: another version than the one compared"):
        compared(toy)


def test_what_does_not_compile_otherwise_is_told_by_the_compiler(toy: Path) -> None:
    (toy / HEADER).write_text("int half(int x)\n")
    with pytest.raises(L1emuError, match=r"the stage halves does not compile: .*error:"):
        compared(toy)


def kept(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (folder / "cache" / "cmssw").iterdir()}


def test_what_was_compiled_is_kept_until_it_changes(toy: Path) -> None:
    compared(toy)
    first = kept(toy)
    assert len(first) == 2  # the driver and the source
    compared(toy)
    assert kept(toy) == first
    (toy / HEADER).write_text(TEXTS[HEADER] + "inline int third(int x) { return x / 3; }\n")
    compared(toy)
    assert len(kept(toy)) == 4  # both include it


def test_every_step_is_told(toy: Path) -> None:
    steps: list[int] = []

    def start(total: int) -> Callable[[int], None]:
        assert total == 3
        return steps.append

    compare_folders([toy], types=toy / "types", stages=["halves"], start=start)
    assert sum(steps) == 3


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\xff", b"404: Not Found\n", b""])
def test_a_file_that_is_not_of_cmssw_is_named(toy: Path, content: bytes) -> None:
    (toy / SOURCE).write_bytes(content)
    with pytest.raises(
        L1emuError, match=rf"{SOURCE}: not the C\+\+ of cmssw: none of the functions .* halves is in it"
    ):
        compared(toy)


def test_a_file_that_only_another_includes_is_named_where_it_is_missing(toy: Path) -> None:
    (toy / HEADER).write_text('#include "Toy/interface/other.h"\n')
    with pytest.raises(
        L1emuError, match=r"Toy/interface/other\.h: this file of cmssw is missing, which the stage halves"
    ):
        compared(toy)


def test_a_crash_is_told(toy: Path) -> None:
    (toy / SOURCE).write_text("#include <cstdlib>\nint half(int) { std::abort(); }\n")
    with pytest.raises(L1emuError, match="the stage halves ended with SIGABRT"):
        compared(toy)


@pytest.fixture
def versions(toy: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The folder of `toy`, a checkout, and another: with a later version of `halves`, and without the stage `whole`."""
    later = toy / "later"
    for file, text in TEXTS.items():
        (later / file).parent.mkdir(parents=True, exist_ok=True)
        (later / file).write_text(text.replace("x / 2", "x >> 1").replace("int half(int x);", "int half(int); // v2"))
    (toy / "Toy/src/whole.cc").write_text("int whole(int x) { return x; }\n")
    driver = DRIVER.replace("half(", "whole(").replace('#include "Toy', "int whole(int);\n// ")
    (toy / "whole.cpp").write_text(driver)
    shutil.copy(toy / "halves.cpp", toy / "floors.cpp")
    whole = stage(lambda given: unpack_rows(given, 1)[0].ravel())
    functions = {"Toy/src/whole.cc": {"whole": "0" * 16}}
    new = {SOURCE: {"half": function_hash((later / SOURCE).read_text(), "half") or ""}}
    stages = {
        "whole": replace(whole, name="whole", sources=("Toy/src/whole.cc",), headers=(), functions=functions),
        "halves": replace(stage(), told_by=(HEADER, "int half(int x)"), version="v1"),
        "floors": replace(stage(floors), name="floors", told_by=(HEADER, "// v2"), version="v2", functions=new),
    }
    monkeypatch.setattr(compare, "STAGES", stages)
    git = ["git", "-C", str(toy), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run([*git, *words], check=True)
    return toy, later


def validated(toy: Path, *sources: Path) -> Result:
    words = ["validate", "cmssw", "--ap-types", str(toy / "types")]
    return CliRunner().invoke(app, [*words, *(w for source in sources for w in ("--source", str(source))), "--json"])


def test_several_folders_give_every_stage_of_its_version(versions: tuple[Path, Path]) -> None:
    old, later = versions
    done = validated(old, old, later, old)
    assert done.exit_code == 0, done.output
    found = [(c["stage"], c["words"], c["differ"], c["source"], c["version"]) for c in json.loads(done.stdout)]
    assert found == [
        ("whole", 12, 0, str(old), None),
        ("halves", 12, 0, str(old), "v1"),
        ("floors", 12, 0, str(later), "v2"),
    ]
    head = subprocess.run(["git", "-C", str(old), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert [c["commit"] for c in json.loads(done.stdout)] == [head.stdout.strip(), head.stdout.strip(), None]
    alone = validated(old, old)
    assert alone.stderr == "floors: not compared: no folder has the version v2\n"


def test_a_stage_of_several_folders_is_compared_in_each_and_every_fault_is_told(versions: tuple[Path, Path]) -> None:
    old, later = versions
    third = shutil.copytree(later, old / "third")
    (later / "Toy/src/whole.cc").write_text("int whole(int x) { return x + 1; }\n")
    (third / SOURCE).write_text("int half(int x) { return wrong; }\n")
    (third / "Toy/src/whole.cc").write_text("int whole(int x) { return x + wrong; }\n")
    done = validated(old, old, later, third)
    found = [(c["stage"], c["differ"], Path(c["source"]).name) for c in json.loads(done.stdout)]
    assert found == [("whole", 0, old.name), ("whole", 12, "later"), ("halves", 0, old.name), ("floors", 0, "later")]
    assert f"whole of {later}: Toy/src/whole.cc: function whole: another version" in done.stderr
    assert isinstance(done.exception, SeveralErrors)
    assert [Path(str(error.path)).relative_to(third).name for error in done.exception.errors] == [
        "whole.cc",
        "halves.cc",
    ]
    assert all("another version than the one compared" in str(error) for error in done.exception.errors)


def test_every_missing_file_of_every_folder_is_told_before_anything_is_compiled(
    versions: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    old, later = versions
    (old / HEADER).unlink()
    (later / HEADER).unlink()
    done = validated(old, old, later)
    assert isinstance(done.exception, SeveralErrors) and not (old / "cache").exists()
    errors = done.exception

    def verb() -> int:
        raise errors

    assert ended(verb) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in said] == [str(old / HEADER), str(later / HEADER)]


def test_golden_words_are_those_of_the_driver(toy: Path) -> None:
    path = toy / "halves.npz"
    golden(stage(), toy, toy / "types", list(cases()), [f"{SOURCE} 0123"], path)
    with np.load(path) as file:
        assert file["cases"].tolist() == ["none", "odd and even"]
        assert file["commits"].tolist() == [f"{SOURCE} 0123"]
        assert file["cms_1"].tolist() == [-2, -2, -1, -1, 0, 0, 0, 1, 1, 2, 2, 3]
        assert file["cms_1"].dtype.itemsize <= 2


def test_a_file_that_is_missing_is_named(toy: Path) -> None:
    (toy / HEADER).unlink()
    arguments = ["validate", "cmssw", "--source", str(toy), "--ap-types", str(toy / "types"), "--stage", "halves"]
    with pytest.raises(L1emuError, match=f"{HEADER}: this file of cmssw is missing, which the stage halves needs"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_what_else_is_missing_is_named(toy: Path) -> None:
    with pytest.raises(L1emuError, match="no such stage: got 'thirds'"):
        compare_folders([toy], stages=["thirds"])
    with pytest.raises(L1emuError, match="no such folder"):
        compare_folders([toy / "absent"], stages=["halves"])
    (toy / "types" / "ap_fixed.h").unlink()
    with pytest.raises(L1emuError, match=r"ap_fixed\.h: no such header"):
        types_folder(toy / "types")
    with pytest.raises(L1emuError, match="--source: nothing to compile"):
        CliRunner().invoke(app, ["validate", "cmssw"], catch_exceptions=False)


def test_rows_come_back_from_their_words() -> None:
    rows, counts = np.arange(12).reshape(6, 2), np.array([0, 2, 4, 0])
    words = pack_rows(rows, counts)
    assert words.tolist() == [0, 2, 0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 9, 10, 11, 0]
    back, found = unpack_rows(words, 2)
    assert back.tolist() == rows.tolist() and found.tolist() == counts.tolist()
