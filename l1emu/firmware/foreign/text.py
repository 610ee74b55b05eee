"""The C++ around calls of a project's functions: a program that does what it is told in shared memory.

The program reads orders (the number of a call, of jets, and whether results are spoiled before it) from a file, takes
raw integers from the memory that it shares with us, and puts the results there. The memory begins with `HEADER` bytes:
how many jets are done, and what went wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

from l1emu.layers import Tensor

HEADER = 4096
"""Bytes before the numbers of the tensors."""
PROGRESS, STATUS, JET, CHANGED, FOUND = range(5)
"""Places of the header's int64: jets done, what is wrong, with which jet, which static variable changed, a count."""
NAME = 512
"""The place in the header of the name of what is wrong, ended by a NUL."""
OVERWRITTEN, UNDRAINED, MISCOUNTED = 1, 2, 3
"""What can be wrong: an input was overwritten or left in its stream, a result's stream holds another count."""
SPOILED = 1
"""Results, and the stack below, are overwritten with numbers before each call, others from jet to jet."""

FLAT = r"""
#include <cstddef>
#include "hls_stream.h"
// An argument as its numbers, or its streams, one after another: arrays of any dimensions, of packs, or of streams.
namespace l1emu_foreign {
template <class T> struct Streams {
    hls::stream<T> *first;
    long count;
};
template <class T> static auto numbers(T &x, int) -> decltype((void)T::size, &x[0]) { return &x[0]; }
template <class T> static T *numbers(T &x, long) { return &x; }
template <class T> static T *times(T *first, long) { return first; }
template <class T> static Streams<T> times(Streams<T> x, long n) { return {x.first, x.count * n}; }
template <class T> static auto flat(T &x) { return numbers(x, 0); }
template <class T> static Streams<T> flat(hls::stream<T> &x) { return {&x, 1}; }
template <class T, std::size_t N> static auto flat(T (&x)[N]) { return times(flat(x[0]), N); }
}
"""
"""What makes one of the forms that arguments have of all others."""
_HELPERS = r"""
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <link.h>
#include <string>
#include <sys/mman.h>
#include <type_traits>
#include <unistd.h>
#include <vector>
#include "hls_stream.h"

@FLAT@
namespace l1emu_foreign {
static volatile long long *header = nullptr;

template <class T> static inline void put(T &value, long long raw) {
    if constexpr (std::is_integral<T>::value) value = (T)raw;
    else value.V = raw;
}
template <class T> static inline long long get(const T &value) {
    if constexpr (std::is_integral<T>::value) return (long long)value;
    else return (long long)value.V;
}
template <class T> static auto width(int) -> decltype((long)T::size) { return T::size; }
template <class T> static long width(long) { return 1; }  // of a plain number
template <class T> static inline auto put_pack(T &pack, const long long *raw, int) -> decltype((void)T::size) {
    for (long i = 0; i < (long)T::size; i++) put(pack[i], raw[i]);
}
template <class T> static inline void put_pack(T &pack, const long long *raw, long) { put(pack, *raw); }
template <class T> static inline auto get_pack(T &pack, long long *raw, int) -> decltype((void)T::size) {
    for (long i = 0; i < (long)T::size; i++) raw[i] = get(pack[i]);
}
template <class T> static inline void get_pack(T &pack, long long *raw, long) { *raw = get(pack); }

static bool wrong(int status, long jet, const char *name, long found) {
    header[@STATUS@] = status;
    header[@JET@] = jet;
    header[@FOUND@] = found;
    std::strncpy((char *)header + @NAME@, name, 255);
    return false;
}
template <class T> static void load(T *x, const long long *raw, long n) {
    for (long i = 0; i < n; i++) put(x[i], raw[i]);
}
template <class T> static void load(Streams<T> x, const long long *raw, long n) {
    for (long k = 0; k < x.count; k++)
        for (long i = 0; i < n / x.count; i += width<T>(0), raw += width<T>(0)) {
            T pack;
            put_pack(pack, raw, 0);
            x.first[k].write(pack);
        }
}
template <class T> static bool left(T *x, const long long *raw, long n, long jet, const char *name) {
    for (long i = 0; i < n; i++)
        if (get(x[i]) != raw[i]) return wrong(@OVERWRITTEN@, jet, name, i);
    return true;
}
template <class T> static bool left(Streams<T> x, const long long *, long, long jet, const char *name) {
    for (long k = 0; k < x.count; k++)
        if (!x.first[k].empty()) return wrong(@UNDRAINED@, jet, name, (long)x.first[k].size() * width<T>(0));
    return true;
}
template <class T> static void spoil(T *x, long long raw, long n) {
    for (long i = 0; i < n; i++) put(x[i], raw + i);
}
template <class T> static void spoil(Streams<T>, long long, long) {}
template <class T> static bool store(T *x, long long *raw, long n, long, const char *) {
    for (long i = 0; i < n; i++) raw[i] = get(x[i]);
    return true;
}
template <class T> static bool store(Streams<T> x, long long *raw, long n, long jet, const char *name) {
    for (long k = 0; k < x.count; k++) {
        const long found = (long)x.first[k].size() * width<T>(0);
        if (found != n / x.count) return wrong(@MISCOUNTED@, jet, name, found);
        for (long i = 0; i < found; i += width<T>(0), raw += width<T>(0)) {
            T pack = x.first[k].read();
            get_pack(pack, raw, 0);
        }
    }
    return true;
}

// The program's own variables that can be written: whoever writes there keeps something from jet to jet.
struct Statics {
    char *begin = nullptr;
    size_t size = 0;
    std::vector<char> before;
    static int find(dl_phdr_info *info, size_t, void *into) {
        for (int i = 0; i < info->dlpi_phnum; i++) {
            const auto &part = info->dlpi_phdr[i];
            if (part.p_type != PT_LOAD || !(part.p_flags & PF_W)) continue;
            ((Statics *)into)->begin = (char *)info->dlpi_addr + part.p_vaddr;
            ((Statics *)into)->size = part.p_memsz;
        }
        return 1;  // the program itself comes first
    }
    void remember() { before.assign(begin, begin + size); }
    long changed() const {
        if (!std::memcmp(before.data(), begin, size)) return -1;
        size_t i = 0;
        while (before[i] == begin[i]) i++;
        return (long)i;
    }
};
}
"""

_MAIN = r"""
static void l1emu_load_weights() {
@LOADS@
}
@CALLS@
namespace l1emu_foreign {
// What a function finds in variables that it does not set: other numbers from jet to jet.
static __attribute__((noinline)) void scribble(long jet) {
    volatile unsigned char stack[1 << 18];
    for (size_t i = 0; i < sizeof stack; i++) stack[i] = (unsigned char)((jet + 1) * 37);
}
template <class C> static bool one(C &call, const long long *in, long long *out, long jets, long jet, bool spoiled) {
    call.l1emu_take(in, jets, jet);
    if (spoiled) {
        call.l1emu_spoil(jet % 2 ? -jet : jet * 12345);
        scribble(jet);
    }
    call.l1emu_call();
    return call.l1emu_check(in, jets, jet) && call.l1emu_give(out, jets, jet);
}
template <class C> static void all(C *&kept, Statics &statics, long long *data, long jets, long flags) {
    const bool first = !kept;
    if (first) kept = new C();
    long long *out = data + jets * C::l1emu_inputs;
    bool good = true;
    if (first && jets) good = one(*kept, data, out, jets, 0, false);  // tables are made by a first call
    statics.remember();
    for (long jet = 0; good && jet < jets; jet++) {
        good = one(*kept, data, out, jets, jet, flags & @SPOILED@);
        header[@PROGRESS@] = jet + 1;
    }
    header[@CHANGED@] = statics.changed();
}
}

int main(int argc, char **argv) {
    using namespace l1emu_foreign;
    if (argc != 5) return 3;
    const size_t bytes = std::atol(argv[2]);
    const int orders = std::atoi(argv[3]), done = std::atoi(argv[4]);
    void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, std::atoi(argv[1]), 0);
    if (memory == MAP_FAILED) return 3;
    header = (long long *)memory;
    l1emu_load_weights();
    Statics statics;
    dl_iterate_phdr(Statics::find, &statics);
@KEPT@
    long long order[3];
    char byte = 0;
    while (read(orders, order, sizeof order) == (ssize_t)sizeof order) {
        header[@PROGRESS@] = header[@STATUS@] = 0;
        long long *data = (long long *)((char *)memory + @HEADER@);
        switch (order[0]) {
@CASES@
        }
        if (write(done, &byte, 1) != 1) break;
    }
    _exit(0);
}
"""


@dataclass(frozen=True)
class Port:
    """An argument of a call that carries data: its tensor, the C++ that declares it, and its name there.

    `streams` counts the streams that it is made of, 0 of an array.
    """

    tensor: Tensor
    declaration: str
    name: str
    streams: int = 0


@dataclass(frozen=True)
class CallText:
    """A call in C++, a whole statement, with what goes in and comes out.

    `others` declares arguments that carry no data.
    """

    code: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    others: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Numbers a jet, in and out."""
        return sum(port.tensor.size for port in (*self.inputs, *self.outputs))


def _filled(text: str, values: dict[str, object]) -> str:
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    return text


_PLACES: dict[str, object] = {
    "STATUS": STATUS,
    "JET": JET,
    "FOUND": FOUND,
    "NAME": NAME,
    "OVERWRITTEN": OVERWRITTEN,
    "UNDRAINED": UNDRAINED,
    "MISCOUNTED": MISCOUNTED,
    "SPOILED": SPOILED,
    "PROGRESS": PROGRESS,
    "CHANGED": CHANGED,
    "HEADER": HEADER,
}


def program_text(include: str, calls: list[CallText], loads: list[str], ports: list[str], spaces: list[str]) -> str:
    """The program.

    Parameters
    ----------
    include
        The file that declares all that the calls use.
    loads
        Statements that load weights.
    ports
        Declarations of arrays that they are loaded into.
    spaces
        Namespaces whose names are used without them.
    """
    numbers = range(len(calls))
    values: dict[str, object] = {
        "LOADS": "\n".join(f"    {line}" for line in loads),
        "CALLS": "".join(_call(number, call) for number, call in enumerate(calls)),
        "KEPT": "\n".join(f"    l1emu_call_{n} *l1emu_kept_{n} = nullptr;" for n in numbers),
        "CASES": "\n".join(
            f"            case {n}: all(l1emu_kept_{n}, statics, data, order[1], order[2]); break;" for n in numbers
        ),
    }
    used = "".join(f"using namespace {space};\n" for space in spaces)
    helpers = _filled(_HELPERS, _PLACES | {"FLAT": FLAT})
    declared = "".join(f"static {line};\n" for line in ports)
    return f'#include "{include}"\n{helpers}{used}{declared}{_filled(_MAIN, values | _PLACES)}'


def _call(number: int, call: CallText) -> str:
    """A struct whose members are the call's arguments, so that the call stands in it as in the top function."""
    lines = [f"struct l1emu_call_{number} {{"]
    lines += [f"    {port.declaration};" for port in (*call.inputs, *call.outputs)]
    lines += [f"    {line};" for line in call.others]
    lines += [f"    static const long l1emu_inputs = {sum(p.tensor.size for p in call.inputs)};"]
    lines += [f"    __attribute__((noinline)) void l1emu_call() {{ {call.code} }}"]
    take, check, give, spoiled = [], [], [], []
    position = 0
    for port in call.inputs:
        n = port.tensor.size
        place, flat = f"l1emu_raw + {position} * l1emu_jets + l1emu_jet * {n}", f"l1emu_foreign::flat({port.name})"
        take.append(f"l1emu_foreign::load({flat}, {place}, {n});")
        check.append(f'if (!l1emu_foreign::left({flat}, {place}, {n}, l1emu_jet, "{port.name}")) return false;')
        position += n
    position = 0
    for port in call.outputs:
        n = port.tensor.size
        place, flat = f"l1emu_raw + {position} * l1emu_jets + l1emu_jet * {n}", f"l1emu_foreign::flat({port.name})"
        give.append(f'if (!l1emu_foreign::store({flat}, {place}, {n}, l1emu_jet, "{port.name}")) return false;')
        spoiled.append(f"l1emu_foreign::spoil({flat}, l1emu_value, {n});")
        position += n
    parameters = "l1emu_raw, long l1emu_jets, long l1emu_jet"
    lines += [f"    void l1emu_take(const long long *{parameters}) {{ {' '.join(take)} }}"]
    lines += [f"    bool l1emu_check(const long long *{parameters}) {{ {' '.join(check)} return true; }}"]
    lines += [f"    bool l1emu_give(long long *{parameters}) {{ {' '.join(give)} return true; }}"]
    lines += [f"    void l1emu_spoil(long long l1emu_value) {{ {' '.join(spoiled)} }}", "};", ""]
    return "\n".join(lines)
