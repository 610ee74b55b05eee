"""Samples of which not everything was kept: weights that add up, slices, and packed candidates."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from l1emu.errors import L1emuError
from l1emu.events.hardware import CROSSING_WEIGHT_ONE
from l1emu.events.jets import build_jets
from l1emu.events.packing import Skim, pack_candidates
from l1emu.events.sample import Batch, Sample, Stratum, Thinned, read_sample, write_sample
from l1emu.events.sources import open_source
from l1emu.resources import resource

FIELDS = ("pt", "eta", "phi", "id", "charge", "z0", "dxy", "weight", "emid", "quality")


@pytest.fixture(scope="module")
def signal() -> Sample:
    return read_sample(resource("datasets/signal-hh4b-pu200.root"))


@pytest.fixture(scope="module")
def batch(signal: Sample) -> Batch:
    return next(signal.iterate(120))


def thinned(whole: Batch, seed: int = 1) -> tuple[Batch, tuple[Stratum, ...]]:
    """The crossings as if they had been kept of more that were drawn, in two strata."""
    rng = np.random.default_rng(seed)
    n = len(whole.stratum)
    weight = CROSSING_WEIGHT_ONE * rng.integers(1, 5000, n)
    stratum = np.repeat([0, 1], [n // 2, n - n // 2])
    slices = rng.integers(0, 20, n).astype(np.int8)
    place = np.sort(rng.choice(9 * n, n, replace=False)).astype(np.uint64)
    vertex = rng.integers(-300, 300, n)
    charged = whole.candidates.id <= 2
    z0 = ak.where(charged, whole.candidates.z0 + vertex, 0)
    made = replace(
        whole, candidates=ak.with_field(whole.candidates, z0, "z0"), stratum=stratum, weight=weight, slices=slices,
        place=place, vertex_z0=vertex,
    )  # fmt: skip
    sums = [int(weight[stratum == j].sum()) for j in (0, 1)]
    numbers = np.bincount(stratum).tolist()
    strata = [Stratum(f"s{j}", 0.5, numbers[j], Thinned(10 * n, sums[j])) for j in (0, 1)]
    return made, tuple(strata)


def write(path: Path, batch: Batch, strata: Any, **options: Any) -> Path:
    arguments: dict[str, Any] = {
        "name": "toy", "kind": "minbias", "pileup": 200.0, "recipe": {"a": 1}, "pool_sizes": {}, "versions": {},
        "slices": 20,
    }  # fmt: skip
    write_sample(path, [batch], strata=strata, **arguments | options)
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_weights_and_slices_are_read_as_they_were_written(batch: Batch, tmp_path: Path, packed: bool) -> None:
    made, strata = thinned(batch)
    path = write(tmp_path / "a.root", made, strata, packed=packed)
    sample = read_sample(path)
    assert sample.slices == 20 and sample.skim is None and sample.strata == strata
    assert [s.drawn for s in sample.strata or ()] == [1200, 1200]
    read = sample.read()
    for name in ("weight", "slices", "place", "vertex_z0", "hard_event", "stratum"):
        assert np.array_equal(getattr(read, name), getattr(made, name)), name
    assert read.weight.dtype == np.int64 and read.slices.dtype == np.int8
    assert ak.array_equal(read.truth, made.truth)
    if not packed:
        assert ak.array_equal(read.candidates[list(FIELDS)], made.candidates[list(FIELDS)], dtype_exact=False)
    source = open_source(path)
    found = source.read(["candidates", "weight", "vertex_z0"])
    assert source.format.name == ("l1emu-packed" if packed else "l1emu")
    assert ak.array_equal(found.candidates[list(FIELDS)], read.candidates[list(FIELDS)])
    assert found.weight.tolist() == made.weight.tolist()


def test_a_plain_sample_has_weights_of_one_and_no_slices(signal: Sample, batch: Batch) -> None:
    assert signal.slices == 0 and (batch.slices == -1).all()
    assert (batch.weight == CROSSING_WEIGHT_ONE).all()
    stratum = Stratum("all", 1.0, 7)
    assert (stratum.drawn, stratum.weight_sum) == (7, 7 * CROSSING_WEIGHT_ONE)


@pytest.mark.parametrize("skim", [None, 5.0, 12.0])
def test_packed_candidates_make_the_same_jets(batch: Batch, tmp_path: Path, skim: float | None) -> None:
    made, strata = thinned(batch)
    path = write(tmp_path / "a.root", made, strata, packed=True, skim=None if skim is None else Skim(skim))
    sample = read_sample(path)
    assert sample.skim == (None if skim is None else Skim(skim))
    read = sample.read()
    before, after = (build_jets(b.candidates, min_pt_gev=skim or 2, constituents=60) for b in (made, read))
    assert len(before.pt) > 400
    for name in ("counts", "pt", "eta", "phi", "features"):
        assert np.array_equal(getattr(before, name), getattr(after, name)), name
    inside = before.constituents >= 0
    assert np.array_equal(inside, after.constituents >= 0)
    for name in FIELDS:
        of_both = [
            ak.to_numpy(ak.flatten(b.candidates[name]))[jets.constituents[inside]]
            for b, jets in ((made, before), (read, after))
        ]
        assert np.array_equal(*of_both), name
    if skim is None:
        assert ak.array_equal(ak.sort(read.candidates.pt), ak.sort(made.candidates.pt), dtype_exact=False)


@pytest.mark.parametrize("phi", [-719, -1, 0, 719, 720])
def test_packed_words_of_phi_are_those_of_the_correlator(batch: Batch, tmp_path: Path, phi: int) -> None:
    """From -719 to 720: half a turn is 720 before and after."""
    turned = ak.with_field(batch.candidates, ak.full_like(batch.candidates.phi, phi), "phi")
    made, strata = thinned(replace(batch, candidates=turned))
    assert ak.all(read_sample(write(tmp_path / "a.root", made, strata, packed=True)).read().candidates.phi == phi)


def test_what_packing_would_lose_is_refused(batch: Batch) -> None:
    for name, value in (("charge", 1), ("z0", 3), ("quality", 5), ("emid", 1), ("weight", 17)):
        with pytest.raises(L1emuError, match=rf"cannot be packed: the {name} of (charged|neutral) ones: got {value}"):
            spoilt = ak.with_field(batch.candidates, ak.full_like(batch.candidates[name], value), name)
            pack_candidates(spoilt, batch.vertex_z0)


def spoilt_file(tmp_path: Path, batch: Batch, **changes: Any) -> Sample:
    made, strata = thinned(batch)
    return read_sample(write(tmp_path / "spoilt.root", replace(made, **changes), strata))


def test_weights_that_do_not_add_up_are_refused_by_name(batch: Batch, tmp_path: Path) -> None:
    weight = thinned(batch)[0].weight.copy()
    weight[-1] += 1
    sample = spoilt_file(tmp_path, batch, weight=weight)
    with pytest.raises(
        L1emuError, match=r"spoilt\.root: crossings/weight: the weights of the stratum s1 do not add up"
    ):
        sample.read()
    weight[-1] = CROSSING_WEIGHT_ONE - 1
    with pytest.raises(L1emuError, match=r"crossings/weight, entry 119: not the weight of a crossing: got 65535"):
        spoilt_file(tmp_path, batch, weight=weight).read()
    slices = np.full(120, 20, np.int8)
    with pytest.raises(L1emuError, match=r"crossings/slice, entry 0: no such slice: got 20; expected 0 to 19"):
        spoilt_file(tmp_path, batch, slices=slices).read()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weight_sum": 5}, "the weights of the stratum s0 do not add up"),
        ({"drawn": 59}, "the weights of the stratum s0 do not add up"),
        ({"drawn": None}, "the weights of the stratum s0 do not add up"),
        ({"weight_sum": -1}, "unreadable"),
    ],
)
def test_impossible_numbers_in_the_description_are_refused(
    batch: Batch, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    made, strata = thinned(batch)
    path = write(tmp_path / "wrong.root", made, strata)
    with uproot.open(path) as file:
        told = json.loads(str(file["sample"]))
    told["strata"][0] |= changes
    with uproot.update(path) as file:
        file["sample"] = json.dumps(told)
    with pytest.raises(L1emuError, match=rf"wrong\.root: sample.*{message}"):
        read_sample(path)


def test_packed_lists_that_do_not_fit_together_are_refused(batch: Batch, tmp_path: Path) -> None:
    made, strata = thinned(batch)
    path = write(tmp_path / "a.root", made, strata, packed=True)
    with uproot.open(path) as file:
        tree, told = file["crossings"], str(file["sample"])
        arrays = {b.name: b.array() for b in tree.branches if not b.name.startswith("n_")}
    arrays["packed_kind"] = ak.values_astype(ak.zeros_like(arrays["packed_kind"]) + 9, np.uint8)
    lists = {}
    for prefix in ("cone", "packed", "charged", "neutral", "truth"):
        names = [name for name in arrays if name.startswith(f"{prefix}_")]
        lists[prefix] = ak.zip({name.removeprefix(f"{prefix}_"): arrays.pop(name) for name in names})
    with uproot.recreate(tmp_path / "b.root") as file:
        columns = {name: ak.to_numpy(values) for name, values in arrays.items()} | lists
        types = {name: values.dtype for name, values in columns.items() if isinstance(values, np.ndarray)}
        types |= {name: values.type.content for name, values in lists.items()}
        file.mktree("crossings", types, counter_name=lambda name: f"n_{name}").extend(columns)
        file["sample"] = told
    with pytest.raises(L1emuError, match=r"b\.root: n_charged, crossing 0: packed candidates that do not fit together"):
        read_sample(tmp_path / "b.root").read()
