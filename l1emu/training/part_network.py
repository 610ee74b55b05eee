"""The Particle Transformer of its authors' PyTorch code (Qu, Li and Qian, arXiv:2202.03772), of layers that convert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tensorflow import keras

from l1emu.errors import L1emuError
from l1emu.training.heads import with_head
from l1emu.training.layernorm_layer import EPSILON_POWER
from l1emu.training.networks import Attended, attention, check_heads, sizes_of_input

_Act = Literal["relu", "gelu"]


def reference_particle_transformer(
    *,
    input: str,
    shape: Sequence[int],
    mask: str,
    outputs: int,
    heads: int,
    embed: Sequence[int],
    feed_forward: int,
    blocks: int,
    class_blocks: int,
    pairs: Mapping[str, Any] | None = None,
    head: Sequence[int] = (),
    activation: _Act = "relu",
    epsilon: float = 10.0**-EPSILON_POWER,
    softmax: bool = True,
) -> keras.Model:
    """ParT with all that the reference has: layer normalizations, class tokens in class attention, residual scales.

    Its batch normalizations and scales of heads are folded. What multiplies a residual, or the features, number by
    number is a dense layer with a diagonal matrix. `l1emu.training.part_weights` has the weights of a PyTorch model.

    Parameters
    ----------
    input, shape
        The particles, (particles, features).
    mask
        The name of the input (particles,): 1 for each particle that there is, 0 for padding.
    embed
        Widths of the layers before the blocks; the last one is the width of all blocks.
    feed_forward
        Units of the layer inside the feed-forward network of each block.
    pairs
        `input`, the name of an input (particles, particles, features); `features`, how many; `hidden`, the widths of
        the layers before the bias of the heads; `activated`, whether the bias ends with the activation (the reference's
        `use_pre_activation_pair=False`).
    activation, epsilon
        The reference has gelu and 1e-5, which hls4ml cannot compute here: such a network is refused at conversion.
    """
    width = int(embed[-1]) if embed else 0
    if len(shape) != 2 or not width:
        raise L1emuError("no particles", where="network.sizes", value=(tuple(shape), tuple(embed)),
                         expected="a shape (particles, features), and embed")  # fmt: skip
    check_heads(width, heads)
    if activation not in ("relu", "gelu"):
        raise L1emuError("unknown activation", where="network.sizes", value=activation, expected="relu or gelu")
    make = _Parts(activation, epsilon, heads, feed_forward)
    count, features = (int(size) for size in shape)
    inputs = [keras.layers.Input((count, features), name=input)]
    x = keras.layers.Dense(features, name="input_norm", kernel_initializer="identity")(inputs[0])
    for number, units in enumerate(embed):
        x = make.activated(keras.layers.Dense(units, name=f"embed{number}")(make.norm(x, f"embed{number}_norm")))
        x = keras.layers.Activation("linear", name=f"embed{number}_signed")(x)  # a normalization takes signed numbers
    bias = None
    if pairs is not None:
        named = sizes_of_input(pairs, "pairs", {"hidden": (), "activated": False})
        inputs.append(keras.layers.Input((count, count, named["features"]), name=named["input"]))
        bias = make.pair_bias(inputs[-1], named["hidden"], named["activated"])
    inputs.append(there := keras.layers.Input((count,), name=mask))
    for number in range(blocks):
        x = make.block(x, None, f"block{number}", Attended(there, False, bias))
    # the same for all jets: a matrix of zeros and the token as bias
    token = keras.layers.Dense(width, name="class_token", kernel_initializer="zeros")(there)
    token = keras.layers.Reshape((1, width), name="class_row")(token)
    for number in range(class_blocks):
        token = make.block(token, x, f"class{number}", Attended(there))
    x = keras.layers.Reshape((width,), name="class_vector")(make.norm(token, "norm"))
    return with_head(inputs, x, head, outputs, softmax, "part")


class _Parts:
    """Makes the network's parts with one activation, epsilon, and sizes of blocks."""

    def __init__(self, activation: _Act, epsilon: float, heads: int, feed_forward: int) -> None:
        self.activation = activation
        self.epsilon = epsilon
        self.heads = heads
        self.feed_forward = feed_forward

    def norm(self, x: Any, name: str) -> Any:
        """A layer normalization."""
        return keras.layers.LayerNormalization(epsilon=self.epsilon, name=name)(x)

    def activated(self, x: Any) -> Any:
        """The activation of the layer that made `x`."""
        name = f"{x._keras_history.layer.name}_{self.activation}"
        return keras.layers.Activation(self.activation, name=name)(x)

    def pair_bias(self, x: Any, hidden: Sequence[int], activated: bool) -> Any:
        """A bias (heads, n, n) of the scores."""
        for number, units in enumerate(hidden):
            x = self.activated(keras.layers.Dense(units, name=f"pair{number}")(x))
        x = keras.layers.Dense(self.heads, name="pair_heads")(x)
        if activated:
            x = keras.layers.Activation("linear", name="pair_heads_signed")(self.activated(x))
        return keras.layers.Permute((3, 1, 2), name="pair_bias")(x)

    def block(self, x: Any, read: Any, name: str, attended: Attended) -> Any:
        """A block of attention and feed-forward network; with `read`, class attention of `x` to itself and that."""
        width = int(x.shape[-1])
        if read is None:
            query = seen = self.norm(x, f"{name}_norm1")
        else:
            query = x
            seen = self.norm(keras.layers.Concatenate(axis=1, name=f"{name}_read")([x, read]), f"{name}_norm1")
        mixed = attention(query, seen, name, self.heads, attended, 1.0)
        x = keras.layers.Add(name=f"{name}_add1")([x, self.norm(mixed, f"{name}_norm2")])
        y = self.activated(keras.layers.Dense(self.feed_forward, name=f"{name}_ff1")(self.norm(x, f"{name}_norm3")))
        y = keras.layers.Activation("linear", name=f"{name}_ff1_signed")(y)
        y = keras.layers.Dense(width, name=f"{name}_ff2")(self.norm(y, f"{name}_norm4"))
        scaled = keras.layers.Dense(width, name=f"{name}_scale", kernel_initializer="identity")(x)
        return keras.layers.Add(name=f"{name}_add2")([scaled, y])
