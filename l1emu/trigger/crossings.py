"""Weighted crossings: strata with their probabilities, and which collisions of the generator's pool they share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from l1emu.arraytypes import Floats, Ints
from l1emu.errors import L1emuError
from l1emu.notebook import Shown
from l1emu.trigger.crossing_weights import CROSSING_ONE, CrossingWeights, slice_draws
from l1emu.trigger.replicas import half_by_identity, identities, replica_weights


def refuse_unknown_strata(names: Sequence[str], crossings: Ints, probability: Floats, drawn: Floats | None) -> None:
    """Refuse strata that have a probability, but neither crossings nor any that were drawn and then thinned away.

    That none was kept of many that were drawn says that none would have been accepted.

    Raises
    ------
    L1emuError
        if there is one.
    """
    known = crossings > 0
    if drawn is not None and drawn.shape == known.shape:
        known = known | (drawn > 0)
    for name, of_some, share in zip(names, known, probability, strict=True):
        if not of_some and share > 0:
            raise L1emuError(
                "a stratum without crossings: its part of the rate is unknown", where=name, expected="at least 1"
            )


@dataclass(frozen=True, eq=False)
class Crossings(Shown):
    """Simulated crossings that stand for all colliding crossings of the machine.

    Attributes
    ----------
    stratum
        Stratum of each crossing, int64 (n,), an index into `names`.
    hard_event
        The collision of the generator's pool that is the hardest of the crossing, int64 (n,); crossings of one stratum
        with the same number share it and are not independent. -1 where there is none.
    names
        Names of the strata.
    probability
        Probability of each stratum for a colliding crossing, float64 (strata,), sum 1.
    bounded
        Whether the hard scale of each stratum is bounded above, bool (strata,): a tail may be laid through its
        crossings then. None, the default, bounds none: plain crossings, as those of an ntuple, can hold anything.
    identity
        What a crossing's weights in the replicas and its half are drawn by, uint64 (n,): crossings with the same one
        share their collision. None, the default, takes stratum and hard event or, where there is no hard event, the
        crossing's place. Parts of a sample need one that differs between files and does not depend on the part.
    weights
        Weights and slices of the crossings; None, the default: each stands for itself, and errors are from collisions.
    drawn
        With weights, how many crossings were drawn of each stratum, float64 (strata,), as many in each slice; None: as
        many as the weights say.

    Raises
    ------
    L1emuError
        if the lengths differ, the probabilities do not sum to 1 within 1e-6, or a stratum that has a probability has no
        crossing and none of it is known to be drawn.
    """

    stratum: Ints
    hard_event: Ints
    names: tuple[str, ...]
    probability: Floats
    bounded: npt.NDArray[np.bool_] | None = None
    identity: npt.NDArray[np.uint64] | None = None
    weights: CrossingWeights | None = None
    drawn: Floats | None = None

    def __post_init__(self) -> None:
        if not (self.stratum.ndim == 1 and self.stratum.shape == self.hard_event.shape):
            raise L1emuError(
                "strata and hard events differ", value=(self.stratum.shape, self.hard_event.shape), expected="one shape"
            )
        if self.identity is not None and (
            self.identity.shape != self.stratum.shape or self.identity.dtype != np.uint64
        ):
            raise L1emuError(
                "identities that are not one for each crossing",
                value=(self.identity.shape, str(self.identity.dtype)),
                expected=f"uint64 {self.stratum.shape}",
            )
        if self.weights is None and self.drawn is not None:
            raise L1emuError("crossings without weights are as many as were drawn", value=self.drawn.shape)
        if self.weights is not None and len(self.weights) != self.stratum.size:
            raise L1emuError(
                "weights and crossings differ in number", value=len(self.weights), expected=str(self.stratum.size)
            )
        if len(self.names) != len(self.probability):
            raise L1emuError("names and probabilities of the strata differ", value=len(self.probability))
        if self.bounded is not None and self.bounded.shape != self.probability.shape:
            raise L1emuError("bounds and probabilities of the strata differ", value=self.bounded.shape)
        total = float(self.probability.sum())
        if not abs(total - 1) < 1e-6 or self.probability.min() < 0:
            raise L1emuError("probabilities of the strata do not sum to 1", value=total, expected="1")
        if self.stratum.size and not 0 <= self.stratum.min() <= self.stratum.max() < len(self.names):
            raise L1emuError(
                "a crossing of no stratum", value=int(self.stratum.max()), expected=f"0 to {len(self.names) - 1}"
            )
        refuse_unknown_strata(self.names, self.counts, self.probability, self.drawn)

    def __len__(self) -> int:
        return int(self.stratum.size)

    def is_bounded(self, stratum: int) -> bool:
        """Whether the hard scale of a stratum is known to be bounded above."""
        return self.bounded is not None and bool(self.bounded[stratum])

    @cached_property
    def counts(self) -> Ints:
        """Crossings of each stratum, N_j."""
        return np.bincount(self.stratum, minlength=len(self.names)).astype(np.int64)

    @cached_property
    def weight(self) -> Floats:
        """What each crossing adds to the probability of a colliding crossing that passes, float64 (n,).

        P_j / N_j, and so 1 over all crossings; with weights w, P_j w / N_j of so many crossings as were drawn, and 1
        in the mean.
        """
        if self.weights is None:
            weight: Floats = (self.probability / np.maximum(self.counts, 1))[self.stratum]
            return weight
        per_weight = self.probability / np.maximum(self.stands_for, 1)
        return np.asarray(per_weight[self.stratum] * (self.weights.weight / CROSSING_ONE))

    @property
    def stands_for(self) -> Floats:
        """How many crossings those of each stratum stand for, float64 (strata,)."""
        if self.weights is None:
            return self.counts.astype(np.float64)
        if self.drawn is not None:
            return self.drawn
        return np.asarray(np.bincount(self.stratum, self.weights.weight / CROSSING_ONE, len(self.names)), np.float64)

    @cached_property
    def drawn_by(self) -> npt.NDArray[np.uint64]:
        """`identity`, or what stands for it where none was given, uint64 (n,)."""
        return identities(self.stratum, self.hard_event) if self.identity is None else self.identity

    @cached_property
    def shared(self) -> bool:
        """Whether crossings may share collisions: whether any has a hard event, or an identity that another one has.

        Those of slices may, too: any of their collisions.
        """
        if self.weights is not None or (self.hard_event >= 0).any():
            return True
        return self.identity is not None and np.unique(self.identity).size < self.identity.size

    @cached_property
    def cluster(self) -> Ints:
        """A number for each group of crossings that share their hard collision; those without are alone."""
        group: Ints = np.unique(self.drawn_by, return_inverse=True)[1].reshape(-1).astype(np.int64)
        return group

    def half(self, which: int) -> npt.NDArray[np.bool_]:
        """A mask of one half of the crossings, 0 or 1: whole slices, or whole clusters by a hash of their identity."""
        of = half_by_identity(self.drawn_by) if self.weights is None else self.weights.half
        return np.asarray(of == which)

    def of_half(self, which: int) -> Crossings:
        """The crossings of one half.

        Raises
        ------
        L1emuError
            if that leaves a stratum empty.
        """
        mask = self.half(which)
        if self.weights is None:
            return self.select(mask)
        weights = self.weights.of_half(which)
        drawn = None if self.drawn is None else self.drawn * weights.slices / self.weights.slices
        return Crossings(
            self.stratum[mask], self.hard_event[mask], self.names, self.probability, self.bounded, self.drawn_by[mask],
            weights, drawn,
        )  # fmt: skip

    def select(self, mask: npt.NDArray[np.bool_]) -> Crossings:
        """Some of the crossings, for the same probabilities, with the identities that they have here.

        Raises
        ------
        L1emuError
            if that leaves a stratum empty, or crossings with weights are chosen: how many were drawn of these is not
            known. See `of_half`.
        """
        if self.weights is not None:
            raise L1emuError("how many crossings were drawn is known of all of them, and of a half, alone")
        return Crossings(
            self.stratum[mask],
            self.hard_event[mask],
            self.names,
            self.probability,
            self.bounded,
            self.drawn_by[mask],
        )

    def replicas(self, number: int, seed: int) -> Iterator[Floats]:
        """Weights of the crossings in bootstrap replicas, float64 (n,): one Poisson number of mean 1 a cluster.

        With weights, these times how often the crossing's slice is drawn. Crossings that share a collision are drawn
        together, so that the spread of the replicas holds the re-use of the pool. Equal seeds give equal weights:
        replicas of different seeds of the menu can be compared one by one.
        """
        if self.weights is not None:
            drawn = slice_draws(self.weights.slices, number, seed)
            for replica in range(number):
                yield self.weights.weight / CROSSING_ONE * drawn[self.weights.slice_of, replica]
            return
        for replica in range(number):
            yield replica_weights(self.drawn_by, replica, seed)
