"""Configs: what a user typed wrong is named with file, line, key, value and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from l1emu.config import Config, load_config
from l1emu.errors import L1emuError


class Board(Config):
    copies: int
    clock_mhz: float = 360.0


class Chain(Config):
    name: str
    board: Board
    stages: tuple[Board, ...] = ()
    extra: Board | None = None


def read(tmp_path: Path, text: str) -> Chain:
    file = tmp_path / "chain.yaml"
    file.write_text(text)
    return load_config(file, Chain)


def test_reads_nested_values(tmp_path: Path) -> None:
    chain = read(tmp_path, "name: a\nboard: {copies: 2}\nstages:\n  - {copies: 1, clock_mhz: 240.0}\n")
    assert chain.board == Board(copies=2)
    assert chain.stages == (Board(copies=1, clock_mhz=240.0),)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("name: a\nboard:\n  copies: 2\n  clok_mhz: 3.0\n", 4, ["unknown key", "'clok_mhz'", "'clock_mhz'"]),
        ("name: a\nboard: {copies: 2}\nbord: 3\n", 3, ["unknown key", "'bord'", "'board'"]),
        ("name: a\nboard:\n  clock_mhz: 3.0\n", 2, ["board.copies", "missing"]),
        ("name: a\nboard:\n  copies: two\n", 3, ["board.copies", "'two'", "integer"]),
        ("name: a\nboard:\n  copies: '2'\n", 3, ["board.copies", "'2'", "integer"]),
        (
            "name: a\nboard: {copies: 1}\nstages:\n  - copies: 1\n  - copies: x\n",
            5,
            ["stages.1.copies", "'x'"],
        ),
        ("name: a\nboard: {copies: 1}\nextra:\n  copis: 1\n", 4, ["'copis'", "'copies'"]),
        ("name: a\nname: b\nboard: {copies: 1}\n", 2, ["'name'", "twice"]),
        ("name: a\n  board: {copies: 1}\n", 2, ["not valid YAML"]),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, line: int, words: list[str]) -> None:
    with pytest.raises(L1emuError) as error:
        read(tmp_path, text)
    message = str(error.value)
    assert message.startswith(str(tmp_path / "chain.yaml") + ": ")
    assert f"line {line}" in message
    for word in words:
        assert word in message
    assert "\n" not in message


def test_a_file_that_is_not_a_mapping(tmp_path: Path) -> None:
    with pytest.raises(L1emuError, match="not a mapping"):
        read(tmp_path, "- 1\n- 2\n")


def test_an_absent_file_a_folder_and_a_binary(tmp_path: Path) -> None:
    with pytest.raises(L1emuError, match="no such file"):
        load_config(tmp_path / "absent.yaml", Chain)
    with pytest.raises(L1emuError, match="this is a folder"):
        load_config(tmp_path, Chain)
    (tmp_path / "binary.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(L1emuError, match=r"not UTF-8 text|not valid YAML"):
        load_config(tmp_path / "binary.yaml", Chain)


def test_yaml_cannot_construct_objects(tmp_path: Path) -> None:
    with pytest.raises(L1emuError, match="not valid YAML"):
        read(tmp_path, "name: !!python/object/apply:os.getcwd []\nboard: {copies: 1}\n")
