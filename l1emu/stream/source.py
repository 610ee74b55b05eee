"""What a crossing brings into the stream: its number of jets, and whether the menu accepts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from l1emu.errors import L1emuError

_POISSON_TAIL = 1e-12


@dataclass(frozen=True, eq=False)
class CrossingSource:
    """A table from which one row is drawn, independently, for every colliding crossing.

    Attributes
    ----------
    n_jets
        Jets in the crossing, int64, shape (K,).
    accept
        Whether the trigger menu accepts it, bool, shape (K,).
    probability
        Probability of the row for a colliding crossing, float64, shape (K,), sum 1.
    """

    n_jets: npt.NDArray[np.int64]
    accept: npt.NDArray[np.bool_]
    probability: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        jets, accept = np.asarray(self.n_jets), np.asarray(self.accept)
        probability = np.asarray(self.probability, dtype=np.float64)
        if not (jets.ndim == 1 and jets.size and jets.shape == accept.shape == probability.shape):
            raise L1emuError(
                "the columns of a crossing source differ",
                value=f"shapes {jets.shape}, {accept.shape}, {probability.shape}",
                expected="three arrays of one shape (K,), K at least 1",
            )
        if not np.issubdtype(jets.dtype, np.integer) or jets.min() < 0:
            raise L1emuError("wrong jet counts", where="n_jets", expected="integers, not negative")
        if accept.dtype != np.bool_:
            raise L1emuError("wrong accepts", where="accept", value=str(accept.dtype), expected="booleans")
        if not np.all(np.isfinite(probability)) or probability.min() < 0:
            raise L1emuError("wrong probabilities", where="probability", expected="finite numbers, not negative")
        total = float(probability.sum())
        if abs(total - 1) > 1e-6:
            raise L1emuError("probabilities do not sum to 1", where="probability", value=total, expected="1")
        object.__setattr__(self, "n_jets", jets.astype(np.int64))
        object.__setattr__(self, "accept", accept)
        object.__setattr__(self, "probability", probability / total)

    @classmethod
    def poisson(cls, mean_jets: float, accept_probability: float = 0.0) -> CrossingSource:
        """Poisson-distributed jets, and accepts that do not depend on them: for quick questions.

        Raises
        ------
        L1emuError
            if the mean is negative or above 1000, or the probability is not within 0 and 1.
        """
        if not 0 <= mean_jets <= 1000:
            raise L1emuError("wrong mean number of jets", value=mean_jets, expected="a number from 0 to 1000")
        if not 0 <= accept_probability <= 1:
            raise L1emuError("wrong accept probability", value=accept_probability, expected="a number from 0 to 1")
        top = int(stats.poisson.isf(_POISSON_TAIL, mean_jets)) + 1
        jets = np.arange(top + 1)
        probability = stats.poisson.pmf(jets, mean_jets)
        probability /= probability.sum()
        return cls(
            np.concatenate([jets, jets]),
            np.concatenate([np.zeros(jets.size, np.bool_), np.ones(jets.size, np.bool_)]),
            np.concatenate([probability * (1 - accept_probability), probability * accept_probability]),
        )

    def mean_jets(self, limit: int | None = None) -> float:
        """Mean jets of a colliding crossing, each crossing's counted up to `limit`."""
        jets = self.n_jets if limit is None else np.minimum(self.n_jets, limit)
        return float(np.dot(jets, self.probability))

    @property
    def accept_probability(self) -> float:
        """Probability that the menu accepts a colliding crossing."""
        return float(self.probability[self.accept].sum())

    def draw(self, generator: np.random.Generator, crossings: int) -> npt.NDArray[Any]:
        """Row numbers for so many crossings, int64. One random number each: batches do not change the sequence."""
        cumulative = np.cumsum(self.probability)
        last = int(np.flatnonzero(self.probability)[-1])
        rows = np.searchsorted(cumulative, generator.random(crossings), side="right")
        return np.minimum(rows, last)
