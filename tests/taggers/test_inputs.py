"""The numbers of a feature map, one transformation at a time."""

from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np
import pytest
from pydantic import ValidationError

from l1emu.eventdata import EventData
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Tensor
from l1emu.taggers.columns import Tagged
from l1emu.taggers.inputs import NetworkInput
from l1emu.taggers.maps import FeatureMap

JETS = ak.Array(
    [
        [
            {
                "pt": 8.0,
                "eta": 1.5,
                "phi": 3.0,
                "id": 2,
                "tracks": [{"pt": 1.0, "phi": -3.0, "eta": 1.0}, {"pt": 4.0, "phi": 3.0, "eta": 2.0}],
            }
        ],
        [],
        [
            {"pt": 2.0, "eta": -0.5, "phi": -1.0, "id": 5, "tracks": []},
            {"pt": 0.5, "eta": 0.0, "phi": 0.0, "id": 2, "tracks": [{"pt": 0.25, "phi": 0.5, "eta": 0.0}]},
        ],
    ]
)
DATA = EventData(3, {"jets": JETS}, {"ht": np.array([10.0, np.nan, 30.0])})


def made(keys: dict[str, Any], of: str = "jets") -> Any:
    one = FeatureMap.model_validate({"precision": "float64"} | keys)
    return NetworkInput(Tensor("x", one.shape, FixedPoint.parse("ap_fixed<16,6>")), one, "x").values(Tagged(DATA, of))


@pytest.mark.parametrize(
    ("feature", "want"),
    [
        ("pt", [8, 2, 0.5]),
        ({"field": "pt", "scale": 2, "offset": -1, "clip": [0.5, 10]}, [10, 3, 0.5]),
        ({"field": "pt", "steps": [{"offset": -1}, "abs", {"scale": 3}]}, [21, 3, 1.5]),
        ({"field": "pt", "steps": ["log2"]}, [3, 1, -1]),
        ({"field": "eta", "steps": ["square", "sqrt"]}, [1.5, 0.5, 0]),
        ({"field": "eta", "steps": ["round"]}, [2, 0, 0]),
        ({"field": "eta", "steps": ["floor"]}, [1, -1, 0]),
        ({"field": "phi", "steps": [{"offset": 1.0}, "wrap"]}, [4 - 2 * np.pi, 0, 1]),
        ({"field": "phi", "steps": ["sin"]}, np.sin([3.0, -1.0, 0.0])),
        ({"field": "id", "table": {"2": 7, "5": -1}, "scale": 2}, [14, -2, 14]),
        ({"field": "pt", "when": [{"field": "id", "in": [2]}], "otherwise": -4}, [8, -4, 0.5]),
        ({"field": "pt", "when": [{"field": "id", "min": 3}, {"field": "pt", "max": 1}]}, [0, 0, 0]),
        ({"field": "eta", "steps": ["log"], "when": [{"field": "eta", "min": 1}], "otherwise": 9}, [np.log(1.5), 9, 9]),
        ({"value": 3, "scale": 2}, [6, 6, 6]),
    ],
)
def test_a_number_of_the_object(feature: Any, want: list[float]) -> None:
    np.testing.assert_allclose(made({"of": "object", "fields": [feature]})[:, 0, 0], want, rtol=1e-15)


@pytest.mark.parametrize(
    ("keys", "want"),
    [
        ({"fields": ["pt"]}, [[1, 4], [0, 0], [0.25, 0]]),
        ({"fields": ["pt"], "order": "pt"}, [[4, 1], [0, 0], [0.25, 0]]),
        ({"fields": ["pt"], "order": "pt", "count": 1}, [[4], [0], [0.25]]),
        ({"fields": ["pt"], "padding": -3}, [[1, 4], [-3, -3], [0.25, -3]]),
        ({"fields": [{"field": "pt", "padding": 5}], "padding": -3}, [[1, 4], [5, 5], [0.25, 5]]),
        ({"fields": ["pt"], "where": [{"field": "eta", "min": 1.5}]}, [[4, 0], [0, 0], [0, 0]]),
        ({"fields": [{"field": "pt", "relative": "ratio"}]}, [[0.125, 0.5], [0, 0], [0.5, 0]]),
        ({"fields": [{"field": "pt", "relative": "difference", "to": "id"}]}, [[-1, 2], [0, 0], [-1.75, 0]]),
        ({"fields": [{"field": "phi", "relative": "delta_phi"}]}, [[2 * np.pi - 6, 0], [0, 0], [0.5, 0]]),
        ({"fields": [{"relative": "delta_r"}]}, [[np.hypot(0.5, 2 * np.pi - 6), 0.5], [0, 0], [0.5, 0]]),
        ({"mask": "filled"}, [[1, 1], [0, 0], [1, 0]]),
        ({"mask": "empty"}, [[0, 0], [1, 1], [0, 1]]),
    ],
)
def test_numbers_of_what_is_inside(keys: dict[str, Any], want: list[list[float]]) -> None:
    found = made({"of": "tracks", "count": 2} | keys)
    np.testing.assert_allclose(found[:, :, 0], want, rtol=1e-14)


def test_one_hot_is_several_numbers() -> None:
    found = made({"of": "object", "fields": [{"field": "id", "one_hot": [5, 2, 1], "scale": 4, "offset": 1}]})
    assert found[:, 0].tolist() == [[1, 5, 1], [5, 1, 1], [1, 5, 1]]


def test_fields_first_is_the_other_way_round() -> None:
    keys = {"of": "tracks", "count": 3, "fields": ["pt", "eta"]}
    found = made(keys | {"layout": "fields_first"})
    assert found.shape == (3, 2, 3)
    np.testing.assert_array_equal(found, made(keys).transpose(0, 2, 1))


def test_parts_stand_one_after_the_other() -> None:
    jet = {"of": "object", "fields": ["pt", "eta"]}
    tracks = {"of": "tracks", "count": 1, "fields": ["pt", "eta"]}
    assert made({"parts": [jet, tracks]}).tolist() == [
        [[8, 1.5], [1, 1]], [[2, -0.5], [0, 0]], [[0.5, 0], [0.25, 0]],
    ]  # fmt: skip
    ht = {"of": "sums", "fields": [{"field": "ht", "scale": 0.5, "padding": -1}]}
    assert made({"parts": [jet, ht]}).tolist() == [[8, 1.5, 5], [2, -0.5, 15], [0.5, 0, 15]]


def test_whole_crossings() -> None:
    ht = {"of": "sums", "fields": ["ht"], "padding": -1}
    jets = {"of": "jets", "count": 2, "fields": ["pt"]}
    assert made({"parts": [ht, jets]}, of="event")[:, :, 0].tolist() == [[10, 8, 0], [-1, 0, 0], [30, 2, 0.5]]


def test_single_precision_is_what_keras_takes() -> None:
    keys = {"of": "object", "fields": [{"field": "eta", "scale": 0.1}]}
    assert made(keys | {"precision": "float32"}).dtype == np.float32
    np.testing.assert_array_equal(made(keys | {"precision": "float32"}), made(keys).astype(np.float32))


def test_pairs_are_numbers_of_every_two_objects() -> None:
    names = ["delta_eta", "delta_phi", "log_delta_r", "log_kt", "log_z", "log_m2"]
    found = made({"of": "tracks", "count": 3, "order": "pt", "pairs": names, "padding": -9})
    assert found.shape == (3, 3, 3, 6)
    wrapped = 6 - 2 * np.pi
    distance = np.hypot(1, wrapped)
    four = np.array([[4 * np.cosh(2.0), 4 * np.cos(3.0), 4 * np.sin(3.0), 4 * np.sinh(2.0)],
                     [np.cosh(1.0), np.cos(3.0), -np.sin(3.0), np.sinh(1.0)]]).sum(axis=0)  # fmt: skip
    mass = four[0] ** 2 - (four[1:] ** 2).sum()
    want = [1, wrapped, np.log(distance), np.log(distance), np.log(0.2), np.log(mass)]
    np.testing.assert_allclose(found[0, 0, 1], want, rtol=1e-12)
    np.testing.assert_allclose(found[0, 1, 0], [-1, -wrapped, *want[2:]], rtol=1e-12)
    np.testing.assert_allclose(
        found[0, 0, 0], [0, 0, np.log(1e-8), np.log(1e-8), np.log(0.5), np.log(1e-8)], rtol=1e-12
    )
    assert (found[0, 2] == -9).all() and (found[0, :, 2] == -9).all() and (found[1] == -9).all()
    clipped = made({"of": "tracks", "count": 2, "pairs": [{"pair": "log_z", "scale": 2, "offset": 1, "clip": [-2, 1]}]})
    assert clipped[0, 0, 1, 0] == -2 and clipped[2, 0, 0, 0] == 1 + 2 * np.log(0.5)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"of": "object", "pairs": ["log_z"]}, "expected pairs of a collection"),
        ({"of": "tracks", "count": 2, "pairs": ["log_z"], "mask": "filled"}, "exactly one of fields, mask, pairs"),
        ({"of": "tracks", "count": 2, "pairs": ["log_zz"]}, "Input should be 'delta_eta'"),
        ({"of": "tracks", "count": 2, "pairs": ["log_z"], "layout": "fields_first"}, "numbers last"),
        ({"parts": [{"of": "tracks", "count": 2, "pairs": ["log_z"]}]}, "expected an input of their own"),
    ],
)
def test_wrong_pairs_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FeatureMap.model_validate(keys)
