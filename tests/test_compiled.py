"""Kernels on disk: found again, never an old one, never one that others could have written, and never needed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from l1emu import compiled
from l1emu.caches import cache_root

PACKAGE = {
    "events/__init__.py": "",
    "stream/__init__.py": "",
    "trigger/__init__.py": "",
    "emulator/__init__.py": "",
    "events/callee.py": "from l1emu.compiled import kernel\n\n@kernel\ndef answer():\n    return {number}\n",
    "events/caller.py": "from l1emu.compiled import kernel\nfrom l1emu.events.callee import answer\n\n"
    "@kernel\ndef twice():\n    return 2 * answer()\n",
    "__init__.py": "",
}
USED = (
    "compiled.py",
    "splitmix.py",
    "caches.py",
    "children.py",
    "debug.py",
    "errors.py",
    "files.py",
    "processor.py",
    "trust.py",
    "version.py",
    "waiting.py",
)
RUN = "from l1emu.events.caller import twice; print(twice(), sum(twice.stats.cache_hits.values()))"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with a package of two kernels, one of which calls the other."""
    for name, text in PACKAGE.items():
        path = tmp_path / "l1emu" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{number}", "21"))
    for name in USED:
        shutil.copy(Path(compiled.__file__).with_name(name), tmp_path / "l1emu" / name)
    return tmp_path


def run(root: Path, cache: Path | str, code: str = RUN, **options: Any) -> list[int]:
    options = {"env": {**os.environ, "L1EMU_CACHE_DIR": str(cache)}, **options}
    options["env"] = {key: value for key, value in options["env"].items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False, **options
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [int(word) for word in done.stdout.split()]


def test_a_change_of_the_callee_recompiles_the_caller(package: Path) -> None:
    cache = package / "cache"
    assert run(package, cache) == [42, 0]
    assert run(package, cache) == [42, 1]  # from the disk
    callee = package / "l1emu" / "events" / "callee.py"
    callee.write_text(callee.read_text().replace("21", "22"))
    assert run(package, cache) == [44, 0]
    assert run(package, cache) == [44, 1]
    assert not list(package.rglob("*.nbi"))  # nothing of numba's own beside the sources
    assert all(cache in path.parents for path in package.rglob("*.nbc"))


@pytest.mark.parametrize("place", ["/dev/null/nowhere", "/proc/nowhere", "open"])
def test_where_nothing_can_be_kept_it_is_compiled(package: Path, place: str) -> None:
    (package / "open").mkdir()
    (package / "open").chmod(0o777)  # kept there, it would not be loaded
    assert run(package, place) == [42, 0]
    assert not list(package.rglob("*.nbc"))


def test_without_a_home_it_is_compiled(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unset = ("L1EMU_CACHE_DIR", "XDG_CACHE_HOME", "HOME")
    env = {key: value for key, value in os.environ.items() if key not in unset}
    assert run(package, "", env=env | {"HOME": "/proc/nowhere"}) == [42, 0]
    for name in unset:
        monkeypatch.delenv(name, raising=False)

    def unknown(user: int) -> None:
        raise KeyError(user)

    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert cache_root() is None and compiled.folder() is None
    monkeypatch.setenv("XDG_CACHE_HOME", str(package))
    assert cache_root() == package / "l1emu"
    monkeypatch.setenv("L1EMU_CACHE_DIR", str(package))
    assert cache_root() == package


OPEN = """
import os
from pathlib import Path
from l1emu.events.caller import twice
assert twice() == 42
(path,) = Path({cache!r}).rglob("twice-*.nbc")
assert path.stat().st_mode & 0o022 == 0
cache, sig = twice._cache, ()

def found():
    return cache.load_overload(sig, twice.targetctx) is not None

assert found()
for open_, mode in [(path, 0o666), (path.parent, 0o777), (path.parent.parent, 0o777)]:
    before = open_.stat().st_mode & 0o777
    open_.chmod(mode)
    assert not found()
    open_.chmod(before)
    assert found()
path.rename(path.parent / "elsewhere")
path.symlink_to("elsewhere")
assert not found()
print(1)
"""


def test_what_others_could_have_written_is_not_loaded(package: Path) -> None:
    assert run(package, package / "cache", OPEN.format(cache=str(package / "cache"))) == [1]


MUTANTS = """
import random
from pathlib import Path
from l1emu.events.callee import answer
from l1emu.events.caller import twice
assert twice() == 42
(path,) = Path({cache!r}).rglob("twice-*.nbc")
whole = path.read_bytes()
draw = random.Random({seed})
cache, sig = twice._cache, ()
context = twice.targetctx
assert cache.load_overload(sig, context) is not None
loaded = 0
for _ in range({number}):
    data = bytearray(whole)
    kind = draw.randrange(5)
    at = draw.randrange(len(data))
    if kind == 0:
        data[at] ^= 1 << draw.randrange(8)
    elif kind == 1:
        del data[at:]
    elif kind == 2:
        data[at:at + 64] = draw.randbytes(64)
    elif kind == 3:
        data += draw.randbytes(10)
    else:
        data = bytearray(draw.randbytes(draw.randrange(200)))
    path.write_bytes(data)
    loaded += data != whole and cache.load_overload(sig, context) is not None
print(loaded)
"""


@pytest.mark.parametrize(
    ("seed", "number"), [(1, 200), pytest.param(2, 20_000, marks=pytest.mark.exhaustive)], ids=["some", "many"]
)
def test_damaged_files_are_not_loaded(package: Path, seed: int, number: int) -> None:
    cache = package / "cache"
    run(package, cache)
    assert run(package, cache, MUTANTS.format(cache=str(cache), seed=seed, number=number)) == [0]
    assert run(package, cache) == [42, 0]
    assert run(package, cache) == [42, 1]  # written anew


CRAFTED = """
import hashlib, pickle
from pathlib import Path
from l1emu.events.caller import twice
assert twice() == 42
(path,) = Path({cache!r}).rglob("twice-*.nbc")
cache, sig = twice._cache, ()
for content in [b"", b"no pickle", pickle.dumps(5), pickle.dumps((sig, 5)), pickle.dumps((sig, (1, 2, 3))),
                pickle.dumps(("another", None)), b"cabsent\\nname\\n."]:
    path.write_bytes(hashlib.sha256(content).digest() + content)
    assert cache.load_overload(sig, twice.targetctx) is None
print(1)
"""


def test_whole_files_of_another_kind_are_not_loaded(package: Path) -> None:
    assert run(package, package / "cache", CRAFTED.format(cache=str(package / "cache"))) == [1]


def test_a_full_disk_costs_a_compilation(package: Path) -> None:
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); " + RUN
    assert run(package, package / "cache", code) == [42, 0]
    assert [p.name for p in (package / "cache").rglob("*") if p.is_file()] == []


def test_uncompiled_kernels_are_refused(package: Path) -> None:
    code = """
from l1emu.errors import L1emuError
from l1emu.events.caller import twice
try:
    twice()
except L1emuError as error:
    assert "NUMBA_DISABLE_JIT" in str(error)
    print(1)
"""
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    assert run(package, package / "cache", code, env=env) == [1]


FORK = """
import os, sys, threading, time
from l1emu.compiled import kernel

def source(number):
    steps = "\\n".join(f"    a = a * {n + 3} + b[{n}]" for n in range(20))
    space = {}
    exec(f"def f{number}(a, b):\\n{steps}\\n    return a\\n", space)
    space[f"f{number}"].__module__ = "made"
    return kernel(space[f"f{number}"])

import numpy as np
b = np.arange(20)
ended = threading.Event()

def compile_on():
    number = 0
    while not ended.is_set():
        source(number)(1, b)
        number += 1
        time.sleep(0.01)

thread = threading.Thread(target=compile_on)
thread.start()
codes = []
for number in range(4):
    time.sleep(0.1 * number)
    child = os.fork()
    if not child:
        source(1000 + number)(1, b)
        os._exit(7)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
ended.set()
thread.join()
print(*codes)
"""


def test_a_fork_while_a_thread_compiles_does_not_hang_its_child(package: Path) -> None:
    assert run(package, package / "cache", FORK, timeout=600) == [7] * 4


def test_one_key_for_all_rooms() -> None:
    assert compiled.folder() == (cache_root() or Path()) / compiled.key()
    assert len(compiled.key()) == 16 and int(compiled.key(), 16) >= 0


MANY = """
import resource
import numpy as np
from l1emu import compiled
from l1emu.emulator.cache import module_from_source
from l1emu.files import sha256_bytes

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6

def function(number):
    lines = "".join(f"    a = a * {n + number + 3} + np.sum(b[{n}:{n + 50}] * a)\\n" for n in range(12))
    source = "import numpy as np\\nfrom l1emu.emulator.cache import compiled\\n@compiled\\n"
    source += f"def f(a, b):\\n{lines}    return a\\n"
    module = module_from_source("m" + sha256_bytes(source.encode())[:16], source)
    assert module is module_from_source(module.__name__, source)
    return module.f

np.seterr(over='ignore')
b = np.arange(100)
compiled._HERE = 3
sizes = []
for number in range(12):
    f = function(number)
    assert f(1, b) == f.py_func(np.int64(1), b), number
    sizes.append(resident())
assert compiled._Kept.compilations == 3
print(round(sizes[-1] - sizes[3]))
"""


@pytest.mark.parametrize("kept", [True, False])
def test_memory_does_not_grow_by_what_a_compilation_takes(kept: bool, tmp_path: Path) -> None:
    (grown,) = run(Path(__file__).parents[1], tmp_path if kept else "/dev/null/x", MANY)
    assert grown < 8 * 3  # MB; by 5 MB and more each, compiled here
    assert len(list(tmp_path.rglob("*.nbc"))) == (12 if kept else 0)


BROKEN = """
from l1emu import compiled
compiled._HERE = 0
compiled.end_with_parent = lambda parent: 1 / 0  # in the child
from l1emu.events.caller import twice
print(twice())
"""


def test_a_compilation_that_fails_apart_is_done_here(package: Path) -> None:
    assert run(package, "/dev/null/x", BROKEN.replace("print", "print(1); print")) == [1, 42]


COLLECTED = """
import gc, os
from l1emu import compiled
from l1emu.events.caller import twice
compiled._HERE = 0
here = os.getpid()

class Threads:  # as a library that ends its threads where it is collected, and has none in a child
    def __del__(self):
        if os.getpid() != here:
            os.abort()

def unused():
    one = Threads()
    one.itself = one

os.register_at_fork(after_in_child=unused)
gc.set_threshold(1)
assert twice() == 42 and gc.isenabled()
print(compiled._Kept.compilations)
"""


def test_nothing_of_others_is_collected_where_a_function_is_compiled_apart(package: Path) -> None:
    assert run(package, "/dev/null/x", COLLECTED) == [0]


def test_what_was_used_longest_ago_is_removed_beyond_the_limit(package: Path) -> None:
    cache = package / "cache"
    (cache / "older").mkdir(parents=True, mode=0o700)
    for number in range(3):
        path = cache / "older" / f"kernel-{number}.nbc"
        path.write_bytes(bytes(400_000))
        os.utime(path, (1e9 + number, 1e9 + number))
    (cache / "older" / "kept.scores").write_bytes(bytes(400_000))
    env = {**os.environ, "L1EMU_CACHE_DIR": str(cache), "L1EMU_KERNEL_CACHE_MB": "1"}
    assert run(package, cache, env=env) == [42, 0]
    assert sorted(path.name for path in (cache / "older").iterdir()) == ["kept.scores", "kernel-1.nbc", "kernel-2.nbc"]
    assert run(package, cache, env=env) == [42, 1]


def test_a_kernel_that_is_used_again_is_not_the_oldest(package: Path) -> None:
    cache = package / "cache"
    run(package, cache)
    (path,) = cache.rglob("twice-*.nbc")
    os.utime(path, (1e9, 1e9))
    assert run(package, cache) == [42, 1]
    assert path.stat().st_mtime > 1e9 + 1


def test_a_limit_of_zero_keeps_nothing_and_another_text_is_refused(package: Path) -> None:
    env = {**os.environ, "L1EMU_CACHE_DIR": str(package / "cache"), "L1EMU_KERNEL_CACHE_MB": "0"}
    assert run(package, "", env=env) == [42, 0]
    assert not list(package.rglob("*.nbc"))
    env["L1EMU_KERNEL_CACHE_MB"] = "much"
    code = (
        RUN.split(";")[0]
        + """
from l1emu.errors import L1emuError
try:
    twice()
except L1emuError as error:
    print(int(error.where == "L1EMU_KERNEL_CACHE_MB" and error.value == "much"))
"""
    )
    assert run(package, "", code, env=env) == [1]
