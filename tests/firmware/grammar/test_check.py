"""What a compiler takes is taken, wherever it stands; what it does not take is told by its line."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import l1emu
from l1emu.errors import L1emuError
from l1emu.firmware.grammar import check_syntax
from l1emu.firmware.preprocess import Unit
from tests.firmware.grammar.constructs import CONSTRUCTS, HEADERS
from tests.handmade_projects import ProjectMaker, hls4ml_templates, need_compiler


def read(folder: Path, code: str) -> None:
    path = folder / "own.h"
    path.write_text(code)
    unit = Unit(path, folder, (folder,))
    check_syntax(unit.sequence, unit.functions)


def refusal(folder: Path, code: str) -> str:
    with pytest.raises(L1emuError) as error:
        read(folder, code)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_what_compilers_take_is_taken(tmp_path: Path, name: str) -> None:
    read(tmp_path, HEADERS + CONSTRUCTS[name])


def test_compilers_take_the_constructs(tmp_path: Path) -> None:
    need_compiler()
    library = hls4ml_templates() / "vivado" / "ap_types"
    own = "".join(f"namespace own_{name} {{\n{code}\n}}\n" for name, code in CONSTRUCTS.items())
    text = '#include "ap_fixed.h"\n#include "ap_int.h"\n#include "hls_stream.h"\n' + HEADERS + own
    (tmp_path / "own.cpp").write_text(text)
    command = ["g++", "-std=c++17", "-w", "-fsyntax-only", f"-I{library}", "own.cpp"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    read(tmp_path, text)


AMONG_KERNELS = (
    *("constexpr_if", "enum_class", "static_assert", "lambda", "generic_lambda", "range_for", "structured", "variadic"),
    *("fold", "nested_ns", "inline_var", "maybe_unused", "attr_class", "anon_union", "bit_fields", "new_delete"),
    *("fun_ptr", "var_template", "static_out", "template_out", "digit_separators", "char_lits", "alignas"),
)


def test_a_project_with_them_among_its_kernels_is_read(tmp_path: Path) -> None:
    make = ProjectMaker(tmp_path / "p", 5, ordinary=True)
    make.output(make.dense("fc", make.input("x", (6,), make.type()), 4))
    project = make.write()
    before = l1emu.Firmware.read(project)
    path = project / "firmware" / "nnet_utils" / "nnet_common.h"
    own = "".join(f"namespace own_{name} {{\n{code}\n}}\n" for name in AMONG_KERNELS for code in [CONSTRUCTS[name]])
    path.write_text(path.read_text().replace("namespace nnet {", HEADERS + own + "namespace nnet {", 1))
    assert l1emu.Firmware.read(project).content_hash == before.content_hash


BASE = "template <class T> struct Base { int absent; };\ntemplate <class T> struct Derived : Base<T> {\n"
TWO = "template <class A, class B> struct Two {};\n"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("int f(int a) {\n    return a);\n}", "line 2: not C++ that compiles: brackets do not match"),
        ("int f(int a) {\n    return a;\n", "line 1: not C++ that compiles: a bracket is never closed"),
        (f"int f(int a) {{ return {'(' * 3000}a{')' * 3000}; }}", "nested too deeply"),
        ('[[gnu::optimize("Ofast")]] int f();', "attributes are not supported"),
        ('[[maybe_unused, gnu::optimize("Ofast")]] int f();', "attributes are not supported"),
        ('void f() { [[gnu::optimize("Ofast")]] int a = 3; }', "not C++ that compiles"),
        ("struct Pair { int a, b; };\nint f(Pair p) { int [x, y] = p; return x; }", "line 2"),
        ("int f() { auto g = [x = 3] { return y; }; return g(); }", "y is not declared"),
        (f"{TWO}Two<int> a;", "1 template arguments where 2 are taken: got '<int> a;'"),
        (f"{TWO}Two<int, int, int> a;", "3 template arguments where 2 are taken"),
        (f"{TWO}Two<3, int> a;", "a value as template argument 1, which is a type"),
        (f"{TWO}template <class A> using One = Two<A, A>;\nOne<int, int> a;", "2 template arguments where 1"),
        (f"{TWO}template <class A> struct Two<A> {{}};", "1 template arguments where 2"),
        (f"namespace n {{ {TWO} }}\nn::Two<int> a;", "line 3: not C++ that compiles: 1 template"),
        (f"namespace n {{ {TWO} }}\n::n::Two<int> a;", "line 3: not C++ that compiles: 1 template"),
        ("template <int n, class A = int> struct S {};\nS<> a;", "0 template arguments where 1 to 2 are taken"),
        ("template <int n, class A = int> struct S {};\nS<3, int, int> a;", "3 template arguments where 1 to 2"),
        ("template <int n> struct S {};\nS<int> a;", "a type as template argument 1, which is a value"),
        ("#include <iostream>\nvoid f(int a) { std::cout b = a; }", "line 2: not C++ that compiles"),
        ("#include <algorithm>\nint f(int a) {\n    std::max b = a;\n    return b;\n}", "line 3"),
        (f"{BASE}void f() {{ later<T>(1); }} }};", "later is not declared"),
        (f"{BASE}int f() {{ return absent; }} }};", "absent is not declared"),
        ('#include "ap_fixed.h"\nstruct S { static const ap_fixed<8, 2> n = 1; };', "is set outside its class"),
        ("struct S { static unsigned n = 1; };", "is set outside its class"),
        ("struct S {\n    template static const unsigned n = 1;\n};", "line 2: not C++ that compiles: '<' is expected"),
        ("template static const unsigned n = 1;", "'<' is expected"),
        ("template <int n> struct S {};\ntemplate struct S<3> {};", "'<' is expected"),
        ("template <class A, class... B> struct S {};\nS<> a;", "0 template arguments where at least 1 are taken"),
        ("int f() { auto g = [x = 3] { return x; }; return x; }", "x is not declared"),
        ("struct One { void f(); int n; };\nvoid One::f() { m = 3; }", "m is not declared"),
        ("struct One { union { int a; }; };\nint f() { return a; }", "a is not declared"),
        ("namespace a { inline namespace b { int n; } }\nint f() { return a::m; }", "m is not declared there"),
        ("int f(int v) { return (v + ... + 0); }", "a value is expected"),
    ],
)
def test_what_they_do_not_take_is_told(tmp_path: Path, code: str, told: str) -> None:
    assert told in refusal(tmp_path, code)


def test_numbers_with_separators_are_read(tmp_path: Path) -> None:
    make = ProjectMaker(tmp_path / "p", 5, ordinary=True)
    make.output(make.dense("fc", make.input("x", (6,), make.type()), 12))
    project = make.write()
    before = l1emu.Firmware.read(project)
    written = Path(shutil.copytree(project, tmp_path / "q")) / "firmware" / "parameters.h"
    text, count = re.subn(r"n_out = 12;", "n_out = 0b11'00;", written.read_text())
    assert count
    written.write_text(text)
    assert l1emu.Firmware.read(tmp_path / "q").content_hash == before.content_hash


def test_a_unit_with_other_numbers_is_looked_into_where_numbers_matter(tmp_path: Path) -> None:
    code = (
        "template <int N> struct S;\ntemplate <> struct S<{}> {{}};\ntemplate <> struct S<{}> {{}};\n"
        "const int n = {};\nconst int list[2] = {{{}, 2}};\ntypedef S<{}> s;\n"
    )
    for numbers in ((1, 2, 3, 4, 5), (3, 4, 6, 7, 8), (3, 4, 1, 1, 1)):
        read(tmp_path, code.format(*numbers))
    assert "S is defined twice" in refusal(tmp_path, code.format(4, 4, 5, 6, 7))
    read(tmp_path, "struct A { virtual int f() = 0; };")
    refusal(tmp_path, "struct A { virtual int f() = 1; };")
