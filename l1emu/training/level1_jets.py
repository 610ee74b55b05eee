"""A registered generator of whole crossings as a study sees them: missing HT and jets of Level-1 samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.events import read_sample
from l1emu.events.calibration import read_calibration
from l1emu.events.chain import chain_data
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Tensor
from l1emu.resources import resolve, resource
from l1emu.taggers.columns import Tagged
from l1emu.taggers.inputs import NetworkInput
from l1emu.taggers.maps import EVENT, FeatureMap, read_map

_Arrays = dict[str, npt.NDArray[Any]]

MAP = "data/taggers/level1-jets.yaml"
_STEP = 2000
"""Crossings that are read at a time."""


def level1_jets(
    *,
    background: str = "datasets/minbias-pu200.root",
    signals: tuple[str, ...] = ("datasets/signal-hh4b-pu200.root",),
    calibration: str = "datasets/calibration-pu200.yaml",
    max_jets: int = 16,
    min_pt_gev: float = 7.0,
) -> _Arrays:
    """Crossings of minimum bias and of signals by the feature map `level1-jets`, jets built as the embedded study does.

    Parameters
    ----------
    background, signals
        Samples of `l1emu generate`: files, or names of those that come with l1emu.
    calibration, max_jets, min_pt_gev
        As in a study.

    Returns
    -------
    dict
        `crossing` float32 (crossings, 11, 3): missing HT, and the leading ten jets; `target` int64: 0 minimum bias,
        then the signals; `weight` float64: the probability of a crossing like this, relative to the mean of its sample;
        `slice` int64: which crossings share collisions, those of different signals excepted.

    Raises
    ------
    L1emuError
        if a file is absent or no sample, or a sample is skimmed above `min_pt_gev`.
    """
    corrected = read_calibration(resolve(calibration, Path()))
    _, found = read_map(resource(MAP))
    if not isinstance(found, FeatureMap):
        raise L1emuError("not the map of one input", path=resource(MAP))
    given = Tensor("crossing", found.shape, FixedPoint(16, 6))  # the map alone decides what is made
    parts: dict[str, list[npt.NDArray[Any]]] = {"crossing": [], "target": [], "weight": [], "slice": []}
    for label, name in enumerate((background, *signals)):
        path = resolve(name, Path())
        sample = read_sample(path)
        sample.refuse_softer_jets(min_pt_gev, path, "min_pt_gev")
        weights = []
        for batch in sample.iterate(_STEP):
            data = chain_data(batch, max_jets=max_jets, min_pt_gev=min_pt_gev, calibration=corrected)
            parts["crossing"].append(NetworkInput(given, found, MAP).values(Tagged(data, EVENT)))
            parts["target"].append(np.full(data.crossings, label))
            share = [s.probability / s.drawn for s in sample.strata or ()] or [1.0]
            stratum = batch.stratum if sample.strata else np.zeros(data.crossings, np.int64)
            weights.append(np.asarray(share)[stratum] * batch.weight)
            own = np.arange(data.crossings) % 20  # a signal without slices: any twentieth
            parts["slice"].append(np.where(batch.slices >= 0, batch.slices, own).astype(np.int64))
        joined = np.concatenate(weights)
        parts["weight"].append(joined / joined.mean())
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}
