"""The verbs: one module each, a thin shell around the Python function of the same name."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any, get_args, get_type_hints

import typer
from typer.core import TyperGroup

from l1emu.cli.options import is_integer, is_number
from l1emu.errors import L1emuError
from l1emu.version import __version__

VERBS = {
    "run": "a whole study: events, emulation, budget, stream, rate against efficiency",
    "generate": "make an event sample from a recipe (extra: generate)",
    "events": "what is in a file of events or jets: fields with units, counts, first entries",
    "calibrate": "fit the jet energy calibration to a sample with generator jets",
    "validate": "hold the events against CMS's public HT rate, and strata against plain mixing",
    "train": "train a tagger from its recipe (extra: train)",
    "convert": "a trained model to an hls4ml project, a firmware file and golden vectors (extra: train)",
    "emulate": "emulate a firmware on jets, bit for bit",
    "verify": "compare the emulation of an hls4ml project with its own C++, layer by layer",
    "report": "read a synthesis report",
    "estimate": "estimate cycles and resources before synthesis",
    "budget": "check a tagger's latency against a budget",
    "simulate": "simulate the 40 MHz stream",
    "rates": "trigger rate against signal efficiency",
}


def _take_plain_numbers(parameter: Any, kind: type) -> None:
    """Let an option that is a number refuse, before typer sees it, text that is none as one writes it.

    Python's `int` and `float` take `1_0`, blanks and the digits of any script, and `float` what is not finite.
    """
    process = parameter.process_value

    def plain(ctx: Any, value: Any) -> Any:
        if isinstance(value, str) and not (is_integer if kind is int else is_number)(value):
            what, expected = ("whole number", "12") if kind is int else ("number", "1.5 or 2e3")
            raise L1emuError(f"not a {what}", where=parameter.opts[0], value=value, expected=f"digits, as {expected}")
        return process(ctx, value)

    parameter.process_value = plain


class _Verbs(TyperGroup):
    """Verbs that are imported when they are called: `l1emu --help` loads neither numba nor TensorFlow."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, name: str) -> Any:
        if name not in VERBS:
            return None
        function = getattr(import_module(f"l1emu.cli.{name}"), name)
        single = typer.Typer(add_completion=False)
        single.command(name, short_help=VERBS[name])(function)
        command = typer.main.get_command(single)
        hints = get_type_hints(function)
        for parameter in command.params:
            for kind in (int, float):
                if kind in (hints.get(parameter.name or ""), *get_args(hints.get(parameter.name or ""))):
                    _take_plain_numbers(parameter, kind)
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


app = typer.Typer(cls=_Verbs, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"l1emu {__version__}")
        raise typer.Exit


@app.callback()
def _app(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A trigger emulator with a latency budget for the LHC's Level-1 triggers."""
