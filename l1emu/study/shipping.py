"""Kernels compiled beforehand, for processors that need not be here: a folder that is sent to where jobs run.

What a study compiles beyond the emulator's kernels depends on its menu and its samples. It is found by running the
study once, in a process of its own; of one whose samples are large, by the first crossings of each, as shards of a
batch count them: nobody runs it in one piece. Then there is a process for each processor, as numba compiles for one
alone, which compiles the same functions for the same types, and runs none of them.
"""

from __future__ import annotations

import json
import os
import pickle
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l1emu.caches import KERNEL_CACHE, KERNELS, KERNELS_FILE, SCORE_CACHE
from l1emu.children import bound
from l1emu.errors import L1emuError
from l1emu.files import folder_aside, scratch_folder, write_json
from l1emu.firmware import Firmware
from l1emu.outputs import refuse_to_replace
from l1emu.processor import VARIABLE, check_levels, pin_processor, processor_levels, reached_levels
from l1emu.progress import progress
from l1emu.study.config import StudyFile, read_study
from l1emu.trust import make_private_folder
from l1emu.version import __version__

_WHOLE, _FIRST = 500_000, 5_000
"""Crossings of a study that is run as a whole; of each sample of a larger one that are counted."""
_STUDIES = (".yaml", ".yml")
_VERSION = 1
_FOUND, _CACHE, _ERROR = "signatures", "cache", "error.json"
_RUN = "import sys; from l1emu.study.shipping import compile_in_child; compile_in_child(*sys.argv[1:])"
_REHEARSE, _COMPILE, _HERE = "rehearse", "compile", ""
_HIDDEN = (VARIABLE, KERNELS, "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")


@dataclass(frozen=True)
class ShippedKernels:
    """A folder of compiled kernels.

    Attributes
    ----------
    folder
        Where it is.
    functions
        How many compiled functions there are for each processor, the best one first.
    size
        Bytes of all of them.
    of
        What they were compiled for: the study's or the firmware's name.
    """

    folder: Path
    functions: Mapping[str, int]
    size: int
    of: str


def compile_kernels(
    what: str | os.PathLike[str] | None, output: str | os.PathLike[str], processors: Sequence[str] = ()
) -> ShippedKernels:
    """Compile what a job needs, for these processors, into a folder that can be sent to it.

    There it is used as `L1EMU_KERNELS`, or as `L1EMU_CACHE_DIR`, see `l1emu.processor`.

    Parameters
    ----------
    what
        A study in YAML, None for the embedded one: all that running it compiles or, of more than half a million
        crossings, what the shards of its batch compile. Or a firmware's file or project: the kernels of its emulator.
    output
        The folder; an older one of this kind is replaced when the new one is whole.
    processors
        Levels of `l1emu.processor`; all of this architecture by default.

    Raises
    ------
    L1emuError
        if one of them is not of this architecture, the study or the firmware is wrong, the study cannot be run, or
        `output` is something else.
    """
    folder, levels = Path(output), tuple(processors) or processor_levels()
    check_levels(levels, "--for")
    refuse_to_replace(folder, KERNELS_FILE)
    ordered = [name for name in processor_levels() if name in levels]
    path = None if what is None else Path(what)
    name = _named(path)
    with scratch_folder("l1emu-kernels") as scratch:
        if not make_private_folder(scratch / _CACHE):
            raise L1emuError(
                "others can write into the folder for temporary files",
                path=scratch.parent,
                expected="TMPDIR, a folder of this user or root, or one with the sticky bit",
            )
        functions = _compiled_for(ordered, path, scratch)
        files = list((scratch / _CACHE).rglob("*.nbc"))
        (key,) = {file.parent.name for file in files}
        with folder_aside(folder) as aside:
            (aside / key).mkdir(mode=0o755)
            for file in files:
                shutil.copyfile(file, aside / key / file.name)
            versions = {"l1emu": __version__, "python": platform.python_version(), "machine": platform.machine()}
            document = {"version": _VERSION, "key": key, "of": name, "processors": ordered, "functions": functions}
            write_json(aside / KERNELS_FILE, document | {"versions": versions})
        return ShippedKernels(folder, functions, sum(file.stat().st_size for file in files), name)


def _named(path: Path | None) -> str:
    """The name of a study or a firmware, which is read: a wrong one is refused before anything long begins."""
    return read_study(path).study.name if _is_study(path) else Firmware.read(str(path)).name


def _is_study(path: Path | None) -> bool:
    return path is None or path.suffix.lower() in _STUDIES


def _compiled_for(levels: Sequence[str], path: Path | None, scratch: Path) -> dict[str, int]:
    """Fill the cache in `scratch`; the number of functions by level."""
    place = "" if path is None else str(path.absolute())
    functions: dict[str, int] = {}
    with progress("compiling kernels", len(levels) + 1) as advance:
        reached = next((level for level in levels if level in reached_levels()), _HERE)
        if _is_study(path):
            _start(_REHEARSE, reached, place, scratch)
        advance(1)
        # the one whose kernels are there in part comes first: what is new is of the level
        for level in sorted(levels, key=lambda level: level != reached):
            _start(_COMPILE, level, place, scratch)
            functions[level] = sum(1 for _ in (scratch / _CACHE).rglob("*.nbc")) - sum(functions.values())
            advance(1)
    return {level: functions[level] for level in levels}


def _start(task: str, level: str, place: str, scratch: Path) -> None:
    """Run `compile_in_child` in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if name not in _HIDDEN}
    environment[SCORE_CACHE] = "0"  # outputs that were kept before would leave kernels unseen
    environment.pop(KERNEL_CACHE, None)
    if level != _HERE:
        environment["L1EMU_CACHE_DIR"] = str(scratch / _CACHE)
    command = bound([sys.executable, "-c", _RUN, task, level, place, str(scratch)])
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    if (scratch / _ERROR).exists():
        raise L1emuError(**json.loads((scratch / _ERROR).read_text()))
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        which = level or "this processor"
        raise L1emuError(f"compiling for {which} ended with {done.returncode}: {said}", path=place or None)


def compile_in_child(task: str, level: str, place: str, scratch: str) -> None:
    """What a process of `compile_kernels` does.

    Parameters
    ----------
    task
        `rehearse`: run the study, and write down what was compiled; `compile`: compile that for one processor.
    level
        Of the processor; nothing for this one itself, which reaches none of those that are asked for.
    place
        The path of the study or the firmware; nothing for the embedded study.
    scratch
        The folder in which the processes leave what they have for one another.
    """
    path, folder = Path(place) if place else None, Path(scratch)
    with _told(folder / _ERROR):
        if level != _HERE:
            pin_processor(level)
        (_rehearse if task == _REHEARSE else _compile)(path, folder)


@contextmanager
def _told(file: Path) -> Iterator[None]:
    """Leave what is wrong for the parent."""
    try:
        yield
    except L1emuError as error:
        value = error.value if isinstance(error.value, str | int | float | None) else str(error.value)
        told = {"message": error.message, "path": error.path, "where": error.where, "value": value}
        file.write_text(json.dumps(told | {"expected": error.expected}))


def _rehearse(path: Path | None, scratch: Path) -> None:
    from l1emu.compiled import kernel_signatures
    from l1emu.study.measure import load_study_taggers
    from l1emu.study.parts import PartOfSample, measure_part
    from l1emu.study.run import run_study
    from l1emu.study.samples import open_sample

    file = read_study(path)
    crossings = {role: open_sample(file, role).crossings for role in file.study.samples.roles}
    if sum(crossings.values()) <= _WHOLE:
        run_study(path, scratch / "results")
    else:
        taggers = load_study_taggers(file)
        for number, (role, of_sample) in enumerate(crossings.items()):
            part = PartOfSample(role, 0, min(of_sample, _FIRST))
            measure_part(file, taggers, part, scratch / f"{number}.l1part")
    (scratch / _FOUND).write_bytes(pickle.dumps(kernel_signatures()))


def _compile(path: Path | None, scratch: Path) -> None:
    from l1emu.compiled import compile_signatures

    if not _is_study(path):
        from l1emu.emulator import Emulator

        Emulator(Firmware.read(str(path))).compile()
        return
    compile_signatures(pickle.loads((scratch / _FOUND).read_bytes()))
    _compile_taggers(read_study(path))


def _compile_taggers(file: StudyFile) -> None:
    from l1emu.study.versions import versioned_taggers
    from l1emu.taggers import read_taggers

    settings: Any = file.study.every_tagger
    for tagger in read_taggers(settings | versioned_taggers(settings, file.study.versions), file.file).values():
        tagger.emulator.compile(traced=tagger.golden is not None)
