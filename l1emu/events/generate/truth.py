"""Generator jets and their flavour: what a Level-1 jet is compared with."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from l1emu.compiled import kernel
from l1emu.events.generate.detector import turn

RADIUS = 0.4
MIN_JET_PT_GEV = 15.0
FLAVOURS = ("b", "c", "uds", "g")

# Kinds of generator particle that decide a flavour, by falling priority.
B_HADRON, C_HADRON, HARD_PARTON, FINAL_PARTON = range(4)


@kernel
def delta_phi(a: float, b: float) -> float:
    """The difference of two angles in radians, brought into [-pi, pi)."""
    return turn(a - b)


@kernel
def anti_kt(
    px: NDArray[np.float64], py: NDArray[np.float64], pz: NDArray[np.float64], e: NDArray[np.float64], radius: float
) -> NDArray[np.float64]:
    """Anti-kt jets (Cacciari, Salam, Soyez, arXiv:0802.1189), E scheme, on rapidity and azimuth.

    Parameters
    ----------
    px, py, pz, e
        Four-momenta in GeV, shape (particles,).

    Returns
    -------
    Array (jets, 4) of px, py, pz, e in the order in which the jets are found.
    """
    n = len(px)
    p = np.empty((n, 4))
    rapidity = np.empty(n)
    phi = np.empty(n)
    weight = np.empty(n)  # 1 / pt^2
    alive = np.ones(n, np.bool_)
    near = np.empty(n, np.int64)
    dist = np.empty(n)
    for i in range(n):
        p[i, 0], p[i, 1], p[i, 2], p[i, 3] = px[i], py[i], pz[i], e[i]
        rapidity[i], phi[i], weight[i] = _coordinates(p[i])
    for i in range(n):
        near[i], dist[i] = _nearest(i, alive, rapidity, phi, radius)
    jets = np.empty((n, 4))
    found = 0
    for _ in range(n):
        best, k = math.inf, -1
        for i in range(n):
            if alive[i] and dist[i] * weight[i] < best:
                best, k = dist[i] * weight[i], i
        j = near[k]
        if j < 0:
            jets[found] = p[k]
            found += 1
            alive[k] = False
        else:
            p[k] += p[j]
            rapidity[k], phi[k], weight[k] = _coordinates(p[k])
            alive[j] = False
        for i in range(n):
            if alive[i] and (i == k or near[i] == k or (j >= 0 and near[i] == j)):
                near[i], dist[i] = _nearest(i, alive, rapidity, phi, radius)
            elif alive[i] and alive[k]:
                d = (rapidity[i] - rapidity[k]) ** 2 + delta_phi(phi[i], phi[k]) ** 2
                if d < dist[i]:
                    near[i], dist[i] = k, d
    return jets[:found]


@kernel
def _coordinates(p: NDArray[np.float64]) -> tuple[float, float, float]:
    pt2 = max(p[0] * p[0] + p[1] * p[1], 1e-30)
    mass2 = max(p[3] * p[3] - p[2] * p[2] - pt2, 0.0)
    rapidity = math.asinh(p[2] / math.sqrt(pt2 + mass2))
    return rapidity, math.atan2(p[1], p[0]), 1.0 / pt2


@kernel
def _nearest(
    i: int, alive: NDArray[np.bool_], rapidity: NDArray[np.float64], phi: NDArray[np.float64], radius: float
) -> tuple[int, float]:
    """The nearest living neighbour of i within the radius and its squared distance, else (-1, radius^2).

    With the weight 1/pt^2 of i alone the minimum over all i is that of anti-kt: the harder one of the nearest
    pair has the other as its nearest neighbour.
    """
    best, r2 = -1, radius * radius
    for j in range(len(rapidity)):
        if alive[j] and j != i:
            d = (rapidity[i] - rapidity[j]) ** 2 + delta_phi(phi[i], phi[j]) ** 2
            if d < r2:
                best, r2 = j, d
    return best, r2


@kernel
def label_jets(
    jet_eta: NDArray[np.float64],
    jet_phi: NDArray[np.float64],
    kind: NDArray[np.int64],
    gluon: NDArray[np.bool_],
    pt: NDArray[np.float64],
    eta: NDArray[np.float64],
    phi: NDArray[np.float64],
) -> NDArray[np.int8]:
    """The flavour of each jet, an index into `FLAVOURS`, from what lies within 0.4 of its axis.

    A b hadron decides, else a c hadron, else the hardest parton of the hard process, else the hardest parton
    before hadronization; a jet with none of these is a gluon's (soft wide-angle radiation).

    Parameters
    ----------
    kind, gluon, pt, eta, phi
        The candidates for a label: one of the four kinds of this module, whether a parton is a gluon, GeV, radians.
    """
    labels = np.empty(len(jet_eta), np.int8)
    for n in range(len(jet_eta)):
        best, hardest, label = 4, 0.0, 3
        for i in range(len(kind)):
            near = (eta[i] - jet_eta[n]) ** 2 + delta_phi(phi[i], jet_phi[n]) ** 2 < RADIUS * RADIUS
            if near and (kind[i] < best or (kind[i] == best and pt[i] > hardest)):
                best, hardest = kind[i], pt[i]
                label = best if best <= C_HADRON else (3 if gluon[i] else 2)
        labels[n] = label
    return labels
