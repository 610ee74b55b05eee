"""How far crossings of one collision are alike, from bootstrap replicas: integers that add say all that is needed."""

from __future__ import annotations

import numpy as np

from l1emu.arraytypes import Floats


def design_effect(accepted: Floats, total: Floats, drawn: Floats, drawn_total: Floats) -> Floats:
    """How many times the variance of an accepted fraction is that of independent crossings, 1 or more.

    The variance of a ratio over groups of crossings that share a collision, that of a - eps m for a accepted of m, is
    that of its replicas, in which each collision has a weight of its own (Kish, Survey Sampling (1965), chapter 6).
    Where none or all are accepted, nothing is known of how alike the crossings of a group are: they are taken to be
    one and the same.

    Parameters
    ----------
    accepted, total
        Crossings, float64, of shapes that broadcast to (...); total above 0.
    drawn, drawn_total
        The same in the replicas, (..., replicas), at least 2.

    Returns
    -------
    float64 (...).
    """
    share = accepted / total
    between = (drawn - share[..., np.newaxis] * drawn_total).var(axis=-1, ddof=1)
    single = total * share * (1 - share)
    alike = np.broadcast_to(drawn_total.var(axis=-1, ddof=1) / total, between.shape)
    known = single > 0
    return np.asarray(np.maximum(np.where(known, between / np.where(known, single, 1.0), alike), 1.0))
