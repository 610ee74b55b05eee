"""docs/batch_engines.md: its table is that of the settings, and its examples can be read by what they are for."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from l1emu.batch.engines.description import check_description
from l1emu.batch.engines.settings import DaskSettings, HTCondorSettings, LocalSettings, SlurmSettings, read_settings
from l1emu.config import Config

PAGE = (Path(__file__).parents[3] / "docs" / "batch_engines.md").read_text(encoding="utf-8")
SCHEMAS: tuple[type[Config], ...] = (LocalSettings, DaskSettings, SlurmSettings, HTCondorSettings)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_table_has_every_setting_of_every_engine() -> None:
    found: list[set[str]] = [set(), set(), set(), set()]
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and cells[0].startswith("`"):
            for place, mark in enumerate(cells[1:5]):
                found[place] |= set(re.findall("`([a-z_]+)`", cells[0])) if mark else set()
    assert found == [set(schema.model_fields) for schema in SCHEMAS]


@pytest.mark.parametrize("text", blocks("yaml"))
def test_files_of_settings_are_those_of_an_engine(text: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    schema = SlurmSettings if "qos" in yaml.safe_load(text) else HTCondorSettings
    found = read_settings(schema, file)
    assert found != schema()
    if isinstance(found, HTCondorSettings):
        check_description(found.extra, "extra")


@pytest.mark.parametrize("text", blocks("bash"))
def test_setups_are_shell(text: str) -> None:
    assert subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True).stderr == ""


@pytest.mark.parametrize("text", blocks("python"))
def test_python_is_python(text: str) -> None:
    ast.parse(text)


def test_settings_on_command_lines_exist() -> None:
    known = {name for schema in SCHEMAS for name in schema.model_fields}
    named = [name for name in re.findall(r"--set ([a-z_]+)=", PAGE) if name != "key"]
    assert len(named) > 3
    assert set(named) <= known
