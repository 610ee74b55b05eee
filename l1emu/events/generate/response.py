"""CMS's energy corrections of Level-1 clusters, and their inverse: what its calorimeters see of a hadron.

A hadron's shower leaves less in a cluster than it had, by its share in the electromagnetic part. CMS corrects clusters
by curves in bins of eta and of that share, drawn up from single pions (cms-data/L1Trigger-Phase2L1ParticleFlow,
`hadcorr_barrel_110X.root` and `hadcorr_HGCal3D_TC_110X.root`). Each curve is here the line through its points at 20
and 100 GeV, and below 5 GeV (10 in the endcap) the correction falls in proportion to pt: that is within 1 GeV of most
curves at 10 GeV and more, and within 3 GeV below (5 of the endcap's steepest).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import kernel

_ETA_ENDS = np.array([0.7, 1.2, 1.48, 1.7, 1.9, 2.2, 2.5, 2.8])  # the last bin has no end
_SHARE_ENDS = np.array([0.125, 0.25, 0.5, 0.875])
_BARREL_BINS = 3
# Slope, and offset in GeV, by eta (rows) and the electromagnetic share (columns).
_SLOPE = np.array(
    [
        [1.02, 1.28, 1.28, 1.29, 1.07],
        [0.99, 1.26, 1.26, 1.33, 1.13],
        [1.25, 1.43, 1.43, 1.63, 2.01],
        [1.42, 1.50, 1.50, 1.46, 1.02],
        [1.41, 1.49, 1.48, 1.43, 1.02],
        [1.38, 1.42, 1.45, 1.41, 1.02],
        [1.33, 1.42, 1.44, 1.41, 1.03],
        [1.34, 1.43, 1.47, 1.43, 1.04],
        [1.47, 1.47, 1.52, 1.46, 1.03],
    ]
)
_OFFSET_GEV = np.array(
    [
        [1.0, 2.4, 2.4, 3.5, 5.4],
        [2.8, 5.6, 5.6, 5.0, 5.6],
        [3.0, 6.9, 6.9, 5.3, 1.6],
        [-2.9, -1.4, 0.3, 2.2, 2.9],
        [-1.3, -0.6, 1.5, 3.3, 2.6],
        [0.7, 2.2, 3.1, 4.2, 2.4],
        [3.2, 3.6, 4.3, 4.9, 2.1],
        [4.2, 4.1, 4.6, 5.1, 1.9],
        [4.6, 5.1, 5.5, 5.5, 1.7],
    ]
)
_RAMP_GEV = np.array([5.0, 10.0])  # of barrel and endcap: all of the correction above, in proportion to pt below


@kernel
def _bin(ends: NDArray[np.float64], value: float) -> int:
    k = 0
    while k < len(ends) and value >= ends[k]:
        k += 1
    return k


@kernel
def _curve(share: float, abs_eta: float) -> tuple[float, float, float]:
    """Slope and offset [GeV] of a correction, and from which seen pt [GeV] on it is all applied."""
    i, j = _bin(_ETA_ENDS, abs_eta), _bin(_SHARE_ENDS, share)
    return _SLOPE[i, j], _OFFSET_GEV[i, j], _RAMP_GEV[0 if i < _BARREL_BINS else 1]


@kernel
def corrected_pt(pt: float, share: float, abs_eta: float) -> float:
    """The corrected pt [GeV] of a cluster with the `share` of its energy in the electromagnetic part."""
    slope, offset, end = _curve(share, abs_eta)
    return pt + min(pt / end, 1.0) * ((slope - 1.0) * pt + offset)


@kernel
def seen_pt(pt: float, share: float, abs_eta: float) -> float:
    """What is seen of a hadron of `pt` [GeV], the `share` of it electromagnetic: `corrected_pt` inverted."""
    slope, offset, end = _curve(share, abs_eta)
    if pt >= slope * end + offset:
        return (pt - offset) / slope
    linear = 1.0 + offset / end  # below, x of (slope - 1) / end x^2 + linear x = pt
    return 2.0 * pt / (linear + math.sqrt(linear * linear + 4.0 * (slope - 1.0) / end * pt))
