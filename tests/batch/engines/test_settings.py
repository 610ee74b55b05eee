"""What a user may say to an engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from l1emu.batch.engines.settings import (
    DaskSettings,
    HTCondorSettings,
    LocalSettings,
    SlurmSettings,
    read_settings,
)
from l1emu.config import Config
from l1emu.errors import L1emuError


def test_nothing_said_gives_the_defaults() -> None:
    for schema in (LocalSettings, DaskSettings, SlurmSettings, HTCondorSettings):
        assert read_settings(schema) == schema()


def test_single_keys_take_the_place_of_those_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "slurm.yaml"
    file.write_text("partition: short\nlimit: 50\nsetup: node.sh\nextra: [--nice=10]\n")
    found = read_settings(SlurmSettings, file)
    assert found == SlurmSettings(partition="short", limit=50, setup=str(tmp_path / "node.sh"), extra=("--nice=10",))
    said = ["partition=long", "memory_mb=3000", "qos=1", "extra=--constraint=cpu", "extra=--licenses=scratch"]
    changed = read_settings(SlurmSettings, file, said)
    assert (changed.partition, changed.limit, changed.memory_mb, changed.qos) == ("long", 50, 3000, "1")
    assert changed.extra == ("--constraint=cpu", "--licenses=scratch")


def test_paths_of_a_file_are_relative_to_it_and_urls_stay(tmp_path: Path) -> None:
    file = tmp_path / "condor.yaml"
    file.write_text("transfer: [kernels, /menu.yaml, 'osdf:///cms/x']\nmerge: results\n")
    found = read_settings(HTCondorSettings, file)
    assert found.transfer == (str(tmp_path / "kernels"), "/menu.yaml", "osdf:///cms/x")
    assert found.merge == str(tmp_path / "results")


def test_files_to_send_along_may_be_none() -> None:
    assert read_settings(HTCondorSettings).transfer is None
    assert read_settings(HTCondorSettings, None, ["transfer="]).transfer == ()
    assert read_settings(HTCondorSettings, None, ["transfer=a", "transfer=b"]).transfer == ("a", "b")


@pytest.mark.parametrize(
    ("schema", "said", "line"),
    [
        (LocalSettings, "processes", "--set: not a setting: got 'processes'; expected key=value"),
        (
            LocalSettings,
            "proceses=2",
            "--set: this engine has no such setting: got 'proceses'",
        ),
        (LocalSettings, "processes=0", "--set processes: wrong value: got 0; expected greater than or equal to 1"),
        (LocalSettings, "processes=two", "--set processes: wrong value: got 'two'; expected a valid integer"),
        (LocalSettings, "processes=[", "--set processes: wrong value: got '['"),
        (LocalSettings, "processes=1.5", "--set processes: wrong value: got 1.5"),
        (SlurmSettings, "partition=--wrap=x", "--set partition: wrong value: got '--wrap=x'"),
        (SlurmSettings, "partition=a b", "--set partition: wrong value: got 'a b'"),
        (SlurmSettings, "partition=", "--set partition: wrong value: got ''"),
        (SlurmSettings, "setup=\udcff", "--set setup: wrong value: got"),
        (SlurmSettings, "extra=a\nb", "--set extra: wrong value: got 'a\\nb'"),
        (HTCondorSettings, "minutes=1e9", "--set minutes: wrong value"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(schema: type[Config], said: str, line: str) -> None:
    with pytest.raises(L1emuError) as refused:
        read_settings(schema, None, [said])
    assert str(refused.value).startswith(line)


def test_a_wrong_key_of_a_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "slurm.yaml"
    file.write_text("partitoin: short\n")
    with pytest.raises(L1emuError, match="line 1, key partitoin: unknown key: got 'partitoin'; expected 'partition'"):
        read_settings(SlurmSettings, file)
