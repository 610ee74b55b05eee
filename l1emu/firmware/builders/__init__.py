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
    separable,
    softmax,
    windows,
)
from l1emu.firmware.builders.adders import BUILDERS as ADDERS
from l1emu.firmware.builders.adders import adders, is_adders
from l1emu.firmware.builders.call import Builder, Call
from l1emu.firmware.builders.quantize import is_quantizer, quantize
from l1emu.firmware.project import Project

BUILDERS: dict[str, Builder] = {
    **activation.BUILDERS,
    **ADDERS,
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
    **separable.BUILDERS,
    **softmax.BUILDERS,
    **windows.BUILDERS,
}


def generated(project: Project, function: str) -> Builder | None:
    """The builder of a function that hls4ml generated for the project, told by its form."""
    if is_quantizer(project, function):
        return quantize
    return adders if is_adders(project, function) else None


__all__ = ["BUILDERS", "Call", "generated"]
