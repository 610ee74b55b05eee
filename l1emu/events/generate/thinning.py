"""Which crossings are kept, with which weight: an integer w, and the crossing is kept with the probability ONE / w.

A rule says how many crossings are wanted for each factor e of the rate of some quantity. Where the rate above the
crossing's own value is R, its weight is about R / `keep`; of several rules the one that wants it most decides. What is
drawn or made is thinned with probabilities that are known exactly, so that no rule, however badly chosen, moves a rate:
it only decides where the errors are small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1emu.events.features import as_float
from l1emu.events.generate.drawing import CollisionLists
from l1emu.events.generate.recipe import Level1Jets, ThinningRule
from l1emu.events.hardware import CROSSING_WEIGHT_ONE, ETA_PHI_STEP, PT_STEP_GEV
from l1emu.events.jets import Jets, build_jets
from l1emu.events.sample import Batch

Scorer = Callable[[NDArray[np.float32]], NDArray[Any]]
"""Scores of jets, (jets,), from the features of the default tagger as real numbers, (jets, 16, 12)."""

_STEPS_OF_TWO = 8
_MOST_STEPS = 8 * 40


def _grid() -> NDArray[np.int64]:
    """The weights that there are: ONE times powers of 2^(1/8)."""
    steps = np.arange(_MOST_STEPS)
    weights: NDArray[np.int64] = np.rint(CROSSING_WEIGHT_ONE * 2.0 ** (steps / _STEPS_OF_TWO)).astype(np.int64)
    return weights


WEIGHT_GRID = _grid()


class RuleQuantities:
    """What rules ask of some crossings: `values` by name, and the numbers of b and c jets of their generator jets."""

    def __init__(self, values: dict[str, NDArray[np.float64]], lists: CollisionLists) -> None:
        self.values = values
        self._lists = lists

    @staticmethod
    def generated(lists: CollisionLists) -> RuleQuantities:
        """Those of generator jets."""
        jets = {f"jet{k + 1}": lists.jets[:, k] for k in range(lists.jets.shape[1])}
        return RuleQuantities(jets | {"ht": lists.ht}, lists)

    def rate(self, rule: ThinningRule, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The rate [kHz] above each crossing's value; infinite where a crossing is not one that the rule asks for."""
        gev, khz = np.array(rule.above).T
        rates = np.exp(np.interp(values, gev, np.log(khz)))
        heavy = self._lists.b_jets + self._lists.c_jets
        asked = (self._lists.b_jets >= rule.b_jets) & (heavy >= rule.b_or_c_jets)
        return np.where(asked, rates, np.inf)


def weights_wanted(
    rules: Sequence[ThinningRule],
    quantities: RuleQuantities,
    each_khz: float,
    values: Sequence[NDArray[np.float64]] | None = None,
) -> NDArray[np.int64]:
    """The weight that the rules give each crossing, int64 (crossings,), in units of `CROSSING_WEIGHT_ONE`.

    Parameters
    ----------
    rules
        At least one.
    quantities
        Of the crossings.
    each_khz
        The rate that one drawn crossing stands for.
    values
        Of each rule's quantity, where they are not those of its name.
    """
    found = [quantities.values[rule.of] for rule in rules] if values is None else values
    wanted = np.min([quantities.rate(rule, of) / rule.keep for rule, of in zip(rules, found, strict=True)], axis=0)
    steps = np.floor(_STEPS_OF_TWO * np.log2(np.maximum(wanted / each_khz, 1.0)) + 1e-9)
    weights: NDArray[np.int64] = WEIGHT_GRID[np.minimum(steps, _MOST_STEPS - 1).astype(np.int64)]
    return weights


def keep(rng: np.random.Generator, before: NDArray[np.int64] | int, after: NDArray[np.int64]) -> NDArray[np.int64]:
    """The crossings that are kept when weights grow from `before` to `after`: each with the probability of their ratio.

    Returns
    -------
    Their places, ascending.
    """
    return np.flatnonzero(rng.integers(0, after) < before)


def thin_made(
    rng: np.random.Generator,
    batch: Batch,
    lists: CollisionLists,
    weight: NDArray[np.int64],
    rules: Level1Jets,
    each_khz: float,
    score: Scorer | None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Thin crossings that were made by what their Level-1 jets reach.

    Parameters
    ----------
    rng
        What is drawn with.
    batch, lists, weight
        The crossings, the collisions that they were made of, and the weights that they have.
    rules
        For Level-1 jets.
    each_khz
        The rate that one drawn crossing stands for.
    score
        Of jets, for rules with `tagged`.

    Returns
    -------
    kept, weight
        (kept,) int64: the places of those that are kept, ascending, and their weights.
    """
    jets = build_jets(batch.candidates, min_pt_gev=rules.raw_pt_min_gev, vertex_z0=batch.vertex_z0)
    pt = (jets.pt * PT_STEP_GEV - rules.offset_gev) / rules.slope
    central = np.abs(jets.eta * ETA_PHI_STEP) < rules.abs_eta_max
    crossing = np.repeat(np.arange(len(weight)), jets.counts)
    hard = central & (pt >= rules.ht_pt_min_gev)
    values = {f"jet{k}": nth_pt(pt, central, crossing, len(weight), k) for k in range(1, 7)}
    values["ht"] = np.bincount(crossing[hard], pt[hard], minlength=len(weight)).astype(np.float64)
    quantities = RuleQuantities(values, lists)
    scores = _scores(rules, jets, pt, central, crossing, values, score)
    of_rules = []
    for rule in rules.rules:
        value = values[rule.of]
        if rule.tagged:
            tagged = central & (scores >= rule.score_min)
            value = np.minimum(value, nth_pt(pt, tagged, crossing, len(weight), rule.tagged))
        of_rules.append(value)
    after = np.maximum(weight, weights_wanted(rules.rules, quantities, each_khz, of_rules))
    kept = keep(rng, weight, after)
    return kept, after[kept]


def nth_pt(
    pt: NDArray[np.float64], mask: NDArray[np.bool_], crossing: NDArray[np.int64], crossings: int, n: int
) -> NDArray[np.float64]:
    """pt of the n-th of the marked jets of each crossing, whose jets are by descending pt; 0 where there are fewer."""
    chosen = np.flatnonzero(mask)
    of = crossing[chosen]
    start = np.searchsorted(of, np.arange(crossings))
    place = np.arange(len(of)) - start[of]
    found = np.zeros(crossings)
    found[of[place == n - 1]] = pt[chosen[place == n - 1]]
    return found


def _scores(
    rules: Level1Jets,
    jets: Jets,
    pt: NDArray[np.float64],
    central: NDArray[np.bool_],
    crossing: NDArray[np.int64],
    values: dict[str, NDArray[np.float64]],
    score: Scorer | None,
) -> NDArray[np.float64]:
    """The scores of those jets that matter for a rule, -infinity for others."""
    scores = np.full(len(pt), -np.inf)
    tagging = [rule for rule in rules.rules if rule.tagged]
    if not tagging or score is None:
        return scores
    needed = np.zeros(len(pt), np.bool_)
    for rule in tagging:
        softest = rule.above[0][0]
        needed |= central & (pt >= softest) & (values[rule.of] >= softest)[crossing]
    if needed.any():
        scores[needed] = score(as_float(jets.features[needed]))
    return scores
