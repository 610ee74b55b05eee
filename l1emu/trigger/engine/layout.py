"""The arrays that the compiled code works on: the program of a menu, a chunk of crossings, and what a search keeps."""

from __future__ import annotations

from typing import NamedTuple

from l1emu.arraytypes import Floats, Ints

PT, ETA, PHI, CHARGE, Z0, ORDER = range(6)
"""Columns of a collection in `SearchState.columns`: what conditions between objects are of, and its order."""

DELTA_Z, OPPOSITE, SAME, DELTA_ETA, DELTA_PHI, DELTA_R, TRANSVERSE_MASS, MASS = range(8)
"""Kinds of conditions between objects, the cheapest first."""

# A menu is records of whole numbers, one behind another, that name each other by where they begin. What a record has
# several of lies together: X is where they begin, X_END where they end. BOUND is a row of `SearchState.bounds`.
SEED_PART, SEED_PART_END, SEED_SIGN, SEED_SIZE = range(4)
PART_SUM, PART_SUM_END, PART_GROUP, PART_GROUP_END, PART_LEG, PART_LEG_END, PART_SIZE = range(7)
SUM_SLOT, SUM_BOUND, SUM_OPEN, SUM_SIZE = range(4)
# GROUP_PAIR is 1 if the group is one entry of two legs and no leg shares its collection with another one
GROUP_LEG, GROUP_LEG_END, GROUP_ENTRY, GROUP_ENTRY_END, GROUP_OPEN, GROUP_PAIR, GROUP_SIZE = range(7)
(
    LEG_COLLECTION,
    LEG_COUNT,
    LEG_BOUND,  # the least of what its collection is ordered by
    LEG_CUT,
    LEG_CUT_END,
    LEG_NEAR,
    LEG_NEAR_END,
    LEG_OPEN,  # the column that is scanned, or -1
    LEG_ALONE,  # 1 if no other leg of the group takes objects of its collection
    LEG_SIZE,
) = range(10)
NEAR_COLLECTION, NEAR_BOUND, NEAR_CUT, NEAR_CUT_END, NEAR_SIZE = range(5)
CUT_COLUMN, CUT_BOUND, CUT_BOUND_END, CUT_SIZE = range(4)  # of the rows of bounds one must hold
ENTRY_LEG, ENTRY_LEG_2, ENTRY_LEG_3, ENTRY_CONDITION, ENTRY_CONDITION_END, ENTRY_SIZE = range(6)
CONDITION_KIND, CONDITION_BOUND, CONDITION_OPEN, CONDITION_SIZE = range(4)

FIXED, OF_LEGS, OF_ENTRIES = range(3)
"""What is scanned in a group, GROUP_OPEN."""

NUMBER, FREE, QUEUE, SEEN, VIA_LEG, VIA_OBJECT, LEG_STATE = range(7)
"""Columns of `SearchState.legs`: candidates, objects still to be taken, and what a search for a path keeps."""

TAKEN, FILLED = range(2)
"""Rows of `SearchState.held`: what entries have taken, and what fills up legs."""

AT, MADE, TRIAL = 0, 3, 6
"""Columns of `SearchState.trial`: the three candidates that an entry tries, and whether it took or found them."""


class SearchState(NamedTuple):
    """A program, a chunk of crossings, and room for a search.

    Attributes
    ----------
    code
        The records, int64.
    bounds
        Lowest and highest numbers, both included, float64 (rows, 2). Where one is scanned it is infinite.
    columns
        Column of each collection for `PT` to `ORDER`, or -1, int64 (collections, 6).
    values
        All columns one behind another, float64; column c begins at `base[c]`.
    base
        int64 (columns,).
    start
        First object of each crossing in its columns, and one behind the last, int64 (collections, crossings + 1).
    sums
        float64 (sums, crossings).
    legs, candidate, value
        What `NUMBER` to `VIA_OBJECT` say, int64 (legs, 6); candidates, counted within the crossing, int64 (legs,
        objects); their numbers that are scanned, more is better, infinity where none is, float64 (legs, objects).
    held
        1 + the leg that holds an object, or 0, int64 (2, collections, objects).
    trial, reached
        What `AT` and `MADE` say, int64 (entries, 6), and the scanned number of the objects tried, float64 (entries,).
    levels
        Values that the scanned number may have, float64.
    alive
        Crossings that a seed may accept, int64 (crossings,).
    """

    code: Ints
    bounds: Floats
    columns: Ints
    values: Floats
    base: Ints
    start: Ints
    sums: Floats
    legs: Ints
    candidate: Ints
    value: Floats
    held: Ints
    trial: Ints
    reached: Floats
    levels: Floats
    alive: Ints
