"""Seeded-cone jets (SC4) in hardware integers, and the tagger's features of each.

The algorithm is that of CMS's `L1SCJetEmu` (cms-sw/cmssw,
L1Trigger/Phase2L1ParticleFlow/src/jetmet/L1SeedConePFJetEmulator.cc), word for word (`l1emu validate cmssw`): the
hardest candidate left is the seed, of equals the first; all candidates left with d_eta^2 + d_phi^2 < R^2, strictly, are
its jet; pt is their saturating sum; the axis is the seed's plus the pt-weighted mean offset, by a table of reciprocals;
at most sixteen jets. Candidates come in the order in which they reach the jet finder.

The widths of its words show: each product of pt and offset is rounded down to whole GeV steps before it is added
(`pt_etaphi_t`), the mean offset is rounded toward zero, and from 0.25 on, in jets up to 4 GeV, the reciprocal of pt has
lost its leading bits (`inv_pt_t`), so that their axis is off by many steps there as here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import in_place, kernel
from l1emu.errors import L1emuError
from l1emu.events.calibration import Calibration
from l1emu.events.features import CONSTITUENTS, FEATURES, Candidates, fill_features, wrap_phi
from l1emu.events.hardware import ETA_PHI_STEP, HALF_TURN, MAX_JETS, MUON, PARTICLES, PT_MAX, PT_STEP_GEV, WEIGHT_ONE
from l1emu.events.lists import flat_columns, whole
from l1emu.events.wordmath import signed_word
from l1emu.notebook import Shown

# (0.4 / step)^2 = 8403.7, kept in `ap_fixed<18,23>`, whose last bit is worth 32.
CONE_R2 = int((0.4 / ETA_PHI_STEP) ** 2) // 32 * 32

CANDIDATE_FIELDS = ("pt", "eta", "phi", "id", "z0", "dxy", "weight")
_INT16 = (-(1 << 15), (1 << 15) - 1)  # more than the words of eta, z0 and dxy have
_RANGES = {
    "pt": (0, PT_MAX),
    "eta": _INT16,
    "phi": (-HALF_TURN, HALF_TURN),
    "id": (0, len(PARTICLES) - 1),
    "z0": _INT16,
    "dxy": _INT16,
    "weight": (0, WEIGHT_ONE),
}

_RECIPROCAL_BITS = 10  # address bits of the table: the bits of pt after its leading one
_WORD = 14  # bits of pt
_RECIPROCAL_WORD, _FRACTION = 18, 20  # bits of a reciprocal, `ap_ufixed<18,-2>`, and the fractional ones
_PT_FRACTION = 2
_SUM_WORD = 22  # bits of the sum of pt times offset, `ap_fixed<22,22>`
_ETA_WORD, _PHI_WORD = 12, 11


def _reciprocals() -> NDArray[np.int64]:
    """2^20 / pt, truncated, for pt in GeV with its leading one shifted to the top of the word."""
    shifted = ((1 << _RECIPROCAL_BITS) + np.arange(1 << _RECIPROCAL_BITS)) << (_WORD - 1 - _RECIPROCAL_BITS)
    return (1 << (_FRACTION + _PT_FRACTION)) // shifted.astype(np.int64)


RECIPROCAL = _reciprocals()


@kernel
def mean_offset(weighted_sum: int, pt: int) -> int:
    """The sum of pt times offset divided by `pt`, by the table of reciprocals; rounded toward zero, 12 bits.

    The table has nine significant bits, so the mean is up to 0.4 % nearer to zero than the true one.

    Parameters
    ----------
    weighted_sum
        In steps of 1 GeV times those of the offset; of its bits the lowest 22 count.
    pt
        In steps of 0.25 GeV, positive.
    """
    shift = 0
    while (pt << shift) < (1 << (_WORD - 1)):
        shift += 1
    index = ((pt << shift) >> (_WORD - 1 - _RECIPROCAL_BITS)) & ((1 << _RECIPROCAL_BITS) - 1)
    reciprocal = (RECIPROCAL[index] << shift) & ((1 << _RECIPROCAL_WORD) - 1)
    product = signed_word(weighted_sum, _SUM_WORD) * reciprocal
    mean = product >> _FRACTION if product >= 0 else -(-product >> _FRACTION)
    return signed_word(mean, _ETA_WORD)


class _Found(NamedTuple):
    """Where jets are written: how many of each crossing, pt, eta and phi (n, 3), features and constituents."""

    counts: NDArray[np.int64]
    jets: NDArray[np.int32]
    features: NDArray[np.int16]
    constituents: NDArray[np.int64]


@kernel
def _cluster(ends: NDArray[np.int64], candidates: Candidates, max_jets: int, min_pt: int, out: _Found) -> int:
    """Fill `out` with the jets of crossings whose candidates lie between `ends`; returns how many jets are kept."""
    pt, eta, phi = candidates.pt, candidates.eta, candidates.phi
    most = 0
    for crossing in range(len(ends) - 1):
        most = max(most, ends[crossing + 1] - ends[crossing])
    places, room, owners = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    found = np.empty((max_jets, 3), np.int64)
    total = 0
    for crossing in range(len(ends) - 1):
        low, n = ends[crossing], ends[crossing + 1] - ends[crossing]
        order, owner = places[:n], owners[:n]  # owner: jet of the candidate at each place of `order`
        for k in range(n):
            order[k], owner[k] = low + k, -1
        sort_by_pt(pt, order, room)
        m = 0
        for s in range(n):
            if m == max_jets:
                break
            if owner[s] < 0 and pt[order[s]] > 0:  # a word of pt 0 is empty
                fill_cone(pt, eta, phi, order[s:], owner[s:], m, found[m])
                m += 1
        kept = _keep(order, owner, found[:m], min_pt, candidates, room, out, total)
        out.counts[crossing] += kept
        total += kept
    return total


@in_place
def sort_by_pt(pt: NDArray[np.int32], order: NDArray[np.int64], room: NDArray[np.int64]) -> None:
    """Bring `order`, places in `pt`, into descending pt, equals as they stand; `room` is as long or longer.

    numpy's stable sort takes seconds to compile.
    """
    n, run = len(order), 1
    while run < n:
        for first in range(0, n, 2 * run):
            i, middle, end = first, min(first + run, n), min(first + 2 * run, n)
            j = middle
            for k in range(first, end):
                if i < middle and (j == end or pt[order[i]] >= pt[order[j]]):
                    room[k] = order[i]
                    i += 1
                else:
                    room[k] = order[j]
                    j += 1
        for k in range(n):
            order[k] = room[k]
        run *= 2


@in_place
def fill_cone(
    pt: NDArray[np.int32],
    eta: NDArray[np.int32],
    phi: NDArray[np.int32],
    order: NDArray[np.int64],
    owner: NDArray[np.int64],
    jet: int,
    axis: NDArray[np.int64],
) -> None:
    """Give the jet the candidates around the first of `order`, and write its pt, eta and phi into `axis`."""
    seed = order[0]
    total_pt, sum_eta, sum_phi = 0, 0, 0
    for k in range(len(order)):
        i = order[k]
        if owner[k] >= 0 or pt[i] <= 0:
            continue
        d_eta = eta[i] - eta[seed]
        d_phi = wrap_phi(phi[i] - phi[seed])
        if d_eta * d_eta + d_phi * d_phi < CONE_R2:
            owner[k] = jet
            total_pt = min(total_pt + pt[i], PT_MAX)
            sum_eta += (pt[i] * d_eta) >> _PT_FRACTION
            sum_phi += (pt[i] * d_phi) >> _PT_FRACTION
    axis[0] = total_pt
    axis[1] = signed_word(eta[seed] + mean_offset(sum_eta, total_pt), _ETA_WORD)
    axis[2] = signed_word(phi[seed] + mean_offset(sum_phi, total_pt), _PHI_WORD)


@in_place
def _keep(
    order: NDArray[np.int64],
    owner: NDArray[np.int64],
    found: NDArray[np.int64],
    min_pt: int,
    candidates: Candidates,
    room: NDArray[np.int64],
    out: _Found,
    first: int,
) -> int:
    """Write a crossing's jets by descending pt, from place `first` on; returns how many were hard enough."""
    kept = 0
    for _ in range(len(found)):
        j = 0
        for other in range(1, len(found)):  # of equals the first
            if found[other, 0] > found[j, 0]:
                j = other
        if found[j, 0] < max(min_pt, 0):
            break
        to, members = first + kept, 0
        for k in range(len(order)):
            if owner[k] == j:
                room[members] = order[k]
                members += 1
        for q in range(3):
            out.jets[to, q] = found[j, q]
        fill_features(room[:members], (found[j, 0], found[j, 1], found[j, 2]), candidates, out.features[to])
        for k in range(min(members, out.constituents.shape[1])):
            out.constituents[to, k] = room[k]
        found[j, 0] = -1  # taken
        kept += 1
    return kept


@dataclass(frozen=True)
class Jets(Shown):
    """Jets of some crossings, flat, those of a crossing by descending pt.

    Attributes
    ----------
    counts
        (crossings,) int64, the number of jets of each.
    pt, eta, phi
        (jets,) int32 in hardware steps: 0.25 GeV, pi/720. As in CMS's words, phi is not brought back into one turn: a
        jet at the seam may have 730 where another has -710.
    features
        (jets, 16, 12) int16, see `l1emu.events.features`.
    constituents
        (jets, 16, or as many as were asked for) int64: the jet's candidates by descending pt, as places in the flat
        array of all candidates; -1 where it has fewer.
    """

    counts: NDArray[np.int64]
    pt: NDArray[np.int32]
    eta: NDArray[np.int32]
    phi: NDArray[np.int32]
    features: NDArray[np.int16]
    constituents: NDArray[np.int64]

    @property
    def phi_in_turn(self) -> NDArray[np.int32]:
        """(jets,) int32, phi brought back into [-720, 720)."""
        return (self.phi + HALF_TURN) % (2 * HALF_TURN) - HALF_TURN

    def table(self, calibration: Calibration | None = None) -> ak.Array:
        """(crossings, var) records of float64: pt [GeV], calibrated if a calibration is given, eta, phi [rad]."""
        eta = self.eta * ETA_PHI_STEP
        pt = self.pt * PT_STEP_GEV if calibration is None else calibration.apply(self.pt * PT_STEP_GEV, eta)
        return ak.unflatten(ak.zip({"pt": pt, "eta": eta, "phi": self.phi_in_turn * ETA_PHI_STEP}), self.counts)


def relative_z0(z0: NDArray[Any], particle: NDArray[Any], vertex_z0: NDArray[Any]) -> NDArray[np.int32]:
    """z0 relative to the vertex of each candidate's crossing, in steps; that of neutral ones, who have none, stays."""
    relative: NDArray[np.int32] = np.where(particle <= MUON, z0 - vertex_z0, z0).astype(np.int32)
    return relative


def build_jets(
    candidates: ak.Array,
    *,
    max_jets: int = MAX_JETS,
    min_pt_gev: float = 15.0,
    constituents: int = CONSTITUENTS,
    vertex_z0: NDArray[np.int64] | None = None,
) -> Jets:
    """Seeded-cone jets of each crossing.

    Parameters
    ----------
    candidates
        (crossings, var) records of integers in hardware steps with at least the fields pt, eta, phi, id, z0, dxy
        and weight. Lists of one length (numpy's two axes) do too: candidates of pt 0, or masked ones, are padding and
        in no jet.
    max_jets
        The jet finder stops after so many jets of a crossing, counted before the cut on pt.
    min_pt_gev
        Softer jets are left out.
    constituents
        How many of each jet's candidates are listed at most; its features are always those of the hardest sixteen.
    vertex_z0
        (crossings,) z of the primary vertex in steps of 0.05 cm, which z0 of the features is relative to; 0 by default.

    Raises
    ------
    L1emuError
        if a field is missing or differs in its lists' lengths, or a value is not whole or outside its range.
    """
    missing = [name for name in CANDIDATE_FIELDS if name not in candidates.fields]
    if missing:
        raise L1emuError(
            f"candidates lack the field {missing[0]!r}",
            value=candidates.fields,
            expected=f"the fields {', '.join(CANDIDATE_FIELDS)}",
        )
    if max_jets < 1:
        raise L1emuError("max_jets must be positive", value=max_jets)
    if not np.isfinite(min_pt_gev):
        raise L1emuError("min_pt_gev must be finite", value=min_pt_gev)
    counts, flat = flat_columns(candidates, CANDIDATE_FIELDS, what="candidates")
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    columns = {name: whole(flat[name], name, *_RANGES[name], "candidate") for name in CANDIDATE_FIELDS}
    if vertex_z0 is not None:
        columns["z0"] = relative_z0(columns["z0"], columns["id"], np.repeat(vertex_z0, counts))
    max_jets = min(max_jets, int(counts.max(initial=1)) or 1)
    capacity = int(np.minimum(counts, max_jets).sum())
    jet_counts = np.zeros(len(counts), np.int64)
    jets = np.zeros((capacity, 3), np.int32)
    features = np.zeros((capacity, CONSTITUENTS, len(FEATURES)), np.int16)
    listed = np.full((capacity, constituents), -1, np.int64)
    min_pt = min(math.ceil(min_pt_gev / PT_STEP_GEV), PT_MAX + 1)
    out = _Found(jet_counts, jets, features, listed)
    n = _cluster(ends, Candidates(*columns.values()), max_jets, min_pt, out)
    pt, eta, phi = (jets[:n, k].copy() for k in range(3))
    return Jets(jet_counts, pt, eta, phi, features[:n].copy(), listed[:n].copy())
