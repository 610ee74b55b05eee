"""Steps and widths of the Level-1 words that candidates and jets are made of.

The steps of pt, eta, phi, z0 and the PUPPI weight are those of CMS's Phase-2 correlator (cms-sw/cmssw,
`DataFormats/L1TParticleFlow/interface/datatypes.h`, namespace `Scales`). The correlator's own step of the transverse
impact parameter is 0.05 cm, coarser than the flight of a b hadron; here it keeps the step of the track word that the
correlator receives, 1/256 cm (`DataFormats/L1TrackTrigger/interface/TTTrack_TrackWord.h`, `stepD0`).
"""

from __future__ import annotations

import math

PT_STEP_GEV = 0.25
PT_MAX = (1 << 14) - 1  # pt_t is ap_ufixed<14, 12> with saturation
HALF_TURN = 720  # steps of phi in pi
ETA_PHI_STEP = math.pi / HALF_TURN
Z0_STEP_CM = 0.05
Z0_MAX = (1 << 9) - 1  # z0_t is ap_int<10>
DXY_STEP_CM = 1.0 / 256.0
DXY_MAX = (1 << 12) - 1  # d0_t is 13 bits
WEIGHT_ONE = 256  # a PUPPI weight of 1
QUALITY_MAX = (1 << 3) - 1  # of the track, three bits
EMID_MAX = (1 << 6) - 1  # of the cluster, six bits

MAX_CANDIDATES = 128  # what the jet finder receives a crossing
MAX_JETS = 16

CROSSING_WEIGHT_ONE = 1 << 16
"""The weight of a crossing that stands for itself: one of the weight w was kept with the probability ONE / w."""

CHARGED_HADRON, ELECTRON, MUON, PHOTON, NEUTRAL_HADRON = range(5)
PARTICLES = ("charged_hadron", "electron", "muon", "photon", "neutral_hadron")
