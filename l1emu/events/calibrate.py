"""A calibration from a signal sample with generator jets."""

from __future__ import annotations

import os

from l1emu.errors import L1emuError
from l1emu.events.calibration import Fitted, Pairs, closure, joined, match
from l1emu.events.jets import build_jets
from l1emu.events.sample import Sample, read_sample
from l1emu.progress import progress

_SOFTEST_GEV = 2.0
"""Level-1 jets from here on are matched: far below the jets of a fit, so that their median is not cut."""


def calibrate(path: str | os.PathLike[str], *, step: int = 2000) -> Fitted:
    """Fit the calibration of seeded-cone jets to the generator jets of a sample, `step` crossings at a time.

    Raises
    ------
    L1emuError
        if the sample is damaged, has no generator jets, or too few of them, or is skimmed.
    """
    sample = read_sample(path)
    if not sample.has_truth:
        raise L1emuError(
            "a sample without generator jets", path=sample.path, value=sample.kind, expected="one of the kind signal"
        )
    source = f"{sample.name}, recipe {sample.recipe_hash[:16]}, {sample.crossings} crossings, l1emu calibrate"
    return closure(matched_pairs(sample, step), f"seeded-cone jets at pile-up {sample.pileup:g}", source)


def matched_pairs(sample: Sample, step: int = 2000) -> Pairs:
    """The generator jets of a sample that has them, each with the nearest Level-1 jet from 2 GeV on.

    Raises
    ------
    L1emuError
        if it is skimmed.
    """
    if sample.skim is not None and sample.skim.jet_pt_min_gev > _SOFTEST_GEV:
        raise L1emuError(
            "a skimmed sample has no candidates of soft jets, and their response would be cut short",
            path=sample.path, value=f"jets from {sample.skim.jet_pt_min_gev:g} GeV on",
            expected=f"jets from {_SOFTEST_GEV:g} GeV on",
        )  # fmt: skip
    parts = []
    with progress(f"matching jets of {sample.name}", sample.crossings) as advance:
        for batch in sample.iterate(step):
            jets = build_jets(batch.candidates, min_pt_gev=_SOFTEST_GEV).table()
            parts.append(match(jets, batch.truth))
            advance(len(batch.stratum))
    return joined(parts)
