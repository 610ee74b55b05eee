"""Where the files that come with l1emu are: in a checkout beside the package, in a wheel inside it."""

from __future__ import annotations

from pathlib import Path

from l1emu.errors import L1emuError

_PACKAGE = Path(__file__).resolve().parent
_ROOMS = ("datasets", "models", "budgets")


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


def resolve(name: str, base: Path) -> Path:
    """The file that a config means by `name`: relative to the config's own folder, else one that is shipped.

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
    try:
        return resource(name)
    except L1emuError:
        raise L1emuError(
            "no such file",
            value=name,
            expected=f"a path relative to {base}, or one of the files that come with l1emu",
        ) from None
