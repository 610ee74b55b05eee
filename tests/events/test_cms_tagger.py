"""The inputs of CMS's tagger: against a slow reading of their definitions, constituent by constituent."""

from __future__ import annotations

import math
from typing import Any

import awkward as ak
import numpy as np
import pytest

from l1emu.errors import L1emuError
from l1emu.events.cms_tagger import CMS_FEATURES, CMS_VERSIONS, cms_features, cms_inputs, with_words
from l1emu.events.jets import build_jets
from l1emu.events.sample import read_sample
from l1emu.resources import resource

MASS = (0.13, 0.005, 0.105, 0.0, 0.5)


@pytest.fixture(scope="module")
def batch() -> Any:
    return next(iter(read_sample(resource("datasets/signal-hh4b-pu200.root")).iterate(60)))


def expected(c: Any, jet_pt: Any, jet_eta: Any, jet_phi: Any) -> Any:
    """Of v2.0.0, from real numbers: what tables make of pt is only near."""
    charged = c["id"] <= 2
    flags = dict.fromkeys(CMS_FEATURES[6:14], 0)
    sign = "Plus" if c["charge"] > 0 else "Minus"
    name = ("ChargedHadron" + sign, "Electron" + sign, "Muon" + sign, "Photon", "NeutralHadron")[c["id"]]
    flags["is" + name] = 1
    d_phi = c["phi"] - jet_phi
    d_phi -= 1440 * math.floor((d_phi + 720) / 1440)
    return [
        c["pt"] / 4,
        c["pt"] / jet_pt,
        max(math.log(c["pt"] / 4), 0),
        jet_eta - c["eta"],
        d_phi,
        MASS[c["id"]],
        *flags.values(),
        c["z0"] if charged else 0,
        64 * math.sqrt(abs(c["dxy"]) / 256) if charged else 0,
        1,
        0 if charged else c["weight"] % 2,
        0 if charged else c["emid"] % 2,
        c["quality"] if charged else 0,
        c["eta"],
    ]


def test_they_are_those_of_the_definitions(batch: Any) -> None:
    candidates = with_words(batch.candidates)
    jets = build_jets(candidates)
    features = cms_features(candidates, jets)
    flat = ak.flatten(candidates).tolist()
    assert features.shape == (len(jets.pt), 16, 21)
    near = {name: CMS_FEATURES.index(name) for name in ("pt_rel", "pt_log", "dxy")}
    exact = [k for k in range(21) if k not in near.values()]
    seen = set()
    for j in range(len(jets.pt)):
        members = [m for m in jets.constituents[j].tolist() if m >= 0]
        assert [flat[m]["pt"] for m in members] == sorted((flat[m]["pt"] for m in members), reverse=True)
        for k, m in enumerate(members):
            want = np.array(expected(flat[m], int(jets.pt[j]), int(jets.eta[j]), int(jets.phi[j])))
            np.testing.assert_allclose(features[j, k, exact], want[exact], atol=1e-9)
            # the reciprocal of a jet's pt has three bits, truncated
            assert 0.79 * want[1] <= features[j, k, near["pt_rel"]] <= want[1]
            assert abs(features[j, k, near["pt_log"]] - want[2]) < 0.006
            assert abs(features[j, k, near["dxy"]] - want[near["dxy"]]) < 5
            seen.add(flat[m]["id"])
        assert not features[j, len(members) :].any()
    assert seen == {0, 1, 2, 3, 4}


def test_versions_feed_pt_differently(batch: Any) -> None:
    jets = build_jets(batch.candidates)
    old, tables, new = (cms_features(batch.candidates, jets, version) for version in CMS_VERSIONS)
    assert old.shape[2] == tables.shape[2] == 20
    filled = new[:, :, 16] == 1
    np.testing.assert_array_equal(old[filled][:, 0], 4 * new[filled][:, 0])
    np.testing.assert_array_equal(tables[filled][:, 0], new[filled][:, 0])
    fraction = new[filled][:, 0] / (jets.pt[np.nonzero(filled)[0]] / 4)
    np.testing.assert_allclose(old[filled][:, 1], 4 * fraction, atol=2e-4)
    assert (tables[filled][:, 1] < 0).all()
    for made in (old, tables):
        assert np.array_equal(made * 4096, np.rint(made * 4096))
    assert cms_inputs(batch.candidates, jets, "v1.0.1").jets.shape == (len(jets.pt), 0)
    with pytest.raises(L1emuError, match="no such version of CMS's jet tagger: got 'v3'"):
        cms_features(batch.candidates, jets, "v3")


def test_constituents_are_in_the_cone_of_their_crossing(batch: Any) -> None:
    jets = build_jets(batch.candidates)
    ends = np.cumsum(ak.to_numpy(ak.num(batch.candidates.pt)))
    crossing = np.repeat(np.arange(len(jets.counts)), jets.counts)
    filled = jets.constituents >= 0
    of = np.searchsorted(ends, jets.constituents[filled], side="right")
    assert (of == np.repeat(crossing, filled.sum(axis=1))).all()
    assert (filled.sum(axis=1) == (jets.features[:, :, 7:] > 0).sum(axis=(1, 2))).all()


def test_candidates_without_charge_are_refused(batch: Any) -> None:
    fields = [f for f in batch.candidates.fields if f != "charge"]
    with pytest.raises(L1emuError, match="lack the field 'charge'"):
        cms_features(batch.candidates[fields], build_jets(batch.candidates))
