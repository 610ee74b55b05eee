"""Distributions of a score, by what the jet is."""

from __future__ import annotations

from typing import Any

import awkward as ak
import hist
import numpy as np

from l1emu.study.tagging import UNMATCHED, TaggedSample

SCORE = "tag_b"
BINS = 40
MIN_PT_GEV = 25.0
ABS_ETA_MAX = 2.4


def score_histograms(signal: TaggedSample, minbias: TaggedSample) -> dict[str, Any]:
    """The b score of jets that a seed may use, for JSON: fractions and their errors for each kind of jet.

    Of the signal, where it has truth: jets that match a generator b jet of the hard collision, and jets that match
    none, mostly pile-up; else all jets. Of min-bias, where it has truth: light jets (quarks u, d, s and gluons) and
    jets without a match; else all jets. Min-bias jets weigh as their crossing does. Scores of 1 or more and
    of less than 0 count in the outermost bins; jets without one (NaN) are left out and counted apart.
    """
    kinds: dict[str, tuple[TaggedSample, ak.Array]] = {}
    for tagged, name, flavours, matched in ((signal, "signal", (0,), "b"), (minbias, "min-bias", (2, 3), "light")):
        if "flavour" not in tagged.jets.fields:
            kinds[f"all jets, {name}"] = (tagged, tagged.jets.pt >= 0)
            continue
        found = tagged.jets.flavour
        kinds[f"{matched} jets, {name}"] = (tagged, sum((found == f for f in flavours[1:]), found == flavours[0]))
        kinds[f"unmatched jets, {name}"] = (tagged, found == UNMATCHED)
    return {
        "score": SCORE,
        "min_pt_gev": MIN_PT_GEV,
        "abs_eta_max": ABS_ETA_MAX,
        "edges": np.linspace(0, 1, BINS + 1).tolist(),
        "kinds": {name: _filled(tagged, mask) for name, (tagged, mask) in kinds.items()},
    }


def _filled(tagged: TaggedSample, mask: ak.Array) -> dict[str, Any]:
    jets = tagged.jets
    usable = mask & (jets.pt >= MIN_PT_GEV) & (abs(jets.eta) < ABS_ETA_MAX)
    chosen = usable & ~np.isnan(jets[SCORE])
    weight = ak.flatten(ak.broadcast_arrays(tagged.crossings.weight, jets.pt)[0][chosen])
    filled = hist.Hist(hist.axis.Regular(BINS, 0, 1, name="score"), storage=hist.storage.Weight())
    score = np.clip(np.asarray(ak.flatten(jets[SCORE][chosen])), 0, np.nextafter(1, 0))
    filled.fill(score, weight=np.asarray(weight))
    total = float(filled.sum().value)
    scale = 1 / total if total > 0 else 0.0
    return {
        "jets": int(ak.sum(chosen)),
        "jets_without_score": int(ak.sum(usable) - ak.sum(chosen)),
        "fraction": (filled.values() * scale).tolist(),
        "error": (np.sqrt(filled.variances()) * scale).tolist(),
    }
