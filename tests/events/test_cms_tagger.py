"""The twenty inputs of CMS's tagger: against a slow reading of their definitions, constituent by constituent."""

from __future__ import annotations

import math
from typing import Any

import awkward as ak
import numpy as np
import pytest

from l1emu.errors import L1emuError
from l1emu.events.cms_tagger import CMS_FEATURES, cms_features
from l1emu.events.jets import build_jets
from l1emu.events.sample import read_sample
from l1emu.resources import resource

MASS = (0.13, 0.005, 0.105, 0.0, 0.5)


@pytest.fixture(scope="module")
def batch() -> Any:
    return next(iter(read_sample(resource("datasets/signal-hh4b-pu200.root")).iterate(60)))


def expected(c: Any, jet_pt: Any, jet_eta: Any, jet_phi: Any) -> Any:
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
        math.log(c["pt"] / 4),
        jet_eta - c["eta"],
        d_phi,
        MASS[c["id"]],
        *flags.values(),
        c["z0"] if charged else 0,
        round(c["dxy"] / 256 / 0.05) if charged else 0,
        1,
        0 if charged else c["weight"] / 256,
        1 if c["id"] == 3 else 0,
        3 if charged else 0,
    ]


def test_they_are_those_of_the_definitions(batch: Any) -> None:
    jets = build_jets(batch.candidates)
    features = cms_features(batch.candidates, jets)
    flat = ak.flatten(batch.candidates).tolist()
    assert features.shape == (len(jets.pt), 16, 20)
    seen = set()
    for j in range(len(jets.pt)):
        members = [m for m in jets.constituents[j].tolist() if m >= 0]
        assert [flat[m]["pt"] for m in members] == sorted((flat[m]["pt"] for m in members), reverse=True)
        for k, m in enumerate(members):
            want = expected(flat[m], int(jets.pt[j]), int(jets.eta[j]), int(jets.phi[j]))
            np.testing.assert_allclose(features[j, k], want, rtol=1e-6)
            seen.add(flat[m]["id"])
        assert not features[j, len(members) :].any()
    assert seen == {0, 1, 2, 3, 4}


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
