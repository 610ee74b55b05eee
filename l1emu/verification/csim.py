"""The project's own C++, compiled with g++ and run: the oracle of every comparison.

The sources are copied into a cache folder, where the copy of the top function gets a few lines that write out every
variable as raw integers. The user's folder is only read. Compiler and program run as `l1emu.verification.child` runs
them: whatever the C++ does, it ends that process and not Python. What it prints is not read; its numbers come back in a
file that has no name.

The cache is ``$L1EMU_CACHE_DIR/csim`` if that variable is set, else ``csim`` in the user's cache folder for l1emu;
programs are kept by the hash of their sources and can be deleted at any time. Where others may write to that folder, or
nobody, programs are built in a temporary folder and not kept.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from l1emu.caches import cache_root
from l1emu.errors import L1emuError
from l1emu.files import folder_aside, read_text, scratch_folder, sha256_bytes, sha256_file
from l1emu.firmware.cpp import Function, Place, Token, declaration, split, statements, template_end, text_of
from l1emu.firmware.project import Project
from l1emu.firmware.reader import read_project
from l1emu.fixedpoint import FixedPoint
from l1emu.layers import Reshape
from l1emu.trust import make_private_folder, private_file, private_folder
from l1emu.verification.child import Ended, Limits, run

_COMPILER = "g++"
_FLAGS = ("-std=c++17", "-w", "-fmax-errors=1")
_LARGEST = 1 << 30
"""Bytes of a project's files, and of any file that the compiler writes."""
_SCRIBBLED = 1 << 26
"""Bytes of any file that the program writes, unless its numbers take more."""
_MISCOUNTED = re.compile(r"ERROR: Expected \d+ values but read only \d+ values")
"""What hls4ml's loader says of too short a file of weights, before it goes on."""
_STREAM = "hls::stream<"

_DUMP = """#include <cstdio>
#include <cstdlib>
#include <type_traits>
static std::FILE *l1emu_dump_file = nullptr;
// A type of more than 64 bits must hold a number that fits 64.
template <class T> static long long l1emu_low_bits(const T &value) {
    if constexpr (T::width > 64) {
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
template <class T> static void l1emu_dump(hls::stream<T> &stream, const char *name, long count) {
    if (!l1emu_dump_file) return;
    const long packs = (long)stream.size();
    if (packs * (long)T::size != count) {
        std::fprintf(stderr, "ERROR: the stream %s holds %ld numbers, not %ld\\n", name, packs * (long)T::size, count);
        std::exit(4);
    }
    for (long i = 0; i < packs; i++) {
        T pack = stream.read();
        l1emu_dump(&pack[0], T::size);
        stream.write(pack);
    }
}
"""

# Names begin with l1emu_ and the arguments have a namespace of their own: an input may be called `jet` or `y1`.
_MAIN = """
#include <chrono>
#include <cstdlib>
#include <vector>

namespace l1emu_arguments {
@ARGUMENTS@
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
    double l1emu_seconds = 0;
    for (long l1emu_jet = 0; l1emu_jet < l1emu_jets; l1emu_jet++) {
        const size_t l1emu_count = l1emu_buffer.size();
        if (std::fread(l1emu_buffer.data(), sizeof(double), l1emu_count, l1emu_in) != l1emu_count)
            l1emu_fail("the inputs cannot be read");
        const double *l1emu_next = l1emu_buffer.data();
@FILL@
        l1emu_dump_file = l1emu_trace ? l1emu_out : nullptr;
        const auto l1emu_start = std::chrono::steady_clock::now();
        @CALL@;
        l1emu_seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - l1emu_start).count();
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
class Variable:
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


def cache_folder() -> Path:
    """Where compiled C simulations are kept.

    Raises
    ------
    L1emuError
        if the environment names no folder, and the user has no home.
    """
    root = cache_root()
    if root is None:
        raise L1emuError("there is no home folder for compiled C++", expected="L1EMU_CACHE_DIR in its place")
    return root / "csim"


def private_cache() -> Path | None:
    """The folder in which programs are kept, created if need be; None where nobody, or somebody else, may write."""
    try:
        folder = cache_folder()
        if not make_private_folder(folder):
            return None
        folder.chmod(0o700)  # what lies in it was made by compilers, whatever permissions those give
    except (OSError, L1emuError):
        return None
    return folder if os.access(folder, os.W_OK) else None


def _installed_types() -> Path | None:
    """The open fixed-point headers of the installed hls4ml, which is not imported; None without it."""
    found = importlib.util.find_spec("hls4ml")
    folder = Path(found.origin).parent / "templates" / "vivado" / "ap_types" if found and found.origin else None
    return folder if folder is not None and folder.is_dir() else None


class CSim:
    """The C simulation of an hls4ml project.

    Parameters
    ----------
    project
        The folder that hls4ml wrote.
    optimization
        The compiler's level: ``-O1`` compiles fastest for one-off comparisons, ``-O3`` is what hls4ml uses.
    unset_is_zero
        Let numbers that the C++ declares and never sets be 0; otherwise they are what the stack holds there, which
        differs from run to run.
    limits
        What the compiler and the program may take.

    Raises
    ------
    L1emuError
        if there is no g++, if the C++ does not compile (with the compiler's first error) or not within the limits, or
        if the project's top function cannot be understood.
    """

    def __init__(
        self,
        project: str | os.PathLike[str],
        *,
        optimization: str = "-O1",
        unset_is_zero: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self._limits = Limits() if limits is None else limits
        self._project = Project(project)
        function, body = self._project.top()
        self._parameters, self._sizes = self._project.parameters(function)
        self._declared = [text_of(parameter) for parameter in self._parameters]
        if any(declared.startswith(_STREAM) for declared in self._declared):
            self._find_streams(body)
        else:
            self._find_arrays(function, body)
        if not self.inputs or not self.outputs:
            raise function.place.error("the top function's inputs and outputs were not found")
        self.jets_per_second = float("nan")
        self._program = self._built(optimization, unset_is_zero)

    def run(self, x: npt.ArrayLike | Sequence[npt.ArrayLike] | Mapping[str, npt.ArrayLike]) -> dict[str, np.ndarray]:
        """The outputs of the top function for floating-point inputs.

        Parameters
        ----------
        x
            float64 array (jets, ...) in the input's shape or flat; for several inputs a list in the top function's
            order, or a dict by name.

        Returns
        -------
        dict
            float64 arrays (jets, *shape) by the output's C++ name.

        Raises
        ------
        L1emuError
            if the inputs do not fit, or the program crashes, ends before its end or exceeds its limits.
        """
        raw = self._execute(x, "run", self.outputs)
        return {v.name: v.type.to_float(raw[v.name]) for v in self.outputs}

    def trace(self, x: npt.ArrayLike | Sequence[npt.ArrayLike] | Mapping[str, npt.ArrayLike]) -> dict[str, np.ndarray]:
        """Every array of the top function as raw integers: its arguments, inputs included, and its variables.

        Returns
        -------
        dict
            int64 arrays (jets, *shape) by the C++ name of the variable.

        Raises
        ------
        L1emuError
            as `run` does.
        """
        return self._execute(x, "trace", self.variables)

    def _find_arrays(self, function: Function, body: list[Token]) -> None:
        """The arrays of the top function: dumped before its closing brace, states before the cell overwrites them."""
        place = function.place
        arguments = [self._variable([*p, Token("op", ";", place.line)]) for p in self._parameters]
        reads = _first_uses(self._project.source, body)
        self._arguments = tuple(arguments)
        self.inputs = tuple(v for v in arguments if reads.get(v.name, True))  # also those that nothing reads
        self.outputs = tuple(v for v in arguments if not reads.get(v.name, True))
        states = _first_states(self._project.source, body)
        declared = (*self._arguments, *self._locals(body))
        dumps = [(states.get(variable.name, function.end), variable) for variable in declared]
        self._dumps = sorted(dumps, key=lambda dump: dump[0])
        self.variables = tuple(variable for _, variable in self._dumps)

    def _find_streams(self, body: list[Token]) -> None:
        """The streams of the top function: each is dumped when it has been written, before anybody reads it."""
        firmware = read_project(self._project.root)
        written = [layer.output for layer in firmware.layers if not isinstance(layer, Reshape)]  # views are no streams
        tensors = {t.name: t for t in (*firmware.inputs, *written)}
        streams = {name: Variable(name, t.shape, t.type, stream=True) for name, t in tensors.items()}
        self.inputs = tuple(streams[tensor.name] for tensor in firmware.inputs)
        self.outputs = tuple(streams[tensor.name] for tensor in firmware.outputs)
        arguments = {v.name: v for v in (*self.inputs, *self.outputs)}
        self._arguments = tuple(arguments[declared.split()[-1]] for declared in self._declared)
        self._dumps = [(body[0].start, variable) for variable in self.inputs]
        seen = {variable.name for variable in self.inputs}
        for statement in statements([t for t in body if t.kind != "comment"], self._project.source):
            if [token.text for token in statement[:2]] != ["nnet", "::"]:
                continue
            end = template_end(statement, 3, self._project.source)
            for name in [text_of(part) for part in split(statement[end + 2 : -2])]:
                if name in streams and name not in seen:
                    seen.add(name)
                    self._dumps.append((statement[-1].start + 1, streams[name]))
        self.variables = tuple(variable for _, variable in self._dumps)

    def _variable(self, tokens: list[Token]) -> Variable:
        place = Place(self._project.source, tokens[0].line)
        found = declaration(tokens, place.path)
        if found is None or found[1].kind != "array":
            raise place.error("neither an array nor a stream of fixed-point numbers", text_of(tokens))
        kind = self._project.type(found[1].type, place)
        return Variable(found[0], self._project.shape(found[1].size, place), kind)

    def _locals(self, body: list[Token]) -> list[Variable]:
        """The arrays that the top function declares, in its order."""
        found: list[Variable] = []
        for statement in statements([t for t in body if t.kind != "comment"], self._project.source):
            texts = [token.text for token in statement]
            if "return" in texts:
                raise Place(self._project.source, statement[0].line).error("a top function that returns early")
            if texts[-2:] == ["]", ";"] and "(" not in texts:
                found.append(self._variable(statement))
        return found

    def _patched(self) -> str:
        """The top function's file with the dumps."""
        text = read_text(self._project.source)
        parts, start = [], 0
        for position, variable in self._dumps:
            parts += [text[start:position], f"\n    {_dump_call(variable, variable.name)}\n"]
            start = position
        return "".join([*parts, text[start:]])

    def _main(self) -> str:
        fill, declarations = [], []
        for variable, declared in zip(self._arguments, self._declared, strict=True):
            name = f"l1emu_arguments::{variable.name}"
            if variable.stream:
                kind = declared.removeprefix(_STREAM)[: -len(f"> & {variable.name}")].strip()
                declarations.append(f"static hls::stream<{kind}> {variable.name};")
                line = (
                    f"for (long l1emu_i = 0; l1emu_i < {variable.size} / (long){kind}::size; l1emu_i++) {{\n"
                    f"            {kind} l1emu_pack;\n"
                    f"            for (long l1emu_j = 0; l1emu_j < (long){kind}::size; l1emu_j++)\n"
                    f"                l1emu_pack[l1emu_j] = {kind}::value_type(*l1emu_next++);\n"
                    f"            {name}.write(l1emu_pack);\n        }}"
                )
            else:
                kind = declared[: declared.rindex(f" {variable.name}[")] if variable in self.inputs else ""
                declarations.append(f"static {declared};")
                line = (
                    f"for (long l1emu_i = 0; l1emu_i < {variable.size}; l1emu_i++)\n"
                    f"            {name}[l1emu_i] = {kind}(*l1emu_next++);"
                )
            if variable in self.inputs:
                fill.append(f"        {line}")
        declarations += [f"static unsigned short {name};" for name in self._sizes]
        names = [*(v.name for v in self._arguments), *self._sizes]
        arguments = ", ".join(f"l1emu_arguments::{name}" for name in names)
        outputs = [f"            {_dump_call(v, f'l1emu_arguments::{v.name}')}" for v in self.outputs]
        names = [f"l1emu_arguments::{v.name}" for v in self.outputs if v.stream]
        filled = {
            "@INPUT_SIZE@": str(sum(v.size for v in self.inputs)),
            "@ARGUMENTS@": "\n".join(declarations),
            "@FILL@": "\n".join(fill),
            "@CALL@": f"{self._project.qualified_name}({arguments})",
            "@OUTPUTS@": "\n".join(outputs),
            "@EMPTY@": "\n".join(f"        while (!{name}.empty()) {name}.read();" for name in names),
        }
        text = _MAIN
        for key, value in filled.items():
            text = text.replace(key, value)
        spaces = "".join(f"using namespace {name};\n" for name in self._project.namespaces)
        dump = _DUMP + (_DUMP_STREAM if any(v.stream for v in self.variables) else "")
        return f'{dump}#include "{self._project.source.name}"\n{spaces}{text}'

    def _sources(self) -> dict[Path, Path]:
        """The files that the compiler and the program read, by their place relative to the firmware folder."""
        folder = self._project.firmware
        kinds = (".h", ".cpp", ".txt", ".hpp")
        found = {p.relative_to(folder): p for p in folder.rglob("*") if p.is_file() and p.suffix in kinds}
        if not (folder / "ap_types").is_dir():
            types = _installed_types()
            if types is None:
                expected = "this folder, or hls4ml installed, which has it"
                raise L1emuError("no folder ap_types/ with the fixed-point headers", path=folder, expected=expected)
            found |= {Path("ap_types") / p.relative_to(types): p for p in types.rglob("*") if p.suffix in kinds}
        return dict(sorted(found.items()))

    def _built(self, optimization: str, unset_is_zero: bool) -> Path:
        """The program, from the cache or compiled now."""
        compiler = shutil.which(_COMPILER)
        if compiler is None:
            raise L1emuError("g++ is needed to compile the project's C++, and was not found")
        sources = self._sources()
        size = sum(source.stat().st_size for source in sources.values())
        if size > _LARGEST:
            found = f"{size:,} bytes"
            raise L1emuError("too large to be compiled", path=self._project.root, value=found, expected="1 GiB or less")
        command = [os.path.abspath(compiler), optimization, *_FLAGS, "-Iap_types", "-I.", "l1emu_main.cpp"]
        texts = {self._project.source.name: self._patched(), "l1emu_main.cpp": self._main()}
        place = private_cache()
        if place is None:
            kept = ExitStack()
            folder = kept.enter_context(scratch_folder("l1emu-csim"))
            weakref.finalize(self, kept.close)
            self._compile(command, folder, sources, texts, unset_is_zero)
            return folder / "csim"
        version = self._compiled([command[0], "-v"], place)
        identity = [*version.said, *command[1:], *texts.values(), str(unset_is_zero)]
        identity += [f"{path} {sha256_file(source)}" for path, source in sources.items()]
        target = place / sha256_bytes("\n".join(identity).encode())[:32]
        program = target / "csim"
        if not (private_folder(target) and private_file(program)):
            with folder_aside(target) as aside:
                self._compile(command, aside, sources, texts, unset_is_zero)
            target.chmod(0o700)
        return program

    def _compile(
        self, command: list[str], folder: Path, sources: dict[Path, Path], texts: dict[str, str], unset_is_zero: bool
    ) -> None:
        """Put the program `csim` into a folder: from copies of `sources`, by place in it, with `texts` over them."""
        try:
            for path, source in sources.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, folder / path)
            for name, text in texts.items():
                (folder / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise L1emuError(f"the project's C++ cannot be copied: {error.strerror or error}", path=folder) from None
        if unset_is_zero:
            self._set_to_zero(folder / "ap_types" / "etc" / "ap_private.h")
        self._compiled([*command, "-o", "csim"], folder)
        if not (folder / "csim").is_file():
            raise L1emuError("g++ has written no program", path=self._project.root)

    def _compiled(self, command: list[str], folder: Path) -> Ended:
        """How the compiler ended; not without success."""
        seconds = self._limits.seconds * Limits.BUILD
        # messages in English, and the compiler's own files in the folder that is removed after an error
        environment = os.environ | {"LC_ALL": "C", "TMPDIR": str(folder)}
        memory = self._limits.memory
        done = run(command, folder, seconds=seconds, memory=memory, file=_LARGEST, environment=environment)
        if done.code is None:
            raise L1emuError(f"g++ took longer than {seconds:g} s", path=self._project.root)
        if done.code != 0:
            lines = [line for line in done.said if "error:" in line] or done.said
            message = lines[0] if lines else done.how
            raise L1emuError(f"the project's C++ does not compile: {message}", path=self._project.root)
        return done

    def _set_to_zero(self, header: Path) -> None:
        """Give the numbers of up to 64 bits in this copy of the headers a 0 where they are declared."""
        declared = "INLINE ap_private() {"
        text = read_text(header)
        if declared not in text:
            raise L1emuError("the default constructor of numbers was not found", path=header, expected=declared)
        header.write_text(text.replace(declared, "INLINE ap_private() : VAL(0) {", 1), encoding="utf-8")

    def _execute(
        self,
        x: npt.ArrayLike | Sequence[npt.ArrayLike] | Mapping[str, npt.ArrayLike],
        mode: str,
        variables: Sequence[Variable],
    ) -> dict[str, np.ndarray]:
        data = self._flat(x)
        jets, width = len(data), sum(v.size for v in variables)
        expected = 8 * (jets * width + 1)  # the last number is a time
        try:
            with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as result:
                data.tofile(source)
                source.seek(0)
                files = [source.fileno(), result.fileno()]
                done = run(
                    [self._program, str(jets), mode, *map(str, files)],
                    self._program.parent,  # the C++ looks for weights/ there
                    seconds=self._limits.seconds,
                    memory=self._limits.memory,
                    file=max(expected, _SCRIBBLED),
                    keep=files,
                    progress=lambda: os.fstat(files[1]).st_size,
                )
                size = os.fstat(files[1]).st_size
                self._check(done, jets, min(size // (8 * width), jets))
                if size != expected:
                    raise L1emuError("the C simulation wrote another amount of data", path=self._project.root)
                result.seek(0)
                raw = np.fromfile(result, dtype=np.int64, count=jets * width)
                seconds = float(np.fromfile(result, dtype=np.float64, count=1)[0])
        except OSError as error:
            message = f"the C simulation's data cannot be written: {error.strerror or error}"
            raise L1emuError(message, path=tempfile.gettempdir()) from None
        self.jets_per_second = jets / seconds if seconds > 0 else float("nan")
        table = raw.reshape(jets, width)
        found: dict[str, np.ndarray] = {}
        start = 0
        for variable in variables:
            block = table[:, start : start + variable.size]
            found[variable.name] = block.reshape(jets, *variable.shape)
            start += variable.size
        return found

    def _check(self, done: Ended, jets: int, written: int) -> None:
        """Raise unless the program came to its end, with the numbers of `written` jets."""
        failed = next((line for line in done.said if _MISCOUNTED.search(line)), None)
        if done.code == 0 and failed is None and written == jets:
            return
        how = done.how
        if done.code is None:
            how = f"{how}, more than {self._limits.seconds:g} s"
        failed = failed or (done.said[-1] if done.said else "nothing on its error output")
        message = f"the C simulation failed ({how}, after {written} of {jets} jets): {failed}"
        memory = f"a program within {self._limits.memory / 2**30:g} GiB" if "bad_alloc" in failed else None
        raise L1emuError(message, path=self._project.root, expected=memory)

    def _flat(
        self, x: npt.ArrayLike | Sequence[npt.ArrayLike] | Mapping[str, npt.ArrayLike]
    ) -> npt.NDArray[np.float64]:
        if isinstance(x, Mapping):
            names = [v.name for v in self.inputs]
            if sorted(x) != sorted(names):
                raise L1emuError("the inputs' names do not fit", value=sorted(x), expected=", ".join(names))
            parts = [np.asarray(x[name], dtype=np.float64) for name in names]
        elif isinstance(x, list | tuple) and len(self.inputs) > 1:
            parts = [np.asarray(part, dtype=np.float64) for part in x]
        else:
            parts = [np.asarray(x, dtype=np.float64)]
        if len(parts) != len(self.inputs):
            raise L1emuError("one array per input is needed", value=len(parts), expected=str(len(self.inputs)))
        for part, variable in zip(parts, self.inputs, strict=True):
            if part.ndim < 2 or part.size != len(part) * variable.size or len(part) != len(parts[0]):
                raise L1emuError(
                    "an input has the wrong shape",
                    where=variable.name,
                    value=part.shape,
                    expected=f"(jets, {', '.join(map(str, variable.shape))})",
                )
        flat = [part.reshape(len(part), v.size) for part, v in zip(parts, self.inputs, strict=True)]
        return np.concatenate(flat, axis=1)


def _dump_call(variable: Variable, name: str) -> str:
    if variable.stream:
        return f'l1emu_dump({name}, "{variable.name}", {variable.size});'
    return f"l1emu_dump(&{name}[0], {variable.size});"


def _first_uses(path: Path, body: list[Token]) -> dict[str, bool]:
    """For each name that a kernel gets, whether its first use reads it.

    Kernels of hls4ml take their data first (two tensors if there are three arguments) and their result after it.
    """
    reads: dict[str, bool] = {}
    tables = ("embedding", "unary_lut")  # whose third argument is weights
    for statement in statements([t for t in body if t.kind != "comment"], path):
        texts = [token.text for token in statement]
        if texts[0] == "for":  # over time steps
            inner = _first_uses(path, statement[texts.index("{") + 1 : -1])
            reads = inner | reads
            continue
        if texts[:2] == ["auto", "&"]:
            reads.setdefault(texts[4], True)
        if texts[1:2] != ["::"] or texts[3:4] != ["<"] or texts[0] == "hls":
            continue
        end = template_end(statement, 3, path)
        arguments = [text_of(part) for part in split(statement[end + 2 : -2])]
        if "_time_step_" in texts[2]:  # the first is the number of the step
            arguments = [arguments[1], "", arguments[2]]
        for i, name in enumerate(arguments):
            two = texts[2] == "multiheadattention" or (len(arguments) == 3 and texts[2] not in tables)
            state = i <= _STATES.get((texts[2], len(arguments)), 0)
            reads.setdefault(name, i == 0 or (i == 1 and two) or state)
    return reads


# how many first states a cell reads, and overwrites, with so many arguments
_STATES = {("gru_stack", 7): 1, ("lstm_stack", 8): 2}


def _first_states(path: Path, body: list[Token]) -> dict[str, int]:
    """Where the call begins that takes an array for a cell's first state, by the array's name."""
    found: dict[str, int] = {}
    for statement in statements([t for t in body if t.kind != "comment"], path):
        texts = [token.text for token in statement]
        if texts[:2] == ["nnet", "::"] and texts[2] in ("gru_stack", "lstm_stack"):
            end = template_end(statement, 3, path)
            arguments = [text_of(part) for part in split(statement[end + 2 : -2])]
            count = _STATES.get((texts[2], len(arguments)), 0)
            found |= dict.fromkeys(arguments[1 : 1 + count], statement[0].start)
    return found
