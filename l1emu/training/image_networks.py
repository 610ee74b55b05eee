"""Registered builders for images: vision transformer, attention in windows, and two mixtures with convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tensorflow import keras

from l1emu.errors import L1emuError
from l1emu.training.heads import with_head
from l1emu.training.layers import Rearranged
from l1emu.training.networks import Attended, attention_block


def vision_transformer(
    *,
    input: str,
    shape: Sequence[int],
    outputs: int,
    patch: int,
    width: int,
    heads: int,
    feed_forward: int,
    blocks: int = 1,
    head: Sequence[int] = (),
) -> keras.Model:
    """ViT: patches of `patch` by `patch` pixels become tokens by one convolution, and attend to each other.

    Where a token is, the image's channels must tell (`coordinates` of the generator `jet-images`). The head reads the
    mean over tokens: a power of two of them.
    """
    inputs = keras.layers.Input(tuple(shape), name=input)
    x = _attended(_patches(inputs, patch, width), blocks, heads, feed_forward, "pool")
    return with_head(inputs, x, head, outputs, True, "vit")


def windowed_transformer(
    *,
    input: str,
    shape: Sequence[int],
    outputs: int,
    patch: int,
    width: int,
    window: int,
    heads: int,
    feed_forward: int,
    shifted: bool = False,
    head: Sequence[int] = (),
) -> keras.Model:
    """After Swin: attention within windows of `window` by `window` tokens, four tokens merged to one, attention of all.

    Parameters
    ----------
    shifted
        Whether, before tokens are merged, a second block attends within windows that are shifted by half a window in
        both directions. Half windows that are at the image's edges make up windows too, in which the tokens of one edge
        do not attend to those of the other.
    """
    inputs = keras.layers.Input(tuple(shape), name=input)
    x = _patches(inputs, patch, width)
    rows, columns = (int(size) for size in x.shape[1:3])
    if rows % window or columns % window or window % 2:
        raise L1emuError(
            "windows do not tile the tokens",
            where="network.sizes.window",
            value=window,
            expected=f"an even divisor of {rows} and {columns} tokens",
        )
    x = _tiled(x, window, "windows")
    x = attention_block(x, "local", heads, feed_forward)
    if shifted:
        if window % 4:
            raise L1emuError(
                "half a window does not hold whole groups of merged tokens",
                where="network.sizes.window",
                value=window,
                expected="a multiple of 4 tokens, where windows are shifted",
            )
        x, groups = _shifted(x, rows // window, columns // window, window)
        x = attention_block(x, "shifted", heads, feed_forward, attended=Attended(groups=groups))
    # within a window tokens stand row by row: pairs of rows and of columns are merged; of which window they are does
    # not matter to what is behind
    half = window // 2
    count = (rows // window) * (columns // window)
    x = keras.layers.Reshape((count * half, 2, half, 2 * width), name="quarters")(x)
    x = keras.layers.Permute((1, 3, 2, 4), name="quarters_together")(x)
    x = keras.layers.Reshape((count * half * half, 4 * width), name="merged")(x)
    x = keras.layers.Dense(2 * width, name="merge")(x)
    x = keras.layers.Activation("relu", name="merge_relu")(x)
    x = attention_block(x, "all", heads, 2 * feed_forward)
    x = keras.layers.GlobalAveragePooling1D(name="pool")(x)
    return with_head(inputs, x, head, outputs, True, "windowed")


def convolution_attention(
    *,
    input: str,
    shape: Sequence[int],
    outputs: int,
    filters: Sequence[int],
    heads: int,
    feed_forward: int,
    blocks: int = 1,
    head: Sequence[int] = (),
) -> keras.Model:
    """After CoAtNet: convolutions that halve the image, one for each of `filters`, then attention over what is left."""
    inputs = keras.layers.Input(tuple(shape), name=input)
    x = _attended(_convolutions(inputs, filters), blocks, heads, feed_forward, "pool")
    return with_head(inputs, x, head, outputs, True, "coatnet")


def hybrid_network(
    *,
    input: str,
    shape: Sequence[int],
    outputs: int,
    filters: Sequence[int],
    patch: int,
    width: int,
    heads: int,
    feed_forward: int,
    head: Sequence[int] = (),
) -> keras.Model:
    """Convolutions and a vision transformer side by side on the same image; the head reads both."""
    inputs = keras.layers.Input(tuple(shape), name=input)
    near = _tokens(_convolutions(inputs, filters), "near_tokens")
    near = keras.layers.GlobalAveragePooling1D(name="near")(near)
    far = _attended(_patches(inputs, patch, width), 1, heads, feed_forward, "far")
    x = keras.layers.Concatenate(name="both")([near, far])
    return with_head(inputs, x, head, outputs, True, "hybrid")


def _patches(x: Any, patch: int, width: int) -> Any:
    rows, columns = (int(size) for size in x.shape[1:3])
    if patch < 2 or rows % patch or columns % patch:
        raise L1emuError(
            "patches do not tile the image",
            where="network.sizes.patch",
            value=patch,
            expected=f"a divisor of {rows} and {columns} pixels, 2 or more",
        )
    x = keras.layers.Conv2D(width, patch, strides=patch, name="embed")(x)
    return keras.layers.Activation("relu", name="embed_relu")(x)


def _convolutions(x: Any, filters: Sequence[int]) -> Any:
    for number, channels in enumerate(filters):
        x = keras.layers.Conv2D(channels, 3, strides=2, padding="same", name=f"conv{number}")(x)
        x = keras.layers.Activation("relu", name=f"conv{number}_relu")(x)
    return x


def _attended(x: Any, blocks: int, heads: int, feed_forward: int, pool: str) -> Any:
    """The mean over the places of an image, (rows, columns, width), that attend to each other in `blocks` blocks."""
    x = _tokens(x, "tokens")
    for number in range(blocks):
        x = attention_block(x, f"block{number}", heads, feed_forward)
    return keras.layers.GlobalAveragePooling1D(name=pool)(x)


def _tokens(x: Any, name: str) -> Any:
    rows, columns, width = (int(size) for size in x.shape[1:])
    return keras.layers.Reshape((rows * columns, width), name=name)(x)


def _shifted(x: Any, down: int, across: int, window: int) -> tuple[Any, list[list[int]]]:
    """Windows (down * across, window * window, width) half a window further, and the group of each of their tokens.

    The windows' quarters are put together anew; beyond the last row or column of them comes the first one again. There
    tokens of one quarter, or of two that are neighbours in the image, are a group.
    """
    half, width = window // 2, int(x.shape[-1])
    count = down * across
    x = keras.layers.Reshape((2 * count, half, 2, half * width), name="shift_split")(x)
    x = keras.layers.Permute((1, 3, 2, 4), name="shift_quarters")(x)
    x = keras.layers.Reshape((4 * count, half * half * width), name="quarters_of_windows")(x)
    order, groups = [], []
    for i, j in np.ndindex(down, across):
        tokens = np.zeros((2, half, 2, half), np.int64)
        for a, b in np.ndindex(2, 2):
            row, column = (2 * i + a + 1) % (2 * down), (2 * j + b + 1) % (2 * across)
            order.append(((row // 2 * across + column // 2) * 2 + row % 2) * 2 + column % 2)
            tokens[a, :, b] = 2 * (a if i == down - 1 else 0) + (b if j == across - 1 else 0)
        groups.append(tokens.ravel().tolist())
    x = Rearranged(order, name="shift")(x)
    x = keras.layers.Reshape((2 * count, 2, half, half * width), name="shifted_quarters")(x)
    x = keras.layers.Permute((1, 3, 2, 4), name="shift_together")(x)
    return keras.layers.Reshape((count, window * window, width), name="shifted_windows")(x), groups


def _tiled(x: Any, window: int, name: str) -> Any:
    """(rows, columns, width) as (windows, window * window, width)."""
    rows, columns, width = (int(size) for size in x.shape[1:])
    x = keras.layers.Reshape((rows // window, window, columns // window, window * width), name=f"{name}_split")(x)
    x = keras.layers.Permute((1, 3, 2, 4), name=f"{name}_together")(x)
    return keras.layers.Reshape((rows * columns // window**2, window * window, width), name=name)(x)
