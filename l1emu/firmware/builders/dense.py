"""Fully connected layers."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from l1emu.arraytypes import Ints
from l1emu.firmware.builders.adders import streamed_dense
from l1emu.firmware.builders.call import SYNTHESIS, Builder, Call
from l1emu.firmware.project import ConfigStruct
from l1emu.fixedpoint import FixedPoint, Overflow
from l1emu.layers import Dense, Layer, Linear, Relu, Steps, Tensor
from l1emu.layers.dense import resource_order
from l1emu.layers.softmax import index_bits


def _dense(call: Call) -> tuple[Layer, ...]:
    """`nnet::dense`."""
    if call.stream and call.config.symbol("strategy") == "distributed_arithmetic" and len(call.arguments) == 2:
        return streamed_dense(call)
    call.count(2, 4)
    call.check_io()
    config = call.config
    n_in, n_out = config.integer("n_in"), config.integer("n_out")
    positions = 1
    variant = "" if call.stream else call.kernels.variant(call.place, "dense")
    if variant == "sequence":
        call.kernels.require(call.place, "dense_seq")
        positions = config.integer("seq_len")
        order, transposed = dense_by_strategy(call, config, n_in)
    elif variant == "strategy" or (call.stream and _wrapped_by_strategy(call)):
        order, transposed = dense_by_strategy(call, config, n_in)
    else:
        order, transposed = dense_kernel(call, config, n_in)
    layers = matrix_product(call, config, positions, n_in, n_out, order, transposed)
    config.finish(*SYNTHESIS)
    return layers


def _dense_of_single_numbers(call: Call) -> tuple[Layer, ...]:
    """`nnet::dense_large_stream_me`, and `dense_ss`, which takes the products in the order of the numbers."""
    call.count(2, 4)
    call.check_io()
    call.check_packs(0, 0)
    config = call.config
    n_in, n_out = config.integer("n_in"), config.integer("n_out")
    call.kernels.require(call.place, call.function, "enable_if/product_dense")
    call.plain_product(config, cast=True)
    order, transposed = np.arange(n_in, dtype=np.int64), True
    if call.function == "dense_large_stream_me":
        order, transposed = dense_large(call, config, n_in)
    layers = matrix_product(call, config, 1, n_in, n_out, order, transposed, call.input(0, (n_in,)))
    config.finish(*SYNTHESIS)
    return layers


def dense_kernel(call: Call, config: ConfigStruct, n_in: int, weights: str | None = None) -> tuple[Ints, bool]:
    """The order of products, and whether the weights lie transposed, of a config for `nnet::dense`.

    `weights` is the name of their array if that is not the call's first.
    """
    reuse = config.integer("reuse_factor")
    require_cast(call)
    if call.stream and call.function == "dense":
        if call.variant("dense") == "strategy":
            return _stream_by_strategy(call, config, n_in)
        call.require("dense_wrapper")
    kernel = config.template("kernel").removeprefix("nnet::")
    if kernel == "DenseLatency":
        call.kernels.require(call.place, "DenseLatency", "dense_latency")
        return np.arange(n_in, dtype=np.int64), False
    if kernel == "DenseResource_rf_leq_nin" and n_in % reuse == 0:
        call.kernels.require(call.place, kernel, "dense_resource_rf_leq_nin")
        return resource_order(n_in, reuse), True
    if kernel == "DenseResource_rf_gt_nin_rem0" and reuse % n_in == 0:
        call.kernels.require(call.place, kernel, "dense_resource_rf_gt_nin_rem0")
        return np.arange(n_in, dtype=np.int64), True
    if "dense_resource_unrolled_" in kernel:
        return _unrolled(call, config, kernel.split("::")[-1], weights or call.parameters[0]), True
    if not call.kernels.present(kernel):
        raise call.error("the project's headers do not have this kernel", kernel)
    raise call.error(f"the C++ stops at this reuse factor with {kernel}", reuse, f"a divisor of {n_in}")


_UNROLLED = re.compile(
    r"acc\[(\d+)\]\+=static_cast<typenameCONFIG_T::accum_t>\(CONFIG_T::templateproduct<data_T,typename"
    r"CONFIG_T::weight_t>::product\(data\[(\d+)\],weights\[(\d+)\]\)\);"
)


def _unrolled(call: Call, config: ConfigStruct, name: str, weights: str) -> Ints:
    """The order of the products in a generated ``dense_resource_unrolled_...``, one statement for each.

    Products with weights that are zero are left out of the code.
    """
    code = call.project.generated_class(name)
    if code is None:
        raise call.error("its generated code is not in nnet_code_gen.h", name)
    skeleton = re.sub(r"M\d+:\{\}", "", _UNROLLED.sub("", code)).replace(name, "name")
    call.require_generated("dense_resource_unrolled", skeleton)
    n_in, n_out, reuse = (config.integer(key) for key in ("n_in", "n_out", "reuse_factor"))
    order = resource_order(n_in, reuse) if n_in % reuse == 0 else np.arange(n_in, dtype=np.int64)
    place = np.argsort(order)
    last = np.full(n_out, -1)  # where in the order the output's products have come to
    taken = np.zeros(n_in * n_out, dtype=bool)
    for statement in _UNROLLED.finditer(code):
        o, i, w = (int(number) for number in statement.groups())
        if o >= n_out or i >= n_in or w != o * n_in + i or place[i] <= last[o]:
            raise call.error("its generated code does not add the products of a matrix in order", statement[0])
        last[o], taken[w] = place[i], True
    if not taken.all() and call.weights(weights, config.type("weight_t"))[~taken].any():
        raise call.error("its generated code leaves out weights that are not zero", name)
    return order


def dense_by_strategy(call: Call, config: ConfigStruct, n_in: int, strategy: str | None = None) -> tuple[Ints, bool]:
    """As `dense_kernel`, of kernels that go by a strategy, the config's if none is given, and the reuse factor."""
    require_cast(call)
    if (strategy or config.symbol("strategy")) == "latency":
        call.kernels.require(call.place, "dense_latency")
        return np.arange(n_in, dtype=np.int64), False
    stem = "dense_resource"
    if call.kernels.variant(call.place, "dense_resource") == "merged relu" and _merged_relu(config):
        stem = "dense_relu_resource"
    return _resource(call, config, n_in, stem)


def dense_large(call: Call, config: ConfigStruct, n_in: int) -> tuple[Ints, bool]:
    """As `dense_by_strategy`, of `nnet::dense_large`: the resource kernels before hls4ml 0.5, with another product."""
    call.kernels.require(call.place, "dense_large", "enable_if/product_dense")
    call.plain_product(config, cast=True)
    reuse, count = config.integer("reuse_factor"), n_in * config.integer("n_out")
    if reuse > n_in and reuse % n_in == 0 and count % reuse:
        raise call.error("the C++ writes outside its sums at this reuse factor", reuse, f"a divisor of {count}")
    return _resource(call, config, n_in, "dense_large")


def _resource(call: Call, config: ConfigStruct, n_in: int, stem: str) -> tuple[Ints, bool]:
    """As `dense_by_strategy`, of the kernels with the resource strategy whose names begin so."""
    reuse = config.integer("reuse_factor")
    if reuse <= n_in and n_in % reuse == 0:
        call.kernels.require(call.place, f"{stem}_rf_leq_nin")
        return resource_order(n_in, reuse), True
    if reuse > n_in and reuse % n_in == 0:
        call.kernels.require(call.place, f"{stem}_rf_gt_nin_rem0")
        return np.arange(n_in, dtype=np.int64), True
    if reuse > n_in and config.type("accum_t").overflow == Overflow.WRAP:
        # an order of its own for each output, which matters where the sum saturates alone
        call.kernels.require(call.place, f"{stem}_rf_gt_nin")
        return np.arange(n_in, dtype=np.int64), True
    raise call.error("this reuse factor is not supported with the resource strategy", reuse, f"a divisor of {n_in}")


def _merged_relu(config: ConfigStruct) -> bool:
    """Whether the matrix ends with a ReLU, in a fork of hls4ml 0.5 for TinyML; its type is then `out_t`."""
    config.asked |= {"merged_relu", "out_t"}
    return config.has("merged_relu") and bool(config.integer("merged_relu"))


def require_cast(call: Call) -> None:
    """The cast of sums to the result; before hls4ml 0.6 one definition stands for two of its overloads."""
    if call.kernels.present("cast") or call.kernels.variant(call.place, "enable_if/cast") != "no binary data":
        call.kernels.require(call.place, "cast")


def _wrapped_by_strategy(call: Call) -> bool:
    """Whether a stream's dense layer goes by the strategy inside its wrapper, as those of hls4ml up to 0.8 do."""
    return call.variant("dense") != "strategy" and call.variant("dense_wrapper") == "strategy"


def _stream_by_strategy(call: Call, config: ConfigStruct, n_in: int) -> tuple[Ints, bool]:
    """As `dense_kernel`, of Vitis' streams, which go by the strategy where arrays go by the config's kernel."""
    call.require("data_prepare", "res_write")
    config.asked.add("kernel")
    latency = config.symbol("strategy") in ("latency", "distributed_arithmetic")
    call.require("dense_latency_wrapper" if latency else "dense_resource_wrapper")
    return dense_by_strategy(call, config, n_in, "latency" if latency else "resource")


def matrix_product(
    call: Call,
    config: ConfigStruct,
    positions: int,
    n_in: int,
    n_out: int,
    order: Ints,
    transposed: bool,
    windows: Tensor | None = None,
    *,
    depthwise: bool = False,
) -> tuple[Layer, ...]:
    """The same matrix at each position; `windows` are the numbers that it is multiplied with, if not the argument.

    With `depthwise` there is a weight for each input alone, for the output of its channel.
    """
    product = _product(call, config)
    accum_type = config.type("accum_t")
    weight, weight_type, bias, bias_type = _stored(call, config, product, (n_in, n_out), transposed, depthwise)
    many = positions > 1 or (call.stream and call.function not in BUILDERS)
    data = windows
    if data is None:
        data = call.input(0, (positions, n_in) if many else (n_in,) if call.stream else None)
    weight, weight_type = _signed(call, config, product, weight, weight_type, data.type, depthwise)
    layers: tuple[Layer, ...] = ()
    if data.type == _BIT:
        call.kernels.require(call.place, "enable_if/cast")
        signs = Tensor(f"{call.name}_signs", data.shape, FixedPoint.int_type(2))
        layers = (Steps(signs.name, (data,), signs, np.array([[1]]), np.array([-1, 1]), False),)
        data = signs
    if product == "both_binary":  # the kernel counts equal bits and takes twice that less all: the sum of the products
        bias, bias_type = _doubled_bias(call, accum_type, bias, bias_type, n_in)
        if config.integer("n_in") != n_in:
            raise call.error("the products are not as many as the inputs", config.integer("n_in"), str(n_in))
        integer = max(n_in.bit_length(), bias_type.integer) + 2
        accum_type = FixedPoint(integer + bias_type.fraction, integer)
    result = call.result(call.results[0], (positions, n_out) if many else (n_out,), 1)
    output, name = result, call.name
    if product == "both_binary" and bias.any():  # the sum goes through a type that the kernel makes for the count
        name = f"{call.name}_count"
        output = Tensor(name, output.shape, FixedPoint.int_type(index_bits(n_in) + 2))
    if call.stream and windows is None:
        _check_product_packs(call, n_in, n_out, many)
    matrix = weight, weight_type, bias, bias_type, accum_type, order
    if _merged_relu(config):
        if call.kernels.variant(call.place, "dense_resource") != "merged relu" or not transposed or name != call.name:
            raise call.error("a ReLU that is merged into this kernel is not supported")
        sums = Tensor(f"{name}_sums", output.shape, config.type("out_t"))
        merged = Dense(sums.name, (data,), sums, positions, n_in, n_out, *matrix)
        return *layers, merged, Relu(name, (sums,), output)
    dense = Dense(name, (data,), output, positions, n_in, n_out, *matrix)
    return *layers, dense, *((Linear(call.name, (output,), result),) if output is not result else ())


def _check_product_packs(call: Call, n_in: int, n_out: int, many: bool) -> None:
    packs = call.packs()
    if n_in % packs[0] or n_out % packs[1] or (many and packs != [n_in, n_out]):
        raise call.error("what travels together does not fit the sizes", packs, f"{n_in} and {n_out}")


def _stored(
    call: Call, config: ConfigStruct, product: str, sizes: tuple[int, int], transposed: bool, depthwise: bool
) -> tuple[Ints, FixedPoint, Ints, FixedPoint]:
    """Weights as they are stored, shape (n_in, n_out), and biases, each with their type."""
    n_in, n_out = sizes
    bias_type = config.type("bias_t")
    if product == "weight_exponential":
        weight, weight_type = powers(call, config.exponent_type("weight_t"))
    else:
        weight_type = config.type("weight_t")
        weight = call.weights(call.parameters[0], weight_type)
    bias = call.weights(call.parameters[1], bias_type)
    count = n_in if depthwise else n_in * n_out
    if depthwise and weight.size == count * n_out:
        weight = weight[:count]  # hls4ml 1.3 repeats them when it fuses a normalization; the kernel reads the first
    if weight.size != count or bias.size != n_out:
        raise call.error("weights of another size", (weight.size, bias.size), f"{count} and {n_out}")
    if depthwise:
        return weight[:, None] * _channels(n_in, n_out), weight_type, bias, bias_type
    weight = weight.reshape(n_out, n_in).T if transposed else weight.reshape(n_in, n_out)
    return weight, weight_type, bias, bias_type


def _signed(
    call: Call,
    config: ConfigStruct,
    product: str,
    weight: Ints,
    weight_type: FixedPoint,
    data: FixedPoint,
    depthwise: bool,
) -> tuple[Ints, FixedPoint]:
    """The numbers that stored weights stand for in a product with numbers of a type."""
    if product == "weight_exponential":
        check_shifts(call, config.exponent_type("weight_t"), weight, weight_type, data)
    if (data == _BIT) != (product in ("data_binary", "both_binary")):
        raise call.error(f"the product {product} of this data is not supported", str(data))
    if product in ("weight_binary", "both_binary"):
        if weight_type != _BIT:
            raise call.error(f"the product {product} of these weights is not supported", str(weight_type))
        # the bits mean -1 and 1; where depthwise weights have zeros there is none
        return (2 * weight - 1) * (_channels(*weight.shape) if depthwise else 1), FixedPoint.int_type(2)
    if product == "weight_ternary":
        if weight_type != FixedPoint.int_type(2):
            raise call.error(f"the product {product} of these weights is not supported", str(weight_type))
        weight = np.where(weight == -2, 1, weight)
    return weight, weight_type


def _doubled_bias(
    call: Call, accum_type: FixedPoint, bias: Ints, bias_type: FixedPoint, n_in: int
) -> tuple[Ints, FixedPoint]:
    """Twice the biases as the count of equal bits begins with them; the count must fit its type."""
    if accum_type.fraction < 0:
        raise call.error("a count of bits in this type is not supported", str(accum_type))
    start = accum_type.cast(bias, bias_type.fraction)
    if accum_type.low > 0 or int(start.max()) + (n_in << accum_type.fraction) > accum_type.high:
        raise call.error("a count of bits beyond its type is not supported", str(accum_type))
    return 2 * start, FixedPoint(accum_type.width + 2, accum_type.integer + 2)


_BIT = FixedPoint.int_type(1, signed=False)
_PRODUCTS = ("mult", "weight_binary", "data_binary", "both_binary", "weight_ternary", "weight_exponential")


def _product(call: Call, config: ConfigStruct) -> str:
    """How data and weights are multiplied."""
    product = config.template("product").removeprefix("nnet::").removeprefix("product::")
    if product not in _PRODUCTS:
        raise config.place.error(f"layer {call.name}: this product of data and weight is not supported", product)
    if product == "mult":
        call.plain_product(config, cast=True)
    elif product != "weight_exponential" or call.kernels.variant(call.place, product) != "wide":
        call.kernels.require(call.place, product)
    return product


def powers(call: Call, exponent: FixedPoint) -> tuple[Ints, FixedPoint]:
    """Weights, or scales, that are given by signs and exponents of a type, in a type that holds them."""
    signs, exponents = call.powers(call.parameters[0], exponent)
    fraction = max(0, -int(exponents.min()))
    width = fraction + max(0, int(exponents.max())) + 2
    return signs << (exponents + fraction), FixedPoint(width, width - fraction)


def check_shifts(call: Call, exponent: FixedPoint, weight: Ints, weight_type: FixedPoint, data: FixedPoint) -> None:
    """Refuse shifts that lose bits in the type of the shifted number, whose halves have the width of both operands."""
    room = exponent.width + data.width
    if call.kernels.variant(call.place, "weight_exponential") == "wide":  # for every exponent but the lowest
        reach = 1 << (exponent.width - 1)
        if weight_type.fraction >= reach:
            raise call.error("products with powers of two that lose bits are not supported", str(data))
        return
    up = int(abs(weight).max()).bit_length() - 1 - weight_type.fraction
    if data.integer + up + 1 > room or data.fraction + weight_type.fraction > room:
        raise call.error("products with powers of two that lose bits are not supported", str(data))


def _channels(n_in: int, n_out: int) -> Ints:
    """1 where an input is of the output's channel, else 0: shape (n_in, n_out)."""
    same: NDArray[np.bool_] = np.arange(n_in)[:, None] % n_out == np.arange(n_out)
    return same.astype(np.int64)


BUILDERS: dict[str, Builder] = {
    "dense": _dense,
    "dense_large_stream_me": _dense_of_single_numbers,
    "dense_ss": _dense_of_single_numbers,
}
