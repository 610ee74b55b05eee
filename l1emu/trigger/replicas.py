"""Bootstrap replicas by hash: the weight of a crossing in a replica depends on its collision and the replica alone.

A bootstrap over collisions is replaced by its Poisson form (Hanley and MacGibbon, Computer Methods and Programs in
Biomedicine 83 (2006) 57; Chamandy et al., "Estimating uncertainty for massive data streams", 2012): each collision has
a weight of its own in each replica, drawn from the Poisson distribution of mean 1. The draw is a hash of the
collision's identity (`l1emu.splitmix`), so that crossings of one collision are drawn together wherever they lie, and
sums of weights are integers that add over parts of a sample in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext
from math import factorial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from l1emu.arraytypes import Hashes, Ints
from l1emu.compiled import inlined, kernel
from l1emu.splitmix import GOLDEN, mix

_mix = inlined(mix)
_SHARED, _ALONE, _HALF = np.uint64(0x5348_4152_4544), np.uint64(0x414C_4F4E_45), np.uint64(0x4841_4C46)
_MOST = 12
"""The largest weight: Poisson numbers of mean 1 lie beyond it in 6 of 10¹¹ draws, less than a draw's last bit."""


def _ladder() -> npt.NDArray[np.int64]:
    """Where the weight becomes 1, 2 ... 12, in draws of 32 bits: 2³² times the distribution function."""
    with localcontext() as context:
        context.prec = 50
        terms = [Decimal(-1).exp() / factorial(k) for k in range(_MOST)]
        return np.array([int(sum(terms[: k + 1]) * (1 << 32)) for k in range(_MOST)], np.int64)


# Draws are compared as signed numbers, which every processor does in vectors.
_STEPS = (_ladder() - (1 << 31)).astype(np.int32)
_FLIP = np.uint64(0x8000_0000_8000_0000)


def identities(stratum: Ints, hard_event: Ints, place: Hashes | None = None) -> Hashes:
    """What crossings are drawn by, where nothing else tells them apart.

    Parameters
    ----------
    stratum, hard_event
        As in `l1emu.trigger.Crossings`, int64 (n,): crossings with both alike have one identity.
    place
        Of each crossing in its sample, uint64 (n,), by which those without a hard event are told apart; None: they are
        the sample's first ones.

    Returns
    -------
    uint64 (n,).
    """
    shared = mix(mix(stratum.astype(np.uint64) + _SHARED) + hard_event.astype(np.uint64))
    places = np.arange(stratum.size, dtype=np.uint64) if place is None else place
    return np.where(hard_event < 0, mix(mix(places + _ALONE)), shared)


def replica_keys(identity: Hashes, seed: int) -> Hashes:
    """The generators that crossings draw their weights from: hashes of their identity and of the bootstrap's seed."""
    return mix(mix(identity) ^ mix(np.asarray([seed % (1 << 64)], np.uint64) + GOLDEN))


def half_by_identity(identity: Hashes) -> npt.NDArray[np.int64]:
    """The half, 0 or 1, that each crossing is of: a hash, so that crossings of one collision are in one half."""
    return (mix(mix(identity) ^ _HALF) >> np.uint64(63)).astype(np.int64)


@inlined
def _draw(key: np.uint64, words: Hashes) -> None:
    """Fill `words` with the generator's numbers; each holds the draws of two replicas, the lower half first."""
    for i in range(words.size):
        words[i] = _mix(key + np.uint64(i + 1) * GOLDEN) ^ _FLIP


@inlined
def add_weights(key: np.uint64, words: Hashes, draws: npt.NDArray[np.int32], sums: npt.NDArray[np.int32]) -> None:
    """Add the weights of one crossing in each replica to `sums`.

    Parameters
    ----------
    key
        Of `replica_keys`.
    words, draws
        Room for the draws, uint64 (half of the replicas, rounded up), and the same memory as int32.
    sums
        int32 (replicas,).
    """
    _draw(key, words)
    for b in range(sums.size):
        draw = draws[b]
        weight = np.int32(0)
        for step in _STEPS:
            weight += np.int32(draw >= step)
        sums[b] += weight


@kernel
def _weights_of_replica(keys: Hashes, replica: int, found: npt.NDArray[np.float64]) -> None:
    number = np.uint64(replica // 2 + 1) * GOLDEN
    shift = np.uint64(32 * (replica % 2))
    for i in range(keys.size):
        word = (_mix(keys[i] + number) ^ _FLIP) >> shift
        draw = np.int32(word & np.uint64(0xFFFF_FFFF))
        weight = 0
        for step in _STEPS:
            weight += draw >= step
        found[i] = weight


def replica_weights(identity: Hashes, replica: int, seed: int) -> npt.NDArray[np.float64]:
    """The weight of each crossing in one replica, whole numbers in float64 (n,).

    Parameters
    ----------
    identity
        uint64 (n,): crossings with the same one have the same weight.
    replica
        Its number, from 0.
    seed
        Of the bootstrap.
    """
    found = np.empty(identity.size)
    _weights_of_replica(replica_keys(identity, seed), replica, found)
    return found


def sums_type(crossings: int) -> type[np.int32] | type[np.int64]:
    """The integers that hold the sum of the weights of so many crossings in every replica, whatever is drawn."""
    return np.int32 if crossings * _MOST < 1 << 31 else np.int64


@kernel
def _add_to_bins(
    bins: npt.NDArray[np.int32],
    stratum: Ints,
    keys: Hashes,
    first: Ints,
    thresholds: Ints,
    counts: Ints,
    histograms: Ints,
    totals: Ints,
) -> None:
    replicas = totals.shape[1]
    words = np.empty((replicas + 1) // 2, np.uint64)
    draws = words.view(np.int32)
    weight = np.empty(replicas, np.int32)
    for i in range(stratum.size):
        j = stratum[i]
        if replicas:
            weight[:] = 0
            add_weights(keys[i], words, draws, weight)
            for b in range(replicas):
                totals[j, b] += weight[b]
        for s in range(bins.shape[0]):
            if bins[s, i] > 0:
                at = first[s] + j * thresholds[s] + bins[s, i] - 1
                counts[at] += 1
                row = histograms[at]
                for b in range(replicas):
                    row[b] += weight[b]


class ReplicaSums(NamedTuple):
    """Crossings that pass thresholds, and the sums of their weights in every replica.

    Attributes
    ----------
    accepted
        Of each seed the crossings that pass each threshold, int64 (strata, thresholds).
    passed
        Of each seed their weights, integers of `sums_type` (strata, thresholds, replicas).
    drawn
        Weights of all crossings, (strata, replicas).
    """

    accepted: tuple[Ints, ...]
    passed: tuple[Ints, ...]
    drawn: Ints


def replica_histograms(
    bins: npt.NDArray[np.int32],
    stratum: Ints,
    identity: Hashes,
    strata: int,
    thresholds: Sequence[int],
    replicas: int,
    seed: int,
) -> ReplicaSums:
    """Count what passes each threshold, in the sample and in every replica.

    The sums of parts of a sample add up to those of the sample.

    Parameters
    ----------
    bins
        How many of the ascending thresholds each crossing passes with each seed, int32 (seeds, n).
    stratum, identity
        Of the crossings, int64 and uint64 (n,).
    strata
        How many there are.
    thresholds
        How many each seed has.
    replicas, seed
        Of the bootstrap.
    """
    kind, sizes = sums_type(stratum.size), np.array(thresholds, np.int64)
    ends = np.concatenate([[0], np.cumsum(sizes * strata)])
    counts: Ints = np.zeros(ends[-1], np.int64)
    drawn: Ints = np.zeros((strata, replicas), kind)
    histograms: Ints = np.zeros((ends[-1], replicas), kind)
    keys = replica_keys(identity, seed) if replicas else np.zeros(0, np.uint64)
    _add_to_bins(bins, stratum, keys, ends[:-1], sizes, counts, histograms, drawn)
    return ReplicaSums(passing(counts, strata, thresholds), passing(histograms, strata, thresholds), drawn)


def passing(values: Ints, strata: int, thresholds: Sequence[int]) -> tuple[Ints, ...]:
    """Sums of what passes each threshold, and maybe more, of each seed: (strata, thresholds, ...), made in place.

    Parameters
    ----------
    values
        Sums of what passes each threshold and not the next one, of all seeds, strata and thresholds in this order.
    strata, thresholds
        How many there are; thresholds of each seed.
    """
    parts, begin = [], 0
    for size in thresholds:
        part = values[begin : begin + strata * size].reshape(strata, size, *values.shape[1:])
        np.cumsum(part[:, ::-1], axis=1, dtype=values.dtype, out=part[:, ::-1])
        parts.append(part)
        begin += strata * size
    return tuple(parts)
