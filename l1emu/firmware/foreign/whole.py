"""A project of which nothing is known but its top function's arguments: all of its C++ as one layer, batched.

What the arguments are, no text is asked: the compiler tells their types, and two runs of the function which of them it
reads, which it writes, which it loads once, and how much its streams carry.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from l1emu.child import Limits
from l1emu.errors import L1emuError
from l1emu.files import TEXT_LIMIT, read_bytes, read_text, sha256_bytes
from l1emu.firmware.backend import read_backend
from l1emu.firmware.cxx.lexer import Token, matching, split, text_of, tokens_of
from l1emu.firmware.foreign.build import Build
from l1emu.firmware.foreign.calls import announce, say
from l1emu.firmware.foreign.program import ForeignProgram
from l1emu.firmware.foreign.sizes import GIVEN
from l1emu.firmware.foreign.text import FLAT, CallText, Port
from l1emu.firmware.graph import Graph
from l1emu.firmware.project import firmware_folder, top_file
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Foreign, Tensor

_TEXT = r"""
#include <cstdio>
#include <cstdlib>
#include <type_traits>
#include <vector>
#include "ap_fixed.h"
#include "ap_int.h"
#include "hls_stream.h"
static std::FILE *l1emu_told = nullptr;
static const char *l1emu_rounding(int mode) {
    return mode == AP_RND ? "RND" : mode == AP_RND_ZERO ? "RND_ZERO" : mode == AP_RND_MIN_INF ? "RND_MIN_INF"
        : mode == AP_RND_INF ? "RND_INF" : mode == AP_RND_CONV ? "RND_CONV" : mode == AP_TRN_ZERO ? "TRN_ZERO" : "TRN";
}
static const char *l1emu_overflow(int mode) {
    return mode == AP_SAT ? "SAT" : mode == AP_SAT_ZERO ? "SAT_ZERO" : mode == AP_SAT_SYM ? "SAT_SYM" : "WRAP";
}
template <class T> struct l1emu_kind {
    static void tell() {
        const int bits = std::is_same<T, bool>::value ? 1 : 8 * (int)sizeof(T);
        if (!std::is_integral<T>::value) std::fprintf(l1emu_told, "other 1");
        else std::fprintf(l1emu_told, "ap_%sint<%d> 0", std::is_signed<T>::value ? "" : "u", bits);
    }
    static void put(T &value, long long raw) {
        if constexpr (std::is_integral<T>::value) value = (T)raw;
    }
    static long long get(const T &value) {
        if constexpr (std::is_integral<T>::value) return (long long)value;
        else return 0;
    }
};
template <class T> struct l1emu_number {
    static void put(T &value, long long raw) { value.V = raw; }
    static long long get(const T &value) { return (long long)value.V; }
};
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N>
struct l1emu_kind<ap_fixed<W, I, Q, O, N>> : l1emu_number<ap_fixed<W, I, Q, O, N>> {
    static void tell() {
        std::fprintf(l1emu_told, "ap_fixed<%d,%d,%s,%s,%d> 0", W, I, l1emu_rounding(Q), l1emu_overflow(O), N);
    }
};
template <int W, int I, ap_q_mode Q, ap_o_mode O, int N>
struct l1emu_kind<ap_ufixed<W, I, Q, O, N>> : l1emu_number<ap_ufixed<W, I, Q, O, N>> {
    static void tell() {
        std::fprintf(l1emu_told, "ap_ufixed<%d,%d,%s,%s,%d> 0", W, I, l1emu_rounding(Q), l1emu_overflow(O), N);
    }
};
template <int W> struct l1emu_kind<ap_int<W>> : l1emu_number<ap_int<W>> {
    static void tell() { std::fprintf(l1emu_told, "ap_int<%d> 0", W); }
};
template <int W> struct l1emu_kind<ap_uint<W>> : l1emu_number<ap_uint<W>> {
    static void tell() { std::fprintf(l1emu_told, "ap_uint<%d> 0", W); }
};
template <class T> static auto l1emu_pack(int) -> decltype((void)T::size) {
    l1emu_kind<typename T::value_type>::tell();
    std::fprintf(l1emu_told, " %ld", (long)T::size);
}
template <class T> static void l1emu_pack(long) {
    l1emu_kind<T>::tell();
    std::fprintf(l1emu_told, " 0");
}
// The dimensions of what it is given, with those of packs.
template <class T> static auto l1emu_last(T &, int) -> decltype((void)T::size) {
    std::fprintf(l1emu_told, ",%ld", (long)T::size);
}
template <class T> static void l1emu_last(T &, long) {}
template <class T> static void l1emu_shape(T &x) { l1emu_last(x, 0); }
template <class T> static void l1emu_shape(hls::stream<T> &) {}
template <class T, size_t N> static void l1emu_shape(T (&x)[N]) {
    std::fprintf(l1emu_told, ",%ld", (long)N);
    l1emu_shape(x[0]);
}
template <class T> static const char *l1emu_form(T *) { return "array"; }
template <class T> static const char *l1emu_form(l1emu_foreign::Streams<T>) { return "stream"; }
template <class T> static long l1emu_count(T *, size_t bytes) { return (long)(bytes / sizeof(T)); }
template <class T> static long l1emu_count(l1emu_foreign::Streams<T> x, size_t) { return x.count; }
struct l1emu_argument {
    std::vector<long long> before;
    template <class T> void give(T *x, long n, int run) {
        for (long i = 0; i < n; i++) l1emu_kind<T>::put(x[i], run % 2 ? (long long)i * 7919 + 3 : -(long long)i);
        keep(x, n, run);
    }
    template <class T> void give(l1emu_foreign::Streams<T> x, long, int) {
        for (long k = 0; k < x.count; k++) {
            while (!x.first[k].empty()) x.first[k].read();
            for (long i = 0; i < l1emu_given<T>(x.count); i++) x.first[k].write(T());
        }
    }
    template <class T> void keep(T *x, long n, int) {
        before.resize(n);
        for (long i = 0; i < n; i++) before[i] = l1emu_kind<T>::get(x[i]);
    }
    template <class T> void keep(l1emu_foreign::Streams<T> x, long n, int run) { give(x, n, run); }
    template <class T> void tell(T *x, long n) {
        bool changed = false;
        for (long i = 0; i < n; i++) changed |= before[i] != l1emu_kind<T>::get(x[i]);
        l1emu_kind<T>::tell();
        std::fprintf(l1emu_told, " 0 %ld %d\n", n, (int)changed);
    }
    template <class T> void tell(l1emu_foreign::Streams<T> x, long) {
        const long given = l1emu_given<T>(x.count), count = (long)x.first[0].size() - given;
        bool even = true;
        for (long k = 1; k < x.count; k++) even &= (long)x.first[k].size() - given == count;
        l1emu_pack<T>(0);
        std::fprintf(l1emu_told, " %ld %d\n", even ? count : 0L, (int)x.first[0].empty());
    }
    template <class T> void give(T &x, int run) {
        const auto flat = l1emu_foreign::flat(x);
        give(flat, l1emu_count(flat, sizeof x), run);
    }
    template <class T> void keep(T &x, int run) {
        const auto flat = l1emu_foreign::flat(x);
        keep(flat, l1emu_count(flat, sizeof x), run);
    }
    template <class T> void say(T &x, const char *name, int run) {
        const auto flat = l1emu_foreign::flat(x);
        std::fprintf(l1emu_told, "%d %s %s 1", run, name, l1emu_form(flat));
        l1emu_shape(x);
        std::fprintf(l1emu_told, " ");
        tell(flat, l1emu_count(flat, sizeof x));
    }
};
"""


@dataclass(frozen=True)
class _Argument:
    """An argument as it is written: its name, and a declaration of a variable of its type."""

    name: str
    declaration: str
    report: bool = False


def read_whole(root: Path, reason: L1emuError, limits: Limits) -> Graph:
    """A project whose top function is one layer.

    Raises
    ------
    L1emuError
        `reason`, where the top function or its arguments are not found, or are neither arrays nor streams of
        fixed-point numbers; else as `ForeignProgram.build` does.
    """
    backend = read_backend(root)
    folder = firmware_folder(root)
    source, name = top_file(root, folder)
    text = read_text(source)
    name, space, arguments = _head(text, source, name, reason)
    spaces = _namespaces(folder, text)
    qualified = f"::{space}::{name}" if space else f"::{name}"
    files = (source.relative_to(root).as_posix(),)
    say(f"{reason}; so its C++ is built and run with your rights, to see what its arguments are")
    call = f"{qualified}({', '.join(one.name for one in arguments)});"
    texts = {"l1emu_told.cpp": _describing(source, call, arguments, spaces)}
    told = _told(Build(root, folder, texts, "l1emu_told.cpp", ("-O1",), limits))
    inputs, outputs, others = _ports(arguments, told, root, reason)
    announce(root, [(name, files)], whole=True)
    program = ForeignProgram(root, folder, source.name, None, [], [], spaces, limits, whole=True)
    number = program.add(name, CallText(call, inputs, outputs, others))
    program.build()
    read, written = tuple(p.tensor for p in inputs), tuple(p.tensor for p in outputs)
    hashed = _hash(folder)
    layers = tuple(
        Foreign(
            tensor.name.removesuffix("_out") if len(written) > 1 else name,
            read, tensor, name, files, call, hashed, written, number, program,
        )
        for tensor in written
    )  # fmt: skip
    origin = {"project": root.resolve().name, "backend": backend, "sources": hashed}
    return Graph(name, backend, read, written, layers, origin)


def _head(text: str, source: Path, name: str, reason: L1emuError) -> tuple[str, str, list[_Argument]]:
    """The top function's name, the namespace that it is in, and its arguments."""
    code = re.sub(r"(?m)^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    tokens = [t for t in tokens_of(code, source, 0, 0) if t.kind != "comment"]
    found: dict[str, tuple[int, int]] = {}
    for i, token in enumerate(tokens[:-1]):
        if token.kind == "name" and tokens[i + 1].text == "(" and i and tokens[i - 1].text == "void":
            end = matching(tokens, i + 1, source)
            if end + 1 < len(tokens) and tokens[end + 1].text == "{":
                found[token.text] = (i + 1, end)
    if name not in found and len(found) == 1:
        name = next(iter(found))
    if name not in found:
        raise reason
    begin, end = found[name]
    before = [t.text for t in tokens[:begin]]
    opened = [before[i + 1] for i, word in enumerate(before[:-2]) if word == "namespace" and before[i + 2] == "{"]
    arguments = [_argument(part, source, reason) for part in split(tokens[begin + 1 : end])]
    return name, opened[-1] if opened else "", arguments


def _argument(tokens: list[Token], source: Path, reason: L1emuError) -> _Argument:
    kept = [t for t in tokens if t.text not in ("const", "&")]
    texts = [t.text for t in kept]
    if texts[:2] == ["unsigned", "short"] and len(texts) == 3:
        return _Argument(texts[2], f"unsigned short {texts[2]}", report=True)
    opening = _brackets(texts)
    if opening < 2 or kept[opening - 1].kind != "name" or "*" in texts[:opening] or "=" in texts:
        raise reason
    return _Argument(texts[opening - 1], text_of(kept))


def _brackets(texts: list[str]) -> int:
    """Where the dimensions of an argument begin: behind its name, not inside its type."""
    depth = 0
    for i, text in enumerate(texts):
        depth += (text == "<") - text.count(">")
        if text == "[" and not depth:
            return i
    return len(texts)


def _namespaces(folder: Path, text: str) -> list[str]:
    """Those that the project's own files have, beside nnet."""
    texts = [text, *(read_text(path) for path in sorted(folder.glob("*.h")))]
    return sorted({name for one in texts for name in re.findall(r"\bnamespace\s+(\w+)\s*\{", one)} - {"nnet"})


def _describing(source: Path, call: str, arguments: list[_Argument], spaces: list[str]) -> str:
    """The program that tells what the arguments are, of several runs with other numbers in them before each."""
    data = [one.name for one in arguments if not one.report]
    kept = "\n".join(f"{one.declaration};" for one in arguments)
    helpers = GIVEN + FLAT + _TEXT
    used = "".join(f"using namespace {name};\n" for name in spaces)
    body = []
    for run in range(4):  # before the second, numbers are left as they are: what is loaded once does not change then
        body += [f"    {name}_l1emu.{'keep' if run == 1 else 'give'}({name}, {run});" for name in data]
        body += [f"    {call}", *(f'    {name}_l1emu.say({name}, "{name}", {run});' for name in data)]
    own = "\n".join(f"l1emu_argument {name}_l1emu;" for name in data)
    return (
        f'#include "{source.name}"\n{helpers}{used}struct l1emu_all {{\n{kept}\n{own}\n'
        f"void l1emu_run() {{\n{chr(10).join(body)}\n}}\n}};\n"
        'int main(int, char **argv) {\n    l1emu_told = fdopen(std::atoi(argv[1]), "w");\n'
        "    (new l1emu_all())->l1emu_run();\n    std::fflush(l1emu_told);\n    std::_Exit(0);\n}\n"
    )


def _told(build: Build) -> dict[str, list[list[str]]]:
    """What the program tells of each argument, a list of words for each run."""
    words = [line.split() for line in build.told("its arguments were looked at").splitlines()]
    told: dict[str, list[list[str]]] = {}
    for line in words:
        told.setdefault(line[1], []).append(line[2:])
    return told


def _ports(
    arguments: list[_Argument], told: dict[str, list[list[str]]], root: Path, reason: L1emuError
) -> tuple[tuple[Port, ...], tuple[Port, ...], tuple[str, ...]]:
    """The arguments that are read, those that are written, and declarations of the others."""
    inputs, outputs, others = [], [], []
    for one in arguments:
        if one.report:
            others.append(one.declaration)
            continue
        runs = told[one.name]
        form, kind, other, pack, count = runs[-1][0], runs[-1][2], *map(int, runs[-1][3:6])
        shape = tuple(int(n) for n in runs[-1][1].split(",")[1:])
        changed = [bool(int(run[6])) for run in runs]
        if other:
            message = "an argument of the top function that holds no fixed-point numbers"
            raise L1emuError(message, path=root, where=one.name, value=one.declaration)
        if form == "stream":
            streams = math.prod(shape)
            if not count or changed[-1]:
                message = "how much this stream carries is not known: it stays as it is, or is read to its end"
                if streams > 1:
                    message += ", or others of its array carry another count"
                raise L1emuError(message, path=root, where=one.name)
            shape += (abs(count), pack) if pack and abs(count) > 1 else (pack or abs(count),)
        else:
            streams = 0
        if changed == [True, False, False, False]:  # loaded in the first call
            others.append(one.declaration)
            continue
        port = Port(Tensor(one.name, shape or (1,), FixedPoint.parse(kind)), one.declaration, one.name, streams)
        if count > 0 and (form == "stream" or any(changed)):
            outputs.append(port)
        else:
            inputs.append(port)
    if not inputs or not outputs:
        raise reason
    return tuple(inputs), tuple(outputs), tuple(others)


def _hash(folder: Path) -> str:
    """SHA-256 over the files of sources and weights, by name and content."""
    kinds = (".h", ".hpp", ".cpp", ".txt")
    files = sorted(p for p in folder.rglob("*") if p.suffix in kinds and p.is_file())
    listed = [f"{p.relative_to(folder)} {sha256_bytes(read_bytes(p, limit=TEXT_LIMIT))}" for p in files]
    return sha256_bytes("\n".join(listed).encode())
