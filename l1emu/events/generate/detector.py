"""From collisions to tracks and calorimeter towers: a fast, parametrized Level-1 detector.

The resolutions are parametrizations in the spirit of the CMS Phase-2 tracker and calorimeters, not fits to a full
simulation; the transverse impact parameter's follows from the geometry of an outer tracker that begins 23 cm from
the beam: hit resolution carried inwards, and multiple scattering in the inner tracker, falling with pt.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import in_place, kernel
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

BARREL_ETA = 1.48
_TOWER_THRESHOLD_GEV = 0.5  # zero suppression of trigger primitives, both calorimeters
_DENSITY_CAP_GEV = 2.0


@kernel
def turn(phi: float) -> float:
    """An angle in radians brought into [-pi, pi)."""
    return phi - 2 * math.pi * math.floor(phi / (2 * math.pi) + 0.5)


@kernel
def _track_efficiency(particle: int) -> float:
    """Efficiency of the track finder for a particle type, within its acceptance."""
    if particle == MUON:
        return 0.985
    return 0.90 if particle == ELECTRON else 0.95


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
    pt, eta, phi, bend, d0, z0, particle, charge = particles
    rotation, mirror, vertex_z = placement
    for i in range(first, last):
        kind = particle[i]
        p = pt[i]
        e = mirror * eta[i]
        at_vertex = phi[i] + rotation
        at_calorimeter = at_vertex + bend[i]
        curls_up = math.isnan(bend[i])  # before the calorimeter
        if kind <= MUON and p > 1.8 and abs(e) < 2.45 and abs(d0[i]) < _MAX_TRACK_D0_CM:
            if rng.random() < _track_efficiency(kind):
                e2 = e * e
                measured = p * (1.0 + (0.008 + 0.004 * e2 + 0.0001 * p) * rng.standard_normal())
                if measured > _MIN_TRACK_PT_GEV and abs(e) < _MAX_TRACK_ETA and n_tracks < tracks.shape[0]:
                    sigma_d0 = math.sqrt(0.012**2 + (0.06 / p) ** 2 * math.cosh(e))
                    t = tracks[n_tracks]
                    t[TRACK_PT] = measured
                    t[TRACK_ETA] = e
                    t[TRACK_PHI] = turn(at_vertex)
                    t[TRACK_CALO_PHI] = turn(at_vertex if curls_up else at_calorimeter)
                    t[TRACK_Z0] = vertex_z + mirror * z0[i] + (0.08 + 0.045 * e2) * rng.standard_normal()
                    t[TRACK_D0] = d0[i] + sigma_d0 * rng.standard_normal()
                    t[TRACK_PARTICLE] = kind
                    t[TRACK_CHARGE] = charge[i]
                    n_tracks += 1
        if kind != MUON and not curls_up:
            _deposit(rng, p, e, at_calorimeter, kind, towers)
    return n_tracks


@in_place
def _deposit(
    rng: np.random.Generator,
    pt: float,
    eta: float,
    phi: float,
    particle: int,
    towers: Towers,
) -> None:
    """Add a particle at the calorimeter to the tower that it hits, if there is one."""
    row = math.floor((eta + ETA_EDGE) / TOWER)
    if row < 0 or row >= N_ETA:
        return
    turns = phi / (2 * math.pi)
    column = min(int((turns - math.floor(turns)) * N_PHI), N_PHI - 1)
    fraction = 1.0
    if particle != PHOTON and particle != ELECTRON:
        # Of the hadrons 35 % begin to shower in the hadronic part only; the others leave up to 70 % before.
        x = rng.random()
        fraction = 0.0 if x < 0.35 else 0.7 * (x - 0.35) / 0.65
        towers.had[row, column] += pt * (1.0 - fraction)
    towers.em[row, column] += pt * fraction
    towers.em_eta[row, column] += pt * fraction * (eta + ETA_EDGE - (row + 0.5) * TOWER)
    towers.em_phi[row, column] += pt * fraction * turn(phi - (column + 0.5) * TOWER)


@kernel
def digitize(rng: np.random.Generator, towers: Towers) -> None:
    """Smear the towers in place, take the crossing's own pile-up density off, suppress those below threshold.

    The stochastic term is sampled on the sum of a tower, which is exact for independent showers: relative
    resolution a / sqrt(E), a = 10 % / 100 % in the barrel and 25 % / 90 % in the endcap, em / hadronic. The density
    is the mean of a ring of 72 towers, each counted with at most `_DENSITY_CAP_GEV`, so that a jet does not subtract
    itself; a calibration of clusters at pile-up does the same on average.
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
        _digitize_ring(rng, towers.em[row], (0.10 if barrel else 0.25) / root, 0.05)
        _digitize_ring(rng, towers.had[row], (1.0 if barrel else 0.9) / root, 0.0)


@kernel
def _digitize_ring(rng: np.random.Generator, ring: NDArray[np.float64], stochastic: float, noise: float) -> None:
    density = 0.0
    for column in range(N_PHI):
        x = ring[column]
        if x > 0.0:
            ring[column] = x + rng.standard_normal() * math.sqrt(stochastic * stochastic * x + noise * noise)
        density += min(ring[column], _DENSITY_CAP_GEV)
    density = max(density / N_PHI, 0.0)
    for column in range(N_PHI):
        x = ring[column] - density
        ring[column] = x if x >= _TOWER_THRESHOLD_GEV else 0.0


assert CHARGED_HADRON < ELECTRON < MUON < PHOTON  # `kind <= MUON` means charged
