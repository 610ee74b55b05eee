"""Seeded-cone jets: against a slow implementation on Python's own numbers, which golden words of CMS's C++ hold."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l1emu.errors import L1emuError
from l1emu.events.jets import CANDIDATE_FIELDS, build_jets, mean_offset

STEP = math.pi / 720

# Few distinct values, so that equal pt, candidates on the cone's edge and the seam at pi happen often.
candidate = st.tuples(
    st.one_of(st.integers(1, 40), st.integers(1, 16383)),
    st.one_of(st.integers(-120, 120), st.integers(-700, 700)),
    st.one_of(st.integers(-720, -650), st.integers(650, 719), st.integers(-720, 719)),
    st.integers(0, 4),
    st.integers(-20, 20),
    st.integers(-40, 40),
    st.integers(1, 256),
)
crossing = st.lists(candidate, max_size=40)


def as_array(crossings: Any) -> Any:
    counts = [len(c) for c in crossings]
    flat = [row for c in crossings for row in c]
    columns = np.array(flat, np.int32).reshape(-1, 7)
    return ak.unflatten(ak.zip({f: columns[:, k] for k, f in enumerate(CANDIDATE_FIELDS)}), counts)


def difference(a: Any, b: Any) -> Any:
    return (a - b + 720) % 1440 - 720


def fixed(value: Fraction, bits: int, fraction: int = 0, *, signed: bool = True) -> Fraction:
    """`value` in `ap_fixed` or `ap_ufixed` of so many bits with the usual modes: rounded down, the top bits lost."""
    whole = math.floor(value * 2**fraction) % 2**bits
    return Fraction(whole - (2**bits if signed and whole >= 2 ** (bits - 1) else 0), 2**fraction)


def whole_number(value: Fraction, bits: int) -> int:
    """`value` as `ap_int`: rounded toward zero, the top bits lost."""
    return int(fixed(Fraction(math.trunc(value)), bits))


def reciprocal(pt: int) -> Fraction:
    """1 / pt in GeV^-1 by a table of 1024 entries of `ap_ufixed<18,-2>`, shifted in that type."""
    up = 14 - pt.bit_length()
    top = (pt << up) >> 3 << 3  # leading one and ten bits
    return fixed(fixed(Fraction(4, top), 18, 20, signed=False) * 2**up, 18, 20, signed=False)


def offset(products: list[int], pt: int) -> int:
    """The mean of products of pt, in steps of 0.25 GeV, and offset: each is rounded to whole GeV before it is added."""
    total = fixed(sum((fixed(Fraction(p, 4), 22) for p in products), Fraction(0)), 22)
    return whole_number(total * reciprocal(pt), 12)


def slow_jets(rows: Any, max_jets: Any) -> Any:
    left = sorted(range(len(rows)), key=lambda i: -rows[i][0])  # sorted() is stable
    jets: list[Any] = []
    while left and len(jets) < max_jets:
        seed = rows[left[0]]
        cone = [i for i in left if (rows[i][1] - seed[1]) ** 2 + difference(rows[i][2], seed[2]) ** 2 < 8384]
        left = [i for i in left if i not in cone]
        pt = min(sum(rows[i][0] for i in cone), 16383)
        eta = seed[1] + offset([rows[i][0] * (rows[i][1] - seed[1]) for i in cone], pt)
        phi = seed[2] + offset([rows[i][0] * difference(rows[i][2], seed[2]) for i in cone], pt)
        jets.append((pt, whole_number(Fraction(eta), 12), whole_number(Fraction(phi), 11), cone))
    return sorted(jets, key=lambda j: -j[0])


def test_the_slow_cone_is_cms_own() -> None:
    with np.load(Path(__file__).parents[1] / "cmssw" / "golden" / "seeded_cone.npz") as file:
        for k in range(len(file["cases"])):
            given, cms = (iter(file[f"{side}_{k}"].tolist()) for side in ("given", "cms"))
            for count in given:
                rows = [[next(given) for _ in range(3)] for _ in range(count)]
                jets = slow_jets(rows, 16)
                assert next(cms) == len(jets)
                assert [tuple(next(cms) for _ in range(3)) for _ in jets] == [j[:3] for j in jets]
                owner = {i: n for n, jet in enumerate(jets) for i in jet[3]}
                assert [next(cms) for _ in rows] == [owner.get(i, -1) for i in range(count)]


@given(st.lists(crossing, min_size=1, max_size=4), st.integers(1, 16))
@settings(max_examples=60, deadline=None)
def test_jets_are_those_of_the_slow_cone(crossings: Any, max_jets: Any) -> None:
    jets = build_jets(as_array(crossings), max_jets=max_jets, min_pt_gev=0)
    expected = [slow_jets(rows, max_jets) for rows in crossings]
    assert jets.counts.tolist() == [len(e) for e in expected]
    flat = [j for e in expected for j in e]
    assert list(zip(jets.pt.tolist(), jets.eta.tolist(), jets.phi.tolist(), strict=True)) == [j[:3] for j in flat]
    members = [min(len(j[3]), 16) for j in flat]
    assert (jets.features[:, :, 7:] > 0).sum(axis=(1, 2)).tolist() == members


@given(st.integers(17, 16383), st.integers(-90, 90))
def test_the_mean_offset_is_within_the_tables_precision(pt: Any, offset: Any) -> None:
    mean = mean_offset(pt * offset >> 2, pt)  # above 4 GeV, where the reciprocal is whole
    assert abs(mean - offset) <= abs(offset) / 256 + 2


def test_jets_up_to_4_gev_lose_the_leading_bits_of_the_reciprocal() -> None:
    assert mean_offset(50 * 16 // 4, 17) == 46  # 1 / 4.25
    assert mean_offset(50 * 16 // 4, 16) == 0  # 1 / 4 = 0.25 is 0 in ap_ufixed<18,-2>


def test_the_mean_offset_is_rounded_toward_zero() -> None:
    assert (mean_offset(150, 400), mean_offset(-150, 400)) == (1, -1)


def test_phi_is_not_brought_back_into_one_turn() -> None:
    jets = build_jets(as_array([[(100, 0, 700, 0, 0, 0, 256), (99, 0, -690, 0, 0, 0, 256)]]), min_pt_gev=0)
    assert jets.phi.tolist() == [724]
    assert jets.phi_in_turn.tolist() == [-716]
    assert jets.table().phi[0, 0] == pytest.approx(-716 * STEP)


def test_a_candidate_at_the_cones_edge_is_outside() -> None:
    # 88^2 + 25^2 = 8369 is inside 8384, 88^2 + 26^2 = 8420 outside
    rows = [[(100, 0, 0, 0, 0, 0, 256), (50, 88, 25, 0, 0, 0, 256), (40, 88, -26, 0, 0, 0, 256)]]
    assert build_jets(as_array(rows), min_pt_gev=0).pt.tolist() == [150, 40]


def test_the_sum_of_pt_saturates() -> None:
    rows = [[(16000, 0, 0, 0, 0, 0, 256), (16000, 1, 1, 0, 0, 0, 256)]]
    assert build_jets(as_array(rows)).pt.tolist() == [16383]


def test_soft_jets_are_left_out_and_the_table_is_in_gev() -> None:
    rows = [[(200, 72, 720 // 4, 3, 0, 0, 256), (59, -300, 0, 3, 0, 0, 256)], []]
    jets = build_jets(as_array(rows), min_pt_gev=15)
    table = jets.table()
    assert jets.counts.tolist() == [1, 0]
    assert table.pt.tolist() == [[50.0], []]
    assert table.eta[0, 0] == pytest.approx(72 * STEP)
    assert table.phi[0, 0] == pytest.approx(math.pi / 4)


def test_the_jet_of_59_steps_has_14_75_gev() -> None:
    assert build_jets(as_array([[(59, 0, 0, 3, 0, 0, 256)]]), min_pt_gev=14.75).pt.tolist() == [59]


def test_a_missing_field_is_named() -> None:
    wrong = as_array([[(59, 0, 0, 3, 0, 0, 256)]])[["pt", "eta", "phi", "id", "z0", "weight"]]
    with pytest.raises(L1emuError, match="lack the field 'dxy'"):
        build_jets(wrong)


@pytest.mark.parametrize(("place", "value", "name"), [(0, -1, "pt"), (2, 800, "phi"), (3, 5, "id"), (6, 300, "weight")])
def test_a_value_out_of_range_is_named(place: int, value: int, name: str) -> None:
    row = [59, 0, 0, 3, 0, 0, 256]
    row[place] = value
    with pytest.raises(L1emuError, match=f"candidate {name} out of range"):
        build_jets(as_array([[tuple(row)]]))
