"""The compiled code on a chunk of crossings: objects in order, sums of jets, and seeds one after another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from l1emu.arraytypes import Floats, Ints
from l1emu.compiled import in_place, in_place_inlined
from l1emu.trigger.engine.layout import (
    CONDITION_OPEN,
    CONDITION_SIZE,
    ENTRY_CONDITION,
    ENTRY_CONDITION_END,
    ENTRY_SIZE,
    FIXED,
    GROUP_ENTRY,
    GROUP_ENTRY_END,
    GROUP_LEG,
    GROUP_LEG_END,
    GROUP_OPEN,
    GROUP_SIZE,
    LEG_BOUND,
    LEG_COLLECTION,
    LEG_COUNT,
    LEG_OPEN,
    LEG_SIZE,
    NUMBER,
    OF_LEGS,
    ORDER,
    PART_GROUP,
    PART_GROUP_END,
    PART_LEG,
    PART_LEG_END,
    PART_SIZE,
    PART_SUM,
    PART_SUM_END,
    SEED_PART,
    SEED_PART_END,
    SEED_SIGN,
    SEED_SIZE,
    SUM_BOUND,
    SUM_OPEN,
    SUM_SIZE,
    SUM_SLOT,
    SearchState,
)
from l1emu.trigger.engine.search import assignable, find_candidates


@in_place
def arrange(s: SearchState, columns: Ints, collection: int) -> None:
    """Bring the objects of each crossing into the order of the collection, descending, NaN last; `columns` are its."""
    key = s.base[s.columns[collection, ORDER]]
    values, start = s.values, s.start[collection]
    for crossing in range(start.size - 1):
        for i in range(start[crossing] + 1, start[crossing + 1]):
            j = i
            while j > start[crossing] and (
                values[key + j] > values[key + j - 1]
                or (values[key + j - 1] != values[key + j - 1] and values[key + j] == values[key + j])
            ):
                for c in range(columns.size):
                    if columns[c] < 0:
                        break
                    here = s.base[columns[c]] + j
                    values[here], values[here - 1] = values[here - 1], values[here]
                j -= 1


@in_place
def sum_jets(
    s: SearchState, collection: int, pt: int, abs_eta: int, pt_min: float, abs_eta_max: float, total: Floats
) -> None:
    """The scalar sums of the pt of jets of this pt or more within |eta|, in the order in which they come."""
    start = s.start[collection]
    for crossing in range(start.size - 1):
        found = 0.0
        for i in range(start[crossing], start[crossing + 1]):
            if s.values[s.base[pt] + i] >= pt_min and s.values[s.base[abs_eta] + i] < abs_eta_max:
                found += s.values[s.base[pt] + i]
        total[crossing] = found


@in_place
def enough(s: SearchState, part: int, crossing: int) -> bool:
    """Whether fixed sums hold and each leg may find its objects: what is quick to see."""
    for cut in range(s.code[part + PART_SUM], s.code[part + PART_SUM_END], SUM_SIZE):
        bound = s.code[cut + SUM_BOUND]
        if not s.bounds[bound, 0] <= s.sums[s.code[cut + SUM_SLOT], crossing] <= s.bounds[bound, 1]:
            return False
    for leg in range(s.code[part + PART_LEG], s.code[part + PART_LEG_END], LEG_SIZE):
        collection = s.code[leg + LEG_COLLECTION]
        last = s.start[collection, crossing] + s.code[leg + LEG_COUNT] - 1
        if last >= s.start[collection, crossing + 1]:
            return False
        least = s.bounds[s.code[leg + LEG_BOUND], 0]
        if least > -np.inf and not s.values[s.base[s.columns[collection, ORDER]] + last] >= least:
            return False
    return True


@in_place
def sift(s: SearchState, part: int) -> int:
    """Write the crossings of which `enough` is true into `s.alive`, and give their number.

    One condition after another on all that are left: most crossings of most seeds end at the first.
    """
    alive = s.alive
    left = alive.size
    for crossing in range(left):
        alive[crossing] = crossing
    for cut in range(s.code[part + PART_SUM], s.code[part + PART_SUM_END], SUM_SIZE):
        low, high = s.bounds[s.code[cut + SUM_BOUND], 0], s.bounds[s.code[cut + SUM_BOUND], 1]
        numbers = s.sums[s.code[cut + SUM_SLOT]]
        kept = 0
        for i in range(left):
            crossing = alive[i]
            alive[kept] = crossing
            kept += 1 if low <= numbers[crossing] <= high else 0
        left = kept
    for leg in range(s.code[part + PART_LEG], s.code[part + PART_LEG_END], LEG_SIZE):
        collection, count = s.code[leg + LEG_COLLECTION], s.code[leg + LEG_COUNT]
        start = s.start[collection]
        least = s.bounds[s.code[leg + LEG_BOUND], 0]
        key = s.base[s.columns[collection, ORDER]] if least > -np.inf else 0
        kept = 0
        for i in range(left):
            crossing = alive[i]
            last = start[crossing] + count - 1
            if last < start[crossing + 1] and (least == -np.inf or s.values[key + last] >= least):
                alive[kept] = crossing
                kept += 1
        left = kept
    return left


@in_place
def is_simple(s: SearchState, group: int) -> bool:
    """Whether a group is one leg without entries."""
    legs, entries = s.code[group + GROUP_LEG_END] - s.code[group + GROUP_LEG], s.code[group + GROUP_ENTRY_END]
    return bool(legs == LEG_SIZE and entries == s.code[group + GROUP_ENTRY])


@in_place_inlined
def find_all(s: SearchState, group: int, crossing: int, sign: float) -> bool:
    """Find the candidates of each leg of a group; False if one has too few."""
    first = s.code[group + GROUP_LEG]
    simple = is_simple(s, group)
    for row in range((s.code[group + GROUP_LEG_END] - first) // LEG_SIZE):
        leg = first + row * LEG_SIZE
        wanted = s.code[leg + LEG_COUNT]
        most = wanted if simple and s.code[leg + LEG_OPEN] < 0 else -1
        if find_candidates(s, leg, row, crossing, most, sign) < wanted:
            return False
    return True


@in_place
def holds(s: SearchState, part: int, crossing: int) -> bool:
    """Whether a part without a number that is scanned holds, of which `enough` is true."""
    for group in range(s.code[part + PART_GROUP], s.code[part + PART_GROUP_END], GROUP_SIZE):
        if not find_all(s, group, crossing, 1.0):
            return False
        if not is_simple(s, group) and not assignable(s, group, crossing, 1.0, -np.inf, -np.inf):
            return False
    return True


@in_place
def refused(s: SearchState, seed: int, crossing: int) -> bool:
    """Whether one of the vetoes of a seed holds."""
    for part in range(s.code[seed + SEED_PART] + PART_SIZE, s.code[seed + SEED_PART_END], PART_SIZE):
        if enough(s, part, crossing) and holds(s, part, crossing):
            return True
    return False


@in_place
def add_levels(s: SearchState, row: int, levels: int) -> int:
    """Add the values of a leg's candidates to the first `levels` of `s.levels`, which descend; their new number."""
    for i in range(s.legs[row, NUMBER]):
        value = s.value[row, i]
        j = levels
        while j > 0 and s.levels[j - 1] < value:
            s.levels[j] = s.levels[j - 1]
            j -= 1
        s.levels[j] = value
        levels += 1
    return levels


@in_place
def reach_of_legs(s: SearchState, group: int, crossing: int, sign: float) -> float:
    """The best value of a number that is scanned in legs: that of an object, found by halving."""
    first = s.code[group + GROUP_LEG]
    levels = 0
    for row in range((s.code[group + GROUP_LEG_END] - first) // LEG_SIZE):
        if s.code[first + row * LEG_SIZE + LEG_OPEN] >= 0:
            levels = add_levels(s, row, levels)
    if is_simple(s, group):
        nth: float = s.levels[s.code[first + LEG_COUNT] - 1]
        return nth
    low, high = 0, levels  # the best level that is met is one from low to before high, if any is
    while low < high:
        middle = (low + high) // 2
        if assignable(s, group, crossing, sign, s.levels[middle], -np.inf):
            high = middle
        else:
            low = middle + 1
    return s.levels[low] if low < levels else -np.inf


@in_place
def reach_of_entries(s: SearchState, group: int, crossing: int, sign: float) -> float:
    """The best value of a number that is scanned in entries: each assignment that is found asks for a better one."""
    found = -np.inf
    level = -np.inf
    first = s.code[group + GROUP_ENTRY]
    entries = (s.code[group + GROUP_ENTRY_END] - first) // ENTRY_SIZE
    while assignable(s, group, crossing, sign, -np.inf, level):
        found = np.inf
        for tried in range(entries):
            entry = first + tried * ENTRY_SIZE
            for c in range(s.code[entry + ENTRY_CONDITION], s.code[entry + ENTRY_CONDITION_END], CONDITION_SIZE):
                if s.code[c + CONDITION_OPEN]:
                    found = min(found, s.reached[tried])
        if found == np.inf:
            break
        level = np.nextafter(found, np.inf)
    return found


@in_place
def reach_one(s: SearchState, seed: int, crossing: int) -> float:
    """The best value of the scanned number at which a seed accepts, turned by its sign; -inf if there is none.

    `enough` is true of its first part.
    """
    part, sign = s.code[seed + SEED_PART], float(s.code[seed + SEED_SIGN])
    best = np.inf
    for cut in range(s.code[part + PART_SUM], s.code[part + PART_SUM_END], SUM_SIZE):
        if s.code[cut + SUM_OPEN]:
            best = min(best, sign * s.sums[s.code[cut + SUM_SLOT], crossing])
    for group in range(s.code[part + PART_GROUP], s.code[part + PART_GROUP_END], GROUP_SIZE):
        if not find_all(s, group, crossing, sign):
            return -np.inf
        scanned = s.code[group + GROUP_OPEN]
        if scanned == FIXED:
            if not is_simple(s, group) and not assignable(s, group, crossing, sign, -np.inf, -np.inf):
                return -np.inf
        elif scanned == OF_LEGS:
            best = min(best, reach_of_legs(s, group, crossing, sign))
        else:
            best = min(best, reach_of_entries(s, group, crossing, sign))
        if best == -np.inf:
            return best
    return -np.inf if refused(s, seed, crossing) else best


@in_place
def evaluate(s: SearchState, scanned: Ints, ordered: Ints, accepted: npt.NDArray[np.bool_], found: Floats) -> None:
    """All seeds on a chunk.

    Parameters
    ----------
    s
        Program and chunk, whose sums are complete; its objects are brought into order. The records of the seeds are the
        first ones of the program.
    scanned
        Row of `found` for each seed, or -1 for those that are fixed, int64 (seeds,).
    ordered
        The columns of each collection that has an order, int64 (collections, columns), filled up with -1.
    accepted
        Written for fixed seeds, bool (seeds, crossings).
    found
        The reach of the others, float64 (scanned seeds, crossings).
    """
    for collection in range(ordered.shape[0]):
        if s.columns[collection, ORDER] >= 0:
            arrange(s, ordered[collection], collection)
    for number in range(scanned.size):
        seed = number * SEED_SIZE
        part = s.code[seed + SEED_PART]
        left = sift(s, part)
        if scanned[number] >= 0:
            found[scanned[number], :] = -np.inf
            for i in range(left):
                found[scanned[number], s.alive[i]] = reach_one(s, seed, s.alive[i])
        else:
            for i in range(left):
                crossing = s.alive[i]
                accepted[number, crossing] = holds(s, part, crossing) and not refused(s, seed, crossing)
