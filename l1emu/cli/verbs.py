"""The verbs: one module each, a thin shell around the Python function of the same name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from l1emu.cli.options import is_integer, is_number
from l1emu.errors import L1emuError
from l1emu.version import __version__

VERBS = {
    "run": "a whole study: events, emulation, budget, stream, rate against efficiency",
    "generate": "make an event sample from a recipe (extra: generate)",
    "events": "what is in a file of events or jets: fields with units, counts, first entries",
    "calibrate": "fit the jet energy calibration to a sample with generator jets",
    "validate": "hold the events against CMS's public HT rate and turn-ons, and strata against plain mixing",
    "train": "train a tagger from its recipe (extra: train)",
    "convert": "a trained model to an hls4ml project, a firmware file and golden vectors (extra: train)",
    "emulate": "emulate a firmware on jets, bit for bit",
    "compile": "compile all that a job needs, for other processors, into a folder to be sent to it",
    "verify": "compare the emulation of an hls4ml project with its own C++, layer by layer",
    "report": "read a synthesis report",
    "estimate": "estimate cycles and resources before synthesis",
    "quantize": "what one bit costs: scans and searches of types, with areas, cycles and resources",
    "budget": "check a tagger's latency against a budget",
    "simulate": "simulate the 40 MHz stream",
    "batch": "a study in shards on many machines: plan, run, status, resume, merge",
    "rates": "rates of a menu in kHz, and rate against signal efficiency",
    "compare": "two results: ratios of rates, lost and gained efficiency, which inputs differ",
}


HELP = {"help_option_names": ["-h", "--help"]}


def _take_plain_values(parameter: Any, kinds: set[Any]) -> None:
    """Let a parameter refuse, before typer sees it, what is empty, and text that is no number as one writes it.

    Python's `int` and `float` take `1_0`, blanks and the digits of any script, and `float` what is not finite. What is
    empty is a variable of a script that was never set, and a path would take it for the working folder.
    """
    process = parameter.process_value
    name = max(parameter.opts, key=len) if parameter.param_type_name == "option" else parameter.name

    def plain(ctx: Any, value: Any) -> Any:
        for text in value if isinstance(value, list | tuple) else [value]:
            if isinstance(text, str) and not text.strip():
                raise L1emuError("this is empty", where=name, value=text, expected="a value")
            if isinstance(text, str) and int in kinds and not is_integer(text):
                raise L1emuError("not a whole number", where=name, value=text, expected="digits, as 12")
            if isinstance(text, str) and float in kinds and not is_number(text):
                raise L1emuError("not a number", where=name, value=text, expected="digits, as 1.5 or 2e3")
        return process(ctx, value)

    parameter.process_value = plain


def verbs_of(verb: str) -> Mapping[str, str]:
    """The verbs that stand behind a verb, such as `plan` behind `batch`, with what they do; none of most."""
    behind: Mapping[str, str] = getattr(import_module(f"l1emu.cli.{verb}"), f"{verb.upper()}_VERBS", {})
    return behind


def every_verb() -> list[tuple[str, ...]]:
    """The words of every verb that has a function: `run`, and `batch` with `plan` behind it."""
    alone = [(verb,) for verb in VERBS if not verbs_of(verb)]
    return [*alone, *((verb, name) for verb in VERBS for name in verbs_of(verb))]


def verb_function(verb: str, *behind: str) -> Callable[..., None]:
    """The function of a verb, or of one that stands behind it."""
    found: Callable[..., None] = getattr(import_module(f"l1emu.cli.{verb}"), "_".join((verb, *behind)))
    return found


class _Verbs(TyperGroup):
    """Verbs that are imported when they are called: `l1emu --help` loads neither numba nor TensorFlow."""

    _completing = False

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        self._completing = True  # names and what they do are all that a shell shows of the verbs
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self._completing = False

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in VERBS and not ctx.resilient_parsing:
            close = get_close_matches(args[0], VERBS, n=1)
            wanted = f"{close[0]!r}, perhaps" if close else f"one of {', '.join(VERBS)}"
            raise L1emuError("no such verb", value=args[0], expected=wanted)
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: Any, name: str) -> Any:
        if name not in VERBS:
            return None
        if self._completing:
            return TyperCommand(name, short_help=VERBS[name])
        behind = verbs_of(name)
        return _group(name, behind) if behind else _command(name, VERBS[name], verb_function(name))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


def _group(verb: str, behind: Mapping[str, str]) -> Any:
    """A verb with verbs behind it."""
    group = typer.main.get_group(
        typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=HELP, callback=lambda: None)
    )
    group.name, group.help, group.short_help = verb, f"{VERBS[verb][:1].upper()}{VERBS[verb][1:]}.", VERBS[verb]
    for name, told in behind.items():
        group.add_command(_command(name, told, verb_function(verb, name)), name)
    return group


def _command(name: str, told: str, function: Callable[..., None]) -> Any:
    single = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=HELP)
    single.command(name, short_help=told)(function)
    command = typer.main.get_command(single)
    hints = get_type_hints(function)
    for parameter in command.params:
        hint = hints.get(parameter.name or "")
        kinds = {hint, *get_args(hint)}
        _take_plain_values(parameter, kinds)
        _name_value(parameter, kinds)
    return command


def _name_value(parameter: Any, kinds: set[Any]) -> None:
    """Let the help show what stands behind an option as one word in capitals, or as what it may be: `cpp|keras`.

    What may be chosen is completed, too.
    """
    described, given = parameter.type_descriptor, parameter.metavar
    if given is None and described.is_choice:
        given = "|".join(str(getattr(choice, "value", choice)) for choice in described.choices)
    elif given is None and parameter.param_type_name == "argument":
        given = (parameter.name or "").upper()
    elif given is None and not getattr(parameter, "is_flag", False):
        words = ((Path, "PATH"), (int, "N"), (float, "X"), (str, (parameter.name or "").upper().replace("_", "-")))
        given = next(word for kind, word in words if kind in kinds)
    parameter.metavar = given
    if parameter.param_type_name == "argument":
        parameter.display_type_rich = lambda ctx: ""  # `<str>` beside its name says nothing
    if given is not None and given.islower() and "|" in given and not described.is_choice:
        choices = given.split("|")
        parameter._custom_shell_complete = lambda ctx, param, typed: [c for c in choices if c.startswith(typed)]


app = typer.Typer(cls=_Verbs, rich_markup_mode=None, pretty_exceptions_enable=False, context_settings=HELP)


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
