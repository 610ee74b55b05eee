"""The C++ around and inside a project's top function that makes it write out every variable as raw integers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from l1emu.files import read_text
from l1emu.firmware.cxx.lexer import text_of
from l1emu.firmware.foreign.program import ForeignProgram
from l1emu.firmware.foreign.text import FLAT
from l1emu.firmware.graph import Graph
from l1emu.firmware.project import Project
from l1emu.firmware.reader import read_project
from l1emu.firmware.roles import Role
from l1emu.firmware.top import Alias, ControlBlock, Invocation, Other, Statement, Variable, read_top
from l1emu.fixedpoint import FixedPoint

_DUMP = """#include <cstdio>
#include <cstdlib>
#include <type_traits>
static std::FILE *l1emu_dump_file = nullptr;
// A type of more than 64 bits must hold a number that fits 64.
template <class T> static long long l1emu_low_bits(const T &value) {
    if constexpr (std::is_integral<T>::value) {
        return (long long)value;
    } else if constexpr (T::width > 64) {
        const long long raw = value.V.to_int64();
        T back;
        back.V = raw;
        if (back != value) {
            std::fprintf(stderr, "ERROR: a number of more than 64 bits\\n");
            std::exit(5);
        }
        return raw;
    } else {
        return (long long)value.V;
    }
}
template <class T> static void l1emu_dump(const T *values, long count) {
    for (long i = 0; l1emu_dump_file && i < count; i++) {
        long long raw = l1emu_low_bits(values[i]);
        std::fwrite(&raw, sizeof raw, 1, l1emu_dump_file);
    }
}
"""

# What a stream holds is read and written back. Numbers that are missing, or left over, are an error.
_DUMP_STREAM = """#include "hls_stream.h"
#include <cstdlib>
template <class T> static auto l1emu_size(int) -> decltype((long)T::size) { return T::size; }
template <class T> static long l1emu_size(long) { return 1; }  // of a plain number
template <class T> static auto l1emu_dump_pack(T &pack, int) -> decltype((void)T::size) {
    l1emu_dump(&pack[0], T::size);
}
template <class T> static void l1emu_dump_pack(T &pack, long) { l1emu_dump(&pack, 1); }
template <class T> static void l1emu_dump(hls::stream<T> &stream, const char *name, long count) {
    if (!l1emu_dump_file) return;
    const long packs = (long)stream.size(), size = l1emu_size<T>(0);
    if (packs * size != count) {
        std::fprintf(stderr, "ERROR: the stream %s holds %ld numbers, not %ld\\n", name, packs * size, count);
        std::exit(4);
    }
    for (long i = 0; i < packs; i++) {
        T pack = stream.read();
        l1emu_dump_pack(pack, 0);
        stream.write(pack);
    }
}
template <class T> static auto l1emu_fill_pack(T &pack, const double *&next, int) -> decltype((void)T::size) {
    for (long i = 0; i < (long)T::size; i++) pack[i] = typename T::value_type(*next++);
}
template <class T> static void l1emu_fill_pack(T &pack, const double *&next, long) { pack = T(*next++); }
template <class T> static void l1emu_fill(hls::stream<T> &stream, const double *&next, long count) {
    for (long i = 0; i < count / l1emu_size<T>(0); i++) {
        T pack;
        l1emu_fill_pack(pack, next, 0);
        stream.write(pack);
    }
}
"""

# Arguments of any form: see `l1emu.firmware.foreign.text.FLAT`.
_DUMP_FLAT = """#include "ap_int.h"
template <class T> static void l1emu_fill(T *x, const double *&next, long count) {
    for (long i = 0; i < count; i++, next++) {
        if constexpr (std::is_same<T, bool>::value) x[i] = ap_uint<1>(*next) != 0;
        else if constexpr (std::is_signed<T>::value) x[i] = (T)ap_int<8 * sizeof(T)>(*next).to_int64();
        else if constexpr (std::is_integral<T>::value) x[i] = (T)ap_uint<8 * sizeof(T)>(*next).to_int64();
        else x[i] = T(*next);
    }
}
template <class T> static void l1emu_fill(l1emu_foreign::Streams<T> x, const double *&next, long count) {
    for (long k = 0; k < x.count; k++) l1emu_fill(x.first[k], next, count / x.count);
}
template <class T> static void l1emu_dump(T *x, const char *, long count) { l1emu_dump((const T *)x, count); }
template <class T> static void l1emu_dump(l1emu_foreign::Streams<T> x, const char *name, long count) {
    for (long k = 0; k < x.count; k++) l1emu_dump(x.first[k], name, count / x.count);
}
template <class T> static void l1emu_empty(T *) {}
template <class T> static void l1emu_empty(l1emu_foreign::Streams<T> x) {
    for (long k = 0; k < x.count; k++)
        while (!x.first[k].empty()) x.first[k].read();
}
"""

# Names begin with l1emu_ and the arguments have a namespace of their own: an input may be called `jet` or `y1`.
_MAIN = """
#include <cstdlib>
#include <ctime>
#include <vector>

namespace l1emu_arguments {
@ARGUMENTS@
}

// CPU time: what others do on the machine does not count.
static double l1emu_now() {
    std::timespec l1emu_time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &l1emu_time);
    return l1emu_time.tv_sec + 1e-9 * l1emu_time.tv_nsec;
}

static void l1emu_fail(const char *l1emu_what) {
    std::fprintf(stderr, "ERROR: %s\\n", l1emu_what);
    std::_Exit(3);
}

int main(int l1emu_argc, char **l1emu_argv) {
    if (l1emu_argc != 5) l1emu_fail("not started by l1emu");
    const long l1emu_jets = std::atol(l1emu_argv[1]);
    std::FILE *l1emu_in = fdopen(std::atoi(l1emu_argv[3]), "rb"), *l1emu_out = fdopen(std::atoi(l1emu_argv[4]), "wb");
    if (!l1emu_in || !l1emu_out) l1emu_fail("the C++ closed the files of inputs and results");
    const bool l1emu_trace = l1emu_argv[2][0] == 't';
    std::vector<double> l1emu_buffer(@INPUT_SIZE@);
    double l1emu_seconds = 0, l1emu_nothing = 1;  // what two looks at the clock take is no part of a jet
    for (int l1emu_try = 0; l1emu_try < 100; l1emu_try++) {
        const double l1emu_start = l1emu_now(), l1emu_end = l1emu_now();
        if (l1emu_end - l1emu_start < l1emu_nothing) l1emu_nothing = l1emu_end - l1emu_start;
    }
    for (long l1emu_jet = 0; l1emu_jet < l1emu_jets; l1emu_jet++) {
        const size_t l1emu_count = l1emu_buffer.size();
        if (std::fread(l1emu_buffer.data(), sizeof(double), l1emu_count, l1emu_in) != l1emu_count)
            l1emu_fail("the inputs cannot be read");
        const double *l1emu_next = l1emu_buffer.data();
@FILL@
        l1emu_dump_file = l1emu_trace ? l1emu_out : nullptr;
        const double l1emu_start = l1emu_now();
        @CALL@;
        l1emu_seconds += l1emu_now() - l1emu_start - l1emu_nothing;
        l1emu_dump_file = l1emu_out;
        if (!l1emu_trace) {
@OUTPUTS@
        }
@EMPTY@
        if (std::fflush(l1emu_out)) l1emu_fail("the results cannot be written");
    }
    std::fwrite(&l1emu_seconds, sizeof l1emu_seconds, 1, l1emu_out);
    if (std::fclose(l1emu_out)) l1emu_fail("the results cannot be written");
    return 0;
}
"""


@dataclass(frozen=True)
class Traced:
    """An array or a stream of the top function: its C++ name, shape and type.

    An array has the shape that it is declared with, a stream that of the tensor that the reader sees in it.
    """

    name: str
    shape: tuple[int, ...]
    type: FixedPoint
    stream: bool = False

    @property
    def size(self) -> int:
        """Numbers in the array."""
        return int(np.prod(self.shape))


class Instrumented:
    """A project's top function, with what writes out its variables, and a program around it.

    Parameters
    ----------
    project
        What is compiled.
    firmware
        What was read of it, which says how much each stream carries; by default it is read here.

    Attributes
    ----------
    inputs, outputs
        Its arguments that it reads, and those that it writes.
    variables
        All that is written out, in the order of the program's output.
    """

    def __init__(self, project: Project, firmware: Graph | None = None) -> None:
        self._project, self._firmware = project, firmware
        self._top = read_top(project)
        for statement in (*self._top.parameters, *self._top.statements):
            if isinstance(statement, Other):
                raise statement.error
            if "return" in [token.text for token in statement.tokens]:
                raise statement.place.error("a top function that returns early")
        self._parameters = [p for p in self._top.parameters if isinstance(p, Variable)]
        if any(parameter.stream for parameter in self._parameters):
            self._find_streams()
        else:
            self._find_arrays()
        if not self.inputs or not self.outputs:
            raise self._top.function.place.error("the top function's inputs and outputs were not found")
        self.variables = tuple(variable for _, variable in self._dumps)

    def _find_arrays(self) -> None:
        """The arrays: dumped before the closing brace, states before the cell overwrites them."""
        written = _first_written(self._top.statements)
        states = {
            name: statement.start
            for statement in self._top.statements
            if isinstance(statement, Invocation)
            for name in statement.having(Role.STATE)
        }
        declared = [self._array(variable) for variable in self._top.variables()]
        self._arguments = tuple(declared[: len(self._parameters)])
        if self._firmware is not None:  # which may know calls better than by the roles of their arguments
            written = {tensor.name for tensor in self._firmware.outputs}
        self.inputs = tuple(v for v in self._arguments if v.name not in written)  # also those that nothing reads
        self.outputs = tuple(v for v in self._arguments if v.name in written)
        dumps = [(states.get(variable.name, self._top.function.end), variable) for variable in declared]
        self._dumps = sorted(dumps, key=lambda dump: dump[0])

    def _array(self, variable: Variable) -> Traced:
        if variable.stream:
            raise variable.place.error("a stream in a top function of arrays", variable.text)
        shape = self._project.shape(variable.size, variable.place)
        return Traced(variable.name, shape, self._project.type(variable.type, variable.place))

    def _find_streams(self) -> None:
        """The streams: each is dumped when it has been written, before anybody reads it."""
        firmware = read_project(self._project.root) if self._firmware is None else self._firmware
        written = [layer.output for layer in firmware.layers if not layer.view]  # views are no streams
        tensors = {t.name: t for t in (*firmware.inputs, *written)}
        streams = {name: Traced(name, t.shape, t.type, stream=True) for name, t in tensors.items()}
        self.inputs = tuple(streams[tensor.name] for tensor in firmware.inputs)
        self.outputs = tuple(streams[tensor.name] for tensor in firmware.outputs)
        self._arguments = tuple(streams[parameter.name] for parameter in self._parameters)
        self._dumps = [(self._top.statements[0].start, variable) for variable in self.inputs]
        seen = {variable.name for variable in self.inputs}
        for statement in self._top.statements:
            for name in statement.names if isinstance(statement, Invocation) else ():  # its writer comes first
                if name in streams and name not in seen:
                    seen.add(name)
                    self._dumps.append((statement.end, streams[name]))

    def source(self) -> str:
        """The top function's file with the dumps."""
        text = read_text(self._project.source)
        parts, start = [], 0
        for position, variable in self._dumps:
            parts += [text[start:position], f"\n    {_dump_call(variable, variable.name)}\n"]
            start = position
        return "".join([*parts, text[start:]])

    def main(self) -> str:
        """The program: reads inputs, calls the top function for each jet, and writes what was asked for."""
        declarations = [_declaration(parameter) for parameter in (*self._parameters, *self._top.ports)]
        declarations += [f"static unsigned short {name};" for name in self._top.reports]
        passed = ", ".join(f"l1emu_arguments::{name}" for name in self._top.passed)
        outputs = [f"            {_dump_call(v, f'l1emu_arguments::{v.name}')}" for v in self.outputs]
        names = [f"l1emu_arguments::{v.name}" for v in self.outputs if v.stream]
        filled = {
            "@INPUT_SIZE@": str(sum(v.size for v in self.inputs)),
            "@ARGUMENTS@": "\n".join(declarations),
            "@FILL@": "\n".join(f"        {_fill(v)}" for v in self._arguments if v in self.inputs),
            "@CALL@": f"{self._project.qualified_name}({passed})",
            "@OUTPUTS@": "\n".join(outputs),
            "@EMPTY@": "\n".join(f"        while (!{name}.empty()) {name}.read();" for name in names),
        }
        spaces = "".join(f"using namespace {name};\n" for name in self._project.namespaces)
        dump = _DUMP + (_DUMP_STREAM if any(v.stream for v in self.variables) else "")
        return f'{dump}#include "{self._project.source.name}"\n{spaces}{_replaced(filled)}'


class Ends:
    """A project of which only the ends are compared: its top function as it is, and a program around it.

    Attributes
    ----------
    inputs, outputs
        As of `Instrumented`.
    """

    def __init__(self, program: ForeignProgram) -> None:
        self._program, self._call = program, program.calls[0]
        self.inputs, self.outputs = (
            tuple(Traced(p.tensor.name, p.tensor.shape, p.tensor.type, p.streams > 0) for p in ports)
            for ports in (self._call.inputs, self._call.outputs)
        )

    def main(self) -> str:
        """The program, as of `Instrumented`; the arguments are members of a struct, as in `foreign.text`."""
        ports = (*self._call.inputs, *self._call.outputs)
        declared = [f"    {line};" for line in (*(port.declaration for port in ports), *self._call.others)]
        fills, outputs = (
            [(f"l1emu_foreign::flat(l1emu_arguments::{v.name})", v) for v in some]
            for some in (self.inputs, self.outputs)
        )
        filled = {
            "namespace l1emu_arguments {": "struct l1emu_arguments_t {",
            "@INPUT_SIZE@": str(sum(v.size for v in self.inputs)),
            "@ARGUMENTS@\n}": "\n".join([*declared, f"    void l1emu_call() {{ {self._call.code} }}"])
            + "\n};\nstatic l1emu_arguments_t l1emu_arguments;",
            "@FILL@": "\n".join(f"        l1emu_fill({flat}, l1emu_next, {v.size});" for flat, v in fills),
            "@CALL@": "l1emu_arguments::l1emu_call()",
            "@OUTPUTS@": "\n".join(f'            l1emu_dump({flat}, "{v.name}", {v.size});' for flat, v in outputs),
            "@EMPTY@": "\n".join(f"        l1emu_empty({flat});" for flat, _ in outputs),
            "l1emu_arguments::": "l1emu_arguments.",
        }
        spaces = "".join(f"using namespace {name};\n" for name in self._program.spaces)
        helpers = f"{_DUMP}{_DUMP_STREAM}{FLAT}{_DUMP_FLAT}"
        return f'{helpers}#include "{self._program.include}"\n{spaces}{_replaced(filled)}'


def _replaced(filled: dict[str, str]) -> str:
    text = _MAIN
    for key, value in filled.items():
        text = text.replace(key, value)
    return text


def _first_written(statements: tuple[Statement, ...]) -> set[str]:
    """The names that a layer writes before any reads them."""
    written: dict[str, bool] = {}
    for name, result in _uses(statements):
        written.setdefault(name, result)
    return {name for name, result in written.items() if result}


def _uses(statements: tuple[Statement, ...]) -> Iterator[tuple[str, bool]]:
    """The names that statements use, in order, and whether they write them."""
    for statement in statements:
        if isinstance(statement, ControlBlock):  # over time steps
            yield from _uses(statement.inside)
        elif isinstance(statement, Alias):
            yield statement.target, False
        elif isinstance(statement, Invocation):
            for name, role in zip(statement.names, statement.roles, strict=True):
                yield name, role is Role.RESULT


def _declaration(parameter: Variable) -> str:
    if parameter.stream:
        return f"static hls::stream<{text_of(parameter.type)}> {parameter.name};"
    return f"static {text_of(parameter.tokens[:-1])};"


def _fill(variable: Traced) -> str:
    """What sets an input to the next numbers of the buffer."""
    name = f"l1emu_arguments::{variable.name}"
    if variable.stream:
        return f"l1emu_fill({name}, l1emu_next, {variable.size});"
    return (
        f"for (long l1emu_i = 0; l1emu_i < {variable.size}; l1emu_i++)\n"
        f"            {name}[l1emu_i] = std::decay_t<decltype({name}[l1emu_i])>(*l1emu_next++);"
    )


def _dump_call(variable: Traced, name: str) -> str:
    if variable.stream:
        return f'l1emu_dump({name}, "{variable.name}", {variable.size});'
    return f"l1emu_dump(&{name}[0], {variable.size});"
