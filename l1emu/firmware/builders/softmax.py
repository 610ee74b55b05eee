"""Softmax in all its variants."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from l1emu.arraytypes import Ints
from l1emu.firmware import tables
from l1emu.firmware.builders.attention import direct_softmax
from l1emu.firmware.builders.call import SYNTHESIS, Builder, Call
from l1emu.firmware.project import ConfigStruct
from l1emu.fixedpoint import FixedPoint, Overflow, Rounding
from l1emu.layers import Softmax, Tensor


@dataclass(frozen=True)
class _Types:
    """The types and the sizes of the tables of an implementation, which may have another name than in the config."""

    variant: str
    exp: FixedPoint
    inv: FixedPoint
    accum: FixedPoint
    inv_inp: FixedPoint
    inp_norm: FixedPoint | None
    exp_size: int
    inv_size: int
    scale: float


def _softmax(call: Call) -> Softmax:
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
    output = call.output(call.flat(1, "n_in"))
    data = call.input(0, output.shape)
    if not call.stream and direct:
        return direct_softmax(call, call.name, config, data, output, 1)
    one_table = origin == "one table"
    n_outer, n_slice, n_inner = _axes(call, data, output, config.integer("n_in" if one_table else "n_slice"))
    if config.integer("n_in") != data.size:
        raise call.error("n_in is not the tensor's size", config.integer("n_in"), str(data.size))
    if not call.stream and call.variant("softmax") not in (origin, "direct"):
        raise call.error(f"nnet::softmax and nnet::softmax_{variant} are of different origin")
    types = _one_table(config, variant, data.type) if one_table else _two_tables(call, variant)
    exp_table = inv_table = np.empty(0, dtype=np.int64)
    if types.variant in ("stable", "relative", "latency"):
        # the older kernels convert the difference to the data's type: the same bits
        address = data.type if one_table else types.inp_norm or data.type
        exp_table, inv_table = _tables(call, types, origin, address)
    elif variant == "legacy":
        call.kernels.require(call.place, "init_exp_table_legacy", "init_invert_table_legacy", "exp_fcn_float")
        kind = config.type("table_t")
        types = replace(types, exp=kind, inv=kind, accum=kind, inv_inp=kind)
        exp_table = tables.legacy_exponential(types.exp_size, kind)
        inv_table = tables.legacy_inverse(types.inv_size, kind)
    config.finish(*SYNTHESIS, "axis", "n_outer", "n_inner", "inp_norm_t", "table_size", "table_t")
    return Softmax(
        call.name,
        (data,),
        output,
        types.variant,  # type: ignore[arg-type]
        n_outer,
        n_slice,
        n_inner,
        exp_table,
        types.exp,
        inv_table,
        types.inv,
        types.accum,
        types.inv_inp,
        types.inp_norm,
    )


def _axes(call: Call, data: Tensor, output: Tensor, n_slice: int) -> tuple[int, int, int]:
    """The counts before, along and behind the axis that sums to one; `n_slice` is the config's."""
    if call.stream:  # over what travels together
        call.require("softmax")
        pack = output.shape[-1]
        call.check_packs(pack, pack)
        return data.size // pack, pack, 1
    if call.function == "softmax":
        if n_slice != data.size:
            raise call.error("n_slice is not the tensor's size", n_slice, str(data.size))
        return 1, n_slice, 1
    n_outer, n_inner = call.config.integer("n_outer"), call.config.integer("n_inner")
    call.kernels.require(call.place, "softmax_multidim")
    return n_outer, n_slice, n_inner


def _one_table(config: ConfigStruct, variant: str, data: FixedPoint) -> _Types:
    """Of the older kernels, whose sizes are one and whose sums are of the exponentials' type."""
    exp, size = config.type("exp_table_t"), config.integer("table_size")
    norm = None
    if variant == "stable":
        variant = "relative"
        norm = FixedPoint(data.width, data.integer, True, Rounding.RND, Overflow.SAT)
    return _Types(variant, exp, config.type("inv_table_t"), exp, exp, norm, size, size, 1.0)


def _two_tables(call: Call, variant: str) -> _Types:
    config = call.config
    scale = config.number("exp_scale")
    if isinstance(scale, str):
        raise call.error("exp_scale is not a number", scale)
    return _Types(
        variant,
        config.type("exp_table_t"),
        config.type("inv_table_t"),
        config.type("accum_t"),
        config.type("inv_inp_t"),
        config.type("inp_norm_t") if variant == "stable" else None,
        config.integer("exp_table_size"),
        config.integer("inv_table_size"),
        float(scale),
    )


def _tables(call: Call, types: _Types, origin: str, address: FixedPoint) -> tuple[Ints, Ints]:
    """The exponentials, by numbers of the type `address`, and the inverses."""
    for kernel in ("softmax_real_val_from_idx", "softmax_idx_from_real_val", "init_exp_table"):
        if call.kernels.variant(call.place, kernel) != origin:
            raise call.error(f"nnet::softmax and nnet::{kernel} are of different origin")
    helpers = ("exp_fcn_float", "ceillog2", "floorlog2", "pow2", "reduce", "Op_add", "Op_max")
    call.kernels.require(call.place, *helpers)
    for size, kind in ((types.exp_size, address), (types.inv_size, types.inv_inp)):
        if size < 2 or size & (size - 1) or size > 1 << kind.width:
            raise call.error(f"a table size does not fit the type {kind} that addresses it", size, "a power of two")
    exp_table = tables.exponential(address, types.exp_size, types.scale, types.exp, types.variant == "stable")
    double = call.kernels.variant(call.place, "init_invert_table") == "double"
    return exp_table, tables.inverse(types.inv_inp, types.inv_size, types.inv, double)


BUILDERS: dict[str, Builder] = {
    "softmax": _softmax,
    "softmax_multidim": _softmax,
}
