"""Tunes of Pythia 8: settings of showers, underlying event, parton densities and cross sections, fitted together."""

from __future__ import annotations

from typing import Literal, get_args

Tune = Literal["CP5"]

TUNES: dict[str, tuple[str, ...]] = {
    # CMS's, arXiv:1903.12179, table 4, as in cms-sw/cmssw, Configuration/Generator/python/MCTunes2017/
    # PythiaCP5Settings_cfi.py; the parton densities, NNPDF3.1 NNLO with alpha_s(M_Z) = 0.118, in Pythia's own copy.
    "CP5": (
        "Tune:pp = 14",
        "Tune:ee = 7",
        "MultipartonInteractions:ecmPow = 0.03344",
        "MultipartonInteractions:bProfile = 2",
        "MultipartonInteractions:pT0Ref = 1.41",
        "MultipartonInteractions:coreRadius = 0.7634",
        "MultipartonInteractions:coreFraction = 0.63",
        "ColourReconnection:range = 5.176",
        "SigmaTotal:zeroAXB = off",
        "SpaceShower:alphaSorder = 2",
        "SpaceShower:alphaSvalue = 0.118",
        "SigmaProcess:alphaSvalue = 0.118",
        "SigmaProcess:alphaSorder = 2",
        "MultipartonInteractions:alphaSvalue = 0.118",
        "MultipartonInteractions:alphaSorder = 2",
        "TimeShower:alphaSorder = 2",
        "TimeShower:alphaSvalue = 0.118",
        "SigmaTotal:mode = 0",
        "SigmaTotal:sigmaEl = 21.89",
        "SigmaTotal:sigmaTot = 100.309",
        "PDF:pSet = 20",
    ),
}
"""The lines of each tune, in the order in which Pythia reads them."""

assert set(get_args(Tune)) == set(TUNES)
