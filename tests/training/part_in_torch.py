"""A Particle Transformer in PyTorch with the names of its authors' code, and what small random ones give.

`python part_in_torch.py FOLDER` writes, for each of `KINDS`, `KIND.pt`, its state_dict, and `KIND.npz`: inputs
`particles` (rows, particles, features), `pairs` (rows, particles, particles, 4), `mask` (rows, particles), `scores`.
It takes torch and numpy, and nothing of l1emu.
"""
# mypy: ignore-errors

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

ROWS, PARTICLES, FEATURES, CLASSES = 64, 4, 6, 3
KINDS = {
    "gelu": {"activation": "gelu", "pair_activated": True, "blocks": 2, "class_blocks": 2, "hidden": 5},
    "relu": {"activation": "relu", "pair_activated": False, "blocks": 1, "class_blocks": 1, "hidden": None},
}
WIDTH, HEADS, PAIRS = 8, 2, 4


def act(kind):
    return nn.GELU() if kind == "gelu" else nn.ReLU()


class Embed(nn.Module):
    def __init__(self, activation):
        super().__init__()
        self.input_bn = nn.BatchNorm1d(FEATURES)
        parts, width = [], FEATURES
        for units in (7, WIDTH):
            parts += [nn.LayerNorm(width), nn.Linear(width, units), act(activation)]
            width = units
        self.embed = nn.Sequential(*parts)

    def forward(self, x):  # (rows, features, particles) to (particles, rows, width)
        return self.embed(self.input_bn(x).permute(2, 0, 1))


class PairEmbed(nn.Module):
    def __init__(self, activation, activated):
        super().__init__()
        parts, width = [nn.BatchNorm1d(PAIRS)], PAIRS
        for units in (6, HEADS):
            parts += [nn.Conv1d(width, units, 1), nn.BatchNorm1d(units), act(activation)]
            width = units
        self.embed = nn.Sequential(*(parts if activated else parts[:-1]))

    def forward(self, pairs):  # (rows, pairs, n, n) to (rows * heads, n, n)
        rows, _, n, _ = pairs.shape
        return self.embed(pairs.reshape(rows, PAIRS, n * n)).reshape(rows * HEADS, n, n)


class Block(nn.Module):
    def __init__(self, activation):
        super().__init__()
        self.pre_attn_norm, self.post_attn_norm = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attn = nn.MultiheadAttention(WIDTH, HEADS)
        self.pre_fc_norm, self.post_fc_norm = nn.LayerNorm(WIDTH), nn.LayerNorm(4 * WIDTH)
        self.fc1, self.fc2 = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.act = act(activation)
        self.c_attn = nn.Parameter(torch.ones(HEADS))
        self.w_resid = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x, padding, bias=None, token=None):
        if token is None:
            before = x
            x = self.pre_attn_norm(x)
            x = self.attn(x, x, x, key_padding_mask=padding, attn_mask=bias)[0]
        else:
            before = token
            padding = torch.cat([torch.zeros_like(padding[:, :1]), padding], dim=1)
            seen = self.pre_attn_norm(torch.cat([token, x], dim=0))
            x = self.attn(token, seen, seen, key_padding_mask=padding)[0]
        places, rows, _ = x.shape
        # the reference writes the numbers of a head apart: (width of a head, heads)
        x = x.reshape(places, rows, HEADS, WIDTH // HEADS) * self.c_attn[:, None]
        x = self.post_attn_norm(x.transpose(2, 3).reshape(places, rows, WIDTH)) + before
        y = self.fc2(self.post_fc_norm(self.act(self.fc1(self.pre_fc_norm(x)))))
        return y + self.w_resid * x


class Part(nn.Module):
    def __init__(self, activation, pair_activated, blocks, class_blocks, hidden):
        super().__init__()
        self.embed = Embed(activation)
        self.pair_embed = PairEmbed(activation, pair_activated)
        self.blocks = nn.ModuleList([Block(activation) for _ in range(blocks)])
        self.cls_blocks = nn.ModuleList([Block(activation) for _ in range(class_blocks)])
        self.norm = nn.LayerNorm(WIDTH)
        last = [] if hidden is None else [nn.Sequential(nn.Linear(WIDTH, hidden), nn.ReLU(), nn.Dropout(0.1))]
        self.fc = nn.Sequential(*last, nn.Linear(hidden or WIDTH, CLASSES))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))

    def forward(self, x, pairs, mask):
        padding = ~mask[:, 0].bool()
        x = self.embed(x).masked_fill(padding.T[..., None], 0)
        bias = self.pair_embed(pairs)
        both = bias.masked_fill(padding.repeat_interleave(HEADS, dim=0)[:, None], -torch.inf)
        for block in self.blocks:
            x = block(x, None, both)
        token = self.cls_token.expand(1, x.shape[1], -1)
        for block in self.cls_blocks:
            token = block(x, padding, token=token)
        return self.fc(self.norm(token)[0])


def made(kind, folder):
    torch.manual_seed(11)
    model = Part(**KINDS[kind]).eval()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.ndim == 1 and name.endswith(("weight", "running_var", "c_attn", "w_resid")):
                tensor.uniform_(0.5, 1.5)
            elif tensor.dtype == torch.float32:
                tensor.normal_(0, 0.3 if tensor.ndim < 2 else 0.8)  # so that scores differ from row to row
        model.cls_token.normal_(0, 0.1)
        rng = np.random.default_rng(4)
        count = rng.integers(1, PARTICLES + 1, ROWS)
        mask = (np.arange(PARTICLES) < count[:, None]).astype(np.float32)
        # on the grids of ap_fixed<12, 4>, with something in the padded places
        x = (rng.integers(-512, 512, (ROWS, PARTICLES, FEATURES)) / 256).astype(np.float32)
        pairs = (rng.integers(-512, 512, (ROWS, PARTICLES, PARTICLES, PAIRS)) / 256).astype(np.float32)
        scores = torch.softmax(
            model(
                torch.from_numpy(x).permute(0, 2, 1),
                torch.from_numpy(pairs).permute(0, 3, 1, 2),
                torch.from_numpy(mask)[:, None],
            ),
            dim=1,
        ).numpy()
    torch.save(model.state_dict(), folder / f"{kind}.pt")
    np.savez_compressed(folder / f"{kind}.npz", particles=x, pairs=pairs, mask=mask, scores=scores)


if __name__ == "__main__":
    for name in KINDS:
        made(name, Path(sys.argv[1]))
