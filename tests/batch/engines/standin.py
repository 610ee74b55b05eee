"""A stand-in for `l1emu batch`: makes a shard or merges them, and ends in the way that a test asks for.

``standin.py shard DIR i`` writes ``DIR/shards/i`` aside and renames it. ``DIR/ends.json`` holds by number how
its attempts end, one after the other: "killed", "terminated", "memory", "bad", "fault", or "waits" for the file
``DIR/go``. Each attempt leaves a line in ``DIR/attempts/i``. ``standin.py merge DIR --output FILE`` joins the shards.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path


def content(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).hexdigest().encode() + b"\n"


def shard(folder: Path, number: int) -> int:
    ends = folder / "ends.json"
    wanted = json.loads(ends.read_text()).get(str(number), []) if ends.exists() else []
    notes = folder / "attempts" / str(number)
    notes.parent.mkdir(exist_ok=True)
    before = notes.read_text().count("\n") if notes.exists() else 0
    facts = {name: os.environ.get(name) for name in ("L1EMU_THREADS", "L1EMU_CACHE_DIR", "OMP_NUM_THREADS", "SETUP")}
    with notes.open("a") as stream:
        stream.write(json.dumps({"pid": os.getpid(), "cwd": os.getcwd(), **facts}) + "\n")
    match wanted[before] if before < len(wanted) else "made":
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "terminated":
            os.kill(os.getpid(), signal.SIGTERM)
        case "memory":
            print("l1emu: not enough memory", file=sys.stderr)
            return 2
        case "bad":
            print(f"a library's warning\nl1emu: sample.root: entry {number}: damaged\nmore", file=sys.stderr)
            return 2
        case "fault":
            print("l1emu: a fault of l1emu", file=sys.stderr)
            return 70
        case "waits":
            while not (folder / "go").exists():
                time.sleep(0.02)
    target = folder / "shards" / str(number)
    target.parent.mkdir(exist_ok=True)
    aside = target.with_name(f".{number}-{os.uname().nodename}-{os.getpid()}")
    aside.write_bytes(content(number))
    aside.rename(target)
    return 0


def merge(folder: Path, output: Path) -> int:
    made = sorted((folder / "shards").iterdir(), key=lambda path: int(path.name))
    output.write_bytes(b"".join(path.read_bytes() for path in made))
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "shard":
        sys.exit(shard(Path(sys.argv[2]), int(sys.argv[3])))
    sys.exit(merge(Path(sys.argv[2]), Path(sys.argv[4])))
