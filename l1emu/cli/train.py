"""`l1emu train`: a tagger from its recipe and labelled jets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from l1emu.cli.options import Json, console, print_json
from l1emu.config import load_config
from l1emu.training import require
from l1emu.training.recipe import Recipe


def train(
    recipe: Annotated[Path, typer.Argument(help="The tagger's recipe, YAML.")],
    jets: Annotated[Path, typer.Option(help="Labelled jets, .npz: features, label, pt, eta, event.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The tagger's folder.")],
    as_json: Json = False,
) -> None:
    """Train a tagger from its recipe (extra: train)."""
    require()
    load_config(recipe, Recipe)  # a wrong one is refused before TensorFlow is loaded
    from l1emu.training.train import train as train_tagger

    result = train_tagger(recipe, jets, output)
    if as_json:
        print_json({"folder": str(result.folder), "card": result.card})
        return
    card = result.card
    table = Table(title=f"{card['name']}: area under the ROC curve, held-out jets")
    for column in ("", "float", "quantized", "emulated"):
        table.add_column(column, justify="left" if column == "" else "right")
    for title, group, name in _rows(card["classes"]):
        values = (card["auc"][kind][group][name] for kind in ("float", "quantized", "emulated"))
        table.add_row(title, *("–" if value is None else f"{value:.4f}" for value in values))
    console().print(table)
    console().print(f"{result.folder}", highlight=False)


def _rows(classes: list[str]) -> list[tuple[str, str, str]]:
    """Title, group and class of each line of the card's table."""
    first = classes[0]
    rest = [(f"{name} against the rest", "versus_rest", name) for name in classes]
    return rest + [(f"{first} against {name}", f"{first}_versus", name) for name in classes[1:]]
