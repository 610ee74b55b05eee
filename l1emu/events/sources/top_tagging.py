"""The top-tagging reference data set (Zenodo 2603256), HDF5 as pandas writes a table under the key `table`.

Each row has 200 constituents as E, PX, PY, PZ, padded with zeros at the end, and the top's own four-momentum, in
`values_block_0` (804 numbers); `ttv` and `is_signal_new` are `values_block_1`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from l1emu.errors import L1emuError
from l1emu.events.sources.containers import Columns, Container
from l1emu.events.sources.format import Built, Field, Format, checked, classes, unpadded

_PARTICLES = 200
_LABELS = ("QCD", "top")
SPLITS = ("training", "test", "validation")
_MOMENTA, _FLAGS = "table/table:values_block_0", "table/table:values_block_1"
_COMPONENTS = (("e", "energy"), ("px", "momentum, x"), ("py", "momentum, y"), ("pz", "momentum, z"))
_WIDTHS = {_MOMENTA: 4 * _PARTICLES + 4, _FLAGS: 2}


def _build(container: Container, columns: Columns, wanted: Sequence[Field]) -> Built:
    for name, width in _WIDTHS.items():
        if name in columns and checked(container, columns, name, 2).shape[1] != width:
            raise L1emuError(
                "the table has another number of columns",
                path=container.path,
                where=name,
                value=columns[name].shape[1],
                expected=str(width),
            )
    built: Built = {}
    names = [name for name, _ in _COMPONENTS]
    members = [field.name for field in wanted if field.group == "particles"]
    if members:
        block = np.asarray(columns[_MOMENTA])[:, : 4 * _PARTICLES].reshape(-1, _PARTICLES, 4)
        full = [f"particles.{name}" for name in names]
        built |= unpadded(container, block, (block != 0).any(axis=2), full, members)
    for field in wanted:
        if field.group == "truth":
            built[field.name] = columns[_MOMENTA][:, 4 * _PARTICLES + names.index(field.name.partition(".")[2])]
        elif field.name == "split":
            built["split"] = classes(container, columns, _FLAGS, columns[_FLAGS][:, 0], SPLITS)
        elif field.name == "label":
            built["label"] = classes(container, columns, _FLAGS, columns[_FLAGS][:, 1], _LABELS)
    return built


FORMAT = Format(
    name="top-tagging",
    title="top-tagging reference data set",
    rows="jets",
    containers=("HDF5",),
    markers=("table/table:values_block_0",),
    fields=(
        *(Field(f"particles.{name}", "GeV", meaning, (_MOMENTA,), finite=True) for name, meaning in _COMPONENTS),
        *(
            Field(f"truth.{name}", "GeV", f"{meaning}, of the top; 0 of others", (_MOMENTA,), finite=True)
            for name, meaning in _COMPONENTS
        ),
        Field("split", "", "0 training, 1 test, 2 validation", (_FLAGS,)),
        Field("label", "", "class of the jet: QCD, top", (_FLAGS,)),
    ),
    build=_build,
    labels=_LABELS,
)
