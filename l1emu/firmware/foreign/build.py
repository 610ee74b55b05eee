"""Compile a project's own C++ with g++: copies of its sources in a folder of the cache, within limits.

The cache is ``$L1EMU_CACHE_DIR/csim`` if that variable is set, else ``csim`` in the user's cache folder for l1emu;
programs are kept by the hash of their sources and can be deleted at any time. Where others may write to that folder, or
nobody, programs are built in a temporary folder and not kept. The user's folder is only read.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from l1emu.caches import cache_root
from l1emu.child import Ended, Limits, run_child
from l1emu.errors import L1emuError
from l1emu.files import folder_aside, read_bytes, scratch_folder, sha256_bytes, sha256_file
from l1emu.trust import make_private_folder, private_file, private_folder

_COMPILER = "g++"
_FLAGS = ("-std=c++17", "-w", "-fmax-errors=1")
_LARGEST = 1 << 30
"""Bytes of a project's files, and of any file that the compiler writes."""
SCRIBBLED = 1 << 26
"""Bytes of any file that a program of the project's C++ writes, unless its numbers take more."""
TOO_SHORT = re.compile(r"ERROR: Expected \d+ values but read only \d+ values")
"""What hls4ml's loader says of too short a file of weights, before it goes on."""

_TRACE = """#include <map>
#include <string>
namespace nnet {
bool trace_enabled = false;
std::map<std::string, void *> *trace_outputs = nullptr;
size_t trace_type_size = sizeof(double);
}
"""
"""What hls4ml defines outside of the sources that we compile, for projects that can keep what their layers give."""
_THEIR_MAIN = re.compile(rb"(?m)^(\s*(?:int|void)\s+)main(\s*\()")


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


@dataclass
class Build:
    """What is to be compiled of a project's C++.

    Attributes
    ----------
    root, folder
        The project's folder, and that of its sources.
    texts
        Files that are written over the copies of the sources, by name; the one called `main` is compiled.
    main
        The name of the file that is compiled.
    flags
        For the compiler: optimization, and what else.
    limits
        What the compiler may take.
    edit
        What else is done to the copies.
    identity
        What tells this build from others beside all that: of `edit`, of the processor.
    temporary
        Keeps the folder of a program that is not kept in the cache.
    """

    root: Path
    folder: Path
    texts: dict[str, str]
    main: str
    flags: tuple[str, ...]
    limits: Limits
    edit: Callable[[Path], None] | None = None
    identity: tuple[str, ...] = ()
    temporary: ExitStack = field(default_factory=ExitStack)

    def program(self) -> Path:
        """The program, from the cache or compiled now; it finds ``weights/`` beside it.

        Raises
        ------
        L1emuError
            if there is no g++, or if the C++ does not compile (with the compiler's first error), or not within limits.
        """
        compiler = shutil.which(_COMPILER)
        if compiler is None:
            raise L1emuError("g++ is needed to compile the project's C++, and was not found")
        sources = self._sources()
        if self._traces():
            self.texts = self.texts | {self.main: _TRACE + self.texts[self.main]}
        size = sum(source.stat().st_size for source in sources.values())
        if size > _LARGEST:
            found = f"{size:,} bytes"
            raise L1emuError("too large to be compiled", path=self.root, value=found, expected="1 GiB or less")
        command = [os.path.abspath(compiler), *self.flags, *_FLAGS, "-Iap_types", "-I.", self.main]
        place = private_cache()
        if place is None:
            folder = self.temporary.enter_context(scratch_folder("l1emu-csim"))
            self._compile(command, folder, sources)
            return folder / "csim"
        version = self._compiled([command[0], "-v"], place)
        identity = [*version.said, *command[1:], *self.texts.values(), *self.identity]
        identity += [f"{path} {sha256_file(source)}" for path, source in sources.items()]
        target = place / sha256_bytes("\n".join(identity).encode())[:32]
        program = target / "csim"
        if not (private_folder(target) and private_file(program)):
            with folder_aside(target) as aside:
                self._compile(command, aside, sources)
            target.chmod(0o700)
        return program

    def told(self, doing: str) -> str:
        """What the program writes into the file whose number it is given, once, within limits.

        Parameters
        ----------
        doing
            What it is run for, in the words of the error.

        Raises
        ------
        L1emuError
            as `program` does, or if the program fails.
        """
        with tempfile.TemporaryFile() as result, self.temporary:
            program = self.program()
            done = run_child(
                [program, str(result.fileno())],
                program.parent,
                seconds=self.limits.seconds,
                memory=self.limits.memory,
                file=SCRIBBLED,
                keep=[result.fileno()],
                progress=lambda: os.fstat(result.fileno()).st_size,
            )
            if done.code != 0:
                said = done.said[-1] if done.said else "nothing on its error output"
                raise L1emuError(f"the project's C++ failed while {doing} ({done.how}): {said}", path=self.root)
            result.seek(0)
            return result.read().decode()

    def _traces(self) -> bool:
        """Whether the sources keep what layers give, into variables that they do not define."""
        texts = [text.encode() for text in self.texts.values()]
        texts += [read_bytes(path, limit=_LARGEST) for path in self.folder.glob("*.cpp")]
        used = any(b"save_layer_output" in text for text in texts)
        return used and not any(re.search(rb"\btrace_enabled\s*=", text) for text in texts)

    def _rename_mains(self, folder: Path) -> None:
        """Another name for a `main` that somebody wrote beside the top function, to try it: ours is another."""
        for name in {path.name for path in folder.glob("*.cpp")} | set(self.texts):
            text = read_bytes(folder / name, limit=_LARGEST)
            if name != self.main and _THEIR_MAIN.search(text):
                (folder / name).write_bytes(_THEIR_MAIN.sub(rb"\1l1emu_their_main\2", text))

    def _sources(self) -> dict[Path, Path]:
        """The files that the compiler and the program read, by their place relative to the firmware folder."""
        folder = self.folder
        kinds = (".h", ".cpp", ".txt", ".hpp")
        found = {p.relative_to(folder): p for p in folder.rglob("*") if p.is_file() and p.suffix in kinds}
        if not (folder / "ap_types").is_dir():
            types = installed_types()
            if types is None:
                expected = "this folder, or hls4ml installed, which has it"
                raise L1emuError("no folder ap_types/ with the fixed-point headers", path=folder, expected=expected)
            found |= {Path("ap_types") / p.relative_to(types): p for p in types.rglob("*") if p.suffix in kinds}
        return dict(sorted(found.items()))

    def _compile(self, command: list[str], folder: Path, sources: dict[Path, Path]) -> None:
        """Put the program `csim` into a folder: from copies of `sources`, by place in it, with the texts over them."""
        try:
            for path, source in sources.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, folder / path)
            for name, text in self.texts.items():
                (folder / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise L1emuError(f"the project's C++ cannot be copied: {error.strerror or error}", path=folder) from None
        self._rename_mains(folder)
        if self.edit is not None:
            self.edit(folder)
        self._compiled([*command, "-o", "csim"], folder)
        if not (folder / "csim").is_file():
            raise L1emuError("g++ has written no program", path=self.root)

    def _compiled(self, command: list[str], folder: Path) -> Ended:
        """How the compiler ended; not without success."""
        seconds = self.limits.seconds * Limits.BUILD
        # messages in English, and the compiler's own files in the folder that is removed after an error
        environment = os.environ | {"LC_ALL": "C", "TMPDIR": str(folder)}
        memory = self.limits.memory
        done = run_child(command, folder, seconds=seconds, memory=memory, file=_LARGEST, environment=environment)
        if done.code is None:
            raise L1emuError(f"g++ took longer than {seconds:g} s", path=self.root)
        if done.code != 0:
            lines = [line for line in done.said if "error:" in line] or done.said
            message = lines[0] if lines else done.how
            raise L1emuError(f"the project's C++ does not compile: {message}", path=self.root)
        return done
