"""How well scores separate the classes: areas under ROC curves, with and without the weights of training."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score


def auc_table(
    scores: npt.NDArray[np.floating[Any]],
    label: npt.NDArray[np.integer[Any]],
    weight: npt.NDArray[np.floating[Any]],
    classes: tuple[str, ...],
) -> dict[str, dict[str, float | None]]:
    """Areas under the ROC curve of one network.

    Parameters
    ----------
    scores
        (jets, classes), the network's output.
    label
        (jets,), truth class.
    weight
        (jets,), weight of each jet.

    Returns
    -------
    dict
        `"versus_rest"`: each class by its own score; `"b_versus"`: the first class against each other one by
        s_b / (s_b + s_other), 1/2 where both are zero. None where a class has no jets.
    """
    values = np.asarray(scores, dtype=np.float64)
    rest = {name: _auc(label == index, values[:, index], weight) for index, name in enumerate(classes)}
    pairs: dict[str, float | None] = {}
    for index, name in enumerate(classes[1:], start=1):
        both = (label == 0) | (label == index)
        total = values[both, 0] + values[both, index]
        ratio = np.where(total > 0, values[both, 0] / np.where(total > 0, total, 1.0), 0.5)
        pairs[name] = _auc(label[both] == 0, ratio, weight[both])
    return {"versus_rest": rest, f"{classes[0]}_versus": pairs}


def _auc(
    positive: npt.NDArray[np.bool_], score: npt.NDArray[np.float64], weight: npt.NDArray[np.floating[Any]]
) -> float | None:
    if positive.all() or not positive.any():
        return None
    return round(float(roc_auc_score(positive, score, sample_weight=weight)), 6)
