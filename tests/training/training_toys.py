"""A tiny recipe, and jets with something to learn in them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

TINY = """\
name: tiny
description: For tests.
input: {width: 10, integer: 4}
architecture:
  {constituents: 4, features: 3, classes: [b, light], width: 4, blocks: 1, heads: 2, feed_forward: 4, head: [4]}
types:
  input_weight: {bits: 12, integer: 3}
  weight: {bits: 8, integer: 1}
  bias: {bits: 8, integer: 1}
  embedding: {bits: 8, integer: 3}
  residual: {bits: 8, integer: 3}
  query: {bits: 8, integer: 3}
  key: {bits: 8, integer: 3}
  value: {bits: 8, integer: 3}
  attention_score: {bits: 8, integer: 4}
  attention_softmax:
    exp: {bits: 12, integer: 1}
    inverse_input: {bits: 9, integer: 3}
    inverse: {bits: 12, integer: 1}
    output: {bits: 8, integer: 0}
  attention_output: {bits: 8, integer: 3}
  feed_forward: {bits: 8, integer: 3}
  pooled: {bits: 10, integer: 3}
  head: {bits: 8, integer: 3}
  logits: {bits: 10, integer: 3}
  class_softmax:
    exp: {bits: 13, integer: 1}
    inverse_input: {bits: 12, integer: 2}
    inverse: {bits: 13, integer: 1}
    output: {bits: 12, integer: 0}
training:
  seed: 7
  batch: 128
  test_fraction: 0.25
  validation_fraction: 0.15
  pt_bins_gev: [0, 30, 60, 1000]
  largest_weight: 10
  float_twin: {epochs: 6, learning_rate: 0.02}
  quantized: {epochs: 2, learning_rate: 0.005}
hardware: {part: xcvu13p-flga2577-2-e, clock_period_ns: 2.78}
"""


def toy_jets(jets: int = 3000, seed: int = 0, **replace: Any) -> dict[str, NDArray[Any]]:
    """Jets whose first class has a wider second feature; pT and feature are independent within a class."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, jets).astype(np.int8)
    features = rng.integers(-64, 64, (jets, 4, 3))
    features[..., 1] = rng.normal(0, np.where(label == 0, 90, 25)[:, None], (jets, 4)).clip(-255, 255)
    arrays: dict[str, NDArray[Any]] = {
        "features": features.astype(np.int16),
        "label": label,
        "pt": (4 * (rng.exponential(np.where(label == 0, 40, 15)) + 10)).astype(np.int32),
        "eta": rng.integers(-400, 401, jets, dtype=np.int32),
        "event": np.arange(jets, dtype=np.int64) // 3,
    }
    return arrays | replace
