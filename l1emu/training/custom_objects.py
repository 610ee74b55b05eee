"""The layers of this room by the names under which Keras saves them."""

from __future__ import annotations

from typing import Any

from l1emu.training.layernorm_layer import QLayerNormalization
from l1emu.training.layers import QEinsum, QSoftmax

CUSTOM_OBJECTS: dict[str, Any] = {
    "QEinsum": QEinsum,
    "QLayerNormalization": QLayerNormalization,
    "QSoftmax": QSoftmax,
}
