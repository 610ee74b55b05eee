"""Areas under ROC curves and their bootstrap."""

from __future__ import annotations

import numpy as np
import pytest

from l1emu.quantization.score import DrawnJets, areas


def test_areas_are_those_of_scikit_learn_with_ties_and_counts() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(2)
    positive = rng.random(300) < 0.3
    scores = np.round(rng.normal(size=300) + positive, 1)
    counts = np.vstack([np.ones(300), rng.integers(0, 3, 300)])
    expected = [metrics.roc_auc_score(positive, scores, sample_weight=row) for row in counts]
    np.testing.assert_allclose(areas(scores, positive, counts.T), expected, rtol=1e-12)


def test_the_error_of_a_ratio_to_itself_is_nothing_and_of_the_area_is_hanley_and_mcneils() -> None:
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1], 1000)
    scores = (rng.normal(size=2000) + labels)[:, None]
    found = DrawnJets(labels, replicas=400).scores(scores)
    area = found[0]
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    # J. A. Hanley and B. J. McNeil, Radiology 143 (1982) 29, equation 1
    error = np.sqrt((area * (1 - area) + 999 * (q1 - area**2) + 999 * (q2 - area**2)) / 1e6)
    assert found[1:].std() == pytest.approx(error, rel=0.15)
    assert np.all(found / DrawnJets(labels, replicas=400).scores(scores) == 1)
