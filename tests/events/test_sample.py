"""Samples: what is written is read, and whatever is wrong with a file is named."""

from __future__ import annotations

import itertools
import json
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from l1emu.errors import L1emuError
from l1emu.events.blocks import BlockRange, Blocks
from l1emu.events.branches import CANDIDATE_TYPES, TRUTH_TYPES
from l1emu.events.sample import (
    Batch,
    SignalProcess,
    Stratum,
    read_sample,
    recipe_hash,
    write_sample,
)
from l1emu.resources import resource

RECIPE = {"name": "toy", "seed": 1, "nested": {"b": [1, 2.5], "a": None}}
REQUIRED = ("stratum", "hard_event", "vertex_z0", *(f"candidate_{f}" for f in CANDIDATE_TYPES))
STRATA = (Stratum("soft", 0.75, 300), Stratum("hard", 0.25, 200))


def records(rng: np.random.Generator, crossings: Any, types: Any, most: Any) -> Any:
    counts = rng.integers(0, most, crossings)
    n = int(counts.sum())
    columns = {}
    for name, kind in types.items():
        limits = np.iinfo(kind)
        columns[name] = rng.integers(limits.min, limits.max, n, endpoint=True)
    return ak.unflatten(ak.zip(columns), counts)


def batch(seed: int, crossings: Any, stratum: Any, truth: bool = True) -> Batch:
    rng = np.random.default_rng(seed)
    return Batch(
        records(rng, crossings, CANDIDATE_TYPES, 30),
        np.full(crossings, stratum, np.int64),
        rng.integers(-1, 5000, crossings),
        records(rng, crossings, TRUTH_TYPES, 4) if truth else None,
    )


@pytest.fixture
def written(tmp_path: Path) -> Any:
    path = tmp_path / "toy.root"
    batches = [batch(1, 300, 0), batch(2, 200, 1)]
    write(path, batches)
    return path, batches


def write(path: Path, batches: Any, strata: Any = STRATA, **changes: Any) -> Path:
    arguments: dict[str, Any] = {
        "name": "toy",
        "kind": "minbias",
        "pileup": 200.0,
        "recipe": RECIPE,
        "pool_sizes": {"soft": 10, "hard": 20},
        "versions": {"l1emu": "0"},
    }
    write_sample(path, batches, strata=strata, **(arguments | changes))
    return path


def part_of(whole: Batch, path: Path, *ranges: tuple[int, int], **changes: Any) -> Path:
    """A file with some blocks of the toy: of 100 crossings each, the first three soft and the others hard."""
    rows = np.concatenate([np.arange(100 * first, 100 * stop) for first, stop in ranges])
    numbers = np.bincount(whole.stratum[rows], minlength=2).tolist()
    strata = [replace(s, crossings=n) for s, n in zip(STRATA, numbers, strict=True)]
    blocks = Blocks(5, tuple(BlockRange(a, b, 100 * a, 100 * (b - a)) for a, b in ranges))
    truth = None if whole.truth is None else whole.truth[rows]
    batch = Batch(whole.candidates[rows], whole.stratum[rows], whole.hard_event[rows], truth)
    return write(path, [batch], **{"strata": strata, "blocks": blocks, **changes})


@pytest.mark.parametrize("step", [37, 300, 1000])
def test_round_trip(written: Any, step: int) -> None:
    path, batches = written
    sample = read_sample(path)
    assert (sample.name, sample.kind, sample.pileup, sample.crossings) == ("toy", "minbias", 200.0, 500)
    assert sample.strata == STRATA
    assert sample.recipe == RECIPE
    assert sample.recipe_hash == recipe_hash(RECIPE)
    assert sample.pool_sizes == {"soft": 10, "hard": 20}
    parts = list(sample.iterate(step))
    assert max(len(p.stratum) for p in parts) <= step
    assert ak.almost_equal(
        ak.concatenate([p.candidates for p in parts]),
        ak.concatenate([b.candidates for b in batches]),
        dtype_exact=False,
    )
    assert ak.almost_equal(
        ak.concatenate([p.truth for p in parts]), ak.concatenate([b.truth for b in batches]), dtype_exact=False
    )
    for name in ("stratum", "hard_event"):
        found = np.concatenate([getattr(p, name) for p in parts])
        assert (found == np.concatenate([getattr(b, name) for b in batches])).all()


@pytest.mark.parametrize("cuts", [(), (1,), (250,), (300,), (100, 100, 301, 499), (0, 500)])
@pytest.mark.parametrize("step", [37, 1000])
def test_parts_are_the_whole_however_it_is_cut(written: Any, cuts: tuple[int, ...], step: int) -> None:
    sample = read_sample(written[0])
    assert sample.lengths == (500,)
    whole = sample.read()
    ends = [0, *cuts, 500]
    parts = [list(sample.iterate(step, low, high)) for low, high in itertools.pairwise(ends)]
    for batches, low, high in zip(parts, ends, ends[1:], strict=False):
        assert sum(len(b.stratum) for b in batches) == high - low
    batches = [b for part in parts for b in part]
    for name in ("candidates", "stratum", "hard_event", "truth"):
        joined = ak.concatenate([getattr(b, name) for b in batches])
        assert ak.array_equal(joined, getattr(whole, name))


@pytest.mark.parametrize(
    "files",
    [
        [[(0, 5)]],
        [[(0, 2)], [(2, 5)]],
        [[(4, 5)], [(0, 1), (3, 4)], [(1, 3)]],
        [[(0, 1), (2, 3), (4, 5)], [(1, 2), (3, 4)]],
    ],
)
@pytest.mark.parametrize("step", [70, 1000])
def test_files_with_parts_of_a_recipe_are_one_sample(
    tmp_path: Path, written: Any, files: list[list[tuple[int, int]]], step: int
) -> None:
    whole = read_sample(written[0]).read()
    assert whole.place is not None and whole.place.tolist() == list(range(500))
    paths = [part_of(whole, tmp_path / f"part{n}.root", *ranges) for n, ranges in enumerate(files)]
    sample = read_sample(paths)
    assert (sample.paths, sample.path, sample.crossings) == (tuple(paths), paths[0], 500)
    assert sample.lengths == tuple(sum(100 * (b - a) for a, b in ranges) for ranges in files)
    assert sample.strata == STRATA
    assert sample.blocks is None
    order = np.concatenate([np.arange(100 * a, 100 * b) for ranges in files for a, b in ranges])
    for first, stop in ((0, 500), (0, 100), (99, 301), (350, 350), (499, 500)):
        batches = list(sample.iterate(step, first, stop))
        places = [number for b in batches if b.place is not None for number in b.place.tolist()]
        assert places == order[first:stop].tolist()
        assert all(b.place is not None and b.place.dtype == np.uint64 for b in batches)
        for name in ("candidates", "stratum", "hard_event", "truth") if batches else ():
            joined = ak.concatenate([getattr(b, name) for b in batches])
            assert ak.array_equal(joined, getattr(whole, name)[order[first:stop]])
    assert ak.array_equal(sample.read().candidates, whole.candidates[order])


def test_missing_blocks_are_said(tmp_path: Path, written: Any) -> None:
    whole = read_sample(written[0]).read()
    paths = [part_of(whole, tmp_path / "a.root", (3, 4)), part_of(whole, tmp_path / "b.root", (0, 1), (1, 2))]
    sample = read_sample(paths)
    assert sample.blocks is not None
    assert sample.blocks == Blocks(5, (BlockRange(0, 2, 0, 200), BlockRange(3, 4, 300, 100)))
    assert sample.blocks.missing == ((2, 3), (4, 5))
    assert str(sample.blocks) == "0 to 2, 3 to 4 of 5"
    assert sample.strata is not None and [s.crossings for s in sample.strata] == [200, 100]
    alone = read_sample(paths[0])
    assert alone.blocks is not None and alone.blocks.missing == ((0, 3), (4, 5))
    assert alone.read().place.tolist() == list(range(300, 400))  # type: ignore[union-attr]


def test_a_range_of_a_signal_in_several_files(tmp_path: Path, written: Any) -> None:
    whole = read_sample(written[0]).read()
    paths = [
        part_of(whole, tmp_path / f"{a}.root", (a, b), strata=None, kind="signal") for a, b in ((0, 2), (2, 3), (3, 5))
    ]
    for entries, lengths in (((0, 500), (200, 100, 200)), ((150, 350), (50, 100, 50)), ((250, 900), (0, 50, 200))):
        sample = read_sample(paths, entries=entries)
        low, high = entries[0], min(entries[1], 500)
        assert read_sample(paths, entries=(low, None)).crossings == 500 - low
        assert (sample.lengths, sample.crossings) == (lengths, high - low)
        assert sample.read().place.tolist() == list(range(low, high))  # type: ignore[union-attr]
        parts = list(sample.iterate(40, 10, 110))
        assert [n for b in parts for n in b.place.tolist()] == list(range(low + 10, low + 110))  # type: ignore[union-attr]
        with pytest.raises(L1emuError, match=f"expected a range from 0 to {high - low}"):
            list(sample.iterate(40, 0, high - low + 1))
    for wrong in ((300, 300), (-1, 20), (500, None), (500, 600)):
        with pytest.raises(L1emuError, match=r"0\.root: entries: not a range of the crossings.* and below 500"):
            read_sample(paths, entries=wrong)
    with pytest.raises(L1emuError, match=r"toy\.root: entries: a range of a sample with strata would leave"):
        read_sample(written[0], entries=(0, 400))


def test_processes_of_a_signal_in_several_files_add_up(tmp_path: Path, written: Any) -> None:
    whole = read_sample(written[0]).read()
    paths = []
    for number, (a, b) in enumerate([(0, 2), (2, 5)]):
        found = [SignalProcess("one", 0.1, 200 if number == 0 else 100), SignalProcess("two", 0.2, 200 * number)]
        paths.append(part_of(whole, tmp_path / f"{number}.root", (a, b), strata=None, kind="signal", processes=found))
    sample = read_sample(paths)
    assert sample.strata is None
    assert sample.processes == (SignalProcess("one", 0.1, 300), SignalProcess("two", 0.2, 200))


@pytest.mark.parametrize(
    ("ranges", "changes", "message"),
    [
        ([(0, 2)], {}, r"b\.root: sample: crossings that another file has, too.*'block 0'.*not in .*a\.root"),
        ([(1, 3)], {}, r"b\.root: sample: crossings that another file has, too.*'block 1'.*not in .*a\.root"),
        (
            [(2, 3)],
            {"recipe": {"name": "other"}},
            r"b\.root: sample: files of one sample agree in their recipe.*a\.root",
        ),
        (
            [(2, 3)],
            {"versions": {"l1emu": "1"}},
            "agree in their versions: got {'l1emu': '1'}; expected {'l1emu': '0'}, as",
        ),
        ([(2, 3)], {"pool_sizes": {"soft": 9, "hard": 20}}, "agree in their pool_sizes"),
        ([(2, 3)], {"pileup": 140.0}, "agree in their pileup: got 140.0; expected 200.0, as in"),
        (
            [(2, 3)],
            {"strata": [Stratum("soft", 0.7, 100), Stratum("hard", 0.3, 0)]},
            "agree in the probability of the stratum soft: got 0.7; expected 0.75, as in",
        ),
        ([(2, 3)], {"strata": [Stratum("soft", 0.75, 100), Stratum("hot", 0.25, 0)]}, "agree in their strata"),
        ([(2, 3)], {"strata": None, "kind": "signal"}, "agree in their kind"),
        ([(2, 3)], {"blocks": None}, r"b\.root: .* another file has, too.*'all crossings of the recipe'.*a\.root"),
        ([(2, 3)], {"blocks": Blocks(6, (BlockRange(2, 3, 200, 100),))}, "other numbers of blocks .*got 6; expected 5"),
        ([(2, 3)], {"blocks": Blocks(5, (BlockRange(2, 3, 150, 100),))}, "blocks of crossings that overlap"),
    ],
)
def test_files_that_are_not_of_one_sample_are_refused(
    tmp_path: Path, written: Any, ranges: Any, changes: dict[str, Any], message: str
) -> None:
    whole = read_sample(written[0]).read()
    a, b = part_of(whole, tmp_path / "a.root", (0, 2)), part_of(whole, tmp_path / "b.root", *ranges, **changes)
    with pytest.raises(L1emuError, match=message):
        read_sample([a, b])


def test_a_file_given_twice_is_refused(tmp_path: Path, written: Any) -> None:
    whole, _ = written
    part = part_of(read_sample(whole).read(), tmp_path / "a.root", (0, 2))
    for path in (whole, part):
        with pytest.raises(L1emuError, match=rf"{path.name}: .* would count twice.*{path.name}"):
            read_sample([path, path])
    with pytest.raises(L1emuError, match="at least one file"):
        read_sample([])


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ({"of": 5, "ranges": []}, "unreadable"),
        ({"of": 5, "ranges": [[0, 1]]}, "unreadable"),
        ({"of": 5, "ranges": [{"first": 1, "stop": 1, "place": 0, "crossings": 500}]}, "no blocks of the recipe"),
        ({"of": 5, "ranges": [{"first": 1, "stop": 6, "place": 0, "crossings": 500}]}, "no blocks of the recipe"),
        ({"of": 5, "ranges": [{"first": 1, "stop": 2, "place": 0, "crossings": 499}]}, "blocks do not add up"),
        (
            {"of": 5, "ranges": [{"first": n, "stop": n + 1, "place": 250 * n, "crossings": 250} for n in (1, 0)]},
            "blocks of crossings that overlap",
        ),
    ],
)
def test_wrong_blocks_are_refused(tmp_path: Path, blocks: Any, message: str) -> None:
    path = tmp_path / "wrong.root"
    columns = {name: np.zeros(500, np.int16) for name in REQUIRED}
    description = {"name": "toy", "kind": "signal", "pileup": 200, "strata": None, "recipe": RECIPE, "versions": {}}
    with uproot.recreate(path) as file:
        file.mktree("crossings", dict.fromkeys(columns, "int16")).extend(columns)
        file["sample"] = json.dumps(
            description | {"recipe_hash": recipe_hash(RECIPE), "pool_sizes": {}, "blocks": blocks}
        )
    with pytest.raises(L1emuError, match=rf"wrong\.root: sample.*{message}"):
        read_sample(path)


def test_pools_are_told_apart_by_what_pythia_is_given() -> None:
    def identity(name: str, **changes: Any) -> str:
        sample = read_sample(resource(f"datasets/{name}.root"))
        return replace(sample, recipe=sample.recipe | changes).pool_identity

    minbias = identity("minbias-pu200")
    assert len(minbias) == 64
    assert minbias == identity("minbias-pu140") == identity("minbias-pu200", seed=99)
    assert identity("signal-hh4b-pu200") == identity("signal-hh4b-pu140") != minbias
    assert minbias != identity("minbias-pu200", pool_seed=2)
    assert minbias != identity("minbias-pu200", energy_tev=13)
    assert minbias != identity("minbias-pu200", tune=None)
    sample = read_sample(resource("datasets/minbias-pu200.root"))
    assert replace(sample, versions={"pythia8mc": "8.311"}).pool_identity != minbias
    bins = json.loads(json.dumps(sample.recipe["pileup"]))
    bins["collisions"][0]["events"] = 40000
    assert identity("minbias-pu200", pileup=bins) == minbias
    bins["collisions"][3]["pool_seed"] = 7
    assert identity("minbias-pu200", pileup=bins) != minbias
    others: list[Any] = [{"toy": 1}, {"pileup": 3}, {"pileup": {"collisions": [1]}}, {"hard": {"a": 1}}, {"hard": [{}]}]
    for strange in others:
        assert replace(sample, recipe=strange).pool_identity == sample.recipe_hash


@pytest.mark.parametrize(("first", "stop"), [(-1, 3), (0, 501), (4, 3), (501, None)])
def test_a_range_that_is_not_in_the_sample_is_refused(written: Any, first: int, stop: int | None) -> None:
    with pytest.raises(L1emuError, match=r"toy\.root: these are no crossings .*; expected a range from 0 to 500"):
        list(read_sample(written[0]).iterate(100, first, stop))


@pytest.mark.parametrize(
    ("stratum", "part", "message"),
    [
        ((0, 0, 0), (1, 3), None),
        ((0, 0, 0), (0, 3), "crossings/stratum: the stratum soft has another .*: got 3; expected 2"),
        ((1, 1, 0), (0, 2), "entries 0 to 2: the stratum soft has another .*: got 0; expected 1 to 2"),
        ((0, 1, 1), (1, 3), "entries 1 to 3: the stratum soft has another .*: got 0; expected 1 to 2"),
        ((0, 1, 1), (0, 2), None),
        ((1, 0, 0), (0, 1), None),
    ],
)
def test_a_part_is_refused_where_no_rest_makes_up_the_strata(
    tmp_path: Path, stratum: tuple[int, int, int], part: tuple[int, int], message: str | None
) -> None:
    sample = read_sample(crafted(tmp_path / "crafted.root", stratum=stratum))
    if message is None:
        assert sum(len(b.stratum) for b in sample.iterate(1, *part)) == part[1] - part[0]
    else:
        with pytest.raises(L1emuError, match=message):
            list(sample.iterate(1, *part))


def test_a_signal_without_truth(tmp_path: Path) -> None:
    path = tmp_path / "signal.root"
    write(path, [batch(3, 20, 0, truth=False)], strata=None)
    sample = read_sample(path)
    assert sample.strata is None
    assert not sample.has_truth
    assert sample.read().truth is None


def test_batches_are_written_as_they_come(tmp_path: Path) -> None:
    made: list[weakref.ref[Batch]] = []
    most = []

    def coming() -> Iterator[Batch]:
        for number in range(30):
            one = batch(number, 10, 0)
            made.append(weakref.ref(one))
            yield one
            most.append(sum(reference() is not None for reference in made))

    write(tmp_path / "many.root", coming(), strata=None, kind="signal")
    assert len(most) == 30
    assert max(most) <= 3
    assert read_sample(tmp_path / "many.root").crossings == 300


def test_a_value_that_does_not_fit_is_refused_and_no_file_is_left(tmp_path: Path) -> None:
    wrong = batch(1, 20, 0)
    wrong.hard_event[3] = 2**40
    with pytest.raises(L1emuError, match="hard_event does not fit int32"):
        write(tmp_path / "x.root", [wrong])
    assert not list(tmp_path.iterdir())


def test_a_missing_field_is_named_and_no_file_is_left(tmp_path: Path) -> None:
    whole = batch(1, 20, 0)
    fields = [f for f in whole.candidates.fields if f != "charge"]
    with pytest.raises(L1emuError, match="the field 'charge' is missing"):
        write(tmp_path / "x.root", [replace(whole, candidates=whole.candidates[fields])])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("keep", [0.05, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_named(written: Any, keep: float) -> None:
    path, _ = written
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(L1emuError, match=r"toy\.root: the file is truncated: got \d+; expected \d+ bytes"):
        read_sample(path)


def test_a_flipped_byte_in_a_basket_is_noticed(written: Any) -> None:
    path, _ = written
    with uproot.open(path) as file:
        branch = file["crossings"]["candidate_dxy"]
        seek, size = int(branch.member("fBasketSeek")[0]), int(branch.member("fBasketBytes")[0])
    data = bytearray(path.read_bytes())
    for place in range(seek + size // 2, seek + size - 8):
        data[place] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(L1emuError, match=r"toy\.root: the file is damaged"):
        list(read_sample(path).iterate())


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(L1emuError, match="no such file"):
        read_sample(tmp_path / "absent.root")
    text = tmp_path / "text.root"
    text.write_text("no collisions here")
    with pytest.raises(L1emuError, match="not a ROOT file"):
        read_sample(text)
    text.write_bytes(b"root")
    with pytest.raises(L1emuError, match="truncated"):
        read_sample(text)


def test_a_missing_tree_is_named_with_what_was_found(tmp_path: Path) -> None:
    path = tmp_path / "other.root"
    with uproot.recreate(path) as file:
        file.mktree("Events", {"x": "int32"}).extend({"x": np.arange(3)})
    with pytest.raises(L1emuError, match=r"no TTree 'crossings'.*\['Events'\]"):
        read_sample(path)


@pytest.mark.parametrize("lost", REQUIRED)
def test_a_missing_branch_is_named(tmp_path: Path, lost: Any) -> None:
    path = tmp_path / "poor.root"
    columns = {name: np.arange(3, dtype=np.int16) for name in REQUIRED if name != lost}
    with uproot.recreate(path) as file:
        file.mktree("crossings", dict.fromkeys(columns, "int16")).extend(columns)
    with pytest.raises(L1emuError, match=f"branch '{lost}' is missing"):
        read_sample(path)


def test_a_missing_description_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mute.root"
    columns = {name: np.arange(3, dtype=np.int16) for name in REQUIRED}
    with uproot.recreate(path) as file:
        file.mktree("crossings", dict.fromkeys(columns, "int16")).extend(columns)
    with pytest.raises(L1emuError, match="string 'sample'"):
        read_sample(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": {"name": "other"}}, "does not have the hash"),
        ({"strata": [{"name": "soft", "probability": 1.0, "crossings": 4}]}, "do not add up"),
        ({"strata": [{"name": "soft", "probability": 0.5, "crossings": 3}]}, "must sum to 1"),
        ({"strata": [{"nom": "soft"}]}, "unreadable"),
    ],
)
def test_a_wrong_description_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "wrong.root"
    columns = {name: np.arange(3, dtype=np.int16) for name in REQUIRED}
    description = {
        "name": "toy",
        "kind": "minbias",
        "pileup": 200,
        "strata": None,
        "recipe": RECIPE,
        "recipe_hash": recipe_hash(RECIPE),
        "pool_sizes": {},
        "versions": {},
    }
    with uproot.recreate(path) as file:
        file.mktree("crossings", dict.fromkeys(columns, "int16")).extend(columns)
        file["sample"] = json.dumps(description | change)
    with pytest.raises(L1emuError, match=message):
        read_sample(path)


def crafted(
    path: Path,
    stratum: tuple[int, int, int] = (0, 0, 1),
    hard: tuple[int, int, int] = (-1, 0, 1),
    sizes: tuple[int, int, int] = (1, 2, 3),
    kind: str = "int16",
    **fields: Any,
) -> Path:
    """A sample of three crossings as anybody could write one."""
    columns: dict[str, Any] = {"stratum": np.array(stratum, np.int8), "hard_event": np.array(hard, np.int32)}
    columns["vertex_z0"] = np.zeros(3, np.int16)
    for name in CANDIDATE_TYPES:
        columns[f"candidate_{name}"] = ak.unflatten(np.ones(sum(sizes), kind), sizes)
    columns |= {f"candidate_{name}": values for name, values in fields.items()}
    description = {"name": "toy", "kind": "minbias", "pileup": 200, "recipe": RECIPE, "pool_sizes": {}, "versions": {}}
    description["strata"] = [Stratum("soft", 0.5, 2).as_dict(), Stratum("hard", 0.5, 1).as_dict()]
    with uproot.recreate(path) as file:
        types = {n: ak.type(v).content if isinstance(v, ak.Array) else v.dtype for n, v in columns.items()}
        file.mktree("crossings", types, counter_name=lambda branch: f"n{branch}").extend(columns)
        file["sample"] = json.dumps(description | {"recipe_hash": recipe_hash(RECIPE)})
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stratum": (0, 0, 2)}, "crossings/stratum, entry 2: no such stratum: got 2; expected 0 to 1"),
        ({"stratum": (0, -1, 1)}, "crossings/stratum, entry 1: no such stratum: got -1"),
        ({"stratum": (0, 1, 1)}, "the stratum soft has another number of crossings .*: got 1; expected 2"),
        ({"hard": (-1, -2, 0)}, "crossings/hard_event, entry 1: not the number of a collision: got -2"),
        ({"sizes": (1, 129, 3)}, "candidate_pt, entry 1: more candidates than the jet finder receives: got 129"),
        ({"kind": "float32"}, "crossings/candidate_pt: not whole numbers: got 'float32'"),
        ({"eta": ak.Array([[1], [1], [1]])}, r"candidate_\*, pt, eta, crossing 1: .*different lengths"),
        ({"eta": np.ones(3, np.int16)}, "are lists, one a crossing"),
    ],
)
def test_a_crafted_sample_is_refused_by_branch_and_entry(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = crafted(tmp_path / "crafted.root", **change)
    for step in (1, 1000):
        with pytest.raises(L1emuError, match=message) as error:
            list(read_sample(path).iterate(step))
        assert error.value.path == str(path)


def test_a_crafted_sample_is_read_where_it_is_whole(tmp_path: Path) -> None:
    sample = read_sample(crafted(tmp_path / "crafted.root", sizes=(1, 128, 3)))
    assert [len(b.stratum) for b in sample.iterate(2)] == [2, 1]
    assert ak.num(sample.read().candidates).to_list() == [1, 128, 3]


def test_a_sample_without_crossings_is_told(tmp_path: Path) -> None:
    write(tmp_path / "none.root", [], strata=None)
    with pytest.raises(L1emuError, match="there are no crossings"):
        read_sample(tmp_path / "none.root").read()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", 3),
        ("kind", None),
        ("pileup", "many"),
        ("pileup", float("nan")),
        ("pileup", -1),
        ("strata", 5),
        ("strata", []),
        ("strata", [{"name": "a", "probability": float("nan"), "crossings": 3}]),
        ("strata", [{"name": "a", "probability": 2.0, "crossings": 3}]),
        ("strata", [{"name": "a", "probability": 1.0, "crossings": -3}]),
        ("strata", [{"name": "a", "probability": 1.0, "crossings": 3.5}]),
        ("recipe", []),
        ("recipe_hash", 1),
        ("pool_sizes", {"a": -1}),
        ("pool_sizes", {"a": 10**400}),
        ("processes", [{"name": "a"}]),
        ("versions", {"l1emu": 1}),
    ],
)
def test_a_description_of_wrong_types_is_one_line(tmp_path: Path, key: str, value: Any) -> None:
    path = tmp_path / "wrong.root"
    columns = {name: np.arange(3, dtype=np.int16) for name in REQUIRED}
    description = {"name": "toy", "kind": "minbias", "pileup": 200, "strata": None, "recipe": RECIPE}
    description |= {"recipe_hash": recipe_hash(RECIPE), "pool_sizes": {}, "versions": {}}
    for text in (
        json.dumps(description | {key: value}),
        "[" * 100_000,
        '{"name": 1, "name": 2}',
        '{"a": NaN}',
        '"text"',
        "[]",
        "",
    ):
        with uproot.recreate(path) as file:
            file.mktree("crossings", dict.fromkeys(columns, "int16")).extend(columns)
            file["sample"] = text
        with pytest.raises(L1emuError, match=r"sample.*unreadable") as error:
            read_sample(path)
        assert "\n" not in str(error.value)
