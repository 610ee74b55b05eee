"""From jets to firmware: QKeras layers that hls4ml lacks, quantization-aware training, conversion with hls4ml.

Everything that needs TensorFlow, QKeras or hls4ml lives in this package (extra: train). Importing the package itself
imports none of them; `require()` turns their absence into one line of advice.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

from l1emu.errors import L1emuError


def require() -> None:
    """Check that TensorFlow, QKeras and hls4ml are installed, and quieten TensorFlow's start-up messages.

    Raises
    ------
    L1emuError
        naming the packages that are absent and how to install them.
    """
    absent = [name for name in ("tensorflow", "qkeras", "hls4ml", "sklearn") if find_spec(name) is None]
    if absent:
        raise L1emuError(
            "training and conversion need packages that are not installed",
            value=", ".join(absent),
            expected="`pip install 'l1emu[train]'` (Python 3.11)",
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
