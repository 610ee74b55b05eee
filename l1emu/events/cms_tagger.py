"""The twenty numbers a constituent that CMS's own Level-1 jet tagger takes.

Names and order are those of CMS-L1T-Jet-Tagging/TrainTagger (tagger/data/puppicand_fields.yml), the definitions those
of its producer in cmssw (L1Trigger/Phase2L1ParticleFlow/src/L1TSC4NGJet.cc), in floating point instead of its tables
for 1 / pt and log(pt), so that the two differ by a few per mille there.

=================== ====================================================================================================
pt, pt_rel, pt_log  GeV; as a fraction of the jet's; natural logarithm of the GeV
deta, dphi          jet minus constituent; constituent minus jet; in steps of pi/720
mass                GeV, assumed for its type: 0.13, electron 0.005, muon 0.105, photon 0, neutral hadron 0.5
is...               one-hot particle type and charge, 0 or 1
z0, dxy             charged ones: relative to the vertex, 0.05 cm; impact parameter, rounded to 0.05 cm
isfilled            1 for a constituent, 0 for an empty place
puppiweight         neutral ones: 0 to 1
emid                neutral ones: 1 if the cluster is electromagnetic; the firmware's word has more levels
quality             charged ones: 3, loose and tight: the parametrized tracker finds true tracks only
=================== ====================================================================================================
"""

from __future__ import annotations

import awkward as ak
import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.events.features import CONSTITUENTS
from l1emu.events.hardware import (
    CHARGED_HADRON,
    DXY_STEP_CM,
    ELECTRON,
    HALF_TURN,
    MUON,
    NEUTRAL_HADRON,
    PHOTON,
    PT_STEP_GEV,
    WEIGHT_ONE,
    Z0_STEP_CM,
)
from l1emu.events.jets import Jets
from l1emu.events.lists import flat_columns

CMS_FEATURES = (
    "pt", "pt_rel", "pt_log", "deta", "dphi", "mass", "isPhoton", "isElectronPlus", "isElectronMinus", "isMuonPlus",
    "isMuonMinus", "isNeutralHadron", "isChargedHadronPlus", "isChargedHadronMinus", "z0", "dxy", "isfilled",
    "puppiweight", "emid", "quality",
)  # fmt: skip

MASS_GEV = {CHARGED_HADRON: 0.13, ELECTRON: 0.005, MUON: 0.105, PHOTON: 0.0, NEUTRAL_HADRON: 0.5}
LOOSE_AND_TIGHT = 3
_FIELDS = ("pt", "eta", "phi", "id", "charge", "z0", "dxy", "weight")


def cms_features(candidates: ak.Array, jets: Jets) -> npt.NDArray[np.float32]:
    """The features of every jet's sixteen hardest constituents, float32 (jets, 16, 20); zeros where it has fewer.

    Parameters
    ----------
    candidates
        (crossings, var) records of integers in hardware steps, with a charge.
    jets
        Built from them by `build_jets`.

    Raises
    ------
    L1emuError
        if the candidates lack a field, or are not those of the jets.
    """
    missing = [name for name in _FIELDS if name not in candidates.fields]
    if missing:
        raise L1emuError(
            f"candidates lack the field {missing[0]!r}", value=candidates.fields, expected=", ".join(_FIELDS)
        )
    out = np.zeros((len(jets.pt), CONSTITUENTS, len(CMS_FEATURES)), np.float32)
    filled = jets.constituents >= 0
    chosen = jets.constituents[filled]
    jet = np.nonzero(filled)[0]
    counts, columns_of_all = flat_columns(candidates, _FIELDS, what="candidates")
    if len(counts) != len(jets.counts) or (chosen.size and chosen.max() >= counts.sum()):
        raise L1emuError(
            "the jets are not built of these candidates", value=len(counts), expected=f"{len(jets.counts)} crossings"
        )
    flat = {name: values.astype(np.int64)[chosen] for name, values in columns_of_all.items()}
    if not np.isin(flat["id"], list(MASS_GEV)).all():
        raise L1emuError("a candidate of an unknown kind", expected=f"0 to {max(MASS_GEV)}")
    pt, kind, plus = flat["pt"] * PT_STEP_GEV, flat["id"], flat["charge"] > 0
    charged = kind <= MUON
    columns = {
        "pt": pt,
        "pt_rel": flat["pt"] / jets.pt[jet],
        "pt_log": np.log(pt),
        "deta": jets.eta[jet] - flat["eta"],
        "dphi": (flat["phi"] - jets.phi[jet] + HALF_TURN) % (2 * HALF_TURN) - HALF_TURN,
        "mass": np.array([MASS_GEV[k] for k in sorted(MASS_GEV)])[kind],
        "isPhoton": kind == PHOTON,
        "isNeutralHadron": kind == NEUTRAL_HADRON,
        "z0": np.where(charged, flat["z0"], 0),
        "dxy": np.where(charged, np.rint(flat["dxy"] * (DXY_STEP_CM / Z0_STEP_CM)), 0),
        "isfilled": np.ones(len(pt)),
        "puppiweight": np.where(charged, 0.0, flat["weight"] / WEIGHT_ONE),
        "emid": kind == PHOTON,
        "quality": np.where(charged, LOOSE_AND_TIGHT, 0),
    }
    for name, code in (("Electron", ELECTRON), ("Muon", MUON), ("ChargedHadron", CHARGED_HADRON)):
        columns[f"is{name}Plus"] = (kind == code) & plus
        columns[f"is{name}Minus"] = (kind == code) & ~plus
    out[filled] = np.stack([columns[name].astype(np.float32) for name in CMS_FEATURES], axis=1)
    return out
