"""The columns of the arrays in which objects are handed on, and the identifiers of particles.

Every object is a row of int32, its columns the words of CMS's structures (cms-sw/cmssw,
`DataFormats/L1TParticleFlow/interface/{layer1_objs,pf,puppi}.h`): pt in 0.25 GeV, eta and phi in pi / 720, z0 in
0.05 cm, dxy the root of its size in 1/64 of a root of cm, 8 bits. A row of pt 0 is empty. Within a region eta and phi
are relative to its centre; phi over all of the detector is in (-720, 720].
"""

from __future__ import annotations

# `TkObj`, and `MuObj`: at the calorimeter; DETA and DPHI lead to the vertex, DPHI by the sign of the charge.
TK_PT, TK_ETA, TK_PHI, TK_DETA, TK_DPHI, TK_CHARGE, TK_Z0, TK_DXY, TK_QUALITY = range(9)
TK_COLUMNS = 9

# `HadCaloObj`
HAD_PT, HAD_ETA, HAD_PHI, HAD_EM_PT, HAD_EM_ID = range(5)
HAD_COLUMNS = 5

# `EmCaloObj`
EM_PT, EM_ETA, EM_PHI, EM_PT_ERROR, EM_ID = range(5)
EM_COLUMNS = 5

# `PFChargedObj`: row i belongs to track i of the region.
CH_PT, CH_ETA, CH_PHI, CH_DETA, CH_DPHI, CH_ID, CH_Z0, CH_DXY, CH_QUALITY = range(9)
CH_COLUMNS = 9

# `PFNeutralObj`, photons before the rest
NE_PT, NE_ETA, NE_PHI, NE_ID, NE_EM_PT, NE_EM_ID = range(6)
NE_COLUMNS = 6

# `PuppiObj`: eta and phi over all of the detector; charged ones have Z0, DXY, QUALITY, neutral ones WEIGHT, EM_ID.
PUPPI_PT, PUPPI_ETA, PUPPI_PHI, PUPPI_ID, PUPPI_Z0, PUPPI_DXY, PUPPI_QUALITY, PUPPI_WEIGHT, PUPPI_EM_ID = range(9)
PUPPI_COLUMNS = 9

# `ParticleID`; of the charged ones the odd are positive.
(
    ID_NEUTRAL_HADRON,
    ID_PHOTON,
    ID_HADRON_MINUS,
    ID_HADRON_PLUS,
    ID_ELECTRON_MINUS,
    ID_ELECTRON_PLUS,
    ID_MUON_MINUS,
    ID_MUON_PLUS,
) = range(8)
