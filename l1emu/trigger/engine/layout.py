"""The arrays that the compiled code works on: the tables of a menu, a chunk of crossings, and what a search keeps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.int8]

PT, ETA, PHI, CHARGE, Z0 = range(5)
"""Places in `Tables.physical`: the numbers of an object that conditions between objects are made of."""

DELTA_Z, OPPOSITE, SAME, DELTA_ETA, DELTA_PHI, DELTA_R, TRANSVERSE_MASS, MASS = range(8)
"""Kinds of conditions between objects, the cheapest first."""


class Tables(NamedTuple):
    """A menu. A table `x_y` of one number more than there are x holds where the y of each x begin.

    A seed has parts: what it asks for, then its vetoes. A part has sums and groups; a group has legs and entries (of
    `between`); a leg has cuts and neighbours; a cut has intervals, closed, of which one must hold; an entry has
    conditions. Where a number is scanned, its bound is infinite and `*_open` says of what: it is turned by the sign of
    the seed, so that more is better.
    """

    seed_part: Ints
    seed_sign: Floats
    part_sum: Ints
    part_group: Ints
    sum_slot: Ints
    sum_low: Floats
    sum_high: Floats
    sum_open: Ints  # 1 if it is scanned
    group_leg: Ints
    group_entry: Ints
    group_open: Ints  # 0 fixed, 1 legs are scanned, 2 entries are
    leg_collection: Ints
    leg_count: Ints
    leg_least: Floats  # of the number by which the collection is ordered, -inf where that is not asked for
    leg_cut: Ints  # its first cut, and
    leg_cut_end: Ints  # the one behind its last
    leg_near: Ints
    leg_open: Ints  # the column that is scanned, or -1
    leg_alone: Ints  # 1 if no other leg of the group takes objects of its collection
    near_collection: Ints
    near_radius: Floats
    near_cut: Ints
    near_cut_end: Ints
    cut_column: Ints
    cut_interval: Ints
    interval_low: Floats
    interval_high: Floats
    entry_legs: Ints  # (entries, 3), within the group, ascending; -1 where there are two
    entry_condition: Ints
    condition_kind: Ints
    condition_low: Floats
    condition_high: Floats
    condition_open: Ints  # 1 if it is scanned
    physical: Ints  # (collections, 5): the column of each, or -1
    order: Ints  # (collections,): the column by which it is ordered, descending, or -1


class Chunk(NamedTuple):
    """Some crossings.

    Attributes
    ----------
    values
        All columns one behind another, float64; column c begins at `base[c]`.
    base
        int64 (columns,).
    start
        First object of each crossing, and one behind the last, int64 (collections, crossings + 1).
    sums
        float64 (sums, crossings).
    """

    values: Floats
    base: Ints
    start: Ints
    sums: Floats


class Work(NamedTuple):
    """What a search keeps, for the largest group and the largest crossing; objects are counted within the crossing."""

    number: Ints  # (legs,): candidates
    candidate: Ints  # (legs, objects)
    value: Floats  # (legs, objects): of what is scanned; inf where nothing is
    free: Ints  # (legs,): objects that are still to be taken
    taken: Bytes  # (collections, objects): 1 + the leg that an entry has taken it for, or 0
    filled: Bytes  # the same, of what fills up a leg
    at: Ints  # (entries, 3): the candidates that are tried
    made: Bytes  # (entries, 3): whether the entry has taken the object, or found it taken
    reached: Floats  # (entries,): the scanned number of an entry, of the objects that are tried
    queue: Ints  # (legs,)
    seen: Bytes  # (legs,)
    via_leg: Ints  # (legs,)
    via_object: Ints  # (legs,)
    levels: Floats  # (legs * objects,): values that the scanned number may have
