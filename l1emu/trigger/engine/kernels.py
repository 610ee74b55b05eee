"""The compiled code on a chunk of crossings: objects in order, sums of jets, and seeds one after another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from l1emu.compiled import in_place
from l1emu.trigger.engine.layout import Chunk, Floats, Ints, Tables, Work
from l1emu.trigger.engine.search import assignable, find_candidates


@in_place
def arrange(tables: Tables, chunk: Chunk, columns: Ints, collection: int) -> None:
    """Bring the objects of each crossing into the order of the collection, descending, NaN last; `columns` are its."""
    key = chunk.base[tables.order[collection]]
    values, start = chunk.values, chunk.start[collection]
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
                    here = chunk.base[columns[c]] + j
                    values[here], values[here - 1] = values[here - 1], values[here]
                j -= 1


@in_place
def sum_jets(
    chunk: Chunk, collection: int, pt: int, abs_eta: int, pt_min: float, abs_eta_max: float, total: Floats
) -> None:
    """The scalar sums of the pt of jets of this pt or more within |eta|, in the order in which they come."""
    start = chunk.start[collection]
    for crossing in range(start.size - 1):
        found = 0.0
        for i in range(start[crossing], start[crossing + 1]):
            if chunk.values[chunk.base[pt] + i] >= pt_min and chunk.values[chunk.base[abs_eta] + i] < abs_eta_max:
                found += chunk.values[chunk.base[pt] + i]
        total[crossing] = found


@in_place
def enough(tables: Tables, chunk: Chunk, part: int, crossing: int) -> bool:
    """Whether fixed sums hold and each leg may find its objects: what is quick to see."""
    for cut in range(tables.part_sum[part], tables.part_sum[part + 1]):
        if not tables.sum_low[cut] <= chunk.sums[tables.sum_slot[cut], crossing] <= tables.sum_high[cut]:
            return False
    for leg in range(tables.group_leg[tables.part_group[part]], tables.group_leg[tables.part_group[part + 1]]):
        collection = tables.leg_collection[leg]
        last = chunk.start[collection, crossing] + tables.leg_count[leg] - 1
        if last >= chunk.start[collection, crossing + 1]:
            return False
        least = tables.leg_least[leg]
        if least > -np.inf and not chunk.values[chunk.base[tables.order[collection]] + last] >= least:
            return False
    return True


@in_place
def find_all(tables: Tables, chunk: Chunk, work: Work, group: int, crossing: int, sign: float) -> bool:
    """Find the candidates of each leg of a group; False if one has too few."""
    first, last = tables.group_leg[group], tables.group_leg[group + 1]
    simple = last == first + 1 and tables.group_entry[group] == tables.group_entry[group + 1]
    for leg in range(first, last):
        wanted = tables.leg_count[leg]
        most = wanted if simple and tables.leg_open[leg] < 0 else -1
        if find_candidates(tables, chunk, work, leg, leg - first, crossing, most, sign) < wanted:
            return False
    return True


@in_place
def holds(tables: Tables, chunk: Chunk, work: Work, part: int, crossing: int) -> bool:
    """Whether a part without a number that is scanned holds."""
    if not enough(tables, chunk, part, crossing):
        return False
    for group in range(tables.part_group[part], tables.part_group[part + 1]):
        if not find_all(tables, chunk, work, group, crossing, 1.0):
            return False
        first = tables.group_leg[group]
        if tables.group_leg[group + 1] > first + 1 or tables.group_entry[group + 1] > tables.group_entry[group]:
            if not assignable(tables, chunk, work, group, crossing, 1.0, -np.inf, -np.inf):
                return False
    return True


@in_place
def refused(tables: Tables, chunk: Chunk, work: Work, seed: int, crossing: int) -> bool:
    """Whether one of the vetoes of a seed holds."""
    for part in range(tables.seed_part[seed] + 1, tables.seed_part[seed + 1]):
        if holds(tables, chunk, work, part, crossing):
            return True
    return False


@in_place
def highest_levels(work: Work, row: int, levels: int) -> int:
    """Add the values of a leg's candidates to the first `levels` of `work.levels`, which descend; their new number."""
    for i in range(work.number[row]):
        value = work.value[row, i]
        j = levels
        while j > 0 and work.levels[j - 1] < value:
            work.levels[j] = work.levels[j - 1]
            j -= 1
        work.levels[j] = value
        levels += 1
    return levels


@in_place
def reach_of_legs(tables: Tables, chunk: Chunk, work: Work, group: int, crossing: int, sign: float) -> float:
    """The best value of a number that is scanned in legs: that of an object, found by halving."""
    first, legs = tables.group_leg[group], tables.group_leg[group + 1] - tables.group_leg[group]
    levels = 0
    for row in range(legs):
        if tables.leg_open[first + row] >= 0:
            levels = highest_levels(work, row, levels)
    if legs == 1 and tables.group_entry[group] == tables.group_entry[group + 1]:
        return work.levels[tables.leg_count[first] - 1]
    low, high = 0, levels  # the best level that is met is one from low to before high, if any is
    while low < high:
        middle = (low + high) // 2
        if assignable(tables, chunk, work, group, crossing, sign, work.levels[middle], -np.inf):
            high = middle
        else:
            low = middle + 1
    return work.levels[low] if low < levels else -np.inf


@in_place
def reach_of_entries(tables: Tables, chunk: Chunk, work: Work, group: int, crossing: int, sign: float) -> float:
    """The best value of a number that is scanned in entries: each assignment that is found asks for a better one."""
    found = -np.inf
    level = -np.inf
    first, entries = tables.group_entry[group], tables.group_entry[group + 1] - tables.group_entry[group]
    while assignable(tables, chunk, work, group, crossing, sign, -np.inf, level):
        found = np.inf
        for tried in range(entries):
            for condition in range(
                tables.entry_condition[first + tried], tables.entry_condition[first + tried + 1]
            ):
                if tables.condition_open[condition]:
                    found = min(found, work.reached[tried])
        if found == np.inf:
            return found
        level = np.nextafter(found, np.inf)
    return found


@in_place
def reach_one(tables: Tables, chunk: Chunk, work: Work, seed: int, crossing: int) -> float:
    """The best value of the scanned number at which a seed accepts, turned by its sign; -inf if there is none."""
    part, sign = tables.seed_part[seed], tables.seed_sign[seed]
    if not enough(tables, chunk, part, crossing):
        return -np.inf
    best = np.inf
    for cut in range(tables.part_sum[part], tables.part_sum[part + 1]):
        if tables.sum_open[cut]:
            best = min(best, sign * chunk.sums[tables.sum_slot[cut], crossing])
    for group in range(tables.part_group[part], tables.part_group[part + 1]):
        if not find_all(tables, chunk, work, group, crossing, sign):
            return -np.inf
        scanned = tables.group_open[group]
        if scanned == 1:
            best = min(best, reach_of_legs(tables, chunk, work, group, crossing, sign))
        elif scanned == 2:
            best = min(best, reach_of_entries(tables, chunk, work, group, crossing, sign))
        elif tables.group_leg[group + 1] > tables.group_leg[group] + 1 or (
            tables.group_entry[group + 1] > tables.group_entry[group]
        ):
            if not assignable(tables, chunk, work, group, crossing, sign, -np.inf, -np.inf):
                return -np.inf
        if best == -np.inf:
            return best
    return -np.inf if refused(tables, chunk, work, seed, crossing) else best


@in_place
def decide_seed(tables: Tables, chunk: Chunk, work: Work, seed: int, accepted: npt.NDArray[np.bool_]) -> None:
    """Whether a seed whose numbers are all fixed accepts each crossing of the chunk."""
    part = tables.seed_part[seed]
    vetoes = tables.seed_part[seed + 1] > part + 1
    for crossing in range(accepted.size):
        found = holds(tables, chunk, work, part, crossing)
        accepted[crossing] = found and not (vetoes and refused(tables, chunk, work, seed, crossing))


@in_place
def reach_seed(tables: Tables, chunk: Chunk, work: Work, seed: int, found: Floats) -> None:
    """What `reach_one` gives of each crossing of the chunk."""
    for crossing in range(found.size):
        found[crossing] = reach_one(tables, chunk, work, seed, crossing)


@in_place
def evaluate(
    tables: Tables,
    chunk: Chunk,
    work: Work,
    scanned: Ints,
    ordered: Ints,
    accepted: npt.NDArray[np.bool_],
    found: Floats,
) -> None:
    """All seeds on a chunk.

    Parameters
    ----------
    tables, chunk, work
        As their descriptions say; the sums of the chunk are complete. Its objects are brought into order.
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
        if tables.order[collection] >= 0:
            arrange(tables, chunk, ordered[collection], collection)
    for seed in range(scanned.size):
        if scanned[seed] < 0:
            decide_seed(tables, chunk, work, seed, accepted[seed])
        else:
            reach_seed(tables, chunk, work, seed, found[scanned[seed]])
