"""Streams that carry one number at a time: a network of forks' kernels, which are written here in other words.

Those words are not the known ones, so that the test says that they are; what they compute is compared with the reader.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import l1emu
from l1emu.errors import L1emuError
from l1emu.firmware import kernels
from l1emu.firmware.known import Known, find, of_name
from tests.handmade_projects import hls4ml_templates, need_compiler

DENSE = """#ifndef NNET_SINGLE_DENSE_H_
#define NNET_SINGLE_DENSE_H_
#include "hls_stream.h"
#include "nnet_common.h"
#include "nnet_dense.h"
namespace nnet {
template <class D, class W, class R>
typename std::enable_if<(not std::is_same<D, bool>::value) and (not std::is_same<W, bool>::value), R>::type
product_dense(D a, W w) {
    return w * a;
}
template <class D, class R, class C>
void dense_large_rf_leq_nin(D *x, R *y, typename C::weight_t *w, typename C::bias_t *b) {
    for (unsigned o = 0; o < C::n_out; o++) {
        typename C::accum_t sum = b[o];
        for (unsigned r = 0; r < C::reuse_factor; r++) {
            for (unsigned i = r; i < C::n_in; i += C::reuse_factor) {
                sum += product_dense<D, typename C::weight_t, typename C::accum_t>(x[i], w[o * C::n_in + i]);
            }
        }
        y[o] = sum;
    }
}
template <class D, class R, class C> void dense_large(D *x, R *y, typename C::weight_t *w, typename C::bias_t *b) {
    dense_large_rf_leq_nin<D, R, C>(x, y, w, b);
}
template <class D, class R, class C>
void dense_large_stream_me(hls::stream<D> &data, hls::stream<R> &res, typename C::weight_t *w, typename C::bias_t *b) {
    D x[C::n_in];
    R y[C::n_out];
    for (unsigned i = 0; i < C::n_in; i++) x[i] = data.read();
    dense_large<D, R, C>(x, y, w, b);
    for (unsigned o = 0; o < C::n_out; o++) res.write(y[o]);
}
template <class D, class R, class C>
void dense_ss(hls::stream<D> &data, hls::stream<R> &res, typename C::weight_t *w, typename C::bias_t *b) {
    typename C::accum_t sums[C::n_out];
    for (unsigned o = 0; o < C::n_out; o++) sums[o] = b[o];
    for (unsigned i = 0; i < C::n_in; i++) {
        D x = data.read();
        for (unsigned o = 0; o < C::n_out; o++) {
            sums[o] += product_dense<D, typename C::weight_t, typename C::accum_t>(x, w[o * C::n_in + i]);
        }
    }
    for (unsigned o = 0; o < C::n_out; o++) res.write(R(sums[o]));
}
}
#endif
"""

STREAM = """#ifndef NNET_SINGLE_STREAM_H_
#define NNET_SINGLE_STREAM_H_
#include "nnet_activation.h"
#include "nnet_single_dense.h"
namespace nnet {
template <class D, class R, class C> void relu_me(hls::stream<D> &data, hls::stream<R> &res) {
    for (unsigned i = 0; i < C::n_in; i++) {
        D x = data.read();
        R y = 0;
        if (x > 0) y = x;
        res.write(y);
    }
}
template <class D, class R, class C> void leaky_relu_me(hls::stream<D> &data, D alpha, hls::stream<R> &res) {
    for (unsigned i = 0; i < C::n_in; i++) {
        D x = data.read();
        R y = x;
        if (!(x > 0)) y = alpha * x;
        res.write(y);
    }
}
template <class D, class R, class C> void sigmoid_me(hls::stream<D> &data, hls::stream<R> &res) {
    static typename C::table_t table[C::table_size];
    init_sigmoid_table<C, C::table_size>(table);
    for (unsigned i = 0; i < C::n_in; i++) {
        int scaled = data.read() * C::table_size / 16;
        int place = scaled + 8 * (int)C::table_size / 16;
        res.write(table[place < 0 ? 0 : place > (int)C::table_size - 1 ? C::table_size - 1 : place]);
    }
}
template <class D, class R, class C>
void normalize_me(hls::stream<D> &data, hls::stream<R> &res, typename C::scale_t *scale, typename C::bias_t *bias) {
    for (unsigned i = 0; i < C::n_in; i++) {
        R product = product_dense<D, typename C::scale_t, R>(data.read(), scale[i % C::n_filt]);
        res.write(R(product + bias[i % C::n_filt]));
    }
}
template <class R, class C> void fill_zero_me(hls::stream<R> &res, unsigned pixels) {
    for (unsigned i = 0; i < pixels * C::n_chan; i++) res.write(R(0));
}
template <class D, class R, class C> void fill_data_me(hls::stream<D> &data, hls::stream<R> &res, unsigned pixels) {
    for (unsigned i = 0; i < pixels * C::n_chan; i++) res.write(R(data.read()));
}
template <class D, class R, class C> void zeropad2d_cl_me(hls::stream<D> &data, hls::stream<R> &res) {
    fill_zero_me<R, C>(res, C::pad_top * C::out_width);
    for (unsigned i = 0; i < C::in_height; i++) {
        fill_zero_me<R, C>(res, C::pad_left);
        fill_data_me<D, R, C>(data, res, C::in_width);
        fill_zero_me<R, C>(res, C::pad_right);
    }
    fill_zero_me<R, C>(res, C::pad_bottom * C::out_width);
}
template <class D, class C> void resize_nearest_me(hls::stream<D> &data, hls::stream<D> &res) {
    for (unsigned i = 0; i < C::height * C::width; i++) {
        D pixel[C::n_chan];
        for (unsigned c = 0; c < C::n_chan; c++) pixel[c] = data.read();
        for (unsigned k = 0; k < C::new_height / C::height * (C::new_width / C::width); k++) {
            for (unsigned c = 0; c < C::n_chan; c++) res.write(pixel[c]);
        }
    }
}
template <class D, unsigned n> void cnnshift_arr(hls::stream<D> &data, D *image) {
    for (unsigned i = 0; i < n; i++) image[i] = data.read();
}
template <class D> void shift_right_small(D *window, D *image, unsigned count) {
    for (unsigned i = 0; i < count; i++) window[i] = image[i];
}
template <class D, class R, class C>
void conv_2d_large_cl_nopad_pad_me(hls::stream<D> &data, hls::stream<R> &res, typename C::weight_t *w,
                                   typename C::bias_t *b) {
    D image[C::in_height * C::in_width * C::n_chan], window[C::filt_height * C::filt_width * C::n_chan];
    R y[C::n_filt];
    cnnshift_arr<D, C::in_height * C::in_width * C::n_chan>(data, image);
    const unsigned row = C::filt_width * C::n_chan;
    for (unsigned i = 0; i + C::filt_height <= C::in_height; i += C::stride_height) {
        for (unsigned j = 0; j + C::filt_width <= C::in_width; j += C::stride_width) {
            for (unsigned k = 0; k < C::filt_height; k++) {
                shift_right_small<D>(window + k * row, image + ((i + k) * C::in_width + j) * C::n_chan, row);
            }
            dense_large<D, R, typename C::mult_config>(window, y, w, b);
            for (unsigned o = 0; o < C::n_filt; o++) res.write(y[o]);
        }
    }
}
template <class D, class R, class C>
void conv_2d_cl_me(hls::stream<D> &data, hls::stream<R> &res, typename C::weight_t *w, typename C::bias_t *b) {
    conv_2d_large_cl_nopad_pad_me<D, R, C>(data, res, w, b);
}
template <class D, class R, class C> void pooling2d_large_cl_nopad_pad_me(hls::stream<D> &data, hls::stream<R> &res) {
    D image[C::in_height * C::in_width * C::n_chan];
    cnnshift_arr<D, C::in_height * C::in_width * C::n_chan>(data, image);
    for (unsigned i = 0; i + C::pool_height <= C::in_height; i += C::stride_height) {
        for (unsigned j = 0; j + C::pool_width <= C::in_width; j += C::stride_width) {
            for (unsigned c = 0; c < C::n_chan; c++) {
                R most = image[(i * C::in_width + j) * C::n_chan + c];
                for (unsigned k = 1; k < C::pool_height * C::pool_width; k++) {
                    D x = image[((i + k / C::pool_width) * C::in_width + j + k % C::pool_width) * C::n_chan + c];
                    if (x > most) most = x;
                }
                res.write(most);
            }
        }
    }
}
}
#endif
"""

TOP = """#include "single.h"
#include "parameters.h"
void single(hls::stream<input_t> &x, hls::stream<result_t> &y) {
#ifndef __SYNTHESIS__
    static bool loaded_weights = false;
    if (!loaded_weights) {
        LOADS
        loaded_weights = true;
    }
#endif
    hls::stream<input_t> big("big");
    nnet::resize_nearest_me<input_t, resize>(x, big);
    hls::stream<data_t> norm("norm");
    nnet::normalize_me<input_t, data_t, norm_c>(big, norm, s, t);
    hls::stream<data_t> wide("wide");
    nnet::zeropad2d_cl_me<data_t, data_t, pad>(norm, wide);
    hls::stream<data_t> conv("conv");
    nnet::conv_2d_cl_me<data_t, data_t, conv_c>(wide, conv, w, b);
    hls::stream<data_t> leaky("leaky");
    nnet::leaky_relu_me<data_t, data_t, act>(conv, 0.3, leaky);
    hls::stream<data_t> pool("pool");
    nnet::pooling2d_large_cl_nopad_pad_me<data_t, data_t, pool_c>(leaky, pool);
    hls::stream<data_t> fc("fc");
    nnet::dense_large_stream_me<data_t, data_t, fc_c>(pool, fc, v, d);
    hls::stream<data_t> rel("rel");
    nnet::relu_me<data_t, data_t, small>(fc, rel);
    hls::stream<data_t> sig("sig");
    nnet::sigmoid_me<data_t, data_t, small>(rel, sig);
    nnet::dense_ss<data_t, result_t, out_c>(sig, y, u, e);
}
"""

SIZES = {
    "resize": "height=2 width=3 n_chan=2 new_height=4 new_width=6",
    "norm_c": "n_in=48 n_filt=2 reuse_factor=1",
    "pad": "in_height=4 in_width=6 n_chan=2 out_height=7 out_width=8 pad_top=2 pad_bottom=1 pad_left=1 pad_right=1",
    "mult_c": "n_in=18 n_out=3 reuse_factor=6",
    "conv_c": "in_height=7 in_width=8 n_chan=2 filt_height=3 filt_width=3 n_filt=3 stride_height=1 stride_width=2"
    " out_height=5 out_width=3 pad_top=0 pad_bottom=0 pad_left=0 pad_right=0 dilation_height=1 dilation_width=1",
    "act": "n_in=45",
    "pool_c": "in_height=5 in_width=3 n_filt=3 n_chan=3 out_height=2 out_width=2 pool_height=2 pool_width=2"
    " filt_height=2 filt_width=2 stride_height=2 stride_width=1 pad_top=0 pad_bottom=0 pad_left=0 pad_right=0",
    "fc_c": "n_in=12 n_out=4 reuse_factor=3",
    "small": "n_in=4 table_size=256",
    "out_c": "n_in=4 n_out=2 reuse_factor=1",
}
TYPES = "typedef sum_t accum_t; typedef weight_t_ weight_t; typedef weight_t_ bias_t;"
PRODUCT = "template <class A, class B> using product = nnet::product::mult<A, B>;"
MORE = {
    "norm_c": f"typedef weight_t_ scale_t; typedef weight_t_ bias_t; {PRODUCT}",
    "mult_c": f"{TYPES} {PRODUCT} static const unsigned strategy = nnet::resource;",
    "conv_c": f"{TYPES} typedef mult_c mult_config; static const unsigned strategy = nnet::resource;"
    " static const nnet::conv_implementation implementation = nnet::conv_implementation::linebuffer;",
    "pool_c": "static const nnet::Pool_Op pool_op = nnet::Max; typedef sum_t accum_t;",
    "fc_c": f"{TYPES} {PRODUCT}",
    "small": "typedef ap_fixed<18, 8> table_t;",
    "out_c": f"{TYPES} {PRODUCT}",
}
WEIGHTS = {"s": 2, "t": 2, "w": 54, "b": 3, "v": 48, "d": 4, "u": 8, "e": 2}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project; its own kernels count as the first known ones of their names."""

    def known(name: str, fingerprint: str, header: str) -> Known | None:
        return next(iter(of_name(name).values()), None) if "single" in header else find(name, fingerprint, header)

    monkeypatch.setattr(kernels, "find", known)
    firmware = tmp_path / "p" / "firmware"
    shutil.copytree(hls4ml_templates() / "vivado" / "nnet_utils", firmware / "nnet_utils")
    shutil.copytree(hls4ml_templates() / "vivado" / "ap_types", firmware / "ap_types")
    (firmware / "nnet_utils" / "nnet_single_dense.h").write_text(DENSE)
    (firmware / "nnet_utils" / "nnet_single_stream.h").write_text(STREAM)
    (firmware / "weights").mkdir()
    rng = np.random.default_rng(3)
    parameters = '#include "nnet_utils/nnet_single_stream.h"\n#include "nnet_utils/nnet_conv_stream.h"\n'
    parameters += '#include "nnet_utils/nnet_pooling.h"\n#include "nnet_utils/nnet_helpers.h"\n'
    for name, count in WEIGHTS.items():
        text = ", ".join(f"{x / 32:.5f}" for x in rng.integers(-64, 64, count))
        (firmware / "weights" / f"{name}.txt").write_text(text)
        parameters += f"weight_t_ {name}[{count}] = {{{text}}};\n"
    for name, sizes in SIZES.items():
        members = "".join(f" static const unsigned {size.replace('=', ' = ')};" for size in sizes.split())
        parameters += f"struct {name} {{{members} {MORE.get(name, '')} }};\n"
    types = {"input_t": "9, 4", "data_t": "12, 5, AP_RND", "result_t": "14, 6", "sum_t": "16, 7", "weight_t_": "8, 3"}
    defines = '#include "ap_fixed.h"\n' + "".join(f"typedef ap_fixed<{t}> {name};\n" for name, t in types.items())
    loads = " ".join(f'nnet::load_weights_from_txt<weight_t_, {n}>({w}, "{w}.txt");' for w, n in WEIGHTS.items())
    (firmware / "defines.h").write_text(f"#ifndef DEFINES_H_\n#define DEFINES_H_\n{defines}#endif\n")
    (firmware / "parameters.h").write_text(f"#ifndef PARAMETERS_H_\n#define PARAMETERS_H_\n{parameters}#endif\n")
    head = "void single(hls::stream<input_t> &x, hls::stream<result_t> &y);\n"
    (firmware / "single.h").write_text(f'#pragma once\n#include "hls_stream.h"\n#include "defines.h"\n{head}')
    (firmware / "single.cpp").write_text(TOP.replace("LOADS", loads))
    return tmp_path / "p"


def test_a_network_of_single_numbers_is_identical(project: Path) -> None:
    need_compiler()
    found = l1emu.verify(project, jets=60, optimization="-O0")
    assert found.identical and found.values > 5000


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("single.cpp", "hls::stream<data_t> rel", "hls::stream<nnet::array<data_t, 1>> rel", "one number at a time"),
        ("single.cpp", "nnet::relu_me<data_t, data_t, small>", "nnet::relu<data_t, data_t, small>", "one number at a"),
        ("single.cpp", "conv(\"conv\")", "conv(\"conv\"), more", "unusual way"),
        ("parameters.h", "reuse_factor = 3;", "reuse_factor = 36;", "writes outside its sums at this reuse factor"),
        ("parameters.h", "filt_height = 2;", "filt_height = 3;", "filter, channels or paddings"),
        ("parameters.h", "new_width = 6;", "new_width = 7;", "not a multiple"),
    ],
)  # fmt: skip
def test_what_the_kernels_do_not_take_is_refused(project: Path, file: str, old: str, new: str, told: str) -> None:
    path = project / "firmware" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(L1emuError, match=told):
        l1emu.Firmware.read(project)


def test_data_and_result_of_two_types_do_not_compile(project: Path) -> None:
    path = project / "firmware" / "single.cpp"
    text = path.read_text().replace("hls::stream<data_t> conv(", "hls::stream<sum_t> conv(")
    path.write_text(text.replace("conv_2d_cl_me<data_t, data_t,", "conv_2d_cl_me<data_t, sum_t,"))
    with pytest.raises(L1emuError, match="data and result of two types do not compile"):
        l1emu.Firmware.read(project)
