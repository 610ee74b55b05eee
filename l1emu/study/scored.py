"""What the histograms of a score are made of: the objects that a tagger scored, with what they are."""

from __future__ import annotations

from dataclasses import dataclass

import awkward as ak
import numpy as np
import numpy.typing as npt

from l1emu.eventdata import EventData


@dataclass(frozen=True, eq=False)
class ScoredObjects:
    """Objects of some crossings, flat.

    Attributes
    ----------
    crossing
        The crossing of each, counted from the first of these crossings, int64 (objects,).
    pt, abs_eta
        GeV and none, float64 (objects,).
    score
        Of the tagger, float64 (objects,); NaN where there is none.
    flavour
        Where there is truth: 0 b, 1 c, 2 uds, 3 g, -1 without a generator jet, int64 (objects,); else None.
    """

    crossing: npt.NDArray[np.int64]
    pt: npt.NDArray[np.float64]
    abs_eta: npt.NDArray[np.float64]
    score: npt.NDArray[np.float64]
    flavour: npt.NDArray[np.int64] | None

    @classmethod
    def of(cls, data: EventData, collection: str, score: str) -> ScoredObjects:
        """Those of one collection that has pt, eta and the score."""
        objects = data.objects[collection]
        counts = np.asarray(ak.num(objects, axis=1))
        flat = {name: np.asarray(ak.flatten(objects[name], axis=1), np.float64) for name in ("pt", "eta", score)}
        known = "flavour" in objects.fields
        flavour = np.asarray(ak.flatten(objects["flavour"], axis=1), np.int64) if known else None
        crossing = np.repeat(np.arange(counts.size), counts)
        return cls(crossing, flat["pt"], np.abs(flat["eta"]), flat[score], flavour)

    @classmethod
    def joined(cls, parts: list[tuple[int, ScoredObjects]]) -> ScoredObjects:
        """All of a sample: parts, each with the number of crossings before it."""
        flavours = [part.flavour for _, part in parts if part.flavour is not None]
        return cls(
            np.concatenate([part.crossing + first for first, part in parts]),
            np.concatenate([part.pt for _, part in parts]),
            np.concatenate([part.abs_eta for _, part in parts]),
            np.concatenate([part.score for _, part in parts]),
            np.concatenate(flavours) if len(flavours) == len(parts) else None,
        )
