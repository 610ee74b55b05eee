"""How well a model does its task: areas under ROC curves of classes, errors of a regression or a reconstruction."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from l1emu.training.arrays_for import Rows
from l1emu.training.model_recipe import ScoreOfClasses, Task

Outputs = npt.NDArray[np.floating[Any]]


def figures_of(outputs: dict[str, Outputs], rows: Rows, task: Task) -> dict[str, dict[str, dict[str, float]]]:
    """The figures of several forms of a model on the same rows.

    Parameters
    ----------
    outputs
        (rows, ...) by form: float, quantized, emulated.

    Returns
    -------
    dict
        `auc`: by class, of the class against the rest (of anomaly scores and reconstructions, against the normal one),
        then by form; of a classification with a score, `score` as well. `error`: `rmse` and `bias` of a regression,
        `mean_squared_error` of a reconstruction, by form. All weighted by the rows' weights.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    names, weight = task.classes or (), rows.weights
    if task.kind == "classify":
        found["auc"] = {
            name: {form: _auc(rows.label == k, np.asarray(y)[:, k], weight) for form, y in outputs.items()}
            for k, name in enumerate(names)
        }
        if task.score is not None:
            found["score"] = {"auc": {form: _score_auc(y, rows, task.score, names) for form, y in outputs.items()}}
        return found
    if task.kind == "anomaly":
        scores = {form: np.asarray(y, dtype=np.float64)[:, 0] for form, y in outputs.items()}
        found["auc"] = _against_normal(scores, rows, task)
        return found
    errors = {
        form: np.asarray(y, dtype=np.float64).reshape(rows.target.shape) - rows.target for form, y in outputs.items()
    }
    axes = tuple(range(1, rows.target.ndim))
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
        found["auc"] = _against_normal(squares, rows, task)
    return found


def _against_normal(scores: dict[str, Outputs], rows: Rows, task: Task) -> dict[str, dict[str, float]]:
    """The area of each class against the normal one, by scores that are large for what is unusual."""
    names = task.classes or ()
    normal = rows.label == names.index(str(task.normal))
    areas = {}
    for k, name in enumerate(names):
        if name != task.normal:
            used = normal | (rows.label == k)
            areas[name] = {
                form: _auc((rows.label == k)[used], s[used], rows.weights[used]) for form, s in scores.items()
            }
    return areas


def _score_auc(outputs: Outputs, rows: Rows, score: ScoreOfClasses, names: tuple[str, ...]) -> float:
    of, against = ([names.index(name) for name in chosen] for chosen in (score.of, score.against))
    used = np.isin(rows.label, of + against)
    y = np.asarray(outputs, dtype=np.float64)[used]
    above, total = y[:, of].sum(axis=1), y[:, of + against].sum(axis=1)
    ratio = np.where(total > 0, above / np.where(total > 0, total, 1.0), 0.5)
    return _auc(np.isin(rows.label[used], of), ratio, rows.weights[used])


def _auc(positive: npt.NDArray[np.bool_], score: Outputs, weight: npt.NDArray[np.float32]) -> float:
    return round(float(roc_auc_score(positive, score, sample_weight=weight)), 6)


def card_text(card: dict[str, Any]) -> str:
    """A model's card as Markdown."""
    estimate = card["estimate"]
    lines = [
        f"# {card['name']}",
        "",
        card["description"],
        "",
        f"{card['parameters']:,} parameters, {card['multiplications']:,} multiply-accumulates an inference. Firmware "
        f"`{card['firmware'][:16]}`: {card['verified_values']:,} values in {card['verified_layers']} layers compared "
        f"with its own C++, {card['differ']} differ.",
        "",
        "| on held-out rows | float | quantized | emulated |",
        "|---|---|---|---|",
    ]
    titles = {"auc": "AUC of {} against the rest", "score": "{} of the score", "error": "{}"}
    for group, title in titles.items():
        for name, forms in card.get(group, {}).items():
            cells = " | ".join(f"{forms[form]:.4f}" for form in ("float", "quantized", "emulated"))
            lines.append(f"| {title.format(name)} | {cells} |")
    lines += ["", "| estimated on " + f"{estimate['part']} | | band |", "|---|---|---|"]
    for name, title in (("latency_cycles", "cycles"), ("interval_cycles", "interval"), ("DSP", "DSP"), ("LUT", "LUT")):
        low, high = estimate["bands"][name]
        lines.append(f"| {title} | {estimate[name]:,} | {low:,} to {high:,} |")
    rows = ", ".join(f"{count:,} {part.replace('_', ' ')}" for part, count in card["rows"]["parts"].items())
    versions = ", ".join(f"{name} {version}" for name, version in card["versions"].items())
    lines += ["", f"Rows: {rows}; SHA-256 of the data `{card['rows']['sha256']}`.", "", f"Made with {versions}.", ""]
    return "\n".join(lines)
