"""The card of a trained tagger as text."""

from __future__ import annotations

from statistics import mean, stdev
from typing import Any


def model_card(card: dict[str, Any]) -> str:
    """The card as Markdown: what the tagger is, and its areas under the ROC curves in three forms."""
    classes: list[str] = card["classes"]
    first = classes[0]
    jets = card["jets"]
    lines = [
        f"# {card['name']}",
        "",
        card["description"],
        "",
        f"{card['parameters']:,} parameters, {card['multiplications']:,} multiply-accumulates a jet. Firmware "
        f"`{card['firmware'][:16]}`.",
        "",
        "## Area under the ROC curve, held-out jets",
        "",
        "Jets are weighted so that all classes have the same pT spectrum: what is left is not learned from pT. "
        "Emulated means the firmware, bit for bit.",
        "",
        "| | float | quantized | emulated |",
        "|---|---|---|---|",
    ]
    for name in classes:
        lines.append(_row(f"{name} against the rest", card, "versus_rest", name))
    for name in classes[1:]:
        lines.append(_row(f"{first} against {name}", card, f"{first}_versus", name))
    lines += [
        "",
        "`A against B` uses s_A / (s_A + s_B). Largest difference of a score between QKeras and firmware: "
        f"{card['largest_difference_quantized_emulated']:.3g}.",
        "",
        *_seeds(card, first),
        "## Jets",
        "",
        f"| | {' | '.join(classes)} |",
        f"|---|{'---|' * len(classes)}",
    ]
    for part in ("training", "validation", "held_out"):
        lines.append(f"| {part.replace('_', ' ')} | {' | '.join(f'{jets[part][name]:,}' for name in classes)} |")
    versions = ", ".join(f"{name} {version}" for name, version in card["versions"].items())
    lines += [
        "",
        f"SHA-256 of the jets: `{jets['sha256']}`.",
        "",
        f"Made with {versions}.",
        "",
    ]
    return "\n".join(lines)


def _seeds(card: dict[str, Any], first: str) -> list[str]:
    """The section on the other seeds, if there are any, with the spread of the areas."""
    runs = card["seeds"]
    if len(runs) < 2:
        return []
    lines = [
        "## Seeds",
        "",
        f"The network above is that of seed {card['seed']}, which has the lowest validation loss.",
        "",
        f"| seed | validation loss | {first} against the rest, float | quantized |",
        "|---|---|---|---|",
    ]
    for run in runs:
        cells = " | ".join("–" if area is None else f"{area:.4f}" for area in run["auc"].values())
        lines.append(f"| {run['seed']} | {run['validation_loss']:.4f} | {cells} |")
    spreads = []
    for kind in ("float", "quantized"):
        areas = [run["auc"][kind] for run in runs if run["auc"][kind] is not None]
        spreads.append(f"{mean(areas):.4f} ± {stdev(areas):.4f}" if len(areas) > 1 else "–")
    lines += [f"| mean and standard deviation | | {' | '.join(spreads)} |", ""]
    return lines


def _row(title: str, card: dict[str, Any], group: str, name: str) -> str:
    cells = []
    for kind in ("float", "quantized", "emulated"):
        value = card["auc"][kind][group][name]
        cells.append("–" if value is None else f"{value:.4f}")
    return f"| {title} | {' | '.join(cells)} |"
