"""The verb `calibrate`: the jet energy calibration from a sample with generator jets."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.table import Table

from l1emu.cli.options import Json, console, print_json
from l1emu.events.calibrate import calibrate as fit
from l1emu.files import write_aside


def calibrate(
    sample: Annotated[str, typer.Argument(help="A sample of the kind signal, of jets from 20 to 400 GeV; or its URL.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the calibration, YAML that a study can name.")
    ] = None,
    json: Json = False,
) -> None:
    """Fit Level-1 jet pt to generator jet pt in bins of eta, and show the response before and after."""
    found = fit(sample)
    document = found.calibration.model_dump(mode="json")
    if output is not None:
        with write_aside(output) as aside:
            text = yaml.safe_dump(document, sort_keys=False, width=120)
            aside.write_text("# Level-1 pt = offset_gev + slope * generator pt; applied the other way round.\n" + text)
    if json:
        pairs = zip(found.before, found.after, strict=True)
        response = [asdict(b) | {"fitted": b.fitted, "median_calibrated": a.median} for b, a in pairs]
        print_json({"calibration": document, "response": response})
        return
    table = Table(title=found.calibration.name, title_justify="left")
    for name in ("|eta|", "generator, GeV", "jets", "matched, %", "response", "calibrated", "fit"):
        table.add_column(name, justify="right", no_wrap=True)
    for before, after in zip(found.before, found.after, strict=True):
        table.add_row(
            f"{before.abs_eta[0]:g} – {before.abs_eta[1]:g}",
            f"{before.generator_gev[0]:g} – {before.generator_gev[1]:g}",
            f"{before.jets}",
            f"{100 * before.matched:.0f}",
            f"{before.median:.3f}",
            f"{after.median:.3f}",
            "yes" if before.fitted else "",
        )
    table.caption = "; ".join(
        f"|eta| < {line.abs_eta_max:g}: {line.offset_gev:+.2f} GeV + {line.slope:.3f} pt"
        for line in found.calibration.bins
    )
    console().print(table)
