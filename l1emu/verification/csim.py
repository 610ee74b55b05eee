"""The project's own C++, compiled with g++ and run: the oracle of every comparison.

The sources are copied into a cache folder, where the copy of the top function gets a few lines that write out every
variable as raw integers. The user's folder is only read. Compiler and program run as `l1emu.child` runs
them: whatever the C++ does, it ends that process and not Python. What it prints is not read; its numbers come back in a
file that has no name. `l1emu.firmware.foreign.build` says where
programs are kept.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from l1emu.child import Ended, Limits, run_child
from l1emu.errors import L1emuError
from l1emu.files import read_text
from l1emu.firmware.foreign.build import SCRIBBLED, TOO_SHORT, Build
from l1emu.firmware.foreign.program import whole_program
from l1emu.firmware.graph import Graph
from l1emu.firmware.project import Project
from l1emu.verification.instrument import Ends, Instrumented, Traced

_MAIN = "l1emu_main.cpp"


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
    firmware
        What was read of the project, if that was done before.

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
        firmware: Graph | None = None,
    ) -> None:
        self._limits = Limits() if limits is None else limits
        self.jets_per_second = float("nan")
        whole = None if firmware is None else whole_program(firmware)
        if whole is not None:
            ends = Ends(whole)
            self._root, folder, self._mode = whole.root, whole.folder, "run"
            self.inputs, self.outputs, self.variables = ends.inputs, ends.outputs, ends.outputs
            texts = {_MAIN: ends.main()}
        else:
            read = Project(project)
            instrumented = Instrumented(read, firmware)
            self._root, folder, self._mode = read.root, read.firmware, "trace"
            self.inputs, self.outputs = instrumented.inputs, instrumented.outputs
            self.variables = instrumented.variables
            texts = {read.source.name: instrumented.source(), _MAIN: instrumented.main()}
        edit = _set_to_zero if unset_is_zero else None
        build = Build(self._root, folder, texts, _MAIN, (optimization,), self._limits, edit, (str(unset_is_zero),))
        weakref.finalize(self, build.temporary.close)
        self._program = build.program()

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
        return self._execute(x, self._mode, self.variables)

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
                    file=max(expected, SCRIBBLED),
                    keep=files,
                    progress=lambda: os.fstat(files[1]).st_size,
                )
                size = os.fstat(files[1]).st_size
                self._check(done, jets, min(size // (8 * width), jets))
                if size != expected:
                    raise L1emuError("the C simulation wrote another amount of data", path=self._root)
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
        failed = next((line for line in done.said if TOO_SHORT.search(line)), None)
        if done.code == 0 and failed is None and written == jets:
            return
        how = done.how
        if done.code is None:
            how = f"{how}, more than {self._limits.seconds:g} s"
        failed = failed or (done.said[-1] if done.said else "nothing on its error output")
        message = f"the C simulation failed ({how}, after {written} of {jets} jets): {failed}"
        memory = f"a program within {self._limits.memory / 2**30:g} GiB" if "bad_alloc" in failed else None
        raise L1emuError(message, path=self._root, expected=memory)

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


def _set_to_zero(folder: Path) -> None:
    """Give the numbers of up to 64 bits in the copy of the headers there a 0 where they are declared."""
    header = folder / "ap_types" / "etc" / "ap_private.h"
    declared = "INLINE ap_private() {"
    text = read_text(header)
    if declared not in text:
        raise L1emuError("the default constructor of numbers was not found", path=header, expected=declared)
    header.write_text(text.replace(declared, "INLINE ap_private() : VAL(0) {", 1), encoding="utf-8")
