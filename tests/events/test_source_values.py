"""Numbers that are none, in every kind of file: refused by file, column and entry, or given as NaN and counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import h5py
import numpy as np
import pandas as pd
import pytest
import uproot
from typer.testing import CliRunner

from l1emu.cli import app
from l1emu.errors import L1emuError
from l1emu.events.sources import FORMATS, open_ntuple, open_source, stacked
from l1emu.events.sources.containers import Columns
from tests.events.public_layouts import LAYOUTS, fastpuppi_columns, jagged
from tests.ntuple_files import write_tree

ODD = (np.nan, np.inf, -np.inf)


def l1nano(path: Path, change: Callable[[dict[str, Any]], None], rows: int = 6) -> Path:
    """L1 NanoAOD with one jet or two a crossing, and something changed."""
    rng = np.random.default_rng(1)
    counts = np.arange(rows) % 2 + 1
    columns: dict[str, Any] = {"event": np.arange(rows, dtype="u8")}
    for table in ("L1puppiJetSC4", "L1puppiJetSC4NG"):
        columns |= {f"{table}_{name}": jagged(rng, counts, 1, 3) for name in ("pt", "eta", "phi")}
    columns["L1puppiJetSC4NG_bTagScore"] = jagged(rng, counts)
    change(columns)
    write_tree(path, "Events", columns)
    return path


def put(name: str, place: int, value: float) -> Callable[[dict[str, Any]], None]:
    """Change one number of a column of lists."""

    def change(columns: dict[str, Any]) -> None:
        flat = ak.to_numpy(ak.flatten(columns[name])).copy()
        flat[place] = value
        columns[name] = ak.unflatten(flat, ak.num(columns[name]))

    return change


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("name", ["pt", "eta", "phi"])
def test_what_orders_and_selects_jets_is_refused_by_file_column_and_entry(
    tmp_path: Path, name: str, value: float
) -> None:
    path = l1nano(tmp_path / "n.root", put(f"L1puppiJetSC4NG_{name}", 4, value))
    source = open_source(path)
    for step in (1, 2, 1000):
        with pytest.raises(L1emuError, match=f"Events/L1puppiJetSC4NG_{name}, entry 3: not a number: got") as error:
            list(source.iterate(["tagged_jets"], step=step))
        assert error.value.path == str(path)
    assert len(source.read(["jets"])) == 6  # the other table is whole
    assert ak.any(~np.isfinite(source.read([f"L1puppiJetSC4NG_{name}"])[f"L1puppiJetSC4NG_{name}"]), axis=None)


@pytest.mark.parametrize("value", ODD)
def test_a_score_that_is_no_number_is_given_and_counted(tmp_path: Path, value: float) -> None:
    path = l1nano(tmp_path / "n.root", put("L1puppiJetSC4NG_bTagScore", 4, value))
    batch = open_source(path).read(["tagged_jets"])
    assert not np.isfinite(batch.tagged_jets.score_b[3][0])
    result = CliRunner().invoke(app, ["events", str(path), "--json"])
    fields = {f["name"]: f for f in json.loads(result.stdout)["fields"]}
    score = fields["tagged_jets.score_b"]
    finite = [x for x in ak.to_list(ak.flatten(batch.tagged_jets.score_b)) if np.isfinite(x)]
    assert (score["nan"], score["infinite"]) == ((1, 0) if np.isnan(value) else (0, 1))
    assert score["values"] == 9 and len(finite) == 8
    assert score["mean"] == pytest.approx(np.mean(finite)) and score["max"] == pytest.approx(max(finite))
    table = CliRunner().invoke(app, ["events", str(path)], env={"COLUMNS": "180"}).stdout
    line = next(line for line in table.splitlines() if "tagged_jets.score_b" in line)
    assert ("1 NaN" if np.isnan(value) else "1 infinite") in line


def test_means_of_huge_numbers_are_left_out(tmp_path: Path) -> None:
    def change(columns: dict[str, Any]) -> None:
        columns["L1puppiJetSC4NG_bTagScore"] = ak.values_astype(columns["L1puppiJetSC4_pt"], "f8") * 0.5e308

    path = l1nano(tmp_path / "n.root", change)
    result = CliRunner().invoke(app, ["events", str(path), "--json"])
    score = next(f for f in json.loads(result.stdout)["fields"] if f["name"] == "tagged_jets.score_b")
    assert score["mean"] is None and score["max"] is not None


@pytest.mark.parametrize("name", ["pt", "eta", "phi", "pdgId", "puppiWeight", "z0", "dxy", "charge"])
@pytest.mark.parametrize("value", ODD)
def test_a_candidate_of_no_number_is_refused_with_its_entry(tmp_path: Path, name: str, value: float) -> None:
    columns = fastpuppi_columns(np.random.default_rng(3), 8)
    entry = int(np.flatnonzero(ak.to_numpy(ak.num(columns["L1PuppiCands_pt"])) > 0)[2])
    place = int(ak.sum(ak.num(columns["L1PuppiCands_pt"])[:entry]))
    put(f"L1PuppiCands_{name}", place, value)(columns)
    path = tmp_path / "c.root"
    write_tree(path, "Events", columns)
    with pytest.raises(L1emuError, match=rf"c\.root: Events/L1PuppiCands_{name}, entry {entry}: not a number"):
        open_source(path).read(["candidates"])
    if name != "charge":  # the charge is that of the kind
        with pytest.raises(L1emuError, match=f"L1PuppiCands_{name}, entry {entry}: not a number"):
            list(open_ntuple(path).iterate(3))


def test_missing_values_of_rntuples(tmp_path: Path) -> None:
    """A mask in a list: a score that is missing is NaN, a pt that is missing is refused, and so is a list."""
    if tuple(int(part) for part in uproot.__version__.split(".")[:2]) < (5, 7):
        pytest.skip("this uproot does not write RNTuples")
    pt = ak.Array([[10.0, 20.0], [30.0], [40.0]])
    score = ak.Array([[0.5, None], [0.25], [None]])
    path = tmp_path / "r.root"

    def write(**changed: Any) -> None:
        columns = {f"L1puppiJetSC4{t}_{n}": pt for t in ("", "NG") for n in ("pt", "eta", "phi")}
        columns |= {"L1puppiJetSC4NG_bTagScore": score} | changed
        with uproot.recreate(path) as file:
            file.mkrntuple("Events", columns)

    write()
    found = open_source(path).read(["tagged_jets"]).tagged_jets.score_b
    assert "?" not in str(found.type) and ak.to_list(np.isnan(found)) == [[False, True], [False], [True]]
    write(L1puppiJetSC4NG_pt=ak.Array([[10.0, 20.0], [None], [40.0]]))
    with pytest.raises(L1emuError, match="L1puppiJetSC4NG_pt, entry 1: not a number"):
        open_source(path).read(["tagged_jets"])
    write(L1puppiJetSC4NG_bTagScore=ak.Array([[1, 2], [None], [3]]))
    with pytest.raises(L1emuError, match="bTagScore, entry 1: a missing value where the others are whole numbers"):
        open_source(path).read(["tagged_jets"])


def test_a_list_that_is_missing_is_refused() -> None:
    columns = Columns({"Events/L1puppiJetSC4_pt": ak.Array([[1.0], None, [2.0]])}, start=40)
    container: Any = type("Fake", (), {"path": Path("f.root")})
    with pytest.raises(L1emuError, match=r"f\.root: Events/L1puppiJetSC4_pt, entry 41: a list is missing"):
        FORMATS["l1nano"].build(container, columns, [f for f in FORMATS["l1nano"].fields if f.name == "jets.pt"])


@pytest.mark.parametrize(("text", "shown"), [("", "nan"), ("inf", "inf"), ("-inf", "-inf"), ("NaN", "nan")])
def test_a_feature_without_a_number_in_text_is_refused(tmp_path: Path, text: str, shown: str) -> None:
    path = tmp_path / "o.csv"
    LAYOUTS["openml-csv"][2](path)
    lines = path.read_text().splitlines()
    cells = lines[8].split(",")
    lines[8] = ",".join([text, *cells[1:]])
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(L1emuError, match=rf"o\.csv: zlogz, entry 7: not a number: got {shown}"):
        list(open_source(path).iterate(step=3))


def test_missing_values_of_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="parquet needs the extra `sources`")
    parquet = pytest.importorskip("pyarrow.parquet")
    LAYOUTS["openml-parquet"][2](tmp_path / "o.parquet")
    table = parquet.read_table(tmp_path / "o.parquet")
    values = [*table.column("zlogz").to_pylist()[:-1], None]
    table = table.set_column(0, "zlogz", pyarrow.array(values))
    parquet.write_table(table, tmp_path / "n.parquet")
    with pytest.raises(L1emuError, match="zlogz, entry 22: not a number"):
        open_source(tmp_path / "n.parquet").read()
    whole = table.set_column(0, "zlogz", pyarrow.array([1, *[None] * 22]))
    parquet.write_table(whole, tmp_path / "w.parquet")
    with pytest.raises(L1emuError, match="zlogz, entry 1: a missing value where the others are whole"):
        open_source(tmp_path / "w.parquet").read()


def test_a_fill_value_of_hdf5_is_a_missing_value(tmp_path: Path) -> None:
    path = tmp_path / "h.h5"
    LAYOUTS["hls4ml-jets"][2](path)
    with h5py.File(path, "a") as file:
        jets = file["jets"][:]
        names = [name.decode() for name in file["jetFeatureNames"]]
        jets[5, names.index("j_zlogz")] = -999
        del file["jets"]
        file.create_dataset("jets", data=jets, fillvalue=-999.0, chunks=(4, 59))
    assert np.flatnonzero(np.isnan(open_source(path).read(["jet.zlogz"]).jet.zlogz)).tolist() == [5]
    with h5py.File(path, "a") as file:
        file["jets"][6, names.index("j_pt")] = -999
    with pytest.raises(L1emuError, match="jets, entry 6: not a number"):
        open_source(path).read(["jet.pt"])


@pytest.mark.parametrize(("label", "match"), [(np.nan, "got nan"), (2.0, "got 2.0"), (0.5, "got 0.5"), (-1, "got -1")])
def test_classes_that_are_none_are_refused(tmp_path: Path, label: float, match: str) -> None:
    y = np.zeros(9)
    y[4] = label
    np.savez(tmp_path / "e.npz", X=np.ones((9, 3, 4)), y=y)
    with pytest.raises(L1emuError, match=f"y, entry 4: not the number of a class: {match}"):
        list(open_source(tmp_path / "e.npz").iterate(["label"], step=2))


@pytest.mark.parametrize("values", [[np.nan, 0, 0, 0, 0], [0.5, 0, 0, 0, 0], [1, 1, 0, 0, 0]])
def test_flags_of_classes_are_0_or_1(tmp_path: Path, values: list[float]) -> None:
    path = tmp_path / "h.h5"
    LAYOUTS["hls4ml-jets"][2](path)
    with h5py.File(path, "a") as file:
        file["jets"][3, -6:-1] = values
    with pytest.raises(L1emuError, match="jets, entry 3: a jet of several classes, or of part of one"):
        list(open_source(path).iterate(["label"], step=2))


def test_wrong_kinds_of_numbers_are_refused(tmp_path: Path) -> None:
    for kind in ("c16", "S3", "U3", "M8[s]"):
        path = tmp_path / "e.npz"
        np.savez(path, X=np.ones((3, 5, 4)).astype(kind), y=np.ones(3))
        with pytest.raises(L1emuError, match="X: not a column of numbers"):
            open_source(path).read(["particles"])
    for kind in (">f4", "f2", "u8", "?", ">i2"):
        np.savez(path, X=np.ones((3, 5, 4)).astype(kind), y=np.ones(3, ">u8"))
        assert ak.to_list(open_source(path).read().particles.pt) == [[1] * 5] * 3


def test_columns_of_text_are_told_by_their_lines(tmp_path: Path) -> None:
    LAYOUTS["openml-csv"][2](tmp_path / "o.csv")
    lines = (tmp_path / "o.csv").read_text().splitlines()
    expected = pd.read_csv(tmp_path / "o.csv")["zlogz"].tolist()
    blank = tmp_path / "blank.csv"
    blank.write_text("\n".join([*lines[:4], "", "", *lines[4:]]) + "\n")
    found = list(open_source(blank).iterate(["features.zlogz"], entries=(2, 9), step=2))
    assert ak.to_list(ak.concatenate(found).features.zlogz) == expected[2:9]
    for extra in (",7", ",7,8", ",7,8,9"):
        (tmp_path / "more.csv").write_text("\n".join([lines[0], *(line + extra for line in lines[1:])]) + "\n")
        with pytest.raises(L1emuError, match=r"more\.csv"):
            open_source(tmp_path / "more.csv").read()
    (tmp_path / "comma.csv").write_text("\n".join([lines[0], *(line + "," for line in lines[1:])]) + "\n")
    assert ak.to_list(open_source(tmp_path / "comma.csv").read().features.zlogz) == expected
    (tmp_path / "twice.csv").write_text("\n".join([lines[0].replace("c1_b0", "c1_b1"), *lines[1:]]) + "\n")
    with pytest.raises(L1emuError, match=r"two columns of one name: got 'c1_b1_mmdt'"):
        open_source(tmp_path / "twice.csv")


def test_none_is_no_input_of_a_tagger() -> None:
    batch = ak.Array([{"x": 1.0, "p": [1.0, None]}, {"x": None, "p": [2.0]}])
    for name in ("x", "p"):
        with pytest.raises(L1emuError, match=f"{name}: a value is missing"):
            stacked(batch, [name], particles=3)


def test_an_alias_called_as_a_branch_changes_and_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    path = l1nano(tmp_path / "a.root", lambda columns: None)
    plain = open_source(path).read(["jets.pt"])
    name = "L1puppiJetSC4_pt"
    monkeypatch.setattr(uproot.behaviors.TTree.TTree, "aliases", {name: f"2 * {name}", "L1puppiJetSC4_eta": "1"})
    assert ak.to_list(open_source(path).read(["jets.pt"])) == ak.to_list(plain)
    assert not [w for w in recwarn if w.category is uproot.exceptions.NameConflictWarning]
