"""How well a model does its task: areas under ROC curves of classes, errors of a regression or a reconstruction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from l1emu.training.arrays_for import Truth
from l1emu.training.model_recipe import ScoreOfClasses, Task

Outputs = npt.NDArray[np.floating[Any]]

_LEAST = 1e-7
"""A probability that counts as none, as in Keras' cross entropy."""


def figures_of(
    outputs: dict[str, Outputs], truth: Truth, weight: npt.NDArray[np.float32], task: Task
) -> dict[str, dict[str, dict[str, float]]]:
    """The figures of one output of several forms of a model on the same rows.

    Parameters
    ----------
    outputs
        (rows, ...) by form: float, quantized, emulated.
    weight
        (rows,).

    Returns
    -------
    dict
        `auc`: by class, of the class against the rest (of anomaly scores and reconstructions, against the normal one),
        then by form; of a classification with a score, `score` as well. `error`: `rmse` and `bias` of a regression,
        `mean_squared_error` of a reconstruction, by form. All weighted by the rows' weights. Of a classification of
        positions each position counts as a row, and `sequence` has `perplexity`, the exponential of the mean
        cross entropy with probabilities below 1e-7 counted as that, as Keras' loss does, and `accuracy`, the part of
        the positions whose class has the largest output.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    names = task.classes or ()
    if task.kind == "classify":
        if truth.label.ndim > 1:
            outputs, truth, weight = _by_position(outputs, truth, weight, len(names))
            found["sequence"] = {
                "perplexity": {form: _perplexity(y, truth.label, weight) for form, y in outputs.items()},
                "accuracy": {form: _accuracy(y, truth.label, weight) for form, y in outputs.items()},
            }
        found["auc"] = {
            name: {form: _auc(truth.label == k, np.asarray(y)[:, k], weight) for form, y in outputs.items()}
            for k, name in enumerate(names)
        }
        if task.score is not None:
            found["score"] = {
                "auc": {form: _score_auc(y, truth, weight, task.score, names) for form, y in outputs.items()}
            }
        return found
    if task.kind == "anomaly":
        scores = {form: np.asarray(y, dtype=np.float64)[:, 0] for form, y in outputs.items()}
        found["auc"] = _against_normal(scores, truth, weight, task)
        return found
    errors = {
        form: np.asarray(y, dtype=np.float64).reshape(truth.target.shape) - truth.target for form, y in outputs.items()
    }
    axes = tuple(range(1, truth.target.ndim))
    squares = {form: (e**2).mean(axis=axes) if axes else e**2 for form, e in errors.items()}
    mean = {form: float(np.average(s, weights=weight)) for form, s in squares.items()}
    if task.kind == "regress":
        found["error"] = {
            "rmse": {form: round(float(np.sqrt(v)), 6) for form, v in mean.items()},
            "bias": {
                form: round(float(np.average(e.reshape(len(e), -1).mean(axis=1), weights=weight)), 6)
                for form, e in errors.items()
            },
        }
        return found
    found["error"] = {"mean_squared_error": {form: round(v, 6) for form, v in mean.items()}}
    if task.normal is not None:
        found["auc"] = _against_normal(squares, truth, weight, task)
    return found


def _by_position(
    outputs: dict[str, Outputs], truth: Truth, weight: npt.NDArray[np.float32], classes: int
) -> tuple[dict[str, Outputs], Truth, npt.NDArray[np.float32]]:
    """The same with each position as a row."""
    label = truth.label.ravel()
    return (
        {form: np.asarray(y).reshape(-1, classes) for form, y in outputs.items()},
        Truth(label, label),
        np.repeat(weight, truth.label.shape[1]),
    )


def _perplexity(outputs: Outputs, label: npt.NDArray[np.int64], weight: npt.NDArray[np.float32]) -> float:
    y = np.asarray(outputs, dtype=np.float64)
    probability = y[np.arange(len(y)), label] / np.maximum(y.sum(axis=1), _LEAST)
    entropy = -np.log(np.maximum(probability, _LEAST))
    return round(float(np.exp(np.average(entropy, weights=weight))), 6)


def _accuracy(outputs: Outputs, label: npt.NDArray[np.int64], weight: npt.NDArray[np.float32]) -> float:
    return round(float(np.average(np.argmax(outputs, axis=1) == label, weights=weight)), 6)


def _against_normal(
    scores: dict[str, Outputs], truth: Truth, weight: npt.NDArray[np.float32], task: Task
) -> dict[str, dict[str, float]]:
    """The area of each class against the normal one, by scores that are large for what is unusual."""
    names = task.classes or ()
    normal = truth.label == names.index(str(task.normal))
    areas = {}
    for k, name in enumerate(names):
        if name != task.normal:
            used = normal | (truth.label == k)
            areas[name] = {form: _auc((truth.label == k)[used], s[used], weight[used]) for form, s in scores.items()}
    return areas


def _score_auc(
    outputs: Outputs, truth: Truth, weight: npt.NDArray[np.float32], score: ScoreOfClasses, names: tuple[str, ...]
) -> float:
    of, against = ([names.index(name) for name in chosen] for chosen in (score.of, score.against))
    used = np.isin(truth.label, of + against)
    y = np.asarray(outputs, dtype=np.float64)[used]
    above, total = y[:, of].sum(axis=1), y[:, of + against].sum(axis=1)
    ratio = np.where(total > 0, above / np.where(total > 0, total, 1.0), 0.5)
    return _auc(np.isin(truth.label[used], of), ratio, weight[used])


def _auc(positive: npt.NDArray[np.bool_], score: Outputs, weight: npt.NDArray[np.float32]) -> float:
    return round(float(roc_auc_score(positive, score, sample_weight=weight)), 6)


def figure_lines(card: dict[str, Any]) -> Iterator[tuple[str, dict[str, float]]]:
    """Of a model's card each figure: what it is, and its values by form; of several outputs with the output's name."""
    titles = {"sequence": "{}", "auc": "AUC of {} against the rest", "score": "{} of the score", "error": "{}"}
    for output, figures in card.get("outputs", {"": card}).items():
        for group, title in titles.items():
            for name, forms in figures.get(group, {}).items():
                said = title.format(name)
                yield f"{output}: {said}" if output else said, forms


def _work(card: dict[str, Any]) -> str:
    if "ebops" in card:
        return f"{card['ebops']:,.0f} effective bit operations (EBOPs)"
    return f"{card['multiplications']:,} multiply-accumulates"


def _zeros(card: dict[str, Any]) -> str:
    return f" ({card['zero_weights']:.1%} of the pruned weights are zero)" if "zero_weights" in card else ""


def card_text(card: dict[str, Any]) -> str:
    """A model's card as Markdown."""
    estimate = card["estimate"]
    lines = [
        f"# {card['name']}",
        "",
        card["description"],
        "",
        f"{card['parameters']:,} parameters{_zeros(card)}, {_work(card)} an inference. Firmware "
        f"`{card['firmware'][:16]}`: {card['verified_values']:,} values in {card['verified_layers']} layers compared "
        f"with its own C++, {card['differ']} differ.",
        "",
        "| on held-out rows | float | quantized | emulated |",
        "|---|---|---|---|",
    ]
    for title, forms in figure_lines(card):
        lines.append(f"| {title} | {' | '.join(f'{value:.4f}' for value in forms.values())} |")
    lines += ["", "| estimated on " + f"{estimate['part']} | | band |", "|---|---|---|"]
    for name, title in (("latency_cycles", "cycles"), ("interval_cycles", "interval"), ("DSP", "DSP"), ("LUT", "LUT")):
        low, high = estimate["bands"][name]
        lines.append(f"| {title} | {estimate[name]:,} | {low:,} to {high:,} |")
    rows = ", ".join(f"{count:,} {part.replace('_', ' ')}" for part, count in card["rows"]["parts"].items())
    versions = ", ".join(f"{name} {version}" for name, version in card["versions"].items())
    lines += ["", f"Rows: {rows}; SHA-256 of the data `{card['rows']['sha256']}`.", "", f"Made with {versions}.", ""]
    return "\n".join(lines)
