"""From collisions to tracks and calorimeter towers: a fast, parametrized Level-1 detector.

Where CMS has published a number of its Phase-2 Level-1 simulation or of a beam test, it stands here with its source;
what is marked "from memory" or "judgement" has none at hand. The transverse impact parameter's resolution follows from
the geometry of an outer tracker that begins 23 cm from the beam: hit resolution carried inwards, and multiple
scattering in the inner tracker, falling with pt.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import in_place, kernel
from l1emu.events.generate.response import seen_pt
from l1emu.events.hardware import CHARGED_HADRON, ELECTRON, MUON, PHOTON

TOWER = 2 * math.pi / 72  # the side of a tower in eta and phi
N_ETA, N_PHI = 68, 72
ETA_EDGE = N_ETA * TOWER / 2  # 2.967

MAX_TRACKS = 4000
(
    TRACK_PT,
    TRACK_ETA,
    TRACK_PHI,
    TRACK_CALO_PHI,
    TRACK_Z0,
    TRACK_D0,
    TRACK_PARTICLE,
    TRACK_CHARGE,
) = range(8)
TRACK_COLUMNS = 8
_MIN_TRACK_PT_GEV = 2.0
_MAX_TRACK_ETA = 2.4
_MAX_TRACK_D0_CM = 5.0  # the track finder looks for tracks from near the beam

# Relative resolution of a track's pt, below each |eta|: hypot(offset, slope * pt), CMS's for its correlator
# (cms-sw/cmssw, L1Trigger/Phase2L1ParticleFlow/python/l1tPFTracksFromL1Tracks_cfi.py, `resolTrack`; form from memory).
_TRACK_ETA_ENDS = np.array([0.8, 1.2, 1.5, 2.0, 2.5])
_TRACK_OFFSET = np.array([0.007, 0.009, 0.011, 0.015, 0.025])
_TRACK_SLOPE_PER_GEV = np.array([0.275e-3, 0.404e-3, 0.512e-3, 0.480e-3, 1.132e-3])
# Hadrons that scatter on the way are measured worse (judgement).
_SCATTERED, _SCATTERED_WIDTH = 0.05, 4.0
# Efficiency for charged hadrons in top quark events, below and above |eta| = 0.9; what is lost interacts in the tracker
# (arXiv:1405.6569, abstract: offline, in the tracker of 2011; Level-1 needs fewer layers, and finds less of them).
_HADRON_ETA, _HADRON_EFFICIENCY = 0.9, (0.94, 0.85)
# False tracks, of stubs of several particles, near a true one: so many for each (judgement; CMS shows curves of it).
# The correlator takes whatever has a chi2 below 15 a degree of freedom (l1tPFTracksFromL1Tracks_cfi.py). Any curvature
# is as likely, so that their pt falls as 1 / pt^2, up to an end (judgement): stiffer ones would often be taken for the
# primary vertex.
_FALSE_TRACKS, _FALSE_SPREAD, _FALSE_SPREAD_CM, _FALSE_MOST_GEV = 0.16, 0.02, 0.3, 60.0

BARREL_ETA = 1.48
_CALORIMETER_RADIUS_CM, _CALORIMETER_Z_CM = 129.0, 320.0
_TOWER_THRESHOLD_GEV = 1.0  # zero suppression (judgement)
# Energy resolution stochastic / sqrt(E) and constant, both relative. Electromagnetic: crystals with their noise, and
# the endcap's design (CMS-TDR-019, from memory). Hadrons in the barrel: both calorimeters without corrections for the
# part in the first (Eur. Phys. J. C 60 (2009) 359, from memory; the abstract has 84.7 % and 7.4 % after corrections).
# In the endcap: beam test (arXiv:2211.04740, from memory), and the slope of CMS's own resolution of Level-1 clusters
# (l1tPFClustersFromHGC3DClusters_cfi.py: 0.10 to 0.14).
_EM_STOCHASTIC_BARREL, _EM_STOCHASTIC_ENDCAP = 0.10, 0.25
_HADRON_STOCHASTIC_BARREL, _HADRON_STOCHASTIC_ENDCAP = 1.115, 1.30
_HADRON_CONSTANT_BARREL, _HADRON_CONSTANT_ENDCAP = 0.086, 0.12
_EM_NOISE_GEV = 0.05
# Between the hadron calorimeter's barrel and the endcap a shower is seen in part: CMS's resolution of Level-1 clusters
# is 0.47 * pt there (pfClustersFromCombinedCalo_cff.py, 1.2 < |eta| < 1.6).
_GAP_ETA, _GAP_SPREAD = (1.3, 1.5), 0.45
# Of a hadron's shower in the endcap this share is in the high-granularity calorimeter's narrow clusters (judgement).
_ENDCAP_SHARE = 0.8
# Crystals below this ET are not sent (cms-sw/cmssw, L1Trigger/L1CaloTrigger, `cut_500_MeV`).
_CRYSTAL_GEV = 0.5
# Of a shower in crystals the first has 50 to 80 % by where it is hit; of the rest the next ones have these shares
# (a crystal is as wide as the Moliere radius; judgement).
_CRYSTAL_FIRST, _CRYSTAL_NEXT = (0.5, 0.8), (0.5, 0.25, 0.125, 0.125)
# Hadronic showers are as wide as an interaction length, 17 cm in brass at 1.9 m: Gaussian, in this many parts of equal
# energy; half as wide in the electromagnetic calorimeter (judgement). Softer hadrons stay in their tower.
_SHOWER_WIDTH, _SHOWER_PARTS, _SHOWER_FROM_GEV = 0.045, 4, 1.0


@kernel
def turn(phi: float) -> float:
    """An angle in radians brought into [-pi, pi)."""
    return phi - 2 * math.pi * math.floor(phi / (2 * math.pi) + 0.5)


@kernel
def _track_efficiency(particle: int, abs_eta: float) -> float:
    """Efficiency of the track finder for a particle type, within its acceptance."""
    if particle == MUON:
        return 0.985
    if particle == ELECTRON:
        return 0.90
    return _HADRON_EFFICIENCY[0] if abs_eta < _HADRON_ETA else _HADRON_EFFICIENCY[1]


@kernel
def _pt_resolution(pt: float, abs_eta: float) -> float:
    """The relative resolution of a track's pt."""
    k = 0
    while k < len(_TRACK_ETA_ENDS) - 1 and abs_eta >= _TRACK_ETA_ENDS[k]:
        k += 1
    return math.hypot(_TRACK_OFFSET[k], _TRACK_SLOPE_PER_GEV[k] * pt)


class Particles(NamedTuple):
    """Particles of many collisions, flat: float32, `particle` and `charge` int8; see `l1emu.events.generate.pools`."""

    pt: NDArray[np.float32]
    eta: NDArray[np.float32]
    phi: NDArray[np.float32]
    bend: NDArray[np.float32]
    d0: NDArray[np.float32]
    z0: NDArray[np.float32]
    particle: NDArray[np.int8]
    charge: NDArray[np.int8]


class Placement(NamedTuple):
    """How a collision is put into a crossing: turned by `rotation` [rad], mirrored in eta if `mirror` is -1, at z."""

    rotation: float
    mirror: float
    vertex_z_cm: float


class Towers(NamedTuple):
    """Transverse energies in GeV, electromagnetic and hadronic: float64, shape (68, 72).

    `em_eta` and `em_phi` [rad] say where in its tower, from the centre, the electromagnetic energy lies, which crystals
    measure: sums of energy times offset until `digitize` makes means of them.
    """

    em: NDArray[np.float64]
    had: NDArray[np.float64]
    em_eta: NDArray[np.float64]
    em_phi: NDArray[np.float64]


@kernel
def empty_towers() -> Towers:
    """Towers without energy."""
    shape = (N_ETA, N_PHI)
    return Towers(np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(shape))


@in_place
def clear_towers(towers: Towers) -> None:
    """Take all energy out of the towers."""
    towers.em[:] = 0.0
    towers.had[:] = 0.0
    towers.em_eta[:] = 0.0
    towers.em_phi[:] = 0.0


@in_place
def add_collision(
    rng: np.random.Generator,
    first: int,
    last: int,
    placement: Placement,
    particles: Particles,
    towers: Towers,
    tracks: NDArray[np.float64],
    n_tracks: int,
) -> int:
    """Add the particles `first` to `last` of a pool to the towers and the tracks of a crossing.

    Returns the new number of tracks.
    """
    pt, eta, phi, bend, d0, z0, particle, _ = particles
    rotation, mirror, vertex_z = placement
    for i in range(first, last):
        kind = particle[i]
        p = pt[i]
        e = mirror * eta[i]
        at_calorimeter = phi[i] + rotation + bend[i]
        curls_up = math.isnan(bend[i])  # before the calorimeter
        if kind <= MUON and p > 1.8 and abs(e) < 2.45 and abs(d0[i]) < _MAX_TRACK_D0_CM:
            n_tracks = _find_track(rng, i, placement, particles, tracks, n_tracks)
        if curls_up or abs(e) > ETA_EDGE or kind == MUON:
            continue
        at_eta = _eta_at_calorimeter(e, vertex_z + mirror * z0[i])
        if kind == PHOTON or kind == ELECTRON:
            _fill(towers, _in_crystals(rng, p) if abs(at_eta) < BARREL_ETA else p, 0.0, at_eta, at_calorimeter)
        else:
            _shower(rng, p, at_eta, at_calorimeter, towers)
    return n_tracks


@in_place
def _find_track(
    rng: np.random.Generator, i: int, placement: Placement, particles: Particles, tracks: NDArray[np.float64], n: int
) -> int:
    """Add the track of a charged particle, if it is found, maybe with a false one; returns the number of tracks."""
    pt, eta, phi, bend, d0, z0, particle, charge = particles
    rotation, mirror, vertex_z = placement
    kind, p, e = particle[i], pt[i], mirror * eta[i]
    if rng.random() >= _track_efficiency(kind, abs(e)):
        return n
    worse = _SCATTERED_WIDTH if kind == CHARGED_HADRON and rng.random() < _SCATTERED else 1.0
    measured = p * (1.0 + worse * _pt_resolution(p, abs(e)) * rng.standard_normal())
    if measured <= _MIN_TRACK_PT_GEV or abs(e) >= _MAX_TRACK_ETA or n >= tracks.shape[0]:
        return n
    sigma_d0 = math.sqrt(0.012**2 + (0.06 / p) ** 2 * math.cosh(e))
    at_vertex = phi[i] + rotation
    t = tracks[n]
    t[TRACK_PT] = measured
    t[TRACK_ETA] = e
    t[TRACK_PHI] = turn(at_vertex)
    t[TRACK_CALO_PHI] = turn(at_vertex if math.isnan(bend[i]) else at_vertex + bend[i])
    t[TRACK_Z0] = vertex_z + mirror * z0[i] + (0.08 + 0.045 * e * e) * rng.standard_normal()
    t[TRACK_D0] = d0[i] + sigma_d0 * rng.standard_normal()
    t[TRACK_PARTICLE] = kind
    t[TRACK_CHARGE] = charge[i]
    if n + 1 < tracks.shape[0] and rng.random() < _FALSE_TRACKS:
        _imagine_track(rng, t, sigma_d0, tracks[n + 1])
        return n + 2
    return n + 1


@in_place
def _imagine_track(
    rng: np.random.Generator, near: NDArray[np.float64], sigma_d0: float, t: NDArray[np.float64]
) -> None:
    """Write a false track near a true one."""
    phi = turn(near[TRACK_PHI] + _FALSE_SPREAD * rng.standard_normal())
    t[TRACK_PT] = min(_MIN_TRACK_PT_GEV / (1.0 - rng.random()), _FALSE_MOST_GEV)
    eta = near[TRACK_ETA] + _FALSE_SPREAD * rng.standard_normal()
    t[TRACK_ETA] = min(max(eta, -_MAX_TRACK_ETA), _MAX_TRACK_ETA)
    t[TRACK_PHI] = t[TRACK_CALO_PHI] = phi
    t[TRACK_Z0] = near[TRACK_Z0] + _FALSE_SPREAD_CM * rng.standard_normal()
    t[TRACK_D0] = sigma_d0 * rng.standard_normal()
    t[TRACK_PARTICLE] = CHARGED_HADRON
    t[TRACK_CHARGE] = 1.0 if rng.random() < 0.5 else -1.0


@kernel
def _eta_at_calorimeter(eta: float, z_cm: float) -> float:
    """Where a particle from z reaches the calorimeter, seen from z = 0; to first order in z."""
    if abs(eta) < BARREL_ETA:
        return eta + z_cm / (_CALORIMETER_RADIUS_CM * math.cosh(eta))
    return eta + z_cm / _CALORIMETER_Z_CM * math.tanh(abs(eta))


@in_place
def _fill(towers: Towers, em: float, had: float, eta: float, phi: float) -> None:
    """Add transverse energies to the tower at a place, if there is one."""
    row = math.floor((eta + ETA_EDGE) / TOWER)
    if row < 0 or row >= N_ETA:
        return
    turns = phi / (2 * math.pi)
    column = min(int((turns - math.floor(turns)) * N_PHI), N_PHI - 1)
    towers.had[row, column] += had
    towers.em[row, column] += em
    towers.em_eta[row, column] += em * (eta + ETA_EDGE - (row + 0.5) * TOWER)
    towers.em_phi[row, column] += em * turn(phi - (column + 0.5) * TOWER)


@kernel
def _in_crystals(rng: np.random.Generator, pt: float) -> float:
    """What the crystals above threshold have of an electromagnetic shower."""
    if pt < _CRYSTAL_GEV:
        return 0.0
    first = _CRYSTAL_FIRST[0] + (_CRYSTAL_FIRST[1] - _CRYSTAL_FIRST[0]) * rng.random()
    seen = first * pt if first * pt > _CRYSTAL_GEV else 0.0
    for share in _CRYSTAL_NEXT:
        part = (1.0 - first) * share * pt
        if part > _CRYSTAL_GEV:
            seen += part
    return seen


@in_place
def _shower(rng: np.random.Generator, pt: float, eta: float, phi: float, towers: Towers) -> None:
    """Add a hadron's shower to the towers that it covers."""
    barrel = abs(eta) < BARREL_ETA
    # 35 % of the hadrons begin to shower in the hadronic part only; the others leave up to 70 % before.
    x = rng.random()
    fraction = 0.0 if x < 0.35 else 0.7 * (x - 0.35) / 0.65
    seen = seen_pt(pt, fraction, abs(eta))
    if not barrel:
        seen *= _ENDCAP_SHARE
    if pt >= _SHOWER_FROM_GEV:
        constant = _HADRON_CONSTANT_BARREL if barrel else _HADRON_CONSTANT_ENDCAP
        seen *= max(1.0 + constant * rng.standard_normal(), 0.0)
    em, had = seen * fraction, seen * (1.0 - fraction)
    if barrel and em < _CRYSTAL_GEV:
        em = 0.0
    if _GAP_ETA[0] < abs(eta) < _GAP_ETA[1]:
        had *= max(1.0 + _GAP_SPREAD * rng.standard_normal(), 0.0)
    if pt < _SHOWER_FROM_GEV:
        _fill(towers, em, had, eta, phi)
        return
    for _ in range(_SHOWER_PARTS):
        d_eta, d_phi = _SHOWER_WIDTH * rng.standard_normal(), _SHOWER_WIDTH * rng.standard_normal()
        _fill(towers, em / _SHOWER_PARTS, 0.0, eta + 0.5 * d_eta, phi + 0.5 * d_phi)
        _fill(towers, 0.0, had / _SHOWER_PARTS, eta + d_eta, phi + d_phi)


@kernel
def digitize(rng: np.random.Generator, towers: Towers) -> None:
    """Smear the towers in place, and suppress those below threshold.

    The stochastic term is sampled on the sum of a tower, which is exact for independent showers. No pile-up is taken
    off, as CMS's calorimeter triggers take none off: clusters of pile-up then have the pt that CMS's PUPPI expects of
    them (`ptZeros` of l1ctLayer1_cff.py).
    """
    for row in range(N_ETA):
        eta = -ETA_EDGE + (row + 0.5) * TOWER
        barrel = abs(eta) < BARREL_ETA
        root = math.sqrt(math.cosh(eta))
        for column in range(N_PHI):
            energy = towers.em[row, column]
            if energy > 0.0:
                towers.em_eta[row, column] /= energy
                towers.em_phi[row, column] /= energy
        em = _EM_STOCHASTIC_BARREL if barrel else _EM_STOCHASTIC_ENDCAP
        had = _HADRON_STOCHASTIC_BARREL if barrel else _HADRON_STOCHASTIC_ENDCAP
        _digitize_ring(rng, towers.em[row], em / root, _EM_NOISE_GEV)
        _digitize_ring(rng, towers.had[row], had / root, 0.0)


@kernel
def _digitize_ring(rng: np.random.Generator, ring: NDArray[np.float64], stochastic: float, noise: float) -> None:
    for column in range(N_PHI):
        x = ring[column]
        if x > 0.0:
            x += rng.standard_normal() * math.sqrt(stochastic * stochastic * x + noise * noise)
        ring[column] = x if x >= _TOWER_THRESHOLD_GEV else 0.0


assert CHARGED_HADRON < ELECTRON < MUON < PHOTON  # `kind <= MUON` means charged
