"""Registered generators of jets as particles alone, leading first: jets of 1 TeV of `l1emu.training.pythia_jets`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.training.pythia_jets import boosted_jets

_Arrays = dict[str, npt.NDArray[Any]]

_KINEMATIC = (0, 2, 3)
"""ln pT, eta and phi, of the numbers of a constituent."""
_SIX = (0, 1, 2, 3, 4, 5)
"""ln pT, ln E, eta, phi, distance from the axis, and whether it is charged."""
_GLUON, _QUARK, _TOP = 0, 1, 4


def jet_particles(*, jets_per_class: int, seed: int, particles: int = 8) -> _Arrays:
    """Jets of gluons, light quarks, W, Z and top as their leading particles with three numbers each.

    Returns
    -------
    dict
        `particles` float32 (jets, particles, 3): ln(pT / GeV) - 4, eta and phi from the jet's axis times 4, zeros where
        there is no particle; `target` int64: 0 g, 1 q, 2 W, 3 Z, 4 t; `event` int64.
    """
    found = _boosted(jets_per_class, seed, particles)
    return particles_of(found, particles)


def top_jets(*, jets_per_class: int, seed: int, particles: int = 20) -> _Arrays:
    """Jets of top quarks against those of gluons and light quarks, twice as many, as sequences of particles.

    Returns
    -------
    dict
        `particles` float32 (jets, particles, 6): ln(pT / GeV) - 4, ln(E / GeV) - 4, eta, phi and distance from the
        jet's axis times 4, and 1 for a charged particle; `target` int64: 0 gluon or light quark, 1 top; `event` int64.
    """
    found = _boosted(jets_per_class, seed, particles)
    return top_of(found, particles)


def particles_of(found: _Arrays, particles: int) -> _Arrays:
    """What `jet_particles` gives, of the arrays of `boosted_jets`."""
    rows = found["constituents"][:, 1 : particles + 1, _KINEMATIC]
    return {"particles": rows, "target": found["target"], "event": found["event"]}


def top_of(found: _Arrays, particles: int) -> _Arrays:
    """What `top_jets` gives, of the arrays of `boosted_jets`."""
    used = np.isin(found["target"], (_GLUON, _QUARK, _TOP))
    rows = found["constituents"][used, 1 : particles + 1][:, :, _SIX]
    return {
        "particles": rows,
        "target": (found["target"][used] == _TOP).astype(np.int64),
        "event": found["event"][used],
    }


def _boosted(jets_per_class: int, seed: int, particles: int) -> _Arrays:
    if not isinstance(particles, int) or not 1 <= particles <= 1000:
        raise L1emuError(
            "wrong size", where="data.options.particles", value=particles, expected="an integer, 1 to 1,000"
        )
    return boosted_jets(jets_per_class=jets_per_class, seed=seed, particles=particles)
