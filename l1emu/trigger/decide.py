"""Decisions of seeds on crossings: jets in, one bool a crossing out, and the highest threshold that still accepts."""

from __future__ import annotations

import awkward as ak
import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.trigger.menu import OPEN, ClosedSeed, HtCondition, JetCondition, Seed, Tag

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def decide(seed: ClosedSeed, jets: ak.Array) -> Bools:
    """Whether each crossing fulfils every condition of a seed.

    Parameters
    ----------
    seed
        A seed whose threshold is set, see `Seed.at`.
    jets
        Shape (crossings, var), records with `pt` in GeV, `eta`, and the scores that the seed asks for. Any order.

    Returns
    -------
    bool array (crossings,).

    Raises
    ------
    L1emuError
        if the jets lack a field that the seed asks for.
    """
    accepted = np.ones(len(jets), np.bool_)
    if seed.jets is not None:
        chosen = _central(jets, seed.jets.abs_eta_max)
        chosen = chosen[chosen.pt >= seed.jets.pt_min_gev]
        accepted &= _bools(ak.num(chosen) >= seed.jets.count)
        for tag in seed.jets.tags:
            accepted &= _bools(ak.sum(_score(chosen, tag) >= tag.minimum, axis=1) >= tag.count)
    if seed.ht is not None:
        accepted &= _ht(jets, seed.ht) >= float(seed.ht.min_gev)
    return accepted


def reach(seed: Seed, jets: ak.Array) -> Floats:
    """The highest threshold at which each crossing is still accepted; minus infinity if it never is.

    `decide(seed.at(t), jets)` equals `reach(seed, jets) >= t` for every threshold t of 0 or more, so that one pass
    over the crossings serves all thresholds.

    Parameters
    ----------
    seed, jets
        As in `decide`, the threshold open.

    Returns
    -------
    float64 array (crossings,), in the unit of the threshold.

    Raises
    ------
    L1emuError
        if the jets lack a field that the seed asks for.
    """
    found = np.full(len(jets), np.inf)
    if seed.jets is not None:
        found = np.minimum(found, _jet_reach(seed.jets, jets))
    if seed.ht is not None:
        total = _ht(jets, seed.ht)
        if seed.ht.min_gev == OPEN:
            found = np.minimum(found, total)
        else:
            found[total < float(seed.ht.min_gev)] = -np.inf
    return found


def _jet_reach(condition: JetCondition, jets: ak.Array) -> Floats:
    chosen = _central(jets, condition.abs_eta_max)
    if condition.pt_min_gev == OPEN:
        found = _nth_highest(chosen.pt, condition.count)
        for tag in condition.tags:
            found = np.minimum(found, _nth_highest(chosen.pt[_score(chosen, tag) >= tag.minimum], tag.count))
        return found
    chosen = chosen[chosen.pt >= condition.pt_min_gev]
    found = np.where(_bools(ak.num(chosen) >= condition.count), np.inf, -np.inf)
    for tag in condition.tags:
        scores = _score(chosen, tag)
        highest = _nth_highest(scores, tag.count)
        if tag.minimum == OPEN:
            found = np.minimum(found, highest)
        else:
            found[highest < float(tag.minimum)] = -np.inf
    return found


def _nth_highest(values: ak.Array, n: int) -> Floats:
    """The n-th highest value of each crossing, minus infinity where there are fewer."""
    ordered = ak.sort(values, axis=1, ascending=False)
    return np.asarray(ak.fill_none(ak.pad_none(ordered, n, axis=1)[:, n - 1], -np.inf), np.float64)


def _ht(jets: ak.Array, condition: HtCondition) -> Floats:
    chosen = _central(jets, condition.abs_eta_max)
    return np.asarray(ak.sum(chosen.pt[chosen.pt >= condition.jet_pt_min_gev], axis=1), np.float64)


def _central(jets: ak.Array, abs_eta_max: float) -> ak.Array:
    return jets[abs(jets.eta) < abs_eta_max]


def _score(jets: ak.Array, tag: Tag) -> ak.Array:
    if tag.score not in jets.fields:
        scores = [name for name in jets.fields if name.startswith("tag_")]
        expected = f"one of {', '.join(scores)}" if scores else "jets with the scores of a tagger"
        raise L1emuError("the jets have no such score", where="tags.score", value=tag.score, expected=expected)
    return jets[tag.score]


def _bools(values: ak.Array) -> Bools:
    return np.asarray(values, np.bool_)
