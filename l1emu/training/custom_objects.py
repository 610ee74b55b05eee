"""The layers of this room by the names under which Keras saves them."""

from __future__ import annotations

from typing import Any

from l1emu.training.layernorm_layer import QLayerNormalization
from l1emu.training.layers import (
    AddConstant,
    CausalScores,
    GroupedScores,
    MaskedScores,
    QEinsum,
    QSoftmax,
    Rearranged,
)
from l1emu.training.recurrent import QRecurrent

CUSTOM_OBJECTS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        AddConstant,
        CausalScores,
        GroupedScores,
        MaskedScores,
        QEinsum,
        QLayerNormalization,
        QRecurrent,
        QSoftmax,
        Rearranged,
    )
}
