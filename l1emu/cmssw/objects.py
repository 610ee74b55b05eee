"""C++ compiled once: object files, kept by the hash of what the preprocessor makes of their sources.

A file of CMS's takes seconds, most of them for its headers, and several stages need the same ones. Objects are kept in
`$L1EMU_CACHE_DIR/cmssw`, else in the user's cache folder for l1emu, and can be deleted at any time. Where others may
write to that folder, or nobody, none is kept.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from l1emu.caches import cache_root
from l1emu.child import Ended, Limits, run_child
from l1emu.errors import L1emuError
from l1emu.files import sha256_bytes, sha256_file, write_aside
from l1emu.trust import make_private_folder, private_file

LIMITS = Limits(seconds=600.0, memory=4 << 30)
"""What the compiler and a driver may take; the driver answers all words of a case at once."""
LARGEST = 1 << 30
"""Bytes of any file that the compiler or a driver writes."""
_FLAGS = ("-std=c++17", "-O2", "-w", "-fmax-errors=1")


class CompilerError(Exception):
    """The compiler did not succeed.

    Attributes
    ----------
    ended
        How it ended, and what it said.
    """

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended.how)
        self.ended = ended


@dataclass(frozen=True)
class Compiler:
    """g++ with the options of a program.

    Attributes
    ----------
    path
        Of g++.
    options
        Of the preprocessor.
    folder
        Where it writes.
    kept
        The folder of objects that are kept; None if none are.
    version
        What it says of itself.
    """

    path: str
    options: tuple[str, ...]
    folder: Path
    kept: Path | None
    version: str

    @classmethod
    def found(cls, options: Sequence[str], folder: Path) -> Compiler:
        """That of this machine, with options of the preprocessor; it writes into `folder`.

        Raises
        ------
        L1emuError
            if there is no g++.
        """
        path = shutil.which("g++")
        if path is None:
            raise L1emuError("g++ is needed to compile CMS's C++, and was not found")
        path = os.path.abspath(path)
        return cls(path, tuple(options), folder, _kept_folder(), "\n".join(_ran([path, "-v"], folder).said))

    def object_of(self, source: Path) -> Path:
        """The object file of a source, kept from an earlier time or compiled now.

        Raises
        ------
        CompilerError
            if it does not compile, or not within the limits.
        """
        text = self.folder / "unit.ii"
        self._run([*self.options, "-E", str(source), "-o", str(text)])
        key = sha256_bytes("\n".join([self.version, *_FLAGS, sha256_file(text)]).encode())[:32]
        made = self.folder / f"{key}.o"
        if self.kept is None:
            self._run(["-c", str(text), "-o", str(made)])
            return made
        kept = self.kept / f"{key}.o"
        if not private_file(kept):
            self._run(["-c", str(text), "-o", str(made)])
            with write_aside(kept) as aside:
                shutil.copyfile(made, aside)
            kept.chmod(0o600)
        return kept

    def linked(self, objects: Sequence[Path], name: str) -> Path:
        """The program of some objects; raises as `object_of` does."""
        program = self.folder / name
        self._run([*map(str, objects), "-o", str(program)])
        return program

    def _run(self, arguments: Sequence[str]) -> None:
        done = _ran([self.path, *_FLAGS, *arguments], self.folder)
        if done.code != 0:
            raise CompilerError(done)


def _ran(command: Sequence[str], folder: Path) -> Ended:
    # messages in English, and the compiler's own files in the folder that is removed afterwards
    environment = os.environ | {"LC_ALL": "C", "TMPDIR": str(folder)}
    return run_child(
        command, folder, seconds=LIMITS.seconds, memory=LIMITS.memory, file=LARGEST, environment=environment
    )


def _kept_folder() -> Path | None:
    """The folder in which objects are kept, created if need be; None where nobody, or somebody else, may write."""
    root = cache_root()
    if root is None or not make_private_folder(root / "cmssw"):
        return None
    return root / "cmssw" if os.access(root / "cmssw", os.W_OK) else None
