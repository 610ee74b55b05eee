"""Registered generators of training data, from a seed: series, sketches, sentences, jets of Pythia 8, Level-1 objects.

Each is a function that returns arrays by name: those of the network's inputs, `target`, and what else a recipe names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.training.jet_images import jet_images
from l1emu.training.jet_sequences import jet_particles, top_jets
from l1emu.training.jetclass_jets import jetclass_jets
from l1emu.training.level1_jets import level1_jets
from l1emu.training.pythia_jets import boosted_jets, flavour_jets
from l1emu.training.sentences import sentences
from l1emu.training.strokes import sketches

_Arrays = dict[str, npt.NDArray[Any]]

_MOST_ROWS = 10_000_000


def gravitational_waves(
    *, events: int, seed: int, tokens: int = 16, steps: int = 8, snr: tuple[float, float] = (5.0, 15.0)
) -> _Arrays:
    r"""Whitened strain of two detectors: an inspiral's chirp in both, a sine-Gaussian glitch in one, or noise alone.

    A chirp's frequency grows as :math:`(t_c - t)^{-3/8}` and its amplitude as :math:`(t_c - t)^{-1/4}`, the leading
    order of an inspiral, in both detectors with a delay of up to 1 % of the window and an amplitude and sign that the
    orientation gives; a glitch is :math:`\sin(2\pi f t + \phi)\exp(-(t-t_0)^2/2\tau^2)` in one of them.

    Parameters
    ----------
    events
        How many, a third of each class.
    tokens, steps
        The window has tokens * steps samples; a token of the network holds `steps` samples of both detectors.
    snr
        Range of the optimal signal-to-noise ratio of chirps and glitches, of both detectors together.

    Returns
    -------
    dict
        `series` float32 (events, tokens, 2 * steps + 2), the last two the cosine and sine of the token's place;
        `target` int64: 0 signal, 1 glitch, 2 background.
    """
    _check(events=events, tokens=tokens, steps=steps)
    rng = np.random.default_rng(seed)
    samples = tokens * steps
    t = np.arange(samples) / samples
    target = rng.integers(0, 3, events)
    strain = rng.normal(size=(events, 2, samples))
    wave = np.zeros_like(strain)
    for row in np.flatnonzero(target == 0):
        wave[row] = _chirp(rng, t)
    for row in np.flatnonzero(target == 1):
        wave[row, rng.integers(2)] = _sine_gaussian(rng, t)
    power = np.sqrt((wave**2).sum(axis=(1, 2), keepdims=True))
    loudness = rng.uniform(*snr, (events, 1, 1))
    strain += np.where(power > 0, wave / np.maximum(power, 1e-12) * loudness, 0.0)
    return {"series": _tokens(strain, tokens), "target": target}


def _chirp(rng: np.random.Generator, t: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Both detectors' chirp, float64 (2, samples), amplitudes relative to each other."""
    end, start = rng.uniform(0.6, 1.0), rng.uniform(4.0, 9.0)
    phase, ratio = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 1.0) * rng.choice([-1, 1])
    delay = rng.uniform(-0.01, 0.01)
    rows = []
    for amplitude, shift in ((1.0, 0.0), (ratio, delay)):
        left = end + shift - t
        left_clipped = np.maximum(left, 2e-3)
        angle = 2 * np.pi * start * end ** (3 / 8) * (8 / 5) * (end ** (5 / 8) - left_clipped ** (5 / 8))
        rows.append(np.where(left > 0, amplitude * left_clipped**-0.25 * np.sin(angle + phase), 0.0))
    return np.stack(rows)


def _sine_gaussian(rng: np.random.Generator, t: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    centre, frequency = rng.uniform(0.15, 0.9), rng.uniform(6.0, 40.0)
    width = rng.uniform(1.0, 3.0) / frequency
    wave: npt.NDArray[np.float64] = np.sin(2 * np.pi * frequency * t + rng.uniform(0, 2 * np.pi)) * np.exp(
        -((t - centre) ** 2) / (2 * width**2)
    )
    return wave


def engine_series(*, events: int, seed: int, tokens: int = 16, steps: int = 8, noise: float = 0.3) -> _Arrays:
    """The sound of an engine, normal or with one of three faults.

    Normal is a sum of the first four harmonics of the rotation, whose speed drifts slowly, in noise. Faults: misfires
    (one of four strokes is weak), a bearing (bursts of a resonance at a rate that is no harmonic), and knocking (short
    bursts at the strokes).

    Returns
    -------
    dict
        `series` float32 (events, tokens, steps + 2), scaled to unit variance, the last two the cosine and sine of the
        token's place; `target` int64: 0 normal, 1 anomaly.
    """
    _check(events=events, tokens=tokens, steps=steps)
    rng = np.random.default_rng(seed)
    samples = tokens * steps
    target = rng.integers(0, 2, events)
    rows = np.stack([_engine(rng, samples, bool(bad)) for bad in target])
    rows += rng.normal(0, noise, rows.shape)
    rows = (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)
    return {"series": _tokens(rows[:, None, :], tokens), "target": target}


def _engine(rng: np.random.Generator, samples: int, faulty: bool) -> npt.NDArray[np.float64]:
    t = np.arange(samples) / samples
    speed, drift = rng.uniform(5.0, 8.0), rng.normal(0, 0.3)
    turns = speed * t + 0.5 * drift * t**2 + rng.uniform()
    wave = np.zeros(samples)
    for order, mean in enumerate((1.0, 0.6, 0.4, 0.25), start=1):
        wave += rng.uniform(0.7, 1.3) * mean * np.sin(2 * np.pi * order * turns + rng.uniform(0, 2 * np.pi))
    if not faulty:
        return wave
    strength, fault = rng.uniform(0.6, 1.4), rng.integers(3)
    if fault == 0:  # every fourth stroke is weak
        weak = (np.floor(turns) % 4) == rng.integers(4)
        return np.where(weak, wave * (1 - min(0.6 * strength, 1.0)), wave)
    rate = rng.uniform(2.3, 2.7) if fault == 1 else 1.0
    resonance = rng.uniform(20, 30) if fault == 1 else rng.uniform(35, 50)
    since = (rate * turns) % 1.0
    burst = np.exp(-since * 12) * np.sin(2 * np.pi * resonance * t)
    return np.asarray(wave + 1.5 * strength * burst, dtype=np.float64)


def _tokens(rows: npt.NDArray[np.float64], tokens: int) -> npt.NDArray[np.float32]:
    """(events, channels, samples) as (events, tokens, channels * steps + 2), with where each token stands."""
    events, channels, samples = rows.shape
    parts = rows.reshape(events, channels, tokens, samples // tokens).transpose(0, 2, 1, 3)
    angle = np.pi * (np.arange(tokens) + 0.5) / tokens
    place = np.broadcast_to(np.stack([np.cos(angle), np.sin(angle)], axis=1), (events, tokens, 2))
    joined = np.concatenate([parts.reshape(events, tokens, -1), place], axis=2)
    return np.asarray(joined, dtype=np.float32)


def _check(**sizes: int) -> None:
    for name, value in sizes.items():
        if not isinstance(value, int) or not 1 <= value <= _MOST_ROWS:
            raise L1emuError(
                "wrong size", where=f"data.options.{name}", value=value, expected=f"an integer, 1 to {_MOST_ROWS:,}"
            )


GENERATORS: dict[str, Callable[..., _Arrays]] = {
    "boosted-jets": boosted_jets,
    "engine-series": engine_series,
    "flavour-jets": flavour_jets,
    "gravitational-waves": gravitational_waves,
    "jet-images": jet_images,
    "jet-particles": jet_particles,
    "jetclass-jets": jetclass_jets,
    "level1-jets": level1_jets,
    "sentences": sentences,
    "sketches": sketches,
    "top-jets": top_jets,
}
"""By the name that a recipe gives them."""
