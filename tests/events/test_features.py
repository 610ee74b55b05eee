"""Features: against a slow reference that spells every feature out, and their ranges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from l1emu.events.classes import CLASSES
from l1emu.events.features import (
    CONSTITUENTS,
    FEATURE_FRACTION,
    FEATURES,
    PT_LOG,
    Candidates,
    as_float,
    fill_features,
    wrap_phi,
)

candidate = st.tuples(
    st.integers(1, 16383),
    st.integers(-720, 720),
    st.integers(-720, 719),
    st.integers(0, 4),
    st.integers(-511, 511),
    st.integers(-4095, 4095),
    st.integers(0, 256),
)


def reference(members: Any, jet: Any) -> Any:
    """One jet's features, by the words of the contract."""
    rows = np.zeros((CONSTITUENTS, len(FEATURES)), int)
    for row, (pt, eta, phi, particle, z0, dxy, weight) in zip(rows, members, strict=False):
        d_phi = phi - jet[2]
        while d_phi >= 720:
            d_phi -= 1440
        while d_phi < -720:
            d_phi += 1440
        values = {
            "pt_log": 0 if pt <= 1 else round(32 * math.log2(pt)),
            "pt_rel": int(128 * pt / jet[0]),
            "deta": sorted((-255, eta - jet[1], 255))[1],
            "dphi": sorted((-255, d_phi, 255))[1],
            "z0": sorted((-255, z0, 255))[1],
            "dxy": sorted((-255, dxy, 255))[1],
            "puppi_weight": int((weight + 2) / 4),
        }
        names = ("charged_hadron", "electron", "muon", "photon", "neutral_hadron")
        values |= {f"is_{name}": 64 * (k == particle) for k, name in enumerate(names)}
        row[:] = [values[name] for name in FEATURES]
    return rows


@given(st.lists(candidate, min_size=1, max_size=20), st.integers(-720, 720), st.integers(-720, 719))
@settings(max_examples=200, deadline=None)
def test_features_are_those_of_the_reference(members: Any, jet_eta: Any, jet_phi: Any) -> None:
    members.sort(key=lambda c: -c[0])
    jet = (min(sum(c[0] for c in members), 16383), jet_eta, jet_phi)
    columns = [np.array(c, np.int32) for c in zip(*members, strict=True)]
    out = np.zeros((CONSTITUENTS, len(FEATURES)), np.int16)
    fill_features(np.arange(len(members)), jet, Candidates(*columns), out)
    assert (out == reference(members[:CONSTITUENTS], jet)).all()
    assert out.min() >= -512  # ap_fixed<10,4>
    assert out.max() <= 511


def test_the_logarithm_is_monotonic_and_fits() -> None:
    assert PT_LOG[0] == PT_LOG[1] == 0
    assert PT_LOG[4] == 64
    assert (np.diff(PT_LOG) >= 0).all()
    assert PT_LOG[-1] <= 511


def test_angles_wrap() -> None:
    assert [wrap_phi(p) for p in (719, 720, -720, -721, 1440)] == [719, -720, -720, 719, 0]


def test_floats_are_exact() -> None:
    raw = np.arange(-512, 512, dtype=np.int16)
    assert (as_float(raw) * 2**FEATURE_FRACTION == raw).all()


def test_names() -> None:
    assert len(FEATURES) == 12
    assert CLASSES == ("b", "c", "uds", "g", "pileup")
