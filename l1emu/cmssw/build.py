"""Compile a driver with CMS's files, and run it: within limits, and in a folder that is removed afterwards."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from l1emu.child import Ended, run_child
from l1emu.cmssw.objects import LARGEST, LIMITS, Compiler, CompilerError
from l1emu.cmssw.stage import CmsStage
from l1emu.cmssw.versions import none_of, other_versions
from l1emu.errors import L1emuError
from l1emu.files import scratch_folder
from l1emu.firmware.foreign.build import installed_types

_HERE = Path(__file__).parent
DRIVERS = _HERE / "drivers"
_MISSING = re.compile(r"fatal error: (\S+): No such file or directory")


def types_folder(given: Path | None) -> Path:
    """The folder with the fixed-point headers `ap_int.h` and `ap_fixed.h`.

    Parameters
    ----------
    given
        By the user; None for those of the installed hls4ml.

    Raises
    ------
    L1emuError
        if they are not there.
    """
    folder = installed_types() if given is None else given
    if folder is None:
        raise L1emuError("the headers ap_int.h and ap_fixed.h are needed", expected="--ap-types DIR, or hls4ml")
    for name in ("ap_int.h", "ap_fixed.h"):
        if not (folder / name).is_file():
            raise L1emuError("no such header", path=folder / name, expected="a folder with the fixed-point headers")
    return folder.resolve()


def missing_files(stage: CmsStage, source: Path) -> list[L1emuError]:
    """An error for each file of cmssw that a stage needs and that is not below `source`."""
    return [
        L1emuError(
            f"this file of cmssw is missing, which the stage {stage.name} needs",
            path=source / file,
            expected="a checkout of cms-sw/cmssw, or a folder with its files at their own places",
        )
        for file in stage.files
        if not (source / file).is_file()
    ]


@dataclass(frozen=True)
class CompiledDriver:
    """A driver that was compiled with CMS's files.

    Attributes
    ----------
    stage
        Its stage.
    path
        The program.
    """

    stage: CmsStage
    path: Path

    def run(self, given: NDArray[np.int64]) -> NDArray[np.int64]:
        """The words that CMS's C++ makes of `given`.

        Raises
        ------
        L1emuError
            if it crashes, takes too long, or reads beyond the words.
        """
        with tempfile.TemporaryFile() as inputs, tempfile.TemporaryFile() as outputs:
            np.ascontiguousarray(given, np.int64).tofile(inputs)
            inputs.seek(0)
            files = [inputs.fileno(), outputs.fileno()]
            done = run_child(
                [self.path, *map(str, files)],
                self.path.parent,
                seconds=LIMITS.seconds,
                memory=LIMITS.memory,
                file=LARGEST,
                keep=files,
            )
            if done.code != 0:
                said = f": {done.said[-1]}" if done.said else ""
                raise L1emuError(f"CMS's C++ of the stage {self.stage.name} ended with {done.how}{said}")
            outputs.seek(0)
            return np.fromfile(outputs, np.int64)


@contextmanager
def built(
    stage: CmsStage, source: Path, types: Path, advance: Callable[[int], None] | None = None
) -> Iterator[CompiledDriver]:
    """A stage's driver, compiled with the files below `source`; it is gone after the block.

    Parameters
    ----------
    stage
        Whose driver it is.
    source
        The folder with CMS's files.
    types
        That of the fixed-point headers.
    advance
        Called with 1 after each file that was compiled: the driver, and the stage's sources.

    Raises
    ------
    L1emuError
        if a file is missing, there is no g++, or it does not compile: then the file is named that has none of the
        stage's functions, or the function of another version than the one that was compared, or else the compiler's
        first error.
    """
    for missing in missing_files(stage, source):
        raise missing
    source = source.resolve()
    options = [f"-D{name}" for name in stage.defines]
    options += [f"-I{folder}" for folder in (_HERE, _HERE / "stand_ins", source, types)]
    with scratch_folder("l1emu-cmssw") as folder:
        compiler = Compiler.found(options, folder)
        objects = []
        try:
            for file in (DRIVERS / f"{stage.name}.cpp", *(source / file for file in stage.sources)):
                objects.append(compiler.object_of(file))
                if advance is not None:
                    advance(1)
            program = compiler.linked(objects, stage.name)
        except CompilerError as error:
            raise _explained(error.ended, stage, source) from None
        yield CompiledDriver(stage, program)


def _explained(done: Ended, stage: CmsStage, source: Path) -> L1emuError:
    """Why a stage does not compile."""
    for line in done.said:
        missing = _MISSING.search(line)
        if missing:
            return L1emuError(
                f"this file of cmssw is missing, which the stage {stage.name} includes", path=source / missing[1]
            )
    for file, functions in stage.functions.items():
        if none_of(source / file, functions):
            return L1emuError(
                f"not the C++ of cmssw: none of the functions of the stage {stage.name} is in it",
                path=source / file,
                expected=f"{next(iter(functions))}, say",
            )
    for file, function in other_versions(source, stage.functions):
        return L1emuError(f"function {function}: another version than the one compared", path=source / file)
    lines = [line for line in done.said if "error:" in line] or done.said or [done.how]
    return L1emuError(f"CMS's C++ of the stage {stage.name} does not compile: {lines[0]}", path=source)
