"""hls4ml-like projects made by hand: small, with odd types, and without TensorFlow.

The config structs and the top function are written here in the form that hls4ml gives them; the kernels' headers and
the fixed-point headers are those of the installed hls4ml package, found without importing it.
"""

from __future__ import annotations

import importlib.util
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from l1emu.fixedpoint import FixedPoint


def hls4ml_templates() -> Path:
    """The folder with hls4ml's headers; skips the test if hls4ml is not installed."""
    found = importlib.util.find_spec("hls4ml")
    if found is None or found.origin is None:
        pytest.skip("hls4ml is not installed: its C++ headers are needed")
    return Path(found.origin).parent / "templates"


def need_compiler() -> None:
    """Skip the test where there is no g++."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")


class ProjectMaker:
    """Builds a project layer by layer; each method adds a call and returns the variable that it writes.

    With `ordinary`, weights are ap_fixed<8,3> and all else ap_fixed<14,6,AP_RND_CONV,AP_SAT>, in place of random types.
    """

    def __init__(self, folder: Path, seed: int, backend: str = "vivado", *, ordinary: bool = False) -> None:
        self.ordinary = ordinary
        self.folder = folder
        self.rng = np.random.default_rng(seed)
        self.backend = backend
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.types: dict[str, FixedPoint] = {}
        self._typedefs: list[str] = []
        self._configs: list[str] = []
        self._variables: list[str] = []
        self._calls: list[str] = []
        self._loads: list[str] = []
        self._arguments: list[str] = []
        self._weights: dict[str, str] = {}
        self._aliases: dict[str, str] = {}

    def type(self, low: int = 8, high: int = 14, *, signed: bool | None = None, plain: bool = False) -> FixedPoint:
        """A random type of `low` to `high` bits; `plain` ones truncate and wrap."""
        if self.ordinary:
            return FixedPoint.parse("ap_fixed<8,3>" if plain else "ap_fixed<14,6,AP_RND_CONV,AP_SAT>")
        width = int(self.rng.integers(low, high, endpoint=True))
        fraction = int(self.rng.integers(1, min(width, 8), endpoint=True))
        rounding = "TRN" if plain else str(self.rng.choice(["TRN", "TRN_ZERO", "RND", "RND_ZERO", "RND_CONV"]))
        overflow = "WRAP" if plain else str(self.rng.choice(["WRAP", "WRAP", "SAT", "SAT_SYM", "SAT_ZERO"]))
        is_signed = bool(self.rng.random() < 0.7) if signed is None else signed
        prefix = "ap_" if is_signed else "ap_u"
        return FixedPoint.parse(f"{prefix}fixed<{width},{width - fraction},AP_{rounding},AP_{overflow},0>")

    def _typedef(self, name: str, kind: FixedPoint | str) -> str:
        self._typedefs.append(f"typedef {kind} {name};")
        return name

    def _variable(self, name: str, shape: tuple[int, ...], kind: FixedPoint) -> str:
        self.shapes[name], self.types[name] = shape, kind
        self._typedef(f"{name}_t", kind)
        self._variables.append(f"{name}_t {name}[{'*'.join(map(str, shape))}];")
        return name

    def input(self, name: str, shape: tuple[int, ...], kind: FixedPoint) -> str:
        """An argument of the top function that is read."""
        self._variable(name, shape, kind)
        self._arguments.append(self._variables.pop()[:-1])
        return name

    def output(self, name: str) -> None:
        """Make a variable an argument of the top function that is written."""
        line = next(v for v in self._variables if v.endswith(";") and f" {name}[" in v)
        self._variables.remove(line)
        self._arguments.append(line[:-1])

    def weights(self, name: str, count: int, kind: FixedPoint) -> str:
        """Random weights over the whole range of a type, in a text file."""
        raw = self.rng.integers(kind.low, kind.high, count, endpoint=True)
        digits = max(kind.fraction, 0)
        self._weights[name] = ", ".join(f"{v:.{digits}f}" for v in kind.to_float(raw))
        self._typedef(f"{name}_t", kind)
        self._loads.append(f'nnet::load_weights_from_txt<{name}_t, {count}>({name}, "{name}.txt");')
        return name

    def config(self, name: str, base: str | None, lines: list[str]) -> str:
        """A config struct."""
        head = f"struct {name} : nnet::{base} {{" if base else f"struct {name} {{"
        self._configs.append("\n".join([head, *(f"    {line};" for line in lines), "};"]))
        return name

    def call(self, function: str, sources: list[str], output: str, config: str, extra: tuple[str, ...] = ()) -> str:
        """A call, named in a comment after its output."""
        types = ", ".join([*(f"{self._aliases.get(s, s)}_t" for s in sources), f"{output}_t", config])
        arguments = ", ".join([*sources, output, *extra])
        self._calls.append(f"nnet::{function}<{types}>({arguments}); // {output.removesuffix('_out')}")
        return output

    def dense(self, name: str, source: str, n_out: int, *, reuse: int | None = None) -> str:
        """A fully connected layer, or a point-wise convolution where the source has rows."""
        *rows, n_in = self.shapes[source]
        positions = rows[0] if rows else 1
        w, b, accum = f"w_{name}", f"b_{name}", self._typedef(f"{name}_accum_t", self.type(10, 18))
        weight_type = self.type(4, 9, plain=True)
        self.weights(w, n_in * n_out, weight_type)
        self.weights(b, n_out, self.type(4, 9, plain=True))
        shape = (*rows, n_out)
        output = self._variable(f"{name}_out", shape, self.type())
        strategy = "latency" if reuse is None else "resource"
        kernel = "DenseLatency" if reuse is None else "DenseResource_rf_leq_nin"
        dense = [
            f"static const unsigned n_in = {n_in}",
            f"static const unsigned n_out = {n_out}",
            f"static const unsigned reuse_factor = {reuse or 1}",
            f"static const unsigned strategy = nnet::{strategy}",
            "static const unsigned n_zeros = 0",
            "static const unsigned multiplier_limit = DIV_ROUNDUP(n_in * n_out, reuse_factor) - n_zeros",
            f"typedef {accum} accum_t",
            f"typedef {b}_t bias_t",
            f"typedef {w}_t weight_t",
            f"template<class D, class R, class C> using kernel = nnet::{kernel}<D, R, C>",
            "template<class X, class Y> using product = nnet::product::mult<X, Y>",
        ]
        if not rows:
            self.config(f"config_{name}", "dense_config", dense)
            return self.call("dense", [source], output, f"config_{name}", (w, b))
        self.config(f"config_{name}_mult", "dense_config", dense)
        lines = [
            "static const unsigned pad_left = 0",
            f"static const unsigned in_width = {positions}",
            f"static const unsigned n_chan = {n_in}",
            "static const unsigned filt_width = 1",
            f"static const unsigned n_filt = {n_out}",
            f"static const unsigned out_width = {positions}",
            "static const unsigned n_partitions = 1",
            f"typedef {accum} accum_t",
            f"typedef {b}_t bias_t",
            f"typedef {w}_t weight_t",
            f"typedef config_{name}_mult mult_config",
            "template<class D, class R, class C> using conv_kernel = nnet::BatchedDenseForConv1D<D, R, C>",
        ]
        self.config(f"config_{name}", "conv1d_config", lines)
        return self.call("pointwise_conv_1d_cl", [source], output, f"config_{name}", (w, b))

    def _transposition(self, name: str, shape: tuple[int, ...], perm: tuple[int, ...]) -> str:
        strides = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
        arrays = {
            "from_shape": shape,
            "to_shape": tuple(shape[p] for p in perm),
            "perm": perm,
            "perm_strides": tuple(strides[p] for p in perm),
        }
        lines = [
            f"static const unsigned dims = {len(shape)}",
            f"static const unsigned N = {math.prod(shape)}",
            *(f"static const unsigned *const {key}" for key in arrays),
        ]
        self.config(name, None, lines)
        for key, value in arrays.items():
            numbers = ", ".join(map(str, value))
            self._configs.append(f"unsigned {name}_{key}[{len(value)}] = {{{numbers}}};")
            self._configs.append(f"const unsigned *const {name}::{key} = {name}_{key};")
        return name

    def transpose(self, name: str, source: str, perm: tuple[int, ...]) -> str:
        """A permutation of axes."""
        shape = tuple(self.shapes[source][p] for p in perm)
        output = self._variable(f"{name}_out", shape, self.type())
        return self.call(
            "transpose", [source], output, self._transposition(f"config_{name}", self.shapes[source], perm)
        )

    def alias(self, name: str, source: str, shape: tuple[int, ...]) -> str:
        """A reshape: the same variable by another name."""
        self._variables.append(f"auto& {name} = {source};")
        self.shapes[name], self.types[name], self._aliases[name] = shape, self.types[source], source
        return name

    def attention_scores(self, name: str, q: str, k: str) -> str:
        """The einsum nhd, mhd -> hnm of two tensors of shape (n, h, d)."""
        n, h, d = self.shapes[q]
        output = self._variable(f"{name}_out", (h, n, n), self.type())
        accum = self._typedef(f"{name}_accum_t", self.type(10, 16))
        lines = [
            f"typedef {self._transposition(f'{name}_t0', (n, h, d), (1, 0, 2))} tpose_inp0_config",
            f"typedef {self._transposition(f'{name}_t1', (n, h, d), (1, 0, 2))} tpose_inp1_config",
            f"typedef {self._transposition(f'{name}_to', (h, n, n), (0, 1, 2))} tpose_out_conf",
            f"typedef {accum} accum_t",
            f"static const unsigned n_free0 = {n}",
            f"static const unsigned n_free1 = {n}",
            f"static const unsigned n_contract = {d}",
            f"static const unsigned n_inplace = {h}",
            "static const unsigned reuse_factor = 1",
            "static const unsigned multiplier_limit = 1000",
            "template<class X, class Y> using product = nnet::product::mult<X, Y>",
        ]
        self.config(f"config_{name}", None, lines)
        return self.call("einsum", [q, k], output, f"config_{name}")

    def einsum_dense(self, name: str, source: str, heads: int, n_out: int, *, bias_each: bool) -> str:
        """The einsum nhd, hde -> hen of (n, h * d) with weights, and a bias for each e, or for each number."""
        n, d = self.shapes[source][0], self.shapes[source][1] // heads
        output = self._variable(f"{name}_out", (heads, n_out, n), self.type())
        accum = self._typedef(f"{name}_accum_t", self.type(10, 18))
        w = self.weights(f"w_{name}", heads * d * n_out, self.type(4, 9, plain=True))
        b = self.weights(f"b_{name}", heads * n * n_out, self.type(4, 9, plain=True))
        if not bias_each:
            rows = np.array(self._weights[b].split(", ")).reshape(heads, n, n_out)
            self._weights[b] = ", ".join(np.broadcast_to(rows[:, :1], rows.shape).ravel())
        lines = [
            f"static const unsigned n_in = {d}",
            f"static const unsigned n_out = {n_out}",
            "static const unsigned reuse_factor = 1",
            "static const unsigned strategy = nnet::latency",
            "static const unsigned n_zeros = 0",
            "static const unsigned multiplier_limit = n_in * n_out",
            f"typedef {accum} accum_t",
            f"typedef {b}_t bias_t",
            f"typedef {w}_t weight_t",
            "template<class D, class R, class C> using kernel = nnet::DenseLatency<D, R, C>",
            "template<class X, class Y> using product = nnet::product::mult<X, Y>",
        ]
        self.config(f"config_{name}_dense", "dense_config", lines)
        lines = [
            f"typedef {self._transposition(f'{name}_ti', (n, heads, d), (1, 0, 2))} tpose_inp_conf",
            f"typedef {self._transposition(f'{name}_to', (heads, n, n_out), (0, 2, 1))} tpose_out_conf",
            f"typedef config_{name}_dense dense_conf",
            f"static const unsigned n_free_data = {n}",
            f"static const unsigned n_free_kernel = {n_out}",
            f"static const unsigned n_contract = {d}",
            f"static const unsigned n_inplace = {heads}",
            "static const unsigned io_type = nnet::io_parallel",
            "static const unsigned strategy = nnet::latency",
            "static const unsigned reuse_factor = 1",
            "static const unsigned parallelization_factor = 7",
        ]
        self.config(f"config_{name}", "einsum_dense_config", lines)
        return self.call("einsum_dense", [source], output, f"config_{name}", (w, b))

    def embedding(self, name: str, source: str, rows: int, columns: int) -> str:
        """Rows of a table picked by whole numbers."""
        (n,) = self.shapes[source]
        output = self._variable(f"{name}_out", (n, columns), self.type())
        table = self.weights(f"{name}_table", rows * columns, self.type(6, 10, plain=True))
        lines = [
            f"static const unsigned n_in = {n}",
            f"static const unsigned n_out = {columns}",
            f"static const unsigned vocab_size = {rows}",
            f"typedef {table}_t embeddings_t",
        ]
        self.config(f"config_{name}", "embed_config", lines)
        return self.call("embedding", [source], output, f"config_{name}", (table,))

    def softmax(self, name: str, source: str, variant: str) -> str:
        """Softmax along the last axis."""
        shape, data = self.shapes[source], self.types[source]
        output = self._variable(f"{name}_out", shape, self.type(signed=False))
        norm = FixedPoint(data.width, data.integer, False)
        address = norm if variant == "stable" else data
        inverse_input = self.type(10, 14, signed=False)
        size = 1 << int(self.rng.integers(3, min(8, address.width)))
        inverse_size = 1 << int(self.rng.integers(3, 9))
        types = {
            "exp_table_t": self.type(10, 16, signed=False),
            "inv_table_t": self.type(10, 16, signed=False),
            "accum_t": self.type(12, 18),
            "inv_inp_t": inverse_input,
            "inp_norm_t": norm,
            "table_t": self.type(14, 18, signed=True),
        }
        lines = [
            f"static const unsigned n_in = {math.prod(shape)}",
            f"static const unsigned n_slice = {shape[-1]}",
            f"static const unsigned n_outer = {math.prod(shape[:-1])}",
            "static const unsigned n_inner = 1",
            "static const unsigned parallelization_factor = -1",
            f"static const unsigned exp_table_size = {size}",
            f"static const unsigned inv_table_size = {inverse_size}",
            "static const unsigned io_type = nnet::io_parallel",
            "static const unsigned axis = -1",
            f"static const nnet::softmax_implementation implementation = nnet::softmax_implementation::{variant}",
            f"static constexpr float exp_scale = {self.rng.choice([1.0, 0.5, 0.3535533905932738])}",
            *(f"typedef {self._typedef(f'{name}_{key}', kind)} {key}" for key, kind in types.items()),
        ]
        self.config(f"config_{name}", "activ_config", lines)
        return self.call("softmax_multidim", [source], output, f"config_{name}")

    def elementwise(self, name: str, function: str, source: str, *, kind: FixedPoint | None = None) -> str:
        """`linear`, `relu`, `sigmoid` or `tanh`."""
        output = self._variable(f"{name}_out", self.shapes[source], kind or self.type())
        lines = [
            f"static const unsigned n_in = {math.prod(self.shapes[source])}",
            f"static const unsigned table_size = {1 << int(self.rng.integers(5, 11))}",
            "static const unsigned io_type = nnet::io_parallel",
            f"typedef {self._typedef(f'{name}_table_t', self.type(8, 16))} table_t",
        ]
        self.config(f"config_{name}", "activ_config", lines)
        return self.call(function, [source], output, f"config_{name}")

    def sloped(self, name: str, function: str, source: str, parameter: float) -> str:
        """`leaky_relu` or `thresholded_relu`, whose parameter stands in the call."""
        self.elementwise(name, function, source)
        kind = self._typedef(f"{name}_param_t", self.type(7, 10))
        wrong = self._calls.pop()
        types, arguments = wrong.replace(f", {name}_out_t", f", {kind}, {name}_out_t", 1).split(">(", 1)
        self._calls.append(f"{types}>({arguments.replace(', ', f', {parameter}, ', 1)}")
        return f"{name}_out"

    def hard(self, name: str, function: str, source: str, slope: float) -> str:
        """`hard_sigmoid` or `hard_tanh`, a line of a slope between two levels."""
        output = self._variable(f"{name}_out", self.shapes[source], self.type())
        slope_type, shift_type = self.type(6, 10, signed=True, plain=True), FixedPoint.parse("ap_ufixed<4,1>")
        self.config(
            f"config_{name}",
            None,
            [
                f"static const unsigned n_in = {math.prod(self.shapes[source])}",
                f"static const {self._typedef(f'{name}_slope_t', slope_type)} slope",
                f"static const {self._typedef(f'{name}_shift_t', shift_type)} shift",
                "static const unsigned io_type = nnet::io_parallel",
            ],
        )
        self._configs.append(f"const {name}_slope_t config_{name}::slope = {slope};")
        self._configs.append(f"const {name}_shift_t config_{name}::shift = 0.5;")
        return self.call(function, [source], output, f"config_{name}")

    def lookup(self, name: str, source: str) -> str:
        """A function by a table with an entry for each number of the source's type."""
        output = self._variable(f"{name}_out", self.shapes[source], self.type())
        size = 1 << self.types[source].width
        table = self.weights(f"{name}_table", size, self.type(6, 10, plain=True))
        lines = [
            f"static const unsigned n_in = {math.prod(self.shapes[source])}",
            f"static const unsigned table_size = {size}",
            f"typedef {table}_t table_t",
        ]
        self.config(f"config_{name}", "activ_config", lines)
        return self.call("unary_lut", [source], output, f"config_{name}", (table,))

    def thresholds(self, name: str, source: str) -> str:
        """-1, 0 or 1 by two thresholds for each channel."""
        shape = self.shapes[source]
        output = self._variable(f"{name}_out", shape, FixedPoint.int_type(2))
        limits = tuple(self.weights(f"{name}_{side}", shape[-1], self.types[source]) for side in ("high", "low"))
        lines = [
            f"static const unsigned n_in = {math.prod(shape)}",
            f"static const unsigned n_filt = {shape[-1]}",
            "static const unsigned n_scale_bias = (n_filt == -1) ? n_in : n_filt",
        ]
        self.config(f"config_{name}", "batchnorm_quantized_tanh_config", lines)
        self.call("normalize_ternary_tanh", [source], output, f"config_{name}", limits)
        self._calls[-1] = self._calls[-1].replace(f"{output}_t, ", "", 1)
        return output

    def merge(self, name: str, function: str, a: str, b: str) -> str:
        """`add` and its kin."""
        output = self._variable(f"{name}_out", self.shapes[a], self.type())
        size = "*".join(map(str, self.shapes[a]))
        lines = [f"static const unsigned {key} = {size}" for key in ("n_elem", "n_elem1", "n_elem2")]
        self.config(f"config_{name}", "merge_config", lines)
        return self.call(function, [a, b], output, f"config_{name}")

    def concatenate(self, name: str, a: str, b: str, axis: int) -> str:
        """Two tensors of two axes side by side along an axis counted from 1."""
        shape = list(self.shapes[a])
        shape[axis - 1] += self.shapes[b][axis - 1]
        output = self._variable(f"{name}_out", tuple(shape), self.type())
        sizes = [(i, k, (*self.shapes[s], 0)[k]) for i, s in ((1, a), (2, b)) for k in range(3)]
        lines = [f"static const unsigned n_elem{i}_{k} = {n}" for i, k, n in sizes] + [
            f"static const int axis = {axis}"
        ]
        self.config(f"config_{name}", "concat_config", lines)
        return self.call("concatenate2d", [a, b], output, f"config_{name}")

    def normalize(self, name: str, source: str, *, per_channel: bool = True) -> str:
        """Scale and shift."""
        n_in, channels = math.prod(self.shapes[source]), self.shapes[source][-1] if per_channel else -1
        s, b = f"s_{name}", f"b_{name}"
        for weights in (s, b):
            self.weights(weights, n_in if channels == -1 else channels, self.type(5, 10, plain=True))
        output = self._variable(f"{name}_out", self.shapes[source], self.type())
        lines = [
            f"static const unsigned n_in = {n_in}",
            f"static const unsigned n_filt = {channels}",
            "static const unsigned n_scale_bias = (n_filt == -1) ? n_in : n_filt",
            "static const unsigned multiplier_limit = 100",
            f"typedef {b}_t bias_t",
            f"typedef {s}_t scale_t",
            "template<class X, class Y> using product = nnet::product::mult<X, Y>",
        ]
        self.config(f"config_{name}", "batchnorm_config", lines)
        return self.call("normalize", [source], output, f"config_{name}", (s, b))

    def layernorm(self, name: str, source: str) -> str:
        """Layer normalization of rows."""
        positions, dim = self.shapes[source]
        s, b = f"s_{name}", f"b_{name}"
        for weights in (s, b):
            self.weights(weights, dim, self.type(5, 10, plain=True))
        output = self._variable(f"{name}_out", self.shapes[source], self.type())
        accum, table = self.type(14, 18, signed=True), self.type(10, 16, signed=False)
        lines = [
            f"static const unsigned n_in = {positions * dim}",
            f"static const unsigned seq_len = {positions}",
            "static const unsigned axis = 2",
            "static const unsigned epsilon_power_of_10 = 3",
            f"static const unsigned table_range_power2 = {int(self.rng.integers(0, 3))}",
            f"static const unsigned table_size = {1 << int(self.rng.integers(5, 10))}",
            f"typedef {self._typedef(f'{name}_accum_t', accum)} accum_t",
            f"typedef {self._typedef(f'{name}_table_t', table)} table_t",
            f"typedef {b}_t bias_t",
            f"typedef {s}_t scale_t",
            "template<class X, class Y> using product = nnet::product::mult<X, Y>",
        ]
        self.config(f"config_{name}", "layernorm_config", lines)
        return self.call("layernormalize", [source], output, f"config_{name}", (s, b))

    def pool(self, name: str, source: str, operation: str) -> str:
        """Global pooling: `Average` or `Max`."""
        n, channels = self.shapes[source]
        output = self._variable(f"{name}_out", (channels,), self.type())
        lines = [
            f"static const unsigned n_in = {n}",
            f"static const unsigned n_filt = {channels}",
            f"static const nnet::Pool_Op pool_op = nnet::{operation}",
            "static const unsigned reuse_factor = 1",
            f"typedef {self._typedef(f'{name}_accum_t', self.type(12, 18))} accum_t",
        ]
        self.config(f"config_{name}", "pooling1d_config", lines)
        return self.call("global_pooling1d_cl", [source], output, f"config_{name}")

    def recurrent(self, name: str, cell: str, source: str, *, sequences: bool, static: bool, kind: str = "") -> str:
        """A GRU or an LSTM with random types; the C++ of an LSTM wants `kind` for data, states and sums."""
        steps, n_in, n = (*self.shapes[source], 3)
        gates = {"gru": 3, "lstm": 4}[cell]
        common = FixedPoint.parse(kind) if kind else None
        accum = self._typedef(f"{name}_accum_t", common or self.type(12, 18, signed=True))
        output = self._variable(f"{name}_out", (steps, n) if sequences else (n,), common or self.type(8, 12))
        weights = [
            self.weights(f"{part}_{name}", count * gates * n, self.type(4, 9, plain=True))
            for part, count in (("w", n_in), ("wr", n), ("b", 1), ("br", 1))
        ]
        for i, (count, weight, bias) in enumerate(((n_in, "w", "b"), (n, "wr", "br")), 1):
            lines = [
                f"static const unsigned n_in = {count}",
                f"static const unsigned n_out = {gates * n}",
                "static const unsigned reuse_factor = 1",
                "static const unsigned strategy = nnet::latency",
                "static const unsigned n_zeros = 0",
                "static const unsigned multiplier_limit = n_in * n_out",
                f"typedef {accum} accum_t",
                f"typedef {bias}_{name}_t bias_t",
                f"typedef {weight}_{name}_t weight_t",
                "template<class D, class R, class C> using kernel = nnet::DenseLatency<D, R, C>",
                "template<class X, class Y> using product = nnet::product::mult<X, Y>",
            ]
            self.config(f"config_{name}_{i}", "dense_config", lines)
        table = self._typedef(f"{name}_table_t", self.type(8, 16))
        for which, count in (("gates", (gates - 1) * n), ("states", n)):
            lines = [
                f"static const unsigned n_in = {count}",
                f"static const unsigned table_size = {1 << int(self.rng.integers(5, 11))}",
                f"typedef {table} table_t",
            ]
            self.config(f"config_{name}_{which}", "activ_config", lines)
        lines = [
            f"typedef {accum} accum_t",
            *(
                f"typedef {part}_{name}_t {member}_t"
                for part, member in (
                    ("w", "weight"),
                    ("wr", "recurrent_weight"),
                    ("b", "bias"),
                    ("br", "recurrent_bias"),
                )
            ),
            f"typedef config_{name}_1 mult_config1",
            f"typedef config_{name}_2 mult_config2",
            f"typedef config_{name}_gates ACT_CONFIG_{cell.upper()}",
            f"typedef config_{name}_states ACT_CONFIG_T",
            "template<class X, class Y, class C> using activation_recr = nnet::activation::sigmoid<X, Y, C>",
            "template<class X, class Y, class C> using activation = nnet::activation::tanh<X, Y, C>",
            f"static const unsigned n_in = {n_in}",
            f"static const unsigned n_out = {n}",
            f"static const unsigned n_state = {n}",
            f"static const unsigned n_sequence = {steps}",
            f"static const unsigned n_sequence_out = {steps if sequences else 1}",
            f"static const bool use_static = {str(static).lower()}",
            f"static const bool pytorch_order = {str(not sequences).lower()}",
        ]
        self.config(f"config_{name}", f"{cell}_config", lines)
        return self.call(f"{cell}_stack", [source], output, f"config_{name}", tuple(weights))

    def padding(self, name: str, source: str, left: int, right: int) -> str:
        """Zeros before and after a sequence."""
        n, channels = self.shapes[source]
        output = self._variable(f"{name}_out", (n + left + right, channels), self.type())
        lines = [
            f"static const unsigned in_width = {n}",
            f"static const unsigned n_chan = {channels}",
            f"static const unsigned out_width = {n + left + right}",
            f"static const unsigned pad_left = {left}",
            f"static const unsigned pad_right = {right}",
        ]
        self.config(f"config_{name}", "padding1d_config", lines)
        return self.call("zeropad1d_cl", [source], output, f"config_{name}")

    def write(self) -> Path:
        """Write the project and return its folder."""
        templates = hls4ml_templates()
        firmware = self.folder / "firmware"
        (firmware / "weights").mkdir(parents=True)
        shutil.copytree(templates / "vivado" / "ap_types", firmware / "ap_types")
        shutil.copytree(templates / "vivado" / "nnet_utils", firmware / "nnet_utils")
        if self.backend == "vitis":
            shutil.copytree(templates / "vitis" / "nnet_utils", firmware / "nnet_utils", dirs_exist_ok=True)
        (self.folder / "project.tcl").write_text(f'set backend "{self.backend}"\n')
        headers = (
            "activation",
            "batchnorm",
            "conv1d",
            "dense",
            "einsum",
            "einsum_dense",
            "embed",
            "layernorm",
            "merge",
            "padding",
            "pooling",
            "recurrent",
        )
        includes = "".join(f'#include "nnet_utils/nnet_{h}.h"\n' for h in (*headers, "transpose"))
        for name, text in self._weights.items():
            count = text.count(",") + 1
            (firmware / "weights" / f"{name}.txt").write_text(text)
            (firmware / "weights" / f"{name}.h").write_text(
                f"#ifndef {name}_H\n#define {name}_H\n#ifndef __SYNTHESIS__\n{name}_t {name}[{count}];\n"
                f"#else\n{name}_t {name}[{count}] = {{{text}}};\n#endif\n#endif\n"
            )
            includes += f'#include "weights/{name}.h"\n'
        guard = "#ifndef {0}_H_\n#define {0}_H_\n{1}\n#endif\n"
        typedefs = '#include "ap_fixed.h"\n#include "ap_int.h"\n' + "\n".join(self._typedefs)
        (firmware / "defines.h").write_text(guard.format("DEFINES", typedefs))
        configs = f'#include "nnet_utils/nnet_helpers.h"\n{includes}' + "\n\n".join(self._configs)
        (firmware / "parameters.h").write_text(guard.format("PARAMETERS", configs))
        head = f"void handmade(\n    {', '.join(self._arguments)}\n)"
        (firmware / "handmade.h").write_text(guard.format("HANDMADE", f'#include "defines.h"\n{head};'))
        loads = "\n        ".join(self._loads)
        body = "\n\n    ".join([*self._variables, *self._calls])
        (firmware / "handmade.cpp").write_text(
            f'#include "handmade.h"\n#include "parameters.h"\n\n{head} {{\n'
            "    #pragma HLS DATAFLOW\n#ifndef __SYNTHESIS__\n    static bool loaded_weights = false;\n"
            f"    if (!loaded_weights) {{\n        {loads}\n        loaded_weights = true;    }}\n#endif\n"
            f"    {body}\n\n}}\n"
        )
        return self.folder


def every_kind(folder: Path, seed: int, backend: str = "vivado") -> Path:
    """A project with every kind of layer, of random types, one after another and side by side."""
    make = ProjectMaker(folder, seed, backend)
    x = make.input("x", (4, 6), make.type(8, 11))
    a = make.dense("emb", x, 6)
    r = make.elementwise("rel", "relu", a)
    q = make.alias("q_view", make.dense("q", r, 6), (4, 2, 3))
    k = make.alias("k_view", make.dense("k", r, 6), (4, 2, 3))
    scores = make.attention_scores("qk", q, k)
    for variant in ("stable", "latency", "argmax", "legacy"):
        make.softmax(f"sm_{variant}", scores, variant)
    total = make.merge("sum", "add", r, a)
    for operation in ("subtract", "multiply", "average", "maximum", "minimum"):
        make.merge(operation[:4], operation, a, total)
    t = make.transpose("tr", total, (1, 0))
    make.concatenate("cat1", total, r, 1)
    make.concatenate("cat2", total, r, 2)
    bn = make.normalize("bn", total)
    make.normalize("bn_all", total, per_channel=False)
    ln = make.layernorm("ln", bn)
    make.elementwise("sig", "sigmoid", ln)
    make.elementwise("tah", "tanh", t)
    wide = make.elementwise("wide", "linear", total, kind=FixedPoint.parse("ap_fixed<12,6,AP_RND,AP_SAT,0>"))
    make.elementwise("as_int", "linear", wide, kind=FixedPoint.parse("ap_int<7>"))
    mean = make.pool("mean", ln, "Average")
    make.pool("largest", ln, "Max")
    make.padding("padded", ln, 2, 1)
    make.sloped("leak", "leaky_relu", total, -0.7)
    make.sloped("thresh", "thresholded_relu", total, 0.9)
    make.sloped("elu", "elu", total, 0.6)
    for function in ("selu", "softplus", "softsign", "relu6", "binary_tanh", "ternary_tanh"):
        make.elementwise(function[:5], function, total)
    make.hard("hards", "hard_sigmoid", total, 0.2)
    make.hard("hardt", "hard_tanh", wide, -0.7)
    make.lookup("lut", wide)
    make.thresholds("signs", total)
    make.recurrent(
        "gruseq", "gru", make.recurrent("grus", "gru", total, sequences=True, static=True), sequences=True, static=False
    )
    make.recurrent("grulast", "gru", total, sequences=False, static=False)
    kind = "ap_fixed<15,5,AP_RND,AP_SAT,0>"
    same = make.elementwise("same", "linear", total, kind=FixedPoint.parse(kind))
    make.recurrent("lstms", "lstm", same, sequences=True, static=False, kind=kind)
    make.recurrent("lstmlast", "lstm", same, sequences=False, static=True, kind=kind)
    make.einsum_dense("ed", total, 2, 5, bias_each=False)
    make.einsum_dense("edeach", total, 1, 3, bias_each=True)
    words = make.elementwise("words", "linear", total, kind=FixedPoint.parse("ap_uint<4>"))
    make.embedding("rows", make.alias("words_view", words, (24,)), 16, 2)
    make.dense("slow", mean, 5, reuse=3)
    out = make.dense("head", mean, 3)
    make.output("sm_stable_out")
    make.output(out)
    return make.write()


def small(folder: Path) -> Path:
    """A project of few layers and ordinary types that compiles fast."""
    make = ProjectMaker(folder, 3, "vivado", ordinary=True)
    x = make.input("x", (6,), FixedPoint.parse("ap_fixed<10,4>"))
    h = make.elementwise("act", "relu", make.dense("first", x, 4))
    make.output(make.dense("last", h, 3))
    return make.write()
