"""Projects with kernels of their own, of a few lines each."""

from __future__ import annotations

from pathlib import Path

from l1emu.fixedpoint import FixedPoint
from tests.handmade_projects import ProjectMaker

KERNEL = "for (int i = 0; i < CONFIG_T::n_in; i++) res[i] = data[i] * data[(i + 1) % CONFIG_T::n_in] + data[0];"
"""Numbers times their neighbours."""

_HEADER = """#ifndef NNET_OWN_H_
#define NNET_OWN_H_
{outside}
namespace nnet {{
template <class data_T, class res_T, typename CONFIG_T>
void own_kernel(data_T data[CONFIG_T::n_in], res_T res[CONFIG_T::n_in]) {{
    {body}
}}
}}
#endif
"""


def dense_project(folder: Path, body: str = KERNEL, outside: str = "") -> Path:
    """Two fully connected layers with a kernel between them, which is not one of hls4ml's."""
    make = ProjectMaker(folder, 3)
    x = make.input("x", (6,), FixedPoint.parse("ap_fixed<10,4>"))
    first = make.dense("fc1", x, 8)
    own = make._variable("own_out", (8,), make.type())
    make.config("config_own", None, ["static const unsigned n_in = 8"])
    make.call("own_kernel", [first], own, "config_own")
    make.output(make.dense("fc2", own, 4))
    make.write()
    (folder / "firmware" / "nnet_utils" / "nnet_own.h").write_text(_HEADER.format(body=body, outside=outside))
    parameters = folder / "firmware" / "parameters.h"
    included = '#include "nnet_utils/nnet_own.h"\n#include "weights/'
    parameters.write_text(parameters.read_text().replace('#include "weights/', included, 1))
    return folder


STREAM_KERNEL = """
    for (int i = 0; i < 4; i++) {
        data_T pack = data.read();
        res_T out;
        for (int j = 0; j < 3; j++) out[j] = pack[j] + pack[(j + 1) % 3];
        res.write(out);
    }
"""


def stream_project(folder: Path, body: str = STREAM_KERNEL) -> Path:
    """A kernel of its own that reads the input, four packs of three, and an activation behind it; in streams."""
    make = ProjectMaker(folder, 3, ordinary=True)
    x = make.input("x", (12,), FixedPoint.parse("ap_fixed<10,4>"))
    own = make._variable("own_out", (12,), make.type())
    make.config("config_own", None, ["static const unsigned n_in = 12"])
    make.call("own_kernel", [x], own, "config_own")
    make.output(make.elementwise("act", "relu", own))
    make.write()
    firmware = folder / "firmware"
    defines = firmware / "defines.h"
    types = {name: f"nnet::array<{make.types[name]}, 3*1>" for name in ("x", "own_out", "act_out")}
    integers = '#include "ap_int.h"'
    streams = f'{integers}\n#include "hls_stream.h"\n#include "nnet_utils/nnet_types.h"'
    text = defines.read_text().replace(integers, streams)
    for name, kind in types.items():
        text = text.replace(f"typedef {make.types[name]} {name}_t;", f"typedef {kind} {name}_t;")
    defines.write_text(text)
    for path in (firmware / "handmade.h", firmware / "handmade.cpp"):
        text = path.read_text().replace("own_out_t own_out[12];", 'hls::stream<own_out_t> own_out("own_out");')
        for name in ("x", "act_out"):
            text = text.replace(f"{name}_t {name}[12]", f"hls::stream<{name}_t> &{name}")
        path.write_text(text)
    arrays, streams = "data_T data[CONFIG_T::n_in], res_T res[CONFIG_T::n_in]", "hls::stream<data_T> &data, "
    header = _HEADER.replace(arrays, streams + "hls::stream<res_T> &res").format(body=body, outside="")
    (firmware / "nnet_utils" / "nnet_own.h").write_text(header)
    parameters = firmware / "parameters.h"
    text, helpers = parameters.read_text().replace("io_parallel", "io_stream"), '#include "nnet_utils/nnet_helpers.h"'
    added = '\n#include "nnet_utils/nnet_activation_stream.h"\n#include "nnet_utils/nnet_own.h"\n'
    parameters.write_text(text.replace(helpers, helpers + added, 1))
    return folder


def unreadable_top(folder: Path) -> Path:
    """A project whose top function computes by itself: no layer is known. Beside it stands a `main` that tries it."""
    project = dense_project(folder)
    top = project / "firmware" / "handmade.cpp"
    text = top.read_text()
    call = next(line for line in text.splitlines() if "own_kernel<" in line)
    loop = "    for (int i = 0; i < 8; i++) { own_out[i] = fc1_out[i] * fc1_out[7 - i]; }"
    traced = '#ifndef __SYNTHESIS__\n    nnet::save_layer_output<own_out_t>(own_out, "own", 8);\n#endif'
    tried = "int main(int argc, char **argv) {\n    fc2_out_t y[4];\n    handmade(nullptr, y);\n    return argc;\n}\n"
    top.write_text(text.replace(call, f"{loop}\n{traced}") + tried)
    return project


def whole_top(folder: Path, arguments: str, body: str) -> Path:
    """A project of which the top function alone is there, with any arguments; it computes by itself."""
    project = dense_project(folder)
    firmware = project / "firmware"
    head = f"void handmade({arguments})"
    included = (
        '#include "ap_fixed.h"\n#include "ap_int.h"\n#include "hls_stream.h"\n#include "nnet_utils/nnet_types.h"\n'
    )
    (firmware / "handmade.h").write_text(f"#ifndef HANDMADE_H_\n#define HANDMADE_H_\n{included}{head};\n#endif\n")
    (firmware / "handmade.cpp").write_text(f'#include "handmade.h"\n{head} {{\n{body}\n}}\n')
    return project
