"""Conditions between objects.

Masses are those of massless objects, as CMS's Global Trigger has them: m² = 2 pt₁ pt₂ (cosh Δη − cos Δφ) of two
objects, the sum of that over the three pairs of three, and mT² = 2 pt₁ pt₂ (1 − cos Δφ). An object is its collection
and its place in the columns of the chunk.
"""

from __future__ import annotations

import math

import numpy as np

from l1emu.compiled import in_place, in_place_inlined
from l1emu.trigger.engine.layout import (
    CHARGE,
    DELTA_ETA,
    DELTA_PHI,
    DELTA_R,
    DELTA_Z,
    ETA,
    MASS,
    OPPOSITE,
    PHI,
    PT,
    SAME,
    Z0,
    SearchState,
)

_TURN = 2 * math.pi


@in_place
def opening(first: float, second: float) -> float:
    """The angle between two directions in phi, 0 to pi; either may be off by full turns."""
    angle = abs(first - second)
    if angle > _TURN:
        angle = angle % _TURN
    return _TURN - angle if angle > math.pi else angle


@in_place_inlined
def number_of(s: SearchState, collection: int, kind: int, place: int) -> float:
    """One of `PT` to `Z0` of an object."""
    number: float = s.values[s.base[s.columns[collection, kind]] + place]
    return number


@in_place
def mass_squared(s: SearchState, c: int, i: int, d: int, j: int) -> float:
    """The squared mass of two objects."""
    eta = number_of(s, c, ETA, i) - number_of(s, d, ETA, j)
    phi = number_of(s, c, PHI, i) - number_of(s, d, PHI, j)
    pt = number_of(s, c, PT, i) * number_of(s, d, PT, j)
    return 2.0 * pt * (math.cosh(eta) - math.cos(phi))


@in_place
def root(square: float) -> float:
    """The square root, 0 of what rounding has made negative."""
    return 0.0 if square < 0.0 else math.sqrt(square)


@in_place_inlined
def distance(s: SearchState, c: int, i: int, d: int, j: int) -> float:
    """ΔR of two objects."""
    eta = number_of(s, c, ETA, i) - number_of(s, d, ETA, j)
    phi = opening(number_of(s, c, PHI, i), number_of(s, d, PHI, j))
    return math.sqrt(eta * eta + phi * phi)


@in_place_inlined
def of_two(s: SearchState, kind: int, c: int, i: int, d: int, j: int) -> float:
    """The number that a condition of this kind is on; of charges, 1 if it holds and NaN if not."""
    if kind == DELTA_Z:
        return abs(number_of(s, c, Z0, i) - number_of(s, d, Z0, j))
    if kind == OPPOSITE or kind == SAME:
        product = number_of(s, c, CHARGE, i) * number_of(s, d, CHARGE, j)
        return 1.0 if (product < 0.0 if kind == OPPOSITE else product > 0.0) else np.nan
    if kind == DELTA_ETA:
        return abs(number_of(s, c, ETA, i) - number_of(s, d, ETA, j))
    if kind == DELTA_R:
        return distance(s, c, i, d, j)
    if kind == MASS:
        return root(mass_squared(s, c, i, d, j))
    phi = opening(number_of(s, c, PHI, i), number_of(s, d, PHI, j))
    if kind == DELTA_PHI:
        return phi
    pt = number_of(s, c, PT, i) * number_of(s, d, PT, j)
    return root(2.0 * pt * (1.0 - math.cos(phi)))


@in_place
def of_three(s: SearchState, kind: int, c: int, i: int, d: int, j: int, e: int, k: int) -> float:
    """The same of three objects: their mass, or their charges."""
    if kind == MASS:
        square = mass_squared(s, c, i, d, j) + mass_squared(s, c, i, e, k)
        return root(square + mass_squared(s, d, j, e, k))
    first = number_of(s, c, CHARGE, i)
    second = number_of(s, d, CHARGE, j)
    third = number_of(s, e, CHARGE, k)
    alike = first * second > 0.0 and second * third > 0.0
    signs = first * second * third
    signed = signs > 0.0 or signs < 0.0
    return 1.0 if signed and alike == (kind == SAME) else np.nan
