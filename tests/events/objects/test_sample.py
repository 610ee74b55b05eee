"""Files of every layout by a map: the same objects, whatever the order, the step and the files' division."""

from __future__ import annotations

import shutil
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from l1emu.errors import L1emuError
from l1emu.eventdata import EventData
from l1emu.events.objects import ObjectSample, ObjectsMap, SumMap, open_objects
from l1emu.events.sources.containers import RootContainer
from tests.events.objects.files import JETS, LAYOUTS, RECORDS, l1nano, named, table, write_trees

MAP: dict[str, Any] = {
    "jets": {"collection": "L1puppiJetSC4", "pt": "pt", "eta": "eta", "phi": "phi"},
    "muons": {"collection": "L1gmtTkMuon", "pt": "pt", "eta": "eta", "charge": "charge", "quality": "hwQual"},
}
SUMS: dict[str, Any] = {
    "ht": {"of": "jets", "pt_min_gev": 30, "abs_eta_max": 2.4},
    "mht": {"of": "jets", "vector": True},
    "met": {"branch": "L1puppiMET_pt", "phi": "L1puppiMET_phi"},
    "second": {"branch": "L1puppiJetSC4sums_pt", "index": 1},
}


def whole(sample: ObjectSample, step: int = 7, **asked: Any) -> EventData:
    """All crossings of a sample in one."""
    parts = list(sample.iterate(step, **asked))
    return EventData(
        sum(part.crossings for part in parts),
        {name: ak.concatenate([part.objects[name] for part in parts]) for name in parts[0].objects},
        {name: np.concatenate([part.sums[name] for part in parts]) for name in parts[0].sums},
    )


def same(one: EventData, other: EventData) -> None:
    assert one.crossings == other.crossings
    assert list(one.objects) == list(other.objects) and list(one.sums) == list(other.sums)
    for name, objects in one.objects.items():
        assert objects.fields == other.objects[name].fields
        assert ak.to_list(objects) == ak.to_list(other.objects[name]), name
    for name, values in one.sums.items():
        np.testing.assert_array_equal(values, other.sums[name])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_what_is_in_the_file(tmp_path: Path, layout: str) -> None:
    if layout.startswith("parquet"):
        pytest.importorskip("pyarrow", reason="parquet needs the extra `sources`")
    if layout.startswith("RNTuple") and not RECORDS:
        pytest.skip("this uproot does not write RNTuples")
    members = table(np.random.default_rng(1), 30, charge=(-1, 2))
    path = LAYOUTS[layout](tmp_path / "n", members)
    sample = open_objects(path, {"jets": JETS | {"charge": "charge"}}, {"ht": {"of": "jets"}})
    assert (sample.crossings, sample.name, sample.kind, sample.strata, sample.path) == (30, "n", "signal", None, path)
    found = whole(sample)
    assert found.objects["jets"].fields == ["pt", "eta", "phi", "charge"]
    for name, values in members.items():
        assert ak.to_list(found.objects["jets"][name]) == ak.to_list(values)
    assert str(ak.type(found.objects["jets"].pt)) == "30 * var * float32"
    np.testing.assert_array_equal(found.sums["ht"], ak.sum(ak.values_astype(members["pt"], "f8"), axis=1))


def test_l1_nanoaod(tmp_path: Path) -> None:
    columns = l1nano(tmp_path / "a.root", vetoed=np.zeros(40, "?"))
    sample = open_objects(tmp_path / "a.root", MAP, SUMS, kind="minbias", name="zero bias")
    assert repr(sample) == "ObjectSample('zero bias', minbias, 40 crossings, 1 files)"
    found = whole(sample)
    assert ak.to_list(found.objects["muons"].quality) == ak.to_list(columns["L1gmtTkMuon_hwQual"])
    np.testing.assert_array_equal(found.sums["second"], columns["L1puppiJetSC4sums_pt"][:, 1])
    np.testing.assert_array_equal(found.sums["met"], columns["L1puppiMET_pt"])
    assert ak.to_list(found.objects["met"].phi[:, 0]) == ak.to_list(columns["L1puppiMET_phi"])
    assert list(found.objects) == ["jets", "muons", "met", "mht"]
    assert sample.recipe["objects"]["jets"]["pt"] == {"field": "pt"}
    again = open_objects(tmp_path / "a.root", sample.recipe["objects"], sample.recipe["sums"])
    same(found, whole(again))


def test_numbers_of_a_crossing_are_a_collection_of_one(tmp_path: Path) -> None:
    columns = l1nano(tmp_path / "a.root")
    found = whole(open_objects(tmp_path / "a.root", {"met": {"collection": "L1puppiMET", "pt": "pt", "phi": "phi"}}))
    assert ak.to_list(found.objects["met"].pt) == [[value] for value in columns["L1puppiMET_pt"].tolist()]


def test_only_what_is_asked_for_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    l1nano(tmp_path / "a.root")
    sample = open_objects(tmp_path / "a.root", MAP, SUMS)
    asked: list[set[str]] = []
    batches = RootContainer.batches

    def noted(self: RootContainer, columns: Any, *rest: Any) -> Any:
        asked.append({name.removeprefix("Events/") for name in columns})
        return batches(self, columns, *rest)

    monkeypatch.setattr(RootContainer, "batches", noted)
    found = whole(sample, fields={"muons": {"quality"}}, sums=())
    assert asked.pop() == {"L1gmtTkMuon_hwQual"}
    assert found.objects["muons"].fields == ["quality"] and not found.sums
    found = whole(sample, fields={}, sums={"ht"})
    assert asked.pop() == {"L1puppiJetSC4_pt", "L1puppiJetSC4_eta"}
    whole(sample, fields={"met": {"pt"}}, sums=())
    assert asked.pop() == {"L1puppiMET_pt", "L1puppiMET_phi"}
    whole(sample, fields={"jets": set()}, sums=())
    assert asked.pop() == {"L1puppiJetSC4_pt"}
    nothing = list(sample.iterate(30, fields={}, sums=()))
    assert [part.crossings for part in nothing] == [30, 10] and not asked


def test_members_that_are_not_mapped_are_there_by_their_own_names(tmp_path: Path) -> None:
    columns = l1nano(tmp_path / "a.root")
    sample = open_objects(tmp_path / "a.root", {"muons": {"collection": "L1gmtTkMuon", "pt": "pt"}})
    found = whole(sample, fields={"muons": {"hwQual", "pt"}})
    assert ak.to_list(found.objects["muons"].hwQual) == ak.to_list(columns["L1gmtTkMuon_hwQual"])
    with pytest.raises(
        L1emuError, match=r"objects.muons.hwqual: there is no branch 'L1gmtTkMuon_hwqual'; did you mean"
    ):
        sample.check({"muons": {"hwqual"}})


def test_what_may_be_asked_for(tmp_path: Path) -> None:
    l1nano(tmp_path / "a.root")
    l1nano(tmp_path / "b.root", seed=2, L1gmtTkMuon_hwQual=None)
    muons = {"collection": "L1gmtTkMuon", "p": {"field": "pt", "unit": "GeV"}}
    sample = open_objects(
        tmp_path / "a.root", {"muons": muons, "jets": {"pt": "L1puppiJetSC4_pt"}}, {"mht": SUMS["met"]}
    )
    members = ("p", "charge", "eta", "hwQual", "phi", "pt")
    assert sample.fields == {"muons": members, "jets": ("pt",), "mht": ("pt", "phi")}
    assert sample.known_sums == ("mht",)
    sample.check(sample.fields, sample.known_sums)
    both = open_objects([tmp_path / "a.root", tmp_path / "b.root"], "cms-phase2-l1nano")
    assert set(both.fields) == {"jets", "muons", "met"}
    assert both.fields["muons"] == ("pt", "eta", "phi", "charge")
    assert both.known_sums == ("met", "ht")
    both.check(both.fields, both.known_sums)


def test_units_scales_and_cuts_on_reading(tmp_path: Path) -> None:
    pt = ak.Array([[57000.0, 1000.0], [], [30000.0]])
    columns = {
        "obj_pt": pt,
        "obj_hwPhi": ak.values_astype(ak.Array([[0, 768], [], [511]]), "i4"),
        "obj_hwCharge": ak.values_astype(ak.Array([[0, 1], [], [1]]), "i2"),
        "obj_bx": ak.values_astype(ak.Array([[0, -1], [], [0]]), "i2"),
    }
    write_trees(tmp_path / "a.root", {"Events": columns})
    objects = {
        "collection": "obj",
        "pt": {"field": "pt", "unit": "MeV"},
        "phi": {"field": "hwPhi", "scale": 2 * np.pi / 1024},
        "charge": {"branch": "obj_hwCharge", "scale": -2, "offset": 1},
    }
    found = whole(open_objects(tmp_path / "a.root", {"a": objects})).objects["a"]
    assert found.pt.to_list() == [[57.0, 1.0], [], [30.0]]
    np.testing.assert_allclose(ak.flatten(found.phi), [0, -np.pi / 2, 511 * np.pi / 512])
    assert found.charge.to_list() == [[1, -1], [], [-1]]
    kept = {
        "in time": ({"bx": {"in": [0]}}, [[57.0], [], [30.0]]),
        "hard": ({"pt": {"min": 30}}, [[57.0], [], [30.0]]),  # in our units
        "soft": ({"pt": {"max": 30}, "charge": {"in": [-1]}}, [[1.0], [], [30.0]]),
        "none": ({"bx": {"min": 5}}, [[], [], []]),
    }
    sample = open_objects(tmp_path / "a.root", {name: objects | {"where": cut} for name, (cut, _) in kept.items()})
    found_each = whole(sample, step=2).objects
    assert {name: found_each[name].pt.to_list() for name in kept} == {name: pt for name, (_, pt) in kept.items()}


def test_a_cut_takes_padding_away_before_numbers_are_checked(tmp_path: Path) -> None:
    padded = np.array([[30.0, np.nan], [np.nan, np.nan]])
    np.savez(tmp_path / "a.npz", jet_pt=padded, jet_n=np.array([[1, 0], [0, 0]]))
    objects = {"collection": "jet", "pt": "pt", "n": "n", "where": {"n": {"min": 1}}}
    found = whole(open_objects(tmp_path / "a.npz", {"jets": objects}))
    assert found.objects["jets"].pt.to_list() == [[30.0], []]
    with pytest.raises(L1emuError, match=r"a.npz: jet_pt, entry 0: not a number: got nan"):
        open_objects(tmp_path / "a.npz", {"jets": {"pt": "jet_pt"}})


def friends(path: Path, events: int = 6, others: int = 6) -> dict[str, Any]:
    rng = np.random.default_rng(4)
    jets = table(rng, events, Bx=(-2, 3))
    upgrade = {f"jet{name[0].upper()}{name[1:]}": values for name, values in jets.items()}
    upgrade["sumType"] = ak.values_astype(ak.Array([[1, 2, 1, 8]] * events), "i2")
    upgrade["sumBx"] = ak.values_astype(ak.Array([[-1, 0, 0, 0]] * events), "f4")
    upgrade["sumEt"] = ak.Array(rng.uniform(0, 100, (events, 4)).tolist())
    upgrade["sumPhi"] = ak.Array(rng.uniform(-3, 3, (events, 4)).tolist())
    run = {"run": np.ones(others, "i4"), "lumi": np.ones(others, "i4"), "event": np.arange(others, dtype="u8")}
    write_trees(
        path, {"l1UpgradeTree/L1UpgradeTree": upgrade, "l1EventTree/L1EventTree": run | {"nPV": run["run"] * 3}}
    )
    return upgrade


def test_trees_that_are_friends(tmp_path: Path) -> None:
    upgrade = friends(tmp_path / "n.root")
    tree = "l1UpgradeTree/L1UpgradeTree"
    jets = {"tree": tree, "pt": "jetPt", "eta": "jetEta", "phi": "jetPhi", "where": {"jetBx": {"in": [0]}}}
    sums: dict[str, Any] = {
        "vertices": {"tree": "l1EventTree/L1EventTree", "branch": "nPV"},
        "ht": {"tree": tree, "branch": "sumEt", "where": {"sumType": {"in": [1]}, "sumBx": {"in": [0]}}},
        "met": {"tree": tree, "branch": "sumEt", "phi": "sumPhi", "where": {"sumType": {"in": [2]}}},
        "none": {"tree": tree, "branch": "sumEt", "phi": "sumPhi", "where": {"sumType": {"in": [3]}}},
        "later": {"tree": tree, "branch": "sumEt", "where": {"sumType": {"in": [1]}}, "index": 1},
    }
    found = whole(open_objects(tmp_path / "n.root", {"jets": jets}, sums), step=4)
    assert found.objects["jets"].pt.to_list() == upgrade["jetPt"][upgrade["jetBx"] == 0].to_list()
    np.testing.assert_array_equal(found.sums["vertices"], 3)
    np.testing.assert_array_equal(found.sums["ht"], upgrade["sumEt"][:, 2])
    np.testing.assert_array_equal(found.sums["later"], upgrade["sumEt"][:, 2])
    np.testing.assert_array_equal(found.objects["met"].phi[:, 0], upgrade["sumPhi"][:, 1])
    assert np.isnan(found.sums["none"]).all() and found.objects["none"].to_list() == [[]] * 6
    jets.pop("tree")
    same(found, whole(open_objects(tmp_path / "n.root", {"jets": jets}, sums, tree=tree), step=4))
    with pytest.raises(L1emuError, match="several trees, l1EventTree/L1EventTree, l1UpgradeTree/L1UpgradeTree; which"):
        open_objects(tmp_path / "n.root", {"jets": jets}, sums)
    friends(tmp_path / "m.root", others=5)
    with pytest.raises(L1emuError, match=r"m.root: the trees have different numbers of entries.*expected 6 each"):
        open_objects(tmp_path / "m.root", {"jets": jets}, sums, tree=tree)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("three")
    for seed, rows in ((1, 23), (2, 1), (3, 40)):
        l1nano(folder / f"{seed}.root", rows, seed)
    return [folder / f"{seed}.root" for seed in (1, 2, 3)]


@settings(max_examples=25, deadline=None)
@given(
    step=st.integers(1, 70), order=st.permutations([0, 1, 2]), span=st.tuples(st.integers(0, 63), st.integers(1, 70))
)
def test_nothing_depends_on_step_order_or_range(
    three: list[Path], step: int, order: list[int], span: tuple[int, int]
) -> None:
    files = [three[i] for i in order]
    each = [whole(open_objects(path, MAP, SUMS), 1000) for path in files]
    low, high = span[0], span[0] + span[1]
    sample = open_objects(files, MAP, SUMS, entries=(low, high))
    assert sample.crossings == min(64, high) - low
    found = whole(sample, step)
    for name, objects in found.objects.items():
        assert objects.to_list() == ak.concatenate([part.objects[name] for part in each])[low:high].to_list()
    for name, values in found.sums.items():
        np.testing.assert_array_equal(values, np.concatenate([part.sums[name] for part in each])[low:high])


def keys(sample: ObjectSample, step: int = 9) -> list[int]:
    return [int(key) for _, part in sample.iterate_keyed(step) for key in part]


def test_keys_say_which_crossing_it_is_wherever_it_lies(tmp_path: Path, three: list[Path]) -> None:
    alone = keys(open_objects(three[0], MAP))
    assert len(set(alone)) == 23
    together = keys(open_objects(three, MAP), 100)
    assert together[:23] == alone and len(set(together)) == 64
    with uproot.open(three[0]) as file:
        arrays = file["Events"].arrays()
    columns = {name: arrays[name] for name in arrays.fields if not name.startswith("n")}
    columns |= {name: ak.to_numpy(arrays[name]) for name in ("run", "luminosityBlock", "event", "L1puppiMET_pt")}
    for i, span in enumerate((slice(0, 9), slice(9, 23))):
        part = {n: v[span] for n, v in columns.items() if n != "L1puppiMET_phi"}
        write_trees(tmp_path / f"part{i}.root", {"Events": part})
    assert keys(open_objects([tmp_path / "part0.root", tmp_path / "part1.root"], MAP)) == alone
    friends(tmp_path / "n.root")
    objects = {"jets": {"tree": "l1UpgradeTree/L1UpgradeTree", "pt": "jetPt"}}
    found = keys(open_objects(tmp_path / "n.root", objects))
    assert len(set(found)) == 6
    friends(tmp_path / "m.root", 4, 4)
    assert keys(open_objects(tmp_path / "m.root", objects)) == found[:4]


def test_without_numbers_a_crossing_is_known_by_file_and_entry(tmp_path: Path) -> None:
    l1nano(tmp_path / "a.root", event=None)
    l1nano(tmp_path / "b.root", seed=2, event=None)
    found = keys(open_objects(tmp_path / "a.root", MAP))
    assert found == keys(open_objects(tmp_path / "a.root", MAP), 1)
    shutil.copy(tmp_path / "a.root", tmp_path / "c.root")
    assert found == keys(open_objects(tmp_path / "c.root", MAP))
    both = keys(open_objects([tmp_path / "b.root", tmp_path / "a.root"], MAP))
    assert both[40:] == found and len(set(both)) == 80
    assert keys(open_objects(tmp_path / "a.root", MAP, entries=(5, 9))) == found[5:9]


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 50), max_size=5).map(sorted),
    entries=st.sampled_from([None, (0, 50), (3, 53), (14, None)]),
    step=st.integers(1, 70),
)
def test_any_cut_gives_the_same_crossings(
    three: list[Path], cuts: list[int], entries: tuple[int, int | None] | None, step: int
) -> None:
    sample = open_objects(three, MAP, SUMS, entries=entries)
    low, high = entries or (0, 64)
    counted = [len([i for i in range(low, high or 64) if a <= i < b]) for a, b in ((0, 23), (23, 24), (24, 64))]
    assert sample.lengths == tuple(counted)
    starts = [max(low - a, 0) if n else 0 for a, n in zip((0, 23, 24), counted, strict=True)]
    assert sample.ranges == tuple((start, start + n) for start, n in zip(starts, counted, strict=True))
    edges = [0, *cuts, sample.crossings]
    found = [part for a, b in pairwise(edges) for part in sample.iterate_keyed(step, first=a, stop=b)]
    assert [int(key) for _, part in found for key in part] == keys(sample)
    again = [part for a, b in pairwise(edges) for part in sample.iterate(step, first=a, stop=b)]
    for parts in ([data for data, _ in found], again):
        assert sum(part.crossings for part in parts) == sample.crossings
        for name, objects in whole(sample).objects.items():
            assert ak.concatenate([part.objects[name] for part in parts]).to_list() == objects.to_list()
        for name, values in whole(sample).sums.items():
            np.testing.assert_array_equal(values, np.concatenate([part.sums[name] for part in parts]))


def test_a_range_reads_only_the_files_that_it_touches(three: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    sample = open_objects(three, MAP)
    read = []
    batches = RootContainer.batches

    def noted(self: RootContainer, *rest: Any) -> Any:
        read.append(self.path)
        return batches(self, *rest)

    monkeypatch.setattr(RootContainer, "batches", noted)
    whole = list(sample.iterate_keyed(100))
    assert set(read) == set(three)
    read.clear()
    ((_, third),) = sample.iterate_keyed(100, first=24)
    assert set(read) == {three[2]}
    np.testing.assert_array_equal(third, whole[2][1])
    assert list(sample.iterate(first=64)) == list(sample.iterate(first=30, stop=30)) == []


@pytest.mark.parametrize("span", [(-1, 3), (5, 4), (0, 65), (65, None)])
def test_what_is_no_range_of_the_sample(three: list[Path], span: tuple[int, int | None]) -> None:
    sample = open_objects(three, MAP)
    for read in (sample.iterate, sample.iterate_keyed):
        with pytest.raises(L1emuError, match=r"1.root: not a range of the crossings.*0 <= first <= stop <= 64"):
            read(first=span[0], stop=span[1])


def test_files_that_differ(tmp_path: Path) -> None:
    has, lacks = tmp_path / "a.root", tmp_path / "b.root"
    l1nano(has)
    l1nano(lacks, seed=2, L1gmtTkMuon_hwQual=None)
    for order in permutations([has, lacks]):
        with pytest.raises(L1emuError, match=r"'L1gmtTkMuon_hwQual' is missing, and other files have it") as error:
            open_objects(order, MAP)
        assert error.value.path == str(lacks) and error.value.where == "objects.muons.quality"
        assert str(has) in str(error.value.expected)
    # of a map that was taken over, only what is used has to be there
    sample = open_objects([has, lacks], "cms-phase2-l1nano")
    assert "quality" not in whole(sample).objects["muons"].fields
    sample.check({"muons": {"pt", "charge"}})
    with pytest.raises(L1emuError, match="hwQual' is missing, and other files have it"):
        sample.iterate(fields={"muons": {"quality"}})


WRONG: list[tuple[Any, Any, str]] = [
    ({"jets": JETS}, None, r"objects.jets.pt: there is no collection 'jets'"),
    ({"jets": MAP["jets"] | {"collection": "L1puppiJetSC5"}}, None, "collection 'L1puppiJetSC5'; did you mean"),
    (
        {"jets": MAP["jets"] | {"pt": "ptt"}},
        None,
        r"branch 'L1puppiJetSC4_ptt'; did you mean 'pt'\?; L1puppiJetSC4 has",
    ),
    (
        {"jets": {"pt": "L1pupiJetSC4_pt"}},
        None,
        r"'L1pupiJetSC4_pt' in the tree Events; did you mean 'L1puppiJetSC4_pt'",
    ),
    ({"jets": MAP["jets"] | {"tree": "Event"}}, None, "there is no tree 'Event'; did you mean 'Events'"),
    (
        {"jets": MAP["jets"] | {"where": {"bx": {"in": [0]}}}},
        None,
        "objects.jets.bx: there is no branch 'L1puppiJetSC4_bx'",
    ),
    ({"a": {"pt": "L1puppiJetSC4_pt", "eta": "L1gmtTkMuon_eta"}}, None, "fields of a have lists of different lengths"),
    ({"a": {"pt": "L1puppiJetSC4_pt", "eta": "L1puppiMET_pt"}}, None, "fields of a have lists of different lengths"),
    (MAP, {"jets": {"of": "muons"}}, "sums.jets: this is the name of objects, too"),
    (MAP, {"ht": {"of": "jest"}}, "sums.ht.of: there are no objects 'jest'; did you mean 'jets'"),
    (MAP, {"ht": {"branch": "L1puppiMET_p"}}, "sums.ht: there is no branch 'L1puppiMET_p'"),
    (MAP, {"ht": {"branch": "L1puppiJetSC4sums_pt"}}, r"a list a crossing, of which sums.ht is one number.*index: 0"),
    (MAP, {"m": {"branch": "L1puppiMET_pt", "phi": "L1puppiMET_ph"}}, "sums.m.phi: there is no branch"),
    (MAP, {"m": {"branch": "L1puppiMET_pt", "where": {"kind": {"in": [1]}}}}, "sums.m.where.kind: there is no branch"),
    (MAP, {"m": {"branch": "L1puppiJetSC4sums_pt", "index": 0, "phi": "L1puppiMET_phi"}}, "not as many numbers"),
    (MAP, {"ht": {"of": "muons", "vector": True, "where": {"iso": {"max": 1}}}}, "no branch 'L1gmtTkMuon_iso'"),
    ("cms-phase2-l1nan", None, "no map 'cms-phase2-l1nan' of objects; did you mean 'cms-phase2-l1nano'"),
    ({}, None, "objects: no objects"),
    ({"jets": {"pt": {"branch": "x", "units": "GeV"}}}, None, "objects.jets.pt.units: unknown key"),
    (MAP, {"ht": {"of": "jets", "branch": "x"}}, "sums.ht: either of"),
]


@pytest.mark.parametrize(("objects", "sums", "match"), WRONG)
def test_what_is_wrong_is_one_line_before_anything_long(tmp_path: Path, objects: Any, sums: Any, match: str) -> None:
    l1nano(tmp_path / "a.root")
    with pytest.raises(L1emuError, match=match) as error:
        open_objects(tmp_path / "a.root", objects, sums)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("fields", "sums", "match"),
    [
        ({"jest": {"pt"}}, [], r"there are no objects 'jest'; did you mean 'jets'\?; expected among jets, muons"),
        ({"jets": {""}}, [], "objects.jets: a field without a name"),
        ({"jets": {"pt", "z0"}}, [], "objects.jets.z0: there is no branch 'L1puppiJetSC4_z0'"),
        ({}, ["hat"], r"there is no sum 'hat'; did you mean 'ht'\?; expected among ht, met, mht, second"),
        ({"met": {"eta"}}, [], "the vector sum met has no such field: got 'eta'; expected pt or phi"),
    ],
)
def test_what_is_asked_for_and_is_not_there(tmp_path: Path, fields: Any, sums: Any, match: str) -> None:
    l1nano(tmp_path / "a.root")
    sample = open_objects(tmp_path / "a.root", MAP, SUMS)
    for call in (sample.check, lambda **asked: sample.iterate(9, **asked)):
        with pytest.raises(L1emuError, match=match):
            call(fields=fields, sums=sums)


def test_files_that_are_none(tmp_path: Path) -> None:
    l1nano(tmp_path / "a.root")
    with pytest.raises(L1emuError, match="no such file"):
        open_objects(tmp_path / "b.root", MAP)
    with pytest.raises(L1emuError, match="given twice"):
        open_objects([tmp_path / "a.root", tmp_path / "a.root"], MAP)
    shutil.copy(tmp_path / "a.root", tmp_path / "copy.root")
    with pytest.raises(L1emuError, match="a file of the same content is given twice"):
        open_objects(tmp_path / "*.root", MAP)
    l1nano(tmp_path / "copy.root", more=np.zeros(40))
    with pytest.raises(L1emuError, match="a crossing that was there before"):
        open_objects([tmp_path / "a.root", tmp_path / "copy.root"], MAP)
    friends(tmp_path / "n.root")
    friends(tmp_path / "m.root", 5, 5)  # others, and friends that begin alike
    objects = {"jets": {"tree": "l1UpgradeTree/L1UpgradeTree", "pt": "jetPt"}}
    assert open_objects([tmp_path / "n.root", tmp_path / "m.root"], objects).crossings == 11
    shutil.copy(tmp_path / "n.root", tmp_path / "o.root")
    with open(tmp_path / "o.root", "ab") as file:
        file.write(b"more")  # the content of the file is another one, that of its trees is not
    with pytest.raises(L1emuError, match="a crossing that was there before"):
        open_objects([tmp_path / "n.root", tmp_path / "o.root"], objects)
    for name in ("L1puppiJetSC4_pt", "L1puppiMET_pt"):
        columns = {name: ak.Array([[0.5]])[:0] if "Jet" in name else np.zeros(0)}
        write_trees(tmp_path / "none.root", {"Events": columns})
        with pytest.raises(L1emuError, match="there are no crossings: got '0 entries"):
            open_objects(tmp_path / "none.root", {"a": {"pt": name}})
    with pytest.raises(L1emuError, match="there are no crossings: got '40 entries, of which"):
        open_objects(tmp_path / "a.root", MAP, entries=(40, 50))
    with pytest.raises(L1emuError, match="not a range"):
        open_objects(tmp_path / "a.root", MAP, entries=(4, 2))
    with uproot.recreate(tmp_path / "empty.root") as file:
        file["text"] = "no tree"
    with pytest.raises(L1emuError, match="there is no tree in the file"):
        open_objects(tmp_path / "empty.root", MAP)


def test_a_number_that_is_none_is_refused_where_it_lies(tmp_path: Path) -> None:
    pt = ak.Array([[1.0]] * 20 + [[], [2.0, np.nan]] + [[3.0]] * 5)
    columns = {"jets_pt": pt, "jets_score": pt, "MET_pt": np.array([1.0] * 26 + [np.inf])}
    write_trees(tmp_path / "a.root", {"Events": columns})
    sample = open_objects(tmp_path / "a.root", {"jets": {"collection": "jets", "pt": "pt"}})
    with pytest.raises(L1emuError, match=r"a.root: Events/jets_pt, entry 21: not a number: got nan"):
        list(sample.iterate(4))
    scores = open_objects(tmp_path / "a.root", {"jets": {"collection": "jets", "score": "score"}})
    assert np.isnan(whole(scores).objects["jets"].score[21][1])
    sample = open_objects(tmp_path / "a.root", {"jets": {"score": "jets_score"}}, {"met": {"branch": "MET_pt"}})
    with pytest.raises(L1emuError, match=r"a.root: Events/MET_pt.*not a number: got inf"):
        list(sample.iterate(4))
    at = SumMap(branch="jets_pt", index=1)
    found = whole(
        open_objects(tmp_path / "a.root", {"jets": {"score": "jets_score"}}, {"s": SumMap(branch="jets_pt", index=0)})
    )
    assert np.isnan(found.sums["s"][20]) and found.sums["s"][21] == 2.0
    with pytest.raises(L1emuError, match=r"entry 21: not a number: got nan"):
        whole(open_objects(tmp_path / "a.root", {"jets": {"score": "jets_score"}}, {"s": at}))


def test_a_step_of_nothing(tmp_path: Path) -> None:
    l1nano(tmp_path / "a.root")
    for call in (open_objects(tmp_path / "a.root", MAP).iterate, open_objects(tmp_path / "a.root", MAP).iterate_keyed):
        with pytest.raises(L1emuError, match="step must be positive"):
            call(0)


def test_several_branches_of_one_name(tmp_path: Path) -> None:
    write_trees(
        tmp_path / "a.root", {"a/b": named("jets", table(np.random.default_rng(1), 5)), "a/c": {"x": np.zeros(3)}}
    )
    found = open_objects(tmp_path / "a.root", ObjectsMap.model_validate({"jets": JETS | {"tree": "a/b"}}))
    assert found.crossings == 5
