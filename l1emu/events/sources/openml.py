"""The 16 high-level features of the hls4ml LHC jets, OpenML's `hls4ml_lhc_jets_hlf`: ARFF, parquet or CSV."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from l1emu.errors import L1emuError
from l1emu.events.sources.containers import Columns, Container
from l1emu.events.sources.format import Built, Field, Format, checked

_LABELS = ("g", "q", "w", "z", "t")
_FEATURES = (
    "zlogz",
    *(f"c1_{b}_mmdt" for b in ("b0", "b1", "b2")),
    *(f"{x}_{b}_mmdt" for x in ("c2", "d2", "d2_a1", "m2", "n2") for b in ("b1", "b2")),
    "mass_mmdt",
    "multiplicity",
)


def _build(container: Container, columns: Columns, wanted: Sequence[Field]) -> Built:
    built: Built = {}
    for field in wanted:
        name = field.columns[0]
        values = checked(container, columns, name, 1, text=True)
        if field.name == "label":
            known = np.array(_LABELS)
            given = np.array([v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in values])
            wrong = ~np.isin(given, known)
            if wrong.any():
                raise L1emuError(
                    "an unknown class",
                    path=container.path,
                    where=name,
                    value=str(given[wrong][0]),
                    expected=", ".join(_LABELS),
                )
            order = np.argsort(known)
            values = order[np.searchsorted(known, given, sorter=order)]
        elif values.dtype.kind not in "fiu":
            bad = next((str(v) for v in values if not isinstance(v, int | float)), "")
            raise L1emuError("not a column of numbers", path=container.path, where=name, value=bad, expected="numbers")
        built[field.name] = values
    return built


FORMAT = Format(
    name="openml-hlf",
    title="OpenML hls4ml_lhc_jets_hlf, 16 high-level features",
    rows="jets",
    containers=("ARFF", "parquet", "CSV"),
    markers=("zlogz", "c1_b0_mmdt"),
    fields=(
        *(
            Field(f"features.{name}", "GeV" if name == "mass_mmdt" else "", "high-level feature", (name,), finite=True)
            for name in _FEATURES
        ),
        Field("label", "", f"class of the jet: {', '.join(_LABELS)}", ("class",)),
    ),
    build=_build,
    labels=_LABELS,
)
