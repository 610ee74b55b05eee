"""One builder per kernel: from a call in the top function and its config struct to a layer."""

from l1emu.firmware.builders import (
    activation,
    attention,
    conv,
    dense,
    einsum,
    embedding,
    merge,
    normalization,
    pooling,
    recurrent,
    reshape,
    softmax,
    windows,
)
from l1emu.firmware.builders.call import Builder, Call
from l1emu.firmware.builders.reshape import PLUMBING

BUILDERS: dict[str, Builder] = {
    **activation.BUILDERS,
    **attention.BUILDERS,
    **conv.BUILDERS,
    **dense.BUILDERS,
    **einsum.BUILDERS,
    **embedding.BUILDERS,
    **merge.BUILDERS,
    **normalization.BUILDERS,
    **pooling.BUILDERS,
    **recurrent.BUILDERS,
    **reshape.BUILDERS,
    **softmax.BUILDERS,
    **windows.BUILDERS,
}

__all__ = ["BUILDERS", "PLUMBING", "Call"]
