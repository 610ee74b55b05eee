"""Whether objects can be assigned to the legs of a group so that all of its entries are met.

The objects that meet the entries are chosen first, one entry after another and back again where that leads nowhere;
then the legs are filled up with what is left, by augmenting paths. Both are exact. A leg of a group is known by its
row, 0 for the first; `first` is the record of that one.
"""

from __future__ import annotations

import numpy as np

from l1emu.compiled import in_place, in_place_inlined
from l1emu.trigger.engine.layout import (
    AT,
    CONDITION_BOUND,
    CONDITION_KIND,
    CONDITION_OPEN,
    CONDITION_SIZE,
    CUT_BOUND,
    CUT_BOUND_END,
    CUT_COLUMN,
    CUT_SIZE,
    ENTRY_CONDITION,
    ENTRY_CONDITION_END,
    ENTRY_LEG,
    ENTRY_SIZE,
    FILLED,
    FREE,
    GROUP_ENTRY,
    GROUP_ENTRY_END,
    GROUP_LEG,
    GROUP_LEG_END,
    GROUP_PAIR,
    LEG_ALONE,
    LEG_BOUND,
    LEG_COLLECTION,
    LEG_COUNT,
    LEG_CUT,
    LEG_CUT_END,
    LEG_NEAR,
    LEG_NEAR_END,
    LEG_OPEN,
    LEG_SIZE,
    MADE,
    NEAR_BOUND,
    NEAR_COLLECTION,
    NEAR_CUT,
    NEAR_CUT_END,
    NEAR_SIZE,
    NUMBER,
    ORDER,
    QUEUE,
    SEEN,
    TAKEN,
    VIA_LEG,
    VIA_OBJECT,
    SearchState,
)
from l1emu.trigger.engine.pairs import distance, of_three, of_two


@in_place_inlined
def passes(s: SearchState, first: int, end: int, place: int) -> bool:
    """Whether an object fulfils the cuts from record `first` to before `end`."""
    for cut in range(first, end, CUT_SIZE):
        number = s.values[s.base[s.code[cut + CUT_COLUMN]] + place]
        inside = False
        for row in range(s.code[cut + CUT_BOUND], s.code[cut + CUT_BOUND_END]):
            if s.bounds[row, 0] <= number <= s.bounds[row, 1]:
                inside = True
                break
        if not inside:
            return False
    return True


@in_place
def has_neighbour(s: SearchState, leg: int, place: int, crossing: int) -> bool:
    """Whether an object of a leg has a neighbour that rules it out."""
    collection = s.code[leg + LEG_COLLECTION]
    for near in range(s.code[leg + LEG_NEAR], s.code[leg + LEG_NEAR_END], NEAR_SIZE):
        other = s.code[near + NEAR_COLLECTION]
        first, end = s.code[near + NEAR_CUT], s.code[near + NEAR_CUT_END]
        for neighbour in range(s.start[other, crossing], s.start[other, crossing + 1]):
            if other == collection and neighbour == place:
                continue
            if passes(s, first, end, neighbour):
                if distance(s, collection, place, other, neighbour) <= s.bounds[s.code[near + NEAR_BOUND], 1]:
                    return True
    return False


@in_place_inlined
def find_candidates(s: SearchState, leg: int, row: int, crossing: int, enough: int, sign: float) -> int:
    """Write the candidates of a leg into its row, no more than `enough`, and give their number."""
    collection = s.code[leg + LEG_COLLECTION]
    first, last = s.start[collection, crossing], s.start[collection, crossing + 1]
    least = s.bounds[s.code[leg + LEG_BOUND], 0]
    key = s.base[s.columns[collection, ORDER]] if least > -np.inf else 0
    scanned = s.code[leg + LEG_OPEN]
    nears = s.code[leg + LEG_NEAR_END] > s.code[leg + LEG_NEAR]
    found = 0
    for place in range(first, last):
        if least > -np.inf and not s.values[key + place] >= least:
            break  # and so are all that follow
        if not passes(s, s.code[leg + LEG_CUT], s.code[leg + LEG_CUT_END], place):
            continue
        value = np.inf
        if scanned >= 0:
            value = sign * s.values[s.base[scanned] + place]
            if not value >= -np.inf:
                continue
        if nears and has_neighbour(s, leg, place, crossing):
            continue
        s.candidate[row, found] = place - first
        s.value[row, found] = value
        found += 1
        if found == enough:
            break
    s.legs[row, NUMBER] = found
    return found


@in_place
def take(s: SearchState, first: int, row: int, tried: int, which: int, level: float) -> bool:
    """Take the candidate that an entry tries for its leg, unless it is another leg's or the leg is full."""
    i = s.trial[tried, AT + which]
    if not s.value[row, i] >= level:
        return False
    collection, one = s.code[first + row * LEG_SIZE + LEG_COLLECTION], s.candidate[row, i]
    if s.held[TAKEN, collection, one] == row + 1:
        s.trial[tried, MADE + which] = 0
        return True
    if s.held[TAKEN, collection, one] != 0 or s.legs[row, FREE] == 0:
        return False
    s.held[TAKEN, collection, one] = row + 1
    s.legs[row, FREE] -= 1
    s.trial[tried, MADE + which] = 1
    return True


@in_place
def let_go(s: SearchState, first: int, row: int, tried: int, which: int) -> None:
    """Undo `take`."""
    if s.trial[tried, MADE + which]:
        collection = s.code[first + row * LEG_SIZE + LEG_COLLECTION]
        s.held[TAKEN, collection, s.candidate[row, s.trial[tried, AT + which]]] = 0
        s.legs[row, FREE] += 1


@in_place_inlined
def meets(s: SearchState, first: int, entry: int, tried: int, crossing: int, sign: float, level: float) -> bool:
    """Whether the objects that an entry tries meet its conditions, with the scanned number at `level` or better."""
    a, b, d = s.code[entry + ENTRY_LEG], s.code[entry + ENTRY_LEG + 1], s.code[entry + ENTRY_LEG + 2]
    ca = s.code[first + a * LEG_SIZE + LEG_COLLECTION]
    cb = s.code[first + b * LEG_SIZE + LEG_COLLECTION]
    i = s.start[ca, crossing] + s.candidate[a, s.trial[tried, AT]]
    j = s.start[cb, crossing] + s.candidate[b, s.trial[tried, AT + 1]]
    for condition in range(s.code[entry + ENTRY_CONDITION], s.code[entry + ENTRY_CONDITION_END], CONDITION_SIZE):
        kind = s.code[condition + CONDITION_KIND]
        if d < 0:
            number = of_two(s, kind, ca, i, cb, j)
        else:
            cd = s.code[first + d * LEG_SIZE + LEG_COLLECTION]
            k = s.start[cd, crossing] + s.candidate[d, s.trial[tried, AT + 2]]
            number = of_three(s, kind, ca, i, cb, j, cd, k)
        bound = s.code[condition + CONDITION_BOUND]
        if not s.bounds[bound, 0] <= number <= s.bounds[bound, 1]:
            return False
        if s.code[condition + CONDITION_OPEN]:
            if not sign * number >= level:
                return False
            s.reached[tried] = sign * number
    return True


@in_place
def advance(
    s: SearchState, first: int, entry: int, tried: int, crossing: int, sign: float, leg_level: float, entry_level: float
) -> bool:
    """Go on to the next objects that meet an entry, and hold them; False, holding none, if there are no more."""
    a, b, d = s.code[entry + ENTRY_LEG], s.code[entry + ENTRY_LEG + 1], s.code[entry + ENTRY_LEG + 2]
    at = s.trial[tried]
    while at[0] < s.legs[a, NUMBER]:
        if take(s, first, a, tried, 0, leg_level):
            while at[1] < s.legs[b, NUMBER]:
                if (a != b or at[1] > at[0]) and take(s, first, b, tried, 1, leg_level):
                    if d < 0:
                        if meets(s, first, entry, tried, crossing, sign, entry_level):
                            return True
                    else:
                        while at[2] < s.legs[d, NUMBER]:
                            if (b != d or at[2] > at[1]) and take(s, first, d, tried, 2, leg_level):
                                if meets(s, first, entry, tried, crossing, sign, entry_level):
                                    return True
                                let_go(s, first, d, tried, 2)
                            at[2] += 1
                        at[2] = 0
                    let_go(s, first, b, tried, 1)
                at[1] += 1
            at[1] = 0
            let_go(s, first, a, tried, 0)
        at[0] += 1
    return False


@in_place
def step_back(s: SearchState, first: int, entry: int, tried: int) -> None:
    """Let go of what an entry holds, and leave it before its next try."""
    last = 1 if s.code[entry + ENTRY_LEG + 2] < 0 else 2
    for back in range(last + 1):
        which = last - back
        let_go(s, first, s.code[entry + ENTRY_LEG + which], tried, which)
    s.trial[tried, AT + last] += 1


@in_place
def augment(s: SearchState, first: int, legs: int, row: int, level: float) -> bool:
    """Fill a leg with one more object, if others can make room for it."""
    for leg in range(legs):
        s.legs[leg, SEEN] = 0
    collection = s.code[first + row * LEG_SIZE + LEG_COLLECTION]
    filled = s.held[FILLED, collection]
    s.legs[0, QUEUE] = row
    s.legs[row, SEEN] = 1
    head, tail = 0, 1
    while head < tail:
        leg = s.legs[head, QUEUE]
        head += 1
        for i in range(s.legs[leg, NUMBER]):
            one = s.candidate[leg, i]
            if s.held[TAKEN, collection, one] or not s.value[leg, i] >= level:
                continue
            holder = filled[one] - 1
            if holder < 0:
                while leg != row:
                    filled[one] = leg + 1
                    one = s.legs[leg, VIA_OBJECT]
                    leg = s.legs[leg, VIA_LEG]
                filled[one] = leg + 1
                return True
            if not s.legs[holder, SEEN]:
                s.legs[holder, SEEN] = 1
                s.legs[holder, VIA_LEG] = leg
                s.legs[holder, VIA_OBJECT] = one
                s.legs[tail, QUEUE] = holder
                tail += 1
    return False


@in_place
def fill_slots(s: SearchState, first: int, legs: int, crossing: int, level: float) -> bool:
    """Whether all legs can be filled up with objects that no entry has taken."""
    for row in range(legs):
        leg = first + row * LEG_SIZE
        collection = s.code[leg + LEG_COLLECTION]
        if s.code[leg + LEG_ALONE]:
            usable = 0
            for i in range(s.legs[row, NUMBER]):
                if s.value[row, i] >= level:
                    usable += 1
            if usable < s.code[leg + LEG_COUNT]:
                return False
        else:
            for one in range(s.start[collection, crossing + 1] - s.start[collection, crossing]):
                s.held[FILLED, collection, one] = 0
    for row in range(legs):
        if not s.code[first + row * LEG_SIZE + LEG_ALONE]:
            for _ in range(s.legs[row, FREE]):
                if not augment(s, first, legs, row, level):
                    return False
    return True


@in_place_inlined
def find_pair(
    s: SearchState, first: int, entry: int, crossing: int, sign: float, leg_level: float, entry_level: float
) -> bool:
    """Whether two candidates meet the only entry of a group whose legs share no collection."""
    a, b = s.code[entry + ENTRY_LEG], s.code[entry + ENTRY_LEG + 1]
    for i in range(s.legs[a, NUMBER]):
        if not s.value[a, i] >= leg_level:
            continue
        s.trial[0, AT] = i
        for j in range(i + 1 if a == b else 0, s.legs[b, NUMBER]):
            s.trial[0, AT + 1] = j
            if s.value[b, j] >= leg_level and meets(s, first, entry, 0, crossing, sign, entry_level):
                return True
    return False


@in_place
def assignable(s: SearchState, group: int, crossing: int, sign: float, leg_level: float, entry_level: float) -> bool:
    """Whether an assignment exists, with the scanned number of legs and of entries at these levels or better.

    `s.reached` then holds the scanned numbers of the entries.
    """
    first = s.code[group + GROUP_LEG]
    legs = (s.code[group + GROUP_LEG_END] - first) // LEG_SIZE
    first_entry = s.code[group + GROUP_ENTRY]
    entries = (s.code[group + GROUP_ENTRY_END] - first_entry) // ENTRY_SIZE
    if s.code[group + GROUP_PAIR]:
        found = find_pair(s, first, first_entry, crossing, sign, leg_level, entry_level)
        return found and (leg_level == -np.inf or fill_slots(s, first, legs, crossing, leg_level))
    for row in range(legs):
        collection = s.code[first + row * LEG_SIZE + LEG_COLLECTION]
        s.legs[row, FREE] = s.code[first + row * LEG_SIZE + LEG_COUNT]
        for one in range(s.start[collection, crossing + 1] - s.start[collection, crossing]):
            s.held[TAKEN, collection, one] = 0
    tried = 0
    for which in range(3):
        s.trial[0, AT + which] = 0
    while True:
        if tried == entries:
            if fill_slots(s, first, legs, crossing, leg_level):
                return True
        elif advance(s, first, first_entry + tried * ENTRY_SIZE, tried, crossing, sign, leg_level, entry_level):
            tried += 1
            for which in range(3):
                s.trial[tried, AT + which] = 0
            continue
        if tried == 0:
            return False
        tried -= 1
        step_back(s, first, first_entry + tried * ENTRY_SIZE, tried)
