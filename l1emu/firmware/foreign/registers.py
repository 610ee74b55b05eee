"""Copies of the fixed-point headers whose numbers a compiler may keep in registers."""

from __future__ import annotations

import re
from pathlib import Path

_HEADER = Path("ap_types") / "etc" / "ap_private.h"
_MEMBER = re.compile(rb"(?ms)^(  INLINE void clearUnusedBits\(void\)) volatile\r?\n(.*?^  \{\r?\n.*?^  \}\r?\n)")


def keep_in_registers(folder: Path) -> None:
    """Let the copies of the headers in a folder cut a number to its width without a detour over memory.

    The open headers do that in a member that is `volatile`, so that each assignment stores, loads and stores: nothing
    is kept in registers, and no loop becomes vectors. The same statements are added for numbers that are not volatile,
    which the compiler then prefers for these; what they compute is the same. Headers that are written otherwise stay.

    Parameters
    ----------
    folder
        With ``ap_types/``, which is written to.
    """
    header = folder / _HEADER
    if header.is_file():
        header.write_bytes(_MEMBER.sub(rb"\g<0>\n\g<1>\n\g<2>", header.read_bytes()))
