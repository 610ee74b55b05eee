"""Registered generator of jet images, with Pythia 8 (extra: generate): a jet in calorimeters and tracker."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.training.pythia_jets import KIND_CHARGED, KIND_PHOTON, boosted_constituents

_HALF_WIDTH = 0.8
"""Of an image in eta and phi, from the jet's axis."""
_ZERO_GEV = 1e-3
"""Pixels below it are empty."""
_LARGEST_SIGMA = 500.0

Scaling = Literal["z-score", "log"]


def jet_images(
    *,
    jets_per_class: int,
    seed: int,
    pixels: int = 32,
    crop: int | None = None,
    scaling: Scaling = "log",
    coordinates: bool = False,
) -> dict[str, npt.NDArray[Any]]:
    """Images of the jets of `boosted-jets`: transverse momentum in pixels of eta and phi around the jet's axis.

    Parameters
    ----------
    pixels
        Along each side, over 1.6 in eta and phi: a multiple of two.
    crop
        Of these, so many in the middle are kept; by default all.
    scaling
        log: ln(1 + pT / GeV) / 8. z-score: pixels below 1 MeV set to zero, each channel less its mean and divided by
        its standard deviation over all images, cut at 500 standard deviations, and brought from its least and largest
        value to 0 and 1.
    coordinates
        Two more channels with the pixel's eta and phi, -1 to 1 from edge to edge of the kept part: attention knows
        nothing of places that its input does not tell.

    Returns
    -------
    dict
        `image` float32 (jets, eta, phi, channels): electromagnetic calorimeter (photons), hadronic calorimeter
        (charged and neutral hadrons, in cells of 2 by 2 pixels), tracks, and the coordinates; `target` int64: 0 g,
        1 q, 2 W, 3 Z, 4 t; `event` int64.
    """
    kept = pixels if crop is None else crop
    _check_sizes(pixels, kept)
    if scaling not in ("z-score", "log"):
        raise L1emuError("no such scaling", where="data.options.scaling", value=scaling, expected="z-score or log")
    first = (pixels - kept) // 2
    images, target, event = [], [], []
    for label, number, jet in boosted_constituents(jets_per_class, seed):
        images.append(_image(jet, pixels)[first : first + kept, first : first + kept])
        target.append(label)
        event.append(number)
    scaled = _scaled(np.stack(images), scaling)
    if coordinates:
        places = (np.arange(kept, dtype=np.float32) + 0.5) / kept * 2 - 1
        grid = np.stack(np.meshgrid(places, places, indexing="ij"), axis=-1)
        scaled = np.concatenate([scaled, np.broadcast_to(grid, (len(scaled), *grid.shape))], axis=-1)
    return {"image": scaled.astype(np.float32), "target": np.array(target), "event": np.array(event)}


def _check_sizes(pixels: int, kept: int) -> None:
    if not isinstance(pixels, int) or pixels % 2 or not 2 <= pixels <= 256:
        raise L1emuError("wrong size", where="data.options.pixels", value=pixels, expected="an even number, 2 to 256")
    if not isinstance(kept, int) or not 1 <= kept <= pixels or (pixels - kept) % 2:
        raise L1emuError(
            "wrong size", where="data.options.crop", value=kept, expected=f"an even number up to {pixels} pixels"
        )


def _image(jet: dict[str, Any], pixels: int) -> npt.NDArray[np.float32]:
    """Transverse momentum in GeV: (eta, phi, [ECAL, HCAL, tracks])."""
    place = [np.floor((jet[name] + _HALF_WIDTH) / (2 * _HALF_WIDTH) * pixels).astype(int) for name in ("eta", "phi")]
    inside = (np.minimum(*place) >= 0) & (np.maximum(*place) < pixels)
    image = np.zeros((pixels, pixels, 3), np.float32)
    charged, photon = jet["kind"] == KIND_CHARGED, jet["kind"] == KIND_PHOTON
    for channel, which in ((0, photon), (1, ~photon), (2, charged)):
        chosen = inside & which
        np.add.at(image, (place[0][chosen], place[1][chosen], channel), jet["pt"][chosen])
    cells = image[..., 1].reshape(pixels // 2, 2, pixels // 2, 2).sum(axis=(1, 3)) / 4
    image[..., 1] = cells.repeat(2, axis=0).repeat(2, axis=1)
    return image


def _scaled(images: npt.NDArray[np.float32], scaling: Scaling) -> npt.NDArray[np.float32]:
    if scaling == "log":
        return np.asarray(np.log1p(images) / 8, dtype=np.float32)
    images = np.where(images < _ZERO_GEV, np.float32(0), images)
    over = (0, 1, 2)
    mean, sigma = (getattr(images, name)(axis=over, dtype=np.float64) for name in ("mean", "std"))
    images = np.clip((images - mean) / np.where(sigma > 0, sigma, 1), -_LARGEST_SIGMA, _LARGEST_SIGMA)
    least, most = images.min(axis=over), images.max(axis=over)
    return np.asarray((images - least) / np.where(most > least, most - least, 1), dtype=np.float32)
