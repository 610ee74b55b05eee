"""The verb `generate`: parts of a recipe, and what puts them together."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from l1emu.cli import main
from l1emu.events.generate import generate
from tests.events.generate.shard_toys import basket_bytes, recipe_of, write_toy_pools


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe, the pools it needs, and its sample made in one go."""
    path = tmp_path_factory.mktemp("toy")
    recipe = recipe_of(path, "minbias")
    write_toy_pools(recipe, path / "cache")
    generate(recipe, path / "whole.root", cache=path / "cache")
    return path


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs `l1emu generate` with these arguments; gives the exit code, what it printed, and its errors."""
    monkeypatch.setitem(sys.modules, "pythia8mc", None)

    def called(*arguments: Any) -> tuple[Any, str, str]:
        monkeypatch.setattr("sys.argv", ["l1emu", "generate", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main()
        return (exit_.value.code, *capsys.readouterr())

    return called


def test_parts_and_their_merging(folder: Path, tmp_path: Path, call: Any) -> None:
    recipe, common = folder / "minbias.yaml", ("--cache", folder / "cache")
    paths = [tmp_path / f"part-{number}.root" for number in (1, 2, 3)]
    for number in (2, 3, 1):
        shard = ("--shard", f"{number}/3", "-o", paths[number - 1], *common)
        code, out, _ = call(recipe, *shard, "--json")
        summary = json.loads(out)
        assert (code, summary["of_blocks"]) == (0, 17)
        assert summary["blocks"] == [(number - 1) * 17 // 3, number * 17 // 3]
    code, out, _ = call(recipe, "--shard", "2/3", "-o", paths[1], *common)
    assert code == 0 and "was there, and is as it should be" in out
    merged = tmp_path / "merged.root"
    code, out, _ = call(recipe, "--merge", *paths, "--output", merged, "--json")
    summary = json.loads(out)
    assert (code, summary["crossings"], summary["missing_blocks"]) == (0, 3920, [])
    assert [stratum["crossings"] for stratum in summary["strata"]] == [3100, 820]
    assert basket_bytes(merged) == basket_bytes(folder / "whole.root")
    code, out, _ = call(recipe, "--merge", paths[0], paths[2], "-o", tmp_path / "some.root")
    assert code == 0 and "blocks 5 to 11" in out
    code, out, _ = call(recipe, "--merge", *paths, "-o", tmp_path / "sample")
    assert code == 0 and len(list((tmp_path / "sample").iterdir())) == 3


def test_the_collisions_alone(folder: Path, call: Any) -> None:
    code, out, _ = call(folder / "minbias.yaml", "--collisions", "--cache", folder / "cache", "--json")
    assert (code, json.loads(out)) == (0, {"soft": 40, "qcd-20": 30})
    code, out, _ = call(folder / "minbias.yaml", "--collisions", "--cache", folder / "cache")
    assert code == 0 and "qcd-20" in out
    code, out, error = call(folder / "minbias.yaml", "--collisions", "--cache", folder / "nowhere")
    assert (code, out) == (2, "") and "Pythia 8 is not installed" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--shard", "0/3"), "--shard: not a part: got '0/3'; expected I/N with I from 1 to N"),
        (("--shard", "4/3"), "--shard: not a part: got '4/3'"),
        (("--shard", "1"), "--shard: not a part: got '1'"),
        (("--shard", "1/18"), "not a number of parts of this recipe: got 18; expected 1 to 17"),
        (("--shard", "1/2", "--merge", "a.root"), "--shard and --merge are different tasks"),
        (("a.root",), "files are for --merge: got 'a.root'"),
        (("--merge",), "no files to merge; expected l1emu generate RECIPE --merge FILES"),
        (("--merge", "a.root"), "a.root: no such file"),
        (("--collisions",), "--collisions writes no sample"),
    ],
)
def test_what_cannot_be_asked_for_is_one_line(
    arguments: tuple[str, ...], message: str, folder: Path, tmp_path: Path, call: Any
) -> None:
    code, out, error = call(folder / "minbias.yaml", *arguments, "-o", tmp_path / "x.root", "--json")
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert message in error
    assert not list(tmp_path.iterdir())


def test_parts_of_another_recipe_are_refused(folder: Path, tmp_path: Path, call: Any) -> None:
    recipe_of(tmp_path, "minbias", seed=99)
    code, _, error = call(tmp_path / "minbias.yaml", "--merge", folder / "whole.root", "-o", tmp_path / "x.root")
    assert code == 2 and "whole.root: a file of another recipe than toy" in error
