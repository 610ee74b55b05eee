"""The weights of a PyTorch Particle Transformer as those of `reference_particle_transformer`.

Names and shapes are those of the authors' code (`weaver.nn.model.ParticleTransformer`). Folded exactly: batch
normalizations into the layers behind or before them (that of the features, before a layer normalization, becomes a
diagonal matrix); 1 / sqrt(width of a head) into the queries; the scale of each head, with the order in which the
reference writes them, into the projection; the residual's scale becomes a diagonal matrix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from l1emu.errors import L1emuError
from l1emu.training.torch_state import StateDict

_Array = npt.NDArray[np.float64]
_Affine = tuple[_Array, _Array]
"""What numbers are multiplied by, and what is added."""

_BATCH_EPSILON = 1e-5
_REASONS = {
    "in_proj.": "the layout of later versions of the reference, which differ in the order of the heads",
    "fts_embed": "further features of pairs (pair_extra_dim) beside those of momenta",
    "bias_k": "learned keys beside those of particles (add_bias_kv)",
    "bias_v": "learned values beside those of particles (add_bias_kv)",
}
"""Of names of what is not translated: what it is."""


def is_part_state(state: Mapping[str, Any]) -> bool:
    """Whether it is of a PyTorch Particle Transformer, by its names."""
    return any(name.endswith("cls_token") for name in state)


def part_weights(state: StateDict) -> tuple[dict[str, Any], dict[str, npt.NDArray[np.float32]]]:
    """The sizes of the network, and its weights under `layer/kernel`, `layer/bias`, `layer/gamma`, `layer/beta`.

    Parameters
    ----------
    state
        Of the model, or of one that has it as a part (`mod.` of the authors' training).

    Raises
    ------
    L1emuError
        naming what the state lacks, and what of it has no translation.
    """
    prefix = next(name for name in state if name.endswith("cls_token")).removesuffix("cls_token")
    part = _Part({name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)})
    others = [name for name in state if not name.startswith(prefix)]
    if others:
        raise L1emuError("beside a Particle Transformer the state holds something else", where=others[0])
    sizes = part.translated()
    left = sorted(name for name in part.left if not name.endswith("num_batches_tracked"))
    if left:
        raise part.untranslated(left[0])
    return sizes, {name: array.astype(np.float32) for name, array in part.made.items()}


class _Part:
    def __init__(self, state: StateDict) -> None:
        self.state = state
        self.left = set(state)
        self.made: dict[str, _Array] = {}

    def take(self, name: str, shape: tuple[int, ...] | None = None) -> _Array:
        """The array of this name."""
        if name not in self.state:
            raise L1emuError("the state of a Particle Transformer lacks this", where=name)
        self.left.discard(name)
        array = self.state[name]
        if shape is not None and array.shape != shape:
            raise L1emuError("wrong shape", where=name, value=array.shape, expected=str(shape))
        return array

    def untranslated(self, name: str) -> L1emuError:
        """That this array has no counterpart."""
        reason = next((text for word, text in _REASONS.items() if word in name), None)
        return L1emuError(f"this of the state has no translation{': ' + reason if reason else ''}", where=name)

    def translated(self) -> dict[str, Any]:
        """Translate all; the sizes."""
        embed = self.embedding()
        width = embed[-1]
        sizes: dict[str, Any] = {"features": len(self.made["input_norm/bias"]), "embed": embed}
        pairs = self.pair_embedding() if any(name.startswith("pair_embed.") for name in self.state) else None
        if pairs is not None:
            sizes |= {"heads": pairs.pop("heads"), "pairs": pairs}
        elif "blocks.0.c_attn" in self.state:
            sizes["heads"] = len(self.state["blocks.0.c_attn"])
        else:
            raise L1emuError("neither pairs nor scales of heads say how many heads there are", where="blocks.0.c_attn")
        for ours, theirs in (("block", "blocks"), ("class", "cls_blocks")):
            numbers = {int(m[1]) for name in self.state if (m := re.match(rf"{theirs}\.(\d+)\.", name))}
            for number in range(len(numbers)):
                sizes["feed_forward"] = self.block(f"{theirs}.{number}.", f"{ours}{number}", width, sizes["heads"])
            sizes[f"{'class_' if ours == 'class' else ''}blocks"] = len(numbers)
        self.made["class_token/bias"] = self.take("cls_token", (1, 1, width))[0, 0]
        self.norm("norm", "norm", width)
        layers = sorted(int(m[1]) for name in self.state if (m := re.fullmatch(r"fc\.(\d+)(\.0)?\.weight", name)))
        head = []
        for number in layers[:-1]:
            head.append(self.dense(f"fc.{number}.0", f"head{number}"))
        if not layers:
            raise L1emuError("the state of a Particle Transformer lacks this", where="fc.0.weight")
        return sizes | {"head": head, "outputs": self.dense(f"fc.{layers[-1]}", "logits")}

    def put(self, layer: str, kernel: _Array, bias: _Array) -> int:
        """Kernel (inputs, units) and bias of a dense layer; how many units it has."""
        self.made |= {f"{layer}/kernel": kernel, f"{layer}/bias": bias}
        return len(bias)

    def diagonal(self, layer: str, scale: _Array, shift: _Array) -> None:
        """A dense layer that multiplies number by number."""
        self.put(layer, np.diag(scale), shift)

    def dense(self, theirs: str, ours: str) -> int:
        """A `Linear`."""
        kernel = self.take(f"{theirs}.weight")
        return self.put(ours, kernel.T, self.take(f"{theirs}.bias", kernel.shape[:1]))

    def norm(self, theirs: str, ours: str, width: int) -> None:
        """A `LayerNorm`."""
        self.made[f"{ours}/gamma"] = self.take(f"{theirs}.weight", (width,))
        self.made[f"{ours}/beta"] = self.take(f"{theirs}.bias", (width,))

    def batch_norm(self, theirs: str) -> _Affine:
        """What a `BatchNorm1d` does once it is trained."""
        variance = self.take(f"{theirs}.running_var")
        mean, gamma, beta = (self.take(f"{theirs}.{n}", variance.shape) for n in ("running_mean", "weight", "bias"))
        scale = gamma / np.sqrt(variance + _BATCH_EPSILON)
        return scale, beta - mean * scale

    def embedding(self) -> list[int]:
        """The layers before the blocks; their widths."""
        self.diagonal("input_norm", *self.batch_norm("embed.input_bn"))
        widths = [len(self.made["input_norm/bias"])]
        while f"embed.embed.{3 * len(widths) - 2}.weight" in self.state:
            number = len(widths) - 1
            self.norm(f"embed.embed.{3 * number}", f"embed{number}_norm", widths[-1])
            widths.append(self.dense(f"embed.embed.{3 * number + 1}", f"embed{number}"))
        if len(widths) == 1:
            raise L1emuError("the state of a Particle Transformer lacks this", where="embed.embed.1.weight")
        return widths[1:]

    def pair_embedding(self) -> dict[str, Any]:
        """The layers of pairs."""
        scale, shift = self.batch_norm("pair_embed.embed.0")
        widths = [len(scale)]
        count = sum(bool(re.fullmatch(r"pair_embed\.embed\.\d+\.running_var", name)) for name in self.state) - 1
        for number in range(count):
            theirs = f"pair_embed.embed.{3 * number + 1}"
            kernel = self.take(f"{theirs}.weight")[..., 0].T
            bias = self.take(f"{theirs}.bias", kernel.shape[1:])
            if number == 0:
                kernel, bias = kernel * scale[:, None], bias + shift @ kernel
            scale, shift = self.batch_norm(f"pair_embed.embed.{3 * number + 2}")
            layer = "pair_heads" if number == count - 1 else f"pair{number}"
            widths.append(self.put(layer, kernel * scale, bias * scale + shift))
        return {"features": widths[0], "hidden": widths[1:-1], "heads": widths[-1]}

    def block(self, theirs: str, ours: str, width: int, heads: int) -> int:
        """A block; how many units its feed-forward network has."""
        self.norm(f"{theirs}pre_attn_norm", f"{ours}_norm1", width)
        if f"{theirs}attn.in_proj.weight" in self.state:
            raise self.untranslated(f"{theirs}attn.in_proj.weight")
        kernel = self.take(f"{theirs}attn.in_proj_weight", (3 * width, width)).T
        bias = self.take(f"{theirs}attn.in_proj_bias", (3 * width,))
        for number, part in enumerate(("query", "key", "value")):
            chosen = slice(number * width, (number + 1) * width)
            scale = (width // heads) ** -0.5 if part == "query" else 1.0
            self.put(f"{ours}_{part}", kernel[:, chosen] * scale, bias[chosen] * scale)
        self.projection(theirs, f"{ours}_project", width, heads)
        self.norm(f"{theirs}post_attn_norm", f"{ours}_norm2", width)
        self.norm(f"{theirs}pre_fc_norm", f"{ours}_norm3", width)
        units = self.dense(f"{theirs}fc1", f"{ours}_ff1")
        self.norm(f"{theirs}post_fc_norm", f"{ours}_norm4", units)
        self.dense(f"{theirs}fc2", f"{ours}_ff2")
        scale = self.take(f"{theirs}w_resid", (width,)) if f"{theirs}w_resid" in self.state else np.ones(width)
        self.diagonal(f"{ours}_scale", scale, np.zeros(width))
        return units

    def projection(self, theirs: str, ours: str, width: int, heads: int) -> None:
        """The projection behind attention, with the scales of the heads; these also put the numbers of a head apart."""
        kernel = self.take(f"{theirs}attn.out_proj.weight", (width, width)).T
        bias = self.take(f"{theirs}attn.out_proj.bias", (width,))
        if f"{theirs}c_attn" in self.state:
            scale = np.repeat(self.take(f"{theirs}c_attn", (heads,)), width // heads)
            order = np.arange(width).reshape(heads, width // heads).T.ravel()
            kernel, bias = (kernel * scale)[:, order], (bias * scale)[order]
        self.put(ours, kernel, bias)
