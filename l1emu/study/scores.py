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
    """The b score of jets that a seed may use, for JSON: counts and their errors for each kind of jet.

    With truth: b jets of the signal, and from min-bias light jets (quarks u, d, s and gluons) of the hard collision
    and jets that match none of its generator jets, mostly pile-up. Without: jets of the signal and of min-bias.
    Min-bias jets weigh as their crossing does.
    """
    kinds: dict[str, tuple[TaggedSample, ak.Array]] = {}
    if "flavour" in signal.jets.fields and "flavour" in minbias.jets.fields:
        of_minbias = minbias.jets.flavour
        kinds["b jets, signal"] = (signal, signal.jets.flavour == 0)
        kinds["light jets, min-bias"] = (minbias, (of_minbias == 2) | (of_minbias == 3))
        kinds["unmatched jets, min-bias"] = (minbias, of_minbias == UNMATCHED)
    else:
        kinds["all jets, signal"] = (signal, signal.jets.pt >= 0)
        kinds["all jets, min-bias"] = (minbias, minbias.jets.pt >= 0)
    return {
        "score": SCORE,
        "min_pt_gev": MIN_PT_GEV,
        "abs_eta_max": ABS_ETA_MAX,
        "edges": np.linspace(0, 1, BINS + 1).tolist(),
        "kinds": {name: _filled(tagged, mask) for name, (tagged, mask) in kinds.items()},
    }


def _filled(tagged: TaggedSample, mask: ak.Array) -> dict[str, Any]:
    jets = tagged.jets
    chosen = mask & (jets.pt >= MIN_PT_GEV) & (abs(jets.eta) < ABS_ETA_MAX)
    weight = ak.flatten(ak.broadcast_arrays(tagged.crossings.weight, jets.pt)[0][chosen])
    filled = hist.Hist(hist.axis.Regular(BINS, 0, 1, name="score"), storage=hist.storage.Weight())
    filled.fill(np.asarray(ak.flatten(jets[SCORE][chosen])), weight=np.asarray(weight))
    total = float(filled.sum().value)
    scale = 1 / total if total > 0 else 0.0
    return {
        "jets": int(ak.sum(chosen)),
        "fraction": (filled.values() * scale).tolist(),
        "error": (np.sqrt(filled.variances()) * scale).tolist(),
    }
