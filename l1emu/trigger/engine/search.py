"""Whether objects can be assigned to the legs of a group so that all of its entries are met.

The objects that meet the entries are chosen first, one entry after another and back again where that leads nowhere;
then the legs are filled up with what is left, by augmenting paths. Both are exact.
"""

from __future__ import annotations

import numpy as np

from l1emu.compiled import in_place
from l1emu.trigger.engine.layout import Chunk, Tables, Work
from l1emu.trigger.engine.pairs import distance, of_three, of_two


@in_place
def passes(tables: Tables, chunk: Chunk, first: int, last: int, place: int) -> bool:
    """Whether an object fulfils the cuts from `first` to before `last`."""
    for cut in range(first, last):
        number = chunk.values[chunk.base[tables.cut_column[cut]] + place]
        inside = False
        for interval in range(tables.cut_interval[cut], tables.cut_interval[cut + 1]):
            if tables.interval_low[interval] <= number <= tables.interval_high[interval]:
                inside = True
                break
        if not inside:
            return False
    return True


@in_place
def has_neighbour(tables: Tables, chunk: Chunk, leg: int, place: int, crossing: int) -> bool:
    """Whether an object of a leg has a neighbour that rules it out."""
    collection = tables.leg_collection[leg]
    for near in range(tables.leg_near[leg], tables.leg_near[leg + 1]):
        other = tables.near_collection[near]
        for neighbour in range(chunk.start[other, crossing], chunk.start[other, crossing + 1]):
            if other == collection and neighbour == place:
                continue
            if not passes(tables, chunk, tables.near_cut[near], tables.near_cut_end[near], neighbour):
                continue
            if distance(tables, chunk, collection, place, other, neighbour) <= tables.near_radius[near]:
                return True
    return False


@in_place
def find_candidates(
    tables: Tables, chunk: Chunk, work: Work, leg: int, row: int, crossing: int, enough: int, sign: float
) -> int:
    """Write the candidates of a leg into row `row`, no more than `enough`, and give their number."""
    collection = tables.leg_collection[leg]
    first, last = chunk.start[collection, crossing], chunk.start[collection, crossing + 1]
    least, scanned = tables.leg_least[leg], tables.leg_open[leg]
    found = 0
    for place in range(first, last):
        if least > -np.inf and not chunk.values[chunk.base[tables.order[collection]] + place] >= least:
            break  # and so are all that follow
        if not passes(tables, chunk, tables.leg_cut[leg], tables.leg_cut_end[leg], place):
            continue
        value = np.inf
        if scanned >= 0:
            value = sign * chunk.values[chunk.base[scanned] + place]
            if not value >= -np.inf:
                continue
        if has_neighbour(tables, chunk, leg, place, crossing):
            continue
        work.candidate[row, found] = place - first
        work.value[row, found] = value
        found += 1
        if found == enough:
            break
    work.number[row] = found
    return found


@in_place
def take(tables: Tables, work: Work, first_leg: int, row: int, entry: int, which: int, level: float) -> bool:
    """Take the candidate that an entry tries for its leg, unless it is another leg's or the leg is full."""
    i = work.at[entry, which]
    if not work.value[row, i] >= level:
        return False
    collection, one = tables.leg_collection[first_leg + row], work.candidate[row, i]
    if work.taken[collection, one] == row + 1:
        work.made[entry, which] = 0
        return True
    if work.taken[collection, one] != 0 or work.free[row] == 0:
        return False
    work.taken[collection, one] = row + 1
    work.free[row] -= 1
    work.made[entry, which] = 1
    return True


@in_place
def let_go(tables: Tables, work: Work, first_leg: int, row: int, entry: int, which: int) -> None:
    """Undo `take`."""
    if work.made[entry, which]:
        work.taken[tables.leg_collection[first_leg + row], work.candidate[row, work.at[entry, which]]] = 0
        work.free[row] += 1


@in_place
def meets(
    tables: Tables, chunk: Chunk, work: Work, first_leg: int, entry: int, tried: int, crossing: int, sign: float,
    level: float,
) -> bool:
    """Whether the objects that an entry tries meet its conditions, with the scanned number at `level` or better."""
    a, b, d = tables.entry_legs[entry, 0], tables.entry_legs[entry, 1], tables.entry_legs[entry, 2]
    ca, cb = tables.leg_collection[first_leg + a], tables.leg_collection[first_leg + b]
    i = chunk.start[ca, crossing] + work.candidate[a, work.at[tried, 0]]
    j = chunk.start[cb, crossing] + work.candidate[b, work.at[tried, 1]]
    for condition in range(tables.entry_condition[entry], tables.entry_condition[entry + 1]):
        kind = tables.condition_kind[condition]
        if d < 0:
            number = of_two(tables, chunk, kind, ca, i, cb, j)
        else:
            cd = tables.leg_collection[first_leg + d]
            k = chunk.start[cd, crossing] + work.candidate[d, work.at[tried, 2]]
            number = of_three(tables, chunk, kind, ca, i, cb, j, cd, k)
        if not tables.condition_low[condition] <= number <= tables.condition_high[condition]:
            return False
        if tables.condition_open[condition]:
            if not sign * number >= level:
                return False
            work.reached[tried] = sign * number
    return True


@in_place
def advance(
    tables: Tables, chunk: Chunk, work: Work, first_leg: int, entry: int, tried: int, crossing: int, sign: float,
    leg_level: float, entry_level: float,
) -> bool:
    """Go on to the next objects that meet an entry, and hold them; False, holding none, if there are no more."""
    a, b, d = tables.entry_legs[entry, 0], tables.entry_legs[entry, 1], tables.entry_legs[entry, 2]
    at = work.at
    while at[tried, 0] < work.number[a]:
        if take(tables, work, first_leg, a, tried, 0, leg_level):
            while at[tried, 1] < work.number[b]:
                if (a != b or at[tried, 1] > at[tried, 0]) and take(tables, work, first_leg, b, tried, 1, leg_level):
                    if d < 0:
                        if meets(tables, chunk, work, first_leg, entry, tried, crossing, sign, entry_level):
                            return True
                    else:
                        while at[tried, 2] < work.number[d]:
                            if (b != d or at[tried, 2] > at[tried, 1]) and take(
                                tables, work, first_leg, d, tried, 2, leg_level
                            ):
                                if meets(tables, chunk, work, first_leg, entry, tried, crossing, sign, entry_level):
                                    return True
                                let_go(tables, work, first_leg, d, tried, 2)
                            at[tried, 2] += 1
                        at[tried, 2] = 0
                    let_go(tables, work, first_leg, b, tried, 1)
                at[tried, 1] += 1
            at[tried, 1] = 0
            let_go(tables, work, first_leg, a, tried, 0)
        at[tried, 0] += 1
    return False


@in_place
def step_back(tables: Tables, work: Work, first_leg: int, entry: int, tried: int) -> None:
    """Let go of what an entry holds, and leave it before its next try."""
    last = 1 if tables.entry_legs[entry, 2] < 0 else 2
    for back in range(last + 1):
        which = last - back
        let_go(tables, work, first_leg, tables.entry_legs[entry, which], tried, which)
    work.at[tried, last] += 1


@in_place
def augment(tables: Tables, work: Work, first_leg: int, legs: int, row: int, level: float) -> bool:
    """Fill a leg with one more object, if others can make room for it."""
    for leg in range(legs):
        work.seen[leg] = 0
    collection = tables.leg_collection[first_leg + row]
    filled = work.filled[collection]
    work.queue[0] = row
    work.seen[row] = 1
    head, tail = 0, 1
    while head < tail:
        leg = work.queue[head]
        head += 1
        for i in range(work.number[leg]):
            one = work.candidate[leg, i]
            if work.taken[collection, one] or not work.value[leg, i] >= level:
                continue
            holder = filled[one] - 1
            if holder < 0:
                while leg != row:
                    filled[one] = leg + 1
                    one = work.via_object[leg]
                    leg = work.via_leg[leg]
                filled[one] = leg + 1
                return True
            if not work.seen[holder]:
                work.seen[holder] = 1
                work.via_leg[holder] = leg
                work.via_object[holder] = one
                work.queue[tail] = holder
                tail += 1
    return False


@in_place
def fill(tables: Tables, chunk: Chunk, work: Work, first_leg: int, legs: int, crossing: int, level: float) -> bool:
    """Whether all legs can be filled up with objects that no entry has taken."""
    for row in range(legs):
        if tables.leg_alone[first_leg + row]:
            usable = work.number[row]
            if level > -np.inf:
                usable = 0
                for i in range(work.number[row]):
                    usable += work.value[row, i] >= level
            if usable < tables.leg_count[first_leg + row]:
                return False
    for row in range(legs):
        collection = tables.leg_collection[first_leg + row]
        if not tables.leg_alone[first_leg + row]:
            for one in range(chunk.start[collection, crossing + 1] - chunk.start[collection, crossing]):
                work.filled[collection, one] = 0
    for row in range(legs):
        if not tables.leg_alone[first_leg + row]:
            for _ in range(work.free[row]):
                if not augment(tables, work, first_leg, legs, row, level):
                    return False
    return True


@in_place
def assignable(
    tables: Tables, chunk: Chunk, work: Work, group: int, crossing: int, sign: float, leg_level: float,
    entry_level: float,
) -> bool:
    """Whether an assignment exists, with the scanned number of legs and of entries at these levels or better.

    `work.reached` then holds the scanned numbers of the entries.
    """
    first_leg, legs = tables.group_leg[group], tables.group_leg[group + 1] - tables.group_leg[group]
    first_entry = tables.group_entry[group]
    entries = tables.group_entry[group + 1] - first_entry
    for row in range(legs):
        collection = tables.leg_collection[first_leg + row]
        work.free[row] = tables.leg_count[first_leg + row]
        for one in range(chunk.start[collection, crossing + 1] - chunk.start[collection, crossing]):
            work.taken[collection, one] = 0
    tried = 0
    for which in range(3):
        work.at[0, which] = 0
    while True:
        if tried == entries:
            if fill(tables, chunk, work, first_leg, legs, crossing, leg_level):
                return True
        elif advance(
            tables, chunk, work, first_leg, first_entry + tried, tried, crossing, sign, leg_level, entry_level
        ):
            tried += 1
            for which in range(3):
                work.at[tried, which] = 0
            continue
        if tried == 0:
            return False
        tried -= 1
        step_back(tables, work, first_leg, first_entry + tried, tried)
