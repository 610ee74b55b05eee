"""Several files as one, in any order: the same answer or the same refusal; and where in a file the columns are."""

from __future__ import annotations

import os
import shutil
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from typer.testing import CliRunner

from l1emu.cli import app
from l1emu.errors import L1emuError
from l1emu.events.sources import open_crossings, open_ntuple, open_source
from l1emu.study import config, samples
from tests.events.public_layouts import LAYOUTS, Expected, fastpuppi_columns, jagged
from tests.ntuple_files import write_tree

RECORDS = tuple(int(part) for part in uproot.__version__.split(".")[:2]) >= (5, 7)


def write(path: Path, seed: int, *, dxy: bool = True, vertex: bool = True, **others: Any) -> Path:
    columns = fastpuppi_columns(np.random.default_rng(seed), 7, dxy=dxy)
    if vertex:
        columns["L1PV_z0"] = ak.Array([[0.5]] * 7)
    write_tree(path, "Events", columns | others)
    return path


def same_refusal(paths: list[Path], match: str, path: Path, **options: Any) -> None:
    for order in permutations(paths):
        with pytest.raises(L1emuError, match=match) as error:
            open_ntuple(order, **options)
        assert error.value.path == str(path)


def test_a_column_that_one_file_has_is_the_same_refusal_in_any_order(tmp_path: Path) -> None:
    with_dxy, without = write(tmp_path / "a.root", 1), write(tmp_path / "b.root", 2, dxy=False)
    same_refusal([with_dxy, without], "the file has dxy; a value for all", with_dxy, missing={"dxy": 0.0})
    same_refusal([with_dxy, without], "L1PuppiCands_dxy' is missing.*missing: {dxy: 0}", without)
    for order in ([with_dxy, without], [without, with_dxy]):
        for columns in (None, ["candidates"], ["candidates.dxy"]):
            with pytest.raises(L1emuError, match="dxy' is missing") as error:
                list(open_source(order).iterate(columns))
            assert error.value.path == str(without)
        assert len(open_source(order).read(["candidates.pt"])) == 14
        assert open_source(order).lacking("candidates.dxy") == (without,)


def test_a_vertex_that_one_file_has_is_stated_for_all(tmp_path: Path) -> None:
    has, lacks = write(tmp_path / "a.root", 1), write(tmp_path / "b.root", 2, vertex=False)
    third = write(tmp_path / "c.root", 3)
    same_refusal([has, lacks, third], r"L1PV_z0' is missing, and other files have it; expected.*candidates", lacks)
    same_refusal([has, lacks], "L1PV_z0' is missing", lacks, vertex="file")
    one, other = (open_ntuple(order, vertex="candidates") for order in ([has, lacks], [lacks, has]))
    first, second = (ak.concatenate([b.candidates for b in s.iterate()]) for s in (one, other))
    assert ak.to_list(first) == ak.to_list(ak.concatenate([second[7:], second[:7]]))
    assert (open_ntuple([has, third]).vertex, open_ntuple(lacks).vertex) == ("file", "candidates")


def test_files_of_two_formats_are_refused_in_any_order(tmp_path: Path) -> None:
    both = write(tmp_path / "a.root", 1, **{f"L1puppiJetSC4_{n}": jagged(np.random.default_rng(1), [1] * 7) for n in
                                            ("pt", "eta", "phi")})  # fmt: skip
    LAYOUTS["l1nano"][2](tmp_path / "b.root")
    for order in ([both, tmp_path / "b.root"], [tmp_path / "b.root", both]):
        with pytest.raises(L1emuError, match="files of two formats"):
            open_source(order)
        assert len(open_source(order, format="l1nano").read(["jets.pt"])) == 30


@pytest.mark.parametrize("layout", ["fastpuppi", "hls4ml-jets", "openml-csv", "energyflow"])
def test_a_file_given_twice_is_refused(tmp_path: Path, layout: str) -> None:
    _, name, make = LAYOUTS[layout]
    path, other = tmp_path / name, tmp_path / f"x{name}"
    make(path)
    make(other, seed=77)
    assert len(open_source([path, other])) == 46
    link, hard, copy = tmp_path / f"l{name}", tmp_path / f"m{name}", tmp_path / f"n{name}"
    link.symlink_to(path)
    os.link(path, hard)
    shutil.copy(path, copy)
    again = tmp_path / "." / "sub" / ".." / name
    (tmp_path / "sub").mkdir()
    for second in (path, link, hard, copy, again):
        for order in ([path, other, second], [second, other, path]):
            with pytest.raises(L1emuError, match="is given twice: its entries would count twice: got") as error:
                open_source(order)
            assert error.value.path == str(order[-1]) and str(order[0]) in str(error.value)
    with pytest.raises(L1emuError, match="given twice"):
        open_source([path, str(tmp_path / f"*{name}")])


def test_files_that_begin_alike_are_not_the_same(tmp_path: Path) -> None:
    values = np.ones((50_000, 3, 4))
    np.savez(tmp_path / "a.npz", X=values, y=np.zeros(50_000))
    values[777, 1, 2] = 5
    np.savez(tmp_path / "b.npz", X=values, y=np.zeros(50_000))
    assert len(open_source([tmp_path / "a.npz", tmp_path / "b.npz"])) == 100_000


def numbered(path: Path, seed: int, rows: slice, *, run: bool = True) -> Path:
    columns = fastpuppi_columns(np.random.default_rng(seed), 40)
    numbers: Expected = {"event": np.arange(100, 140, dtype="u8")}
    if run:
        numbers |= {"run": np.ones(40, "u4"), "luminosityBlock": np.full(40, 7, "u4")}
    write_tree(path, "Events", {name: values[rows] for name, values in (columns | numbers).items()})
    return path


@pytest.mark.parametrize("run", [True, False])
def test_a_crossing_in_two_files_is_refused(tmp_path: Path, run: bool) -> None:
    one = numbered(tmp_path / "a.root", 1, slice(0, 30), run=run)
    rest = numbered(tmp_path / "b.root", 1, slice(30, 40), run=run)
    over = numbered(tmp_path / "c.root", 1, slice(25, 40), run=run)
    like = numbered(tmp_path / "d.root", 2, slice(0, 40), run=run)  # the same numbers, other crossings
    assert len(open_source([one, rest])) == 40
    assert len(open_source([one, like])) == 70
    prefix = "1:7:" if run else ""
    for order in ([one, over], [over, one], [like, rest, over]):
        with pytest.raises(L1emuError, match=f"a crossing that was there before: got '{prefix}1[23]") as error:
            open_source(order)
        assert error.value.path == str(order[-1])
    # what is not a number of events, such as a list, says nothing
    columns = fastpuppi_columns(np.random.default_rng(1), 5)
    for i in range(2):
        write_tree(tmp_path / f"l{i}.root", "Events", columns | {"event": ak.Array([[1]] * 5), "i": np.full(5, i)})
    assert len(open_source(str(tmp_path / "l?.root"))) == 10
    # also within one file, as after adding a file to itself
    columns = fastpuppi_columns(np.random.default_rng(1), 5) | {"event": np.arange(5, dtype="u8")}
    write_tree(tmp_path / "e.root", "Events", {n: ak.concatenate([v, v]) for n, v in columns.items()})
    with pytest.raises(L1emuError, match="there before"):
        open_source(tmp_path / "e.root")


def test_globs_that_match_nothing_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.root", 1)
    with pytest.raises(L1emuError, match=r"no file matches: got .*none_\*"):
        open_source([tmp_path / "a.root", str(tmp_path / "none_*.root")])


@pytest.mark.skipif(not RECORDS, reason="this uproot does not read records in RNTuples")
def test_records_and_flat_columns_are_one_layout(tmp_path: Path) -> None:
    columns = fastpuppi_columns(np.random.default_rng(4), 50) | {"L1PV_z0": ak.Array([[0.5]] * 50)}
    records = ak.zip({name.partition("_")[2]: v for name, v in columns.items() if name.startswith("L1PuppiCands")})
    vertex = ak.zip({"z0": columns["L1PV_z0"]})
    with uproot.recreate(tmp_path / "r.root") as file:
        file.mkrntuple("Events", {"L1PuppiCands": records, "L1PV": vertex, "n": np.arange(50)})
    with uproot.recreate(tmp_path / "f.root") as file:
        file.mkrntuple("Events", columns | {"n": np.arange(50)})
    write_tree(tmp_path / "t.root", "Events", columns | {"n": np.arange(50)})
    found = [open_source(tmp_path / f"{name}.root") for name in "rft"]
    whole = [ak.to_list(source.read()) for source in found]
    assert whole[0] == whole[1] == whole[2]
    parts = list(found[0].iterate(entries=(11, 47), step=5))
    assert [len(part) for part in parts] == [5] * 7 + [1]
    assert ak.to_list(ak.concatenate(parts)) == whole[0][11:47]
    own = found[0].read(["L1PuppiCands.pt", "n"], entries=(1, 4))
    assert ak.to_list(own["n"]) == [1, 2, 3]
    batches = [ak.concatenate([b.candidates for b in open_ntuple(s.paths).iterate(9)]) for s in found]
    assert ak.to_list(batches[0]) == ak.to_list(batches[2])


def foldered(path: Path, columns: Expected, others: Expected) -> Path:
    with uproot.recreate(path) as file:
        for name, content in (("ntuple/Cands", columns), ("ntuple/Other", others)):
            types = {n: ak.type(v).content if isinstance(v, ak.Array) else v.dtype for n, v in content.items()}
            file.mktree(name, types, counter_name=lambda branch: f"n{branch}").extend(content)
    return path


def test_a_tree_in_a_folder_is_named(tmp_path: Path) -> None:
    columns = fastpuppi_columns(np.random.default_rng(4), 9)
    path = foldered(tmp_path / "a.root", columns, {"nPV": np.arange(9), "run": np.ones(9, "i4")})
    flat = tmp_path / "b.root"
    write_tree(flat, "Events", columns)
    with pytest.raises(L1emuError, match=r"the tree ntuple/Cands has the columns of fastpuppi: name it with --tree"):
        open_source(path)
    with pytest.raises(L1emuError, match=r"no tree 'ntuple/Cand'; expected among ntuple/Cands, ntuple/Other"):
        open_source(path, tree="ntuple/Cand")
    with pytest.raises(L1emuError, match="layout of this ROOT file is unknown"):
        open_source(path, tree="ntuple/Other")
    source = open_source(path, tree="ntuple/Cands")
    assert ak.to_list(source.read()) == ak.to_list(open_source(flat).read())
    assert ak.to_list(source.read(["ntuple/Other/nPV"], entries=(3, 5))["ntuple/Other/nPV"]) == [3, 4]
    one = next(iter(open_crossings(path, tree="ntuple/Cands").iterate(9)))
    other = next(iter(open_crossings(flat).iterate(9)))
    assert ak.to_list(one.candidates) == ak.to_list(other.candidates)
    assert open_ntuple(path, tree="ntuple/Cands").recipe["tree"] == "ntuple/Cands"
    with pytest.raises(L1emuError, match="only ROOT files have trees"):
        LAYOUTS["openml-csv"][2](tmp_path / "o.csv")
        open_source(tmp_path / "o.csv", tree="Events")


def test_columns_of_other_trees(tmp_path: Path) -> None:
    columns = fastpuppi_columns(np.random.default_rng(4), 9)
    for rows in (9, 5):
        path = tmp_path / f"{rows}.root"
        with uproot.recreate(path) as file:
            for name, content in (("Events", columns), ("info/Tree", {"nPV": np.arange(rows)})):
                types = {n: ak.type(v).content if isinstance(v, ak.Array) else v.dtype for n, v in content.items()}
                file.mktree(name, types, counter_name=lambda branch: f"n{branch}").extend(content)
        call = ["events", str(path), "--columns", "info/Tree/nPV", "--json"]
        result = CliRunner().invoke(app, call)
        if rows == 9:
            assert result.exception is None and '"max": 8.0' in result.stdout
            assert len(open_source(path).read(["info/Tree/nPV", "candidates.pt"])) == 9
        else:
            assert isinstance(result.exception, L1emuError)
            for wanted in (["info/Tree/nPV"], ["info/Tree/nPV", "candidates.pt"]):
                with pytest.raises(L1emuError, match=r"fewer entries|differ in length"):
                    open_source(path).read(wanted)


def test_the_last_cycle_of_a_tree_counts(tmp_path: Path) -> None:
    with uproot.recreate(tmp_path / "a.root") as file:
        for rows in (3, 6):
            columns = fastpuppi_columns(np.random.default_rng(rows), rows)
            types = {n: ak.type(v).content for n, v in columns.items()}
            file.mktree("Events", types, counter_name=lambda branch: f"n{branch}").extend(columns)
    assert len(open_source(tmp_path / "a.root").read()) == 6
    assert len(open_source(tmp_path / "a.root", tree="Events;1").read()) == 3
    assert len(open_source(tmp_path / "a.root", tree="Events").read()) == 6


def test_the_tree_is_named_in_a_study_too(tmp_path: Path) -> None:
    path = foldered(tmp_path / "a.root", fastpuppi_columns(np.random.default_rng(4), 9), {"nPV": np.arange(9)})
    settings = config.SampleFiles(files=[str(path)], tree="ntuple/Cands")
    study = SimpleNamespace(samples=config.Samples(background=settings), objects=None)
    file: Any = SimpleNamespace(study=study, path=tmp_path, files=lambda names: [Path(name) for name in names])
    assert samples.open_sample(file, "background").crossings == 9


def test_a_study_does_not_take_one_file_for_both(tmp_path: Path) -> None:
    path, other = write(tmp_path / "a.root", 1), write(tmp_path / "b.root", 2)
    copy = tmp_path / "c.root"
    shutil.copy(path, copy)
    files = lambda names: [Path(name) for name in names]  # noqa: E731

    def opened(minbias: Any, signal: Any) -> int:
        both = config.Samples(background=minbias, signal=signal)
        file: Any = SimpleNamespace(study=SimpleNamespace(samples=both, objects=None), path=tmp_path, files=files)
        return samples.open_sample(file, "background").crossings + samples.open_sample(file, "signal").crossings

    def named(path: Path, **others: Any) -> config.SampleFiles:
        return config.SampleFiles(files=[str(path)], **others)

    for same in (path, copy):
        with pytest.raises(L1emuError, match=r"samples\.signal: the same crossings are background") as error:
            opened(named(path), named(same))
        assert error.value.path == str(same)
    assert opened(named(path), named(other)) == 14
    assert opened(named(path), named(path, entries=[0, 3])) == 10


@pytest.mark.parametrize("kind", ["fifo", "folder", "device", "empty", "absent"])
def test_what_is_no_file_of_events_is_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.root"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "device":
        path = Path("/dev/zero")
    match = {"fifo": "not a regular", "folder": "a folder", "device": "not a regular", "empty": "empty"}
    for call in (open_source, open_ntuple, open_crossings):
        with pytest.raises(L1emuError, match=match.get(kind, "no such file")):
            call(path)
