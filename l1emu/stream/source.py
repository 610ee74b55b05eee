"""What a crossing brings into the stream: its number of jets, and whether the menu accepts it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.notebook import Shown
from l1emu.stream.beam import ORBIT_SLOTS
from l1emu.stream.draws import alias_table, drawn_rows, seed_key
from l1emu.stream.settings import check_mean_jets

_POISSON_TAIL = 1e-12


@dataclass(frozen=True, eq=False)
class CrossingSource(Shown):
    """A table from which one row is drawn, independently, for every colliding crossing.

    Attributes
    ----------
    n_jets
        Jets in the crossing, int64, shape (K,).
    accept
        Whether the trigger menu accepts it, bool, shape (K,).
    probability
        Probability of the row for a colliding crossing, float64, shape (K,), sum 1; or shape (T, K) for T kinds of
        bunches.
    kind_of_slot
        Which of the T kinds stands in each of the 3564 slots, int64.
    """

    n_jets: npt.NDArray[np.int64]
    accept: npt.NDArray[np.bool_]
    probability: npt.NDArray[np.float64]
    kind_of_slot: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(ORBIT_SLOTS, np.int64))

    def __post_init__(self) -> None:
        jets, accept = np.asarray(self.n_jets), np.asarray(self.accept)
        probability = np.atleast_2d(np.asarray(self.probability, dtype=np.float64))
        if not (jets.ndim == 1 and jets.size and jets.shape == accept.shape == probability.shape[1:]):
            raise L1emuError(
                "the columns of a crossing source differ",
                value=f"shapes {jets.shape}, {accept.shape}, {np.shape(self.probability)}",
                expected="three arrays of one shape (K,), K at least 1",
            )
        if not np.issubdtype(jets.dtype, np.integer) or jets.min() < 0:
            raise L1emuError("wrong jet counts", where="n_jets", expected="integers, not negative")
        if accept.dtype != np.bool_:
            raise L1emuError("wrong accepts", where="accept", value=str(accept.dtype), expected="booleans")
        if not np.all(np.isfinite(probability)) or probability.min() < 0:
            raise L1emuError("wrong probabilities", where="probability", expected="finite numbers, not negative")
        total = probability.sum(axis=1, keepdims=True)
        if np.abs(total - 1).max() > 1e-6:
            raise L1emuError("probabilities do not sum to 1", where="probability", value=total.max(), expected="1")
        kinds = np.asarray(self.kind_of_slot, np.int64)
        if kinds.shape != (ORBIT_SLOTS,) or kinds.min() < 0 or kinds.max() >= len(probability):
            raise L1emuError("wrong kinds of bunches", where="kind_of_slot", expected=f"{ORBIT_SLOTS} rows")
        object.__setattr__(self, "n_jets", jets.astype(np.int64))
        object.__setattr__(self, "accept", accept)
        object.__setattr__(self, "probability", probability / total)
        object.__setattr__(self, "kind_of_slot", kinds)

    @classmethod
    def poisson(
        cls,
        mean_jets: float,
        accept_probability: float = 0.0,
        relative_pileup: npt.NDArray[np.float64] | None = None,
        pileup: float | None = None,
    ) -> CrossingSource:
        """Poisson-distributed jets, and accepts that do not depend on them: for quick questions.

        Parameters
        ----------
        mean_jets
            Mean jets of a colliding crossing at the nominal pile-up.
        accept_probability
            Probability that the menu accepts a colliding crossing; it grows with the pile-up as the jets do.
        relative_pileup
            Mean pile-up of each slot relative to the nominal one, float64, shape (3564,); 1 if None.
        pileup
            Nominal mean pile-up. Given, the interactions of a crossing are Poisson and each brings its share of the
            mean jets; the interactions are summed over exactly. None stands for jets that are Poisson by themselves.

        Raises
        ------
        L1emuError
            if the mean is negative or above 1000, or the probability is not within 0 and 1.
        """
        check_mean_jets(mean_jets)
        if not 0 <= accept_probability <= 1:
            raise L1emuError("wrong accept probability", value=accept_probability, expected="a number from 0 to 1")
        relative = np.ones(ORBIT_SLOTS) if relative_pileup is None else np.asarray(relative_pileup, np.float64)
        if relative.shape != (ORBIT_SLOTS,) or not np.all(np.isfinite(relative)) or relative.min() < 0:
            raise L1emuError("wrong relative pile-up", expected=f"{ORBIT_SLOTS} numbers, not negative")
        if pileup is not None and not 0 < pileup <= 1000:
            raise L1emuError("wrong mean pile-up", value=pileup, expected="a number above 0, up to 1000")
        scales, kinds = np.unique(relative, return_inverse=True)
        spectra = [_jet_spectrum(mean_jets * scale, None if pileup is None else pileup * scale) for scale in scales]
        size = max(spectrum.size for spectrum in spectra)
        jets = np.arange(size)
        spectrum = np.stack([np.pad(s, (0, size - s.size)) for s in spectra])
        accepted = np.minimum(accept_probability * scales, 1.0)[:, None]
        return cls(
            np.concatenate([jets, jets]),
            np.concatenate([np.zeros(size, np.bool_), np.ones(size, np.bool_)]),
            np.concatenate([spectrum * (1 - accepted), spectrum * accepted], axis=1),
            kinds.astype(np.int64),
        )

    def mean_jets(self, limit: int | None = None) -> float:
        """Mean jets of a colliding crossing, each crossing's counted up to `limit`; of several kinds the largest."""
        jets = self.n_jets if limit is None else np.minimum(self.n_jets, limit)
        return float((self.probability @ jets).max())

    @property
    def accept_probability(self) -> float:
        """Probability that the menu accepts a colliding crossing; of several kinds the largest."""
        return float(self.probability[:, self.accept].sum(axis=1).max())


class Sampler:
    """Draws rows of a source for crossings, by their numbers.

    Attributes
    ----------
    key
        Of the seed.
    keep, other
        Alias tables, shapes (T, K), see `l1emu.stream.draws`.
    """

    def __init__(self, source: CrossingSource, seed: int) -> None:
        self.source = source
        self.key = seed_key(seed)
        tables = [alias_table(probability) for probability in source.probability]
        self.keep = np.stack([keep for keep, _ in tables])
        self.other = np.stack([other for _, other in tables])

    def rows(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The rows that crossings of these numbers draw, int64."""
        return drawn_rows(self.key, numbers, self.source.kind_of_slot[numbers % ORBIT_SLOTS], self.keep, self.other)


def _jet_spectrum(mean: float, pileup: float | None) -> npt.NDArray[np.float64]:
    """P(n) of the number of jets, with a tail below 1e-12 folded in."""
    from scipy import stats  # slow to load

    if pileup is None or pileup == 0:
        jets = np.arange(int(stats.poisson.isf(_POISSON_TAIL, mean)) + 2 if mean > 0 else 1)
        spectrum = stats.poisson.pmf(jets, mean)
    else:
        vertices = np.arange(int(stats.poisson.isf(_POISSON_TAIL, pileup)) + 2)
        most = mean / pileup * vertices[-1]
        jets = np.arange(int(stats.poisson.isf(_POISSON_TAIL, most)) + 2)
        given = stats.poisson.pmf(jets[None, :], mean / pileup * vertices[:, None])
        spectrum = stats.poisson.pmf(vertices, pileup) @ given
    normalised: npt.NDArray[np.float64] = spectrum / spectrum.sum()
    return normalised
