"""Samples: what is written is read, and whatever is wrong with a file is named."""

import json
from dataclasses import replace

import awkward as ak
import numpy as np
import pytest
import uproot

from l1emu.errors import L1emuError
from l1emu.events.sample import (
    CANDIDATE_TYPES,
    REQUIRED,
    TRUTH_TYPES,
    Batch,
    Stratum,
    read_sample,
    recipe_hash,
    write_sample,
)

RECIPE = {"name": "toy", "seed": 1, "nested": {"b": [1, 2.5], "a": None}}
STRATA = (Stratum("soft", 0.75, 300), Stratum("hard", 0.25, 200))


def records(rng, crossings, types, most):
    counts = rng.integers(0, most, crossings)
    n = int(counts.sum())
    columns = {}
    for name, kind in types.items():
        limits = np.iinfo(kind)
        columns[name] = rng.integers(limits.min, limits.max, n, endpoint=True)
    return ak.unflatten(ak.zip(columns), counts)


def batch(seed, crossings, stratum, truth=True):
    rng = np.random.default_rng(seed)
    return Batch(
        records(rng, crossings, CANDIDATE_TYPES, 30),
        np.full(crossings, stratum, np.int64),
        rng.integers(-1, 5000, crossings),
        records(rng, crossings, TRUTH_TYPES, 4) if truth else None,
    )


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "toy.root"
    batches = [batch(1, 300, 0), batch(2, 200, 1)]
    write(path, batches)
    return path, batches


def write(path, batches, strata=STRATA):
    write_sample(
        path,
        batches,
        name="toy",
        kind="minbias",
        pileup=200.0,
        strata=strata,
        recipe=RECIPE,
        pool_sizes={"soft": 10, "hard": 20},
        versions={"l1emu": "0"},
    )


@pytest.mark.parametrize("step", [37, 300, 1000])
def test_round_trip(written, step):
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


def test_a_signal_without_truth(tmp_path):
    path = tmp_path / "signal.root"
    write(path, [batch(3, 20, 0, truth=False)], strata=None)
    sample = read_sample(path)
    assert sample.strata is None
    assert not sample.has_truth
    assert sample.read().truth is None


def test_a_value_that_does_not_fit_is_refused_and_no_file_is_left(tmp_path):
    wrong = batch(1, 20, 0)
    wrong.hard_event[3] = 2**40
    with pytest.raises(L1emuError, match="hard_event does not fit int32"):
        write(tmp_path / "x.root", [wrong])
    assert not list(tmp_path.iterdir())


def test_a_missing_field_is_named_and_no_file_is_left(tmp_path):
    whole = batch(1, 20, 0)
    fields = [f for f in whole.candidates.fields if f != "charge"]
    with pytest.raises(L1emuError, match="the field 'charge' is missing"):
        write(tmp_path / "x.root", [replace(whole, candidates=whole.candidates[fields])])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("keep", [0.05, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_named(written, keep):
    path, _ = written
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(L1emuError, match=r"toy\.root: the file is truncated: got \d+; expected \d+ bytes"):
        read_sample(path)


def test_a_flipped_byte_in_a_basket_is_noticed(written):
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


def test_other_files(tmp_path):
    with pytest.raises(L1emuError, match="no such file"):
        read_sample(tmp_path / "absent.root")
    text = tmp_path / "text.root"
    text.write_text("no collisions here")
    with pytest.raises(L1emuError, match="not a ROOT file"):
        read_sample(text)
    text.write_bytes(b"root")
    with pytest.raises(L1emuError, match="truncated"):
        read_sample(text)


def test_a_missing_tree_is_named_with_what_was_found(tmp_path):
    path = tmp_path / "other.root"
    with uproot.recreate(path) as file:
        file.mktree("Events", {"x": "int32"}).extend({"x": np.arange(3)})
    with pytest.raises(L1emuError, match=r"no TTree 'crossings'.*\['Events'\]"):
        read_sample(path)


@pytest.mark.parametrize("lost", REQUIRED)
def test_a_missing_branch_is_named(tmp_path, lost):
    path = tmp_path / "poor.root"
    columns = {name: np.arange(3, dtype=np.int16) for name in REQUIRED if name != lost}
    with uproot.recreate(path) as file:
        file.mktree("crossings", dict.fromkeys(columns, "int16")).extend(columns)
    with pytest.raises(L1emuError, match=f"branch '{lost}' is missing"):
        read_sample(path)


def test_a_missing_description_is_named(tmp_path):
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
def test_a_wrong_description_is_named(tmp_path, change, message):
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
