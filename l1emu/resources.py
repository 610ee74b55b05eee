"""Where the files that come with l1emu are: in a checkout beside the package, in a wheel inside it."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from l1emu.errors import L1emuError

_PACKAGE = Path(__file__).resolve().parent
_ROOMS = ("datasets", "models", "budgets")
_NAMED = {
    "budget": "budgets/*.yaml",
    "firmware": "models/*/*.l1fw",
    "partition": "budgets/*.partition.yaml",
    "recipe": "datasets/recipes/*.yaml",
    "topology": "budgets/*.topology.yaml",
}
"""What is also known by its name alone: that of its file up to the first dot, or of the model's folder."""


def resource(name: str) -> Path:
    """The path of a shipped file, named as in a checkout: `budgets/cms-phase2.yaml`, `data/study.yaml`.

    Raises
    ------
    L1emuError
        if nothing of this name is shipped.
    """
    room = Path(name).parts[0]
    roots = [_PACKAGE.parent, _PACKAGE / "data"] if room in _ROOMS else [_PACKAGE]
    for root in roots:
        if (root / name).exists():
            return root / name
    raise L1emuError("no such file comes with l1emu", value=name, expected=f"a path below {', '.join(_ROOMS)} or data")


def shipped(kind: str) -> dict[str, Path]:
    """The files of a kind that come with l1emu, by name: a budget, firmware, partition, recipe or topology."""
    room, pattern = _NAMED[kind].split("/", 1)
    dots = pattern.count(".")
    found = (path for path in sorted(resource(room).glob(pattern)) if path.name.count(".") == dots)
    return {path.parent.name if kind == "firmware" else path.name.split(".")[0]: path for path in found}


def firmware_file(path: Path) -> Path:
    """The project or firmware file at `path`, or the firmware of a model that comes with l1emu, by the model's name.

    Raises
    ------
    L1emuError
        if there is nothing, and the name is nearly that of a model.
    """
    return named_file(path, shipped("firmware"), "an hls4ml project, a .l1fw file, or a model of l1emu")


def named_file(path: Path, known: Mapping[str, Path], expected: str) -> Path:
    """What is at `path`; where nothing is, and it is a name alone, what is `known` by this name.

    Raises
    ------
    L1emuError
        if the name is nearly a known one; `expected` are the words for what would be right.
    """
    try:
        bare = len(path.parts) == 1 and not path.suffix and not path.exists()
    except OSError:  # too long a name
        return path
    if not bare:
        return path
    close = get_close_matches(path.name, known, n=1)
    if path.name not in known and close:
        raise L1emuError("no such file or folder", value=str(path), expected=f"{expected}: {close[0]!r}, perhaps")
    return known.get(path.name, path)


def resolve(name: str, base: Path, kind: str | None = None) -> Path:
    """The file that a config means by `name`: relative to the config's own folder, else one that is shipped.

    Of a `kind` of `shipped`, what is shipped may be named without its path.

    Raises
    ------
    L1emuError
        if neither exists.
    """
    try:
        here = (base / name).expanduser()
        if here.exists():
            return here
    except (OSError, RuntimeError):  # too long a name, a folder that nobody may enter, the home of nobody
        pass
    named = {} if kind is None else shipped(kind)
    if name in named:
        return named[name]
    try:
        return resource(name)
    except L1emuError:
        close = get_close_matches(name, [*named, *_every_file()], n=1)
        hint = f": {close[0]!r}, perhaps" if close else f": {', '.join(named)}" if named else ""
        raise L1emuError(
            "no such file",
            value=name,
            expected=f"a path relative to {base}, or one of the files that come with l1emu{hint}",
        ) from None


def _every_file() -> list[str]:
    """Files that are shipped, by the paths that `resource` takes."""
    rooms = {room: resource(room) for room in _ROOMS}
    return [
        f"{room}/{path.relative_to(root).as_posix()}"
        for room, root in rooms.items()
        for path in root.rglob("*")
        if path.suffix in (".yaml", ".root", ".l1fw", ".npz")
    ]
