"""What the C++ functions of hls4ml do with their arguments: the one table for all who read a top function."""

from __future__ import annotations

from enum import Enum


class Role(Enum):
    """What becomes of an argument of a call."""

    DATA = "read"
    RESULT = "written"
    STATE = "read, and overwritten"
    WEIGHTS = "an array of weights, biases, thresholds or a table: nothing that a layer writes"
    NUMBER = "a number that is written in the call"


_D, _R, _S, _W, _N = Role.DATA, Role.RESULT, Role.STATE, Role.WEIGHTS, Role.NUMBER

_Roles = tuple[Role, ...]
_ONE: _Roles = (_D, _R)
_WEIGHTED: _Roles = (_D, _R, _W)
_TWO: _Roles = (_D, _D, _R)
_STEP: _Roles = (_N, _D, _R)

_ROLES: dict[str, _Roles] = {
    "add": _TWO,
    "average": _TWO,
    "bidirectional_stack": _WEIGHTED,
    "binary_tanh": _ONE,
    "broadcast_stream": _ONE,
    "clipped_relu": _ONE,
    "clone_stream": _ONE,
    "concatenate1d": _TWO,
    "concatenate2d": _TWO,
    "concatenate3d": _TWO,
    "conv1d_cl": _WEIGHTED,
    "conv2d_cl": _WEIGHTED,
    "conv_1d_cl": _WEIGHTED,
    "conv_2d_cl": _WEIGHTED,
    "conv_2d_cl_me": _WEIGHTED,
    "cropping1d_cl": _ONE,
    "cropping2d_cl": _ONE,
    "dense": _WEIGHTED,
    "dense_large": _WEIGHTED,
    "dense_large_stream": _WEIGHTED,
    "dense_large_stream_me": _WEIGHTED,
    "dense_latency": _WEIGHTED,
    "dense_resource": _WEIGHTED,
    "dense_ss": _WEIGHTED,
    "depthwise_conv_1d_cl": _WEIGHTED,
    "depthwise_conv_2d_cl": _WEIGHTED,
    "dot1d": _TWO,
    "einsum": _TWO,
    "einsum_dense": _WEIGHTED,
    "elu": (_D, _N, _R),
    "embedding": _WEIGHTED,
    "global_pooling1d_cl": _ONE,
    "global_pooling2d_cl": _ONE,
    "gru": _WEIGHTED,
    "gru_pytorch_stack": _WEIGHTED,
    "gru_stack": _WEIGHTED,
    "gru_stack_bidirectional": _WEIGHTED,
    "gru_static": _WEIGHTED,
    "hard_sigmoid": _ONE,
    "hard_tanh": _ONE,
    "layernorm": _WEIGHTED,
    "layernormalize": _WEIGHTED,
    "leaky_relu": (_D, _N, _R),
    "leaky_relu_me": (_D, _N, _R),
    "linear": _ONE,
    "lstm": _WEIGHTED,
    "lstm_stack": _WEIGHTED,
    "maximum": _TWO,
    "minimum": _TWO,
    "multiheadattention": (_D, _D, _R, _W),
    "multiply": _TWO,
    "normalize": _WEIGHTED,
    "normalize_binary_tanh": _WEIGHTED,
    "normalize_me": _WEIGHTED,
    "normalize_ternary_tanh": _WEIGHTED,
    "permute": _ONE,
    "pointwise_conv_1d_cl": _WEIGHTED,
    "pointwise_conv_2d_cl": _WEIGHTED,
    "pooling1d_cl": _ONE,
    "pooling2d_cl": _ONE,
    "pooling2d_large_cl_nopad_pad_me": _ONE,
    "prelu": (_D, _W, _R),
    "relu": _ONE,
    "relu1": _ONE,
    "relu6": _ONE,
    "relu_max": _ONE,
    "relu_me": _ONE,
    "repack_stream": _ONE,
    "resize_nearest": _ONE,
    "resize_nearest_me": _ONE,
    "selu": _ONE,
    "separable_conv_1d_cl": _WEIGHTED,
    "separable_conv_2d_cl": _WEIGHTED,
    "sigmoid": _ONE,
    "sigmoid_me": _ONE,
    "simple_rnn": _WEIGHTED,
    "simple_rnn_pytorch_stack": _WEIGHTED,
    "simple_rnn_stack": _WEIGHTED,
    "softmax": _ONE,
    "softmax_multidim": _ONE,
    "softplus": _ONE,
    "softsign": _ONE,
    "subtract": _TWO,
    "tanh": _ONE,
    "ternary_tanh": _ONE,
    "thresholded_relu": (_D, _N, _R),
    "transpose": _ONE,
    "transpose_2d": _ONE,
    "transpose_3d": _ONE,
    "unary_lut": _WEIGHTED,
    "zeropad1d_cl": _ONE,
    "zeropad2d_cl": _ONE,
    "zeropad2d_cl_me": _ONE,
}
"""By function; the last role holds for all arguments that follow."""

_BY_COUNT: dict[tuple[str, int], _Roles] = {
    ("elu", 2): _ONE,
    ("gru_stack", 7): (_D, _S, _R, _W),
    ("lstm_stack", 8): (_D, _S, _S, _R, _W),
}
"""By function and number of arguments, where a function's overloads differ."""

READ_STEP, WRITE_STEP = "read_time_step_", "write_time_step_"
"""How the names of functions begin that copy a time step, whose number is their first argument."""

CONFIG_FIRST = ("conv1d_cl", "conv2d_cl")
"""Functions whose config is their first template argument, and not the last."""

WITHOUT_CONFIG = ("clone_stream", "repack_stream")
"""Functions without a config, as those that hls4ml generates for a project."""

SINGLE_NUMBERS = frozenset(name for name in _ROLES if name.endswith("_me") or name == "dense_ss")
"""Functions of streams that carry one number at a time, of forks of hls4ml 0.5; all others take packs of numbers."""

NOT_SYNTHESIZED = frozenset(
    {
        "load_weights_from_txt",
        "load_compressed_weights_from_txt",
        "load_exponent_weights_from_txt",
        "save_layer_output",
        "copy_data",
        "print_result",
    }
)
"""Functions of the C simulation alone."""


def known(function: str) -> bool:
    """Whether a function is in the table; of others, as those that hls4ml generates for a project, `roles` assumes."""
    return function in _ROLES or function.startswith((READ_STEP, WRITE_STEP))


def roles(function: str, count: int) -> _Roles:
    """The roles of the `count` arguments of a call of a function in namespace nnet.

    A function that is not known gets its data first, two if there are three arguments, its result after them, and
    then weights, as all of hls4ml's do.
    """
    if function.startswith((READ_STEP, WRITE_STEP)):
        pattern = _STEP
    else:
        pattern = _BY_COUNT.get((function, count)) or _ROLES.get(function) or (_TWO if count == 3 else _WEIGHTED)
    return (*pattern, *[pattern[-1]] * count)[:count]
