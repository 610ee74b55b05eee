"""What CMS's own Level-1 jet tagger takes: sixteen constituents by twenty or twenty-one words, bit for bit.

Names and order are those of CMS-L1T-Jet-Tagging/TrainTagger (tagger/data/puppicand_fields.yml), the arithmetic that of
the class `L1TSC4NGJetID` of cms-sw/cmssw (L1Trigger/Phase2L1ParticleFlow/src/L1TSC4NGJet.cc). Three versions of it
have been used, which feed networks differently; they are named by the release of the network
(cms-hls4ml/L1TSC4NGJetModel) that each came with:

======= ========= ==============================================================================================
v0.0.0  20 words  of `ap_fixed<24,12>`, in floating point before that; pt, and log(pt), of the pt in steps of 0.25
                  GeV, which over the jet's pt in GeV is `pt_rel`, so that it is four times the fraction
v1.0.1  20 words  of `ap_fixed<24,12>`; 1 / pt from a table of 256 entries that takes its highest bit for a sign,
                  so that `pt_rel` is negative, and no fraction; log(pt) from one of 256
v2.0.0  21 words  of `ap_fixed<64,32>`; 1 / pt, of 14 bits, from a table of 1,024 entries, log(pt), of 14 bits,
                  from one of 256; two words of the jet itself, eta and log(pt)
======= ========= ==============================================================================================

=================== ====================================================================================================
pt, pt_rel, pt_log  GeV; as a fraction of the jet's; natural logarithm of the GeV, 0 below 1 GeV (but see v0.0.0)
deta, dphi          jet minus constituent; constituent minus jet; in steps of pi/720. Where phi runs over pi between
                    the two, dphi of v0.0.0 has the wrong sign
mass                GeV, assumed for its type: 0.13, electron 0.005, muon 0.105, photon 0, neutral hadron 0.5
is...               one-hot particle type and charge, 0 or 1
z0, dxy             charged ones: along the beam line, not relative to the vertex, 0.05 cm; the root of |dxy| in 1/64 of
                    a root of cm, 8 bits without a sign
isfilled            1 for a constituent, 0 for an empty place
puppiweight         neutral ones: the lowest bit of the weight's word, 1 or 0: it is read into a type that has one bit
                    before the point
emid                neutral ones: the lowest bit of the 6-bit word, in the same way
quality             charged ones: the track's 3-bit word
eta                 in steps of pi/720; v2.0.0
=================== ====================================================================================================

The words have a counterpart in l1emu each, save two. What the parametrized calorimeter says of `emid` is photon or not;
what the parametrized tracker says of `quality` is that a track is there. (CMS's constituents of equal pt beyond the
sixteenth are chosen by an unstable sort in v0.0.0; here, as in the later versions, by their order.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from l1emu.errors import L1emuError
from l1emu.events.correlator.tracks import ROOT_OF_D0
from l1emu.events.features import CONSTITUENTS
from l1emu.events.hardware import (
    CHARGED_HADRON,
    DXY_MAX,
    ELECTRON,
    HALF_TURN,
    MUON,
    NEUTRAL_HADRON,
    PHOTON,
    PT_MAX,
    PT_STEP_GEV,
    QUALITY_MAX,
)
from l1emu.events.jets import Jets
from l1emu.events.lists import flat_columns

CMS_FEATURES = (
    "pt", "pt_rel", "pt_log", "deta", "dphi", "mass", "isPhoton", "isElectronPlus", "isElectronMinus", "isMuonPlus",
    "isMuonMinus", "isNeutralHadron", "isChargedHadronPlus", "isChargedHadronMinus", "z0", "dxy", "isfilled",
    "puppiweight", "emid", "quality", "eta",
)  # fmt: skip
"""The last of them in v2.0.0 only."""

CMS_JET_FEATURES = ("eta", "pt_log")
CMS_VERSIONS = ("v0.0.0", "v1.0.1", "v2.0.0")

MASS_GEV = {CHARGED_HADRON: 0.13, ELECTRON: 0.005, MUON: 0.105, PHOTON: 0.0, NEUTRAL_HADRON: 0.5}
_FIELDS = ("pt", "eta", "phi", "id", "charge", "z0", "dxy", "weight", "emid", "quality")
_PT_BITS = 14
_FRACTION = {"v0.0.0": 12, "v1.0.1": 12, "v2.0.0": 32}
"""Bits after the point of a word."""

_LARGEST = (1 << 23) - 1  # of ap_fixed<24,12>, which saturates


class CmsInputs(NamedTuple):
    """The words of some jets, int64: integers k that stand for k / 2^`fraction`.

    `constituents` is (jets, 16, 20 or 21), zeros where a jet has fewer; `jets` (jets, 2), in v2.0.0, or (jets, 0).
    """

    constituents: NDArray[np.int64]
    jets: NDArray[np.int64]
    fraction: int

    def as_float(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The real numbers of both, exactly."""
        return self.constituents / 2**self.fraction, self.jets / 2**self.fraction


def _half_up(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """To the next whole number, halves upwards: `AP_RND`."""
    rounded: NDArray[np.int64] = np.floor(values + 0.5).astype(np.int64)
    return rounded


def _log_tables(fraction: int, rounded: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """log(x) of GeV for the 8 bits after the leading one of a word of pt shifted to the top, and log(2^shift)."""
    top = (256 + np.arange(256)) * 2.0 ** (_PT_BITS - 9) * PT_STEP_GEV
    log = np.log(top).astype(np.float32).astype(np.float64)  # it is computed in single precision
    shifts = np.log(2.0 ** np.arange(_PT_BITS))
    made = [values * 2.0**fraction for values in (log, shifts)]
    of_top, of_shift = (_half_up(v) if rounded else np.floor(v).astype(np.int64) for v in made)
    return of_top, of_shift


_LOGS = {"v1.0.1": _log_tables(12, True), "v2.0.0": _log_tables(10, False)}
_INVERSES = (1 << 16) // ((1024 + np.arange(1024)) << (_PT_BITS - 11))  # 14 bits, of GeV
# `ap_fixed<24,12>` in, which makes the leading one a minus: of -2048, -2040, ... -8
_NEGATIVE_INVERSES = _half_up(4096 / (-2048.0 + 8 * np.arange(256)))


def _shift_of(words: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """How far a word of so many bits is shifted for its leading one to stand at the top; 0 as if it were 1."""
    return bits - np.frexp(np.maximum(words, 1).astype(np.float64))[1]


def cms_log(pt: NDArray[np.int64], version: str = "v2.0.0") -> NDArray[np.int64]:
    """log(pt) by the tables of v1.0.1, in 1/4096, or v2.0.0, in 1/1024, of pt in steps of 0.25 GeV (0 to 16383)."""
    of_top, of_shift = _LOGS[version]
    shift = _shift_of(pt, _PT_BITS)
    found: NDArray[np.int64] = of_top[((pt << shift) >> (_PT_BITS - 9)) & 0xFF] - of_shift[shift]
    return np.maximum(found, 0) if version == "v2.0.0" else found


def cms_inverse(pt: NDArray[np.int64], version: str = "v2.0.0") -> NDArray[np.int64]:
    """1 / pt by the tables of v1.0.1, in 1/4096, or v2.0.0, in 1/16384 of 1 / GeV, of pt in steps of 0.25 GeV."""
    if version == "v2.0.0":
        shift = _shift_of(pt, _PT_BITS)
        found: NDArray[np.int64] = (_INVERSES[((pt << shift) >> (_PT_BITS - 11)) & 0x3FF] << shift) & 0x3FFF
        return found
    word = np.minimum(pt << 10, _LARGEST)
    shift = _shift_of(word, 24)
    found = _NEGATIVE_INVERSES[((word << shift) >> 15) & 0xFF] << shift
    wrapped: NDArray[np.int64] = ((found + (1 << 23)) & 0xFFFFFF) - (1 << 23)
    return wrapped


def cms_dxy(dxy: NDArray[np.int64]) -> NDArray[np.int64]:
    """The correlator's word of an impact parameter in steps of 1/256 cm: the root of its size, 8 bits."""
    words: NDArray[np.int64] = ROOT_OF_D0[np.minimum(np.abs(dxy), DXY_MAX) >> 1].astype(np.int64)
    return words


def cms_inputs(candidates: ak.Array, jets: Jets, version: str = "v2.0.0") -> CmsInputs:
    """The words of every jet and of its sixteen hardest constituents.

    Parameters
    ----------
    candidates
        (crossings, var) records of integers in hardware steps with charge, emid and quality; z0 along the beam line.
    jets
        Built from them by `build_jets`.
    version
        One of `CMS_VERSIONS`.

    Raises
    ------
    L1emuError
        if the candidates lack a field, or are not those of the jets, or there is no such version.
    """
    if version not in CMS_VERSIONS:
        raise L1emuError("no such version of CMS's jet tagger", value=version, expected=", ".join(CMS_VERSIONS))
    candidates = with_words(candidates)
    missing = [name for name in _FIELDS if name not in candidates.fields]
    if missing:
        raise L1emuError(
            f"candidates lack the field {missing[0]!r}", value=candidates.fields, expected=", ".join(_FIELDS)
        )
    filled = jets.constituents[:, :CONSTITUENTS] >= 0
    chosen = jets.constituents[:, :CONSTITUENTS][filled]
    jet = np.nonzero(filled)[0]
    counts, columns_of_all = flat_columns(candidates, _FIELDS, what="candidates")
    if len(counts) != len(jets.counts) or (chosen.size and chosen.max() >= counts.sum()):
        raise L1emuError(
            "the jets are not built of these candidates", value=len(counts), expected=f"{len(jets.counts)} crossings"
        )
    flat = {name: values.astype(np.int64)[chosen] for name, values in columns_of_all.items()}
    if not np.isin(flat["id"], list(MASS_GEV)).all():
        raise L1emuError("a candidate of an unknown kind", expected=f"0 to {max(MASS_GEV)}")
    axes = np.stack([jets.pt, jets.eta, jets.phi], axis=1).astype(np.int64)
    words = constituent_words(flat | {"dxy": cms_dxy(flat["dxy"])}, axes[jet], version)
    out = np.zeros((*filled.shape, words.shape[1]), np.int64)
    out[filled] = words
    return CmsInputs(out, jet_words(axes, version), _FRACTION[version])


def cms_features(candidates: ak.Array, jets: Jets, version: str = "v2.0.0") -> NDArray[np.float64]:
    """The real numbers of `cms_inputs` for the constituents: float64 (jets, 16, 20 or 21)."""
    return cms_inputs(candidates, jets, version).as_float()[0]


def with_words(candidates: ak.Array) -> ak.Array:
    """Candidates with `emid` and `quality`: where these are missing, 1 for photons, and 7 for charged ones."""
    if {"emid", "quality"} <= set(candidates.fields) or "id" not in candidates.fields:
        return candidates
    later = {
        "emid": ak.values_astype(candidates.id == PHOTON, np.int8),
        "quality": ak.values_astype(QUALITY_MAX * (candidates.id <= MUON), np.int8),
    }
    return ak.zip({name: candidates[name] for name in candidates.fields} | later)


def jet_words(axes: NDArray[np.int64], version: str) -> NDArray[np.int64]:
    """The words of jets themselves, (jets, 2) in v2.0.0, else (jets, 0); `axes` is (jets, 3): pt, eta and phi."""
    if version != "v2.0.0":
        return np.zeros((len(axes), 0), np.int64)
    return np.stack([axes[:, 1] << 32, cms_log(np.clip(axes[:, 0], 0, PT_MAX)) << 22], axis=1)


def constituent_words(
    constituents: Mapping[str, NDArray[np.int64]], jet: NDArray[np.int64], version: str
) -> NDArray[np.int64]:
    """The words of constituents, (n, 20 or 21).

    Parameters
    ----------
    constituents
        By name, int64 (n,): those of `cms_inputs`, save that `dxy` is the correlator's word.
    jet
        int64 (n, 3): pt, eta and phi of the jet of each.
    version
        One of `CMS_VERSIONS`.
    """
    fraction = _FRACTION[version]
    kind, plus = constituents["id"], constituents["charge"] > 0
    charged = kind <= MUON
    jet_pt, jet_eta, jet_phi = jet.T
    whole = {
        "deta": jet_eta - constituents["eta"],
        "dphi": cms_delta_phi(constituents["phi"] - jet_phi, version),
        "isPhoton": kind == PHOTON,
        "isNeutralHadron": kind == NEUTRAL_HADRON,
        "z0": np.where(charged, constituents["z0"], 0),
        "dxy": np.where(charged, constituents["dxy"], 0),
        "isfilled": np.ones(len(kind), np.int64),
        "puppiweight": np.where(charged, 0, constituents["weight"] & 1),
        "emid": np.where(charged, 0, constituents["emid"] & 1),
        "quality": np.where(charged, constituents["quality"], 0),
        "eta": constituents["eta"],
    }
    for name, code in (("Electron", ELECTRON), ("Muon", MUON), ("ChargedHadron", CHARGED_HADRON)):
        whole[f"is{name}Plus"] = (kind == code) & plus
        whole[f"is{name}Minus"] = (kind == code) & ~plus
    words = {name: np.asarray(values).astype(np.int64) << fraction for name, values in whole.items()}
    masses = np.array([MASS_GEV[k] for k in sorted(MASS_GEV)])
    if version == "v0.0.0":
        masses = masses.astype(np.float32).astype(np.float64)
    words["mass"] = _half_up(masses * 2.0**fraction)[kind]
    words |= _pt_words(constituents["pt"], jet_pt, version)
    features = CMS_FEATURES if version == "v2.0.0" else CMS_FEATURES[:-1]
    made: NDArray[np.int64] = np.stack([words[name] for name in features], axis=1)
    return made if version == "v2.0.0" else np.clip(made, -_LARGEST - 1, _LARGEST)


def cms_delta_phi(difference: NDArray[np.int64], version: str) -> NDArray[np.int64]:
    """A difference of two angles in steps, into [-720, 720]; of v0.0.0, what is beyond 720 gets the wrong sign."""
    above = 2 * HALF_TURN - difference if version == "v0.0.0" else difference - 2 * HALF_TURN
    below: NDArray[np.int64] = np.where(difference < -HALF_TURN, difference + 2 * HALF_TURN, difference)
    return np.where(difference > HALF_TURN, above, below)


def _pt_words(pt: NDArray[np.int64], jet_pt: NDArray[np.int64], version: str) -> dict[str, NDArray[np.int64]]:
    if version == "v2.0.0":
        return {"pt": pt << 30, "pt_rel": (pt * cms_inverse(jet_pt)) << 16, "pt_log": cms_log(pt) << 22}
    if version == "v1.0.1":
        word = np.minimum(pt << 10, _LARGEST)
        relative = (word * cms_inverse(jet_pt, version) + (1 << 11)) >> 12
        return {"pt": word, "pt_rel": relative, "pt_log": cms_log(pt, version)}
    steps = pt.astype(np.float32)
    ratio = steps / (jet_pt * PT_STEP_GEV).astype(np.float32)
    log = np.log(np.maximum(pt, 1)).astype(np.float32)
    relative, logarithm = (_half_up(v.astype(np.float64) * 4096) for v in (ratio, log))
    return {"pt": pt << 12, "pt_rel": relative, "pt_log": logarithm}
