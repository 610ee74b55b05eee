"""Whether a function is the one that was compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from l1emu.cmssw.versions import function_hash, main, other_versions
from l1emu.errors import L1emuError

TEXT = """
#include <vector>
// half(x) is called below
template <class T>
struct Box { T half(T x) const { return x / 2; } };
Emulator::Emulator(bool debug, float size) : debug_(debug), size_(size * size), table_{1, 2} { fill(1, 2); }
int Emulator::half(int x) const { return x / 2; }
int half(int x) { return x / 2; }
int half(long x) { return x / 2; }
int other(int x) { if (half(x), x) { return half(x); } return 1; }
int half(char x);
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [("x / 2; }", "x/2;\n}  // so"), ("int half(long", "int /* or */ half(long"), ("return 1", "return 2")],
)
def test_comments_blanks_and_other_functions_do_not_count(old: str, new: str) -> None:
    assert function_hash(TEXT.replace(old, new), "half") == function_hash(TEXT, "half") is not None


@pytest.mark.parametrize(("old", "new"), [("(long x) { return x / 2", "(long x) { return x / 3"), ("(long", "(short")])
def test_every_definition_counts_with_its_arguments(old: str, new: str) -> None:
    assert function_hash(TEXT.replace(old, new), "half") != function_hash(TEXT, "half")


def test_a_member_and_a_constructor_are_found() -> None:
    member, constructor = (function_hash(TEXT, f"Emulator::{name}") for name in ("half", "Emulator"))
    assert None not in (member, constructor)
    changed = TEXT.replace("size * size", "size")
    assert function_hash(changed, "Emulator::half") == member
    assert function_hash(changed, "Emulator::Emulator") != constructor


def test_calls_and_declarations_are_no_definitions() -> None:
    assert function_hash("int f(); int g() { return f() + h(1, 2); } void h(int, int);", "f") is None
    assert function_hash("int f(); int g() { return f() + h(1, 2); } void h(int, int);", "h") is None
    assert function_hash("f(", "f") is None and function_hash("", "f") is None


def test_functions_that_changed_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.h").write_text(TEXT)
    known = {"a.h": {"other": function_hash(TEXT, "other") or "", "half": "0" * 16, "gone": "0" * 16}}
    assert other_versions(tmp_path, known) == [("a.h", "half"), ("a.h", "gone")]


def test_hashes_are_printed_for_an_author(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.h"
    path.write_text(TEXT)
    main([str(path), "half", "Emulator::half"])
    assert capsys.readouterr().out.splitlines()[0] == f'"half": "{function_hash(TEXT, "half")}",'
    with pytest.raises(L1emuError, match="no definition of this function"):
        main([str(path), "absent"])
