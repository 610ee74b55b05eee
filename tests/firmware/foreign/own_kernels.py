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
