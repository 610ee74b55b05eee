"""Softmax in all its variants."""

from __future__ import annotations

import numpy as np

from l1emu.firmware import tables
from l1emu.firmware.builders.attention import direct_softmax
from l1emu.firmware.builders.call import SYNTHESIS, Builder, Call
from l1emu.firmware.cpp import Number
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from l1emu.layers import Softmax


def softmax(call: Call) -> Softmax:
    """`nnet::softmax` over the whole tensor, `nnet::softmax_multidim` over one axis."""
    call.count(2, 2)
    call.check_io()
    config = call.config
    variant = config.symbol("implementation")
    if variant not in ("stable", "latency", "argmax", "legacy"):
        raise call.error("unknown softmax implementation", variant)
    # the function itself may be the same for implementations of different origin
    origin = call.variant(f"softmax_{variant}")
    direct = "direct" in (call.variant("softmax"), origin) and origin in ("", "direct")
    if not call.stream and direct:
        output = call.output(call.flat(1, "n_in"))
        return direct_softmax(call, call.name, config, call.input(0, output.shape), output, 1)
    output = call.output(call.flat(1, "n_in"))
    data = call.input(0, output.shape)
    one_table = origin == "one table"
    n_slice = config.integer("n_in" if one_table else "n_slice")
    if call.stream:  # over what travels together
        call.require("softmax")
        n_outer, n_inner, n_slice = data.size // output.shape[-1], 1, output.shape[-1]
        call.check_packs(n_slice, n_slice)
    elif call.function == "softmax":
        n_outer, n_inner = 1, 1
        if n_slice != data.size:
            raise call.error("n_slice is not the tensor's size", n_slice, str(data.size))
    else:
        n_outer, n_inner = config.integer("n_outer"), config.integer("n_inner")
        call.kernels.require(call.place, "softmax_multidim")
    if config.integer("n_in") != data.size:
        raise call.error("n_in is not the tensor's size", config.integer("n_in"), str(data.size))
    if not call.stream and call.variant("softmax") not in (origin, "direct"):
        raise call.error(f"nnet::softmax and nnet::softmax_{variant} are of different origin")
    exp_type, inv_type = config.type("exp_table_t"), config.type("inv_table_t")
    inp_norm_type: FixedPoint | None = None
    scale: Number = 1.0
    if one_table:
        accum_type = inv_inp_type = exp_type
        exp_size = inv_size = config.integer("table_size")
        if variant == "stable":
            variant, kind = "relative", data.type
            inp_norm_type = FixedPoint(kind.width, kind.integer, True, Rounding.RND, Overflow.SAT)
    else:
        accum_type, inv_inp_type = config.type("accum_t"), config.type("inv_inp_t")
        exp_size, inv_size = config.integer("exp_table_size"), config.integer("inv_table_size")
        scale = config.number("exp_scale")
        if variant == "stable":
            inp_norm_type = config.type("inp_norm_t")
    if isinstance(scale, str):
        raise call.error("exp_scale is not a number", scale)
    exp_table = inv_table = np.empty(0, dtype=np.int64)
    if variant in ("stable", "relative", "latency"):
        for kernel in ("softmax_real_val_from_idx", "softmax_idx_from_real_val", "init_exp_table"):
            if call.kernels.variant(call.place, kernel) != origin:
                raise call.error(f"nnet::softmax and nnet::{kernel} are of different origin")
        call.kernels.require(
            call.place,
            "exp_fcn_float",
            "ceillog2",
            "floorlog2",
            "pow2",
            "reduce",
            "Op_add",
            "Op_max",
        )
        # the older kernels convert the difference to the data's type: the same bits
        address = data.type if one_table else inp_norm_type or data.type
        for size, kind in ((exp_size, address), (inv_size, inv_inp_type)):
            if size < 2 or size & (size - 1) or size > 1 << kind.width:
                raise call.error(f"a table size does not fit the type {kind} that addresses it", size, "a power of two")
        exp_table = tables.exponential(address, exp_size, float(scale), exp_type, variant == "stable")
        double = call.kernels.variant(call.place, "init_invert_table") == "double"
        inv_table = tables.inverse(inv_inp_type, inv_size, inv_type, double)
    elif variant == "legacy":
        call.kernels.require(call.place, "init_exp_table_legacy", "init_invert_table_legacy", "exp_fcn_float")
        exp_type = inv_type = accum_type = inv_inp_type = config.type("table_t")
        exp_table = tables.legacy_exponential(exp_size, exp_type)
        inv_table = tables.legacy_inverse(inv_size, inv_type)
    config.finish(*SYNTHESIS, "axis", "n_outer", "n_inner", "inp_norm_t", "table_size", "table_t")
    return Softmax(
        call.name,
        (data,),
        output,
        variant,  # type: ignore[arg-type]
        n_outer,
        n_slice,
        n_inner,
        exp_table,
        exp_type,
        inv_table,
        inv_type,
        accum_type,
        inv_inp_type,
        inp_norm_type,
    )


BUILDERS: dict[str, Builder] = {
    "softmax": softmax,
    "softmax_multidim": softmax,
}
