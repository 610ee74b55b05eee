"""Copies of a toy study, and changes of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from l1emu.firmware import Firmware
from tests.study.study_toys import toy_firmware

Change = Callable[[dict[str, Any]], Any]


def copied(toy: Path, folder: Path) -> Path:
    """A copy of a toy study with all of its files."""
    shutil.copytree(toy.parent, folder)
    return folder / toy.name


def changed(study: Path, change: Change, name: str | None = None) -> Path:
    """A study changed, in its place or under another name beside it."""
    document = yaml.safe_load(study.read_text())
    change(document)
    target = study if name is None else study.with_name(name)
    target.write_text(yaml.safe_dump(document, sort_keys=False))
    return target


def other_firmware(path: Path) -> None:
    """The toy tagger with another weight."""
    toy = toy_firmware()
    layer: Any = toy.layers[0]
    weight = layer.weight.copy()
    weight[0, 0] += 1
    Firmware(toy.name, toy.backend, toy.inputs, toy.outputs, (replace(layer, weight=weight),)).save(path)
