"""l1emu: a trigger emulator with a latency budget for the LHC's Level-1 triggers."""

from typing import TYPE_CHECKING

from l1emu.lazy import lazily
from l1emu.version import __version__

if TYPE_CHECKING:
    from l1emu.emulator.emulator import Emulator
    from l1emu.firmware import Firmware
    from l1emu.verification.compare import Verification, verify

__all__ = ["Emulator", "Firmware", "Verification", "__version__", "verify"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "emulator.emulator": ("Emulator",),
        "verification.compare": ("Verification", "verify"),
        "firmware": ("Firmware",),
    },
)
