"""Lists of objects in every shape that they come in are the same objects."""

from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np
import pytest

from l1emu.errors import L1emuError
from l1emu.events import build_jets
from l1emu.events.cms_tagger import cms_features
from l1emu.events.lists import flat_columns
from l1emu.events.sources import hardware_candidates

FIELDS = ("pt", "eta", "phi", "id", "charge", "z0", "dxy", "weight")


def candidates(seed: int = 1, crossings: int = 12) -> ak.Array:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 20, crossings)
    n = int(counts.sum())
    flat = {"pt": rng.integers(1, 400, n), "eta": rng.integers(-400, 400, n), "phi": rng.integers(-720, 720, n)}
    flat |= {"id": rng.integers(0, 5, n), "charge": rng.integers(-1, 2, n), "z0": rng.integers(-9, 9, n)}
    return ak.unflatten(ak.zip(flat | {"dxy": rng.integers(-9, 9, n), "weight": rng.integers(0, 257, n)}), counts)


def padded(jagged: ak.Array, *, mask: bool) -> ak.Array:
    """Two axes as numpy's, the places that are over with zeros or masked."""
    most = int(ak.max(ak.num(jagged)))
    filled = {f: ak.pad_none(jagged[f], most, axis=1, clip=True) for f in jagged.fields}
    if mask:
        return ak.zip(filled)
    regular = {f: ak.from_numpy(ak.to_numpy(ak.fill_none(v, 0))) for f, v in filled.items()}
    return ak.zip(regular)


@pytest.mark.parametrize("mask", [True, False])
def test_padding_is_in_no_jet(mask: bool) -> None:
    jagged = candidates()
    one, other = build_jets(jagged, min_pt_gev=2), build_jets(padded(jagged, mask=mask), min_pt_gev=2)
    assert len(one.pt) > 5
    for name in ("counts", "pt", "eta", "phi", "features"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert np.array_equal(cms_features(jagged, one), cms_features(padded(jagged, mask=mask), other))
    mixed = ak.mask(jagged, jagged.pt > 100)
    assert np.array_equal(build_jets(mixed).pt, build_jets(jagged[jagged.pt > 100]).pt)


@pytest.mark.parametrize("mask", [True, False])
def test_padding_is_no_candidate(mask: bool) -> None:
    rng = np.random.default_rng(2)
    counts = rng.integers(0, 9, 20)
    n = int(counts.sum())
    flat = {"pt": rng.uniform(1, 50, n), "eta": rng.uniform(-2, 2, n), "phi": rng.uniform(-3, 3, n)}
    flat |= {"pdg_id": rng.choice([211, -211, 22, 130], n).astype(float), "puppi_weight": np.ones(n)}
    jagged = ak.unflatten(ak.zip(flat | {"z0": rng.normal(size=n), "dxy": rng.normal(size=n)}), counts)
    assert ak.to_list(hardware_candidates(jagged)) == ak.to_list(hardware_candidates(padded(jagged, mask=mask)))


def change(**changes: Any) -> ak.Array:
    whole = candidates()
    return ak.zip({f: changes.get(f, whole[f]) for f in FIELDS}, depth_limit=1)


WHOLE = candidates()


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (change(eta=WHOLE.eta[:, :3]), "lists of different lengths"),
        (change(eta=ak.mask(WHOLE.eta, WHOLE.eta > 0)), "missing in one field and there in another"),
        (change(eta=ak.num(WHOLE.eta)), "candidates are lists, one a crossing"),
        (change(eta=WHOLE.eta[:, :, np.newaxis]), "candidates are lists, one a crossing"),
        (change(eta=ak.mask(WHOLE.eta, np.arange(12) > 3)), "crossing 0"),
        (change(eta=WHOLE.eta + 0.5), "candidate eta out of range: got .*whole steps"),
        (change(eta=WHOLE.eta * np.nan), "candidate eta out of range: got nan"),
        (change(eta=WHOLE.eta * 1e30), "candidate eta out of range"),
        (change(pt=WHOLE.pt + 2**32), "candidate pt out of range: got 429"),
        (change(pt=ak.values_astype(WHOLE.pt, "uint64") + np.uint64(2**63)), "candidate pt out of range"),
        (change(id=WHOLE.id + 5), "candidate id out of range"),
        (change(id=WHOLE.id - 5), "candidate id out of range"),
        (change(z0=WHOLE.z0 + 2**40), "candidate z0 out of range"),
        (change(weight=ak.values_astype(WHOLE.weight, "complex128")), "candidates are numbers"),
        (change(eta=ak.Array([["a"]] * 12)), "candidates"),
        (change(eta=ak.Array([[1, "a"]] * 12)), "candidates"),
    ],
)
def test_what_kernels_cannot_index_is_refused(given: ak.Array, match: str) -> None:
    with pytest.raises(L1emuError, match=match):
        build_jets(given)


def test_any_kind_of_whole_numbers_makes_the_same_jets() -> None:
    one = build_jets(WHOLE)
    for kind in ("int16", "int64", "float32", "float64"):
        assert np.array_equal(build_jets(ak.values_astype(WHOLE, kind)).features, one.features)
    assert np.array_equal(build_jets(WHOLE, max_jets=10**12).features, build_jets(WHOLE, max_jets=128).features)
    for value in (np.nan, np.inf):
        with pytest.raises(L1emuError, match="min_pt_gev must be finite"):
            build_jets(WHOLE, min_pt_gev=value)
    assert len(build_jets(WHOLE, min_pt_gev=1e300).pt) == 0
    assert len(build_jets(WHOLE[:0]).pt) == 0


def test_jets_of_other_candidates_are_refused() -> None:
    with pytest.raises(L1emuError, match="not built of these candidates"):
        cms_features(WHOLE[:3], build_jets(WHOLE))


def test_no_fields_are_no_columns() -> None:
    counts, columns = flat_columns(WHOLE, (), what="candidates")
    assert len(counts) == 12 and columns == {}


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("pt", -5.0, "pt is negative: got -5.0; expected .*entry 7"),
        ("phi", 1e30, "phi is no angle"),
        ("phi", 13.0, "phi is no angle: got 13.0; expected radians; it is in entry 7"),
        ("pdg_id", 211.5, "unknown kind: got 211.5"),
        ("pdg_id", 1e300, "unknown kind"),
        ("eta", np.inf, "eta is not a number: got inf"),
    ],
)
def test_candidates_of_no_sense_are_refused(name: str, value: float, match: str) -> None:
    one = {"pt": 5.0, "eta": 0.5, "phi": 0.5, "pdg_id": 211.0, "puppi_weight": 1.0, "z0": 0.0, "dxy": 0.0}
    with pytest.raises(L1emuError, match=match):
        hardware_candidates(ak.Array([[one], [one | {name: value}]]), first=6)
    far = hardware_candidates(ak.Array([[one | {"eta": 1e30, "z0": -1e30}]]), vertex_z0=ak.Array([0.0]))
    assert (far.eta[0][0], far.z0[0][0]) == (1440, -511)


@pytest.mark.parametrize("given", [{"z0": np.nan}, {"dxy": np.inf}, {"pt": 1.0}])
def test_values_for_all_are_finite(given: dict[str, float]) -> None:
    one = {"pt": 5.0, "eta": 0.5, "phi": 0.5, "pdg_id": 211.0, "puppi_weight": 1.0, "z0": 0.0, "dxy": 0.0}
    with pytest.raises(L1emuError, match="not a value for all"):
        hardware_candidates(ak.Array([[one]]), missing=given)
