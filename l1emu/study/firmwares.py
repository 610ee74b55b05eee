"""Rates and efficiencies of a study with other firmwares in its tagger's place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from l1emu.errors import L1emuError
from l1emu.study.config import StudyFile, read_study
from l1emu.study.decided import check_minimum_scores
from l1emu.study.documents import rate_points
from l1emu.study.measure import Measurement, load_study_taggers, measure
from l1emu.study.versions import versioned_seeds

_POINT = ("seed", "signal", "threshold", "unit", "rate_khz", "rate_khz_low", "rate_khz_high", "efficiency",
          "efficiency_low", "efficiency_high")  # fmt: skip
_TOGETHER = 16
"""Firmwares that are emulated in one reading of the samples."""


def rates_of_firmwares(
    study: str | os.PathLike[str] | None, firmwares: Mapping[str, Path]
) -> dict[str, list[dict[str, Any]] | str]:
    """What the scanned seeds of a study's tagger do with other firmwares.

    Parameters
    ----------
    study
        YAML of `l1emu.study.config.Study` with one tagger; None for the embedded one.
    firmwares
        Files with the inputs and outputs of the study's own.

    Returns
    -------
    dict
        By the names of `firmwares`, a row for each seed that asks for a score and each signal: `seed`, `signal`,
        `threshold` and `unit` (the scanned one closest to where the study's own firmware has the target rate),
        `rate_khz` and `efficiency` there with `_low` and `_high`, and `target`: threshold, rate and efficiency where
        this firmware has that rate. Or, where the menu asks for a score that the firmware cannot give, why.

    Raises
    ------
    L1emuError
        if the study has no tagger or several, or no scanned seed asks for a score of it; as `measure` does.
    """
    file = read_study(study)
    tagger = _tagger(file)
    items = list(firmwares.items())
    found: dict[str, list[dict[str, Any]] | str] = {}
    for i in range(0, len(items), _TOGETHER):
        found |= _measured(file, tagger, dict(items[i : i + _TOGETHER]))
    return found


def check_firmware_fits(study: str | os.PathLike[str] | None, firmware: Path) -> None:
    """Refuse, before many are made, firmwares of this kind as the tagger of a study.

    Raises
    ------
    L1emuError
        as `rates_of_firmwares` does, but for what takes the samples.
    """
    file = read_study(study)
    load_study_taggers(_with(file, _tagger(file), {"one": firmware}), compiled=False)


def _tagger(file: StudyFile) -> str:
    """The name of a study's one tagger."""
    names = list(file.study.every_tagger)
    if len(names) != 1:
        value = ", ".join(names) or "none"
        raise L1emuError("a study of one tagger is needed", path=file.path, where="taggers", value=value)
    return names[0]


def _measured(file: StudyFile, tagger: str, firmwares: Mapping[str, Path]) -> dict[str, list[dict[str, Any]] | str]:
    """The rows of firmwares in one reading; where one of them cannot be measured, in parts until it stands alone."""
    chosen = {f"c{i}": path for i, path in enumerate(firmwares.values())}
    try:
        together = _with(file, tagger, chosen)
        taggers = load_study_taggers(together)
        check_minimum_scores(together, taggers)
        rows = _rows(measure(together, taggers))
    except L1emuError as error:
        if len(firmwares) == 1:
            if not (error.where or "").endswith("]"):  # the seed of a version ends in its name
                raise
            return dict.fromkeys(firmwares, f"{error.message}, at {error.where}" if error.where else error.message)
        names, half = list(firmwares), len(firmwares) // 2
        parts = (names[:half], names[half:])
        return {k: v for part in parts for k, v in _measured(file, tagger, {n: firmwares[n] for n in part}).items()}
    return {name: rows[version] for name, version in zip(firmwares, chosen, strict=True)}


def _with(file: StudyFile, tagger: str, firmwares: Mapping[str, Path]) -> StudyFile:
    """The study with other firmwares beside its own, and of its menu the scanned seeds of the tagger alone."""
    versions = {tagger: {name: str(path.resolve()) for name, path in firmwares.items()}}
    settings = file.study.every_tagger
    of_tagger = {seed for _, seed, _ in versioned_seeds(file.seeds, settings, {tagger: {"any": ""}})}
    if not of_tagger:
        raise L1emuError(
            "no seed to scan asks for a score of the tagger",
            path=file.path,
            where="menu",
            expected=f"a seed of {tagger}",
        )
    update = {
        "versions": versions,
        "menu": [seed for seed in file.seeds if seed.name in of_tagger],
        "working_points": None,
        "turn_ons": [],
        "stream": None,
        "latency": None,
    }
    return replace(file, study=file.study.model_copy(update=update))


def _rows(measured: Measurement) -> dict[str, list[dict[str, Any]]]:
    """By version, the rows of each of its seeds."""
    own = {seed.name: found.threshold for seed, found in zip(measured.decided.menu, measured.menu.seeds, strict=True)}
    points = rate_points(measured)
    found: dict[str, list[dict[str, Any]]] = {}
    for seed, original, version in measured.decided.versions:
        wanted = own[original]
        if wanted is None:
            raise AssertionError("a scanned seed has a threshold")
        for signal in measured.signals or [None]:
            mine = [point for point in points if point["seed"] == seed.name and point["signal"] == signal]
            point = min(mine, key=lambda one: abs(one["threshold"] - wanted))  # the scanned one closest to it
            row = {name: point[name] for name in _POINT} | {"seed": original, "target": None}
            if signal is not None and seed.name in measured.at_target[signal]:
                at = measured.at_target[signal][seed.name]
                row["target"] = {
                    "threshold": float(seed.sign * at.threshold),
                    "rate_khz": float(at.rate_khz),
                    "efficiency": float(at.interval.value),
                    "efficiency_error_low": float(at.error_low),
                    "efficiency_error_high": float(at.error_high),
                }
            found.setdefault(version, []).append(row)
    return found
