"""The layers of this room by the names under which Keras saves them."""

from __future__ import annotations

from typing import Any

from l1emu.training.layernorm_layer import QLayerNormalization
from l1emu.training.layers import AddConstant, CausalScores, MaskedScores, QEinsum, QSoftmax
from l1emu.training.recurrent import QRecurrent

CUSTOM_OBJECTS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (AddConstant, CausalScores, MaskedScores, QEinsum, QLayerNormalization, QRecurrent, QSoftmax)
}
