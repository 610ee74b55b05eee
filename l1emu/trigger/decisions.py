"""Decisions of seeds on crossings: jets in, one bool a crossing out, and the highest threshold that still accepts.

Numbers are compared in float64, which holds every float16, float32 and the sums of pt as they are: whatever the dtype
of a file, a jet at the threshold passes, and one below it does not. A pt, eta or score that is NaN or missing passes
nothing: the jet is then as one that has not got what was asked for.
"""

from __future__ import annotations

import awkward as ak
import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.trigger.menu import OPEN, ClosedSeed, HtCondition, JetCondition, Seed

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def decide(seed: ClosedSeed, jets: ak.Array) -> Bools:
    """Whether each crossing fulfils every condition of a seed.

    Parameters
    ----------
    seed
        A seed whose threshold is set, see `Seed.at`.
    jets
        Shape (crossings, var), records with `pt` in GeV, `eta`, and the scores that the seed asks for. Any order, any
        type of number; numbers, jets and whole crossings may be missing (None).

    Returns
    -------
    bool array (crossings,).

    Raises
    ------
    L1emuError
        if the jets lack a field that the seed asks for, or it holds no numbers.
    """
    jets = _numbers(seed, jets)
    accepted = np.ones(len(jets), np.bool_)
    if seed.jets is not None:
        chosen = _central(jets, seed.jets.abs_eta_max)
        chosen = chosen[chosen.pt >= seed.jets.pt_min_gev]
        accepted &= _bools(ak.num(chosen) >= seed.jets.count)
        for tag in seed.jets.tags:
            accepted &= _bools(ak.sum(chosen[tag.score] >= tag.minimum, axis=1) >= tag.count)
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
        as `decide` does.
    """
    jets = _numbers(seed, jets)
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
            found = np.minimum(found, _nth_highest(chosen.pt[chosen[tag.score] >= tag.minimum], tag.count))
        return found
    chosen = chosen[chosen.pt >= condition.pt_min_gev]
    found = np.where(_bools(ak.num(chosen) >= condition.count), np.inf, -np.inf)
    for tag in condition.tags:
        highest = _nth_highest(chosen[tag.score], tag.count)
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


def _numbers(seed: Seed | ClosedSeed, jets: ak.Array) -> ak.Array:
    """What a seed asks for of the jets, in float64: minus infinity in the place of a pt or score that is no number."""
    if not isinstance(jets, ak.Array):
        raise L1emuError(
            "the jets are no awkward array",
            value=type(jets).__name__,
            expected='ak.zip({"pt": pt, "eta": eta}) of arrays with one list a crossing',
        )
    scores = [] if seed.jets is None else [tag.score for tag in seed.jets.tags]
    fields = {name: _field(jets, name) for name in ("pt", "eta", *scores)}
    for name in ("pt", *scores):
        fields[name] = ak.where(np.isnan(fields[name]), -np.inf, fields[name])
    try:
        return ak.zip(fields)
    except ValueError:
        numbers = {name: int(ak.count(values)) for name, values in fields.items()}
        raise L1emuError(
            "the jets have fields of different lengths", value=numbers, expected="one number a jet in each"
        ) from None


def _field(jets: ak.Array, name: str) -> ak.Array:
    """One field of the jets, float64 (crossings, var), NaN where it is missing; a missing crossing has no jets."""
    if not jets.fields and "unknown" in str(jets.type):  # no jet in any crossing
        return ak.unflatten(np.zeros(0), np.zeros(len(jets), np.int64))
    if name not in jets.fields:
        if name in ("pt", "eta"):
            raise L1emuError("the jets have no such field", value=name, expected="records with pt and eta")
        known = [field for field in jets.fields if field.startswith(("tag_", "score_"))]
        expected = f"one of {', '.join(known)}" if known else "jets with the scores of a tagger"
        raise L1emuError("the jets have no such score", where="tags.score", value=name, expected=expected)
    values = jets[name]
    if values.ndim == 2:
        values = ak.fill_none(ak.fill_none(values, [], axis=0), np.nan, axis=1)
        values = ak.from_regular(values, axis=1)
        item = values.type.content.content
        if isinstance(item, ak.types.NumpyType) and np.dtype(item.primitive).kind in "biuf":
            return ak.values_astype(values, np.float64)
    raise L1emuError("not one number a jet", where=name, value=str(jets[name].type), expected="crossings of jets")


def _bools(values: ak.Array) -> Bools:
    return np.asarray(values, np.bool_)
