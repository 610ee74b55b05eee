"""Columns of every shape as flat numbers and offsets; units; what is not finite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from l1emu.errors import L1emuError
from l1emu.events.objects.columns import ColumnPlace, FlatLists, checked_numbers, flat_lists, in_our_units
from l1emu.events.objects.schema import FieldSource

PLACE = ColumnPlace(Path("a.root"), "Events/x", 100)


def as_lists(values: Any) -> Any:
    found = flat_lists(values, PLACE)
    if found.offsets is None:
        return found.flat.tolist()
    return [found.flat[low:high].tolist() for low, high in zip(found.offsets, found.offsets[1:], strict=False)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([1.0, 2.0]), [1.0, 2.0]),
        (np.array([1, 2], ">i4"), [1, 2]),
        (np.array([True, False]), [1, 0]),
        (np.array([[1.0, 2.0], [3.0, 4.0]]), [[1.0, 2.0], [3.0, 4.0]]),
        (ak.Array([1, 2, 3]), [1, 2, 3]),
        (ak.Array([[1.0], [], [2.0, 3.0]]), [[1.0], [], [2.0, 3.0]]),
        (ak.Array([[1.0], [], [2.0, 3.0]])[1:], [[], [2.0, 3.0]]),
        (ak.Array([[1.0], [], [2.0, 3.0]])[[2, 0]], [[2.0, 3.0], [1.0]]),
        (ak.from_numpy(np.arange(6).reshape(3, 2)), [[0, 1], [2, 3], [4, 5]]),
        (ak.to_regular(ak.Array([[1, 2], [3, 4]])), [[1, 2], [3, 4]]),
        (ak.Array([[], []]), [[], []]),
        (ak.mask(ak.Array([[1.0], [2.0]]), [True, True]), [[1.0], [2.0]]),
        (ak.to_backend(ak.Array([[True], [False, True]]), "cpu"), [[1], [0, 1]]),
    ],
)
def test_every_shape(values: Any, expected: Any) -> None:
    assert as_lists(values) == expected


def test_a_missing_number_is_nan_and_a_missing_whole_number_is_refused() -> None:
    found = flat_lists(ak.Array([[1.0, None], [], [2.0]]), PLACE)
    np.testing.assert_array_equal(found.flat, [1.0, np.nan, 2.0])
    np.testing.assert_array_equal(flat_lists(ak.Array([None, 1.0]), PLACE).flat, [np.nan, 1.0])
    with pytest.raises(L1emuError, match=r"Events/x, entry 102: a missing value where the others are whole"):
        flat_lists(ak.Array([[1, 2], [], [3, None]]), PLACE)
    with pytest.raises(L1emuError, match=r"Events/x, entry 101: a missing value where"):
        flat_lists(ak.Array([1, None]), PLACE)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (ak.Array([[1.0], None]), "entry 101: a list is missing"),
        (ak.Array(["a", "b"]), "not a list of numbers"),
        (ak.Array([["a"], []]), "not numbers"),
        (ak.Array([[[1.0]], []]), "not numbers"),
        (ak.Array([{"a": 1}]), "not numbers"),
        (ak.Array([[{"a": 1}]]), "not numbers"),
        (ak.Array([1, [2]]), "not numbers"),
        (ak.Array([[1 + 2j]]), "not numbers"),
        (np.zeros((2, 2, 2)), "not one number or list of numbers"),
        (np.array(["a"]), "not one number or list of numbers"),
    ],
)
def test_what_is_no_column_of_numbers(values: Any, match: str) -> None:
    with pytest.raises(L1emuError, match=match) as error:
        flat_lists(values, PLACE)
    assert error.value.path == "a.root"


@pytest.mark.parametrize(
    ("told", "read", "expected"),
    [
        ({"unit": "MeV"}, [57000.0, 1234.5], [57.0, 1.2345]),
        ({"unit": "TeV"}, [1.5], [1500.0]),
        ({"unit": "mm"}, [12.3], [1.23]),
        ({"unit": "m"}, [0.5], [50.0]),
        ({"unit": "um"}, [100.0], [0.01]),
        ({"unit": "deg"}, [180.0], [np.pi]),
        ({"unit": "mrad"}, [1500.0], [1.5]),
        ({"scale": 0.25}, [100], [25.0]),
        ({"scale": -2, "offset": 1}, [0, 1], [1.0, -1.0]),
        ({"scale": 2, "offset": 1, "unit": "MeV"}, [500], [1.001]),
    ],
)
def test_units_and_scales(told: dict[str, Any], read: list[float], expected: list[float]) -> None:
    found = in_our_units(np.array(read), FieldSource(branch="x", **told))
    assert found.dtype == np.float64
    assert found.tolist() == expected


def test_what_needs_no_change_stays_as_it_was_read() -> None:
    flat = np.array([1.0], "f4")
    for unit in (None, "GeV", "rad", "cm"):
        assert in_our_units(flat, FieldSource(branch="x", unit=unit)) is flat


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["pt", "eta", "phi"])
def test_pt_eta_and_phi_are_finite(name: str, wrong: float) -> None:
    flat = np.array([1.0, 2.0, wrong, 1.0], "f4")
    with pytest.raises(L1emuError, match=f"Events/x, entry 103: not a number: got {wrong}; expected a finite number"):
        checked_numbers(name, FlatLists(np.array([0, 1, 1, 2, 4]), flat), PLACE)
    with pytest.raises(L1emuError, match="Events/x, entry 102: not a number"):
        checked_numbers(name, FlatLists(None, flat), PLACE)
    assert checked_numbers("score", FlatLists(None, flat), PLACE) is flat


def test_large_numbers_are_finite() -> None:
    flat = np.full(3, 1.7e308)
    assert checked_numbers("pt", FlatLists(None, flat), PLACE) is flat


def test_phi_is_turned_only_where_it_has_to_be() -> None:
    flat = np.array([-np.pi, np.pi], "f4")
    assert checked_numbers("phi", FlatLists(None, flat), PLACE) is flat
    found = checked_numbers("phi", FlatLists(None, np.array([0.5, 2 * np.pi - 0.5, -4.0])), PLACE)
    np.testing.assert_allclose(found, [0.5, -0.5, 2 * np.pi - 4], rtol=1e-15)
