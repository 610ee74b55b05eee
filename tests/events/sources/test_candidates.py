"""Candidates in physical units to hardware integers, and ntuples of them as samples."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l1emu.errors import L1emuError
from l1emu.events import build_jets, read_sample
from l1emu.events.hardware import MAX_CANDIDATES, PT_MAX
from l1emu.events.sources import hardware_candidates, open_ntuple
from l1emu.events.sources.containers import RootContainer
from l1emu.resources import resource
from tests.events.public_layouts import fastpuppi_columns, l1nano
from tests.ntuple_files import about_vertex, as_ntuple, write_tree


@pytest.fixture(scope="module")
def ntuple(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first crossings of the shipped signal, as FastPUPPI would write them, with their vertices."""
    batch = next(read_sample(resource("datasets/signal-hh4b-pu200.root")).iterate(300))
    vertex = np.random.default_rng(3).normal(0, 4, 300)
    path = tmp_path_factory.mktemp("ntuple") / "perfNano.root"
    columns = as_ntuple(about_vertex(batch), vertex)
    write_tree(path, "Events", columns | {"L1PV_z0": ak.unflatten(vertex.astype("f4"), np.ones(300, int))})
    return path


def test_an_ntuple_of_our_crossings_gives_their_jets_and_features(ntuple: Path) -> None:
    """Hardware words to floats and back: every candidate, jet and input of the tagger is the same integer."""
    expected = about_vertex(next(read_sample(resource("datasets/signal-hh4b-pu200.root")).iterate(300)))
    sample = open_ntuple(ntuple)
    assert (sample.vertex, sample.crossings, sample.strata) == ("file", 300, None)
    batches = list(sample.iterate(70))
    found = ak.concatenate([b.candidates for b in batches])
    assert set(expected.fields) - set(found.fields) == {"emid", "quality"}  # words that such files lack
    for name in found.fields:
        assert ak.all(found[name] == expected[name]), name
    ours, theirs = build_jets(expected), build_jets(found)
    assert len(ours.pt) > 1000
    assert np.array_equal(ours.features, theirs.features) and np.array_equal(ours.pt, theirs.pt)
    assert all((b.stratum == 0).all() and (b.hard_event == -1).all() for b in batches)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Ntuples of 23, 1 and 16 crossings."""
    folder = tmp_path_factory.mktemp("three")
    for name, rows in (("a", 23), ("b", 1), ("c", 16)):
        columns = fastpuppi_columns(np.random.default_rng(rows), rows)
        write_tree(folder / f"{name}.root", "Events", columns | {"event": np.arange(rows) + 100 * rows})
    return [folder / f"{name}.root" for name in "abc"]


@settings(max_examples=20, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 26), max_size=4).map(sorted),
    entries=st.sampled_from([None, (0, 26), (3, 29), (14, None), (30, 50)]),
    step=st.integers(1, 30),
)
def test_any_cut_gives_the_same_crossings(
    three: list[Path], cuts: list[int], entries: tuple[int, int | None] | None, step: int
) -> None:
    sample = open_ntuple(three, vertex="candidates", entries=entries)
    low, high = entries or (0, 40)
    inside = range(low, min(high or 40, 40))
    assert sample.lengths == tuple(len([i for i in inside if a <= i < b]) for a, b in ((0, 23), (23, 24), (24, 40)))
    assert sample.crossings == len(inside)
    assert [stop - start for start, stop in sample.ranges] == list(sample.lengths)
    assert sample.ranges[0] == ((min(low, 23), min(high or 40, 23)) if low < 23 else (0, 0))
    edges = [0, *(min(cut, sample.crossings) for cut in cuts), sample.crossings]
    parts = [batch for a, b in pairwise(edges) for batch in sample.iterate(step, first=a, stop=b)]
    whole = ak.concatenate([batch.candidates for batch in sample.iterate(1000)])
    assert ak.concatenate([batch.candidates for batch in parts]).to_list() == whole.to_list()
    assert all((batch.hard_event == -1).all() for batch in parts)


def test_a_range_reads_only_the_files_that_it_touches(three: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    sample = open_ntuple(three, vertex="candidates")
    read = []
    batches = RootContainer.batches

    def noted(self: RootContainer, *rest: Any) -> Any:
        read.append(self.path)
        return batches(self, *rest)

    monkeypatch.setattr(RootContainer, "batches", noted)
    assert [len(batch.stratum) for batch in sample.iterate(first=23, stop=30)] == [1, 6]
    assert set(read) == set(three[1:])
    assert list(sample.iterate(first=40)) == list(sample.iterate(first=7, stop=7)) == []
    for first, stop in ((-1, 3), (5, 4), (0, 41), (41, None)):
        with pytest.raises(L1emuError, match=r"a.root: not a range of the crossings.*0 <= first <= stop <= 40"):
            list(sample.iterate(first=first, stop=stop))


def test_without_a_vertex_the_candidates_tell_it(ntuple: Path) -> None:
    """The median of the charged candidates is near the vertex that was written, and z0 near what it was."""
    file, guessed = open_ntuple(ntuple, vertex="file"), open_ntuple(ntuple, vertex="candidates")
    one, other = next(file.iterate(300)).candidates, next(guessed.iterate(300)).candidates
    difference = ak.to_numpy(ak.flatten(one.z0 - other.z0)[ak.flatten(one.id) <= 2])
    assert 0 < np.abs(difference).mean() < 2  # steps of 0.05 cm
    assert ak.all(other.z0[other.id > 2] == 0)
    beam = next(open_ntuple(ntuple, vertex="beam").iterate(300)).candidates
    assert ak.std(beam.z0[beam.id <= 2]) > 5 * ak.std(one.z0[one.id <= 2])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_words_survive_and_the_hardest_are_kept(data: st.DataObject) -> None:
    """Any words on the grid come back in their order, cut to the hardest 128, without those of pt 0."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    counts = np.array(data.draw(st.lists(st.sampled_from([0, 1, 5, 127, 128, 129, 200]), min_size=1, max_size=4)))
    n = int(counts.sum())
    id_ = rng.integers(0, 5, n)
    charged = id_ <= 2
    words = {
        "pt": rng.choice([0, 1, 2, 3, 40, PT_MAX], n),
        "eta": rng.integers(-1440, 1441, n),
        "phi": rng.integers(-719, 721, n),
        "id": id_,
        "charge": np.where(charged, rng.choice([-1, 1], n), 0),
        "z0": np.where(charged, rng.integers(-511, 512, n), 0),
        "dxy": np.where(charged, rng.integers(-4095, 4096, n), 0),
        "weight": rng.integers(0, 257, n),
    }
    vertex = rng.normal(0, 5, len(counts)).astype("f4").astype(float)
    columns = as_ntuple(ak.unflatten(ak.zip(words), counts), vertex)
    names = {"pdgId": "pdg_id", "puppiWeight": "puppi_weight"}
    members = {name.partition("_")[2]: values for name, values in columns.items()}
    physical = ak.zip({names.get(m, m): values for m, values in members.items()})
    found = hardware_candidates(physical, vertex_z0=ak.Array(vertex))
    first = 0
    for row, count in enumerate(counts):
        part = [tuple(int(v[i]) for v in words.values()) for i in range(first, first + count)]
        first += count
        hardest = sorted((i for i in range(count) if part[i][0] > 0), key=lambda i: -part[i][0])[:MAX_CANDIDATES]
        assert [tuple(c.values()) for c in found[row].to_list()] == [part[i] for i in sorted(hardest)]


def records(**changes: object) -> ak.Array:
    """One crossing of two candidates."""
    columns: dict[str, object] = {
        "pt": [[10.0, 5000.0]], "eta": [[0.1, -9.0]], "phi": [[np.pi, -np.pi]], "pdg_id": [[-211, 130]],
        "puppi_weight": [[1.0, 0.5]], "z0": [[30.0, 7.0]], "dxy": [[-40.0, 3.0]],
    }  # fmt: skip
    return ak.zip({name: values for name, values in (columns | changes).items() if values is not None})


def test_values_beyond_the_words_saturate_and_neutrals_have_no_track() -> None:
    found = hardware_candidates(records(), vertex_z0=ak.Array([0.0]))[0].to_list()
    track = {"charge": -1, "z0": 511, "dxy": -4095, "weight": 256}
    assert found[0] == {"pt": 40, "eta": 23, "phi": 720, "id": 0, **track}
    nothing = {"charge": 0, "z0": 0, "dxy": 0, "weight": 128}
    assert found[1] == {"pt": PT_MAX, "eta": -1440, "phi": 720, "id": 4, **nothing}


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"pdg_id": [[211, 321]]}, r"unknown kind: got 321; expected PDG numbers \[11, 13, 22, 130, 211\]"),
        ({"puppi_weight": [[1.0, 1.5]]}, "weight out of range: got 1.5"),
        ({"eta": [[0.0, np.nan]]}, "eta is not a number"),
        ({"z0": None}, r"no z0.*missing: \{z0"),
        ({"pt": None}, "have no pt"),
    ],
)
def test_bad_candidates_are_refused(changes: dict[str, object], match: str) -> None:
    with pytest.raises(L1emuError, match=match):
        hardware_candidates(records(**changes))


def test_columns_that_an_ntuple_lacks_are_stated_or_refused(tmp_path: Path) -> None:
    columns = fastpuppi_columns(np.random.default_rng(1), 30, z0=False, dxy=False)
    write_tree(tmp_path / "a.root", "Events", columns)
    with pytest.raises(L1emuError, match=r"L1PuppiCands_z0' is missing.*missing: \{z0: 0\}"):
        open_ntuple(tmp_path / "a.root")
    with pytest.raises(L1emuError, match=r"L1PuppiCands_dxy' is missing"):
        open_ntuple(tmp_path / "a.root", missing={"z0": 0})
    sample = open_ntuple(tmp_path / "a.root", missing={"z0": 0.1, "dxy": 0}, entries=(5, 20))
    candidates = ak.concatenate([b.candidates for b in sample.iterate(4)])
    assert sample.crossings == len(candidates) == 15
    assert set(ak.flatten(candidates.z0[candidates.id <= 2]).to_list()) == {2}
    assert not ak.any(candidates.dxy) and not ak.any(candidates.z0[candidates.id > 2])
    write_tree(tmp_path / "b.root", "Events", fastpuppi_columns(np.random.default_rng(1), 30))
    with pytest.raises(L1emuError, match=r"missing\.z0: the file has z0"):
        open_ntuple(tmp_path / "b.root", missing={"z0": 0})
    l1nano(tmp_path / "n.root")
    with pytest.raises(L1emuError, match="the format l1nano has no Level-1 candidates"):
        open_ntuple(tmp_path / "n.root")


def test_a_bad_candidate_is_told_with_its_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    write_tree(tmp_path / "a.root", "Events", fastpuppi_columns(rng, 5))
    columns = fastpuppi_columns(rng, 5)
    columns["L1PuppiCands_pdgId"] = columns["L1PuppiCands_pdgId"] * 0 + 1
    write_tree(tmp_path / "b.root", "Events", columns)
    with pytest.raises(L1emuError, match=r"b\.root: candidates: a candidate of an unknown kind"):
        list(open_ntuple([tmp_path / "a.root", tmp_path / "b.root"]).iterate())
