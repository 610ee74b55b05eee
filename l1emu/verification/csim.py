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
from pathlib import Path

import numpy as np
import numpy.typing as npt

from l1emu.caches import cache_root
from l1emu.errors import L1emuError
from l1emu.files import folder_aside, read_text, scratch_folder, sha256_bytes, sha256_file
from l1emu.firmware.project import Project
from l1emu.trust import make_private_folder, private_file, private_folder
from l1emu.verification.child import Ended, Limits, run_child
from l1emu.verification.instrument import Instrumented, Traced

_COMPILER = "g++"
_FLAGS = ("-std=c++17", "-w", "-fmax-errors=1")
_LARGEST = 1 << 30
"""Bytes of a project's files, and of any file that the compiler writes."""
_SCRIBBLED = 1 << 26
"""Bytes of any file that the program writes, unless its numbers take more."""
_MISCOUNTED = re.compile(r"ERROR: Expected \d+ values but read only \d+ values")
"""What hls4ml's loader says of too short a file of weights, before it goes on."""


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


def installed_types() -> Path | None:
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
        instrumented = Instrumented(self._project)
        self.inputs, self.outputs = instrumented.inputs, instrumented.outputs
        self.variables = instrumented.variables
        self.jets_per_second = float("nan")
        texts = {self._project.source.name: instrumented.source(), "l1emu_main.cpp": instrumented.main()}
        self._program = self._built(texts, optimization, unset_is_zero)

    def run(
        self, x: npt.ArrayLike | Sequence[npt.ArrayLike] | Mapping[str, npt.ArrayLike]
    ) -> dict[str, npt.NDArray[np.float64]]:
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

    def trace(
        self, x: npt.ArrayLike | Sequence[npt.ArrayLike] | Mapping[str, npt.ArrayLike]
    ) -> dict[str, npt.NDArray[np.int64]]:
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

    def _sources(self) -> dict[Path, Path]:
        """The files that the compiler and the program read, by their place relative to the firmware folder."""
        folder = self._project.firmware
        kinds = (".h", ".cpp", ".txt", ".hpp")
        found = {p.relative_to(folder): p for p in folder.rglob("*") if p.is_file() and p.suffix in kinds}
        if not (folder / "ap_types").is_dir():
            types = installed_types()
            if types is None:
                expected = "this folder, or hls4ml installed, which has it"
                raise L1emuError("no folder ap_types/ with the fixed-point headers", path=folder, expected=expected)
            found |= {Path("ap_types") / p.relative_to(types): p for p in types.rglob("*") if p.suffix in kinds}
        return dict(sorted(found.items()))

    def _built(self, texts: dict[str, str], optimization: str, unset_is_zero: bool) -> Path:
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
        done = run_child(command, folder, seconds=seconds, memory=memory, file=_LARGEST, environment=environment)
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
        variables: Sequence[Traced],
    ) -> dict[str, npt.NDArray[np.int64]]:
        data = self._flat(x)
        jets, width = len(data), sum(v.size for v in variables)
        expected = 8 * (jets * width + 1)  # the last number is a time
        try:
            with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as result:
                data.tofile(source)
                source.seek(0)
                files = [source.fileno(), result.fileno()]
                done = run_child(
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
        found: dict[str, npt.NDArray[np.int64]] = {}
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
