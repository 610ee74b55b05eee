"""The studies that come with l1emu."""

from __future__ import annotations

from pathlib import Path

import pytest

from l1emu.study.config import read_study

ELSEWHERE = {"latency", "stream", "name"}


def test_the_study_at_pile_up_140_is_found_by_name_and_differs_in_its_files_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    other = read_study("data/study-pu140.yaml")
    assert other.path != read_study().path
    assert "pu140" in other.study.samples.model_dump_json()
    found, embedded = (file.study.model_dump_json(exclude=ELSEWHERE) for file in (other, read_study()))
    assert found.replace("pu140", "pu200") == embedded
    mine = tmp_path / "data" / "study-pu140.yaml"
    mine.parent.mkdir()
    mine.write_bytes(read_study().path.read_bytes())
    assert read_study("data/study-pu140.yaml").study == read_study().study
