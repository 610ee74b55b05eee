"""`l1emu train`: a tagger or any other model from its recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from l1emu.cli.options import Json, console, print_json
from l1emu.errors import L1emuError
from l1emu.resources import named_file
from l1emu.training import require, require_hgq
from l1emu.training.model_recipe import ModelRecipe, load_any_recipe, model_recipes
from l1emu.training.recipe import Recipe

if TYPE_CHECKING:
    from l1emu.training.outcome import TrainingResult

_FORMS = ("float", "quantized", "emulated")
_Rows = list[tuple[str, tuple[float | None, ...]]]


def train(
    recipe: Annotated[
        Path | None, typer.Argument(help="The recipe, YAML, or the name of one that comes with l1emu (see --list).")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="An .npz: labelled jets of a tagger (features, label, pt, eta, event), or arrays in the place of what "
            "the recipe's data names."
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The model's folder.")] = None,
    list_recipes: Annotated[bool, typer.Option("--list", help="List the recipes that come with l1emu.")] = False,
    as_json: Json = False,
) -> None:
    """Train a model from its recipe (extra: train).

    A recipe may name functions of its own, `module:function`, for its data and its network: their code is run.
    """
    if list_recipes:
        _list(as_json)
        return
    if recipe is None or output is None:
        missing = "a recipe" if recipe is None else "--output"
        raise L1emuError(f"{missing} is missing", expected="l1emu train RECIPE --output DIR, or l1emu train --list")
    recipe = named_file(recipe, model_recipes(), "a recipe, or the name of one that comes with l1emu")
    read = load_any_recipe(recipe)  # a wrong one is refused before TensorFlow is loaded
    result, rows = _trained(read, recipe, data, output)
    if as_json:
        print_json({"folder": str(result.folder), "card": result.card})
        return
    card = result.card
    table = Table(title=f"{card['name']}: held-out {'rows' if 'rows' in card else 'jets'}")
    for column in ("", "float", "quantized", "emulated"):
        table.add_column(column, justify="left" if column == "" else "right")
    for title, values in rows:
        table.add_row(title, *("–" if value is None else f"{value:.4f}" for value in values))
    console().print(table)
    if "verified_values" in card:
        console().print(
            f"{card['verified_values']:,} values compared with C++, {card['differ']} differ", highlight=False
        )
    console().print(f"{result.folder}", highlight=False)


def _trained(read: Recipe | ModelRecipe, recipe: Path, data: Path | None, output: Path) -> tuple[TrainingResult, _Rows]:
    """Train with what the recipe takes; the result, and the lines of its table."""
    if not isinstance(read, ModelRecipe):
        if data is None:
            raise L1emuError("this recipe takes labelled jets", where="--data", expected="--data JETS.npz")
        require()
        from l1emu.training.train import train as train_tagger

        result = train_tagger(recipe, data, output)
        return result, _tagger_rows(result.card)
    if read.quantization.method == "hgq2":
        require_hgq()
        from l1emu.training.hgq_train import train_hgq

        result = train_hgq(recipe, output, data)
    else:
        require()
        from l1emu.training.any_train import train_model

        result = train_model(recipe, output, data)
    return result, _figure_rows(result.card)


def _list(as_json: bool) -> None:
    found = {name: (path, load_any_recipe(path)) for name, path in model_recipes().items()}
    if as_json:
        print_json(
            [
                {"name": name, "path": str(path), "description": read.description, **_kind(read)}
                for name, (path, read) in found.items()
            ]
        )
        return
    table = Table(title="recipes that come with l1emu")
    for column in ("name", "data", "task", "description"):
        table.add_column(column)
    for name, (_, read) in found.items():
        kind = _kind(read)
        table.add_row(name, kind["data"], kind["task"], read.description)
    console().print(table)


def _kind(read: Any) -> dict[str, str]:
    if not isinstance(read, ModelRecipe):
        return {"data": "--data", "task": "classify", "quantization": "qkeras"}
    data = read.data
    source = data.file or data.generator or data.function or ", ".join(data.events.files if data.events else ())
    return {"data": str(source), "task": _task(read), "quantization": read.quantization.method}


def _task(recipe: ModelRecipe) -> str:
    tasks = [recipe.task] if recipe.task is not None else list((recipe.tasks or {}).values())
    return ", ".join(task.kind for task in tasks)


def _figure_rows(card: dict[str, Any]) -> _Rows:
    """The lines of a model's card: areas of classes, of the score, and errors."""
    from l1emu.training.figures import figure_lines

    return [(title, tuple(forms[form] for form in _FORMS)) for title, forms in figure_lines(card)]


def _tagger_rows(card: dict[str, Any]) -> _Rows:
    """The lines of a tagger's card: areas under the ROC curve."""
    first, *others = card["classes"]
    rest = [(f"AUC, {name} against the rest", "versus_rest", name) for name in card["classes"]]
    pairs = [(f"AUC, {first} against {name}", f"{first}_versus", name) for name in others]
    return [(title, tuple(card["auc"][form][group][name] for form in _FORMS)) for title, group, name in rest + pairs]
