"""CMS end-to-end quark-gluon images (ML4SCI; arXiv:1902.08276): parquet with one jet a row group.

`X_jets` is a nested list (3, 125, 125) of energies. Which channel is which is documented inconsistently; the training
code of the data set takes them as tracks, ECAL, HCAL.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from l1emu.errors import L1emuError
from l1emu.events.sources.containers import Columns, Container
from l1emu.events.sources.format import Built, Field, Format, checked, classes

SHAPE = (3, 125, 125)
_LABELS = ("quark", "gluon")


def _build(container: Container, columns: Columns, wanted: Sequence[Field]) -> Built:
    built: Built = {}
    for field in wanted:
        values = np.asarray(checked(container, columns, field.columns[0], 4 if field.name == "image" else 1))
        if field.name == "image" and values.shape[1:] != SHAPE:
            raise L1emuError(
                "an image of another shape",
                path=container.path,
                where="X_jets",
                value=values.shape[1:],
                expected=str(SHAPE),
            )
        built[field.name] = classes(container, columns, "y", values, _LABELS) if field.name == "label" else values
    return built


FORMAT = Format(
    name="e2e-images",
    title="CMS end-to-end quark-gluon images",
    rows="jets",
    containers=("parquet",),
    markers=("X_jets",),
    fields=(
        Field("image", "GeV", "energies (3, 125, 125): tracks, ECAL, HCAL", ("X_jets",)),
        Field("jet.pt", "GeV", "transverse momentum", ("pt",), finite=True),
        Field("jet.mass", "GeV", "mass", ("m0",)),
        Field("label", "", "class of the jet: quark, gluon", ("y",)),
    ),
    build=_build,
    labels=_LABELS,
)
