"""Every public layout, read from a small file of it: values, ranges, batches, selections, and what is refused."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward as ak
import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from l1emu.errors import L1emuError
from l1emu.events.sample import read_sample
from l1emu.events.sources import FORMATS, Source, open_source
from l1emu.resources import resource
from tests.events.public_layouts import LAYOUTS, Expected, fastpuppi_columns, jagged
from tests.ntuple_files import write_tree

BLOCK = "values_block_0"
others: dict[Path, Expected] = {}


@dataclass(frozen=True)
class Written:
    """A file of a layout and what is in it."""

    format: str
    path: Path
    expected: Expected


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the files of this module lie."""
    return tmp_path_factory.mktemp("sources")


@pytest.fixture(scope="module", params=LAYOUTS)
def written(request: pytest.FixtureRequest, folder: Path) -> Written:
    """A file of each layout in turn."""
    format_, name, write = LAYOUTS[request.param]
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow", reason="parquet needs the extra `sources`")
    return Written(format_, folder / name, write(folder / name))


def member(batch: ak.Array, name: str) -> ak.Array:
    """`jets.pt` of a batch."""
    for part in name.split("."):
        batch = batch[part]
    return batch


def same(found: Any, expected: Any) -> bool:
    """Equal lists of equal numbers, None in the same places."""
    found, expected = ak.Array(found), ak.Array(expected)
    return bool(ak.to_list(found) == ak.to_list(expected))


def test_every_field_has_the_values_of_the_file(written: Written) -> None:
    source = open_source(written.path)
    assert source.format.name == written.format
    assert {f.name for f in source.fields} == set(written.expected)
    batch = source.read([f.name for f in source.fields])
    assert len(batch) == len(source) == len(next(iter(written.expected.values())))
    for name, values in written.expected.items():
        assert same(member(batch, name), values), name


def test_default_fields_leave_out_those_on_request(written: Written) -> None:
    source = open_source(written.path)
    default = source.read(entries=(0, 2))
    names = {f"{g}.{m}" if default[g].fields else g for g in default.fields for m in default[g].fields or [""]}
    assert names == {f.name for f in source.fields if not f.on_request}


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_batches_and_ranges_make_the_same_entries(written: Written, data: st.DataObject) -> None:
    """Two files as one source: any range in any batches is that part of everything."""
    other = written.path.with_name(f"other-{written.path.name}")
    if not other.exists():
        write = next(w for _, name, w in LAYOUTS.values() if name == written.path.name)
        others[other] = write(other, seed=99)
    source = open_source([written.path, other])
    n = len(source)
    first = data.draw(st.integers(0, n - 1))
    last = data.draw(st.integers(first + 1, n + 3) | st.none())
    step = data.draw(st.integers(1, n))
    name = data.draw(st.sampled_from(sorted(written.expected)))
    batches = list(source.iterate([name], entries=(first, last), step=step))
    assert all(0 < len(batch) <= step for batch in batches)
    all_of_both = [value for part in (written.expected, others[other]) for value in ak.to_list(ak.Array(part[name]))]
    found = [value for batch in batches for value in ak.to_list(member(batch, name))]
    assert found == all_of_both[first:last]


def test_a_group_or_the_files_own_columns_are_selected(folder: Path) -> None:
    path = folder / "own.root"
    LAYOUTS["fastpuppi"][2](path)
    source = open_source(path)
    assert source.read(["candidates"]).candidates.fields[:3] == ["pt", "eta", "phi"]
    batch = source.read(["candidates.pt", "run", "Events/L1PuppiCands_pt"])
    assert batch.candidates.fields == ["pt"]
    assert same(batch["run"], np.arange(len(source)))
    assert same(batch["Events/L1PuppiCands_pt"], batch.candidates.pt)


def test_our_own_samples_are_sources() -> None:
    for name in ("minbias-pu200", "signal-hh4b-pu200"):
        path = resource(f"datasets/{name}.root")
        source = open_source(path)
        assert source.format.name == "l1emu-packed"
        batch = next(source.iterate(step=50))
        sample = next(read_sample(path).iterate(50))
        assert same(batch.candidates, sample.candidates[batch.candidates.fields])
        if sample.truth is not None:
            assert same(batch.truth, sample.truth)


def test_globs_in_the_order_of_names(folder: Path) -> None:
    for i in (2, 1, 3):
        write_tree(
            folder / f"g{i}.root", "Events", fastpuppi_columns(np.random.default_rng(i), i) | {"n": np.full(i, i)}
        )
    source = open_source(str(folder / "g?.root"))
    assert source.lengths == (1, 2, 3)
    assert same(source.read(["n"])["n"], [1, 2, 2, 3, 3, 3])
    with pytest.raises(L1emuError, match="no file matches"):
        open_source(str(folder / "absent*.root"))


def test_every_missing_column_is_named_with_what_was_found(folder: Path) -> None:
    columns = fastpuppi_columns(np.random.default_rng(1), 4, z0=False)
    for name in ("eta", "phi", "charge", "pdgId", "puppiWeight"):
        path = folder / f"without-{name}.root"
        write_tree(path, "Events", {k: v for k, v in columns.items() if k != f"L1PuppiCands_{name}"})
        with pytest.raises(
            L1emuError, match=f"'Events/L1PuppiCands_{name}' is missing.*Events/L1PuppiCands_mass"
        ) as error:
            open_source(path)
        assert error.value.path == str(path)
    path = folder / "without-z0.root"
    write_tree(path, "Events", columns)
    with pytest.raises(L1emuError, match=r"L1PuppiCands_z0' is missing, for the field candidates\.z0"):
        open_source(path).read(["candidates.z0"])
    assert "z0" not in open_source(path).read().candidates.fields


def test_a_later_file_that_lacks_a_column_is_named(folder: Path) -> None:
    whole, other = folder / "s1.root", folder / "s2.root"
    write_tree(whole, "Events", fastpuppi_columns(np.random.default_rng(1), 4))
    write_tree(other, "Events", fastpuppi_columns(np.random.default_rng(1), 4, dxy=False))
    for columns in (None, ["candidates"], ["candidates.dxy"]):
        with pytest.raises(L1emuError, match="dxy' is missing") as error:
            open_source([whole, other]).read(columns)
        assert error.value.path == str(other)
    assert len(open_source([whole, other]).read(["candidates"], entries=(0, 3))) == 3


@pytest.mark.parametrize(
    ("layout", "change", "match"),
    [
        ("h.h5", {"jetFeatureNames": None}, "'jetFeatureNames' is missing.*jetConstituentList"),
        ("h.h5", {"jetConstituentList": np.ones((4, 30, 18))}, "fewer names than columns"),
        ("h.h5", {"jetConstituentList": np.ones((5, 30, 16))}, "differ in length"),
        ("h.h5", {"jets": np.ones((4, 58))}, "names and columns differ"),
        ("h.h5", {"jets": np.ones((4, 59))}, "of several classes"),
        ("h.h5", {"jetFeatureNames": np.array([f"j_x{i}" for i in range(59)], "S")}, "the name .* is missing.*x1"),
        ("t.h5", {"table/table": np.zeros(3, [(BLOCK, "f4", (800,)), ("values_block_1", "i8", (2,))])}, "804"),
        ("t.h5", {"table/table": np.zeros(3, [(BLOCK, "f4", (804,))])}, "values_block_1' is missing"),
    ],
)  # fmt: skip
def test_wrong_hdf5_is_refused(tmp_path: Path, layout: str, change: dict[str, Any], match: str) -> None:
    path = tmp_path / layout
    write = next(w for _, name, w in LAYOUTS.values() if name == layout)
    write(path, rows=4)
    with h5py.File(path, "a") as file:
        for name, values in change.items():
            del file[name]
            if values is not None:
                file[name] = values
    with pytest.raises(L1emuError, match=match):
        open_source(path).read()


def test_wrong_shapes_and_values_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    flat = fastpuppi_columns(rng, 4) | {"L1PuppiCands_pt": np.ones(4, "f4")}
    write_tree(tmp_path / "flat.root", "Events", flat)
    with pytest.raises(L1emuError, match=r"L1PuppiCands_pt: the column has another shape.*a list of numbers a row"):
        open_source(tmp_path / "flat.root").read()

    counts = fastpuppi_columns(rng, 4) | {"L1PuppiCands_eta": jagged(rng, [1, 2, 3, 4])}
    write_tree(tmp_path / "counts.root", "Events", counts)
    with pytest.raises(L1emuError, match="differ in length"):
        open_source(tmp_path / "counts.root").read()

    columns: Expected = {"Jet_pt": jagged(rng, [1, 2]), "Jet_eta": jagged(rng, [1, 2]), "Jet_phi": jagged(rng, [1, 2])}
    columns |= {"PFCands_pt": jagged(rng, [2, 3]), "JetPFCands_jetIdx": ak.Array([[0], [1]])}
    columns |= {"JetPFCands_pFCandsIdx": ak.Array([[1], [3]])}
    write_tree(tmp_path / "beyond.root", "Events", columns)
    with pytest.raises(L1emuError, match="pFCandsIdx: an index points beyond its table: got 3; expected less than 3"):
        open_source(tmp_path / "beyond.root").read()

    np.savez(tmp_path / "x.npz", X=np.ones((3, 5, 6)), y=np.ones(3))
    with pytest.raises(L1emuError, match="another number of columns: got 6"):
        open_source(tmp_path / "x.npz").read()
    np.savez(tmp_path / "o.npz", X=np.array([[1], None], object), y=np.ones(2))
    with pytest.raises(L1emuError, match="never unpickled"):
        open_source(tmp_path / "o.npz")

    LAYOUTS["openml-csv"][2](tmp_path / "o.csv")
    frame = pd.read_csv(tmp_path / "o.csv")
    frame.assign(**{"class": "b"}).to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(L1emuError, match="class: an unknown class: got 'b'; expected g, q, w, z, t"):
        open_source(tmp_path / "b.csv").read()
    frame.assign(zlogz="many").to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(L1emuError, match="zlogz: not a column of numbers"):
        open_source(tmp_path / "s.csv").read()
    frame.drop(columns="m2_b1_mmdt").to_csv(tmp_path / "d.csv", index=False)
    with pytest.raises(L1emuError, match=r"'m2_b1_mmdt' is missing.*m2_b2_mmdt"):
        open_source(tmp_path / "d.csv")


def test_truncated_and_corrupt_files_are_refused(written: Written, tmp_path: Path) -> None:
    """A file cut anywhere is refused; one with a stretch overwritten is refused or read, as nothing else can tell.

    A CSV cut between two lines is a shorter CSV: nothing in it says so.
    """
    data = written.path.read_bytes()
    text = written.path.suffix in (".csv", ".arff")
    names = list(written.expected)
    rng = np.random.default_rng(0)
    cuts = [data[: int(len(data) * f)] for f in (0.0, 0.001, 0.3, 0.6, 0.9)] + [data[:-1]]
    if text:
        cuts = [data[:40], data[:-30]]
    for content in cuts:
        path = tmp_path / f"cut{written.path.suffix}"
        path.write_bytes(content)
        with pytest.raises(L1emuError, match=str(path)):
            open_source(path, format=written.format).read(names)
    if not text:
        for _ in range(6):
            at = int(rng.integers(0, len(data) - 64))
            path = tmp_path / f"bad{written.path.suffix}"
            path.write_bytes(data[:at] + rng.bytes(64) + data[at + 64 :])
            try:
                open_source(path, format=written.format).read(names)
            except L1emuError as error:
                assert str(path) in str(error)


def test_what_is_no_source_is_refused(written: Written, tmp_path: Path) -> None:
    other = next(name for name, f in FORMATS.items() if not set(f.containers) & set(FORMATS[written.format].containers))
    with pytest.raises(L1emuError, match=f"not a file of the format {other}"):
        open_source(written.path, format=other)
    with pytest.raises(L1emuError, match=r"unknown format.*fastpuppi"):
        open_source(written.path, format="none")
    source = open_source(written.path)
    with pytest.raises(L1emuError, match="there is no field 'absent'"):
        source.read(["absent"])
    for entries in ((-1, 2), (3, 2), (len(source), None)):
        with pytest.raises(L1emuError, match="not a range"):
            source.read(entries=entries)
    with pytest.raises(L1emuError, match="step"):
        next(source.iterate(step=0))


def test_unknown_files_are_refused(tmp_path: Path) -> None:
    write_tree(tmp_path / "u.root", "Events", {"x": np.ones(3)})
    with pytest.raises(L1emuError, match=r"layout of this ROOT file is unknown; it has Events/x; expected .*fastpuppi"):
        open_source(tmp_path / "u.root")
    (tmp_path / "u.bin").write_bytes(b"\0\1\2\3")
    with pytest.raises(L1emuError, match="this kind of file is unknown"):
        open_source(tmp_path / "u.bin")
    for path, match in ((tmp_path, "a folder"), (tmp_path / "absent", "no such file")):
        with pytest.raises(L1emuError, match=match):
            open_source(path)
    with pytest.raises(L1emuError, match="no files"):
        open_source([])


def test_arrays_in_fortrans_order_and_undefined_jets_are_read(tmp_path: Path) -> None:
    values = np.random.default_rng(1).uniform(1, 2, (7, 5, 4))
    np.savez(tmp_path / "f.npz", X=np.asfortranarray(values), y=np.ones(7))
    batches = list(open_source(tmp_path / "f.npz").iterate(entries=(2, 7), step=2))
    assert np.array_equal(ak.to_numpy(ak.concatenate(batches).particles.phi), values[2:, :, 2])

    LAYOUTS["hls4ml-jets"][2](tmp_path / "h.h5")
    with h5py.File(tmp_path / "h.h5", "a") as file:
        file["jets"][0, -6:] = [0, 0, 0, 0, 0, 1]
    assert open_source(tmp_path / "h.h5").read(["label"]).label[0] == -1


def test_an_unknown_compression_is_named(tmp_path: Path) -> None:
    """Blosc, which PyTables writes and h5py does not read by itself."""
    if importlib.util.find_spec("hdf5plugin"):
        pytest.skip("hdf5plugin brings blosc")
    LAYOUTS["hls4ml-jets"][2](tmp_path / "h.h5")
    with h5py.File(tmp_path / "h.h5", "a") as file:
        del file["jets"]
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((23, 59))
        plist.set_filter(32001, h5py.h5z.FLAG_OPTIONAL)
        space = h5py.h5s.create_simple((23, 59))
        dataset = h5py.h5d.create(file.id, b"jets", h5py.h5t.NATIVE_DOUBLE, space, plist)
        dataset.write_direct_chunk((0, 0), b"compressed", 0)
    with pytest.raises(L1emuError, match=r"jets: the dataset cannot be decompressed.*filter 32001.*hdf5plugin"):
        open_source(tmp_path / "h.h5").read(["jet.pt"])


def test_openml_classes_as_bytes_and_quoted(tmp_path: Path) -> None:
    expected = LAYOUTS["openml-arff"][2](tmp_path / "o.arff")
    text = (tmp_path / "o.arff").read_text().replace("{g, q, t, w, z}", "{'g','q','t','w','z'}")
    (tmp_path / "o.arff").write_text(text.replace("ATTRIBUTE zlogz", "attribute 'zlogz'").replace("@DATA", "@data"))
    assert same(open_source(tmp_path / "o.arff").read().label, expected["label"])
    pyarrow = pytest.importorskip("pyarrow", reason="parquet needs the extra `sources`")
    parquet = pytest.importorskip("pyarrow.parquet")
    LAYOUTS["openml-parquet"][2](tmp_path / "o.parquet")
    table = parquet.read_table(tmp_path / "o.parquet")
    label = [name.encode() for name in table.column("class").to_pylist()]
    parquet.write_table(table.set_column(16, "class", pyarrow.array(label)), tmp_path / "b.parquet")
    assert same(open_source(tmp_path / "b.parquet").read().label, open_source(tmp_path / "o.parquet").read().label)


def test_empty_files_have_no_entries(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    write_tree(tmp_path / "a.root", "Events", fastpuppi_columns(rng, 0), batches=1)
    source = open_source(tmp_path / "a.root")
    assert len(source) == 0 and list(source.iterate()) == []
    write_tree(tmp_path / "b.root", "Events", fastpuppi_columns(rng, 3))
    both: Source = open_source(str(tmp_path / "[ab].root"))
    assert len(both.read()) == 3


def test_a_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    LAYOUTS["top-tagging"][2](tmp_path / "t.h5")
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(L1emuError, match=r"needs h5py.*extra `sources`"):
        open_source(tmp_path / "t.h5")


def test_every_field_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "sources.md").read_text()
    sections = {part.partition("`")[0]: part for part in page.split("### `")[1:]}
    assert sections.keys() == FORMATS.keys()
    for name, format_ in FORMATS.items():
        for field in format_.fields:
            line = next((x for x in sections[name].splitlines() if f"`{field.name}`" in x), "")
            cells = [cell.strip() for cell in line.split("|")]
            assert cells[2] == field.unit and cells[3].startswith(field.meaning), (name, field.name)
