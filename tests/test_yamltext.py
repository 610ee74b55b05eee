"""YAML as plain data: what it reads, and what it refuses in one line, soon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from l1emu.config import Config, load_config
from l1emu.errors import L1emuError
from l1emu.resources import resource
from l1emu.yamltext import compose, line_of, plain
from tests.fuzzing import damaged, refused


def read(text: str) -> Any:
    return plain(compose(text))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1", {"a": 1}),
        ("a: [1, -2, +3, 1_000, 0x1f, 0]", {"a": [1, -2, 3, 1000, 31, 0]}),
        ("a: [1.5, -.5, 1e5, 1E-3, 2., 1.5e+3]", {"a": [1.5, -0.5, 1e5, 1e-3, 2.0, 1500.0]}),
        ("a: [yes, no, true, False, 'yes']", {"a": [True, False, True, False, "yes"]}),
        ("a: [null, ~, ]", {"a": [None, None]}),
        ("a: 2024-01-01", {"a": "2024-01-01"}),
        ("a: 2001-99-99", {"a": "2001-99-99"}),
        ("2024-01-01: 1\non: 2\n3: 4\nnull: 5", {"2024-01-01": 1, "on": 2, "3": 4, "null": 5}),
        ("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}", {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}}),
        ("a: &x {b: 1}\nd: {b: 2, <<: [*x, {c: 3}]}", {"a": {"b": 1}, "d": {"b": 2, "c": 3}}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("a: !!str 1\nb: !!int '2'\nc: !!float 3", {"a": "1", "b": 2, "c": 3.0}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
        ("\ufeffa: 1", {"a": 1}),
        ("a: 5e-324", {"a": 5e-324}),
        ("a: ２", {"a": "２"}),
        ("", None),
        ("# nothing", None),
    ],
)
def test_plain_data_is_read(text: str, value: Any) -> None:
    assert read(text) == value


def _laughs(levels: int) -> str:
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


HOSTILE = {
    "list as a key": "? [a]\n: 1",
    "mapping as a key": "? {a: 1}\n: 1",
    "control character": "a: \x01",
    "escaped control character": 'a: "\\0"',
    "escaped half of a pair": 'a: "\\ud800"',
    "escape beyond Unicode": 'a: "\\U00110000"',
    "deep lists": "a: " + "[" * 5000,
    "deep lists, closed": "a: " + "[" * 300 + "]" * 300,
    "deep mappings": "a: " + "{a: " * 5000,
    "deep blocks": "\n".join(" " * n + "a:" for n in range(500)),
    "billion laughs": _laughs(9),
    "merged laughs": "a: &a {x: 1}\n"
    + "\n".join(f"b{n}: &b{n} {{<<: [{', '.join(['*a'] * 99)}]}}" for n in range(999)),
    "alias of itself": "a: &a [*a]",
    "merged into itself": "a: &a {<<: *a}",
    "alias of nothing": "a: *b",
    "merged number": "<<: 1",
    "huge integer": "a: " + "9" * 5000,
    "huge hexadecimal": "a: 0x" + "f" * 5000,
    "octal": "a: 010",
    "binary": "a: 0b11",
    "base 60": "a: 1:30",
    "base 60, float": "a: 190:20:30.15",
    "infinity": "a: .inf",
    "negative infinity": "a: -.INF",
    "not a number": "a: .nan",
    "beyond doubles": "a: 1e999",
    "beyond doubles, with a point": "a: 1.0e+999",
    "binary tag": "a: !!binary aGVsbG8=",
    "set": "a: !!set {b, c}",
    "ordered map": "a: !!omap [b: 1]",
    "date tag": "a: !!timestamp 2001-99-99",
    "object": "a: !!python/object/apply:os.getcwd []",
    "tuple": "a: !!python/tuple [1]",
    "tag of one's own": "a: !mine 1",
    "wrong use of a tag": "a: !!map 1",
    "text as a number": "a: !!int x",
    "text as a truth value": "a: !!bool x",
    "text as a float": "a: !!float x",
    "key twice": "a: 1\na: 2",
    "key twice within": "a: {b: 1, 'b': 2}",
    "two documents": "a: 1\n---\nb: 2",
    "tab": "a:\n\tb: 1",
    "version": "%YAML 9.9\n---\na: 1",
    "endless version": "%YAML 1." + "9" * 5000 + "\n---\na: 1",
    "anchor twice": "a: &x [1]\nb: &x [2]",
    "unfinished": "a: 'b",
    "replacement": "a: \ufffe",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_plain_data_is_refused_in_one_line(text: str) -> None:
    assert refused(lambda: read(text)) is not None


def test_the_place_is_named() -> None:
    with pytest.raises(L1emuError, match=r"^line 2, column 4: not a finite decimal number: got '\.inf'"):
        read("a: 1\nb: .inf")
    with pytest.raises(L1emuError, match=r"^line 2, column 4: not valid YAML: got '\\x07'"):
        read("a: 1\nb: \x07")
    with pytest.raises(L1emuError, match=r"^line 1, column 4: .* got '1:30'; expected digits .* or quotes"):
        read("a: 1:30")


def test_lines_of_a_place() -> None:
    node = compose("a: 1\nb:\n  - c: 2\n  - d: 3\n")
    assert [line_of(node, at) for at in [("a",), ("b", 1), ("b", 1, "d"), ("b", 7), ("x",), ()]] == [1, 4, 4, 2, 1, 1]


class Anything(Config):
    a: int


def test_hostile_files_are_named(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    for data in (*(text.encode("utf-8", "surrogatepass") for text in HOSTILE.values()), "a: 1".encode("utf-16"), b""):
        file.write_bytes(data)
        text = refused(lambda: load_config(file, Anything))
        assert text is not None
        assert text.startswith(f"{file}: ")


def test_line_ends_of_windows(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(b"\xef\xbb\xbf# made elsewhere\r\na: 1\r\n")
    assert load_config(file, Anything).a == 1
    file.write_bytes(b"a: 1\r\nb: 2\r\n")
    assert "line 2, key b: unknown key" in str(refused(lambda: load_config(file, Anything)))


def test_a_config_of_infinite_length_is_refused() -> None:
    assert "not a regular file" in str(refused(lambda: load_config("/dev/zero", Anything)))


SHIPPED = [
    "budgets/cms-phase2.yaml",
    "budgets/cms-phase2.topology.yaml",
    "datasets/recipes/minbias-pu200.yaml",
    "models/jet-tagger/recipe.yaml",
    "data/study.yaml",
    "datasets/calibration-pu200.yaml",
]


def fuzz(name: str, inputs: int, seed: int) -> int:
    """Damage a shipped YAML so often; how many of them were refused."""
    rng = np.random.default_rng(seed)
    whole = resource(name).read_bytes()

    def parse(data: bytes) -> Any:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise L1emuError("not UTF-8") from None
        return read(text)

    return sum(refused(lambda: parse(damaged(whole, rng))) is not None for _ in range(inputs))


@pytest.mark.parametrize("name", SHIPPED)
def test_damaged_yaml_is_read_or_refused(name: str) -> None:
    assert fuzz(name, 60, seed=1) > 0


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", SHIPPED)
def test_much_damaged_yaml_is_read_or_refused(name: str) -> None:
    assert fuzz(name, 4000, seed=2) > 0
