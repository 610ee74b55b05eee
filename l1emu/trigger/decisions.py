"""Decisions of one seed on crossings: one bool a crossing, and the highest threshold that still accepts.

Numbers are compared in float64, which holds every float16, float32 and the sums of pt as they are: whatever the dtype
of a file, a jet at the threshold passes, and one below it does not. A number that is NaN or missing passes nothing: the
object is then as one that has not got what was asked for. Menus are evaluated by `l1emu.trigger.engine.evaluator`.
"""

from __future__ import annotations

import awkward as ak
import numpy as np

from l1emu.arraytypes import Bools, Floats
from l1emu.errors import L1emuError
from l1emu.eventdata import EventData
from l1emu.trigger.engine.evaluator import Evaluator
from l1emu.trigger.menu import Seed


def decide(seed: Seed, data: EventData | ak.Array) -> Bools:
    """Whether each crossing fulfils every condition of a seed.

    Parameters
    ----------
    seed
        A seed whose numbers are all fixed, see `Seed.at`, and that builds on no other one.
    data
        The crossings, or their jets alone: shape (crossings, var), records with `pt` in GeV, `eta`, and whatever else
        the seed asks for. Any order, any type of number; numbers, objects and whole crossings may be missing (None).

    Returns
    -------
    bool array (crossings,).

    Raises
    ------
    L1emuError
        if the crossings lack something that the seed asks for, or it holds no numbers.
    """
    _alone(seed)
    if seed.open_number is not None:
        raise L1emuError(
            "a number of the seed is open", where=f"seed {seed.name}, {seed.open_number.place}", expected="`Seed.at`"
        )
    return Evaluator([seed])(data).accepted[:, 0].copy()


def reach(seed: Seed, data: EventData | ak.Array) -> Floats:
    """The highest threshold at which each crossing is still accepted; minus infinity if it never is.

    `decide(seed.at(t), data)` equals `reach(seed, data) >= seed.sign * t` for every threshold t, so that one pass over
    the crossings serves all thresholds. Of an upper bound (`sign` -1) it is the negative of the lowest threshold.

    Parameters
    ----------
    seed, data
        As in `decide`, the threshold open. A seed without one reaches infinity where it accepts.

    Returns
    -------
    float64 array (crossings,), in the unit of the threshold.

    Raises
    ------
    L1emuError
        as `decide` does.
    """
    _alone(seed)
    found = Evaluator([seed])(data)
    if seed.open_number is None:
        return np.where(found.accepted[:, 0], np.inf, -np.inf)
    return found.reach[:, 0].copy()


def _alone(seed: Seed) -> None:
    for key, names in seed.references.items():
        raise L1emuError(
            "the seed builds on others",
            where=f"seed {seed.name}, {key}",
            value=names[0],
            expected="the whole menu, in an `Evaluator`",
        )
