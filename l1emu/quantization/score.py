"""The score of a network, its ratio to a reference, and its error from the same jets drawn anew.

The score is the mean over the classes of the area under the curve of a class against the rest; of a network that gives
values the part of their variance that it explains, or the area of its error for what is unusual. For the bootstrap each
jet counts as often as it was drawn (B. Efron, Ann. Statist. 7 (1979) 1); reference and configuration are given the same
draws, so that what is common to both cancels in their ratio.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Areas = NDArray[np.float64]
AREA, EXPLAINED = "area under ROC", "explained variance"
"""What a score is."""


def areas(scores: Areas, positive: NDArray[np.bool_], counts: Areas) -> Areas:
    """Areas under the ROC curve, one for each column of `counts`; a tie counts half.

    Each jet of the class is compared with all others: sums of whole numbers, exact in any order.

    Parameters
    ----------
    scores, positive
        (jets,): of each jet, and whether it is of the class.
    counts
        (jets, replicas): how often each jet counts.
    """
    signal, others = np.flatnonzero(positive), np.flatnonzero(~positive)
    others = others[np.argsort(scores[others], kind="stable")]
    below = np.zeros((len(others) + 1, counts.shape[1]))
    np.cumsum(counts[others], axis=0, out=below[1:])
    first, last = (np.searchsorted(scores[others], scores[signal], side) for side in ("left", "right"))
    drawn = counts[signal]
    pairs = np.einsum("jr,jr->r", drawn, below[first]) + np.einsum("jr,jr->r", drawn, below[last])
    found: Areas = 0.5 * pairs / (drawn.sum(axis=0) * below[-1])
    return found


@dataclass(frozen=True)
class DrawnJets:
    """The truth, and the draws of the bootstrap.

    Parameters
    ----------
    labels
        (jets,), classes from 0.
    replicas
        Of the bootstrap.
    seed
        Of its draws.
    """

    labels: NDArray[np.int64]
    replicas: int = 100
    seed: int = 1

    @cached_property
    def counts(self) -> Areas:
        """(jets, 1 + replicas): once each, then as drawn; draws keep the number of jets of each class."""
        rng = np.random.default_rng(self.seed)
        found = np.ones((len(self.labels), 1 + self.replicas))
        for label in np.unique(self.labels):
            chosen = np.flatnonzero(self.labels == label)
            drawn = rng.multinomial(len(chosen), np.full(len(chosen), 1 / len(chosen)), self.replicas)
            found[chosen, 1:] = drawn.T
        return found

    def scores(self, outputs: Areas) -> Areas:
        """(1 + replicas,): the mean area of a network, as it is and for each draw.

        Parameters
        ----------
        outputs
            (jets, classes); of a network with one output (jets, 1), the score of class 1.
        """
        if outputs.shape[1] == 1:
            return areas(outputs[:, 0], self.labels == 1, self.counts)
        classes = np.unique(self.labels)
        found: Areas = np.mean([areas(outputs[:, k], self.labels == k, self.counts) for k in classes], axis=0)
        return found


@dataclass(frozen=True)
class DrawnValues:
    """Values that a network was to give, and the draws of the bootstrap.

    Parameters
    ----------
    truth
        (jets, values).
    drawn
        The draws; where its labels are 1, a jet is unusual, and to be known by its error.
    """

    truth: Areas
    drawn: DrawnJets

    def scores(self, outputs: Areas) -> Areas:
        """(1 + replicas,): the area of the mean squared error, or without unusual jets 1 - error / variance.

        Parameters
        ----------
        outputs
            (jets, values).
        """
        squares, counts = (outputs - self.truth) ** 2, self.drawn.counts
        unusual = self.drawn.labels == 1
        if unusual.any():
            return areas(squares.mean(axis=1), unusual, counts)
        around = self.truth - self.truth.mean(axis=0)
        number = counts.sum(axis=0)
        shift = counts.T @ around / number[:, None]
        variance = counts.T @ (around**2).sum(axis=1) - number * (shift**2).sum(axis=1)
        found: Areas = 1.0 - counts.T @ squares.sum(axis=1) / variance
        return found
