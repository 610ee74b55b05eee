"""Kernels on disk: an old one is not used after a change of another file."""

import subprocess
import sys
from pathlib import Path

import l1emu.compiled as compiled

PACKAGE = {
    "events/__init__.py": "",
    "stream/__init__.py": "",
    "events/callee.py": "from l1emu.compiled import kernel\n\n@kernel\ndef answer():\n    return {number}\n",
    "events/caller.py": "from l1emu.compiled import kernel\nfrom l1emu.events.callee import answer\n\n"
    "@kernel\ndef twice():\n    return 2 * answer()\n",
    "__init__.py": "",
}


def run(root):
    code = "from l1emu.events.caller import twice; print(twice(), sum(twice.stats.cache_hits.values()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


def test_a_change_of_the_callee_recompiles_the_caller(tmp_path):
    for name, text in PACKAGE.items():
        path = tmp_path / "l1emu" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{number}", "21"))
    (tmp_path / "l1emu" / "compiled.py").write_text(Path(compiled.__file__).read_text())
    assert run(tmp_path) == [42, 0]
    assert run(tmp_path) == [42, 1]  # from the disk
    callee = tmp_path / "l1emu" / "events" / "callee.py"
    callee.write_text(callee.read_text().replace("21", "22"))
    assert run(tmp_path) == [44, 0]
    assert run(tmp_path) == [44, 1]
