"""Generator jets: anti-kt against a brute-force implementation, flavours against simple geometry."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from l1emu.events.generate.truth import B_HADRON, C_HADRON, FINAL_PARTON, HARD_PARTON, anti_kt, delta_phi, label_jets


def brute_force(momenta: Any, radius: Any) -> Any:
    """Anti-kt as defined: all pairs, every time."""
    left = [np.array(p) for p in momenta]
    jets = []

    def parts(p: Any) -> Any:
        pt = math.hypot(p[0], p[1])
        return pt, 0.5 * math.log((p[3] + p[2]) / (p[3] - p[2])), math.atan2(p[1], p[0])

    while left:
        best: tuple[float, int, int] = (math.inf, -1, -1)
        for i, p in enumerate(left):
            pt_i, y_i, phi_i = parts(p)
            best = min(best, (pt_i**-2, i, -1))
            for j in range(i):
                pt_j, y_j, phi_j = parts(left[j])
                turn = abs(phi_i - phi_j)
                turn = min(turn, 2 * math.pi - turn)
                r2 = (y_i - y_j) ** 2 + turn**2
                best = min(best, (min(pt_i**-2, pt_j**-2) * r2 / radius**2, i, j))
        _, i, j = best
        p = left.pop(i)
        if j < 0:
            jets.append(p)
        else:
            left[j] = left[j] + p
    return jets


@pytest.mark.parametrize("seed", range(8))
def test_anti_kt_is_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 40
    pt, eta, phi = rng.exponential(5, n) + 0.1, rng.normal(0, 1.0, n), rng.uniform(-math.pi, math.pi, n)
    mass = rng.choice([0.0, 0.14, 0.94], n)
    px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    e = np.sqrt(px**2 + py**2 + pz**2 + mass**2) * (1 + 1e-9)
    found = anti_kt(px, py, pz, e, 0.4)
    expected = np.array(brute_force(np.stack([px, py, pz, e], axis=1), 0.4))
    assert len(found) == len(expected)
    found, expected = (a[np.argsort(np.hypot(a[:, 0], a[:, 1]))] for a in (found, expected))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_flavour_priorities() -> None:
    jets = np.array([0.0, 1.0, 2.0, -1.0, -2.0]), np.zeros(5)
    rows = [  # kind, gluon, pt, eta
        (HARD_PARTON, True, 100.0, 0.0),
        (C_HADRON, False, 50.0, 0.1),
        (B_HADRON, False, 6.0, 0.2),
        (C_HADRON, False, 6.0, 1.1),
        (HARD_PARTON, False, 90.0, 1.0),
        (FINAL_PARTON, True, 200.0, 2.0),
        (HARD_PARTON, False, 20.0, 2.1),
        (FINAL_PARTON, False, 3.0, -1.0),
        (FINAL_PARTON, True, 4.0, -1.1),
        (B_HADRON, False, 50.0, -1.45),
    ]
    kind, gluon, pt, eta = (np.array(c) for c in zip(*rows, strict=True))
    labels = label_jets(*jets, kind, gluon, pt, eta, np.zeros(len(rows)))
    assert labels.tolist() == [0, 1, 2, 3, 3]


def test_angles() -> None:
    assert delta_phi(3.1, -3.1) == pytest.approx(6.2 - 2 * math.pi)
    assert delta_phi(-3.1, 3.1) == pytest.approx(2 * math.pi - 6.2)
