"""Images of jets: what falls into which pixel and channel, what is cut, and how they are scaled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from l1emu.errors import L1emuError
from l1emu.training import jet_images as module
from l1emu.training.jet_images import jet_images

CHARGED, PHOTON, NEUTRAL = 0, 1, 2


@pytest.fixture
def jets(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Three jets with constituents at known places; pixels are 0.2 wide where there are eight."""
    made = [
        {"pt": np.array([10.0, 4.0, 2.0]), "eta": np.array([0.05, 0.05, -0.75]), "phi": np.array([0.05, -0.05, 0.3]),
         "kind": np.array([CHARGED, PHOTON, NEUTRAL])},
        {"pt": np.array([8.0, 5.0]), "eta": np.array([0.3, 0.9]), "phi": np.array([0.0, 0.0]),
         "kind": np.array([PHOTON, PHOTON])},
        {"pt": np.array([1e-4, 3.0]), "eta": np.array([0.0, 0.1]), "phi": np.array([0.0, 0.7]),
         "kind": np.array([PHOTON, CHARGED])},
    ]  # fmt: skip
    monkeypatch.setattr(
        module, "boosted_constituents", lambda count, seed: ((k, 100 + k, jet) for k, jet in enumerate(made))
    )
    return made


def test_each_constituent_is_in_its_pixel_and_channels(jets: list[dict[str, Any]]) -> None:
    arrays = jet_images(jets_per_class=1, seed=1, pixels=8)
    gev = np.expm1(arrays["image"].astype(float) * 8)
    first = np.zeros((8, 8, 3))
    first[4, 3, 0] = 4  # the photon
    first[4:6, 4:6, 1] = 10 / 4  # the charged hadron, over a cell of 2 by 2 pixels
    first[0:2, 4:6, 1] = 2 / 4  # the neutral one
    first[4, 4, 2] = 10  # the track
    np.testing.assert_allclose(gev[0], first, atol=1e-4)
    assert gev[1].sum() == pytest.approx(8, abs=1e-3)  # what is beyond the image's edge is lost
    assert arrays["target"].tolist() == [0, 1, 2] and arrays["event"].tolist() == [100, 101, 102]
    assert arrays["image"].dtype == np.float32


def test_a_crop_is_the_middle_and_coordinates_go_from_edge_to_edge(jets: list[dict[str, Any]]) -> None:
    whole = jet_images(jets_per_class=1, seed=1, pixels=8)["image"]
    found = jet_images(jets_per_class=1, seed=1, pixels=8, crop=4, coordinates=True)["image"]
    np.testing.assert_array_equal(found[..., :3], whole[:, 2:6, 2:6])
    np.testing.assert_allclose(found[0, :, 0, 3], [-0.75, -0.25, 0.25, 0.75])
    np.testing.assert_allclose(found[1, 0, :, 4], [-0.75, -0.25, 0.25, 0.75])


def test_a_z_score_is_brought_to_0_and_1_and_knows_no_small_pixels(jets: list[dict[str, Any]]) -> None:
    found = jet_images(jets_per_class=1, seed=1, pixels=8, scaling="z-score")["image"]
    assert found.min(axis=(0, 1, 2)).tolist() == [0, 0, 0] and found.max(axis=(0, 1, 2)).tolist() == [1, 1, 1]
    # least is nothing, so that the scale is that of the pixels themselves
    assert found[0, 4, 3, 0] == pytest.approx(4 / 8)
    assert found[2, 4, 4, 0] == 0.0


WRONG = [
    ({"pixels": 7}, r"data\.options\.pixels: wrong size: got 7; expected an even number"),
    ({"pixels": 8, "crop": 3}, r"data\.options\.crop: wrong size: got 3"),
    ({"pixels": 8, "crop": 10}, r"data\.options\.crop: wrong size: got 10"),
    ({"scaling": "sqrt"}, r"no such scaling: got 'sqrt'; expected z-score or log"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_options_that_make_no_image_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(L1emuError, match=message):
        jet_images(jets_per_class=1, seed=1, **options)
