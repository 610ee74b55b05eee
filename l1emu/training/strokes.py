"""A registered generator of sketches: five shapes as a hand draws them, point after point."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError

_Arrays = dict[str, npt.NDArray[Any]]

SHAPES = ("ellipse", "rectangle", "triangle", "star", "spiral")
_MOST = 10_000_000


def sketches(*, events: int, seed: int, points: int = 40, shaking: float = 0.06) -> _Arrays:
    """Sketches of five shapes, their points in the order in which they are drawn.

    Each is stretched and turned, begun anywhere on its outline and drawn either way round, at a speed that changes,
    with a hand that shakes (neighbouring points alike); a part of 60 to 100 % of it is drawn.

    Parameters
    ----------
    events
        How many; of each shape about a fifth.
    points
        Points of a sketch, at equal intervals of time.
    shaking
        How far the hand strays, relative to the size of the sketch.

    Returns
    -------
    dict
        `strokes` float32 (events, points, 3): x, y, from -1 to 1 about, and the fraction of the time; `target` int64:
        0 ellipse, 1 rectangle, 2 triangle, 3 star, 4 spiral.
    """
    for name, value in {"events": events, "points": points}.items():
        if not isinstance(value, int) or not 2 <= value <= _MOST:
            raise L1emuError(
                "wrong size", where=f"data.options.{name}", value=value, expected=f"an integer, 2 to {_MOST:,}"
            )
    rng = np.random.default_rng(seed)
    target = rng.integers(0, len(SHAPES), events)
    drawn = np.stack([_sketch(rng, SHAPES[shape], points, shaking) for shape in target])
    return {"strokes": drawn.astype(np.float32), "target": target}


def _sketch(rng: np.random.Generator, shape: str, points: int, shaking: float) -> npt.NDArray[np.float64]:
    """One sketch, (points, 3)."""
    pace = np.cumsum(rng.gamma(4.0, size=points))  # neither fast nor slow for long
    along = (pace - pace[0]) / (pace[-1] - pace[0]) * rng.uniform(0.6, 1.0)
    if shape == "spiral":
        xy = _spiral(along, rng.uniform(1.5, 3.0), rng.uniform())
    else:
        xy = _outline(_corners(rng, shape), (along + rng.uniform()) % 1.0)
    if rng.random() < 0.5:
        xy = xy[::-1] if shape != "spiral" else xy * [1, -1]
    xy = xy * [1.0, rng.uniform(0.5, 1.0)]
    angle = rng.uniform(0, 2 * np.pi)
    xy = xy @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    strays = np.cumsum(rng.normal(0, shaking / 2, xy.shape), axis=0)
    xy = xy + strays - strays.mean(axis=0) + rng.normal(0, shaking / 4, xy.shape)
    xy = (xy - xy.mean(axis=0)) / max(float(np.abs(xy - xy.mean(axis=0)).max()), 1e-6)
    return np.column_stack([xy, np.linspace(0, 1, points)])


def _corners(rng: np.random.Generator, shape: str) -> npt.NDArray[np.float64]:
    """The corners of an outline, (corners, 2); those of an ellipse are many."""
    count = {"ellipse": 64, "rectangle": 4, "triangle": 3, "star": 10}[shape]
    angle = 2 * np.pi * np.arange(count) / count + np.pi / count
    radius = np.where(np.arange(count) % 2, 1.0, rng.uniform(0.35, 0.6)) if shape == "star" else np.ones(count)
    corners: npt.NDArray[np.float64] = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return corners


def _outline(corners: npt.NDArray[np.float64], along: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The points at the fractions `along` of a closed outline's length."""
    closed = np.concatenate([corners, corners[:1]])
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    return np.column_stack([np.interp(along * length[-1], length, closed[:, axis]) for axis in (0, 1)])


def _spiral(along: npt.NDArray[np.float64], turns: float, start: float) -> npt.NDArray[np.float64]:
    angle = 2 * np.pi * (turns * along + start)
    xy: npt.NDArray[np.float64] = (0.1 + along)[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return xy
