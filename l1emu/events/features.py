"""What the tagger sees of a jet: sixteen constituents by twelve integers that an FPGA makes without a divider bank.

Every feature is an integer k that stands for k / 64, inside the range of `ap_fixed<10,4>`.

=================== ==================================================================================
pt_log              round(32 log2(pt)), pt in steps of 0.25 GeV; 0 for pt <= 1
pt_rel              128 pt // jet pt
deta, dphi          constituent minus jet axis, steps of pi/720, clipped to +-255
z0                  relative to the primary vertex, steps of 0.05 cm, clipped to +-255
dxy                 transverse impact parameter, steps of 1/256 cm, clipped to +-255
puppi_weight        (weight + 2) // 4, the weight in steps of 1/256
is_...              one-hot particle type, 64 or 0
=================== ==================================================================================
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import kernel
from l1emu.events.hardware import HALF_TURN, PT_MAX

CONSTITUENTS = 16
FEATURE_FRACTION = 6  # fractional bits: a feature k means k / 64
FEATURES = (
    "pt_log",
    "pt_rel",
    "deta",
    "dphi",
    "z0",
    "dxy",
    "puppi_weight",
    "is_charged_hadron",
    "is_electron",
    "is_muon",
    "is_photon",
    "is_neutral_hadron",
)

_CLIP = 255
_ONE = 1 << FEATURE_FRACTION
_FIRST_FLAG = FEATURES.index("is_charged_hadron")

PT_LOG = np.array([0, 0] + [round(32 * math.log2(k)) for k in range(2, PT_MAX + 1)], dtype=np.int16)


@kernel
def wrap_phi(phi: int) -> int:
    """A difference of two angles in steps of pi/720, brought into [-720, 720)."""
    return (phi + HALF_TURN) % (2 * HALF_TURN) - HALF_TURN


@kernel
def _clip(value: int) -> int:
    return min(max(value, -_CLIP), _CLIP)


class Candidates(NamedTuple):
    """PUPPI candidates in hardware steps (`l1emu.events.hardware`), flat: int32, shapes (n,)."""

    pt: NDArray[np.int32]
    eta: NDArray[np.int32]
    phi: NDArray[np.int32]
    particle: NDArray[np.int32]
    z0: NDArray[np.int32]
    dxy: NDArray[np.int32]
    weight: NDArray[np.int32]


@kernel
def fill_features(
    members: NDArray[np.int64], jet: tuple[int, int, int], candidates: Candidates, out: NDArray[np.int16]
) -> None:
    """Write the features of one jet into `out`, shape (16, 12), which must be zero.

    Parameters
    ----------
    members
        Indices of the jet's candidates, by descending pt; those after the sixteenth are left out.
    jet
        Its pt, eta and phi, in hardware steps; pt is positive.
    candidates
        Those that `members` counts.
    """
    pt, eta, phi, particle, z0, dxy, weight = candidates
    jet_pt, jet_eta, jet_phi = jet
    for k in range(min(len(members), CONSTITUENTS)):
        i = members[k]
        out[k, 0] = PT_LOG[min(max(pt[i], 0), PT_MAX)]
        out[k, 1] = (pt[i] * 128) // jet_pt
        out[k, 2] = _clip(eta[i] - jet_eta)
        out[k, 3] = _clip(wrap_phi(phi[i] - jet_phi))
        out[k, 4] = _clip(z0[i])
        out[k, 5] = _clip(dxy[i])
        out[k, 6] = (weight[i] + 2) // 4
        out[k, _FIRST_FLAG + particle[i]] = _ONE


def as_float(features: NDArray[np.int16]) -> NDArray[np.float32]:
    """The real numbers that the integer `features` stand for, exactly: features / 64, float32, same shape."""
    return features.astype(np.float32) / np.float32(_ONE)
