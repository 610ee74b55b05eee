"""Inputs of a firmware from files of events: jets built of crossings, or fields of jets."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1emu.cli.options import is_number
from l1emu.errors import L1emuError
from l1emu.events import build_jets, features
from l1emu.events.hardware import ETA_PHI_STEP, PT_STEP_GEV
from l1emu.events.sources import open_crossings, open_source, stacked
from l1emu.events.sources.candidates import REPLACEABLE
from l1emu.firmware import Firmware
from l1emu.progress import progress

_STEP = 1000
_Arrays = dict[str, NDArray[Any]]


def values_for_missing(texts: list[str]) -> dict[str, float]:
    """`z0=0` and the like.

    Raises
    ------
    L1emuError
        if a text is not of this form, or names something else than z0 or dxy.
    """
    values = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            if not is_number(value):
                raise ValueError
            values[name] = float(value)
            if not math.isfinite(values[name]):
                raise ValueError
        except ValueError:
            raise L1emuError("not a value", where="--missing", value=text, expected="z0=0 or dxy=0") from None
        if name not in REPLACEABLE:
            raise L1emuError("this cannot be missing", where="--missing", value=name, expected="z0 or dxy")
    return values


def jets_of_crossings(
    path: Path, firmware: Firmware, missing: dict[str, float], tree: str | None = None
) -> tuple[_Arrays, _Arrays]:
    """The input of the firmware for every jet of a file of crossings, and what the jets are.

    `tree` is that of `l1emu.events.sources.open_source`.

    Raises
    ------
    L1emuError
        if the firmware does not take these jets, or the file has no candidates.
    """
    shape = (features.CONSTITUENTS, len(features.FEATURES))
    if len(firmware.inputs) != 1 or firmware.inputs[0].size != shape[0] * shape[1]:
        raise L1emuError(
            "the firmware does not take the jets that are built of crossings",
            value=_shapes(firmware),
            expected=f"one input {shape}: constituents by features",
        )
    sample = open_crossings(path, missing=missing, tree=tree)
    parts = []
    with progress("building jets", sample.crossings) as advance:
        for batch in sample.iterate(_STEP):
            parts.append(build_jets(batch.candidates, vertex_z0=batch.vertex_z0))
            advance(len(batch.stratum))
    if not parts:
        raise L1emuError("there are no crossings", path=path)
    counts = np.concatenate([jets.counts for jets in parts])
    made = {
        "jet_crossing": np.repeat(np.arange(len(counts)), counts),
        "jet_pt": np.concatenate([jets.pt for jets in parts]) * PT_STEP_GEV,
        "jet_eta": np.concatenate([jets.eta for jets in parts]) * ETA_PHI_STEP,
        "jet_phi": np.concatenate([jets.phi_in_turn for jets in parts]) * ETA_PHI_STEP,
    }
    values = features.as_float(np.concatenate([jets.features for jets in parts]))
    return {firmware.inputs[0].name: values}, made


def fields_of_jets(
    path: Path,
    firmware: Firmware,
    columns: list[str],
    entries: tuple[int, int | None] | None,
    tree: str | None = None,
) -> tuple[_Arrays, _Arrays]:
    """The input of the firmware of fields of jets, in this order, and the jets' labels where the format has them.

    Of lists, such as `particles.pt`, as many particles are taken as the firmware has room for.

    Raises
    ------
    L1emuError
        if the fields do not make the firmware's input, or the file does not have them.
    """
    if len(firmware.inputs) != 1:
        raise L1emuError("fields make one input", value=_shapes(firmware), expected="a firmware with one input")
    tensor = firmware.inputs[0]
    source = open_source(path, tree=tree)
    labels = ["label"] if any(f.name == "label" for f in source.fields) else []
    inputs, label = [], []
    with progress(f"reading {source.format.rows}", len(source)) as advance:
        for batch in source.iterate(list(dict.fromkeys([*columns, *labels])), entries=entries, step=_STEP):
            values = stacked(batch, columns, max(tensor.size // len(columns), 1))
            if values[0].size != tensor.size:
                raise L1emuError(
                    f"these fields make {values[0].size} numbers a jet",
                    path=path,
                    value=columns,
                    expected=f"{tensor.size}, the firmware's input {tensor.name} {tensor.shape}",
                )
            inputs.append(values)
            label += [np.asarray(batch["label"])] if labels else []
            advance(len(batch))
    if not inputs:
        raise L1emuError("there are no jets", path=path)
    made = {"label": np.concatenate(label)} if labels else {}
    return {tensor.name: np.concatenate(inputs)}, made


def _shapes(firmware: Firmware) -> str:
    return ", ".join(f"{t.name} {t.shape}" for t in firmware.inputs)
