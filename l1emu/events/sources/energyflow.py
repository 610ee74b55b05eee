"""The quark-gluon jets of EnergyFlow (Zenodo 3164691), npz: X (jets, particles, 4) and y."""

from __future__ import annotations

from collections.abc import Sequence

from l1emu.errors import L1emuError
from l1emu.events.sources.containers import Columns, Container
from l1emu.events.sources.format import Built, Field, Format, checked, classes, unpadded

_LABELS = ("gluon", "quark")
_PARTICLE = (
    ("pt", "GeV", "transverse momentum"),
    ("rapidity", "", "rapidity"),
    ("phi", "rad", "azimuth"),
    ("pdg_id", "", "PDG number"),
)


def _build(container: Container, columns: Columns, wanted: Sequence[Field]) -> Built:
    built: Built = {}
    members = [field.name for field in wanted if field.group == "particles"]
    if members:
        block = checked(container, columns, "X", 3)
        if block.shape[2] != len(_PARTICLE):
            raise L1emuError(
                "the particles have another number of columns",
                path=container.path,
                where="X",
                value=block.shape[2],
                expected="4: pt, rapidity, phi, pid",
            )
        full = [f"particles.{name}" for name, _, _ in _PARTICLE]
        built |= unpadded(container, block, block[:, :, 0] != 0, full, members)
    if any(field.name == "label" for field in wanted):
        built["label"] = classes(container, columns, "y", checked(container, columns, "y", 1), _LABELS)
    return built


FORMAT = Format(
    name="energyflow",
    title="EnergyFlow quark and gluon jets",
    rows="jets",
    containers=("npz",),
    markers=("X", "y"),
    fields=(
        *(
            Field(f"particles.{name}", unit, meaning, ("X",), finite=name != "pdg_id")
            for name, unit, meaning in _PARTICLE
        ),
        Field("label", "", "class of the jet: gluon, quark", ("y",)),
    ),
    build=_build,
    labels=_LABELS,
)
