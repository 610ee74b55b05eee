"""l1emu: a trigger emulator with a latency budget for the LHC's Level-1 triggers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from l1emu.version import __version__

if TYPE_CHECKING:
    from l1emu.emulator.emulator import Emulator
    from l1emu.firmware import Firmware
    from l1emu.verification.compare import Verification, verify

__all__ = ["Emulator", "Firmware", "Verification", "__version__", "verify"]

_HOME = {
    "Emulator": "l1emu.emulator.emulator",
    "Firmware": "l1emu.firmware",
    "Verification": "l1emu.verification.compare",
    "verify": "l1emu.verification.compare",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, so that `import l1emu` loads neither numba nor numpy."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
