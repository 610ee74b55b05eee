"""Sixteen high-level features of a jet, after the hls4ml LHC jets: mass, multiplicity, energy correlations."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

FEATURE_NAMES = (
    "mass", "multiplicity", "sum_zlogz", "c1_b0", "c1_b1", "c1_b2", "c2_b1", "c2_b2", "d2_b1", "d2_b2", "n2_b1",
    "n2_b2", "m2_b1", "m2_b2", "e3_b1_over_e2_b2", "girth",
)  # fmt: skip
_LEADING = 20
"""Constituents whose pairs and triplets count: there are 1,140 triplets of them."""
_PAIRS = np.array(list(itertools.combinations(range(_LEADING), 2)))
_TRIPLETS = np.array(list(itertools.combinations(range(_LEADING), 3)))
_MEAN = np.array(
    [4.76, 63.8, -3.04, 0.328, -3.56, -5.24, -2.56, -4.55, 1.00, 0.70, -1.15, -2.09, -2.81, -4.07, -4.44, 0.101]
)
_SPREAD = np.array(
    [0.514, 29.4, 0.587, 0.072, 0.678, 1.34, 0.739, 1.58, 0.733, 1.46, 0.389, 0.889, 0.445, 0.903, 0.596, 0.073]
)


def high_level_features(c: dict[str, Any]) -> npt.NDArray[np.float64]:
    r"""The features of one jet, standardized, float64 (16,).

    With :math:`z_i` the fraction of the constituents' transverse momentum and :math:`\theta` distances in eta and phi:
    :math:`e_2^\beta = \sum z_i z_j \theta_{ij}^\beta`, :math:`{}_v e_3^\beta` the sums over triplets with the product
    of the `v` smallest of the three distances; :math:`C_1 = e_2`, :math:`C_2 = {}_3e_3/e_2^2`,
    :math:`D_2 = {}_3e_3/e_2^3`, :math:`N_2 = {}_2e_3/e_2^2`, :math:`M_2 = {}_1e_3/e_2` (Moult, Necib and Thaler,
    arXiv:1609.07483). All but multiplicity, sum z ln z, C1 at 0 and girth are logarithms. The mass is that of all
    constituents, not groomed. Mean and spread of each are about those of 500 jets of all classes.

    Parameters
    ----------
    c
        Constituents, leading first: `px`, `py`, `pz`, `e`, `pt` in GeV, `eta` and `phi` from the jet's axis.
    """
    z = c["pt"] / c["pt"].sum()
    mass2 = c["e"].sum() ** 2 - c["px"].sum() ** 2 - c["py"].sum() ** 2 - c["pz"].sum() ** 2
    lead = np.zeros((3, _LEADING))
    n = min(_LEADING, len(z))
    lead[:, :n] = z[:n], c["eta"][:n], c["phi"][:n]
    distance = np.hypot(lead[1][:, None] - lead[1], lead[2][:, None] - lead[2]) + 1e-6
    i, j = _PAIRS.T
    pairs, far = lead[0][i] * lead[0][j], distance[i, j]
    i, j, k = _TRIPLETS.T
    triplets = lead[0][i] * lead[0][j] * lead[0][k]
    sides = np.sort(np.stack([distance[i, j], distance[i, k], distance[j, k]]), axis=0)
    e2 = {b: float((pairs * far**b).sum()) + 1e-9 for b in (0, 1, 2)}
    products = {1: sides[0], 2: sides[0] * sides[1], 3: sides[0] * sides[1] * sides[2]}
    e3 = {(v, b): float((triplets * products[v] ** b).sum()) + 1e-12 for v in (1, 2, 3) for b in (1, 2)}
    logs = np.log(
        [e2[1], e2[2], *(e3[3, b] / e2[b] ** 2 for b in (1, 2)), *(e3[3, b] / e2[b] ** 3 for b in (1, 2)),
         *(e3[2, b] / e2[b] ** 2 for b in (1, 2)), *(e3[1, b] / e2[b] for b in (1, 2)), e3[3, 1] / e2[2]]
    )  # fmt: skip
    found = np.array(
        [0.5 * np.log(max(mass2, 1.0)), len(z), (z * np.log(z)).sum(), e2[0], *logs,
         (z * np.hypot(c["eta"], c["phi"])).sum()]
    )  # fmt: skip
    standardized: npt.NDArray[np.float64] = (found - _MEAN) / _SPREAD
    return standardized
