"""What only some kinds of block have: sizes and steering by name, `Block.extra`."""

from __future__ import annotations

import re

from l1emu.files import read_text
from l1emu.latency.estimate.configs import strategy
from l1emu.latency.estimate.lenient import LenientProject, Members
from l1emu.latency.estimate.sources import Adders, Generated

_WINDOWS = (
    *("in_height", "in_width", "out_height", "out_width", "n_chan", "n_filt", "filt_height", "filt_width"),
    *("stride_height", "stride_width", "n_partitions", "pool_height", "pool_width"),
)
_MEMBERS: dict[str, tuple[str, ...]] = {
    "conv": _WINDOWS,
    "depthwise": _WINDOWS,
    "pooling": _WINDOWS,
    "layernorm": ("seq_len",),
    "recurrent": ("n_state", "n_sequence", "use_static"),
    "attention": ("num_heads", "head_dim_key", "head_dim_value", "seq_len", "feature_dim"),
    "einsum": ("n_inplace", "n_free0", "n_free1", "n_contract", "parallelization_factor"),
}
"""Members of a kind's config that are taken over where they are there."""


def extra(function: str, kind: str, members: Members, stream: bool, generated: Generated) -> dict[str, int | str]:
    """The extra of a block.

    Parameters
    ----------
    function, kind
        The C++ function and the kind of block that it is.
    members
        Its config.
    stream
        Whether the data flow in streams.
    generated
        The functions that hls4ml wrote for the project.
    """
    dense = members.has("n_free_data")  # dense layers over rows
    found: dict[str, int | str] = {} if dense else _of_kind(function, kind, members)
    wanted = ("n_free_data", "n_inplace", "parallelization_factor") if dense else _MEMBERS.get(kind, ())
    if not wanted and function.startswith(("zeropad", "resize")):
        wanted = ("n_chan",)
    for name in wanted:
        if members.has(name) and (members.integer(name, 1) != -1 or name != "parallelization_factor"):
            found[name] = members.integer(name, 1)
    if function == "pointwise_conv_1d_cl" and strategy(members, kind) == "latency" and not stream:
        found |= _pointwise(members)
    if kind in ("dense", "conv"):
        found |= _sums(members, generated)
    if kind in ("dense", "conv", "depthwise") and members.saturates("accum_t"):
        found["saturating"] = 1
    return found


def _of_kind(function: str, kind: str, members: Members) -> dict[str, int | str]:
    """What is not a number in the config."""
    found: dict[str, int | str] = {}
    if kind in ("conv", "depthwise", "pooling"):
        found["implementation"] = members.symbol("implementation") or "linebuffer"
        if kind == "pooling":
            found["average"] = int((members.symbol("pool_op") or "").lower() == "average")
    elif kind == "softmax":
        found["n_slice"] = members.integer("n_slice", members.integer("n_in", 1))
        found["implementation"] = members.symbol("implementation") or "stable"
    elif kind == "layernorm":
        found["rounded"] = int(members.type("accum_t") is not None)
    elif kind == "recurrent":
        found["gates"] = 4 if "lstm" in function else 3 if "gru" in function else 1
        for i, nested in enumerate(("mult_config1", "mult_config2")):
            found[f"reuse_{i}"] = members.nested(nested).integer("reuse_factor", members.integer("reuse_factor", 1))
    return found


def _pointwise(members: Members) -> dict[str, int | str]:
    """How a point-wise convolution of arrays goes through its pixels, which differs between hls4ml's versions.

    Those that call ``pointwise_conv_1d_latency_cl`` do all pixels side by side: in hls4ml 1.0 and 1.1, and in the
    fork that it comes from, in `reuse_factor` parts of which each is a function of its own; from 1.2 on, if there
    is but one partition, in one function, whose pragma for the backend Vivado asks for every cycle. Only the others
    do `n_partitions` rounds.
    """
    kernel = members.template("conv_kernel") or _header_kernel(members.project)
    if kernel == "BatchedDenseForConv1D":
        return {"side_by_side": "every cycle" if members.project.backend.startswith("Vivado") else "shared"}
    return {"side_by_side": "shared"} if kernel.startswith("pointwise_conv") else {}


def _header_kernel(project: LenientProject) -> str:
    """What the project's own point-wise convolution calls, where its configs name no kernel."""
    path = project.firmware / "nnet_utils" / "nnet_conv1d.h"
    if not path.is_file():
        return ""
    found = re.search(r"\bpointwise_conv_1d_cl\s*\((.*?)\n\}", read_text(path), re.DOTALL)
    return "pointwise_conv" if found is not None and re.search(r"\bpointwise_conv", found[1]) else ""


def _sums(members: Members, generated: Generated) -> dict[str, int | str]:
    """Of a layer whose config names a function of sums: how deep and how wide they are."""
    for member in ("dense_da", "da_kernel"):
        for token in members.value(member):
            found = generated.function(token.text) if token.kind == "name" else None
            if isinstance(found, Adders):
                return {"adder_depth": found.depth, "adder_bits": found.bits}
    return {}
