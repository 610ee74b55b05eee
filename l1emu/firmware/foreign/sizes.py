"""How much each stream of a top function carries for one jet: counted in a run of it, as its C++ nowhere says it."""

from __future__ import annotations

from l1emu.child import Limits
from l1emu.files import read_text
from l1emu.firmware.cxx.lexer import text_of
from l1emu.firmware.foreign.build import Build
from l1emu.firmware.project import Project
from l1emu.firmware.top import Invocation, Top, Variable

GIVEN = """
// Packs that are put into each stream that is an argument, or of an array of them, before a call: more than a jet has.
template <class T> static long l1emu_given(long streams = 1) {
    const long most = 1L << 18, least = 1L << 12, room = (1L << 28) / (long)sizeof(T) / streams;
    return room < least ? least : room < most ? room : most;
}
"""
_TEXT = r"""
#include <cstdio>
#include <cstdlib>
#include "hls_stream.h"
static std::FILE *l1emu_sizes = nullptr;
template <class T> static void l1emu_note(const char *name, hls::stream<T> &stream) {
    const long size = (long)stream.size(), given = l1emu_given<T>();
    if (l1emu_sizes) std::fprintf(l1emu_sizes, "%s %ld %ld\n", name, size, given), std::fflush(l1emu_sizes);
}
template <class T> static void l1emu_give(hls::stream<T> &stream) {
    for (long i = 0; i < l1emu_given<T>(); i++) stream.write(T());
}
"""


def stream_sizes(project: Project, top: Top, limits: Limits) -> dict[str, int]:
    """How many packs, or plain numbers, each stream holds for one jet, by name.

    The top function runs once with more in its inputs than it can need; what is missing afterwards, it has read.

    Raises
    ------
    L1emuError
        if the C++ does not compile, or does not come to its end.
    """
    parameters = [p for p in (*top.parameters, *top.ports) if isinstance(p, Variable)]
    streams = {variable.name for variable in top.variables() if variable.stream and not variable.size}
    given = [p.name for p in top.parameters if isinstance(p, Variable) and p.stream]
    text, parts, start = read_text(project.source), [], 0
    for statement in top.statements:
        if not isinstance(statement, Invocation):
            continue
        notes = "".join(f' l1emu_note("{name}", {name});' for name in statement.names if name in streams)
        parts += [text[start : statement.end], notes]
        start = statement.end
    instrumented = "".join([*parts, text[start:]])
    lines = [
        f"static hls::stream<{text_of(p.type)}> {p.name};" if p.stream else f"static {text_of(p.tokens[:-1])};"
        for p in parameters
    ]
    lines += [f"static unsigned short {name};" for name in top.reports]
    spaces = "".join(f"using namespace {name};\n" for name in project.namespaces)
    arguments = ", ".join(f"l1emu_arguments::{name}" for name in top.passed)
    gives = " ".join(f"l1emu_give(l1emu_arguments::{name});" for name in given)
    main = (
        f'{GIVEN}{_TEXT}#include "{project.source.name}"\n{spaces}'
        f"namespace l1emu_arguments {{\n{chr(10).join(lines)}\n}}\n"
        f"int main(int, char **argv) {{\n    {gives}\n"
        f'    l1emu_sizes = fdopen(std::atoi(argv[1]), "w");\n    {project.qualified_name}({arguments});\n'
        "    std::fflush(l1emu_sizes);\n    std::_Exit(0);\n}\n"
    )
    texts = {project.source.name: instrumented, "l1emu_sizes.cpp": main}
    program = Build(project.root, project.firmware, texts, "l1emu_sizes.cpp", ("-O1",), limits)
    return _counted(program, set(given))


def _counted(build: Build, given: set[str]) -> dict[str, int]:
    lines = build.told("its streams were counted").split()
    sizes: dict[str, int] = {}
    for name, count, put in zip(lines[::3], map(int, lines[1::3]), map(int, lines[2::3]), strict=True):
        found = abs(count - put) if name in given else count
        sizes.setdefault(name, found) if found and not (name in given and count == 0) else None
    return sizes
